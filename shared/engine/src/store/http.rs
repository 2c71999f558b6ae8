//! What storages over HTTP have in common: a client that trusts what this host trusts, and patience.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use crate::context::Cancel;
use crate::path::FilePath;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(30);
/// How often something is tried that may pass by itself, with a server that has answered before: a minute and a half.
const TRIES: u32 = 10;
/// The same, with one that never has: it is probably a wrong address.
const FIRST_TRIES: u32 = 3;
/// How long after the first try; each time twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// How often a pause looks whether it was told to stop.
const LOOK: Duration = Duration::from_millis(50);
/// Most bytes of an answer that says what went wrong.
const MOST_SAID: u64 = 64 << 10;
/// Most characters of it in a message.
const MOST_SHOWN: usize = 300;

/// A client of one server.
pub(super) struct Client {
    agent: Agent,
    cancel: Cancel,
    /// Whether it has answered.
    met: AtomicBool,
}

/// What is sent.
pub(super) struct Call<'a> {
    /// What is to be done.
    pub(super) method: Method,
    /// Where; it may hold a signature and is never shown.
    pub(super) url: String,
    /// Headers beside those the client sets.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body, where there is one.
    pub(super) body: Option<&'a [u8]>,
}

/// What was answered, when the server did what it was asked.
pub(super) struct Answer {
    response: Response<Body>,
}

/// Why a try failed.
enum Trouble {
    /// It may pass by itself.
    Passing(io::Error),
    /// It will be the same next time.
    Lasting(io::Error),
}

