//! How the site itself stands: the log and its recorder, the programs around it, who is called, the rules that were set; and
//! what of all that is not as it should be. Nothing in it is a secret.
//!
//! | module | about |
//! |---|---|
//! | `read` | what the log says |
//! | `findings` | what is not as it should be, and what to do |

mod findings;
mod read;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pulse::{self, Beat};
use crate::state::Console;
use findings::findings;
pub(crate) use read::producers;
use read::read;

/// How the site stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// When that was.
    #[schema(value_type = String)]
    pub now: Timestamp,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// Whether the recorder answers.
    pub recorder: Beat,
    /// What the log says; nothing while the recorder does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// This console, in names and values.
    pub console: Vec<Setting>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Whether it cannot wait.
    pub urgent: bool,
    /// What.
    pub says: String,
    /// What to do about it.
    pub todo: String,
    /// The console's page about it; empty for none.
    pub page: String,
}

/// What the log says of itself and of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Its name.
    pub origin: String,
    /// How many events it holds.
    pub size: u64,
    /// How many of them the newest signed head covers; 0 where there is none.
    pub signed: u64,
    /// When the newest event that it covers was received.
    #[schema(value_type = Option<String>)]
    pub signed_until: Option<Timestamp>,
    /// Since when an event waits for a head.
    #[schema(value_type = Option<String>)]
    pub unsigned_since: Option<Timestamp>,
    /// How many of them, from the first on, are in files of the archive; 0 where none are.
    pub archived: u64,
    /// How many producers of each class were let in.
    pub producers: Vec<Count>,
    /// Recorders, schedulers and consoles by name.
    pub programs: Vec<Program>,
    /// How many hosts stand how.
    pub hosts: Vec<Count>,
    /// Hosts that are silent, or of another version than this console; the first of them.
    pub odd_hosts: Vec<Said>,
    /// How many incidents are open, by severity, the worst first.
    pub incidents: Vec<Count>,
    /// Datasets that could not be restored as they should, and why.
    pub at_risk: Vec<Said>,
    /// Call trees, and whether their messages went out.
    pub calls: Vec<Calls>,
    /// The rules of the site, each with the event that set it.
    pub rules: Vec<Setting>,
    /// Version of the time zone database by which occurrences are decided; empty where none was recorded.
    pub tzdb: String,
    /// Whether nobody has signed for who may do what for too long.
    pub access_overdue: bool,
}

/// How many of something there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Of what.
    pub what: String,
    /// How many.
    pub count: u64,
}

/// Something of which something is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// What it is called.
    pub name: String,
    /// What is said of it.
    pub says: String,
}

/// A program that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// `audit`, `scheduler` or `console`.
    pub class: String,
    /// Its name within the class.
    pub name: String,
    /// When this console heard it last; only schedulers say that they are there.
    #[schema(value_type = Option<String>)]
    pub heard: Option<Timestamp>,
    /// Why it can say nothing more: its journal cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindered: Option<String>,
    /// When it was let in.
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// Why its key counts no more, where it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// A call tree, and its last message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The call tree.
    pub tree: String,
    /// How it tells people: `mail`, `webhook`, `command`.
    pub ways: Vec<String>,
    /// What became of its last message, in words; empty where none was sent lately.
    pub last: String,
    /// Whether that was not taken.
    pub failed: bool,
    /// The incident it was about, as `job/payroll/3`; empty where there was none.
    pub incident: String,
}

/// A rule or a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub says: String,
    /// Position of the event that set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
}

impl Setting {
    fn own(name: &str, says: impl Into<String>) -> Self {
        Self { name: name.to_owned(), says: says.into(), event: None }
    }
}

/// How the site stands now.
pub(crate) async fn site(console: &Console) -> Site {
    let recorder = pulse::look(console).await;
    let (mut log, mut recorder) = (None, recorder);
    if recorder.is_up() {
        match read(console).await {
            Ok(read) => log = Some(read),
            Err(error) => recorder.problem = Some(error.to_string()),
        }
    }
    let now = (console.clock)();
    let site = Site { now, findings: Vec::new(), recorder, log, console: own(console) };
    Site { findings: findings(&site, &console.own.tzdb), ..site }
}

/// What this console is told of itself.
fn own(console: &Console) -> Vec<Setting> {
    let own = &console.own;
    let joins = console.joining.as_ref().map(|joining| joining.nats.clone());
    let joins = joins.unwrap_or_else(|| "nobody: this is all in one process".to_owned());
    vec![
        Setting::own("name", own.name.clone()),
        Setting::own("address", own.listen.to_string()),
        Setting::own("browsers come", own.tls),
        Setting::own("hosts join at", joins),
        Setting::own("version", env!("CARGO_PKG_VERSION")),
        Setting::own("time zone database", own.tzdb.clone()),
    ]
}
