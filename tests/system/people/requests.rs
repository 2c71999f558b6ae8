//! What auditors ask to be shown: on pages and from the command line, by two people who do different things.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::wait;

use super::http::Http;
use super::{Person, events, for_two, new_token, of_kind, provision, stop_and_verify};
use crate::pages::{Browser, flaws};
use crate::programs::{Said, Up, decklog, run};

/// How long anything may take here, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(90);

/// Somebody at a shell, with a token of their own.
struct Shell<'a> {
    up: &'a Up,
    token: PathBuf,
}

impl<'a> Shell<'a> {
    fn of(up: &'a Up, who: &Person) -> Self {
        let token = up.data.with_extension(&who.name);
        fs::write(&token, new_token(&who.session, &who.name, &json!({"name": "shell"}))).unwrap();
        Self { up, token }
    }

    fn call(&self, words: &[&str]) -> Said {
        let mut command = decklog([&["request"], words].concat());
        run(command.args(["--server", &self.up.server, "--token-file"]).arg(&self.token))
    }
}

/// A day so many days from now.
fn day(days: i64) -> String {
    let now = jiff::Zoned::now();
    now.checked_add(jiff::Span::new().days(days)).unwrap().date().to_string()
}

#[test]
fn a_request_is_asked_answered_flagged_and_accepted_from_the_command_line_and_nobody_accepts_their_own_answer()
 {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs.yaml");
    fs::write(&jobs, super::JOBS).unwrap();
    let up = for_two(&dir.path().join("data"), &[&jobs], |_| {});
    let admin = Person::first(&up);
    let eve = Person::with(&up, &admin, "eve", &["auditor"]);
    let ana = Person::with(&up, &admin, "ana", &["operator"]);
    let (eve, ana) = (Shell::of(&up, &eve), Shell::of(&up, &ana));

    let (due, far) = (day(10), day(400));
    let ask = |who: &Shell<'_>, due: &str| {
        let says = ["ask", "--title", "Approvals of pay.export", "--text", "Who approved it?"];
        let about = ["--control", "cm-01", "--from", "2026-11-01", "--until", "2026-11-30"];
        let more = ["--ref", "job/pay.export", "--due", due];
        who.call(&[&says[..], &about, &more].concat())
    };
    let denied = ask(&ana, &due).ended(4).err;
    assert!(denied.contains("that needs the role auditor"), "{denied}");
    let late = ask(&eve, &far).ended(5).err;
    assert!(late.contains("it is due in the future, and within 366 days"), "{late}");
    assert_eq!(ask(&eve, &due).ended(0).out, "request/1: request 1 is asked\n");
    assert_eq!(ask(&eve, &due).ended(0).out, "request/2: request 2 is asked\n");

    eve.call(&["answer", "1", "--text", "x"]).ended(4);
    let none = ana.call(&["answer", "1", "--text", "two", "--ref", "job/other"]).ended(5).err;
    assert!(none.contains("there is no job/other in the log"), "{none}");
    ana.call(&["answer", "1", "--text", "two", "--ref", "nonsense"]).ended(2);
    ana.call(&["answer", "9", "--text", "two"]).ended(3);
    ana.call(&["answer", "0", "--text", "two"]).ended(2);
    let early = eve.call(&["accept", "1"]).ended(5).err;
    assert!(early.contains("there is no answer that could be accepted"), "{early}");
    let said = ana.call(&["answer", "1", "--text", "two", "--ref", "job/pay.export", "--ref", "3"]);
    assert_eq!(said.ended(0).out, "request/1: answered\n");
    let flagged = eve.call(&["flag", "1", "--text", "one is of October"]).ended(0).out;
    assert_eq!(flagged, "request/1: flagged: another answer is needed\n");
    ana.call(&["answer", "1", "--text", "then it is one"]).ended(0);
    eve.call(&["accept", "1", "--text", "seen"]).ended(0);
    let over = ana.call(&["answer", "1", "--text", "more"]).ended(5).err;
    assert!(over.contains("it was accepted by user/eve: ask anew"), "{over}");

    let listed = eve.call(&["list"]).ended(0).out;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(lines[1].starts_with("2        open ") && lines[1].contains("user/eve"), "{listed}");
    let all = eve.call(&["list", "--state", "all", "-o", "json"]).ended(0).json();
    let numbers = |all: &Value| -> Vec<u64> {
        all.as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&all), [2, 1]);
    assert_eq!((&all[1]["state"], &all[1]["overdue"]), (&json!("accepted"), &json!(false)));
    eve.call(&["list", "--state", "nonsense"]).ended(2);
    let shown = ana.call(&["show", "1"]).ended(0).out;
    for line in [
        "request 1  accepted",
        "  control    CM-01",
        "  period     2026-11-01 to 2026-11-30",
        "  about      job/pay.export",
        "  shown by   job/pay.export, 3",
        "user/ana: then it is one",
        "user/eve: one is of October",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }

    // An auditor who was an operator accepts nothing that they answered then.
    ana.call(&["answer", "2", "--text", "the same"]).ended(0);
    let grants =
        json!({"act": {"act": "set-grants", "grants": ["auditor"]}, "reason": "she moved"});
    admin.token.post("/api/v1/users/ana/acts", &grants).is(200);
    let own = ana.call(&["accept", "2"]).ended(5).err;
    assert!(own.contains("nobody accepts what they answered themselves"), "{own}");
    ana.call(&["withdraw", "2", "--text", "not mine"]).ended(5);
    eve.call(&["withdraw", "2", "--text", "=CM-01 shows it"]).ended(0);
    let mut told = String::new();
    wait::until("evidence of all that was said", SOON, || {
        told = papers(&up, dir.path());
        told.contains("withdrawn")
    })
    .unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    let first = "1,Approvals of pay.export,CM-01,2026-11-01,2026-11-30,user/eve,";
    assert!(lines[1].starts_with(first) && lines[1].ends_with(",seen"), "{told}");
    assert!(lines[1].contains(",accepted,2,user/ana,"), "{told}");
    assert!(lines[2].contains(",withdrawn,1,user/ana,"), "{told}");
    assert!(lines[2].ends_with(",'=CM-01 shows it"), "{told}");
    stop_and_verify(up);
}

