//! Looking into snapshots and at what runs, as people do: names of files from a host, told once the log has heard who
//! looked; and how far a backup is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::process::Daemon;
use testkit::wait;

use crate::backups::{Night, dataset, ran, succeeds};
use crate::programs::{Said, Up, decklog};

/// Long enough for a loaded machine.
const SOON: Duration = Duration::from_secs(120);

/// Two snapshots: one file is added, one changed, one removed in between.
fn two_nights(night: &Night, up: &Up) -> (String, String) {
    succeeds(up, "save", &[]);
    fs::write(night.path("source/added.txt"), "new\n").unwrap();
    fs::write(night.path("source/deep/2.txt"), "changed\n").unwrap();
    fs::remove_file(night.path("source/deep/3.txt")).unwrap();
    succeeds(up, "save", &[]);
    let known = dataset(up, "files");
    let id = |n: usize| known["snapshots"][n]["id"].as_str().unwrap()[..16].to_owned();
    (id(0), id(1))
}

fn look(up: &Up, words: &[&str]) -> Said {
    let words: Vec<&str> = ["backup"].iter().chain(words).copied().collect();
    up.call(&words)
}

/// The paths of an answer, as they end.
fn paths(looked: &Value, below: &Path) -> Vec<String> {
    let all = looked["names"].as_array().unwrap().iter();
    let path = |one: &Value| Path::new(one["path"].as_str().unwrap()).to_owned();
    let all = all.map(|one| path(one).strip_prefix(below).unwrap().display().to_string());
    let mut all: Vec<String> = all.collect();
    all.sort();
    all
}

/// What the log heard of looking: who, how, and how many names.
fn heard(up: &Up) -> Vec<(String, String, u64)> {
    let events = up.call(&["events", "-o", "json"]).ended(0).json();
    let all = events.as_array().unwrap().iter().map(|entry| &entry["event"]);
    let looked = all.filter(|event| event["type"] == "backup.looked-into");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |event: &Value| {
        let data = &event["data"];
        (text(&event["actor"]), text(&data["how"]), data["names"].as_u64().unwrap())
    };
    looked.map(one).collect()
}

#[test]
fn people_browse_find_and_compare_snapshots_and_the_log_hears_who_and_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    let (old, new) = two_nights(&night, &up);
    let source = night.path("source");
    let deep = night.text("source/deep");

    let root = look(&up, &["browse", &old, "-o", "json"]).ended(0).json();
    assert_eq!(root["names"].as_array().unwrap().len(), 1, "the root: {root}");
    let listed = look(&up, &["browse", &new, &night.text("source"), "-o", "json"]).ended(0).json();
    assert_eq!(paths(&listed, &source), ["added.txt", "deep", "link"]);
    assert_eq!((&listed["dataset"], &listed["repository"]), (&"files".into(), &"vault".into()));
    let table = look(&up, &["browse", &format!("vault:{new}"), &deep]).ended(0).out;
    assert_eq!(table.lines().count(), 1 + 1 + 59, "a head, a directory, 59 files: {table}");

    let found = look(&up, &["find", "3.txt", "-o", "json"]).ended(0).json();
    assert_eq!(paths(&found[0], &source), ["deep/3.txt"], "only the old one has it");
    let found = look(&up, &["find", "1?.txt", "--dataset", "files", "-o", "jsonl"]).ended(0).out;
    assert_eq!(found.lines().count(), 20, "ten names in two snapshots: {found}");
    let found = look(&up, &["find", "nothing-like-it"]).ended(0).out;
    assert_eq!(found.lines().count(), 1, "a head and no name: {found}");

    let differs = look(&up, &["diff", &old, &new, "-o", "json"]).ended(0).json();
    let changes = differs["names"].as_array().unwrap().iter();
    let mut changes: Vec<(&str, &str)> = changes
        .filter(|one| one["kind"] == "file")
        .map(|one| (one["change"].as_str().unwrap(), one["path"].as_str().unwrap()))
        .collect();
    changes.sort_unstable();
    let (added, changed, removed) =
        (night.text("source/added.txt"), format!("{deep}/2.txt"), format!("{deep}/3.txt"));
    assert_eq!(changes, [("added", &*added), ("changed", &*changed), ("removed", &*removed)]);

    let some = look(&up, &["browse", &new, &deep, "--limit", "5", "-o", "json"]).ended(0);
    assert!(some.err.contains("there are more names"), "{}", some.err);
    let some = some.json();
    assert_eq!((some["names"].as_array().unwrap().len(), &some["more"]), (5, &true.into()));

    let heard = heard(&up);
    let how: Vec<&str> = heard.iter().map(|(_, how, _)| how.as_str()).collect();
    let wanted = ["browse", "browse", "browse", "find", "find", "find", "diff", "browse"];
    assert_eq!(how, wanted);
    let names: Vec<u64> = heard.iter().map(|(_, _, names)| *names).collect();
    assert_eq!((names[0], names[3], names[5], names[7]), (1, 1, 0, 5), "{heard:?}");
    assert!(heard.iter().all(|(who, _, _)| who.starts_with("user/")), "{heard:?}");
    let log = up.call(&["events", "-o", "json"]).ended(0).out;
    for name in ["3.txt", "added.txt", "nothing-like-it", "1?.txt"] {
        assert!(!log.contains(name), "{name} stands in the log");
    }
    assert!(
        !dir.path()
            .join("data/executor/looks")
            .read_dir()
            .unwrap()
            .any(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with('.') })
    );
    up.call(&["verify"]).ended(0);
    up.stop();
}

