//! What auditors ask to be shown: who answers, who judges the answer, and what is closed.

use domain::event::{
    Event, Reference, RequestAccepted, RequestAnswered, RequestAsked, RequestFlagged,
    RequestPeriod, RequestWithdrawn,
};
use domain::ids::StreamId;
use domain::ledger::{Mark, Streams as _};
use domain::people::Action;
use domain::request::{
    DUE_MS_MAX, REFERENCES_MAX, REQUEST_STATES, REQUEST_TEXT_BYTES_MAX, Request, THREAD_MAX,
    TITLE_BYTES_MAX, csv,
};
use serde_json::json;

use crate::given::{at, later};
use crate::site::{Site, refused};

const EVE: &str = "user/eve";
const ANA: &str = "user/ana";

fn asked() -> RequestAsked {
    RequestAsked {
        title: "Approvals of pay in November".to_owned(),
        text: "Show who approved each change of pay.".to_owned(),
        due: at("2026-12-15T00:00:00Z"),
        control: None,
        period: None,
        references: Vec::new(),
    }
}

fn answered(references: &[&str]) -> RequestAnswered {
    let references = references.iter().map(|text| text.parse().unwrap()).collect();
    RequestAnswered { text: "two changes, see there".to_owned(), references }
}

fn accepted() -> RequestAccepted {
    RequestAccepted { note: String::new() }
}

fn flagged() -> RequestFlagged {
    RequestFlagged { reason: "the second is of October".to_owned() }
}

fn withdrawn() -> RequestWithdrawn {
    RequestWithdrawn { reason: "CM-01 shows it".to_owned() }
}

/// A site with a job, and the first request of the auditor eve.
fn site() -> Site {
    let mut site = Site::new();
    site.apply(json!({"name": "pay"}));
    assert_eq!(site.try_by(EVE, &StreamId::request(1), asked()), Mark::Valid);
    site
}

/// What the recorder says to somebody who says this of the first request.
fn says(site: &mut Site, who: &str, event: impl Into<Event>) -> String {
    match site.try_by(who, &StreamId::request(1), event) {
        Mark::Valid => "taken".to_owned(),
        void @ (Mark::Conflict { .. } | Mark::Refused { .. }) => refused(&void),
    }
}

fn request(site: &Site) -> Request {
    let state = site.world.streams.get(&StreamId::request(1)).unwrap();
    state.body.request().unwrap().clone()
}

/// Events by a letter: answered, accepted (yes), flagged (no), withdrawn.
fn event(letter: char) -> Event {
    match letter {
        'a' => answered(&[]).into(),
        'y' => accepted().into(),
        'n' => flagged().into(),
        'w' => withdrawn().into(),
        other => panic!("{other} is no event of a request"),
    }
}

#[test]
fn a_request_goes_from_question_to_answer_to_judgement_and_what_is_over_stays_so() {
    const NO_ANSWER: &str = "there is no answer that could be accepted";
    const NO_FLAG: &str = "there is no answer that could be flagged";
    const ACCEPTED: &str = "it was accepted by user/eve: ask anew";
    const WITHDRAWN: &str = "it was withdrawn by user/eve: ask anew";
    for (before, state, next) in [
        ("", "open", [("a", "taken"), ("y", NO_ANSWER), ("n", NO_FLAG), ("w", "taken")]),
        ("a", "answered", [("a", "taken"), ("y", "taken"), ("n", "taken"), ("w", "taken")]),
        ("an", "flagged", [("a", "taken"), ("y", NO_ANSWER), ("n", NO_FLAG), ("w", "taken")]),
        ("ana", "answered", [("a", "taken"), ("y", "taken"), ("n", "taken"), ("w", "taken")]),
        ("ay", "accepted", [("a", ACCEPTED), ("y", ACCEPTED), ("n", ACCEPTED), ("w", ACCEPTED)]),
        ("w", "withdrawn", ["a", "y", "n", "w"].map(|letter| (letter, WITHDRAWN))),
    ] {
        for (letter, wanted) in next {
            let mut site = site();
            let who = |letter: char| if letter == 'a' { ANA } else { EVE };
            for letter in before.chars() {
                assert_eq!(says(&mut site, who(letter), event(letter)), "taken", "{before}");
            }
            assert_eq!(request(&site).word(), state, "{before}");
            assert!(REQUEST_STATES.contains(&state));
            let letter = letter.parse().unwrap();
            let said = says(&mut site, who(letter), event(letter));
            assert_eq!(said, wanted, "{before} then {letter}");
        }
    }
}

