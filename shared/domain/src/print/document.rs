//! A document, as its events tell it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::options::{HoldWhy, Options, PageRange, ReleaseBy};
use crate::envelope::PayloadRef;
use crate::event::{
    DefinitionRef, Means, Numbers, Origin, PrintAccepted, PrintChanged, PrintCompleted,
    PrintDeliveryFailed, PrintEvent, PrintReprintRequested, PrintSpooled, PrintSubmitted,
};
use crate::ids::StreamId;

/// How many submissions are remembered, and the last of each printing.
const SUBMISSIONS_KEPT: usize = 20;
/// Most reprints of a document.
pub const REPRINTS_MAX: usize = 100;

/// A document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What it was when it was spooled.
    pub spooled: PrintSpooled,
    /// The commitment to its content, and its class.
    pub content: PayloadRef,
    /// When the log heard of it.
    pub at: Timestamp,
    /// The queue it is in.
    pub queue: String,
    /// Which definition of that queue.
    pub definition: DefinitionRef,
    /// How it is printed.
    pub options: Options,
    /// 1 to 100.
    pub priority: u8,
    /// How long its content is kept after printing, milliseconds.
    pub keep_ms: u64,
    /// Whether somebody asked for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub saved: bool,
    /// Where it stands.
    pub state: State,
    /// Which printing of it this is, from 1.
    pub round: u32,
    /// What was said to printers, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submissions: Vec<Submission>,
    /// Somebody wants it printed once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ReprintRequest>,
    /// The reprints there were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reprints: Vec<Reprint>,
    /// Somebody wants it stopped, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
    /// The person who cancelled it, or wanted that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// Deliveries of which something was said, by their number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deliveries: BTreeMap<u32, Delivery>,
    /// How often a wrong code was given.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wrong_codes: u32,
    /// Who released it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_by: Option<String>,
    /// Which pages earlier printings were of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub printed_pages: BTreeMap<u32, Vec<PageRange>>,
    /// When its content was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Timestamp>,
    /// When its newest event was received.
    pub changed: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// It is printed when its turn comes.
    Ready,
    /// It waits until somebody releases it.
    Held {
        /// Why.
        why: HoldWhy,
        /// In whose words.
        reason: String,
    },
    /// A job is being made for it at the printer.
    Releasing,
    /// It is at the printer.
    Printing,
    /// It is at the printer, and that does not go on by itself.
    Stopped {
        /// What is wrong.
        troubles: Vec<String>,
    },
    /// The printer says that it is done.
    Printed,
    /// Somebody did not want it.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// It is not printed, or not whole.
    Failed {
        /// Why.
        reason: String,
        /// Whether its content was sent, or a part of it.
        sent: bool,
    },
    /// Nobody can say what became of it: a person must look.
    Unknown {
        /// Why.
        reason: String,
    },
    /// It does not go to paper.
    Electronic,
}

/// What was said to a printer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its number, from 1.
    pub number: u32,
    /// Which printing of the document it is of.
    pub round: u32,
    /// The queue.
    pub queue: String,
    /// Impressions that were asked for.
    pub expected: u32,
    /// The numbers it was printed on.
    pub numbers: Option<Numbers>,
    /// When it began.
    pub began: Timestamp,
    /// The printer's job.
    pub job: Option<PrintAccepted>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Impressions counted.
    pub impressions: Option<u32>,
    /// Whether they are those that were asked for.
    pub agrees: Option<bool>,
    /// Whether the printer said that it is done.
    pub completed: bool,
}

/// Somebody wants it printed once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReprintRequest {
    /// Its place in the document's stream.
    pub number: u64,
    /// Which pages.
    pub pages: Option<Vec<PageRange>>,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: Option<String>,
}

/// A printing after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reprint {
    /// Which printing.
    pub round: u32,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: Option<String>,
    /// Who agreed; nobody had to where it is no form.
    pub approved_by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// How.
    pub means: Means,
    /// Which pages.
    pub pages: Option<PageRange>,
    /// How often it was tried.
    pub tries: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// When that was received.
    pub at: Timestamp,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum DeliveryState {
    /// The other side has taken it.
    Delivered {
        /// What it said.
        receipt: String,
    },
    /// It was not delivered.
    Failed {
        /// Why.
        reason: String,
        /// Whether it may have arrived all the same.
        unknown: bool,
    },
    /// It is tried again.
    Again,
}

/// What is true of an event beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its version in its stream.
    pub version: u64,
    /// When the recorder received it.
    pub received: Timestamp,
    /// Who acted.
    pub actor: Option<&'a str>,
}

