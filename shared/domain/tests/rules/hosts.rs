//! Hosts that are invited: who may invite one, for how long, and whom a code lets in.

use domain::canonical::Digest;
use domain::event::{
    HostDrained, HostInvited, HostResumed, HostRevoked, HostStopped, LogProducerEnrolled,
};
use domain::ids::{ProducerId, StreamId};
use domain::keys::SecretKey;
use domain::ledger::{Host, Mark, Streams as _};

use crate::given::{golden, later};
use crate::people::People;
use crate::site::refused;

const LET_IN: &str = "a host of that name is let in already: bring its key back, invite it again with another key, or give this one another name";

fn invited(people: &People, minutes: i64) -> HostInvited {
    let until = later(people.now, minutes * 60_000);
    let reason = "a new machine".to_owned();
    HostInvited { code: Digest::of(b"code"), until, generation: None, reason }
}

/// The invitation of a host with its next key.
fn invited_as(people: &People, generation: u32) -> HostInvited {
    HostInvited { generation: Some(generation), ..invited(people, 15) }
}

/// The recorder lets an executor in with another key.
fn let_in(people: &mut People, id: &str, key: u8, ground: &str) -> Mark {
    let producer: ProducerId = id.parse().unwrap();
    let event = LogProducerEnrolled {
        class: producer.class(),
        producer,
        key: SecretKey::from_seed(&[key; 32]).public().to_hex(),
        ground: ground.to_owned(),
    };
    let now = people.now;
    people.world.say_next("audit/main", StreamId::log("main"), event, now)
}

fn host(people: &People, name: &str) -> Host {
    people.world.streams.get(&StreamId::host(name)).unwrap().body.host().unwrap().clone()
}

#[test]
fn a_host_is_invited_for_a_quarter_of_an_hour_by_an_administrator() {
    let mut people = People::with(&[("mia", &["operator"])]);
    let needs = "user/mia may not let another host in, which takes work of the pools that it names; take a key back: that needs the role admin";
    let (short, long) = (invited(&people, 15), invited(&people, 16));
    people.refuses("mia", "host/db-07", short.clone(), needs);
    people.refuses("ada", "host/db-07", long, "an invitation lives for 15 minutes at most");
    people.refuses(
        "ada",
        "host/db-07",
        invited(&people, 0),
        "an invitation lives for 15 minutes at most",
    );
    people.valid("ada", "host/db-07", short);
    let drained = HostDrained { reason: "x".to_owned() };
    people.refuses("ada", "host/db-07", drained, "there is no such host");
    let (code, other) = (Digest::of(b"code"), Digest::of(b"other"));
    let last = later(people.now, 15 * 60_000 - 1);
    let db = host(&people, "db-07");
    assert!(db.invites(&code, 1, last) && !db.invites(&other, 1, last));
    assert!(!db.invites(&code, 1, later(last, 1)) && !db.invites(&code, 2, last));
    // A later one takes the place of the first.
    let newer = HostInvited { code: other, ..invited(&people, 15) };
    people.valid("ada", "host/db-07", newer);
    assert!(!host(&people, "db-07").invites(&code, 1, last));
}

#[test]
fn of_a_host_whose_key_was_revoked_nothing_counts_any_more() {
    let mut people = People::with(&[("mia", &["operator"])]);
    let (now, id) = (people.now, StreamId::host("db-07"));
    let revoked = || HostRevoked { reason: "it was stolen".to_owned() };
    people.refuses("ada", "host/db-07", revoked(), "no host of that name was let in");
    people.world.enrol("executor/db-07", now);
    let started = golden("host.started");
    assert_eq!(people.world.say_next("executor/db-07", id.clone(), started, now), Mark::Valid);
    let needs = "user/mia may not let another host in, which takes work of the pools that it names; take a key back: that needs the role admin";
    people.refuses("mia", "host/db-07", revoked(), needs);
    people.valid("ada", "host/db-07", revoked());
    let db = host(&people, "db-07");
    assert_eq!((db.up, db.revoked.as_deref()), (false, Some("it was stolen")));
    assert_eq!(db.drained.as_deref(), Some("its key was revoked: it was stolen"));

    let used_up = "the host's key was revoked: invite it again, with another key";
    people.refuses("ada", "host/db-07", revoked(), used_up);
    people.refuses("ada", "host/db-07", HostResumed { reason: "back".to_owned() }, used_up);
    let first = invited(&people, 15);
    people.refuses("ada", "host/db-07", first, LET_IN);
    let stopped = HostStopped { reason: "asked to".to_owned(), running: 0 };
    let mark = people.world.say_next("executor/db-07", id, stopped, now);
    assert_eq!(refused(&mark), "the key of executor/db-07 was revoked");
    // Others of its kind are not touched.
    people.world.enrol("executor/db-08", now);
    let (id, started) = (StreamId::host("db-08"), golden("host.started"));
    assert_eq!(people.world.say_next("executor/db-08", id, started, now), Mark::Valid);
}

#[test]
fn a_host_that_was_let_in_is_not_invited_again() {
    let mut people = People::new();
    let now = people.now;
    people.world.enrol("executor/db-07", now);
    let again = invited(&people, 15);
    people.refuses("ada", "host/db-07", again, LET_IN);
}

