//! A part of a log: what one control tells of, each entry with the proof that it is in the log. For whoever is not to see all of it.
//! It shows that what is in it is true of the log, and never that nothing was left out.
//!
//! | file | what |
//! |---|---|
//! | `request.json` | what was asked for |
//! | `checkpoint` | a signed head |
//! | `entries/POSITION` | an entry, byte by byte |
//! | `proofs/POSITION.tlog-proof` | that it is in the tree of that head (C2SP tlog-proof) |
//! | `controls/…` | what became of the control, as whoever exported computed it |
//! | `README.txt` | what this is, and how it is verified |
//! | `manifest.json` | each file's size and hash |

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use domain::canonical::{Digest, canonical};
use domain::controls::{ControlSettings, Outcome, csv, summary_csv};
use domain::envelope::Envelope;
use domain::leaf::Leaf;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tlog::{Frontier, Hash, ProofError, ProofFile, inclusion_proof_in_part};

use crate::archive;
use crate::bundle::{
    CHECKPOINT, CONTROLS, Listed, MANIFEST, Manifest, README, REQUEST, WriteError, json, listed,
};
use crate::heads::Head;

pub(crate) use self::reading::{is_part, verify};

/// The name of the format.
pub const PART_FORMAT: &str = "decklog-evidence-part-1";
/// Most entries of a part: whoever needs more exports the log.
pub const PART_ENTRIES_MAX: usize = 100_000;
const PROVEN: &str = "entries/";
const PROOFS: &str = "proofs/";
/// Leaves under one hash of those that are computed once for all proofs, a power of two.
const SPAN: usize = 1_024;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRequest {
    /// [`PART_FORMAT`].
    pub format: String,
    /// The beginning of the period that the evidence is about, inclusive.
    pub from: Timestamp,
    /// Its end, exclusive.
    pub until: Timestamp,
    /// By which measures its control was tested.
    pub controls: ControlSettings,
    /// The control.
    pub control: String,
}

/// What is in a part, for whoever reads the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The control that it is about.
    pub control: String,
    /// How many entries in it are proven to be in the log.
    pub entries: u64,
    /// How many of them carry a signature of their producer that holds; the others are vouched for by the log alone.
    pub signed: u64,
}

/// Where the log tells of a control's population, and of what was said of it.
#[must_use]
pub fn cited(outcome: &Outcome) -> BTreeSet<u64> {
    let items = outcome.population.iter();
    items
        .flat_map(|item| {
            item.position.into_iter().chain(item.disposed.as_ref().map(|said| said.position))
        })
        .collect()
}

/// Proofs of a log whose leaves are known, each made from the few hashes above its neighbours.
#[derive(Debug)]
pub struct Proofs<'a> {
    leaves: &'a [Hash],
    roots: Vec<Hash>,
}

impl<'a> Proofs<'a> {
    /// Proofs in the tree of all of these leaves.
    #[must_use]
    pub fn of(leaves: &'a [Hash]) -> Self {
        let root = |span: &[Hash]| span.iter().copied().collect::<Frontier>().root();
        Self { leaves, roots: leaves.chunks(SPAN).map(root).collect() }
    }

    /// The proof of the entry at a position, from 1.
    ///
    /// # Errors
    /// There is no such entry.
    pub fn of_position(&self, position: u64) -> Result<Vec<Hash>, ProofError> {
        let index = position.saturating_sub(1);
        let (number, within) = (index / SPAN as u64, index % SPAN as u64);
        let from = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(SPAN);
        let rest = self.leaves.get(from..).unwrap_or_default();
        let span = rest.get(..SPAN).unwrap_or(rest);
        inclusion_proof_in_part(span, within, &self.roots, number)
    }
}

fn entry_name(position: u64) -> String {
    format!("{PROVEN}{position:020}")
}

fn proof_name(position: u64) -> String {
    format!("{PROOFS}{position:020}.tlog-proof")
}

