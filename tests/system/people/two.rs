//! What takes two people: one asks, and nobody but another agrees, whatever roles they have and however they come in.

use serde_json::{Value, json};
use testkit::process::Daemon;
use testkit::wait;

use super::http::{Answer, Http};
use super::{JOBS, Person, for_two, stop_and_verify};
use crate::backups::{Night, dataset, succeeds};
use crate::prints::{Office, SOON, checks, documents, ended, id, wait_for_states};
use crate::programs::{self, READY, Up, decklog};

/// A rule of two people.
struct Rule {
    name: &'static str,
    /// The first person's part; what the second has to know of it.
    ask: fn(&Site, &Http, u32) -> String,
    /// The second's.
    agree: fn(&Site, &Http, &str) -> Answer,
    /// Why the first may not do both.
    because: &'static str,
}

const RULES: [Rule; 8] = [
    Rule {
        name: "a job",
        ask: ask_job,
        agree: agree_job,
        because: "nobody approves their own change",
    },
    Rule {
        name: "a lock",
        ask: ask_lock,
        agree: agree_lock,
        because: "nobody approves their own change",
    },
    Rule {
        name: "a hold",
        ask: hold,
        agree: end_hold,
        because: "somebody else ends a hold than set it",
    },
    Rule {
        name: "forgetting",
        ask: ask_forget,
        agree: agree_forget,
        because: "nobody approves their own request",
    },
    Rule {
        name: "a test",
        ask: test,
        agree: certify,
        because: "somebody else certifies a test than asked for it",
    },
    Rule {
        name: "stock",
        ask: load,
        agree: witness,
        because: "somebody else sees it than loaded it",
    },
    Rule {
        name: "numbers",
        ask: print,
        agree: check,
        because: "somebody else reads the numbers than loaded the stock",
    },
    Rule {
        name: "a reprint",
        ask: ask_reprint,
        agree: agree_reprint,
        because: "nobody approves their own request",
    },
];

struct Site {
    up: Up,
    office: Office,
    snapshot: String,
}

impl Site {
    fn new() -> Self {
        let office = Office::new();
        let night = Night::new(&office.path("night"));
        let (prints, backups) = (checks::site(&office), night.site(""));
        let jobs = office.path("jobs.yaml");
        std::fs::write(&jobs, JOBS).unwrap();
        let up = for_two(&office.path("data"), &[&prints, &backups, &jobs], |up| {
            succeeds(up, "save", &[]);
        });
        let snapshot =
            dataset(&up, "files")["snapshots"][0]["id"].as_str().unwrap()[..16].to_owned();
        Self { up, office, snapshot }
    }
}

fn post(who: &Http, path: &str, body: &Value) -> Answer {
    who.post(&format!("/api/v1{path}"), body)
}

fn why() -> Value {
    json!({"reason": "the rule is tried"})
}

fn act(act: Value) -> Value {
    json!({"act": act, "reason": "the rule is tried"})
}

fn propose(who: &Http, path: &str, definition: Value) {
    let asked = post(who, path, &json!({"definition": definition, "reason": "the rule is tried"}));
    let message = asked.is(200).json()["message"].clone();
    assert!(message.as_str().unwrap().contains("waits for approval by somebody else"), "{message}");
}

fn ask_job(_: &Site, who: &Http, n: u32) -> String {
    let command = json!({"argv": ["/bin/echo", n.to_string()]});
    propose(who, "/jobs", json!({"name": "pay.export", "command": command}));
    String::new()
}

fn agree_job(_: &Site, who: &Http, _: &str) -> Answer {
    post(who, "/jobs/pay.export/approve", &json!({}))
}

fn ask_lock(_: &Site, who: &Http, n: u32) -> String {
    propose(who, "/things", json!({"kind": "lock", "name": "ledger", "units": n + 1}));
    String::new()
}

fn agree_lock(_: &Site, who: &Http, _: &str) -> Answer {
    post(who, "/things/lock/ledger/approve", &json!({}))
}

