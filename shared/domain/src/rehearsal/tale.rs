//! What is noted of each run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::usual::Length;
use crate::ids::StreamId;
use crate::run::{Run, State, message};

/// A run's part in the night.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The run.
    pub run: StreamId,
    /// Its job.
    pub job: String,
    /// Its pool.
    pub pool: String,
    /// Its nominal instant, or when it was asked for.
    pub instant: Timestamp,
    /// The word of its state at the end.
    pub state: String,
    /// The host of its newest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When its newest attempt starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ends, or is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How long it takes, and how that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// What it waits for before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// The run whose end lets it start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<StreamId>,
    /// Why it is as it is, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The run itself, as it stands at the end.
    #[serde(skip)]
    pub(super) at_end: Option<Box<Run>>,
}

/// A wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// From when on.
    pub from: Timestamp,
    /// Until when; absent where it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// For what, in a sentence.
    pub says: String,
    /// Runs that stand in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<StreamId>,
}

impl Part {
    /// The part of a run of which nothing has happened yet.
    pub(super) fn of(run: &Run) -> Self {
        Self {
            run: run.id.clone(),
            job: run.job.clone(),
            pool: run.pool.clone(),
            instant: run.instant(),
            state: run.state.word().to_owned(),
            host: None,
            started: None,
            ended: None,
            length: None,
            waits: Vec::new(),
            after: None,
            message: None,
            at_end: None,
        }
    }

    /// How long it has waited, milliseconds.
    pub fn waited_ms(&self) -> i64 {
        let lengths = self
            .waits
            .iter()
            .filter_map(|wait| Some(wait.until?.as_millisecond() - wait.from.as_millisecond()));
        lengths.sum()
    }

    /// Whether any of it is in a time.
    pub(super) fn is_within(&self, from: Timestamp, to: Timestamp) -> bool {
        let begins = self.started.map_or(self.instant, |started| started.min(self.instant));
        begins < to && self.ended.is_none_or(|ended| ended >= from)
    }

    /// From now on it waits for something else.
    pub(super) fn waits(&mut self, now: Timestamp, says: String, on: Vec<StreamId>) {
        match self.waits.last_mut().filter(|wait| wait.until.is_none()) {
            Some(wait) if wait.says == says => wait.on = on,
            Some(_) | None => {
                self.goes_on(now);
                self.waits.push(Wait { from: now, until: None, says, on });
            }
        }
    }

    /// It waits no more.
    pub(super) fn goes_on(&mut self, now: Timestamp) {
        if let Some(wait) = self.waits.last_mut().filter(|wait| wait.until.is_none()) {
            wait.until = Some(now);
        }
        self.waits.retain(|wait| wait.until != Some(wait.from));
    }

    /// Takes in how its run stands at the end.
    pub(super) fn close(&mut self, run: &Run) {
        self.state = run.state.word().to_owned();
        self.message = message(run);
        if let State::Ended { .. } = run.state {
            self.ended = Some(run.changed);
        }
        self.at_end = Some(Box::new(run.clone()));
    }
}
