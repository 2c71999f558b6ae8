//! The journal at work: what is said at one time is written together, and delivered in order.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Once, Weak};
use std::time::Duration;

use domain::envelope::{Draft, Envelope, Seen};
use domain::flush::{FLUSH_BYTES_MAX, FLUSH_EVENTS_MAX};
use domain::ids::StreamId;
use domain::keys::PublicKey;
use domain::ledger::Mark;
use domain::wire::{
    APPEND_BYTES_MAX, APPEND_FLUSHES_MAX, AppendAnswer, AppendRequest, Committed, Enrol,
};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use crate::file::{Journal, JournalError, Written, envelopes};

/// Between two tries to write what must be said.
const AGAIN: Duration = Duration::from_secs(1);

/// How requests reach the recorder. An error means: not answered, try again.
pub type Transport = Arc<
    dyn Fn(AppendRequest) -> Pin<Box<dyn Future<Output = Result<Vec<AppendAnswer>, String>> + Send>>
        + Send
        + Sync,
>;

/// How an outbox works.
#[derive(Clone)]
pub struct OutboxConfig {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How requests reach the recorder.
    pub transport: Transport,
    /// The join token of the producer's class.
    pub token: String,
    /// Drafts that may wait to be written.
    pub waiting_max: usize,
    /// The newest head of the log that the producer has verified; `None` where it looks at none.
    pub seen: Option<watch::Receiver<Option<Seen>>>,
}

impl std::fmt::Debug for OutboxConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxConfig")
            .field("waiting_max", &self.waiting_max)
            .finish_non_exhaustive()
    }
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its stream.
    pub stream: StreamId,
    /// Its position in the log.
    pub position: u64,
    /// When the recorder received it.
    pub received: Timestamp,
    /// Valid, or void and why.
    pub mark: Mark,
}

/// Nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The outbox has stopped: it was closed, or the recorder refuses this producer for good. Or it is nothing to be said.
    #[error("nothing more can be said: {0}")]
    Over(String),
    /// The journal has no room, or its disk fails: it can be said again.
    #[error("nothing can be said now: {0}")]
    Unwritten(String),
}

/// Drafts that are to be written, behind those that were handed over before.
#[derive(Debug)]
pub struct Handed(oneshot::Receiver<Result<oneshot::Receiver<Vec<Verdict>>, Closed>>);

impl Handed {
    /// Waits until they are on this machine's disk, all of them.
    ///
    /// # Errors
    /// See [`Outbox::append`].
    pub async fn written(self) -> Result<Receipt, Closed> {
        self.0.await.map_err(|_| stopped())?.map(Receipt)
    }

    /// Waits for the verdict on the first of them.
    ///
    /// # Errors
    /// See [`Outbox::append`] and [`Receipt::committed`].
    pub async fn verdict(self) -> Result<Verdict, Closed> {
        let verdicts = self.written().await?.committed().await?;
        let first = verdicts.into_iter().next();
        first.ok_or_else(|| Closed::Over("the recorder answered nothing".to_owned()))
    }
}

fn stopped() -> Closed {
    Closed::Over("the outbox has stopped".to_owned())
}

/// Drafts that are on the disk and on their way.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Vec<Verdict>>);

impl Receipt {
    /// Waits until the recorder has committed all of them. May take as long as the recorder is away.
    ///
    /// # Errors
    /// The outbox stopped before; what is journaled is delivered after the next start.
    pub async fn committed(self) -> Result<Vec<Verdict>, Closed> {
        self.0.await.map_err(|_| {
            Closed::Over(
                "the outbox stopped; what it holds is delivered after the next start".to_owned(),
            )
        })
    }
}

type Durable = oneshot::Sender<Result<oneshot::Receiver<Vec<Verdict>>, Closed>>;

enum Order {
    Say { drafts: Vec<Draft>, durable: Durable },
    Committed(u64),
}

struct Outgoing {
    written: Written,
    answers: Vec<(usize, oneshot::Sender<Vec<Verdict>>)>,
}

