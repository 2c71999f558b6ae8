//! What can be said of definitions together, before any of them is proposed: whether what they name exists, whether
//! they wait for each other in a circle, and in which order to apply them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::calendar::{Almanac, CalendarDefinition};
use crate::ids::StreamId;
use crate::job::flow::{Edges, circle};
use crate::job::{Definition, JobDefinition};
use crate::ledger::{named_by_job, named_by_thing};
use crate::site::Thing;

/// What is active already.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Every active job, and the jobs it waits for.
    pub jobs: Edges,
    /// Every active calendar, blackout, lock and pool.
    pub things: BTreeSet<StreamId>,
    /// What the calendars among them say.
    pub calendars: BTreeMap<String, Arc<CalendarDefinition>>,
    /// Where the repositories among them are.
    pub locations: BTreeMap<String, String>,
}

/// Everything that is wrong with these definitions among those that are active; in sentences.
pub fn problems(new: &[Definition], known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    let mut things = known.things.clone();
    things.extend(new.iter().map(Definition::stream));
    let mut jobs = known.jobs.clone();
    let new_jobs = || new.iter().filter_map(Definition::job);
    for job in new_jobs() {
        let after = job.after.iter().map(|after| after.job.clone());
        jobs.insert(job.name.clone(), after.collect());
    }
    for definition in new {
        for missing in named(definition).into_iter().filter(|id| !things.contains(id)) {
            found.push(format!(
                "{} {:?} names the {} {:?}, and there is none: apply it first, or with it",
                definition.word(),
                definition.name(),
                missing.stream_type().word(),
                missing.rest()
            ));
        }
    }
    for job in new_jobs() {
        for after in job.after.iter().filter(|after| !jobs.contains_key(&after.job)) {
            found.push(format!(
                "job {:?} waits for job {:?}, and there is none",
                job.name, after.job
            ));
        }
    }
    if let Some(circle) = circle_of_new(&jobs, new_jobs().map(|job| job.name.as_str())) {
        found.push(format!("jobs wait for each other in a circle: {}", circle.join(" -> ")));
    }
    found.extend(calendar_problems(new, known));
    found.extend(location_problems(new, known));
    found
}

/// Two names for one place would be two leases on it, and its snapshots would count as two copies.
fn location_problems(new: &[Definition], known: &Known) -> Vec<String> {
    let mut locations = known.locations.clone();
    let mut names = BTreeSet::new();
    for definition in new {
        if let Definition::Thing(Thing::Repository(one)) = definition {
            locations.insert(one.name.clone(), one.location.clone());
            names.insert(one.name.as_str());
        }
    }
    let place = |location: &str| location.trim_end_matches('/').to_owned();
    let mut by_place: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, location) in &locations {
        by_place.entry(place(location)).or_default().push(name);
    }
    let twice = by_place.into_iter().filter(|(_, all)| all.len() > 1);
    let of_new = twice.filter(|(_, all)| all.iter().any(|name| names.contains(name)));
    of_new
        .map(|(location, all)| {
            format!("repositories {} are all at {location}: one place has one name", all.join(", "))
        })
        .collect()
}

fn named(definition: &Definition) -> BTreeSet<StreamId> {
    match definition {
        Definition::Job(job) => named_by_job(job),
        Definition::Thing(thing) => named_by_thing(thing),
    }
}

/// A circle that goes through one of the new jobs: only those of its kin are looked at.
fn circle_of_new<'a>(jobs: &Edges, new: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let mut kin = Edges::new();
    let mut open: Vec<String> = new.map(str::to_owned).collect();
    while let Some(name) = open.pop() {
        let Some(after) = jobs.get(&name).filter(|_| !kin.contains_key(&name)) else { continue };
        open.extend(after.iter().cloned());
        kin.insert(name, after.clone());
    }
    circle(&kin)
}

/// Calendars that are used for what they are not, or refer to each other in a circle.
fn calendar_problems(new: &[Definition], known: &Known) -> Vec<String> {
    let mut calendars = known.calendars.clone();
    for definition in new {
        if let Definition::Thing(Thing::Calendar(calendar)) = definition {
            calendars.insert(calendar.name.clone(), Arc::new(calendar.clone()));
        }
    }
    let gather = |names: BTreeSet<String>| {
        // What is missing was named before.
        let names = names.into_iter().filter(|name| calendars.contains_key(name));
        Almanac::gather(names, |name| calendars.get(name).cloned())
    };
    let mut found = BTreeSet::new();
    for definition in new {
        let (names, days): (_, Vec<_>) = match definition {
            Definition::Job(job) => (job.calendar.names(), job.calendar.all().collect()),
            Definition::Thing(Thing::Calendar(calendar)) => {
                (BTreeSet::from([calendar.name.clone()]), Vec::new())
            }
            Definition::Thing(thing) => (thing.calendars(), Vec::new()),
        };
        let missing = names.iter().any(|name| !calendars.contains_key(name));
        let checked =
            gather(names).and_then(|almanac| days.iter().try_for_each(|days| almanac.check(days)));
        if let (Err(error), false) = (checked, missing) {
            found.insert(format!("{} {:?}: {error}", definition.word(), definition.name()));
        }
    }
    found.into_iter().collect()
}

/// The same definitions in an order in which what is named comes before what names it.
pub fn in_order(new: Vec<Definition>) -> Vec<Definition> {
    let mut waiting: BTreeMap<StreamId, Definition> =
        new.into_iter().map(|definition| (definition.stream(), definition)).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready: Vec<StreamId> = waiting
            .iter()
            .filter(|(_, d)| named(d).iter().all(|id| !waiting.contains_key(id)))
            .map(|(id, _)| id.clone())
            .collect();
        if ready.is_empty() {
            // A circle, which is refused by whoever is asked.
            ordered.extend(std::mem::take(&mut waiting).into_values());
        }
        // Jobs last: what they name may be named by none of them.
        ordered.extend(ready.iter().filter_map(|id| waiting.remove(id)));
    }
    ordered.sort_by_key(|definition| definition.job().is_some());
    ordered
}

/// The jobs that a job waits for.
pub fn waits_for(job: &JobDefinition) -> BTreeSet<String> {
    job.after.iter().map(|after| after.job.clone()).collect()
}
