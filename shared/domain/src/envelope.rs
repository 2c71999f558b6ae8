//! The envelope: the exact bytes a producer signs (CloudEvents 1.0 names, RFC 8785 bytes).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::canonical::{Digest, canonical};
use crate::event::{Event, EventError};
use crate::ids::{ProducerId, StreamId};

/// Largest envelope, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 16 * 1024;

/// The newest head of the log that a producer had verified when it made an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Size of the log, in events.
    pub size: u64,
    /// Root of the tree at that size.
    pub root: Digest,
}

/// What an event commits to that is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadRef {
    /// Salted hash of the plaintext.
    pub commitment: Digest,
    /// Retention class.
    pub class: String,
}

/// One event as it is signed and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: String,
    /// Identity of the event, a UUID of version 7.
    pub id: Uuid,
    /// The producer.
    pub source: ProducerId,
    /// The kind, such as `run.due`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stream.
    pub subject: StreamId,
    /// When the producer made it, by its own clock, UTC.
    pub time: Timestamp,
    /// Its place in the stream, from 1. It is the lock: the recorder lets one event have it.
    pub version: u64,
    /// Version of the body.
    pub schema: u32,
    /// The producer's counter, from 1, without gaps.
    pub pseq: u64,
    /// SHA-256 of the producer's previous envelope; zeros before the first.
    pub pprev: Digest,
    /// Newest head the producer had verified. Absent where none is newer than what its event before said: that one is in
    /// `pprev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Who acted: `user/…`, or absent where the producer acted by rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onbehalf: Option<String>,
    /// The event that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Uuid>,
    /// What belongs together beyond a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The body.
    pub data: Value,
    /// What it commits to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadRef>,
}

/// Bytes that are not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Over [`ENVELOPE_BYTES_MAX`].
    #[error("an envelope of {0} bytes is over the limit of {ENVELOPE_BYTES_MAX}")]
    TooLarge(usize),
    /// Not JSON, or not the fields of an envelope.
    #[error("not an envelope: {0}")]
    Json(String),
    /// It would not read back as it is.
    #[error("{kind} would not read back as it is: {why}")]
    Altered {
        /// The kind of event.
        kind: String,
        /// What is wrong.
        why: String,
    },
    /// JSON, but not its one canonical spelling (spaces, key order, a key twice, a number's form).
    #[error("the bytes are not the canonical form (RFC 8785) of what they say")]
    NotCanonical,
    /// A field has a value that no envelope has.
    #[error("the field {field} may not be {value:?}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

impl Envelope {
    /// Reads bytes, and accepts only what [`Envelope::to_bytes`] would have written.
    ///
    /// # Errors
    /// See [`EnvelopeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        let envelope: Self =
            serde_json::from_slice(bytes).map_err(|e| EnvelopeError::Json(e.to_string()))?;
        if envelope.to_bytes()? != bytes {
            return Err(EnvelopeError::NotCanonical);
        }
        envelope.check()?;
        Ok(envelope)
    }

    /// Reads bytes that are already in the log and were checked when they came in.
    ///
    /// # Errors
    /// The bytes are not an envelope at all.
    pub fn parse_stored(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(bytes).map_err(|e| EnvelopeError::Json(e.to_string()))
    }

    fn check(&self) -> Result<(), EnvelopeError> {
        let bad = |field, value: String| Err(EnvelopeError::Field { field, value });
        if self.specversion != "1.0" {
            return bad("specversion", self.specversion.clone());
        }
        if self.version == 0 || self.pseq == 0 {
            return bad("version or pseq", "0".to_owned());
        }
        if self.time.as_nanosecond() % 1_000 != 0 {
            return bad("time", self.time.to_string());
        }
        Ok(())
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// The envelope is over the limit, or its body cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnvelopeError> {
        let bytes = canonical(self).map_err(|e| EnvelopeError::Json(e.to_string()))?;
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// The body, read by its kind and schema version.
    ///
    /// # Errors
    /// See [`Event::read`].
    pub fn event(&self) -> Result<Event, EventError> {
        Event::read(&self.kind, self.schema, &self.data)
    }
}

/// What a producer wants to say, before its journal gives it a place, a time and a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The stream.
    pub stream: StreamId,
    /// The version the event must get; anything else is a conflict.
    pub version: u64,
    /// The fact.
    pub event: Event,
    /// Who acted.
    pub actor: Option<String>,
    /// The event that led to this one.
    pub cause: Option<Uuid>,
    /// What belongs together.
    pub correlation: Option<String>,
    /// What it commits to that is not in it.
    pub payload: Option<PayloadRef>,
    /// Newest head of the log that its producer has verified, where that is news.
    pub seen: Option<Seen>,
}

impl Draft {
    /// A draft without actor, cause or correlation.
    pub fn new(stream: StreamId, version: u64, event: impl Into<Event>) -> Self {
        let event = event.into();
        Self {
            stream,
            version,
            event,
            actor: None,
            cause: None,
            correlation: None,
            payload: None,
            seen: None,
        }
    }

    /// The same, said by `actor`.
    #[must_use]
    pub fn by(mut self, actor: Option<&str>) -> Self {
        self.actor = actor.map(str::to_owned);
        self
    }

    /// The same, committing to what is not in it.
    #[must_use]
    pub fn with_payload(mut self, payload: PayloadRef) -> Self {
        self.payload = Some(payload);
        self
    }

    /// The same, by a producer that has verified this head.
    #[must_use]
    pub fn seeing(mut self, seen: Option<Seen>) -> Self {
        self.seen = seen;
        self
    }

