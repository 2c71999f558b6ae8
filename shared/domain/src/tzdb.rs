//! What moves when the time zone database changes: occurrences that the rules of one version put at other instants than
//! those of another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event::{LogTzdbChanged, MovedOccurrence};
use crate::time::Schedule;

/// How far ahead a scheduler looks for occurrences that move, in days.
pub const AHEAD_DAYS: i64 = 400;
/// The limits of what an event tells. Twenty million occurrences are those of some forty thousand daily jobs, and take
/// a quarter of a minute.
pub const FIRST: Limits = Limits { of_job: 1, all: 20, looked_at: 20_000_000 };
/// Most zones that an event names.
const ZONES_MAX: usize = 100;
/// Most changes of a zone's clock that are looked at.
const CHANGES_MAX: usize = 10_000;
/// How far an occurrence can move: as far as zones have ever been set to another day.
const AROUND: SignedDuration = SignedDuration::from_hours(26);

/// The rules of zones in one version of the time zone database.
#[derive(Debug, Clone, Default)]
pub struct Rules(BTreeMap<String, TimeZone>);

impl Rules {
    /// Takes in a zone as its file (TZif) has it.
    ///
    /// # Errors
    /// The bytes are no such file; in a sentence.
    pub fn add(&mut self, zone: &str, file: &[u8]) -> Result<(), String> {
        let rules = TimeZone::tzif(zone, file).map_err(|error| error.to_string())?;
        self.0.insert(zone.to_owned(), rules);
        Ok(())
    }

    fn get(&self, zone: &str) -> Option<&TimeZone> {
        self.0.get(zone)
    }
}

/// Limits of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many of those that move are named of each job.
    pub of_job: usize,
    /// How many in all.
    pub all: usize,
    /// How many occurrences are looked at, of those before and those now together.
    pub looked_at: usize,
}

/// What moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Zones whose clocks show another time.
    pub zones: BTreeSet<String>,
    /// Zones whose rules are not known in one of the versions.
    pub unknown: BTreeSet<String>,
    /// How many jobs have occurrences that move.
    pub jobs: u64,
    /// How many occurrences move.
    pub moved: u64,
    /// Whether not all occurrences were looked at.
    pub incomplete: bool,
    /// The first of those that move, by instant.
    pub first: Vec<MovedOccurrence>,
}

impl Moves {
    /// The event that tells it.
    pub fn event(&self, from: Option<&str>, to: &str) -> LogTzdbChanged {
        let named = |zones: &BTreeSet<String>| zones.iter().take(ZONES_MAX).cloned().collect();
        LogTzdbChanged {
            from: from.map(str::to_owned),
            to: to.to_owned(),
            zones: named(&self.zones),
            unknown: named(&self.unknown),
            jobs: self.jobs,
            moved: self.moved,
            incomplete: self.incomplete,
            first: self.first.iter().take(FIRST.all).cloned().collect(),
        }
    }

    fn take(&mut self, job: &str, mut moved: Vec<Moved>, limits: Limits) {
        if moved.is_empty() {
            return;
        }
        self.jobs += 1;
        self.moved += moved.len() as u64;
        moved.sort_by_key(|one| one.before.min(one.now).or(one.before).or(one.now));
        let more = moved.len().saturating_sub(limits.of_job) as u64;
        let named = moved.into_iter().take(limits.of_job).map(|one| MovedOccurrence {
            job: job.to_owned(),
            wall: one.wall.to_string(),
            before: one.before,
            now: one.now,
            more: 0,
        });
        self.first.extend(named);
        if let Some(last) = self.first.last_mut() {
            last.more = more;
        }
        let instant = |one: &MovedOccurrence| one.before.min(one.now).or(one.before).or(one.now);
        self.first.sort_by(|a, b| (instant(a), &a.job).cmp(&(instant(b), &b.job)));
        self.first.truncate(limits.all);
    }
}

