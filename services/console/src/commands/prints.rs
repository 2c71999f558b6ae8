//! What people say of documents, queues and numbered stock.

use bus::Service;
use bytes::Bytes;
use domain::event::{
    Event, FormChecked, FormEvent, FormLoaded, FormPrinted, FormReturned, FormSlipped,
    FormUnloaded, FormVoided, FormWitnessed, PrintCancelRequested, PrintCancelled, PrintChanged,
    PrintDeliveryRetried, PrintEvent, PrintHeld, PrintMoved, PrintReleased, PrintReprintApproved,
    PrintReprintDeclined, PrintReprintRequested, PrintResolved, QueueEvent, QueueHeld,
    QueueReleased, Spent,
};
use domain::ids::StreamId;
use domain::ledger::StreamState;
use domain::people::Action;
use domain::print::stock::NUMBER_MAX;
use domain::print::{Document, Form, PageRange, State};
use domain::site::ThingKind;
use domain::time::HumanDuration;
use domain::wire::{Content, DocumentFilter, HostQuery, Query, answered};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

use super::{Applied, CommandError, applied, check_reason, named};
use crate::people::Caller;
use crate::state::Console;

/// How long a host may take to say whether a code is right.
const HOST: Duration = Duration::from_secs(10);
/// Fewest digits of an identity that name a document.
const PREFIX_MIN: usize = 4;

/// What can be said of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum DocumentAct {
    /// It waits until somebody releases it.
    Hold,
    /// It may go to the printer: held, or failed before anything was sent.
    Release {
        /// Its code, where it waits for that.
        #[serde(default)]
        code: Option<String>,
    },
    /// It is not printed, or no further.
    Cancel,
    /// It goes to another queue.
    Move {
        /// Which.
        queue: String,
    },
    /// It is printed otherwise.
    Change {
        /// 1 to 100.
        #[serde(default)]
        priority: Option<u8>,
        /// How often.
        #[serde(default)]
        copies: Option<u16>,
        /// Which pages: `1-3`, `7`, `9-`.
        #[serde(default)]
        #[schema(value_type = Option<Vec<String>>)]
        pages: Option<Vec<PageRange>>,
        /// How long its content is kept after printing.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        keep: Option<HumanDuration>,
    },
    /// It is printed once more. Of a form, somebody else must agree.
    Reprint {
        /// Which pages; those of before when absent.
        #[serde(default)]
        #[schema(value_type = Option<Vec<String>>)]
        pages: Option<Vec<PageRange>>,
    },
    /// Somebody else agrees.
    ApproveReprint,
    /// Or does not.
    DeclineReprint,
    /// Somebody looked what became of it.
    Resolve {
        /// Impressions that lie on paper.
        impressions: u32,
    },
    /// Deliveries that failed are tried again.
    RetryDeliveries {
        /// Which; all that failed when empty.
        #[serde(default)]
        deliveries: Vec<u32>,
    },
}

