//! Errors in the middle of a transaction, lost connections, and kill -9.

use std::process::Command;
use std::time::Duration;

use domain::ids::StreamId;
use eventlog::{Access, Appended, Appender, EventLog, LogError};
use testkit::process::Daemon;

use crate::drafts::*;
use crate::site::{Site, Who, check_counters, check_tree};
use crate::store::{Store, run as run_sql};

/// From now on no row of `table` about the job `cursed` can be written: `how` SQLite ends what it does then.
async fn curse(store: &Store, table: &str, how: &str) {
    let condition = format!("BEFORE INSERT ON {table}");
    let when = "NEW.stream = 'job/cursed'";
    let text = if store.is_postgres() {
        format!(
            "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'cursed'; END $$;
             CREATE TRIGGER curse {condition} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION curse()"
        )
    } else {
        format!(
            "CREATE TRIGGER curse {condition} WHEN {when} BEGIN SELECT RAISE({how}, 'cursed'); END"
        )
    };
    store.sql(&text).await.unwrap();
}

async fn lift(store: &Store, table: &str) {
    let on = if store.is_postgres() { format!(" ON {table}") } else { String::new() };
    store.sql(&format!("DROP TRIGGER curse{on}")).await.unwrap();
}

/// A batch with a cursed flush fails as a whole; without it, and after the curse, all goes on.
async fn fails_as_a_whole(store: &Store, table: &str, how: &str) {
    let mut site = Site::with_job(store, "a").await;
    curse(store, table, how).await;
    let (head, model) = (site.log.head().await.unwrap(), site.log.read_model_text().await.unwrap());
    let mut other = site.enrol(domain::ids::Class::Console, "other").await;
    let healthy = site.flush(Who::Console, vec![paused("a", 3)]);
    let cursed = other.flush(vec![proposed("ok", 1, 1), proposed("cursed", 1, 1)], site.now);
    for _ in 0..3 {
        let error = site.try_send(&[healthy.clone(), cursed.clone()]).await.unwrap_err();
        assert!(matches!(error, LogError::Database { .. }), "{error}");
        assert_eq!(site.log.head().await.unwrap().0, head.0 + 1, "only the enrolment came in");
        assert_eq!(site.log.read_model_text().await.unwrap().len(), model.len());
        check_tree(&site.log).await;
    }
    assert!(site.send(&[healthy]).await[0].as_ref().unwrap().all_valid());
    lift(store, table).await;
    assert!(site.send(&[cursed]).await[0].as_ref().unwrap().all_valid());
    site.valid(Who::Console, vec![resumed("a", 4)]).await;
    assert_eq!(check_tree(&site.log).await, head.0 + 5);
    check_counters(&site.log).await;
}

pub(crate) async fn an_error_in_mid_transaction_leaves_nothing_half_done(store: &Store) {
    fails_as_a_whole(store, "state", "ABORT").await;
}

/// As SQLite ends one where the disk is full, and Postgres every one in which something failed.
pub(crate) async fn a_transaction_that_the_database_ends_by_itself_keeps_nobody_from_the_next(
    store: &Store,
) {
    fails_as_a_whole(store, "state", "ROLLBACK").await;
}

pub(crate) async fn an_event_row_that_cannot_be_written_leaves_nothing_half_done(store: &Store) {
    let table = if store.is_postgres() { "event_version" } else { "event" };
    fails_as_a_whole(store, table, "ABORT").await;
}

/// Sends until it is answered, as every producer does.
async fn insist(site: &mut Site, version: u64) -> (u64, Appended) {
    let flush = site.flush(Who::Console, vec![paused("a", version), resumed("a", version + 1)]);
    let mut errors = 0;
    loop {
        match site.try_send(std::slice::from_ref(&flush)).await {
            Ok(mut results) => return (errors, results.remove(0).unwrap()),
            Err(error) => assert!(matches!(error, LogError::Database { .. }), "{error}"),
        }
        errors += 1;
    }
}

