//! Messages to a collector of logs: syslog (RFC 5424) over TLS (RFC 5425). The protocol knows no receipt: what was sent into a
//! connection that broke afterwards may have arrived or not. Whoever sends looks from time to time whether it is still there
//! ([`Syslog::check`]), and says again what was sent shortly before it was not.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::tls::client;
use crate::{DeliveryError, Step};

/// The port of syslog over TLS (RFC 5425 §4.1).
pub const PORT: u16 = 6514;
/// The facility of audits (RFC 5424 §6.2.1).
const LOG_AUDIT: u8 = 13;
/// How long the other side may take for each step.
const WAIT: Duration = Duration::from_secs(20);

/// Where a collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// Its name, which its certificate has to have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whose certificates are believed; those of this machine where there is none.
    pub ca_file: Option<PathBuf>,
}

impl FromStr for Collector {
    type Err = String;

    /// `HOST`, `HOST:PORT` or `[::1]:PORT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let number = port.parse().map_err(|_| format!("{port:?} is no port"))?;
                (bare(host), number)
            }
            _ => (bare(text), PORT),
        };
        if host.is_empty() {
            return Err(format!("{text:?} names no host: HOST or HOST:PORT"));
        }
        Ok(Self { host, port, ca_file: None })
    }
}

/// How much a message matters (RFC 5424 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// 2
    Critical = 2,
    /// 3
    Error = 3,
    /// 4
    Warning = 4,
    /// 5
    Notice = 5,
    /// 6
    Informational = 6,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// How much it matters.
    pub severity: Severity,
    /// When it happened, as RFC 3339 writes it, to the microsecond at most.
    pub time: &'a str,
    /// Where.
    pub host: &'a str,
    /// Of which kind it is.
    pub kind: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl Message<'_> {
    /// As it is sent: counted octets (RFC 5425 §4.3.1).
    fn frame(&self) -> Vec<u8> {
        let priority = LOG_AUDIT * 8 + self.severity as u8;
        let (host, kind) = (name(self.host, 255), name(self.kind, 32));
        let line = format!("<{priority}>1 {} {host} decklog - {kind} - {}", self.time, self.text);
        let mut frame = format!("{} ", line.len()).into_bytes();
        frame.extend(line.into_bytes());
        frame
    }
}

