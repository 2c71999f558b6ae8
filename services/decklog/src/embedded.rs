//! All roles in one process: SQLite, an in-process bus, one data directory.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use audit::AuditConfig;
use bus::Bus;
use console::{ConsoleConfig, OidcConfig, TlsConfig};
use delivery::mail::MailConfig;
use domain::ids::Class;
use domain::time::HumanDuration;
use eventlog::{Access, EventLog};
use executor::ExecutorConfig;
use jiff::SignedDuration;
use scheduler::{NotifyConfig, SchedulerConfig};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::{exit, host};

/// The file that says where the console of a running `up` is: for the tools of this machine, and for browsers.
pub(crate) const ADDRESS: &str = "console.addr";

/// A role at work.
struct Task {
    name: &'static str,
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Task {
    async fn end(self) -> anyhow::Result<()> {
        // A role that has ended by itself hears nothing.
        let _ = self.stop.send(true);
        self.task.await.with_context(|| format!("the {}", self.name))?
    }
}

/// What of an embedded installation is started.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    /// The certificate by which browsers know the console.
    pub(crate) tls: Option<TlsConfig>,
    /// Also the scheduler and the executor.
    pub(crate) work: bool,
    pub(crate) slots: u32,
    pub(crate) allow: Option<PathBuf>,
    pub(crate) mail: Option<MailConfig>,
    /// How long what runs write is kept.
    pub(crate) keep_output: Option<HumanDuration>,
    pub(crate) lists: Option<PathBuf>,
    /// How people are told of incidents.
    pub(crate) notify: Option<NotifyConfig>,
    /// By which directory people come in.
    pub(crate) oidc: Option<OidcConfig>,
    /// What was agreed with whoever audits.
    pub(crate) measures: Option<PathBuf>,
    /// File that names the witnesses who are shown each head.
    pub(crate) witnesses: Option<PathBuf>,
    /// Directory into which the log is written as files that anybody may serve.
    pub(crate) tiles: Option<PathBuf>,
    /// How old the newest event of a segment of the log is that moves into a file.
    pub(crate) archive_after: Option<HumanDuration>,
    /// Address of a time-stamping authority, and the file of its roots.
    pub(crate) tsa: Option<(String, PathBuf)>,
    /// Whether one person may approve their own change; as the log has it when absent, and a new log lets them.
    pub(crate) self_approval: Option<bool>,
    /// How far its clock is set back: not at all but for a measurement of a log that is old.
    pub(crate) back: SignedDuration,
    /// The account that is let in by a code, although nobody who keeps the accounts says so.
    pub(crate) let_in: Option<String>,
}

impl Wanted {
    /// Only what one command needs on a data directory.
    pub(crate) fn for_one_command(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            work: false,
            slots: 1,
            allow: None,
            mail: None,
            keep_output: None,
            lists: None,
            notify: None,
            oidc: None,
            measures: None,
            witnesses: None,
            tiles: None,
            archive_after: None,
            tsa: None,
            self_approval: None,
            back: SignedDuration::ZERO,
            let_in: None,
        }
    }
}

/// An embedded installation at work.
pub(crate) struct Embedded {
    pub(crate) bus: Bus,
    pub(crate) log: EventLog,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    /// The code by which the first person comes in, as long as nobody has.
    pub(crate) code: Option<String>,
    drain: watch::Sender<bool>,
    tasks: Vec<Task>,
    dir: PathBuf,
    _lock: File,
}

type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

fn clock(back: SignedDuration) -> Clock {
    Arc::new(move || host::now() - back)
}

/// Takes the data directory for this process alone.
pub(crate) fn lock(dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("making the directory {}", dir.display()))?;
    let path = dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("writing {}", path.display()))?;
    file.try_lock().map_err(|_| {
        exit::refused(format!(
            "another `decklog up` has {} open: stop it first, or give another --data",
            dir.display()
        ))
    })?;
    Ok(file)
}

impl Embedded {
    /// Starts it; returns when every role is ready.
    pub(crate) async fn start(wanted: Wanted) -> anyhow::Result<Self> {
        let lock = lock(&wanted.data)?;
        let dir = std::fs::canonicalize(&wanted.data)?;
        let log =
            EventLog::open(&EventLog::file_in(&dir).display().to_string(), Access::Append).await?;
        log.migrate().await?;
        let is_new = log.head().await?.0 == 0;
        let (bus, clock) = (Bus::in_process(), clock(wanted.back));
        let (drain, draining) = watch::channel(false);
        let mut tasks = vec![start_audit(&dir, &wanted, &bus, &clock).await?];
        let self_approval = wanted.self_approval.or(is_new.then_some(true));
        let config = ConsoleConfig {
            listen: wanted.listen,
            tls: wanted.tls.clone(),
            beside_tls: wanted.tls.is_some(),
            self_approval,
            let_in: wanted.let_in.clone(),
            oidc: wanted.oidc.clone(),
            measures: wanted.measures.clone(),
            ..ConsoleConfig::new(dir.clone())
        };
        let (console, ready) = start_console(&dir, config, &bus, &clock).await?;
        let console::Ready { address, local, code } = ready;
        tasks.push(console);
        let token = std::fs::read_to_string(dir.join("console.token"))?;
        let client = Client::new(&format!("http://{local}"), &token);
        let mut embedded = Self { bus, log, client, address, code, drain, tasks, dir, _lock: lock };
        if wanted.work {
            embedded.start_work(&wanted, draining).await?;
            let scheme = if wanted.tls.is_some() { "https" } else { "http" };
            let said = format!("{local}\n{scheme}://{address}\n");
            std::fs::write(embedded.dir.join(ADDRESS), said)?;
        }
        Ok(embedded)
    }

