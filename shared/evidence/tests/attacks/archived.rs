//! A log of which a segment is in a file: what the recorder says of it is compared with the tree.

use domain::canonical::Digest;
use domain::envelope::Draft;
use domain::event::{LogArchived, LogHeadSigned};
use domain::ids::StreamId;
use domain::ledger::SEGMENT_EVENTS;
use evidence::Verdict;
use serde_json::{Value, json};
use tlog::{Frontier, leaf_hash};

use super::forgery::Forged;
use super::peer;
use super::site::{Site, bundle, careful, event, names, policy_text, verify};

/// The site's log, and as many words of its recorder behind it as make it longer than a segment.
fn long(site: &Site) -> Forged {
    let mains = site.leaves.iter().map(|leaf| event(leaf));
    let mains = mains.filter(|event| event["subject"] == "log/main");
    let version = mains.filter_map(|event| event["version"].as_u64()).max().unwrap();
    let word = |version| {
        let event = LogHeadSigned { size: 1, root: Digest::NONE };
        Draft::new(StreamId::log("main"), version, event)
    };
    let words = (version + 1..=version + SEGMENT_EVENTS).map(word).collect();
    Forged::of(&site.leaves).say_all("audit/", words, &site.keys)
}

fn archived(log: &Forged, from: u64) -> LogArchived {
    let from = usize::try_from(from).unwrap();
    let hashes = log.leaves.iter().map(|leaf| leaf_hash(leaf)).skip(from);
    let tree: Frontier = hashes.take(usize::try_from(SEGMENT_EVENTS).unwrap()).collect();
    LogArchived {
        first: from as u64 + 1,
        last: from as u64 + SEGMENT_EVENTS,
        root: Digest(tree.root().0),
        sha256: Digest::of(b"a file"),
        bytes: 1_000,
    }
}

fn flipped(root: Digest) -> Digest {
    let mut bytes = root.0;
    bytes[31] ^= 1;
    Digest(bytes)
}

#[test]
fn a_recorder_that_says_another_root_of_a_segment_than_the_tree_has_is_found_out() {
    let site = Site::get();
    let log = long(site);
    let honest = archived(&log, 0);
    let other = LogArchived { root: flipped(honest.root), ..honest };
    let elsewhere = archived(&log, 1);
    for (does, event, by, found) in [
        ("as it is", &honest, "audit/", vec![]),
        ("with another root", &other, "audit/", vec!["ARCHIVE_ROOT"]),
        // The rules give it no effect, and what it says of the tree is true.
        ("from the second event on", &elsewhere, "audit/", vec![]),
        // Whoever is no recorder says nothing of the archive.
        ("by a scheduler", &other, "scheduler/", vec![]),
    ] {
        let draft = Draft::new(StreamId::archive(), 1, event.clone());
        let log = log.clone().say_next(by, draft, &site.keys);
        let tar = bundle(&log.leaves, &site.signers()).tar();
        let report = verify(&tar, &careful(&[]));
        assert_eq!(names(&report), found, "{does}: {:?}", report.findings);
        let said = peer::verify(&tar, Some(&policy_text(true)), &[], None);
        assert_eq!(said.names.into_iter().collect::<Vec<_>>(), found, "{does}");
        let verdict = if found.is_empty() { Verdict::Verified } else { Verdict::Tampered };
        assert_eq!((report.verdict, said.verdict), (verdict, verdict), "{does}");
    }
}

#[test]
fn what_is_no_word_of_a_segment_is_told_alike_by_both_verifiers() {
    let site = Site::get();
    let log = Forged::of(&site.leaves);
    let draft = Draft::new(StreamId::archive(), 1, archived(&log, 0));
    let log = log.say_next("audit/", draft, &site.keys);
    let last = log.leaves.len() - 1;
    let of = |key: &str, value: Value| {
        let mut data = event(&log.leaves[last])["data"].clone();
        data[key] = value;
        data
    };
    let mut short = of("first", json!(1));
    short.as_object_mut().unwrap().remove("sha256");
    let upper = Digest::of(b"a file").to_string().to_uppercase();
    for (data, schema, found) in [
        (json!("text"), 1, "EVENT_FORM"),
        (json!({}), 1, "EVENT_FORM"),
        (short, 1, "EVENT_FORM"),
        (of("more", json!(1)), 1, "EVENT_FORM"),
        (of("first", json!(-1)), 1, "EVENT_FORM"),
        (of("first", json!(true)), 1, "EVENT_FORM"),
        (of("first", json!(1.5)), 1, "EVENT_FORM"),
        (of("bytes", json!("1000")), 1, "EVENT_FORM"),
        (of("root", json!(7)), 1, "EVENT_FORM"),
        (of("sha256", json!(upper)), 1, "EVENT_FORM"),
        (of("more", json!(1)), 2, "EVENT_UNKNOWN"),
    ] {
        let does = format!("{data} in version {schema}");
        let log = log.clone().say(last, |event| {
            event["data"] = data;
            event["schema"] = json!(schema);
        });
        let tar = bundle(&log.leaves, &site.signers()).tar();
        let report = verify(&tar, &careful(&[]));
        assert_eq!(names(&report), [found], "{does}: {:?}", report.findings);
        let said = peer::verify(&tar, Some(&policy_text(true)), &[], None);
        assert_eq!(said.names.into_iter().collect::<Vec<_>>(), [found], "{does}");
        assert_eq!(said.verdict, report.verdict, "{does}");
    }
}
