//! Programs of this machine that judge a PDF.
#![expect(clippy::expect_used, reason = "a file that cannot be written or read is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A document as a file.
pub(crate) struct Paper {
    dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Paper {
    pub(crate) fn new(pdf: Result<Vec<u8>, paper::PaperError>) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("page.pdf");
        std::fs::write(&path, pdf.expect("printable")).expect("writable");
        Self { dir, path }
    }

    /// Its text as `pdftotext -layout` reads it.
    pub(crate) fn text(&self) -> Option<String> {
        run("pdftotext", &["-layout", self.name(), "-"])
    }

    /// What `pdfinfo` says under a word.
    pub(crate) fn info(&self, word: &str) -> Option<String> {
        let all = run("pdfinfo", &[self.name()])?;
        let line = all.lines().find_map(|line| line.strip_prefix(&format!("{word}:")));
        Some(line.unwrap_or_else(|| panic!("no {word} in\n{all}")).trim().to_owned())
    }

    /// The first page as pixels, `dpi` an inch.
    pub(crate) fn pixels(&self, dpi: &str) -> Option<PathBuf> {
        let root = self.dir.path().join("pixels");
        let root = root.to_str().expect("plain path");
        run("pdftoppm", &["-r", dpi, "-gray", "-png", "-singlefile", self.name(), root])?;
        Some(PathBuf::from(format!("{root}.png")))
    }

    pub(crate) fn name(&self) -> &str {
        self.path.to_str().expect("plain path")
    }
}

/// What a program says; nothing, and a word about it, if the program is not here.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<String> {
    if !is_here(program) {
        eprintln!("{program} is not installed: not asked");
        return None;
    }
    let output = Command::new(program).args(arguments).output().expect("started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}:\n{said}{errors}");
    Some(said)
}

fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).is_file())
}
