//! That everything is done by somebody who is named and may, and that it is looked at.

use jiff::Timestamp;

use super::settings::millis;
use super::{Closing, Item, Outcome, Passing, gaps};
use crate::event::{
    BackupEvent, Event, FormEvent, LogEvent, PrintEvent, ReadWhat, ReviewEvent, UserEvent,
};
use crate::ids::{Class, StreamType};

#[derive(Debug, Default)]
pub(super) struct People {
    stated: Vec<Item>,
    reviews: Vec<Item>,
    denied: Vec<Item>,
    /// Whatever is protected and was read, or taken away.
    read: Vec<Item>,
    /// Times that signed reviews of the night look at.
    nights: Vec<(Timestamp, Timestamp)>,
}

impl People {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let (id, at) = (&passing.envelope.subject, passing.received);
        let item = || Item::new(at, id, passing.position);
        let by_console = passing.envelope.source.class() == Class::Console;
        if by_console && id.stream_type() != StreamType::Log && !is_coming_in(passing.event) {
            let nobody = passing.envelope.actor.is_none();
            let wrong = nobody.then(|| format!("{} names nobody", passing.envelope.kind));
            self.stated.push(item().failing(wrong));
        }
        match passing.event {
            Event::ReviewEvent(ReviewEvent::ReviewAccessSigned(_)) => self.reviews.push(item()),
            Event::ReviewEvent(ReviewEvent::ReviewSigned(event)) => {
                self.nights.push((event.since, event.until));
            }
            Event::UserEvent(UserEvent::UserDenied(_) | UserEvent::UserLoginFailed(_)) => {
                self.denied.push(item());
            }
            event => {
                if let Some(what) = reading(event) {
                    let nobody = !is_somebody(passing);
                    let wrong = nobody.then(|| format!("{what}: nobody is named"));
                    let item = Item { note: Some(what.to_owned()), ..item() };
                    self.read.push(item.failing(wrong));
                }
            }
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let Closing { period, settings, begin, end, .. } = closing;
        let signed = self.reviews.iter().map(|item| item.at).collect();
        let mut reviews: Vec<Item> = period.of(&self.reviews).cloned().collect();
        for (from, until) in gaps(signed, (begin, end), millis(settings.access_review_every)) {
            let why = format!("nobody reviewed who may do what from {from} until {until}");
            reviews.push(Item::absent(from, "review/access", why));
        }
        let looked = |at: Timestamp| self.nights.iter().any(|(from, to)| *from <= at && at < *to);
        let denied = |item: &Item| {
            let why = "no signed review covers it";
            item.clone().failing((!looked(item.at)).then(|| why.to_owned()))
        };
        vec![
            Outcome::of("AC-01", period.of(&self.stated).cloned().collect()),
            Outcome::of("AC-02", reviews),
            Outcome::of("AC-04", period.of(&self.read).cloned().collect()),
            Outcome::of("AC-05", period.of(&self.denied).map(denied).collect()),
            Outcome::untested(
                "AC-06",
                "the log hears of leavers only when somebody removes them: compare the removals with the list of the personnel department",
            ),
        ]
    }
}

/// Whoever comes in is not yet anybody.
fn is_coming_in(event: &Event) -> bool {
    matches!(event, Event::UserEvent(_) | Event::HostEvent(_))
}

/// What of something protected was read, or taken away.
fn reading(event: &Event) -> Option<&'static str> {
    match event {
        Event::PrintEvent(PrintEvent::PrintRead(event)) => Some(match event.what {
            ReadWhat::Content => "a document's content",
            ReadWhat::Register => "what is known of a document's sheets",
        }),
        Event::FormEvent(FormEvent::FormRegisterRead(_)) => Some("a register with payees"),
        Event::BackupEvent(BackupEvent::BackupLookedInto(_)) => Some("names of files in snapshots"),
        Event::BackupEvent(BackupEvent::BackupRestored(_)) => Some("what a snapshot holds"),
        Event::LogEvent(LogEvent::LogExported(_)) => Some("evidence"),
        _ => None,
    }
}

/// Whether somebody is named. A restore is done by a run: who asked for that is of other controls.
fn is_somebody(passing: Passing<'_>) -> bool {
    let by_run = matches!(passing.event, Event::BackupEvent(BackupEvent::BackupRestored(_)));
    by_run || passing.envelope.actor.is_some()
}
