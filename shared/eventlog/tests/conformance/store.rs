//! The databases a test can have.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use eventlog::{Access, EventLog};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;
use testkit::postgres::Postgres;

/// The cluster of this process: it ends with the last test that holds it, because a static never would.
static CLUSTER: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// An empty database of a test's own.
pub(crate) enum Store {
    Sqlite(TempDir),
    Postgres(Arc<Postgres>, String),
}

fn cluster() -> Arc<Postgres> {
    let mut cluster = CLUSTER.lock().unwrap();
    if let Some(running) = cluster.upgrade() {
        return running;
    }
    let started = Arc::new(Postgres::start().unwrap());
    *cluster = Arc::downgrade(&started);
    started
}

impl Store {
    pub(crate) fn sqlite() -> Self {
        // A name with everything that means something in a URL.
        Self::Sqlite(tempfile::Builder::new().prefix("log a?b#c%20d").tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        let cluster = cluster();
        let name = format!("log_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        cluster.create_database(&name).unwrap();
        Self::Postgres(cluster, name)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(..))
    }

    /// Where a recorder finds it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Sqlite(dir) => EventLog::file_in(dir.path()).display().to_string(),
            Self::Postgres(cluster, name) => cluster.url(name),
        }
    }

    pub(crate) async fn open(&self) -> EventLog {
        EventLog::open(&self.address(), Access::Append).await.unwrap()
    }

    /// With the schema in it.
    pub(crate) async fn migrated(&self) -> EventLog {
        let log = self.open().await;
        log.migrate().await.unwrap();
        log
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(_) => {
                let path =
                    self.address().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                format!("sqlite://{path}?mode=rwc")
            }
            Self::Postgres(..) => self.address(),
        }
    }

    pub(crate) async fn connect(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.url()).await.unwrap()
    }

    /// Runs statements as whoever owns the database.
    pub(crate) async fn sql(&self, text: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await;
        run(&mut connection, text).await
    }

    /// One number.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        let mut connection = self.connect().await;
        let query = sqlx::query(AssertSqlSafe(text.to_owned()));
        query.fetch_one(&mut connection).await.unwrap().get(0)
    }
}

pub(crate) async fn run(connection: &mut AnyConnection, text: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(connection).await.map(|_done| ())
}
