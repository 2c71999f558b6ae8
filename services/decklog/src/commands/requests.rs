//! `decklog request …`: what auditors ask to be shown, what is answered, and whether that is enough.

use console::Applied;
use domain::event::Reference;
use domain::request::{Request as State, Said, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::with_log;
use crate::cli::{AskRequest, Format, ListRequests, OneRequest, Request, SayOfRequest};
use crate::output::{self, Table};
use crate::{exit, when};

pub(crate) fn run(wanted: &Request, format: Format) -> anyhow::Result<()> {
    match wanted {
        Request::List(wanted) => list(wanted, format),
        Request::Show(one) => show(one, format),
        Request::Ask(wanted) => ask(wanted, format),
        Request::Answer(answer) => {
            let act = json!({"act": "answer", "references": answer.references});
            say(&answer.said, &act, format)
        }
        Request::Accept(said) => say(said, &json!({"act": "accept"}), format),
        Request::Flag(said) => say(said, &json!({"act": "flag"}), format),
        Request::Withdraw(said) => say(said, &json!({"act": "withdraw"}), format),
    }
}

#[derive(Debug, Deserialize)]
struct Listed {
    items: Vec<Shown>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Shown {
    state: String,
    overdue: bool,
    #[serde(flatten)]
    request: State,
}

fn list(wanted: &ListRequests, format: Format) -> anyhow::Result<()> {
    let plain = wanted.state.bytes().all(|byte| byte.is_ascii_lowercase());
    if !plain {
        return Err(exit::usage(format!("{:?} is no state of a request", wanted.state)));
    }
    let path = format!("/api/v1/requests?state={}&limit={}", wanted.state, wanted.limit);
    let listed: Listed = with_log(&wanted.place, |client| client.get_json(&path))?;
    output::list(format, &listed.items, |items| {
        let mut table = Table::new(["REQUEST", "STATE", "DUE", "ASKED BY", "WHAT"]);
        for Shown { state, overdue, request } in items {
            let late = if *overdue { ", overdue" } else { "" };
            table.row([
                request.number.to_string(),
                format!("{state}{late}"),
                output::local(request.asked.due),
                request.by.clone(),
                output::one_line(&request.asked.title),
            ]);
        }
        table
    })
}

fn path(one: &OneRequest) -> String {
    format!("/api/v1/requests/{}", one.request)
}

fn show(one: &OneRequest, format: Format) -> anyhow::Result<()> {
    let shown: Value = with_log(&one.place, |client| client.get_json(&path(one)))?;
    let request: State = serde_json::from_value(shown["item"]["state"]["body"]["request"].clone())?;
    output::one(format, &request, text)
}

fn text(request: &State) -> String {
    let asked = &request.asked;
    let mut lines = vec![
        format!("request {}  {}", request.number, request.word()),
        format!("  what       {}", asked.title),
        format!("  asked      {} {}: {}", output::local(request.at), request.by, asked.text),
        format!("  due        {}", output::local(asked.due)),
    ];
    lines.extend(asked.control.iter().map(|control| format!("  control    {control}")));
    lines.extend(asked.period.iter().map(|period| format!("  period     {period}")));
    lines.extend(shown_by("about", &asked.references));
    for said in &request.thread {
        lines.push(line(said));
        lines.extend(shown_by("shown by", &said.references));
    }
    lines.into_iter().map(|line| output::one_line(line.trim_end()) + "\n").collect()
}

fn line(said: &Said) -> String {
    let word = match said.step {
        Step::Answered => "answered ",
        Step::Accepted => "accepted ",
        Step::Flagged => "flagged  ",
        Step::Withdrawn => "withdrawn",
    };
    let text = if said.text.is_empty() { String::new() } else { format!(": {}", said.text) };
    format!("  {word}  {} {}{text}", output::local(said.at), said.by)
}

fn shown_by(word: &str, references: &[Reference]) -> Option<String> {
    let all: Vec<String> = references.iter().map(Reference::to_string).collect();
    (!all.is_empty()).then(|| format!("  {word:9}  {}", all.join(", ")))
}

fn ask(wanted: &AskRequest, format: Format) -> anyhow::Result<()> {
    let period = wanted.from.zip(wanted.until);
    let body = json!({
        "title": wanted.title,
        "text": wanted.text,
        "due": when::due(&wanted.due).map_err(exit::usage)?,
        "control": wanted.control,
        "period": period.map(|(from, until)| json!({"from": from, "until": until})),
        "references": wanted.references,
    });
    let applied: Applied =
        with_log(&wanted.place, |client| client.post_slow("/api/v1/requests", &body))?;
    done(&applied, format)
}

fn say(said: &SayOfRequest, act: &Value, format: Format) -> anyhow::Result<()> {
    let body = json!({"act": act, "text": said.text});
    let applied: Applied =
        with_log(&said.one.place, |client| client.post_slow(&path(&said.one), &body))?;
    done(&applied, format)
}

fn done(applied: &Applied, format: Format) -> anyhow::Result<()> {
    output::one(format, applied, |done| format!("{}: {}\n", done.stream, done.message))
}
