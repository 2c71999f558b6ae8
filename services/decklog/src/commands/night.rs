//! `decklog night`: the question of the first hour of every morning.

use domain::night::STILL;
use domain::wire::{Content, EventFilter, Query};
use jiff::Timestamp;

use super::runs;
use crate::cli::{Format, Night};
use crate::source::Source;
use crate::{exit, host, output, when};

pub(crate) fn run(night: &Night, format: Format) -> anyhow::Result<()> {
    let until = host::now();
    let since = when::since(&night.since, until).map_err(exit::usage)?;
    let source = Source::open(&night.place)?;
    let answer = source.ask(&Query::Night { since, until })?;
    let Content::Night(found) = answer.content else {
        anyhow::bail!("the answer is to another question")
    };
    let n = found.numbers;
    match format {
        Format::Json | Format::Jsonl => output::one(format, &found, |_| String::new())?,
        Format::Table => {
            output::line(&format!(
                "{} to {}: {} expected, {} ran, {} failed, {} missed, {} late, {} skipped, {} cancelled, {} unknown, {} open",
                output::local(since),
                output::local(until),
                n.expected,
                n.ran,
                n.failed,
                n.missed,
                n.late,
                n.skipped,
                n.cancelled,
                n.unknown,
                n.open
            ))?;
            if found.exceptions.is_empty() {
                output::line("nothing to look at")?;
            } else {
                output::list(format, &found.exceptions, runs::table)?;
            }
        }
    }
    let lacks = lacks(&source, until)?;
    if let Some(lacks) = &lacks {
        eprintln!("{lacks}");
    }
    let is_clean = n.is_clean() && lacks.is_none();
    if night.check && !is_clean { Err(exit::unclean("")) } else { Ok(()) }
}

/// Why what happened last may be missing: whoever answers cannot write it, or nobody has written for long.
fn lacks(source: &Source, now: Timestamp) -> anyhow::Result<Option<String>> {
    let Content::Head(head) = source.ask(&Query::Head)?.content else {
        anyhow::bail!("the answer is to another question")
    };
    let newest = Query::Search(EventFilter { limit: 1, ..EventFilter::default() });
    let Content::Events(events) = source.ask(&newest)?.content else {
        anyhow::bail!("the answer is to another question")
    };
    let still = events.first().map(|event| event.received);
    let still = still.filter(|received| now.duration_since(*received) > STILL);
    let (since, why) = match (head.stuck, still) {
        (Some(stuck), _) => {
            (stuck.since, format!("the recorder cannot write to the log: {}", stuck.why))
        }
        (None, Some(since)) => (
            since,
            "the newest event is of then, and an idle log has one every five minutes".to_owned(),
        ),
        (None, None) => return Ok(None),
    };
    Ok(Some(format!("what happened since {} may not be here: {why}", output::local(since))))
}
