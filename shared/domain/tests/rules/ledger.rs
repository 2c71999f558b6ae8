//! What the recorder takes, voids and refuses.

use domain::canonical::Digest;
use domain::envelope::{Draft, EnvelopeError};
use domain::event::{
    DefinitionRef, Event, JobApproved, JobProposed, LogContradicted, LogCreated, LogHeadSigned,
    LogJournalCut, LogPolicySet, LogProducerEnrolled, MissReason, Nominal, RunMissed, RunRequested,
    RunSkipped, SkipReason,
};
use domain::flush::Flush;
use domain::ids::{Class, StreamId, StreamType};
use domain::keys::SecretKey;
use domain::ledger::{Ledger, Mark, Refusal, SKEW_MS_MAX, Streams as _, may_state, reads};
use jiff::Timestamp;
use serde_json::json;

use crate::given::{
    World, at, definition, due, golden, key, later, occurrence, producer, reference, stream,
};

/// Who may state what: one row a kind.
const ROLES: &[(&str, &str)] = &[
    ("job.proposed", "console"),
    ("job.approved", "console"),
    ("job.paused", "console"),
    ("job.resumed", "console"),
    ("job.retired", "console"),
    ("job.occurrence-held", "console"),
    ("job.occurrence-released", "console"),
    ("job.occurrence-skipped", "console"),
    ("job.occurrence-moved", "console"),
    ("job.lease-granted", "scheduler"),
    ("job.lease-returned", "console executor"),
    ("run.requested", "console scheduler"),
    ("run.due", "executor scheduler"),
    ("run.held", "console scheduler"),
    ("run.delayed", "console scheduler"),
    ("run.confirmed", "console"),
    ("run.cleared", "scheduler"),
    ("run.blocked", "scheduler"),
    ("run.overridden", "console"),
    ("run.needs-unmet", "executor"),
    ("run.late", "scheduler"),
    ("run.gathered", "scheduler"),
    ("run.divided", "scheduler"),
    ("run.released", "console"),
    ("run.skipped", "executor scheduler"),
    ("run.missed", "executor scheduler"),
    ("run.started", "executor"),
    ("run.succeeded", "executor"),
    ("run.failed", "executor"),
    ("run.timed-out", "executor"),
    ("run.cancel-requested", "console scheduler"),
    ("run.cancelled", "executor scheduler"),
    ("run.lost", "executor scheduler"),
    ("run.retry-scheduled", "scheduler"),
    ("run.resolved", "console"),
    ("run.reported", "executor"),
    ("host.started", "executor"),
    ("host.stopped", "executor"),
    ("host.drained", "console"),
    ("host.resumed", "console"),
    ("host.invited", "console"),
    ("host.revoked", "console"),
    ("user.created", "console"),
    ("user.token-issued", "console"),
    ("user.provisioned", "console"),
    ("user.grants-set", "console"),
    ("user.removed", "console"),
    ("user.identity-set", "console"),
    ("user.directory-said", "console"),
    ("user.code-issued", "console"),
    ("user.password-set", "console"),
    ("user.token-created", "console"),
    ("user.token-revoked", "console"),
    ("user.token-used", "console"),
    ("user.logged-in", "console"),
    ("user.logged-out", "console"),
    ("user.login-failed", "console"),
    ("user.filter-saved", "console"),
    ("user.denied", "console"),
    ("log.created", "audit"),
    ("log.producer-enrolled", "audit"),
    ("log.confirmations-required", "console"),
    ("log.producer-asked", "audit"),
    ("log.producer-confirmed", "console"),
    ("log.producer-declined", "console"),
    ("log.producer-revoked", "console"),
    ("log.head-signed", "audit"),
    ("log.policy-set", "console"),
    ("log.accounts-required", "console"),
    ("log.journal-cut", "audit console executor scheduler"),
    ("log.contradicted", "console executor scheduler"),
    ("log.continued", "audit"),
    ("log.examined", "audit"),
    ("log.archived", "audit"),
    ("log.rejected", "audit"),
    ("log.directory-set", "console"),
    ("log.exported", "console"),
    ("log.tzdb-changed", "scheduler"),
    ("calendar.proposed", "console"),
    ("calendar.approved", "console"),
    ("calendar.retired", "console"),
    ("blackout.proposed", "console"),
    ("blackout.approved", "console"),
    ("blackout.retired", "console"),
    ("lock.proposed", "console"),
    ("lock.approved", "console"),
    ("lock.retired", "console"),
    ("pool.proposed", "console"),
    ("pool.approved", "console"),
    ("pool.retired", "console"),
    ("dataset.proposed", "console"),
    ("dataset.approved", "console"),
    ("dataset.retired", "console"),
    ("queue.proposed", "console"),
    ("queue.approved", "console"),
    ("queue.retired", "console"),
    ("form.proposed", "console"),
    ("form.approved", "console"),
    ("form.retired", "console"),
    ("repository.proposed", "console"),
    ("repository.approved", "console"),
    ("repository.retired", "console"),
    ("call-tree.proposed", "console"),
    ("call-tree.approved", "console"),
    ("call-tree.retired", "console"),
    ("measures.proposed", "console"),
    ("measures.approved", "console"),
    ("measures.retired", "console"),
    ("backup.snapshot-created", "executor"),
    ("backup.copied", "executor"),
    ("backup.verified", "executor"),
    ("backup.check-failed", "executor"),
    ("backup.forgotten", "executor"),
    ("backup.forget-requested", "console"),
    ("backup.forget-approved", "console"),
    ("backup.forget-declined", "console"),
    ("backup.held", "console"),
    ("backup.hold-ended", "console"),
    ("backup.orphan-found", "executor"),
    ("backup.snapshot-missing", "executor"),
    ("backup.snapshot-found", "executor"),
    ("backup.anomaly-found", "executor"),
    ("backup.restored", "executor"),
    ("restore.tested", "executor"),
    ("restore.certified", "console"),
    ("backup.looked-into", "console"),
    ("backup.pruned", "executor"),
    ("backup.checked", "executor"),
    ("dataset.at-risk", "scheduler"),
    ("dataset.protected", "scheduler"),
    ("print.spooled", "executor"),
    ("print.held", "console"),
    ("print.released", "console"),
    ("print.code-refused", "executor"),
    ("print.moved", "console"),
    ("print.changed", "console"),
    ("print.cancel-requested", "console"),
    ("print.cancelled", "console executor"),
    ("print.submitted", "executor"),
    ("print.deferred", "executor"),
    ("print.accepted", "executor"),
    ("print.stopped", "executor"),
    ("print.continued", "executor"),
    ("print.completed", "executor"),
    ("print.failed", "executor"),
    ("print.unknown", "executor"),
    ("print.resolved", "console"),
    ("print.retried", "executor"),
    ("print.reprint-requested", "console"),
    ("print.reprint-approved", "console"),
    ("print.reprint-declined", "console"),
    ("print.read", "console"),
    ("print.erased", "executor"),
    ("print.delivered", "executor"),
    ("print.delivery-failed", "executor"),
    ("print.delivery-retried", "console"),
    ("form.loaded", "console"),
    ("form.witnessed", "console"),
    ("form.unloaded", "console"),
    ("form.allocated", "executor"),
    ("form.printed", "console executor"),
    ("form.voided", "console"),
    ("form.returned", "console"),
    ("form.slipped", "console"),
    ("form.checked", "console"),
    ("form.register-read", "console"),
    ("queue.held", "console"),
    ("queue.released", "console"),
    ("queue.stopped", "executor"),
    ("queue.continued", "executor"),
    ("change.rejected", "console"),
    ("change.withdrawn", "console"),
    ("change.commented", "console"),
    ("change.expedited", "console"),
    ("change.ratified", "console"),
    ("review.noted", "console"),
    ("review.signed", "console"),
    ("review.access-signed", "console"),
    ("incident.opened", "console scheduler"),
    ("incident.recurred", "scheduler"),
    ("incident.cleared", "scheduler"),
    ("incident.escalated", "scheduler"),
    ("incident.broadcast", "console"),
    ("incident.notification-begun", "scheduler"),
    ("incident.notification-ended", "scheduler"),
    ("incident.acknowledged", "console"),
    ("incident.noted", "console"),
    ("incident.cause-recorded", "console"),
    ("incident.resolved", "console"),
    ("incident.reopened", "console"),
    ("control.exception-disposed", "console"),
    ("control.reviewed", "console"),
    ("request.asked", "console"),
    ("request.answered", "console"),
    ("request.accepted", "console"),
    ("request.flagged", "console"),
    ("request.withdrawn", "console"),
    ("hold.placed", "console"),
    ("hold.lift-asked", "console"),
    ("hold.kept", "console"),
    ("hold.lifted", "console"),
    ("payload.redaction-asked", "console"),
    ("payload.redaction-declined", "console"),
    ("payload.redacted", "console"),
    ("payload.erased", "executor"),
];

