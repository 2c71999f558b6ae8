//! Whether the guards of the database stand: looked at once an hour, said once a day, and at once where one does not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::event::{Event, LogEvent, LogExamined, WEAKNESSES_MAX};
use domain::ids::ProducerId;
use domain::wire::{Content, EventFilter, LogEntry, Query};
use eventlog::{EventLog, Weakness};
use jiff::{SignedDuration, Timestamp};
use tracing::error;

use crate::config::AuditConfig;
use crate::place::{self, Others};

/// How often they are looked at.
const LOOK: SignedDuration = SignedDuration::from_hours(1);
/// How often it is said that they stand, or still do not.
const SAY: SignedDuration = SignedDuration::from_hours(24);

/// When the guards were looked at.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    looked: Option<Timestamp>,
}

impl Examined {
    /// Whether it is time to look; then that is noted, also where the database does not answer.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.looked.is_none_or(|at| now.duration_since(at).abs() >= LOOK);
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// What was to be said is not in the log: it is looked again soon.
    pub(crate) fn again(&mut self) {
        self.looked = None;
    }
}

/// How long the disks may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where this recorder keeps its keys, and where the log stands, as far as that is here.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    data: PathBuf,
    /// Keys that are kept elsewhere.
    keys: Vec<PathBuf>,
    /// Beside it: the file of the log and its directory, and the archive.
    beside: Vec<PathBuf>,
}

impl Places {
    pub(crate) fn of(config: &AuditConfig) -> Self {
        let file = (!config.database.contains("://")).then(|| PathBuf::from(&config.database));
        let dir = file.as_ref().and_then(|file| file.parent()).map(Path::to_owned);
        let beside = dir.into_iter().chain(file).chain(config.archive.clone());
        let keys = config.head_key.iter().chain(&config.join_secret).cloned().collect();
        Self { data: config.data.clone(), keys, beside: beside.collect() }
    }

    /// What of them is open to others, what lacks room, and whether the database has another time. What cannot be looked at is
    /// a weakness too: nobody knows how it stands.
    pub(crate) async fn weaknesses(
        &self,
        log: &EventLog,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Vec<Weakness> {
        let own = self.clone();
        let looked = tokio::task::spawn_blocking(move || own.on_disk());
        let mut found = match tokio::time::timeout(PATIENCE, looked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => vec![place::unseen("where the log stands", &error)],
            Err(_) => vec![place::unseen("where the log stands", &"a disk does not answer")],
        };
        match place::clocks(log, clock).await {
            Ok(apart) => found.extend(apart),
            Err(error) => found.push(place::unseen("the clock of the database", &error)),
        }
        found
    }

    fn on_disk(&self) -> Vec<Weakness> {
        let mut found = place::secrets(&self.data)
            .unwrap_or_else(|error| vec![place::unseen(&self.data.display().to_string(), &error)]);
        found.extend(self.keys.iter().filter_map(|key| place::open_to_others(key)));
        let own = [self.data.clone()];
        let open = |paths: &[PathBuf]| place::writable(paths, Others::Everybody);
        found.extend(open(&own).or_else(|| open(&self.beside)));
        let dirs = own.iter().chain(&self.beside).filter(|path| path.is_dir());
        // One disk is told of once.
        found.extend(
            dirs.filter_map(|dir| {
                place::room(dir)
                    .unwrap_or_else(|error| Some(place::unseen(&dir.display().to_string(), &error)))
            })
            .next(),
        );
        found
    }
}

/// What is to be said of what was found, if anything.
pub(crate) async fn judge(
    log: &EventLog,
    own: &ProducerId,
    found: &[Weakness],
    now: Timestamp,
) -> anyhow::Result<Option<LogExamined>> {
    for weak in found {
        error!(todo = %weak.todo, "THE LOG CAN BE CHANGED WHERE IT STANDS: {}", weak.says);
    }
    let told = told(found);
    let due = is_due(said(log, own).await?, &told, now);
    Ok(due.then_some(told))
}

/// What this recorder said last, and when: others have keys and disks of their own. Where it has said nothing lately, the guards
/// are as old as the log.
async fn said(
    log: &EventLog,
    own: &ProducerId,
) -> anyhow::Result<Option<(LogExamined, Timestamp)>> {
    for kind in ["log.examined", "log.created"] {
        let of = Some(kind.to_owned());
        let newest = Query::Search(EventFilter { kind: of, limit: 50, ..EventFilter::default() });
        let Content::Events(found) = log.answer(&newest).await?.content else { continue };
        let by_us = |entry: &&LogEntry| {
            let source = entry.envelope().map(|envelope| envelope.source);
            entry.void.is_none() && (kind == "log.created" || source.is_ok_and(|by| by == *own))
        };
        let Some(entry) = found.iter().find(by_us) else { continue };
        let event = entry.envelope()?.event()?;
        let said =
            if let Event::LogEvent(LogEvent::LogExamined(said)) = event { said } else { told(&[]) };
        return Ok(Some((said, entry.received)));
    }
    Ok(None)
}

/// Something else than was said last is told at once, and the same once a day.
fn is_due(said: Option<(LogExamined, Timestamp)>, told: &LogExamined, now: Timestamp) -> bool {
    said.is_none_or(|(said, at)| said != *told || now.duration_since(at).abs() >= SAY)
}

fn told(found: &[Weakness]) -> LogExamined {
    let says = |weak: &Weakness| weak.says.chars().take(200).collect();
    let others = found.len().saturating_sub(WEAKNESSES_MAX) as u64;
    LogExamined { weaknesses: found.iter().take(WEAKNESSES_MAX).map(says).collect(), others }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        "2026-11-20T07:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    #[test]
    fn the_guards_are_looked_at_at_once_and_then_once_an_hour() {
        let mut examined = Examined::default();
        let looks: Vec<bool> = [0, 0, 1, 1, 3].map(|hour| examined.is_due(at(hour))).into();
        assert_eq!(looks, [true, false, true, false, true]);
    }

    fn weak(says: &str) -> Weakness {
        Weakness { says: says.to_owned(), todo: "put it back".into() }
    }

    #[test]
    fn what_is_another_is_said_at_once_and_the_same_once_a_day() {
        let (none, one) = (told(&[]), told(&[weak("a trigger is gone")]));
        let other = told(&[weak("an owner is another")]);
        let table = [
            (None, &none, 0, true),
            (Some(&none), &none, 23, false),
            (Some(&none), &none, 24, true),
            (Some(&none), &one, 1, true),
            (Some(&one), &one, 23, false),
            (Some(&one), &one, 24, true),
            (Some(&one), &other, 1, true),
            (Some(&one), &none, 1, true),
            (Some(&none), &none, -25, true),
        ];
        for (said, found, now, due) in table {
            let said = said.map(|said| (said.clone(), at(0)));
            let text = format!("{said:?}, {found:?} after {now} h");
            assert_eq!(is_due(said, found, at(now)), due, "{text}");
        }
    }

    #[test]
    fn as_many_weaknesses_are_told_as_one_can_read_and_the_others_are_counted() {
        let many: Vec<Weakness> =
            (0..13).map(|n| weak(&format!("{n} {}", "ü".repeat(900)))).collect();
        let told = told(&many);
        assert_eq!((told.weaknesses.len(), told.others), (WEAKNESSES_MAX, 3));
        assert!(told.weaknesses.iter().all(|says| says.chars().count() == 200));
    }
}
