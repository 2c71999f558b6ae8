//! What people say of controls: what became of an exception, and that they looked. *Invariant:* nobody says what became of an
//! exception that is about what they did themselves, as far as the log can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{Control, Item, Outcome, Passing, Period};
use crate::canonical::{Digest, canonical};
use crate::envelope::Envelope;
use crate::event::{
    ControlDisposition, ControlEvent, ControlExceptionDisposed, ControlReviewed, Event,
};
use crate::ids::{StreamId, StreamType};
use crate::job::{ChangeOutcome, ChangeRequest, Versions};
use crate::ledger::{Body, Policy, TEXT_BYTES_MAX, check_text, need};

/// Longest reference to what shows a disposition, in bytes.
const EVIDENCE_BYTES_MAX: usize = 300;
/// Longest subject of an exception, in bytes.
const SUBJECT_BYTES_MAX: usize = 500;
/// The control of which nobody says what became of its exceptions: that the log contradicts itself is not for its site to say.
const UNDISPOSED: &str = "LG-01";

/// What somebody said of an exception.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Disposed {
    /// What became of it.
    pub disposition: ControlDisposition,
    /// Why.
    pub text: String,
    /// Where what shows it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What was wrong with it when they said so.
    pub says: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Position of the event.
    pub position: u64,
}

impl std::fmt::Display for Disposed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { text, by, at, position, .. } = self;
        write!(f, "{text} ({by} at {at}, position {position}")?;
        match &self.evidence {
            Some(evidence) => write!(f, "; {evidence})"),
            None => f.write_str(")"),
        }
    }
}

/// A signature under a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    /// What was signed.
    #[serde(flatten)]
    pub what: ControlReviewed,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl std::fmt::Display for Reviewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, by, at } = self;
        let ControlReviewed { exceptions, open, position, .. } = what;
        write!(
            f,
            "{by} at {at}: {exceptions} exceptions, {open} without disposition, to position {position}"
        )
    }
}

/// Which exception of a control something is: by what it is about, when, and where the log tells of it. What is wrong with it may
/// be put in other words later, and it is the same.
#[must_use]
pub fn exception_id(
    control: &str,
    (at, subject, position): (Timestamp, &str, Option<u64>),
) -> Digest {
    let text = format!(
        "decklog-exception-1\n{control}\n{at}\n{}\n{subject}\n",
        position.map(|at| at.to_string()).unwrap_or_default()
    );
    Digest::of(text.as_bytes())
}

impl Item {
    /// Which exception of a control it is.
    #[must_use]
    pub fn id(&self, control: &str) -> Digest {
        exception_id(control, (self.at, &self.subject, self.position))
    }
}

/// A member of a population as it is told of.
#[derive(Debug, Serialize)]
pub struct ItemTold {
    /// Of an exception, its name, by which one says what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Digest>,
    /// What it is.
    #[serde(flatten)]
    pub item: Item,
}

impl Outcome {
    /// Members of its population as they are told of: exceptions with their names.
    #[must_use]
    pub fn told(&self, items: Vec<Item>) -> Vec<ItemTold> {
        let id = |item: &Item| item.exception.is_some().then(|| item.id(self.control));
        items.into_iter().map(|item| ItemTold { id: id(&item), item }).collect()
    }

    /// How many exceptions nobody has said anything of.
    #[must_use]
    pub fn open(&self) -> usize {
        self.exceptions().filter(|item| item.disposed.is_none()).count()
    }

    /// What whoever signs is shown: each exception, and what became of it.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn shown(&self) -> Result<Digest, serde_json::Error> {
        let one = |item: &Item| {
            let disposed = item.disposed.as_ref().map(|disposed| disposed.position);
            (item.id(self.control), disposed)
        };
        let all: Vec<(Digest, Option<u64>)> = self.exceptions().map(one).collect();
        canonical(&all).map(|bytes| Digest::of(&bytes))
    }
}

/// The control that a stream is about.
fn control_of(id: &StreamId) -> Result<&'static Control, String> {
    need(id.stream_type() == StreamType::Control, "it is about no control")?;
    Control::named(id.rest())
}

/// The stream that an exception is about, where it is about one.
#[must_use]
pub fn stream_of(subject: &str) -> Option<StreamId> {
    subject.split(' ').next()?.parse().ok()
}

/// The stream that must be at hand to judge an event.
pub(crate) fn reads(event: &ControlEvent) -> Option<StreamId> {
    match event {
        ControlEvent::ControlExceptionDisposed(e) => stream_of(&e.subject),
        ControlEvent::ControlReviewed(_) => None,
    }
}

