//! The read model: what it answers, and that it is what the events say.

use std::collections::BTreeSet;

use domain::envelope::Draft;
use domain::ids::StreamId;
use domain::night::Night;
use domain::wire::{Content, JobFilter, Query, RunFilter, RunRow, Selection};
use eventlog::{Appender, EventLog, LogError};
use jiff::Timestamp;

use crate::drafts::*;
use crate::history;
use crate::site::{Site, Who, check_counters, check_tree};
use crate::store::Store;

async fn names(log: &EventLog, of: Selection, after: &str, limit: u32) -> Vec<String> {
    let query = Query::Streams { of, after: after.to_owned(), limit };
    let Content::Streams(found) = log.answer(&query).await.unwrap().content else { unreachable!() };
    found.into_iter().map(|view| view.id.to_string()).collect()
}

async fn runs(log: &EventLog, filter: RunFilter) -> Vec<RunRow> {
    let Content::Runs(rows) = log.answer(&Query::Runs(filter)).await.unwrap().content else {
        unreachable!()
    };
    rows
}

async fn night(log: &EventLog, since: Timestamp, until: Timestamp) -> Night {
    let query = Query::Night { since, until };
    let Content::Night(night) = log.answer(&query).await.unwrap().content else { unreachable!() };
    night
}

pub(crate) async fn jobs_are_listed_in_pages_in_the_order_of_their_names(store: &Store) {
    let mut site = Site::begin(store).await;
    for name in ["b", "a.z", "a", "a-z", "a_z", "z0"] {
        site.valid(Who::Console, vec![proposed(name, 1, 1)]).await;
    }
    let sorted = ["job/a", "job/a-z", "job/a.z", "job/a_z", "job/b", "job/z0"];
    assert_eq!(names(&site.log, Selection::Jobs, "", 100).await, sorted);
    let mut paged: Vec<String> = Vec::new();
    loop {
        let after = paged.last().cloned().unwrap_or_default();
        let page = names(&site.log, Selection::Jobs, &after, 2).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, sorted);
}

pub(crate) async fn jobs_are_found_by_a_part_of_their_names_and_by_how_they_stand(store: &Store) {
    let mut site = Site::with_job(store, "pay.export").await;
    for name in ["pay.import", "pay_all", "payxall"] {
        site.valid(Who::Console, vec![proposed(name, 1, 1)]).await;
    }
    site.approve("stock").await;
    site.valid(Who::Console, vec![paused("stock", 3)]).await;
    let found = async |name: &str, state: &str, after: &str, limit: u32| {
        let (name, after) = (name.to_owned(), after.to_owned());
        let state = Some(state.to_owned()).filter(|state| !state.is_empty());
        let asked = Query::Jobs(JobFilter { name, state, after, limit, ..JobFilter::default() });
        let Content::Streams(found) = site.log.answer(&asked).await.unwrap().content else {
            unreachable!()
        };
        found.into_iter().map(|view| view.id.rest().to_owned()).collect::<Vec<_>>()
    };
    let all = ["pay.export", "pay.import", "pay_all", "payxall", "stock"];
    assert_eq!(found("", "", "", 9).await, all);
    assert_eq!(found("", "", "job/pay.import", 2).await, ["pay_all", "payxall"]);
    assert_eq!(found("port", "", "", 9).await, ["pay.export", "pay.import"]);
    assert_eq!(found("y_a", "", "", 9).await, ["pay_all"], "what is no pattern is none");
    assert!(found("%", "", "", 9).await.is_empty());
    assert_eq!(found("", "paused", "", 9).await, ["stock"]);
    assert_eq!(found("pay", "proposed", "", 9).await, ["pay.import", "pay_all", "payxall"]);
    assert_eq!(found("port", "active", "", 9).await, ["pay.export"]);
}

pub(crate) async fn hosts_and_users_are_listed_apart(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    site.valid(Who::Host, vec![host_started(1), host_started(2)]).await;
    site.valid(Who::Console, vec![user_created("ana"), user_created("bob")]).await;
    assert_eq!(names(&site.log, Selection::Hosts, "", 9).await, ["host/h0"]);
    assert_eq!(names(&site.log, Selection::Users, "", 9).await, ["user/ana", "user/bob"]);
    let host = StreamId::host("h0");
    let state = site.log.streams(&std::iter::once(host.clone()).collect()).await.unwrap();
    assert!(state[&host].body.host().unwrap().up);
}