#[track_caller]
fn refused(mark: &Mark) -> String {
    let Mark::Refused { reason } = mark else { panic!("{mark:?}") };
    reason.clone()
}

#[test]
fn each_class_of_producer_states_its_own_kinds_and_no_other() {
    let kinds: Vec<&str> = Event::kinds().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ROLES.iter().map(|(kind, _)| *kind).collect::<Vec<_>>());
    let now = at("00:00");
    for (kind, classes) in ROLES {
        let event = golden(kind);
        for class in Class::ALL {
            let wanted = classes.split(' ').any(|word| word == class.word());
            assert_eq!(may_state(&event).contains(&class), wanted, "{kind} by {class}");
            if !wanted {
                let mut world = World::new(now);
                let by = ["scheduler/s1", "executor/h1", "console/c1", "audit/main"]
                    .into_iter()
                    .find(|id| producer(id).class() == class);
                let of = event.stream_type();
                let subject = if of == StreamType::Run {
                    StreamId::run("x", "y")
                } else if of == StreamType::Document {
                    StreamId::document(&"d".repeat(32))
                } else if of == StreamType::Incident {
                    StreamId::incident(&StreamId::job("x"), 1)
                } else if of == StreamType::Request {
                    StreamId::request(1)
                } else {
                    stream(&format!("{}/x", of.word()))
                };
                let mark = world.say_next(by.unwrap(), subject, event.clone(), now);
                let said = refused(&mark);
                assert_eq!(said, format!("a producer of class {class} may not state {kind}"));
            }
        }
    }
}

