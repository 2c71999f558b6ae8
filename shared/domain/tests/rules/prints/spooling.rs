//! What a host may take in: its own, by its run, as the job and the queue say.

use domain::event::{Origin, PrintRetried, PrintSpooled};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::print::{DocumentFormat, Options, ReleaseBy, Sides};
use domain::site::ThingKind;

use super::{Office, document_no, failed, it, refuses, run_of, site, valid};
use crate::site::{refused, run_id};

type Change = fn(&mut PrintSpooled);

#[test]
fn a_document_is_as_its_run_its_job_and_its_queue_say_or_it_is_refused() {
    let job = "its job says something else";
    let table: &[(&str, Change, &str)] = &[
        ("report", |e| e.host = "h2".to_owned(), "a host speaks of its own documents only"),
        ("report", |e| set_run(e, run_of("nothing"), 1), "there is no run/nothing@request-1"),
        ("report", |e| set_run(e, run_of("report"), 2), "it is not an attempt of this host"),
        ("report", |e| set_run(e, run_of("other"), 1), "it is not an attempt of this host"),
        ("report", |e| set_run(e, run_of("checks"), 1), job),
        ("report", |e| set_place(e, 0, 1), "it is one of those its run took"),
        ("report", |e| set_place(e, 2, 1), "it is one of those its run took"),
        ("report", |e| e.pages = 0, "a document has a page at least"),
        ("report", |e| e.bytes = 0, "a document has a page at least"),
        ("report", |e| e.pages = 51, "it is over the limits of its queue"),
        ("report", |e| e.bytes = 64 * 1024 * 1024 + 1, "it is over the limits of its queue"),
        ("text", |e| e.format = DocumentFormat::Pdf, "its queue takes no such documents"),
        ("report", |e| e.priority = 0, "a priority is 1 to 100"),
        ("report", |e| e.priority = 101, "a priority is 1 to 100"),
        ("report", |e| e.priority = 99, job),
        ("report", |e| e.options.copies = 0, "copies: 1 to 999"),
        ("report", |e| e.options.copies = 1_000, "copies: 1 to 999"),
        ("report", |e| e.options.copies = 2, job),
        (
            "report",
            |e| e.options.media = Some("no such thing".to_owned()),
            "media: a keyword of a-z, 0-9, '.', '_' and '-', as the printer lists it",
        ),
        (
            "report",
            |e| e.options.pages = vec!["1-11".parse().unwrap()],
            "the document has 10 pages only",
        ),
        ("report", |e| e.options.pages = vec!["1-3".parse().unwrap()], job),
        ("report", |e| e.purpose = "invoices".to_owned(), job),
        ("report", |e| e.paper = false, job),
        ("report", |e| e.keep_ms = 0, job),
        ("report", |e| e.deliveries = 1, job),
        ("report", |e| e.queue = "nowhere".to_owned(), "there is no such queue that is active"),
        (
            "report",
            |e| e.queue = "upstairs".to_owned(),
            "another definition of the queue is active",
        ),
        (
            "report",
            |e| e.form = Some("payroll-checks".to_owned()),
            "the form lies in the tray of another queue's printer",
        ),
        ("report", |e| e.form = Some("nothing".to_owned()), "there is no active form nothing"),
        ("checks", |e| e.form = None, job),
        ("checks", |e| e.form = Some("bonus-checks".to_owned()), job),
        ("checks", |e| e.options.copies = 2, "a form is printed once"),
        (
            "checks",
            |e| e.options.sides = Some(Sides::TwoSidedLongEdge),
            "each sheet of a form has one number: it is printed on one side",
        ),
        ("asked", |e| e.release = ReleaseBy::AtOnce, "its job asks for somebody to release it"),
        ("secret", |e| e.release = ReleaseBy::Person, "its job asks for somebody to release it"),
        ("careful", |e| e.release = ReleaseBy::AtOnce, "the queue asks for somebody to release it"),
        ("totals", |e| e.control = None, "its job asks for a comparison with a control total"),
    ];
    for (job, change, why) in table {
        let mut office = Office::new();
        let mut spooled = office.spooled(job);
        change(&mut spooled);
        let mark = office.try_spool("h1", &it(), spooled.clone());
        assert_eq!(refused(&mark), *why, "{job} {spooled:?}");
        office.spool(job);
    }
}

fn set_run(e: &mut PrintSpooled, run: StreamId, attempt: u32) {
    e.origin = Origin::Run { run, attempt, number: 1, of: 1 };
}

fn set_place(e: &mut PrintSpooled, number: u32, of: u32) {
    e.origin = Origin::Run { run: run_of("report"), attempt: 1, number, of };
}

#[test]
fn more_care_than_is_asked_for_is_taken_and_a_document_is_spooled_once() {
    let mut office = Office::new();
    let spooled = PrintSpooled { release: ReleaseBy::Code, ..office.spooled("asked") };
    valid(&office.try_spool("h1", &it(), spooled.clone()));
    refuses(&office.try_spool("h1", &it(), spooled.clone()), "it is spooled already");
    let bare = office.draft(&document_no(2), spooled.clone());
    refuses(&office.judge("executor/h1", bare), "it commits to no content");
    let mut payload = Office::payload();
    payload.class = "health".to_owned();
    let other = office.draft(&document_no(2), spooled).with_payload(payload);
    refuses(&office.judge("executor/h1", other), "its job says something else");
}

