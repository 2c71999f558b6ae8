//! Runs jobs that are left to this host: it decides their occurrences itself, whether the centre answers or not, and
//! what it has decided and started stands in its journal until the centre knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::recorder::{AskError, each_stream};
use domain::envelope::Draft;
use domain::executor::claim;
use domain::forecast::SiteView;
use domain::ids::{StreamId, StreamType};
use domain::job::{Job, JobDefinition};
use domain::ledger::{Mark, Turn};
use domain::scheduler::alone::{Alone, Leave, OwnDecision};
use domain::wire::{Selection, StreamView, Work};
use jiff::Timestamp;
use journal::{Receipt, Verdict};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::attempt::{AttemptDir, Spec};
use crate::host::{Held, Host};
use crate::leaves::Leaves;
use crate::{beat, life};

/// How long the recorder is waited for before something is started that this host decided.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// The same where it did not answer the last time, and nobody has answered since.
const NO_PATIENCE: Duration = Duration::from_millis(50);
/// The log is asked at least so often, beside when the feed says that something has changed.
const ASK: Duration = Duration::from_secs(60);
/// And after so long where nobody answered.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(30);
/// Most occurrences of a job decided at once.
const DECIDED_MAX: usize = 64;
/// The longest sleep: a clock that is set shall not be noticed hours later.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// What of a host works alone.
#[derive(Debug)]
pub(crate) struct OwnWork {
    leaves: Mutex<Leaves>,
    /// Runs an earlier life decided and claimed, of which the recorder does not know yet, and when.
    claims: BTreeMap<StreamId, Timestamp>,
    /// Since when the machine has been up without a break, where the life before this one was of the same boot.
    awake_since: Option<Timestamp>,
    /// Runs whose attempts are over, since it was last looked.
    over: Mutex<BTreeSet<StreamId>>,
    /// The recorder was waited for in vain.
    silent: AtomicBool,
    /// What is known of the log may be old.
    stale: AtomicBool,
    /// There is something to look at.
    news: Notify,
}

