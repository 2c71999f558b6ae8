//! Job files: YAML (or JSON, which is YAML), several documents a file.

use serde_saphyr::Error as YamlError;

use super::definition::{JobDefinition, Problem};

/// One job of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The job.
    pub definition: JobDefinition,
}

/// A job file that cannot be used: every problem of it, with its place where the reader knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The text is not YAML, or not that of a job.
    #[error("{source_name}:{line}:{column}: {message}")]
    Text {
        /// Name of the file.
        source_name: String,
        /// Line, from 1; 0 where the reader does not know.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// The text reads well, but says something that cannot be.
    #[error("{source_name}: job {job:?}: {problem}")]
    Job {
        /// Name of the file.
        source_name: String,
        /// Name of the job.
        job: String,
        /// What is wrong.
        problem: String,
    },
}

/// Most jobs in one file. The parser's own bounds are meant for configuration files, not for a site's jobs.
const DOCUMENTS_MAX: usize = 100_000;
/// Most keys, values and lists in one file: about a hundred for each job.
const NODES_MAX: usize = 100 * DOCUMENTS_MAX;

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: DOCUMENTS_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
        },
    }
}

/// Reads every job of a file.
///
/// # Errors
/// All problems: the first one of the text, or all of the jobs it holds.
pub fn parse_yaml(source_name: &str, text: &str) -> Result<Vec<Document>, Vec<DefinitionError>> {
    let definitions = serde_saphyr::from_multiple_with_options::<JobDefinition>(text, options())
        .map_err(|error| vec![text_error(source_name, &error)])?;
    let mut errors: Vec<_> = definitions
        .iter()
        .flat_map(|d| d.problems().into_iter().map(|p| job_error(source_name, &d.name, &p)))
        .collect();
    errors.extend(doubles(source_name, &definitions));
    if errors.is_empty() {
        Ok(definitions.into_iter().map(|definition| Document { definition }).collect())
    } else {
        Err(errors)
    }
}

fn doubles(source_name: &str, definitions: &[JobDefinition]) -> Vec<DefinitionError> {
    let mut seen = std::collections::BTreeSet::new();
    let twice = definitions.iter().filter(|d| !seen.insert(&d.name));
    let problem = |_: &JobDefinition| Problem {
        field: "name".to_owned(),
        message: "another document of this file has the same name".to_owned(),
    };
    twice.map(|d| job_error(source_name, &d.name, &problem(d))).collect()
}

fn job_error(source_name: &str, job: &str, problem: &Problem) -> DefinitionError {
    DefinitionError::Job {
        source_name: source_name.to_owned(),
        job: job.to_owned(),
        problem: problem.to_string(),
    }
}

fn text_error(source_name: &str, error: &YamlError) -> DefinitionError {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    DefinitionError::Text {
        source_name: source_name.to_owned(),
        line,
        column,
        message: explain(error),
    }
}

fn explain(error: &YamlError) -> String {
    if let YamlError::SerdeUnknownField { field, expected, .. } = error {
        return match nearest(field, expected) {
            Some(near) => format!("there is no field `{field}`; did you mean `{near}`?"),
            None => format!("there is no field `{field}`; there are {}", expected.join(", ")),
        };
    }
    let said = error.to_string();
    if said.starts_with("budget breached") {
        return format!("{said}: a file holds at most {DOCUMENTS_MAX} jobs; make several of it");
    }
    said
}

/// The candidate that differs from `word` in at most a third of its letters.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let (distance, best) = candidates
        .iter()
        .map(|candidate| (edit_distance(&plain(word), &plain(candidate)), *candidate))
        .min()?;
    (distance <= 1.max(word.chars().count() / 3)).then_some(best)
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

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

fn drop_defaults(value: &mut serde_json::Value, defaults: &serde_json::Value, top: bool) {
    let (Some(map), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) else { return };
    if let Some(command) = map.get_mut("command") {
        drop_defaults(command, defaults.get("command").unwrap_or(&serde_json::Value::Null), false);
    }
    map.retain(|key, value| {
        let keep = top && (key == "name" || key == "command");
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

/// The JSON Schema of a job document.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(JobDefinition).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{CatchUp, Overlap};

    const TWO: &str = "\
name: nightly
schedule: { cron: '30 2 * * *' }
zone: Europe/Berlin
catch-up: { all: { limit: 3 } }
overlap: queue-one
command: { argv: [/bin/true] }
---
name: asked
command:
  script: echo hello
";

    #[test]
    fn a_file_holds_several_jobs_and_defaults_are_filled_in() {
        let jobs = parse_yaml("a.yaml", TWO).unwrap();
        assert_eq!(jobs.len(), 2);
        assert_eq!(jobs[0].definition.catch_up, CatchUp::All { limit: 3 });
        assert_eq!(jobs[0].definition.overlap, Overlap::QueueOne);
        assert_eq!(jobs[1].definition.schedule, None);
        assert_eq!(jobs[1].definition.command.interpreter, ["/bin/sh", "-eu"]);
    }

    fn refusal(text: &str) -> String {
        let errors = parse_yaml("a.yaml", text).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_a_hint() {
        let text = "name: a\ncommand: { argv: [x] }\ntimeuot: 5m\n";
        assert_eq!(
            refusal(text),
            "a.yaml:3:1: there is no field `timeuot`; did you mean `timeout`?"
        );
        let text = "name: a\ncommand: { argv: [x] }\ncatch_up: none\n";
        assert_eq!(
            refusal(text),
            "a.yaml:3:1: there is no field `catch_up`; did you mean `catch-up`?"
        );
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        assert!(refusal("name: a\nname: b\ncommand: { argv: [x] }\n").starts_with("a.yaml:2:"));
    }

    #[test]
    fn all_that_cannot_be_is_said_at_once() {
        let text = "\
name: Bad Name
schedule: { cron: '0 0 31 2 *' }
command: { argv: [x], script: y, cwd: here }
stop: { signal: KILL }
retry: { delays: [1s], on: [lost] }
";
        let said = refusal(text);
        for field in ["name:", "schedule:", "command:", "command.cwd:", "stop.signal:", "retry.on:"]
        {
            assert!(said.contains(field), "{field} in\n{said}");
        }
    }

    #[test]
    fn two_documents_of_one_name_are_refused() {
        let text = "name: a\ncommand: { argv: [x] }\n---\nname: a\ncommand: { argv: [y] }\n";
        assert!(refusal(text).contains("same name"));
    }

    #[test]
    fn a_definition_reads_back_from_the_yaml_it_is_written_as() {
        for document in parse_yaml("a.yaml", TWO).unwrap() {
            let text = to_yaml(&document.definition).unwrap();
            assert_eq!(parse_yaml("b.yaml", &text).unwrap(), [document], "{text}");
        }
    }

    #[test]
    fn the_schema_names_every_field_and_refuses_others() {
        let schema = json_schema();
        let fields = schema["properties"].as_object().unwrap();
        for field in ["name", "schedule", "late-after", "catch-up", "overlap", "exit-codes"] {
            assert!(fields.contains_key(field), "{field}");
        }
        assert_eq!(schema["additionalProperties"], serde_json::Value::Bool(false));
    }
}
