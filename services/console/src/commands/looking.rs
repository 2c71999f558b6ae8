//! Looking into snapshots for somebody: which host is asked, and that nobody is told a name before the log has heard that
//! they looked.

use std::time::{Duration, Instant};

use bus::Service;
use bus::recorder::each_stream;
use bytes::Bytes;
use domain::backup::Dataset;
use domain::backup::looking::{self, LOOK_MS, Look, Looked, NAMES, Sight, Unseen, Wanted};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::ledger::Host;
use domain::site::ThingKind;
use domain::wire::{HostQuery, Selection, StreamView};

use super::{CommandError, named};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// How long one host may take: as long as it looks, and a little for the way.
const ONE: Duration = Duration::from_millis(LOOK_MS + 25_000);
/// How long all that are asked may take together.
const ALL: Duration = Duration::from_secs(110);

/// Where somebody wants to look, and how much they want to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Eyes {
    /// The host to be asked; where absent, whichever is likely to reach the repository.
    pub(crate) host: Option<String>,
    /// Most names.
    pub(crate) limit: Option<u32>,
}

/// What hosts said that saw nothing.
#[derive(Debug, Default)]
struct Vain {
    unseen: Vec<Unseen>,
    silent: Vec<String>,
}

impl Vain {
    /// What is to be said of all: what one found out counts more than what another may not, or did not say.
    fn problem(self, repository: &str) -> Problem {
        let said: Vec<String> =
            self.unseen.iter().map(ToString::to_string).chain(self.silent).collect();
        let text = said.join("; ");
        let refused = |one: &&Unseen| matches!(one, Unseen::NotAllowed(_));
        match self.unseen.iter().find(|one| !refused(one)).or(self.unseen.first()) {
            Some(Unseen::NotThere(_)) => Problem::not_found(text),
            Some(Unseen::Unclear(_)) => Problem::bad_request(text),
            Some(Unseen::NotAllowed(_)) => Problem::forbidden(text),
            Some(Unseen::Busy(_)) => Problem::unavailable(text),
            Some(Unseen::Failed(_)) => Problem::failed(text),
            None if text.is_empty() => Problem::unavailable(format!(
                "no host that is up has to do with repository {repository}: name one"
            )),
            None => Problem::unavailable(text),
        }
    }
}

impl From<Unseen> for Problem {
    fn from(unseen: Unseen) -> Self {
        Vain { unseen: vec![unseen], silent: Vec::new() }.problem("")
    }
}

impl Console {
    /// Has a host look, says so, and only then tells what it saw.
    pub(crate) async fn look(
        &self,
        name: &str,
        wanted: &Wanted,
        eyes: &Eyes,
        caller: &Caller,
    ) -> Result<(u64, Looked), Problem> {
        let id = StreamId::thing(ThingKind::Dataset, name);
        let state = self.state(&id).await?;
        let dataset = state.as_ref().and_then(|state| state.body.dataset());
        let dataset = dataset.ok_or_else(|| CommandError::NotFound(named(&id)))?;
        let look = looking::look(dataset, wanted, eyes.limit.unwrap_or(NAMES))?;
        let looked = match &eyes.host {
            Some(host) => {
                let mut vain = Vain::default();
                let seen = self.ask_in_turn(&look, vec![host.clone()], &mut vain, ALL).await;
                seen.ok_or_else(|| vain.problem(&look.repository))?
            }
            None => self.ask_likely(dataset, &look).await?,
        };
        let event = looking::event(&look, &looked);
        let position = self.say_of(&id, caller, event.into()).await?;
        Ok((position, looked))
    }

    /// Asks whoever wrote it; and where that does not help, whoever has a job with the repository.
    async fn ask_likely(&self, dataset: &Dataset, look: &Look) -> Result<Looked, Problem> {
        let began = Instant::now();
        let mut vain = Vain::default();
        let known = self.hosts().await?;
        let writer = looking::hosts(dataset, look, &[], &known);
        if let Some(looked) = self.ask_in_turn(look, writer.clone(), &mut vain, ALL).await {
            return Ok(looked);
        }
        let jobs = self.jobs_with(&look.repository).await?;
        let mut others = looking::hosts(dataset, look, &jobs, &known);
        others.retain(|host| !writer.contains(host));
        let left = ALL.saturating_sub(began.elapsed());
        let seen = self.ask_in_turn(look, others, &mut vain, left).await;
        seen.ok_or_else(|| vain.problem(&look.repository))
    }

    /// Asks one host after the other until one has seen it, or says what no other can know better.
    async fn ask_in_turn(
        &self,
        look: &Look,
        hosts: Vec<String>,
        vain: &mut Vain,
        within: Duration,
    ) -> Option<Looked> {
        let began = Instant::now();
        for host in hosts {
            let left = within.saturating_sub(began.elapsed());
            let settled = vain.unseen.iter().any(|unseen| !unseen.is_of_host());
            if left.is_zero() || settled {
                break;
            }
            match self.sight(&host, look, left.min(ONE)).await {
                Ok(Sight::Looked(looked)) => return Some(looked),
                Ok(Sight::Unseen(unseen)) => vain.unseen.push(unseen),
                Err(silent) => vain.silent.push(silent),
            }
        }
        None
    }

    async fn sight(&self, host: &str, look: &Look, wait: Duration) -> Result<Sight, String> {
        let query = HostQuery::Look { look: Box::new(look.clone()) };
        let query = serde_json::to_vec(&query).map_err(|error| error.to_string())?;
        let service = Service::Host(host.to_owned());
        let asked = self.bus.request(&service, Bytes::from(query), wait);
        let answer =
            asked.await.map_err(|error| format!("host {host} does not answer: {error}"))?;
        let sight = answer.strip_prefix(b"+").and_then(|body| serde_json::from_slice(body).ok());
        sight.ok_or_else(|| format!("host {host} does not know the question: upgrade its executor"))
    }

    async fn hosts(&self) -> Result<Vec<Host>, Problem> {
        let mut known: Vec<Host> = Vec::new();
        let take = |view: StreamView| known.extend(view.state.body.host().cloned());
        each_stream(&self.bus, Selection::Hosts, take).await?;
        Ok(known)
    }

    /// The active jobs whose work is on this repository.
    async fn jobs_with(&self, repository: &str) -> Result<Vec<JobDefinition>, Problem> {
        let mut found = Vec::new();
        let name = format!("{repository:?}");
        let take = |view: StreamView| {
            let job = view.state.body.job().and_then(|job| job.active());
            // Most jobs have nothing to do with it, and need not be read for this.
            let job = job.filter(|span| span.definition.get().contains(&name));
            found.extend(job.and_then(|span| span.read().ok()));
        };
        each_stream(&self.bus, Selection::Jobs, take).await?;
        Ok(found)
    }
}
