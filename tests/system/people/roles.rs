//! Each cell of the table of who may do what, over HTTP, by token and by session.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::{JOBS, Person, events, for_two, new_token, of_kind, provision, stop_and_verify};
use crate::backups::{Night, dataset, succeeds};
use crate::prints::{Office, ask, checks, ended, id, wait_for_states};
use crate::programs::{Up, decklog, run};

const ROLES: [&str; 6] = ["viewer", "operator", "author", "approver", "auditor", "admin"];

/// What there is to try things on.
struct Site {
    up: Up,
    admin: Person,
    host: String,
    run: String,
    snapshot: String,
    document: String,
}

impl Site {
    fn new(office: &Office) -> Self {
        let night = Night::new(&office.path("night"));
        checks::checks(office, "checks.txt", 1, 1);
        checks::control(office, 1..=1);
        let (prints, backups) = (checks::site(office), night.site(""));
        let jobs = office.path("jobs.yaml");
        std::fs::write(&jobs, JOBS).unwrap();
        let (mut run, mut document) = (String::new(), String::new());
        let up = for_two(&office.path("data"), &[&prints, &backups, &jobs], |up| {
            checks::load(up, "1", "9");
            run = ask(up, "reports");
            assert_eq!(ended(up, &run), "succeeded");
            document = id(&wait_for_states(up, &["printed"])[0]);
            succeeds(up, "save", &[]);
        });
        let snapshot =
            dataset(&up, "files")["snapshots"][0]["id"].as_str().unwrap()[..16].to_owned();
        let hosts = up.call(&["host", "list", "-o", "json"]).ended(0).json();
        let host = hosts[0]["host"].as_str().unwrap().to_owned();
        let run = run.trim_start_matches("run/").to_owned();
        Self { admin: Person::first(&up), up, host, run, snapshot, document }
    }

    fn prepare(&self, path: &str, body: &Value) {
        self.admin.token.post(&format!("/api/v1{path}"), body);
    }

