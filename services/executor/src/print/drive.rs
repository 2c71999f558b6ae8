//! A document's way through a printer. Before each step that paper could come of, the step is in the log.
//!
//! 1. `print.submitted`: this host is about to make a job of it. 2. A job without content is made (Create-Job).
//! 3. `print.accepted`: the job's number. 4. The content is sent, once. 5. The job is followed to its end.
//!
//! Whoever is killed between 1 and 3 looks for the job by its name; between 3 and 5, asks what became of it. Content is
//! never sent a second time into a job, and never sent at all before the log has the job's number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::envelope::Draft;
use domain::event::{
    FormAllocated, FormPrinted, Numbers, PrintAccepted, PrintCancelled, PrintDeferred, PrintEvent,
    PrintFailed, PrintStopped, PrintSubmitted, PrintUnknown, QueueContinued, QueueStopped,
};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::print::seen::printed_numbers;
use domain::print::stock::Fate;
use domain::print::{Document, QueueDefinition, ReleaseBy, State, Transport};
use domain::site::ThingKind;
use printer::{HowEnded, JobFacts, JobId, PrinterError};
use tracing::{info, warn};

use super::books::{Known, Said, fetch, say};
use super::device::{Device, Told, at_work, job_name, seen, short, troubles};
use super::password_of;
use crate::host::Host;
use crate::life::{blocking, state};

/// How long to wait before a printer that takes nothing is looked at again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How long between two looks at a job: at first, and at most.
const FOLLOW: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(2));
/// Most troubles that are said at once.
const TROUBLES_MAX: usize = 20;
/// How long before a printer that takes no job for now is asked for one again.
const TURN: Duration = Duration::from_secs(2);
/// How often a job is made anew that the printer does not know.
const TRIES: u32 = 3;
/// For how long a printer may be silent before that is said.
const SILENCE: Duration = Duration::from_secs(10);
/// For how long a job that has ended may still move paper before its count is taken as it is.
const SETTLE: Duration = Duration::from_secs(20);

/// Works on a queue until nothing of it is left to do. A document that makes trouble of its own keeps no other waiting.
pub(super) async fn queue(host: &Arc<Host>, name: &str) {
    let (mut wait, mut failed) = (AGAIN.0, BTreeSet::new());
    let mut cleared = Instant::now();
    loop {
        // However much is heard of other queues.
        if cleared.elapsed() >= AGAIN.1 {
            failed.clear();
            cleared = Instant::now();
        }
        let way = match host.books.next_of(name, &failed) {
            Some(id) => match document(host, name, &id).await {
                Ok(way) => {
                    if way == Way::Stuck {
                        failed.insert(id);
                    }
                    way
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    warn!(document = %id, %error, "a document cannot be printed now");
                    failed.insert(id);
                    Way::Stuck
                }
            },
            None if failed.is_empty() => return,
            None => Way::Waits,
        };
        if way != Way::Waits {
            wait = AGAIN.0;
            continue;
        }
        // What is heard of any document is news; what was tried in vain is tried again only after a while.
        let mut changes = host.books.changes();
        let news = tokio::time::timeout(wait, changes.changed()).await.is_ok();
        if news {
            tokio::time::sleep(AGAIN.0).await;
        } else {
            wait = (wait * 2).min(AGAIN.1);
            failed.clear();
        }
    }
}

/// What became of a look at a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Something.
    Moved,
    /// Its queue has to wait.
    Waits,
    /// It has to wait itself, and others need not.
    Stuck,
}

/// What comes next.
enum Next {
    /// This.
    Go(Stage),
    /// Nothing, as long as the printer or the stock is as it is.
    Wait,
    /// Nothing: the log does not take what would have to be said.
    Stuck,
}

/// What this life knows of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing: it may be of an earlier life.
    Unknown,
    /// Nothing was sent: it has just been said that something will be.
    Submitted,
    /// Nothing was sent: the printer takes no job for now.
    Waiting,
    /// There is a job without content.
    Accepted(JobId),
    /// The printer has taken the content.
    Sent,
    /// Some of the content was sent, and perhaps all of it.
    Cut,
    /// The printer did not take the content.
    NotTaken,
}

