//! `decklog verify`: reads the whole log again and believes nothing that can be computed.

use std::collections::BTreeMap;
use std::path::Path;

use domain::canonical::unhex;
use domain::wire::{Content, HeadView, LeafView, Query};
use evidence::examiner::Counts;
use evidence::{Depth, Examined, Examiner, Findings, Head, Kind};
use serde::Serialize;
use tlog::{Checkpoint, Frontier, VerifierKey};

use crate::cli::{Format, Verify};
use crate::source::Source;
use crate::{exit, host, output};

/// Most signed heads that are compared.
pub(crate) const HEADS: u32 = 2_000;

/// What was checked, and what was found.
#[derive(Debug, Serialize)]
struct Report {
    origin: String,
    #[serde(flatten)]
    counts: Counts,
    heads: u64,
    /// Heads that somebody kept outside of the log, and brought.
    heads_kept: u64,
    /// The version of the time zone database by which occurrences were computed again.
    tzdb_here: String,
    findings: Vec<String>,
    findings_total: u64,
}

/// Signed heads, by the sizes that they say.
type Heads = BTreeMap<u64, Vec<String>>;

/// The signer's own record of the last head it signed, and of which name that was. Whoever cuts a log and its heads may forget it.
fn signers_memory(dir: Option<&Path>) -> Option<(Frontier, Option<String>)> {
    let text = std::fs::read_to_string(dir?.join("audit").join("signer-one.last")).ok()?;
    let mut lines = text.lines();
    let (size, bytes) = (lines.next()?.parse().ok()?, unhex(lines.next()?)?);
    Some((Frontier::from_bytes(size, &bytes).ok()?, lines.next().map(str::to_owned)))
}

/// A head that somebody kept.
pub(crate) fn kept(path: &Path) -> anyhow::Result<Head> {
    let usage = |error: &dyn std::fmt::Display| {
        let path = path.display();
        exit::usage(format!(
            "reading the head in {path}: {error}; it is the text of a signed head, all lines of it"
        ))
    };
    let bytes = std::fs::read(path).map_err(|error| usage(&error))?;
    Head::kept(&bytes).map_err(|error| usage(&error))
}

