//! The morning review: each exception has a disposition, and one review begins where the last has ended.

use domain::canonical::Digest;
use domain::event::{Disposition, Event, ReviewNoted, ReviewSigned};
use domain::ids::StreamId;
use domain::ledger::{Mark, Streams as _};
use domain::night::{Night, Numbers};
use domain::review::{Review, Said, Shown, stream};
use domain::wire::RunRow;
use jiff::Timestamp;
use serde_json::json;

use crate::given::{at, later};
use crate::site::{Site, refused, run_id};

/// A site with a run of `pay` and one of `other` that somebody cancelled, and one of `pay` that waits.
fn site() -> Site {
    let mut site = Site::new();
    for name in ["pay", "other"] {
        site.apply(json!({"name": name, "command": {"argv": ["/bin/true"]}}));
        let run = format!("{name}@request-1");
        site.request(&run).cancel(&run);
    }
    site.until("00:01").request("pay@request-2");
    site
}

fn says(site: &mut Site, who: &str, event: impl Into<Event>) -> Mark {
    let now = site.now;
    site.world.say_by(who, stream(), event, now)
}

fn review(site: &Site) -> Review {
    let state = site.world.streams.get(&stream());
    state.and_then(|state| state.body.review().cloned()).unwrap_or_default()
}

fn row(job: &str, instant: Timestamp) -> RunRow {
    RunRow {
        run: run_id(&format!("{job}@request-1")),
        job: job.to_owned(),
        state: "failed".to_owned(),
        instant,
        scheduled: true,
        open: false,
        late: false,
        attempts: 1,
        host: None,
        started: None,
        ended: None,
        message: None,
    }
}

fn night(now: Timestamp) -> Night {
    let exceptions = vec![row("pay", now), row("other", now)];
    Night { since: None, until: None, numbers: Numbers::default(), exceptions }
}

fn noted(run: &str, disposition: Disposition) -> ReviewNoted {
    ReviewNoted { run: run_id(run), disposition, note: "the disk was full".to_owned() }
}

fn signed(since: Timestamp, until: Timestamp) -> ReviewSigned {
    ReviewSigned {
        since,
        until,
        position: 1,
        shown: Digest::of(b"shown"),
        numbers: Numbers::default(),
        exceptions: 0,
        open: vec![],
        statement: String::new(),
    }
}

#[test]
fn an_exception_is_open_until_something_is_said_of_its_run_or_of_its_job() {
    let mut site = site();
    let night = night(site.now);
    assert_eq!(review(&site).open(&night).len(), 2);
    let note = noted("pay@request-1", Disposition::Note {});
    assert_eq!(says(&mut site, "user/ana", note), Mark::Valid);
    let open = review(&site);
    assert_eq!(open.open(&night).iter().map(|row| row.job.as_str()).collect::<Vec<_>>(), ["other"]);
    let until = later(site.now, 3_600_000);
    let accepted = noted("other@request-1", Disposition::Accepted { until });
    assert_eq!(says(&mut site, "user/ana", accepted), Mark::Valid);
    let now = review(&site);
    assert!(now.open(&night).is_empty());
    // Another run of that job is taken for granted too, until then.
    let run = run_id("other@request-2");
    let next = |instant| RunRow { run: run.clone(), ..row("other", instant) };
    assert_eq!(now.disposition(&next(later(until, -1))), Some(Said::Accepted(until)));
    assert_eq!(now.disposition(&next(until)), None);
}

#[test]
fn what_is_said_of_an_exception_is_about_a_run_that_there_is_and_has_words() {
    let mut site = site();
    let past = Disposition::Accepted { until: site.now };
    let far = Disposition::Accepted { until: later(site.now, 367 * 24 * 3_600_000) };
    let ticket = Disposition::Ticket { reference: " ".to_owned() };
    let rerun = Disposition::Rerun { run: run_id("other@request-1") };
    let itself = Disposition::Rerun { run: run_id("pay@request-1") };
    let granted = "it is accepted for a year at most, and not for the past";
    for (event, why) in [
        (noted("gone@request-1", Disposition::Note {}), "there is no such run"),
        (
            noted("pay@request-2", Disposition::Note {}),
            "it is no exception: it has not ended, or ended as it should",
        ),
        (
            ReviewNoted { note: " ".to_owned(), ..noted("pay@request-1", Disposition::Note {}) },
            "a note of 1 to 1000 bytes is needed",
        ),
        (noted("pay@request-1", past), granted),
        (noted("pay@request-1", far), granted),
        (noted("pay@request-1", ticket), "a ticket has a name of 1 to 100 bytes"),
        (noted("pay@request-1", rerun), "that is a run of another job"),
        (noted("pay@request-1", itself), "that is the run itself"),
    ] {
        assert_eq!(refused(&says(&mut site, "user/ana", event)), why);
    }
    let anonymous = noted("pay@request-1", Disposition::Note {});
    let now = site.now;
    let mark = site.world.say_next("console/c1", stream(), anonymous, now);
    assert_eq!(refused(&mark), "it does not say who does it");
}