/// Takes a document as far as it goes.
async fn document(host: &Arc<Host>, queue: &str, id: &StreamId) -> anyhow::Result<Way> {
    let (mut stage, mut way) = (Stage::Unknown, Way::Waits);
    loop {
        let Some(known) = fetch(host, id).await else { return Ok(Way::Stuck) };
        let document = &known.document;
        if document.queue != queue || document.state.rests() {
            return Ok(Way::Moved);
        }
        let unsent = matches!(document.state, State::Ready | State::Releasing);
        if let (true, Some(reason)) = (unsent, document.cancel.clone()) {
            let cancelled = PrintCancelled { reason, impressions: None };
            let said = say(host, id, &known, PrintEvent::PrintCancelled(cancelled)).await?;
            return Ok(if said == Said::Yes { Way::Moved } else { Way::Stuck });
        }
        let Some((device, definition, reference)) = reach(host, id, &known).await? else {
            return Ok(way);
        };
        let one = One { host, id, device, queue: definition, reference };
        let next = if document.state == State::Ready {
            one.submit(&known).await?
        } else if document.state == State::Releasing {
            one.make(&known, stage).await?
        } else {
            one.print(&known, stage).await?
        };
        match next {
            Next::Go(next) => (stage, way) = (next, Way::Moved),
            Next::Wait => return Ok(way),
            Next::Stuck => return Ok(Way::Stuck),
        }
    }
}

/// The printer of a document's queue; `None` where it is not to be reached now, and that is said.
async fn reach(
    host: &Arc<Host>,
    id: &StreamId,
    known: &Known,
) -> anyhow::Result<Option<(Device, QueueDefinition, domain::event::DefinitionRef)>> {
    let name = &known.document.queue;
    let Some(found) = state(host, &StreamId::thing(ThingKind::Queue, name)).await else {
        anyhow::bail!("there is no queue {name}");
    };
    let Some(queue) = found.body.queue() else { anyhow::bail!("{name} is no queue") };
    // What is at the printer is followed, whoever holds the queue.
    let waits = known.document.state == State::Ready;
    let hindered = queue.held.is_some() || host.is_drained();
    if waits && (hindered || !code_was_given(host, id, &known.document)) {
        return Ok(None);
    }
    let (Some(definition), Some(span)) = (queue.definition(), queue.defined.newest()) else {
        anyhow::bail!("the definition of queue {name} cannot be read: upgrade this executor");
    };
    let reference = span.reference();
    if let Err(refused) = host.allow.check_printer(&definition, &host.user) {
        stopped(host, name, vec![short(&refused.to_string())]).await?;
        return Ok(None);
    }
    let password = password_of(host, &definition).await;
    let made = match password {
        Ok(password) => {
            Device::new(&definition, &host.allow.reaching_printers(), password, &host.name)
                .map_err(|error| error.to_string())
        }
        Err(problem) => Err(problem),
    };
    match made {
        Ok(device) => Ok(Some((device, definition, reference))),
        Err(problem) => {
            stopped(host, name, vec![short(&problem)]).await?;
            Ok(None)
        }
    }
}

/// A document that waits for its code goes only after this host was given it, whatever anybody says.
fn code_was_given(host: &Host, id: &StreamId, document: &Document) -> bool {
    document.spooled.release != ReleaseBy::Code || host.books.spool.code_was_given(id)
}

/// One document at one printer.
struct One<'a> {
    host: &'a Arc<Host>,
    id: &'a StreamId,
    device: Device,
    queue: QueueDefinition,
    reference: domain::event::DefinitionRef,
}

