//! The console as people meet it in the morning: they come in, approve, look at the night, and sign for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use testkit::wait;

use crate::backups::{Night, dataset, succeeds};
use crate::browser::Browser;
use crate::programs::{Up, decklog};

/// How long anything may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(90);
/// Nobody is reached by it here: what fails is an incident all the same.
const TREE: &str =
    "kind: call-tree\nname: default\nlevels: [{ tell: [{ contact: bob }], wait: 1h }]\n";
const PASSWORD: &str = "a password that is long enough";

fn jobs(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("jobs.yaml");
    fs::write(&path, text).unwrap();
    path
}

/// An installation where nobody approves their own change.
fn up(dir: &Path) -> Up {
    let command = decklog(["up", "--listen", "127.0.0.1:0", "--self-approval", "false"]);
    Up::started(command, &dir.join("data"), &[])
}

/// Comes in by a code, and sets a password.
fn come_in(browser: &Browser, up: &Up, name: &str, code: &str) {
    browser.go(&format!("{}/login?name={name}&code={code}", up.server));
    browser.press("main button");
    assert_eq!(browser.path(), "/account");
    browser.fill("input[name=password]", PASSWORD);
    browser.press("form[action='/account/password'] button");
}

fn first_code(up: &Up) -> String {
    fs::read_to_string(up.data.join("console.code")).unwrap()
}

/// Makes an account; the code by which they come in.
fn make_account(browser: &Browser, up: &Up, name: &str, grants: &str) -> String {
    browser.go(&format!("{}/people", up.server));
    browser.fill("form[action='/people'] input[name=name]", name);
    browser.fill("input[name=grants]", grants);
    browser.fill("input[name=reason]", "starts today");
    browser.press("form[action='/people'] button");
    let code = browser.script("return document.querySelector('.done pre').innerText");
    code.as_str().unwrap().to_owned()
}

