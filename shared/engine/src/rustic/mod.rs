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
    Repository as Rustics, RepositoryBackends, RepositoryOptions,
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
use crate::store::{self, Location};

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
}

/// A repository whose key was found.
pub(crate) struct Opened {
    pub(crate) repo: Rustics<OpenStatus>,
    pub(crate) gate: Arc<Gate>,
}

impl<'a> Rustic<'a> {
    pub(crate) fn new(repository: &'a Repository, secrets: &'a Secrets, context: Context) -> Self {
        Self { repository, secrets, context, key: OnceLock::new() }
    }

    /// Opens the repository.
    pub(crate) fn open(&self) -> Result<Opened, Problem> {
        let (repo, gate) = self.connect(self.repository)?;
        self.unlock(repo, gate)
    }

    /// Opens the repository to write in it.
    pub(crate) fn open_to_write(&self) -> Result<Opened, Problem> {
        let (repo, gate) = self.connect(self.repository)?;
        self.must_be_there(&repo)?;
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
        let (repo, gate) = self.connect(self.repository)?;
        let there =
            repo.config_id().map_err(rustic(ProblemKind::Unreachable, reading(location)))?;
        if there.is_some() {
            return Err(is_there(location));
        }
        if self.secrets.password.is_empty() {
            let message = "creating a repository: no password is given; set one in the secrets";
            return Err(Problem::new(ProblemKind::BadRequest, message));
        }
        match location.parse() {
            Ok(Location::Local(_)) => {
                drop((repo, gate));
                self.create_beside()?;
            }
            Ok(Location::Sftp(_) | Location::S3(_) | Location::Rest(_)) | Err(_) => {
                self.create_there(repo, &gate)?;
            }
        }
        self.open()
    }

    /// Makes it where it will be: of two that make it at once one writes the configuration, and the other one nothing.
    fn create_there(&self, repo: Rustics<()>, gate: &Gate) -> Result<(), Problem> {
        let location = &self.repository.location;
        let credentials = Credentials::password(&self.secrets.password);
        let made = repo.init(&credentials, &KeyOptions::default(), &ConfigOptions::default());
        let Err(error) = made else { return Ok(()) };
        let tried = format!("creating a repository at {location}");
        let another = gate.list(FileType::Config).is_ok_and(|there| !there.is_empty());
        Err(if another {
            is_there(location)
        } else {
            rustic(ProblemKind::Unreachable, tried)(error)
        })
    }

    /// Makes it beside its place and gives it its name when it is whole: of two that make it at once one wins, and
    /// nobody ever sees half of one.
    fn create_beside(&self) -> Result<(), Problem> {
        let location = &self.repository.location;
        let tried = format!("creating a repository at {location}");
        let beside = format!("{}.new-{}", location.trim_end_matches('/'), std::process::id());
        let new = Repository { location: beside.clone(), ..self.repository.clone() };
        let (repo, gate) = self.connect(&new)?;
        let credentials = Credentials::password(&self.secrets.password);
        repo.init(&credentials, &KeyOptions::default(), &ConfigOptions::default())
            .map_err(rustic(ProblemKind::Unreachable, tried.clone()))?;
        gate.sync().map_err(rustic(ProblemKind::Unreachable, tried.clone()))?;
        let named = std::fs::rename(&beside, location);
        if named.is_err() {
            let _ = std::fs::remove_dir_all(&beside);
        }
        named.map_err(|error| {
            use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
            if matches!(error.kind(), AlreadyExists | DirectoryNotEmpty) {
                let message = format!("{tried}: something is there already; name another location");
                return Problem::new(ProblemKind::RepositoryExists, message);
            }
            Problem::new(ProblemKind::Unreachable, format!("{tried}: {error}"))
        })
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
        let all = self.repo.get_all_snapshots();
        let mut all = all.map_err(rustic(ProblemKind::Damaged, tried))?;
        all.sort_by(|a, b| (&b.time, b.id).cmp(&(&a.time, a.id)));
        Ok(all)
    }
}

/// How long a repository may have no key while another backup makes it.
const BEING_MADE: Duration = Duration::from_secs(10);

impl Rustic<'_> {
    fn connect(&self, repository: &Repository) -> Result<(Rustics<()>, Arc<Gate>), Problem> {
        let cancel = &self.context.cancel;
        let files = store::open(repository, &self.secrets.keys, cancel)?;
        let gate = Arc::new(Gate::new(files, cancel.clone()));
        let mut options = RepositoryOptions::default().no_cache(repository.cache.is_none());
        if let Some(cache) = &repository.cache {
            options = options.cache_dir(cache.path());
        }
        let backends = RepositoryBackends::new(gate.clone(), None);
        let repo = Rustics::new(&options, &backends)
            .map_err(rustic(ProblemKind::BadRequest, reading(&repository.location)))?;
        Ok((repo, gate))
    }

    /// Opens a repository with the password.
    fn unlock(&self, repo: Rustics<()>, gate: Arc<Gate>) -> Result<Opened, Problem> {
        let location = &self.repository.location;
        self.must_be_there(&repo)?;
        self.wait_for_a_key(&gate)?;
        let credentials = match self.key.get() {
            Some(key) => Credentials::Masterkey(key.clone()),
            None => Credentials::password(&self.secrets.password),
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

    fn must_be_there(&self, repo: &Rustics<()>) -> Result<(), Problem> {
        let location = &self.repository.location;
        let there = repo.config_id();
        if there.map_err(rustic(ProblemKind::Unreachable, reading(location)))?.is_some() {
            return Ok(());
        }
        let message = format!(
            "opening the repository {location}: there is none; check the location, or create one"
        );
        Err(Problem::new(ProblemKind::NotARepository, message))
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

fn is_there(location: &str) -> Problem {
    let message =
        format!("creating a repository at {location}: there is one already; name another location");
    Problem::new(ProblemKind::RepositoryExists, message)
}

fn reading(location: &str) -> String {
    format!("looking for a repository at {location}")
}
