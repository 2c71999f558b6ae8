//! What people say of runs.

use clap::Args;

use super::Place;

/// An act on one run, or on a selection.
#[derive(Debug, Args)]
pub(crate) struct Act {
    /// The run.
    #[arg(
        required_unless_present_any = ["job", "pool", "state"],
        conflicts_with_all = ["job", "pool", "state"]
    )]
    pub(crate) run: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Several runs at once. What fits all that is given is shown first.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Instead of one run: those of this job.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// Instead of one run: those of this pool.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// Instead of one run: those in this state (several with commas). When absent, those to which it can be done.
    #[arg(long, value_delimiter = ',')]
    pub(crate) state: Vec<String>,
    /// Of a selection, only runs whose instant is not before this, or not longer ago (`12h`).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Does not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The run.
    pub(crate) run: String,
    /// What there is to say about it.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Delay {
    /// It starts not before this instant, or this long from now (`30m`); read in this machine's zone when it has no
    /// offset. One that has passed ends an earlier delay.
    #[arg(long)]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) act: Act,
}

#[derive(Debug, Args)]
pub(crate) struct Rerun {
    /// A value of a parameter, instead of the one it had; may be given several times.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    #[command(flatten)]
    pub(crate) act: Act,
}
