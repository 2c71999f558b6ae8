//! Every zone and every clock change from 2024 to 2032, against an oracle that walks minute by minute.
//!
//! The oracle shares no code with what it judges: it reads the expression itself, turns minutes into dates by
//! its own arithmetic, and asks the tz database for one thing only, the offset at an instant. It decides what a
//! gap or an overlap is from what the wall clock shows one minute after another.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};

use domain::time::{DstPolicy, Gap, Occurrence, OverlapTime, Schedule, ScheduleSpec};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Set to repeat a run: the seed is printed on failure.
const SEED: &str = "TIME_ORACLE_SEED";
/// Half the window judged around each transition, in minutes.
const DAY: i64 = 24 * 60;
/// How much farther the oracle walks at each end, in minutes; no clock may jump by more.
const MARGIN: i64 = 4 * 60;
const EXPRESSIONS: usize = 5;

/// What is found in a range: each instant (in minutes since 1970) with the wall-clock minutes that came to it.
type Answer = BTreeMap<i64, BTreeSet<i64>>;

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `from..=to`.
    fn within(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.roll() % u64::try_from(to - from + 1).unwrap()).unwrap()
    }
}

/// A wall-clock minute taken apart by the oracle's own calendar.
#[derive(Clone, Copy)]
struct Shown {
    minute: i64,
    hour: i64,
    day: i64,
    month: i64,
    weekday: i64,
}

impl Shown {
    /// Days to dates after Howard Hinnant's `civil_from_days`.
    fn from_minutes(wall: i64) -> Self {
        let days = wall.div_euclid(DAY);
        let z = days + 719_468;
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        Self {
            minute: wall.rem_euclid(60),
            hour: wall.rem_euclid(DAY) / 60,
            day: doy - (153 * mp + 2) / 5 + 1,
            month: if mp < 10 { mp + 3 } else { mp - 9 },
            // 1970-01-01 was a Thursday.
            weekday: (days + 4).rem_euclid(7),
        }
    }
}

/// The oracle's own reading of a five-field crontab line.
struct Line {
    text: String,
    sets: [u64; 5],
    day_stars: [bool; 2],
    fixed: bool,
}

impl Line {
    fn new(text: String) -> Self {
        let fields: Vec<&str> = text.split(' ').collect();
        let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
        let mut sets = [0; 5];
        for (index, (from, to)) in bounds.into_iter().enumerate() {
            sets[index] = set(fields[index], from, to);
        }
        sets[4] |= sets[4] >> 7; // the seventh day is the nought-th
        let fixed = !format!("{} {}", fields[0], fields[1]).contains(['*', '/']);
        let day_stars = [fields[2].starts_with('*'), fields[4].starts_with('*')];
        Self { sets, day_stars, fixed, text }
    }

    fn matches(&self, shown: Shown) -> bool {
        let has = |index: usize, value: i64| self.sets[index] >> value & 1 == 1;
        let (day, weekday) = (has(2, shown.day), has(4, shown.weekday));
        let either = if self.day_stars == [false, false] { day || weekday } else { day && weekday };
        has(0, shown.minute) && has(1, shown.hour) && has(3, shown.month) && either
    }
}

fn set(field: &str, least: i64, most: i64) -> u64 {
    let mut bits = 0;
    for item in field.split(',') {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        for value in (from..=to).step_by(step.parse().unwrap()) {
            bits |= 1_u64 << value;
        }
    }
    bits
}

/// What the wall clock showed around a transition; all numbers are minutes since 1970.
struct Clock {
    /// Each wall-clock minute shown, and the instants that showed it, in order.
    shown: Vec<(i64, Shown, Vec<i64>)>,
    /// Each minute passed over, the instant it is by the offset before, and the first instant after the gap.
    missing: Vec<(i64, Shown, i64, i64)>,
}

impl Clock {
    /// Walks from one minute to the next and looks at the wall clock.
    fn walk(zone: &TimeZone, from: i64, until: i64) -> Self {
        let mut shown: HashMap<i64, Vec<i64>> = HashMap::new();
        let mut missing = Vec::new();
        let mut before = None;
        for at in from..=until {
            let offset = zone.to_offset(Timestamp::from_second(at * 60).unwrap()).seconds();
            assert_eq!(offset % 60, 0, "{zone:?} has an offset with seconds: walk seconds");
            let wall = at + i64::from(offset) / 60;
            shown.entry(wall).or_default().push(at);
            let last = before.replace(wall).unwrap_or(wall - 1);
            let passed = |gone| (gone, Shown::from_minutes(gone), at - 1 + (gone - last), at);
            missing.extend((last + 1..wall).map(passed));
        }
        let apart = |(wall, instants)| (wall, Shown::from_minutes(wall), instants);
        Self { shown: shown.into_iter().map(apart).collect(), missing }
    }
}

