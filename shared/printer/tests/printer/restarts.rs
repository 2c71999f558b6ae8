//! A printer that is switched off and on.

use printer::{HowEnded, JobId, PrinterError};
use testkit::printing::{AfterRestart, Jobs};

use crate::support::{ask, paper, print, text, wait_end};

fn after(jobs: Jobs, numbers_begin_anew: bool) -> AfterRestart {
    AfterRestart { jobs, numbers_begin_anew }
}

#[test]
fn a_printer_that_is_off_is_not_reached() {
    let (mut paper, printer) = paper();
    paper.stop();
    let error = printer.look().unwrap_err();
    assert!(matches!(error, PrinterError::Unreached { .. }), "{error}");
}

#[test]
fn a_job_that_went_on_after_a_restart_is_known_by_its_uuid() {
    let (mut paper, printer) = paper();
    let before = printer.look().unwrap();
    paper.print_only(2);
    let document = text(5);
    let job = print(&printer, &ask("survivor"), &document);
    paper.wait_printed(2).unwrap();
    let uuid = printer.job(job).unwrap().uuid;
    paper.stop();
    paper.print_on();
    paper.start_again(after(Jobs::GoOn, false)).unwrap();
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Completed, Some(5)));
    let facts = printer.job(job).unwrap();
    assert_eq!(facts.uuid, uuid);
    assert!(facts.created_at.is_some_and(|created| created <= 0), "{facts:?}");
    assert_eq!(printer.look().unwrap().uuid, before.uuid);
    assert!((1..=5).all(|page| paper.times(&document, page) == 1));
}

#[test]
fn a_printer_that_begins_again_prints_pages_twice_and_says_so_nowhere() {
    let (mut paper, printer) = paper();
    paper.print_only(2);
    let document = text(3);
    let job = print(&printer, &ask("again"), &document);
    paper.wait_printed(2).unwrap();
    paper.stop();
    paper.print_on();
    paper.start_again(after(Jobs::BeginAgain, false)).unwrap();
    assert_eq!(wait_end(&printer, job).impressions, Some(3));
    assert_eq!((paper.times(&document, 1), paper.times(&document, 3)), (2, 1));
}

#[test]
fn a_job_that_was_aborted_by_a_restart_says_how_far_it_came() {
    let (mut paper, printer) = paper();
    paper.print_only(2);
    let job = print(&printer, &ask("cut off"), &text(5));
    paper.wait_printed(2).unwrap();
    paper.stop();
    paper.start_again(after(Jobs::AreAborted, false)).unwrap();
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Aborted, Some(2)));
}

#[test]
fn a_number_that_begins_anew_is_told_apart_by_name_and_uuid() {
    let (mut paper, printer) = paper();
    paper.print_only(2);
    let job = print(&printer, &ask("ours"), &text(5));
    let uuid = printer.job(job).unwrap().uuid;
    paper.stop();
    paper.start_again(after(Jobs::AreForgotten, true)).unwrap();
    let error = printer.job(job).unwrap_err();
    let PrinterError::Refused { status, .. } = &error else { panic!("{error}") };
    assert_eq!(status, "client-error-not-found");
    // Somebody else's job has our number now.
    assert_eq!(printer.create(&ask("theirs")).unwrap().id, JobId(1));
    let facts = printer.job(job).unwrap();
    assert!(!facts.is_named("ours"));
    assert_ne!(facts.uuid, uuid);
}

#[test]
fn another_device_at_the_same_address_has_another_uuid() {
    let (paper, printer) = paper();
    let before = printer.look().unwrap().uuid;
    paper.becomes_another();
    assert_ne!(printer.look().unwrap().uuid, before);
}
