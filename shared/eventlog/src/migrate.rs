//! The schema: which changes there are, and which were made.

use std::borrow::Cow;

use sqlx::error::DatabaseError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Row as _, SqlStr, SqlitePool};

use crate::connect::{Backend, EventLog};
use crate::error::LogError;

/// Every change, oldest first: number, name, text for Postgres, text for SQLite.
const CHANGES: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "log",
        include_str!("../../../migrations/postgres/0001_log.sql"),
        include_str!("../../../migrations/sqlite/0001_log.sql"),
    ),
    (
        2,
        "read model",
        include_str!("../../../migrations/postgres/0002_read_model.sql"),
        include_str!("../../../migrations/sqlite/0002_read_model.sql"),
    ),
    (
        3,
        "time and flow",
        include_str!("../../../migrations/postgres/0003_time_and_flow.sql"),
        include_str!("../../../migrations/sqlite/0003_time_and_flow.sql"),
    ),
    (
        4,
        "documents",
        include_str!("../../../migrations/postgres/0004_documents.sql"),
        include_str!("../../../migrations/sqlite/0004_documents.sql"),
    ),
    (
        5,
        "people",
        include_str!("../../../migrations/postgres/0005_people.sql"),
        include_str!("../../../migrations/sqlite/0005_people.sql"),
    ),
    (
        6,
        "search",
        include_str!("../../../migrations/postgres/0006_search.sql"),
        include_str!("../../../migrations/sqlite/0006_search.sql"),
    ),
    (
        7,
        "pages",
        include_str!("../../../migrations/postgres/0007_pages.sql"),
        include_str!("../../../migrations/sqlite/0007_pages.sql"),
    ),
    (
        8,
        "incidents",
        include_str!("../../../migrations/postgres/0008_incidents.sql"),
        include_str!("../../../migrations/sqlite/0008_incidents.sql"),
    ),
    (
        9,
        "actors",
        include_str!("../../../migrations/postgres/0009_actors.sql"),
        include_str!("../../../migrations/sqlite/0009_actors.sql"),
    ),
    (
        10,
        "revoked",
        include_str!("../../../migrations/postgres/0010_revoked.sql"),
        include_str!("../../../migrations/sqlite/0010_revoked.sql"),
    ),
    (
        11,
        "night",
        include_str!("../../../migrations/postgres/0011_night.sql"),
        include_str!("../../../migrations/sqlite/0011_night.sql"),
    ),
    (
        12,
        "continued",
        include_str!("../../../migrations/postgres/0012_continued.sql"),
        include_str!("../../../migrations/sqlite/0012_continued.sql"),
    ),
    (
        13,
        "requests",
        include_str!("../../../migrations/postgres/0013_requests.sql"),
        include_str!("../../../migrations/sqlite/0013_requests.sql"),
    ),
    (
        14,
        "archive",
        include_str!("../../../migrations/postgres/0014_archive.sql"),
        include_str!("../../../migrations/sqlite/0014_archive.sql"),
    ),
    (
        15,
        "archived",
        include_str!("../../../migrations/postgres/0015_archived.sql"),
        include_str!("../../../migrations/sqlite/0015_archived.sql"),
    ),
];

/// The form of the read model. It is raised when that changes.
pub(crate) const MODEL: i64 = 6;

/// How the schema of a database compares with what this program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// It is the one.
    Current,
    /// Changes are missing.
    Behind {
        /// Number of the newest change made; 0 for none.
        at: i64,
    },
    /// It was changed by a newer version of the program.
    Ahead {
        /// Number of the newest change made.
        at: i64,
    },
}

/// The texts of all changes, oldest first.
pub(crate) fn texts(postgres: bool) -> impl Iterator<Item = &'static str> {
    CHANGES.iter().map(move |(_, _, pg, lite)| if postgres { *pg } else { *lite })
}

fn newest() -> i64 {
    CHANGES.last().map_or(0, |(number, ..)| *number)
}

fn migrator(postgres: bool) -> Migrator {
    let change = |&(number, name, pg, lite): &(i64, &'static str, &'static str, &'static str)| {
        let text = if postgres { pg } else { lite };
        let kind = MigrationType::Simple;
        Migration::new(number, Cow::Borrowed(name), kind, SqlStr::from_static(text), false)
    };
    Migrator::with_migrations(CHANGES.iter().map(change).collect())
}

/// SQLite has no lock that outlives a transaction: all changes are made in one.
async fn migrate_sqlite(pool: &SqlitePool) -> Result<(), LogError> {
    let what = "migrating the database";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(LogError::database(what))?;
    migrator(false).run_direct(None, &mut *tx, false).await?;
    tx.commit().await.map_err(LogError::database(what))
}

/// Whether a table is not there, as opposed to not readable.
fn is_missing_table(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
}

impl EventLog {
    /// Makes every change that is missing, and computes the read model again where it has an older form. Two at
    /// once wait for each other.
    ///
    /// # Errors
    /// A change failed (it left nothing behind), or the database was changed by a newer version.
    pub async fn migrate(&self) -> Result<(), LogError> {
        match &self.backend {
            Backend::Postgres(pool) => migrator(true).run(pool).await?,
            Backend::Sqlite(pool) => migrate_sqlite(pool).await?,
        }
        if self.model().await? != MODEL {
            self.rebuild_read_model().await?;
        }
        Ok(())
    }

    async fn model(&self) -> Result<i64, LogError> {
        let row = sqlx::query("SELECT model FROM ledger WHERE id = 1").fetch_one(&self.any).await;
        let row = row.map_err(LogError::database("reading the read model's form"))?;
        row.try_get("model").map_err(LogError::database("reading the read model's form"))
    }

    /// Which changes were made.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn migration_state(&self) -> Result<MigrationState, LogError> {
        let sql = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS at FROM _sqlx_migrations WHERE success";
        let at = match sqlx::query(sql).fetch_one(&self.any).await {
            Ok(row) => {
                row.try_get("at").map_err(LogError::database("reading the schema's version"))?
            }
            // No such table: nothing was ever migrated.
            Err(sqlx::Error::Database(error)) if is_missing_table(error.as_ref()) => 0,
            Err(error) => return Err(LogError::database("reading the schema's version")(error)),
        };
        Ok(match i64::cmp(&at, &newest()) {
            std::cmp::Ordering::Equal => MigrationState::Current,
            std::cmp::Ordering::Less => MigrationState::Behind { at },
            std::cmp::Ordering::Greater => MigrationState::Ahead { at },
        })
    }

    /// Refuses a schema that is not the one this program needs, with the command to run.
    ///
    /// # Errors
    /// [`LogError::Schema`], or the database cannot be read.
    pub async fn check_schema(&self) -> Result<(), LogError> {
        let (address, newest) = (self.address(), newest());
        match self.migration_state().await? {
            MigrationState::Current => Ok(()),
            MigrationState::Behind { at } => Err(LogError::Schema(format!(
                "the schema of {address} is at change {at}, this program needs {newest}: run `decklog migrate --database URL` first"
            ))),
            MigrationState::Ahead { at } => Err(LogError::Schema(format!(
                "the schema of {address} is at change {at}, this program knows {newest}: upgrade this service"
            ))),
        }
    }
}
