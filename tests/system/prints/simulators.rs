//! Printers that others wrote: Debian's `ippeveprinter`, and a print server in front of a printer. Where they are not
//! installed, that is said and nothing is tested.

use std::fs;

use printer::{Ask, JobFacts, Limits, Printer, Trust, Which};
use serde_json::Value;
use testkit::printing::{Afterwards, Cups, Simulator};
use testkit::wait;

use super::checks::{checks, control, site_of};
use super::{Office, SOON, act, ask, documents, ended, id, wait_for_states};
use crate::programs::Up;

/// Whoever does not answer is not waited for long.
const QUEUE: &str = "patience: 5s\n";
/// And what a print server counts is no evidence.
const SERVER: &str = "patience: 5s\ntransport: server\n";

/// Somebody else who looks at a printer.
fn passer_by(uri: &str) -> Printer {
    Printer::new(uri, &Trust::System, Limits::default()).unwrap()
}

/// Waits until the one job a printer works on is as it should be.
#[track_caller]
fn wait_for_job(printer: &Printer, what: &str, is_so: impl Fn(&JobFacts) -> bool) {
    let mut last = None;
    let seen = wait::until(what, SOON, || {
        last = printer.jobs(Which::NotCompleted, 10).ok();
        last.as_ref().is_some_and(|jobs| jobs.jobs.iter().any(&is_so))
    });
    seen.unwrap_or_else(|error| panic!("{error}: {last:?}"));
}

/// The newest printing of a document.
fn printing(up: &Up, document: &Value) -> Value {
    let shown = up.call(&["print", "show", &id(document), "-o", "json"]).ended(0).json();
    shown["submissions"].as_array().unwrap().last().unwrap().clone()
}

fn reasons(up: &Up) -> String {
    let queues = up.call(&["print", "queues", "-o", "json"]).ended(0).json();
    queues[0]["why"].as_str().unwrap_or_default().to_owned()
}

/// A PDF of so many pages, made by hand.
fn pdf(pages: usize) -> Vec<u8> {
    let kids: Vec<String> = (0..pages).map(|page| format!("{} 0 R", page + 3)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Count {pages}/Kids[{}]>>", kids.join(" ")),
    ];
    objects.resize(pages + 2, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>".to_owned());
    let (mut out, mut table) = (b"%PDF-1.7\n".to_vec(), "0000000000 65535 f \n".to_owned());
    for (number, object) in (1..).zip(&objects) {
        table += &format!("{:010} 00000 n \n", out.len());
        out.extend(format!("{number} 0 obj\n{object}\nendobj\n").into_bytes());
    }
    let (start, size) = (out.len(), objects.len() + 1);
    let end = format!(
        "xref\n0 {size}\n{table}trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n"
    );
    out.extend(end.into_bytes());
    out
}

#[test]
fn a_pdf_and_a_text_are_printed_at_the_simulator_one_after_the_other_and_counted() {
    let Some(simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    fs::write(office.path("out/a.pdf"), pdf(3)).unwrap();
    office.text("b.txt", 3);
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, "", ""));
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "succeeded", "{}", up.call(&["logs", &run]).out);
    let all = wait_for_states(&up, &["printed", "printed"]);
    assert_eq!(simulator.printed(), 6);
    for one in &all {
        let last = printing(&up, one);
        assert_eq!((&last["impressions"], &last["agrees"]), (&3.into(), &true.into()), "{last}");
    }
    up.call(&["print", "reconcile"]).ended(0);
    simulator.pages(2).unwrap();
    assert_eq!(ended(&up, &ask(&up, "reports")), "failed", "it counts two pages of three");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn what_is_held_at_our_queue_does_not_reach_the_simulator_until_it_is_released() {
    let Some(simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    let job = "  release: person\n";
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, job, ""));
    assert_eq!(ended(&up, &ask(&up, "reports")), "succeeded");
    let one = id(&wait_for_states(&up, &["held"])[0]);
    let printer = passer_by(&simulator.uri());
    for which in [Which::NotCompleted, Which::Completed] {
        assert!(printer.jobs(which, 10).unwrap().jobs.is_empty(), "it knows of none");
    }
    act(&up, &["release", &one]);
    wait_for_states(&up, &["printed"]);
    assert_eq!(simulator.printed(), 3);
    up.stop();
}

