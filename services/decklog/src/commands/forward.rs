//! `decklog forward`: every event and every signed head to security monitoring, in their order.
//!
//! Syslog has no receipts: what was sent counts once its connection has stood for some seconds more, or was ended in order.
//! Otherwise it is sent again, and each event has its `metadata.uid`, by which a collector knows what it has already.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use delivery::DeliveryError;
use delivery::syslog::{self, Collector, Message, Syslog};
use domain::ocsf::{self, Severity, Told};
use domain::wire::{Content, HeadView, Query};
use serde::{Deserialize, Serialize};
use tlog::{Checkpoint, Note};
use tracing::warn;

use crate::cli::Forward;
use crate::source::Source;
use crate::{exit, host, roles};

/// Events in a batch.
const BATCH: u32 = 500;
/// How often it is looked for more.
const LOOK: Duration = Duration::from_secs(2);
/// First and longest wait for a collector that cannot be reached.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long a connection has to stand after something was sent by it.
const SURE: Duration = Duration::from_secs(10);

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Position of the last event.
    position: u64,
    /// Size of the last signed head.
    head: u64,
}

/// The same in a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Name of the log.
    log: String,
    position: u64,
    head: u64,
}

pub(crate) fn run(wanted: &Forward) -> anyhow::Result<()> {
    roles::log_to_stderr("info");
    let way = Way::of(wanted)?;
    let source = Source::open(&wanted.place)?;
    let log = head(&source)?;
    let kept = recall(wanted, &log)?;
    let (file, once) = (wanted.state.as_path(), wanted.once);
    let forwarder = Forwarder {
        source,
        log: log.origin,
        file,
        once,
        way,
        kept,
        sent: kept,
        unsure: VecDeque::new(),
    };
    // Before anything is sent: what cannot be remembered would be sent for ever.
    forwarder.remember()?;
    forwarder.work()
}

fn head(source: &Source) -> anyhow::Result<HeadView> {
    let Content::Head(view) = source.ask(&Query::Head)?.content else {
        anyhow::bail!("the answer is to another question");
    };
    Ok(view)
}

/// Where to go on.
fn recall(wanted: &Forward, log: &HeadView) -> anyhow::Result<State> {
    let path = &wanted.state;
    let kept: Kept = match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|error| exit::usage(format!("{}: {error}", path.display())))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if wanted.after > log.size {
                let text = format!("--after {}: the log has {} events", wanted.after, log.size);
                return Err(exit::usage(text));
            }
            Kept { log: log.origin.clone(), position: wanted.after, head: 0 }
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    if kept.log != log.origin {
        let text = format!(
            "{} says how far the log {} was forwarded, and this is {}: give each log a file of its own",
            path.display(),
            kept.log,
            log.origin
        );
        return Err(exit::usage(text));
    }
    Ok(State { position: kept.position, head: kept.head })
}

/// What comes after this, and how far that is.
fn gather(source: &Source, state: State) -> anyhow::Result<(Vec<Told>, State)> {
    let view = head(source)?;
    if view.size < state.position {
        return Err(exit::unclean(format!(
            "THE LOG {} HAS {} EVENTS, and {} of it were forwarded: it was cut, or brought back from a backup",
            view.origin, view.size, state.position
        )));
    }
    let entries = source.events(state.position, BATCH, None)?;
    let mut batch = Vec::with_capacity(entries.len() + 1);
    for entry in &entries {
        let told = ocsf::event(entry, &view.origin);
        batch.push(told.with_context(|| format!("the event at position {}", entry.position))?);
    }
    let mut next = state;
    next.position = entries.last().map_or(state.position, |entry| entry.position);
    if let Some(note) = &view.signed {
        let size = Checkpoint::parse(Note::parse(note.as_bytes())?.text())?.size();
        // After the events that it is over.
        if size > state.head && size <= next.position {
            batch.push(ocsf::head(note, size, &view.origin, host::now()));
            next.head = size;
        }
    }
    Ok((batch, next))
}

/// At work.
struct Forwarder<'a> {
    source: Source,
    log: String,
    file: &'a Path,
    once: bool,
    way: Way,
    /// How far it is certain.
    kept: State,
    /// How far it was sent.
    sent: State,
    /// What was sent when, and is not certain yet.
    unsure: VecDeque<(Instant, State)>,
}

