//! What a plan shows: the difference between a file and what is active.

use serde_json::Value;

use super::definition::JobDefinition;
use crate::site::Thing;

/// What applying a definition would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It does not exist yet, or was retired.
    Add,
    /// The active definition differs.
    Change,
    /// Nothing.
    Same,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// What it is: `job`, `calendar`, …
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// What would happen.
    pub change: Change,
    /// Fields that differ: name, active value, new value.
    pub fields: Vec<(String, Value, Value)>,
}

/// Compares what is active with what a file says of a job.
pub fn difference(active: Option<&JobDefinition>, new: &JobDefinition) -> Difference {
    let value = |job| serde_json::to_value(job).unwrap_or_default();
    compare("job", &new.name, active.map(value), &value(new))
}

/// The same of something else that a site defines.
pub fn thing_difference(active: Option<&Thing>, new: &Thing) -> Difference {
    let value = |thing: &Thing| thing.value().unwrap_or_default();
    compare(new.kind().word(), new.name(), active.map(value), &value(new))
}

fn compare(what: &'static str, name: &str, active: Option<Value>, new: &Value) -> Difference {
    let fields = active.as_ref().map_or_else(Vec::new, |active| changed_fields(active, new));
    let change = match (active, fields.is_empty()) {
        (None, _) => Change::Add,
        (Some(_), false) => Change::Change,
        (Some(_), true) => Change::Same,
    };
    Difference { what, name: name.to_owned(), change, fields }
}

/// Fields with other values, also those that only one of the two has.
fn changed_fields(active: &Value, new: &Value) -> Vec<(String, Value, Value)> {
    let (Value::Object(old), Value::Object(new)) = (active, new) else { return Vec::new() };
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let of = |map: &serde_json::Map<String, Value>, name: &str| {
        map.get(name).cloned().unwrap_or(Value::Null)
    };
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    changed.map(|name| (name.clone(), of(old, name), of(new, name))).collect()
}
