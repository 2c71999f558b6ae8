//! Times in which nothing starts: on the whole site, in a pool, or of some jobs.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calendar::{Almanac, Days, WEEKDAYS};
use crate::ids::is_name;
use crate::job::{JobDefinition, Problem};
use crate::time::{ClockTime, check_zone, clock_reaches};

/// The word that makes a document a blackout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlackoutKind {
    /// A blackout.
    #[default]
    Blackout,
}

/// A blackout, as written in a YAML document: what becomes due meanwhile does not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BlackoutDefinition {
    /// Always `blackout`.
    pub kind: BlackoutKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// What it applies to.
    pub applies_to: AppliesTo,
    /// The IANA zone of its times.
    #[serde(default = "utc")]
    pub zone: String,
    /// When it is.
    pub times: Vec<BlackoutTimes>,
    /// What becomes of a run that would start meanwhile.
    #[serde(default)]
    pub at_end: BlackoutEnd,
}

/// What a blackout applies to: everything where it names nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AppliesTo {
    /// The whole site.
    #[serde(default, skip_serializing_if = "is_false")]
    pub site: bool,
    /// Jobs of these pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// These jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// Jobs of these flows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// When a blackout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlackoutTimes {
    /// Once.
    Once(Once),
    /// On each of some days.
    Daily(Daily),
}

/// From one time to another, on the clock of the blackout's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Once {
    /// Its beginning.
    #[schemars(with = "String")]
    pub from: DateTime,
    /// Its end, exclusive.
    #[schemars(with = "String")]
    pub until: DateTime,
}

/// From one time of day to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Daily {
    /// On days that are in any of these; every day where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Days>,
    /// Its beginning.
    pub from: ClockTime,
    /// Its end, exclusive; where it is not after `from`, on the next day.
    pub until: ClockTime,
}

/// What becomes of a run that would start during a blackout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlackoutEnd {
    /// It starts at its end.
    #[default]
    StartLate,
    /// It is skipped.
    Skip,
    /// It waits for a person.
    Hold,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// How many stretches of a blackout may follow one another without a break.
const CHAINED_MAX: usize = 400;

impl BlackoutDefinition {
    /// Everything that is wrong with it by itself.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        let to = &self.applies_to;
        let named = to.pools.iter().chain(&to.jobs).chain(&to.flows);
        for name in named.clone().filter(|name| !is_name(name)) {
            add("applies-to", format!("{name:?} is not a name"));
        }
        if to.site == (named.count() > 0) {
            let text = "say `site: true`, or name pools, jobs or flows";
            add("applies-to", text.to_owned());
        }
        if let Err(error) = check_zone(&self.zone) {
            add("zone", error.to_string());
        }
        if self.times.is_empty() {
            add("times", "say when it is".to_owned());
        }
        for times in &self.times {
            match times {
                BlackoutTimes::Once(once) if once.until <= once.from => {
                    add("times", format!("{} is not after {}", once.until, once.from));
                }
                BlackoutTimes::Once(_) => {}
                BlackoutTimes::Daily(daily) => {
                    for message in daily.on.iter().flat_map(Days::problems) {
                        add("times", message);
                    }
                }
            }
        }
        found
    }

    /// The calendars it refers to directly.
    pub fn names(&self) -> std::collections::BTreeSet<String> {
        let mut names = std::collections::BTreeSet::new();
        for times in &self.times {
            if let BlackoutTimes::Daily(daily) = times {
                daily.on.iter().for_each(|days| days.collect_names(&mut names));
            }
        }
        names.remove(WEEKDAYS);
        names
    }

    /// Whether it applies to a job.
    pub fn applies(&self, job: &JobDefinition) -> bool {
        let to = &self.applies_to;
        to.site
            || to.pools.contains(&job.pool)
            || to.jobs.contains(&job.name)
            || job.flow.as_ref().is_some_and(|flow| to.flows.contains(flow))
    }

    /// When the blackout that covers `at` ends; `None` where none does. Stretches that follow one another
    /// without a break are one.
    pub fn covers(&self, at: Timestamp, almanac: &Almanac) -> Option<Timestamp> {
        let zone = TimeZone::get(&self.zone).ok()?;
        let mut end = self.stretch_at(at, &zone, almanac)?;
        for _ in 0..CHAINED_MAX {
            match self.stretch_at(end, &zone, almanac) {
                Some(later) if later > end => end = later,
                Some(_) | None => break,
            }
        }
        Some(end)
    }

    fn stretch_at(&self, at: Timestamp, zone: &TimeZone, almanac: &Almanac) -> Option<Timestamp> {
        let ends = self.times.iter().filter_map(|times| match times {
            BlackoutTimes::Once(once) => {
                let (from, until) = once.span(zone)?;
                (from <= at && at < until).then_some(until)
            }
            BlackoutTimes::Daily(daily) => daily.covers(at, zone, almanac),
        });
        ends.max()
    }

    /// The times between `from` and `to` in which it is, in order; those that follow one another without a break are
    /// one. What reaches beyond the range is cut.
    pub fn spans(
        &self,
        (from, to): (Timestamp, Timestamp),
        almanac: &Almanac,
    ) -> Vec<(Timestamp, Timestamp)> {
        let Ok(zone) = TimeZone::get(&self.zone) else { return Vec::new() };
        let mut all: Vec<(Timestamp, Timestamp)> = Vec::new();
        for times in &self.times {
            match times {
                BlackoutTimes::Once(once) => all.extend(once.span(&zone)),
                BlackoutTimes::Daily(daily) => all.extend(daily.spans((from, to), &zone, almanac)),
            }
        }
        all.retain(|(begin, end)| *begin < to && from < *end);
        all.sort_unstable();
        let joined = all.into_iter().fold(Vec::new(), joined);
        joined.into_iter().map(|(begin, end)| (begin.max(from), end.min(to))).collect()
    }
}

