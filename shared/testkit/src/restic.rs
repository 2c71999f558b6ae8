//! The program restic: one that writes, which Debian 12 does not have, and an older one that reads.

use std::path::{Path, PathBuf};
use std::process::Command;

/// From this version on it writes for us.
const WRITES: (u32, u32) = (0, 17);

/// The restic that writes: named by `DECKLOG_RESTIC`, in `PATH`, or built by `ops/dev/setup`.
///
/// # Errors
/// There is none, and what to do.
pub fn writing() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("DECKLOG_RESTIC").map(PathBuf::from);
    let all = named.into_iter().chain(in_path()).chain([crate::installed::place("restic/restic")]);
    all.into_iter().find(|program| version(program) >= Some(WRITES)).ok_or_else(|| {
        anyhow::anyhow!(
            "restic 0.17 or newer is not here, or name it in DECKLOG_RESTIC: {}",
            crate::RUN_SETUP
        )
    })
}

/// The restic in `PATH`, where it is too old to write.
#[must_use]
pub fn old() -> Option<PathBuf> {
    in_path().filter(|program| version(program) < Some(WRITES))
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join("restic")).find(|program| program.exists())
}

fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().nth(1)?.split('.').map(|n| n.parse().unwrap_or(0));
    Some((numbers.next()?, numbers.next()?))
}
