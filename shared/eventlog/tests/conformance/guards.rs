//! What the database itself refuses, whoever asks.

use eventlog::{Access, Appender, EventLog, LogError};
use sqlx::{AnyConnection, Connection as _};
use tlog::Frontier;

use crate::drafts::*;
use crate::site::{Site, Who, check_tree};
use crate::store::{Store, run};

/// The tables of the log, and a column of each.
const TABLES: [(&str, &str); 8] = [
    ("event", "position"),
    ("event_000000", "position"),
    ("event_id", "position"),
    ("event_producer", "position"),
    ("event_version", "position"),
    ("checkpoint", "size"),
    ("head", "size"),
    ("detached", "size"),
];
const MODEL: [(&str, &str); 5] = [
    ("state", "version"),
    ("turn", "settled"),
    ("acted", "actor"),
    ("producer", "pseq"),
    ("ledger", "self_approval"),
];

fn changes((table, column): (&str, &str)) -> [String; 3] {
    [
        format!("UPDATE {table} SET {column} = {column}"),
        format!("DELETE FROM {table}"),
        format!("TRUNCATE {table}"),
    ]
}

/// A statement that must fail, and with this reason.
pub(crate) async fn refused(connection: &mut AnyConnection, statement: &str, reason: &str) {
    let Err(error) = run(connection, statement).await else { unreachable!("{statement} was done") };
    assert!(error.to_string().contains(reason), "{statement}: {error}");
}

/// A log with rows in every table.
async fn full_log(store: &Store) -> Site {
    let site = Site::with_job(store, "a").await;
    site.log.put_checkpoint(6, "six", site.now).await.unwrap();
    site
}

/// The address of a login that is given `role` and nothing else.
pub(crate) async fn login(store: &Store, role: &str) -> String {
    let Store::Postgres(_, database) = store else { unreachable!("roles are Postgres'") };
    let name = format!("{role}_of_{database}");
    store.sql(&format!("CREATE ROLE {name} LOGIN IN ROLE {role}")).await.unwrap();
    store.address().replacen("postgres@", &format!("{name}@"), 1)
}

pub(crate) const DENIED: &str = "permission denied";
pub(crate) const GUARDED: &str = "append-only";

#[tokio::test]
async fn the_recorders_role_may_append_and_nothing_else() {
    let store = Store::postgres();
    let site = full_log(&store).await;
    let address = login(&store, "decklog_recorder").await;
    let mut recorder = AnyConnection::connect(&address).await.unwrap();
    for table in TABLES {
        for change in changes(table) {
            refused(&mut recorder, &change, DENIED).await;
        }
        refused(&mut recorder, &format!("INSERT INTO {} DEFAULT VALUES", table.0), DENIED).await;
    }
    for statement in [
        "SET session_replication_role = replica",
        "SELECT decklog_make_partition(7)",
        "SELECT decklog_guard('state')",
        "SET ROLE decklog_owner",
        "CREATE TABLE mine (n int)",
        "TRUNCATE state",
    ] {
        refused(&mut recorder, statement, DENIED).await;
    }
    refused(&mut recorder, "ALTER TABLE event DISABLE TRIGGER ALL", "must be owner").await;
    refused(&mut recorder, "DROP TABLE event_000000", "must be owner").await;
    assert_eq!(check_tree(&site.log).await, 6);
}

#[tokio::test]
async fn a_whole_recorder_works_through_the_recorders_role() {
    let store = Store::postgres();
    store.migrated().await;
    let address = login(&store, "decklog_recorder").await;
    let log = EventLog::open(&address, Access::Append).await.unwrap();
    log.check_schema().await.unwrap();
    let mut site = Site::over(log).await;
    site.approve("a").await;
    let now = site.now;
    site.valid(Who::Scheduler, vec![due("a", now, None)]).await;
    site.log.put_checkpoint(7, "seven", site.now).await.unwrap();
    let live = site.log.read_model_text().await.unwrap();
    site.log.rebuild_read_model().await.unwrap();
    assert_eq!(site.log.read_model_text().await.unwrap(), live);
    assert_eq!(site.log.checkpoints(9).await.unwrap(), ["seven"]);
    assert_eq!(check_tree(&site.log).await, 7);
}

