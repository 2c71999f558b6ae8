//! What is said to a relay, and what each answer means for the message.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::receipt::receipt;
use super::secure::Secure;
use super::wire::{Reply, Trouble, Wire};
use super::{Login, Receipt, Relay, Timeouts, Tls};
use crate::error::check_size;
use crate::shown::one_line;
use crate::wait::in_time;
use crate::{Address, DeliveryError, Step};

/// Bytes of the message that are sent at once.
const PIECE: usize = 64 << 10;
/// Most addresses of a relay that are tried.
const MOST_ADDRESSES: usize = 8;
/// How long a farewell may take: nothing depends on it.
const FAREWELL: Duration = Duration::from_secs(3);

/// Brings a letter to the relay.
pub(super) fn deliver(
    relay: &Relay,
    secure: &Secure,
    to: &Address,
    letter: &[u8],
) -> Result<Receipt, DeliveryError> {
    check_settings(relay)?;
    let mut session = Session::connect(relay)?;
    let outcome = session.deliver(relay, secure, to, letter);
    if matches!(
        outcome,
        Ok(_) | Err(DeliveryError::Refused { .. } | DeliveryError::TooLarge { .. })
    ) {
        session.leave();
    }
    outcome
}

fn check_settings(relay: &Relay) -> Result<(), DeliveryError> {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '[' | ']' | ':');
    let whole = |name: &str| !name.is_empty() && name.len() < 256 && name.chars().all(named);
    if !relay.hello.as_deref().is_none_or(whole) {
        let why = "it is no name of a machine";
        return Err(DeliveryError::bad_settings("name for EHLO", why));
    }
    if relay
        .login
        .as_ref()
        .is_some_and(|login| (login.user.clone() + &login.password).contains('\0'))
    {
        return Err(DeliveryError::bad_settings("login", "it has a zero byte"));
    }
    Ok(())
}

/// What a relay can do, as it said after `EHLO`.
#[derive(Debug, Default)]
struct Abilities {
    start_tls: bool,
    /// The most bytes it takes, where it says so: RFC 1870. Zero is no limit.
    size: Option<u64>,
    plain: bool,
    login: bool,
}

impl Abilities {
    fn read(reply: &Reply) -> Self {
        let mut can = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => can.start_tls = true,
                Some("SIZE") => {
                    can.size = Some(words.next().map_or(Ok(0), str::parse).unwrap_or(0));
                }
                Some("AUTH") => can.add_mechanisms(words),
                Some(_) | None => {}
            }
        }
        can
    }

    fn add_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words {
            self.plain |= word == "PLAIN";
            self.login |= word == "LOGIN";
        }
    }
}

struct Session {
    wire: Wire,
    peer: String,
    timeouts: Timeouts,
}

impl Session {
    fn connect(relay: &Relay) -> Result<Self, DeliveryError> {
        let timeouts = relay.timeouts;
        let end = in_time(timeouts.total);
        let peer = format!("{}:{}", relay.host, relay.port);
        let addresses = addresses(relay, &peer)?;
        let wire = Wire::connect(&addresses, timeouts.connect, end)
            .map_err(|error| DeliveryError::unreached(Step::Connect, &peer, &error))?;
        Ok(Self { wire, peer, timeouts })
    }

    fn deliver(
        &mut self,
        relay: &Relay,
        secure: &Secure,
        to: &Address,
        letter: &[u8],
    ) -> Result<Receipt, DeliveryError> {
        let can = self.open(relay, secure)?;
        if let Some(limit) = can.size.filter(|limit| *limit > 0) {
            check_size(letter.len(), limit)?;
        }
        if let Some(login) = &relay.login {
            self.log_in(login, &can)?;
        }
        let size = can.size.map_or_else(String::new, |_| format!(" SIZE={}", letter.len()));
        self.ask(Step::Sender, &format!("MAIL FROM:<{}>{size}", relay.from), 2)?;
        self.ask(Step::Recipient, &format!("RCPT TO:<{to}>"), 2)?;
        self.ask(Step::Announce, "DATA", 3)?;
        self.content(letter)?;
        self.verdict().map(|reply| receipt(&reply, to))
    }

    /// Until the relay has said what it can, on a way that is as safe as was asked for.
    fn open(&mut self, relay: &Relay, secure: &Secure) -> Result<Abilities, DeliveryError> {
        if relay.tls == Tls::Wrapper {
            self.secure(secure)?;
        }
        self.answer(Step::Greet, 2)?;
        let can = self.greet(relay)?;
        if relay.tls != Tls::StartTls {
            return Ok(can);
        }
        if !can.start_tls {
            return Err(self.without(Step::Secure, "the relay does not offer STARTTLS"));
        }
        self.ask(Step::Secure, "STARTTLS", 2)?;
        self.secure(secure)?;
        // What it said before is forgotten: anybody may have said it (RFC 3207 §4.2).
        self.greet(relay)
    }

    fn secure(&mut self, secure: &Secure) -> Result<(), DeliveryError> {
        self.wire.patience(self.timeouts.answer);
        let opened = secure.open().map_err(Trouble::from);
        opened.and_then(|tls| self.wire.secure(tls)).map_err(|t| self.trouble(Step::Secure, t))
    }

    fn greet(&mut self, relay: &Relay) -> Result<Abilities, DeliveryError> {
        let name = relay.hello.clone().unwrap_or_else(|| literal(self.wire.local()));
        let reply = self.ask(Step::Greet, &format!("EHLO {name}"), 2)?;
        Ok(Abilities::read(&reply))
    }