pub(crate) fn run(verify: &Verify, format: Format) -> anyhow::Result<()> {
    let kept = verify.heads.iter().map(|path| kept(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let source = match &verify.database {
        Some(address) => Source::database(address, verify.archive.as_deref())?,
        None => Source::open(&verify.place)?,
    };
    // Signed heads are asked for first: the log can then only be longer than each of them says.
    let mut heads = signed(&source)?;
    for head in &kept {
        heads.entry(head.says.size()).or_default().push(head.note.to_string());
    }
    let Content::Head(head) = source.ask(&Query::Head)?.content else {
        anyhow::bail!("the answer is to another question");
    };
    let remembered = signers_memory(source.dir());
    let report = report(&source, &head, heads, kept.len(), remembered)?;
    output::one(format, &report, text)?;
    if report.findings_total == 0 { Ok(()) } else { Err(exit::unclean("")) }
}

/// The newest signed heads. Their sizes are read without belief, only to know when to compare.
fn signed(source: &Source) -> anyhow::Result<Heads> {
    let mut heads = Heads::new();
    if let Content::Heads(notes) = source.ask(&Query::Heads { limit: HEADS })?.content {
        for note in notes {
            let size = note.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0);
            heads.entry(size).or_default().push(note);
        }
    }
    Ok(heads)
}

fn report(
    source: &Source,
    head: &HeadView,
    heads: Heads,
    kept: usize,
    remembered: Option<(Frontier, Option<String>)>,
) -> anyhow::Result<Report> {
    let mut reading =
        Reading { examiner: Examiner::new(Depth::Full), findings: Findings::default() };
    reading.read(source, head)?;
    let Reading { examiner, mut findings } = reading;
    let sizes = remembered.iter().map(|(edge, _)| edge.size());
    let log = examiner.finish(heads.keys().copied().chain(sizes));
    // What it signed under a name before is not of the log any more, as far as that lost it.
    let remembered = remembered.filter(|(_, name)| name.is_none() || *name == log.ledger.origin);
    let remembered = remembered.map(|(edge, _)| edge);
    findings.extend(log.findings.clone());
    if log.tree.root().0 != head.root.0 {
        findings.add(Kind::HeadRoot, "the root of the tree is not the one the database holds");
    }
    let compared = compare_heads(&heads, &log, &mut findings);
    compare_memory(remembered, &log, &mut findings);
    Ok(Report {
        origin: log.ledger.origin.unwrap_or_default(),
        counts: log.counts,
        heads: compared,
        heads_kept: kept as u64,
        tzdb_here: host::tzdb().version,
        findings: findings.kept().iter().map(ToString::to_string).collect(),
        findings_total: findings.total(),
    })
}

struct Reading {
    examiner: Examiner,
    findings: Findings,
}

impl Reading {
    fn read(&mut self, source: &Source, head: &HeadView) -> anyhow::Result<()> {
        let read = source.leaves(head.size, |view, bytes| {
            self.take(view, &bytes);
            Ok(())
        })?;
        if read < head.size {
            let text = format!("the log ends before its head of {}", head.size);
            self.missing(read + 1, text);
        }
        Ok(())
    }

    fn missing(&mut self, position: u64, text: impl std::fmt::Display) {
        self.findings.at(position, Kind::EntryMissing, format!("it is missing: {text}"));
    }

    fn take(&mut self, view: &LeafView, bytes: &[u8]) {
        let position = self.examiner.size() + 1;
        if view.position != position {
            self.missing(position, format!("{} follows {}", view.position, position - 1));
        }
        let Some(taken) = self.examiner.take(bytes) else { return };
        if taken.mark.void() != view.void {
            let said = view.void.as_deref().unwrap_or("valid");
            let computed = taken.mark.void().unwrap_or_else(|| "valid".to_owned());
            let text = format!("it is marked `{said}`, but by the rules it is `{computed}`");
            self.findings.at(position, Kind::Mark, text);
        }
    }
}

/// Compares signed heads with the tree; says how many fit a state of the log.
fn compare_heads(heads: &Heads, log: &Examined, findings: &mut Findings) -> u64 {
    let keys = log.names.iter().filter_map(|name| name.key.parse::<VerifierKey>().ok());
    let keys: Vec<VerifierKey> = keys.collect();
    let mut compared = 0;
    for (size, notes) in heads {
        let (gone, notes) = notes.iter().partition::<Vec<_>, _>(|note| {
            Head::read(note.as_bytes())
                .is_ok_and(|head| evidence::names::lost(&log.names, &head).is_some())
        });
        if !gone.is_empty() {
            findings.add(Kind::HeldLost, format!("a head of size {size} is of a name that the log had before, and what it is over is lost"));
        }
        if notes.is_empty() {
            continue;
        }
        let Some(root) = log.roots.get(size).filter(|_| *size > 0) else {
            findings.add(Kind::HeadBeyond, format!("a signed head of size {size} fits no state of this log: it was cut, or never was so long"));
            continue;
        };
        for note in notes {
            compared += 1;
            match Checkpoint::open(note.as_bytes(), &keys) {
                Err(error) => {
                    findings.add(Kind::HeadSignature, format!("the head of size {size}: {error}"));
                }
                Ok(head) if head.root() != *root => {
                    findings.add(Kind::HeadRoot, format!("the signed head of size {size} has another root: the log was changed after it was signed"));
                }
                Ok(_) => {}
            }
        }
    }
    compared
}

fn compare_memory(remembered: Option<Frontier>, log: &Examined, findings: &mut Findings) {
    let Some(last) = remembered.filter(|last| last.size() > 0) else { return };
    match log.roots.get(&last.size()) {
        Some(root) if *root == last.root() => {}
        Some(_) => findings.add(Kind::HeadRoot, format!("the signer remembers another root for size {}: the log was changed after it was signed", last.size())),
        None => findings.add(
            Kind::HeadBeyond,
            format!(
                "the signer remembers a head of size {}, but the log has {}: it was cut",
                last.size(),
                log.tree.size()
            ),
        ),
    }
}

/// By which rules of zones occurrences were decided, and computed again.
fn zones(report: &Report) -> String {
    let Some(last) = report.counts.tzdb.last() else { return String::new() };
    let mut text = format!("zones        time zone database {last}");
    let before = report.counts.tzdb.len() - 1;
    if before > 0 {
        text.push_str(&format!(", changed {before} times"));
    }
    if before > 0 || *last != report.tzdb_here {
        text.push_str(&format!(
            "; computed again by {} alone, so what another version puts elsewhere is among the findings",
            report.tzdb_here
        ));
    }
    text.push('\n');
    text
}

fn text(report: &Report) -> String {
    let (r, c) = (report, &report.counts);
    let brought = match r.heads_kept {
        0 => String::new(),
        count => format!(", {count} of them kept outside and brought here"),
    };
    let mut text = format!(
        "log          {}\n\
         events       {} read: bytes, counters, back-hashes, stream versions and marks computed again; {} void\n\
         signatures   {} of {} producers\n\
         tree         root and {} signed heads{}\n\
         occurrences  {} implied by the approved schedules, {} in the log, {} too young to be decided\n\
         runs         {}: {} open, {} unknown, all others with exactly one outcome\n",
        r.origin,
        c.events,
        c.void,
        c.signatures,
        c.producers,
        r.heads,
        brought,
        c.occurrences_expected,
        c.occurrences_recorded,
        c.occurrences_undecided,
        c.runs,
        c.runs_open,
        c.runs_unknown
    );
    text.push_str(&zones(r));
    for finding in &r.findings {
        text.push_str(&format!("FINDING      {finding}\n"));
    }
    let verdict = if r.findings_total == 0 {
        "verified     all of the above holds. Not checked: no witness outside has signed these heads, so whoever holds every key could have rewritten the whole log\n".to_owned()
    } else {
        format!("NOT VERIFIED {} findings\n", r.findings_total)
    };
    text.push_str(&verdict);
    text
}
