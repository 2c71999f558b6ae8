//! The invariants, each under its own name. They hold after every step.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use domain::canonical::Digest;
use domain::envelope::{Envelope, Place};
use domain::event::{Event, LogEvent, RetryOn, RunEvent, ThingAct, ThingEvent};
use domain::expect::Population;
use domain::ids::{ProducerId, StreamId};
use domain::job::Share;
use domain::keys::PublicKey;
use domain::leaf::Leaf;
use domain::ledger::{Ledger, Mark, Memory};
use domain::run::{Run, State};
use domain::site::Thing;
use jiff::Timestamp;
use tlog::{Frontier, leaf_hash};

use super::log::Row;
use super::step::AttemptKey;
use super::{World, host_name};

/// Steps after which a world is called a mill that turns without grinding.
const STEPS_MAX: u64 = 1_500_000;

/// An auditor with nothing but the leaves: computes everything again.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    pub(super) ledger: Ledger,
    /// The state of every stream; what a query to the recorder answers.
    pub(super) streams: Memory,
    /// What should have happened.
    pub(super) population: Population,
    pub(super) frontier: Frontier,
    places: BTreeMap<ProducerId, Place>,
    unsigned: BTreeMap<ProducerId, usize>,
    versions: BTreeMap<StreamId, u64>,
    received: Option<Timestamp>,
    claims: BTreeMap<AttemptKey, String>,
    overridden: BTreeSet<StreamId>,
    /// The most units that each lock ever had.
    lock_units: BTreeMap<String, u32>,
    /// Attempts whose process was ever started, and on which host.
    pub(super) started: BTreeMap<AttemptKey, usize>,
    /// Attempts whose end a supervisor wrote down.
    pub(super) ended: BTreeSet<AttemptKey>,
}

/// Checks what the last step changed.
pub(super) fn after_step(world: &mut World) -> Result<()> {
    ensure!(world.steps < STEPS_MAX, "the world turns for ever");
    let known = world.auditor.ledger.size;
    if world.log.size() > known {
        for row in world.log.after(known, usize::MAX) {
            let leaf = world.log.leaf(row);
            world
                .auditor
                .take(row, leaf)
                .with_context(|| format!("at position {}", row.position))?;
        }
        let root = world.auditor.frontier.root();
        ensure!(root == world.log.root, "the committed root is not that of the leaves");
        every_flush_ends_in_a_signature(&world.auditor)?;
    }
    no_two_processes_of_one_job(world)?;
    no_lock_is_overdrawn(world)
}

impl Auditor {
    /// Takes one leaf, trusting nothing but its bytes and the mark that is to be shown wrong.
    pub(super) fn take(&mut self, row: &Row, bytes: &[u8]) -> Result<()> {
        let leaf = Leaf::from_bytes(bytes)?;
        let envelope = Envelope::parse(&leaf.envelope)?;
        let event = envelope.event()?;
        let hash = Digest::of(&leaf.envelope);
        self.positions_have_no_holes(row)?;
        self.receive_times_never_go_back(&leaf)?;
        self.counters_have_no_gaps(&envelope, hash)?;
        self.signatures_hold(&leaf, &envelope, &event)?;
        let mark = self.ledger.judge(&mut self.streams, &envelope, &event, hash, leaf.received);
        ensure!(mark == row.mark, "the mark is {:?}, but it should be {mark:?}", row.mark);
        self.frontier.push(leaf_hash(bytes));
        if mark == Mark::Valid {
            self.one_valid_event_has_a_version(&envelope)?;
            self.population.observe(&envelope.subject, &event, leaf.received);
            self.note_claim(&envelope, &event);
            self.note_site(&envelope, &event);
        }
        Ok(())
    }

    fn positions_have_no_holes(&self, row: &Row) -> Result<()> {
        ensure!(
            row.position == self.ledger.size + 1,
            "{} follows {}",
            row.position,
            self.ledger.size
        );
        Ok(())
    }

    fn receive_times_never_go_back(&mut self, leaf: &Leaf) -> Result<()> {
        ensure!(
            self.received.is_none_or(|last| last <= leaf.received),
            "received before its forerunner"
        );
        self.received = Some(leaf.received);
        Ok(())
    }

