//! From what the child found to documents of the log, and from what becomes of them back to the child.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::canonical::Digest;
use domain::envelope::{Draft, PayloadRef};
use domain::event::{Event, Origin, PrintCancelled, PrintEvent, PrintRetried, PrintSpooled};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::print::{Document, ReleaseBy, State, commitment, document_id};
use tracing::{info, warn};

use super::books::{Known, fetch, is_over, say};
use super::deliver;
use super::order::{DOCUMENTS, FATES, Fate, Fates, Found, Gathered, PrintOrder};
use super::spool::{Facts, digest};
use super::vault;
use crate::attempt::{AttemptDir, Spec};
use crate::host::Host;
use crate::life::blocking;

/// How often the child is looked at until it has found its documents.
const LOOK: Duration = Duration::from_millis(100);
/// Digits of a code.
const CODE_DIGITS: usize = 8;

/// Takes in what the child of an attempt finds, and tells it what becomes of it. Ends when the child does.
pub(crate) async fn attend(
    host: Arc<Host>,
    run: StreamId,
    attempt: u32,
    spec: Spec,
    dir: AttemptDir,
) {
    let Some(order) = spec.print.clone() else { return };
    let intake = Intake { host: &host, run: &run, attempt, order: &order, dir: &dir };
    if let Err(error) = intake.all().await {
        let problem = format!("{error:#}");
        warn!(%run, %problem, "documents could not be taken in");
        intake.tell(&Fates { problem: Some(problem), ..Fates::default() });
    }
}

struct Intake<'a> {
    host: &'a Arc<Host>,
    run: &'a StreamId,
    attempt: u32,
    order: &'a PrintOrder,
    dir: &'a AttemptDir,
}

/// A document in the spool, before the log knows of it.
struct Kept {
    id: StreamId,
    facts: Facts,
    fingerprint: Digest,
    commitment: Digest,
}

