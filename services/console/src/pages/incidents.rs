//! Incidents: which are open, what happened, who was told, and what people say of them; and who would be called now.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use domain::event::{Sent as SentMessage, Severity};
use domain::ids::StreamId;
use domain::incident::message::summary;
use domain::incident::{CallState, Incident, Said, StepKind, words};
use domain::people::Action;
use domain::wire::IncidentFilter;
use serde::Deserialize;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::reading;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{address, asking, events_of};
use crate::commands::{CommandError, IncidentAct, IncidentWanted};
use crate::rota::{OnCall, on_call};
use crate::state::Console;

/// Most incidents that are open on the page.
const OPEN: u32 = 200;
/// Most incidents of the past on a page.
const PAST: u32 = 50;

/// What stands in the address of the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    of: String,
    behind: String,
}

/// An incident in a list.
pub(super) struct Row {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) severity: &'static str,
    pub(super) tone: &'static str,
    pub(super) state: &'static str,
    pub(super) headline: String,
    pub(super) opened: String,
    pub(super) who: String,
}

/// The colour of a state, which its word says too.
fn tone(incident: &Incident) -> &'static str {
    match incident.word() {
        "resolved" => "good",
        "acknowledged" | "over" => "warn",
        _ => "bad",
    }
}

pub(super) fn row(incident: &Incident) -> Row {
    let id = incident.id();
    let who = match (&incident.resolved, &incident.acknowledged) {
        (Some(said), _) => format!("resolved by {}", said.by),
        (None, Some(said)) => format!("{} deals with it", said.by),
        (None, None) => "nobody has acknowledged it".to_owned(),
    };
    Row {
        path: address(&id),
        name: id.rest().to_owned(),
        severity: incident.severity.word(),
        tone: tone(incident),
        state: incident.word(),
        headline: summary(incident),
        opened: when(incident.opened),
        who,
    }
}

#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    shell: Shell,
    of: String,
    open: Vec<Row>,
    past: Vec<Row>,
    next: Option<String>,
    more_open: bool,
    may_report: bool,
    severities: [&'static str; 3],
    word: String,
    problem: Option<String>,
}

async fn list(console: &Console, visitor: &Visitor, asked: &Asked) -> Result<IncidentsPage, Page> {
    let bad =
        |error: domain::ids::BadName| Page::problem(StatusCode::BAD_REQUEST, &error.to_string());
    let named = |text: &str| -> Result<Option<StreamId>, Page> {
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(bad) }
    };
    let (of, behind) = (named(&asked.of)?, named(&asked.behind)?);
    let behind = match behind {
        None => None,
        Some(id) => {
            let (_, state) = reading::one(console, &id).await?;
            state.body.incident().map(|incident| (incident.opened, id))
        }
    };
    let open = IncidentFilter { of: of.clone(), open: true, behind: None, limit: OPEN };
    let (position, open) = console.incidents(open).await?;
    let all = IncidentFilter { of, open: false, behind, limit: PAST };
    let (_, all) = console.incidents(all).await?;
    let last = all.last().filter(|_| all.len() == PAST as usize);
    let next =
        last.map(|last| asking("/incidents", &[("of", &asked.of), ("behind", last.id().as_str())]));
    let past = all.iter().filter(|incident| !incident.is_open()).map(row).collect();
    Ok(IncidentsPage {
        shell: visitor.shell().as_of(console, position).cli(
            "decklog incident list\ndecklog incident report job/NAME --severity major --text …",
        ),
        of: asked.of.clone(),
        more_open: open.len() == OPEN as usize,
        open: open.iter().map(row).collect(),
        past,
        next,
        may_report: visitor.could(Action::AttendIncidents),
        severities: Severity::ALL.map(Severity::word),
        word: visitor.word(),
        problem: None,
    })
}

/// All that are open, and the newest that were.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&list(&console, &visitor, &asked).await?))
}

/// Somebody reports one.
pub(crate) async fn report(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = match reported(&sent.fields) {
        Ok(wanted) => console.report_incident(&wanted, &visitor.caller).await,
        Err(problem) => Err(CommandError::Invalid(problem)),
    };
    let asked = Asked::default();
    let page = list(&console, visitor, &asked);
    let to = |applied: &crate::commands::Applied| address(&applied.stream);
    visitor.became(done, to, page, |page, problem| IncidentsPage { problem, ..page }).await
}

fn reported(fields: &Fields) -> Result<IncidentWanted, String> {
    let of = fields.must("of")?.parse().map_err(|error| format!("of: {error}"))?;
    let severity = Severity::from_word(fields.must("severity")?);
    let severity = severity.ok_or_else(|| "severity: minor, major or critical".to_owned())?;
    let (text, call_tree) = (fields.text("text"), fields.get("call-tree").map(str::to_owned));
    Ok(IncidentWanted { of, severity, text, call_tree })
}

/// A message on the page.
struct Told {
    contact: String,
    by: &'static str,
    became: String,
    tone: &'static str,
}