#[test]
fn an_event_belongs_to_a_stream_of_its_type_and_producers_speak_for_themselves() {
    let now = at("00:00");
    let cut = |id: &str| LogJournalCut { producer: producer(id), bytes: 9, whole_until: 1 };
    let other = |id: &str, reason: &str| LogContradicted {
        producer: producer(id),
        held: "a head".to_owned(),
        shown: "another".to_owned(),
        reason: reason.to_owned(),
    };
    let head = LogHeadSigned { size: 1, root: Digest::NONE };
    let table: Vec<(&str, &str, Event, bool)> = vec![
        ("console/c1", "run/pay@x", golden("user.created"), false),
        ("console/c1", "user/ana", golden("user.created"), true),
        ("executor/h1", "host/h1", golden("host.started"), true),
        ("executor/h1", "host/h2", golden("host.started"), false),
        ("executor/h1", "log/executor/h1", cut("executor/h1").into(), true),
        ("executor/h1", "log/executor/h2", cut("executor/h2").into(), false),
        ("executor/h1", "log/executor/h1", cut("executor/h2").into(), false),
        ("executor/h1", "log/main", cut("executor/h1").into(), false),
        ("executor/h1", "log/executor/h1", other("executor/h1", "it was cut").into(), true),
        ("executor/h1", "log/executor/h1", other("executor/h1", "").into(), false),
        ("executor/h1", "log/executor/h2", other("executor/h2", "it was cut").into(), false),
        ("executor/h1", "log/main", other("executor/h1", "it was cut").into(), false),
        ("audit/main", "log/main", head.clone().into(), true),
        ("audit/main", "log/elsewhere", head.into(), false),
    ];
    for (by, subject, event, allowed) in table {
        let mut world = World::new(now);
        let (kind, mark) = (event.kind(), world.say_next(by, stream(subject), event, now));
        assert_eq!(mark == Mark::Valid, allowed, "{kind} by {by} in {subject}: {mark:?}");
    }
}

