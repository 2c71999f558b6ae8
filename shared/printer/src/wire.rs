//! Requests and answers as bytes (RFC 8010), by the crate `ipp`, whose types stay here.

use std::collections::BTreeMap;

use ipp::attribute::{IppAttribute, IppAttributeGroup};
use ipp::model::{DelimiterTag, IppVersion, Operation as IppOperation};
use ipp::parser::{IppParseError, IppParser};
use ipp::reader::IppReader;
use ipp::request::IppRequestResponse;
use ipp::value::{IppName, IppValue};

use crate::operation::Operation;

/// The version every printer understands; a newer one adds nothing that is used here (RFC 8011 §4.1.8).
const VERSION: IppVersion = IppVersion::v1_1();
/// Deepest collection in a collection.
const DEEPEST: usize = 16;

/// A group of attributes in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// What is asked.
    Operation,
    /// How the job is to be.
    Job,
}

/// A value in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Integer(i32),
    Enum(i32),
    Boolean(bool),
    Range(i32, i32),
    Keyword(String),
    Name(String),
    MimeType(String),
    Uri(String),
    Octets(Vec<u8>),
    Set(Vec<Value>),
    Collection(Vec<(&'static str, Value)>),
}

/// A request that is being put together.
pub(crate) struct Request {
    inner: IppRequestResponse,
}

impl Request {
    /// One to a printer. Charset, language and target stand first, as they must (RFC 8011 §4.1.4, §4.1.5).
    pub(crate) fn new(operation: Operation, uri: &str) -> Result<Self, String> {
        let any = IppOperation::GetPrinterAttributes;
        let mut inner = IppRequestResponse::new(VERSION, any, None).map_err(text)?;
        inner.header_mut().operation_or_status = operation.code().cast_signed();
        // The crate would write `ipp:` for `ipps:`, and the printer compares.
        Request { inner }.with(Group::Operation, "printer-uri", Value::Uri(uri.to_owned()))
    }

    /// The same with one more attribute.
    pub(crate) fn with(mut self, group: Group, name: &str, value: Value) -> Result<Self, String> {
        let tag = match group {
            Group::Operation => DelimiterTag::OperationAttributes,
            Group::Job => DelimiterTag::JobAttributes,
        };
        let value = value.into_ipp().map_err(|error| format!("{name}: {error}"))?;
        let attribute = IppAttribute::with_name(name, value).map_err(text)?;
        self.inner.attributes_mut().add(tag, attribute);
        Ok(self)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.inner.to_bytes().to_vec()
    }
}

impl Value {
    fn into_ipp(self) -> Result<IppValue, IppParseError> {
        match self {
            Value::Integer(value) => Ok(IppValue::Integer(value)),
            Value::Enum(value) => Ok(IppValue::Enum(value)),
            Value::Boolean(value) => Ok(IppValue::Boolean(value)),
            Value::Range(min, max) => Ok(IppValue::RangeOfInteger { min, max }),
            Value::Keyword(value) => IppValue::new_keyword(value),
            Value::Name(value) => IppValue::new_name_without_language(value),
            Value::MimeType(value) => IppValue::new_mime_media_type(value),
            Value::Uri(value) => IppValue::new_uri(value),
            Value::Octets(value) => Ok(IppValue::OctetString(value.into())),
            Value::Set(values) => values
                .into_iter()
                .map(Value::into_ipp)
                .collect::<Result<_, _>>()
                .map(IppValue::Array),
            Value::Collection(members) => {
                let member =
                    |(name, value): (&str, Value)| Ok((IppName::new(name)?, value.into_ipp()?));
                members.into_iter().map(member).collect::<Result<_, _>>().map(IppValue::Collection)
            }
        }
    }
}

/// What a printer answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// status-message, where it said one (RFC 8011 §4.1.6.2).
    pub(crate) message: Option<String>,
    /// Names of attributes it did not support.
    pub(crate) unsupported: Vec<String>,
    /// Groups with the printer's attributes.
    pub(crate) printers: Vec<Attributes>,
    /// Groups with a job's attributes.
    pub(crate) jobs: Vec<Attributes>,
}

/// The attributes of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Attributes {
    by_name: BTreeMap<String, Vec<Item>>,
}

/// A value in an answer. What nothing here reads is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Integer(i32),
    Boolean(bool),
    Range(i32, i32),
    Text(String),
}

impl Answer {
    /// Reads an answer; never more than it holds, and never by panicking.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        check(&bytes)?;
        let parsed = IppParser::new(IppReader::new(std::io::Cursor::new(bytes))).parse();
        let parsed = parsed.map_err(text)?;
        let header = *parsed.header();
        // A request is numbered 1 by the crate; each has a connection of its own.
        if header.request_id != 1 {
            return Err(format!("it answers request {} and not ours", header.request_id));
        }
        let groups = |tag| parsed.attributes().groups_of(tag).map(Attributes::read).collect();
        let first = |tag| parsed.attributes().first_of(tag).map(Attributes::read);
        let operation = first(DelimiterTag::OperationAttributes).unwrap_or_default();
        let unsupported = first(DelimiterTag::UnsupportedAttributes);
        Ok(Answer {
            status: header.operation_or_status.cast_unsigned(),
            message: operation.text("status-message"),
            unsupported: unsupported
                .map(|group| group.by_name.into_keys().collect())
                .unwrap_or_default(),
            printers: groups(DelimiterTag::PrinterAttributes),
            jobs: groups(DelimiterTag::JobAttributes),
        })
    }
}

