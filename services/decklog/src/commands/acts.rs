//! What people say of runs: of one, or of all that a selection finds.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use domain::ids::StreamId;
use domain::run::Outcome;
use domain::wire::{Content, Query, RunFilter, RunRow};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{run::parameters, runs, with_console};
use crate::cli::{Act, Confirm, Delay, Format, Place, Rerun, Resolve, Which};
use crate::client::{Client, escape};
use crate::output::{self, Table};
use crate::{exit, host, when};

/// An act on runs.
struct Deed {
    /// What the console calls it.
    verb: &'static str,
    /// The states of runs to which it can be done.
    states: &'static [&'static str],
    /// How long ago such runs may be, where nothing is said.
    since: Option<&'static str>,
    /// What is said beside the reason.
    says: Map<String, Value>,
}

/// Every state in which a run is open.
const OPEN: [&str; 9] = [
    "requested",
    "held",
    "waiting",
    "blocked",
    "due",
    "in-parts",
    "running",
    "retrying",
    "unknown",
];

impl Deed {
    fn new(verb: &'static str, states: &'static [&'static str]) -> Self {
        Self { verb, states, since: None, says: Map::new() }
    }

    fn body(&self, reason: &str) -> Value {
        let mut body = self.says.clone();
        body.insert("reason".to_owned(), json!(reason));
        Value::Object(body)
    }
}

pub(crate) fn cancel(act: &Act, format: Format) -> anyhow::Result<()> {
    run(act, &Deed::new("cancel", &OPEN), format)
}

pub(crate) fn hold(act: &Act, format: Format) -> anyhow::Result<()> {
    run(act, &Deed::new("hold", &["waiting", "blocked", "due"]), format)
}

pub(crate) fn release(act: &Act, format: Format) -> anyhow::Result<()> {
    run(act, &Deed::new("release", &["held"]), format)
}

pub(crate) fn skip(act: &Act, format: Format) -> anyhow::Result<()> {
    let states = &["requested", "held", "waiting", "blocked", "due"];
    run(act, &Deed::new("skip", states), format)
}

pub(crate) fn go_on(act: &Act, format: Format) -> anyhow::Result<()> {
    run(act, &Deed::new("override", &["waiting", "blocked"]), format)
}

pub(crate) fn delay(delay: &Delay, format: Format) -> anyhow::Result<()> {
    let to = when::ahead(&delay.to, &TimeZone::system(), host::now()).map_err(exit::usage)?;
    let mut deed = Deed::new("delay", &["held", "waiting", "blocked", "due", "retrying"]);
    deed.says.insert("to".to_owned(), json!(to));
    run(&delay.act, &deed, format)
}

/// A selection for which nothing else is said looks at the last day: everything that ever failed is not meant.
pub(crate) fn rerun(rerun: &Rerun, format: Format) -> anyhow::Result<()> {
    let mut deed = Deed::new("rerun", &["failed", "timed-out"]);
    deed.since = Some("24h");
    deed.says.insert("parameters".to_owned(), json!(parameters(&rerun.param)?));
    run(&rerun.act, &deed, format)
}

pub(crate) fn confirm(confirm: &Confirm, format: Format) -> anyhow::Result<()> {
    let body = json!({"reason": confirm.reason});
    one(&confirm.run, "confirm", &body, &confirm.place, format)
}

pub(crate) fn resolve(what: &Resolve, format: Format) -> anyhow::Result<()> {
    let body = json!({"outcome": what.outcome, "reason": what.reason});
    one(&what.run, "resolve", &body, &what.place, format)
}

fn run(act: &Act, deed: &Deed, format: Format) -> anyhow::Result<()> {
    let body = deed.body(&act.reason);
    match &act.run {
        Some(run) => one(run, deed.verb, &body, &act.place, format),
        None => several(act, deed, &body, format),
    }
}

fn path(id: &StreamId, verb: &str) -> String {
    format!("/api/v1/runs/{}/{verb}", escape(id.rest()))
}

fn one(run: &str, verb: &str, body: &Value, place: &Place, format: Format) -> anyhow::Result<()> {
    let id = runs::run_id(run)?;
    let applied = with_console(place, |client| client.act(&path(&id, verb), body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

fn several(act: &Act, deed: &Deed, body: &Value, format: Format) -> anyhow::Result<()> {
    with_console(&act.place, |client| {
        let rows = select(client, &act.which, deed)?;
        eprint!("{}", runs::table(&rows).text());
        agree(&format!("{} these {} runs", deed.verb, rows.len()), act.which.yes)?;
        let items = rows
            .iter()
            .map(|row| Item { what: row.run.to_string(), path: path(&row.run, deed.verb) });
        act_on_each(client, items, body, format)
    })
}

/// Most runs or occurrences of one selection.
pub(super) const SELECTED_MAX: usize = 1_000;

/// The runs that fit, oldest first.
fn select(client: &Client, which: &Which, deed: &Deed) -> anyhow::Result<Vec<RunRow>> {
    let since = which.since.as_deref().or(deed.since);
    let since = since.map(|text| when::since(text, host::now())).transpose();
    let since: Option<Timestamp> = since.map_err(exit::usage)?;
    let given: Vec<&str> = which.state.iter().map(String::as_str).collect();
    let states = if given.is_empty() { deed.states } else { &given };
    let mut rows = Vec::new();
    for state in states {
        check_state(state)?;
        let filter = RunFilter {
            job: which.job.clone(),
            pool: which.pool.clone(),
            state: Some((*state).to_owned()),
            since,
            until: None,
            behind: None,
            limit: u32::try_from(SELECTED_MAX + 1).unwrap_or(u32::MAX),
        };
        let Content::Runs(found) = client.query(&Query::Runs(filter))?.content else {
            anyhow::bail!("the answer is to another question");
        };
        rows.extend(found);
    }
    check_count(rows.len(), "run")?;
    Ok(wholes(rows))
}

pub(super) fn check_count(count: usize, what: &str) -> anyhow::Result<()> {
    match count {
        0 => Err(exit::not_found(format!("there is no such {what}"))),
        1..=SELECTED_MAX => Ok(()),
        _ => Err(exit::usage(format!(
            "more than {SELECTED_MAX} {what}s fit: say more of which are meant"
        ))),
    }
}

pub(super) fn check_state(state: &str) -> anyhow::Result<()> {
    if OPEN.contains(&state) || Outcome::from_word(state).is_some() {
        return Ok(());
    }
    let words = OPEN.into_iter().chain(Outcome::ALL.into_iter().map(Outcome::word));
    let words: Vec<&str> = words.collect();
    Err(exit::usage(format!("{state:?} is no state of a run; there are {}", words.join(", "))))
}

/// In the order of their instants. What is said of a run in parts is said of the whole alone.
fn wholes(mut rows: Vec<RunRow>) -> Vec<RunRow> {
    let all: BTreeSet<String> = rows.iter().map(|row| row.run.to_string()).collect();
    rows.retain(|row| row.run.part().is_none() || !all.contains(row.run.whole()));
    rows.sort_by(|a, b| (a.instant, &a.run).cmp(&(b.instant, &b.run)));
    rows
}

/// Asks whoever sits there, unless they said yes before.
pub(super) fn agree(what: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(exit::usage(format!("nobody can be asked whether to {what}: give --yes")));
    }
    eprint!("{what}? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(exit::unclean("nothing was done"))
}

/// One of a selection.
pub(super) struct Item {
    /// Its name for people.
    pub(super) what: String,
    /// Where it is said.
    pub(super) path: String,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Done {
    what: String,
    done: bool,
    message: String,
}

/// Says the same of each, in order, and prints what became of it.
pub(super) fn act_on_each(
    client: &Client,
    items: impl Iterator<Item = Item>,
    body: &Value,
    format: Format,
) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for Item { what, path } in items {
        let (done, message) = match client.act(&path, body) {
            // What came of it may be a run of its own.
            Ok(applied)
                if applied.stream.run_job().is_some() && applied.stream.as_str() != what =>
            {
                (true, format!("{}: {}", applied.stream, applied.message))
            }
            Ok(applied) => (true, applied.message),
            Err(error) if exit::is_of_one(&error) => (false, error.to_string()),
            Err(error) => {
                print(&all, format)?;
                return Err(error);
            }
        };
        all.push(Done { what, done, message });
    }
    print(&all, format)?;
    match all.iter().filter(|one| !one.done).count() {
        0 => Ok(()),
        refused => Err(exit::refused(format!("{refused} of {} were refused", all.len()))),
    }
}

fn print(all: &[Done], format: Format) -> anyhow::Result<()> {
    output::list(format, all, |all| {
        let mut table = Table::new(["WHAT", "RESULT"]);
        for Done { what, message, .. } in all {
            table.row([what.clone(), message.clone()]);
        }
        table
    })
}
