//! What a host says of a job it saw: states of jobs by transports by states of the document.

use domain::event::{Event, PrintEvent};
use domain::print::Transport;
use domain::print::seen::{Ended, JobSeen, seen};

use super::*;

fn job(ended: Option<Ended>, troubles: &[&str]) -> JobSeen {
    JobSeen {
        ended,
        impressions: Some(3),
        sheets: Some(2),
        reasons: vec!["aborted-by-system".to_owned()],
        troubles: troubles.iter().map(|one| (*one).to_owned()).collect(),
    }
}

fn word(event: Option<&PrintEvent>) -> String {
    let Some(event) = event else { return "-".to_owned() };
    let counted = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
    if let PrintEvent::PrintContinued(_) = event {
        return "continued".to_owned();
    }
    if let PrintEvent::PrintCompleted(e) = event {
        return format!("completed {}", counted(e.impressions));
    }
    if let PrintEvent::PrintCancelled(e) = event {
        return format!("cancelled {}", counted(e.impressions));
    }
    if let PrintEvent::PrintFailed(e) = event {
        return format!("failed {} {}", counted(e.impressions), e.sent);
    }
    let PrintEvent::PrintStopped(e) = event else {
        panic!("no host says {event:?} of what it saw")
    };
    format!("stopped {}", counted(e.impressions))
}

#[test]
fn what_is_said_of_a_job_depends_on_its_state_the_transport_and_what_is_known() {
    let ended = [Some(Ended::Completed), Some(Ended::Canceled), Some(Ended::Aborted)];
    let jobs: Vec<JobSeen> = ended
        .into_iter()
        .map(|ended| job(ended, &[]))
        .chain([job(None, &[]), job(None, &["paper is jammed"]), job(None, &["paper is out"])])
        .collect();
    let rows = [
        ("releasing", "direct", ["-", "cancelled 3", "failed 3 true", "-", "-", "-"]),
        ("releasing", "server", ["-", "cancelled ?", "failed ? true", "-", "-", "-"]),
        (
            "printing",
            "direct",
            ["completed 3", "cancelled 3", "failed 3 true", "-", "stopped 3", "stopped 3"],
        ),
        (
            "printing",
            "server",
            ["completed ?", "cancelled ?", "failed ? true", "-", "stopped ?", "stopped ?"],
        ),
        // What is known already is not said again.
        (
            "stopped",
            "direct",
            ["completed 3", "cancelled 3", "failed 3 true", "continued", "-", "stopped 3"],
        ),
        (
            "stopped",
            "server",
            ["completed ?", "cancelled ?", "failed ? true", "continued", "-", "stopped ?"],
        ),
    ];
    for state in STATES {
        for transport in [Transport::Direct, Transport::Server] {
            let mut office = Office::new();
            office.spool(if state == "electronic" { "letters" } else { "report" }).bring(state);
            let document = office.document(&it());
            let said: Vec<String> =
                jobs.iter().map(|job| word(seen(&document, transport, job).as_ref())).collect();
            let name = if transport == Transport::Direct { "direct" } else { "server" };
            let row = rows.iter().find(|(of, by, _)| (*of, *by) == (state, name));
            let wanted = row.map_or(["-"; 6], |(_, _, wanted)| *wanted);
            assert_eq!(said, wanted, "{state} {name}");
        }
    }
}

#[test]
fn whatever_a_host_says_of_what_it_saw_the_recorder_takes() {
    let mut taken = 0;
    for seed in 1..=400 {
        let mut dice = Dice::new(seed);
        let state = dice.one(&STATES);
        let mut office = Office::with_stock();
        let name = if state == "electronic" { "letters" } else { dice.one(&["report", "checks"]) };
        office.spool(name).bring(state);
        let ended =
            dice.one(&[None, Some(Ended::Completed), Some(Ended::Canceled), Some(Ended::Aborted)]);
        let troubles = dice.one(&[vec![], vec!["paper is out".to_owned(); 30]]);
        let impressions = dice.one(&[None, Some(0), Some(9), Some(10), Some(u32::MAX)]);
        let (sheets, reasons) = (dice.one(&[None, Some(5)]), vec!["x".repeat(300); 30]);
        let job = JobSeen { ended, impressions, sheets, reasons, troubles };
        let transport = dice.one(&[Transport::Direct, Transport::Server]);
        if let Some(event) = seen(&office.document(&it()), transport, &job) {
            let mark = office.host("h1", &it(), Event::from(event));
            assert_eq!(mark, Mark::Valid, "seed {seed}: {job:?} while {state}");
            taken += 1;
        }
    }
    assert!(taken > 50, "{taken}");
}

/// A printer sends what it likes; what a host says of it must fit into an event.
#[test]
fn no_printer_keeps_its_host_from_saying_what_it_saw() {
    for text in ["\u{1}\u{7f}\u{85}", "\"\\\n", "\u{1f5a8}", "ab"] {
        let text = text.repeat(4_000);
        for ended in [None, Some(Ended::Completed), Some(Ended::Canceled), Some(Ended::Aborted)] {
            let mut office = Office::new();
            office.spool("report").print();
            let texts = vec![text.clone(); 64];
            let job = JobSeen {
                ended,
                impressions: Some(1),
                sheets: None,
                reasons: texts.clone(),
                troubles: texts,
            };
            let event = seen(&office.document(&it()), Transport::Direct, &job).unwrap();
            office.says(Event::from(event));
        }
    }
}

#[test]
fn who_wanted_it_cancelled_is_why_it_was_and_else_the_printer_says_why() {
    let reason_of = |office: &Office| {
        let canceled = job(Some(Ended::Canceled), &[]);
        match seen(&office.document(&it()), Transport::Direct, &canceled) {
            Some(PrintEvent::PrintCancelled(e)) => e.reason,
            other => panic!("{other:?}"),
        }
    };
    let mut office = Office::new();
    office.spool("report").print();
    assert_eq!(reason_of(&office), "it was cancelled at the printer (aborted-by-system)");
    office.does("user/ana", cancel_requested());
    assert_eq!(reason_of(&office), "because");
}
