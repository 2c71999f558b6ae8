//! A bundle, from its first to its last byte.

use std::collections::BTreeMap;
use std::io::Read;

use domain::canonical::Digest;
use domain::controls::{Outcome, Summary};
use domain::ledger::Memory;
use domain::request::Request as AuditRequest;
use serde::Serialize;
use tlog::{Level, TILE_WIDTH, Tile, Tiler, read_entries};

use crate::archive::{ArchiveError, Reader};
use crate::bundle::{
    Arrived, CHECKPOINT, CHECKPOINTS, CONTROLS, ENTRIES, MANIFEST, README, REQUEST, Request, TILES,
    TIMESTAMPS, checkpoint_name, controls, json, listed, manifest, readme,
};
use crate::examiner::{Counts, Depth, Examined, Examiner};
use crate::finding::{Finding, Findings, Kind, Verdict};
use crate::heads::{self, Head, Trust, Witnessed};
use crate::misbehaviour::Misbehaviour;
use crate::part::{self, Part};
use crate::payloads::{PAYLOADS, Payloads, Shown, payload_name};
use crate::timestamps::{Stamped, Stamps};

/// Most contradictions that are written down.
const MISBEHAVIOUR_MAX: usize = 10;

/// What is said of a bundle.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The word.
    pub verdict: Verdict,
    /// The log's name, as it says itself.
    pub origin: String,
    /// How many entries the bundle holds.
    pub size: u64,
    /// The root of their tree.
    pub root: Digest,
    /// What was asked for, where that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// What is in it, where it is a part of a log; then what follows was counted in that part alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// What was counted.
    pub counts: Counts,
    /// By which measures controls were tested: those that the log had approved, or others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measures: Option<String>,
    /// What became of each control.
    pub controls: Vec<Summary>,
    /// The same with the whole population of each.
    #[serde(skip)]
    pub outcomes: Vec<Outcome>,
    /// What auditors have asked to be shown, in the order in which they asked.
    #[serde(skip)]
    pub requests: Vec<AuditRequest>,
    /// Signed heads that are in the bundle.
    pub heads: usize,
    /// What the last of them is worth.
    pub witnessed: Witnessed,
    /// What time-stamping authorities said of heads, as far as the reader believes them.
    pub timestamps: Stamped,
    /// Payloads that are shown, and those that were asked for and erased as two people had agreed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<Shown>,
    /// What is wrong: at most 50 of each name.
    pub findings: Vec<Finding>,
    /// How many there are, kept or not.
    pub findings_total: u64,
    /// What shows by itself that the log contradicts itself.
    #[serde(skip)]
    pub misbehaviour: Vec<Misbehaviour>,
}

/// Reads a bundle, computes everything again that can be computed, and says what it is worth to whoever trusts `trust`.
/// `progress` hears how many bytes were read and how many entries were examined.
///
/// # Errors
/// The bytes cannot be read. What is wrong with them is a finding, and no error.
pub fn verify(
    input: impl Read,
    trust: &Trust,
    depth: Depth,
    progress: &mut dyn FnMut(u64, u64),
) -> std::io::Result<Report> {
    let mut reader = Reader::new(input);
    let (mut reading, mut begins) = (Reading::new(depth, trust), true);
    while let Some((name, bytes)) = next(&mut reader, &mut reading.findings)? {
        if name == REQUEST && begins && part::is_part(&bytes) {
            return part::verify(&bytes, &mut reader, trust, progress);
        }
        reading.take(&name, &bytes);
        begins = false;
        progress(reader.at(), reading.examiner.size());
    }
    Ok(reading.finish())
}

/// The next file. Behind what is no archive there is none, and that is a finding.
pub(crate) fn next(
    reader: &mut Reader<impl Read>,
    findings: &mut Findings,
) -> std::io::Result<Option<(String, Vec<u8>)>> {
    match reader.next() {
        Ok(file) => Ok(file),
        Err(ArchiveError::Io(error)) => Err(error),
        Err(error @ ArchiveError::Form { .. }) => {
            findings.add(Kind::ArchiveForm, error);
            Ok(None)
        }
    }
}

