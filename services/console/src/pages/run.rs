//! One run: where it stands and why, its attempts, the end of its output, its events, and what can be done with it.

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::event::{CommandEnd, Resolution};
use domain::ids::StreamId;
use domain::incident::Incident;
use domain::people::Action;
use domain::run::{Attempt, Run, State as Stands};
use domain::why::Question;
use domain::wire::{EventFilter, HostQuery, IncidentFilter};
use serde::Deserialize;

use super::answer::{Page, encoded};
use super::events::{Line as EventLine, line as event_line};
use super::forms::Sent;
use super::reading;
use super::records;
use super::shell::{Shell, Visitor};
use super::when;
use super::why::{Told, why};
use super::words::{Link, Marked, asking, between, events_of, printable, tail};
use crate::commands::{Applied, CommandError, RunAct, Wish, drawn};
use crate::state::Console;

/// How much of the end of an output is shown, as markup.
const TAIL_BYTES: usize = 48 * 1024;
/// How much of it is read for that at most, while nobody knows where it ends.
const READ_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes asked of a host at once; also what the API gives at once.
const PIECE: u32 = 512 * 1024;
/// Most events that the page shows.
const EVENTS: u32 = 50;

/// What stands in the address of the page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    attempt: Option<u32>,
}

/// An attempt.
struct Try {
    number: u32,
    host: Link,
    started: String,
    took: String,
    end: Marked,
    output: Option<Link>,
}

/// The end of an output, or why there is none.
#[derive(Default)]
struct Output {
    attempt: u32,
    text: String,
    says: String,
    whole: Vec<Link>,
}

