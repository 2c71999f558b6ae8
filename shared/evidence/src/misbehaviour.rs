//! Two heads that one key has signed and that cannot both be true, as a file that shows it by itself: whoever has the key
//! needs neither the log nor the evidence to see it.

use domain::canonical::Digest;
use serde::{Deserialize, Serialize};
use tlog::{Frontier, Hash, VerifierKey, consistency_spans, verify_consistency};

use crate::examiner::Examined;
use crate::heads::Head;

/// The name of the format.
const FORMAT: &str = "decklog-misbehaviour-1";

/// What shows that a log contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// [`FORMAT`].
    format: String,
    /// The smaller head, as it was signed.
    pub first: String,
    /// The larger one, or one of the same size.
    pub second: String,
    /// The root that the tree of the second has at the size of the first.
    root: Digest,
    /// The consistency proof from there to the second (RFC 6962 §2.1.2).
    proof: Vec<Digest>,
}

impl Misbehaviour {
    /// What shows that `first` is of another log than `second`, which is the last head of an examined one; nothing where it
    /// does not.
    #[must_use]
    pub fn between(first: &Head, second: &Head, log: &Examined) -> Option<Self> {
        let (old, size) = (first.says.size(), second.says.size());
        let spans = consistency_spans(old, size).ok()?;
        let root = root_of(log, 0..old)?;
        let proof = spans.into_iter().map(|span| root_of(log, span));
        let proof =
            proof.map(|root| root.map(|root| Digest(root.0))).collect::<Option<Vec<_>>>()?;
        let found = Self {
            format: FORMAT.to_owned(),
            first: first.note.to_string(),
            second: second.note.to_string(),
            root: Digest(root.0),
            proof,
        };
        (root != first.says.root()).then_some(found)
    }

    /// Whether it shows that somebody with one of these keys signed what cannot be true together.
    ///
    /// # Errors
    /// What of it does not hold: then it shows nothing.
    pub fn check(&self, keys: &[VerifierKey]) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("its format is {:?}, and not {FORMAT}", self.format));
        }
        let open = |which: &str, note: &str| {
            let opened = tlog::Checkpoint::open(note.as_bytes(), keys);
            opened.map_err(|error| format!("the {which} head: {error}"))
        };
        let (first, second) = (open("first", &self.first)?, open("second", &self.second)?);
        if first.origin() != second.origin() {
            return Err("the heads are of two logs".to_owned());
        }
        let proof: Vec<Hash> = self.proof.iter().map(|hash| Hash(hash.0)).collect();
        let (old, root) = (first.size(), Hash(self.root.0));
        verify_consistency(old, &root, second.size(), &second.root(), &proof)
            .map_err(|error| format!("the proof that leads to the second head: {error}"))?;
        if root == first.root() {
            return Err("the first head is a beginning of the second".to_owned());
        }
        Ok(())
    }
}

fn root_of(log: &Examined, span: std::ops::Range<u64>) -> Option<Hash> {
    let (from, to) = (usize::try_from(span.start).ok()?, usize::try_from(span.end).ok()?);
    Some(log.leaves.get(from..to)?.iter().copied().collect::<Frontier>().root())
}
