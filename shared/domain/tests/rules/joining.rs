//! Keys that wait to be let in: who asks, who confirms, and that nobody comes in otherwise.

use domain::canonical::Digest;
use domain::event::{
    Event, HostInvited, LogConfirmationsRequired, LogPolicySet, LogProducerAsked,
    LogProducerConfirmed, LogProducerDeclined, LogProducerEnrolled, LogProducerRevoked,
};
use domain::ids::{ProducerId, StreamId};
use domain::keys::{PublicKey, SecretKey, is_fingerprint_of};
use domain::ledger::{Joining, KeyAnswer, Mark, Streams as _, WAITING_MAX};

use crate::given::later;
use crate::people::People;
use crate::site::refused;

const JOINING: &str = "log/joining";
const DAY_MS: i64 = 24 * 3_600_000;

fn key(number: u8) -> PublicKey {
    SecretKey::from_seed(&[number; 32]).public()
}

fn why() -> String {
    "read at the machine".to_owned()
}

/// A site in which a person confirms each key: ada and kai keep it.
fn site() -> People {
    let mut people = People::with(&[("kai", &["admin"]), ("mia", &["operator"])]);
    assert_eq!(require(&mut people), Mark::Valid);
    people
}

fn require(people: &mut People) -> Mark {
    let now = people.now;
    let event = LogConfirmationsRequired { reason: "configured so".to_owned() };
    people.world.say_next("console/c1", StreamId::joining(), event, now)
}

fn recorded(people: &mut People, stream: StreamId, event: impl Into<Event>) -> Mark {
    let now = people.now;
    people.world.say_next("audit/main", stream, event, now)
}

fn ask(people: &mut People, id: &str, number: u8, ground: &str) -> Mark {
    let producer: ProducerId = id.parse().unwrap();
    let (key, ground) = (key(number).to_hex(), ground.to_owned());
    recorded(people, StreamId::joining(), LogProducerAsked { producer, key, ground })
}

fn let_in(people: &mut People, id: &str, number: u8, ground: &str) -> Mark {
    let producer: ProducerId = id.parse().unwrap();
    let (class, key, ground) = (producer.class(), key(number).to_hex(), ground.to_owned());
    let event = LogProducerEnrolled { producer, class, key, ground };
    recorded(people, StreamId::log("main"), event)
}

fn invite(people: &mut People, by: &str, host: &str) {
    let until = later(people.now, 15 * 60_000);
    let code = Digest::of(b"code");
    let event = HostInvited { code, until, generation: None, reason: "a new machine".to_owned() };
    people.valid(by, &format!("host/{host}"), event);
}

fn confirmed(id: &str, number: u8) -> LogProducerConfirmed {
    let (producer, fingerprint) = (id.parse().unwrap(), key(number).id());
    LogProducerConfirmed { producer, fingerprint, reason: why() }
}

fn declined(id: &str, number: u8) -> LogProducerDeclined {
    let (producer, fingerprint) = (id.parse().unwrap(), key(number).id());
    LogProducerDeclined { producer, fingerprint, reason: why() }
}

fn taken_back(id: &str) -> LogProducerRevoked {
    LogProducerRevoked { producer: id.parse().unwrap(), reason: "it was stolen".to_owned() }
}

fn joining(people: &People) -> Joining {
    let state = people.world.streams.get(&StreamId::joining()).unwrap();
    state.body.joining().unwrap().clone()
}

#[test]
fn once_confirmations_are_required_nobody_comes_in_whose_key_no_person_confirmed() {
    let mut people = People::with(&[("kai", &["admin"])]);
    // Before, a code is enough, and nobody asks.
    let too_early = "keys are let in without that a person confirms them";
    assert_eq!(refused(&ask(&mut people, "executor/db-01", 1, "join-token")), too_early);
    assert_eq!(let_in(&mut people, "executor/db-01", 1, "join-token"), Mark::Valid);
    assert_eq!(require(&mut people), Mark::Valid);
    assert_eq!(refused(&require(&mut people)), "keys are confirmed by a person already");

    let nobody = "nobody has confirmed this key";
    for id in ["executor/db-02", "scheduler/two", "console/two", "audit/two"] {
        assert_eq!(refused(&let_in(&mut people, id, 2, "join-token")), nobody, "{id}");
        assert_eq!(ask(&mut people, id, 2, "join-token"), Mark::Valid);
        assert_eq!(refused(&let_in(&mut people, id, 2, "join-token")), nobody, "{id}");
        people.valid("ada", JOINING, confirmed(id, 2));
        // Another key, or another ground, than what was confirmed.
        assert_eq!(refused(&let_in(&mut people, id, 3, "join-token")), nobody, "{id}");
        assert_eq!(refused(&let_in(&mut people, id, 2, "invitation")), nobody, "{id}");
        assert_eq!(let_in(&mut people, id, 2, "join-token"), Mark::Valid, "{id}");
    }
    // Who was let in before stays.
    assert!(people.world.ledger.producers.contains_key(&"executor/db-01".parse().unwrap()));
}

