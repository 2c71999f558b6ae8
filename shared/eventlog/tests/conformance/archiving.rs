//! Segments that move into files: everything is read as before, and nothing is forgotten that is not in a file.

use std::path::Path;

use domain::envelope::Draft;
use domain::event::LogArchived;
use domain::ids::StreamId;
use domain::ledger::{Mark, SEGMENT_EVENTS};
use domain::wire::{Content, Proof, Query};
use eventlog::{Access, Archive, EventLog, LogError};
use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

use crate::guards::{DENIED, GUARDED, login, refused};
use crate::proving::{grow, sign};
use crate::site::{Site, Who, check_counters, check_tree};
use crate::store::Store;

/// Partitions of Postgres as small as segments, so that one is whole.
async fn narrow(store: &Store) {
    if !store.is_postgres() {
        return;
    }
    let last = SEGMENT_EVENTS + 1;
    let text = format!(
        "ALTER TABLE event DETACH PARTITION event_000000; DROP TABLE event_000000;
         CREATE TABLE event_000000 PARTITION OF event FOR VALUES FROM (0) TO ({last});
         CREATE TABLE event_000001 PARTITION OF event FOR VALUES FROM ({last}) TO (1000000);
         SELECT decklog_guard('event_000000'); SELECT decklog_guard('event_000001');
         ALTER TABLE event_000000 OWNER TO decklog_owner; ALTER TABLE event_000001 OWNER TO decklog_owner"
    );
    store.sql(&text).await.unwrap();
}

/// A log of one segment and some events more, with a signed head over all of it.
async fn long(store: &Store, dir: &Path) -> Site {
    let log = store.migrated().await.with_archive(dir);
    narrow(store).await;
    let mut site = Site::over(log).await;
    site.approve("a").await;
    let mut version = 3;
    while version < SEGMENT_EVENTS + 40 {
        grow(&mut site, &mut version, 128).await;
    }
    sign(&site).await;
    site
}

fn after(site: &Site) -> Timestamp {
    site.now + SignedDuration::from_secs(1)
}

async fn said(site: &mut Site, event: LogArchived, version: u64) -> Mark {
    site.mark(Who::Audit, Draft::new(StreamId::archive(), version, event)).await
}

/// All entries as text, as somebody who follows the log reads them.
async fn entries(log: &EventLog) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = log.entries(after, 2_000, None).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.position;
        all.extend(page.iter().map(|entry| serde_json::to_string(entry).unwrap()));
    }
}

async fn proven(log: &EventLog, position: u64) -> bool {
    loop {
        let answer = log.answer(&Query::Proof { position }).await.unwrap();
        let Content::Proof(proof) = answer.content else { return false };
        if !matches!(proof, Proof::Reading { .. }) {
            return matches!(proof, Proof::Proven(_));
        }
    }
}

