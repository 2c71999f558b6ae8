//! How far a backup or a restore is, for people who wait for it. It is told to whoever asks, and stands in no event.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// When that was.
    pub at: Timestamp,
    /// What it does: `scan`, `backup`, `verify`, `restore`, `compare`, …
    pub phase: String,
    /// Files done.
    pub files: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Bytes a second lately, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

/// Looks that the rate is computed from: with one every two seconds, the last ten.
const LOOKS: usize = 5;

/// Watches how fast it goes.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    phase: String,
    looks: VecDeque<(Timestamp, u64)>,
}

impl Pace {
    /// How far it is now, with the rate since some looks ago. A new phase begins anew.
    pub fn next(
        &mut self,
        at: Timestamp,
        phase: &str,
        (files, bytes): (u64, u64),
        total_bytes: Option<u64>,
    ) -> Progress {
        let back = self.looks.back().is_some_and(|(_, before)| *before > bytes);
        if phase != self.phase || back {
            phase.clone_into(&mut self.phase);
            self.looks.clear();
        }
        let rate = self.looks.front().and_then(|(then, before)| {
            let ms =
                u64::try_from(at.duration_since(*then).as_millis()).ok().filter(|ms| *ms > 0)?;
            let done = u128::from(bytes.saturating_sub(*before));
            u64::try_from(done * 1_000 / u128::from(ms)).ok()
        });
        self.looks.push_back((at, bytes));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        let phase = phase.to_owned();
        Progress { at, phase, files, bytes, total_bytes, bytes_per_second: rate }
    }
}

/// Signs of a bar.
const BAR: usize = 25;

impl Progress {
    /// How much of it is done, where that is known: 0 to 100.
    pub fn percent(&self) -> Option<u64> {
        let total = u128::from(self.total_bytes.filter(|total| *total > 0)?);
        let done = u128::from(self.bytes).min(total);
        u64::try_from(done * 100 / total).ok()
    }

    /// In words: `backup: 34 %, 120 files, 3.4 GiB of 10.0 GiB, 40.0 MiB/s`.
    pub fn words(&self) -> String {
        let mut text = format!("{}: ", self.phase);
        if let Some(percent) = self.percent() {
            text.push_str(&format!("{percent} %, "));
        }
        text + &self.numbers()
    }

    /// As one line with a bar: `backup   [########                 ]  34 % 120 files, 3.4 GiB of 10.0 GiB`.
    pub fn bar(&self) -> String {
        let bar = self.percent().map_or_else(String::new, |percent| {
            let full = usize::try_from(percent).unwrap_or(100) * BAR / 100;
            format!(" [{}{}] {percent:>3} %", "#".repeat(full), " ".repeat(BAR - full))
        });
        format!("{:<8}{bar} {}", self.phase, self.numbers())
    }

    fn numbers(&self) -> String {
        let mut text = format!("{} files, {}", self.files, size(self.bytes));
        if let Some(total) = self.total_bytes.filter(|total| *total > 0) {
            text.push_str(&format!(" of {}", size(total)));
        }
        if let Some(rate) = self.bytes_per_second {
            text.push_str(&format!(", {}/s", size(rate)));
        }
        text
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (rest, whole, unit) = (whole % 1024 * 10 / 1024, whole / 1024, unit + 1);
    }
    let unit_word = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{whole} {unit_word}") } else { format!("{whole}.{rest} {unit_word}") }
}
