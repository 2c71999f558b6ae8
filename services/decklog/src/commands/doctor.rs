//! `decklog doctor`: what weakens a log where it stands. It proves nothing of the past: `decklog verify` does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use eventlog::{EventLog, Weakness};
use serde::Serialize;

use crate::cli::{Doctor, Format, Place};
use crate::exit;
use crate::output::{self, Table};
use crate::source::Source;

/// Files of a data directory that nobody else may read end so.
const SECRET: [&str; 4] = ["key", "secret", "token", "code"];
/// A disk with less room than this, in MiB, or in a hundredth of it, is nearly full.
const ROOM_MIB: u64 = 512;
const ROOM_PERCENT: u64 = 5;

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Serialize)]
struct Finding {
    what: String,
    todo: String,
}

impl From<Weakness> for Finding {
    fn from(found: Weakness) -> Self {
        Self { what: found.says, todo: found.todo.to_owned() }
    }
}

pub(crate) fn run(doctor: &Doctor, format: Format) -> anyhow::Result<()> {
    let source = match &doctor.database {
        Some(address) => Source::database(address, doctor.archive.as_deref())?,
        None => Source::open(&Place { data: doctor.data.clone(), ..Place::default() })?,
    };
    let Source::Local(runtime, log, dir) = &source else {
        anyhow::bail!("a log is looked at where it stands");
    };
    let weak = runtime.block_on(log.weaknesses())?;
    let mut found: Vec<Finding> = weak.into_iter().map(Finding::from).collect();
    if let Some(dir) = dir {
        found.extend(secrets(dir)?);
        found.extend(writable(dir));
        found.extend(room(dir)?);
    }
    if found.is_empty() && matches!(format, Format::Table) {
        output::line("the guards of the log stand, and nothing here weakens it")?;
    } else {
        output::list(format, &found, table)?;
    }
    if found.is_empty() { Ok(()) } else { Err(exit::unclean("")) }
}

fn table(found: &[Finding]) -> Table {
    let mut table = Table::new(["WHAT", "WHAT TO DO"]);
    for one in found {
        table.row([one.what.clone(), one.todo.clone()]);
    }
    table
}

/// Keys and tokens that somebody else than their owner could read: in the directory, and in those of the roles in it.
fn secrets(dir: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for path in within(dir)? {
        if path.is_dir() {
            let inner = within(&path)?;
            found.extend(inner.iter().filter_map(|path| readable(path)));
        } else {
            found.extend(readable(&path));
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

fn readable(path: &Path) -> Option<Finding> {
    let secret = path.extension().is_some_and(|end| SECRET.iter().any(|one| end == *one));
    // What is gone by now can be read by nobody.
    let meta = path.symlink_metadata().ok().filter(|meta| secret && meta.is_file())?;
    let mode = meta.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| Finding {
        what: format!("others can get at {}: its mode is {mode:03o}", path.display()),
        todo: format!("chmod 600 {}, and find out who has read it", path.display()),
    })
}

/// The directory and the log in it, where somebody else than their owner could write.
fn writable(dir: &Path) -> Option<Finding> {
    let open =
        |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0);
    let path = [dir.to_owned(), EventLog::file_in(dir)].into_iter().find(open)?;
    Some(Finding {
        what: format!("others can write to {}", path.display()),
        todo: format!("chmod go-w {}, and verify the log", path.display()),
    })
}

fn room(dir: &Path) -> anyhow::Result<Option<Finding>> {
    let disk = nix::sys::statvfs::statvfs(dir)?;
    let (free, all) = (disk.blocks_available(), disk.blocks());
    let mib = free.saturating_mul(disk.fragment_size()) / (1 << 20);
    let percent = free.saturating_mul(100) / all.max(1);
    let full = is_nearly_full(mib, percent);
    Ok(full.then(|| Finding {
        what: format!("{mib} MiB are free where {} is, {percent} % of the disk", dir.display()),
        todo: "make room: a log that cannot grow stops everything that is to be recorded"
            .to_owned(),
    }))
}

fn is_nearly_full(mib: u64, percent: u64) -> bool {
    mib < ROOM_MIB || (percent < ROOM_PERCENT && mib < 20 * ROOM_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_by_what_is_left_and_not_by_its_share_alone() {
        for (mib, percent, full) in [
            (100_000, 50, false),
            (100_000, 1, false),
            (9_000, 4, true),
            (600, 60, false),
            (511, 60, true),
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
        assert!(found[0].what.ends_with("b.token: its mode is 640"), "{found:?}");
    }

    #[test]
    fn a_log_that_others_can_write_to_is_named_and_so_is_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let log = EventLog::file_in(dir.path());
        std::fs::write(&log, "x").unwrap();
        let chmod = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        chmod(&log, 0o644);
        assert_eq!(writable(dir.path()), None);
        chmod(&log, 0o666);
        let what = |found: Option<Finding>| found.unwrap().what;
        assert_eq!(what(writable(dir.path())), format!("others can write to {}", log.display()));
        chmod(dir.path(), 0o777);
        let dir = dir.path();
        assert_eq!(what(writable(dir)), format!("others can write to {}", dir.display()));
    }
}