pub(crate) async fn a_segment_that_has_its_age_moves_into_a_file_and_all_is_read_as_before(
    store: &Store,
) {
    let dir = TempDir::new().unwrap();
    let mut site = long(store, &dir.path().join("archive")).await;
    assert_eq!(site.log.next_segment(site.now).await.unwrap(), None, "it is too young");
    assert_eq!(site.log.next_segment(after(&site)).await.unwrap(), Some(0));
    let event = site.log.write_segment(0).await.unwrap();
    assert_eq!((event.first, event.last), (1, SEGMENT_EVENTS));
    assert_eq!(site.log.detach().await.unwrap(), 0, "nobody has said that it is archived");
    assert_eq!(site.log.write_segment(0).await.unwrap(), event, "what is there is read again");
    assert_eq!(said(&mut site, event, 1).await, Mark::Valid);
    assert_eq!(site.log.next_segment(after(&site)).await.unwrap(), None, "there is no second one");
    let before = entries(&site.log).await;
    let model = site.log.read_model_text().await.unwrap();
    assert_eq!(site.log.detach().await.unwrap(), SEGMENT_EVENTS);
    assert_eq!(site.log.detach().await.unwrap(), SEGMENT_EVENTS, "and it is done once");
    let gone = "SELECT COUNT(*) FROM event WHERE LENGTH(leaf) = 0";
    assert_eq!(store.number(gone).await.cast_unsigned(), SEGMENT_EVENTS);
    assert_eq!(entries(&site.log).await, before);
    assert_eq!(check_tree(&site.log).await, before.len() as u64);
    check_counters(&site.log).await;
    for position in [1, 256, 257, SEGMENT_EVENTS, SEGMENT_EVENTS + 1] {
        assert!(proven(&site.log, position).await, "{position}");
    }
    site.log.rebuild_read_model().await.unwrap();
    assert_eq!(site.log.read_model_text().await.unwrap(), model);
    let (first, at) = site.sent[1].clone();
    let again = site.appender.append(&[first], at).await.unwrap().0.remove(0).unwrap();
    assert_eq!(again.events[0].position, 5, "what was said before is answered as before");
    let weak = site.log.weaknesses().await.unwrap();
    assert!(weak.is_empty(), "{weak:?}");
    let history = site.log.entries(0, 300, Some(&StreamId::job("a"))).await.unwrap();
    assert_eq!(history.len(), 300, "a stream is read across");
}

pub(crate) async fn a_file_that_is_gone_or_damaged_is_named_and_nothing_else_is_said_for_it(
    store: &Store,
) {
    let dir = TempDir::new().unwrap();
    let mut site = long(store, dir.path()).await;
    let event = site.log.write_segment(0).await.unwrap();
    said(&mut site, event, 1).await;
    site.log.detach().await.unwrap();
    let file = Archive::new(dir.path()).file(0);
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, &good[..good.len() / 2]).unwrap();
    // Another process, which remembers nothing of the file.
    let log = store.open().await.with_archive(dir.path());
    let error = log.leaves(0, 5).await.unwrap_err();
    assert!(matches!(error, LogError::Archive(_)), "{error}");
    assert!(error.to_string().contains("segment-000000.zst is not as it was archived"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = log.leaves(0, 5).await.unwrap_err().to_string();
    assert!(error.contains("segment-000000.zst is not there"), "{error}");
    let weak = log.weaknesses().await.unwrap();
    assert!(
        weak.len() == 1 && weak[0].says.ends_with("segment-000000.zst is not there"),
        "{weak:?}"
    );
    if store.is_postgres() {
        let weak = store.open().await.weaknesses().await.unwrap();
        assert!(weak[0].says.contains("not known here where the archive is"), "{weak:?}");
        let error = store.open().await.leaves(0, 5).await.unwrap_err();
        assert!(matches!(error, LogError::Archived { position: 1 }), "{error}");
    }
    let behind = log.leaves(SEGMENT_EVENTS, 5).await.unwrap();
    assert_eq!(behind.len(), 5, "what is in the database needs no archive");
    std::fs::write(&file, [good.as_slice(), b"x"].concat()).unwrap();
    let weak = log.weaknesses().await.unwrap();
    assert!(weak.len() == 1 && weak[0].says.contains("bytes, and had"), "{weak:?}");
    std::fs::write(&file, good).unwrap();
    assert_eq!(log.weaknesses().await.unwrap(), []);
    assert_eq!(log.leaves(0, 5).await.unwrap().len(), 5);
}

/// The file of the first segment, as another history of the same log would have left it.
async fn of_another_history() -> Vec<u8> {
    let (store, dir) = (Store::sqlite(), TempDir::new().unwrap());
    let site = long(&store, dir.path()).await;
    site.log.write_segment(0).await.unwrap();
    std::fs::read(site.log.archive().unwrap().file(0)).unwrap()
}

pub(crate) async fn a_file_of_another_history_is_told_and_left_as_it_is(store: &Store) {
    let dir = TempDir::new().unwrap();
    let mut site = long(store, dir.path()).await;
    let archive = site.log.archive().unwrap().clone();
    let event = site.log.write_segment(0).await.unwrap();
    let other = of_another_history().await;
    std::fs::write(archive.file(0), &other).unwrap();
    let foreign = "segment-000000.zst holds other events than the log";
    let error = site.log.write_segment(0).await.unwrap_err().to_string();
    assert!(error.contains(foreign), "{error}");
    let weak = site.log.weaknesses().await.unwrap();
    assert!(weak.len() == 1 && weak[0].says.contains(foreign), "{weak:?}");
    assert_eq!(std::fs::read(archive.file(0)).unwrap(), other, "and nothing is thrown away");
    std::fs::rename(archive.file(0), dir.path().join("elsewhere")).unwrap();
    assert_eq!(site.log.write_segment(0).await.unwrap(), event, "it goes on without that file");
    said(&mut site, event, 1).await;
    std::fs::write(archive.file(0), &other).unwrap();
    let error = site.log.detach().await.unwrap_err().to_string();
    assert!(error.contains(foreign), "{error}");
    assert_eq!(site.log.detached().await.unwrap(), 0, "nothing is forgotten that cannot be read");
    std::fs::write(archive.file(1), &other).unwrap();
    let weak = site.log.weaknesses().await.unwrap();
    let says = "segment-000001.zst is archived, and the log does not go so far";
    assert!(weak.iter().any(|one| one.says.ends_with(says)), "{weak:?}");
}

pub(crate) async fn a_directory_that_is_empty_now_is_no_archive_and_nothing_is_forgotten_into_it(
    store: &Store,
) {
    let (dir, mount) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut site = long(store, dir.path()).await;
    let event = site.log.write_segment(0).await.unwrap();
    said(&mut site, event, 1).await;
    let log = store.open().await.with_archive(mount.path());
    for error in [log.write_segment(1).await.map(drop), log.detach().await.map(drop)] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("is it mounted?"), "{error}");
    }
    assert_eq!(std::fs::read_dir(mount.path()).unwrap().count(), 0, "nothing is made there");
    assert_eq!(log.detached().await.unwrap(), 0);
}

