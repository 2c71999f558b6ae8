//! When a job of Rundeck runs.

use domain::time::check_zone;

use super::Refusal;
use crate::import::draft::When;
use crate::import::quartz_line;
use crate::import::tree::Tree;

/// The schedule of a job; `None` where it runs only when somebody asks for it.
pub(super) fn read(job: &Tree, zone: &str) -> Result<Option<When>, Refusal> {
    let Some(schedule) = job.get("schedule") else { return Ok(None) };
    let line = match schedule.text_at("crontab") {
        Some(line) => line.to_owned(),
        None => blocks(schedule),
    };
    let mut when = quartz_line::schedule(&line).map_err(|reason| (schedule.line, reason))?;
    let zone = job.text_at("timeZone").unwrap_or(zone);
    let known = check_zone(zone).map_err(|error| (job.line_of("timeZone"), error.to_string()))?;
    when.zone = Some(known);
    Ok(Some(when))
}

/// The line that the blocks for times and days stand for.
fn blocks(schedule: &Tree) -> String {
    let text = |block: &str, part: &str, absent: &str| {
        let inner = schedule.get(block).and_then(|block| block.text_at(part));
        inner.or_else(|| schedule.text_at(block)).unwrap_or(absent).to_owned()
    };
    let (day, weekday) = (text("dayofmonth", "day", "*"), text("weekday", "day", "*"));
    format!(
        "{} {} {} {day} {} {weekday} {}",
        text("time", "seconds", "0"),
        text("time", "minute", "0"),
        text("time", "hour", "0"),
        text("month", "month", "*"),
        text("year", "year", "*")
    )
}
