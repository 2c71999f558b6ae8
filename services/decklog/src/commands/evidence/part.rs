//! `decklog evidence export --control …`: what one control tells of, and the proofs that the log holds it.

use std::collections::{BTreeMap, BTreeSet};

use domain::controls::{Outcome, stream_of};
use domain::event::{Event, LogEvent};
use domain::ids::{ProducerId, StreamId, StreamType};
use evidence::part::{PART_ENTRIES_MAX, PART_FORMAT, Proofs, cited};
use evidence::{Depth, Examined, Head, PartRequest, PartWriter, Request};
use serde::Serialize;

use super::{Delivered, Target, Told, Written, leaf_bytes, request};
use crate::cli::{ExportEvidence, Format};
use crate::source::Source;
use crate::{exit, output};

/// A part with more than one of so many entries is larger than the log: each has a proof, and two headers.
const MOST: u64 = 5;

/// How controls are named that are about the log itself.
const OF_THE_LOG: &str = "LG-";

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    control: String,
    entries: usize,
    /// How many the log has.
    size: u64,
    population: usize,
    exceptions: usize,
    #[serde(flatten)]
    delivered: Delivered,
    /// What a verifier of all of the log will name.
    wrong: Vec<String>,
}

/// What is learnt of the log while all of it passes by.
#[derive(Default)]
struct Passed {
    /// Who let whom in, and where.
    enrolled: BTreeMap<ProducerId, u64>,
    /// Where the log says under which name it goes.
    named: BTreeSet<u64>,
}

pub(super) fn export(
    wanted: &ExportEvidence,
    control: &str,
    source: Source,
    last: Head,
    format: Format,
) -> anyhow::Result<()> {
    let control = control.to_ascii_uppercase();
    let request = request(&wanted.about, &source, last.says.size())?;
    let (log, passed) = examine(&source, &request, &last)?;
    let outcome = outcome(&log, &control)?;
    let positions = positions(&source, outcome, &passed, last.says.size())?;
    let (from, until) = (request.from, request.until);
    let asked = PartRequest {
        format: PART_FORMAT.to_owned(),
        from,
        until,
        controls: request.controls,
        control,
    };
    let target = Target { to: &wanted.to, part_bytes: wanted.part_bytes };
    let written = write(&source, asked, target, &last, (&log, outcome, &positions))?;
    drop(source);
    let (size, root) = (last.says.size(), last.says.root());
    let done = Exported {
        control: outcome.control.to_owned(),
        entries: positions.len(),
        size,
        population: outcome.population.len(),
        exceptions: outcome.exceptions().count(),
        delivered: Delivered::tell(
            wanted,
            written,
            Told { size, root, from, until, control: Some(outcome.control) },
        ),
        wrong: log.findings.kept().iter().map(ToString::to_string).collect(),
    };
    output::one(format, &done, text)
}

fn text(done: &Exported) -> String {
    let Exported { control, entries, size, population, exceptions, delivered, wrong } = done;
    let Delivered { file, bytes, .. } = delivered;
    let mut text = format!(
        "{file}: {entries} of {size} entries, about {control}: {population} in its population, {exceptions} exceptions; {bytes} bytes\n\
         it is a part: whoever verifies it will call it INCONCLUSIVE, because nothing shows that nothing was left out\n"
    );
    if *entries as u64 > size / MOST {
        text.push_str(
            "it holds most of what the log holds: the log itself would be the smaller file\n",
        );
    }
    text.push_str(&delivered.text());
    for finding in wrong {
        text.push_str(&format!("FINDING      {finding}\n"));
    }
    text
}

