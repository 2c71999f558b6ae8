//! What the recorder accepts about documents, queues and numbered stock. *Invariants:* nothing is sent twice unless a
//! person, and of a form a second one, said so; a number is given once; and only the host that has a document speaks of
//! its printing.

mod stock;

pub use stock::admit_of_form;

use jiff::{SignedDuration, Timestamp};

use super::document::{Document, REPRINTS_MAX, State, Submission};
use super::options::{PageRange, ReleaseBy, Sides, check_ranges};
use super::queue::{KEEP_MS_MAX, QueueDefinition, Transport};
use super::spool::Queue;
use super::stock::{Fate, Form, Numbered};
use crate::envelope::PayloadRef;
use crate::event::{
    EraseReason, FormEvent, Numbers, Origin, PrintEvent, PrintMoved, PrintReprintApproved,
    PrintSpooled, PrintSubmitted, QueueEvent,
};
use crate::ids::{Class, ProducerId, StreamId};
use crate::job::Job;
use crate::ledger::{Policy, SKEW_MS_MAX, need};
use crate::run::Run;
use crate::site::{Thing, ThingKind};

/// What the recorder has at hand beside the stream the event is for.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The stream.
    pub id: &'a StreamId,
    /// Who says it.
    pub source: &'a ProducerId,
    /// Who acted.
    pub actor: Option<&'a str>,
    /// What the envelope commits to.
    pub payload: Option<&'a PayloadRef>,
    /// The run it is of, where it names one.
    pub run: Option<&'a Run>,
    /// The job of that run.
    pub job: Option<&'a Job>,
    /// The queue it names.
    pub queue: Option<&'a Queue>,
    /// The form it names.
    pub form: Option<&'a Form>,
    /// The document it names.
    pub document: Option<&'a Document>,
    /// Rules of the site.
    pub policy: Policy,
    /// When it is received.
    pub received: Timestamp,
}

impl Context<'_> {
    /// Whether whoever acts is somebody else than `other`, as far as the site demands that.
    fn is_another(&self, other: Option<&str>) -> bool {
        self.policy.is_another(self.actor, other)
    }

    /// What a person does has that person's name: on it the rules of two people rest.
    fn check_person(&self) -> Result<(), String> {
        let named = self.actor.is_some_and(|actor| !actor.is_empty());
        need(named || self.source.class() != Class::Console, "it does not say who does it")
    }

    fn is_host(&self, host: &str) -> bool {
        self.source.class() == Class::Executor && self.source.name() == host
    }
}

/// The streams that must be at hand to judge an event of a document.
pub fn reads(event: &PrintEvent) -> Vec<StreamId> {
    let queue = |name: &str| StreamId::thing(ThingKind::Queue, name);
    let form = |name: &str| StreamId::thing(ThingKind::Form, name);
    let of_run = |run: &StreamId| {
        [Some(run.clone()), run.run_job().map(StreamId::job)].into_iter().flatten()
    };
    match event {
        PrintEvent::PrintSpooled(e) => {
            let run = if let Origin::Run { run, .. } = &e.origin { Some(run) } else { None };
            let run = run.into_iter().flat_map(of_run);
            run.chain([queue(&e.queue)]).chain(e.form.as_deref().map(form)).collect()
        }
        PrintEvent::PrintSubmitted(e) => {
            let numbers = e.numbers.iter().map(|numbers| form(&numbers.form));
            std::iter::once(queue(&e.queue)).chain(numbers).collect()
        }
        PrintEvent::PrintMoved(e) => vec![queue(&e.queue)],
        PrintEvent::PrintReprintApproved(e) => e.form.as_deref().map(form).into_iter().collect(),
        PrintEvent::PrintRetried(e) => of_run(&e.run).collect(),
        PrintEvent::PrintHeld(_)
        | PrintEvent::PrintReleased(_)
        | PrintEvent::PrintCodeRefused(_)
        | PrintEvent::PrintChanged(_)
        | PrintEvent::PrintCancelRequested(_)
        | PrintEvent::PrintCancelled(_)
        | PrintEvent::PrintDeferred(_)
        | PrintEvent::PrintAccepted(_)
        | PrintEvent::PrintStopped(_)
        | PrintEvent::PrintContinued(_)
        | PrintEvent::PrintCompleted(_)
        | PrintEvent::PrintFailed(_)
        | PrintEvent::PrintUnknown(_)
        | PrintEvent::PrintResolved(_)
        | PrintEvent::PrintReprintRequested(_)
        | PrintEvent::PrintReprintDeclined(_)
        | PrintEvent::PrintRead(_)
        | PrintEvent::PrintErased(_)
        | PrintEvent::PrintDelivered(_)
        | PrintEvent::PrintDeliveryFailed(_)
        | PrintEvent::PrintDeliveryRetried(_) => Vec::new(),
    }
}

