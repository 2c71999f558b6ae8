//! Where a run may go: labels of hosts, one host or all, and which of several is preferred.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels a host must have: each with one of these values.
pub type Selector = BTreeMap<String, Values>;

/// One of these values; in a file a single one may stand without the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values(pub Vec<String>);

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => only.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Values, E> {
        Ok(Values(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Values(values))
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// Whether a host with these labels is one of those selected.
pub fn selects(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    selector
        .iter()
        .all(|(label, values)| labels.get(label).is_some_and(|has| values.0.contains(has)))
}

/// On how many hosts of the pool a run takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hosts {
    /// On one of them.
    #[default]
    One,
    /// On each of those that are up when it becomes due: one run each.
    All,
}

impl Hosts {
    /// Whether it is the usual.
    pub fn is_one(&self) -> bool {
        *self == Self::One
    }
}

/// Which of several hosts is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// Whichever takes it first.
    #[default]
    Any,
    /// The one that ran it last, while it is there.
    Last,
    /// The one with the most free slots.
    LeastLoaded,
}

impl Prefer {
    /// Whether it is the usual.
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }
}