impl Client {
    /// A client that trusts the certificates of this host, or only those in a file (PEM).
    pub(super) fn new(ca_file: Option<&FilePath>, cancel: Cancel) -> io::Result<Self> {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots(ca_file)?)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // A redirected signature would not hold, and a password is not for somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("decklog")
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .build();
        Ok(Self { agent: config.new_agent(), cancel, met: AtomicBool::new(false) })
    }

    /// Sends until it is answered, with pauses where the server is not there or says that it cannot now. What was made
    /// ready is made anew each time, because signatures carry the time.
    pub(super) fn send<'a>(&self, ready: impl Fn() -> Call<'a>) -> io::Result<Answer> {
        self.patiently(|| self.once(ready()))
    }

    /// The same, and the whole body of the answer.
    pub(super) fn fetch<'a>(&self, ready: impl Fn() -> Call<'a>) -> io::Result<Bytes> {
        self.patiently(|| self.once(ready())?.body().map_err(Trouble::Passing))
    }

    fn patiently<T>(&self, mut one: impl FnMut() -> Result<T, Trouble>) -> io::Result<T> {
        let (mut pause, mut tried) = (PAUSE, 1);
        loop {
            let error = match one() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(error)) => error,
            };
            let tries = if self.met.load(Ordering::Relaxed) { TRIES } else { FIRST_TRIES };
            if tried >= tries || self.wait(pause).is_err() {
                return Err(io::Error::new(error.kind(), format!("{error} (tried {tried} times)")));
            }
            (pause, tried) = ((pause * 2).min(LONGEST), tried + 1);
        }
    }

    /// Waits; an error when it was told to stop meanwhile.
    fn wait(&self, pause: Duration) -> Result<(), ()> {
        let looks = pause.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            if self.cancel.is_cancelled() {
                return Err(());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn once(&self, call: Call<'_>) -> Result<Answer, Trouble> {
        let mut request = Request::builder().method(call.method).uri(call.url);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let answered = match call.body {
            Some(body) => request.body(body).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let bad = |error: ureq::http::Error| {
            Trouble::Lasting(io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
        };
        let response = answered.map_err(bad)?.map_err(transport)?;
        self.met.store(true, Ordering::Relaxed);
        if response.status().is_success() {
            return Ok(Answer { response });
        }
        Err(refused(response))
    }
}

impl Answer {
    /// The number.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    fn body(mut self) -> io::Result<Bytes> {
        let body = self.response.body_mut().with_config().limit(u64::MAX);
        body.read_to_vec().map(Bytes::from).map_err(ureq::Error::into_io)
    }
}

/// Whether a failed try will fail again: what is asked for is no address, or the server is not whom it says it is.
fn transport(error: ureq::Error) -> Trouble {
    use ureq::Error::{BadUri, Http, InvalidProxyUrl, Rustls};
    // The address itself may hold a signature.
    if matches!(error, BadUri(_) | Http(_) | InvalidProxyUrl) {
        return Trouble::Lasting(io::Error::new(io::ErrorKind::InvalidInput, "this is no address"));
    }
    let is_tls = matches!(error, Rustls(_));
    let error = error.into_io();
    // A certificate that is not trusted may arrive as an error of the connection.
    if is_tls || error.kind() == io::ErrorKind::InvalidData {
        Trouble::Lasting(error)
    } else {
        Trouble::Passing(error)
    }
}

fn refused(mut response: Response<Body>) -> Trouble {
    let status = response.status();
    let body = response.body_mut().with_config().limit(MOST_SAID).lossy_utf8(true);
    let said = body.read_to_string().unwrap_or_default();
    let error =
        io::Error::new(kind(status), format!("the server answers {status}{}", shown(&said)));
    if is_passing(status) { Trouble::Passing(error) } else { Trouble::Lasting(error) }
}

/// What a status means for a file.
fn kind(status: StatusCode) -> io::ErrorKind {
    match status.as_u16() {
        401 | 403 => io::ErrorKind::PermissionDenied,
        404 | 410 => io::ErrorKind::NotFound,
        412 => io::ErrorKind::AlreadyExists,
        507 => io::ErrorKind::StorageFull,
        _ => io::ErrorKind::Other,
    }
}

/// Whether it may be otherwise in a while. A conflict of two conditional writes is decided at the next try.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// What the server said in one line; of XML the code and the message.
fn shown(said: &str) -> String {
    let tag = |name: &str| {
        let (_, rest) = said.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    };
    let text = match (tag("Code"), tag("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => said.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    // Some repeat the address they were asked for; what signs it is not for a log.
    let text = text.split("X-Amz-").next().unwrap_or_default();
    let cut: String = text.chars().take(MOST_SHOWN).collect();
    if cut.is_empty() { cut } else { format!(": {cut}") }
}

/// What a body that was cut off on the way leaves: fewer bytes than asked for are an error.
pub(super) fn whole(bytes: Bytes, range: Option<(u64, u64)>) -> io::Result<Bytes> {
    match range {
        Some((_, count)) if bytes.len() as u64 != count => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{count} bytes were asked for, {} came", bytes.len()),
        )),
        Some(_) | None => Ok(bytes),
    }
}

/// The header that asks for some bytes.
pub(super) fn range_header(range: Option<(u64, u64)>) -> Option<(&'static str, String)> {
    let (first, count) = range?;
    Some(("range", format!("bytes={first}-{}", first + count.saturating_sub(1))))
}

/// One piece of several, without a copy where there is only one.
pub(super) fn joined(content: &[Bytes]) -> Bytes {
    match content {
        [one] => one.clone(),
        many => many.concat().into(),
    }
}

fn roots(ca_file: Option<&FilePath>) -> io::Result<RootCerts> {
    let Some(path) = ca_file else {
        let found = rustls_native_certs::load_native_certs();
        let certs = found.certs.iter().map(|cert| Certificate::from_der(cert.as_ref()).to_owned());
        return Ok(RootCerts::from(certs));
    };
    let path = path.path();
    let bad = |why: String| {
        let text = format!("reading certificates from {}: {why}", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let mut certs = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let ureq::tls::PemItem::Certificate(cert) =
            item.map_err(|error| bad(error.to_string()))?
        {
            certs.push(cert);
        }
    }
    if certs.is_empty() {
        return Err(bad("there is none".to_owned()));
    }
    Ok(RootCerts::from(certs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_shown_in_one_short_line() {
        let xml =
            "<?xml?><Error><Code>NoSuchBucket</Code><Message>It is not there</Message></Error>";
        assert_eq!(shown(xml), ": NoSuchBucket: It is not there");
        assert_eq!(shown("  not\n found "), ": not found");
        assert_eq!(shown(""), "");
        assert_eq!(shown("no /b/k?X-Amz-Signature=abc here"), ": no /b/k?");
        assert_eq!(shown(&"x".repeat(10_000)).len(), MOST_SHOWN + 2);
    }

    #[test]
    fn fewer_bytes_than_asked_for_are_an_error() {
        assert!(whole(Bytes::from_static(b"abc"), Some((7, 3))).is_ok());
        assert!(whole(Bytes::from_static(b"abc"), Some((7, 4))).is_err());
        assert!(whole(Bytes::from_static(b"abc"), None).is_ok());
        assert_eq!(range_header(Some((7, 3))), Some(("range", "bytes=7-9".to_owned())));
    }
}
