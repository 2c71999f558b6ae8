//! Content streams as operations (ISO 32000-1, 7.8.2).

use super::lexer::{Lexer, Token, is_regular, is_space};
use super::object::{Dict, Object};

/// Most operands of one operator; what is more is dropped, as readers do.
const OPERANDS: usize = 64;
/// Most values of one operand.
const VALUES: u32 = 500_000;

/// The operations of a content stream, one after the other.
pub(super) struct Operations<'a> {
    bytes: &'a [u8],
    lexer: Lexer<'a>,
}

/// An operator and what stands before it. For `BI` the operand is the dictionary of the inline image.
#[derive(Debug, PartialEq)]
pub(super) struct Operation<'a> {
    pub(super) operator: &'a [u8],
    pub(super) operands: Vec<Object>,
}

impl<'a> Operations<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, lexer: Lexer::content(bytes, VALUES) }
    }

    /// The next one. What is no value and no operator is skipped, as readers do.
    pub(super) fn next(&mut self) -> Result<Option<Operation<'a>>, &'static str> {
        let mut operands = vec![];
        self.lexer.refill(VALUES);
        loop {
            match self.lexer.token() {
                Ok(Token::End) => return Ok(None),
                Ok(Token::Keyword(b"BI")) => {
                    let operands = vec![Object::Dict(self.inline_image()?)];
                    return Ok(Some(Operation { operator: b"BI", operands }));
                }
                Ok(Token::Keyword(operator)) => return Ok(Some(Operation { operator, operands })),
                Ok(Token::Value(value)) if operands.len() < OPERANDS => operands.push(value),
                Ok(Token::Value(_)) => self.lexer.refill(VALUES),
                Err(what) => return Err(what),
            }
        }
    }

    /// Keys and values until `ID`, then data until `EI` (8.9.7).
    fn inline_image(&mut self) -> Result<Dict, &'static str> {
        let mut dict = Dict::default();
        loop {
            match self.lexer.token()? {
                Token::Value(Object::Name(key)) => {
                    let value = self.lexer.value()?;
                    dict.0.insert(key, value);
                }
                Token::Keyword(b"ID") => break,
                Token::Value(_) | Token::Keyword(_) | Token::End => {
                    return Err("an inline image is damaged");
                }
            }
        }
        let start = self.lexer.at;
        let ends = |at: &usize| self.ends(start, *at);
        let end = (start..self.bytes.len()).find(ends).ok_or("an inline image has no end")?;
        self.lexer.at = end + 2;
        Ok(dict)
    }

    /// Whether data that began at `start` ends at this `EI`: there is space before it, and what follows looks like operations.
    fn ends(&self, start: usize, at: usize) -> bool {
        let Some([b'E', b'I', rest @ ..]) = self.bytes.get(at..) else { return false };
        let before = at > start && self.bytes.get(at - 1).copied().is_some_and(is_space);
        let follows = rest.first().is_none_or(|&b| !is_regular(b));
        let ahead = &rest[..rest.len().min(16)];
        before
            && follows
            && ahead.iter().all(|&b| (is_space(b) && b != 0) || (32..127).contains(&b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_an_inline_image_is_no_operation() {
        let bytes = b"q BI /W 2 /H 1 /CS /Cs1 ID \x00 EI\xff(\x01 EI Q /F1 12 Tf";
        let mut operations = Operations::new(bytes);
        let mut found = vec![];
        while let Ok(Some(operation)) = operations.next() {
            found.push(operation.operator);
        }
        assert_eq!(found, [&b"q"[..], b"BI", b"Q", b"Tf"]);
    }
}
