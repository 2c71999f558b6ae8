//! What auditors ask to be shown.

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Request {
    /// Lists requests, newest first: those that are not over, or others.
    List(ListRequests),
    /// Shows one with its thread.
    Show(OneRequest),
    /// Asks, as an auditor, to be shown something.
    Ask(AskRequest),
    /// Answers one.
    Answer(AnswerRequest),
    /// Says that the answer is enough. Not by whoever answered.
    Accept(SayOfRequest),
    /// Says that the answer is not enough, and what is missing.
    Flag(SayOfRequest),
    /// Says that it is not needed any more, and why. Only by whoever asked.
    Withdraw(SayOfRequest),
}

#[derive(Debug, Args)]
pub(crate) struct ListRequests {
    /// Which: current (not over), open, answered, flagged, overdue, closed, accepted, withdrawn or all.
    #[arg(long, default_value = "current")]
    pub(crate) state: String,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct OneRequest {
    /// Its number.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) request: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct AskRequest {
    /// What is to be shown, in a few words.
    #[arg(long)]
    pub(crate) title: String,
    /// The same at length.
    #[arg(long)]
    pub(crate) text: String,
    /// Until when: a day, to its last second, or an instant.
    #[arg(long)]
    pub(crate) due: String,
    /// The control that it is about, such as CM-01.
    #[arg(long)]
    pub(crate) control: Option<String>,
    /// The first day that it is about.
    #[arg(long, requires = "until")]
    pub(crate) from: Option<jiff::civil::Date>,
    /// The last.
    #[arg(long, requires = "from")]
    pub(crate) until: Option<jiff::civil::Date>,
    /// What in the log it is about: the position of an event, or a stream such as job/payroll. More than once for more.
    #[arg(long = "ref", value_name = "REFERENCE")]
    pub(crate) references: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerRequest {
    #[command(flatten)]
    pub(crate) said: SayOfRequest,
    /// What in the log shows it: the position of an event, or a stream such as run/payroll@request-1. More than once for more.
    #[arg(long = "ref", value_name = "REFERENCE")]
    pub(crate) references: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SayOfRequest {
    #[command(flatten)]
    pub(crate) one: OneRequest,
    /// In which words.
    #[arg(long, default_value = "")]
    pub(crate) text: String,
}
