//! Jobs that run other jobs one after another, as flows.

use std::collections::BTreeMap;

use domain::job::flow::FlowDocument;
use serde_json::{Value, json};

use super::steps::{JobRef, keeps_going};
use super::{Refusal, Source, job, schedule};
use crate::import::Imported;
use crate::import::document::{Document, within_flow};
use crate::import::names::Names;

/// Makes a flow of the jobs that a job runs.
pub(super) fn take(
    index: usize,
    steps: &[JobRef],
    sources: &[Source],
    zone: &str,
    names: &mut Names,
    imported: &mut Imported,
) {
    let Some(source) = sources.get(index) else { return };
    match flow(source, steps, sources, zone, names) {
        Err((line, reason)) => imported.leave_out(&source.line(line), source.path(), reason),
        Ok(flow) => {
            let text = "its jobs are written in the flow again: they also stay as they are, for those who ask for one alone";
            imported.note(&source.at, text);
            job::remarks(source, &flow.name, imported);
            imported.add(&source.at, Document::Flow(Box::new(flow)));
        }
    }
}

fn flow(
    source: &Source,
    steps: &[JobRef],
    sources: &[Source],
    zone: &str,
    names: &mut Names,
) -> Result<FlowDocument, Refusal> {
    if let Some(options) = source.tree.get("options") {
        return Err((
            options.line,
            "options of a job that runs others cannot be carried".to_owned(),
        ));
    }
    let when = schedule::read(&source.tree, zone)?;
    let (mut jobs, mut short, mut before) = (BTreeMap::new(), Names::default(), None::<String>);
    for step in steps {
        let mut body = body(step, sources)?;
        let after = before.as_ref().map(|job| wait(job, keeps_going(&source.tree)));
        if let (Some(map), Some(after)) = (body.as_object_mut(), after) {
            map.insert("after".to_owned(), json!([after]));
        }
        let name = short.unique(step.path.rsplit('/').next().unwrap_or_default());
        jobs.insert(name.clone(), body);
        before = Some(name);
    }
    let value = json!({
        "kind": "flow",
        "name": names.unique(&source.path().replace('/', ".")),
        "description": job::description(source),
        "schedule": when.as_ref().map(|when| &when.spec),
        "zone": when.as_ref().and_then(|when| when.zone.as_deref()).unwrap_or(zone),
        "calendar": when.map(|when| when.calendar).unwrap_or_default(),
        "catch-up": "none",
        "jobs": jobs,
    });
    serde_json::from_value(value).map_err(|error| (source.at.line, error.to_string()))
}

fn wait(job: &str, keep_going: bool) -> Value {
    if keep_going {
        json!({"job": job, "outcomes": ["succeeded", "warning", "failed", "timed-out"]})
    } else {
        json!(job)
    }
}

/// What the job of a step says.
fn body(step: &JobRef, sources: &[Source]) -> Result<Value, Refusal> {
    let is_it = |source: &&Source| {
        let id = |part| source.tree.text_at(part);
        let by_id =
            step.id.as_deref().is_some_and(|own| [id("uuid"), id("id")].contains(&Some(own)));
        by_id || (step.id.is_none() && source.path() == step.path)
    };
    let path = &step.path;
    let found = sources.iter().find(is_it);
    let found = found
        .ok_or_else(|| (step.line, format!("it runs {path}, which is not among the files")))?;
    let made = found.made.as_ref();
    let made =
        made.ok_or_else(|| (step.line, format!("it runs {path}, which is left out itself")))?;
    let mut body = within_flow(made).map_err(|reason| (step.line, reason))?;
    if let Some(map) = body.as_object_mut() {
        map.remove("catch-up");
    }
    Ok(body)
}