pub(crate) async fn open_runs_are_listed_until_they_end(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let (one, two) = (site.now, site.tick());
    let (first, second) = (run("a", one), run("a", two));
    site.valid(Who::Scheduler, vec![due("a", one, None), due("a", two, Some(one))]).await;
    let both = [first.to_string(), second.to_string()];
    assert_eq!(names(&site.log, Selection::OpenRuns, "", 9).await, both);
    site.valid(Who::Host, vec![started(&first, 2, 1), succeeded(&first, 3, 1, false)]).await;
    assert_eq!(names(&site.log, Selection::OpenRuns, "", 9).await, both[1..]);
}

/// Job `a` due to pool `any`, ended with a warning; job `b` due to pool `big`, twice, one missed.
async fn small_night(store: &Store) -> (Site, Vec<Timestamp>) {
    let mut site = Site::with_job(store, "a").await;
    site.approve("b").await;
    let at: Vec<Timestamp> = (0..4).map(|_| site.tick()).collect();
    let drafts = vec![
        due("a", at[0], None),
        due_to("b", at[1], None, "big"),
        missed("b", 1, at[2], Some(at[1])),
        due_to("b", at[3], Some(at[2]), "big"),
    ];
    site.valid(Who::Scheduler, drafts).await;
    let first = run("a", at[0]);
    site.valid(Who::Host, vec![started(&first, 2, 1), succeeded(&first, 3, 1, true)]).await;
    (site, at)
}

pub(crate) async fn runs_are_filtered_by_job_state_pool_and_time(store: &Store) {
    let (site, at) = small_night(store).await;
    let filter = |job: Option<&str>, state: Option<&str>, limit| RunFilter {
        job: job.map(str::to_owned),
        state: state.map(str::to_owned),
        limit,
        ..RunFilter::default()
    };
    let instants = |rows: &[RunRow]| rows.iter().map(|row| row.instant).collect::<Vec<_>>();
    let all = runs(&site.log, filter(None, None, 9)).await;
    assert_eq!(instants(&all), [at[3], at[2], at[1], at[0]]);
    assert_eq!(instants(&runs(&site.log, filter(None, None, 2)).await), [at[3], at[2]]);
    assert_eq!(instants(&runs(&site.log, filter(Some("a"), None, 9)).await), [at[0]]);
    assert_eq!(instants(&runs(&site.log, filter(Some("b"), Some("due"), 9)).await), [at[3], at[1]]);
    let span =
        RunFilter { since: Some(at[1]), until: Some(at[3]), limit: 9, ..RunFilter::default() };
    assert_eq!(instants(&runs(&site.log, span).await), [at[2], at[1]]);
    let big = RunFilter { pool: Some("big".to_owned()), limit: 9, ..RunFilter::default() };
    assert_eq!(instants(&runs(&site.log, big).await), [at[3], at[1]]);
    let behind = |place: &RunRow| RunFilter {
        behind: Some((place.instant, place.run.clone())),
        limit: 2,
        ..RunFilter::default()
    };
    let page = runs(&site.log, behind(&all[0])).await;
    assert_eq!(instants(&page), [at[2], at[1]]);
    assert_eq!(instants(&runs(&site.log, behind(&page[1])).await), [at[0]]);
    assert!(runs(&site.log, behind(&all[3])).await.is_empty());
    let row = &all[3];
    assert_eq!((row.state.as_str(), row.attempts, row.open), ("warning", 1, false));
    assert_eq!((row.late, row.scheduled, row.host.as_deref()), (true, true, Some("h0")));
    assert_eq!((row.started, row.ended), (Some(site.now), Some(site.now)));
}

pub(crate) async fn queues_count_what_is_due_for_each_pool(store: &Store) {
    let (mut site, at) = small_night(store).await;
    assert_eq!(site.log.queues().await.unwrap(), [("big".to_owned(), 2)]);
    let after = at.last().copied();
    site.tick();
    let now = site.now;
    site.valid(Who::Scheduler, vec![due("a", now, Some(at[0])), due("b", now, after)]).await;
    let queues = site.log.queues().await.unwrap();
    assert_eq!(queues, [("any".to_owned(), 2), ("big".to_owned(), 2)]);
}

