//! `decklog doctor`: what weakens a log where it stands. It proves nothing of the past: `decklog verify` does.

use std::path::{Path, PathBuf};

use audit::place::{self, Others};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::wire::Selection;
use eventlog::{EventLog, Weakness};
use serde::Serialize;

use crate::cli::{Format, Standing};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host};

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Serialize)]
struct Finding {
    what: String,
    todo: String,
    /// Whether it weakens nothing, and is only to be known.
    note: bool,
}

impl From<Weakness> for Finding {
    fn from(found: Weakness) -> Self {
        Self { what: found.says, todo: found.todo.into_owned(), note: false }
    }
}

pub(crate) fn run(standing: &Standing, format: Format) -> anyhow::Result<()> {
    let source = Source::standing(standing)?;
    let ((runtime, log), dir) = (source.here()?, source.dir());
    let mut weak = runtime.block_on(log.weaknesses())?;
    weak.extend(runtime.block_on(place::clocks(log, &host::now))?);
    if let Some(dir) = dir {
        weak.extend(place::secrets(dir)?);
        let paths = [dir.to_owned(), EventLog::file_in(dir)];
        weak.extend(place::writable(&paths, Others::GroupToo));
        weak.extend(place::room(dir)?);
    }
    let mut found: Vec<Finding> = weak.into_iter().map(Finding::from).collect();
    found.extend(zones(&source)?);
    let well = found.is_empty();
    found.extend(copies(&source, runtime.block_on(log.uncopied())?, dir)?);
    found.extend(archivists(&runtime.block_on(log.archivists())?));
    if well && matches!(format, Format::Table) {
        output::line("the guards of the log stand, and nothing here weakens it")?;
        for note in &found {
            output::line(&format!("note: {}: {}", note.what, note.todo))?;
        }
    } else {
        output::list(format, &found, table)?;
    }
    if well { Ok(()) } else { Err(exit::unclean("")) }
}

/// Whether this machine reads times by another version of the time zone database than the log's occurrences are decided by.
fn zones(source: &Source) -> anyhow::Result<Option<Finding>> {
    let known = source.stream(&StreamId::tzdb())?;
    let decided = known.as_ref().and_then(|state| state.body.tzdb());
    let here = host::tzdb().version;
    Ok(decided.filter(|decided| **decided != here).map(|decided| Finding {
        what: format!("this machine has the time zone database {here}, and occurrences are decided by {decided}"),
        todo: "bring the package tzdata to one version on all machines".to_owned(),
        note: false,
    }))
}

/// Whether anything shows that the log itself is copied: what is lost with its disk no proof brings back.
fn copies(
    source: &Source,
    uncopied: Option<String>,
    dir: Option<&Path>,
) -> anyhow::Result<Option<Finding>> {
    let what = match (uncopied, dir) {
        (Some(why), _) => format!("nothing shows that the database is copied: {why}"),
        (None, Some(dir)) if !is_backed_up(source, &std::path::absolute(dir)?)? => {
            format!("no backup of this site holds {}", dir.display())
        }
        (None, _) => return Ok(None),
    };
    let todo = "what is lost with its disk is lost: copy the log, its keys and its archive to another machine";
    Ok(Some(Finding { what, todo: todo.to_owned(), note: true }))
}

/// Who may take out of the database what is archived, so that it is in files alone.
fn archivists(names: &[String]) -> Option<Finding> {
    let what = format!("may take archived events out of the database: {}", names.join(", "));
    let todo =
        "recorders that archive need the role decklog_archivist: take it from whoever else has it"
            .to_owned();
    (!names.is_empty()).then_some(Finding { what, todo, note: true })
}

/// Whether an active job backs up a directory, or one that it is in.
fn is_backed_up(source: &Source, dir: &Path) -> anyhow::Result<bool> {
    for view in source.streams(Selection::Jobs)? {
        let active = view.state.body.job().and_then(|job| job.active());
        let definition = active
            .and_then(|span| serde_json::from_str::<JobDefinition>(span.definition.get()).ok());
        let paths = definition.and_then(|job| job.backup).map(|work| work.paths);
        if paths.is_some_and(|paths| paths.iter().any(|path| dir.starts_with(PathBuf::from(path))))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn table(found: &[Finding]) -> Table {
    let mut table = Table::new(["WHAT", "WHAT TO DO"]);
    for one in found {
        table.row([one.what.clone(), one.todo.clone()]);
    }
    table
}
