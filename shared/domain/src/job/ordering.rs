//! When a run may start, beside its instant: windows, other jobs' runs, files, a person's word, locks.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Role;
use crate::run::Outcome;
use crate::time::{ClockTime, HumanDuration, clock_reaches};

/// The times of day within which a run may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// Its beginning; what is due earlier waits for it.
    pub from: ClockTime,
    /// Its end, exclusive; before `from` it is on the next day.
    pub until: ClockTime,
    /// What becomes of a run that has not started when it ends.
    #[serde(default)]
    pub at_end: AtEnd,
}

/// What becomes of a run that has not started when its window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AtEnd {
    /// It is skipped.
    #[default]
    Skip,
    /// It waits for a person.
    Hold,
    /// It starts all the same, late.
    StartLate,
}

impl Window {
    /// The window for what is due at `at`: the one `at` lies in, or the next one.
    pub fn for_instant(&self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let wall = zone.to_datetime(at);
        let days = [-1_i64, 0, 1];
        let candidates = days.into_iter().filter_map(|day| {
            let date = wall.date().checked_add(jiff::Span::new().days(day)).ok()?;
            let from = clock_reaches(zone, date.to_datetime(self.from.time()))?;
            let end = if self.until > self.from { date } else { date.tomorrow().ok()? };
            let until = clock_reaches(zone, end.to_datetime(self.until.time()))?;
            // Empty where the clock jumps over all of it.
            (from < until).then_some((from, until))
        });
        candidates.into_iter().find(|(_, until)| at < *until)
    }
}

/// A limit in time: how long after a run's instant, or the next such time of day: `4h`, `06:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// So long after the instant.
    After(HumanDuration),
    /// When the clock of the job's zone shows this for the first time after the instant.
    Clock(ClockTime),
}

impl By {
    /// The limit for a run whose instant is `at`.
    pub fn instant(self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::After(long) => SignedDuration::try_from(long.as_duration())
                .ok()
                .and_then(|long| at.checked_add(long).ok())
                .unwrap_or(Timestamp::MAX),
            Self::Clock(clock) => {
                let today = zone.to_datetime(at).date();
                let days = [Some(today), today.tomorrow().ok()];
                let walls = days.into_iter().flatten().map(|day| day.to_datetime(clock.time()));
                walls
                    .filter_map(|wall| clock_reaches(zone, wall))
                    .find(|limit| *limit > at)
                    .unwrap_or(Timestamp::MAX)
            }
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            return text.parse().map(Self::Clock);
        }
        text.parse().map(Self::After).map_err(|error: crate::time::DurationError| error.to_string())
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(long) => write!(f, "{long}"),
            Self::Clock(clock) => write!(f, "{clock}"),
        }
    }
}

/// Another job's run that must have ended before a run may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The other job.
    pub job: String,
    /// Which of its runs.
    pub run: WhichRun,
    /// How it must have ended.
    pub outcomes: Vec<Outcome>,
}

/// Which run of another job is meant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum WhichRun {
    /// Its last occurrence of the same business day.
    #[default]
    SameBusinessDay,
    /// The one with the same instant.
    SameOccurrence,
    /// Its newest one that is not later than this run's instant.
    Latest,
}

impl WhichRun {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::SameBusinessDay => "same-business-day",
            Self::SameOccurrence => "same-occurrence",
            Self::Latest => "latest",
        }
    }
}

fn done() -> Vec<Outcome> {
    vec![Outcome::Succeeded, Outcome::Warning]
}

/// The long form of [`After`], derived so that unknown and missing keys are named as everywhere else.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AfterMap {
    job: String,
    #[serde(default)]
    run: WhichRun,
    #[serde(default = "done")]
    outcomes: Vec<Outcome>,
}

/// A confirmation that a run needs before it may start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Confirm {
    /// The role of whoever may give it.
    pub role: Role,
    /// What they are asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
}

/// A file that must be there, on the host that will run the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Need {
    /// Its absolute path. Parameters stand in double braces: `/in/{{business-date}}.csv`.
    pub file: String,
    /// Its newest change is at least so long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<HumanDuration>,
    /// Its size has been the same for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_for: Option<HumanDuration>,
    /// It has at least so many bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What a run holds of a named lock while it runs: `ledger-db`, or `{lock: licences, units: 2}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The lock.
    pub lock: String,
    /// How much of it.
    pub share: Share,
}

