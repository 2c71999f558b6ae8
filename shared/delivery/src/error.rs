//! What went wrong, and what it leaves behind.

use std::{fmt, io};

use crate::shown::one_line;
use crate::{AddressError, Status};

/// How far a delivery had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Finding the server's addresses.
    Resolve,
    /// Reaching the server.
    Connect,
    /// Encrypting what follows.
    Secure,
    /// The server's first words, and ours.
    Greet,
    /// User and password.
    Login,
    /// Naming the sender: `MAIL`.
    Sender,
    /// Naming the recipient: `RCPT`.
    Recipient,
    /// Asking to send the message: `DATA`.
    Announce,
    /// Sending the message or the file.
    Content,
    /// The server's word on a message that was sent whole.
    Verdict,
    /// Giving a written file its name.
    Name,
    /// Comparing with the file that has the name already.
    Compare,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "finding the server",
            Self::Connect => "connecting",
            Self::Secure => "starting TLS",
            Self::Greet => "greeting",
            Self::Login => "logging in",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming the recipient",
            Self::Announce => "asking to send",
            Self::Content => "sending the content",
            Self::Verdict => "waiting for the verdict",
            Self::Name => "naming the file",
            Self::Compare => "comparing with the file that is there",
        })
    }
}

/// A delivery that did not succeed.
///
/// `Display` is for the log of the machine that delivers and may name recipients; so may `Debug`. What is kept as
/// evidence is [`DeliveryError::without_names`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Nothing can have arrived; it may be tried again.
    #[error("{step} ({peer}): {why}; nothing has arrived")]
    Unreached {
        /// What was tried.
        step: Step,
        /// Where.
        peer: String,
        /// Which kind of error it was, where the operating system said.
        kind: Option<io::ErrorKind>,
        /// What was seen.
        why: String,
    },
    /// The other side said no, and has nothing.
    #[error("{what}: refused {}: {message}", how_long(*.permanent))]
    Refused {
        /// At which step.
        what: Step,
        /// The answer's codes, where the other side is a mail server.
        status: Option<Status>,
        /// The answer's words, on one line.
        message: String,
        /// Whether it will be refused again as it is.
        permanent: bool,
    },
    /// Everything was sent and no answer came: it may have arrived, and nobody tries it again without a person's word.
    #[error("{step} ({peer}): {why}; it may have arrived")]
    Lost {
        /// What was waited for.
        step: Step,
        /// From whom.
        peer: String,
        /// Which kind of error it was, where the operating system said.
        kind: Option<io::ErrorKind>,
        /// What was seen.
        why: String,
    },
    /// The other side said what its protocol does not have, before anything can have arrived; it may be tried again.
    #[error("{step} ({peer}): {why}; nothing has arrived")]
    Malformed {
        /// What was tried.
        step: Step,
        /// Where.
        peer: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// More than this or the other side takes; nothing was sent.
    #[error("{bytes} bytes are more than the {limit} that can be delivered")]
    TooLarge {
        /// How large it is as it would be sent.
        bytes: u64,
        /// The lower of the limits known.
        limit: u64,
    },
    /// The address is none; nothing was sent.
    #[error("{0}")]
    BadAddress(#[from] AddressError),
    /// The message, the name of the file or the like cannot be delivered; nothing was sent.
    #[error("the {what} cannot be sent: {why}")]
    BadMessage {
        /// Which part of it.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The description of the other side or of the way to it is wrong; nothing was sent.
    #[error("the {what} cannot be used: {why}")]
    BadSettings {
        /// Which setting.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl DeliveryError {
    /// Whether the recipient may have it all the same.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether the same may be tried again later: nothing has arrived, and it may go better then.
    pub fn may_be_tried_again(&self) -> bool {
        match self {
            Self::Unreached { .. } | Self::Malformed { .. } => true,
            Self::Refused { permanent, .. } => !permanent,
            Self::Lost { .. }
            | Self::TooLarge { .. }
            | Self::BadAddress(_)
            | Self::BadMessage { .. }
            | Self::BadSettings { .. } => false,
        }
    }

    /// The same in words that hold no address, no name, no subject and nothing the other side wrote: for evidence that
    /// is kept longer than a recipient's consent.
    pub fn without_names(&self) -> String {
        match self {
            Self::Unreached { step, kind, .. } => {
                format!("not reached: {step}{}; nothing has arrived", seen(*kind))
            }
            Self::Refused { what, status, permanent, .. } => {
                format!("refused {}: {what}{}", how_long(*permanent), meant(*status))
            }
            Self::Lost { step, kind, .. } => {
                format!("lost: {step}{}; it may have arrived", seen(*kind))
            }
            Self::Malformed { step, .. } => {
                format!("not understood: {step}; nothing has arrived")
            }
            Self::TooLarge { .. } => format!("too large: {self}"),
            Self::BadAddress(_) => "bad address: nothing was sent".to_owned(),
            Self::BadMessage { what, .. } => format!("bad {what}: nothing was sent"),
            Self::BadSettings { what, .. } => format!("bad settings ({what}): nothing was sent"),
        }
    }

    pub(crate) fn unreached(step: Step, peer: &str, error: &io::Error) -> Self {
        let (kind, why) = (Some(error.kind()), one_line(&error.to_string()));
        Self::Unreached { step, peer: peer.to_owned(), kind, why }
    }

    pub(crate) fn lost(step: Step, peer: &str, error: &io::Error) -> Self {
        let (kind, why) = (Some(error.kind()), one_line(&error.to_string()));
        Self::Lost { step, peer: peer.to_owned(), kind, why }
    }

    pub(crate) fn bad_message(what: &'static str, why: impl Into<String>) -> Self {
        Self::BadMessage { what, why: why.into() }
    }

    pub(crate) fn bad_settings(what: &'static str, why: impl Into<String>) -> Self {
        Self::BadSettings { what, why: why.into() }
    }
}

fn how_long(permanent: bool) -> &'static str {
    if permanent { "for good" } else { "for now" }
}

fn seen(kind: Option<io::ErrorKind>) -> String {
    kind.map_or_else(String::new, |kind| format!(": {kind}"))
}

fn meant(status: Option<Status>) -> String {
    let Some(status) = status else { return String::new() };
    let meaning = status.meaning().map_or_else(String::new, |meaning| format!(" ({meaning})"));
    format!(": {status}{meaning}")
}

/// Refuses what is larger than may be delivered.
pub(crate) fn check_size(bytes: usize, limit: u64) -> Result<(), DeliveryError> {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    if bytes > limit { Err(DeliveryError::TooLarge { bytes, limit }) } else { Ok(()) }
}
