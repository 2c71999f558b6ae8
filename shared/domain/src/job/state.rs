//! The state of a job, as its events tell it.
//!
//! *Invariant:* a definition is active from the instant the recorder received its approval (exclusive)
//! to the instant it received the next one (inclusive). Receive times never go back in the log, so the
//! spans of two definitions neither overlap nor leave a gap, whatever the clocks of people's machines say.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::definition::JobDefinition;
use super::requests::{ChangeOutcome, ChangeRequest};
use crate::canonical::Digest;
use crate::event::{DefinitionRef, JobEvent, JobLeaseGranted};
use crate::ledger::Turn;
use crate::time::just_before;

/// A definition as JSON text: copied with every step of a job's state, so a copy must cost nothing.
#[derive(Debug, Clone)]
pub struct DefinitionText(Arc<RawValue>);

impl DefinitionText {
    /// The text of a definition's JSON.
    pub fn new(definition: &Value) -> Self {
        Self::from_text(definition.to_string())
    }

    /// A definition that is JSON text already.
    pub(crate) fn from_text(text: String) -> Self {
        // What was read from JSON can always be written as JSON; `null` reads back as no definition.
        let text = RawValue::from_string(text);
        Self(text.map_or_else(|_| RawValue::NULL.to_owned().into(), Arc::from))
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The definition as if it did not say this. What cannot be read stays as it is.
    #[must_use]
    pub(crate) fn without(&self, field: &str) -> Self {
        let mut value = serde_json::from_str(self.get());
        let removed =
            value.as_mut().ok().and_then(Value::as_object_mut).and_then(|o| o.remove(field));
        match (removed, &value) {
            (Some(_), Ok(value)) => Self::new(value),
            (_, _) => self.clone(),
        }
    }
}

impl PartialEq for DefinitionText {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Serialize for DefinitionText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DefinitionText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// A definition that waits for approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// The definition as JSON.
    pub definition: DefinitionText,
    /// Who proposed it.
    pub by: Option<String>,
}

/// A definition and the time in which it is the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// The definition as JSON.
    pub definition: DefinitionText,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive; `None` for the active one.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Names the definition.
    pub fn reference(&self) -> DefinitionRef {
        DefinitionRef::new(self.number, self.digest)
    }

    /// The definition, read.
    ///
    /// # Errors
    /// It was written by a newer version of the program.
    pub fn read(&self) -> Result<JobDefinition, serde_json::Error> {
        serde_json::from_str(self.definition.get())
    }
}

/// A time in which occurrences are skipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who paused it.
    pub by: Option<String>,
}

impl Pause {
    /// Whether the occurrence at `at` falls into it.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from < at && self.until.is_none_or(|until| at <= until)
    }
}

/// How many closed spans and pauses are kept beside the active one: enough for a scheduler that was
/// away. Older ones stay in the log.
const KEPT: usize = 50;

/// Most orders of people about single occurrences that a job keeps.
pub const ORDERS_MAX: usize = 500;
/// How long an order about an occurrence that has passed is kept, hours.
const ORDERS_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// Proposed, active and former definitions of one thing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Versions {
    /// Highest number given to a definition.
    pub numbers: u32,
    /// The definition that waits for approval.
    pub proposal: Option<Proposal>,
    /// Definitions that are or were active, oldest first.
    pub spans: Vec<Span>,
    /// When it was retired.
    pub retired: Option<Timestamp>,
    /// Changes that were asked for, oldest first, and what became of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<ChangeRequest>,
}

impl Versions {
    /// The active definition.
    pub fn active(&self) -> Option<&Span> {
        self.spans.last().filter(|span| span.until.is_none())
    }

    /// A definition waits for approval.
    pub(crate) fn propose(&mut self, proposal: Proposal, at: Timestamp, reason: &str) {
        self.numbers = self.numbers.max(proposal.number);
        self.ask(ChangeRequest {
            number: proposal.number,
            digest: proposal.digest,
            by: proposal.by.clone(),
            at,
            reason: reason.to_owned(),
            comments: Vec::new(),
            expedited: None,
            outcome: ChangeOutcome::Open,
        });
        self.proposal = Some(proposal);
    }

