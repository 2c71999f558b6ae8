//! The console's API, and the command line tool against it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::process::Daemon;
use ureq::Agent;

use super::{Desk, ON_REQUEST};
use crate::evidence::{self, Marks};
use crate::programs::{READY, Said, Up, call, certificate, decklog, run, run_for, sql};

struct Http {
    agent: Agent,
    server: String,
    token: String,
}

impl Http {
    fn new(up: &Up) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(super::RUN))
            .build();
        let token = std::fs::read_to_string(up.data.join("console.token")).unwrap();
        Self { agent: agent.into(), server: up.server.clone(), token }
    }

    fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let mut call = self.agent.get(format!("{}{path}", self.server));
        if let Some(token) = token {
            call = call.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = call.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }
}

#[test]
fn looking_and_acting_work_from_far_with_a_token_and_not_without_one() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[]);
    let token = up.data.join("console.token");
    let from_far = |arguments: &[&str]| {
        let mut command = decklog(arguments);
        run(command.args(["--server", &up.server, "--token-file"]).arg(&token))
    };
    let jobs = jobs.to_str().unwrap();
    from_far(&["plan", jobs]).ended(10);
    from_far(&["apply", jobs]).ended(0);
    from_far(&["plan", jobs]).ended(0);
    let good = from_far(&["run", "says-hello", "--reason", "from far", "--follow"]).ended(0);
    assert_eq!(good.out, "hello\n");
    from_far(&["run", "fails", "--reason", "from far", "--follow"]).ended(1);
    let runs = from_far(&["runs", "-o", "json"]).ended(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs:#}");
    let run_name = runs[0]["run"].as_str().unwrap();
    assert_eq!(from_far(&["logs", run_name]).ended(0).out, "before\n");
    assert!(from_far(&["events", "-o", "jsonl"]).ended(0).out.lines().count() > 10);
    from_far(&["night"]).ended(0);
    from_far(&["verify"]).ended(0);

    let wrong = desk.file("wrong.token", "decklog_pat_00");
    let mut command = decklog(["job", "list", "--server", &up.server]);
    run(&mut command).ended(4);
    run(command.arg("--token-file").arg(wrong)).ended(4);
    let nowhere = ["job", "list", "--server", "http://127.0.0.1:1", "--token-file"];
    run(decklog(nowhere).arg(&token)).ended(6);
    up.stop();
}

#[test]
fn a_plan_says_which_host_cannot_run_what_changes_as_long_as_hosts_can_be_asked() {
    let desk = Desk::new();
    let jobs = desk.file(
        "jobs.yaml",
        "name: missing\ncommand: { argv: [/no/such/program] }\n---\nname: fine\ncommand: { argv: [/bin/true] }\n",
    );
    let jobs = jobs.to_str().unwrap();
    let up = desk.up(&[]);
    let mut plan = Value::Null;
    let answered = testkit::wait::until("a host that can be asked", super::RUN, || {
        plan = up.call(&["plan", jobs, "-o", "json"]).ended(10).json();
        // Each job was looked at for itself: the host may have come between.
        let of_host = plan[0]["warnings"][0].as_str().is_some_and(|w| w.starts_with("host "));
        of_host && plan[1]["warnings"].is_null()
    });
    answered.unwrap_or_else(|error| panic!("{error}: {plan:#}"));
    let warning = plan[0]["warnings"][0].as_str().unwrap();
    let reason = "cannot run it: the program /no/such/program cannot be executed";
    assert!(warning.starts_with("host ") && warning.contains(reason), "{warning}");
    let shown = up.call(&["plan", jobs]).ended(10).out;
    assert!(shown.contains(&format!("! {warning}")), "{shown}");
    let token = up.data.join("console.token");
    let mut from_far = decklog(["plan", jobs, "--server", &up.server, "--token-file"]);
    assert!(run(from_far.arg(&token)).ended(10).out.contains(warning));
    up.stop();
    assert!(!call(&desk.data(), &["plan", jobs]).ended(10).out.contains('!'));
}

#[test]
fn without_a_token_the_api_answers_401_and_its_probes_answer() {
    let desk = Desk::new();
    let up = desk.up(&[]);
    let http = Http::new(&up);
    for path in ["/api/v1/jobs", "/api/v1/runs", "/api/v1/events", "/api/v1/head", "/api/v1/night"]
    {
        assert_eq!(http.get(path, Some(&http.token)).0, 200, "{path}");
        for wrong in [None, Some("decklog_pat_00"), Some("")] {
            let (status, body) = http.get(path, wrong);
            assert_eq!(status, 401, "{path} {body}");
            let problem: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(problem["status"], json!(401));
        }
    }
    assert_eq!(http.get("/livez", None), (200, "ok\n".to_owned()));
    let (status, ready) = http.get("/readyz", None);
    assert!(status == 200 && ready.starts_with("ok recorder position="), "{ready}");
    let (status, openapi) = http.get("/openapi.json", None);
    let openapi: Value = serde_json::from_str(&openapi).unwrap();
    assert_eq!((status, openapi), (200, run(&mut decklog(["openapi"])).ended(0).json()));
    assert_eq!(http.get("/api/v1/nothing", Some(&http.token)).0, 404);
    up.stop();
}

