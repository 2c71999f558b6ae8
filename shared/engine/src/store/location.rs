//! Locations of repositories, in restic's spelling.

use std::path::PathBuf;
use std::str::FromStr;

use crate::request::Keys;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A directory of this host.
    Local(PathBuf),
    /// A place on another machine.
    Remote(Remote),
}

/// A place on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remote {
    /// A directory of a server that is reached by `ssh`.
    Sftp(Server),
    /// Objects of a bucket.
    S3(Bucket),
    /// A REST server.
    Rest(Url),
}

/// `sftp:user@host:path` or `sftp://user@host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// As whom; otherwise as `ssh` decides.
    pub(crate) user: Option<String>,
    /// The name `ssh` is given.
    pub(crate) host: String,
    /// The port; otherwise as `ssh` decides.
    pub(crate) port: Option<u16>,
    /// A path that begins with `/`, or one below where the session begins.
    pub(crate) path: String,
}

/// `s3:https://host/bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// `https://host[:port]`.
    pub(crate) endpoint: String,
    /// The bucket's name.
    pub(crate) bucket: String,
    /// Before every key: empty, or it ends with `/`.
    pub(crate) prefix: String,
}

/// `rest:https://user@host/path/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// `https://host[:port]/path/`, always with the last `/`, without the user.
    pub(crate) base: String,
    /// As whom.
    pub(crate) user: Option<String>,
    /// Whether what is sent can be read on the way: neither TLS nor this host itself.
    pub(crate) open: bool,
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Local(text.into()));
        }
        let remote = match text.split_once(':') {
            Some(("sftp", rest)) => sftp(rest).map(Remote::Sftp),
            Some(("s3", rest)) => s3(rest).map(Remote::S3),
            Some(("rest", rest)) => rest_url(rest).map(Remote::Rest),
            Some(_) | None => Err(
                "a local repository needs an absolute path, another one begins with sftp:, s3: or \
                                   rest:"
                    .to_owned(),
            ),
        };
        remote.map(Self::Remote)
    }
}

impl Url {
    /// Refuses to send a password for everybody to read.
    pub(crate) fn carries(&self, keys: &Keys) -> Result<(), String> {
        if self.open && keys.get("RESTIC_REST_PASSWORD").is_some() {
            return Err(
                "a password would be sent for everybody to read: use rest:https://".to_owned()
            );
        }
        Ok(())
    }
}

fn sftp(text: &str) -> Result<Server, String> {
    let form = || "write sftp:user@host:/path or sftp://user@host:port//path".to_owned();
    let (authority, path, port) = match text.strip_prefix("//") {
        // One slash ends the authority, and what follows is below where the session begins.
        Some(url) => {
            let (authority, path) = url.split_once('/').ok_or_else(form)?;
            let (host, port) = with_port(authority)?;
            (host, path, port)
        }
        None => {
            let (host, path) = text.split_once(':').ok_or_else(form)?;
            (host.to_owned(), path, None)
        }
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host.to_owned()),
        None => (None, authority),
    };
    // Otherwise they would be options of ssh.
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('-') && !name.contains('@');
    if !is_name(&host) || user.as_deref().is_some_and(|user| !is_name(user)) || path.is_empty() {
        return Err(form());
    }
    Ok(Server { user, host, port, path: path.trim_end_matches('/').to_owned() })
}

fn with_port(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    };
    let port = port.map(|port| port.parse().map_err(|_| format!("{port:?} is no port")));
    Ok((host.replace(['[', ']'], ""), port.transpose()?))
}

fn s3(text: &str) -> Result<Bucket, String> {
    let form = || "write s3:https://host/bucket/prefix".to_owned();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some(_) => return Err(form()),
        None => ("https", text.trim_start_matches('/')),
    };
    let (host, path) = rest.split_once('/').ok_or_else(form)?;
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if host.is_empty() || bucket.is_empty() || host.contains('@') {
        return Err(form());
    }
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(Bucket { endpoint: format!("{scheme}://{host}"), bucket: bucket.to_owned(), prefix })
}

