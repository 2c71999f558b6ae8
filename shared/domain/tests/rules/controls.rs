//! Controls: what each is tested on, and that what breaks it is found by its name.

use domain::controls::{
    CATALOGUE, ControlSettings, Ended, Gathering, Item, Outcome, Passing, Period, Summary,
};
use domain::envelope::Envelope;
use domain::event::{Disposition, Event, JobApproved, JobProposed, ReviewNoted};
use domain::expect::Population;
use domain::ids::StreamId;
use domain::ledger::Mark;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{World, at, definition};
use crate::site::{Site, run_id};

/// A site whose job `pay` runs each hour, and ends well.
fn site() -> Site {
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "zone": "UTC", "command": {"argv": ["/bin/true"]}}));
    for hour in 1..=3 {
        site.until(&format!("0{hour}:00"))
            .start(&format!("pay@0{hour}:00"))
            .end(&format!("pay@0{hour}:00"), 0);
    }
    site
}

fn day() -> Period {
    Period { from: at("00:00"), until: at("2026-11-21T00:00:00Z") }
}

/// Nothing is too young to be an exception for longer than a second.
pub(crate) fn strict() -> ControlSettings {
    let review_every = domain::time::HumanDuration::from_secs(1);
    ControlSettings { review_every, ..ControlSettings::default() }
}

/// What becomes of the controls when these events have passed, but for those that are kept back.
fn outcomes(site: &Site, kept_back: impl Fn(&str) -> bool) -> Vec<Outcome> {
    by(site, ControlSettings::default(), kept_back)
}

fn by(site: &Site, settings: ControlSettings, kept_back: impl Fn(&str) -> bool) -> Vec<Outcome> {
    of_periods(site, &[day()], settings, kept_back).remove(0)
}

fn of_periods(
    site: &Site,
    periods: &[Period],
    settings: ControlSettings,
    kept_back: impl Fn(&str) -> bool,
) -> Vec<Vec<Outcome>> {
    of_world(&site.world, periods, &settings, |envelope, _| !kept_back(envelope.subject.as_str()))
}

/// What becomes of the controls in a day when those events of a world have passed that are let through.
pub(crate) fn of_events(
    world: &World,
    settings: &ControlSettings,
    lets: impl Fn(&Envelope, &Event) -> bool,
) -> Vec<Outcome> {
    let period = Period { from: at("00:00"), until: at("2026-12-20T00:00:00Z") };
    of_world(world, &[period], settings, lets).remove(0)
}

fn of_world(
    world: &World,
    periods: &[Period],
    settings: &ControlSettings,
    lets: impl Fn(&Envelope, &Event) -> bool,
) -> Vec<Vec<Outcome>> {
    let mut gathering = Gathering::default();
    let (mut population, mut until) = (Population::default(), Timestamp::UNIX_EPOCH);
    let mut events = 0;
    let streams = &world.streams;
    for (position, (envelope, event, received)) in (1..).zip(&world.feed) {
        if !lets(envelope, event) {
            continue;
        }
        (until, events) = (*received, events + 1);
        population.observe(&envelope.subject, event, *received);
        let (received, mark) = (*received, &Mark::Valid);
        gathering.observe(Passing { position, envelope, event, received, mark, streams });
    }
    let accounted = population.account(until);
    let ended = Ended { streams, accounted: &accounted, until, events, wrong: &[] };
    periods.iter().map(|period| gathering.outcomes(*period, settings, ended)).collect()
}

fn all(site: &Site) -> Vec<Outcome> {
    outcomes(site, |_| false)
}

pub(crate) fn one<'a>(all: &'a [Outcome], id: &str) -> &'a Outcome {
    all.iter().find(|outcome| outcome.control == id).unwrap()
}

/// The exceptions of a control, as they read.
pub(crate) fn exceptions(all: &[Outcome], id: &str) -> Vec<String> {
    let text = |item: &Item| format!("{}: {}", item.subject, item.exception.clone().unwrap());
    one(all, id).exceptions().map(text).collect()
}

