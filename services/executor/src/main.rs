//! The agent of one host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, NatsConfig};
use executor::join::Join;
use executor::{ExecutorConfig, Producer, Surroundings};
use settings::Settings;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const SECTIONS: &[&str] = &["nats", "executor"];
const USAGE: &str = "\
usage: decklog-executor [--config FILE] [--set SECTION.KEY=VALUE]... [--check]

Runs jobs on this host. FILE (default /etc/decklog/executor.toml) has the sections [nats] and [executor];
DECKLOG__EXECUTOR__SLOTS=4 and --set executor.slots=4 win over it. --check says what is wrong with the
configuration and runs nothing. What may run as whom on this host stands in the file named by
executor.allow, which nobody changes from elsewhere.";

fn main() -> ExitCode {
    // Before anything else: the same executable also supervises commands, and that must start fast.
    executor::attempt::main_if_supervisor();
    executor::main_if_engine();
    if std::env::args().nth(1).is_some_and(|first| executor::bare::is_bare(&first)) {
        return ExitCode::from(executor::bare::run(std::env::args().skip(1)));
    }
    let joins = std::env::args().nth(1).is_some_and(|first| first == "join");
    match if joins { join(std::env::args().skip(2)) } else { run(std::env::args().skip(1)) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("decklog-executor: {error:#}");
            ExitCode::from(if error.is::<settings::Problems>() || error.is::<Usage>() {
                2
            } else {
                1
            })
        }
    }
}

/// The call is wrong.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{USAGE}\n\n{}", self.0, executor::join::USAGE)
    }
}

impl std::error::Error for Usage {}

fn run(mut args: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut file = PathBuf::from("/etc/decklog/executor.toml");
    let (mut set, mut check) = (Vec::new(), false);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| Usage(format!("{arg} needs a value")));
        match arg.as_str() {
            "--config" => file = value()?.into(),
            "--set" => set.push(value()?),
            "--check" => check = true,
            "--version" => {
                println!("decklog-executor {}", env!("CARGO_PKG_VERSION"));
                return Ok(());
            }
            "--help" | "-h" => {
                println!("{USAGE}\n\n{}\n\n{}", executor::join::USAGE, executor::bare::USAGE);
                return Ok(());
            }
            _ => return Err(Usage(format!("{arg} is not known")).into()),
        }
    }
    let settings = Settings::load(SECTIONS, &file, std::env::vars(), &set)?;
    let nats: NatsConfig = settings.need("nats", |_| Vec::new())?;
    let config: ExecutorConfig = settings.need("executor", ExecutorConfig::problems)?;
    if check {
        println!("{}: ok", file.display());
        return Ok(());
    }
    serve(nats, config)
}

fn join(words: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let join = Join::read(words).map_err(Usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    print!("{}", runtime.block_on(join.run())?);
    Ok(())
}

fn serve(nats: NatsConfig, config: ExecutorConfig) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DECKLOG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_env_filter(filter).init();
    let token = join_token(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (clock, stop) = (Arc::new(jiff::Timestamp::now), stop_on_signals()?);
        let around = Surroundings { clock, stop, tzdb: executor::tzdb(), program: None };
        let bus = Bus::connect_sooner_or_later(&nats).await?;
        let ready = || tracing::info!(role = "executor", "ready");
        executor::run(config, Producer { token }, bus, around, ready).await
    });
    // An attempt that is watched ends when it likes: nobody waits for that.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// From the file that is named, or `join.token` in the data directory; a host that was let in before
/// needs none.
fn join_token(config: &ExecutorConfig) -> anyhow::Result<String> {
    let named = config.join_token_file.clone();
    let path = named.clone().unwrap_or_else(|| config.data.join("join.token"));
    match std::fs::read_to_string(&path) {
        Ok(token) => Ok(token),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            Ok(String::new())
        }
        Err(error) => {
            Err(error).with_context(|| format!("reading the join token {}", path.display()))
        }
    }
}

fn stop_on_signals() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        let _ = stop.send(true);
    });
    Ok(stopped)
}