/// What can be said of numbered stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum FormAct {
    /// Stock was put in.
    Load {
        /// The number on the first sheet.
        first: u64,
        /// And on the last.
        last: u64,
    },
    /// A second person read its first and its last number.
    Witness {
        /// The number on the first sheet.
        first: u64,
        /// And on the last.
        last: u64,
    },
    /// What is left was taken out.
    Unload {
        /// A number of the stock.
        number: u64,
    },
    /// Sheets are invalid, or waste.
    Void {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// Whether they are waste, and were not printed as they should.
        #[serde(default)]
        spoiled: bool,
    },
    /// Sheets that a printing had lie blank in the tray.
    Return {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Sheets went through a printing without their pages, which lie on the next ones.
    Slip {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Somebody saw that sheets were printed of which the printer said nothing.
    Printed {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A second person read the first and the last number of a printing.
    Check {
        /// The document.
        document: String,
        /// The number on the first sheet.
        first: u64,
        /// And on the last.
        last: u64,
    },
}

/// What can be said of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum QueueAct {
    /// Nothing more goes to its printer.
    Hold,
    /// It goes on.
    Release,
}

impl DocumentAct {
    fn action(&self) -> Action {
        match self {
            Self::ApproveReprint => Action::ApproveReprints,
            Self::DeclineReprint => Action::DeclineRequests,
            Self::Hold
            | Self::Release { .. }
            | Self::Cancel
            | Self::Move { .. }
            | Self::Change { .. }
            | Self::Reprint { .. }
            | Self::Resolve { .. }
            | Self::RetryDeliveries { .. } => Action::SteerPrints,
        }
    }

    fn done(&self, document: &Document) -> &'static str {
        match self {
            Self::Hold => "held",
            Self::Release { .. } => "released: it is printed when its turn comes",
            Self::Cancel if document.state.is_at_printer() => {
                "its host cancels it at the printer, and says how far it came"
            }
            Self::Cancel => "cancelled",
            Self::Move { .. } => "moved",
            Self::Change { .. } => "changed",
            Self::Reprint { .. } if document.spooled.form.is_some() => {
                "asked for: it waits for approval by somebody else"
            }
            Self::Reprint { .. } => "it is printed once more when its turn comes",
            Self::ApproveReprint => {
                "approved: it is printed on the next numbers when its turn comes"
            }
            Self::DeclineReprint => "declined",
            Self::Resolve { .. } => "resolved",
            Self::RetryDeliveries { .. } => "tried again",
        }
    }

    fn event(
        &self,
        document: &Document,
        reason: &str,
        queue: Option<&StreamState>,
    ) -> Result<Event, CommandError> {
        let reason = reason.to_owned();
        let request = document.request.as_ref().map(|request| request.number);
        let request =
            || request.ok_or_else(|| CommandError::Refused("nothing is asked for".to_owned()));
        let event = match self {
            Self::Hold => PrintEvent::PrintHeld(PrintHeld { reason }),
            Self::Release { code } => {
                PrintEvent::PrintReleased(PrintReleased { reason, code: code.is_some() })
            }
            Self::Cancel if document.state.is_at_printer() => {
                PrintEvent::PrintCancelRequested(PrintCancelRequested { reason })
            }
            Self::Cancel => {
                PrintEvent::PrintCancelled(PrintCancelled { reason, impressions: None })
            }
            Self::Move { queue: to } => {
                let span =
                    queue.and_then(|state| state.body.thing()).and_then(|thing| thing.active());
                let span =
                    span.ok_or_else(|| CommandError::NotFound(format!("active queue {to}")))?;
                let moved = PrintMoved { queue: to.clone(), definition: span.reference(), reason };
                PrintEvent::PrintMoved(moved)
            }
            Self::Change { priority, copies, pages, keep } => {
                let nothing =
                    priority.is_none() && copies.is_none() && pages.is_none() && keep.is_none();
                if nothing {
                    return Err(CommandError::Invalid("say what changes".to_owned()));
                }
                PrintEvent::PrintChanged(PrintChanged {
                    priority: *priority,
                    copies: *copies,
                    pages: pages.clone(),
                    keep_ms: keep.map(HumanDuration::millis),
                    reason,
                })
            }
            Self::Reprint { pages } => PrintEvent::PrintReprintRequested(PrintReprintRequested {
                pages: pages.clone(),
                reason,
            }),
            Self::ApproveReprint => PrintEvent::PrintReprintApproved(PrintReprintApproved {
                request: request()?,
                form: document.spooled.form.clone(),
                reason,
            }),
            Self::DeclineReprint => PrintEvent::PrintReprintDeclined(PrintReprintDeclined {
                request: request()?,
                reason,
            }),
            Self::Resolve { impressions } => PrintEvent::PrintResolved(PrintResolved {
                impressions: *impressions,
                evidence: reason,
            }),
            Self::RetryDeliveries { deliveries } => {
                let failed = || document.failed_deliveries().map(|(number, _)| number).collect();
                let deliveries = if deliveries.is_empty() { failed() } else { deliveries.clone() };
                PrintEvent::PrintDeliveryRetried(PrintDeliveryRetried { deliveries, reason })
            }
        };
        Ok(event.into())
    }
}

