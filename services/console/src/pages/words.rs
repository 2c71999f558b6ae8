//! How pages say things: states, lengths, addresses.

use domain::event::RiskReason;
use domain::ids::{StreamId, StreamType};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::answer::encoded;
use super::when;

/// How a state's word looks; the word itself says it too.
pub(crate) fn tone(state: &str) -> &'static str {
    match state {
        "succeeded" | "active" | "up" | "protected" | "good" | "printed" | "saved"
        | "electronic" | "goes-on" => "good",
        "failed" | "timed-out" | "missed" | "unknown" | "at-risk" | "not-protected" | "damaged"
        | "silent" | "revoked" => "bad",
        "warning" | "late" | "held" | "blocked" | "retrying" | "cancelled" | "paused"
        | "drained" | "down" | "awaited" | "stopped" | "skipped" => "warn",
        _ => "",
    }
}

/// A word for a state, as a page marks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) word: String,
    pub(crate) tone: &'static str,
}

impl Marked {
    pub(crate) fn new(word: impl Into<String>) -> Self {
        let word = word.into();
        let tone = tone(&word);
        Self { word, tone }
    }

    /// The same with a tone that its word alone does not say.
    pub(crate) fn tuned(word: impl Into<String>, tone: &'static str) -> Self {
        Self { word: word.into(), tone }
    }
}

/// A text that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) text: String,
}

impl Link {
    pub(crate) fn new(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self { href: href.into(), text: text.into() }
    }

    /// To a stream, by its name.
    pub(crate) fn to(id: &StreamId) -> Self {
        Self::new(address(id), id.rest())
    }

    /// To whoever an event names; where nobody is, to nowhere.
    pub(crate) fn who(actor: &str) -> Self {
        match actor.strip_prefix("user/") {
            Some(name) => Self::new(format!("/people/{}", encoded(name)), name),
            None => Self::new("", actor),
        }
    }
}

/// A choice of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) value: &'static str,
    pub(crate) chosen: bool,
}

/// The choices of a form, with what was chosen.
pub(crate) fn choices(all: &[&'static str], chosen: &str) -> Vec<Choice> {
    all.iter().map(|value| Choice { value, chosen: *value == chosen }).collect()
}

/// Where people read more about a stream.
pub(crate) fn address(id: &StreamId) -> String {
    let name = encoded(id.rest());
    match id.stream_type() {
        StreamType::Job => format!("/jobs/{name}"),
        StreamType::Run => format!("/runs/{name}"),
        StreamType::Host => format!("/hosts/{name}"),
        StreamType::User => format!("/people/{name}"),
        StreamType::Document => format!("/prints/documents/{name}"),
        StreamType::Dataset => format!("/backups/{name}"),
        StreamType::Form => format!("/prints/forms/{name}"),
        StreamType::Queue => "/prints/queues".to_owned(),
        StreamType::Review => "/night/signed".to_owned(),
        StreamType::Incident => format!("/incidents/{}", id.rest()),
        StreamType::CallTree => format!("/rota#{name}"),
        StreamType::Measures => "/controls#measures".to_owned(),
        StreamType::Request => format!("/requests/{name}"),
        StreamType::Control => format!("/controls/{}", name.to_ascii_uppercase()),
        StreamType::Log
        | StreamType::Calendar
        | StreamType::Blackout
        | StreamType::Lock
        | StreamType::Pool
        | StreamType::Repository => format!("/events?stream={}", encoded(id.as_str())),
    }
}

/// Where a stream's events are listed.
pub(crate) fn events_of(id: &StreamId) -> String {
    format!("/events?stream={}", encoded(id.as_str()))
}

/// A path with those of its parameters that say something.
pub(crate) fn asking(path: &str, parameters: &[(&str, &str)]) -> String {
    let said = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> =
        said.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// How long something took.
pub(crate) fn long(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min {} s", s / 60, s % 60),
        s @ 3_600..86_400 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        s => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// From one instant to another.
pub(crate) fn between(from: Timestamp, until: Timestamp) -> String {
    let ms = until.as_millisecond() - from.as_millisecond();
    if (0..10_000).contains(&ms) {
        return format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    }
    long(ms / 1_000)
}

/// Milliseconds for people.
pub(crate) fn millis(ms: u64) -> String {
    between(
        Timestamp::UNIX_EPOCH,
        Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(0)).unwrap_or_default(),
    )
}

/// A text in a list, cut where it is long.
pub(crate) fn brief(text: &str) -> String {
    const CHARS: usize = 160;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    let cut: String = text.chars().take(CHARS).collect();
    format!("{cut} …")
}

/// An instant that somebody wrote: RFC 3339, or a date or a time of the console's zone.
///
/// # Errors
/// It is none.
pub(crate) fn instant(text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let local = |wall: DateTime| TimeZone::system().to_timestamp(wall).ok();
    let found =
        text.parse::<Timestamp>().ok().or_else(|| local(text.parse::<DateTime>().ok()?)).or_else(
            || local(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())),
        );
    let none =
        || format!("{text:?} is no time: write 2026-11-30, 2026-11-30T02:00 or with an offset");
    found.map(Some).ok_or_else(none)
}

/// Why a dataset is at risk.
pub(crate) fn at_risk(reason: &RiskReason) -> String {
    reason.words(when)
}

/// The end of a text whose markup takes at most so many bytes.
pub(crate) fn tail(text: &str, bytes: usize) -> &str {
    let mut left = bytes;
    let mut from = text.len();
    for (at, char) in text.char_indices().rev() {
        let cost = if "<>&\"'".contains(char) { 5 } else { char.len_utf8() };
        let Some(rest) = left.checked_sub(cost) else { break };
        (left, from) = (rest, at);
    }
    text.get(from..).unwrap_or_default()
}

/// Bytes as a page can show them: what moves a terminal's cursor does not.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let shown = |char: char| {
        let plain = !char.is_control() || matches!(char, '\n' | '\t');
        if plain { char } else { char::REPLACEMENT_CHARACTER }
    };
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_measured_by_what_its_markup_takes() {
        for (text, bytes, wanted) in [
            ("abc", 9, "abc"),
            ("abc", 2, "bc"),
            ("a<b", 6, "<b"),
            ("a<b", 5, "b"),
            ("aéb", 2, "b"),
            ("", 2, ""),
        ] {
            assert_eq!(tail(text, bytes), wanted, "{text} {bytes}");
        }
    }

    #[test]
    fn a_parameter_that_says_nothing_is_not_in_an_address() {
        assert_eq!(asking("/runs", &[("job", ""), ("state", "")]), "/runs");
        let asked = asking("/runs", &[("job", "a b"), ("state", ""), ("after", "a@1+2")]);
        assert_eq!(asked, "/runs?job=a%20b&after=a%401%2B2");
    }

    #[test]
    fn what_moves_a_cursor_is_shown_as_a_mark() {
        assert_eq!(printable(b"a\r\nb\x1b[31m\tc\xff"), "a\nb\u{fffd}[31m\tc\u{fffd}");
    }

    #[test]
    fn times_are_written_as_people_do() {
        assert_eq!(instant(""), Ok(None));
        assert!(instant("2026-11-30").unwrap().is_some());
        assert!(instant("2026-11-30T02:00").unwrap().is_some());
        let utc = instant("2026-11-30T02:00:00Z").unwrap();
        assert_eq!(utc, "2026-11-30T02:00:00Z".parse().ok());
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn lengths_are_told_in_two_units_at_most() {
        for (seconds, wanted) in [
            (-1, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (7_260, "2 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(long(seconds), wanted);
        }
        assert_eq!(millis(1_250), "1.2 s");
    }
}
