//! Asks hosts whether they could run a job.

use std::time::Duration;

use bus::Service;
use bus::recorder::each_stream;
use bytes::Bytes;
use domain::executor::candidates;
use domain::job::JobDefinition;
use domain::ledger::Host;
use domain::wire::{HostQuery, Selection};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::state::Console;

/// Most hosts asked about one job.
const HOSTS_MAX: usize = 50;
/// How long a host may take to answer.
const WAIT: Duration = Duration::from_secs(5);

/// What hosts say about a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// The hosts that were asked: the one the job names, or those of its pool that are up.
    pub hosts: Vec<HostChecked>,
    /// How many more there are, which were not asked.
    pub others: usize,
}

/// What one host says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostChecked {
    /// The host.
    pub host: String,
    /// What would keep it from running the job, a sentence each; empty for nothing.
    pub problems: Vec<String>,
    /// Why it is not known: `does not answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

impl Console {
    /// Asks the hosts that might have to run a job.
    pub(crate) async fn check(&self, definition: &JobDefinition) -> Result<Checked, Problem> {
        let mut known: Vec<Host> = Vec::new();
        let take = |view: domain::wire::StreamView| known.extend(view.state.body.host().cloned());
        each_stream(&self.bus, Selection::Hosts, take).await?;
        let mut names = candidates(definition, known.iter());
        let others = names.len().saturating_sub(HOSTS_MAX);
        names.truncate(HOSTS_MAX);
        let definition = serde_json::to_value(definition).map_err(Problem::bad_request)?;
        let mut asked = JoinSet::new();
        for host in names {
            let (console, definition) = (self.clone(), definition.clone());
            asked.spawn(async move { console.ask(host, definition).await });
        }
        let mut hosts = asked.join_all().await;
        hosts.sort_by(|a, b| a.host.cmp(&b.host));
        Ok(Checked { hosts, others })
    }

    async fn ask(&self, host: String, definition: Value) -> HostChecked {
        let query = serde_json::to_vec(&HostQuery::Check { definition }).unwrap_or_default();
        let answer = self.bus.request(&Service::Host(host.clone()), Bytes::from(query), WAIT).await;
        let read = answer.map(|answer| {
            answer.strip_prefix(b"+").and_then(|list| serde_json::from_slice(list).ok())
        });
        let (problems, unknown) = match read {
            Ok(Some(problems)) => (problems, None),
            Ok(None) => (Vec::new(), Some("does not know the question: upgrade its executor")),
            Err(_) => (Vec::new(), Some("does not answer")),
        };
        HostChecked { host, problems, unknown: unknown.map(str::to_owned) }
    }
}
