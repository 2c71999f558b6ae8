//! The recovery report: how everything is brought back when nothing is left but the repositories.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::backup::protection::active;
use domain::backup::{Dataset, Protection, RepositoryDefinition, Snapshot};
use domain::ids::StreamId;
use domain::site::{Thing, ThingKind};
use jiff::Timestamp;

use super::{datasets, seconds, size, why_at_risk};
use crate::cli::Place;
use crate::output::{self, local};
use crate::source::Source;
use crate::{host, site};

pub(super) fn run(place: &Place) -> anyhow::Result<()> {
    let source = Source::open(place)?;
    let mut repositories = BTreeMap::new();
    for (id, defined) in site::things(&source)? {
        if let Some(Thing::Repository(one)) =
            defined.active().and_then(|_| defined.read(ThingKind::Repository))
        {
            repositories.insert(id, *one);
        }
    }
    let mut all = datasets(&source)?;
    all.retain(|dataset| active(dataset).is_some());
    // What may be missing for the shortest time is brought back first.
    all.sort_by_key(|dataset| {
        let rto = active(dataset).and_then(|(definition, _)| definition.rto);
        (rto.map_or(u64::MAX, |rto| rto.millis()), dataset.defined.name.clone())
    });
    output::print(&text(&all, &repositories, host::now()))
}

fn text(
    all: &[Dataset],
    repositories: &BTreeMap<StreamId, RepositoryDefinition>,
    now: Timestamp,
) -> String {
    let mut out = format!("RECOVERY REPORT  {}\n\n", local(now));
    out.push_str(
        "Needed: a machine with decklog-executor (or restic 0.14 or newer), the repositories below, and their passwords.\n\
         The passwords are where this page says, never on it. Keep them also away from the machines they are for.\n\n",
    );
    out.push_str("REPOSITORIES\n");
    for one in repositories.values() {
        let _ = writeln!(out, "  {}: {}", one.name, one.location);
        let _ = writeln!(out, "      password: {}; asked: {}", one.password, asked(&one.owner));
    }
    for (step, dataset) in (1..).zip(all) {
        let _ = writeln!(out, "\nSTEP {step}. {}", dataset.defined.name);
        one(&mut out, dataset, repositories, now);
    }
    out
}

fn asked(owner: &str) -> &str {
    if owner.is_empty() { "nobody is named" } else { owner }
}

fn one(
    out: &mut String,
    dataset: &Dataset,
    repositories: &BTreeMap<StreamId, RepositoryDefinition>,
    now: Timestamp,
) {
    let Some((definition, _)) = active(dataset) else { return };
    let name = &definition.name;
    let _ = writeln!(
        out,
        "  what      {} (owner: {})",
        definition.description,
        asked(&definition.owner)
    );
    let rto = definition.rto.map_or("none".to_owned(), |rto| rto.to_string());
    let _ = writeln!(out, "  goals     RPO {}, RTO {rto}", definition.rpo);
    if let Protection::AtRisk { reason } = Protection::of(dataset, now) {
        let _ = writeln!(out, "  AT RISK   {}", why_at_risk(&reason));
    }
    let tested = dataset.tests.iter().rev().find(|test| test.result.good);
    let _ = match tested {
        Some(test) => writeln!(
            out,
            "  tested    {}: {} files, {} in {} on {}",
            local(test.at),
            test.result.files,
            size(test.result.bytes),
            seconds(test.result.took_ms),
            test.result.host
        ),
        None => writeln!(out, "  tested    NEVER: nobody knows how long it takes"),
    };
    let mut names: Vec<&str> = dataset.snapshots.iter().map(|s| s.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let found: Vec<(&str, &Snapshot)> =
        names.into_iter().filter_map(|name| Some((name, dataset.newest_good(name)?))).collect();
    if found.is_empty() {
        let _ = writeln!(out, "  NOTHING CAN BE RESTORED: no snapshot is known to be good");
    }
    for (repository, snapshot) in found {
        let id = StreamId::thing(ThingKind::Repository, repository);
        let location = repositories.get(&id).map_or("(not defined any more)", |one| &one.location);
        let (taken, bytes) = (local(snapshot.taken), size(snapshot.measure.bytes));
        let _ = writeln!(
            out,
            "  from {repository}: snapshot {} of {taken}, {} files, {bytes}",
            snapshot.id.short(),
            snapshot.measure.files
        );
        let _ = writeln!(
            out,
            "      decklog-executor restore --repository {location} --password-file FILE --snapshot {} --to /restore/{name}",
            snapshot.id
        );
        let _ = writeln!(
            out,
            "      restic -r {location} --password-file FILE restore {} --target /restore/{name}",
            snapshot.id
        );
    }
}
