//! Legal holds, and payloads that are erased before their time.
//!
//! *Invariants:* nothing that a hold is over is erased by its time or by anybody's wish; a payload is erased before its time only
//! when somebody asked and somebody else agreed; a hold ends only so too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Body, Policy, Streams, check_text, need};
use crate::envelope::Envelope;
use crate::event::{
    EraseReason, HoldPlaced, PayloadErased, PayloadRedacted, PrintErased, PrintEvent, RecordsEvent,
};
use crate::ids::{StreamId, StreamType};
use crate::print::Document;
use crate::run::State;

/// Most holds at once.
pub const HOLDS_MAX: usize = 100;
/// Most patterns of a hold.
pub const OVER_MAX: usize = 50;
/// Longest name of a hold, in bytes.
pub const HOLD_NAME_BYTES_MAX: usize = 60;
/// Most redactions that are under way at once.
pub const REDACTIONS_MAX: usize = 500;
/// Most bytes that holds and redactions may take: all of it goes into one message, where characters may be escaped.
/// Who wants a hold to end is always heard.
pub const WEIGHT_MAX: usize = 300 * 1024;
/// How many are remembered that are over; the log has all.
const REDACTIONS_KEPT: usize = 500;

/// What is known of holds and redactions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Records {
    /// Holds that are in force, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<String, LegalHold>,
    /// Redactions that are under way, and the newest of those that are over, by what they are of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redactions: BTreeMap<StreamId, Redaction>,
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHold {
    /// What it is over: streams of jobs and queues, with `*` at the end for all that begin so.
    pub over: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: Option<String>,
    /// When the recorder received that.
    pub since: Timestamp,
    /// Who wants it to end, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift: Option<Asked>,
}

/// Somebody wants something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// When the recorder received that.
    pub at: Timestamp,
}

/// A payload that is to be erased before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// Who asked, and why.
    pub asked: Asked,
    /// Who agreed, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Asked>,
    /// Hosts that have not said yet that they have destroyed what they had.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub waits_for: BTreeSet<String>,
    /// Those that have, and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub erased: BTreeMap<String, Timestamp>,
}

impl Redaction {
    /// Whether two people have agreed, and each host has said that it has destroyed what it had.
    pub fn is_over(&self) -> bool {
        self.agreed.is_some() && self.waits_for.is_empty()
    }

    /// The word for how it stands.
    pub fn word(&self) -> &'static str {
        match &self.agreed {
            None => "asked",
            Some(_) if self.waits_for.is_empty() => "erased",
            Some(_) => "agreed",
        }
    }

    /// When the last thing was said of it.
    fn newest(&self) -> Timestamp {
        let agreed = self.agreed.iter().map(|asked| asked.at);
        agreed.chain(self.erased.values().copied()).fold(self.asked.at, Timestamp::max)
    }
}

/// Whether a pattern of a hold is over a stream.
fn is_over(pattern: &str, id: &StreamId) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => id.as_str().starts_with(begin),
        None => id.as_str() == pattern,
    }
}

/// Whether one of a hold's patterns is over one of these streams.
pub(crate) fn is_over_any(over: &[String], ids: &[StreamId]) -> bool {
    over.iter().any(|one| ids.iter().any(|id| is_over(one, id)))
}

/// What a hold has to be over to keep a run or a document.
pub(crate) fn held_with(streams: &impl Streams, of: &StreamId) -> Vec<StreamId> {
    match streams.get(of).map(|state| &state.body) {
        Some(Body::Document(document)) => of_document(document),
        Some(_) | None => of.run_job().map(StreamId::job).into_iter().collect(),
    }
}

/// The job that made a document, its queue, and the one that it was spooled to.
fn of_document(document: &Document) -> Vec<StreamId> {
    let job = document.run().and_then(StreamId::run_job).map(StreamId::job);
    let queues = [&document.queue, &document.spooled.queue];
    let queues = queues.map(|name| StreamId::thing(crate::site::ThingKind::Queue, name));
    job.into_iter().chain(queues).collect()
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    let begin = pattern.strip_suffix('*').unwrap_or(pattern);
    let whole = begin.len() == pattern.len();
    let of_type = [StreamType::Job, StreamType::Queue].into_iter().any(|kind| {
        let rest = begin.strip_prefix(kind.word()).and_then(|rest| rest.strip_prefix('/'));
        // What stands in front of a star is the beginning of a name.
        rest.is_some_and(|rest| match whole {
            true => pattern.parse::<StreamId>().is_ok(),
            false => {
                rest.is_empty()
                    || begin.trim_end_matches(['.', '-', '_']).parse::<StreamId>().is_ok()
            }
        })
    });
    need(
        pattern == "*" || of_type,
        &format!(
            "{pattern:?} is not job/NAME, queue/NAME, the beginning of one with a star behind it, or a star"
        ),
    )
}

