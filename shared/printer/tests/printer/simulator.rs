//! Debian's `ippeveprinter`: that others understand us.

use printer::{HowEnded, JobId, JobState, Operation, Printer, PrinterError, TroubleKind, Which};
use testkit::printing::Simulator;
use testkit::wait;

use crate::support::{PATIENCE, USER, ask, client, print, text, wait_end, wait_for};

/// One, or nothing where it is not installed.
fn simulator() -> Option<(Simulator, Printer)> {
    let simulator = Simulator::start().unwrap()?;
    let printer = client(&simulator.uri());
    Some((simulator, printer))
}

#[test]
fn the_simulator_prints_what_it_is_asked() {
    let Some((simulator, printer)) = simulator() else { return };
    let facts = printer.look().unwrap();
    assert!(facts.uuid.is_some() && facts.accepting && facts.can(Operation::CreateJob));
    printer.validate(&ask("simulated")).unwrap();
    let job = print(&printer, &ask("simulated"), &text(3));
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Completed, Some(3)));
    assert_eq!(simulator.printed(), 3);
    let ended = printer.jobs(Which::Completed, 10).unwrap();
    assert!(ended.complete && ended.jobs.iter().any(|job| job.is_named("simulated")));
}

#[test]
fn the_simulator_jams_and_goes_on() {
    let Some((simulator, printer)) = simulator() else { return };
    simulator.pages(5).unwrap();
    simulator.jam_after(Some(2)).unwrap();
    let job = print(&printer, &ask("jammed"), &text(5));
    wait::until("a jam", PATIENCE, || {
        let troubles = printer.look().unwrap().troubles();
        troubles.iter().any(|trouble| trouble.kind == TroubleKind::MediaJam)
    })
    .unwrap();
    assert_eq!(printer.job(job).unwrap().impressions_completed, Some(2));
    simulator.jam_after(None).unwrap();
    assert_eq!(wait_end(&printer, job).impressions, Some(5));
    assert_eq!(simulator.printed(), 5);
}

#[test]
fn the_simulator_aborts_and_says_how_far_it_came() {
    let Some((simulator, printer)) = simulator() else { return };
    simulator.pages(7).unwrap();
    simulator.abort_after(Some(2)).unwrap();
    let job = print(&printer, &ask("aborted"), &text(7));
    let end = wait_end(&printer, job);
    assert_eq!((end.how, end.impressions), (HowEnded::Aborted, Some(2)));
}

#[test]
fn the_simulator_that_is_killed_forgets_and_gives_the_number_to_another() {
    let Some((mut simulator, printer)) = simulator() else { return };
    let before = printer.look().unwrap();
    simulator.print_only(Some(1)).unwrap();
    let job = print(&printer, &ask("ours"), &text(3));
    wait_for(&printer, job, "a page", |facts| facts.impressions_completed == Some(1));
    simulator.stop().unwrap();
    let error = printer.job(job).unwrap_err();
    assert!(matches!(error, PrinterError::Unreached { .. }), "{error}");
    simulator.start_again().unwrap();
    let error = printer.job(job).unwrap_err();
    assert!(error.to_string().contains("client-error-not-found"), "{error}");
    assert_eq!(printer.look().unwrap().uuid, before.uuid);
    assert_eq!(printer.create(&ask("theirs")).unwrap().id, job);
    assert!(!printer.job(job).unwrap().is_named("ours"));
}

#[test]
fn the_simulator_refuses_what_it_does_not_print() {
    let Some((simulator, printer)) = simulator() else { return };
    let job = printer.create(&ask("x")).unwrap().id;
    let error = printer.send(job, USER, "image/x-nothing", &mut &b"x"[..], 1).unwrap_err();
    assert!(error.to_string().contains("document-format"), "{error}");
    assert!(matches!(error, PrinterError::Refused { .. }) && simulator.printed() == 0);
    // It takes one job at a time.
    let error = printer.create(&ask("second")).unwrap_err();
    assert!(error.to_string().contains("server-error-busy"), "{error}");
    let error = printer.job(JobId(999)).unwrap_err();
    assert!(error.to_string().contains("client-error-not-found"), "{error}");
}

#[test]
fn a_job_at_the_simulator_can_be_cancelled() {
    let Some((simulator, printer)) = simulator() else { return };
    simulator.print_only(Some(1)).unwrap();
    let job = print(&printer, &ask("cancelled"), &text(3));
    wait_for(&printer, job, "a page", |facts| facts.impressions_completed == Some(1));
    assert_eq!(printer.job(job).unwrap().state, JobState::Processing);
    printer.cancel(job, USER).unwrap();
    simulator.print_only(None).unwrap();
    let end = wait_end(&printer, job);
    assert_eq!(end.how, HowEnded::Canceled);
}

#[test]
fn the_simulators_own_certificate_is_not_trusted() {
    let Some((simulator, _)) = simulator() else { return };
    let error = client(&simulator.tls_uri()).look().unwrap_err();
    assert!(matches!(error, PrinterError::Unreached { .. }), "{error}");
}