    /// The definition that waits is the active one from `from` on; so somebody said.
    pub(crate) fn activate(&mut self, from: Timestamp, by: Option<&str>) {
        let Some(proposal) = self.proposal.take() else { return };
        self.settle(proposal.number, from, by);
        close(self.spans.last_mut().map(|s| &mut s.until), from);
        let Proposal { number, digest, definition, .. } = proposal;
        self.spans.push(Span { number, digest, definition, from, until: None });
        self.retired = None;
        trim(&mut self.spans);
    }

    /// None is active from `at` on.
    pub(crate) fn retire(&mut self, at: Timestamp) {
        close(self.spans.last_mut().map(|s| &mut s.until), at);
        self.retired = Some(at);
    }
}

/// What a person wants of one occurrence, said before it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What.
    pub act: OrderAct,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: Option<String>,
}

/// What is to become of one occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderAct {
    /// It waits for a person.
    Hold,
    /// It does not run.
    Skip,
    /// It runs at another instant.
    Move(Timestamp),
}

impl OrderAct {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Skip => "skip",
            Self::Move(_) => "move",
        }
    }
}

impl Order {
    /// The instant it is moved to, if that is before its own.
    pub fn ahead_of(&self, at: Timestamp) -> Option<Timestamp> {
        match self.act {
            OrderAct::Move(to) if to < at => Some(to),
            OrderAct::Move(_) | OrderAct::Hold | OrderAct::Skip => None,
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its definitions.
    pub versions: Versions,
    /// Pauses, oldest first.
    pub pauses: Vec<Pause>,
    /// What people want of single occurrences, by instant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orders: BTreeMap<Timestamp, Order>,
    /// Leave to decide its occurrences that a host has or had, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<Lease>,
}

/// A time whose occurrences are decided apart from the others: by a host that has leave to, or, where the host gave
/// its leave back or had it taken, by the centre, as if there had been no leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// The host; `None` for the centre.
    pub host: Option<String>,
    /// The definition by which the host decides, whatever is approved meanwhile.
    pub definition: DefinitionRef,
    /// When it was granted: for the host calendars hold as they stood then.
    pub granted: Timestamp,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub until: Timestamp,
    /// Of the centre's: since when it is, and whether a person took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
}

/// A lease came back to the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// When the recorder received it.
    pub at: Timestamp,
    /// Whether a person took it back, and not the host gave it.
    pub by_person: bool,
}

impl Lease {
    /// Whether it is one of a host, and this one names it to make it longer.
    pub(crate) fn is_extended_by(&self, event: &JobLeaseGranted) -> bool {
        self.host.as_ref() == Some(&event.host)
            && self.definition == event.definition
            && self.from == event.from
            && self.until < event.until
    }

    /// Whether a host decides its occurrences.
    pub fn is_of_host(&self) -> bool {
        self.host.is_some()
    }

    /// Whether the occurrence at `at` is one of its.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from < at && at <= self.until
    }
}

/// The words for how a job stands.
pub const JOB_STATES: [&str; 5] = ["active", "paused", "proposed", "retired", "new"];

