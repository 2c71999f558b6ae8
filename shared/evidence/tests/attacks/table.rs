//! Attacks, each with the name by which it is found. Whoever verifies has a witness and a head from before; whoever has
//! neither must at least never be told that it is verified.

use domain::keys::SecretKey;
use domain::leaf::Leaf;
use evidence::{Head, Verdict};
use serde_json::json;
use tlog::{CosignerKey, SignerKey};

use super::forgery::Forged;
use super::peer;
use super::site::{
    Files, Signers, Site, alone, bundle, careful, event, head, log_key, names, note, policy_text,
    verify, witness,
};

/// An attack: what is done, how it is found by whoever has a witness and a held head, and whether it is found as tampering by
/// whoever has neither.
struct Attack {
    does: &'static str,
    make: fn(&Site) -> Files,
    found: &'static str,
    /// What is said to the careful.
    says: Verdict,
    /// What is said to the careless.
    alone: Verdict,
    /// Whether only somebody who knows the rules of the product can see it.
    by_rules: bool,
}

const fn attack(does: &'static str, make: fn(&Site) -> Files, found: &'static str) -> Attack {
    Attack { does, make, found, says: Verdict::Tampered, alone: Verdict::Tampered, by_rules: false }
}

/// Found by whoever brings something along, and by nobody else.
const fn hidden(does: &'static str, make: fn(&Site) -> Files, found: &'static str) -> Attack {
    Attack { alone: Verdict::Inconclusive, ..attack(does, make, found) }
}

/// Not found out as tampering, and never verified.
const fn open(does: &'static str, make: fn(&Site) -> Files, found: &'static str) -> Attack {
    Attack { says: Verdict::Inconclusive, ..hidden(does, make, found) }
}

/// The log's key is stolen, and the witness is asked for nothing.
fn by_log(leaves: &[Vec<u8>]) -> Files {
    bundle(leaves, &Signers { log: log_key(), witness: None })
}

/// Without the log's key: the heads stay as they were.
fn by_nobody(site: &Site, leaves: &[Vec<u8>]) -> Files {
    let (honest, mut forged) = (site.honest(), by_log(leaves));
    let heads =
        forged.0.iter().map(|(name, _)| name.clone()).filter(|name| name.starts_with("checkpoint"));
    for name in heads.collect::<Vec<_>>() {
        let of = honest.0.iter().find(|(known, _)| *known == name);
        if let Some((_, bytes)) = of {
            forged = forged.set(&name, bytes.clone());
        }
    }
    forged
}

/// A run failed, and is made to have succeeded.
fn outcome(site: &Site) -> (usize, Forged) {
    let at = site.find("run.succeeded", 30);
    let forged =
        Forged::of(&site.leaves).say(at, |event| event["time"] = json!("2020-03-02T02:00:09Z"));
    (at, forged)
}

fn host_key(site: &Site, at: usize) -> (String, SecretKey) {
    let log = Forged::of(&site.leaves);
    let source = log.source(at);
    let key = log.key_of(&source, &site.keys).clone();
    (source, key)
}

