//! The life of one occurrence or one request.
//!
//! ```text
//!  (nothing) ─ requested ─▶ Requested ─ due ─┐
//!  (nothing) ─ due ──────────────────────────┴▶ Due ─ started ─▶ Running ─ succeeded │ failed │ timed-out │ cancelled ─▶ Ended
//!  (nothing) ─ due with hold ─▶ Held ─ released ─▶ Due    │
//!  (nothing) ─ skipped │ missed ─▶ Ended                  └ lost ─▶ Unknown ─ evidence │ a person ─▶ Ended
//!                              Running ─ failed │ timed-out │ lost, with attempts left ─▶ Retrying ─ started ─▶ Running
//! ```
//!
//! [`admit`] says which event may follow; the recorder voids every other. [`Run::evolve`] is total:
//! what is in the log has happened.

mod admit;
mod state;

pub use admit::{Illegal, admit};
pub use state::{Attempt, CancelRequest, Context, Outcome, Run, State};
pub(crate) use state::{nominal, settled_instant};
