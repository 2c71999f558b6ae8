//! Looking into snapshots: what is asked of a host, of which host, and what it tells. Names of files are payload: the log
//! hears that somebody looked, and of no name.

use serde::{Deserialize, Serialize};

use super::choosing::{Unclear, named};
use super::record::{Dataset, Snapshot};
use crate::canonical::Digest;
use crate::event::{BackupLookedInto, Looking};
use crate::executor::candidates;
use crate::job::JobDefinition;
use crate::ledger::Host;
use crate::site::Holder;

/// Most names in one answer.
pub const NAMES_MAX: u32 = 5_000;
/// So many where nobody says how many.
pub const NAMES: u32 = 1_000;
/// Most bytes of an answer, as JSON; names that find no room are left out, and the answer says so.
pub const ANSWER_BYTES: usize = 512 * 1024;
/// Longest path or pattern, in bytes.
pub const PATH_BYTES_MAX: usize = 4_096;
/// How long a host looks, in milliseconds; then it gives up and says so.
pub const LOOK_MS: u64 = 60_000;
/// Most hosts that are asked, one after the other, until one answers.
pub const HOSTS_MAX: usize = 3;

/// What somebody wants to see; snapshots by the first letters of their names, or `REPOSITORY:LETTERS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A directory of a snapshot; the root where the path is empty.
    Browse {
        /// The snapshot.
        snapshot: String,
        /// The directory.
        path: String,
    },
    /// Files by name, in all snapshots of the dataset that are in one repository.
    Find {
        /// A glob: with a slash against the whole path, without one against the name.
        pattern: String,
        /// The repository; where absent, the one with the most snapshots.
        repository: Option<String>,
    },
    /// What differs between two snapshots of one repository.
    Diff {
        /// The older.
        a: String,
        /// The newer.
        b: String,
    },
}

/// What a host is asked to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The dataset.
    pub dataset: String,
    /// The repository.
    pub repository: String,
    /// What of it.
    pub at: LookAt,
    /// Most names that are told.
    pub limit: u32,
}

/// What of a repository is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LookAt {
    /// A directory.
    Browse {
        /// The snapshot.
        snapshot: Digest,
        /// The directory; the root where empty.
        path: String,
    },
    /// Files by name.
    Find {
        /// The glob.
        pattern: String,
    },
    /// What differs.
    Diff {
        /// The older snapshot.
        a: Digest,
        /// The newer snapshot.
        b: Digest,
    },
}

/// A name in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The snapshot.
    pub snapshot: String,
    /// The path; `\` is written `\\`, and a byte that is not of valid UTF-8 `\xHH`.
    pub path: String,
    /// `file`, `dir`, `symlink`, …
    pub kind: String,
    /// Bytes of a regular file.
    pub size: u64,
    /// When it was changed last, in microseconds since 1970.
    pub mtime: i64,
    /// Its permissions.
    pub mode: u32,
    /// `added`, `removed`, `changed` or `metadata`, of a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// What a host saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// The host that looked.
    pub host: String,
    /// The dataset.
    pub dataset: String,
    /// The repository.
    pub repository: String,
    /// The names, in the engine's order.
    pub names: Vec<Name>,
    /// Whether there are more: then a narrower path or pattern, or a higher limit, shows them.
    pub more: bool,
    /// What could not be read, a sentence each; then names may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// Why nothing was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "because", content = "says", deny_unknown_fields)]
pub enum Unseen {
    /// What was named is not there.
    #[error("{0}")]
    NotThere(String),
    /// It cannot be meant like this.
    #[error("{0}")]
    Unclear(String),
    /// The host's own list does not let it.
    #[error("{0}")]
    NotAllowed(String),
    /// Too many look on this host at the moment.
    #[error("{0}")]
    Busy(String),
    /// It was tried and did not go well.
    #[error("{0}")]
    Failed(String),
}

impl Unseen {
    /// Whether another host may see more.
    pub fn is_of_host(&self) -> bool {
        match self {
            Self::NotThere(_) | Self::Unclear(_) => false,
            Self::NotAllowed(_) | Self::Busy(_) | Self::Failed(_) => true,
        }
    }
}

/// A host's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sight {
    /// What it saw.
    Looked(Looked),
    /// Why it saw nothing.
    Unseen(Unseen),
}

/// What a host is to be asked for, by what the log knows.
///
/// # Errors
/// It is not clear what is meant, or it is known not to be there.
pub fn look(dataset: &Dataset, wanted: &Wanted, limit: u32) -> Result<Look, Unseen> {
    if !(1..=NAMES_MAX).contains(&limit) {
        return Err(Unseen::Unclear(format!("a limit is 1 to {NAMES_MAX} names")));
    }
    let (repository, at) = match wanted {
        Wanted::Browse { snapshot, path } => {
            fits(path, "path")?;
            let one = there(dataset, snapshot)?;
            let at = LookAt::Browse { snapshot: one.id, path: path.clone() };
            (one.repository.clone(), at)
        }
        Wanted::Find { pattern, repository } => {
            fits(pattern, "pattern")?;
            if pattern.is_empty() {
                return Err(Unseen::Unclear("name a pattern, such as *.csv".to_owned()));
            }
            let found = searched(dataset, repository.as_deref())?;
            (found, LookAt::Find { pattern: pattern.clone() })
        }
        Wanted::Diff { a, b } => {
            let (a, b) = (there(dataset, a)?, there(dataset, b)?);
            if a.repository != b.repository {
                return Err(Unseen::Unclear(format!(
                    "{} is in {}, {} in {}: name two of one repository",
                    a.id.short(),
                    a.repository,
                    b.id.short(),
                    b.repository
                )));
            }
            (a.repository.clone(), LookAt::Diff { a: a.id, b: b.id })
        }
    };
    Ok(Look { dataset: dataset.defined.name.clone(), repository, at, limit })
}

