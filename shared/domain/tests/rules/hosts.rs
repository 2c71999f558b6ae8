//! Hosts that are invited: who may invite one, for how long, and whom a code lets in.

use domain::canonical::Digest;
use domain::event::{HostDrained, HostInvited, HostResumed, HostRevoked, HostStopped};
use domain::ids::StreamId;
use domain::ledger::{Host, Mark, Streams as _};

use crate::given::{golden, later};
use crate::people::People;
use crate::site::refused;

fn invited(people: &People, minutes: i64) -> HostInvited {
    let until = later(people.now, minutes * 60_000);
    HostInvited { code: Digest::of(b"code"), until, reason: "a new machine".to_owned() }
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
    assert!(db.invites(&code, last) && !db.invites(&other, last));
    assert!(!db.invites(&code, later(last, 1)));
    // A later one takes the place of the first.
    let newer = HostInvited { code: other, ..invited(&people, 15) };
    people.valid("ada", "host/db-07", newer);
    assert!(!host(&people, "db-07").invites(&code, last));
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

    let used_up = "the host's key was revoked: give another host another name";
    people.refuses("ada", "host/db-07", revoked(), used_up);
    people.refuses("ada", "host/db-07", HostResumed { reason: "back".to_owned() }, used_up);
    let again = invited(&people, 15);
    people.refuses("ada", "host/db-07", again, used_up);
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
    let why =
        "a host of that name is let in already: bring its key back, or give this one another name";
    people.refuses("ada", "host/db-07", again, why);
}
