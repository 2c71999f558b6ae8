//! Evidence.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Paper, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Evidence {
    /// Writes the whole log, with its signed heads, into one file for whoever audits; or, with --control, a part of it.
    Export(ExportEvidence),
    /// Verifies such a file, as decklog-verify does.
    Verify(VerifyEvidence),
    /// Makes what an auditor works with, of a file that is verified first: a cover sheet, work papers as a spreadsheet, and OSCAL
    /// assessment results.
    Papers(PapersOf),
    /// Prints the beginning of a policy: the log's key. Whoever audits compares it with what they were told otherwise, and adds the
    /// witnesses whom they believe.
    Policy(PolicyOf),
}

/// What somebody wants to know of.
#[derive(Debug, Default, Args)]
pub(crate) struct About {
    /// The beginning of the period: 2026-11-01, or an instant; the log's when absent.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// The end of the period: its last day, or an instant before which it ends; the log's when absent.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// File of measures (TOML), instead of those that the log has approved; it is said that they are others. See `decklog
    /// measures`.
    #[arg(long)]
    pub(crate) measures: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportEvidence {
    /// The file; it must not exist.
    #[arg(long)]
    pub(crate) to: PathBuf,
    /// Cuts the file into parts of so many bytes at most, FILE.001 and so on, which are the file one behind the other: 45MB,
    /// 45000000.
    #[arg(long, value_name = "BYTES", value_parser = part_bytes)]
    pub(crate) part_bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) about: About,
    /// Writes only what this control tells of, such as JS-02: each entry with the proof that it is in the log. For whoever is not to
    /// see all of it; that nothing was left out, such a part cannot show.
    #[arg(long, value_name = "CONTROL", conflicts_with_all = ["payloads", "timestamps"])]
    pub(crate) control: Option<String>,
    /// A payload that is shown with it, as `decklog records disclose` writes it. May be given again.
    #[arg(long = "payload", value_name = "FILE")]
    pub(crate) payloads: Vec<PathBuf>,
    /// Directory of the recorder with heads that a time-stamping authority was asked about (audit.timestamps); that of the data
    /// directory when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) timestamps: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// The fewest bytes of a part: a part is for a mail or an upload, and there are 999 at most.
const PART_BYTES_MIN: u64 = 4_096;

/// Bytes, or thousands, millions and so on of them.
fn part_bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 6] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    let unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let bytes = number.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let bytes = bytes.filter(|bytes| *bytes >= PART_BYTES_MIN);
    bytes.ok_or_else(|| format!("45MB, 45MiB, 45000000; at least {PART_BYTES_MIN} bytes"))
}

#[derive(Debug, Args)]
pub(crate) struct VerifyEvidence {
    /// The file; of one in parts the first, which finds the others beside it, or all.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Whose heads are believed: the log's key and the witnesses (C2SP tlog-policy).
    #[arg(long)]
    pub(crate) policy: Option<PathBuf>,
    /// A signed head that you kept: the file must continue it. May be given again.
    #[arg(long = "head", value_name = "FILE")]
    pub(crate) heads: Vec<PathBuf>,
    /// Whose time stamps (RFC 3161) are believed: certificates of roots, as PEM. May be given again.
    #[arg(long, value_name = "FILE")]
    pub(crate) tsa: Vec<PathBuf>,
    /// The last head must have been cosigned at this day or instant, or later.
    #[arg(long)]
    pub(crate) as_of: Option<String>,
    /// Checks one signature of each producer, the last, which vouches for those before it.
    #[arg(long)]
    pub(crate) tip: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PapersOf {
    #[command(flatten)]
    pub(crate) evidence: VerifyEvidence,
    /// The directory that is made.
    #[arg(long)]
    pub(crate) to: PathBuf,
    /// Who asked for the evidence; it stands on the cover sheet.
    #[arg(long, default_value = "who is named below")]
    pub(crate) asked_by: String,
    /// How many members of each population are drawn, by the root of the last head.
    #[arg(long, default_value_t = 25)]
    pub(crate) sample: u32,
    /// The paper of the cover sheet.
    #[arg(long, value_enum, default_value_t = Paper::A4)]
    pub(crate) paper: Paper,
}

/// Controls: rules that an auditor tests.
#[derive(Debug, Subcommand)]
pub(crate) enum Control {
    /// Lists them, and which rules of others they answer.
    List,
    /// Shows one: what it says, what it is tested on, and what shows it.
    Show {
        /// Its name, such as JS-01.
        id: String,
    },
    /// Tests them over everything that happened in a period.
    Test(TestControls),
    /// Says what became of an exception. Who says so again takes the place of what was said before; both stay in the log.
    Dispose(DisposeException),
    /// Signs that you looked at a control in a month: how many exceptions it has, and of how many nobody has said anything.
    Review(ReviewControl),
}

/// What became of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Became {
    /// It is one, and what follows of it is borne.
    Accepted,
    /// It is one, and was put right.
    Remediated,
    /// It is none: the rule is not about it.
    NotAnException,
}

#[derive(Debug, Args)]
pub(crate) struct DisposeException {
    /// The control, such as JS-02.
    pub(crate) id: String,
    /// The exception, as `decklog control test ID` names it: eight digits or more.
    pub(crate) exception: String,
    /// The month in which it is one, 2026-11; this one when absent.
    #[arg(long, default_value = "")]
    pub(crate) month: String,
    /// What became of it.
    #[arg(long = "as", value_enum)]
    pub(crate) became: Became,
    /// Why.
    #[arg(long)]
    pub(crate) text: String,
    /// Where what shows it lies: a ticket, a document, another event.
    #[arg(long)]
    pub(crate) evidence: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ReviewControl {
    /// The control, such as JS-02.
    pub(crate) id: String,
    /// The month, 2026-11; this one when absent.
    #[arg(long, default_value = "")]
    pub(crate) month: String,
    /// What you say, if anything.
    #[arg(long, default_value = "")]
    pub(crate) statement: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct TestControls {
    /// Only this one, with its exceptions. All, one a line, when absent.
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) about: About,
    /// Shows everything that was tested, and not the exceptions alone.
    #[arg(long)]
    pub(crate) population: bool,
    /// Draws so many of what was tested, by the root of the log's newest signed head, so that nobody chose them.
    #[arg(long)]
    pub(crate) sample: Option<usize>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyOf {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// Where to: `syslog+tls://HOST[:PORT]` (RFC 5425), or `-`, a line of JSON for each on standard output.
    #[arg(long)]
    pub(crate) to: String,
    /// Whose certificates are believed, as a file; those that this machine trusts when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File that remembers how far it came; it goes on from there.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: PathBuf,
    /// Where the file is not there yet: only what is after this position.
    #[arg(long, default_value_t = 0)]
    pub(crate) after: u64,
    /// Ends when everything that there is was forwarded.
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_so_many_bytes_or_thousands_of_them() {
        for (text, bytes) in [
            ("45MB", Some(45_000_000)),
            ("45 MiB", Some(45 << 20)),
            ("5000", Some(5_000)),
            ("4KiB", Some(4_096)),
            ("4kB", None),
            ("45mb", None),
            ("-1", None),
            ("99999999999GB", None),
            ("", None),
        ] {
            assert_eq!(part_bytes(text).ok(), bytes, "{text}");
        }
    }
}
