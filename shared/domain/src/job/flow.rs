//! Flows: several jobs with one schedule, each waiting for others of them.
//!
//! A flow is a way to write jobs down, and a name to see and ask for them together. Each of its jobs is a job like
//! any other, called `FLOW.JOB`, with the flow's schedule; `after` names jobs of the flow by their short names and
//! means their run of the same occurrence.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::definition::JobDefinition;
use super::parts::CatchUp;
use crate::time::{CalendarRule, DstPolicy, HumanDuration, ScheduleSpec};

/// The word that makes a document a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowKind {
    /// A flow.
    #[default]
    Flow,
}

/// A flow, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FlowDocument {
    /// Always `flow`.
    pub kind: FlowKind,
    /// Its name; its jobs are called `name.job`.
    pub name: String,
    /// What it is for; for its jobs too, where they say nothing.
    #[serde(default)]
    pub description: String,
    /// Whom to ask about it; for its jobs too, where they say nothing.
    #[serde(default)]
    pub owner: String,
    /// When all its jobs become due; without one they run when somebody asks for the flow.
    #[serde(default)]
    pub schedule: Option<ScheduleSpec>,
    /// See the job's field.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// See the job's field.
    #[serde(default = "utc")]
    pub zone: String,
    /// See the job's field.
    #[serde(default)]
    pub dst: DstPolicy,
    /// See the job's field.
    #[serde(default)]
    pub calendar: CalendarRule,
    /// For its jobs, where they say nothing.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// For its jobs, where they say nothing.
    #[serde(default = "one_minute")]
    pub late_after: HumanDuration,
    /// Its jobs by their short names, each with the fields of a job that the flow does not have.
    pub jobs: BTreeMap<String, Value>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn one_minute() -> HumanDuration {
    HumanDuration::from_secs(60)
}

/// Fields of a job that its flow has.
const OF_FLOW: [&str; 7] = ["name", "flow", "schedule", "since", "zone", "dst", "calendar"];

impl FlowDocument {
    /// Its jobs.
    ///
    /// # Errors
    /// Everything that is wrong, in sentences.
    pub fn jobs(&self) -> Result<Vec<JobDefinition>, Vec<String>> {
        let (mut jobs, mut problems) = (Vec::new(), Vec::new());
        if self.jobs.is_empty() {
            problems.push("jobs: it has none".to_owned());
        }
        for (name, says) in &self.jobs {
            match self.job(name, says) {
                Ok(job) => jobs.push(job),
                Err(problem) => problems.push(format!("jobs.{name}: {problem}")),
            }
        }
        if let Some(circle) = circle(&edges(&jobs)) {
            problems.push(format!("jobs wait for each other: {}", circle.join(" -> ")));
        }
        if problems.is_empty() { Ok(jobs) } else { Err(problems) }
    }

    fn job(&self, name: &str, says: &Value) -> Result<JobDefinition, String> {
        let mut job = says.as_object().cloned().ok_or("a job is a map of its fields")?;
        if let Some(field) = OF_FLOW.iter().find(|field| job.contains_key(**field)) {
            return Err(format!("{field} stands once, in the flow"));
        }
        if let Some(after) = job.get_mut("after") {
            *after = self.after(after)?;
        }
        for (field, value) in self.shared()? {
            job.entry(field).or_insert(value);
        }
        job.insert("name".to_owned(), json!(format!("{}.{name}", self.name)));
        serde_json::from_value(Value::Object(job)).map_err(|error| error.to_string())
    }

    fn shared(&self) -> Result<Map<String, Value>, String> {
        let shared = json!({
            "flow": self.name, "description": self.description, "owner": self.owner,
            "schedule": self.schedule, "since": self.since, "zone": self.zone, "dst": self.dst,
            "calendar": self.calendar, "catch-up": self.catch_up, "late-after": self.late_after,
        });
        shared.as_object().cloned().ok_or_else(|| "it cannot be written as JSON".to_owned())
    }

    /// What a job waits for, with the short names of the flow's own jobs made long.
    fn after(&self, says: &Value) -> Result<Value, String> {
        let list = says.as_array().ok_or("after: it is a list")?;
        let one = |entry: &Value| match entry {
            Value::String(name) if self.jobs.contains_key(name) => {
                json!({"job": format!("{}.{name}", self.name), "run": "same-occurrence"})
            }
            Value::Object(map) => {
                let mut map = map.clone();
                let name = map.get("job").and_then(Value::as_str).unwrap_or_default().to_owned();
                if self.jobs.contains_key(&name) {
                    map.insert("job".to_owned(), json!(format!("{}.{name}", self.name)));
                    map.entry("run").or_insert(json!("same-occurrence"));
                }
                Value::Object(map)
            }
            other => other.clone(),
        };
        Ok(Value::Array(list.iter().map(one).collect()))
    }
}

/// Which job waits for which.
pub type Edges = BTreeMap<String, BTreeSet<String>>;