impl Job {
    /// A job that has no event yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The word for how it stands; one of [`JOB_STATES`].
    pub fn state(&self) -> &'static str {
        match (self.active(), self.paused(), &self.versions.proposal) {
            (Some(_), Some(_), _) => "paused",
            (Some(_), None, _) => "active",
            (None, _, _) if self.versions.retired.is_some() => "retired",
            (None, _, Some(_)) => "proposed",
            (None, _, None) => "new",
        }
    }

    /// The active definition.
    pub fn active(&self) -> Option<&Span> {
        self.versions.active()
    }

    /// The pause that lasts.
    pub fn paused(&self) -> Option<&Pause> {
        self.pauses.last().filter(|pause| pause.until.is_none())
    }

    /// The pause that covers the occurrence at `at`.
    pub fn pause_at(&self, at: Timestamp) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.covers(at))
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &JobEvent, received: Timestamp, actor: Option<&str>) -> Self {
        let by = actor.map(str::to_owned);
        match event {
            JobEvent::JobProposed(p) => {
                let (number, digest, definition) =
                    (p.number, p.digest, DefinitionText::new(&p.definition));
                let proposal = Proposal { number, digest, definition, by };
                self.versions.propose(proposal, received, &p.reason);
            }
            JobEvent::JobApproved(_) => {
                let from = self.holds_from(received);
                self.versions.activate(from, actor);
            }
            JobEvent::JobPaused(p) => {
                let (from, reason) = (received, p.reason.clone());
                self.pauses.push(Pause { from, until: None, reason, by });
            }
            JobEvent::JobResumed(_) => {
                close(self.pauses.last_mut().map(|p| &mut p.until), received);
            }
            JobEvent::JobRetired(_) => {
                self.versions.retire(received);
                // It has no occurrences after this.
                self.orders.retain(|at, _| *at <= received);
            }
            JobEvent::JobOccurrenceHeld(e) => {
                self.order(e.at, OrderAct::Hold, &e.reason, by, received);
            }
            JobEvent::JobOccurrenceReleased(e) => {
                self.orders.remove(&e.at);
            }
            JobEvent::JobOccurrenceSkipped(e) => {
                self.order(e.at, OrderAct::Skip, &e.reason, by, received);
            }
            JobEvent::JobOccurrenceMoved(e) => {
                self.order(e.at, OrderAct::Move(e.to), &e.reason, by, received);
            }
            JobEvent::JobLeaseGranted(e) => {
                grant(&mut self.leases, e, received);
                trim(&mut self.leases);
            }
            JobEvent::JobLeaseReturned(e) => {
                let at = received;
                give_back(&mut self.leases, e.until, Returned { at, by_person: by.is_some() });
                trim(&mut self.leases);
            }
        }
        trim(&mut self.pauses);
        self
    }

    /// The lease that covers the occurrence at `at`.
    pub fn lease_at(&self, at: Timestamp) -> Option<&Lease> {
        self.leases.iter().rev().find(|lease| lease.covers(at))
    }

    /// The lease that a host has, or had last.
    pub fn lease(&self) -> Option<&Lease> {
        self.leases.iter().rev().find(|lease| lease.host.is_some())
    }

    /// From which instant on the centre decides where it takes back what a host still has: from the first occurrence of
    /// which the log does not know what the host decided. `None` where no host has anything.
    pub fn reclaimed_from(&self, turn: &Turn) -> Option<Timestamp> {
        let lease = self.lease()?;
        let settled = turn.leased.get(&lease.from).copied().unwrap_or(lease.from);
        (settled < lease.until).then_some(settled)
    }

    /// The times in which one definition holds, in order.
    pub fn pieces(&self) -> Vec<Piece<'_, Span>> {
        pieces(&self.versions.spans, &self.leases, |span| (span.reference(), span.from, span.until))
    }

    fn holds_from(&self, received: Timestamp) -> Timestamp {
        let first = self.versions.spans.is_empty();
        let proposal = self.versions.proposal.as_ref().filter(|_| first);
        let definition: Option<JobDefinition> =
            proposal.and_then(|p| serde_json::from_str(p.definition.get()).ok());
        holds_from(definition.as_ref(), received)
    }

    fn order(
        &mut self,
        at: Timestamp,
        act: OrderAct,
        reason: &str,
        by: Option<String>,
        received: Timestamp,
    ) {
        self.orders.retain(|at, _| received.duration_since(*at) < ORDERS_KEPT);
        self.orders.insert(at, Order { act, reason: reason.to_owned(), by });
    }
}

