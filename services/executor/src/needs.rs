//! Runs that wait for files on this host. They are looked for every second, and no slot is held meanwhile.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Draft;
use domain::event::RunNeedsUnmet;
use domain::executor::{Look, Seen, filled, may_start, unmet};
use domain::job::{JobDefinition, Need};
use domain::ledger::Mark;
use domain::wire::Work;
use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::host::Host;
use crate::life::{self, blocking};
use crate::order;

/// Between two looks at the files of a run.
const LOOK: Duration = Duration::from_secs(1);
/// The log is asked at least so often whether the run still waits.
const ASK: Duration = Duration::from_secs(10);
/// What is missing is said again at most so often, where it has changed.
const SAY: Duration = Duration::from_secs(60);

/// Takes an offer on: at once, or as soon as the files it needs are there.
pub(crate) async fn take(
    host: &Arc<Host>,
    work: Work,
    slot: OwnedSemaphorePermit,
) -> anyhow::Result<()> {
    let definition = order::definition(&work)?;
    // What cannot be filled in is refused, whatever is there.
    let needs = filled(&work, &definition).map(|filled| filled.definition.needs);
    let mut files = Files { needs: needs.unwrap_or_default(), seen: Vec::new() };
    if files.unmet(host).await.is_empty() {
        return life::take(host, &work, &definition, slot).await;
    }
    drop(slot);
    wait(host, work, &definition, files).await
}

async fn wait(
    host: &Arc<Host>,
    work: Work,
    definition: &JobDefinition,
    files: Files,
) -> anyhow::Result<()> {
    let Some(told) = host.watch(&work.run) else {
        // It is offered again, and by then there may be room.
        info!(run = %work.run, "it needs files, and no more runs are watched here");
        return Ok(());
    };
    let (run, asked) = (work.run.clone(), Instant::now());
    let mut waiting = Waiting { host, work, files, told, version: None, said: None, asked };
    let ready = waiting.until_ready().await;
    host.unwatch(&run);
    let Some((slot, version)) = ready else { return Ok(()) };
    life::take(host, &Work { version, ..waiting.work }, definition, slot).await
}

/// A run whose files are not there yet.
struct Waiting<'a> {
    host: &'a Arc<Host>,
    work: Work,
    files: Files,
    /// The feed named the run.
    told: Arc<Notify>,
    /// Version of the run's newest event, as far as is known.
    version: Option<u64>,
    /// What the log knows to be missing, and since when.
    said: Option<(Vec<String>, Instant)>,
    asked: Instant,
}

/// Whether a run may still start here.
enum Standing {
    /// It may, and this is the version of its newest event.
    Waits(u64),
    /// It may not any more.
    Over,
    /// The recorder does not answer.
    Unknown,
}

impl Waiting<'_> {
    /// A slot and the version of the run's newest event, when all files are there; `None` where it is not to be
    /// started here any more.
    async fn until_ready(&mut self) -> Option<(OwnedSemaphorePermit, u64)> {
        let mut stop = self.host.stop.clone();
        let mut ask = true;
        while !self.host.is_drained() {
            if (ask || self.asked.elapsed() >= ASK) && matches!(self.ask().await, Standing::Over) {
                return None;
            }
            let missing = self.files.unmet(self.host).await;
            if !missing.is_empty() {
                self.say(missing).await;
            } else if let Some(slot) = self.slot().await {
                match self.ask().await {
                    Standing::Waits(version) => return Some((slot, version)),
                    Standing::Over => return None,
                    Standing::Unknown => {}
                }
            }
            ask = tokio::select! {
                () = tokio::time::sleep(LOOK) => self.version.is_none(),
                () = self.told.notified() => true,
                _ = stop.wait_for(|stop| *stop) => return None,
            };
        }
        None
    }

    async fn ask(&mut self) -> Standing {
        self.asked = Instant::now();
        let state = match bus::recorder::stream(&self.host.bus, &self.work.run).await {
            Ok(state) => state,
            Err(error) => {
                debug!(run = %self.work.run, %error, "the recorder does not answer; files are looked for all the same");
                return Standing::Unknown;
            }
        };
        let known = state.as_ref().and_then(|state| Some((state.body.run()?, state.version)));
        match known.filter(|(run, _)| may_start(run, self.work.attempt, &self.host.name)) {
            Some((run, version)) => {
                let mine = run.unmet.iter().find(|unmet| unmet.host == self.host.name);
                if let (None, Some(unmet)) = (&self.said, mine) {
                    self.said = Some((unmet.unmet.clone(), self.asked));
                }
                self.version = Some(version);
                Standing::Waits(version)
            }
            None => Standing::Over,
        }
    }

    /// Says what is missing, where the log does not know it yet.
    async fn say(&mut self, missing: Vec<String>) {
        let quiet =
            self.said.as_ref().is_some_and(|(said, at)| *said == missing || at.elapsed() < SAY);
        let Some(version) = self.version.filter(|_| !quiet) else { return };
        let event = RunNeedsUnmet { host: self.host.name.clone(), unmet: missing.clone() };
        match self.host.outbox.say(Draft::new(self.work.run.clone(), version + 1, event)).await {
            Ok(verdict) if verdict.mark == Mark::Valid => {
                info!(run = %self.work.run, missing = missing.join("; "), "waits for files");
                self.version = Some(version + 1);
                self.said = Some((missing, Instant::now()));
            }
            // It has moved on: asked at the next look.
            Ok(_) => self.version = None,
            Err(error) => {
                warn!(run = %self.work.run, %error, "it could not be said what a run waits for");
            }
        }
    }

    /// A slot, if the files are still there when one is free.
    async fn slot(&mut self) -> Option<OwnedSemaphorePermit> {
        let slots = Arc::clone(&self.host.slots);
        let slot = tokio::select! {
            slot = slots.acquire_owned() => slot.ok()?,
            // The run may have moved on: it is asked for and looked at again.
            () = self.told.notified() => {
                self.version = None;
                return None;
            }
        };
        let there = self.files.unmet(self.host).await.is_empty();
        Some(slot).filter(|_| there && !*self.host.stop.borrow())
    }
}

/// The files a run needs.
struct Files {
    needs: Vec<Need>,
    seen: Vec<Seen>,
}

impl Files {
    /// Looks at all of them, and gives what is missing.
    async fn unmet(&mut self, host: &Arc<Host>) -> Vec<String> {
        if self.needs.is_empty() {
            return Vec::new();
        }
        // A file system that hangs must not take every thread.
        let _place = host.files.acquire().await;
        let paths: Vec<String> = self.needs.iter().map(|need| need.file.clone()).collect();
        let looks = blocking(move || Ok(paths.iter().map(|path| look(Path::new(path))).collect()));
        let looks: Vec<Look> = match looks.await {
            Ok(looks) => looks,
            Err(error) => return vec![format!("its files cannot be looked at: {error}")],
        };
        let now = (host.clock)();
        let before = std::mem::take(&mut self.seen).into_iter().map(Some);
        let before = before.chain(std::iter::repeat(None));
        self.seen = looks.into_iter().zip(before).map(|(l, b)| Seen::next(b, l, now)).collect();
        unmet(&self.needs, &self.seen, now)
    }
}

fn look(path: &Path) -> Look {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Look::Missing;
        }
        Err(error) => return Look::Unusable(format!("cannot be looked at: {error}")),
    };
    if !meta.is_file() && !meta.is_dir() {
        return Look::Unusable("is neither a file nor a directory".to_owned());
    }
    let modified = meta.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
    Look::There { bytes: meta.len(), modified: modified.unwrap_or(Timestamp::UNIX_EPOCH) }
}
