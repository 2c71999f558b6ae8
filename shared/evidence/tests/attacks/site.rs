//! A small site with some minutes of work in its log, and bundles of it, honest ones and others.

use std::io::Read as _;
use std::sync::OnceLock;

use anyhow::Result;
use domain::controls::ControlSettings;
use domain::payload::Disclosure;
use evidence::{Depth, Head, Report, Request, Trust, Writer};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::world::{World, job, output};
use tlog::{Checkpoint, CosignerKey, Frontier, Note, Policy, SignerKey, leaf_hash};

/// When the world begins: long before any clock by which it is verified.
const START: &str = "2020-03-02T02:00:03Z";
/// The clock of whoever verifies.
pub(crate) const NOW: &str = "2050-01-01T00:00:00Z";

/// What is known of the site, and what a thief could have.
pub(crate) struct Site {
    /// The log.
    pub(crate) leaves: Vec<Vec<u8>>,
    /// The keys of its producers.
    pub(crate) keys: Vec<domain::keys::SecretKey>,
    /// When the last event was received, in seconds since 1970.
    pub(crate) ends: u64,
}

/// The files of a bundle, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) Vec<(String, Vec<u8>)>);

/// Who signs a bundle's heads.
pub(crate) struct Signers {
    pub(crate) log: SignerKey,
    /// Who cosigns the last, and when.
    pub(crate) witness: Option<(CosignerKey, u64)>,
}

pub(crate) fn log_key() -> SignerKey {
    World::log_key().unwrap()
}

pub(crate) fn witness() -> CosignerKey {
    CosignerKey::from_seed("witness.example/w1", &[5; 32]).unwrap()
}

impl Site {
    /// One site for all tests: it takes a moment to live through.
    pub(crate) fn get() -> &'static Self {
        static SITE: OnceLock<Site> = OnceLock::new();
        SITE.get_or_init(|| Self::lived().unwrap())
    }

    fn lived() -> Result<Self> {
        let mut world = World::new(7, START.parse()?)?;
        world.takes = Some(1_500);
        world.run_for(500)?;
        for (name, every) in [("pay", "40s"), ("copy", "90s")] {
            world.propose(&job(name, &json!({"schedule": {"every": every}}))?)?;
            world.run_for(500)?;
            world.approve(name)?;
            world.run_for(500)?;
        }
        world.run_for(290_000)?;
        world.settle()?;
        Ok(Self::of(&world))
    }

    /// What a world has left.
    pub(crate) fn of(world: &World) -> Self {
        let keys = World::nodes().filter_map(|node| world.key(node).cloned()).collect();
        let leaves = world.leaves().map(<[u8]>::to_vec).collect();
        let ends = u64::try_from(world.time().as_second()).unwrap();
        Self { leaves, keys, ends }
    }

    /// The log's own signature, and a witness's.
    pub(crate) fn signers(&self) -> Signers {
        Signers { log: log_key(), witness: Some((witness(), self.ends)) }
    }

    /// What whoever works at the site hands over.
    pub(crate) fn honest(&self) -> Files {
        bundle(&self.leaves, &self.signers())
    }

    /// The head over the first leaves, as the log signed it then.
    pub(crate) fn head(&self, size: usize) -> Head {
        head(&self.leaves[..size], &log_key())
    }

    /// The file that shows what the attempt wrote which ends at an index.
    pub(crate) fn shown(&self, index: usize) -> Vec<u8> {
        let event = event(&self.leaves[index]);
        let attempt = event["data"]["attempt"].as_u64().unwrap();
        let run = event["subject"].as_str().unwrap().parse().unwrap();
        let (salt, content) = output(&run, u32::try_from(attempt).unwrap());
        let (position, event) = (index as u64 + 1, event["id"].as_str().unwrap().parse().unwrap());
        Disclosure { position, event, salt, content: &content }.to_bytes()
    }

    /// What is handed over with the output of two runs.
    pub(crate) fn showing(&self) -> Files {
        let first = self.find("run.succeeded", 0);
        let shown = [first, self.find("run.succeeded", first + 1)].map(|index| self.shown(index));
        packed(&self.leaves, &self.signers(), &[], &shown)
    }

    /// The kind of event at an index.
    pub(crate) fn kind(&self, index: usize) -> String {
        event(&self.leaves[index])["type"].as_str().unwrap().to_owned()
    }

    /// The first event of a kind that is behind an index.
    pub(crate) fn find(&self, kind: &str, after: usize) -> usize {
        (after..self.leaves.len()).find(|index| self.kind(*index) == kind).unwrap()
    }
}

/// The event in a leaf.
pub(crate) fn event(leaf: &[u8]) -> Value {
    serde_json::from_slice(&domain::leaf::Leaf::from_bytes(leaf).unwrap().envelope).unwrap()
}

pub(crate) fn head(leaves: &[Vec<u8>], log: &SignerKey) -> Head {
    let tree: Frontier = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let head = Checkpoint::new(log.name(), tree.size(), tree.root()).unwrap();
    Head::read(head.sign(log).unwrap().as_bytes()).unwrap()
}

/// A bundle of these leaves, as the exporter writes it, signed by whoever holds these keys.
pub(crate) fn bundle(leaves: &[Vec<u8>], signers: &Signers) -> Files {
    stamped(leaves, signers, &[])
}

