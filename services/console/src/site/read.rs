//! What the log says of itself and of the site.

use std::collections::BTreeMap;

use bus::recorder::{AskError, ask, each_event, each_stream};
use domain::backup::{Dataset, Protection};
use domain::event::{Event, LogEvent, Sent, Severity};
use domain::ids::{Class, ProducerId};
use domain::incident::{CallTreeDefinition, Incident};
use domain::ledger::{Body, Host, Policy};
use domain::wire::{Content, EventFilter, IncidentFilter, LogEntry, Query, Selection, StreamView};
use jiff::Timestamp;

use super::{Calls, Count, Log, Program, Said, Setting};
use crate::commands::active_tree;
use crate::pages::hosts::state_of;
use crate::pages::when;
use crate::pages::words::at_risk;
use crate::state::Console;

/// Most incidents that are looked through.
const INCIDENTS: u32 = 500;
/// Most hosts, and most datasets, that are named.
const NAMED: usize = 20;
/// Most recorders, schedulers and consoles that are named.
const PROGRAMS: usize = 100;
/// Events asked for at once.
const PAGE: u32 = 500;

/// All that it says.
pub(super) async fn read(console: &Console) -> Result<Log, AskError> {
    let now = (console.clock)();
    let Content::Head(head) = ask(&console.bus, &Query::Head).await?.content else {
        return Err(AskError::other());
    };
    let signed = head.signed.as_deref().and_then(size_of).unwrap_or(0);
    let producers = producers(console, None).await?;
    let (hosts, odd_hosts) = hosts(console, now).await?;
    let open = incidents(console, true).await?;
    Ok(Log {
        signed_until: received(console, signed).await?,
        unsigned_since: received(console, signed + 1).await?,
        signed,
        size: head.size,
        archived: archived(console).await?,
        origin: head.origin,
        producers: counted(producers.keys().map(|id| id.class().word())),
        programs: programs(console, &producers, &revoked(console).await?),
        hosts,
        odd_hosts,
        incidents: by_severity(&open),
        at_risk: datasets(console, now).await?,
        calls: calls(console).await?,
        rules: rules(console, head.policy).await?,
        tzdb: tzdb(console).await?,
        access_overdue: console
            .is_access_overdue(now)
            .await
            .map_err(|error| AskError::Failed(error.to_string()))?,
    })
}

