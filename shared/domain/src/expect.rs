//! What should have happened, computed again from the approved definitions in the log.
//!
//! This is how a scheduler that planned nothing is found out: the verifier does not ask what the log
//! says was due, it derives it, and compares.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::canonical::Digest;
use crate::event::{Event, JobEvent};
use crate::ids::StreamId;
use crate::job::JobDefinition;
use crate::time::{Schedule, just_before, occurrence_label};

/// How old an occurrence may be without a decision before it counts as missing: schedulers need time
/// to start, and to decide.
pub const UNDECIDED_MS_MAX: i64 = 120_000;

#[derive(Debug, Clone)]
struct Span {
    /// Or why it cannot be read here.
    definition: Result<JobDefinition, String>,
    digest: Digest,
    from: Timestamp,
    until: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct JobHistory {
    proposal: Option<(Result<JobDefinition, String>, Digest)>,
    spans: Vec<Span>,
    /// Instants the log accounts for, the run that does, and the definition it names.
    recorded: BTreeMap<Timestamp, (StreamId, Digest)>,
    /// Further runs that say they are of an instant which another accounts for.
    doubles: BTreeMap<StreamId, Timestamp>,
}

/// The expected and the recorded occurrences of a log, gathered while its events pass by.
#[derive(Debug, Clone, Default)]
pub struct Population {
    jobs: BTreeMap<String, JobHistory>,
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
            Self::Unreadable { job, reason } => {
                write!(f, "the schedule of job {job} cannot be read here: {reason}")
            }
        }
    }
}

/// The comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounted {
    /// Occurrences the approved schedules imply.
    pub expected: u64,
    /// Of these, recorded in the log.
    pub recorded: u64,
    /// Of these, too young to have been decided.
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
            Event::RunEvent(event) => {
                if let Some((job, at)) = crate::run::settled_instant(event)
                    && let Some(digest) = definition_of(event)
                {
                    let history = self.jobs.entry(job.to_owned()).or_default();
                    let first = history.recorded.entry(at).or_insert((stream.clone(), digest));
                    if first.0 != *stream {
                        history.doubles.insert(stream.clone(), at);
                    }
                }
            }
            Event::HostEvent(_) | Event::UserEvent(_) | Event::LogEvent(_) => {}
        }
    }

    /// Compares, up to `horizon`: the receive time of the newest event.
    pub fn account(&self, horizon: Timestamp) -> Accounted {
        let mut accounted = Accounted::default();
        for (name, history) in &self.jobs {
            history.account(name, horizon, &mut accounted);
        }
        accounted
    }
}

fn definition_of(event: &crate::event::RunEvent) -> Option<Digest> {
    use crate::event::RunEvent as E;
    match event {
        E::RunDue(e) => Some(e.definition.digest),
        E::RunSkipped(e) => Some(e.definition.digest),
        E::RunMissed(e) => Some(e.definition.digest),
        E::RunRequested(_)
        | E::RunReleased(_)
        | E::RunStarted(_)
        | E::RunSucceeded(_)
        | E::RunFailed(_)
        | E::RunTimedOut(_)
        | E::RunCancelRequested(_)
        | E::RunCancelled(_)
        | E::RunLost(_)
        | E::RunRetryScheduled(_)
        | E::RunResolved(_)
        | E::RunReported(_) => None,
    }
}

impl Span {
    fn schedule(&self) -> Result<Option<Schedule>, String> {
        let definition = self.definition.as_ref().map_err(Clone::clone)?;
        definition.parsed_schedule().transpose().map_err(|error| error.to_string())
    }
}

impl JobHistory {
    fn observe(&mut self, event: &JobEvent, received: Timestamp) {
        match event {
            JobEvent::JobProposed(e) => {
                let read = serde_json::from_value(e.definition.clone());
                self.proposal =
                    Some((read.map_err(|e: serde_json::Error| e.to_string()), e.digest));
            }
            JobEvent::JobApproved(_) => {
                self.close(received);
                if let Some((definition, digest)) = self.proposal.take() {
                    self.spans.push(Span { definition, digest, from: received, until: None });
                }
            }
            JobEvent::JobRetired(_) => self.close(received),
            JobEvent::JobPaused(_) | JobEvent::JobResumed(_) => {}
        }
    }

    fn close(&mut self, at: Timestamp) {
        if let Some(Span { until: until @ None, .. }) = self.spans.last_mut() {
            *until = Some(at);
        }
    }

    fn account(&self, name: &str, horizon: Timestamp, accounted: &mut Accounted) {
        let mut explained = 0;
        for span in &self.spans {
            match span.schedule() {
                Ok(None) => {}
                Ok(Some(schedule)) => {
                    let until = span.until.map_or(horizon, |until| until.min(horizon));
                    for occurrence in schedule.between(span.from, until) {
                        accounted.expected += 1;
                        let label = occurrence_label(&occurrence);
                        let run = StreamId::run(name, &label);
                        explained += self.look_up(&run, occurrence.at, span, horizon, accounted);
                    }
                }
                Err(reason) => {
                    accounted.findings.push(Finding::Unreadable { job: name.to_owned(), reason });
                }
            }
        }
        if explained < self.recorded.len() {
            self.find_unexpected(accounted);
        }
        let double =
            |(run, at): (&StreamId, &Timestamp)| Finding::Unexpected { run: run.clone(), at: *at };
        accounted.findings.extend(self.doubles.iter().map(double));
    }

    fn look_up(
        &self,
        run: &StreamId,
        at: Timestamp,
        span: &Span,
        horizon: Timestamp,
        accounted: &mut Accounted,
    ) -> usize {
        let Some((recorded, digest)) = self.recorded.get(&at) else {
            let age = horizon.duration_since(at);
            if age <= SignedDuration::from_millis(UNDECIDED_MS_MAX) {
                accounted.undecided += 1;
            } else {
                accounted.findings.push(Finding::Missing { run: run.clone(), at });
            }
            return 0;
        };
        accounted.recorded += 1;
        if *digest != span.digest {
            accounted.findings.push(Finding::OtherDefinition { run: recorded.clone() });
        } else if recorded != run {
            accounted.findings.push(Finding::Unexpected { run: recorded.clone(), at });
        }
        1
    }

    fn find_unexpected(&self, accounted: &mut Accounted) {
        let schedules: Vec<_> =
            self.spans.iter().filter_map(|span| Some((span, span.schedule().ok()??))).collect();
        for (at, (run, _)) in &self.recorded {
            let implied = schedules.iter().any(|(span, schedule)| {
                let held = span.from < *at && span.until.is_none_or(|until| *at <= until);
                held && schedule.between(just_before(*at), *at).next().is_some()
            });
            if !implied {
                accounted.findings.push(Finding::Unexpected { run: run.clone(), at: *at });
            }
        }
    }
}
