//! Control-M folders, as its Desktop and its utilities export them in XML.
//!
//! | module | is about |
//! |---|---|
//! | `element` | an element with its attributes and their lines |
//! | `days` | DAYS, WEEKDAYS, months and calendars |
//! | `cyclic` | jobs that run again and again within a day |
//! | `conditions` | conditions that jobs wait for and add |
//! | `variables` | `%%` in commands |
//! | `job` | one job |

mod conditions;
mod cyclic;
mod days;
mod element;
mod job;
mod variables;

use std::collections::BTreeSet;

use super::names::Names;
use super::xml::{self, Lines};
use super::{At, Imported, Text, draft};
use conditions::Conditions;
use element::Element;

/// A job, its name here, and the folders it is in, from the inside.
struct Source<'a> {
    job: Element<'a>,
    folders: Vec<Element<'a>>,
    name: String,
}

/// Why a job is left out, and which line says it.
type Refusal = (At, String);

/// Reads exports.
pub(crate) fn import(files: &[Text], zone: &str) -> Imported {
    let mut imported = Imported::default();
    let mut documents = Vec::new();
    for text in files {
        match xml::parse(&text.text) {
            Ok(document) => documents.push((text, Lines::of(&text.text), document)),
            Err((line, reason)) => imported.leave_out(&text.at(line), "the file", reason),
        }
    }
    let (mut sources, mut names) = (Vec::new(), Names::default());
    for (text, lines, document) in &documents {
        let root = Element { node: document.root_element(), lines, text };
        walk(root, &[], &mut sources, &mut names, &mut imported);
    }
    let conditions = Conditions::of(&sources);
    for source in &sources {
        match job::make(source, &conditions, zone, &mut names, &mut imported) {
            Ok(()) => {}
            Err((at, reason)) => {
                let name = source.job.text("JOBNAME").unwrap_or_default();
                imported.leave_out(&at, name, reason);
            }
        }
    }
    add_locks(&sources, &mut imported);
    imported
}

const FOLDERS: [&str; 6] =
    ["FOLDER", "SMART_FOLDER", "SUB_FOLDER", "TABLE", "SMART_TABLE", "SCHED_TABLE"];

fn walk<'a>(
    element: Element<'a>,
    folders: &[Element<'a>],
    sources: &mut Vec<Source<'a>>,
    names: &mut Names,
    imported: &mut Imported,
) {
    let name = element.name();
    let mut within = folders.to_vec();
    if FOLDERS.contains(&name) {
        within.insert(0, element);
        remarks_on_folder(element, imported);
    } else if !name.starts_with("DEF") {
        let reason = "it is no export of Control-M (<DEFTABLE>)";
        return imported.leave_out(&element.at(), format!("<{name}>"), reason);
    }
    for child in element.children() {
        match child.name() {
            "JOB" => {
                let name = names.unique(child.text("JOBNAME").unwrap_or_default());
                sources.push(Source { job: child, folders: within.clone(), name });
            }
            // What it says of its jobs is read with each of them.
            "INCOND" | "OUTCOND" | "RULE_BASED_CALENDARS" | "RULE_BASED_CALENDAR" => {}
            other
                if FOLDERS.contains(&other)
                    || folders.is_empty() && element.name().starts_with("DEF") =>
            {
                walk(child, &within, sources, names, imported);
            }
            other => {
                let reason = "a folder's own cannot be carried: say it of its jobs";
                imported.leave_out(&child.at(), format!("<{other}>"), reason);
            }
        }
    }
}

fn remarks_on_folder(folder: Element<'_>, imported: &mut Imported) {
    for name in ["CONFIRM", "CYCLIC", "TIMEFROM", "TIMETO"] {
        if folder.text(name).is_some_and(|text| !matches!(text, "0" | "N")) {
            let reason = "a folder's own cannot be carried: say it of its jobs";
            imported.leave_out(&folder.at_attribute(name), folder.source(name), reason);
        }
    }
}

/// A control resource is held by one alone or by any number together.
fn add_locks(sources: &[Source<'_>], imported: &mut Imported) {
    const SHARED: u32 = 1_000;
    let mut known = BTreeSet::new();
    for source in sources {
        for control in source.job.all("CONTROL") {
            let name = super::names::clean(control.text("NAME").unwrap_or_default());
            if known.insert(name.clone()) {
                let why = format!(
                    "control resource from {} line {}",
                    control.at().file,
                    control.at().line
                );
                match draft::lock(&name, &why, SHARED) {
                    Ok(lock) => imported.thing(&control.at(), lock),
                    Err(reason) => imported.leave_out(&control.at(), name, reason),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