#[test]
fn of_two_events_with_one_version_the_second_is_void_and_changes_nothing_but_the_counter() {
    let now = at("00:00");
    let mut world = World::new(now);
    let user = StreamId::user("ana");
    assert_eq!(
        world.say_next("console/c1", user.clone(), golden("user.created"), now),
        Mark::Valid
    );
    let before = world.streams.clone();
    let place = world.ledger.producers[&producer("console/c1")].place;
    for version in [1, 3, 9] {
        let draft = Draft::new(user.clone(), version, golden("user.token-issued"));
        let mark = world.say("console/c1", draft, now);
        assert_eq!(mark, Mark::Conflict { at: 1 });
        assert_eq!(mark.void().unwrap(), "conflict: the stream is at version 1");
    }
    let mark = world.say_next("console/c1", user, golden("user.created"), now);
    assert_eq!(mark.void().unwrap(), "refused: the user exists already");
    assert_eq!(world.streams, before);
    assert_eq!(world.ledger.producers[&producer("console/c1")].place.pseq, place.pseq + 4);
    assert_eq!(world.ledger.size, 6 + 5);
}

/// A world and a flush of three events that its console says next.
fn with_flush() -> (World, Vec<Vec<u8>>) {
    let mut world = World::new(at("00:00"));
    let envelopes = ["ana", "bob", "cyd"].map(|name| {
        let draft = Draft::new(StreamId::user(name), 1, golden("user.created"));
        world.seal("console/c1", draft, at("00:00")).1
    });
    (world, envelopes.to_vec())
}

#[track_caller]
fn open(world: &World, envelopes: &[Vec<u8>], key: &SecretKey) -> Result<usize, Refusal> {
    let flush = Flush::sign(envelopes.to_vec(), key).unwrap();
    world.ledger.open(&flush).map(|opened| opened.len())
}

/// Takes a flush in, event by event.
fn take(world: &mut World, envelopes: &[Vec<u8>]) {
    let flush = Flush::sign(envelopes.to_vec(), &key()).unwrap();
    for one in world.ledger.open(&flush).unwrap() {
        let World { ledger, streams, .. } = world;
        let mark = ledger.judge(streams, &one.envelope, &one.event, one.hash, at("00:00"));
        assert_eq!(mark, Mark::Valid);
    }
}

#[test]
fn a_flush_that_continues_what_its_producer_said_is_opened() {
    let (mut world, envelopes) = with_flush();
    assert_eq!(open(&world, &envelopes, &key()), Ok(3));
    take(&mut world, &envelopes[..1]);
    assert_eq!(open(&world, &envelopes[1..], &key()), Ok(2));
}

#[test]
fn a_flush_that_is_in_the_log_already_is_known_and_one_that_leaves_out_events_is_not_next() {
    let (mut world, envelopes) = with_flush();
    assert!(matches!(
        open(&world, &envelopes[1..], &key()),
        Err(Refusal::NotNext { known: 0, begins: 2, .. })
    ));
    take(&mut world, &envelopes[..2]);
    for (flush, ends) in [(&envelopes[..1], 1), (&envelopes[..2], 2), (&envelopes[1..2], 2)] {
        let refusal = open(&world, flush, &key()).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Known { known: 2, ends: e, .. } if e == ends),
            "{refusal}"
        );
    }
    let refusal = open(&world, &envelopes, &key()).unwrap_err();
    assert!(matches!(refusal, Refusal::NotNext { known: 2, begins: 1, .. }), "{refusal}");
}

