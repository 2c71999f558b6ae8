//! The time zone database of this machine.

use std::path::{Path, PathBuf};

/// Its version, or that of the database `TZDIR` names; `unknown` where it does not say.
pub fn tzdb() -> String {
    let named = std::env::var_os("TZDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = named.as_deref().unwrap_or(Path::new("/usr/share/zoneinfo"));
    let text = std::fs::read_to_string(dir.join("tzdata.zi")).unwrap_or_default();
    domain::time::tzdb_version_from(&text).unwrap_or_else(|| "unknown".to_owned())
}
