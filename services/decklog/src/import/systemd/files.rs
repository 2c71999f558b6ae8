//! Finding units and their drop-ins.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::exit;
use crate::import::{Text, read as files};

/// A unit's file and its drop-ins.
#[derive(Debug, Clone)]
pub(crate) struct UnitFile {
    /// The unit's name, such as `backup.timer`.
    pub(crate) name: String,
    /// Whether its path, or that of its directory, was given.
    pub(crate) asked: bool,
    /// Whether its own path was given.
    pub(crate) named: bool,
    /// Its file, then its drop-ins in order.
    pub(crate) texts: Vec<Text>,
}

/// Reads timers and services: of a directory all, beside a timer's file the services in its directory.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<UnitFile>> {
    let (mut asked, mut beside) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            let text = "a unit has its name from its file: name the files, not standard input";
            return Err(exit::usage(text));
        }
        if files::is_dir(path)? {
            asked.extend(files::listed(path, is_unit)?.into_iter().map(|path| (path, false)));
        } else if is_unit(&name_of(path)) {
            asked.push((path.clone(), true));
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
            let dir = dir.unwrap_or_else(|| Path::new("."));
            beside.extend(files::listed(dir, |name| name.ends_with(".service"))?);
        } else {
            let text = format!("{}: neither a .timer nor a .service file", path.display());
            return Err(exit::usage(text));
        }
    }
    let asked = asked.into_iter().map(|(path, named)| (path, true, named));
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for (path, asked, named) in asked.chain(beside.into_iter().map(|path| (path, false, false))) {
        if known.insert(name_of(&path)) {
            found.push(unit(&path, asked, named)?);
        }
    }
    Ok(found)
}

fn is_unit(name: &str) -> bool {
    name.ends_with(".timer") || name.ends_with(".service")
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unit(path: &Path, asked: bool, named: bool) -> anyhow::Result<UnitFile> {
    let name = name_of(path);
    let mut texts = vec![files::one(path)?];
    let dir = path.with_file_name(format!("{name}.d"));
    if dir.is_dir() {
        for path in files::listed(&dir, |name| name.ends_with(".conf"))? {
            texts.push(files::one(&path)?);
        }
    }
    Ok(UnitFile { name, asked, named, texts })
}
