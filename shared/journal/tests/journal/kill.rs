//! Processes that die, and disks that take no more. The child is this test program again.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use domain::canonical::Digest;
use domain::flush::Flush;
use journal::JournalError;

use crate::given::{LIMIT, chain, draft, drafts, now, open, scratch, try_open, unsent};

const DIR: &str = "DECKLOG_TEST_JOURNAL";

fn child(command: &mut Command, name: &str, dir: &Path) -> Child {
    let test = format!("kill::{name}");
    let command = command.args([&test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(DIR, dir).stdout(Stdio::piped()).spawn().unwrap()
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

#[test]
#[ignore = "the child of a_killed_process_…"]
fn appends_until_it_is_killed() {
    let Some(dir) = child_dir() else { return };
    let (mut journal, _) = open(&dir);
    loop {
        let size = usize::try_from(journal.place().pseq).unwrap() % 5 + 1;
        journal.append(drafts(size), now()).unwrap();
        let place = journal.place();
        println!("acknowledged {} {}", place.pseq, place.last);
    }
}

/// The last event the child said it had written, after at least `least` lines.
fn kill_after(mut child: Child, least: usize) -> (u64, Digest) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let mut count = 0;
    while let Some(line) = lines.next().transpose().unwrap() {
        // The line is whole, or the process died in the middle of it.
        let Some((_, said)) = line.split_once("acknowledged ") else { continue };
        let Some((pseq, hash)) = said.split_once(' ') else { continue };
        let Ok(hash) = hash.parse() else { continue };
        last = Some((pseq.parse().unwrap(), hash));
        count += 1;
        if count == least {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last.unwrap()
}

#[test]
fn a_killed_process_leaves_every_acknowledged_event_in_its_journal_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    for round in 1..=5 {
        let child = child(&mut Command::new(&program), "appends_until_it_is_killed", dir.path());
        let (pseq, hash) = kill_after(child, 7 * round);
        let (journal, _) = open(dir.path());
        let all = unsent(&journal);
        assert!(all.len() as u64 >= pseq, "{} of {pseq}", all.len());
        let kept = journal.unsent().find(|written| written.last == pseq).unwrap();
        assert_eq!(Flush::from_bytes(&kept.bytes).unwrap().last(), hash);
    }
}

#[test]
#[ignore = "the child of a_disk_that_is_full_…"]
fn appends_until_the_disk_is_full() {
    let Some(dir) = child_dir() else { return };
    let (mut journal, _) = try_open(&dir, 40_000).unwrap();
    let error = loop {
        if let Err(error) = journal.append(vec![draft(&"x".repeat(3_000))], now()) {
            break error;
        }
    };
    assert!(matches!(error, JournalError::Io { what: "write to", .. }), "{error}");
    let place = journal.place();
    assert!(place.pseq >= 5, "{place:?}");
    drop(journal);
    let (mut journal, cut) = try_open(&dir, 40_000).unwrap();
    assert_eq!((cut, journal.place()), (None, place), "what was half written is taken back");
    assert_eq!(unsent(&journal).len() as u64, place.pseq);
    journal.committed(place.pseq).unwrap();
    let next = journal.append(vec![draft("there is room again")], now()).unwrap();
    chain(place, &[next.bytes]);
    println!("checked");
}

/// A limit on the size of a file stands for a full disk: it needs no root, and a write ends half-way likewise.
#[test]
fn a_disk_that_is_full_is_an_error_that_leaves_nothing_half_written() {
    let dir = scratch();
    // In 512-byte blocks; without the trap the signal would end the process.
    let script = "trap '' XFSZ; ulimit -f 50; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    let command = command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    let child = child(command, "appends_until_the_disk_is_full", dir.path());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("checked"), "{text}");
    let (journal, cut) = try_open(dir.path(), LIMIT).unwrap();
    assert_eq!((cut, journal.unsent().count()), (None, 1));
}
