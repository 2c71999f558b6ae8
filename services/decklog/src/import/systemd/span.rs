//! Lengths of time as systemd.time(7) writes them: `90`, `5min 20s`, `1.5h`, `infinity`.

use domain::time::HumanDuration;

const UNITS: [(&[&str], f64); 8] = [
    (&["usec", "us", "µs", "μs"], 0.001),
    (&["msec", "ms"], 1.0),
    (&["seconds", "second", "sec", "s", ""], 1_000.0),
    (&["minutes", "minute", "min", "m"], 60_000.0),
    (&["hours", "hour", "hr", "h"], 3_600_000.0),
    (&["days", "day", "d"], 86_400_000.0),
    (&["weeks", "week", "w"], 604_800_000.0),
    (&["months", "month", "M"], 2_629_800_000.0),
];
const YEARS: [&str; 3] = ["years", "year", "y"];
const YEAR: f64 = 31_557_600_000.0;

/// A length; `None` for `infinity`.
pub(in crate::import) fn parse(text: &str) -> Result<Option<HumanDuration>, String> {
    let bad = || format!("`{text}` is not a length of time as systemd writes it");
    if text.trim() == "infinity" {
        return Ok(None);
    }
    let (mut rest, mut millis) = (text.trim(), 0.0);
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number);
        let tail = tail.trim_start();
        let unit = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let number: f64 = number.parse().map_err(|_| bad())?;
        millis += number * length(unit).ok_or_else(bad)?;
        rest = tail.trim_start();
    }
    whole(millis).map(|millis| Some(HumanDuration::from_millis(millis))).ok_or_else(bad)
}

fn length(unit: &str) -> Option<f64> {
    if YEARS.contains(&unit) {
        return Some(YEAR);
    }
    UNITS.iter().find(|(names, _)| names.contains(&unit)).map(|(_, millis)| *millis)
}

/// A number of milliseconds that a person can mean.
fn whole(millis: f64) -> Option<u64> {
    // A round trip through its digits: there is no checked conversion from a float.
    let rounded = millis.round();
    (0.0..=1e15).contains(&rounded).then(|| format!("{rounded:.0}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_every_unit() {
        let table = [
            ("90", "1m30s"),
            ("5min 20s", "5m20s"),
            ("1h30m", "1h30m"),
            ("1.5h", "1h30m"),
            ("2 days", "2d"),
            ("500ms", "500ms"),
            ("1w", "7d"),
            ("1month", "30d10h30m"),
            ("1y", "365d6h"),
            ("0", "0s"),
        ];
        for (text, wanted) in table {
            assert_eq!(parse(text).unwrap().unwrap().to_string(), wanted, "{text}");
        }
        assert_eq!(parse("infinity").unwrap(), None);
        for bad in ["", "min", "5 lightyears", "-5s", "1..5s"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