/// The same, with what an authority has answered for heads of some sizes.
pub(crate) fn stamped(leaves: &[Vec<u8>], signers: &Signers, stamps: &[(u64, Vec<u8>)]) -> Files {
    packed(leaves, signers, stamps, &[])
}

/// The same, with payloads that are shown, as the files that show them.
pub(crate) fn packed(
    leaves: &[Vec<u8>],
    signers: &Signers,
    stamps: &[(u64, Vec<u8>)],
    shown: &[Vec<u8>],
) -> Files {
    let size = leaves.len();
    let earlier = [size / 3, 2 * size / 3].map(|size| head(&leaves[..size], &signers.log));
    let mut last = head(leaves, &signers.log);
    if let Some((witness, at)) = &signers.witness {
        last.note = last.note.clone().with(witness.cosign(&last.says, *at)).unwrap();
    }
    let until = "2020-03-03T00:00:00Z".parse().unwrap();
    let request = Request::new(START.parse().unwrap(), until, ControlSettings::default());
    let position = |shown: &Vec<u8>| Disclosure::parse(shown).unwrap().position;
    let request = request.showing(shown.iter().map(position).collect());
    let mut writer = Writer::new(Vec::new(), request, last, &earlier).unwrap();
    for (size, answer) in stamps {
        writer.timestamp(*size, answer).unwrap();
    }
    for leaf in leaves {
        writer.entry(leaf.clone()).unwrap();
    }
    for shown in shown {
        writer.payload(shown).unwrap();
    }
    Files::unpack(&writer.finish().unwrap().0)
}

impl Files {
    pub(crate) fn unpack(mut tar: &[u8]) -> Self {
        let mut files = Vec::new();
        loop {
            let mut block = [0; 512];
            tar.read_exact(&mut block).unwrap();
            let name = String::from_utf8_lossy(&block[..100]).trim_end_matches('\0').to_owned();
            if name.is_empty() {
                return Self(files);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&block[124..135]).unwrap(), 8);
            let size = size.unwrap();
            files.push((name, tar[..size].to_vec()));
            tar = &tar[size.next_multiple_of(512)..];
        }
    }

    /// A tar of them, made without our writer: names may be any.
    pub(crate) fn tar(&self) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, bytes) in &self.0 {
            let mut block = [0_u8; 512];
            let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
            put(0, name.as_bytes());
            put(100, b"0000644\x000000000\x000000000\0");
            put(124, format!("{:011o}\x0000000000000\0        0", bytes.len()).as_bytes());
            put(257, b"ustar\x0000");
            put(329, b"0000000\x000000000\0");
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            tar.extend(block);
            tar.extend(bytes);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.extend([0; 1024]);
        tar
    }

    pub(crate) fn get(&self, name: &str) -> &[u8] {
        &self.0.iter().find(|(known, _)| known == name).unwrap().1
    }

    /// Puts another content in the place of a file's, and makes the manifest fit.
    pub(crate) fn set(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.iter_mut().find(|(known, _)| known == name).unwrap().1 = bytes.into();
        self.listed()
    }

    /// Adds a file in front of the manifest, and makes that fit.
    pub(crate) fn add(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let at = self.0.len() - 1;
        self.0.insert(at, (name.to_owned(), bytes.into()));
        self.listed()
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.listed()
    }

    /// Puts the manifest right: a thief has no reason not to.
    fn listed(mut self) -> Self {
        let mut manifest: Value = serde_json::from_slice(self.get("manifest.json")).unwrap();
        let others = self.0.iter().filter(|(name, _)| name != "manifest.json");
        manifest["files"] = others
            .map(|(name, bytes)| {
                let sha256 = domain::canonical::Digest::of(bytes);
                (name.clone(), json!({"bytes": bytes.len(), "sha256": sha256}))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut bytes = domain::canonical::canonical(&manifest).unwrap();
        bytes.push(b'\n');
        self.0.iter_mut().find(|(name, _)| name == "manifest.json").unwrap().1 = bytes;
        self
    }
}

/// The policy of an auditor: this log, this witness.
pub(crate) fn policy_text(quorum: bool) -> String {
    let quorum = if quorum { "w1" } else { "none" };
    let (log, witness) = (log_key().verifier_key(), witness().witness_key());
    format!("log {log}\nwitness w1 {witness}\nquorum {quorum}\n")
}

/// Somebody who has a policy with a witness, and kept a head.
pub(crate) fn careful(held: &[Head]) -> Trust {
    let policy = Some(Policy::parse(&policy_text(true)).unwrap());
    Trust { policy, held: held.to_vec(), as_of: None, tsa: None, now: NOW.parse().unwrap() }
}

/// Somebody who knows the log's key, and nothing else.
pub(crate) fn alone() -> Trust {
    let policy = Some(Policy::parse(&policy_text(false)).unwrap());
    Trust { policy, held: Vec::new(), as_of: None, tsa: None, now: NOW.parse().unwrap() }
}

pub(crate) fn verify(tar: &[u8], trust: &Trust) -> Report {
    evidence::verify(tar, trust, Depth::Full, &mut |_, _| {}).unwrap()
}

/// The names of what was found, each once.
pub(crate) fn names(report: &Report) -> Vec<&'static str> {
    let mut names: Vec<&str> = report.findings.iter().map(|finding| finding.kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

pub(crate) fn instant(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
}

pub(crate) fn note(text: &str) -> Note {
    Note::parse(text.as_bytes()).unwrap()
}
