//! The engine built in: `rustic_core` behind our gate and our ledger.

mod backup;
pub(crate) mod check;
mod copy;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod read;
pub(crate) mod restore;
mod upkeep;
mod verify;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustic_core::repofile::{MasterKey, SnapshotFile};
use rustic_core::{
    ConfigOptions, Credentials, FileType, KeyOptions, OpenStatus, ReadBackend as _,
    Repository as Rustics, RepositoryBackends, RepositoryOptions, RusticResult,
};

use crate::context::Context;
use crate::engine::{Answer, BackupEngine, Ended};
use crate::foreign::refuse_locks;
use crate::gate::Gate;
use crate::problem::{Problem, plain, rustic};
use crate::report::{Done, InitReport, ProblemKind};
use crate::request::{
    Backup, Browse, Check, Copy, Diff, Find, Forget, List, ManifestOf, Prune, Repository, Restore,
    Secrets,
};
use crate::store::{self, Files, Location, make_beside};
use crate::verdict;

/// The version of the library that is built in.
pub(crate) const VERSION: &str = "rustic_core 0.13.0";

/// The engine built in, on one repository.
pub(crate) struct Rustic<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) secrets: &'a Secrets,
    pub(crate) context: Context,
    /// The key the password opened. To open the repository once more in the same operation needs no password: its
    /// configuration, index and snapshots are read anew all the same, and another repository's would not decrypt.
    key: OnceLock<MasterKey>,
    files: OnceLock<Arc<Files>>,
}

/// A repository whose key was found.
pub(crate) struct Opened {
    pub(crate) repo: Rustics<OpenStatus>,
    pub(crate) gate: Arc<Gate>,
}

impl<'a> Rustic<'a> {
    pub(crate) fn new(repository: &'a Repository, secrets: &'a Secrets, context: Context) -> Self {
        Self { repository, secrets, context, key: OnceLock::new(), files: OnceLock::new() }
    }

    /// Opens the repository.
    pub(crate) fn open(&self) -> Result<Opened, Problem> {
        let (repo, gate) = self.found()?;
        self.unlock(repo, gate)
    }

    /// Opens the repository to write in it.
    pub(crate) fn open_to_write(&self) -> Result<Opened, Problem> {
        let (repo, gate) = self.found()?;
        refuse_locks(gate.files())?;
        self.unlock(repo, gate)
    }

    /// Opens the repository to write in it, or creates it where that is wished.
    pub(crate) fn open_or_create(&self) -> Result<Opened, Problem> {
        match self.open_to_write() {
            Err(problem)
                if problem.kind == ProblemKind::NotARepository && self.repository.initialise =>
            {
                match self.create() {
                    // Another backup was faster.
                    Err(problem) if problem.kind == ProblemKind::RepositoryExists => self.open(),
                    answer => answer,
                }
            }
            answer => answer,
        }
    }

    fn create(&self) -> Result<Opened, Problem> {
        let location = &self.repository.location;
        let (repo, gate) = self.connect()?;
        if is_there(&repo, location)? {
            return Err(taken(location));
        }
        verdict::has_password(self.secrets)?;
        match location.parse() {
            Ok(Location::Local(_)) => make_beside(location, |beside| self.make_at(beside))?,
            Ok(Location::Remote(_)) | Err(_) => self.make_there(repo, &gate)?,
        }
        self.open()
    }

    /// Makes one elsewhere with the same password.
    fn make_at(&self, location: &str) -> Result<(), Problem> {
        let repository = Repository { location: location.to_owned(), ..self.repository.clone() };
        let other = Rustic::new(&repository, self.secrets, self.context.clone());
        let (repo, gate) = other.connect()?;
        let synced = other.init(repo).and_then(|()| gate.sync());
        synced.map_err(rustic(ProblemKind::Unreachable, creating(&self.repository.location)))
    }

    /// Makes it where it will be: of two that make it at once one writes the configuration, and the other one nothing.
    fn make_there(&self, repo: Rustics<()>, gate: &Gate) -> Result<(), Problem> {
        let location = &self.repository.location;
        let Err(error) = self.init(repo) else { return Ok(()) };
        let another = gate.list(FileType::Config).is_ok_and(|there| !there.is_empty());
        Err(if another {
            taken(location)
        } else {
            rustic(ProblemKind::Unreachable, creating(location))(error)
        })
    }

    fn init(&self, repo: Rustics<()>) -> RusticResult<()> {
        let credentials = Credentials::password(&self.secrets.password);
        repo.init(&credentials, &KeyOptions::default(), &ConfigOptions::default()).map(drop)
    }
}

impl BackupEngine for Rustic<'_> {
    fn name(&self) -> String {
        VERSION.to_owned()
    }

    fn init(&self) -> Answer {
        let opened = self.create()?;
        let repository = opened.id();
        Ok(Ended::good(Done::Init(InitReport { repository })))
    }

    fn backup(&self, asked: &Backup) -> Answer {
        backup::backup(self, asked)
    }

    fn list(&self, asked: &List) -> Answer {
        list::list(self, asked)
    }

    fn check(&self, asked: &Check) -> Answer {
        check::check(self, asked)
    }

    fn restore(&self, asked: &Restore) -> Answer {
        restore::restore(self, asked)
    }

    fn forget(&self, asked: &Forget) -> Answer {
        upkeep::forget(self, asked)
    }

    fn prune(&self, asked: &Prune) -> Answer {
        upkeep::prune(self, asked)
    }

    fn repair(&self) -> Answer {
        upkeep::repair(self)
    }

    fn copy(&self, asked: &Copy) -> Answer {
        copy::copy(self, asked)
    }

    fn browse(&self, asked: &Browse) -> Answer {
        look::browse(self, asked)
    }

    fn find(&self, asked: &Find) -> Answer {
        look::find(self, asked)
    }

    fn diff(&self, asked: &Diff) -> Answer {
        look::diff(self, asked)
    }

    fn manifest(&self, asked: &ManifestOf) -> Answer {
        look::manifest(self, asked)
    }
}