impl Intake<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        let Some(gathered) = self.gathered().await? else { return Ok(()) };
        self.host.outbox.recovered().await;
        let mut ids = Vec::new();
        for (number, found) in (1..).zip(&gathered.documents) {
            let of = u32::try_from(gathered.documents.len()).unwrap_or(u32::MAX);
            let id = self.take_in(found, number, of, gathered.control).await;
            ids.push(id.with_context(|| found.title.clone())?);
        }
        self.tell(&Fates { spooled: true, ..Fates::default() });
        self.clear();
        self.follow(&ids).await
    }

    /// What the child found; `None` where it ended without.
    async fn gathered(&self) -> anyhow::Result<Option<Gathered>> {
        loop {
            let dir = self.dir.clone();
            let (report, over) = blocking(move || {
                let over = dir.is_over();
                Ok((dir.report()?, over))
            })
            .await?;
            if let Some(bytes) = report.filter(|bytes| bytes.ends_with(b"\n")) {
                return Ok(Some(serde_json::from_slice(&bytes).context("reading what was found")?));
            }
            if over {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Keeps a document and has it in the log.
    async fn take_in(
        &self,
        found: &Found,
        number: u32,
        of: u32,
        control: Option<domain::event::ControlSeen>,
    ) -> anyhow::Result<StreamId> {
        let kept = self.keep(found, number)?;
        if let Some(known) = fetch(self.host, &kept.id).await {
            return self.known_already(kept.id, known).await;
        }
        let spooled = self.spooled(found, &kept, number, of, control);
        let class = self.order.work.class.clone();
        let draft =
            Draft::new(kept.id.clone(), 1, Event::PrintEvent(PrintEvent::PrintSpooled(spooled)))
                .with_payload(PayloadRef { commitment: kept.commitment, class });
        match self.host.outbox.say(draft).await?.mark {
            Mark::Valid | Mark::Conflict { .. } => {}
            Mark::Refused { reason } => bail!("the log does not take it: {reason}"),
        }
        fetch(self.host, &kept.id).await.context("the log does not know it although it took it")?;
        info!(document = %kept.id, run = %self.run, pages = found.pages, "spooled");
        Ok(kept.id)
    }

    /// Another attempt of the run, or a run that took the same file, has it in the log.
    async fn known_already(&self, id: StreamId, known: Known) -> anyhow::Result<StreamId> {
        let ours = known.document.run() == Some(self.run);
        let ended = matches!(
            known.document.state,
            State::Failed { sent: false, .. } | State::Cancelled { .. }
        );
        if ours && ended && known.document.spooled.form.is_none() {
            let retried = PrintRetried { run: self.run.clone(), attempt: self.attempt };
            say(self.host, &id, &known, PrintEvent::PrintRetried(retried)).await?;
        }
        Ok(id)
    }

    fn keep(&self, found: &Found, number: u32) -> anyhow::Result<Kept> {
        let documents = self.dir.path().join(DOCUMENTS);
        let path = documents.join(&found.file);
        let spool = &self.host.books.spool;
        let fingerprint = spool.fingerprint(&mut open(&path)?)?;
        let origin = match &found.arrival {
            Some(arrival) => format!("file {}\n{arrival}", self.host.name),
            None => format!("run {}\n{number}", self.run),
        };
        let id = document_id(&fingerprint, &origin, &self.order.work.purpose, number);
        let parts: Vec<_> = found.parts.iter().map(|part| documents.join(&part.file)).collect();
        let (deliveries, ways) = (
            deliver::planned(self.host, &self.order.work, found)?,
            self.order.work.deliver.clone(),
        );
        let facts = Facts {
            title: found.title.clone(),
            source: found.source.clone(),
            salt: vault::random()?,
            sheets: found.sheets.clone(),
            deliveries,
            ways,
            code: (self.release() == ReleaseBy::Code).then(code).transpose()?,
        };
        let facts = spool.put(&id, &path, &parts, facts)?;
        let commitment = commitment(&facts.salt, &digest(&mut open(&path)?)?);
        Ok(Kept { id, facts, fingerprint, commitment })
    }

    fn release(&self) -> ReleaseBy {
        self.order.work.release.max(self.order.queue.release)
    }

    fn spooled(
        &self,
        found: &Found,
        kept: &Kept,
        number: u32,
        of: u32,
        control: Option<domain::event::ControlSeen>,
    ) -> PrintSpooled {
        let work = &self.order.work;
        PrintSpooled {
            origin: Origin::Run { run: self.run.clone(), attempt: self.attempt, number, of },
            host: self.host.name.clone(),
            queue: work.queue.clone(),
            definition: self.order.definition.clone(),
            purpose: work.purpose.clone(),
            fingerprint: kept.fingerprint,
            format: found.format,
            pages: found.pages,
            bytes: found.bytes,
            options: work.options.clone(),
            priority: work.priority,
            form: work.form.clone(),
            release: self.release(),
            control,
            keep_ms: work.keep.unwrap_or(self.order.queue.keep).millis(),
            deliveries: u32::try_from(kept.facts.deliveries.len()).unwrap_or(u32::MAX),
            paper: work.paper,
        }
    }

    /// Waits until nothing more becomes of them, and says so; or until the child is gone.
    async fn follow(&self, ids: &[StreamId]) -> anyhow::Result<()> {
        let mut changes = self.host.books.changes();
        loop {
            let known: Vec<Option<Known>> = ids.iter().map(|id| self.host.books.get(id)).collect();
            if known.iter().all(|one| one.as_ref().is_none_or(|one| is_over(&one.document))) {
                let fates =
                    ids.iter().zip(&known).map(|(id, one)| fate(id, one.as_ref())).collect();
                self.tell(&Fates { spooled: true, problem: None, ended: Some(fates) });
                return Ok(());
            }
            if self.dir.is_over() {
                return self.give_up(ids).await;
            }
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
        }
    }

    /// The run is over: nothing of it that was not sent begins to be printed.
    async fn give_up(&self, ids: &[StreamId]) -> anyhow::Result<()> {
        for id in ids {
            while let Some(known) = fetch(self.host, id).await
                && known.document.state == State::Ready
            {
                let reason = "its run was stopped before it was printed".to_owned();
                let cancelled = PrintCancelled { reason, impressions: None };
                if say(self.host, id, &known, PrintEvent::PrintCancelled(cancelled))
                    .await?
                    .is_some()
                {
                    break;
                }
            }
        }
        Ok(())
    }

    fn tell(&self, fates: &Fates) {
        if let Err(error) = write_fates(self.dir.path(), fates) {
            warn!(run = %self.run, %error, "what became of its documents cannot be told");
        }
    }

    /// What the child wrote is in the spool, encrypted: nothing of it stays in the clear.
    fn clear(&self) {
        for name in [DOCUMENTS, super::order::BROUGHT] {
            let path = self.dir.path().join(name);
            let Ok(entries) = fs::read_dir(&path) else { continue };
            for entry in entries.flatten() {
                if let Err(error) = fs::remove_file(entry.path()) {
                    warn!(path = %entry.path().display(), %error, "a copy of a document stays in the clear");
                }
            }
        }
    }
}

fn open(path: &Path) -> anyhow::Result<fs::File> {
    fs::File::open(path).with_context(|| format!("opening {}", path.display()))
}

/// As a whole, and to be read by whoever the child runs as.
pub(super) fn write_fates(dir: &Path, fates: &Fates) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let beside = dir.join(".fates");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&beside)?;
    file.write_all(&serde_json::to_vec(fates)?)?;
    fs::rename(beside, dir.join(FATES))
}

