//! What schedulers, and whoever asks why, ask of the read model: each gets what it named, in pages, and nothing else.

use domain::canonical::{Digest, canonical};
use domain::envelope::Draft;
use domain::event::*;
use domain::ids::{Class, StreamId};
use domain::job::{Claim, JobDefinition, Share};
use domain::ledger::Mark;
use domain::site::{Thing, ThingKind};
use domain::wire::{Content, Query, RequestFilter, RunRow, Selection, StreamView};
use eventlog::EventLog;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::drafts::*;
use crate::site::{Site, Who};
use crate::store::Store;

async fn views(log: &EventLog, query: &Query) -> Vec<StreamView> {
    let Content::Streams(found) = log.answer(query).await.unwrap().content else { unreachable!() };
    found
}

async fn names(log: &EventLog, query: &Query) -> Vec<String> {
    views(log, query).await.into_iter().map(|view| view.id.to_string()).collect()
}

/// All that a question comes to, `limit` names a page: how often it was asked does not matter.
async fn paged(log: &EventLog, ask: impl Fn(String) -> Query) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let page = names(log, &ask(found.last().cloned().unwrap_or_default())).await;
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

fn thing(definition: &Value) -> Vec<Draft> {
    let kind = definition["kind"].as_str().and_then(ThingKind::from_word).unwrap();
    let thing = Thing::read(kind, definition).unwrap();
    let (digest, definition) = (thing.digest().unwrap(), thing.value().unwrap());
    let act = |act| ThingEvent { of: kind, act };
    let proposed = act(ThingAct::Proposed(ThingProposed {
        number: 1,
        digest,
        definition,
        reason: "x".into(),
    }));
    let approved = act(ThingAct::Approved(ThingApproved { number: 1, digest }));
    vec![
        Draft::new(thing.stream(), 1, proposed).by(Some("user/ana")),
        Draft::new(thing.stream(), 2, approved).by(Some("user/bob")),
    ]
}

pub(crate) async fn things_are_listed_of_every_kind_and_blackouts_also_apart(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    for definition in [
        json!({"kind": "pool", "name": "big", "limit": 3}),
        json!({"kind": "lock", "name": "db"}),
        json!({"kind": "calendar", "name": "holidays", "days": {"dates": {"2026-12-25": ""}}}),
        json!({"kind": "blackout", "name": "freeze", "applies-to": {"site": true},
               "times": [{"daily": {"from": "01:00", "until": "03:00"}}]}),
        json!({"kind": "blackout", "name": "audit", "applies-to": {"jobs": ["a"]},
               "times": [{"daily": {"from": "04:00", "until": "05:00"}}]}),
    ] {
        site.valid(Who::Console, thing(&definition)).await;
    }
    let listed = async |of| paged(&site.log, |after| Query::Streams { of, after, limit: 2 }).await;
    let blackouts = ["blackout/audit", "blackout/freeze"];
    assert_eq!(listed(Selection::Blackouts).await, blackouts);
    let all = [&blackouts[..], &["calendar/holidays", "lock/db", "pool/big"]].concat();
    assert_eq!(listed(Selection::Things).await, all);
}

pub(crate) async fn jobs_that_a_host_has_or_had_leave_to_decide_are_listed(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let says = json!({
        "name": "own", "command": {"argv": ["/bin/true"]}, "schedule": {"cron": "0 * * * *"},
        "host": "h0", "autonomy": {"lease": "4h"},
    });
    let read: JobDefinition = serde_json::from_value(says).unwrap();
    let definition = serde_json::to_value(read).unwrap();
    let digest = Digest::of(&canonical(&definition).unwrap());
    let job = StreamId::job("own");
    let proposed = JobProposed { number: 1, digest, definition, reason: "x".to_owned() };
    let approved = JobApproved { number: 1, digest };
    let drafts = vec![
        Draft::new(job.clone(), 1, proposed).by(Some("user/ana")),
        Draft::new(job.clone(), 2, approved).by(Some("user/bob")),
    ];
    site.valid(Who::Console, drafts).await;
    let leased = Query::Streams { of: Selection::Leased, after: String::new(), limit: 9 };
    assert_eq!(names(&site.log, &leased).await, Vec::<String>::new());
    let (from, until) = (site.tick(), site.now + SignedDuration::from_hours(3));
    let definition = DefinitionRef::new(1, digest);
    let granted = JobLeaseGranted { host: "h0".to_owned(), definition, from, until };
    site.valid(Who::Scheduler, vec![Draft::new(job.clone(), 3, granted)]).await;
    assert_eq!(names(&site.log, &leased).await, ["job/own"]);
    let back = JobLeaseReturned { until: from, reason: "moving house".to_owned() };
    site.valid(Who::Console, vec![Draft::new(job, 4, back)]).await;
    site.tick();
    // Of a leave that is over its host may still have to report.
    assert_eq!(names(&site.log, &leased).await, ["job/own"]);
    site.log.rebuild_read_model().await.unwrap();
    assert_eq!(names(&site.log, &leased).await, ["job/own"]);
}