const ATTACKS: &[Attack] = &[
    attack(
        "an event is changed in the database",
        |site| by_nobody(site, &outcome(site).1.leaves),
        "HEAD_ROOT",
    ),
    attack(
        "and every head is signed anew with the log's stolen key",
        |site| by_log(&outcome(site).1.leaves),
        "PRODUCER_CHAIN",
    ),
    attack(
        "and its witness's line is taken along from the old head",
        |site| {
            let forged = by_log(&outcome(site).1.leaves);
            let old = Head::read(site.honest().get("checkpoint")).unwrap();
            let line = old.note.signatures().last().unwrap().clone();
            let new = Head::read(forged.get("checkpoint")).unwrap();
            forged.set("checkpoint", new.note.with(line).unwrap().to_string())
        },
        "COSIGNATURE",
    ),
    attack(
        "the last event of a host is changed, and not signed anew",
        |site| {
            let at = site.leaves.len() - 1;
            by_log(
                &Forged::of(&site.leaves)
                    .say(at, |event| event["time"] = json!("2020-03-02T02:00:09Z"))
                    .leaves,
            )
        },
        "PRODUCER_SIGNATURE",
    ),
    attack(
        "an event in the middle is deleted",
        |site| by_log(&Forged::of(&site.leaves).remove(outcome(site).0).leaves),
        "PRODUCER_GAP",
    ),
    open(
        "the tail is cut, and the heads are signed anew",
        |site| by_log(&site.leaves[..site.leaves.len() - 10]),
        "HELD_TRUNCATION",
    ),
    open(
        "the tail is cut behind a genuine head with a genuine witness",
        |site| {
            let leaves = &site.leaves[..site.leaves.len() - 10];
            bundle(leaves, &site.signers())
        },
        "HELD_TRUNCATION",
    ),
    hidden(
        "a host's key and the log's: its event is changed, and its chain rebuilt",
        |site| {
            let (at, forged) = outcome(site);
            let (source, key) = host_key(site, at);
            by_log(&forged.chain(&source, &key).leaves)
        },
        "HELD_FORK",
    ),
    hidden(
        "every key but the witness's: the whole log is rewritten",
        |site| by_log(&outcome(site).1.chain_all(&site.keys).leaves),
        "HELD_FORK",
    ),
    hidden(
        "and the witness's key too",
        |site| bundle(&outcome(site).1.chain_all(&site.keys).leaves, &site.signers()),
        "HELD_FORK",
    ),
    attack(
        "an event of a host that was never let in",
        |site| {
            let at = outcome(site).0;
            let source = json!("executor/nobody");
            by_log(&Forged::of(&site.leaves).say(at, |event| event["source"] = source).leaves)
        },
        "PRODUCER_UNKNOWN",
    ),
    attack(
        "an event is said a second time",
        |site| {
            let mut leaves = site.leaves.clone();
            leaves.push(leaves[outcome(site).0].clone());
            by_log(&leaves)
        },
        "DUPLICATE_ID",
    ),
    attack(
        "two events change places",
        |site| {
            let mut leaves = site.leaves.clone();
            let received = |leaf: &Vec<u8>| Leaf::from_bytes(leaf).unwrap().received;
            let at =
                (40..leaves.len()).find(|at| received(&leaves[*at]) < received(&leaves[*at + 1]));
            let at = at.unwrap();
            leaves.swap(at, at + 1);
            by_log(&leaves)
        },
        "RECEIVED_BACK",
    ),
    attack(
        "a signature is taken away",
        |site| {
            let at = site.leaves.len() - 1;
            by_log(&Forged::of(&site.leaves).leaf(at, |leaf| leaf.seals.clear()).leaves)
        },
        "PRODUCER_UNSIGNED",
    ),
    attack(
        "a signature is of somebody else who may append",
        |site| {
            let at = outcome(site).0;
            let (_, own) = host_key(site, at);
            let other = site.keys.iter().find(|key| key.public() != own.public()).unwrap();
            by_log(
                &Forged::of(&site.leaves)
                    .leaf(at, |leaf| leaf.seals = vec![other.sign(&leaf.envelope)])
                    .leaves,
            )
        },
        "PRODUCER_SIGNATURE",
    ),
    attack(
        "the log's key is another from the beginning",
        |site| {
            let thief = SignerKey::from_seed("world", &[66; 32]).unwrap();
            let key = thief.verifier_key().to_string();
            let forged =
                Forged::of(&site.leaves).say(0, |event| event["data"]["head_key"] = json!(key));
            bundle(&forged.chain_all(&site.keys).leaves, &Signers { log: thief, witness: None })
        },
        "LOG_KEY",
    ),
    attack(
        "heads are signed by another key of the same name",
        |site| {
            let thief = SignerKey::from_seed("world", &[66; 32]).unwrap();
            bundle(&site.leaves, &Signers { log: thief, witness: None })
        },
        "HEAD_SIGNATURE",
    ),
    attack(
        "the head of another log is put among the heads",
        |site| {
            let other = SignerKey::from_seed("elsewhere", &[66; 32]).unwrap();
            let (name, _) = earlier(&site.honest());
            let size = Head::read(site.honest().get(&name)).unwrap().says.size();
            let head = head(&site.leaves[..usize::try_from(size).unwrap()], &other);
            site.honest().set(&name, head.note.to_string())
        },
        "HEAD_ORIGIN",
    ),
    attack(
        "one size has two signed roots",
        |site| {
            let size = earlier_size(site);
            let mut other = site.leaves[..size].to_vec();
            other[size - 1] = b"something else".to_vec();
            let other = head(&other, &log_key()).note.to_string();
            inserted(site, &format!("checkpoints/{size:020}-1.note"), &other)
        },
        "EQUIVOCATION",
    ),
    attack(
        "a head is signed over more than there is",
        |site| {
            let mut longer = site.leaves.clone();
            longer.push(b"one more".to_vec());
            let head = head(&longer, &log_key());
            site.honest().set("checkpoint", head.note.to_string())
        },
        "HEAD_BEYOND",
    ),
    attack(
        "entries stand behind the last head",
        |site| {
            let size = site.leaves.len() - 3;
            let mut last = head(&site.leaves[..size], &log_key());
            last.note = last.note.clone().with(witness().cosign(&last.says, site.ends)).unwrap();
            site.honest().set("checkpoint", last.note.to_string())
        },
        "ENTRIES_BEYOND",
    ),
    attack(
        "entries are left out of the export",
        |site| {
            let short = &site.leaves[..site.leaves.len() - 4];
            by_nobody(site, short)
        },
        "HEAD_BEYOND",
    ),
    attack(
        "totals tell of fewer events",
        |site| {
            let text = String::from_utf8(site.honest().get("manifest.json").to_vec()).unwrap();
            let changed = text.replacen("\"run.due\":", "\"run.due\":1", 1);
            let mut files = site.honest();
            files.0.last_mut().unwrap().1 = changed.into_bytes();
            files
        },
        "MANIFEST_TOTALS",
    ),
    attack(
        "a key stands twice in what a host signed",
        |site| {
            let at = outcome(site).0;
            let (_, key) = host_key(site, at);
            by_log(
                &Forged::of(&site.leaves)
                    .leaf(at, |leaf| {
                        let text = String::from_utf8(leaf.envelope.clone()).unwrap();
                        leaf.envelope =
                            text.replacen("\"data\":", "\"data\":{},\"data\":", 1).into_bytes();
                        leaf.seals = vec![key.sign(&leaf.envelope)];
                    })
                    .leaves,
            )
        },
        "ENVELOPE_FORM",
    ),
    attack(
        "the recorder's clock is set back",
        |site| {
            let at = outcome(site).0;
            by_log(
                &Forged::of(&site.leaves)
                    .leaf(at, |leaf| leaf.received = "2020-03-02T01:00:00Z".parse().unwrap())
                    .leaves,
            )
        },
        "RECEIVED_BACK",
    ),
    attack(
        "a line break in the name of a log",
        |site| {
            let text = String::from_utf8(site.honest().get("checkpoint").to_vec()).unwrap();
            site.honest().set("checkpoint", text.replacen("world\n", "world\nmore\n", 1))
        },
        "HEAD_FORM",
    ),
    attack(
        "a hash in another spelling",
        |site| {
            let text = String::from_utf8(site.honest().get("checkpoint").to_vec()).unwrap();
            site.honest().set("checkpoint", text.replacen("=\n", "\n", 1))
        },
        "HEAD_FORM",
    ),
    attack(
        "more signatures than a head may have",
        |site| {
            let text = String::from_utf8(site.honest().get("checkpoint").to_vec()).unwrap();
            let line = text.lines().last().unwrap();
            site.honest().set("checkpoint", format!("{text}{}", format!("{line}\n").repeat(100)))
        },
        "HEAD_FORM",
    ),
    attack(
        "a file of a bundle leads elsewhere",
        |site| site.honest().add("../../etc/passwd", *b"root"),
        "ARCHIVE_FORM",
    ),
    attack(
        "a policy comes with the bundle",
        |site| site.honest().add("policy", policy_text(false)),
        "FILE_UNEXPECTED",
    ),
    attack(
        "a tile has other hashes",
        |site| {
            let name = tile(&site.honest());
            let mut bytes = site.honest().get(&name).to_vec();
            bytes[7] ^= 1;
            site.honest().set(&name, bytes)
        },
        "FILE_ALTERED",
    ),
    attack(
        "what was asked for stands behind the entries",
        |site| {
            let mut files = site.honest();
            let request = files.0.remove(0);
            let at = files.0.len() - 1;
            files.0.insert(at, request);
            files
        },
        "FILE_UNEXPECTED",
    ),
    open(
        "a tile is not there",
        |site| site.honest().without(&tile(&site.honest())),
        "FILE_MISSING",
    ),
    attack(
        "the period is another",
        |site| {
            let text = String::from_utf8(site.honest().get("request.json").to_vec()).unwrap();
            site.honest().set("request.json", text.replacen("2020-03-03", "2020-03-04", 1))
        },
        "FILE_ALTERED",
    ),
    open(
        "a witness's line is of the future",
        |site| {
            let witness = Some((witness(), 4_102_444_800));
            bundle(&site.leaves, &Signers { log: log_key(), witness })
        },
        "COSIGNATURE_TIME",
    ),
    attack(
        "the log received what a witness had seen before",
        |site| {
            let witness = Some((witness(), site.ends - 100_000));
            bundle(&site.leaves, &Signers { log: log_key(), witness })
        },
        "COSIGNATURE_EARLY",
    ),
    open(
        "somebody else signs under the witness's name",
        |site| {
            let witness = CosignerKey::from_seed("witness.example/w1", &[6; 32]).unwrap();
            bundle(&site.leaves, &Signers { log: log_key(), witness: Some((witness, site.ends)) })
        },
        "NO_QUORUM",
    ),
    attack(
        "a key under which everything verifies is let in",
        |site| {
            let host = Forged::of(&site.leaves).source(outcome(site).0);
            let enrolled =
                |at: &usize| event(&site.leaves[*at])["data"]["producer"] == host.as_str();
            let at = (0..site.leaves.len()).find(enrolled).unwrap();
            let weak = format!("01{}", "00".repeat(31));
            let producer = event(&site.leaves[at])["data"]["producer"].clone();
            let founder = Forged::of(&site.leaves);
            let (source, key) =
                (founder.source(at), founder.key_of(&founder.source(at), &site.keys).clone());
            let forged =
                founder.say(at, |event| event["data"]["key"] = json!(weak)).chain(&source, &key);
            let mut forged = forged;
            for index in 0..forged.leaves.len() {
                if forged.source(index) == producer.as_str().unwrap() {
                    forged = forged.leaf(index, |leaf| {
                        for seal in &mut leaf.seals {
                            seal.key = domain::canonical::Digest::of(&small_order());
                            seal.signature = [0; 64];
                            seal.signature[0] = 1;
                        }
                    });
                }
            }
            by_log(&forged.leaves)
        },
        "PRODUCER_SIGNATURE",
    ),
    attack(
        "an entry is the inside of the tree",
        |site| {
            let (left, right) =
                (tlog::leaf_hash(&site.leaves[0]), tlog::leaf_hash(&site.leaves[1]));
            let mut leaves = site.leaves.clone();
            leaves[5] = [left.0, right.0].concat();
            by_log(&leaves)
        },
        "LEAF_FORM",
    ),
    Attack {
        by_rules: true,
        ..open(
            "schedules are not carried out: what was due is not in the log",
            |site| {
                let at = site.find("run.due", 30);
                let run = event(&site.leaves[at])["subject"].clone();
                let mut log = Forged::of(&site.leaves);
                log.leaves.retain(|leaf| event(leaf)["subject"] != run);
                bundle(&log.chain_all(&site.keys).leaves, &site.signers())
            },
            "OCCURRENCE_MISSING",
        )
    },
];

