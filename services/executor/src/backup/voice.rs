//! What the child says while it works: now and then a line for people, and how far it is into a file beside its report,
//! for whoever asks the host.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use domain::backup::progress::{Pace, Progress};
use engine::{Line, SnapshotInfo, process};
use jiff::Timestamp;

use crate::attempt::progress_beside;

/// How often the output has a line about how far it is: a long backup does not drown what else is in it.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// The child's voice.
pub(super) struct Voice {
    pace: Pace,
    file: Option<File>,
    said: Instant,
}

impl Voice {
    /// A voice that has said nothing. Where there is no file for it, nobody learns how far it is, and it works all the
    /// same.
    pub(super) fn new() -> Self {
        let report = std::env::var_os(process::REPORT).map(PathBuf::from);
        let open =
            |report: PathBuf| OpenOptions::new().write(true).open(progress_beside(&report)).ok();
        Self { pace: Pace::default(), file: report.and_then(open), said: Instant::now() }
    }

    /// Passes on what an engine says.
    pub(super) fn hear(&mut self, line: &Line) {
        let mut out = io::stdout().lock();
        // Nobody reading is no reason to stop a backup.
        let _ = match line {
            Line::Progress(progress) => {
                let told = of(&mut self.pace, progress, Timestamp::now());
                let _ = self.file.as_ref().map(|file| note(file, &told));
                if self.said.elapsed() < LINE_EVERY {
                    return;
                }
                self.said = Instant::now();
                writeln!(out, "{}", told.words())
            }
            Line::Warning(warning) => writeln!(out, "{warning}"),
            Line::Snapshot(one) => writeln!(out, "{}", snapshot(one)),
            Line::Entry(_) | Line::Report(_) => Ok(()),
        };
    }
}

/// What an engine says of how far it is, with the rate.
pub(super) fn of(pace: &mut Pace, said: &engine::Progress, at: Timestamp) -> Progress {
    pace.next(at, &said.phase, (said.files, said.bytes), said.total_bytes)
}

/// In one write over what was there: whoever reads half of it finds that it is no JSON, and looks again.
fn note(file: &File, told: &Progress) -> io::Result<()> {
    let mut json = serde_json::to_vec(told)?;
    json.push(b'\n');
    file.write_all_at(&json, 0)?;
    file.set_len(json.len() as u64)
}

/// A snapshot in one line.
pub(super) fn snapshot(one: &SnapshotInfo) -> String {
    let at = Timestamp::from_microsecond(one.time).unwrap_or_default();
    let dataset = one.dataset.as_deref().unwrap_or("-");
    format!("{}  {at:.0}  {dataset}  {}  {}", one.id, one.host, one.paths.join(" "))
}
