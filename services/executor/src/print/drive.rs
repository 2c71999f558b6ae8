//! A document's way through a printer. Before each step that paper could come of, the step is in the log.
//!
//! 1. `print.submitted`: this host is about to make a job of it. 2. A job without content is made (Create-Job).
//! 3. `print.accepted`: the job's number. 4. The content is sent, once. 5. The job is followed to its end.
//!
//! Whoever is killed between 1 and 3 looks for the job by its name; between 3 and 5, asks what became of it. Content is
//! never sent a second time into a job, and never sent at all before the log has the job's number.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::envelope::Draft;
use domain::event::{
    FormAllocated, FormPrinted, Numbers, PrintAccepted, PrintDeferred, PrintFailed, PrintStopped,
    PrintSubmitted, PrintUnknown, QueueContinued, QueueStopped,
};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::print::seen::printed_numbers;
use domain::print::stock::Fate;
use domain::print::{Document, QueueDefinition, ReleaseBy, State};
use domain::site::ThingKind;
use printer::{JobFacts, JobId, PrinterError};
use tracing::{info, warn};

use super::books::{Known, fetch, say};
use super::device::{Device, Told, job_name, seen, short, troubles};
use super::password_of;
use crate::host::Host;
use crate::life::{blocking, state};

/// How long to wait before a printer that takes nothing is looked at again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How long between two looks at a job: at first, and at most.
const FOLLOW: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(2));
/// How often a job is made anew that the printer does not know.
const TRIES: u32 = 3;
/// For how long a printer may be silent before that is said.
const SILENCE: Duration = Duration::from_secs(10);
/// For how long a job that has ended may still move paper before its count is taken as it is.
const SETTLE: Duration = Duration::from_secs(20);

/// Works on a queue until nothing of it is left to do.
pub(super) async fn queue(host: &Arc<Host>, name: &str) {
    let mut wait = AGAIN.0;
    while let Some(id) = host.books.next_of(name) {
        let moved = match document(host, &id).await {
            Ok(moved) => moved,
            Err(error) => {
                warn!(document = %id, error = %format!("{error:#}"), "a document cannot be printed now");
                false
            }
        };
        if moved {
            wait = AGAIN.0;
            continue;
        }
        let mut changes = host.books.changes();
        let news = tokio::time::timeout(wait, changes.changed()).await.is_ok();
        wait = if news { AGAIN.0 } else { (wait * 2).min(AGAIN.1) };
    }
}

/// What this life knows of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing: it may be of an earlier life.
    Unknown,
    /// Nothing was sent: it has just been said that something will be.
    Submitted,
    /// There is a job without content.
    Accepted(JobId),
    /// The content was sent, or may have been.
    Sent,
    /// The printer did not take the content.
    NotTaken,
}

