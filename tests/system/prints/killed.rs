//! kill -9 at bad moments: each number of a form is accounted for exactly once, and none is printed twice.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::printing::{AfterRestart, Jobs};
use testkit::wait;

use super::checks::{checks, control, form, load, site};
use super::{Office, SOON, act, ask, documents, id};
use crate::programs::{Random, Up};

/// Documents of five checks each.
const RUNS: usize = 10;

#[test]
fn fifty_checks_survive_ten_kills_with_each_number_accounted_for_once_and_none_printed_twice() {
    let office = Office::new();
    let mut texts = Vec::new();
    for n in 0..RUNS {
        texts.push(checks(&office, &format!("checks-{n}.txt"), 1 + 5 * n, 5));
    }
    control(&office, 1..=5 * RUNS);
    let site = site(&office);
    let mut up = office.up(&site);
    load(&up, "1", "500");
    let mut random = Random::new();
    ask(&up, "reports");
    for _ in 0..10 {
        std::thread::sleep(random.millis(20, 900));
        up.daemon.kill9().unwrap();
        up = office.up(&site);
    }
    settle(&office, &up);
    account(&office, &up, &texts);
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn a_printer_that_forgets_a_job_in_its_middle_leaves_a_document_of_which_a_person_must_say_what_became()
 {
    let mut office = Office::new();
    let text = checks(&office, "checks.txt", 1, 4);
    control(&office, 1..=4);
    let up = office.up(&site(&office));
    load(&up, "1", "40");
    office.paper.print_only(2);
    ask(&up, "reports");
    office.paper.wait_printed(2).unwrap();
    office.paper.stop();
    let after = AfterRestart { jobs: Jobs::AreForgotten, numbers_begin_anew: true };
    office.paper.start_again(after).unwrap();
    let unknown = super::wait_for_states(&up, &["unknown"]);
    assert_eq!(office.paper.printed().len(), 2, "nothing is sent again");
    let one = id(&unknown[0]);
    act(&up, &["resolve", &one, "--impressions", "2"]);
    super::wait_for_states(&up, &["failed"]);
    wait::until("two numbers to be printed", SOON, || form(&up)["printed"] == 2).unwrap();
    office.paper.print_on();
    act(&up, &["forms", "return", "checks", "3", "4"]);
    act(&up, &["reprint", &one, "--pages", "3-4"]);
    act(&up, &["approve-reprint", &one]);
    super::wait_for_states(&up, &["printed"]);
    for page in 1..=4 {
        assert_eq!(office.paper.times(&text, page), 1, "page {page}");
    }
    assert_eq!(form(&up)["next"], 5);
    up.stop();
}

/// What people do after such a night: whatever is unknown is looked at, what lies blank goes back, and what is missing is
/// printed by two people's word.
fn settle(office: &Office, up: &Up) {
    wait::until("everything to rest", SOON * 2, || {
        let all = documents(up);
        let rests = |one: &Value| {
            !matches!(
                one["state"].as_str().unwrap(),
                "ready" | "releasing" | "printing" | "stopped"
            )
        };
        all.len() == RUNS && all.iter().all(rests)
    })
    .unwrap_or_else(|error| panic!("{error}: {:#?}\n{}", documents(up), up.daemon.output()));
    for one in documents(up) {
        let (id, state) = (id(&one), one["state"].as_str().unwrap().to_owned());
        if state == "unknown" {
            let shown = up.call(&[
                "print",
                "read",
                &id,
                "--to",
                office.path(&id).to_str().unwrap(),
                "--reason",
                "to look",
            ]);
            shown.ended(0);
            let content = std::fs::read(office.path(&id)).unwrap();
            let on_paper = (1..=5).filter(|page| office.paper.times(&content, *page) > 0).count();
            act(up, &["resolve", &id, "--impressions", &on_paper.to_string()]);
        }
    }
    // By now every document is printed, or broke off at a page that is known.
    for one in documents(up) {
        if one["state"] == "printed" {
            continue;
        }
        let id = id(&one);
        let (first, last, printed) = numbers(up, &id);
        if let Some((first, last)) = first.zip(last)
            && first + printed <= last
        {
            let (from, to) = ((first + printed).to_string(), last.to_string());
            // What lies below numbers that others used meanwhile is waste.
            if super::said(up, &["forms", "return", "checks", &from, &to]).code != 0 {
                act(up, &["forms", "spoil", "checks", &from, &to]);
            }
        }
        if printed < 5 {
            act(up, &["reprint", &id, "--pages", &format!("{}-5", printed + 1)]);
            act(up, &["approve-reprint", &id]);
        }
    }
    wait::until("all checks to be printed", SOON * 2, || form(up)["printed"] == 5 * RUNS)
        .unwrap_or_else(|error| panic!("{error}: {}\n{:#?}", form(up), documents(up)));
}

/// The first and last number of a document's newest printing, and how many of them are said to be printed.
fn numbers(up: &Up, id: &str) -> (Option<u64>, Option<u64>, u64) {
    let shown = up.call(&["print", "forms", "show", "checks", "-o", "json"]).ended(0).json();
    let (mut first, mut last, mut printed) = (None, None, 0);
    for span in shown["spans"].as_array().unwrap() {
        if span["document"].as_str().is_some_and(|document| document.ends_with(id)) {
            first = first.or(span["first"].as_u64());
            last = span["last"].as_u64();
            if span["fate"] == "printed" {
                printed += span["last"].as_u64().unwrap() + 1 - span["first"].as_u64().unwrap();
            }
        }
    }
    (first, last, printed)
}

fn account(office: &Office, up: &Up, texts: &[Vec<u8>]) {
    for (n, text) in texts.iter().enumerate() {
        for page in 1..=5 {
            assert_eq!(office.paper.times(text, page), 1, "page {page} of document {n}");
        }
    }
    let shown = up.call(&["print", "forms", "show", "checks", "-o", "json"]).ended(0).json();
    let mut fates: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for span in shown["spans"].as_array().unwrap() {
        for number in span["first"].as_u64().unwrap()..=span["last"].as_u64().unwrap() {
            fates.entry(number).or_default().push(span["fate"].as_str().unwrap().to_owned());
        }
    }
    assert!(fates.values().all(|fates| fates.len() == 1), "{fates:?}");
    let printed = fates.values().filter(|fates| fates[0] == "printed").count();
    assert_eq!(printed, 5 * RUNS, "{fates:?}");
    assert!(fates.values().all(|fates| fates[0] != "allocated"), "{fates:?}");
    let last = *fates.keys().last().unwrap();
    assert_eq!(fates.len() as u64, last, "no number below {last} is left out: {fates:?}");
}
