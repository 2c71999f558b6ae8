//! Names: of jobs, hosts and pools, of producers, and of streams.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::site::ThingKind;

/// A name that is not allowed, and what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not allowed: {rule}")]
pub struct BadName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

const NAME_RULE: &str = "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit";

/// Whether `text` is a name as jobs, hosts, pools and users have them:
/// `[a-z0-9][a-z0-9._-]{0,62}`.
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(b))
        && !bytes[0].is_ascii_uppercase()
}

/// Checks a name.
///
/// # Errors
/// Says which text is not a name of a `what`, and the rule.
pub fn check_name(what: &'static str, text: &str) -> Result<(), BadName> {
    if is_name(text) {
        return Ok(());
    }
    Err(BadName { what, text: text.chars().take(80).collect(), rule: NAME_RULE })
}

/// What kind of thing a stream is about: the word before the first slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamType {
    /// A job: its definitions, approvals, pauses.
    Job,
    /// The life of one occurrence or request.
    Run,
    /// A machine that runs work.
    Host,
    /// A person or a program that may act.
    User,
    /// The log itself: its origin, producers, heads, policy.
    Log,
    /// A calendar: its definitions.
    Calendar,
    /// Times in which nothing starts: their definitions.
    Blackout,
    /// A named lock: its definitions.
    Lock,
    /// A pool of hosts: its definitions.
    Pool,
    /// What is to be protected: its definitions, its snapshots, and what was proven of them.
    Dataset,
    /// Where snapshots live: its definitions, and what was done to it as a whole.
    Repository,
    /// Where documents wait for a printer: its definitions, and whether it goes on.
    Queue,
    /// Numbered stock: its definitions, and what became of each number.
    Form,
    /// Something to print or to send, and what became of it.
    Document,
    /// What people say of nights.
    Review,
    /// Who is told of what: its definitions.
    CallTree,
    /// A failure that somebody must deal with.
    Incident,
    /// By which measures controls are tested: their definitions.
    Measures,
    /// What people say of a control.
    Control,
    /// What an auditor asks to be shown, and what is answered.
    Request,
}

impl From<ThingKind> for StreamType {
    fn from(kind: ThingKind) -> Self {
        match kind {
            ThingKind::Calendar => Self::Calendar,
            ThingKind::Blackout => Self::Blackout,
            ThingKind::Lock => Self::Lock,
            ThingKind::Pool => Self::Pool,
            ThingKind::Dataset => Self::Dataset,
            ThingKind::Repository => Self::Repository,
            ThingKind::Queue => Self::Queue,
            ThingKind::Form => Self::Form,
            ThingKind::CallTree => Self::CallTree,
            ThingKind::Measures => Self::Measures,
        }
    }
}

impl StreamType {
    /// Every type.
    pub const ALL: [Self; 20] = [
        Self::Job,
        Self::Run,
        Self::Host,
        Self::User,
        Self::Log,
        Self::Calendar,
        Self::Blackout,
        Self::Lock,
        Self::Pool,
        Self::Dataset,
        Self::Repository,
        Self::Queue,
        Self::Form,
        Self::Document,
        Self::Review,
        Self::CallTree,
        Self::Incident,
        Self::Measures,
        Self::Control,
        Self::Request,
    ];

    /// The word before the slash.
    pub fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Run => "run",
            Self::Host => "host",
            Self::User => "user",
            Self::Log => "log",
            Self::Calendar => "calendar",
            Self::Blackout => "blackout",
            Self::Lock => "lock",
            Self::Pool => "pool",
            Self::Dataset => "dataset",
            Self::Repository => "repository",
            Self::Queue => "queue",
            Self::Form => "form",
            Self::Document => "document",
            Self::Review => "review",
            Self::CallTree => "call-tree",
            Self::Incident => "incident",
            Self::Measures => "measures",
            Self::Control => "control",
            Self::Request => "request",
        }
    }

    /// The kind of thing it is the type of, where it is one.
    pub fn thing(self) -> Option<ThingKind> {
        ThingKind::from_word(self.word())
    }

    /// The type with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The name of a stream: all events of one thing, such as `job/payroll-export` or
/// `run/payroll-export@2026-11-20T02:30-05:00`. At most 160 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(String);

/// Longest stream name, in bytes.
pub const STREAM_BYTES_MAX: usize = 160;

impl StreamId {
    /// The stream of a job.
    pub fn job(name: &str) -> Self {
        Self(format!("job/{name}"))
    }

    /// The stream of a run of `job`; `label` is its nominal local instant with offset, or
    /// `request-…` for one that a person asked for.
    pub fn run(job: &str, label: &str) -> Self {
        Self(format!("run/{job}@{label}"))
    }

    /// The stream of a host.
    pub fn host(name: &str) -> Self {
        Self(format!("host/{name}"))
    }

    /// The stream of a user.
    pub fn user(name: &str) -> Self {
        Self(format!("user/{name}"))
    }

    /// The stream of a calendar, a blackout, a lock or a pool.
    pub fn thing(kind: ThingKind, name: &str) -> Self {
        Self(format!("{}/{name}", kind.word()))
    }