/// The document that an event of a form is about.
pub fn document_of(event: &FormEvent) -> Option<&StreamId> {
    match event {
        FormEvent::FormAllocated(e) => Some(&e.document),
        FormEvent::FormPrinted(e) => Some(&e.document),
        FormEvent::FormReturned(e) => Some(&e.document),
        FormEvent::FormSlipped(e) => Some(&e.document),
        FormEvent::FormChecked(e) => Some(&e.document),
        FormEvent::FormLoaded(_)
        | FormEvent::FormWitnessed(_)
        | FormEvent::FormUnloaded(_)
        | FormEvent::FormVoided(_)
        | FormEvent::FormRegisterRead(_) => None,
    }
}

/// Whether the event may follow in the stream of a document.
///
/// # Errors
/// The rule it breaks.
pub fn admit(
    document: Option<&Document>,
    event: &PrintEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    context.check_person()?;
    let document = match (document, event) {
        (None, PrintEvent::PrintSpooled(e)) => return admit_spooled(e, context),
        (Some(_), PrintEvent::PrintSpooled(_)) => return Err("it is spooled already".to_owned()),
        (None, _) => return Err("there is no such document".to_owned()),
        (Some(document), _) => document,
    };
    if context.source.class() == Class::Executor {
        need(context.is_host(&document.spooled.host), "another host has it")?;
    }
    admit_act(document, event, context)
}

fn admit_spooled(e: &PrintSpooled, context: &Context<'_>) -> Result<(), String> {
    need(context.is_host(&e.host), "a host speaks of its own documents only")?;
    need(context.payload.is_some(), "it commits to no content")?;
    need(e.pages >= 1 && e.bytes >= 1, "a document has a page at least")?;
    need((1..=100).contains(&e.priority), "a priority is 1 to 100")?;
    if let Some((field, problem)) = e.options.problems().first() {
        return Err(format!("{field}: {problem}"));
    }
    check_ranges(&e.options.pages, Some(e.pages))?;
    let queue = context.queue.and_then(|queue| queue.defined.active());
    let queue = queue.ok_or("there is no such queue that is active")?;
    need(queue.reference() == e.definition, "another definition of the queue is active")?;
    let queue = context.queue.and_then(Queue::definition).ok_or("the queue cannot be read")?;
    need(e.release >= queue.release, "the queue asks for somebody to release it")?;
    check_limits(&queue, e)?;
    if let Some(name) = &e.form {
        let form = context.form.and_then(|form| form.defined.active().and(form.definition()));
        let form = form.ok_or_else(|| format!("there is no active form {name}"))?;
        need(form.queue == e.queue, "the form lies in the tray of another queue's printer")?;
        need(e.options.copies == 1, "a form is printed once")?;
        let one_side = e.options.sides.is_none_or(|sides| sides == Sides::OneSided);
        need(
            e.paper && one_side,
            "each sheet of a form has one number: it is printed on one side",
        )?;
        need(
            queue.transport == Transport::Direct,
            "a form goes straight to a printer that counts",
        )?;
    }
    match &e.origin {
        Origin::Run { run, attempt, number, of } => {
            need((1..=*of).contains(number), "it is one of those its run took")?;
            admit_of_run(e, (run, *attempt), &queue, context)
        }
        Origin::Inbox { .. } => {
            let inbox = queue.inbox.as_ref().filter(|inbox| inbox.host == e.host);
            let inbox = inbox.ok_or("the queue watches no directory of this host")?;
            need(e.form.is_none(), "a form is printed by a job")?;
            let same = e.paper
                && e.deliveries == 0
                && e.options == inbox.options
                && e.keep_ms == queue.keep.millis();
            need(same, "its queue says something else")
        }
    }
}