#[test]
fn what_cannot_be_seen_is_said_with_a_code_and_is_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    let (old, new) = two_nights(&night, &up);
    let all: [(&[&str], i32, &str); 9] = [
        (&["browse", "ffffffffffff"], 3, "no snapshot"),
        (&["browse", &old, "/nowhere"], 3, "/nowhere"),
        (&["browse", ""], 2, "several snapshots"),
        (&["browse", &old, "--dataset", "nobody"], 3, "there is no dataset nobody"),
        (&["browse", &old, "--limit", "5001"], 2, "1 to 5000"),
        (&["browse", &old, "--host", "elsewhere"], 6, "elsewhere does not answer"),
        (&["find", "[", "--dataset", "files"], 2, "no glob"),
        (&["find", "x", "--repository", "attic", "--dataset", "files"], 3, "in attic"),
        (&["diff", &old, "ffffffffffff"], 3, "no snapshot"),
    ];
    for (words, code, says) in all {
        let said = look(&up, words);
        assert_eq!(said.code, code, "{words:?}: {said:?}");
        assert!(said.err.contains(says), "{words:?}: {said:?}");
    }
    fs::rename(night.path("vault"), night.path("unplugged")).unwrap();
    let away = look(&up, &["browse", &new]).ended(1);
    assert!(away.err.contains(&night.text("vault")), "{away:?}");
    assert_eq!(heard(&up), [], "nobody was told a name");
    up.stop();
    let nobody = crate::programs::call(&dir.path().join("data"), &["backup", "browse", &new]);
    assert_eq!(nobody.code, 6, "{nobody:?}");
}

#[test]
fn the_api_tells_names_for_a_token_only_and_with_the_position_of_the_event() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    let (old, new) = two_nights(&night, &up);
    let token = fs::read_to_string(up.data.join("console.token")).unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(SOON))
        .build()
        .into();
    let post = |path: &str, token: Option<&str>, body: Value| {
        let mut call = agent.post(format!("{}/api/v1/datasets/files/{path}", up.server));
        if let Some(token) = token {
            call = call.header("authorization", format!("Bearer {token}"));
        }
        let call = call.header("content-type", "application/json");
        let mut answer = call.send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str::<Value>(&text).unwrap())
    };
    let browse = format!("snapshots/{new}/browse");
    let diff = format!("snapshots/{old}/diff");
    let table = [
        (browse.as_str(), serde_json::json!({"path": night.text("source")}), 200, 3),
        (&diff, serde_json::json!({"with": new, "limit": 2}), 200, 2),
        ("find", serde_json::json!({"pattern": "3.txt", "repository": "vault"}), 200, 1),
        ("find", serde_json::json!({"pattern": "3.txt", "host": "nobody"}), 503, 0),
        ("find", serde_json::json!({"pattern": ""}), 400, 0),
        ("find", serde_json::json!({"patern": "3.txt"}), 400, 0),
        ("snapshots/ffff/browse", serde_json::json!({}), 404, 0),
    ];
    let mut position = 0;
    for (path, body, status, names) in table {
        let (code, said) = post(path, Some(token.trim()), body.clone());
        assert_eq!(code, status, "{path} {body}: {said}");
        if status == 200 {
            assert_eq!(said["looked"]["names"].as_array().unwrap().len(), names, "{said}");
            assert!(said["position"].as_u64().unwrap() > position, "{said}");
            position = said["position"].as_u64().unwrap();
        }
    }
    assert_eq!(post("find", None, serde_json::json!({"pattern": "3.txt"})).0, 401);
    assert_eq!(heard(&up).len(), 3);
    up.stop();
}

#[test]
fn a_host_whose_owner_does_not_want_it_tells_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let data = dir.path().join("data");
    let up = Up::start(&data, &[&night.site("")]);
    two_nights(&night, &up);
    up.stop();
    let (vault, password) = (night.text("vault"), night.text("password"));
    let allow = night.path("allow.toml");
    let list = |more: &str, repository: &str, password: &str| {
        let text = format!(
            "[backup]\nuser = \"*\"\n{more}repositories = [{repository:?}]\nsecrets = [\"file:{password}\"]\n"
        );
        fs::write(&allow, text).unwrap();
    };
    let table = [
        ("", vault.as_str(), password.as_str(), 0, ""),
        ("look = false\n", &vault, &password, 4, "look = true"),
        ("", "/elsewhere", &password, 4, "add"),
        ("", &vault, "/elsewhere", 4, "the secret"),
    ];
    for (more, repository, password, code, says) in table {
        list(more, repository, password);
        let up = Up::start_allowing(&data, &allow);
        // The log does not know at once that the host is there.
        let mut said = look(&up, &["find", "17.txt", "--dataset", "files"]);
        let known = || {
            if said.err.contains("no host that is up") {
                said = look(&up, &["find", "17.txt", "--dataset", "files"]);
            }
            !said.err.contains("no host that is up")
        };
        wait::until("the log to know the host", SOON, known).unwrap();
        assert_eq!(said.code, code, "{more}{repository}: {said:?}");
        assert!(said.err.contains(says), "{said:?}");
        assert_eq!(said.out.contains("17.txt"), code == 0, "{said:?}");
        up.stop();
    }
}