    /// Tries one thing of this kind. What must be there first the first person does; `n` is another number each time.
    fn try_one(&self, action: &str, who: &Http, name: &str, n: u32) -> Answer {
        let Self { host, run, snapshot, document, .. } = self;
        let why = json!({"reason": "to see whether they may"});
        let post = |path: &str, body: &Value| who.post(&format!("/api/v1{path}"), body);
        let act = |path: &str, act: Value| post(path, &json!({"act": act, "reason": "a try"}));
        let job = |name: &str| {
            let job = json!({"name": name, "command": {"argv": ["/bin/echo", n.to_string()]}});
            json!({"definition": job, "reason": "a try"})
        };
        let forget = || {
            self.prepare("/datasets/files/forget/decline", &why);
            let wanted = json!({"snapshots": [snapshot], "reason": "a try"});
            self.prepare("/datasets/files/forget", &wanted);
        };
        match action {
            "view" => who.get("/api/v1/jobs"),
            "read-output" => who.get(&format!("/api/v1/runs/{run}/output")),
            "read-documents" => {
                post("/forms/checks/register", &json!({"first": 1, "last": 1, "reason": "a try"}))
            }
            "ask-hosts" => post("/check", &json!({"definition": job("seen")["definition"]})),
            "look-into-backups" => {
                post(&format!("/datasets/files/snapshots/{snapshot}/browse"), &json!({}))
            }
            "propose" => post("/jobs", &job(&format!("new-{n}"))),
            "approve" => {
                self.prepare("/jobs", &job("waits"));
                post("/jobs/waits/approve", &json!({}))
            }
            "request-runs" => post("/jobs/pay.export/runs", &why),
            "steer-runs" => post(&format!("/runs/{run}/hold"), &why),
            "confirm-runs" => post(&format!("/runs/{run}/confirm"), &why),
            "resolve-runs" => post(
                &format!("/runs/{run}/resolve"),
                &json!({"outcome": "failed", "reason": "a try"}),
            ),
            "steer-jobs" => post("/jobs/save/resume", &why),
            "hold-snapshots" => {
                post(&format!("/datasets/files/snapshots/{snapshot}/end-hold"), &why)
            }
            "request-forget" => {
                self.prepare("/datasets/files/forget/decline", &why);
                post("/datasets/files/forget", &json!({"snapshots": [snapshot], "reason": "a try"}))
            }
            "approve-forget" => {
                forget();
                post("/datasets/files/forget/approve", &why)
            }
            "certify-tests" => {
                post("/datasets/files/certify", &json!({"run": run, "statement": "a try"}))
            }
            "steer-prints" => act("/queues/office/acts", json!({"act": "release"})),
            "keep-stock" => {
                let (first, last) = (1_000 * n, 1_000 * n + 9);
                act("/forms/checks/acts", json!({"act": "load", "first": first, "last": last}))
            }
            "approve-reprints" => {
                let path = format!("/documents/{document}/acts");
                let asked = json!({"act": {"act": "reprint"}, "reason": "a try"});
                self.prepare(&path, &asked);
                act(&path, json!({"act": "approve-reprint"}))
            }
            "decline-requests" => {
                forget();
                post("/datasets/files/forget/decline", &why)
            }
            "keep-records" => {
                let hold = json!({"act": "place", "over": ["job/none"]});
                let path = format!("/records/holds/try-{n}");
                post(&path, &json!({"act": hold, "reason": "a try"}))
            }
            "keep-hosts" => post(&format!("/hosts/{host}/resume"), &why),
            "invite-hosts" => post("/hosts/another/invite", &why),
            "keep-people" => {
                let grants = if n.is_multiple_of(2) { ["viewer"] } else { ["auditor"] };
                act("/users/somebody/acts", json!({"act": "set-grants", "grants": grants}))
            }
            "comment-changes" => {
                act("/changes/job/pay.export/acts", json!({"act": "comment", "number": 1}))
            }
            "expedite" => {
                let name = format!("urgent-{n}");
                self.prepare("/jobs", &job(&name));
                let path = format!("/changes/job/{name}/acts");
                act(&path, json!({"act": "expedite", "number": 1}))
            }
            "sign-reviews" => {
                let said = json!({"run": run, "disposition": {"is": "note"}, "note": "a try"});
                post("/review/notes", &said)
            }
            "attend-incidents" => {
                let wanted = json!({"of": "job/pay.export", "severity": "minor", "text": "a try"});
                self.prepare("/incidents", &wanted);
                let said = json!({"act": {"act": "note"}, "text": "a try"});
                post("/incidents/job/pay.export/1", &said)
            }
            "resolve-incidents" => {
                let wanted = json!({"of": "job/pay.export", "severity": "minor", "text": "a try"});
                self.prepare("/incidents", &wanted);
                let said = json!({"act": {"act": "resolve"}, "text": "a try"});
                post("/incidents/job/pay.export/1", &said)
            }
            "audit-requests" => {
                let due = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
                post("/requests", &json!({"title": "a try", "text": "a try", "due": due}))
            }
            // What the auditor has asked just before.
            "answer-requests" => {
                post("/requests/1", &json!({"act": {"act": "answer"}, "text": "a try"}))
            }
            "own-account" if name == "robot" => {
                self.prepare("/users/robot/tokens", &json!({"name": "spare"}));
                act("/users/robot/acts", json!({"act": "revoke-token", "name": "spare"}))
            }
            "own-account" => {
                post(&format!("/users/{name}/tokens"), &json!({"name": format!("try-{n}")}))
            }
            other => panic!("nobody tries {other} here: add a request"),
        }
    }
}

