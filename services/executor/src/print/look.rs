//! Looking at one file for a queue: in a process of its own, bounded like a job's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use domain::job::PRINT_MEMORY_BYTES;
use domain::print::{DocumentFormat, DocumentSource, PrintWork, QueueDefinition};
use serde_json::{Value, json};
use tracing::warn;

use super::documents_of;
use super::intake::write_fates;
use super::order::{DOCUMENTS, Fates, Found, Gathered, PrintOrder, Task};
use crate::attempt::{AtLimit, AttemptDir, OutputLimit, Spec, Stop};
use crate::host::Host;
use crate::life::make_ready_in;

/// How long a look may take, in milliseconds.
const LOOK_MS: u64 = 120_000;
/// How long its end is waited for when it was told to stop.
const LAST: Duration = Duration::from_secs(20);
/// How often it is looked whether it has found what it looks for.
const POLL: Duration = Duration::from_millis(20);

/// What was found of a file.
#[derive(Debug)]
pub(super) struct Looked {
    /// The copy that was looked at.
    pub(super) copy: Copy,
    /// What it is.
    pub(super) format: DocumentFormat,
    /// Pages.
    pub(super) pages: u32,
    /// Bytes.
    pub(super) bytes: u64,
}

/// A file that goes away when this is dropped.
#[derive(Debug)]
pub(super) struct Copy(pub(super) PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Looks at a file. Blocks.
///
/// # Errors
/// It is no document, or over a limit of its queue.
pub(super) fn look(host: &Host, queue: &QueueDefinition, file: &Path) -> anyhow::Result<Looked> {
    let dir = make_ready_in(&host.looks, &spec(host, queue, file)?)?;
    let looked = run(host, &dir);
    if looked.is_err() {
        let _ = dir.cancel("nobody waits for it any more");
        let _ = dir.kill_leftovers();
    }
    if let Err(error) = dir.remove() {
        warn!(path = %dir.path().display(), %error, "what was found of a file stays until the next start");
    }
    looked
}

fn run(host: &Host, dir: &AttemptDir) -> anyhow::Result<Looked> {
    dir.start(&host.supervisors)?;
    let until = Instant::now() + Duration::from_millis(LOOK_MS) + LAST;
    let gathered: Gathered = loop {
        if let Some(bytes) = dir.report()?.filter(|bytes| bytes.ends_with(b"\n")) {
            break serde_json::from_slice(&bytes)?;
        }
        if dir.is_over() {
            let said = String::from_utf8_lossy(&dir.output(0)?).trim().to_owned();
            bail!("{}", said.lines().last().unwrap_or("it cannot be read"));
        }
        anyhow::ensure!(Instant::now() < until, "it takes too long to look at");
        std::thread::sleep(POLL);
    };
    let [Found { file, format, pages, bytes, .. }] = gathered.documents.as_slice() else {
        bail!("nothing was found");
    };
    // Out of the directory, which goes away.
    let copy = host
        .looks
        .join(format!(".{}", dir.path().file_name().unwrap_or_default().to_string_lossy()));
    fs::rename(dir.path().join(DOCUMENTS).join(file), &copy).context("keeping a copy")?;
    let looked = Looked { copy: Copy(copy), format: *format, pages: *pages, bytes: *bytes };
    write_fates(dir.path(), &Fates { spooled: true, problem: None, ended: Some(Vec::new()) })?;
    dir.wait(LAST)?;
    Ok(looked)
}

fn spec(host: &Host, queue: &QueueDefinition, file: &Path) -> anyhow::Result<Spec> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let title = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let documents = DocumentSource::Files(file.display().to_string());
    let work: PrintWork =
        serde_json::from_value(json!({ "documents": documents, "queue": queue.name }))?;
    let task =
        Task { work: work.clone(), queue: queue.clone(), brought: Some((file.to_owned(), title)) };
    let definition = domain::event::DefinitionRef::new(1, domain::canonical::Digest::NONE);
    let order = PrintOrder { work, queue: queue.clone(), definition, bring: None };
    Ok(Spec {
        run: format!("inbox/{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
        attempt: 1,
        job: "inbox".to_owned(),
        business_date: None,
        refused: None,
        program: documents_of(host),
        cwd: None,
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        providers: BTreeMap::new(),
        run_as: None,
        timeout_ms: Some(LOOK_MS),
        stop: Stop { signal: "TERM".to_owned(), grace_ms: 2_000 },
        output: OutputLimit {
            bytes: 64 * 1024,
            at_limit: AtLimit::Truncate,
            bytes_per_second: None,
            success_text: Vec::new(),
            failure_text: Vec::new(),
        },
        stdin: Some(serde_json::to_string(&task)?),
        cgroup: host.cgroup.clone(),
        memory_bytes: Some(PRINT_MEMORY_BYTES),
        backup: None,
        print: Some(Box::new(order)),
        print_touches: None,
        artefacts: BTreeMap::new(),
        memo: Value::Null,
    })
}
