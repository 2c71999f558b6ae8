//! Witnesses outside: the newest head is shown to each, with the proof that it continues the one that the witness cosigned last,
//! and what they say is kept beside the head.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use delivery::https::agent_for;
use eventlog::EventLog;
use tlog::{Checkpoint, Cosigned, Note, NoteSignature, Place, Policy, Submission, WitnessKey};
use tokio::sync::watch;
use tracing::{info, warn};
use ureq::Agent;

use crate::Surroundings;

/// How long a witness may take to answer.
const WAIT: Duration = Duration::from_secs(20);
/// How often it is looked for the first head.
const FIRST: Duration = Duration::from_secs(1);
/// The longest answer, in bytes.
const ANSWER_BYTES: u64 = 64 * 1024;
/// How often a witness is told again from where: once for a size that it says, and once more where it has moved meanwhile.
const TRIES: usize = 3;

/// A witness that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    name: String,
    key: WitnessKey,
    url: String,
    /// Size of the head it cosigned last, as far as is known here.
    old: u64,
}

/// The witnesses that a policy names with their addresses.
///
/// # Errors
/// The file is no policy, or names no witness with an address.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Witness>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the witnesses in {}", path.display()))?;
    let policy = Policy::parse(&text).with_context(|| path.display().to_string())?;
    let one = |(name, place): (&str, &Place<WitnessKey>)| {
        let (name, key) = (name.to_owned(), place.key.clone());
        place.url.clone().map(|url| Witness { name, key, url, old: 0 })
    };
    let found: Vec<Witness> = policy.witnesses().filter_map(one).collect();
    if found.is_empty() {
        bail!("{} names no witness with its address: witness NAME KEY URL", path.display());
    }
    Ok(found)
}

/// Everything that is wrong with a file of witnesses.
pub(crate) fn problem(path: &Path) -> Option<String> {
    read(path).err().map(|error| format!("audit.witnesses: {error:#}"))
}

/// Shows every witness the newest head, again and again, until it is told to stop.
pub(crate) async fn ask_all(
    mut witnesses: Vec<Witness>,
    every: Duration,
    log: EventLog,
    around: Surroundings,
) {
    let mut stop = around.stop.clone();
    let mut wait = FIRST;
    while !stopped(&mut stop, wait).await {
        match round(&mut witnesses, &log, &around).await {
            Ok(true) => wait = every,
            // There is no head yet.
            Ok(false) => {}
            Err(error) => warn!(error = format!("{error:#}"), "witnesses were not asked"),
        }
    }
}

/// Waits so long; whether it is to stop instead.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await.is_ok()
}

/// Asks each witness that has not cosigned the newest head, if there is one; keeps the head with what they said.
async fn round(
    witnesses: &mut [Witness],
    log: &EventLog,
    around: &Surroundings,
) -> anyhow::Result<bool> {
    let Some(text) = log.checkpoints(1).await?.into_iter().next() else { return Ok(false) };
    let mut note = Note::parse(text.as_bytes())?;
    let head = Checkpoint::parse(note.text())?;
    let before = note.signatures().len();
    for witness in witnesses {
        if matches!(witness.key.cosigned(&note), Cosigned::At(_)) {
            continue;
        }
        match witness.ask(log, &note, &head).await {
            Ok(line) => {
                witness.old = head.size();
                note = note.with(line)?;
                info!(witness = witness.name, size = head.size(), "cosigned");
            }
            Err(error) => {
                warn!(witness = witness.name, error = format!("{error:#}"), "not cosigned");
            }
        }
    }
    if note.signatures().len() > before {
        log.put_checkpoint(head.size(), &note.to_string(), (around.clock)()).await?;
    }
    Ok(true)
}

/// What a witness answered.
enum Answer {
    Line(String),
    /// It cosigned another head last, of this size.
    From(u64),
}

impl Witness {
    /// What it says of a head.
    async fn ask(
        &mut self,
        log: &EventLog,
        note: &Note,
        head: &Checkpoint,
    ) -> anyhow::Result<NoteSignature> {
        for _ in 0..TRIES {
            if self.old > head.size() {
                bail!(
                    "it has cosigned a head of size {}, and this log has {}: THE LOG WAS CUT, or restored from a backup",
                    self.old,
                    head.size()
                );
            }
            let proof = log.consistency(self.old, head.size()).await?;
            let submission = Submission { old: self.old, proof, note: note.clone() };
            match self.send(submission.to_string()).await? {
                Answer::Line(lines) => return self.own(&lines, note),
                Answer::From(size) => self.old = size,
            }
        }
        bail!("it says that it cosigned another head of size {} last", self.old)
    }

    /// The line that is by its key; others are left where they are.
    fn own(&self, lines: &str, note: &Note) -> anyhow::Result<NoteSignature> {
        for line in lines.lines().filter_map(NoteSignature::parse) {
            let alone = note.clone().with(line.clone())?;
            if matches!(self.key.cosigned(&alone), Cosigned::At(_)) {
                return Ok(line);
            }
        }
        bail!("what it answered is not by its key")
    }

    async fn send(&self, body: String) -> anyhow::Result<Answer> {
        let url = format!("{}/add-checkpoint", self.url.trim_end_matches('/'));
        let sent = tokio::task::spawn_blocking(move || post(&url, body.as_bytes()));
        let (status, text) = sent.await??;
        let size = text.trim().parse().ok();
        match (status, size) {
            (200, _) => Ok(Answer::Line(text)),
            (409, Some(size)) if size != self.old => Ok(Answer::From(size)),
            _ => {
                bail!("it answered {status}: {}", text.trim().chars().take(300).collect::<String>())
            }
        }
    }
}

fn post(url: &str, body: &[u8]) -> anyhow::Result<(u16, String)> {
    let settings = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(WAIT));
    let mut answer = agent_for(url, settings).post(url).send(body)?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string()?;
    Ok((status, text))
}
