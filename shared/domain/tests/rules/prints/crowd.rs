//! A world in small: documents of two hosts, people who act at random, printers that count what they like. Whatever is
//! said, what the recorder took leaves every check printed once, every number with one fate, and nothing sent twice.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{
    Event, FormEvent, FormPrinted, FormReturned, FormSlipped, FormUnloaded, FormVoided,
    PrintChanged, PrintContinued, PrintDeferred, PrintEvent, PrintMoved, PrintReprintApproved,
    PrintReprintDeclined, PrintReprintRequested, PrintResolved, PrintRetried, QueueHeld,
    QueueReleased, Spent,
};
use domain::print::stock::Fate;
use domain::print::{PageRange, ReleaseBy, State};

use super::reprints::requested;
use super::states::changed;
use super::*;

/// Events that are tried in a world.
const STEPS: u64 = 400;
const WORLDS: u64 = 80;
const PEOPLE: [&str; 4] = ["user/ana", "user/bob", "user/cyd", "user/dan"];
const KINDS: [&str; 8] = [
    "report",
    "checks",
    "checks",
    "secret",
    "secret-checks",
    "other",
    "other-checks",
    "other-checks",
];

/// What somebody who writes down every event knows, and the recorder does not ask.
#[derive(Default)]
struct Watcher {
    /// Submissions of each printing of which it was not said that nothing was sent.
    open: BTreeMap<(StreamId, u32), i64>,
    /// Jobs that were given content, or may have been, of each printing.
    sent: BTreeMap<(StreamId, u32), i64>,
    /// How often each number was printed.
    printed: BTreeMap<u64, u32>,
    /// What became of each number so far.
    fates: BTreeMap<u64, Fate>,
    /// Documents whose code was given for the printing that comes.
    let_go: BTreeSet<StreamId>,
    /// Who released, who asked: what two people rest on.
    reprints: u32,
    completed: u32,
    returned: u32,
    slips: u32,
}

impl Watcher {
    fn of_document(
        &mut self,
        office: &Office,
        before: Option<&Document>,
        event: &PrintEvent,
        id: &StreamId,
    ) {
        let round = before.map_or(1, |document| document.round);
        let key = (id.clone(), round);
        let job = before.and_then(Document::submission).is_some_and(|one| one.job.is_some());
        match event {
            PrintEvent::PrintSubmitted(e) => {
                let document = before.unwrap();
                *self.open.entry(key).or_default() += 1;
                assert!(office.queue(&e.queue).held.is_none());
                assert!(document.cancel.is_none());
                let code = document.spooled.release == ReleaseBy::Code;
                assert!(!code || self.let_go.contains(id), "{id} went without its code");
                if let Some(numbers) = &e.numbers {
                    assert_eq!(numbers.last - numbers.first + 1, u64::from(e.expected));
                }
            }
            PrintEvent::PrintAccepted(_) => *self.sent.entry(key).or_default() += 1,
            PrintEvent::PrintDeferred(_) => *self.open.entry(key).or_default() -= 1,
            PrintEvent::PrintFailed(e) if !e.sent => {
                *self.open.entry(key.clone()).or_default() -= 1;
                if job {
                    *self.sent.entry(key).or_default() -= 1;
                }
            }
            PrintEvent::PrintCancelled(_) if before.unwrap().state == State::Releasing && !job => {
                *self.open.entry(key).or_default() -= 1;
            }
            PrintEvent::PrintReleased(e) if e.code => {
                self.let_go.insert(id.clone());
            }
            PrintEvent::PrintHeld(_)
            | PrintEvent::PrintRetried(_)
            | PrintEvent::PrintReprintRequested(_) => {
                self.let_go.remove(id);
            }
            PrintEvent::PrintReprintApproved(_) => {
                self.let_go.remove(id);
                let reprint = office.document(id).reprints.last().cloned().unwrap();
                assert_ne!(reprint.by, reprint.approved_by);
                assert!(reprint.by.is_some() && reprint.approved_by.is_some());
                self.reprints += 1;
            }
            PrintEvent::PrintCompleted(_) => self.completed += 1,
            PrintEvent::PrintSpooled(_)
            | PrintEvent::PrintReleased(_)
            | PrintEvent::PrintCodeRefused(_)
            | PrintEvent::PrintMoved(_)
            | PrintEvent::PrintChanged(_)
            | PrintEvent::PrintCancelRequested(_)
            | PrintEvent::PrintCancelled(_)
            | PrintEvent::PrintStopped(_)
            | PrintEvent::PrintContinued(_)
            | PrintEvent::PrintFailed(_)
            | PrintEvent::PrintUnknown(_)
            | PrintEvent::PrintResolved(_)
            | PrintEvent::PrintReprintDeclined(_)
            | PrintEvent::PrintRead(_)
            | PrintEvent::PrintErased(_)
            | PrintEvent::PrintDelivered(_)
            | PrintEvent::PrintDeliveryFailed(_)
            | PrintEvent::PrintDeliveryRetried(_) => {}
        }
        for counts in [&self.open, &self.sent] {
            for ((id, round), count) in counts {
                assert!((0..=1).contains(count), "{id} was sent {count} times in printing {round}");
            }
        }
    }