impl Attributes {
    fn read(group: &IppAttributeGroup) -> Self {
        let mut by_name = BTreeMap::new();
        for attribute in group.attributes() {
            // Of two with one name the first counts; RFC 8011 §4.1.3 forbids a second.
            let name = attribute.name().as_str().to_owned();
            by_name.entry(name).or_insert_with(|| items(attribute.value()));
        }
        Attributes { by_name }
    }

    fn items(&self, name: &str) -> &[Item] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// An integer or enum.
    pub(crate) fn integer(&self, name: &str) -> Option<i32> {
        self.integers(name).first().copied()
    }

    /// The same, when it counts something.
    pub(crate) fn count(&self, name: &str) -> Option<u32> {
        u32::try_from(self.integer(name)?).ok()
    }

    /// Integers or enums.
    pub(crate) fn integers(&self, name: &str) -> Vec<i32> {
        let integer = |item: &Item| match item {
            Item::Integer(value) => Some(*value),
            Item::Boolean(_) | Item::Range(..) | Item::Text(_) => None,
        };
        self.items(name).iter().filter_map(integer).collect()
    }

    /// From where to where something may be counted; one number is both.
    pub(crate) fn range(&self, name: &str) -> Option<(u32, u32)> {
        let (min, max) = match self.items(name).first()? {
            Item::Range(min, max) => (*min, *max),
            Item::Integer(value) => (*value, *value),
            Item::Boolean(_) | Item::Text(_) => return None,
        };
        Some((u32::try_from(min).ok()?, u32::try_from(max).ok()?))
    }

    /// A boolean.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.items(name).first()? {
            Item::Boolean(value) => Some(*value),
            Item::Integer(_) | Item::Range(..) | Item::Text(_) => None,
        }
    }

    /// A text of any kind.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.texts(name).into_iter().next()
    }

    /// Texts of any kind.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let text = |item: &Item| match item {
            Item::Text(value) => Some(value.clone()),
            Item::Boolean(_) | Item::Range(..) | Item::Integer(_) => None,
        };
        self.items(name).iter().filter_map(text).collect()
    }
}

fn items(value: &IppValue) -> Vec<Item> {
    if let IppValue::Array(values) = value {
        return values.iter().filter_map(item).collect();
    }
    item(value).into_iter().collect()
}

fn item(value: &IppValue) -> Option<Item> {
    let text = |text: &str| Some(Item::Text(text.to_owned()));
    match value {
        IppValue::Integer(value) | IppValue::Enum(value) => Some(Item::Integer(*value)),
        IppValue::Boolean(value) => Some(Item::Boolean(*value)),
        IppValue::RangeOfInteger { min, max } => Some(Item::Range(*min, *max)),
        IppValue::TextWithoutLanguage(value) | IppValue::TextWithLanguage { text: value, .. } => {
            text(value)
        }
        IppValue::NameWithoutLanguage(value) | IppValue::NameWithLanguage { name: value, .. } => {
            text(value)
        }
        IppValue::Charset(value) => text(value),
        IppValue::NaturalLanguage(value) => text(value),
        IppValue::Uri(value) | IppValue::UriScheme(value) => text(value),
        IppValue::Keyword(value) | IppValue::MemberAttrName(value) => text(value),
        IppValue::MimeMediaType(value) => text(value),
        IppValue::NonUtf8 { data, .. } => text(&String::from_utf8_lossy(data)),
        IppValue::OctetString(_)
        | IppValue::Array(_)
        | IppValue::Collection(_)
        | IppValue::DateTime(_)
        | IppValue::Resolution { .. }
        | IppValue::NoValue
        | IppValue::Other { .. } => None,
    }
}

/// Walks over an answer before the crate reads it. It reads texts with a language by lengths it does not check, and
/// collections in collections as deep as they come, which costs a stack when they are dropped.
fn check(bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes.get(8..).ok_or("it is shorter than a header")?;
    let mut depth = 0_usize;
    loop {
        let tag = take(&mut rest, 1)?[0];
        match tag {
            0x03 if depth == 0 => return Ok(()),
            0x00..=0x0F if depth == 0 => continue,
            0x00..=0x0F => return Err("a collection has no end".to_owned()),
            0x34 => depth += 1,
            0x37 => depth = depth.checked_sub(1).ok_or("a collection has no beginning")?,
            _ => {}
        }
        if depth > DEEPEST {
            return Err(format!("collections in collections, deeper than {DEEPEST}"));
        }
        counted(&mut rest)?;
        let value = counted(&mut rest)?;
        if matches!(tag, 0x35 | 0x36) {
            let mut value = value;
            counted(&mut value)?;
            counted(&mut value)?;
        }
    }
}

