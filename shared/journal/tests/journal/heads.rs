//! What a producer has seen of the log: it holds on to it, says it, and contradicts what is another log.

use std::fs;
use std::path::Path;

use domain::canonical::Digest;
use domain::envelope::Seen;
use domain::event::LogContinued;
use domain::wire::Consistency;
use jiff::SignedDuration;
use journal::Heads;
use tlog::{Checkpoint, Frontier, Hash, Note, SignerKey, consistency_proof, leaf_hash};

use crate::given::{drafts, now, open, producer, scratch, unsent};

fn key(seed: u8) -> SignerKey {
    SignerKey::from_seed("log.example", &[seed; 32]).unwrap()
}

fn leaves(size: u8) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&[n])).collect()
}

/// What a log of these leaves shows to whoever has seen its first `from`.
fn shows(leaves: &[Hash], from: u64, key: &SignerKey) -> Consistency {
    let tree: Frontier = leaves.iter().copied().collect();
    let head = Checkpoint::new("log.example", tree.size(), tree.root()).unwrap().sign(key).unwrap();
    let proof = if from == 0 || from > tree.size() {
        Vec::new()
    } else {
        consistency_proof(leaves, from).unwrap()
    };
    let proof = proof.into_iter().map(|hash| Digest(hash.0)).collect();
    Consistency { key: key.verifier_key().to_string(), head, proof, handovers: Vec::new() }
}

fn opened(dir: &Path) -> Heads {
    Heads::open(dir, &producer())
}

fn seen(size: u8) -> Option<Seen> {
    let tree: Frontier = leaves(size).into_iter().collect();
    Some(Seen { size: tree.size(), root: Digest(tree.root().0) })
}

#[test]
fn the_newest_head_is_held_over_restarts_and_told_to_whoever_speaks() {
    let dir = scratch();
    let own = dir.path().join("heads");
    let mut heads = opened(&own);
    let watched = heads.watch();
    assert_eq!((heads.size(), watched.borrow().clone()), (0, None));
    for size in [5, 5, 9] {
        let shown = shows(&leaves(size), heads.size(), &key(1));
        assert_eq!(heads.take(Some(&shown), now()), None);
        assert_eq!((heads.size(), watched.borrow().clone()), (u64::from(size), seen(size)));
    }
    drop(heads);
    let heads = opened(&own);
    assert_eq!((heads.size(), heads.watch().borrow().clone()), (9, seen(9)));
}

#[test]
fn a_log_that_is_another_one_is_told_of_once_a_day_and_what_was_seen_is_held_on_to() {
    let dir = scratch();
    let mut heads = opened(dir.path());
    assert_eq!(heads.take(Some(&shows(&leaves(9), 0, &key(1))), now()), None);
    let mut changed = leaves(12);
    changed[3] = leaf_hash(b"changed");
    let table = [
        (shows(&leaves(8), 9, &key(1)), "it was cut"),
        (shows(&changed[..9], 9, &key(1)), "it was changed"),
        (shows(&changed, 9, &key(1)), "is not shown to continue"),
        (shows(&leaves(12), 9, &key(2)), "it is signed by log.example+"),
        (
            Consistency {
                key: key(1).verifier_key().to_string(),
                ..shows(&leaves(12), 9, &key(2))
            },
            "no head by its key",
        ),
    ];
    for (shown, why) in table {
        let mut heads = opened(dir.path());
        let told = heads.take(Some(&shown), now()).unwrap();
        assert!(told.reason.contains(why), "{} lacks {why}", told.reason);
        assert!(told.held.starts_with("log.example\n9\n") && told.shown == shown.head, "{told:?}");
        assert_eq!((told.producer, heads.size()), (producer(), 9));
        assert!(heads.take(Some(&shown), now()).is_some(), "nobody has said it yet");
        heads.told(now());
        assert_eq!(heads.take(Some(&shown), now()), None, "it was told");
        assert_eq!(opened(dir.path()).take(Some(&shown), now()), None, "also after a restart");
        let next = now() + SignedDuration::from_hours(24);
        assert!(heads.take(Some(&shown), next).is_some(), "a day later it is told again");
        assert_eq!(heads.watch().borrow().clone(), seen(9));
        fs::remove_file(dir.path().join("told")).unwrap();
    }
    let told = heads.take(None, now()).unwrap();
    assert!(told.reason.contains("of size 0") && told.shown.is_empty(), "it shows none: {told:?}");
    assert_eq!(
        heads.take(Some(&shows(&leaves(12), 9, &key(1))), now()),
        None,
        "the true one goes on"
    );
    assert_eq!(heads.size(), 12);
}

/// What a log shows that goes on as this, after these handovers.
fn renamed(leaves: &[Hash], by: &SignerKey, handovers: &[(&SignerKey, &SignerKey)]) -> Consistency {
    let tree: Frontier = leaves.iter().copied().collect();
    let head = Checkpoint::new(by.name(), tree.size(), tree.root()).unwrap().sign(by).unwrap();
    let note = |(old, new): &(&SignerKey, &SignerKey)| {
        let text = LogContinued::handover_text(old.name(), &new.verifier_key().to_string());
        Note::sign(&text, &[old]).unwrap().to_string()
    };
    let handovers = handovers.iter().map(note).collect();
    Consistency { key: by.verifier_key().to_string(), head, proof: Vec::new(), handovers }
}

