//! What of time a timeline shows, and where an instant is on it.

use domain::time::check_zone;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::Asked;
use crate::pages::words::{asking, instant};

/// How wide a chart is, in its own units.
pub(crate) const WIDTH: i64 = 1_000;
/// Hours before and behind the middle where nothing is said, and most of them.
const HOURS: i64 = 24;
const HOURS_MAX: i64 = 168;
/// How far ahead links lead, and how far ahead a time may be asked for.
const LINKED_AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// How wide a label is at most.
const LABEL: i64 = 58;
/// Most marks of hours, and the steps between them.
const TICKS: i64 = 16;
const STEPS: [i64; 6] = [1, 2, 3, 6, 12, 24];

/// By what lanes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Job,
    Host,
}

impl By {
    pub(crate) const WORDS: [&'static str; 2] = ["job", "host"];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Host => "host",
        }
    }
}

/// A time, on the clock of a zone.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) by: By,
    /// Hours from its beginning to its middle.
    hours: i64,
    /// Its middle, where it is not the present.
    at: Option<Timestamp>,
}

/// A mark on the scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tick {
    pub(crate) x: i64,
    pub(crate) label: String,
    /// Whether a day begins here.
    pub(crate) day: bool,
}

/// Where the clock of the zone changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClockChange {
    pub(crate) x: i64,
    pub(crate) label: String,
    pub(crate) says: String,
}

fn zone_of(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() {
        return Ok(TimeZone::system());
    }
    let name = check_zone(name).map_err(|error| error.to_string())?;
    TimeZone::get(&name).map_err(|error| error.to_string())
}

fn hours_of(text: &str) -> Result<i64, String> {
    let hours = if text.is_empty() { Ok(HOURS) } else { text.parse() };
    let hours = hours.ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
    hours.ok_or_else(|| format!("hours: 1 to {HOURS_MAX}"))
}

fn by_of(word: &str) -> Result<By, String> {
    match word {
        "" | "job" => Ok(By::Job),
        "host" => Ok(By::Host),
        other => Err(format!("there are no lanes by {other:?}: write job or host")),
    }
}

/// The beginning of the hour that an instant is in.
fn hour(at: Timestamp) -> Timestamp {
    domain::forecast::hour_of(at)
}

fn moved(at: Timestamp, by: SignedDuration) -> Result<Timestamp, String> {
    at.checked_add(by).map_err(|_| "such a time there is not".to_owned())
}

