//! What should have happened, computed again from the approved definitions in the log.
//!
//! This is how a scheduler that planned nothing is found out: the verifier does not ask what the log
//! says was due, it derives it, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::calendar::{CalendarSpan, Calendars};
use crate::canonical::Digest;
use crate::event::{
    DefinitionRef, Event, JobEvent, RunEvent, SkipReason, ThingAct, ThingEvent, ThingProposed,
};
use crate::ids::StreamId;
use crate::job::{
    Almanacs, JobDefinition, Lease, Piece, Returned, SchedulePart, Stretch, give_back, grant,
    holds_from, pieces,
};
use crate::site::{Thing, ThingKind};
use crate::time::{Schedule, just_after, occurrence_label};

/// How old an occurrence may be without a decision before it counts as missing: schedulers need time
/// to start, and to decide.
pub const UNDECIDED_MS_MAX: i64 = 120_000;

#[derive(Debug, Clone)]
struct Span {
    /// Or why it cannot be read here.
    definition: Result<Arc<JobDefinition>, String>,
    reference: DefinitionRef,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// How the log accounts for an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The schedule leaves it out.
    LeftOut,
    /// It was run ahead of its time, because somebody said so.
    Ahead,
    /// Any other way.
    Decided,
}

#[derive(Debug, Clone)]
struct Recorded {
    run: StreamId,
    digest: Digest,
    how: How,
    received: Timestamp,
}

#[derive(Debug, Clone, Default)]
struct JobHistory {
    proposal: Option<(Result<Arc<JobDefinition>, String>, DefinitionRef)>,
    spans: Vec<Span>,
    leases: Vec<Lease>,
    /// Instants the log accounts for.
    recorded: BTreeMap<Timestamp, Recorded>,
    /// Further runs that say they are of an instant which another accounts for.
    doubles: BTreeMap<StreamId, Timestamp>,
}

/// The expected and the recorded occurrences of a log, gathered while its events pass by.
#[derive(Debug, Clone, Default)]
pub struct Population {
    jobs: BTreeMap<String, JobHistory>,
    calendars: Calendars,
    proposals: BTreeMap<String, ThingProposed>,
}

/// Something that does not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The schedule implies an occurrence, and the log says nothing about it.
    Missing {
        /// The run it should be.
        run: StreamId,
        /// Its instant.
        at: Timestamp,
    },
    /// The log has an occurrence that no approved schedule implies.
    Unexpected {
        /// The run.
        run: StreamId,
        /// Its instant.
        at: Timestamp,
    },
    /// The occurrence is recorded under another definition than the one that held.
    OtherDefinition {
        /// The run.
        run: StreamId,
    },
    /// The schedule leaves it out and it ran, or the other way round.
    NotAsScheduled {
        /// The run.
        run: StreamId,
        /// Whether the schedule leaves it out.
        left_out: bool,
    },
    /// A schedule cannot be read here.
    Unreadable {
        /// The job.
        job: String,
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { run, at } => {
                write!(f, "{run} was due at {at}, and the log says nothing about it")
            }
            Self::Unexpected { run, at } => {
                write!(f, "{run} at {at} is implied by no approved schedule")
            }
            Self::OtherDefinition { run } => {
                write!(f, "{run} names a definition that did not hold at its instant")
            }
            Self::NotAsScheduled { run, left_out: true } => {
                write!(f, "{run} was decided, although its schedule leaves it out")
            }
            Self::NotAsScheduled { run, left_out: false } => {
                write!(f, "{run} is called left out, and its schedule does not leave it out")
            }
            Self::Unreadable { job, reason } => {
                write!(f, "the schedule of job {job} cannot be read here: {reason}")
            }
        }
    }
}

/// The comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounted {
    /// Occurrences the approved schedules imply; those they leave out themselves are among them.
    pub expected: u64,
    /// Of these, recorded in the log.
    pub recorded: u64,
    /// Of these, too young to have been decided, or not reported yet by the host that had leave to decide them.
    pub undecided: u64,
    /// What does not add up.
    pub findings: Vec<Finding>,
}

impl Population {
    /// Takes a valid event in.
    pub fn observe(&mut self, stream: &StreamId, event: &Event, received: Timestamp) {
        match event {
            Event::JobEvent(event) => {
                self.jobs.entry(stream.rest().to_owned()).or_default().observe(event, received);
            }
            Event::RunEvent(event) => self.observe_run(stream, event, received),
            Event::ThingEvent(event) => self.observe_thing(stream.rest(), event, received),
            Event::HostEvent(_)
            | Event::UserEvent(_)
            | Event::LogEvent(_)
            | Event::BackupEvent(_)
            | Event::PrintEvent(_)
            | Event::FormEvent(_)
            | Event::QueueEvent(_)
            | Event::ChangeEvent(_)
            | Event::IncidentEvent(_)
            | Event::ControlEvent(_)
            | Event::RecordsEvent(_)
            | Event::RequestEvent(_)
            | Event::ReviewEvent(_) => {}
        }
    }

