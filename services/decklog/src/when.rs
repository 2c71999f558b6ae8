//! Instants as people type them.

use anyhow::Context as _;
use domain::time::HumanDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// An instant: with offset or zone as it stands, without one read in `zone`.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<Zoned>() {
        return Ok(at.timestamp());
    }
    let civil =
        text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(Date::to_datetime_midnight));
    let civil = civil.with_context(|| {
        format!(
            "{text:?} is no instant: write 2026-03-07, 2026-03-07T02:30, or either with an offset"
        )
    })?;
    Ok(zone.to_zoned(civil)?.timestamp())
}

trait Midnight {
    fn to_datetime_midnight(self) -> DateTime;
}

impl Midnight for Date {
    fn to_datetime_midnight(self) -> DateTime {
        self.at(0, 0, 0, 0)
    }
}

/// An instant, or how long ago (`12h`).
pub(crate) fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(ago) = text.parse::<HumanDuration>() {
        let ago = jiff::SignedDuration::try_from(ago.as_duration())?;
        return Ok(now.checked_sub(ago)?);
    }
    instant(text, &TimeZone::system())
}
