//! `decklog runs` and `run-show`.

use domain::backup::progress::Progress;
use domain::event::{Moved, RunBlocked};
use domain::ids::{StreamId, StreamType};
use domain::run::{Run, State};
use domain::wire::{Content, LogEntry, Query, RunFilter, RunRow};
use serde::Serialize;

use crate::cli::{Format, RunShow, Runs};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host, when};

/// A run as people name it: with or without `run/` in front.
pub(crate) fn run_id(text: &str) -> anyhow::Result<StreamId> {
    let full = if text.starts_with("run/") { text.to_owned() } else { format!("run/{text}") };
    let id: StreamId = full.parse().map_err(exit::usage)?;
    if id.stream_type() == StreamType::Run {
        Ok(id)
    } else {
        Err(exit::usage(format!("{text} is no run")))
    }
}

pub(crate) fn list(runs: &Runs, format: Format) -> anyhow::Result<()> {
    let since = runs
        .since
        .as_ref()
        .map(|text| when::since(text, host::now()))
        .transpose()
        .map_err(exit::usage)?;
    runs.state.iter().try_for_each(|state| super::acts::check_state(state))?;
    let filter = RunFilter {
        job: runs.job.clone(),
        state: runs.state.clone(),
        pool: runs.pool.clone(),
        since,
        until: None,
        behind: None,
        limit: runs.limit,
    };
    let Content::Runs(rows) = Source::open(&runs.place)?.ask(&Query::Runs(filter))?.content else {
        anyhow::bail!("the answer is to another question");
    };
    output::list(format, &rows, table)
}

pub(crate) fn table(rows: &[RunRow]) -> Table {
    let mut table = Table::new(["RUN", "STATE", "DUE", "STARTED", "TOOK", "HOST", "WHY"]);
    for row in rows {
        let took = row
            .started
            .zip(row.ended)
            .map(|(a, b)| format!("{:.1}s", b.duration_since(a).as_secs_f64()));
        let state = if row.late { format!("{} (late)", row.state) } else { row.state.clone() };
        table.row([
            row.run.rest().to_owned(),
            state,
            output::local(row.instant),
            row.started.map(output::local).unwrap_or_default(),
            took.unwrap_or_default(),
            row.host.clone().unwrap_or_default(),
            row.message.clone().unwrap_or_default(),
        ]);
    }
    table
}

#[derive(Debug, Serialize)]
struct Shown {
    run: Run,
    version: u64,
    events: Vec<LogEntry>,
    /// How far the engine of its attempt is, as its host says.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
}

pub(crate) fn show(show: &RunShow, format: Format) -> anyhow::Result<()> {
    let id = run_id(&show.run)?;
    let source = Source::open(&show.place)?;
    let state = source.stream(&id)?.ok_or_else(|| exit::not_found(format!("there is no {id}")))?;
    let run = state.body.run().ok_or_else(|| exit::not_found(format!("there is no {id}")))?;
    let events = source.events(0, 1_000, Some(&id))?;
    let progress = match (&run.state, super::console_at(&show.place)) {
        (State::Running { .. }, Ok(Some(client))) => super::backup::progress::of_run(&client, &id),
        (_, _) => None,
    };
    let shown = Shown { run: run.clone(), version: state.version, events, progress };
    output::one(format, &shown, text)
}

/// What is special about a run: why it was asked for, what it is given, and what it waits for.
fn circumstances(run: &Run) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    found.extend(run.request.iter().map(|why| ("asked", why.clone())));
    found.extend(run.again.iter().map(|again| ("repeats", again.run.to_string())));
    let moved = |moved: &Moved| ("moved", format!("to {}: {}", moved.to, moved.reason));
    found.extend(run.moved.iter().map(moved));
    for (name, value) in &run.terms.parameters {
        found.push(("given", format!("{name}={value}")));
    }
    if !run.state.is_ended() {
        found.extend(waits_for(run));
    }
    found
}

fn waits_for(run: &Run) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let State::Held { reason } = &run.state {
        found.push(("held", reason.clone()));
    }
    if let Some(confirm) = run.terms.confirm.as_ref().filter(|_| run.is_unconfirmed()) {
        found.push(("asks", format!("the {}: {}", confirm.role.word(), confirm.question)));
    }
    if matches!(run.state, State::Waiting | State::Blocked) {
        found.extend(run.terms.after.iter().map(|after| ("after", after.job.clone())));
    }
    let blocked = |blocked: &RunBlocked| {
        ("blocked", format!("{} ended as {}", blocked.on, blocked.outcome.word()))
    };
    found.extend(run.blocked.iter().map(blocked));
    let delayed = run.delayed.iter().filter(|delayed| delayed.not_before > host::now());
    found.extend(delayed.map(|d| ("delayed", format!("to {}: {}", d.not_before, d.reason))));
    found
}

fn text(shown: &Shown) -> String {
    let run = &shown.run;
    let mut text = format!(
        "run       {}\nstate     {}\njob       {} (definition {} {})\n",
        run.id,
        run.state.word(),
        run.job,
        run.definition.number,
        run.definition.digest.short()
    );
    if let Some(nominal) = &run.nominal {
        text.push_str(&format!(
            "due       {}  {}  {}\n",
            nominal.local, nominal.at, nominal.reason
        ));
    }
    for (what, says) in circumstances(run) {
        text.push_str(&format!("{what:<9} {says}\n"));
    }
    for attempt in &run.attempts {
        let end = match (&attempt.report, &attempt.lost) {
            (Some(report), _) => format!(
                "{:?}, {:.1}s",
                report.end,
                report.ended.duration_since(report.began).as_secs_f64()
            ),
            (None, Some(lost)) => format!("unknown: {lost}"),
            (None, None) => "runs".to_owned(),
        };
        text.push_str(&format!(
            "attempt   {} on {} since {}: {end}\n",
            attempt.number,
            attempt.host,
            output::local(run.began_of(attempt))
        ));
    }
    if let Some(progress) = &shown.progress {
        text.push_str(&format!("progress  {}\n", progress.words()));
    }
    if let Some(message) = &run.message {
        text.push_str(&format!("why       {message}\n"));
    }
    for entry in &shown.events {
        let kind = serde_json::from_str::<serde_json::Value>(entry.event.get()).ok();
        let kind = kind.as_ref().and_then(|v| v["type"].as_str()).unwrap_or("?").to_owned();
        let void = entry.void.as_ref().map(|v| format!("  void: {v}")).unwrap_or_default();
        text.push_str(&format!(
            "event     #{} {} {kind}{void}\n",
            entry.position,
            output::local(entry.received)
        ));
    }
    text
}
