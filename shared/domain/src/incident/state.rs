//! An incident, as its events tell it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::event::{
    Because, Call, IncidentEvent, IncidentNotificationBegun, IncidentNotificationEnded,
    IncidentOpened, Sent, Severity, Trouble,
};
use crate::ids::StreamId;

/// How many of what happened are remembered; older ones stay in the log.
const TROUBLES_KEPT: usize = 50;
/// How many steps are remembered.
const STEPS_KEPT: usize = 20;
/// How many words of people are remembered.
const SAID_KEPT: usize = 100;

/// A failure that somebody must deal with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// What it is about.
    pub of: StreamId,
    /// Which of that, from 1.
    pub number: u32,
    /// How bad it is: the worst of what happened.
    pub severity: Severity,
    /// The call tree by which people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who opened it, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What happened, oldest first: the first, and the newest.
    pub troubles: Vec<Seen>,
    /// Until when the log was heard: what it learnt of earlier was seen. Only what events tell counts, not what was noticed by
    /// somebody's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// How much happened.
    pub count: u32,
    /// Who was told, oldest first: the newest steps.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// How many steps there were.
    #[serde(default)]
    pub steps_count: u32,
    /// The round in which people were called from the first level on, the last time that they were.
    #[serde(default)]
    pub first_round: u32,
    /// Links of messages up to this step are spent.
    #[serde(default)]
    pub links_after: u32,
    /// Why people are called from the first level on, and since when, where no step was made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anew: Option<(Because, Timestamp)>,
    /// Who deals with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Said>,
    /// How it was over by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<Said>,
    /// Why it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What was done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Said>,
    /// What people said, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// Who caused it, as far as is known: they do not resolve it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub causers: BTreeSet<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What.
    pub trouble: Trouble,
    /// When the log learnt of it.
    pub at: Timestamp,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who; empty for a service.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// Why it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Why.
    pub text: String,
    /// The person who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<String>,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// People who were told at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub number: u32,
    /// Why they were told.
    pub kind: StepKind,
    /// When.
    pub at: Timestamp,
    /// What became of each.
    pub calls: Vec<CallState>,
}

/// Why people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// They are a level of the call tree.
    Level {
        /// How often the tree is gone through, from 1.
        round: u32,
        /// Which level, from 1.
        level: u32,
        /// Why.
        because: Because,
    },
    /// They are affected.
    Broadcast {
        /// What they are told.
        text: String,
        /// Who tells them.
        by: String,
    },
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallState {
    /// To whom, and how.
    pub call: Call,
    /// When its sending began, and the digest of its link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<(Timestamp, Digest)>,
    /// What became of it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Timestamp, Sent)>,
}

impl CallState {
    /// Whether another system has taken it.
    pub fn is_taken(&self) -> bool {
        matches!(self.ended, Some((_, Sent::Taken {})))
    }
}

impl Step {
    /// Whether it is a level of the call tree.
    pub fn is_level(&self) -> bool {
        matches!(self.kind, StepKind::Level { .. })
    }

    /// The call with this number, from 1.
    pub fn call(&self, number: u32) -> Option<&CallState> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.calls.get(index)
    }
}

/// Whether an event tells of it, at an instant of the log.
fn is_told(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Run { .. }
        | Trouble::Late { .. }
        | Trouble::DatasetAtRisk { .. }
        | Trouble::LogContradicted { .. }
        | Trouble::LogWeak { .. }
        | Trouble::LogContinued { .. }
        | Trouble::NotificationFailed { .. } => true,
        Trouble::WillBeLate { .. }
        | Trouble::HostSilent { .. }
        | Trouble::ReviewMissing { .. }
        | Trouble::LogStalled { .. }
        | Trouble::Reported { .. } => false,
    }
}

impl Incident {
    fn new(of: StreamId, number: u32, e: &IncidentOpened, at: Timestamp, by: Option<&str>) -> Self {
        let mut incident = Self {
            of,
            number,
            severity: e.severity,
            tree: e.tree.clone(),
            opened: at,
            by: by.map(str::to_owned),
            troubles: Vec::new(),
            heard: None,
            count: 0,
            steps: Vec::new(),
            steps_count: 0,
            first_round: 0,
            links_after: 0,
            anew: Some((Because::Opened, at)),
            acknowledged: None,
            cleared: None,
            cause: None,
            resolved: None,
            said: Vec::new(),
            causers: BTreeSet::new(),
        };
        incident.see(e.severity, &e.trouble, e.at);
        incident
    }

