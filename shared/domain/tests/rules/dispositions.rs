//! By which measures controls are tested, what people say of exceptions, and that they looked.

use domain::canonical::Digest;
use domain::controls::{
    Agreements, ControlSettings, Item, Outcome, Period, Summary, csv, measures_stream, summary_csv,
};
use domain::event::{ControlDisposition, ControlExceptionDisposed, ControlReviewed};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::site::{Thing, ThingKind};
use jiff::Timestamp;
use serde_json::json;

use crate::controls::{exceptions, of_events, one, strict};
use crate::given::{at, later};
use crate::site::{Site, refused, run_id};

fn period(from: &str, until: &str) -> Period {
    Period { from: at(from), until: at(until) }
}

/// The number of the version that counts for a period, and its longest pause.
fn agreed(site: &Site, of: Period) -> (Option<u32>, String) {
    let mut agreements = Agreements::default();
    for (position, (envelope, event, received)) in (1..).zip(&site.world.feed) {
        agreements.observe(envelope, event, (position, *received));
    }
    let found = agreements.at_end_of(of);
    (found.version.map(|one| one.number), found.settings.pause_at_most.to_string())
}

#[test]
fn a_period_is_tested_by_the_measures_that_were_approved_and_held_at_its_end() {
    let mut site = Site::new();
    site.until("02:00").apply(json!({"kind": "measures", "pause-at-most": "1h"}));
    site.until("04:00").apply(json!({"kind": "measures", "pause-at-most": "2h"}));
    site.until("06:00").retire(ThingKind::Measures, "site");
    let usual = ControlSettings::default().pause_at_most.to_string();
    for (from, until, number, pause) in [
        ("00:00", "01:00", None, usual.as_str()),
        ("00:00", "02:00", None, &usual),
        ("00:00", "03:00", Some(1), "1h"),
        ("02:30", "04:00", Some(1), "1h"),
        ("02:30", "05:00", Some(2), "2h"),
        ("02:30", "06:00", Some(2), "2h"),
        ("00:00", "07:00", None, &usual),
        ("07:00", "08:00", None, &usual),
    ] {
        let found = agreed(&site, period(from, until));
        assert_eq!(found, (number, pause.to_owned()), "{from} until {until}");
    }
}

#[test]
fn measures_that_are_none_are_refused_and_each_is_named() {
    let read = |value| Thing::read(ThingKind::Measures, &value).map(|thing| thing.problems().len());
    for (value, problems) in [
        (json!({}), Some(0)),
        (json!({"kind": "measures", "name": "site", "acknowledge-within": "30m"}), Some(0)),
        (json!({"name": "other"}), Some(1)),
        (json!({"silence-at-most": "0s", "review-every": "0s"}), Some(2)),
        (json!({"kind": "lock"}), None),
        (json!({"pause-for": "1h"}), None),
    ] {
        assert_eq!(read(value.clone()).ok(), problems, "{value}");
    }
}

#[test]
fn who_tests_by_others_than_the_approved_measures_is_told_from_who_does_not() {
    let mut site = Site::new();
    site.apply(json!({"name": "pay"}));
    let by =
        |site: &Site, settings: &ControlSettings| of_events(&site.world, settings, |_, _| true);
    let (usual, given) = (ControlSettings::default(), strict());
    // A log without such a document says what it always said, by whichever measures.
    for settings in [&usual, &given] {
        assert!(!one(&by(&site, settings), "CM-05").is_told());
    }
    site.until("01:00").apply(json!({"kind": "measures", "review-every": "12h"}));
    let found = by(&site, &given);
    let wrong = "measures/site: tested by others: review-every is 1s and not 12h";
    assert_eq!(exceptions(&found, "CM-05"), [wrong]);
    let review_every = domain::time::HumanDuration::from_secs(12 * 3_600);
    let agreed = ControlSettings { review_every, ..usual };
    let found = by(&site, &agreed);
    assert_eq!(exceptions(&found, "CM-05"), [""; 0]);
    let note = one(&found, "CM-05").population[0].note.clone().unwrap();
    assert!(note.starts_with("definition 1 of measures/site, approved by user/bob at"), "{note}");
    assert_eq!(one(&found, "CM-01").population.len(), 2, "they are approved like any definition");
}

/// A site whose job `pay` failed at two and is paused for a week, with its exceptions.
fn odd() -> Site {
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}}));
    site.until("02:00").start("pay@02:00").end("pay@02:00", 1);
    // An exception is one once it is older than the newest event by more than a review may be.
    site.until("03:00").request("pay@request-9");
    site
}