#[test]
fn a_flush_with_a_broken_chain_a_wrong_signature_or_unknown_producer_is_refused_as_a_whole() {
    let (world, envelopes) = with_flush();
    let [one, two, three] = envelopes.as_slice() else { panic!() };
    for (broken, at) in [(vec![one, three], 1), (vec![one, one], 1), (vec![one, two, two], 2)] {
        let broken: Vec<_> = broken.into_iter().cloned().collect();
        assert_eq!(open(&world, &broken, &key()), Err(Refusal::Broken { index: at }));
    }
    let other = open(&world, &envelopes, &SecretKey::from_seed(&[8; 32])).unwrap_err();
    assert!(other.to_string().contains("signed with key"), "{other}");
    let mut flush = Flush::sign(envelopes.clone(), &key()).unwrap();
    flush.seal = key().sign(two);
    let bad = world.ledger.open(&flush).unwrap_err();
    assert!(bad.to_string().ends_with("the signature does not fit the bytes"), "{bad}");
    let nobody = Ledger::default();
    let flush = Flush::sign(envelopes.clone(), &key()).unwrap();
    assert_eq!(nobody.open(&flush).unwrap_err(), Refusal::Unknown(producer("console/c1")));
    // One changed byte inside the flush breaks the chain although only its end is signed.
    let text = String::from_utf8(two.clone()).unwrap().replace("user/bob", "user/eve");
    let forged = [one.clone(), text.into_bytes(), three.clone()];
    assert_eq!(open(&world, &forged, &key()), Err(Refusal::Broken { index: 2 }));
    let spaced = String::from_utf8(one.clone()).unwrap().replacen(':', ": ", 1).into_bytes();
    let refusal = open(&world, &[spaced], &key()).unwrap_err();
    assert_eq!(refusal, Refusal::Envelope { index: 0, error: EnvelopeError::NotCanonical });
}

#[test]
fn a_fork_of_a_producers_sequence_is_not_next() {
    let (mut world, envelopes) = with_flush();
    let (mut fork, _) = with_flush();
    take(&mut world, &envelopes[..1]);
    let draft = Draft::new(StreamId::user("eve"), 1, golden("user.created"));
    let (_, first) = World::new(at("00:00")).seal("console/c1", draft, at("00:01"));
    assert_ne!(first, envelopes[0]);
    let draft = Draft::new(StreamId::user("eve"), 2, golden("user.token-issued"));
    let (envelope, bytes) = fork.seal("console/c1", draft, at("00:01"));
    assert_eq!(envelope.pseq, 4);
    take(&mut world, &envelopes[1..2]);
    assert!(matches!(
        open(&world, &[bytes], &key()),
        Err(Refusal::NotNext { known: 2, begins: 4, .. })
    ));
}

#[test]
fn a_log_is_created_once_and_a_producer_has_one_key() {
    let now = at("00:00");
    let mut world = World::new(now);
    let Event::LogEvent(domain::event::LogEvent::LogCreated(created)) = golden("log.created")
    else {
        panic!()
    };
    let created = LogCreated { producer: producer("audit/main"), ..created };
    let mark = world.say_next("audit/main", StreamId::log("main"), created, now);
    assert_eq!(refused(&mark), "a log is created once, by its first event");
    let mut enrol = |id: &str, class, key: String, wanted: &str| {
        let event =
            LogProducerEnrolled { producer: producer(id), class, key, ground: "x".to_owned() };
        let mark = world.say_next("audit/main", StreamId::log("main"), event, now);
        assert!(refused(&mark).contains(wanted), "{mark:?}");
    };
    let (same, other) = (key().public().to_hex(), SecretKey::from_seed(&[9; 32]).public().to_hex());
    enrol("executor/h1", Class::Executor, same.clone(), "is enrolled already");
    enrol("executor/h1", Class::Executor, other, "is enrolled with another key");
    enrol("executor/h9", Class::Scheduler, same, "is not of class scheduler");
    enrol("executor/h9", Class::Executor, "00".to_owned(), "is not an Ed25519 public key");
}

fn propose(number: u32, fields: serde_json::Value) -> JobProposed {
    let definition = definition(fields);
    let (digest, reason) = (definition.digest().unwrap(), "because".to_owned());
    JobProposed { number, digest, definition: serde_json::to_value(definition).unwrap(), reason }
}

