//! A log with a producer of every class, and the checks that every log must pass.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::canonical::Digest;
use domain::envelope::{Draft, Place};
use domain::event::{LogCreated, LogProducerEnrolled};
use domain::flush::Flush;
use domain::ids::{Class, ProducerId, StreamId};
use domain::keys::SecretKey;
use domain::ledger::Mark;
use eventlog::{Appended, Appender, EventLog, LogError, Refused};
use jiff::{SignedDuration, Timestamp};
use tlog::{Frontier, SignerKey, leaf_hash};
use uuid::Uuid;

use crate::drafts::{approved, at, proposed};
use crate::store::Store;

static IDENTITIES: AtomicU64 = AtomicU64::new(1);

/// An event identity that nothing else in this process has.
pub(crate) fn identity() -> Uuid {
    let number = u128::from(IDENTITIES.fetch_add(1, Ordering::Relaxed));
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | number)
}

/// A producer with its key and its place.
#[derive(Clone)]
pub(crate) struct Voice {
    pub(crate) id: ProducerId,
    pub(crate) key: SecretKey,
    pub(crate) place: Place,
}

impl Voice {
    pub(crate) fn new(class: Class, name: &str) -> Self {
        Self::of(ProducerId::new(class, name).unwrap())
    }

    /// The executor of a host with its key of this number.
    pub(crate) fn of_host(host: &str, generation: u32) -> Self {
        Self::of(ProducerId::of_host(host, generation).unwrap())
    }

    fn of(id: ProducerId) -> Self {
        let key = SecretKey::from_seed(&Digest::of(id.as_str().as_bytes()).0);
        Self { id, key, place: Place::default() }
    }

    /// The next flush.
    pub(crate) fn flush(&mut self, drafts: Vec<Draft>, now: Timestamp) -> Flush {
        self.flush_as(drafts.into_iter().map(|draft| (identity(), draft)).collect(), now)
    }

    /// The next flush, with these identities.
    pub(crate) fn flush_as(&mut self, drafts: Vec<(Uuid, Draft)>, now: Timestamp) -> Flush {
        let seal = |(id, draft)| self.place.seal(&self.id, draft, id, now).unwrap();
        let envelopes = drafts.into_iter().map(seal).collect();
        Flush::sign(envelopes, &self.key).unwrap()
    }

    pub(crate) fn enrolled(&self, version: u64) -> Draft {
        self.enrolled_by("embedded", version)
    }

    pub(crate) fn enrolled_by(&self, ground: &str, version: u64) -> Draft {
        let event = LogProducerEnrolled {
            producer: self.id.clone(),
            class: self.id.class(),
            key: self.key.public().to_hex(),
            ground: ground.to_owned(),
        };
        Draft::new(StreamId::log("main"), version, event)
    }

    fn created(&self) -> Draft {
        let head = SignerKey::from_seed("test.local/log", &[7; 32]).unwrap();
        let event = LogCreated {
            origin: "test.local/log".to_owned(),
            producer: self.id.clone(),
            key: self.key.public().to_hex(),
            head_key: head.verifier_key().to_string(),
            version: "0".to_owned(),
        };
        Draft::new(StreamId::log("main"), 1, event)
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Audit,
    Console,
    Scheduler,
    Host,
}

/// A log at work.
pub(crate) struct Site {
    pub(crate) log: EventLog,
    pub(crate) appender: Appender,
    pub(crate) voices: BTreeMap<Who, Voice>,
    pub(crate) now: Timestamp,
    /// How many events `log/main` has.
    pub(crate) main: u64,
    /// Everything that was sent, and when.
    pub(crate) sent: Vec<(Flush, Timestamp)>,
}

impl Site {
    /// A new log in an empty database: its creation and the three others, enrolled, in one flush.
    pub(crate) async fn begin(store: &Store) -> Self {
        Self::over(store.migrated().await).await
    }

