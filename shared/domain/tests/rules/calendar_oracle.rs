//! Schedules on the days that calendars leave them, against an oracle that walks day by day.
//!
//! The oracle reads the rules as they stand in a file and shares with what it judges only the arithmetic of dates and
//! the offset of a zone at an instant. It looks at every business day of two years, says where its times go, and then
//! at every wall-clock time minute by minute where the clock jumps.

use std::collections::{BTreeMap, BTreeSet};

use domain::calendar::Calendars;
use domain::time::{Occurrence, Out, Schedule, just_before};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::calendars::{calendar, calendars, schedule};

const MOVE_DAYS: i32 = 366;
/// How many days around the range the oracle looks at.
const MARGIN: i32 = MOVE_DAYS + 40;

fn plus(day: Date, days: i32) -> Date {
    day.checked_add(days.days()).unwrap()
}

/// Which of these days are in a set as it stands in a file. They are whole months, one after the other.
fn held(days: &Value, all: &[Date]) -> Vec<bool> {
    let each = |fits: &dyn Fn(Date) -> bool| all.iter().map(|day| fits(*day)).collect();
    if let Some(name) = days.as_str() {
        assert_eq!(name, "weekdays");
        return each(&|day| day.weekday().to_monday_zero_offset() < 5);
    }
    let (rule, says) = days.as_object().unwrap().iter().next().unwrap();
    let list = |says: &Value| -> Vec<Vec<bool>> {
        says.as_array().unwrap().iter().map(|days| held(days, all)).collect()
    };
    let over = |sets: &[Vec<bool>], enough: usize| {
        let holds = |index| sets.iter().filter(|set| set[index]).count() >= enough;
        (0..all.len()).map(holds).collect()
    };
    let date = |value: &Value| value.as_str().unwrap().parse::<Date>().unwrap();
    let numbers = |says: &Value| -> Vec<i64> {
        says.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect()
    };
    match rule.as_str() {
        "dates" => {
            let dates: BTreeSet<Date> =
                says.as_object().unwrap().keys().map(|key| key.parse().unwrap()).collect();
            each(&|day| dates.contains(&day))
        }
        "between" => {
            let (from, until) = (date(&says["from"]), date(&says["until"]));
            each(&|day| from <= day && day <= until)
        }
        "weekdays" => {
            let names: Vec<&str> =
                says.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            const WORDS: [&str; 7] =
                ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
            let word =
                |day: Date| WORDS[usize::try_from(day.weekday().to_sunday_zero_offset()).unwrap()];
            each(&|day| names.contains(&word(day)))
        }
        "month-days" => {
            let wanted = numbers(says);
            let (number, length) =
                (|day: Date| i64::from(day.day()), |day: Date| i64::from(day.days_in_month()));
            each(&|day| {
                wanted.contains(&number(day)) || wanted.contains(&(number(day) - length(day) - 1))
            })
        }
        "any-of" => over(&list(says), 1),
        "all-of" => over(&list(says), says.as_array().unwrap().len()),
        "except" => {
            let but: Vec<bool> = over(&list(&says["but"]), 1);
            let days = says.get("days").map_or(vec![true; all.len()], |days| held(days, all));
            days.iter().zip(but).map(|(has, but)| *has && !but).collect()
        }
        "working-day" => {
            let by = held(says.get("by").unwrap_or(&json!("weekdays")), all);
            let mut found = vec![false; all.len()];
            let mut begin = 0;
            while begin < all.len() {
                let end = begin + usize::try_from(all[begin].days_in_month()).unwrap();
                let days: Vec<usize> = (begin..end.min(all.len())).filter(|i| by[*i]).collect();
                for nth in numbers(&says["nth"]) {
                    let place = usize::try_from(nth.abs() - 1).unwrap();
                    let index =
                        if nth > 0 { days.get(place) } else { days.iter().rev().nth(place) };
                    if let Some(index) = index {
                        found[*index] = true;
                    }
                }
                begin = end;
            }
            found
        }
        other => panic!("{other}"),
    }
}