impl One<'_> {
    /// Says that a job will be made, where the printer takes one.
    async fn submit(&self, known: &Known) -> anyhow::Result<Next> {
        let document = &known.document;
        let in_the_way = match self.device.call(Device::look).await {
            Ok(facts) => troubles(&facts),
            Err(error) => vec![short(&error.to_string())],
        };
        if !in_the_way.is_empty() {
            stopped(self.host, &document.queue, in_the_way).await?;
            return Ok(Next::Wait);
        }
        if !self.is_whole(document).await? {
            // It was never sent: whoever wants it prints it from its source.
            anyhow::bail!(
                "its content is lost or damaged on this host; cancel it, and print it from its source"
            );
        }
        let numbers = match &document.spooled.form {
            None => None,
            Some(form) => match self.numbers(form, document).await? {
                Some(numbers) => Some(numbers),
                None => return Ok(Next::Wait),
            },
        };
        continued(self.host, &document.queue).await?;
        let submitted = PrintSubmitted {
            number: document.submission().map_or(1, |last| last.number + 1),
            round: document.round,
            queue: document.queue.clone(),
            definition: self.reference.clone(),
            expected: document.expected(),
            numbers,
        };
        self.say_then(known, PrintEvent::PrintSubmitted(submitted), Next::Go(Stage::Submitted))
            .await
    }

    /// Says something, and what comes next when it is said. What the log refuses, it never takes.
    async fn say_then(&self, known: &Known, event: PrintEvent, next: Next) -> anyhow::Result<Next> {
        Ok(match say(self.host, self.id, known, event).await? {
            Said::Yes => next,
            Said::Moved => Next::Go(Stage::Unknown),
            Said::Refused(_) => Next::Stuck,
        })
    }

    async fn is_whole(&self, document: &Document) -> anyhow::Result<bool> {
        let (host, id, commitment) =
            (Arc::clone(self.host), self.id.clone(), document.content.commitment);
        blocking(move || host.books.spool.is_whole(&id, &commitment)).await
    }

    /// The numbers this printing has, or is given now; `None` where there is no stock, and that is said.
    async fn numbers(&self, form: &str, document: &Document) -> anyhow::Result<Option<Numbers>> {
        let stream = StreamId::thing(ThingKind::Form, form);
        loop {
            let Some(found) = state(self.host, &stream).await else {
                anyhow::bail!("there is no form {form}")
            };
            let Some(stock) = found.body.form() else { anyhow::bail!("{form} is no form") };
            if let Some((first, last)) = stock.allocation(self.id, document.round) {
                let free = stock.of_printing(self.id, document.round);
                if free.iter().any(|span| span.fate != Fate::Allocated) {
                    anyhow::bail!("its numbers are used already: ask for a reprint");
                }
                return Ok(Some(Numbers { form: form.to_owned(), first, last }));
            }
            let count = u64::from(document.options.selected(document.spooled.pages));
            let next = stock.next(count);
            let next = match next {
                Ok((first, last)) => {
                    self.check_sheets(document, first).await?.map(|()| (first, last))
                }
                Err(reason) => Err(reason),
            };
            let (first, last) = match next {
                Ok(next) => next,
                Err(reason) => {
                    stopped(
                        self.host,
                        &document.queue,
                        vec![short(&format!("form {form}: {reason}"))],
                    )
                    .await?;
                    return Ok(None);
                }
            };
            let allocated =
                FormAllocated { document: self.id.clone(), round: document.round, first, last };
            let draft = Draft::new(stream.clone(), found.version + 1, allocated);
            match self.host.outbox.say(draft).await?.mark {
                // Another document was faster: there are other numbers now.
                Mark::Valid | Mark::Conflict { .. } => {}
                Mark::Refused { reason } => {
                    anyhow::bail!("the log does not give it numbers: {reason}")
                }
            }
        }
    }

    /// Where the document itself prints numbers, they are those of the sheets.
    async fn check_sheets(
        &self,
        document: &Document,
        first: u64,
    ) -> anyhow::Result<Result<(), String>> {
        let (host, id) = (Arc::clone(self.host), self.id.clone());
        let Some(facts) = blocking(move || host.books.spool.facts(&id)).await? else {
            anyhow::bail!("what its sheets say is lost on this host");
        };
        let numbered = facts.sheets.iter().filter_map(|sheet| Some((sheet.page, sheet.number?)));
        let numbered: BTreeMap<u32, u64> = numbered.collect();
        let pages = domain::print::listed(&document.options.pages, document.spooled.pages);
        for (page, number) in pages.into_iter().zip(first..) {
            if let Some(said) = numbered.get(&page).filter(|said| **said != number) {
                return Ok(Err(format!(
                    "page {page} says number {said}, the next sheet has {number}"
                )));
            }
        }
        Ok(Ok(()))
    }

    /// Makes a job, or finds the one that was made, and has its number in the log.
    async fn make(&self, known: &Known, stage: Stage) -> anyhow::Result<Next> {
        let number = number(&known.document);
        let name = job_name(self.id, number);
        if !matches!(stage, Stage::Submitted | Stage::Waiting) {
            match self.find(&name).await {
                Ok(Some(job)) => return self.accepted(known, job.id, job.uuid, stage).await,
                Ok(None) => {}
                // Nothing was sent: it can wait for the printer as well as any other.
                Err(error) => return self.deferred(known, &error.to_string()).await,
            }
        }
        let ask = match self.device.ask(self.id, number, &known.document) {
            Ok(ask) => ask,
            Err(problem) => return self.failed(known, &problem, None, false).await,
        };
        for _ in 0..TRIES {
            let asked = ask.clone();
            let made = self.device.call(move |device| {
                device.validate(&asked)?;
                device.create(&asked)
            });
            match made.await {
                Ok(job) => {
                    if stage == Stage::Waiting {
                        continued(self.host, &known.document.queue).await?;
                    }
                    return self.accepted(known, job, None, Stage::Accepted(job)).await;
                }
                Err(PrinterError::Unreached { why, .. }) => {
                    return self.deferred(known, &why).await;
                }
                Err(error) if error.is_unknown() => match self.find(&name).await {
                    Ok(Some(job)) => {
                        return self
                            .accepted(known, job.id, job.uuid, Stage::Accepted(job.id))
                            .await;
                    }
                    Ok(None) => {
                        warn!(document = %self.id, %error, "the printer has no such job; it is made again");
                    }
                    Err(error) => return self.deferred(known, &error.to_string()).await,
                },
                // It will take it later.
                Err(error @ PrinterError::Refused { .. }) if is_for_now(&error) => {
                    return self.wait_for_turn(known, &error.to_string()).await;
                }
                // Asked and not answered, without having changed anything.
                Err(error @ (PrinterError::Lost { .. } | PrinterError::Malformed { .. })) => {
                    return self.deferred(known, &error.to_string()).await;
                }
                Err(error) => return self.failed(known, &error.to_string(), None, false).await,
            }
        }
        self.failed(known, "the printer does not keep the job that is made at it", None, false)
            .await
    }

    async fn find(&self, name: &str) -> Result<Option<JobFacts>, PrinterError> {
        let name = name.to_owned();
        self.device.call(move |device| device.find(&name)).await
    }

    async fn accepted(
        &self,
        known: &Known,
        job: JobId,
        uuid: Option<String>,
        stage: Stage,
    ) -> anyhow::Result<Next> {
        let printer = self.device.call(Device::look).await.ok().and_then(|facts| facts.uuid);
        let uuid = match uuid {
            Some(uuid) => Some(uuid),
            None => self.uuid(job, known).await,
        };
        let accepted = PrintAccepted { job: job.0, uuid, printer };
        // A job that was found has no content: that is sent only after this is in the log.
        let next = if stage == Stage::Unknown { Stage::Accepted(job) } else { stage };
        self.say_then(known, PrintEvent::PrintAccepted(accepted), Next::Go(next)).await
    }

    /// The identity of a job, where the printer gives one.
    async fn uuid(&self, job: JobId, known: &Known) -> Option<String> {
        let name = job_name(self.id, number(&known.document));
        match self.device.call(move |device| Ok(device.ask_of(job, &name))).await {
            Ok(Told::Job(facts)) => facts.uuid,
            Ok(Told::NotKnown(_) | Told::Silent(_)) | Err(_) => None,
        }
    }

    /// A printer that takes no job for now is asked again after a rest, and nothing is said each time.
    async fn wait_for_turn(&self, known: &Known, why: &str) -> anyhow::Result<Next> {
        let queue = &known.document.queue;
        stopped(self.host, queue, vec![short(why)]).await?;
        tokio::time::sleep(TURN).await;
        let found = state(self.host, &StreamId::thing(ThingKind::Queue, queue)).await;
        let is_held =
            found.is_some_and(|found| found.body.queue().is_some_and(|queue| queue.held.is_some()));
        if is_held || self.host.is_drained() {
            return self.deferred(known, why).await;
        }
        Ok(Next::Go(Stage::Waiting))
    }

    async fn deferred(&self, known: &Known, why: &str) -> anyhow::Result<Next> {
        stopped(self.host, &known.document.queue, vec![short(why)]).await?;
        let deferred = PrintEvent::PrintDeferred(PrintDeferred { reason: short(why) });
        self.say_then(known, deferred, Next::Wait).await
    }

    async fn failed(
        &self,
        known: &Known,
        why: &str,
        impressions: Option<u32>,
        sent: bool,
    ) -> anyhow::Result<Next> {
        warn!(document = %self.id, %why, "a document is not printed");
        let failed = PrintFailed { reason: why.chars().take(500).collect(), impressions, sent };
        self.say_then(known, PrintEvent::PrintFailed(failed), Next::Go(Stage::Unknown)).await
    }

    /// Sends the content where that was not done, and follows the job to its end.
    async fn print(&self, known: &Known, stage: Stage) -> anyhow::Result<Next> {
        match stage {
            // Not wanted any more: the job without content is ended.
            Stage::Accepted(_) if known.document.cancel.is_some() => {
                self.follow(known, Stage::NotTaken).await
            }
            Stage::Accepted(job) => Ok(Next::Go(self.send(known, job).await?)),
            Stage::Unknown | Stage::Submitted | Stage::Waiting => {
                self.follow(known, self.remembered(known)).await
            }
            Stage::Sent | Stage::Cut | Stage::NotTaken => self.follow(known, stage).await,
        }
    }

    /// How far an earlier life came, by what it noted on disk.
    fn remembered(&self, known: &Known) -> Stage {
        let number = number(&known.document);
        let noted =
            |what: &str| self.host.books.spool.has_note(self.id, &format!("{what}-{number}"));
        match (noted("sent"), noted("sending")) {
            (true, _) => Stage::Sent,
            (false, true) => Stage::Cut,
            (false, false) => Stage::NotTaken,
        }
    }

    async fn send(&self, known: &Known, job: JobId) -> anyhow::Result<Stage> {
        let number = number(&known.document);
        let (host, id) = (Arc::clone(self.host), self.id.clone());
        let content = blocking(move || {
            let content = host.books.spool.content(&id)?;
            host.books.spool.note(&id, &format!("sending-{number}"))?;
            Ok(content)
        });
        let Some(mut content) = content.await? else { return Ok(Stage::NotTaken) };
        let spooled = &known.document.spooled;
        let (format, length) = (spooled.format.media_type(), spooled.bytes);
        info!(document = %self.id, job = job.0, queue = %known.document.queue, "sending");
        let sent =
            self.device.call(move |device| device.send(job, format, &mut content, length)).await;
        match sent {
            Ok(()) => {
                let (host, id) = (Arc::clone(self.host), self.id.clone());
                blocking(move || Ok(host.books.spool.note(&id, &format!("sent-{number}"))?))
                    .await?;
                Ok(Stage::Sent)
            }
            Err(error) => {
                warn!(document = %self.id, %error, "the printer did not say that it took a document");
                Ok(if error.is_unknown() { Stage::Cut } else { Stage::NotTaken })
            }
        }
    }

    /// Asks what becomes of the job until it has ended, or until nobody can say.
    async fn follow(&self, known: &Known, stage: Stage) -> anyhow::Result<Next> {
        let Some(accepted) = known.document.submission().and_then(|last| last.job.clone()) else {
            anyhow::bail!("the log does not know its job");
        };
        let mut watch = Watch::new(stage, JobId(accepted.job));
        loop {
            let mut changes = self.host.books.changes();
            let Some(now) = self.host.books.get(self.id) else { return Ok(Next::Stuck) };
            if !now.document.state.is_at_printer() {
                return Ok(Next::Go(stage));
            }
            match self.look(&now, &mut watch, &accepted).await? {
                Look::Over(event) => return self.over(&now, *event).await,
                Look::Said => {
                    watch.rest = FOLLOW.0;
                    // It is no news to whoever said it.
                    changes.mark_unchanged();
                }
                Look::Nothing => {}
            }
            let _ = tokio::time::timeout(watch.rest, changes.changed()).await;
            watch.rest = (watch.rest * 2).min(FOLLOW.1);
        }
    }

    async fn look(
        &self,
        now: &Known,
        watch: &mut Watch,
        accepted: &PrintAccepted,
    ) -> anyhow::Result<Look> {
        let (job, name) = (watch.job, job_name(self.id, number(&now.document)));
        let told = self.device.call(move |device| Ok(device.ask_of(job, &name))).await;
        let facts = match told {
            Ok(Told::Job(facts)) => facts,
            Ok(Told::NotKnown(why)) => return Ok(self.unknown(&why, watch)),
            Ok(Told::Silent(why)) => return self.silent(now, watch, &why).await,
            Err(error) => return self.silent(now, watch, &error.to_string()).await,
        };
        let printer = self.device.call(Device::look).await;
        if let (Some(before), Ok(now)) = (&accepted.printer, &printer)
            && now.uuid.as_ref().is_some_and(|uuid| uuid != before)
        {
            return Ok(self.unknown("another printer answers at its address", watch));
        }
        let other = |uuid: &String| facts.uuid.as_ref().is_some_and(|now| now != uuid);
        if accepted.uuid.as_ref().is_some_and(other) {
            return Ok(self.unknown("another job has its number: the printer began anew", watch));
        }
        watch.silent_since = None;
        watch.counted = facts.impressions_completed.or(watch.counted);
        self.end_what_is_not_wanted(now, watch, &facts).await;
        let unsettled = facts.end().is_some_and(|end| !end.settled);
        if unsettled && watch.unsettled_since.get_or_insert_with(Instant::now).elapsed() < SETTLE {
            return Ok(Look::Nothing);
        }
        let in_the_way = match (facts.end(), &printer) {
            (None, Ok(facts)) => at_work(facts),
            (Some(_), _) | (None, Err(_)) => Vec::new(),
        };
        watch.doubtful = is_doubtful(&facts, self.queue.transport);
        let seen = seen(&facts, in_the_way);
        let ended = seen.ended.is_some();
        match domain::print::seen::seen(&now.document, self.queue.transport, &seen) {
            Some(event) if ended => Ok(Look::Over(Box::new(watch.in_truth(event, &now.document)))),
            Some(event) => {
                say(self.host, self.id, now, event).await?;
                Ok(Look::Said)
            }
            None => Ok(Look::Nothing),
        }
    }

    /// A job somebody wants stopped, and one whose content will never come, is cancelled at the printer.
    async fn end_what_is_not_wanted(&self, now: &Known, watch: &mut Watch, facts: &JobFacts) {
        if facts.end().is_some() {
            return;
        }
        // Content that was cut off is not sent again, and what is there of it is not printed. A printer that does not say that
        // it waits for more is given as long as its queue has patience.
        let incomplete =
            ["job-incoming", "job-data-insufficient"].iter().any(|reason| facts.has_reason(reason));
        let too_long = watch.began.elapsed() >= self.queue.patience.as_duration();
        let nothing = facts.impressions_completed.unwrap_or(0) == 0;
        let cut = watch.stage == Stage::Cut && nothing && (incomplete || too_long);
        let cut_off = watch.stage == Stage::NotTaken || cut;
        if !(cut_off || now.document.cancel.is_some()) || watch.cancelled {
            return;
        }
        let job = watch.job;
        match self.device.call(move |device| device.cancel(job)).await {
            Ok(()) => watch.cancelled = true,
            Err(PrinterError::Refused { status, .. }) => {
                info!(document = %self.id, %status, "the printer does not cancel it");
                watch.cancelled = true;
            }
            Err(error) => warn!(document = %self.id, %error, "it cannot be cancelled yet"),
        }
    }

    /// A printer that does not answer is asked again, as long as its queue has patience.
    async fn silent(&self, now: &Known, watch: &mut Watch, why: &str) -> anyhow::Result<Look> {
        let since = watch.silent_since.get_or_insert_with(Instant::now).elapsed();
        if since >= self.queue.patience.as_duration() {
            let reason = format!("the printer has not answered for {}: {why}", self.queue.patience);
            return Ok(self.unknown(&reason, watch));
        }
        let troubles = vec!["does not answer".to_owned()];
        let known = State::Stopped { troubles: troubles.clone() };
        if since >= SILENCE.min(self.queue.patience.as_duration() / 2)
            && now.document.state != known
        {
            let stopped = PrintStopped { troubles, impressions: self.counted(watch) };
            say(self.host, self.id, now, stopped).await?;
        }
        Ok(Look::Nothing)
    }

    /// What was counted, as far as it is evidence.
    fn counted(&self, watch: &Watch) -> Option<u32> {
        watch.counted.filter(|_| self.queue.transport == Transport::Direct)
    }

    fn unknown(&self, why: &str, watch: &Watch) -> Look {
        let reason = why.chars().take(500).collect();
        let unknown = PrintUnknown { reason, impressions: self.counted(watch) };
        Look::Over(Box::new(PrintEvent::PrintUnknown(unknown)))
    }

    async fn over(&self, now: &Known, event: PrintEvent) -> anyhow::Result<Next> {
        let next = self.say_then(now, event, Next::Go(Stage::Unknown)).await?;
        account(self.host, self.id).await?;
        Ok(next)
    }
}

