//! The time zone database of this machine.

/// Its version; `unknown` where it does not say.
pub fn tzdb() -> String {
    let text = std::fs::read_to_string("/usr/share/zoneinfo/tzdata.zi").unwrap_or_default();
    domain::time::tzdb_version_from(&text).unwrap_or_else(|| "unknown".to_owned())
}