/// What can be done with a run, in the words of its buttons.
struct Act {
    act: &'static str,
    words: &'static str,
    danger: bool,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    shell: Shell,
    name: String,
    path: String,
    job: Link,
    state: Marked,
    facts: Vec<(&'static str, String)>,
    links: Vec<(&'static str, Link)>,
    why: Told,
    tries: Vec<Try>,
    output: Output,
    events: Vec<EventLine>,
    all_events: String,
    /// Where they ask for its output to be erased, where they may.
    redacts: Option<String>,
    acts: Vec<Act>,
    resolves: bool,
    word: String,
    problem: Option<String>,
}

fn id_of(run: &str) -> Result<StreamId, CommandError> {
    format!("run/{run}").parse().map_err(|error| CommandError::Invalid(format!("{error}")))
}

async fn one(
    console: &Console,
    visitor: &Visitor,
    name: &str,
    number: Option<u32>,
) -> Result<RunPage, Page> {
    let id = id_of(name)?;
    let (position, state) = reading::one(console, &id).await?;
    let missing = || CommandError::NotFound(format!("run {name}"));
    let run = state.body.run().ok_or_else(missing)?;
    let filter = EventFilter { stream: Some(id.clone()), limit: EVENTS, ..EventFilter::default() };
    let (_, events) = reading::events(console, filter).await?;
    let incident = incident_of(console, run).await?;
    Ok(RunPage {
        shell: visitor.shell().as_of(console, position).cli(commands(name)),
        name: name.to_owned(),
        path: format!("/runs/{}", encoded(name)),
        job: Link::to(&StreamId::job(&run.job)),
        state: Marked::new(run.state.word()),
        facts: facts(run),
        links: links(run).into_iter().chain(incident).collect(),
        why: why(console, Question::Run(id.clone())).await,
        tries: run.attempts.iter().rev().map(|one| tried(name, run, one)).collect(),
        output: output(console, visitor, &id, chosen(run, number)).await,
        events: events.iter().map(event_line).collect(),
        all_events: events_of(&id),
        redacts: redacts(console, run, visitor).await,
        acts: acts(run, visitor),
        resolves: matches!(run.state, Stands::Unknown { .. }) && visitor.could(Action::ResolveRuns),
        word: visitor.word(),
        problem: None,
    })
}

fn commands(name: &str) -> String {
    format!(
        "decklog run-show {name}\ndecklog why {name}\ndecklog logs {name}\ndecklog cancel {name} --reason …\n\
         decklog rerun {name} --reason …"
    )
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let definition = format!("{} {}", run.definition.number, run.definition.digest.short());
    let mut found = vec![("definition", definition)];
    if let Some(nominal) = &run.nominal {
        found.push(("due", format!("{} ({})", nominal.local, nominal.reason)));
    }
    found.extend(run.request.iter().map(|why| ("asked for because", why.clone())));
    found.push(("began", run.began().map(when).unwrap_or_default()));
    found.push(("business day", run.business_day().map(|day| day.to_string()).unwrap_or_default()));
    found.push(("host", run.host.clone().unwrap_or_default()));
    found.push(("pool", run.pool.clone()));
    // Before a scheduler has decided, only what was given is known.
    let known = if run.terms.parameters.is_empty() { &run.given } else { &run.terms.parameters };
    let parameters = known.iter();
    found.extend(parameters.map(|(name, value)| ("given", format!("{name}={value}"))));
    let cancel = run.cancel.as_ref().map(|cancel| cancel.reason.clone());
    found.push(("asked to stop because", cancel.unwrap_or_default()));
    found.retain(|(_, says)| !says.is_empty());
    found
}

/// The incident of its job in which this run is, of the newest five.
async fn incident_of(
    console: &Console,
    run: &Run,
) -> Result<Option<(&'static str, Link)>, CommandError> {
    let of = Some(StreamId::job(&run.job));
    let filter = IncidentFilter { of, limit: 5, ..IncidentFilter::default() };
    let (_, newest) = console.incidents(filter).await?;
    let names = |incident: &Incident| {
        incident.troubles.iter().any(|seen| seen.trouble.run() == Some(&run.id))
    };
    let found = newest.into_iter().find(names);
    Ok(found.map(|incident| ("incident", Link::to(&incident.id()))))
}

fn links(run: &Run) -> Vec<(&'static str, Link)> {
    let mut found = Vec::new();
    found.extend(run.asked_by.iter().map(|who| ("asked by", Link::who(who))));
    found.extend(run.again.iter().map(|again| ("repeats", Link::to(&again.run))));
    found.extend(run.part_of.iter().map(|whole| ("part of", Link::to(whole))));
    found.extend(run.parts.iter().map(|host| ("part", Link::to(&run.id.part_on(host)))));
    found.extend(run.behind.iter().map(|other| ("behind", Link::to(other))));
    found.retain(|(_, link)| !link.href.is_empty());
    found
}

fn tried(name: &str, run: &Run, attempt: &Attempt) -> Try {
    let number = attempt.number;
    let took = attempt.report.as_ref().map(|report| between(report.began, report.ended));
    let path = format!("/runs/{}", encoded(name));
    Try {
        number,
        host: Link::to(&StreamId::host(&attempt.host)),
        started: when(run.began_of(attempt)),
        took: took.unwrap_or_default(),
        end: ended(attempt),
        output: (!attempt.is_silent()).then(|| {
            Link::new(asking(&path, &[("attempt", &number.to_string())]) + "#output", "output")
        }),
    }
}

fn ended(attempt: &Attempt) -> Marked {
    match (attempt.report.as_ref().map(|report| &report.end), &attempt.lost) {
        (Some(CommandEnd::Exited { code: 0 }), _) => Marked::tuned("exit 0", "good"),
        (Some(CommandEnd::Exited { code }), _) => Marked::tuned(format!("exit {code}"), "bad"),
        (Some(CommandEnd::Signaled { signal }), _) => {
            Marked::tuned(format!("signal {signal}"), "bad")
        }
        (Some(CommandEnd::NotStarted { message }), _) => {
            Marked::tuned(format!("not started: {message}"), "bad")
        }
        (None, Some(lost)) => Marked::tuned(format!("unknown: {lost}"), "bad"),
        (None, None) => Marked::new("running"),
    }
}

fn chosen(run: &Run, number: Option<u32>) -> Option<&Attempt> {
    match number {
        None => run.attempt(),
        Some(number) => run.attempts.iter().find(|attempt| attempt.number == number),
    }
}

/// The end of what an attempt wrote.
async fn output(
    console: &Console,
    visitor: &Visitor,
    id: &StreamId,
    attempt: Option<&Attempt>,
) -> Output {
    let says = |text: &str| Output { says: text.to_owned(), ..Output::default() };
    if !visitor.could(Action::ReadOutput) {
        return says("Your roles do not let you read the output of runs.");
    }
    let Some(attempt) = attempt else { return says("Nothing was started yet.") };
    if attempt.is_silent() {
        return says("It wrote nothing.");
    }
    if let Err(denied) = visitor.caller.may(console, Action::ReadOutput, Some(id)).await {
        return says(&denied.to_string());
    }
    match end_of(console, id, attempt).await {
        Ok(read) => shown(id, attempt, &read),
        Err(problem) => says(&erased(console, id).await.unwrap_or(problem)),
    }
}

/// What is said of an output that two people had erased.
async fn erased(console: &Console, id: &StreamId) -> Option<String> {
    let records = console.records().await.ok()?;
    let one = records.redactions.get(id)?;
    let agreed = one.agreed.as_ref()?;
    let [asked, agreed] = [&one.asked, agreed].map(|one| {
        one.by.as_deref().map_or("nobody who is named".to_owned(), |by| Link::who(by).text)
    });
    Some(format!("It was erased before its time: {asked} asked for that, and {agreed} agreed."))
}

/// Where somebody asks for its output to be erased before its time, where nobody has.
async fn redacts(console: &Console, run: &Run, visitor: &Visitor) -> Option<String> {
    let wrote = run.attempts.iter().any(|attempt| !attempt.is_silent());
    if !(run.state.is_ended() && wrote && visitor.could(Action::KeepRecords)) {
        return None;
    }
    let known = console.records().await.ok()?.redactions.contains_key(&run.id);
    (!known).then(|| records::asks_for(&run.id))
}

/// The end of an output, from which byte on it is, and whether more may follow what was read.
struct Read {
    bytes: Vec<u8>,
    from: u64,
    cut: bool,
}

async fn end_of(console: &Console, id: &StreamId, attempt: &Attempt) -> Result<Read, String> {
    let kept = attempt.report.as_ref().and_then(|report| report.output.as_ref());
    let from = kept.map_or(0, |output| output.kept.saturating_sub(TAIL_BYTES as u64));
    let mut read = Read { bytes: Vec::new(), from, cut: false };
    loop {
        let offset = read.from + read.bytes.len() as u64;
        let (run, number) = (id.clone(), attempt.number);
        let query = HostQuery::Output { run, attempt: number, offset, limit: PIECE };
        let found = console.ask_host(&attempt.host, &query).await.map_err(|e| e.to_string())?;
        let gone = || format!("host {} does not have the output (any more)", attempt.host);
        let piece = found.ok_or_else(gone)?;
        read.bytes.extend_from_slice(&piece);
        let over = read.bytes.len().saturating_sub(TAIL_BYTES);
        read.bytes.drain(..over);
        read.from += over as u64;
        read.cut = read.from > from + READ_BYTES;
        if piece.len() < PIECE as usize || read.cut {
            return Ok(read);
        }
    }
}

fn shown(id: &StreamId, attempt: &Attempt, read: &Read) -> Output {
    let text = printable(&read.bytes);
    let end = tail(&text, TAIL_BYTES);
    let says = match (read.from > 0 || end.len() < text.len(), read.cut) {
        (_, true) => "It is longer than what is read for this page; this is not its end.",
        (true, false) => "This is its end; what stands before is left out.",
        (false, false) if text.is_empty() => "It has written nothing yet.",
        (false, false) => "",
    };
    let size = attempt.report.as_ref().and_then(|report| report.output.as_ref());
    let size = size.map_or(read.from + read.bytes.len() as u64, |output| output.kept);
    Output {
        attempt: attempt.number,
        text: end.to_owned(),
        says: says.to_owned(),
        whole: pieces(id, attempt.number, size),
    }
}

/// Addresses from which an output is fetched whole, piece by piece.
fn pieces(id: &StreamId, attempt: u32, bytes: u64) -> Vec<Link> {
    const PIECES_MAX: usize = 8;
    let path = format!("/api/v1/runs/{}/output?attempt={attempt}", encoded(id.rest()));
    let offsets = (0..bytes.max(1)).step_by(PIECE as usize).take(PIECES_MAX);
    let piece =
        |(number, offset)| Link::new(format!("{path}&offset={offset}"), format!("{number}"));
    (1_u32..).zip(offsets).map(piece).collect()
}

/// What they may do with the run as it stands; what does least harm first.
fn acts(run: &Run, visitor: &Visitor) -> Vec<Act> {
    let steers = visitor.could(Action::SteerRuns);
    let held = matches!(run.state, Stands::Held { .. });
    let waits = matches!(run.state, Stands::Waiting | Stands::Blocked);
    let ended = run.state.is_ended();
    let confirms = run.is_unconfirmed() && visitor.could(Action::ConfirmRuns);
    let reruns = ended && run.part_of.is_none() && visitor.could(Action::RequestRuns);
    let all = [
        (confirms, "confirm", "Say go", false),
        (steers && held, "release", "Release", false),
        (steers && run.is_pending() && !held, "hold", "Hold", false),
        (steers && waits, "override", "Let it go on all the same", false),
        (reruns, "rerun", "Run once more", false),
        (steers && run.is_pending(), "skip", "Skip", true),
        (steers && !ended && run.cancel.is_none(), "cancel", "Cancel", true),
    ];
    let offered = all.into_iter().filter(|(may, ..)| *may);
    offered.map(|(_, act, words, danger)| Act { act, words, danger }).collect()
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name, asked.attempt).await?))
}

