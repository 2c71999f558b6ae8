//! A log that goes on under another name: after it was brought back from an older copy, or when the key of its heads is another.

use anyhow::{Context as _, bail, ensure};
use domain::event::LogContinued;
use domain::ids::{Class, ProducerId, StreamId};
use domain::ledger::Mark;
use eventlog::Appender;
use jiff::Timestamp;
use tlog::{Checkpoint, Frontier, Note, SignerKey, VerifierKey};

use crate::config::AuditConfig;
use crate::own::{Keys, Own};
use crate::reached::Reached;
use crate::signer::{self, Memory};

/// How a log is to go on.
#[derive(Debug, Clone)]
pub struct ContinueAs {
    /// Its name from now on.
    pub origin: String,
    /// Why.
    pub reason: String,
    /// Whether it was brought back from an older copy, also where nothing here shows it.
    pub restored: bool,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Continuation {
    /// What was said in the log.
    pub said: LogContinued,
    /// The position at which it was.
    pub position: u64,
    /// The name before.
    pub before: String,
}

/// Lets a log go on under another name: looks whether it is what was signed, as far as it reaches, says so in the log, and signs
/// the first head of that name. No recorder may run meanwhile.
///
/// # Errors
/// The database or a key cannot be read; this recorder is not one of the log; or the log is not the beginning of what was signed:
/// one that was changed is not continued.
pub async fn continue_log(
    config: &AuditConfig,
    wanted: &ContinueAs,
    now: Timestamp,
) -> anyhow::Result<Continuation> {
    let log = config.open().await?;
    log.check_schema().await?;
    ensure!(log.head().await?.0 > 0, "the log is empty: there is nothing to continue");
    let keys = Keys::open(config)?;
    let producer = ProducerId::new(Class::Audit, &config.name)?;
    let mut appender = Appender::open(log).await?;
    check_own(&appender, &producer, &keys, config)?;
    let known = Known::read(config, &appender).await?;
    let said = known.continuation(&keys, wanted)?;
    let before = known.origin.clone();
    let own = Own { producer, keys };
    let (mark, _) = own.say(&mut appender, StreamId::continued(), said.clone(), now).await?;
    match mark {
        Mark::Valid => {}
        Mark::Refused { reason } => bail!("the log cannot go on so: {reason}"),
        Mark::Conflict { .. } => bail!("somebody else wrote to the log meanwhile"),
    }
    let (position, _) = appender.head();
    let edge = appender.frontier().clone();
    signer::begin(config, &own.keys, &said.origin, &edge, appender.log(), now).await?;
    Reached::open(&reached_file(config), &said.origin, position)?;
    Ok(Continuation { said, position, before })
}

/// Where a recorder keeps how far the log has reached.
pub(crate) fn reached_file(config: &AuditConfig) -> std::path::PathBuf {
    config.data.join(format!("audit-{}.reached", config.name))
}

fn check_own(
    appender: &Appender,
    producer: &ProducerId,
    keys: &Keys,
    config: &AuditConfig,
) -> anyhow::Result<()> {
    let known = appender.ledger().producers.get(producer);
    let fits = known.is_some_and(|known| known.key == keys.producer.public());
    ensure!(
        fits,
        "{producer} is not in the log with the key of {}: a log is continued by a recorder that it knows",
        config.data.join(format!("audit-{}.key", config.name)).display()
    );
    Ok(())
}

/// What is known here of the log under its name of now.
struct Known {
    origin: String,
    head_key: String,
    size: u64,
    /// The right edge of the tree that was signed last, as far as that is remembered.
    signed: Option<Frontier>,
    /// The newest head in the database.
    newest: Option<String>,
    /// How many events it is known to have held.
    reached: u64,
}

impl Known {
    async fn read(config: &AuditConfig, appender: &Appender) -> anyhow::Result<Self> {
        let ledger = appender.ledger();
        let (Some(origin), Some(head_key)) = (ledger.origin.clone(), ledger.head_key.clone())
        else {
            bail!("the log has no first event");
        };
        let memory = Memory::open(config, &origin, appender.log()).await?;
        let signed = memory.edge.filter(|edge| edge.size() > 0);
        let size = check_tree(appender, signed.as_ref()).await?;
        let noted = Reached::read(&reached_file(config), &origin)?;
        let reached = size.max(noted).max(signed.as_ref().map_or(0, Frontier::size));
        let newest = appender.log().checkpoints(1).await?.into_iter().next();
        Ok(Self { origin, head_key, size, signed, newest, reached })
    }

    fn continuation(&self, keys: &Keys, wanted: &ContinueAs) -> anyhow::Result<LogContinued> {
        let next = key_named(keys, &wanted.origin)?.verifier_key().to_string();
        // Whoever holds the key before can sign for it still.
        let old = key_named(keys, &self.origin)?;
        let held = old.verifier_key().to_string() == self.head_key;
        let before = match &self.signed {
            Some(edge) if held => {
                Some(Checkpoint::new(&self.origin, edge.size(), edge.root())?.sign(&old)?)
            }
            Some(_) | None => {
                self.newest.as_deref().map(|note| self.own_lines(note)).transpose()?
            }
        };
        let text = LogContinued::handover_text(&self.origin, &next);
        let handover = held.then(|| Note::sign(&text, &[&old])).transpose()?;
        Ok(LogContinued {
            origin: wanted.origin.clone(),
            head_key: next,
            before,
            size: self.size,
            reached: self.reached,
            restored: wanted.restored || self.reached > self.size,
            handover: handover.map(|note| note.to_string()),
            reason: wanted.reason.clone(),
        })
    }

    /// A head with the log's own signature: those of witnesses could make it longer than what can be said.
    fn own_lines(&self, note: &str) -> anyhow::Result<String> {
        let key: VerifierKey = self.head_key.parse()?;
        let read = Note::parse(note.as_bytes())?;
        Checkpoint::open(note.as_bytes(), std::slice::from_ref(&key))
            .context("the newest head in the database")?;
        Ok(read.only(&key).to_string())
    }
}

fn key_named(keys: &Keys, origin: &str) -> anyhow::Result<SignerKey> {
    SignerKey::from_seed(origin, &keys.head_seed)
        .with_context(|| format!("{origin:?} cannot be the name of a log"))
}

/// Computes the tree from the leaves: it must be the one that the database says, and begin with the one that was signed, or end
/// before that.
async fn check_tree(appender: &Appender, signed: Option<&Frontier>) -> anyhow::Result<u64> {
    let (size, root) = appender.log().head().await?;
    let mut edge = Frontier::new();
    let signed = signed.filter(|signed| signed.size() <= size);
    if let Some(signed) = signed {
        signer::grow(appender.log(), &mut edge, signed.size()).await?;
        ensure!(
            edge.root() == signed.root(),
            "the first {} events are not those over which a head was signed: the log was changed, and one that was changed is not continued. Bring back another copy; `decklog verify` says what is wrong",
            signed.size()
        );
    }
    signer::grow(appender.log(), &mut edge, size).await?;
    ensure!(edge.root() == root, "the events are not those of the tree that the database names");
    Ok(size)
}