#[test]
fn a_newcomer_comes_in_lets_another_approve_sees_a_failure_and_signs_the_morning_in_the_browser() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(dir.path());
    let ada = Browser::open(1200);
    ada.go(&up.server);
    assert_eq!(ada.path(), "/login", "nobody is let in without a name");
    come_in(&ada, &up, "admin", &first_code(&up));
    assert_eq!(ada.path(), "/night");
    let code = make_account(&ada, &up, "bob", "approver, operator");

    // A crontab becomes jobs, and these wait for somebody else.
    let crontab = dir.path().join("crontab");
    fs::write(&crontab, "* * * * * /bin/sh -c 'echo the disk is full; exit 3'\n").unwrap();
    let out = dir.path().join("imported");
    let (from, to) = (crontab.to_str().unwrap(), out.to_str().unwrap());
    let mut import = decklog(["import", "crontab", from, "--out", to]);
    crate::programs::run(&mut import).ended(0);
    let file = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let applied = up.call(&["apply", file.to_str().unwrap(), "--reason", "from the crontab"]);
    assert!(applied.ended(0).out.contains("it waits for approval by somebody else"));
    let change = format!("{}/changes/job/{name}", up.server);
    ada.go(&change);
    assert!(ada.words().contains("You proposed it: somebody else says yes or no."));
    let approves = "return document.querySelectorAll('input[value=approve]').length";
    assert_eq!(ada.script(approves), 0, "nobody is offered to approve their own change");

    // Whatever fails is somebody's to deal with, once somebody else agrees to that.
    let tree = dir.path().join("tree.yaml");
    fs::write(&tree, TREE).unwrap();
    up.call(&["apply", tree.to_str().unwrap(), "--reason", "who is called"]).ended(0);
    let bob = Browser::open(390);
    come_in(&bob, &up, "bob", code.trim());
    bob.go(&format!("{}/changes/call-tree/default", up.server));
    bob.press("form:has(input[value=approve]) button");
    bob.go(&change);
    assert!(bob.words().contains("occurrences come"), "{}", bob.words());
    bob.press("form:has(input[value=approve]) button");
    assert!(bob.words().contains("approved by user/bob"), "{}", bob.words());

    wait::until("the job to fail", SOON, || {
        bob.go(&format!("{}/night", up.server));
        bob.words().contains("exit code 3")
    })
    .unwrap();
    assert!(bob.words().contains("has no disposition yet") || bob.words().contains("have no"));
    up.call(&["job", "pause", &name, "--reason", "until the disk is larger"]).ended(0);
    deal_with(&bob, &up, &name);
    bob.go(&format!("{}/night", up.server));
    while bob.script("return document.querySelector('form[action=\"/night/notes\"]') !== null")
        == true
    {
        bob.fill("form[action='/night/notes'] input[name=note]", "the disk is full");
        bob.press("form[action='/night/notes'] button");
    }
    bob.fill("input[name=statement]", "the disk grows today");
    bob.press("form[action='/night/signature'] button");
    assert_eq!(bob.path(), "/night/signed");
    assert!(bob.words().contains("the disk grows today"), "{}", bob.words());

    for page in [
        "/login",
        "/login?code=",
        "/night",
        "/night/signed",
        "/timeline",
        "/timeline?by=host&hours=168&zone=Europe/Paris",
        "/timeline?hours=none",
        "/schedules/new",
        &format!("/schedules/new?job={name}"),
        &format!("/schedules/new?job={name}&look=yes&expression=30+2+*+*+*&argv=/bin/true"),
        "/schedules/new?look=yes&name=Odd+Name",
        "/changes",
        "/incidents",
        "/rota",
        "/requests",
        "/requests?state=all",
        &format!("/incidents/job/{name}/1"),
        "/people",
        "/people/roles",
        "/people/review",
        "/events/1",
        "/site",
        "/records",
        "/controls",
        "/controls/CM-01?show=population",
        "/controls/AC-06",
        "/controls/LG-07",
        "/people/bob",
        "/account",
        &format!("/changes/job/{name}"),
    ] {
        for browser in [&ada, &bob] {
            browser.go(&format!("{}{page}", up.server));
            assert_eq!(browser.barriers(), [""; 0], "{page}");
        }
    }
    bob.go(&format!("{}/controls/LG-07", up.server));
    bob.press("td a[href$='#say']");
    assert_eq!(bob.barriers(), [""; 0], "where one says what became of an exception");
    bob.fill("#say input[name=text]", "it came with the installation");
    bob.press("#say button");
    assert!(bob.words().contains("accepted: it came with the installation"), "{}", bob.words());
    up.stop();
    crate::programs::call(&dir.path().join("data"), &["verify"]).ended(0);
}

#[test]
fn whoever_looks_for_a_file_and_has_it_brought_back_meets_no_barrier_on_a_phone_or_a_desk() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    succeeds(&up, "save", &[]);
    let known = dataset(&up, "files");
    let snapshot = format!("vault:{}", known["snapshots"][0]["id"].as_str().unwrap());
    let browser = Browser::open(390);
    come_in(&browser, &up, "admin", &first_code(&up));
    for width in [390, 1200] {
        browser.resize(width);
        for page in ["/backups", "/backups/files", "/backups/files/files", "/backups/files/restore"]
        {
            browser.go(&format!("{}{page}?snapshot={snapshot}", up.server));
            assert_eq!(browser.barriers(), [""; 0], "{page} at {width}");
        }
    }
    up.stop();
}

