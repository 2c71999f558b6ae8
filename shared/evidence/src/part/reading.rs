//! A part of a log, from its first to its last byte.

use std::collections::BTreeMap;
use std::io::Read;

use domain::canonical::Digest;
use domain::envelope::Envelope;
use domain::event::{Event, LogEvent};
use domain::ids::{Class, ProducerId};
use domain::keys::PublicKey;
use domain::leaf::Leaf;
use jiff::Timestamp;
use serde_json::Value;
use tlog::{ProofFile, VerifierKey, leaf_hash};

use super::{
    PART_FORMAT, PROOFS, PROVEN, Part, PartRequest, entry_name, manifest, proof_name, readme,
};
use crate::archive::Reader;
use crate::bundle::{
    Arrived, CHECKPOINT, CONTROLS, MANIFEST, README, REQUEST, Request, json, listed,
};
use crate::examiner::{Counts, Entries};
use crate::finding::{Findings, Kind};
use crate::heads::{self, Head, Trust};
use crate::names::{self, Name};
use crate::timestamps::Stamped;
use crate::verify::{Report, next};

/// Whether this is the request of a part.
pub(crate) fn is_part(bytes: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(bytes).ok();
    value.is_some_and(|value| value["format"] == PART_FORMAT)
}

/// Reads what stands behind the request of a part, and says what it is worth.
pub(crate) fn verify(
    request: &[u8],
    reader: &mut Reader<impl Read>,
    trust: &Trust,
    progress: &mut dyn FnMut(u64, u64),
) -> std::io::Result<Report> {
    let mut reading = Reading::new(trust);
    reading.take(REQUEST, request);
    while let Some((name, bytes)) = next(reader, &mut reading.findings)? {
        reading.take(&name, &bytes);
        progress(reader.at(), reading.counts.events);
    }
    Ok(reading.finish())
}

struct Reading<'a> {
    trust: &'a Trust,
    request: Option<PartRequest>,
    head: Option<Head>,
    arrived: Arrived,
    /// The entry that waits for its proof.
    waiting: Option<(u64, Vec<u8>)>,
    newest: u64,
    received: Timestamp,
    entries: Entries,
    /// Keys that entries of the part let in.
    keys: BTreeMap<ProducerId, Vec<PublicKey>>,
    /// Names of the log that entries of the part give it.
    names: Vec<Name>,
    proven: u64,
    signed: u64,
    counts: Counts,
    findings: Findings,
}

impl<'a> Reading<'a> {
    fn new(trust: &'a Trust) -> Self {
        Self {
            trust,
            request: None,
            head: None,
            arrived: Arrived::default(),
            waiting: None,
            newest: 0,
            received: Timestamp::UNIX_EPOCH,
            entries: Entries::default(),
            keys: BTreeMap::new(),
            names: Vec::new(),
            proven: 0,
            signed: 0,
            counts: Counts::default(),
            findings: Findings::default(),
        }
    }

    fn take(&mut self, name: &str, bytes: &[u8]) {
        if !self.arrived.take(name, bytes, &mut self.findings) {
            return;
        }
        match name {
            REQUEST => self.take_request(bytes),
            CHECKPOINT => self.take_head(bytes),
            _ if name.starts_with(PROVEN) => self.take_entry(name, bytes),
            _ if name.starts_with(PROOFS) => self.take_proof(name, bytes),
            // They are compared at the end.
            README => {}
            _ if self.is_of_control(name) => {}
            _ => {
                self.findings
                    .add(Kind::FileUnexpected, format!("{name} belongs into no such part"));
            }
        }
    }

    fn is_of_control(&self, name: &str) -> bool {
        let control = self.request.as_ref().map_or("", |request| request.control.as_str());
        let rest = name.strip_prefix(CONTROLS).and_then(|rest| rest.strip_suffix(".csv"));
        rest.is_some_and(|rest| rest == control || rest == "summary")
    }

    fn take_request(&mut self, bytes: &[u8]) {
        let read = serde_json::from_slice::<PartRequest>(bytes).ok();
        let read = read.filter(|read| {
            read.format == PART_FORMAT && json(read).is_ok_and(|again| again == bytes)
        });
        if read.is_none() {
            let text = format!("{REQUEST} is not the request of a {PART_FORMAT}");
            self.findings.add(Kind::ManifestForm, text);
        }
        self.request = read;
    }

