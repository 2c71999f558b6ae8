//! Subcommands, one a file.

mod acts;
mod apply;
mod archive;
mod backup;
mod bench;
mod calendar;
mod changes;
mod config;
mod continuing;
mod control;
mod doctor;
mod events;
mod evidence;
mod export;
mod flow;
mod forward;
mod host;
mod import;
mod incidents;
mod job;
mod key;
mod logs;
mod migrate;
mod night;
mod occurrence;
mod papers;
mod plan;
mod print;
mod proof;
mod records;
mod rehearse;
mod report;
mod requests;
mod review;
mod run;
mod runs;
mod schedule;
mod site;
mod things;
mod tzdb;
mod up;
mod user;
mod verify;
mod why;
mod witness;

use clap::CommandFactory as _;
use domain::site::ThingKind;

use crate::cli::{Cli, Command, Place};
use crate::client::Client;
use crate::embedded::{ADDRESS, Embedded, Wanted};
use crate::source::{self, DEFAULT_DATA};
use crate::{exit, output, roles};

/// Carries a command out.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let format = cli.output;
    match cli.command {
        Command::Up(up) => up::run(&up),
        Command::Plan(plan) => plan::run(&plan, format),
        Command::Apply(apply) => apply::run(&apply, format),
        Command::Job(job) => job::run(&job, format),
        Command::Schedule(schedule) => schedule::run(&schedule, format),
        Command::Tzdb(tzdb) => tzdb::run(&tzdb, format),
        Command::Flow(flow) => flow::run(&flow, format),
        Command::Blackout(thing) => things::run(ThingKind::Blackout, &thing, format),
        Command::Lock(thing) => things::run(ThingKind::Lock, &thing, format),
        Command::Pool(thing) => things::run(ThingKind::Pool, &thing, format),
        Command::Queue(thing) => things::run(ThingKind::Queue, &thing, format),
        Command::Form(thing) => things::run(ThingKind::Form, &thing, format),
        Command::Report(wanted) => report::run(&wanted),
        Command::Print(wanted) => print::run(&wanted, format),
        Command::Dataset(thing) => things::run(ThingKind::Dataset, &thing, format),
        Command::Repository(thing) => things::run(ThingKind::Repository, &thing, format),
        Command::Backup(backup) => backup::run(&backup, format),
        Command::Host(host) => host::run(&host, format),
        Command::Key(key) => key::run(&key, format),
        Command::Records(records) => records::run(&records, format),
        Command::Archive(archive) => archive::run(&archive, format),
        Command::User(user) => user::run(&user, format),
        Command::Occurrence(occurrence) => occurrence::run(&occurrence, format),
        Command::Run(run) => run::run(&run, format),
        Command::Runs(runs) => runs::list(&runs, format),
        Command::RunShow(show) => runs::show(&show, format),
        Command::Why(why) => why::run(&why, format),
        Command::Rehearse(rehearse) => rehearse::run(&rehearse, format),
        Command::Predict(predict) => rehearse::predict(&predict, format),
        Command::Cancel(act) => acts::cancel(&act, format),
        Command::Hold(act) => acts::hold(&act, format),
        Command::Release(act) => acts::release(&act, format),
        Command::Skip(act) => acts::skip(&act, format),
        Command::Confirm(confirm) => acts::confirm(&confirm, format),
        Command::Override(act) => acts::go_on(&act, format),
        Command::Delay(delay) => acts::delay(&delay, format),
        Command::Rerun(rerun) => acts::rerun(&rerun, format),
        Command::Resolve(resolve) => acts::resolve(&resolve, format),
        Command::Logs(logs) => logs::run(&logs),
        Command::Events(events) => events::run(&events, format),
        Command::Night(night) => night::run(&night, format),
        Command::Site(place) => site::run(&place, format),
        Command::Review(wanted) => review::run(&wanted, format),
        Command::Change(wanted) => changes::run(&wanted, format),
        Command::Incident(wanted) => incidents::run(&wanted, format),
        Command::Request(wanted) => requests::run(&wanted, format),
        Command::CallTree(thing) => things::run(ThingKind::CallTree, &thing, format),
        Command::Measures(thing) => things::run(ThingKind::Measures, &thing, format),
        Command::Calendar(calendar) => things::calendar(&calendar, format),
        Command::Verify(verify) => verify::run(&verify, format),
        Command::Doctor(doctor) => doctor::run(&doctor, format),
        Command::Evidence(wanted) => evidence::run(&wanted, format),
        Command::Forward(forward) => forward::run(&forward),
        Command::Control(wanted) => control::run(&wanted, format),
        Command::Import(import) => import::run(&import, format),
        Command::Export(export) => export::run(&export, format),
        Command::Migrate(migrate) => migrate::run(&migrate),
        Command::Continue(wanted) => continuing::run(&wanted, format),
        Command::Bench(bench) => bench::run(&bench, format),
        Command::Config(config) => config::run(&config),
        Command::Schema { kind } => schema(&kind),
        Command::Openapi => output::line(&serde_json::to_string_pretty(&console::openapi())?),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when a reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "decklog", &mut script);
            output::print_bytes(&script)
        }
        Command::Audit(role) => service(&role, roles::audit),
        Command::Scheduler(role) => service(&role, roles::scheduler),
        Command::Console(role) => service(&role, roles::console),
        Command::Executor(role) => service(&role, roles::executor),
        Command::Witness(wanted) => witness::run(wanted),
    }
}