fn rest_url(text: &str) -> Result<Url, String> {
    let form = || "write rest:https://host/path".to_owned();
    let (scheme, rest) = text.split_once("://").ok_or_else(form)?;
    if !matches!(scheme, "http" | "https") {
        return Err(form());
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, authority),
    };
    if host.is_empty() {
        return Err(form());
    }
    if user.as_deref().is_some_and(|user| user.contains(':')) {
        return Err(
            "no password belongs into a location: give RESTIC_REST_PASSWORD as a secret".to_owned()
        );
    }
    let path = path.trim_matches('/');
    let path = if path.is_empty() { String::new() } else { format!("{path}/") };
    let open = scheme == "http" && !is_loopback(host);
    Ok(Url { base: format!("{scheme}://{host}/{path}"), user, open })
}

fn is_loopback(authority: &str) -> bool {
    let host = with_port(authority).map_or_else(|_| authority.to_owned(), |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Location {
        let (user, host, path) = (user.map(str::to_owned), host.to_owned(), path.to_owned());
        Location::Remote(Remote::Sftp(Server { user, host, port, path }))
    }

    fn bucket(endpoint: &str, bucket: &str, prefix: &str) -> Location {
        let [endpoint, bucket, prefix] = [endpoint, bucket, prefix].map(str::to_owned);
        Location::Remote(Remote::S3(Bucket { endpoint, bucket, prefix }))
    }

    fn url(base: &str, user: Option<&str>, open: bool) -> Location {
        Location::Remote(Remote::Rest(Url {
            base: base.to_owned(),
            user: user.map(str::to_owned),
            open,
        }))
    }

    #[test]
    fn a_location_is_read_as_restic_reads_it() {
        let table = [
            ("/srv/vault", Location::Local("/srv/vault".into())),
            ("sftp:me@host:/srv/vault", server(Some("me"), "host", None, "/srv/vault")),
            ("sftp:host:vault/", server(None, "host", None, "vault")),
            (
                "sftp://me@host:2222//srv/vault",
                server(Some("me"), "host", Some(2222), "/srv/vault"),
            ),
            ("sftp://host/vault", server(None, "host", None, "vault")),
            ("sftp://[::1]:22//v", server(None, "::1", Some(22), "/v")),
            ("s3:https://store:9000/nightly/a/b/", bucket("https://store:9000", "nightly", "a/b/")),
            ("s3:http://127.0.0.1:5000/nightly", bucket("http://127.0.0.1:5000", "nightly", "")),
            ("s3:s3.example.com/nightly/x", bucket("https://s3.example.com", "nightly", "x/")),
            ("rest:https://me@host:8000/vault", url("https://host:8000/vault/", Some("me"), false)),
            ("rest:http://host/", url("http://host/", None, true)),
            ("rest:http://127.0.0.1:8000/a/", url("http://127.0.0.1:8000/a/", None, false)),
            ("rest:http://[::1]:8000/a", url("http://[::1]:8000/a/", None, false)),
        ];
        for (text, wanted) in table {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_location_is_refused_with_the_form_it_should_have() {
        let table = [
            ("srv/vault", "absolute path"),
            ("ftp:host/vault", "absolute path"),
            ("sftp:host", "sftp:user@host:/path"),
            ("sftp:-oProxyCommand=x:/vault", "sftp:user@host:/path"),
            ("sftp:-l@host:/vault", "sftp:user@host:/path"),
            ("sftp:a@b@-oProxyCommand=x:/vault", "sftp:user@host:/path"),
            ("sftp:a@b@host:/vault", "sftp:user@host:/path"),
            ("sftp://host:x/vault", "no port"),
            ("s3:https://host", "s3:https://host/bucket/prefix"),
            ("s3:ftp://host/bucket", "s3:https://host/bucket/prefix"),
            ("rest:host/path", "rest:https://host/path"),
            ("rest:https://me:secret@host/path", "no password"),
        ];
        for (text, wanted) in table {
            let said = text.parse::<Location>().unwrap_err();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
