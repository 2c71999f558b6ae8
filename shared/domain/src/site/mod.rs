//! What a site defines beside its jobs: calendars, blackouts, locks, pools and measures. All are proposed, approved and
//! retired like jobs, and each has a stream of its own.
//!
//! | module | is about |
//! |---|---|
//! | [`blackout`] | times in which nothing starts |
//! | [`lock`] | named, counted locks, and who holds them |
//! | [`measures`] | by which measures its controls are tested |
//! | [`pool`] | pools of hosts and their limits |
//! | [`thing`] | any of them, as a document |
//! | [`state`] | any of them, as its events tell it |

pub mod blackout;
pub mod lock;
pub mod measures;
pub mod pool;
pub mod state;
pub mod thing;

pub use blackout::{AppliesTo, BlackoutDefinition, BlackoutEnd, BlackoutTimes};
pub use lock::{Holder, LockDefinition, fits};
pub use measures::{MeasuresDefinition, SITE_MEASURES};
pub use pool::PoolDefinition;
pub use state::{Defined, DefinedSpan};
pub use thing::{Thing, ThingKind};