/// Which of these jobs waits for which.
pub fn edges<'a>(jobs: impl IntoIterator<Item = &'a JobDefinition>) -> Edges {
    let one = |job: &JobDefinition| {
        (job.name.clone(), job.after.iter().map(|after| after.job.clone()).collect())
    };
    jobs.into_iter().map(one).collect()
}

/// Jobs that wait for each other in a circle: the first of them again at the end. `None` where there are none.
pub fn circle(edges: &Edges) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    edges.keys().find_map(|job| walk(job, edges, &mut done))
}

/// A walk along what waits for what, with a stack of its own: a chain may be long.
fn walk<'a>(from: &'a str, edges: &'a Edges, done: &mut BTreeSet<&'a str>) -> Option<Vec<String>> {
    let mut path = vec![(from, edges.get(from)?.iter())];
    while let Some((job, rest)) = path.last_mut() {
        let job: &'a str = job;
        match rest.next() {
            None => {
                done.insert(job);
                path.pop();
            }
            Some(name) if done.contains(name.as_str()) => {}
            Some(name) => {
                if let Some(begin) = path.iter().position(|(on, _)| on == name) {
                    let circle = path.iter().skip(begin).map(|(on, _)| (*on).to_owned());
                    return Some(circle.chain([name.clone()]).collect());
                }
                match edges.get_key_value(name) {
                    Some((name, _)) => path.push((name, edges.get(name)?.iter())),
                    None => {
                        done.insert(name);
                    }
                }
            }
        }
    }
    None
}

/// A flow as a text diagram: each job once, below the first of those it waits for.
pub fn diagram(jobs: &[JobDefinition]) -> String {
    let names: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let within = |job: &JobDefinition| -> Vec<String> {
        let own = job.after.iter().filter(|after| names.contains(after.job.as_str()));
        own.map(|after| after.job.clone()).collect()
    };
    let mut below: BTreeMap<&str, Vec<&JobDefinition>> = BTreeMap::new();
    let mut roots = Vec::new();
    for job in jobs {
        match within(job).first().and_then(|first| names.get(first.as_str())) {
            Some(first) => below.entry(first).or_default().push(job),
            None => roots.push(job),
        }
    }
    let mut text = String::new();
    for root in roots {
        draw(root, None, ("", ""), &below, &mut text);
    }
    text
}

/// One job and all below it: `under` is the one it stands below.
fn draw(
    job: &JobDefinition,
    under: Option<&str>,
    (lead, rest): (&str, &str),
    below: &BTreeMap<&str, Vec<&JobDefinition>>,
    text: &mut String,
) {
    let also: Vec<String> = job
        .after
        .iter()
        .filter(|after| Some(after.job.as_str()) != under)
        .map(|after| {
            let ok = after.outcomes.iter().map(|o| o.word()).collect::<Vec<_>>().join("|");
            let usual = ok == "succeeded|warning";
            let how = if usual { String::new() } else { format!(" {ok}") };
            format!("{}{how}", after.job)
        })
        .collect();
    let also = match (also.is_empty(), under) {
        (true, _) => String::new(),
        (false, None) => format!("   (after {})", also.join(", ")),
        (false, Some(_)) => format!("   (and after {})", also.join(", ")),
    };
    let confirm = job
        .confirm
        .as_ref()
        .map_or_else(String::new, |confirm| format!("   [asks the {}]", confirm.role.word()));
    text.push_str(&format!("{lead}{}{also}{confirm}\n", job.name));
    let children = below.get(job.name.as_str()).map_or(&[][..], Vec::as_slice);
    for (index, child) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let (branch, bar) = if last { ("└─▶ ", "    ") } else { ("├─▶ ", "│   ") };
        let (lead, rest) = (format!("{rest}{branch}"), format!("{rest}{bar}"));
        draw(child, Some(&job.name), (&lead, &rest), below, text);
    }
}

/// A flow as a Mermaid diagram.
pub fn mermaid(jobs: &[JobDefinition]) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for job in jobs {
        text.push_str(&format!("    {}[\"{}\"]\n", id(&job.name), job.name));
        for after in &job.after {
            text.push_str(&format!("    {} --> {}\n", node(&after.job, jobs), id(&job.name)));
        }
    }
    text
}

/// A job that an arrow comes from: one of another flow is named where it is met.
fn node(name: &str, jobs: &[JobDefinition]) -> String {
    let within = jobs.iter().any(|job| job.name == name);
    if within { id(name) } else { format!("{}[\"{name}\"]", id(name)) }
}

/// A name as Mermaid takes one: no two jobs have the same, and none is a word of its language.
fn id(name: &str) -> String {
    let escaped = name.chars().map(|c| match c {
        '.' => "_d".to_owned(),
        '-' => "_m".to_owned(),
        '_' => "_u".to_owned(),
        c => c.to_string(),
    });
    format!("j_{}", escaped.collect::<String>())
}
