//! What a browser keeps of a session: its name, whose it is, when it was heard of last, and our seal on that. And the word in
//! each form, by which a form of ours is told from one that somebody else's page sends.

use std::time::Duration;

use jiff::Timestamp;

use super::secret::Keys;

/// The cookie's name.
const COOKIE: &str = "decklog_session";
/// After so long without a request a session is over.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// A cookie is made anew when it is older.
const RENEW: Duration = Duration::from_secs(60);

/// What a cookie says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) session: String,
    pub(super) user: String,
    pub(super) heard: Timestamp,
}

impl Kept {
    fn text(&self) -> String {
        format!("{}.{}.{}", self.session, self.user, self.heard.as_second())
    }

    /// The cookie's value.
    pub(super) fn seal(&self, keys: &Keys) -> String {
        let text = self.text();
        format!("{text}.{}", keys.seal(&format!("cookie\n{text}")))
    }

    /// Reads a cookie's value; `None` where it is not ours.
    pub(super) fn open(value: &str, keys: &Keys) -> Option<Self> {
        let (text, seal) = value.rsplit_once('.')?;
        if !keys.is_seal(&format!("cookie\n{text}"), seal) {
            return None;
        }
        // Names of accounts hold points, the other parts do not.
        let (session, rest) = text.split_once('.')?;
        let (user, heard) = rest.rsplit_once('.')?;
        let heard = Timestamp::from_second(heard.parse().ok()?).ok()?;
        Some(Self { session: session.to_owned(), user: user.to_owned(), heard })
    }

    fn age(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.heard)).unwrap_or_default()
    }

    /// Whether nothing was heard for too long.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.age(now) > IDLE
    }

    /// The same, heard of now; `None` while the old one is good enough.
    pub(super) fn renewed(&self, now: Timestamp) -> Option<Self> {
        (self.age(now) > RENEW).then(|| Self { heard: now, ..self.clone() })
    }
}

/// The header that sets the cookie.
pub(super) fn set(value: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

/// The header that takes it back.
pub(super) fn unset(secure: bool) -> String {
    format!("{}; Max-Age=0", set("", secure))
}

/// The value of our cookie in a `Cookie` header.
pub(super) fn find(header: &str) -> Option<&str> {
    named(header, COOKIE)
}

/// The value of the cookie of this name.
pub(super) fn named<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// The word that forms of a session carry.
pub(crate) struct Form;

impl Form {
    /// The word.
    pub(crate) fn word(keys: &Keys, session: &str) -> String {
        keys.seal(&format!("form\n{session}"))
    }

    /// Whether it is that.
    pub(crate) fn is_word(keys: &Keys, session: &str, word: &str) -> bool {
        keys.is_seal(&format!("form\n{session}"), word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        let heard = "2026-11-20T08:00:00Z".parse().unwrap();
        Kept { session: "5f2d9c0a".to_owned(), user: "mia.b".to_owned(), heard }
    }

    #[test]
    fn a_cookie_is_read_as_it_was_sealed_and_no_letter_of_it_may_be_another() {
        let keys = Keys::of(&[1; 32]);
        let value = kept().seal(&keys);
        assert_eq!(Kept::open(&value, &keys), Some(kept()));
        assert_eq!(Kept::open(&value, &Keys::of(&[2; 32])), None);
        for place in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(Kept::open(&String::from_utf8(bytes).unwrap(), &keys), None, "{place}");
        }
        for text in ["", ".", "a.b", "a.b.c", "a.b.c.d"] {
            assert_eq!(Kept::open(text, &keys), None, "{text}");
        }
    }

    #[test]
    fn it_is_renewed_each_minute_and_over_after_half_an_hour_of_silence() {
        let after = |seconds: i64| kept().heard + jiff::SignedDuration::from_secs(seconds);
        assert_eq!(kept().renewed(after(60)), None);
        assert_eq!(kept().renewed(after(61)).map(|one| one.heard), Some(after(61)));
        assert!(!kept().is_idle(after(1_800)) && kept().is_idle(after(1_801)));
    }

    #[test]
    fn our_cookie_is_found_among_others() {
        for (header, wanted) in [
            ("decklog_session=a.b", Some("a.b")),
            ("x=1; decklog_session=a.b; y=2", Some("a.b")),
            ("xdecklog_session=a", None),
            ("", None),
        ] {
            assert_eq!(find(header), wanted, "{header}");
        }
        assert!(set("v", true).ends_with("; HttpOnly; SameSite=Strict; Secure"));
        assert!(!set("v", false).contains("Secure"));
    }

    #[test]
    fn the_word_of_a_form_is_that_of_one_session() {
        let keys = Keys::of(&[1; 32]);
        let word = Form::word(&keys, "s1");
        assert!(Form::is_word(&keys, "s1", &word) && !Form::is_word(&keys, "s2", &word));
        assert!(!Form::is_word(&keys, "s1", ""));
    }
}
