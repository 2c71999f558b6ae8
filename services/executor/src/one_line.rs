//! A line of the terminal that is written over.

use std::io::{self, Write as _};

/// One line on standard error that always shows the newest.
#[derive(Debug, Default)]
pub struct OneLine {
    /// Characters that stand there.
    drawn: usize,
}

impl OneLine {
    /// Writes this over what stands there.
    ///
    /// # Errors
    /// Standard error cannot be written to.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        write!(io::stderr(), "\r{text:<width$}", width = self.drawn)?;
        self.drawn = text.chars().count();
        io::stderr().flush()
    }

    /// Leaves it as it is: what comes next begins on a new line.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.drawn) > 0 {
            eprintln!();
        }
    }
}
