//! Results on stdout: a table for people, JSON for programs.

use std::io::Write as _;

use serde::Serialize;

use crate::cli::Format;

/// A table: columns as wide as their widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { head: head.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| one_line(cell)).collect());
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            all().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max()
        };
        let widths: Vec<usize> = (0..self.head.len()).map(|c| width(c).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        all().map(line).collect()
    }
}

/// Prints text; a reader that has gone away is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// A text that moves no cursor and sets no colour, whoever wrote it.
fn harmless(text: &str) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}

/// The same on one line: nobody writes lines of their own into an answer.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

/// Prints bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// Prints a line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a list: as `table` makes it, as one array, or as a line each.
pub(crate) fn list<T: Serialize>(
    format: Format,
    items: &[T],
    table: impl FnOnce(&[T]) -> Table,
) -> anyhow::Result<()> {
    match format {
        Format::Table => print(&table(items).text()),
        Format::Json => line(&serde_json::to_string_pretty(items)?),
        Format::Jsonl => {
            for item in items {
                line(&serde_json::to_string(item)?)?;
            }
            Ok(())
        }
    }
}

/// Prints one thing.
pub(crate) fn one<T: Serialize>(
    format: Format,
    item: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    match format {
        Format::Table => print(&text(item)),
        Format::Json => line(&serde_json::to_string_pretty(item)?),
        Format::Jsonl => line(&serde_json::to_string(item)?),
    }
}

/// An instant in this machine's zone, to the second.
pub(crate) fn local(at: jiff::Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_moves_no_cursor_and_makes_no_line_of_its_own() {
        let evil = "\x1b[2Jhello\nuser/ben approved\x07";
        assert_eq!(harmless(evil), "\u{fffd}[2Jhello\nuser/ben approved\u{fffd}");
        assert_eq!(one_line(evil), "\u{fffd}[2Jhello user/ben approved\u{fffd}");
        let mut table = Table::new(["WHY"]);
        table.row([evil.to_owned()]);
        assert_eq!(table.text().lines().count(), 2);
    }
}
