//! What a command writes, on its way to where it is kept.

use std::io;
use std::time::Instant;

use domain::event::TextFound;

use super::keep::Keep;
use super::lines::Lines;
use super::mask::Mask;
use super::status::Output;

/// The way of a command's output. Nothing behind the mask ever sees a secret, not even its length.
pub(crate) struct Intake {
    pub(crate) mask: Mask,
    pub(crate) lines: Lines,
    pub(crate) keep: Keep,
}

/// What became of all output.
pub(crate) struct Taken {
    pub(crate) output: Output,
    /// What went wrong with keeping it.
    pub(crate) failed: Option<io::Error>,
    pub(crate) text: Option<TextFound>,
}

impl Intake {
    /// Takes what the command wrote.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Instant) {
        let seen = self.mask.take(bytes);
        self.lines.take(&seen);
        self.keep.take(&seen, now);
    }

    /// Ends it.
    pub(crate) fn finish(mut self, now: Instant) -> Taken {
        let rest = self.mask.finish();
        self.lines.take(&rest);
        self.keep.take(&rest, now);
        let (output, failed) = self.keep.finish();
        Taken { output, failed, text: self.lines.finish() }
    }
}
