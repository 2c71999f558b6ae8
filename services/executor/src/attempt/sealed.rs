//! What an attempt left, encrypted once its end is in the log: whoever destroys 32 bytes erases it, also in copies of the disk that
//! were made without the keys.
//!
//! `attempts.keys/<attempt>` is the key, `output.sealed` and `artefacts.sealed/<name>` are the files, each under a key that is
//! derived from it. A plain file is removed when the sealed one is on disk: where both are there, the plain one counts.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use zstd::stream::raw::Decoder;

use super::artefacts::ARTEFACTS;
use super::dir::AttemptDir;
use super::error::{AttemptError, io_at};
use super::keep;
use super::tail::decode;
use crate::print::vault::{self, Key, Unsealed, derived};

/// The output, sealed.
const OUTPUT: &str = "output.sealed";
/// The artefacts, sealed.
const SEALED_ARTEFACTS: &str = "artefacts.sealed";

impl AttemptDir {
    fn key_path(&self) -> PathBuf {
        keys_of(self.path().parent().unwrap_or(Path::new("/"))).join(self.name())
    }

    /// The key, which is made where there is none.
    fn some_key(&self) -> io::Result<Key> {
        let path = self.key_path();
        if let Some(keys) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(keys)?;
        }
        vault::some_key(&path)
    }

    /// Encrypts what it left, where that is not done. Its end is in the log by then: nobody writes to it any more.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn seal(&self) -> Result<(), AttemptError> {
        let (output, artefacts) = (self.file(keep::NAME), self.file(ARTEFACTS));
        if !self.is_reported() || !(output.exists() || artefacts.exists()) {
            return Ok(());
        }
        self.seal_all(&output, &artefacts).map_err(io_at("encrypt", self.path()))
    }

    fn seal_all(&self, output: &Path, artefacts: &Path) -> io::Result<()> {
        let key = self.some_key()?;
        if output.exists() {
            seal_one(output, &self.file(OUTPUT), &derived(&key, "output"))?;
        }
        if !artefacts.exists() {
            return Ok(());
        }
        let sealed = self.file(SEALED_ARTEFACTS);
        DirBuilder::new().recursive(true).mode(0o700).create(&sealed)?;
        for entry in fs::read_dir(artefacts)? {
            let name = entry?.file_name();
            // A dot begins what was half copied.
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let key = derived(&key, &format!("artefact/{name}"));
            seal_one(&artefacts.join(name), &sealed.join(name), &key)?;
        }
        fs::remove_dir_all(artefacts)
    }

    fn unsealed(&self, path: &Path, name: &str) -> io::Result<Option<Unsealed>> {
        if !path.exists() {
            return Ok(None);
        }
        let gone = || io::Error::new(io::ErrorKind::NotFound, "its key is gone");
        let key = vault::read_key(&self.key_path())?.ok_or_else(gone)?;
        vault::open(path, &derived(&key, name)).map(Some)
    }

    /// The kept output from `offset` on, where it is sealed.
    ///
    /// # Errors
    /// If the file cannot be read, or its key is gone.
    pub(crate) fn sealed_output(&self, offset: u64) -> Result<Option<Vec<u8>>, AttemptError> {
        let path = self.file(OUTPUT);
        let read = || -> io::Result<Option<Vec<u8>>> {
            let Some(mut sealed) = self.unsealed(&path, "output")? else { return Ok(None) };
            // What a supervisor that was killed has written is no whole frame, and is all there is.
            let (mut skip, mut rest) = (offset, Vec::new());
            decode(&mut sealed, &mut Decoder::new()?, &mut skip, &mut rest)?;
            Ok(Some(rest))
        };
        read().map_err(io_at("read", &path))
    }

    /// A sealed artefact from `offset` on; `None` where there is none of that name.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn sealed_artefact(&self, name: &str, offset: u64) -> io::Result<Option<Unsealed>> {
        let path = self.file(SEALED_ARTEFACTS).join(name);
        let mut found = self.unsealed(&path, &format!("artefact/{name}"))?;
        if let Some(sealed) = &mut found {
            sealed.skip_to(offset)?;
        }
        Ok(found)
    }

    /// Destroys the key, where there is one.
    pub(crate) fn destroy_key(&self) -> io::Result<()> {
        vault::destroy_key(&self.key_path())
    }
}

/// Where the keys of the attempts below a directory lie: beside it.
fn keys_of(root: &Path) -> PathBuf {
    let mut keys = root.file_name().unwrap_or_default().to_owned();
    keys.push(".keys");
    root.with_file_name(keys)
}