#[test]
fn whoever_audits_asks_and_is_answered_without_a_barrier_on_a_phone_or_a_desk() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(dir.path());
    let ada = Browser::open(1200);
    come_in(&ada, &up, "admin", &first_code(&up));
    let code = make_account(&ada, &up, "eve", "auditor");
    let eve = Browser::open(390);
    come_in(&eve, &up, "eve", code.trim());
    eve.go(&format!("{}/requests", up.server));
    eve.fill("input[name=title]", "Who keeps the accounts");
    eve.fill("textarea[name=text]", "Since when, and who said so?");
    let due = jiff::Zoned::now().checked_add(jiff::Span::new().days(10)).unwrap().date();
    eve.script(&format!("document.querySelector('input[name=due]').value = '{due}'; return 1"));
    eve.press("form[action='/requests'][method=post] button");
    assert_eq!(eve.path(), "/requests/1");
    let look = |what: &str| {
        for (browser, width) in [(&ada, 390), (&ada, 1200), (&eve, 390), (&eve, 1200)] {
            browser.resize(width);
            for page in ["/requests", "/requests?state=all", "/requests/1"] {
                browser.go(&format!("{}{page}", up.server));
                assert_eq!(browser.barriers(), [""; 0], "{page} at {width}, {what}");
            }
        }
    };
    look("asked");
    ada.fill("form:has(input[value=answer]) textarea[name=text]", "admin, since the beginning");
    ada.fill("form:has(input[value=answer]) input[name=references]", "user/admin 1");
    ada.press("form:has(input[value=answer]) button");
    look("answered");
    eve.press("form:has(input[value=accept]) button");
    assert!(eve.words().contains("accepted"), "{}", eve.words());
    look("accepted");
    up.stop();
    crate::programs::call(&dir.path().join("data"), &["verify"]).ended(0);
}

/// Finds the incident of the job from the page of the morning, acknowledges it, says why it happened, and resolves it.
fn deal_with(bob: &Browser, up: &Up, name: &str) {
    wait::until("the incident to stand on the page", SOON, || {
        bob.go(&format!("{}/night", up.server));
        bob.words().contains("nobody has acknowledged it")
    })
    .unwrap();
    bob.press(&format!("a[href='/incidents/job/{name}/1']"));
    assert!(bob.words().contains("nobody is called") || bob.words().contains("default"));
    bob.press("form:has(input[value=acknowledge]) button");
    assert!(bob.words().contains("user/bob deals with it"), "{}", bob.words());
    bob.fill("form:has(input[value=cause]) input[name=text]", "the disk is full");
    bob.press("form:has(input[value=cause]) button");
    bob.fill("form:has(input[value=resolve]) input[name=text]", "a larger disk comes today");
    bob.press("form:has(input[value=resolve]) button");
    assert!(bob.words().contains("resolved by user/bob"), "{}", bob.words());
}

/// What is open, by the command line.
fn review(up: &Up) -> Value {
    let said = up.call(&["review", "show", "-o", "json"]);
    assert!(said.code < 2, "{said:?}");
    said.json()
}

#[test]
fn a_night_is_signed_when_each_exception_has_a_disposition_and_the_next_begins_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    let text = format!(
        "name: bad\ncommand: {{ argv: [/bin/false] }}\n---\nname: slow\n\
         command: {{ argv: [/bin/sh, -c, 'while [ ! -e {0} ]; do sleep 0.1; done; exit 4'] }}\n",
        go.display()
    );
    let up = Up::start(&dir.path().join("data"), &[&jobs(dir.path(), &text)]);
    let run = |job: &str| {
        let asked = up.call(&["run", job, "--reason", "to see", "-o", "json"]).ended(0).json();
        asked["stream"].as_str().unwrap().trim_start_matches("run/").to_owned()
    };
    let (bad, slow) = (run("bad"), run("slow"));
    wait::until("the run to fail", SOON, || review(&up)["numbers"]["failed"] == 1).unwrap();
    up.call(&["review", "show"]).ended(1);
    let early = up.call(&["review", "sign"]).ended(5);
    assert!(early.err.contains("1 exceptions have no disposition yet"), "{}", early.err);
    up.call(&["review", "note", "gone@request-1", "--note", "x"]).ended(5);
    up.call(&["review", "note", &bad, "--note", "x", "--becomes", "ticket"]).ended(2);
    let ticket =
        ["review", "note", &bad, "--note", "storage", "--becomes", "ticket", "--ticket", "OPS-1"];
    up.call(&ticket).ended(0);
    up.call(&["review", "show"]).ended(0);
    up.call(&["review", "sign", "--statement", "one ticket"]).ended(0);
    let next = review(&up);
    assert_eq!(
        (&next["numbers"]["expected"], &next["exceptions"]),
        (&0.into(), &Value::Array(vec![]))
    );

    // What was not over when it was signed is looked at in the next.
    fs::write(&go, "").unwrap();
    wait::until("the slow run to fail", SOON, || review(&up)["open"][0] == format!("run/{slow}"))
        .unwrap();
    up.call(&["review", "note", &slow, "--note", "seen"]).ended(0);
    up.call(&["review", "sign"]).ended(0);
    let events = up.call(&["events", "--stream", "review/night", "-o", "jsonl"]).ended(0).out;
    let signed: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|one| one["event"]["type"] == "review.signed")
        .map(|one| one["event"]["data"].clone())
        .collect();
    assert_eq!(signed.len(), 2, "{events}");
    assert_eq!(signed[0]["until"], signed[1]["since"], "no instant is left out");
    assert_eq!(signed[0]["open"][0], format!("run/{slow}"));
    up.stop();
    crate::programs::call(&dir.path().join("data"), &["verify"]).ended(0);
}

