//! Lines of the texts in which proofs stand: a number behind a word, and hashes.

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::hash::Hash;

/// The most hashes of a proof.
const MOST: usize = 63;
/// The most bytes that its lines take.
pub(crate) const PROOF_BYTES_MAX: usize = 64 * 64;

/// The number behind a word and a blank, in its one spelling.
pub(crate) fn number(line: Option<&str>, word: &str) -> Option<u64> {
    let text = line?.strip_prefix(word)?.strip_prefix(' ')?;
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// The hash of each line; the number of the first that has none, or is one too many, from 1.
pub(crate) fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, usize> {
    let hash = |(line, number): (&str, usize)| {
        let bytes = BASE64_STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.filter(|_| number <= MOST).map(Hash).ok_or(number)
    };
    lines.zip(1..).map(hash).collect()
}

/// Each hash in a line.
pub(crate) fn written(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash.0) + "\n").collect()
}
