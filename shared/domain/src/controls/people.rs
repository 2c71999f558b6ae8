//! That everything is done by somebody who is named and may, that two are two, and that it is looked at.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::settings::millis;
use super::{ControlSettings, Ended, Item, Outcome, Passing, Period, gaps};
use crate::event::{BackupEvent, Event, IncidentEvent, JobEvent, ReviewEvent, ThingAct, UserEvent};
use crate::ids::{Class, StreamId, StreamType};

#[derive(Debug, Default)]
pub(super) struct People {
    first: Option<Timestamp>,
    stated: Vec<Item>,
    reviews: Vec<Item>,
    seconds: Vec<Item>,
    authors: BTreeMap<(StreamId, u32), Option<String>>,
    denied: Vec<Item>,
    /// Times that signed reviews of the night look at.
    nights: Vec<(Timestamp, Timestamp)>,
}

impl People {
    pub(super) fn observe(&mut self, passing: Passing<'_>, period: Period) {
        let (id, at) = (&passing.envelope.subject, passing.received);
        self.first.get_or_insert(at);
        let within = period.holds(at);
        let item = || Item::new(at, id, passing.position);
        let actor = passing.envelope.actor.as_deref();
        let by_console = passing.envelope.source.class() == Class::Console;
        if within
            && by_console
            && id.stream_type() != StreamType::Log
            && !is_coming_in(passing.event)
        {
            let wrong = actor.is_none().then(|| format!("{} names nobody", passing.envelope.kind));
            self.stated.push(item().failing(wrong));
        }
        match passing.event {
            Event::ReviewEvent(ReviewEvent::ReviewAccessSigned(_)) => self.reviews.push(item()),
            Event::ReviewEvent(ReviewEvent::ReviewSigned(event)) => {
                self.nights.push((event.since, event.until));
            }
            Event::UserEvent(UserEvent::UserDenied(_) | UserEvent::UserLoginFailed(_))
                if within =>
            {
                self.denied.push(item());
            }
            Event::JobEvent(JobEvent::JobProposed(event)) => {
                self.authors.insert((id.clone(), event.number), actor.map(str::to_owned));
            }
            Event::JobEvent(JobEvent::JobApproved(event)) if within => {
                self.second(item(), event.number, actor);
            }
            Event::ThingEvent(event) => match &event.act {
                ThingAct::Proposed(event) => {
                    self.authors.insert((id.clone(), event.number), actor.map(str::to_owned));
                }
                ThingAct::Approved(event) if within => self.second(item(), event.number, actor),
                ThingAct::Approved(_) | ThingAct::Retired(_) => {}
            },
            Event::IncidentEvent(IncidentEvent::IncidentResolved(_)) if within => {
                let incident = passing.streams.0.get(id).and_then(|state| state.body.incident());
                let same =
                    incident.is_some_and(|one| one.causers.contains(actor.unwrap_or_default()));
                self.seconds
                    .push(item().failing(same.then(|| "resolved by who caused it".to_owned())));
            }
            Event::BackupEvent(BackupEvent::RestoreCertified(event)) if within => {
                let dataset = passing.streams.0.get(id).and_then(|state| state.body.dataset());
                let test =
                    dataset.and_then(|one| one.tests.iter().find(|test| test.run == event.run));
                let asked = test.and_then(|test| test.asked_by.as_deref());
                let same = asked.is_some() && asked == actor;
                self.seconds
                    .push(item().failing(same.then(|| "certified by who asked for it".to_owned())));
            }
            _ => {}
        }
    }

    fn second(&mut self, item: Item, number: u32, actor: Option<&str>) {
        let which = item.subject.parse::<StreamId>().map(|id| (id, number));
        let author = which.ok().and_then(|which| self.authors.get(&which).cloned()).flatten();
        let same = author.is_some() && author.as_deref() == actor;
        self.seconds.push(item.failing(same.then(|| "approved by its author".to_owned())));
    }

    pub(super) fn finish(
        &self,
        ended: Ended<'_>,
        period: Period,
        settings: &ControlSettings,
    ) -> Vec<Outcome> {
        let begin = self.first.unwrap_or(period.from).max(period.from);
        let end = ended.until.min(period.until);
        let signed = self.reviews.iter().map(|item| item.at).collect();
        let mut reviews: Vec<Item> =
            self.reviews.iter().filter(|item| period.holds(item.at)).cloned().collect();
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
            Outcome::of("AC-01", self.stated.clone()),
            Outcome::of("AC-02", reviews),
            Outcome::of("AC-03", self.seconds.clone()),
            Outcome::of("AC-05", self.denied.iter().map(denied).collect()),
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