fn tested(site: &Site) -> Vec<Outcome> {
    of_events(&site.world, &strict(), |_, _| true)
}

fn about(item: &Item, disposition: ControlDisposition, text: &str) -> ControlExceptionDisposed {
    ControlExceptionDisposed {
        at: item.at,
        subject: item.subject.clone(),
        position: item.position,
        says: item.result().to_owned(),
        disposition,
        text: text.to_owned(),
        evidence: Some("OPS-4711".to_owned()),
    }
}

fn failed(site: &Site) -> Item {
    one(&tested(site), "JS-02").exceptions().next().unwrap().clone()
}

#[test]
fn what_became_of_an_exception_stands_beside_it_and_a_later_word_takes_its_place() {
    let mut site = odd();
    let (stream, item) = (StreamId::control("JS-02"), failed(&site));
    let before = one(&tested(&site), "JS-02").clone();
    assert_eq!(
        (before.open(), csv(&before).lines().next()),
        (1, Some("time,subject,position,result"))
    );
    let first = about(&item, ControlDisposition::Accepted, "the disk was full");
    assert_eq!(site.try_by("user/bob", &stream, first), Mark::Valid);
    site.until("04:00");
    let second = about(&item, ControlDisposition::Remediated, "the disk is larger");
    assert_eq!(site.try_by("user/ana", &stream, second), Mark::Valid);
    let nothing = ControlExceptionDisposed {
        subject: "run/other@02:00".to_owned(),
        ..about(&item, ControlDisposition::Accepted, "of no exception")
    };
    assert_eq!(site.try_by("user/bob", &stream, nothing), Mark::Valid);
    let all = tested(&site);
    let after = one(&all, "JS-02");
    let said = after.exceptions().next().unwrap().disposed.clone().unwrap();
    assert_eq!((said.disposition.word(), said.by.as_str()), ("remediated", "user/ana"));
    assert_eq!((after.open(), Summary::of(after).exceptions), (0, 1), "an exception stays one");
    assert_ne!(after.shown().unwrap(), before.shown().unwrap());
    let table = csv(after);
    assert!(
        table.contains(",remediated,user/ana,2026-11-20T04:00:00Z,the disk is larger,OPS-4711"),
        "{table}"
    );
    assert!(summary_csv(&all).lines().next().unwrap().ends_with("without disposition,reviewed by"));
    assert_eq!(csv(one(&all, "JS-04")).lines().next(), Some("time,subject,position,result"));
    assert_eq!(one(&all, "AC-03").population.len(), 4, "the approval, and each word");
    assert_eq!(exceptions(&all, "AC-03"), [""; 0]);
}

/// What the recorder says to somebody who says what became of something.
fn says(site: &mut Site, who: &str, control: &str, subject: &str, then: Timestamp) -> String {
    let event = ControlExceptionDisposed {
        at: then,
        subject: subject.to_owned(),
        position: None,
        says: "something is wrong".to_owned(),
        disposition: ControlDisposition::Accepted,
        text: "it is known".to_owned(),
        evidence: None,
    };
    match site.try_by(who, &StreamId::control(control), event) {
        Mark::Valid => "taken".to_owned(),
        void @ (Mark::Conflict { .. } | Mark::Refused { .. }) => refused(&void),
    }
}

const OWN: &str = "nobody says what became of an exception that is about what they did themselves";

#[test]
fn nobody_says_what_became_of_an_exception_that_is_about_what_they_did() {
    let mut site = odd();
    let approved = at("00:00");
    site.pause("pay");
    let paused = site.now;
    site.until("04:00").resume("pay").request("pay@request-1").until("04:10");
    let request = run_id("pay@request-1").to_string();
    for (who, control, subject, then, wanted) in [
        // Of a definition, who proposed it and who approved it.
        ("user/ana", "CM-01", "job/pay", approved, OWN),
        ("user/bob", "CM-01", "job/pay", approved, OWN),
        ("user/cy", "CM-01", "job/pay", approved, "taken"),
        // Of a pause, who paused.
        ("user/ana", "CM-03", "job/pay", paused, OWN),
        ("user/bob", "CM-03", "job/pay", paused, "taken"),
        // Of a run, who asked for it.
        ("user/ana", "JS-04", request.as_str(), site.now, OWN),
        ("user/bob", "JS-04", request.as_str(), site.now, "taken"),
        // Of a denial, whose it was.
        ("user/ana", "AC-05", "user/ana", site.now, OWN),
        ("user/bob", "AC-05", "user/ana", site.now, "taken"),
        // Of what has no stream, everybody.
        ("user/ana", "LG-05", "log", site.now, "taken"),
        ("user/ana", "LG-04", "review/night", site.now, "taken"),
    ] {
        assert_eq!(says(&mut site, who, control, subject, then), wanted, "{who} {control}");
    }
    site.world.ledger.policy.self_approval = true;
    assert_eq!(says(&mut site, "user/ana", "CM-03", "job/pay", paused), "taken");
}

