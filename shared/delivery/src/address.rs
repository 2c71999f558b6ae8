//! Addresses of mailboxes: RFC 5321 §4.1.2.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::shown::one_line;

/// Most characters of an address (RFC 5321 §4.5.3.1.3, less the brackets).
const MOST: usize = 254;

/// The address of one mailbox, such as `hans@example.com`.
///
/// The part before the `@` is ASCII, because what is more needs every server on the way to speak SMTPUTF8 (RFC 6531).
/// A domain in other letters is kept as it is asked for: `bücher.example` is `xn--bcher-kva.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(lettre::Address);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address: {why}")]
pub struct AddressError {
    /// The text, on one line.
    text: String,
    /// What is wrong.
    why: &'static str,
}

impl AddressError {
    /// What is wrong, without the address.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

impl Address {
    /// The part before the `@`.
    pub fn local(&self) -> &str {
        self.0.user()
    }

    /// The part behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(crate) fn inner(&self) -> &lettre::Address {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        read(text).map_err(|why| AddressError { text: one_line(text), why })
    }
}

fn read(text: &str) -> Result<Address, &'static str> {
    if text.len() > MOST {
        return Err("it is too long");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    let (local, domain) = text.rsplit_once('@').ok_or("it has no @")?;
    if !local.is_ascii() {
        return Err("before the @ only ASCII can be delivered (no SMTPUTF8)");
    }
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        idna::domain_to_ascii(domain).map_err(|_| "the domain is none")?
    };
    if domain.parse::<IpAddr>().is_ok() {
        return Err("a number as domain stands in square brackets");
    }
    let address: lettre::Address =
        format!("{local}@{domain}").parse().map_err(|_| "it is not made like one")?;
    Ok(Address(address))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_a_domain_in_other_letters_is_written_as_it_is_asked_for() {
        for text in ["hans@example.com", "h.a+b@mail.example", "o'neill@x.example", "a@[192.0.2.1]"]
        {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        let address: Address = "info@bücher.example".parse().expect("it is one");
        assert_eq!(address.to_string(), "info@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "hans",
            "@example.com",
            "hans@",
            "a b@example.com",
            "hans@example.com\r\nRCPT TO:<eve@example.com>",
            "hans@example.com> SIZE=1",
            "<hans@example.com>",
            "hans@example.com, eve@example.com",
            "hans@192.0.2.1",
            "hans@exa mple.com",
            "jürgen@example.com",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(300));
        assert_eq!(long.parse::<Address>().expect_err("too long").why(), "it is too long");
    }
}
