//! `decklog import …`: one way for all formats. Reads, says what is left out, shows what would be there, writes it.

use std::path::PathBuf;
use std::sync::Arc;

use domain::calendar::{CalendarSpan, Calendars};
use domain::import::crontab::Format as TabFormat;
use domain::site::Thing;
use serde::Serialize;
use serde_json::Value;

use crate::cli::{Crontab, Format, Ics, Import, Quartz, Taken};
use crate::import::document::{Document, next};
use crate::import::{Imported, controlm, crontab, ics, jil, quartz, read, rundeck, systemd, write};
use crate::output::{self, Table};
use crate::{exit, host};

#[derive(Debug, Serialize)]
struct Line {
    file: String,
    line: usize,
    kind: &'static str,
    /// The name; jobs were first.
    job: String,
    next: Option<String>,
    definition: Value,
    #[serde(skip)]
    telling: String,
}

pub(crate) fn run(import: &Import, format: Format) -> anyhow::Result<()> {
    let (mut imported, out) = match import {
        Import::Crontab(crontab) => (of_crontab(crontab)?, &crontab.taken.out),
        Import::Systemd(taken) => {
            (systemd::import(&systemd::read(&taken.files)?, &zone(taken)), &taken.out)
        }
        Import::Rundeck(taken) => {
            let files = read::files(&taken.files, has_end(&["yaml", "yml", "xml"]))?;
            (rundeck::import(&files, &zone(taken)), &taken.out)
        }
        Import::Quartz(quartz) => (of_quartz(quartz)?, &quartz.taken.out),
        Import::Jil(taken) => {
            let files = read::files(&taken.files, has_end(&["jil"]))?;
            (jil::import(&files, &zone(taken)), &taken.out)
        }
        Import::Controlm(taken) => {
            let files = read::files(&taken.files, has_end(&["xml"]))?;
            (controlm::import(&files, &zone(taken)), &taken.out)
        }
        Import::Ics(ics) => (of_ics(ics)?, &ics.out),
    };
    imported.settle();
    show(&imported, out.as_ref(), format)
}

fn zone(taken: &Taken) -> String {
    taken.zone.clone().unwrap_or_else(host::zone)
}

fn has_end(ends: &[&'static str]) -> impl Fn(&str) -> bool {
    let ends = ends.to_vec();
    move |name: &str| name.rsplit_once('.').is_some_and(|(_, end)| ends.contains(&end))
}

fn of_crontab(crontab: &Crontab) -> anyhow::Result<Imported> {
    // As cron itself: names with a dot are no crontabs.
    let files = read::files(&crontab.taken.files, |name| !name.contains('.'))?;
    let format = |name: &str| {
        let below_etc = name.starts_with("/etc/");
        let system = crontab.system || (below_etc && !crontab.user);
        if system { TabFormat::System } else { TabFormat::User }
    };
    Ok(crontab::import(&files, &zone(&crontab.taken), format))
}

fn of_quartz(quartz: &Quartz) -> anyhow::Result<Imported> {
    let commands = quartz::Commands::parse(&quartz.commands).map_err(exit::usage)?;
    let files = read::files(&quartz.taken.files, |_| true)?;
    Ok(quartz::import(&files, &commands, &zone(&quartz.taken)))
}

fn of_ics(ics: &Ics) -> anyhow::Result<Imported> {
    let this_year = host::now().to_zoned(jiff::tz::TimeZone::system()).year();
    let from = ics.from.unwrap_or(this_year);
    let to = ics.to.unwrap_or_else(|| from.saturating_add(4));
    let files = read::files(std::slice::from_ref(&ics.file), |_| false)?;
    ics::import(&files, &ics.name, from, to).map_err(exit::usage)
}

/// Says what is left out, prints what is there, and then writes it where that was asked for.
fn show(imported: &Imported, out: Option<&PathBuf>, format: Format) -> anyhow::Result<()> {
    say(imported);
    let (now, calendars) = (host::now(), calendars(imported));
    let lines: Vec<Line> = imported
        .found
        .iter()
        .map(|found| {
            Ok(Line {
                file: found.at.file.to_string(),
                line: found.at.line,
                kind: found.what.kind(),
                job: found.what.name().to_owned(),
                next: next(&found.definitions, now, &calendars),
                definition: found.what.value()?,
                telling: found.what.telling(),
            })
        })
        .collect::<Result<_, String>>()
        .map_err(anyhow::Error::msg)?;
    output::list(format, &lines, table)?;
    out.map_or(Ok(()), |out| write::all(out, imported))
}

fn say(imported: &Imported) {
    for left in &imported.left_out {
        let source = left.source.lines().next().unwrap_or_default();
        eprintln!("{}:{}: left out: {}  ({source})", left.at.file, left.at.line, left.text);
    }
    for note in &imported.notes {
        eprintln!("{}:{}: note: {}", note.at.file, note.at.line, note.text);
    }
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new(["FILE", "LINE", "KIND", "NAME", "NEXT", "WHAT"]);
    for line in lines {
        table.row([
            line.file.clone(),
            line.line.to_string(),
            line.kind.to_owned(),
            line.job.clone(),
            line.next.clone().unwrap_or_default(),
            line.telling.clone(),
        ]);
    }
    table
}

/// The calendars among what was imported, for the jobs that name them.
fn calendars(imported: &Imported) -> Calendars {
    let mut calendars = Calendars::default();
    for found in &imported.found {
        if let Document::Thing(thing @ Thing::Calendar(calendar)) = &found.what
            && let Ok(digest) = thing.digest()
        {
            let definition = Arc::new(calendar.clone());
            let span = CalendarSpan { number: 0, digest, definition, from: jiff::Timestamp::MIN };
            calendars.add(&calendar.name, span);
        }
    }
    calendars
}