/// What can be done to things that are not there, or stand so that a rule would refuse it: path, body.
fn in_the_dark(site: &Site) -> Vec<(String, Value)> {
    let Site { host, run, document, .. } = site;
    let why = json!({"reason": "to see what is told"});
    let act = |act: Value| json!({"act": act, "reason": "to see what is told"});
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut add = |path: String, body: &Value| all.push((path, body.clone()));
    for job in ["pay.export", "nothing"] {
        for verb in ["approve", "pause", "resume", "retire", "reclaim", "runs"] {
            add(format!("/jobs/{job}/{verb}"), &why);
        }
        for verb in ["hold", "release", "skip", "run-now"] {
            add(format!("/jobs/{job}/occurrences/2026-11-20T02:30:00Z/{verb}"), &why);
        }
        for word in ["approve", "reject", "withdraw", "comment", "expedite", "ratify"] {
            let said = act(json!({"act": word, "number": 77}));
            add(format!("/changes/job/{job}/acts"), &said);
        }
        add(format!("/changes/job/{job}/acts"), &act(json!({"act": "revert", "to": 77})));
    }
    for run in [run.as_str(), "nothing@request-a"] {
        for verb in ["cancel", "hold", "release", "skip", "confirm", "override", "rerun"] {
            add(format!("/runs/{run}/{verb}"), &why);
        }
        let resolved = json!({"outcome": "failed", "reason": "to see what is told"});
        add(format!("/runs/{run}/resolve"), &resolved);
    }
    add("/flows/nothing/runs".to_owned(), &why);
    for thing in ["lock/nothing", "queue/office"] {
        add(format!("/things/{thing}/approve"), &json!({}));
        add(format!("/things/{thing}/retire"), &why);
    }
    for dataset in ["files", "nothing"] {
        let of = |path: &str| format!("/datasets/{dataset}/{path}");
        let asked = json!({"snapshots": ["0000"], "reason": "to see what is told"});
        add(of("forget"), &asked);
        add(of("forget/approve"), &why);
        add(of("forget/decline"), &why);
        add(of("snapshots/0000/hold"), &why);
        add(of("snapshots/0000/end-hold"), &why);
        add(of("certify"), &json!({"run": run, "statement": "to see what is told"}));
        add(of("snapshots/0000/browse"), &json!({}));
    }
    for document in [document.as_str(), "00000000000000000000000000000000"] {
        for word in ["hold", "release", "cancel", "reprint", "approve-reprint", "decline-reprint"] {
            add(format!("/documents/{document}/acts"), &act(json!({"act": word})));
        }
        add(format!("/documents/{document}/content"), &why);
        add(format!("/documents/{document}/facts"), &why);
    }
    for form in ["checks", "nothing"] {
        let check = json!({"act": "check", "document": "00000000", "first": 1, "last": 1});
        add(format!("/forms/{form}/acts"), &act(check));
        add(format!("/forms/{form}/acts"), &act(json!({"act": "unload", "number": 77})));
        let asked = json!({"first": 1, "last": 1, "reason": "to see what is told"});
        add(format!("/forms/{form}/register"), &asked);
    }
    for queue in ["office", "nothing"] {
        add(format!("/queues/{queue}/acts"), &act(json!({"act": "release"})));
    }
    for host in [host.as_str(), "nothing"] {
        add(format!("/hosts/{host}/resume"), &why);
    }
    for user in ["admin", "nobody"] {
        add(format!("/users/{user}/acts"), &act(json!({"act": "remove"})));
        add(format!("/users/{user}/code"), &json!({}));
        add(format!("/users/{user}/tokens"), &json!({"name": "theirs"}));
    }
    let signed = json!({"until": "2026-11-20T00:00:00Z", "shown": "0".repeat(64), "statement": ""});
    add("/review/signature".to_owned(), &signed);
    let active = json!({"name": "pay.export", "command": {"argv": ["/bin/echo", "hello"]}});
    add("/jobs".to_owned(), &json!({"definition": active, "reason": "as it is"}));
    all
}

#[test]
fn who_may_not_do_a_thing_is_told_that_and_not_what_there_is_and_how_it_stands() {
    let office = Office::new();
    let site = Site::new(&office);
    let mia = Person::with(&site.up, &site.admin, "mia", &["viewer"]);
    let mut told = Vec::new();
    for (path, body) in in_the_dark(&site) {
        let answer = mia.token.post(&format!("/api/v1{path}"), &body);
        if answer.status != 403 {
            told.push(format!("{path} {body}: {} {}", answer.status, answer.text));
        }
    }
    assert_eq!(told, Vec::<String>::new());
    let word = mia.session.get("/account").is(200).word();
    let form = |path: &str, fields: &[(&str, &str)]| {
        let fields = [&[("word", &*word), ("reason", "a try")], fields].concat();
        mia.session.form(path, &fields).is(403);
    };
    for (path, act) in [
        ("/jobs/nothing", "run"),
        ("/jobs/nothing", "pause"),
        ("/jobs/pay.export", "resume"),
        ("/runs/nothing@request-a", "hold"),
        ("/runs/nothing@request-a", "rerun"),
        ("/hosts/nothing", "resume"),
        ("/prints/documents/00000000000000000000000000000000", "hold"),
        ("/people/nobody", "remove"),
    ] {
        form(path, &[("act", act)]);
    }
    form("/changes/job/nothing", &[("act", "approve"), ("number", "1")]);
    form("/backups/nothing", &[("run", "a@request-a"), ("statement", "good")]);
    form("/prints/queues", &[("queue", "nothing"), ("act", "hold")]);
    form("/night/signature", &[("until", "2026-11-20T00:00:00Z"), ("shown", "0")]);
    stop_and_verify(site.up);
}

