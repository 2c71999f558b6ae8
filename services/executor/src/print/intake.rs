//! From what the child found to documents of the log, and from what becomes of them back to the child.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::canonical::Digest;
use domain::envelope::{Draft, PayloadRef};
use domain::event::{Event, Origin, PrintCancelled, PrintEvent, PrintRetried, PrintSpooled};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::payload::commitment;
use domain::print::{Document, ReleaseBy, State, document_id};
use domain::wire::DocumentFilter;
use tracing::{info, warn};

use super::books::{Known, Said, fetch, is_over, say};
use super::deliver;
use super::order::{DOCUMENTS, FATES, Fate, Fates, Found, Gathered, PrintOrder};
use super::spool::Facts;
use super::vault;
use crate::attempt::{AttemptDir, Spec};
use crate::host::Host;
use crate::life::{blocking, until_answered};

/// How often the child is looked at until it has found its documents.
const LOOK: Duration = Duration::from_millis(100);
/// The documents that were taken in, beside the attempt's specification.
const TAKEN: &str = "taken";
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
    intake.clear();
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

/// What the child wrote, opened: nobody puts anything else in its place any more.
struct Copies {
    content: fs::File,
    parts: Vec<fs::File>,
    fingerprint: Digest,
}

impl Copies {
    async fn take(intake: &Intake<'_>, found: &Found) -> anyhow::Result<Self> {
        let documents = intake.dir.path().join(DOCUMENTS);
        let (host, found) = (Arc::clone(intake.host), found.clone());
        blocking(move || {
            let mut content = open(&documents, &found.file)?;
            let length = content.metadata()?.len();
            anyhow::ensure!(length == found.bytes, "it has changed since it was looked at");
            let parts = found.parts.iter().map(|part| open(&documents, &part.file));
            let parts = parts.collect::<anyhow::Result<Vec<_>>>()?;
            let fingerprint = host.books.spool.fingerprint(&mut content)?;
            io::Seek::rewind(&mut content)?;
            Ok(Self { content, parts, fingerprint })
        })
        .await
    }
}

