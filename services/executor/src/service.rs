//! Puts an executor together, and takes it apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bus::{Bus, HeadLooks, recorder};
use domain::canonical::Digest;
use domain::envelope::Draft;
use domain::event::{HostStarted, HostStopped, LogJournalCut};
use domain::ids::{ProducerId, StreamId};
use domain::ledger::Mark;
use domain::wire::host_queue;
use jiff::{SignedDuration, Timestamp};
use journal::{Cut, Heads, Journal, Outbox, OutboxConfig};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::alone::OwnWork;
use crate::attempt::{AllowList, SupervisorProgram, sweep};
use crate::backup::look;
use crate::config::ExecutorConfig;
use crate::host::{Held, Host, Parts};
use crate::leaves::{Leaves, Said};
use crate::print::books::{self, Books};
use crate::print::inbox;
use crate::print::spool::Spool;
use crate::program::program;
use crate::{alone, beat, questions, records, recover, sealing, take};

/// Whoever runs an executor tells it the time, when to stop, and what looks after commands.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Turns true when it shall stop.
    pub stop: watch::Receiver<bool>,
    /// Version of the time zone database, as events say it.
    pub tzdb: String,
    /// The executable that its supervisors are; where absent, the one that is running.
    pub program: Option<PathBuf>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// How this executor may append.
#[derive(Debug, Clone)]
pub struct Producer {
    /// The join token of its class.
    pub token: String,
}

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long to rest between two tries to be heard.
const AGAIN: Duration = Duration::from_millis(500);

/// Takes and runs work until it is told to stop. What runs then goes on under its supervisors.
/// `ready` is called when it takes work.
///
/// # Errors
/// Its key, journal or allow-list cannot be used, or the recorder refuses it.
pub async fn run(
    config: ExecutorConfig,
    producer: Producer,
    bus: Bus,
    around: Surroundings,
    ready: impl FnOnce() + Send,
) -> anyhow::Result<()> {
    let program = tokio::task::spawn_blocking(program);
    let (host, cut, heads) = open(&config, producer, bus, &around)?;
    let host = Arc::new(host);
    let mut tasks = JoinSet::new();
    let found = recover::find(&host)?;
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    // All of them before anything is decided: what runs here is not to run beside itself.
    for (run, number, dir) in &found {
        host.hold(run, Held::new(*number, dir.clone()));
    }
    for (run, number, dir) in found {
        tasks.spawn(recover::resume(Arc::clone(&host), run, number, dir));
    }
    for run in host.own.never_begun(|run| host.holds(run)) {
        tasks.spawn(recover::never_began(Arc::clone(&host), run));
    }
    tasks.spawn(alone::work(Arc::clone(&host)));
    // Before anybody is told that it is ready: what it says of itself then comes at once.
    let program = program.await.ok().and_then(Result::ok);
    let (said, heard) = watch::channel(false);
    tasks.spawn(announce(Arc::clone(&host), (count, program), cut, said));
    tasks.spawn(books::work(Arc::clone(&host)));
    tasks.spawn(inbox::watch(Arc::clone(&host)));
    tasks.spawn(records::work(Arc::clone(&host)));
    tasks.spawn(sealing::work(Arc::clone(&host)));
    tasks.spawn(beat::beat(Arc::clone(&host)));
    tasks.spawn(beat::listen(Arc::clone(&host)));
    tasks.spawn(watch_heads(Arc::clone(&host), heads));
    tasks.spawn(questions::serve(Arc::clone(&host)));
    tasks.spawn(recover::tidy(Arc::clone(&host), config.keep_output.as_duration()));
    let own = std::iter::once(host_queue(&host.name));
    for queue in config.pools.iter().cloned().chain(own) {
        tasks.spawn(take::from_queue(Arc::clone(&host), queue, heard.clone()));
    }
    let memory = host.bounds_memory();
    info!(host = %host.name, slots = host.slots_all, found = count, bounds_memory = memory, "taking work");
    ready();
    let done = wait_for_stop(&host).await;
    tasks.shutdown().await;
    farewell(&host).await;
    done
}

/// Where an executor keeps its key, or its journal: each of a host's keys has its own.
pub(crate) fn own_file(data: &Path, key_number: u32, what: &str) -> PathBuf {
    match key_number {
        1 => data.join(format!("executor.{what}")),
        more => data.join(format!("executor-{more}.{what}")),
    }
}

