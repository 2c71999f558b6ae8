//! The newest head of the log that a producer has verified. Each of its events says which one that is, so every producer is a
//! witness: who changes the log afterwards contradicts all of them, and needs their keys too.
//!
//! Files, which anybody may read: `key`, by which heads are signed, believed when the log shows it first (or laid there before),
//! `head`, as it was signed, and `told`, when it was said last that the log is another one.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::canonical::Digest;
use domain::envelope::{Draft, Seen};
use domain::event::{LogContinued, LogContradicted, SHOWN_BYTES_MAX};
use domain::ids::{ProducerId, StreamId};
use domain::ledger::CONTINUED_MAX;
use domain::wire::Consistency;
use jiff::{SignedDuration, Timestamp};
use tlog::{Contradiction, Hash, Held, Note, VerifierKey};
use tokio::sync::watch;
use tracing::{error, warn};

use crate::outbox::Outbox;
use crate::whole::replace;

/// How often it is said again that the log is another one.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Longest reason that is said, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// What is to be held from now on.
struct Next {
    held: Held,
    key: VerifierKey,
    /// It is under another name than before.
    renamed: bool,
}

/// The key of this text, where each key from `key` on has handed the log over to the next.
fn handed_over(key: &VerifierKey, handovers: &[String], to: &str) -> Option<VerifierKey> {
    let mut key = key.clone();
    for note in handovers.iter().take(CONTINUED_MAX) {
        let Ok(note) = Note::parse(note.as_bytes()) else { continue };
        let next = note.text().lines().nth(2).and_then(|line| line.parse::<VerifierKey>().ok());
        let Some(next) = next else { continue };
        let text = LogContinued::handover_text(key.name(), &next.to_string());
        if note.text() == text && note.verify(std::slice::from_ref(&key)).is_ok() {
            key = next;
        }
    }
    (key.to_string() == to).then_some(key)
}

/// What a producer has seen of the log.
#[derive(Debug)]
pub struct Heads {
    dir: PathBuf,
    producer: ProducerId,
    key: Option<VerifierKey>,
    held: Option<Held>,
    seen: watch::Sender<Option<Seen>>,
    /// When it was said last that the log is another one.
    told: Option<Timestamp>,
    /// Whether a head was looked at in this life.
    looked: bool,
    /// The name under which the log has gone on in this life.
    renamed: Option<String>,
}

