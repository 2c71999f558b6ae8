//! PostScript by its comments: Adobe's Document Structuring Conventions 3.0 (Adobe 5001).
//!
//! A page begins at `%%Page:` and ends at the next one or at `%%Trailer`. What stands in `%%BeginDocument` …
//! `%%EndDocument`, `%%BeginData` … `%%EndData` and `%%BeginBinary` … `%%EndBinary` is another document or data, and its
//! comments are not ours. The program itself is not run; a program that does not do what its comments say is not noticed.

use std::ops::{Range, RangeInclusive};

use crate::format::{UEL, postscript_start};
use crate::{DocumentError, Format, Limits, Size};

/// Comments of the header that say who made the document, for whom and when, and not what it needs.
const PRIVATE: [&[u8]; 5] =
    [b"%%Title:", b"%%For:", b"%%Creator:", b"%%CreationDate:", b"%%Routing:"];

/// A PostScript document whose comments add up.
pub(crate) struct PostScript<'a> {
    bytes: &'a [u8],
    /// What comes before the first page: comments, prolog and setup.
    before: Range<usize>,
    pages: Vec<Range<usize>>,
    /// From `%%Trailer` on, without what follows `%%EOF`.
    after: Range<usize>,
    size: Option<Size>,
}

/// A line and where it is; its end is after the line break.
struct Line<'a> {
    text: &'a [u8],
    at: Range<usize>,
}

/// The document while it is read.
struct Reading<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How deep in other documents.
    depth: u32,
    starts: Vec<usize>,
    said: Option<u32>,
    promised: bool,
    size: Option<Size>,
    trailer: Option<usize>,
    /// The line `%%EOF`.
    end: Option<Range<usize>>,
}

impl<'a> PostScript<'a> {
    /// Reads all lines.
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, DocumentError> {
        let start = postscript_start(bytes).ok_or(DocumentError::Unknown)?;
        if !bytes[start..].starts_with(b"%!PS-Adobe-") {
            return Err(DocumentError::no_structure(
                "it does not begin with %!PS-Adobe-, so its comments mean nothing; print it whole",
            ));
        }
        let mut reading = Reading::new(bytes, start);
        reading.line();
        while let Some(line) = reading.line() {
            reading.comment(&line)?;
            limits.check_pages(u32::try_from(reading.starts.len()).unwrap_or(u32::MAX))?;
        }
        reading.document(start)
    }

    pub(crate) fn pages(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(u32::MAX)
    }

    /// The size of the first medium that `%%DocumentMedia:` names.
    pub(crate) fn size(&self) -> Option<Size> {
        self.size
    }

    /// A document of the prolog, the setup, these pages (which exist) and the trailer.
    pub(crate) fn part(&self, pages: RangeInclusive<u32>) -> Vec<u8> {
        let count = pages.end() - pages.start() + 1;
        let mut part = vec![];
        self.copy(&self.before, &mut part, |line| header(line, count));
        let chosen = (1..).zip(&self.pages).filter(|(page, _)| pages.contains(page));
        for (ordinal, (_, range)) in (1..).zip(chosen) {
            let mut first = true;
            self.copy(range, &mut part, |_| std::mem::take(&mut first).then(|| page(ordinal)));
        }
        self.copy(&self.after, &mut part, |line| header(line, count));
        part
    }

    /// Copies a range; a comment of this document may be replaced.
    fn copy(
        &self,
        range: &Range<usize>,
        part: &mut Vec<u8>,
        mut replace: impl FnMut(&[u8]) -> Option<String>,
    ) {
        let mut reading = Reading::new(&self.bytes[..range.end], range.start);
        let mut copied = range.start;
        while let Some(line) = reading.line() {
            let ours = reading.depth == 0 && line.text.starts_with(b"%%");
            // What cannot be skipped was an error before.
            let _ = reading.skip(&line);
            if let Some(other) = ours.then(|| replace(line.text)).flatten() {
                part.extend_from_slice(&self.bytes[copied..line.at.start]);
                part.extend_from_slice(other.as_bytes());
                copied = line.at.end;
            }
        }
        part.extend_from_slice(&self.bytes[copied..range.end]);
    }
}

