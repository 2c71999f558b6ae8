//! From bytes to values (ISO 32000-1, 7.2 and 7.3), in files, content streams and character maps.

use super::object::{Dict, Object};

/// How deep arrays and dictionaries may be in each other.
const DEPTH: u32 = 64;

/// What does not add up.
pub(super) type Bad = &'static str;

/// Reads values and keywords one after the other.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    /// How many more values may be made.
    values: u32,
    /// Whether `n g R` is a reference, as in files.
    references: bool,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Value(Object),
    /// A word that is no value: an operator, `obj`, `]`…
    Keyword(&'a [u8]),
    End,
}

impl<'a> Lexer<'a> {
    /// A lexer of a file.
    pub(super) fn file(bytes: &'a [u8], at: usize, values: u32) -> Self {
        Self { bytes, at, values, references: true }
    }

    /// A lexer of a content stream or character map.
    pub(super) fn content(bytes: &'a [u8], values: u32) -> Self {
        Self { bytes, at: 0, values, references: false }
    }

    /// How many more values may be made, from now on.
    pub(super) fn refill(&mut self, values: u32) {
        self.values = values;
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next value or keyword.
    pub(super) fn token(&mut self) -> Result<Token<'a>, Bad> {
        self.nested(0)
    }

    /// The next value; anything else is an error.
    pub(super) fn value(&mut self) -> Result<Object, Bad> {
        match self.token()? {
            Token::Value(object) => Ok(object),
            Token::Keyword(_) | Token::End => Err("a value is missing"),
        }
    }

