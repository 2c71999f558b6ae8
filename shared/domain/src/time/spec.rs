//! A schedule as it stands in a job file.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::{Timestamp, civil};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::duration::HumanDuration;

/// When a job runs. Exactly one of the four keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleSpec {
    /// A crontab line's time fields (crontab(5)): `minute hour day-of-month month day-of-week`, optionally with
    /// seconds first; or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`.
    /// Weekdays: 0 and 7 are Sunday, 1 is Monday. If both day fields are restricted a day need match only one of
    /// them; if either starts with `*` it must match both. Also `L` (last day), `15W` (nearest working day),
    /// `LW`, `5L` (last Friday), `1#2` (second Monday).
    Cron(String),
    /// A Quartz line: `second minute hour day-of-month month day-of-week`, optionally with a year. Weekdays: 1
    /// is Sunday, 7 is Saturday. `?` means the same as `*`. Where Quartz demands `?` in one of the day fields,
    /// here both may be restricted, and then a day must match both. `L`, `W` and `#` are not understood in this
    /// form; years run from 1970 to 2100.
    Quartz(String),
    /// Every so often in elapsed time, whatever the clocks do: `90s`, or `{interval: 90s, from: <timestamp>}`.
    Every(Every),
    /// Once at each of these times: a date-time of the job's zone, a timestamp with an offset, or a list.
    At(AtList),
}

impl fmt::Display for ScheduleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(text) => write!(f, "cron: {text}"),
            Self::Quartz(text) => write!(f, "quartz: {text}"),
            Self::Every(every) => write!(f, "every: {every}"),
            Self::At(list) => write!(f, "at: {list}"),
        }
    }
}

/// An interval of elapsed time. Occurrences are `from`, `from + interval`, `from + 2 × interval` and so on;
/// there are none before `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// The time between two occurrences: whole seconds, at least one.
    pub interval: HumanDuration,
    /// The first occurrence. Without it the count starts at 1970-01-01T00:00:00Z, so that every host agrees.
    pub from: Option<Timestamp>,
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            None => write!(f, "{}", self.interval),
            Some(from) => write!(f, "{} from {from}", self.interval),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(from) = self.from else { return self.interval.serialize(serializer) };
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("interval", &self.interval)?;
        map.serialize_entry("from", &from)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EveryVisitor)
    }
}

/// The map form, derived so that unknown and missing keys are named as everywhere else.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct EveryMap {
    interval: HumanDuration,
    #[schemars(with = "Option<String>")]
    from: Option<Timestamp>,
}

struct EveryVisitor;

impl<'de> Visitor<'de> for EveryVisitor {
    type Value = Every;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `90s`, or a map with `interval` and `from`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Every, E> {
        let interval = text.parse().map_err(E::custom)?;
        Ok(Every { interval, from: None })
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Every, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Every, A::Error> {
        let EveryMap { interval, from } =
            EveryMap::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Every { interval, from })
    }
}

impl JsonSchema for Every {
    fn schema_name() -> Cow<'static, str> {
        "Every".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<HumanDuration>();
        let map = generator.subschema_for::<EveryMap>();
        json_schema!({ "anyOf": [duration, map] })
    }
}

/// One entry of `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtTime {
    /// A wall-clock time of the schedule's zone: `2026-12-01T02:30`. It is a fixed time: [`super::DstPolicy`]
    /// says what becomes of it in a gap or an overlap.
    Civil(civil::DateTime),
    /// An instant, written with an offset: `2026-12-01T02:30-05:00` or `2026-12-01T07:30:00Z`.
    Instant(Timestamp),
}

impl fmt::Display for AtTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Civil(time) => write!(f, "{time}"),
            Self::Instant(instant) => write!(f, "{instant}"),
        }
    }
}

impl FromStr for AtTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let refuse = |problem: &str| {
            Err(format!(
                "`{text}` {problem}: write a date and a time of day such as 2026-12-01T02:30, \
                 or with an offset 2026-12-01T02:30-05:00"
            ))
        };
        if text.contains('[') {
            return refuse("names a zone; a schedule's zone stands in its `zone:`");
        }
        if !text.contains(':') {
            return refuse("has no time of day");
        }
        // The order matters: a civil time would be read out of a timestamp with its offset ignored.
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self::Instant(instant));
        }
        match text.parse::<civil::DateTime>() {
            Ok(time) => Ok(Self::Civil(time)),
            Err(_) => refuse("is not a date-time"),
        }
    }
}

impl Serialize for AtTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AtTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The entries of `at`, in the order written. In a file a single entry may stand without the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtList(pub Vec<AtTime>);

impl fmt::Display for AtList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&entries.join(", "))
    }
}

impl Serialize for AtList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => only.serialize(serializer),
            entries => entries.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AtList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtVisitor)
    }
}

struct AtVisitor;

impl<'de> Visitor<'de> for AtVisitor {
    type Value = AtList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date-time such as `2026-12-01T02:30`, or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AtList, E> {
        Ok(AtList(vec![text.parse().map_err(E::custom)?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AtList, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element()? {
            entries.push(entry);
        }
        Ok(AtList(entries))
    }
}

impl JsonSchema for AtList {
    fn schema_name() -> Cow<'static, str> {
        "AtList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let entry = json_schema!({
            "type": "string",
            "description": "A date-time of the job's zone, or a timestamp with an offset",
            "examples": ["2026-12-01T02:30", "2026-12-01T02:30-05:00"],
        });
        json_schema!({ "anyOf": [entry, { "type": "array", "items": entry, "minItems": 1 }] })
    }
}
