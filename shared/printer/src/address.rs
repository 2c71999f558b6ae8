//! A printer's address.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::PrinterError;

/// The port of both schemes (RFC 3510 and RFC 7472: it is 631 with TLS too, not 443).
const PORT: u16 = 631;
/// Most octets of a URI in IPP (RFC 8011 §5.1.6).
const LONGEST: usize = 1023;

/// An address that was looked through.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// As it was given, and as the printer is told (printer-uri).
    pub(crate) uri: String,
    /// Where requests go (RFC 8010 §4):  `ipp:` is `http:` and `ipps:` is `https:`.
    pub(crate) url: String,
    /// Whether the connection is encrypted.
    pub(crate) tls: bool,
    /// Whether it stays on this machine.
    pub(crate) loopback: bool,
}

impl Address {
    /// Takes `ipp://HOST[:PORT]/PATH` and `ipps://…`.
    pub(crate) fn parse(text: &str) -> Result<Self, PrinterError> {
        // A password in an address would end up in logs; what is wrong with it is said without repeating it.
        let shown = || text.split_once('@').map_or(text, |(_, rest)| rest).to_owned();
        let bad = |why: &str| PrinterError::Address { uri: shown(), why: why.to_owned() };
        if text.len() > LONGEST {
            return Err(bad("it is longer than 1023 bytes"));
        }
        let uri: Uri =
            text.parse().map_err(|_| bad("write ipp://HOST/PATH or ipps://HOST/PATH"))?;
        let tls = match uri.scheme_str() {
            Some("ipp") => false,
            Some("ipps") => true,
            Some("http" | "https") => {
                return Err(bad("write ipp:// or ipps://, and the port if it is not 631"));
            }
            Some(_) | None => return Err(bad("it begins with neither ipp:// nor ipps://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("name and password have no place in it"));
        }
        if authority.host().is_empty() || text.contains('#') {
            return Err(bad("it names no host, or a part of a page"));
        }
        let port = uri.port_u16().unwrap_or(PORT);
        let scheme = if tls { "https" } else { "http" };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = authority.host();
        let url = format!("{scheme}://{host}:{port}{path}");
        Ok(Address { uri: text.to_owned(), url, tls, loopback: is_loopback(host) })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_port_631_with_and_without_tls() {
        let url = |text| Address::parse(text).unwrap().url;
        assert_eq!(url("ipp://printer/ipp/print"), "http://printer:631/ipp/print");
        assert_eq!(url("ipps://printer/ipp/print"), "https://printer:631/ipp/print");
        assert_eq!(url("ipp://[::1]:8631/printers/a?b"), "http://[::1]:8631/printers/a?b");
        assert_eq!(url("ipp://printer"), "http://printer:631/");
    }

    #[test]
    fn what_is_no_printers_address_is_refused() {
        for text in
            ["", "printer", "lpd://printer/x", "http://printer:631/", "https://p/", "ipp:///x"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse("ipp://printer/ipp#x").is_err());
        assert!(Address::parse(&format!("ipp://printer/{}", "x".repeat(2000))).is_err());
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = Address::parse("ipp://me:secret@printer/").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn this_machine_is_known_by_its_address() {
        for (text, loopback) in [
            ("ipp://127.0.0.1/", true),
            ("ipp://[::1]/", true),
            ("ipp://localhost/", true),
            ("ipp://localhost.example/", false),
            ("ipp://10.0.0.1/", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().loopback, loopback, "{text}");
        }
    }
}
