//! What became of an attempt, and cleaning up where the supervisor cannot.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::Signal;

use super::cgroup::Group;
use super::claim::{Claim, Identity, boot};
use super::dir::AttemptDir;
use super::error::{AttemptError, io_at};
use super::proc::{self, Proc};
use super::spec::Spec;
use super::status::{Killed, Status};
use super::supervisors::any_ready;

/// So long a killed process may take to be gone, before it is reported as one that does not die.
const DYING: Duration = Duration::from_secs(10);

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once for an attempt, never kept in numbers")]
pub enum State {
    /// Nobody has claimed it: it may be started, or its supervisor is just beginning. An executor that
    /// did not start it itself asks [`AttemptDir::disown`] before it decides anything.
    Prepared,
    /// It goes on.
    Running {
        /// The supervisor's process.
        pid: u32,
    },
    /// It is over, and this is what happened.
    Ended(Status),
    /// The supervisor is gone without a word, or the host was restarted before there was one that lasts:
    /// the outcome is unknown. See
    /// [`AttemptDir::kill_leftovers`].
    Vanished,
    /// It never ran and never will.
    Disowned,
}

impl AttemptDir {
    /// Where the attempt stands now.
    ///
    /// # Errors
    /// If the directory cannot be read, or says something that nobody of ours wrote.
    pub fn state(&self) -> Result<State, AttemptError> {
        let who = match Claim::read(self.path())? {
            None => return self.unclaimed(),
            Some(Claim::Disowned) => return Ok(State::Disowned),
            Some(Claim::Supervised(who)) => who,
        };
        if let Some(state) = self.ended(&who)? {
            return Ok(state);
        }
        if let Some(proc) = who.alive() {
            return Ok(State::Running { pid: proc.pid.unsigned_abs() });
        }
        // It may have written its last word between our two looks.
        Ok(self.ended(&who)?.unwrap_or(State::Vanished))
    }

    /// Whether its command runs no more, or never will.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state(), Ok(State::Ended(_) | State::Vanished | State::Disowned))
    }

    /// Claims are not forced to disk either: after a restart of the host there may have been one.
    fn unclaimed(&self) -> Result<State, AttemptError> {
        let now = boot().map_err(io_at("learn the host's uptime for", self.path()))?;
        match self.prepared() {
            Ok(prepared) if prepared.boot == now => Ok(State::Prepared),
            Ok(_) | Err(AttemptError::Damaged { .. }) => Ok(State::Vanished),
            Err(error) => Err(error),
        }
    }

    /// The final word, if there is one. The supervisor does not make it durable (see `supervise`), so
    /// after a restart of the host a damaged one means that the word was lost.
    fn ended(&self, who: &Identity) -> Result<Option<State>, AttemptError> {
        let path = self.file("status.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_at("read", &path)(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(status) => Ok(Some(State::Ended(status))),
            Err(_) if !who.same_boot() => Ok(Some(State::Vanished)),
            Err(source) => Err(AttemptError::Damaged { path, source }),
        }
    }

    /// Kills what a command left behind whose supervisor [vanished](State::Vanished), and names it:
    /// all members of its cgroup, all processes that carry the marks of this attempt in their
    /// environment, and all their descendants.
    ///
    /// A process that lost the marks, has no ancestor with them, and was not in a cgroup is not found.
    ///
    /// # Errors
    /// If the specification cannot be read, or something does not die.
    pub fn kill_leftovers(&self) -> Result<Vec<Killed>, AttemptError> {
        let spec = self.spec()?;
        let group = spec.cgroup.as_deref().map(|parent| Group::named(parent, &self.name()));
        let deadline = Instant::now() + DYING;
        let mut killed: BTreeMap<i32, Killed> = BTreeMap::new();
        loop {
            let left = leftovers(&spec, group.as_ref());
            if left.is_empty() {
                break;
            }
            killed.extend(left.iter().map(|proc| (proc.pid, proc.killed())));
            if !kill(&left, group.as_ref(), deadline) {
                return Err(AttemptError::Undead { count: left.len(), path: self.path().into() });
            }
        }
        if let Some(group) = group {
            group.remove();
        }
        Ok(killed.into_values().collect())
    }
}

fn leftovers(spec: &Spec, group: Option<&Group>) -> Vec<Proc> {
    let marks = super::launch::marks(spec);
    let mut found: BTreeMap<i32, Proc> = BTreeMap::new();
    found.extend(group.iter().flat_map(|group| group.members()).map(|proc| (proc.pid, proc)));
    let marked = proc::all().into_iter().filter(|proc| proc::carries(proc.pid, &marks));
    for proc in marked {
        found.extend(proc::descendants(proc.pid).into_iter().map(|below| (below.pid, below)));
        found.insert(proc.pid, proc);
    }
    found.into_values().collect()
}

/// Kills these and waits until they are gone; `false` if one is not by the deadline.
fn kill(left: &[Proc], group: Option<&Group>, deadline: Instant) -> bool {
    let handles: Vec<OwnedFd> = left.iter().filter_map(Proc::handle).collect();
    if let Some(group) = group {
        group.kill();
    }
    handles.iter().all(|handle| {
        proc::send(handle, Signal::SIGKILL).is_ok()
            && any_ready(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], deadline)
                .unwrap_or(false)
    })
}