/// What auditors have asked to be shown, by number.
fn requests_of(streams: &Memory) -> Vec<AuditRequest> {
    let found = streams.0.values().filter_map(|state| state.body.request());
    let mut all: Vec<AuditRequest> = found.cloned().collect();
    all.sort_by_key(|request| request.number);
    all
}

struct Reading<'a> {
    trust: &'a Trust,
    depth: Depth,
    examiner: Examiner,
    tiler: Tiler,
    request: Option<Request>,
    heads: Vec<Head>,
    last: Option<Head>,
    stamps: Stamps,
    payloads: Payloads,
    /// Files that follow from what was read, and were not read yet.
    expected: BTreeMap<String, Digest>,
    arrived: Arrived,
    /// Whether everything is expected that follows from the entries: no more of them may come.
    closed: bool,
    findings: Findings,
}

impl<'a> Reading<'a> {
    fn new(depth: Depth, trust: &'a Trust) -> Self {
        Self {
            trust,
            depth,
            examiner: Examiner::new(depth),
            tiler: Tiler::new(),
            request: None,
            heads: Vec::new(),
            last: None,
            stamps: Stamps::default(),
            payloads: Payloads::default(),
            expected: BTreeMap::new(),
            arrived: Arrived::default(),
            closed: false,
            findings: Findings::default(),
        }
    }

    fn take(&mut self, name: &str, bytes: &[u8]) {
        if !self.arrived.take(name, bytes, &mut self.findings) {
            return;
        }
        let first = [REQUEST, CHECKPOINT].contains(&name)
            || name.starts_with(CHECKPOINTS)
            || name.starts_with(TIMESTAMPS);
        if first && self.examiner.size() > 0 {
            let text = format!("{name} stands behind entries");
            return self.findings.add(Kind::FileUnexpected, text);
        }
        match name {
            REQUEST => self.take_request(bytes),
            CHECKPOINT => self.last = self.read_head(name, bytes),
            _ if name.starts_with(CHECKPOINTS) => self.take_head(name, bytes),
            _ if name.starts_with(TIMESTAMPS) => self.take_timestamp(name, bytes),
            _ if name.starts_with(ENTRIES) => self.take_entries(name, bytes),
            _ if name.starts_with(PAYLOADS) => self.take_payload(name, bytes),
            _ if name.starts_with(TILES) => self.take_derived(name, bytes),
            // They follow from all entries, and are compared at the end.
            README => {}
            _ if name.starts_with(CONTROLS) => {}
            _ => self.findings.add(Kind::FileUnexpected, format!("{name} belongs into no bundle")),
        }
    }

    fn take_request(&mut self, bytes: &[u8]) {
        let read = serde_json::from_slice::<Request>(bytes).ok();
        let read =
            read.filter(|read| read.is_one() && json(read).is_ok_and(|again| again == bytes));
        if read.is_none() {
            let text = format!("{REQUEST} is not the request of a {}", crate::bundle::FORMAT);
            self.findings.add(Kind::ManifestForm, text);
        }
        if let Some(request) = &read {
            self.examiner = request.examiner(self.depth);
            self.payloads = Payloads::of(&request.payloads);
        }
        self.request = read;
    }

    fn read_head(&mut self, name: &str, bytes: &[u8]) -> Option<Head> {
        match Head::read(bytes) {
            Ok(head) => Some(head),
            Err(error) => {
                self.findings.add(Kind::HeadForm, format!("{name}: {error}"));
                None
            }
        }
    }

    fn take_head(&mut self, name: &str, bytes: &[u8]) {
        let Some(head) = self.read_head(name, bytes) else { return };
        let size = head.says.size();
        let number = self.heads.iter().filter(|known| known.says.size() == size).count();
        if name != checkpoint_name(size, number) {
            let text = format!("{name} is the head of size {size}, and not named so");
            self.findings.add(Kind::FileAltered, text);
        }
        self.heads.push(head);
    }

    fn take_timestamp(&mut self, name: &str, bytes: &[u8]) {
        let sizes = self.heads.iter().chain(&self.last).map(|head| head.says.size());
        if let Err(why) = self.stamps.take(name, bytes, sizes) {
            self.findings.add(Kind::FileUnexpected, format!("{name} {why}"));
        }
    }

