//! What people say of single occurrences.

use clap::{Args, Subcommand};

use super::{Next, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Occurrence {
    /// Lists the next occurrences of a job, and what was said of single ones.
    List(Next),
    /// When its time comes, it waits for a person.
    Hold(OccurrenceAct),
    /// Takes back what was said of it.
    Release(OccurrenceAct),
    /// It will not run.
    Skip(OccurrenceAct),
    /// It runs at another instant, before or after its own.
    Move {
        #[command(flatten)]
        which: OneOccurrence,
        /// The instant it runs at, read in the job's zone when it has no offset; or how long from now (`2h`).
        #[arg(long)]
        to: String,
    },
    /// It runs now.
    RunNow(OneOccurrence),
}

/// One occurrence of one job.
#[derive(Debug, Args)]
pub(crate) struct OneOccurrence {
    /// The job.
    #[arg(value_name = "JOB")]
    pub(crate) of: String,
    /// Its time: an instant; without an offset on the clock of the job's zone; a date that has one occurrence; a time
    /// of day, of the next such occurrence; or `next`.
    #[arg(value_name = "TIME")]
    pub(crate) time: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// An act on one occurrence, or on all of a job or pool in a range.
#[derive(Debug, Args)]
pub(crate) struct OccurrenceAct {
    /// The job.
    #[arg(
        value_name = "JOB",
        requires = "time",
        required_unless_present_any = ["job", "pool"],
        conflicts_with_all = ["job", "pool", "from", "to"]
    )]
    pub(crate) of: Option<String>,
    /// Its time: an instant; without an offset on the clock of the job's zone; a date that has one occurrence; a time
    /// of day, of the next such occurrence; or `next`.
    #[arg(value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    /// Instead of one: those of this job.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// Instead of one: those of jobs of this pool.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// Of a selection, from this instant on, inclusive; read in this machine's zone when it has no offset. Now when
    /// absent.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Of a selection, until this instant, exclusive, or for this long (`7d`).
    #[arg(long, default_value = "24h")]
    pub(crate) to: String,
    /// Does not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}
