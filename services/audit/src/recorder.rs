//! The loop: collect what waits, judge, commit once, answer each, tell everybody.

mod enrolling;

use std::time::Duration;

use bus::{Bus, Request, Requests, Topic};
use bytes::Bytes;
use domain::canonical::Digest;
use domain::event::{Event, LogArchived, LogHeadSigned, LogRejected};
use domain::flush::Flush;
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::wire::{AppendAnswer, AppendRequest, Feed, LogEntry};
use eventlog::{Appended, Appender, LogError, Refused};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::Surroundings;
use crate::archiving::Archived;
use crate::commits::Commits;
use crate::config::AuditConfig;
use crate::examined::{Examined, Places, judge};
use crate::housekeeping::Tick;
use crate::own::Own;
use crate::reached::Reached;
use crate::signer::Signer;

/// Most `log.rejected` events an hour; further ones are counted.
const REJECTED_PER_HOUR: u32 = 60;
/// Most bytes of events in one feed message.
const FEED_BYTES: usize = 512 * 1024;

pub(crate) struct Recorder {
    appender: Appender,
    own: Own,
    signer: Option<Signer>,
    bus: Bus,
    around: Surroundings,
    batch_events: usize,
    heartbeat: Duration,
    rejected: Rejected,
    examined: Examined,
    places: Places,
    reached: Reached,
    commits: Commits,
    /// Why nothing more may be recorded here.
    over: Option<String>,
}

/// How many rejections were recorded in the hour that runs.
#[derive(Debug, Default)]
struct Rejected {
    since: Option<Timestamp>,
    recorded: u32,
    others: u64,
}

enum Wake {
    Request(Box<Request>),
    Tick,
    Archived(Archived),
    Stop,
}

/// A request that waits for its answers: first those to its flushes, then the one to what is none.
struct Waiting {
    request: Request,
    flushes: Vec<Flush>,
    last: Option<AppendAnswer>,
}

impl Recorder {
    pub(crate) fn new(
        appender: Appender,
        own: Own,
        (signer, reached, commits): (Option<Signer>, Reached, Commits),
        bus: Bus,
        config: &AuditConfig,
        around: Surroundings,
    ) -> Self {
        let heartbeat = config.heartbeat_every.as_duration();
        let (batch_events, rejected) = (config.batch_events, Rejected::default());
        let examined = Examined::default();
        let over = None;
        Self {
            appender,
            own,
            signer,
            bus,
            around,
            batch_events,
            heartbeat,
            rejected,
            examined,
            places: Places::of(config),
            reached,
            commits,
            over,
        }
    }

