//! The loop: every source becomes one enum, is handled, and then the decisions are carried out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::recorder::{self, AskError, Follower, Following};
use bus::{Bus, Delivery, HeadLooks, Subscription, Topic};
use bytes::Bytes;
use domain::envelope::Draft;
use domain::event::{LogJournalCut, Sent};
use domain::ids::{Class, ProducerId, StreamId};
use domain::ledger::Mark;
use domain::run::Run;
use domain::scheduler::{About, Action, Outgoing, SENDERS, Scheduler, Settings};
use domain::wire::{Heartbeat, LogEntry, Work};
use jiff::Timestamp;
use journal::{Heads, Journal, Outbox, OutboxConfig, Verdict};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::config::SchedulerConfig;
use crate::feed;
use crate::notify::{self, NotifyConfig};
use crate::zones::{Copies, ZoneInfo};

/// Whoever runs a role tells it the time, and when to stop.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Turns true when the role shall stop.
    pub stop: watch::Receiver<bool>,
    /// The time zone database.
    pub tzdb: ZoneInfo,
    /// Turns true when nothing new shall become due: what is open is carried to its end.
    pub drain: watch::Receiver<bool>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("tzdb", &self.tzdb).finish_non_exhaustive()
    }
}

/// How this scheduler may append.
#[derive(Debug, Clone)]
pub struct Producer {
    /// The join token of its class.
    pub token: String,
}

/// How often it says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How often the host's time zone database is looked at.
const SEE_ZONES: Duration = Duration::from_secs(5);
/// How often the zones in use are looked through.
const KEEP_ZONES: Duration = Duration::from_secs(60);
/// How long without the recorder until it counts as cut off, and its ear as closed.
const CUT_OFF: Duration = Duration::from_secs(10);
/// Longest sleep: clocks jump, so nothing is slept through.
const NAP: Duration = Duration::from_millis(500);

/// What comes back to the loop: answers of the recorder, the past of jobs, and what became of messages.
type Answers = (
    mpsc::Receiver<(StreamId, Option<Mark>)>,
    mpsc::Receiver<(String, Vec<Run>)>,
    mpsc::Receiver<(Vec<About>, Sent)>,
);

enum Wake {
    Entries(Result<Vec<LogEntry>, AskError>),
    Heard(Option<Delivery>),
    Answered(StreamId, Option<Mark>),
    Recalled(String, Vec<Run>),
    Sent(Vec<About>, Sent),
    Time,
    Failed(String),
    Stop,
}

struct Service {
    mind: Scheduler,
    bus: Bus,
    outbox: Outbox,
    around: Surroundings,
    id: String,
    answers: mpsc::Sender<(StreamId, Option<Mark>)>,
    recalls: mpsc::Sender<(String, Vec<Run>)>,
    offers: mpsc::Sender<Work>,
    notify: Option<Arc<NotifyConfig>>,
    senders: Arc<Semaphore>,
    sent: mpsc::Sender<(Vec<About>, Sent)>,
    spoken: Option<Timestamp>,
    /// When it looked last what to do.
    looked: Timestamp,
    reached: Timestamp,
    zones: Copies,
    /// When the zones in use were looked through.
    zones_kept: Timestamp,
    /// When the host's database was looked at.
    zones_seen: Timestamp,
}

/// Why it works no more.
enum Ended {
    /// It was told to stop.
    Stopped,
    /// The host has another time zone database now.
    OtherZones,
}

/// Schedules until it is told to stop. `ready` is called when it knows the state of every job.
///
/// # Errors
/// Its journal or key cannot be used, the recorder refuses it, or an event asks for a newer version.
pub async fn run(
    config: SchedulerConfig,
    producer: Producer,
    bus: Bus,
    mut around: Surroundings,
    ready: impl FnOnce() + Send,
) -> anyhow::Result<()> {
    let (outbox, heads) = open_outbox(&config, producer, &bus, &around).await?;
    let clock = Arc::clone(&around.clock);
    // It ends with this.
    let mut beside = JoinSet::new();
    beside.spawn(watch_heads(bus.clone(), outbox.clone(), heads, clock));
    let mut ready = Some(ready);
    loop {
        let ready = || ready.take().into_iter().for_each(|ready| ready());
        match schedule(&config, &outbox, &bus, &around, ready).await? {
            Ended::Stopped => return Ok(()),
            // Every schedule is read anew: an occurrence names the version that it was found by.
            Ended::OtherZones => around.tzdb = around.tzdb.again(),
        }
    }
}