fn small_order() -> Vec<u8> {
    let mut point = vec![0; 32];
    point[0] = 1;
    point
}

fn earlier(files: &Files) -> (String, usize) {
    let at = files.0.iter().position(|(name, _)| name.starts_with("checkpoints/")).unwrap();
    (files.0[at].0.clone(), at)
}

fn earlier_size(site: &Site) -> usize {
    let (name, _) = earlier(&site.honest());
    usize::try_from(Head::read(site.honest().get(&name)).unwrap().says.size()).unwrap()
}

/// A head beside the first of the earlier ones.
fn inserted(site: &Site, name: &str, text: &str) -> Files {
    let mut files = site.honest();
    let (_, at) = earlier(&files);
    files.0.insert(at + 1, (name.to_owned(), Vec::new()));
    let _ = note(text);
    files.set(name, text)
}

fn tile(files: &Files) -> String {
    files.0.iter().find(|(name, _)| name.starts_with("tile/0/")).unwrap().0.clone()
}

#[test]
fn every_attack_is_found_by_its_name_and_by_both_verifiers() {
    let site = Site::get();
    let held = [site.head(site.leaves.len() - 5)];
    for attack in ATTACKS {
        let tar = (attack.make)(site).tar();
        let report = verify(&tar, &careful(&held));
        let found = names(&report);
        if attack.by_rules {
            // Who holds a head sees that this is another log; who does not must see what is missing.
            let report = verify(&tar, &careful(&[]));
            assert!(names(&report).contains(&attack.found), "{}: {found:?}", attack.does);
            assert_eq!(report.verdict, attack.says, "{}: {:?}", attack.does, names(&report));
            continue;
        }
        assert!(found.contains(&attack.found), "{}: {found:?}", attack.does);
        assert_eq!(report.verdict, attack.says, "{}: {found:?}", attack.does);
        let said = peer::verify(&tar, Some(&policy_text(true)), &held, None);
        assert!(said.names.contains(attack.found), "{}: {said:?}", attack.does);
        assert_eq!(said.verdict, attack.says, "{}: {said:?}", attack.does);
    }
}

