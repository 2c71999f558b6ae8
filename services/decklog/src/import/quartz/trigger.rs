//! When a trigger of `jobs.xml` fires.

use domain::job::CatchUp;
use domain::time::{AtList, AtTime, Every, HumanDuration, ScheduleSpec, check_zone};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use roxmltree::Node;

use super::data::Key;
use crate::import::draft::When;
use crate::import::xml::{child, child_text};
use crate::import::{quartz_line, shell};

/// A trigger, read.
pub(super) struct Trigger {
    /// The job it starts.
    pub(super) job: Key,
    /// When.
    pub(super) when: When,
    /// What becomes of times that passed.
    pub(super) catch_up: CatchUp,
    /// What a person should know.
    pub(super) notes: Vec<String>,
    /// The calendar whose days it leaves out.
    pub(super) not_on: Option<String>,
}

/// Most times a finite trigger is written as.
const TIMES_MAX: u32 = 100;

/// Reads `<cron>`, `<simple>` or another kind of trigger.
pub(super) fn read(node: Node<'_, '_>, zone: &str) -> Result<Trigger, String> {
    let mut notes = Vec::new();
    let when = match node.tag_name().name() {
        "cron" => cron(node, zone)?,
        "simple" => simple(node, zone)?,
        other => return Err(format!("a trigger of kind <{other}> cannot be carried")),
    };
    if child_text(node, "end-time").is_some() {
        notes.push("end-time is not carried: retire the job when its time is over".to_owned());
    }
    if node.tag_name().name() == "cron" && child_text(node, "start-time").is_some() {
        notes.push("start-time is not carried: the job runs from its approval on".to_owned());
    }
    for (part, why) in [
        ("priority", "is not carried: what is due first starts first"),
        ("job-data-map", "is not carried: give the command arguments or variables"),
    ] {
        if child(node, part).is_some() {
            notes.push(format!("{part} {why}"));
        }
    }
    let catch_up = catch_up(node, &mut notes)?;
    Ok(Trigger {
        job: Key::of(child_text(node, "job-group"), child_text(node, "job-name")),
        when,
        catch_up,
        notes,
        not_on: child_text(node, "calendar-name"),
    })
}

fn cron(node: Node<'_, '_>, zone: &str) -> Result<When, String> {
    let expression = child_text(node, "cron-expression").ok_or("it has no cron-expression")?;
    let zone = child_text(node, "time-zone").unwrap_or_else(|| zone.to_owned());
    let zone = check_zone(&zone).map_err(|error| error.to_string())?;
    Ok(When { zone: Some(zone), ..quartz_line::schedule(&expression)? })
}

fn simple(node: Node<'_, '_>, zone: &str) -> Result<When, String> {
    let number = |part: &str| -> Result<Option<i64>, String> {
        let text = child_text(node, part);
        text.map(|text| text.parse().map_err(|_| format!("{part} {text:?} is no number")))
            .transpose()
    };
    let start = child_text(node, "start-time").map(|text| instant(&text, zone)).transpose()?;
    let interval = number("repeat-interval")?.unwrap_or(0);
    match number("repeat-count")?.unwrap_or(0) {
        -1 => every(interval, start),
        count => times(count, interval, start.ok_or("it has an end and no start-time")?),
    }
}

fn every(interval: i64, start: Option<Timestamp>) -> Result<When, String> {
    let millis =
        u64::try_from(interval).ok().filter(|millis| *millis >= 1_000 && millis % 1_000 == 0);
    let millis = millis.ok_or_else(|| {
        format!(
            "repeat-interval {interval}: only whole seconds can be carried (it is in milliseconds)"
        )
    })?;
    let interval = HumanDuration::from_millis(millis);
    Ok(When::plain(ScheduleSpec::Every(Every { interval, from: start })))
}

fn times(count: i64, interval: i64, start: Timestamp) -> Result<When, String> {
    let count = u32::try_from(count).ok().filter(|count| *count < TIMES_MAX);
    let count =
        count.ok_or_else(|| format!("only up to {TIMES_MAX} single times can be carried"))?;
    let step = SignedDuration::from_millis(interval);
    let times = std::iter::successors(Some(start), |before| before.checked_add(step).ok());
    let times = times.take(count as usize + 1).map(AtTime::Instant).collect();
    Ok(When::plain(ScheduleSpec::At(AtList(times))))
}

/// A date-time of XML Schema; without an offset it is of the zone of the file.
fn instant(text: &str, zone: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let bad = |_| format!("start-time {text:?} is no date and time");
    let civil: DateTime = text.parse().map_err(bad)?;
    let zone = TimeZone::get(zone).map_err(|error| error.to_string())?;
    zone.to_zoned(civil).map(|at| at.timestamp()).map_err(|error| error.to_string())
}

fn catch_up(node: Node<'_, '_>, notes: &mut Vec<String>) -> Result<CatchUp, String> {
    let Some(word) = child_text(node, "misfire-instruction") else { return Ok(CatchUp::Last) };
    match word.trim_start_matches("MISFIRE_INSTRUCTION_") {
        "SMART_POLICY" | "FIRE_ONCE_NOW" | "FIRE_NOW" => Ok(CatchUp::Last),
        "DO_NOTHING" => Ok(CatchUp::None),
        "IGNORE_MISFIRE_POLICY" => {
            notes.push("of all that was missed the newest 100 are caught up".to_owned());
            Ok(CatchUp::All { limit: 100 })
        }
        other if other.starts_with("RESCHEDULE_") => {
            notes.push(format!(
                "{word} is not carried: times are not moved; the newest that was missed runs"
            ));
            Ok(CatchUp::Last)
        }
        other => Err(format!("misfire-instruction {} is not known", shell::quote(other))),
    }
}
