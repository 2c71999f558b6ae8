//! What runs wrote and documents said: shown as evidence, kept by a legal hold, erased when two people agree.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::wait;

use super::{Person, for_two, stop_and_verify};
use crate::prints::{Office, ask, documents, ended, id, wait_for_states};
use crate::programs::{Said, Up, decklog, run, verifier};

/// A host hears of it within a moment; a head is signed within a minute.
const SOON: Duration = Duration::from_secs(120);

const LETTERS: &str = "name: letters\ncommand: { script: 'echo a letter to Mia Brandt' }\n";
const WROTE: &str = "a letter to Mia Brandt\n";

fn records(up: &Up, words: &[&str]) -> Said {
    let words = ["records"].iter().chain(words).chain(&["--reason", "counsel says so"]);
    up.call(&words.copied().collect::<Vec<_>>())
}

fn known(up: &Up) -> Value {
    up.call(&["records", "list", "-o", "json"]).ended(0).json()
}

/// The run of a job that ran once.
fn run_of(up: &Up, job: &str) -> String {
    let runs = up.call(&["runs", "--job", job, "-o", "json"]).ended(0).json();
    runs[0]["run"].as_str().unwrap().to_owned()
}

fn disclosed(up: &Up, of: &str, to: &Path) {
    let to = to.to_str().unwrap();
    let said = up.call(&["records", "disclose", of, "--to", to]).ended(0).out;
    assert!(said.contains("commits to them"), "{said}");
}

/// Evidence that shows this; a head over the event that commits to it is signed within a minute.
fn exported(up: &Up, shown: &Path, to: &Path) {
    let words = ["evidence", "export", "--payload", shown.to_str().unwrap(), "--to"];
    let export = || up.call(&[&words[..], &[to.to_str().unwrap()]].concat()).code == 0;
    wait::until("a signed head over it", SOON, export).unwrap();
}

/// What our verifier and the other one say of evidence under a policy that names the log and no witness.
fn verified(up: &Up, bundle: &Path) -> (Said, Said) {
    let policy = bundle.with_extension("policy");
    std::fs::write(&policy, up.call(&["evidence", "policy"]).ended(0).out).unwrap();
    let words = [bundle, Path::new("--policy"), &policy];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/evidence/verify.py");
    let mut other = std::process::Command::new("/usr/bin/python3");
    (run(&mut verifier(words)), run(other.arg(script).args(words)))
}

/// Another text in the place of what stands in a file somewhere, as long.
fn edited(file: &Path, from: &str, to: &str) -> PathBuf {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let edited = file.with_extension("edited");
    std::fs::write(&edited, bytes).unwrap();
    edited
}

/// The one output on this host, where it is not encrypted.
fn plain(up: &Up) -> PathBuf {
    let attempts = up.data.join("executor/attempts");
    let shown = |path: &PathBuf| {
        path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
    };
    let dirs = std::fs::read_dir(attempts).unwrap().map(|entry| entry.unwrap().path());
    dirs.into_iter().find(shown).unwrap().join("output.zst")
}

fn wait_until_erased(up: &Up) {
    let erased = || known(up)["redactions"][0]["state"] == "erased";
    wait::until("its host to say that it is gone", SOON, erased).unwrap();
}

#[test]
fn an_output_is_shown_as_evidence_kept_by_a_legal_hold_and_erased_when_two_agree() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    std::fs::write(file("jobs.yaml"), LETTERS).unwrap();
    let up = for_two(&file("data"), &[&file("jobs.yaml")], |up| {
        up.call(&["run", "letters", "--reason", "to see it", "--follow"]).ended(0);
    });
    let ana = Person::first(&up);
    let bob = Person::with(&up, &ana, "bob", &["approver"]);
    let of = run_of(&up, "letters");

    // The log commits to it, and does not let anybody try what it was.
    let events = up.call(&["events", "--stream", &of, "-o", "jsonl"]).ended(0).out;
    let end = events.lines().find(|line| line.contains("run.succeeded")).unwrap();
    let end: Value = serde_json::from_str(end).unwrap();
    assert_eq!(end["event"]["payload"]["class"], "output");
    assert_eq!(end["event"]["data"]["report"]["output"]["sha256"], Value::Null);

    wait::until("it to be encrypted", SOON, || !plain(&up).exists()).unwrap();
    disclosed(&up, &of, &file("shown"));
    let shown = std::fs::read_to_string(file("shown")).unwrap();
    assert!(shown.starts_with("decklog-payload-1\n") && shown.ends_with(WROTE), "{shown}");
    let again = up.call(&["records", "disclose", &of, "--to", file("shown").to_str().unwrap()]);
    assert!(again.ended(2).err.contains("exists already"));
    exported(&up, &file("shown"), &file("evidence.tar"));
    let (ours, other) = verified(&up, &file("evidence.tar"));
    let line = format!("{of}, output, {} bytes: what the event at", WROTE.len());
    assert!(ours.ended(2).out.contains(&line));
    assert_eq!(other.ended(2).out.lines().last(), Some("INCONCLUSIVE"));
    let (ours, other) =
        verified(&up, &edited(&file("evidence.tar"), WROTE, "a letter to Mia Brundt\n"));
    assert!(ours.ended(1).out.contains("PAYLOAD_MISMATCH"));
    assert!(other.ended(1).out.contains("PAYLOAD_MISMATCH"));
    let forged = edited(&file("shown"), WROTE, "a letter to Mia Brundt\n");
    let words = ["evidence", "export", "--payload", forged.to_str().unwrap(), "--to"];
    let refused = up.call(&[&words[..], &[file("more.tar").to_str().unwrap()]].concat());
    assert!(refused.err.contains(&format!("it is not what {of} commits to")), "{}", refused.err);
    assert!(!file("more.tar").exists());

    held_and_lifted(&up, &of, &bob);

    records(&up, &["redact", &of]).ended(0);
    let alone = records(&up, &["agree", &of]).ended(5).err;
    assert!(alone.contains("somebody else agrees than asked for it"), "{alone}");
    let page = bob.session.get("/records").is(200);
    assert!(page.text.contains("Have it erased") && page.text.contains(&of));
    said_on_the_page(&bob, &[("act", "agree"), ("of", &of)]);
    wait_until_erased(&up);
    assert!(up.call(&["logs", &of]).ended(3).err.contains("does not have the output"));
    let page = bob.session.get(&format!("/runs/{}", of.trim_start_matches("run/"))).is(200);
    assert!(
        page.text.contains("It was erased before its time: admin asked for that, and bob agreed.")
    );
    assert!(!page.text.contains("Ask for its output to be erased"));
    let test = ["control", "test", "LG-06", "--population"];
    assert!(up.call(&test).ended(0).out.contains(&of));
    // What was shown before is still what the log commits to.
    exported(&up, &file("shown"), &file("later.tar"));
    assert!(verified(&up, &file("later.tar")).0.ended(2).out.contains(&line));
    stop_and_verify(up);
}

