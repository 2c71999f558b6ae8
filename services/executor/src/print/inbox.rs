//! Directories that queues watch: a file that has been left alone long enough becomes a document, and then goes away.
//!
//! A file is what it is by its name, its inode, its time and its content: taken again after a kill in between, it is known,
//! and not printed a second time. One that cannot be printed is renamed, so that it stands in nobody's way and is seen.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bus::recorder::each_stream;
use domain::canonical::Digest;
use domain::envelope::{Draft, PayloadRef};
use domain::event::{DefinitionRef, Event, Origin, PrintEvent, PrintSpooled};
use domain::ledger::Mark;
use domain::payload::commitment;
use domain::print::{Inbox, QueueDefinition, ReleaseBy, document_id};
use domain::wire::{Selection, StreamView};
use jiff::Timestamp;
use tracing::{info, warn};

use super::books::fetch;
use super::intake::code;
use super::look::{self, Looked};
use super::spool::Facts;
use super::vault;
use crate::host::Host;
use crate::life::blocking;

/// How often directories are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often the log is asked which queues watch one.
const ASK: Duration = Duration::from_secs(10);
/// What the name of a file ends in that cannot be printed.
const REFUSED: &str = ".not-printed";
/// The class of content that nobody has given one.
const CLASS: &str = "general";

/// A queue that watches a directory of this host.
#[derive(Debug, Clone)]
struct Watched {
    queue: QueueDefinition,
    definition: DefinitionRef,
    inbox: Inbox,
}

/// A file, as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    inode: u64,
    bytes: u64,
    written: (i64, i64),
}

