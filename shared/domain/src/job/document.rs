//! Files of definitions: YAML (or JSON, which is YAML), several documents a file, each a job, a flow, or one of the
//! things a site defines.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Error as YamlError;

use super::definition::{JobDefinition, Kind, Problem};
use super::flow::FlowDocument;
use crate::ids::StreamId;
use crate::site::{Thing, ThingKind};

/// One definition of a file. A flow is as many as it has jobs.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// A job.
    Job(Box<JobDefinition>),
    /// Something else that a site defines.
    Thing(Thing),
}

impl Definition {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Job(job) => &job.name,
            Self::Thing(thing) => thing.name(),
        }
    }

    /// The word for what it is.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Thing(thing) => thing.kind().word(),
        }
    }

    /// Its stream.
    pub fn stream(&self) -> StreamId {
        match self {
            Self::Job(job) => StreamId::job(&job.name),
            Self::Thing(thing) => thing.stream(),
        }
    }

    /// The job, where it is one.
    pub fn job(&self) -> Option<&JobDefinition> {
        if let Self::Job(job) = self { Some(job) } else { None }
    }

    /// Everything that is wrong with it by itself; empty when it can be proposed.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Job(job) => job.problems(),
            Self::Thing(thing) => thing.problems(),
        }
    }
}

/// A document of a file.
pub type Document = Definition;

/// A file that cannot be used: every problem of it, with its place where the reader knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The text is not YAML, or not that of a definition.
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
    #[error("{source_name}: {what} {name:?}: {problem}")]
    Says {
        /// Name of the file.
        source_name: String,
        /// The word for what it is.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// Most documents in one file.
const DOCUMENTS_MAX: usize = 100_000;
/// Most keys, values and lists in one document: a long list of holidays has hundreds.
const NODES_MAX: usize = 20_000;

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
        },
    }
}

/// A document's text, and the line of the file before its first.
struct Part<'a> {
    text: &'a str,
    before: u64,
}

/// Reads every definition of a file.
///
/// # Errors
/// All problems: of each document the first of its text, or all of what it says.
pub fn parse_yaml(source_name: &str, text: &str) -> Result<Vec<Definition>, Vec<DefinitionError>> {
    let parts = split(text);
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    if parts.len() > DOCUMENTS_MAX {
        let message = format!(
            "a file holds at most {DOCUMENTS_MAX} jobs and other documents; make several of it"
        );
        return Err(vec![place(source_name, 0, 0, message)]);
    }
    for part in parts {
        match read(source_name, &part) {
            Ok(definitions) => found.extend(definitions),
            Err(problems) => errors.extend(problems),
        }
    }
    for definition in &found {
        errors.extend(definition.problems().iter().map(|p| says(source_name, definition, p)));
    }
    errors.extend(doubles(source_name, &found));
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Cuts a file at the lines that begin a document. Inside a document no line can begin so.
fn split(text: &str) -> Vec<Part<'_>> {
    let is_mark = |line: &str| {
        line.strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    };
    let (mut parts, mut begin, mut at, mut before) = (Vec::new(), 0, 0, 0);
    for (number, line) in (0..).zip(text.split_inclusive('\n')) {
        if is_mark(line) && at > begin {
            parts.push(Part { text: text.get(begin..at).unwrap_or_default(), before });
            (begin, before) = (at, number);
        }
        at += line.len();
    }
    parts.push(Part { text: text.get(begin..).unwrap_or_default(), before });
    parts.retain(|part| !is_blank(part.text));
    parts
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with('#') || line == "..."
    })
}

/// The word of a document's `kind`; `command` where it has none.
fn kind_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Probe {
        kind: Option<String>,
    }
    let plain = |line: &str| line.strip_prefix("kind:").map(|word| word.to_owned());
    if let Some(word) = text.lines().find_map(plain) {
        let word = word.split('#').next().unwrap_or_default();
        return word.trim().trim_matches(['"', '\'']).to_owned();
    }
    // Written in one line, or as JSON.
    let braces = text.trim_start().trim_start_matches("---").trim_start().starts_with('{');
    let probe = braces
        .then(|| serde_saphyr::from_str_with_options::<Probe>(text, options()).ok())
        .flatten()
        .and_then(|probe| probe.kind);
    probe.unwrap_or_else(|| "command".to_owned())
}