/// What the recorder has at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What stands in the stream that an exception is about.
    pub(crate) about: Option<&'a Body>,
    /// Rules of the site.
    pub(crate) policy: Policy,
    /// When it is received.
    pub(crate) received: Timestamp,
    /// How long the log was before it.
    pub(crate) size: u64,
}

/// Whether the event may follow.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit(
    envelope: &Envelope,
    event: &ControlEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    let control = control_of(&envelope.subject)?;
    let canonical = StreamId::control(control.id) == envelope.subject;
    need(canonical, "a control has one stream")?;
    let actor = envelope.actor.as_deref().ok_or("it does not say who does it")?;
    match event {
        ControlEvent::ControlExceptionDisposed(e) => admit_disposed(control, e, actor, context),
        ControlEvent::ControlReviewed(e) => admit_reviewed(e, context),
    }
}

fn admit_disposed(
    control: &Control,
    e: &ControlExceptionDisposed,
    actor: &str,
    context: &Context<'_>,
) -> Result<(), String> {
    let own = "that the log contradicts itself is for whoever verifies it to say";
    need(control.id != UNDISPOSED, own)?;
    need(e.at <= context.received, "nobody says what became of what is to come")?;
    let told = e.position.is_none_or(|at| (1..=context.size).contains(&at));
    need(told, "the log has no such position")?;
    let named = (1..=SUBJECT_BYTES_MAX).contains(&e.subject.len());
    need(named, "an exception is about something of 1 to 500 bytes")?;
    check_text(&e.says, "what is wrong with it")?;
    check_text(&e.text, "a text")?;
    let shown = |text: &String| !text.trim().is_empty() && text.len() <= EVIDENCE_BYTES_MAX;
    need(e.evidence.as_ref().is_none_or(shown), "evidence is named in 1 to 300 bytes")?;
    let acted = context.about.map(|body| hands(body, e.at)).unwrap_or_default();
    // What an account was denied is what whoever it is of did.
    let account = stream_of(&e.subject).is_some_and(|id| id.as_str() == actor);
    let own = (account || acted.contains(actor)) && !context.policy.self_approval;
    need(!own, "nobody says what became of an exception that is about what they did themselves")
}

fn admit_reviewed(e: &ControlReviewed, context: &Context<'_>) -> Result<(), String> {
    need(e.from < e.until, "a time that is reviewed has a length")?;
    need(e.from < context.received, "nobody reviews what is to come")?;
    need((1..=context.size).contains(&e.position), "the log has no such position")?;
    let counted = e.open <= e.exceptions && e.exceptions <= e.population;
    need(counted, "exceptions are some of the population")?;
    need(e.statement.len() <= TEXT_BYTES_MAX, "a statement has 1000 bytes at most")
}

/// The people who acted in what an exception is about, as far as the state of its stream tells: of definitions those who asked for
/// and approved the one that became active then, of what happens once all who had a hand in it.
fn hands(body: &Body, at: Timestamp) -> BTreeSet<&str> {
    let mut found: Vec<Option<&str>> = Vec::new();
    let paused = body.job().and_then(|job| job.pauses.iter().find(|pause| pause.from == at));
    match (paused, body.versions()) {
        (Some(pause), _) => found.push(pause.by.as_deref()),
        (None, Some(versions)) => found.extend(hands_on_versions(versions, at)),
        (None, None) => {}
    }
    match body {
        Body::Run(run) => found.extend([run.asked_by.as_deref(), run.confirmed.as_deref()]),
        Body::Incident(incident) => {
            let said = [&incident.acknowledged, &incident.resolved].into_iter().flatten();
            found.extend(said.map(|said| Some(said.by.as_str())));
            found.extend(incident.cause.iter().map(|cause| Some(cause.by.as_str())));
            found.extend(incident.causers.iter().map(|one| Some(one.as_str())));
        }
        Body::Dataset(dataset) => {
            let certified = dataset.tests.iter().filter_map(|test| test.certified.as_ref());
            let then = certified.filter(|(_, when, _)| *when == at);
            found.extend(then.map(|(by, ..)| Some(by.as_str())));
        }
        Body::Document(document) => {
            let again = document.reprints.iter();
            found.extend(again.flat_map(|one| [one.by.as_deref(), one.approved_by.as_deref()]));
            found.extend([document.released_by.as_deref(), document.cancelled_by.as_deref()]);
        }
        Body::Review(review) => {
            let nights = review.signed.iter().map(|one| (one.at, &one.by));
            let access = review.access.iter().map(|one| (one.at, &one.by));
            found.extend(
                nights.chain(access).filter(|(on, _)| *on == at).map(|(_, by)| Some(by.as_str())),
            );
        }
        Body::Job(_)
        | Body::Host(_)
        | Body::User(_)
        | Body::Log
        | Body::Thing(_)
        | Body::Repository(_)
        | Body::Queue(_)
        | Body::Form(_)
        | Body::Tzdb(_)
        | Body::Continued(_)
        | Body::Archive(_)
        | Body::Joining(_)
        | Body::Records(_)
        | Body::Control
        | Body::Request(_)
        | Body::Directory(_) => {}
    }
    found.into_iter().flatten().filter(|by| !by.is_empty()).collect()
}

