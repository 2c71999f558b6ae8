//! What a change of a job would do: occurrences that come, go and move, and what it touches.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::forecast::{SiteView, of_definition};
use crate::ids::StreamId;
use crate::job::{Job, JobDefinition};
use crate::ledger::named_by_job;

/// How far an effect is computed: 14 days.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Most occurrences of a definition that are looked at.
const OCCURRENCES_MAX: usize = 25_000;
/// Most instants of each kind that are told one by one; the numbers count them all.
pub const TOLD_MAX: usize = 50;

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Effect {
    /// Occurrences as now.
    pub same: u64,
    /// New ones, at most [`TOLD_MAX`].
    pub added: Vec<Timestamp>,
    /// How many are new.
    pub adds: u64,
    /// Those that go, at most [`TOLD_MAX`].
    pub removed: Vec<Timestamp>,
    /// How many go.
    pub removes: u64,
    /// Those that move within their day, at most [`TOLD_MAX`].
    pub moved: Vec<(Timestamp, Timestamp)>,
    /// How many move.
    pub moves: u64,
    /// Whether there are more than can be looked at: more than 25,000 of one definition.
    pub more: bool,
    /// What it names: calendars, locks, pools, datasets, queues, forms.
    pub touches: Vec<StreamId>,
}

type Days = BTreeMap<Date, (Vec<Timestamp>, Vec<Timestamp>)>;

/// What it would do within [`AHEAD`] if `new` took the place of what is active.
///
/// # Errors
/// One of the two cannot be planned, in a sentence.
pub fn effect(
    job: &Job,
    active: Option<&JobDefinition>,
    new: &JobDefinition,
    now: Timestamp,
    site: &SiteView,
) -> Result<Effect, String> {
    let until = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let runs = |definition: &JobDefinition| -> Result<Vec<(Timestamp, Date)>, String> {
        let planned = of_definition(job, definition, (now, until), OCCURRENCES_MAX, site)?;
        let runs = planned.into_iter().filter(|(_, planned)| planned.skipped.is_none());
        Ok(runs.map(|(one, planned)| (planned.at, one.local.date())).collect())
    };
    let (before, after) = (active.map(runs).transpose()?.unwrap_or_default(), runs(new)?);
    let more = before.len().max(after.len()) >= OCCURRENCES_MAX;
    let mut days = Days::new();
    for (at, day) in before {
        days.entry(day).or_default().0.push(at);
    }
    for (at, day) in after {
        days.entry(day).or_default().1.push(at);
    }
    let mut effect =
        Effect { more, touches: named_by_job(new).into_iter().collect(), ..Effect::default() };
    days.into_values().for_each(|(before, after)| effect.take_day(&before, &after));
    Ok(effect)
}

impl Effect {
    /// What is at another time of the same day has moved; what is left over has come or gone.
    fn take_day(&mut self, before: &[Timestamp], after: &[Timestamp]) {
        let gone: Vec<Timestamp> =
            before.iter().filter(|at| !after.contains(at)).copied().collect();
        let new: Vec<Timestamp> = after.iter().filter(|at| !before.contains(at)).copied().collect();
        self.same += (before.len() - gone.len()) as u64;
        let pairs = gone.len().min(new.len());
        for (from, to) in gone.iter().zip(&new) {
            self.moves += 1;
            if self.moved.len() < TOLD_MAX {
                self.moved.push((*from, *to));
            }
        }
        let tell = |all: &[Timestamp], told: &mut Vec<Timestamp>, count: &mut u64| {
            let left = all.get(pairs..).unwrap_or_default();
            *count += left.len() as u64;
            told.extend(left.iter().take(TOLD_MAX.saturating_sub(told.len())));
        };
        tell(&new, &mut self.added, &mut self.adds);
        tell(&gone, &mut self.removed, &mut self.removes);
    }
}
