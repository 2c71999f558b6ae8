//! Cutting what a command writes into lines, and looking for the texts that decide its outcome.

use domain::event::TextFound;
use domain::job::OutputTexts;

/// Longer lines are looked at in pieces of this size.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The lines of one command.
pub(crate) struct Lines {
    texts: OutputTexts,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(texts: OutputTexts) -> Self {
        Self { texts, begun: Vec::new() }
    }

    /// Takes what was written, whether or not it will be kept.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.texts.is_decided() {
            let room = LINE_BYTES_MAX - self.begun.len();
            let end = rest.iter().take(room).position(|byte| *byte == b'\n').map(|at| at + 1);
            let (piece, after) = rest.split_at(end.unwrap_or(room.min(rest.len())));
            self.begun.extend_from_slice(piece);
            if end.is_some() || self.begun.len() == LINE_BYTES_MAX {
                self.look();
            }
            rest = after;
        }
    }

    fn look(&mut self) {
        let line = self.begun.strip_suffix(b"\n").unwrap_or(&self.begun);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.texts.look(&String::from_utf8_lossy(line));
        self.begun.clear();
    }

    /// What was found, when no more will come.
    pub(crate) fn finish(mut self) -> Option<TextFound> {
        if !self.begun.is_empty() && !self.texts.is_decided() {
            self.look();
        }
        self.texts.found()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, output: &[u8], piece: usize) -> bool {
        let mut lines = Lines::new(OutputTexts::read(&[], &[text.to_owned()]).unwrap());
        output.chunks(piece).for_each(|bytes| lines.take(bytes));
        lines.finish().is_some()
    }

    #[test]
    fn a_text_is_found_within_a_line_however_that_is_cut() {
        for (text, output, expected) in [
            ("/^two$/", "one\ntwo\nthree", true),
            ("/^three$/", "one\ntwo\nthree", true),
            ("/^two$/", "one\r\ntwo\r\nthree", true),
            ("/^$/", "one\n\nthree", true),
            ("onet", "one\ntwo", false),
            ("/one.two/", "one\ntwo", false),
            ("three", "one\ntwo\nthre", false),
        ] {
            for piece in 1..=output.len() {
                assert_eq!(found(text, output.as_bytes(), piece), expected, "{text} by {piece}");
            }
        }
        assert!(found("bad", b"\xff bad \xfe", 64));
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_room_than_one_piece() {
        let mut output = vec![b'x'; 3 * LINE_BYTES_MAX];
        output.extend(b"bad");
        for piece in [1_000, LINE_BYTES_MAX, output.len()] {
            assert!(found("bad", &output, piece));
        }
        let mut lines = Lines::new(OutputTexts::read(&[], &["bad".to_owned()]).unwrap());
        lines.take(&output);
        assert!(lines.begun.capacity() <= 2 * LINE_BYTES_MAX);
    }
}
