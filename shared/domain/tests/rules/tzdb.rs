//! Another version of the time zone database: what moves, and how the log is told.

use std::collections::BTreeSet;

use domain::calendar::Calendars;
use domain::event::{LogTzdbChanged, MovedOccurrence};
use domain::ids::StreamId;
use domain::ledger::{Mark, Streams as _};
use domain::time::Schedule;
use domain::tzdb::{FIRST, Limits, Moves, Rules, compare};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendars::{calendar, calendars, schedule};
use crate::given::{World, at, stream};
use crate::site::refused;

/// A zone's file without a single transition: its clock goes by a rule, as POSIX writes it, for ever.
fn file(rule: &str) -> Vec<u8> {
    let block = |version: u8| {
        let mut bytes = [b"TZif".as_slice(), &[version], &[0; 15]].concat();
        // isut, isstd, leap, transitions, types, letters.
        for count in [0_u32, 0, 0, 0, 1, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend(0_i32.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(b"LMT\0");
        bytes
    };
    [block(b'2'), block(b'2'), format!("\n{rule}\n").into_bytes()].concat()
}

fn rules(zone: &str, rule: &str) -> Rules {
    let mut rules = Rules::default();
    rules.add(zone, &file(rule)).unwrap();
    rules
}

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// No summer time any more.
const WINTER: &str = "CET-1";
/// No winter time any more.
const SUMMER: &str = "CEST-2";
/// The clock goes forward a week later, and back at the same time.
const LATER: &str = "CET-1CEST,M4.1.0,M10.5.0/3";

fn berlin(spec: Value) -> Schedule {
    schedule(json!({"schedule": spec, "zone": "Europe/Berlin"}), &Calendars::default())
}

const ALL: Limits = Limits { of_job: 100_000, all: 100_000, looked_at: 1_000_000 };

fn year() -> (Timestamp, Timestamp) {
    (at("2026-11-20T00:00:00Z"), at("2027-11-20T00:00:00Z"))
}

fn moves(schedule: &Schedule, before: &str, now: &str, range: (Timestamp, Timestamp)) -> Moves {
    let rules = (&rules("Europe/Berlin", before), &rules("Europe/Berlin", now));
    compare([("pay", schedule)], rules, range, ALL)
}

fn one(wall: &str, before: Option<&str>, now: Option<&str>) -> MovedOccurrence {
    let (job, wall) = ("pay".to_owned(), wall.to_owned());
    MovedOccurrence { job, wall, before: before.map(at), now: now.map(at), more: 0 }
}

#[test]
fn an_occurrence_moves_when_its_wall_clock_time_is_another_instant_by_the_new_rules() {
    // From 28 March to 31 October 2027 are 217 days.
    let table = [
        (json!({"cron": "0 9 * * *"}), WINTER, 217),
        (json!({"cron": "0 9,21 * * *"}), WINTER, 434),
        (json!({"cron": "0 9 1 * *"}), WINTER, 7),
        (json!({"cron": "0 9 1 1 *"}), WINTER, 0),
        (json!({"cron": "0 9 1 1 *"}), SUMMER, 1),
        (json!({"cron": "0 9 * * *"}), SUMMER, 365 - 217),
        (json!({"cron": "0 9 * * *"}), LATER, 7),
        (json!({"cron": "0 9 * * *"}), BERLIN, 0),
        (json!({"quartz": "0 0 9 * * ?"}), LATER, 7),
        // On 28 March 02:30 does not exist by the old rules, and is moved to the instant that it is by the new; on
        // 4 April it is the other way round, and another instant.
        (json!({"cron": "30 2 * * *"}), LATER, 7),
        // The instants are the same; only what the clock shows then is another.
        (json!({"cron": "0 * * * *"}), WINTER, 0),
        (json!({"cron": "*/15 * * * *"}), SUMMER, 0),
        (json!({"every": "1h"}), WINTER, 0),
        // Except where an interval counts within a day.
        (json!({"cron": "0 */6 * * *"}), LATER, 28),
        (json!({"at": ["2027-07-01T09:00:00", "2027-12-01T09:00:00"]}), WINTER, 1),
        (json!({"at": ["2027-07-01T09:00:00+02:00"]}), WINTER, 0),
    ];
    for (spec, now, wanted) in table {
        let found = moves(&berlin(spec.clone()), BERLIN, now, year());
        assert_eq!(found.moved, wanted, "{spec} {now}: {:?}", found.first.first());
        assert_eq!(found.first.len() as u64, wanted, "{spec}");
        assert_eq!(found.jobs, u64::from(wanted > 0), "{spec}");
        assert_eq!((found.unknown.len(), found.incomplete), (0, false));
        // The zone is told whether anything of this schedule moves or not.
        assert_eq!(found.zones.len(), usize::from(now != BERLIN));
    }
}

#[test]
fn what_moves_is_told_with_both_instants_and_what_comes_or_goes_with_one() {
    let daily = |clock: &str| berlin(json!({"cron": clock}));
    let day = (at("2027-03-27T12:00:00Z"), at("2027-03-28T12:00:00Z"));
    let found = moves(&daily("0 9 * * *"), BERLIN, LATER, day);
    let (before, now) = (Some("2027-03-28T07:00:00Z"), Some("2027-03-28T08:00:00Z"));
    assert_eq!(found.first, [one("2027-03-28T09:00:00", before, now)]);
    // A time that is left out where the clock skips it, and is not skipped any more.
    let skip = json!({
        "schedule": {"cron": "30 2 * * *"}, "zone": "Europe/Berlin", "dst": {"gap": "skip"}});
    let skip = schedule(skip, &Calendars::default());
    let found = moves(&skip, BERLIN, WINTER, day);
    let came = one("2027-03-28T02:30:00", None, Some("2027-03-28T01:30:00Z"));
    assert_eq!(found.first, [came]);
    let found = moves(&skip, WINTER, BERLIN, day);
    let went = one("2027-03-28T02:30:00", Some("2027-03-28T01:30:00Z"), None);
    assert_eq!(found.first, [went]);
}

#[test]
fn what_crosses_an_end_of_the_time_that_is_looked_at_is_told_and_what_lies_outside_is_not() {
    let daily = berlin(json!({"cron": "0 9 * * *"}));
    // By the old rules at 07:00Z, by the new ones at 08:00Z.
    let table = [
        ("2027-07-01T06:59:00Z", "2027-07-01T12:00:00Z", 1),
        ("2027-07-01T07:30:00Z", "2027-07-01T12:00:00Z", 1),
        ("2027-07-01T08:00:00Z", "2027-07-01T12:00:00Z", 0),
        ("2027-07-01T00:00:00Z", "2027-07-01T07:30:00Z", 1),
        ("2027-07-01T00:00:00Z", "2027-07-01T06:59:00Z", 0),
        ("2027-06-30T00:00:00Z", "2027-07-03T00:00:00Z", 3),
    ];
    for (from, until, wanted) in table {
        let found = moves(&daily, BERLIN, WINTER, (at(from), at(until)));
        assert_eq!(found.moved, wanted, "{from} {until}");
    }
}

/// The same by looking at every instant of the time, not only where the rules differ.
fn by_hand(
    schedule: &Schedule,
    before: &str,
    now: &str,
    (from, until): (Timestamp, Timestamp),
) -> usize {
    let around = jiff::SignedDuration::from_hours(60);
    let all = |rule: &str| -> BTreeSet<Timestamp> {
        let zone = jiff::tz::TimeZone::tzif("Europe/Berlin", &file(rule)).unwrap();
        let schedule = schedule.with_rules(&zone).unwrap();
        let found = schedule.between(from - around, until + around);
        found
            .filter(|occurrence| occurrence.out.is_none())
            .map(|occurrence| occurrence.at)
            .collect()
    };
    let inside = |at: &&Timestamp| from < **at && **at <= until;
    all(before).symmetric_difference(&all(now)).filter(inside).count()
}

#[test]
fn nothing_that_moves_is_overlooked_whatever_the_rules() {
    let all = [
        BERLIN,
        WINTER,
        SUMMER,
        LATER,
        "CET-1CEST,M3.5.0/0,M10.5.0/0",
        "LHST-10:30LHDT-11,M10.1.0,M4.1.0",
        "<+14>-14",
        "<-10>10",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "CET-1CEST,J60,J300",
    ];
    let specs = [
        json!({"cron": "30 2 * * *"}),
        json!({"cron": "0 0 * * *"}),
        json!({"cron": "15 */5 * * *"}),
        json!({"cron": "59 23 * * 1"}),
        json!({"cron": "0 0 29 2 *"}),
        json!({"every": "7h"}),
    ];
    for spec in specs {
        let schedule = berlin(spec.clone());
        for before in all {
            for now in all {
                let found = moves(&schedule, before, now, year());
                let (from, until) = year();
                let inside = |at: &&Timestamp| from < **at && **at <= until;
                let told = found.first.iter().flat_map(|one| [&one.before, &one.now]);
                let told = told.flatten().filter(inside).count();
                assert_eq!(told, by_hand(&schedule, before, now, year()), "{spec} {before} {now}");
            }
        }
    }
}

#[test]
fn what_a_calendar_leaves_out_does_not_move() {
    let free = calendar("free", json!({"days": {"weekdays": ["saturday", "sunday"]}}));
    let calendars = calendars(&[("2000-01-01T00:00:00Z", free)]);
    let workdays = json!({
        "schedule": {"cron": "0 9 * * *"}, "zone": "Europe/Berlin", "calendar": {"not-on": ["free"]}});
    let found = moves(&schedule(workdays, &calendars), BERLIN, LATER, year());
    // From Sunday to Saturday.
    assert_eq!(found.moved, 5);
}

#[test]
fn of_a_zone_whose_rules_are_not_there_nothing_is_claimed() {
    let daily = berlin(json!({"cron": "0 9 * * *"}));
    let (some, none) = (rules("Europe/Berlin", WINTER), Rules::default());
    for pair in [(&none, &some), (&some, &none), (&rules("Asia/Gaza", WINTER), &some)] {
        let found = compare([("pay", &daily)], pair, year(), ALL);
        let unknown = BTreeSet::from(["Europe/Berlin".to_owned()]);
        assert_eq!(found, Moves { unknown, ..Moves::default() });
    }
    let broken = Rules::default().add("Europe/Berlin", b"TZif").unwrap_err();
    assert!(!broken.is_empty());
}

#[test]
fn an_event_names_the_first_of_each_job_and_counts_the_others() {
    let schedules: Vec<(String, Schedule)> = (0..60)
        .map(|n| (format!("j{n:02}"), berlin(json!({"cron": format!("{n} 9 * * *")}))))
        .collect();
    let rules = (&rules("Europe/Berlin", BERLIN), &rules("Europe/Berlin", LATER));
    let schedules = schedules.iter().rev().map(|(name, schedule)| (name.as_str(), schedule));
    let event = compare(schedules, rules, year(), FIRST).event(Some("2026a"), "2026b");
    assert_eq!((event.jobs, event.moved), (60, 420));
    let first: Vec<String> = event.first.iter().map(|one| one.job.clone()).collect();
    assert_eq!(first, (0..FIRST.all).map(|n| format!("j{n:02}")).collect::<Vec<_>>());
    assert!(event.first.iter().all(|one| one.more == 6), "{event:?}");
    assert_eq!(event.zones, ["Europe/Berlin"]);
    assert_eq!((event.from.as_deref(), event.to.as_str()), (Some("2026a"), "2026b"));
}

#[test]
fn where_there_are_too_many_occurrences_some_are_left_out_and_none_is_made_up() {
    let schedules: Vec<(String, Schedule)> = (0..9)
        .map(|n| (format!("j{n}"), berlin(json!({"cron": format!("{n} 9 * * *")}))))
        .collect();
    let rules = (&rules("Europe/Berlin", BERLIN), &rules("Europe/Berlin", LATER));
    let within = |looked_at: usize| {
        let schedules = schedules.iter().map(|(name, schedule)| (name.as_str(), schedule));
        compare(schedules, rules, year(), Limits { looked_at, ..ALL })
    };
    let whole = within(1_000_000);
    assert_eq!((whole.moved, whole.incomplete), (63, false));
    for looked_at in [0, 1, 5, 20, 50, 100] {
        let some = within(looked_at);
        assert!(some.incomplete && some.moved < whole.moved, "{looked_at}: {}", some.moved);
        assert!(some.first.iter().all(|one| whole.first.contains(one)), "{looked_at}: {some:?}");
    }
}

#[test]
fn what_the_event_holds_fits_into_an_envelope() {
    let name = |n: usize| format!("{n:03}{}", "x".repeat(60));
    let zones: BTreeSet<String> =
        (0..999).map(|n| format!("America/Argentina/Zone-{n:09}")).collect();
    let first = (0..999).map(|n| MovedOccurrence {
        job: name(n),
        ..one("2027-03-28T02:30:00", Some("2027-03-28T01:30:00Z"), Some("2027-03-28T01:30:00Z"))
    });
    let moves = Moves { unknown: zones.clone(), zones, first: first.collect(), ..Moves::default() };
    let event = moves.event(Some("2026a"), "2026b");
    assert!(serde_json::to_vec(&event).unwrap().len() < 14_000);
}

// The log.

fn changed(from: Option<&str>, to: &str) -> LogTzdbChanged {
    Moves::default().event(from, to)
}

#[test]
fn a_change_is_told_once_by_the_first_who_uses_the_new_version() {
    let mut world = World::new(at("00:00"));
    let table: &[(&str, Option<&str>, &str, &str)] = &[
        (
            "scheduler/s1",
            Some("2026a"),
            "2026b",
            "the time zone database in use is none, not 2026a",
        ),
        ("scheduler/s1", None, "2026a", ""),
        ("scheduler/s2", None, "2026a", "time zone database 2026a is the one in use already"),
        ("scheduler/s2", None, "2026b", "the time zone database in use is 2026a, not none"),
        ("scheduler/s2", Some("2026a"), "2026b", ""),
        (
            "scheduler/s1",
            Some("2026a"),
            "2026b",
            "time zone database 2026b is the one in use already",
        ),
        (
            "scheduler/s1",
            Some("2026a"),
            "2026c",
            "the time zone database in use is 2026b, not 2026a",
        ),
        // One that has not been brought up to date yet decides again.
        ("scheduler/s1", Some("2026b"), "2026a", ""),
    ];
    for (who, from, to, wanted) in table {
        let mark = world.say_next(who, StreamId::tzdb(), changed(*from, to), at("01:00"));
        if wanted.is_empty() {
            assert_eq!(mark, Mark::Valid, "{who} {from:?} {to}");
            let state = world.streams.get(&StreamId::tzdb()).unwrap();
            assert_eq!(state.body.tzdb(), Some(*to));
        } else {
            assert_eq!(refused(&mark), *wanted);
        }
    }
}

#[test]
fn a_change_belongs_to_one_stream_and_two_who_tell_it_at_once_tell_it_once() {
    let mut world = World::new(at("00:00"));
    for other in ["log/main", "log/scheduler/s1"] {
        let mark =
            world.say_next("scheduler/s1", stream(other), changed(None, "2026a"), at("01:00"));
        assert!(refused(&mark).contains("belongs to log/tzdb"), "{mark:?}");
    }
    let draft = || domain::envelope::Draft::new(StreamId::tzdb(), 1, changed(None, "2026a"));
    assert_eq!(world.say("scheduler/s1", draft(), at("01:00")), Mark::Valid);
    assert_eq!(world.say("scheduler/s2", draft(), at("01:00")), Mark::Conflict { at: 1 });
}