    /// As many numbers carry a page as before, and what was waste is one more for each that slipped.
    fn slip(&mut self, e: &FormSlipped, before: &Form) {
        let (first, end) = before.allocation(&e.document, e.round).unwrap();
        let more = e.last + 1 - e.first;
        assert!(first <= e.first && e.last <= end, "{e:?}");
        let slipped = |number: &u64| before.fate(*number).is_some_and(|span| span.slipped);
        let has_page = |number: &u64| {
            let waste = self.fates[number] == Fate::Spoiled && *number <= e.last;
            self.fates[number] == Fate::Printed || waste
        };
        let below_end = (e.first..=end).filter(|number| !slipped(number));
        let mut pages = below_end.filter(has_page).count();
        for number in (e.first..=end + more).filter(|number| !slipped(number)) {
            let fate = match number {
                number if number <= e.last => Fate::Spoiled,
                _ if pages > 0 => {
                    pages -= 1;
                    Fate::Printed
                }
                _ => Fate::Allocated,
            };
            self.fates.insert(number, fate);
        }
        self.slips += 1;
    }

    fn of_form(&mut self, event: &FormEvent, before: &Form) {
        match event {
            FormEvent::FormAllocated(e) => {
                for number in e.first..=e.last {
                    let before = self.fates.insert(number, Fate::Allocated);
                    assert_eq!(before, None, "{number} was given to two printings");
                }
            }
            FormEvent::FormPrinted(e) => {
                for number in e.first..=e.last {
                    let before = self.fates.insert(number, Fate::Printed);
                    assert_eq!(before, Some(Fate::Allocated), "{number}");
                    let times = self.printed.entry(number).or_default();
                    *times += 1;
                    assert_eq!(*times, 1, "{number} was printed twice");
                }
            }
            FormEvent::FormVoided(e) => {
                for number in e.first..=e.last {
                    let before = self.fates.insert(number, e.how.into());
                    assert!(!matches!(before, Some(Fate::Voided | Fate::Spoiled)), "{number}");
                }
            }
            FormEvent::FormReturned(e) => {
                for number in e.first..=e.last {
                    assert_eq!(self.fates.remove(&number), Some(Fate::Allocated), "{number}");
                    assert!(!self.printed.contains_key(&number), "{number} became free again");
                }
                self.returned += 1;
            }
            FormEvent::FormSlipped(e) => self.slip(e, before),
            FormEvent::FormLoaded(_)
            | FormEvent::FormWitnessed(_)
            | FormEvent::FormUnloaded(_)
            | FormEvent::FormChecked(_)
            | FormEvent::FormRegisterRead(_) => {}
        }
    }