    /// The stream of a document; `id` is 32 hexadecimal digits ([`crate::print::document_id`]).
    pub fn document(id: &str) -> Self {
        Self(format!("document/{id}"))
    }

    /// What people say of something that comes again, such as `review/night`.
    pub fn review(of: &str) -> Self {
        Self(format!("review/{of}"))
    }

    /// What people say of a control, such as `control/js-02`.
    pub fn control(id: &str) -> Self {
        Self(format!("control/{}", id.to_ascii_lowercase()))
    }

    /// The `number`th incident of what `of` is about, from 1.
    pub fn incident(of: &Self, number: u32) -> Self {
        Self(format!("incident/{of}/{number}"))
    }

    /// For an incident, what it is about, and its number.
    pub fn incident_parts(&self) -> Option<(Self, u32)> {
        incident_of(self.0.strip_prefix("incident/")?)
    }

    /// The `number`th request of auditors, from 1.
    pub fn request(number: u32) -> Self {
        Self(format!("request/{number}"))
    }

    /// For a request, its number.
    pub fn request_number(&self) -> Option<u32> {
        plain_number(self.0.strip_prefix("request/")?)
    }

    /// A stream about the log itself: `log/main`, or one for each producer.
    pub fn log(name: &str) -> Self {
        Self(format!("log/{name}"))
    }

    /// The stream about the time zone database in use.
    pub fn tzdb() -> Self {
        Self::log("tzdb")
    }

    /// The stream about the directory by which people come in.
    pub fn directory() -> Self {
        Self::log("directory")
    }

    /// The stream about the names under which the log has gone on.
    pub fn continued() -> Self {
        Self::log("continued")
    }

    /// The stream about keys that wait to be let in.
    pub fn joining() -> Self {
        Self::log("joining")
    }

    /// The stream about what is kept although its time has come, and what is erased before: legal holds and redactions.
    pub fn records() -> Self {
        Self::log("records")
    }

    /// The stream about what of the log is in files.
    pub fn archive() -> Self {
        Self::log("archive")
    }

    /// The stream about evidence that was written.
    pub fn exports() -> Self {
        Self::log("exports")
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the stream is about.
    pub fn stream_type(&self) -> StreamType {
        // A StreamId is only ever made with one of the words in front.
        self.0
            .split_once('/')
            .and_then(|(w, _)| StreamType::from_word(w))
            .unwrap_or(StreamType::Log)
    }

    /// What comes after the first slash.
    pub fn rest(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, rest)| rest)
    }

    /// For a part of a run, the name of the whole; any other name as it is.
    pub fn whole(&self) -> &str {
        self.0.split_once('~').map_or(&self.0, |(whole, _)| whole)
    }

    /// For a part of a run, the host it is for.
    pub fn part(&self) -> Option<&str> {
        self.0.split_once('~').map(|(_, host)| host)
    }

    /// The part of this run that is for a host.
    #[must_use]
    pub fn part_on(&self, host: &str) -> Self {
        Self(format!("{}~{host}", self.0))
    }

    /// For a run, the name of its job.
    pub fn run_job(&self) -> Option<&str> {
        self.0.strip_prefix("run/")?.split_once('@').map(|(job, _)| job)
    }
}

/// What an incident of this name is about, and its number: a stream that is no incident, and a number without leading zeros.
fn incident_of(rest: &str) -> Option<(StreamId, u32)> {
    let (of, number) = rest.rsplit_once('/')?;
    let of: StreamId = of.parse().ok()?;
    let number = plain_number(number)?;
    (of.stream_type() != StreamType::Incident).then_some((of, number))
}

/// A number without leading zeros, from 1.
fn plain_number(text: &str) -> Option<u32> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

