//! `decklog evidence papers`: what an auditor works with, made of evidence that was verified just now.
//!
//! | module | makes |
//! |---|---|
//! | `workbook` | `work-papers.xlsx`: a sheet for each control, with its population, tickmarks and a sample |
//! | `assessment` | `assessment-results.json`: the same for programs (OSCAL) |
//! | `cover` | `cover-sheet.pdf`: what lies before a file that was produced by who is audited |
//!
//! `requests.csv` tells what auditors have asked to be shown, by whom it was answered, and what came of it ([`csv`]).
//!
//! They follow from the evidence and from what was asked for alone: made again they are the same, but for the day on the cover
//! sheet. They are no part of the evidence: whoever doubts them has the verifier make them again.

mod assessment;
mod cover;
mod workbook;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::canonical::Digest;
use domain::request::csv;
use evidence::parts::part_of;
use evidence::{Report, Request, Verdict};
use serde::Serialize;

use super::evidence::{above, examined};
use crate::cli::{Format, PapersOf};
use crate::{exit, host, output};

/// Verified evidence, and of what its papers tell.
struct Subject {
    /// The file's name, without its directory.
    file: String,
    bytes: u64,
    sha256: Digest,
    report: Report,
    request: Request,
    /// How many members of each population are drawn.
    sample: u32,
}

impl Subject {
    fn read(wanted: &PapersOf) -> anyhow::Result<Self> {
        let (report, mut opened) = examined(&wanted.evidence)?;
        if report.part.is_some() {
            return Err(exit::usage(
                "it is a part of a log: papers are made of all of it, because a population is one only when nothing can have been left out",
            ));
        }
        let bytes = opened.length();
        let request = match (report.verdict, &report.request) {
            (Verdict::Verified | Verdict::Inconclusive, Some(request)) => request.clone(),
            _ => {
                eprint!("{report}");
                return Err(exit::unclean("no papers are made of evidence that does not hold"));
            }
        };
        // Of the very file that was verified, whatever its name stands for by now.
        opened.rewind()?;
        let sha256 = Digest::of_all(&mut opened).context("reading the evidence")?;
        let file = name_of(&wanted.evidence.files);
        Ok(Self { file, bytes, sha256, report, request, sample: wanted.sample })
    }

    /// What the verifier said of it, in a sentence.
    fn verdict(&self) -> String {
        let report = &self.report;
        match report.verdict {
            Verdict::Inconclusive => {
                let missing: Vec<String> =
                    report.findings.iter().map(ToString::to_string).collect();
                format!("INCONCLUSIVE: {}", missing.join("; "))
            }
            other @ (Verdict::Verified | Verdict::Tampered) => other.to_string(),
        }
    }

    /// The period, as both of its ends.
    fn period(&self) -> String {
        format!("from {} until before {}", self.request.from, self.request.until)
    }
}

/// The name of a file, without its directory; of parts that of what they are parts of.
fn name_of(files: &[PathBuf]) -> String {
    let first = files.first().cloned().unwrap_or_default();
    let whole = part_of(&first).map_or(first, |(whole, _)| whole);
    whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    verdict: Verdict,
    files: Vec<String>,
}

pub(crate) fn run(wanted: &PapersOf, format: Format) -> anyhow::Result<()> {
    let dir = &wanted.to;
    if dir.exists() {
        return Err(exit::usage(format!("{} exists: name another directory", dir.display())));
    }
    let subject = Subject::read(wanted)?;
    let papers = [
        ("cover-sheet.pdf", cover::pdf(&subject, wanted, host::now())?),
        ("work-papers.xlsx", workbook::bytes(&subject)?),
        ("assessment-results.json", assessment::json(&subject)?),
        ("requests.csv", csv(&subject.report.requests).into_bytes()),
    ];
    write(dir, &papers)?;
    let files = papers.iter().map(|(name, _)| dir.join(name).display().to_string()).collect();
    let made = Made { verdict: subject.report.verdict, files };
    output::one(format, &made, |made| format!("{}\n{}\n", subject.verdict(), made.files.join("\n")))
}

/// All of them, or no directory.
fn write(dir: &Path, papers: &[(&str, Vec<u8>)]) -> anyhow::Result<()> {
    let parent = above(dir);
    let made = tempfile::Builder::new().prefix(".papers-").tempdir_in(parent);
    let made = made.with_context(|| format!("writing into {}", parent.display()))?;
    for (name, bytes) in papers {
        fs::write(made.path().join(name), bytes)?;
    }
    fs::rename(made.keep(), dir).with_context(|| format!("making {}", dir.display()))
}
