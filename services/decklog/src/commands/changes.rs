//! Changes that wait for somebody, what they do, and what is said of them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::with_log;
use crate::cli::{Change, Decide, Expedite, Format, OfThing, Place};
use crate::output::{self, Table};
use console::Applied;

pub(crate) fn run(wanted: &Change, format: Format) -> anyhow::Result<()> {
    match wanted {
        Change::List(place) => list(place, format),
        Change::Show(of) => show(of, format),
        Change::History(of) => history(of, format),
        Change::Approve(one) => decide(one, "approve", format),
        Change::Reject(one) => decide(one, "reject", format),
        Change::Withdraw(one) => decide(one, "withdraw", format),
        Change::Comment(one) => decide(one, "comment", format),
        Change::Ratify(one) => decide(one, "ratify", format),
        Change::Expedite(one) => expedite(one, format),
        Change::Revert(one) => said(one, &json!({"act": "revert", "to": one.number}), format),
    }
}

fn path(thing: &str) -> String {
    format!("/api/v1/changes/{thing}")
}

fn decide(one: &Decide, act: &str, format: Format) -> anyhow::Result<()> {
    said(one, &json!({"act": act, "number": one.number}), format)
}

fn expedite(one: &Expedite, format: Format) -> anyhow::Result<()> {
    let (number, hours) = (one.decide.number, one.hours);
    said(&one.decide, &json!({"act": "expedite", "number": number, "hours": hours}), format)
}

fn said(one: &Decide, act: &Value, format: Format) -> anyhow::Result<()> {
    let body = json!({"act": act, "reason": one.reason});
    let path = format!("{}/acts", path(&one.thing));
    let applied: Applied = with_log(&one.place, |client| client.post_slow(&path, &body))?;
    output::one(format, &applied, |done| format!("{}: {}\n", done.stream, done.message))
}

/// What a console says of changes that wait.
#[derive(Debug, Deserialize)]
struct Listed {
    items: Vec<Waiting>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    stream: String,
    request: domain::job::ChangeRequest,
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let listed: Listed = with_log(place, |client| client.get_json("/api/v1/changes"))?;
    output::list(format, &listed.items, |items| {
        let mut table = Table::new(["WHAT", "DEFINITION", "WAITS FOR", "BY", "AT", "WHY"]);
        for Waiting { stream, request } in items {
            let waits = if request.waits_for_a_look() { "a second look" } else { "approval" };
            table.row([
                stream.clone(),
                request.number.to_string(),
                waits.to_owned(),
                request.by.clone().unwrap_or_default(),
                output::local(request.at),
                request.reason.clone(),
            ]);
        }
        table
    })
}

fn history(of: &OfThing, format: Format) -> anyhow::Result<()> {
    #[derive(Debug, Deserialize)]
    struct History {
        items: Vec<domain::job::ChangeRequest>,
    }
    let history: History = with_log(&of.place, |client| client.get_json(&path(&of.thing)))?;
    output::list(format, &history.items, |items| {
        let mut table = Table::new(["DEFINITION", "BECAME", "BY", "AT", "WHY"]);
        for request in items {
            table.row([
                request.number.to_string(),
                request.outcome.word().to_owned(),
                request.by.clone().unwrap_or_default(),
                output::local(request.at),
                request.reason.clone(),
            ]);
        }
        table
    })
}

fn show(of: &OfThing, format: Format) -> anyhow::Result<()> {
    let path = format!("{}/effect", path(&of.thing));
    let shown: Value = with_log(&of.place, |client| client.get_json(&path))?;
    output::one(format, &shown, |shown| text(&of.thing, shown))
}

fn text(thing: &str, shown: &Value) -> String {
    let request = &shown["request"];
    let plain = |value: &Value| output::one_line(value.as_str().unwrap_or_default());
    let mut lines = vec![format!(
        "{thing}: definition {} by {}: {}",
        request["number"],
        plain(&request["by"]),
        plain(&request["reason"])
    )];
    if let Some(schedule) = shown["schedule"].as_str() {
        lines.push(format!("  runs      {schedule}"));
    }
    let effect = &shown["effect"]["Ok"];
    if effect.is_object() {
        lines.push(format!(
            "  14 days   {} come, {} go, {} move, {} stay",
            effect["adds"], effect["removes"], effect["moves"], effect["same"]
        ));
    }
    for field in shown["fields"].as_array().into_iter().flatten() {
        lines.push(format!("  {}: {} -> {}", plain(&field[0]), field[1], field[2]));
    }
    for comment in request["comments"].as_array().into_iter().flatten() {
        lines.push(format!("  {}: {}", plain(&comment["by"]), plain(&comment["text"])));
    }
    lines.join("\n") + "\n"
}