    /// Each page of a check lies on one sheet that counts, at most.
    fn check(&self, office: &Office, ids: &[StreamId]) {
        let form = office.form(CHECKS);
        let apart = form.spans.windows(2).all(|two| two[0].last < two[1].first);
        assert!(apart, "{:?}", form.spans);
        for number in 1..=400 {
            let fate = form.fate(number).map(|span| span.fate);
            assert_eq!(fate, self.fates.get(&number).copied(), "{number}");
        }
        for id in ids {
            let document = office.document(id);
            let mut pages: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
            for one in &document.submissions {
                let last_of_round =
                    |other: &&domain::print::document::Submission| other.round == one.round;
                let last = document.submissions.iter().rev().find(last_of_round).unwrap();
                let Some(numbers) = one.numbers.as_ref().filter(|_| last.number == one.number)
                else {
                    continue;
                };
                let chosen = document.printed_pages.get(&one.round);
                let chosen = chosen.unwrap_or(&document.options.pages);
                let selected = |page: &u32| {
                    let is = |r: &PageRange| r.from <= *page && r.to.is_none_or(|to| *page <= to);
                    chosen.is_empty() || chosen.iter().any(is)
                };
                let listed = (1..=document.spooled.pages).filter(selected);
                let sheets = form.sheets(id, one.round, (numbers.first, numbers.last));
                for (page, number) in listed.zip(sheets) {
                    let span = form.fate(number);
                    let its = span.is_some_and(|span| {
                        span.document.as_ref() == Some(id)
                            && span.round == one.round
                            && matches!(span.fate, Fate::Printed | Fate::Allocated)
                    });
                    if its {
                        pages.entry(page).or_default().push(number);
                    }
                }
            }
            for (page, numbers) in pages {
                assert!(numbers.len() <= 1, "page {page} of {id} counts on {numbers:?}");
            }
        }
    }
}

struct Crowd {
    office: Office,
    dice: Dice,
    watcher: Watcher,
    ids: Vec<StreamId>,
    taken: BTreeMap<&'static str, u32>,
}

impl Crowd {
    fn new(seed: u64) -> Self {
        let mut office = Office { judged_twice: 16, ..Office::new() };
        for (first, last) in [(1, 60), (61, 200)] {
            valid(&office.load("user/cyd", first, last));
            let batch = office.form(CHECKS).batches.last().unwrap().number;
            valid(&office.by("user/dan", &form_id(CHECKS), FormWitnessed { batch, first, last }));
        }
        let (watcher, taken) = (Watcher::default(), BTreeMap::new());
        Self { office, dice: Dice::new(seed), watcher, ids: vec![], taken }
    }

    fn spool(&mut self) {
        let id = document_no(1 + self.ids.len() as u128);
        let job = self.dice.one(&KINDS);
        let mut spooled = self.office.spooled(job);
        spooled.pages = 1 + u32::try_from(self.dice.below(6)).unwrap();
        let of = 100;
        let number = u32::try_from(self.ids.len()).unwrap() + 1;
        spooled.origin = Origin::Run { run: run_of(job), attempt: 1, number, of };
        let host = if self.dice.in_ten(9) { host_of(job) } else { "h2" };
        let right = host == host_of(job);
        let mark = self.office.try_spool(host, &id, spooled);
        assert_eq!(mark == Mark::Valid, right);
        if right {
            self.ids.push(id);
        }
    }

    fn pages(&mut self) -> Option<Vec<PageRange>> {
        let from = 1 + u32::try_from(self.dice.below(6)).unwrap();
        self.dice.in_ten(7).then(|| vec![PageRange { from, to: None }])
    }