    /// The same, led to by the event `cause`.
    #[must_use]
    pub fn because(mut self, cause: Option<Uuid>) -> Self {
        self.cause = cause;
        self
    }
}

/// A producer's place in its own sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Counter of its last event; 0 before the first.
    pub pseq: u64,
    /// Hash of its last envelope.
    pub last: Digest,
}

impl Place {
    /// Turns a draft into the next envelope of `source`, and moves on.
    ///
    /// # Errors
    /// The event cannot be written, or is over [`ENVELOPE_BYTES_MAX`].
    pub fn seal(
        &mut self,
        source: &ProducerId,
        draft: Draft,
        id: Uuid,
        time: Timestamp,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let data = draft.event.body().map_err(|e| EnvelopeError::Json(e.to_string()))?;
        let envelope = Envelope {
            specversion: "1.0".to_owned(),
            id,
            source: source.clone(),
            kind: draft.event.kind().to_owned(),
            subject: draft.stream,
            time: to_micros(time),
            version: draft.version,
            schema: draft.event.schema(),
            pseq: self.pseq + 1,
            pprev: self.last,
            seen: draft.seen,
            actor: draft.actor,
            onbehalf: None,
            cause: draft.cause,
            correlation: draft.correlation,
            data,
            payload: draft.payload,
        };
        let bytes = envelope.to_bytes()?;
        reads_back(&envelope, &bytes)?;
        *self = Self { pseq: envelope.pseq, last: Digest::of(&bytes) };
        Ok(bytes)
    }
}

/// What the recorder could not read it would refuse for ever, and what is written otherwise was not said: numbers above 2^53
/// have no form of their own (RFC 8785 §3.2.2.3).
fn reads_back(envelope: &Envelope, bytes: &[u8]) -> Result<(), EnvelopeError> {
    let altered = |why: String| EnvelopeError::Altered { kind: envelope.kind.clone(), why };
    let back = Envelope::parse(bytes).map_err(|error| altered(error.to_string()))?;
    if back.data != envelope.data {
        return Err(altered("a number is larger than can be written".to_owned()));
    }
    back.event().map_err(|error| altered(error.to_string())).map(drop)
}

/// Cuts an instant to whole microseconds, the resolution of the log.
pub fn to_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::JobPaused;
    use crate::ids::Class;

    fn sealed() -> Vec<u8> {
        let source = ProducerId::new(Class::Console, "c1").unwrap();
        let draft = Draft::new(StreamId::job("a"), 3, JobPaused { reason: "moving house".into() })
            .by(Some("user/ana"));
        let time: Timestamp = "2026-11-20T07:00:00.123456789Z".parse().unwrap();
        let id = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);
        Place { pseq: 4, last: Digest::of(b"x") }.seal(&source, draft, id, time).unwrap()
    }

    #[test]
    fn what_is_sealed_reads_back_and_counts_on() {
        let envelope = Envelope::parse(&sealed()).unwrap();
        assert_eq!((envelope.pseq, envelope.version), (5, 3));
        assert_eq!(envelope.time.to_string(), "2026-11-20T07:00:00.123456Z");
        assert_eq!(envelope.event().unwrap().kind(), "job.paused");
    }

    /// Or its producer would be refused for ever, by an event it has in its journal.
    #[test]
    fn what_would_not_read_back_as_it_is_is_refused_before_it_has_a_place() {
        let source = ProducerId::new(Class::Console, "c1").unwrap();
        let time: Timestamp = "2026-11-20T07:00:00Z".parse().unwrap();
        for last in [u64::MAX, u64::MAX - 1_000, (1 << 53) + 1] {
            let loaded = crate::event::FormLoaded { first: 1, last, note: String::new() };
            let stream = StreamId::thing(crate::site::ThingKind::Form, "checks");
            let mut place = Place::default();
            let sealed = place.seal(&source, Draft::new(stream, 1, loaded), Uuid::nil(), time);
            assert!(matches!(sealed, Err(EnvelopeError::Altered { .. })), "{last}: {sealed:?}");
            assert_eq!(place, Place::default(), "nothing was said");
        }
        let most = crate::event::FormLoaded { first: 1, last: 1 << 53, note: String::new() };
        let stream = StreamId::thing(crate::site::ThingKind::Form, "checks");
        let draft = Draft::new(stream, 1, most);
        Place::default().seal(&source, draft, Uuid::nil(), time).unwrap();
    }

    #[test]
    fn only_the_canonical_spelling_is_accepted() {
        let good = String::from_utf8(sealed()).unwrap();
        let spaced = good.replacen(':', ": ", 1);
        let doubled = good.replacen("{\"actor\"", "{\"actor\":\"user/bob\",\"actor\"", 1);
        let inner = good.replacen("{\"reason\"", "{\"reason\":\"x\",\"reason\"", 1);
        for bad in [spaced, doubled, inner] {
            assert!(Envelope::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let good = String::from_utf8(sealed()).unwrap();
        let more = good.replacen("\"version\":3", "\"version\":3,\"zeal\":1", 1);
        assert!(matches!(Envelope::parse(more.as_bytes()), Err(EnvelopeError::Json(_))));
    }

    #[test]
    fn an_envelope_over_16_kib_is_refused_when_it_is_made() {
        let source = ProducerId::new(Class::Console, "c1").unwrap();
        let draft = Draft::new(StreamId::job("a"), 1, JobPaused { reason: "x".repeat(20_000) });
        let mut place = Place::default();
        let error = place.seal(&source, draft, Uuid::nil(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, EnvelopeError::TooLarge(_)));
        assert_eq!(place, Place::default(), "a refused draft does not use up a number");
    }
}
