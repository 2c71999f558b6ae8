//! A whole site in memory, under a virtual clock, from one seed: two schedulers, three executors, two
//! recorders over one log, a console with people, a bus that loses and doubles, machines that crash,
//! lose power, are cut off, and whose clocks are wrong.
//!
//! The programs here are thin; what decides is `domain`, the same functions the services run. After
//! every step the invariants of the design are checked ([`check`]), and at the end, when the faults have
//! stopped and everything has come to rest, that nothing is missing ([`World::settle`]).
//!
//! | module | is about |
//! |---|---|
//! | `rng`, `step`, `trace` | chance, what happens next, what happened |
//! | `log`, `journal`, `queue` | what is durable |
//! | `recorder`, `scheduler`, `executor`, `host`, `console` | the programs |
//! | `people` | what they do |
//! | `incidents` | who is told of failures, and who attends to them |
//! | `records` | legal holds, and what is erased before its time |
//! | `archive` | segments of the log move into files |
//! | `restore` | the log is brought back from an older copy |
//! | `chaos`, `jobs`, `site` | what breaks, what is to run, what it runs in |
//! | `check`, `settle` | the invariants after every step, and at the end |

mod alone;
mod archive;
mod chaos;
pub mod check;
mod console;
mod executor;
mod host;
mod incidents;
mod jobs;
mod journal;
mod log;
mod network;
mod people;
mod queue;
mod recorder;
mod records;
mod restore;
mod rng;
mod scheduler;
mod settle;
mod site;
mod step;
mod trace;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use domain::envelope::Draft;
use domain::ids::{Class, ProducerId, StreamId};
use domain::keys::SecretKey;
use domain::ledger::{Mark, StreamState};
use domain::run::Run;
use jiff::Timestamp;

pub use chaos::{Chaos, Moment};
pub use console::Tell;
pub use jobs::job;
pub use records::output;
pub use rng::Rng;
pub use step::{Micros, Node};

use check::Auditor;
use console::Console;
use executor::ExecutorProgram;
use host::Host;
use incidents::Post;
use journal::Journal;
use log::SharedLog;
use queue::WorkQueues;
use recorder::{Copy, RecorderProgram};
use scheduler::SchedulerProgram;
use step::{Act, Agenda, MS, Message, SECOND, Step};
use trace::Trace;

/// Version of the tz database that schedulers record here.
const TZDB: &str = "simulated";
/// Name of the log.
const ORIGIN: &str = "world";
/// Schedulers.
const SCHEDULERS: usize = 2;
/// Executors, each on its own host.
const EXECUTORS: usize = 3;
/// Recorders.
const RECORDERS: usize = 2;

/// A machine and the program on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Machine {
    /// Whether the program runs.
    up: bool,
    /// Which life of the program this is: what an earlier life planned does not happen.
    life: u32,
    /// How far its clock is ahead.
    ahead: Micros,
    /// Whether no message gets through, in either direction.
    cut: bool,
    /// Whether the recorders do not hear it, although it hears the log.
    mute: bool,
}

/// The world.
#[derive(Debug)]
pub struct World {
    rng: Rng,
    now: Micros,
    agenda: Agenda,
    trace: Trace,
    steps: u64,
    machines: BTreeMap<Node, Machine>,
    journals: BTreeMap<Node, Journal>,
    log: SharedLog,
    auditor: Auditor,
    queues: WorkQueues,
    recorders: Vec<RecorderProgram>,
    /// What the log said before the world began: a recorder that starts need not read it again.
    past: Copy,
    /// Whether recorders archive the log.
    archives: bool,
    schedulers: Vec<SchedulerProgram>,
    executors: Vec<ExecutorProgram>,
    hosts: Vec<Host>,
    console: Console,
    post: Post,
    chaos: Chaos,
    trap: Option<(Node, Moment)>,
    /// Whether no heartbeat arrives.
    pub silent: bool,
    /// How long every process takes, milliseconds; by chance where it is not said.
    pub takes: Option<i64>,
    trouble: Option<String>,
    /// Whether the log was ever brought back from an older copy: then not all that was said is in it.
    restored: bool,
}

impl World {
    /// A world at `start` in which nothing breaks by itself and nobody does anything.
    ///
    /// # Errors
    /// The log could not be created: a bug.
    pub fn new(seed: u64, start: Timestamp) -> Result<Self> {
        let mut rng = Rng::new(seed);
        let mut world = Self {
            now: start.as_microsecond(),
            agenda: Agenda::default(),
            trace: Trace::default(),
            steps: 0,
            machines: BTreeMap::new(),
            journals: BTreeMap::new(),
            log: SharedLog::default(),
            auditor: Auditor::default(),
            queues: WorkQueues::default(),
            recorders: (0..RECORDERS).map(|_| RecorderProgram::default()).collect(),
            past: Copy::default(),
            archives: false,
            schedulers: (0..SCHEDULERS).map(|_| SchedulerProgram::default()).collect(),
            executors: (0..EXECUTORS).map(|_| ExecutorProgram::default()).collect(),
            hosts: (0..EXECUTORS).map(|_| Host::default()).collect(),
            console: Console::default(),
            post: Post::default(),
            chaos: Chaos::none(),
            trap: None,
            silent: false,
            takes: None,
            trouble: None,
            restored: false,
            rng: rng.clone(),
        };
        for node in Self::nodes() {
            world.machines.insert(node, Machine::default());
            let key = SecretKey::from_seed(&rng.bytes());
            world.journals.insert(node, Journal::new(producer(node)?, key));
        }
        world.create_log()?;
        for node in Self::nodes() {
            world.start(node);
        }
        Ok(world)
    }

