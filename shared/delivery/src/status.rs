//! Status codes of mail servers: RFC 5321 §4.2 and, enhanced, RFC 3463.

use std::fmt;

/// An enhanced status code: class, subject and detail (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enhanced {
    /// 2 success, 4 for now, 5 for good.
    pub class: u8,
    /// What it is about, such as 1 for addresses and 7 for policy.
    pub subject: u16,
    /// Which of the subject's cases it is.
    pub detail: u16,
}

impl Enhanced {
    /// The first word of an answer, if it is such a code of the answer's class.
    fn read(text: &str, code: u16) -> Option<Self> {
        let mut parts = text.split_whitespace().next()?.split('.');
        let mut number = || -> Option<u16> {
            let digits = parts.next()?;
            let short = (1..=3).contains(&digits.len());
            (short && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
        };
        let (class, subject, detail) = (number()?, number()?, number()?);
        let whole = parts.next().is_none() && class == code / 100;
        whole.then(|| Some(Self { class: u8::try_from(class).ok()?, subject, detail }))?
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// What a mail server answered, without its words: those repeat addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The code of three digits.
    pub code: u16,
    /// The enhanced code, where the server has them.
    pub enhanced: Option<Enhanced>,
}

impl Status {
    /// From a code and the text behind it.
    pub(crate) fn read(code: u16, text: &str) -> Self {
        Self { code, enhanced: Enhanced::read(text, code) }
    }

    /// What it means, in our words, where it is one of the common ones.
    pub fn meaning(&self) -> Option<&'static str> {
        self.enhanced.and_then(|enhanced| self.special(enhanced)).or_else(|| self.basic())
    }

    /// By the enhanced code: RFC 3463 §3, RFC 5248 and the registry it made.
    fn special(&self, enhanced: Enhanced) -> Option<&'static str> {
        let put_off = matches!(self.code, 450 | 451);
        Some(match (enhanced.subject, enhanced.detail) {
            (1, 1) => "mailbox unknown",
            (1, 2) => "domain unknown",
            (1, 3) => "address malformed",
            (1, 6) => "mailbox moved",
            (1, 7 | 8) => "sender's address not accepted",
            (1, 10) => "domain accepts no mail",
            (2, 0) | (7, 0 | 1) if put_off => "put off, probably greylisted",
            (2, 1) => "mailbox disabled",
            (2, 2) => "mailbox full",
            (2, 3) | (3, 4) => "message too large",
            (3, 1) => "server has no room",
            (3, 2) => "server accepts nothing now",
            (4, 1 | 2) => "next server not reached",
            (4, 3 | 4 | 6) => "no way to the domain",
            (4, 5) => "server too busy",
            (4, 7) => "delivery took too long",
            (5, 3) => "too many recipients",
            (5, _) => "protocol not understood",
            (6, _) => "kind of content not accepted",
            (7, 1) => "not allowed: relay denied or policy",
            (7, 8) => "login wrong",
            (7, 9 | 11) => "login needs another mechanism or encryption",
            (7, 20..=27) => "sender not authenticated (DKIM, SPF, reverse DNS)",
            (7, _) => "policy or security",
            _ => return None,
        })
    }

    /// By the code of three digits: RFC 5321 §4.2.3, RFC 4954 §6.
    fn basic(&self) -> Option<&'static str> {
        Some(match self.code {
            421 => "server closes the connection",
            450 => "mailbox not available now, or greylisted",
            451 => "server's error for now, or greylisted",
            452 => "server or mailbox has no room",
            454 | 432 | 534 => "login not possible so",
            500..=504 => "command not understood",
            530 => "login needed",
            535 => "login wrong",
            538 => "login needs encryption",
            550 => "mailbox unknown or not allowed",
            551 => "mailbox not here",
            552 => "mailbox full or message too large",
            553 => "mailbox's name not allowed",
            554 => "transaction failed or policy",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        self.enhanced.map_or(Ok(()), |enhanced| write!(f, " {enhanced}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_is_read_only_where_it_is_one() {
        let read = |code, text| Status::read(code, text).to_string();
        assert_eq!(read(550, "5.1.1 <hans@example.com> unknown"), "550 5.1.1");
        assert_eq!(read(250, "2.0.0"), "250 2.0.0");
        for text in ["4.1.1 other class", "5.1", "5.1.1.1", "5.1.1111", "5.x.1", "hans@5.1.1", ""] {
            assert_eq!(read(550, text), "550", "{text}");
        }
    }

    #[test]
    fn common_codes_have_a_meaning_in_our_words() {
        let meaning = |code, text| Status::read(code, text).meaning();
        assert_eq!(meaning(550, "5.1.1 x"), Some("mailbox unknown"));
        assert_eq!(meaning(452, "4.2.2 x"), Some("mailbox full"));
        assert_eq!(meaning(552, "5.3.4 x"), Some("message too large"));
        assert_eq!(meaning(554, "5.7.1 x"), Some("not allowed: relay denied or policy"));
        assert_eq!(meaning(451, "4.7.1 x"), Some("put off, probably greylisted"));
        assert_eq!(meaning(450, "4.2.0 x"), Some("put off, probably greylisted"));
        assert_eq!(meaning(550, "no"), Some("mailbox unknown or not allowed"));
        assert_eq!(meaning(550, "5.9.9 no"), Some("mailbox unknown or not allowed"));
        assert_eq!(meaning(599, "no"), None);
    }
}
