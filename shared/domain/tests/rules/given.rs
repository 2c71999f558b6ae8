//! What the tables have in common: example events, definitions, and a log in memory.

use std::collections::BTreeMap;
use std::fs;

use domain::canonical::Digest;
use domain::envelope::{Draft, Envelope, Place};
use domain::event::{
    DefinitionRef, Event, JobApproved, JobProposed, LogCreated, LogProducerEnrolled, Nominal,
    RunDue, RunEvent,
};
use domain::ids::{ProducerId, StreamId};
use domain::job::JobDefinition;
use domain::keys::SecretKey;
use domain::ledger::{Ledger, Mark, Memory, Streams as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// An instant of 2026-11-20, UTC: `at("02:30")` or `at("02:30:00.5")`; a full timestamp for another day.
pub(crate) fn at(text: &str) -> Timestamp {
    if text.contains('T') {
        return text.parse().unwrap();
    }
    let seconds = if text.matches(':').count() == 1 { ":00" } else { "" };
    format!("2026-11-20T{text}{seconds}Z").parse().unwrap()
}

pub(crate) fn later(instant: Timestamp, ms: i64) -> Timestamp {
    instant + SignedDuration::from_millis(ms)
}

pub(crate) fn producer(id: &str) -> ProducerId {
    id.parse().unwrap()
}

pub(crate) fn stream(id: &str) -> StreamId {
    id.parse().unwrap()
}

/// The example body of a kind, as it stands in its golden file.
pub(crate) fn golden(kind: &str) -> Event {
    let path = format!("{}/tests/golden/{kind}.1.json", env!("CARGO_MANIFEST_DIR"));
    let body: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    Event::read(kind, 1, &body).unwrap()
}

pub(crate) fn golden_run(kind: &str) -> RunEvent {
    let Event::RunEvent(event) = golden(kind) else { panic!("{kind}") };
    event
}

/// The definition of job `pay` with `fields` added.
pub(crate) fn definition(fields: Value) -> JobDefinition {
    let mut all = json!({"name": "pay", "command": {"argv": ["/bin/true"]}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let definition: JobDefinition = serde_json::from_value(all).unwrap();
    assert_eq!(definition.problems(), []);
    definition
}

pub(crate) fn reference(number: u32, definition: &JobDefinition) -> DefinitionRef {
    DefinitionRef::new(number, definition.digest().unwrap())
}

/// The occurrence at a UTC instant, and its run.
pub(crate) fn occurrence(instant: Timestamp) -> (StreamId, Nominal) {
    let text = instant.to_string();
    let label = text.strip_suffix(":00Z").or(text.strip_suffix('Z')).unwrap();
    let nominal = Nominal {
        at: instant,
        local: format!("{}+00:00[UTC]", text.strip_suffix('Z').unwrap()),
        walls: vec![],
        reason: "exact".to_owned(),
        tzdb: "2026b".to_owned(),
        business_day: None,
        moved_from: vec![],
        calendars: vec![],
        after: None,
    };
    (StreamId::run("pay", &format!("{label}+00:00")), nominal)
}

/// A run that is due at an instant.
pub(crate) fn due(definition: DefinitionRef, instant: Timestamp) -> (StreamId, RunDue) {
    let RunEvent::RunDue(due) = golden_run("run.due") else { panic!("not due") };
    let (run, nominal) = occurrence(instant);
    let (job, nominal, host) = ("pay".to_owned(), Some(nominal), None);
    let (hold, behind, catch_up) = (None, vec![], false);
    (run, RunDue { job, definition, nominal, host, hold, behind, catch_up, ..due })
}

/// A log in memory with its producers.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) streams: Memory,
    /// Every valid event, to be fed to those who follow.
    pub(crate) feed: Vec<(Envelope, Event, Timestamp)>,
    /// Every void one, and why it is.
    pub(crate) voids: Vec<(Envelope, Timestamp, Option<String>)>,
    places: BTreeMap<ProducerId, Place>,
    ids: u128,
}

pub(crate) fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

impl World {
    pub(crate) fn empty() -> Self {
        let (ledger, streams) = (Ledger::default(), Memory::default());
        Self { ledger, streams, feed: vec![], voids: vec![], places: BTreeMap::new(), ids: 0 }
    }

    /// A log that knows one producer of each class.
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut world = Self::empty();
        let audit = producer("audit/main");
        let created = LogCreated {
            origin: "log.example/decklog".to_owned(),
            producer: audit,
            key: key().public().to_hex(),
            head_key: "log.example/decklog+00000000+AA".to_owned(),
            version: "0.1.0".to_owned(),
        };
        assert_eq!(
            world.say("audit/main", Draft::new(StreamId::log("main"), 1, created), now),
            Mark::Valid
        );
        for id in ["console/c1", "scheduler/s1", "scheduler/s2", "executor/h1", "executor/h2"] {
            world.enrol(id, now);
        }
        world
    }

    pub(crate) fn enrol(&mut self, id: &str, now: Timestamp) {
        let enrolled = LogProducerEnrolled {
            producer: producer(id),
            class: producer(id).class(),
            key: key().public().to_hex(),
            ground: "embedded".to_owned(),
        };
        let mark = self.say_next("audit/main", StreamId::log("main"), enrolled, now);
        assert_eq!(mark, Mark::Valid, "{id}");
    }

    pub(crate) fn version(&self, stream: &StreamId) -> u64 {
        self.streams.get(stream).map_or(0, |state| state.version)
    }

    /// Seals a draft as `id` would.
    pub(crate) fn seal(&mut self, id: &str, draft: Draft, now: Timestamp) -> (Envelope, Vec<u8>) {
        self.ids += 1;
        let place = self.places.entry(producer(id)).or_default();
        let bytes = place.seal(&producer(id), draft, Uuid::from_u128(self.ids), now).unwrap();
        (Envelope::parse(&bytes).unwrap(), bytes)
    }

    /// Producer `id` says something, and the recorder judges it when its clock shows `now`.
    pub(crate) fn say(&mut self, id: &str, draft: Draft, now: Timestamp) -> Mark {
        let (envelope, bytes) = self.seal(id, draft, now);
        let event = envelope.event().unwrap();
        let received = self.ledger.receive_time(now, &event);
        let hash = Digest::of(&bytes);
        let mark = self.ledger.judge(&mut self.streams, &envelope, &event, hash, received);
        if mark == Mark::Valid {
            self.feed.push((envelope, event, received));
        } else {
            self.voids.push((envelope, received, mark.void()));
        }
        mark
    }

    /// The same with the version that is the next of the stream.
    pub(crate) fn say_next(
        &mut self,
        id: &str,
        stream: StreamId,
        event: impl Into<Event>,
        now: Timestamp,
    ) -> Mark {
        let version = self.version(&stream) + 1;
        self.say(id, Draft::new(stream, version, event), now)
    }

    /// The same by a person.
    pub(crate) fn say_by(
        &mut self,
        actor: &str,
        stream: StreamId,
        event: impl Into<Event>,
        now: Timestamp,
    ) -> Mark {
        let version = self.version(&stream) + 1;
        self.say("console/c1", Draft::new(stream, version, event).by(Some(actor)), now)
    }

    /// Proposes a definition as ana and approves it as bob; its number.
    pub(crate) fn activate(&mut self, definition: &JobDefinition, now: Timestamp) -> DefinitionRef {
        let job = StreamId::job(&definition.name);
        let state = self.streams.get(&job).and_then(|state| state.body.job());
        let number = state.map_or(0, |job| job.versions.numbers) + 1;
        let digest = definition.digest().unwrap();
        let (reason, definition) =
            ("because".to_owned(), serde_json::to_value(definition).unwrap());
        let proposed = JobProposed { number, digest, definition, reason };
        assert_eq!(self.say_by("user/ana", job.clone(), proposed, now), Mark::Valid);
        let approved = JobApproved { number, digest };
        assert_eq!(self.say_by("user/bob", job, approved, now), Mark::Valid);
        DefinitionRef::new(number, digest)
    }
}