pub(crate) async fn a_leaf_that_somebody_emptied_is_not_looked_for_in_the_archive(store: &Store) {
    let dir = TempDir::new().unwrap();
    let mut site = long(store, dir.path()).await;
    let event = site.log.write_segment(0).await.unwrap();
    said(&mut site, event, 1).await;
    site.log.detach().await.unwrap();
    let place = SEGMENT_EVENTS + 2;
    let (off, empty) = if store.is_postgres() {
        ("ALTER TABLE event_000001 DISABLE TRIGGER no_change", "''")
    } else {
        ("DROP TRIGGER event_no_update", "x''")
    };
    let change = format!("{off}; UPDATE event SET leaf = {empty} WHERE position = {place}");
    store.sql(&change).await.unwrap();
    let leaves = site.log.leaves(place - 2, 3).await.unwrap();
    let lengths: Vec<bool> = leaves.iter().map(|leaf| leaf.bytes.is_empty()).collect();
    assert_eq!(lengths, [false, true, false]);
}

pub(crate) async fn a_directory_is_the_archive_of_one_log(store: &Store) {
    let dir = TempDir::new().unwrap();
    let site = long(store, dir.path()).await;
    std::fs::write(dir.path().join("log"), "another\n").unwrap();
    let error = site.log.write_segment(0).await.unwrap_err().to_string();
    assert!(error.contains("is the archive of another log"), "{error}");
}

