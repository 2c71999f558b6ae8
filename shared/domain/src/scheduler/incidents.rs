//! Incidents: what happened is said in the log, once; and whoever the call tree names is told, once.
//!
//! What happens is noticed from the feed, or by looking (a silent host, a missing review); it waits here until it is said, or
//! until somebody else has said it. A message is sent only when the log holds that its sending has begun, and begun by this
//! process: so a crash at any moment leaves a message that nobody knows of, and never two.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{Action, Scheduler, plus_ms};
use crate::canonical::Digest;
use crate::envelope::{Draft, Envelope};
use crate::event::{
    Call, Event, IncidentCleared, IncidentEvent, IncidentNotificationBegun,
    IncidentNotificationEnded, IncidentOpened, IncidentRecurred, RunEvent, Sent, Severity, Trouble,
};
use crate::ids::{StreamId, StreamType};
use crate::incident::calls::{Next, SENDING_MS, next};
use crate::incident::words::BAD_STATES;
use crate::incident::{CallTreeDefinition, DEFAULT_TREE, Incident};
use crate::review::{MISSING_MS, Review};
use crate::run::{Outcome, Run};

/// How often something is said again that the log refused; then it is let go.
const TRIES: u32 = 5;
/// How far behind this clock something is said to have been noticed by looking: the recorder's may be behind it.
const SKEW_MS: i64 = 2_000;
/// How long a message waits for others to the same contact, milliseconds.
const GATHER_MS: i64 = 1_000;
/// How often hosts and reviews are looked at, milliseconds.
const LOOK_MS: i64 = 10_000;
/// After how long without the log an incident is made of that, milliseconds: five minutes.
pub const STALLED_MS: i64 = 300_000;

/// The newest incident of something.
#[derive(Debug)]
struct Known {
    incident: Incident,
    version: u64,
    /// When it is to be looked at.
    look: Option<Timestamp>,
}

/// What is to be said of something.
#[derive(Debug, Clone)]
enum Word {
    /// This happened.
    Trouble(Trouble, Timestamp),
    /// It is over.
    Cleared(String),
    /// This became of a message.
    Ended(StreamId, IncidentNotificationEnded),
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
    pub(super) review: Option<Review>,
    looked: Option<Timestamp>,
}

/// How bad something is, who is told, and since when that holds.
struct Cover {
    severity: Severity,
    tree: Option<String>,
    since: Timestamp,
}

/// The word of a link: nobody guesses it who does not know the secret.
fn link_word(secret: &[u8; 32], incident: &StreamId, step: u32, call: u32) -> String {
    let text = format!("{incident} {step} {call}");
    let digest = Digest::of(&[secret.as_slice(), text.as_bytes()].concat());
    digest.to_string().chars().take(32).collect()
}

impl Scheduler {
    /// Takes an incident of the read model in; of one thing the newest counts.
    pub(super) fn put_incident(&mut self, incident: &Incident, version: u64, now: Timestamp) {
        let known = self.incidents.known.get(&incident.of);
        let newer = known.is_none_or(|known| {
            (known.incident.number, known.version) < (incident.number, version)
        });
        if newer {
            let known = Known { incident: incident.clone(), version, look: Some(now) };
            self.incidents.known.insert(incident.of.clone(), known);
        }
    }

    pub(super) fn put_review(&mut self, review: Review) {
        self.incidents.review = Some(review);
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
        let known = Known { incident, version: envelope.version, look: Some(received) };
        self.incidents.known.insert(of, known);
    }

    /// That a message could not be sent is an incident of its own; but not one after the other.
    fn note_ending(&mut self, incident: &Incident, event: &IncidentEvent, received: Timestamp) {
        if incident.of.stream_type() == StreamType::CallTree {
            return;
        }
        if let IncidentEvent::IncidentEscalated(_) = event {
            return self.note_silence(incident, received);
        }
        let IncidentEvent::IncidentNotificationEnded(e) = event else { return };
        let step = incident.step(e.step);
        let (Some(state), Some(tree)) = (step.and_then(|s| s.call(e.call)), &incident.tree) else {
            return;
        };
        let tree = StreamId::thing(crate::site::ThingKind::CallTree, tree);
        match &e.sent {
            Sent::Taken {} => self.clear_call(&tree, &state.call, received),
            Sent::Failed { message } | Sent::Unknown { message } => {
                let (contact, by) = (state.call.contact.clone(), state.call.by);
                let (incident, message) = (incident.id(), message.clone());
                let trouble = Trouble::NotificationFailed { incident, contact, by, message };
                self.notice(tree, trouble, received, received);
            }
        }
    }