fn fits(text: &str, what: &str) -> Result<(), Unseen> {
    if text.len() > PATH_BYTES_MAX || text.contains('\0') {
        let text = format!("a {what} has at most {PATH_BYTES_MAX} bytes, and no zero byte");
        return Err(Unseen::Unclear(text));
    }
    Ok(())
}

/// The snapshot that is meant, unless it is known to be gone.
fn there<'a>(dataset: &'a Dataset, text: &str) -> Result<&'a Snapshot, Unseen> {
    let (repository, letters) = match text.split_once(':') {
        Some((repository, letters)) => (Some(repository), letters),
        None => (None, text),
    };
    let name = &dataset.defined.name;
    let one = named(dataset, repository, letters).map_err(|unclear| match unclear {
        Unclear::Several => Unseen::Unclear(format!(
            "several snapshots of {name} begin with {letters}: write more of it, or REPOSITORY:{letters}"
        )),
        Unclear::None => Unseen::NotThere(format!("there is no snapshot {text} of dataset {name}")),
    })?;
    match one.missing {
        Some(at) => Err(Unseen::NotThere(format!(
            "snapshot {} is not in {} any more: that was found at {at}",
            one.id.short(),
            one.repository
        ))),
        None => Ok(one),
    }
}

/// The dataset whose snapshot is meant.
///
/// # Errors
/// It is of none, or it is not clear of which.
pub fn dataset_of<'a>(all: &'a [Dataset], text: &str) -> Result<&'a Dataset, Unseen> {
    let (repository, letters) = text.split_once(':').map_or((None, text), |(r, l)| (Some(r), l));
    let of = |one: &&Dataset| named(one, repository, letters) != Err(Unclear::None);
    let mut found = all.iter().filter(of);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Unseen::NotThere(format!("the log knows no snapshot {text}"))),
        (Some(_), Some(_)) => Err(Unseen::Unclear(format!(
            "snapshots of several datasets begin with {text}: write more of it, or name the dataset"
        ))),
    }
}

/// Where to search: the repository that was named, or the one with the most snapshots that are there.
fn searched(dataset: &Dataset, wanted: Option<&str>) -> Result<String, Unseen> {
    let mut all: Vec<(&str, usize)> = Vec::new();
    for one in dataset.snapshots.iter().filter(|one| one.missing.is_none()) {
        match all.iter_mut().find(|(name, _)| *name == one.repository) {
            Some((_, count)) => *count += 1,
            None => all.push((&one.repository, 1)),
        }
    }
    let fits = |(name, _): &&(&str, usize)| wanted.is_none_or(|wanted| wanted == *name);
    // Of two with as many, the one that was heard of first.
    let best = all.iter().rev().filter(fits).max_by_key(|(_, count)| *count);
    best.map(|(name, _)| (*name).to_owned()).ok_or_else(|| {
        let place = wanted.map_or_else(String::new, |name| format!(" in {name}"));
        Unseen::NotThere(format!("there is no snapshot of dataset {}{place}", dataset.defined.name))
    })
}

/// The hosts to ask, the likeliest first: who wrote what is looked at, then whoever has to do with the repository by an
/// active job. `hosts` are all that are known.
pub fn hosts(
    dataset: &Dataset,
    look: &Look,
    jobs: &[JobDefinition],
    hosts: &[Host],
) -> Vec<String> {
    let is_up = |name: &String| hosts.iter().any(|host| host.name == *name && host.up);
    let in_repository = dataset.snapshots.iter().rev();
    let mut of_it = in_repository.filter(|one| one.repository == look.repository);
    let writer = match &look.at {
        LookAt::Browse { snapshot: id, .. } | LookAt::Diff { b: id, .. } => {
            of_it.find(|one| one.id == *id)
        }
        LookAt::Find { .. } => of_it.next(),
    };
    let writer = writer.map(|one| one.host.clone());
    let uses = |job: &&JobDefinition| {
        job.work().is_some_and(|work| work.repositories().contains(&look.repository.as_str()))
    };
    let others = jobs.iter().filter(uses).flat_map(|job| candidates(job, hosts.iter()));
    let mut all: Vec<String> = Vec::new();
    for name in writer.into_iter().chain(others).filter(is_up) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.truncate(HOSTS_MAX);
    all
}

/// A problem, with whoever removes data from the repository at the moment: that may be why. Looking needs no lease, because
/// what is taken out of use stays for a while; a snapshot that is forgotten meanwhile is gone at once.
pub fn disturbed<'a>(unseen: Unseen, holders: impl Iterator<Item = &'a Holder>) -> Unseen {
    let mut alone: Vec<&str> =
        holders.filter(|one| one.units.is_none()).map(|one| one.run.rest()).collect();
    alone.sort_unstable();
    alone.dedup();
    if alone.is_empty() {
        return unseen;
    }
    let runs = alone.join(" and ");
    Unseen::Failed(format!(
        "{unseen}; {runs} removes data from the repository: try again when it has ended"
    ))
}

/// What the log is to hear before the names are told.
pub fn event(look: &Look, looked: &Looked) -> BackupLookedInto {
    let (how, snapshots) = match &look.at {
        LookAt::Browse { snapshot, .. } => (Looking::Browse, vec![*snapshot]),
        LookAt::Find { .. } => (Looking::Find, Vec::new()),
        LookAt::Diff { a, b } => (Looking::Diff, vec![*a, *b]),
    };
    BackupLookedInto {
        repository: look.repository.clone(),
        snapshots,
        how,
        host: looked.host.clone(),
        names: looked.names.len() as u64,
    }
}