/// Whoever asked for the definition that was approved then, approved it, or could not wait. One that is approved while a host
/// decides holds a little later.
fn hands_on_versions(versions: &Versions, at: Timestamp) -> Vec<Option<&str>> {
    let approved = |request: &'_ ChangeRequest| match &request.outcome {
        ChangeOutcome::Approved { at: then, .. } => Some(*then).filter(|then| *then >= at),
        _ => None,
    };
    let then = versions
        .requests
        .iter()
        .filter(|one| approved(one).is_some())
        .min_by_key(|one| approved(one));
    let Some(request) = then else { return Vec::new() };
    let ChangeOutcome::Approved { by, .. } = &request.outcome else { return Vec::new() };
    let expedited = request.expedited.as_ref().and_then(|one| one.by.as_deref());
    vec![request.by.as_deref(), by.as_deref(), expedited]
}

/// Gathers what people say of controls while the events of a log pass by.
#[derive(Debug, Default)]
pub(super) struct Said {
    disposed: BTreeMap<&'static str, BTreeMap<Digest, Disposed>>,
    reviewed: BTreeMap<&'static str, BTreeMap<(Timestamp, Timestamp), Reviewed>>,
    /// Who acted in which event.
    actors: BTreeMap<u64, Arc<str>>,
    names: BTreeSet<Arc<str>>,
    /// Dispositions, which others make than acted in what they are about.
    pub(super) seconds: Vec<Item>,
}

impl Said {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        if let Some(actor) = passing.envelope.actor.as_deref() {
            let name = self.name(actor);
            self.actors.insert(passing.position, name);
        }
        let Event::ControlEvent(event) = passing.event else { return };
        let Ok(control) = control_of(&passing.envelope.subject) else { return };
        match event {
            ControlEvent::ControlExceptionDisposed(e) => self.dispose(control.id, e, passing),
            ControlEvent::ControlReviewed(e) => {
                let reviewed = Reviewed { what: e.clone(), by: by(passing), at: passing.received };
                let of = self.reviewed.entry(control.id).or_default();
                of.insert((e.from, e.until), reviewed);
            }
        }
    }

    fn name(&mut self, actor: &str) -> Arc<str> {
        if let Some(known) = self.names.get(actor) {
            return Arc::clone(known);
        }
        let name: Arc<str> = actor.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn dispose(
        &mut self,
        control: &'static str,
        e: &ControlExceptionDisposed,
        passing: Passing<'_>,
    ) {
        let id = exception_id(control, (e.at, &e.subject, e.position));
        let by = by(passing);
        let actor = e.position.and_then(|at| self.actors.get(&at));
        let same = actor.is_some_and(|actor| **actor == *by);
        let wrong = same.then(|| "whoever says what became of it did it themselves".to_owned());
        let item = Item::new(passing.received, &passing.envelope.subject, passing.position);
        self.seconds.push(item.failing(wrong));
        let disposed = Disposed {
            disposition: e.disposition,
            text: e.text.clone(),
            evidence: e.evidence.clone(),
            says: e.says.clone(),
            by,
            at: passing.received,
            position: passing.position,
        };
        self.disposed.entry(control).or_default().insert(id, disposed);
    }

    /// Puts beside each outcome what was said of it.
    pub(super) fn stand_beside(&self, outcomes: &mut [Outcome], period: Period) {
        for outcome in outcomes {
            let control = outcome.control;
            if let Some(disposed) = self.disposed.get(control) {
                let odd = outcome.population.iter_mut().filter(|item| item.exception.is_some());
                for item in odd {
                    item.disposed = disposed.get(&item.id(control)).cloned().map(Box::new);
                }
            }
            let reviewed = self.reviewed.get(control).into_iter().flatten();
            let within = reviewed
                .filter(|((from, until), _)| period.from <= *from && *until <= period.until);
            outcome.reviewed = within.map(|(_, reviewed)| reviewed.clone()).collect();
        }
    }
}

fn by(passing: Passing<'_>) -> String {
    passing.envelope.actor.clone().unwrap_or_default()
}
