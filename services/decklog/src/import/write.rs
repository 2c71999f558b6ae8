//! Writing documents: all of them or none, and over nothing.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::Imported;
use crate::exit;

/// Writes one file a document into a directory, which is made when it is not there.
pub(crate) fn all(out: &Path, imported: &Imported) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let mut waiting = Vec::with_capacity(imported.found.len());
    for found in &imported.found {
        let path = file_of(out, found.what.kind(), found.what.name());
        if path.exists() {
            return Err(taken(&path));
        }
        let yaml = found.what.yaml().map_err(anyhow::Error::msg)?;
        waiting.push((prepared(out, &yaml)?, path));
    }
    let mut written = Vec::with_capacity(waiting.len());
    for (file, path) in waiting {
        if let Err(error) = file.persist_noclobber(&path) {
            take_back(&written);
            let there = error.error.kind() == std::io::ErrorKind::AlreadyExists;
            return Err(if there { taken(&path) } else { error.error.into() });
        }
        written.push(path);
    }
    for path in &written {
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// A job has its own name for a file; what else there is has its kind before it, as it may share the name.
fn file_of(out: &Path, kind: &str, name: &str) -> PathBuf {
    match kind {
        "job" => out.join(format!("{name}.yaml")),
        kind => out.join(format!("{kind}.{name}.yaml")),
    }
}

/// A document that is whole on disk and has no name yet.
fn prepared(out: &Path, yaml: &str) -> anyhow::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".import-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(out)
        .with_context(|| format!("writing into {}", out.display()))?;
    file.write_all(yaml.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn take_back(written: &[PathBuf]) {
    for path in written {
        if let Err(error) = std::fs::remove_file(path) {
            eprintln!("{} could not be taken back: {error}", path.display());
        }
    }
}

fn taken(path: &Path) -> anyhow::Error {
    exit::refused(format!("{} exists already: nothing is overwritten", path.display()))
}
