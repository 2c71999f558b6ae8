//! What each reader is given first: a small log of our own, in all the forms in which it goes about.

use std::fs;
use std::path::Path;

use anyhow::Result;
use domain::controls::ControlSettings;
use domain::envelope::{Draft, Place};
use domain::event::{Event, LogCreated, LogHeadSigned, LogPolicySet};
use domain::flush::Flush;
use domain::ids::{ProducerId, StreamId};
use domain::keys::SecretKey;
use domain::leaf::Leaf;
use evidence::{Head, Request, Writer};
use jiff::Timestamp;
use tlog::{
    Checkpoint, CosignerKey, Frontier, Note, ProofFile, SignerKey, leaf_hash, write_entries,
};

const ORIGIN: &str = "example.org/log";
/// When all of it happened, seconds since 1970.
const AT: i64 = 1_790_000_000;

/// Makes a directory for each reader.
pub(crate) fn write_to(dir: &Path) -> Result<()> {
    let log = Log::new()?;
    let note = log.head(log.leaves.len())?;
    let text = note.text().to_owned();
    let bundle = write_entries(log.leaves.iter().map(Vec::as_slice))?;
    let proof = ProofFile { index: 0, path: Vec::new(), note: log.head(1)? };
    let submission = format!("old 3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n{note}");
    let policy = format!(
        "log {}\nwitness w {}\ngroup g all w\nquorum g\n",
        log.signer.verifier_key(),
        log.witness.witness_key()
    );
    for (reader, seeds) in [
        ("note", vec![note.to_string().into_bytes()]),
        ("checkpoint", vec![text.into_bytes()]),
        ("leaf", [log.leaves.clone(), vec![bundle]].concat()),
        ("envelope", log.envelopes.clone()),
        ("flush", vec![log.flush.clone()]),
        (
            "texts",
            vec![
                submission.into_bytes(),
                policy.into_bytes(),
                proof.to_string().into_bytes(),
                log.signer.verifier_key().to_string().into_bytes(),
            ],
        ),
        ("token", vec![b"0\x82\x00\x10".to_vec()]),
        ("tar", vec![log.bundle()?]),
        ("zstd", vec![segment()?]),
    ] {
        write(&dir.join(reader), &seeds)?;
    }
    Ok(())
}

/// A file of the archive: 64 frames of 256 entries, and the table of their lengths.
fn segment() -> Result<Vec<u8>> {
    let entries = write_entries(std::iter::repeat_n(&b"entry"[..], 256))?;
    let frame = zstd::bulk::compress(&entries, 9)?;
    let lengths = [u32::try_from(frame.len())?, u32::try_from(entries.len())?];
    let (magic, count) = (0x184d_2a5e_u32, 64_u32);
    let mut table = [magic, count * 8 + 9].map(u32::to_le_bytes).concat();
    table.extend(lengths.map(u32::to_le_bytes).concat().repeat(64));
    table.extend(count.to_le_bytes());
    table.push(0);
    table.extend(0x8f92_eab1_u32.to_le_bytes());
    Ok([frame.repeat(64), table].concat())
}

fn write(dir: &Path, seeds: &[Vec<u8>]) -> Result<()> {
    fs::create_dir_all(dir)?;
    for (number, bytes) in seeds.iter().enumerate() {
        fs::write(dir.join(format!("seed-{number}")), bytes)?;
    }
    Ok(())
}

struct Log {
    signer: SignerKey,
    witness: CosignerKey,
    envelopes: Vec<Vec<u8>>,
    flush: Vec<u8>,
    leaves: Vec<Vec<u8>>,
}

impl Log {
    fn new() -> Result<Self> {
        let (key, id) = (SecretKey::from_seed(&[7; 32]), "audit/main".parse::<ProducerId>()?);
        let signer = SignerKey::from_seed(ORIGIN, &[8; 32])?;
        let at = Timestamp::from_second(AT)?;
        let created = LogCreated {
            origin: ORIGIN.to_owned(),
            producer: id.clone(),
            key: key.public().to_hex(),
            head_key: signer.verifier_key().to_string(),
            version: "0".to_owned(),
        };
        let policy = LogPolicySet { self_approval: false, reason: "so it is \u{e9}".to_owned() };
        let root = domain::canonical::Digest([0; 32]);
        let head = LogHeadSigned { size: 0, root };
        let said: [Event; 3] = [created.into(), policy.into(), head.into()];
        let (mut place, mut envelopes) = (Place::default(), Vec::new());
        for (number, event) in (1..).zip(said) {
            let draft = Draft::new(StreamId::log("main"), number, event);
            let uuid = uuid::Uuid::from_u128(u128::from(number));
            envelopes.push(place.seal(&id, draft, uuid, at)?);
        }
        let flush = Flush::sign(envelopes.clone(), &key)?;
        let last = envelopes.len() - 1;
        let leaf = |(index, envelope): (usize, &Vec<u8>)| {
            let seals = if index == last { vec![flush.seal] } else { Vec::new() };
            Leaf { received: at, envelope: envelope.clone(), seals }.to_bytes()
        };
        let leaves = envelopes.iter().enumerate().map(leaf).collect();
        let witness = CosignerKey::from_seed("witness", &[9; 32])?;
        Ok(Self { signer, witness, envelopes, flush: flush.to_bytes(), leaves })
    }

    /// The head over so many leaves, signed and witnessed.
    fn head(&self, size: usize) -> Result<Note> {
        let mut tree = Frontier::new();
        self.leaves.iter().take(size).for_each(|leaf| tree.push(leaf_hash(leaf)));
        let head = Checkpoint::new(ORIGIN, tree.size(), tree.root())?;
        let note = Note::parse(head.sign(&self.signer)?.as_bytes())?;
        Ok(note.with(self.witness.cosign(&head, u64::try_from(AT)?))?)
    }

    fn bundle(&self) -> Result<Vec<u8>> {
        let (from, until) = (Timestamp::from_second(AT - 60)?, Timestamp::from_second(AT + 60)?);
        let request = Request::new(from, until, ControlSettings::default());
        let last = Head::read(self.head(self.leaves.len())?.to_string().as_bytes())?;
        let earlier = Head::read(self.head(1)?.to_string().as_bytes())?;
        let mut writer = Writer::new(Vec::new(), request, last, &[earlier])?;
        for leaf in &self.leaves {
            writer.entry(leaf.clone())?;
        }
        Ok(writer.finish()?.0)
    }
}