#[test]
fn a_document_is_cancelled_while_the_simulator_prints_it_and_what_was_counted_is_kept() {
    let Some(simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    simulator.print_only(Some(1)).unwrap();
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, "", ""));
    let run = ask(&up, "reports");
    let printer = passer_by(&simulator.uri());
    wait_for_job(&printer, "a page", |job| job.impressions_completed == Some(1));
    let one = id(&wait_for_states(&up, &["printing"])[0]);
    act(&up, &["cancel", &one]);
    // It stops between jobs only: what is on its way is printed.
    wait_for_job(&printer, "it to be told", |job| job.has_reason("processing-to-stop-point"));
    simulator.print_only(None).unwrap();
    let all = wait_for_states(&up, &["cancelled"]);
    assert_eq!(ended(&up, &run), "failed");
    assert_eq!(printing(&up, &all[0])["impressions"], simulator.printed(), "{all:#?}");
    up.stop();
}

#[test]
fn the_simulators_jam_and_its_open_cover_are_named_and_it_goes_on_when_they_are_cleared() {
    let Some(simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, "", ""));
    let mut states = Vec::new();
    for (reason, words) in [("media-jam-error", "jam"), ("cover-open-error", "cover")] {
        simulator.stop_after(1, reason).unwrap();
        let run = ask(&up, "reports");
        states.push("stopped");
        let all = wait_for_states(&up, &states);
        let why = all.last().unwrap()["why"].as_str().unwrap().to_owned();
        // It goes on saying that it works, and calls what is in the way a warning.
        assert!(why.contains(words), "{why}");
        simulator.jam_after(None).unwrap();
        assert_eq!(ended(&up, &run), "succeeded");
        *states.last_mut().unwrap() = "printed";
    }
    wait_for_states(&up, &states);
    assert_eq!(simulator.printed(), 6, "nothing twice");
    up.stop();
}

#[test]
fn a_simulator_that_is_killed_in_the_middle_and_comes_back_leaves_a_document_nobody_prints_again() {
    let Some(mut simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    simulator.print_only(Some(1)).unwrap();
    let up = office.up(&office.site_at(&simulator.uri(), "patience: 60s\n", "", ""));
    let run = ask(&up, "reports");
    let printer = passer_by(&simulator.uri());
    wait_for_job(&printer, "a page", |job| job.impressions_completed == Some(1));
    wait_for_states(&up, &["printing"]);
    simulator.stop().unwrap();
    simulator.start_again().unwrap();
    wait_for_states(&up, &["unknown"]);
    assert_eq!(ended(&up, &run), "failed");
    assert!(up.call(&["logs", &run]).ended(0).out.contains("a person must look"));
    for which in [Which::NotCompleted, Which::Completed] {
        assert!(printer.jobs(which, 10).unwrap().jobs.is_empty(), "nothing was sent again");
    }
    assert_eq!(simulator.printed(), 1);
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!(found[0]["kind"], "unknown", "{found}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn a_simulator_that_stays_away_is_said_to_be_silent_and_after_its_queues_patience_nobody_knows() {
    let Some(mut simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, "", ""));
    simulator.stop().unwrap();
    let run = ask(&up, "reports");
    wait::until("the queue to wait for its printer", SOON, || !reasons(&up).is_empty()).unwrap();
    wait_for_states(&up, &["ready"]);
    simulator.print_only(Some(1)).unwrap();
    simulator.start_again().unwrap();
    let printer = passer_by(&simulator.uri());
    wait_for_job(&printer, "a page", |job| job.impressions_completed == Some(1));
    simulator.stop().unwrap();
    let all = wait_for_states(&up, &["unknown"]);
    assert!(all[0]["why"].as_str().unwrap().contains("has not answered"), "{all:#?}");
    assert_eq!(ended(&up, &run), "failed");
    assert_eq!(simulator.printed(), 1);
    up.stop();
}

#[test]
fn a_format_that_the_simulator_does_not_print_is_refused_before_there_is_a_job() {
    let Some(simulator) = Simulator::start().unwrap() else { return };
    let office = Office::new();
    let postscript = "%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\nshowpage\n%%EOF\n";
    fs::write(office.path("out/a.ps"), postscript).unwrap();
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, "", ""));
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed");
    let all = wait_for_states(&up, &["failed"]);
    assert!(all[0]["why"].as_str().unwrap().contains("application/postscript"), "{all:#?}");
    let printer = passer_by(&simulator.uri());
    for which in [Which::NotCompleted, Which::Completed] {
        assert!(printer.jobs(which, 10).unwrap().jobs.is_empty(), "it has no job of it");
    }
    assert_eq!(printing(&up, &all[0])["job"], Value::Null);
    up.stop();
}