/// The number of the newest submission.
fn number(document: &Document) -> u32 {
    document.submission().map_or(1, |last| last.number)
}

/// Whether a printer only has no time just now.
fn is_for_now(error: &PrinterError) -> bool {
    let PrinterError::Refused { status, .. } = error else { return false };
    let busy =
        ["busy", "not-accepting-jobs", "temporary-error", "service-unavailable", "device-error"];
    busy.iter().any(|word| status.as_str() == format!("server-error-{word}"))
}

/// Whether a job that is completed may have left pages out, or was only given on.
fn is_doubtful(facts: &JobFacts, transport: Transport) -> bool {
    match facts.end().map(|end| end.how) {
        Some(HowEnded::GivenOn) => transport == Transport::Direct,
        Some(HowEnded::CompletedWithErrors) => true,
        Some(
            HowEnded::Completed
            | HowEnded::CompletedWithWarnings
            | HowEnded::Aborted
            | HowEnded::Canceled,
        )
        | None => false,
    }
}

/// Has in the log which numbers of a form carry a page, by the printer's own count.
pub(super) async fn account(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let Some(known) = fetch(host, id).await else { return Ok(()) };
    let Some(last) = known.document.submission().filter(|last| last.ended.is_some()) else {
        return Ok(());
    };
    let Some(numbers) = &last.numbers else { return Ok(()) };
    let Some((first, end)) = printed_numbers(numbers.first, numbers.last, last.impressions) else {
        return Ok(());
    };
    let stream = StreamId::thing(ThingKind::Form, &numbers.form);
    loop {
        let Some(found) = state(host, &stream).await else { return Ok(()) };
        let open = |number: u64| {
            found
                .body
                .form()
                .and_then(|form| form.fate(number))
                .is_some_and(|span| span.fate == Fate::Allocated)
        };
        // What somebody has accounted for meanwhile stays as they said.
        let Some(from) = (first..=end).find(|number| open(*number)) else { return Ok(()) };
        let to = (from..=end).take_while(|number| open(*number)).last().unwrap_or(from);
        let printed = FormPrinted {
            document: id.clone(),
            round: last.round,
            first: from,
            last: to,
            evidence: String::new(),
        };
        let draft = Draft::new(stream.clone(), found.version + 1, printed);
        match host.outbox.say(draft).await?.mark {
            Mark::Valid | Mark::Conflict { .. } => {}
            Mark::Refused { reason } => {
                anyhow::bail!("the log does not take which numbers were printed: {reason}")
            }
        }
    }
}