#[test]
fn who_prunes_does_not_disturb_who_looks_and_what_is_forgotten_is_said_to_be_gone() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    for number in 1..=4 {
        fs::write(night.path("source/today.txt"), format!("{number}\n")).unwrap();
        succeeds(&up, "save", &[]);
    }
    let known = dataset(&up, "files");
    let id = |n: usize| known["snapshots"][n]["id"].as_str().unwrap()[..16].to_owned();
    let (oldest, newest) = (id(0), id(3));
    std::thread::scope(|scope| {
        let removing = scope.spawn(|| {
            for job in ["forget", "prune", "prune"] {
                ran(&up, job, &[]).ended(0);
            }
        });
        let mut looks = 0;
        while !removing.is_finished() || looks < 3 {
            look(&up, &["browse", &newest, &night.text("source/deep")]).ended(0);
            looks += 1;
        }
    });
    let gone = look(&up, &["browse", &oldest]).ended(3);
    assert!(gone.err.contains("the log knows no snapshot"), "{gone:?}");
    up.stop();
}

#[test]
fn how_far_a_backup_is_can_be_seen_while_it_runs_and_its_output_does_not_drown_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let go = night.text("go");
    // Its last bytes come when somebody says so.
    let dump = night.path("dump");
    let script = format!(
        "#!/bin/sh\nhead -c 9000000 /dev/urandom\nwhile [ ! -e {go} ]; do sleep 0.1; done\necho end\n"
    );
    fs::write(&dump, script).unwrap();
    fs::set_permissions(&dump, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let more = format!(
        "---
name: dump
kind: backup
backup:
  dataset: files
  repository: vault
  output-of: {{argv: ['{}'], file-name: dump}}
",
        dump.display()
    );
    let up = Up::start(&dir.path().join("data"), &[&night.site(&more)]);
    let asked = up.call(&["run", "dump", "--reason", "test", "-o", "json"]).ended(0).json();
    let run = asked["stream"].as_str().unwrap().to_owned();
    let mut watched =
        Daemon::spawn(decklog(["backup", "watch", &run, "--data"]).arg(&up.data)).unwrap();

    let mut status = Value::Null;
    let far = || {
        let said = look(&up, &["status", "-o", "json"]);
        status = said.json()[0]["running"].clone();
        status[0]["progress"]["bytes"].as_u64().is_some_and(|bytes| bytes >= 9_000_000)
    };
    wait::until("the status to say how far it is", SOON, far).unwrap();
    assert_eq!(status[0]["run"], run.as_str(), "{status}");
    assert!(status[0]["progress"]["phase"].is_string(), "{status}");
    let words = look(&up, &["status"]).out;
    assert!(words.contains("8.5 MiB"), "{words}");
    let shown = up.call(&["run-show", &run]).ended(0).out;
    assert!(shown.contains("progress  ") && shown.contains("8.5 MiB"), "{shown}");
    let line = watched.wait_for_line("\"phase\"", SOON).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert!(line["bytes"].is_u64() && line["at"].is_string(), "{line}");

    fs::write(&go, "").unwrap();
    assert!(watched.wait_for_end(SOON).unwrap().success(), "{}", watched.output());
    let said = up.call(&["logs", &run, "--follow"]).ended(0).out;
    assert!(said.contains("snapshot ") && !said.contains('{'), "words and no JSON: {said}");
    let shown = up.call(&["run-show", &run]).ended(0).out;
    assert!(!shown.contains("progress  "), "it has ended: {shown}");
    let status = look(&up, &["status", "-o", "json"]).json();
    assert_eq!(status[0]["running"], serde_json::json!([]));
    let log = up.call(&["events", "-o", "json"]).ended(0).out;
    assert!(!log.contains("\"phase\""), "no event says how far it is");
    up.stop();
}

#[test]
fn a_restore_without_services_says_how_far_it_is_as_lines_of_json_where_no_terminal_is() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    succeeds(&up, "save", &[]);
    up.stop();
    let (vault, password, to) = (night.text("vault"), night.text("password"), night.text("back"));
    let words = ["restore", "--repository", &vault, "--password-file", &password, "--to", &to];
    let said = crate::programs::run(&mut crate::programs::executor(words)).ended(0);
    let last = said.out.lines().last().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert!(last["files"].as_u64().unwrap() > 0 && last["phase"].is_string(), "{last}");
    assert!(said.err.contains("compared with the manifest"), "{}", said.err);
}