#[tokio::test]
async fn the_append_function_takes_no_gap_no_repetition_and_no_empty_batch() {
    let store = Store::postgres();
    let site = full_log(&store).await;
    let address = login(&store, "decklog_recorder").await;
    let mut recorder = AnyConnection::connect(&address).await.unwrap();
    for (size, positions) in
        [(6, "{}"), (7, "{8}"), (7, "{6}"), (8, "{8,7}"), (8, "{7}"), (9, "{7,8}")]
    {
        let append = format!(
            "SELECT decklog_append(6, {size}, root, root, frontier, 0, '{positions}', '{{}}', '{{}}', '{{}}', '{{}}',
                                   '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}') FROM head"
        );
        refused(&mut recorder, &append, "cannot grow").await;
    }
    assert_eq!(check_tree(&site.log).await, 6);
}

#[tokio::test]
async fn the_readers_role_may_only_read() {
    let store = Store::postgres();
    let site = full_log(&store).await;
    let address = login(&store, "decklog_reader").await;
    let mut reader = AnyConnection::connect(&address).await.unwrap();
    for table in TABLES.into_iter().chain(MODEL) {
        for change in changes(table) {
            refused(&mut reader, &change, DENIED).await;
        }
        refused(&mut reader, &format!("INSERT INTO {} DEFAULT VALUES", table.0), DENIED).await;
    }
    refused(&mut reader, "SELECT decklog_append_checkpoint(1, 'x', 1)", DENIED).await;
    let log = EventLog::open(&address, Access::Read).await.unwrap();
    log.check_schema().await.unwrap();
    assert_eq!(check_tree(&log).await, 6);
    assert_eq!(log.read_model_text().await.unwrap(), site.log.read_model_text().await.unwrap());
    let mut appender = Appender::open(log).await.unwrap();
    let mut voice = site.voices[&Who::Console].clone();
    let flush = voice.flush(vec![paused("a", 3)], site.now);
    assert!(appender.append(&[flush], site.now).await.is_err());
    assert_eq!(check_tree(&site.log).await, 6);
}

#[tokio::test]
async fn a_schema_that_may_not_be_read_is_not_called_empty() {
    let store = Store::postgres();
    store.migrated().await;
    store.sql("REVOKE SELECT ON _sqlx_migrations FROM decklog_reader").await.unwrap();
    let address = login(&store, "decklog_reader").await;
    let log = EventLog::open(&address, Access::Read).await.unwrap();
    let error = log.check_schema().await.unwrap_err();
    assert!(matches!(error, LogError::Database { .. }), "{error}");
    assert!(error.to_string().contains(DENIED), "{error}");
}

#[tokio::test]
async fn triggers_stop_the_owner_and_the_superuser() {
    let store = Store::postgres();
    let site = full_log(&store).await;
    for before in ["SET ROLE decklog_owner", "RESET ROLE", "SET session_replication_role = replica"]
    {
        let mut connection = store.connect().await;
        run(&mut connection, before).await.unwrap();
        for table in TABLES {
            for change in changes(table) {
                refused(&mut connection, &change, GUARDED).await;
            }
        }
        refused(&mut connection, "TRUNCATE event, event_id, head CASCADE", GUARDED).await;
        refused(&mut connection, "UPDATE head SET size = size - 1", GUARDED).await;
        refused(&mut connection, "UPDATE event SET position = 1500000", GUARDED).await;
    }
    assert_eq!(check_tree(&site.log).await, 6);
}

/// Moves the head to `size` events of which only the first few exist.
async fn pretend(store: &Store, size: u64) {
    let hashes = vec![9; 32 * size.count_ones() as usize];
    let tree = Frontier::from_bytes(size, &hashes).unwrap();
    let (root, edge) =
        (domain::canonical::hex(&tree.root().0), domain::canonical::hex(&tree.to_bytes()));
    let text = format!(r"UPDATE head SET size = {size}, root = '\x{root}', frontier = '\x{edge}'");
    store.sql(&text).await.unwrap();
}

