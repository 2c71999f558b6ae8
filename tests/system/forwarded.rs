//! Events and heads at a collector of logs that nobody here wrote: rsyslog, over TLS.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::port;
use testkit::process::Daemon;
use testkit::wait;

use crate::programs::{Said, Up, call, certificate, decklog, run, sql};

/// How long what is sent may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(120);
const JOBS: &str = "name: count\ncommand: { script: 'echo counted' }\n";

/// A collector's directory, port and certificate.
struct Collector {
    dir: PathBuf,
    port: u16,
    certificate: String,
}

impl Collector {
    fn new(dir: &Path) -> Self {
        let dir = dir.join("collector");
        fs::create_dir(&dir).unwrap();
        let (certificate, key) = certificate(&dir, "localhost");
        let port = port::free().unwrap();
        let collector = Self { dir, port, certificate };
        let at = |name: &str| collector.dir.join(name).display().to_string();
        let text = format!(
            "global(workDirectory=\"{dir}\" maxMessageSize=\"64k\" DefaultNetstreamDriver=\"gtls\" \
             DefaultNetstreamDriverCAFile=\"{cert}\" DefaultNetstreamDriverCertFile=\"{cert}\" \
             DefaultNetstreamDriverKeyFile=\"{key}\")\n\
             module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
             StreamDriver.AuthMode=\"anon\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
             template(name=\"fields\" type=\"string\" string=\"%pri%|%app-name%|%msgid%|%hostname%|%msg%\\n\")\n\
             action(type=\"omfile\" file=\"{out}\" template=\"fields\")\n",
            dir = collector.dir.display(),
            cert = collector.certificate,
            out = at("out"),
        );
        fs::write(at("conf"), text).unwrap();
        collector
    }

    fn start(&self) -> Daemon {
        let mut command = Command::new("/usr/sbin/rsyslogd");
        command.arg("-n").arg("-f").arg(self.dir.join("conf"));
        let daemon = Daemon::spawn(command.arg("-i").arg(self.dir.join("pid"))).unwrap();
        let up = || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        wait::until("the collector to listen", SOON, up).unwrap();
        daemon
    }

    /// What came, in its order: priority, name of the program, kind, host, and the event.
    fn came(&self) -> Vec<(String, String, String, String, Value)> {
        let text = fs::read_to_string(self.dir.join("out")).unwrap_or_default();
        let ours = text.lines().filter(|line| line.contains("|decklog|"));
        let read = |line: &str| {
            let mut parts = line.splitn(5, '|').map(str::to_owned);
            let mut next = || parts.next().unwrap();
            let fields = (next(), next(), next(), next());
            let body = serde_json::from_str(next().trim()).unwrap();
            (fields.0, fields.1, fields.2, fields.3, body)
        };
        ours.map(read).collect()
    }

    /// The positions of events that came.
    fn positions(&self) -> Vec<u64> {
        let events = self.came().into_iter().filter(|one| one.2 != "head");
        events.map(|one| one.4["metadata"]["sequence"].as_u64().unwrap()).collect()
    }

    fn forward(&self, data: &Path, certificate: &str) -> Command {
        let mut command = decklog(["forward", "--ca", certificate, "--to"]);
        command.arg(format!("syslog+tls://localhost:{}", self.port));
        command.arg("--state").arg(self.dir.join("state")).arg("--data").arg(data);
        command
    }

    fn once(&self, data: &Path) -> Said {
        run(self.forward(data, &self.certificate).arg("--once"))
    }
}

/// A log with a run in it and a signed head over its end, and nothing at work on it.
fn grown(dir: &Path) -> PathBuf {
    let (file, data) = (dir.join("jobs.yaml"), dir.join("data"));
    fs::write(&file, JOBS).unwrap();
    let up = Up::start(&data, &[&file]);
    up.call(&["run", "count", "--reason", "to be told of", "--follow"]).ended(0);
    up.stop();
    data
}

fn size(data: &Path) -> u64 {
    let out = call(data, &["events", "-o", "jsonl"]).ended(0).out;
    out.lines().count() as u64
}

#[test]
fn every_event_and_each_head_comes_to_a_collector_once_and_in_order_and_goes_on_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let data = grown(dir.path());
    let collector = Collector::new(dir.path());
    let mut daemon = collector.start();
    for _ in 0..2 {
        collector.once(&data).ended(0);
        let size = size(&data);
        let all: Vec<u64> = (1..=size).collect();
        wait::until("all to come", SOON, || collector.positions().len() as u64 >= size).unwrap();
        assert_eq!(collector.positions(), all);
        let mut heads = collector.came().into_iter().filter(|one| one.2 == "head");
        let newest = heads.next_back().unwrap().4;
        assert_eq!(newest["metadata"]["sequence"], size, "{newest}");
        assert!(newest["unmapped"]["head"].as_str().unwrap().contains("\u{2014} decklog.local/"));
        // More of it for the next time.
        grown(dir.path());
    }
    let came = collector.came();
    let of = |kind: &str| came.iter().find(|one| one.2 == kind).unwrap();
    let (priority, program, _, host, body) = of("run.succeeded");
    assert_eq!((priority.as_str(), program.as_str()), ("110", "decklog"), "audit, informational");
    assert!(host.starts_with("executor/"), "{host}");
    assert_eq!((&body["class_uid"], &body["job"]["name"]), (&1006.into(), &"count".into()));
    let asked = &of("run.requested").4;
    assert_eq!(asked["actor"]["user"]["name"], "admin", "{asked}");
    daemon.term();
    daemon.wait_for_end(SOON).unwrap();
}

