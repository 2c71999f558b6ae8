//! `decklog verify`: reads the whole log again and believes nothing that can be computed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::canonical::{Digest, unhex};
use domain::envelope::{Envelope, Place};
use domain::event::{Event, LogEvent};
use domain::expect::{Accounted, Population};
use domain::flush::FLUSH_EVENTS_MAX;
use domain::ids::ProducerId;
use domain::leaf::Leaf;
use domain::ledger::{Body, Ledger, Memory};
use domain::run::State;
use domain::wire::{Content, HeadView, LeafView, Query};
use jiff::Timestamp;
use serde::Serialize;
use tlog::{Checkpoint, Frontier, Note, VerifierKey, leaf_hash};

use crate::cli::{Format, Verify};
use crate::source::Source;
use crate::{exit, host, output};

/// Leaves asked for at once.
const PAGE: u32 = 1_000;
/// Most findings printed; all are counted.
const FINDINGS_MAX: usize = 100;

/// What was checked, and what was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    origin: String,
    events: u64,
    void: u64,
    signatures: u64,
    producers: u64,
    heads: u64,
    /// Heads that somebody kept outside of the log, and brought.
    heads_kept: u64,
    occurrences_expected: u64,
    occurrences_recorded: u64,
    occurrences_undecided: u64,
    /// Versions of the time zone database by which occurrences were decided, as the log tells, one after the other.
    tzdb: Vec<String>,
    /// The one by which they were computed again.
    tzdb_here: String,
    runs: u64,
    runs_open: u64,
    runs_unknown: u64,
    findings: Vec<String>,
    findings_total: u64,
}

impl Report {
    fn find(&mut self, finding: impl ToString) {
        self.findings_total += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding.to_string());
        }
    }
}

/// Events of one producer since its last signature.
#[derive(Debug, Default)]
struct Unsigned {
    events: usize,
}

struct Verifier {
    ledger: Ledger,
    streams: Memory,
    frontier: Frontier,
    population: Population,
    unsigned: BTreeMap<ProducerId, Unsigned>,
    heads: BTreeMap<u64, Vec<String>>,
    /// What the signer remembers to have signed last, where this machine has its files.
    remembered: Option<Frontier>,
    report: Report,
}

/// The signer's own record of the last head it signed. Whoever cuts a log and its heads may forget it.
fn signers_memory(dir: Option<&Path>) -> Option<Frontier> {
    let text = std::fs::read_to_string(dir?.join("audit").join("signer-one.last")).ok()?;
    let (size, bytes) = text.trim().split_once('\n')?;
    Frontier::from_bytes(size.parse().ok()?, &unhex(bytes)?).ok()
}

