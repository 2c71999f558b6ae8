//! What a service runs, as a job.

use std::collections::BTreeMap;

use domain::job::{Codes, JobDefinition};
use domain::time::HumanDuration;
use serde_json::{Value, json};

use super::exec::{Exec, Specifiers, words};
use super::span;
use super::timer::is_yes;
use super::unit::{Entry, Unit};
use crate::import::{At, Imported, draft};

/// Why a service is no job.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) at: At,
    pub(super) source: String,
    pub(super) reason: String,
}

impl Refusal {
    fn of(entry: &Entry, reason: impl Into<String>) -> Self {
        Self { at: entry.at.clone(), source: entry.source(), reason: reason.into() }
    }
}

/// What of `[Service]` a job says; the rest is noted.
const CARRIED: [&str; 16] = [
    "Type",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "User",
    "WorkingDirectory",
    "Environment",
    "TimeoutStartSec",
    "TimeoutSec",
    "TimeoutStopSec",
    "RuntimeMaxSec",
    "SuccessExitStatus",
    "KillSignal",
    "DynamicUser",
    "ExecStop",
    "ExecStopPost",
];

/// The commands that are run, in this order.
const COMMANDS: [&str; 3] = ["ExecStartPre", "ExecStart", "ExecStartPost"];

/// Makes a job of a service.
pub(super) fn job(
    name: &str,
    unit: &Unit,
    specifiers: &Specifiers,
    imported: &mut Imported,
) -> Result<JobDefinition, Refusal> {
    check_type(unit, imported)?;
    let (command, may_fail) = command(unit, specifiers, imported)?;
    let place = |reason| Refusal { at: unit.at.clone(), source: unit.name.clone(), reason };
    let mut job = draft::job(name, command).map_err(place)?;
    if let Some(says) = unit.last("Unit", "Description") {
        job.description = specifiers.expand(&says.value).unwrap_or_else(|_| says.value.clone());
    }
    if may_fail {
        job.exit_codes.ok = vec![Codes { from: 0, to: 255 }];
    }
    account(&mut job, unit, specifiers)?;
    surroundings(&mut job, unit, specifiers)?;
    limits(&mut job, unit, imported)?;
    note_rest(unit, imported);
    Ok(job)
}

fn check_type(unit: &Unit, imported: &mut Imported) -> Result<(), Refusal> {
    let Some(entry) = unit.last("Service", "Type") else { return Ok(()) };
    match entry.value.as_str() {
        "oneshot" | "simple" | "exec" | "idle" => Ok(()),
        "forking" => Err(Refusal::of(
            entry,
            "it goes on in the background after its start; here a job ends with its command, and what it leaves behind is killed",
        )),
        _ => {
            let text = format!(
                "{}: here it runs until its command ends, whatever it notifies",
                entry.source()
            );
            imported.note(&entry.at, text);
            Ok(())
        }
    }
}

fn is_oneshot(unit: &Unit) -> bool {
    unit.last("Service", "Type").is_some_and(|entry| entry.value == "oneshot")
}

/// The command, and whether its failure is none.
fn command(
    unit: &Unit,
    specifiers: &Specifiers,
    imported: &mut Imported,
) -> Result<(Value, bool), Refusal> {
    for entry in unit.all("Service", &["ExecStop", "ExecStopPost"]) {
        let reason =
            "commands after the end of another cannot be carried: put them into the script";
        imported.leave_out(&entry.at, entry.source(), reason);
    }
    let mut lines = Vec::new();
    for key in COMMANDS {
        for entry in unit.all("Service", &[key]) {
            let exec = Exec::parse(&entry.value, specifiers);
            lines.push((entry, exec.map_err(|reason| Refusal::of(entry, reason))?));
        }
    }
    let starts: Vec<&Entry> = unit.all("Service", &["ExecStart"]);
    match (lines.as_slice(), starts.as_slice()) {
        (_, []) => {
            let reason = "its service has no ExecStart".to_owned();
            Err(Refusal { at: unit.at.clone(), source: unit.name.clone(), reason })
        }
        (_, [_, second, ..]) if !is_oneshot(unit) => {
            Err(Refusal::of(second, "several ExecStart need Type=oneshot, as systemd says too"))
        }
        ([(entry, exec)], _) => {
            if exec.may_fail {
                imported.note(
                    &entry.at,
                    "`-`: every exit code counts as success; an end by a signal does not",
                );
            }
            let command = match exec.argv() {
                Some(argv) => json!({"argv": argv}),
                None => draft::shell(&format!("set -f; exec {}", exec.line())),
            };
            Ok((command, exec.may_fail))
        }
        (several, _) => {
            let line = |(_, exec): &(&Entry, Exec)| {
                format!("{}{}\n", exec.line(), if exec.may_fail { " || true" } else { "" })
            };
            let text: String = several.iter().map(line).collect();
            Ok((draft::script(&text, &["/bin/sh", "-ef"]), false))
        }
    }
}

