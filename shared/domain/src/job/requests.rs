//! Changes, as people ask for them and speak of them: what was proposed, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::Versions;
use crate::canonical::Digest;
use crate::event::{ChangeEvent, ChangeExpedited, ChangeRatified, ChangeRejected};
use crate::ledger::{Policy, SKEW_MS_MAX, check_text, need};

/// How many changes of a thing are remembered; older ones stay in the log.
const KEPT: usize = 20;
/// Most comments on a change.
const COMMENTS_MAX: usize = 50;
/// The longest that somebody else may take to look at an emergency: 7 days.
pub const EXPEDITED_MS_MAX: i64 = 7 * 24 * 3_600 * 1_000;

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeRequest {
    /// Number of the definition.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// Who proposed it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// That it could not wait, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expedited: Option<Expedited>,
    /// What became of it.
    pub outcome: ChangeOutcome,
}

/// What somebody says of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// A change that could not wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expedited {
    /// Who said so.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// Until when somebody else has to have looked.
    pub until: Timestamp,
    /// What somebody else said of it, and when.
    pub looked: Option<Looked>,
}

/// What somebody else said of an emergency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether it was right.
    pub right: bool,
    /// Why.
    pub reason: String,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ChangeOutcome {
    /// It waits for somebody.
    Open,
    /// It became the active definition.
    Approved {
        /// By whom.
        by: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// Somebody else did not want it.
    Rejected {
        /// Who.
        by: Option<String>,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Whoever proposed it did not want it any more.
    Withdrawn {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Another was proposed before anybody said anything.
    Superseded {
        /// When.
        at: Timestamp,
    },
}

impl ChangeOutcome {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Superseded { .. } => "superseded",
        }
    }
}

impl ChangeRequest {
    /// Whether it became active in an emergency, and nobody else has looked yet.
    pub fn waits_for_a_look(&self) -> bool {
        let active = matches!(self.outcome, ChangeOutcome::Approved { .. });
        active && self.expedited.as_ref().is_some_and(|expedited| expedited.looked.is_none())
    }
}

impl Versions {
    /// The change with this number.
    pub fn request(&self, number: u32) -> Option<&ChangeRequest> {
        self.requests.iter().find(|request| request.number == number)
    }

    /// Whether a change of it waits for somebody: to be approved, or, after an emergency, to be looked at.
    pub fn waits(&self) -> bool {
        self.proposal.is_some() || self.requests.iter().any(ChangeRequest::waits_for_a_look)
    }

    /// Whether whoever proposed the definition that waits may make it active themselves, because it cannot wait.
    pub fn is_expedited_by(&self, actor: Option<&str>) -> bool {
        let open = self.proposal.as_ref().and_then(|proposal| self.request(proposal.number));
        let expedited = open.and_then(|request| request.expedited.as_ref());
        actor.is_some() && expedited.is_some_and(|expedited| expedited.by.as_deref() == actor)
    }

    /// A change is asked for; one that waited is not waited for any more.
    pub(super) fn ask(&mut self, request: ChangeRequest) {
        for open in &mut self.requests {
            if open.outcome == ChangeOutcome::Open {
                open.outcome = ChangeOutcome::Superseded { at: request.at };
            }
        }
        self.requests.push(request);
        let surplus = self.requests.len().saturating_sub(KEPT);
        self.requests.drain(..surplus);
    }

    /// The change that waits has become active.
    pub(super) fn settle(&mut self, number: u32, at: Timestamp, by: Option<&str>) {
        if let Some(request) = self.request_mut(number) {
            request.outcome = ChangeOutcome::Approved { by: by.map(str::to_owned), at };
        }
    }

    fn request_mut(&mut self, number: u32) -> Option<&mut ChangeRequest> {
        self.requests.iter_mut().find(|request| request.number == number)
    }

    /// What somebody says of a change.
    pub(crate) fn hear(&mut self, event: &ChangeEvent, at: Timestamp, actor: Option<&str>) {
        let by = actor.map(str::to_owned);
        match event {
            ChangeEvent::ChangeRejected(e) => self.reject(e, at, by),
            ChangeEvent::ChangeWithdrawn(e) => {
                let reason = e.reason.clone();
                self.end(e.number, ChangeOutcome::Withdrawn { at, reason });
            }
            ChangeEvent::ChangeCommented(e) => {
                if let Some(request) = self.request_mut(e.number) {
                    request.comments.push(Comment { by, at, text: e.text.clone() });
                }
            }
            ChangeEvent::ChangeExpedited(e) => {
                if let Some(request) = self.request_mut(e.number) {
                    let (reason, until) = (e.reason.clone(), e.until);
                    request.expedited = Some(Expedited { by, reason, until, looked: None });
                }
            }
            ChangeEvent::ChangeRatified(e) => self.look(e.number, at, by, true, &e.reason),
        }
    }

    fn reject(&mut self, e: &ChangeRejected, at: Timestamp, by: Option<String>) {
        if self.request(e.number).is_some_and(ChangeRequest::waits_for_a_look) {
            return self.look(e.number, at, by, false, &e.reason);
        }
        self.end(e.number, ChangeOutcome::Rejected { by, at, reason: e.reason.clone() });
    }

    fn end(&mut self, number: u32, outcome: ChangeOutcome) {
        if self.proposal.as_ref().is_some_and(|proposal| proposal.number == number) {
            self.proposal = None;
        }
        if let Some(request) = self.request_mut(number) {
            request.outcome = outcome;
        }
    }

    fn look(&mut self, number: u32, at: Timestamp, by: Option<String>, right: bool, reason: &str) {
        let request = self.request_mut(number);
        if let Some(expedited) = request.and_then(|request| request.expedited.as_mut()) {
            expedited.looked = Some(Looked { by, at, right, reason: reason.to_owned() });
        }
    }
}

/// Whether what is said of a change may be said.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit_change(
    versions: &Versions,
    event: &ChangeEvent,
    actor: Option<&str>,
    policy: Policy,
    received: Timestamp,
) -> Result<(), String> {
    need(actor.is_some(), "it does not say who does it")?;
    match event {
        ChangeEvent::ChangeRejected(e) => admit_rejected(versions, e, actor, policy),
        ChangeEvent::ChangeWithdrawn(e) => {
            check_text(&e.reason, "a text")?;
            let request = open(versions, e.number)?;
            let own = request.by.as_deref() == actor;
            need(own, "only whoever proposed it withdraws it: reject it")
        }
        ChangeEvent::ChangeCommented(e) => {
            check_text(&e.text, "a text")?;
            let request = versions.request(e.number).ok_or("there is no such change")?;
            need(request.comments.len() < COMMENTS_MAX, "it has 50 comments already")
        }
        ChangeEvent::ChangeExpedited(e) => admit_expedited(versions, e, actor, received),
        ChangeEvent::ChangeRatified(e) => admit_ratified(versions, e, actor, policy),
    }
}

