//! Locks of other programs: restic's prune beside our backup destroys what we write.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::problem::{Problem, io};
use crate::report::ProblemKind;

/// From this age on restic itself takes a lock for stale; it refreshes its own every five minutes.
const STALE: Duration = Duration::from_secs(30 * 60);

/// Refuses to write while another program holds a lock that is not stale.
///
/// What is in a lock only restic can read, so a harmless one counts like an exclusive one. The
/// engine built in takes no locks: among ourselves the lease of the log keeps writers apart.
pub(crate) fn refuse_locks(repository: &Path) -> Result<(), Problem> {
    let dir = repository.join("locks");
    let tried = format!("looking for locks in {}", dir.display());
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(ProblemKind::Unreachable, tried)(error)),
    };
    let fresh = entries.flatten().find(|entry| {
        let changed = entry.metadata().and_then(|meta| meta.modified());
        changed.is_ok_and(|time| age(time) < STALE)
    });
    let Some(lock) = fresh else { return Ok(()) };
    let message = format!(
        "writing to {}: another program, probably restic, holds the lock {}; wait until it has \
         ended, or remove a lock that nobody holds with `restic unlock`",
        repository.display(),
        lock.file_name().to_string_lossy()
    );
    Err(Problem::new(ProblemKind::Locked, message))
}

fn age(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}
