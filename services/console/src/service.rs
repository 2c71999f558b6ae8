//! Puts a console together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use bus::recorder::{self, ask};
use bus::{Bus, HeadLooks};
use domain::controls::ControlSettings;
use domain::envelope::Draft;
use domain::event::{
    Event, LogConfirmationsRequired, LogDirectorySet, LogJournalCut, LogPolicySet,
};
use domain::ids::{Class, ProducerId, StreamId};
use domain::ledger::Mark;
use domain::wire::Query;
use jiff::Timestamp;
use journal::{Cut, Heads, Journal, Outbox, OutboxConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::ConsoleConfig;
use crate::controls::Controls;
use crate::listen::{self, Limits, TlsListener};
use crate::metrics::Metrics;
use crate::people::{self, Keys, OidcConfig, Provider};
use crate::pulse::{self, Pulse};
use crate::state::{Console, Own};
use crate::{api, metrics};

/// Whoever runs a console tells it the time, and when to stop.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Turns true when it shall stop.
    pub stop: watch::Receiver<bool>,
    /// Version of this machine's time zone database.
    pub tzdb: String,
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

/// Where a console answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its address.
    pub address: SocketAddr,
    /// Where the tools of this machine come without TLS, if there is such an address; its address otherwise.
    pub local: SocketAddr,
    /// The code by which the first person comes in, as long as nobody has.
    pub code: Option<String>,
}

/// Serves until it is told to stop. `ready` is called when it answers.
///
/// # Errors
/// Its key or journal cannot be used, the address is taken, or the recorder refuses it.
pub async fn run(
    config: ConsoleConfig,
    producer: Producer,
    bus: Bus,
    around: Surroundings,
    ready: impl FnOnce(Ready) + Send,
) -> anyhow::Result<()> {
    let problems = config.problems();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("; "));
    let Opened { console, cut, heads } = open(&config, producer, bus.clone(), &around)?;
    let mut stop = around.stop.clone();
    let prepared = tokio::select! {
        prepared = prepare(&console, &config, cut) => prepared,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
        reason = console.outbox.failure() => anyhow::bail!("the recorder refuses this console: {reason}"),
    };
    let (position, code) = prepared?;
    let doors = Doors::open(&config).await?;
    let (address, local) = (doors.address, doors.local);
    let counting = tokio::spawn(metrics::watch(console.clone(), position));
    let asking = tokio::spawn(pulse::watch(console.clone()));
    let watching = tokio::spawn(watch_heads(console.clone(), heads));
    info!(%address, "serving");
    ready(Ready { address, local, code });
    let outbox = console.outbox.clone();
    let serving = doors.serve(api::router(console), stop);
    let mut stopped = around.stop.clone();
    let bounded = async move {
        // Whoever still reads a long answer is cut off in the end.
        let _ = stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        () = serving => {}
        () = bounded => {}
        reason = outbox.failure() => anyhow::bail!("the recorder refuses this console: {reason}"),
    }
    counting.abort();
    asking.abort();
    watching.abort();
    Ok(())
}

/// Holds the newest head of the log against what it shows later.
async fn watch_heads(console: Console, heads: Heads) {
    let Console { bus, outbox, clock, .. } = console;
    let mut looks = HeadLooks::new(bus.clone());
    let look = async move |from| looks.next(from).await;
    let version = async move |stream: &StreamId| recorder::version(&bus, stream).await.ok();
    heads.follow(outbox, &*clock, look, version).await;
}

/// Where browsers and tools come in.
struct Doors {
    address: SocketAddr,
    local: SocketAddr,
    plain: Option<TcpListener>,
    tls: Option<TlsListener>,
}

impl Doors {
    async fn open(config: &ConsoleConfig) -> anyhow::Result<Self> {
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let Some(tls) = &config.tls else {
            return Ok(Self { address, local: address, plain: Some(listener), tls: None });
        };
        let tls = Some(TlsListener::over(listener, tls, Limits::default())?);
        if !config.beside_tls {
            return Ok(Self { address, local: address, plain: None, tls });
        }
        let beside = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        Ok(Self { address, local: beside.local_addr()?, plain: Some(beside), tls })
    }

    async fn serve(self, router: Router, stop: watch::Receiver<bool>) {
        let limits = Limits::default();
        let (router_too, stop_too) = (router.clone(), stop.clone());
        let plain = async {
            if let Some(listener) = self.plain {
                listen::serve(listener, router, limits, stop).await;
            }
        };
        let tls = async {
            if let Some(listener) = self.tls {
                listen::serve(listener, router_too, limits, stop_too).await;
            }
        };
        tokio::join!(plain, tls);
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "listening on {address}: is another console running? give another address with --listen"
        )
    })
}

/// A console, and what it kept on its disk.
struct Opened {
    console: Console,
    /// The end of its journal that was cut off.
    cut: Option<(ProducerId, Cut)>,
    heads: Heads,
}