#[test]
fn metrics_are_as_prometheus_wants_them() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    up.call(&["run", "says-hello", "--reason", "to count it", "--follow"]).ended(0);
    let http = Http::new(&up);
    let mut text = String::new();
    let counted = testkit::wait::until("the run to be counted", super::RUN, || {
        text = http.get("/metrics", None).1;
        text.contains("decklog_runs_total{outcome=\"succeeded\"} 1")
    });
    counted.unwrap_or_else(|error| panic!("{error}\n{text}"));
    for name in [
        "decklog_build_info",
        "decklog_log_position",
        "decklog_events_total",
        "decklog_job_last_success_timestamp_seconds",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} in\n{text}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let said = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
    // It reads an older format than the page has, in which a counter's help bears its full name.
    let serious = said.lines().filter(|line| !line.ends_with("_total no help text"));
    assert_eq!(serious.collect::<Vec<_>>(), Vec::<&str>::new(), "{text}");
    up.stop();
}

/// The alerts of the handbook's page, at times of a log that stops after ten minutes and of a console that is gone after an hour.
const ALERTS: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - { series: 'decklog_recorder_up{job="decklog"}', values: "1x10 0x60" }
  - { series: 'decklog_recorder_writes{job="decklog"}', values: "1x7 0x60" }
  - { series: 'decklog_log_newest_event_timestamp_seconds{job="decklog"}', values: "0+60x10 600x60" }
  - { series: 'up{job="decklog"}', values: "1x60 0x10" }
  alert_rule_test:
  - { eval_time: 10m, alertname: DecklogRecorderDown }
  - { eval_time: 10m, alertname: DecklogLogStandsStill }
  - { eval_time: 15m, alertname: DecklogRecorderDown }
  - { eval_time: 16m, alertname: DecklogLogStandsStill }
  - eval_time: 17m
    alertname: DecklogRecorderDown
    exp_alerts:
    - exp_labels: { severity: critical, job: decklog }
      exp_annotations: { summary: "Nothing can be written into the log: see /site of the console" }
  - eval_time: 17m
    alertname: DecklogLogStandsStill
    exp_alerts:
    - exp_labels: { severity: critical, job: decklog }
      exp_annotations: { summary: "The log has not moved for six minutes: see /site of the console" }
  - { eval_time: 8m, alertname: DecklogRecorderCannotWrite }
  - { eval_time: 17m, alertname: DecklogRecorderCannotWrite }
  - eval_time: 10m
    alertname: DecklogRecorderCannotWrite
    exp_alerts:
    - exp_labels: { severity: critical, job: decklog }
      exp_annotations: { summary: "The database takes nothing any more, as where its disk is full: see /site of the console" }
  - { eval_time: 60m, alertname: DecklogConsoleDown }
  - eval_time: 67m
    alertname: DecklogConsoleDown
    exp_alerts: [{ exp_labels: { severity: critical, job: decklog } }]
"#;

#[test]
fn the_alerts_of_the_handbook_call_when_the_log_stands_still_and_not_before() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/handbook/incidents.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rules = page.split_once("```yml\n").unwrap().1.split_once("```").unwrap().0;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rules.yml"), rules).unwrap();
    std::fs::write(dir.path().join("alerts.yml"), ALERTS).unwrap();
    let mut promtool = Command::new("promtool");
    let said = promtool.args(["test", "rules", "alerts.yml"]).current_dir(dir.path()).output();
    let said = said.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// Asks a console who asks, trusting this certificate alone.
fn who_asks(server: &str, token: &Path, trusted: &str) -> Said {
    let mut call = decklog(["user", "whoami", "--server", server]);
    call.arg("--token-file").arg(token).env("SSL_CERT_FILE", trusted);
    run(&mut call)
}