/// Holds the newest head of the log against what it shows later.
async fn watch_heads(
    bus: Bus,
    outbox: Outbox,
    heads: Heads,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
) {
    let mut looks = HeadLooks::new(bus.clone());
    let look = async move |from| looks.next(from).await;
    let version = async move |stream: &StreamId| recorder::version(&bus, stream).await.ok();
    heads.follow(outbox, &*clock, look, version).await;
}

/// Schedules by one time zone database.
async fn schedule(
    config: &SchedulerConfig,
    outbox: &Outbox,
    bus: &Bus,
    around: &Surroundings,
    ready: impl FnOnce(),
) -> anyhow::Result<Ended> {
    let settings = Settings {
        grace_ms: i64::try_from(config.grace.millis())?,
        redispatch_ms: i64::try_from(config.offer_again.millis())?,
        link_secret: config.notify.as_ref().map(|_| secret()).transpose()?,
        ..Settings::new(&config.name, &around.tzdb.version)
    };
    let heartbeats = bus.subscribe(&Topic::Heartbeats).await?;
    let Some((mut mind, position)) = load(bus, &settings, around).await? else {
        return Ok(Ended::Stopped);
    };
    let follower = Follower::after(bus, position).await?.start();
    let (answers, answered) = mpsc::channel(4_096);
    let (recalls, recalled) = mpsc::channel(64);
    let (offers, offered) = mpsc::channel(4_096);
    let (sent, told) = mpsc::channel(64);
    let offering = tokio::spawn(offer(bus.clone(), offered));
    let now = (around.clock)();
    mind.listening(Some(now));
    let (jobs, runs) = mind.counts();
    info!(jobs, open_runs = runs, position, tzdb = around.tzdb.version, "scheduling");
    ready();
    let mut zones = Copies::new(around.tzdb.clone(), &config.data);
    let schedules = mind.schedules().map(|(job, found)| (job.to_owned(), Arc::clone(found)));
    let telling =
        zones.clone().tell(bus.clone(), outbox.clone(), schedules.collect::<Vec<_>>(), now);
    let telling = tokio::spawn(telling);
    zones.keep(mind.schedules());
    let service = Service {
        mind,
        bus: bus.clone(),
        outbox: outbox.clone(),
        around: around.clone(),
        id: config.name.clone(),
        answers,
        recalls,
        offers,
        notify: config.notify.clone().map(Arc::new),
        senders: Arc::new(Semaphore::new(SENDERS)),
        sent,
        spoken: None,
        looked: now,
        reached: now,
        zones,
        zones_kept: now,
        zones_seen: now,
    };
    let ended = service.work(follower, heartbeats, (answered, recalled, told)).await;
    offering.abort();
    telling.abort();
    ended
}

/// By what the words of links are made: new with each process, so that nobody takes up what an earlier one began.
fn secret() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes)
}

async fn open_outbox(
    config: &SchedulerConfig,
    producer: Producer,
    bus: &Bus,
    around: &Surroundings,
) -> anyhow::Result<(Outbox, Heads)> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making the directory {}", config.data.display()))?;
    let id = ProducerId::new(Class::Scheduler, &config.name)?;
    let key =
        journal::load_or_create_key(&config.data.join(format!("scheduler-{}.key", config.name)))?;
    let dir = config.data.join(format!("scheduler-{}.journal", config.name));
    let opened = Journal::open(&dir, &id, key, config.journal_bytes)?;
    let heads = Heads::open(&config.data.join(format!("scheduler-{}.heads", config.name)), &id);
    let outbox = Outbox::start(
        opened.journal,
        OutboxConfig {
            clock: Arc::clone(&around.clock),
            transport: recorder::transport(bus),
            token: producer.token,
            waiting_max: 4_096,
            seen: Some(heads.watch()),
        },
    );
    if let Some(cut) = opened.cut {
        warn!(
            bytes = cut.bytes,
            "the end of the journal was torn and was cut off; nobody had acted on it"
        );
        report_cut(bus, &outbox, &id, cut).await;
    }
    Ok((outbox, heads))
}

/// Says in the log that the journal's end was torn.
async fn report_cut(bus: &Bus, outbox: &Outbox, id: &ProducerId, cut: journal::Cut) {
    let version = match recorder::version(bus, &id.stream()).await {
        Ok(version) => version,
        Err(error) => return warn!(%error, "the cut could not be reported"),
    };
    let event =
        LogJournalCut { producer: id.clone(), bytes: cut.bytes, whole_until: cut.whole_until };
    if let Err(error) = outbox.append(vec![Draft::new(id.stream(), version + 1, event)]).await {
        warn!(%error, "the cut could not be reported");
    }
}

