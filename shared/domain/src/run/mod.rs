//! The life of one occurrence or one request.
//!
//! ```text
//!  (nothing) ─ requested ─▶ Requested ─ due ─┐
//!  (nothing) ─ due ──────────────────────────┴▶ Due ─ started ─▶ Running ─ succeeded │ failed │ timed-out │ cancelled ─▶ Ended
//!  (nothing) ─ due with hold ─▶ Held ─ released ─▶ Due    │
//!  (nothing) ─ due with conditions ─▶ Waiting ─ cleared │ overridden ─▶ Due
//!              Waiting ─ blocked ─▶ Blocked ─ cleared │ overridden ─▶ Due; Due, Waiting, Blocked ─ held ─▶ Held
//!              (on several hosts) Due is Parts: a run on each ─ gathered ─▶ Ended
//!  (nothing) ─ skipped │ missed ─▶ Ended                  └ lost ─▶ Unknown ─ evidence │ a person ─▶ Ended
//!                              Running ─ failed │ timed-out │ lost, with attempts left ─▶ Retrying ─ started ─▶ Running
//! ```
//!
//! [`admit`] says which event may follow; the recorder voids every other. [`Run::evolve`] is total:
//! what is in the log has happened.

mod admit;
mod message;
mod state;

pub use admit::{Illegal, admit};
pub use message::{message, missed, skipped};
pub use state::{Attempt, CancelRequest, Context, Outcome, PARTS_MAX, Run, State};
pub(crate) use state::{accounted_instant, ahead_instant, is_ahead, nominal, settled_instant};