/// Does something with the run.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &name, &sent).await;
    let page = one(&console, visitor, &name, None);
    visitor
        .became(
            done,
            |applied| Link::to(&applied.stream).href,
            page,
            |page, problem| RunPage { problem, ..page },
        )
        .await
}

async fn done(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    let (id, caller, reason) = (id_of(name)?, &sent.visitor.caller, sent.fields.text("reason"));
    let act = match sent.fields.must("act").map_err(CommandError::Invalid)? {
        "rerun" => {
            let wish = Wish { request: drawn()?, reason, parameters: sent.fields.behind("given.") };
            return console.rerun(&id, &wish, caller).await;
        }
        "cancel" => RunAct::Cancel,
        "hold" => RunAct::Hold,
        "release" => RunAct::Release,
        "skip" => RunAct::Skip,
        "confirm" => RunAct::Confirm,
        "override" => RunAct::Override,
        "resolve" => RunAct::Resolve(resolution(sent)?),
        other => return Err(super::no_such(other, "run")),
    };
    console.set_run(&id, act, caller, &reason).await
}

fn resolution(sent: &Sent) -> Result<Resolution, CommandError> {
    let word = sent.fields.text("outcome");
    let unread = |_| CommandError::Invalid(format!("{word:?} is no outcome: succeeded or failed"));
    serde_json::from_value(serde_json::Value::String(word.clone())).map_err(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_is_fetched_in_pieces() {
        let id: StreamId = "run/a@2026-11-30T02:00:00Z".parse().unwrap();
        let hrefs =
            |bytes| pieces(&id, 2, bytes).into_iter().map(|one| one.href).collect::<Vec<_>>();
        let path = "/api/v1/runs/a%402026-11-30T02%3A00%3A00Z/output?attempt=2&offset=";
        assert_eq!(hrefs(0), [format!("{path}0")]);
        assert_eq!(hrefs(524_289), [format!("{path}0"), format!("{path}524288")]);
        assert_eq!(hrefs(u64::MAX).len(), 8);
    }
}
