//! `decklog records disclose`: a payload as a file that shows by itself that the log commits to it.

use domain::canonical::Digest;
use domain::envelope::Envelope;
use domain::ids::{StreamId, StreamType};
use domain::payload::{Disclosure, named};
use serde::Deserialize;
use serde_json::json;

use crate::cli::Disclose;
use crate::client::{Client, escape};
use crate::commands::console_that;
use crate::commands::print::write_new;
use crate::source::Source;
use crate::{exit, output};

/// What a console tells of a salt.
#[derive(Debug, Deserialize)]
struct Salt {
    salt: Digest,
}

/// An event that commits to a payload.
#[derive(Debug)]
struct Committing {
    position: u64,
    envelope: Envelope,
}

pub(super) fn run(wanted: &Disclose) -> anyhow::Result<()> {
    let of = named(&wanted.of).map_err(exit::usage)?;
    if wanted.to.exists() {
        return Err(exit::usage(format!("{} exists already", wanted.to.display())));
    }
    let event = committing(&Source::open(&wanted.place)?, &of, wanted.attempt)?;
    let client = console_that(&wanted.place, "asks hosts for what they have")?;
    let (content, salt) = fetched(&client, &of, &event.envelope, &wanted.reason)?;
    let (position, event, id) = (event.position, &event.envelope, event.envelope.id);
    let shown = Disclosure { position, event: id, salt: salt.0, content: &content };
    let committed = event.payload.as_ref().map(|payload| payload.commitment);
    if committed != Some(shown.commitment()) {
        return Err(exit::unclean(format!(
            "what the host gives of {of} is not what the event at {position} commits to"
        )));
    }
    write_new(&wanted.to, &shown.to_bytes())?;
    output::line(&format!(
        "{}: {} bytes of {of}, as the event at {position} commits to them",
        wanted.to.display(),
        content.len()
    ))
}

/// The newest event of a stream that commits to a payload, of one attempt where it is named.
fn committing(source: &Source, of: &StreamId, attempt: Option<u32>) -> anyhow::Result<Committing> {
    let mut found = None;
    source.each_of(of, |entry| {
        let envelope = entry.envelope()?;
        let fits = attempt.is_none() || attempt_of(&envelope) == attempt;
        if entry.void.is_none() && envelope.payload.is_some() && fits {
            found = Some(Committing { position: entry.position, envelope });
        }
        Ok(())
    })?;
    found.ok_or_else(|| {
        exit::not_found(format!(
            "the log commits to no payload of {of}: it wrote nothing, or has not ended"
        ))
    })
}

/// Which attempt an event is about.
fn attempt_of(envelope: &Envelope) -> Option<u32> {
    let data = &envelope.data;
    let number = data.pointer("/report/attempt").or_else(|| data.get("attempt"))?;
    number.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The content, and the salt of the commitment to it.
fn fetched(
    client: &Client,
    of: &StreamId,
    event: &Envelope,
    reason: &str,
) -> anyhow::Result<(Vec<u8>, Digest)> {
    if of.stream_type() == StreamType::Document {
        let path = format!("/api/v1/documents/{}", of.rest());
        let why = json!({"reason": reason});
        let Salt { salt } = client.post_json(&format!("{path}/salt"), &why)?;
        return Ok((client.post_bytes(&format!("{path}/content"), &why)?, salt));
    }
    let attempt = attempt_of(event);
    let query = attempt.map(|number| format!("?attempt={number}")).unwrap_or_default();
    let Salt { salt } =
        client.get_json(&format!("/api/v1/runs/{}/salt{query}", escape(of.rest())))?;
    let mut content = Vec::new();
    loop {
        let part = client.output(of.rest(), attempt, content.len() as u64)?;
        if part.bytes.is_empty() {
            return Ok((content, salt));
        }
        content.extend_from_slice(&part.bytes);
    }
}
