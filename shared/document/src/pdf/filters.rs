//! What streams are stored with (ISO 32000-1, 7.4), undone within a limit.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::lexer::{Bad, is_space};

/// Codes of LZW that are no strings.
const CLEAR: usize = 256;
const END: usize = 257;
/// Most strings LZW can name.
const CODES: usize = 4096;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Filter {
    Flate(Predictor),
    Lzw { early: bool, predictor: Predictor },
    Hex,
    Ascii85,
    RunLength,
}

/// What was done to rows of samples before they were compressed (7.4.4.4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Predictor {
    pub(super) kind: u32,
    pub(super) colors: usize,
    pub(super) bits: usize,
    pub(super) columns: usize,
}

/// Why it was not undone.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// There is more than the limit.
    TooMuch,
    Bad(Bad),
}

impl From<Bad> for Failure {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

impl Filter {
    /// Undoes the step; never more than `limit` bytes.
    pub(super) fn undo(&self, data: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Flate(predictor) => predictor.undo(inflate(data, limit)?),
            Self::Lzw { early, predictor } => predictor.undo(lzw(data, *early, limit)?),
            Self::Hex => Ok(hex(data)?),
            Self::Ascii85 => ascii85(data, limit),
            Self::RunLength => run_length(data, limit),
        }
    }
}

fn check(out: &[u8], more: usize, limit: usize) -> Result<(), Failure> {
    if out.len() + more > limit { Err(Failure::TooMuch) } else { Ok(()) }
}

fn inflate(data: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    decompress_to_vec_zlib_with_limit(data, limit).map_err(|error| {
        if error.status == TINFLStatus::HasMoreOutput {
            Failure::TooMuch
        } else {
            Failure::Bad("compressed data is damaged")
        }
    })
}

/// LZW with codes of 9 to 12 bits. A string is a place in what was written already and a length, so nothing is copied
/// into a table.
fn lzw(data: &[u8], early: bool, limit: usize) -> Result<Vec<u8>, Failure> {
    let (mut out, mut table) = (Vec::new(), Vec::<(usize, usize)>::new());
    let mut before: Option<(usize, usize)> = None;
    let mut bits = Bits { data, at: 0 };
    loop {
        let known = END + 1 + table.len() + usize::from(early);
        let width = if known >= 2048 { 12 } else { known.max(256).ilog2() + 1 };
        let Some(code) = bits.take(width) else { return Ok(out) };
        match code {
            CLEAR => (table, before) = (vec![], None),
            END => return Ok(out),
            _ => {
                // The string before and the first byte of this one: exactly what stands there in the output.
                if let Some((start, length)) = before
                    && END + 1 + table.len() < CODES
                {
                    table.push((start, length + 1));
                }
                let start = out.len();
                let length = string(code, &table, &mut out, limit)?;
                before = Some((start, length));
            }
        }
    }
}

