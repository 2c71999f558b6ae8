//! A time of day as people write it: `06:00`, `22:30:15`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time of day on the clock of a job's zone, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime(Time);

impl ClockTime {
    /// The beginning of the day.
    pub const MIDNIGHT: Self = Self(Time::midnight());

    /// As `jiff` has it.
    #[must_use]
    pub const fn time(self) -> Time {
        self.0
    }
}

impl FromStr for ClockTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a time of day: write 06:00 or 22:30:15");
        let shape = matches!(text.len(), 5 | 8) && text.as_bytes().get(2) == Some(&b':');
        let time: Time = text.parse().map_err(|_| bad())?;
        if shape && time.subsec_nanosecond() == 0 { Ok(Self(time)) } else { Err(bad()) }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = (self.0.hour(), self.0.minute(), self.0.second());
        write!(f, "{hour:02}:{minute:02}")?;
        if second == 0 { Ok(()) } else { write!(f, ":{second:02}") }
    }
}

impl Serialize for ClockTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ClockVisitor)
    }
}

struct ClockVisitor;

impl Visitor<'_> for ClockVisitor {
    type Value = ClockTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time of day such as '06:00'")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ClockTime, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for ClockTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClockTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A time of day on the clock of the job's zone",
            "pattern": "^[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?$",
            "examples": ["06:00"],
        })
    }
}