    fn counters_have_no_gaps(&mut self, envelope: &Envelope, hash: Digest) -> Result<()> {
        let place = self.places.entry(envelope.source.clone()).or_default();
        let expected = (place.pseq + 1, place.last);
        let known = self.ledger.producers.get(&envelope.source);
        // What it said in between was lost with the log.
        let resumes = known.is_some_and(|known| known.adrift) && envelope.pseq > place.pseq + 1;
        let follows = (envelope.pseq, envelope.pprev) == expected;
        ensure!(follows || resumes, "{} jumps", envelope.source);
        *place = Place { pseq: envelope.pseq, last: hash };
        Ok(())
    }

    fn signatures_hold(&mut self, leaf: &Leaf, envelope: &Envelope, event: &Event) -> Result<()> {
        let source = &envelope.source;
        let open = self.unsigned.entry(source.clone()).or_default();
        *open += 1;
        for seal in &leaf.seals {
            *open = 0;
            let own = self.ledger.producers.get(source).map(|producer| producer.key.clone());
            let key = own.map_or_else(|| founding_key(event), Ok)?;
            key.verify(&leaf.envelope, seal)?;
        }
        Ok(())
    }

    fn one_valid_event_has_a_version(&mut self, envelope: &Envelope) -> Result<()> {
        let version = self.versions.entry(envelope.subject.clone()).or_default();
        ensure!(
            envelope.version == *version + 1,
            "{} has version {} twice",
            envelope.subject,
            envelope.version
        );
        *version = envelope.version;
        Ok(())
    }

    fn note_claim(&mut self, envelope: &Envelope, event: &Event) {
        if let Event::RunEvent(RunEvent::RunStarted(started)) = event {
            let key = (envelope.subject.clone(), started.attempt);
            self.claims.insert(key, envelope.source.name().to_owned());
        }
    }

    fn note_site(&mut self, envelope: &Envelope, event: &Event) {
        if let Event::RunEvent(RunEvent::RunOverridden(_)) = event {
            self.overridden.insert(envelope.subject.clone());
        }
        if let Event::ThingEvent(ThingEvent { of, act: ThingAct::Proposed(proposed) }) = event
            && let Ok(Thing::Lock(lock)) = Thing::read(*of, &proposed.definition)
        {
            let most = self.lock_units.entry(lock.name).or_default();
            *most = lock.units.max(*most);
        }
    }

    /// When the newest event was received.
    pub(super) fn horizon(&self) -> Timestamp {
        self.received.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// A run as the log tells it.
    pub(super) fn run(&self, id: &StreamId) -> Option<&Run> {
        self.streams.0.get(id).and_then(|state| state.body.run())
    }

    /// Every run that has not ended.
    pub(super) fn open_runs(&self) -> impl Iterator<Item = &Run> {
        let runs = self.streams.0.values().filter_map(|state| state.body.run());
        runs.filter(|run| !run.state.is_ended())
    }

    fn is_lost(&self, key: &AttemptKey) -> bool {
        let attempt =
            self.run(&key.0).and_then(|run| run.attempts.iter().find(|a| a.number == key.1));
        attempt.is_some_and(|attempt| attempt.lost.is_some())
    }
}

fn founding_key(event: &Event) -> Result<PublicKey> {
    match event {
        Event::LogEvent(LogEvent::LogCreated(e)) => Ok(PublicKey::from_hex(&e.key)?),
        Event::LogEvent(_)
        | Event::JobEvent(_)
        | Event::RunEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::ThingEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_)
        | Event::IncidentEvent(_)
        | Event::ControlEvent(_)
        | Event::RecordsEvent(_)
        | Event::RequestEvent(_)
        | Event::ReviewEvent(_) => {
            // Only the first flush is signed by a producer that its own events enrol.
            anyhow::bail!("signed by nobody the log knows")
        }
    }
}

fn every_flush_ends_in_a_signature(auditor: &Auditor) -> Result<()> {
    let open = auditor.unsigned.iter().find(|(_, count)| **count > 0);
    ensure!(open.is_none(), "nobody signed the last events of {open:?}");
    Ok(())
}

