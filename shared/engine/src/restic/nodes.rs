//! What a snapshot holds, as `restic ls --json` says it.
//!
//! restic writes a byte that is no valid UTF-8 as `U+FFFD`: such a path is not what it was. A backup finds the real one
//! by its inode; browsing, finding and comparing show it as restic does.

use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;

use super::Restic;
use crate::manifest::unix_mode;
use crate::problem::Problem;
use crate::report::Entry;

/// A file, directory or other thing in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Node {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    pub(super) uid: u32,
    #[serde(default)]
    pub(super) gid: u32,
    mtime: jiff::Timestamp,
    ctime: jiff::Timestamp,
    #[serde(default)]
    pub(super) inode: u64,
}

impl Node {
    /// Nanoseconds since 1970.
    pub(super) fn mtime(&self) -> i64 {
        i64::try_from(self.mtime.as_nanosecond()).unwrap_or(0)
    }

    /// Nanoseconds since 1970.
    pub(super) fn ctime(&self) -> i64 {
        i64::try_from(self.ctime.as_nanosecond()).unwrap_or(0)
    }

    /// Permissions as in `chmod`.
    pub(super) fn mode(&self) -> u32 {
        unix_mode(self.mode)
    }

    /// What is said of it.
    pub(super) fn entry(&self, snapshot: &str) -> Entry {
        Entry {
            snapshot: snapshot.to_owned(),
            path: Path::new(&self.path).into(),
            kind: self.kind.clone(),
            size: if self.kind == "file" { self.size } else { 0 },
            mtime: self.mtime.as_microsecond(),
            mode: self.mode(),
            change: None,
        }
    }
}

/// Every node of a snapshot, a directory before what is in it; or a directory of it and what is right in it.
pub(super) fn nodes(
    engine: &Restic<'_>,
    snapshot: &str,
    of: Option<&Path>,
    mut each: impl FnMut(Node),
) -> Result<(), Problem> {
    let mut arguments = vec!["ls".as_ref(), "--json".as_ref(), "--no-lock".as_ref()];
    arguments.extend(["--".as_ref(), std::ffi::OsStr::new(snapshot)]);
    arguments.extend(of.map(Path::as_os_str));
    let tried = format!("listing what the snapshot {snapshot} holds");
    engine.program.stream(&tried, &arguments, |out| {
        for line in out.lines() {
            let line = line?;
            // The first line is the snapshot itself.
            if line.contains("\"struct_type\":\"node\"") {
                each(serde_json::from_str(&line)?);
            }
        }
        Ok(())
    })
}
