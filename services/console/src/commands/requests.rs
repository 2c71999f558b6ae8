//! Requests for runs: of a job, of a whole flow, or once more.

use std::collections::BTreeMap;

use bus::recorder::each_stream;
use domain::event::{Again, RunRequested};
use domain::ids::StreamId;
use domain::job::{JobDefinition, Span, Tokens, flow, parameters};
use domain::ledger::{Body, StreamState};
use domain::people::Action;
use domain::run::Run;
use domain::wire::Selection;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::runs::known_run;
use super::{Applied, CommandError, applied, check_reason, known_job};
use crate::people::Caller;
use crate::state::Console;

/// Most bytes of given parameters: they stand in the request's event, and in others after it.
const GIVEN_BYTES: usize = 4 * 1024;

/// What a run is asked for with.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Makes it one and the same however often it is asked.
    pub(crate) request: String,
    /// Why.
    pub(crate) reason: String,
    /// Values of parameters.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// The name of a request that nobody has made before.
pub(crate) fn drawn() -> Result<String, CommandError> {
    let mut entropy = [0_u8; 8];
    let gone = |error| CommandError::Unavailable(format!("no entropy: {error}"));
    getrandom::fill(&mut entropy).map_err(gone)?;
    Ok(domain::canonical::hex(&entropy))
}

impl Console {
    /// Asks for a run of a job.
    pub(crate) async fn request_run(
        &self,
        name: &str,
        wish: &Wish,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        wish.check()?;
        caller.may(self, Action::RequestRuns, Some(&StreamId::job(name))).await?;
        let state = self.state(&StreamId::job(name)).await?;
        let (span, definition) = active(name, state.as_ref())?;
        check_given(&definition, &wish.parameters, (self.clock)())?;
        let event = wish.requested(name, &span);
        self.request(name, wish, event, caller).await
    }

    /// Asks for a run once more, from its start, under the job's active definition. What the first one was given is
    /// given again, unless the wish says otherwise.
    pub(crate) async fn rerun(
        &self,
        id: &StreamId,
        wish: &Wish,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        wish.check()?;
        caller.may(self, Action::RequestRuns, Some(id)).await?;
        let state = self.state(id).await?;
        let run = known_run(id, state.as_ref())?;
        if let Some(whole) = &run.part_of {
            return Err(CommandError::Invalid(format!("{id} is a part of {whole}: rerun that")));
        }
        let state = self.state(&StreamId::job(&run.job)).await?;
        let (span, definition) = active(&run.job, state.as_ref())?;
        let mut wish = wish.clone();
        for (name, value) in &run.given {
            wish.parameters.entry(name.clone()).or_insert_with(|| value.clone());
        }
        check_given(&definition, &wish.parameters, run.stands_for())?;
        let again = Some(again(run, &definition));
        let event = RunRequested { again, ..wish.requested(&run.job, &span) };
        self.request(&run.job, &wish, event, caller).await
    }

    /// Asks for one run of each job of a flow. Everything is checked before anything is said.
    pub(crate) async fn request_flow(
        &self,
        name: &str,
        wish: &Wish,
        caller: &Caller,
    ) -> Result<Vec<Applied>, CommandError> {
        wish.check()?;
        caller.may_somewhere(self, Action::RequestRuns).await?;
        let jobs = self.jobs_of_flow(name).await?;
        for (_, definition) in &jobs {
            let id = StreamId::job(&definition.name);
            caller.may(self, Action::RequestRuns, Some(&id)).await?;
        }
        let wishes = share_out(name, &jobs, wish, (self.clock)())?;
        let mut done = Vec::with_capacity(jobs.len());
        for ((span, definition), wish) in jobs.iter().zip(&wishes) {
            let event = RunRequested { of_flow: true, ..wish.requested(&definition.name, span) };
            done.push(self.request(&definition.name, wish, event, caller).await?);
        }
        Ok(done)
    }

