//! Which snapshots are kept and which are forgotten, each with its reason.
//!
//! Computed from the log: the order and the days of snapshots are those in which the recorder heard of them. Who can
//! write to a repository can date a snapshot back there, and would so push good ones out; here that changes nothing.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::dataset::RetentionRule;
use super::record::Snapshot;
use crate::canonical::Digest;

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which.
    pub id: Digest,
    /// When the log heard of it.
    pub at: Timestamp,
    /// Whether it is kept.
    pub keep: bool,
    /// Why it is kept, or why it is not.
    pub reasons: Vec<String>,
}

/// A stretch of time of which the newest snapshot is kept.
#[derive(Debug, Clone, Copy)]
enum Stretch {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Stretch {
    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }

    /// The same for all instants of one stretch. An hour is one of the zone's offset: the doubled hour in autumn is two.
    fn of(self, at: &Zoned) -> String {
        match self {
            Self::Hour => at.strftime("%Y-%m-%d %H %z").to_string(),
            Self::Day => at.date().to_string(),
            Self::Week => {
                let week = at.date().iso_week_date();
                format!("{}-W{:02}", week.year(), week.week())
            }
            Self::Month => at.strftime("%Y-%m").to_string(),
            Self::Year => at.strftime("%Y").to_string(),
        }
    }
}

/// What becomes of a dataset's snapshots in one repository, newest first.
pub fn plan<'a>(
    rule: &RetentionRule,
    zone: &TimeZone,
    snapshots: impl Iterator<Item = &'a Snapshot>,
    now: Timestamp,
) -> Vec<Verdict> {
    let mut all: Vec<&Snapshot> = snapshots.collect();
    all.sort_by_key(|one| std::cmp::Reverse((one.at, one.id)));
    let mut reasons: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    let mut keep = |one: &Snapshot, why: String| reasons.entry(one.id).or_default().push(why);
    if rule.is_empty() {
        all.iter().for_each(|one| keep(one, "the dataset has no retention rule".to_owned()));
    }
    let good: Vec<&Snapshot> = all.iter().copied().filter(|one| one.is_good()).collect();
    for (number, one) in (1..=rule.last).zip(&good) {
        keep(one, format!("last {number} of {}", rule.last));
    }
    let stretches = [
        (Stretch::Hour, rule.hourly),
        (Stretch::Day, rule.daily),
        (Stretch::Week, rule.weekly),
        (Stretch::Month, rule.monthly),
        (Stretch::Year, rule.yearly),
    ];
    for (stretch, count) in stretches {
        newest_of_each(&good, zone, stretch, count, &mut keep);
    }
    for one in &all {
        by_itself(rule, one, now, &mut keep);
    }
    // What is not whole protects nothing, but may be all there is.
    let newest = good.first().map(|one| one.at);
    for one in all.iter().filter(|one| one.errors > 0 && newest.is_none_or(|at| one.at > at)) {
        keep(one, "incomplete, and no complete one is newer".to_owned());
    }
    // The newest ones: an old one that is kept for a case does not stand for what is there today.
    for one in good.iter().take(rule.minimum.max(1) as usize) {
        let why =
            || vec![format!("never fewer than the newest {} that can be restored", rule.minimum)];
        reasons.entry(one.id).or_insert_with(why);
    }
    all.iter().map(|one| verdict(one, reasons.remove(&one.id))).collect()
}

fn newest_of_each(
    good: &[&Snapshot],
    zone: &TimeZone,
    stretch: Stretch,
    count: u32,
    keep: &mut impl FnMut(&Snapshot, String),
) {
    let (mut seen, mut last) = (0, None);
    for one in good {
        let of = stretch.of(&one.at.to_zoned(zone.clone()));
        if last.as_ref() == Some(&of) {
            continue;
        }
        if seen == count {
            return;
        }
        seen += 1;
        keep(one, format!("{} {seen} of {count}: {of}", stretch.word()));
        last = Some(of);
    }
}

/// What keeps a snapshot whatever others there are.
fn by_itself(
    rule: &RetentionRule,
    one: &Snapshot,
    now: Timestamp,
    keep: &mut impl FnMut(&Snapshot, String),
) {
    if let Some(hold) = one.held(now) {
        let until = hold.until.map_or_else(String::new, |until| format!(" until {until}"));
        keep(one, format!("on hold{until}: {}", hold.reason));
    }
    if let Some(tag) = rule.tags.iter().find(|tag| one.tags.contains(tag)) {
        keep(one, format!("tag {tag}"));
    }
    if let Some(within) = rule.within {
        let age = now.as_millisecond().saturating_sub(one.at.as_millisecond());
        if age < i64::try_from(within.millis()).unwrap_or(i64::MAX) {
            keep(one, format!("within {within}"));
        }
    }
    if one.missing.is_some() {
        keep(
            one,
            "not in the repository now, and may come back; two people can forget it".to_owned(),
        );
    }
    if one.damaged.is_some() {
        keep(one, "damaged: what is left of it may be needed; two people can forget it".to_owned());
    }
}

fn verdict(one: &Snapshot, reasons: Option<Vec<String>>) -> Verdict {
    let keep = reasons.is_some();
    let why = if one.errors > 0 {
        "incomplete, and a complete one is newer"
    } else {
        "no part of the rule keeps it"
    };
    let reasons = reasons.unwrap_or_else(|| vec![why.to_owned()]);
    Verdict { id: one.id, at: one.at, keep, reasons }
}

/// What the rule keeps at a later day, if snapshots are made at these instants until then and the rule is applied
/// after each: newest first. Those to come have the digest of their instant as a name.
pub fn ahead(
    rule: &RetentionRule,
    zone: &TimeZone,
    snapshots: &[&Snapshot],
    to_come: &[Timestamp],
    on: Timestamp,
) -> Vec<Verdict> {
    let mut all: Vec<Snapshot> = snapshots.iter().map(|one| (*one).clone()).collect();
    let Some(pattern) = snapshots.iter().rev().find(|one| one.is_good()).copied().cloned() else {
        return plan(rule, zone, all.iter(), on);
    };
    for at in to_come.iter().filter(|at| **at <= on) {
        let id = Digest::of(at.to_string().as_bytes());
        all.push(Snapshot { id, at: *at, taken: *at, hold: None, ..pattern.clone() });
        let kept: Vec<Digest> =
            plan(rule, zone, all.iter(), *at).iter().filter(|v| v.keep).map(|v| v.id).collect();
        all.retain(|one| kept.contains(&one.id));
    }
    plan(rule, zone, all.iter(), on)
}
