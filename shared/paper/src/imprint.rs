//! The foot of every page: what it is, for whom, as of when, and what made it.

use krilla::metadata::DateTime;

use crate::draft::{Page, Reason};
use crate::error::PaperError;
use crate::flow::baseline;
use crate::letters::{bounded, short};
use crate::look;
use crate::setting::{Line, Setter};
use crate::sheet::{Area, Sheet, float};

/// Longest text of one field of a foot, in characters.
const MAX_FOOT_CHARS: usize = 120;
/// Most lines of it under the title.
const MAX_FOOT_LINES: usize = 6;
/// White between the text and the rule above the foot, and between that and the foot.
const ABOVE: f32 = 12.0;
const BELOW: f32 = 5.0;

/// Where a document comes from and for whom it is. Its texts stand at the foot of every page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imprint {
    /// For whom the document was made.
    pub reader: String,
    /// What made it: program, version and host.
    pub made_by: String,
    /// When it was made: an RFC 3339 instant, as `2026-11-30T06:00:00Z`.
    pub made_at: String,
    /// The position of the log up to which its data goes.
    pub position: u64,
    /// The instant of that position, as it shall be read.
    pub as_of: String,
}

/// A foot that knows its height before the number of pages is known.
pub(crate) struct Foot {
    title: Vec<Line>,
    lines: Vec<Line>,
}

impl Foot {
    pub(crate) fn new(setter: &Setter, sheet: Sheet, title: &str, imprint: &Imprint) -> Self {
        let short = |text: &str| short(text, MAX_FOOT_CHARS);
        let text = format!(
            "For {}. As of position {} of the log, {}. Made {} by {}.",
            short(&imprint.reader),
            thousands(imprint.position),
            short(&imprint.as_of),
            short(&imprint.made_at),
            short(&imprint.made_by),
        );
        let width = sheet.area().width();
        Self {
            title: setter.few_lines(&short(title), &look::FOOT_STRONG, width - 90.0, 2),
            lines: setter.few_lines(&text, &look::FOOT, width, MAX_FOOT_LINES),
        }
    }

    /// The part of the sheet that is left for the page.
    pub(crate) fn leaves(&self, sheet: Sheet) -> Area {
        let area = sheet.area();
        Area { bottom: area.bottom - self.height() - ABOVE, ..area }
    }

    fn height(&self) -> f32 {
        float(self.title.len()) * look::FOOT_STRONG.leading
            + float(self.lines.len()) * look::FOOT.leading
            + BELOW
    }

    /// Puts the foot on every page.
    pub(crate) fn print(&self, setter: &Setter, sheet: Sheet, pages: &mut [Page]) {
        let total = pages.len();
        for (i, page) in pages.iter_mut().enumerate() {
            self.print_on(setter, sheet, page, &format!("page {} of {total}", i + 1));
        }
    }

    fn print_on(&self, setter: &Setter, sheet: Sheet, page: &mut Page, number: &str) {
        let area = sheet.area();
        let mut y = area.bottom - self.height();
        page.rule(area.left, area.right, y, 0.5, look::GREY);
        y += BELOW;
        let styles = [(&self.title, look::FOOT_STRONG), (&self.lines, look::FOOT)];
        let number = setter.lines(number, &look::FOOT_STRONG, 90.0);
        for line in number.into_iter().take(1) {
            let (x, y) = (area.right - line.width, baseline(y, &look::FOOT_STRONG));
            page.text(x, y, line, look::FOOT_STRONG, Reason::Foot);
        }
        for (lines, style) in styles {
            for line in lines {
                page.text(area.left, baseline(y, &style), line.clone(), style, Reason::Foot);
                y += style.leading;
            }
        }
    }
}

/// A number with a comma before each three digits.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Reads an RFC 3339 instant for the file's own description.
pub(crate) fn instant(text: &str) -> Result<DateTime, PaperError> {
    parse(text).ok_or_else(|| PaperError::Instant(bounded(text, MAX_FOOT_CHARS).into_owned()))
}

fn parse(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(at);
    let mut clock = clock.split('.').next()?.split(':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next()?);
    let (ahead, behind) = offset(zone)?;
    let date = DateTime::new(year_of(year)?)
        .month(within(month, 1, 12)?)
        .day(within(day, 1, 31)?)
        .hour(within(hour, 0, 23)?)
        .minute(within(minute, 0, 59)?)
        .second(within(second, 0, 60)?.min(59));
    Some(date.utc_offset_hour(ahead).utc_offset_minute(behind))
}

fn year_of(text: &str) -> Option<u16> {
    (text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn within(text: &str, least: u8, most: u8) -> Option<u8> {
    let number: u8 = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())??;
    (text.len() == 2 && (least..=most).contains(&number)).then_some(number)
}

/// Hours and minutes from UTC.
fn offset(zone: &str) -> Option<(i8, u8)> {
    if matches!(zone, "Z" | "z") {
        return Some((0, 0));
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let (hours, minutes) = digits.split_once(':')?;
    let hours = i8::try_from(within(hours, 0, 23)?).ok()?;
    let minutes = within(minutes, 0, 59)?;
    Some((if sign == "-" { -hours } else { hours }, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_284_902), "1,284,902");
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn an_instant_is_read_as_rfc_3339_has_it() {
        for good in
            ["2026-11-30T06:00:00Z", "2026-11-30T06:00:00.123+05:30", "2026-11-30 06:00:60-08:00"]
        {
            assert!(instant(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "yesterday",
            "2026-11-30",
            "2026-13-30T06:00:00Z",
            "2026-11-30T06:00:00",
            "2026-11-30T06:00:00+é",
        ] {
            assert_eq!(instant(bad), Err(PaperError::Instant(bad.to_owned())));
        }
    }
}