fn account(job: &mut JobDefinition, unit: &Unit, specifiers: &Specifiers) -> Result<(), Refusal> {
    if let Some(entry) = unit.last("Service", "DynamicUser").filter(|entry| is_yes(&entry.value)) {
        let reason = "it runs as an account made for each start: give it one of its own with User=";
        return Err(Refusal::of(entry, reason));
    }
    job.run_as = match unit.last("Service", "User") {
        Some(entry) => {
            let user = specifiers.expand(&entry.value);
            Some(user.map_err(|reason| Refusal::of(entry, reason))?)
        }
        None if unit.of_user => None,
        None => Some("root".to_owned()),
    };
    Ok(())
}

fn surroundings(
    job: &mut JobDefinition,
    unit: &Unit,
    specifiers: &Specifiers,
) -> Result<(), Refusal> {
    let mut env = BTreeMap::new();
    for entry in unit.all("Service", &["Environment"]) {
        let refuse = |reason: String| Refusal::of(entry, reason);
        for word in words(&entry.value).map_err(refuse)? {
            let word = specifiers.expand(&word).map_err(refuse)?;
            let (name, value) =
                word.split_once('=').ok_or_else(|| refuse(format!("`{word}` sets no variable")))?;
            env.insert(name.to_owned(), value.to_owned());
        }
    }
    job.command.env = env;
    if let Some(entry) = unit.last("Service", "WorkingDirectory") {
        let path = specifiers.expand(entry.value.trim_start_matches('-'));
        let path = path.map_err(|reason| Refusal::of(entry, reason))?;
        if path == "~" {
            let reason =
                "the home directory of its account is known on the host alone: write its path";
            return Err(Refusal::of(entry, reason));
        }
        job.command.cwd = Some(path);
    }
    Ok(())
}

fn limits(job: &mut JobDefinition, unit: &Unit, imported: &mut Imported) -> Result<(), Refusal> {
    let span =
        |entry: &Entry| span::parse(&entry.value).map_err(|reason| Refusal::of(entry, reason));
    let timeouts: &[&str] = if is_oneshot(unit) {
        &["TimeoutStartSec", "TimeoutSec", "RuntimeMaxSec"]
    } else {
        &["RuntimeMaxSec"]
    };
    for entry in timeouts.iter().filter_map(|key| unit.last("Service", key)) {
        let limit = span(entry)?.filter(|limit| !limit.is_zero());
        job.timeout = [job.timeout, limit].into_iter().flatten().min();
    }
    let stops = ["TimeoutSec", "TimeoutStopSec"];
    job.stop.grace = HumanDuration::from_secs(90);
    for entry in stops.iter().filter_map(|key| unit.last("Service", key)) {
        match span(entry)? {
            Some(grace) => job.stop.grace = grace,
            None => imported.note(&entry.at, format!("{}: it has 90s to end", entry.source())),
        }
    }
    if let Some(entry) = unit.last("Service", "KillSignal") {
        signal(job, entry, imported);
    }
    for entry in unit.all("Service", &["SuccessExitStatus"]) {
        exit_codes(job, entry, imported);
    }
    Ok(())
}

fn signal(job: &mut JobDefinition, entry: &Entry, imported: &mut Imported) {
    const KNOWN: [&str; 6] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"];
    let name = entry.value.trim_start_matches("SIG");
    if KNOWN.contains(&name) {
        name.clone_into(&mut job.stop.signal);
    } else {
        let text = format!(
            "{}: a stop begins with one of {}; TERM was taken",
            entry.source(),
            KNOWN.join(", ")
        );
        imported.note(&entry.at, text);
    }
}

fn exit_codes(job: &mut JobDefinition, entry: &Entry, imported: &mut Imported) {
    for word in entry.value.split_whitespace() {
        match word.parse::<u8>() {
            Ok(code) => job.exit_codes.ok.push(Codes::one(i32::from(code))),
            Err(_) => imported.note(
                &entry.at,
                format!("{}: {word} is not carried: write exit codes as numbers", entry.source()),
            ),
        }
    }
    job.exit_codes.ok.sort_unstable();
    job.exit_codes.ok.dedup();
}

fn note_rest(unit: &Unit, imported: &mut Imported) {
    let silent = |entry: &&Entry| {
        let known = match entry.section.as_str() {
            "Service" => CARRIED.contains(&entry.key.as_str()),
            // What it is called and where it is described says nothing of what it does.
            "Unit" => ["Description", "Documentation"].contains(&entry.key.as_str()),
            // Who wants it started says nothing of when.
            "Install" => true,
            section => section.starts_with("X-"),
        };
        !known && !entry.value.is_empty()
    };
    for entry in unit.entries.iter().filter(silent) {
        let text = match entry.key.as_str() {
            "EnvironmentFile" | "PassEnvironment" => {
                "is not carried: put what the command needs into its env or its secrets"
            }
            "Group" | "SupplementaryGroups" => {
                "is not carried: it runs with its account's own groups"
            }
            "StandardOutput" | "StandardError" => "is not carried: output is kept with each run",
            "Restart" | "RestartSec" => "is not carried: `retry` says when a run is tried again",
            key if key.starts_with("Condition") || key.starts_with("Assert") => {
                "is not carried: the job runs without asking; `needs` can wait for a file"
            }
            _ => "is not carried",
        };
        imported.note(&entry.at, format!("{} {text}", entry.source()));
    }
}
