//! `jobs.xml` (job_scheduling_data 2.0).

use std::fmt;

use domain::calendar::Days;
use domain::job::JobDefinition;
use roxmltree::Node;

use super::Commands;
use super::trigger::{self, Trigger};
use crate::import::names::{Names, clean};
use crate::import::xml::{self, Lines, child_text};
use crate::import::{At, Imported, Text, draft};

/// Group and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    /// Quartz' own group where none is given.
    pub(super) fn of(group: Option<String>, name: Option<String>) -> Self {
        let group = group.unwrap_or_else(|| "DEFAULT".to_owned());
        Self(format!("{group}.{}", name.unwrap_or_default()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn read(
    text: &Text,
    commands: &Commands,
    zone: &str,
    names: &mut Names,
    imported: &mut Imported,
) {
    let document = match xml::parse(&text.text) {
        Ok(document) => document,
        Err((line, reason)) => return imported.leave_out(&text.at(line), "the file", reason),
    };
    let lines = Lines::of(&text.text);
    let root = document.root_element();
    let named = |name: &'static str| {
        root.descendants().filter(move |node| node.is_element() && node.tag_name().name() == name)
    };
    let at = |node: Node<'_, '_>| text.at(lines.of_node(node));
    let mut triggers = triggers(named("trigger"), at, zone, imported);
    // The word stands in triggers too, as `job-name`; a job itself is in <schedule>.
    for node in
        named("job").filter(|node| node.parent().is_some_and(|p| p.tag_name().name() == "schedule"))
    {
        let key = Key::of(child_text(node, "group"), child_text(node, "name"));
        let (own, others) = triggers.into_iter().partition(|(_, trigger)| trigger.job == key);
        triggers = others;
        take(&key, node, &at(node), own, commands, names, imported);
    }
    for (at, trigger) in triggers {
        let reason = format!("it starts the job {}, which is not in the file", trigger.job);
        imported.leave_out(&at, "trigger", reason);
    }
    if document.root_element().tag_name().name() != "job-scheduling-data" {
        imported.leave_out(&at(root), "the file", "it is no <job-scheduling-data>");
    }
}

fn triggers<'a>(
    nodes: impl Iterator<Item = Node<'a, 'a>>,
    at: impl Fn(Node<'_, '_>) -> At,
    zone: &str,
    imported: &mut Imported,
) -> Vec<(At, Trigger)> {
    let mut found = Vec::new();
    for node in nodes.flat_map(|node| xml::children(node)) {
        match trigger::read(node, zone) {
            Ok(trigger) => found.push((at(node), trigger)),
            Err(reason) => {
                let name = child_text(node, "name").unwrap_or_default();
                imported.leave_out(&at(node), format!("trigger {name}"), reason);
            }
        }
    }
    found
}

fn take(
    key: &Key,
    node: Node<'_, '_>,
    at: &At,
    triggers: Vec<(At, Trigger)>,
    commands: &Commands,
    names: &mut Names,
    imported: &mut Imported,
) {
    let Some(command) = commands.of(&key.0) else {
        let class = child_text(node, "job-class").unwrap_or_default();
        let reason = format!(
            "its work is the Java class {class}, which cannot be carried: say what to run with --command '{key}=COMMAND'"
        );
        return imported.leave_out(at, key.to_string(), reason);
    };
    match draft::job(&names.unique(&key.0), draft::shell(command)) {
        Err(reason) => imported.leave_out(at, key.to_string(), reason),
        Ok(mut job) => {
            describe(&mut job, key, node, at, imported);
            add(job, at, triggers, names, imported);
        }
    }
}

fn describe(
    job: &mut JobDefinition,
    key: &Key,
    node: Node<'_, '_>,
    at: &At,
    imported: &mut Imported,
) {
    let from = format!("from {} line {} ({key})", at.file, at.line);
    job.description = match child_text(node, "description") {
        Some(says) => format!("{}; {from}", draft::cut(&says, 500)),
        None => from,
    };
    // Quartz runs a job that asks for it again after a crash, without looking what it did.
    job.restartable = child_text(node, "recover").is_some_and(|text| text == "true");
    if xml::child(node, "job-data-map").is_some() {
        imported.note(at, "job-data-map is not carried: give the command arguments or variables");
    }
}

fn add(
    mut job: JobDefinition,
    at: &At,
    triggers: Vec<(At, Trigger)>,
    names: &mut Names,
    imported: &mut Imported,
) {
    let mut schedules = Vec::new();
    for (line, trigger) in triggers {
        trigger.notes.into_iter().for_each(|note| imported.note(&line, note));
        let mut when = trigger.when;
        let calendar = trigger.not_on.as_deref().map(clean);
        when.calendar.not_on.extend(calendar.as_deref().map(Days::named));
        if !schedules.is_empty() && job.catch_up != trigger.catch_up {
            let text = "another trigger of the job has another misfire-instruction: that of the first was taken";
            imported.note(&line, text);
        } else {
            job.catch_up = trigger.catch_up;
        }
        schedules.push(when);
    }
    let (jobs, lock) = draft::spread(job, schedules, names);
    jobs.into_iter().for_each(|job| imported.job(at, job));
    lock.into_iter().for_each(|lock| imported.thing(at, lock));
}
