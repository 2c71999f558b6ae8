//! Time stamps of an authority outside (RFC 3161): once a day it is asked about the newest signed head. What it answers is checked
//! as whoever verifies evidence will check it, and kept with that head in a directory, from which evidence is exported.
//!
//! A directory, and no table: a time stamp is no part of the log and none of its proofs, it verifies by itself wherever it
//! lies, and one that is lost costs one anchor. The log never waits for an authority.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use delivery::https::agent_for;
use eventlog::EventLog;
use jiff::{SignedDuration, Timestamp};
use timestamp::{ANSWER_BYTES_MAX, Query, Roots, Token};
use tlog::{Checkpoint, Note};
use tracing::{info, warn};
use ureq::Agent;

use crate::witnesses::stopped;
use crate::{AuditConfig, Surroundings};

/// How long an authority may take to answer.
const WAIT: Duration = Duration::from_secs(20);
/// How soon it is looked for a head, and asked again where that failed; twice as late each time.
const FIRST: Duration = Duration::from_secs(1);
/// How late at most.
const LATEST: Duration = Duration::from_secs(3_600);
/// How far its clock and ours may be apart: a verifier allows as much, and takes what is farther for a contradiction.
const CLOCKS: SignedDuration = SignedDuration::from_secs(300);
/// The endings of a head's file, and of what was said of it.
const NOTE: &str = "note";
const ANSWER: &str = "tsr";

/// A head that was stamped, and what the authority answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampedHead {
    /// The signed head, as a note.
    pub note: Vec<u8>,
    /// A `TimeStampResp`.
    pub answer: Vec<u8>,
}

/// The heads in a directory that were stamped, the smallest first; none where there is no directory.
///
/// # Errors
/// It cannot be read.
pub fn stamped_heads(dir: &Path) -> anyhow::Result<Vec<StampedHead>> {
    let reading =
        |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let one = |answer: PathBuf| {
        let note = reading(&answer.with_extension(NOTE))?;
        Ok(StampedHead { note, answer: reading(&answer)? })
    };
    answers(dir)?.into_iter().map(one).collect()
}

/// The files of answers, which are named by the sizes of their heads.
fn answers(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("reading {}", dir.display()))?,
    };
    let mut found = Vec::new();
    for entry in listed {
        let path = entry?.path();
        found.extend(path.extension().is_some_and(|is| is == ANSWER).then_some(path));
    }
    found.sort_unstable();
    Ok(found)
}

/// An authority that is asked.
#[derive(Debug)]
pub(crate) struct Authority {
    url: String,
    roots: Roots,
    dir: PathBuf,
    every: SignedDuration,
}

/// The authority that settings name, if they name one.
///
/// # Errors
/// It has no address, or its roots cannot be read.
pub(crate) fn read(config: &AuditConfig) -> anyhow::Result<Option<Authority>> {
    let Some(url) = config.tsa.clone() else { return Ok(None) };
    ensure!(
        url.starts_with("http://") || url.starts_with("https://"),
        "audit.tsa: {url:?} is no address: https://… or http://…"
    );
    let path = config.tsa_roots.as_deref();
    let path = path.context("audit.tsa-roots: name the file of the authority's roots, as PEM")?;
    let text =
        fs::read(path).with_context(|| format!("audit.tsa-roots: reading {}", path.display()))?;
    let roots =
        Roots::from_pem(&text).with_context(|| format!("audit.tsa-roots: {}", path.display()))?;
    let dir = config.timestamps.clone().unwrap_or_else(|| config.data.join("timestamps"));
    let every = SignedDuration::try_from(config.tsa_every.as_duration())?;
    Ok(Some(Authority { url, roots, dir, every }))
}

/// Asks once a day, and again where that failed, until it is told to stop.
pub(crate) async fn keep(authority: Authority, log: EventLog, around: Surroundings) {
    let mut stop = around.stop.clone();
    let (mut wait, mut again) = (FIRST, FIRST);
    while !stopped(&mut stop, wait).await {
        match authority.round(&log, &around).await {
            Ok(next) => (wait, again) = (next.clamp(FIRST, LATEST), FIRST),
            Err(error) => {
                warn!(authority = authority.url, error = format!("{error:#}"), "no time stamp");
                (wait, again) = (again, (again * 2).min(LATEST));
            }
        }
    }
}

impl Authority {
    /// Asks if it is time to; says when to look again.
    async fn round(&self, log: &EventLog, around: &Surroundings) -> anyhow::Result<Duration> {
        let newest = newest(&self.dir)?;
        let left = newest.map(|(_, at)| at.duration_since((around.clock)()) + self.every);
        if let Some(left) = left.filter(SignedDuration::is_positive) {
            return Ok(left.unsigned_abs());
        }
        let Some(text) = log.checkpoints(1).await?.into_iter().next() else { return Ok(FIRST) };
        let note = Note::parse(text.as_bytes())?;
        let size = Checkpoint::parse(note.text())?.size();
        if newest.is_some_and(|(known, _)| known >= size) {
            return Ok(WAIT);
        }
        let query = query(&note)?;
        let (url, body) = (self.url.clone(), query.to_bytes());
        let answer = tokio::task::spawn_blocking(move || post(&url, &body)).await??;
        let by = self.check(&query, &answer, (around.clock)())?;
        self.write(size, &text, &answer)?;
        info!(by, size, "time-stamped");
        Ok(self.every.unsigned_abs())
    }

    /// What an answer is refused for here, whoever verifies would not believe either.
    fn check(&self, query: &Query, answer: &[u8], now: Timestamp) -> anyhow::Result<String> {
        let token = Token::read(answer)?;
        query.check(&token)?;
        let by = token.check(&self.roots)?;
        if token.at.duration_since(now).abs() > CLOCKS {
            bail!("{by} says {}, and it is {now} here: one of the clocks is wrong", token.at);
        }
        Ok(by)
    }

    /// The head first: whoever finds an answer finds what it is over.
    fn write(&self, size: u64, note: &str, answer: &[u8]) -> anyhow::Result<()> {
        let dir = &self.dir;
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        for (ending, bytes) in [(NOTE, note.as_bytes()), (ANSWER, answer)] {
            let path = dir.join(format!("{size:020}.{ending}"));
            journal::replace(&path, bytes, 0o644)
                .with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

/// The size of the head that was stamped last, and when; what cannot be read is passed over.
fn newest(dir: &Path) -> anyhow::Result<Option<(u64, Timestamp)>> {
    let read = |path: &PathBuf| {
        let size = path.file_stem()?.to_str()?.parse().ok()?;
        Some((size, Token::read(&fs::read(path).ok()?).ok()?.at))
    };
    Ok(answers(dir)?.iter().rev().find_map(read))
}

/// It is over the text of the note, which says origin, size and root: witnesses' lines, which come later, change nothing of it.
fn query(note: &Note) -> anyhow::Result<Query> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no entropy: {error}"))?;
    Ok(Query::of(note.text().as_bytes(), random))
}

/// RFC 3161 §3.4.
fn post(url: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let settings = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(WAIT));
    let asked = agent_for(url, settings).post(url).content_type("application/timestamp-query");
    let mut answer = asked.send(body)?;
    ensure!(answer.status() == 200, "it answered {}", answer.status());
    Ok(answer.body_mut().with_config().limit(ANSWER_BYTES_MAX as u64).read_to_vec()?)
}