/// What becomes of a comment of the header or trailer: other numbers, and nobody's name.
fn header(line: &[u8], pages: u32) -> Option<String> {
    if let Some(said) = line.strip_prefix(b"%%Pages:") {
        return (!atend(said)).then(|| format!("%%Pages: {pages}\n"));
    }
    PRIVATE.iter().any(|start| line.starts_with(start)).then(String::new)
}

fn page(ordinal: u32) -> String {
    format!("%%Page: {ordinal} {ordinal}\n")
}

/// `numcopies(n)` asks for copies (5.1).
fn requirements(said: &[u8]) -> Result<(), DocumentError> {
    let said = String::from_utf8_lossy(said);
    let (_, copies) = said.split_once("numcopies").unwrap_or_default();
    let copies = copies.trim_start().strip_prefix('(').and_then(|n| n.split(')').next());
    if copies.is_some_and(|n| n.trim() != "1") {
        return Err(DocumentError::copies(Format::PostScript));
    }
    Ok(())
}

/// A header that is neither that of a resource nor of a font.
fn begins_a_document(line: &[u8]) -> bool {
    let Some(version) = line.strip_prefix(b"%!PS-Adobe-") else { return false };
    let mut words = version.split(u8::is_ascii_whitespace);
    let numbered = words.next().is_some_and(|word| word.first().is_some_and(u8::is_ascii_digit));
    numbered && words.next().is_none_or(|word| word.is_empty() || word.starts_with(b"EPSF"))
}

fn atend(said: &[u8]) -> bool {
    said.trim_ascii() == b"(atend)"
}

fn damaged(what: impl Into<String>) -> DocumentError {
    DocumentError::damaged(Format::PostScript, what)
}

/// The n-th word of a comment as a number.
fn number<T: std::str::FromStr>(said: &[u8], n: usize) -> Option<T> {
    std::str::from_utf8(said).ok()?.split_ascii_whitespace().nth(n)?.parse().ok()
}

