//! The time zone database of this machine.

use std::path::{Path, PathBuf};

use domain::time::{TZDB_DIRS, TZDB_VERSION_FILES, tzdb_version_from};

/// The directory of its files: the one that `TZDIR` names, or the usual one.
pub fn zone_files() -> PathBuf {
    let named = std::env::var_os("TZDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let usual = || TZDB_DIRS.map(PathBuf::from).into_iter().find(|dir| dir.is_dir());
    named.or_else(usual).unwrap_or_else(|| TZDB_DIRS[0].into())
}

/// Its version; `unknown` where it does not say.
pub fn tzdb() -> String {
    version_in(&zone_files()).unwrap_or_else(|| "unknown".to_owned())
}

fn version_in(dir: &Path) -> Option<String> {
    let mut texts = TZDB_VERSION_FILES.iter().filter_map(|name| std::fs::read(dir.join(name)).ok());
    tzdb_version_from(&String::from_utf8_lossy(&texts.next()?))
}
