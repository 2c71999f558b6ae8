//! What will run when.

use domain::calendar::Calendars;
use domain::event::JobOccurrenceSkipped;
use domain::forecast::{Forecast, SiteView, forecast, hour_of, load, of_job};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition};
use domain::ledger::{Mark, Streams as _};
use domain::time::just_before;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{World, at, definition, later};

/// Jobs that became active at midnight.
fn jobs(definitions: &[Value]) -> (World, Vec<Job>) {
    let mut world = World::new(at("00:00"));
    for fields in definitions {
        world.activate(&definition(fields.clone()), at("00:00"));
    }
    let jobs = definitions.iter().map(|fields| {
        let name = fields["name"].as_str().unwrap();
        world.streams.get(&StreamId::job(name)).unwrap().body.job().unwrap().clone()
    });
    let jobs = jobs.collect();
    (world, jobs)
}

fn plan(jobs: &[Job], range: (Timestamp, Timestamp), limit: usize) -> Forecast {
    forecast(jobs, |_| true, range, limit, &SiteView::default())
}

fn every(name: &str, interval: &str) -> Value {
    json!({"name": name, "schedule": {"every": interval}})
}

#[test]
fn a_range_has_its_beginning_and_not_its_end() {
    let (_, jobs) = jobs(&[every("a", "1h")]);
    let found = plan(&jobs, (at("01:00"), at("03:00")), 9);
    let instants: Vec<Timestamp> = found.planned.iter().map(|one| one.at).collect();
    assert_eq!(instants, [at("01:00"), at("02:00")]);
    assert_eq!((found.runs, found.hours.len()), (2, 2));
}

#[test]
fn cutting_a_range_in_two_changes_nothing() {
    let (_, jobs) = jobs(&[every("a", "7m"), every("b", "11m")]);
    let whole = plan(&jobs, (at("01:00"), at("05:00")), 1_000);
    for cut in (0..240).map(|minutes| later(at("01:00"), minutes * 60_000)) {
        let parts =
            [plan(&jobs, (at("01:00"), cut), 1_000), plan(&jobs, (cut, at("05:00")), 1_000)];
        let planned: Vec<_> = parts.iter().flat_map(|part| part.planned.clone()).collect();
        assert_eq!(planned, whole.planned, "cut at {cut}");
        assert_eq!(parts[0].runs + parts[1].runs, whole.runs);
    }
}

#[test]
fn the_first_are_named_in_their_order_and_all_are_counted() {
    let (_, jobs) = jobs(&[every("slow", "1h"), every("quick", "1m")]);
    let all = plan(&jobs, (at("01:00"), at("05:00")), usize::MAX);
    assert_eq!(all.runs, 4 + 240);
    for limit in [0, 1, 2, 63, 244, 300] {
        let found = plan(&jobs, (at("01:00"), at("05:00")), limit);
        let first: Vec<_> = all.planned.iter().take(limit).cloned().collect();
        assert_eq!((found.planned, found.runs), (first, all.runs), "{limit}");
        assert_eq!(found.hours, all.hours);
    }
    assert_eq!(all.hours.get(&at("02:00")), Some(&61));
}

#[test]
fn the_load_of_an_hour_is_what_the_forecast_counts_in_it() {
    let pool = json!({"name": "b", "schedule": {"every": "7m"}, "pool": "big"});
    let (_, jobs) = jobs(&[every("a", "20m"), pool, json!({"name": "asked"})]);
    let hours = ["01:00", "03:00"].map(at).into();
    let all = plan(&jobs, (at("01:00"), at("04:00")), 0).hours;
    let found = load(&jobs, |_| true, &hours, &SiteView::default());
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(hour, count)| all.get(hour) == Some(count)), "{found:?} {all:?}");
    let big = |definition: &JobDefinition| definition.pool != "big";
    let others = load(&jobs, big, &hours, &SiteView::default());
    assert_eq!(others.into_values().collect::<Vec<_>>(), [3, 3]);
    assert_eq!(hour_of(at("03:59")), at("03:00"));
    assert!(load(&jobs, |_| true, &[].into(), &SiteView::default()).is_empty());
}