impl State {
    /// The word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Held { .. } => "held",
            Self::Releasing => "releasing",
            Self::Printing => "printing",
            Self::Stopped { .. } => "stopped",
            Self::Printed => "printed",
            Self::Cancelled { .. } => "cancelled",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
            Self::Electronic => "electronic",
        }
    }

    /// Whether the printer may have it.
    pub fn is_at_printer(&self) -> bool {
        matches!(self, Self::Releasing | Self::Printing | Self::Stopped { .. })
    }

    /// Whether nothing more becomes of it unless a person says so.
    pub fn rests(&self) -> bool {
        !self.is_at_printer() && *self != Self::Ready
    }

    /// Whether it rests as it should.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Printed | Self::Electronic)
    }
}

/// Words of states in which a host still has something to do for a document, or a person may give it something.
pub const OPEN: [&str; 6] = ["ready", "held", "releasing", "printing", "stopped", "unknown"];

impl Document {
    /// A document that was just spooled.
    pub fn new(spooled: &PrintSpooled, content: PayloadRef, told: Told<'_>) -> Self {
        // What does not agree with its source goes nowhere, neither to paper nor to people.
        let held = spooled.held_by().filter(|why| spooled.paper || *why == HoldWhy::ControlTotal);
        let state = match held {
            Some(why) => State::Held { why, reason: why.words().to_owned() },
            None if spooled.paper => State::Ready,
            None => State::Electronic,
        };
        Self {
            content,
            at: told.received,
            queue: spooled.queue.clone(),
            definition: spooled.definition.clone(),
            options: spooled.options.clone(),
            priority: spooled.priority,
            keep_ms: spooled.keep_ms,
            saved: false,
            state,
            round: 1,
            submissions: Vec::new(),
            request: None,
            reprints: Vec::new(),
            cancel: None,
            cancelled_by: None,
            deliveries: BTreeMap::new(),
            wrong_codes: 0,
            released_by: None,
            printed_pages: BTreeMap::new(),
            erased: None,
            changed: told.received,
            spooled: spooled.clone(),
        }
    }

