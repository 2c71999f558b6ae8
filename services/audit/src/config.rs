//! What a recorder is told.

use std::path::PathBuf;

use domain::time::HumanDuration;
use eventlog::{Access, EventLog, LogError};
use serde::{Deserialize, Serialize};

/// Settings of the role `audit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AuditConfig {
    /// Name of this recorder among the recorders.
    #[serde(default = "one")]
    pub name: String,
    /// The database that holds the log: `postgres://…`, or the path of a SQLite file.
    pub database: String,
    /// Directory for the keys, the join secret and the signer's memory.
    pub data: PathBuf,
    /// Name of the log, the first line of every head, given when the log is made: a host name and a path
    /// such as `example.com/decklog/prod`. Without one it is made from the recorder's key.
    #[serde(default)]
    pub origin: Option<String>,
    /// Key file that signs heads; recorders of one log share it. `data/head.key` without one.
    #[serde(default)]
    pub head_key: Option<PathBuf>,
    /// File with the secret from which join tokens are made; recorders of one log share it.
    /// `data/join.secret` without one.
    #[serde(default)]
    pub join_secret: Option<PathBuf>,
    /// How often a new head is signed when the log has grown.
    #[serde(default = "ten_seconds")]
    pub head_every: HumanDuration,
    /// How long the log may be idle before an event says that it is there.
    #[serde(default = "five_minutes")]
    pub heartbeat_every: HumanDuration,
    /// File that names the witnesses who are shown each head, with their addresses: a policy (C2SP tlog-policy).
    #[serde(default)]
    pub witnesses: Option<PathBuf>,
    /// How often they are asked.
    #[serde(default = "one_minute")]
    pub witness_every: HumanDuration,
    /// Directory into which the log is written as files that anybody may serve (C2SP tlog-tiles). They hold all that the log
    /// holds: serve them to whom you would show it.
    #[serde(default)]
    pub tiles: Option<PathBuf>,
    /// Address of a time-stamping authority (RFC 3161 over HTTP) that is asked about a head once a day.
    #[serde(default)]
    pub tsa: Option<String>,
    /// File of the roots under which what it says is believed, as PEM.
    #[serde(default)]
    pub tsa_roots: Option<PathBuf>,
    /// How often it is asked.
    #[serde(default = "one_day")]
    pub tsa_every: HumanDuration,
    /// Directory in which heads are kept with what it said of them. `data/timestamps` without one.
    #[serde(default)]
    pub timestamps: Option<PathBuf>,
    /// Directory into which segments of the log move that have their age (`archive-after`), and from which they are read.
    /// Recorders of one log share it. Without one, the log stays in its database.
    #[serde(default)]
    pub archive: Option<PathBuf>,
    /// How old the newest event of a segment is before it is archived.
    #[serde(default = "ninety_days")]
    pub archive_after: HumanDuration,
    /// Most events in one transaction.
    #[serde(default = "batch")]
    pub batch_events: usize,
}

fn one() -> String {
    "one".to_owned()
}

fn ten_seconds() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn five_minutes() -> HumanDuration {
    HumanDuration::from_secs(300)
}

fn one_minute() -> HumanDuration {
    HumanDuration::from_secs(60)
}

fn one_day() -> HumanDuration {
    HumanDuration::from_secs(86_400)
}

/// Three months are at hand at once (PCI DSS 4.0.1, 10.5.1); the others are too, from their files.
fn ninety_days() -> HumanDuration {
    HumanDuration::from_secs(90 * 86_400)
}

fn batch() -> usize {
    1_024
}

impl AuditConfig {
    /// The usual settings for a database and a data directory.
    pub fn new(database: &str, data: PathBuf) -> Self {
        Self {
            name: one(),
            database: database.to_owned(),
            data,
            origin: None,
            head_key: None,
            join_secret: None,
            head_every: ten_seconds(),
            heartbeat_every: five_minutes(),
            witnesses: None,
            tiles: None,
            witness_every: one_minute(),
            tsa: None,
            tsa_roots: None,
            tsa_every: one_day(),
            timestamps: None,
            archive: None,
            archive_after: ninety_days(),
            batch_events: batch(),
        }
    }

    /// Opens the log, with its archive.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub(crate) async fn open(&self) -> Result<EventLog, LogError> {
        let log = EventLog::open(&self.database, Access::Append).await?;
        Ok(match &self.archive {
            Some(dir) => log.with_archive(dir),
            None => log,
        })
    }

    /// Whether segments that have their age move into files.
    pub(crate) fn archives(&self) -> bool {
        self.archive.is_some()
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !domain::ids::is_name(&self.name) {
            problems.push(format!("audit.name: {:?} is not a name", self.name));
        }
        if self.head_every.millis() < 100 || self.heartbeat_every.millis() < 1_000 {
            problems.push(
                "audit.head-every is at least 100ms, audit.heartbeat-every at least 1s".to_owned(),
            );
        }
        if self.witness_every.millis() < 100 {
            problems.push("audit.witness-every is at least 100ms".to_owned());
        }
        problems.extend(self.witnesses.as_deref().and_then(crate::witnesses::problem));
        if self.tsa_every.millis() < 60_000 {
            problems.push("audit.tsa-every is at least 1m".to_owned());
        }
        problems.extend(crate::timestamps::read(self).err().map(|error| format!("{error:#}")));
        if !(1..=10_000).contains(&self.batch_events) {
            problems.push("audit.batch-events: 1 to 10000".to_owned());
        }
        problems
    }
}
