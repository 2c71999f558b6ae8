//! Files of definitions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::job::{Definition, parse_yaml};

use crate::exit;

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Every definition in these files and directories.
///
/// # Errors
/// All problems of all files.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Definition>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, true, &mut files)?;
    }
    let (mut found, mut names, mut problems) = (Vec::new(), BTreeSet::new(), Vec::new());
    for file in &files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        match parse_yaml(&file.display().to_string(), &text) {
            Ok(definitions) => {
                for definition in definitions {
                    if !names.insert(definition.stream()) {
                        problems.push(format!(
                            "{}: {} {:?} is in another of these files too",
                            file.display(),
                            definition.word(),
                            definition.name()
                        ));
                    }
                    found.push(definition);
                }
            }
            Err(errors) => problems.extend(errors.iter().map(ToString::to_string)),
        }
    }
    if !problems.is_empty() {
        return Err(exit::usage(problems.join("\n")));
    }
    if found.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(exit::usage(format!("there is no job in {}", names.join(", "))));
    }
    Ok(found)
}

fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let kind = std::fs::metadata(path)
        .map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
    if kind.is_file() {
        let known = path.extension().and_then(|e| e.to_str()).is_some_and(|e| ENDINGS.contains(&e));
        if named || known {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        collect(&entry, false, files)?;
    }
    Ok(())
}
