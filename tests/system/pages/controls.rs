//! Controls on pages and in the API: the numbers that the command line computes by itself, and what is behind each.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use testkit::wait;

use super::browser::Browser;
use super::{SOON, flaws};
use crate::backups::{Night, ran, succeeds};
use crate::programs::{Up, decklog};

/// Controls about what nobody does while nothing runs.
const STILL: [&str; 6] = ["JS-01", "JS-03", "CM-01", "AC-03", "BK-01", "BK-03"];

/// How many members and exceptions each control has.
fn counted(controls: &Value) -> BTreeMap<String, (u64, u64)> {
    let one = |one: &Value| {
        let number = |name: &str| one[name].as_u64().unwrap();
        (one["control"].as_str().unwrap().to_owned(), (number("population"), number("exceptions")))
    };
    controls.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn controls_have_the_numbers_that_the_command_line_computes_and_what_is_behind_them_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let measures = dir.path().join("measures.toml");
    fs::write(&measures, "pause-at-most = \"2h\"\n").unwrap();
    let mut command = decklog(["up", "--listen", "127.0.0.1:0", "--measures"]);
    command.arg(&measures);
    let up = Up::started(command, &dir.path().join("data"), &[&night.site("")]);
    succeeds(&up, "save", &[]);
    ran(&up, "try", &[]);
    let browser = Browser::of_admin(&up);

    let page = browser.get("/controls");
    assert_eq!((page.status, page.heading().as_str()), (200, "Controls"));
    assert_eq!(flaws("/controls", &page), [""; 0]);
    for says in [
        "<dt>jobs paused for at most</dt><dd>2h</dd>",
        "<dt>incidents acknowledged within</dt><dd>1h</dd>",
        "not tested: the log hears of leavers only when somebody removes them",
        ">CM-01</a>",
        "decklog control test",
    ] {
        assert!(page.text.contains(says), "{says} in {}", page.text);
    }

    let listed: Value = serde_json::from_str(&browser.get("/api/v1/controls").text).unwrap();
    let (from, until) = (listed["from"].as_str().unwrap(), listed["until"].as_str().unwrap());
    let typed = ["control", "test", "--from", from, "--until", until, "-o", "json"];
    let computed = up.call(&typed).ended(1).json();
    let (listed, computed) = (counted(&listed["controls"]), counted(&computed["controls"]));
    assert_eq!(listed.len(), computed.len());
    for id in STILL {
        assert_eq!(listed[id], computed[id], "{id}");
    }
    assert!(listed["BK-03"].0 > 0 && listed["CM-01"].1 > 0, "{listed:?}");
    what_is_behind(&browser, listed["CM-01"]);
    up.stop();
}

/// Of a control of whose population there are exceptions.
fn what_is_behind(browser: &Browser, (population, exceptions): (u64, u64)) {
    let page = browser.get("/controls/cm-01");
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.heading().starts_with("CM-01: "), "{}", page.heading());
    assert_eq!(flaws("/controls/cm-01", &page), [""; 0]);
    let said = format!("<span class=\"state bad\">{exceptions} of {population}</span>");
    assert!(page.text.contains(&said), "{said} in {}", page.text);
    assert!(page.text.contains("approved what they proposed themselves"), "{}", page.text);
    let of = |query: &str| -> Value {
        let answer = browser.get(&format!("/api/v1/controls/CM-01{query}"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        serde_json::from_str(&answer.text).unwrap()
    };
    let drawn = || browser.get("/api/v1/controls/CM-01?sample=2").status == 200;
    wait::until("a head to be signed", SOON, drawn).unwrap();
    let (all, some) = (of("?population=true"), of("?sample=2"));
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len() as u64, population);
    let position = items[0]["position"].as_u64().unwrap();
    assert!(browser.get(&format!("/events/{position}")).text.contains("approved</code>"));
    assert_eq!(some["drawn_by"].as_str().unwrap().len(), 64, "{some}");
    let drawn = some["items"].as_array().unwrap();
    assert_eq!(drawn.len(), 2);
    assert!(drawn.iter().all(|item| items.contains(item)), "{some}");
    let shown = browser.get("/controls/CM-01?show=sample&sample=2");
    assert!(shown.text.contains("Drawn by the root of the newest signed head"), "{}", shown.text);

    let csv = browser.get("/api/v1/controls/CM-01/population.csv");
    assert!(csv.kind.starts_with("text/csv"), "{}", csv.kind);
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!((lines[0], lines.len() as u64), ("time,subject,position,result", population + 1));

    for (path, status) in [
        ("/controls/XX-99", 404),
        ("/controls/CM-01?month=2026-13", 400),
        ("/api/v1/controls/XX-99", 404),
        ("/api/v1/controls?month=november", 400),
        ("/api/v1/controls/CM-01?sample=x", 400),
    ] {
        assert_eq!(browser.get(path).status, status, "{path}");
    }
    let before = browser.get("/controls/CM-01?month=1999-12");
    assert!(before.text.contains("Nothing happened in 1999-12"), "{}", before.text);
}

#[test]
fn a_console_whose_measures_cannot_be_read_does_not_start_and_says_which_file() {
    let dir = tempfile::tempdir().unwrap();
    let measures = dir.path().join("measures.toml");
    fs::write(&measures, "pause-for = \"2h\"\n").unwrap();
    let mut command = decklog(["up", "--listen", "127.0.0.1:0", "--for", "1s", "--measures"]);
    command.arg(&measures).arg("--data").arg(dir.path().join("data"));
    let said = crate::programs::run(&mut command).ended(2);
    assert!(said.err.contains("measures.toml") && said.err.contains("pause-for"), "{}", said.err);
    assert!(!dir.path().join("data").exists(), "nothing is half-made");
}
