//! The morning review: each exception has a disposition, and somebody signs for the time. *Invariant:* one review begins
//! where the last has ended, so that no instant is left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::{self, SignedAccess};
use crate::canonical::{Digest, canonical};
use crate::event::{Disposition, ReviewEvent, ReviewNoted, ReviewSigned};
use crate::ids::StreamId;
use crate::ledger::{Policy, TEXT_BYTES_MAX, check_text, need};
use crate::night::{Night, Numbers};
use crate::people::User;
use crate::run::Run;
use crate::wire::RunRow;

/// How many signed reviews are remembered; older ones stay in the log.
pub(crate) const SIGNED_KEPT: usize = 100;
/// How many dispositions are remembered.
const NOTED_KEPT: usize = 5_000;
/// The longest that exceptions of a job may be taken for granted: 366 days.
const ACCEPTED_MS_MAX: i64 = 366 * 24 * 3_600 * 1_000;
/// Most runs that are not over when a review is signed.
pub const OPEN_MAX: usize = 80;
/// A review is missing when the last ended longer ago: 36 hours.
pub const MISSING_MS: i64 = 36 * 3_600 * 1_000;

/// What people said of nights; in a stream of its own, of who may do what.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Review {
    /// Dispositions, by run.
    #[serde(default)]
    pub noted: BTreeMap<StreamId, Noted>,
    /// Jobs whose exceptions are taken for granted, and until when.
    #[serde(default)]
    pub accepted: BTreeMap<String, Timestamp>,
    /// Signed reviews, oldest first.
    #[serde(default)]
    pub signed: Vec<Signed>,
    /// Signed reviews of who may do what, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<SignedAccess>,
}

/// What becomes of an exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    /// What.
    pub disposition: Disposition,
    /// What they said.
    pub note: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A signed review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signed {
    /// What was signed.
    pub what: ReviewSigned,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Review {
    /// Where the next review begins; `None` before the first.
    pub fn since(&self) -> Option<Timestamp> {
        self.signed.last().map(|signed| signed.what.until)
    }

    /// Runs that were not over at the last review: how they ended is looked at in the next.
    pub fn carried(&self) -> &[StreamId] {
        self.signed.last().map(|signed| signed.what.open.as_slice()).unwrap_or_default()
    }

    /// What was said of an exception: of its run, or of all of its job's.
    pub fn disposition(&self, row: &RunRow) -> Option<Said<'_>> {
        if let Some(noted) = self.noted.get(&row.run) {
            return Some(Said::Noted(noted));
        }
        let until = self.accepted.get(&row.job).filter(|until| row.instant < **until)?;
        Some(Said::Accepted(*until))
    }

    /// Exceptions of which nothing was said.
    pub fn open<'a>(&self, night: &'a Night) -> Vec<&'a RunRow> {
        let open = |row: &&RunRow| row.is_exception() && self.disposition(row).is_none();
        night.exceptions.iter().filter(open).collect()
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &ReviewEvent, received: Timestamp, actor: Option<&str>) -> Self {
        let (by, at) = (actor.unwrap_or_default().to_owned(), received);
        match event {
            ReviewEvent::ReviewNoted(e) => {
                if let (Disposition::Accepted { until }, Some(job)) =
                    (&e.disposition, e.run.run_job())
                {
                    self.accepted.insert(job.to_owned(), *until);
                }
                let (disposition, note) = (e.disposition.clone(), e.note.clone());
                self.noted.insert(e.run.clone(), Noted { disposition, note, by, at });
            }
            ReviewEvent::ReviewSigned(e) => {
                self.signed.push(Signed { what: e.clone(), by, at });
                let surplus = self.signed.len().saturating_sub(SIGNED_KEPT);
                self.signed.drain(..surplus);
                self.accepted.retain(|_, until| *until > at);
            }
            ReviewEvent::ReviewAccessSigned(e) => {
                self.access.push(SignedAccess { what: e.clone(), by, at });
                let surplus = self.access.len().saturating_sub(SIGNED_KEPT);
                self.access.drain(..surplus);
            }
        }
        self.forget();
        self
    }

    fn forget(&mut self) {
        while self.noted.len() > NOTED_KEPT {
            let oldest = self.noted.iter().min_by_key(|(_, noted)| noted.at);
            let Some(oldest) = oldest.map(|(run, _)| run.clone()) else { return };
            self.noted.remove(&oldest);
        }
    }
}

/// What was said of an exception.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Said<'a> {
    /// Of its run.
    Noted(&'a Noted),
    /// Of all of its job's, until an instant.
    Accepted(Timestamp),
}

/// What whoever signs was shown: what the signature is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shown<'a> {
    /// From, inclusive.
    pub since: Timestamp,
    /// Until, exclusive.
    pub until: Timestamp,
    /// To which position.
    pub position: u64,
    /// The numbers.
    pub numbers: Numbers,
    /// Each exception: its run, its state, and what was said of it.
    pub exceptions: Vec<(&'a StreamId, &'a str, Value)>,
}