    /// Nobody has begun to send what the level before was to be told: no scheduler tells anybody.
    fn note_silence(&mut self, incident: &Incident, received: Timestamp) {
        let mut levels = incident.steps.iter().rev().filter(|step| step.is_level()).skip(1);
        let unsent = levels.next().and_then(|step| step.calls.iter().find(|c| c.begun.is_none()));
        if let (Some(state), Some(tree)) = (unsent, &incident.tree) {
            let (contact, by) = (state.call.contact.clone(), state.call.by);
            let message = "no scheduler has sent it: none has a section notify".to_owned();
            let incident = incident.id();
            let trouble = Trouble::NotificationFailed { incident, contact, by, message };
            let tree = StreamId::thing(crate::site::ThingKind::CallTree, tree);
            self.notice(tree, trouble, received, received);
        }
    }

    /// A message of the same way to the same contact was taken.
    fn clear_call(&mut self, tree: &StreamId, call: &Call, now: Timestamp) {
        let known = self.incidents.known.get(tree);
        let newest = known.and_then(|known| known.incident.troubles.last());
        let same = newest.is_some_and(|seen| {
            matches!(&seen.trouble, Trouble::NotificationFailed { contact, by, .. } if *contact == call.contact && *by == call.by)
        });
        if same {
            let reason = format!("{} was told by {} again", call.contact, call.by.word());
            self.clear(tree, reason, now);
        }
    }

    /// Something happened; `at` is when the log learnt of it.
    pub(super) fn notice(&mut self, of: StreamId, trouble: Trouble, at: Timestamp, now: Timestamp) {
        if !self.settings.incidents {
            return;
        }
        let waiting = self.incidents.waiting.entry(of).or_default();
        let same = |word: &Word| matches!(word, Word::Trouble(t, a) if *t == trouble && *a == at);
        if waiting.words.iter().any(|(_, word)| same(word)) {
            return;
        }
        // In the order of the log: what was said of later things would hide what is said of earlier ones.
        let later = |word: &Word| matches!(word, Word::Trouble(_, a) if *a > at);
        let place = waiting.words.iter().position(|(_, word)| later(word));
        let place = place.unwrap_or(waiting.words.len());
        waiting.words.insert(place, (now, Word::Trouble(trouble, at)));
    }

    /// Something is over, where an incident of it goes on.
    pub(super) fn clear(&mut self, of: &StreamId, reason: String, now: Timestamp) {
        let goes_on = |known: &Known| known.incident.is_open() && known.incident.cleared.is_none();
        let known = self.incidents.known.get(of).is_some_and(goes_on);
        let waits = self.incidents.waiting.contains_key(of);
        if known || waits {
            let waiting = self.incidents.waiting.entry(of.clone()).or_default();
            waiting.words.push_back((now, Word::Cleared(reason)));
        }
    }

    /// Notices what an event of a run means.
    pub(super) fn notice_run(&mut self, run: &Run, event: &RunEvent, received: Timestamp) {
        if run.part_of.is_some() {
            return;
        }
        if let RunEvent::RunLate(late) = event {
            let trouble = Trouble::Late { run: run.id.clone(), limit: late.limit };
            return self.notice(StreamId::job(&run.job), trouble, received, received);
        }
        self.notice_end(run, received);
    }

    fn notice_end(&mut self, run: &Run, now: Timestamp) {
        let (of, state) = (StreamId::job(&run.job), run.state.word());
        // Who said how it ended has looked at it.
        if BAD_STATES.contains(&state) && run.resolution.is_none() {
            let (run_id, asked_by) = (run.id.clone(), run.asked_by.clone());
            let trouble = Trouble::Run { run: run_id, state: state.to_owned(), asked_by };
            return self.notice(of, trouble, run.changed, now);
        }
        if matches!(run.outcome(), Some(Outcome::Succeeded | Outcome::Warning)) {
            self.clear_runs(&of, run, now);
        }
    }

