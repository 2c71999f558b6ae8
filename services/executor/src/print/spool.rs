//! Documents on this host's disk, and what is known of them beside the log: title, recipients, payees and amounts.
//!
//! `spool/<id>/` holds a document's content and facts, sealed; `spool.keys/<id>` holds the key. Whoever has one of the two
//! has nothing. A document is there whole or not at all: it is made beside and renamed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::canonical::Digest;
use domain::ids::StreamId;
use domain::print::{Deliver, PageRange};
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::vault::{self, Key, Unsealed};

/// The files of a document, besides its parts.
const CONTENT: &str = "content";
const FACTS: &str = "facts";
/// The note that its code was given to this host.
const CODE_GIVEN: &str = "code-given";

/// What is known of a document and stands in no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// What people call it: the name of its file, most often.
    pub(crate) title: String,
    /// Where it came from, for whoever may know.
    pub(crate) source: String,
    /// The salt of the commitment.
    pub(crate) salt: Key,
    /// What its sheets say, in the order of its pages.
    #[serde(default)]
    pub(crate) sheets: Vec<Sheet>,
    /// To whom it goes, in the order of their numbers.
    #[serde(default)]
    pub(crate) deliveries: Vec<Planned>,
    /// How it is delivered: as its job said it.
    #[serde(default)]
    pub(crate) ways: Vec<Deliver>,
    /// What must be given to release it.
    #[serde(default)]
    pub(crate) code: Option<String>,
}

/// What a sheet of a form says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sheet {
    /// The page.
    pub(crate) page: u32,
    /// The amount, in ten-thousandths.
    pub(crate) amount: Option<i64>,
    /// The payee.
    pub(crate) payee: Option<String>,
    /// The number the document itself prints.
    pub(crate) number: Option<u64>,
}

/// A delivery, as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Planned {
    /// Which of the job's ways of delivery.
    pub(crate) way: usize,
    /// The recipient's key; empty where nobody is named.
    pub(crate) recipient: String,
    /// Which pages; all where there are none.
    pub(crate) pages: Option<PageRange>,
    /// Which part of the document, from 1; the whole where there is none.
    pub(crate) part: Option<usize>,
}

/// The spool of a host.
#[derive(Debug)]
pub(crate) struct Spool {
    root: PathBuf,
    keys: PathBuf,
    host_key: hmac::Key,
}

