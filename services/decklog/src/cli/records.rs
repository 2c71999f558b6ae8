//! What is kept although its time has come, and what is erased before.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{NamedAct, Place};

/// Legal holds; payloads (outputs, documents) that are erased before their time, or shown.
#[derive(Debug, Subcommand)]
pub(crate) enum Records {
    /// Lists holds, and what is, or is to be, erased before its time.
    List(Place),
    /// Places a hold: what it is over is not erased until it is lifted.
    Hold(HoldRecords),
    /// Asks for the end of a hold.
    AskLift(NamedAct),
    /// Keeps a hold of which somebody asks for the end.
    Keep(NamedAct),
    /// Lifts a hold; somebody else has asked for that.
    Lift(NamedAct),
    /// Asks for what a run wrote, or a document, to be erased before its time.
    Redact(OfPayload),
    /// Agrees to that; somebody else has asked for it.
    Agree(OfPayload),
    /// Declines it, or takes it back.
    Decline(OfPayload),
    /// Writes what a run wrote, or a document, into a file that shows by itself that the log commits to it: see `evidence export
    /// --payload`.
    Disclose(Disclose),
}

#[derive(Debug, Args)]
pub(crate) struct HoldRecords {
    #[command(flatten)]
    pub(crate) act: NamedAct,
    /// What it is over: job/NAME, queue/NAME, each also with * at the end for all that begin so, or * alone. May be given again.
    #[arg(long, required = true)]
    pub(crate) over: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OfPayload {
    /// The run (job@instant) or document (document/…).
    pub(crate) of: String,
    /// Why: a law, a contract, a person's request.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Disclose {
    /// The run (job@instant) or document (document/…).
    pub(crate) of: String,
    /// Number of the attempt, of a run; the newest that wrote something when absent.
    #[arg(long)]
    pub(crate) attempt: Option<u32>,
    /// The file; it must not exist.
    #[arg(long)]
    pub(crate) to: PathBuf,
    /// Why, of a document: the log hears of it.
    #[arg(long, default_value = "shown as evidence")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