    /// A run that ended well ends the troubles of earlier ones.
    fn clear_runs(&mut self, of: &StreamId, run: &Run, now: Timestamp) {
        let known = self.incidents.known.get(of);
        let by_rule = known.is_none_or(|known| known.incident.by.is_none());
        if by_rule {
            self.clear(of, format!("run {} ended as it should", run.id.rest()), now);
        }
    }

    /// Whether an event of a run, of a time in which this scheduler may not have been there, is to be looked at: see
    /// [`Scheduler::examine`].
    pub fn is_suspect(&self, run: &StreamId, received: Timestamp) -> bool {
        let Some(job) = run.run_job().filter(|_| run.part().is_none()) else { return false };
        let of = StreamId::job(job);
        let known = self.incidents.known.get(&of);
        let seen = known.is_some_and(|known| known.incident.is_heard(received));
        !seen && self.cover(&of).is_some_and(|cover| cover.since <= received)
    }

    /// Looks at a run as the log has it, for what nobody may have noticed.
    pub fn examine(&mut self, run: &Run, now: Timestamp) {
        for late in &run.late {
            // When the log learnt of it is not kept: what is known of the run is later.
            let trouble = Trouble::Late { run: run.id.clone(), limit: late.limit };
            let of = StreamId::job(&run.job);
            let known = self.incidents.known.get(&of);
            let said = known.is_some_and(|known| {
                known.incident.troubles.iter().any(|seen| seen.trouble == trouble)
            });
            if !said {
                self.notice(of, trouble, run.changed, now);
            }
        }
        if BAD_STATES.contains(&run.state.word()) {
            self.notice_end(run, now);
        }
    }

    /// The log could not be reached in this time.
    pub fn was_cut_off(&mut self, since: Timestamp, until: Timestamp) {
        if until.as_millisecond() - since.as_millisecond() >= STALLED_MS {
            let at = plus_ms(until, -SKEW_MS);
            let trouble = Trouble::LogStalled { since, until: at };
            self.notice(StreamId::log("main"), trouble, at, until);
        }
    }

    /// What became of a message.
    pub fn sent(&mut self, about: &About, sent: &Sent, now: Timestamp) {
        let (of, id) = (about.incident.of.clone(), about.incident.id());
        let (step, call) = (about.step, about.call);
        let ended = IncidentNotificationEnded { step, call, sent: sent.clone() };
        let waiting = self.incidents.waiting.entry(of).or_default();
        waiting.words.push_back((now, Word::Ended(id, ended)));
    }

    /// Whether failures of this are incidents, how bad they are, and who is told.
    fn cover(&self, of: &StreamId) -> Option<Cover> {
        let tree = |name: &str| self.site.tree(name).map(|(tree, since)| (tree.severity, since));
        match of.stream_type() {
            StreamType::Job => self.cover_of_job(of.rest()),
            StreamType::CallTree => {
                let (_, since) = tree(of.rest())?;
                let tree = Some(of.rest().to_owned());
                Some(Cover { severity: Severity::Major, tree, since })
            }
            StreamType::Run
            | StreamType::Host
            | StreamType::User
            | StreamType::Log
            | StreamType::Calendar
            | StreamType::Blackout
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Dataset
            | StreamType::Repository
            | StreamType::Queue
            | StreamType::Form
            | StreamType::Document
            | StreamType::Review
            | StreamType::Incident => {
                let (severity, since) = tree(DEFAULT_TREE)?;
                Some(Cover { severity, tree: Some(DEFAULT_TREE.to_owned()), since })
            }
        }
    }

