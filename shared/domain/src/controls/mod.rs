//! Controls: rules that an auditor tests, computed over everything that happened and not over a sample.
//!
//! A control has a population, which is counted while the events of the log pass by, and a test, which each member of it passes
//! or fails. Whoever examines a log computes them again and comes to the same; so a control that a site shows about itself and
//! one that an auditor computes from the evidence are the same lines of code.
//!
//! | module | is about |
//! |---|---|
//! | `catalogue` | which controls there are, in words, and which rules of others they answer |
//! | `settings` | what a site has agreed with its auditor: how soon, how often, how long |
//! | `agreed` | by which measures: those that were approved in the log |
//! | `said` | what people say of exceptions, and who has looked |
//! | `jobs`, `order`, `limits`, `incidents`, `changes`, `hosts`, `people`, `backups`, `snapshots`, `prints`, `redacted`, `record` | the populations and tests of each family |
//! | `table` | what was found, as files that open anywhere |
//! | `month` | the months of which people ask |

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a control looks at the events it is about; what others tell changes nothing of what it counts"
)]

mod agreed;
mod backups;
mod catalogue;
mod changes;
mod hosts;
mod incidents;
mod jobs;
mod limits;
mod month;
mod order;
mod people;
mod prints;
mod record;
mod redacted;
pub(crate) mod said;
mod settings;
mod snapshots;
mod table;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::sample;
use crate::canonical::Digest;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::expect::Accounted;
use crate::ledger::{Mark, Memory};

pub use agreed::{Agreed, AgreedVersion, Agreements, measures_stream};
pub use catalogue::{CATALOGUE, Control};
pub use month::Month;
pub use said::{Disposed, ItemTold, Reviewed, exception_id, stream_of};
pub use settings::ControlSettings;
pub(crate) use table::csv_line;
pub use table::{Summary, csv, summary_csv};

/// From an instant, inclusive, until another, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The beginning.
    pub from: Timestamp,
    /// The end.
    pub until: Timestamp,
}

impl Period {
    /// Whether an instant is in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// The items that are in it.
    fn of<'a>(self, items: impl IntoIterator<Item = &'a Item>) -> impl Iterator<Item = &'a Item> {
        items.into_iter().filter(move |item| self.holds(item.at))
    }
}

/// An event that passes by, and what is known when it has.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// Its position.
    pub position: u64,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its body.
    pub event: &'a Event,
    /// When the recorder received it.
    pub received: Timestamp,
    /// What the rules make of it.
    pub mark: &'a Mark,
    /// Every stream behind it.
    pub streams: &'a Memory,
}

/// What is known when all events have passed.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// Every stream.
    pub streams: &'a Memory,
    /// What the schedules imply, and what the log says of it.
    pub accounted: &'a Accounted,
    /// When the newest event was received.
    pub until: Timestamp,
    /// How many events there were.
    pub events: u64,
    /// What an examination of the log itself found wrong; empty where nothing was.
    pub wrong: &'a [String],
}

/// The same, and of which time it is asked by which measures.
#[derive(Debug, Clone, Copy)]
struct Closing<'a> {
    ended: Ended<'a>,
    period: Period,
    settings: &'a ControlSettings,
    /// The part of the period of which the log tells.
    begin: Timestamp,
    end: Timestamp,
}

impl Closing<'_> {
    /// What would be an exception, and is too young to be one: whoever is to deal with it still has time.
    fn unless_young(&self, item: Item, wrong: Option<String>) -> Item {
        let age = self.ended.until.as_millisecond() - item.at.as_millisecond();
        match wrong {
            Some(wrong) if age <= settings::millis(self.settings.review_every) => {
                Item { note: Some(format!("too young to be an exception: {wrong}")), ..item }
            }
            wrong => item.failing(wrong),
        }
    }
}

/// A member of a population.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Item {
    /// When it happened, or should have.
    pub at: Timestamp,
    /// What it is: the name of a stream, mostly.
    pub subject: String,
    /// Where the log tells of it; absent of what it does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Why it fails the test; absent where it passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// What is to be known of it although it passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What somebody said of the exception that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposed: Option<Box<Disposed>>,
}

impl Item {
    fn new(at: Timestamp, subject: impl ToString, position: u64) -> Self {
        let (subject, position) = (subject.to_string(), Some(position));
        Self { at, subject, position, exception: None, note: None, disposed: None }
    }

    /// Something that the log should tell of, and does not.
    fn absent(at: Timestamp, subject: impl ToString, exception: String) -> Self {
        let (subject, exception) = (subject.to_string(), Some(exception));
        Self { at, subject, position: None, exception, note: None, disposed: None }
    }

    /// What is said of it.
    #[must_use]
    pub fn result(&self) -> &str {
        let says = self.exception.as_deref().or(self.note.as_deref());
        says.unwrap_or("passes")
    }

    fn failing(mut self, exception: Option<String>) -> Self {
        self.exception = exception;
        self
    }
}

/// What became of a control in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The control.
    pub control: &'static str,
    /// Its whole population, in the order of time.
    pub population: Vec<Item>,
    /// Why it cannot be tested; then an empty population says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
    /// Who signed for it, of each time within the period the newest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviewed: Vec<Reviewed>,
}

