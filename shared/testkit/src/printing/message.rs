//! IPP messages as bytes (RFC 8010 §3), written here anew so that the client's library is not its own judge.

use std::io::{self, Read};

/// Deepest collection in a collection.
const DEEPEST: usize = 8;
/// Most attributes of a request.
const MOST_ATTRIBUTES: usize = 2_000;

pub(super) const OPERATION: u8 = 0x01;
pub(super) const JOB: u8 = 0x02;
pub(super) const END: u8 = 0x03;
pub(super) const PRINTER: u8 = 0x04;
pub(super) const UNSUPPORTED: u8 = 0x05;

/// A value, by its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// integer.
    Integer(i32),
    /// enum.
    Enum(i32),
    /// boolean.
    Boolean(bool),
    /// rangeOfInteger.
    Range(i32, i32),
    /// keyword.
    Keyword(String),
    /// name without language.
    Name(String),
    /// text without language.
    Text(String),
    /// uri.
    Uri(String),
    /// mimeMediaType.
    Mime(String),
    /// octetString.
    Octets(Vec<u8>),
    /// A collection's members.
    Collection(Vec<(String, Vec<Value>)>),
    /// Any other, by its tag.
    Other(u8, Vec<u8>),
}

impl Value {
    pub(super) fn keyword(text: &str) -> Value {
        Value::Keyword(text.to_owned())
    }

    /// Its text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Keyword(text)
            | Value::Name(text)
            | Value::Text(text)
            | Value::Uri(text)
            | Value::Mime(text) => Some(text),
            Value::Integer(_)
            | Value::Enum(_)
            | Value::Boolean(_)
            | Value::Range(..)
            | Value::Octets(_)
            | Value::Collection(_)
            | Value::Other(..) => None,
        }
    }

    /// Its number, where it is one.
    pub fn as_integer(&self) -> Option<i32> {
        match self {
            Value::Integer(number) | Value::Enum(number) => Some(*number),
            Value::Boolean(_)
            | Value::Range(..)
            | Value::Keyword(_)
            | Value::Name(_)
            | Value::Text(_)
            | Value::Uri(_)
            | Value::Mime(_)
            | Value::Octets(_)
            | Value::Collection(_)
            | Value::Other(..) => None,
        }
    }

    fn read(tag: u8, bytes: Vec<u8>) -> io::Result<Value> {
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| bad("a text is not UTF-8"));
        Ok(match tag {
            0x21 => Value::Integer(integer(&bytes)?),
            0x23 => Value::Enum(integer(&bytes)?),
            0x22 => Value::Boolean(bytes == [1]),
            0x33 => Value::Range(
                integer(bytes.get(..4).unwrap_or_default())?,
                integer(bytes.get(4..).unwrap_or_default())?,
            ),
            0x30 => Value::Octets(bytes),
            0x44 => Value::Keyword(text(bytes)?),
            0x42 => Value::Name(text(bytes)?),
            0x41 => Value::Text(text(bytes)?),
            0x45 => Value::Uri(text(bytes)?),
            0x49 => Value::Mime(text(bytes)?),
            other => Value::Other(other, bytes),
        })
    }

    fn write(&self, name: &str, to: &mut Vec<u8>) {
        let range;
        let (tag, bytes): (u8, &[u8]) = match self {
            Value::Integer(number) => (0x21, &number.to_be_bytes()),
            Value::Enum(number) => (0x23, &number.to_be_bytes()),
            Value::Boolean(value) => (0x22, &[u8::from(*value)]),
            Value::Range(min, max) => {
                range = [min.to_be_bytes(), max.to_be_bytes()].concat();
                (0x33, &range)
            }
            Value::Octets(bytes) => (0x30, bytes),
            Value::Keyword(text) => (0x44, text.as_bytes()),
            Value::Name(text) => (0x42, text.as_bytes()),
            Value::Text(text) => (0x41, text.as_bytes()),
            Value::Uri(text) => (0x45, text.as_bytes()),
            Value::Mime(text) => (0x49, text.as_bytes()),
            Value::Other(tag, bytes) => (*tag, bytes),
            // Nothing that is answered here has one.
            Value::Collection(_) => (0x13, &[]),
        };
        to.push(tag);
        write_counted(name.as_bytes(), to);
        write_counted(bytes, to);
    }
}

