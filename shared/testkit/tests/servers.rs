//! The servers a test can have do what their names say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use testkit::nats::Nats;
use testkit::postgres::Postgres;
use testkit::process::Daemon;
use testkit::wait;

const PATIENCE: Duration = Duration::from_secs(20);

fn count(postgres: &Postgres) -> String {
    postgres.psql("yard", "SELECT count(*) FROM crates").unwrap()
}

#[test]
fn what_postgres_committed_outlives_a_stop_and_a_kill() {
    let mut postgres = Postgres::start().unwrap();
    postgres.create_database("yard").unwrap();
    postgres.psql("yard", "CREATE TABLE crates (n int)").unwrap();
    postgres.psql("yard", "INSERT INTO crates VALUES (1)").unwrap();

    postgres.stop().unwrap();
    assert!(postgres.psql("yard", "SELECT 1").is_err(), "it answered while stopped");
    postgres.start_again().unwrap();
    assert_eq!(count(&postgres), "1");

    postgres.psql("yard", "INSERT INTO crates VALUES (2)").unwrap();
    postgres.kill().unwrap();
    postgres.start_again().unwrap();
    assert_eq!(count(&postgres), "2");
}

#[test]
fn two_clusters_know_nothing_of_each_other() {
    let (one, two) = (Postgres::start().unwrap(), Postgres::start().unwrap());
    one.create_database("yard").unwrap();
    two.create_database("yard").unwrap();
    assert!(one.create_database("yard").is_err(), "the same name was taken twice");
    assert_eq!(one.psql("yard", "SHOW fsync").unwrap(), "on");
}

#[test]
fn nats_comes_back_on_the_same_port_and_its_storage_can_be_deleted() {
    let mut nats = Nats::start(true).unwrap();
    let url = nats.url();
    assert!(nats.delete_storage().is_err(), "storage was deleted under a running server");
    nats.kill().unwrap();
    nats.delete_storage().unwrap();
    nats.start_again().unwrap();
    nats.stop().unwrap();
    nats.start_again().unwrap();
    assert_eq!(nats.url(), url);
}

#[test]
fn a_program_says_its_line_and_ends_by_a_signal() {
    let mut sh = Command::new("sh");
    let mut daemon = Daemon::spawn(sh.args(["-c", "echo ready; exec sleep 600"])).unwrap();
    assert_eq!(daemon.wait_for_line("read", PATIENCE).unwrap(), "ready");
    assert!(daemon.pid() > 1 && daemon.is_running());
    daemon.term();
    assert!(!daemon.wait_for_end(PATIENCE).unwrap().success());
}

#[test]
fn a_program_that_ends_without_its_line_is_reported_with_what_it_said() {
    let mut sh = Command::new("sh");
    let mut daemon = Daemon::spawn(sh.args(["-c", "echo went wrong >&2"])).unwrap();
    let error = daemon.wait_for_line("ready", PATIENCE).unwrap_err().to_string();
    assert!(error.contains("went wrong"), "{error}");
}

#[test]
fn a_missing_program_is_answered_with_what_to_run() {
    let error = Daemon::spawn(&mut Command::new("no-such-program")).unwrap_err();
    assert!(format!("{error:#}").contains("ops/dev/setup"), "{error:#}");
}

#[test]
fn waiting_in_vain_names_what_was_waited_for() {
    let error = wait::until("the tide", Duration::from_millis(5), || false).unwrap_err();
    assert!(error.to_string().contains("the tide"), "{error}");
}

#[tokio::test]
async fn waiting_for_a_look_that_never_ends_is_cut_short() {
    let look = || std::future::pending::<bool>();
    let error = wait::until_async("the tide", Duration::from_millis(5), look).await.unwrap_err();
    assert!(error.to_string().contains("the tide"), "{error}");
}
