//! Leave to decide jobs' occurrences, on this host's disk: one file each, replaced as a whole. What was decided stands
//! in the journal first.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::event::{Event, RunEvent};
use domain::ids::StreamId;
use domain::scheduler::alone::{Alone, Leave};
use jiff::Timestamp;
use journal::{Journal, JournalError};
use tracing::warn;

/// Mode of the files.
const MODE: u32 = 0o644;

/// What the journal of an earlier life says, as far as the recorder does not have it.
#[derive(Debug, Default)]
pub(crate) struct Said {
    events: Vec<Event>,
    /// Runs that this host decided and claimed for itself, and when.
    pub(crate) claims: BTreeMap<StreamId, Timestamp>,
}

impl Said {
    /// Reads it.
    ///
    /// # Errors
    /// What stands in the journal is no event.
    pub(crate) fn read(journal: &Journal) -> Result<Self, JournalError> {
        let (mut said, mut decided) = (Self::default(), BTreeSet::new());
        for envelope in journal.unsent_events()? {
            let Ok(event) = envelope.event() else { continue };
            match &event {
                Event::RunEvent(RunEvent::RunDue(_)) => {
                    decided.insert(envelope.subject);
                }
                Event::RunEvent(RunEvent::RunStarted(_)) if decided.contains(&envelope.subject) => {
                    said.claims.insert(envelope.subject, envelope.time);
                }
                Event::RunEvent(_)
                | Event::JobEvent(_)
                | Event::HostEvent(_)
                | Event::UserEvent(_)
                | Event::LogEvent(_)
                | Event::ThingEvent(_)
                | Event::BackupEvent(_)
                | Event::PrintEvent(_)
                | Event::FormEvent(_)
                | Event::QueueEvent(_)
                | Event::ChangeEvent(_)
                | Event::IncidentEvent(_)
                | Event::ControlEvent(_)
                | Event::RecordsEvent(_)
                | Event::RequestEvent(_)
                | Event::ReviewEvent(_) => {}
            }
            said.events.push(event);
        }
        Ok(said)
    }
}

/// All leave of this host, by job and beginning.
#[derive(Debug)]
pub(crate) struct Leaves {
    dir: PathBuf,
    all: BTreeMap<(String, Timestamp), Kept>,
}

/// A leave, and when something of it is to be decided next.
#[derive(Debug)]
struct Kept {
    leave: Leave,
    next: Option<Timestamp>,
}

impl From<Leave> for Kept {
    fn from(leave: Leave) -> Self {
        let next = Alone::new(leave.clone()).ok().and_then(|alone| alone.next());
        Self { leave, next }
    }
}

impl Leaves {
    /// Reads what an earlier life left in `dir`. What its journal holds of occurrences is decided, whether the files say
    /// so or not.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub(crate) fn open(dir: &Path, said: &Said) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let mut leaves = Self { dir: dir.to_owned(), all: BTreeMap::new() };
        for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
            let path = entry?.path();
            if path.extension() != Some(OsStr::new("json")) {
                continue;
            }
            let text =
                fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let mut leave: Leave = match serde_json::from_str(&text) {
                Ok(leave) => leave,
                Err(error) => {
                    warn!(path = %path.display(), %error, "leave to work alone cannot be read; the centre is asked for it");
                    continue;
                }
            };
            leave.settle(said.events.iter().filter_map(|event| leave.accounts(event)).max());
            leaves.all.insert(key(&leave), leave.into());
        }
        Ok(leaves)
    }

    /// Notes that the machine's present boot is `boot`; whether that was so in the life before this one.
    pub(crate) fn is_same_boot(&self, boot: &str) -> anyhow::Result<bool> {
        let path = self.dir.join("boot");
        let same = fs::read_to_string(&path).is_ok_and(|before| before == boot);
        journal::replace(&path, boot.as_bytes(), MODE)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(same)
    }

    /// All of it.
    pub(crate) fn all(&self) -> Vec<Leave> {
        self.all.values().map(|kept| kept.leave.clone()).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those of which something is to be decided at `now`, or whose job is one of `jobs`.
    pub(crate) fn due(&self, now: Timestamp, jobs: &BTreeSet<&str>) -> Vec<Leave> {
        let due = |kept: &&Kept| {
            let come = kept.next.is_some_and(|at| at <= now) && !kept.leave.is_past(now);
            come || jobs.contains(kept.leave.job.as_str())
        };
        self.all.values().filter(due).map(|kept| kept.leave.clone()).collect()
    }

    /// When something is to be decided next.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        // What it was away for until the leave was over is not this host's to decide any more.
        let here = self.all.values().filter(|kept| !kept.leave.is_past(now));
        here.filter_map(|kept| kept.next).min()
    }

    /// Whether there is any for this job.
    pub(crate) fn has(&self, job: &str) -> bool {
        self.all.keys().any(|(name, _)| name == job)
    }

    /// Whether there is this one.
    pub(crate) fn knows(&self, leave: &Leave) -> bool {
        self.all.contains_key(&key(leave))
    }

    /// Keeps it.
    pub(crate) fn put(&mut self, leave: Leave) -> anyhow::Result<()> {
        if self.all.get(&key(&leave)).is_some_and(|kept| kept.leave == leave) {
            return Ok(());
        }
        let (path, bytes) = (self.path(&leave), serde_json::to_vec(&leave)?);
        let written = journal::replace(&path, &bytes, MODE)
            .with_context(|| format!("writing {}", path.display()));
        // In memory all the same: what was said is not said again.
        self.all.insert(key(&leave), leave.into());
        written
    }

    /// Forgets it.
    pub(crate) fn remove(&mut self, leave: &Leave) {
        let path = self.path(leave);
        if let Err(error) = fs::remove_file(&path) {
            warn!(path = %path.display(), %error, "leave that is over could not be removed");
        }
        self.all.remove(&key(leave));
    }

    fn path(&self, leave: &Leave) -> PathBuf {
        self.dir.join(format!("{}@{}.json", leave.job, leave.lease.from.as_microsecond()))
    }
}

fn key(leave: &Leave) -> (String, Timestamp) {
    (leave.job.clone(), leave.lease.from)
}