/// Bytes behind their number (two octets).
fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = take(rest, 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    take(rest, length)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (taken, left) = rest.split_at_checked(count).ok_or("it is cut short")?;
    *rest = left;
    Ok(taken)
}

fn text(error: IppParseError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with a body of so many octets after its header.
    fn answer(body: &[u8]) -> Vec<u8> {
        [&[1, 1, 0, 0, 0, 0, 0, 1], body].concat()
    }

    fn value(tag: u8, name: &str, value: &[u8]) -> Vec<u8> {
        let counted = |bytes: &[u8]| [&[0, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        [vec![tag], counted(name.as_bytes()), counted(value)].concat()
    }

    #[test]
    fn what_a_printer_says_is_read() {
        let parts = [
            vec![1],
            value(0x41, "status-message", b"well"),
            vec![4],
            value(0x23, "printer-state", &[0, 0, 0, 3]),
            value(0x35, "printer-info", b"\0\x02en\0\x03lab"),
            value(0x44, "printer-state-reasons", b"paused"),
            value(0x44, "", b"media-low-report"),
            value(0x33, "copies-supported", &[0, 0, 0, 1, 0, 0, 0, 99]),
            value(0x13, "queued-job-count", b""),
            value(0x34, "media-col", b""),
            value(0x4A, "", b"media-source"),
            value(0x44, "", b"tray-1"),
            value(0x37, "", b""),
            vec![3],
        ];
        let read = Answer::parse(answer(&parts.concat())).unwrap();
        assert_eq!((read.status, read.message.as_deref()), (0, Some("well")));
        let printer = &read.printers[0];
        assert_eq!(printer.integer("printer-state"), Some(3));
        assert_eq!(printer.text("printer-info").as_deref(), Some("lab"));
        assert_eq!(printer.texts("printer-state-reasons"), ["paused", "media-low-report"]);
        assert_eq!(printer.range("copies-supported"), Some((1, 99)));
        assert_eq!(printer.count("queued-job-count"), None);
    }

    #[test]
    fn a_text_that_says_a_wrong_length_is_an_error_and_no_panic() {
        for bytes in [&b"\0\x09en\0\x03lab"[..], b"\0\x02en\0\x99lab", b"", b"\0"] {
            let parts = [vec![4], value(0x35, "printer-info", bytes), vec![3]].concat();
            assert!(Answer::parse(answer(&parts)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn collections_are_not_read_as_deep_as_anybody_likes() {
        let begin = [value(0x34, "", b""), value(0x4A, "", b"x")].concat();
        let parts = [vec![4], value(0x34, "media-col", b""), begin.repeat(100_000)].concat();
        assert!(Answer::parse(answer(&parts)).unwrap_err().contains("deeper"));
        assert!(Answer::parse(answer(&[4, 0x37, 0, 0, 0, 0, 3])).is_err());
        let open = [vec![4], value(0x34, "media-col", b""), vec![3]].concat();
        assert!(Answer::parse(answer(&open)).is_err());
    }

    #[test]
    fn an_answer_that_is_cut_short_anywhere_is_an_error() {
        let parts = [vec![1], value(0x41, "status-message", b"well"), vec![3]].concat();
        let whole = answer(&parts);
        assert!(Answer::parse(whole.clone()).is_ok());
        for length in 0..whole.len() {
            assert!(Answer::parse(whole[..length].to_vec()).is_err(), "{length}");
        }
    }

    #[test]
    fn an_answer_to_another_request_is_an_error() {
        let mut bytes = answer(&[3]);
        assert!(Answer::parse(bytes.clone()).is_ok());
        bytes[7] = 2;
        assert!(Answer::parse(bytes).is_err());
    }

    #[test]
    fn no_answer_makes_it_panic() {
        // A simple generator, the same each time.
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        let tags =
            [1, 2, 4, 5, 3, 0x34, 0x37, 0x4A, 0x35, 0x36, 0x44, 0x21, 0x22, 0x33, 0x31, 0x13];
        for _ in 0..20_000 {
            let mut bytes = answer(&[1]);
            for _ in 0..random() % 12 {
                bytes.push(tags[usize::from(random()) % tags.len()]);
                for _ in 0..2 {
                    let length = random() % 12;
                    bytes.extend([0, length]);
                    bytes.extend((0..length).map(|_| random() % 6));
                }
            }
            bytes.push(3);
            drop(Answer::parse(bytes));
        }
    }

    #[test]
    fn the_target_stands_third_as_it_was_given() {
        let request = Request::new(Operation::CreateJob, "ipps://printer/ipp/print").unwrap();
        let request = request.with(Group::Job, "copies", Value::Integer(2)).unwrap();
        let expected = [
            vec![1, 1, 0, 5, 0, 0, 0, 1, 1],
            value(0x47, "attributes-charset", b"utf-8"),
            value(0x48, "attributes-natural-language", b"en"),
            value(0x45, "printer-uri", b"ipps://printer/ipp/print"),
            vec![2],
            value(0x21, "copies", &[0, 0, 0, 2]),
            vec![3],
        ];
        assert_eq!(request.bytes(), expected.concat());
    }
}
