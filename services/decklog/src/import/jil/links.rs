//! What a condition comes to: other jobs' runs, and files.

use domain::job::Need;
use domain::run::Outcome;

use super::condition::{self, Wanted};
use super::schedule::Refusal;
use super::site::{Entry, Kind, Site};
use crate::import::Imported;
use crate::import::names::clean;

/// What a job waits for.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) after: Vec<Link>,
    pub(super) needs: Vec<Need>,
}

/// Another job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// It, where it is here.
    pub(super) index: Option<usize>,
    /// Its whole name here.
    pub(super) name: String,
    pub(super) outcomes: Vec<Outcome>,
}

/// How deep watchers and boxes may wait for one another.
const DEPTH_MAX: usize = 16;

/// What an entry waits for by its own condition.
pub(super) fn of(site: &Site, entry: &Entry, imported: &mut Imported) -> Result<Links, Refusal> {
    let mut links = Links::default();
    collect(site, entry, 0, &mut links, imported)?;
    Ok(links)
}

fn collect(
    site: &Site,
    entry: &Entry,
    depth: usize,
    links: &mut Links,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let Some(attribute) = entry.statement.get("condition") else { return Ok(()) };
    let refuse = |reason: String| (attribute.line, reason);
    if depth > DEPTH_MAX {
        return Err(refuse("watchers wait for each other in a circle".to_owned()));
    }
    for term in condition::parse(&attribute.value).map_err(refuse)? {
        if let Some(back) = &term.lookback {
            let text = format!(
                "lookback {back} is not carried: it waits for the run of the same business day"
            );
            imported.note(&entry.statement.line(attribute.line), text);
        }
        let found = site.find(&term.job).and_then(|index| Some((index, site.get(index)?)));
        match found {
            None => links.push(None, clean(&term.job), term.wanted),
            Some((index, job)) => match job.kind {
                Kind::Command => links.push(Some(index), site.name(index), term.wanted),
                Kind::Box => {
                    links.push_box(site, index, term.wanted).map_err(refuse)?;
                }
                Kind::Watcher => {
                    links.needs.push(watched(job, term.wanted).map_err(refuse)?);
                    collect(site, job, depth + 1, links, imported)?;
                }
            },
        }
    }
    Ok(())
}

impl Links {
    fn push(&mut self, index: Option<usize>, name: String, wanted: Wanted) {
        let link = Link { index, name, outcomes: outcomes(wanted) };
        if !self.after.contains(&link) {
            self.after.push(link);
        }
    }

    /// A box has ended when all its jobs have.
    fn push_box(&mut self, site: &Site, of: usize, wanted: Wanted) -> Result<(), String> {
        match wanted {
            Wanted::Success | Wanted::Done => {
                for member in site.members(of) {
                    self.push(Some(member), site.name(member), wanted);
                }
                Ok(())
            }
            Wanted::Failure | Wanted::Terminated => {
                Err("a box of which any job failed cannot be waited for: wait for its jobs"
                    .to_owned())
            }
        }
    }
}

fn outcomes(wanted: Wanted) -> Vec<Outcome> {
    match wanted {
        Wanted::Success => vec![Outcome::Succeeded, Outcome::Warning],
        Wanted::Failure => vec![Outcome::Failed],
        Wanted::Terminated => vec![Outcome::TimedOut, Outcome::Cancelled],
        Wanted::Done => vec![
            Outcome::Succeeded,
            Outcome::Warning,
            Outcome::Failed,
            Outcome::TimedOut,
            Outcome::Cancelled,
        ],
    }
}

/// The file that a watcher watches.
fn watched(entry: &Entry, wanted: Wanted) -> Result<Need, String> {
    let (statement, name) = (&entry.statement, &entry.statement.name);
    if wanted != Wanted::Success && wanted != Wanted::Done {
        return Err(format!("{name} watches a file: only its success can be waited for"));
    }
    let file = statement.value("watch_file").unwrap_or_default();
    if !file.starts_with('/') || file.contains(['*', '?', '$']) {
        return Err(format!(
            "{name} watches `{file}`: only one file with its absolute path can be waited for"
        ));
    }
    let number = |key: &str| statement.value(key).map(str::parse::<u64>).transpose();
    let bad = |key: &str| format!("{name}: {key} is no number");
    let min_bytes = number("watch_file_min_size").map_err(|_| bad("watch_file_min_size"))?;
    let interval = number("watch_interval").map_err(|_| bad("watch_interval"))?;
    Ok(Need {
        file: file.to_owned(),
        older_than: None,
        // A watcher takes a file as complete when it has not grown from one look to the next.
        stable_for: Some(domain::time::HumanDuration::from_secs(interval.unwrap_or(60))),
        min_bytes: min_bytes.unwrap_or(0),
    })
}