#[test]
fn a_paused_job_has_its_occurrences_named_with_the_reason_and_a_retired_one_has_none() {
    let (mut world, _) = jobs(&[every("rests", "1h"), every("gone", "1h")]);
    let say = |world: &mut World, name: &str, event: domain::event::Event| {
        world.say_by("user/ana", StreamId::job(name), event, at("00:30"));
        world.streams.get(&StreamId::job(name)).unwrap().body.job().unwrap().clone()
    };
    let paused = domain::event::JobPaused { reason: "it is ill".to_owned() };
    let retired = domain::event::JobRetired { reason: "replaced".to_owned() };
    let now = [say(&mut world, "rests", paused.into()), say(&mut world, "gone", retired.into())];
    let found = plan(&now, (at("01:00"), at("03:00")), 9);
    assert_eq!((found.runs, found.skipped, found.hours.len()), (0, 2, 0));
    assert!(found.planned.iter().all(|one| one.job == "rests"));
    assert_eq!(found.planned[0].skipped.as_deref(), Some("the job is paused: it is ill"));
}

#[test]
fn only_what_is_wanted_is_planned_and_what_has_no_schedule_is_not() {
    let pool = json!({"name": "b", "schedule": {"every": "1h"}, "pool": "big"});
    let (_, jobs) = jobs(&[every("a", "1h"), pool, json!({"name": "asked"})]);
    let big = |definition: &JobDefinition| definition.pool == "big";
    let found = forecast(&jobs, big, (at("01:00"), at("02:00")), 9, &SiteView::default());
    assert_eq!((found.runs, found.planned[0].job.as_str()), (1, "b"));
    assert_eq!(plan(&jobs, (at("01:00"), at("02:00")), 9).runs, 2);
}

#[test]
fn the_occurrences_of_one_job_are_those_of_the_forecast_as_many_as_are_asked_for() {
    let (mut world, _) = jobs(&[every("a", "7m")]);
    let job = |world: &World| {
        let state = world.streams.get(&StreamId::job("a")).unwrap();
        state.body.job().unwrap().clone()
    };
    let planned = |job: &Job| plan(std::slice::from_ref(job), (at("01:00"), at("03:00")), 99);
    let third = planned(&job(&world)).planned[2].occurrence;
    let skip = JobOccurrenceSkipped { at: third, reason: "not now".to_owned() };
    assert_eq!(world.say_by("user/ana", StreamId::job("a"), skip, at("00:30")), Mark::Valid);
    let (job, site) = (job(&world), SiteView::default());
    let all = planned(&job).planned;
    assert_eq!(all.iter().filter(|one| one.skipped.is_some()).count(), 1);
    let range = (just_before(at("01:00")), just_before(at("03:00")));
    for count in [0, 1, 5, all.len(), 99] {
        let found = of_job(&job, range, count, &site).unwrap();
        let planned: Vec<_> = found.into_iter().map(|(_, planned)| planned).collect();
        assert_eq!(planned, all.iter().take(count).cloned().collect::<Vec<_>>(), "{count}");
    }
}

#[test]
fn the_last_run_before_an_instant_is_found_however_long_ago_it_was() {
    let table = [
        (json!({"every": "1s"}), Some("2026-11-20T00:59:59Z")),
        (json!({"cron": "0 1 * * *"}), Some("2026-11-19T01:00:00Z")),
        (json!({"cron": "30 2 1 * *"}), Some("2026-11-01T02:30:00Z")),
        (json!({"cron": "0 0 29 2 *"}), Some("2024-02-29T00:00:00Z")),
        (
            json!({"at": ["2019-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]}),
            Some("2019-01-01T00:00:00Z"),
        ),
        (json!({"at": ["2027-01-01T00:00:00Z"]}), None),
    ];
    for (schedule, wanted) in table {
        let definition = definition(json!({"schedule": schedule}));
        let parsed = definition.schedule_at(at("00:00"), &Calendars::default()).unwrap().unwrap();
        let found = parsed.last_run_before(at("01:00")).map(|found| found.at.to_string());
        assert_eq!(found.as_deref(), wanted, "{schedule}");
    }
}