impl Outcome {
    fn of(control: &'static str, mut population: Vec<Item>) -> Self {
        population.sort();
        Self { control, population, untested: None, reviewed: Vec::new() }
    }

    fn untested(control: &'static str, why: &str) -> Self {
        let untested = Some(why.to_owned());
        Self { control, population: Vec::new(), untested, reviewed: Vec::new() }
    }

    /// Some members, drawn by the root of a signed head: whoever draws them again, by the same root and of the same population,
    /// draws the same, and nobody can choose them.
    #[must_use]
    pub fn drawn(&self, root: &Digest, count: u32) -> Vec<Item> {
        let places = self.drawn_places(root, count);
        places.iter().filter_map(|place| self.population.get(*place).cloned()).collect()
    }

    /// The same as their places in the population, from 0, in order.
    #[must_use]
    pub fn drawn_places(&self, root: &Digest, count: u32) -> Vec<usize> {
        let drawn = sample(root, self.population.len() as u64, count);
        let mut places: Vec<usize> =
            drawn.iter().filter_map(|number| usize::try_from(*number).ok()).collect();
        places.sort_unstable();
        places
    }

    /// Whether it is told of at all: one that came later than the others is not where there is nothing to say.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.control != agreed::OWN || !self.population.is_empty()
    }

    /// The members that fail the test.
    pub fn exceptions(&self) -> impl Iterator<Item = &Item> {
        self.population.iter().filter(|item| item.exception.is_some())
    }
}

/// Gathers the populations of all controls while the events of a log pass by. Of which of them is asked, and by which measures,
/// is said when they are looked at: so one gathering answers for each month.
#[derive(Debug, Default)]
pub struct Gathering {
    /// When the first event was received.
    first: Option<Timestamp>,
    jobs: jobs::Jobs,
    order: order::Order,
    limits: limits::Limits,
    incidents: incidents::Incidents,
    changes: changes::Changes,
    hosts: hosts::Hosts,
    people: people::People,
    backups: backups::Backups,
    snapshots: snapshots::Snapshots,
    prints: prints::Prints,
    record: record::Record,
    agreements: Agreements,
    said: said::Said,
}

impl Gathering {
    /// Takes the next event.
    pub fn observe(&mut self, passing: Passing<'_>) {
        self.first.get_or_insert(passing.received);
        self.record.observe(passing);
        if *passing.mark != Mark::Valid {
            return;
        }
        self.jobs.observe(passing);
        self.order.observe(passing);
        self.limits.observe(passing);
        self.incidents.observe(passing);
        self.changes.observe(passing);
        self.hosts.observe(passing);
        self.people.observe(passing);
        self.backups.observe(passing);
        self.snapshots.observe(passing);
        self.prints.observe(passing);
        let (envelope, event) = (passing.envelope, passing.event);
        self.agreements.observe(envelope, event, (passing.position, passing.received));
        self.said.observe(passing);
    }

    /// When the first event was received.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.first
    }

    /// Which measures held at the end of a period.
    #[must_use]
    pub fn agreed(&self, period: Period) -> Agreed {
        self.agreements.at_end_of(period)
    }

    /// What became of each control of [`CATALOGUE`] in a period, in its order.
    #[must_use]
    pub fn outcomes(
        &self,
        period: Period,
        settings: &ControlSettings,
        ended: Ended<'_>,
    ) -> Vec<Outcome> {
        let begin = self.first.unwrap_or(period.from).max(period.from);
        let end = ended.until.min(period.until);
        let closing = Closing { ended, period, settings, begin, end };
        let mut found: Vec<Outcome> = [
            self.jobs.finish(closing),
            self.order.finish(closing),
            self.limits.finish(closing),
            self.incidents.finish(closing),
            self.changes.finish(closing),
            self.hosts.finish(closing),
            self.people.finish(closing),
            self.backups.finish(closing),
            self.snapshots.finish(closing),
            self.prints.finish(closing),
            self.record.finish(closing),
            self.agreements.finish(closing),
        ]
        .concat();
        found.push(Outcome::of("AC-03", self.seconds(period)));
        let place = |outcome: &Outcome| CATALOGUE.iter().position(|one| one.id == outcome.control);
        found.sort_by_key(place);
        self.said.stand_beside(&mut found, period);
        found
    }
}

impl Gathering {
    /// Whatever takes two people, of whichever family it is.
    fn seconds(&self, period: Period) -> Vec<Item> {
        let families = [
            &self.changes.seconds,
            &self.incidents.seconds,
            &self.backups.seconds,
            &self.said.seconds,
        ];
        families.into_iter().flat_map(|family| period.of(family)).cloned().collect()
    }
}

/// Spans without something that is to come every so often, from a beginning until an end.
fn gaps(
    mut instants: Vec<Timestamp>,
    (from, until): (Timestamp, Timestamp),
    every_ms: i64,
) -> Vec<(Timestamp, Timestamp)> {
    instants.retain(|at| from <= *at && *at < until);
    instants.sort_unstable();
    instants.push(until);
    let mut last = from;
    let mut found = Vec::new();
    for at in instants {
        if at.as_millisecond() - last.as_millisecond() > every_ms {
            found.push((last, at));
        }
        last = at;
    }
    found
}