    fn cover_of_job(&self, job: &str) -> Option<Cover> {
        let entry = self.jobs.get(job)?;
        let newest = entry.active().or(entry.definitions.last())?;
        let rule = newest.read().ok()?.on_failure;
        let default = self.site.tree(DEFAULT_TREE);
        if rule.is_empty() && default.is_none() {
            return None;
        }
        let name = rule.call_tree.clone().or(default.map(|_| DEFAULT_TREE.to_owned()));
        let tree = name.as_deref().and_then(|name| self.site.tree(name));
        let severity = match rule.severity {
            Some(weight) => weight.severity()?,
            None => tree.map_or(Severity::Major, |(tree, _)| tree.severity),
        };
        let since = if rule.is_empty() {
            default.map(|(_, since)| since)?
        } else {
            since_rule(&entry.definitions)
        };
        Some(Cover { severity, tree: name.filter(|_| tree.is_some()), since })
    }

    /// When something is to be done about incidents next.
    pub(super) fn next_incident(&self) -> Option<Timestamp> {
        let turn = |of: &StreamId, since: Timestamp| {
            plus_ms(since, self.peers.before_me(of) * self.settings.grace_ms)
        };
        let waiting = self.incidents.waiting.iter().filter_map(|(of, waiting)| {
            let (since, _) = waiting.words.front().filter(|_| !self.is_said_of(of))?;
            Some(turn(of, *since).max(waiting.not_before.unwrap_or(*since)))
        });
        let known = self.incidents.known.iter();
        let looks = known.filter_map(|(of, known)| Some(turn(of, known.look?)));
        let begun = self.incidents.begun.values().map(|(since, _)| plus_ms(*since, GATHER_MS));
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
        self.look_around(now);
        let most = actions.len() + self.settings.drafts_max;
        self.say_words(now, most, actions);
        self.call_people(now, most, actions);
        self.send_gathered(now, actions);
    }

    /// Hosts that are silent, and reviews that are missing.
    fn look_around(&mut self, now: Timestamp) {
        let due = self.incidents.looked.is_none_or(|at| plus_ms(at, LOOK_MS) <= now);
        let Some((tree, _)) = self.site.tree(DEFAULT_TREE).filter(|_| due) else { return };
        let silent_ms = i64::try_from(tree.host_silent_after.millis()).unwrap_or(i64::MAX);
        self.incidents.looked = Some(now);
        self.look_for_hosts(silent_ms, now);
        let since = self.incidents.review.as_ref().and_then(Review::since);
        let of = crate::review::stream();
        let Some(since) = since else { return };
        let missing = plus_ms(since, MISSING_MS);
        if missing <= plus_ms(now, -SKEW_MS) {
            self.notice_state(of, Trouble::ReviewMissing { since }, missing, now);
        } else {
            self.clear(&of, "a night was reviewed".to_owned(), now);
        }
    }

    fn look_for_hosts(&mut self, silent_ms: i64, now: Timestamp) {
        let Some(listening) = self.listening_since else { return };
        let mut silent = Vec::new();
        let mut heard = Vec::new();
        for (name, entry) in &self.site.hosts {
            let there = entry.host.up && entry.host.drained.is_none();
            let known = entry.host.since.unwrap_or(listening).max(listening);
            let since = entry.heard.map_or(known, |at| at.max(known));
            let late = plus_ms(since, silent_ms);
            if there && late <= plus_ms(now, -SKEW_MS) {
                silent.push((StreamId::host(name), since, late));
            } else if !there || entry.heard.is_some_and(|at| at >= known) {
                heard.push(StreamId::host(name));
            }
        }
        for (of, since, late) in silent {
            self.notice_state(of, Trouble::HostSilent { since: to_second(since) }, late, now);
        }
        for of in heard {
            self.clear(&of, "the host is heard, or is not to be".to_owned(), now);
        }
    }

    /// Something that is so until it is not: said once.
    fn notice_state(&mut self, of: StreamId, trouble: Trouble, at: Timestamp, now: Timestamp) {
        let known = self.incidents.known.get(&of).map(|known| &known.incident);
        let goes_on = known.is_some_and(|known| known.is_open() && known.cleared.is_none());
        let seen = known.is_some_and(|known| known.has_seen(&trouble, at));
        if !goes_on && !seen && !self.incidents.waiting.contains_key(&of) {
            self.notice(of, trouble, at, now);
        }
    }