    /// A world full of random jobs and faults, for `length` of virtual time; then [`World::settle`] it.
    ///
    /// # Errors
    /// The log could not be created: a bug.
    pub fn random(seed: u64) -> Result<Self> {
        let mut rng = Rng::new(seed);
        let mut world = Self::new(rng.bits(), jobs::start(&mut rng)?)?;
        world.chaos = Chaos::random(&mut world.rng);
        world.console.wanted = jobs::names(&mut world.rng);
        world.console.calls = world.rng.chance(7_000);
        world.hire()?;
        world.plan(SECOND, Step::People);
        world.plan(SECOND, Step::Chaos);
        Ok(world)
    }

    /// Prints every step.
    pub fn loud(&mut self) {
        self.trace.loud = true;
    }

    /// Every program.
    pub fn nodes() -> impl Iterator<Item = Node> {
        (0..RECORDERS)
            .map(Node::Recorder)
            .chain((0..SCHEDULERS).map(Node::Scheduler))
            .chain((0..EXECUTORS).map(Node::Executor))
            .chain([Node::Console])
    }

    /// The newest lines of what happened.
    pub fn tail(&self) -> String {
        self.trace.tail()
    }

    /// Steps done and events in the log.
    pub fn size(&self) -> (u64, u64) {
        (self.steps, self.log.size())
    }

    /// Lets the world go on for `millis`.
    ///
    /// # Errors
    /// An invariant does not hold.
    pub fn run_for(&mut self, millis: i64) -> Result<()> {
        let until = self.now + millis * MS;
        while self.agenda.next().is_some_and(|at| at <= until) {
            self.step()?;
        }
        self.now = until;
        Ok(())
    }

    /// Lets the world go on until `done` says so.
    ///
    /// # Errors
    /// An invariant does not hold, or `millis` pass before.
    pub fn run_until(&mut self, millis: i64, done: impl Fn(&Self) -> bool) -> Result<()> {
        let until = self.now + millis * MS;
        while !done(self) {
            match self.agenda.next() {
                Some(at) if at <= until => self.step()?,
                Some(_) | None => bail!("it did not come about within {millis} ms"),
            }
        }
        Ok(())
    }

    /// The runs of `job`, by the names of their streams.
    pub fn runs(&self, job: &str) -> Vec<&Run> {
        let of_job = self.auditor.streams.0.values().filter_map(|state| state.body.run());
        of_job.filter(|run| run.job == job).collect()
    }

    /// The state of every stream, as the recorders answer it.
    pub fn streams(&self) -> &BTreeMap<StreamId, StreamState> {
        &self.auditor.streams.0
    }

    /// The true time.
    pub fn time(&self) -> Timestamp {
        stamp(self.now)
    }

    /// The bytes that the tree commits to, in their order.
    pub fn leaves(&self) -> impl Iterator<Item = &[u8]> {
        self.log.rows.iter().map(|row| self.log.leaf(row))
    }

    /// The key by which heads of every world's log are signed.
    ///
    /// # Errors
    /// The log's name cannot be that of a key: a bug.
    pub fn log_key() -> Result<tlog::SignerKey> {
        Self::log_key_named(ORIGIN)
    }

    /// The same under another name, as which the log goes on.
    ///
    /// # Errors
    /// It cannot be that of a key.
    pub fn log_key_named(origin: &str) -> Result<tlog::SignerKey> {
        Ok(tlog::SignerKey::from_seed(origin, &[77; 32])?)
    }

    /// The key of a program, as a thief would have it.
    pub fn key(&self, node: Node) -> Option<&SecretKey> {
        self.journals.get(&node).map(|journal| &journal.key)
    }

    /// How many processes were started for runs of `job`.
    pub fn processes(&self, job: &str) -> usize {
        self.auditor.started.keys().filter(|(run, _)| run.run_job() == Some(job)).count()
    }

    /// How many processes run now.
    pub fn alive(&self) -> usize {
        self.hosts.iter().map(|host| host.alive().count()).sum()
    }

    /// How many events of each kind the log holds, void ones apart.
    pub fn census(&self) -> BTreeMap<String, u64> {
        let mut census = BTreeMap::new();
        for row in &self.log.rows {
            let mark = match row.mark {
                Mark::Valid => "",
                Mark::Conflict { .. } => " conflict",
                Mark::Refused { .. } => " refused",
            };
            *census.entry(format!("{}{mark}", row.envelope.kind)).or_default() += 1;
        }
        census
    }