    /// The next integer.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self) -> Result<T, Bad> {
        let references = std::mem::replace(&mut self.references, false);
        let value = self.value();
        self.references = references;
        value?.count().ok_or("a number is missing")
    }

    /// This keyword.
    pub(super) fn keyword(&mut self, word: &str) -> Result<(), Bad> {
        match self.token()? {
            Token::Keyword(found) if found == word.as_bytes() => Ok(()),
            Token::Value(_) | Token::Keyword(_) | Token::End => Err("a keyword is missing"),
        }
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b) = self.peek() {
            if b == b'%' {
                let line = self.rest().iter().position(|b| matches!(b, b'\n' | b'\r'));
                self.at = line.map_or(self.bytes.len(), |n| self.at + n);
            } else if is_space(b) {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    fn nested(&mut self, depth: u32) -> Result<Token<'a>, Bad> {
        self.skip_space();
        let Some(first) = self.peek() else { return Ok(Token::End) };
        self.values = self.values.checked_sub(1).ok_or("an object has too many values")?;
        if depth > DEPTH {
            return Err("values are too deep in each other");
        }
        let object = match first {
            b'/' => Object::Name(self.name()),
            b'(' => Object::String(self.literal()?),
            b'<' if self.rest().get(1) == Some(&b'<') => Object::Dict(self.dict(depth)?),
            b'<' => Object::String(self.hex()?),
            b'[' => Object::Array(self.array(depth)?),
            b'>' if self.rest().get(1) == Some(&b'>') => return Ok(self.symbol(2)),
            b']' | b'>' | b'{' | b'}' | b')' => return Ok(self.symbol(1)),
            _ => return Ok(self.word()),
        };
        Ok(Token::Value(object))
    }

    fn symbol(&mut self, n: usize) -> Token<'a> {
        let symbol = &self.rest()[..n];
        self.at += n;
        Token::Keyword(symbol)
    }

    /// A run of regular characters.
    fn run(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|&b| !is_regular(b)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn word(&mut self) -> Token<'a> {
        let word = self.run();
        match word {
            b"true" => Token::Value(Object::Bool(true)),
            b"false" => Token::Value(Object::Bool(false)),
            b"null" => Token::Value(Object::Null),
            _ => match number(word) {
                Some(Object::Integer(n)) => Token::Value(self.referred(n)),
                Some(number) => Token::Value(number),
                None => Token::Keyword(word),
            },
        }
    }

    /// An integer may be the first part of a reference.
    fn referred(&mut self, n: i64) -> Object {
        let (Ok(id), true) = (u32::try_from(n), self.references) else { return Object::Integer(n) };
        let start = self.at;
        self.skip_space();
        let generation = self.peek().filter(u8::is_ascii_digit).map(|_| self.run());
        if generation.and_then(number).and_then(|g| g.count::<u16>()).is_some() {
            self.skip_space();
            if self.peek() == Some(b'R') && self.run() == b"R" {
                return Object::Reference(id);
            }
        }
        self.at = start;
        Object::Integer(n)
    }

    fn name(&mut self) -> Vec<u8> {
        self.at += 1;
        let run = self.run();
        let (mut name, mut at) = (Vec::with_capacity(run.len()), 0);
        while let Some(&b) = run.get(at) {
            let code = match run.get(at..at + 3) {
                Some([b'#', high, low]) => hex_digit(*high).zip(hex_digit(*low)),
                Some(_) | None => None,
            };
            name.push(code.map_or(b, |(high, low)| high << 4 | low));
            at += if code.is_some() { 3 } else { 1 };
        }
        name
    }

    fn hex(&mut self) -> Result<Vec<u8>, Bad> {
        self.at += 1;
        let end = self.rest().iter().position(|&b| b == b'>').ok_or("a string has no end")?;
        let digits: Vec<u8> = self.rest()[..end].iter().filter_map(|&b| hex_digit(b)).collect();
        self.at += end + 1;
        Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect())
    }

    fn byte(&mut self) -> Result<u8, Bad> {
        let byte = self.peek().ok_or("a string has no end")?;
        self.at += 1;
        Ok(byte)
    }

    fn literal(&mut self) -> Result<Vec<u8>, Bad> {
        self.at += 1;
        let (mut string, mut depth) = (vec![], 0_u32);
        loop {
            let byte = self.byte()?;
            match byte {
                b')' if depth == 0 => return Ok(string),
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => {
                    string.extend(self.escape()?);
                    continue;
                }
                _ => {}
            }
            string.push(byte);
        }
    }

    fn escape(&mut self) -> Result<Option<u8>, Bad> {
        let byte = self.byte()?;
        Ok(Some(match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'0'..=b'7' => self.octal(byte - b'0'),
            b'\n' => return Ok(None),
            b'\r' => {
                self.at += usize::from(self.peek() == Some(b'\n'));
                return Ok(None);
            }
            _ => byte,
        }))
    }

    fn octal(&mut self, mut code: u8) -> u8 {
        for _ in 0..2 {
            let Some(digit @ b'0'..=b'7') = self.peek() else { break };
            code = code.wrapping_shl(3) | (digit - b'0');
            self.at += 1;
        }
        code
    }

    fn array(&mut self, depth: u32) -> Result<Vec<Object>, Bad> {
        self.at += 1;
        let mut array = vec![];
        loop {
            match self.nested(depth + 1)? {
                Token::Value(object) => array.push(object),
                Token::Keyword(b"]") => return Ok(array),
                Token::Keyword(_) => return Err("an array holds something that is no value"),
                Token::End => return Err("an array has no end"),
            }
        }
    }

    fn dict(&mut self, depth: u32) -> Result<Dict, Bad> {
        self.at += 2;
        let mut dict = Dict::default();
        loop {
            let key = match self.nested(depth + 1)? {
                Token::Value(Object::Name(key)) => key,
                Token::Keyword(b">>") => return Ok(dict),
                Token::Value(_) | Token::Keyword(_) => return Err("a dictionary's key is no name"),
                Token::End => return Err("a dictionary has no end"),
            };
            match self.nested(depth + 1)? {
                Token::Value(Object::Null) => {
                    dict.0.remove(&key);
                }
                Token::Value(value) => {
                    dict.0.insert(key, value);
                }
                Token::Keyword(_) | Token::End => return Err("a dictionary's key has no value"),
            }
        }
    }
}

/// A number, if the word is one.
fn number(word: &[u8]) -> Option<Object> {
    if !word.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.')) {
        return None;
    }
    let word = std::str::from_utf8(word).ok()?;
    if let Ok(n) = word.parse() {
        return Some(Object::Integer(n));
    }
    word.parse().ok().filter(|n: &f64| n.is_finite()).map(Object::Real)
}

fn hex_digit(b: u8) -> Option<u8> {
    let digit = char::from(b).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// White space (table 1).
pub(super) fn is_space(b: u8) -> bool {
    matches!(b, 0 | 9 | 10 | 12 | 13 | 32)
}

/// What is neither white space nor a delimiter (table 2).
pub(super) fn is_regular(b: u8) -> bool {
    !is_space(b)
        && !matches!(b, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}