    fn log_in(&mut self, login: &Login, can: &Abilities) -> Result<(), DeliveryError> {
        let Login { user, password } = login;
        if can.plain {
            let both = BASE64.encode(format!("\0{user}\0{password}"));
            return self.ask(Step::Login, &format!("AUTH PLAIN {both}"), 2).map(drop);
        }
        if can.login {
            self.ask(Step::Login, "AUTH LOGIN", 3)?;
            self.ask(Step::Login, &BASE64.encode(user), 3)?;
            return self.ask(Step::Login, &BASE64.encode(password), 2).map(drop);
        }
        Err(self.without(Step::Login, "the relay offers neither AUTH PLAIN nor AUTH LOGIN"))
    }

    /// Sends the letter without its end: until then the relay has nothing (RFC 5321 §4.1.1.4).
    fn content(&mut self, letter: &[u8]) -> Result<(), DeliveryError> {
        let mut piece = Vec::with_capacity(PIECE + 1024);
        for line in letter.split_inclusive(|&byte| byte == b'\n') {
            // RFC 5321 §4.5.2: a line with a dot only would be the end.
            if line.starts_with(b".") {
                piece.push(b'.');
            }
            piece.extend_from_slice(line);
            if piece.len() >= PIECE {
                self.piece(&piece)?;
                piece.clear();
            }
        }
        self.piece(&piece)
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), DeliveryError> {
        self.wire.patience(self.timeouts.answer);
        let Err(error) = self.wire.send(piece) else { return Ok(()) };
        // A relay that has had enough says why before it hangs up.
        self.wire.patience(FAREWELL);
        match self.wire.reply() {
            Ok(reply) if reply.code >= 400 => Err(refused(Step::Content, &reply)),
            Ok(_) | Err(_) => Err(DeliveryError::unreached(Step::Content, &self.peer, &error)),
        }
    }

    /// Sends the end. From here on the relay can have the message whatever we hear, unless it says that it has not.
    fn verdict(&mut self) -> Result<Reply, DeliveryError> {
        let step = Step::Verdict;
        self.wire.patience(self.timeouts.verdict);
        let sent = self.wire.send(b".\r\n").map_err(Trouble::from);
        let lost =
            |why: String| DeliveryError::Lost { step, peer: self.peer.clone(), kind: None, why };
        match sent.and_then(|()| self.wire.reply()) {
            Ok(reply) if reply.code / 100 == 2 => Ok(reply),
            Ok(reply) if reply.code >= 400 => Err(refused(step, &reply)),
            Ok(reply) => Err(lost(format!("{} is no verdict", reply.code))),
            Err(Trouble::Nonsense(why)) => Err(lost(why)),
            Err(Trouble::Gone(error)) => Err(DeliveryError::lost(step, &self.peer, &error)),
        }
    }

    /// Sends a line; the answer, which must be of this class.
    fn ask(&mut self, step: Step, line: &str, class: u16) -> Result<Reply, DeliveryError> {
        self.wire.patience(self.timeouts.answer);
        let sent = self.wire.send(format!("{line}\r\n").as_bytes());
        sent.map_err(|error| DeliveryError::unreached(step, &self.peer, &error))?;
        self.answer(step, class)
    }

    fn answer(&mut self, step: Step, class: u16) -> Result<Reply, DeliveryError> {
        self.wire.patience(self.timeouts.answer);
        let reply = self.wire.reply().map_err(|trouble| self.trouble(step, trouble))?;
        match reply.code / 100 {
            found if found == class => Ok(reply),
            4 | 5 => Err(refused(step, &reply)),
            _other => {
                let why = format!("{} is no answer to this", reply.code);
                Err(self.trouble(step, Trouble::Nonsense(why)))
            }
        }
    }

    fn leave(&mut self) {
        self.wire.patience(FAREWELL);
        if self.wire.send(b"QUIT\r\n").is_ok() {
            let _nothing_depends_on_it = self.wire.reply();
        }
    }

    /// What happened before anything could arrive.
    fn trouble(&self, step: Step, trouble: Trouble) -> DeliveryError {
        let peer = self.peer.clone();
        match trouble {
            Trouble::Gone(error) => DeliveryError::unreached(step, &peer, &error),
            Trouble::Nonsense(why) => DeliveryError::Malformed { step, peer, why },
        }
    }

    fn without(&self, step: Step, why: &str) -> DeliveryError {
        let (peer, why) = (self.peer.clone(), why.to_owned());
        DeliveryError::Unreached { step, peer, kind: None, why }
    }
}

fn refused(what: Step, reply: &Reply) -> DeliveryError {
    let message = one_line(&format!("{} {}", reply.code, reply.text()));
    let permanent = reply.code >= 500;
    DeliveryError::Refused { what, status: Some(reply.status()), message, permanent }
}

/// Where the relay is. One without encryption must be on this machine.
fn addresses(relay: &Relay, peer: &str) -> Result<Vec<SocketAddr>, DeliveryError> {
    let failed = |error: &io::Error| DeliveryError::unreached(Step::Resolve, peer, error);
    let found =
        (relay.bare_host(), relay.port).to_socket_addrs().map_err(|error| failed(&error))?;
    let found: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
    if found.is_empty() {
        return Err(failed(&io::ErrorKind::NotFound.into()));
    }
    if relay.tls == Tls::None && !found.iter().all(|address| address.ip().is_loopback()) {
        let why = "without TLS a relay is on this machine; use StartTls or Wrapper";
        return Err(DeliveryError::bad_settings("relay's host", why));
    }
    Ok(found)
}

/// Our number, for a machine without a name to tell (RFC 5321 §4.1.3).
fn literal(local: Option<SocketAddr>) -> String {
    match local {
        Some(SocketAddr::V4(address)) => format!("[{}]", address.ip()),
        Some(SocketAddr::V6(address)) => format!("[IPv6:{}]", address.ip()),
        None => "[127.0.0.1]".to_owned(),
    }
}