/// Writes the string of a code and says how long it is.
fn string(
    code: usize,
    table: &[(usize, usize)],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<usize, Failure> {
    if let Ok(byte) = u8::try_from(code) {
        check(out, 1, limit)?;
        out.push(byte);
        return Ok(1);
    }
    let known = code.checked_sub(END + 1).and_then(|n| table.get(n));
    let &(start, length) = known.ok_or("compressed data is damaged")?;
    check(out, length, limit)?;
    for at in start..start + length {
        // It may reach into itself by one byte.
        let byte = *out.get(at).ok_or("compressed data is damaged")?;
        out.push(byte);
    }
    Ok(length)
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, width: u32) -> Option<usize> {
        let mut code = 0;
        for _ in 0..width {
            let byte = self.data.get(self.at / 8)?;
            code = code << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(code)
    }
}

fn hex(data: &[u8]) -> Result<Vec<u8>, Bad> {
    let mut digits = vec![];
    for &b in data.iter().take_while(|&&b| b != b'>').filter(|&&b| !is_space(b)) {
        let digit = char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digits.push(digit.ok_or("hexadecimal data is damaged")?);
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect())
}

fn ascii85(data: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let bad = "base-85 data is damaged";
    let (mut out, mut group) = (vec![], vec![]);
    for &b in data.iter().filter(|&&b| !is_space(b)) {
        check(&out, 4, limit)?;
        match b {
            b'~' => break,
            b'z' if group.is_empty() => out.extend([0; 4]),
            b'!'..=b'u' => group.push(b - b'!'),
            _ => return Err(bad.into()),
        }
        if group.len() == 5 {
            out.extend(five(&group).ok_or(bad)?);
            group.clear();
        }
    }
    if group.len() == 1 {
        return Err(bad.into());
    }
    if !group.is_empty() {
        let stored = group.len() - 1;
        group.resize(5, 84);
        out.extend(&five(&group).ok_or(bad)?[..stored]);
    }
    Ok(out)
}

fn five(group: &[u8]) -> Option<[u8; 4]> {
    let add = |sum: u32, &digit: &u8| sum.checked_mul(85)?.checked_add(digit.into());
    group.iter().try_fold(0, add).map(u32::to_be_bytes)
}

fn run_length(data: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let (mut out, mut at) = (vec![], 0);
    while let Some(&said) = data.get(at) {
        at += 1;
        match said {
            128 => break,
            0..128 => {
                let n = usize::from(said) + 1;
                let copied = data.get(at..at + n).ok_or("run-length data is cut short")?;
                check(&out, n, limit)?;
                out.extend_from_slice(copied);
                at += n;
            }
            _ => {
                let n = 257 - usize::from(said);
                let &repeated = data.get(at).ok_or("run-length data is cut short")?;
                check(&out, n, limit)?;
                out.resize(out.len() + n, repeated);
                at += 1;
            }
        }
    }
    Ok(out)
}

impl Predictor {
    /// Nothing was done.
    pub(super) const NONE: Self = Self { kind: 1, colors: 1, bits: 8, columns: 1 };

    fn undo(self, data: Vec<u8>) -> Result<Vec<u8>, Failure> {
        if self.kind < 2 {
            return Ok(data);
        }
        let bits = self.colors.checked_mul(self.bits).filter(|&bits| (1..=1024).contains(&bits));
        let bits = bits.ok_or("samples have no size")?;
        let row = self.columns.checked_mul(bits).map(|all| all.div_ceil(8));
        let row = row.filter(|&row| row > 0).ok_or("rows of samples have no size")?;
        let pixel = bits.div_ceil(8);
        match self.kind {
            2 if self.bits == 8 => Ok(tiff(data, row, pixel)),
            10..=15 => Ok(png(&data, row, pixel)?),
            _ => Err("a predictor is not known".into()),
        }
    }
}

fn tiff(mut data: Vec<u8>, row: usize, pixel: usize) -> Vec<u8> {
    for row in data.chunks_mut(row) {
        for at in pixel..row.len() {
            row[at] = row[at].wrapping_add(row[at - pixel]);
        }
    }
    data
}

/// Each row begins with a byte that says how it was predicted (PNG, 9.2).
fn png(data: &[u8], row: usize, pixel: usize) -> Result<Vec<u8>, Bad> {
    let mut out = Vec::with_capacity(data.len());
    for stored in data.chunks(row + 1) {
        let start = out.len();
        let Some((&kind, samples)) = stored.split_first() else { continue };
        for (at, &sample) in samples.iter().enumerate() {
            let value = |at: usize| -> u8 { out.get(at).copied().unwrap_or(0) };
            let left = if at >= pixel { value(start + at - pixel) } else { 0 };
            let has_above = start >= row;
            let above = if has_above { value(start + at - row) } else { 0 };
            let corner = if has_above && at >= pixel { value(start + at - row - pixel) } else { 0 };
            let predicted = match kind {
                0 => 0,
                1 => left,
                2 => above,
                3 => left.midpoint(above),
                4 => paeth(left, above, corner),
                _ => return Err("a row of samples is damaged"),
            };
            out.push(sample.wrapping_add(predicted));
        }
    }
    Ok(out)
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let from = |value: u8| {
        let guess = i16::from(left) + i16::from(above) - i16::from(corner);
        (guess - i16::from(value)).abs()
    };
    if from(left) <= from(above) && from(left) <= from(corner) {
        left
    } else if from(above) <= from(corner) {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_for_lzw_is_decoded() {
        let stored = [0x80, 0x0B, 0x60, 0x50, 0x22, 0x0C, 0x0C, 0x85, 0x01];
        let expected = [45, 45, 45, 45, 45, 65, 45, 45, 45, 66];
        assert_eq!(lzw(&stored, true, 100).expect("it is LZW"), expected);
        assert_eq!(lzw(&stored, true, 9), Err(Failure::TooMuch));
    }

    #[test]
    fn base_85_and_run_lengths_are_decoded() {
        assert_eq!(ascii85(b"87cUR D]i,\n\"Ebo80~>", 100).expect("it is base 85"), b"Hello World!");
        assert_eq!(ascii85(b"87cURDZ~>", 100).expect("it is base 85"), b"Hello");
        assert_eq!(run_length(&[2, 1, 2, 3, 254, 9, 128], 100).expect("it is"), [1, 2, 3, 9, 9, 9]);
    }

    #[test]
    fn no_filter_makes_more_than_the_limit() {
        assert_eq!(run_length(&[254, 9, 254, 9], 5), Err(Failure::TooMuch));
        assert_eq!(run_length(&[2, 1, 2, 3], 2), Err(Failure::TooMuch));
        assert_eq!(ascii85(b"zz", 7), Err(Failure::TooMuch));
    }

    #[test]
    fn a_predictor_with_rows_of_no_size_is_refused() {
        for columns in [0, usize::MAX] {
            let predictor = Predictor { kind: 2, colors: 1, bits: 8, columns };
            assert!(matches!(predictor.undo(vec![1, 2, 3]), Err(Failure::Bad(_))));
        }
    }

    #[test]
    fn a_small_stream_that_becomes_a_large_one_is_stopped_at_the_limit() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 10 << 20], 9);
        assert!(bomb.len() < 20_000);
        assert_eq!(inflate(&bomb, 1 << 20), Err(Failure::TooMuch));
        assert_eq!(inflate(&bomb, 10 << 20).expect("it fits").len(), 10 << 20);
    }
}
