//! Whether a token is believed by whoever trusts some roots: its certificate leads to one of them, was valid at the instant the
//! token says, is for time stamps alone, and its key has signed the statement.
//!
//! Certificates in a token are only the way to a root: which roots are trusted is said by the reader, and by nobody else. No
//! list of revoked certificates is looked at: there is no network here, and a list that came along would say what its bringer likes.

use std::time::Duration;

use der::oid::ObjectIdentifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, ring as by};

use crate::certificate::{Certificate, TIME_STAMPING};
use crate::hash::Hash;
use crate::token::{Signed, Token};

/// The most roots that somebody may bring.
const ROOTS_MAX: usize = 1_000;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// Why roots cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// They are not PEM.
    #[error("it is not PEM: {0}")]
    Pem(String),
    /// One of them is no certificate.
    #[error("certificate {number} in it cannot be read: {why}")]
    Certificate {
        /// Which, from 1.
        number: usize,
        /// Why.
        why: String,
    },
    /// There is none, or there are too many.
    #[error("it has {0} certificates; one to {ROOTS_MAX} are wanted")]
    Count(usize),
}

/// Certificates of authorities whom somebody trusts.
#[derive(Debug, Clone)]
pub struct Roots(Vec<TrustAnchor<'static>>);

impl Roots {
    /// Reads certificates in PEM (RFC 7468); what is not one is passed over.
    ///
    /// # Errors
    /// It is not PEM, has no certificate or more than a thousand, or one that cannot be read.
    pub fn from_pem(text: &[u8]) -> Result<Self, RootsError> {
        let mut roots = Vec::new();
        for (one, number) in CertificateDer::pem_slice_iter(text).zip(1..) {
            let one = one.map_err(|error| RootsError::Pem(error.to_string()))?;
            let anchor = webpki::anchor_from_trusted_cert(&one).map(|anchor| anchor.to_owned());
            roots.push(anchor.map_err(|error| {
                let why = error.to_string();
                RootsError::Certificate { number, why }
            })?);
        }
        let count = roots.len();
        if (1..=ROOTS_MAX).contains(&count) {
            Ok(Self(roots))
        } else {
            Err(RootsError::Count(count))
        }
    }
}

impl Roots {
    /// These and others.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Its certificate leads to none of the roots.
    #[error("its certificate leads to none of the roots: {0}")]
    Root(String),
    /// Its certificate leads to a root, but was not valid then, or is not for this.
    #[error("its certificate is not for it: {0}")]
    Certificate(String),
    /// It uses an algorithm that is not supported.
    #[error("it uses an algorithm that is not supported: {0}")]
    Algorithm(String),
    /// It names a certificate that leads to a root and is for time stamps, and its key has not signed this.
    #[error("{name} has not signed it")]
    Signature {
        /// Whose certificate that is.
        name: String,
    },
}

impl Token {
    /// Whether whoever trusts these roots has to believe it; who says so, then.
    ///
    /// # Errors
    /// It is not to be believed.
    pub fn check(&self, roots: &Roots) -> Result<String, Distrust> {
        let own = self.own_certificate()?;
        let bad = |error: &dyn std::fmt::Display| Distrust::Certificate(error.to_string());
        let read = Certificate::read(own).map_err(|error| bad(&error))?;
        let own = CertificateDer::from(own);
        let certificate = EndEntityCert::try_from(&own).map_err(|error| bad(&error))?;
        self.check_path(&certificate, roots)?;
        if !read.is_for_time_stamps_alone().map_err(|error| bad(&error))? {
            return Err(bad(
                &"it does not say, critically, that it is for time stamps and nothing else",
            ));
        }
        let name = read.name().map_err(|error| bad(&error))?;
        if self.signed.hash.of(&self.content).as_ref() != self.signed.digest {
            return Err(Distrust::Signature { name });
        }
        self.check_signature(&certificate, &name)?;
        Ok(name)
    }

    /// The one whose hash is signed.
    fn own_certificate(&self) -> Result<&[u8], Distrust> {
        let (hash, wanted) = &self.signed.signer;
        let own = self.certificates.iter().find(|one| hash.of(one).as_ref() == wanted);
        own.map(Vec::as_slice).ok_or_else(|| {
            Distrust::Certificate("the certificate that it names is not in it".to_owned())
        })
    }

    /// That there is a path to a root, valid at the instant that the token says (RFC 5280 §6; at most six certificates between).
    fn check_path(&self, certificate: &EndEntityCert<'_>, roots: &Roots) -> Result<(), Distrust> {
        let others: Vec<CertificateDer<'_>> =
            self.certificates.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let seconds = u64::try_from(self.at.as_second()).unwrap_or_default();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        // Those between may say what they are for, and need not; the own one must, and is looked at by itself.
        let usage = KeyUsage::required_if_present(TIME_STAMPING.as_bytes());
        let path =
            certificate.verify_for_usage(algorithms, &roots.0, &others, at, usage, None, None);
        path.map(|_| ()).map_err(|error| distrust(&error))
    }

    fn check_signature(&self, certificate: &EndEntityCert<'_>, name: &str) -> Result<(), Distrust> {
        let Signed { hash, algorithm, attributes, signature, .. } = &self.signed;
        for one in algorithms(algorithm, *hash) {
            match certificate.verify_signature(one, attributes, signature) {
                Ok(()) => return Ok(()),
                Err(webpki::Error::InvalidSignatureForPublicKey) => {
                    return Err(Distrust::Signature { name: name.to_owned() });
                }
                // The key is of another kind.
                Err(_) => {}
            }
        }
        Err(Distrust::Algorithm(format!("{algorithm} by a key of its kind")))
    }
}

fn distrust(error: &webpki::Error) -> Distrust {
    use webpki::Error;
    let text = error.to_string();
    if matches!(error, Error::UnknownIssuer | Error::InvalidSignatureForPublicKey) {
        Distrust::Root(text)
    } else if matches!(
        error,
        Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
    ) {
        Distrust::Algorithm(text)
    } else {
        Distrust::Certificate(text)
    }
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// What the name of a signature's algorithm can stand for; a bare RSA goes by the hash of the statement (RFC 3370 §3.2).
fn algorithms(name: &ObjectIdentifier, hash: Hash) -> Vec<Algorithm> {
    let rsa = |hash: Hash| match hash {
        Hash::Sha256 => vec![by::RSA_PKCS1_2048_8192_SHA256],
        Hash::Sha384 => vec![by::RSA_PKCS1_2048_8192_SHA384],
        Hash::Sha512 => vec![by::RSA_PKCS1_2048_8192_SHA512],
        Hash::Sha1 => Vec::new(),
    };
    match *name {
        RSA => rsa(hash),
        RSA_SHA256 => rsa(Hash::Sha256),
        RSA_SHA384 => rsa(Hash::Sha384),
        RSA_SHA512 => rsa(Hash::Sha512),
        ECDSA_SHA256 => vec![by::ECDSA_P256_SHA256, by::ECDSA_P384_SHA256],
        ECDSA_SHA384 => vec![by::ECDSA_P384_SHA384, by::ECDSA_P256_SHA384],
        _ => Vec::new(),
    }
}