/// The server ends the first `cuts` sessions that write to the read model, in mid-transaction. A sequence
/// counts them, because it is not rolled back.
async fn cut_in_mid_transaction(store: &Store, cuts: u64) {
    let text = format!(
        "CREATE SEQUENCE cuts;
         CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('cuts') <= {cuts} THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER cut AFTER INSERT OR UPDATE ON state FOR EACH STATEMENT EXECUTE FUNCTION cut()"
    );
    store.sql(&text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_cut_off_in_mid_transaction_recovers_by_itself() {
    let store = Store::postgres();
    let mut site = Site::with_job(&store, "a").await;
    cut_in_mid_transaction(&store, 3).await;
    let (errors, appended) = insist(&mut site, 3).await;
    // An upsert is an insert and an update: both triggers may count it.
    assert!((1..=3).contains(&errors), "{errors}");
    assert!(appended.all_valid(), "{appended:?}");
    assert_eq!(check_tree(&site.log).await, 8);
    check_counters(&site.log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_whose_connections_are_cut_again_and_again_loses_nothing() {
    let store = Store::postgres();
    let mut site = Site::with_job(&store, "a").await;
    let mut killer = store.connect().await;
    let killing = tokio::spawn(async move {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        for _ in 0..40 {
            run_sql(&mut killer, cut).await.unwrap();
        }
    });
    let mut version = 3;
    while !killing.is_finished() || version < 40 {
        let (_errors, appended) = insist(&mut site, version).await;
        assert!(appended.all_valid(), "{appended:?}");
        assert_eq!(appended.events[0].position, version + 4, "twice, or lost");
        version += 2;
    }
    killing.await.unwrap();
    assert_eq!(check_tree(&site.log).await, version + 3);
    check_counters(&site.log).await;
}

/// The variable that makes the test below a recorder: the path of its file.
const CHILD: &str = "DECKLOG_CONFORMANCE_CHILD";

#[tokio::test]
#[ignore = "a recorder for another test to kill"]
async fn a_recorder_that_appends_until_it_is_killed() {
    let Ok(file) = std::env::var(CHILD) else { return };
    let log = EventLog::open(&file, Access::Append).await.unwrap();
    log.migrate().await.unwrap();
    let mut site = Site::over(log).await;
    site.approve("a").await;
    for version in (3..).step_by(2) {
        let drafts = vec![paused("a", version), resumed("a", version + 1)];
        for event in site.valid(Who::Console, drafts).await.events {
            println!("answered {} version {}", event.position, event.position - 4);
        }
    }
}

#[tokio::test]
async fn what_was_answered_before_kill_9_is_there_after_it() {
    for answers in [1, 37, 150] {
        let store = Store::sqlite();
        let answered = kill_after(&store, answers);
        let log = store.open().await;
        let size = check_tree(&log).await;
        check_counters(&log).await;
        assert!(answered.iter().copied().eq(7..7 + answered.len() as u64), "{answered:?}");
        assert!(size >= *answered.last().unwrap(), "an answered event is gone");
        let live = log.read_model_text().await.unwrap();
        log.rebuild_read_model().await.unwrap();
        assert_eq!(log.read_model_text().await.unwrap(), live);
        let appender = Appender::open(log.clone()).await.unwrap();
        let job = log.streams(&std::iter::once(StreamId::job("a")).collect()).await.unwrap();
        assert_eq!(job[&StreamId::job("a")].version, appender.head().0 - 4);
    }
}

/// Lets a recorder of its own answer so often, kills it, and returns the positions it answered.
fn kill_after(store: &Store, answers: u64) -> Vec<u64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "failing::a_recorder_that_appends_until_it_is_killed"]);
    command.args(["--ignored", "--nocapture"]).env(CHILD, store.address());
    let mut child = Daemon::spawn(&mut command).unwrap();
    let line = format!("answered {} ", 6 + answers);
    child.wait_for_line(&line, Duration::from_secs(60)).unwrap();
    child.kill9().unwrap();
    let output = child.output();
    // The last line may be cut.
    let whole = output.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let position = |line: &str| line.strip_prefix("answered ")?.split(' ').next()?.parse().ok();
    whole.lines().filter_map(position).collect()
}
