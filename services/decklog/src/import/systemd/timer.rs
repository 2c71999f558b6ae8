//! When a timer elapses.

use domain::job::{CatchUp, JobDefinition, Overlap};
use domain::time::{DstPolicy, Every, HumanDuration, Schedule, ScheduleSpec};

use super::unit::{Entry, Unit};
use super::{calendar, span};
use crate::import::Imported;
use crate::import::draft::When;

/// What a timer says.
#[derive(Debug, Default)]
pub(super) struct Timer {
    /// When it elapses.
    pub(super) schedules: Vec<When>,
    /// The unit it starts, where it names one.
    pub(super) unit: Option<String>,
    persistent: bool,
}

impl Timer {
    /// What of it a job says beside its schedule.
    pub(super) fn put(&self, job: &mut JobDefinition, timer: &Unit) {
        job.catch_up = if self.persistent { CatchUp::Last } else { CatchUp::None };
        job.overlap = Overlap::Skip;
        let says = timer.last("Unit", "Description").map(|entry| entry.value.clone());
        if let (true, Some(says)) = (job.description.is_empty(), says) {
            job.description = says;
        }
        let from = format!("from {}", timer.at.file);
        job.description = match job.description.as_str() {
            "" => from,
            says => format!("{says}; {from}"),
        };
    }
}

/// Reads a timer; what it says and a job cannot is noted or left out.
pub(super) fn read(unit: &Unit, zone: &str, imported: &mut Imported) -> Timer {
    let mut timer = Timer::default();
    for entry in unit.section("Timer") {
        take(entry, zone, &mut timer, imported);
    }
    let said = ["Description", "Documentation"];
    for entry in unit.section("Unit").filter(|entry| !said.contains(&entry.key.as_str())) {
        imported.note(&entry.at, format!("{} is not carried", entry.source()));
    }
    calendar::merge(&mut timer.schedules);
    timer
}

fn take(entry: &Entry, zone: &str, timer: &mut Timer, imported: &mut Imported) {
    let value = entry.value.as_str();
    match entry.key.as_str() {
        // systemd.timer(5): an empty one takes back all, whatever their kind.
        key if key.starts_with("On") && value.is_empty() => timer.schedules.clear(),
        "OnCalendar" => match on_calendar(value, zone) {
            Ok(schedules) => timer.schedules.extend(schedules),
            Err(reason) => imported.leave_out(&entry.at, entry.source(), reason),
        },
        "OnUnitActiveSec" | "OnUnitInactiveSec" => match every(value) {
            Ok(schedule) => {
                imported.note(&entry.at, NOT_FROM_LAST);
                timer.schedules.push(schedule);
            }
            Err(reason) => imported.leave_out(&entry.at, entry.source(), reason),
        },
        "OnBootSec" | "OnStartupSec" | "OnActiveSec" | "OnClockChange" | "OnTimezoneChange" => {
            imported.leave_out(&entry.at, entry.source(), NO_CLOCK);
        }
        "Persistent" => timer.persistent = is_yes(value),
        "Unit" => timer.unit = Some(value.to_owned()).filter(|value| !value.is_empty()),
        _ => note(entry, imported),
    }
}

const NOT_FROM_LAST: &str = "the time counts from a fixed beginning here, not from when the service last started \
     or ended: every run is due at an exact time, so that it can be missed";
const NO_CLOCK: &str = "starting with the machine, or when its clock changes, is not a schedule: no clock says \
     when it is due, so nobody can say it was missed";

fn note(entry: &Entry, imported: &mut Imported) {
    let text = match entry.key.as_str() {
        "AccuracySec" => "is not carried: a run is due at an exact time",
        "RandomizedDelaySec" | "FixedRandomDelay" | "RandomizedOffsetSec" => {
            "is not carried: a run is due at an exact time, so that it can be missed; spread the jobs by their minutes"
        }
        "WakeSystem" => "is not carried: nothing here wakes a machine",
        _ => "is not carried",
    };
    imported.note(&entry.at, format!("{} {text}", entry.source()));
}

fn on_calendar(text: &str, zone: &str) -> Result<Vec<When>, String> {
    let found = calendar::schedules(text)?;
    for when in &found {
        let zone = when.zone.as_deref().unwrap_or(zone);
        Schedule::parse(&when.spec, zone, DstPolicy::default()).map_err(|e| e.to_string())?;
    }
    Ok(found)
}

fn every(text: &str) -> Result<When, String> {
    let interval: HumanDuration =
        span::parse(text)?.ok_or_else(|| "it never elapses".to_owned())?;
    let spec = ScheduleSpec::Every(Every { interval, from: None });
    Schedule::parse(&spec, "UTC", DstPolicy::default()).map_err(|error| error.to_string())?;
    Ok(When::plain(spec))
}

/// systemd.syntax(7): the words that mean yes.
pub(super) fn is_yes(value: &str) -> bool {
    ["1", "yes", "true", "on"].iter().any(|word| word.eq_ignore_ascii_case(value))
}
