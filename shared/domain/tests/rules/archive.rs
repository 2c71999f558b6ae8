//! What a recorder may say of the archive.

use domain::canonical::Digest;
use domain::event::LogArchived;
use domain::ids::StreamId;
use domain::ledger::{Mark, SEGMENT_EVENTS, Streams as _, segment_of};

use crate::given::{World, at};
use crate::site::refused;

fn segment(first: u64, last: u64) -> LogArchived {
    LogArchived { first, last, root: Digest::NONE, sha256: Digest::NONE, bytes: 1_000 }
}

fn say(world: &mut World, by: &str, event: LogArchived) -> Mark {
    world.say_next(by, StreamId::archive(), event, at("03:00"))
}

#[test]
fn segments_are_archived_one_behind_the_other_and_none_before_it_is_in_the_log() {
    const LENGTH: &str = "a segment has 16384 events";
    const ORDER: &str = "one segment is archived behind the other";
    const EARLY: &str = "nothing is archived that is not in the log yet";
    let mut world = World::new(at("01:00"));
    world.ledger.size = 2 * SEGMENT_EVENTS;
    for (first, last, says) in [
        (0, 16_383, ORDER),
        (2, 16_385, ORDER),
        (16_385, 32_768, ORDER),
        (1, 16_383, LENGTH),
        (1, 16_385, LENGTH),
        (1, 32_768, LENGTH),
        (1, 0, LENGTH),
        (1, (1 << 53) - 1, LENGTH),
    ] {
        assert_eq!(refused(&say(&mut world, "audit/main", segment(first, last))), says, "{first}");
    }
    let foreign = say(&mut world, "scheduler/s1", segment(1, 16_384));
    assert_eq!(refused(&foreign), "a producer of class scheduler may not state log.archived");
    let elsewhere =
        world.say_next("audit/main", StreamId::log("main"), segment(1, 16_384), at("03:00"));
    assert_ne!(elsewhere, Mark::Valid);
    assert_eq!(say(&mut world, "audit/main", segment(1, 16_384)), Mark::Valid);
    assert_eq!(refused(&say(&mut world, "audit/main", segment(1, 16_384))), ORDER);
    assert_eq!(say(&mut world, "audit/main", segment(16_385, 32_768)), Mark::Valid);
    world.ledger.size = 3 * SEGMENT_EVENTS - 1;
    assert_eq!(refused(&say(&mut world, "audit/main", segment(32_769, 49_152))), EARLY);
    assert_eq!(say(&mut world, "audit/main", segment(32_769, 49_152)), Mark::Valid);
    let state = world.streams.get(&StreamId::archive()).unwrap();
    let archive = state.body.archive().unwrap();
    assert_eq!((archive.to, archive.segments(), archive.bytes), (49_152, 3, 3_000));
}

#[test]
fn an_event_is_in_the_segment_of_its_position() {
    for (position, segment) in [(1, 0), (16_384, 0), (16_385, 1), (32_768, 1), (32_769, 2), (0, 0)]
    {
        assert_eq!(segment_of(position), segment, "{position}");
    }
}
