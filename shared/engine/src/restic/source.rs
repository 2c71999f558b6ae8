//! What is to be saved, by our own walk, and how restic is told to leave the rest out.
//!
//! restic's exclusions mean something else than ours: a `/` in the middle does not begin at the root, braces are
//! braces, and a name above the paths counts too. So our walk decides, as for the engine built in, and restic gets the
//! very paths that the walk left out. Names without anything special in them mean the same to both and are handed on as
//! they are, so that a list is short and what appears during the backup is left out as well.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use rustic_core::LocalSourceSaveOptions;
use rustic_core::repofile::NodeType;

use super::program::pattern;
use crate::context::Context;
use crate::ledger::{path_of, roots, walk};
use crate::manifest::Entry;
use crate::problem::Problem;
use crate::report::ProblemKind;
use crate::request::Paths;

/// What the walk saw.
#[derive(Default)]
pub(super) struct Source {
    /// What restic is told to save.
    pub(super) roots: Vec<PathBuf>,
    pub(super) entries: BTreeMap<PathBuf, Entry>,
    /// What could not be looked at.
    pub(super) errors: BTreeMap<PathBuf, String>,
    pub(super) sockets: u64,
    /// Patterns of what is left out, one a line, as restic reads them.
    pub(super) left_out: Vec<u8>,
}

impl Source {
    /// Walks through what was asked for.
    pub(super) fn see(asked: &Paths, context: &Context) -> Result<Self, Problem> {
        context.meter.phase("scan", 0);
        let mut source = Self::default();
        for found in walk(asked)?.build() {
            context.cancel.check()?;
            match found {
                Ok(entry) => source.enter(entry, context),
                Err(error) => {
                    let path = path_of(&error).unwrap_or(Path::new("/")).to_owned();
                    source.errors.insert(path, format!("walking: {error}"));
                }
            }
        }
        let there = |root: &PathBuf| {
            source.entries.contains_key(root) || (root.parent().is_none() && root.is_dir())
        };
        source.roots = roots(asked)?.into_iter().filter(there).collect();
        if source.entries.is_empty() {
            let first =
                source.errors.values().next().map_or_else(String::new, |e| format!(": {e}"));
            let message =
                format!("backing up: there is nothing at the paths that were named{first}");
            return Err(Problem::new(ProblemKind::Source, message));
        }
        source.leave_out(asked)?;
        Ok(source)
    }

    fn enter(&mut self, found: ignore::DirEntry, context: &Context) {
        let path = found.path().to_owned();
        if path.parent().is_none() {
            return; // the root of everything has no name to be stored under
        }
        match LocalSourceSaveOptions::default().map_entry(found) {
            Ok(seen) if seen.node.node_type == NodeType::Socket => self.sockets += 1,
            Ok(seen) => {
                context.meter.file(&path);
                self.entries.insert(path.clone(), Entry::of(path.into(), &seen.node));
            }
            Err(error) => {
                self.errors.insert(path, format!("looking at it: {error}"));
            }
        }
    }

    /// Names everything beside what was seen.
    fn leave_out(&mut self, asked: &Paths) -> Result<(), Problem> {
        let by_rule = !asked.exclude.is_empty() || !asked.exclude_if_present.is_empty();
        if !by_rule && !asked.one_file_system {
            return Ok(());
        }
        let plain = Plain::of(asked)?;
        for glob in &plain.globs {
            self.left_out.extend_from_slice(glob.as_bytes());
            self.left_out.push(b'\n');
        }
        let mut found = Vec::new();
        let dirs = self.entries.values().filter(|entry| entry.kind == "dir");
        for dir in dirs.map(|entry| entry.path.path()) {
            self.beside(dir, &plain, &mut found);
        }
        self.left_out.extend(found);
        Ok(())
    }

    /// What is in a directory and was not seen: all of it in one line where nothing of it was.
    fn beside(&self, dir: &Path, plain: &Plain, lines: &mut Vec<u8>) {
        let Ok(children) = std::fs::read_dir(dir) else { return };
        let (mut seen, mut unseen) = (false, Vec::new());
        for child in children.flatten() {
            let path = child.path();
            if self.entries.contains_key(&path) {
                seen = true;
            } else if !child
                .file_type()
                .is_ok_and(|t| std::os::unix::fs::FileTypeExt::is_socket(&t))
                && !plain.set.is_match(child.file_name())
            {
                unseen.push(path);
            }
        }
        if !seen && unseen.len() > 1 {
            let mut all = line(dir);
            all.extend_from_slice(b"/*\n");
            lines.extend(all);
            return;
        }
        for path in unseen {
            lines.extend(line(&path));
            lines.push(b'\n');
        }
    }
}

