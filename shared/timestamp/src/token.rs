//! What an authority answered (RFC 3161 §2.4.2): a CMS `SignedData` (RFC 5652) around a `TSTInfo`. It is read as DER, as
//! authorities write it; the other encodings that BER allows are refused.

use der::Tag;
use der::oid::ObjectIdentifier;
use jiff::Timestamp;

use crate::ANSWER_BYTES_MAX;
use crate::elements::{Element, Elements, context, context_value};
use crate::hash::Hash;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// RFC 2634 §5.4, by SHA-1.
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// RFC 5035 §3, by any hash; SHA-256 where none is named.
const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// The status of an answer that has a token, and of one that has a token with some change (RFC 3161 §2.4.2).
const GRANTED: [u64; 2] = [0, 1];
/// Most certificates in a token.
const CERTIFICATES_MAX: usize = 16;
/// Most attributes that are signed.
const ATTRIBUTES_MAX: usize = 64;
/// Most characters of what an authority says of why it gave no token.
const WHY_CHARS: usize = 200;

/// Why bytes are no token that can be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// They are not DER.
    #[error("it is not DER: {0}")]
    Der(#[from] der::Error),
    /// They are DER of something else.
    #[error("it is no time stamp: {0}")]
    Form(&'static str),
    /// The authority gave none.
    #[error("the authority gave none: status {status}{why}")]
    Refused {
        /// The `PKIStatus` of RFC 3161 §2.4.2.
        status: u64,
        /// What it says of it.
        why: String,
    },
    /// It uses what is not supported.
    #[error("it uses {0}")]
    Algorithm(&'static str),
}

/// An answer of an authority that has a token: read, and not believed.
#[derive(Debug, Clone)]
pub struct Token {
    /// The instant that it says.
    pub at: Timestamp,
    /// By how much that may be wrong, in microseconds, as the authority says; nothing where it says nothing.
    pub accuracy_micros: u64,
    /// SHA-256 of what it is over.
    pub imprint: [u8; 32],
    pub(crate) nonce: Option<Vec<u8>>,
    /// The statement, as it was signed for.
    pub(crate) content: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) signed: Signed,
}

/// By whom a statement is, and what that is signed over.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    /// The hash by which the statement is signed for.
    pub(crate) hash: Hash,
    /// Of the statement, as it was when it was signed.
    pub(crate) digest: Vec<u8>,
    /// Which certificate is the signer's: its hash. It is signed too, so that no other can be put in its place.
    pub(crate) signer: (Hash, Vec<u8>),
    /// The bytes under the signature: the attributes, as a `SET OF` (RFC 5652 §5.4).
    pub(crate) attributes: Vec<u8>,
    /// What the algorithm of the signature is called.
    pub(crate) algorithm: ObjectIdentifier,
    pub(crate) signature: Vec<u8>,
}

impl Token {
    /// Reads a `TimeStampResp`, the body of an `application/timestamp-reply`.
    ///
    /// # Errors
    /// It is none, or has no token.
    pub fn read(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(TokenError::Form("it is too long"));
        }
        let mut outer = Elements::of(bytes)?;
        let mut answer = outer.take(Tag::Sequence)?.inside()?;
        outer.end()?;
        granted(answer.take(Tag::Sequence)?)?;
        let mut content = answer.take(Tag::Sequence)?.inside()?;
        answer.end()?;
        if !content.take(Tag::ObjectIdentifier)?.is(&SIGNED_DATA) {
            return Err(TokenError::Form("its content is not signed"));
        }
        signed_data(content.take(context(0))?.inside()?.take(Tag::Sequence)?)
    }
}

/// `PKIStatusInfo`.
fn granted(info: Element<'_>) -> Result<(), TokenError> {
    let mut info = info.inside()?;
    let status = info.take(Tag::Integer)?.number()?;
    if GRANTED.contains(&status) {
        return Ok(());
    }
    let mut why = String::new();
    if let Some(texts) = info.optional(Tag::Sequence)? {
        let mut texts = texts.inside()?;
        while let Some(text) = texts.next()? {
            why.push_str(": ");
            why.push_str(&String::from_utf8_lossy(text.value));
        }
    }
    Err(TokenError::Refused { status, why: why.chars().take(WHY_CHARS).collect() })
}