#[tokio::test]
async fn a_new_partition_has_its_own_guards() {
    let store = Store::postgres();
    full_log(&store).await;
    pretend(&store, 999_997).await;
    let address = login(&store, "decklog_recorder").await;
    let log = EventLog::open(&address, Access::Append).await.unwrap();
    let mut appender = Appender::open(log.clone()).await.unwrap();
    let mut voice = Site::begin(&Store::sqlite()).await.voices.remove(&Who::Host).unwrap();
    let now = at("2026-11-20T03:00:00Z");
    let flush = voice.flush((1..=5).map(host_started).collect(), now);
    let said = appender.append(&[flush], now).await.unwrap().0.remove(0).unwrap();
    assert!(said.all_valid(), "{said:?}");
    assert_eq!(said.events[4].position, 1_000_002);
    assert_eq!(store.number("SELECT COUNT(*) FROM event_000001").await, 3);
    for before in ["SET ROLE decklog_owner", "SET session_replication_role = replica"] {
        let mut connection = store.connect().await;
        run(&mut connection, before).await.unwrap();
        for change in changes(("event_000001", "position")) {
            refused(&mut connection, &change, GUARDED).await;
        }
        refused(&mut connection, "DELETE FROM event WHERE position = 1000001", GUARDED).await;
    }
    let mut recorder = AnyConnection::connect(&address).await.unwrap();
    refused(&mut recorder, "DELETE FROM event_000001", DENIED).await;
    assert_eq!(log.entries(1_000_000, 9, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn sqlite_refuses_every_change_of_the_log() {
    let store = Store::sqlite();
    let site = full_log(&store).await;
    let mut connection = store.connect().await;
    let copy = "SELECT 1, leaf, leaf_hash, 'x', producer, 99, stream, 99, kind, received, void FROM event WHERE position = 2";
    for statement in [
        "UPDATE event SET kind = 'x' WHERE position = 3",
        "DELETE FROM event WHERE position = 6",
        "DELETE FROM event",
        &format!("INSERT OR REPLACE INTO event {copy}"),
        &format!(
            "INSERT OR REPLACE INTO event {}",
            copy.replacen('1', "7", 1).replacen("'x'", "event_id", 1)
        ),
        &format!(
            "INSERT OR REPLACE INTO event {}",
            copy.replacen('1', "7", 1).replacen("99", "pseq", 1)
        ),
        &format!("INSERT INTO event {}", copy.replacen('1', "8", 1)),
        "UPDATE checkpoint SET note = 'x'",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint SELECT size, 'x', signed FROM checkpoint",
        "UPDATE head SET size = size - 1",
        "UPDATE head SET root = x'00'",
        "DELETE FROM head",
        "INSERT OR REPLACE INTO head SELECT * FROM head",
    ] {
        refused(&mut connection, statement, GUARDED).await;
    }
    assert_eq!(check_tree(&site.log).await, 6);
    assert_eq!(site.log.checkpoints(9).await.unwrap(), ["six"]);
}

/// What the log's own look at its guards says.
async fn weaknesses(log: &EventLog) -> Vec<String> {
    log.weaknesses().await.unwrap().into_iter().map(|one| one.says).collect()
}

#[tokio::test]
async fn a_guard_that_was_taken_away_or_a_way_around_one_is_named_in_postgres() {
    let store = Store::postgres();
    let site = full_log(&store).await;
    assert_eq!(weaknesses(&site.log).await, Vec::<String>::new());
    // Whoever may only read can look, too.
    let reader = login(&store, "decklog_reader").await;
    let reader = EventLog::open(&reader, Access::Read).await.unwrap();
    assert_eq!(weaknesses(&reader).await, Vec::<String>::new());
    reader.close().await;
    let Store::Postgres(_, database) = &store else { unreachable!("it is Postgres") };
    store.sql(&format!("CREATE ROLE clerk_of_{database} LOGIN")).await.unwrap();
    let clerk = format!("clerk_of_{database}");
    for (change, says, back) in [
        (
            "ALTER TABLE event_000000 DISABLE TRIGGER no_change",
            "the trigger no_change of event_000000 does not stand always",
            "ALTER TABLE event_000000 ENABLE ALWAYS TRIGGER no_change",
        ),
        (
            "ALTER TABLE head ENABLE TRIGGER no_shrink",
            "the trigger no_shrink of head does not stand always",
            "ALTER TABLE head ENABLE ALWAYS TRIGGER no_shrink",
        ),
        (
            "DROP TRIGGER no_truncate ON event_id",
            "the trigger no_truncate of event_id is not there as the migration made it",
            "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON event_id FOR EACH STATEMENT EXECUTE FUNCTION decklog_refuse_change();
             ALTER TABLE event_id ENABLE ALWAYS TRIGGER no_truncate",
        ),
        (
            "DROP TRIGGER no_change ON event_id;
             CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON event_id FOR EACH ROW WHEN (false) EXECUTE FUNCTION decklog_refuse_change();
             ALTER TABLE event_id ENABLE ALWAYS TRIGGER no_change",
            "the trigger no_change of event_id is not there as the migration made it",
            "DROP TRIGGER no_change ON event_id;
             CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON event_id FOR EACH ROW EXECUTE FUNCTION decklog_refuse_change();
             ALTER TABLE event_id ENABLE ALWAYS TRIGGER no_change",
        ),
        (
            &format!("GRANT UPDATE (void) ON event_000000 TO {clerk}"),
            &format!("{clerk} has UPDATE on event_000000.void"),
            &format!("REVOKE UPDATE (void) ON event_000000 FROM {clerk}"),
        ),
        (
            &format!("GRANT EXECUTE ON FUNCTION decklog_make_partition(bigint) TO {clerk}"),
            &format!("{clerk} has EXECUTE on decklog_make_partition"),
            &format!("REVOKE EXECUTE ON FUNCTION decklog_make_partition(bigint) FROM {clerk}"),
        ),
        (
            "CREATE RULE quiet AS ON UPDATE TO checkpoint DO INSTEAD NOTHING",
            "the rule quiet of checkpoint is not ours",
            "DROP RULE quiet ON checkpoint",
        ),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON event_000000 FOR EACH ROW EXECUTE FUNCTION decklog_refuse_change()",
            "the trigger mine of event_000000 is not ours",
            "DROP TRIGGER mine ON event_000000",
        ),
        (
            "ALTER TABLE event_version OWNER TO postgres",
            "event_version belongs to postgres, and not to decklog_owner, who cannot log in",
            "ALTER TABLE event_version OWNER TO decklog_owner",
        ),
        (
            &format!("GRANT UPDATE ON event TO {clerk}"),
            &format!("{clerk} has UPDATE on event"),
            &format!("REVOKE UPDATE ON event FROM {clerk}"),
        ),
        (
            &format!("GRANT decklog_owner TO {clerk}"),
            &format!("{clerk} is a member of decklog_owner"),
            &format!("REVOKE decklog_owner FROM {clerk}"),
        ),
        (
            &format!("GRANT SET ON PARAMETER session_replication_role TO {clerk}"),
            &format!("{clerk} may set session_replication_role"),
            &format!("REVOKE SET ON PARAMETER session_replication_role FROM {clerk}"),
        ),
    ] {
        store.sql(change).await.unwrap();
        assert_eq!(weaknesses(&site.log).await, [says], "{change}");
        store.sql(back).await.unwrap();
        assert_eq!(weaknesses(&site.log).await, Vec::<String>::new(), "{back}");
    }
    store.sql("CREATE OR REPLACE FUNCTION decklog_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$").await.unwrap();
    let says = "the function decklog_refuse_change is not what the migration made";
    assert_eq!(weaknesses(&site.log).await, [says]);
}

#[tokio::test]
async fn a_trigger_that_was_dropped_or_changed_is_named_in_sqlite() {
    let store = Store::sqlite();
    let site = full_log(&store).await;
    assert_eq!(weaknesses(&site.log).await, Vec::<String>::new());
    store.sql("DROP TRIGGER event_no_delete").await.unwrap();
    assert_eq!(weaknesses(&site.log).await, ["the trigger event_no_delete is not there"]);
    store
        .sql("CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT 1; END")
        .await
        .unwrap();
    let says = "the trigger event_no_delete is not what the migration made";
    assert_eq!(weaknesses(&site.log).await, [says]);
    store.sql("CREATE TRIGGER mine AFTER INSERT ON PRODUCER BEGIN SELECT 1; END").await.unwrap();
    assert_eq!(weaknesses(&site.log).await, [says, "the trigger mine is not ours"]);
}
