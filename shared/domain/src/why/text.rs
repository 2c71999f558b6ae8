//! The answer as text.

use jiff::tz::TimeZone;

use super::obstacle::Reason;
use super::speech::{Clock, between};
use super::{Step, Why};

/// How many steps of a story are shown: the first and the newest.
const STEPS_FIRST: usize = 2;
const STEPS_LAST: usize = 12;
/// How many of the streams that were read are named.
const STREAMS_NAMED: usize = 8;

pub(super) fn text(why: &Why) -> String {
    let zone = TimeZone::get(&why.zone).unwrap_or(TimeZone::UTC);
    let clock = Clock::new(zone, why.now);
    let mut text = format!("{}  {}  (times of {})\n", why.about, why.state, why.zone);
    text.push_str(&format!("{}\n", why.answer));
    why.reasons.iter().for_each(|reason| add_reason(&mut text, reason, &clock, 1));
    add_list(&mut text, "next", &why.next);
    add_list(&mut text, "note", &why.notes);
    for spent in &why.spent {
        let length = between(spent.from, spent.until.unwrap_or(why.now));
        let lasts = if spent.until.is_none() { " so far" } else { "" };
        text.push_str(&format!("{:<8}{length}{lasts}: {}\n", "time", spent.says));
    }
    add_story(&mut text, &why.story, &clock);
    add_sources(&mut text, why);
    text
}

fn add_reason(text: &mut String, reason: &Reason, clock: &Clock, depth: usize) {
    let indent = "  ".repeat(depth);
    let mark = if depth == 1 { "because " } else { "" };
    text.push_str(&format!("{indent}{mark}{}\n", reason.says));
    if !reason.ends.is_empty() && depth == 1 {
        let at = reason.until.map(|at| format!(", about {}", clock.at(at))).unwrap_or_default();
        text.push_str(&format!("{indent}  ends with {}{at}\n", reason.ends));
    }
    for below in &reason.because {
        add_reason(text, below, clock, depth + 1);
    }
}

fn add_list(text: &mut String, word: &str, list: &[String]) {
    for line in list {
        text.push_str(&format!("{word:<8}{line}\n"));
    }
}

fn add_story(text: &mut String, story: &[Step], clock: &Clock) {
    let left_out = story.len().saturating_sub(STEPS_FIRST + STEPS_LAST);
    for (index, step) in story.iter().enumerate() {
        if left_out > 0 && index == STEPS_FIRST {
            text.push_str(&format!("{:<8}({left_out} more)\n", "event"));
        }
        if left_out > 0 && (STEPS_FIRST..STEPS_FIRST + left_out).contains(&index) {
            continue;
        }
        let refused = step.refused.as_ref().map(|why| format!("  ({why})")).unwrap_or_default();
        let (position, at) = (step.position, clock.at(step.at));
        let says = format!("{}: {}{refused}", step.by, step.says);
        text.push_str(&format!("{:<8}{at}  #{position} {says}\n", "event"));
    }
}

/// What the answer comes from: so that everybody can look.
fn add_sources(text: &mut String, why: &Why) {
    let named = why.streams.iter().take(STREAMS_NAMED).map(ToString::to_string);
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match why.streams.len().saturating_sub(STREAMS_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    text.push_str(&format!("{:<8}{named}{more}; the log at position {}\n", "from", why.position));
}
