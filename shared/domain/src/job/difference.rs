//! What a plan shows: the difference between a file and what is active.

use serde_json::Value;

use super::definition::JobDefinition;

/// What applying a definition would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The job does not exist yet, or was retired.
    Add,
    /// The active definition differs.
    Change,
    /// Nothing.
    Same,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The job.
    pub job: String,
    /// What would happen.
    pub change: Change,
    /// Fields that differ: name, active value, new value.
    pub fields: Vec<(String, Value, Value)>,
}

/// Compares what is active with what a file says.
pub fn difference(active: Option<&JobDefinition>, new: &JobDefinition) -> Difference {
    let fields = active.map_or_else(Vec::new, |active| changed_fields(active, new));
    let change = match (active, fields.is_empty()) {
        (None, _) => Change::Add,
        (Some(_), false) => Change::Change,
        (Some(_), true) => Change::Same,
    };
    Difference { job: new.name.clone(), change, fields }
}

fn changed_fields(active: &JobDefinition, new: &JobDefinition) -> Vec<(String, Value, Value)> {
    let (Ok(Value::Object(old)), Ok(Value::Object(new))) =
        (serde_json::to_value(active), serde_json::to_value(new))
    else {
        return Vec::new();
    };
    new.into_iter()
        .filter_map(|(key, value)| {
            let before = old.get(&key).cloned().unwrap_or(Value::Null);
            (before != value).then_some((key, before, value))
        })
        .collect()
}
