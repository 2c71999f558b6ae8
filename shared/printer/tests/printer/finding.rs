//! A job whose answer was lost is found again by its name.

use printer::{HowEnded, JobFacts, Printer, Which};
use testkit::printing::{Cut, Paper, Setup, operation};

use crate::support::{ask, paper, paper_with, print, send, text, wait_end};

/// What a careful caller does: first those that are not completed, then the others.
fn find(printer: &Printer, name: &str) -> (Vec<JobFacts>, bool) {
    let waiting = printer.jobs(Which::NotCompleted, 1000).unwrap();
    let ended = printer.jobs(Which::Completed, 1000).unwrap();
    let complete = waiting.complete && ended.complete;
    let all = waiting.jobs.into_iter().chain(ended.jobs);
    (all.filter(|job| job.is_named(name)).collect(), complete)
}

fn lose_create(paper: &Paper, printer: &Printer, cut: Cut) {
    paper.cut(operation::CREATE_JOB, cut);
    let error = printer.create(&ask("payroll 17")).unwrap_err();
    assert!(error.is_unknown(), "{error}");
}

#[test]
fn a_job_whose_number_was_lost_is_found_by_its_name_and_printed_once() {
    for cut in [Cut::AfterDoing, Cut::InAnswer(12), Cut::InAnswer(150)] {
        let (paper, printer) = paper();
        // It has ended: a list out of which a job moves while it is read is not called whole.
        wait_end(&printer, print(&printer, &ask("another"), &text(1)));
        lose_create(&paper, &printer, cut);
        let (found, complete) = find(&printer, "payroll 17");
        assert!(complete);
        let [job] = &found[..] else { panic!("{cut:?}: {found:?}") };
        let document = text(3);
        send(&printer, job.id, &document).unwrap();
        wait_end(&printer, job.id);
        assert!((1..=3).all(|page| paper.times(&document, page) == 1));
    }
}

#[test]
fn a_job_that_was_never_made_is_not_found() {
    let (paper, printer) = paper();
    lose_create(&paper, &printer, Cut::BeforeDoing);
    assert_eq!(find(&printer, "payroll 17"), (Vec::new(), true));
}

#[test]
fn a_document_whose_answer_was_lost_is_followed_by_its_job() {
    let (paper, printer) = paper();
    let document = text(4);
    let job = printer.create(&ask("payroll 18")).unwrap().id;
    paper.cut(operation::SEND_DOCUMENT, Cut::AfterDoing);
    let error = send(&printer, job, &document).unwrap_err();
    assert!(error.is_unknown(), "{error}");
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Completed, Some(4)));
    assert!((1..=4).all(|page| paper.times(&document, page) == 1));
}

#[test]
fn a_document_that_was_cut_on_its_way_ends_as_aborted() {
    let (paper, printer) = paper();
    let job = printer.create(&ask("payroll 19")).unwrap().id;
    paper.cut(operation::SEND_DOCUMENT, Cut::InDocument(10));
    let error = send(&printer, job, &text(4)).unwrap_err();
    assert!(error.is_unknown(), "{error}");
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Aborted, Some(0)));
    assert!(end.reasons.iter().any(|reason| reason == "job-data-insufficient"));
    assert!(paper.printed().is_empty());
}

#[test]
fn a_printer_that_prints_as_it_reads_has_a_part_of_it_on_paper() {
    let (paper, printer) = paper_with(Setup { prints_a_part: true, ..Setup::default() });
    let job = printer.create(&ask("payroll 20")).unwrap().id;
    paper.cut(operation::SEND_DOCUMENT, Cut::InDocument(20));
    let error = send(&printer, job, &text(4)).unwrap_err();
    assert!(error.is_unknown(), "{error}");
    let end = wait_end(&printer, job);
    assert_eq!(end.how, HowEnded::Aborted);
    assert_eq!(end.impressions, Some(u32::try_from(paper.printed().len()).unwrap()));
    assert!(!paper.printed().is_empty());
}

#[test]
fn a_long_list_is_read_page_by_page() {
    let (paper, printer) = paper();
    for number in 0..250 {
        printer.create(&ask(&format!("job {number}"))).unwrap();
    }
    let list = printer.jobs(Which::NotCompleted, 1000).unwrap();
    assert_eq!((list.jobs.len(), list.complete), (250, true));
    let list = printer.jobs(Which::NotCompleted, 130).unwrap();
    assert_eq!((list.jobs.len(), list.complete), (130, false));
    let largest =
        paper.requests(operation::GET_JOBS).iter().filter_map(|r| r.integer("limit")).max();
    assert_eq!(largest, Some(100));
}

#[test]
fn a_list_that_a_printer_cuts_off_is_not_taken_for_whole() {
    let (_paper, printer) = paper_with(Setup { pages: false, ..Setup::default() });
    for number in 0..101 {
        printer.create(&ask(&format!("job {number}"))).unwrap();
    }
    let list = printer.jobs(Which::NotCompleted, 1000).unwrap();
    assert_eq!((list.jobs.len(), list.complete), (100, false));
}
