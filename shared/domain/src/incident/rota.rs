//! Contacts that take turns: whose turn it is, by the clock of a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tree::{Quiet, utc};
use crate::calendar::{Almanac, Days};
use crate::ids::is_name;
use crate::time::{ClockTime, check_zone, clock_reaches};

/// Most contacts of a rota.
const TURNS_MAX: usize = 100;
/// The longest turn, in days.
const DAYS_MAX: u16 = 366;

/// Contacts that take turns, each for some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rota {
    /// The IANA zone of its times.
    #[serde(default = "utc")]
    pub zone: String,
    /// When the first turn begins; each later one begins at the same time of day.
    #[schemars(with = "String")]
    pub from: DateTime,
    /// How many days a turn has.
    #[serde(default = "week")]
    pub days: u16,
    /// Who takes turns, in their order.
    pub turns: Vec<String>,
    /// At which time of day it has anybody; the whole day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// Days on which somebody else is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Days>,
    /// Who that is; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_holidays: Option<String>,
}

/// From one time of day to another, on the clock of a rota's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hours {
    /// Its beginning.
    pub from: ClockTime,
    /// Its end, exclusive; where it is not after `from`, on the next day.
    pub until: ClockTime,
}

fn week() -> u16 {
    7
}

/// Whether a time of day is from one to another, over midnight where the second is not later.
fn within(time: jiff::civil::Time, from: ClockTime, until: ClockTime) -> bool {
    let (from, until) = (from.time(), until.time());
    if from < until { from <= time && time < until } else { from <= time || time < until }
}

impl Rota {
    /// Everything that is wrong with it by itself.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(check_zone(&self.zone).err().map(|error| error.to_string()));
        if !(1..=DAYS_MAX).contains(&self.days) {
            found.push(format!("days: 1 to {DAYS_MAX}"));
        }
        if !(1..=TURNS_MAX).contains(&self.turns.len()) {
            found.push(format!("turns: 1 to {TURNS_MAX} contacts"));
        }
        let named = self.turns.iter().chain(&self.on_holidays);
        found.extend(named.filter(|n| !is_name(n)).map(|name| format!("{name:?} is not a name")));
        found.extend(self.holidays.iter().flat_map(Days::problems));
        if self.on_holidays.is_some() && self.holidays.is_empty() {
            found.push("on-holidays: say which days those are with holidays".to_owned());
        }
        found
    }

    /// Whose turn it is at an instant; `None` where nobody is there.
    pub fn on_call(&self, at: Timestamp, almanac: &Almanac) -> Option<&str> {
        let zone = TimeZone::get(&self.zone).ok()?;
        let wall = zone.to_datetime(at);
        if let Some(hours) = &self.hours
            && !within(wall.time(), hours.from, hours.until)
        {
            return None;
        }
        // A turn lasts until the clock first shows the time of day at which it began: an hour that comes twice hands over once.
        let today = wall.date();
        let begins = clock_reaches(&zone, today.to_datetime(self.from.time()))?;
        let day = if at < begins { today.yesterday().ok()? } else { today };
        if self.holidays.iter().any(|days| almanac.contains(days, day)) {
            return self.on_holidays.as_deref();
        }
        let since = self.from.date().until(day).ok()?.get_days();
        let turn = since.div_euclid(i32::from(self.days.max(1)));
        let turns = i32::try_from(self.turns.len()).unwrap_or(1).max(1);
        let index = usize::try_from(turn.rem_euclid(turns)).ok()?;
        self.turns.get(index).map(String::as_str)
    }
}

impl Quiet {
    /// Until when it is quiet at an instant; `None` where it is not.
    pub fn until(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = TimeZone::get(&self.zone).ok()?;
        let wall = zone.to_datetime(at);
        if !within(wall.time(), self.from, self.until) {
            return None;
        }
        let tomorrow = wall.time() >= self.until.time();
        let day = if tomorrow { wall.date().tomorrow().ok()? } else { wall.date() };
        clock_reaches(&zone, day.to_datetime(self.until.time())).filter(|until| *until > at)
    }
}
