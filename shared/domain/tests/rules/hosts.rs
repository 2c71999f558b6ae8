//! Hosts that are invited: who may invite one, for how long, and whom a code lets in.

use domain::canonical::Digest;
use domain::event::{HostDrained, HostInvited};
use domain::ids::StreamId;
use domain::ledger::{Host, Streams as _};

use crate::given::later;
use crate::people::People;

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
    let needs = "user/mia may not let another host in, which takes work of the pools that it names: that needs the role admin";
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
fn a_host_that_was_let_in_is_not_invited_again() {
    let mut people = People::new();
    let now = people.now;
    people.world.enrol("executor/db-07", now);
    let again = invited(&people, 15);
    let why =
        "a host of that name is let in already: bring its key back, or give this one another name";
    people.refuses("ada", "host/db-07", again, why);
}
