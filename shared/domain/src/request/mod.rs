//! What auditors ask to be shown. *Invariants:* whoever answers neither asked nor accepts; nothing is accepted but an answer that
//! was not flagged; what is accepted or withdrawn stays closed; numbers have no holes.
//!
//! | module | about |
//! |---|---|
//! | `state` | a request with its thread, as its events tell it |
//! | `admit` | what the recorder accepts in its stream |
//! | `table` | all requests, for a file that opens anywhere |

mod admit;
mod state;
mod table;

pub(crate) use admit::{Context, admit, reads};
pub use admit::{DUE_MS_MAX, REFERENCES_MAX, REQUEST_TEXT_BYTES_MAX, THREAD_MAX, TITLE_BYTES_MAX};
pub use state::{REQUEST_STATES, Request, Said, Step};
pub use table::csv;