fn open(versions: &Versions, number: u32) -> Result<&ChangeRequest, String> {
    let request = versions.request(number).ok_or("there is no such change")?;
    let waits = request.outcome == ChangeOutcome::Open;
    need(waits, &format!("it is {}", request.outcome.word()))?;
    Ok(request)
}

fn admit_rejected(
    versions: &Versions,
    e: &ChangeRejected,
    actor: Option<&str>,
    policy: Policy,
) -> Result<(), String> {
    check_text(&e.reason, "a text")?;
    let request = versions.request(e.number).ok_or("there is no such change")?;
    need(request.digest == e.digest, "it rejects another definition than was proposed")?;
    if request.waits_for_a_look() {
        return check_other(request, actor, policy);
    }
    open(versions, e.number)?;
    let other = policy.is_another(actor, request.by.as_deref());
    need(other, "whoever proposed it withdraws it")
}

fn admit_expedited(
    versions: &Versions,
    e: &ChangeExpedited,
    actor: Option<&str>,
    received: Timestamp,
) -> Result<(), String> {
    check_text(&e.reason, "a text")?;
    let request = open(versions, e.number)?;
    need(request.digest == e.digest, "it is about another definition than was proposed")?;
    need(request.by.as_deref() == actor, "whoever proposed it says that it cannot wait")?;
    need(request.expedited.is_none(), "that is said already")?;
    let ahead = e.until.as_millisecond() - received.as_millisecond();
    let soon = ahead > 0 && ahead <= EXPEDITED_MS_MAX + SKEW_MS_MAX;
    need(soon, "somebody else looks at it within seven days")
}

fn admit_ratified(
    versions: &Versions,
    e: &ChangeRatified,
    actor: Option<&str>,
    policy: Policy,
) -> Result<(), String> {
    check_text(&e.reason, "a text")?;
    let request = versions.request(e.number).ok_or("there is no such change")?;
    need(request.digest == e.digest, "it is about another definition than became active")?;
    need(request.waits_for_a_look(), "nothing of it waits for a look")?;
    check_other(request, actor, policy)
}

fn check_other(request: &ChangeRequest, actor: Option<&str>, policy: Policy) -> Result<(), String> {
    let by = request.expedited.as_ref().and_then(|expedited| expedited.by.as_deref());
    need(policy.is_another(actor, by), "somebody else looks at it than made it active")
}