/// What a look at a job came to.
enum Look {
    /// It is over, and this is said.
    Over(Box<PrintEvent>),
    /// Something was said.
    Said,
    /// Nothing is new.
    Nothing,
}

/// What is kept in mind while a job is followed.
struct Watch {
    stage: Stage,
    job: JobId,
    rest: Duration,
    counted: Option<u32>,
    silent_since: Option<Instant>,
    unsettled_since: Option<Instant>,
    cancelled: bool,
    began: Instant,
    /// The printer says itself that something is missing, or has only given it on.
    doubtful: bool,
}

impl Watch {
    fn new(stage: Stage, job: JobId) -> Self {
        Self {
            stage,
            job,
            rest: FOLLOW.0,
            counted: None,
            silent_since: None,
            unsettled_since: None,
            cancelled: false,
            began: Instant::now(),
            doubtful: false,
        }
    }

    /// What a printer says of a job whose content it never had, or may not have had whole, is not all there is to say.
    fn in_truth(&self, event: PrintEvent, document: &Document) -> PrintEvent {
        let unsent = self.stage == Stage::NotTaken;
        if let PrintEvent::PrintCompleted(e) = &event {
            let whole = self.stage == Stage::Sent && !self.doubtful;
            return match (unsent, e.agrees) {
                (true, _) => not_sent(e.impressions, true),
                (false, Some(true)) => event,
                (false, _) if whole => event,
                (false, _) => {
                    let reason =
                        "the printer calls it done, and nobody knows whether it had all of it"
                            .to_owned();
                    PrintEvent::PrintUnknown(PrintUnknown { reason, impressions: e.impressions })
                }
            };
        }
        // What somebody wanted cancelled is cancelled.
        if document.cancel.is_some() {
            return event;
        }
        let cut = unsent || (self.stage == Stage::Cut && self.cancelled);
        if let (true, PrintEvent::PrintCancelled(e)) = (cut, &event) {
            return not_sent(e.impressions, unsent);
        }
        if let (true, PrintEvent::PrintFailed(e)) = (cut, &event) {
            return not_sent(e.impressions, unsent);
        }
        event
    }
}

