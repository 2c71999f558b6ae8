//! Incidents: what happened is said in the log, once; and whoever the call tree names is told, once.
//!
//! What happens is noticed from the feed, or by looking (a silent host, a missing review); it waits here until it is said, or
//! until somebody else has said it. A message is sent only when the log holds that its sending has begun, and begun by this
//! process: so a crash at any moment leaves a message that nobody knows of, and never two.
//!
//! | module | is about |
//! |---|---|
//! | `noticing` | what happened, from the feed or by looking |
//! | `cover` | whether that is an incident, how bad it is, and who is told |
//! | `saying` | what waits is said, in its order |
//! | `calling` | who is told next, and messages that may be sent |

mod calling;
mod cover;
mod noticing;
mod saying;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{Action, Scheduler, plus_ms};
use crate::envelope::Envelope;
use crate::event::{Call, IncidentEvent, IncidentNotificationEnded, ReviewEvent, Trouble};
use crate::ids::StreamId;
use crate::incident::calls::SENDING_MS;
use crate::incident::{DEFAULT_TREE, Incident, Seen};
use crate::review::Review;

pub use calling::SENDERS;
pub(super) use cover::Trees;

/// By which events it is told that a run went wrong: what a scheduler that starts looks for.
pub const SUSPECT: [&str; 6] =
    ["run.failed", "run.timed-out", "run.missed", "run.lost", "run.gathered", "run.late"];
/// By which events it is told that something is wrong with the log itself: a scheduler that starts looks for them too.
pub const OF_THE_LOG: [&str; 3] = ["log.contradicted", "log.continued", "log.examined"];
/// How often something is said again that the log refused; then it is let go.
const TRIES: u32 = 5;
/// How long a message waits for others to the same contact, milliseconds.
const GATHER_MS: i64 = 1_000;
/// How often hosts and reviews are looked at, milliseconds.
const LOOK_MS: i64 = 10_000;
/// After how long without the log an incident is made of that, milliseconds: five minutes.
const STALLED_MS: i64 = 300_000;

/// The newest incident of something.
#[derive(Debug)]
struct Known {
    incident: Incident,
    version: u64,
    /// When it is to be looked at.
    look: Option<Timestamp>,
    /// How often the log refused what was said of it, since its newest event.
    refused: u32,
}

/// What is to be said of something.
#[derive(Debug, Clone)]
enum Word {
    /// This happened.
    Trouble(Trouble, Timestamp),
    /// It is over: how that is known, and what of it.
    Cleared(String, Over),
    /// This became of a message.
    Ended(StreamId, IncidentNotificationEnded),
}

/// What is over.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Over {
    /// A run that ended well ends what happened before it was there, and what was said of itself.
    Run(StreamId, Timestamp),
    /// The dataset is protected.
    Dataset,
    /// The host is heard.
    Host,
    /// A night was reviewed.
    Review,
    /// The contact was told in this way.
    Call(Call),
}

impl Over {
    /// Whether what happened last is over by this.
    fn ends(&self, seen: &Seen) -> bool {
        match (self, &seen.trouble) {
            (Self::Run(run, created), trouble) => {
                trouble.run().is_some_and(|of| of == run || seen.at <= *created)
            }
            (Self::Dataset, Trouble::DatasetAtRisk { .. })
            | (Self::Host, Trouble::HostSilent { .. })
            | (Self::Review, Trouble::ReviewMissing { .. }) => true,
            (Self::Call(call), Trouble::NotificationFailed { contact, by, .. }) => {
                call.contact == *contact && call.by == *by
            }
            (_, _) => false,
        }
    }
}

/// Words that wait to be said of one thing.
#[derive(Debug, Default)]
struct Waiting {
    /// Since when each waits.
    words: VecDeque<(Timestamp, Word)>,
    refused: u32,
    not_before: Option<Timestamp>,
}

/// A message that may be sent: the log holds that its sending has begun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Begun {
    incident: StreamId,
    step: u32,
    call: u32,
    link: String,
}

/// One incident in a message.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The incident, as it is now.
    pub incident: Incident,
    /// The step.
    pub step: u32,
    /// Which of its calls, from 1.
    pub call: u32,
    /// The word of the link by which it is acknowledged.
    pub link: String,
}

/// A message to be sent, about one incident or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// To whom, and how.
    pub call: Call,
    /// About what; never empty.
    pub about: Vec<About>,
}

