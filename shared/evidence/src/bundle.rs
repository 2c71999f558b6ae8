//! Which files are in a bundle, and how they are made. Everything but what was asked for, the heads and the entries follows
//! from these three, and is made again by whoever verifies.
//!
//! | file | what |
//! |---|---|
//! | `request.json` | what was asked for |
//! | `checkpoint` | the last head, over everything that is in the bundle |
//! | `checkpoints/SIZE.note` | earlier heads |
//! | `timestamps/SIZE.tsr` | what a time-stamping authority said of the head of a size (RFC 3161) |
//! | `tile/entries/…`, `tile/L/…` | the entries and the hashes of the tree (C2SP tlog-tiles) |
//! | `payloads/POSITION` | what the event at that position commits to, where it is shown |
//! | `controls/…` | what became of each control: its whole population, and a summary |
//! | `README.txt` | what this is, and how it is verified |
//! | `manifest.json` | each file's size and hash, and totals |

use std::collections::BTreeMap;
use std::io::Write;

use domain::canonical::{Digest, canonical};
use domain::controls::{ControlSettings, Outcome, Period, csv, summary_csv};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tlog::{EntriesError, Hash, Level, TILE_WIDTH, Tile, Tiler, write_entries};

use crate::archive::{self, ArchiveError};
use crate::examiner::{Depth, Examined, Examiner};
use crate::finding::{Findings, Kind};
use crate::heads::Head;
use crate::payloads::{PAYLOADS_MAX, Payloads, payload_name};
use crate::timestamps::TIMESTAMPS_MAX;

/// The name of the format.
pub const FORMAT: &str = "decklog-evidence-1";
pub(crate) const REQUEST: &str = "request.json";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const CHECKPOINTS: &str = "checkpoints/";
pub(crate) const TIMESTAMPS: &str = "timestamps/";
pub(crate) const ENTRIES: &str = "tile/entries/";
pub(crate) const TILES: &str = "tile/";
pub(crate) const CONTROLS: &str = "controls/";
pub(crate) const README: &str = "README.txt";
pub(crate) const MANIFEST: &str = "manifest.json";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`FORMAT`].
    pub format: String,
    /// The beginning of the period that the evidence is about, inclusive.
    pub from: Timestamp,
    /// Its end, exclusive.
    pub until: Timestamp,
    /// By which measures its controls are tested.
    pub controls: ControlSettings,
    /// Positions of which the payload is shown, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<u64>,
}

impl Request {
    /// Evidence about a period.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp, controls: ControlSettings) -> Self {
        Self { format: FORMAT.to_owned(), from, until, controls, payloads: Vec::new() }
    }

    /// The same, with the payloads that the events at these positions commit to.
    #[must_use]
    pub fn showing(mut self, mut positions: Vec<u64>) -> Self {
        positions.sort_unstable();
        positions.dedup();
        self.payloads = positions;
        self
    }

    /// Whether it is one: of this format, and no more than may be asked for, in order.
    pub(crate) fn is_one(&self) -> bool {
        let ordered = self.payloads.is_sorted_by(|one, next| one < next);
        self.format == FORMAT && ordered && self.payloads.len() <= PAYLOADS_MAX
    }

    /// An examination that computes what was asked for.
    #[must_use]
    pub fn examiner(&self, depth: Depth) -> Examiner {
        let period = Period { from: self.from, until: self.until };
        Examiner::new(depth).with_controls(period, self.controls.clone())
    }
}

/// What became of each control, as files by their names. A control that came later than bundles did has none where there is
/// nothing to say: what was written before it is still what follows from its entries.
pub(crate) fn controls(outcomes: &[Outcome]) -> BTreeMap<String, Vec<u8>> {
    let outcomes = || outcomes.iter().filter(|one| one.is_told());
    let own = outcomes().map(|one| (format!("{CONTROLS}{}.csv", one.control), csv(one)));
    let all = own.chain([(format!("{CONTROLS}summary.csv"), summary_csv(outcomes()))]);
    all.map(|(name, text)| (name, text.into_bytes())).collect()
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Digest,
}

/// The last file: what the others are, and totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Always `FULL`: the log from its first event to the last head, so that nothing can have been left out.
    pub extent: String,
    /// The log's name.
    pub origin: String,
    /// How many entries there are.
    pub size: u64,
    /// The root of their tree.
    pub root: Digest,
    /// Events by kind.
    pub types: BTreeMap<String, u64>,
    /// Every other file, by its name.
    pub files: BTreeMap<String, Listed>,
}

/// JSON as it stands in a bundle: canonical (RFC 8785), and a newline.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = canonical(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The name of an earlier head's file. Where there are several of one size, they are numbered.
pub(crate) fn checkpoint_name(size: u64, number: usize) -> String {
    match number {
        0 => format!("{CHECKPOINTS}{size:020}.note"),
        more => format!("{CHECKPOINTS}{size:020}-{more}.note"),
    }
}

