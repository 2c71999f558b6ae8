//! Exit codes, which scripts rely on.
//!
//! | code | means |
//! |---|---|
//! | 0 | done, or nothing wrong |
//! | 1 | what was asked about failed or is not clean |
//! | 2 | the call or the configuration is wrong |
//! | 3 | there is no such thing |
//! | 4 | not allowed |
//! | 5 | a rule or somebody else's change stands in the way |
//! | 6 | the server, the database or the data directory cannot be reached |
//! | 10 | `plan` found changes |

use std::process::ExitCode;

/// Done.
pub(crate) const OK: ExitCode = ExitCode::SUCCESS;

/// An end other than success.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    /// Whether it is about the one thing that was asked for, so that the next may go better.
    of_one: bool,
}

impl Failure {
    fn new(code: u8, message: impl ToString) -> Self {
        Self { code, message: message.to_string(), of_one: matches!(code, 2..=5) }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

fn failure(code: u8, message: impl ToString) -> anyhow::Error {
    Failure::new(code, message).into()
}

/// What was asked about is not clean. The message may be empty when the output says it all.
pub(crate) fn unclean(message: impl ToString) -> anyhow::Error {
    failure(1, message)
}

/// The call or the configuration is wrong.
pub(crate) fn usage(message: impl ToString) -> anyhow::Error {
    failure(2, message)
}

/// There is no such thing.
pub(crate) fn not_found(message: impl ToString) -> anyhow::Error {
    failure(3, message)
}

/// Nobody knows whoever asks: nothing they say is heard.
pub(crate) fn unknown(message: impl ToString) -> anyhow::Error {
    Failure { of_one: false, ..Failure::new(4, message) }.into()
}

/// Not allowed.
pub(crate) fn denied(message: impl ToString) -> anyhow::Error {
    failure(4, message)
}

/// A rule stands in the way.
pub(crate) fn refused(message: impl ToString) -> anyhow::Error {
    failure(5, message)
}

/// Something cannot be reached.
pub(crate) fn unreachable(message: impl ToString) -> anyhow::Error {
    failure(6, message)
}

/// `plan` found changes.
pub(crate) fn changes() -> anyhow::Error {
    failure(10, "")
}

/// Whether it is about the one thing that was asked for, so that the next may go better.
pub(crate) fn is_of_one(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.of_one)
}

/// Says what went wrong on stderr, with the whole chain of causes, and gives the code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let code = error.downcast_ref::<Failure>().map_or(1, |failure| failure.code);
    let text = format!("{error:#}");
    if !text.is_empty() {
        eprintln!("decklog: {text}");
    }
    ExitCode::from(code)
}
