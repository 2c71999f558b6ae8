//! The file from top to bottom, with what is in force at each line.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{self, Entry};
use super::{
    Assignment, Format, Imported, ImportedJob, LeftOut, Note, Source, assignment, name, percent,
};
use crate::time::{DstPolicy, Schedule, ScheduleSpec, check_zone};

/// Cron's shell where `SHELL` is not set (crontab(5)).
const DEFAULT_SHELL: &str = "/bin/sh";

pub(super) fn read(text: &str, source: &Source) -> Imported {
    let mut reader = Reader::new(source);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.split('\n').enumerate() {
        let plain = line.strip_suffix('\r').unwrap_or(line);
        if plain.len() < line.len() {
            reader.note_line_ends(index + 1);
        }
        reader.line(index + 1, plain);
    }
    reader.note_missing_end(text);
    reader.imported
}

struct Reader<'a> {
    source: &'a Source,
    zone: String,
    env: BTreeMap<String, String>,
    names: BTreeSet<String>,
    line_ends_noted: bool,
    imported: Imported,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            zone: source.default_zone.clone(),
            env: BTreeMap::new(),
            names: BTreeSet::new(),
            line_ends_noted: false,
            imported: Imported::default(),
        }
    }

    fn line(&mut self, line: usize, text: &str) {
        if is_nothing(text) {
            return;
        }
        // In this order, as in cron: what reads as an assignment is never tried as a job.
        match assignment::parse(text) {
            Some((name, value)) => self.assignment(line, text, name, value),
            None => self.entry(line, text),
        }
    }

    fn assignment(&mut self, line: usize, text: &str, name: String, value: String) {
        match name.as_str() {
            "CRON_TZ" => return self.set_zone(line, text, name, value),
            "RANDOM_DELAY" => return self.leave_out(line, text, RANDOM_DELAY.to_owned()),
            "TZ" => self.note_tz(line, &value),
            "MAILTO" => self.note_mail(line, &value),
            "LOGNAME" | "USER" => self.note(line, format!("{name}: {SET_BY_CRON}")),
            _ => {}
        }
        self.env.insert(name.clone(), value.clone());
        self.imported.assignments.push(Assignment { line, name, value });
    }

    /// Takes the zone even if it is unknown: the lines below were not meant for any other, so they are left out
    /// in their turn rather than run at the wrong hour.
    fn set_zone(&mut self, line: usize, text: &str, name: String, value: String) {
        let zone = value.strip_prefix(':').unwrap_or(&value);
        match check_zone(zone) {
            Ok(known) => {
                self.zone = known;
                self.imported.assignments.push(Assignment { line, name, value });
            }
            Err(error) => {
                self.zone = zone.to_owned();
                self.leave_out(line, text, format!("{error}; the jobs below it are left out too"));
            }
        }
    }

    fn entry(&mut self, line: usize, text: &str) {
        let entry = match entry::parse(text, self.source.format) {
            Ok(entry) => entry,
            Err(reason) => return self.leave_out(line, text, reason.to_owned()),
        };
        let schedule = ScheduleSpec::Cron(entry.times.clone());
        match Schedule::parse(&schedule, &self.zone, DstPolicy::default()) {
            Ok(checked) => self.job(line, &entry, schedule, checked.zone().to_owned()),
            Err(error) => self.leave_out(line, text, error.to_string()),
        }
    }

    fn job(&mut self, line: usize, entry: &Entry<'_>, schedule: ScheduleSpec, zone: String) {
        self.note_entry(line, entry);
        let (command, stdin) = percent::split(entry.command);
        let job = ImportedJob {
            name: name::unique(&command, &mut self.names),
            line,
            schedule,
            zone,
            user: entry.user.map(str::to_owned),
            shell: self.env.get("SHELL").cloned().unwrap_or_else(|| DEFAULT_SHELL.to_owned()),
            command,
            stdin,
            env: self.env.clone(),
            mailto: self.env.get("MAILTO").cloned(),
        };
        self.imported.jobs.push(job);
    }

    fn note_entry(&mut self, line: usize, entry: &Entry<'_>) {
        if entry.quiet {
            self.note(
                line,
                "the leading `-` asked cron not to log the run; here every run is recorded",
            );
        }
        if self.source.format == Format::User && entry.command.starts_with("root ") {
            self.note(
                line,
                "the command starts with `root`: if this is a system crontab, import it as one",
            );
        }
    }

    fn note_tz(&mut self, line: usize, value: &str) {
        let zone = &self.zone;
        let mut text = format!(
            "TZ sets the clock the commands see, not the hours at which they run; those stay in {zone}"
        );
        if let Err(error) = check_zone(value.strip_prefix(':').unwrap_or(value)) {
            text = format!("{text}; {error}");
        }
        self.note(line, text);
    }

    fn note_mail(&mut self, line: usize, value: &str) {
        let was = if value.is_empty() {
            "cron sent no mail for the jobs below".to_owned()
        } else {
            format!("cron mailed the output of the jobs below to {value}")
        };
        self.note(line, format!("{was}; here output is kept with each run"));
    }

    fn note_line_ends(&mut self, line: usize) {
        if !self.line_ends_noted {
            self.line_ends_noted = true;
            self.note(line, "lines end in CR LF; the CR was dropped, which cron would have handed to the command");
        }
    }

    fn note_missing_end(&mut self, text: &str) {
        let (line, last) = text.split('\n').enumerate().last().unwrap_or_default();
        if !is_nothing(last.trim_end_matches('\r')) {
            self.note(
                line + 1,
                "the last line has no newline; many crons ignore such a line or refuse the file",
            );
        }
    }

    fn note(&mut self, line: usize, text: impl Into<String>) {
        self.imported.notes.push(Note { line, text: text.into() });
    }

    fn leave_out(&mut self, line: usize, text: &str, reason: String) {
        let file = &self.source.file;
        let reason = format!("{file}:{line}: {reason}");
        self.imported.left_out.push(LeftOut { line, text: text.to_owned(), reason });
    }
}

const RANDOM_DELAY: &str = "cron would start each job below up to so many minutes late, at random; here every \
     run is due at an exact time, so that it can be missed: spread the jobs by their minutes instead";

const SET_BY_CRON: &str =
    "many crons set this variable themselves, so this line may never have had an effect";

/// A blank line or a comment.
fn is_nothing(line: &str) -> bool {
    let line = line.trim_matches([' ', '\t', '\r']);
    line.is_empty() || line.starts_with('#')
}
