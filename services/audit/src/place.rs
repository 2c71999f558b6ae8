//! Where the log and its keys stand on a machine: who else can get at them, whether there is room, and whether the clock is the one of
//! the database. It proves nothing of the past, and finds what somebody forgot.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use eventlog::{EventLog, LogError, Weakness};
use jiff::{SignedDuration, Timestamp};

/// Files of a data directory that nobody else may read end so.
const SECRET: [&str; 4] = ["key", "secret", "token", "code"];
/// A disk with less room than this, in MiB, is nearly full, unless that is a good part of a small one.
const ROOM_MIB: u64 = 512;
const SMALL_PERCENT: u64 = 20;
/// A disk with less room than this is nearly full, unless that is very much.
const ROOM_PERCENT: u64 = 5;
/// How far the clock of the database may be from this machine's.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

fn weak(says: String, todo: impl Into<String>) -> Weakness {
    Weakness { says, todo: todo.into().into() }
}

/// Keys and tokens that somebody else than their owner could read: in a directory, and in those of the roles in it.
///
/// # Errors
/// It cannot be read.
pub fn secrets(dir: &Path) -> anyhow::Result<Vec<Weakness>> {
    let mut found = Vec::new();
    for path in within(dir)? {
        if path.is_dir() {
            // What this account may not even list holds nothing of its own.
            let inner = within(&path).unwrap_or_default();
            found.extend(inner.iter().filter_map(|path| secret(path)));
        } else {
            found.extend(secret(&path));
        }
    }
    Ok(found)
}

fn within(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// What could not be looked at.
pub(crate) fn unseen(what: &str, why: &dyn std::fmt::Display) -> Weakness {
    weak(
        format!("{what} could not be looked at: {why}"),
        "have the recorder's account read it: nobody knows how it stands",
    )
}

fn secret(path: &Path) -> Option<Weakness> {
    let secret = path.extension().is_some_and(|end| SECRET.iter().any(|one| end == *one));
    open_to_others(path).filter(|_| secret)
}

/// A file that somebody else than its owner could read.
pub(crate) fn open_to_others(path: &Path) -> Option<Weakness> {
    // What is gone by now can be read by nobody.
    let meta = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mode = meta.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let says = format!("others can get at {}: its mode is {mode:03o}", path.display());
        weak(says, format!("chmod 600 {}, and find out who has read it", path.display()))
    })
}

/// Who else than its owner could write to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Its group, or everybody. The group of many accounts has no other member.
    GroupToo,
    /// Everybody.
    Everybody,
}

/// The first of these files and directories that somebody else than its owner could write to.
#[must_use]
pub fn writable(paths: &[PathBuf], others: Others) -> Option<Weakness> {
    let mask = if others == Others::Everybody { 0o002 } else { 0o022 };
    let open =
        |path: &&PathBuf| path.metadata().is_ok_and(|meta| meta.permissions().mode() & mask != 0);
    let path = paths.iter().find(open)?;
    let todo = format!("chmod go-w {}, and verify the log", path.display());
    Some(weak(format!("others can write to {}", path.display()), todo))
}

/// Whether the disk under a directory is nearly full.
///
/// # Errors
/// It cannot be asked.
pub fn room(dir: &Path) -> anyhow::Result<Option<Weakness>> {
    let disk = nix::sys::statvfs::statvfs(dir)
        .with_context(|| format!("asking for the room under {}", dir.display()))?;
    let (free, all) = (disk.blocks_available(), disk.blocks());
    if all == 0 {
        // Some disks of a network do not say how large they are.
        return Ok(None);
    }
    let mib = free.saturating_mul(disk.fragment_size()) / (1 << 20);
    let percent = free.saturating_mul(100) / all;
    Ok(is_nearly_full(mib, percent).then(|| {
        weak(
            format!("less than {} MiB are free where {} is", step_above(mib), dir.display()),
            "make room: a log that cannot grow stops everything that is to be recorded",
        )
    }))
}

fn is_nearly_full(mib: u64, percent: u64) -> bool {
    (mib < ROOM_MIB && percent < SMALL_PERCENT) || (percent < ROOM_PERCENT && mib < 20 * ROOM_MIB)
}