/// A field of the header: printable ASCII without spaces, `-` where there is none.
fn name(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// A connection to a collector.
#[derive(Debug)]
pub struct Syslog {
    stream: StreamOwned<ClientConnection, TcpStream>,
    peer: String,
}

impl Syslog {
    /// Calls a collector.
    ///
    /// # Errors
    /// It cannot be reached, or nobody whom we believe vouches for it.
    pub fn connect(to: &Collector) -> Result<Self, DeliveryError> {
        let peer = format!("{}:{}", to.host, to.port);
        let config = Arc::new(client(to.ca_file.as_deref())?);
        let server = ServerName::try_from(to.host.clone()).map_err(|_| {
            DeliveryError::bad_settings("collector's host", "it is no name and no number")
        })?;
        let failed = |step: Step| {
            let peer = peer.clone();
            move |error: io::Error| unreached(step, peer, &error)
        };
        let socket = reach(to).map_err(failed(Step::Connect))?;
        let connection = ClientConnection::new(config, server).map_err(io::Error::other);
        let connection = connection.map_err(failed(Step::Secure))?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(failed(Step::Secure))?;
        }
        Ok(Self { stream, peer })
    }

    /// Sends messages, and returns when the system has them.
    ///
    /// # Errors
    /// The connection is gone: what of them has arrived nobody knows.
    pub fn send<'a>(
        &mut self,
        messages: impl IntoIterator<Item = Message<'a>>,
    ) -> Result<(), DeliveryError> {
        let frames: Vec<u8> = messages.into_iter().flat_map(|message| message.frame()).collect();
        let open = self.is_open();
        let sent = open.and_then(|()| self.stream.write_all(&frames));
        let sent = sent.and_then(|()| self.stream.flush());
        sent.map_err(|error| self.lost(&error))
    }

    /// Whether the other side is still there, as far as is known here.
    ///
    /// # Errors
    /// It has ended the connection: what was sent before may not have arrived.
    pub fn check(&mut self) -> Result<(), DeliveryError> {
        self.is_open().map_err(|error| self.lost(&error))
    }

    /// Nobody sends us anything: what comes says that the connection ends.
    fn is_open(&mut self) -> io::Result<()> {
        self.stream.sock.set_nonblocking(true)?;
        let looked = self.stream.conn.read_tls(&mut self.stream.sock);
        self.stream.sock.set_nonblocking(false)?;
        match looked {
            Ok(0) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let state = self.stream.conn.process_new_packets().map_err(io::Error::other)?;
        if state.peer_has_closed() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Ends the connection in order: the collector has taken everything when it has closed it too.
    ///
    /// # Errors
    /// It has not: what of the last messages has arrived nobody knows.
    pub fn close(mut self) -> Result<(), DeliveryError> {
        self.stream.conn.send_close_notify();
        let said = self.stream.flush();
        said.and_then(|()| self.drain()).map_err(|error| self.lost(&error))
    }

    fn drain(&mut self) -> io::Result<()> {
        self.stream.sock.shutdown(std::net::Shutdown::Write)?;
        let mut rest = [0; 1024];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Some close without saying so (RFC 5425 §4.4 has them say it).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn lost(&self, error: &io::Error) -> DeliveryError {
        let (step, peer, kind) = (Step::Content, self.peer.clone(), Some(error.kind()));
        DeliveryError::Lost { step, peer, kind, why: why(error) }
    }
}

fn unreached(step: Step, peer: String, error: &io::Error) -> DeliveryError {
    DeliveryError::Unreached { step, peer, kind: Some(error.kind()), why: why(error) }
}

/// What happened, in words for those who look after the collector.
fn why(error: &io::Error) -> String {
    let text = error.to_string();
    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
        format!("no answer within {} s", WAIT.as_secs())
    } else if text.contains("CaUsedAsEndEntity") {
        "its certificate is one of an authority (CA:TRUE): give it one of a server, made by that authority or for itself".to_owned()
    } else {
        text
    }
}

fn reach(to: &Collector) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("the name has no address");
    for address in (to.host.as_str(), to.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, WAIT) {
            Ok(socket) => {
                socket.set_read_timeout(Some(WAIT))?;
                socket.set_write_timeout(Some(WAIT))?;
                return Ok(socket);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_with_its_octets_counted() {
        let message = Message {
            severity: Severity::Warning,
            time: "2026-11-20T07:30:00.214873Z",
            host: "db 07\n",
            kind: "run.failed",
            text: "{\"what\":\"ü\"}",
        };
        let line =
            "<108>1 2026-11-20T07:30:00.214873Z db07 decklog - run.failed - {\"what\":\"ü\"}";
        let framed = format!("{} {line}", line.len());
        assert_eq!(String::from_utf8(message.frame()).unwrap(), framed);
        let bare = Message { host: "", kind: &"k".repeat(40), ..message };
        let text = String::from_utf8(bare.frame()).unwrap();
        assert!(text.contains(&format!(" - decklog - {} - ", "k".repeat(32))), "{text}");
    }

    #[test]
    fn a_collector_is_a_host_with_or_without_its_port() {
        let table = [
            ("siem.example", Ok(("siem.example", 6514))),
            ("siem.example:10514", Ok(("siem.example", 10_514))),
            ("[::1]:601", Ok(("::1", 601))),
            ("[::1]", Ok(("::1", 6514))),
            (":601", Err("names no host")),
            ("siem.example:tls", Err("is no port")),
        ];
        for (text, wanted) in table {
            match (text.parse::<Collector>(), wanted) {
                (Ok(found), Ok((host, port))) => {
                    assert_eq!((found.host.as_str(), found.port), (host, port));
                }
                (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }
}