    /// Datasets tell by themselves whether they are at risk.
    pub(super) fn notice_dataset(
        &mut self,
        of: &StreamId,
        at_risk: Option<Timestamp>,
        now: Timestamp,
    ) {
        match at_risk {
            Some(since) => {
                self.notice_state(of.clone(), Trouble::DatasetAtRisk { since }, since, now);
            }
            None => self.clear(of, "the dataset is protected again".to_owned(), now),
        }
    }

    fn say_words(&mut self, now: Timestamp, most: usize, actions: &mut Vec<Action>) {
        let names: Vec<StreamId> = self.incidents.waiting.keys().cloned().collect();
        for of in names {
            if actions.len() >= most {
                return;
            }
            if let Some((draft, since)) = self.next_word(&of, now) {
                let busy = self.pending.contains_key(&draft.stream)
                    || actions
                        .iter()
                        .any(|a| matches!(a, Action::Append(d) if d.stream == draft.stream));
                if !busy && self.wait_for_turn(&of, since, now).is_none() {
                    actions.push(Action::Append(draft));
                }
            }
        }
    }

    /// The next of what is to be said of something; what is said already, or concerns nobody, is let go.
    fn next_word(&mut self, of: &StreamId, now: Timestamp) -> Option<(Draft, Timestamp)> {
        loop {
            let waiting = self.incidents.waiting.get(of)?;
            if waiting.not_before.is_some_and(|at| at > now) {
                return None;
            }
            let Some((since, word)) = waiting.words.front().cloned() else {
                self.incidents.waiting.remove(of);
                return None;
            };
            match self.draft_of(of, &word) {
                Some(draft) => return Some((draft, since)),
                None => self.let_go(of),
            }
        }
    }

    fn let_go(&mut self, of: &StreamId) {
        if let Some(waiting) = self.incidents.waiting.get_mut(of) {
            waiting.words.pop_front();
            (waiting.refused, waiting.not_before) = (0, None);
        }
    }

    fn draft_of(&self, of: &StreamId, word: &Word) -> Option<Draft> {
        let known = self.incidents.known.get(of);
        let open = known.filter(|known| known.incident.is_open());
        match word {
            Word::Trouble(trouble, at) => {
                let cover = self.cover(of).filter(|cover| cover.since <= *at)?;
                if known.is_some_and(|known| known.incident.has_seen(trouble, *at)) {
                    return None;
                }
                let (severity, trouble, at) = (cover.severity, trouble.clone(), *at);
                Some(match open {
                    Some(known) => {
                        let event = IncidentRecurred { severity, trouble, at };
                        Draft::new(known.incident.id(), known.version + 1, event)
                    }
                    None => {
                        let number = known.map_or(1, |known| known.incident.number + 1);
                        let event = IncidentOpened { severity, trouble, at, tree: cover.tree };
                        Draft::new(StreamId::incident(of, number), 1, event)
                    }
                })
            }
            Word::Cleared(reason) => {
                let known = open.filter(|known| known.incident.cleared.is_none())?;
                let event = IncidentCleared { reason: reason.clone() };
                Some(Draft::new(known.incident.id(), known.version + 1, event))
            }
            Word::Ended(id, ended) => {
                let known = known.filter(|known| known.incident.id() == *id)?;
                let call = known.incident.step(ended.step)?.call(ended.call)?;
                call.ended
                    .is_none()
                    .then(|| Draft::new(id.clone(), known.version + 1, ended.clone()))
            }
        }
    }

    fn call_people(&mut self, now: Timestamp, most: usize, actions: &mut Vec<Action>) {
        let due = |known: &Known| known.look.is_some_and(|at| at <= now);
        let all = self.incidents.known.iter().filter(|(_, known)| due(known));
        let names: Vec<StreamId> = all.map(|(of, _)| of.clone()).collect();
        for of in names {
            if actions.len() >= most {
                return;
            }
            let look = self.look_at_incident(&of, now, actions);
            if let Some(known) = self.incidents.known.get_mut(&of) {
                known.look = look;
            }
        }
    }

