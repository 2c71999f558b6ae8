//! The manifest of a snapshot: what the source was, with a hash for each file, as we read it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};

use rustic_core::repofile::{Node, NodeType};
use serde::{Deserialize, Serialize};

use crate::path::FilePath;
use crate::problem::Problem;
use crate::report::{BackupReport, ProblemKind};
use crate::request::Backup;

/// The format this crate writes.
const FORMAT: &str = "decklog-manifest-1";

/// The path of the manifest in the snapshot that holds it.
pub(crate) const PATH: &str = "/decklog/manifest.jsonl.zst";

/// How hard the manifest is compressed.
const LEVEL: i32 = 3;

/// The first line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) dataset: String,
    pub(crate) run: String,
    pub(crate) snapshot: String,
    pub(crate) source: crate::request::Source,
    /// How many lines follow.
    pub(crate) entries: u64,
    /// What could not be read and is therefore missing.
    pub(crate) errors: u64,
}

/// A file, directory or other thing of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    pub(crate) path: FilePath,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) size: u64,
    /// Of a regular file: SHA-256 of its bytes, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Permissions with set-user, set-group and sticky bits, as in `chmod`.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Nanoseconds since 1970.
    pub(crate) ctime: i64,
    pub(crate) inode: u64,
    pub(crate) device: u64,
    pub(crate) links: u64,
    /// Of a symbolic link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<FilePath>,
    /// Extended attributes by name, as hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) xattrs: BTreeMap<String, String>,
}

impl Entry {
    /// What a node says of a path.
    pub(crate) fn of(path: FilePath, node: &Node) -> Self {
        let meta = &node.meta;
        let nanos = |time: Option<jiff::Timestamp>| {
            time.and_then(|t| i64::try_from(t.as_nanosecond()).ok()).unwrap_or(0)
        };
        Self {
            path,
            kind: kind(node).to_owned(),
            size: if node.is_file() { meta.size } else { 0 },
            sha256: None,
            mode: unix_mode(meta.mode.unwrap_or(0)),
            uid: meta.uid.unwrap_or(0),
            gid: meta.gid.unwrap_or(0),
            mtime: nanos(meta.mtime),
            ctime: nanos(meta.ctime),
            inode: meta.inode,
            device: meta.device_id,
            links: meta.links,
            target: node.is_symlink().then(|| node.node_type.to_link().into()),
            xattrs: xattrs(node),
        }
    }

    /// Whether the file was not touched between two looks at it.
    pub(crate) fn same_file(&self, other: &Self) -> bool {
        (self.size, self.mtime, self.ctime, self.inode)
            == (other.size, other.mtime, other.ctime, other.inode)
    }
}

/// The name of a node's type.
pub(crate) fn kind(node: &Node) -> &'static str {
    match node.node_type {
        NodeType::File => "file",
        NodeType::Dir => "dir",
        NodeType::Symlink { .. } => "symlink",
        NodeType::Dev { .. } => "dev",
        NodeType::Chardev { .. } => "chardev",
        NodeType::Fifo => "fifo",
        NodeType::Socket => "socket",
    }
}

/// The permissions of a node: the format keeps them as Go's `os.FileMode` does.
pub(crate) fn unix_mode(go: u32) -> u32 {
    let bit = |go_bit: u32, unix: u32| if go & (1 << go_bit) != 0 { unix } else { 0 };
    (go & 0o777) | bit(23, 0o4000) | bit(22, 0o2000) | bit(20, 0o1000)
}

fn xattrs(node: &Node) -> BTreeMap<String, String> {
    let attributes = node.meta.extended_attributes.iter();
    attributes.map(|a| (a.name.clone(), hex(a.value.as_deref().unwrap_or_default()))).collect()
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// A manifest in memory.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) header: Header,
    /// Sorted by path, a directory before what is in it.
    pub(crate) entries: Vec<Entry>,
}

impl Manifest {
    /// The manifest of a snapshot that was asked for, with how much of the source could not be read.
    pub(crate) fn new(asked: &Backup, snapshot: String, entries: Vec<Entry>, errors: u64) -> Self {
        let header = Header {
            format: FORMAT.to_owned(),
            dataset: asked.dataset.clone(),
            run: asked.run.clone(),
            snapshot,
            source: asked.source.clone(),
            entries: entries.len() as u64,
            errors,
        };
        Self { header, entries }
    }

    /// What it says of how much was saved.
    pub(crate) fn counted(&self) -> BackupReport {
        let count = |wanted: &str| self.entries.iter().filter(|e| e.kind == wanted).count() as u64;
        let (files, dirs) = (count("file"), count("dir"));
        BackupReport {
            snapshot: self.header.snapshot.clone(),
            files,
            dirs,
            others: self.entries.len() as u64 - files - dirs,
            bytes: self.entries.iter().map(|entry| entry.size).sum(),
            ..BackupReport::default()
        }
    }

    /// Writes it as it is stored: JSON lines, compressed.
    pub(crate) fn write(&self) -> std::io::Result<Vec<u8>> {
        let mut out = zstd::Encoder::new(Vec::new(), LEVEL)?;
        let mut line = |json: serde_json::Result<Vec<u8>>| -> std::io::Result<()> {
            out.write_all(&json?)?;
            out.write_all(b"\n")
        };
        line(serde_json::to_vec(&self.header))?;
        for entry in &self.entries {
            line(serde_json::to_vec(entry))?;
        }
        out.finish()
    }

    /// Reads what [`Manifest::write`] wrote; fewer lines than its header says are an error.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let bad = |what: String| Problem::new(ProblemKind::Damaged, format!("the manifest {what}"));
        let unreadable = |e: std::io::Error| bad(format!("cannot be read: {e}"));
        let mut lines = BufReader::new(zstd::Decoder::new(bytes).map_err(unreadable)?).lines();
        let first = lines.next().ok_or_else(|| bad("is empty".to_owned()))?.map_err(unreadable)?;
        let not_json = |e: serde_json::Error| bad(format!("has a line that is wrong: {e}"));
        let header: Header = serde_json::from_str(&first).map_err(not_json)?;
        let mut entries = Vec::new();
        for line in lines {
            entries.push(serde_json::from_str(&line.map_err(unreadable)?).map_err(not_json)?);
        }
        if entries.len() as u64 != header.entries {
            return Err(bad(format!("has {} of {} entries", entries.len(), header.entries)));
        }
        Ok(Self { header, entries })
    }

    /// The entry of a path.
    pub(crate) fn entry(&self, path: &std::path::Path) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.path.path().cmp(path));
        at.ok().and_then(|at| self.entries.get(at))
    }

    /// The entry of a path, looked for first where the next one is expected: for who goes through them in order.
    pub(crate) fn entry_after(&self, path: &std::path::Path, next: &mut usize) -> Option<&Entry> {
        let bytes = path.as_os_str();
        let expected = self.entries.get(*next).filter(|e| e.path.path().as_os_str() == bytes);
        if expected.is_some() {
            *next += 1;
            return expected;
        }
        let at = self.entries.binary_search_by(|entry| entry.path.path().cmp(path)).ok()?;
        *next = at + 1;
        self.entries.get(at)
    }
}
