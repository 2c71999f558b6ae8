//! What a restore will do, in words, before it is asked for.

use domain::backup::progress::size;
use domain::backup::protection::active;
use domain::backup::restoring::{self, Choice, LATEST};
use domain::backup::{Dataset, Snapshot};
use domain::job::JobDefinition;
use jiff::Timestamp;

use super::jobs::place;
use super::{Chosen, Ground};
use crate::commands::CommandError;
use crate::pages::when;
use crate::pages::words::millis;

type Says = Vec<(&'static str, String)>;

/// What will happen, what may be wrong with it, and to which directory it goes.
pub(super) fn outlook(
    ground: &Ground,
    chosen: &Chosen,
    now: Timestamp,
) -> Result<(Says, Vec<String>, String), CommandError> {
    let job = ground.job(&chosen.job)?;
    let name = &ground.dataset.defined.name;
    let none = || CommandError::Invalid(format!("job {} does not restore {name}", job.name));
    let work = restoring::restores(job, name).ok_or_else(none)?;
    let [snapshot, path, to] = restoring::choices(job, work);
    let which = Chosen { snapshot: taken(&snapshot, &chosen.snapshot), ..chosen.clone() };
    let found = ground.snapshot(&which, &work.repository);
    let (path, to) = (taken(&path, &chosen.path), taken(&to, &chosen.to));
    let part = if path.is_empty() { "all of it".to_owned() } else { path };
    let kept = if work.replace {
        "files that are there are replaced"
    } else {
        "it is made, and nothing that is there is written over"
    };
    let mut says = vec![
        ("what", what(found, &which, &work.repository, now)),
        ("of it", part),
        ("by", format!("job {} on {}", job.name, place(job))),
        ("to", format!("{to}: {kept}")),
        ("then", "every file is compared with what the manifest says of it".to_owned()),
        ("took last time", last(&ground.dataset)),
    ];
    says.extend(rto(&ground.dataset));
    says.push(("why", chosen.reason.clone()));
    Ok((says, warns(job, found, &which), to))
}

/// What the job takes: what was chosen where it lets one, its own otherwise.
fn taken(choice: &Choice<'_>, chosen: &str) -> String {
    let own = choice.own.unwrap_or_default();
    let nothing = chosen.is_empty() && choice.name == "to";
    if choice.open && !nothing { chosen.to_owned() } else { own.to_owned() }
}

fn what(found: Option<&Snapshot>, which: &Chosen, repository: &str, now: Timestamp) -> String {
    let Some(one) = found else {
        return format!("snapshot {} of {repository}, which the log does not know", which.snapshot);
    };
    let measure = &one.measure;
    let which = match which.snapshot.as_str() {
        LATEST => "the newest good snapshot when it runs; now that is",
        _ => "snapshot",
    };
    let age = crate::pages::words::between(one.taken, now);
    format!(
        "{which} {} of {}: data of {} ({age} ago), {} files, {}",
        one.id.short(),
        one.repository,
        when(one.taken),
        measure.files,
        size(measure.bytes)
    )
}

/// How long it took the last time, and how much that was.
fn last(dataset: &Dataset) -> String {
    let restore = dataset.restores.last().map(|one| (one.at, one.took_ms, one.bytes, "a restore"));
    let tests = dataset.tests.iter().rev().find(|test| test.result.good);
    let test = tests.map(|one| (one.at, one.result.took_ms, one.result.bytes, "a restore test"));
    match restore.into_iter().chain(test).max_by_key(|(at, ..)| *at) {
        Some((at, took, bytes, what)) => {
            format!("{} for {}: {what} at {}", millis(took), size(bytes), when(at))
        }
        None => "it was never restored: nobody knows how long it takes".to_owned(),
    }
}

fn rto(dataset: &Dataset) -> Option<(&'static str, String)> {
    let rto = active(dataset)?.0.rto?;
    Some(("should take", format!("at most {rto} (RTO)")))
}

fn warns(job: &JobDefinition, found: Option<&Snapshot>, which: &Chosen) -> Vec<String> {
    let mut all = Vec::new();
    match found {
        None if which.snapshot == LATEST => {
            all.push("no snapshot is known to be good: the run will fail".to_owned());
        }
        Some(one) if !one.is_good() => {
            all.push(
                "this snapshot is not whole: what is damaged or missing does not come back".into(),
            );
        }
        Some(_) | None => {}
    }
    if job.confirm.is_some() {
        all.push("the run waits until somebody says go".to_owned());
    }
    if !which.path.is_empty() {
        all.push("the path stands in the log, as a parameter of the run".to_owned());
    }
    all
}
