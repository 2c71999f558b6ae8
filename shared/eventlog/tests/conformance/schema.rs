//! The schema and its versions.

use eventlog::{Access, EventLog, LogError, MigrationState};

use crate::site::{Site, check_tree};
use crate::store::Store;

async fn refusal(log: &EventLog) -> String {
    let refused = log.check_schema().await.unwrap_err();
    assert!(matches!(refused, LogError::Schema(_)), "{refused}");
    refused.to_string()
}

pub(crate) async fn migrating_twice_is_harmless(store: &Store) {
    let site = Site::begin(store).await;
    site.log.migrate().await.unwrap();
    store.open().await.migrate().await.unwrap();
    site.log.check_schema().await.unwrap();
    assert_eq!(site.log.migration_state().await.unwrap(), MigrationState::Current);
    assert_eq!(check_tree(&site.log).await, 4);
}

pub(crate) async fn two_migrators_at_once_make_one_schema(store: &Store) {
    let migrate = async || store.open().await.migrate().await;
    let (one, two, three) = tokio::join!(migrate(), migrate(), migrate());
    one.unwrap();
    two.unwrap();
    three.unwrap();
    let site = Site::over(store.open().await).await;
    site.log.check_schema().await.unwrap();
    assert_eq!(store.number("SELECT COUNT(*) FROM _sqlx_migrations").await, 15);
}

pub(crate) async fn a_read_model_of_an_older_form_is_computed_again(store: &Store) {
    let site = Site::begin(store).await;
    let before = site.log.read_model_text().await.unwrap();
    // As an earlier program left it: of another form, and not readable by this one.
    store.sql("UPDATE ledger SET model = 1").await.unwrap();
    store.sql("UPDATE state SET body = '{}' WHERE body IS NOT NULL").await.unwrap();
    store.open().await.migrate().await.unwrap();
    assert_eq!(site.log.read_model_text().await.unwrap(), before);
    assert_eq!(store.number("SELECT model FROM ledger").await, 6);
}

pub(crate) async fn an_empty_schema_is_refused_with_the_command_to_run(store: &Store) {
    let log = store.open().await;
    let said = refusal(&log).await;
    assert!(
        said.contains("at change 0") && said.contains("run `decklog migrate --database"),
        "{said}"
    );
    assert_eq!(log.migration_state().await.unwrap(), MigrationState::Behind { at: 0 });
}

pub(crate) async fn an_older_schema_is_refused_with_the_command_to_run(store: &Store) {
    let log = store.migrated().await;
    store.sql("DELETE FROM _sqlx_migrations WHERE version = 15").await.unwrap();
    let said = refusal(&log).await;
    assert!(
        said.contains("at change 14") && said.contains("run `decklog migrate --database"),
        "{said}"
    );
}

pub(crate) async fn a_newer_schema_asks_for_a_newer_program(store: &Store) {
    let log = store.migrated().await;
    let sum = if store.is_postgres() { r"'\x00'" } else { "x'00'" };
    let insert = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'of the future', TRUE, {sum}, 0)"
    );
    store.sql(&insert).await.unwrap();
    assert_eq!(log.migration_state().await.unwrap(), MigrationState::Ahead { at: 999 });
    let said = refusal(&log).await;
    assert!(said.contains("at change 999") && said.contains("upgrade this service"), "{said}");
    assert!(log.migrate().await.is_err(), "an old program may not touch a newer schema");
}

/// Roles belong to the whole cluster, so two migrations meet there although their databases are two.
#[tokio::test]
async fn two_databases_of_a_new_cluster_are_migrated_at_once() {
    let cluster = testkit::postgres::Postgres::start().unwrap();
    cluster.create_database("one").unwrap();
    cluster.create_database("two").unwrap();
    let migrate = async |name| {
        let log = EventLog::open(&cluster.url(name), Access::Append).await.unwrap();
        log.migrate().await.unwrap();
        log.check_schema().await.unwrap();
        log.close().await;
    };
    tokio::join!(migrate("one"), migrate("two"));
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'decklog%' AND NOT rolcanlogin";
    assert_eq!(cluster.psql("one", roles).unwrap(), "4");
}
