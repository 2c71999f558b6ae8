//! Signs heads, and only of logs that continue what it signed before.
//!
//! The signer remembers, in a file of its own, the last head it signed together with the right edge of
//! that tree. Before it signs again it pushes the leaves that came since onto that edge: only if the
//! result is the new root does the new log begin with the old one. A database restored from an old backup,
//! or changed behind our back, therefore cannot get a signature by accident.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use domain::canonical::{hex, unhex};
use domain::ids::StreamId;
use eventlog::{Appender, EventLog};
use jiff::Timestamp;
use tlog::{Checkpoint, Frontier, Hash, SignerKey};

use crate::config::AuditConfig;
use crate::own::Keys;

/// Leaves read at once while extending.
const LEAVES: u32 = 2_000;

#[derive(Debug)]
pub(crate) struct Signer {
    key: SignerKey,
    memory: PathBuf,
    /// The right edge of the tree at the last signed head.
    edge: Frontier,
}

impl Signer {
    /// `None` where this recorder does not hold the key that signs this log's heads.
    pub(crate) async fn open(
        config: &AuditConfig,
        keys: &Keys,
        appender: &Appender,
    ) -> anyhow::Result<Option<Self>> {
        let ledger = appender.ledger();
        let (Some(origin), Some(head_key)) = (&ledger.origin, &ledger.head_key) else {
            bail!("the log has no first event");
        };
        let key = SignerKey::from_seed(origin, &keys.head_seed)?;
        if key.verifier_key().to_string() != *head_key {
            tracing::warn!(
                "this recorder does not hold the key that signs heads: it records, and signs none"
            );
            return Ok(None);
        }
        let memory = Memory::open(config, origin, appender.log()).await?;
        let edge = memory.edge.unwrap_or_default();
        let mut signer = Self { key, memory: memory.path, edge };
        // Found out now rather than at the next head: the log must continue what was signed.
        let (size, root) = appender.log().head().await?;
        let edge = signer.extend(appender.log(), size, root).await?;
        signer.edge = edge;
        Ok(Some(signer))
    }

    /// The name under which it signs.
    pub(crate) fn origin(&self) -> &str {
        self.key.name()
    }

    pub(crate) fn signed_size(&self) -> u64 {
        self.edge.size()
    }

    /// Signs the log as it is now and keeps the head.
    pub(crate) async fn sign(&mut self, log: &EventLog, now: Timestamp) -> anyhow::Result<()> {
        let (size, root) = log.head().await?;
        if size == self.edge.size() && size > 0 && self.memory.exists() {
            return Ok(());
        }
        let edge = self.extend(log, size, root).await?;
        let note = Checkpoint::new(self.key.name(), size, root)?.sign(&self.key)?;
        // Remembered first: a head that was signed and is not remembered could be contradicted.
        remember(&self.memory, &edge, self.key.name())?;
        self.edge = edge;
        log.put_checkpoint(size, &note, now).await?;
        Ok(())
    }

    async fn extend(&self, log: &EventLog, size: u64, root: Hash) -> anyhow::Result<Frontier> {
        let mut edge = self.edge.clone();
        if size < edge.size() {
            bail!(
                "the log has {size} events, but a head over {} was signed: it was cut, or brought back from an older copy; it gets no signature. See `decklog continue`",
                edge.size()
            );
        }
        grow(log, &mut edge, size).await?;
        if edge.root() != root {
            bail!(
                "the log at size {size} does not continue the head that was signed at {}: it was changed; it gets no signature",
                self.edge.size()
            );
        }
        Ok(edge)
    }
}

/// What a signer remembers of the log under one name.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    /// The right edge of the tree at the head that it signed last; `None` where it signed none under that name.
    pub(crate) edge: Option<Frontier>,
}

impl Memory {
    pub(crate) async fn open(
        config: &AuditConfig,
        origin: &str,
        log: &EventLog,
    ) -> anyhow::Result<Self> {
        let path = memory_file(config);
        let Some((edge, name)) = recall(&path)? else { return Ok(Self { path, edge: None }) };
        let own = match name {
            Some(name) => name == origin,
            // Written by an older version: of the log's first name.
            None => log.streams(&[StreamId::continued()].into()).await?.is_empty(),
        };
        Ok(Self { path, edge: own.then_some(edge) })
    }
}

fn memory_file(config: &AuditConfig) -> PathBuf {
    config.data.join(format!("signer-{}.last", config.name))
}

/// Takes the leaves of the log behind `edge` in, up to a size.
pub(crate) async fn grow(log: &EventLog, edge: &mut Frontier, size: u64) -> anyhow::Result<()> {
    while edge.size() < size {
        let leaves = log.leaves(edge.size(), LEAVES).await?;
        if leaves.is_empty() {
            bail!("position {} is missing in the log", edge.size() + 1);
        }
        for leaf in leaves.iter().take_while(|leaf| leaf.position <= size) {
            if leaf.position != edge.size() + 1 {
                bail!("position {} is missing in the log", edge.size() + 1);
            }
            edge.push(tlog::leaf_hash(&leaf.bytes));
        }
    }
    Ok(())
}

/// Signs the first head of a log under another name.
pub(crate) async fn begin(
    config: &AuditConfig,
    keys: &Keys,
    origin: &str,
    edge: &Frontier,
    log: &EventLog,
    now: Timestamp,
) -> anyhow::Result<()> {
    let key = SignerKey::from_seed(origin, &keys.head_seed)?;
    let note = Checkpoint::new(origin, edge.size(), edge.root())?.sign(&key)?;
    remember(&memory_file(config), edge, origin)?;
    log.put_checkpoint(edge.size(), &note, now).await?;
    Ok(())
}

fn recall(path: &Path) -> anyhow::Result<Option<(Frontier, Option<String>)>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let mut lines = text.lines();
    let size = lines.next().and_then(|line| line.parse().ok());
    let bytes = lines.next().and_then(unhex);
    let (Some(size), Some(bytes)) = (size, bytes) else {
        bail!(
            "{} is not the memory of a signer: bring it back from a backup, or the next head could contradict an earlier one",
            path.display()
        );
    };
    Ok(Some((Frontier::from_bytes(size, &bytes)?, lines.next().map(str::to_owned))))
}

fn remember(path: &Path, edge: &Frontier, origin: &str) -> anyhow::Result<()> {
    let text = format!("{}\n{}\n{origin}\n", edge.size(), hex(&edge.to_bytes()));
    journal::replace(path, text.as_bytes(), 0o644)
        .with_context(|| format!("keeping {}", path.display()))
}
