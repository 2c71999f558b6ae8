//! A message to one address, over a relay (RFC 5321).
//!
//! | module | about |
//! |---|---|
//! | `config` | how a service says which relay it uses |
//! | `compose` | the message as bytes (RFC 5322, MIME): the library's matter |
//! | `dialogue` | what is said to the relay, and what each answer means for the message |
//! | `wire` | bytes, lines and time |
//! | `secure` | whom TLS trusts |
//! | `receipt` | what is kept of an answer |
//!
//! The dialogue is ours because the library's loses what a receipt needs: it takes words sent before STARTTLS for
//! answers made under TLS (so that whoever is in between can write the receipt), does not bound an answer's line or the
//! whole time, and does not say whether a connection broke before or after the end of the message.

mod compose;
mod config;
mod dialogue;
mod receipt;
mod secure;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub use config::{MailConfig, MailTls};

use crate::{Address, DeliveryError};

/// How the way to a relay is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte on, usually at port 465 (RFC 8314 §3.3).
    Wrapper,
    /// After `STARTTLS` (RFC 3207), usually at port 587. A relay without it is not used.
    StartTls,
    /// Not at all: only a relay on this machine.
    None,
}

/// User and password at a relay.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How long a relay is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to one of its addresses.
    pub connect: Duration,
    /// For one answer, and for a piece of the message to leave.
    pub answer: Duration,
    /// For the verdict on the whole message: it is scanned first (RFC 5321 §4.5.3.2.6 asks for ten minutes).
    pub verdict: Duration,
    /// For everything together, except asking for the addresses of its name, which the system bounds.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let [connect, answer, verdict, total] = [30, 120, 600, 1800].map(Duration::from_secs);
        Self { connect, answer, verdict, total }
    }
}

/// The server that takes messages from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its name, which its certificate must have, or its number.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is encrypted.
    pub tls: Tls,
    /// Certificates (PEM) that vouch for it; without, those of this machine.
    pub ca_file: Option<PathBuf>,
    /// User and password, where it wants them.
    pub login: Option<Login>,
    /// How we are called in `EHLO`; without, our number is told.
    pub hello: Option<String>,
    /// Whom messages are from, and who is told that one could not be delivered later.
    pub from: Address,
    /// What the sender is called; may be empty.
    pub from_name: String,
    /// How long it is waited for.
    pub timeouts: Timeouts,
    /// Most bytes of a message as it is sent: a third more than its attachment.
    pub limit_bytes: u64,
}

impl Relay {
    /// Its host without the brackets that a number of IPv6 may have.
    fn bare_host(&self) -> &str {
        let inside = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inside.unwrap_or(&self.host)
    }
}

/// A file in a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called, without directories.
    pub name: String,
    /// Its media type, such as `application/pdf`.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = (&self.name, self.content.len());
        f.debug_struct("Attachment").field("name", name).field("bytes", &bytes).finish()
    }
}

/// A message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its `Message-ID` without brackets, `left@right`: the same for each try, so that a doubled one can be told.
    pub id: String,
    /// Its date, which no clock is asked for.
    pub date: SystemTime,
    /// The recipient.
    pub to: Address,
    /// What the recipient is called; may be empty.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// What is written.
    pub text: String,
    /// What is sent with it.
    pub attachment: Option<Attachment>,
}

/// That a relay has taken a message over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its answer's codes and the number it gave the message, where it did so in words we know: `250 2.0.0 4XyZ12`.
    /// There is no address in it.
    pub response: String,
}

/// Sends a message to its one recipient.
///
/// # Errors
/// [`DeliveryError`] says whether it can have arrived. What breaks before the end of the message was sent is
/// [`DeliveryError::Unreached`]: RFC 5321 §4.1.1.4 has a server drop what has no end.
pub fn send(relay: &Relay, message: &Message) -> Result<Receipt, DeliveryError> {
    let letter = compose::compose(relay, message)?;
    crate::error::check_size(letter.len(), relay.limit_bytes)?;
    let secure = secure::Secure::prepare(relay)?;
    dialogue::deliver(relay, &secure, &message.to, &letter)
}