fn said_on_the_page(who: &Person, fields: &[(&str, &str)]) {
    let word = who.session.get("/records").is(200).word();
    let all = [&[("word", &*word), ("reason", "looked at it")], fields].concat();
    who.session.form("/records", &all).is(303);
}

/// A hold over the job keeps what it wrote from being erased, until two people say that it ends.
fn held_and_lifted(up: &Up, of: &str, bob: &Person) {
    records(up, &["hold", "case-7", "--over", "job/let*"]).ended(0);
    let held = records(up, &["redact", of]).ended(5).err;
    assert!(held.contains("the legal hold case-7 keeps it"), "{held}");
    let bad = records(up, &["hold", "case 8", "--over", "job/a"]).ended(2).err;
    assert!(bad.contains("a hold's name has 1 to 60 letters"), "{bad}");
    let bad = records(up, &["hold", "case-8", "--over", "letters"]).ended(5).err;
    assert!(bad.contains("\"letters\" is not job/NAME, queue/NAME"), "{bad}");
    records(up, &["ask-lift", "case-7"]).ended(0);
    let alone = records(up, &["lift", "case-7"]).ended(5).err;
    assert!(alone.contains("somebody else lifts a hold than asked for that"), "{alone}");
    let listed = up.call(&["records", "list"]).ended(0).out;
    assert!(listed.contains("case-7 over job/let*") && listed.contains("wants it lifted"));
    said_on_the_page(bob, &[("act", "lift"), ("name", "case-7")]);
    assert_eq!(known(up)["holds"], json!([]));
}

#[test]
fn a_document_is_shown_as_evidence_and_erased_before_its_time_when_two_agree() {
    let office = Office::new();
    office.text("a.txt", 2);
    let site = office.site("", "", "");
    let up = for_two(&office.path("data"), &[&site], |up| {
        let run = ask(up, "reports");
        wait_for_states(up, &["printed"]);
        assert_eq!(ended(up, &run), "succeeded");
    });
    let ana = Person::first(&up);
    let bob = Person::with(&up, &ana, "bob", &["approver"]);
    let of = format!("document/{}", id(&documents(&up)[0]));
    let file = |name: &str| office.path(name);
    disclosed(&up, &of, &file("shown"));
    let shown = std::fs::read(file("shown")).unwrap();
    let text = b"a.txt, page 1";
    assert!(shown.windows(text.len()).any(|part| part == text));
    exported(&up, &file("shown"), &file("evidence.tar"));
    let (ours, other) = verified(&up, &file("evidence.tar"));
    assert!(ours.ended(2).out.contains(&format!("payload      {of}, general")));
    other.ended(2);
    let read = up.call(&["events", "--stream", &of, "-o", "jsonl"]).ended(0).out;
    assert!(read.contains("print.read"), "{read}");

    records(&up, &["redact", &of]).ended(0);
    said_on_the_page(&bob, &[("act", "agree"), ("of", &of)]);
    wait_until_erased(&up);
    let events = up.call(&["events", "--stream", &of, "-o", "jsonl"]).ended(0).out;
    let erased = events.lines().find(|line| line.contains("print.erased")).unwrap();
    assert!(erased.contains("redacted"), "{erased}");
    let gone = up.call(&["records", "disclose", &of, "--to", file("more").to_str().unwrap()]);
    assert!(!file("more").exists() && gone.code != 0, "{}", gone.err);
    assert!(std::fs::read_dir(up.data.join("executor/spool")).unwrap().next().is_none());
    stop_and_verify(up);
}

#[test]
fn a_hold_keeps_outputs_whose_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let two = format!("{LETTERS}---\n{}", LETTERS.replacen("letters", "notes", 1));
    std::fs::write(file("jobs.yaml"), two).unwrap();
    let up = Up::start(&file("data"), &[&file("jobs.yaml")]);
    for job in ["letters", "notes"] {
        up.call(&["run", job, "--reason", "to see it", "--follow"]).ended(0);
    }
    records(&up, &["hold", "case-7", "--over", "job/letters"]).ended(0);
    up.stop();
    // From now on an output is kept for as good as no time.
    let command = decklog(["up", "--listen", "127.0.0.1:0", "--keep-output", "1s"]);
    let up = Up::started(command, &file("data"), &[]);
    let output = |job: &str| up.call(&["logs", &run_of(&up, job)]);
    wait::until("the output that nobody holds to be gone", SOON, || output("notes").code == 3)
        .unwrap();
    assert_eq!(output("letters").ended(0).out, WROTE);
    stop_and_verify(up);
}
