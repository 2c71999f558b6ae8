//! Quartz expressions as their own programs write them: `L`, `W` and `#` included, which `quartz:` does not know.

use domain::calendar::{DaySet, Days};
use domain::time::{CalendarRule, DstPolicy, Schedule, ScheduleSpec};

use super::draft::When;

/// A Quartz expression as a schedule that fires.
pub(super) fn schedule(expression: &str) -> Result<When, String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let when = match fields.as_slice() {
        [second, minute, hour, day, month, weekday, year @ ..] if year.len() <= 1 => {
            let (special_day, special_weekday) = (is_special(day), is_special_weekday(weekday));
            if special_day || special_weekday {
                if year.iter().any(|year| *year != "*") {
                    return Err(format!(
                        "`{expression}`: L, W and # cannot be carried together with a year"
                    ));
                }
                crontab([second, minute, hour, day, month, weekday])?
            } else {
                When::plain(ScheduleSpec::Quartz(fields.join(" ")))
            }
        }
        _ => {
            return Err(format!(
                "`{expression}` has {} fields; a Quartz expression has 6 or 7 (second minute hour day-of-month month day-of-week [year])",
                fields.len()
            ));
        }
    };
    Schedule::parse(&when.spec, "UTC", DstPolicy::default()).map_err(|error| error.to_string())?;
    Ok(when)
}

/// The fields of an expression without years as a crontab writes them, seconds first where there are any.
pub(crate) fn as_crontab(expression: &str) -> Result<String, String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    match fields.as_slice() {
        [second, minute, hour, day, month, weekday, ..] => {
            let when = crontab([second, minute, hour, day, month, weekday])?;
            match when.spec {
                ScheduleSpec::Cron(line) => Ok(line),
                other
                @ (ScheduleSpec::Quartz(_) | ScheduleSpec::Every(_) | ScheduleSpec::At(_)) => {
                    Err(format!("`{other}` is no crontab line"))
                }
            }
        }
        _ => Err(format!("`{expression}` is no Quartz expression")),
    }
}

fn is_special(day: &str) -> bool {
    day.to_ascii_uppercase().contains(['L', 'W'])
}

fn is_special_weekday(weekday: &str) -> bool {
    let upper = weekday.to_ascii_uppercase();
    upper.contains('#') || upper.split(',').any(|item| item.ends_with('L'))
}

/// The same as a crontab line, where such letters are known.
fn crontab([second, minute, hour, day, month, weekday]: [&str; 6]) -> Result<When, String> {
    let stepped = |field: &str, most: u8| {
        field.split(',').map(|i| stepped(i, most)).collect::<Vec<_>>().join(",")
    };
    let weekday: Vec<String> =
        weekday.split(',').map(sunday_from_zero).collect::<Result<_, _>>()?;
    let (day, calendar) = day_of_month(day)?;
    let mut line = format!(
        "{} {} {day} {} {}",
        stepped(minute, 59),
        stepped(hour, 23),
        stepped(month, 12),
        weekday.join(",")
    );
    if second != "0" {
        line = format!("{} {line}", stepped(second, 59));
    }
    Ok(When { calendar, ..When::plain(ScheduleSpec::Cron(line)) })
}

/// `0/15` is written `0-59/15` in a crontab.
fn stepped(item: &str, most: u8) -> String {
    match item.split_once('/') {
        Some((from, step)) if from != "*" && !from.contains('-') => format!("{from}-{most}/{step}"),
        Some(_) | None => item.replace('?', "*"),
    }
}

/// The day field; the n-th day before the last is a rule of its own.
fn day_of_month(day: &str) -> Result<(String, CalendarRule), String> {
    let upper = day.to_ascii_uppercase();
    let Some(before) = upper.strip_prefix("L-") else {
        return Ok((upper.replace('?', "*"), CalendarRule::default()));
    };
    let before: i8 = before
        .parse()
        .ok()
        .filter(|n| (1..=30).contains(n))
        .ok_or_else(|| format!("`{day}` is no day of a month"))?;
    let days = Days::Set(DaySet::MonthDays(vec![-1 - before]));
    Ok(("*".to_owned(), CalendarRule { only_on: vec![days], ..CalendarRule::default() }))
}

/// One item of the weekday field with Sunday as 0 instead of 1.
fn sunday_from_zero(item: &str) -> Result<String, String> {
    let upper = item.to_ascii_uppercase();
    if upper == "?" || upper == "*" {
        return Ok("*".to_owned());
    }
    if upper == "L" {
        return Ok("6".to_owned());
    }
    let (base, end) = match (upper.split_once('#'), upper.strip_suffix('L')) {
        (Some((base, nth)), _) => (base, format!("#{nth}")),
        (None, Some(base)) => (base, "L".to_owned()),
        (None, None) => (upper.as_str(), String::new()),
    };
    let shifted: Vec<String> = base.split('-').map(one_less).collect::<Result<_, _>>()?;
    Ok(format!("{}{end}", shifted.join("-")))
}

fn one_less(day: &str) -> Result<String, String> {
    match day.parse::<u8>() {
        Ok(number @ 1..=7) => Ok((number - 1).to_string()),
        Ok(_) => Err(format!("`{day}` is no day of the week: Quartz counts 1 (Sunday) to 7")),
        Err(_) => Ok(day.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_keeps_its_form_where_it_can_and_becomes_a_crontab_line_where_it_must() {
        let table = [
            ("0 0 8 ? * MON-FRI *", "quartz: 0 0 8 ? * MON-FRI *"),
            ("0 0/15 * * * ?", "quartz: 0 0/15 * * * ?"),
            ("0 0 22 L * ?", "cron: 0 22 L * *"),
            ("0 0 22 LW * ? *", "cron: 0 22 LW * *"),
            ("0 30 6 15W * ?", "cron: 30 6 15W * *"),
            ("0 0 12 ? * 6L", "cron: 0 12 * * 5L"),
            ("0 0 12 ? * FRIL", "cron: 0 12 * * FRIL"),
            ("0 0 12 ? * 6#3", "cron: 0 12 * * 5#3"),
            ("0 0 12 ? * MON#1", "cron: 0 12 * * MON#1"),
            ("0 0 12 ? * L", "cron: 0 12 * * 6"),
            ("30 0/10 12 ? 1/3 2#1", "cron: 30 0-59/10 12 * 1-12/3 1#1"),
        ];
        for (expression, wanted) in table {
            assert_eq!(schedule(expression).unwrap().spec.to_string(), wanted, "{expression}");
        }
    }

    #[test]
    fn days_before_the_last_are_a_rule() {
        let when = schedule("0 0 12 L-2 * ?").unwrap();
        assert_eq!(when.spec.to_string(), "cron: 0 12 * * *");
        assert_eq!(when.calendar.only_on, [Days::Set(DaySet::MonthDays(vec![-3]))]);
    }

    #[test]
    fn what_is_no_expression_is_refused_with_the_reason() {
        for (expression, wanted) in [
            ("0 0 8 * *", "has 5 fields"),
            ("0 0 8 L * ? 2027", "together with a year"),
            ("0 0 25 * * ?", "hour"),
            ("0 0 0 31 2 ?", "never fires"),
            ("0 0 12 ? * 9#1", "no day of the week"),
        ] {
            let error = schedule(expression).unwrap_err();
            assert!(error.contains(wanted), "{expression}: {error}");
        }
    }
}
