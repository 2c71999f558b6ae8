//! Whether the recorder answers and the log moves. No event can say that it does not, because an event has to be in the log:
//! this is asked all the time, and stands on pages and in the metrics.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::recorder::{AskError, ask};
use domain::ledger::Policy;
use domain::night::STILL;
use domain::wire::{Content, EventFilter, Query, Stuck};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::Console;

/// How often the recorder is asked.
const EVERY: Duration = Duration::from_secs(10);
/// A recorder that has not answered for so long has stopped, as far as people are told.
const SILENT: SignedDuration = SignedDuration::from_mins(5);

/// What was learnt of the recorder last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// Why it did not answer the last time that it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When it answered last; when this console began to ask, where it never did.
    #[schema(value_type = String)]
    pub answered: Timestamp,
    /// How long it took for that, in milliseconds.
    pub took_ms: u64,
    /// Position of the newest event; 0 where that is not known.
    pub position: u64,
    /// When the recorder received that.
    #[schema(value_type = Option<String>)]
    pub newest: Option<Timestamp>,
    /// Since when it cannot write to the log although it answers, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub stuck: Option<Stuck>,
}

impl Beat {
    fn new(now: Timestamp) -> Self {
        Self { problem: None, answered: now, took_ms: 0, position: 0, newest: None, stuck: None }
    }

    /// Whether it answered the last time.
    pub fn is_up(&self) -> bool {
        self.problem.is_none() && self.position > 0
    }

    /// What people have to know at once: since when the recorder is silent, or the log stands still.
    pub fn stalled(&self, now: Timestamp) -> Option<Stalled> {
        let longer = |since: Timestamp, than| now.duration_since(since) > than;
        if !self.is_up() && longer(self.answered, SILENT) {
            return Some(Stalled::Silent(self.answered));
        }
        if let Some(stuck) = self.stuck.as_ref().filter(|_| self.is_up()) {
            return Some(Stalled::Stuck(stuck.clone()));
        }
        let newest = self.newest.filter(|newest| self.is_up() && longer(*newest, STILL));
        newest.map(Stalled::Still)
    }
}

/// The log does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stalled {
    /// The recorder has not answered since.
    Silent(Timestamp),
    /// It answers, and cannot write.
    Stuck(Stuck),
    /// It answers, and has committed nothing since.
    Still(Timestamp),
}

impl Stalled {
    /// In a sentence.
    pub fn words(self, when: impl Fn(Timestamp) -> String) -> String {
        match self {
            Self::Silent(since) => {
                format!("the recorder has not answered since {}", when(since))
            }
            Self::Stuck(Stuck { since, why }) => {
                format!(
                    "the recorder has not been able to write to the log since {}: {why}",
                    when(since)
                )
            }
            Self::Still(since) => format!("the log has not moved since {}", when(since)),
        }
    }
}

/// The newest of it, and the rules of the site as they were read last.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<(Beat, Option<Policy>)>);

impl Pulse {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Mutex::new((Beat::new(now), None)))
    }

    /// What was learnt last.
    pub(crate) fn beat(&self) -> Beat {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The rules of the site as they were last, for pages that are shown while nobody answers.
    pub(crate) fn last_policy(&self) -> Option<Policy> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.filter(|_| !known.0.is_up())
    }

    fn take(&self, heard: Result<Heard, AskError>, took: Duration, now: Timestamp) -> Beat {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match heard {
            Ok(Heard { position, newest, policy, stuck }) => {
                let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                let newest = Some(newest);
                known.0 = Beat { problem: None, answered: now, took_ms, position, newest, stuck };
                known.1 = Some(policy);
            }
            Err(error) => known.0.problem = Some(error.to_string()),
        }
        known.0.clone()
    }
}

struct Heard {
    position: u64,
    newest: Timestamp,
    policy: Policy,
    stuck: Option<Stuck>,
}

async fn heard(console: &Console) -> Result<Heard, AskError> {
    let newest = Query::Search(EventFilter { limit: 1, ..EventFilter::default() });
    let Content::Events(events) = ask(&console.bus, &newest).await?.content else {
        return Err(AskError::other());
    };
    let newest = events.first().ok_or_else(AskError::other)?;
    let (position, newest) = (newest.position, newest.received);
    let Content::Head(head) = ask(&console.bus, &Query::Head).await?.content else {
        return Err(AskError::other());
    };
    Ok(Heard { position, newest, policy: head.policy, stuck: head.stuck })
}

/// Asks now.
pub(crate) async fn look(console: &Console) -> Beat {
    let began = Instant::now();
    let heard = heard(console).await;
    let beat = console.pulse.take(heard, began.elapsed(), (console.clock)());
    console.metrics.beat(&beat);
    beat
}

/// Asks again and again, until it is dropped.
pub(crate) async fn watch(console: Console) {
    loop {
        look(&console).await;
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    #[test]
    fn people_are_told_when_nobody_answers_for_long_or_nothing_is_committed() {
        let beat = |problem: Option<&str>, answered, newest| Beat {
            problem: problem.map(str::to_owned),
            answered: at(answered),
            took_ms: 3,
            position: 7,
            newest: Some(at(newest)),
            stuck: None,
        };
        let now = at("08:00:00");
        let stuck = Some(Stuck { since: at("07:59:40"), why: "the disk is full".to_owned() });
        let full = Beat { stuck: stuck.clone(), ..beat(None, "07:59:50", "07:59:00") };
        for (beat, stalled) in [
            (beat(None, "07:59:50", "07:59:00"), None),
            (beat(None, "07:59:50", "07:54:30"), None),
            (full, stuck.map(Stalled::Stuck)),
            (beat(None, "07:59:50", "07:53:00"), Some(Stalled::Still(at("07:53:00")))),
            (beat(Some("no answer"), "07:56:00", "07:55:00"), None),
            (beat(Some("no"), "07:54:00", "07:53:00"), Some(Stalled::Silent(at("07:54:00")))),
        ] {
            assert_eq!(beat.stalled(now), stalled, "{beat:?}");
        }
        let never = Beat::new(at("07:50:00"));
        assert_eq!(never.stalled(now), Some(Stalled::Silent(at("07:50:00"))));
        let words = Stalled::Still(now).words(|at| at.to_string());
        assert_eq!(words, "the log has not moved since 2026-11-20T08:00:00Z");
    }

    #[test]
    fn what_was_known_before_stays_while_nobody_answers() {
        let pulse = Pulse::new(at("08:00:00"));
        let policy = Policy { self_approval: true, accounts: true };
        let heard = Heard { position: 9, newest: at("08:00:03"), policy, stuck: None };
        pulse.take(Ok(heard), Duration::from_millis(4), at("08:00:05"));
        assert_eq!((pulse.beat().is_up(), pulse.last_policy()), (true, None));
        let failed = AskError::Failed("no database".to_owned());
        let beat = pulse.take(Err(failed), Duration::ZERO, at("08:00:15"));
        assert_eq!((beat.is_up(), beat.position, beat.answered), (false, 9, at("08:00:05")));
        assert!(beat.problem.unwrap().contains("no database"));
        assert_eq!(pulse.last_policy(), Some(policy));
    }
}
