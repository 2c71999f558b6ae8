//! Keys that wait until a person confirms them.

use std::path::Path;
use std::time::Duration;

use testkit::process::Daemon;
use testkit::wait;

use super::come_in_at;
use super::http::Http;
use crate::programs::{READY, Said, executor, run};
use crate::site::Site;

const ENDS: Duration = Duration::from_secs(30);

/// A host that joins by the line that was shown, and waits; with the fingerprint that it shows.
fn joining(line: &str, folder: &Path) -> (Daemon, String) {
    let words = line.split_whitespace().skip(1);
    let mut command = executor(words);
    command.arg("--dir").arg(folder.join("etc")).arg("--data").arg(folder.join("data"));
    let mut daemon = Daemon::spawn(&mut command).unwrap();
    daemon.wait_for_line("This waits until then", READY).unwrap();
    let output = daemon.output();
    let shown = output.split("fingerprint is").nth(1).unwrap().trim();
    (daemon, shown.lines().next().unwrap().trim().to_owned())
}

/// The keys that are not let in.
fn waiting(site: &Site) -> serde_json::Value {
    site.call(&["key", "list", "-o", "json"]).ended(0).json()
}

fn confirm(site: &Site, producer: &str, fingerprint: &str) -> Said {
    let words = ["key", "confirm", producer, "--fingerprint", fingerprint];
    site.call(&[&words[..], &["--reason", "read to me by Ola at the machine"]].concat())
}

/// A second administrator, in a browser.
fn second(site: &Site) -> Http {
    let add = ["user", "add", "kai", "--grant", "admin", "--reason", "keeps it with ada"];
    let code = site.call(&add).ended(0).out;
    come_in_at(site.console().0, "kai", code.trim()).1
}

#[test]
fn where_a_person_confirms_keys_a_host_waits_until_somebody_else_than_who_invited_it_compared_its_fingerprint()
 {
    let mut site = Site::start();
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("db-07");
    site.restart_console(&["console.confirm-keys=true", "console.self-approval=false"]);
    let kai = second(&site);
    let invite = ["host", "invite", "db-07", "--reason", "the new database host"];
    let line = site.call(&invite).ended(0).out;
    let (mut join, shown) = joining(&line, &own);
    let keys = waiting(&site);
    assert_eq!(
        (&keys[0]["producer"], &keys[0]["ground"], &keys[0]["invited_by"]),
        (&"executor/db-07".into(), &"invitation".into(), &"user/admin".into())
    );
    assert!(!keys.to_string().contains(&shown.replace(' ', "")), "nobody is told what to type");
    let said = confirm(&site, "executor/db-07", &shown).ended(5).err;
    assert!(said.contains("whoever invited a host does not confirm its key"), "{said}");
    let said = confirm(&site, "executor/db-07", "1234").ended(2).err;
    assert!(said.contains("is no fingerprint: that is 32 digits or more"), "{said}");
    let said = confirm(&site, "executor/db-08", &shown).ended(3).err;
    assert!(said.contains("a key that waits for the name executor/db-08"), "{said}");
    assert!(join.is_running() && !own.join("etc/executor.toml").exists());
    let other = run(executor(line.split_whitespace().skip(1))
        .arg("--dir")
        .arg(dir.path().join("other/etc"))
        .arg("--data")
        .arg(dir.path().join("other/data")));
    let said = other.ended(1).err;
    assert!(said.contains("another key of this name waits: decline it first"), "{said}");
    let void = site.call(&["events", "--stream", "log/joining", "-o", "jsonl"]).ended(0).out;
    let tries = void.lines().filter(|line| line.contains("log.producer-asked")).count();
    assert_eq!(tries, 1, "{void}");

    confirmed_on_the_page(&kai, &shown);
    assert!(join.wait_for_end(ENDS).unwrap().success(), "{}", join.output());
    let mut agent = executor(["--config"]);
    let mut agent = Daemon::spawn(agent.arg(own.join("etc/executor.toml"))).unwrap();
    agent.wait_for_line("\"message\":\"ready\"", READY).unwrap();
    let up = |site: &Site| site.call(&["host", "show", "db-07"]).out.contains("state     up");
    site.wait_for("the new host to be up", up);
    assert_eq!(waiting(&site), serde_json::json!([]));
    agent.term();
    agent.wait_for_end(ENDS).unwrap();
    wait::until("it to be down", READY, || !up(&site)).unwrap();

    a_scheduler_waits_too_and_ends_where_it_is_declined(&site);
    a_person_is_named_for_each(&site);
    site.restart_console(&["console.self-approval=true"]);
    site.settle_and_count();
}

