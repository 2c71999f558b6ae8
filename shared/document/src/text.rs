//! Plain text as a line printer puts it on pages.

use serde::{Deserialize, Serialize};

use crate::{DocumentError, Limits};

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// The page of a line printer. The rule, exactly:
///
/// * Text is UTF-8 where it is valid, else Latin-1. A byte order mark is not printed. Every other character takes one
///   column, also a wide or combining one.
/// * A line feed ends a line; so does a carriage return with a line feed after it. A carriage return alone goes back to the
///   first column of the same line and a backspace one column back: what follows is printed over what is there.
///   A tab goes on to the next column that is a multiple of eight.
/// * A character that would stand beyond the last column stands in the first one of the next line.
/// * A form feed ends the page, also an empty one. A form feed after the last thing printed begins no further page.
/// * When as many lines as there are on a page have ended, the page is full: the next character or line feed begins
///   the next page. A form feed there ends the full page and makes no empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextLayout {
    /// Lines of a page; 0: as many as there are until a form feed.
    pub lines: u16,
    /// Columns of a line; 0: as many as there are until a line feed. Columns beyond 65,535 are never printed on one line.
    pub columns: u16,
}

impl Default for TextLayout {
    /// 66 lines (11 inches, six to an inch) and 80 columns.
    fn default() -> Self {
        Self { lines: 66, columns: 80 }
    }
}

/// Whether these bytes are text, as [`sniff`](crate::sniff) says.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().all(printable),
        Err(_) => bytes.iter().all(|&b| printable(char::from(b))),
    }
}

fn printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x08') || !c.is_control()
}

/// Counts pages.
pub(crate) fn count(
    bytes: &[u8],
    layout: &TextLayout,
    limits: &Limits,
) -> Result<u32, DocumentError> {
    let mut counted = Counted { pages: 0, limits };
    walk(bytes, layout, &mut counted)?;
    Ok(counted.pages)
}

/// The lines of each page, as they are printed, without space at their ends.
pub(crate) fn texts(
    bytes: &[u8],
    layout: &TextLayout,
    limits: &Limits,
    limit: usize,
) -> Result<Vec<String>, DocumentError> {
    let mut written =
        Written { pages: vec![], page: String::new(), line: vec![], bytes: 0, limits, limit };
    walk(bytes, layout, &mut written)?;
    Ok(written.pages)
}

/// The bytes of these pages, which exist.
pub(crate) fn part(
    bytes: &[u8],
    pages: std::ops::RangeInclusive<u32>,
    layout: &TextLayout,
    limits: &Limits,
) -> Result<Vec<u8>, DocumentError> {
    let mut cut = Cut { page: 0, pages, from: 0, to: 0, at: 0, limits };
    walk(bytes, layout, &mut cut)?;
    Ok(bytes.get(cut.from..cut.to).unwrap_or_default().to_vec())
}

/// What happens to a text on its way to paper.
trait Paper {
    /// A character stands in a column.
    fn put(&mut self, column: usize, c: char) -> Result<(), DocumentError>;
    /// A line ends.
    fn line(&mut self) -> Result<(), DocumentError>;
    /// A page ends; what follows begins at this byte.
    fn page(&mut self, end: usize) -> Result<(), DocumentError>;
}

/// Where the next character goes.
struct Head<'a, P> {
    paper: &'a mut P,
    layout: TextLayout,
    column: usize,
    lines: u16,
    /// Whether anything of this page was printed.
    begun: bool,
    /// Whether the page is full and waits for a form feed or for what comes next.
    full: bool,
}

fn walk<P: Paper>(bytes: &[u8], layout: &TextLayout, paper: &mut P) -> Result<(), DocumentError> {
    let mut head = Head { paper, layout: *layout, column: 0, lines: 0, begun: false, full: false };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            for (at, c) in text.char_indices() {
                let next = bytes.get(at + 1).copied();
                head.character(at, at + c.len_utf8(), c, next)?;
            }
        }
        Err(_) => {
            for (at, &b) in bytes.iter().enumerate() {
                head.character(at, at + 1, char::from(b), bytes.get(at + 1).copied())?;
            }
        }
    }
    if head.begun {
        head.paper.line()?;
        head.paper.page(bytes.len())?;
    }
    Ok(())
}