#[test]
fn every_control_of_the_catalogue_has_an_outcome_in_its_order() {
    let found: Vec<&str> = all(&site()).iter().map(|outcome| outcome.control).collect();
    let wanted: Vec<&str> = CATALOGUE.iter().map(|control| control.id).collect();
    assert_eq!(found, wanted);
}

#[test]
fn parts_of_a_time_have_together_what_the_whole_has_and_what_is_outside_belongs_to_none() {
    let mut site = site();
    site.pause("pay").until("05:00").resume("pay");
    let (half, noon) = (at("02:30"), at("12:00"));
    let period = |from, until| Period { from, until };
    let asked = [
        period(at("00:00"), noon),
        period(at("00:00"), half),
        period(half, noon),
        period(noon, at("13:00")),
    ];
    let found = of_periods(&site, &asked, ControlSettings::default(), |_| false);
    let [whole, before, after, outside] = &found[..] else { panic!("{found:?}") };
    for id in ["JS-01", "JS-03", "JS-04", "CM-01", "CM-03", "AC-01", "LG-07"] {
        let items = |all| one(all, id).population.clone();
        let both = [items(before), items(after)].concat();
        assert_eq!(items(whole), both, "{id}");
        assert_eq!(items(outside), [], "{id}");
    }
    // Of a time of which the log tells nothing, nothing is said to be well.
    for id in ["LG-01", "LG-03", "LG-05"] {
        assert_eq!(Summary::of(one(outside, id)).word(), "nothing to test", "{id}");
        assert_ne!(Summary::of(one(whole, id)).word(), "nothing to test", "{id}");
    }
    assert_eq!(one(before, "JS-01").population.len(), 2);
    assert_eq!(one(after, "JS-01").population.len(), 3, "two were skipped while it was paused");
}

#[test]
fn what_ran_as_it_was_to_is_the_whole_population_and_no_exception() {
    let all = all(&site());
    for (id, population) in [("JS-01", 3), ("JS-03", 3), ("JS-04", 3), ("CM-01", 1)] {
        assert_eq!(
            (one(&all, id).population.len(), exceptions(&all, id)),
            (population, vec![]),
            "{id}"
        );
    }
    let summary = Summary::of(one(&all, "AC-06"));
    assert_eq!(summary.word(), "not tested", "what cannot be tested is not green");
    assert_eq!(Summary::of(one(&all, "JS-02")).word(), "nothing to test");
}

#[test]
fn a_run_of_which_the_log_says_nothing_and_one_that_never_ended_are_exceptions() {
    let mut site = site();
    site.until("04:00").start("pay@04:00").until("04:30").request("pay@request-1");
    let young = all(&site);
    assert_eq!(exceptions(&young, "JS-01"), Vec::<String>::new());
    let last = one(&young, "JS-01").population.last().unwrap();
    assert_eq!(last.result(), "too young to be an exception: it has not ended: running");
    let silent = by(&site, strict(), |stream| stream.contains("T02:00"));
    assert_eq!(
        exceptions(&silent, "JS-01"),
        [
            "run/pay@2026-11-20T02:00+00:00: the log says nothing about it",
            "run/pay@2026-11-20T04:00+00:00: it has not ended: running",
        ]
    );
    let unfounded = outcomes(&site, |stream| stream.contains("job/"));
    assert_eq!(exceptions(&unfounded, "JS-04").len(), 4, "no definition was approved");
}

#[test]
fn who_approves_their_own_definition_is_an_exception_where_the_site_lets_them() {
    let mut site = site();
    site.world.ledger.policy.self_approval = true;
    let one = definition(json!({"name": "own"}));
    let (digest, id) = (one.digest().unwrap(), StreamId::job("own"));
    let definition = serde_json::to_value(&one).unwrap();
    let proposed = JobProposed { number: 1, digest, definition, reason: "alone".to_owned() };
    for event in [proposed.into(), Event::from(JobApproved { number: 1, digest })] {
        let now = site.now;
        assert_eq!(site.world.say_by("user/ana", id.clone(), event, now), Mark::Valid);
    }
    let all = all(&site);
    let said = "job/own: user/ana approved what they proposed themselves";
    assert_eq!(exceptions(&all, "CM-01"), [said]);
    assert_eq!(exceptions(&all, "AC-03"), ["job/own: approved by its author"]);
}

