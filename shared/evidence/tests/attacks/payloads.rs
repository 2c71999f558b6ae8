//! Payloads that are shown with a bundle: what they are, and that whoever changes one is found out.

use domain::canonical::Digest;
use domain::envelope::{Draft, PayloadRef};
use domain::event::{Event, PayloadRedacted, PayloadRedactionAsked};
use domain::ids::StreamId;
use domain::payload::{Disclosure, OUTPUT, commitment};
use evidence::{Report, Request, Verdict};
use serde_json::{Value, json};

use super::forgery::Forged;
use super::peer;
use super::site::{Files, Site, alone, bundle, careful, event, names, packed, policy_text, verify};

fn positions(files: &Files) -> Vec<String> {
    let all = files.0.iter().map(|(name, _)| name.clone());
    all.filter(|name| name.starts_with("payloads/")).collect()
}

/// Another text in the place of what is shown, behind the same three lines.
fn edited(files: Files, number: usize, content: &[u8]) -> Files {
    let name = positions(&files)[number].clone();
    let shown = Disclosure::parse(files.get(&name)).unwrap();
    let bytes = Disclosure { content, ..shown }.to_bytes();
    files.set(&name, bytes)
}

fn exchanged(files: Files) -> Files {
    let names = positions(&files);
    let content =
        [0, 1].map(|at| Disclosure::parse(files.get(&names[at])).unwrap().content.to_vec());
    edited(edited(files, 0, &content[1]), 1, &content[0])
}

/// What is shown of one event, as if it were of the first of the log.
fn of_the_first(files: &Files) -> Vec<u8> {
    let shown = Disclosure::parse(files.get(&positions(files)[0])).unwrap();
    Disclosure { position: 1, ..shown }.to_bytes()
}

/// Another request, as whoever wants something else to be shown writes it.
fn asking(files: &Files, positions: &Value) -> Files {
    let mut request: Value = serde_json::from_slice(files.get("request.json")).unwrap();
    request["payloads"] = positions.clone();
    let mut bytes = domain::canonical::canonical(&request).unwrap();
    bytes.push(b'\n');
    files.clone().set("request.json", bytes)
}

fn both(files: &Files) -> (Report, Verdict) {
    let tar = files.tar();
    let said = peer::verify(&tar, Some(&policy_text(true)), &[], None);
    (verify(&tar, &careful(&[])), said.verdict)
}

#[test]
fn payloads_that_are_shown_are_what_the_log_commits_to() {
    let site = Site::get();
    let files = site.showing();
    let (report, peer) = both(&files);
    assert_eq!((names(&report), report.verdict, peer), (vec![], Verdict::Verified, peer));
    assert_eq!(peer, Verdict::Verified);
    assert_eq!(report.payloads.len(), 2);
    let first = &report.payloads[0];
    let at = event(&site.leaves[usize::try_from(first.position).unwrap() - 1]);
    assert_eq!(
        (first.of.as_str(), first.class.as_str()),
        (at["subject"].as_str().unwrap(), "output")
    );
    assert!(first.bytes.unwrap() > 10);
    let readme = String::from_utf8(files.get("README.txt").to_vec()).unwrap();
    assert!(readme.contains("payloads/ "));
    let without = String::from_utf8(site.honest().get("README.txt").to_vec()).unwrap();
    assert!(!without.contains("payloads/ "));
}

#[test]
fn whoever_changes_exchanges_adds_or_leaves_out_a_payload_is_found_out() {
    let site = Site::get();
    let files = site.showing();
    let shown = positions(&files);
    let position = |at: usize| shown[at]["payloads/".len()..].parse::<u64>().unwrap();
    let (one, two) = (position(0), position(1));
    let third = site.find("run.succeeded", usize::try_from(two).unwrap());
    let name = format!("payloads/{:020}", third + 1);
    let cut = files.get(&shown[0])[..40].to_vec();
    for (does, files, found, verdict) in [
        (
            "one is edited",
            edited(files.clone(), 0, b"nothing went wrong"),
            "PAYLOAD_MISMATCH",
            Verdict::Tampered,
        ),
        ("two are exchanged", exchanged(files.clone()), "PAYLOAD_MISMATCH", Verdict::Tampered),
        ("one is cut", files.clone().set(&shown[0], cut), "PAYLOAD_MISMATCH", Verdict::Tampered),
        (
            "one is there that nobody asked for",
            files.clone().add(&name, site.shown(third)),
            "PAYLOAD_MISMATCH",
            Verdict::Tampered,
        ),
        (
            "one is of an event that commits to nothing",
            asking(&files, &json!([1, one, two]))
                .add("payloads/00000000000000000001", of_the_first(&files)),
            "PAYLOAD_MISMATCH",
            Verdict::Tampered,
        ),
        (
            "one is not there",
            files.clone().without(&shown[1]),
            "PAYLOAD_MISSING",
            Verdict::Inconclusive,
        ),
        (
            "one that is asked for commits to nothing",
            asking(&files, &json!([1, one, two])),
            "PAYLOAD_MISSING",
            Verdict::Inconclusive,
        ),
        (
            "what is asked for is in no order",
            asking(&files, &json!([two, one])),
            "MANIFEST_FORM",
            Verdict::Tampered,
        ),
        (
            "what is asked for is nothing",
            asking(&site.honest(), &json!([])),
            "MANIFEST_FORM",
            Verdict::Tampered,
        ),
    ] {
        let tar = files.tar();
        let report = verify(&tar, &careful(&[]));
        assert!(names(&report).contains(&found), "{does}: {:?}", names(&report));
        assert_eq!(report.verdict, verdict, "{does}: {:?}", names(&report));
        assert_ne!(verify(&tar, &alone()).verdict, Verdict::Verified, "{does}");
        let said = peer::verify(&tar, Some(&policy_text(true)), &[], None);
        assert!(said.names.contains(found), "{does}: {said:?}");
        assert_eq!(said.verdict, verdict, "{does}: {said:?}");
    }
}