/// A group of attributes, each with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which group: 1 operation, 2 job, 4 printer, 5 unsupported.
    pub tag: u8,
    /// In the order they came.
    pub attributes: Vec<(String, Vec<Value>)>,
}

impl Group {
    pub(super) fn new(tag: u8) -> Group {
        Group { tag, attributes: Vec::new() }
    }

    /// The values of an attribute.
    pub fn get(&self, name: &str) -> &[Value] {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map_or(&[], |(_, values)| values)
    }

    pub(super) fn add(&mut self, name: &str, values: impl IntoIterator<Item = Value>) {
        let values: Vec<Value> = values.into_iter().collect();
        if !values.is_empty() {
            self.attributes.push((name.to_owned(), values));
        }
    }
}

/// A request, without the document behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The operation's number; in an answer the status.
    pub code: u16,
    /// request-id.
    pub id: i32,
    /// In the order they came.
    pub groups: Vec<Group>,
}

impl Message {
    /// The values of an attribute of the first such group.
    pub fn get(&self, tag: u8, name: &str) -> &[Value] {
        self.groups.iter().find(|group| group.tag == tag).map_or(&[], |group| group.get(name))
    }

    /// A text among the operation's attributes.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(OPERATION, name).first()?.as_text()
    }

    /// A number among the operation's attributes.
    pub fn integer(&self, name: &str) -> Option<i32> {
        self.get(OPERATION, name).first()?.as_integer()
    }

    /// Reads a request and not a byte of what follows it.
    pub(super) fn read(from: &mut dyn Read) -> io::Result<Message> {
        let header: [u8; 8] = array(from)?;
        let [_, _, c0, c1, i0, i1, i2, i3] = header;
        let (code, id) = (u16::from_be_bytes([c0, c1]), i32::from_be_bytes([i0, i1, i2, i3]));
        let mut message = Message { code, id, groups: Vec::new() };
        for _ in 0..MOST_ATTRIBUTES {
            let [tag] = array(from)?;
            if tag == END {
                return Ok(message);
            }
            if tag < 0x10 {
                message.groups.push(Group::new(tag));
                continue;
            }
            let name = read_text(from)?;
            let value = read_value(tag, from, 0)?;
            let group = message.groups.last_mut().ok_or_else(|| bad("a value in no group"))?;
            match group.attributes.last_mut() {
                Some((_, values)) if name.is_empty() => values.push(value),
                Some(_) | None => group.attributes.push((name, vec![value])),
            }
        }
        Err(bad("too many attributes"))
    }

    /// Its bytes.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = vec![1, 1];
        bytes.extend(self.code.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        for group in &self.groups {
            bytes.push(group.tag);
            for (name, values) in &group.attributes {
                let names = std::iter::once(name.as_str()).chain(std::iter::repeat(""));
                values.iter().zip(names).for_each(|(value, name)| value.write(name, &mut bytes));
            }
        }
        bytes.push(END);
        bytes
    }
}

fn read_value(tag: u8, from: &mut dyn Read, depth: usize) -> io::Result<Value> {
    let bytes = read_counted(from)?;
    if tag != 0x34 {
        return Value::read(tag, bytes);
    }
    if depth > DEEPEST {
        return Err(bad("collections too deep"));
    }
    let mut members: Vec<(String, Vec<Value>)> = Vec::new();
    loop {
        let [tag] = array(from)?;
        read_text(from)?;
        match tag {
            0x37 => {
                read_counted(from)?;
                return Ok(Value::Collection(members));
            }
            0x4A => members.push((read_text(from)?, Vec::new())),
            _ => {
                let value = read_value(tag, from, depth + 1)?;
                let member = members.last_mut().ok_or_else(|| bad("a member without a name"))?;
                member.1.push(value);
            }
        }
    }
}

fn read_text(from: &mut dyn Read) -> io::Result<String> {
    String::from_utf8(read_counted(from)?).map_err(|_| bad("a name is not UTF-8"))
}

fn read_counted(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(array(from)?))];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn write_counted(bytes: &[u8], to: &mut Vec<u8>) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    to.extend(length.to_be_bytes());
    to.extend(&bytes[..usize::from(length)]);
}

fn array<const N: usize>(from: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn integer(bytes: &[u8]) -> io::Result<i32> {
    let bytes = bytes.try_into().map_err(|_| bad("a number has not four octets"))?;
    Ok(i32::from_be_bytes(bytes))
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