/// What should be found, and which wall-clock minutes should be left out by `gap: skip`.
fn judge(line: &Line, policy: DstPolicy, clock: &Clock) -> (Answer, BTreeSet<i64>) {
    let mut answer = Answer::new();
    let mut left_out = BTreeSet::new();
    for (wall, _, instants) in clock.shown.iter().filter(|(_, shown, _)| line.matches(*shown)) {
        let chosen = match policy.overlap_time {
            _ if !line.fixed => instants.as_slice(),
            OverlapTime::Both => instants.as_slice(),
            OverlapTime::First => &instants[..1],
            OverlapTime::Second => &instants[instants.len() - 1..],
        };
        for at in chosen {
            answer.entry(*at).or_default().insert(*wall);
        }
    }
    let missing = clock.missing.iter().filter(|(_, shown, ..)| line.fixed && line.matches(*shown));
    for (wall, _, shifted, end) in missing {
        match policy.gap {
            Gap::Shift => answer.entry(*shifted).or_default().insert(*wall),
            Gap::End => answer.entry(*end).or_default().insert(*wall),
            Gap::Skip => left_out.insert(*wall),
        };
    }
    (answer, left_out)
}

/// Lines with a good chance of hitting the transition that the wall clock shows as `shown` just before.
fn lines(dice: &mut Dice, shown: Shown) -> Vec<(Line, DstPolicy)> {
    (0..EXPRESSIONS).map(|index| (line(dice, shown), policy(dice, index))).collect()
}

fn line(dice: &mut Dice, shown: Shown) -> Line {
    let minutes = (dice.within(0, 59), dice.within(0, 59));
    let hour = (shown.hour + dice.within(-2, 3)).rem_euclid(24);
    let other = dice.within(0, 23);
    let (low, high) = (hour.min(other), hour.max(other));
    let step = dice.within(2, 30);
    let day = dice.within(shown.day - 1, shown.day + 1).clamp(1, 31);
    let weekday = dice.within(shown.weekday, shown.weekday + 1);
    let (m, n) = minutes;
    Line::new(match dice.within(0, 9) {
        0 => format!("{m},{n} {hour},{other} * * *"),
        1 => format!("{m} {low}-{high} * * *"),
        2 => format!("{m},{n} {hour} {day} {} {weekday}", shown.month),
        3 => format!("{m} {hour} * * {weekday}"),
        4 => format!("0-59 {hour} */2 * *"),
        5 => format!("0,15,30,45 {low}-{high} * * *"),
        6 => format!("*/{step} * * * *"),
        7 => format!("{m} */{} * * *", step.min(12)),
        8 => format!("{}-{}/{} {hour} * * *", m.min(n), m.max(n), step.min(9)),
        _ => format!("* {hour} {day} * {weekday}"),
    })
}

/// The default for most, any other for the rest.
fn policy(dice: &mut Dice, index: usize) -> DstPolicy {
    if index < 3 {
        return DstPolicy::default();
    }
    let gap = [Gap::Shift, Gap::End, Gap::Skip][usize::try_from(dice.within(0, 2)).unwrap()];
    let overlap_time = [OverlapTime::First, OverlapTime::Second, OverlapTime::Both]
        [usize::try_from(dice.within(0, 2)).unwrap()];
    DstPolicy { gap, overlap_time }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(minutes * 60).unwrap()
}

fn minutes_of(wall: jiff::civil::DateTime) -> i64 {
    jiff::tz::Offset::UTC.to_timestamp(wall).unwrap().as_second() / 60
}

fn answered(found: &[Occurrence]) -> Answer {
    let entry = |found: &Occurrence| {
        (found.at.as_second() / 60, found.walls.iter().copied().map(minutes_of).collect())
    };
    found.iter().map(entry).collect()
}

/// The transitions of a zone from 2024 to 2032 that move the wall clock, in minutes since 1970.
fn transitions(zone: &TimeZone) -> Vec<i64> {
    let start: Timestamp = "2024-01-01T00:00Z".parse().unwrap();
    let end: Timestamp = "2033-01-01T00:00Z".parse().unwrap();
    let mut offset = zone.to_offset(start);
    let mut moves = Vec::new();
    for transition in zone.following(start).take_while(|transition| transition.timestamp() < end) {
        let jump = transition.offset().duration_since(offset).as_mins().abs();
        assert!(jump < MARGIN, "{zone:?} jumps by {jump} minutes: widen the margin");
        let second = transition.timestamp().as_second();
        assert_eq!(second % 60, 0, "{zone:?} moves its clock within a minute");
        if jump != 0 {
            moves.push(second / 60);
        }
        offset = transition.offset();
    }
    moves
}