/// A producer's mouth. Clones share it.
#[derive(Debug, Clone)]
pub struct Outbox {
    orders: mpsc::Sender<Order>,
    unsent: watch::Receiver<u64>,
    hindered: watch::Receiver<Option<String>>,
    recovered: watch::Receiver<bool>,
    failed: watch::Receiver<Option<String>>,
    /// Only what delivers holds it: where that has ended, nobody waits for what it could say.
    give_up: Weak<watch::Sender<Option<String>>>,
}

impl Outbox {
    /// Starts to deliver what `journal` holds, and to take more. Ends when the last clone is dropped.
    pub fn start(journal: Journal, config: OutboxConfig) -> Self {
        let (orders, orders_in) = mpsc::channel(config.waiting_max.max(1));
        let (outgoing, outgoing_in) = mpsc::unbounded_channel();
        let backlog: Vec<Written> = journal.unsent().cloned().collect();
        let (unsent_out, unsent) = watch::channel(backlog.iter().map(|w| w.events as u64).sum());
        let (recovered_out, recovered) = watch::channel(backlog.is_empty());
        let (failed_out, failed) = watch::channel(None);
        let failed_out = Arc::new(failed_out);
        let give_up = Arc::downgrade(&failed_out);
        let enrol = Enrol::new(journal.producer(), journal.key(), &config.token);
        let clock = Arc::clone(&config.clock);
        let unsent_out = Arc::new(unsent_out);
        let sender = Sender {
            transport: config.transport,
            enrol,
            told: Once::new(),
            orders: orders.downgrade(),
            unsent: Arc::clone(&unsent_out),
            recovered: recovered_out,
            failed: failed_out,
        };
        let backlog = backlog.into_iter().map(|written| Outgoing { written, answers: Vec::new() });
        let (hindered_out, hindered) = watch::channel(None);
        let writer = Writer {
            journal,
            outgoing,
            clock,
            unsent: unsent_out,
            hindered: hindered_out,
            seen: config.seen,
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_loop(writer, orders_in))
            .map_err(|error| error!(%error, "the journal's thread cannot be started"))
            .ok();
        tokio::spawn(sender.run(backlog.collect(), outgoing_in));
        Self { orders, unsent, hindered, recovered, failed, give_up }
    }