#[test]
fn silence_and_nights_without_a_review_are_told_with_their_spans() {
    let mut site = site();
    site.pause("pay").until("2026-11-22T12:00:00Z").resume("pay");
    let all = all(&site);
    let silences = exceptions(&all, "LG-05");
    assert!(
        silences.iter().any(|text| text.contains("silent from 2026-11-20T03:00")),
        "{silences:?}"
    );
    assert_eq!(exceptions(&all, "LG-04"), Vec::<String>::new(), "a day and a half may pass");
    let review_every = domain::time::HumanDuration::from_secs(12 * 3_600);
    let short = ControlSettings { review_every, ..ControlSettings::default() };
    let nights = exceptions(&by(&site, short, |_| false), "LG-04");
    assert_eq!(nights.len(), 1, "{nights:?}");
    assert!(nights[0].contains("no review looks at the time from 2026-11-20T00:00"), "{nights:?}");
    assert_eq!(
        exceptions(&all, "LG-07").len(),
        5,
        "nobody is named who let in what is there from the start"
    );
}

#[test]
fn a_dataset_that_nobody_backs_up_is_an_exception_for_as_long_as_it_is_so() {
    let mut site = Site::new();
    site.apply(json!({"kind": "dataset", "name": "ledger", "rpo": "2h"}));
    site.apply(json!({"name": "pay", "command": {"argv": ["/bin/true"]}}));
    site.until("09:00").request("pay@request-1");
    let all = all(&site);
    let found = exceptions(&all, "BK-01");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("no good snapshot from 2026-11-20T00:00"), "{found:?}");
    assert_eq!(one(&all, "BK-01").population.len(), 2, "the dataset, and the span");
}

#[test]
fn what_was_missed_is_an_exception_until_somebody_says_what_becomes_of_it() {
    let mut site = site();
    site.nobody_until("09:30").restart().until("09:31").request("pay@request-1");
    let all = by(&site, strict(), |_| false);
    let missed = exceptions(&all, "JS-07");
    assert!(!missed.is_empty());
    assert!(
        missed.iter().all(|text| text.ends_with("nobody has said what becomes of it")),
        "{missed:?}"
    );
    let open = exceptions(&all, "JS-01");
    let caught_up = "run/pay@2026-11-20T09:00+00:00: it has not ended: due";
    assert_eq!(open, [caught_up], "missed is an outcome, and the last one is caught up");
}

#[test]
fn a_failed_run_of_which_no_incident_and_no_review_tells_is_an_exception() {
    let mut site = site();
    site.until("04:00").start("pay@04:00").end("pay@04:00", 1).until("05:00");
    let failed = by(&site, strict(), |_| false);
    let why = "no incident was opened for it, and no review says what becomes of it";
    assert_eq!(exceptions(&failed, "JS-02"), [format!("run/pay@2026-11-20T04:00+00:00: {why}")]);
    let note = ReviewNoted {
        run: run_id("pay@04:00"),
        disposition: Disposition::Note {},
        note: "the disk was full".to_owned(),
    };
    let now = site.now;
    assert_eq!(site.world.say_by("user/ana", domain::review::stream(), note, now), Mark::Valid);
    let told = by(&site, strict(), |_| false);
    assert_eq!(exceptions(&told, "JS-02"), Vec::<String>::new());
}

#[test]
fn measures_are_read_and_what_is_no_measure_is_refused() {
    let read = |value: Value| serde_json::from_value::<ControlSettings>(value);
    assert_eq!(read(json!({})).unwrap(), ControlSettings::default());
    assert!(read(json!({"pause-at-most": "3d"})).is_ok());
    assert!(read(json!({"pause-at-least": "3d"})).is_err());
}
