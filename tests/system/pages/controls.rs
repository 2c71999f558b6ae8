//! Controls on pages and in the API: the numbers that the command line computes by itself, and what is behind each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use testkit::wait;

use super::browser::Browser;
use super::{SOON, flaws};
use crate::backups::{Night, ran, succeeds};
use crate::programs::{Up, decklog, run, verifier};

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
        "those of the file that this console was given: GIVEN by whoever tests",
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
fn measures_are_those_the_log_approved_and_what_became_of_an_exception_is_said_and_signed_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let text = "kind: measures\nname: site\npause-at-most: 3d\n---\nname: pay\ncommand: { argv: [/bin/true] }\n";
    fs::write(path("site.yaml"), text).unwrap();
    fs::write(path("own.toml"), "pause-at-most = \"9d\"\n").unwrap();
    let command = decklog(["up", "--listen", "127.0.0.1:0"]);
    let up = Up::started(command, &path("data"), &[&path("site.yaml")]);
    let browser = Browser::of_admin(&up);
    measured(&up, &browser, path("own.toml").to_str().unwrap());
    disposed(&up, &browser);
    exported(&up, &path("own.tar"), &path("approved.tar"), &path("own.toml"));
    up.stop();
}

/// Pages, the API and the command line use what was approved, and say where they do not.
fn measured(up: &Up, browser: &Browser, own: &str) {
    let listed = up.call(&["measures", "list"]).ended(0).out;
    assert!(listed.contains("pause-at-most is 3d and not 7d"), "{listed}");
    let approved = "those approved in the log: definition 1 of measures/site, approved by user/";
    let page = browser.get("/controls");
    for says in ["<dt>jobs paused for at most</dt><dd>3d</dd>", approved] {
        assert!(page.text.contains(says), "{says} in {}", page.text);
    }
    let api: Value = serde_json::from_str(&browser.get("/api/v1/controls").text).unwrap();
    assert_eq!(
        (&api["measures"]["pause-at-most"], &api["measures_agreed"]),
        (&"3d".into(), &true.into())
    );
    let test =
        |more: &[&str]| up.call(&[&["control", "test", "CM-05", "-o", "json"], more].concat());
    let found = test(&[]).ended(0).json();
    assert!(found["measures"].as_str().unwrap().starts_with(approved), "{found}");
    let found = test(&["--measures", own]).ended(1).json();
    let others = found["measures"].as_str().unwrap();
    assert!(others.starts_with("OTHERS than those approved in the log"), "{found}");
    assert!(others.ends_with("pause-at-most is 9d and not 3d"), "{found}");
}

/// By a page and by the command line, one after the other; and somebody signs.
fn disposed(up: &Up, browser: &Browser) {
    let shown =
        || -> Value { serde_json::from_str(&browser.get("/api/v1/controls/CM-01").text).unwrap() };
    let found = shown();
    let items = found["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    let [first, second] = names.as_slice() else { panic!("{found}") };
    assert_eq!(found["summary"]["open"], 2, "{found}");
    let page = browser.get(&format!("/controls/CM-01?exception={}", &first[..16]));
    assert_eq!(flaws("/controls/CM-01", &page), [""; 0]);
    assert!(page.text.contains("id=\"say\""), "{}", page.text);
    let month = found["month"].as_str().unwrap();
    let said = [
        ("act", "dispose"),
        ("month", month),
        ("exception", first),
        ("disposition", "accepted"),
        ("text", "one person keeps this site"),
        ("evidence", "OPS-4711"),
    ];
    let page = browser.act("/controls/CM-01", &said);
    for says in [
        "<strong>accepted</strong>: one person keeps this site (OPS-4711)",
        "1 without disposition",
    ] {
        assert!(page.text.contains(says), "{says} in {}", page.text);
    }
    let dispose = ["control", "dispose", "CM-01", &second[..8], "--as", "not-an-exception"];
    up.call(&[&dispose[..], &["--text", "it came with the installation"]].concat()).ended(0);
    let nothing =
        [&["control", "dispose", "CM-01", "0123456789", "--as", "accepted"][..], &["--text", "x"]];
    assert!(up.call(&nothing.concat()).code != 0, "there is no such exception");
    let seen = shown();
    assert_eq!(seen["summary"]["open"], 0, "{seen}");
    // Who signs what was shown before that signs something else.
    let old = found["shown"].as_str().unwrap();
    let old =
        browser.send("/controls/CM-01", &[("act", "review"), ("month", month), ("shown", old)]);
    assert!(old.status == 409 && old.text.contains("look again"), "{} {}", old.status, old.text);
    let signed =
        up.call(&["control", "review", "CM-01", "--statement", "as was agreed"]).ended(0).out;
    assert!(signed.contains("2 exceptions of 2, 0 without disposition"), "{signed}");
    let page = browser.get("/controls");
    for says in ["each with a disposition", "reviewed by "] {
        assert!(page.text.contains(says), "{says} in {}", page.text);
    }
    let csv = browser.get("/api/v1/controls/CM-01/population.csv");
    assert!(csv.text.contains(",not-an-exception,user/"), "{}", csv.text);
}

/// Evidence by the approved measures, and evidence by others, which does not look like it.
fn exported(up: &Up, own: &Path, approved: &Path, measures: &Path) {
    let export = |to: &Path, more: &[&str]| {
        up.call(&[&["evidence", "export", "--to", to.to_str().unwrap()], more].concat())
    };
    wait::until("a signed head", SOON, || {
        let tried = export(approved, &[]);
        let whole = tried.code == 0 && tried.out.contains("those approved in the log");
        if !whole {
            let _ = fs::remove_file(approved);
        }
        whole
    })
    .unwrap();
    let said = export(own, &["--measures", measures.to_str().unwrap()]).ended(0).out;
    assert!(said.contains("OTHERS than those approved in the log"), "{said}");
    let verified = |file: &Path| {
        let mut command = verifier([file]);
        let found = run(command.arg("--json")).ended(2).json();
        assert_eq!(found["verdict"], "INCONCLUSIVE", "nobody names the log: {found}");
        let exceptions = |id: &str| {
            let all = found["controls"].as_array().unwrap();
            all.iter().find(|one| one["control"] == id).unwrap().clone()
        };
        (found["measures"].as_str().unwrap().to_owned(), exceptions("CM-05"), exceptions("CM-01"))
    };
    let (says, measured, own_approvals) = verified(approved);
    assert!(says.starts_with("those approved in the log: definition 1"), "{says}");
    assert_eq!((&measured["exceptions"], &own_approvals["open"]), (&0.into(), &0.into()));
    let (says, measured, _) = verified(own);
    assert!(says.starts_with("OTHERS than those approved"), "{says}");
    assert_eq!(measured["exceptions"], 1, "{measured}");
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