fn schema(kind: &str) -> anyhow::Result<()> {
    let schema = domain::job::json_schema(kind).ok_or_else(|| {
        let kinds = domain::job::SCHEMAS.join(", ");
        crate::exit::usage(format!("there is no kind of document {kind}; there are {kinds}"))
    })?;
    output::line(&serde_json::to_string_pretty(&schema)?)
}

fn service(
    role: &crate::cli::Role,
    run: impl FnOnce(&crate::cli::Role) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    roles::log_to_stderr("info");
    run(role)
}

/// Does something that changes the log: at the console of a running `up`, at the console that was named,
/// or, where nothing runs on the data directory, at one that is started for this alone.
fn with_console<T>(
    place: &Place,
    act: impl FnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if let Some(server) = &place.server {
        return act(&Client::new(server, &source::token(place)?));
    }
    let dir = place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    if let Some(client) = console_of(&dir, place) {
        return act(&client);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let embedded = runtime.block_on(Embedded::start(Wanted::for_one_command(&dir)))?;
    let done = act(&embedded.client);
    runtime.block_on(embedded.stop())?;
    done
}

/// The same where there is a log already: who only looks, or says something of what is there, begins none.
fn with_log<T>(place: &Place, act: impl FnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let dir = place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    if place.server.is_none() && !eventlog::EventLog::file_in(&dir).exists() {
        return Err(exit::not_found(format!(
            "there is no log in {}: name its directory with --data, or a console with --server",
            dir.display()
        )));
    }
    with_console(place, act)
}

/// The console of an `up` that runs on this data directory; whoever names a token comes in by that.
fn console_of(dir: &std::path::Path, place: &Place) -> Option<Client> {
    let addresses = std::fs::read_to_string(dir.join(ADDRESS)).ok()?;
    let address = addresses.lines().next()?;
    let named = place.token_file.clone();
    let file = named.unwrap_or_else(|| dir.join("console.token"));
    let token = std::fs::read_to_string(file).ok()?;
    let client = Client::new(&format!("http://{address}"), &token);
    client.is_there().then_some(client)
}

/// Where browsers find the console that is acted at; empty where one is started for a command alone.
fn console_for_browsers(place: &Place) -> String {
    if let Some(server) = &place.server {
        return server.trim_end_matches('/').to_owned();
    }
    let dir = place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    let addresses = std::fs::read_to_string(dir.join(ADDRESS)).unwrap_or_default();
    addresses.lines().nth(1).unwrap_or_default().to_owned()
}

/// The console that was named, or the one of an `up` that runs on the data directory.
fn console_at(place: &Place) -> anyhow::Result<Option<Client>> {
    if let Some(server) = &place.server {
        return Ok(Some(Client::new(server, &source::token(place)?)));
    }
    let dir = place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    Ok(console_of(&dir, place))
}

/// The same, where a console is needed because somebody must do something: look, run it.
fn console_that(place: &Place, does: &str) -> anyhow::Result<Client> {
    console_at(place)?.ok_or_else(|| {
        exit::unreachable(format!(
            "nobody {does}: name a console with --server, or start `decklog up` on the data directory"
        ))
    })
}
