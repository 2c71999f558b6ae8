//! Puts a console together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::Bus;
use bus::recorder::{self, ask};
use domain::envelope::Draft;
use domain::event::{LogJournalCut, LogPolicySet};
use domain::ids::{Class, ProducerId, StreamId};
use domain::ledger::Mark;
use domain::wire::Query;
use jiff::Timestamp;
use journal::{Cut, Journal, Outbox, OutboxConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::ConsoleConfig;
use crate::metrics::Metrics;
use crate::state::Console;
use crate::{api, auth, metrics};

/// Whoever runs a console tells it the time, and when to stop.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Turns true when it shall stop.
    pub stop: watch::Receiver<bool>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// How this console may append.
#[derive(Debug, Clone)]
pub struct Producer {
    /// The join token of its class.
    pub token: String,
}

/// Most bytes its journal holds.
const JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// Serves until it is told to stop. `ready` is called with its address when it answers.
///
/// # Errors
/// Its key or journal cannot be used, the address is taken, or the recorder refuses it.
pub async fn run(
    config: ConsoleConfig,
    producer: Producer,
    bus: Bus,
    around: Surroundings,
    ready: impl FnOnce(SocketAddr) + Send,
) -> anyhow::Result<()> {
    let (console, cut) = open(&config, producer, bus.clone(), &around)?;
    let mut stop = around.stop.clone();
    let prepared = tokio::select! {
        prepared = prepare(&console, &config, cut) => prepared,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
        reason = console.outbox.failure() => anyhow::bail!("the recorder refuses this console: {reason}"),
    };
    let position = prepared?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "listening on {}: is another console running? give another address with --listen",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let counting = tokio::spawn(metrics::watch(console.clone(), position));
    info!(%address, "serving");
    ready(address);
    let outbox = console.outbox.clone();
    let shutdown = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let serving = axum::serve(listener, api::router(console)).with_graceful_shutdown(shutdown);
    let mut stopped = around.stop.clone();
    let bounded = async move {
        // Whoever still reads a long answer is cut off in the end.
        let _ = stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        served = async { serving.await } => served.context("serving")?,
        () = bounded => {}
        reason = outbox.failure() => anyhow::bail!("the recorder refuses this console: {reason}"),
    }
    counting.abort();
    Ok(())
}

fn open(
    config: &ConsoleConfig,
    producer: Producer,
    bus: Bus,
    around: &Surroundings,
) -> anyhow::Result<(Console, Option<(ProducerId, Cut)>)> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making the directory {}", config.data.display()))?;
    let id = ProducerId::new(Class::Console, &config.name)?;
    let key =
        journal::load_or_create_key(&config.data.join(format!("console-{}.key", config.name)))?;
    let dir = config.data.join(format!("console-{}.journal", config.name));
    let opened = Journal::open(&dir, &id, key, JOURNAL_BYTES)?;
    let outbox = Outbox::start(
        opened.journal,
        OutboxConfig {
            clock: Arc::clone(&around.clock),
            transport: recorder::transport(&bus),
            token: producer.token,
            waiting_max: 1_024,
        },
    );
    let (tokens, metrics, heard) = (Arc::default(), Arc::new(Metrics::new()), Arc::default());
    let clock = Arc::clone(&around.clock);
    Ok((Console { bus, outbox, clock, tokens, metrics, heard }, opened.cut.map(|cut| (id, cut))))
}

/// What must be in the log before the first answer; returns the position it stands at.
async fn prepare(
    console: &Console,
    config: &ConsoleConfig,
    cut: Option<(ProducerId, Cut)>,
) -> anyhow::Result<u64> {
    let position = loop {
        match ask(&console.bus, &Query::Head).await {
            Ok(answer) => break answer.position,
            Err(error) => warn!(%error, "the recorder does not answer yet"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    console.outbox.recovered().await;
    if let Some((producer, Cut { bytes, whole_until })) = cut {
        warn!(bytes, "the end of the journal was torn and was cut off; nobody had acted on it");
        let stream = producer.stream();
        let version = recorder::version(&console.bus, &stream).await? + 1;
        let event = LogJournalCut { producer, bytes, whole_until };
        console.outbox.append(vec![Draft::new(stream, version, event)]).await?;
    }
    auth::prepare(console, &config.data).await?;
    set_policy(console, config).await?;
    Ok(position)
}

/// The site's rule about self-approval is an event, and not a line in a file that nobody sees. What the
/// log says last is compared with what this console is told.
async fn set_policy(console: &Console, config: &ConsoleConfig) -> anyhow::Result<()> {
    let remembered = config.data.join(format!("console-{}.policy", config.name));
    let word = if config.self_approval { "self-approval" } else { "second-person" };
    let known = std::fs::read_to_string(&remembered).unwrap_or_else(|_| "second-person".to_owned());
    if known == word {
        return Ok(());
    }
    let main = StreamId::log("main");
    loop {
        let version = recorder::version(&console.bus, &main).await?;
        let reason = format!("console {} is configured so", config.name);
        let event = LogPolicySet { self_approval: config.self_approval, reason };
        match console.outbox.say(Draft::new(main.clone(), version + 1, event)).await?.mark {
            Mark::Valid => break,
            Mark::Conflict { .. } => {}
            Mark::Refused { reason } => anyhow::bail!("the recorder refuses the policy: {reason}"),
        }
    }
    std::fs::write(&remembered, word).context("noting the policy")
}