/// The sealed file is on disk before the plain one goes.
fn seal_one(plain: &Path, sealed: &Path, key: &Key) -> io::Result<()> {
    // No artefact's name begins with a dot.
    let name = sealed.file_name().unwrap_or_default().to_string_lossy();
    let beside = sealed.with_file_name(format!(".{name}.new"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    vault::seal(&beside, key, &mut File::open(plain)?)?;
    fs::rename(&beside, sealed)?;
    if let Some(dir) = sealed.parent() {
        File::open(dir)?.sync_all()?;
    }
    fs::remove_file(plain)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::attempt::{Spec, prepare};

    /// An attempt whose end is in the log, with an output and an artefact.
    fn ended(root: &Path) -> AttemptDir {
        let spec: Spec = serde_json::from_value(serde_json::json!({
            "run": "run/letters@request-1", "attempt": 1, "job": "letters",
            "program": {"argv": ["true"]}, "cwd": null, "env": {}, "run_as": null,
            "timeout_ms": null, "stop": {"signal": "TERM", "grace_ms": 1000},
            "output": {"bytes": 1000, "at_limit": "truncate"}, "stdin": null, "cgroup": null,
            "memo": null,
        }))
        .unwrap();
        let dir = prepare(root, &spec).unwrap();
        fs::write(dir.path().join(keep::NAME), zstd::bulk::compress(b"to Mia Brandt", 3).unwrap())
            .unwrap();
        fs::create_dir(dir.path().join(ARTEFACTS)).unwrap();
        fs::write(dir.path().join(ARTEFACTS).join("list"), b"Mia Brandt").unwrap();
        dir
    }

    fn artefact(dir: &AttemptDir, offset: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        dir.sealed_artefact("list", offset).unwrap()?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    }

    /// Whether a text stands in any file below a directory.
    fn stands_in(dir: &Path, text: &[u8]) -> bool {
        fs::read_dir(dir).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                return stands_in(&path, text);
            }
            let bytes = fs::read(&path).unwrap();
            let whole = zstd::bulk::decompress(&bytes, 1_000).unwrap_or(bytes);
            whole.windows(text.len()).any(|part| part == text)
        })
    }

    #[test]
    fn what_an_attempt_left_is_encrypted_when_its_end_is_in_the_log_and_read_as_before() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("attempts");
        let dir = ended(&root);
        dir.seal().unwrap();
        assert!(stands_in(&root, b"Mia Brandt"), "its end is not in the log yet");
        assert_eq!(dir.output(3).unwrap(), b"Mia Brandt");
        dir.note_reported().unwrap();
        for _ in 0..2 {
            dir.seal().unwrap();
            assert!(!stands_in(&root, b"Mia Brandt"));
            assert_eq!(dir.output(0).unwrap(), b"to Mia Brandt");
            assert_eq!(dir.output(3).unwrap(), b"Mia Brandt");
            assert_eq!(dir.output(100).unwrap(), b"");
            assert_eq!(artefact(&dir, 4).unwrap(), b"Brandt");
        }
        let keys = place.path().join("attempts.keys");
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
        dir.remove().unwrap();
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 0, "its key goes with it");
    }

    #[test]
    fn artefacts_whose_names_are_alike_do_not_take_each_others_place() {
        let place = tempfile::tempdir().unwrap();
        let dir = ended(&place.path().join("attempts"));
        let names = ["report.new", "report.csv", "report", "list.new"];
        for name in names {
            fs::write(dir.path().join(ARTEFACTS).join(name), name).unwrap();
        }
        dir.note_reported().unwrap();
        dir.seal().unwrap();
        for name in names {
            let mut bytes = Vec::new();
            dir.sealed_artefact(name, 0).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, name.as_bytes());
        }
    }

    #[test]
    fn what_a_killed_supervisor_had_written_is_read_when_it_is_encrypted_too() {
        let place = tempfile::tempdir().unwrap();
        let dir = ended(&place.path().join("attempts"));
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.write_all(b"as far as it came").unwrap();
        encoder.flush().unwrap();
        fs::write(dir.path().join(keep::NAME), encoder.get_ref()).unwrap();
        dir.note_reported().unwrap();
        assert_eq!(dir.output(3).unwrap(), b"far as it came");
        dir.seal().unwrap();
        assert_eq!(dir.output(3).unwrap(), b"far as it came");
    }

    #[test]
    fn without_its_key_nothing_of_it_is_read() {
        let place = tempfile::tempdir().unwrap();
        let dir = ended(&place.path().join("attempts"));
        dir.note_reported().unwrap();
        dir.seal().unwrap();
        dir.destroy_key().unwrap();
        assert!(dir.output(0).unwrap_err().to_string().contains("its key is gone"));
        assert!(dir.sealed_artefact("list", 0).is_err());
    }

    #[test]
    fn whoever_is_killed_while_it_is_encrypted_leaves_what_can_be_read_and_is_encrypted_later() {
        let place = tempfile::tempdir().unwrap();
        let dir = ended(&place.path().join("attempts"));
        dir.note_reported().unwrap();
        // Half of it is written, and a name that nobody reads.
        fs::write(dir.path().join(".output.sealed.new"), b"half").unwrap();
        dir.some_key().unwrap();
        assert_eq!(dir.output(0).unwrap(), b"to Mia Brandt");
        // It is written, and the plain one is not gone.
        let plain = fs::read(dir.path().join(keep::NAME)).unwrap();
        dir.seal().unwrap();
        fs::write(dir.path().join(keep::NAME), plain).unwrap();
        assert_eq!(dir.output(0).unwrap(), b"to Mia Brandt");
        dir.seal().unwrap();
        assert!(!dir.path().join(keep::NAME).exists());
        assert_eq!(dir.output(0).unwrap(), b"to Mia Brandt");
    }
}