pub(crate) async fn the_numbers_of_a_night_count_every_run_once(store: &Store) {
    let (mut site, at) = small_night(store).await;
    let until = site.tick();
    let numbers = night(&site.log, at[0], until).await.numbers;
    assert_eq!((numbers.expected, numbers.ran, numbers.warning), (4, 1, 1));
    assert_eq!((numbers.missed, numbers.open, numbers.late), (1, 2, 1));
    let part = night(&site.log, at[0], at[2]).await;
    assert_eq!((part.numbers.expected, part.exceptions.len()), (2, 1));
    assert_eq!(part.exceptions[0].run, run("a", at[0]));
    let all = night(&site.log, at[0], until).await;
    let listed: Vec<&str> = all.exceptions.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(listed, ["warning", "missed"]);
}

pub(crate) async fn a_rebuilt_read_model_equals_the_live_one(store: &Store) {
    for seed in 0..2 {
        let store = if store.is_postgres() { Store::postgres() } else { Store::sqlite() };
        let mut site = Site::begin(&store).await;
        history::happen(&mut site, seed, 120).await;
        // A job whose only run was asked for by a person, and has come and gone.
        let asked = requested("asked", 1, "request-1");
        let id = asked.stream.clone();
        site.valid(Who::Console, vec![proposed("asked", 1, 1), approved("asked", 2, 1), asked])
            .await;
        site.valid(Who::Scheduler, vec![Draft::new(id.clone(), 2, due_body("asked", 1))]).await;
        site.valid(Who::Host, vec![started(&id, 3, 1), succeeded(&id, 4, 1, false)]).await;
        let filter = RunFilter { limit: 2_000, ..RunFilter::default() };
        let rows = runs(&site.log, filter).await;
        let states: BTreeSet<&str> = rows.iter().map(|row| row.state.as_str()).collect();
        assert!(states.len() >= 7, "a poor history: {states:?}");
        let void = site.log.leaves(0, 2_000).await.unwrap();
        let void = void.iter().filter(|leaf| leaf.void.is_some()).count();
        assert!(void >= 20, "a poor history: {void} void events");
        let live = site.log.read_model_text().await.unwrap();
        let rebuilt = site.log.rebuild_read_model().await.unwrap();
        let rows = |table: &str| live.iter().filter(|line| line.starts_with(table)).count() as u64;
        assert_eq!((rebuilt.events, rebuilt.streams), (site.appender.head().0, rows("state|")));
        assert!(rows("turn|") > 0, "a poor history: no job had its turn");
        assert_eq!(site.log.read_model_text().await.unwrap(), live);
        check_tree(&site.log).await;
        check_counters(&site.log).await;
    }
}

/// The marks do not depend on how flushes fall into batches, nor on what a recorder has at hand.
pub(crate) async fn a_restarted_recorder_judges_a_random_history_alike(store: &Store) {
    let mut site = Site::begin(store).await;
    history::happen(&mut site, 7, 60).await;
    let second = Store::sqlite();
    let log = second.migrated().await;
    for (flush, now) in &site.sent {
        let mut appender = Appender::open(log.clone()).await.unwrap();
        appender.append(std::slice::from_ref(flush), *now).await.unwrap();
    }
    assert_eq!(log.head().await.unwrap(), site.log.head().await.unwrap());
    let marks = |leaves: Vec<eventlog::read::StoredLeaf>| -> Vec<Option<String>> {
        leaves.into_iter().map(|leaf| leaf.void).collect()
    };
    let (one, two) =
        (site.log.leaves(0, 2_000).await.unwrap(), log.leaves(0, 2_000).await.unwrap());
    assert_eq!(marks(one), marks(two));
    assert_eq!(log.read_model_text().await.unwrap(), site.log.read_model_text().await.unwrap());
}

pub(crate) async fn a_rebuild_refuses_a_log_whose_marks_do_not_hold(store: &Store) {
    let site = Site::with_job(store, "a").await;
    let before = site.log.read_model_text().await.unwrap();
    let open_the_guard = if store.is_postgres() {
        "ALTER TABLE event_000000 DISABLE TRIGGER no_change"
    } else {
        "DROP TRIGGER event_no_update"
    };
    store.sql(open_the_guard).await.unwrap();
    store.sql("UPDATE event SET void = 'refused: by hand' WHERE position = 6").await.unwrap();
    let refused = site.log.rebuild_read_model().await.unwrap_err();
    assert!(matches!(refused, LogError::Inconsistent { .. }), "{refused}");
    assert_eq!(site.log.read_model_text().await.unwrap(), before);
}