    pub(crate) async fn over(log: EventLog) -> Self {
        let appender = Appender::open(log.clone()).await.unwrap();
        let voices = BTreeMap::from([
            (Who::Audit, Voice::new(Class::Audit, "a0")),
            (Who::Console, Voice::new(Class::Console, "c0")),
            (Who::Scheduler, Voice::new(Class::Scheduler, "s0")),
            (Who::Host, Voice::new(Class::Executor, "h0")),
        ]);
        let (now, sent) = (at("2026-11-20T02:00:00Z"), Vec::new());
        let mut site = Self { log, appender, voices, now, main: 4, sent };
        let mut drafts = vec![site.voices[&Who::Audit].created()];
        let others = site.voices.values().skip(1).zip(2..);
        drafts.extend(others.map(|(voice, version)| voice.enrolled(version)));
        let first = site.say(Who::Audit, drafts).await;
        assert!(first.all_valid(), "{first:?}");
        site
    }

    /// With one job that is approved.
    pub(crate) async fn with_job(store: &Store, job: &str) -> Self {
        let mut site = Self::begin(store).await;
        site.approve(job).await;
        site
    }

    pub(crate) async fn approve(&mut self, job: &str) {
        self.valid(Who::Console, vec![proposed(job, 1, 1), approved(job, 2, 1)]).await;
        self.tick();
    }

    /// A second passes.
    pub(crate) fn tick(&mut self) -> Timestamp {
        self.now = self.now.checked_add(SignedDuration::from_secs(1)).unwrap();
        self.now
    }

    pub(crate) fn flush(&mut self, who: Who, drafts: Vec<Draft>) -> Flush {
        let now = self.now;
        self.voices.get_mut(&who).unwrap().flush(drafts, now)
    }

    pub(crate) async fn send(&mut self, flushes: &[Flush]) -> Vec<Result<Appended, Refused>> {
        self.try_send(flushes).await.unwrap()
    }

    pub(crate) async fn try_send(
        &mut self,
        flushes: &[Flush],
    ) -> Result<Vec<Result<Appended, Refused>>, LogError> {
        self.sent.extend(flushes.iter().map(|flush| (flush.clone(), self.now)));
        self.appender.append(flushes, self.now).await.map(|(results, _entries)| results)
    }

    pub(crate) async fn say(&mut self, who: Who, drafts: Vec<Draft>) -> Appended {
        let flush = self.flush(who, drafts);
        self.send(&[flush]).await.remove(0).unwrap()
    }

    /// Says what must be accepted.
    pub(crate) async fn valid(&mut self, who: Who, drafts: Vec<Draft>) -> Appended {
        let appended = self.say(who, drafts).await;
        assert!(appended.all_valid(), "{appended:?}");
        appended
    }

    /// Says one thing, and returns its mark.
    pub(crate) async fn mark(&mut self, who: Who, draft: Draft) -> Mark {
        self.say(who, vec![draft]).await.events.remove(0).mark
    }

    /// One more producer of a name of its own.
    pub(crate) async fn enrol(&mut self, class: Class, name: &str) -> Voice {
        let voice = Voice::new(class, name);
        self.main += 1;
        let draft = voice.enrolled(self.main);
        self.valid(Who::Audit, vec![draft]).await;
        voice
    }
}

/// Reads the whole log: no gap, hashes that fit, and a head that is the tree's. Returns its size.
pub(crate) async fn check_tree(log: &EventLog) -> u64 {
    let mut tree = Frontier::default();
    loop {
        let leaves = log.leaves(tree.size(), 97).await.unwrap();
        if leaves.is_empty() {
            break;
        }
        for leaf in leaves {
            assert_eq!(leaf.position, tree.size() + 1, "a gap");
            let hash = leaf_hash(&leaf.bytes);
            assert_eq!(leaf.hash, hash.0, "hash of {}", leaf.position);
            tree.push(hash);
        }
    }
    assert_eq!(log.head().await.unwrap(), (tree.size(), tree.root()));
    assert_eq!(log.edge().await.unwrap(), tree);
    tree.size()
}

/// Every producer's counters run without a gap, in the order of the log.
pub(crate) async fn check_counters(log: &EventLog) {
    let mut counters: BTreeMap<ProducerId, u64> = BTreeMap::new();
    let mut after = 0;
    loop {
        let entries = log.entries(after, 500, None).await.unwrap();
        let Some(last) = entries.last() else { break };
        after = last.position;
        for entry in &entries {
            let envelope = entry.envelope().unwrap();
            envelope.event().unwrap();
            let counter = counters.entry(envelope.source).or_default();
            *counter += 1;
            assert_eq!(envelope.pseq, *counter, "at {}", entry.position);
        }
    }
}
