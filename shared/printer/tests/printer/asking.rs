//! What a printer is asked, and what it makes of it.

use printer::{
    Ask, Finishing, HowEnded, JobState, Operation, Pages, PrinterError, PrinterState, Secret,
    Sides, Which,
};
use testkit::printing::{Setup, Value, form_feeds_or_pdf, operation};

use crate::support::{TEXT, USER, ask, paper, paper_with, print, send, text, wait_end, wait_for};

#[test]
fn a_printer_says_who_it_is_and_what_it_can() {
    let (paper, printer) = paper();
    let facts = printer.look().unwrap();
    assert_eq!((facts.state, facts.accepting), (PrinterState::Idle, true));
    assert!(facts.uuid.as_deref().is_some_and(|uuid| uuid.starts_with("urn:uuid:")));
    assert_eq!(facts.make_and_model.as_deref(), Some("Decklog Paper"));
    assert!(facts.can(Operation::CreateJob) && facts.troubles().is_empty());
    assert_eq!(facts.supported.copies, Some((1, 99)));
    assert_eq!(facts.supported.media_ready, ["iso_a4_210x297mm"]);
    let requests = paper.requests(operation::GET_PRINTER_ATTRIBUTES);
    assert!(requests[0].get(1, "requested-attributes").len() > 20);
}

#[test]
fn a_document_is_on_paper_once_and_counted() {
    let (paper, printer) = paper();
    let document = text(7);
    let job = print(&printer, &ask("payroll 1"), &document);
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions, end.sheets), (HowEnded::Completed, Some(7), Some(7)));
    for page in 1..=7 {
        assert_eq!(paper.times(&document, page), 1, "page {page}");
    }
    let facts = printer.job(job).unwrap();
    assert!(facts.is_named("payroll 1") && facts.uuid.is_some() && facts.completed_at.is_some());
    assert_eq!(facts.user.as_deref(), Some(USER));
}

#[test]
fn everything_asked_arrives_as_it_was_asked() {
    let (paper, printer) = paper();
    let asked = Ask {
        copies: 2,
        sides: Some(Sides::TwoLongEdge),
        media: Some("iso_a4_210x297mm".to_owned()),
        tray: Some("tray-2".to_owned()),
        finishings: vec![Finishing(4)],
        output_bin: Some("face-up".to_owned()),
        pages: vec![Pages { first: 2, last: 3 }, Pages { first: 5, last: 5 }],
        priority: Some(70),
        impressions: Some(6),
        ..ask("payroll 2")
    };
    let document = text(6);
    printer.validate(&asked).unwrap();
    let job = print(&printer, &asked, &document);
    let end = wait_end(&printer, job);
    assert_eq!((end.impressions, end.sheets), (Some(6), Some(3)));
    let times: Vec<usize> = (1..=6).map(|page| paper.times(&document, page)).collect();
    assert_eq!(times, [0, 2, 2, 0, 2, 0]);

    let request = &paper.requests(operation::CREATE_JOB)[0];
    assert_eq!(request.get(1, "ipp-attribute-fidelity"), [Value::Boolean(true)]);
    assert_eq!(request.get(1, "job-impressions"), [Value::Integer(6)]);
    let keyword = |word: &str| Value::Keyword(word.to_owned());
    let media = vec![
        ("media-size-name".to_owned(), vec![keyword("iso_a4_210x297mm")]),
        ("media-source".to_owned(), vec![keyword("tray-2")]),
    ];
    assert_eq!(request.get(2, "media-col"), [Value::Collection(media)]);
    assert_eq!(request.get(2, "page-ranges"), [Value::Range(2, 3), Value::Range(5, 5)]);
    assert_eq!(request.get(2, "finishings"), [Value::Enum(4)]);
    assert_eq!(request.get(2, "job-priority"), [Value::Integer(70)]);
    assert_eq!(request.get(2, "sides"), [keyword("two-sided-long-edge")]);
}

