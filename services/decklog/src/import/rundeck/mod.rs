//! Rundeck job definitions, in YAML and in XML.
//!
//! | module | is about |
//! |---|---|
//! | `xml` | the XML form, put into the shape of the YAML form |
//! | `job` | one job |
//! | `options` | options: parameters, secrets, and the texts that name them |
//! | `steps` | the sequence of a job: commands, scripts, other jobs |
//! | `schedule` | when |
//! | `nodes` | where |
//! | `flow` | jobs that run other jobs one after another |

mod flow;
mod job;
mod nodes;
mod options;
mod schedule;
mod steps;
mod xml;

use domain::job::JobDefinition;

use super::names::Names;
use super::tree::Tree;
use super::{At, Imported, Text};

/// A job as it stands in a file.
struct Source {
    at: At,
    tree: Tree,
    /// What it became, where it became a job.
    made: Option<JobDefinition>,
}

impl Source {
    /// Its group and name, as others refer to it.
    fn path(&self) -> String {
        path(self.tree.text_at("group"), self.tree.text_at("name").unwrap_or_default())
    }

    /// A line of it.
    fn line(&self, line: usize) -> At {
        At { line, ..self.at.clone() }
    }
}

fn path(group: Option<&str>, name: &str) -> String {
    let group = group.unwrap_or_default().trim_matches('/');
    if group.is_empty() { name.to_owned() } else { format!("{group}/{name}") }
}

/// Reads job definitions.
pub(crate) fn import(files: &[Text], zone: &str) -> Imported {
    let mut imported = Imported::default();
    let mut sources = Vec::new();
    for text in files {
        match trees(text) {
            Ok(trees) => sources.extend(trees.into_iter().map(|tree| {
                let at = text.at(tree.line);
                Source { at, tree, made: None }
            })),
            Err((line, reason)) => imported.leave_out(&text.at(line), "the file", reason),
        }
    }
    let mut names = Names::default();
    let mut flows = Vec::new();
    for index in 0..sources.len() {
        let Some(source) = sources.get_mut(index) else { continue };
        match take(source, zone, &mut names, &mut imported) {
            Ok(None) => {}
            Ok(Some(steps)) => flows.push((index, steps)),
            Err((line, reason)) => {
                imported.leave_out(&source.line(line), source.path(), reason);
            }
        }
    }
    for (index, steps) in flows {
        flow::take(index, &steps, &sources, zone, &mut names, &mut imported);
    }
    imported
}

/// The line of a part and why it cannot be carried, and with it its job.
type Refusal = (usize, String);

/// Makes a job of it; gives back its steps where these are other jobs.
fn take(
    source: &mut Source,
    zone: &str,
    names: &mut Names,
    imported: &mut Imported,
) -> Result<Option<Vec<steps::JobRef>>, Refusal> {
    match steps::read(&source.tree)? {
        steps::Steps::Jobs(jobs) => Ok(Some(jobs)),
        steps::Steps::Commands(steps) => {
            let job = job::make(source, &steps, zone, names, imported)?;
            imported.job(&source.at, job.clone());
            source.made = Some(job);
            Ok(None)
        }
    }
}

/// The jobs of a file.
fn trees(text: &Text) -> Result<Vec<Tree>, Refusal> {
    if text.text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return xml::jobs(&text.text);
    }
    let mut jobs = Vec::new();
    for document in Tree::yaml(&text.text)? {
        if document.get("name").is_some() {
            jobs.push(document);
        } else {
            jobs.extend(document.list().iter().cloned());
        }
    }
    let other = jobs.iter().find(|job| job.text_at("name").is_none());
    match other {
        Some(other) => Err((other.line, "it is no job of Rundeck: it has no name".to_owned())),
        None if jobs.is_empty() => Err((1, "there is no job of Rundeck in it".to_owned())),
        None => Ok(jobs),
    }
}

#[cfg(test)]
mod tests;
