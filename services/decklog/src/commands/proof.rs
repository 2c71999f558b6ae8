//! `decklog events --proof N`: that an event is in the newest signed head, computed again here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::event::{Event, LogEvent};
use domain::wire::{Content, Inclusion, Proof, Query};
use serde::Serialize;
use tlog::{Checkpoint, Hash, VerifierKey, leaf_hash, verify_inclusion};

use crate::cli::Format;
use crate::source::Source;
use crate::{exit, output};

/// A proof that holds.
#[derive(Debug, Serialize)]
struct Checked {
    /// The key whose signature the head has, as the log's first event names it.
    key: String,
    /// How many events the head is of.
    size: u64,
    root: String,
    proof: Inclusion,
}

pub(crate) fn run(source: &Source, position: u64, format: Format) -> anyhow::Result<()> {
    let proof = proof(source, position)?;
    let key = head_key(source)?;
    let checked = check(&key, proof).map_err(|why| {
        exit::unclean(format!("the proof of event {position} does not hold: {why}"))
    })?;
    output::one(format, &checked, text)
}

/// Asks until all that is needed for it is read: each question reads a part, and the next goes on from there.
pub(super) fn proof(source: &Source, position: u64) -> anyhow::Result<Inclusion> {
    let mut before = None;
    loop {
        let Content::Proof(proof) = source.ask(&Query::Proof { position })?.content else {
            anyhow::bail!("the answer is to another question");
        };
        match proof {
            Proof::Proven(proof) => return Ok(proof),
            Proof::Reading { read, .. } if before.is_none_or(|before| before < read) => {
                before = Some(read);
            }
            Proof::Reading { read, size } => {
                anyhow::bail!("{read} of {size} leaves were read, and no more come")
            }
            Proof::NotSigned { size } => {
                let text = format!("the newest signed head reaches to {size}, not to {position}");
                return Err(exit::not_found(text));
            }
        }
    }
}

/// The key that signs heads, as the log's first event names it.
fn head_key(source: &Source) -> anyhow::Result<String> {
    let first = source.events(0, 1, None)?;
    let event = first.first().map(|entry| entry.envelope()).transpose()?;
    match event.map(|envelope| envelope.event()).transpose()? {
        Some(Event::LogEvent(LogEvent::LogCreated(created))) => Ok(created.head_key),
        Some(_) | None => anyhow::bail!("the log does not begin with its creation"),
    }
}

fn check(key: &str, proof: Inclusion) -> anyhow::Result<Checked> {
    let verifier: VerifierKey = key.parse()?;
    let head = Checkpoint::open(proof.head.as_bytes(), &[verifier])?;
    let hash = leaf_hash(&STANDARD.decode(&proof.leaf)?);
    anyhow::ensure!(hash.0 == proof.hash.0, "the hash is not that of the leaf");
    let path: Vec<Hash> = proof.path.iter().map(|digest| Hash(digest.0)).collect();
    let index = proof.position.saturating_sub(1);
    verify_inclusion(&hash, index, head.size(), &path, &head.root())?;
    let (size, root) = (head.size(), head.root().to_string());
    Ok(Checked { key: key.to_owned(), size, root, proof })
}

fn text(checked: &Checked) -> String {
    let (proof, mut lines) = (&checked.proof, Vec::new());
    lines.push(format!("event     {}", proof.position));
    lines.push(format!("leaf      {}", proof.hash));
    lines.extend(proof.path.iter().map(|hash| format!("path      {hash}")));
    lines.push(format!("root      {} of {} events", checked.root, checked.size));
    lines.push(format!("signed    by {}", checked.key));
    lines.push(
        "proven    the event is in the signed head, at this position and with these bytes"
            .to_owned(),
    );
    format!("{}\n\n{}", lines.join("\n"), proof.head)
}