#[test]
fn nobody_approves_their_own_change_unless_the_site_says_so() {
    let now = at("00:00");
    for (self_approval, by, allowed) in [
        (false, "user/ana", false),
        (false, "user/bob", true),
        (true, "user/ana", true),
        (true, "user/bob", true),
    ] {
        let mut world = World::new(now);
        if self_approval {
            let policy = LogPolicySet { self_approval, reason: "one operator".to_owned() };
            assert_eq!(
                world.say_next("console/c1", StreamId::log("main"), policy, now),
                Mark::Valid
            );
        }
        let (job, proposed) = (StreamId::job("pay"), propose(1, json!({})));
        let approved = JobApproved { number: 1, digest: proposed.digest };
        assert_eq!(world.say_by("user/ana", job.clone(), proposed, now), Mark::Valid);
        let anonymous = world.say_next("console/c1", job.clone(), approved.clone(), now);
        if !self_approval {
            assert_eq!(refused(&anonymous), "nobody approves their own change", "nobody by name");
            let mark = world.say_by(by, job, approved, now);
            assert_eq!(mark == Mark::Valid, allowed, "{by}");
        } else {
            assert_eq!(anonymous, Mark::Valid);
        }
    }
}

#[test]
fn a_job_is_refused_what_does_not_fit_its_state() {
    let now = at("00:00");
    let mut world = World::new(now);
    let job = StreamId::job("pay");
    let approve =
        |proposed: &JobProposed| JobApproved { number: proposed.number, digest: proposed.digest };
    let one = propose(1, json!({}));
    let other_job = JobProposed { number: 1, ..propose(1, json!({})) };
    let steps: Vec<(Event, &str)> = vec![
        (golden("job.paused"), "only an active job that is not paused can be paused"),
        (golden("job.resumed"), "the job is not paused"),
        (golden("job.retired"), "the job is not active"),
        (approve(&one).into(), "nothing is proposed"),
        (propose(2, json!({})).into(), "the next definition is number 1"),
        (
            JobProposed { digest: Digest::NONE, ..one.clone() }.into(),
            "the digest is not that of the definition",
        ),
        (one.clone().into(), ""),
        (propose(2, json!({"timeout": "5m"})).into(), ""),
        (approve(&one).into(), "it approves another definition than the one proposed last"),
        (approve(&propose(2, json!({"timeout": "5m"}))).into(), ""),
        (golden("job.paused"), ""),
        (golden("job.paused"), "only an active job that is not paused can be paused"),
        (golden("job.resumed"), ""),
        (golden("job.retired"), ""),
        (golden("job.paused"), "only an active job that is not paused can be paused"),
        (golden("job.retired"), "the job is not active"),
    ];
    for (index, (event, wanted)) in steps.into_iter().enumerate() {
        let actor = if event.kind() == "job.approved" { "user/bob" } else { "user/ana" };
        let mark = world.say_by(actor, job.clone(), event, now);
        let said = mark.void().unwrap_or_default();
        let wanted = if wanted.is_empty() { String::new() } else { format!("refused: {wanted}") };
        assert_eq!(said, wanted, "step {index}");
    }
    let mark = world.say_by("user/ana", StreamId::job("other"), other_job, now);
    assert_eq!(refused(&mark), "the definition is of another job");
}

/// A world in which job `pay` got its first definition at one, and its second at three.
fn two_definitions() -> (World, DefinitionRef, DefinitionRef) {
    let mut world = World::new(at("00:00"));
    let one = world.activate(&definition(json!({})), at("01:00"));
    let two = world.activate(&definition(json!({"timeout": "5m"})), at("03:00"));
    (world, one, two)
}

#[test]
fn an_occurrence_is_stated_under_the_definition_in_whose_span_it_falls() {
    let micro = |text: &str| Timestamp::from_microsecond(at(text).as_microsecond() + 1).unwrap();
    let table = [
        (at("01:00"), "neither: the first begins after its approval"),
        (micro("01:00"), "one"),
        (at("02:00"), "one"),
        (at("03:00"), "one: the second begins after its approval"),
        (micro("03:00"), "two"),
        (at("04:00"), "two"),
    ];
    for (instant, wanted) in table {
        for (word, first) in [("one", true), ("two", false)] {
            let (mut world, one, two) = two_definitions();
            let definition = if first { one } else { two };
            let (run, mut due) = due(definition, instant);
            due.retry.delays_ms.clear();
            let mark = world.say_next("scheduler/s1", run, due, at("05:00"));
            let valid = wanted.split(':').next() == Some(word);
            assert_eq!(mark == Mark::Valid, valid, "{instant} under {word}: {mark:?}");
        }
    }
}