impl Forwarder<'_> {
    fn work(mut self) -> anyhow::Result<()> {
        let mut wait = RETRY.0;
        loop {
            match self.step()? {
                Ok(true) if self.once => return self.end(),
                Ok(true) => std::thread::sleep(LOOK),
                Ok(false) => wait = RETRY.0,
                Err(error @ DeliveryError::BadSettings { .. }) => return Err(exit::usage(error)),
                Err(error) if self.once => return Err(exit::unreachable(error)),
                Err(error) => {
                    warn!(%error, wait = wait.as_secs(), again = self.kept.position + 1, "trying again");
                    (self.sent, self.way) = (self.kept, self.way.anew());
                    self.unsure.clear();
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }

    /// Sends what comes next; whether there was nothing.
    fn step(&mut self) -> anyhow::Result<Result<bool, DeliveryError>> {
        if let Err(error) = self.way.check() {
            return Ok(Err(error));
        }
        let sure = if self.way.tells() { Duration::ZERO } else { SURE };
        self.settle(|since| since.elapsed() >= sure)?;
        let (batch, next) = gather(&self.source, self.sent)?;
        if next == self.sent {
            return Ok(Ok(true));
        }
        if let Err(error) = self.way.send(&batch) {
            return Ok(Err(error));
        }
        self.sent = next;
        self.unsure.push_back((Instant::now(), next));
        Ok(Ok(false))
    }

    /// What was sent so long ago is certain.
    fn settle(&mut self, is_sure: impl Fn(Instant) -> bool) -> anyhow::Result<()> {
        let before = self.kept;
        while let Some((_, state)) = self.unsure.pop_front_if(|(since, _)| is_sure(*since)) {
            self.kept = state;
        }
        if self.kept == before { Ok(()) } else { self.remember() }
    }

    fn end(mut self) -> anyhow::Result<()> {
        std::mem::replace(&mut self.way, Way::Lines).close().map_err(exit::unreachable)?;
        self.settle(|_| true)
    }

    fn remember(&self) -> anyhow::Result<()> {
        let State { position, head } = self.kept;
        let text = serde_json::to_string(&Kept { log: self.log.clone(), position, head })?;
        journal::replace(self.file, text.as_bytes(), 0o644)
            .with_context(|| format!("remembering how far it came in {}", self.file.display()))
    }
}

/// How it is handed over.
enum Way {
    Lines,
    Syslog(Collector, Option<Box<Syslog>>),
}

impl Way {
    fn of(wanted: &Forward) -> anyhow::Result<Self> {
        if wanted.to == "-" {
            return Ok(Self::Lines);
        }
        let place = wanted.to.strip_prefix("syslog+tls://").ok_or_else(|| {
            exit::usage(format!("--to {}: syslog+tls://HOST[:PORT], or -", wanted.to))
        })?;
        let mut collector: Collector =
            place.parse().map_err(|why| exit::usage(format!("--to {}: {why}", wanted.to)))?;
        collector.ca_file.clone_from(&wanted.ca);
        Ok(Self::Syslog(collector, None))
    }

    fn send(&mut self, batch: &[Told]) -> Result<(), DeliveryError> {
        match self {
            Self::Lines => print(batch).map_err(|error| gone(&error)),
            Self::Syslog(collector, open) => {
                let mut connection = match open.take() {
                    Some(connection) => connection,
                    None => Box::new(Syslog::connect(collector)?),
                };
                send(&mut connection, batch)?;
                *open = Some(connection);
                Ok(())
            }
        }
    }

    /// Whether the other side is there, where there is a connection.
    fn check(&mut self) -> Result<(), DeliveryError> {
        match self {
            Self::Lines | Self::Syslog(_, None) => Ok(()),
            Self::Syslog(_, Some(connection)) => connection.check(),
        }
    }

    /// Whether what was handed over is certain at once.
    fn tells(&self) -> bool {
        matches!(self, Self::Lines)
    }

    /// The same without its connection.
    fn anew(&self) -> Self {
        match self {
            Self::Lines => Self::Lines,
            Self::Syslog(collector, _) => Self::Syslog(collector.clone(), None),
        }
    }

    fn close(self) -> Result<(), DeliveryError> {
        match self {
            Self::Lines | Self::Syslog(_, None) => Ok(()),
            Self::Syslog(_, Some(connection)) => connection.close(),
        }
    }
}

fn gone(error: &io::Error) -> DeliveryError {
    DeliveryError::BadSettings { what: "standard output", why: error.to_string() }
}

fn print(batch: &[Told]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for told in batch {
        // At once: whoever reads gets whole lines, also where this program is ended.
        out.write_all(format!("{}\n", told.body).as_bytes())?;
    }
    out.flush()
}

fn send(connection: &mut Syslog, batch: &[Told]) -> Result<(), DeliveryError> {
    let texts: Vec<(String, String)> =
        batch.iter().map(|told| (told.time.to_string(), told.body.to_string())).collect();
    let messages = batch.iter().zip(&texts).map(|(told, (time, text))| Message {
        severity: severity(told.severity),
        time,
        host: &told.source,
        kind: &told.kind,
        text,
    });
    connection.send(messages)
}

fn severity(of: Severity) -> syslog::Severity {
    match of {
        Severity::Informational => syslog::Severity::Informational,
        Severity::Low => syslog::Severity::Notice,
        Severity::Medium => syslog::Severity::Warning,
        Severity::High => syslog::Severity::Error,
        Severity::Critical => syslog::Severity::Critical,
    }
}
