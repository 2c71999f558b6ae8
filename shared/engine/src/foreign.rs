//! Locks of other programs: restic's prune beside our backup destroys what we write.

use std::time::{Duration, SystemTime};

use rustic_core::ReadBackend as _;

use crate::problem::{Problem, io};
use crate::report::ProblemKind;
use crate::store::{Files, Object};

/// From this age on restic itself takes a lock for stale; it refreshes its own every five minutes.
const STALE: Duration = Duration::from_secs(30 * 60);

/// Refuses to write while another program holds a lock that is not stale.
///
/// What is in a lock only restic can read, so a harmless one counts like an exclusive one. The
/// engine built in takes no locks: among ourselves the lease of the log keeps writers apart.
pub(crate) fn refuse_locks(files: &Files) -> Result<(), Problem> {
    let location = files.location();
    let tried = format!("looking for locks in {location}");
    let locks = files.locks().map_err(io(ProblemKind::Unreachable, tried))?;
    // Where nobody knows how old it is, it counts as fresh.
    let fresh = |lock: &&Object| lock.changed.is_none_or(|time| age(time) < STALE);
    let Some(lock) = locks.iter().find(fresh) else { return Ok(()) };
    let message = format!(
        "writing to {location}: another program, probably restic, holds the lock {}; wait until it has \
         ended, or remove a lock that nobody holds with `restic unlock`",
        lock.name
    );
    Err(Problem::new(ProblemKind::Locked, message))
}

fn age(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}
