//! `decklog import crontab`.

use std::path::{Path, PathBuf};

use domain::calendar::Calendars;
use domain::import::crontab::{
    Format as TabFormat, Imported, ImportedJob, Source as TabSource, parse,
};
use domain::job::{JobDefinition, to_yaml};
use serde::Serialize;

use crate::cli::{Crontab, Format, Import};
use crate::output::{self, Table};
use crate::{exit, host};

#[derive(Debug, Serialize)]
struct Line {
    file: String,
    line: usize,
    job: String,
    next: Option<String>,
    definition: JobDefinition,
}

pub(crate) fn run(import: &Import, format: Format) -> anyhow::Result<()> {
    let Import::Crontab(crontab) = import;
    let zone = crontab.zone.clone().unwrap_or_else(host::zone);
    let mut lines = Vec::new();
    for (name, text) in read(&crontab.files)? {
        let source = TabSource {
            file: name.clone(),
            format: tab_format(crontab, &name),
            default_zone: zone.clone(),
        };
        let imported = parse(&text, &source);
        say_left_out(&name, &imported);
        for job in imported.jobs {
            lines.push(line(&name, job, &lines)?);
        }
    }
    if let Some(out) = &crontab.out {
        write(out, &lines)?;
    }
    output::list(format, &lines, |lines| {
        let mut table = Table::new(["FILE", "LINE", "JOB", "NEXT", "COMMAND"]);
        for one in lines {
            let command =
                one.definition.command.argv.as_ref().and_then(|argv| argv.last().cloned());
            let next = one.next.clone().unwrap_or_default();
            table.row([
                one.file.clone(),
                one.line.to_string(),
                one.job.clone(),
                next,
                command.unwrap_or_default(),
            ]);
        }
        table
    })
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            files.push(("-".to_owned(), std::io::read_to_string(std::io::stdin())?));
            continue;
        }
        let kind = std::fs::metadata(path)
            .map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
        if kind.is_dir() {
            let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?
                .map(|entry| entry.map(|e| e.path()))
                .collect::<Result<_, _>>()?;
            entries.sort();
            // As cron itself: names with a dot are no crontabs.
            entries.retain(|e| {
                e.is_file() && !e.file_name().is_some_and(|n| n.to_string_lossy().contains('.'))
            });
            files
                .extend(entries.into_iter().map(|e| text(&e)).collect::<anyhow::Result<Vec<_>>>()?);
        } else {
            files.push(text(path)?);
        }
    }
    Ok(files)
}

fn text(path: &Path) -> anyhow::Result<(String, String)> {
    let bytes =
        std::fs::read(path).map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
    Ok((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()))
}

fn tab_format(crontab: &Crontab, name: &str) -> TabFormat {
    let below_etc = name.starts_with("/etc/");
    if crontab.system || (below_etc && !crontab.user) { TabFormat::System } else { TabFormat::User }
}

fn say_left_out(name: &str, imported: &Imported) {
    for left in &imported.left_out {
        eprintln!("{name}:{}: left out: {}  ({})", left.line, left.reason, left.text.trim());
    }
    for note in &imported.notes {
        eprintln!("{name}:{}: note: {}", note.line, note.text);
    }
}

fn line(file: &str, job: ImportedJob, known: &[Line]) -> anyhow::Result<Line> {
    let number = job.line;
    let mut definition = definition(file, job)?;
    let base = definition.name.clone();
    let mut count = 1;
    while known.iter().any(|line| line.job == definition.name) {
        count += 1;
        definition.name = format!("{base}-{count}");
    }
    let schedule = definition.schedule_at(host::now(), &Calendars::default()).and_then(Result::ok);
    let next = schedule.and_then(|schedule| schedule.next_run(host::now()));
    let next = next.map(|o| o.local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string());
    Ok(Line { file: file.to_owned(), line: number, job: definition.name.clone(), next, definition })
}

/// As cron runs it: by the shell, missed when the machine is down, and never two at once here.
fn definition(file: &str, job: ImportedJob) -> anyhow::Result<JobDefinition> {
    let mailto =
        job.mailto.map(|to| format!("; cron mailed its output to {to}")).unwrap_or_default();
    let value = serde_json::json!({
        "name": job.name,
        "description": format!("from {file} line {}{mailto}", job.line),
        "schedule": job.schedule,
        "zone": job.zone,
        "run-as": job.user,
        "catch-up": "none",
        "overlap": "queue-one",
        "command": {
            "argv": [job.shell, "-c", job.command],
            "env": job.env,
            "stdin": job.stdin,
        },
    });
    Ok(serde_json::from_value(value)?)
}

fn write(out: &Path, lines: &[Line]) -> anyhow::Result<()> {
    std::fs::create_dir_all(out)?;
    for one in lines {
        let path = out.join(format!("{}.yaml", one.job));
        if path.exists() {
            return Err(exit::refused(format!(
                "{} exists already: nothing is overwritten",
                path.display()
            )));
        }
    }
    for one in lines {
        let path = out.join(format!("{}.yaml", one.job));
        std::fs::write(&path, to_yaml(&one.definition).map_err(anyhow::Error::msg)?)?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}