#[test]
fn whoever_answers_any_part_of_it_does_not_accept_it_and_whoever_asked_does_not_answer() {
    let mut site = site();
    let own = "nobody accepts what they answered themselves";
    assert_eq!(says(&mut site, EVE, answered(&[])), "nobody answers what they asked themselves");
    assert_eq!(says(&mut site, ANA, answered(&[])), "taken");
    assert_eq!(says(&mut site, "user/bob", answered(&[])), "taken");
    assert_eq!(says(&mut site, ANA, accepted()), own);
    assert_eq!(says(&mut site, EVE, flagged()), "taken");
    assert_eq!(says(&mut site, "user/bob", answered(&[])), "taken");
    assert_eq!(says(&mut site, ANA, accepted()), own, "also who answered before it was flagged");
    // Where one person may approve their own change, they still do not judge what they answered.
    site.world.ledger.policy.self_approval = true;
    assert_eq!(says(&mut site, "user/bob", accepted()), own);
    assert_eq!(says(&mut site, "user/fay", accepted()), "taken", "another auditor than who asked");
    let request = request(&site);
    assert_eq!(request.answerers().into_iter().collect::<Vec<_>>(), [ANA, "user/bob"]);
    assert_eq!(request.closed().unwrap().by, "user/fay");
}

#[test]
fn whoever_asked_withdraws_and_nobody_else_does() {
    let mut site = site();
    let only = "whoever asked withdraws it, and nobody else";
    assert_eq!(says(&mut site, "user/fay", withdrawn()), only);
    assert_eq!(says(&mut site, ANA, withdrawn()), only);
    assert_eq!(says(&mut site, EVE, withdrawn()), "taken");
}

#[test]
fn an_answer_points_to_what_is_in_the_log_and_to_nothing_else() {
    let mut site = site();
    let size = site.world.ledger.size;
    let beyond = (size + 1).to_string();
    let (newest, many) = (size.to_string(), (1..=21).map(|n| n.to_string()).collect::<Vec<_>>());
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(many.len(), REFERENCES_MAX + 1);
    for (references, wanted) in [
        (&["job/pay", "1", newest.as_str(), "control/cm-01", "request/1"][..], "taken"),
        (&["job/other"], "there is no job/other in the log"),
        (&["run/pay@request-1"], "there is no run/pay@request-1 in the log"),
        (&["0"], "the log has no position 0"),
        (&[beyond.as_str()], &format!("the log has no position {beyond}")),
        (&["job/pay", "job/pay"], "a reference is named once"),
        (&many, "20 references at most"),
    ] {
        let mut site = crate::requests::site();
        assert_eq!(says(&mut site, ANA, answered(references)), wanted, "{references:?}");
    }
    let none = says(&mut site, ANA, answered(&["control/xx-99"]));
    assert!(none.starts_with("there is no control xx-99"), "{none}");
    for bad in ["", "job", "nope/x", "-1", "request/0", "request/01", "request/x"] {
        assert!(bad.parse::<Reference>().is_err(), "{bad}");
    }
}

#[test]
fn what_makes_no_sense_is_not_asked() {
    let mut site = site();
    let second = StreamId::request(2);
    let day = |text: &str| text.parse().unwrap();
    let period = |from, until| Some(RequestPeriod { from: day(from), until: day(until) });
    let now = site.now;
    for (wrong, wanted) in [
        (RequestAsked { title: " ".to_owned(), ..asked() }, "a title of 1 to 200 bytes is needed"),
        (
            RequestAsked { title: "x".repeat(TITLE_BYTES_MAX + 1), ..asked() },
            "a title of 1 to 200 bytes is needed",
        ),
        (
            RequestAsked { text: "x".repeat(REQUEST_TEXT_BYTES_MAX + 1), ..asked() },
            "a text of 1 to 4000 bytes is needed",
        ),
        (RequestAsked { due: now, ..asked() }, "it is due in the future, and within 366 days"),
        (
            RequestAsked { due: later(now, DUE_MS_MAX + 1), ..asked() },
            "it is due in the future, and within 366 days",
        ),
        (
            RequestAsked { period: period("2026-11-30", "2026-11-01"), ..asked() },
            "a period does not end before it begins",
        ),
        (
            RequestAsked { control: Some("cm-01".to_owned()), ..asked() },
            "a control is named in capitals",
        ),
        (
            RequestAsked { references: vec!["job/other".parse().unwrap()], ..asked() },
            "there is no job/other in the log",
        ),
    ] {
        let mark = site.try_by(EVE, &second, wrong);
        assert_eq!(refused(&mark), wanted);
    }
    let control = Some("CM-01".to_owned());
    let right = RequestAsked { control, period: period("2026-11-01", "2026-11-01"), ..asked() };
    assert_eq!(site.try_by(EVE, &second, right), Mark::Valid);
}