#[test]
fn no_attack_is_verified_to_somebody_with_neither_witness_nor_head() {
    let site = Site::get();
    for attack in ATTACKS {
        let tar = (attack.make)(site).tar();
        let report = verify(&tar, &alone());
        let found = names(&report);
        let needs_a_witness = matches!(attack.found, "COSIGNATURE" | "COSIGNATURE_EARLY");
        if attack.by_rules || needs_a_witness {
            assert_ne!(report.verdict, Verdict::Verified, "{}: {found:?}", attack.does);
        } else {
            assert_eq!(report.verdict, attack.alone, "{}: {found:?}", attack.does);
        }
        let said = peer::verify(&tar, Some(&policy_text(false)), &[], None);
        assert_ne!(said.verdict, Verdict::Verified, "{}: {said:?}", attack.does);
    }
}

#[test]
fn an_old_head_is_too_old_for_whoever_says_how_old_it_may_be() {
    let site = Site::get();
    let tar = site.honest().tar();
    let mut trust = careful(&[]);
    trust.as_of = Some(super::site::instant(site.ends));
    assert_eq!(verify(&tar, &trust).verdict, Verdict::Verified);
    trust.as_of = Some(super::site::instant(site.ends + 1));
    assert_eq!(names(&verify(&tar, &trust)), ["STALE_HEAD"]);
    let said = peer::verify(&tar, Some(&policy_text(true)), &[], Some("2020-03-04"));
    assert_eq!(said.verdict, Verdict::Inconclusive, "{said:?}");
}