#[test]
fn whoever_invited_a_host_does_not_confirm_its_key() {
    let mut people = site();
    invite(&mut people, "ada", "db-07");
    assert_eq!(ask(&mut people, "executor/db-07", 7, "invitation"), Mark::Valid);
    let own = "whoever invited a host does not confirm its key";
    people.refuses("ada", JOINING, confirmed("executor/db-07", 7), own);
    let needs = "user/mia may not let another host in, which takes work of the pools that it names; take a key back: that needs the role admin";
    people.refuses("mia", JOINING, confirmed("executor/db-07", 7), needs);
    people.refuses("mia", JOINING, declined("executor/db-07", 7), needs);
    people.valid("kai", JOINING, confirmed("executor/db-07", 7));
    let asked = &joining(&people).asked[&"executor/db-07".parse().unwrap()];
    assert_eq!(asked.answer, Some(KeyAnswer::Confirmed { by: Some("user/kai".to_owned()) }));
    assert_eq!(let_in(&mut people, "executor/db-07", 7, "invitation"), Mark::Valid);
}

#[test]
fn who_invites_a_host_again_does_not_take_the_place_of_who_let_its_key_ask() {
    let mut people = site();
    invite(&mut people, "ada", "db-07");
    assert_eq!(ask(&mut people, "executor/db-07", 7, "invitation"), Mark::Valid);
    invite(&mut people, "kai", "db-07");
    let own = "whoever invited a host does not confirm its key";
    people.refuses("ada", JOINING, confirmed("executor/db-07", 7), own);
    people.valid("kai", JOINING, confirmed("executor/db-07", 7));
    // Who came by a token was not let in by whoever had invited that host.
    invite(&mut people, "ada", "db-08");
    assert_eq!(ask(&mut people, "executor/db-08", 8, "join-token"), Mark::Valid);
    people.valid("ada", JOINING, confirmed("executor/db-08", 8));
}

#[test]
fn where_one_person_may_do_both_they_may_confirm_what_they_invited() {
    let mut people = site();
    let now = people.now;
    let alone = LogPolicySet { self_approval: true, reason: "a laboratory".to_owned() };
    assert_eq!(people.world.say_next("console/c1", StreamId::log("main"), alone, now), Mark::Valid);
    invite(&mut people, "ada", "db-07");
    assert_eq!(ask(&mut people, "executor/db-07", 7, "invitation"), Mark::Valid);
    people.valid("ada", JOINING, confirmed("executor/db-07", 7));
}

#[test]
fn a_key_is_confirmed_by_its_own_fingerprint_once_and_by_a_person_who_is_named() {
    let mut people = site();
    let id = "executor/db-07";
    let none = "no key waits for the name executor/db-07";
    people.refuses("kai", JOINING, confirmed(id, 7), none);
    assert_eq!(ask(&mut people, id, 7, "join-token"), Mark::Valid);
    let other = "another key waits than the one with this fingerprint";
    people.refuses("kai", JOINING, confirmed(id, 8), other);
    people.refuses("kai", JOINING, declined(id, 8), other);
    let silent = LogProducerConfirmed { reason: String::new(), ..confirmed(id, 7) };
    people.refuses("kai", JOINING, silent, "a reason of 1 to 1000 bytes is needed");
    people.valid("kai", JOINING, confirmed(id, 7));
    let twice = "this key was confirmed already";
    people.refuses("ada", JOINING, confirmed(id, 7), twice);
    assert_eq!(let_in(&mut people, id, 7, "join-token"), Mark::Valid);
    let inside = "this key is let in already";
    people.refuses("ada", JOINING, confirmed(id, 7), inside);
    people.refuses("ada", JOINING, declined(id, 7), inside);
}

