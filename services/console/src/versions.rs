//! Versions of what is defined, as HTTP tells them (RFC 9110: `ETag`, `If-Match`, `If-None-Match`).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use domain::canonical::Digest;

/// Which version a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whichever there is, or none.
    #[default]
    Whichever,
    /// Any that there is.
    Existing,
    /// One of these.
    OneOf(Vec<u64>),
}

impl Expected {
    /// What `If-Match` says. What is no tag of ours is the version of nothing.
    pub(crate) fn of(head: &HeaderMap) -> Self {
        let Some(tags) = tags(head, &axum::http::header::IF_MATCH) else { return Self::Whichever };
        if tags.iter().any(|tag| tag == "*") {
            return Self::Existing;
        }
        Self::OneOf(tags.iter().filter_map(|tag| version_in(tag)).collect())
    }

    /// Whether a stream that stands so is meant.
    pub(crate) fn holds(&self, version: u64) -> bool {
        match self {
            Self::Whichever => true,
            Self::Existing => version > 0,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }

    /// The same after so many events that whoever asked has said themselves.
    pub(crate) fn after(&self, events: u64) -> Self {
        match self {
            Self::OneOf(versions) => Self::OneOf(versions.iter().map(|one| one + events).collect()),
            Self::Whichever | Self::Existing => self.clone(),
        }
    }
}

/// The tag of a stream that is shown so. The version alone would not do: whose turn a job is changes by the events of its runs.
pub(crate) fn tag(version: u64, shown: &[u8]) -> String {
    format!("\"{version}-{}\"", Digest::of(shown).short())
}

/// Whether who asks has what they would get.
pub(crate) fn is_known(head: &HeaderMap, tag: &str) -> bool {
    let known = tags(head, &axum::http::header::IF_NONE_MATCH).unwrap_or_default();
    known.iter().any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

fn tags(head: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let lines: Vec<&HeaderValue> = head.get_all(name).iter().collect();
    let all = lines.iter().flat_map(|line| line.to_str().unwrap_or_default().split(','));
    (!lines.is_empty()).then(|| all.map(|tag| tag.trim().to_owned()).collect())
}

fn version_in(tag: &str) -> Option<u64> {
    let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
    // So far that events can still be counted on from it.
    tag.split('-').next()?.parse().ok().filter(|version| *version <= i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &'static str, lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (HeaderName::from_static(name), line.parse().unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_condition_names_versions_and_what_is_no_tag_of_ours_names_none() {
        let one_of = |versions: &[u64]| Expected::OneOf(versions.to_vec());
        for (lines, wanted) in [
            (&[][..], Expected::Whichever),
            (&["*"], Expected::Existing),
            (&["\"7-0badcafe\""], one_of(&[7])),
            (&["\"7\", \"9-00\"", "\"12\""], one_of(&[7, 9, 12])),
            (&["W/\"7-0badcafe\""], one_of(&[])),
            (&["7", "\"x\"", ""], one_of(&[])),
        ] {
            assert_eq!(Expected::of(&head("if-match", lines)), wanted, "{lines:?}");
        }
        assert!(Expected::Existing.holds(1) && !Expected::Existing.holds(0));
        assert!(one_of(&[7]).holds(7) && !one_of(&[7]).holds(8) && one_of(&[7]).after(1).holds(8));
        assert!(Expected::Whichever.holds(0) && !one_of(&[]).holds(0));
    }

    #[test]
    fn who_has_what_is_shown_is_known_by_its_tag_weak_or_not() {
        let (one, other) = (tag(7, b"so"), tag(7, b"otherwise"));
        assert_ne!(one, other);
        for (line, wanted) in [
            (one.clone(), true),
            (format!("\"x\", W/{one}"), true),
            ("*".to_owned(), true),
            (other, false),
        ] {
            assert_eq!(is_known(&head("if-none-match", &[&line]), &one), wanted, "{line}");
        }
        assert!(!is_known(&HeaderMap::new(), &one));
    }
}
