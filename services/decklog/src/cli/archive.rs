//! The log's archive: segments of it in files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Segments of the log that are in files.
#[derive(Debug, Subcommand)]
pub(crate) enum Archive {
    /// Lists the segments, with their files.
    List(Archived),
    /// Reads every file again and compares it with what the log says of it: exits 1 where one is missing, or is another.
    Check(Archived),
    /// Takes the leaves of archived events out of the database: SQLite's those of each segment, Postgres' those of whole
    /// partitions. Recorders do it by themselves where their account has the role decklog_archivist.
    Detach(Archived),
}

/// Where the log stands.
#[derive(Debug, Args)]
pub(crate) struct Archived {
    /// Data directory of `decklog up`, whether it runs or not.
    #[arg(long, env = "DECKLOG_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The database of a log: postgres://… or the path of a SQLite file.
    #[arg(long, conflicts_with = "data")]
    pub(crate) database: Option<String>,
    /// Directory of the archived segments; `archive` beside a SQLite file when absent.
    #[arg(long, env = "DECKLOG_ARCHIVE", value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
}
