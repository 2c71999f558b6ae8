//! What became of the controls, for programs: OSCAL assessment results (NIST, model version 1.1.2).
//!
//! A control of which no member failed is `satisfied`, one with an exception `not-satisfied`; of one that could not be tested, or
//! had nothing to be tested on, there is an observation and no finding.

use domain::canonical::Digest;
use domain::controls::{Control, Outcome, Summary};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use super::Subject;

/// Most exceptions that are told one by one; the evidence has all.
const EXCEPTIONS: usize = 100;

pub(super) fn json(subject: &Subject) -> anyhow::Result<Vec<u8>> {
    let outcomes = &subject.report.outcomes;
    let includes: Vec<Value> =
        outcomes.iter().map(|one| json!({ "control-id": id_of(one.control) })).collect();
    let resource = identity(subject, "evidence");
    let value = json!({ "assessment-results": {
        "uuid": identity(subject, "assessment-results"),
        "metadata": {
            "title": format!("Controls of {} {}", subject.report.origin, subject.period()),
            "last-modified": subject.request.until,
            "version": subject.sha256.short(),
            "oscal-version": "1.1.2",
            "remarks": subject.verdict(),
        },
        "import-ap": { "href": format!("#{resource}"), "remarks": "What was asked for stands in the evidence: request.json." },
        "results": [{
            "uuid": identity(subject, "result"),
            "title": "Controls tested over their whole populations",
            "description": "Each member of each population was tested; nothing was sampled.",
            "start": subject.request.from,
            "end": subject.request.until,
            "reviewed-controls": { "control-selections": [{ "include-controls": includes }] },
            "observations": outcomes.iter().map(|one| observation(subject, one)).collect::<Vec<_>>(),
            "findings": outcomes.iter().filter_map(|one| finding(subject, one)).collect::<Vec<_>>(),
        }],
        "back-matter": { "resources": [{
            "uuid": resource,
            "title": format!("Evidence of the log {}", subject.report.origin),
            "rlinks": [{
                "href": subject.file,
                "media-type": "application/x-tar",
                "hashes": [{ "algorithm": "SHA-256", "value": subject.sha256 }],
            }],
        }] },
    } });
    let mut bytes = serde_json::to_vec_pretty(&value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The control, as names of controls are written there.
fn id_of(control: &str) -> String {
    control.to_ascii_lowercase()
}

/// The same for the same evidence: the model asks for version 5, of which this has the form; the hash is SHA-256.
fn identity(subject: &Subject, of: &str) -> Uuid {
    let hash = Digest::of(format!("{}\n{of}\n", subject.sha256).as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.0[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

fn observation(subject: &Subject, outcome: &Outcome) -> Value {
    let summary = Summary::of(outcome);
    let control = Control::named(outcome.control).ok();
    let property = |name: &str, value: String| json!({ "name": name, "value": value });
    let evidence: Vec<Value> = outcome
        .exceptions()
        .take(EXCEPTIONS)
        .map(|item| {
            let place = item.position.map(|at| format!("position {at}: ")).unwrap_or_default();
            let became = item
                .disposed
                .as_ref()
                .map(|said| format!(" [{}: {said}]", said.disposition.word()));
            let became = became.unwrap_or_default();
            let text = format!("{place}{} {}: {}{became}", item.at, item.subject, item.result());
            json!({ "href": format!("#{}", identity(subject, "evidence")), "description": text })
        })
        .collect();
    let mut observation = json!({
        "uuid": identity(subject, &format!("observation {}", outcome.control)),
        "title": format!("{}: {}", outcome.control, summary.word()),
        "description": control.map_or("", |one| one.statement),
        "props": [
            property("population", summary.population.to_string()),
            property("exceptions", summary.exceptions.to_string()),
            property("without-disposition", summary.open.to_string()),
        ],
        "methods": ["TEST"],
        "collected": subject.request.until,
    });
    if !evidence.is_empty() {
        observation["relevant-evidence"] = evidence.into();
    }
    if let Some(why) = &outcome.untested {
        observation["remarks"] = json!(format!("not tested: {why}"));
    }
    observation
}

fn finding(subject: &Subject, outcome: &Outcome) -> Option<Value> {
    let summary = Summary::of(outcome);
    if outcome.untested.is_some() || summary.population == 0 {
        return None;
    }
    let control = Control::named(outcome.control).ok()?;
    let state = if summary.exceptions == 0 { "satisfied" } else { "not-satisfied" };
    let id = outcome.control;
    Some(json!({
        "uuid": identity(subject, &format!("finding {id}")),
        "title": format!("{id}: {}", control.statement),
        "description": format!(
            "{} of {} members of the population ({}) are exceptions ({}).",
            summary.exceptions, summary.population, control.population, control.exception
        ),
        "target": {
            "type": "objective-id",
            "target-id": id_of(id),
            "status": { "state": state },
        },
        "related-observations": [
            { "observation-uuid": identity(subject, &format!("observation {id}")) },
        ],
    }))
}