impl Intake<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        let ids = match self.taken()? {
            // An earlier life has taken all of them in.
            Some(ids) => {
                self.host.outbox.recovered().await;
                // This life's books may not have them yet.
                for id in &ids {
                    fetch(self.host, id).await;
                }
                ids
            }
            None => match self.gathered().await? {
                Some(gathered) => self.take_all_in(&gathered).await?,
                None => return Ok(()),
            },
        };
        self.tell(&Fates { spooled: true, ..Fates::default() });
        self.clear();
        self.follow(&ids).await
    }

    /// Takes all documents in. Where one of them cannot be, nothing of the others that was not sent begins to be printed.
    async fn take_all_in(&self, gathered: &Gathered) -> anyhow::Result<Vec<StreamId>> {
        self.host.outbox.recovered().await;
        let mut ids = Vec::new();
        for (number, found) in (1..).zip(&gathered.documents) {
            let of = u32::try_from(gathered.documents.len()).unwrap_or(u32::MAX);
            match self.take_in(found, number, of, gathered.control).await {
                Ok(id) => ids.push(id),
                Err(error) => {
                    self.give_up(&ids).await?;
                    return Err(error.context(found.title.clone()));
                }
            }
        }
        self.note_taken(&ids).await?;
        Ok(ids)
    }

    /// The documents that an earlier life of this attempt's intake took in.
    fn taken(&self) -> anyhow::Result<Option<Vec<StreamId>>> {
        match fs::read(self.dir.path().join(TAKEN)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn note_taken(&self, ids: &[StreamId]) -> anyhow::Result<()> {
        let (path, bytes) = (self.dir.path().join(TAKEN), serde_json::to_vec(ids)?);
        blocking(move || Ok(journal::replace(&path, &bytes, 0o600)?)).await
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
        let copies = Copies::take(self, found).await?;
        let id = self.identity(found, copies.fingerprint, number);
        if let Some(known) = fetch(self.host, &id).await {
            return self.known_already(id, known).await;
        }
        self.refuse_another_version(&id, number).await?;
        let kept = self.keep(id, found, copies).await?;
        let spooled = self.spooled(found, &kept, number, of, control);
        let class = self.order.work.class.clone();
        let event = Event::PrintEvent(PrintEvent::PrintSpooled(spooled));
        let draft = Draft::new(kept.id.clone(), 1, event)
            .with_payload(PayloadRef { commitment: kept.commitment, class });
        match self.host.outbox.say(draft).await?.mark {
            Mark::Valid | Mark::Conflict { .. } => {}
            Mark::Refused { reason } => {
                let (host, id) = (Arc::clone(self.host), kept.id.clone());
                blocking(move || host.books.spool.erase(&id)).await?;
                bail!("the log does not take it: {reason}");
            }
        }
        fetch(self.host, &kept.id).await.context("the log does not know it although it took it")?;
        info!(document = %kept.id, run = %self.run, pages = found.pages, "spooled");
        Ok(kept.id)
    }

    /// A document is what its content, its source and its purpose are, and not where it stands among others. What is taken
    /// away from where it lies is the same in every run.
    fn identity(&self, found: &Found, fingerprint: Digest, number: u32) -> StreamId {
        let (origin, place) = match (&found.arrival, &self.order.bring) {
            (Some(arrival), _) => (format!("file {}\n{arrival}", self.host.name), 1),
            (None, None) => (format!("run {}\n{}", self.run, found.source), 1),
            (None, Some(_)) => (format!("run {}", self.run), number),
        };
        document_id(&fingerprint, &origin, &self.order.work.purpose, place)
    }

    /// No retry prints another version of what an attempt before has sent to a printer: a person looks first.
    async fn refuse_another_version(&self, id: &StreamId, number: u32) -> anyhow::Result<()> {
        if self.attempt == 1 {
            return Ok(());
        }
        let filter = DocumentFilter {
            run: Some(self.run.clone()),
            limit: 1_000,
            ..DocumentFilter::default()
        };
        let others = until_answered(|| super::books::ask(self.host, &filter)).await;
        let sent = |document: &Document| {
            let origin = &document.spooled.origin;
            let same = matches!(origin, Origin::Run { number: other, .. } if *other == number);
            let form = document.spooled.form.is_some();
            let began =
                document.submissions.iter().any(|one| one.job.is_some() || one.numbers.is_some());
            began && (same || form)
        };
        if let Some((other, _)) =
            others.iter().find(|(other, one)| other != id && sent(&one.document))
        {
            bail!(
                "an attempt before has printed another version of it, or a part ({other}): a person must look"
            );
        }
        Ok(())
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

    async fn keep(&self, id: StreamId, found: &Found, copies: Copies) -> anyhow::Result<Kept> {
        let (host, fingerprint) = (Arc::clone(self.host), copies.fingerprint);
        let (work, found, release) = (self.order.work.clone(), found.clone(), self.release());
        blocking(move || {
            let facts = Facts {
                salt: vault::random()?,
                deliveries: deliver::planned(&host, &work, &found)?,
                ways: work.deliver,
                code: (release == ReleaseBy::Code).then(code).transpose()?,
                title: found.title,
                source: found.source,
                sheets: found.sheets,
            };
            let facts = host.books.spool.put(&id, copies.content, copies.parts, facts)?;
            let mut sealed =
                host.books.spool.content(&id)?.context("it was kept, and is not here")?;
            let commitment = commitment(&facts.salt, &Digest::of_all(&mut sealed)?);
            Ok(Kept { id, facts, fingerprint, commitment })
        })
        .await
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
                match say(self.host, id, &known, PrintEvent::PrintCancelled(cancelled)).await? {
                    Said::Yes | Said::Refused(_) => break,
                    Said::Moved => {}
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
        let documents =
            fs::read_dir(self.dir.path().join(DOCUMENTS)).into_iter().flatten().flatten();
        let brought = self.dir.path().join(super::order::BROUGHT);
        for path in documents.map(|entry| entry.path()).chain([brought]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(path = %path.display(), %error, "a copy of a document stays in the clear");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
}

/// A file that the child wrote: its directory belongs to the job's user, who is not to lead us anywhere else.
fn open(documents: &Path, name: &str) -> anyhow::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let plain = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    anyhow::ensure!(
        plain && name.starts_with(|c: char| c.is_ascii_digit()),
        "{name:?} is no name of ours"
    );
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let path = documents.join(name);
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(&path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    let (meta, place) = (file.metadata()?, fs::symlink_metadata(documents)?);
    let ours = meta.is_file() && meta.nlink() == 1 && meta.uid() == place.uid();
    anyhow::ensure!(ours, "{} is not what the child wrote", path.display());
    anyhow::ensure!(
        meta.len() <= domain::print::DOCUMENT_BYTES_MAX,
        "{} is too large",
        path.display()
    );
    Ok(file)
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
        return Fate { id: short, words: "the log does not know it".to_owned(), good: false };
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
