//! What shows by itself that a log contradicts itself.

use evidence::{Misbehaviour, Verdict};
use serde_json::Value;

use super::forgery::Forged;
use super::site::{Site, bundle, careful, log_key, verify};

/// A log that was rewritten by somebody with all of its keys, and a head that an auditor kept.
fn rewritten() -> Vec<Misbehaviour> {
    let site = Site::get();
    let at = site.find("run.succeeded", 0);
    let forged = Forged::of(&site.leaves)
        .say(at, |event| event["data"]["attempt"] = 1.into())
        .leaf(at, |leaf| leaf.seals.clear());
    let tar = bundle(&forged.leaves, &site.signers()).tar();
    let report = verify(&tar, &careful(&[site.head(site.leaves.len() - 5)]));
    assert_eq!(report.verdict, Verdict::Tampered);
    report.misbehaviour
}

#[test]
fn two_heads_that_cannot_both_be_true_show_it_without_the_log() {
    let shown = rewritten();
    assert_eq!(shown.len(), 1);
    let text = serde_json::to_string(&shown[0]).unwrap();
    let read: Misbehaviour = serde_json::from_str(&text).unwrap();
    assert_eq!(read.check(&[log_key().verifier_key()]), Ok(()));
    let stranger = tlog::SignerKey::from_seed("world", &[1; 32]).unwrap().verifier_key();
    assert!(read.check(&[stranger]).is_err(), "and only to whoever has the key");
}

#[test]
fn nothing_is_shown_by_what_was_changed_or_by_heads_that_fit() {
    let keys = [log_key().verifier_key()];
    let shown = serde_json::to_value(&rewritten()[0]).unwrap();
    let change = |change: &dyn Fn(&mut Value)| {
        let mut other = shown.clone();
        change(&mut other);
        serde_json::from_value::<Misbehaviour>(other).map(|read| read.check(&keys).is_err())
    };
    let site = Site::get();
    let honest = site.head(site.leaves.len()).note.to_string();
    let cases: [&dyn Fn(&mut Value); 5] = [
        &|one| one["format"] = "another".into(),
        &|one| one["root"] = "00".repeat(32).into(),
        &|one| one["proof"] = Value::Array(Vec::new()),
        &|one| one["second"] = honest.clone().into(),
        &|one| one["first"] = one["second"].clone(),
    ];
    for case in cases {
        assert!(change(case).unwrap_or(true));
    }
}