    async fn start_work(
        &mut self,
        wanted: &Wanted,
        drain: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let config = SchedulerConfig {
            notify: wanted.notify.clone(),
            ..SchedulerConfig::new(self.dir.join("scheduler"))
        };
        let producer = scheduler::Producer { token: token(&self.dir, Class::Scheduler)? };
        let around = scheduler::Surroundings {
            clock: clock(wanted.back),
            stop: stopped,
            tzdb: host::tzdb(),
            drain,
        };
        let bus = self.bus.clone();
        let task = start("scheduler", stop, |ready| {
            scheduler::run(config, producer, bus, around, move || {
                let _ = ready.send(());
            })
        });
        self.tasks.push(task.await?.0);

        let (stop, stopped) = watch::channel(false);
        let usual = ExecutorConfig::new(&host::name(), self.dir.join("executor"));
        let config = ExecutorConfig {
            slots: wanted.slots,
            allow: wanted.allow.clone(),
            allow_everything_as_me: wanted.allow.is_none(),
            mail: wanted.mail.clone(),
            keep_output: wanted.keep_output.unwrap_or(usual.keep_output),
            lists: wanted.lists.clone(),
            ..usual
        };
        let producer = executor::Producer { token: token(&self.dir, Class::Executor)? };
        let around = executor::Surroundings {
            clock: clock(wanted.back),
            stop: stopped,
            tzdb: host::tzdb().version,
            program: None,
        };
        let bus = self.bus.clone();
        let task = start("executor", stop, |ready| {
            executor::run(config, producer, bus, around, move || {
                let _ = ready.send(());
            })
        });
        self.tasks.push(task.await?.0);
        Ok(())
    }

    /// From now on nothing new becomes due.
    pub(crate) fn drain(&self) {
        let _ = self.drain.send(true);
    }

    /// Resolves when a role ends that should not.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        loop {
            if let Some(index) = self.tasks.iter().position(|task| task.task.is_finished()) {
                let task = self.tasks.swap_remove(index);
                let name = task.name;
                return match task.end().await {
                    Ok(()) => anyhow!("the {name} has stopped by itself"),
                    Err(error) => error.context(format!("the {name} has stopped")),
                };
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Stops every role in the reverse order of its start.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let _ = std::fs::remove_file(self.dir.join(ADDRESS));
        while let Some(task) = self.tasks.pop() {
            task.end().await?;
        }
        self.log.close().await;
        Ok(())
    }
}

/// The key that signs a site's heads.
pub(crate) fn head_key(dir: &Path) -> PathBuf {
    dir.join("audit").join("head.key")
}

/// The directory in which heads are that a time-stamping authority has said something of.
pub(crate) fn timestamps(dir: &Path) -> PathBuf {
    dir.join("audit").join("timestamps")
}

/// The join token the recorder wrote for a class.
pub(crate) fn token(dir: &Path, class: Class) -> anyhow::Result<String> {
    let path = dir.join("audit").join(format!("join-{class}.token"));
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// The recorder of a data directory.
pub(crate) fn recorder(dir: &Path) -> AuditConfig {
    let database = EventLog::file_in(dir).display().to_string();
    AuditConfig::new(&database, dir.join("audit"))
}

async fn start_audit(
    dir: &Path,
    wanted: &Wanted,
    bus: &Bus,
    clock: &Clock,
) -> anyhow::Result<Task> {
    let (stop, stopped) = watch::channel(false);
    let (witnesses, tiles) = (wanted.witnesses.clone(), wanted.tiles.clone());
    let (tsa, tsa_roots) = wanted.tsa.clone().unzip();
    let usual = recorder(dir);
    let archive = wanted.archive_after.is_some().then(|| EventLog::archive_in(dir));
    let archive_after = wanted.archive_after.unwrap_or(usual.archive_after);
    let config = AuditConfig { witnesses, tiles, archive, archive_after, tsa, tsa_roots, ..usual };
    if let Some(problem) = config.problems().into_iter().next() {
        return Err(exit::usage(problem));
    }
    let around = audit::Surroundings { clock: Arc::clone(clock), stop: stopped };
    let bus = bus.clone();
    let task = start("recorder", stop, |ready| {
        audit::run(config, bus, around, move || {
            let _ = ready.send(());
        })
    });
    Ok(task.await?.0)
}

async fn start_console(
    dir: &Path,
    config: ConsoleConfig,
    bus: &Bus,
    clock: &Clock,
) -> anyhow::Result<(Task, console::Ready)> {
    let (stop, stopped) = watch::channel(false);
    let producer = console::Producer { token: token(dir, Class::Console)? };
    let tzdb = host::tzdb().version;
    let around = console::Surroundings { clock: Arc::clone(clock), stop: stopped, tzdb };
    let bus = bus.clone();
    let task = start("console", stop, |ready| {
        console::run(config, producer, bus, around, move |answers| {
            let _ = ready.send(answers);
        })
    });
    task.await
}

/// Starts a role and waits until it says that it is ready.
async fn start<T, F>(
    name: &'static str,
    stop: watch::Sender<bool>,
    role: impl FnOnce(oneshot::Sender<T>) -> F,
) -> anyhow::Result<(Task, T)>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (ready, waiting) = oneshot::channel();
    let task = tokio::spawn(role(ready));
    match waiting.await {
        Ok(value) => Ok((Task { name, stop, task }, value)),
        Err(_) => {
            task.await
                .with_context(|| format!("the {name}"))?
                .with_context(|| format!("the {name}"))?;
            Err(anyhow!("the {name} ended before it was ready"))
        }
    }
}
