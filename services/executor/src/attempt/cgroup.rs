//! Control groups (cgroup v2): the kernel's own list of what a command started, and one switch to end it.
//!
//! Optional. Without one a supervisor still finds every descendant, because it is their subreaper; a group
//! also covers the case that the supervisor itself was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::proc::Proc;

/// The control group of this process, if groups can be made in it: as root, or in a systemd unit with
/// `Delegate=yes`. To be used as [`Spec::cgroup`](super::Spec::cgroup).
#[must_use]
pub fn delegated() -> Option<PathBuf> {
    let Group(group) = Group::own()?;
    let trial = group.join(format!("decklog-trial-{}", std::process::id()));
    // Only making one tells whether one can be made.
    fs::create_dir(&trial).ok()?;
    let usable = trial.join("cgroup.kill").exists();
    fs::remove_dir(&trial).ok()?;
    usable.then_some(group)
}

/// Where cgroup v2 is mounted: alone, or beside v1 ("hybrid").
fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    })
}

/// The group of one attempt.
#[derive(Debug, Clone)]
pub(crate) struct Group(PathBuf);

impl Group {
    pub(crate) fn named(parent: &Path, name: &str) -> Self {
        Self(parent.join(name))
    }

    /// The group the calling process is in.
    pub(crate) fn own() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        Some(Self(mount()?.join(own)))
    }

    pub(crate) fn create(&self) -> io::Result<()> {
        match fs::create_dir(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The file into which a process writes `0` to move itself into the group.
    fn door(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    /// Moves the calling process into the group.
    pub(crate) fn enter(&self) -> io::Result<()> {
        fs::write(self.door(), "0")
    }

    pub(crate) fn members(&self) -> Vec<Proc> {
        let procs = fs::read_to_string(self.door()).unwrap_or_default();
        procs.lines().filter_map(|line| Proc::read(line.parse().ok()?)).collect()
    }

    /// Kills all members at once, those being forked at this moment too. Kernels before 5.14 cannot:
    /// there the members are killed one by one, by whoever asked for this.
    pub(crate) fn kill(&self) {
        let _no_such_switch = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// Removes the group; one that still has members stays.
    pub(crate) fn remove(&self) {
        let _has_members = fs::remove_dir(&self.0);
    }
}