    fn observe_run(&mut self, stream: &StreamId, event: &RunEvent, received: Timestamp) {
        let Some((job, at)) = crate::run::accounted_instant(event) else { return };
        // A part that is skipped says so of itself; its whole accounts for the occurrence.
        if stream.part().is_some() {
            return;
        }
        let Some((digest, how)) = accounts(event) else { return };
        let history = self.jobs.entry(job.to_owned()).or_default();
        let new = Recorded { run: stream.clone(), digest, how, received };
        let first = history.recorded.entry(at).or_insert(new);
        if first.run != *stream {
            history.doubles.insert(stream.clone(), at);
        }
    }

    fn observe_thing(&mut self, name: &str, event: &ThingEvent, received: Timestamp) {
        if event.of != ThingKind::Calendar {
            return;
        }
        match &event.act {
            ThingAct::Proposed(proposed) => {
                self.proposals.insert(name.to_owned(), proposed.clone());
            }
            ThingAct::Approved(_) => {
                let Some(proposed) = self.proposals.remove(name) else { return };
                let read = Thing::read(ThingKind::Calendar, &proposed.definition);
                if let Ok(Thing::Calendar(definition)) = read {
                    let (number, digest) = (proposed.number, proposed.digest);
                    let definition = Arc::new(definition);
                    let span = CalendarSpan { number, digest, definition, from: received };
                    self.calendars.add(name, span);
                }
            }
            ThingAct::Retired(_) => {}
        }
    }

    /// Compares, up to `horizon`: the receive time of the newest event.
    pub fn account(&self, horizon: Timestamp) -> Accounted {
        let mut accounted = Accounted::default();
        let almanacs = Almanacs::default();
        for (name, history) in &self.jobs {
            let view = View { name, history, calendars: &self.calendars, almanacs: &almanacs };
            view.account(horizon, &mut accounted);
        }
        accounted
    }
}

/// The definition an event names that accounts for an occurrence, and how it does.
fn accounts(event: &RunEvent) -> Option<(Digest, How)> {
    match event {
        RunEvent::RunDue(e) => {
            let how = if crate::run::is_ahead(event) { How::Ahead } else { How::Decided };
            Some((e.definition.digest, how))
        }
        RunEvent::RunSkipped(e) => {
            let left_out = matches!(e.reason, SkipReason::Calendar { .. } | SkipReason::Gap);
            Some((e.definition.digest, if left_out { How::LeftOut } else { How::Decided }))
        }
        RunEvent::RunMissed(e) => Some((e.definition.digest, How::Decided)),
        RunEvent::RunRequested(_)
        | RunEvent::RunReleased(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => None,
    }
}

impl Span {
    fn part(&self) -> Result<Option<SchedulePart>, String> {
        self.definition.as_ref().map(|d| d.schedule_part()).map_err(Clone::clone)
    }
}

impl JobHistory {
    fn observe(&mut self, event: &JobEvent, received: Timestamp) {
        match event {
            JobEvent::JobProposed(e) => {
                let read = serde_json::from_value(e.definition.clone());
                let read = read.map(Arc::new).map_err(|e: serde_json::Error| e.to_string());
                self.proposal = Some((read, DefinitionRef::new(e.number, e.digest)));
            }
            JobEvent::JobApproved(_) => {
                if let Some((definition, reference)) = self.proposal.take() {
                    let first = definition.as_ref().ok().filter(|_| self.spans.is_empty());
                    let from = holds_from(first.map(Arc::as_ref), received);
                    self.close(from);
                    self.spans.push(Span { definition, reference, from, until: None });
                }
            }
            JobEvent::JobRetired(_) => self.close(received),
            JobEvent::JobLeaseGranted(e) => grant(&mut self.leases, e, received),
            JobEvent::JobLeaseReturned(e) => {
                // Who it was changes nothing of what is expected.
                let returned = Returned { at: received, by_person: false };
                give_back(&mut self.leases, e.until, returned);
            }
            JobEvent::JobOccurrenceMoved(_)
            | JobEvent::JobOccurrenceReleased(_)
            | JobEvent::JobOccurrenceHeld(_)
            | JobEvent::JobOccurrenceSkipped(_)
            | JobEvent::JobPaused(_)
            | JobEvent::JobResumed(_) => {}
        }
    }

    fn close(&mut self, at: Timestamp) {
        if let Some(Span { until: until @ None, .. }) = self.spans.last_mut() {
            *until = Some(at);
        }
    }
}

/// A job's history among calendars.
struct View<'a> {
    name: &'a str,
    history: &'a JobHistory,
    calendars: &'a Calendars,
    almanacs: &'a Almanacs,
}

