//! `decklog forward`: every event and every signed head to security monitoring, in their order.
//!
//! A batch is remembered once it was handed over. Syslog has no receipts, so after a broken connection the batch is sent again:
//! each event has its `metadata.uid`, by which a collector knows what it has already.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use delivery::DeliveryError;
use delivery::syslog::{self, Collector, Message, Syslog};
use domain::ocsf::{self, Severity, Told};
use domain::wire::{Content, Query};
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

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Position of the last event.
    position: u64,
    /// Size of the last signed head.
    head: u64,
}

pub(crate) fn run(wanted: &Forward) -> anyhow::Result<()> {
    roles::log_to_stderr("info");
    let mut way = Way::of(wanted)?;
    let source = Source::open(&wanted.place)?;
    let mut state = recall(&wanted.state, wanted.after)?;
    loop {
        let (batch, next) = gather(&source, state)?;
        if next == state {
            if wanted.once {
                return way.close().map_err(exit::unreachable);
            }
            std::thread::sleep(LOOK);
            continue;
        }
        hand_over(&mut way, &batch, wanted.once)?;
        remember(&wanted.state, next)?;
        state = next;
    }
}

/// What comes next, and how far that is.
fn gather(source: &Source, state: State) -> anyhow::Result<(Vec<Told>, State)> {
    let Content::Head(view) = source.ask(&Query::Head)?.content else {
        anyhow::bail!("the answer is to another question");
    };
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

/// Hands a batch over, as long as that takes; once, where somebody waits for the end.
fn hand_over(way: &mut Way, batch: &[Told], once: bool) -> anyhow::Result<()> {
    let mut wait = RETRY.0;
    loop {
        match way.send(batch) {
            Ok(()) => return Ok(()),
            Err(error @ DeliveryError::BadSettings { .. }) => return Err(exit::usage(error)),
            Err(error) if once => return Err(exit::unreachable(error)),
            Err(error) => {
                warn!(%error, wait = wait.as_secs(), "trying again");
                std::thread::sleep(wait);
                wait = (wait * 2).min(RETRY.1);
            }
        }
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
        writeln!(out, "{}", told.body)?;
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

fn recall(path: &Path, after: u64) -> anyhow::Result<State> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|error| exit::usage(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(State { position: after, head: 0 })
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn remember(path: &Path, state: State) -> anyhow::Result<()> {
    let text = serde_json::to_string(&state)?;
    journal::replace(path, text.as_bytes(), 0o644)
        .with_context(|| format!("remembering how far it came in {}", path.display()))
}
