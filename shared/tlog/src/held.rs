//! The newest head of a log that somebody has verified and holds: whatever the log shows later has to continue it.

use crate::{Checkpoint, CheckpointError, Hash, Note, ProofError, VerifierKey, verify_consistency};

/// A signed head that was verified, with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    note: Note,
    head: Checkpoint,
}

/// Why what a log shows is not the log of which a head is held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It is no head, or not one by the log's key.
    #[error("what the log shows is no head by its key: {0}")]
    NotByKey(#[from] CheckpointError),
    /// It is shorter.
    #[error(
        "the log shows a head of size {shown}, and one of size {held} was seen: it was cut, or brought back from a backup"
    )]
    Cut {
        /// Size of the head that is held.
        held: u64,
        /// Size of the one that is shown.
        shown: u64,
    },
    /// It is as long, with another root.
    #[error("the log shows another head of size {0} than was seen: it was changed")]
    Other(u64),
    /// It is longer, and not shown to begin with what was seen.
    #[error(
        "the head of size {shown} is not shown to continue the one of size {held} that was seen: {why}"
    )]
    NotContinued {
        /// Size of the head that is held.
        held: u64,
        /// Size of the one that is shown.
        shown: u64,
        /// What is wrong with the proof.
        why: ProofError,
    },
}

impl Held {
    /// A head by this key, held without one before.
    ///
    /// # Errors
    /// It is no head, or not by the key.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let head = Checkpoint::open(note, std::slice::from_ref(key))?;
        Ok(Self { note: Note::parse(note)?, head })
    }

    /// The head to hold from now on: what the log shows, where the proof (RFC 6962 §2.1.2) says that it continues this one.
    ///
    /// # Errors
    /// See [`Contradiction`]; then this one goes on to be held.
    pub fn continued(
        &self,
        note: &[u8],
        key: &VerifierKey,
        proof: &[Hash],
    ) -> Result<Self, Contradiction> {
        let next = Self::open(note, key)?;
        let (held, shown) = (self.head.size(), next.head.size());
        if shown < held {
            return Err(Contradiction::Cut { held, shown });
        }
        if shown == held {
            let same = next.head.root() == self.head.root();
            return if same { Ok(next) } else { Err(Contradiction::Other(held)) };
        }
        let (old, new) = (self.head.root(), next.head.root());
        let verified = verify_consistency(held, &old, shown, &new, proof);
        verified.map_err(|why| Contradiction::NotContinued { held, shown, why })?;
        Ok(next)
    }

    /// The head.
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The head as it was signed.
    pub fn note(&self) -> &Note {
        &self.note
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SignerKey, consistency_proof, leaf_hash};

    fn key(name: &str, seed: u8) -> SignerKey {
        SignerKey::from_seed(name, &[seed; 32]).unwrap()
    }

    fn leaves(size: u8, changed: Option<u8>) -> Vec<Hash> {
        (0..size).map(|n| leaf_hash(&[n, u8::from(changed == Some(n))])).collect()
    }

    fn head(leaves: &[Hash], by: &SignerKey) -> String {
        let tree: crate::Frontier = leaves.iter().copied().collect();
        Checkpoint::new(by.name(), tree.size(), tree.root()).unwrap().sign(by).unwrap()
    }

    #[test]
    fn a_head_is_held_until_the_log_shows_one_that_is_proven_to_continue_it() {
        let by = key("log.example", 1);
        let verifier = by.verifier_key();
        for (old, new) in (1..20).flat_map(|new| (1..=new).map(move |old| (old, new))) {
            let all = leaves(new, None);
            let held = Held::open(head(&all[..old.into()], &by).as_bytes(), &verifier).unwrap();
            let proof = consistency_proof(&all, old.into()).unwrap();
            let next = held.continued(head(&all, &by).as_bytes(), &verifier, &proof).unwrap();
            assert_eq!(next.head().size(), u64::from(new));
        }
    }

    #[test]
    fn a_log_that_was_changed_cut_or_signed_by_somebody_else_contradicts_what_is_held() {
        let (by, thief) = (key("log.example", 1), key("log.example", 2));
        let verifier = by.verifier_key();
        let held = Held::open(head(&leaves(9, None), &by).as_bytes(), &verifier).unwrap();
        let shown = |leaves: &[Hash], by: &SignerKey| {
            let proof = consistency_proof(leaves, 9.min(leaves.len() as u64)).unwrap();
            held.continued(head(leaves, by).as_bytes(), &verifier, &proof).unwrap_err()
        };
        assert_eq!(shown(&leaves(8, None), &by), Contradiction::Cut { held: 9, shown: 8 });
        assert_eq!(shown(&leaves(9, Some(3)), &by), Contradiction::Other(9));
        for changed in 0..9 {
            let error = shown(&leaves(12, Some(changed)), &by);
            let longer = matches!(error, Contradiction::NotContinued { held: 9, shown: 12, .. });
            assert!(longer, "{changed}: {error}");
        }
        assert!(matches!(shown(&leaves(12, None), &thief), Contradiction::NotByKey(_)));
        let garbled = held.continued(b"nothing", &verifier, &[]);
        assert!(matches!(garbled, Err(Contradiction::NotByKey(_))));
    }
}
