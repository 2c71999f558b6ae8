//! What people do with documents and queues, and what printers do to them.

use std::fs;

use serde_json::Value;
use testkit::printing::Afterwards;
use testkit::wait;

use super::{Office, SOON, act, ask, documents, ended, id, said, wait_for_states};

#[test]
fn documents_are_held_changed_released_moved_and_cancelled_and_each_says_who_and_why() {
    let office = Office::new();
    let text = office.text("a.txt", 4);
    let job = "  release: person\n";
    let other = format!("---\nkind: queue\nname: other\nprinter: {}\n", office.paper.uri());
    let up = office.up(&office.site("", job, &other));
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "succeeded", "what waits by rule is where it should be");
    let one = id(&wait_for_states(&up, &["held"])[0]);
    assert!(office.paper.printed().is_empty());
    act(&up, &["change", &one, "--pages", "2-3", "--copies", "2", "--priority", "90"]);
    act(&up, &["move", &one, "other"]);
    act(&up, &["release", &one]);
    let shown = wait_for_states(&up, &["printed"]);
    assert_eq!(shown[0]["queue"], "other");
    assert_eq!((office.paper.times(&text, 1), office.paper.times(&text, 2)), (0, 2));
    said(&up, &["hold", &one]).ended(5);
    said(&up, &["hold", "0000"]).ended(3);
    act(&up, &["reprint", &one, "--pages", "1"]);
    wait::until("its first page", SOON, || office.paper.times(&text, 1) == 2).unwrap();
    wait_for_states(&up, &["printed"]);

    ended(&up, &ask(&up, "reports"));
    let two = id(&wait_for_states(&up, &["printed", "held"])[1]);
    act(&up, &["cancel", &two]);
    wait_for_states(&up, &["printed", "cancelled"]);
    said(&up, &["release", &two]).ended(5);
    let events = up.call(&["events", "-o", "json"]).ended(0).json();
    let acts = events.as_array().unwrap().iter().map(|entry| &entry["event"]);
    for kind in ["print.released", "print.moved", "print.changed", "print.cancelled"] {
        let of: Vec<&Value> = acts.clone().filter(|event| event["type"] == kind).collect();
        assert!(!of.is_empty(), "{kind}");
        for event in of {
            assert!(event["actor"].as_str().is_some_and(|who| who.starts_with("user/")), "{event}");
            assert_eq!(event["data"]["reason"], "the test says so", "{event}");
        }
    }
    up.stop();
}

#[test]
fn a_printer_that_jams_is_named_and_goes_on_by_itself_when_somebody_clears_it() {
    let office = Office::new();
    let text = office.text("a.txt", 3);
    let up = office.up(&office.site("", "", ""));
    office.paper.jam_after(1, Afterwards::GoesOn);
    let run = ask(&up, "reports");
    let stopped = wait_for_states(&up, &["stopped"]);
    assert!(stopped[0]["why"].as_str().unwrap().contains("jam"), "{stopped:#?}");
    office.paper.clear();
    assert_eq!(ended(&up, &run), "succeeded");
    assert_eq!((office.paper.times(&text, 1), office.paper.times(&text, 3)), (1, 1));

    office.paper.trouble("media-empty-error");
    let run = ask(&up, "reports");
    let mut queues = Value::Null;
    wait::until("the queue to be stopped", SOON, || {
        queues = up.call(&["print", "queues", "-o", "json"]).ended(0).json();
        queues[0]["state"] == "stopped"
    })
    .unwrap();
    assert!(queues[0]["why"].as_str().unwrap().contains("paper"), "{queues}");
    office.paper.clear();
    assert_eq!(ended(&up, &run), "succeeded");
    let queues = up.call(&["print", "queues", "-o", "json"]).ended(0).json();
    assert_eq!(queues[0]["state"], "goes-on");
    up.stop();
}

#[test]
fn a_printer_that_counts_otherwise_makes_the_run_fail_and_shows_where_things_do_not_add_up() {
    let office = Office::new();
    office.text("a.txt", 3);
    let up = office.up(&office.site("", "", ""));
    office.paper.lie(-1);
    assert_eq!(ended(&up, &ask(&up, "reports")), "failed");
    wait_for_states(&up, &["printed"]);
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!(found[0]["kind"], "pages-differ", "{found}");
    assert_eq!((&found[0]["expected"], &found[0]["counted"]), (&3.into(), &2.into()));
    up.stop();
}

