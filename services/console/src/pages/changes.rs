//! Changes: what waits for somebody, what it would do, and what people say of it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::recorder::each_stream;
use domain::effect::Effect;
use domain::ids::StreamId;
use domain::job::{ChangeOutcome, ChangeRequest, Versions};
use domain::people::Action;
use domain::wire::Selection;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::shell::{Shell, Visitor};
use super::when;
use crate::api::changes::defined_id;
use crate::commands::{ChangeAct, CommandError, Proposed};
use crate::state::Console;

/// A change that waits.
struct Row {
    path: String,
    number: u32,
    waits: &'static str,
    by: String,
    at: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage {
    shell: Shell,
    rows: Vec<Row>,
}

/// A field that differs.
struct Field {
    name: String,
    before: String,
    after: String,
}

/// What somebody said.
struct Told {
    by: String,
    at: String,
    text: String,
}

/// The change that waits, and what whoever looks may do.
struct Waiting {
    number: u32,
    waits: &'static str,
    by: String,
    at: String,
    reason: String,
    schedule: Option<String>,
    effect: Option<Effect>,
    effect_problem: Option<String>,
    fields: Vec<Field>,
    yaml: String,
    comments: Vec<Told>,
    expedited: bool,
    own: bool,
    may_approve: bool,
    may_ratify: bool,
    may_reject: bool,
    may_withdraw: bool,
    may_expedite: bool,
}

/// A change that was.
struct Past {
    number: u32,
    by: String,
    at: String,
    reason: String,
    became: String,
    may_revert: bool,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage {
    shell: Shell,
    path: String,
    problem: Option<String>,
    waiting: Option<Waiting>,
    may_comment: bool,
    history: Vec<Past>,
    word: String,
}

fn waits(request: &ChangeRequest) -> &'static str {
    if request.waits_for_a_look() {
        "is active, and waits for a second look"
    } else {
        "waits for approval"
    }
}

/// All changes that wait.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    let mut rows = Vec::new();
    let take = |view: domain::wire::StreamView| {
        let versions = view.state.body.versions();
        let all = versions.map(|versions| versions.requests.as_slice()).unwrap_or_default();
        let open =
            |one: &&ChangeRequest| one.outcome == ChangeOutcome::Open || one.waits_for_a_look();
        rows.extend(all.iter().filter(open).map(|request| Row {
            path: view.id.to_string(),
            number: request.number,
            waits: waits(request),
            by: request.by.clone().unwrap_or_default(),
            at: when(request.at),
            reason: request.reason.clone(),
        }));
    };
    let position = each_stream(&console.bus, Selection::Waiting, take).await?;
    let shell = visitor.shell().as_of(&console, position).cli("decklog change list");
    Ok(visitor.page(&ChangesPage { shell, rows }))
}

fn became(request: &ChangeRequest) -> String {
    let who = |by: &Option<String>| by.clone().unwrap_or_default();
    let outcome = match &request.outcome {
        ChangeOutcome::Open => "waits for approval".to_owned(),
        ChangeOutcome::Approved { by, at } => format!("approved by {}, {}", who(by), when(at)),
        ChangeOutcome::Rejected { by, at, reason } => {
            format!("rejected by {}, {}: {reason}", who(by), when(at))
        }
        ChangeOutcome::Withdrawn { at, reason } => format!("withdrawn {}: {reason}", when(at)),
        ChangeOutcome::Superseded { at } => format!("another was proposed {}", when(at)),
    };
    let Some(expedited) = &request.expedited else { return outcome };
    let look = match &expedited.looked {
        None => format!("could not wait ({}); nobody else has looked yet", expedited.reason),
        Some(looked) => {
            let word = if looked.right { "right" } else { "not right" };
            let (who, at, reason) = (who(&looked.by), when(looked.at), &looked.reason);
            format!("could not wait ({}); {word}, says {who}, {at}: {reason}", expedited.reason)
        }
    };
    format!("{outcome}; {look}")
}

fn history(versions: &Versions, visitor: &Visitor) -> Vec<Past> {
    let active = versions.active().map(|span| span.number);
    let was_active = |number: u32| versions.spans.iter().any(|span| span.number == number);
    let past = |request: &ChangeRequest| Past {
        number: request.number,
        by: request.by.clone().unwrap_or_default(),
        at: when(request.at),
        reason: request.reason.clone(),
        became: became(request),
        may_revert: was_active(request.number)
            && active != Some(request.number)
            && visitor.could(Action::Propose),
    };
    versions.requests.iter().rev().map(past).collect()
}