#[tokio::test]
async fn sqlite_forgets_no_leaf_that_is_not_detached_and_detaches_nothing_that_is_not_said_to_be_archived()
 {
    let store = Store::sqlite();
    let dir = TempDir::new().unwrap();
    let mut site = long(&store, dir.path()).await;
    let event = site.log.write_segment(0).await.unwrap();
    said(&mut site, event, 1).await;
    site.log.detach().await.unwrap();
    let mut connection = store.connect().await;
    for statement in [
        "UPDATE event SET leaf = x'' WHERE position = 16385".to_owned(),
        "UPDATE event SET leaf = x'00' WHERE position = 5".to_owned(),
        "UPDATE event SET leaf = x'', kind = 'x' WHERE position = 5".to_owned(),
        "UPDATE event SET leaf = x'', leaf_hash = randomblob(32) WHERE position = 5".to_owned(),
        "UPDATE event SET leaf = x'', void = 'x' WHERE position = 5".to_owned(),
        "DELETE FROM event WHERE position = 5".to_owned(),
        "UPDATE detached SET size = size".to_owned(),
        "UPDATE detached SET size = 0".to_owned(),
        "UPDATE detached SET size = 99999999".to_owned(),
        format!("UPDATE detached SET size = {}", SEGMENT_EVENTS + 1),
        "DELETE FROM detached".to_owned(),
        "INSERT OR REPLACE INTO detached VALUES (1, 0)".to_owned(),
    ] {
        refused(&mut connection, &statement, GUARDED).await;
    }
}

#[tokio::test]
async fn in_postgres_only_an_archivist_detaches_and_only_whole_partitions_under_a_signed_head() {
    let store = Store::postgres();
    let dir = TempDir::new().unwrap();
    let mut site = long(&store, dir.path()).await;
    let event = site.log.write_segment(0).await.unwrap();
    said(&mut site, event, 1).await;
    let recorder = login(&store, "decklog_recorder").await;
    let log = EventLog::open(&recorder, Access::Append).await.unwrap();
    assert!(!log.may_detach().await.unwrap());
    let mut recorder = AnyConnection::connect(&recorder).await.unwrap();
    refused(&mut recorder, "SELECT decklog_detach(16384)", DENIED).await;
    refused(&mut recorder, "UPDATE detached SET size = 16384", DENIED).await;
    let archivist = login(&store, "decklog_archivist").await;
    let log = EventLog::open(&archivist, Access::Append).await.unwrap().with_archive(dir.path());
    assert!(log.may_detach().await.unwrap());
    let Store::Postgres(_, database) = &store else { unreachable!("it is a database of Postgres") };
    let may = site.log.archivists().await.unwrap();
    let own: Vec<&String> =
        may.iter().filter(|name| name.ends_with(&format!("_of_{database}"))).collect();
    assert_eq!(own, [&format!("decklog_archivist_of_{database}")], "{may:?}");
    let mut archivist = AnyConnection::connect(&archivist).await.unwrap();
    refused(&mut archivist, "SELECT decklog_detach(99999999)", "no head is signed").await;
    let told = format!("SELECT decklog_detach({})", SEGMENT_EVENTS + 1);
    refused(&mut archivist, &told, "the log does not say that").await;
    refused(&mut archivist, "DELETE FROM event_000000", DENIED).await;
    let part = "SELECT decklog_detach(16383)";
    assert_eq!(store.number(part).await, 0, "the partition is not archived whole");
    let shape = "SELECT 100 * (SELECT COUNT(*) FROM pg_constraint WHERE conrelid = 'event_000000'::regclass)
        + (SELECT COUNT(*) FROM pg_index WHERE indrelid = 'event_000000'::regclass)";
    let before = store.number(shape).await;
    assert_eq!(log.detach().await.unwrap(), SEGMENT_EVENTS);
    assert_eq!(store.number(shape).await, before);
    assert_eq!(entries(&log).await.len() as u64, check_tree(&site.log).await);
    let mut owner = store.connect().await;
    for change in ["DELETE FROM event_000000", "TRUNCATE event_000000", "TRUNCATE detached"] {
        refused(&mut owner, change, GUARDED).await;
    }
}
