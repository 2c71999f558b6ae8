//! The access review: who signs that they looked at who may do what, and what they were shown.

use domain::access::{Changed, OVERDUE_MS, Shown, is_overdue, since, stream};
use domain::canonical::Digest;
use domain::event::{
    Event, LogAccountsRequired, LogPolicySet, ReviewAccessSigned, ReviewSigned, UserEvent,
    UserGrantsSet, UserProvisioned, UserRemoved, UserTokenCreated, UserTokenUsed,
};
use domain::ids::StreamId;
use domain::ledger::{Mark, Streams as _};
use domain::night::Numbers;
use domain::people::{Grant, User};
use domain::review::Review;
use jiff::Timestamp;

use crate::given::{World, at, later};
use crate::site::refused;

const DAY: i64 = 24 * 3_600_000;

/// Accounts, and what those who have them may.
const ACCOUNTS: [(&str, &[&str]); 6] = [
    ("ada", &["admin"]),
    ("bob", &["approver"]),
    ("eve", &["operator", "admin"]),
    ("mia", &["operator"]),
    ("ned", &["operator@folder/pay"]),
    ("zoe", &["viewer"]),
];

fn grants(words: &[&str]) -> Vec<Grant> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

/// A log with these accounts, in which whoever acts has one.
fn world(now: Timestamp) -> World {
    let mut world = World::new(now);
    for (name, may) in ACCOUNTS {
        let made =
            UserProvisioned { grants: grants(may), program: false, reason: "starts".to_owned() };
        assert_eq!(world.say_by("user/ada", StreamId::user(name), made, now), Mark::Valid);
    }
    let required = LogAccountsRequired { reason: "first start".to_owned() };
    assert_eq!(world.say_next("console/c1", StreamId::log("main"), required, now), Mark::Valid);
    world
}

fn signed(since: Timestamp, until: Timestamp) -> ReviewAccessSigned {
    ReviewAccessSigned {
        since,
        until,
        position: 1,
        shown: Digest::of(b"shown"),
        accounts: 6,
        statement: String::new(),
    }
}

fn review(world: &World) -> Review {
    let state = world.streams.get(&stream());
    state.and_then(|state| state.body.review().cloned()).unwrap_or_default()
}

#[test]
fn whoever_keeps_the_accounts_does_not_sign_for_them_but_where_one_person_may_do_both() {
    let own = "whoever keeps the accounts does not sign for them: somebody else looks";
    let may_not = |name: &str| {
        format!(
            "user/{name} may not say what becomes of exceptions of a night or a control, sign for either, and for who may do what: that needs the role operator or approver"
        )
    };
    let narrow = "user/ned may not say what becomes of exceptions of a night or a control, sign for either, and for who may do what here, but only for folder/pay";
    for (who, alone, why) in [
        ("bob", false, None),
        ("mia", false, None),
        ("eve", false, Some(own.to_owned())),
        ("ada", false, Some(may_not("ada"))),
        ("zoe", false, Some(may_not("zoe"))),
        ("ned", false, Some(narrow.to_owned())),
        ("tom", false, Some("there is no account user/tom".to_owned())),
        ("eve", true, None),
        ("ada", true, Some(may_not("ada"))),
    ] {
        let now = at("08:00");
        let mut world = world(now);
        let policy = LogPolicySet { self_approval: alone, reason: "a small shop".to_owned() };
        let log = StreamId::log("main");
        assert_eq!(world.say_next("console/c1", log, policy, now), Mark::Valid);
        let event = signed(later(now, -DAY), now);
        let mark = world.say_by(&format!("user/{who}"), stream(), event, now);
        match why {
            None => assert_eq!(mark, Mark::Valid, "{who}"),
            Some(why) => assert_eq!(refused(&mark), why),
        }
    }
}

#[test]
fn where_accounts_are_not_asked_for_whoever_signs_has_one_all_the_same() {
    let now = at("08:00");
    let mut world = World::new(now);
    let event = signed(later(now, -DAY), now);
    let mark = world.say_by("user/ana", stream(), event.clone(), now);
    assert_eq!(refused(&mark), "whoever signs has an account");
    let mark = world.say_next("console/c1", stream(), event, now);
    assert_eq!(refused(&mark), "it does not say who does it");
}

#[test]
fn one_access_review_begins_where_the_last_has_ended_and_each_stands_in_its_own_stream() {
    let now = at("08:00");
    let mut world = world(now);
    let before = later(now, -DAY);
    let good = signed(before, now);
    let words = "x".repeat(1_001);
    let night = ReviewSigned {
        since: before,
        until: now,
        position: 1,
        shown: Digest::of(b"shown"),
        numbers: Numbers::default(),
        exceptions: 0,
        open: vec![],
        statement: String::new(),
    };
    let nights = domain::review::stream();
    for (id, event, why) in [
        (stream(), Event::from(signed(before, later(now, 1))), "nobody reviews what is to come"),
        (stream(), signed(now, now).into(), "nobody reviews what is to come"),
        (
            stream(),
            ReviewAccessSigned { position: 0, ..good.clone() }.into(),
            "the log has no such position",
        ),
        (
            stream(),
            ReviewAccessSigned { position: 1_000_000, ..good.clone() }.into(),
            "the log has no such position",
        ),
        (
            stream(),
            ReviewAccessSigned { statement: words, ..good.clone() }.into(),
            "a statement has 1000 bytes at most",
        ),
        (nights, good.clone().into(), "who may do what is signed for in review/access"),
        (stream(), night.into(), "nights are signed for in their own stream"),
    ] {
        assert_eq!(refused(&world.say_by("user/bob", id, event, now)), why);
    }
    assert_eq!(world.say_by("user/bob", stream(), good, now), Mark::Valid);
    let next = later(now, DAY);
    for since in [before, later(now, -1), later(now, 1)] {
        let mark = world.say_by("user/mia", stream(), signed(since, next), next);
        assert_eq!(refused(&mark), "a review begins where the last has ended");
    }
    assert_eq!(world.say_by("user/mia", stream(), signed(now, next), next), Mark::Valid);
    let all = review(&world);
    let by: Vec<&str> = all.access.iter().map(|one| one.by.as_str()).collect();
    assert_eq!((by, all.since()), (vec!["user/bob", "user/mia"], None));
    assert_eq!(since(&all, []), Some(next));
}