/// Whoever did not invite the host types what it shows.
fn confirmed_on_the_page(kai: &Http, shown: &str) {
    let page = kai.get("/hosts").is(200);
    assert!(page.text.contains("Keys that wait") && page.text.contains("executor/db-07"));
    assert!(!page.text.contains(shown));
    let word = page.word();
    let fields = |fingerprint: &str| {
        kai.form(
            "/hosts",
            &[
                ("word", &word),
                ("act", "confirm"),
                ("producer", "executor/db-07"),
                ("fingerprint", fingerprint),
                ("reason", "read to me by Ola at the machine"),
            ],
        )
    };
    let other = fields(&"0123 ".repeat(8)).is(409).text;
    assert!(other.contains("has another fingerprint than the one typed"), "{other}");
    fields(shown).is(303);
}

fn a_scheduler_waits_too_and_ends_where_it_is_declined(site: &Site) {
    let mut third = Daemon::spawn(&mut site.role("three", "scheduler", "name")).unwrap();
    third.wait_for_line("before a person confirms its key at a console", READY).unwrap();
    let keys = waiting(site);
    assert_eq!(keys[0]["producer"], "scheduler/three");
    let decline = ["key", "decline", "scheduler/three", "--reason", "nobody ordered it"];
    let said = site.call(&decline).ended(0).out;
    assert!(said.contains("scheduler/three: its key is declined"), "{said}");
    assert!(!third.wait_for_end(ENDS).unwrap().success());
    let output = third.output();
    assert!(output.contains("its key was declined: nobody ordered it"), "{output}");
    assert_eq!(waiting(site)[0]["declined"], "nobody ordered it");
}

/// The log tells who confirmed, and the control about it finds nothing to say of this host.
fn a_person_is_named_for_each(site: &Site) {
    let events = site.call(&["events", "-o", "jsonl"]).ended(0).out;
    let mut lines = events.lines();
    assert!(lines.any(|line| line.contains("log.producer-confirmed") && line.contains("user/kai")));
    let test = ["control", "test", "LG-07", "--population", "-o", "json"];
    let tested = site.call(&test).json();
    let items = tested["one"]["items"].as_array().unwrap_or_else(|| panic!("{tested}"));
    let db = items.iter().find(|item| item["subject"] == "executor/db-07").unwrap();
    assert!(db["exception"].is_null(), "{db}");
}

#[test]
fn a_key_of_a_service_is_taken_back_for_good_and_the_others_go_on_without_it() {
    let mut site = Site::start();
    let mut third = Daemon::spawn(&mut site.role("three", "scheduler", "name")).unwrap();
    third.wait_for_line("\"message\":\"ready\"", READY).unwrap();
    // It is let in when it says its first word.
    let is_in = || site.call(&["site", "-o", "json"]).out.contains("\"three\"");
    wait::until("it to be let in", READY, is_in).unwrap();
    let said = revoke(&site, "scheduler/three").ended(0).out;
    assert!(said.contains("scheduler/three: its key is taken back"), "{said}");
    assert!(!third.wait_for_end(ENDS).unwrap().success());
    assert!(
        third.output().contains("the key of scheduler/three was revoked"),
        "{}",
        third.output()
    );
    let again = run(&mut site.role("three", "scheduler", "name"));
    let said = again.ended(1).err;
    assert!(said.contains("the key of scheduler/three was revoked"), "{said}");

    let mut second = site.let_go("recorder-two");
    revoke(&site, "audit/recorder-two").ended(0);
    assert!(!second.wait_for_end(ENDS).unwrap().success());
    let output = second.output();
    assert!(output.contains("the key of audit/recorder-two was revoked"), "{output}");
    for (whose, why) in [
        ("audit/recorder-one", "no recorder would be left: let another one in first"),
        ("console/console", "a console does not take its own key back: say it at another one"),
        ("executor/host-one", "that is the key of a host: decklog host revoke"),
        ("scheduler/three", "its key was taken back already"),
        ("scheduler/four", "nobody let scheduler/four in"),
    ] {
        let said = revoke(&site, whose).ended(5).err;
        assert!(said.contains(why), "{whose}: {said}");
    }
    assert!(revoke(&site, "three").ended(2).err.contains("it has the form class/name"));
    let shown = site.call(&["site", "-o", "json"]).json();
    let programs = shown["log"]["programs"].as_array().unwrap_or_else(|| panic!("{shown}"));
    let revoked = programs.iter().filter(|one| one["revoked"] == "somebody else may have it");
    assert_eq!(revoked.count(), 2, "{shown}");
    site.settle_and_count();
}

fn revoke(site: &Site, producer: &str) -> Said {
    site.call(&["key", "revoke", producer, "--reason", "somebody else may have it"])
}
