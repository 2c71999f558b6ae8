//! `decklog up`, killed with SIGKILL again and again.

use std::path::Path;
use std::time::Duration;

use testkit::process::Daemon;

use crate::evidence::{self, Marks};
use crate::programs::{Random, Up, call, decklog, run_for};

/// How often it is killed.
const LIVES: u32 = 10;
/// From the end of `--for` to the end of everything that is open.
const ORDERLY: Duration = Duration::from_secs(150);

#[test]
fn killed_at_any_moment_up_loses_no_event_starts_nothing_twice_and_accounts_for_every_run() {
    let mut random = Random::new();
    let dir = tempfile::tempdir().unwrap();
    let (data, marks) = (dir.path().join("data"), Marks::new(dir.path()));
    let first_night = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/first-night");
    let up = || {
        let mut up = decklog(["up", "--listen", "127.0.0.1:0", "--data"]);
        up.arg(&data).arg("--with").args([&first_night, &marks.jobs]);
        up
    };
    for life in 1..=LIVES {
        let mut daemon = Daemon::spawn(&mut up()).unwrap();
        // The moment of the kill is the fault: anything may be under way.
        std::thread::sleep(random.millis(2_000, 6_000));
        assert!(daemon.is_running(), "life {life} ended by itself:\n{}", daemon.output());
        daemon.kill9().unwrap();
    }
    run_for(up().args(["--for", "5s"]), ORDERLY).ended(0);

    let verified = call(&data, &["verify", "-o", "json"]).ended(0).json();
    assert_eq!(
        (&verified["runs_open"], &verified["runs_unknown"]),
        (&0.into(), &0.into()),
        "{verified}"
    );
    let events = call(&data, &["events", "-o", "jsonl"]).ended(0).out;
    let tally = evidence::count(&events, &marks);
    assert_eq!(tally.unknown, Vec::<String>::new());
    assert_eq!(verified["events"], tally.events);
}

/// What is watched ends when it likes, and whoever stops the service does not wait for that.
#[test]
fn a_service_that_is_stopped_ends_although_a_command_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (go, file) = (dir.path().join("go"), dir.path().join("jobs.yaml"));
    let text = format!(
        "name: long\ncommand: {{ argv: [/bin/sh, -c, 'while [ ! -e {} ]; do sleep 0.1; done'] }}\n",
        go.display()
    );
    std::fs::write(&file, text).unwrap();
    let data = dir.path().join("data");
    let up = Up::start(&data, &[&file]);
    up.call(&["run", "long", "--reason", "to see"]).ended(0);
    let soon = std::time::Duration::from_secs(60);
    let running =
        || up.call(&["runs", "--state", "running", "-o", "json"]).ended(0).out.contains("long@");
    testkit::wait::until("the command to run", soon, running).unwrap();
    // It is given a minute, and the command ends only after that.
    up.stop();
    std::fs::write(&go, "").unwrap();
    let up = Up::start(&data, &[]);
    let over =
        || up.call(&["runs", "--state", "succeeded", "-o", "json"]).ended(0).out.contains("long@");
    testkit::wait::until("the command to have ended well", soon, over).unwrap();
    up.stop();
}