/// Takes a document as far as it goes. Whether anything became of it.
async fn document(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<bool> {
    let (mut stage, mut moved) = (Stage::Unknown, false);
    loop {
        let Some(known) = fetch(host, id).await else { return Ok(moved) };
        let Some((device, definition, reference)) = reach(host, id, &known).await? else {
            return Ok(moved);
        };
        let one = One { host, id, device, queue: definition, reference };
        let next = match &known.document.state {
            State::Ready => one.submit(&known).await?,
            State::Releasing => one.make(&known, stage).await?,
            State::Printing | State::Stopped { .. } => one.print(&known, stage).await?,
            State::Held { .. }
            | State::Printed
            | State::Cancelled { .. }
            | State::Failed { .. }
            | State::Unknown { .. }
            | State::Electronic => return Ok(moved),
        };
        match next {
            Some(next) => (stage, moved) = (next, true),
            None => return Ok(moved),
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
    async fn submit(&self, known: &Known) -> anyhow::Result<Option<Stage>> {
        let document = &known.document;
        let in_the_way = match self.device.call(Device::look).await {
            Ok(facts) => troubles(&facts),
            Err(error) => vec![short(&error.to_string())],
        };
        if !in_the_way.is_empty() {
            stopped(self.host, &document.queue, in_the_way).await?;
            return Ok(None);
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
                None => return Ok(None),
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
        Ok(say(self.host, self.id, known, submitted).await?.map(|_| Stage::Submitted))
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
            let (first, last) = match stock.next(count) {
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

    /// Makes a job, or finds the one that was made, and has its number in the log.
    async fn make(&self, known: &Known, stage: Stage) -> anyhow::Result<Option<Stage>> {
        let number = known.document.submission().map_or(1, |last| last.number);
        let name = job_name(self.id, number);
        if stage != Stage::Submitted {
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
                Ok(job) => return self.accepted(known, job, None, Stage::Accepted(job)).await,
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
                        warn!(document = %self.id, %error, "the printer has no such job; it is made again")
                    }
                    Err(error) => return self.deferred(known, &error.to_string()).await,
                },
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
    ) -> anyhow::Result<Option<Stage>> {
        let printer = self.device.call(Device::look).await.ok().and_then(|facts| facts.uuid);
        let accepted = PrintAccepted { job: job.0, uuid, printer };
        // A job that was found has no content: that is sent only after this is in the log.
        let next = if stage == Stage::Unknown { Stage::Accepted(job) } else { stage };
        Ok(say(self.host, self.id, known, accepted).await?.map(|_| next))
    }

    async fn deferred(&self, known: &Known, why: &str) -> anyhow::Result<Option<Stage>> {
        stopped(self.host, &known.document.queue, vec![short(why)]).await?;
        let deferred = PrintDeferred { reason: short(why) };
        say(self.host, self.id, known, deferred).await?;
        Ok(None)
    }

    async fn failed(
        &self,
        known: &Known,
        why: &str,
        impressions: Option<u32>,
        sent: bool,
    ) -> anyhow::Result<Option<Stage>> {
        warn!(document = %self.id, %why, "a document is not printed");
        let failed = PrintFailed { reason: why.chars().take(500).collect(), impressions, sent };
        Ok(say(self.host, self.id, known, failed).await?.map(|_| Stage::Unknown))
    }

    /// Sends the content where that was not done, and follows the job to its end.
    async fn print(&self, known: &Known, stage: Stage) -> anyhow::Result<Option<Stage>> {
        match stage {
            Stage::Accepted(job) => Ok(Some(self.send(known, job).await?)),
            Stage::Unknown | Stage::Submitted | Stage::Sent | Stage::NotTaken => {
                self.follow(known, stage).await
            }
        }
    }

    async fn send(&self, known: &Known, job: JobId) -> anyhow::Result<Stage> {
        let (host, id) = (Arc::clone(self.host), self.id.clone());
        let Some(mut content) = blocking(move || host.books.spool.content(&id)).await? else {
            return Ok(Stage::NotTaken);
        };
        let (format, length) =
            (known.document.spooled.format.media_type(), known.document.spooled.bytes);
        info!(document = %self.id, job = job.0, queue = %known.document.queue, "sending");
        let sent =
            self.device.call(move |device| device.send(job, format, &mut content, length)).await;
        Ok(match sent {
            Ok(()) => Stage::Sent,
            Err(error) => {
                warn!(document = %self.id, %error, "the printer did not say that it took a document");
                if error.is_unknown() { Stage::Sent } else { Stage::NotTaken }
            }
        })
    }

    /// Asks what becomes of the job until it has ended, or until nobody can say.
    async fn follow(&self, known: &Known, stage: Stage) -> anyhow::Result<Option<Stage>> {
        let Some(accepted) = known.document.submission().and_then(|last| last.job.clone()) else {
            anyhow::bail!("the log does not know its job");
        };
        let mut watch = Watch::new(stage, JobId(accepted.job));
        loop {
            let Some(now) = self.host.books.get(self.id) else { return Ok(None) };
            if !now.document.state.is_at_printer() {
                return Ok(Some(stage));
            }
            match self.look(&now, &mut watch, &accepted).await? {
                Look::Over(event) => return self.over(&now, event).await,
                Look::Said => watch.rest = FOLLOW.0,
                Look::Nothing => {}
            }
            let mut changes = self.host.books.changes();
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
        let number = now.document.submission().map_or(1, |last| last.number);
        let (job, name) = (watch.job, job_name(self.id, number));
        let told = self.device.call(move |device| Ok(device.ask_of(job, &name))).await;
        let facts = match told {
            Ok(Told::Job(facts)) => facts,
            Ok(Told::NotKnown(why)) => return Ok(Look::unknown(&why, watch.counted)),
            Ok(Told::Silent(why)) => return self.silent(now, watch, &why).await,
            Err(error) => return self.silent(now, watch, &error.to_string()).await,
        };
        let other = |uuid: &String| facts.uuid.as_ref().is_some_and(|now| now != uuid);
        if accepted.uuid.as_ref().is_some_and(other) {
            return Ok(Look::unknown(
                "another job has its number: the printer began anew",
                watch.counted,
            ));
        }
        watch.silent_since = None;
        watch.counted = facts.impressions_completed.or(watch.counted);
        self.end_what_is_not_wanted(now, watch, &facts).await;
        let unsettled = facts.end().is_some_and(|end| !end.settled);
        if unsettled && watch.unsettled_since.get_or_insert_with(Instant::now).elapsed() < SETTLE {
            return Ok(Look::Nothing);
        }
        let in_the_way = match facts.end() {
            Some(_) => Vec::new(),
            None => self
                .device
                .call(Device::look)
                .await
                .map(|facts| troubles(&facts))
                .unwrap_or_default(),
        };
        let seen = seen(&facts, in_the_way);
        let ended = seen.ended.is_some();
        match domain::print::seen::seen(&now.document, self.queue.transport, &seen) {
            Some(event) if ended => Ok(Look::Over(watch.in_truth(event))),
            Some(event) => {
                say(self.host, self.id, now, event).await?;
                Ok(Look::Said)
            }
            None => Ok(Look::Nothing),
        }
    }

    /// A job somebody wants stopped, and one whose content will never come, is cancelled at the printer.
    async fn end_what_is_not_wanted(&self, now: &Known, watch: &mut Watch, facts: &JobFacts) {
        if watch.stage == Stage::NotTaken {
            watch.not_whole = true;
        }
        if facts.end().is_some() {
            return;
        }
        // Content that was cut off by the end of an earlier life is not sent again, and what is there of it is not printed.
        let incomplete =
            ["job-incoming", "job-data-insufficient"].iter().any(|reason| facts.has_reason(reason));
        let cut_off = watch.stage == Stage::NotTaken || (watch.stage != Stage::Sent && incomplete);
        if cut_off {
            watch.not_whole = true;
        }
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
            return Ok(Look::unknown(&reason, watch.counted));
        }
        let troubles = vec!["does not answer".to_owned()];
        let known = State::Stopped { troubles: troubles.clone() };
        if since >= SILENCE.min(self.queue.patience.as_duration() / 2)
            && now.document.state != known
        {
            let stopped = PrintStopped { troubles, impressions: watch.counted };
            say(self.host, self.id, now, stopped).await?;
        }
        Ok(Look::Nothing)
    }

    async fn over(
        &self,
        now: &Known,
        event: domain::event::PrintEvent,
    ) -> anyhow::Result<Option<Stage>> {
        if say(self.host, self.id, now, event).await?.is_some() {
            account(self.host, self.id).await?;
        }
        Ok(Some(Stage::Unknown))
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
    Over(domain::event::PrintEvent),
    /// Something was said.
    Said,
    /// Nothing is new.
    Nothing,
}

impl Look {
    fn unknown(why: &str, impressions: Option<u32>) -> Self {
        let reason = why.chars().take(500).collect();
        Self::Over(domain::event::PrintEvent::PrintUnknown(PrintUnknown { reason, impressions }))
    }
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
    /// The printer never had all of its content.
    not_whole: bool,
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
            not_whole: false,
        }
    }

    /// A job that we cancelled because its content never came whole has not been cancelled by anybody.
    fn in_truth(&self, event: domain::event::PrintEvent) -> domain::event::PrintEvent {
        use domain::event::PrintEvent;
        let counted = if let PrintEvent::PrintCancelled(e) = &event {
            e.impressions
        } else if let PrintEvent::PrintFailed(e) = &event {
            e.impressions
        } else {
            return event;
        };
        if !self.not_whole {
            return event;
        }
        PrintEvent::PrintFailed(PrintFailed {
            reason: "it was not sent whole, and the printer's job was cancelled".to_owned(),
            impressions: counted,
            // Nothing on paper by the printer's own count: then nothing stands in the way of sending it.
            sent: counted != Some(0),
        })
    }
}

/// Says that documents of a queue wait for its printer, where the log does not know it.
async fn stopped(host: &Arc<Host>, queue: &str, troubles: Vec<String>) -> anyhow::Result<()> {
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
