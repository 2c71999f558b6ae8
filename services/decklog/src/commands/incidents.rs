//! Incidents: which are open, what was said of each, and who would be called now.

use console::Applied;
use domain::ids::StreamId;
use domain::incident::{CallState, Incident as State, StepKind, message, words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::with_log;
use crate::cli::{
    Format, Incident, ListIncidents, OneIncident, Place, ReportIncident, SayOfIncident,
};
use crate::client::Client;
use crate::exit;
use crate::output::{self, Table};

pub(crate) fn run(wanted: &Incident, format: Format) -> anyhow::Result<()> {
    match wanted {
        Incident::List(wanted) => list(wanted, format),
        Incident::Show(one) => show(one, format),
        Incident::Report(wanted) => report(wanted, format),
        Incident::Acknowledge(said) => say(said, &json!({"act": "acknowledge"}), format),
        Incident::Note(said) => say(said, &json!({"act": "note"}), format),
        Incident::Cause(cause) => {
            let by = cause.caused_by.as_ref().map(|by| match by.strip_prefix("user/") {
                Some(_) => by.clone(),
                None => format!("user/{by}"),
            });
            say(&cause.said, &json!({"act": "cause", "caused_by": by}), format)
        }
        Incident::Resolve(said) => say(said, &json!({"act": "resolve"}), format),
        Incident::Reopen(said) => say(said, &json!({"act": "reopen"}), format),
        Incident::Broadcast(said) => say(said, &json!({"act": "broadcast"}), format),
        Incident::OnCall(place) => on_call(place, format),
    }
}

#[derive(Debug, Deserialize)]
struct Listed {
    items: Vec<Shown>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Shown {
    id: StreamId,
    state: String,
    #[serde(flatten)]
    incident: State,
}

fn asked(of: Option<&str>, open: bool, limit: u32) -> anyhow::Result<String> {
    let of = match of {
        None => String::new(),
        // A name has nothing in it that means something in an address.
        Some(of) => {
            let of: StreamId = of.parse().map_err(exit::usage)?;
            format!("&of={}", of.as_str().replace('+', "%2B"))
        }
    };
    Ok(format!("/api/v1/incidents?open={open}&limit={limit}{of}"))
}

fn list(wanted: &ListIncidents, format: Format) -> anyhow::Result<()> {
    let path = asked(wanted.of.as_deref(), !wanted.all, wanted.limit)?;
    let listed: Listed = with_log(&wanted.place, |client| client.get_json(&path))?;
    output::list(format, &listed.items, |items| {
        let mut table = Table::new(["INCIDENT", "STATE", "SEVERITY", "SINCE", "WHAT", "WHO"]);
        for Shown { id, state, incident } in items {
            let who = incident.resolved.as_ref().or(incident.acknowledged.as_ref());
            table.row([
                id.rest().to_owned(),
                state.clone(),
                incident.severity.word().to_owned(),
                output::local(incident.opened),
                output::one_line(&newest(incident)),
                who.map(|said| said.by.clone()).unwrap_or_default(),
            ]);
        }
        table
    })
}

fn newest(incident: &State) -> String {
    incident.troubles.last().map(|seen| words::trouble(&seen.trouble)).unwrap_or_default()
}

/// The incident of this name; of what has no number the newest.
fn find(client: &Client, name: &str) -> anyhow::Result<StreamId> {
    if let Ok(id) = format!("incident/{name}").parse::<StreamId>() {
        return Ok(id);
    }
    let listed: Listed = client.get_json(&asked(Some(name), false, 1)?)?;
    let newest = listed.items.into_iter().next();
    let missing = || exit::not_found(format!("there is no incident of {name}"));
    newest.map(|one| one.id).ok_or_else(missing)
}

fn path(id: &StreamId) -> String {
    format!("/api/v1/incidents/{}", id.rest())
}

fn show(one: &OneIncident, format: Format) -> anyhow::Result<()> {
    let shown: Value = with_log(&one.place, |client| {
        let id = find(client, &one.incident)?;
        client.get_json(&path(&id))
    })?;
    let incident: State =
        serde_json::from_value(shown["item"]["state"]["body"]["incident"].clone())?;
    output::one(format, &incident, text)
}

fn text(incident: &State) -> String {
    let id = incident.id();
    let mut lines = vec![
        format!("{}  {}", id.rest(), incident.word()),
        format!("  what      {}", message::headline(incident)),
        format!("  since     {}", output::local(incident.opened)),
    ];
    if incident.count > 1 {
        lines.push(format!("  times     {}", incident.count));
    }
    if let Some(tree) = &incident.tree {
        lines.push(format!("  tree      {tree}"));
    }
    for step in &incident.steps {
        let what = match &step.kind {
            StepKind::Level { round, level, .. } => format!("round {round}, level {level}"),
            StepKind::Broadcast { text, .. } => format!("broadcast: {text}"),
        };
        lines.push(format!("  told      {}  {what}", output::local(step.at)));
        lines.extend(step.calls.iter().map(|call| format!("            {}", told(call))));
    }
    if let Some(said) = &incident.acknowledged {
        lines.push(format!(
            "  deals     {} since {} {}",
            said.by,
            output::local(said.at),
            said.text
        ));
    }
    if let Some(said) = &incident.cleared {
        lines.push(format!("  over      {}: {}", output::local(said.at), said.text));
    }
    for said in &incident.said {
        lines.push(format!("  said      {} {}: {}", output::local(said.at), said.by, said.text));
    }
    if let Some(cause) = &incident.cause {
        let by = cause.caused_by.as_ref().map(|by| format!(" (caused by {by})"));
        lines.push(format!("  cause     {}{}", cause.text, by.unwrap_or_default()));
    }
    if let Some(said) = &incident.resolved {
        lines.push(format!("  resolved  {} {}: {}", output::local(said.at), said.by, said.text));
    }
    lines.into_iter().map(|line| output::one_line(line.trim_end()) + "\n").collect()
}

fn told(state: &CallState) -> String {
    use domain::event::Sent;
    let became = match (&state.begun, &state.ended) {
        (_, Some((_, Sent::Taken {}))) => "taken".to_owned(),
        (_, Some((_, Sent::Failed { message }))) => format!("FAILED: {message}"),
        (_, Some((_, Sent::Unknown { message }))) => format!("unknown: {message}"),
        (Some(_), None) => "on its way".to_owned(),
        (None, None) => "not sent yet".to_owned(),
    };
    format!("{} by {}: {became}", state.call.contact, state.call.by.word())
}

fn say(said: &SayOfIncident, act: &Value, format: Format) -> anyhow::Result<()> {
    let body = json!({"act": act, "text": said.text});
    let applied: Applied = with_log(&said.one.place, |client| {
        let id = find(client, &said.one.incident)?;
        client.post_slow(&path(&id), &body)
    })?;
    done(&applied, format)
}

fn report(wanted: &ReportIncident, format: Format) -> anyhow::Result<()> {
    let body = json!({
        "of": wanted.of,
        "severity": wanted.severity,
        "text": wanted.text,
        "call-tree": wanted.call_tree,
    });
    let applied: Applied =
        with_log(&wanted.place, |client| client.post_slow("/api/v1/incidents", &body))?;
    done(&applied, format)
}

fn done(applied: &Applied, format: Format) -> anyhow::Result<()> {
    output::one(format, applied, |done| format!("{}: {}\n", done.stream.rest(), done.message))
}

fn on_call(place: &Place, format: Format) -> anyhow::Result<()> {
    let rota: Value = with_log(place, |client| client.get_json("/api/v1/rota"))?;
    let items: Vec<Value> = rota["items"].as_array().cloned().unwrap_or_default();
    output::list(format, &items, |items| {
        let mut table = Table::new(["TREE", "LEVEL", "NOW", "NEXT AFTER"]);
        for tree in items {
            let levels = tree["levels"].as_array().map(Vec::as_slice).unwrap_or_default();
            for (number, level) in (1..).zip(levels) {
                table.row([
                    tree["tree"].as_str().unwrap_or_default().to_owned(),
                    i32::to_string(&number),
                    called(&level["tell"]),
                    level["wait"].as_str().unwrap_or_default().to_owned(),
                ]);
            }
        }
        table
    })
}

fn called(tell: &Value) -> String {
    let calls = tell.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = |call: &Value| {
        let word = |field: &str| call[field].as_str().unwrap_or_default().to_owned();
        format!("{} by {}", word("contact"), word("by"))
    };
    let all: Vec<String> = calls.iter().map(one).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}
