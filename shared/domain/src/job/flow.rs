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
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_) => entry.clone(),
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

/// The names of these jobs, those that others wait for before those that wait; otherwise by name.
pub fn in_order<'a>(jobs: impl IntoIterator<Item = &'a JobDefinition>) -> Vec<String> {
    let mut left = edges(jobs);
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |after: &BTreeSet<String>| after.iter().any(|name| left.contains_key(name));
        let ready = left.iter().filter(|(_, after)| !waits(after)).map(|(name, _)| name.clone());
        let mut ready: Vec<String> = ready.collect();
        if ready.is_empty() {
            // A circle, of which none comes first.
            ready = left.keys().cloned().collect();
        }
        for name in ready {
            left.remove(&name);
            order.push(name);
        }
    }
    order
}

/// A flow as a text diagram: each job once, below the first of those it waits for; behind it what `note` says.
pub fn diagram(jobs: &[JobDefinition], note: impl Fn(&JobDefinition) -> String) -> String {
    let names: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let mut below: BTreeMap<&str, Vec<&JobDefinition>> = BTreeMap::new();
    let mut roots = Vec::new();
    for job in jobs {
        let own = job.after.iter().find(|after| names.contains(after.job.as_str()));
        match own {
            Some(first) => below.entry(first.job.as_str()).or_default().push(job),
            None => roots.push(job),
        }
    }
    let mut drawing = Drawing { below, note: &note, lines: Vec::new() };
    for root in roots {
        drawing.draw(root, None, ("", ""));
    }
    drawing.text()
}

/// A text diagram under way.
struct Drawing<'a> {
    below: BTreeMap<&'a str, Vec<&'a JobDefinition>>,
    note: &'a dyn Fn(&JobDefinition) -> String,
    /// What stands under each other, and what behind it.
    lines: Vec<(String, String)>,
}

impl<'a> Drawing<'a> {
    fn draw(&mut self, job: &'a JobDefinition, under: Option<&str>, (lead, rest): (&str, &str)) {
        let behind = [(self.note)(job), also(job, under), asks(job)];
        let behind: Vec<String> = behind.into_iter().filter(|text| !text.is_empty()).collect();
        self.lines.push((format!("{lead}{}", job.name), behind.join("  ")));
        let children = self.below.remove(job.name.as_str()).unwrap_or_default();
        for (index, child) in children.iter().enumerate() {
            let last = index + 1 == children.len();
            let (branch, bar) =
                if last { ("└─▶ ", "    ") } else { ("├─▶ ", "│   ") };
            let (lead, rest) = (format!("{rest}{branch}"), format!("{rest}{bar}"));
            self.draw(child, Some(&job.name), (&lead, &rest));
        }
    }

    fn text(&self) -> String {
        let width = self.lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
        let line = |(line, behind): &(String, String)| {
            format!("{line:<width$}  {behind}").trim_end().to_owned() + "\n"
        };
        self.lines.iter().map(line).collect()
    }
}

/// What a job waits for beside the one it is drawn below, and with which outcomes where they are not the usual ones.
fn also(job: &JobDefinition, under: Option<&str>) -> String {
    let all = job.after.iter().filter_map(|after| {
        let outcomes: Vec<&str> = after.outcomes.iter().map(|o| o.word()).collect();
        let usual = outcomes == ["succeeded", "warning"];
        let drawn = under == Some(after.job.as_str());
        let how = if usual { String::new() } else { format!(" {}", outcomes.join("|")) };
        (!drawn || !usual).then(|| format!("{}{how}", after.job))
    });
    let all: Vec<String> = all.collect();
    if all.is_empty() { String::new() } else { format!("(after {})", all.join(", ")) }
}

fn asks(job: &JobDefinition) -> String {
    let asks = |confirm: &super::Confirm| format!("[asks the {}]", confirm.role.word());
    job.confirm.as_ref().map(asks).unwrap_or_default()
}

/// A flow as a Mermaid diagram; below each name what `note` says.
pub fn mermaid(jobs: &[JobDefinition], note: impl Fn(&JobDefinition) -> String) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for job in jobs {
        let (name, note) = (&job.name, note(job));
        let note = if note.is_empty() { note } else { format!("<br/>{note}") };
        text.push_str(&format!("    {}[\"{name}{note}\"]\n", id(name)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, says: Value) -> JobDefinition {
        let mut all = json!({"name": name, "command": {"argv": ["/bin/true"]}});
        all.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn flow() -> Vec<JobDefinition> {
        vec![
            job("eod.balance", json!({"after": ["feed", "eod.load"]})),
            job("eod.extract", json!({"after": ["feed"]})),
            job("eod.load", json!({"after": ["eod.extract"]})),
            job(
                "eod.report",
                json!({
                    "after": [{"job": "eod.extract", "outcomes": ["failed"]}, "eod.balance"],
                    "confirm": {"role": "approver"},
                }),
            ),
        ]
    }

    #[test]
    fn a_diagram_draws_each_job_once_below_the_first_it_waits_for_and_names_the_others() {
        let note = |job: &JobDefinition| {
            if job.name == "eod.load" { "running".to_owned() } else { String::new() }
        };
        let wanted = "\
eod.extract          (after feed)
├─▶ eod.load         running
│   └─▶ eod.balance  (after feed)
└─▶ eod.report       (after eod.extract failed, eod.balance)  [asks the approver]
";
        assert_eq!(diagram(&flow(), note), wanted);
    }

    #[test]
    fn those_that_are_waited_for_come_first() {
        let order = in_order(&flow());
        assert_eq!(order, ["eod.extract", "eod.load", "eod.balance", "eod.report"]);
        let circle = [job("a", json!({"after": ["b"]})), job("b", json!({"after": ["a"]}))];
        assert_eq!(in_order(&circle), ["a", "b"]);
    }

    #[test]
    fn a_mermaid_diagram_has_an_arrow_for_each_wait() {
        let text = mermaid(&flow(), |_| "due".to_owned());
        assert!(text.contains("    j_eod_dload[\"eod.load<br/>due\"]\n"), "{text}");
        assert_eq!(text.matches(" --> ").count(), 6, "{text}");
    }
}