impl View<'_> {
    fn pieces(&self) -> Vec<Piece<'_, Span>> {
        let of = |span: &Span| (span.reference.clone(), span.from, span.until);
        pieces(&self.history.spans, &self.history.leases, of)
    }

    /// The stretches of a piece: under a lease calendars hold as they stood when it was granted.
    fn stretches(&self, piece: &Piece<'_, Span>) -> Result<Vec<Stretch>, String> {
        let Some(part) = piece.span.part()? else { return Ok(Vec::new()) };
        let (from, until) = (piece.from, piece.until);
        Ok(match piece.lease.filter(|lease| lease.is_of_host()) {
            None => part.stretches(from, until, self.calendars, self.almanacs),
            Some(lease) => {
                let at = just_after(lease.granted);
                let (schedule, calendars) = part.at(at, self.calendars, self.almanacs);
                vec![Stretch { from, until, schedule, calendars: calendars.into() }]
            }
        })
    }

    fn account(&self, horizon: Timestamp, accounted: &mut Accounted) {
        let mut explained = BTreeSet::new();
        for piece in self.pieces() {
            let stretches = match self.stretches(&piece) {
                Ok(stretches) => stretches,
                Err(reason) => {
                    self.unreadable(reason, accounted);
                    continue;
                }
            };
            for stretch in stretches {
                match &stretch.schedule {
                    Ok(schedule) => {
                        let until = stretch.until.map_or(horizon, |until| until.min(horizon));
                        let range = (stretch.from, until);
                        self.compare(&piece, schedule, range, horizon, &mut explained, accounted);
                    }
                    Err(error) => self.unreadable(error.to_string(), accounted),
                }
            }
        }
        self.find_unexpected(&explained, horizon, accounted);
        let doubles = self.history.doubles.iter();
        accounted
            .findings
            .extend(doubles.map(|(run, at)| Finding::Unexpected { run: run.clone(), at: *at }));
    }

    fn unreadable(&self, reason: String, accounted: &mut Accounted) {
        accounted.findings.push(Finding::Unreadable { job: self.name.to_owned(), reason });
    }

    fn compare(
        &self,
        piece: &Piece<'_, Span>,
        schedule: &Schedule,
        (from, until): (Timestamp, Timestamp),
        horizon: Timestamp,
        explained: &mut BTreeSet<Timestamp>,
        accounted: &mut Accounted,
    ) {
        for occurrence in schedule.between(from, until) {
            let at = occurrence.at;
            accounted.expected += 1;
            let run = StreamId::run(self.name, &occurrence_label(&occurrence));
            let Some(recorded) = self.history.recorded.get(&at) else {
                self.missing(piece, run, at, horizon, accounted);
                continue;
            };
            accounted.recorded += 1;
            explained.insert(at);
            let left_out = occurrence.out.is_some();
            if recorded.how == How::Ahead {
                // It was decided before this definition held, perhaps: by its own it is looked at below.
                continue;
            }
            if recorded.digest != piece.span.reference.digest {
                accounted.findings.push(Finding::OtherDefinition { run: recorded.run.clone() });
            } else if recorded.run != run {
                accounted.findings.push(Finding::Unexpected { run: recorded.run.clone(), at });
            } else if (recorded.how == How::LeftOut) != left_out {
                let run = recorded.run.clone();
                accounted.findings.push(Finding::NotAsScheduled { run, left_out });
            }
        }
    }

    fn missing(
        &self,
        piece: &Piece<'_, Span>,
        run: StreamId,
        at: Timestamp,
        horizon: Timestamp,
        accounted: &mut Accounted,
    ) {
        // A host that is cut off reports when it comes back; when its lease is over, it is late.
        let host = piece.lease.filter(|lease| lease.is_of_host());
        let since = host.map_or(at, |lease| lease.until);
        let young = horizon.duration_since(since) <= SignedDuration::from_millis(UNDECIDED_MS_MAX);
        if young {
            accounted.undecided += 1;
        } else {
            accounted.findings.push(Finding::Missing { run, at });
        }
    }

    fn find_unexpected(
        &self,
        explained: &BTreeSet<Timestamp>,
        horizon: Timestamp,
        accounted: &mut Accounted,
    ) {
        // A host whose clock is ahead decides what is not expected yet.
        let expected = self
            .history
            .recorded
            .iter()
            .filter(|(at, recorded)| recorded.how == How::Ahead || **at <= horizon);
        for (at, recorded) in expected {
            let implied = match recorded.how {
                How::Ahead => self.implied_ahead(*at, recorded),
                How::Decided | How::LeftOut => explained.contains(at),
            };
            if !implied {
                let run = recorded.run.clone();
                accounted.findings.push(Finding::Unexpected { run, at: *at });
            }
        }
    }

    /// Whether the definition that an occurrence ran ahead under implies it, with the calendars of that moment.
    fn implied_ahead(&self, at: Timestamp, recorded: &Recorded) -> bool {
        let span = self.history.spans.iter().find(|span| span.reference.digest == recorded.digest);
        let Some(part) = span.and_then(|span| span.part().ok().flatten()) else { return false };
        let (schedule, _) = part.at(just_after(recorded.received), self.calendars, self.almanacs);
        let found = schedule.ok().and_then(|schedule| schedule.occurrence_at(at));
        found.is_some_and(|occurrence| {
            StreamId::run(self.name, &occurrence_label(&occurrence)) == recorded.run
        })
    }
}