/// Its content never came whole. Where the printer has counted nothing, nothing stands in the way of sending it.
fn not_sent(impressions: Option<u32>, nothing: bool) -> PrintEvent {
    PrintEvent::PrintFailed(PrintFailed {
        reason: "it was not sent whole, and the printer's job was ended".to_owned(),
        impressions,
        sent: impressions.map_or(!nothing, |count| count > 0),
    })
}

/// Says that documents of a queue wait for its printer, where the log does not know it.
async fn stopped(host: &Arc<Host>, queue: &str, mut troubles: Vec<String>) -> anyhow::Result<()> {
    troubles.truncate(TROUBLES_MAX);
    let id = StreamId::thing(ThingKind::Queue, queue);
    let Some(found) = state(host, &id).await else { return Ok(()) };
    if found.body.queue().and_then(|queue| queue.stopped.get(&host.name)) == Some(&troubles) {
        return Ok(());
    }
    warn!(%queue, ?troubles, "documents wait");
    let event = QueueStopped { host: host.name.clone(), troubles };
    host.outbox.say(Draft::new(id, found.version + 1, event)).await?;
    Ok(())
}

/// Says that the printer of a queue takes documents again, where the log thinks otherwise.
async fn continued(host: &Arc<Host>, queue: &str) -> anyhow::Result<()> {
    let id = StreamId::thing(ThingKind::Queue, queue);
    let Some(found) = state(host, &id).await else { return Ok(()) };
    if found.body.queue().is_some_and(|queue| queue.stopped.contains_key(&host.name)) {
        let event = QueueContinued { host: host.name.clone() };
        host.outbox.say(Draft::new(id, found.version + 1, event)).await?;
    }
    Ok(())
}
