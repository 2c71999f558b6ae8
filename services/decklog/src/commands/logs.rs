//! `decklog logs RUN`: the output of a run.

use std::time::Duration;

use anyhow::bail;
use domain::ids::StreamId;
use domain::run::{Run, State};
use domain::wire::{Content, Query};

use super::console_at;
use super::runs::run_id;
use crate::cli::Logs;
use crate::client::Client;
use crate::source::Source;
use crate::{exit, output};

/// How often to look for more.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn run(logs: &Logs) -> anyhow::Result<()> {
    let id = run_id(&logs.run)?;
    if let Some(client) = console_at(&logs.place)? {
        if logs.follow {
            return follow(&client, &id, logs.attempt).map(|_| ());
        }
        return print_from(&client, &id, logs.attempt, 0).map(|_| ());
    }
    let source = Source::open(&logs.place)?;
    let state = source.stream(&id)?.ok_or_else(|| exit::not_found(format!("there is no {id}")))?;
    let Some(number) = logs.attempt.or(state.body.run().and_then(Run::attempt).map(|a| a.number))
    else {
        return Ok(());
    };
    let run = state.body.run().into_iter();
    let silent = run.flat_map(|run| &run.attempts).any(|a| a.number == number && a.is_silent());
    if silent {
        return Ok(());
    }
    let attempts =
        source.dir().map(|dir| dir.join("executor").join("attempts")).unwrap_or_default();
    match executor::read_output(&attempts, id.as_str(), number, 0)? {
        Some(bytes) => output::print_bytes(&bytes),
        None => Err(exit::not_found(format!(
            "the output of attempt {number} of {id} is not (any more) in {}",
            attempts.display()
        ))),
    }
}

/// Prints what there is from `offset` on; returns the new offset and whether no more will come.
fn print_from(
    client: &Client,
    id: &StreamId,
    attempt: Option<u32>,
    mut offset: u64,
) -> anyhow::Result<(u64, bool)> {
    loop {
        let part = client.output(id.rest(), attempt, offset)?;
        if part.bytes.is_empty() {
            return Ok((offset, part.ended));
        }
        offset += part.bytes.len() as u64;
        output::print_bytes(&part.bytes)?;
    }
}

/// Prints the output of every attempt as it comes, until the run has ended or nobody knows how; returns
/// the run.
pub(crate) fn follow(client: &Client, id: &StreamId, attempt: Option<u32>) -> anyhow::Result<Run> {
    let (mut shown, mut offset) = (attempt.unwrap_or(0), 0);
    loop {
        let run = current(client, id)?;
        let newest = attempt.or(run.attempt().map(|a| a.number));
        if let Some(number) = newest {
            if number != shown {
                (shown, offset) = (number, 0);
            }
            (offset, _) = print_from(client, id, Some(number), offset)?;
        }
        if matches!(run.state, State::Ended { .. } | State::Unknown { .. }) {
            return Ok(run);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A run as it stands.
pub(crate) fn current(client: &Client, id: &StreamId) -> anyhow::Result<Run> {
    let Content::Streams(streams) = client.query(&Query::Stream { id: id.clone() })?.content else {
        bail!("the answer is to another question");
    };
    let run = streams.first().and_then(|view| view.state.body.run()).cloned();
    run.ok_or_else(|| exit::not_found(format!("there is no {id}")))
}