impl Opened {
    /// The id in the repository's configuration.
    pub(crate) fn id(&self) -> String {
        self.repo.config().id.to_hex().to_string()
    }

    /// Every snapshot, newest first.
    pub(crate) fn snapshots(&self) -> Result<Vec<SnapshotFile>, Problem> {
        let tried = format!("reading the snapshots of {}", self.repo.name);
        let all = self.gate.steady(|| self.repo.get_all_snapshots());
        let mut all = all.map_err(rustic(ProblemKind::Damaged, tried))?;
        all.sort_by(|a, b| (&b.time, b.id).cmp(&(&a.time, a.id)));
        Ok(all)
    }
}

/// How long a repository may have no key while another backup makes it.
const BEING_MADE: Duration = Duration::from_secs(10);

impl Rustic<'_> {
    /// The files of the repository. The session with a server is opened once an operation.
    fn files(&self) -> Result<Arc<Files>, Problem> {
        if let Some(files) = self.files.get() {
            return Ok(files.clone());
        }
        let opened = store::open(self.repository, &self.secrets.keys, &self.context.cancel)?;
        Ok(self.files.get_or_init(|| Arc::new(opened)).clone())
    }

    /// The library before a gate of its own.
    fn connect(&self) -> Result<(Rustics<()>, Arc<Gate>), Problem> {
        let gate = Arc::new(Gate::new(self.files()?, self.context.cancel.clone()));
        Ok((self.library(&gate)?, gate))
    }

    fn library(&self, gate: &Arc<Gate>) -> Result<Rustics<()>, Problem> {
        let mut options = RepositoryOptions::default().no_cache(self.repository.cache.is_none());
        if let Some(cache) = &self.repository.cache {
            options = options.cache_dir(cache.path());
        }
        let backends = RepositoryBackends::new(gate.clone(), None);
        Rustics::new(&options, &backends)
            .map_err(rustic(ProblemKind::BadRequest, reading(&self.repository.location)))
    }

    /// The same, where there is a repository.
    fn found(&self) -> Result<(Rustics<()>, Arc<Gate>), Problem> {
        let location = &self.repository.location;
        let (repo, gate) = self.connect()?;
        if is_there(&repo, location)? {
            return Ok((repo, gate));
        }
        let message = format!(
            "opening the repository {location}: there is none; check the location, or create one"
        );
        Err(Problem::new(ProblemKind::NotARepository, message))
    }

    /// Opens what was found, with the password or the key it has opened before.
    fn unlock(&self, repo: Rustics<()>, gate: Arc<Gate>) -> Result<Opened, Problem> {
        let location = &self.repository.location;
        let credentials = match self.key.get() {
            Some(key) => Credentials::Masterkey(key.clone()),
            None => {
                self.wait_for_a_key(&gate)?;
                Credentials::password(&self.secrets.password)
            }
        };
        let repo = repo.open(&credentials).map_err(|error| {
            let tried = format!("opening the repository {location}");
            if error.is_incorrect_password() {
                let message = format!("{tried}: the password opens none of its keys");
                return Problem::new(ProblemKind::WrongPassword, message);
            }
            Problem::new(ProblemKind::Damaged, format!("{tried}: {}", plain(&error)))
        })?;
        let _ = self.key.set(repo.key());
        Ok(Opened { repo, gate })
    }

    /// The key is written after the configuration, in another request.
    fn wait_for_a_key(&self, gate: &Gate) -> Result<(), Problem> {
        let location = &self.repository.location;
        let began = Instant::now();
        loop {
            let keys = gate.list(FileType::Key);
            if !keys.map_err(rustic(ProblemKind::Unreachable, reading(location)))?.is_empty() {
                return Ok(());
            }
            if began.elapsed() > BEING_MADE {
                break;
            }
            self.context.cancel.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        let message = format!(
            "opening the repository {location}: it has a configuration and no key, so nobody can read it; if it was \
             never used, whoever made it was stopped: remove the file config and try again"
        );
        Err(Problem::new(ProblemKind::Damaged, message))
    }
}

fn is_there(repo: &Rustics<()>, location: &str) -> Result<bool, Problem> {
    let there = repo.config_id().map_err(rustic(ProblemKind::Unreachable, reading(location)))?;
    Ok(there.is_some())
}

fn taken(location: &str) -> Problem {
    let message =
        format!("creating a repository at {location}: there is one already; name another location");
    Problem::new(ProblemKind::RepositoryExists, message)
}

fn creating(location: &str) -> String {
    format!("creating a repository at {location}")
}

fn reading(location: &str) -> String {
    format!("looking for a repository at {location}")
}