impl Records {
    /// `by` is whoever states the event.
    pub(super) fn evolve(
        mut self,
        event: &RecordsEvent,
        received: Timestamp,
        by: Option<&str>,
    ) -> Self {
        let asked = |reason: &str| Asked {
            by: by.map(str::to_owned),
            reason: reason.to_owned(),
            at: received,
        };
        match event {
            RecordsEvent::HoldPlaced(e) => {
                let Asked { by, reason, at: since } = asked(&e.reason);
                let hold = LegalHold { over: e.over.clone(), reason, by, since, lift: None };
                self.holds.insert(e.name.clone(), hold);
            }
            RecordsEvent::HoldLiftAsked(e) => self.set_lift(&e.name, Some(asked(&e.reason))),
            RecordsEvent::HoldKept(e) => self.set_lift(&e.name, None),
            RecordsEvent::HoldLifted(e) => {
                self.holds.remove(&e.name);
            }
            RecordsEvent::PayloadRedactionAsked(e) => {
                let asked = asked(&e.reason);
                let (waits_for, erased) = (BTreeSet::new(), BTreeMap::new());
                let redaction = Redaction { asked, agreed: None, waits_for, erased };
                self.redactions.insert(e.of.clone(), redaction);
            }
            RecordsEvent::PayloadRedactionDeclined(e) => {
                self.redactions.remove(&e.of);
            }
            RecordsEvent::PayloadRedacted(e) => {
                if let Some(redaction) = self.redactions.get_mut(&e.of) {
                    redaction.agreed = Some(asked(&e.reason));
                    redaction.waits_for = e.hosts.iter().cloned().collect();
                }
            }
            RecordsEvent::PayloadErased(e) => {
                if let Some(redaction) = self.redactions.get_mut(&e.of) {
                    redaction.waits_for.remove(&e.host);
                    redaction.erased.insert(e.host.clone(), received);
                }
            }
        }
        self.forget();
        self
    }

    fn set_lift(&mut self, name: &str, lift: Option<Asked>) {
        if let Some(hold) = self.holds.get_mut(name) {
            hold.lift = lift;
        }
    }

    /// Those that are over are forgotten, the oldest first, where there are too many, or they take too much.
    fn forget(&mut self) {
        let over = || self.redactions.iter().filter(|(_, one)| one.is_over());
        let mut all: Vec<_> = over().map(|(id, one)| (one.newest(), id.clone())).collect();
        all.sort();
        let mut left = all.len();
        for (_, id) in all {
            if left <= REDACTIONS_KEPT && self.weight() <= WEIGHT_MAX / 4 * 3 {
                break;
            }
            self.redactions.remove(&id);
            left -= 1;
        }
    }

    fn hold_over(&self, ids: &[StreamId]) -> Option<&str> {
        let mut all = self.holds.iter();
        all.find(|(_, hold)| is_over_any(&hold.over, ids)).map(|(name, _)| name.as_str())
    }

    /// How many bytes it takes, about: whoever asks for it gets it in one message.
    fn weight(&self) -> usize {
        let asked =
            |asked: &Asked| asked.reason.len() + asked.by.as_ref().map_or(0, String::len) + 80;
        let hold = |(name, hold): (&String, &LegalHold)| {
            let over: usize = hold.over.iter().map(|one| one.len() + 3).sum();
            let lift = hold.lift.as_ref().map_or(0, asked);
            name.len()
                + over
                + hold.reason.len()
                + hold.by.as_ref().map_or(0, String::len)
                + lift
                + 100
        };
        let redaction = |(id, one): (&StreamId, &Redaction)| {
            let hosts = one.waits_for.iter().chain(one.erased.keys());
            let hosts: usize = hosts.map(|host| host.len() + 40).sum();
            id.as_str().len()
                + asked(&one.asked)
                + one.agreed.as_ref().map_or(0, asked)
                + hosts
                + 60
        };
        let holds: usize = self.holds.iter().map(hold).sum();
        holds + self.redactions.iter().map(redaction).sum::<usize>()
    }

    /// The hold that keeps what a run wrote.
    pub fn keeps_run(&self, run: &StreamId) -> Option<&str> {
        self.hold_over(&[StreamId::job(run.run_job()?)])
    }

    /// The hold that keeps a document: one over the job that made it, over its queue, or over the one that it was spooled to.
    pub fn keeps_document(&self, document: &Document) -> Option<&str> {
        self.hold_over(&of_document(document))
    }

    /// What a host has still to destroy. What a hold keeps waits until that is lifted, also where two had agreed before; of a
    /// document the recorder sees to that.
    pub fn to_erase<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a StreamId> {
        let waits = move |id: &StreamId, one: &Redaction| {
            one.waits_for.contains(host) && self.keeps_run(id).is_none()
        };
        self.redactions.iter().filter(move |(id, one)| waits(id, one)).map(|(id, _)| id)
    }
}

