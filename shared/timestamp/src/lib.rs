//! Time stamps of authorities outside (RFC 3161): what is asked of one, what it answered, and whether whoever trusts some roots
//! has to believe that.
//!
//! A token says that bytes with a certain hash existed at an instant, as far as the authority's clock and key are trusted. It
//! says nothing of what was left out. Bytes go in and statements come out: the crate has no clock, no network and no files.
//!
//! | module | is about |
//! |---|---|
//! | `query` | what is asked of an authority |
//! | `token` | what it answered: read, and not believed |
//! | `trust` | whether it is believed: certificates, their purpose, their time, signatures |
//! | `certificate` | the few things of a certificate that a path's examination does not look at |
//! | `hash` | the hashes that occur |
//! | `elements` | DER (X.690), one element after the other |

mod certificate;
mod elements;
mod hash;
mod query;
mod token;
mod trust;

pub use query::{Mismatch, Query, imprint};
pub use token::{Token, TokenError};
pub use trust::{Distrust, Roots, RootsError};

/// The longest answer of an authority that is read, in bytes: a token with its chain has less than ten thousand.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