/// How many events a signed head covers: the second line of a checkpoint (C2SP tlog-checkpoint).
fn size_of(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Count> {
    let mut counts = BTreeMap::<&str, u64>::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let count = |(what, count): (&str, u64)| Count { what: what.to_owned(), count };
    counts.into_iter().map(count).collect()
}

async fn search(console: &Console, filter: EventFilter) -> Result<Vec<LogEntry>, AskError> {
    let Content::Events(events) = ask(&console.bus, &Query::Search(filter)).await?.content else {
        return Err(AskError::other());
    };
    Ok(events)
}

/// When the event at a position was received, where there is one.
async fn received(console: &Console, position: u64) -> Result<Option<Timestamp>, AskError> {
    let Some(after) = position.checked_sub(1) else { return Ok(None) };
    let before = Some(position + 1);
    let filter = EventFilter { after, before, limit: 1, ..EventFilter::default() };
    Ok(search(console, filter).await?.first().map(|entry| entry.received))
}

/// The newest valid event of a type.
async fn newest(console: &Console, kind: &str) -> Result<Option<LogEntry>, AskError> {
    let kind = Some(kind.to_owned());
    let filter = EventFilter { kind, limit: PAGE, ..EventFilter::default() };
    Ok(search(console, filter).await?.into_iter().find(|entry| entry.void.is_none()))
}

/// How many events are in files of the archive.
async fn archived(console: &Console) -> Result<u64, AskError> {
    let event = newest(console, "log.archived").await?.as_ref().and_then(log_event);
    Ok(if let Some(LogEvent::LogArchived(event)) = event { event.last } else { 0 })
}

fn log_event(entry: &LogEntry) -> Option<LogEvent> {
    let event = entry.envelope().ok()?.event().ok()?;
    if let Event::LogEvent(event) = event { Some(event) } else { None }
}

/// Everybody who was let in, from this instant on where one is given, and when.
pub(crate) async fn producers(
    console: &Console,
    since: Option<Timestamp>,
) -> Result<BTreeMap<ProducerId, Timestamp>, AskError> {
    let mut found = BTreeMap::new();
    for kind in ["log.created", "log.producer-enrolled"] {
        let kind = Some(kind.to_owned());
        let filter = EventFilter { kind, since, limit: PAGE, ..EventFilter::default() };
        let take = |entry: LogEntry| {
            let id = match log_event(&entry) {
                Some(LogEvent::LogCreated(e)) => Some(e.producer),
                Some(LogEvent::LogProducerEnrolled(e)) => Some(e.producer),
                Some(_) | None => None,
            };
            found.extend(id.map(|id| (id, entry.received)));
            Ok(())
        };
        each_event(&console.bus, filter, take).await?;
    }
    Ok(found)
}

/// The services whose keys were taken back, and why.
async fn revoked(console: &Console) -> Result<BTreeMap<ProducerId, String>, AskError> {
    let mut found = BTreeMap::new();
    let kind = Some("log.producer-revoked".to_owned());
    let filter = EventFilter { kind, limit: PAGE, ..EventFilter::default() };
    let take = |entry: LogEntry| {
        let said = log_event(&entry).filter(|_| entry.void.is_none());
        if let Some(LogEvent::LogProducerRevoked(event)) = said {
            found.insert(event.producer, event.reason);
        }
        Ok(())
    };
    each_event(&console.bus, filter, take).await?;
    Ok(found)
}

/// Recorders, schedulers and consoles: hosts have a page of their own.
fn programs(
    console: &Console,
    all: &BTreeMap<ProducerId, Timestamp>,
    revoked: &BTreeMap<ProducerId, String>,
) -> Vec<Program> {
    let heard = console.heard.schedulers();
    let program = |(id, since): (&ProducerId, &Timestamp)| {
        let spoken = heard.get(id.name()).filter(|_| id.class() == Class::Scheduler).cloned();
        let (heard, hindered) = spoken.map_or((None, None), |(at, hindered)| (Some(at), hindered));
        Program {
            class: id.class().word().to_owned(),
            name: id.name().to_owned(),
            heard,
            hindered,
            since: *since,
            revoked: revoked.get(id).cloned(),
        }
    };
    let others = all.iter().filter(|(id, _)| id.class() != Class::Executor);
    others.take(PROGRAMS).map(program).collect()
}

/// How many hosts stand how, and those that are odd.
async fn hosts(console: &Console, now: Timestamp) -> Result<(Vec<Count>, Vec<Said>), AskError> {
    let (mut words, mut odd) = (Vec::new(), Vec::new());
    let take = |view: StreamView| {
        let Some(host) = view.state.body.host() else { return };
        let last = console.heard.of(&host.name);
        let heard = last.as_ref().map(|heard| heard.at);
        let word = state_of(host, heard, now);
        words.push(word);
        let hindered = last.and_then(|heard| heard.hindered);
        odd.extend(oddity(host, word, heard, hindered).filter(|_| odd.len() < NAMED));
    };
    each_stream(&console.bus, Selection::Hosts, take).await?;
    Ok((counted(words.into_iter()), odd))
}

fn oddity(
    host: &Host,
    word: &str,
    heard: Option<Timestamp>,
    hindered: Option<String>,
) -> Option<Said> {
    let version = host.started.as_ref().map(|started| started.version.as_str());
    let says = match (word, heard, version) {
        ("silent", Some(at), _) => format!("silent: it was heard last {}", when(at)),
        ("up" | "drained", _, _) if hindered.is_some() => {
            format!("hindered: {}", hindered.unwrap_or_default())
        }
        ("up" | "drained", _, Some(version)) if version != env!("CARGO_PKG_VERSION") => {
            format!("of version {version}")
        }
        _ => return None,
    };
    Some(Said { name: host.name.clone(), says })
}

async fn incidents(console: &Console, open: bool) -> Result<Vec<Incident>, AskError> {
    let filter = IncidentFilter { open, limit: INCIDENTS, ..IncidentFilter::default() };
    let answer = ask(&console.bus, &Query::Incidents(filter)).await?;
    let Content::Streams(views) = answer.content else { return Err(AskError::other()) };
    let incident = |view: StreamView| view.state.body.incident().cloned();
    Ok(views.into_iter().filter_map(incident).collect())
}

fn by_severity(open: &[Incident]) -> Vec<Count> {
    let of = |severity: &Severity| {
        let count = open.iter().filter(|one| one.severity == *severity).count() as u64;
        Count { what: severity.word().to_owned(), count }
    };
    Severity::ALL.iter().rev().map(of).filter(|one| one.count > 0).collect()
}

async fn datasets(console: &Console, now: Timestamp) -> Result<Vec<Said>, AskError> {
    let mut found = Vec::new();
    let take = |view: StreamView| {
        let Body::Dataset(dataset) = view.state.body else { return };
        found.extend(risk(&dataset, now));
    };
    each_stream(&console.bus, Selection::Things, take).await?;
    Ok(found)
}

fn risk(dataset: &Dataset, now: Timestamp) -> Option<Said> {
    match Protection::of(dataset, now) {
        Protection::AtRisk { reason } => {
            Some(Said { name: dataset.defined.name.clone(), says: at_risk(&reason) })
        }
        Protection::Protected { .. } | Protection::Awaited { .. } | Protection::Retired => None,
    }
}

/// Call trees, and what became of the last message of each.
async fn calls(console: &Console) -> Result<Vec<Calls>, AskError> {
    let mut trees = Vec::new();
    let take = |view: StreamView| trees.extend(active_tree(&view.state.body));
    each_stream(&console.bus, Selection::CallTrees, take).await?;
    let newest = if trees.is_empty() { Vec::new() } else { incidents(console, false).await? };
    Ok(trees.iter().map(|tree| called(tree, &newest)).collect())
}

fn called(tree: &CallTreeDefinition, newest: &[Incident]) -> Calls {
    let told = tree.levels.iter().flat_map(|level| &level.tell).chain(&tree.broadcast);
    let mut ways: Vec<String> =
        told.flat_map(|tell| tell.by.iter().map(|way| way.word().to_owned())).collect();
    ways.sort_unstable();
    ways.dedup();
    let of_tree = newest.iter().filter(|one| one.tree.as_deref() == Some(&tree.name));
    let ended = of_tree.flat_map(|one| {
        let calls = one.steps.iter().flat_map(|step| &step.calls);
        calls.filter_map(move |call| {
            let (at, sent) = call.ended.as_ref()?;
            Some((*at, one, &call.call, sent))
        })
    });
    let last = ended.max_by_key(|(at, ..)| *at);
    let words = last.as_ref().map(|(at, _, call, sent)| {
        let (to, by) = (&call.contact, call.by.word());
        match sent {
            Sent::Taken {} => format!("to {to} by {by}, taken {}", when(at)),
            Sent::Failed { message } => {
                format!("to {to} by {by}, failed {}: {message}", when(at))
            }
            Sent::Unknown { message } => {
                format!("to {to} by {by}, nobody knows whether it was taken: {message}")
            }
        }
    });
    Calls {
        tree: tree.name.clone(),
        ways,
        failed: last.as_ref().is_some_and(|(.., sent)| !matches!(sent, Sent::Taken {})),
        incident: last.map(|(_, one, ..)| one.id().rest().to_owned()).unwrap_or_default(),
        last: words.unwrap_or_default(),
    }
}

/// The rules of the site, in words, each with the event that set it.
async fn rules(console: &Console, policy: Policy) -> Result<Vec<Setting>, AskError> {
    let alone = if policy.self_approval {
        "one person may approve their own change"
    } else {
        "nobody approves their own change"
    };
    let accounts = if policy.accounts {
        "whoever acts at a console has an account that may"
    } else {
        "a console may act for whomever it names"
    };
    let mut found = Vec::new();
    for (name, says, kind) in
        [("approval", alone, "log.policy-set"), ("accounts", accounts, "log.accounts-required")]
    {
        let event = newest(console, kind).await?.map(|entry| entry.position);
        found.push(Setting { name: name.to_owned(), says: says.to_owned(), event });
    }
    let entry = newest(console, "log.confirmations-required").await?;
    let says = match &entry {
        Some(_) => "a person confirms each key before it is let in",
        None => "a code or a join token lets a key in",
    };
    let event = entry.map(|entry| entry.position);
    found.push(Setting { name: "keys".to_owned(), says: says.to_owned(), event });
    let entry = newest(console, "log.directory-set").await?;
    let said = entry.as_ref().and_then(log_event);
    let says = match said {
        Some(LogEvent::LogDirectorySet(said)) => format!(
            "people of {} may come in; {} of its groups may do something here",
            said.directory.issuer,
            said.directory.groups.len()
        ),
        _ => "none: people come in by a password or a code".to_owned(),
    };
    let event = entry.map(|entry| entry.position);
    found.push(Setting { name: "directory".to_owned(), says, event });
    Ok(found)
}

/// By which version of the time zone database occurrences are decided.
async fn tzdb(console: &Console) -> Result<String, AskError> {
    let entry = newest(console, "log.tzdb-changed").await?;
    Ok(match entry.as_ref().and_then(log_event) {
        Some(LogEvent::LogTzdbChanged(changed)) => changed.to,
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_signed_head_says_how_far_it_reaches() {
        assert_eq!(size_of("log.example/one\n1234\nroot=\n\n— sig"), Some(1_234));
        assert_eq!(size_of("x"), None);
    }

    #[test]
    fn a_host_is_silent_where_it_was_heard_and_is_not_any_more() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let before = |seconds| Some(now - SignedDuration::from_secs(seconds));
        let host = Host { up: true, ..started("0.0.0") };
        for (heard, wanted) in [(None, "up"), (before(10), "up"), (before(40), "silent")] {
            assert_eq!(state_of(&host, heard, now), wanted);
        }
        assert_eq!(state_of(&Host { up: false, ..host.clone() }, before(40), now), "down");
        assert_eq!(oddity(&host, "up", None, None).unwrap().says, "of version 0.0.0");
        let full = Some("no room".to_owned());
        assert_eq!(oddity(&host, "up", None, full).unwrap().says, "hindered: no room");
        assert_eq!(oddity(&started(env!("CARGO_PKG_VERSION")), "up", None, None), None);
    }

    fn started(version: &str) -> Host {
        let started = serde_json::json!({
            "version": version, "boot": "b", "slots": 1, "pools": [], "found": 0
        });
        let text = serde_json::json!({"name": "h", "started": started, "since": null, "up": false});
        serde_json::from_value(text).unwrap()
    }
}
