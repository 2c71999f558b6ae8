//! Elements of DER (X.690), one after the other. Each is its tag, its value and all of its bytes; what is in a value is read by
//! whoever knows what it is, so that no depth of nesting is followed that is not asked for.

use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use der::{Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use crate::token::TokenError;

/// `[n]`, with elements in it.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// `[n]`, with a value in it.
pub(crate) const fn context_value(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    pub(crate) value: &'a [u8],
    /// With its tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// What is in it.
    pub(crate) fn inside(self) -> Result<Elements<'a>, TokenError> {
        Elements::of(self.value)
    }

    pub(crate) fn is(self, oid: &ObjectIdentifier) -> bool {
        self.tag == Tag::ObjectIdentifier && self.value == oid.as_bytes()
    }

    /// A number that is not negative and small.
    pub(crate) fn number(self) -> Result<u64, TokenError> {
        let fits = self.value.len() <= 8 && self.value.first().is_some_and(|byte| *byte < 0x80);
        let number = || self.value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        fits.then(number).ok_or(TokenError::Form("a number is out of range"))
    }
}

/// Elements that follow each other.
#[derive(Debug)]
pub(crate) struct Elements<'a>(SliceReader<'a>);

impl<'a> Elements<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, TokenError> {
        Ok(Self(SliceReader::new(bytes)?))
    }

    pub(crate) fn next(&mut self) -> Result<Option<Element<'a>>, TokenError> {
        if self.0.is_finished() {
            return Ok(None);
        }
        let whole = self.0.tlv_bytes()?;
        let any = AnyRef::try_from(whole)?;
        Ok(Some(Element { tag: any.tag(), value: any.value(), whole }))
    }

    /// The next one, which must have this tag.
    pub(crate) fn take(&mut self, tag: Tag) -> Result<Element<'a>, TokenError> {
        let next = self.next()?.filter(|next| next.tag == tag);
        next.ok_or(TokenError::Form("an element is not what stands at its place"))
    }

    /// The next one, if it has this tag.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, TokenError> {
        if self.0.is_finished() || Tag::peek(&self.0)? != tag {
            return Ok(None);
        }
        self.next()
    }

    /// Nothing is left.
    pub(crate) fn end(&self) -> Result<(), TokenError> {
        let end = self.0.is_finished();
        end.then_some(()).ok_or(TokenError::Form("something stands behind the end"))
    }
}
