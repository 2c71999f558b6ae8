//! Whether a job may run on a host, by where the job says it goes.

use std::collections::BTreeMap;

use crate::job::{JobDefinition, selects};
use crate::ledger::Host;

/// Why a job does not go to a host with these pools and labels; `None` where it may.
pub fn misplaced(
    definition: &JobDefinition,
    host: &str,
    pools: &[String],
    labels: &BTreeMap<String, String>,
) -> Option<String> {
    match &definition.host {
        Some(named) if named == host => return None,
        Some(named) => return Some(format!("the job is for host {named}")),
        None if !pools.contains(&definition.pool) => {
            return Some(format!("it takes no work of pool {}", definition.pool));
        }
        None => {}
    }
    let missing = definition.select.iter().find(|(label, values)| {
        let has = labels.get(*label);
        has.is_none_or(|has| !values.0.contains(has))
    });
    missing.map(|(label, values)| {
        let has = labels.get(label).map_or("it has none".to_owned(), |has| format!("it has {has}"));
        format!("the label {label} is not {}; {has}", values.0.join(" or "))
    })
}

/// The hosts to ask whether they can run a job: the one it names, or those of its pool that are up. Of these the ones
/// with its labels, unless there are none.
pub fn candidates<'a>(
    definition: &JobDefinition,
    hosts: impl Iterator<Item = &'a Host>,
) -> Vec<String> {
    if let Some(host) = &definition.host {
        return vec![host.clone()];
    }
    let started = hosts.filter(|host| host.up).filter_map(|h| Some((&h.name, h.started.as_ref()?)));
    let of_pool: Vec<_> =
        started.filter(|(_, started)| started.pools.contains(&definition.pool)).collect();
    let fit = |labels| selects(&definition.select, labels);
    let any = of_pool.iter().any(|(_, started)| fit(&started.labels));
    let asked = of_pool.into_iter().filter(|(_, started)| !any || fit(&started.labels));
    asked.map(|(name, _)| name.clone()).collect()
}
