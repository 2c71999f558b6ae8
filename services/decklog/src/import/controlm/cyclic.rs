//! Jobs that run again and again within a day.

use std::collections::BTreeSet;

use super::Refusal;
use super::element::Element;
use crate::import::times::lines;

const DAY: u32 = 24 * 60;

/// Most lines the times of a day may be cut into: each becomes a job of its own.
const LINES_MAX: usize = 3;

/// Minute and hour fields for every time a cyclic job runs at.
pub(super) fn times(job: Element<'_>, from: (u8, u8)) -> Result<Vec<String>, Refusal> {
    let times = match job.text("CYCLIC_TIMES_SEQUENCE") {
        Some(list) => {
            let refuse = |reason| (job.at_attribute("CYCLIC_TIMES_SEQUENCE"), reason);
            list.split(',').map(clock).collect::<Result<_, _>>().map_err(refuse)?
        }
        None => every(job, from)?,
    };
    let found = lines(&times);
    if found.len() > LINES_MAX {
        let reason =
            "its times make no schedule of a few lines: let it begin and end at a full hour";
        return Err((job.at_attribute("INTERVAL"), reason.to_owned()));
    }
    Ok(found)
}

fn every(job: Element<'_>, from: (u8, u8)) -> Result<BTreeSet<(u8, u8)>, Refusal> {
    let refuse = |reason: &str| (job.at_attribute("INTERVAL"), reason.to_owned());
    if job.text("CYCLIC_INTERVAL_SEQUENCE").is_some() {
        return Err((
            job.at_attribute("CYCLIC_INTERVAL_SEQUENCE"),
            "intervals that differ cannot be carried".to_owned(),
        ));
    }
    let text = job.text("INTERVAL").ok_or_else(|| refuse("a cyclic job without INTERVAL"))?;
    let step = interval(text).map_err(|reason| refuse(&reason))?;
    let step = u32::try_from(step / 60).ok().filter(|minutes| *minutes > 0 && step % 60 == 0);
    let step = step.ok_or_else(|| refuse("only whole minutes can be carried"))?;
    let minutes = |(hour, minute): (u8, u8)| u32::from(hour) * 60 + u32::from(minute);
    let begin = minutes(from);
    let end = match job.text("TIMETO").filter(|text| *text != ">") {
        None => DAY - 1,
        Some(text) => {
            let end = clock(text).map_err(|reason| (job.at_attribute("TIMETO"), reason))?;
            minutes(end)
        }
    };
    // Without an end it goes on over midnight in the same rhythm, where the day is a multiple of it.
    let round = job.text("TIMETO").is_none_or(|text| text == ">");
    if end < begin || (round && !DAY.is_multiple_of(step)) {
        return Err(refuse(
            "times that go on over midnight cannot be carried: let it end on its day",
        ));
    }
    let begin = if round { begin % step } else { begin };
    let steps = (begin..=end).step_by(step as usize);
    Ok(steps
        .filter_map(|at| Some((u8::try_from(at / 60).ok()?, u8::try_from(at % 60).ok()?)))
        .collect())
}

/// `00015M` in seconds.
pub(super) fn interval(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is no interval such as 00015M");
    let (number, factor) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "S")) => (number, 1),
        Some((number, "M")) => (number, 60),
        Some((number, "H")) => (number, 3_600),
        Some((number, "D")) => (number, 86_400),
        _ => (text, 60),
    };
    number.parse::<u64>().map(|number| number * factor).map_err(|_| bad())
}

/// `0230`, also `+0230` and `02:30`.
pub(super) fn clock(text: &str) -> Result<(u8, u8), String> {
    let digits: String =
        text.trim().trim_start_matches('+').chars().filter(|c| *c != ':').collect();
    let parts = (digits.len() == 4).then(|| digits.split_at_checked(2)).flatten();
    let numbers = parts.and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    numbers
        .filter(|(hour, minute): &(u8, u8)| *hour < 24 && *minute < 60)
        .ok_or_else(|| format!("`{text}` is no time of day such as 0230"))
}