#[test]
fn what_the_printer_does_not_list_is_not_sent() {
    let (paper, printer) = paper();
    let asked = Ask { tray: Some("tray-9".to_owned()), ..ask("payroll 3") };
    for error in [printer.validate(&asked).unwrap_err(), printer.create(&asked).unwrap_err()] {
        let PrinterError::Unfit { unfit, .. } = &error else { panic!("{error}") };
        assert_eq!((unfit[0].option, unfit[0].asked.as_str()), ("media-source", "tray-9"));
        assert!(error.to_string().contains("tray-1, tray-2"), "{error}");
    }
    assert!(paper.requests(operation::VALIDATE_JOB).is_empty());
    assert!(paper.requests(operation::CREATE_JOB).is_empty());
}

#[test]
fn a_format_the_printer_does_not_take_is_refused_before_a_byte_of_it() {
    let (paper, printer) = paper();
    let error = printer.create(&Ask::new("x", USER, "image/png")).unwrap_err();
    assert!(error.to_string().contains("document-format is image/png"), "{error}");
    // And where it is said only with the document.
    let job = printer.create(&ask("x")).unwrap().id;
    let error = printer.send(job, USER, "image/png", &mut &b"png"[..], 3).unwrap_err();
    let PrinterError::Refused { status, .. } = &error else { panic!("{error}") };
    assert_eq!(status, "client-error-document-format-not-supported");
    assert!(paper.printed().is_empty());
}

#[test]
fn a_printer_without_create_job_cannot_be_used() {
    let operations = Setup::default().operations;
    let operations = operations.into_iter().filter(|code| *code != operation::CREATE_JOB).collect();
    let (paper, printer) = paper_with(Setup { operations, ..Setup::default() });
    for error in [printer.create(&ask("x")).unwrap_err(), printer.validate(&ask("x")).unwrap_err()]
    {
        let expected = Operation::CreateJob;
        assert!(
            matches!(error, PrinterError::Unsupported { operation, .. } if operation == expected)
        );
    }
    assert!(paper.requests(operation::PRINT_JOB).is_empty());
}

#[test]
fn a_printer_that_takes_no_jobs_says_so() {
    let (_paper, printer) = paper_with(Setup { accepting: false, ..Setup::default() });
    assert!(!printer.look().unwrap().accepting);
    let error = printer.create(&ask("x")).unwrap_err();
    assert!(error.to_string().contains("server-error-not-accepting-jobs"), "{error}");
}

#[test]
fn a_held_job_is_printed_when_it_is_released() {
    let (paper, printer) = paper();
    let job = print(&printer, &Ask { hold: true, ..ask("held") }, &text(2));
    let facts = printer.job(job).unwrap();
    assert_eq!(facts.state, JobState::Held);
    assert!(facts.has_reason("job-hold-until-specified"));
    assert!(paper.printed().is_empty());
    printer.release(job, USER).unwrap();
    assert_eq!(wait_end(&printer, job).impressions, Some(2));
    let error = printer.release(job, USER).unwrap_err();
    assert!(error.to_string().contains("client-error-not-possible"), "{error}");
}

#[test]
fn a_waiting_job_can_be_held_and_one_that_prints_cannot() {
    let (paper, printer) = paper();
    paper.print_only(1);
    let first = print(&printer, &ask("first"), &text(3));
    paper.wait_printed(1).unwrap();
    let second = print(&printer, &ask("second"), &text(3));
    assert_eq!(printer.job(second).unwrap().state, JobState::Pending);
    printer.hold(second, USER).unwrap();
    assert_eq!(printer.job(second).unwrap().state, JobState::Held);
    assert!(printer.hold(first, USER).is_err());
    paper.print_on();
    wait_end(&printer, first);
    assert_eq!(printer.job(second).unwrap().state, JobState::Held);
}

#[test]
fn a_job_that_is_cancelled_says_how_far_it_came() {
    let (paper, printer) = paper();
    paper.print_only(2);
    let job = print(&printer, &ask("cancelled"), &text(7));
    paper.wait_printed(2).unwrap();
    printer.cancel(job, USER).unwrap();
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Canceled, Some(2)));
    paper.print_on();
    assert_eq!(paper.printed().len(), 2);
    let error = printer.cancel(job, USER).unwrap_err();
    assert!(error.to_string().contains("client-error-not-possible"), "{error}");
}

#[test]
fn somebody_elses_job_is_not_ours_to_end() {
    let (_paper, printer) = paper();
    let job = printer.create(&ask("ours")).unwrap().id;
    let error = printer.cancel(job, "somebody").unwrap_err();
    assert!(error.to_string().contains("client-error-not-authorized"), "{error}");
}

