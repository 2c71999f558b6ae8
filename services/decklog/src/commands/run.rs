//! `decklog run JOB` and `decklog run --flow FLOW`: asks for runs, and may wait for the end of one.

use std::collections::BTreeMap;

use console::FlowRequested;
use domain::run::Outcome;
use serde_json::json;

use super::{console_of, logs, with_console};
use crate::cli::{Format, Run};
use crate::output::Table;
use crate::source::DEFAULT_DATA;
use crate::{exit, output};

pub(crate) fn run(run: &Run, format: Format) -> anyhow::Result<()> {
    if run.follow {
        somebody_works(run)?;
    }
    let body = json!({"reason": run.reason, "parameters": parameters(&run.param)?});
    if let Some(flow) = &run.flow {
        return run_flow(flow, &body, run, format);
    }
    let path = format!("/api/v1/jobs/{}/runs", run.job.as_deref().unwrap_or_default());
    with_console(&run.place, |client| {
        let applied = client.act(&path, &body)?;
        let id = applied.stream.clone();
        if !run.follow {
            return output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message));
        }
        eprintln!("{id}: requested");
        let ended = logs::follow(client, &id, None)?;
        let word = ended.state.word();
        eprintln!(
            "{id}: {word}{}",
            ended.message.as_ref().map(|m| format!(" ({m})")).unwrap_or_default()
        );
        match ended.outcome() {
            Some(Outcome::Succeeded | Outcome::Warning) => Ok(()),
            Some(_) | None => Err(exit::unclean("")),
        }
    })
}

fn run_flow(flow: &str, body: &serde_json::Value, run: &Run, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/flows/{flow}/runs");
    let done: FlowRequested = with_console(&run.place, |client| client.post_json(&path, body))?;
    output::list(format, &done.items, |items| {
        let mut table = Table::new(["RUN", "RESULT"]);
        for one in items {
            table.row([one.stream.rest().to_owned(), one.message.clone()]);
        }
        table
    })
}

/// `name=value`, several times; each name once.
pub(super) fn parameters(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for text in given {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            exit::usage(format!("--param {text:?} gives no value: write NAME=VALUE"))
        })?;
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(exit::usage(format!("--param {name} is given twice")));
        }
    }
    Ok(values)
}

/// Where nothing runs on the data directory, a run would be waited for in vain.
fn somebody_works(run: &Run) -> anyhow::Result<()> {
    let dir = run.place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    if run.place.server.is_some() || console_of(&dir, &run.place).is_some() {
        return Ok(());
    }
    Err(exit::unreachable(format!(
        "no `decklog up` runs on {}: start one, or leave --follow out and the run waits for it",
        dir.display()
    )))
}