/// What a scheduler knows of incidents.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    known: BTreeMap<StreamId, Known>,
    waiting: BTreeMap<StreamId, Waiting>,
    begun: BTreeMap<Call, (Timestamp, Vec<Begun>)>,
    /// Messages that were given away to be sent, and when: one at a time to a contact, by one way.
    flying: BTreeMap<Call, Timestamp>,
    /// Until when the newest review of nights is.
    reviewed: Option<Timestamp>,
    looked: Option<Timestamp>,
}

impl Scheduler {
    /// Takes an incident of the read model in; of one thing the newest counts.
    pub(super) fn put_incident(&mut self, incident: &Incident, version: u64, now: Timestamp) {
        let known = self.incidents.known.get(&incident.of);
        let newer = known.is_none_or(|known| {
            (known.incident.number, known.version) < (incident.number, version)
        });
        if newer {
            let known = Known { incident: incident.clone(), version, look: Some(now), refused: 0 };
            self.incidents.known.insert(incident.of.clone(), known);
            self.note_loaded(incident, now);
        }
    }

    pub(super) fn put_review(&mut self, review: &Review) {
        self.incidents.reviewed = review.since();
    }

    /// Takes an event of a review in. Whether somebody has looked at who may do what opens no incident.
    pub(super) fn apply_review(&mut self, event: &ReviewEvent) {
        if let ReviewEvent::ReviewSigned(e) = event {
            self.incidents.reviewed = self.incidents.reviewed.max(Some(e.until));
        }
    }

    /// Takes an event of an incident in.
    pub(super) fn apply_incident(
        &mut self,
        envelope: &Envelope,
        event: &IncidentEvent,
        received: Timestamp,
    ) {
        let id = &envelope.subject;
        self.pending.remove(id);
        let (Some((of, number)), actor) = (id.incident_parts(), envelope.actor.as_deref()) else {
            return;
        };
        let known = self.incidents.known.get(&of).map(|k| (k.incident.number, k.version));
        if known.is_some_and(|known| known >= (number, envelope.version)) {
            return;
        }
        let before = self.incidents.known.remove(&of).filter(|k| k.incident.number == number);
        let incident = match before {
            Some(known) => Some(known.incident.evolve(event, received, actor)),
            None => Incident::begin(id, event, received, actor),
        };
        let Some(incident) = incident else { return };
        self.note_ending(&incident, event, received);
        if let IncidentEvent::IncidentNotificationBegun(e) = event {
            self.note_begun_call(&incident, e, received);
        }
        let (version, look) = (envelope.version, Some(received));
        let known = Known { incident, version, look, refused: 0 };
        self.incidents.known.insert(of, known);
    }

    /// When something is to be done about incidents next.
    pub(super) fn next_incident(&self) -> Option<Timestamp> {
        if !self.settings.incidents {
            return None;
        }
        let turn = |of: &StreamId, since: Timestamp| {
            plus_ms(since, self.peers.before_me(of) * self.settings.grace_ms)
        };
        let waiting = self.incidents.waiting.iter().filter_map(|(of, waiting)| {
            let (since, _) = waiting.words.front().filter(|_| !self.is_said_of(of))?;
            Some(turn(of, *since).max(waiting.not_before.unwrap_or(*since)))
        });
        let known = self.incidents.known.iter();
        let looks = known.filter_map(|(of, known)| Some(turn(of, known.look?)));
        let begun = self.incidents.begun.iter().map(|(call, (since, _))| {
            let busy = self.incidents.flying.get(call).map(|at| plus_ms(*at, SENDING_MS));
            plus_ms(*since, GATHER_MS).max(busy.unwrap_or(*since))
        });
        let looked = self.site.tree(DEFAULT_TREE).map(|_| match self.incidents.looked {
            Some(at) => plus_ms(at, LOOK_MS),
            None => Timestamp::MIN,
        });
        waiting.chain(looks).chain(begun).chain(looked).min()
    }

    /// Whether something about this thing is on its way to the log.
    fn is_said_of(&self, of: &StreamId) -> bool {
        let number = self.incidents.known.get(of).map_or(0, |known| known.incident.number);
        let mut ids = [number, number + 1].into_iter().map(|n| StreamId::incident(of, n));
        ids.any(|id| self.pending.contains_key(&id))
    }

    /// Says what is to be said of incidents, and sends what is to be sent.
    pub(super) fn tick_incidents(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.settings.incidents {
            return;
        }
        self.look_around(now);
        let most = actions.len() + self.settings.drafts_max;
        self.say_words(now, most, actions);
        self.call_people(now, most, actions);
        self.send_gathered(now, actions);
    }
}
