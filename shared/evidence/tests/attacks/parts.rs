//! Parts of a log: what is in one is in the log, and no part is ever verified.

use std::collections::BTreeSet;

use domain::controls::{ControlSettings, Outcome, Period};
use evidence::part::{PART_FORMAT, Proofs, cited};
use evidence::{Depth, Examiner, Head, PartRequest, PartWriter, Trust, Verdict};
use serde_json::json;
use tlog::{Policy, ProofFile, SignerKey};

use super::forgery::Forged;
use super::peer;
use super::site::{Files, Signers, Site, careful, head, log_key, names, policy_text, verify};

const CONTROL: &str = "JS-01";

fn outcome(site: &Site, period: Period) -> Outcome {
    let mut examiner = Examiner::new(Depth::Tip).with_controls(period, ControlSettings::default());
    for leaf in &site.leaves {
        examiner.take(leaf);
    }
    let found = examiner.finish([]).controls;
    found.into_iter().find(|outcome| outcome.control == CONTROL).unwrap()
}

/// The same note as the head of an honest bundle: signed, and cosigned by the witness.
pub(crate) fn part_of(site: &Site, signers: &Signers) -> Files {
    let at = |text: &str| text.parse().unwrap();
    let period = Period { from: at("2020-01-01T00:00:00Z"), until: at("2021-01-01T00:00:00Z") };
    let outcome = outcome(site, period);
    let bundle = super::site::bundle(&site.leaves, signers);
    let last = Head::read(bundle.get("checkpoint")).unwrap();
    let mut positions: BTreeSet<u64> = cited(&outcome).into_iter().take(4).collect();
    assert!(positions.len() == 4, "{positions:?}");
    let enrolled = (0..site.leaves.len()).filter(|index| {
        let kind = site.kind(*index);
        matches!(kind.as_str(), "log.created" | "log.continued" | "log.producer-enrolled")
    });
    positions.extend(enrolled.map(|index| index as u64 + 1));
    let hashes: Vec<_> = site.leaves.iter().map(|leaf| tlog::leaf_hash(leaf)).collect();
    let (proofs, format) = (Proofs::of(&hashes), PART_FORMAT.to_owned());
    let (controls, control) = (ControlSettings::default(), CONTROL.to_owned());
    let Period { from, until } = period;
    let request = PartRequest { format, from, until, controls, control };
    let mut writer = PartWriter::new(Vec::new(), request, last).unwrap();
    for position in positions {
        let leaf = &site.leaves[usize::try_from(position).unwrap() - 1];
        writer.entry(position, leaf, proofs.of_position(position).unwrap()).unwrap();
    }
    Files::unpack(&writer.finish(&outcome).unwrap())
}

fn honest(site: &Site) -> Files {
    part_of(site, &site.signers())
}

fn of(files: &Files, begins: &str) -> Vec<String> {
    files.0.iter().map(|(name, _)| name.clone()).filter(|name| name.starts_with(begins)).collect()
}

fn both(files: &Files, policy: bool) -> (Vec<&'static str>, Verdict) {
    let text = policy_text(true);
    say(files, policy.then_some(text.as_str()), &[])
}

/// Both verifiers say the same, by the same names.
pub(crate) fn say(
    files: &Files,
    policy: Option<&str>,
    held: &[Head],
) -> (Vec<&'static str>, Verdict) {
    let tar = files.tar();
    let policy_read = policy.map(|text| Policy::parse(text).unwrap());
    let trust = Trust { policy: policy_read, ..careful(held) };
    let report = verify(&tar, &trust);
    let said = peer::verify_part(&tar, policy, held);
    let found = names(&report);
    assert_eq!(
        said.names.iter().map(String::as_str).collect::<Vec<_>>(),
        found,
        "{:?}",
        report.findings
    );
    assert_eq!(said.verdict, report.verdict, "{found:?}");
    (found, report.verdict)
}

#[test]
fn an_honest_part_is_proven_to_be_in_the_log_and_is_a_part() {
    let site = Site::get();
    let files = honest(site);
    assert_eq!(both(&files, true), (vec!["PARTIAL"], Verdict::Inconclusive));
    assert_eq!(both(&files, false), (vec!["NO_POLICY", "PARTIAL"], Verdict::Inconclusive));
    let report = verify(&files.tar(), &careful(&[]));
    let part = report.part.unwrap();
    assert_eq!(
        (part.control.as_str(), part.entries),
        (CONTROL, of(&files, "entries/").len() as u64)
    );
    assert!(part.signed > 4, "{part:?}");
    assert_eq!((report.size, report.witnessed.quorum), (site.leaves.len() as u64, true));
    assert_eq!(honest(site), files, "it is the same when it is made again");
    let said = peer::verify_raw(&files.tar());
    assert_eq!(said.0, Some(3), "whoever takes it for the log is told: {}", said.1);
    assert!(said.1.contains("verify_part.py"), "{}", said.1);
}

