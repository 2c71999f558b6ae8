//! Where the time of a run went: for how long it was in which state, and what it waited for there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::speech::{Clock, because, names};
use super::story::Told;
use crate::event::Event;
use crate::ids::StreamId;
use crate::run::{Context, Run, State};

/// A stretch of a run's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// From when on.
    pub from: Timestamp,
    /// Until when; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How, in a sentence.
    pub says: String,
}

/// Stretches shorter than this are not told, milliseconds.
const SHORT_MS: i64 = 1_000;

/// The stretches of a run's life, as its events tell them.
pub(super) fn spent(id: &StreamId, told: &[Told], clock: &Clock) -> Vec<Spent> {
    let mut found: Vec<Spent> = Vec::new();
    let mut run: Option<Run> = None;
    for told in told.iter().filter(|told| told.void.is_none()) {
        let Event::RunEvent(event) = &told.event else { continue };
        let before = run.as_ref().map(|run| run.state.clone());
        let (received, actor) = (told.received, told.envelope.actor.as_deref());
        let payload = told.envelope.payload.as_ref();
        let ctx = Context { received, producer: &told.envelope.source, actor, payload };
        run = Run::evolve(run, id, event, ctx);
        let Some(run) = &run else { continue };
        let first = before.is_none();
        if first && run.instant() < received {
            let says = "nobody had decided about it".to_owned();
            found.push(Spent { from: run.instant(), until: None, says });
        }
        let Some(says) = in_state(run, received, clock) else {
            close(&mut found, received);
            continue;
        };
        if found.last().is_none_or(|last| last.says != says) {
            close(&mut found, received);
            found.push(Spent { from: received, until: None, says });
        }
    }
    found.retain(|spent| length_ms(spent, clock.now) >= SHORT_MS);
    found
}

fn close(found: &mut [Spent], at: Timestamp) {
    if let Some(Spent { until: until @ None, .. }) = found.last_mut() {
        *until = Some(at);
    }
}

fn length_ms(spent: &Spent, now: Timestamp) -> i64 {
    spent.until.unwrap_or(now).as_millisecond() - spent.from.as_millisecond()
}

/// How a run stands after an event; `None` when it is over.
fn in_state(run: &Run, at: Timestamp, clock: &Clock) -> Option<String> {
    Some(match &run.state {
        State::Requested => "it was asked for".to_owned(),
        State::Held { reason } => format!("held{}", because(reason)),
        State::Waiting => format!("waited for {}", awaited(run)),
        State::Blocked => {
            let on = run.blocked.as_ref().map(|blocked| blocked.on.rest()).unwrap_or_default();
            format!("blocked by {on}")
        }
        State::Due => ready(run, at, clock),
        State::Parts => format!("ran on {}", run.parts.join(", ")),
        State::Running { attempt } => {
            let host = run.attempt().map(|attempt| attempt.host.as_str()).unwrap_or_default();
            format!("attempt {attempt} ran on {host}")
        }
        State::Retrying { attempt, not_before: Some(not_before), .. } => {
            format!("waited for attempt {attempt}, not before {}", clock.at(*not_before))
        }
        State::Retrying { attempt, .. } => format!("waited for attempt {attempt}"),
        State::Unknown { attempt } => format!("nobody knew how attempt {attempt} ended"),
        State::Ended { .. } => return None,
    })
}

fn awaited(run: &Run) -> String {
    let confirm = run.terms.confirm.as_ref().filter(|_| run.confirmed.is_none());
    let word = confirm.map(|confirm| format!("the word of the {}", confirm.role.word()));
    let jobs = run.terms.after.iter().map(|after| after.job.clone());
    word.into_iter().chain(jobs).collect::<Vec<_>>().join(", ")
}

fn ready(run: &Run, at: Timestamp, clock: &Clock) -> String {
    if let Some(unmet) = &run.unmet {
        return format!("host {} waited: {}", unmet.host, unmet.unmet.join("; "));
    }
    if let Some(not_before) = run.not_before().filter(|not_before| *not_before > at) {
        let why = run.delayed.as_ref().map(|delayed| because(&delayed.reason));
        return format!("waited until {}{}", clock.at(not_before), why.unwrap_or_default());
    }
    if run.behind.is_empty() {
        "waited for its turn: a host, a lock or its pool".to_owned()
    } else {
        format!("waited for its turn, behind {}", names(&run.behind))
    }
}
