//! Records: what is kept although its time has come, and what is erased before.

use askama::Template;
use axum::extract::{Query, State};
use domain::ids::{StreamId, StreamType};
use domain::ledger::{LegalHold, Records, Redaction};
use domain::people::Action;
use serde::Deserialize;

use super::answer::Page;
use super::forms::Sent;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, events_of};
use crate::commands::{Applied, CommandError, HoldAct, RedactionAct};
use crate::state::Console;

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// The run or document that somebody comes from.
    of: String,
}

/// A hold in the list.
struct HoldRow {
    name: String,
    over: String,
    reason: String,
    by: String,
    since: String,
    /// Who wants it to end, when, and why.
    lift: Option<(String, String)>,
    /// Whether they may agree to that.
    may_lift: bool,
}

impl HoldRow {
    fn of((name, hold): (&String, &LegalHold), visitor: &Visitor) -> Self {
        let lift = hold.lift.as_ref();
        Self {
            name: name.clone(),
            over: hold.over.join(", "),
            reason: hold.reason.clone(),
            by: who(hold.by.as_deref()),
            since: when(hold.since),
            lift: lift.map(|asked| (who(asked.by.as_deref()), asked.reason.clone())),
            may_lift: lift.is_some_and(|asked| visitor.is_another(asked.by.as_deref())),
        }
    }
}

/// A redaction in the list.
struct RedactionRow {
    of: Link,
    id: String,
    state: Marked,
    asked: String,
    why: String,
    agreed: String,
    /// What became of it where its hosts are.
    hosts: String,
    /// Whether somebody has still to say yes or no.
    open: bool,
    /// Whether they may say yes.
    may_agree: bool,
}

impl RedactionRow {
    fn of((of, one): (&StreamId, &Redaction), visitor: &Visitor) -> Self {
        let agreed = one.agreed.as_ref();
        let tone = if one.is_over() { "good" } else { "busy" };
        let by = |asked: &domain::ledger::Asked| {
            format!("{}, {}", who(asked.by.as_deref()), when(asked.at))
        };
        let erased = one.erased.iter().map(|(host, at)| format!("{host}: gone, {}", when(*at)));
        let waits = one.waits_for.iter().map(|host| format!("{host}: has not said so yet"));
        Self {
            of: Link::to(of),
            id: of.to_string(),
            state: Marked::tuned(one.word().to_owned(), tone),
            asked: by(&one.asked),
            why: one.asked.reason.clone(),
            agreed: agreed.map(by).unwrap_or_default(),
            hosts: erased.chain(waits).collect::<Vec<_>>().join("; "),
            open: agreed.is_none(),
            may_agree: agreed.is_none() && visitor.is_another(one.asked.by.as_deref()),
        }
    }
}

fn who(by: Option<&str>) -> String {
    by.map_or("nobody who is named".to_owned(), |by| Link::who(by).text)
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    shell: Shell,
    holds: Vec<HoldRow>,
    redactions: Vec<RedactionRow>,
    /// The run or document that somebody comes from.
    of: String,
    events: String,
    /// Whether they may say anything of it.
    keeps: bool,
    word: String,
    problem: Option<String>,
}

async fn all(console: &Console, visitor: &Visitor, asked: Asked) -> Result<RecordsPage, Page> {
    let id = StreamId::records();
    let (position, records) = match super::reading::maybe(console, &id).await? {
        (position, Some(state)) => (position, state.body.records().cloned().unwrap_or_default()),
        (position, None) => (position, Records::default()),
    };
    let commands = "decklog records list\ndecklog records hold NAME --over job/payroll* --reason …\ndecklog records redact run/… --reason …\ndecklog records agree run/… --reason …";
    let mut redactions: Vec<_> = records.redactions.iter().collect();
    redactions.sort_by_key(|(_, one)| (one.is_over(), std::cmp::Reverse(one.asked.at)));
    Ok(RecordsPage {
        shell: visitor.shell().as_of(console, position).cli(commands),
        holds: records.holds.iter().map(|hold| HoldRow::of(hold, visitor)).collect(),
        redactions: redactions.into_iter().map(|one| RedactionRow::of(one, visitor)).collect(),
        of: asked.of,
        events: events_of(&id),
        keeps: visitor.could(Action::KeepRecords),
        word: visitor.word(),
        problem: None,
    })
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&all(&console, &visitor, asked).await?))
}

/// Says something of a hold, or of a payload.
pub(crate) async fn act(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &sent).await;
    let page = all(&console, visitor, Asked { of: sent.fields.text("of") });
    visitor
        .became(
            done,
            |_| "/records".to_owned(),
            page,
            |page, problem| RecordsPage { problem, ..page },
        )
        .await
}

async fn done(console: &Console, sent: &Sent) -> Result<Applied, CommandError> {
    let (caller, reason) = (&sent.visitor.caller, sent.fields.text("reason"));
    let act = sent.fields.must("act").map_err(CommandError::Invalid)?;
    if let Some(hold) = HoldAct::from_word(act, &sent.fields.text("over")) {
        return console.set_hold(&sent.fields.text("name"), &hold, caller, &reason).await;
    }
    let redaction = RedactionAct::from_word(act).ok_or_else(|| super::no_such(act, "payload"))?;
    let of = domain::payload::named(&sent.fields.text("of")).map_err(CommandError::Invalid)?;
    console.set_redaction(&of, redaction, caller, &reason).await
}

/// Where somebody asks for what a run wrote, or a document, to be erased.
pub(crate) fn asks_for(of: &StreamId) -> String {
    debug_assert!(matches!(of.stream_type(), StreamType::Run | StreamType::Document));
    super::words::asking("/records", &[("of", of.as_str())]) + "#redact"
}
