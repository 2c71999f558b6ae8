//! How services talk to the recorder: append, ask, follow.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::ids::StreamId;
use domain::inquiry::Inquiry;
use domain::ledger::StreamState;
use domain::wire::{
    Answer, AppendAnswer, AppendRequest, Content, EventFilter, Feed, LogEntry, Query, RunFilter,
    RunRow, Selection, StreamView,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::tracked::Tracked;
use crate::{Bus, BusError, Delivery, Service, Subscription, Topic};

/// How long to wait for the recorder's answer to an append.
pub const APPEND_WAIT: Duration = Duration::from_secs(10);
/// How long to wait for the answer to a question.
pub const QUERY_WAIT: Duration = Duration::from_secs(10);
/// How often a follower looks although nobody has told it anything.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Most streams asked for at once.
const STREAMS: u32 = 1_000;
/// Most events a follower asks for at once.
const EVENTS: u32 = 1_000;

/// A question without an answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The recorder cannot be reached.
    #[error("asking the recorder: {0}")]
    Bus(#[from] BusError),
    /// It could not answer.
    #[error("the recorder could not answer: {0}")]
    Failed(String),
    /// Its answer cannot be read, or is to another question.
    #[error(
        "the recorder's answer cannot be read: {0}: recorder and this service are of different versions"
    )]
    Unreadable(String),
}

impl AskError {
    /// The answer is to another question.
    pub fn other() -> Self {
        Self::Unreadable("it is to another question".to_owned())
    }
}

/// Sends an append and waits for the answers: one for each flush.
///
/// # Errors
/// No answer came, which says nothing about whether the events are in the log: ask again.
pub async fn append(bus: &Bus, request: AppendRequest) -> Result<Vec<AppendAnswer>, String> {
    let body = Bytes::from(request.to_bytes());
    let answer = bus
        .request(&Service::Append, body, APPEND_WAIT)
        .await
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&answer).map_err(|error| format!("the answer cannot be read: {error}"))
}

/// A way to the recorder, as a journal's outbox wants it.
pub type Transport = Arc<
    dyn Fn(AppendRequest) -> Pin<Box<dyn Future<Output = Result<Vec<AppendAnswer>, String>> + Send>>
        + Send
        + Sync,
>;

/// [`append`] over this bus, for an outbox.
pub fn transport(bus: &Bus) -> Transport {
    let bus = bus.clone();
    Arc::new(move |request| {
        let bus = bus.clone();
        Box::pin(async move { append(&bus, request).await })
    })
}

/// Asks a question.
///
/// # Errors
/// See [`AskError`].
pub async fn ask(bus: &Bus, query: &Query) -> Result<Answer, AskError> {
    let body =
        serde_json::to_vec(query).map_err(|error| AskError::Unreadable(error.to_string()))?;
    let answer = bus.request(&Service::Query, Bytes::from(body), QUERY_WAIT).await?;
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|error| AskError::Unreadable(error.to_string()))?;
    match answer.content {
        Content::Failed(reason) => Err(AskError::Failed(reason)),
        Content::Head(_)
        | Content::Events(_)
        | Content::Leaves(_)
        | Content::Streams(_)
        | Content::Runs(_)
        | Content::Night(_)
        | Content::Heads(_)
        | Content::Consistency(_)
        | Content::Proof(_) => Ok(answer),
    }
}

/// Runs by each of these filters, newest first, all asked for at once.
///
/// # Errors
/// See [`AskError`].
pub async fn runs_each(
    bus: &Bus,
    filters: impl IntoIterator<Item = RunFilter>,
) -> Result<Vec<Vec<RunRow>>, AskError> {
    let begin = |filter: RunFilter| {
        let bus = bus.clone();
        tokio::spawn(async move { ask(&bus, &Query::Runs(filter)).await })
    };
    let mut found = Vec::new();
    for asked in filters.into_iter().map(begin).collect::<Vec<_>>() {
        let answer = asked.await.map_err(|error| AskError::Failed(error.to_string()))??;
        let Content::Runs(rows) = answer.content else { return Err(AskError::other()) };
        found.push(rows);
    }
    Ok(found)
}

/// Hands every stream of a selection to `take`, page by page. Gives the position at which the first page was
/// read: what is not seen here comes after it.
///
/// # Errors
/// See [`AskError`].
pub async fn each_stream(
    bus: &Bus,
    of: Selection,
    mut take: impl FnMut(StreamView),
) -> Result<u64, AskError> {
    let (mut position, mut after) = (None, String::new());
    loop {
        let query = Query::Streams { of, after: after.clone(), limit: STREAMS };
        let answer = ask(bus, &query).await?;
        let first = *position.get_or_insert(answer.position);
        let Content::Streams(streams) = answer.content else {
            return Err(AskError::Unreadable("no streams".to_owned()));
        };
        let Some(last) = streams.last() else { return Ok(first) };
        after = last.id.to_string();
        streams.into_iter().for_each(&mut take);
    }
}

/// Hands every event that fits to `take`, newest first, page by page of the filter's limit; but none that is void. Only no
/// event means that there are no more: an answer is cut where it would be too long.
///
/// # Errors
/// See [`AskError`]; or what `take` says.
pub async fn each_event(
    bus: &Bus,
    mut filter: EventFilter,
    mut take: impl FnMut(LogEntry) -> Result<(), AskError>,
) -> Result<(), AskError> {
    loop {
        let Content::Events(entries) = ask(bus, &Query::Search(filter.clone())).await?.content
        else {
            return Err(AskError::Unreadable("no events".to_owned()));
        };
        let Some(last) = entries.last() else { return Ok(()) };
        filter.before = Some(last.position);
        entries.into_iter().filter(|entry| entry.void.is_none()).try_for_each(&mut take)?;
    }
}

