//! A PDF as numbered objects (ISO 32000-1, 7.5): read where the cross-reference says, when they are asked for.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::filters::{Failure, Filter, Predictor};
use super::lexer::{Lexer, Token};
use super::object::{Dict, Object, Stream};
use super::xref;
use crate::{DocumentError, Format, Limits};

/// How deep one object may need another one to be read (a stream its length, an object its object stream).
const NESTED: u32 = 8;
/// How many references may follow each other before a value.
const FOLLOWED: u32 = 8;
/// Most filters of one stream.
const FILTERS: usize = 8;
/// What reading any object counts as work at least, in bytes.
const OBJECT_WORK: usize = 64;

/// An open file.
pub(super) struct File<'a> {
    /// From the header on; offsets count from there.
    pub(super) bytes: &'a [u8],
    pub(super) entries: BTreeMap<u32, Entry>,
    pub(super) trailer: Dict,
    pub(super) limits: &'a Limits,
    work: Cell<u64>,
    nested: Cell<u32>,
    streams: RefCell<Cache>,
}

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Entry {
    Free,
    /// At an offset.
    At(usize),
    /// In an object stream, with its place in it.
    In(u32, usize),
}

/// Object streams that were decompressed; as many as fit into the limit of one stream.
#[derive(Default)]
struct Cache {
    streams: BTreeMap<u32, Rc<ObjectStream>>,
    bytes: usize,
}

struct ObjectStream {
    data: Vec<u8>,
    /// Number and offset of each object.
    objects: Vec<(u32, usize)>,
}

pub(super) fn damaged(what: impl Into<String>) -> DocumentError {
    DocumentError::damaged(Format::Pdf, what)
}

pub(super) fn unsupported(what: impl Into<String>) -> DocumentError {
    DocumentError::unsupported(Format::Pdf, what)
}

impl<'a> File<'a> {
    /// Reads the cross-reference of a file, which begins with its header.
    pub(super) fn open(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, DocumentError> {
        let mut file = Self {
            bytes,
            entries: BTreeMap::new(),
            trailer: Dict::default(),
            limits,
            work: Cell::new(0),
            nested: Cell::new(0),
            streams: RefCell::default(),
        };
        xref::read(&mut file)?;
        if file.trailer.get("Encrypt").is_some() {
            return Err(DocumentError::Encrypted);
        }
        Ok(file)
    }

    /// Counts work and refuses too much of it.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), DocumentError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let work = self.work.get().saturating_add(bytes);
        self.work.set(work);
        if work > self.limits.work {
            let limit = self.limits.work;
            return Err(DocumentError::TooMuch { what: "bytes to be read", limit });
        }
        Ok(())
    }

    /// An object by its number; null where there is none.
    pub(super) fn object(&self, id: u32) -> Result<Object, DocumentError> {
        let entry = self.entries.get(&id).copied().unwrap_or(Entry::Free);
        if self.nested.get() >= NESTED {
            return Err(damaged(format!("object {id} needs itself to be read")));
        }
        self.nested.set(self.nested.get() + 1);
        let object = match entry {
            Entry::Free => Ok(Object::Null),
            Entry::At(at) => self.object_at(at, Some(id)).map(|(object, _)| object),
            Entry::In(stream, index) => self.object_in(stream, index, id),
        };
        self.nested.set(self.nested.get() - 1);
        object
    }