/// When something is to run, as the oracle reads it.
#[derive(Debug, Clone)]
struct Plan {
    hours: String,
    minutes: String,
    /// Day of month and weekday; one of them is a star.
    dom: String,
    dow: String,
    zone: &'static str,
    gap: &'static str,
    overlap: &'static str,
    rule: Value,
}

fn matches(field: &str, value: i64) -> bool {
    field.split(',').any(|item| match item.split_once('/') {
        Some((_, step)) => value % step.parse::<i64>().unwrap() == 0,
        None => item == "*" || item.parse::<i64>().unwrap() == value,
    })
}

impl Plan {
    fn fields(&self) -> Value {
        let Self { hours, minutes, dom, dow, zone, gap, overlap, rule } = self;
        json!({
            "schedule": {"cron": format!("{minutes} {hours} {dom} * {dow}")}, "zone": zone,
            "dst": {"gap": gap, "overlap-time": overlap}, "calendar": rule,
        })
    }

    fn is_elapsed(&self) -> bool {
        format!("{}{}", self.hours, self.minutes).contains(['*', '/'])
    }

    fn has(&self, day: Date) -> bool {
        let weekday = i64::from(day.weekday().to_sunday_zero_offset());
        matches(&self.dom, i64::from(day.day())) && matches(&self.dow, weekday)
    }

    fn times(&self) -> Vec<Time> {
        let all = (0..24_i8).flat_map(|hour| (0..60_i8).map(move |minute| (hour, minute)));
        let fits = |(hour, minute): &(i8, i8)| {
            matches(&self.hours, i64::from(*hour)) && matches(&self.minutes, i64::from(*minute))
        };
        all.filter(fits).map(|(hour, minute)| Time::new(hour, minute, 0, 0).unwrap()).collect()
    }
}

/// A day and what comes to it.
#[derive(Debug, Default)]
struct Group {
    /// Date of each time, and the time.
    walls: BTreeSet<DateTime>,
    moved_from: BTreeSet<Date>,
    out: bool,
}

/// What is found at an instant.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    walls: BTreeSet<DateTime>,
    days: BTreeSet<Date>,
    left_out: BTreeSet<DateTime>,
    left_out_days: BTreeSet<Date>,
    moved_from: BTreeSet<Date>,
    gap: bool,
}

struct Oracle {
    outs: BTreeMap<Date, bool>,
    takes: BTreeMap<Date, bool>,
    otherwise: String,
    cut: Time,
}

impl Oracle {
    fn new(rule: &Value, from: Date, until: Date) -> Self {
        let first = plus(from, -2 * MARGIN).first_of_month();
        let days = std::iter::successors(Some(first), |day| Some(plus(*day, 1)));
        let all: Vec<Date> = days.take_while(|day| *day <= plus(until, 2 * MARGIN)).collect();
        let list = |field: &str| -> Option<Vec<bool>> {
            let sets = rule[field].as_array().filter(|sets| !sets.is_empty())?;
            Some(held(&json!({"any-of": sets}), &all))
        };
        let only = list("only-on").unwrap_or(vec![true; all.len()]);
        let not = list("not-on").unwrap_or(vec![false; all.len()]);
        let working = held(rule.get("working-days").unwrap_or(&json!("weekdays")), &all);
        let out = |index: usize| not[index] || !only[index];
        let outs = all.iter().enumerate().map(|(index, day)| (*day, out(index))).collect();
        let takes = |index: usize| working[index] && !out(index);
        let takes = all.iter().enumerate().map(|(index, day)| (*day, takes(index))).collect();
        let otherwise = rule["otherwise"].as_str().unwrap_or("skip").to_owned();
        let cut = rule["cut-over"].as_str().map_or(Time::midnight(), |cut| cut.parse().unwrap());
        Self { outs, takes, otherwise, cut }
    }

    /// Where a business day goes, and whether it falls out.
    fn place(&self, day: Date) -> (Date, bool) {
        let step = match (self.outs[&day], self.otherwise.as_str()) {
            (false, _) | (true, "run") => return (day, false),
            (true, "skip") => return (day, true),
            (true, "previous") => -1,
            (true, _) => 1,
        };
        let near = (1..=MOVE_DAYS).map(|by| plus(day, by * step)).find(|day| self.takes[day]);
        near.map_or((day, true), |near| (near, false))
    }