    /// What a host says next of a document: mostly what follows, sometimes anything.
    fn of_host(&mut self, document: &Document, id: &StreamId) -> Event {
        let counted = self.dice.one(&[None, Some(0), Some(1), Some(2), Some(document.expected())]);
        let completed = {
            let expected = document.submission().map(|one| one.expected);
            let agrees = counted.map(|counted| Some(counted) == expected);
            PrintCompleted { impressions: counted, sheets: None, reasons: vec![], agrees }
        };
        let sent = self.dice.in_ten(6);
        let likely = self.dice.in_ten(8);
        let choice = match &document.state {
            State::Ready if likely => self.dice.one(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 8]),
            State::Releasing if likely => self.dice.one(&[1, 2, 2, 2, 2, 2, 2, 6, 7, 8]),
            State::Printing if likely => self.dice.one(&[3, 5, 5, 5, 5, 5, 6, 6, 7, 8]),
            State::Stopped { .. } if likely => self.dice.one(&[3, 4, 4, 5, 6, 7, 8]),
            State::Ready
            | State::Held { .. }
            | State::Releasing
            | State::Printing
            | State::Stopped { .. }
            | State::Printed
            | State::Cancelled { .. }
            | State::Failed { .. }
            | State::Unknown { .. }
            | State::Electronic => self.dice.below(10),
        };
        match choice {
            0 => self.office.submitted(id).into(),
            1 => PrintDeferred { reason: why() }.into(),
            2 => accepted().into(),
            3 => stopped().into(),
            4 => PrintContinued {}.into(),
            5 => completed.into(),
            6 => failed(sent, counted).into(),
            7 => unknown().into(),
            8 => cancelled(counted).into(),
            _ => PrintRetried { run: document.run().unwrap().clone(), attempt: 1 }.into(),
        }
    }

    /// What a person does to a document.
    fn of_person(&mut self, document: &Document) -> Event {
        let request = document.request.as_ref().map_or(self.dice.below(9), |one| one.number);
        let impressions = u32::try_from(self.dice.below(7)).unwrap();
        let pages = self.pages();
        match self.dice.below(14) {
            0 => held().into(),
            1..=3 => released(self.dice.in_ten(7)).into(),
            4 => cancel_requested().into(),
            5 if self.dice.in_ten(3) => cancelled(None).into(),
            5 | 6 => PrintChanged { pages, ..changed(None, None) }.into(),
            7 => {
                let queue = self.dice.one(&["upstairs", "vault", "checks", "office"]).to_owned();
                let definition = self.office.queue_reference(&queue);
                PrintMoved { queue, definition, reason: why() }.into()
            }
            8 => PrintResolved { impressions, evidence: "seen".to_owned() }.into(),
            9 | 10 => PrintReprintRequested { pages, ..requested("all") }.into(),
            11 | 12 => {
                let form = document.spooled.form.clone();
                PrintReprintApproved { request, form, reason: why() }.into()
            }
            _ => PrintReprintDeclined { request, reason: why() }.into(),
        }
    }

    /// What is said of the form: by a host for its document, or by a person.
    fn of_form(&mut self, document: &Document, id: &StreamId) -> Event {
        let round = 1 + u32::try_from(self.dice.below(u64::from(document.round))).unwrap();
        let form = self.office.form(CHECKS);
        let (mut first, mut last) = form.allocation(id, round).unwrap_or((1, 3));
        let of_round = document.submissions.iter().rev().find(|one| one.round == round);
        let counted = of_round.and_then(|one| one.impressions).map_or(0, u64::from);
        let (blank, end) = (first + counted, last);
        if self.dice.in_ten(5) {
            first += self.dice.below(last - first + 2);
        }
        if self.dice.in_ten(3) {
            last = first + self.dice.below(4);
        }
        let likely = self.dice.in_ten(6);
        let document = id.clone();
        let how = if self.dice.in_ten(5) { Spent::Voided } else { Spent::Spoiled };
        match self.dice.below(10) {
            0..=2 => self.office.allocated(id).into(),
            3 if likely && counted > 0 => {
                let (first, last, evidence) =
                    (blank - counted, (blank - 1).min(end), String::new());
                FormPrinted { document, round, first, last, evidence }.into()
            }
            3 | 4 => {
                let evidence = self.dice.one(&["", "seen", "seen"]).to_owned();
                FormPrinted { document, round, first, last, evidence }.into()
            }
            5 | 6 => FormVoided { first, last, how, reason: why() }.into(),
            7 | 8 if likely => {
                FormReturned { document, round, first: blank, last: end, reason: why() }.into()
            }
            7 | 8 if self.dice.in_ten(7) => {
                let at = blank - counted + self.dice.below(end + 2 + counted - blank);
                let last = at + self.dice.below(2);
                FormSlipped { document, round, first: at, last, reason: why() }.into()
            }
            7 | 8 => FormReturned { document, round, first, last, reason: why() }.into(),
            _ if self.dice.below(20) == 0 => {
                let batch = self.dice.one(&form.batches).number;
                FormUnloaded { batch, reason: why() }.into()
            }
            _ if self.dice.in_ten(5) => {
                let first = 201 + self.dice.below(150);
                FormLoaded { first, last: first + 20, note: String::new() }.into()
            }
            _ => {
                let batch = self.dice.one(&form.batches);
                FormWitnessed { batch: batch.number, first: batch.first, last: batch.last }.into()
            }
        }
    }

    fn step(&mut self) {
        if self.ids.len() < 8 && self.dice.in_ten(1) || self.ids.is_empty() {
            return self.spool();
        }
        let id = self.dice.one(&self.ids);
        let document = self.office.document(&id);
        let who = self.dice.one(&PEOPLE);
        let host = if self.dice.in_ten(9) { &document.spooled.host } else { "h2" }.to_owned();
        let (stream, event, by_host) = match self.dice.below(10) {
            0..=4 => (id.clone(), self.of_host(&document, &id), true),
            5 | 6 => (id.clone(), self.of_person(&document), false),
            7 | 8 => {
                let event = self.of_form(&document, &id);
                let likely_host = self.dice.in_ten(5);
                let kind = event.kind();
                let seldom = self.dice.in_ten(1);
                let hosts = kind == "form.allocated" || (kind == "form.printed" && likely_host);
                let of_host = hosts || seldom;
                (form_id(CHECKS), event, of_host)
            }
            _ if self.dice.in_ten(1) => {
                (queue_id("office"), QueueHeld { reason: why() }.into(), false)
            }
            _ => (queue_id("office"), QueueReleased { reason: why() }.into(), false),
        };
        let (before, form) = (self.office.clone_states(&stream), self.office.form(CHECKS));
        let mark = if by_host {
            self.office.host(&host, &stream, event.clone())
        } else {
            self.office.by(who, &stream, event.clone())
        };
        if mark != Mark::Valid {
            assert_eq!(self.office.clone_states(&stream), before, "what is void changes nothing");
            return;
        }
        *self.taken.entry(event.kind()).or_default() += 1;
        match &event {
            Event::PrintEvent(event) => {
                let own = by_host && host != document.spooled.host;
                assert!(!own, "another host spoke of {id}");
                self.watcher.of_document(&self.office, Some(&document), event, &id);
            }
            Event::FormEvent(event) => self.watcher.of_form(event, &form),
            Event::QueueEvent(_) => {}
            Event::JobEvent(_)
            | Event::RunEvent(_)
            | Event::HostEvent(_)
            | Event::UserEvent(_)
            | Event::LogEvent(_)
            | Event::ThingEvent(_)
            | Event::ChangeEvent(_)
            | Event::IncidentEvent(_)
            | Event::ControlEvent(_)
            | Event::RecordsEvent(_)
            | Event::RequestEvent(_)
            | Event::ReviewEvent(_)
            | Event::BackupEvent(_) => panic!("{event:?}"),
        }
        // What else is said of documents makes no number another's.
        let counts = ["print.submitted", "print.reprint-approved"].contains(&event.kind());
        if counts || event.kind().starts_with("form.") {
            self.watcher.check(&self.office, &self.ids);
        }
    }
}

