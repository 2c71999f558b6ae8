//! The cross-reference of a PDF (ISO 32000-1, 7.5.4 to 7.5.8): tables, streams and both, newest first.
//!
//! A file whose cross-reference is broken is refused and not repaired: two programs that repair differently see
//! different pages.

use std::collections::BTreeSet;

use super::file::{Entry, File, damaged};
use super::lexer::{Lexer, Token};
use super::object::{Dict, Object, Stream};
use crate::DocumentError;

/// How far from the end of the file the word `startxref` may be, in bytes.
const TAIL: usize = 2048;
/// Most sections: a file that was changed so often is made anew first.
const SECTIONS: usize = 1024;

/// Reads all sections, from the newest to the oldest; what is said first counts.
pub(super) fn read(file: &mut File<'_>) -> Result<(), DocumentError> {
    let mut next = vec![start(file.bytes)?];
    let mut seen = BTreeSet::new();
    while let Some(at) = next.pop() {
        if !seen.insert(at) {
            continue;
        }
        if seen.len() > SECTIONS {
            return Err(damaged("its cross-reference has too many sections"));
        }
        let trailer = section(file, at)?;
        // A table's stream is read before what was there earlier.
        for key in ["Prev", "XRefStm"] {
            if let Some(said) = trailer.get(key) {
                let at =
                    said.count().ok_or_else(|| damaged("its cross-reference leads nowhere"))?;
                next.push(at);
            }
        }
        if file.trailer == Dict::default() {
            file.trailer = trailer;
        }
    }
    Ok(())
}

fn start(bytes: &[u8]) -> Result<usize, DocumentError> {
    let word = b"startxref";
    let from = bytes.len().saturating_sub(TAIL);
    let at = bytes[from..].windows(word.len()).rposition(|window| window == word);
    let at = at.ok_or_else(|| damaged("it is cut short: it does not end with startxref"))?;
    let mut lexer = Lexer::file(bytes, from + at + word.len(), 8);
    lexer.integer().map_err(|_| damaged("its cross-reference leads nowhere"))
}

fn section(file: &mut File<'_>, at: usize) -> Result<Dict, DocumentError> {
    let mut lexer = Lexer::file(file.bytes, at, 1);
    if lexer.keyword("xref").is_ok() { table(file, lexer.at) } else { stream(file, at) }
}

/// Adds what no newer section said.
fn add(file: &mut File<'_>, id: u32, entry: Entry) -> Result<(), DocumentError> {
    file.entries.entry(id).or_insert(entry);
    file.limits.check_objects(file.entries.len())
}

fn table(file: &mut File<'_>, at: usize) -> Result<Dict, DocumentError> {
    let bad = |_| damaged("its cross-reference table does not add up");
    let mut lexer = Lexer::file(file.bytes, at, u32::MAX);
    loop {
        lexer.skip_space();
        if !lexer.peek().is_some_and(|b| b.is_ascii_digit()) {
            break;
        }
        let first: u32 = lexer.integer().map_err(bad)?;
        let count: u32 = lexer.integer().map_err(bad)?;
        for n in 0..count {
            let offset: usize = lexer.integer().map_err(bad)?;
            lexer.integer::<u32>().map_err(bad)?;
            let used = match lexer.token().map_err(bad)? {
                Token::Keyword(b"n") => true,
                Token::Keyword(b"f") => false,
                Token::Value(_) | Token::Keyword(_) | Token::End => return Err(bad("")),
            };
            let id = first.checked_add(n).ok_or_else(|| bad(""))?;
            let entry = if used && offset > 0 { Entry::At(offset) } else { Entry::Free };
            add(file, id, entry)?;
        }
    }
    lexer.refill(file.limits.values);
    lexer.keyword("trailer").map_err(bad)?;
    let trailer = lexer.value().map_err(bad)?;
    file.spend(lexer.at.saturating_sub(at))?;
    trailer.dict().cloned().ok_or_else(|| bad(""))
}

fn stream(file: &mut File<'_>, at: usize) -> Result<Dict, DocumentError> {
    let bad = || damaged("its cross-reference stream does not add up");
    let (object, _) = file.object_at(at, None)?;
    let stream = object.stream().filter(|s| s.dict.is("Type", "XRef")).ok_or_else(bad)?;
    let widths = stream.dict.get("W").and_then(Object::array).ok_or_else(bad)?;
    let mut width = [0; 3];
    for (slot, said) in width.iter_mut().zip(widths) {
        *slot = said.count().filter(|width| *width <= 8_usize).ok_or_else(bad)?;
    }
    let row = width.iter().sum::<usize>();
    if widths.len() < 3 || row == 0 {
        return Err(bad());
    }
    let data = file.decode(stream)?;
    let mut rows = data.chunks_exact(row);
    for (first, count) in subsections(stream).ok_or_else(bad)? {
        for n in 0..count {
            let row = rows.next().ok_or_else(bad)?;
            let id = first.checked_add(n).ok_or_else(bad)?;
            add(file, id, entry(row, width).ok_or_else(bad)?)?;
        }
    }
    Ok(stream.dict.clone())
}

/// First number and how many, again and again; all objects where it does not say.
fn subsections(stream: &Stream) -> Option<Vec<(u32, u32)>> {
    let size = stream.dict.get("Size")?.count()?;
    let Some(index) = stream.dict.get("Index") else { return Some(vec![(0, size)]) };
    let pair = |pair: &[Object]| Some((pair.first()?.count()?, pair.get(1)?.count()?));
    index.array()?.chunks(2).map(pair).collect()
}

/// A row: kind, and two numbers that mean different things (table 18).
fn entry(row: &[u8], width: [usize; 3]) -> Option<Entry> {
    let (kind, rest) = row.split_at_checked(width[0])?;
    let (second, third) = rest.split_at_checked(width[1])?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum: u64, &b| sum << 8 | u64::from(b));
    let kind = if kind.is_empty() { 1 } else { number(kind) };
    Some(match kind {
        0 => Entry::Free,
        1 => Entry::At(usize::try_from(number(second)).ok()?),
        2 => {
            let stream = u32::try_from(number(second)).ok()?;
            Entry::In(stream, usize::try_from(number(third)).ok()?)
        }
        // Kinds that are not known are null objects.
        _ => Entry::Free,
    })
}