/// What a queue takes.
fn check_limits(queue: &QueueDefinition, spooled: &PrintSpooled) -> Result<(), String> {
    need(
        spooled.bytes <= queue.limit_bytes && spooled.pages <= queue.limit_pages,
        "it is over the limits of its queue",
    )?;
    let takes = queue.formats.is_empty() || queue.formats.contains(&spooled.format);
    need(takes || !spooled.paper, "its queue takes no such documents")
}

fn admit_of_run(
    e: &PrintSpooled,
    (id, attempt): (&StreamId, u32),
    queue: &QueueDefinition,
    context: &Context<'_>,
) -> Result<(), String> {
    let run = own_run(id, attempt, context)?;
    let spans = context.job.map_or(&[][..], |job| &job.versions.spans);
    let span = spans.iter().find(|span| span.digest == run.definition.digest);
    let span = span.ok_or("the definition it ran by is not known any more")?;
    let definition = span.read().map_err(|error| error.to_string())?;
    let work = definition.print.as_ref().ok_or("its job does not print")?;
    let same = work.queue == e.queue
        && work.form == e.form
        && work.purpose == e.purpose
        && work.paper == e.paper
        && work.options == e.options
        && work.priority == e.priority
        && work.keep.unwrap_or(queue.keep).millis() == e.keep_ms
        && (e.deliveries == 0 || !work.deliver.is_empty())
        && context.payload.is_some_and(|payload| payload.class == work.class);
    need(same, "its job says something else")?;
    need(e.release >= work.release, "its job asks for somebody to release it")?;
    let amount = work.control.as_ref().is_some_and(|control| control.amount.is_some());
    let compared = e.control.is_some_and(|seen| !amount || seen.amount_agrees.is_some());
    need(compared || work.control.is_none(), "its job asks for a comparison with a control total")
}

fn own_run<'a>(id: &StreamId, number: u32, context: &Context<'a>) -> Result<&'a Run, String> {
    let run = context.run.ok_or_else(|| format!("there is no {id}"))?;
    let own =
        run.attempts.iter().any(|one| one.number == number && one.producer == *context.source);
    need(own, "it is not an attempt of this host")?;
    let goes_on = run.is_running() && run.attempt().is_some_and(|one| one.number == number);
    need(goes_on, "that attempt has ended")?;
    Ok(run)
}

