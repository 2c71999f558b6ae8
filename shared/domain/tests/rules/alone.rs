//! What a host decides by itself, and what lists say of it.

use std::collections::BTreeSet;

use domain::event::{CommandEnd, Event, JobLeaseReturned, MissReason, RunEvent, RunSucceeded};
use domain::ids::StreamId;
use domain::job::{DefinitionText, Lease};
use domain::ledger::Mark;
use domain::run::missed;
use domain::scheduler::alone::{Alone, Leave};
use domain::wire::RunRow;
use serde_json::{Value, json};

use crate::given::{at, definition, due, later, reference};
use crate::site::{Site, run_id};

/// Leave of host h1 to decide job `pay` from midnight until three.
fn leave(fields: Value) -> Leave {
    let mut all =
        json!({"schedule": {"cron": "0 * * * *"}, "host": "h1", "autonomy": {"lease": "4h"}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let definition = definition(all);
    let lease = Lease {
        host: Some("h1".to_owned()),
        definition: reference(1, &definition),
        granted: at("00:00"),
        from: at("00:00"),
        until: at("03:00"),
        returned: None,
    };
    Leave {
        job: "pay".to_owned(),
        lease,
        definition: DefinitionText::new(&serde_json::to_value(&definition).unwrap()),
        calendars: Vec::new(),
        settled: None,
        returned: None,
        busy: BTreeSet::new(),
        ended: BTreeSet::new(),
        followed: false,
        then: None,
    }
}

/// What the host decides at this instant.
fn decided(leave: Leave, clock: &str) -> Vec<String> {
    let own = Alone::new(leave).unwrap().decide(at(clock), 100, "2026b");
    let word = |event: &Event| {
        if let Event::RunEvent(RunEvent::RunMissed(e)) = event {
            return missed(&e.reason);
        }
        let runs = matches!(event, Event::RunEvent(RunEvent::RunDue(_)));
        if runs { "runs".to_owned() } else { "something else".to_owned() }
    };
    own.iter().map(|one| word(&one.draft.event)).collect()
}

#[test]
fn a_host_whose_lease_is_over_and_that_others_followed_begins_nothing_and_says_that_for_each_occurrence()
 {
    let over = missed(&MissReason::LeaseOver);
    for catch_up in [json!("none"), json!("last")] {
        let before = leave(json!({"catch-up": catch_up}));
        let followed = Leave { followed: true, ..before.clone() };
        assert_eq!(decided(before, "05:00"), [""; 0], "it is given back");
        assert_eq!(decided(followed, "05:00"), vec![over.clone(); 3], "{catch_up}");
    }
    // While it lasts, and where the host has leave again, the job catches up as it says.
    let last = |then| Leave { followed: true, then, ..leave(json!({"catch-up": "last"})) };
    let said = decided(last(Some(at("07:00"))), "05:00");
    assert_eq!((said.len(), said[2].as_str()), (3, "runs"), "{said:?}");
    assert!(said[0].ends_with(" stands for it"), "{said:?}");
}

/// Job `pay`, which host h1 has begun by itself at one; nobody hears the host.
fn begun_alone() -> (Site, StreamId) {
    let mut site = Site::new();
    let hourly = json!({"cron": "0 * * * *"});
    site.apply(
        json!({"name": "pay", "schedule": hourly, "host": "h1", "autonomy": {"lease": "4h"}}),
    );
    site.until("00:30").nobody_until("02:40");
    let definition = site.requested("pay@request-x", None, false).definition;
    let (run, mut due) = due(definition, at("01:00"));
    (due.host, due.pool) = (Some("h1".to_owned()), "default".to_owned());
    let now = site.now;
    assert_eq!(site.world.say_next("executor/h1", run.clone(), due, now), Mark::Valid);
    site.start("pay@01:00");
    site.heard.clear();
    (site, run)
}

/// Job `pay`, left to host h1 until half past four, with another definition since, by which any host runs it, and a
/// run of that; nobody hears h1.
pub(crate) fn left_and_defined_anew() -> Site {
    let mut site = Site::new();
    let hourly = json!({"cron": "0 * * * *"});
    site.apply(
        json!({"name": "pay", "schedule": hourly, "host": "h1", "autonomy": {"lease": "4h"}}),
    );
    site.until("00:30");
    site.heard.clear();
    site.apply(json!({"name": "pay", "schedule": hourly})).request("pay@request-x");
    site
}

#[test]
fn what_was_left_to_a_host_starts_nowhere_else_until_the_host_has_said_what_it_did_or_a_person_takes_it_back()
 {
    let mut site = left_and_defined_anew();
    site.offers();
    site.until("02:30");
    let why = site.why("pay@request-x").join("; ");
    assert!(why.starts_with("host h1 decides the job's runs until 2026-11-20T04:"), "{why}");
    site.until("06:30");
    let why = site.why("pay@request-x").join("; ");
    assert!(why.starts_with("host h1 had leave to run the job until 2026-11-20T04:"), "{why}");
    assert_eq!(site.offers(), [""; 0], "a run of it may be going on at h1");

    let job = StreamId::job("pay");
    let lease = site.world.streams.0[&job].body.job().unwrap().leases[0].clone();
    let reason = "h1 burned down".to_owned();
    site.person(&job, JobLeaseReturned { until: lease.from, reason }).until("06:35");
    assert_eq!(site.offers()[0], "pay@request-x#1");
}

#[test]
fn an_attempt_that_its_host_does_not_name_is_lost_although_the_host_may_work_alone() {
    let (mut site, _) = begun_alone();
    site.until("02:41");
    assert_eq!(site.state("pay@01:00"), "running");
    let now = site.now;
    site.minds[0].said_all("h1", later(now, -59_000));
    site.until("03:30");
    assert_eq!(site.state("pay@01:00"), "running", "it may have been on its way then");
    let now = site.now;
    site.minds[0].said_all("h1", now);
    site.until("03:32");
    assert!(site.world.feed.iter().any(|(_, event, _)| event.kind() == "run.lost"));
}

#[test]
fn lists_show_when_a_host_did_what_the_log_heard_of_later() {
    let (mut site, run) = begun_alone();
    let now = site.now;
    let row = |site: &Site| RunRow::of(site.world.streams.0[&run].body.run().unwrap());
    assert_eq!((row(&site).started, row(&site).ended), (Some(now), None), "all that is known");

    let (host, mut report) = site.report(&run_id("pay@01:00"), CommandEnd::Exited { code: 0 });
    (report.began, report.ended) = (at("01:00"), later(at("01:00"), 90_000));
    let ended = RunSucceeded { attempt: 1, host, warning: false, report };
    assert_eq!(site.world.say_next("executor/h1", run.clone(), ended, now), Mark::Valid);
    let known = (Some(at("01:00")), Some(later(at("01:00"), 90_000)));
    assert_eq!((row(&site).started, row(&site).ended), known);
}
