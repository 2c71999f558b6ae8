//! Files on a server: OpenSSH's, and a program that breaks off.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use delivery::sftp::{Server, put};
use delivery::{DeliveryError, Put, Step};
use tempfile::TempDir;
use testkit::storage::Sshd;
use testkit::wait;

use crate::support::{LIMIT, LONG, assert_names_nobody};

fn server(sshd: &Sshd, dir: &str) -> (Server, PathBuf) {
    let place = sshd.directory(dir);
    fs::create_dir_all(&place).expect("a directory");
    let to = format!("vault:{}", place.display()).parse().expect("a place");
    let (program, config) = (PathBuf::from("sftp"), Some(sshd.ssh_config()));
    (Server { to, program, config, time_limit: LONG, limit_bytes: LIMIT }, place)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_file_arrives_whole_under_its_name_and_nothing_else_stays() {
    let sshd = Sshd::start().expect("a server");
    let (server, place) = server(&sshd, "out dir");
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for name in ["a.pdf", "-rf.pdf", "Prüfung $HOME; x `y` ~ #1 & (2).pdf", " a ", "日本.pdf"] {
        assert_eq!(put(&server, name, &content), Ok(Put::Written), "{name}");
        assert!(fs::read(place.join(name)).expect("it is there") == content, "{name}");
        let mode = fs::metadata(place.join(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        fs::remove_file(place.join(name)).expect("it is there");
    }
    assert_eq!(put(&server, "empty", b""), Ok(Put::Written));
    assert_eq!(names(&place), ["empty"]);
}

#[test]
fn the_same_document_again_is_there_already_and_another_is_refused() {
    let sshd = Sshd::start().expect("a server");
    let (server, place) = server(&sshd, "out");
    assert_eq!(put(&server, "a.pdf", b"content"), Ok(Put::Written));
    assert_eq!(put(&server, "a.pdf", b"content"), Ok(Put::AlreadyThere));
    for other in [&b"CONTENT"[..], b"content and more", b""] {
        let error = put(&server, "a.pdf", other).expect_err("it is taken");
        let DeliveryError::Refused { what: Step::Name, permanent: true, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(error.without_names(), "refused for good: naming the file");
    }
    assert_eq!(fs::read(place.join("a.pdf")).expect("it is there"), b"content");
    assert_eq!(names(&place), ["a.pdf"]);
}

#[test]
fn a_directory_that_is_not_there_is_refused_for_now() {
    let sshd = Sshd::start().expect("a server");
    let (server, place) = server(&sshd, "out");
    fs::remove_dir(&place).expect("an empty directory");
    let error = put(&server, "a.pdf", b"x").expect_err("there is no directory");
    assert!(matches!(error, DeliveryError::Refused { what: Step::Content, .. }), "{error:?}");
    assert!(error.may_be_tried_again() && error.to_string().contains("No such file"), "{error}");
    assert_names_nobody(&error.without_names());
}

#[test]
fn a_server_that_is_not_known_or_not_there_gets_nothing() {
    let mut sshd = Sshd::start().expect("a server");
    let (server, place) = server(&sshd, "out");
    let config = fs::read_to_string(sshd.ssh_config()).expect("a file");
    let unknown = place.join("unknown_config");
    let config = config.replace("known_hosts\n", "other_hosts\n");
    fs::write(&unknown, config.replace("Checking yes", "Checking no")).expect("a file");
    let stranger = Server { config: Some(unknown), ..server.clone() };
    let error = put(&stranger, "a.pdf", b"x").expect_err("its key is not known");
    let DeliveryError::Unreached { step: Step::Connect, why, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(why.contains("Host key verification failed"), "{why}");
    sshd.kill().expect("it ends");
    let error = put(&server, "a.pdf", b"x").expect_err("it is not there");
    assert!(matches!(error, DeliveryError::Unreached { step: Step::Connect, .. }), "{error:?}");
    assert!(!place.join("a.pdf").exists());
}

#[test]
fn names_that_sftp_would_read_as_something_else_are_refused() {
    let to = "vault:/srv".parse().expect("a place");
    let program = PathBuf::from("/nowhere/sftp");
    let server = Server { to, program, config: None, time_limit: LONG, limit_bytes: 5 };
    for name in ["a\"b", "a\nrm x", "*", "a?", "[a]", "a\\b", "../a", ".a", "'a", ""] {
        let error = put(&server, name, b"x").expect_err(name);
        assert!(matches!(error, DeliveryError::BadMessage { .. }), "{name:?}: {error:?}");
    }
    let error = put(&server, "a.pdf", b"too much").expect_err("too large");
    assert_eq!(error, DeliveryError::TooLarge { bytes: 8, limit: 5 });
    let error = put(&server, "a.pdf", b"x").expect_err("no program");
    assert!(error.to_string().contains("install OpenSSH's client"), "{error}");
}

/// A program in the place of `sftp` that says it began these commands and then does this.
fn broken(dir: &TempDir, begun: &[&str], then: &str) -> Server {
    let program = dir.path().join("sftp");
    let said: String = begun.iter().map(|one| format!("echo 'sftp> {one}'\n")).collect();
    fs::write(&program, format!("#!/bin/sh\n{said}{then}\n")).expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    let to = "hans@vault.example:/srv".parse().expect("a place");
    Server { to, program, config: None, time_limit: LONG, limit_bytes: LIMIT }
}

#[test]
fn a_session_that_breaks_off_has_brought_nothing_until_the_file_is_named() {
    for ending in ["exit 255", "echo 'Connection closed' >&2; exit 1", "kill -9 $$"] {
        for (begun, step) in [
            (&[][..], Some(Step::Connect)),
            (&["put"], Some(Step::Content)),
            (&["put", "rename"], None),
        ] {
            let dir = TempDir::new().expect("a directory");
            let error = put(&broken(&dir, begun, ending), "a.pdf", b"x").expect_err("it breaks");
            match (&error, step) {
                (DeliveryError::Unreached { step, .. }, Some(expected)) => {
                    assert_eq!(*step, expected);
                }
                (DeliveryError::Lost { step: Step::Name, .. }, None) => {}
                other => panic!("{other:?}"),
            }
            assert_names_nobody(&error.without_names());
        }
    }
}

#[test]
fn when_time_is_up_everything_that_was_started_ends() {
    for (begun, lost) in [(&["put"][..], false), (&["put", "rename"], true)] {
        let dir = TempDir::new().expect("a directory");
        let mark = dir.path().join("child");
        let hang = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", mark.display());
        let server = Server { time_limit: Duration::from_secs(5), ..broken(&dir, begun, &hang) };
        let error = put(&server, "a.pdf", b"x").expect_err("it takes too long");
        assert_eq!(error.may_have_arrived(), lost, "{error:?}");
        assert!(error.without_names().contains("timed out"), "{error:?}");
        let child = fs::read_to_string(&mark).expect("it was started");
        let stat = format!("/proc/{}/stat", child.trim());
        let gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"));
        wait::until("the end of what it started", LONG, gone).expect("it was killed");
    }
}

#[test]
fn a_program_that_talks_without_end_is_ended() {
    let dir = TempDir::new().expect("a directory");
    let error = put(&broken(&dir, &["put"], "exec yes >&2"), "a.pdf", b"x").expect_err("too much");
    assert!(matches!(error, DeliveryError::Unreached { step: Step::Content, .. }), "{error:?}");
    assert!(error.to_string().len() < 1000);
}
