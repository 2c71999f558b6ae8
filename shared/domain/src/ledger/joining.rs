//! Keys that wait to be let in, where the site asks that a person confirms each; and those of services that are taken back.
//!
//! A code or a token says that somebody who may has asked for another producer; it does not say whose key came with it. So a
//! person compares the key's fingerprint with what the machine itself shows.
//!
//! *Invariant:* once confirmations are required, nobody is enrolled but with a key that has asked, and that a person has confirmed
//! who is not the one who invited its host. Somebody is always left who can let another one in.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Body, Ledger, Streams, check_text, need};
use crate::canonical::Digest;
use crate::envelope::Envelope;
use crate::event::{
    LogConfirmationsRequired, LogEvent, LogProducerAsked, LogProducerConfirmed,
    LogProducerDeclined, LogProducerEnrolled, LogProducerRevoked,
};
use crate::ids::{Class, ProducerId, StreamId};
use crate::keys::PublicKey;

/// How many keys may wait at once.
pub const WAITING_MAX: usize = 100;
/// How many are remembered, those included of which somebody has said something.
const KEPT_MAX: usize = 2 * WAITING_MAX;
/// For how long a key keeps another one of the same name out while nobody has said anything of it.
const WAITS: SignedDuration = SignedDuration::from_hours(24);

/// What is known of keys that were not let in at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Joining {
    /// Whether a person has to confirm each key.
    #[serde(default)]
    pub required: bool,
    /// Those that have asked, by the names that they ask for. One that was let in stays for a while.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<ProducerId, AskedKey>,
}

/// A key that has asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedKey {
    /// It, hexadecimal.
    pub key: String,
    /// On what ground it asks.
    pub ground: String,
    /// When the recorder received that.
    pub since: Timestamp,
    /// Who had invited its host by then, where that is the ground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
    /// What somebody said of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<KeyAnswer>,
}

/// What somebody said of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAnswer {
    /// It is the one that its machine shows.
    Confirmed {
        /// Who says so.
        by: Option<String>,
    },
    /// It is not to be let in.
    Declined {
        /// Who says so.
        by: Option<String>,
        /// Why.
        reason: String,
    },
}

impl AskedKey {
    /// The key's fingerprint: SHA-256 of its 32 bytes. Nothing for what is no key.
    pub fn fingerprint(&self) -> Option<Digest> {
        PublicKey::from_hex(&self.key).ok().map(|key| key.id())
    }

    /// Whether somebody has confirmed it.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.answer, Some(KeyAnswer::Confirmed { .. }))
    }

    /// Whether another key of the same name may ask.
    fn gives_way(&self, received: Timestamp) -> bool {
        let declined = matches!(self.answer, Some(KeyAnswer::Declined { .. }));
        declined || received.duration_since(self.since) > WAITS
    }
}

impl Joining {
    /// `by` is whoever states the event, or, of a key that asks, whoever has invited its host.
    pub(super) fn evolve(
        mut self,
        event: &LogEvent,
        received: Timestamp,
        by: Option<&str>,
    ) -> Self {
        let by = by.map(str::to_owned);
        if let LogEvent::LogConfirmationsRequired(_) = event {
            self.required = true;
        }
        if let LogEvent::LogProducerAsked(e) = event {
            let (key, ground) = (e.key.clone(), e.ground.clone());
            let invited_by = by.clone();
            let asked = AskedKey { key, ground, since: received, invited_by, answer: None };
            self.asked.insert(e.producer.clone(), asked);
            self.forget();
        }
        if let LogEvent::LogProducerConfirmed(e) = event {
            self.answer(&e.producer, KeyAnswer::Confirmed { by: by.clone() });
        }
        if let LogEvent::LogProducerDeclined(e) = event {
            self.answer(&e.producer, KeyAnswer::Declined { by, reason: e.reason.clone() });
        }
        self
    }

    /// Whether a key may ask for a name now, as far as others that have asked go.
    ///
    /// # Errors
    /// What keeps it out.
    pub fn may_ask(&self, producer: &ProducerId, key: &str, now: Timestamp) -> Result<(), String> {
        if let Some(asked) = self.asked.get(producer) {
            need(asked.key != key, "this key has asked already")?;
            need(asked.gives_way(now), "another key of this name waits: decline it first")?;
        }
        let waiting = self.asked.values().filter(|asked| asked.answer.is_none()).count();
        let many = "so many keys wait already: confirm or decline them first";
        need(waiting < WAITING_MAX, many)
    }

    fn answer(&mut self, producer: &ProducerId, answer: KeyAnswer) {
        if let Some(asked) = self.asked.get_mut(producer) {
            asked.answer = Some(answer);
        }
    }

    /// Those of which somebody said something are forgotten, the oldest first, where there are too many: a key that was
    /// confirmed is let in within seconds, or asks again.
    fn forget(&mut self) {
        while self.asked.len() > KEPT_MAX {
            let answered = self.asked.iter().filter(|(_, asked)| asked.answer.is_some());
            let oldest = answered.min_by_key(|(_, asked)| asked.since).map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { return };
            self.asked.remove(&oldest);
        }
    }
}

fn known(streams: &impl Streams) -> Option<&Joining> {
    streams.get(&StreamId::joining())?.body.joining()
}