/// The name of the file with what an authority said of the head of a size.
pub(crate) fn timestamp_name(size: u64) -> String {
    format!("{TIMESTAMPS}{size:020}.tsr")
}

/// What somebody reads first. Time stamps are told of where there are any.
pub(crate) fn readme(request: &Request, origin: &str, size: u64, stamped: bool) -> String {
    let stamps = if stamped {
        "timestamps/          what a time-stamping authority said of heads (RFC 3161): decklog-verify --tsa\n"
    } else {
        ""
    };
    let payloads = if request.payloads.is_empty() {
        ""
    } else {
        "payloads/            what runs wrote and documents said, as far as it is shown: three lines, the last\n\
         \x20                    of them a salt, and the content; the log commits to it\n"
    };
    let Request { from, until, .. } = request;
    let settings = canonical(&request.controls).unwrap_or_default();
    let settings = String::from_utf8_lossy(&settings);
    format!(
        "Evidence of the log {origin}\n\
         from {from} until {until}\n\
         {settings}\n\
         \n\
         This archive holds the log from its first entry to entry {size}, all of it, so that what is\n\
         said of the period can be computed again, and nothing can have been left out.\n\
         \n\
         To verify it, you need a verifier and a policy, and both should come to you by another way\n\
         than this file. The policy names the key of the log and the witnesses whom you believe.\n\
         \n\
         \x20   decklog-verify THIS-FILE --policy YOUR-POLICY [--head A-HEAD-THAT-YOU-KEPT]\n\
         \n\
         It says one of three words. VERIFIED: everything is there, and everything that can be computed\n\
         holds. TAMPERED: something is not what its signer signed, or contradicts what you hold.\n\
         INCONCLUSIVE: nothing contradicts, but something that is needed is missing, such as the\n\
         signature of a witness; without one, whoever holds the keys of the log and of all hosts could\n\
         have written all of it anew.\n\
         \n\
         checkpoint           the signed head over all entries, with the lines of witnesses\n\
         checkpoints/         heads that were signed before\n\
         {stamps}\
         tile/entries/        the entries: each behind its length, two bytes\n\
         tile/0/ and above    the hashes of the tree\n\
         controls/            summary.csv: each control, how many things it was tested on, how many are\n\
         \x20                    exceptions; and a file for each control with all of them\n\
         {payloads}\
         request.json         what was asked for\n\
         manifest.json        each file's size and SHA-256, and how many events there are of each kind\n\
         \n\
         All but the entries and the heads follows from them. The format is written down in\n\
         \x20   ops/handbook/evidence-format.md\n\
         of Decklog, and what evidence of this kind cannot show in ops/handbook/limits.md.\n"
    )
}

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The archive cannot be written.
    #[error("writing the archive: {0}")]
    Archive(#[from] ArchiveError),
    /// An entry is too long.
    #[error(transparent)]
    Entries(#[from] EntriesError),
    /// Something cannot be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A payload is not what the log commits to.
    #[error("a payload: {0}")]
    Payload(String),
    /// There are more time stamps than a bundle may have.
    #[error("more than {TIMESTAMPS_MAX} time stamps")]
    Timestamps,
    /// The entries are not those of the last head.
    #[error(
        "{found} entries have root {root}, but the head is over {size} entries with another root, or of another size: the log was changed, or not read to its end"
    )]
    OtherTree {
        /// How many there are.
        found: u64,
        /// Their root.
        root: Hash,
        /// How many the head is over.
        size: u64,
    },
}

/// Writes a bundle while the entries pass by.
#[derive(Debug)]
pub struct Writer<W: Write> {
    archive: archive::Writer<W>,
    request: Request,
    last: Head,
    files: BTreeMap<String, Listed>,
    examiner: Examiner,
    tiler: Tiler,
    payloads: Payloads,
    timestamps: usize,
    /// Entries of the bundle that is not full.
    waiting: Vec<Vec<u8>>,
}