#[test]
fn a_request_is_stated_under_the_active_definition() {
    let request = |definition| {
        let (job, reason) = ("pay".to_owned(), "now".to_owned());
        let parameters = std::collections::BTreeMap::new();
        RunRequested { job, definition, reason, parameters, again: None, of_flow: false }
    };
    let (mut world, one, two) = two_definitions();
    let run = |n: u32| StreamId::run("pay", &format!("request-{n}"));
    let mark = world.say_next("console/c1", run(1), request(one), at("05:00"));
    assert_eq!(refused(&mark), "definition 1 is not the one that holds for this run");
    assert_eq!(
        world.say_next("console/c1", run(2), request(two.clone()), at("05:00")),
        Mark::Valid
    );
    let (occurrence, _) = occurrence(at("06:00"));
    let mark = world.say_next("console/c1", occurrence, request(two.clone()), at("05:00"));
    assert!(mark.void().is_some(), "it would take an occurrence's place");
    assert_eq!(
        world.say_by("user/ana", StreamId::job("pay"), golden("job.retired"), at("05:00")),
        Mark::Valid
    );
    let mark = world.say_next("console/c1", run(3), request(two), at("05:00"));
    assert_eq!(refused(&mark), "the job has no active definition");
}

#[test]
fn a_run_has_the_name_of_its_job_and_instant() {
    let (mut world, _, two) = two_definitions();
    let (run, due) = due(two, at("04:00"));
    for name in [
        "run/other@2026-11-20T04:00+00:00",
        "run/pay@2026-11-20T04:01+00:00",
        "run/pay@again",
        "run/pay@request-1",
    ] {
        let mark = world.say_next("scheduler/s1", stream(name), due.clone(), at("05:00"));
        assert!(matches!(mark, Mark::Refused { .. }), "{name}: {mark:?}");
    }
    assert_eq!(world.say_next("scheduler/s1", run, due, at("05:00")), Mark::Valid);
}

#[test]
fn receive_times_never_go_back() {
    let mut world = World::new(at("00:00"));
    let head = |size| LogHeadSigned { size, root: Digest::NONE };
    for (clock, received) in
        [("01:00", "01:00"), ("00:59", "01:00"), ("00:00", "01:00"), ("01:01", "01:01")]
    {
        world.say_next("audit/main", StreamId::log("main"), head(1), at(clock));
        assert_eq!(world.ledger.received, Some(at(received)), "{clock}");
    }
}

#[test]
fn the_recorder_waits_for_a_clock_that_is_at_most_two_seconds_ahead() {
    assert_eq!(SKEW_MS_MAX, 2_000);
    for (ahead_ms, received_ms) in
        [(-1, 0), (0, 0), (1, 1), (2_000, 2_000), (2_001, 0), (60_000, 0)]
    {
        let (mut world, _, two) = two_definitions();
        let (run, due) = due(two, later(at("04:00"), ahead_ms));
        let clock = at("04:00");
        let run = if ahead_ms % 1000 == 0 {
            run
        } else {
            StreamId::run(
                "pay",
                &format!(
                    "{}+00:00",
                    due.nominal.as_ref().unwrap().at.to_string().trim_end_matches('Z')
                ),
            )
        };
        let mark = world.say_next("scheduler/s1", run, due, clock);
        assert_eq!(world.ledger.received, Some(later(clock, received_ms)), "{ahead_ms} ms ahead");
        assert_eq!(mark == Mark::Valid, ahead_ms <= 2_000, "{mark:?}");
        if ahead_ms > 2_000 {
            assert!(refused(&mark).ends_with("is not due yet"), "{mark:?}");
        }
    }
    let (world, _, _) = two_definitions();
    let fine: Timestamp = "2026-11-20T04:00:00.123456789Z".parse().unwrap();
    let cut = world.ledger.receive_time(fine, &golden("user.created"));
    assert_eq!(cut.to_string(), "2026-11-20T04:00:00.123456Z");
}