#[test]
fn a_job_with_a_password_waits_for_it_at_the_printer() {
    let (paper, printer) = paper();
    let asked = Ask { password: Some(Secret("1234".to_owned())), ..ask("secret") };
    let job = print(&printer, &asked, &text(2));
    assert!(printer.job(job).unwrap().has_reason("job-password-wait"));
    assert_eq!(paper.type_password("4321"), 0);
    assert!(paper.printed().is_empty());
    assert_eq!(paper.type_password("1234"), 1);
    assert_eq!(wait_end(&printer, job).impressions, Some(2));
}

#[test]
fn what_the_printer_took_a_job_without_is_told() {
    let ignores = vec!["job-password".to_owned()];
    let (_paper, printer) = paper_with(Setup { ignores, ..Setup::default() });
    assert_eq!(printer.create(&ask("x")).unwrap().ignored, ["job-password"]);
}

#[test]
fn a_text_that_says_it_is_a_pdf_is_printed_by_a_printer_that_does_not_look() {
    let (paper, printer) = paper();
    let document = text(4);
    let job = printer.create(&Ask::new("label", USER, "application/pdf")).unwrap().id;
    let length = document.len() as u64;
    printer.send(job, USER, "application/pdf", &mut &*document, length).unwrap();
    assert_eq!(wait_end(&printer, job).how, HowEnded::Completed);
    assert_eq!(paper.printed().len(), 4);
    let pdf = b"%PDF-1.4 /Type /Pages /Type /Page /Type/Page";
    assert_eq!(form_feeds_or_pdf(pdf), 2);
}

#[test]
fn a_job_takes_one_document() {
    let (paper, printer) = paper();
    let document = text(1);
    let job = print(&printer, &ask("one"), &document);
    let error = send(&printer, job, &document).unwrap_err();
    assert!(error.to_string().contains("client-error-not-possible"), "{error}");
    wait_end(&printer, job);
    assert_eq!(paper.times(&document, 1), 1);
}

#[test]
fn a_job_nobody_knows_is_not_found() {
    let (_paper, printer) = paper();
    let error = printer.job(printer::JobId(99)).unwrap_err();
    let PrinterError::Refused { status, .. } = &error else { panic!("{error}") };
    assert_eq!(status, "client-error-not-found");
}

#[test]
fn progress_is_seen_page_by_page() {
    let (paper, printer) = paper();
    paper.print_only(3);
    let job = print(&printer, &ask("slow"), &text(7));
    let facts =
        wait_for(&printer, job, "three pages", |facts| facts.impressions_completed == Some(3));
    assert_eq!(
        (facts.state, facts.impressions, facts.end()),
        (JobState::Processing, Some(7), None)
    );
    assert_eq!(printer.look().unwrap().state, PrinterState::Processing);
    let waiting = printer.jobs(Which::NotCompleted, 10).unwrap();
    assert_eq!((waiting.jobs.len(), waiting.complete), (1, true));
    paper.print_on();
    assert_eq!(wait_end(&printer, job).impressions, Some(7));
}

#[test]
fn a_printer_that_does_not_count_says_nothing_and_not_zero() {
    let (_paper, printer) = paper_with(Setup { counts: false, ..Setup::default() });
    let job = print(&printer, &ask("uncounted"), &text(2));
    assert_eq!(wait_end(&printer, job).impressions, None);
}

#[test]
fn a_name_that_ipp_cannot_say_is_not_sent() {
    let (paper, printer) = paper();
    let unsayable = printer.cancel(printer::JobId(1), &"n".repeat(300)).unwrap_err();
    let too_long = printer.create(&Ask::new(&"n".repeat(300), USER, TEXT)).unwrap_err();
    let too_high = printer.job(printer::JobId(u32::MAX)).unwrap_err();
    for error in [unsayable, too_long, too_high] {
        assert!(matches!(error, PrinterError::Unfit { .. }), "{error}");
    }
    assert!(paper.requests(operation::CREATE_JOB).is_empty());
    assert!(paper.requests(operation::CANCEL_JOB).is_empty());
}
