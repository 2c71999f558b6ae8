//! What of a job no crontab says.

use domain::job::JobDefinition;
use serde_json::Value;

use crate::import::draft;

/// What a line says, and what says nothing of what runs when.
const SAID: [&str; 10] = [
    "name",
    "kind",
    "description",
    "owner",
    "schedule",
    "zone",
    "command",
    "run-as",
    "since",
    "flow",
];

/// Longest value that is repeated, in bytes.
const VALUE_BYTES_MAX: usize = 80;

/// Each as `field value`, in order.
pub(super) fn of(job: &JobDefinition, user_column: bool) -> Vec<String> {
    let usual = draft::job(&job.name, serde_json::json!({"argv": ["x"]})).ok();
    let usual = usual.and_then(|usual| serde_json::to_value(usual).ok()).unwrap_or_default();
    let Ok(Value::Object(says)) = serde_json::to_value(job) else { return Vec::new() };
    let mut lost = Vec::new();
    if let (false, Some(user)) = (user_column, &job.run_as) {
        lost.push(format!("run-as {user}: put the line into that account's crontab"));
    }
    for (field, value) in says.iter().filter(|(field, _)| !SAID.contains(&field.as_str())) {
        let same = value.is_null() || usual.get(field) == Some(value);
        let matters = match field.as_str() {
            // A crontab makes up for nothing, and starts a second one whatever the first does.
            "catch-up" => *value != Value::String("none".to_owned()),
            "overlap" => true,
            _ => !same,
        };
        if matters {
            lost.push(format!("{field} {}", short(value)));
        }
    }
    lost
}

fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let cut = draft::cut(&text, VALUE_BYTES_MAX);
    if cut.len() < text.len() { format!("{cut}…") } else { text }
}
