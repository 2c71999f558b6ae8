//! The recorder as a producer: its keys, its own events, and how it comes into the log.
//!
//! A recorder has no journal beside the log: its own events are sealed in the transaction that commits
//! them, so what it said and what is in the log are the same by construction.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bus::{Bus, Service};
use bytes::Bytes;
use domain::envelope::{Draft, Place};
use domain::event::{Event, LogCreated};
use domain::flush::Flush;
use domain::ids::{Class, ProducerId, StreamId};
use domain::keys::SecretKey;
use domain::ledger::Mark;
use domain::wire::{AppendAnswer, AppendRequest, Enrol, LogEntry};
use eventlog::Appender;
use jiff::Timestamp;
use tracing::info;

use crate::config::AuditConfig;
use crate::{Surroundings, join};

/// The recorder's secrets.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) producer: SecretKey,
    pub(crate) head_seed: [u8; 32],
    pub(crate) join: [u8; 32],
}

impl Keys {
    pub(crate) fn open(config: &AuditConfig) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data)
            .with_context(|| format!("making the directory {}", config.data.display()))?;
        let head = config.head_key.clone().unwrap_or_else(|| config.data.join("head.key"));
        let secret = config.join_secret.clone().unwrap_or_else(|| config.data.join("join.secret"));
        let own = config.data.join(format!("audit-{}.key", config.name));
        Ok(Self {
            producer: journal::load_or_create_key(&own)?,
            head_seed: journal::load_or_create_key(&head)?.seed(),
            join: join::secret(&secret)?,
        })
    }
}

/// The recorder as a producer.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) producer: ProducerId,
    pub(crate) keys: Keys,
}

impl Own {
    /// Seals drafts as the next flush of this recorder.
    pub(crate) fn flush(
        &self,
        place: Place,
        drafts: Vec<Draft>,
        now: Timestamp,
    ) -> anyhow::Result<Flush> {
        seal(&self.producer, &self.keys.producer, place, drafts, now)
    }

    /// Appends an event of this recorder's own at the end of a stream: how it was judged, and what is to be told of it.
    pub(crate) async fn say(
        &self,
        appender: &mut Appender,
        stream: StreamId,
        event: impl Into<Event>,
        now: Timestamp,
    ) -> anyhow::Result<(Mark, Vec<LogEntry>)> {
        let version = appender.log().stream(&stream).await?.map_or(0, |state| state.version) + 1;
        appender.reload_if_moved().await?;
        let known = appender.ledger().producers.get(&self.producer);
        let place = known.map(|producer| producer.place).unwrap_or_default();
        let flush = self.flush(place, vec![Draft::new(stream, version, event)], now)?;
        let (results, entries) = appender.append(&[flush], now).await?;
        let appended = results.into_iter().next().context("the log answered nothing")??;
        let mark = appended.events.into_iter().next().map(|event| event.mark);
        Ok((mark.context("the log answered nothing")?, entries))
    }
}

fn seal(
    producer: &ProducerId,
    key: &SecretKey,
    mut place: Place,
    drafts: Vec<Draft>,
    now: Timestamp,
) -> anyhow::Result<Flush> {
    let mut envelopes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        envelopes.push(place.seal(producer, draft, identity(now)?, now)?);
    }
    Ok(Flush::sign(envelopes, key)?)
}

fn identity(now: Timestamp) -> anyhow::Result<uuid::Uuid> {
    let mut entropy = [0; 10];
    getrandom::fill(&mut entropy).map_err(|error| anyhow::anyhow!("no entropy: {error}"))?;
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid())
}

/// Makes sure that this recorder may append: it creates an empty log, and joins one that others made.
pub(crate) async fn enter(
    appender: &mut Appender,
    config: &AuditConfig,
    producer: &ProducerId,
    keys: &Keys,
    bus: &Bus,
    around: &Surroundings,
) -> anyhow::Result<()> {
    if appender.ledger().size == 0 {
        create(appender, config, producer, keys, (around.clock)()).await?;
    }
    let mut stop = around.stop.clone();
    loop {
        match appender.ledger().producers.get(producer) {
            Some(known) if known.revoked => bail!(
                "the key of {producer} was revoked: give this recorder another name, and let another one that runs let it in"
            ),
            Some(known) if known.key == keys.producer.public() => return Ok(()),
            Some(_) => bail!(
                "{producer} is in the log with another key: give this recorder another name, or bring back {}",
                config.data.join(format!("audit-{}.key", config.name)).display()
            ),
            None => ask(bus, producer, keys).await?,
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = stop.wait_for(|stop| *stop) => bail!("stopped while waiting to be let in"),
        }
        appender.reload().await?;
    }
}

async fn create(
    appender: &mut Appender,
    config: &AuditConfig,
    producer: &ProducerId,
    keys: &Keys,
    now: Timestamp,
) -> anyhow::Result<()> {
    let public = keys.producer.public();
    let origin =
        config.origin.clone().unwrap_or_else(|| format!("decklog.local/{}", public.id().short()));
    let head = tlog::SignerKey::from_seed(&origin, &keys.head_seed)
        .with_context(|| format!("{origin:?} cannot be the name of a log"))?;
    let event = LogCreated {
        origin: origin.clone(),
        producer: producer.clone(),
        key: public.to_hex(),
        head_key: head.verifier_key().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let draft = Draft::new(StreamId::log("main"), 1, event);
    let flush = seal(producer, &keys.producer, Place::default(), vec![draft], now)?;
    let (results, _) = appender.append(&[flush], now).await?;
    match results.into_iter().next() {
        Some(Ok(appended)) if appended.all_valid() => info!(%origin, "created the log"),
        // Another recorder was faster; this one joins.
        Some(_) | None => appender.reload().await?,
    }
    Ok(())
}

/// Asks the recorders that run to let this one in.
async fn ask(bus: &Bus, producer: &ProducerId, keys: &Keys) -> anyhow::Result<()> {
    let token = join::join_token(&keys.join, Class::Audit);
    let request = AppendRequest::Enrol(Enrol::new(producer, &keys.producer, &token));
    let body = Bytes::from(request.to_bytes());
    let Ok(answer) = bus.request(&Service::Append, body, Duration::from_secs(5)).await else {
        return Ok(());
    };
    let answers: Vec<AppendAnswer> = serde_json::from_slice(&answer)?;
    match answers.first() {
        Some(AppendAnswer::Refused { reason }) => bail!("{producer} is not let in: {reason}"),
        Some(
            AppendAnswer::Enrolled
            | AppendAnswer::Committed { .. }
            | AppendAnswer::Waiting
            | AppendAnswer::Busy { .. }
            | AppendAnswer::NotEnrolled,
        )
        | None => Ok(()),
    }
}