fn hold(site: &Site, who: &Http, _: u32) -> String {
    // What was agreed before is taken back: no retention job runs here.
    post(who, "/datasets/files/forget/decline", &why());
    post(who, &format!("/datasets/files/snapshots/{}/hold", site.snapshot), &why()).is(200);
    String::new()
}

fn end_hold(site: &Site, who: &Http, _: &str) -> Answer {
    post(who, &format!("/datasets/files/snapshots/{}/end-hold", site.snapshot), &why())
}

fn ask_forget(site: &Site, who: &Http, _: u32) -> String {
    let wanted = json!({"snapshots": [site.snapshot], "reason": "the rule is tried"});
    post(who, "/datasets/files/forget", &wanted).is(200);
    String::new()
}

fn agree_forget(_: &Site, who: &Http, _: &str) -> Answer {
    post(who, "/datasets/files/forget/approve", &why())
}

/// Runs a job; its run.
fn run(site: &Site, who: &Http, job: &str) -> String {
    let asked = post(who, &format!("/jobs/{job}/runs"), &why()).is(200).json();
    let run = asked["stream"].as_str().unwrap().to_owned();
    assert_eq!(ended(&site.up, &run), "succeeded");
    run.trim_start_matches("run/").to_owned()
}

fn test(site: &Site, who: &Http, _: u32) -> String {
    run(site, who, "try")
}

fn certify(_: &Site, who: &Http, run: &str) -> Answer {
    post(who, "/datasets/files/certify", &json!({"run": run, "statement": "all there"}))
}

/// Each time two sheets: one for a check, and one on which it is printed again.
fn first_of(n: u32) -> u32 {
    100 * n + 1
}

fn load(_: &Site, who: &Http, n: u32) -> String {
    let first = first_of(n);
    let wanted = json!({"act": "load", "first": first, "last": first + 1});
    post(who, "/forms/checks/acts", &act(wanted)).is(200);
    first.to_string()
}

fn witness(_: &Site, who: &Http, first: &str) -> Answer {
    let first: u32 = first.parse().unwrap();
    let wanted = json!({"act": "witness", "first": first, "last": first + 1});
    post(who, "/forms/checks/acts", &act(wanted))
}

fn newest_printed(site: &Site) -> String {
    let count = documents(&site.up).len();
    id(wait_for_states(&site.up, &vec!["printed"; count]).last().unwrap())
}

fn print(site: &Site, who: &Http, n: u32) -> String {
    checks::checks(&site.office, "checks.txt", n as usize, 1);
    checks::control(&site.office, n as usize..=n as usize);
    run(site, who, "reports");
    format!("{} {}", newest_printed(site), first_of(n))
}

fn check(_: &Site, who: &Http, printed: &str) -> Answer {
    let (document, first) = printed.split_once(' ').unwrap();
    let first: u32 = first.parse().unwrap();
    let wanted = json!({"act": "check", "document": document, "first": first, "last": first});
    post(who, "/forms/checks/acts", &act(wanted))
}

fn ask_reprint(site: &Site, who: &Http, n: u32) -> String {
    let (document, first) = (newest_printed(site), first_of(n));
    let spoiled = json!({"act": "void", "first": first, "last": first, "spoiled": true});
    post(who, "/forms/checks/acts", &act(spoiled)).is(200);
    let path = format!("/documents/{document}/acts");
    post(who, &path, &act(json!({"act": "reprint"}))).is(200);
    document
}

fn agree_reprint(_: &Site, who: &Http, document: &str) -> Answer {
    let path = format!("/documents/{document}/acts");
    post(who, &path, &act(json!({"act": "approve-reprint"})))
}

