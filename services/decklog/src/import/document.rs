//! What an import makes: jobs, flows, and what else a site defines.

use domain::calendar::{Calendars, DaySet, Days};
use domain::job::flow::FlowDocument;
use domain::job::{Definition, JobDefinition, parse_yaml, to_yaml};
use domain::site::Thing;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::draft;

/// A document of a file of definitions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    /// A job.
    Job(Box<JobDefinition>),
    /// Jobs with one schedule.
    Flow(Box<FlowDocument>),
    /// Something else that a site defines.
    Thing(Thing),
}

impl Document {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Job(job) => &job.name,
            Self::Flow(flow) => &flow.name,
            Self::Thing(thing) => thing.name(),
        }
    }

    /// The word for what it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Flow(_) => "flow",
            Self::Thing(thing) => thing.kind().word(),
        }
    }

    /// Its definition as JSON.
    pub(crate) fn value(&self) -> Result<Value, String> {
        match self {
            Self::Job(job) => serde_json::to_value(job),
            Self::Flow(flow) => Ok(flow_value(flow)),
            Self::Thing(thing) => thing.value(),
        }
        .map_err(|error| error.to_string())
    }

    /// As YAML, without what equals its default.
    pub(crate) fn yaml(&self) -> Result<String, String> {
        match self {
            Self::Job(job) => to_yaml(job),
            Self::Flow(_) | Self::Thing(_) => {
                serde_saphyr::to_string(&Ordered(&self.value()?)).map_err(|e| e.to_string())
            }
        }
    }

    /// The definitions it stands for, as a file of it reads.
    pub(crate) fn definitions(&self) -> Result<Vec<Definition>, String> {
        parse_yaml(self.name(), &self.yaml()?)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// What it does or holds, in a few words.
    pub(crate) fn telling(&self) -> String {
        match self {
            Self::Job(job) => draft::telling(&job.command),
            Self::Flow(flow) => counted(flow.jobs.len(), "job"),
            Self::Thing(Thing::Calendar(calendar)) => match &calendar.days {
                Some(Days::Set(DaySet::Dates(dates))) => counted(dates.len(), "day"),
                Some(Days::Set(DaySet::AnyOf(list))) => counted(list.len(), "calendar"),
                Some(_) | None => String::new(),
            },
            Self::Thing(Thing::Lock(lock)) => counted(lock.units as usize, "unit"),
            Self::Thing(
                Thing::Blackout(_)
                | Thing::Pool(_)
                | Thing::Dataset(_)
                | Thing::Repository(_)
                | Thing::Queue(_)
                | Thing::CallTree(_)
                | Thing::Measures(_)
                | Thing::Form(_),
            ) => String::new(),
        }
    }
}

/// The next instant any of these runs.
pub(crate) fn next(
    definitions: &[Definition],
    now: Timestamp,
    calendars: &Calendars,
) -> Option<String> {
    let jobs = definitions.iter().filter_map(Definition::job);
    let schedules = jobs.filter_map(|job| job.schedule_at(now, calendars)?.ok());
    let next = schedules.filter_map(|schedule| schedule.next_run(now)).min_by_key(|o| o.at)?;
    Some(next.local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn flow_value(flow: &FlowDocument) -> Value {
    let jobs: Map<String, Value> =
        flow.jobs.iter().map(|(name, job)| (name.clone(), job.clone())).collect();
    let mut value = json!({"kind": "flow", "name": flow.name, "jobs": jobs});
    let mut put = |field: &str, said: Value| {
        if let (Some(map), false) = (value.as_object_mut(), is_nothing(&said)) {
            map.insert(field.to_owned(), said);
        }
    };
    put("description", json!(flow.description));
    put("owner", json!(flow.owner));
    put("schedule", json!(flow.schedule));
    put("zone", json!(flow.zone));
    put("calendar", json!(flow.calendar));
    put("catch-up", json!(flow.catch_up));
    value
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a job of a flow says by itself: all that it says, without what its flow says.
pub(super) fn within_flow(job: &JobDefinition) -> Result<Value, String> {
    const OF_FLOW: [&str; 7] = ["name", "flow", "schedule", "since", "zone", "dst", "calendar"];
    let mut value: Value =
        serde_saphyr::from_str(&to_yaml(job)?).map_err(|error| error.to_string())?;
    if let Some(map) = value.as_object_mut() {
        OF_FLOW.iter().for_each(|field| drop(map.remove(*field)));
    }
    Ok(value)
}

/// Writes the fields of a document in the order a person reads them.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const FIRST: [&str; 6] = ["kind", "name", "description", "owner", "schedule", "zone"];
        let Some(map) = self.0.as_object() else { return self.0.serialize(serializer) };
        let first = FIRST.iter().filter_map(|key| map.get_key_value(*key));
        let rest = map.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
        serializer.collect_map(first.chain(rest))
    }
}