/// A number as it is said: a power of two, so that what grows or shrinks slowly is not said anew each hour.
fn step_above(number: u64) -> u64 {
    number.saturating_add(1).next_power_of_two()
}

/// Whether the database has another time than this machine.
///
/// # Errors
/// It cannot be asked.
pub async fn clocks(
    log: &EventLog,
    clock: &(dyn Fn() -> Timestamp + Send + Sync),
) -> Result<Option<Weakness>, LogError> {
    let before = clock();
    let Some(there) = log.clock().await? else { return Ok(None) };
    Ok(apart(before, there, clock()))
}

/// What it says was said between these two instants.
fn apart(before: Timestamp, there: Timestamp, after: Timestamp) -> Option<Weakness> {
    let (ahead, behind) = (there.duration_since(after), before.duration_since(there));
    let (by, how) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    (by > CLOCKS).then(|| {
        weak(
            format!("the clock of the database is more than {} s {how} this machine's", steady(by)),
            "set the clocks of all machines by one time server, and find out since when they are apart",
        )
    })
}

/// Seconds as they are said: half of the power of two above them.
fn steady(by: SignedDuration) -> u64 {
    step_above(by.as_secs().unsigned_abs()).div_euclid(2).max(CLOCKS.as_secs().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_slowly_is_said_in_steps() {
        let table = [(0, 1), (1, 2), (2, 4), (3, 4), (4, 8), (300, 512), (511, 512), (512, 1_024)];
        for (number, said) in table {
            assert_eq!(step_above(number), said, "{number}");
        }
        for (seconds, said) in [(6, 5), (7, 5), (8, 8), (60, 32), (3_599, 2_048)] {
            assert_eq!(steady(SignedDuration::from_secs(seconds)), said, "{seconds}");
        }
    }

    #[test]
    fn a_disk_is_nearly_full_by_what_is_left_and_not_by_its_share_alone() {
        for (mib, percent, full) in [
            (100_000, 50, false),
            (100_000, 1, false),
            (9_000, 4, true),
            (600, 60, false),
            (511, 60, false),
            (511, 19, true),
            (0, 0, true),
        ] {
            assert_eq!(is_nearly_full(mib, percent), full, "{mib} MiB, {percent} %");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("audit")).unwrap();
        for (name, mode) in [("a.key", 0o600), ("audit/b.token", 0o640), ("notes.txt", 0o644)] {
            let path = dir.path().join(name);
            std::fs::write(&path, "x").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = secrets(dir.path()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].says.ends_with("audit/b.token: its mode is 640"), "{found:?}");
    }

    #[test]
    fn a_log_that_others_can_write_to_is_named_and_so_is_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log.sqlite");
        std::fs::write(&log, "x").unwrap();
        let chmod = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let places = [dir.path().to_owned(), log.clone()];
        let says = || writable(&places, Others::GroupToo).map(|one| one.says);
        chmod(&log, 0o644);
        assert_eq!(says(), None);
        chmod(&log, 0o664);
        assert_eq!(writable(&places, Others::Everybody), None);
        assert_eq!(says(), Some(format!("others can write to {}", log.display())));
        chmod(dir.path(), 0o777);
        assert_eq!(says(), Some(format!("others can write to {}", dir.path().display())));
    }

    #[test]
    fn a_database_whose_clock_is_elsewhere_is_told_and_a_slow_answer_is_not() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        for (before, there, after, says) in [
            (0, 0, 0, None),
            (0, 5, 0, None),
            (0, 20, 40, None),
            (0, 6, 0, Some("5 s ahead of")),
            (10, 3, 11, Some("5 s behind")),
            (0, 90, 30, Some("32 s ahead of")),
        ] {
            let found = apart(at(before), at(there), at(after)).map(|one| one.says);
            let fits = match (&found, says) {
                (Some(found), Some(says)) => found.contains(says),
                (found, says) => found.is_none() && says.is_none(),
            };
            assert!(fits, "{before} {there} {after}: {found:?}");
        }
    }
}
