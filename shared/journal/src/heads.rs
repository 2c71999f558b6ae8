//! The newest head of the log that a producer has verified. Each of its events says which one that is, so every producer is a
//! witness: who changes the log afterwards contradicts all of them, and needs their keys too.
//!
//! Two files, which anybody may read: `key`, by which heads are signed, believed when the log shows it first (or laid there
//! before), and `head`, as it was signed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::canonical::Digest;
use domain::envelope::Seen;
use domain::event::{LogContradicted, SHOWN_BYTES_MAX};
use domain::ids::ProducerId;
use domain::wire::Continuation;
use jiff::{SignedDuration, Timestamp};
use tlog::{Hash, Held, VerifierKey};
use tokio::sync::watch;
use tracing::{error, warn};

use crate::whole::replace;

/// How often it is said again that the log is another one.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// What a producer has seen of the log.
#[derive(Debug)]
pub struct Heads {
    dir: PathBuf,
    producer: ProducerId,
    key: Option<VerifierKey>,
    held: Option<Held>,
    seen: watch::Sender<Option<Seen>>,
    /// When it was said last that the log is another one.
    said: Option<Timestamp>,
}

/// What was kept of heads cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// The system said no.
    #[error("reading {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what belongs there.
    #[error(
        "{path} is not what this producer keeps of the log: {why}; bring it back, or move it away if you know why it is another"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Heads {
    /// What `producer` has kept in `dir`, or nothing yet.
    ///
    /// # Errors
    /// See [`HeadsError`].
    pub fn open(dir: &Path, producer: &ProducerId) -> Result<Self, HeadsError> {
        let damaged = |name: &str, why: String| HeadsError::Damaged { path: dir.join(name), why };
        let key = read(&dir.join("key"))?;
        let key = key.map(|text| text.trim().parse::<VerifierKey>()).transpose();
        let key = key.map_err(|error| damaged("key", error.to_string()))?;
        let held = match (read(&dir.join("head"))?, &key) {
            (None, _) => None,
            (Some(_), None) => return Err(damaged("key", "it is gone".to_owned())),
            (Some(note), Some(key)) => Some(
                Held::open(note.as_bytes(), key)
                    .map_err(|error| damaged("head", error.to_string()))?,
            ),
        };
        let seen = watch::Sender::new(held.as_ref().map(seen));
        let (dir, producer) = (dir.to_owned(), producer.clone());
        Ok(Self { dir, producer, key, held, seen, said: None })
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
    /// is to be said: once a day.
    pub fn take(&mut self, shown: &Continuation, now: Timestamp) -> Option<LogContradicted> {
        match self.judge(shown) {
            Ok(held) => {
                self.hold(held);
                None
            }
            Err(reason) => self.alarm(shown, reason, now),
        }
    }

    fn judge(&mut self, shown: &Continuation) -> Result<Held, String> {
        let key = match &self.key {
            Some(key) if key.to_string() == shown.key => key.clone(),
            Some(key) => return Err(format!("it is signed by {} and not by {key}", shown.key)),
            None => shown.key.parse().map_err(|error: tlog::KeyError| error.to_string())?,
        };
        let head = shown.head.as_bytes();
        let proof: Vec<Hash> = shown.proof.iter().map(|digest| Hash(digest.0)).collect();
        let next = match &self.held {
            Some(held) => held.continued(head, &key, &proof).map_err(|error| error.to_string())?,
            None => Held::open(head, &key).map_err(|error| error.to_string())?,
        };
        self.key = Some(key);
        Ok(next)
    }

    fn hold(&mut self, next: Held) {
        if self.held.as_ref().is_some_and(|held| held.head() == next.head()) {
            return;
        }
        // On disk before anything says so: what was said is held on to.
        match self.keep(&next) {
            Ok(()) => {
                self.seen.send_replace(Some(seen(&next)));
                self.held = Some(next);
            }
            Err(error) => {
                warn!(%error, dir = %self.dir.display(), "the newest head could not be kept");
            }
        }
    }

    fn keep(&self, next: &Held) -> io::Result<()> {
        if self.held.is_none() {
            fs::create_dir_all(&self.dir)?;
            let key = self.key.as_ref().map(|key| format!("{key}\n")).unwrap_or_default();
            replace(&self.dir.join("key"), key.as_bytes(), 0o644)?;
        }
        replace(&self.dir.join("head"), next.note().to_string().as_bytes(), 0o644)
    }

    fn alarm(
        &mut self,
        shown: &Continuation,
        reason: String,
        now: Timestamp,
    ) -> Option<LogContradicted> {
        error!(
            held = self.size(),
            kept = %self.dir.display(),
            "THE LOG IS NOT THE ONE THAT WAS SEEN HERE: {reason}"
        );
        let due = self.said.is_none_or(|said| now.duration_since(said) >= AGAIN);
        let held = self.held.as_ref().filter(|_| due)?;
        self.said = Some(now);
        let (producer, held) = (self.producer.clone(), held.note().to_string());
        Some(LogContradicted { producer, held, shown: cut(&shown.head), reason: cut(&reason) })
    }
}

fn seen(held: &Held) -> Seen {
    Seen { size: held.head().size(), root: Digest(held.head().root().0) }
}

fn cut(text: &str) -> String {
    let end = (0..=SHOWN_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}

fn read(path: &Path) -> Result<Option<String>, HeadsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HeadsError::Io { path: path.to_owned(), source }),
    }
}