#[test]
fn a_key_that_was_declined_is_not_let_in_until_somebody_says_otherwise_and_another_may_ask() {
    let mut people = site();
    let id = "executor/db-07";
    assert_eq!(ask(&mut people, id, 7, "join-token"), Mark::Valid);
    people.valid("kai", JOINING, declined(id, 7));
    people.refuses("kai", JOINING, declined(id, 7), "this key was declined already");
    let nobody = "nobody has confirmed this key";
    assert_eq!(refused(&let_in(&mut people, id, 7, "join-token")), nobody);
    assert_eq!(refused(&ask(&mut people, id, 7, "join-token")), "this key has asked already");
    assert_eq!(ask(&mut people, id, 8, "join-token"), Mark::Valid);
    people.valid("kai", JOINING, confirmed(id, 8));
    // Also what was confirmed may be declined until it is let in; and what was declined, confirmed.
    people.valid("ada", JOINING, declined(id, 8));
    assert_eq!(refused(&let_in(&mut people, id, 8, "join-token")), nobody);
    people.valid("ada", JOINING, confirmed(id, 8));
    assert_eq!(let_in(&mut people, id, 8, "join-token"), Mark::Valid);
}

#[test]
fn a_key_that_waits_keeps_others_of_its_name_out_for_a_day() {
    let mut people = site();
    let id = "executor/db-07";
    assert_eq!(ask(&mut people, id, 7, "join-token"), Mark::Valid);
    let waits = "another key of this name waits: decline it first";
    assert_eq!(refused(&ask(&mut people, id, 8, "join-token")), waits);
    people.now = later(people.now, DAY_MS);
    assert_eq!(refused(&ask(&mut people, id, 8, "join-token")), waits);
    people.now = later(people.now, 1);
    assert_eq!(ask(&mut people, id, 8, "join-token"), Mark::Valid);
    people.refuses(
        "kai",
        JOINING,
        confirmed(id, 7),
        "another key waits than the one with this fingerprint",
    );
}

#[test]
fn so_many_keys_wait_and_no_more_and_what_was_answered_is_forgotten_in_time() {
    let mut people = site();
    let id = |number: usize| format!("executor/db-{number}");
    for number in 0..WAITING_MAX {
        assert_eq!(ask(&mut people, &id(number), 1, "join-token"), Mark::Valid);
    }
    let many = "so many keys wait already: confirm or decline them first";
    assert_eq!(refused(&ask(&mut people, "executor/more", 1, "join-token")), many);
    people.valid("kai", JOINING, declined(&id(0), 1));
    assert_eq!(ask(&mut people, "executor/more", 1, "join-token"), Mark::Valid);
    for number in 1..WAITING_MAX {
        people.valid("kai", JOINING, declined(&id(number), 1));
    }
    people.valid("kai", JOINING, declined("executor/more", 1));
    for number in WAITING_MAX..4 * WAITING_MAX {
        assert_eq!(ask(&mut people, &id(number), 1, "join-token"), Mark::Valid);
        people.valid("kai", JOINING, declined(&id(number), 1));
    }
    let asked = joining(&people).asked;
    assert_eq!(asked.len(), 2 * WAITING_MAX);
    assert!(!asked.contains_key(&id(0).parse().unwrap()));
}

#[test]
fn another_key_of_a_host_needs_an_invitation_and_a_confirmation() {
    let mut people = site();
    let id = "executor/db-07";
    assert_eq!(ask(&mut people, id, 7, "join-token"), Mark::Valid);
    people.valid("kai", JOINING, confirmed(id, 7));
    assert_eq!(let_in(&mut people, id, 7, "join-token"), Mark::Valid);
    for (number, ground, why) in [
        (8, "join-token", "another key of a host needs an invitation"),
        (7, "invitation", "the host had this key before"),
    ] {
        assert_eq!(refused(&ask(&mut people, "executor/db-07~2", number, ground)), why);
    }
    assert_eq!(ask(&mut people, "executor/db-07~2", 8, "invitation"), Mark::Valid);
    let nobody = "nobody has confirmed this key";
    assert_eq!(refused(&let_in(&mut people, "executor/db-07~2", 8, "invitation")), nobody);
    people.valid("kai", JOINING, confirmed("executor/db-07~2", 8));
    assert_eq!(let_in(&mut people, "executor/db-07~2", 8, "invitation"), Mark::Valid);
    let known = &people.world.ledger.producers;
    assert!(known[&id.parse().unwrap()].revoked, "none before it counts");
}