fn admit_act(document: &Document, event: &PrintEvent, context: &Context<'_>) -> Result<(), String> {
    let state = &document.state;
    let says = |wanted: &str| format!("it is {}, not {wanted}", document.word());
    let is = |holds: bool, wanted: &str| if holds { Ok(()) } else { Err(says(wanted)) };
    let releasing = *state == State::Releasing;
    match event {
        PrintEvent::PrintSpooled(_) => Err("it is spooled already".to_owned()),
        PrintEvent::PrintHeld(_) => is(*state == State::Ready, "ready"),
        PrintEvent::PrintReleased(e) => {
            // Whatever else it waits for beside.
            let code = document.spooled.release != ReleaseBy::Code || e.code;
            need(code, "it is released by giving its code")?;
            match state {
                State::Held { .. } => Ok(()),
                // Nothing of it was sent: the same printing may be tried again.
                State::Failed { sent: false, .. } => {
                    need(document.erased.is_none(), "its content is erased")
                }
                State::Ready
                | State::Releasing
                | State::Printing
                | State::Stopped { .. }
                | State::Printed
                | State::Cancelled { .. }
                | State::Failed { .. }
                | State::Unknown { .. }
                | State::Electronic => Err(says("held")),
            }
        }
        PrintEvent::PrintCodeRefused(e) => {
            is(matches!(state, State::Held { .. }), "held")?;
            need(document.spooled.release == ReleaseBy::Code, "it has no code")?;
            need(e.times == document.wrong_codes + 1, "it is counted otherwise")
        }
        PrintEvent::PrintMoved(e) => admit_moved(document, e, context),
        PrintEvent::PrintChanged(e) => {
            let printed = e.copies.is_some() || e.pages.is_some() || e.priority.is_some();
            let waits = matches!(state, State::Ready | State::Held { .. });
            is(waits || !printed, "ready or held")?;
            need(document.erased.is_none(), "its content is erased")?;
            need(e.priority.is_none_or(|p| (1..=100).contains(&p)), "a priority is 1 to 100")?;
            let once = e.copies.is_none_or(|copies| copies == 1);
            need(once || document.spooled.form.is_none(), "a form is printed once")?;
            let most = super::options::COPIES_MAX;
            need(e.copies.is_none_or(|copies| (1..=most).contains(&copies)), "1 to 999 copies")?;
            let of_form = document.spooled.form.is_some() && e.pages.is_some();
            need(
                !(of_form && is_allotted(document)),
                "numbers were given for these pages already",
            )?;
            need(!(of_form && document.round > 1), "somebody has agreed to these pages")?;
            let keep = e.keep_ms.is_none_or(|keep_ms| keep_ms <= KEEP_MS_MAX);
            need(keep, "it is kept for a century at most")?;
            check_pages(e.pages.as_deref(), document)
        }
        PrintEvent::PrintCancelRequested(_) => {
            is(state.is_at_printer(), "at the printer")?;
            need(document.cancel.is_none(), "that is asked for already")
        }
        PrintEvent::PrintCancelled(_) => match context.source.class() {
            // What the printer may have, only its host can say.
            Class::Console => {
                is(matches!(state, State::Ready | State::Held { .. }), "ready or held")
            }
            Class::Executor | Class::Scheduler | Class::Audit => {
                let held = matches!(state, State::Held { .. });
                is(state.is_at_printer() || *state == State::Ready || held, "open")?;
                // Or a host could let it go: what it cancelled itself is tried again.
                let wanted = document.cancel.is_some() || document.erased.is_some();
                need(!held || wanted, "a person holds it: a person cancels it")
            }
        },
        PrintEvent::PrintSubmitted(e) => admit_submitted(document, e, context),
        PrintEvent::PrintDeferred(_) | PrintEvent::PrintAccepted(_) => is(releasing, "releasing"),
        PrintEvent::PrintStopped(e) => {
            need(!e.troubles.is_empty() && e.troubles.len() <= 20, "1 to 20 troubles")?;
            is(matches!(state, State::Printing | State::Stopped { .. }), "printing")
        }
        PrintEvent::PrintContinued(_) => is(matches!(state, State::Stopped { .. }), "stopped"),
        PrintEvent::PrintCompleted(e) => {
            is(state.is_at_printer() && !releasing, "printing")?;
            let expected = document.submission().map(|one| one.expected);
            let agrees = e.impressions.map(|counted| Some(counted) == expected);
            need(e.agrees == agrees, "what was counted is compared otherwise")
        }
        PrintEvent::PrintFailed(e) => {
            is(state.is_at_printer(), "at the printer")?;
            let counted = e.impressions.is_some_and(|counted| counted > 0);
            need(e.sent || !counted, "the printer counted pages of what was not sent")
        }
        PrintEvent::PrintUnknown(_) => is(state.is_at_printer(), "at the printer"),
        PrintEvent::PrintResolved(e) => {
            is(matches!(state, State::Unknown { .. }), "unknown")?;
            need(!e.evidence.trim().is_empty(), "say how it is known")
        }
        PrintEvent::PrintRetried(e) => {
            own_run(&e.run, e.attempt, context)?;
            need(document.run() == Some(&e.run), "it is of another run")?;
            // What may have reached paper, only a person has printed again.
            let unsent = match state {
                State::Failed { sent, .. } => !sent,
                State::Cancelled { .. } => {
                    need(document.cancelled_by.is_none(), "somebody did not want it")?;
                    document.submissions.iter().all(|one| one.job.is_none())
                }
                State::Ready
                | State::Held { .. }
                | State::Releasing
                | State::Printing
                | State::Stopped { .. }
                | State::Printed
                | State::Unknown { .. }
                | State::Electronic => false,
            };
            need(unsent, "something of it was sent, or it has not ended")?;
            need(document.spooled.form.is_none(), "no retry prints a form")?;
            need(document.erased.is_none(), "its content is erased")
        }
        PrintEvent::PrintReprintRequested(e) => {
            let ended =
                matches!(state, State::Printed | State::Cancelled { .. } | State::Failed { .. });
            is(ended, "printed, cancelled or failed")?;
            need(document.spooled.paper, "it does not go to paper")?;
            need(document.erased.is_none(), "its content is erased")?;
            need(document.request.is_none(), "that is asked for already")?;
            need(document.reprints.len() < REPRINTS_MAX, "it was printed again too often")?;
            check_pages(e.pages.as_deref(), document)
        }
        PrintEvent::PrintReprintApproved(e) => admit_reprint(document, e, context),
        PrintEvent::PrintReprintDeclined(e) => {
            let asked =
                document.request.as_ref().is_some_and(|request| request.number == e.request);
            need(asked, "nothing like that is asked for")
        }
        PrintEvent::PrintRead(_) => need(context.actor.is_some(), "a person reads"),
        PrintEvent::PrintErased(e) => {
            need(document.erased.is_none(), "it is erased already")?;
            is(!state.is_at_printer(), "away from the printer")?;
            // By the clock of its host, which may be ahead.
            let now = context.received + SignedDuration::from_millis(SKEW_MS_MAX);
            let over = document.erase_at().is_some_and(|at| at <= now);
            match e.reason {
                EraseReason::Kept => need(over, "it is to be kept for longer"),
                EraseReason::Redacted => is(state.rests(), "at rest"),
                EraseReason::Lost => Ok(()),
            }
        }
        PrintEvent::PrintDelivered(e) => check_delivery(document, e.delivery),
        PrintEvent::PrintDeliveryFailed(e) => check_delivery(document, e.delivery),
        PrintEvent::PrintDeliveryRetried(e) => {
            need(document.erased.is_none(), "its content is erased")?;
            need((1..=500).contains(&e.deliveries.len()), "1 to 500 deliveries")?;
            let failed = |number: &u32| document.failed_deliveries().any(|(one, _)| one == *number);
            need(e.deliveries.iter().all(failed), "one of them has not failed")
        }
    }
}

