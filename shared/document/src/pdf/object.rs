//! The values a PDF is made of (ISO 32000-1, 7.3).

use std::collections::BTreeMap;
use std::ops::Range;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    Null,
    Bool(bool),
    Integer(i64),
    /// Always finite.
    Real(f64),
    /// A string of bytes.
    String(Vec<u8>),
    Name(Vec<u8>),
    Array(Vec<Object>),
    Dict(Dict),
    Stream(Box<Stream>),
    /// Another object, by its number. The generation is not looked at: one number has one object at a time.
    Reference(u32),
}

/// A dictionary; a key with a null value is not in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Dict(pub(super) BTreeMap<Vec<u8>, Object>);

/// A dictionary with bytes of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stream {
    pub(super) dict: Dict,
    /// Where its bytes are, as they are stored.
    pub(super) data: Range<usize>,
}

impl Dict {
    pub(super) fn get(&self, key: &str) -> Option<&Object> {
        self.0.get(key.as_bytes())
    }

    pub(super) fn set(&mut self, key: &str, value: Object) {
        self.0.insert(key.as_bytes().to_vec(), value);
    }

    /// Whether the value of a key is this name.
    pub(super) fn is(&self, key: &str, name: &str) -> bool {
        self.get(key).and_then(Object::name) == Some(name.as_bytes())
    }
}

impl Object {
    pub(super) fn name(&self) -> Option<&[u8]> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }

    pub(super) fn string(&self) -> Option<&[u8]> {
        if let Self::String(string) = self { Some(string) } else { None }
    }

    pub(super) fn array(&self) -> Option<&[Self]> {
        if let Self::Array(array) = self { Some(array) } else { None }
    }

    /// The dictionary, also that of a stream.
    pub(super) fn dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            Self::Stream(stream) => Some(&stream.dict),
            Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Real(_)
            | Self::String(_)
            | Self::Name(_)
            | Self::Array(_)
            | Self::Reference(_) => None,
        }
    }

    pub(super) fn stream(&self) -> Option<&Stream> {
        if let Self::Stream(stream) = self { Some(stream) } else { None }
    }

    pub(super) fn reference(&self) -> Option<u32> {
        if let Self::Reference(id) = self { Some(*id) } else { None }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        if let Self::Integer(n) = self { Some(*n) } else { None }
    }

    /// The integer, where it fits.
    pub(super) fn count<T: TryFrom<i64>>(&self) -> Option<T> {
        T::try_from(self.integer()?).ok()
    }

    /// The number. An integer too large for a place on a page is the largest one there is.
    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Real(n) = self {
            return Some(*n);
        }
        let n = self.integer()?;
        let nearest = if n < 0 { i32::MIN } else { i32::MAX };
        Some(f64::from(i32::try_from(n).unwrap_or(nearest)))
    }
}

/// So many numbers in a row, as rectangles and matrices are.
pub(super) fn numbers<const N: usize>(objects: &[Object]) -> Option<[f64; N]> {
    let mut all = [0.0; N];
    if objects.len() < N {
        return None;
    }
    for (slot, object) in all.iter_mut().zip(objects) {
        *slot = object.number()?;
    }
    Some(all)
}