    fn take_head(&mut self, bytes: &[u8]) {
        match Head::read(bytes) {
            Ok(head) if self.newest == 0 => self.head = Some(head),
            Ok(_) => self
                .findings
                .add(Kind::FileUnexpected, format!("{CHECKPOINT} stands behind entries")),
            Err(error) => self.findings.add(Kind::HeadForm, format!("{CHECKPOINT}: {error}")),
        }
    }

    fn take_entry(&mut self, name: &str, bytes: &[u8]) {
        self.miss_proof();
        let position = name.strip_prefix(PROVEN).and_then(|text| text.parse().ok()).unwrap_or(0);
        if name != entry_name(position) || position <= self.newest {
            let text = format!("{name} does not follow the entry at {}", self.newest);
            return self.findings.add(Kind::FileUnexpected, text);
        }
        self.newest = position;
        self.waiting = Some((position, bytes.to_vec()));
        self.counts.events += 1;
        if let Err((kind, text)) = self.read(position, bytes) {
            self.findings.at(position, kind, text);
        }
    }

    fn miss_proof(&mut self) {
        if let Some((position, _)) = self.waiting.take() {
            let text = format!(
                "{} is not there: nothing shows that it is in the log",
                proof_name(position)
            );
            self.findings.at(position, Kind::EntryUnproven, text);
        }
    }

    fn read(&mut self, position: u64, bytes: &[u8]) -> Result<(), (Kind, String)> {
        let (leaf, envelope, event) = self.entries.read(bytes, position, &mut self.findings)?;
        if leaf.received < self.received {
            let text = "it was received before an event in front of it";
            self.findings.at(position, Kind::ReceivedBack, text);
        }
        self.received = leaf.received;
        self.learn(position, &envelope, &event?);
        self.check_seals(position, &envelope, &leaf);
        Ok(())
    }

    /// Whom the recorder lets in, and under which name the log goes.
    fn learn(&mut self, position: u64, envelope: &Envelope, event: &Event) {
        if envelope.source.class() == Class::Audit {
            self.names.extend(Name::given_by(event, position));
        }
        let Event::LogEvent(event) = event else { return };
        let told = if let LogEvent::LogCreated(said) = event {
            Some((&said.producer, &said.key))
        } else if let LogEvent::LogProducerEnrolled(said) = event {
            Some((&said.producer, &said.key))
        } else {
            None
        };
        let told = told.filter(|_| envelope.source.class() == Class::Audit);
        if let Some((producer, key)) = told
            && let Ok(key) = PublicKey::from_hex(key)
        {
            self.keys.entry(producer.clone()).or_default().push(key);
        }
    }

    fn check_seals(&mut self, position: u64, envelope: &Envelope, leaf: &Leaf) {
        let Some(keys) = self.keys.get(&envelope.source).filter(|_| !leaf.seals.is_empty()) else {
            return;
        };
        let holds = leaf
            .seals
            .iter()
            .all(|seal| keys.iter().any(|key| key.verify(&leaf.envelope, seal).is_ok()));
        if holds {
            self.signed += 1;
        } else {
            let text = format!("the signature of {} does not hold", envelope.source);
            self.findings.at(position, Kind::ProducerSignature, text);
        }
    }

    fn take_proof(&mut self, name: &str, bytes: &[u8]) {
        let Some((position, leaf)) =
            self.waiting.take_if(|(position, _)| name == proof_name(*position))
        else {
            let text = format!("{name} stands behind no entry that it proves");
            return self.findings.add(Kind::FileUnexpected, text);
        };
        let proven = ProofFile::parse(bytes).map_err(|error| error.to_string()).and_then(|proof| {
            let note = self.head.as_ref().map(|head| &head.note);
            if proof.index != position - 1 || Some(&proof.note) != note {
                return Err("it is of another position, or in the tree of another head".to_owned());
            }
            if proof.to_string().as_bytes() != bytes {
                return Err("it is not the one spelling of it".to_owned());
            }
            proof.check(&leaf_hash(&leaf)).map_err(|error| error.to_string())
        });
        match proven {
            Ok(_) => self.proven += 1,
            Err(why) => self.findings.at(position, Kind::EntryUnproven, format!("{name}: {why}")),
        }
    }