#[test]
fn the_first_start_for_two_people_says_what_waits_and_how_it_becomes_active() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs.yaml");
    std::fs::write(&jobs, format!("kind: lock\nname: ledger\n---\n{JOBS}")).unwrap();
    let mut command = decklog(["up", "--listen", "127.0.0.1:0", "--self-approval", "false"]);
    command.arg("--data").arg(dir.path().join("data")).arg("--with").arg(&jobs);
    let mut up = Daemon::spawn(&mut command).unwrap();
    let line = up.wait_for_line("not active yet", READY).unwrap();
    let named = ["lock/ledger", "job/pay.export", "job/stock.count", "somebody else than admin"];
    assert!(named.iter().all(|name| line.contains(name)), "{line}");
    let how = up.wait_for_line("decklog change approve", READY).unwrap();
    let server = how.split_whitespace().find_map(|word| word.strip_suffix("/changes")).unwrap();
    assert!(how.contains("decklog user add NAME --grant approver"), "{how}");
    // What it says works.
    let call =
        |words: &[&str]| programs::run(decklog(words).arg("--data").arg(dir.path().join("data")));
    let code = call(&["user", "add", "eva", "--grant", "approver", "--reason", "the second"]);
    let running = Up { daemon: up, data: dir.path().join("data"), server: server.to_owned() };
    let (_, session) = super::come_in(&running, "eva", code.ended(0).out.trim());
    let token = super::new_token(&session, "eva", &json!({"name": "shell"}));
    let file = dir.path().join("eva.token");
    std::fs::write(&file, token).unwrap();
    let words: Vec<&str> = how.split('`').nth(1).unwrap().split_whitespace().collect();
    let said = words.iter().skip(1).map(|word| word.replace("FILE", file.to_str().unwrap()));
    programs::run(&mut decklog(said)).ended(0);
    let shown = call(&["lock", "show", "ledger", "-o", "json"]).ended(0).out;
    assert!(!shown.contains("proposed"), "{shown}");
    stop_and_verify(running);
}

#[test]
fn whoever_proposes_again_is_told_that_it_waits_and_what_is_active_already_approves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs.yaml");
    std::fs::write(&jobs, JOBS).unwrap();
    let up = for_two(&dir.path().join("data"), &[&jobs], |_| {});
    let admin = Person::first(&up);
    let author = Person::with(&up, &admin, "author", &["author"]);
    let job = |word: &str| json!({"name": "pay.export", "command": {"argv": ["/bin/echo", word]}});
    for _ in 0..2 {
        propose(&author.token, "/jobs", job("changed"));
    }
    let same = json!({"definition": job("hello"), "reason": "as it is"});
    let same = post(&admin.token, "/jobs", &same).is(200).json();
    assert_eq!(same["message"], "nothing to change");
    let shown = admin.token.get("/api/v1/jobs/pay.export").is(200).text;
    assert!(shown.contains("changed"), "it waits: {shown}");
    let denied = up.call(&["events", "--stream", "user/author", "-o", "json"]).ended(0).out;
    assert!(!denied.contains("user.denied"), "who proposes tries nothing else: {denied}");
    let approve = || post(&admin.token, "/jobs/pay.export/approve", &json!({}));
    approve().is(200);
    approve().is(400);
    stop_and_verify(up);
}

#[test]
fn whoever_asks_does_not_agree_by_any_session_or_token_or_as_an_admin_and_another_does() {
    let site = Site::new();
    let admin = Person::first(&site.up);
    let both = ["operator", "author", "approver"];
    let ana = Person::with(&site.up, &admin, "ana", &both);
    let ben = Person::with(&site.up, &admin, "ben", &both);
    for (n, (first, second)) in (1..).zip([(&ana, &ben), (&admin, &ana)]) {
        let other = first.another_session(&site.up);
        for Rule { name, ask, agree, because } in RULES {
            let asked = ask(&site, &first.token, n);
            for who in [&first.token, &first.session, &other] {
                let refused = agree(&site, who, &asked);
                let what = format!("{name} by {}: {refused:?}", first.name);
                assert_eq!(refused.status, 409, "{what}");
                assert_eq!(refused.detail(), format!("refused: {because}"), "{what}");
            }
            let done = agree(&site, &second.token, &asked);
            assert_eq!(done.status, 200, "{name} by {}: {done:?}", second.name);
        }
        wait::until("it to be printed again", SOON, || {
            site.office.paper.printed().len() == 2 * n as usize
        })
        .unwrap();
        newest_printed(&site);
    }
    stop_and_verify(site.up);
}