/// From when on a definition holds, exclusive: from its approval, or, for the `first` one of a job, from the instant
/// before that which it names itself, and with which its occurrences count.
pub(crate) fn holds_from(first: Option<&JobDefinition>, received: Timestamp) -> Timestamp {
    first.and_then(|d| d.since).map_or(received, |since| just_before(since).min(received))
}

/// A host may decide a time, or a longer one.
pub(crate) fn grant(leases: &mut Vec<Lease>, event: &JobLeaseGranted, received: Timestamp) {
    if let Some(lease) = leases.last_mut().filter(|lease| lease.is_extended_by(event)) {
        lease.until = event.until;
        return;
    }
    // What the centre took back it gives away again.
    if let Some(rest) = leases.last_mut().filter(|rest| !rest.is_of_host()) {
        rest.until = rest.until.min(event.from);
    }
    leases.retain(|lease| lease.from < lease.until);
    let (host, definition) = (Some(event.host.clone()), event.definition.clone());
    let (from, until) = (event.from, event.until);
    leases.push(Lease { host, definition, granted: received, from, until, returned: None });
}

/// The end of the lease that a host has becomes the centre's.
pub(crate) fn give_back(leases: &mut Vec<Lease>, until: Timestamp, returned: Returned) {
    let Some(index) = leases.iter().rposition(|lease| lease.host.is_some()) else { return };
    let Some(lease) = leases.get_mut(index) else { return };
    let until = until.clamp(lease.from, lease.until);
    let rest = Lease { host: None, from: until, returned: Some(returned), ..lease.clone() };
    lease.until = until;
    if rest.from < rest.until {
        // Where some of it had come back before, that lies after this.
        leases.insert(index + 1, rest);
    }
}

/// A time in which one definition of a job holds, and who decides its occurrences.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece<'a, S> {
    /// The definition's span.
    pub span: &'a S,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive; `None` where it lasts.
    pub until: Option<Timestamp>,
    /// The lease that covers it.
    pub lease: Option<&'a Lease>,
}

/// Cuts the spans of definitions where leases begin and end. Where a host decides, its lease's definition holds.
pub(crate) fn pieces<'a, S>(
    spans: &'a [S],
    leases: &'a [Lease],
    of: impl Fn(&S) -> (DefinitionRef, Timestamp, Option<Timestamp>),
) -> Vec<Piece<'a, S>> {
    let mut found = Vec::with_capacity(spans.len() + 2 * leases.len());
    for span in spans {
        let (_, mut from, until) = of(span);
        let ends_after = |at: Timestamp| until.is_none_or(|until| at < until);
        let cuts = leases.iter().filter(|lease| lease.until > from && ends_after(lease.from));
        for lease in cuts.collect::<Vec<_>>() {
            if lease.from > from {
                found.push(Piece { span, from, until: Some(lease.from), lease: None });
            }
            from = from.max(lease.until);
        }
        if ends_after(from) {
            found.push(Piece { span, from, until, lease: None });
        }
    }
    for lease in leases.iter().filter(|lease| !lease.is_of_host()) {
        for span in spans {
            let (_, from, until) = of(span);
            let from = from.max(lease.from);
            let until = until.map_or(lease.until, |until| until.min(lease.until));
            if from < until {
                found.push(Piece { span, from, until: Some(until), lease: Some(lease) });
            }
        }
    }
    for lease in leases.iter().filter(|lease| lease.is_of_host()) {
        let span = spans.iter().rev().find(|span| of(span).0 == lease.definition);
        found.extend(span.map(|span| Piece {
            span,
            from: lease.from,
            until: Some(lease.until),
            lease: Some(lease),
        }));
    }
    found.sort_by_key(|piece| piece.from);
    found
}

fn close(until: Option<&mut Option<Timestamp>>, at: Timestamp) {
    if let Some(until @ None) = until {
        *until = Some(at);
    }
}

fn trim<T>(list: &mut Vec<T>) {
    if list.len() > KEPT {
        list.drain(..list.len() - KEPT);
    }
}