#[test]
fn a_collector_that_is_away_or_is_somebody_else_gets_nothing_and_nothing_is_lost_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = grown(dir.path());
    let collector = Collector::new(dir.path());
    let away = collector.once(&data);
    assert!(away.code != 0 && away.err.contains("nothing has arrived"), "{away:?}");
    let mut daemon = collector.start();
    let (other, _) = certificate(dir.path(), "other");
    let said = run(collector.forward(&data, &other).arg("--once"));
    assert!(said.code != 0 && said.err.contains("starting TLS"), "{said:?}");
    assert_eq!(collector.positions(), [] as [u64; 0]);

    let mut forwarding =
        Daemon::spawn(&mut collector.forward(&data, &collector.certificate)).unwrap();
    let all = |data: &Path| -> BTreeSet<u64> { (1..=size(data)).collect() };
    let came = || collector.positions().into_iter().collect::<BTreeSet<u64>>();
    wait::until("all to come", SOON, || came() == all(&data)).unwrap();
    // What the collector had not written when it died comes again.
    let before = came();
    daemon.kill9().unwrap();
    fs::remove_file(collector.dir.join("out")).unwrap();
    grown(dir.path());
    forwarding.wait_for_line("trying again", SOON).unwrap();
    let daemon = collector.start();
    let settled = || fs::read_to_string(collector.dir.join("state")).unwrap();
    let kept: Value = serde_json::from_str(&settled()).unwrap();
    let kept = kept["position"].as_u64().unwrap();
    let came = || -> BTreeSet<u64> {
        let earlier = before.iter().copied().filter(|position| *position <= kept);
        earlier.chain(collector.positions()).collect()
    };
    wait::until("all to come", SOON, || came() == all(&data)).unwrap();
    for mut one in [daemon, forwarding] {
        one.term();
        one.wait_for_end(SOON).unwrap();
    }
}

#[test]
fn other_shippers_take_lines_of_json_and_a_wrong_address_is_told_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let data = grown(dir.path());
    let state = dir.path().join("state");
    let forward = |to: &str| {
        let mut command = decklog(["forward", "--once", "--to", to, "--data"]);
        run(command.arg(&data).arg("--state").arg(&state))
    };
    let said = forward("udp://siem.example").ended(2);
    assert!(said.err.contains("syslog+tls://HOST[:PORT], or -"), "{}", said.err);
    assert!(!state.exists());
    let nowhere = decklog(["forward", "--once", "--to", "-", "--state", "nowhere/state", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(!nowhere.status.success() && nowhere.stdout.is_empty(), "{nowhere:?}");
    let out = forward("-").ended(0).out;
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let heads = lines.iter().filter(|one| one["metadata"]["event_code"] == "head").count() as u64;
    assert!(heads > 0 && lines.len() as u64 == size(&data) + heads, "{out}");
    assert_eq!(forward("-").ended(0).out, "", "it was all told");
    let kept = fs::read_to_string(&state).unwrap();
    let far = kept.replace("\"position\":", "\"position\":9");
    fs::write(&state, far).unwrap();
    assert!(forward("-").ended(1).err.contains("it was cut, or brought back"));
    let origin = sql(&data, "SELECT origin FROM ledger");
    for (text, says) in
        [(kept.replace(&origin, "other/log"), "give each log a file"), ("{".to_owned(), "state")]
    {
        fs::write(&state, text).unwrap();
        let said = forward("-").ended(2);
        assert!(said.err.contains(says) && said.out.is_empty(), "{said:?}");
    }
}