/// Asks for all that an inquiry lacks.
///
/// # Errors
/// See [`AskError`].
pub async fn inquire(bus: &Bus, inquiry: &mut (impl Inquiry + Send)) -> Result<(), AskError> {
    loop {
        let asks = inquiry.asks();
        if asks.is_empty() {
            return Ok(());
        }
        let mut answers = Vec::with_capacity(asks.len());
        for query in &asks {
            answers.push(ask(bus, query).await?);
        }
        inquiry.take(answers).map_err(AskError::Unreadable)?;
    }
}

/// State of one stream; `None` where it has no event.
///
/// # Errors
/// See [`AskError`].
pub async fn stream(bus: &Bus, id: &StreamId) -> Result<Option<StreamState>, AskError> {
    match ask(bus, &Query::Stream { id: id.clone() }).await?.content {
        Content::Streams(streams) => Ok(streams.into_iter().next().map(|view| view.state)),
        Content::Head(_)
        | Content::Events(_)
        | Content::Leaves(_)
        | Content::Runs(_)
        | Content::Night(_)
        | Content::Heads(_)
        | Content::Consistency(_)
        | Content::Proof(_)
        | Content::Failed(_) => Err(AskError::Unreadable("no stream".to_owned())),
    }
}

/// Version of a stream; 0 where it has no event.
///
/// # Errors
/// See [`AskError`].
pub async fn version(bus: &Bus, id: &StreamId) -> Result<u64, AskError> {
    Ok(stream(bus, id).await?.map_or(0, |state| state.version))
}

/// Reads the log from a position on, in order and without a gap. A message only wakes it; what it
/// missed it asks for.
#[derive(Debug)]
pub struct Follower {
    bus: Bus,
    feed: Subscription,
    position: u64,
    looked: Instant,
}

impl Follower {
    /// Follows from after `position` on.
    ///
    /// # Errors
    /// The feed cannot be subscribed to.
    pub async fn after(bus: &Bus, position: u64) -> Result<Self, BusError> {
        let feed = bus.subscribe(&Topic::Feed).await?;
        // Long ago: the first look happens at once.
        let looked = Instant::now().checked_sub(LOOK_EVERY).unwrap_or_else(Instant::now);
        Ok(Self { bus: bus.clone(), feed, position, looked })
    }

    /// Position of the last entry given out.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits for entries. May be cancelled without loss. Comes back empty-handed from time to time, so
    /// that the caller sees whether the recorder can be reached: then `Ok` and empty means that there is
    /// nothing new.
    ///
    /// # Errors
    /// The recorder cannot be asked; call again.
    pub async fn next(&mut self) -> Result<Vec<LogEntry>, AskError> {
        let due = self.looked + LOOK_EVERY;
        tokio::select! {
            delivery = self.feed.next() => match delivery {
                Some(Delivery::Message(body)) => self.told(&body).await,
                Some(Delivery::Lagged(_)) => self.look().await,
                None => std::future::pending().await,
            },
            () = tokio::time::sleep_until(due) => self.look().await,
        }
    }

    async fn told(&mut self, body: &[u8]) -> Result<Vec<LogEntry>, AskError> {
        let Ok(feed) = serde_json::from_slice::<Feed>(body) else { return self.look().await };
        let mut fresh: VecDeque<LogEntry> =
            feed.events.into_iter().filter(|entry| entry.position > self.position).collect();
        match fresh.front() {
            None => Ok(Vec::new()),
            Some(first) if first.position == self.position + 1 => {
                self.position = fresh.back().map_or(self.position, |last| last.position);
                Ok(fresh.drain(..).collect())
            }
            Some(_) => self.look().await,
        }
    }

    async fn look(&mut self) -> Result<Vec<LogEntry>, AskError> {
        self.looked = Instant::now();
        let query = Query::Events { after: self.position, limit: EVENTS, stream: None };
        let answer = ask(&self.bus, &query).await?;
        let Content::Events(entries) = answer.content else {
            return Err(AskError::Unreadable("no events".to_owned()));
        };
        if let Some(last) = entries.last() {
            self.position = last.position;
            // There may be more: look again at once.
            self.looked = self.looked.checked_sub(LOOK_EVERY).unwrap_or(self.looked);
        }
        Ok(entries)
    }
}

/// A follower at work: entries come through a channel, so that whoever waits for many things at once
/// never interrupts a look at the log. Ends when it is dropped.
#[derive(Debug)]
pub struct Following {
    entries: mpsc::Receiver<Result<Vec<LogEntry>, AskError>>,
    _task: Tracked,
}

/// Answers that may wait for the reader.
const READ_AHEAD: usize = 16;
/// How long a follower rests after a failure.
const REST: Duration = Duration::from_millis(500);

impl Follower {
    /// Goes to work.
    pub fn start(mut self) -> Following {
        let (sender, entries) = mpsc::channel(READ_AHEAD);
        let task = Tracked::spawn(async move {
            loop {
                let next = self.next().await;
                let failed = next.is_err();
                if sender.send(next).await.is_err() {
                    return;
                }
                if failed {
                    tokio::time::sleep(REST).await;
                }
            }
        });
        Following { entries, _task: task }
    }
}

impl Following {
    /// The next entries, in order and without a gap; an empty list says that there is nothing new. May
    /// be cancelled without loss.
    ///
    /// # Errors
    /// The recorder cannot be asked; it goes on trying.
    pub async fn next(&mut self) -> Result<Vec<LogEntry>, AskError> {
        match self.entries.recv().await {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }
}