    fn groups(&self, plan: &Plan, from: Date, until: Date) -> BTreeMap<Date, Group> {
        let times = plan.times();
        let (upper, lower): (Vec<Time>, Vec<Time>) =
            times.iter().partition(|time| **time >= self.cut);
        let mut groups: BTreeMap<Date, Group> = BTreeMap::new();
        let mut day = plus(from, -MARGIN);
        while day <= plus(until, MARGIN) {
            let tomorrow = plus(day, 1);
            let own = if plan.has(day) { upper.clone() } else { Vec::new() };
            let night = if plan.has(tomorrow) { lower.clone() } else { Vec::new() };
            if !own.is_empty() || !night.is_empty() {
                let (to, out) = self.place(day);
                let group = groups.entry(to).or_default();
                group.walls.extend(own.iter().map(|time| to.to_datetime(*time)));
                group.walls.extend(night.iter().map(|time| plus(to, 1).to_datetime(*time)));
                group.moved_from.extend((to != day).then_some(day));
                group.out = out;
            }
            day = tomorrow;
        }
        groups
    }
}

/// The instants of a wall-clock time; for one that is left out for a gap, the gap's end and `true`.
fn read(plan: &Plan, zone: &TimeZone, wall: DateTime) -> Vec<(Timestamp, bool)> {
    let at = |offset: jiff::tz::Offset| offset.to_timestamp(wall).unwrap();
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![(at(offset), false)],
        AmbiguousOffset::Fold { before, after } => match plan.overlap {
            _ if plan.is_elapsed() => vec![(at(before), false), (at(after), false)],
            "both" => vec![(at(before), false), (at(after), false)],
            "first" => vec![(at(before), false)],
            _ => vec![(at(after), false)],
        },
        AmbiguousOffset::Gap { .. } if plan.is_elapsed() => vec![],
        AmbiguousOffset::Gap { before, .. } if plan.gap == "shift" => vec![(at(before), false)],
        AmbiguousOffset::Gap { before, .. } => {
            // Back minute by minute to the first instant that shows a later time.
            let mut end = at(before);
            let minute = SignedDuration::from_mins(1);
            while zone.to_datetime(end - minute) > wall {
                end -= minute;
            }
            vec![(end, plan.gap == "skip")]
        }
    }
}

fn expected(plan: &Plan, from: Timestamp, until: Timestamp) -> BTreeMap<Timestamp, Answer> {
    let zone = TimeZone::get(plan.zone).unwrap();
    let (first, last) = (zone.to_datetime(from).date(), zone.to_datetime(until).date());
    let oracle = Oracle::new(&plan.rule, first, last);
    let mut found: BTreeMap<Timestamp, Answer> = BTreeMap::new();
    for (day, group) in oracle.groups(plan, first, last) {
        for wall in &group.walls {
            for (at, gap) in read(plan, &zone, *wall) {
                if from < at && at <= until {
                    let answer = found.entry(at).or_default();
                    answer.moved_from.extend(&group.moved_from);
                    if group.out || gap {
                        answer.left_out.insert(*wall);
                        answer.left_out_days.insert(day);
                        answer.gap |= gap && !group.out;
                    } else {
                        answer.walls.insert(*wall);
                        answer.days.insert(day);
                    }
                }
            }
        }
    }
    found
}