/// What must be at hand beside to judge an event of the log, where a rule of this module is about it.
pub(super) fn reads(event: &LogEvent) -> Option<StreamId> {
    if let LogEvent::LogProducerEnrolled(_) = event {
        return Some(StreamId::joining());
    }
    if let LogEvent::LogProducerAsked(e) = event { host_of(e) } else { None }
}

/// The host by whose invitation a key asks.
fn host_of(event: &LogProducerAsked) -> Option<StreamId> {
    let invited = event.producer.class() == Class::Executor && event.ground == "invitation";
    invited.then(|| StreamId::host(event.producer.name()))
}

/// Who has invited the host by whose invitation a key asks. Whoever invites it later did not let this key ask.
pub(super) fn inviter(
    streams: &(impl Streams + ?Sized),
    event: &LogProducerAsked,
) -> Option<String> {
    streams.get(&host_of(event)?)?.body.host()?.invited_by.clone()
}

/// Whether it is required already.
pub(super) fn check_required(
    body: Option<&Body>,
    event: &LogConfirmationsRequired,
) -> Result<(), String> {
    check_text(&event.reason, "a reason")?;
    let required = body.and_then(Body::joining).is_some_and(|joining| joining.required);
    need(!required, "keys are confirmed by a person already")
}

/// A producer asks once with a key, and keeps others of its name out while nobody has said anything of that.
pub(super) fn check_asked(
    ledger: &Ledger,
    body: Option<&Body>,
    event: &LogProducerAsked,
    received: Timestamp,
) -> Result<(), String> {
    let joining = body.and_then(Body::joining).filter(|joining| joining.required);
    let joining = joining.ok_or("keys are let in without that a person confirms them")?;
    ledger.check_new_key(&event.producer, &event.key, &event.ground)?;
    joining.may_ask(&event.producer, &event.key, received)
}

/// A person who is not the one who invited the host confirms the key that waits.
pub(super) fn check_confirmed(
    ledger: &Ledger,
    body: Option<&Body>,
    envelope: &Envelope,
    event: &LogProducerConfirmed,
) -> Result<(), String> {
    check_text(&event.reason, "a reason")?;
    let asked = asked(ledger, body, &event.producer, &event.fingerprint)?;
    need(!asked.is_confirmed(), "this key was confirmed already")?;
    let actor = envelope.actor.as_deref();
    need(actor.is_some(), "a person confirms a key, who is named")?;
    let inviter = asked.invited_by.as_deref();
    let another = inviter.is_none() || ledger.policy.is_another(actor, inviter);
    need(another, "whoever invited a host does not confirm its key")
}

/// A key that waits, or was confirmed and is not let in yet, is declined.
pub(super) fn check_declined(
    ledger: &Ledger,
    body: Option<&Body>,
    event: &LogProducerDeclined,
) -> Result<(), String> {
    check_text(&event.reason, "a reason")?;
    let asked = asked(ledger, body, &event.producer, &event.fingerprint)?;
    let declined = matches!(asked.answer, Some(KeyAnswer::Declined { .. }));
    need(!declined, "this key was declined already")
}

/// A person takes the key of a service back that counts, at another console; a recorder is left.
pub(super) fn check_revoked(
    ledger: &Ledger,
    envelope: &Envelope,
    event: &LogProducerRevoked,
) -> Result<(), String> {
    check_text(&event.reason, "a reason")?;
    let id = &event.producer;
    let hosts = "the key of a host is taken back in the host's own stream";
    need(id.class() != Class::Executor, hosts)?;
    let known = ledger.producers.get(id).ok_or_else(|| format!("nobody let {id} in"))?;
    need(!known.revoked, "its key was taken back already")?;
    need(envelope.actor.is_some(), "a person takes a key back, who is named")?;
    need(
        *id != envelope.source,
        "a console does not take its own key back: say it at another one",
    )?;
    let others = ledger.producers.iter().filter(|(other, _)| *other != id);
    let mut left = others.filter(|(_, producer)| !producer.revoked).map(|(other, _)| other.class());
    let recorder = id.class() != Class::Audit || left.any(|class| class == Class::Audit);
    need(recorder, "no recorder would be left: let another one in first")
}

/// Where it is required, the key was confirmed.
pub(super) fn check_enrolled(
    streams: &impl Streams,
    event: &LogProducerEnrolled,
) -> Result<(), String> {
    let Some(joining) = known(streams).filter(|joining| joining.required) else { return Ok(()) };
    let asked = joining.asked.get(&event.producer).filter(|asked| asked.is_confirmed());
    let confirmed = asked.is_some_and(|a| a.key == event.key && a.ground == event.ground);
    need(confirmed, "nobody has confirmed this key")
}

/// The key that asks for this name, by its fingerprint.
fn asked<'a>(
    ledger: &Ledger,
    body: Option<&'a Body>,
    producer: &ProducerId,
    fingerprint: &Digest,
) -> Result<&'a AskedKey, String> {
    let joining = body.and_then(Body::joining);
    let asked = joining.and_then(|joining| joining.asked.get(producer));
    let asked = asked.ok_or_else(|| format!("no key waits for the name {producer}"))?;
    let other = "another key waits than the one with this fingerprint";
    need(asked.fingerprint().as_ref() == Some(fingerprint), other)?;
    need(!ledger.producers.contains_key(producer), "this key is let in already")?;
    Ok(asked)
}
