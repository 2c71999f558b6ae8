//! Evidence that is believed without believing whoever hands it over: the log of a site as one file, and the examination of
//! it, which computes everything again that can be computed.
//!
//! The crate has no clock, no network and no database: bytes go in, findings come out. `ops/handbook/evidence-format.md` says
//! the format in words, so that somebody else can write what stands here.
//!
//! | module | is about |
//! |---|---|
//! | `archive` | the container: a plain tar of which every byte is given by what is in it |
//! | [`bundle`] | which files are in it, and how they are made |
//! | [`examiner`] | leaves, one after the other: bytes, signatures, counters, marks, the tree |
//! | [`heads`] | signed heads: by whom, of which tree, and cosigned by whom |
//! | [`names`] | the names under which a log has gone, one after the other |
//! | [`payloads`] | payloads that are shown, and what the log commits to |
//! | [`timestamps`] | what time-stamping authorities said of heads |
//! | [`finding`] | what may be wrong, by name, and what is to be said in the end |
//! | [`verify`](mod@verify) | a bundle from its first to its last byte |
//! | `text` | the answer, for people |
//! | [`part`] | a part of a log: what one control tells of, with proofs |
//! | [`parts`] | an archive that was cut into parts |
//! | [`misbehaviour`] | two heads that cannot both be true, as a file that shows it by itself |

mod archive;
pub mod bundle;
pub mod examiner;
pub mod finding;
pub mod heads;
pub mod misbehaviour;
pub mod names;
pub mod part;
pub mod parts;
pub mod payloads;
mod text;
pub mod timestamps;
pub mod verify;

pub use archive::ArchiveError;
pub use bundle::{Request, Writer};
pub use examiner::{Depth, Examined, Examiner};
pub use finding::{Finding, Findings, Kind, Verdict};
pub use heads::{Head, Trust};
pub use misbehaviour::Misbehaviour;
pub use part::{PartRequest, PartWriter};
pub use payloads::{PAYLOADS_MAX, Shown};
/// Whose time stamps somebody believes.
pub use timestamp::Roots;
pub use verify::{Report, verify};