#[test]
fn a_fingerprint_is_compared_as_people_type_it() {
    let (key, other) = (key(7), key(8).id());
    let (shown, id) = (key.fingerprint(), key.id());
    assert_eq!(shown.len(), 8 * 4 + 7);
    assert!(id.to_string().starts_with(&shown.replace(' ', "")));
    let dashes = shown.replace(' ', "-").to_uppercase();
    for typed in [&shown, &dashes, &format!("  {shown} "), &id.to_string()] {
        assert_eq!(is_fingerprint_of(typed, &id), Ok(true), "{typed}");
        assert_eq!(is_fingerprint_of(typed, &other), Ok(false), "{typed}");
    }
    let last = format!("{}{}", &shown[..shown.len() - 1], "g");
    let long = format!("{id}0");
    for typed in ["", &shown[..shown.len() - 1], &last, &long, "yes"] {
        let error = is_fingerprint_of(typed, &id).unwrap_err();
        assert!(error.contains("is no fingerprint: that is 32 digits or more"), "{error}");
    }
}

#[test]
fn what_a_service_says_counts_until_a_person_takes_its_key_back_and_never_again() {
    let mut people = People::with(&[("kai", &["admin"]), ("mia", &["operator"])]);
    for id in ["scheduler/two", "console/two", "audit/two"] {
        assert_eq!(let_in(&mut people, id, 2, "join-token"), Mark::Valid);
        let needs = "user/mia may not let another host in, which takes work of the pools that it names; take a key back: that needs the role admin";
        people.refuses("mia", JOINING, taken_back(id), needs);
        let now = people.now;
        let nobody = people.world.say_next("console/c1", StreamId::joining(), taken_back(id), now);
        assert!(matches!(nobody, Mark::Refused { .. }), "{nobody:?}");
        people.valid("kai", JOINING, taken_back(id));
        let known: ProducerId = id.parse().unwrap();
        assert!(people.world.ledger.producers[&known].revoked);
        people.refuses("kai", JOINING, taken_back(id), "its key was taken back already");
        // Neither with that key nor with another one does it come back under this name.
        for number in [2, 3] {
            assert!(matches!(let_in(&mut people, id, number, "join-token"), Mark::Refused { .. }));
        }
    }
    // What was let in beside them still counts.
    invite(&mut people, "kai", "db-07");
}

#[test]
fn what_is_said_with_a_key_that_was_taken_back_stands_in_the_log_and_has_no_effect() {
    let mut people = People::with(&[("kai", &["admin"])]);
    let (now, id) = (people.now, "console/two");
    people.world.enrol(id, now);
    people.valid("kai", JOINING, taken_back(id));
    let event = LogPolicySet { self_approval: true, reason: "so that I may".to_owned() };
    let said = people.world.say_next(id, StreamId::log("main"), event, now);
    assert_eq!(refused(&said), "the key of console/two was revoked");
    assert!(!people.world.ledger.policy.self_approval);
}

#[test]
fn somebody_is_always_left_who_can_let_another_one_in() {
    let mut people = site();
    let own = "a console does not take its own key back: say it at another one";
    people.refuses("kai", JOINING, taken_back("console/c1"), own);
    let last = "no recorder would be left: let another one in first";
    people.refuses("kai", JOINING, taken_back("audit/main"), last);
    people.refuses("kai", JOINING, taken_back("audit/two"), "nobody let audit/two in");
    let host = "the key of a host is taken back in the host's own stream";
    people.refuses("kai", JOINING, taken_back("executor/db-07"), host);
    let silent = LogProducerRevoked { reason: " ".to_owned(), ..taken_back("scheduler/s1") };
    people.refuses("kai", JOINING, silent, "a reason of 1 to 1000 bytes is needed");
    for id in ["audit/two", "audit/three"] {
        assert_eq!(ask(&mut people, id, 2, "join-token"), Mark::Valid);
        people.valid("kai", JOINING, confirmed(id, 2));
        assert_eq!(let_in(&mut people, id, 2, "join-token"), Mark::Valid);
    }
    people.valid("kai", JOINING, taken_back("audit/two"));
    people.valid("kai", JOINING, taken_back("audit/three"));
    people.refuses("kai", JOINING, taken_back("audit/main"), last);
}