#[test]
fn a_change_is_commented_rejected_withdrawn_expedited_looked_at_and_reverted_from_the_command_line()
{
    let dir = tempfile::tempdir().unwrap();
    let up = up(dir.path());
    let apply = |text: &str| {
        let path = jobs(dir.path(), text);
        up.call(&["apply", path.to_str().unwrap(), "--reason", "to see"]).ended(0)
    };
    let job = |argv: &str| {
        format!(
            "name: pay\nschedule: {{ cron: '30 2 * * *' }}\nzone: UTC\ncommand: {{ argv: [{argv}] }}\n"
        )
    };
    apply(&job("/bin/true"));
    let shown = up.call(&["change", "show", "job/pay"]).ended(0).out;
    assert!(shown.contains("14 come, 0 go, 0 move, 0 stay"), "{shown}");
    let why = ["--reason", "the test says so"];
    let say = |act: &str, number: &str| {
        up.call(&[&["change", act, "job/pay", number][..], &why].concat())
    };
    say("comment", "1").ended(0);
    let own = say("approve", "1").ended(5);
    assert!(own.err.contains("nobody approves their own change"), "{}", own.err);
    let own = say("reject", "1").ended(5);
    assert!(own.err.contains("whoever proposed it withdraws it"), "{}", own.err);
    say("withdraw", "1").ended(0);
    up.call(&["change", "show", "job/pay"]).ended(3);
    apply(&job("/bin/true"));
    say("expedite", "2").ended(0);
    assert_eq!(
        up.call(&["job", "list", "-o", "json"]).ended(0).json().as_array().unwrap().len(),
        1
    );
    let waiting = up.call(&["change", "list", "-o", "json"]).ended(0).json();
    assert_eq!(waiting[0]["request"]["number"], 2, "{waiting}");
    let own = say("ratify", "2").ended(5);
    assert!(own.err.contains("somebody else looks at it than made it active"), "{}", own.err);
    apply(&job("/bin/echo"));
    say("expedite", "3").ended(0);
    say("revert", "3").ended(2);
    say("revert", "2").ended(0);
    let history = up.call(&["change", "history", "job/pay", "-o", "json"]).ended(0).json();
    let became: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["outcome"]["is"].as_str().unwrap())
        .collect();
    assert_eq!(became, ["withdrawn", "approved", "approved", "open"]);
    let shown = up.call(&["change", "show", "job/pay"]).ended(0).out;
    assert!(shown.contains("0 come, 0 go, 0 move, 14 stay"), "{shown}");
    up.stop();
    crate::programs::call(&dir.path().join("data"), &["verify"]).ended(0);
}
