//! A schedule as five fields and the zone they hold in.

use domain::job::JobDefinition;
use domain::time::{Every, ScheduleSpec};

use crate::import::quartz_line;

/// The fields, or a word, and the zone.
pub(super) fn of(job: &JobDefinition) -> Result<(String, String), String> {
    let in_its_zone = |times: String| (times, job.zone.clone());
    match &job.schedule {
        None => Err("it has no schedule: it runs when somebody asks for it".to_owned()),
        Some(ScheduleSpec::Cron(line)) => crontab(line).map(in_its_zone),
        Some(ScheduleSpec::Quartz(line)) => quartz(line).map(in_its_zone),
        // Elapsed time counts from an instant, whatever clocks do meanwhile.
        Some(ScheduleSpec::Every(every)) => Ok((interval(*every)?, "UTC".to_owned())),
        Some(ScheduleSpec::At(_)) => Err("single times have no crontab line".to_owned()),
    }
}

fn crontab(line: &str) -> Result<String, String> {
    if line.starts_with('@') {
        return Ok(line.to_owned());
    }
    let mut fields: Vec<&str> = line.split_whitespace().collect();
    if fields.len() == 6 {
        if fields.first() != Some(&"0") {
            return Err(format!("`{line}` has seconds, which a crontab has not"));
        }
        fields.remove(0);
    }
    let upper = |index: usize| fields.get(index).map(|field| field.to_ascii_uppercase());
    let special = upper(2).is_some_and(|day| day.contains(['L', 'W']))
        || upper(4)
            .is_some_and(|day| day.contains('#') || day.split(',').any(|d| d.ends_with('L')));
    if special {
        return Err(format!("`{line}` has L, W or #, which a crontab has not"));
    }
    Ok(fields.join(" "))
}

fn quartz(line: &str) -> Result<String, String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let restricted = |index: usize| fields.get(index).is_some_and(|f| !matches!(*f, "*" | "?"));
    if restricted(6) {
        return Err(format!("`{line}` has years, which a crontab has not"));
    }
    if restricted(3) && restricted(5) {
        return Err(format!("`{line}` asks for both day fields; a crontab takes either"));
    }
    crontab(&quartz_line::as_crontab(line)?)
}

/// Minutes that divide the hour, hours that divide the day.
fn interval(every: Every) -> Result<String, String> {
    let seconds = every.interval.as_duration().as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let whole = every.from.is_none() && seconds > 0;
    match (seconds % 60, seconds % 3_600) {
        (0, 0) if whole && hours == 1 => Ok("0 * * * *".to_owned()),
        (0, 0) if whole && hours == 24 => Ok("0 0 * * *".to_owned()),
        (0, 0) if whole && 24 % hours == 0 => Ok(format!("0 */{hours} * * *")),
        (0, _) if whole && minutes == 1 => Ok("* * * * *".to_owned()),
        (0, _) if whole && minutes < 60 && 60 % minutes == 0 => Ok(format!("*/{minutes} * * * *")),
        (_, _) => Err(format!(
            "every {every} has no crontab line: only minutes that divide an hour and hours that divide a day have one"
        )),
    }
}