    /// The value, where it is a reference what it refers to.
    pub(super) fn follow<'o>(&self, object: &'o Object) -> Result<Cow<'o, Object>, DocumentError> {
        let mut found = Cow::Borrowed(object);
        for _ in 0..FOLLOWED {
            let Some(id) = found.reference() else { return Ok(found) };
            found = Cow::Owned(self.object(id)?);
        }
        Err(damaged("references lead in a circle"))
    }

    /// The value of a key.
    pub(super) fn get<'o>(
        &self,
        dict: &'o Dict,
        key: &str,
    ) -> Result<Option<Cow<'o, Object>>, DocumentError> {
        let found = dict.get(key).map(|value| self.follow(value)).transpose()?;
        Ok(found.filter(|value| **value != Object::Null))
    }

    /// The dictionary that is the value of a key; empty where there is none.
    pub(super) fn dict(&self, dict: &Dict, key: &str) -> Result<Dict, DocumentError> {
        let found = self.get(dict, key)?;
        Ok(found.and_then(|value| value.dict().cloned()).unwrap_or_default())
    }

    /// An entry of a dictionary that is the value of a key, as a resource is one of its category.
    pub(super) fn entry(
        &self,
        dict: &Dict,
        key: &str,
        name: &[u8],
    ) -> Result<Option<Object>, DocumentError> {
        let found = self.get(dict, key)?;
        Ok(found.and_then(|found| found.dict()?.0.get(name).cloned()))
    }

    /// The number that is the value of a key.
    pub(super) fn number(&self, dict: &Dict, key: &str) -> Result<Option<f64>, DocumentError> {
        Ok(self.get(dict, key)?.and_then(|value| value.number()))
    }

    /// The array that is the value of a key, with its own references followed.
    pub(super) fn array(
        &self,
        dict: &Dict,
        key: &str,
    ) -> Result<Option<Vec<Object>>, DocumentError> {
        let Some(found) = self.get(dict, key)? else { return Ok(None) };
        let Some(array) = found.array() else { return Ok(None) };
        self.spend(array.len().saturating_mul(size_of::<Object>()))?;
        let followed = array.iter().map(|value| self.follow(value).map(Cow::into_owned));
        followed.collect::<Result<_, _>>().map(Some)
    }

    /// An object at an offset, and its number: `n g obj … endobj`.
    pub(super) fn object_at(
        &self,
        at: usize,
        id: Option<u32>,
    ) -> Result<(Object, u32), DocumentError> {
        let bad = |what: &str| damaged(format!("{what} at byte {at}"));
        let mut lexer = Lexer::file(self.bytes, at, self.limits.values);
        let found: u32 = lexer.integer().map_err(|_| bad("there is no object"))?;
        lexer.integer::<u32>().map_err(|_| bad("there is no object"))?;
        lexer.keyword("obj").map_err(|_| bad("there is no object"))?;
        if id.is_some_and(|id| id != found) {
            return Err(bad("there is another object than the cross-reference says"));
        }
        let object = lexer.value().map_err(bad)?;
        let after = lexer.token().map_err(bad)?;
        self.spend(lexer.at.saturating_sub(at).saturating_add(OBJECT_WORK))?;
        match (after, object) {
            (Token::Keyword(b"endobj"), object) => Ok((object, found)),
            (Token::Keyword(b"stream"), Object::Dict(dict)) => {
                let stream = self.stream_at(dict, lexer.at).map_err(|error| match error {
                    StreamError::Bad(what) => bad(what),
                    StreamError::Document(error) => error,
                })?;
                Ok((Object::Stream(Box::new(stream)), found))
            }
            (Token::Keyword(_) | Token::Value(_) | Token::End, _) => {
                Err(bad("an object has no end"))
            }
        }
    }

    /// The bytes of a stream, whose keyword ends at this offset (7.3.8).
    fn stream_at(&self, dict: Dict, at: usize) -> Result<Stream, StreamError> {
        let length = self.get(&dict, "Length").map_err(StreamError::Document)?;
        let length = length.and_then(|length| length.count::<usize>());
        let length = length.ok_or(StreamError::Bad("a stream has no length"))?;
        let start = match self.bytes.get(at..).unwrap_or_default() {
            [b'\r', b'\n', ..] => at + 2,
            [b'\n' | b'\r', ..] => at + 1,
            _ => return Err(StreamError::Bad("a stream begins badly")),
        };
        let end = start.checked_add(length).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(StreamError::Bad("a stream is cut short"))?;
        let mut lexer = Lexer::file(self.bytes, end, 1);
        let ended = lexer.keyword("endstream");
        ended.map_err(|_| StreamError::Bad("a stream is not as long as it says"))?;
        Ok(Stream { dict, data: start..end })
    }

    fn object_in(&self, stream: u32, index: usize, id: u32) -> Result<Object, DocumentError> {
        let stream = self.object_stream(stream)?;
        let entry = stream.objects.get(index).filter(|(number, _)| *number == id);
        let Some(&(_, at)) = entry else {
            return Err(damaged(format!("object {id} is not where the cross-reference says")));
        };
        let mut lexer = Lexer::file(&stream.data, at, self.limits.values);
        let object = lexer.value().map_err(|what| damaged(format!("{what} in object {id}")))?;
        self.spend(lexer.at.saturating_sub(at).saturating_add(OBJECT_WORK))?;
        Ok(object)
    }

    /// An object stream (7.5.7), decompressed once as long as there is room.
    fn object_stream(&self, id: u32) -> Result<Rc<ObjectStream>, DocumentError> {
        if let Some(known) = self.streams.borrow().streams.get(&id) {
            return Ok(Rc::clone(known));
        }
        let bad = || damaged(format!("object {id} is no object stream"));
        let Some(Entry::At(_)) = self.entries.get(&id) else { return Err(bad()) };
        let object = self.object(id)?;
        let stream = object.stream().filter(|s| s.dict.is("Type", "ObjStm")).ok_or_else(bad)?;
        let data = self.decode(stream)?;
        let number = |key| stream.dict.get(key).and_then(Object::count::<usize>);
        let (n, first) = number("N").zip(number("First")).ok_or_else(bad)?;
        let mut lexer = Lexer::file(&data, 0, u32::MAX);
        let mut objects = vec![];
        for _ in 0..n {
            let entry = lexer.integer::<u32>().and_then(|id| Ok((id, lexer.integer::<usize>()?)));
            let (id, at) = entry.map_err(|_| bad())?;
            objects.push((id, at.checked_add(first).ok_or_else(bad)?));
            self.limits.check_objects(objects.len())?;
        }
        let stream = Rc::new(ObjectStream { data, objects });
        self.streams.borrow_mut().keep(id, &stream, self.limits.stream);
        Ok(stream)
    }

    /// The bytes of a stream as they are stored.
    pub(super) fn stored(&self, stream: &Stream) -> &'a [u8] {
        self.bytes.get(stream.data.clone()).unwrap_or_default()
    }

    /// The bytes of a stream without its filters.
    pub(super) fn decode(&self, stream: &Stream) -> Result<Vec<u8>, DocumentError> {
        let mut data = Cow::Borrowed(self.stored(stream));
        for filter in self.filters(&stream.dict)? {
            let decoded =
                filter.undo(&data, self.limits.stream).map_err(|failure| match failure {
                    Failure::Bad(what) => damaged(format!("{what} at byte {}", stream.data.start)),
                    Failure::TooMuch => {
                        let limit = u64::try_from(self.limits.stream).unwrap_or(u64::MAX);
                        DocumentError::TooMuch { what: "bytes in one stream", limit }
                    }
                })?;
            self.spend(decoded.len())?;
            data = Cow::Owned(decoded);
        }
        self.spend(data.len())?;
        Ok(data.into_owned())
    }

    fn filters(&self, dict: &Dict) -> Result<Vec<Filter>, DocumentError> {
        if dict.get("F").is_some() {
            return Err(unsupported("the data of a stream is in another file"));
        }
        let names = self.one_or_many(dict, "Filter")?;
        let parameters = self.one_or_many(dict, "DecodeParms")?;
        if names.len() > FILTERS {
            return Err(damaged("a stream has too many filters"));
        }
        let none = Dict::default();
        let mut filters = vec![];
        for (n, name) in names.iter().enumerate() {
            let given = parameters.get(n).and_then(Object::dict).unwrap_or(&none);
            filters.extend(self.filter(name, given)?);
        }
        Ok(filters)
    }

    fn filter(&self, name: &Object, given: &Dict) -> Result<Option<Filter>, DocumentError> {
        Ok(Some(match name.name() {
            Some(b"FlateDecode" | b"Fl") => Filter::Flate(self.predictor(given)?),
            Some(b"LZWDecode" | b"LZW") => {
                let early = self.number(given, "EarlyChange")? != Some(0.0);
                Filter::Lzw { early, predictor: self.predictor(given)? }
            }
            Some(b"ASCIIHexDecode" | b"AHx") => Filter::Hex,
            Some(b"ASCII85Decode" | b"A85") => Filter::Ascii85,
            Some(b"RunLengthDecode" | b"RL") => Filter::RunLength,
            Some(b"Crypt") => return Ok(None),
            Some(_) | None => return Err(unsupported("a stream is stored as no data or text is")),
        }))
    }

    fn predictor(&self, given: &Dict) -> Result<Predictor, DocumentError> {
        let Some(kind) = self.get(given, "Predictor")? else { return Ok(Predictor::NONE) };
        let number = |key, otherwise| {
            let said = self.get(given, key)?;
            let number = said.map_or(Some(otherwise), |said| said.count::<usize>());
            number.ok_or_else(|| damaged("a predictor is damaged"))
        };
        Ok(Predictor {
            kind: kind.count().ok_or_else(|| damaged("a predictor is damaged"))?,
            colors: number("Colors", 1)?,
            bits: number("BitsPerComponent", 8)?,
            columns: number("Columns", 1)?,
        })
    }

    fn one_or_many(&self, dict: &Dict, key: &str) -> Result<Vec<Object>, DocumentError> {
        if let Some(many) = self.array(dict, key)? {
            return Ok(many);
        }
        Ok(self.get(dict, key)?.map(Cow::into_owned).into_iter().collect())
    }
}

enum StreamError {
    Bad(&'static str),
    Document(DocumentError),
}

impl Cache {
    fn keep(&mut self, id: u32, stream: &Rc<ObjectStream>, limit: usize) {
        let bytes =
            stream.data.len().saturating_add(stream.objects.len() * size_of::<(u32, usize)>());
        if self.bytes.saturating_add(bytes) > limit {
            (self.streams, self.bytes) = (BTreeMap::new(), 0);
        }
        self.streams.insert(id, Rc::clone(stream));
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