/// A head that somebody kept, with its size. A scanner or an editor may have changed how its lines end.
fn kept(path: &Path) -> anyhow::Result<(u64, String)> {
    let usage = |error: &dyn std::fmt::Display| {
        let path = path.display();
        exit::usage(format!(
            "reading the head in {path}: {error}; it is the text of a signed head, all lines of it"
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| usage(&error))?;
    let note = text.replace("\r\n", "\n").trim_end().to_owned() + "\n";
    let parsed = Note::parse(note.as_bytes()).map_err(|error| usage(&error))?;
    let head = Checkpoint::parse(parsed.text()).map_err(|error| usage(&error))?;
    Ok((head.size(), note))
}

pub(crate) fn run(verify: &Verify, format: Format) -> anyhow::Result<()> {
    let kept = verify.heads.iter().map(|path| kept(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let source = match &verify.database {
        Some(address) => Source::database(address, None)?,
        None => Source::open(&verify.place)?,
    };
    // Signed heads are asked for first: the log can then only be longer than each of them says.
    let mut verifier = Verifier::new(&source)?;
    for (size, note) in kept {
        verifier.report.heads_kept += 1;
        verifier.heads.entry(size).or_default().push(note);
    }
    let Content::Head(head) = source.ask(&Query::Head)?.content else {
        anyhow::bail!("the answer is to another question");
    };
    verifier.read(&source, &head)?;
    let report = verifier.finish(&head);
    output::one(format, &report, text)?;
    if report.findings_total == 0 { Ok(()) } else { Err(exit::unclean("")) }
}

impl Verifier {
    fn new(source: &Source) -> anyhow::Result<Self> {
        let remembered = signers_memory(source.dir());
        let mut heads: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        if let Content::Heads(notes) = source.ask(&Query::Heads { limit: 2_000 })?.content {
            for note in notes {
                // Its size is read without belief, only to know when to compare.
                let size = note.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0);
                heads.entry(size).or_default().push(note);
            }
        }
        Ok(Self {
            ledger: Ledger::default(),
            streams: Memory::default(),
            frontier: Frontier::new(),
            population: Population::default(),
            unsigned: BTreeMap::new(),
            heads,
            remembered,
            report: Report::default(),
        })
    }

    fn read(&mut self, source: &Source, head: &HeadView) -> anyhow::Result<()> {
        while self.frontier.size() < head.size {
            let after = self.frontier.size();
            let Content::Leaves(page) = source.ask(&Query::Leaves { after, limit: PAGE })?.content
            else {
                anyhow::bail!("the answer is to another question");
            };
            if page.is_empty() {
                self.report.find(format!(
                    "position {} is missing: the log ends before its head of {}",
                    after + 1,
                    head.size
                ));
                return Ok(());
            }
            for view in page.iter().take_while(|view| view.position <= head.size) {
                self.take(view);
            }
        }
        Ok(())
    }

    fn take(&mut self, view: &LeafView) {
        let position = self.frontier.size() + 1;
        if view.position != position {
            self.report.find(format!(
                "position {position} is missing: {} follows {}",
                view.position,
                position - 1
            ));
        }
        let bytes = STANDARD.decode(&view.leaf).unwrap_or_default();
        self.frontier.push(leaf_hash(&bytes));
        self.report.events += 1;
        if let Err(finding) = self.take_leaf(&bytes, view) {
            self.report.find(format!("position {position}: {finding}"));
        }
        self.compare_heads(self.frontier.size());
    }

    fn take_leaf(&mut self, bytes: &[u8], view: &LeafView) -> Result<(), String> {
        let leaf = Leaf::from_bytes(bytes).map_err(|error| error.to_string())?;
        let envelope = Envelope::parse(&leaf.envelope).map_err(|error| error.to_string())?;
        let event = envelope.event().map_err(|error| error.to_string())?;
        let hash = Digest::of(&leaf.envelope);
        if self.ledger.received.is_some_and(|last| leaf.received < last) {
            self.report.find(format!("position {}: its receive time goes back", view.position));
        }
        self.check_chain(&envelope, view.position);
        let mark = self.ledger.judge(&mut self.streams, &envelope, &event, hash, leaf.received);
        self.check_signature(&envelope, &leaf, view.position);
        if mark.void() != view.void {
            let said = view.void.as_deref().unwrap_or("valid");
            let computed = mark.void().unwrap_or_else(|| "valid".to_owned());
            self.report.find(format!(
                "position {}: it is marked `{said}`, but by the rules it is `{computed}`",
                view.position
            ));
        }
        match mark.void() {
            Some(_) => self.report.void += 1,
            None => self.observe(&envelope, &event, leaf.received),
        }
        Ok(())
    }

    fn check_chain(&mut self, envelope: &Envelope, position: u64) {
        let source = &envelope.source;
        let founder = position == 1 && matches!(&envelope.event(), Ok(Event::LogEvent(_)));
        let place = match self.ledger.producers.get(source) {
            Some(producer) => producer.place,
            None if founder => Place::default(),
            None => {
                return self
                    .report
                    .find(format!("position {position}: {source} was never enrolled"));
            }
        };
        if envelope.pseq != place.pseq + 1 {
            self.report.find(format!(
                "position {position}: event {} of {source} follows its event {}",
                envelope.pseq, place.pseq
            ));
        } else if envelope.pprev != place.last {
            self.report.find(format!(
                "position {position}: it does not name the hash of the event of {source} before it"
            ));
        }
    }

    fn check_signature(&mut self, envelope: &Envelope, leaf: &Leaf, position: u64) {
        let unsigned = self.unsigned.entry(envelope.source.clone()).or_default();
        unsigned.events += 1;
        if leaf.seals.is_empty() {
            if unsigned.events > FLUSH_EVENTS_MAX {
                self.report.find(format!("position {position}: more than {FLUSH_EVENTS_MAX} events of {} without a signature", envelope.source));
            }
            return;
        }
        unsigned.events = 0;
        let Some(producer) = self.ledger.producers.get(&envelope.source) else { return };
        for seal in &leaf.seals {
            self.report.signatures += 1;
            if let Err(error) = producer.key.verify(&leaf.envelope, seal) {
                self.report.find(format!(
                    "position {position}: signature of {}: {error}",
                    envelope.source
                ));
            }
        }
    }

    fn observe(&mut self, envelope: &Envelope, event: &Event, received: Timestamp) {
        if let Event::LogEvent(LogEvent::LogTzdbChanged(changed)) = event {
            self.report.tzdb.push(changed.to.clone());
        }
        self.population.observe(&envelope.subject, event, received);
    }

    fn compare_heads(&mut self, size: u64) {
        if self.remembered.as_ref().is_some_and(|last| last.size() == size)
            && let Some(last) = self.remembered.take()
            && last.root() != self.frontier.root()
        {
            self.report.find(format!("the signer remembers another root for size {size}: the log was changed after it was signed"));
        }
        let Some(notes) = self.heads.remove(&size) else { return };
        let key = self.ledger.head_key.as_ref().and_then(|key| key.parse::<VerifierKey>().ok());
        for note in notes {
            self.report.heads += 1;
            let keys: Vec<VerifierKey> = key.iter().cloned().collect();
            match Checkpoint::open(note.as_bytes(), &keys) {
                Err(error) => self.report.find(format!("the head of size {size}: {error}")),
                Ok(head) if head.root() != self.frontier.root() => {
                    self.report.find(format!("the signed head of size {size} has another root: the log was changed after it was signed"));
                }
                Ok(_) => {}
            }
        }
    }

    fn finish(mut self, head: &HeadView) -> Report {
        if Digest(self.frontier.root().0) != head.root {
            self.report.find("the root of the tree is not the one the database holds");
        }
        for size in std::mem::take(&mut self.heads).into_keys() {
            self.report.find(format!("a signed head of size {size} fits no state of this log: it was cut, or never was so long"));
        }
        if let Some(last) = self.remembered.take().filter(|last| last.size() > 0) {
            self.report.find(format!(
                "the signer remembers a head of size {}, but the log has {}: it was cut",
                last.size(),
                self.frontier.size()
            ));
        }
        let open: BTreeSet<_> =
            self.unsigned.iter().filter(|(_, u)| u.events > 0).map(|(id, _)| id.clone()).collect();
        for producer in open {
            self.report.find(format!("the last events of {producer} have no signature"));
        }
        self.count_runs();
        let horizon = self.ledger.received.unwrap_or(Timestamp::UNIX_EPOCH);
        let accounted = self.population.account(horizon);
        self.take_account(accounted);
        self.report.tzdb_here = host::tzdb().version;
        self.report.origin = self.ledger.origin.unwrap_or_default();
        self.report.producers = self.ledger.producers.len() as u64;
        self.report
    }

    fn count_runs(&mut self) {
        for state in self.streams.0.values() {
            let Body::Run(run) = &state.body else { continue };
            self.report.runs += 1;
            match run.state {
                State::Ended { .. } => {}
                State::Unknown { .. } => self.report.runs_unknown += 1,
                State::Requested
                | State::Held { .. }
                | State::Waiting
                | State::Blocked
                | State::Due
                | State::Parts
                | State::Running { .. }
                | State::Retrying { .. } => self.report.runs_open += 1,
            }
        }
    }

    fn take_account(&mut self, accounted: Accounted) {
        self.report.occurrences_expected = accounted.expected;
        self.report.occurrences_recorded = accounted.recorded;
        self.report.occurrences_undecided = accounted.undecided;
        for finding in accounted.findings {
            self.report.find(finding);
        }
    }
}

/// By which rules of zones occurrences were decided, and computed again.
fn zones(report: &Report) -> String {
    let Some(last) = report.tzdb.last() else { return String::new() };
    let mut text = format!("zones        time zone database {last}");
    let before = report.tzdb.len() - 1;
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
    let r = report;
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
        r.events,
        r.void,
        r.signatures,
        r.producers,
        r.heads,
        brought,
        r.occurrences_expected,
        r.occurrences_recorded,
        r.occurrences_undecided,
        r.runs,
        r.runs_open,
        r.runs_unknown
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