#[test]
fn a_host_that_was_installed_anew_has_another_key_and_none_before_it_counts() {
    let mut people = People::with(&[("mia", &["operator"])]);
    let (now, id) = (people.now, StreamId::host("db-07"));
    let (second, third) = (invited_as(&people, 2), invited_as(&people, 3));
    people.refuses("ada", "host/db-07", second.clone(), "no host of that name was let in");
    people.world.enrol("executor/db-07", now);
    let started = || golden("host.started");
    assert_eq!(people.world.say_next("executor/db-07", id.clone(), started(), now), Mark::Valid);
    people.refuses("ada", "host/db-07", third, "an invitation is for the host's next key");
    let needs = "user/mia may not let another host in, which takes work of the pools that it names; take a key back: that needs the role admin";
    people.refuses("mia", "host/db-07", second.clone(), needs);
    people.valid("ada", "host/db-07", second);
    let (code, db) = (Digest::of(b"code"), host(&people, "db-07"));
    assert!(db.invites(&code, 2, now) && !db.invites(&code, 1, now) && !db.invites(&code, 3, now));

    for (id, key, ground, why) in [
        ("executor/db-07~3", 8, "invitation", "a host is let in with its next key"),
        ("executor/db-08~2", 8, "invitation", "a host is let in with its next key"),
        ("executor/db-07~2", 8, "join-token", "another key of a host needs an invitation"),
    ] {
        assert_eq!(refused(&let_in(&mut people, id, key, ground)), why, "{id}");
    }
    assert_eq!(let_in(&mut people, "executor/db-07~2", 8, "invitation"), Mark::Valid);
    assert_eq!(people.world.ledger.keys_of("db-07").count(), 2);
    let old = people.world.say_next("executor/db-07", id.clone(), started(), now);
    assert_eq!(refused(&old), "the key of executor/db-07 was revoked");
    let before = host(&people, "db-07");
    assert_eq!((before.anew, before.word()), (None, "up"), "it has not started yet");
    assert_eq!(people.world.say_next("executor/db-07~2", id, started(), now), Mark::Valid);
    let db = host(&people, "db-07");
    assert_eq!((db.anew, db.invited, db.word()), (Some((2, db.since.unwrap())), None, "up"));
    people.valid("ada", "host/db-07", invited_as(&people, 3));
    let same = let_in(&mut people, "executor/db-07~3", 8, "invitation");
    assert_eq!(refused(&same), "the host had this key before");
}

#[test]
fn a_host_whose_key_was_taken_back_takes_work_again_with_another() {
    let mut people = People::new();
    let (now, id) = (people.now, StreamId::host("db-07"));
    people.world.enrol("executor/db-07", now);
    let started = || golden("host.started");
    assert_eq!(people.world.say_next("executor/db-07", id.clone(), started(), now), Mark::Valid);
    people.valid("ada", "host/db-07", HostRevoked { reason: "it was stolen".to_owned() });
    people.valid("ada", "host/db-07", invited_as(&people, 2));
    assert_eq!(host(&people, "db-07").word(), "revoked", "nobody has come yet");
    assert_eq!(let_in(&mut people, "executor/db-07~2", 8, "invitation"), Mark::Valid);
    let drained = |people: &People| [1, 2].map(|key| host(people, "db-07").is_drained_for(key));
    assert_eq!(drained(&people), [true, false], "before it has said a word");
    assert_eq!(people.world.say_next("executor/db-07~2", id.clone(), started(), now), Mark::Valid);
    let db = host(&people, "db-07");
    assert_eq!((db.word(), db.revoked, db.drained), ("up", None, None));
    assert_eq!(drained(&people), [false, false]);
    people.valid("ada", "host/db-07", HostDrained { reason: "a disk".to_owned() });
    assert!(drained(&people)[1]);
    people.valid("ada", "host/db-07", HostRevoked { reason: "again".to_owned() });
    let mark = people.world.say_next("executor/db-07~2", id, started(), now);
    assert_eq!(refused(&mark), "the key of executor/db-07~2 was revoked");
}

#[test]
fn a_key_that_was_let_in_and_says_nothing_is_taken_back_too_and_so_is_an_open_invitation() {
    let mut people = People::new();
    let now = people.now;
    let revoked = || HostRevoked { reason: "the code was seen".to_owned() };
    people.world.enrol("executor/db-07", now);
    people.valid("ada", "host/db-07", invited_as(&people, 2));
    people.valid("ada", "host/db-07", revoked());
    let code = Digest::of(b"code");
    assert!(!host(&people, "db-07").invites(&code, 2, now), "an older code lets nobody in");
    people.valid("ada", "host/db-07", invited_as(&people, 2));
    assert_eq!(let_in(&mut people, "executor/db-07~2", 8, "invitation"), Mark::Valid);
    people.valid("ada", "host/db-07", revoked());
    let id = StreamId::host("db-07");
    let mark = people.world.say_next("executor/db-07~2", id, golden("host.started"), now);
    assert_eq!(refused(&mark), "the key of executor/db-07~2 was revoked");
    people.refuses(
        "ada",
        "host/db-07",
        revoked(),
        "the host's key was revoked: invite it again, with another key",
    );
}
