//! What gets in the way of paper.

use printer::{HowEnded, JobState, PrinterState, TroubleKind};
use testkit::printing::{Afterwards, Setup, operation};

use crate::support::{ask, paper, paper_with, print, send, text, wait_end, wait_for};

#[test]
fn a_jam_stops_the_job_until_it_is_cleared() {
    let (paper, printer) = paper();
    paper.jam_after(3, Afterwards::GoesOn);
    let document = text(7);
    let job = print(&printer, &ask("jammed"), &document);
    let facts = wait_for(&printer, job, "a jam", |facts| facts.state == JobState::Stopped);
    assert_eq!((facts.impressions_completed, facts.end()), (Some(3), None));
    let facts = printer.look().unwrap();
    assert_eq!(facts.state, PrinterState::Stopped);
    assert_eq!(facts.troubles()[0].kind, TroubleKind::MediaJam);
    paper.clear();
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Completed, Some(7)));
    assert!((1..=7).all(|page| paper.times(&document, page) == 1));
}

#[test]
fn a_page_that_is_lost_in_a_jam_is_counted_all_the_same() {
    let (paper, printer) = paper();
    paper.jam_after(3, Afterwards::LosesOne);
    let document = text(7);
    let job = print(&printer, &ask("lossy"), &document);
    wait_for(&printer, job, "a jam", |facts| facts.state == JobState::Stopped);
    paper.clear();
    assert_eq!(wait_end(&printer, job).impressions, Some(7));
    assert_eq!((paper.times(&document, 4), paper.printed().len()), (0, 6));
}

#[test]
fn a_page_that_is_printed_again_after_a_jam_is_counted_twice() {
    let (paper, printer) = paper();
    paper.jam_after(3, Afterwards::PrintsAgain);
    let document = text(7);
    let job = print(&printer, &ask("doubled"), &document);
    wait_for(&printer, job, "a jam", |facts| facts.state == JobState::Stopped);
    paper.clear();
    assert_eq!(wait_end(&printer, job).impressions, Some(8));
    assert_eq!(paper.times(&document, 3), 2);
}

#[test]
fn whatever_is_in_the_way_has_a_name() {
    for (reason, kind) in [
        ("media-empty-error", TroubleKind::MediaEmpty),
        ("door-open-error", TroubleKind::DoorOpen),
        ("output-area-full-error", TroubleKind::OutputFull),
        ("paused", TroubleKind::Paused),
    ] {
        let (paper, printer) = paper();
        paper.stop_after(1, reason, Afterwards::GoesOn);
        let job = print(&printer, &ask(reason), &text(2));
        wait_for(&printer, job, reason, |facts| facts.state == JobState::Stopped);
        assert_eq!(printer.look().unwrap().troubles()[0].kind, kind);
        paper.clear();
        assert_eq!(wait_end(&printer, job).impressions, Some(2));
    }
}

#[test]
fn a_paused_printer_takes_jobs_and_prints_them_later() {
    let (paper, printer) = paper();
    paper.pause();
    paper.trouble("media-low-warning");
    let job = print(&printer, &ask("patient"), &text(1));
    assert_eq!(printer.job(job).unwrap().state, JobState::Pending);
    assert_eq!(printer.look().unwrap().troubles().len(), 2);
    paper.clear();
    wait_end(&printer, job);
}

#[test]
fn a_job_that_the_printer_gives_up_says_how_far_it_came() {
    let (paper, printer) = paper();
    paper.abort_after(2);
    let document = text(7);
    let job = print(&printer, &ask("aborted"), &document);
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Aborted, Some(2)));
    assert_eq!(paper.times(&document, 3), 0);
}

#[test]
fn a_printer_that_counts_wrong_is_told_as_it_counts() {
    let (paper, printer) = paper();
    paper.lie(-1);
    let job = print(&printer, &ask("liar"), &text(3));
    assert_eq!(wait_end(&printer, job).impressions, Some(2));
    assert_eq!(paper.printed().len(), 3);
}

#[test]
fn a_refused_document_is_not_on_paper_and_can_be_sent_again() {
    let (paper, printer) = paper();
    let document = text(2);
    let job = printer.create(&ask("busy")).unwrap().id;
    paper.refuse(operation::SEND_DOCUMENT, 0x0507);
    let error = send(&printer, job, &document).unwrap_err();
    assert!(error.to_string().contains("server-error-busy") && !error.is_unknown(), "{error}");
    send(&printer, job, &document).unwrap();
    wait_end(&printer, job);
    assert!((1..=2).all(|page| paper.times(&document, page) == 1));
}

#[test]
fn pages_are_counted_as_the_test_says() {
    let (paper, printer) = paper_with(Setup { count: |_| 5, ..Setup::default() });
    let job = print(&printer, &ask("five"), b"anything");
    assert_eq!(wait_end(&printer, job).impressions, Some(5));
    assert_eq!(paper.printed().len(), 5);
}
