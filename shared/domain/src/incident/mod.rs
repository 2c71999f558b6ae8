//! Incidents: failures that somebody must deal with. Rules open them from events, a call tree says who is told and whom then,
//! and people acknowledge them, say why they happened, and resolve them.
//!
//! | module | is about |
//! |---|---|
//! | [`tree`] | call trees as people write them |
//! | [`rota`] | whose turn it is |
//! | [`state`] | an incident, as its events tell it |
//! | [`admit`] | what may follow |
//! | [`calls`] | who is told next, and when |
//! | [`message`] | what they are told |
//! | [`words`] | what happened, in words |

pub(crate) mod admit;
pub mod calls;
pub mod message;
pub mod rota;
pub mod state;
pub mod tree;
pub mod words;

pub use rota::Rota;
pub use state::{CallState, Cause, Incident, Said, Seen, Step, StepKind};
pub use tree::{CallTreeDefinition, DEFAULT_TREE, Level, OnFailure, Tell, Weight};

/// Most calls of one step.
pub const CALLS_MAX: usize = 50;
