//! What will run when, as a calendar that other programs subscribe to (iCalendar, RFC 5545).
//!
//! One event an occurrence. Its name (UID) is made of the log's name, the job and the occurrence's own instant: it stays
//! the same when the occurrence is moved, delayed, or will not run. What will not run is there as a cancelled event,
//! with the reason: who subscribes sees that it was left out, and not only that it is gone. An event lasts as long as
//! the median of the job's newest runs that did their work; where there is none, it has no length.

mod line;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::forecast::{Planned, SiteView, forecast};
use crate::inquiry::Inquiry;
use crate::job::{Job, JobDefinition};
use crate::ledger::Body;
use crate::scheduler::past::percentile;
use crate::site::{Defined, ThingKind};
use crate::why::facts::{LENGTHS, lengths};
use crate::wire::{Answer, Content, DONE_JOBS_MAX, Query, RunRow, Selection};
use line::Lines;

/// Most events of one calendar; the first are named.
pub const EVENTS_MAX: usize = 10_000;
/// Most streams in one answer.
const PAGE: u32 = 500;
/// How often programs are asked to look again.
const REFRESH: &str = "PT1H";

/// Which occurrences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// Only of this job.
    pub job: Option<String>,
    /// Only of jobs of this pool.
    pub pool: Option<String>,
}

impl Range {
    fn wants(&self, definition: &JobDefinition) -> bool {
        let fits = |wish: &Option<String>, has: &str| wish.as_ref().is_none_or(|w| w == has);
        fits(&self.job, &definition.name) && fits(&self.pool, &definition.pool)
    }
}

/// What is asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Head,
    Streams(Selection, String),
    Lengths,
    Done,
}

/// A calendar on its way.
#[derive(Debug)]
pub struct Feed {
    range: Range,
    origin: String,
    jobs: Vec<Job>,
    things: Vec<(ThingKind, Defined)>,
    planned: Vec<Planned>,
    /// How many there are beside those that are named.
    more: u64,
    lengths: BTreeMap<String, u64>,
    step: Step,
}

impl Feed {
    /// A calendar of which nothing is known yet.
    pub fn new(range: Range) -> Self {
        Self {
            range,
            origin: String::new(),
            jobs: Vec::new(),
            things: Vec::new(),
            planned: Vec::new(),
            more: 0,
            lengths: BTreeMap::new(),
            step: Step::Head,
        }
    }

    /// The calendar, as soon as nothing is lacking, as it was made at `now`.
    pub fn text(&self, now: Timestamp) -> String {
        let mut lines = Lines::default();
        lines.put("BEGIN", "VCALENDAR");
        lines.put("VERSION", "2.0");
        lines.put("PRODID", concat!("-//Decklog//Decklog ", env!("CARGO_PKG_VERSION"), "//EN"));
        let name = format!("Decklog: {}", self.origin);
        lines.text("NAME", &name);
        lines.text("X-WR-CALNAME", &name);
        if self.more > 0 {
            let says = format!("{} more occurrences are not named: ask for less time", self.more);
            lines.text("DESCRIPTION", &says);
        }
        lines.put("REFRESH-INTERVAL;VALUE=DURATION", REFRESH);
        for one in &self.planned {
            self.event(&mut lines, one, now);
        }
        if self.planned.is_empty() {
            self.nothing(&mut lines, now);
        }
        lines.put("END", "VCALENDAR");
        lines.into_text()
    }

    fn event(&self, lines: &mut Lines, one: &Planned, now: Timestamp) {
        lines.put("BEGIN", "VEVENT");
        lines.text("UID", &self.uid(&one.job, one.occurrence));
        lines.put("DTSTAMP", &utc(now));
        lines.put("DTSTART", &utc(one.at));
        let length = self.lengths.get(&one.job).filter(|_| one.skipped.is_none());
        if let Some(ms) = length {
            lines.put("DURATION", &format!("PT{}S", ms.div_ceil(1_000)));
        }
        lines.text("SUMMARY", &one.job);
        lines.text("CATEGORIES", &one.pool);
        lines.text("DESCRIPTION", &description(one));
        lines.put("STATUS", if one.skipped.is_some() { "CANCELLED" } else { "CONFIRMED" });
        lines.put("TRANSP", "TRANSPARENT");
        lines.put("END", "VEVENT");
    }

    fn uid(&self, job: &str, occurrence: Timestamp) -> String {
        format!("{job}@{occurrence}@{}", self.origin)
    }

    /// A calendar has one component at least: where there is no event, the time in which there is none.
    fn nothing(&self, lines: &mut Lines, now: Timestamp) {
        lines.put("BEGIN", "VFREEBUSY");
        lines.text("UID", &self.uid("nothing", self.range.from));
        lines.put("DTSTAMP", &utc(now));
        lines.put("DTSTART", &utc(self.range.from));
        lines.put("DTEND", &utc(self.range.to));
        lines.put("END", "VFREEBUSY");
    }