impl<W: Write> Writer<W> {
    /// Begins a bundle: what was asked for, the head over all entries, and earlier ones.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(out: W, request: Request, last: Head, earlier: &[Head]) -> Result<Self, WriteError> {
        let mut writer = Self {
            archive: archive::Writer::new(out),
            // Whoever verifies checks every signature; here the last of each producer is enough.
            examiner: request.examiner(Depth::Tip),
            payloads: Payloads::of(&request.payloads),
            request,
            last,
            files: BTreeMap::new(),
            tiler: Tiler::new(),
            timestamps: 0,
            waiting: Vec::new(),
        };
        let request = json(&writer.request)?;
        writer.add(REQUEST, &request)?;
        let note = writer.last.note.to_string();
        writer.add(CHECKPOINT, note.as_bytes())?;
        let mut numbers: BTreeMap<u64, usize> = BTreeMap::new();
        for head in earlier {
            let number = numbers.entry(head.says.size()).or_default();
            writer.add(
                &checkpoint_name(head.says.size(), *number),
                head.note.to_string().as_bytes(),
            )?;
            *number += 1;
        }
        Ok(writer)
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        self.archive.add(name, bytes)?;
        self.files.insert(name.to_owned(), listed(bytes));
        Ok(())
    }

    /// Adds what an authority said of the head of a size, which is one of those that were given; before any entry. Those
    /// beyond [`TIMESTAMPS_MAX`] are refused.
    ///
    /// # Errors
    /// It cannot be written, or there are too many.
    pub fn timestamp(&mut self, size: u64, answer: &[u8]) -> Result<(), WriteError> {
        if self.timestamps == TIMESTAMPS_MAX {
            return Err(WriteError::Timestamps);
        }
        self.timestamps += 1;
        self.add(&timestamp_name(size), answer)
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn entry(&mut self, leaf: Vec<u8>) -> Result<(), WriteError> {
        if let Some(taken) = self.examiner.take(&leaf) {
            self.payloads.passed(self.examiner.size(), &taken);
        }
        self.waiting.push(leaf);
        let full = self.examiner.newest().map(|hash| self.tiler.push(hash)).unwrap_or_default();
        if self.waiting.len() as u64 == TILE_WIDTH {
            self.flush()?;
        }
        full.into_iter().try_for_each(|(tile, bytes)| self.add(&tile.to_string(), &bytes))
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let (size, width) = (self.examiner.size(), self.waiting.len() as u64);
        let Some(last) = size.checked_sub(1).filter(|_| width > 0) else { return Ok(()) };
        let tile = Tile { level: Level::Entries, index: last / TILE_WIDTH, width };
        let entries = write_entries(self.waiting.iter().map(Vec::as_slice))?;
        self.waiting.clear();
        self.add(&tile.to_string(), &entries)
    }

    /// Adds a payload whose position was asked for, as a file that shows it ([`domain::payload::Disclosure`]); behind the last
    /// entry.
    ///
    /// # Errors
    /// It cannot be written, or is not what the log commits to.
    pub fn payload(&mut self, shown: &[u8]) -> Result<(), WriteError> {
        self.flush()?;
        let position = self.payloads.take(shown).map_err(WriteError::Payload)?;
        self.add(&payload_name(position), shown)
    }

    /// Writes what is left; says what the examination of the entries came to.
    ///
    /// # Errors
    /// It cannot be written, or the entries are not those of the last head.
    pub fn finish(mut self) -> Result<(W, Examined), WriteError> {
        self.flush()?;
        let log = std::mem::take(&mut self.examiner).finish([]);
        let (found, root) = (log.tree.size(), log.tree.root());
        let (size, wanted) = (self.last.says.size(), self.last.says.root());
        if (found, root) != (size, wanted) {
            return Err(WriteError::OtherTree { found, root, size });
        }
        for (tile, bytes) in self.tiler.partial() {
            self.add(&tile.to_string(), &bytes)?;
        }
        for (name, bytes) in controls(&log.controls) {
            self.add(&name, &bytes)?;
        }
        let origin = self.last.says.origin().to_owned();
        let readme = readme(&self.request, &origin, size, self.timestamps > 0);
        self.add(README, readme.as_bytes())?;
        let files = std::mem::take(&mut self.files);
        let manifest = manifest(origin, size, root, log.counts.types.clone(), files);
        self.archive.add(MANIFEST, &json(&manifest)?)?;
        Ok((self.archive.finish()?, log))
    }
}

pub(crate) fn listed(bytes: &[u8]) -> Listed {
    Listed { bytes: bytes.len() as u64, sha256: Digest::of(bytes) }
}

/// The files of a bundle, or of a part, as they come: each once, and the manifest last.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// All but the manifest.
    pub(crate) files: BTreeMap<String, Listed>,
    /// The manifest.
    pub(crate) manifest: Option<Vec<u8>>,
}

impl Arrived {
    /// Takes the next file; whether its content is to be looked at.
    pub(crate) fn take(&mut self, name: &str, bytes: &[u8], findings: &mut Findings) -> bool {
        if name == MANIFEST && self.manifest.is_none() {
            self.manifest = Some(bytes.to_vec());
            return false;
        }
        let known =
            self.manifest.is_some() || self.files.insert(name.to_owned(), listed(bytes)).is_some();
        if known {
            let text = format!("{name} stands behind the manifest, or comes twice");
            findings.add(Kind::FileUnexpected, text);
        }
        !known
    }
}

pub(crate) fn manifest(
    origin: String,
    size: u64,
    root: Hash,
    types: BTreeMap<String, u64>,
    files: BTreeMap<String, Listed>,
) -> Manifest {
    let (format, extent) = (FORMAT.to_owned(), "FULL".to_owned());
    Manifest { format, extent, origin, size, root: Digest(root.0), types, files }
}