/// Job `a` three times: succeeded, failed, running.
async fn three_runs(store: &Store) -> (Site, Vec<Timestamp>) {
    let mut site = Site::with_job(store, "a").await;
    let at: Vec<Timestamp> = (0..3).map(|_| site.tick()).collect();
    for (index, instant) in at.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| at[before]);
        site.valid(Who::Scheduler, vec![due("a", *instant, before)]).await;
        let run = run("a", *instant);
        site.valid(Who::Host, vec![started(&run, 2, 1)]).await;
        match index {
            0 => site.valid(Who::Host, vec![succeeded(&run, 3, 1, true)]).await,
            1 => site.valid(Who::Host, vec![failed(&run, 3, 1, "exit code 3")]).await,
            _ => break,
        };
    }
    (site, at)
}

pub(crate) async fn the_past_of_a_job_is_its_newest_runs_that_have_ended(store: &Store) {
    let (site, at) = three_runs(store).await;
    let past = async |job: &str, limit| {
        names(&site.log, &Query::Past { job: job.to_owned(), limit }).await
    };
    let [first, second] = [at[0], at[1]].map(|at| run("a", at).to_string());
    assert_eq!(past("a", 9).await, [second.clone(), first]);
    assert_eq!(past("a", 1).await, [second]);
    assert_eq!(past("b", 9).await, Vec::<String>::new());
    let found = views(&site.log, &Query::Past { job: "a".to_owned(), limit: 9 }).await;
    assert!(found.iter().all(|view| view.state.body.run().unwrap().state.is_ended()));
}

pub(crate) async fn what_jobs_have_done_is_their_newest_runs_that_did_their_work(store: &Store) {
    let (mut site, at) = three_runs(store).await;
    site.approve("b").await;
    let now = site.tick();
    site.valid(Who::Scheduler, vec![due("b", now, None)]).await;
    let other = run("b", now);
    site.valid(Who::Host, vec![started(&other, 2, 1), succeeded(&other, 3, 1, false)]).await;
    let done = async |jobs: &[&str], limit| -> Vec<RunRow> {
        let jobs = jobs.iter().map(|job| (*job).to_owned()).collect();
        let answer = site.log.answer(&Query::Done { jobs, limit }).await.unwrap();
        let Content::Runs(rows) = answer.content else { unreachable!() };
        rows
    };
    let both = done(&["b", "a"], 9).await;
    let runs: Vec<&StreamId> = both.iter().map(|row| &row.run).collect();
    assert_eq!(runs, [&other, &run("a", at[0])]);
    assert_eq!(both[0].started.zip(both[0].ended), Some((now, now)));
    assert_eq!(done(&["a"], 1).await.len(), 1);
    assert_eq!(done(&["nobody"], 9).await, []);
    assert_eq!(done(&[], 9).await, []);
}

fn with_lock(job: &str, lock: &str) -> RunDue {
    let claim = Claim { lock: lock.to_owned(), share: Share::Units(1) };
    let terms = Terms { locks: vec![claim], ..Terms::default() };
    RunDue { terms: Box::new(terms), ..due_body(job, 1) }
}

pub(crate) async fn claims_to_a_lock_are_the_open_runs_that_have_it_or_wait_only_for_their_turn(
    store: &Store,
) {
    let mut site = Site::begin(store).await;
    for lock in ["db", "other"] {
        site.valid(Who::Console, thing(&json!({"kind": "lock", "name": lock}))).await;
    }
    let mut runs = Vec::new();
    for (job, lock) in
        [("has", "db"), ("waits", "db"), ("held", "db"), ("else", "other"), ("was", "db")]
    {
        site.approve(job).await;
        let now = site.tick();
        let body = with_lock(job, lock);
        let body = RunDue { hold: (job == "held").then(|| "x".to_owned()), ..body };
        site.valid(Who::Scheduler, vec![due_with(now, None, body)]).await;
        runs.push(run(job, now));
    }
    let [has, waits, _, _, was] = &runs[..] else { unreachable!() };
    site.valid(Who::Host, vec![started(was, 2, 1), succeeded(was, 3, 1, false)]).await;
    site.valid(Who::Host, vec![started(has, 2, 1)]).await;
    let busy = site.mark(Who::Host, started(waits, 2, 1)).await;
    assert!(matches!(busy, Mark::Refused { .. }), "{busy:?}");
    let claims =
        paged(&site.log, |after| Query::Claims { lock: "db".to_owned(), after, limit: 1 }).await;
    assert_eq!(claims, [has.to_string(), waits.to_string()]);
    let none = Query::Claims { lock: "nobody".to_owned(), after: String::new(), limit: 9 };
    assert_eq!(names(&site.log, &none).await, Vec::<String>::new());
}

