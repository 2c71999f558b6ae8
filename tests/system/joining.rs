//! A host joins by the line that a console shows once.

use std::path::Path;
use std::time::Duration;

use testkit::process::Daemon;
use testkit::wait;

use crate::programs::{READY, Said, executor, run};
use crate::site::Site;

fn join(line: &str, folder: &Path) -> Said {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words.first(), Some(&"decklog-executor"), "{line}");
    let (dir, data) = (folder.join("etc"), folder.join("data"));
    run(executor(&words[1..]).arg("--dir").arg(dir).arg("--data").arg(data))
}

fn state(site: &Site, name: &str) -> String {
    let hosts = site.call(&["host", "list", "-o", "json"]).ended(0).json();
    let own = hosts.as_array().unwrap().iter().find(|host| host["host"] == name);
    own.map(|host| host["state"].as_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn a_host_joins_by_the_line_that_is_shown_once_and_nothing_may_run_there_until_its_own_file_says_so()
 {
    let mut site = Site::start();
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (dir.path().join("db-07"), dir.path().join("other"));
    let invite = ["host", "invite", "db-07", "--reason", "the new database host"];
    let invited = site.call(&invite).ended(0);
    let line = invited.out.trim();
    assert!(invited.err.contains("paste this on db-07, as root, until"), "{}", invited.err);
    assert_eq!(state(&site, "db-07"), "invited");

    // A code that is none, and one of another host, let nobody in and leave no configuration.
    let wrong = line.rsplit_once(' ').unwrap().0.to_owned() + " abcde-fghjk-mnpqr-stuvw";
    for line in [wrong, line.replace(" db-07 ", " db-08 ")] {
        let refused = join(&line, &other).ended(1).err;
        assert!(refused.contains("the join token does not fit"), "{refused}");
        assert!(!other.join("etc/executor.toml").exists());
    }

    let joined = join(line, &own).ended(0).out;
    assert!(joined.contains("host db-07 is let in") && joined.contains("nothing yet"), "{joined}");
    let again = join(line, &own).ended(1).err;
    assert!(again.contains("executor.toml is there already"), "{again}");
    let second = join(line, &other).ended(1).err;
    assert!(second.contains("executor/db-07 is enrolled with another key"), "{second}");
    let third = site.call(&invite).ended(5).err;
    assert!(third.contains("a host of that name is let in already"), "{third}");

    let mut agent = executor(["--config"]);
    let mut daemon = Daemon::spawn(agent.arg(own.join("etc/executor.toml"))).unwrap();
    daemon.wait_for_line("\"message\":\"ready\"", READY).unwrap();
    site.wait_for("the new host to be up", |site| state(site, "db-07") == "up");
    let events = site.call(&["events", "-o", "jsonl"]).ended(0).out;
    assert!(events.contains("\"ground\":\"invitation\""));
    let code = line.rsplit_once(' ').unwrap().1;
    assert!(!events.contains(code), "the code itself is in no event");

    // Its own file decides.
    let yaml = "name: on-db\nselect: { host: db-07 }\ncommand: { argv: [/bin/true] }\n";
    let file = dir.path().join("on-db.yaml");
    std::fs::write(&file, yaml).unwrap();
    site.call(&["apply", file.to_str().unwrap(), "--reason", "to see it"]).ended(0);
    site.call(&["run", "on-db", "--reason", "to see it"]).ended(0);
    let failed = ["runs", "--job", "on-db", "--state", "failed", "-o", "json"];
    site.wait_for("the host to refuse it", |site| site.call(&failed).out.contains("on-db@"));
    let said = site.call(&["events", "-o", "jsonl"]).ended(0).out;
    let said = said.lines().find(|line| line.contains("run/on-db") && line.contains("run.failed"));
    assert!(said.is_some_and(|line| line.contains("this host does not allow")), "{said:?}");
    site.call(&["job", "retire", "on-db", "--reason", "seen"]).ended(0);
    daemon.term();
    daemon.wait_for_end(Duration::from_secs(30)).unwrap();
    wait::until("it to be down", READY, || state(&site, "db-07") == "down").unwrap();
    let stolen = own.join("etc/executor.toml");
    a_stolen_host_is_heard_no_more(&mut site, &stolen);
    a_host_that_was_installed_anew_has_another_key(&mut site, &stolen, &dir.path().join("anew"));
    site.settle_and_count();
}

fn a_stolen_host_is_heard_no_more(site: &mut Site, config: &Path) {
    let start = || {
        let mut agent = executor(["--config"]);
        Daemon::spawn(agent.arg(config)).unwrap()
    };
    let mut stolen = start();
    site.wait_for("it to be up again", |site| state(site, "db-07") == "up");
    let revoke = ["host", "revoke", "db-07", "--reason", "it was stolen"];
    let said = site.call(&revoke).ended(0).out;
    assert!(said.contains("nothing that it says from now on counts"), "{said}");
    assert_eq!(state(site, "db-07"), "revoked");
    let again = site.call(&revoke).ended(5).err;
    assert!(again.contains("the host's key was revoked"), "{again}");
    // Its farewell is refused, and so is whoever starts it once more.
    stolen.term();
    stolen.wait_for_end(Duration::from_secs(30)).unwrap();
    let mut back = start();
    let status = back.wait_for_end(READY).unwrap();
    let output = back.output();
    assert!(
        !status.success() && output.contains("the key of executor/db-07 was revoked"),
        "{output}"
    );
    assert_eq!(state(site, "db-07"), "revoked");
    let invite = ["host", "invite", "db-07", "--reason", "once more"];
    assert!(site.call(&invite).ended(5).err.contains("invite it again with another key"));
}

/// A machine that was installed anew: it has the name, and another key.
fn a_host_that_was_installed_anew_has_another_key(site: &mut Site, stolen: &Path, anew: &Path) {
    let invite = ["host", "invite", "db-07", "--again", "--reason", "a new disk"];
    let line = site.call(&invite).ended(0).out;
    assert!(line.trim().ends_with(" --key-number 2"), "{line}");
    // Whoever has the code and says another number, or was let in before, has nothing of it.
    let third = line.replace("--key-number 2", "--key-number 3");
    let refused = join(&third, &anew.join("third")).ended(1).err;
    assert!(refused.contains("the join token does not fit"), "{refused}");
    let joined = join(&line, anew).ended(0).out;
    assert!(joined.contains("host db-07 is let in"), "{joined}");
    let second = join(&line, &anew.join("second")).ended(1).err;
    assert!(second.contains("executor/db-07~2 is enrolled with another key"), "{second}");

    let mut agent = executor(["--config"]);
    let mut daemon = Daemon::spawn(agent.arg(anew.join("etc/executor.toml"))).unwrap();
    daemon.wait_for_line("\"message\":\"ready\"", READY).unwrap();
    site.wait_for("the new machine to be up", |site| state(site, "db-07") == "up");
    let mut agent = executor(["--config"]);
    let mut old = Daemon::spawn(agent.arg(stolen)).unwrap();
    assert!(!old.wait_for_end(READY).unwrap().success());
    assert_eq!(state(site, "db-07"), "up");
    let events = site.call(&["events", "-o", "jsonl"]).ended(0).out;
    let said = |line: &str| line.contains("executor/db-07~2") && line.contains("host.started");
    assert!(events.lines().any(said), "it speaks with its own key");
    daemon.term();
    daemon.wait_for_end(Duration::from_secs(30)).unwrap();
    wait::until("it to be down", READY, || state(site, "db-07") == "down").unwrap();
}