/// Compares the occurrences of schedules after an instant and up to another, by the rules before and those now.
pub fn compare<'a>(
    schedules: impl IntoIterator<Item = (&'a str, &'a Schedule)>,
    (before, now): (&Rules, &Rules),
    (from, until): (Timestamp, Timestamp),
    limits: Limits,
) -> Moves {
    let mut moves = Moves::default();
    let mut known: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
    let mut left = limits.looked_at;
    for (job, schedule) in schedules {
        let zone = schedule.zone();
        let (Some(before), Some(now)) = (before.get(zone), now.get(zone)) else {
            moves.unknown.insert(zone.to_owned());
            continue;
        };
        let ranges = known.entry(zone).or_insert_with(|| differing(before, now, (from, until)));
        if ranges.is_empty() {
            continue;
        }
        moves.zones.insert(zone.to_owned());
        let both =
            Both { before: schedule.with_rules(before).ok(), now: schedule.with_rules(now).ok() };
        let found = ranges.iter().flat_map(|range| both.moved(*range, &mut left));
        // What lies wholly outside was or will be told by another change.
        let counts = |one: &Moved| {
            let instants = [one.before, one.now];
            instants.iter().flatten().any(|at| *at > from)
                && instants.iter().flatten().any(|at| *at <= until)
        };
        let found: Vec<Moved> = found.filter(counts).collect();
        moves.take(job, found, limits);
        moves.incomplete |= left == 0;
    }
    moves
}

type Range = (Timestamp, Timestamp);

/// The times in which two rules of a zone show different clocks, with what lies close around them.
fn differing(before: &TimeZone, now: &TimeZone, (from, until): Range) -> Vec<Range> {
    let mut edges = BTreeSet::from([from]);
    for zone in [before, now] {
        let changes = zone.following(from).map(|change| change.timestamp());
        edges.extend(changes.take_while(|at| *at < until).take(CHANGES_MAX));
    }
    let ends = edges.iter().skip(1).copied().chain([until]);
    let mut ranges: Vec<Range> = Vec::new();
    for (start, end) in edges.iter().copied().zip(ends) {
        if before.to_offset(start) == now.to_offset(start) {
            continue;
        }
        let start = start.checked_sub(AROUND).unwrap_or(Timestamp::MIN);
        let end = end.checked_add(AROUND).unwrap_or(Timestamp::MAX);
        match ranges.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            Some(_) | None => ranges.push((start, end)),
        }
    }
    ranges
}

/// An occurrence that moves.
#[derive(Debug)]
struct Moved {
    wall: DateTime,
    before: Option<Timestamp>,
    now: Option<Timestamp>,
}

/// A schedule by the rules before and now; `None` where it never fires by them.
struct Both {
    before: Option<Schedule>,
    now: Option<Schedule>,
}

impl Both {
    /// The instants of only one of them, in pairs that have the same wall-clock time.
    fn moved(&self, range: Range, left: &mut usize) -> Vec<Moved> {
        let before = instants(self.before.as_ref(), range, left);
        let now = instants(self.now.as_ref(), range, left);
        // What was not looked at must not look as if it moved.
        if *left == 0 {
            return Vec::new();
        }
        let mut new: BTreeMap<DateTime, VecDeque<Timestamp>> = BTreeMap::new();
        for (at, wall) in now.iter().filter(|(at, _)| !before.contains_key(*at)) {
            new.entry(*wall).or_default().push_back(*at);
        }
        let gone = before.iter().filter(|(at, _)| !now.contains_key(*at));
        let mut moved: Vec<Moved> = gone
            .map(|(at, wall)| {
                let now = new.get_mut(wall).and_then(VecDeque::pop_front);
                Moved { wall: *wall, before: Some(*at), now }
            })
            .collect();
        let added =
            new.into_iter().flat_map(|(wall, all)| all.into_iter().map(move |at| (wall, at)));
        moved.extend(added.map(|(wall, at)| Moved { wall, before: None, now: Some(at) }));
        moved
    }
}

/// The instants at which a schedule runs, and the wall-clock time of each.
fn instants(
    schedule: Option<&Schedule>,
    (from, until): Range,
    left: &mut usize,
) -> BTreeMap<Timestamp, DateTime> {
    let mut found = BTreeMap::new();
    for occurrence in schedule.iter().flat_map(|schedule| schedule.between(from, until)) {
        if *left == 0 {
            break;
        }
        *left -= 1;
        let local = occurrence.local.datetime();
        if occurrence.out.is_none() {
            found.insert(occurrence.at, occurrence.walls.first().copied().unwrap_or(local));
        }
    }
    found
}