#[test]
fn numbers_of_requests_have_no_holes_and_each_is_asked_once() {
    let mut site = site();
    let before = "the request before it is not there";
    assert_eq!(refused(&site.try_by(EVE, &StreamId::request(3), asked())), before);
    assert_eq!(
        refused(&site.try_by(ANA, &StreamId::request(2), answered(&[]))),
        "there is no such request"
    );
    assert_eq!(site.try_by(EVE, &StreamId::request(2), asked()), Mark::Valid);
    assert_eq!(site.try_by(EVE, &StreamId::request(3), asked()), Mark::Valid);
    let once = "a request is asked once, by its first event";
    assert_eq!(says(&mut site, EVE, asked()), once);
}

#[test]
fn a_thread_ends_and_can_still_be_judged() {
    let mut site = site();
    for _ in 0..THREAD_MAX {
        assert_eq!(says(&mut site, ANA, answered(&[])), "taken");
    }
    let full = "its thread has 50 entries: accept or withdraw it";
    assert_eq!(says(&mut site, ANA, answered(&[])), full);
    assert_eq!(says(&mut site, EVE, flagged()), full);
    assert_eq!(says(&mut site, EVE, accepted()), "taken");
}

#[test]
fn a_request_is_overdue_while_an_answer_is_waited_for_that_was_to_be_there() {
    let mut site = site();
    let (due, after) = (asked().due, later(asked().due, 1));
    for (letter, wanted) in
        [(None, true), (Some('a'), false), (Some('n'), true), (Some('w'), false)]
    {
        if let Some(letter) = letter {
            let who = if letter == 'a' { ANA } else { EVE };
            assert_eq!(says(&mut site, who, event(letter)), "taken");
        }
        assert_eq!(request(&site).is_overdue(after), wanted, "{letter:?}");
        assert!(!request(&site).is_overdue(due), "{letter:?}");
    }
}

#[test]
fn only_auditors_ask_and_judge_and_only_who_operates_answers() {
    for (event, action) in [
        (Event::from(asked()), Action::AuditRequests),
        (answered(&[]).into(), Action::AnswerRequests),
        (accepted().into(), Action::AuditRequests),
        (flagged().into(), Action::AuditRequests),
        (withdrawn().into(), Action::AuditRequests),
    ] {
        assert_eq!(domain::people::action_of(&event), Some(action), "{}", event.kind());
    }
}

#[test]
fn a_file_of_requests_says_who_asked_what_was_answered_and_what_came_of_it() {
    let mut site = site();
    let open = request(&site);
    site.until("03:00");
    assert_eq!(says(&mut site, ANA, answered(&[])), "taken");
    site.until("04:00");
    assert_eq!(says(&mut site, EVE, flagged()), "taken");
    site.until("05:00");
    assert_eq!(says(&mut site, "user/bob", answered(&[])), "taken");
    let note = "=cmd|x, and \"so\"".to_owned();
    assert_eq!(says(&mut site, EVE, RequestAccepted { note }), "taken");
    let (closed, text) = (request(&site), "1,Approvals of pay in November,,,,user/eve,");
    let file = csv([&open, &closed]);
    let lines: Vec<&str> = file.lines().collect();
    assert!(lines[0].starts_with("request,title,control,from,until,asked by,"), "{file}");
    let asked = "2026-11-20T00:00:00Z,2026-12-15T00:00:00Z";
    assert_eq!(lines[1], format!("{text}{asked},open,0,,,,0,,,,"));
    let answers = "2,user/ana user/bob,2026-11-20T03:00:00Z,2026-11-20T05:00:00Z,1";
    let outcome = "accepted,user/eve,2026-11-20T05:00:00Z,\"'=cmd|x, and \"\"so\"\"\"";
    assert_eq!(lines[2], format!("{text}{asked},accepted,{answers},{outcome}"));
}