#[test]
fn a_held_queue_prints_nothing_and_a_held_document_lets_others_pass() {
    let office = Office::new();
    let (a, b) = (office.text("a.txt", 1), office.text("b.txt", 1));
    let up = office.up(&office.site("", "", ""));
    act(&up, &["hold-queue", "office"]);
    let run = ask(&up, "reports");
    let waiting = wait_for_states(&up, &["ready", "ready"]);
    act(&up, &["hold", &id(&waiting[0])]);
    act(&up, &["release-queue", "office"]);
    wait_for_states(&up, &["held", "printed"]);
    assert_eq!((office.paper.times(&a, 1), office.paper.times(&b, 1)), (0, 1));
    assert_eq!(ended(&up, &run), "succeeded", "what a person holds, the run does not wait for");
    act(&up, &["release", &id(&waiting[0])]);
    wait_for_states(&up, &["printed", "printed"]);
    up.stop();
}

#[test]
fn what_is_no_document_or_over_a_limit_is_refused_before_anything_is_sent() {
    let office = Office::new();
    fs::write(office.path("out/a.bin"), [0_u8, 1, 2, 3]).unwrap();
    let up = office.up(&office.site("limit-pages: 2\n", "", ""));
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed");
    assert!(documents(&up).is_empty());
    fs::remove_file(office.path("out/a.bin")).unwrap();
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed");
    let logs = up.call(&["logs", &run]).ended(0).out;
    assert!(logs.contains("may-be-none"), "{logs}");
    office.text("long.txt", 3);
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed");
    let logs = up.call(&["logs", &run]).ended(0).out;
    assert!(logs.contains("pages"), "{logs}");
    assert!(office.paper.printed().is_empty() && documents(&up).is_empty());
    up.stop();
}

#[test]
fn the_output_and_an_artefact_of_another_job_are_printed_as_their_host_kept_them() {
    let office = Office::new();
    let report = office.path("report.txt");
    let more = format!(
        "---\nname: makes\nartefacts: {{ report: '{0}' }}\n\
         command: {{ script: 'printf \"one\\n\" | tee {0}; printf \"\\fof two\\n\" >> {0}' }}\n\
         ---\nkind: print\nname: prints-output\nprint: {{ documents: {{ output-of: makes }}, queue: office }}\n\
         ---\nkind: print\nname: prints-artefact\nprint:\n  documents: {{ artefact: {{ job: makes, name: report }} }}\n  queue: office\n",
        report.display()
    );
    let up = office.up(&office.site("", "", &more));
    assert_eq!(ended(&up, &ask(&up, "prints-output")), "failed", "no run has done its work");
    assert_eq!(ended(&up, &ask(&up, "makes")), "succeeded");
    let run = ask(&up, "prints-output");
    assert_eq!(ended(&up, &run), "succeeded", "{}", up.call(&["logs", &run]).out);
    assert_eq!(office.paper.times(b"one\n", 1), 1);
    fs::write(&report, "another\n").unwrap();
    assert_eq!(ended(&up, &ask(&up, "prints-artefact")), "succeeded");
    assert_eq!(office.paper.times(b"one\n\x0cof two\n", 2), 1, "as it was when the run ended");
    up.stop();
}

#[test]
fn a_document_is_released_by_the_code_its_host_made_and_by_nothing_else() {
    let office = Office::new();
    let text = office.text("secret.txt", 1);
    let up = office.up(&office.site("release: code\n", "", ""));
    assert_eq!(ended(&up, &ask(&up, "reports")), "succeeded");
    let one = id(&wait_for_states(&up, &["held"])[0]);
    said(&up, &["release", &one]).ended(5);
    said(&up, &["release", &one, "--code", "00000000x"]).ended(5);
    assert!(office.paper.printed().is_empty());
    let facts = said(&up, &["facts", &one, "-o", "json"]).ended(0).json();
    assert_eq!(facts["title"], "secret.txt");
    let code = facts["code"].as_str().unwrap().to_owned();
    assert!(!up.call(&["events", "-o", "json"]).ended(0).out.contains(&code), "no event has it");
    act(&up, &["release", &one, "--code", &code]);
    wait_for_states(&up, &["printed"]);
    assert_eq!(office.paper.times(&text, 1), 1);
    let out = office.path("copy.txt");
    said(&up, &["read", &one, "--to", out.to_str().unwrap()]).ended(0);
    assert_eq!(fs::read(&out).unwrap(), text);
    let events = up.call(&["events", "-o", "json"]).ended(0).out;
    assert_eq!(events.matches("\"print.read\"").count(), 2, "both readings are events");
    up.stop();
}
