//! One role in this process, against NATS and Postgres.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, NatsConfig};
use console::Joining;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::cli::Role;
use crate::config::Config;
use crate::host;

/// Turns true at the first TERM or INT.
pub(crate) fn stop_on_signals() -> anyhow::Result<watch::Receiver<bool>> {
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

/// Messages for people on a terminal, JSON lines for everything else, both on stderr.
pub(crate) fn log_to_stderr(default: &str) {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("DECKLOG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // Only the first call in a process counts.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

fn load(role: &Role) -> anyhow::Result<Config> {
    Config::load(&role.file.config, std::env::vars(), &role.set)
}

/// How long threads that wait for something outside may still take when all roles have stopped: an attempt that is watched
/// ends when it likes.
const LAST: Duration = Duration::from_secs(1);

/// Runs roles until they have stopped.
pub(crate) fn serve<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LAST);
    done
}

fn clock() -> Arc<dyn Fn() -> jiff::Timestamp + Send + Sync> {
    Arc::new(host::now)
}

/// The join token: from the file that is named, or `join.token` in the role's data directory.
fn join_token(named: Option<&PathBuf>, data: &Path) -> anyhow::Result<String> {
    let path = named.cloned().unwrap_or_else(|| data.join("join.token"));
    match std::fs::read_to_string(&path) {
        Ok(token) => Ok(token),
        // Enrolled before: no token is needed any more.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            Ok(String::new())
        }
        Err(error) => {
            Err(error).with_context(|| format!("reading the join token {}", path.display()))
        }
    }
}

async fn connect(config: &Config, name: &str) -> anyhow::Result<Bus> {
    let mut nats = config.nats()?;
    if nats.name.is_empty() {
        name.clone_into(&mut nats.name);
    }
    Ok(Bus::connect(&nats).await?)
}

fn ready(role: &'static str) -> impl FnOnce() + Send {
    move || info!(role, "ready")
}

pub(crate) fn audit(role: &Role) -> anyhow::Result<()> {
    let config = load(role)?;
    let audit = config.audit()?;
    serve(async {
        let around = audit::Surroundings { clock: clock(), stop: stop_on_signals()? };
        let bus = connect(&config, "audit").await?;
        audit::run(audit, bus, around, ready("audit")).await
    })
}

pub(crate) fn scheduler(role: &Role) -> anyhow::Result<()> {
    let config = load(role)?;
    let own = config.scheduler()?;
    let token = join_token(own.join_token_file.as_ref(), &own.data)?;
    serve(async {
        let (_keep, drain) = watch::channel(false);
        let stop = stop_on_signals()?;
        let around = scheduler::Surroundings { clock: clock(), stop, tzdb: host::tzdb(), drain };
        let bus = connect(&config, "scheduler").await?;
        scheduler::run(own, scheduler::Producer { token }, bus, around, ready("scheduler")).await
    })
}

/// How other hosts join; `named` is the address of NATS that they use, where it is another than this machine's.
fn joining(nats: NatsConfig, named: Option<String>) -> Joining {
    let usual = NatsConfig::new("");
    let options = if nats.prefix == usual.prefix {
        String::new()
    } else {
        format!(" --prefix {}", nats.prefix)
    };
    let here = ["//127.", "//localhost", "//[::1]"].iter().any(|name| nats.url.contains(name));
    let hints = [
        (
            here && named.is_none(),
            "this address of NATS is of the console's own machine: console.nats names the one that other hosts use",
        ),
        (
            nats.credentials_file.is_some(),
            "NATS asks for a password here: bring its file, and add --credentials FILE",
        ),
        (
            nats.ca_file.is_some(),
            "NATS has a certificate of your own authority: bring that, and add --ca FILE",
        ),
        (
            nats.certificate_file.is_some(),
            "NATS asks for a certificate of its clients, which join does not know of: write executor.toml by hand, with the code as join.token in its data directory",
        ),
    ];
    let due = hints.into_iter().filter(|(due, _)| *due);
    let hints = due.map(|(_, hint)| hint.to_owned()).collect();
    Joining { nats: named.unwrap_or(nats.url), options, hints }
}

pub(crate) fn console(role: &Role) -> anyhow::Result<()> {
    let config = load(role)?;
    let mut own = config.console()?;
    let nats = config.nats()?;
    own.joining = Some(joining(nats, own.nats.clone()));
    let token = join_token(own.join_token_file.as_ref(), &own.data)?;
    serve(async {
        let tzdb = host::tzdb().version;
        let around = console::Surroundings { clock: clock(), stop: stop_on_signals()?, tzdb };
        let bus = connect(&config, "console").await?;
        let ready = |console::Ready { address, code, .. }| {
            info!(role = "console", %address, "ready");
            if code.is_some() {
                info!(
                    role = "console",
                    "nobody has a password yet: come in as admin by the code in console.code of its data directory, once"
                );
            }
        };
        console::run(own, console::Producer { token }, bus, around, ready).await
    })
}

pub(crate) fn executor(role: &Role) -> anyhow::Result<()> {
    let config = load(role)?;
    let own = config.executor()?;
    let token = join_token(own.join_token_file.as_ref(), &own.data)?;
    serve(async {
        let stop = stop_on_signals()?;
        let around = executor::Surroundings {
            clock: clock(),
            stop,
            tzdb: host::tzdb().version,
            program: None,
        };
        let bus = connect(&config, "executor").await?;
        executor::run(own, executor::Producer { token }, bus, around, ready("executor")).await
    })
}