    fn take_entries(&mut self, name: &str, bytes: &[u8]) {
        let leaves = match read_entries(bytes) {
            Ok(leaves) => leaves,
            Err(error) => return self.findings.add(Kind::LeafForm, format!("{name}: {error}")),
        };
        let size = self.examiner.size();
        let wanted =
            Tile { level: Level::Entries, index: size / TILE_WIDTH, width: leaves.len() as u64 };
        if self.closed
            || !size.is_multiple_of(TILE_WIDTH)
            || leaves.is_empty()
            || name != wanted.to_string()
        {
            let text = format!("{name} does not follow {size} entries");
            return self.findings.add(Kind::FileUnexpected, text);
        }
        for leaf in leaves {
            let taken = self.examiner.take(leaf);
            if let Some(taken) = &taken {
                self.payloads.passed(self.examiner.size(), taken);
            }
            self.stamps.passed(self.examiner.size(), taken.map(|taken| taken.received));
            let full = self.examiner.newest().map(|hash| self.tiler.push(hash));
            for (tile, hashes) in full.unwrap_or_default() {
                self.expected.insert(tile.to_string(), Digest::of(&hashes));
            }
        }
    }

    /// A payload stands behind all entries, and is named by the position of the one that commits to it.
    fn take_payload(&mut self, name: &str, bytes: &[u8]) {
        self.close();
        match self.payloads.take(bytes) {
            Ok(position) if name == payload_name(position) => {}
            Ok(_) => {
                let text = format!("{name} is not named by its position");
                self.findings.add(Kind::FileUnexpected, text);
            }
            Err(why) => self.findings.add(Kind::PayloadMismatch, format!("{name}: {why}")),
        }
    }

    fn take_derived(&mut self, name: &str, bytes: &[u8]) {
        if !self.expected.contains_key(name) && name.contains(".p/") {
            self.close();
        }
        match self.expected.remove(name) {
            Some(wanted) if wanted == Digest::of(bytes) => {}
            Some(_) => {
                let text = format!("{name} has other hashes than the entries");
                self.findings.add(Kind::FileAltered, text);
            }
            None => {
                let text = format!("{name} belongs to no tile of the entries in front of it");
                self.findings.add(Kind::FileUnexpected, text);
            }
        }
    }