impl FromStr for StreamId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |rule| BadName { what: "stream", text: text.chars().take(80).collect(), rule };
        let (word, rest) = text.split_once('/').ok_or(bad("it has the form type/name"))?;
        let kind = StreamType::from_word(word).ok_or(bad(
            "its type is one of job, run, host, user, log, calendar, blackout, lock, pool, dataset, repository, queue, form, document, review, call-tree, incident, measures, control, request",
        ))?;
        let printable = rest.bytes().all(|b| b.is_ascii_graphic());
        if rest.is_empty() || !printable || text.len() > STREAM_BYTES_MAX {
            return Err(bad("its name is 1 to 150 printable ASCII characters without spaces"));
        }
        let named = match kind {
            StreamType::Job
            | StreamType::Host
            | StreamType::User
            | StreamType::Calendar
            | StreamType::Blackout
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Dataset
            | StreamType::Repository
            | StreamType::Queue
            | StreamType::Form
            | StreamType::CallTree
            | StreamType::Measures
            | StreamType::Control
            | StreamType::Review => is_name(rest),
            StreamType::Incident => incident_of(rest).is_some(),
            StreamType::Request => plain_number(rest).is_some(),
            StreamType::Document => {
                rest.len() == 32 && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            }
            StreamType::Run => {
                rest.split_once('@').is_some_and(|(job, at)| is_name(job) && !at.is_empty())
            }
            StreamType::Log => true,
        };
        if named { Ok(Self(text.to_owned())) } else { Err(bad(NAME_RULE)) }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The class of a producer: what kinds of event it may state (see [`crate::ledger::roles`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Decides what is due.
    Scheduler,
    /// Runs work on a host.
    Executor,
    /// Speaks for people.
    Console,
    /// The recorder.
    Audit,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Scheduler, Self::Executor, Self::Console, Self::Audit];

    /// The word that begins a producer's id.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Executor => "executor",
            Self::Console => "console",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Most keys that a host has, one after the other.
const GENERATIONS_MAX: u32 = 999;

/// A process with a key that appends: `class/name`, such as `executor/db-07`; the second key of a host is `executor/db-07~2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(String);

impl ProducerId {
    /// The id of the producer of `class` called `name`.
    ///
    /// # Errors
    /// `name` is not a name.
    pub fn new(class: Class, name: &str) -> Result<Self, BadName> {
        check_name("producer", name)?;
        Ok(Self(format!("{class}/{name}")))
    }

    /// The executor of a host, by which key of it: 1 is its first. A host whose key is lost or taken back is another producer
    /// from then on, so that a producer has one key for ever.
    ///
    /// # Errors
    /// `host` is not a name, or there are no so many keys.
    pub fn of_host(host: &str, generation: u32) -> Result<Self, BadName> {
        let first = Self::new(Class::Executor, host)?;
        match generation {
            1 => Ok(first),
            2..=GENERATIONS_MAX => Ok(Self(format!("{first}~{generation}"))),
            _ => Err(BadName {
                what: "producer",
                text: format!("{first}~{generation}"),
                rule: "a host has 1 to 999 keys, one after the other",
            }),
        }
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its class.
    pub fn class(&self) -> Class {
        let word = self.0.split_once('/').map_or("", |(word, _)| word);
        Class::ALL.into_iter().find(|class| class.word() == word).unwrap_or(Class::Console)
    }

    /// Its name within the class.
    pub fn name(&self) -> &str {
        let name = self.0.split_once('/').map_or("", |(_, name)| name);
        name.split_once('~').map_or(name, |(name, _)| name)
    }

    /// Which key of its host an executor has, from 1; of any other producer 1.
    pub fn generation(&self) -> u32 {
        self.0.split_once('~').and_then(|(_, number)| number.parse().ok()).unwrap_or(1)
    }

    /// Whether it is an executor of a host, with whichever of its keys.
    pub fn is_of_host(&self, host: &str) -> bool {
        self.class() == Class::Executor && self.name() == host
    }

    /// The stream of facts about this producer itself.
    pub fn stream(&self) -> StreamId {
        StreamId::log(&self.0)
    }
}

impl FromStr for ProducerId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName {
            what: "producer",
            text: text.chars().take(80).collect(),
            rule: "it has the form class/name, where class is scheduler, executor, console or audit",
        };
        let (word, name) = text.split_once('/').ok_or_else(bad)?;
        let class = Class::ALL.into_iter().find(|c| c.word() == word).ok_or_else(bad)?;
        let Some((host, number)) = name.split_once('~') else { return Self::new(class, name) };
        let id = Self::of_host(host, number.parse().map_err(|_| bad())?)?;
        if class == Class::Executor && id.0 == text { Ok(id) } else { Err(bad()) }
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ProducerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProducerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_and_safe_in_a_path() {
        for good in ["a", "7z", "payroll-export", "a.b_c-d"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", ".a", "A", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_stream_name_says_what_it_is_about() {
        let run: StreamId = "run/payroll@2026-11-20T02:30-05:00".parse().unwrap();
        assert_eq!(run.stream_type(), StreamType::Run);
        assert_eq!(run.run_job(), Some("payroll"));
        for bad in ["run/payroll", "nope/x", "job", "job/", "job/A", "run/a@ b", "host/a b"] {
            assert!(bad.parse::<StreamId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_producer_id_begins_with_its_class() {
        let id: ProducerId = "executor/db-07".parse().unwrap();
        assert_eq!((id.class(), id.name()), (Class::Executor, "db-07"));
        assert_eq!(id.stream().as_str(), "log/executor/db-07");
        for bad in ["executor", "boss/x", "executor/", "executor/A"] {
            assert!(bad.parse::<ProducerId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_key_of_a_host_is_a_producer_of_its_own_that_speaks_for_that_host() {
        let id = ProducerId::of_host("db-07", 2).unwrap();
        assert_eq!((id.as_str(), id.name(), id.generation()), ("executor/db-07~2", "db-07", 2));
        assert_eq!("executor/db-07~2".parse(), Ok(id.clone()));
        assert_eq!(id.stream().to_string().parse(), Ok(id.stream()));
        let first = ProducerId::of_host("db-07", 1).unwrap();
        assert_eq!((first.as_str(), first.generation()), ("executor/db-07", 1));
        for bad in [
            "executor/db-07~1",
            "executor/db-07~02",
            "executor/db-07~",
            "executor/db-07~0",
            "executor/db-07~1000",
            "executor/db-07~2~3",
            "console/c1~2",
        ] {
            assert!(bad.parse::<ProducerId>().is_err(), "{bad}");
        }
    }
}