/// `SignedData` (RFC 5652 §5.1).
fn signed_data(data: Element<'_>) -> Result<Token, TokenError> {
    let mut data = data.inside()?;
    data.take(Tag::Integer)?;
    data.take(Tag::Set)?;
    let mut inner = data.take(Tag::Sequence)?.inside()?;
    if !inner.take(Tag::ObjectIdentifier)?.is(&TST_INFO) {
        return Err(TokenError::Form("what is signed is no statement of a time"));
    }
    let content = inner.take(context(0))?.inside()?.take(Tag::OctetString)?.value;
    let certificates = certificates(data.optional(context(0))?)?;
    data.optional(context(1))?;
    let mut signers = data.take(Tag::Set)?.inside()?;
    data.end()?;
    let signed = signer_info(signers.take(Tag::Sequence)?)?;
    signers.end()?;
    statement(content, certificates, signed)
}

fn certificates(set: Option<Element<'_>>) -> Result<Vec<Vec<u8>>, TokenError> {
    let mut found = Vec::new();
    let Some(set) = set else { return Ok(found) };
    let mut set = set.inside()?;
    while let Some(one) = set.next()? {
        if found.len() == CERTIFICATES_MAX {
            return Err(TokenError::Form("it has too many certificates"));
        }
        found.extend((one.tag == Tag::Sequence).then(|| one.whole.to_vec()));
    }
    Ok(found)
}

/// `SignerInfo` (RFC 5652 §5.3). Who it says has signed is not looked at: the attribute that names the certificate is signed.
fn signer_info(info: Element<'_>) -> Result<Signed, TokenError> {
    let mut info = info.inside()?;
    info.take(Tag::Integer)?;
    info.next()?;
    let hash = Hash::named(info.take(Tag::Sequence)?)?;
    let attributes = info.take(context(0))?;
    let mut algorithm = info.take(Tag::Sequence)?.inside()?;
    let algorithm = algorithm.take(Tag::ObjectIdentifier)?.value;
    let signature = info.take(Tag::OctetString)?.value.to_vec();
    info.optional(context(1))?;
    info.end()?;
    let named = attributes_of(attributes)?;
    if !value(&named, &CONTENT_TYPE, Tag::ObjectIdentifier)?.is(&TST_INFO) {
        return Err(TokenError::Form("its signature is over something of another kind"));
    }
    let mut under = attributes.whole.to_vec();
    // It stands in the token as `[0] IMPLICIT`, and is signed as what it is: a `SET OF`.
    under.splice(..1, [0x31]);
    Ok(Signed {
        hash,
        digest: value(&named, &MESSAGE_DIGEST, Tag::OctetString)?.value.to_vec(),
        signer: signer(&named)?,
        attributes: under,
        algorithm: ObjectIdentifier::from_bytes(algorithm)
            .map_err(|_| TokenError::Form("its algorithm has no name"))?,
        signature,
    })
}

type Attributes<'a> = Vec<(Element<'a>, Element<'a>)>;

/// Each attribute's name, and the set of its values.
fn attributes_of(set: Element<'_>) -> Result<Attributes<'_>, TokenError> {
    let (mut set, mut found) = (set.inside()?, Vec::new());
    while let Some(one) = set.next()? {
        if found.len() == ATTRIBUTES_MAX {
            return Err(TokenError::Form("it has too many attributes"));
        }
        let mut one = one.inside()?;
        found.push((one.take(Tag::ObjectIdentifier)?, one.take(Tag::Set)?));
        one.end()?;
    }
    Ok(found)
}

/// The one value of the one attribute of a name, where there is one.
fn one<'a>(
    named: &Attributes<'a>,
    oid: &ObjectIdentifier,
) -> Result<Option<Element<'a>>, TokenError> {
    let mut all = named.iter().filter(|(name, _)| name.is(oid));
    let Some((_, set)) = all.next() else { return Ok(None) };
    let mut set = set.inside()?;
    let value = set.next()?;
    set.end()?;
    let twice = all.next().is_some();
    if twice { Err(TokenError::Form("an attribute comes twice")) } else { Ok(value) }
}

fn value<'a>(
    named: &Attributes<'a>,
    oid: &ObjectIdentifier,
    tag: Tag,
) -> Result<Element<'a>, TokenError> {
    let value = one(named, oid)?.filter(|value| value.tag == tag);
    value.ok_or(TokenError::Form("an attribute is missing that must be signed"))
}