/// Whether an answer is that of somebody who may.
fn may(answer: &Answer, what: &str) -> bool {
    assert!(matches!(answer.status, 200 | 403 | 409), "{what}: {answer:?}");
    answer.status != 403
}

#[test]
fn each_role_does_what_the_table_says_and_nothing_else_by_token_and_by_session_and_the_log_says_who_was_denied()
 {
    let office = Office::new();
    let site = Site::new(&office);
    let table = site.admin.token.get("/api/v1/roles").is(200).json();
    let printed = run(&mut decklog(["user", "roles", "-o", "json"])).ended(0).json();
    assert_eq!(table, printed, "one table");
    provision(&site.admin, "somebody", &["viewer"], false);
    let people =
        ROLES.map(|role| Person::with(&site.up, &site.admin, &format!("one-{role}"), &[role]));
    provision(&site.admin, "robot", &["operator", "author", "approver", "admin"], true);
    let robot = new_token(&site.admin.token, "robot", &json!({"name": "all"}));
    let robot = Http::token(&site.up, &robot);

    let (mut n, mut denied) = (0, BTreeMap::new());
    for row in table.as_array().unwrap() {
        let action = row["action"].as_str().unwrap();
        for (role, person) in ROLES.iter().zip(&people) {
            let wanted = row["roles"].as_array().unwrap().contains(&json!(role));
            for who in [&person.token, &person.session] {
                n += 1;
                let answer = site.try_one(action, who, &person.name, n);
                let what = format!("{} and {action}", person.name);
                assert_eq!(may(&answer, &what), wanted, "{what}: {answer:?}");
                if !wanted {
                    let begins =
                        format!("user/{} may not {}", person.name, row["words"].as_str().unwrap());
                    assert!(answer.detail().starts_with(&begins), "{}", answer.detail());
                    denied.insert((person.name.clone(), action.to_owned()), answer.detail());
                }
            }
        }
        n += 1;
        let answer = site.try_one(action, &robot, "robot", n);
        let person = row["person"].as_bool().unwrap();
        assert_eq!(may(&answer, action), !person, "a program and {action}: {answer:?}");
        assert!(!person || answer.detail().contains("needs a person's name"), "{answer:?}");
    }
    assert_eq!(table.as_array().unwrap().len() * people.len(), 32 * 6);
    said_once_each(&site.up, &people, &denied);
    changed_nothing(&site.up);
    stop_and_verify(site.up);
}

/// Each denial is one event although it was tried twice within a minute, and says the same as the answer.
fn said_once_each(up: &Up, people: &[Person], denied: &BTreeMap<(String, String), String>) {
    let mut seen = BTreeMap::new();
    for person in people {
        let all = events(up, Some(&person.me()));
        for event in of_kind(&all, "user.denied") {
            assert_eq!(event["actor"], person.me(), "{event}");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let key = (person.name.clone(), text(&event["data"]["action"]));
            let twice = seen.insert(key, text(&event["data"]["reason"]));
            assert_eq!(twice, None, "{event}");
        }
    }
    assert_eq!(seen, *denied);
}

/// What an auditor leaves in the log is that they came in, what they read, what they asked, and what they were denied.
fn changed_nothing(up: &Up) {
    let all = events(up, None);
    let theirs = all.iter().filter(|event| event["actor"] == "user/one-auditor");
    let kinds: std::collections::BTreeSet<&str> =
        theirs.map(|event| event["type"].as_str().unwrap()).collect();
    let reads = ["backup.looked-into", "form.register-read", "request.asked"];
    let other = |kind: &&&str| !kind.starts_with("user.") && !reads.contains(kind);
    assert_eq!(kinds.iter().filter(other).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(reads.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
}
