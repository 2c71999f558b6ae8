//! What a command writes, on its way to where it is kept.

use std::io;
use std::time::Instant;

use super::keep::Keep;
use super::mask::Mask;
use super::status::Output;

/// The way of a command's output. Nothing behind the mask ever sees a secret, not even its length.
pub(crate) struct Intake {
    pub(crate) mask: Mask,
    pub(crate) keep: Keep,
}

impl Intake {
    /// Takes what the command wrote.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Instant) {
        let seen = self.mask.take(bytes);
        self.keep.take(&seen, now);
    }

    /// Ends it, and says what was kept and what went wrong with that.
    pub(crate) fn finish(mut self, now: Instant) -> (Output, Option<io::Error>) {
        let rest = self.mask.finish();
        self.keep.take(&rest, now);
        self.keep.finish()
    }
}