fn manifest(
    head: &Head,
    types: BTreeMap<String, u64>,
    files: BTreeMap<String, Listed>,
) -> Manifest {
    let (format, extent) = (PART_FORMAT.to_owned(), "PARTIAL".to_owned());
    let (origin, size) = (head.says.origin().to_owned(), head.says.size());
    Manifest { format, extent, origin, size, root: Digest(head.says.root().0), types, files }
}

fn readme(request: &PartRequest, head: &Head) -> String {
    let PartRequest { from, until, control, .. } = request;
    let settings = canonical(&request.controls).unwrap_or_default();
    let settings = String::from_utf8_lossy(&settings);
    let (origin, size) = (head.says.origin(), head.says.size());
    format!(
        "A part of the log {origin}\n\
         from {from} until {until}\n\
         {settings}\n\
         \n\
         This archive holds what the control {control} tells of, out of a log of {size} entries: each entry\n\
         with the proof that it is in the tree of the head. It shows that what is in it was said, by whom and\n\
         when, and it cannot show that nothing was left out: for that, ask for the log.\n\
         \n\
         \x20   decklog-verify THIS-FILE --policy YOUR-POLICY\n\
         \n\
         says TAMPERED where something is not what was signed, and INCONCLUSIVE otherwise, because it is a part.\n\
         \n\
         checkpoint           the signed head, with the lines of witnesses\n\
         entries/             the entries, named by their positions\n\
         proofs/              that each is in the tree (C2SP tlog-proof); any tool that knows these checks them\n\
         controls/            what became of the control, as whoever exported has computed it of the whole log\n\
         request.json         what was asked for\n\
         manifest.json        each file's size and SHA-256, and how many events there are of each kind\n\
         \n\
         The format is written down in ops/handbook/evidence-format.md of Decklog.\n"
    )
}

/// Writes a part, entry by entry.
#[derive(Debug)]
pub struct PartWriter<W: Write> {
    archive: archive::Writer<W>,
    request: PartRequest,
    head: Head,
    files: BTreeMap<String, Listed>,
    types: BTreeMap<String, u64>,
}

impl<W: Write> PartWriter<W> {
    /// Begins a part: what was asked for, and the head whose tree its entries are in.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(out: W, request: PartRequest, head: Head) -> Result<Self, WriteError> {
        let (archive, types) = (archive::Writer::new(out), BTreeMap::new());
        let mut writer = Self { archive, request, head, files: BTreeMap::new(), types };
        let request = json(&writer.request)?;
        writer.add(REQUEST, &request)?;
        let note = writer.head.note.to_string();
        writer.add(CHECKPOINT, note.as_bytes())?;
        Ok(writer)
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        self.archive.add(name, bytes)?;
        self.files.insert(name.to_owned(), listed(bytes));
        Ok(())
    }

    /// Adds the entry at a position, which is behind those before, with its proof.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn entry(&mut self, position: u64, leaf: &[u8], path: Vec<Hash>) -> Result<(), WriteError> {
        if let Some(kind) = kind(leaf) {
            *self.types.entry(kind).or_default() += 1;
        }
        self.add(&entry_name(position), leaf)?;
        let proof =
            ProofFile { index: position.saturating_sub(1), path, note: self.head.note.clone() };
        self.add(&proof_name(position), proof.to_string().as_bytes())
    }

    /// Writes what became of the control, and what is left.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, outcome: &Outcome) -> Result<W, WriteError> {
        self.add(&format!("{CONTROLS}{}.csv", outcome.control), csv(outcome).as_bytes())?;
        self.add(&format!("{CONTROLS}summary.csv"), summary_csv([outcome]).as_bytes())?;
        let readme = readme(&self.request, &self.head);
        self.add(README, readme.as_bytes())?;
        let manifest = manifest(&self.head, self.types, std::mem::take(&mut self.files));
        self.archive.add(MANIFEST, &json(&manifest)?)?;
        Ok(self.archive.finish()?)
    }
}

/// The kind of event in a leaf, where it has one.
fn kind(leaf: &[u8]) -> Option<String> {
    Some(Envelope::parse(&Leaf::from_bytes(leaf).ok()?.envelope).ok()?.kind)
}