impl OwnWork {
    pub(crate) fn new(
        leaves: Leaves,
        claims: BTreeMap<StreamId, Timestamp>,
        awake_since: Option<Timestamp>,
    ) -> Self {
        Self {
            leaves: Mutex::new(leaves),
            claims,
            awake_since,
            over: Mutex::default(),
            silent: AtomicBool::new(false),
            stale: AtomicBool::new(true),
            news: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Leaves> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an earlier life claimed and of which, as the machine did not lose power since, a directory would be here if
    /// they had begun.
    pub(crate) fn never_begun(&self, here: impl Fn(&StreamId) -> bool) -> Vec<StreamId> {
        let all = self.claims.keys().filter(|run| self.was_awake_for(run) && !here(run));
        all.cloned().collect()
    }

    /// Whether an earlier life claimed this run and the machine did not lose power since.
    pub(crate) fn was_awake_for(&self, run: &StreamId) -> bool {
        let claimed = self.claims.get(run).zip(self.awake_since);
        claimed.is_some_and(|(at, since)| *at > since)
    }

    /// When an earlier life claimed this run, where it decided it itself.
    pub(crate) fn claimed_at(&self, run: &StreamId) -> Option<Timestamp> {
        self.claims.get(run).copied()
    }

    /// An attempt of a run is over.
    pub(crate) fn over(&self, run: &StreamId) {
        if run.run_job().is_some_and(|job| self.lock().has(job)) {
            self.over.lock().unwrap_or_else(PoisonError::into_inner).insert(run.clone());
            self.news.notify_one();
        }
    }

    fn all_over(&self) -> BTreeSet<StreamId> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// That these are over is noted on disk.
    fn noted_over(&self, runs: &BTreeSet<StreamId>) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.retain(|run| !runs.contains(run));
    }

    /// The feed has brought an event about this: where it matters to jobs that are left to this host, the log is asked.
    pub(crate) fn hear(&self, subject: &StreamId) {
        let matters = match subject.stream_type() {
            StreamType::Job => self.lock().has(subject.rest()),
            StreamType::Calendar | StreamType::Blackout | StreamType::Host => {
                !self.lock().is_empty()
            }
            StreamType::Run
            | StreamType::User
            | StreamType::Log
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Dataset
            | StreamType::Repository
            | StreamType::Queue
            | StreamType::Form
            | StreamType::Document
            | StreamType::CallTree
            | StreamType::Measures
            | StreamType::Control
            | StreamType::Request
            | StreamType::Incident
            | StreamType::Review => false,
        };
        if matters {
            self.ring();
        }
    }

    /// The log is to be asked.
    pub(crate) fn ring(&self) {
        self.stale.store(true, Ordering::Relaxed);
        self.news.notify_one();
    }
}

/// What the log says.
struct Told {
    site: SiteView,
    jobs: Vec<StreamView>,
}

type Asking = Pin<Box<dyn Future<Output = Option<Told>> + Send>>;

/// Decides and starts what is left to this host, until it is told to stop. Nothing waits for the centre: it is asked
/// beside.
pub(crate) async fn work(host: Arc<Host>) {
    let mut stop = host.stop.clone();
    let mut ask_at = Instant::now();
    let mut asking: Option<Asking> = None;
    loop {
        let stale = host.own.stale.load(Ordering::Relaxed);
        if asking.is_none() && (stale || ask_at <= Instant::now()) {
            host.own.stale.store(false, Ordering::Relaxed);
            asking = Some(Box::pin(ask_in_time(Arc::clone(&host))));
        }
        if let Err(error) = decide(&host).await {
            warn!(%error, "what is left to this host could not be decided; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let answer = async {
            match asking.as_mut() {
                Some(asking) => asking.await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            told = answer => {
                asking = None;
                ask_at = Instant::now() + if told.is_some() { ASK } else { ASK_AGAIN };
                told
            }
            () = tokio::time::sleep(until_next(&host)) => None,
            () = host.own.news.notified() => None,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Some(told) = told {
            heed(&host, told).await;
        }
    }
}

fn until_next(host: &Host) -> Duration {
    let now = (host.clock)();
    let wait =
        host.own.lock().next(now).map(|at| at.duration_since(now).max(jiff::SignedDuration::ZERO));
    let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
    wait.map_or(SLEEP_MAX, |wait| wait.min(SLEEP_MAX))
}

async fn ask_in_time(host: Arc<Host>) -> Option<Told> {
    match tokio::time::timeout(QUESTION, ask(&host)).await {
        Ok(Ok(told)) => Some(told),
        Ok(Err(error)) => {
            debug!(%error, "nobody says what is left to this host; it goes by what it knows");
            None
        }
        Err(_) => {
            debug!("nobody says in time what is left to this host; it goes by what it knows");
            None
        }
    }
}

async fn ask(host: &Host) -> Result<Told, AskError> {
    let (mut things, mut jobs) = (Vec::new(), Vec::new());
    // Jobs first: what holds for an occurrence is not older than the leave to decide it.
    each_stream(&host.bus, Selection::Leased, &mut |view| jobs.push(view)).await?;
    if !jobs.is_empty() {
        each_stream(&host.bus, Selection::Things, &mut |view| things.push(view)).await?;
        beat::learn_drained(host).await?;
    }
    let known = things
        .iter()
        .filter_map(|view| Some((view.id.stream_type().thing()?, view.state.body.thing()?)));
    Ok(Told { site: SiteView::of(known), jobs })
}

/// Learns what is left to this host, and gives back what is not to be.
async fn heed(host: &Arc<Host>, told: Told) {
    host.own.silent.store(false, Ordering::Relaxed);
    for view in &told.jobs {
        let Some(job) = view.state.body.job() else { continue };
        if let Err(error) = learn(host, job, &view.state.turn, &told.site) {
            warn!(job = %job.name, %error, "leave to work alone could not be kept");
            continue;
        }
        if let Err(error) = decide(host).await {
            warn!(%error, "what is left to this host could not be decided; trying again");
            continue;
        }
        if let Err(error) = give_back(host, view, job, &told.site).await {
            warn!(job = %job.name, %error, "leave could not be given back");
        }
        forget(host, job, &view.state.turn, &told.site);
    }
}

/// Forgets leave that is over, as soon as the log knows that too: what it tells as open would be learned again.
fn forget(host: &Host, job: &Job, turn: &Turn, site: &SiteView) {
    let now = (host.clock)();
    let open = Leave::all(&host.name, job, turn, &site.calendars, now);
    let is_open = |leave: &Leave| open.iter().any(|other| other.lease.from == leave.lease.from);
    let mut leaves = host.own.lock();
    for leave in leaves.all().into_iter().filter(|leave| leave.job == job.name) {
        if leave.is_over(now) && leave.unsaid().is_none() && !is_open(&leave) {
            leaves.remove(&leave);
        }
    }
}

fn learn(host: &Host, job: &Job, turn: &Turn, site: &SiteView) -> anyhow::Result<()> {
    let now = (host.clock)();
    let mut leaves = host.own.lock();
    for mut leave in leaves.all().into_iter().filter(|leave| leave.job == job.name) {
        if leave.learn(&host.name, job, turn) {
            leaves.put(leave)?;
        } else {
            info!(job = %job.name, "the centre has taken back the leave to run the job by itself");
            leaves.remove(&leave);
        }
    }
    for leave in Leave::all(&host.name, job, turn, &site.calendars, now) {
        if !leaves.knows(&leave) {
            let until = leave.lease.until;
            info!(job = %job.name, %until, "this host may run the job by itself");
            leaves.put(leave)?;
        }
    }
    Ok(())
}

/// Gives leave back, once everything before is decided, and says so.
async fn give_back(
    host: &Arc<Host>,
    view: &StreamView,
    job: &Job,
    site: &SiteView,
) -> anyhow::Result<()> {
    let now = (host.clock)();
    let mut said = None;
    {
        let mut leaves = host.own.lock();
        for mut leave in leaves.all().into_iter().filter(|leave| leave.job == job.name) {
            if let Err(reason) = leave.give_back(job, site, host.is_drained(), now) {
                warn!(job = %job.name, %reason, followed = leave.followed, "what is left to this host cannot be decided here");
            }
            said = said.or(leave.unsaid());
            leaves.put(leave)?;
        }
    }
    let said = said.or_else(|| Leave::refused(&host.name, job, &view.state.turn, &site.calendars));
    let Some(event) = said else { return Ok(()) };
    info!(job = %job.name, reason = %event.reason, "gives back its leave to run the job by itself");
    let draft = Draft::new(view.id.clone(), view.state.version + 1, event);
    let receipt = host.outbox.append(vec![draft]).await?;
    let host = Arc::clone(host);
    tokio::spawn(async move {
        // Where it did not become the next event of the job, it is said again after the next question.
        let verdicts = receipt.committed().await.unwrap_or_default();
        if verdicts.iter().any(|v| matches!(v.mark, Mark::Conflict { .. })) {
            host.own.ring();
        }
    });
    Ok(())
}

/// Decides everything that has come.
async fn decide(host: &Arc<Host>) -> anyhow::Result<()> {
    let (now, over) = ((host.clock)(), host.own.all_over());
    let jobs = over.iter().filter_map(StreamId::run_job).collect();
    let due = host.own.lock().due(now, &jobs);
    for leave in due {
        decide_one(host, leave, now, &over).await?;
    }
    host.own.noted_over(&over);
    Ok(())
}

async fn decide_one(
    host: &Arc<Host>,
    leave: Leave,
    now: Timestamp,
    over: &BTreeSet<StreamId>,
) -> anyhow::Result<()> {
    let (job, mut so_far) = (leave.job.clone(), leave.clone());
    let Ok(mut alone) = Alone::new(leave) else { return Ok(()) };
    let of_it = over.iter().filter(|run| run.run_job() == Some(&job));
    of_it.for_each(|run| alone.note(run, false));
    host.held_of(&job).iter().for_each(|run| alone.note(run, true));
    for decision in alone.decide(now, DECIDED_MAX, &host.tzdb) {
        let (at, run) =
            (decision.at, decision.work.is_some().then(|| decision.draft.stream.clone()));
        let claimed = match say(host, alone.definition(), decision).await {
            Ok(claimed) => claimed,
            Err(error) => {
                // What was said so far is not decided again.
                host.own.lock().put(so_far)?;
                return Err(error);
            }
        };
        so_far.settle(Some(at));
        run.iter().for_each(|run| so_far.begun(run));
        if let Some(claimed) = claimed {
            // On disk before anything begins: what has begun is not decided again.
            let kept = host.own.lock().put(so_far.clone());
            begin(host, claimed, kept).await;
        }
    }
    host.own.lock().put(alone.leave().clone())
}

/// A run that this host has decided and claimed, both in its journal.
struct Claimed {
    work: Box<Work>,
    spec: Spec,
    /// The version of the claim.
    version: u64,
    receipt: Receipt,
}

/// Writes down what was decided. The journal is first: what it holds is decided, and what has a directory was claimed.
async fn say(
    host: &Arc<Host>,
    definition: &JobDefinition,
    decision: OwnDecision,
) -> anyhow::Result<Option<Claimed>> {
    let OwnDecision { draft, work, at } = decision;
    let Some(work) = work else {
        host.outbox.append(vec![draft]).await?;
        return Ok(None);
    };
    let spec = life::spec(host, &work, definition);
    let claim = claim(&work, definition, &host.name, host.lease_ms, &life::run_as(host, &spec));
    let version = claim.version;
    let receipt = host.outbox.append(vec![draft, claim]).await?;
    info!(run = %work.run, %at, "decided by this host itself");
    Ok(Some(Claimed { work, spec, version, receipt }))
}

/// Has it started, but for one that was started before: its first claim came to nothing, because the leave for it had
/// ended or a new one had begun, and its command ran all the same. What is said again then is what happened.
///
/// It is claimed: where it was not kept that it is, nobody else begins it, and it is said that it does not begin.
async fn begin(host: &Arc<Host>, claimed: Claimed, kept: anyhow::Result<()>) {
    let Claimed { work, spec, version, receipt } = claimed;
    if let Some(dir) = AttemptDir::find(&host.attempts, work.run.as_str(), work.attempt) {
        return say_again(host, &work, dir, version, receipt);
    }
    let made = match kept {
        Ok(()) => {
            life::make_ready(host, &spec).await.context("the attempt's directory could not be made")
        }
        Err(error) => Err(error.context("that it is decided could not be kept")),
    };
    match made {
        Ok(dir) => start(host, &work, dir, version, receipt),
        Err(error) => never_begins(host, &work, receipt, &error),
    }
}

fn say_again(host: &Arc<Host>, work: &Work, dir: AttemptDir, version: u64, receipt: Receipt) {
    let (host, run, number) = (Arc::clone(host), work.run.clone(), work.attempt);
    tokio::spawn(async move {
        let valid = |verdicts: Vec<Verdict>| verdicts.iter().all(|v| v.mark == Mark::Valid);
        if receipt.committed().await.is_ok_and(valid) {
            let said = life::watch(&host, &run, number, &dir, Some(version), None).await;
            if let Err(error) = said {
                warn!(%run, %error, "the end of an attempt could not be said again");
            }
        }
        host.own.over(&run);
    });
}

/// Starts it as soon as the recorder lets it, or does not answer.
fn start(host: &Arc<Host>, work: &Work, dir: AttemptDir, version: u64, receipt: Receipt) {
    let (host, run) = (Arc::clone(host), work.run.clone());
    host.hold(&run, Held::new(work.attempt, dir.clone()));
    tokio::spawn(async move {
        let silent = host.own.silent.load(Ordering::Relaxed);
        let patience = if silent { NO_PATIENCE } else { PATIENCE };
        let verdicts = tokio::time::timeout(patience, receipt.committed()).await;
        host.own.silent.store(verdicts.is_err(), Ordering::Relaxed);
        let done = match verdicts {
            Ok(Ok(all)) if all.iter().any(|v| v.mark != Mark::Valid) => {
                warn!(%run, verdicts = ?all, "the recorder does not let this host run what was left to it");
                let done = life::discard(dir).await;
                host.own.ring();
                done
            }
            // Nothing more can be said in this life: nothing more is begun. The next one looks at it.
            Ok(Err(closed)) => Err(closed.into()),
            Ok(Ok(_)) | Err(_) => live(&host, &run, &dir, version).await,
        };
        if let Err(error) = done {
            warn!(%run, %error, "an attempt could not be carried to its end here");
        }
        host.release(&run);
    });
}

async fn live(
    host: &Arc<Host>,
    run: &StreamId,
    dir: &AttemptDir,
    version: u64,
) -> anyhow::Result<()> {
    // Its own runs wait for no slot, but what else comes waits for them.
    let slot = Arc::clone(&host.slots).try_acquire_owned().ok();
    life::start(host, run, dir).await?;
    life::watch(host, run, 1, dir, Some(version), slot).await
}

fn never_begins(host: &Arc<Host>, work: &Work, receipt: Receipt, error: &anyhow::Error) {
    let reason = format!("{error:#}");
    warn!(run = %work.run, %reason, "nothing is started");
    let (host, run, attempt) = (Arc::clone(host), work.run.clone(), work.attempt);
    host.own.over(&run);
    tokio::spawn(async move {
        // Before that nobody knows of the run. An error means that this life ends: the next one says it.
        if receipt.committed().await.is_err() {
            return;
        }
        let said = life::say_not_started(&host, &run, attempt, &reason).await;
        if let Err(error) = said.context("saying that nothing was started") {
            warn!(%run, %error, "it is said after the next start");
        }
    });
}

/// Whether what was claimed at `at` may still begin: after a lease, others would call it lost.
pub(crate) fn in_time(at: Timestamp, now: Timestamp, lease_ms: u64) -> bool {
    now.duration_since(at).as_millis() <= i128::from(lease_ms)
}