impl View {
    /// What somebody asks for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of(asked: &Asked, now: Timestamp) -> Result<Self, String> {
        let (hours, by) = (hours_of(&asked.hours)?, by_of(&asked.by)?);
        let (at, zone) = (instant(&asked.at)?, zone_of(&asked.zone)?);
        if at.is_some_and(|at| at.duration_since(now) > AHEAD_MAX) {
            return Err("at is 366 days ahead at most".to_owned());
        }
        let (middle, side) = (at.unwrap_or(now), SignedDuration::from_hours(hours));
        let (from, to) = (moved(middle, -side)?, moved(middle, side)?);
        Ok(Self { from, to, now, zone, by, hours, at })
    }

    /// Where an instant is; what is outside is at the border.
    pub(crate) fn x(&self, at: Timestamp) -> i64 {
        let whole = self.to.as_millisecond() - self.from.as_millisecond();
        let part = at.as_millisecond() - self.from.as_millisecond();
        (part * WIDTH / whole.max(1)).clamp(0, WIDTH)
    }

    /// Where the present is, where that is within.
    pub(crate) fn now_x(&self) -> Option<i64> {
        self.holds(self.now).then(|| self.x(self.now))
    }

    /// Whether an instant is within.
    pub(crate) fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// The name of its zone.
    pub(crate) fn zone_name(&self) -> String {
        self.zone.iana_name().unwrap_or("this machine").to_owned()
    }

    /// An instant on the clock of its zone.
    pub(crate) fn told(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The same in few letters.
    pub(crate) fn brief(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%a %H:%M").to_string()
    }

    /// Marks at whole hours of the zone's clock.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let step = STEPS.into_iter().find(|step| 2 * self.hours / step <= TICKS);
        let step = usize::try_from(step.unwrap_or(24)).unwrap_or(24);
        let days = self.date(self.from).series(1.day());
        let days = days.take_while(|day| *day <= self.date(self.to));
        let hours = days.flat_map(|day| (0..24).step_by(step).map(move |hour| (day, hour)));
        let mut ticks: Vec<Tick> = hours.filter_map(|(day, hour)| self.tick(day, hour)).collect();
        ticks.dedup_by_key(|tick| tick.x);
        ticks
    }

    fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    fn tick(&self, day: Date, hour: i8) -> Option<Tick> {
        let at = self.zone.to_zoned(day.at(hour, 0, 0, 0)).ok()?;
        let x = self.holds(at.timestamp()).then(|| self.x(at.timestamp()))?;
        let label = if hour == 0 { at.strftime("%a %m-%d") } else { at.strftime("%H:%M") };
        let has_room = x + LABEL <= WIDTH;
        let label = if has_room { label.to_string() } else { String::new() };
        Some(Tick { x, label, day: hour == 0 })
    }

    /// Where the zone's clock is put forward or back.
    pub(crate) fn clock_changes(&self) -> Vec<ClockChange> {
        let following = self.zone.following(self.from).map(|change| change.timestamp());
        let within = following.take_while(|at| *at < self.to);
        within.filter_map(|at| self.clock_change(at)).collect()
    }

    fn clock_change(&self, at: Timestamp) -> Option<ClockChange> {
        let before = self.zone.to_offset(domain::time::just_before(at));
        let after = self.zone.to_offset(at);
        let (old, new) = (before.to_datetime(at), after.to_datetime(at));
        let clock = |wall: jiff::civil::DateTime| wall.strftime("%H:%M").to_string();
        let label = format!("{} → {}", clock(old), clock(new));
        let says = format!("on {} at {} the clock shows {}", old.date(), clock(old), clock(new));
        (before != after).then(|| ClockChange { x: self.x(at), label, says })
    }

    /// The address of the same view of another time.
    fn address(&self, asked: &Asked, at: &str, after: &str) -> String {
        let view = [
            ("at", at),
            ("hours", asked.hours.as_str()),
            ("by", &asked.by),
            ("zone", &asked.zone),
            ("name", &asked.name),
            ("after", after),
        ];
        asking("/timeline", &view)
    }

    fn beside(&self, by: i64) -> Option<Timestamp> {
        let middle = hour(self.at.unwrap_or(self.now));
        middle.checked_add(SignedDuration::from_hours(by)).ok()
    }

    /// Where it is a side earlier: half of what is shown is shown again.
    pub(crate) fn earlier(&self, asked: &Asked) -> Option<String> {
        Some(self.address(asked, &self.beside(-self.hours)?.to_string(), ""))
    }

    /// Where it is a side later, not farther than links lead.
    pub(crate) fn later(&self, asked: &Asked) -> Option<String> {
        let at = self.beside(self.hours)?;
        let near = at.duration_since(self.now) <= LINKED_AHEAD;
        near.then(|| self.address(asked, &at.to_string(), ""))
    }

    /// Where its middle is the present, unless it is already.
    pub(crate) fn present(&self, asked: &Asked) -> Option<String> {
        self.at.map(|_| self.address(asked, "", ""))
    }

    /// The same view, with the lanes behind one.
    pub(crate) fn behind(&self, asked: &Asked, after: &str) -> String {
        self.address(asked, &asked.at, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn view(at: &str, hours: &str, zone: &str) -> View {
        let (at, hours, zone) = (at.to_owned(), hours.to_owned(), zone.to_owned());
        let asked = Asked { at, hours, zone, ..Asked::default() };
        View::of(&asked, self::at("2026-11-20T12:30:00Z")).unwrap()
    }

    #[test]
    fn where_nothing_is_said_a_view_is_a_day_back_and_a_day_ahead() {
        let view = view("", "", "UTC");
        assert_eq!((view.from, view.to), (at("2026-11-19T12:30:00Z"), at("2026-11-21T12:30:00Z")));
        assert_eq!((view.now_x(), view.by), (Some(500), By::Job));
        for (instant, wanted) in [
            ("2026-11-19T12:30:00Z", 0),
            ("2026-11-20T00:30:00Z", 250),
            ("2026-11-21T12:30:00Z", 1_000),
            ("2020-01-01T00:00:00Z", 0),
            ("2030-01-01T00:00:00Z", 1_000),
        ] {
            assert_eq!(view.x(at(instant)), wanted, "{instant}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_refused_with_what_could() {
        let asked = |field: &str, value: &str| {
            let mut asked = Asked::default();
            let place = match field {
                "at" => &mut asked.at,
                "hours" => &mut asked.hours,
                "by" => &mut asked.by,
                _ => &mut asked.zone,
            };
            *place = value.to_owned();
            View::of(&asked, at("2026-11-20T12:30:00Z")).err()
        };
        for (field, value, wanted) in [
            ("at", "yesterday", "is no time"),
            ("at", "2030-01-01", "366 days ahead"),
            ("hours", "0", "1 to 168"),
            ("hours", "169", "1 to 168"),
            ("hours", "x", "1 to 168"),
            ("by", "colour", "job or host"),
            ("zone", "Europe/Berlln", "Europe/Berlin"),
        ] {
            let said = asked(field, value).unwrap_or_default();
            assert!(said.contains(wanted), "{field} {value}: {said}");
        }
        assert_eq!(asked("hours", "168"), None);
    }

    #[test]
    fn a_scale_has_few_marks_and_days_begin_where_the_zone_says() {
        for hours in ["1", "6", "24", "100", "168"] {
            let ticks = view("2026-11-20T00:00:00Z", hours, "UTC").ticks();
            assert!((2..=17).contains(&ticks.len()), "{hours}: {ticks:?}");
            assert_eq!(ticks.iter().filter(|tick| tick.x == 500 && tick.day).count(), 1);
        }
        let ticks = view("2026-11-20T00:00:00Z", "12", "Asia/Kolkata").ticks();
        let days: Vec<&Tick> = ticks.iter().filter(|tick| tick.day).collect();
        assert_eq!(days, [&Tick { x: 270, label: "Fri 11-20".to_owned(), day: true }]);
    }

    #[test]
    fn a_change_of_the_clock_is_marked_where_it_is_and_told() {
        for (zone, middle, wanted) in [
            (
                "Europe/Berlin",
                "2026-10-25T01:00:00Z",
                Some("on 2026-10-25 at 03:00 the clock shows 02:00"),
            ),
            (
                "Europe/Berlin",
                "2026-03-29T01:00:00Z",
                Some("on 2026-03-29 at 02:00 the clock shows 03:00"),
            ),
            (
                "America/New_York",
                "2026-03-08T07:00:00Z",
                Some("on 2026-03-08 at 02:00 the clock shows 03:00"),
            ),
            ("Europe/Berlin", "2026-11-20T00:00:00Z", None),
            ("UTC", "2026-10-25T01:00:00Z", None),
        ] {
            let found = view(middle, "24", zone).clock_changes();
            assert_eq!(found.first().map(|one| one.says.as_str()), wanted, "{zone} {middle}");
            assert!(found.iter().all(|one| one.x == 500), "{found:?}");
        }
    }

    #[test]
    fn links_lead_from_hour_to_hour_keep_what_was_asked_for_and_end() {
        let asked = Asked { by: "host".to_owned(), ..Asked::default() };
        let mut view = View::of(&asked, at("2026-11-20T12:30:00Z")).unwrap();
        let earlier = view.earlier(&asked).unwrap();
        assert_eq!(earlier, "/timeline?at=2026-11-19T12%3A00%3A00Z&by=host");
        assert_eq!(view.present(&asked), None);
        let mut steps = 0;
        while let Some(later) = view.later(&asked) {
            steps += 1;
            let middle = view.beside(24).unwrap().to_string();
            assert_eq!(later, asking("/timeline", &[("at", &middle), ("by", "host")]));
            let next = Asked { at: middle, ..asked.clone() };
            view = View::of(&next, view.now).unwrap();
            assert_eq!(view.present(&next).as_deref(), Some("/timeline?by=host"));
        }
        assert_eq!(steps, 14);
    }
}
