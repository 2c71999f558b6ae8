//! What can go wrong between us and the database.

use domain::envelope::EnvelopeError;
use domain::event::EventError;

/// A log that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database said no.
    #[error("{what}: {source}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A file that is there cannot be opened.
    #[error(
        "opening {0}: SQLite writes beside the file also to read it: let this user write into its directory, or copy it, and what is beside it as -wal and -shm, to where they may"
    )]
    Beside(std::path::PathBuf),
    /// The schema is not the one this program needs.
    #[error("{0}")]
    Schema(String),
    /// A migration failed.
    #[error("migrating the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database holds something that cannot be.
    #[error(
        "table {table}, row {row}: {problem}: the database was changed by something else, or is damaged; run `decklog verify`"
    )]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// Which row.
        row: String,
        /// What is wrong.
        problem: String,
    },
    /// More of the log has to be read for a proof than one question reads. Whoever asks again goes on from there.
    #[error("{known} of {size} events were read for the proof: ask again")]
    Reading {
        /// How many were read.
        known: u64,
        /// Of how many.
        size: u64,
    },
    /// The log is shorter than it was: it was brought back from an older copy while it was in use.
    #[error(
        "the log holds {size} events, and held {reached} before: it was cut, or brought back from an older copy; see `decklog continue`"
    )]
    Cut {
        /// How many it holds.
        size: u64,
        /// How many it is known to have held.
        reached: u64,
    },
    /// A file of the archive cannot be written or read.
    #[error(transparent)]
    Archive(#[from] crate::archive::ArchiveError),
    /// A leaf is in the archive, and nobody said where that is.
    #[error(
        "the event at {position} is in the archive: say where that is, with --archive DIR, or as `archive` among the settings of the recorder"
    )]
    Archived {
        /// Its position.
        position: u64,
    },
    /// Nobody said where the archive is.
    #[error(
        "segment {segment} of the log: nobody said where its archive is; name it, with --archive DIR, or as `archive` among the settings of the recorder"
    )]
    NoArchive {
        /// The segment, from 0.
        segment: u64,
    },
    /// Another recorder appended in between. The caller reads the log again and tries again.
    #[error("another recorder has appended in between")]
    Fenced,
    /// The address is of no database this program knows.
    #[error("{0:?} is not an address of a log: use postgres://… or a file's path")]
    Address(String),
}

impl LogError {
    /// Whether the database refused what was written because of what it holds.
    pub(crate) fn is_constraint(&self) -> bool {
        let Self::Database { source: sqlx::Error::Database(error), .. } = self else {
            return false;
        };
        // SQLITE_CONSTRAINT_TRIGGER: the guard of the events speaks before their keys do.
        error.is_unique_violation() || error.code().is_some_and(|code| code == "1811")
    }

    pub(crate) fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }

    pub(crate) fn inconsistent(
        table: &'static str,
        row: impl ToString,
        problem: impl ToString,
    ) -> Self {
        Self::Inconsistent { table, row: row.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn envelope(position: u64) -> impl FnOnce(EnvelopeError) -> Self {
        move |error| Self::inconsistent("event", position, error)
    }

    pub(crate) fn body(position: u64) -> impl FnOnce(EventError) -> Self {
        move |error| Self::inconsistent("event", position, error)
    }
}
