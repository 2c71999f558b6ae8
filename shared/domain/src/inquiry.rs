//! Questions that take several answers of the recorder. What is to be asked next is decided here, without IO; whoever
//! asks, over the bus, over HTTP or of the log itself, only carries the answers back.

use crate::wire::{Answer, Query};

/// A question under way.
pub trait Inquiry {
    /// What is to be asked now; empty when nothing is lacking any more.
    fn asks(&self) -> Vec<Query>;

    /// Takes the answers to what was to be asked, in the same order.
    ///
    /// # Errors
    /// An answer is to another question; in a sentence.
    fn take(&mut self, answers: Vec<Answer>) -> Result<(), String>;
}