/// Spans in order, with one more that does not begin before them.
fn joined(
    mut known: Vec<(Timestamp, Timestamp)>,
    (begin, end): (Timestamp, Timestamp),
) -> Vec<(Timestamp, Timestamp)> {
    match known.last_mut() {
        Some(last) if begin <= last.1 => last.1 = last.1.max(end),
        Some(_) | None => known.push((begin, end)),
    }
    known
}

impl Once {
    fn span(&self, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        Some((clock_reaches(zone, self.from)?, clock_reaches(zone, self.until)?))
    }
}

impl Daily {
    fn covers(&self, at: Timestamp, zone: &TimeZone, almanac: &Almanac) -> Option<Timestamp> {
        let spans = self.spans((at, at), zone, almanac);
        let ends = spans.into_iter().filter(|(from, until)| *from <= at && at < *until);
        ends.map(|(_, until)| until).max()
    }

    /// From the day before the first instant, because it may reach into the next day, to the day of the last.
    fn spans(
        &self,
        (from, to): (Timestamp, Timestamp),
        zone: &TimeZone,
        almanac: &Almanac,
    ) -> Vec<(Timestamp, Timestamp)> {
        let first = zone.to_datetime(from).date();
        let first = first.yesterday().unwrap_or(first);
        let last = zone.to_datetime(to).date();
        let days = first.series(1.day()).take_while(|day| *day <= last);
        let on = |day: &Date| {
            self.on.is_empty() || self.on.iter().any(|days| almanac.contains(days, *day))
        };
        days.filter(on).filter_map(|day| self.span(day, zone)).collect()
    }

    fn span(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let last = if self.until > self.from { day } else { day.tomorrow().ok()? };
        let from = clock_reaches(zone, day.to_datetime(self.from.time()))?;
        let until = clock_reaches(zone, last.to_datetime(self.until.time()))?;
        Some((from, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spans(zone: &str, times: &Value, range: (&str, &str)) -> Vec<String> {
        let blackout: BlackoutDefinition = serde_json::from_value(json!({
            "kind": "blackout", "name": "b", "applies-to": {"site": true}, "zone": zone, "times": times,
        }))
        .unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let range = (at(range.0), at(range.1));
        let found = blackout.spans(range, &Almanac::default());
        found.iter().map(|(from, until)| format!("{from} {until}")).collect()
    }

    #[test]
    fn the_times_of_a_blackout_are_cut_at_the_range_and_joined_where_they_touch() {
        let range = ("2026-11-20T00:00:00Z", "2026-11-21T12:00:00Z");
        let once = |from: &str, until: &str| json!({"once": {"from": from, "until": until}});
        let daily = |from: &str, until: &str| json!({"daily": {"from": from, "until": until}});
        let table: [(Value, &[&str]); 5] = [
            (json!([once("2026-11-19T22:00", "2026-11-20T00:00")]), &[]),
            (
                json!([once("2026-11-19T22:00", "2026-11-20T02:00")]),
                &["2026-11-20T00:00:00Z 2026-11-20T02:00:00Z"],
            ),
            (
                json!([
                    once("2026-11-20T04:00", "2026-11-20T06:00"),
                    once("2026-11-20T02:00", "2026-11-20T04:00")
                ]),
                &["2026-11-20T02:00:00Z 2026-11-20T06:00:00Z"],
            ),
            (
                json!([daily("22:00", "04:00")]),
                &[
                    "2026-11-20T00:00:00Z 2026-11-20T04:00:00Z",
                    "2026-11-20T22:00:00Z 2026-11-21T04:00:00Z",
                ],
            ),
            (json!([daily("00:00", "00:00")]), &["2026-11-20T00:00:00Z 2026-11-21T12:00:00Z"]),
        ];
        for (times, wanted) in table {
            assert_eq!(spans("UTC", &times, range), wanted, "{times}");
        }
    }

    #[test]
    fn a_blackout_of_a_night_is_as_long_as_the_clock_of_its_zone_makes_it() {
        let times = json!([{"daily": {"from": "01:00", "until": "04:00"}}]);
        let range = ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        // The hour from two to three is there twice.
        assert_eq!(
            spans("Europe/Berlin", &times, range),
            ["2026-10-24T23:00:00Z 2026-10-25T03:00:00Z"]
        );
    }
}