fn open(
    config: &ExecutorConfig,
    producer: Producer,
    bus: Bus,
    around: &Surroundings,
) -> anyhow::Result<(Host, Option<Cut>, Heads)> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making the directory {}", config.data.display()))?;
    let id = ProducerId::of_host(&config.host, config.key_number)?;
    let key = journal::load_or_create_key(&own_file(&config.data, config.key_number, "key"))?;
    let dir = own_file(&config.data, config.key_number, "journal");
    let opened = Journal::open(&dir, &id, key, config.journal_bytes)?;
    // Of the host, whichever key it has.
    let heads = Heads::open(&config.data.join("executor.heads"), &id);
    let said = Said::read(&opened.journal)?;
    let leaves = Leaves::open(&config.data.join("leaves"), &said)?;
    let awake = leaves.is_same_boot(&boot())?.then(|| booted((around.clock)())).flatten();
    let own = OwnWork::new(leaves, said.claims, awake);
    let outbox = Outbox::start(
        opened.journal,
        OutboxConfig {
            clock: Arc::clone(&around.clock),
            transport: recorder::transport(&bus),
            token: producer.token,
            waiting_max: 4_096,
            seen: Some(heads.watch()),
        },
    );
    sweep(&config.attempts())?;
    look::clear(&look::looks_beside(&config.attempts()))?;
    let allow = allow_list(config)?;
    let program = around.program.clone().map_or_else(std::env::current_exe, Ok)?;
    let host = Host::new(Parts {
        producer: id,
        user: own_user(),
        lease_ms: config.lease.millis(),
        attempts: config.attempts(),
        supervisors: SupervisorProgram::knowing(program, allow.variables(std::env::vars_os())),
        allow,
        bus,
        outbox,
        slots: config.slots,
        pools: config.pools.clone(),
        labels: config.all_labels(),
        clock: Arc::clone(&around.clock),
        stop: around.stop.clone(),
        tzdb: around.tzdb.clone(),
        own,
        books: Books::new(Spool::open(&config.data)?),
        mail: config.mail.clone(),
        lists: config.lists.clone(),
    });
    Ok((host, opened.cut, heads))
}

fn allow_list(config: &ExecutorConfig) -> anyhow::Result<AllowList> {
    match &config.allow {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading the allow-list {}", path.display()))?;
            AllowList::parse(&text).with_context(|| format!("the allow-list {}", path.display()))
        }
        None if config.allow_everything_as_me => Ok(AllowList::everything_as_me()),
        None => bail!("no allow-list: name the file that says what may run as whom on this host"),
    }
}

fn own_user() -> String {
    let uid = nix::unistd::Uid::current();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

async fn wait_for_stop(host: &Arc<Host>) -> anyhow::Result<()> {
    let mut stop = host.stop.clone();
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        reason = host.outbox.failure() => bail!("the recorder refuses this executor: {reason}"),
    }
}

/// Says in the log that this host is there, as soon as the recorder can be reached; `said` is told when it stands there.
async fn announce(
    host: Arc<Host>,
    (found, program): (u32, Option<Digest>),
    cut: Option<Cut>,
    said: watch::Sender<bool>,
) {
    let started = HostStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot: boot(),
        slots: host.slots_all,
        pools: host.pools.clone(),
        found,
        labels: host.labels.clone(),
        program,
    };
    let name = host.name.clone();
    say_next(&host, &StreamId::host(&name), |stream, version| {
        Draft::new(stream.clone(), version, started.clone())
    })
    .await;
    said.send_replace(true);
    if let Some(Cut { bytes, whole_until }) = cut {
        warn!(bytes, "the end of the journal was torn and was cut off; nobody had acted on it");
        let producer = host.producer.clone();
        say_next(&host, &host.producer.stream(), |stream, version| {
            let event = LogJournalCut { producer: producer.clone(), bytes, whole_until };
            Draft::new(stream.clone(), version, event)
        })
        .await;
    }
    while let Err(error) = recover::give_up_missing(&host).await {
        warn!(%error, "open runs cannot be compared with what is here; trying again");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Holds the newest head of the log against what it shows later.
async fn watch_heads(host: Arc<Host>, heads: Heads) {
    let Host { bus, outbox, clock, .. } = &*host;
    let (mut looks, bus) = (HeadLooks::new(bus.clone()), bus.clone());
    let look = async move |from| looks.next(from).await;
    let version = async move |stream: &StreamId| recorder::version(&bus, stream).await.ok();
    heads.follow(outbox.clone(), &**clock, look, version).await;
}

/// Appends an event at the end of a stream of this host's own, however often that takes.
async fn say_next(host: &Arc<Host>, stream: &StreamId, draft: impl Fn(&StreamId, u64) -> Draft) {
    host.outbox.recovered().await;
    loop {
        if let Ok(version) = recorder::version(&host.bus, stream).await {
            match host.outbox.say(draft(stream, version + 1)).await {
                Ok(verdict) if verdict.mark == Mark::Valid => return,
                Ok(_) => {}
                Err(error) => return warn!(%error, "an event about this host could not be said"),
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn farewell(host: &Arc<Host>) {
    let running = u32::try_from(host.running().len()).unwrap_or(u32::MAX);
    let stream = StreamId::host(&host.name);
    let bye = async {
        let version = recorder::version(&host.bus, &stream).await.ok()?;
        let event = HostStopped { reason: "stopped in order".to_owned(), running };
        host.outbox.say(Draft::new(stream.clone(), version + 1, event)).await.ok()
    };
    if tokio::time::timeout(FAREWELL, bye).await.is_err() {
        warn!(
            "stopped without a farewell in the log; the journal delivers it after the next start"
        );
    }
}

/// When this machine was started, by the clock that shows `now`: a second later, to be sure.
fn booted(now: Timestamp) -> Option<Timestamp> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    let up = SignedDuration::try_from_secs_f64(seconds - 1.0).ok()?;
    now.checked_sub(up).ok()
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