/// Reads the whole log, up to the head.
fn examine(source: &Source, request: &Request, last: &Head) -> anyhow::Result<(Examined, Passed)> {
    let (mut examiner, mut passed) = (request.examiner(Depth::Tip), Passed::default());
    source.leaves(last.says.size(), |view, bytes| {
        if let Some(taken) = examiner.take(&bytes)
            && taken.mark == domain::ledger::Mark::Valid
            && let Event::LogEvent(event) = &taken.event
        {
            passed.hear(event, view.position);
        }
        Ok(())
    })?;
    let log = examiner.finish([]);
    anyhow::ensure!(
        (log.tree.size(), log.tree.root()) == (last.says.size(), last.says.root()),
        "the log is not the one that the head is over: run `decklog verify`"
    );
    Ok((log, passed))
}

impl Passed {
    fn hear(&mut self, event: &LogEvent, position: u64) {
        if let LogEvent::LogCreated(_) | LogEvent::LogContinued(_) = event {
            self.named.insert(position);
        }
        if let LogEvent::LogProducerEnrolled(said) = event {
            self.enrolled.insert(said.producer.clone(), position);
        }
    }
}

fn outcome<'a>(log: &'a Examined, control: &str) -> anyhow::Result<&'a Outcome> {
    let found = log.controls.iter().find(|outcome| outcome.control == control);
    let known = || log.controls.iter().map(|one| one.control).collect::<Vec<_>>().join(", ");
    let found = found
        .ok_or_else(|| exit::usage(format!("there is no control {control:?}: {}", known())))?;
    if control.starts_with(OF_THE_LOG) {
        let text = format!(
            "{control} is about the log itself, of which a part shows nothing: export it whole, without --control"
        );
        return Err(exit::usage(text));
    }
    match &found.untested {
        Some(why) => Err(exit::usage(format!("{control} cannot be tested: {why}"))),
        None => Ok(found),
    }
}

/// Where the entries of the part are: what the control cites, all that is said of the things that it is about, and who was let in
/// that speaks there.
fn positions(
    source: &Source,
    outcome: &Outcome,
    passed: &Passed,
    size: u64,
) -> anyhow::Result<BTreeSet<u64>> {
    let mut positions = passed.named.clone();
    let mut speakers = BTreeSet::new();
    for position in cited(outcome).into_iter().filter(|position| *position <= size) {
        positions.insert(position);
        limit(&positions)?;
        let entry = source.events(position - 1, 1, None)?.into_iter().next();
        let envelope = entry.map(|entry| entry.envelope()).transpose()?;
        speakers.extend(envelope.map(|envelope| envelope.source));
    }
    for stream in things(outcome) {
        source.each_of(&stream, |entry| {
            if entry.position <= size {
                positions.insert(entry.position);
                speakers.insert(entry.envelope()?.source);
            }
            limit(&positions)
        })?;
    }
    let let_in = speakers.iter().filter_map(|speaker| passed.enrolled.get(speaker));
    positions.extend(let_in.copied());
    Ok(positions)
}

/// The streams of what a control is about: what is said of a run, an incident or a document belongs together. What is cited
/// beside them stands alone, because a stream of the log itself, or of a host, tells of others too.
fn things(outcome: &Outcome) -> BTreeSet<StreamId> {
    let streams = outcome.population.iter().filter_map(|item| stream_of(&item.subject));
    streams.filter(|stream| stream.stream_type() != StreamType::Log).collect()
}

fn limit(positions: &BTreeSet<u64>) -> anyhow::Result<()> {
    if positions.len() <= PART_ENTRIES_MAX {
        return Ok(());
    }
    Err(exit::usage(format!(
        "a part has at most {PART_ENTRIES_MAX} entries: name a shorter period, or export the log"
    )))
}

fn write(
    source: &Source,
    request: PartRequest,
    target: Target<'_>,
    last: &Head,
    (log, outcome, positions): (&Examined, &Outcome, &BTreeSet<u64>),
) -> anyhow::Result<Written> {
    let proofs = Proofs::of(&log.leaves);
    target.write(|out| {
        let mut writer = PartWriter::new(out, request, last.clone())?;
        for position in positions {
            writer.entry(
                *position,
                &leaf_bytes(source, *position)?,
                proofs.of_position(*position)?,
            )?;
        }
        writer.finish(outcome)?;
        Ok(())
    })
}