fn check_pages(pages: Option<&[PageRange]>, document: &Document) -> Result<(), String> {
    match pages {
        Some(pages) => check_ranges(pages, Some(document.spooled.pages)),
        None => Ok(()),
    }
}

fn check_delivery(document: &Document, number: u32) -> Result<(), String> {
    need((1..=document.spooled.deliveries).contains(&number), "there is no such delivery")?;
    let open = document.deliveries.get(&number);
    let open = open.is_none_or(|one| one.state == super::document::DeliveryState::Again);
    need(open, "what became of it is said already")
}

/// Whether numbers may have been given for the printing that comes next.
fn is_allotted(document: &Document) -> bool {
    document.submissions.iter().any(|one| one.round == document.round)
}

fn admit_moved(document: &Document, e: &PrintMoved, context: &Context<'_>) -> Result<(), String> {
    let waits = matches!(document.state, State::Ready | State::Held { .. });
    need(waits, &format!("it is {}, not ready or held", document.word()))?;
    need(document.spooled.form.is_none(), "a form is printed where its stock lies")?;
    need(document.queue != e.queue, "it is in that queue already")?;
    let queue = context.queue.and_then(|queue| queue.defined.active());
    let queue = queue.ok_or("there is no such queue that is active")?;
    need(queue.reference() == e.definition, "another definition of the queue is active")?;
    // What waits for its code does not get away from that.
    let to = context.queue.and_then(Queue::definition).ok_or("the queue cannot be read")?;
    let open = matches!(document.state, State::Ready);
    need(
        !open || to.release.is_at_once(),
        "that queue asks for somebody to release it: hold it first",
    )?;
    let code = document.spooled.release == ReleaseBy::Code;
    need(!(open && code), "whoever gave its code waits at another printer: hold it first")?;
    need(code || to.release != ReleaseBy::Code, "that queue asks for a code, and it has none")?;
    check_limits(&to, &document.spooled)
}

