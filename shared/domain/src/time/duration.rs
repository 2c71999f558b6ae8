//! Lengths of time as people write them in job files: `90s`, `5m`, `1h30m`, `1d`, `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The units, largest first, each with its length in milliseconds. A day is 24 hours of elapsed time.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What a duration may look like, for messages and for the JSON Schema.
const SHAPE: &str = "a number and a unit (w, d, h, m, s, ms), largest first: 90s, 5m, 1h30m, 1d";

/// An elapsed time in whole milliseconds, written as `1h30m` or `500ms`.
///
/// A day (`d`) is 24 hours and a week (`w`) 7 days, whatever the clocks of any zone do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HumanDuration(Duration);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// A number stands without a unit, so its size is anybody's guess.
    #[error("`{text}` has no unit after `{number}`: write {SHAPE}")]
    NoUnit {
        /// The whole text.
        text: String,
        /// The number without a unit.
        number: String,
    },
    /// The text does not read as numbers and units.
    #[error("`{text}` is not a duration: write {SHAPE}")]
    Shape {
        /// The whole text.
        text: String,
    },
    /// The units are not in falling order, or one occurs twice.
    #[error("`{text}` has its units out of order: write {SHAPE}")]
    Order {
        /// The whole text.
        text: String,
    },
    /// The sum does not fit 64 bits of milliseconds.
    #[error("`{text}` is longer than this program can count (584 million years)")]
    TooLong {
        /// The whole text.
        text: String,
    },
}

impl HumanDuration {
    /// A duration of whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The length in milliseconds as the events carry it: no human duration exceeds 64 bits of them.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// The same length for the standard library.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// The length in whole milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u128 {
        self.0.as_millis()
    }

    /// Whether the length is nought.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<HumanDuration> for Duration {
    fn from(value: HumanDuration) -> Self {
        value.0
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut rest = self.as_millis();
        // Weeks are read but not written: `14d` says more to most readers than `2w`.
        for (unit, millis) in UNITS.into_iter().skip(1) {
            let count = rest / u128::from(millis);
            rest %= u128::from(millis);
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let shape = || DurationError::Shape { text: text.to_owned() };
        let mut rest = text.trim();
        let mut total: u64 = 0;
        let mut smallest = u64::MAX;
        if rest.is_empty() {
            return Err(shape());
        }
        while !rest.is_empty() {
            let (count, millis, tail) = take_part(text, rest)?;
            if millis >= smallest {
                return Err(DurationError::Order { text: text.to_owned() });
            }
            smallest = millis;
            total = count
                .checked_mul(millis)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| DurationError::TooLong { text: text.to_owned() })?;
            rest = tail.trim_start();
        }
        Ok(Self::from_millis(total))
    }
}

/// Splits one `<number><unit>` off the front; returns the number, the unit's milliseconds and what is left.
fn take_part<'a>(text: &str, rest: &'a str) -> Result<(u64, u64, &'a str), DurationError> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, tail) = rest.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::Shape { text: text.to_owned() });
    }
    let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, tail) = tail.split_at(letters);
    if unit.is_empty() && tail.is_empty() {
        return Err(DurationError::NoUnit { text: text.to_owned(), number: number.to_owned() });
    }
    let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis);
    let millis = millis.ok_or_else(|| DurationError::Shape { text: text.to_owned() })?;
    let count = number.parse().map_err(|_| DurationError::TooLong { text: text.to_owned() })?;
    Ok((count, millis, tail))
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = HumanDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a duration: {SHAPE}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<HumanDuration, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<HumanDuration, E> {
        // YAML hands a bare `90` over as a number; the same sentence serves as for "90".
        number.to_string().parse().map_err(E::custom)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HumanDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": format!("An elapsed time: {SHAPE}"),
            "pattern": "^\\s*([0-9]+(w|d|h|ms|m|s)\\s*)+$",
            "examples": ["90s", "5m", "1h30m", "1d", "500ms"],
        })
    }
}
