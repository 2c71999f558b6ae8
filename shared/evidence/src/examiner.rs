//! Leaves, one after the other, and nothing believed that can be computed: bytes, signatures, counters, back-hashes, marks,
//! the tree, and which occurrences there should have been.

use std::collections::{BTreeMap, HashSet};

use domain::canonical::Digest;
use domain::controls::{Agreed, ControlSettings, Ended, Gathering, Outcome, Passing, Period};
use domain::envelope::{Envelope, Place};
use domain::event::{Event, EventError, LogEvent};
use domain::expect::{Accounted, Finding as Odd, Population};
use domain::flush::FLUSH_EVENTS_MAX;
use domain::ids::{Class, ProducerId};
use domain::keys::Seal;
use domain::leaf::Leaf;
use domain::ledger::{Body, Ledger, Mark, Memory, SEGMENT_EVENTS};
use domain::run::State;
use jiff::Timestamp;
use serde::Serialize;
use tlog::{Frontier, Hash, leaf_hash};
use uuid::Uuid;

use crate::finding::{Findings, Kind};
use crate::heads::{Head, own_key};
use crate::names::Name;

/// Which signatures are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Each one.
    #[default]
    Full,
    /// The last one of each producer: it vouches, by the hashes it stands on, for all before it.
    Tip,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Events read.
    pub events: u64,
    /// Of these, such as the rules let have no effect: tries that lost, or that were not allowed.
    pub void: u64,
    /// Signatures checked.
    pub signatures: u64,
    /// Producers that were let in.
    pub producers: u64,
    /// Events by kind.
    pub types: BTreeMap<String, u64>,
    /// Occurrences that the approved schedules imply.
    pub occurrences_expected: u64,
    /// Of these, in the log.
    pub occurrences_recorded: u64,
    /// Of these, too young to have been decided.
    pub occurrences_undecided: u64,
    /// Runs.
    pub runs: u64,
    /// Of these, not ended.
    pub runs_open: u64,
    /// Of these, with an outcome that nobody knows.
    pub runs_unknown: u64,
    /// Versions of the time zone database by which occurrences were decided, one after the other.
    pub tzdb: Vec<String>,
}

/// What an examination of all leaves comes to.
#[derive(Debug)]
pub struct Examined {
    /// What is wrong.
    pub findings: Findings,
    /// What was counted.
    pub counts: Counts,
    /// What the log says of itself: its name, its key, who may append.
    pub ledger: Ledger,
    /// Every stream as it stands at the end.
    pub streams: Memory,
    /// The tree of all leaves.
    pub tree: Frontier,
    /// Roots at the sizes that were asked for, as far as the log reaches.
    pub roots: BTreeMap<u64, Hash>,
    /// The hash of each leaf: 32 bytes for each event, far less than the events themselves.
    pub leaves: Vec<Hash>,
    /// What became of each control, where they were asked for.
    pub controls: Vec<Outcome>,
    /// The names under which the log has gone, one after the other.
    pub names: Vec<Name>,
    /// By which measures they were to be tested: those that the log had approved at the end of the period.
    pub agreed: Option<Agreed>,
}

/// The last signature of a producer, where only that is checked.
#[derive(Debug)]
struct Last {
    position: u64,
    envelope: Vec<u8>,
    seals: Vec<Seal>,
}

/// What is wrong with something.
type Wrong = (Kind, String);
/// A leaf, its envelope, and the body of that, where it is one.
type Entry = (Leaf, Envelope, Result<Event, Wrong>);

/// Entries as they are read, one after the other: what each has to be by itself, and that none comes twice.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    ids: HashSet<Uuid>,
    /// Events by kind.
    pub(crate) types: BTreeMap<String, u64>,
}