fn known(streams: &impl Streams) -> Option<&Records> {
    streams.get(&StreamId::records())?.body.records()
}

/// What must be at hand beside to judge an event of this module.
pub(super) fn reads(event: &RecordsEvent) -> Option<StreamId> {
    match event {
        RecordsEvent::PayloadRedactionAsked(e) => Some(e.of.clone()),
        RecordsEvent::PayloadRedacted(e) => Some(e.of.clone()),
        RecordsEvent::HoldPlaced(_)
        | RecordsEvent::HoldLiftAsked(_)
        | RecordsEvent::HoldKept(_)
        | RecordsEvent::HoldLifted(_)
        | RecordsEvent::PayloadRedactionDeclined(_)
        | RecordsEvent::PayloadErased(_) => None,
    }
}

/// The same of an event of a document.
pub(super) fn reads_of_print(event: &PrintEvent) -> Option<StreamId> {
    matches!(event, PrintEvent::PrintErased(_)).then(StreamId::records)
}

/// The rule of this module for an event of a document.
pub(super) fn check_print(
    streams: &impl Streams,
    id: &StreamId,
    document: Option<&Document>,
    event: &PrintEvent,
) -> Result<(), String> {
    let (PrintEvent::PrintErased(PrintErased { reason }), Some(document)) = (event, document)
    else {
        return Ok(());
    };
    let records = known(streams);
    match reason {
        EraseReason::Lost => Ok(()),
        EraseReason::Kept => not_held(records.and_then(|records| records.keeps_document(document))),
        EraseReason::Redacted => {
            let redaction = records.and_then(|records| records.redactions.get(id));
            let agreed = redaction.is_some_and(|one| one.agreed.is_some());
            need(agreed, "nobody has agreed that it is erased")?;
            not_held(records.and_then(|records| records.keeps_document(document)))
        }
    }
}

fn not_held(hold: Option<&str>) -> Result<(), String> {
    match hold {
        Some(hold) => Err(format!("the legal hold {hold} keeps it")),
        None => Ok(()),
    }
}

/// The rules of this module for events of `log/records`.
pub(super) fn check(
    (streams, body): (&impl Streams, Option<&Body>),
    envelope: &Envelope,
    event: &RecordsEvent,
    policy: Policy,
) -> Result<(), String> {
    let none = Records::default();
    let records = body.and_then(Body::records).unwrap_or(&none);
    let actor = envelope.actor.as_deref();
    let other = |asked: &Asked| policy.is_another(actor, asked.by.as_deref());
    if let Some(reason) = event.reason() {
        need(actor.is_some(), "a person answers for it, who is named")?;
        check_text(reason, "a reason")?;
        let ends = matches!(
            event,
            RecordsEvent::HoldLiftAsked(_)
                | RecordsEvent::HoldKept(_)
                | RecordsEvent::HoldLifted(_)
                | RecordsEvent::PayloadRedactionDeclined(_)
        );
        let fits = ends || records.weight() <= WEIGHT_MAX;
        need(fits, "holds and redactions take too much room: end, decline or finish some first")?;
    }
    match event {
        RecordsEvent::HoldPlaced(e) => check_placed(records, e),
        RecordsEvent::HoldLiftAsked(e) => {
            need(hold(records, &e.name)?.lift.is_none(), "that is asked for already")
        }
        RecordsEvent::HoldKept(e) => {
            need(hold(records, &e.name)?.lift.is_some(), "nobody asks for its end")
        }
        RecordsEvent::HoldLifted(e) => {
            let asked = hold(records, &e.name)?.lift.as_ref();
            let asked = asked.ok_or("nobody asks for its end")?;
            need(other(asked), "somebody else lifts a hold than asked for that")
        }
        RecordsEvent::PayloadRedactionAsked(e) => check_asked(streams, records, &e.of),
        RecordsEvent::PayloadRedactionDeclined(e) => waiting(records, &e.of).map(|_| ()),
        RecordsEvent::PayloadRedacted(e) => {
            let redaction = waiting(records, &e.of)?;
            need(other(&redaction.asked), "somebody else agrees than asked for it")?;
            check_agreed(streams, records, e)
        }
        RecordsEvent::PayloadErased(e) => check_erased(records, envelope.source.name(), e),
    }
}

impl RecordsEvent {
    /// Why a person wants it; `None` where a host says what it did.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::HoldPlaced(e) => Some(&e.reason),
            Self::HoldLiftAsked(e) => Some(&e.reason),
            Self::HoldKept(e) => Some(&e.reason),
            Self::HoldLifted(e) => Some(&e.reason),
            Self::PayloadRedactionAsked(e) => Some(&e.reason),
            Self::PayloadRedactionDeclined(e) => Some(&e.reason),
            Self::PayloadRedacted(e) => Some(&e.reason),
            Self::PayloadErased(_) => None,
        }
    }
}