fn waiting(proposed: Proposed, visitor: &Visitor) -> Waiting {
    let Proposed { request, fields, schedule, effect, yaml } = proposed;
    let own = request.by.as_deref() == Some(&*visitor.user().actor());
    let looks = request.waits_for_a_look();
    let other = visitor.is_another(request.by.as_deref());
    let approves = visitor.could(Action::Approve);
    let (effect, effect_problem) = match effect {
        Some(Ok(effect)) => (Some(effect), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let field = |(name, before, after): (String, serde_json::Value, serde_json::Value)| Field {
        name,
        before: before.to_string(),
        after: after.to_string(),
    };
    let told = |one: &domain::job::Comment| Told {
        by: one.by.clone().unwrap_or_default(),
        at: when(one.at),
        text: one.text.clone(),
    };
    Waiting {
        number: request.number,
        waits: waits(&request),
        by: request.by.clone().unwrap_or_default(),
        at: when(request.at),
        reason: request.reason.clone(),
        schedule,
        effect,
        effect_problem,
        fields: fields.into_iter().map(field).collect(),
        yaml,
        comments: request.comments.iter().map(told).collect(),
        expedited: looks,
        own,
        may_approve: !looks && approves && other,
        may_ratify: looks && approves && other,
        may_reject: approves && !own,
        may_withdraw: !looks && own && visitor.could(Action::Propose),
        may_expedite: !looks
            && own
            && request.expedited.is_none()
            && visitor.could(Action::Expedite),
    }
}

async fn change(console: &Console, visitor: &Visitor, id: &StreamId) -> Result<ChangePage, Page> {
    let state = console.state(id).await?;
    let versions = state.as_ref().and_then(|state| state.body.versions());
    let missing = || Page::problem(StatusCode::NOT_FOUND, &format!("there is no {id}"));
    let versions = versions.ok_or_else(missing)?;
    let proposed = match console.proposed(id).await {
        Ok(proposed) => Some(proposed),
        Err(CommandError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(ChangePage {
        shell: visitor.shell().cli(format!(
            "decklog change show {id}\ndecklog change approve {id} NUMBER\ndecklog change reject {id} NUMBER --reason …"
        )),
        path: id.to_string(),
        problem: None,
        waiting: proposed.map(|proposed| waiting(proposed, visitor)),
        may_comment: visitor.could(Action::CommentChanges),
        history: history(versions, visitor),
        word: visitor.word(),
    })
}

/// The change of one thing that waits, and those that were.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Page, Page> {
    let id = defined_id(&kind, &name)?;
    Ok(visitor.page(&change(&console, &visitor, &id).await?))
}

/// Somebody says something of a change.
pub(crate) async fn act(
    State(console): State<Console>,
    Path((kind, name)): Path<(String, String)>,
    sent: Sent,
) -> Result<Page, Page> {
    let (id, visitor) = (defined_id(&kind, &name)?, &sent.visitor);
    let done = match wanted(&sent.fields) {
        Ok(act) => {
            let reason = sent.fields.text("reason");
            console.set_change(&id, &act, &visitor.caller, &reason).await
        }
        Err(problem) => Err(CommandError::Invalid(problem)),
    };
    let page = change(&console, visitor, &id);
    visitor
        .became(
            done,
            |_| format!("/changes/{id}"),
            page,
            |page, problem| ChangePage { problem, ..page },
        )
        .await
}

fn wanted(fields: &Fields) -> Result<ChangeAct, String> {
    let number = fields.must("number")?.parse().map_err(|_| "number: a number".to_owned())?;
    match fields.must("act")? {
        "approve" => Ok(ChangeAct::Approve { number }),
        "reject" => Ok(ChangeAct::Reject { number }),
        "withdraw" => Ok(ChangeAct::Withdraw { number }),
        "comment" => Ok(ChangeAct::Comment { number }),
        "ratify" => Ok(ChangeAct::Ratify { number }),
        "expedite" => {
            let hours = fields.number("hours")?;
            Ok(ChangeAct::Expedite { number, hours })
        }
        "revert" => Ok(ChangeAct::Revert { to: number }),
        other => Err(format!("{other:?} is nothing that is said of a change")),
    }
}
