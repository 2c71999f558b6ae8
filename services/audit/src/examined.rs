//! Whether the guards of the database stand: looked at once an hour, said once a day, and at once where one does not.

use std::path::{Path, PathBuf};

use domain::event::{Event, LogEvent, LogExamined, WEAKNESSES_MAX};
use domain::wire::{Content, EventFilter, Query};
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

/// Where this recorder keeps its keys, and where the log stands, as far as that is here.
#[derive(Debug)]
pub(crate) struct Places {
    data: PathBuf,
    /// Beside it: the file of the log and its directory, and the archive.
    beside: Vec<PathBuf>,
}

impl Places {
    pub(crate) fn of(config: &AuditConfig) -> Self {
        let file = (!config.database.contains("://")).then(|| PathBuf::from(&config.database));
        let dir = file.as_ref().and_then(|file| file.parent()).map(Path::to_owned);
        let beside = dir.into_iter().chain(file).chain(config.archive.clone());
        Self { data: config.data.clone(), beside: beside.collect() }
    }

    /// What of them is open to others, what lacks room, and whether the database has another time.
    pub(crate) async fn weaknesses(
        &self,
        log: &EventLog,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> anyhow::Result<Vec<Weakness>> {
        let mut found = place::secrets(&self.data)?;
        found.extend(place::writable(&self.beside, Others::Everybody));
        let all = std::iter::once(&self.data).chain(&self.beside);
        for dir in all.filter(|path| path.is_dir()) {
            // One disk is told of once.
            let full = place::room(dir)?
                .filter(|_| !found.iter().any(|one| one.says.contains("MiB are free")));
            found.extend(full);
        }
        found.extend(place::clocks(log, clock).await?);
        Ok(found)
    }
}

/// What is to be said of what was found, if anything.
pub(crate) async fn judge(
    log: &EventLog,
    found: &[Weakness],
    now: Timestamp,
) -> anyhow::Result<Option<LogExamined>> {
    for weak in found {
        error!(todo = %weak.todo, "THE LOG CAN BE CHANGED WHERE IT STANDS: {}", weak.says);
    }
    let told = told(found);
    let due = is_due(said(log).await?, &told, now);
    Ok(due.then_some(told))
}

/// What a recorder said last, and when. Where none has, the guards are as old as the log.
async fn said(log: &EventLog) -> anyhow::Result<Option<(LogExamined, Timestamp)>> {
    for kind in ["log.examined", "log.created"] {
        let kind = Some(kind.to_owned());
        let newest = Query::Search(EventFilter { kind, limit: 50, ..EventFilter::default() });
        let Content::Events(found) = log.answer(&newest).await?.content else { continue };
        let Some(entry) = found.iter().find(|entry| entry.void.is_none()) else { continue };
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