/// One transition of one zone against the oracle.
fn check(name: &str, zone: &TimeZone, moved: i64, dice: &mut Dice) {
    let (from, until) = (moved - DAY, moved + DAY);
    let clock = Clock::walk(zone, from - MARGIN, until + MARGIN);
    let before =
        clock.shown.iter().find(|(_, _, instants)| instants.contains(&(moved - 1))).unwrap().1;
    for (line, policy) in lines(dice, before) {
        let context = format!("{name}, `{}`, {policy:?}, around {}", line.text, at(moved));
        let schedule = Schedule::parse(&ScheduleSpec::Cron(line.text.clone()), name, policy)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        let (wanted, left_out) = judge(&line, policy, &clock);
        let wanted: Answer =
            wanted.into_iter().filter(|(at, _)| (from + 1..=until).contains(at)).collect();
        let found: Vec<Occurrence> = schedule.between(at(from), at(until)).collect();
        assert!(found.is_sorted_by(|a, b| a.at < b.at), "{context}: not strictly increasing");
        let (skipped, run): (Vec<_>, Vec<_>) =
            found.iter().cloned().partition(|occurrence| occurrence.out.is_some());
        assert_eq!(answered(&run), wanted, "{context}");
        check_cuts(&schedule, &found, [from, moved, until], dice, &context);
        let beside = run.iter().flat_map(|occurrence| &occurrence.left_out);
        let alone = skipped.iter().flat_map(|occurrence| &occurrence.left_out);
        let skipped: BTreeSet<i64> = alone.chain(beside).map(|wall| minutes_of(*wall)).collect();
        assert_eq!(skipped, left_out, "{context}: left out");
    }
}

/// The same range cut at the transition and around it must hold the same, and so must stepping with `next`.
fn check_cuts(
    schedule: &Schedule,
    whole: &[Occurrence],
    [from, moved, until]: [i64; 3],
    dice: &mut Dice,
    context: &str,
) {
    let mut cuts = vec![from, moved, until];
    cuts.extend([dice.within(from, until), dice.within(moved - 60, moved + 60)]);
    cuts.extend([dice.within(moved - 180, moved + 180), dice.within(from, until)]);
    cuts.sort_unstable();
    let pieces = cuts.windows(2).flat_map(|pair| schedule.between(at(pair[0]), at(pair[1])));
    assert!(pieces.eq(whole.iter().cloned()), "{context}: cut at {cuts:?}");
    let near = whole.partition_point(|found| found.at < at(moved - 120));
    for pair in whole[near..].windows(2).take(4) {
        assert_eq!(schedule.next(pair[0].at).as_ref(), Some(&pair[1]), "{context}: next");
    }
}

fn seed() -> u64 {
    match std::env::var(SEED) {
        Ok(text) => text.parse().expect("the seed is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    }
}

/// Prints how to repeat a run that failed.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat this run, set {SEED}={}", self.0);
        }
    }
}

#[test]
fn no_wall_clock_time_is_lost_or_doubled_in_any_zone_at_any_transition() {
    let repeat = Repeat(seed());
    let mut names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    names.retain(|name| {
        !["localtime", "posixrules", "Factory", "Etc/Unknown"].contains(&name.as_str())
    });
    names.sort_unstable();
    let (mut zones, mut moves) = (0, 0);
    for (index, name) in names.iter().enumerate() {
        let zone = TimeZone::get(name).unwrap();
        let mut dice =
            Dice(repeat.0 ^ u64::try_from(index).unwrap().wrapping_mul(0x2545_F491_4F6C_DD1D));
        let moved = transitions(&zone);
        moved.iter().for_each(|moved| check(name, &zone, *moved, &mut dice));
        zones += 1;
        moves += moved.len();
    }
    println!("{zones} zones, {moves} transitions, seed {}", repeat.0);
    assert!(
        zones > 400 && moves > 2000,
        "only {zones} zones and {moves} transitions: is the tz database whole?"
    );
}

#[test]
fn the_oracle_knows_the_calendar() {
    for (date, wanted) in
        [("2024-02-29", [29, 2, 4]), ("2026-03-08", [8, 3, 0]), ("2032-12-31", [31, 12, 5])]
    {
        let midnight: jiff::civil::Date = date.parse().unwrap();
        let shown = Shown::from_minutes(minutes_of(midnight.at(0, 0, 0, 0)));
        assert_eq!([shown.day, shown.month, shown.weekday], wanted, "{date}");
    }
}