/// Loads the state, as long as it takes; `None` when told to stop before.
async fn load(
    bus: &Bus,
    settings: &Settings,
    around: &Surroundings,
) -> anyhow::Result<Option<(Scheduler, u64)>> {
    let mut stop = around.stop.clone();
    let mut told = String::new();
    loop {
        match feed::load(bus, settings.clone(), (around.clock)()).await {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(error) => {
                let error = error.to_string();
                // Twice a second the same is no news.
                if error != told {
                    warn!(error, "the recorder does not answer yet");
                    told = error;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(None),
        }
    }
}

/// Offers work to its pool, away from the loop: a queue that is slow or full must not stop decisions.
/// What is lost here is offered again by the sweep.
async fn offer(bus: Bus, mut offered: mpsc::Receiver<Work>) {
    while let Some(work) = offered.recv().await {
        let Ok(body) = serde_json::to_vec(&work) else { continue };
        if let Err(error) = bus.offer(&work.queue(), &work.id(), Bytes::from(body)).await {
            warn!(run = %work.run, %error, "the offer failed; it is made again later");
        }
    }
}

impl Service {
    async fn work(
        mut self,
        mut follower: Following,
        mut heartbeats: Subscription,
        (mut answered, mut recalled, mut told): Answers,
    ) -> anyhow::Result<Ended> {
        let mut stop = self.around.stop.clone();
        let outbox = self.outbox.clone();
        let failure = outbox.failure();
        tokio::pin!(failure);
        let ended = loop {
            if self.has_other_zones((self.around.clock)()) {
                break Ended::OtherZones;
            }
            self.act().await;
            let nap = self.nap();
            let wake = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Wake::Stop,
                reason = &mut failure => Wake::Failed(reason),
                Some((stream, mark)) = answered.recv() => Wake::Answered(stream, mark),
                Some((job, runs)) = recalled.recv() => Wake::Recalled(job, runs),
                Some((about, sent)) = told.recv() => Wake::Sent(about, sent),
                entries = follower.next() => Wake::Entries(entries),
                heard = heartbeats.next() => Wake::Heard(heard),
                () = tokio::time::sleep(nap) => Wake::Time,
            };
            if !self.handle(wake)? {
                break Ended::Stopped;
            }
        };
        self.zones.keep(self.mind.schedules());
        // What is journaled and not committed is sent again after the next start.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.outbox.drained()).await;
        Ok(ended)
    }

    fn nap(&self) -> Duration {
        let now = (self.around.clock)();
        let until = self.mind.next_wake().map_or(NAP, |at| {
            u64::try_from(at.as_millisecond() - now.as_millisecond())
                .map_or(Duration::ZERO, Duration::from_millis)
        });
        // Never none at all: a wish that cannot be granted yet must not become a busy loop.
        until.clamp(Duration::from_millis(1), NAP)
    }

    /// Takes one thing in; false when it is time to stop.
    fn handle(&mut self, wake: Wake) -> anyhow::Result<bool> {
        let now = (self.around.clock)();
        match wake {
            Wake::Entries(Ok(entries)) => {
                self.mind.was_cut_off(self.reached, now);
                self.reached = now;
                for entry in &entries {
                    feed::take(&mut self.mind, entry)?;
                }
            }
            Wake::Entries(Err(error)) => {
                if now.duration_since(self.reached).unsigned_abs() > CUT_OFF {
                    warn!(%error, "cut off from the recorder");
                    self.mind.listening(None);
                }
            }
            Wake::Heard(Some(Delivery::Message(body))) => self.hear(&body, now),
            // Something was not heard: silence before this moment proves nothing.
            Wake::Heard(Some(Delivery::Lagged(_)) | None) => self.mind.listening(Some(now)),
            Wake::Answered(stream, mark) => self.mind.answered(&stream, mark.as_ref(), now),
            Wake::Recalled(job, runs) => self.mind.recalled(&job, runs, now),
            Wake::Sent(about, sent) => {
                about.iter().for_each(|one| self.mind.sent(one, &sent, now));
            }
            Wake::Time => {}
            Wake::Failed(reason) => anyhow::bail!("the recorder refuses this scheduler: {reason}"),
            Wake::Stop => return Ok(false),
        }
        if now.duration_since(self.reached).unsigned_abs() <= CUT_OFF {
            self.mind.listen_from(now);
        }
        Ok(true)
    }

    fn hear(&mut self, body: &[u8], now: Timestamp) {
        match serde_json::from_slice(body) {
            Ok(Heartbeat::Executor { host, free, running, unsent, .. }) => {
                self.mind.heard_host(&host, free, now);
                if unsent == 0 {
                    self.mind.said_all(&host, now);
                }
                for (run, attempt) in running {
                    self.mind.heard(&run, attempt, now);
                }
            }
            Ok(Heartbeat::Scheduler { id, .. }) => self.mind.peer(&id, now),
            Err(error) => warn!(%error, "a heartbeat cannot be read"),
        }
    }

    async fn act(&mut self) {
        let now = (self.around.clock)();
        self.speak(now).await;
        self.keep_zones(now);
        self.mind.drain(*self.around.drain.borrow());
        // Who was away itself has not heard: what waits to be heard comes first.
        if now.duration_since(self.looked).unsigned_abs() > CUT_OFF {
            self.mind.listening(Some(now));
        }
        self.looked = now;
        for action in self.mind.tick(now) {
            match action {
                Action::Append(draft) => self.append(draft).await,
                Action::Dispatch(work) => {
                    if self.offers.try_send(*work).is_err() {
                        warn!("offers pile up; this one is made again later");
                    }
                }
                Action::Recall(job) => self.recall(job),
                Action::Send(outgoing) => self.send(*outgoing),
            }
        }
    }

    /// Whether the host's time zone database was replaced.
    fn has_other_zones(&mut self, now: Timestamp) -> bool {
        if now.duration_since(self.zones_seen).unsigned_abs() < SEE_ZONES {
            return false;
        }
        self.zones_seen = now;
        self.zones.are_outdated()
    }

    /// Copies the zones that jobs have come to use.
    fn keep_zones(&mut self, now: Timestamp) {
        if now.duration_since(self.zones_kept).unsigned_abs() >= KEEP_ZONES {
            self.zones_kept = now;
            self.zones.keep(self.mind.schedules());
        }
    }

    /// Asks the log for a job's past. A question that fails is asked again when the mind misses the answer.
    fn recall(&self, job: String) {
        let (bus, recalls) = (self.bus.clone(), self.recalls.clone());
        tokio::spawn(async move {
            match feed::past(&bus, &job).await {
                // The loop may have ended; then nobody needs the answer.
                Ok(runs) => drop(recalls.send((job, runs)).await),
                Err(error) => warn!(%job, %error, "the log could not be asked about a job's past"),
            }
        });
    }

    /// Sends a message, away from the loop. What becomes of it nobody knows if this process ends meanwhile.
    fn send(&self, outgoing: Outgoing) {
        let Some(config) = self.notify.clone() else { return };
        let (sent, senders) = (self.sent.clone(), Arc::clone(&self.senders));
        let clock = Arc::clone(&self.around.clock);
        tokio::spawn(async move {
            // It is never closed.
            let Ok(_permit) = senders.acquire_owned().await else { return };
            let sending = tokio::task::spawn_blocking(move || {
                let what = notify::send(&config, &outgoing, clock());
                (outgoing, what)
            });
            let Ok((outgoing, what)) = sending.await else { return };
            if let Sent::Failed { message } | Sent::Unknown { message } = &what {
                let (contact, by) = (&outgoing.call.contact, outgoing.call.by.word());
                warn!(contact, by, message, "somebody could not be told of an incident");
            }
            // The loop may have ended; then nobody needs the answer.
            let _ = sent.send((outgoing.about, what)).await;
        });
    }

    /// Says it behind what was decided before: the log takes an occurrence only after the one that it follows.
    async fn append(&self, draft: Draft) {
        let (answers, stream) = (self.answers.clone(), draft.stream.clone());
        let handed = self.outbox.hand(vec![draft]).await;
        tokio::spawn(async move {
            let said = async { handed?.verdict().await };
            let mark = match said.await {
                Ok(Verdict { mark, .. }) => {
                    if let Mark::Refused { reason } = &mark {
                        warn!(%stream, %reason, "the recorder refused an event");
                    }
                    Some(mark)
                }
                Err(error) => {
                    warn!(%stream, %error, "an event could not be said");
                    None
                }
            };
            // The loop may have ended; then nobody needs the answer.
            let _ = answers.send((stream, mark)).await;
        });
    }

    async fn speak(&mut self, now: Timestamp) {
        let silent =
            self.spoken.is_none_or(|at| now.duration_since(at).unsigned_abs() >= HEARTBEAT);
        if !silent {
            return;
        }
        self.spoken = Some(now);
        let (id, hindered) = (self.id.clone(), self.outbox.hindered());
        let heartbeat = Heartbeat::Scheduler { id, time: now, hindered };
        let Ok(body) = serde_json::to_vec(&heartbeat) else { return };
        // A heartbeat that is lost is followed by the next.
        let _ = self.bus.publish(&Topic::Heartbeats, Bytes::from(body)).await;
    }
}
