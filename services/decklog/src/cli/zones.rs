//! The time zone database.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Tzdb {
    /// Which future occurrences of active jobs move with another version of the database; exits 1 where some do, or
    /// where that cannot be told.
    Compare(TzdbCompare),
}

#[derive(Debug, Args)]
pub(crate) struct TzdbCompare {
    /// Directory of the version before. A scheduler keeps copies of the zones in use in `tzdb/<version>` of its data
    /// directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) old: PathBuf,
    /// Directory of the version after; that of this machine when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) new: Option<PathBuf>,
    /// Only this job.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// How many days are looked ahead.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u16).range(1..=4_000))]
    pub(crate) days: u16,
    /// How many occurrences are named.
    #[arg(short, default_value_t = 50)]
    pub(crate) n: usize,
    #[command(flatten)]
    pub(crate) place: Place,
}
