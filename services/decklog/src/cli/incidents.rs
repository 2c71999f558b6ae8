//! Failures that somebody must deal with.

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Incident {
    /// Lists incidents, newest first: those that are open, or all.
    List(ListIncidents),
    /// Shows one: what happened, who was told, what was said.
    Show(OneIncident),
    /// Reports one: people are called.
    Report(ReportIncident),
    /// Says that you deal with it: nobody else is called.
    Acknowledge(SayOfIncident),
    /// Says something of it.
    Note(SayOfIncident),
    /// Says why it happened.
    Cause(CauseOfIncident),
    /// Says that it is dealt with, and what was done. Not by whoever caused it.
    Resolve(SayOfIncident),
    /// Opens it again.
    Reopen(SayOfIncident),
    /// Tells those who are affected.
    Broadcast(SayOfIncident),
    /// Who would be called now, and whose turn it is in the days to come.
    OnCall(Place),
}

#[derive(Debug, Args)]
pub(crate) struct ListIncidents {
    /// Only of this, such as job/payroll.
    #[arg(long)]
    pub(crate) of: Option<String>,
    /// Also those that are resolved.
    #[arg(long)]
    pub(crate) all: bool,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct OneIncident {
    /// Its name, such as job/payroll/3; job/payroll for the newest of that.
    pub(crate) incident: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct SayOfIncident {
    #[command(flatten)]
    pub(crate) one: OneIncident,
    /// In which words.
    #[arg(long, default_value = "")]
    pub(crate) text: String,
}

#[derive(Debug, Args)]
pub(crate) struct CauseOfIncident {
    #[command(flatten)]
    pub(crate) said: SayOfIncident,
    /// The account of the person who caused it, where one did.
    #[arg(long)]
    pub(crate) caused_by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportIncident {
    /// What it is about: job/NAME, host/NAME, dataset/NAME, repository/NAME, queue/NAME or form/NAME.
    pub(crate) of: String,
    /// What happened.
    #[arg(long)]
    pub(crate) text: String,
    /// minor, major or critical.
    #[arg(long, default_value = "major")]
    pub(crate) severity: String,
    /// The call tree by which people are told; that of the job, or `default`, where there is one, when absent.
    #[arg(long)]
    pub(crate) call_tree: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}
