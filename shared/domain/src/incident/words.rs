//! What happened, in words.

use jiff::Timestamp;

use crate::event::{Because, Limit, Trouble};
use crate::ids::StreamId;
use crate::time::HumanDuration;

/// States of a run that are an incident, by their words.
pub const BAD_STATES: [&str; 4] = ["failed", "timed-out", "missed", "unknown"];

/// A run as people name it.
fn of_run(run: &StreamId) -> &str {
    run.rest()
}

/// An instant to the minute, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::StartBy => "did not start in time",
        Limit::FinishBy => "did not end in time",
        Limit::LongerThan => "takes longer than it should",
        Limit::ShorterThan => "took less time than it should",
    }
}

/// What happened, in a sentence without its full stop.
pub fn trouble(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Run { run, state, .. } => {
            let state = match state.as_str() {
                "failed" => "failed",
                "timed-out" => "took too long and was stopped",
                "missed" => "did not happen: nobody was there to start it in time",
                _ => "is in an unknown state: nobody knows how it ended",
            };
            format!("run {} {state}", of_run(run))
        }
        Trouble::Late { run, limit: missed } => {
            format!("run {} {}", of_run(run), limit(*missed))
        }
        Trouble::WillBeLate { run, by, usual_ms } => format!(
            "run {} will not end by {}: it usually takes {}",
            of_run(run),
            minute(*by),
            HumanDuration::from_secs(usual_ms / 1_000)
        ),
        Trouble::DatasetAtRisk { since } => {
            format!(
                "the dataset is at risk since {}: it could not be restored as it should",
                minute(*since)
            )
        }
        Trouble::HostSilent { since } => {
            format!("the host was not heard since {}", minute(*since))
        }
        Trouble::ReviewMissing { since } => {
            format!("no night was reviewed since {}", minute(*since))
        }
        Trouble::LogStalled { since, until } => {
            format!("the log could not be reached from {} to {}", minute(*since), minute(*until))
        }
        Trouble::LogContradicted { producer, reason } => {
            format!("{producer} sees another log than before: {reason}")
        }
        Trouble::LogContinued { origin, restored: false, .. } => {
            format!("the log goes on under another name: {origin}")
        }
        Trouble::LogContinued { origin, lost, .. } => format!(
            "the log was brought back from an older copy and goes on as {origin}: {lost} events are known to be lost; nothing that was to happen until then happens by itself, and some of it may have happened"
        ),
        Trouble::LogWeak { weaknesses, others } => {
            let more = if *others > 0 { format!("; and {others} more") } else { String::new() };
            format!("the log can be changed where it stands: {}{more}", weaknesses.join("; "))
        }
        Trouble::NotificationFailed { incident, contact, by, message } => format!(
            "{contact} could not be told of incident {} by {}: {message}",
            incident.rest(),
            by.word()
        ),
        Trouble::Reported { text } => text.clone(),
    }
}

/// What an incident is about, as people say it.
pub fn about(of: &StreamId) -> String {
    match of.as_str() {
        "review/night" => "the morning review".to_owned(),
        "log/main" => "the log".to_owned(),
        _ => format!("{} {}", of.stream_type().word(), of.rest()),
    }
}

/// Why people are called.
pub fn because(because: Because) -> &'static str {
    match because {
        Because::Opened => "it has just happened",
        Because::Again => "it has happened again",
        Because::Reopened => "it was opened again",
        Because::Unanswered => "nobody has acknowledged it in time",
        Because::Undelivered => "nobody of the level before could be told",
    }
}
