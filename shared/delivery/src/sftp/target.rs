//! Where to: `user@host:/directory`.

use std::fmt;
use std::str::FromStr;

use crate::DeliveryError;

/// Most bytes of each part.
const MOST: usize = 255;

/// A directory of a server, read from `user@host:/directory` (or `host:/directory`, where ssh's configuration names the
/// user).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    directory: String,
}

impl Target {
    /// The directory, from the root.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// User and host, as ssh takes them.
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for Target {
    type Err = DeliveryError;

    fn from_str(text: &str) -> Result<Self, DeliveryError> {
        let bad = |why| DeliveryError::bad_settings("place on a server", why);
        let form = "it is not made like user@host:/directory";
        let (host, directory) = text.split_once(":/").ok_or_else(|| bad(form))?;
        let directory = format!("/{directory}");
        if !host.split_once('@').map_or_else(|| is_host(host), |(u, h)| is_user(u) && is_host(h)) {
            return Err(bad(form));
        }
        if directory.len() > MOST || !needs_no_quoting(&directory) {
            return Err(bad("its directory is too long or has a quote, backslash or * ? [ in it"));
        }
        Ok(Self { host: host.to_owned(), directory })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.directory)
    }
}

fn is_user(user: &str) -> bool {
    let of_user = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    is_word(user) && user.chars().all(of_user)
}

fn is_host(host: &str) -> bool {
    let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match number {
        Some(number) => number.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_word(host) && host.chars().all(of_name),
    }
}

/// Not an option, and not endless.
fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= MOST && !word.starts_with('-')
}

/// Whether it means itself between double quotes in a command of `sftp`: quotes and backslashes are read there, and
/// `* ? [` are looked for by some commands and not by others.
pub(super) fn needs_no_quoting(text: &str) -> bool {
    !text.contains(['"', '\'', '\\', '*', '?', '[']) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_on_a_server_is_read() {
        for text in ["backup@vault.example:/srv/out", "vault:/", "a.b@[2001:db8::1]:/x y/ü:1"] {
            assert_eq!(text.parse::<Target>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_ssh_or_sftp_would_take_for_something_else_is_refused() {
        for text in [
            "",
            "vault",
            "vault:srv",
            ":/srv",
            "@vault:/srv",
            "-oProxyCommand=x:/srv",
            "-l@vault:/srv",
            "a@-v:/srv",
            "a b@vault:/srv",
            "a@vault;x:/srv",
            "a@b@vault:/srv",
            "a@[::1:/srv",
            "a@vault:/srv/\"x",
            "a@vault:/srv\nrm /x",
            "a@vault:/srv/*",
            "a@vault:/srv\\x",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }
}