/// A simulator that works on a job of somebody else.
fn busy() -> Option<Simulator> {
    let simulator = Simulator::start().unwrap()?;
    simulator.print_only(Some(1)).unwrap();
    let theirs = passer_by(&simulator.uri());
    let job = theirs.create(&Ask::new("theirs", "somebody", "text/plain")).unwrap().id;
    theirs.send(job, "somebody", "text/plain", &mut &b"x"[..], 1).unwrap();
    Some(simulator)
}

#[track_caller]
fn wait_for_busy(up: &Up) {
    wait::until("the queue to say that its printer is busy", SOON, || reasons(up).contains("busy"))
        .unwrap_or_else(|error| panic!("{error}: {:#?}", documents(up)));
    wait_for_states(up, &["releasing"]);
}

#[test]
fn a_simulator_that_is_busy_with_somebody_elses_job_is_waited_for_also_by_a_host_that_was_killed() {
    let Some(simulator) = busy() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    let site = office.site_at(&simulator.uri(), QUEUE, "", "");
    let mut up = office.up(&site);
    let run = ask(&up, "reports");
    wait_for_busy(&up);
    up.daemon.kill9().unwrap();
    up = office.up(&site);
    wait_for_busy(&up);
    simulator.print_only(None).unwrap();
    let how = ended(&up, &run);
    let logs = || up.call(&["logs", &run]).out;
    assert_eq!(how, "succeeded", "{}{:#?}\n{}", logs(), documents(&up), up.daemon.output());
    wait_for_states(&up, &["printed"]);
    assert_eq!((simulator.printed(), reasons(&up)), (6, String::new()));
    let events = up.call(&["events", "-o", "json"]).ended(0).out;
    assert_eq!(events.matches("\"print.submitted\"").count(), 1, "it waits without a word");
    up.stop();
}