    /// Acts on one incident and says when to look again.
    fn look_at_incident(
        &self,
        of: &StreamId,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Option<Timestamp> {
        let known = self.incidents.known.get(of)?;
        let id = known.incident.id();
        let said = |action: &Action| matches!(action, Action::Append(d) if d.stream == id);
        if self.pending.contains_key(&id) || actions.iter().any(said) {
            return Some(plus_ms(now, 1_000));
        }
        let mut again: Option<Timestamp> = None;
        let mut say = |since: Timestamp, event: Event| match self.wait_for_turn(of, since, now) {
            Some(until) => Some(until),
            None => {
                actions.push(Action::Append(Draft::new(id.clone(), known.version + 1, event)));
                Some(plus_ms(now, super::PENDING_MS_MAX))
            }
        };
        if let Some((since, ended)) = lost_call(&known.incident) {
            if since <= now {
                return say(since, IncidentEvent::IncidentNotificationEnded(ended).into());
            }
            again = Some(since);
        }
        if let Some((since, begun)) = self.first_unsent(&known.incident) {
            return say(since, IncidentEvent::IncidentNotificationBegun(begun).into());
        }
        let next = match self.next_call(&known.incident, now) {
            Next::Nothing => None,
            Next::At(at) => Some(at),
            Next::Escalate(since, event) => say(since, event.into()),
        };
        again.into_iter().chain(next).min()
    }

    fn next_call(&self, incident: &Incident, now: Timestamp) -> Next {
        let tree = incident.tree.as_deref().and_then(|name| self.site.tree_version(name));
        let Some((tree, number)) = tree else { return Next::Nothing };
        let names = tree.names();
        let almanac = self.schedules.calendars.almanac(&names, Timestamp::MAX);
        // Without its calendars nobody is on holiday.
        let almanac = almanac.map(|(almanac, _)| almanac).unwrap_or_default();
        next(incident, (tree, number), &almanac, now)
    }

    /// The first message that nobody has begun to send, where this scheduler sends any.
    fn first_unsent(&self, incident: &Incident) -> Option<(Timestamp, IncidentNotificationBegun)> {
        let secret = self.settings.link_secret.as_ref()?;
        let (step, call, _) = incident.unsent().next()?;
        let since = incident.step(step)?.at;
        let word = link_word(secret, &incident.id(), step, call);
        let link = Digest::of(word.as_bytes());
        Some((since, IncidentNotificationBegun { step, call, link }))
    }

    /// A message may be sent where this process has begun it: nobody else knows its link.
    fn note_begun_call(
        &mut self,
        incident: &Incident,
        e: &IncidentNotificationBegun,
        now: Timestamp,
    ) {
        let Some(secret) = &self.settings.link_secret else { return };
        let id = incident.id();
        let link = link_word(secret, &id, e.step, e.call);
        let state = incident.step(e.step).and_then(|step| step.call(e.call));
        let Some(state) = state.filter(|_| Digest::of(link.as_bytes()) == e.link) else { return };
        let begun = Begun { incident: id, step: e.step, call: e.call, link };
        let entry = self.incidents.begun.entry(state.call.clone()).or_insert((now, Vec::new()));
        entry.1.push(begun);
    }

    /// Messages to the same contact by the same way go as one.
    fn send_gathered(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let ready = |since: Timestamp| plus_ms(since, GATHER_MS) <= now;
        let calls: Vec<Call> = self
            .incidents
            .begun
            .iter()
            .filter(|(_, (since, _))| ready(*since))
            .map(|(call, _)| call.clone())
            .collect();
        for call in calls {
            let Some((_, begun)) = self.incidents.begun.remove(&call) else { continue };
            let about: Vec<About> = begun.into_iter().filter_map(|one| self.about(one)).collect();
            if !about.is_empty() {
                actions.push(Action::Send(Box::new(Outgoing { call, about })));
            }
        }
    }

    fn about(&self, begun: Begun) -> Option<About> {
        let (of, number) = begun.incident.incident_parts()?;
        let known = self.incidents.known.get(&of).filter(|k| k.incident.number == number)?;
        let incident = known.incident.clone();
        Some(About { incident, step: begun.step, call: begun.call, link: begun.link })
    }

    /// The log refused what was said of an incident, or it could not be brought there.
    pub(super) fn incident_failed(&mut self, id: &StreamId, refused: bool, at: Timestamp) {
        let Some((of, _)) = id.incident_parts() else { return };
        if let Some(known) = self.incidents.known.get_mut(&of) {
            known.look = Some(at);
        }
        let Some(waiting) = self.incidents.waiting.get_mut(&of) else { return };
        waiting.not_before = Some(at);
        waiting.refused += u32::from(refused);
        if waiting.refused >= TRIES {
            self.let_go(&of);
        }
    }

    /// Whether it is to be known beforehand that a run will not end in time.
    pub(super) fn is_foreseen(&self, run: &Run) -> bool {
        let asks = self.settings.incidents && run.terms.deadlines.finish_by.is_some();
        asks && self.pasts.ended(&run.job).is_none() && self.cover_of_job(&run.job).is_some()
    }

    /// What a scheduler thinks will happen to a run that has to end by an instant; and when to look again.
    pub(super) fn foresee(&mut self, run: &Run, now: Timestamp) -> Option<Timestamp> {
        let by = run.terms.deadlines.finish_by.filter(|by| *by > now)?;
        if run.state.is_ended() || run.part_of.is_some() {
            return None;
        }
        let half = crate::job::LengthLimit::Percentile(50);
        let (usual_ms, from) = self.pasts.limit(&run.job, half)?;
        let usual = i64::try_from(usual_ms).ok().filter(|_| from > 0)?;
        let began = run.attempt().filter(|_| run.is_running()).map(|attempt| attempt.started);
        // What has not begun by then cannot end in time.
        let latest = plus_ms(by, -usual);
        let late = began.map_or(latest <= now, |began| began > latest);
        if !late {
            return began.is_none().then_some(latest);
        }
        let of = StreamId::job(&run.job);
        let at = began.unwrap_or(latest).max(run.created);
        let trouble = Trouble::WillBeLate { run: run.id.clone(), by, usual_ms };
        let known = self.incidents.known.get(&of);
        if !known.is_some_and(|known| known.incident.has_seen(&trouble, at)) {
            self.notice(of, trouble, at.min(plus_ms(now, -SKEW_MS)).max(run.created), now);
        }
        None
    }

    /// The newest incidents, for the simulation's invariants.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.known.values().map(|known| &known.incident)
    }
}

