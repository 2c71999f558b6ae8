//! What a site defines beside jobs, and flows.

use clap::{Args, Subcommand, ValueEnum};

use super::{Named, NamedAct, Place};

/// Without a subcommand, the forecast.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Calendar {
    #[command(subcommand)]
    pub(crate) act: Option<CalendarAct>,
    #[command(flatten)]
    pub(crate) forecast: Forecast,
}

#[derive(Debug, Args)]
pub(crate) struct Forecast {
    /// From this instant on, inclusive; read in this machine's zone when it has no offset. Now when absent.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Until this instant, exclusive, or for this long (`7d`).
    #[arg(long, default_value = "24h")]
    pub(crate) to: String,
    /// Only jobs of this pool.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// Only this job.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// Most occurrences named; all are counted.
    #[arg(short = 'n', long, default_value_t = 500)]
    pub(crate) limit: usize,
    /// Prints the number of runs of each hour that has any, instead of the occurrences.
    #[arg(long, conflicts_with = "format")]
    pub(crate) load: bool,
    /// For other programs: `ics` prints a calendar (iCalendar, RFC 5545) with an event an occurrence; what will not run is
    /// a cancelled event with the reason. The console serves the same as /api/v1/calendar.ics.
    #[arg(long, value_enum, conflicts_with = "limit")]
    pub(crate) format: Option<CalendarFormat>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A form of calendars that other programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CalendarFormat {
    /// iCalendar.
    Ics,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CalendarAct {
    /// Lists calendars.
    List(Place),
    /// Shows one calendar and the days of a year that it holds.
    Show {
        #[command(flatten)]
        which: Named,
        /// The year; this one when absent.
        #[arg(long)]
        year: Option<i16>,
    },
    /// Makes the proposed definition active.
    Approve(Named),
    /// No new job may name it; for those that do it goes on holding.
    Retire(NamedAct),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Thing {
    /// Lists them.
    List(Place),
    /// Shows one.
    Show(Named),
    /// Makes the proposed definition active.
    Approve(Named),
    /// Retires it: no new job may name it.
    Retire(NamedAct),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Flow {
    /// Lists flows.
    List(Place),
    /// Draws one flow, with where its newest runs stand.
    Show(FlowShow),
    /// Ends the schedules of all its jobs for good.
    Retire(NamedAct),
}

#[derive(Debug, Args)]
pub(crate) struct FlowShow {
    /// The flow.
    pub(crate) name: String,
    /// Prints a Mermaid diagram.
    #[arg(long)]
    pub(crate) mermaid: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}
