//! What would keep this host from running a job: asked before there is a run.

use std::collections::BTreeMap;

use domain::executor::misplaced;
use domain::ids::StreamId;
use domain::job::{JobDefinition, Tokens, parameters};
use domain::wire::Work;
use serde::Deserialize as _;
use serde_json::Value;

use crate::attempt::{Program, Spec, obstacles};
use crate::host::Host;
use crate::order;

/// What keeps a limit of memory from holding.
const NO_LIMIT: &str = "limits.memory-bytes does not hold here: the executor needs cgroup v2 with the memory \
     controller, Delegate=yes and DelegateSubgroup=executor in its unit";

/// All of it, a sentence each.
pub(crate) fn problems(host: &Host, definition: &Value) -> Vec<String> {
    match JobDefinition::deserialize(definition) {
        Ok(read) => problems_of(host, &read, definition),
        Err(error) => {
            vec![format!("the definition cannot be read: {error}; upgrade this executor")]
        }
    }
}

fn problems_of(host: &Host, definition: &JobDefinition, value: &Value) -> Vec<String> {
    let place = misplaced(definition, &host.name, &host.pools, &host.labels);
    let mut problems: Vec<String> = place.into_iter().collect();
    let mut spec = order::spec(&work(host, definition, value), definition, None);
    if let Some(kind) = definition.work() {
        spec = crate::backup::as_checked(host, kind, spec);
    }
    if let Some(work) = &definition.print {
        spec = crate::print::as_checked(host, work, spec);
    }
    problems.extend(spec.refused.clone());
    problems.extend(obstacles::user(&spec));
    // An engine's own limit is a precaution; what a job asks for is meant to hold.
    if definition.limits.memory_bytes.is_some() && !host.bounds_memory() {
        problems.push(NO_LIMIT.to_owned());
    }
    // What program it is, only the run's own values tell.
    if is_open(&spec) {
        return problems;
    }
    match obstacles::program(&spec) {
        Some(problem) => problems.push(problem),
        None => {
            let refusals = host.allow.refusals(&spec, &host.user);
            problems.extend(refusals.iter().map(ToString::to_string));
        }
    }
    problems
}

fn is_open(spec: &Spec) -> bool {
    matches!(&spec.program, Program::Argv(words) if words.first().is_some_and(|w| w.contains("{{")))
}

/// An offer as it would be made now, with the values its parameters have by themselves.
fn work(host: &Host, definition: &JobDefinition, value: &Value) -> Work {
    let run = StreamId::run(&definition.name, "request-check");
    let now = (host.clock)();
    let zone = jiff::tz::TimeZone::get(&definition.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let tokens = Tokens {
        parameters: &BTreeMap::new(),
        business_date: zone.to_datetime(now).date(),
        occurrence: now.to_zoned(zone).to_string(),
        job: &definition.name,
        run: run.rest(),
        attempt: 1,
    };
    let mut declared = definition.parameters.clone();
    declared.retain(|_, parameter| parameter.default.is_some());
    let parameters = parameters::resolve(&declared, &BTreeMap::new(), &tokens).unwrap_or_default();
    let business_day = Some(tokens.business_date);
    Work {
        run,
        version: 0,
        attempt: 1,
        pool: definition.pool.clone(),
        host: definition.host.clone(),
        digest: domain::canonical::Digest::NONE,
        definition: value.clone(),
        offer: 1,
        parameters,
        business_day,
        at: now,
    }
}