fn check_one(occurrence: &Occurrence, answer: &Answer) -> Result<(), TestCaseError> {
    let list = |set: &BTreeSet<DateTime>| set.iter().copied().collect::<Vec<_>>();
    prop_assert_eq!(occurrence.walls.clone(), list(&answer.walls));
    prop_assert_eq!(occurrence.left_out.clone(), list(&answer.left_out));
    let moved: Vec<Date> = answer.moved_from.iter().copied().collect();
    prop_assert_eq!(&occurrence.moved_from, &moved);
    let days = if answer.walls.is_empty() { &answer.left_out_days } else { &answer.days };
    prop_assert_eq!(Some(occurrence.business_day), days.last().copied());
    match &occurrence.out {
        None => prop_assert!(!answer.walls.is_empty()),
        Some(Out::Gap) => prop_assert!(answer.walls.is_empty() && answer.gap),
        Some(Out::Day(out)) => {
            prop_assert!(answer.walls.is_empty() && answer.left_out_days.contains(&out.day));
        }
    }
    Ok(())
}

fn check(
    plan: &Plan,
    from: Timestamp,
    cut: Timestamp,
    until: Timestamp,
) -> Result<(), TestCaseError> {
    let schedule: Schedule = schedule(plan.fields(), &Calendars::default());
    let all: Vec<Occurrence> = schedule.between(from, until).collect();
    let wanted = expected(plan, from, until);
    let instants: Vec<Timestamp> = all.iter().map(|occurrence| occurrence.at).collect();
    let wanted_instants: Vec<Timestamp> = wanted.keys().copied().collect();
    prop_assert_eq!(instants, wanted_instants);
    for occurrence in &all {
        check_one(occurrence, &wanted[&occurrence.at])?;
    }
    for occurrence in all.iter().take(5) {
        prop_assert_eq!(schedule.occurrence_at(occurrence.at), Some(occurrence.clone()));
    }
    // Cut at any instant, at an occurrence, and just before one.
    let middle = all.get(all.len() / 2).map_or(cut, |occurrence| occurrence.at);
    for cut in [cut, middle, just_before(middle)] {
        let parts: Vec<Occurrence> =
            schedule.between(from, cut).chain(schedule.between(cut, until)).collect();
        prop_assert_eq!(&parts, &all, "cut at {}", cut);
    }
    Ok(())
}

/// A day near which something happens, and the zones in which the clock jumps there.
const DAYS: [(&str, &str); 9] = [
    ("2026-03-29", "Europe/Berlin"),
    ("2026-10-25", "Europe/Berlin"),
    ("2026-03-08", "America/New_York"),
    ("2026-11-01", "America/New_York"),
    ("2018-11-04", "America/Sao_Paulo"),
    ("2018-02-18", "America/Sao_Paulo"),
    ("2026-10-04", "Australia/Lord_Howe"),
    // A whole day is missing.
    ("2011-12-30", "Pacific/Apia"),
    ("2026-12-31", "UTC"),
];

fn days(base: Date) -> BoxedStrategy<Value> {
    let near = move |by: i32| plus(base, by).to_string();
    let weekdays = prop::sample::subsequence(
        vec!["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
        1..4,
    );
    let leaf = prop_oneof![
        Just(json!("weekdays")),
        weekdays.prop_map(|days| json!({"weekdays": days})),
        prop::collection::vec(prop_oneof![1..=28_i8, -5..=-1_i8], 1..4)
            .prop_map(|days| json!({"month-days": days})),
        prop::collection::btree_set(-9..9, 1..6).prop_map(move |days| {
            let dates: BTreeMap<String, &str> =
                days.into_iter().map(|by| (near(by), "x")).collect();
            json!({"dates": dates})
        }),
        (-20..5, 0..25).prop_map(move |(from, long)| {
            json!({"between": {"from": near(from), "until": near(from + long)}})
        }),
        prop::collection::vec(prop_oneof![1..=4_i8, -3..=-1_i8], 1..3)
            .prop_map(|nth| json!({"working-day": {"nth": nth, "of": "month"}})),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            list().prop_map(|list| json!({"any-of": list})),
            list().prop_map(|list| json!({"all-of": list})),
            (inner.clone(), list())
                .prop_map(|(days, but)| json!({"except": {"days": days, "but": but}})),
            list().prop_map(|but| json!({"except": {"but": but}})),
            inner
                .clone()
                .prop_map(|by| json!({"working-day": {"nth": [1, -1], "of": "month", "by": by}})),
        ]
    })
    .boxed()
}

