//! A print server between us and a printer.

use printer::{Ask, HowEnded, JobState, Operation, Printer, Which};
use testkit::printing::{Cups, Paper};

use crate::support::{USER, ask, client, paper, print, send, text, wait_end};

/// One before a printer, or nothing where it is not installed.
fn cups() -> Option<(Cups, Printer, Paper)> {
    let (paper, _) = paper();
    let cups = Cups::start(&paper.uri()).unwrap()?;
    let printer = client(&cups.uri());
    Some((cups, printer, paper))
}

/// A document of a kind that the server gives on as it is.
fn raw(name: &str) -> Ask {
    Ask::new(name, USER, "text/plain")
}

#[test]
fn a_held_job_is_released_by_the_print_server() {
    let Some((_cups, printer, paper)) = cups() else { return };
    assert!(printer.look().unwrap().can(Operation::ReleaseJob));
    let document = text(2);
    let job = print(&printer, &Ask { hold: true, ..raw("held") }, &document);
    assert_eq!(printer.job(job).unwrap().state, JobState::Held);
    printer.release(job, USER).unwrap();
    assert_eq!(wait_end(&printer, job).how, HowEnded::Completed);
    assert_eq!(paper.printed().len(), 2);
}

#[test]
fn a_held_job_is_cancelled_at_the_print_server() {
    let Some((_cups, printer, paper)) = cups() else { return };
    let job = print(&printer, &Ask { hold: true, ..raw("cancelled") }, &text(2));
    printer.cancel(job, USER).unwrap();
    assert_eq!(wait_end(&printer, job).how, HowEnded::Canceled);
    assert!(paper.printed().is_empty());
}

#[test]
fn a_job_is_found_by_its_name_at_the_print_server() {
    let Some((_cups, printer, _paper)) = cups() else { return };
    for number in 1..=3 {
        let asked = Ask { hold: true, ..raw(&format!("job {number}")) };
        let job = printer.create(&asked).unwrap().id;
        send(&printer, job, &text(1)).unwrap();
    }
    let list = printer.jobs(Which::NotCompleted, 100).unwrap();
    assert!(list.complete);
    let found: Vec<_> = list.jobs.iter().filter(|job| job.is_named("job 2")).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].user.as_deref(), Some(USER));
}

#[test]
fn a_print_server_refuses_a_format_it_does_not_know() {
    let Some((_cups, printer, _paper)) = cups() else { return };
    let job = printer.create(&ask("x")).unwrap().id;
    let error = printer.send(job, USER, "image/x-nothing", &mut &b"x"[..], 1).unwrap_err();
    assert!(error.to_string().contains("client-error-document-format-not-supported"), "{error}");
}
