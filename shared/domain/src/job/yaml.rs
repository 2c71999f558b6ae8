//! Definitions written as YAML, and their JSON Schemas.

use super::definition::JobDefinition;
use super::flow::FlowDocument;
use crate::backup::{DatasetDefinition, RepositoryDefinition};
use crate::calendar::CalendarDefinition;
use crate::incident::CallTreeDefinition;
use crate::print::{FormDefinition, QueueDefinition};
use crate::site::{BlackoutDefinition, LockDefinition, MeasuresDefinition, PoolDefinition, Thing};

/// A definition as YAML that [`parse_yaml`] reads back, without what equals its default.
///
/// # Errors
/// The definition cannot be written.
pub fn to_yaml(definition: &JobDefinition) -> Result<String, String> {
    let mut value = serde_json::to_value(definition).map_err(|e| e.to_string())?;
    let defaults = serde_json::json!({"name": definition.name, "command": {"argv": ["x"]}});
    let defaults: JobDefinition = serde_json::from_value(defaults).map_err(|e| e.to_string())?;
    let defaults = serde_json::to_value(defaults).map_err(|e| e.to_string())?;
    drop_defaults(&mut value, &defaults, true);
    serde_saphyr::to_string(&Ordered(&value)).map_err(|e| e.to_string())
}

/// Something else that a site defines, as YAML.
///
/// # Errors
/// It cannot be written.
pub fn thing_to_yaml(thing: &Thing) -> Result<String, String> {
    let value = thing.value().map_err(|e| e.to_string())?;
    serde_saphyr::to_string(&Ordered(&value)).map_err(|e| e.to_string())
}

fn drop_defaults(value: &mut serde_json::Value, defaults: &serde_json::Value, top: bool) {
    let (Some(map), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) else { return };
    if let Some(command) = map.get_mut("command") {
        drop_defaults(command, defaults.get("command").unwrap_or(&serde_json::Value::Null), false);
    }
    map.retain(|key, value| {
        let keep = top && key == "name";
        keep || (!value.is_null() && defaults.get(key) != Some(value))
    });
}

/// Writes the fields of a job in the order a person reads them.
struct Ordered<'a>(&'a serde_json::Value);

impl serde::Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const FIRST: [&str; 6] = ["name", "description", "owner", "schedule", "zone", "command"];
        let Some(map) = self.0.as_object() else { return self.0.serialize(serializer) };
        let first = FIRST.iter().filter_map(|key| map.get_key_value(*key));
        let rest = map.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
        serializer.collect_map(first.chain(rest))
    }
}

/// Kinds of documents that have a schema of their own.
pub const SCHEMAS: [&str; 12] = [
    "job",
    "flow",
    "calendar",
    "blackout",
    "lock",
    "pool",
    "dataset",
    "repository",
    "queue",
    "form",
    "call-tree",
    "measures",
];

/// The JSON Schema of documents of one kind; `None` for a kind that does not exist.
pub fn json_schema(kind: &str) -> Option<serde_json::Value> {
    let schema = match kind {
        "job" => schemars::schema_for!(JobDefinition),
        "flow" => schemars::schema_for!(FlowDocument),
        "calendar" => schemars::schema_for!(CalendarDefinition),
        "blackout" => schemars::schema_for!(BlackoutDefinition),
        "lock" => schemars::schema_for!(LockDefinition),
        "pool" => schemars::schema_for!(PoolDefinition),
        "dataset" => schemars::schema_for!(DatasetDefinition),
        "repository" => schemars::schema_for!(RepositoryDefinition),
        "queue" => schemars::schema_for!(QueueDefinition),
        "form" => schemars::schema_for!(FormDefinition),
        "call-tree" => schemars::schema_for!(CallTreeDefinition),
        "measures" => schemars::schema_for!(MeasuresDefinition),
        _ => return None,
    };
    Some(schema.to_value())
}
