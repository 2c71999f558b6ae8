//! One field of a crontab line: what is allowed in it, in words.
//!
//! The grammar is checked here, before `croner` sees it, for three reasons: its errors do not name the field; it
//! quietly accepts text that means nothing (`1,,2`, a bare `L` as weekday, `MONTUE`); and names are replaced in
//! the whole line at once.

/// A field of a crontab line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// The field's name for people.
    pub(super) name: &'static str,
    /// What it may hold, for people.
    pub(super) allowed: &'static str,
    min: u8,
    max: u8,
    /// Three-letter names; the first stands for `first_name`.
    names: &'static [&'static str],
    first_name: u8,
    extra: Extra,
}

/// Modifiers beyond numbers, ranges, lists and steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Nothing,
    DayOfMonth,
    Weekday,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const SIXTY: &str = "0-59, lists (0,30), ranges (0-10), steps (*/15, 10-50/10) or *";

/// The fields in the order they are written; the first may be left out.
pub(super) const FIELDS: [Field; 6] = [
    plain("second", 0, 59, SIXTY),
    plain("minute", 0, 59, SIXTY),
    plain("hour", 0, 23, "0-23, lists (8,20), ranges (9-17), steps (*/2, 8-18/2) or *"),
    Field {
        extra: Extra::DayOfMonth,
        ..plain("day-of-month", 1, 31, "1-31, lists, ranges, steps, L, 15W, LW or *")
    },
    Field {
        names: &MONTHS,
        first_name: 1,
        ..plain("month", 1, 12, "1-12 or JAN-DEC, lists, ranges, steps or *")
    },
    Field {
        names: &WEEKDAYS,
        extra: Extra::Weekday,
        ..plain(
            "day-of-week",
            0,
            7,
            "0-7 (0 and 7 are Sunday, 1 is Monday) or SUN-SAT, lists, ranges, steps, 5L, 1#2 or *",
        )
    },
];

const fn plain(name: &'static str, min: u8, max: u8, allowed: &'static str) -> Field {
    Field { name, allowed, min, max, names: &[], first_name: 0, extra: Extra::Nothing }
}

impl Field {
    /// The field in numbers only, upper case, ready for `croner`; or what is wrong with it.
    pub(super) fn normalise(&self, text: &str) -> Result<String, String> {
        let items: Vec<String> =
            text.split(',').map(|item| self.item(item)).collect::<Result<_, _>>()?;
        let has = |what: &str| items.iter().any(|item| item == what);
        if items.len() > 1 && has("*") {
            return Err("lists `*` beside other values, which it already contains".to_owned());
        }
        if has("L") && has("LW") {
            return Err("holds both L and LW; make two jobs of it".to_owned());
        }
        Ok(items.join(","))
    }

    fn item(&self, item: &str) -> Result<String, String> {
        if item.is_empty() {
            return Err("has an empty place in its list".to_owned());
        }
        if let Some(special) = self.special(item)? {
            return Ok(special);
        }
        match item.split_once('/') {
            None => self.base(item),
            Some((base, step)) => Ok(format!("{}/{}", self.stepped(base)?, self.step(step)?)),
        }
    }

    fn special(&self, item: &str) -> Result<Option<String>, String> {
        let upper = item.to_ascii_uppercase();
        match self.extra {
            Extra::Nothing => Ok(None),
            Extra::DayOfMonth => match upper.strip_suffix('W') {
                _ if matches!(upper.as_str(), "L" | "LW") => Ok(Some(upper)),
                Some(day) => Ok(Some(format!("{}W", self.value(day)?))),
                None => Ok(None),
            },
            Extra::Weekday => match (upper.strip_suffix('L'), upper.split_once('#')) {
                (Some(""), _) => {
                    Err("says L without a weekday; write 5L for the last Friday".to_owned())
                }
                (Some(day), _) => Ok(Some(format!("{}L", self.value(day)?))),
                (None, Some((day, nth @ ("1" | "2" | "3" | "4" | "5")))) => {
                    Ok(Some(format!("{}#{nth}", self.value(day)?)))
                }
                (None, Some((_, nth))) => {
                    Err(format!("asks for occurrence {nth} of a weekday; it must be 1 to 5"))
                }
                (None, None) => Ok(None),
            },
        }
    }

    fn stepped(&self, base: &str) -> Result<String, String> {
        if base == "*" || base.contains('-') {
            return self.base(base);
        }
        let from = self.value(base)?;
        Err(format!("steps from a single value; write {from}-{}", self.max))
    }

    fn step(&self, text: &str) -> Result<u8, String> {
        let step: u8 =
            text.parse().map_err(|_| format!("has a step `{text}` that is not a number"))?;
        match step {
            0 => Err("has a step of 0".to_owned()),
            _ if step > self.max => Err(format!(
                "has a step of {step}, beyond its last value {}; for other intervals use `every:`",
                self.max
            )),
            _ => Ok(step),
        }
    }

    fn base(&self, base: &str) -> Result<String, String> {
        if base == "*" {
            return Ok("*".to_owned());
        }
        if base.contains('~') {
            return Err("asks for a random time (`~`); choose one".to_owned());
        }
        match base.split_once('-') {
            None => self.value(base).map(|value| value.to_string()),
            Some((from, to)) => self.range(from, to),
        }
    }

    fn range(&self, from: &str, to: &str) -> Result<String, String> {
        let start = self.value(from)?;
        let mut end = self.value(to)?;
        if self.extra == Extra::Weekday && end == 0 && start > 0 {
            // `FRI-SUN`: at the end of a range Sunday is the 7th day.
            end = 7;
        }
        if start > end {
            return Err(format!(
                "runs backwards from {from} to {to}; write {start}-{},{}-{end}",
                self.last(),
                self.min
            ));
        }
        Ok(format!("{start}-{end}"))
    }

    /// The last distinct value: the weekdays end with Saturday, as 7 is Sunday again.
    fn last(&self) -> u8 {
        if self.extra == Extra::Weekday { 6 } else { self.max }
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(index) = self.names.iter().position(|name| *name == lower) {
            return Ok(self.first_name + u8::try_from(index).unwrap_or_default());
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("holds `{text}`, which is not a value"));
        }
        match text.parse::<u8>() {
            Ok(value) if (self.min..=self.max).contains(&value) => Ok(value),
            Ok(_) | Err(_) => Err(format!("holds {text}, which is out of range")),
        }
    }
}