impl Entries {
    /// What is in the entry at a position.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        position: u64,
        findings: &mut Findings,
    ) -> Result<Entry, Wrong> {
        let leaf = Leaf::from_bytes(bytes).map_err(|e| (Kind::LeafForm, e.to_string()))?;
        if leaf.to_bytes() != bytes {
            return Err((Kind::LeafForm, "the bytes are not the one spelling of it".to_owned()));
        }
        let envelope =
            Envelope::parse(&leaf.envelope).map_err(|e| (Kind::EnvelopeForm, e.to_string()))?;
        *self.types.entry(envelope.kind.clone()).or_default() += 1;
        if !self.ids.insert(envelope.id) {
            let text = format!("the identity {} is that of an event before it", envelope.id);
            findings.at(position, Kind::DuplicateId, text);
        }
        let event = envelope.event().map_err(|error| match &error {
            EventError::Unknown { .. } => (Kind::EventUnknown, error.to_string()),
            EventError::Body { .. } => (Kind::EventForm, error.to_string()),
        });
        Ok((leaf, envelope, event))
    }
}

/// Examines leaves in their order.
#[derive(Debug, Default)]
pub struct Examiner {
    depth: Depth,
    ledger: Ledger,
    streams: Memory,
    population: Population,
    leaves: Vec<Hash>,
    /// The tree over as many of them as the newest head has that was looked at.
    grown: Frontier,
    entries: Entries,
    /// Events of each producer since its last signature.
    unsigned: BTreeMap<ProducerId, usize>,
    last: BTreeMap<ProducerId, Last>,
    /// Heads that producers say they had seen, by size, with the first position that says so.
    seen: BTreeMap<u64, (Digest, u64)>,
    counts: Counts,
    findings: Findings,
    names: Vec<Name>,
    gathering: Option<Gathering>,
    /// Of which time controls are asked at the end, and by which measures.
    asked: Option<(Period, ControlSettings)>,
}

/// An event that was read, and what the rules make of it.
#[derive(Debug)]
pub struct Taken {
    /// Its envelope.
    pub envelope: Envelope,
    /// Its body.
    pub event: Event,
    /// When the recorder received it.
    pub received: Timestamp,
    /// What the rules make of it.
    pub mark: Mark,
}

impl Examiner {
    /// An examination that checks these signatures.
    #[must_use]
    pub fn new(depth: Depth) -> Self {
        Self { depth, ..Self::default() }
    }

    /// The same, which computes the controls of a period too.
    #[must_use]
    pub fn with_controls(mut self, period: Period, settings: ControlSettings) -> Self {
        self.asked = Some((period, settings));
        self.gathering()
    }

    /// The same, which can be asked for controls while it is under way.
    #[must_use]
    pub fn gathering(mut self) -> Self {
        self.gathering = Some(Gathering::default());
        self
    }

    /// What became of each control in each of some periods, as far as leaves were taken, by measures that are given, or else by
    /// those that the log had approved at the end of each; `head` is the newest signed head that is known, which they have to
    /// fit.
    #[must_use]
    pub fn controls(
        &mut self,
        periods: &[Period],
        given: Option<&ControlSettings>,
        head: Option<&Head>,
    ) -> Vec<Vec<Outcome>> {
        let mut found = self.findings.clone();
        for (source, signed) in &self.last {
            self.check_seals(source, signed, &mut found);
        }
        let misfit = head.and_then(|head| self.misfit(head));
        if let Some((kind, text)) = misfit {
            found.add(kind, text);
        }
        let accounted = self.population.account(self.horizon());
        self.outcomes(&accounted, &found, periods, given)
    }

    /// Which measures the log had approved at the end of a period, as far as leaves were taken.
    #[must_use]
    pub fn agreed(&self, period: Period) -> Option<Agreed> {
        Some(self.gathering.as_ref()?.agreed(period))
    }

