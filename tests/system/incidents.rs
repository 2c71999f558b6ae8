//! Failures that somebody must deal with: a call tree with real mail, real requests and a real command, killed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use testkit::mail::{MailOptions, MailServer};
use testkit::wait;

use crate::programs::{Up, call, decklog, run};

/// How long anything may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(120);

/// A request to the other system: its head, lower-case, and its body.
type Request = (BTreeMap<String, String>, Vec<u8>);

/// Another system that takes every request, and keeps it.
struct Hook {
    url: String,
    taken: Arc<Mutex<Vec<Request>>>,
}

impl Hook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever is killed in the middle of a request has sent none.
                if let Some(request) = take(stream) {
                    kept.lock().unwrap().push(request);
                }
            }
        });
        Self { url, taken }
    }

    fn taken(&self) -> Vec<Request> {
        self.taken.lock().unwrap().clone()
    }
}

fn take(stream: TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        head.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = head.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    Some((head, body))
}

/// A place where nobody listens yet.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A site with a call tree of three levels: ana by mail, bob by a request, cy by a command.
struct Site {
    dir: tempfile::TempDir,
    mail: MailServer,
    hook: Hook,
    port: u16,
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl Site {
    fn new(wait: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mail = MailServer::start(MailOptions::default()).unwrap();
        let site = Self { dir, mail, hook: Hook::start(), port: free_port() };
        site.write("secret", SECRET);
        site.write("notify.toml", &site.notify());
        site.write("site.yaml", &tree(wait));
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn notify(&self) -> String {
        format!(
            "console = 'http://127.0.0.1:{}'\n\
             [mail]\nrelay = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'decklog@example.com'\n\
             [contacts.ana]\nmail = 'ana@example.com'\n\
             [contacts.bob]\nwebhook = {{ url = '{}', secret = 'file:{}' }}\n\
             [contacts.cy]\ncommand = ['/bin/sh', '-c', 'cat >> TEXT; echo \"$DECKLOG_SUBJECT\" >> SUBJECTS']\n\
             [contacts.hr]\nmail = 'hr@example.com'\n",
            self.port,
            self.mail.port(),
            self.hook.url,
            self.path("secret").display(),
        )
        .replace("TEXT", &self.path("cy.text").display().to_string())
        .replace("SUBJECTS", &self.path("cy.subjects").display().to_string())
    }

    fn up(&self, jobs: &[&Path]) -> Up {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut command = decklog(["up", "--listen", &listen, "--notify"]);
        command.arg(self.path("notify.toml"));
        Up::started(command, &self.path("data"), jobs)
    }

    /// Ids of everything that arrived, by contact; a second one of the same id would be a second message.
    fn arrived(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for one in self.mail.received().unwrap() {
            ids.push(one.parsed().unwrap()["id"].as_str().unwrap().to_owned());
        }
        ids.extend(self.hook.taken().iter().map(|(head, _)| head["webhook-id"].clone()));
        ids
    }

    fn subjects(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("cy.subjects")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn tree(wait: &str) -> String {
    format!(
        "kind: call-tree\nname: default\nlevels:\n\
         - {{ tell: [{{ contact: ana }}], wait: {wait} }}\n\
         - {{ tell: [{{ contact: bob, by: [webhook] }}], wait: {wait} }}\n\
         - {{ tell: [{{ contact: cy, by: [command] }}], wait: {wait} }}\n\
         broadcast: [{{ contact: hr }}]\n\
         ---\nname: pay\ncommand: {{ argv: [/bin/false] }}\n"
    )
}

fn incident(data: &Path) -> Option<Value> {
    let said = call(data, &["incident", "show", "job/pay", "-o", "json"]);
    (said.code == 0).then(|| said.json())
}

fn events(data: &Path, kind: &str) -> Vec<Value> {
    let stream = ["events", "--stream", "incident/job/pay/1", "-o", "jsonl"];
    let out = call(data, &stream).ended(0).out;
    let all = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|one| one["void"].is_null() && one["event"]["type"] == kind).collect()
}

fn ask_for_a_failure(up: &Up) {
    up.call(&["run", "pay", "--reason", "to see it fail"]).ended(0);
}

#[test]
fn a_call_tree_of_three_levels_goes_on_over_kills_at_any_moment_and_tells_nobody_twice() {
    let site = Site::new("2s");
    let mut up = site.up(&[&site.path("site.yaml")]);
    ask_for_a_failure(&up);
    let mut seen = 0;
    // It dies after each thing that is said of the incident, until the tree is gone through.
    for _ in 0..12 {
        wait::until("the next thing to be said", SOON, || {
            let version = incident(&up.data).map_or(0, |one| {
                let steps = one["steps"].as_array().unwrap();
                let calls = steps.iter().flat_map(|s| s["calls"].as_array().unwrap());
                let said = calls.map(|c| {
                    usize::from(!c["begun"].is_null()) + usize::from(!c["ended"].is_null())
                });
                1 + steps.len() + said.sum::<usize>()
            });
            let news = version > seen;
            seen = seen.max(version);
            news
        })
        .unwrap();
        up.daemon.kill9().unwrap();
        up = site.up(&[]);
    }
    wait::until("every level to have been told", SOON, || {
        let told = events(&up.data, "incident.escalated");
        let levels: BTreeSet<u64> =
            told.iter().map(|one| one["event"]["data"]["level"].as_u64().unwrap()).collect();
        levels.len() == 3 && !site.subjects().is_empty() && !site.hook.taken().is_empty()
    })
    .unwrap();
    up.call(&["incident", "acknowledge", "job/pay", "--text", "on it"]).ended(0);
    up.stop();

    let ids = site.arrived();
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "a message arrived twice: {ids:?}");
    let data = site.path("data");
    let begun = events(&data, "incident.notification-begun");
    let keys: BTreeSet<String> = begun
        .iter()
        .map(|one| format!("{} {}", one["event"]["data"]["step"], one["event"]["data"]["call"]))
        .collect();
    assert_eq!(keys.len(), begun.len(), "{begun:?}");
    assert!(ids.len() + site.subjects().len() <= begun.len(), "{ids:?} {begun:?}");
    let steps = events(&data, "incident.escalated");
    let levels: Vec<(u64, u64)> = steps
        .iter()
        .map(|one| &one["event"]["data"])
        .map(|one| (one["round"].as_u64().unwrap(), one["level"].as_u64().unwrap()))
        .collect();
    let mut sorted = levels.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(levels, sorted, "a level was told twice, or out of turn");
    assert_eq!(events(&data, "incident.opened").len(), 1);
    call(&data, &["verify"]).ended(0);
}

/// What a body says under a header, as the receiver of a Standard Webhook checks it: by Python.
fn is_signed((head, body): &Request) -> bool {
    let check = "import base64,hashlib,hmac,sys\n\
         key=base64.b64decode(sys.argv[1][6:])\n\
         text=f'{sys.argv[2]}.{sys.argv[3]}.'.encode()+sys.argv[4].encode()\n\
         sign=base64.b64encode(hmac.new(key,text,hashlib.sha256).digest()).decode()\n\
         sys.exit(0 if hmac.compare_digest('v1,'+sign,sys.argv[5]) else 1)";
    let body = String::from_utf8(body.clone()).unwrap();
    let values = [SECRET, &head["webhook-id"], &head["webhook-timestamp"], &body];
    let mut python = std::process::Command::new("python3");
    python.args(["-c", check]).args(values).arg(&head["webhook-signature"]);
    run(&mut python).code == 0
}

#[test]
fn people_are_told_by_mail_request_and_command_and_acknowledge_by_the_link_without_coming_in() {
    let site = Site::new("3s");
    let up = site.up(&[&site.path("site.yaml")]);
    up.call(&["user", "add", "ana", "--grant", "operator", "--reason", "is on call"]).ended(0);
    ask_for_a_failure(&up);
    wait::until("all three to be told", SOON, || {
        !site.mail.received().unwrap().is_empty()
            && !site.hook.taken().is_empty()
            && !site.subjects().is_empty()
    })
    .unwrap();
    let subject = &site.subjects()[0];
    assert!(subject.starts_with("[decklog] major: job pay: run pay@request-"), "{subject}");
    let request = &site.hook.taken()[0];
    assert!(is_signed(request), "{:?}", request.0);
    let event: Value = serde_json::from_slice(&request.1).unwrap();
    assert_eq!(event["data"]["incidents"][0]["incident"], "job/pay/1");
    assert_eq!(event["specversion"], "1.0");
    let mail = site.mail.received().unwrap()[0].parsed().unwrap();
    assert!(mail["subject"].as_str().unwrap().contains("job pay"), "{mail}");
    let text = String::from_utf8(site.mail.received().unwrap()[0].content.clone()).unwrap();
    let text = text.replace("=\r\n", "").replace("=3D", "=");
    let link = text.split_whitespace().find(|word| word.contains("/acknowledge?")).unwrap();
    let link = link.to_owned();

    let get = |url: &str| {
        let mut curl = std::process::Command::new("curl");
        run(curl.args(["-s", "-o", "-", "-w", "\n%{http_code}", url])).ended(0).out
    };
    // Whatever follows the link without a person presses no button.
    assert!(get(&link).contains("Do you deal with it?"));
    let other = link.replace("as=ana", "as=bob");
    let cut = &link[..link.len() - 1];
    for bad in [other.as_str(), cut] {
        assert!(get(bad).ends_with("404"), "{bad}");
    }
    assert!(incident(&up.data).unwrap()["acknowledged"].is_null());
    let query = link.split_once('?').unwrap().1;
    let to = format!("http://127.0.0.1:{}/acknowledge", site.port);
    let mut post = std::process::Command::new("curl");
    let said = run(post.args(["-s", "-w", "\n%{http_code}", "-d", query, &to])).ended(0).out;
    assert!(said.ends_with("303"), "{said}");
    assert!(get(&link).contains("This link has done what it is for"));
    let mut again = std::process::Command::new("curl");
    let said = run(again.args(["-s", "-w", "\n%{http_code}", "-d", query, &to])).ended(0).out;
    assert!(said.ends_with("409"), "{said}");
    let after = incident(&up.data).unwrap();
    assert_eq!(after["acknowledged"]["by"], "user/ana");
    let steps = after["steps"].as_array().unwrap().len();

    // Those who are affected are told once; whoever caused it does not resolve it.
    up.call(&["incident", "broadcast", "job/pay", "--text", "payslips will be late"]).ended(0);
    wait::until("the broadcast to arrive", SOON, || {
        let received = site.mail.received().unwrap();
        received.iter().any(|one| one.envelope["to"].to_string().contains("hr@example.com"))
    })
    .unwrap();
    let early = up.call(&["incident", "resolve", "job/pay", "--text", "x"]).ended(5);
    assert!(early.err.contains("say first why it happened"), "{}", early.err);
    up.call(&["incident", "cause", "job/pay", "--text", "the disk was full"]).ended(0);
    up.call(&["incident", "resolve", "job/pay", "--text", "a larger disk"]).ended(0);
    let shown = up.call(&["incident", "show", "job/pay"]).ended(0).out;
    assert!(shown.contains("job/pay/1  resolved"), "{shown}");
    assert_eq!(incident(&up.data).unwrap()["steps"].as_array().unwrap().len(), steps + 1);
    let none = up.call(&["incident", "list"]).ended(0).out;
    assert!(!none.contains("job/pay/1"), "{none}");
    up.stop();
    call(&site.path("data"), &["verify"]).ended(0);
}

#[test]
fn what_failed_while_no_scheduler_was_there_to_see_it_is_an_incident_after_the_next_start() {
    let site = Site::new("1h");
    let slow = site.path("slow.yaml");
    let go = site.path("go");
    let text = format!(
        "name: slow\ncommand: {{ argv: [/bin/sh, -c, 'until [ -e {} ]; do sleep 0.1; done; exit 3'] }}\n",
        go.display()
    );
    fs::write(&slow, text).unwrap();
    let mut up = site.up(&[&site.path("site.yaml"), &slow]);
    up.call(&["run", "slow", "--reason", "to see"]).ended(0);
    let running = |up: &Up| up.call(&["runs", "--state", "running", "-o", "json"]).ended(0).json();
    wait::until("it to run", SOON, || running(&up).as_array().is_some_and(|all| all.len() == 1))
        .unwrap();
    up.daemon.kill9().unwrap();
    fs::write(&go, "").unwrap();
    up = site.up(&[]);
    wait::until("the incident", SOON, || {
        call(&up.data, &["incident", "show", "job/slow/1"]).code == 0
    })
    .unwrap();
    up.stop();
    call(&site.path("data"), &["verify"]).ended(0);
}

#[test]
fn an_incident_that_a_person_reports_calls_people_and_says_who_may_not() {
    let site = Site::new("1h");
    let up = site.up(&[&site.path("site.yaml")]);
    let report = ["incident", "report", "job/pay", "--severity", "critical", "--text"];
    up.call(&[&report[..], &["nobody can be paid"]].concat()).ended(0);
    let twice = up.call(&[&report[..], &["again"]].concat()).ended(5);
    assert!(
        twice.err.contains("incident job/pay/1 is open already: say it there"),
        "{}",
        twice.err
    );
    let of = up.call(&["incident", "report", "user/ana", "--text", "x"]).ended(2);
    assert!(of.err.contains("an incident is about a job, host"), "{}", of.err);
    up.call(&["incident", "report", "job/gone", "--text", "x"]).ended(3);
    up.call(&["incident", "show", "job/gone"]).ended(3);
    wait::until("the mail", SOON, || site.mail.received().unwrap().len() == 1).unwrap();
    let on_call = up.call(&["incident", "on-call"]).ended(0).out;
    assert!(on_call.contains("ana by mail") && on_call.contains("cy by command"), "{on_call}");
    let trees = up.call(&["call-tree", "list"]).ended(0).out;
    assert!(trees.contains("3 levels"), "{trees}");
    let bad = site.path("bad.yaml");
    fs::write(&bad, "kind: call-tree\nname: bad\nlevels: []\n").unwrap();
    let refused = up.call(&["apply", bad.to_str().unwrap()]).ended(2);
    assert!(refused.err.contains("levels: 1 to 10 levels"), "{}", refused.err);
    let named = site.path("named.yaml");
    let text = "kind: call-tree\nname: desk\nlevels: [{ tell: [{ contact: ana }], wait: 1h }]\n\
        ---\nname: calls\ncommand: { argv: [/bin/true] }\non-failure: { call-tree: desk }\n";
    fs::write(&named, text).unwrap();
    up.call(&["apply", named.to_str().unwrap(), "--reason", "a desk"]).ended(0);
    let retire = ["call-tree", "retire", "desk", "--reason", "the desk is gone"];
    let refused = up.call(&retire).ended(5);
    assert!(
        refused.err.contains("1 active jobs name the call tree desk, calls first"),
        "{}",
        refused.err
    );
    up.call(&["job", "retire", "calls", "--reason", "gone too"]).ended(0);
    up.call(&retire).ended(0);
    up.stop();
    call(&site.path("data"), &["verify"]).ended(0);
}

#[test]
fn a_file_about_contacts_that_cannot_be_used_is_said_before_anything_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notify.toml");
    let cases = [
        ("[contacts.ana]\n", "say mail, webhook or command"),
        ("[contacts.ana]\nmail = 'ana'\n", "there is no relay to send it by"),
        ("[contacts.ana]\nwebhook = { url = 'ftp://x' }\n", "webhook.url: an address"),
        (
            "[contacts.ana]\nwebhook = { url = 'https://x', secret = 'plain' }\n",
            "say where it stands",
        ),
        ("[contacts.ana]\nwebhook = { url = 'https://x', format = 'pagerduty' }\n", "routing-key"),
        ("console = 'decklog.example'\n", "notify.console: it begins with"),
        ("contact = 1\n", "unknown field"),
    ];
    for (text, problem) in cases {
        fs::write(&file, text).unwrap();
        let (data, file) = (dir.path().join("data"), file.to_str().unwrap());
        let up = ["up", "--listen", "127.0.0.1:0", "--for", "1s", "--notify", file];
        let said = run(decklog(up).arg("--data").arg(&data)).ended(2);
        assert!(said.err.contains(problem), "{text}: {}", said.err);
        assert!(!data.exists(), "{text}");
    }
}
