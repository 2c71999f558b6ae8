//! The few things of a certificate (RFC 5280) that the examination of its path does not look at: whether it is for time stamps
//! and for nothing else, and what its owner is called.

use der::Tag;
use der::oid::ObjectIdentifier;

use crate::elements::{Element, Elements, context};
use crate::token::TokenError;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// `id-kp-timeStamping`.
pub(crate) const TIME_STAMPING: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// `true`, the only way in which DER writes it.
const TRUE: [u8; 1] = [0xff];
/// Most characters of a name that are told.
const NAME_CHARS: usize = 100;

/// What was read of one.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    subject: Element<'a>,
    extensions: Option<Element<'a>>,
}

impl<'a> Certificate<'a> {
    /// Reads `TBSCertificate` (RFC 5280 §4.1).
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, TokenError> {
        let mut all = Elements::of(bytes)?.take(Tag::Sequence)?.inside()?;
        let mut signed = all.take(Tag::Sequence)?.inside()?;
        signed.optional(context(0))?;
        signed.take(Tag::Integer)?;
        // The algorithm, the issuer, the validity.
        for _ in 0..3 {
            signed.take(Tag::Sequence)?;
        }
        let subject = signed.take(Tag::Sequence)?;
        signed.take(Tag::Sequence)?;
        let mut extensions = None;
        while let Some(more) = signed.next()? {
            extensions = (more.tag == context(3)).then_some(more).or(extensions);
        }
        Ok(Self { subject, extensions })
    }

    /// Whether it says, and says critically, that it is for time stamps, and for nothing else (RFC 3161 §2.3).
    pub(crate) fn is_for_time_stamps_alone(&self) -> Result<bool, TokenError> {
        let Some(extensions) = self.extensions else { return Ok(false) };
        let mut list = extensions.inside()?.take(Tag::Sequence)?.inside()?;
        while let Some(extension) = list.next()? {
            let mut extension = extension.inside()?;
            if !extension.take(Tag::ObjectIdentifier)?.is(&EXTENDED_KEY_USAGE) {
                continue;
            }
            let critical = extension.optional(Tag::Boolean)?.is_some_and(|it| it.value == TRUE);
            let purposes = extension.take(Tag::OctetString)?.inside()?.take(Tag::Sequence)?;
            let mut purposes = purposes.inside()?;
            let alone = purposes.next()?.is_some_and(|purpose| purpose.is(&TIME_STAMPING));
            return Ok(critical && alone && purposes.next()?.is_none());
        }
        Ok(false)
    }

    /// What its owner is called: the common name, or else the organization.
    pub(crate) fn name(&self) -> Result<String, TokenError> {
        let (mut names, mut found) = (self.subject.inside()?, [None, None]);
        while let Some(set) = names.next()? {
            let mut set = set.inside()?;
            while let Some(pair) = set.next()? {
                let mut pair = pair.inside()?;
                let (oid, value) = (pair.take(Tag::ObjectIdentifier)?, pair.next()?);
                for (wanted, place) in [COMMON_NAME, ORGANIZATION].iter().zip(&mut found) {
                    *place = value.filter(|_| oid.is(wanted)).or(*place);
                }
            }
        }
        let [name, organization] = found;
        let told = |value: Element<'_>| {
            String::from_utf8_lossy(value.value).chars().take(NAME_CHARS).collect()
        };
        Ok(name.or(organization).map_or_else(|| "somebody without a name".to_owned(), told))
    }
}
