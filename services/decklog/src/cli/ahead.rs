//! Questions about the present and the future.

use clap::Args;
use domain::time::HumanDuration;

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// A run, such as payroll@2026-11-20T02:30-05:00, or a job.
    #[arg(value_name = "RUN|JOB")]
    pub(crate) what: String,
    /// Of a job, the time of an occurrence that lies ahead or has passed, or is none: an instant; without an offset on
    /// the clock of the job's zone; a date that has one occurrence; a time of day, of the next such occurrence; or
    /// `next`.
    #[arg(value_name = "TIME")]
    pub(crate) time: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// From this instant on, inclusive; read in this machine's zone when it has no offset. Now when absent.
    #[arg(long, conflicts_with = "night")]
    pub(crate) from: Option<String>,
    /// Until this instant, exclusive, or for this long (`7d`). What is open then is carried to its end.
    #[arg(long, default_value = "24h", conflicts_with = "night")]
    pub(crate) to: String,
    /// The night that begins on this date: noon to noon in this machine's zone.
    #[arg(long, value_name = "DATE")]
    pub(crate) night: Option<String>,
    #[command(flatten)]
    pub(crate) told: Told,
    /// Most runs named; all are counted.
    #[arg(short = 'n', long, default_value_t = 500)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// How far ahead, or until this instant.
    #[arg(long, default_value = "24h")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) told: Told,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What of a rehearsal is told. All jobs take part in it, whatever is told.
#[derive(Debug, Args)]
pub(crate) struct Told {
    /// Only this job.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// Only jobs of this flow.
    #[arg(long)]
    pub(crate) flow: Option<String>,
    /// Only jobs of this pool.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// How long a run takes of a job that has none yet that did its work.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(crate) assume: HumanDuration,
    /// Exits 1 when a limit will be missed.
    #[arg(long)]
    pub(crate) check: bool,
}
