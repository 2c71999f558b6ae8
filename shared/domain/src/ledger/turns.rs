//! What the recorder alone can see to: that a job's occurrences are accounted for one after the other,
//! and that its runs do not run at once. Schedulers decide on views that may be old or may not know
//! of each other; this is where they meet.

use jiff::Timestamp;

use super::Turn;
use crate::event::RunEvent;
use crate::ids::StreamId;

/// *Invariant:* a job's occurrences are accounted for one after the other. An event that was decided
/// by a definition that no longer held is refused, and so is then every later one of the same chain:
/// nothing that lies between can be left out.
pub(super) fn check_order(settled: Option<Timestamp>, event: &RunEvent) -> Result<(), String> {
    let Some(nominal) = crate::run::nominal(event) else { return Ok(()) };
    // In its place, and not older than what it follows.
    if nominal.after == settled && settled.is_none_or(|settled| settled < nominal.at) {
        return Ok(());
    }
    let word = |at: Option<Timestamp>| at.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
    let (follows, settled) = (word(nominal.after), word(settled));
    Err(format!("it follows {follows}, but the job is accounted for up to {settled}"))
}

/// *Invariant:* of the runs of a job, at most one has begun and not ended. Every overlap rule asks
/// for that: the new one is skipped, or waits, or waits until what it cancels has ended.
pub(super) fn check_not_busy(
    turn: &Turn,
    subject: &StreamId,
    event: &RunEvent,
) -> Result<(), String> {
    let RunEvent::RunStarted(_) = event else { return Ok(()) };
    match &turn.busy {
        Some(other) if other != subject => Err(format!("{other} of the same job has not ended")),
        Some(_) | None => Ok(()),
    }
}
