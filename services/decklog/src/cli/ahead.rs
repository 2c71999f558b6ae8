//! Questions about the present and the future.

use clap::Args;

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