/// A log in which two people have agreed that what a run wrote is erased.
fn redacted(site: &Site) -> (Vec<Vec<u8>>, usize) {
    let at = site.find("run.succeeded", 0);
    let of: StreamId = event(&site.leaves[at])["subject"].as_str().unwrap().parse().unwrap();
    let host = event(&site.leaves[at])["data"]["host"].as_str().unwrap().to_owned();
    let reason = "a name stood in it".to_owned();
    let records = StreamId::records();
    let ask = PayloadRedactionAsked { of: of.clone(), reason: reason.clone() };
    let agree = PayloadRedacted { of, hosts: vec![host], reason };
    let log = Forged::of(&site.leaves)
        .say_next("console/", Draft::new(records.clone(), 1, ask).by(Some("user/ana")), &site.keys)
        .say_next("console/", Draft::new(records, 2, agree).by(Some("user/bob")), &site.keys);
    (log.leaves, at)
}

#[test]
fn a_payload_that_two_people_had_erased_is_not_missing() {
    let site = Site::get();
    let (leaves, at) = redacted(site);
    let shown = [site.shown(at)];
    let files = packed(&leaves, &site.signers(), &[], &shown);
    let gone = files.clone().without(&positions(&files)[0]);
    let (report, peer) = both(&gone);
    assert_eq!(
        (names(&report), report.verdict, peer),
        (vec![], Verdict::Verified, Verdict::Verified)
    );
    assert_eq!(report.payloads[0].bytes, None);
    // The same without that they agreed.
    let asked = &leaves[..leaves.len() - 1];
    let files = packed(asked, &site.signers(), &[], &shown);
    let gone = files.clone().without(&positions(&files)[0]);
    let (report, peer) = both(&gone);
    assert_eq!((names(&report), report.verdict), (vec!["PAYLOAD_MISSING"], Verdict::Inconclusive));
    assert_eq!(peer, Verdict::Inconclusive);
}

/// A host may say anything of another's run; the rules let it have no effect. The other verifier knows no rules.
#[test]
fn what_a_void_event_commits_to_is_no_payload_of_its_run() {
    let site = Site::get();
    let at = site.find("run.succeeded", 0);
    let said = event(&site.leaves[at]);
    let of: StreamId = said["subject"].as_str().unwrap().parse().unwrap();
    let body = Event::read("run.succeeded", 1, &said["data"]).unwrap();
    let salt = [9; 32];
    let commitment = commitment(&salt, &Digest::of(b"all went well"));
    let payload = PayloadRef { commitment, class: OUTPUT.to_owned() };
    let draft = Draft::new(of, 3, body).with_payload(payload);
    let log = Forged::of(&site.leaves).say_next("executor/", draft, &site.keys);
    let position = log.leaves.len() as u64;
    let id = event(log.leaves.last().unwrap())["id"].as_str().unwrap().parse().unwrap();
    let shown = Disclosure { position, event: id, salt, content: b"all went well" }.to_bytes();
    let name = format!("payloads/{position:020}");
    let files = asking(&bundle(&log.leaves, &site.signers()), &json!([position]));
    let report = verify(&files.add(&name, shown).tar(), &careful(&[]));
    assert_eq!(report.counts.void, verify(&site.honest().tar(), &careful(&[])).counts.void + 1);
    assert!(names(&report).contains(&"PAYLOAD_MISMATCH"), "{:?}", names(&report));
    assert!(report.payloads.is_empty());
}

#[test]
fn what_is_not_what_the_log_commits_to_is_not_written() {
    let site = Site::get();
    let at = site.find("run.succeeded", 0);
    let shown = site.shown(at);
    let other = Disclosure { content: b"x", ..Disclosure::parse(&shown).unwrap() }.to_bytes();
    let files = bundle(&site.leaves, &site.signers());
    let last = evidence::Head::read(files.get("checkpoint")).unwrap();
    let request: Request = serde_json::from_slice(files.get("request.json")).unwrap();
    let request = request.showing(vec![at as u64 + 1]);
    let mut writer = evidence::Writer::new(Vec::new(), request, last, &[]).unwrap();
    site.leaves.iter().for_each(|leaf| writer.entry(leaf.clone()).unwrap());
    let error = writer.payload(&other).unwrap_err().to_string();
    assert!(error.contains("it is not what run/"), "{error}");
}