/// Whether a number may stand on a sheet.
pub(crate) fn check_number(number: u64) -> Result<(), CommandError> {
    if (1..=NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    Err(CommandError::Invalid(format!(
        "{number} is on no sheet: numbers go from 1 to {NUMBER_MAX}"
    )))
}

impl FormAct {
    fn check_numbers(&self) -> Result<(), CommandError> {
        let (first, last) = match self {
            Self::Load { first, last }
            | Self::Witness { first, last }
            | Self::Void { first, last, .. }
            | Self::Return { first, last }
            | Self::Slip { first, last }
            | Self::Printed { first, last }
            | Self::Check { first, last, .. } => (*first, *last),
            Self::Unload { number } => (*number, *number),
        };
        check_number(first).and_then(|()| check_number(last))
    }

    fn done(&self) -> &'static str {
        match self {
            Self::Load { .. } => "loaded: it is printed on when a second person has seen it",
            Self::Witness { .. } => "witnessed: it is printed on from now on",
            Self::Unload { .. } => "taken out",
            Self::Void { spoiled: true, .. } => "spoiled: they do not count",
            Self::Void { .. } => "void: they do not count",
            Self::Return { .. } => "free again",
            Self::Slip { .. } => "spoiled: the pages after them lie on the next sheets",
            Self::Printed { .. } => "printed",
            Self::Check { .. } => "checked",
        }
    }

    fn event(
        &self,
        form: &Form,
        reason: &str,
        document: Option<StreamId>,
    ) -> Result<Event, CommandError> {
        let reason = reason.to_owned();
        let nothing = |what: &str, number: u64| {
            CommandError::NotFound(format!("{what} with number {}", form.shown(number)))
        };
        let of = |number: u64| {
            let span =
                form.fate(number).and_then(|span| Some((span.document.clone()?, span.round)));
            span.ok_or_else(|| nothing("printing", number))
        };
        let batch = |number: u64| {
            let batch = form.batch_of(number).map(|batch| batch.number);
            batch.ok_or_else(|| nothing("stock", number))
        };
        let event = match self {
            Self::Load { first, last } => {
                FormEvent::FormLoaded(FormLoaded { first: *first, last: *last, note: reason })
            }
            Self::Witness { first, last } => {
                let open = form.batches.iter().rev().find(|batch| batch.waits());
                let open = open.ok_or_else(|| {
                    CommandError::NotFound("stock that waits for a second person".to_owned())
                })?;
                FormEvent::FormWitnessed(FormWitnessed {
                    batch: open.number,
                    first: *first,
                    last: *last,
                })
            }
            Self::Unload { number } => {
                FormEvent::FormUnloaded(FormUnloaded { batch: batch(*number)?, reason })
            }
            Self::Void { first, last, spoiled } => {
                let how = if *spoiled { Spent::Spoiled } else { Spent::Voided };
                FormEvent::FormVoided(FormVoided { first: *first, last: *last, how, reason })
            }
            Self::Return { first, last } => {
                let (document, round) = of(*first)?;
                FormEvent::FormReturned(FormReturned {
                    document,
                    round,
                    first: *first,
                    last: *last,
                    reason,
                })
            }
            Self::Slip { first, last } => {
                let (document, round) = of(*first)?;
                let slipped = FormSlipped { document, round, first: *first, last: *last, reason };
                FormEvent::FormSlipped(slipped)
            }
            Self::Printed { first, last } => {
                let (document, round) = of(*first)?;
                let printed =
                    FormPrinted { document, round, first: *first, last: *last, evidence: reason };
                FormEvent::FormPrinted(printed)
            }
            Self::Check { first, last, document: text } => {
                let document =
                    document.ok_or_else(|| CommandError::NotFound(format!("document {text}")))?;
                let round =
                    form.spans.iter().filter(|span| span.document.as_ref() == Some(&document));
                let round = round.map(|span| span.round).max();
                let round = round.ok_or_else(|| {
                    CommandError::Invalid("that document has no numbers".to_owned())
                })?;
                FormEvent::FormChecked(FormChecked { document, round, first: *first, last: *last })
            }
        };
        Ok(event.into())
    }
}

/// The document that a stream is.
pub(crate) fn document_of(
    id: &StreamId,
    state: Option<&StreamState>,
) -> Result<Document, CommandError> {
    let document = state.and_then(|state| state.body.document()).cloned();
    document.ok_or_else(|| CommandError::NotFound(named(id)))
}

