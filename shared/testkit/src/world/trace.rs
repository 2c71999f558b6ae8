//! The last steps of a world, for whoever has to understand a failure.

use std::collections::VecDeque;

/// How many lines are kept.
const KEPT: usize = 60;

/// The newest lines, or all of them on standard error.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: VecDeque<String>,
    /// Whether every line is printed at once.
    pub(super) loud: bool,
}

impl Trace {
    /// Adds a line.
    pub(super) fn note(&mut self, line: String) {
        if self.loud {
            eprintln!("{line}");
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The newest lines.
    pub(super) fn tail(&self) -> String {
        self.lines.iter().map(|line| format!("  {line}\n")).collect()
    }
}
