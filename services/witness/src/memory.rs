//! The file in which a witness remembers what it has cosigned. It must never go back: a witness that forgets may say yes to
//! two histories. So a witness whose key is there and whose memory is not does not start.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tlog::Hash;

use crate::decide::Known;

/// The file of the key.
pub(crate) const KEY: &str = "witness.key";
const FILE: &str = "witness.memory";
/// The first line, which says what the file is.
const HEAD: &str = "decklog-witness-1";

#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    known: BTreeMap<String, Known>,
}

impl Memory {
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let known = match std::fs::read_to_string(&path) {
            Ok(text) => read(&text).with_context(|| {
                format!("{} is not the memory of a witness: retire its key and begin anew with another name", path.display())
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound && !dir.join(KEY).exists() => {
                BTreeMap::new()
            }
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{} is gone, but its key is here: a witness that has forgotten what it cosigned could say yes to two histories. Retire the key and begin anew with another name",
                path.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let memory = Self { path, known };
        memory.keep()?;
        Ok(memory)
    }

    pub(crate) fn known(&self, origin: &str) -> Known {
        self.known.get(origin).copied().unwrap_or(Known::NOTHING)
    }

    /// Remembers a head, and returns only when it would be known after a power loss.
    pub(crate) fn remember(&mut self, origin: &str, head: Known) -> anyhow::Result<()> {
        let before = self.known.insert(origin.to_owned(), head);
        let kept = self.keep();
        if kept.is_err() {
            match before {
                Some(before) => self.known.insert(origin.to_owned(), before),
                None => self.known.remove(origin),
            };
        }
        kept
    }

    fn keep(&self) -> anyhow::Result<()> {
        let line =
            |(origin, head): (&String, &Known)| format!("{} {} {origin}\n", head.size, head.root);
        let lines: String = self.known.iter().map(line).collect();
        journal::replace(&self.path, format!("{HEAD}\n{lines}").as_bytes(), 0o600)
            .with_context(|| format!("keeping {}", self.path.display()))
    }
}

fn read(text: &str) -> anyhow::Result<BTreeMap<String, Known>> {
    let lines = text.strip_prefix(HEAD).and_then(|rest| rest.strip_prefix('\n'));
    let lines = lines.context("the first line is another")?;
    let line = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let size = parts.next().and_then(|size| size.parse().ok());
        let root = parts.next().and_then(|root| root.parse::<Hash>().ok());
        let origin = parts.next().map(str::to_owned);
        let (size, root, origin) = size
            .zip(root)
            .zip(origin)
            .map(|((s, r), o)| (s, r, o))
            .with_context(|| format!("the line {line:?} is cut"))?;
        Ok((origin, Known { size, root }))
    };
    lines.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let head = Known { size: 7, root: Hash([9; 32]) };
        let mut memory = Memory::open(dir.path()).unwrap();
        assert_eq!(memory.known("a log with blanks"), Known::NOTHING);
        memory.remember("a log with blanks", head).unwrap();
        let again = Memory::open(dir.path()).unwrap();
        assert_eq!((again.known("a log with blanks"), again.known("b")), (head, Known::NOTHING));
    }

    #[test]
    fn a_witness_that_has_lost_its_memory_and_not_its_key_does_not_start() {
        let dir = tempfile::tempdir().unwrap();
        Memory::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(KEY), "a key").unwrap();
        Memory::open(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        assert!(Memory::open(dir.path()).unwrap_err().to_string().contains("is gone"));
        for text in ["", "decklog-witness-1\n7\n", "decklog-witness-1\n7 zz a\n"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let error = Memory::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains("not the memory"), "{text:?}: {error}");
        }
    }
}