impl Office {
    fn clone_states(&self, id: &StreamId) -> Option<domain::ledger::StreamState> {
        self.world.streams.get(id).cloned()
    }
}

#[test]
fn whoever_says_what_every_check_counts_once_and_nothing_is_sent_twice() {
    let (mut taken, mut reprints, mut completed) = (BTreeMap::new(), 0, 0);
    let (mut returned, mut slips) = (0, 0);
    for seed in 1..=WORLDS {
        let mut crowd = Crowd::new(seed);
        for _ in 0..STEPS {
            crowd.step();
            crowd.office.wait(1_000);
        }
        for (kind, times) in crowd.taken {
            *taken.entry(kind).or_default() += times;
        }
        reprints += crowd.watcher.reprints;
        completed += crowd.watcher.completed;
        returned += crowd.watcher.returned;
        slips += crowd.watcher.slips;
    }
    // It was no world in which nothing happens.
    let taken: BTreeMap<&str, u32> = taken;
    assert!(
        completed > 50 && reprints > 10 && returned > 10 && slips > 2,
        "{completed} {reprints} {returned} {slips} {taken:?}"
    );
    for kind in ["print.retried", "print.moved", "print.resolved", "form.voided", "form.printed"] {
        assert!(taken.get(kind).is_some_and(|times| *times > 5), "{kind}: {taken:?}");
    }
}
