//! Our own printed pages.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// One page with the log's signed head and a code to scan, for somebody outside of IT to keep.
    DailyHead(ReportOf),
    /// The night for whoever reviews it in the morning: exceptions first, then datasets at risk, prints that did not arrive, and
    /// changes.
    MorningReview(ReportOf),
}

#[derive(Debug, Args)]
pub(crate) struct ReportOf {
    /// The PDF file; it must not exist.
    #[arg(long)]
    pub(crate) to: PathBuf,
    /// The time it is about: 24h, 12h, 2026-11-20.
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// The name of the site, at the top of the page; the log's when absent.
    #[arg(long)]
    pub(crate) site: Option<String>,
    /// For whom it is.
    #[arg(long, default_value = "whoever reviews the night")]
    pub(crate) reader: String,
    /// The zone of its times; this machine's when absent.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// The size of the paper.
    #[arg(long, value_enum, default_value_t = Paper::A4)]
    pub(crate) paper: Paper,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A size of paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Paper {
    /// 210 mm by 297 mm.
    A4,
    /// 8.5 in by 11 in.
    Letter,
}

impl From<Paper> for paper::Sheet {
    fn from(of: Paper) -> Self {
        match of {
            Paper::A4 => Self::A4,
            Paper::Letter => Self::Letter,
        }
    }
}