#[test]
fn whoever_changes_a_part_is_found_out_by_name() {
    let site = Site::get();
    let files = honest(site);
    let (entries, proofs) = (of(&files, "entries/"), of(&files, "proofs/"));
    let last = entries.len() - 1;
    let (entry, proof) = (&entries[last], &proofs[last]);
    let index = entry["entries/".len()..].parse::<usize>().unwrap() - 1;
    let edited =
        Forged::of(&site.leaves).say(index, |event| event["time"] = json!("2020-03-02T02:00:09Z"));
    let stranger = SignerKey::from_seed("log.example/other", &[9; 32]).unwrap();
    let other_head = Signers { log: log_key(), witness: None };
    let plain = head(&site.leaves, &log_key()).note;
    let by_plain = ProofFile { note: plain, ..ProofFile::parse(files.get(proof)).unwrap() };
    let beyond = ProofFile { index: u64::MAX, ..ProofFile::parse(files.get(proof)).unwrap() };
    let checkpoint = head(&site.leaves, &stranger).note.to_string();
    let manifest = String::from_utf8(files.get("manifest.json").to_vec()).unwrap();
    for (does, files, found, verdict) in [
        (
            "an entry is edited",
            files.clone().set(entry, edited.leaves[index].clone()),
            "ENTRY_UNPROVEN",
            Verdict::Tampered,
        ),
        (
            "an entry is another",
            files.clone().set(entry, site.leaves[index - 1].clone()),
            "ENTRY_UNPROVEN",
            Verdict::Tampered,
        ),
        (
            "a proof is another",
            files.clone().set(proof, files.get(&proofs[0]).to_vec()),
            "ENTRY_UNPROVEN",
            Verdict::Tampered,
        ),
        (
            "a proof is in another tree",
            files.clone().set(proof, by_plain.to_string()),
            "ENTRY_UNPROVEN",
            Verdict::Tampered,
        ),
        ("a proof is not there", files.clone().without(proof), "ENTRY_UNPROVEN", Verdict::Tampered),
        (
            "a proof is of an entry that no log has room for",
            files.clone().set(proof, beyond.to_string()),
            "ENTRY_UNPROVEN",
            Verdict::Tampered,
        ),
        (
            "there is no head to prove anything by",
            files.clone().without("checkpoint"),
            "ENTRY_UNPROVEN",
            Verdict::Tampered,
        ),
        (
            "an entry is not there",
            files.clone().without(entry),
            "FILE_UNEXPECTED",
            Verdict::Tampered,
        ),
        (
            "an entry comes twice",
            files.clone().add("entries/00000000000000000001", site.leaves[0].clone()),
            "FILE_UNEXPECTED",
            Verdict::Tampered,
        ),
        (
            "a file of another control is there",
            files.clone().add("controls/JS-09.csv", "x"),
            "FILE_UNEXPECTED",
            Verdict::Tampered,
        ),
        (
            "the head is a stranger's",
            files.clone().set("checkpoint", checkpoint),
            "HEAD_SIGNATURE",
            Verdict::Tampered,
        ),
        (
            "the text in front is another",
            files.clone().set("README.txt", "believe me\n"),
            "FILE_ALTERED",
            Verdict::Tampered,
        ),
        (
            "the request is another",
            files.clone().set("request.json", "{}\n"),
            "MANIFEST_FORM",
            Verdict::Tampered,
        ),
        (
            "the control's file is not there",
            files.clone().without("controls/JS-01.csv"),
            "FILE_MISSING",
            Verdict::Inconclusive,
        ),
        (
            "no witness has seen the head",
            part_of(site, &other_head),
            "NO_QUORUM",
            Verdict::Inconclusive,
        ),
        (
            "the totals are others",
            Files(
                files
                    .0
                    .iter()
                    .map(|(name, bytes)| match name.as_str() {
                        "manifest.json" => (
                            name.clone(),
                            manifest.replacen("\"PARTIAL\"", "\"FULL\"", 1).into_bytes(),
                        ),
                        _ => (name.clone(), bytes.clone()),
                    })
                    .collect(),
            ),
            "MANIFEST_TOTALS",
            Verdict::Tampered,
        ),
    ] {
        let (names, says) = if found == "MANIFEST_FORM" {
            // Without its name in front nobody knows it for a part.
            let report = verify(&files.tar(), &careful(&[]));
            (names(&report), report.verdict)
        } else {
            both(&files, true)
        };
        assert!(names.contains(&found), "{does}: {names:?}");
        assert_eq!(says, verdict, "{does}: {names:?}");
    }
}

#[test]
fn a_head_that_somebody_holds_is_compared_with_that_of_a_part_by_whoever_has_no_policy_too() {
    let site = Site::get();
    let files = honest(site);
    let mut other = site.leaves.clone();
    other.swap(5, 6);
    let (same, fork) = (head(&site.leaves, &log_key()), head(&other, &log_key()));
    let text = policy_text(true);
    for policy in [None, Some(text.as_str())] {
        let (names, _) = say(&files, policy, std::slice::from_ref(&same));
        assert!(!names.contains(&"HELD_FORK"), "{names:?}");
        let (names, verdict) = say(&files, policy, std::slice::from_ref(&fork));
        assert!(names.contains(&"HELD_FORK") && verdict == Verdict::Tampered, "{names:?}");
    }
    let report = verify(&files.tar(), &careful(&[site.head(7)]));
    let partial = report.findings.iter().find(|one| one.kind.name() == "PARTIAL").unwrap();
    assert!(partial.text.contains("of other sizes and time stamps are not compared"), "{partial}");
}

#[test]
fn whoever_takes_a_bundle_for_a_part_is_told() {
    let (code, said) = peer::verify_part_raw(&Site::get().honest().tar());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("verify.py verifies it"), "{said}");
}

#[test]
fn no_flipped_bit_of_a_part_goes_unnoticed() {
    let site = Site::get();
    let tar = honest(site).tar();
    let trust = careful(&[]);
    for at in (0..tar.len()).step_by(37) {
        let mut bad = tar.clone();
        bad[at] ^= 1 << (at % 8);
        let report = verify(&bad, &trust);
        assert_ne!(names(&report), ["PARTIAL"], "byte {at}");
        assert_ne!(report.verdict, Verdict::Verified, "byte {at}");
    }
}