impl Trace {
    fn of(meta: &fs::Metadata) -> Self {
        Self { inode: meta.ino(), bytes: meta.len(), written: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// Watches until told to stop.
pub(crate) async fn watch(host: Arc<Host>) {
    let (mut watched, mut asked): (Vec<Watched>, Option<Instant>) = (Vec::new(), None);
    let mut said = None;
    let mut seen: BTreeMap<PathBuf, (Trace, Instant)> = BTreeMap::new();
    loop {
        if asked.is_none_or(|at| at.elapsed() >= ASK) {
            match queues(&host).await {
                Ok(found) => (watched, asked, said) = (found, Some(Instant::now()), None),
                Err(error) => {
                    // It is asked again soon; each reason is said once.
                    let why = error.to_string();
                    if said.as_ref() != Some(&why) {
                        warn!(error = %why, "which directories are to be watched cannot be asked");
                    }
                    said = Some(why);
                }
            }
        }
        for one in &watched {
            if let Err(error) = round(&host, one, &mut seen).await {
                let error = format!("{error:#}");
                warn!(queue = %one.queue.name, %error, "the directory of a queue cannot be worked on");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The queues that watch a directory of this host.
async fn queues(host: &Arc<Host>) -> anyhow::Result<Vec<Watched>> {
    let mut found = Vec::new();
    let take = |view: StreamView| {
        let Some(queue) = view.state.body.queue() else { return };
        let (Some(definition), Some(span)) = (queue.definition(), queue.defined.active()) else {
            return;
        };
        if let Some(inbox) = definition.inbox.clone().filter(|inbox| inbox.host == host.name) {
            found.push(Watched { queue: definition, definition: span.reference(), inbox });
        }
    };
    each_stream(&host.bus, Selection::Queues, take).await?;
    Ok(found)
}

async fn round(
    host: &Arc<Host>,
    one: &Watched,
    seen: &mut BTreeMap<PathBuf, (Trace, Instant)>,
) -> anyhow::Result<()> {
    host.allow.check_inbox(&one.inbox.directory).map_err(anyhow::Error::msg)?;
    let directory = PathBuf::from(&one.inbox.directory);
    let there = blocking(move || files(&directory)).await?;
    let below = Path::new(&one.inbox.directory);
    seen.retain(|path, _| {
        path.parent() != Some(below) || there.binary_search_by(|(other, _)| other.cmp(path)).is_ok()
    });
    for (path, trace) in there {
        let since = match seen.get(&path) {
            Some((known, since)) if *known == trace => *since,
            Some(_) | None => {
                seen.insert(path, (trace, Instant::now()));
                continue;
            }
        };
        let name = path.display().to_string();
        if since.elapsed() < one.inbox.settle.as_duration() || !host.books.may(&name) {
            continue;
        }
        // One that makes trouble keeps no other waiting.
        if let Err(error) = take(host, one, &path, &trace).await {
            warn!(%name, error = %format!("{error:#}"), "a file cannot be taken now");
            host.books.put_off(&name);
        }
    }
    Ok(())
}

/// Files of a directory that are to be printed, in the order of their names.
fn files(directory: &Path) -> anyhow::Result<Vec<(PathBuf, Trace)>> {
    let mut found = Vec::new();
    let what = || format!("reading {}", directory.display());
    for entry in fs::read_dir(directory).with_context(what)? {
        let entry = entry.with_context(what)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let meta = fs::symlink_metadata(entry.path());
        let Ok(meta) = meta else { continue };
        if meta.is_file() && !name.starts_with('.') && !name.ends_with(REFUSED) {
            found.push((entry.path(), Trace::of(&meta)));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Takes a file in, and away.
async fn take(host: &Arc<Host>, one: &Watched, path: &Path, trace: &Trace) -> anyhow::Result<()> {
    let (looker, queue, from) = (Arc::clone(host), one.queue.clone(), path.to_owned());
    let looked = blocking(move || look::look(&looker, &queue, &from)).await;
    let looked = match looked {
        Ok(looked) => looked,
        Err(error) => return set_aside(path, &error),
    };
    // Another file may have come under this name meanwhile: that one is looked at in its turn.
    if !is_still(path, trace) {
        return Ok(());
    }
    if let Err(problem) = domain::print::check_ranges(&one.inbox.options.pages, Some(looked.pages))
    {
        return set_aside(path, &anyhow::anyhow!(problem));
    }
    let (id, spooled, payload) = {
        let (host, one, path, trace) =
            (Arc::clone(host), one.clone(), path.to_owned(), trace.clone());
        blocking(move || keep(&host, &one, &path, &trace, &looked)).await?
    };
    if fetch(host, &id).await.is_none() {
        let event = Event::PrintEvent(PrintEvent::PrintSpooled(spooled));
        let draft = Draft::new(id.clone(), 1, event).with_payload(payload);
        match host.outbox.say(draft).await?.mark {
            Mark::Valid | Mark::Conflict { .. } => {}
            Mark::Refused { reason } => bail!("the log does not take {}: {reason}", path.display()),
        }
        fetch(host, &id).await.context("the log does not know it although it took it")?;
        info!(document = %id, queue = %one.queue.name, "taken out of the queue's directory");
    }
    if is_still(path, trace) {
        fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

fn is_still(path: &Path, trace: &Trace) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && Trace::of(&meta) == *trace)
}

fn keep(
    host: &Host,
    one: &Watched,
    path: &Path,
    trace: &Trace,
    looked: &Looked,
) -> anyhow::Result<(domain::ids::StreamId, PrintSpooled, PayloadRef)> {
    let spool = &host.books.spool;
    let mut content = fs::File::open(&looked.copy.0)?;
    let fingerprint = spool.fingerprint(&mut content)?;
    std::io::Seek::rewind(&mut content)?;
    let origin =
        format!("inbox {}\n{}\n{}\n{:?}", host.name, path.display(), trace.inode, trace.written);
    let id = document_id(&fingerprint, &origin, &one.queue.name, 1);
    let release = one.queue.release;
    let facts = Facts {
        title: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        source: path.display().to_string(),
        salt: vault::random()?,
        sheets: Vec::new(),
        deliveries: Vec::new(),
        ways: Vec::new(),
        code: (release == ReleaseBy::Code).then(code).transpose()?,
    };
    let facts = spool.put(&id, content, Vec::new(), facts)?;
    let mut sealed = spool.content(&id)?.context("it was kept, and is not here")?;
    let content = Digest::of_all(&mut sealed)?;
    let commitment = commitment(&facts.salt, &content);
    let nanos = i32::try_from(trace.written.1).unwrap_or(0);
    let spooled = PrintSpooled {
        origin: Origin::Inbox {
            written: domain::envelope::to_micros(
                Timestamp::new(trace.written.0, nanos).unwrap_or_default(),
            ),
        },
        host: host.name.clone(),
        queue: one.queue.name.clone(),
        definition: one.definition.clone(),
        purpose: "inbox".to_owned(),
        fingerprint,
        format: looked.format,
        pages: looked.pages,
        bytes: looked.bytes,
        options: one.inbox.options.clone(),
        priority: 50,
        form: None,
        release,
        control: None,
        keep_ms: one.queue.keep.millis(),
        deliveries: 0,
        paper: true,
    };
    Ok((id, spooled, PayloadRef { commitment, class: CLASS.to_owned() }))
}

/// What cannot be printed stays, under another name that nobody has.
fn set_aside(path: &Path, error: &anyhow::Error) -> anyhow::Result<()> {
    warn!(path = %path.display(), error = %format!("{error:#}"), "a file cannot be printed, and is set aside");
    for number in 0..1_000 {
        let mut name = path.as_os_str().to_owned();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.push(REFUSED);
        match fs::hard_link(path, &name) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("setting {} aside", path.display()));
            }
            Ok(()) => return Ok(fs::remove_file(path)?),
        }
    }
    bail!("{} cannot be set aside: there are a thousand of that name", path.display())
}