    async fn request(
        &self,
        job: &str,
        wish: &Wish,
        event: RunRequested,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        let id = StreamId::run(job, &format!("request-{}", wish.request));
        let next = |state: Option<&StreamState>| {
            Ok(if state.is_some() { Vec::new() } else { vec![event.clone().into()] })
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, "requested"))
    }

    /// The active jobs of a flow, those that others wait for first.
    async fn jobs_of_flow(&self, name: &str) -> Result<Vec<(Span, JobDefinition)>, CommandError> {
        let mut jobs = BTreeMap::new();
        let take = |view: domain::wire::StreamView| {
            let Body::Job(job) = view.state.body else { return };
            let Some(span) = job.active() else { return };
            // Looked at as text first: most jobs belong to no flow.
            if !span.definition.get().contains("\"flow\":") {
                return;
            }
            if let Ok(definition) = span.read()
                && definition.flow.as_deref() == Some(name)
            {
                jobs.insert(job.name.clone(), (span.clone(), definition));
            }
        };
        each_stream(&self.bus, Selection::Jobs, take).await.map_err(CommandError::unavailable)?;
        if jobs.is_empty() {
            return Err(CommandError::NotFound(format!("flow {name} with an active job")));
        }
        let order = flow::in_order(jobs.values().map(|(_, definition)| definition));
        Ok(order.iter().filter_map(|name| jobs.remove(name)).collect())
    }
}

impl Wish {
    fn check(&self) -> Result<(), CommandError> {
        check_reason(&self.reason)?;
        let bytes: usize = self.parameters.iter().map(|(n, v)| n.len() + v.len()).sum();
        if bytes > GIVEN_BYTES {
            return Err(CommandError::Invalid(format!(
                "the parameters have {bytes} bytes together, and may have {GIVEN_BYTES}"
            )));
        }
        Ok(())
    }

    fn requested(&self, job: &str, span: &Span) -> RunRequested {
        RunRequested {
            job: job.to_owned(),
            definition: span.reference(),
            reason: self.reason.clone(),
            parameters: self.parameters.clone(),
            again: None,
            of_flow: false,
        }
    }
}

fn active(name: &str, state: Option<&StreamState>) -> Result<(Span, JobDefinition), CommandError> {
    let job = known_job(name, state)?;
    let none = || CommandError::Invalid(format!("job {name} has no active definition"));
    let span = job.active().ok_or_else(none)?;
    let unread = |error| CommandError::Invalid(format!("job {name} cannot be read: {error}"));
    Ok((span.clone(), span.read().map_err(unread)?))
}

/// Refuses values that a scheduler could only skip the run for.
fn check_given(
    definition: &JobDefinition,
    given: &BTreeMap<String, String>,
    at: Timestamp,
) -> Result<(), CommandError> {
    let local = at.to_zoned(TimeZone::get(&definition.zone).unwrap_or(TimeZone::UTC));
    let tokens = Tokens {
        parameters: &BTreeMap::new(),
        business_date: definition.calendar.business_day(local.datetime()),
        occurrence: local.to_string(),
        job: &definition.name,
        run: &definition.name,
        attempt: 1,
    };
    let resolved = parameters::resolve(&definition.parameters, given, &tokens);
    resolved.map(drop).map_err(CommandError::Invalid)
}

fn again(run: &Run, definition: &JobDefinition) -> Again {
    let at = run.stands_for();
    let zone = TimeZone::get(&definition.zone).unwrap_or(TimeZone::UTC);
    let by_rule = || definition.calendar.business_day(zone.to_datetime(at));
    Again { run: run.id.clone(), at, business_day: run.business_day().unwrap_or_else(by_rule) }
}

/// To each job of a flow the values that it knows. One that no job knows is refused.
fn share_out(
    flow: &str,
    jobs: &[(Span, JobDefinition)],
    wish: &Wish,
    at: Timestamp,
) -> Result<Vec<Wish>, CommandError> {
    let knows = |name: &str| jobs.iter().any(|(_, job)| job.parameters.contains_key(name));
    if let Some(unknown) = wish.parameters.keys().find(|name| !knows(name)) {
        let all = jobs.iter().flat_map(|(_, job)| job.parameters.keys());
        let all: std::collections::BTreeSet<&str> = all.map(String::as_str).collect();
        let there_are = if all.is_empty() {
            "they have none".to_owned()
        } else {
            format!("there are {}", all.into_iter().collect::<Vec<_>>().join(", "))
        };
        return Err(CommandError::Invalid(format!(
            "no job of flow {flow} has a parameter {unknown:?}; {there_are}"
        )));
    }
    let one = |(_, job): &(Span, JobDefinition)| {
        let own = wish.parameters.iter().filter(|(name, _)| job.parameters.contains_key(*name));
        let parameters = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        let own = Wish { parameters, ..wish.clone() };
        let named = |error| CommandError::Invalid(format!("job {}: {error}", job.name));
        check_given(job, &own.parameters, at).map_err(named)?;
        Ok(own)
    };
    jobs.iter().map(one).collect()
}