impl Spool {
    /// Opens the spool below an executor's data directory, and makes it where there is none.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn open(data: &Path) -> anyhow::Result<Self> {
        let (root, keys) = (data.join("spool"), data.join("spool.keys"));
        for dir in [&root, &keys] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.with_context(|| format!("making {}", dir.display()))?;
        }
        sweep(&root).with_context(|| format!("clearing {}", root.display()))?;
        let path = keys.join("host");
        let key = vault::some_key(&path).with_context(|| format!("the key {}", path.display()))?;
        Ok(Self { root, keys, host_key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    /// A keyed hash of content: two that are the same have the same, and nobody without the host's key can try which.
    pub(crate) fn fingerprint(&self, content: &mut dyn Read) -> io::Result<Digest> {
        let mut context = hmac::Context::with_key(&self.host_key);
        each_part(content, |part| context.update(part))?;
        let tag = context.sign();
        let bytes: [u8; 32] = tag.as_ref().try_into().map_err(io::Error::other)?;
        Ok(Digest(bytes))
    }

    /// Puts a document in; one that is there already stays as it is. Gives its facts.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn put(
        &self,
        id: &StreamId,
        mut content: File,
        parts: Vec<File>,
        facts: Facts,
    ) -> anyhow::Result<Facts> {
        if let Some(known) = self.facts(id)? {
            return Ok(known);
        }
        // What is there without its key, or half made, is nothing.
        remove(&self.place(id))?;
        let key = vault::random()?;
        journal::replace(&self.keys.join(id.rest()), &key, 0o600)
            .context("writing the key of a document")?;
        let beside = self.root.join(format!(".new-{}", id.rest()));
        remove(&beside)?;
        DirBuilder::new().mode(0o700).create(&beside)?;
        let seal = |name: &str, from: &mut dyn Read| {
            vault::seal(&beside.join(name), &key_of(&key, name), from)
        };
        seal(CONTENT, &mut content).context("keeping a document")?;
        for (number, mut part) in (1..).zip(parts) {
            seal(&part_name(number), &mut part)?;
        }
        seal(FACTS, &mut serde_json::to_vec(&facts)?.as_slice())?;
        sync_dir(&beside)?;
        fs::rename(&beside, self.place(id)).context("naming a document")?;
        sync_dir(&self.root)?;
        Ok(facts)
    }

    fn place(&self, id: &StreamId) -> PathBuf {
        self.root.join(id.rest())
    }

    fn key(&self, id: &StreamId) -> anyhow::Result<Option<Key>> {
        let read = vault::read_key(&self.keys.join(id.rest()));
        read.with_context(|| format!("reading the key of {id}"))
    }

    /// What is known of a document; `None` where it is not here, or erased.
    ///
    /// # Errors
    /// It is damaged, or the disk refuses.
    pub(crate) fn facts(&self, id: &StreamId) -> anyhow::Result<Option<Facts>> {
        let Some(mut file) = self.sealed(id, FACTS)? else { return Ok(None) };
        let mut words = Vec::new();
        file.read_to_end(&mut words).with_context(|| format!("reading what is known of {id}"))?;
        Ok(Some(serde_json::from_slice(&words)?))
    }

    /// The content of a document; `None` where it is not here, or erased.
    ///
    /// # Errors
    /// It is damaged, or the disk refuses.
    pub(crate) fn content(&self, id: &StreamId) -> anyhow::Result<Option<Unsealed>> {
        self.sealed(id, CONTENT)
    }

    /// A file of a document; `None` where it is not here, or erased.
    fn sealed(&self, id: &StreamId, name: &str) -> anyhow::Result<Option<Unsealed>> {
        let path = self.place(id).join(name);
        let Some(key) = self.key(id)?.filter(|_| path.exists()) else { return Ok(None) };
        let file = vault::open(&path, &key_of(&key, name));
        Ok(Some(file.with_context(|| format!("opening the {name} of {id}"))?))
    }

    /// Whether the content that is here is what the log committed to.
    ///
    /// # Errors
    /// It is damaged, or the disk refuses.
    pub(crate) fn is_whole(&self, id: &StreamId, commitment: &Digest) -> anyhow::Result<bool> {
        let (Some(facts), Some(mut content)) = (self.facts(id)?, self.content(id)?) else {
            return Ok(false);
        };
        Ok(domain::payload::commitment(&facts.salt, &Digest::of_all(&mut content)?) == *commitment)
    }

    /// Whether this is the code of a document; if so, that is remembered.
    ///
    /// # Errors
    /// It is damaged, or the disk refuses.
    pub(crate) fn give_code(&self, id: &StreamId, code: &str) -> anyhow::Result<bool> {
        let Some(facts) = self.facts(id)? else { return Ok(false) };
        let right = facts.code.as_deref().is_some_and(|wanted| {
            let tag = hmac::sign(&self.host_key, wanted.as_bytes());
            hmac::verify(&self.host_key, code.as_bytes(), tag.as_ref()).is_ok()
        });
        if right {
            self.note(id, CODE_GIVEN)?;
        }
        Ok(right)
    }

    /// Whether the code of a document was given to this host.
    pub(crate) fn code_was_given(&self, id: &StreamId) -> bool {
        self.has_note(id, CODE_GIVEN)
    }

    /// A part of a document; `None` where it is not here, or erased.
    ///
    /// # Errors
    /// It is damaged, or the disk refuses.
    pub(crate) fn part(&self, id: &StreamId, number: usize) -> anyhow::Result<Option<Unsealed>> {
        self.sealed(id, &part_name(number))
    }

    /// Notes on disk that something is about to be done for a document, so that an earlier life's beginning is known.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn note(&self, id: &StreamId, what: &str) -> io::Result<()> {
        File::create(self.place(id).join(what))?.sync_all()?;
        sync_dir(&self.place(id))
    }

    /// Whether that was noted.
    pub(crate) fn has_note(&self, id: &StreamId, what: &str) -> bool {
        self.place(id).join(what).exists()
    }

    /// All documents that are here.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn all(&self) -> io::Result<Vec<StreamId>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| format!("document/{name}").parse().ok());
            found.extend(id);
        }
        Ok(found)
    }

    /// Destroys the key of a document, and then removes what it sealed.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn erase(&self, id: &StreamId) -> anyhow::Result<()> {
        vault::destroy_key(&self.keys.join(id.rest()))?;
        Ok(remove(&self.place(id))?)
    }
}

