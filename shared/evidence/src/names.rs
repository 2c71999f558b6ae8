//! The names under which a log has gone: it has another after it was brought back from an older copy, or when the key of its
//! heads was lost. Heads that were signed before are of the name before, and are never signed again.

use domain::event::{Event, LogContinued, LogEvent};
use tlog::{Checkpoint, Note, VerifierKey};

use crate::finding::Kind;
use crate::heads::Head;

/// A name of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// The first line of its heads.
    pub origin: String,
    /// The key that signs them, as the log says.
    pub key: String,
    /// The position of the event that says so.
    pub from: u64,
    /// What that says of the name before; absent of the first name.
    pub continued: Option<LogContinued>,
}

impl Name {
    /// The name that a valid event gives the log.
    pub(crate) fn given_by(event: &Event, from: u64) -> Option<Self> {
        let name = |origin: &str, key: &str, continued| {
            Some(Self { origin: origin.to_owned(), key: key.to_owned(), from, continued })
        };
        if let Event::LogEvent(LogEvent::LogCreated(said)) = event {
            return name(&said.origin, &said.head_key, None);
        }
        if let Event::LogEvent(LogEvent::LogContinued(said)) = event {
            return name(&said.origin, &said.head_key, Some(said.clone()));
        }
        None
    }

    /// Its key, where it is one.
    pub(crate) fn verifier(&self) -> Option<VerifierKey> {
        self.key.parse().ok()
    }

    /// Sizes of heads that may have been signed before it had this name and are not of this log any more.
    pub(crate) fn has_lost(&self, size: u64) -> bool {
        self.continued.as_ref().is_some_and(|said| said.size < size && size <= said.reached)
    }

    /// The size of the head that was signed last before, as far as this log reaches it.
    pub(crate) fn before(&self) -> Option<u64> {
        let said = self.continued.as_ref()?;
        let head = Head::read(said.before.as_ref()?.as_bytes()).ok()?;
        Some(head.says.size()).filter(|size| *size <= said.size)
    }

    /// What does not hold of what it says about the name before; `fits` tells whether a head is over events of the log.
    pub(crate) fn misfit(
        &self,
        old: &Self,
        fits: impl Fn(&Checkpoint) -> bool,
    ) -> Option<(Kind, String)> {
        let said = self.continued.as_ref()?;
        let key = old.verifier();
        let keys = key.as_slice();
        let other = |what: &str| Some((Kind::ContinuedOther, what.to_owned()));
        if let Some(note) = &said.before {
            let Ok(head) = Head::read(note.as_bytes()) else {
                return other("what it names as the head before is none");
            };
            let (size, by) = (head.says.size(), head.stranger(Some(&old.origin), keys));
            if by.is_some() || size > said.reached {
                return other(
                    "the head before is not by the key before, or of a longer log than it says",
                );
            }
            if size <= said.size && !fits(&head.says) {
                return other(
                    "the head before was signed over other events than the log continues",
                );
            }
        }
        let handover = said.handover.as_ref()?;
        let text = LogContinued::handover_text(&old.origin, &self.key);
        let note = Note::parse(handover.as_bytes()).ok();
        let holds = note.is_some_and(|note| note.text() == text && note.verify(keys).is_ok());
        if holds { None } else { other("it was not handed over by the key before") }
    }
}

/// That a log goes on under another name, of which somebody knows the key of a name before.
pub(crate) fn goes_on(names: &[Name], named: &[String]) -> Option<(Kind, String)> {
    let last = names.last()?;
    let before = names.iter().rev().find(|name| named.contains(&name.key))?;
    let by = last.continued.as_ref().is_some_and(|said| said.handover.is_some());
    let by = if by { "handed over by the key before" } else { "without the key before" };
    let text = format!(
        "the policy names {}, and since position {} the log goes on as {} ({by}): ask why, and name that in the policy if you believe it",
        before.origin, last.from, last.key
    );
    Some((Kind::LogContinued, text))
}

/// The name of a log that lost what this head is over, where one did: the head is of a name before, and of a longer log.
#[must_use]
pub fn lost<'a>(names: &'a [Name], head: &Head) -> Option<&'a Name> {
    let index = names.iter().position(|name| name.origin == head.says.origin())?;
    names.get(index + 1).filter(|next| head.says.size() >= next.from)
}