impl<'a> Shown<'a> {
    /// What is shown of a night.
    pub fn of(
        night: &'a Night,
        review: &'a Review,
        span: (Timestamp, Timestamp),
        position: u64,
    ) -> Self {
        let said = |row: &RunRow| match review.disposition(row) {
            Some(Said::Noted(noted)) => {
                let disposition = serde_json::to_value(&noted.disposition).unwrap_or_default();
                json!({"said": noted.disposition.word(), "disposition": disposition, "note": noted.note, "by": noted.by})
            }
            Some(Said::Accepted(until)) => json!({"said": "accepted", "until": until}),
            None if row.is_exception() => json!({"said": "open"}),
            None => json!({"said": "goes-on"}),
        };
        let exceptions = night.exceptions.iter();
        Self {
            since: span.0,
            until: span.1,
            position,
            numbers: night.numbers,
            exceptions: exceptions.map(|row| (&row.run, row.state.as_str(), said(row))).collect(),
        }
    }

    /// Its SHA-256.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        let value = serde_json::to_value(self)?;
        canonical(&value).map(|bytes| Digest::of(&bytes))
    }
}

/// What the recorder has at hand beside the reviews of the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The stream.
    pub(crate) id: &'a StreamId,
    /// Who acted.
    pub(crate) actor: Option<&'a str>,
    /// Their account.
    pub(crate) account: Option<&'a User>,
    /// The run that a note is about.
    pub(crate) run: Option<&'a Run>,
    /// Rules of the site.
    pub(crate) policy: Policy,
    /// When it is received.
    pub(crate) received: Timestamp,
    /// How long the log was before it.
    pub(crate) size: u64,
}

/// Whether the event may follow.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit(
    review: Option<&Review>,
    event: &ReviewEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    need(context.actor.is_some(), "it does not say who does it")?;
    let of_nights = *context.id != access::stream();
    match event {
        ReviewEvent::ReviewNoted(e) => {
            need(of_nights, "exceptions are of nights")?;
            admit_noted(e, context.run, context.received)
        }
        ReviewEvent::ReviewSigned(e) => {
            need(of_nights, "nights are signed for in their own stream")?;
            admit_signed(review, e, context)
        }
        ReviewEvent::ReviewAccessSigned(e) => {
            need(!of_nights, "who may do what is signed for in review/access")?;
            access::admit(review, e, context)
        }
    }
}

fn admit_signed(
    review: Option<&Review>,
    e: &ReviewSigned,
    context: &Context<'_>,
) -> Result<(), String> {
    let last = review.and_then(Review::since);
    check_signed(last, (e.since, e.until), (e.position, &e.statement), context)?;
    need(e.open.len() <= OPEN_MAX, "80 runs at most are left to the next review")
}

/// What holds of every signature: it joins the last review, and is about a time and a place of the log that are there.
pub(crate) fn check_signed(
    last: Option<Timestamp>,
    (since, until): (Timestamp, Timestamp),
    (position, statement): (u64, &str),
    context: &Context<'_>,
) -> Result<(), String> {
    need(last.is_none_or(|last| last == since), "a review begins where the last has ended")?;
    // By no clock: what begins in the time that is signed has begun.
    need(since < until && until <= context.received, "nobody reviews what is to come")?;
    need((1..=context.size).contains(&position), "the log has no such position")?;
    need(statement.len() <= TEXT_BYTES_MAX, "a statement has 1000 bytes at most")
}

fn admit_noted(e: &ReviewNoted, run: Option<&Run>, received: Timestamp) -> Result<(), String> {
    let run = run.ok_or("there is no such run")?;
    need(
        RunRow::of(run).is_exception(),
        "it is no exception: it has not ended, or ended as it should",
    )?;
    check_text(&e.note, "a note")?;
    match &e.disposition {
        Disposition::Note {} => Ok(()),
        Disposition::Ticket { reference } => {
            let named = (1..=100).contains(&reference.len()) && !reference.trim().is_empty();
            need(named, "a ticket has a name of 1 to 100 bytes")
        }
        Disposition::Accepted { until } => {
            let ahead = until.as_millisecond() - received.as_millisecond();
            let soon = ahead > 0 && ahead <= ACCEPTED_MS_MAX;
            need(soon, "it is accepted for a year at most, and not for the past")
        }
        Disposition::Rerun { run: again } => {
            need(again.run_job() == e.run.run_job(), "that is a run of another job")?;
            need(*again != e.run, "that is the run itself")
        }
    }
}

/// The stream of the reviews of nights.
pub fn stream() -> StreamId {
    StreamId::review("night")
}
