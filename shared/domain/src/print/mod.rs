//! Prints: documents, the queues they wait in, and numbered stock. What is to be printed, what may be said of it, and what
//! became of it.
//!
//! | module | is about |
//! |---|---|
//! | `queue`, `form` | queues and forms as people write them |
//! | `work` | what a job of kind `print` does |
//! | `options` | how a document is printed |
//! | [`document`] | a document as its events tell it |
//! | [`spool`] | a queue as its events tell it |
//! | [`register`] | what became of each number, and the file for the bank |
//! | [`reconcile`] | what does not add up |
//! | [`facts`] | what a host knows of a document and tells |
//! | [`amount`] | amounts and control totals |
//! | [`stock`] | a form as its events tell it: what became of each number |
//! | [`seen`] | what a host says of what it saw at a printer |
//! | [`admit`] | what the recorder accepts |

pub mod admit;
pub mod amount;
pub mod document;
pub mod facts;
mod form;
mod options;
mod queue;
pub mod reconcile;
pub mod register;
pub mod seen;
pub mod spool;
pub mod stock;
mod work;

pub use admit::listed;
pub use document::{Document, State};
pub use form::{FormDefinition, FormKind, PayColumn, PositivePay};
pub use options::{
    COPIES_MAX, DocumentFormat, HoldWhy, Options, PageRange, ReleaseBy, Sides, check_ranges,
    selected,
};
pub use queue::{DOCUMENT_BYTES_MAX, Inbox, QueueDefinition, QueueKind, TextLayout, Transport};
pub use spool::Queue;
pub use stock::Form;
pub use work::{
    ArtefactOf, Burst, BurstPart, ControlRule, Deliver, DirectoryTo, DocumentSource, MailTo,
    PrintWork, RegisterRule, SftpTo, Taken,
};

use crate::canonical::Digest;
use crate::ids::StreamId;

/// The identity of a document that a run took: its content, its run, and what it is for. `fingerprint` is a keyed hash of the
/// content; `place` tells two of the same run apart that are the same.
pub fn document_id(fingerprint: &Digest, origin: &str, purpose: &str, place: u32) -> StreamId {
    let whole = format!("decklog-document-1\n{fingerprint}\n{origin}\n{purpose}\n{place}\n");
    let digest = Digest::of(whole.as_bytes()).to_string();
    StreamId::document(digest.get(..32).unwrap_or_default())
}