    /// Says `drafts`: returns when they are on this machine's disk, all of them.
    ///
    /// # Errors
    /// The journal is full or its disk fails: none of them was said. Or the outbox has stopped.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Receipt, Closed> {
        self.hand(drafts).await?.written().await
    }

    /// Hands `drafts` over: what is handed over later is said later, whoever waits for it first.
    ///
    /// # Errors
    /// The outbox has stopped.
    pub async fn hand(&self, drafts: Vec<Draft>) -> Result<Handed, Closed> {
        if let Some(reason) = self.failed.borrow().clone() {
            return Err(Closed::Over(reason));
        }
        let (durable, answer) = oneshot::channel();
        self.orders.send(Order::Say { drafts, durable }).await.map_err(|_| stopped())?;
        Ok(Handed(answer))
    }

    /// Says one draft and waits for its verdict.
    ///
    /// # Errors
    /// See [`Outbox::append`] and [`Receipt::committed`].
    pub async fn say(&self, draft: Draft) -> Result<Verdict, Closed> {
        self.hand(vec![draft]).await?.verdict().await
    }

    /// Says one draft as soon as it can be written, and waits for its verdict.
    ///
    /// # Errors
    /// The outbox has stopped, or it is nothing that can be said.
    pub async fn insist(&self, draft: Draft) -> Result<Verdict, Closed> {
        loop {
            match self.say(draft.clone()).await {
                Err(Closed::Unwritten(_)) => tokio::time::sleep(AGAIN).await,
                done @ (Ok(_) | Err(Closed::Over(_))) => return done,
            }
        }
    }

    /// Why nothing could be written the last time that it was tried.
    pub fn hindered(&self) -> Option<String> {
        self.hindered.borrow().clone()
    }

    /// Says one draft, and whether the log has it: as something that counts, or refused for good. Not where another event was
    /// first for its version, or nothing more can be said.
    pub async fn has_said(&self, draft: Draft) -> bool {
        let said = self.say(draft).await;
        said.is_ok_and(|verdict| !matches!(verdict.mark, Mark::Conflict { .. }))
    }

    /// Events on the disk that are not committed yet.
    pub fn unsent(&self) -> u64 {
        *self.unsent.borrow()
    }

    /// Waits until everything an earlier life left in the journal is committed.
    pub async fn recovered(&self) {
        let mut recovered = self.recovered.clone();
        // An error means that the outbox stopped; then there is nothing to wait for.
        let _ = recovered.wait_for(|done| *done).await;
    }

    /// Waits until everything said so far is committed, or the recorder refuses this producer for good.
    pub async fn drained(&self) {
        let (mut unsent, mut failed) = (self.unsent.clone(), self.failed.clone());
        tokio::select! {
            _ = unsent.wait_for(|count| *count == 0) => {}
            _ = failed.wait_for(Option::is_some) => {}
        }
    }

    /// Nothing more is said in this life, because what is known of the log may not be true any more: whoever waits for
    /// [`Outbox::failure`] ends, and starts again. What is journaled is delivered then.
    pub fn give_up(&self, reason: &str) {
        if let Some(failed) = self.give_up.upgrade() {
            failed.send_replace(Some(reason.to_owned()));
        }
    }

    /// Resolves when the recorder refuses this producer for good, with the reason.
    pub async fn failure(&self) -> String {
        let mut failed = self.failed.clone();
        // Taken out of the guard first: a guard must not be held while waiting.
        let reason = failed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

/// Where what is said is written, on a thread of its own.
struct Writer {
    journal: Journal,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    unsent: Arc<watch::Sender<u64>>,
    hindered: watch::Sender<Option<String>>,
    seen: Option<watch::Receiver<Option<Seen>>>,
}

fn write_loop(mut writer: Writer, mut orders: mpsc::Receiver<Order>) {
    let mut waiting = VecDeque::new();
    while waiting.front().is_some() || fill(&mut orders, &mut waiting) {
        fill_without_waiting(&mut orders, &mut waiting);
        match waiting.pop_front() {
            Some(Order::Committed(pseq)) => {
                if let Err(error) = writer.journal.committed(pseq) {
                    warn!(%error, "what was committed could not be noted; it will be sent again after a restart");
                }
            }
            Some(Order::Say { drafts, durable }) => {
                let mut group = vec![(drafts, durable)];
                gather(&mut waiting, &mut group);
                writer.write(group);
            }
            None => {}
        }
    }
}

fn fill(orders: &mut mpsc::Receiver<Order>, waiting: &mut VecDeque<Order>) -> bool {
    orders.blocking_recv().is_some_and(|order| {
        waiting.push_back(order);
        true
    })
}

fn fill_without_waiting(orders: &mut mpsc::Receiver<Order>, waiting: &mut VecDeque<Order>) {
    while waiting.len() < FLUSH_EVENTS_MAX {
        match orders.try_recv() {
            Ok(order) => waiting.push_back(order),
            Err(_) => return,
        }
    }
}

/// Half a flush: a rough measure, because sizes are known only after sealing.
const GROUP_BYTES: usize = FLUSH_BYTES_MAX / 2;

fn weight(drafts: &[Draft]) -> usize {
    drafts.iter().map(|d| 700 + d.event.body().map_or(0, |b| b.to_string().len())).sum()
}

/// Takes further drafts into the group while a flush holds them.
fn gather(waiting: &mut VecDeque<Order>, group: &mut Vec<(Vec<Draft>, Durable)>) {
    let mut events: usize = group.iter().map(|(drafts, _)| drafts.len()).sum();
    let mut bytes: usize = group.iter().map(|(drafts, _)| weight(drafts)).sum();
    while let Some(Order::Say { drafts, .. }) = waiting.front() {
        events += drafts.len();
        bytes += weight(drafts);
        if events > FLUSH_EVENTS_MAX || bytes > GROUP_BYTES {
            return;
        }
        if let Some(Order::Say { drafts, durable }) = waiting.pop_front() {
            group.push((drafts, durable));
        }
    }
}

impl Writer {
    fn write(&mut self, group: Vec<(Vec<Draft>, Durable)>) {
        if let Some(seen) = &self.seen {
            self.journal.sees(seen.borrow().clone());
        }
        let all: Vec<Draft> = group.iter().flat_map(|(drafts, _)| drafts.clone()).collect();
        match self.journal.append(all, (self.clock)()) {
            Ok(written) => self.hand_on(written, group),
            // One bad draft must not take the others with it.
            Err(_) if group.len() > 1 => group.into_iter().for_each(|one| self.write(vec![one])),
            Err(failure) => self.refuse(group, &failure),
        }
    }

    fn refuse(&self, group: Vec<(Vec<Draft>, Durable)>, failure: &JournalError) {
        error!(error = %failure, "an event could not be journaled, and was not said");
        let closed = if failure.is_of_the_disk() {
            self.hindered.send_replace(Some(failure.to_string()));
            Closed::Unwritten(failure.to_string())
        } else {
            Closed::Over(failure.to_string())
        };
        for (_, durable) in group {
            let _ = durable.send(Err(closed.clone()));
        }
    }

    fn hand_on(&self, written: Written, group: Vec<(Vec<Draft>, Durable)>) {
        self.hindered.send_if_modified(|hindered| hindered.take().is_some());
        self.unsent.send_modify(|count| *count += written.events as u64);
        let mut answers = Vec::with_capacity(group.len());
        for (drafts, durable) in group {
            let (answer, receipt) = oneshot::channel();
            answers.push((drafts.len(), answer));
            // Whoever does not wait for it has no use for it.
            let _ = durable.send(Ok(receipt));
        }
        let _ = self.outgoing.send(Outgoing { written, answers });
    }
}

struct Sender {
    transport: Transport,
    enrol: Enrol,
    /// Whether it was told which fingerprint its key has.
    told: Once,
    orders: mpsc::WeakSender<Order>,
    unsent: Arc<watch::Sender<u64>>,
    recovered: watch::Sender<bool>,
    failed: Arc<watch::Sender<Option<String>>>,
}

/// The first of what waits, as much as one request holds.
fn a_message_of(waiting: &VecDeque<Outgoing>) -> Vec<Vec<u8>> {
    let mut bytes = 0;
    let fits = |outgoing: &&Outgoing| {
        bytes += outgoing.written.bytes.len();
        bytes <= APPEND_BYTES_MAX
    };
    let some = waiting.iter().take(APPEND_FLUSHES_MAX).take_while(fits);
    some.map(|outgoing| outgoing.written.bytes.clone()).collect()
}

/// First and longest wait between two tries.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

impl Sender {
    /// Delivers what an earlier life left, and then what is said. What waits is bounded by the journal, which
    /// refuses more when it is full.
    async fn run(
        self,
        mut waiting: VecDeque<Outgoing>,
        mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    ) {
        if self.deliver(&mut waiting).await.is_none() {
            return;
        }
        let _ = self.recovered.send(true);
        while let Some(next) = outgoing.recv().await {
            waiting.push_back(next);
            while let Ok(next) = outgoing.try_recv() {
                waiting.push_back(next);
            }
            if self.deliver(&mut waiting).await.is_none() {
                return;
            }
        }
    }

    /// Delivers all that waits, in order, as much as a message holds at a time: what came together is
    /// committed together. `None` when the recorder refuses this producer for good.
    async fn deliver(&self, waiting: &mut VecDeque<Outgoing>) -> Option<()> {
        let mut wait = RETRY.0;
        while !waiting.is_empty() {
            let flushes = a_message_of(waiting);
            let (before, sent) = (waiting.len(), flushes.len());
            match (self.transport)(AppendRequest::Flushes(flushes)).await {
                // Not more than was sent: what was not sent cannot have been committed.
                Ok(answers) => self.take(answers.into_iter().take(sent), waiting, wait).await?,
                Err(reason) => self.complain(wait, &reason),
            }
            if waiting.len() < before {
                wait = RETRY.0;
                continue;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
        Some(())
    }

    /// Takes the answers to the first of `waiting`, up to one that is not committed yet.
    async fn take(
        &self,
        answers: impl ExactSizeIterator<Item = AppendAnswer>,
        waiting: &mut VecDeque<Outgoing>,
        wait: Duration,
    ) -> Option<()> {
        if answers.len() == 0 {
            self.complain(wait, "it answered nothing");
        }
        for answer in answers {
            let AppendAnswer::Committed { events, received } = answer else {
                return self.heed(answer, wait).await;
            };
            let fits = |first: &mut Outgoing| first.written.events == events.len();
            let Some(outgoing) = waiting.pop_front_if(fits) else {
                self.complain(wait, "it answered for another number of events");
                return Some(());
            };
            self.settle(outgoing, events, received).await;
        }
        Some(())
    }

    /// Does what the answer to an uncommitted flush asks for, before it is sent again.
    async fn heed(&self, answer: AppendAnswer, wait: Duration) -> Option<()> {
        match answer {
            AppendAnswer::NotEnrolled => self.join().await,
            AppendAnswer::Refused { reason } => self.fail(&reason),
            AppendAnswer::Busy { reason } => {
                self.complain(wait, &reason);
                Some(())
            }
            AppendAnswer::Committed { .. } | AppendAnswer::Enrolled | AppendAnswer::Waiting => {
                Some(())
            }
        }
    }

    fn complain(&self, wait: Duration, reason: &str) {
        if wait >= RETRY.1 {
            warn!(producer = %self.enrol.producer, %reason, "the recorder does not answer; the journal keeps what was said");
        }
    }

    async fn join(&self) -> Option<()> {
        let answers = (self.transport)(AppendRequest::Enrol(self.enrol.clone())).await;
        match answers.ok().and_then(|answers| answers.into_iter().next()) {
            Some(AppendAnswer::Enrolled) => {
                info!(producer = %self.enrol.producer, "enrolled");
                Some(())
            }
            Some(AppendAnswer::Refused { reason }) => self.fail(&reason),
            Some(AppendAnswer::Waiting) => {
                self.tell_fingerprint();
                Some(())
            }
            Some(
                AppendAnswer::Committed { .. }
                | AppendAnswer::NotEnrolled
                | AppendAnswer::Busy { .. },
            )
            | None => Some(()),
        }
    }

    /// Once in a life: what a person compares, who confirms the key at a console.
    fn tell_fingerprint(&self) {
        let Ok(key) = PublicKey::from_hex(&self.enrol.key) else { return };
        self.told.call_once(|| {
            let (producer, fingerprint) = (&self.enrol.producer, key.fingerprint());
            warn!(%producer, %fingerprint, "nothing is taken of this producer before a person confirms its key at a console: page Hosts, or decklog key confirm");
        });
    }

    fn fail(&self, reason: &str) -> Option<()> {
        error!(%reason, producer = %self.enrol.producer, "the recorder refuses this producer");
        let _ = self.failed.send(Some(reason.to_owned()));
        None
    }

    async fn settle(&self, outgoing: Outgoing, events: Vec<Committed>, received: Timestamp) {
        let Outgoing { written, answers } = outgoing;
        if let Some(orders) = self.orders.upgrade() {
            let _ = orders.send(Order::Committed(written.last)).await;
        }
        self.unsent.send_modify(|count| *count = count.saturating_sub(written.events as u64));
        let streams = envelopes(&written).map(|all| all.into_iter().map(|e: Envelope| e.subject));
        let Ok(streams) = streams else { return };
        let mut verdicts = streams.zip(events).map(|(stream, Committed { position, mark })| {
            Verdict { stream, position, received, mark }
        });
        for (count, answer) in answers {
            let _ = answer.send(verdicts.by_ref().take(count).collect());
        }
    }
}