    /// The word of its state; one that is printed and kept because somebody asked for that is *saved*.
    pub fn word(&self) -> &'static str {
        let kept = self.saved && self.erased.is_none();
        if kept && self.state == State::Printed { "saved" } else { self.state.word() }
    }

    /// Why it is as it is, in a few words.
    pub fn why(&self) -> String {
        let words = match &self.state {
            State::Held { reason, .. }
            | State::Cancelled { reason }
            | State::Failed { reason, .. }
            | State::Unknown { reason } => reason.clone(),
            State::Stopped { troubles } => troubles.join(", "),
            State::Printed if self.differs() => self.counted(),
            State::Ready
            | State::Releasing
            | State::Printing
            | State::Printed
            | State::Electronic => String::new(),
        };
        let waits = self.request.as_ref().map(|_| "a reprint waits for approval".to_owned());
        let said = [Some(words).filter(|words| !words.is_empty()), waits];
        said.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn counted(&self) -> String {
        let last = self.submission();
        let (expected, counted) = last.map_or((0, None), |one| (one.expected, one.impressions));
        format!("counted {} of {expected} impressions", counted.unwrap_or(0))
    }

    /// The run that made it.
    pub fn run(&self) -> Option<&StreamId> {
        match &self.spooled.origin {
            Origin::Run { run, .. } => Some(run),
            Origin::Inbox { .. } => None,
        }
    }

    /// The newest submission.
    pub fn submission(&self) -> Option<&Submission> {
        self.submissions.last()
    }

    /// The pages that a printing is of; all where there are none.
    pub fn pages_of(&self, round: u32) -> &[PageRange] {
        self.printed_pages.get(&round).unwrap_or(&self.options.pages)
    }

    /// The numbers that a printing was sent with. A form tells old ones together, and may not know any more whose they were.
    pub fn numbers_of(&self, round: u32) -> Option<&Numbers> {
        let of_round = self.submissions.iter().rev().find(|one| one.round == round);
        of_round.and_then(|one| one.numbers.as_ref())
    }

    /// Impressions that its next printing is to have.
    pub fn expected(&self) -> u32 {
        self.options.impressions(self.spooled.pages)
    }

    /// Whether a printing of it was counted otherwise than was asked for.
    pub fn differs(&self) -> bool {
        self.submissions.iter().any(|one| one.agrees == Some(false))
    }

    /// When its content may be erased: when it rests, nobody asks for anything, and it was kept long enough.
    pub fn erase_at(&self) -> Option<Timestamp> {
        let over = matches!(
            self.state,
            State::Printed | State::Cancelled { .. } | State::Failed { .. } | State::Electronic
        );
        let sends = !matches!(self.state, State::Cancelled { .. }) && self.undelivered() > 0;
        let quiet = self.request.is_none() && !sends && self.erased.is_none();
        let kept =
            jiff::SignedDuration::from_millis(i64::try_from(self.keep_ms).unwrap_or(i64::MAX));
        (over && quiet).then(|| self.changed.checked_add(kept).unwrap_or(Timestamp::MAX))
    }

    /// Deliveries of which nothing final is known.
    pub fn undelivered(&self) -> u32 {
        let is_over = |one: &&Delivery| one.state != DeliveryState::Again;
        let over = self.deliveries.values().filter(is_over).count();
        self.spooled.deliveries.saturating_sub(u32::try_from(over).unwrap_or(u32::MAX))
    }

    /// Deliveries that failed.
    pub fn failed_deliveries(&self) -> impl Iterator<Item = (u32, &Delivery)> {
        let all = self.deliveries.iter().map(|(number, one)| (*number, one));
        all.filter(|(_, one)| matches!(one.state, DeliveryState::Failed { .. }))
    }

    /// Whether it reached everybody it was for, as it was asked for.
    pub fn has_arrived(&self) -> bool {
        self.state.is_good() && self.failed_deliveries().next().is_none() && !self.differs()
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &PrintEvent, told: Told<'_>) -> Self {
        // Who reads it does not change it.
        if !matches!(event, PrintEvent::PrintRead(_)) {
            self.changed = told.received;
        }
        match event {
            PrintEvent::PrintSpooled(_) | PrintEvent::PrintRead(_) => {}
            PrintEvent::PrintHeld(e) => {
                self.state = State::Held { why: HoldWhy::Person, reason: e.reason.clone() };
            }
            PrintEvent::PrintReleased(_) => {
                self.released_by = told.actor.map(str::to_owned);
                self.back();
            }
            PrintEvent::PrintDeferred(_) => self.back(),
            PrintEvent::PrintRetried(_) => {
                self.back();
                self.state = self.waiting();
            }
            PrintEvent::PrintCodeRefused(e) => self.wrong_codes = e.times,
            PrintEvent::PrintMoved(e) => {
                self.queue.clone_from(&e.queue);
                self.definition = e.definition.clone();
            }
            PrintEvent::PrintChanged(e) => self.change(e),
            PrintEvent::PrintCancelRequested(e) => {
                self.cancel = Some(e.reason.clone());
                self.cancelled_by = told.actor.map(str::to_owned);
            }
            PrintEvent::PrintCancelled(e) => {
                self.end(told, e.impressions, None, false);
                let by = told.actor.map(str::to_owned);
                self.cancelled_by = by.or(self.cancelled_by.take());
                self.state = State::Cancelled { reason: e.reason.clone() };
            }
            PrintEvent::PrintSubmitted(e) => self.submit(e, told),
            PrintEvent::PrintAccepted(e) => {
                self.state = State::Printing;
                if let Some(last) = self.submissions.last_mut() {
                    last.job = Some(e.clone());
                }
            }
            PrintEvent::PrintStopped(e) => {
                self.state = State::Stopped { troubles: e.troubles.clone() };
            }
            PrintEvent::PrintContinued(_) => self.state = State::Printing,
            PrintEvent::PrintCompleted(e) => self.complete(e, told),
            PrintEvent::PrintFailed(e) => {
                // Of what was not sent nothing is printed.
                let impressions = if e.sent { e.impressions } else { Some(0) };
                self.end(told, impressions, None, false);
                self.state = State::Failed { reason: e.reason.clone(), sent: e.sent };
            }
            PrintEvent::PrintUnknown(e) => {
                self.end(told, e.impressions, None, false);
                self.state = State::Unknown { reason: e.reason.clone() };
            }
            PrintEvent::PrintResolved(e) => self.resolve(e.impressions, told),
            PrintEvent::PrintReprintRequested(e) => self.ask(e, told),
            PrintEvent::PrintReprintApproved(_) => self.again(told.actor, told.received),
            PrintEvent::PrintReprintDeclined(_) => self.request = None,
            PrintEvent::PrintErased(_) => self.erased = Some(told.received),
            PrintEvent::PrintDelivered(e) => {
                let state = DeliveryState::Delivered { receipt: e.receipt.clone() };
                let (means, pages, tries, at) = (e.means, e.pages, e.tries, told.received);
                self.deliveries.insert(e.delivery, Delivery { means, pages, tries, state, at });
            }
            PrintEvent::PrintDeliveryFailed(e) => self.undelivered_because(e, told),
            PrintEvent::PrintDeliveryRetried(e) => {
                for number in &e.deliveries {
                    if let Some(one) = self.deliveries.get_mut(number) {
                        one.state = DeliveryState::Again;
                    }
                }
            }
        }
        self
    }

    /// How it waits for its turn: what has a code waits for that each time.
    fn waiting(&self) -> State {
        if self.spooled.release != ReleaseBy::Code {
            return State::Ready;
        }
        State::Held { why: HoldWhy::Code, reason: HoldWhy::Code.words().to_owned() }
    }

    fn back(&mut self) {
        self.state = if self.spooled.paper { State::Ready } else { State::Electronic };
        if let Some(last) = self.submissions.last_mut().filter(|last| last.ended.is_none()) {
            last.ended = Some(self.changed);
        }
    }

    fn change(&mut self, e: &PrintChanged) {
        self.priority = e.priority.unwrap_or(self.priority);
        self.options.copies = e.copies.unwrap_or(self.options.copies);
        if let Some(pages) = &e.pages {
            self.options.pages.clone_from(pages);
        }
        if let Some(keep_ms) = e.keep_ms {
            (self.keep_ms, self.saved) = (keep_ms, keep_ms > 0);
        }
    }

    fn submit(&mut self, e: &PrintSubmitted, told: Told<'_>) {
        self.state = State::Releasing;
        self.submissions.push(Submission {
            number: e.number,
            round: e.round,
            queue: e.queue.clone(),
            expected: e.expected,
            numbers: e.numbers.clone(),
            began: told.received,
            job: None,
            ended: None,
            impressions: None,
            agrees: None,
            completed: false,
        });
        if self.submissions.len() > SUBMISSIONS_KEPT {
            self.forget_one();
        }
    }

    /// The oldest submission after which the same printing was submitted again goes: of that, nothing was sent. The last of
    /// each printing stays: it says what became of its numbers.
    fn forget_one(&mut self) {
        let again = |two: &[Submission]| matches!(two, [one, next] if one.round == next.round);
        if let Some(place) = self.submissions.windows(2).position(again) {
            self.submissions.remove(place);
        }
    }

    fn complete(&mut self, e: &PrintCompleted, told: Told<'_>) {
        self.end(told, e.impressions, e.agrees, true);
        self.state = State::Printed;
    }

    fn end(
        &mut self,
        told: Told<'_>,
        impressions: Option<u32>,
        agrees: Option<bool>,
        completed: bool,
    ) {
        self.cancel = None;
        if let Some(last) = self.submissions.last_mut().filter(|last| last.ended.is_none()) {
            last.ended = Some(told.received);
            last.impressions = impressions;
            last.agrees = agrees;
            last.completed = completed;
        }
    }

    fn resolve(&mut self, impressions: u32, told: Told<'_>) {
        let mut expected = 0;
        if let Some(last) = self.submissions.last_mut() {
            expected = last.expected;
            last.ended = Some(told.received);
            last.impressions = Some(impressions);
            last.completed = impressions >= expected;
        }
        self.state = if impressions >= expected {
            State::Printed
        } else {
            let reason = format!("{impressions} of {expected} impressions lie on paper");
            State::Failed { reason, sent: true }
        };
    }

    fn ask(&mut self, e: &PrintReprintRequested, told: Told<'_>) {
        self.request = Some(ReprintRequest {
            number: told.version,
            pages: e.pages.clone(),
            reason: e.reason.clone(),
            by: told.actor.map(str::to_owned),
        });
        // What is no form needs nobody else.
        if self.spooled.form.is_none() {
            self.again(None, told.received);
        }
    }

    fn again(&mut self, approved_by: Option<&str>, at: Timestamp) {
        let Some(request) = self.request.take() else { return };
        self.printed_pages.insert(self.round, self.options.pages.clone());
        self.round += 1;
        self.state = self.waiting();
        self.cancelled_by = None;
        self.reprints.push(Reprint {
            round: self.round,
            reason: request.reason,
            by: request.by,
            approved_by: approved_by.map(str::to_owned),
            at,
        });
        if let Some(pages) = request.pages {
            self.options.pages = pages;
        }
    }

    fn undelivered_because(&mut self, e: &PrintDeliveryFailed, told: Told<'_>) {
        let state = DeliveryState::Failed { reason: e.reason.clone(), unknown: e.unknown };
        let (means, pages, tries, at) = (e.means, e.pages, e.tries, told.received);
        self.deliveries.insert(e.delivery, Delivery { means, pages, tries, state, at });
    }
}