    /// The stream it stands in.
    pub fn id(&self) -> StreamId {
        StreamId::incident(&self.of, self.number)
    }

    /// Whether somebody still has to deal with it.
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    /// Whether it is open, and is not over by itself.
    pub fn goes_on(&self) -> bool {
        self.is_open() && self.cleared.is_none()
    }

    /// Whether people are called: nobody deals with it, and it goes on.
    pub fn is_calling(&self) -> bool {
        self.goes_on() && self.acknowledged.is_none()
    }

    /// The state in a word: `open`, `over`, `acknowledged` or `resolved`.
    pub fn word(&self) -> &'static str {
        match (&self.resolved, &self.acknowledged, &self.cleared) {
            (Some(_), _, _) => "resolved",
            (None, Some(_), _) => "acknowledged",
            (None, None, Some(_)) => "over",
            (None, None, None) => "open",
        }
    }

    /// Whether this was seen already.
    pub fn has_seen(&self, trouble: &Trouble, at: Timestamp) -> bool {
        if !is_told(trouble) {
            return self.troubles.iter().any(|seen| seen.trouble.is_same(trouble));
        }
        let once = matches!(trouble, Trouble::Run { .. } | Trouble::Late { .. });
        let same = |seen: &Seen| seen.trouble.is_same(trouble) && (once || seen.at == at);
        self.troubles.iter().any(same) || self.is_heard(at)
    }

    /// Whether what the log learnt of then was seen, or came to nothing.
    pub fn is_heard(&self, at: Timestamp) -> bool {
        self.heard.is_some_and(|heard| at < heard)
    }

    /// The newest step of the call tree.
    pub fn level(&self) -> Option<(&Step, u32, u32)> {
        self.steps.iter().rev().find_map(|step| match step.kind {
            StepKind::Level { round, level, .. } => Some((step, round, level)),
            StepKind::Broadcast { .. } => None,
        })
    }

    /// The step with this number.
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.iter().find(|step| step.number == number)
    }

    /// One message: the step it is of, and which of that one's, from 1.
    pub fn call(&self, step: u32, call: u32) -> Option<&CallState> {
        self.step(step)?.call(call)
    }

    /// Messages that nobody has begun to send, each with the numbers of its step and call; of levels only while people are
    /// called.
    pub fn unsent(&self) -> impl Iterator<Item = (u32, u32, &Call)> {
        let newest = self.level().map(|(step, ..)| step.number);
        let wanted = move |step: &&Step| match step.kind {
            StepKind::Level { .. } => self.is_calling() && Some(step.number) == newest,
            StepKind::Broadcast { .. } => true,
        };
        self.steps.iter().filter(wanted).flat_map(|step| {
            let unsent = (1..).zip(&step.calls).filter(|(_, state)| state.begun.is_none());
            unsent.map(|(number, state)| (step.number, number, &state.call))
        })
    }

    /// Which time people are called for the same, from 1: from the second on, louder.
    pub fn turn(&self, round: u32) -> u32 {
        round.saturating_sub(self.first_round.max(1)).saturating_add(1)
    }

    /// The call of a level whose link has this digest, and is not spent.
    pub fn linked(&self, link: Digest) -> Option<&CallState> {
        self.call_behind(link, self.links_after)
    }

    /// The same where it may be spent.
    pub fn was_linked(&self, link: Digest) -> Option<&CallState> {
        self.call_behind(link, 0)
    }

    fn call_behind(&self, link: Digest, after: u32) -> Option<&CallState> {
        let good = |step: &&Step| step.is_level() && step.number > after;
        let calls = self.steps.iter().filter(good).flat_map(|step| &step.calls);
        calls.into_iter().find(|call| call.begun.is_some_and(|(_, digest)| digest == link))
    }

    /// The first state of an incident.
    pub(crate) fn begin(
        id: &StreamId,
        event: &IncidentEvent,
        at: Timestamp,
        by: Option<&str>,
    ) -> Option<Self> {
        let (of, number) = id.incident_parts()?;
        let IncidentEvent::IncidentOpened(e) = event else { return None };
        Some(Self::new(of, number, e, at, by))
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &IncidentEvent, at: Timestamp, actor: Option<&str>) -> Self {
        let by = actor.unwrap_or_default().to_owned();
        let said = |text: &str| Some(Said { by: by.clone(), at, text: text.to_owned() });
        match event {
            IncidentEvent::IncidentOpened(_) => {}
            IncidentEvent::IncidentRecurred(e) => {
                let over = self.cleared.take().is_some();
                if over || (e.severity > self.severity && self.acknowledged.is_some()) {
                    self.call_anew(Because::Again, at);
                }
                self.tree = self.tree.take().or_else(|| e.tree.clone());
                self.see(e.severity, &e.trouble, e.at);
            }
            IncidentEvent::IncidentCleared(e) => self.cleared = said(&e.reason),
            IncidentEvent::IncidentEscalated(e) => {
                let kind = StepKind::Level { round: e.round, level: e.level, because: e.because };
                if matches!(e.because, Because::Opened | Because::Again | Because::Reopened) {
                    self.first_round = e.round;
                }
                self.anew = None;
                self.make_step(kind, &e.tell, at);
            }
            IncidentEvent::IncidentBroadcast(e) => {
                self.make_step(StepKind::Broadcast { text: e.text.clone(), by }, &e.tell, at);
            }
            IncidentEvent::IncidentNotificationBegun(e) => self.begin_call(e, at),
            IncidentEvent::IncidentNotificationEnded(e) => self.end_call(e, at),
            IncidentEvent::IncidentAcknowledged(e) => {
                self.acknowledged = said(&e.note);
                self.links_after = self.steps_count;
            }
            IncidentEvent::IncidentNoted(e) => self.say(said(&e.text)),
            IncidentEvent::IncidentCauseRecorded(e) => {
                self.causers.extend(e.caused_by.clone());
                let (text, caused_by) = (e.cause.clone(), e.caused_by.clone());
                self.cause = Some(Cause { text, caused_by, by, at });
            }
            IncidentEvent::IncidentResolved(e) => self.resolved = said(&e.action),
            IncidentEvent::IncidentReopened(e) => {
                let before = self.resolved.take();
                self.say(before);
                self.say(said(&e.reason));
                self.cleared = None;
                self.call_anew(Because::Reopened, at);
            }
        }
        self
    }

    /// People are called from the first level on; whoever dealt with it before has done so, and earlier links are spent.
    fn call_anew(&mut self, because: Because, at: Timestamp) {
        let before = self.acknowledged.take();
        self.say(before);
        self.links_after = self.steps_count;
        self.anew = Some((because, at));
    }

    fn say(&mut self, said: Option<Said>) {
        self.said.extend(said);
        let surplus = self.said.len().saturating_sub(SAID_KEPT);
        self.said.drain(..surplus);
    }

    fn see(&mut self, severity: Severity, trouble: &Trouble, at: Timestamp) {
        self.severity = self.severity.max(severity);
        self.count = self.count.saturating_add(1);
        if let Trouble::Run { asked_by: Some(by), .. } = trouble {
            self.causers.insert(by.clone());
        }
        if is_told(trouble) {
            self.heard = self.heard.max(Some(at));
        }
        self.troubles.push(Seen { trouble: trouble.clone(), at });
        if self.troubles.len() > TROUBLES_KEPT {
            self.troubles.remove(1);
        }
    }

    fn make_step(&mut self, kind: StepKind, tell: &[Call], at: Timestamp) {
        self.steps_count += 1;
        let call = |call: &Call| CallState { call: call.clone(), begun: None, ended: None };
        let calls = tell.iter().map(call).collect();
        self.steps.push(Step { number: self.steps_count, kind, at, calls });
        self.forget_a_step();
    }

    /// The newest level is never forgotten, and what is on its way only where all else is.
    fn forget_a_step(&mut self) {
        if self.steps.len() <= STEPS_KEPT {
            return;
        }
        let newest = self.level().map(|(step, ..)| step.number);
        let free = |step: &Step| Some(step.number) != newest;
        let over = |step: &Step| free(step) && step.calls.iter().all(|call| call.ended.is_some());
        let place = self.steps.iter().position(over);
        if let Some(place) = place.or_else(|| self.steps.iter().position(free)) {
            self.steps.remove(place);
        }
    }

    fn call_mut(&mut self, step: u32, call: u32) -> Option<&mut CallState> {
        let step = self.steps.iter_mut().find(|one| one.number == step)?;
        step.calls.get_mut(usize::try_from(call).ok()?.checked_sub(1)?)
    }

    fn begin_call(&mut self, e: &IncidentNotificationBegun, at: Timestamp) {
        if let Some(call) = self.call_mut(e.step, e.call) {
            call.begun = Some((at, e.link));
        }
    }

    fn end_call(&mut self, e: &IncidentNotificationEnded, at: Timestamp) {
        if let Some(call) = self.call_mut(e.step, e.call) {
            call.ended = Some((at, e.sent.clone()));
        }
    }
}