#[test]
fn a_log_that_goes_on_under_another_name_is_followed_where_the_key_before_has_handed_it_over() {
    let named = |name: &str, seed: u8| SignerKey::from_seed(name, &[seed; 32]).unwrap();
    let (first, second, third) = (key(1), named("log.example/2", 1), named("log.example/3", 7));
    let thief = named("log.example", 9);
    // Shorter than what was seen, because it was brought back from an older copy.
    let short = leaves(6);
    let table = [
        (renamed(&short, &second, &[(&first, &second)]), true),
        (renamed(&short, &third, &[(&first, &second), (&second, &third)]), true),
        (renamed(&short, &second, &[]), false),
        (renamed(&short, &second, &[(&thief, &second)]), false),
        (renamed(&short, &third, &[(&first, &second)]), false),
        (renamed(&short, &third, &[(&second, &third)]), false),
    ];
    for (shown, follows) in table {
        let dir = scratch();
        opened(dir.path()).take(Some(&shows(&leaves(9), 0, &key(1))), now());
        let mut heads = opened(dir.path());
        let told = heads.take(Some(&shown), now());
        assert_eq!((told.is_none(), heads.size()), (follows, if follows { 6 } else { 9 }));
        assert_eq!(heads.renamed(), None, "this life has read nothing of what was before");
        assert_eq!(opened(dir.path()).size(), heads.size(), "also after a restart");
        // Who has read of it before must start again.
        let dir = scratch();
        let mut heads = opened(dir.path());
        heads.take(Some(&shows(&leaves(9), 0, &key(1))), now());
        heads.take(Some(&shown), now());
        assert_eq!(heads.renamed().is_some(), follows);
    }
}

#[test]
fn where_a_key_was_laid_beforehand_nothing_else_is_believed_first() {
    let dir = scratch();
    fs::write(dir.path().join("key"), format!("{}\n", key(1).verifier_key())).unwrap();
    let mut heads = opened(dir.path());
    assert_eq!(heads.take(Some(&shows(&leaves(3), 0, &key(2))), now()), None);
    assert_eq!((heads.size(), heads.watch().borrow().clone()), (0, None));
    assert_eq!(heads.take(Some(&shows(&leaves(3), 0, &key(1))), now()), None);
    assert_eq!(heads.size(), 3);
}

#[test]
fn what_is_damaged_is_set_aside_and_work_goes_on_from_what_the_log_shows() {
    let dir = scratch();
    opened(dir.path()).take(Some(&shows(&leaves(9), 0, &key(1))), now());
    let (kept, by) = (dir.path().join("head"), dir.path().join("key"));
    let note = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, note.replacen("9\n", "8\n", 1)).unwrap();
    let mut heads = opened(dir.path());
    assert_eq!((heads.size(), kept.exists()), (0, false));
    assert!(fs::read_to_string(dir.path().join("head.damaged")).unwrap().contains("8\n"));
    assert_eq!(heads.take(Some(&shows(&leaves(9), 0, &key(2))), now()), None);
    assert_eq!(heads.size(), 0, "the key is believed as before");
    heads.take(Some(&shows(&leaves(9), 0, &key(1))), now());
    assert_eq!(opened(dir.path()).size(), 9);
    fs::write(&kept, [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(opened(dir.path()).size(), 0);
    assert_eq!(fs::read(dir.path().join("head.damaged")).unwrap(), [0xff, 0xfe, 0x00]);
    fs::write(&kept, note).unwrap();
    fs::remove_file(by).unwrap();
    assert_eq!(opened(dir.path()).size(), 0, "nobody knows whose head it is");
    assert!(!kept.exists(), "it is set aside");
}

#[test]
fn a_log_that_shows_no_head_says_nothing_to_who_has_seen_none() {
    let dir = scratch();
    assert_eq!(opened(dir.path()).take(None, now()), None);
}

#[test]
fn what_is_told_is_never_longer_than_the_log_takes() {
    let dir = scratch();
    let mut heads = opened(dir.path());
    let mut first = shows(&leaves(9), 0, &key(1));
    for n in 0..30 {
        let signer = SignerKey::from_seed(&format!("witness.example/{n}"), &[7; 32]).unwrap();
        let line = tlog::Note::sign("text\n", &[&signer]).unwrap().signatures()[0].to_string();
        first.head.push_str(&format!("{line}\n"));
    }
    assert!(first.head.len() > 4_096 || first.head.len() > 3_000, "{}", first.head.len());
    heads.take(Some(&first), now());
    assert_eq!(heads.size(), 9);
    let shown = Consistency { key: "ü".repeat(4_000), ..shows(&leaves(9), 0, &key(2)) };
    let told = heads.take(Some(&shown), now()).unwrap();
    assert!(told.reason.len() <= 1_000 && told.held.len() < 400, "{told:?}");
    assert!(tlog::Held::open(told.held.as_bytes(), &self::key(1).verifier_key()).is_ok());
}

#[test]
fn a_head_is_said_with_the_first_event_after_it_was_seen_and_again_after_a_restart() {
    let dir = scratch();
    let (mut journal, _) = open(dir.path());
    let said = |journal: &journal::Journal| -> Vec<Option<u64>> {
        unsent(journal).iter().map(|e| e.seen.as_ref().map(|seen| seen.size)).collect()
    };
    journal.append(drafts(1), now()).unwrap();
    journal.sees(seen(5));
    journal.append(drafts(2), now()).unwrap();
    journal.sees(seen(5));
    journal.append(drafts(1), now()).unwrap();
    journal.sees(seen(9));
    journal.append(drafts(1), now()).unwrap();
    assert_eq!(said(&journal), [None, Some(5), None, None, Some(9)]);
    drop(journal);
    let (mut journal, _) = open(dir.path());
    journal.sees(seen(9));
    journal.append(drafts(1), now()).unwrap();
    assert_eq!(said(&journal)[5], Some(9));
}