/// *Invariant:* a printing is submitted again only after the host has said that nothing of it was sent.
fn admit_submitted(
    document: &Document,
    e: &PrintSubmitted,
    context: &Context<'_>,
) -> Result<(), String> {
    need(document.state == State::Ready, &format!("it is {}, not ready", document.word()))?;
    need(document.erased.is_none(), "its content is erased")?;
    need(document.cancel.is_none(), "somebody wants it cancelled")?;
    let next = document.submission().map_or(1, |last| last.number + 1);
    need(e.number == next, "it is counted otherwise")?;
    need(e.round == document.round && e.queue == document.queue, "that is not its printing")?;
    need(e.expected == document.expected(), "that is not what is asked for")?;
    let queue = context.queue.ok_or("there is no such queue")?;
    need(queue.held.is_none(), "its queue is held")?;
    let known = queue.defined.versions.spans.iter().find(|span| span.reference() == e.definition);
    let known = known.ok_or("there is no such definition of the queue")?;
    let direct = match crate::site::state::read(ThingKind::Queue, known) {
        Some(Thing::Queue(queue)) => queue.transport == Transport::Direct,
        Some(_) | None => false,
    };
    need(direct || e.numbers.is_none(), "a form goes straight to a printer that counts")?;
    match (&document.spooled.form, &e.numbers) {
        (None, None) => Ok(()),
        (Some(name), Some(numbers)) if *name == numbers.form => {
            check_numbers(document, numbers, context)
        }
        (_, _) => Err("the numbers it is printed on are said otherwise".to_owned()),
    }
}

fn check_numbers(
    document: &Document,
    numbers: &Numbers,
    context: &Context<'_>,
) -> Result<(), String> {
    let form = context.form.ok_or("there is no such form")?;
    let given = form.of_printing(context.id, document.round);
    let all = given.iter().all(|span| span.fate == Fate::Allocated);
    let same = form.allocation(context.id, document.round) == Some((numbers.first, numbers.last));
    need(all && same, "these numbers were not given to it, or are used")?;
    let count = u64::from(document.options.selected(document.spooled.pages));
    need(
        numbers.last - numbers.first + 1 == count,
        "there is not one number for each of its pages",
    )?;
    let there = given.iter().all(|span| form.is_in_tray(span.first) && form.is_in_tray(span.last));
    need(there, "the stock was taken out: give the numbers back first")?;
    let its = form.definition().is_some_and(|form| form.queue == document.queue);
    need(its, "the form lies in the tray of another queue's printer")
}