impl Console {
    /// The one document whose identity begins so.
    async fn document_named(&self, text: &str) -> Result<(StreamId, Document), CommandError> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits || !(PREFIX_MIN..=32).contains(&text.len()) {
            let text =
                format!("{text:?} names no document: write {PREFIX_MIN} or more of its digits");
            return Err(CommandError::Invalid(text));
        }
        let filter =
            DocumentFilter { prefix: Some(text.to_owned()), limit: 2, ..DocumentFilter::default() };
        let answer = bus::recorder::ask(&self.bus, &Query::Documents(filter)).await;
        let answer = answer.map_err(CommandError::unavailable)?;
        let Content::Streams(mut found) = answer.content else {
            return Err(CommandError::unavailable("the answer is to another question"));
        };
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok((one.id.clone(), document_of(&one.id, Some(&one.state))?)),
            (None, _) => Err(CommandError::NotFound(format!("document {text}"))),
            (Some(_), false) => Err(CommandError::Invalid(format!(
                "several documents begin with {text}: write more of it"
            ))),
        }
    }

    /// The one document whose identity begins so, for whoever may do this with it; whoever may not anywhere is told nothing of
    /// what there is.
    pub(crate) async fn document_for(
        &self,
        caller: &Caller,
        action: Action,
        text: &str,
    ) -> Result<(StreamId, Document), CommandError> {
        caller.may_somewhere(self, action).await?;
        let (id, document) = self.document_named(text).await?;
        caller.may(self, action, Some(&id)).await?;
        Ok((id, document))
    }

    /// Says something of a document.
    pub(crate) async fn set_document(
        &self,
        text: &str,
        act: &DocumentAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let (id, document) = self.document_for(caller, act.action(), text).await?;
        if let DocumentAct::Release { code: Some(code) } = act {
            self.give_code(&id, &document, code).await?;
        }
        let queue = match act {
            DocumentAct::Move { queue } => {
                self.state(&StreamId::thing(ThingKind::Queue, queue)).await?
            }
            DocumentAct::Hold
            | DocumentAct::Release { .. }
            | DocumentAct::Cancel
            | DocumentAct::Change { .. }
            | DocumentAct::Reprint { .. }
            | DocumentAct::ApproveReprint
            | DocumentAct::DeclineReprint
            | DocumentAct::Resolve { .. }
            | DocumentAct::RetryDeliveries { .. } => None,
        };
        let mut done = "";
        let next = |state: Option<&StreamState>| {
            let document = state.and_then(|state| state.body.document());
            let document = document.ok_or_else(|| CommandError::NotFound(named(&id)))?;
            done = act.done(document);
            Ok(vec![act.event(document, reason, queue.as_ref())?])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, done))
    }

    /// The host that has the document knows its code.
    async fn give_code(
        &self,
        id: &StreamId,
        document: &Document,
        code: &str,
    ) -> Result<(), CommandError> {
        if !matches!(document.state, State::Held { .. }) {
            return Err(CommandError::Refused(format!("it is {}, not held", document.word())));
        }
        let query = HostQuery::Code { document: id.clone(), code: code.to_owned() };
        let host = &document.spooled.host;
        match self.ask_host(host, &query).await?.as_deref() {
            Some(b"true") => Ok(()),
            Some(b"false") => Err(CommandError::Refused("that is not its code".to_owned())),
            Some(_) | None => {
                Err(CommandError::Host(format!("host {host} does not know its code")))
            }
        }
    }

    /// Asks a host for something; `None` where it does not have it.
    pub(crate) async fn ask_host(
        &self,
        host: &str,
        query: &HostQuery,
    ) -> Result<Option<Bytes>, CommandError> {
        let gone = |error: &dyn std::fmt::Display| {
            CommandError::Host(format!("host {host} does not answer: {error}"))
        };
        let body = serde_json::to_vec(query).map_err(|error| gone(&error))?;
        let service = Service::Host(host.to_owned());
        let answer = self.bus.request(&service, Bytes::from(body), HOST).await;
        let answer = answer.map_err(|error| gone(&error))?;
        let found = answered(&answer)
            .map_err(|problem| CommandError::Host(format!("host {host}: {problem}")))?;
        Ok(found.map(|found| answer.slice_ref(found)))
    }

    /// Says something of numbered stock.
    pub(crate) async fn set_form(
        &self,
        name: &str,
        act: &FormAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        act.check_numbers()?;
        let id = StreamId::thing(ThingKind::Form, name);
        caller.may(self, Action::KeepStock, Some(&id)).await?;
        let document = match act {
            FormAct::Check { document, .. } => Some(self.document_named(document).await?.0),
            FormAct::Load { .. }
            | FormAct::Witness { .. }
            | FormAct::Unload { .. }
            | FormAct::Void { .. }
            | FormAct::Return { .. }
            | FormAct::Slip { .. }
            | FormAct::Printed { .. } => None,
        };
        let next = |state: Option<&StreamState>| {
            let form = state.and_then(|state| state.body.form());
            let form = form.ok_or_else(|| CommandError::NotFound(named(&id)))?;
            Ok(vec![act.event(form, reason, document.clone())?])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, act.done()))
    }

    /// Holds a queue, or lets it go on.
    pub(crate) async fn set_queue(
        &self,
        name: &str,
        act: QueueAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let id = StreamId::thing(ThingKind::Queue, name);
        caller.may(self, Action::SteerPrints, Some(&id)).await?;
        let next = |state: Option<&StreamState>| {
            state
                .and_then(|state| state.body.queue())
                .ok_or_else(|| CommandError::NotFound(named(&id)))?;
            let reason = reason.to_owned();
            Ok(vec![match act {
                QueueAct::Hold => QueueEvent::QueueHeld(QueueHeld { reason }).into(),
                QueueAct::Release => QueueEvent::QueueReleased(QueueReleased { reason }).into(),
            }])
        };
        let position = self.change(&id, caller, next).await?;
        let done = match act {
            QueueAct::Hold => "held: nothing more goes to its printer",
            QueueAct::Release => "released",
        };
        Ok(applied(position, id, done))
    }
}