fn rule(base: Date) -> impl Strategy<Value = Value> {
    let list = || prop::collection::vec(days(base), 0..3);
    let otherwise = prop::sample::select(vec!["skip", "run", "previous", "next"]);
    let cut =
        prop::option::of(prop::sample::select(vec!["00:00", "02:30", "03:00", "06:00", "23:59"]));
    (list(), list(), otherwise, prop::option::of(days(base)), cut).prop_map(
        |(only, not, otherwise, working, cut)| {
            let mut rule = json!({"only-on": only, "not-on": not, "otherwise": otherwise});
            let mut put = |field: &str, value: Option<Value>| {
                if let Some(value) = value {
                    rule[field] = value;
                }
            };
            put("working-days", working);
            put("cut-over", cut.map(|cut| json!(cut)));
            rule
        },
    )
}

fn numbers(most: u8) -> impl Strategy<Value = String> {
    prop::collection::btree_set(0..most, 1..3)
        .prop_map(|set| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

fn plan() -> impl Strategy<Value = (Plan, Date)> {
    let place = prop::sample::select(DAYS.to_vec());
    place.prop_flat_map(|(day, zone)| {
        let base: Date = day.parse().unwrap();
        let night = prop::sample::select(vec!["1,2", "2", "0,2,3", "1,23", "0"]).prop_map(str::to_owned);
        let step = prop::sample::select(vec!["*/6", "*"]).prop_map(str::to_owned);
        let hours = prop_oneof![3 => night, 2 => numbers(24), 1 => step];
        let minutes = prop_oneof![3 => Just("30".to_owned()), 2 => numbers(60)];
        let star = || Just("*".to_owned());
        let on = prop_oneof![
            3 => (star(), star()),
            1 => (star(), numbers(7)),
            1 => (prop::sample::select(vec!["1", "15", "28", "4,30"]).prop_map(str::to_owned), star()),
        ];
        let gap = prop::sample::select(vec!["shift", "end", "skip"]);
        let overlap = prop::sample::select(vec!["first", "second", "both"]);
        (hours, minutes, on, gap, overlap, rule(base)).prop_map(
            move |(hours, minutes, (dom, dow), gap, overlap, rule)| {
                (Plan { hours, minutes, dom, dow, zone, gap, overlap, rule }, base)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_schedule_among_calendars_is_what_walking_day_by_day_finds(
        (plan, base) in plan(), before in 0..12_000_i64, long in 0..20_000_i64, cut in 0..20_000_i64,
    ) {
        let zone = TimeZone::get(plan.zone).unwrap();
        let noon = zone.to_timestamp(base.at(12, 0, 0, 0)).unwrap();
        let minutes = SignedDuration::from_mins;
        let from = noon - minutes(before);
        let until = from + minutes(long);
        let cut = from + minutes(cut.min(long));
        check(&plan, from, cut, until)?;
    }
}

#[test]
fn a_calendar_with_a_name_is_as_good_as_its_rule() {
    let days = json!({"any-of": [{"weekdays": ["saturday", "sunday"]}, {"month-days": [-1]}]});
    let named = calendars(&[("2000-01-01T00:00:00Z", calendar("off", json!({"days": days})))]);
    let fields = |days: Value| {
        let rule = json!({"not-on": [days], "otherwise": "previous", "cut-over": "06:00"});
        json!({"schedule": {"cron": "30 2,22 * * *"}, "zone": "Europe/Berlin", "calendar": rule})
    };
    let range: (Timestamp, Timestamp) =
        ("2026-01-01T00:00:00Z".parse().unwrap(), "2028-01-01T00:00:00Z".parse().unwrap());
    let instants = |schedule: &Schedule| -> Vec<(Timestamp, Date)> {
        schedule.between(range.0, range.1).map(|o| (o.at, o.business_day)).collect()
    };
    let by_name = instants(&schedule(fields(json!("off")), &named));
    let by_rule = instants(&schedule(fields(days), &Calendars::default()));
    assert_eq!(by_name, by_rule);
    assert!(by_name.len() > 900, "{}", by_name.len());
}