fn open(
    config: &ConsoleConfig,
    producer: Producer,
    bus: Bus,
    around: &Surroundings,
) -> anyhow::Result<Opened> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making the directory {}", config.data.display()))?;
    let id = ProducerId::new(Class::Console, &config.name)?;
    let key =
        journal::load_or_create_key(&config.data.join(format!("console-{}.key", config.name)))?;
    let dir = config.data.join(format!("console-{}.journal", config.name));
    let opened = Journal::open(&dir, &id, key, JOURNAL_BYTES)?;
    let heads = Heads::open(&config.data.join(format!("console-{}.heads", config.name)), &id);
    let outbox = Outbox::start(
        opened.journal,
        OutboxConfig {
            clock: Arc::clone(&around.clock),
            transport: recorder::transport(&bus),
            token: producer.token,
            waiting_max: 1_024,
            seen: Some(heads.watch()),
        },
    );
    let keys = Keys::load_or_create(&config.secret())?;
    let measures = config.measures.as_deref();
    let measures = measures.map(|file| settings::read_file(file, |_: &ControlSettings| Vec::new()));
    let measures = measures.transpose().map_err(anyhow::Error::msg)?;
    let console = Console {
        bus,
        outbox,
        clock: Arc::clone(&around.clock),
        people: Arc::default(),
        keys,
        patience: Arc::default(),
        denials: Arc::default(),
        secure: config.is_secure(),
        metrics: Arc::new(Metrics::new()),
        heard: Arc::default(),
        pulse: Arc::new(Pulse::new((around.clock)())),
        own: Arc::new(own(config, around)),
        repeats: Arc::default(),
        controls: Arc::new(Controls::new(measures)),
        places: Arc::default(),
        joining: config.joining.clone().map(Arc::new),
        provider: config.oidc.clone().map(|oidc| Arc::new(Provider::new(oidc))),
        news: Arc::default(),
        stop: around.stop.clone(),
    };
    Ok(Opened { console, cut: opened.cut.map(|cut| (id, cut)), heads })
}

fn own(config: &ConsoleConfig, around: &Surroundings) -> Own {
    let tls = match (&config.tls, config.behind_tls) {
        (Some(_), _) => "this console speaks TLS",
        (None, true) => "something in front speaks TLS",
        (None, false) => "in the clear, from this machine alone",
    };
    let (name, listen, tzdb) = (config.name.clone(), config.listen, around.tzdb.clone());
    Own { name, listen, tls, tzdb }
}

/// What must be in the log before the first answer; returns the position it stands at, and the code by which the first person
/// comes in, where nobody has.
async fn prepare(
    console: &Console,
    config: &ConsoleConfig,
    cut: Option<(ProducerId, Cut)>,
) -> anyhow::Result<(u64, Option<String>)> {
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
    let mut code = people::prepare(console, &config.data).await?;
    if let Some(name) = &config.let_in {
        code = Some(people::let_in(console, name).await?);
    }
    set_policy(console, config).await?;
    require_confirmations(console, config).await?;
    set_directory(console, config).await?;
    Ok((position, code))
}

/// Says in the log what this console is configured to, and no line in a file that nobody sees; where somebody else spoke first,
/// nothing is said.
async fn say_configured(console: &Console, id: &StreamId, event: Event) -> anyhow::Result<()> {
    let (kind, version) = (event.kind(), recorder::version(&console.bus, id).await?);
    match console.outbox.say(Draft::new(id.clone(), version + 1, event)).await?.mark {
        Mark::Valid | Mark::Conflict { .. } => Ok(()),
        Mark::Refused { reason } => anyhow::bail!("the recorder refuses {kind}: {reason}"),
    }
}

fn configured(config: &ConsoleConfig) -> String {
    format!("console {} is configured so", config.name)
}

/// What groups of a directory may do here: whoever reads the log can tell why an account may what it may.
async fn set_directory(console: &Console, config: &ConsoleConfig) -> anyhow::Result<()> {
    let Some(directory) = config.oidc.as_ref().map(OidcConfig::directory) else { return Ok(()) };
    while console.directory().await?.as_ref() != Some(&directory) {
        let event = LogDirectorySet { directory: directory.clone(), reason: configured(config) };
        say_configured(console, &StreamId::directory(), event.into()).await?;
    }
    Ok(())
}

/// From now on a person confirms each key.
async fn require_confirmations(console: &Console, config: &ConsoleConfig) -> anyhow::Result<()> {
    while config.confirm_keys && !console.joining().await?.required {
        let event = LogConfirmationsRequired { reason: configured(config) };
        say_configured(console, &StreamId::joining(), event.into()).await?;
    }
    Ok(())
}

/// The site's rule about self-approval.
async fn set_policy(console: &Console, config: &ConsoleConfig) -> anyhow::Result<()> {
    let Some(self_approval) = config.self_approval else { return Ok(()) };
    while console.policy().await?.self_approval != self_approval {
        let event = LogPolicySet { self_approval, reason: configured(config) };
        say_configured(console, &StreamId::log("main"), event.into()).await?;
    }
    Ok(())
}
