//! Names that a document refers to and no document has.

use std::collections::BTreeSet;

use domain::ids::StreamId;
use domain::job::Definition;
use domain::ledger::{named_by_job, named_by_thing};

use super::{At, Imported};

/// Notes each: whoever applies the documents has to have them.
pub(super) fn note_missing(imported: &mut Imported) {
    let all: Vec<(At, Definition)> = imported
        .found
        .iter()
        .flat_map(|found| found.definitions.iter().map(|one| (found.at.clone(), one.clone())))
        .collect();
    let known: BTreeSet<StreamId> = all.iter().map(|(_, d)| d.stream()).collect();
    for (at, definition) in &all {
        for missing in referred(definition).difference(&known) {
            let (word, name) = (missing.stream_type().word(), missing.rest());
            imported.note(
                at,
                format!(
                    "{} names the {word} {name}, which is not among what was imported: apply it before or with it",
                    definition.name()
                ),
            );
        }
    }
}

fn referred(definition: &Definition) -> BTreeSet<StreamId> {
    match definition {
        Definition::Job(job) => {
            let after = job.after.iter().map(|after| StreamId::job(&after.job));
            named_by_job(job).into_iter().chain(after).collect()
        }
        Definition::Thing(thing) => named_by_thing(thing),
    }
}