impl Heads {
    /// What `producer` has kept in `dir`, or nothing yet. What cannot be read is moved aside and told: work goes on without it.
    pub fn open(dir: &Path, producer: &ProducerId) -> Self {
        let text = |name: &str| {
            read(&dir.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let key = text("key").and_then(|text| parsed(dir, "key", text.parse::<VerifierKey>()));
        let held = read(&dir.join("head")).and_then(|note| match &key {
            Some(key) => {
                parsed(dir, "head", Held::open(&note, key).map_err(|error| error.to_string()))
            }
            None => {
                parsed(dir, "head", Err("the key by which it is signed is not there".to_owned()))
            }
        });
        let told = text("told").and_then(|text| text.parse().ok());
        let seen = watch::Sender::new(held.as_ref().map(seen));
        let (dir, producer) = (dir.to_owned(), producer.clone());
        Self { dir, producer, key, held, seen, told, looked: false, renamed: None }
    }

    /// The newest head, whenever there is another.
    pub fn watch(&self) -> watch::Receiver<Option<Seen>> {
        self.seen.subscribe()
    }

    /// Size of the newest head; 0 where none was seen.
    pub fn size(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.head().size())
    }

    /// Takes in what the log shows. Where that is not the log of which a head was seen, the old head goes on to be held, and it
    /// is to be said, until [`Heads::told`]; then again a day later.
    pub fn take(&mut self, shown: Option<&Consistency>, now: Timestamp) -> Option<LogContradicted> {
        let judged = match (shown, &self.held) {
            (Some(shown), _) => self.judge(shown),
            (None, None) => return None,
            (None, Some(held)) => {
                let held = held.head().size();
                Err(Contradiction::Cut { held, shown: 0 }.to_string())
            }
        };
        let looked = std::mem::replace(&mut self.looked, true);
        match judged {
            Ok(held) => {
                self.hold(held, looked);
                None
            }
            Err(reason) => self.alarm(shown.map_or("", |shown| &shown.head), &reason, now),
        }
    }

    /// The name under which the log has gone on since this life began: what was read of it before may not be true any more.
    pub fn renamed(&self) -> Option<&str> {
        self.renamed.as_deref()
    }

    /// It was said in the log.
    pub fn told(&mut self, now: Timestamp) {
        self.told = Some(now);
        let kept = replace(&self.dir.join("told"), format!("{now}\n").as_bytes(), 0o644);
        if let Err(error) = kept {
            warn!(%error, dir = %self.dir.display(), "that it was said could not be kept");
        }
    }

    /// Holds the newest head against what the log shows later, until this is dropped, and says it in the log where that is another
    /// one. Where it goes on under another name, the outbox gives up. `look` waits until it is time, and says what the log shows
    /// somebody who has seen so many events of it; `version` is that of a stream, where the recorder answers.
    pub async fn follow(
        mut self,
        outbox: Outbox,
        clock: impl Fn() -> Timestamp,
        mut look: impl AsyncFnMut(u64) -> Option<Consistency>,
        version: impl AsyncFn(&StreamId) -> Option<u64>,
    ) {
        loop {
            let shown = look(self.size()).await;
            let now = clock();
            let told = self.take(shown.as_ref(), now);
            if let Some(origin) = self.renamed() {
                outbox.give_up(&format!("the log goes on as {origin}: start again"));
            }
            let Some(told) = told else { continue };
            let stream = told.producer.stream();
            let Some(version) = version(&stream).await else { continue };
            if outbox.has_said(Draft::new(stream, version + 1, told)).await {
                self.told(now);
            }
        }
    }

    fn judge(&self, shown: &Consistency) -> Result<Next, String> {
        let (head, said) = (shown.head.as_bytes(), |error: &dyn Display| error.to_string());
        let shown_key = || shown.key.parse().map_err(|error: tlog::KeyError| said(&error));
        let first = |key: &VerifierKey| Held::open(head, key).map_err(|error| said(&error));
        match (&self.key, &self.held) {
            (Some(key), _) if key.to_string() != shown.key => {
                // Another name has another tree, as far as the log was cut: nothing is to be proven.
                let handed = handed_over(key, &shown.handovers, &shown.key);
                let other = || format!("it is signed by {} and not by {key}", shown.key);
                let key = handed.ok_or_else(other)?;
                Ok(Next { held: first(&key)?, key, renamed: true })
            }
            (Some(key), Some(held)) => {
                let proof: Vec<Hash> = shown.proof.iter().map(|digest| Hash(digest.0)).collect();
                let held = held.continued(head, key, &proof).map_err(|error| said(&error))?;
                Ok(Next { held, key: key.clone(), renamed: false })
            }
            (_, _) => {
                let key = shown_key()?;
                Ok(Next { held: first(&key)?, key, renamed: false })
            }
        }
    }

    fn hold(&mut self, next: Next, looked: bool) {
        let Next { held: next, key, renamed } = next;
        if self.held.as_ref().is_some_and(|held| held.head() == next.head()) {
            return;
        }
        // On disk before anything says so: what was said is held on to.
        match self.keep(&next, &key, renamed) {
            Ok(()) => {
                if renamed {
                    warn!(
                        before = self.size(),
                        now = next.head().size(),
                        "the log goes on under another name: {}",
                        key.name()
                    );
                    self.renamed = looked.then(|| key.name().to_owned());
                }
                self.key = Some(key);
                self.seen.send_replace(Some(seen(&next)));
                self.held = Some(next);
            }
            Err(error) => {
                warn!(%error, dir = %self.dir.display(), "the newest head could not be kept");
            }
        }
    }

    fn keep(&self, next: &Held, key: &VerifierKey, renamed: bool) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        if renamed && self.held.is_some() {
            // Between the two there is none, rather than one by another key.
            fs::rename(self.dir.join("head"), self.dir.join("head.before"))?;
        }
        if self.held.is_none() || renamed {
            replace(&self.dir.join("key"), format!("{key}\n").as_bytes(), 0o644)?;
        }
        replace(&self.dir.join("head"), next.note().to_string().as_bytes(), 0o644)
    }

    fn alarm(&self, shown: &str, reason: &str, now: Timestamp) -> Option<LogContradicted> {
        error!(
            held = self.size(),
            kept = %self.dir.display(),
            "THE LOG IS NOT THE ONE THAT WAS SEEN HERE: {reason}"
        );
        let due = self.told.is_none_or(|told| now.duration_since(told).abs() >= AGAIN);
        let (held, key) = (self.held.as_ref().filter(|_| due)?, self.key.as_ref()?);
        // Lines of witnesses could make it longer than what can be said.
        let (producer, held) = (self.producer.clone(), held.note().clone().only(key).to_string());
        let (shown, reason) = (cut(shown, SHOWN_BYTES_MAX), cut(reason, REASON_BYTES_MAX));
        Some(LogContradicted { producer, held, shown, reason })
    }
}

fn parsed<T, E: std::fmt::Display>(dir: &Path, name: &str, read: Result<T, E>) -> Option<T> {
    let error = match read {
        Ok(found) => return Some(found),
        Err(error) => error,
    };
    let (path, aside) = (dir.join(name), dir.join(format!("{name}.damaged")));
    let moved = fs::rename(&path, &aside).is_ok();
    error!(
        %error, moved,
        "{} is not what was kept of the log: what was seen before is not known here any more",
        path.display()
    );
    None
}

fn seen(held: &Held) -> Seen {
    Seen { size: held.head().size(), root: Digest(held.head().root().0) }
}

fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                error!(%error, "{} cannot be read: what was seen before is not known here any more", path.display());
            }
            None
        }
    }
}