/// Whether the process of an attempt may start: once, on the host that claimed it, with the claim
/// committed, and while nothing runs that excludes it.
pub(super) fn may_start(world: &World, host: usize, key: &AttemptKey) -> Result<(), String> {
    let (run, number) = key;
    let auditor = &world.auditor;
    if let Some(earlier) = auditor.started.get(key) {
        return Err(format!("{run}#{number} is started on h{host}, and was on h{earlier}"));
    }
    if auditor.claims.get(key) != Some(&host_name(host)) {
        return if world.claims_alone(host, key) {
            Ok(())
        } else {
            Err(format!("{run}#{number} is started on h{host} without its claim in the log"))
        };
    }
    let state = auditor.run(run).ok_or_else(|| format!("{run} is not in the log"))?;
    if state.state != (State::Running { attempt: *number }) {
        return Err(format!("{run}#{number} is started while the run is {:?}", state.state));
    }
    what_it_waits_for_has_come(auditor, state)?;
    if !the_one_before_is_over(state, *number) {
        return Err(format!(
            "{run}#{number} is started, and nobody knows how the one before ended"
        ));
    }
    for (other, attempt) in world.hosts.iter().flat_map(super::host::Host::alive) {
        let excluded =
            other == run && !(auditor.is_lost(&(other.clone(), *attempt)) && restartable(state));
        if excluded {
            return Err(format!("{run}#{number} is started while #{attempt} runs"));
        }
    }
    Ok(())
}

/// Whether the end of the attempt before is known; or it is not, and the job says that it may be
/// started again all the same.
fn the_one_before_is_over(run: &Run, number: u32) -> bool {
    let before = run.attempts.iter().find(|attempt| attempt.number + 1 == number);
    before
        .is_none_or(|before| before.report.is_some() || (before.lost.is_some() && restartable(run)))
}

fn restartable(run: &Run) -> bool {
    run.retry.on.contains(&RetryOn::Lost)
}

/// Whether somebody went through what stands in the run's terms, if only by saying that it does not matter.
fn what_it_waits_for_has_come(auditor: &Auditor, run: &Run) -> Result<(), String> {
    if auditor.overridden.contains(&run.id) {
        return Ok(());
    }
    if run.terms.confirm.is_some() && run.confirmed.is_none() {
        return Err(format!("{} is started, and nobody said go", run.id));
    }
    for after in &run.terms.after {
        let runs = auditor.streams.0.values().filter_map(|state| state.body.run());
        let mut of_job = runs.filter(|other| other.job == after.job && other.part_of.is_none());
        let good = |other: &Run| other.outcome().is_some_and(|o| after.outcomes.contains(&o));
        if !of_job.any(good) {
            return Err(format!("{} is started, and {} never ended so", run.id, after.job));
        }
    }
    Ok(())
}

/// The processes that run and of which nobody has said that they are lost: what was declared lost no longer
/// counts, for nobody can know.
fn known_processes(world: &World) -> impl Iterator<Item = &AttemptKey> {
    let alive = world.hosts.iter().flat_map(super::host::Host::alive);
    // Nor does what began in a time of which the log was lost.
    let forgotten = |key: &&AttemptKey| {
        let run = world.auditor.run(&key.0);
        world.restored && !run.is_some_and(|run| run.attempts.iter().any(|a| a.number == key.1))
    };
    alive.filter(move |key| !world.auditor.is_lost(key) && !forgotten(key))
}

/// Every overlap rule means that no two runs of a job have processes at once; the parts of one run do.
fn no_two_processes_of_one_job(world: &World) -> Result<()> {
    let mut busy: BTreeMap<&str, &AttemptKey> = BTreeMap::new();
    for key in known_processes(world) {
        if let Some(other) = busy.insert(key.0.run_job().unwrap_or_default(), key)
            && (other.0.whole() != key.0.whole() || other.0 == key.0)
            && !(world.is_taken_back(key) || world.is_taken_back(other))
        {
            anyhow::bail!("{}#{} runs while {}#{} does", key.0, key.1, other.0, other.1);
        }
    }
    Ok(())
}

fn units(share: &Share) -> Option<u32> {
    if let Share::Units(units) = share { Some(*units) } else { None }
}

/// Nobody holds more of a lock than there ever was of it, unless he holds it alone.
fn no_lock_is_overdrawn(world: &World) -> Result<()> {
    let mut held: BTreeMap<&str, Vec<Share>> = BTreeMap::new();
    for run in known_processes(world).filter_map(|key| world.auditor.run(&key.0)) {
        for claim in &run.terms.locks {
            held.entry(&claim.lock).or_default().push(claim.share);
        }
    }
    for (lock, shares) in held {
        let all = world.auditor.lock_units.get(lock).copied().unwrap_or(1);
        let units: Option<u32> = shares.iter().map(units).sum();
        let fits = shares.len() < 2 || units.is_some_and(|units| units <= all);
        ensure!(fits, "{shares:?} of lock {lock} are held at once; it has {all}");
    }
    Ok(())
}
