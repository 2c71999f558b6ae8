//! Control groups (cgroup v2): the kernel's own list of what a command started, and one switch to end it.
//!
//! Optional. Without one a supervisor still finds every descendant, because it is their subreaper; a group
//! also covers the case that the supervisor itself was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::proc::Proc;

/// The group below its unit's in which systemd starts an executor with `DelegateSubgroup=executor`. Then the unit's own
/// group has no process, and the kernel lets it bound what the groups in it use.
const SUBGROUP: &str = "executor";

/// Where groups for attempts can be made: in the control group of this process, or beside it where that is
/// [`SUBGROUP`]; as root, or in a systemd unit with `Delegate=yes`. To be used as
/// [`Spec::cgroup`](super::Spec::cgroup). Where the kernel lets it, memory can be bounded there from then on.
#[must_use]
pub fn delegated() -> Option<PathBuf> {
    let Group(own) = Group::own()?;
    let beside = own.parent().filter(|_| own.ends_with(SUBGROUP)).map(Path::to_owned);
    let group =
        beside.filter(|group| is_usable(group)).or_else(|| is_usable(&own).then_some(own))?;
    // Refused where the group has processes of its own; then nothing is bounded.
    let _not_here = fs::write(group.join(CONTROL), "+memory");
    Some(group)
}

/// The file that says what groups in a group are bounded by.
const CONTROL: &str = "cgroup.subtree_control";

/// Whether groups in this one can be bounded in memory.
#[must_use]
pub fn bounds_memory(group: &Path) -> bool {
    let control = fs::read_to_string(group.join(CONTROL)).unwrap_or_default();
    control.split_whitespace().any(|word| word == "memory")
}

fn is_usable(group: &Path) -> bool {
    let trial = group.join(format!("decklog-trial-{}", std::process::id()));
    // Only making one tells whether one can be made.
    if fs::create_dir(&trial).is_err() {
        return false;
    }
    let usable = trial.join("cgroup.kill").exists();
    fs::remove_dir(&trial).is_ok() && usable
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

    /// Bounds the memory of all members together. What needs more dies with all the others, so that nobody is left with
    /// half of its processes.
    pub(crate) fn bound_memory(&self, bytes: u64) -> io::Result<()> {
        fs::write(self.0.join("memory.max"), bytes.to_string())?;
        // Not there where nothing is swapped, and before kernel 4.19.
        let _not_there = fs::write(self.0.join("memory.swap.max"), "0");
        let _not_there = fs::write(self.0.join("memory.oom.group"), "1");
        Ok(())
    }

    /// Whether a member was killed because the group needed more memory than it may.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.and_then(|count| count.trim().parse::<u64>().ok()).is_some_and(|count| count > 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the kernel does what is written there, `over_its_limit_of_memory_a_command_is_killed_and_that_is_said`
    /// tells where it can.
    #[test]
    fn a_group_is_bounded_by_its_files_and_tells_by_them_that_it_ran_out() {
        let dir = tempfile::tempdir().unwrap();
        let group = Group::named(dir.path(), "attempt");
        assert!(group.bound_memory(1 << 30).is_err(), "there is no such group");
        group.create().unwrap();
        group.bound_memory(1 << 30).unwrap();
        let file = |name: &str| dir.path().join("attempt").join(name);
        let read = |name: &str| fs::read_to_string(file(name)).unwrap();
        let written = (read("memory.max"), read("memory.oom.group"), read("memory.swap.max"));
        assert_eq!(written, ("1073741824".into(), "1".into(), "0".into()));
        let table = [
            ("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n", false),
            ("low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n", true),
            ("", false),
        ];
        assert!(!group.ran_out_of_memory(), "memory is not counted");
        for (events, expected) in table {
            fs::write(file("memory.events"), events).unwrap();
            assert_eq!(group.ran_out_of_memory(), expected, "{events:?}");
        }
    }

    #[test]
    fn groups_can_be_bounded_where_the_one_above_hands_memory_on() {
        let dir = tempfile::tempdir().unwrap();
        for (control, expected) in [("cpu memory pids\n", true), ("cpu memory_x\n", false)] {
            fs::write(dir.path().join(CONTROL), control).unwrap();
            assert_eq!(bounds_memory(dir.path()), expected, "{control}");
        }
        assert!(!bounds_memory(&dir.path().join("not-there")));
    }
}
