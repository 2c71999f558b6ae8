//! The console and the people at it: what they do is what the rules let people do, at bad moments.

use anyhow::Result;
use domain::canonical::canonical;
use domain::envelope::Draft;
use domain::event::{
    JobApproved, JobPaused, JobProposed, JobResumed, JobRetired, Resolution, RunCancelRequested,
    RunReleased, RunRequested, RunResolved,
};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition};
use domain::run::{Run, State};

use super::step::{SECOND, Step};
use super::{Node, World, jobs};

/// How long people leave an unknown outcome alone while things break, milliseconds.
const PATIENCE_MS: i64 = 45_000;

/// What people have in mind.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// Jobs that are to be proposed.
    pub(super) wanted: Vec<JobDefinition>,
}

impl World {
    /// Ana proposes a definition.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn propose(&mut self, definition: &JobDefinition) -> Result<()> {
        let stream = StreamId::job(&definition.name);
        let (job, version) = self.job_state(&stream);
        let bytes = canonical(definition)?;
        let proposed = JobProposed {
            number: job.versions.numbers + 1,
            digest: definition.digest()?,
            definition: serde_json::from_slice(&bytes)?,
            reason: "it is needed".to_owned(),
        };
        self.console_says(Draft::new(stream, version + 1, proposed).by(Some("user/ana")))
    }

    /// Bob approves what was proposed last.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn approve(&mut self, name: &str) -> Result<()> {
        let stream = StreamId::job(name);
        let (job, version) = self.job_state(&stream);
        let Some(proposal) = job.versions.proposal else { return Ok(()) };
        let approved = JobApproved { number: proposal.number, digest: proposal.digest };
        self.console_says(Draft::new(stream, version + 1, approved).by(Some("user/bob")))
    }

    /// Pauses, resumes or retires a job, as `what` says.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn tell_job(&mut self, name: &str, what: Tell) -> Result<()> {
        let stream = StreamId::job(name);
        let (_, version) = self.job_state(&stream);
        let reason = "because".to_owned();
        let event = match what {
            Tell::Pause => JobPaused { reason }.into(),
            Tell::Resume => JobResumed { reason }.into(),
            Tell::Retire => JobRetired { reason }.into(),
        };
        self.console_says(draft(stream, version, event))
    }

    /// Asks for a run now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn request(&mut self, name: &str) -> Result<()> {
        let (job, _) = self.job_state(&StreamId::job(name));
        let Some(active) = job.active() else { return Ok(()) };
        let label = format!("request-{:016x}", self.rng.bits());
        let (definition, reason) = (active.reference(), "somebody waits".to_owned());
        let (job, parameters) = (name.to_owned(), std::collections::BTreeMap::new());
        let event =
            RunRequested { job, definition, reason, parameters, again: None, of_flow: false };
        let event = event.into();
        self.console_says(draft(StreamId::run(name, &label), 0, event))
    }

    /// Wants a run to stop.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn cancel(&mut self, run: &StreamId) -> Result<()> {
        let event = RunCancelRequested { reason: "not now".to_owned() }.into();
        self.tell_run(run, event)
    }

    /// Lets a held run go.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn release(&mut self, run: &StreamId) -> Result<()> {
        self.tell_run(run, RunReleased { reason: "go on".to_owned() }.into())
    }

    /// Says how a run of unknown outcome ended.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn resolve(&mut self, run: &StreamId, outcome: Resolution) -> Result<()> {
        self.tell_run(
            run,
            RunResolved { outcome, evidence: "seen with own eyes".to_owned() }.into(),
        )
    }

    fn tell_run(&mut self, run: &StreamId, event: domain::event::Event) -> Result<()> {
        let version = self.auditor.streams.0.get(run).map_or(0, |state| state.version);
        self.console_says(draft(run.clone(), version, event))
    }

    fn console_says(&mut self, draft: Draft) -> Result<()> {
        self.journal(Node::Console, vec![draft]).map(|_| ())
    }

    fn job_state(&self, stream: &StreamId) -> (Job, u64) {
        let state = self.auditor.streams.0.get(stream);
        let job = state.and_then(|state| state.body.job()).cloned().unwrap_or_default();
        (job, state.map_or(0, |state| state.version))
    }

    /// What people do while things break.
    pub(super) fn people(&mut self) -> Result<()> {
        if !self.chaos.on {
            return Ok(());
        }
        let after = self.rng.between(SECOND / 2, 8 * SECOND);
        self.plan(after, Step::People);
        let node = self.machine(Node::Console);
        if !node.up || node.cut {
            return Ok(());
        }
        if self.chores(false)? { Ok(()) } else { self.whim() }
    }

    /// What is to be done: approve, propose what is wanted, close what is open. False where nothing is.
    pub(super) fn chores(&mut self, hurry: bool) -> Result<bool> {
        if let Some(name) = self.first_job(|job| job.versions.proposal.is_some()) {
            self.approve(&name)?;
            return Ok(true);
        }
        if let Some(definition) = self.console.wanted.pop() {
            self.propose(&definition)?;
            return Ok(true);
        }
        let now = super::stamp(self.now);
        let patience = if hurry { 10_000 } else { PATIENCE_MS };
        let old = |run: &Run| now.duration_since(run.changed).as_millis() > i128::from(patience);
        let stuck = |run: &Run| matches!(run.state, State::Unknown { .. }) && old(run);
        if let Some(run) = self.some_run(stuck) {
            let outcome = self.rng.pick(&[Resolution::Succeeded, Resolution::Failed]);
            self.resolve(&run, outcome)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn whim(&mut self) -> Result<()> {
        let names: Vec<String> = self.jobs().map(|job| job.name.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let name = names[self.rng.index(names.len())].clone();
        match self.rng.between(0, 11) {
            0 => self.tell_job(&name, Tell::Pause),
            1 | 2 => self.tell_job(&name, Tell::Resume),
            3 if self.rng.chance(3_000) => self.tell_job(&name, Tell::Retire),
            4 | 5 => {
                let definition = jobs::random_job(&mut self.rng, &name)?;
                self.propose(&definition)
            }
            6..=8 => self.request(&name),
            9 => match self.some_run(|run| !run.state.is_ended()) {
                Some(run) => self.cancel(&run),
                None => Ok(()),
            },
            _ => match self.some_run(|run| matches!(run.state, State::Held { .. })) {
                Some(run) => self.release(&run),
                None => Ok(()),
            },
        }
    }

    /// Every job in the log.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.auditor.streams.0.values().filter_map(|state| state.body.job())
    }

    pub(super) fn first_job(&self, wanted: impl Fn(&Job) -> bool) -> Option<String> {
        self.jobs().find(|job| wanted(job)).map(|job| job.name.clone())
    }

    /// A random run among those that are `wanted`.
    pub(super) fn some_run(&mut self, wanted: impl Fn(&Run) -> bool) -> Option<StreamId> {
        let runs = self.auditor.streams.0.values().filter_map(|state| state.body.run());
        let runs: Vec<StreamId> =
            runs.filter(|run| wanted(run)).map(|run| run.id.clone()).collect();
        let index = self.rng.index(runs.len());
        runs.get(index).cloned()
    }
}

/// What may be told to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Its occurrences are skipped from now on.
    Pause,
    /// They run again.
    Resume,
    /// It has none any more.
    Retire,
}

fn draft(stream: StreamId, version: u64, event: domain::event::Event) -> Draft {
    Draft::new(stream, version + 1, event).by(Some("user/ana"))
}