    fn step(&mut self) -> Result<()> {
        let Some((at, step)) = self.agenda.pop() else { return Ok(()) };
        self.now = self.now.max(at);
        self.steps += 1;
        self.take(step)?;
        check::after_step(self)?;
        match self.trouble.take() {
            Some(trouble) => bail!(trouble),
            None => Ok(()),
        }
    }

    fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Deliver { to, message } => self.deliver(to, message)?,
            Step::Own { node, life, act } => {
                let machine = self.machine(node);
                if machine.up && machine.life == life && !self.dies(node, Moment::Idle) {
                    self.act(node, act)?;
                }
            }
            Step::Enqueue(work) => self.queues.publish(*work, self.now),
            Step::Restart(node) => self.start(node),
            Step::Heal(node) => {
                self.cut(node, false);
                self.mute(node, false);
            }
            Step::SetClock(node, ahead) => self.set_clock(node, ahead),
            Step::Ends { host, boot, key } => self.process_ends(host, boot, &key),
            Step::Chaos => self.break_something(),
            Step::People => self.people()?,
        }
        Ok(())
    }

    fn act(&mut self, node: Node, act: Act) -> Result<()> {
        match (node, act) {
            (_, Act::Pump) => self.pump(node),
            (Node::Recorder(i), act) => self.recorder_acts(i, &act)?,
            (Node::Scheduler(i), act) => self.scheduler_acts(i, &act)?,
            (Node::Executor(i), act) => self.executor_acts(i, &act)?,
            (Node::Console, _) => {}
        }
        Ok(())
    }

    fn deliver(&mut self, to: Node, message: Message) -> Result<()> {
        let machine = self.machine(to);
        if !machine.up || machine.cut || self.dies(to, Moment::Idle) {
            return Ok(());
        }
        match message {
            Message::Append { from, flush, bytes } => self.recorder_hears(to, from, flush, bytes),
            Message::Answer { flush, answer } => self.hear_answer(to, flush, &answer)?,
            Message::Feed { size } => self.hear_feed(to, size),
            Message::Beat(beat) => self.scheduler_hears(to, &beat),
        }
        Ok(())
    }

    fn machine(&self, node: Node) -> Machine {
        self.machines.get(&node).copied().unwrap_or_default()
    }

    /// What the clock of a machine says.
    fn clock(&self, node: Node) -> Timestamp {
        stamp(self.now + self.machine(node).ahead)
    }

    fn plan(&mut self, after: Micros, step: Step) {
        self.agenda.add(self.now + after.max(0), step);
    }

    /// Plans something in the present life of a program.
    fn plan_own(&mut self, node: Node, after: Micros, act: Act) {
        let life = self.machine(node).life;
        self.plan(after, Step::Own { node, life, act });
    }

    /// Plans something after a random time.
    fn plan_soon(&mut self, node: Node, low: Micros, high: Micros, act: Act) {
        let after = self.rng.between(low, high);
        self.plan_own(node, after, act);
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        let line = format!("{} {}", stamp(self.now), text());
        self.trace.note(line);
    }

    /// Notes that something is wrong; the step ends with it.
    fn wrong(&mut self, text: String) {
        self.trouble.get_or_insert(text);
    }

    /// Writes drafts into a producer's journal. False where the program died of it: then either all
    /// or nothing is on disk.
    fn journal(&mut self, node: Node, drafts: Vec<Draft>) -> Result<bool> {
        if drafts.is_empty() {
            return Ok(true);
        }
        if self.dies(node, Moment::BeforeJournal) {
            return Ok(false);
        }
        let time = self.clock(node);
        for draft in &drafts {
            self.say(|| {
                format!(
                    "{node} journals {} {} v{}",
                    draft.event.kind(),
                    draft.stream,
                    draft.version
                )
            });
        }
        if let Some(journal) = self.journals.get_mut(&node) {
            journal.append(drafts, time, &mut self.rng)?;
        }
        if self.dies(node, Moment::BeforeSend) {
            return Ok(false);
        }
        self.plan_own(node, MS, Act::Pump);
        Ok(true)
    }
}

fn stamp(micros: Micros) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

fn producer(node: Node) -> Result<ProducerId> {
    let (class, name) = match node {
        Node::Recorder(i) => (Class::Audit, format!("r{i}")),
        Node::Scheduler(i) => (Class::Scheduler, format!("s{i}")),
        Node::Executor(i) => (Class::Executor, host_name(i)),
        Node::Console => (Class::Console, "c0".to_owned()),
    };
    Ok(ProducerId::new(class, &name)?)
}

fn host_name(index: usize) -> String {
    format!("h{index}")
}

/// The stream of a run, for scripts.
pub fn run_stream(job: &str, label: &str) -> StreamId {
    StreamId::run(job, label)
}
