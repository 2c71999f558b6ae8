//! Who misses a limit, and the chain that makes it so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::tale::{Part, Wait};
use super::usual::Length;
use crate::event::{Limit, SkipReason};
use crate::ids::StreamId;
use crate::run::Run;

/// A limit that a run misses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// The run.
    pub run: StreamId,
    /// `start-by`, `finish-by`, `latest-by` or `window`; at the last two it is skipped.
    pub limit: String,
    /// When it was to have started or ended.
    pub by: Timestamp,
    /// When it does; absent where it does not as far as is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What makes it so: the run itself, the one that let it start, the one that let that start, …
    pub chain: Vec<Link>,
}

/// A run in a chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The run.
    pub run: StreamId,
    /// The word of its state at the end.
    pub state: String,
    /// When it is meant to start.
    pub instant: Timestamp,
    /// When it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How long it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// What it waits for last before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
}

/// Longest chain.
const CHAIN_MAX: usize = 20;

/// All limits that are missed from the plan's beginning on.
pub(super) fn missed(parts: &BTreeMap<StreamId, Part>, plan: Plan) -> Vec<Missed> {
    let of = |part: &Part| {
        let found = part.at_end.as_deref().map(limits).unwrap_or_default();
        let ahead = found.into_iter().filter(|(_, by)| *by >= plan.from);
        let one = |(limit, by): (&str, Timestamp)| Missed {
            run: part.run.clone(),
            limit: limit.to_owned(),
            by,
            at: if limit == "finish-by" { part.ended } else { part.started },
            chain: chain(parts, part),
        };
        ahead.map(one).collect::<Vec<_>>()
    };
    let mut all: Vec<Missed> = parts.values().flat_map(of).collect();
    all.sort_by_key(|missed| (missed.by, missed.run.clone()));
    all
}

/// The limits that a run has missed at the end.
fn limits(run: &Run) -> Vec<(&'static str, Timestamp)> {
    let late = run.late.iter().filter_map(|late| {
        let limit = match late.limit {
            Limit::StartBy => "start-by",
            Limit::FinishBy => "finish-by",
            Limit::LongerThan | Limit::ShorterThan => return None,
        };
        Some((limit, late.by?))
    });
    let skipped = run.skipped.as_ref().and_then(|reason| match reason {
        SkipReason::LatestBy { until, .. } => Some(("latest-by", *until)),
        SkipReason::Window { until } => Some(("window", *until)),
        SkipReason::Paused
        | SkipReason::Overlap { .. }
        | SkipReason::QueueFull { .. }
        | SkipReason::Retired
        | SkipReason::Calendar { .. }
        | SkipReason::Gap
        | SkipReason::Ordered { .. }
        | SkipReason::Person { .. }
        | SkipReason::Blackout { .. }
        | SkipReason::Parameters { .. } => None,
    });
    late.chain(skipped).collect()
}

/// The run, the one that let it start or keeps it from starting, the one behind that, and so on.
fn chain(parts: &BTreeMap<StreamId, Part>, part: &Part) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut next = Some(part);
    while let Some(part) = next.take().filter(|_| links.len() < CHAIN_MAX) {
        let wait = part.waits.last();
        links.push(Link {
            run: part.run.clone(),
            state: part.state.clone(),
            instant: part.instant,
            started: part.started,
            ended: part.ended,
            length: part.length,
            wait: wait.cloned(),
        });
        let waits_on = || wait.filter(|_| part.started.is_none())?.on.first().cloned();
        let behind = part.after.clone().or_else(waits_on);
        let new = behind.filter(|id| links.iter().all(|link| link.run != *id));
        next = new.and_then(|id| parts.get(&id));
    }
    links
}
