//! The log's archive: segments of it in files.

use clap::Subcommand;

use super::Standing;

/// Segments of the log that are in files.
#[derive(Debug, Subcommand)]
pub(crate) enum Archive {
    /// Lists the segments, with their files.
    List(Standing),
    /// Reads every file again and compares it with what the log says of it: exits 1 where one is missing, or is another.
    Check(Standing),
    /// Takes the leaves of archived events out of the database: SQLite's those of each segment, Postgres' those of whole
    /// partitions. Recorders do it by themselves where their account has the role decklog_archivist.
    Detach(Standing),
}