fn hold<'a>(records: &'a Records, name: &str) -> Result<&'a LegalHold, String> {
    records.holds.get(name).ok_or_else(|| format!("there is no hold {name:?}"))
}

/// What is asked for, and nobody has agreed to yet.
fn waiting<'a>(records: &'a Records, of: &StreamId) -> Result<&'a Redaction, String> {
    let one =
        records.redactions.get(of).ok_or_else(|| format!("nobody asks that {of} is erased"))?;
    need(one.agreed.is_none(), "that is agreed already")?;
    Ok(one)
}

/// Whether a hold may have this name.
///
/// # Errors
/// What is wrong with it.
pub fn check_hold_name(name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let named = (1..=HOLD_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    need(
        named,
        &format!(
            "a hold's name has 1 to {HOLD_NAME_BYTES_MAX} letters, digits, dots, dashes and underscores"
        ),
    )
}

fn check_placed(records: &Records, event: &HoldPlaced) -> Result<(), String> {
    check_hold_name(&event.name)?;
    need(!records.holds.contains_key(&event.name), "there is a hold of that name")?;
    need(records.holds.len() < HOLDS_MAX, "there are too many holds")?;
    need(
        (1..=OVER_MAX).contains(&event.over.len()),
        &format!("a hold is over 1 to {OVER_MAX} patterns"),
    )?;
    event.over.iter().try_for_each(|pattern| check_pattern(pattern))
}

/// Which hosts have something of a run or a document, where it is at rest.
///
/// # Errors
/// It is not there, or not at rest, or there is nothing of it any more.
fn at_rest(streams: &impl Streams, of: &StreamId) -> Result<Vec<String>, String> {
    let body = streams.get(of).map(|state| &state.body);
    match body {
        Some(Body::Run(run)) => {
            need(matches!(run.state, State::Ended { .. }), "the run has not ended")?;
            need(!run.attempts.is_empty(), "the run was never started")?;
        }
        Some(Body::Document(document)) => {
            need(document.erased.is_none(), "its content is erased already")?;
            need(document.state.rests(), "it is printed, or is to be: cancel it first")?;
        }
        Some(_) | None => return Err(format!("{of} is no run and no document")),
    }
    Ok(body.map(payload_hosts).unwrap_or_default())
}

/// The hold that keeps a run or a document.
fn keeps<'a>(streams: &impl Streams, records: &'a Records, of: &StreamId) -> Option<&'a str> {
    match streams.get(of).map(|state| &state.body) {
        Some(Body::Document(document)) => records.keeps_document(document),
        Some(_) | None => records.keeps_run(of),
    }
}

fn check_asked(streams: &impl Streams, records: &Records, of: &StreamId) -> Result<(), String> {
    at_rest(streams, of)?;
    let under_way = records.redactions.values().filter(|one| !one.is_over()).count();
    need(under_way < REDACTIONS_MAX, "too many redactions are under way")?;
    match records.redactions.get(of) {
        None => not_held(keeps(streams, records, of)),
        Some(one) => Err(format!("that is {} already", one.word())),
    }
}

fn check_agreed(
    streams: &impl Streams,
    records: &Records,
    event: &PayloadRedacted,
) -> Result<(), String> {
    not_held(keeps(streams, records, &event.of))?;
    let hosts = at_rest(streams, &event.of)?;
    need(event.hosts == hosts, "other hosts have something of it than those that are named")
}

fn check_erased(records: &Records, name: &str, event: &PayloadErased) -> Result<(), String> {
    need(event.host == name, "a host speaks for itself")?;
    let redaction = records.redactions.get(&event.of);
    let waits = redaction.is_some_and(|one| one.waits_for.contains(name));
    need(waits, "nobody waits for that")
}

/// The hosts that have something of a run or a document, in order: what [`PayloadRedacted`] names.
pub fn payload_hosts(body: &Body) -> Vec<String> {
    match body {
        Body::Run(run) => {
            let hosts: BTreeSet<_> = run.attempts.iter().map(|one| one.host.clone()).collect();
            hosts.into_iter().collect()
        }
        Body::Document(document) => vec![document.spooled.host.clone()],
        Body::Job(_)
        | Body::Host(_)
        | Body::User(_)
        | Body::Log
        | Body::Thing(_)
        | Body::Dataset(_)
        | Body::Repository(_)
        | Body::Queue(_)
        | Body::Form(_)
        | Body::Review(_)
        | Body::Incident(_)
        | Body::Control
        | Body::Tzdb(_)
        | Body::Continued(_)
        | Body::Archive(_)
        | Body::Joining(_)
        | Body::Records(_)
        | Body::Request(_)
        | Body::Directory(_) => Vec::new(),
    }
}
