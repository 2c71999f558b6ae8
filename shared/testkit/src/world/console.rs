//! The console: what people can say, as events. What they do say is [`super::people`]'s.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use domain::canonical::canonical;
use domain::envelope::Draft;
use domain::event::{
    Again, Event, HostDrained, HostResumed, JobApproved, JobLeaseReturned, JobOccurrenceHeld,
    JobOccurrenceMoved, JobOccurrenceReleased, JobOccurrenceSkipped, JobPaused, JobProposed,
    JobResumed, JobRetired, Resolution, Role, RunCancelRequested, RunConfirmed, RunDelayed,
    RunHeld, RunOverridden, RunReleased, RunRequested, RunResolved, RunSkipped, SkipReason,
    ThingAct, ThingApproved, ThingEvent, ThingProposed, ThingRetired, UserCreated,
};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition, OrderAct, Proposal};
use domain::ledger::Body;
use domain::site::{Thing, ThingKind};
use jiff::Timestamp;

use super::{Node, World};

/// What people have in mind.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// Names of jobs that are to be proposed.
    pub(super) wanted: Vec<&'static str>,
    /// Whether there is to be a call tree.
    pub(super) calls: bool,
}

impl World {
    /// Accounts with roles, so that what needs one can be done.
    pub(super) fn hire(&mut self) -> Result<()> {
        for (name, role) in [("ana", Role::Operator), ("bob", Role::Approver)] {
            let created = UserCreated { roles: vec![role] };
            self.console_says(Draft::new(StreamId::user(name), 1, created))?;
        }
        Ok(())
    }

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
            Tell::Reclaim => {
                let state = self.auditor.streams.0.get(&stream);
                let job = state.and_then(|state| state.body.job().zip(Some(&state.turn)));
                let until = job.and_then(|(job, turn)| job.reclaimed_from(turn));
                let until = until.with_context(|| format!("{name} is left to nobody"))?;
                JobLeaseReturned { until, reason }.into()
            }
        };
        self.console_says(draft(stream, version, event))
    }

    /// Asks for a run now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn request(&mut self, name: &str) -> Result<()> {
        let label = format!("request-{:016x}", self.rng.bits());
        self.ask_for(name, &label, None, false)
    }

    /// Asks for a run of each of these jobs, which wait for each other as in one flow.
    pub(super) fn request_all(&mut self, names: &[String]) -> Result<()> {
        let label = format!("request-{:016x}", self.rng.bits());
        names.iter().try_for_each(|name| self.ask_for(name, &label, None, true))
    }

    /// Asks for a run that stands for one that has ended.
    pub(super) fn rerun(&mut self, run: &StreamId) -> Result<()> {
        let label = format!("request-{:016x}", self.rng.bits());
        let Some(run) = self.auditor.run(run) else { return Ok(()) };
        let Some(business_day) = run.business_day() else { return Ok(()) };
        let again = Again { run: run.id.clone(), at: run.stands_for(), business_day };
        let job = run.job.clone();
        self.ask_for(&job, &label, Some(again), false)
    }

    fn ask_for(
        &mut self,
        name: &str,
        label: &str,
        again: Option<Again>,
        of_flow: bool,
    ) -> Result<()> {
        let (job, _) = self.job_state(&StreamId::job(name));
        let Some(active) = job.active() else { return Ok(()) };
        let event = RunRequested {
            job: name.to_owned(),
            definition: active.reference(),
            reason: "somebody waits".to_owned(),
            parameters: BTreeMap::new(),
            again,
            of_flow,
        };
        self.console_says(draft(StreamId::run(name, label), 0, event.into()))
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

    /// Says what is to become of one occurrence; `None` for nothing special any more.
    pub(super) fn order(&mut self, job: &str, at: Timestamp, act: Option<OrderAct>) -> Result<()> {
        let stream = StreamId::job(job);
        let (_, version) = self.job_state(&stream);
        let reason = "it is better so".to_owned();
        let event = match act {
            None => JobOccurrenceReleased { at, reason }.into(),
            Some(OrderAct::Hold) => JobOccurrenceHeld { at, reason }.into(),
            Some(OrderAct::Skip) => JobOccurrenceSkipped { at, reason }.into(),
            Some(OrderAct::Move(to)) => JobOccurrenceMoved { at, to, reason }.into(),
        };
        self.console_says(draft(stream, version, event))
    }

    pub(super) fn hold_run(&mut self, run: &StreamId) -> Result<()> {
        self.tell_run(run, RunHeld { reason: "wait".to_owned() }.into())
    }

    pub(super) fn delay_run(&mut self, run: &StreamId, not_before: Timestamp) -> Result<()> {
        let (reason, blackout) = ("later".to_owned(), None);
        self.tell_run(run, RunDelayed { not_before, reason, blackout }.into())
    }

    pub(super) fn override_run(&mut self, run: &StreamId) -> Result<()> {
        self.tell_run(run, RunOverridden { reason: "it cannot wait".to_owned() }.into())
    }

    pub(super) fn skip_run(&mut self, run: &StreamId) -> Result<()> {
        let Some(run) = self.auditor.run(run) else { return Ok(()) };
        let skipped = RunSkipped {
            job: run.job.clone(),
            definition: run.definition.clone(),
            nominal: run.nominal.clone(),
            reason: SkipReason::Person { because: "not today".to_owned() },
        };
        let id = run.id.clone();
        self.tell_run(&id, skipped.into())
    }

    /// Whoever has the role says go; sometimes somebody else tries to.
    pub(super) fn confirm_run(&mut self, run: &StreamId) -> Result<()> {
        let role = self.auditor.run(run).and_then(|run| run.terms.confirm.as_ref()).map(|c| c.role);
        let right = if role == Some(Role::Approver) { "user/bob" } else { "user/ana" };
        let who = if self.rng.chance(1_000) { "user/eve" } else { right };
        let version = self.auditor.streams.0.get(run).map_or(0, |state| state.version);
        let event = RunConfirmed { reason: "I have looked".to_owned() };
        self.console_says(Draft::new(run.clone(), version + 1, event).by(Some(who)))
    }

    pub(super) fn drain(&mut self, host: &str, drained: bool) -> Result<()> {
        let stream = StreamId::host(host);
        let version = self.auditor.streams.0.get(&stream).map_or(0, |state| state.version);
        let reason = "maintenance".to_owned();
        let event =
            if drained { HostDrained { reason }.into() } else { HostResumed { reason }.into() };
        self.console_says(draft(stream, version, event))
    }

    /// Ana proposes a calendar, a blackout, a lock or a pool.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn propose_thing(&mut self, thing: &Thing) -> Result<()> {
        let stream = thing.stream();
        let (numbers, version) = self.thing_state(&stream);
        let definition = thing.value()?;
        let digest = thing.digest()?;
        let reason = "it is needed".to_owned();
        let act =
            ThingAct::Proposed(ThingProposed { number: numbers + 1, digest, definition, reason });
        let event = ThingEvent { of: thing.kind(), act };
        self.console_says(draft(stream, version, event.into()))
    }

    /// Bob approves what was proposed last.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn approve_thing(&mut self, kind: ThingKind, name: &str) -> Result<()> {
        let stream = StreamId::thing(kind, name);
        let (_, version) = self.thing_state(&stream);
        let Some(proposal) = self.thing_proposal(&stream) else { return Ok(()) };
        let approved = ThingApproved { number: proposal.number, digest: proposal.digest };
        let event = ThingEvent { of: kind, act: ThingAct::Approved(approved) };
        self.console_says(Draft::new(stream, version + 1, event).by(Some("user/bob")))
    }

    pub(super) fn retire_thing(&mut self, kind: ThingKind, name: &str) -> Result<()> {
        let stream = StreamId::thing(kind, name);
        let (_, version) = self.thing_state(&stream);
        let act = ThingAct::Retired(ThingRetired { reason: "no more".to_owned() });
        self.console_says(draft(stream, version, ThingEvent { of: kind, act }.into()))
    }

    fn thing_state(&self, stream: &StreamId) -> (u32, u64) {
        let state = self.auditor.streams.0.get(stream);
        let thing = state.and_then(|state| state.body.thing());
        (thing.map_or(0, |thing| thing.versions.numbers), state.map_or(0, |state| state.version))
    }

    fn thing_proposal(&self, stream: &StreamId) -> Option<Proposal> {
        let body = self.auditor.streams.0.get(stream).map(|state| &state.body);
        body.and_then(Body::thing)?.versions.proposal.clone()
    }

    pub(super) fn tell_run(&mut self, run: &StreamId, event: Event) -> Result<()> {
        let version = self.auditor.streams.0.get(run).map_or(0, |state| state.version);
        self.console_says(draft(run.clone(), version, event))
    }

    pub(super) fn console_says(&mut self, draft: Draft) -> Result<()> {
        self.journal(Node::Console, vec![draft]).map(|_| ())
    }

    fn job_state(&self, stream: &StreamId) -> (Job, u64) {
        let state = self.auditor.streams.0.get(stream);
        let job = state.and_then(|state| state.body.job()).cloned().unwrap_or_default();
        (job, state.map_or(0, |state| state.version))
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
    /// What its host may decide the centre decides.
    Reclaim,
}

fn draft(stream: StreamId, version: u64, event: domain::event::Event) -> Draft {
    Draft::new(stream, version + 1, event).by(Some("user/ana"))
}
