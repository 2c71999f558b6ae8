//! The times in which a job's schedule is one and the same: a definition's, cut where a calendar it names gets a
//! new version.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::definition::JobDefinition;
use crate::calendar::{Almanac, CalendarRef, Calendars};
use crate::time::{CalendarRule, DayPlan, DstPolicy, Schedule, ScheduleError, ScheduleSpec};

/// A time in which a schedule is one and the same.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive; `None` where it lasts.
    pub until: Option<Timestamp>,
    /// The schedule, or why it cannot be read.
    pub schedule: Result<Schedule, ScheduleError>,
    /// The calendars it depends on, as they stand then.
    pub calendars: Arc<[CalendarRef]>,
}

/// What of a definition says when: all that a schedule depends on beside calendars.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SchedulePart {
    /// The schedule.
    pub spec: ScheduleSpec,
    /// Its zone.
    pub zone: String,
    /// What it does when the clock jumps.
    pub dst: DstPolicy,
    /// On which days.
    pub calendar: CalendarRule,
}

/// Almanacs that were gathered before, by the versions in them.
#[derive(Debug, Default)]
pub struct Almanacs(Mutex<BTreeMap<Vec<CalendarRef>, Arc<Almanac>>>);

/// Most almanacs kept; more are made again.
const KEPT: usize = 1_000;

impl Almanacs {
    /// The one with these versions: `fresh`, or an equal one whose years are known already.
    fn known(&self, references: &[CalendarRef], fresh: Almanac) -> Arc<Almanac> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        Arc::clone(known.entry(references.to_vec()).or_insert_with(|| Arc::new(fresh)))
    }
}

impl SchedulePart {
    /// The schedule as calendars stand at `at`, and which versions these are.
    pub fn at(
        &self,
        at: Timestamp,
        calendars: &Calendars,
        almanacs: &Almanacs,
    ) -> (Result<Schedule, ScheduleError>, Vec<CalendarRef>) {
        if self.calendar.is_empty() {
            return (Schedule::parse(&self.spec, &self.zone, self.dst), Vec::new());
        }
        match calendars.almanac(&self.calendar.names(), at) {
            Ok((fresh, references)) => {
                let almanac = almanacs.known(&references, fresh);
                (self.with(almanac), references)
            }
            Err(error) => (Err(ScheduleError::Calendar(error.to_string())), Vec::new()),
        }
    }

    fn with(&self, almanac: Arc<Almanac>) -> Result<Schedule, ScheduleError> {
        let bad = |error: crate::calendar::AlmanacError| ScheduleError::Calendar(error.to_string());
        self.calendar.all().try_for_each(|days| almanac.check(days)).map_err(bad)?;
        let days = DayPlan::new(self.calendar.clone(), almanac);
        Schedule::with_days(&self.spec, &self.zone, self.dst, Some(days))
    }

    /// The stretches of a definition that holds in `(from, until]`.
    pub fn stretches(
        &self,
        from: Timestamp,
        until: Option<Timestamp>,
        calendars: &Calendars,
        almanacs: &Almanacs,
    ) -> Vec<Stretch> {
        let names = self.calendar.names();
        let cuts = calendars.changes(&names, from, until);
        let begins = std::iter::once(from).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().map(Some).chain([until]);
        let stretch = |(from, until)| {
            let (schedule, references) =
                self.at(crate::time::just_after(from), calendars, almanacs);
            Stretch { from, until, schedule, calendars: references.into() }
        };
        begins.zip(ends).map(stretch).collect()
    }
}

impl JobDefinition {
    /// What of it says when; `None` for a job that runs only on request.
    pub fn schedule_part(&self) -> Option<SchedulePart> {
        let spec = self.schedule.clone()?;
        let (zone, calendar) = (self.zone.clone(), self.calendar.clone());
        Some(SchedulePart { spec, zone, dst: self.dst, calendar })
    }

    /// The schedule as calendars stand at `at`; `None` for a job that runs only on request.
    pub fn schedule_at(
        &self,
        at: Timestamp,
        calendars: &Calendars,
    ) -> Option<Result<Schedule, ScheduleError>> {
        Some(self.schedule_part()?.at(at, calendars, &Almanacs::default()).0)
    }
}
