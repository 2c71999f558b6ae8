//! A rehearsal in words.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Rehearsal;
use super::deadlines::{Link, Missed};
use super::tale::{Part, Wait};
use super::usual::{Basis, Length};
use crate::why::speech::{Clock, long};

/// How many of the runs that stay open are named.
const NAMED: usize = 5;

/// A row for each run: start, end, name, host, length, and what is to be said.
pub fn table(rehearsal: &Rehearsal, zone: &TimeZone) -> Vec<[String; 6]> {
    let clock = Clock::new(zone.clone(), rehearsal.now);
    rehearsal.runs.iter().map(|part| row(part, rehearsal, &clock)).collect()
}

fn row(part: &Part, rehearsal: &Rehearsal, clock: &Clock) -> [String; 6] {
    let at = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| clock.at(at));
    let ended = part.ended.filter(|_| part.started.is_some());
    let host = part.host.clone().unwrap_or_else(|| "-".to_owned());
    let takes = part.length.map_or_else(|| "-".to_owned(), takes);
    let name = part.run.rest().to_owned();
    [at(part.started), at(ended), name, host, takes, what(part, rehearsal, clock)]
}

fn takes(length: Length) -> String {
    let mark = if length.is_assumed() { "?" } else { "" };
    format!("{}{mark}", ms(length.ms))
}

fn ms(ms: u64) -> String {
    long(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// What becomes of a run, beside when.
fn what(part: &Part, rehearsal: &Rehearsal, clock: &Clock) -> String {
    let missed = rehearsal.missed.iter().filter(|missed| missed.run == part.run);
    let missed = missed.map(|missed| format!("misses {} {}", missed.limit, clock.at(missed.by)));
    let waits = part.waits.iter().filter(|wait| wait.until.is_some());
    let waits = waits.map(|wait| waited(wait, clock));
    let state = match (part.started, part.ended, part.state.as_str()) {
        (Some(_), _, "succeeded" | "running") => None,
        (None, None, state) => Some(stays(part, state)),
        (_, _, state) => {
            let why = part.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            Some(format!("{state}{why}"))
        }
    };
    state.into_iter().chain(missed).chain(waits).collect::<Vec<_>>().join("; ")
}

fn stays(part: &Part, state: &str) -> String {
    let wait = part.waits.last();
    let why = wait.map(|wait| format!(": {}", wait.says)).unwrap_or_default();
    format!("stays {state}{why}")
}

fn waited(wait: &Wait, clock: &Clock) -> String {
    let until = wait.until.unwrap_or(clock.now);
    let length = until.as_millisecond() - wait.from.as_millisecond();
    format!("waits {} ({})", long(length), wait.says)
}

impl Rehearsal {
    /// How it ends, in a few lines: the end of the night, what stays open, what misses a limit and why.
    pub fn summary(&self, zone: &TimeZone) -> String {
        let clock = Clock::new(zone.clone(), self.now);
        let count = |is: &dyn Fn(&Part) -> bool| self.runs.iter().filter(|part| is(part)).count();
        let runs = count(&|part| part.started.is_some());
        let left_out = count(&|part| matches!(part.state.as_str(), "skipped" | "missed"));
        let mut text = format!(
            "{} to {}: {runs} run, {left_out} do not",
            clock.at(self.from),
            clock.at(self.to)
        );
        if let (Some(ends), Some(last)) = (self.ends, &self.last) {
            text.push_str(&format!("; all is over at {} with {}", clock.at(ends), last.rest()));
        }
        text.push('\n');
        let open: Vec<&Part> = self.runs.iter().filter(|part| part.ended.is_none()).collect();
        if !open.is_empty() {
            let names = open.iter().take(NAMED).map(|part| part.run.rest());
            let names = names.collect::<Vec<_>>().join(", ");
            let more = open.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text.push_str(&format!("{} do not end: {names}{more}\n", open.len()));
        }
        text.push_str(&self.late(&clock));
        self.notes.iter().for_each(|note| text.push_str(&format!("note    {note}\n")));
        text
    }

    /// The limits that are missed, each with its chain.
    pub fn missed_text(&self, zone: &TimeZone) -> String {
        self.late(&Clock::new(zone.clone(), self.now))
    }

    fn late(&self, clock: &Clock) -> String {
        self.missed.iter().map(|missed| missed_text(missed, clock)).collect()
    }
}

fn missed_text(missed: &Missed, clock: &Clock) -> String {
    let does = match (missed.limit.as_str(), missed.at) {
        ("finish-by", Some(at)) => format!("ends at {}, {} late", clock.at(at), late(missed, at)),
        ("start-by", Some(at)) => format!("starts at {}, {} late", clock.at(at), late(missed, at)),
        ("latest-by" | "window", _) => "is skipped then".to_owned(),
        (_, _) => "does not as far as is seen".to_owned(),
    };
    let (name, limit, by) = (missed.run.rest(), &missed.limit, clock.both(missed.by));
    let mut text = format!("misses  {name}: {limit} {by}; it {does}\n");
    for link in &missed.chain {
        text.push_str(&format!("        {}\n", link_text(link, clock)));
    }
    text
}

fn late(missed: &Missed, at: Timestamp) -> String {
    long(at.as_millisecond() - missed.by.as_millisecond())
}

fn link_text(link: &Link, clock: &Clock) -> String {
    let name = link.run.rest();
    let wait = link.wait.as_ref().map(|wait| format!(": {}", wait.says)).unwrap_or_default();
    let Some(started) = link.started else { return format!("{name} is {}{wait}", link.state) };
    let began = if started < clock.now { "runs since" } else { "starts" };
    let wait = match &link.wait {
        Some(Wait { from, until: Some(until), says, .. }) => {
            let length = long(until.as_millisecond() - from.as_millisecond());
            format!(" after a wait of {length} ({says})")
        }
        Some(_) | None => String::new(),
    };
    let length = link.length.map(|length| format!(", takes {}", basis(length)));
    let ends = link.ended.map(|at| format!(", ends {}", clock.at(at))).unwrap_or_default();
    format!("{name} {began} {}{wait}{}{ends}", clock.at(started), length.unwrap_or_default())
}

/// `20m (median of 12)`.
fn basis(length: Length) -> String {
    let from = match length.from {
        Basis::Median(runs) => format!("median of {runs}"),
        Basis::Longer(runs) => format!("it takes longer than usual: median of {runs} such"),
        Basis::Longest => "longer than ever".to_owned(),
        Basis::Assumed => "assumed: it has never run".to_owned(),
        Basis::Limit => "its limit".to_owned(),
    };
    format!("{} ({from})", ms(length.ms))
}