    fn finish(mut self) -> Report {
        self.miss_proof();
        self.check_files();
        self.counts.types = std::mem::take(&mut self.entries.types);
        let control = self.request.as_ref().map(|request| request.control.clone());
        let part = Part {
            control: control.unwrap_or_default(),
            entries: self.proven,
            signed: self.signed,
        };
        let uncompared = if self.trust.held.is_empty() && self.trust.tsa.is_none() {
            ""
        } else {
            "; with a part, heads that you hold of other sizes and time stamps are not compared"
        };
        let text = format!(
            "it is a part of the log, about {}: {} of its {} entries are proven to be in the log, and nothing shows that nothing was left out{uncompared}",
            part.control, self.proven, self.counts.events
        );
        self.findings.add(Kind::Partial, text);
        let witnessed = match &self.head {
            Some(head) => {
                check_head(head, &self.names, self.trust, &mut self.findings);
                heads::quorum(head, self.trust, self.received, &mut self.findings)
            }
            None => heads::Witnessed::default(),
        };
        let request = self.request.as_ref();
        let request = request.map(|one| Request::new(one.from, one.until, one.controls.clone()));
        let says = self.head.as_ref().map(|head| &head.says);
        Report {
            verdict: self.findings.verdict(),
            origin: says.map(|says| says.origin().to_owned()).unwrap_or_default(),
            size: says.map_or(0, tlog::Checkpoint::size),
            root: says.map_or(Digest::NONE, |says| Digest(says.root().0)),
            request,
            part: Some(part),
            counts: self.counts,
            measures: None,
            controls: Vec::new(),
            outcomes: Vec::new(),
            requests: Vec::new(),
            heads: usize::from(self.head.is_some()),
            witnessed,
            timestamps: Stamped::default(),
            payloads: Vec::new(),
            findings: self.findings.kept().to_vec(),
            findings_total: self.findings.total(),
            misbehaviour: Vec::new(),
        }
    }

    fn check_files(&mut self) {
        let control = self.request.as_ref().map_or("", |request| request.control.as_str());
        let csv = [control, "summary"].map(|name| format!("{CONTROLS}{name}.csv"));
        let wanted = [REQUEST, CHECKPOINT, README].map(str::to_owned).into_iter().chain(csv);
        for name in wanted.filter(|name| !self.arrived.files.contains_key(name)) {
            self.findings.add(Kind::FileMissing, format!("{name} is not there"));
        }
        if self.counts.events == 0 {
            self.findings.add(Kind::FileMissing, "there are no entries");
        }
        let (Some(request), Some(head)) = (&self.request, &self.head) else { return };
        if self
            .arrived
            .files
            .get(README)
            .is_some_and(|one| *one != listed(readme(request, head).as_bytes()))
        {
            let text = format!("{README} is not what the request and the head give");
            self.findings.add(Kind::FileAltered, text);
        }
        let wanted = manifest(head, self.entries.types.clone(), self.arrived.files.clone());
        match &self.arrived.manifest {
            None => self.findings.add(Kind::FileMissing, format!("{MANIFEST} is not there")),
            Some(bytes) if json(&wanted).is_ok_and(|wanted| wanted == *bytes) => {}
            Some(_) => {
                let text = format!("{MANIFEST} is not that of these files and entries");
                self.findings.add(Kind::ManifestTotals, text);
            }
        }
    }
}

/// Whether the head is one of a log whose key the reader believes, and not another than the reader holds.
fn check_head(head: &Head, names: &[Name], trust: &Trust, findings: &mut Findings) {
    let keys: Vec<VerifierKey> = heads::named(trust);
    if keys.is_empty() {
        let text = "no policy says whose heads are believed: bring one that came to you by another way than the evidence";
        findings.add(Kind::NoPolicy, text);
    } else if !head.is_signed_by(&keys) {
        let (kind, text) = continued(head, names, &keys).unwrap_or_else(|| {
            let text = "the head is not signed by a key that the policy names for its log";
            (Kind::HeadSignature, text.to_owned())
        });
        findings.add(kind, text);
    }
    let same = |held: &&Head| {
        (held.says.origin(), held.says.size()) == (head.says.origin(), head.says.size())
    };
    let fork = trust.held.iter().filter(same).any(|held| held.says.root() != head.says.root());
    if fork {
        let text = format!("you hold a head of size {} with another root", head.says.size());
        findings.add(Kind::HeldFork, text);
    }
}

/// That the head is of the last name of a log of which the reader knows one before.
fn continued(head: &Head, names: &[Name], keys: &[VerifierKey]) -> Option<(Kind, String)> {
    let last = names.last()?;
    let own = last.verifier()?;
    if keys.contains(&own) || head.stranger(Some(&last.origin), &[own]).is_some() {
        return None;
    }
    let named: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let told = names::goes_on(names, &named)?;
    // Which events a head before is over, a part does not show.
    let pairs = names.iter().zip(names.iter().skip(1));
    Some(pairs.map(|(old, new)| new.misfit(old, |_| true)).find_map(|wrong| wrong).unwrap_or(told))
}