pub(super) fn code() -> anyhow::Result<String> {
    let bytes = vault::random()?;
    // Of 32 random bytes, digits are taken from those below 250: each is as likely as another.
    let digits = bytes.iter().filter(|byte| **byte < 250).take(CODE_DIGITS);
    let code: String = digits.map(|byte| char::from(b'0' + byte % 10)).collect();
    if code.len() == CODE_DIGITS { Ok(code) } else { bail!("the system's random bytes are not") }
}

/// What became of a document, in words.
fn fate(id: &StreamId, known: Option<&Known>) -> Fate {
    let short = id.rest().get(..8).unwrap_or_default().to_owned();
    let Some(known) = known else {
        return Fate { id: short, words: "erased".to_owned(), good: true };
    };
    let (words, good) = in_words(&known.document);
    Fate { id: short, words, good }
}

fn in_words(document: &Document) -> (String, bool) {
    let (mut words, mut good) = match &document.state {
        State::Printed => printed(document),
        State::Held { reason, .. } => {
            let control = document.spooled.control.is_some_and(|control| !control.agrees());
            (format!("held: {reason}"), !control)
        }
        State::Cancelled { reason } => (format!("cancelled: {reason}"), false),
        State::Failed { reason, .. } => (format!("failed: {reason}"), false),
        State::Unknown { reason } => {
            (format!("nobody knows whether it was printed, a person must look: {reason}"), false)
        }
        State::Electronic => ("sent".to_owned(), true),
        State::Ready | State::Releasing | State::Printing | State::Stopped { .. } => {
            (document.state.word().to_owned(), false)
        }
    };
    let failed = document.failed_deliveries().count();
    if document.spooled.deliveries > 0 && !matches!(document.state, State::Held { .. }) {
        let done = document.deliveries.len() - failed;
        words.push_str(&format!("; delivered to {done} of {}", document.spooled.deliveries));
        good &= failed == 0;
    }
    (words, good)
}

fn printed(document: &Document) -> (String, bool) {
    let last = document.submission();
    let expected = last.map_or(0, |one| one.expected);
    match last.and_then(|one| one.impressions) {
        Some(counted) if counted == expected => (format!("printed, {counted} impressions"), true),
        Some(counted) => (
            format!(
                "printed, but the printer counted {counted} impressions and {expected} were asked for"
            ),
            false,
        ),
        None => (format!("printed; nobody counted its {expected} impressions"), true),
    }
}