    /// Why a head is not the log's over the leaves that were taken, where they reach it.
    fn misfit(&mut self, head: &Head) -> Option<(Kind, String)> {
        let size =
            usize::try_from(head.says.size()).ok().filter(|size| *size <= self.leaves.len())?;
        if head.says.size() < self.grown.size() {
            self.grown = Frontier::new();
        }
        let grown = usize::try_from(self.grown.size()).ok()?;
        for leaf in self.leaves.get(grown..size)? {
            self.grown.push(*leaf);
        }
        let keys: Vec<_> = own_key(&self.ledger).into_iter().collect();
        head.misfit(self.ledger.origin.as_deref(), &keys, self.grown.root())
    }

    /// When the log began: its first event was received.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.gathering.as_ref()?.began()
    }

    /// How many leaves were taken.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The hash of the leaf that was taken last.
    #[must_use]
    pub fn newest(&self) -> Option<Hash> {
        self.leaves.last().copied()
    }

    /// Takes the next leaf. Returns what it says where it can be read.
    pub fn take(&mut self, bytes: &[u8]) -> Option<Taken> {
        self.leaves.push(leaf_hash(bytes));
        let position = self.size();
        self.counts.events += 1;
        let read = self.entries.read(bytes, position, &mut self.findings);
        match read.and_then(|(leaf, envelope, event)| Ok((leaf, envelope, event?))) {
            Ok((leaf, envelope, event)) => Some(self.judge(position, leaf, envelope, event)),
            Err((kind, text)) => {
                self.findings.at(position, kind, text);
                None
            }
        }
    }

    fn judge(&mut self, position: u64, leaf: Leaf, envelope: Envelope, event: Event) -> Taken {
        let received = leaf.received;
        if self.ledger.received.is_some_and(|last| received < last) {
            let text = "it was received before the event in front of it";
            self.findings.at(position, Kind::ReceivedBack, text);
        }
        self.check_chain(&envelope, &event, position);
        self.check_archived(&envelope, &event, position);
        self.remember_seen(&envelope, position);
        let hash = Digest::of(&leaf.envelope);
        let mark = self.ledger.judge(&mut self.streams, &envelope, &event, hash, received);
        self.check_signature(&envelope, leaf, position);
        match mark {
            Mark::Valid => self.observe(&envelope, &event, position, received),
            Mark::Conflict { .. } | Mark::Refused { .. } => self.counts.void += 1,
        }
        if let Some(gathering) = &mut self.gathering {
            let (envelope, event, mark, streams) = (&envelope, &event, &mark, &self.streams);
            gathering.observe(Passing { position, envelope, event, received, mark, streams });
        }
        Taken { envelope, event, received, mark }
    }

    fn observe(&mut self, envelope: &Envelope, event: &Event, position: u64, received: Timestamp) {
        self.names.extend(Name::given_by(event, position));
        if let Event::LogEvent(LogEvent::LogTzdbChanged(changed)) = event {
            self.counts.tzdb.push(changed.to.clone());
        }
        self.population.observe(&envelope.subject, event, received);
    }

    fn check_chain(&mut self, envelope: &Envelope, event: &Event, position: u64) {
        let source = &envelope.source;
        let founds = position == 1 && matches!(event, Event::LogEvent(LogEvent::LogCreated(_)));
        let place = match self.ledger.producers.get(source) {
            // What it said in between is lost, as the log says.
            Some(producer) if producer.adrift && envelope.pseq > producer.place.pseq + 1 => return,
            Some(producer) => producer.place,
            None if founds => Place::default(),
            None => {
                let text = format!("{source} was never let in");
                return self.findings.at(position, Kind::ProducerUnknown, text);
            }
        };
        if envelope.pseq != place.pseq + 1 {
            let (event, before) = (envelope.pseq, place.pseq);
            let text = format!("event {event} of {source} follows its event {before}");
            self.findings.at(position, Kind::ProducerGap, text);
        } else if envelope.pprev != place.last {
            let text = format!("it does not name the hash of the event of {source} before it");
            self.findings.at(position, Kind::ProducerChain, text);
        }
    }

    /// What a recorder says of a segment is compared with the tree, also where the rules give that no effect.
    fn check_archived(&mut self, envelope: &Envelope, event: &Event, position: u64) {
        let Event::LogEvent(LogEvent::LogArchived(said)) = event else { return };
        let index = |position: u64| usize::try_from(position).ok();
        let range = index(said.first).and_then(|first| first.checked_sub(1)).zip(index(said.last));
        let whole =
            said.last < position && said.last.checked_sub(said.first) == Some(SEGMENT_EVENTS - 1);
        let leaves = range.and_then(|(from, to)| self.leaves.get(from..to)).filter(|_| whole);
        let (Some(leaves), Class::Audit) = (leaves, envelope.source.class()) else { return };
        if leaves.iter().copied().collect::<Frontier>().root().0 != said.root.0 {
            let text = format!(
                "{} to {} have another root than {} says",
                said.first, said.last, envelope.source
            );
            self.findings.at(position, Kind::ArchiveRoot, text);
        }
    }

    /// What a producer had seen is compared with the tree at the end: it is behind the leaf that says so.
    fn remember_seen(&mut self, envelope: &Envelope, position: u64) {
        let Some(seen) = &envelope.seen else { return };
        // A producer may hold a head of what was lost until it looks again.
        if self.names.iter().any(|name| name.has_lost(seen.size)) {
            return;
        }
        if seen.size >= position {
            let text = format!("{} says it has seen a head of size {}", envelope.source, seen.size);
            return self.findings.at(position, Kind::SeenFork, text);
        }
        let known = self.seen.entry(seen.size).or_insert((seen.root, position));
        if known.0 != seen.root {
            let text = format!(
                "{} has seen another head of size {} than the event at {}",
                envelope.source, seen.size, known.1
            );
            self.findings.at(position, Kind::SeenFork, text);
        }
    }

    fn check_signature(&mut self, envelope: &Envelope, leaf: Leaf, position: u64) {
        let source = &envelope.source;
        let unsigned = self.unsigned.entry(source.clone()).or_default();
        *unsigned += 1;
        if leaf.seals.is_empty() {
            if *unsigned > FLUSH_EVENTS_MAX {
                let text =
                    format!("more than {FLUSH_EVENTS_MAX} events of {source} without a signature");
                self.findings.at(position, Kind::ProducerUnsigned, text);
            }
            return;
        }
        *unsigned = 0;
        let last = Last { position, envelope: leaf.envelope, seals: leaf.seals };
        match self.depth {
            Depth::Full => self.count_seals(source, &last),
            Depth::Tip => {
                self.last.insert(source.clone(), last);
            }
        }
    }

    /// Checks the signatures of a producer's event; says how many.
    fn check_seals(&self, source: &ProducerId, signed: &Last, found: &mut Findings) -> u64 {
        let Some(producer) = self.ledger.producers.get(source) else { return 0 };
        for seal in &signed.seals {
            if let Err(error) = producer.key.verify(&signed.envelope, seal) {
                let text = format!("the signature of {source}: {error}");
                found.at(signed.position, Kind::ProducerSignature, text);
            }
        }
        signed.seals.len() as u64
    }

    /// The same, of which the findings and the count are kept.
    fn count_seals(&mut self, source: &ProducerId, signed: &Last) {
        let mut found = std::mem::take(&mut self.findings);
        self.counts.signatures += self.check_seals(source, signed, &mut found);
        self.findings = found;
    }

    /// What all of it comes to, with the roots that the tree had at these sizes.
    #[must_use]
    pub fn finish(mut self, sizes: impl IntoIterator<Item = u64>) -> Examined {
        for (source, signed) in std::mem::take(&mut self.last) {
            self.count_seals(&source, &signed);
        }
        for (source, _) in std::mem::take(&mut self.unsigned).into_iter().filter(|(_, n)| *n > 0) {
            let text = format!("the last events of {source} have no signature");
            self.findings.add(Kind::ProducerUnsigned, text);
        }
        let before = self.names.iter().filter_map(Name::before);
        let (tree, roots) = self.grow(sizes.into_iter().chain(before).collect());
        self.count_runs();
        let accounted = self.population.account(self.horizon());
        let asked = self.asked.take();
        let agreed = asked.as_ref().and_then(|(period, _)| self.agreed(*period));
        let controls = asked.and_then(|(period, settings)| {
            self.outcomes(&accounted, &self.findings, &[period], Some(&settings)).pop()
        });
        let controls = controls.unwrap_or_default();
        self.account(accounted);
        self.counts.types = std::mem::take(&mut self.entries.types);
        self.counts.producers = self.ledger.producers.len() as u64;
        let Self { findings, counts, ledger, streams, leaves, names, .. } = self;
        Examined { findings, counts, ledger, streams, tree, roots, leaves, controls, names, agreed }
    }

    /// When the newest event was received.
    fn horizon(&self) -> Timestamp {
        self.ledger.received.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn outcomes(
        &self,
        accounted: &Accounted,
        findings: &Findings,
        periods: &[Period],
        given: Option<&ControlSettings>,
    ) -> Vec<Vec<Outcome>> {
        let Some(gathering) = &self.gathering else { return Vec::new() };
        let wrong: Vec<String> = findings.kept().iter().map(ToString::to_string).collect();
        let (streams, events, until) = (&self.streams, self.counts.events, self.horizon());
        let ended = Ended { streams, accounted, until, events, wrong: &wrong };
        let one = |period: &Period| match given {
            Some(settings) => gathering.outcomes(*period, settings, ended),
            None => gathering.outcomes(*period, &gathering.agreed(*period).settings, ended),
        };
        periods.iter().map(one).collect()
    }

    /// Lets the tree grow from nothing, and looks at it at the sizes that somebody asks for or that a producer says it has seen.
    fn grow(&mut self, sizes: HashSet<u64>) -> (Frontier, BTreeMap<u64, Hash>) {
        let (mut tree, mut roots) = (Frontier::new(), BTreeMap::new());
        let mut leaves = self.leaves.iter();
        loop {
            let size = tree.size();
            if sizes.contains(&size) {
                roots.insert(size, tree.root());
            }
            if let Some((root, position)) = self.seen.get(&size)
                && root.0 != tree.root().0
            {
                let text = format!("its producer had seen a head of size {size} with another root");
                self.findings.at(*position, Kind::SeenFork, text);
            }
            let Some(leaf) = leaves.next() else { return (tree, roots) };
            tree.push(*leaf);
        }
    }

    fn count_runs(&mut self) {
        for state in self.streams.0.values() {
            let Body::Run(run) = &state.body else { continue };
            self.counts.runs += 1;
            match run.state {
                State::Ended { .. } => {}
                State::Unknown { .. } => self.counts.runs_unknown += 1,
                State::Requested
                | State::Held { .. }
                | State::Waiting
                | State::Blocked
                | State::Due
                | State::Parts
                | State::Running { .. }
                | State::Retrying { .. } => self.counts.runs_open += 1,
            }
        }
    }

    fn account(&mut self, accounted: Accounted) {
        self.counts.occurrences_expected = accounted.expected;
        self.counts.occurrences_recorded = accounted.recorded;
        self.counts.occurrences_undecided = accounted.undecided;
        for finding in accounted.findings {
            let kind = match &finding {
                Odd::Missing { .. } => Kind::OccurrenceMissing,
                Odd::Unexpected { .. } => Kind::OccurrenceUnexpected,
                Odd::OtherDefinition { .. } | Odd::NotAsScheduled { .. } => Kind::OccurrenceOther,
                Odd::Unreadable { .. } => Kind::ScheduleUnreadable,
            };
            self.findings.add(kind, finding);
        }
    }
}
