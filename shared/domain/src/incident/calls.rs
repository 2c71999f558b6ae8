//! Who is told next of an incident, and when. Pure: the log says what was said before, the tree says who comes then.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::CALLS_MAX;
use super::state::{Incident, Step};
use super::tree::{CallTreeDefinition, Level, Tell};
use crate::calendar::Almanac;
use crate::event::{Because, Call, IncidentEscalated, Severity};
use crate::scheduler::plus_ms;

/// After how long a message that nobody began to send counts as one that cannot be sent, milliseconds: two minutes.
const UNSENT_MS: i64 = 120_000;
/// How long a message may be on its way, milliseconds: after that nobody knows what became of it.
pub const SENDING_MS: i64 = 90_000;
/// How often the tree is gone through at its own pace; then once a day.
const ROUNDS_MAX: u32 = 20;
/// How long it waits where nobody is there to be told, milliseconds: a minute.
const NOBODY_MS: i64 = 60_000;
/// A day, milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until something is said of it.
    Nothing,
    /// To look again then.
    At(Timestamp),
    /// To tell a level, since this instant.
    Escalate(Timestamp, IncidentEscalated),
}

fn wait_of(level: Option<&Level>) -> i64 {
    level.map_or(DAY_MS, |level| i64::try_from(level.wait.millis()).unwrap_or(DAY_MS))
}

/// What is to be done about an incident now, by the active definition of its call tree and that one's number.
pub fn next(
    incident: &Incident,
    (tree, definition): (&CallTreeDefinition, u32),
    almanac: &Almanac,
    now: Timestamp,
) -> Next {
    if !incident.is_calling() {
        return Next::Nothing;
    }
    let (due, round, level, because) = whose(incident, tree);
    if due > now {
        return Next::At(due);
    }
    let anew = incident.anew.is_some() || incident.level().is_none();
    let levels = u32::try_from(tree.levels.len()).unwrap_or(u32::MAX);
    let rest = (level..=levels).map(|level| (round, level));
    // Where nobody is there to the end of the tree it starts over.
    let over = (1..=levels).filter(|_| level > 1).map(|level| (round.saturating_add(1), level));
    for (round, number) in rest.chain(over) {
        let turn = if anew { 1 } else { incident.turn(round) };
        let heard = listeners(tree, incident.severity, (turn, number), almanac, now);
        if heard.tell.is_empty() {
            match heard.quiet_until {
                // What is too small for those of this level is so for the next.
                Some(until) => return Next::At(until.max(plus_ms(now, 1))),
                None => continue,
            }
        }
        let (step, tell) = (incident.steps_count + 1, heard.tell);
        let event = IncidentEscalated { step, round, level: number, because, definition, tell };
        return Next::Escalate(due, event);
    }
    Next::At(plus_ms(now, NOBODY_MS))
}

/// Whose turn it is to be told, and since when: the round, the level, and why.
fn whose(incident: &Incident, tree: &CallTreeDefinition) -> (Timestamp, u32, u32, Because) {
    let newest = incident.level();
    if let Some((because, since)) = incident.anew {
        let round = newest.map_or(0, |(_, round, _)| round);
        return (since, round.saturating_add(1), 1, because);
    }
    let Some((step, round, level)) = newest else {
        return (incident.opened, 1, 1, Because::Opened);
    };
    let wait = wait_of(tree.levels.get(level as usize - 1).or(tree.levels.last()));
    let answered_by = plus_ms(step.at, wait);
    if level as usize >= tree.levels.len() {
        // Nobody acknowledged within the tree: it starts over.
        let paced = if incident.turn(round) < ROUNDS_MAX { wait } else { wait.max(DAY_MS) };
        return (plus_ms(step.at, paced), round.saturating_add(1), 1, Because::Unanswered);
    }
    match lost_at(step).filter(|lost| *lost < answered_by) {
        Some(lost) => (lost, round, level + 1, Because::Undelivered),
        None => (answered_by, round, level + 1, Because::Unanswered),
    }
}

/// When it is known that nobody of a step was told; `None` where somebody was, or may yet be.
fn lost_at(step: &Step) -> Option<Timestamp> {
    let unsent = plus_ms(step.at, UNSENT_MS);
    let mut lost = step.at;
    for call in &step.calls {
        let at = match (&call.begun, &call.ended) {
            (_, Some(_)) if call.is_taken() => return None,
            (_, Some((at, _))) => *at,
            (Some(_), None) => return None,
            (None, None) => unsent,
        };
        lost = lost.max(at);
    }
    Some(lost)
}

/// Who of a level can be told now.
struct Listeners {
    tell: Vec<Call>,
    /// Until when somebody of it is not to be disturbed.
    quiet_until: Option<Timestamp>,
}

/// From the second round on a level is told together with all before it.
fn listeners(
    tree: &CallTreeDefinition,
    severity: Severity,
    (turn, level): (u32, u32),
    almanac: &Almanac,
    now: Timestamp,
) -> Listeners {
    let upto = tree.levels.get(..level as usize).unwrap_or_default();
    let own = upto.last().map(std::slice::from_ref).unwrap_or_default();
    let levels = if turn > 1 { upto } else { own };
    let told = levels.iter().flat_map(|level| &level.tell);
    let (mut tell, mut quiet_until) = (BTreeSet::new(), None);
    for call in told.flat_map(|tell| resolve(tree, tell, almanac, now)) {
        let quiet = tree.quiet.get(&call.contact).and_then(|quiet| quiet.until(now));
        match quiet.filter(|_| severity == Severity::Minor) {
            Some(until) => quiet_until = quiet_until.into_iter().chain([until]).min(),
            None => {
                tell.insert(call);
            }
        }
    }
    Listeners { tell: tell.into_iter().take(CALLS_MAX).collect(), quiet_until }
}

/// Whom that means now, once for each way.
pub fn resolve(
    tree: &CallTreeDefinition,
    tell: &Tell,
    almanac: &Almanac,
    now: Timestamp,
) -> Vec<Call> {
    let rota = tell.rota.as_ref().and_then(|rota| tree.rotas.get(rota));
    let contact = tell.contact.as_deref().or_else(|| rota?.on_call(now, almanac));
    let call = |by: &crate::event::Way| {
        contact.map(|contact| Call { contact: contact.to_owned(), by: *by })
    };
    tell.by.iter().filter_map(call).collect()
}

/// Whom a broadcast reaches now.
pub fn affected(tree: &CallTreeDefinition, almanac: &Almanac, now: Timestamp) -> Vec<Call> {
    let calls = tree.broadcast.iter().flat_map(|tell| resolve(tree, tell, almanac, now));
    let unique: BTreeSet<Call> = calls.collect();
    unique.into_iter().take(CALLS_MAX).collect()
}