/// A reprint of a form: somebody else agrees, and what was printed before is void.
fn admit_reprint(
    document: &Document,
    e: &PrintReprintApproved,
    context: &Context<'_>,
) -> Result<(), String> {
    let request = document.request.as_ref().filter(|request| request.number == e.request);
    let request = request.ok_or("nothing like that is asked for")?;
    let ended =
        matches!(document.state, State::Printed | State::Cancelled { .. } | State::Failed { .. });
    need(ended, &format!("it is {}, not printed, cancelled or failed", document.word()))?;
    need(document.erased.is_none(), "its content is erased")?;
    need(context.is_another(request.by.as_deref()), "nobody approves their own request")?;
    need(document.spooled.form == e.form, "it is printed on another form")?;
    let form = context.form.ok_or("there is no such form")?;
    let pages = request.pages.as_deref().unwrap_or(&document.options.pages);
    match reprinted(document, form, context.id, pages) {
        None => Ok(()),
        Some(span) => Err(format!(
            "number {} is {}: void or spoil what is printed again first",
            form.shown(span.0),
            span.1.word()
        )),
    }
}

/// The first number on which one of these pages was printed, or may have been, and that still counts.
fn reprinted(
    document: &Document,
    form: &Form,
    id: &StreamId,
    pages: &[PageRange],
) -> Option<(u64, Fate)> {
    let all = document.spooled.pages;
    let wanted = |page: u32| {
        pages.is_empty()
            || pages.iter().any(|range| range.from <= page && range.to.is_none_or(|to| page <= to))
    };
    for submission in &document.submissions {
        let Some(numbers) = &submission.numbers else { continue };
        let printed = listed(document.pages_of(submission.round), all);
        let sheets = form.sheets(id, submission.round, (numbers.first, numbers.last));
        for ((place, page), number) in (0..).zip(printed).zip(sheets) {
            if wanted(page)
                && let Some(span) = form.fate(number)
                && is_of(span, id, submission, place)
                && let fate @ (Fate::Allocated | Fate::Printed) = span.fate
            {
                return Some((number, fate));
            }
        }
    }
    None
}

/// Whether a number is still that of a submission: it may have come back since, and been given to another document.
/// What is too old to be told one by one names no document; then those were its that its printer counted.
fn is_of(span: &Numbered, id: &StreamId, submission: &Submission, place: u32) -> bool {
    match &span.document {
        Some(document) => document == id && span.round == submission.round,
        None => submission.impressions.is_none_or(|counted| place < counted),
    }
}

/// The pages that ranges name, one by one.
pub fn listed(ranges: &[PageRange], pages: u32) -> Vec<u32> {
    if ranges.is_empty() {
        return (1..=pages).collect();
    }
    let one = |range: &PageRange| range.from..=range.to.unwrap_or(pages).min(pages);
    ranges.iter().flat_map(one).collect()
}

/// Whether the event may follow in the stream of a queue.
///
/// # Errors
/// The rule it breaks.
pub fn admit_of_queue(
    queue: Option<&Queue>,
    event: &QueueEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    context.check_person()?;
    let queue = queue.ok_or("there is no such queue")?;
    match event {
        QueueEvent::QueueHeld(_) => need(queue.held.is_none(), "it is held already"),
        QueueEvent::QueueReleased(_) => need(queue.held.is_some(), "it is not held"),
        QueueEvent::QueueStopped(e) => {
            need(context.is_host(&e.host), "a host speaks for itself only")?;
            need((1..=20).contains(&e.troubles.len()), "1 to 20 troubles")?;
            need(queue.stopped.get(&e.host) != Some(&e.troubles), "the log knows this already")
        }
        QueueEvent::QueueContinued(e) => {
            need(context.is_host(&e.host), "a host speaks for itself only")?;
            need(queue.stopped.contains_key(&e.host), "it was not said to be stopped")
        }
    }
}