/// Removes a directory, where there is one.
fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn each_part(content: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut part = vec![0; 64 * 1024];
    loop {
        match content.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn part_name(number: usize) -> String {
    format!("part-{number}")
}

/// One key seals one file: the document's own its content, and each other file one that is derived from it.
fn key_of(key: &Key, name: &str) -> Key {
    if name == CONTENT {
        return *key;
    }
    vault::derived(key, name)
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes what an earlier life left half made.
fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".new-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            title: "checks-2026-11.pdf".into(),
            source: "/srv/out/checks-2026-11.pdf".into(),
            salt: [7; 32],
            sheets: vec![Sheet {
                page: 1,
                amount: Some(12_500),
                payee: Some("Mia".into()),
                number: None,
            }],
            deliveries: Vec::new(),
            ways: Vec::new(),
            code: None,
        }
    }

    fn id() -> StreamId {
        StreamId::document("0123456789abcdef0123456789abcdef")
    }

    #[test]
    fn a_document_is_kept_encrypted_found_after_a_restart_and_gone_when_it_is_erased() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("in");
        fs::write(&from, b"Pay to the order of Mia").unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        spool.put(&id(), File::open(&from).unwrap(), Vec::new(), facts()).unwrap();
        let again = Spool::open(dir.path()).unwrap();
        assert_eq!(again.facts(&id()).unwrap(), Some(facts()));
        let mut content = Vec::new();
        again.content(&id()).unwrap().unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content, b"Pay to the order of Mia");
        let commitment = domain::payload::commitment(&[7; 32], &Digest::of(&content));
        assert!(again.is_whole(&id(), &commitment).unwrap());
        assert!(!again.is_whole(&id(), &Digest::NONE).unwrap());
        again.erase(&id()).unwrap();
        assert!(again.facts(&id()).unwrap().is_none() && again.content(&id()).unwrap().is_none());
        again.erase(&id()).unwrap();
    }

    #[test]
    fn the_same_content_has_the_same_fingerprint_on_one_host_and_another_on_another() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let print = |dir: &Path| Spool::open(dir).unwrap().fingerprint(&mut &b"x"[..]).unwrap();
        assert_eq!(print(one.path()), print(one.path()));
        assert_ne!(print(one.path()), print(other.path()));
        assert_ne!(print(one.path()), Digest::of(b"x"));
    }

    #[test]
    fn a_document_that_is_put_twice_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("in");
        fs::write(&from, b"one").unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        spool.put(&id(), File::open(&from).unwrap(), Vec::new(), facts()).unwrap();
        fs::write(&from, b"two").unwrap();
        let kept = spool
            .put(
                &id(),
                File::open(&from).unwrap(),
                Vec::new(),
                Facts { title: "other".into(), ..facts() },
            )
            .unwrap();
        assert_eq!(kept.title, "checks-2026-11.pdf");
        let mut content = Vec::new();
        spool.content(&id()).unwrap().unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content, b"one");
    }
}