#[test]
fn a_run_that_was_late_and_ended_well_is_an_exception_of_which_something_is_said() {
    let mut site = Site::new();
    site.apply(
        json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "sla": {"start-by": "10m"}}),
    );
    site.until("06:00").start("pay@02:00");
    let row = RunRow::of(site.run("pay@02:00"));
    let before = Night { exceptions: vec![row], ..night(site.now) };
    assert!(before.exceptions[0].late && review(&site).open(&before).is_empty());
    let note = noted("pay@02:00", Disposition::Note {});
    let why = "it is no exception: it has not ended, or ended as it should";
    assert_eq!(refused(&says(&mut site, "user/ana", note)), why);
    site.end("pay@02:00", 0);
    let run = site.run("pay@02:00");
    let night = Night { exceptions: vec![RunRow::of(run)], ..night(site.now) };
    assert_eq!((site.state("pay@02:00"), night.exceptions[0].is_exception()), ("succeeded", true));
    let note = noted("pay@02:00", Disposition::Note {});
    assert_eq!(says(&mut site, "user/ana", note), Mark::Valid);
    assert!(review(&site).open(&night).is_empty());
}

#[test]
fn one_review_begins_where_the_last_has_ended_so_no_instant_is_left_out() {
    let mut site = site();
    let (yesterday, now) = (later(site.now, -24 * 3_600_000), site.now);
    let to_come = signed(yesterday, later(now, 1));
    assert_eq!(refused(&says(&mut site, "user/ana", to_come)), "nobody reviews what is to come");
    let empty = signed(now, now);
    assert_eq!(refused(&says(&mut site, "user/ana", empty)), "nobody reviews what is to come");
    for position in [0, 1_000_000] {
        let nowhere = ReviewSigned { position, ..signed(yesterday, now) };
        assert_eq!(refused(&says(&mut site, "user/ana", nowhere)), "the log has no such position");
    }
    assert_eq!(says(&mut site, "user/ana", signed(yesterday, now)), Mark::Valid);
    assert_eq!(review(&site).since(), Some(now));
    site.now = later(now, 3_600_000);
    let next = site.now;
    let joins = "a review begins where the last has ended";
    for since in [yesterday, later(now, 1), later(now, -1)] {
        assert_eq!(refused(&says(&mut site, "user/bob", signed(since, next))), joins);
    }
    assert_eq!(says(&mut site, "user/bob", signed(now, next)), Mark::Valid);
    let all = review(&site).signed;
    assert_eq!(all.iter().map(|one| one.by.as_str()).collect::<Vec<_>>(), ["user/ana", "user/bob"]);
}

#[test]
fn what_is_not_over_at_a_review_is_left_to_the_next() {
    let mut site = site();
    let (yesterday, now) = (later(site.now, -24 * 3_600_000), site.now);
    let open = vec![run_id("pay@request-1")];
    let one = ReviewSigned { open: open.clone(), ..signed(yesterday, now) };
    let too_many = ReviewSigned { open: vec![run_id("pay@request-1"); 81], ..one.clone() };
    let most = "80 runs at most are left to the next review";
    assert_eq!(refused(&says(&mut site, "user/ana", too_many)), most);
    assert_eq!(says(&mut site, "user/ana", one), Mark::Valid);
    assert_eq!(review(&site).carried(), open);
}

#[test]
fn the_signature_is_about_what_was_shown_to_the_last_disposition() {
    let (night, span) = (night(at("08:00")), (at("02:00"), at("08:00")));
    let mut review = Review::default();
    let digest =
        |review: &Review, position| Shown::of(&night, review, span, position).digest().unwrap();
    let before = digest(&review, 7);
    assert_eq!(before, digest(&review, 7));
    assert_ne!(before, digest(&review, 8));
    let event = noted("pay@request-1", Disposition::Note {}).into();
    if let Event::ReviewEvent(event) = event {
        review = review.evolve(&event, at("08:01"), Some("user/ana"));
    }
    assert_ne!(before, digest(&review, 7));
}

#[test]
fn a_review_stands_in_one_stream() {
    assert_eq!(stream(), "review/night".parse::<StreamId>().unwrap());
}

#[test]
fn a_night_with_more_exceptions_than_are_listed_is_known_until_the_last_of_them() {
    let second = |n: i64| Timestamp::from_second(n).unwrap();
    for (count, until) in [(0, None), (499, None), (500, Some(second(499)))] {
        let exceptions = (0..count).map(|n| row("pay", second(n))).collect();
        let night = Night { exceptions, ..Night::default() };
        assert_eq!(night.listed_until(), until, "{count}");
    }
}