/// What breaks a rule stands in the log, and has no effect: who tried is evidence too.
#[test]
fn what_a_key_may_not_say_is_void_and_the_log_is_verified() {
    let site = Site::get();
    let at = site.find("run.due", 30);
    let due = event(&site.leaves[at]);
    let mut leaves = site.leaves[..=at].to_vec();
    let scheduler = Forged::of(&leaves).source(at);
    let key = Forged::of(&leaves).key_of(&scheduler, &site.keys).clone();
    let started = event(&site.leaves[site.find("run.started", 0)]);
    let mut leaf = Leaf::from_bytes(&leaves[at]).unwrap();
    let mut said = due;
    said["type"] = started["type"].clone();
    said["schema"] = started["schema"].clone();
    said["data"] = started["data"].clone();
    said["version"] = json!(2);
    said["id"] = json!("01933333-0000-7000-8000-00000000000a");
    leaf.envelope = domain::canonical::canonical(&said).unwrap();
    if leaf.seals.is_empty() {
        leaf.seals = vec![key.sign(&leaf.envelope)];
    }
    leaves.push(leaf.to_bytes());
    let forged = Forged { leaves }.chain(&scheduler, &key);
    let before = verify(&bundle(&forged.leaves[..=at], &site.signers()).tar(), &careful(&[]));
    let after = verify(&bundle(&forged.leaves, &site.signers()).tar(), &careful(&[]));
    assert_eq!(after.counts.void, before.counts.void + 1);
    assert_eq!(after.counts.runs_open, before.counts.runs_open, "it was not started");
    let tampered = after.findings.iter().any(|finding| finding.kind.verdict() == Verdict::Tampered);
    assert!(!tampered, "{:?}", after.findings);
}