#[test]
fn what_makes_no_sense_of_a_control_is_refused() {
    let mut site = odd();
    let (now, item) = (site.now, failed(&site));
    let fits = about(&item, ControlDisposition::Accepted, "x");
    let contradicts = "that the log contradicts itself is for whoever verifies it to say";
    assert_eq!(says(&mut site, "user/bob", "LG-01", "log", now), contradicts);
    assert!(says(&mut site, "user/bob", "XX-99", "log", now).starts_with("there is no control"));
    let (tomorrow, far) = (later(now, 86_400_000), Some(1_000_000));
    for wrong in [
        ControlExceptionDisposed { at: tomorrow, ..fits.clone() },
        ControlExceptionDisposed { position: far, ..fits.clone() },
        ControlExceptionDisposed { text: " ".to_owned(), ..fits.clone() },
        ControlExceptionDisposed { subject: String::new(), ..fits.clone() },
        ControlExceptionDisposed { evidence: Some("x".repeat(301)), ..fits.clone() },
    ] {
        let mark = site.try_by("user/bob", &StreamId::control("JS-02"), wrong.clone());
        assert!(matches!(mark, Mark::Refused { .. }), "{wrong:?}");
    }
    let other = site.try_by("user/bob", &measures_stream(), fits);
    assert!(refused(&other).contains("does not belong to measures/site"), "{other:?}");
}

#[test]
fn what_the_recorder_could_not_tell_of_an_own_act_is_found_afterwards() {
    let mut site = odd();
    site.pause("pay");
    let position = site.world.feed.len() as u64;
    let paused = ControlExceptionDisposed {
        // Another instant: the state of the job tells of no pause that began then.
        at: later(site.now, -1),
        subject: "job/pay".to_owned(),
        position: Some(position),
        says: "something is wrong".to_owned(),
        disposition: ControlDisposition::Accepted,
        text: "it is known".to_owned(),
        evidence: None,
    };
    assert_eq!(site.try_by("user/ana", &StreamId::control("CM-03"), paused), Mark::Valid);
    let why = "control/cm-03: whoever says what became of it did it themselves";
    assert_eq!(exceptions(&tested(&site), "AC-03"), [why]);
}

#[test]
fn who_looked_at_a_control_is_told_with_what_they_were_shown_and_the_newest_word_counts() {
    let mut site = odd();
    let signed = |from: &str, until: &str, open: u64| ControlReviewed {
        from: at(from),
        until: at(until),
        position: 3,
        population: 4,
        exceptions: 2,
        open,
        shown: Digest::of(b"shown"),
        statement: String::new(),
    };
    let stream = StreamId::control("JS-02");
    for (who, event) in [
        ("user/ana", signed("00:00", "01:00", 2)),
        ("user/bob", signed("00:00", "01:00", 0)),
        ("user/bob", signed("01:00", "02:00", 1)),
        // A time that is not within what is asked for.
        ("user/bob", signed("2026-11-01T00:00:00Z", "02:00", 1)),
    ] {
        assert_eq!(site.try_by(who, &stream, event), Mark::Valid);
    }
    let found = Summary::of(one(&tested(&site), "JS-02")).reviewed_by();
    let at = site.now;
    assert_eq!(
        found,
        format!(
            "user/bob at {at}: 2 exceptions, 0 without disposition, to position 3; \
             user/bob at {at}: 2 exceptions, 1 without disposition, to position 3"
        )
    );
    for wrong in [
        signed("01:00", "01:00", 0),
        signed("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z", 0),
        signed("00:00", "01:00", 3),
        ControlReviewed { population: 1, ..signed("00:00", "01:00", 0) },
        ControlReviewed { position: 1_000_000, ..signed("00:00", "01:00", 0) },
        ControlReviewed { statement: "x".repeat(1_001), ..signed("00:00", "01:00", 0) },
    ] {
        let mark = site.try_by("user/bob", &stream, wrong.clone());
        assert!(matches!(mark, Mark::Refused { .. }), "{wrong:?}");
    }
}
