//! What can go wrong, by the place where it did: the library's errors have no kinds to ask for.

use rustic_core::RusticError;

use crate::report::ProblemKind;

/// An error a person can act on: what was tried, on what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    /// What kind it is.
    pub(crate) kind: ProblemKind,
    /// The sentence.
    pub(crate) message: String,
}

impl Problem {
    /// A problem of a kind.
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Says what was tried when the library failed, and of what kind that is unless the disk is full.
pub(crate) fn rustic(
    kind: ProblemKind,
    tried: impl Into<String>,
) -> impl FnOnce(Box<RusticError>) -> Problem {
    let tried = tried.into();
    move |error| {
        let cause = plain(&error);
        let kind = if is_full(&cause) { ProblemKind::NoSpace } else { kind };
        Problem::new(kind, format!("{tried}: {cause}"))
    }
}

/// Says what was tried when a file could not be read or written.
pub(crate) fn io(
    kind: ProblemKind,
    tried: impl Into<String>,
) -> impl FnOnce(std::io::Error) -> Problem {
    let tried = tried.into();
    move |error| {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let kind = if full { ProblemKind::NoSpace } else { kind };
        Problem::new(kind, format!("{tried}: {error}"))
    }
}

/// The library's error in one line.
pub(crate) fn plain(error: &RusticError) -> String {
    let text = error.display_log();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_full(cause: &str) -> bool {
    cause.contains("os error 28") || cause.contains("os error 122")
}