/// People who were told at once.
struct StepShown {
    at: String,
    what: String,
    told: Vec<Told>,
}

/// What somebody said.
struct Line {
    at: String,
    by: String,
    what: &'static str,
    text: String,
}

/// Something that happened.
struct Happened {
    at: String,
    text: String,
    link: Option<String>,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    shell: Shell,
    row: Row,
    about: String,
    about_path: String,
    tree: Option<String>,
    count: u32,
    happened: Vec<Happened>,
    steps: Vec<StepShown>,
    said: Vec<Line>,
    cause: Option<(String, Option<String>)>,
    causers: Vec<String>,
    events: String,
    all: String,
    calling: bool,
    open: bool,
    newest: bool,
    may_attend: bool,
    may_resolve: bool,
    caused: bool,
    word: String,
    problem: Option<String>,
}

fn told(state: &CallState) -> Told {
    let (became, tone) = match (&state.begun, &state.ended) {
        (_, Some((at, SentMessage::Taken {}))) => (format!("taken at {}", when(*at)), "good"),
        (_, Some((_, SentMessage::Failed { message }))) => (format!("failed: {message}"), "bad"),
        (_, Some((_, SentMessage::Unknown { message }))) => (format!("unknown: {message}"), "warn"),
        (Some((at, _)), None) => (format!("on its way since {}", when(*at)), "warn"),
        (None, None) => ("not sent yet".to_owned(), "warn"),
    };
    Told { contact: state.call.contact.clone(), by: state.call.by.word(), became, tone }
}

fn steps(incident: &Incident) -> Vec<StepShown> {
    let one = |step: &domain::incident::Step| StepShown {
        at: when(step.at),
        what: match &step.kind {
            StepKind::Level { round, level, because } => {
                let again = if *round > 1 { format!(" of round {round}") } else { String::new() };
                format!("Level {level}{again}, because {}", words::because(*because))
            }
            StepKind::Broadcast { text, by } => format!("{by} to all who are affected: {text}"),
        },
        told: step.calls.iter().map(told).collect(),
    };
    incident.steps.iter().map(one).collect()
}

fn line(said: &Said, what: &'static str) -> Line {
    Line { at: when(said.at), by: said.by.clone(), what, text: said.text.clone() }
}

fn said(incident: &Incident) -> Vec<Line> {
    let mut lines: Vec<(jiff::Timestamp, Line)> =
        incident.said.iter().map(|one| (one.at, line(one, "said"))).collect();
    let others = [
        (&incident.acknowledged, "deals with it"),
        (&incident.cleared, "it is over"),
        (&incident.resolved, "resolved it"),
    ];
    lines.extend(
        others.into_iter().filter_map(|(one, what)| one.as_ref().map(|s| (s.at, line(s, what)))),
    );
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn happened(incident: &Incident) -> Vec<Happened> {
    use domain::event::Trouble;
    let link = |trouble: &Trouble| match trouble {
        Trouble::Run { run, .. } | Trouble::Late { run, .. } | Trouble::WillBeLate { run, .. } => {
            Some(address(run))
        }
        Trouble::NotificationFailed { incident, .. } => Some(address(incident)),
        Trouble::DatasetAtRisk { .. }
        | Trouble::HostSilent { .. }
        | Trouble::ReviewMissing { .. }
        | Trouble::LogStalled { .. }
        | Trouble::LogContradicted { .. }
        | Trouble::LogWeak { .. }
        | Trouble::LogContinued { .. }
        | Trouble::Reported { .. } => None,
    };
    let one = |seen: &domain::incident::Seen| Happened {
        at: when(seen.at),
        text: words::trouble(&seen.trouble),
        link: link(&seen.trouble),
    };
    incident.troubles.iter().rev().map(one).collect()
}

async fn shown(console: &Console, visitor: &Visitor, id: &StreamId) -> Result<IncidentPage, Page> {
    let (position, state) = reading::one(console, id).await?;
    let missing = || Page::problem(StatusCode::NOT_FOUND, &format!("there is no {id}"));
    let incident = state.body.incident().ok_or_else(missing)?;
    let next = StreamId::incident(&incident.of, incident.number.saturating_add(1));
    let newest = console.state(&next).await?.is_none();
    let name = id.rest();
    let me = visitor.user().actor();
    Ok(IncidentPage {
        shell: visitor.shell().as_of(console, position).cli(format!(
            "decklog incident show {name}\ndecklog incident acknowledge {name}\ndecklog incident cause {name} --text …\ndecklog incident resolve {name} --text …"
        )),
        row: row(incident),
        about: words::about(&incident.of),
        about_path: address(&incident.of),
        tree: incident.tree.clone(),
        count: incident.count,
        happened: happened(incident),
        steps: steps(incident),
        said: said(incident),
        cause: incident.cause.as_ref().map(|one| (one.text.clone(), one.caused_by.clone())),
        causers: incident.causers.iter().cloned().collect(),
        events: events_of(id),
        all: asking("/incidents", &[("of", incident.of.as_str())]),
        calling: incident.is_calling(),
        open: incident.is_open(),
        newest,
        may_attend: visitor.could(Action::AttendIncidents),
        may_resolve: visitor.could(Action::ResolveIncidents),
        caused: incident.causers.contains(&me) && !visitor.policy.self_approval,
        word: visitor.word(),
        problem: None,
    })
}

fn named(rest: &str) -> Result<StreamId, Page> {
    let id = format!("incident/{rest}").parse();
    id.map_err(|_| Page::problem(StatusCode::NOT_FOUND, &format!("there is no incident {rest}")))
}

/// One incident.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(rest): Path<String>,
) -> Result<Page, Page> {
    Ok(visitor.page(&shown(&console, &visitor, &named(&rest)?).await?))
}

