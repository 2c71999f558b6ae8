//! What may follow in the stream of a request.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::state::Request;
use crate::controls::Control;
use crate::event::{Reference, RequestAnswered, RequestAsked, RequestEvent};
use crate::ids::{StreamId, StreamType};
use crate::ledger::{Body, need};

/// The longest title, in bytes.
pub const TITLE_BYTES_MAX: usize = 200;
/// The longest text of a request or of what is said of it, in bytes.
pub const REQUEST_TEXT_BYTES_MAX: usize = 4_000;
/// Most references of a request or of an answer.
pub const REFERENCES_MAX: usize = 20;
/// Most answers and flags of one request; what is asked then is asked in another.
pub const THREAD_MAX: usize = 50;
/// The furthest ahead that a request may be due: 366 days.
pub const DUE_MS_MAX: i64 = 366 * 24 * 3_600 * 1_000;

/// What is known beside the request itself.
pub(crate) struct Context<'a> {
    /// The request's stream.
    pub(crate) id: &'a StreamId,
    /// Who acts.
    pub(crate) actor: Option<&'a str>,
    /// When it is received.
    pub(crate) received: Timestamp,
    /// How long the log was before it.
    pub(crate) size: u64,
    /// A stream that [`reads`] names.
    pub(crate) find: &'a dyn Fn(&StreamId) -> Option<&'a Body>,
}

/// What an event points to.
fn references(event: &RequestEvent) -> &[Reference] {
    match event {
        RequestEvent::RequestAsked(e) => &e.references,
        RequestEvent::RequestAnswered(e) => &e.references,
        RequestEvent::RequestAccepted(_)
        | RequestEvent::RequestFlagged(_)
        | RequestEvent::RequestWithdrawn(_) => &[],
    }
}

/// The streams beside its own that must be at hand to judge an event.
pub(crate) fn reads(id: &StreamId, event: &RequestEvent) -> BTreeSet<StreamId> {
    let named = references(event).iter().take(REFERENCES_MAX).filter_map(|one| match one {
        Reference::Stream(id) => Some(id.clone()),
        Reference::Position(_) => None,
    });
    let before = match event {
        RequestEvent::RequestAsked(_) => before(id),
        RequestEvent::RequestAnswered(_)
        | RequestEvent::RequestAccepted(_)
        | RequestEvent::RequestFlagged(_)
        | RequestEvent::RequestWithdrawn(_) => None,
    };
    named.chain(before).collect()
}

/// The request before this one, where it is not the first.
fn before(id: &StreamId) -> Option<StreamId> {
    let number = id.request_number()?.checked_sub(1)?;
    (number > 0).then(|| StreamId::request(number))
}

/// Whether the event may follow.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit(
    request: Option<&Request>,
    event: &RequestEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    let person = context.actor.ok_or("it does not say who does it")?;
    if let RequestEvent::RequestAsked(e) = event {
        need(request.is_none(), "a request is asked once, by its first event")?;
        return admit_asked(e, context);
    }
    let request = request.ok_or("there is no such request")?;
    if let Some(closed) = request.closed() {
        return Err(format!("it was {} by {}: ask anew", closed.step.word(), closed.by));
    }
    match event {
        RequestEvent::RequestAsked(_) => Ok(()),
        RequestEvent::RequestAnswered(e) => admit_answered(request, e, person, context),
        RequestEvent::RequestAccepted(e) => {
            need(request.is_answered(), "there is no answer that could be accepted")?;
            let own = request.answerers().contains(person);
            need(!own, "nobody accepts what they answered themselves")?;
            need(e.note.is_empty() || is_text(&e.note), "a note has 4000 bytes at most")
        }
        RequestEvent::RequestFlagged(e) => {
            need(request.is_answered(), "there is no answer that could be flagged")?;
            check_room(request)?;
            check_text(&e.reason, "a reason")
        }
        RequestEvent::RequestWithdrawn(e) => {
            need(request.by == person, "whoever asked withdraws it, and nobody else")?;
            check_text(&e.reason, "a reason")
        }
    }
}

fn admit_asked(e: &RequestAsked, context: &Context<'_>) -> Result<(), String> {
    need(context.id.request_number().is_some(), "its name is not that of a request")?;
    let before = before(context.id);
    let follows = before.is_none_or(|before| (context.find)(&before).is_some());
    need(follows, "the request before it is not there")?;
    let titled = !e.title.trim().is_empty() && e.title.len() <= TITLE_BYTES_MAX;
    need(titled, "a title of 1 to 200 bytes is needed")?;
    check_text(&e.text, "a text")?;
    let ahead = e.due.as_millisecond() - context.received.as_millisecond();
    need(ahead > 0 && ahead <= DUE_MS_MAX, "it is due in the future, and within 366 days")?;
    let ordered = e.period.is_none_or(|period| period.from <= period.until);
    need(ordered, "a period does not end before it begins")?;
    if let Some(control) = &e.control {
        need(Control::named(control)?.id == control, "a control is named in capitals")?;
    }
    check_references(&e.references, context)
}

fn admit_answered(
    request: &Request,
    e: &RequestAnswered,
    person: &str,
    context: &Context<'_>,
) -> Result<(), String> {
    need(request.by != person, "nobody answers what they asked themselves")?;
    check_room(request)?;
    check_text(&e.text, "a text")?;
    check_references(&e.references, context)
}

/// Whether its thread may go on. What ends it always may.
fn check_room(request: &Request) -> Result<(), String> {
    need(request.thread.len() < THREAD_MAX, "its thread has 50 entries: accept or withdraw it")
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= REQUEST_TEXT_BYTES_MAX
}

fn check_text(text: &str, what: &str) -> Result<(), String> {
    need(is_text(text), &format!("{what} of 1 to {REQUEST_TEXT_BYTES_MAX} bytes is needed"))
}

/// Each is in the log, and named once.
fn check_references(references: &[Reference], context: &Context<'_>) -> Result<(), String> {
    need(references.len() <= REFERENCES_MAX, "20 references at most")?;
    let unique: BTreeSet<&Reference> = references.iter().collect();
    need(unique.len() == references.len(), "a reference is named once")?;
    references.iter().try_for_each(|one| match one {
        Reference::Position(at) => {
            let known = (1..=context.size).contains(at);
            need(known, &format!("the log has no position {at}"))
        }
        // A control is there before anybody has said anything of it.
        Reference::Stream(id) if id.stream_type() == StreamType::Control => {
            Control::named(id.rest()).map(|_| ())
        }
        Reference::Stream(id) => {
            need((context.find)(id).is_some(), &format!("there is no {id} in the log"))
        }
    })
}