/// What an auditor's papers tell of requests, made of the log as far as a head is signed; nothing before the first is.
fn papers(up: &Up, dir: &Path) -> String {
    let made = tempfile::tempdir_in(dir).unwrap();
    let (bundle, papers) = (made.path().join("evidence.tar"), made.path().join("papers"));
    if up.call(&["evidence", "export", "--to", bundle.to_str().unwrap()]).code != 0 {
        return String::new();
    }
    let mut command = decklog(["evidence", "papers", "--asked-by", "Ada Example", "--to"]);
    let said = run(command.arg(&papers).arg(&bundle)).ended(0).out;
    assert!(said.contains("requests.csv"), "{said}");
    fs::read_to_string(papers.join("requests.csv")).unwrap()
}

/// What a browser shows of a page, which has no flaws.
#[track_caller]
fn page(browser: &Browser, path: &str) -> String {
    let page = browser.get(path);
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    assert_eq!(flaws(path, &page), [""; 0]);
    page.text
}

#[test]
fn pages_of_requests_offer_each_what_they_may_do_and_show_the_thread_with_what_it_points_to() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs.yaml");
    fs::write(&jobs, super::JOBS).unwrap();
    let up = for_two(&dir.path().join("data"), &[&jobs], |_| {});
    let admin = Person::first(&up);
    let come = |name: &str, grant: &str| {
        provision(&admin, name, &[grant], false);
        let code = admin.token.post(&format!("/api/v1/users/{name}/code"), &json!({})).is(200);
        Browser::by_code(&up, name, code.json()["secret"].as_str().unwrap())
    };
    let (eve, ana) = (come("eve", "auditor"), come("ana", "operator"));
    assert!(page(&ana, "/requests").contains("No such request"));
    assert!(!page(&ana, "/requests").contains("Ask to be shown something"));

    let due = day(10);
    let title = "Approvals of <pay.export>";
    let fields =
        [("title", title), ("text", "Who?\nAnd when?"), ("due", &due), ("control", "CM-01")];
    let about = [("from", "2026-11-01"), ("until", ""), ("references", "job/pay.export, 3")];
    let shown = eve.act("/requests", &[&fields[..], &about].concat());
    assert_eq!(shown.heading(), "Request 1 open");
    for says in [
        &format!("<dt>due</dt><dd>{due} 23:59:59 "),
        "Approvals of &#60;pay.export&#62;",
        "<a href=\"/controls/CM-01\">CM-01</a>",
        "2026-11-01 to 2026-11-01",
        "<a href=\"/jobs/pay.export\">job/pay.export</a>, <a href=\"/events/3\">event 3</a>",
        "Nobody has answered yet",
        "Withdraw it",
    ] {
        assert!(shown.text.contains(says), "{says} in {}", shown.text);
    }
    let wrong = eve.send("/requests", &[("title", title), ("text", "x"), ("due", "soon")]);
    assert!(wrong.status == 400 && wrong.text.contains("is no day"), "{}", wrong.text);

    let open = page(&ana, "/requests/1");
    assert!(open.contains("<h2>Answer</h2>") && !open.contains("Is that enough?"), "{open}");
    let answer = [("act", "answer"), ("text", "It was bob."), ("references", "job/pay.export")];
    let answered = ana.act("/requests/1", &answer);
    assert_eq!(answered.heading(), "Request 1 answered");
    assert!(answered.text.contains("shown by <a href=\"/jobs/pay.export\">"), "{}", answered.text);
    assert!(!answered.text.contains("Is that enough?"), "{}", answered.text);
    let judged = page(&eve, "/requests/1");
    assert!(judged.contains("Is that enough?") && !judged.contains("Answer</h2>"), "{judged}");
    let flagged = eve.act("/requests/1", &[("act", "flag"), ("text", "when?")]);
    assert_eq!(flagged.heading(), "Request 1 flagged");
    // Each of these takes six bytes where it is written.
    let long = "\u{1}".repeat(3_900);
    let said = ana.send("/requests/1", &[("act", "answer"), ("text", &long)]);
    assert!(said.status == 400 && said.text.contains("say it shorter"), "{}", said.text);
    let early = eve.send("/requests/1", &[("act", "accept")]);
    assert!(early.status == 409 && early.text.contains("role=\"alert\""), "{}", early.text);
    ana.act("/requests/1", &[("act", "answer"), ("text", "On the 3rd.")]);
    assert_eq!(eve.act("/requests/1", &[("act", "accept")]).heading(), "Request 1 accepted");
    assert!(!page(&ana, "/requests/1").contains("<h2>Add to the answer"));

    assert!(page(&ana, "/requests").contains("No such request"), "what is over is not first");
    for (state, there) in [("closed", true), ("all", true), ("overdue", false), ("flagged", false)]
    {
        let listed = page(&ana, &format!("/requests?state={state}"));
        assert_eq!(listed.contains("<a href=\"/requests/1\">1</a>"), there, "{state}");
    }
    for (path, status) in
        [("/requests/2", 404), ("/requests/01", 404), ("/requests?state=nonsense", 400)]
    {
        assert_eq!(eve.get(path).status, status, "{path}");
    }
    stop_and_verify(up);
}

