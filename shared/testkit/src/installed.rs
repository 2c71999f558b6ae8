//! What `ops/dev/setup` puts on this machine for the tests.

use std::path::PathBuf;

/// Where it puts something, such as `mail/bin/python`: below `XDG_CACHE_HOME`, or `.cache` at home.
#[must_use]
pub fn place(of: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    cache.unwrap_or_default().join("decklog").join(of)
}