#[test]
fn up_speaks_tls_with_a_certificate_and_without_one_is_reached_from_its_own_machine_only() {
    let desk = Desk::new();
    let refused = run(decklog(["up", "--listen", "0.0.0.0:0", "--data"]).arg(desk.data())).ended(2);
    assert!(refused.err.contains("give --tls-cert and --tls-key"), "{}", refused.err);
    assert!(!desk.data().exists(), "something was begun all the same");
    let (certificate, key) = certificate(&desk.path(""), "localhost");
    let (other, _) = crate::programs::certificate(&desk.path(""), "other");
    let half = ["up", "--listen", "127.0.0.1:0", "--tls-cert", &certificate];
    assert!(run(&mut decklog(half)).ended(2).err.contains("--tls-key"));
    let mut up = decklog(["up", "--listen", "127.0.0.1:0", "--tls-cert", &certificate]);
    up.args(["--tls-key", &key, "--data"]).arg(desk.data());
    let mut up = Daemon::spawn(&mut up).unwrap();
    let line = up.wait_for_line("API  https://", READY).unwrap();
    let port = line.split([':', '/']).find(|part| part.parse::<u16>().is_ok()).unwrap();
    let token = desk.data().join("console.token");
    let server = format!("https://localhost:{port}");
    assert!(who_asks(&server, &token, &certificate).ended(0).out.contains("admin"));
    who_asks(&server, &token, &other).ended(6);
    who_asks(&format!("http://localhost:{port}"), &token, &certificate).ended(6);
    // The tools of this machine need no certificate, and tell people where browsers come.
    assert!(call(&desk.data(), &["user", "whoami"]).ended(0).out.contains("admin"));
    let added = ["user", "add", "mia", "--grant", "viewer", "--reason", "she looks"];
    let added = call(&desk.data(), &added).ended(0);
    assert!(added.err.contains(&format!("https://127.0.0.1:{port}/login?name=mia")), "{added:?}");
    up.term();
    assert!(up.wait_for_end(READY).unwrap().success(), "{}", up.output());
}

/// A program nobody here wrote speaks TLS in front of the console.
#[test]
fn a_console_behind_tls_is_talked_to_where_its_certificate_is_trusted_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let up = Up::start(&dir.path().join("data"), &[]);
    let (certificate, key) = certificate(dir.path(), "localhost");
    let (other, _) = crate::programs::certificate(dir.path(), "other");
    let port = testkit::port::free().unwrap().to_string();
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("tls_in_front.py"), &port, &certificate, &key]);
    python.arg(up.server.trim_start_matches("http://"));
    let mut front = Daemon::spawn(&mut python).unwrap();
    front.wait_for_line("listening", READY).unwrap();
    let (server, token) = (format!("https://localhost:{port}"), up.data.join("console.token"));
    assert!(who_asks(&server, &token, &certificate).ended(0).out.contains("admin"));
    who_asks(&server, &token, &other).ended(6);
    front.term();
    let _ended = front.wait_for_end(READY);
    up.stop();
}

/// What SQLite does where the disk is full: the transaction is over, and an error is told.
const FULL: &str =
    "CREATE TRIGGER no_room BEFORE INSERT ON event BEGIN SELECT RAISE(ROLLBACK, 'no room'); END";

#[test]
fn what_cannot_be_written_is_told_at_once_and_when_there_is_room_again_all_goes_on() {
    let soon = Duration::from_secs(120);
    let dir = tempfile::tempdir().unwrap();
    let (data, marks) = (dir.path().join("data"), Marks::new(dir.path()));
    let up = Up::start(&data, &[&marks.jobs]);
    let http = Http::new(&up);
    testkit::wait::until("something to run", soon, || marks.of("mark-often") > 2).unwrap();
    assert_eq!(http.get("/readyz", None).0, 200);

    sql(&data, FULL);
    let ready = || http.get("/readyz", None);
    testkit::wait::until("it to be told", soon, || ready().0 == 503).unwrap();
    let told = ready().1;
    assert!(told.contains("cannot write to the log since") && told.contains("no room"), "{told}");
    let site = up.call(&["site"]).ended(1).out;
    assert!(site.contains("answers, and cannot write") && site.contains("no room"), "{site}");
    let token = data.join("console.token");
    let asked = ["night", "--check", "--server", &up.server, "--token-file"];
    let night = run(decklog(asked).arg(token)).ended(1);
    assert!(night.err.contains("the recorder cannot write to the log: "), "{}", night.err);
    let metric = |is: u8| format!("decklog_recorder_writes {is}");
    let writes = |is| http.get("/metrics", None).1.contains(&metric(is));
    testkit::wait::until("the metrics to tell it", soon, || writes(0)).unwrap();

    sql(&data, "DROP TRIGGER no_room");
    testkit::wait::until("it to be written again", soon, || ready().0 == 200).unwrap();
    let before = marks.of("mark-often");
    testkit::wait::until("more to run", soon, || marks.of("mark-often") > before + 2).unwrap();
    testkit::wait::until("the metrics to tell it", soon, || writes(1)).unwrap();
    assert!(!up.call(&["site"]).out.contains("cannot write"));
    up.stop();
    // Until nothing is under way.
    let mut last = decklog(["up", "--listen", "127.0.0.1:0", "--for", "3s", "--data"]);
    run_for(last.arg(&data), soon).ended(0);

    let verified = call(&data, &["verify", "-o", "json"]).ended(0).json();
    let events = call(&data, &["events", "-o", "jsonl"]).ended(0).out;
    let tally = evidence::count(&events, &marks);
    assert_eq!(tally.unknown, Vec::<String>::new());
    assert_eq!(verified["events"], tally.events);
}