pub(crate) async fn members_of_a_pool_are_the_hosts_that_take_its_work(store: &Store) {
    let mut site = Site::begin(store).await;
    site.valid(Who::Host, vec![host_started(1)]).await;
    for (name, pools) in [("h1", &["any", "big"][..]), ("h2", &["big"]), ("h3", &[])] {
        let mut voice = site.enrol(Class::Executor, name).await;
        let started = HostStarted {
            version: "0".to_owned(),
            boot: "b".to_owned(),
            slots: 4,
            pools: pools.iter().map(|pool| (*pool).to_owned()).collect(),
            found: 0,
            labels: std::collections::BTreeMap::new(),
            program: None,
        };
        let draft = Draft::new(StreamId::host(name), 1, started);
        let flush = voice.flush(vec![draft], site.now);
        let said = site.send(&[flush]).await.remove(0).unwrap();
        assert!(said.all_valid(), "{said:?}");
    }
    let members = async |pool: &str| {
        paged(&site.log, |after| Query::Members { pool: pool.to_owned(), after, limit: 1 }).await
    };
    assert_eq!(members("any").await, ["host/h0", "host/h1"]);
    assert_eq!(members("big").await, ["host/h1", "host/h2"]);
    assert_eq!(members("nobody").await, Vec::<String>::new());
}

pub(crate) async fn requests_are_listed_newest_first_by_how_they_stand_and_by_what_is_overdue(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    let (soon, later) = (site.tick() + SignedDuration::from_hours(1), site.tick());
    let later = later + SignedDuration::from_hours(48);
    let asked = [(1, soon), (2, soon), (3, later), (4, soon), (5, soon)];
    site.valid(Who::Console, asked.map(|(number, due)| request_asked(number, due)).to_vec()).await;
    site.valid(Who::Console, [1, 2, 4].map(|number| request_answered(number, 2)).to_vec()).await;
    let flag = RequestFlagged { reason: "not of November".to_owned() };
    site.valid(Who::Console, vec![of_request(2, 3, "user/eve", flag)]).await;
    let accept = RequestAccepted { note: String::new() };
    site.valid(Who::Console, vec![of_request(4, 3, "user/eve", accept)]).await;
    let withdraw = RequestWithdrawn { reason: "found it".to_owned() };
    site.valid(Who::Console, vec![of_request(5, 2, "user/eve", withdraw)]).await;
    let mut listed: Vec<(Vec<u32>, &str)> = Vec::new();
    for states in ["", "open", "answered", "flagged", "open answered flagged", "accepted withdrawn"]
    {
        let states_asked = states.split_whitespace().map(str::to_owned).collect();
        let filter = RequestFilter { states: states_asked, limit: 9, ..RequestFilter::default() };
        listed.push((requests(&site.log, filter).await, states));
    }
    let wanted = [
        (vec![5, 4, 3, 2, 1], ""),
        (vec![3], "open"),
        (vec![1], "answered"),
        (vec![2], "flagged"),
        (vec![3, 2, 1], "open answered flagged"),
        (vec![5, 4], "accepted withdrawn"),
    ];
    assert_eq!(listed, wanted);
    let overdue = |due_before| RequestFilter {
        due_before: Some(due_before),
        limit: 9,
        ..RequestFilter::default()
    };
    let second = SignedDuration::from_secs(1);
    assert_eq!(requests(&site.log, overdue(soon)).await, [0; 0]);
    assert_eq!(requests(&site.log, overdue(soon + second)).await, [2]);
    assert_eq!(requests(&site.log, overdue(later + second)).await, [3, 2]);
    let below = RequestFilter { below: Some(4), limit: 2, ..RequestFilter::default() };
    assert_eq!(requests(&site.log, below).await, [3, 2], "a page of two behind the fourth");
}

async fn requests(log: &EventLog, filter: RequestFilter) -> Vec<u32> {
    let answer = log.answer(&Query::Requests(filter)).await.unwrap();
    let Content::Streams(found) = answer.content else { unreachable!() };
    found.iter().map(|view| view.state.body.request().unwrap().number).collect()
}