fn read(source_name: &str, part: &Part<'_>) -> Result<Vec<Definition>, Vec<DefinitionError>> {
    let kind = kind_of(part.text);
    if let Some(kind) = ThingKind::from_word(&kind) {
        let thing = match kind {
            ThingKind::Calendar => Thing::Calendar(typed(source_name, part)?),
            ThingKind::Blackout => Thing::Blackout(typed(source_name, part)?),
            ThingKind::Lock => Thing::Lock(typed(source_name, part)?),
            ThingKind::Pool => Thing::Pool(typed(source_name, part)?),
            ThingKind::Dataset => Thing::Dataset(typed(source_name, part)?),
            ThingKind::Repository => Thing::Repository(typed(source_name, part)?),
            ThingKind::Queue => Thing::Queue(typed(source_name, part)?),
            ThingKind::Form => Thing::Form(typed(source_name, part)?),
            ThingKind::CallTree => Thing::CallTree(typed(source_name, part)?),
            ThingKind::Measures => Thing::Measures(typed(source_name, part)?),
        };
        return Ok(vec![Definition::Thing(thing)]);
    }
    match kind.as_str() {
        "flow" => {
            let flow: FlowDocument = typed(source_name, part)?;
            let name = flow.name.clone();
            let jobs = flow.jobs().map_err(|problems| {
                let says = |problem| DefinitionError::Says {
                    source_name: source_name.to_owned(),
                    what: "flow",
                    name: name.clone(),
                    problem,
                };
                problems.into_iter().map(says).collect::<Vec<_>>()
            })?;
            Ok(jobs.into_iter().map(|job| Definition::Job(Box::new(job))).collect())
        }
        word if Kind::ALL.iter().any(|kind| kind.word() == word) => {
            Ok(vec![Definition::Job(Box::new(typed(source_name, part)?))])
        }
        other => {
            let near = nearest(other, &KINDS);
            let hint = near.map_or_else(
                || format!("there are {}", KINDS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("there is no kind `{other}`; {hint}");
            Err(vec![place(source_name, part.before + 1, 1, message)])
        }
    }
}

const KINDS: [&str; 20] = [
    "measures",
    "call-tree",
    "queue",
    "form",
    "print",
    "command",
    "flow",
    "calendar",
    "blackout",
    "lock",
    "pool",
    "dataset",
    "repository",
    "backup",
    "backup-copy",
    "backup-check",
    "retention",
    "prune",
    "restore",
    "restore-test",
];

fn typed<T: DeserializeOwned>(
    source_name: &str,
    part: &Part<'_>,
) -> Result<T, Vec<DefinitionError>> {
    serde_saphyr::from_str_with_options(part.text, options())
        .map_err(|error| vec![text_error(source_name, part.before, &error)])
}

fn doubles(source_name: &str, definitions: &[Definition]) -> Vec<DefinitionError> {
    let mut seen = BTreeSet::new();
    let twice = definitions.iter().filter(|d| !seen.insert((d.word(), d.name())));
    let problem = Problem {
        field: "name".to_owned(),
        message: "another document of this file has the same name".to_owned(),
    };
    twice.map(|d| says(source_name, d, &problem)).collect()
}

fn says(source_name: &str, definition: &Definition, problem: &Problem) -> DefinitionError {
    DefinitionError::Says {
        source_name: source_name.to_owned(),
        what: definition.word(),
        name: definition.name().to_owned(),
        problem: problem.to_string(),
    }
}

fn place(source_name: &str, line: u64, column: u64, message: String) -> DefinitionError {
    DefinitionError::Text { source_name: source_name.to_owned(), line, column, message }
}

fn text_error(source_name: &str, before: u64, error: &YamlError) -> DefinitionError {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| (before + at.line(), at.column()));
    place(source_name, line, column, explain(error))
}

fn explain(error: &YamlError) -> String {
    if let YamlError::SerdeUnknownField { field, expected, .. } = error {
        return match nearest(field, expected) {
            Some(near) => format!("there is no field `{field}`; did you mean `{near}`?"),
            None => format!("there is no field `{field}`; there are {}", expected.join(", ")),
        };
    }
    if let YamlError::DuplicateMappingKey { key, .. } = error {
        let key = key.as_deref().map_or_else(String::new, |key| format!(" `{key}`"));
        return format!(
            "the field{key} is there already: each is said once in a document, and `---` begins another"
        );
    }
    let said = error.to_string();
    if said.starts_with("budget breached") {
        return format!(
            "{said}: a document has at most {NODES_MAX} keys and values; make several of it"
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{CatchUp, Overlap, json_schema, to_yaml};

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
        assert_eq!(jobs[0].job().unwrap().catch_up, CatchUp::All { limit: 3 });
        assert_eq!(jobs[0].job().unwrap().overlap, Overlap::QueueOne);
        assert_eq!(jobs[1].job().unwrap().schedule, None);
        assert_eq!(jobs[1].job().unwrap().command.interpreter, ["/bin/sh", "-eu"]);
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
            let text = to_yaml(document.job().unwrap()).unwrap();
            assert_eq!(parse_yaml("b.yaml", &text).unwrap(), [document], "{text}");
        }
    }

    #[test]
    fn the_schema_names_every_field_and_refuses_others() {
        let schema = json_schema("job").unwrap();
        let fields = schema["properties"].as_object().unwrap();
        for field in ["name", "schedule", "late-after", "catch-up", "overlap", "exit-codes"] {
            assert!(fields.contains_key(field), "{field}");
        }
        assert_eq!(schema["additionalProperties"], serde_json::Value::Bool(false));
    }
}