#[test]
fn programs_ask_once_whatever_is_sent_again_and_the_log_holds_the_whole_thread() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    let eve = Person::with(&up, &admin, "eve", &["auditor"]);
    let ana = Person::with(&up, &admin, "ana", &["operator"]);
    let due = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let wanted = |title: &str| json!({"title": title, "text": "at length", "due": due});
    for title in ["first", "second", "third"] {
        eve.token.post("/api/v1/requests", &wanted(title)).is(200);
    }
    let long = "x".repeat(201);
    let refused = eve.token.post("/api/v1/requests", &wanted(&long)).is(409).detail();
    assert_eq!(refused, "refused: a title of 1 to 200 bytes is needed");
    let answer = json!({"act": {"act": "answer", "references": ["1"]}, "text": "there"});
    ana.token.post("/api/v1/requests/2", &answer).is(200);
    let numbers = |who: &Http, query: &str| -> Vec<u64> {
        let listed = who.get(&format!("/api/v1/requests{query}")).is(200).json();
        let items = listed["items"].as_array().unwrap();
        items.iter().map(|one| one["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&ana.token, ""), [3, 2, 1]);
    assert_eq!(numbers(&ana.token, "?limit=1&below=3"), [2]);
    assert_eq!(numbers(&ana.token, "?state=current"), [3, 2, 1]);
    assert_eq!(numbers(&ana.token, "?state=answered"), [2]);
    let late = || numbers(&ana.token, "?state=overdue") == [3, 1];
    wait::until("two to be overdue", crate::programs::READY, late).unwrap();
    ana.token.get("/api/v1/requests?state=nonsense").is(400);
    ana.token.get("/api/v1/requests/7").is(404);
    let one = ana.token.get("/api/v1/requests/2").is(200).json();
    let request = &one["item"]["state"]["body"]["request"];
    assert_eq!(request["thread"][0]["by"], "user/ana", "{one}");
    let said = events(&up, Some("request/2"));
    assert_eq!((of_kind(&said, "request.asked").len(), said.len()), (1, 2));
    stop_and_verify(up);
}
