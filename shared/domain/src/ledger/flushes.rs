//! Whether a flush is what an enrolled producer said next.

use super::{Ledger, Producer};
use crate::canonical::Digest;
use crate::envelope::{Envelope, EnvelopeError, Place};
use crate::event::{Event, EventError, LogEvent};
use crate::flush::Flush;
use crate::ids::ProducerId;
use crate::keys::{KeyError, PublicKey};

/// One event of an opened flush.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The envelope.
    pub envelope: Envelope,
    /// Its body.
    pub event: Event,
    /// SHA-256 of its bytes.
    pub hash: Digest,
}

/// Why a flush is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The producer has no key here: it must enrol first.
    #[error("producer {0} is not enrolled")]
    Unknown(ProducerId),
    /// An envelope cannot be read.
    #[error("event {index} of the flush: {error}")]
    Envelope {
        /// Which, from 0.
        index: usize,
        /// Why.
        error: EnvelopeError,
    },
    /// A body cannot be read.
    #[error("event {index} of the flush: {error}")]
    Body {
        /// Which, from 0.
        index: usize,
        /// Why.
        error: EventError,
    },
    /// The signature is not the producer's.
    #[error("the flush of {producer}: {error}")]
    Seal {
        /// The producer named.
        producer: ProducerId,
        /// Why.
        error: KeyError,
    },
    /// The producer's key counts no more.
    #[error("the key of {0} was revoked: nothing more is taken from it")]
    Revoked(ProducerId),
    /// The events are not consecutive events of one producer.
    #[error("event {index} of the flush does not follow the one before it")]
    Broken {
        /// Which, from 0.
        index: usize,
    },
    /// Its last event is in the log already: the answer to it was lost, or it is a fork.
    #[error("{producer} said up to {known} before; the flush ends at {ends}")]
    Known {
        /// The producer.
        producer: ProducerId,
        /// Counter of its newest event in the log.
        known: u64,
        /// Counter of the flush's last event.
        ends: u64,
    },
    /// It does not continue what the log holds of this producer.
    #[error(
        "{producer} is at event {known} in the log, the flush begins at {begins} and does not continue it"
    )]
    NotNext {
        /// The producer.
        producer: ProducerId,
        /// Counter of its newest event in the log.
        known: u64,
        /// Counter of the flush's first event.
        begins: u64,
    },
}

impl Ledger {
    /// Reads a flush and checks that it is what its producer said next.
    ///
    /// # Errors
    /// Why it is not taken. [`Refusal::Known`] is for the caller to look into: the flush may be a
    /// repetition, whose answer is the positions it got.
    pub fn open(&self, flush: &Flush) -> Result<Vec<Opened>, Refusal> {
        let opened = read(flush)?;
        let (Some(first), Some(last)) = (opened.first(), opened.last()) else {
            return Err(Refusal::Broken { index: 0 });
        };
        let source = &first.envelope.source;
        let founder = self.founder(first);
        let producer = self
            .producers
            .get(source)
            .or(founder.as_ref())
            .ok_or_else(|| Refusal::Unknown(source.clone()))?;
        let bytes = flush.envelopes.last().map_or(&[][..], Vec::as_slice);
        producer
            .key
            .verify(bytes, &flush.seal)
            .map_err(|error| Refusal::Seal { producer: source.clone(), error })?;
        let (known, ends, begins) = (producer.place.pseq, last.envelope.pseq, first.envelope.pseq);
        if ends <= known {
            return Err(Refusal::Known { producer: source.clone(), known, ends });
        }
        if producer.revoked {
            return Err(Refusal::Revoked(source.clone()));
        }
        // What it said in between is lost; it cannot say it again.
        let resumes = producer.adrift && begins > known + 1;
        let follows = begins == known + 1 && first.envelope.pprev == producer.place.last;
        if !follows && !resumes {
            return Err(Refusal::NotNext { producer: source.clone(), known, begins });
        }
        Ok(opened)
    }
}

impl Ledger {
    /// The producer that creates the log: nobody has enrolled it, its first event names its key.
    fn founder(&self, first: &Opened) -> Option<Producer> {
        let Event::LogEvent(LogEvent::LogCreated(created)) = &first.event else { return None };
        let key = PublicKey::from_hex(&created.key).ok()?;
        let own = created.producer == first.envelope.source;
        let founder = Producer { key, place: Place::default(), revoked: false, adrift: false };
        (self.size == 0 && own).then_some(founder)
    }
}

fn read(flush: &Flush) -> Result<Vec<Opened>, Refusal> {
    let mut opened: Vec<Opened> = Vec::with_capacity(flush.envelopes.len());
    for (index, bytes) in flush.envelopes.iter().enumerate() {
        let envelope =
            Envelope::parse(bytes).map_err(|error| Refusal::Envelope { index, error })?;
        let event = envelope.event().map_err(|error| Refusal::Body { index, error })?;
        if let Some(before) = opened.last()
            && !follows(before, &envelope)
        {
            return Err(Refusal::Broken { index });
        }
        opened.push(Opened { envelope, event, hash: Digest::of(bytes) });
    }
    Ok(opened)
}

fn follows(before: &Opened, next: &Envelope) -> bool {
    next.source == before.envelope.source
        && next.pseq == before.envelope.pseq + 1
        && next.pprev == before.hash
}