/// Since when every definition of a job says what becomes of its failures.
fn since_rule(definitions: &[super::Definition]) -> Timestamp {
    let says = |one: &&super::Definition| one.read().is_ok_and(|d| !d.on_failure.is_empty());
    let last = definitions.iter().rev().take_while(says).last();
    last.map_or(Timestamp::MAX, |one| one.from)
}

/// A message that is on its way for too long: nobody knows what became of it.
fn lost_call(incident: &Incident) -> Option<(Timestamp, IncidentNotificationEnded)> {
    let steps = incident.steps.iter();
    let calls =
        steps.flat_map(|step| (1..).zip(&step.calls).map(|(n, call)| (step.number, n, call)));
    let lost = calls.filter_map(|(step, call, state)| {
        let (begun, _) = state.begun.filter(|_| state.ended.is_none())?;
        Some((plus_ms(begun, SENDING_MS), step, call))
    });
    let (since, step, call) = lost.min()?;
    let message = "whoever sent it was not heard of again".to_owned();
    Some((since, IncidentNotificationEnded { step, call, sent: Sent::Unknown { message } }))
}

fn to_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The active call trees of a site, by name: each with the number of its definition, and since when there is one.
#[derive(Debug, Default)]
pub(super) struct Trees(BTreeMap<String, (CallTreeDefinition, u32, Timestamp)>);

impl Trees {
    pub(super) fn put(&mut self, name: &str, tree: Option<(CallTreeDefinition, u32, Timestamp)>) {
        self.0.remove(name);
        self.0.extend(tree.map(|tree| (name.to_owned(), tree)));
    }

    pub(super) fn get(&self, name: &str) -> Option<&(CallTreeDefinition, u32, Timestamp)> {
        self.0.get(name)
    }
}
