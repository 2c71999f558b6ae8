//! `decklog export …`.

use std::collections::BTreeSet;

use domain::job::Job;
use domain::wire::Selection;

use crate::cli::{Export, ExportCrontab, Format};
use crate::export::crontab::{self, Exported};
use crate::source::Source;
use crate::{exit, host, output};

pub(crate) fn run(export: &Export, format: Format) -> anyhow::Result<()> {
    let Export::Crontab(crontab) = export;
    let exported = exported(crontab)?;
    for one in &exported {
        if let Some(reason) = &one.left_out {
            eprintln!("{}: left out: {reason}", one.job);
        } else if !one.lost.is_empty() {
            eprintln!("{}: a crontab does not say: {}", one.job, one.lost.join("; "));
        }
    }
    match format {
        Format::Table => {
            let file = crontab::file(&exported, &host::zone()).map_err(anyhow::Error::msg)?;
            output::print_bytes(file.as_bytes())
        }
        Format::Json | Format::Jsonl => {
            output::list(format, &exported, |_| output::Table::default())
        }
    }
}

/// Every active job that is asked for, in the order of names.
fn exported(crontab: &ExportCrontab) -> anyhow::Result<Vec<Exported>> {
    let source = Source::open(&crontab.place)?;
    let mut missing: BTreeSet<&String> = crontab.jobs.iter().collect();
    let mut found = Vec::new();
    for view in source.streams(Selection::Jobs)? {
        let Some(job) = view.state.body.job().filter(|job| job.active().is_some()) else {
            continue;
        };
        if crontab.jobs.is_empty() || missing.remove(&job.name) {
            found.push(one(job, crontab.user_column));
        }
    }
    match missing.first() {
        Some(name) => Err(exit::not_found(format!("there is no active job {name}"))),
        None => Ok(found),
    }
}

fn one(job: &Job, user_column: bool) -> Exported {
    if let Some(pause) = job.paused() {
        return crontab::without_line(&job.name, format!("it is paused: {}", pause.reason));
    }
    match job.active().map(|span| span.read()) {
        Some(Ok(definition)) => crontab::export(&definition, user_column),
        Some(Err(error)) => crontab::without_line(&job.name, error.to_string()),
        None => crontab::without_line(&job.name, "it is not active".to_owned()),
    }
}