impl<P: Paper> Head<'_, P> {
    fn character(
        &mut self,
        at: usize,
        end: usize,
        c: char,
        next: Option<u8>,
    ) -> Result<(), DocumentError> {
        match c {
            '\x0c' => return self.end_page(end),
            '\u{feff}' if at == 0 => return Ok(()),
            '\r' if next == Some(b'\n') => return self.before_line_feed(at),
            _ if self.full => self.end_page(at)?,
            _ => {}
        }
        self.begun = true;
        match c {
            '\n' => self.end_line(),
            '\r' => {
                self.column = 0;
                Ok(())
            }
            '\x08' => {
                self.column = self.column.saturating_sub(1);
                Ok(())
            }
            '\t' => {
                self.column = (self.column / TAB + 1) * TAB;
                Ok(())
            }
            _ => self.put(at, c),
        }
    }

    /// A full page ends before the carriage return, so that none is left at its end.
    fn before_line_feed(&mut self, at: usize) -> Result<(), DocumentError> {
        if self.full {
            self.end_page(at)?;
        }
        self.begun = true;
        Ok(())
    }

    fn put(&mut self, at: usize, c: char) -> Result<(), DocumentError> {
        if self.column >= self.columns() {
            self.end_line()?;
            if self.full {
                self.end_page(at)?;
            }
        }
        self.begun = true;
        self.paper.put(self.column, c)?;
        self.column += 1;
        Ok(())
    }

    fn columns(&self) -> usize {
        let columns = self.layout.columns;
        usize::from(if columns == 0 { u16::MAX } else { columns })
    }

    fn end_line(&mut self) -> Result<(), DocumentError> {
        self.paper.line()?;
        self.column = 0;
        self.lines = self.lines.saturating_add(1);
        self.full = self.layout.lines != 0 && self.lines >= self.layout.lines;
        Ok(())
    }

    fn end_page(&mut self, end: usize) -> Result<(), DocumentError> {
        self.paper.line()?;
        self.paper.page(end)?;
        (self.column, self.lines, self.begun, self.full) = (0, 0, false, false);
        Ok(())
    }
}

struct Counted<'a> {
    pages: u32,
    limits: &'a Limits,
}

impl Paper for Counted<'_> {
    fn put(&mut self, _: usize, _: char) -> Result<(), DocumentError> {
        Ok(())
    }

    fn line(&mut self) -> Result<(), DocumentError> {
        Ok(())
    }

    fn page(&mut self, _: usize) -> Result<(), DocumentError> {
        self.pages += 1;
        self.limits.check_pages(self.pages)
    }
}

struct Written<'a> {
    pages: Vec<String>,
    page: String,
    line: Vec<char>,
    /// Of the pages before.
    bytes: usize,
    limits: &'a Limits,
    limit: usize,
}

impl Paper for Written<'_> {
    fn put(&mut self, column: usize, c: char) -> Result<(), DocumentError> {
        if self.line.len() <= column {
            self.line.resize(column + 1, ' ');
        }
        // An overprinted underscore underlines, and a space covers nothing.
        let covered = self.line[column];
        if covered == ' ' || !matches!(c, ' ' | '_') {
            self.line[column] = c;
        }
        Ok(())
    }

    fn line(&mut self) -> Result<(), DocumentError> {
        let start = self.page.len();
        self.page.extend(self.line.drain(..));
        let end = self.page[start..].trim_end().len();
        self.page.truncate(start + end);
        self.page.push('\n');
        crate::check_text(self.page.len(), self.limit)
    }

    fn page(&mut self, _: usize) -> Result<(), DocumentError> {
        let end = self.page.trim_end().len();
        self.page.truncate(end);
        self.bytes += self.page.len();
        self.limits.check_text(self.bytes)?;
        self.pages.push(std::mem::take(&mut self.page));
        self.limits.check_pages(u32::try_from(self.pages.len()).unwrap_or(u32::MAX))
    }
}

struct Cut<'a> {
    page: u32,
    pages: std::ops::RangeInclusive<u32>,
    from: usize,
    to: usize,
    at: usize,
    limits: &'a Limits,
}

impl Paper for Cut<'_> {
    fn put(&mut self, _: usize, _: char) -> Result<(), DocumentError> {
        Ok(())
    }

    fn line(&mut self) -> Result<(), DocumentError> {
        Ok(())
    }

    fn page(&mut self, end: usize) -> Result<(), DocumentError> {
        self.page += 1;
        if self.page == *self.pages.start() {
            self.from = self.at;
        }
        if self.page == *self.pages.end() {
            self.to = end;
        }
        self.at = end;
        self.limits.check_pages(self.page)
    }
}
