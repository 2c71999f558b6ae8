//! Files that a command leaves and that are kept with its attempt.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use domain::event::ArtefactRef;
use domain::print::DOCUMENT_BYTES_MAX;
use nix::fcntl::OFlag;
use nix::unistd::{User, geteuid};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::dir::AttemptDir;
use super::spec::Spec;

/// Where they are.
pub(super) const ARTEFACTS: &str = "artefacts";

impl AttemptDir {
    /// Keeps the files that its specification names. One that is not there is left out: whoever needs it says so.
    pub(crate) fn keep_artefacts(&self, spec: &Spec) -> Vec<ArtefactRef> {
        let mut kept = Vec::new();
        for (name, path) in &spec.artefacts {
            match self.keep_artefact(name, Path::new(path), spec) {
                Ok(artefact) => kept.push(artefact),
                Err(error) => {
                    warn!(run = %spec.run, %name, %path, %error, "an artefact is not kept");
                }
            }
        }
        kept
    }

    /// Only what belongs to the command's own user: it cannot have other files kept that it could not read itself.
    fn keep_artefact(&self, name: &str, path: &Path, spec: &Spec) -> io::Result<ArtefactRef> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        if Some(meta.uid()) != owner(spec) {
            return Err(io::Error::other("it does not belong to the user the command ran as"));
        }
        if meta.len() > DOCUMENT_BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {DOCUMENT_BYTES_MAX} bytes")));
        }
        let dir = self.file(ARTEFACTS);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        copy(file, &dir, name)
    }

    /// An artefact that was kept; `None` where there is none of that name.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn artefact(&self, name: &str) -> io::Result<Option<File>> {
        if !domain::ids::is_name(name) {
            return Ok(None);
        }
        match File::open(self.file(ARTEFACTS).join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn owner(spec: &Spec) -> Option<u32> {
    match &spec.run_as {
        None => Some(geteuid().as_raw()),
        Some(name) => User::from_name(name).ok().flatten().map(|user| user.uid.as_raw()),
    }
}

fn copy(file: File, dir: &Path, name: &str) -> io::Result<ArtefactRef> {
    let beside = dir.join(format!(".{name}"));
    let mut out =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let (mut hash, mut bytes, mut part) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    let mut file = file.take(DOCUMENT_BYTES_MAX);
    loop {
        let count = file.read(&mut part)?;
        if count == 0 {
            break;
        }
        hash.update(&part[..count]);
        out.write_all(&part[..count])?;
        bytes += count as u64;
    }
    out.sync_all()?;
    fs::rename(&beside, dir.join(name))?;
    let sha256 = domain::canonical::Digest(hash.finalize().into());
    Ok(ArtefactRef { name: name.to_owned(), bytes, sha256 })
}

/// The files that a specification names, as a map that is empty for most.
pub(crate) type Artefacts = BTreeMap<String, String>;