#[test]
fn occurrences_are_accounted_for_one_after_the_other() {
    let (mut world, _, two) = two_definitions();
    let settled = |world: &World| world.streams.get(&StreamId::job("pay")).unwrap().turn.settled;
    let steps = [
        ("04:00", Some("03:50"), false),
        ("04:00", None, true),
        ("04:30", None, false),
        ("04:30", Some("03:59"), false),
        ("04:30", Some("04:00"), true),
        ("04:10", Some("04:00"), false),
        // It comes after the newest, but is older than that.
        ("04:20", Some("04:30"), false),
        ("04:40", Some("04:30"), true),
    ];
    for (instant, after, allowed) in steps {
        let before = settled(&world);
        let (run, mut due) = due(two.clone(), at(instant));
        due.nominal.as_mut().unwrap().after = after.map(at);
        let mark = world.say_next("scheduler/s1", run, due, at("05:00"));
        assert_eq!(mark == Mark::Valid, allowed, "{instant} after {after:?}: {mark:?}");
        assert_eq!(settled(&world), if allowed { Some(at(instant)) } else { before });
    }
    // A run that was due may still be skipped: it is accounted for already.
    let (run, nominal) = occurrence(at("04:40"));
    let (job, nominal) = ("pay".to_owned(), Nominal { after: Some(at("04:30")), ..nominal });
    let reason = SkipReason::Retired;
    let skipped = RunSkipped { job, definition: two, nominal: Some(nominal), reason };
    assert_eq!(world.say_next("scheduler/s1", run, skipped, at("05:00")), Mark::Valid);
    assert_eq!(settled(&world), Some(at("04:40")));
}

#[test]
fn an_occurrence_is_skipped_for_a_pause_where_there_is_one_and_missed_when_it_is_late() {
    let says = |paused: bool, event: &str, clock: &str| {
        let (mut world, _, two) = two_definitions();
        if paused {
            let mark =
                world.say_by("user/ana", StreamId::job("pay"), golden("job.paused"), at("03:30"));
            assert_eq!(mark, Mark::Valid);
        }
        let (run, mut due) = due(two.clone(), at("04:00"));
        due.catch_up = event == "caught up";
        let (job, nominal) = ("pay".to_owned(), due.nominal.clone());
        let event: Event = match event {
            "skipped" => {
                RunSkipped { job, definition: two, nominal, reason: SkipReason::Paused }.into()
            }
            "missed" => {
                let (nominal, late_ms) = (nominal.unwrap(), 0);
                RunMissed { job, definition: two, nominal, late_ms, reason: MissReason::NoCatchUp }
                    .into()
            }
            _ => due.into(),
        };
        world.say_next("scheduler/s1", run, event, at(clock)) == Mark::Valid
    };
    for (paused, event, clock, allowed) in [
        (false, "due", "04:00", true),
        (true, "due", "04:00", false),
        (false, "skipped", "04:00", false),
        (true, "skipped", "04:00", true),
        (true, "missed", "05:00", false),
        (false, "missed", "04:00:58", false),
        (false, "missed", "04:00:58.001", true),
        (false, "caught up", "04:00:58", false),
        (false, "caught up", "04:01:01", true),
        (false, "due", "05:00", true),
    ] {
        assert_eq!(says(paused, event, clock), allowed, "{event} at {clock}, paused: {paused}");
    }
}

#[test]
fn to_judge_a_run_its_job_must_be_at_hand() {
    let mut world = World::new(at("00:00"));
    let mut names = |id: &str, kind: &str| {
        let draft = Draft::new(stream(id), 1, golden(kind));
        let (envelope, _) = world.seal("console/c1", draft, at("00:00"));
        let ids = reads(&envelope, &envelope.event().unwrap());
        ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        names("run/pay@request-1", "run.cancel-requested"),
        ["job/pay", "run/pay@request-1"]
    );
    assert_eq!(names("job/pay", "job.paused"), ["job/pay"]);
    let mut world = World::new(at("00:00"));
    let (run, due) = due(reference(1, &definition(json!({}))), at("04:00"));
    let mark = world.say_next("scheduler/s1", run, due, at("05:00"));
    assert_eq!(refused(&mark), "there is no such job");
}
