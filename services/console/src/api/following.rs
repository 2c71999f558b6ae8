//! The log as it grows: server-sent events, each with its position, for programs that follow it.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use bus::recorder::ask;
use bytes::Bytes;
use domain::ids::StreamId;
use domain::wire::{Content, LogEntry, Query};
use hyper::body::Frame;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::{Result, Valid};
use crate::people::Caller;
use crate::places::{Full, Place};
use crate::problem::Problem;
use crate::state::Console;

/// Most events that are read at once for a stream.
const AT_ONCE: u32 = 100;
/// Events that may wait for somebody who reads slowly: so many, and those that were read with them, are all that is held.
const WAITING: usize = 16;
/// How long a stream is silent at most, and how long its account goes unlooked at.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long somebody may take nothing of what waits for them.
const STALLED: Duration = Duration::from_secs(60);
/// How long a stream lasts. Who comes back with the last position misses nothing, and is asked again who they are.
const LONGEST: Duration = Duration::from_secs(3600);

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only positions after this one; from the beginning when absent. `Last-Event-ID` goes before it.
    #[serde(default)]
    after: u64,
    /// Only of this stream, such as `job/backup`.
    #[serde(default)]
    stream: Option<String>,
}

/// The header of somebody who comes back.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `last_of`; this describes it")]
pub(super) struct LastEventId {
    /// The position of the last event that came: it goes on behind that.
    #[param(rename = "Last-Event-ID")]
    last_event_id: Option<u64>,
}

/// Gives events as they are committed, as server-sent events: `id` is the position, `data` the event as `GET /api/v1/events`
/// has it. Every 15 seconds a comment says that it goes on. It ends after an hour, when the console stops, when the
/// account may not look any more, and when nobody takes what is sent; `Last-Event-ID` goes on where it ended.
#[utoipa::path(get, path = "/api/v1/events/stream", params(Wanted, LastEventId), responses((status = 200, content_type = "text/event-stream", body = String), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn follow(
    caller: Caller,
    State(console): State<Console>,
    head: HeaderMap,
    Valid(wanted): Valid<Wanted>,
) -> Result<impl IntoResponse> {
    let stream = wanted.stream.map(|text| text.parse()).transpose();
    let stream: Option<StreamId> = stream.map_err(Problem::bad_request)?;
    let after = last_of(&head)?.unwrap_or(wanted.after).min(i64::MAX as u64);
    let place = console.places.take(&caller.user.name).map_err(|full| match full {
        Full::Account => Problem::too_many_streams(full),
        Full::Console => Problem::unavailable(full),
    })?;
    let (lines, taken) = mpsc::channel(WAITING);
    let telling = Telling { console, caller, after, stream, lines, _place: place };
    tokio::spawn(telling.until_the_end());
    let head = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        // Proxies that gather what they pass on are told not to.
        ("x-accel-buffering", "no"),
    ];
    Ok((head, Body::new(Lines(taken))))
}

/// Where somebody was who comes back. A browser that has had nothing sends nothing.
fn last_of(head: &HeaderMap) -> Result<Option<u64>> {
    let Some(last) = head.get("last-event-id").filter(|last| !last.is_empty()) else {
        return Ok(None);
    };
    let position = last.to_str().ok().and_then(|last| last.parse().ok());
    let wrong = || Problem::bad_request("Last-Event-ID: the position of an event");
    position.map(Some).ok_or_else(wrong)
}

/// One stream.
#[derive(Debug)]
struct Telling {
    console: Console,
    caller: Caller,
    after: u64,
    stream: Option<StreamId>,
    lines: mpsc::Sender<Bytes>,
    _place: Place,
}

/// It has ended.
struct Over;

/// Whether it goes on.
type Told = std::result::Result<(), Over>;

impl Telling {
    async fn until_the_end(mut self) {
        let (lines, mut stop) = (self.lines.clone(), self.console.stop.clone());
        tokio::select! {
            () = lines.closed() => {}
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(LONGEST) => {}
            Over = self.tell() => {}
        }
    }

    async fn tell(&mut self) -> Over {
        let mut news = self.console.news.subscribe();
        loop {
            if let Err(over) = self.comment().await {
                return over;
            }
            let silent = Instant::now() + HEARTBEAT;
            if let Err(over) = self.until(silent, &mut news).await {
                return over;
            }
        }
    }

    /// Tells what comes until then.
    async fn until(&mut self, then: Instant, news: &mut watch::Receiver<u64>) -> Told {
        loop {
            // What comes from here on wakes us, if we do not read it now.
            news.borrow_and_update();
            self.more().await?;
            tokio::select! {
                changed = news.changed() => changed.map_err(|_| Over)?,
                () = sleep_until(then) => return Ok(()),
            }
            if Instant::now() >= then {
                return Ok(());
            }
        }
    }

    /// Tells what there is.
    async fn more(&mut self) -> Told {
        loop {
            if !self.caller.goes_on(&self.console) {
                return Err(Over);
            }
            let query =
                Query::Events { after: self.after, limit: AT_ONCE, stream: self.stream.clone() };
            // Where the recorder cannot be asked it is asked again later.
            let Ok(answer) = ask(&self.console.bus, &query).await else { return Ok(()) };
            let Content::Events(entries) = answer.content else { return Ok(()) };
            // An answer is cut where it would be too long: only none means that there are no more.
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                self.send(line(&entry)).await?;
                self.after = entry.position;
            }
            if self.after >= answer.position {
                return Ok(());
            }
        }
    }

    async fn comment(&self) -> Told {
        self.send(": decklog\n\n".to_owned()).await
    }

    async fn send(&self, text: String) -> Told {
        self.lines.send_timeout(text.into(), STALLED).await.map_err(|_| Over)
    }
}

/// An event as it is sent.
fn line(entry: &LogEntry) -> String {
    let mut text = format!("id: {}\n", entry.position);
    let json = serde_json::to_string(entry).unwrap_or_default();
    // An envelope is one line as we write it; others may have signed theirs with line breaks.
    for line in json.split(['\n', '\r']) {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
    text
}

/// What is sent, as the body of an answer.
struct Lines(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_with_its_position_and_each_of_its_lines() {
        let event = serde_json::value::RawValue::from_string("{\"a\":\n1}".to_owned()).unwrap();
        let received = jiff::Timestamp::UNIX_EPOCH;
        let text = line(&LogEntry { position: 7, received, void: None, event });
        let wanted = "id: 7\ndata: {\"position\":7,\"received\":\"1970-01-01T00:00:00Z\",\"event\":{\"a\":\n\
            data: 1}}\n\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn who_comes_back_says_a_position_or_nothing() {
        let head = |last: &str| {
            [(header::HeaderName::from_static("last-event-id"), last.parse().unwrap())]
        };
        let last = |text: &str| last_of(&head(text).into_iter().collect());
        assert_eq!((last("12").unwrap(), last("").unwrap()), (Some(12), None));
        assert_eq!(last_of(&HeaderMap::new()).unwrap(), None);
        assert!(last("-1").is_err() && last("abc").is_err());
    }
}