#[test]
fn a_review_is_overdue_after_92_days_and_the_first_counts_from_the_oldest_account() {
    let now = at("08:00");
    for (ago, wanted) in [(0, false), (OVERDUE_MS, false), (OVERDUE_MS + 1, true)] {
        assert_eq!(is_overdue(Some(later(now, -ago)), now), wanted, "{ago}");
    }
    assert!(!is_overdue(None, now));
    let made = |ago: i64| User { provisioned: Some((later(now, -ago), None)), ..User::new("x") };
    let users = [made(3 * DAY), made(5 * DAY), User::new("of-the-first-kind")];
    assert_eq!(since(&Review::default(), &users), Some(later(now, -5 * DAY)));
    assert_eq!(since(&Review::default(), []), None);
}

fn said(event: impl Into<Event>) -> UserEvent {
    let Event::UserEvent(event) = event.into() else { panic!("it is not about an account") };
    event
}

fn user(name: &str, events: &[(Timestamp, UserEvent)]) -> User {
    let evolve = |user: User, (at, event): &(Timestamp, UserEvent)| {
        user.evolve(event, *at, Some("user/ada"))
    };
    events.iter().fold(User::new(name), evolve)
}

/// What is shown of three accounts between two and eight o'clock.
fn shown(users: &[User], changed: Vec<Changed>, first: bool) -> Shown {
    Shown::of(users, changed, (at("02:00"), at("08:00")), 7, first)
}

fn provisioned(may: &[&str]) -> UserEvent {
    said(UserProvisioned { grants: grants(may), program: false, reason: "starts".to_owned() })
}

#[test]
fn what_is_shown_are_all_accounts_with_their_open_tokens_and_what_is_new_or_gone() {
    let token = |name: &str, until: Timestamp| UserTokenCreated {
        name: name.to_owned(),
        token: Digest::of(name.as_bytes()),
        grants: grants(&["viewer"]),
        until,
    };
    let users = [
        user("zoe", &[(at("03:00"), provisioned(&["viewer"]))]),
        user(
            "bob",
            &[
                (at("01:00"), provisioned(&["approver"])),
                (at("01:10"), said(token("over", at("07:59")))),
                (at("01:20"), said(token("open", at("08:01")))),
                (
                    at("05:00"),
                    said(UserTokenUsed {
                        name: "open".to_owned(),
                        day: "2026-11-20".parse().unwrap(),
                    }),
                ),
            ],
        ),
        user(
            "gone",
            &[
                (at("01:00"), provisioned(&["operator"])),
                (at("04:00"), said(UserRemoved { reason: "left".to_owned() })),
            ],
        ),
        user(
            "long-gone",
            &[
                (at("01:00"), provisioned(&["operator"])),
                (at("01:30"), said(UserRemoved { reason: "left".to_owned() })),
            ],
        ),
    ];
    let of = shown(&users, vec![], false);
    let accounts: Vec<(&str, bool)> =
        of.accounts.iter().map(|one| (one.name.as_str(), one.new)).collect();
    assert_eq!(accounts, [("bob", false), ("zoe", true)]);
    let tokens = &of.accounts[0].tokens;
    assert_eq!((tokens.len(), tokens[0].name.as_str()), (1, "open"));
    assert_eq!(tokens[0].used, Some("2026-11-20".parse().unwrap()));
    let removed: Vec<&str> = of.removed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(removed, ["gone"]);
    let first = shown(&users, vec![], true);
    assert!(first.accounts.iter().all(|one| !one.new), "before the first nothing is new");
}

#[test]
fn the_signature_is_about_all_of_what_was_shown_and_not_about_the_minute_in_which_somebody_came_in()
{
    let bob = |seen: &str| User {
        seen: Some(at(seen)),
        ..user("bob", &[(at("01:00"), provisioned(&["approver"]))])
    };
    let digest =
        |users: &[User], changed: Vec<Changed>| shown(users, changed, false).digest().unwrap();
    let before = digest(&[bob("02:00")], vec![]);
    assert_eq!(before, digest(&[bob("07:00")], vec![]));
    let more = bob("02:00").evolve(
        &said(UserGrantsSet {
            grants: grants(&["approver", "operator"]),
            reason: "more".to_owned(),
        }),
        at("03:00"),
        Some("user/ada"),
    );
    let program = User { program: true, ..bob("02:00") };
    let another_day = bob("2026-11-21T02:00:00Z");
    let removed = bob("02:00").evolve(
        &said(UserRemoved { reason: "left".to_owned() }),
        at("03:00"),
        Some("user/ada"),
    );
    for users in [vec![], vec![more], vec![program], vec![another_day], vec![removed]] {
        assert_ne!(before, digest(&users, vec![]));
    }
    let changed = Changed {
        name: "bob".to_owned(),
        at: at("03:00"),
        by: None,
        grants: grants(&["approver"]),
        reason: "less".to_owned(),
    };
    assert_ne!(before, digest(&[bob("02:00")], vec![changed]));
    let later = Shown { position: 8, ..shown(&[bob("02:00")], vec![], false) };
    assert_ne!(before, later.digest().unwrap());
}
