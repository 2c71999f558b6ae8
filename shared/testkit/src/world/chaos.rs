//! What breaks, how often, and at which moments.

use super::step::{Act, MS, Micros, SECOND, Step};
use super::{
    EXECUTORS, ExecutorProgram, Node, RecorderProgram, SCHEDULERS, SchedulerProgram, World,
};

/// How bad things are, in cases of ten thousand.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// Whether anything breaks, and anybody does anything, by chance.
    pub on: bool,
    /// Messages lost.
    pub lost: u32,
    /// Messages doubled.
    pub doubled: u32,
    /// Messages that take seconds.
    pub slow: u32,
    /// Deaths at the moments between two steps that matter.
    pub dies: u32,
    /// Deaths at any other step.
    pub dies_idle: u32,
    /// Processes that do not end by themselves.
    pub hangs: u32,
    /// Processes that exit with another code than 0.
    pub fails: u32,
    /// When it is over.
    until: Micros,
}

/// The moments at which a death matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before any step.
    Idle,
    /// Before the journal is written.
    BeforeJournal,
    /// After the journal was written, before anything is sent.
    BeforeSend,
    /// After the recorder has committed, before it answers.
    BeforeAnswer,
    /// After an answer was noted on disk, before the program acts on it.
    BeforeAct,
    /// After an attempt's directory was made, before it is claimed.
    BeforeClaim,
    /// After the claim is known to be valid, before the process is started.
    BeforeStart,
    /// After a process ended, before the journal says so.
    BeforeReap,
}

impl Chaos {
    /// Nothing breaks.
    pub fn none() -> Self {
        Self {
            on: false,
            lost: 0,
            doubled: 0,
            slow: 0,
            dies: 0,
            dies_idle: 0,
            hangs: 0,
            fails: 0,
            until: 0,
        }
    }

    pub(super) fn random(rng: &mut super::Rng) -> Self {
        Self {
            on: true,
            lost: rng.pick(&[0, 200, 800]),
            doubled: rng.pick(&[0, 300, 1_000]),
            slow: rng.pick(&[0, 200, 1_000]),
            dies: rng.pick(&[0, 50, 200]),
            dies_idle: rng.pick(&[0, 1, 4]),
            hangs: rng.pick(&[0, 500]),
            fails: rng.pick(&[0, 1_000, 3_000]),
            until: rng.between(240, 600) * SECOND,
        }
    }

    /// For how long it lasts.
    pub(super) fn length(&self) -> Micros {
        self.until
    }
}

impl World {
    /// The next time `node` comes to `moment`, it dies, and stays away for three seconds.
    pub fn set_trap(&mut self, node: Node, moment: Moment) {
        self.trap = Some((node, moment));
    }

    /// Whether the trap is still set.
    pub fn trapped(&self) -> bool {
        self.trap.is_some()
    }

    /// Whether the program dies now; if so, it is dead already.
    pub(super) fn dies(&mut self, node: Node, moment: Moment) -> bool {
        if self.trap == Some((node, moment)) {
            self.trap = None;
            self.crash(node, 3_000);
            return true;
        }
        let often = if moment == Moment::Idle { self.chaos.dies_idle } else { self.chaos.dies };
        if !self.chaos.on || !self.rng.chance(often) {
            return false;
        }
        let long = self.rng.chance(1_000);
        let dark =
            if long { self.rng.between(30_000, 150_000) } else { self.rng.between(50, 4_000) };
        self.say(|| format!("{node} is at {moment:?}"));
        self.crash(node, dark);
        true
    }

