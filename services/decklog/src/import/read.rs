//! Reading files of others.

use std::path::{Path, PathBuf};

use super::Text;
use crate::exit;

/// Reads files; `-` is standard input. Of a directory those that `wanted` takes by their names, in order.
pub(crate) fn files(paths: &[PathBuf], wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<Text>> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let text = std::io::read_to_string(std::io::stdin())?;
            found.push(Text { file: "-".into(), text });
        } else if is_dir(path)? {
            found.extend(
                listed(path, &wanted)?
                    .iter()
                    .map(|e| one(e))
                    .collect::<anyhow::Result<Vec<_>>>()?,
            );
        } else {
            found.push(one(path)?);
        }
    }
    Ok(found)
}

/// Whether a path is a directory; an error where there is nothing.
pub(crate) fn is_dir(path: &Path) -> anyhow::Result<bool> {
    let kind = std::fs::metadata(path)
        .map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
    Ok(kind.is_dir())
}

/// Files of a directory whose names are wanted, in order.
pub(crate) fn listed(dir: &Path, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir)
        .map_err(|error| exit::usage(format!("{}: {error}", dir.display())))?;
    let mut entries: Vec<PathBuf> =
        entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    entries.retain(|e| e.is_file() && e.file_name().is_some_and(|n| wanted(&n.to_string_lossy())));
    Ok(entries)
}

/// Reads one file. What is not UTF-8 in it is replaced.
pub(crate) fn one(path: &Path) -> anyhow::Result<Text> {
    let bytes =
        std::fs::read(path).map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Text { file: path.display().to_string().into(), text })
}