/// The hash of the signer's certificate: the first of those that are named (RFC 5035 §4).
fn signer(named: &Attributes<'_>) -> Result<(Hash, Vec<u8>), TokenError> {
    let first = |value: Element<'_>| -> Result<(Hash, Vec<u8>), TokenError> {
        let mut first =
            value.inside()?.take(Tag::Sequence)?.inside()?.take(Tag::Sequence)?.inside()?;
        let hash = first.optional(Tag::Sequence)?.map(Hash::named).transpose()?;
        Ok((hash.unwrap_or(Hash::Sha256), first.take(Tag::OctetString)?.value.to_vec()))
    };
    if let Some(value) = one(named, &SIGNING_CERTIFICATE_V2)? {
        return first(value);
    }
    let (_, hash) = first(value(named, &SIGNING_CERTIFICATE, Tag::Sequence)?)?;
    Ok((Hash::Sha1, hash))
}

/// `TSTInfo` (RFC 3161 §2.4.2).
fn statement(
    content: &[u8],
    certificates: Vec<Vec<u8>>,
    signed: Signed,
) -> Result<Token, TokenError> {
    let mut outer = Elements::of(content)?;
    let mut info = outer.take(Tag::Sequence)?.inside()?;
    outer.end()?;
    info.take(Tag::Integer)?;
    info.take(Tag::ObjectIdentifier)?;
    let imprint = message_imprint(info.take(Tag::Sequence)?)?;
    info.take(Tag::Integer)?;
    let at = instant(info.take(Tag::GeneralizedTime)?.value)?;
    let accuracy = info.optional(Tag::Sequence)?.map(accuracy).transpose()?;
    info.optional(Tag::Boolean)?;
    let nonce = info.optional(Tag::Integer)?.map(|nonce| nonce.value.to_vec());
    let accuracy_micros = accuracy.unwrap_or_default();
    Ok(Token {
        at,
        accuracy_micros,
        imprint,
        nonce,
        content: content.to_vec(),
        certificates,
        signed,
    })
}

fn message_imprint(imprint: Element<'_>) -> Result<[u8; 32], TokenError> {
    let mut imprint = imprint.inside()?;
    let hash = Hash::named(imprint.take(Tag::Sequence)?)?;
    let value = imprint.take(Tag::OctetString)?.value;
    let fits = <[u8; 32]>::try_from(value).ok().filter(|_| hash == Hash::Sha256);
    fits.ok_or(TokenError::Algorithm("another hash than SHA-256 of what it is over"))
}

/// `YYYYMMDDhhmmss[.s…]Z`, in UTC always (RFC 3161 §2.4.2).
fn instant(value: &[u8]) -> Result<Timestamp, TokenError> {
    let wrong = TokenError::Form("its time is none");
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii());
    let Some((date, rest)) = text.and_then(|text| text.split_at_checked(8)) else {
        return Err(wrong);
    };
    let Some((time, rest)) = rest.split_at_checked(6) else { return Err(wrong) };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(date) || !digits(time) || !rest.ends_with('Z') {
        return Err(wrong);
    }
    format!("{date}T{time}{rest}").parse().map_err(|_| wrong)
}

/// `Accuracy`: seconds, thousandths and millionths of them.
fn accuracy(value: Element<'_>) -> Result<u64, TokenError> {
    let mut value = value.inside()?;
    let mut micros: u64 = 0;
    for (tag, unit) in [(Tag::Integer, 1_000_000), (context_value(0), 1_000), (context_value(1), 1)]
    {
        let part = value.optional(tag)?.map(Element::number).transpose()?.unwrap_or_default();
        micros = micros.saturating_add(part.saturating_mul(unit));
    }
    value.end()?;
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_fractions_and_is_in_utc() {
        for (text, wanted) in [
            ("20261101123456Z", Some("2026-11-01T12:34:56Z")),
            ("20261101123456.25Z", Some("2026-11-01T12:34:56.25Z")),
            ("20261101123456", None),
            ("20261101123456+0100", None),
            ("20261301123456Z", None),
            ("2026-11-0112:34Z", None),
            ("", None),
            ("202611\u{e4}1123456Z", None),
        ] {
            let wanted = wanted.map(|wanted| wanted.parse().unwrap());
            assert_eq!(instant(text.as_bytes()).ok(), wanted, "{text}");
        }
    }
}