#[test]
fn what_waits_for_a_busy_simulator_goes_back_when_its_queue_is_held_and_away_when_it_is_cancelled()
{
    let Some(simulator) = busy() else { return };
    let office = Office::new();
    office.text("a.txt", 3);
    let up = office.up(&office.site_at(&simulator.uri(), QUEUE, "", ""));
    let run = ask(&up, "reports");
    wait_for_busy(&up);
    act(&up, &["hold-queue", "office"]);
    wait_for_states(&up, &["ready"]);
    act(&up, &["release-queue", "office"]);
    let all = wait_for_states(&up, &["releasing"]);
    act(&up, &["cancel", &id(&all[0])]);
    wait_for_states(&up, &["cancelled"]);
    assert_eq!(ended(&up, &run), "failed");
    simulator.print_only(None).unwrap();
    wait::until("the other's pages", SOON, || simulator.printed() == 3).unwrap();
    let jobs = passer_by(&simulator.uri()).jobs(Which::NotCompleted, 10).unwrap().jobs;
    assert!(jobs.iter().all(|job| job.is_named("theirs")), "{jobs:?}");
    let last = printing(&up, &all[0]);
    assert_eq!((&last["job"], &last["impressions"]), (&Value::Null, &Value::Null), "{last}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn a_full_output_tray_stops_a_document_and_it_goes_on_where_it_was() {
    let office = Office::new();
    let text = office.text("a.txt", 4);
    let up = office.up(&office.site(QUEUE, "", ""));
    office.paper.stop_after(2, "output-area-full-error", Afterwards::GoesOn);
    let run = ask(&up, "reports");
    let stopped = wait_for_states(&up, &["stopped"]);
    assert!(stopped[0]["why"].as_str().unwrap().contains("output tray full"), "{stopped:#?}");
    assert_eq!(office.paper.printed().len(), 2);
    office.paper.clear();
    assert_eq!(ended(&up, &run), "succeeded");
    assert!((1..=4).all(|page| office.paper.times(&text, page) == 1));
    up.stop();
}

#[test]
fn what_a_print_server_counts_is_no_evidence_and_the_run_succeeds_all_the_same() {
    let office = Office::new();
    let Some(cups) = Cups::start(&office.paper.uri()).unwrap() else { return };
    let text = office.text("a.txt", 2);
    let up = office.up(&office.site_at(&cups.uri(), SERVER, "", ""));
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "succeeded", "{}", up.daemon.output());
    let all = wait_for_states(&up, &["printed"]);
    office.paper.wait_printed(2).unwrap();
    assert!((1..=2).all(|page| office.paper.times(&text, page) == 1));
    let last = printing(&up, &all[0]);
    assert_eq!((&last["impressions"], &last["agrees"]), (&Value::Null, &Value::Null), "{last}");
    assert!(last["job"].is_object(), "{last}");
    let shown = up.call(&["print", "show", &id(&all[0])]).ended(0).out;
    assert!(shown.contains("nothing counted"), "{shown}");
    let logs = up.call(&["logs", &run]).ended(0).out;
    assert!(logs.contains("nobody counted its 2 impressions"), "{logs}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn what_a_print_server_has_counted_is_no_evidence_either_when_it_goes_away() {
    let office = Office::new();
    let Some(cups) = Cups::start(&office.paper.uri()).unwrap() else { return };
    office.text("a.txt", 3);
    office.paper.print_only(1);
    let up = office.up(&office.site_at(&cups.uri(), SERVER, "", ""));
    let run = ask(&up, "reports");
    office.paper.wait_printed(1).unwrap();
    wait_for_states(&up, &["printing"]);
    let printer = passer_by(&cups.uri());
    wait_for_job(&printer, "a count", |job| job.impressions_completed.is_some());
    drop(cups);
    let all = wait_for_states(&up, &["unknown"]);
    assert_eq!(printing(&up, &all[0])["impressions"], Value::Null);
    assert_eq!(ended(&up, &run), "failed");
    let events = up.call(&["events", "-o", "json"]).ended(0).json();
    let counted = events.as_array().unwrap().iter().map(|entry| &entry["event"]).filter(|event| {
        event["type"].as_str().is_some_and(|kind| kind.starts_with("print."))
            && event["data"]["impressions"].is_number()
    });
    assert_eq!(counted.collect::<Vec<_>>(), Vec::<&Value>::new());
    up.stop();
}

#[test]
fn a_form_is_not_printed_through_a_print_server() {
    let office = Office::new();
    let Some(cups) = Cups::start(&office.paper.uri()).unwrap() else { return };
    checks(&office, "checks.txt", 1, 2);
    control(&office, 1..=2);
    let up = office.up(&site_of(&office, &cups.uri(), SERVER));
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed");
    let logs = up.call(&["logs", &run]).ended(0).out;
    assert!(logs.contains("a form goes straight to a printer that counts"), "{logs}");
    assert!(documents(&up).is_empty() && office.paper.printed().is_empty());
    up.stop();
}
