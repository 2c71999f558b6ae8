//! What a witness answers, and what it remembers: pure.

use tlog::{Checkpoint, Hash, Submission, VerifierKey, verify_consistency};

/// The head of a log that was cosigned last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl Known {
    /// Before the first.
    pub(crate) const NOTHING: Self = Self { size: 0, root: Hash::EMPTY_ROOT };
}

/// Why a head is not cosigned (C2SP tlog-witness, «add-checkpoint»).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such log is known here.
    UnknownLog,
    /// The log's key has not signed it.
    NotSigned,
    /// It cannot be meant.
    Malformed(String),
    /// Another head was cosigned last, of this size.
    Conflict(u64),
    /// It does not continue what was cosigned last: the log misbehaves, or the sender errs.
    NoExtension(String),
}

/// The head that may be cosigned, if it may, by what is known of logs by their names.
pub(crate) fn decide(
    submission: &Submission,
    logs: &[VerifierKey],
    known: impl Fn(&str) -> Known,
) -> Result<Checkpoint, Refusal> {
    let says = Checkpoint::parse(submission.note.text());
    let says = says.map_err(|error| Refusal::Malformed(error.to_string()))?;
    let own: Vec<VerifierKey> =
        logs.iter().filter(|key| key.name() == says.origin()).cloned().collect();
    if own.is_empty() {
        return Err(Refusal::UnknownLog);
    }
    let head = Checkpoint::open(submission.note.to_string().as_bytes(), &own)
        .map_err(|_| Refusal::NotSigned)?;
    if submission.old > head.size() {
        let text = format!("old is {}, and the head {}", submission.old, head.size());
        return Err(Refusal::Malformed(text));
    }
    let last = known(head.origin());
    if submission.old != last.size || (head.size() == last.size && head.root() != last.root) {
        return Err(Refusal::Conflict(last.size));
    }
    verify_consistency(last.size, &last.root, head.size(), &head.root(), &submission.proof)
        .map_err(|error| Refusal::NoExtension(error.to_string()))?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use tlog::{Frontier, Note, SignerKey, consistency_proof, leaf_hash};

    use super::*;

    fn leaves(count: u64, story: &str) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(format!("{story} {n}").as_bytes())).collect()
    }

    fn known(leaves: &[Hash]) -> Known {
        let tree: Frontier = leaves.iter().copied().collect();
        Known { size: tree.size(), root: tree.root() }
    }

    fn log(name: &str) -> SignerKey {
        SignerKey::from_seed(name, &[3; 32]).unwrap()
    }

    fn submission(name: &str, old: u64, leaves: &[Hash]) -> Submission {
        let Known { size, root } = known(leaves);
        let note = Checkpoint::new(name, size, root).unwrap().sign(&log(name)).unwrap();
        let proof = consistency_proof(leaves, old.min(size)).unwrap();
        Submission { old, proof, note: Note::parse(note.as_bytes()).unwrap() }
    }

    #[test]
    fn a_head_is_cosigned_when_it_continues_the_last_one_and_by_no_other_way() {
        let keys = [log("a").verifier_key()];
        let (story, other) = (leaves(20, "one"), leaves(20, "two"));
        let at = |size: usize| known(&story[..size]);
        let long = |size: usize| &story[..size];
        let mut unproven = submission("a", 7, long(12));
        unproven.proof.clear();
        let mut unsigned = submission("a", 0, long(12));
        let thief = SignerKey::from_seed("a", &[4; 32]).unwrap();
        unsigned.note = Note::sign(unsigned.note.text(), &[&thief]).unwrap();
        let mut extended = submission("a", 0, long(3));
        extended.note = Note::sign("a\n3\nnonsense\n", &[&log("a")]).unwrap();
        for (what, last, sent, refused) in [
            ("the first", Known::NOTHING, submission("a", 0, long(5)), None),
            ("a longer one", at(7), submission("a", 7, long(12)), None),
            ("the same again", at(12), submission("a", 12, long(12)), None),
            ("an empty log", Known::NOTHING, submission("a", 0, long(0)), None),
            ("a shorter one", at(12), submission("a", 7, long(7)), Some(Refusal::Conflict(12))),
            ("from elsewhere", at(7), submission("a", 5, long(12)), Some(Refusal::Conflict(7))),
            ("from nowhere", at(7), submission("a", 0, long(12)), Some(Refusal::Conflict(7))),
            (
                "another of this size",
                at(7),
                submission("a", 7, &other[..7]),
                Some(Refusal::Conflict(7)),
            ),
            ("another log", at(7), submission("b", 0, long(12)), Some(Refusal::UnknownLog)),
            ("by a thief", Known::NOTHING, unsigned, Some(Refusal::NotSigned)),
        ] {
            let decided = decide(&sent, &keys, |_| last).map(|head| head.size());
            match refused {
                None => assert_eq!(decided, Ok(known_size(&sent)), "{what}"),
                Some(refusal) => assert_eq!(decided, Err(refusal), "{what}"),
            }
        }
        let forked = submission("a", 7, &other[..12]);
        for (what, last, sent) in [("a fork", at(7), forked), ("unproven", at(7), unproven)] {
            let decided = decide(&sent, &keys, |_| last);
            assert!(matches!(decided, Err(Refusal::NoExtension(_))), "{what}: {decided:?}");
        }
        let backwards = Submission { old: 9, ..submission("a", 0, long(5)) };
        for sent in [backwards, extended] {
            let decided = decide(&sent, &keys, |_| Known::NOTHING);
            assert!(matches!(decided, Err(Refusal::Malformed(_))), "{decided:?}");
        }
    }

    fn known_size(sent: &Submission) -> u64 {
        Checkpoint::parse(sent.note.text()).unwrap().size()
    }
}
