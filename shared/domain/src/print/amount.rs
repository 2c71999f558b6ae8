//! Amounts of money as documents write them, in ten-thousandths, and control totals.

use super::work::ControlRule;
use crate::event::ControlSeen;

/// Parts of one.
const PARTS: i64 = 10_000;

/// Reads an amount such as `1,234.50`, `$ 12.5` or, with a comma before the cents, `1.234,50 €`.
///
/// # Errors
/// It is none, or larger than can be counted.
pub fn read(text: &str, decimal: char) -> Result<i64, String> {
    let bad = || format!("{:?} is no amount", text.chars().take(40).collect::<String>());
    let negative = text.contains('-') || (text.contains('(') && text.contains(')'));
    let body = text.trim_matches(|c: char| !c.is_ascii_digit() && c != decimal);
    let (whole, part) = body.split_once(decimal).unwrap_or((body, ""));
    let group = if decimal == ',' { '.' } else { ',' };
    let digits: String = whole
        .chars()
        .filter(|c| ![group, ' ', '\'', '\u{a0}', '\u{202f}', '_'].contains(c))
        .collect();
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (digits.is_empty() && part.is_empty())
        || !all_digits(&digits)
        || !all_digits(part)
        || part.len() > 4
    {
        return Err(bad());
    }
    let whole: i64 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| bad())? };
    let part: i64 = format!("{part:0<4}").parse().map_err(|_| bad())?;
    let amount =
        whole.checked_mul(PARTS).and_then(|whole| whole.checked_add(part)).ok_or_else(bad)?;
    Ok(if negative { -amount } else { amount })
}

/// An amount with two digits behind the point, or four where it has them.
pub fn shown(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let parts = PARTS.unsigned_abs();
    let (whole, part) = (amount.unsigned_abs() / parts, amount.unsigned_abs() % parts);
    if part % 100 == 0 {
        format!("{sign}{whole}.{:02}", part / 100)
    } else {
        format!("{sign}{whole}.{part:04}")
    }
}

/// What a source says there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlTotal {
    /// Sheets or items.
    pub count: u64,
    /// What they come to.
    pub amount: Option<i64>,
}

/// Reads a control total from a text by its expressions.
///
/// # Errors
/// It is not there, or there twice with different values.
pub fn total_of_text(text: &str, rule: &ControlRule) -> Result<ControlTotal, String> {
    let count = one(text, rule.count.as_deref().unwrap_or_default(), "count")?;
    let digits: String = count.chars().filter(char::is_ascii_digit).collect();
    let count =
        digits.parse().map_err(|_| format!("the control file's count {count:?} is no number"))?;
    let amount = match &rule.amount {
        Some(pattern) => Some(read(&one(text, pattern, "amount")?, rule.decimal)?),
        None => None,
    };
    Ok(ControlTotal { count, amount })
}

fn one(text: &str, pattern: &str, what: &str) -> Result<String, String> {
    let regex = regex_lite::RegexBuilder::new(pattern).multi_line(true).build();
    let regex = regex.map_err(|error| error.to_string())?;
    let mut values = regex
        .captures_iter(text)
        .filter_map(|found| Some(found.get(1)?.as_str().trim().to_owned()));
    let value = values
        .next()
        .ok_or_else(|| format!("the control file has no {what}: {pattern:?} finds nothing"))?;
    match values.find(|other| *other != value) {
        None => Ok(value),
        Some(other) => Err(format!("the control file has two of {what}: {value:?} and {other:?}")),
    }
}

/// Compares a control total with what was found: sheets and what each of them comes to.
pub fn compare(total: ControlTotal, found: u64, amounts: &[Option<i64>]) -> ControlSeen {
    let sum = amounts.iter().try_fold(0_i64, |sum, amount| sum.checked_add((*amount)?));
    ControlSeen {
        expected: total.count,
        found,
        amount_agrees: total.amount.map(|amount| sum == Some(amount)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them_and_nothing_else_is_one() {
        for (text, decimal, amount) in [
            ("0", '.', 0),
            ("1,234.50", '.', 12_345_000),
            ("$ 12.5", '.', 125_000),
            ("**1,000.00**", '.', 10_000_000),
            ("1.234,50 €", ',', 12_345_000),
            ("1 234,5", ',', 12_345_000),
            (".05", '.', 500),
            ("-3.10", '.', -31_000),
            ("(3.10)", '.', -31_000),
            ("0.1234", '.', 1_234),
        ] {
            assert_eq!(read(text, decimal), Ok(amount), "{text}");
        }
        for text in ["", ".", "abc", "1.2.3", "1.23456", "99999999999999999999", "12x4"] {
            assert!(read(text, '.').is_err(), "{text}");
        }
        assert_eq!([shown(12_345_000), shown(-1_234), shown(0)], ["1234.50", "-0.1234", "0.00"]);
    }

    #[test]
    fn a_control_total_is_found_once_or_not_at_all() {
        let rule = ControlRule {
            file: "/x".into(),
            count: Some(r"^CHECKS\s+(\d+)$".into()),
            amount: Some(r"^TOTAL\s+([0-9.,]+)$".into()),
            separator: ',',
            decimal: '.',
        };
        let total = total_of_text("CHECKS 3\nTOTAL 1,000.50\n", &rule).unwrap();
        assert_eq!(total, ControlTotal { count: 3, amount: Some(10_005_000) });
        for bad in ["TOTAL 1.00\n", "CHECKS 3\n", "CHECKS 3\nCHECKS 4\nTOTAL 1.00\n"] {
            assert!(total_of_text(bad, &rule).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_total_agrees_only_with_the_same_count_and_the_same_sum() {
        let total = ControlTotal { count: 2, amount: Some(30) };
        let seen = |found, amounts: &[Option<i64>]| compare(total, found, amounts).agrees();
        assert!(seen(2, &[Some(10), Some(20)]));
        assert!(!seen(3, &[Some(10), Some(20)]));
        assert!(!seen(2, &[Some(10), Some(21)]));
        assert!(!seen(2, &[Some(10), None]), "what was not read is not nothing");
        let counted = ControlTotal { count: 2, amount: None };
        assert!(compare(counted, 2, &[None]).agrees());
    }
}
