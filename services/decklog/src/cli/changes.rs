//! Changes that people ask for and decide, and the morning review.

use clap::{Args, Subcommand, ValueEnum};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Change {
    /// Lists changes that wait for somebody.
    List(Place),
    /// Shows the change of something that waits: what differs, and what it does to the next 14 days.
    Show(OfThing),
    /// Shows the newest changes of something, and what became of each.
    History(OfThing),
    /// Makes it the active definition. Somebody else does than proposed it.
    Approve(Decide),
    /// Says no to it; after an emergency, that it was not right.
    Reject(Decide),
    /// Takes back what you proposed.
    Withdraw(Decide),
    /// Says something of it; the reason is what you say.
    Comment(Decide),
    /// Makes what you proposed active now, because it cannot wait. Somebody else has to look at it afterwards.
    Expedite(Expedite),
    /// Says that what became active in an emergency was right.
    Ratify(Decide),
    /// Proposes once more what was active before.
    Revert(Decide),
}

#[derive(Debug, Args)]
pub(crate) struct OfThing {
    /// What is defined, such as job/payroll-export or calendar/bank.
    pub(crate) thing: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// What is defined, such as job/payroll-export or calendar/bank.
    pub(crate) thing: String,
    /// Number of the definition: what is decided is what was shown.
    pub(crate) number: u32,
    /// Why.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Expedite {
    #[command(flatten)]
    pub(crate) decide: Decide,
    /// Within how many hours somebody else has to have looked.
    #[arg(long, default_value_t = 24)]
    pub(crate) hours: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Review {
    /// Shows what is to be reviewed: everything since the last review. Ends with 1 while an exception is open.
    Show(Place),
    /// Says what becomes of an exception.
    Note(Note),
    /// Signs for everything since the last review. Each exception must have a disposition.
    Sign(Sign),
}

/// What becomes of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Becomes {
    /// It was looked at.
    Note,
    /// It is dealt with elsewhere; give --ticket.
    Ticket,
    /// It is known, and its job's exceptions are taken for granted; give --until.
    Accepted,
    /// It ran again; give --run.
    Rerun,
}

#[derive(Debug, Args)]
pub(crate) struct Note {
    /// The run, JOB@INSTANT.
    pub(crate) run: String,
    /// What you say.
    #[arg(long)]
    pub(crate) note: String,
    /// What becomes of it.
    #[arg(long, value_enum, default_value_t = Becomes::Note)]
    pub(crate) becomes: Becomes,
    /// The ticket's name.
    #[arg(long)]
    pub(crate) ticket: Option<String>,
    /// Until when: a day, or an instant.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// The run that ran again.
    #[arg(long)]
    pub(crate) again: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Anything to say.
    #[arg(long, default_value = "")]
    pub(crate) statement: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