    /// The program dies with all it had in memory; it starts again after `dark` milliseconds.
    pub fn crash(&mut self, node: Node, dark: i64) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let was_up = std::mem::replace(&mut machine.up, false);
        machine.life += 1;
        match node {
            Node::Recorder(i) => self.recorders[i] = RecorderProgram::default(),
            Node::Scheduler(i) => self.schedulers[i] = SchedulerProgram::default(),
            Node::Executor(i) => self.executors[i] = ExecutorProgram::default(),
            Node::Console => {}
        }
        if was_up {
            self.say(|| format!("{node} dies for {dark} ms"));
            self.plan(dark * MS, Step::Restart(node));
        }
    }

    pub(super) fn start(&mut self, node: Node) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if std::mem::replace(&mut machine.up, true) {
            return;
        }
        machine.life += 1;
        self.say(|| format!("{node} starts"));
        self.plan_own(node, MS, Act::Boot);
        self.plan_own(node, MS, Act::Pump);
    }

    /// Cuts a machine off, or connects it again.
    pub fn cut(&mut self, node: Node, cut: bool) {
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.cut = cut;
        }
        self.say(|| format!("{node} is {}", if cut { "cut off" } else { "connected" }));
    }

    /// Keeps what a machine says from the recorders, or lets it through again.
    pub fn mute(&mut self, node: Node, mute: bool) {
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.mute = mute;
        }
        self.say(|| format!("{node} is {}", if mute { "muted" } else { "heard" }));
    }

    /// Sets how far a machine's clock is ahead of true time.
    pub fn set_clock(&mut self, node: Node, ahead: Micros) {
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.ahead = ahead;
        }
        self.say(|| format!("the clock of {node} is {} ms ahead", ahead / MS));
        if let Node::Scheduler(i) = node {
            self.scheduler_rewakes(i);
        }
    }

    /// The storage of the work queues is lost.
    pub fn lose_queues(&mut self) {
        self.say(|| "the queues are lost".to_owned());
        self.queues.lose();
    }

    pub(super) fn break_something(&mut self) {
        if !self.chaos.on {
            return;
        }
        let after = self.rng.between(SECOND, 15 * SECOND);
        self.plan(after, Step::Chaos);
        let nodes: Vec<Node> = Self::nodes().collect();
        let node = self.rng.pick(&nodes);
        match self.rng.between(0, 12) {
            0 => {
                let dark = self.rng.between(100, 60_000);
                self.crash(node, dark);
            }
            1 => self.all_schedulers_die(),
            2 | 3 => {
                if self.rng.chance(5_000) {
                    self.cut(node, true);
                } else {
                    self.mute(node, true);
                }
                let after = self.rng.between(SECOND, 50 * SECOND);
                self.plan(after, Step::Heal(node));
            }
            4..=6 => {
                let ahead = self.rng.between(-1_500, 1_500) * MS;
                self.set_clock(node, ahead);
            }
            7 if self.rng.chance(3_000) => self.clock_jumps(node),
            8 => self.lose_queues(),
            9 => {
                let (host, dark) = (self.rng.index(EXECUTORS), self.rng.between(500, 40_000));
                self.power_loss(host, dark);
            }
            10 if self.rng.chance(2_500) => self.centre_goes_away(),
            _ => {
                let i = self.rng.index(SCHEDULERS);
                self.ghost_peer(i);
            }
        }
    }

    fn all_schedulers_die(&mut self) {
        for i in 0..SCHEDULERS {
            let dark = self.rng.between(1_000, 90_000);
            self.crash(Node::Scheduler(i), dark);
        }
    }

    /// No host reaches the centre, for minutes.
    fn centre_goes_away(&mut self) {
        let long = self.rng.between(60, 240) * SECOND;
        for i in 0..EXECUTORS {
            self.cut(Node::Executor(i), true);
            self.plan(long, Step::Heal(Node::Executor(i)));
        }
    }

    /// A clock is minutes off, for a while.
    fn clock_jumps(&mut self, node: Node) {
        let ahead = self.rng.between(-180, 180) * SECOND;
        self.set_clock(node, ahead);
        let (after, back) = (self.rng.between(5, 40) * SECOND, self.rng.between(-500, 500) * MS);
        self.plan(after, Step::SetClock(node, back));
    }
}