    /// The tiles that are not full stand behind all entries.
    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            let partial = self.tiler.partial().into_iter();
            self.expected
                .extend(partial.map(|(tile, hashes)| (tile.to_string(), Digest::of(&hashes))));
        }
    }

    fn finish(mut self) -> Report {
        self.close();
        let heads = self.heads.iter().chain(&self.last).chain(&self.trust.held);
        let sizes: Vec<u64> = heads.map(|head| head.says.size()).collect();
        let log = std::mem::take(&mut self.examiner).finish(sizes);
        self.check_files(&log);
        let heads: Vec<Head> = self.heads.iter().chain(&self.last).cloned().collect();
        let (of_heads, witnessed) = heads::check(&heads, &log, self.trust);
        let (of_stamps, timestamps) = self.stamps.check(&heads, self.trust);
        let misbehaviour = self.misbehaviour(&log);
        let payloads = self.payloads.finish(&mut self.findings);
        let request = self.request;
        let measures = log.agreed.as_ref().zip(request.as_ref());
        let measures = measures.map(|(agreed, request)| agreed.says_of(&request.controls));
        let mut findings = self.findings;
        findings.extend(log.findings);
        findings.extend(of_heads);
        findings.extend(of_stamps);
        Report {
            verdict: findings.verdict(),
            origin: log.ledger.origin.unwrap_or_default(),
            size: log.tree.size(),
            root: Digest(log.tree.root().0),
            request,
            part: None,
            measures,
            requests: requests_of(&log.streams),
            heads: heads.len(),
            witnessed,
            timestamps,
            payloads,
            findings: findings.kept().to_vec(),
            findings_total: findings.total(),
            counts: log.counts,
            controls: log.controls.iter().filter(|one| one.is_told()).map(Summary::of).collect(),
            outcomes: log.controls.into_iter().filter(Outcome::is_told).collect(),
            misbehaviour,
        }
    }

    /// What follows from the request, the heads and the entries is made again, and compared.
    fn check_files(&mut self, log: &Examined) {
        for name in std::mem::take(&mut self.expected).into_keys() {
            self.findings.add(Kind::FileMissing, format!("{name} is not there"));
        }
        self.check_last(log);
        self.check_controls(log);
        self.check_readme(log);
        self.check_manifest(log);
    }

    fn check_last(&mut self, log: &Examined) {
        let size = log.tree.size();
        match &self.last {
            None if self.arrived.files.contains_key(CHECKPOINT) => {}
            None => self.findings.add(Kind::FileMissing, format!("{CHECKPOINT} is not there")),
            Some(last) if last.says.size() < size => {
                let text = format!("the last head is over {} of {size} entries", last.says.size());
                self.findings.add(Kind::EntriesBeyond, text);
            }
            Some(_) => {}
        }
        if size == 0 {
            self.findings.add(Kind::FileMissing, "there are no entries");
        }
    }

    /// A file that follows from what is known is there, and is what follows from it.
    fn check_derived(&mut self, name: &str, wanted: &[u8]) {
        match self.arrived.files.get(name) {
            Some(found) if *found == listed(wanted) => {}
            Some(_) => {
                let text = format!("{name} is not what the request and the entries give");
                self.findings.add(Kind::FileAltered, text);
            }
            None => self.findings.add(Kind::FileMissing, format!("{name} is not there")),
        }
    }

    fn check_controls(&mut self, log: &Examined) {
        let wanted = controls(&log.controls);
        for (name, bytes) in &wanted {
            self.check_derived(name, bytes);
        }
        let others = self.arrived.files.keys().filter(|name| name.starts_with(CONTROLS));
        for name in others.filter(|name| !wanted.contains_key(*name)) {
            self.findings.add(Kind::FileUnexpected, format!("{name} is of no control"));
        }
    }

    fn check_readme(&mut self, log: &Examined) {
        if let Some(request) = &self.request {
            let origin = log.ledger.origin.as_deref().unwrap_or_default();
            let stamped = self.arrived.files.keys().any(|name| name.starts_with(TIMESTAMPS));
            let wanted = readme(request, origin, log.tree.size(), stamped);
            self.check_derived(README, wanted.as_bytes());
        } else if !self.arrived.files.contains_key(REQUEST) {
            self.findings.add(Kind::FileMissing, format!("{REQUEST} is not there"));
        }
    }

    fn check_manifest(&mut self, log: &Examined) {
        let Some(bytes) = &self.arrived.manifest else {
            return self.findings.add(Kind::FileMissing, format!("{MANIFEST} is not there"));
        };
        let origin = log.ledger.origin.clone().unwrap_or_default();
        let (size, root) = (log.tree.size(), log.tree.root());
        let (types, files) = (log.counts.types.clone(), self.arrived.files.clone());
        let wanted = json(&manifest(origin, size, root, types, files)).unwrap_or_default();
        if *bytes == wanted {
            return;
        }
        match serde_json::from_slice::<crate::bundle::Manifest>(bytes) {
            Ok(_) => {
                let text = format!("{MANIFEST} is not that of these files and entries");
                self.findings.add(Kind::ManifestTotals, text);
            }
            Err(error) => self.findings.add(Kind::ManifestForm, format!("{MANIFEST}: {error}")),
        }
    }

    /// Heads that are signed and of another log than the last one is, with what shows it.
    fn misbehaviour(&self, log: &Examined) -> Vec<Misbehaviour> {
        let Some(last) = self.last.as_ref().filter(|last| {
            (last.says.size(), last.says.root()) == (log.tree.size(), log.tree.root())
        }) else {
            return Vec::new();
        };
        let keys = heads::keys(log, self.trust);
        let others = self.heads.iter().chain(&self.trust.held);
        let shown = others.filter_map(|head| Misbehaviour::between(head, last, log));
        shown.filter(|shown| shown.check(&keys).is_ok()).take(MISBEHAVIOUR_MAX).collect()
    }
}
