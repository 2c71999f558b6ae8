//! What Prometheus is told (OpenMetrics). Timestamps are gauges in seconds; no run is ever a label.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Mutex, PoisonError};

use bus::recorder::Follower;
use bus::{Delivery, Topic};
use domain::envelope::Envelope;
use domain::event::{Event, RunEvent};
use domain::ids::StreamId;
use domain::wire::{Heartbeat, LogEntry};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::pulse::Beat;
use crate::state::Console;

type Label = [(&'static str, String); 1];
type Seconds = Gauge<f64, AtomicU64>;

/// Counters and gauges, and the registry that prints them.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    events: Family<Label, Counter>,
    outcomes: Family<Label, Counter>,
    last_success: Family<Label, Seconds>,
    last_seen: Family<Label, Seconds>,
    position: Gauge<i64, AtomicI64>,
    newest: Seconds,
    answered: Seconds,
    up: Gauge<i64, AtomicI64>,
    writes: Gauge<i64, AtomicI64>,
    lag: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // Due to start: from a hundredth of a second to ten minutes.
        let buckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0];
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("decklog")),
            events: Family::default(),
            outcomes: Family::default(),
            last_success: Family::default(),
            last_seen: Family::default(),
            position: Gauge::default(),
            newest: Seconds::default(),
            answered: Seconds::default(),
            up: Gauge::default(),
            writes: Gauge::default(),
            lag: Histogram::new(buckets),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let build = Family::<Label, Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        registry.register("build_info", "Version of the program", build);
        registry.register(
            "log_position",
            "Position of the newest event seen",
            self.position.clone(),
        );
        let help = "Whether the recorder answered the last time that it was asked";
        registry.register("recorder_up", help, self.up.clone());
        let help =
            "Whether the recorder answered, and could write to the log the last time that it tried";
        registry.register("recorder_writes", help, self.writes.clone());
        let help = "When the recorder answered last";
        let answered = self.answered.clone();
        registry.register_with_unit("recorder_answered_timestamp", help, Unit::Seconds, answered);
        let help = "When the newest event was received: an idle log has one every five minutes";
        let newest = self.newest.clone();
        registry.register_with_unit("log_newest_event_timestamp", help, Unit::Seconds, newest);
        registry.register("events", "Events seen since the start, by kind", self.events.clone());
        registry.register(
            "runs",
            "Runs that ended since the start, by outcome",
            self.outcomes.clone(),
        );
        let success = self.last_success.clone();
        let help = "When a run of the job last succeeded";
        registry.register_with_unit("job_last_success_timestamp", help, Unit::Seconds, success);
        let seen = self.last_seen.clone();
        let help = "When the host's executor was last heard";
        registry.register_with_unit("executor_last_seen_timestamp", help, Unit::Seconds, seen);
        let help = "From the instant a run was due to its start";
        registry.register_with_unit("run_lag", help, Unit::Seconds, self.lag.clone());
    }

    /// The page.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    /// What was learnt of the recorder.
    pub(crate) fn beat(&self, beat: &Beat) {
        let seconds = |at: jiff::Timestamp| at.as_millisecond() as f64 / 1_000.0;
        self.up.set(i64::from(beat.is_up()));
        self.writes.set(i64::from(beat.is_up() && beat.stuck.is_none()));
        self.answered.set(seconds(beat.answered));
        if let Some(newest) = beat.newest {
            self.newest.set(seconds(newest));
        }
    }

    fn take(&self, entry: &LogEntry) {
        self.position.set(i64::try_from(entry.position).unwrap_or(i64::MAX));
        let Ok(envelope) = entry.envelope() else { return };
        self.events.get_or_create(&[("type", envelope.kind.clone())]).inc();
        if entry.void.is_some() {
            return;
        }
        if let Ok(Event::RunEvent(event)) = envelope.event() {
            self.take_run(&envelope, &event, entry);
        }
    }

    fn take_run(&self, envelope: &Envelope, event: &RunEvent, entry: &LogEntry) {
        let outcome = match event {
            RunEvent::RunSucceeded(_) => "succeeded",
            RunEvent::RunFailed(_) => "failed",
            RunEvent::RunTimedOut(_) => "timed-out",
            RunEvent::RunCancelled(_) => "cancelled",
            RunEvent::RunSkipped(_) => "skipped",
            RunEvent::RunMissed(_) => "missed",
            RunEvent::RunLost(_) => "lost",
            RunEvent::RunStarted(_) => {
                if let Some(seconds) = lag(&envelope.subject, entry.received) {
                    self.lag.observe(seconds);
                }
                return;
            }
            RunEvent::RunRequested(_)
            | RunEvent::RunDue(_)
            | RunEvent::RunReleased(_)
            | RunEvent::RunHeld(_)
            | RunEvent::RunDelayed(_)
            | RunEvent::RunConfirmed(_)
            | RunEvent::RunCleared(_)
            | RunEvent::RunBlocked(_)
            | RunEvent::RunOverridden(_)
            | RunEvent::RunNeedsUnmet(_)
            | RunEvent::RunLate(_)
            | RunEvent::RunGathered(_)
            | RunEvent::RunDivided(_)
            | RunEvent::RunCancelRequested(_)
            | RunEvent::RunRetryScheduled(_)
            | RunEvent::RunResolved(_)
            | RunEvent::RunReported(_) => return,
        };
        self.outcomes.get_or_create(&[("outcome", outcome.to_owned())]).inc();
        if let (RunEvent::RunSucceeded(_), Some(job)) = (event, envelope.subject.run_job()) {
            let at = entry.received.as_millisecond() as f64 / 1_000.0;
            self.last_success.get_or_create(&[("job", job.to_owned())]).set(at);
        }
    }

    fn hear(&self, host: &str, now: jiff::Timestamp) {
        let at = now.as_millisecond() as f64 / 1_000.0;
        self.last_seen.get_or_create(&[("host", host.to_owned())]).set(at);
    }
}

