//! `decklog night`: the question of the first hour of every morning.

use domain::wire::{Content, Query};

use super::runs;
use crate::cli::{Format, Night};
use crate::source::Source;
use crate::{exit, host, output, when};

pub(crate) fn run(night: &Night, format: Format) -> anyhow::Result<()> {
    let until = host::now();
    let since = when::since(&night.since, until).map_err(exit::usage)?;
    let answer = Source::open(&night.place)?.ask(&Query::Night { since, until })?;
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
    if night.check && !n.is_clean() { Err(exit::unclean("")) } else { Ok(()) }
}
