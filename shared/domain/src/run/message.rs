//! One sentence about why a run is as it is.

use super::state::{Run, State};
use crate::event::{MissReason, RunBlocked, SkipReason};

/// One sentence for people about a run; `None` where there is nothing to say.
pub fn message(run: &Run) -> Option<String> {
    if let Some(reason) = &run.skipped {
        return Some(skipped(reason));
    }
    if let Some(reason) = &run.missed {
        return Some(missed(reason));
    }
    match &run.state {
        State::Held { reason } => Some(format!("held: {reason}")),
        State::Blocked => run.blocked.as_ref().map(blocked),
        State::Waiting => Some("waits".to_owned()),
        State::Requested
        | State::Due
        | State::Parts
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Unknown { .. }
        | State::Ended { .. } => run.resolution.clone().or_else(|| run.message.clone()),
    }
}

fn blocked(blocked: &RunBlocked) -> String {
    format!("blocked: {} ended as {}", blocked.on.rest(), blocked.outcome.word())
}

/// Why a rule or a person said no.
pub fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Paused => "the job was paused".to_owned(),
        SkipReason::Overlap { with } => format!("{with} had not ended"),
        SkipReason::QueueFull { limit } => format!("{limit} runs were waiting already"),
        SkipReason::Retired => "the job was retired".to_owned(),
        SkipReason::Calendar { because, .. } => because.clone(),
        SkipReason::Gap => "its time does not exist that day (gap: skip)".to_owned(),
        SkipReason::Ordered { because } | SkipReason::Person { because } => {
            format!("somebody said so: {because}")
        }
        SkipReason::Window { until } => {
            format!("it had not started when its window ended at {until}")
        }
        SkipReason::Blackout { name, until } => format!("blackout {name} lasted until {until}"),
        SkipReason::LatestBy { until, waiting } => {
            format!("at its latest time, {until}, it still waited: {waiting}")
        }
        SkipReason::Parameters { because } => because.clone(),
    }
}

/// Why nobody started it in time.
pub fn missed(reason: &MissReason) -> String {
    match reason {
        MissReason::NoCatchUp => {
            "nobody could start it in time, and the job does not catch up".to_owned()
        }
        MissReason::Superseded { by } => {
            format!("nobody could start it in time; {by} stands for it")
        }
        MissReason::LogLost => {
            "it may have run: what the log held of that time was lost".to_owned()
        }
        MissReason::LeaseOver => {
            "its host could not start it while its lease lasted, and others may run the job since"
                .to_owned()
        }
        MissReason::CatchUpLimit { limit } => {
            format!("more were missed than the {limit} the job catches up")
        }
    }
}