/// Seconds from an occurrence to its start. The occurrence is read off the run's name, which is its nominal
/// instant; a requested run has none, whatever its request is called.
fn lag(run: &StreamId, started: jiff::Timestamp) -> Option<f64> {
    let due: jiff::Timestamp = run.as_str().split_once('@')?.1.parse().ok()?;
    Some((started.as_millisecond() - due.as_millisecond()).max(0) as f64 / 1_000.0)
}

/// Counts what the feed and the heartbeats say, and remembers what each host said last, until it is dropped.
pub(crate) async fn watch(console: Console, position: u64) -> anyhow::Result<()> {
    let mut following = Follower::after(&console.bus, position).await?.start();
    let mut heartbeats = console.bus.subscribe(&Topic::Heartbeats).await?;
    loop {
        tokio::select! {
            entries = following.next() => {
                for entry in entries.unwrap_or_default() {
                    console.metrics.take(&entry);
                    // Where it cannot be read now, whoever asks next looks again.
                    if let Err(error) = console.people.hear(&console.bus, &entry).await {
                        tracing::warn!(%error, "an account could not be read");
                    }
                    console.news.send_replace(entry.position);
                }
            }
            heard = heartbeats.next() => match heard {
                Some(Delivery::Message(body)) => hear(&console, &body),
                Some(Delivery::Lagged(_)) => {}
                None => return Ok(()),
            },
        }
    }
}

fn hear(console: &Console, body: &[u8]) {
    let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(body) else { return };
    let now = (console.clock)();
    if let Heartbeat::Executor { host, .. } = &heartbeat {
        console.metrics.hear(host, now);
    }
    console.heard.take(heartbeat, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_the_occurrence_a_run_is_named_after() {
        let started = "2026-11-20T07:30:02.5Z".parse().unwrap();
        for (label, seconds) in [
            ("2026-11-20T08:30+01:00", Some(2.5)),
            ("2026-11-20T07:30:01+00:00", Some(1.5)),
            ("2026-11-20T07:31+00:00", Some(0.0)),
            ("request-5f", None),
            ("request-a:b:c", None),
        ] {
            assert_eq!(lag(&StreamId::run("pay", label), started), seconds, "{label}");
        }
    }
}