    fn plan(&mut self) {
        let site = SiteView::of(self.things.iter().map(|(kind, thing)| (*kind, thing)));
        let (range, times) = (&self.range, (self.range.from, self.range.to));
        let wanted = |definition: &JobDefinition| range.wants(definition);
        let found = forecast(&self.jobs, wanted, times, EVENTS_MAX, &site);
        self.more = (found.runs + found.skipped).saturating_sub(found.planned.len() as u64);
        self.planned = found.planned;
    }

    fn length_asks(&self) -> Vec<Query> {
        let mut jobs: Vec<String> = self.planned.iter().map(|one| one.job.clone()).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let chunks = jobs.chunks(DONE_JOBS_MAX);
        chunks.map(|jobs| Query::Done { jobs: jobs.to_vec(), limit: LENGTHS }).collect()
    }

    fn take_body(&mut self, kind: Option<ThingKind>, body: Body) {
        match (kind, body) {
            (_, Body::Job(job)) => self.jobs.push(job),
            (Some(kind), Body::Thing(thing)) => self.things.push((kind, thing)),
            (None, Body::Thing(_))
            | (
                _,
                Body::Dataset(_)
                | Body::Repository(_)
                | Body::Queue(_)
                | Body::Form(_)
                | Body::Document(_),
            )
            | (
                _,
                Body::Run(_)
                | Body::Host(_)
                | Body::User(_)
                | Body::Log
                | Body::Incident(_)
                | Body::Control
                | Body::Request(_)
                | Body::Review(_)
                | Body::Tzdb(_)
                | Body::Continued(_)
                | Body::Archive(_)
                | Body::Joining(_)
                | Body::Records(_)
                | Body::Directory(_),
            ) => {}
        }
    }

    fn take_rows(&mut self, rows: Vec<RunRow>) {
        let mut by_job: BTreeMap<String, Vec<RunRow>> = BTreeMap::new();
        for row in rows {
            by_job.entry(row.job.clone()).or_default().push(row);
        }
        let median = |rows: &[RunRow]| percentile(&lengths(rows), 50);
        let known = by_job.into_iter().filter_map(|(job, rows)| Some((job, median(&rows)?)));
        self.lengths.extend(known);
    }

    /// What follows when an answer ended with this name, or with none.
    fn next(&mut self, last: Option<String>) -> Step {
        match (&self.step, last) {
            (Step::Head, _) => Step::Streams(Selection::Things, String::new()),
            (Step::Streams(of, _), Some(last)) => Step::Streams(*of, last),
            (Step::Streams(Selection::Things, _), None) => {
                Step::Streams(Selection::Jobs, String::new())
            }
            (Step::Streams(..), None) => {
                self.plan();
                if self.planned.is_empty() { Step::Done } else { Step::Lengths }
            }
            (Step::Lengths | Step::Done, _) => Step::Done,
        }
    }
}

impl Inquiry for Feed {
    fn asks(&self) -> Vec<Query> {
        match &self.step {
            Step::Head => vec![Query::Head],
            Step::Streams(of, after) => {
                vec![Query::Streams { of: *of, after: after.clone(), limit: PAGE }]
            }
            Step::Lengths => self.length_asks(),
            Step::Done => Vec::new(),
        }
    }

    fn take(&mut self, answers: Vec<Answer>) -> Result<(), String> {
        let mut last = None;
        for answer in answers {
            match answer.content {
                Content::Head(head) => self.origin = head.origin,
                Content::Streams(views) => {
                    last = views.last().map(|view| view.id.to_string());
                    for view in views {
                        self.take_body(view.id.stream_type().thing(), view.state.body);
                    }
                }
                Content::Runs(rows) => self.take_rows(rows),
                Content::Failed(reason) => return Err(reason),
                Content::Events(_)
                | Content::Leaves(_)
                | Content::Night(_)
                | Content::Heads(_)
                | Content::Consistency(_)
                | Content::Proof(_) => {
                    return Err("an answer is to another question".to_owned());
                }
            }
        }
        self.step = self.next(last);
        Ok(())
    }
}

/// What becomes of an occurrence, in words.
fn description(one: &Planned) -> String {
    let what = match (&one.skipped, one.reason) {
        (Some(reason), _) => format!("Will not run: {reason}."),
        (None, "exact" | "elapsed") => "Will run.".to_owned(),
        (None, reason) => format!("Will run ({reason})."),
    };
    let note = one.note.as_ref().map(|note| format!("\n{note}")).unwrap_or_default();
    format!("{what}{note}\n{}, business day {}, pool {}", one.local, one.business_day, one.pool)
}

/// An instant as iCalendar writes it, to the second.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}