/// A path as a line that restic reads as exactly this path.
fn line(path: &Path) -> Vec<u8> {
    let bytes = pattern(path).into_vec();
    let mut line = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            // A variable's name would be replaced by what it holds.
            b'$' => line.extend_from_slice(b"$$"),
            // No line holds its own end: any character stands for it.
            b'\n' | b'\r' => line.push(b'?'),
            other => line.push(other),
        }
    }
    // White space at an end is cut off.
    let last = path.to_string_lossy().chars().next_back().filter(|last| last.is_whitespace());
    if let Some(last) = last
        && !line.ends_with(b"?")
    {
        line.truncate(line.len() - last.len_utf8());
        line.push(b'?');
    }
    line
}

/// Exclusions that mean the same to restic: names of letters, digits and `*`, none of them above the paths.
struct Plain {
    globs: Vec<String>,
    set: GlobSet,
}

impl Plain {
    fn of(asked: &Paths) -> Result<Self, Problem> {
        // A glob that takes back another one depends on their order.
        let ordered = asked.exclude.iter().any(|glob| glob.starts_with('!'));
        let all = asked.exclude.iter().filter(|_| !ordered);
        let mut plain = Self { globs: Vec::new(), set: GlobSet::empty() };
        let mut builder = GlobSetBuilder::new();
        let bad = |error: globset::Error| Problem::new(ProblemKind::BadRequest, error.to_string());
        for glob in all.filter(|glob| is_plain(glob)) {
            let one = Glob::new(glob).map_err(bad)?;
            let matcher = one.compile_matcher();
            let mut above = asked.paths.iter().flat_map(|path| path.path().components());
            if above.any(|name| matcher.is_match(name.as_os_str())) {
                continue;
            }
            builder.add(one);
            plain.globs.push(glob.clone());
        }
        plain.set = builder.build().map_err(bad)?;
        Ok(plain)
    }
}

fn is_plain(glob: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+~*".contains(c);
    !glob.is_empty()
        && !glob.contains("**")
        && glob != "."
        && glob != ".."
        && glob.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_line_that_restic_reads_as_this_path() {
        let table: [(&[u8], &[u8]); 7] = [
            (b"/a/b", b"/a/b"),
            (b"/a/*[x]?\\", b"/a/\\*\\[x]\\?\\\\"),
            (b"/a/$HOME", b"/a/$$HOME"),
            (b"/a/two\nlines", b"/a/two?lines"),
            (b"/a/blank ", b"/a/blank?"),
            ("/a/wide\u{3000}".as_bytes(), b"/a/wide?"),
            (b"/a/\xff", b"/a/\xff"),
        ];
        for (path, wanted) in table {
            let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
            assert_eq!(line(&path), wanted, "{}", path.display());
        }
    }

    #[test]
    fn only_names_that_mean_the_same_to_restic_are_handed_on() {
        for (glob, plain) in [
            ("*.tmp", true),
            ("node_modules", true),
            ("/srv/x", false),
            ("**", false),
            ("{a,b}", false),
            ("a?", false),
            ("dir/", false),
            ("[a]", false),
            ("#x", false),
            ("", false),
        ] {
            assert_eq!(is_plain(glob), plain, "{glob}");
        }
        let asked = |paths: &[&str], exclude: &[&str]| Paths {
            paths: paths.iter().map(|path| (*path).into()).collect(),
            exclude: exclude.iter().map(|glob| (*glob).to_owned()).collect(),
            ..Paths::default()
        };
        let globs = |asked: &Paths| Plain::of(asked).unwrap().globs;
        assert_eq!(globs(&asked(&["/srv"], &["*.tmp", "/a"])), ["*.tmp"]);
        assert_eq!(globs(&asked(&["/srv/src.tmp/x"], &["*.tmp"])), [] as [&str; 0], "above");
        assert_eq!(globs(&asked(&["/srv"], &["*.tmp", "!a.tmp"])), [] as [&str; 0], "in order");
    }
}