    pub(crate) async fn run(
        mut self,
        mut requests: Requests,
        mut ticks: mpsc::Receiver<Tick>,
        mut archived: mpsc::Receiver<Archived>,
    ) -> anyhow::Result<()> {
        let mut stop = self.around.stop.clone();
        loop {
            let wake = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Wake::Stop,
                Some(Tick) = ticks.recv() => Wake::Tick,
                Some(segment) = archived.recv() => Wake::Archived(segment),
                request = requests.next() => request.map_or(Wake::Stop, |request| Wake::Request(Box::new(request))),
            };
            match wake {
                Wake::Request(first) => self.take(*first, &mut requests).await,
                Wake::Tick => self.housekeep().await,
                Wake::Archived(segment) => self.archived(segment).await,
                Wake::Stop => break,
            }
            self.look_whether_it_counts();
            if let Some(why) = self.over.take() {
                anyhow::bail!("nothing more is recorded: {why}");
            }
        }
        self.sign().await;
        Ok(())
    }

    /// Takes what waits, up to a batch, and commits it as one.
    async fn take(&mut self, first: Request, requests: &mut Requests) {
        let mut waiting = Vec::new();
        let mut events = 0;
        let mut next = Some(first);
        while let Some(request) = next {
            if let Some(one) = self.read(request).await {
                events += one.flushes.iter().map(|flush| flush.envelopes.len()).sum::<usize>();
                waiting.push(one);
            }
            next = if events < self.batch_events { requests.try_next() } else { None };
        }
        if !waiting.is_empty() {
            self.commit(waiting).await;
        }
    }

    /// Reads a request; what has no flush is answered here.
    async fn read(&mut self, request: Request) -> Option<Waiting> {
        let said = match AppendRequest::from_bytes(&request.body) {
            Some(AppendRequest::Flushes(parts)) => {
                let (flushes, last) = self.read_flushes(&parts).await;
                return Some(Waiting { request, flushes, last });
            }
            Some(AppendRequest::Enrol(enrol)) => self.enrol(&enrol).await,
            None => {
                let reason = "neither flushes nor a request to enrol";
                self.unreadable(&request.body, reason).await
            }
        };
        answer(request, &[said]).await;
        None
    }

    /// The flushes up to the first that cannot be read, and the answer to that one.
    async fn read_flushes(&mut self, parts: &[Vec<u8>]) -> (Vec<Flush>, Option<AppendAnswer>) {
        let mut flushes = Vec::with_capacity(parts.len());
        for bytes in parts {
            match Flush::from_bytes(bytes) {
                Ok(flush) => flushes.push(flush),
                Err(error) => {
                    let answer = self.unreadable(bytes, &error.to_string()).await;
                    return (flushes, Some(answer));
                }
            }
        }
        (flushes, None)
    }

    async fn unreadable(&mut self, bytes: &[u8], reason: &str) -> AppendAnswer {
        self.reject(bytes, reason).await;
        AppendAnswer::Refused { reason: reason.to_owned() }
    }

    async fn commit(&mut self, waiting: Vec<Waiting>) {
        let now = (self.around.clock)();
        let mut flushes = Vec::new();
        let mut requests = Vec::with_capacity(waiting.len());
        for one in waiting {
            requests.push((one.request, one.flushes.len(), one.last));
            flushes.extend(one.flushes);
        }
        match self.appender.append(&flushes, now).await {
            Ok((results, entries)) => {
                self.reached.note(self.appender.head().0);
                if !entries.is_empty() {
                    self.commits.went_well();
                }
                // Told before answered: whoever waits for its answer then finds the feed on its way.
                self.publish(entries).await;
                let mut results = results.into_iter().zip(&flushes);
                for (request, count, last) in requests {
                    let own: Vec<_> = results.by_ref().take(count).collect();
                    let said = self.answers_to(own, last).await;
                    answer(request, &said).await;
                }
            }
            Err(error) => {
                self.look_for_the_end(&error);
                self.commits.failed(&error, now);
                let busy = AppendAnswer::Busy { reason: error.to_string() };
                for (request, count, _) in requests {
                    answer(request, &vec![busy.clone(); count.max(1)]).await;
                }
            }
        }
    }

    /// Up to the first refusal: what follows it in the same request is refused for its sake alone.
    async fn answers_to(
        &mut self,
        results: Vec<(Result<Appended, Refused>, &Flush)>,
        last: Option<AppendAnswer>,
    ) -> Vec<AppendAnswer> {
        let mut said = Vec::with_capacity(results.len() + 1);
        for (result, flush) in results {
            said.push(self.answer_to(result, flush).await);
            if !matches!(said.last(), Some(AppendAnswer::Committed { .. })) {
                return said;
            }
        }
        said.extend(last);
        said
    }

    async fn answer_to(
        &mut self,
        result: Result<Appended, Refused>,
        flush: &Flush,
    ) -> AppendAnswer {
        match result {
            Ok(Appended { events, received }) => AppendAnswer::Committed { events, received },
            Err(Refused::NotEnrolled(_)) => AppendAnswer::NotEnrolled,
            Err(refused) => {
                let reason = refused.to_string();
                self.reject(&flush.to_bytes(), &reason).await;
                AppendAnswer::Refused { reason }
            }
        }
    }

    /// Tells everybody. A message that is lost delays a reader until its next look at the log.
    async fn publish(&self, entries: Vec<LogEntry>) {
        let mut part = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            bytes += entry.event.get().len() + 200;
            part.push(entry);
            if bytes > FEED_BYTES {
                self.publish_part(std::mem::take(&mut part)).await;
                bytes = 0;
            }
        }
        if !part.is_empty() {
            self.publish_part(part).await;
        }
    }

    async fn publish_part(&self, events: Vec<LogEntry>) {
        let Ok(body) = serde_json::to_vec(&Feed { events }) else { return };
        if let Err(error) = self.bus.publish(&Topic::Feed, Bytes::from(body)).await {
            warn!(%error, "the feed could not be published; readers will look by themselves");
        }
    }

    /// Appends an event of the recorder's own to `log/main`.
    async fn say(&mut self, event: impl Into<Event>) -> anyhow::Result<Mark> {
        self.say_of(StreamId::log("main"), event).await
    }

    async fn say_of(&mut self, stream: StreamId, event: impl Into<Event>) -> anyhow::Result<Mark> {
        let now = (self.around.clock)();
        let said = self.own.say(&mut self.appender, stream, event, now).await;
        if let Some(error) = said.as_ref().err().and_then(anyhow::Error::downcast_ref) {
            self.commits.failed(error, now);
        }
        let (mark, entries) = said?;
        self.commits.went_well();
        self.reached.note(self.appender.head().0);
        self.publish(entries).await;
        Ok(mark)
    }

    /// Records that bytes were turned away: bounded, so that noise cannot fill the log.
    async fn reject(&mut self, bytes: &[u8], reason: &str) {
        let now = (self.around.clock)();
        warn!(%reason, bytes = bytes.len(), "rejected");
        if !self.rejected.may_record(now) {
            return;
        }
        let event = LogRejected {
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
            reason: reason.chars().take(300).collect(),
            others: std::mem::take(&mut self.rejected.others),
        };
        if let Err(error) = self.say(event).await {
            warn!(%error, "the rejection could not be recorded");
        }
    }

    async fn housekeep(&mut self) {
        if let Err(error) = self.beat().await {
            if let Some(error) = error.downcast_ref() {
                self.look_for_the_end(error);
            }
            warn!(%error, "the log's heartbeat could not be written");
        }
        if let Err(error) = self.examine().await {
            warn!(error = format!("{error:#}"), "the guards of the log could not be looked at");
        }
        self.sign().await;
    }

    /// Looks from time to time whether the database still keeps the log append-only.
    async fn examine(&mut self) -> anyhow::Result<()> {
        let now = (self.around.clock)();
        if !self.examined.is_due(now) {
            return Ok(());
        }
        let log = self.appender.log().clone();
        let mut found = log.weaknesses().await?;
        found.extend(self.places.weaknesses(&log, &*self.around.clock).await);
        let Some(event) = judge(&log, &self.own.producer, &found, now).await? else {
            return Ok(());
        };
        let said = self.say(event).await;
        if !matches!(said, Ok(Mark::Valid)) {
            self.examined.again();
        }
        said.map(drop)
    }

    /// Says that a segment is in its file, unless another recorder was faster.
    async fn archived(&mut self, (event, said): Archived) {
        let done = self.say_archived(event).await;
        if let Err(error) = &done {
            warn!(error = format!("{error:#}"), "that a segment is archived could not be recorded");
        }
        // Whoever asked may be gone; it looks again.
        let _ = said.send(done.unwrap_or(false));
    }

    async fn say_archived(&mut self, event: LogArchived) -> anyhow::Result<bool> {
        self.appender.reload_if_moved().await?;
        let known = self.appender.log().archived().await?.map_or(0, |archived| archived.to);
        if event.first != known + 1 {
            return Ok(false);
        }
        Ok(self.say_of(StreamId::archive(), event).await? == Mark::Valid)
    }

    /// An idle log still says that it is there.
    async fn beat(&mut self) -> anyhow::Result<()> {
        let now = (self.around.clock)();
        self.appender.reload_if_moved().await?;
        let silent = self
            .appender
            .ledger()
            .received
            .is_none_or(|last| now.duration_since(last).unsigned_abs() >= self.heartbeat);
        if !silent {
            return Ok(());
        }
        let (size, root) = self.appender.head();
        self.say(LogHeadSigned { size, root }).await.map(drop)
    }

    /// A log that is shorter than it was is not the one that is recorded here.
    fn look_for_the_end(&mut self, error: &LogError) {
        if matches!(error, LogError::Cut { .. }) {
            self.over = Some(error.to_string());
        }
    }

    /// A recorder whose key was taken back records nothing more: it could not say what it turns away.
    fn look_whether_it_counts(&mut self) {
        let own = self.appender.ledger().producers.get(&self.own.producer);
        if own.is_some_and(|own| own.revoked) {
            self.over = Some(format!("the key of {} was revoked", self.own.producer));
        }
    }

    async fn sign(&mut self) {
        let now = (self.around.clock)();
        if let Err(error) = self.appender.reload_if_moved().await {
            self.look_for_the_end(&error);
            return warn!(%error, "no head was signed; the database does not answer");
        }
        let origin = self.appender.ledger().origin.as_deref();
        if let (Some(signer), Some(origin)) = (&self.signer, origin)
            && signer.origin() != origin
        {
            self.over = Some(format!("the log goes on as {origin}; start again"));
            return;
        }
        let log = self.appender.log().clone();
        let Some(signer) = &mut self.signer else { return };
        let before = signer.signed_size();
        if let Err(error) = signer.sign(&log, now).await {
            if error.downcast_ref::<LogError>().is_some() {
                warn!(%error, "no head was signed; the database does not answer");
            } else {
                error!(%error, signed = before, "NO HEAD IS SIGNED ANY MORE");
            }
        }
    }
}

impl Rejected {
    fn may_record(&mut self, now: Timestamp) -> bool {
        let hour = Duration::from_secs(3_600);
        if self.since.is_none_or(|since| now.duration_since(since).unsigned_abs() >= hour) {
            (self.since, self.recorded) = (Some(now), 0);
        }
        let may = self.recorded < REJECTED_PER_HOUR;
        if may {
            self.recorded += 1;
        } else {
            self.others += 1;
        }
        may
    }
}

async fn answer(request: Request, said: &[AppendAnswer]) {
    let body = serde_json::to_vec(said).unwrap_or_default();
    // Whoever asked may be gone; it asks again, and gets the same answer.
    let _ = request.reply(Bytes::from(body)).await;
}
