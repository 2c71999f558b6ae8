//! The page of the site itself: what is not as it should be, also while the recorder does not answer.

use std::fs;

use super::browser::Browser;
use super::{SOON, flaws};
use crate::backups::{Night, succeeds};
use crate::programs::Up;
use crate::site::{RECORDERS, Site};

const TREE: &str =
    "kind: call-tree\nname: default\nlevels: [{ tell: [{ contact: bob }], wait: 1h }]\n";

#[test]
fn the_page_of_the_site_opens_on_what_is_not_as_it_should_be_and_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    let browser = Browser::of_admin(&up);
    let page = browser.get("/site");
    assert_eq!((page.status, page.heading().as_str()), (200, "Settings and health"));
    assert_eq!(flaws("/site", &page), [""; 0]);
    for says in [
        "there is no call tree default",
        "The recorder <span class=\"state good\">answers</span>",
        "one person may approve their own change (<a href=\"/events/",
        "whoever acts at a console has an account that may (<a href=\"/events/",
        "none: people come in by a password or a code",
        "hosts join at</dt><dd>nobody",
        "<td data-label=\"Role\">scheduler</td>",
        "1 audit, 1 console, 1 executor, 1 scheduler",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(page.text.contains(says), "{says} in {}", page.text);
    }
    let secret = fs::read_to_string(up.data.join("console.token")).unwrap();
    assert!(!page.text.contains(secret.trim()));

    succeeds(&up, "save", &[]);
    let tree = dir.path().join("tree.yaml");
    fs::write(&tree, TREE).unwrap();
    up.call(&["apply", tree.to_str().unwrap(), "--reason", "who is called"]).ended(0);
    up.call(&["incident", "report", "job/save", "--severity", "major", "--text", "odd"]).ended(0);
    let later = browser.get("/site").text;
    assert!(!later.contains("there is no call tree default"), "{later}");
    assert!(later.contains("<a href=\"/incidents\">incidents are open: "), "{later}");

    let said = up.call(&["site", "-o", "json"]).ended(1).json();
    assert_eq!(said["recorder"]["problem"], serde_json::Value::Null, "{said}");
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.iter().any(|one| one["page"] == "/incidents"), "{said}");
    let words = up.call(&["site"]).ended(1).out;
    assert!(words.contains("incidents are open: ") && words.contains("answers"), "{words}");
    up.stop();
}

#[test]
fn while_the_recorder_is_away_the_console_says_so_on_its_page_and_in_its_metrics() {
    let mut site = Site::start();
    let (server, data) = site.console();
    let code = fs::read_to_string(data.join("console.code")).unwrap();
    let browser = Browser::at(server, "admin", code.trim());
    let metrics = || browser.get("/metrics").text;
    let up = metrics();
    assert!(up.contains("decklog_recorder_up 1"), "{up}");
    assert!(up.contains("decklog_log_newest_event_timestamp_seconds 1"), "{up}");
    let page = browser.get("/site").text;
    assert!(page.contains("hosts join at</dt><dd>nats://"), "{page}");
    assert!(page.contains("<td data-label=\"Name\">scheduler-two</td>"), "{page}");

    site.lose(&RECORDERS);
    testkit::wait::until("the metrics to say so", SOON, || {
        metrics().contains("decklog_recorder_up 0")
    })
    .unwrap();
    let page = browser.get("/site");
    assert_eq!((page.status, page.heading().as_str()), (200, "Settings and health"));
    assert!(page.text.contains("the recorder does not answer: "), "{}", page.text);
    assert_eq!(flaws("/site", &page), [""; 0]);
    let other = browser.get("/jobs");
    assert!(other.status == 503 && other.text.contains("href=\"/site\""), "{}", other.text);
    let words = site.call(&["site"]).ended(1).out;
    assert!(words.contains("does not answer"), "{words}");

    site.regain(&RECORDERS);
    site.wait_for("the recorder to answer", |site| site.call(&["site"]).out.contains("answers; "));
    site.settle_and_count();
}