impl<'a> Reading<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            depth: 0,
            starts: vec![],
            said: None,
            promised: false,
            size: None,
            trailer: None,
            end: None,
        }
    }

    /// The next line; it may end in LF, CR or both (3.1).
    fn line(&mut self) -> Option<Line<'a>> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let text = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        let broken = match rest.get(text..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([_, ..]) => 1,
            Some([]) | None => 0,
        };
        let start = self.at;
        self.at += text + broken;
        Some(Line { text: &rest[..text], at: start..self.at })
    }

    fn comment(&mut self, line: &Line<'a>) -> Result<(), DocumentError> {
        if self.end.is_some() {
            return self.after_end(line);
        }
        if self.skip(line)? || self.depth > 0 {
            return Ok(());
        }
        if let Some(said) = line.text.strip_prefix(b"%%Requirements:") {
            requirements(said)
        } else if let Some(said) = line.text.strip_prefix(b"%%Pages:") {
            self.said(said)
        } else if line.text.starts_with(b"%%Page:") {
            self.page(line)
        } else if let Some(said) = line.text.strip_prefix(b"%%DocumentMedia:") {
            self.media(said);
            Ok(())
        } else if line.text.starts_with(b"%%Trailer") {
            self.trailer.get_or_insert(line.at.start);
            Ok(())
        } else if line.text.starts_with(b"%%EOF") {
            self.end = Some(line.at.clone());
            Ok(())
        } else if begins_a_document(line.text) {
            Err(damaged("a second document begins in it"))
        } else {
            Ok(())
        }
    }

    /// Skips what is not ours; whether the line began or ended something of that kind.
    fn skip(&mut self, line: &Line<'a>) -> Result<bool, DocumentError> {
        let text = line.text;
        if text.starts_with(b"%%BeginDocument") {
            self.depth += 1;
        } else if text.starts_with(b"%%EndDocument") {
            let less = self.depth.checked_sub(1);
            self.depth =
                less.ok_or_else(|| damaged("an included document ends that never began"))?;
        } else if let Some(said) = text.strip_prefix(b"%%BeginData:") {
            self.data(said)?;
        } else if let Some(said) = text.strip_prefix(b"%%BeginBinary:") {
            self.data(said)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Data of so many bytes, or of so many lines: `n [type [Bytes|Lines]]`.
    fn data(&mut self, said: &[u8]) -> Result<(), DocumentError> {
        let n: usize =
            number(said, 0).ok_or_else(|| damaged("the length of included data is no number"))?;
        if said.trim_ascii().to_ascii_lowercase().ends_with(b"lines") {
            for _ in 0..n {
                self.line().ok_or_else(|| damaged("it ends in the middle of included data"))?;
            }
            return Ok(());
        }
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        self.at = end.ok_or_else(|| damaged("it ends in the middle of included data"))?;
        Ok(())
    }

    fn said(&mut self, said: &[u8]) -> Result<(), DocumentError> {
        if !self.starts.is_empty() && self.trailer.is_none() {
            return Err(damaged("%%Pages: stands on a page"));
        }
        if atend(said) {
            self.promised = true;
            return Ok(());
        }
        let n = number(said, 0).ok_or_else(|| damaged("%%Pages: is followed by no number"))?;
        // The first one in the header counts, the last one in the trailer (3.2).
        if self.said.is_none() || self.promised {
            self.said = Some(n);
        }
        Ok(())
    }

    fn page(&mut self, line: &Line<'a>) -> Result<(), DocumentError> {
        if self.trailer.is_some() {
            return Err(damaged("a page begins after the trailer"));
        }
        self.starts.push(line.at.start);
        Ok(())
    }

    fn media(&mut self, said: &[u8]) {
        let side = |n| number::<f64>(said, n).filter(|side| side.is_finite() && *side > 0.0);
        if let (None, Some(width), Some(height)) = (self.size, side(1), side(2)) {
            self.size = Some(Size { width, height });
        }
    }

    /// After the end only the end of a print job may come.
    fn after_end(&mut self, line: &Line<'a>) -> Result<(), DocumentError> {
        let mut text = line.text;
        while let Some(rest) = text.strip_prefix(UEL).or_else(|| text.strip_prefix(b"\x04")) {
            text = rest;
        }
        if text.trim_ascii().is_empty() || text.starts_with(b"@PJL") {
            return Ok(());
        }
        Err(damaged("something follows after its end (%%EOF)"))
    }

    fn document(self, start: usize) -> Result<PostScript<'a>, DocumentError> {
        if self.depth > 0 {
            return Err(damaged("it ends in the middle of an included document"));
        }
        let after = match (self.end, self.trailer) {
            (Some(end), trailer) => trailer.unwrap_or(end.start)..end.end,
            (None, Some(trailer)) => trailer..self.bytes.len(),
            (None, None) => return Err(damaged("it is cut short: no %%Trailer and no %%EOF")),
        };
        let Some(said) = self.said else {
            return Err(DocumentError::no_structure(
                "it does not say how many there are (%%Pages)",
            ));
        };
        let pages = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        if pages != said {
            return Err(damaged(format!("it has {pages} pages and says that it has {said}")));
        }
        if pages == 0 {
            return Err(DocumentError::no_structure("there are none"));
        }
        let ends = self.starts.iter().skip(1).copied().chain([after.start]);
        Ok(PostScript {
            bytes: self.bytes,
            before: start..self.starts.first().copied().unwrap_or(after.start),
            pages: self.starts.iter().copied().zip(ends).map(|(from, to)| from..to).collect(),
            after,
            size: self.size,
        })
    }
}