#[test]
fn a_directory_is_watched_by_one_host_and_gives_no_forms() {
    let of_inbox = |office: &Office| PrintSpooled {
        origin: Origin::Inbox { written: office.now },
        purpose: "inbox".to_owned(),
        ..office.spooled("report")
    };
    let table: &[(Change, &str)] = &[
        (
            |e| e.form = Some("payroll-checks".to_owned()),
            "the form lies in the tray of another queue's printer",
        ),
        (
            |e| e.options = Options { copies: 9, ..Options::default() },
            "its queue says something else",
        ),
        (|e| e.deliveries = 1, "its queue says something else"),
        (|e| e.paper = false, "its queue says something else"),
        (|e| e.keep_ms = 1, "its queue says something else"),
        (|e| e.pages = 51, "it is over the limits of its queue"),
    ];
    for (change, why) in table {
        let mut office = Office::new();
        let mut spooled = of_inbox(&office);
        valid(&office.try_spool("h1", &it(), spooled.clone()));
        change(&mut spooled);
        refuses(&office.try_spool("h1", &document_no(2), spooled), why);
    }
    let mut office = Office::new();
    let elsewhere = PrintSpooled { host: "h2".to_owned(), ..of_inbox(&office) };
    let why = "the queue watches no directory of this host";
    refuses(&office.try_spool("h2", &it(), elsewhere), why);
    let definition = office.queue_reference("checks");
    let form = Some("payroll-checks".to_owned());
    let queue = "checks".to_owned();
    let of_queue = PrintSpooled { queue, definition, host: "h2".to_owned(), ..of_inbox(&office) };
    let on_form = PrintSpooled { form: form.clone(), ..of_queue.clone() };
    refuses(&office.try_spool("h2", &it(), on_form), "a form is printed by a job");
    valid(&office.try_spool("h2", &document_no(3), of_queue.clone()));
    let on_form = PrintSpooled { form, host: "h1".to_owned(), ..of_queue };
    refuses(&office.try_spool("h1", &it(), on_form), why);
}

#[test]
fn nothing_is_taken_in_for_a_run_that_has_ended_nor_by_an_attempt_that_has() {
    let mut site = site();
    site.request("report@request-1").until("00:01").start("report@request-1");
    let office = Office::of(site);
    let spooled = office.spooled("report");
    let mut site = self::site();
    site.request("report@request-1").until("00:01").start("report@request-1");
    site.end("report@request-1", 1);
    let mut office = Office::of(site);
    refuses(&office.try_spool("h1", &it(), spooled.clone()), "that attempt has ended");
    let mut site = self::site();
    site.request("report@request-1").until("00:01").start("report@request-1");
    site.end("report@request-1", 1).until("00:03").start("report@request-1");
    let mut office = Office::of(site);
    refuses(&office.try_spool("h1", &it(), spooled.clone()), "that attempt has ended");
    let mut second = spooled;
    second.origin = Origin::Run { run: run_of("report"), attempt: 2, number: 1, of: 1 };
    valid(&office.try_spool("h1", &it(), second));
}

#[test]
fn the_next_attempt_of_a_run_prints_what_was_not_sent_and_no_other_attempt_does() {
    let mut site = site();
    site.request("report@request-1").until("00:01").start("report@request-1");
    let mut office = Office::of(site);
    office.spool("report").submit().says(failed(false, None));
    let retried = |attempt| PrintRetried { run: run_of("report"), attempt };
    let other = PrintRetried { run: run_id("other@request-1"), attempt: 1 };
    let mut others = Office::new();
    others.spool("report").submit().says(failed(false, None));
    let of_other = PrintRetried { run: run_of("mixed"), attempt: 1 };
    refuses(&others.host("h1", &it(), of_other), "it is of another run");
    for (event, why) in [
        (other, "there is no run/other@request-1"),
        (retried(2), "it is not an attempt of this host"),
    ] {
        refuses(&office.host("h1", &it(), event), why);
    }
    refuses(&office.host("h2", &it(), retried(1)), "another host has it");
    office.says(retried(1)).submit();
}

#[test]
fn who_retires_a_queue_or_a_form_stops_what_would_come_and_not_what_is_there() {
    let mut office = Office::with_stock();
    office.spool("checks");
    let retire = |kind| domain::event::ThingEvent {
        of: kind,
        act: domain::event::ThingAct::Retired(domain::event::ThingRetired { reason: "x".into() }),
    };
    for (kind, name, why) in [
        (ThingKind::Form, "payroll-checks", "there is no active form payroll-checks"),
        (ThingKind::Queue, "checks", "there is no such queue that is active"),
    ] {
        let spooled = office.spooled("checks");
        let id = StreamId::thing(kind, name);
        valid(&office.by("user/ana", &id, retire(kind)));
        refuses(&office.try_spool("h1", &document_no(2), spooled), why);
        if kind == ThingKind::Queue {
            break;
        }
    }
    let known = office.queue("checks").defined.newest().unwrap().reference();
    let allocated = office.allocated(&it());
    valid(&office.host("h1", &super::form_id(super::CHECKS), allocated));
    let document = office.document(&it());
    let submitted = domain::event::PrintSubmitted {
        number: 1,
        round: 1,
        queue: "checks".to_owned(),
        definition: known,
        expected: document.expected(),
        numbers: Some(domain::event::Numbers {
            form: super::CHECKS.to_owned(),
            first: 101,
            last: 110,
        }),
    };
    assert_eq!(office.host("h1", &it(), submitted), Mark::Valid);
}