/// Somebody says something of it.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(rest): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let (id, visitor) = (named(&rest)?, &sent.visitor);
    let done = match wanted(&sent.fields) {
        Ok(act) => {
            let text = sent.fields.text("text");
            console.set_incident(&id, &act, &visitor.caller, &text).await
        }
        Err(problem) => Err(CommandError::Invalid(problem)),
    };
    let page = shown(&console, visitor, &id);
    visitor
        .became(done, |_| address(&id), page, |page, problem| IncidentPage { problem, ..page })
        .await
}

fn wanted(fields: &Fields) -> Result<IncidentAct, String> {
    Ok(match fields.must("act")? {
        "acknowledge" => IncidentAct::Acknowledge {},
        "note" => IncidentAct::Note {},
        "cause" => {
            let by = fields.get("caused-by").map(|by| {
                if by.starts_with("user/") { by.to_owned() } else { format!("user/{by}") }
            });
            IncidentAct::Cause { caused_by: by }
        }
        "resolve" => IncidentAct::Resolve {},
        "reopen" => IncidentAct::Reopen {},
        "broadcast" => IncidentAct::Broadcast {},
        other => return Err(format!("{other:?} is nothing that is said of an incident")),
    })
}

#[derive(Template)]
#[template(path = "rota.html")]
struct RotaPage {
    shell: Shell,
    trees: Vec<OnCall>,
}

/// Who would be called now, and whose turn it is then.
pub(crate) async fn rota(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    let trees = on_call(&console).await?;
    let shell = visitor.shell().cli("decklog incident on-call\ndecklog call-tree list");
    Ok(visitor.page(&RotaPage { shell, trees }))
}

/// What stands in the link of a message.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    incident: String,
    #[serde(rename = "as")]
    contact: String,
    word: String,
    note: String,
}

#[derive(Template)]
#[template(path = "acknowledge.html")]
struct AcknowledgePage {
    shell: Shell,
    link: Link,
    row: Option<Row>,
    done: bool,
    problem: Option<String>,
}

/// The incident that a link is about, where its word is that of a message to them; and whether it is spent.
async fn linked(console: &Console, link: &Link) -> Result<(StreamId, Incident, bool), Page> {
    let no = || {
        Page::problem(
            StatusCode::NOT_FOUND,
            "this link is of no message: it is cut, or another has taken its place",
        )
    };
    let id: StreamId = format!("incident/{}", link.incident).parse().map_err(|_| no())?;
    let state = console.state(&id).await?;
    let incident = state.as_ref().and_then(|state| state.body.incident()).ok_or_else(no)?;
    let digest = domain::canonical::Digest::of(link.word.as_bytes());
    let own = incident.was_linked(digest).is_some_and(|call| call.call.contact == link.contact);
    let spent = incident.linked(digest).is_none() || !incident.is_open();
    if own { Ok((id, incident.clone(), spent)) } else { Err(no()) }
}

/// A page with one button: programs that look at the links of a message before people do press none.
pub(crate) async fn link(
    State(console): State<Console>,
    Query(link): Query<Link>,
) -> Result<Page, Page> {
    let (_, incident, done) = linked(&console, &link).await?;
    let row = Some(row(&incident));
    Ok(Page::of(&AcknowledgePage { shell: Shell::bare(), link, row, done, problem: None }))
}

/// The button was pressed.
pub(crate) async fn follow(State(console): State<Console>, fields: Fields) -> Result<Page, Page> {
    let link = Link {
        incident: fields.text("incident"),
        contact: fields.text("as"),
        word: fields.text("word"),
        note: fields.text("note"),
    };
    let (id, ..) = linked(&console, &link).await?;
    let done = console.acknowledge_by_link(&id, &link.contact, &link.word, &link.note).await;
    match done {
        Ok(_) => {
            let named =
                [("incident", &*link.incident), ("as", &link.contact), ("word", &link.word)];
            Ok(Page::away(&asking("/acknowledge", &named)))
        }
        Err(error) => {
            let (_, incident, done) = linked(&console, &link).await?;
            let (row, problem) = (Some(row(&incident)), Some(error.to_string()));
            let page = AcknowledgePage { shell: Shell::bare(), link, row, done, problem };
            Ok(Page::of(&page).with_status(StatusCode::CONFLICT))
        }
    }
}
