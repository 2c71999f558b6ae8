//! A log of which segments move into files, while whoever moves them is killed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testkit::process::Daemon;
use testkit::wait;

use crate::programs::{READY, Random, call, decklog, run, run_for, sql, verifier};

/// Events of a segment, and how many segments the log has.
const SEGMENT: u64 = 16_384;
const SEGMENTS: u64 = 2;
/// How often whoever moves them is killed.
const LIVES: u32 = 8;
/// How long a measurement may take to make the site, and a verifier to read it.
const LONG: Duration = Duration::from_secs(300);

/// A site with a past of more events than two segments have.
fn seeded(dir: &Path) -> std::path::PathBuf {
    let size = ["--jobs", "100", "--runs", "9000", "--events", "34000"];
    run_for(decklog(["bench", "seed", "--dir"]).arg(dir).args(size), LONG).ended(0);
    dir.join("site")
}

fn up(data: &Path) -> Command {
    let mut up = decklog(["up", "--listen", "127.0.0.1:0", "--archive-after", "1s", "--data"]);
    up.arg(data);
    up
}

fn segments(data: &Path) -> u64 {
    let listed = call(data, &["archive", "list", "-o", "json"]).ended(0).json();
    listed.as_array().unwrap().len() as u64
}

#[test]
fn killed_while_segments_move_into_files_the_log_is_whole_and_verified() {
    let (mut random, dir) = (Random::new(), tempfile::tempdir().unwrap());
    let data = seeded(dir.path());
    let before = run_for(decklog(["verify", "-o", "json", "--data"]).arg(&data), LONG).ended(0);
    assert!(before.json()["events"].as_u64().unwrap() > SEGMENTS * SEGMENT);
    for life in 1..=LIVES {
        let mut daemon = Daemon::spawn(&mut up(&data)).unwrap();
        daemon.wait_for_line("API  http://", READY).unwrap();
        // The moment of the kill is the fault: a file may be half written, or there and not told of, or told of and the database
        // on its way to forget.
        std::thread::sleep(random.millis(0, 700));
        assert!(daemon.is_running(), "life {life} ended by itself:\n{}", daemon.output());
        daemon.kill9().unwrap();
    }
    let mut daemon = Daemon::spawn(&mut up(&data)).unwrap();
    let gone = || {
        let left = format!(
            "SELECT COUNT(*) FROM event WHERE length(leaf) > 0 AND position <= {}",
            SEGMENTS * SEGMENT
        );
        segments(&data) == SEGMENTS && sql(&data, &left) == "0"
    };
    wait::until("two segments to be in files alone", READY, gone).unwrap();
    daemon.term();
    daemon.wait_for_end(READY).unwrap();

    let checked = call(&data, &["archive", "check"]).ended(0).out;
    assert_eq!(checked, "2 segments are as they were archived\n");
    let after = run_for(decklog(["verify", "-o", "json", "--data"]).arg(&data), LONG).ended(0);
    let (before, after) = (before.json(), after.json());
    assert_eq!(after["occurrences_recorded"], before["occurrences_recorded"]);
    assert_eq!(after["runs"], before["runs"]);
    call(&data, &["doctor"]).ended(0);
    evidence_is_made_of_the_files(&data, dir.path());
    a_file_that_is_gone_is_named(&data);
}

fn evidence_is_made_of_the_files(data: &Path, dir: &Path) {
    let bundle = dir.join("evidence.tar");
    let mut export = decklog(["evidence", "export", "--data"]);
    run_for(export.arg(data).arg("--to").arg(&bundle), LONG).ended(0);
    let said = run_for(verifier(["--json"]).arg(&bundle), LONG).ended(2).json();
    let names: Vec<&str> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["kind"].as_str())
        .collect();
    assert_eq!(names, ["NO_POLICY"], "{said}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/evidence/verify.py");
    let said = run_for(Command::new("/usr/bin/python3").arg(script).arg(&bundle), LONG).ended(2);
    assert_eq!(
        said.out.lines().filter(|line| line.starts_with("FINDING")).count(),
        1,
        "{}",
        said.out
    );
}

fn a_file_that_is_gone_is_named(data: &Path) {
    let (file, away) = (data.join("archive/segment-000001.zst"), data.join("archive/away"));
    std::fs::rename(&file, &away).unwrap();
    let gone = "segment-000001.zst is not there";
    let checked = call(data, &["archive", "check"]).ended(1);
    assert!(checked.out.contains(gone), "{}", checked.out);
    let doctor = call(data, &["doctor"]).ended(1);
    assert!(doctor.out.contains(gone), "{}", doctor.out);
    let verified = run(decklog(["verify", "--data"]).arg(data));
    assert!(verified.code != 0 && verified.err.contains(gone), "{verified:?}");
    std::fs::rename(&away, &file).unwrap();
    call(data, &["archive", "check"]).ended(0);
}