/// How much of a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many of its units.
    Units(u32),
    /// All of it.
    Exclusive,
}

/// The long form of [`Claim`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ClaimMap {
    lock: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    units: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    exclusive: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// When a run counts as late, or as taking longer or shorter than it should. Each is noted once, as an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sla {
    /// It has started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_by: Option<By>,
    /// It has ended by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_by: Option<By>,
    /// It takes longer than this: `2h`, `150%` of its median, or `p95` of its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer_than: Option<LengthLimit>,
    /// It takes shorter than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_than: Option<LengthLimit>,
}

impl Sla {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A limit to how long a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthLimit {
    /// So long.
    Absolute(HumanDuration),
    /// So many percent of the median of its history.
    Percent(u32),
    /// This percentile of its history.
    Percentile(u8),
}

impl FromStr for LengthLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is not a limit: write a duration (2h), a percentage of the median (150%) or a percentile (p95)"
            )
        };
        if let Some(number) = text.strip_suffix('%') {
            let percent: u32 = number.trim().parse().map_err(|_| bad())?;
            return if (1..=10_000).contains(&percent) {
                Ok(Self::Percent(percent))
            } else {
                Err(bad())
            };
        }
        if let Some(number) = text.strip_prefix('p') {
            let percentile: u8 = number.parse().map_err(|_| bad())?;
            return if (1..=99).contains(&percentile) {
                Ok(Self::Percentile(percentile))
            } else {
                Err(bad())
            };
        }
        text.parse().map(Self::Absolute).map_err(|_| bad())
    }
}

impl fmt::Display for LengthLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(long) => write!(f, "{long}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Percentile(percentile) => write!(f, "p{percentile}"),
        }
    }
}

/// For types that are a string in a file and have a short and a long form.
macro_rules! as_text {
    ($type:ident, $what:literal, $examples:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $what, "examples": $examples })
            }
        }
    };
}

as_text!(By, "How long after the run's instant, or a time of day", ["4h", "06:00"]);
as_text!(
    LengthLimit,
    "A duration, a percentage of the median, or a percentile",
    ["2h", "150%", "p95"]
);

macro_rules! short_or_long {
    ($type:ident, $map:ident, $visitor:ident, $expecting:literal, $short:expr, $long:expr, $back:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let back: fn(&$type) -> $map = $back;
                back(self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }

        struct $visitor;

        impl<'de> Visitor<'de> for $visitor {
            type Value = $type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                let short: fn(&str) -> $type = $short;
                Ok(short(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                let long: fn($map) -> Result<$type, String> = $long;
                let map = $map::deserialize(de::value::MapAccessDeserializer::new(map))?;
                long(map).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let map = generator.subschema_for::<$map>();
                json_schema!({ "anyOf": [{ "type": "string" }, map] })
            }
        }
    };
}

short_or_long!(
    After,
    AfterMap,
    AfterVisitor,
    "the name of a job, or a map with `job`, `run` and `outcomes`",
    |job| After { job: job.to_owned(), run: WhichRun::default(), outcomes: done() },
    |AfterMap { job, run, outcomes }| Ok(After { job, run, outcomes }),
    |After { job, run, outcomes }| AfterMap {
        job: job.clone(),
        run: *run,
        outcomes: outcomes.clone()
    }
);

short_or_long!(
    Claim,
    ClaimMap,
    ClaimVisitor,
    "the name of a lock, or a map with `lock` and `units` or `exclusive: true`",
    |lock| Claim { lock: lock.to_owned(), share: Share::Units(1) },
    |map| match map {
        ClaimMap { units: Some(_), exclusive: true, .. } => {
            Err("give `units` or `exclusive`, not both".to_owned())
        }
        ClaimMap { lock, exclusive: true, .. } => Ok(Claim { lock, share: Share::Exclusive }),
        ClaimMap { lock, units, .. } => {
            Ok(Claim { lock, share: Share::Units(units.unwrap_or(1)) })
        }
    },
    |Claim { lock, share }| match share {
        Share::Units(n) => ClaimMap { lock: lock.clone(), units: Some(*n), exclusive: false },
        Share::Exclusive => ClaimMap { lock: lock.clone(), units: None, exclusive: true },
    }
);
