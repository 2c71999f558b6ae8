//! Connections to the database that holds a log.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AnyPool, Connection as _, PgPool, SqlitePool};

use crate::archive::Archive;
use crate::error::LogError;
use crate::proof::Parts;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only.
    Read,
    /// Reads and appends.
    Append,
}

#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// A log in a database. Clones share the connections.
#[derive(Debug, Clone)]
pub struct EventLog {
    pub(crate) any: AnyPool,
    pub(crate) backend: Backend,
    pub(crate) parts: Parts,
    pub(crate) archive: Option<Archive>,
    address: String,
}

/// Most connections of one process.
const CONNECTIONS_MAX: u32 = 6;
/// How long to wait for a connection or a lock.
const WAIT: Duration = Duration::from_secs(10);

impl EventLog {
    /// Opens a log: `postgres://…`, or the path of a SQLite file.
    ///
    /// # Errors
    /// The database cannot be reached. The schema is not looked at: see [`EventLog::check_schema`].
    pub async fn open(address: &str, access: Access) -> Result<Self, LogError> {
        sqlx::any::install_default_drivers();
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            Self::open_postgres(address).await
        } else if address.contains("://") {
            Err(LogError::Address(without_password(address)))
        } else {
            Self::open_sqlite(Path::new(address), access).await
        }
    }

    async fn open_postgres(address: &str) -> Result<Self, LogError> {
        let what = "connecting to Postgres";
        let options = PgConnectOptions::from_str(address)
            .map_err(LogError::database("reading the address of Postgres"))?
            .application_name("decklog");
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(WAIT);
        let pool = pool.connect_with(options).await.map_err(LogError::database(what))?;
        let any = AnyPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(WAIT);
        let any = any.connect(address).await.map_err(LogError::database(what))?;
        let (backend, parts) = (Backend::Postgres(pool), Parts::default());
        Ok(Self { any, backend, parts, archive: None, address: without_password(address) })
    }

    async fn open_sqlite(path: &Path, access: Access) -> Result<Self, LogError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(access == Access::Append)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Keys are spread over several trees: what is at hand need not be read again, and a page
            // that changes in many batches is written back once.
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "8000")
            .busy_timeout(WAIT);
        let what = "opening the SQLite file";
        let failed = |error: sqlx::Error| match sqlite_code(&error) {
            Some(CANTOPEN) if path.exists() => LogError::Beside(path.to_owned()),
            _ => LogError::database(what)(error),
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT)
            // Where the disk is full, SQLite ends a transaction by itself. The driver still counts it as open, and would begin no
            // other one on that connection.
            .before_acquire(|connection, _| {
                let is_clean = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_clean) })
            });
        let pool = connect_patiently(pool, options).await.map_err(failed)?;
        // Absolute, because the first part of a relative path would be read as a host's name.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let url = format!("sqlite://{}?mode=rw", encode(&whole));
        let any = AnyPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(WAIT);
        let any = any.connect(&url).await.map_err(LogError::database(what))?;
        let address = path.display().to_string();
        let (backend, parts) = (Backend::Sqlite(pool), Parts::default());
        let archive = Some(Archive::new(&Self::archive_in(whole.parent().unwrap_or(path))));
        Ok(Self { any, backend, parts, archive, address })
    }

    /// Where it is, without a password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The file of an embedded log.
    pub fn file_in(dir: &Path) -> PathBuf {
        dir.join("log.sqlite")
    }

    /// The directory of archived segments of an embedded log, where nobody says another.
    pub fn archive_in(dir: &Path) -> PathBuf {
        dir.join("archive")
    }

    /// Whether it is in Postgres.
    pub fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.any.close().await;
        match &self.backend {
            Backend::Postgres(pool) => pool.close().await,
            Backend::Sqlite(pool) => pool.close().await,
        }
    }
}

/// Of several that open a new file at once, one turns write-ahead logging on, and SQLite tells the others at
/// once that the file is locked, however patient they are otherwise.
async fn connect_patiently(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> Result<SqlitePool, sqlx::Error> {
    let begin = std::time::Instant::now();
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Err(error) if sqlite_code(&error) == Some(BUSY) && begin.elapsed() < WAIT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

/// SQLITE_BUSY and SQLITE_CANTOPEN.
const BUSY: u32 = 5;
const CANTOPEN: u32 = 14;

/// What SQLite says went wrong, whatever the reason beside it.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(|error| error.code())?;
    code.parse().ok().map(|code: u32| code & 0xff)
}

/// A path as part of a URL: what would end the path or begin an escape is escaped.
fn encode(path: &Path) -> String {
    path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    match rest.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("postgres://u:p@h/db"), "postgres://u@h/db");
        assert_eq!(without_password("postgres://h/db"), "postgres://h/db");
    }
}
