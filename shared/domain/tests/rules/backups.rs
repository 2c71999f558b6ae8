//! Datasets, snapshots, retention: what the recorder takes, what is protected, what is kept and why.

use domain::backup::admit::{forgettable, verdicts};
use domain::backup::anomaly::unusual;
use domain::backup::choosing::{Unclear, damaged, named, to_copy, to_forget, to_remove};
use domain::backup::protection::is_test_overdue;
use domain::backup::record::{ForgetRequest, Forgotten, SNAPSHOTS_MAX};
use domain::backup::retention::ahead;
use domain::backup::saying::{Present, compare};
use domain::backup::{Dataset, Protection, Repository, RetentionRule, Snapshot, plan, sample};
use domain::canonical::Digest;
use domain::event::{
    BackupAnomalyFound, BackupCheckFailed, BackupCopied, BackupEvent, BackupForgetApproved,
    BackupForgetRequested, BackupForgotten, BackupHeld, BackupHoldEnded, BackupPruned,
    BackupSnapshotCreated, BackupSnapshotMissing, BackupVerified, DamagedSnapshot, DefinitionRef,
    Event, ForgetReason, Measure, RestoreCertified, RestoreTested, RiskReason, Seer, Unusual,
};
use domain::ids::StreamId;
use domain::job::{JobDefinition, parse_yaml};
use domain::ledger::{Mark, Streams as _};
use domain::plan::{self as planning, Known};
use domain::site::ThingKind;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::given::{at, golden};
use crate::site::{Site, refused, run_id};

pub(crate) fn id(n: u64) -> Digest {
    Digest::of(&n.to_be_bytes())
}

pub(crate) fn stream() -> StreamId {
    StreamId::thing(ThingKind::Dataset, "payroll")
}

fn body<T>(kind: &str, pick: impl Fn(BackupEvent) -> Option<T>) -> T {
    let Event::BackupEvent(event) = golden(kind) else { panic!("{kind}") };
    pick(event).unwrap()
}

fn created_body() -> BackupSnapshotCreated {
    body("backup.snapshot-created", |event| {
        if let BackupEvent::BackupSnapshotCreated(e) = event { Some(e) } else { None }
    })
}

/// A site with a dataset, two repositories, and a job of each kind, one an hour from one o'clock on.
pub(crate) fn site(dataset: Value) -> Site {
    let mut site = Site::new();
    let mut all = json!({"kind": "dataset", "name": "payroll", "rpo": "26h"});
    all.as_object_mut().unwrap().extend(dataset.as_object().unwrap().clone());
    site.apply(all);
    for name in ["vault", "offsite"] {
        site.apply(json!({
            "kind": "repository", "name": name, "location": format!("/srv/{name}"),
            "password": "file:/etc/vault",
        }));
    }
    let works = [
        ("backup", json!({"dataset": "payroll", "repository": "vault", "paths": ["/srv/pay"]})),
        ("backup-copy", json!({"dataset": "payroll", "from": "vault", "to": "offsite"})),
        ("backup-check", json!({"repository": "vault"})),
        ("retention", json!({"dataset": "payroll", "repository": "vault"})),
        ("prune", json!({"repository": "vault"})),
        ("restore-test", json!({"dataset": "payroll", "repository": "vault", "scratch": "/tmp"})),
    ];
    for (hour, (kind, work)) in (1..).zip(works) {
        site.apply(json!({
            "name": kind, "kind": kind, kind: work, "schedule": {"cron": format!("0 {hour} * * *")},
        }));
    }
    site
}

pub(crate) fn seer(run: &str) -> Seer {
    Seer { run: run_id(run), attempt: 1, engine: "rustic_core 0.13.0".to_owned() }
}

/// What the host says of snapshot `n` that run `run` made.
pub(crate) fn created(site: &Site, run: &str, n: u64) -> BackupSnapshotCreated {
    BackupSnapshotCreated {
        by: seer(run),
        snapshot: id(n),
        began: site.now,
        tags: Vec::new(),
        ..created_body()
    }
}

impl Site {
    pub(crate) fn host_says(&mut self, event: impl Into<Event>) -> Mark {
        let now = self.now;
        let mark = self.world.say_next("executor/h1", stream(), event.into(), now);
        self.feed();
        mark
    }

    pub(crate) fn dataset(&self) -> Dataset {
        self.world.streams.get(&stream()).unwrap().body.dataset().unwrap().clone()
    }

    /// Brings a run to its start.
    pub(crate) fn begin(&mut self, run: &str) -> &mut Self {
        let clock = run.split_once('@').unwrap().1.to_owned();
        self.until(&clock).start(run)
    }

    /// The night's backup: its run starts, makes snapshot `n`, ends.
    pub(crate) fn night(&mut self, run: &str, n: u64) -> &mut Self {
        self.begin(run);
        let event = created(self, run, n);
        assert_eq!(self.host_says(event), Mark::Valid);
        self.end(run, 0)
    }

    fn protection(&self) -> Protection {
        Protection::of(&self.dataset(), self.now)
    }

    fn says_of_dataset(&self) -> Vec<&'static str> {
        let of = |event: &Event| match event {
            Event::BackupEvent(event) => Some(event.kind()),
            Event::JobEvent(_)
            | Event::RunEvent(_)
            | Event::HostEvent(_)
            | Event::UserEvent(_)
            | Event::LogEvent(_)
            | Event::PrintEvent(_)
            | Event::FormEvent(_)
            | Event::QueueEvent(_)
            | Event::ChangeEvent(_)
            | Event::IncidentEvent(_)
            | Event::ControlEvent(_)
            | Event::RecordsEvent(_)
            | Event::RequestEvent(_)
            | Event::ReviewEvent(_)
            | Event::ThingEvent(_) => None,
        };
        self.world.feed.iter().filter_map(|(_, event, _)| of(event)).collect()
    }
}

#[test]
fn a_snapshot_is_recorded_by_the_host_whose_run_makes_it_and_by_no_other() {
    let mut site = site(json!({}));
    site.begin("backup@01:00");
    let event = created(&site, "backup@01:00", 1);
    let elsewhere = BackupSnapshotCreated { repository: "offsite".to_owned(), ..event.clone() };
    let other_run = BackupSnapshotCreated { by: seer("prune@05:00"), ..event.clone() };
    let later = Seer { attempt: 2, ..seer("backup@01:00") };
    let other_attempt = BackupSnapshotCreated { by: later, ..event.clone() };
    for (wrong, why) in [
        (elsewhere, "its job is not about that"),
        (other_run, "there is no run/prune@2026-11-20T05:00+00:00"),
        (other_attempt, "it is not an attempt of this host"),
    ] {
        assert_eq!(refused(&site.host_says(wrong)), why);
    }
    let now = site.now;
    let other = site.world.say_next("executor/h2", stream(), Event::from(event.clone()), now);
    assert_eq!(refused(&other), "it is not an attempt of this host");
    assert_eq!(site.host_says(event.clone()), Mark::Valid);
    assert_eq!(refused(&site.host_says(event)), "the log knows this already");
}

#[test]
fn a_dataset_is_protected_by_what_can_be_restored_now() {
    let mut site = site(json!({}));
    assert!(matches!(site.protection(), Protection::Awaited { .. }), "it was defined just now");
    site.night("backup@01:00", 1);
    assert!(matches!(site.protection(), Protection::Protected { .. }));
    site.begin("backup-check@03:00");
    let damaged = vec![DamagedSnapshot { snapshot: id(1), files: 3 }];
    let by = seer("backup-check@03:00");
    let failed = BackupCheckFailed { by, repository: "vault".to_owned(), packs: 1, damaged };
    assert_eq!(site.host_says(failed), Mark::Valid);
    let reason = RiskReason::NoSnapshot;
    assert_eq!(site.protection(), Protection::AtRisk { reason }, "at once, not after the RPO");
    site.until("03:01");
    assert_eq!(site.says_of_dataset().last(), Some(&"dataset.at-risk"), "a scheduler says so");
    site.check_no_voids();
}

#[test]
fn a_snapshot_that_is_incomplete_or_gone_protects_nothing() {
    let mut site = site(json!({}));
    site.begin("backup@01:00");
    let event = BackupSnapshotCreated { errors: 2, ..created(&site, "backup@01:00", 1) };
    assert_eq!(site.host_says(event), Mark::Valid);
    assert_eq!(site.protection(), Protection::AtRisk { reason: RiskReason::NoSnapshot });
    site.end("backup@01:00", 3);
    let mut site = self::site(json!({}));
    site.night("backup@01:00", 1).begin("backup-check@03:00");
    let (by, repository) = (seer("backup-check@03:00"), "vault".to_owned());
    let missing = BackupSnapshotMissing { by, repository, snapshot: id(1) };
    assert_eq!(site.host_says(missing), Mark::Valid);
    assert_eq!(site.protection(), Protection::AtRisk { reason: RiskReason::NoSnapshot });
}

#[test]
fn when_the_rpo_passes_without_a_snapshot_that_is_said_once_and_its_end_too() {
    let mut site = site(json!({"rpo": "2h"}));
    site.night("backup@01:00", 1).until("02:59");
    assert!(!site.says_of_dataset().contains(&"dataset.at-risk"));
    site.until("04:30");
    let said = |site: &Site, kind| site.says_of_dataset().iter().filter(|k| **k == kind).count();
    assert_eq!(said(&site, "dataset.at-risk"), 1);
    site.restart().until("05:00");
    assert_eq!(
        said(&site, "dataset.at-risk"),
        1,
        "a scheduler that begins anew does not repeat it"
    );
    site.until("2026-11-21T01:00:00Z").start("backup@2026-11-21T01:00+00:00");
    let run = "backup@2026-11-21T01:00+00:00";
    let event = created(&site, run, 2);
    assert_eq!(site.host_says(event), Mark::Valid);
    site.end(run, 0).until("2026-11-21T01:01:00Z");
    assert_eq!(said(&site, "dataset.protected"), 1);
    site.check_no_voids();
}

#[test]
fn a_dataset_that_wants_two_copies_is_at_risk_with_one() {
    let mut site = site(json!({"copies": 2}));
    site.night("backup@01:00", 1);
    let reason = RiskReason::TooFewCopies { have: 1, want: 2 };
    assert_eq!(site.protection(), Protection::AtRisk { reason });
    site.begin("backup-copy@02:00");
    let unknown = BackupCopied { original: id(7), ..copied() };
    assert_eq!(refused(&site.host_says(unknown)), "there is no such original");
    assert_eq!(site.host_says(copied()), Mark::Valid);
    assert!(matches!(site.protection(), Protection::Protected { .. }));
    let one = site.dataset().snapshot("offsite", id(8)).unwrap().clone();
    assert_eq!((one.taken, one.at), (at("01:00"), at("01:00")), "it is as old as its original");
}

#[test]
fn what_forgets_waits_until_nobody_writes_and_lets_nobody_in() {
    let mut site = site(json!({}));
    site.begin("backup@01:00").until("04:30");
    assert_eq!(
        site.why("retention@04:00"),
        ["lock repository/vault is held by backup@2026-11-20T01:00+00:00"]
    );
    let held = "lock repository/vault is held by run/backup@2026-11-20T01:00+00:00";
    assert_eq!(refused(&site.try_start("retention@04:00", "h1")), held);
    site.end("backup@01:00", 0).until("04:31").start("retention@04:00");
    let held = "lock repository/vault is held by run/retention@2026-11-20T04:00+00:00";
    assert_eq!(refused(&site.try_start("backup-check@03:00", "h1")), held);
    site.check_no_voids();
}

/// Four nights of backups, of which the rule keeps the last; nothing else runs by itself.
pub(crate) fn four_nights() -> Site {
    let mut site = site(json!({"retention": {"last": 1}}));
    let work = json!({"dataset": "payroll", "repository": "vault"});
    site.apply(json!({"name": "retention", "kind": "retention", "retention": work}));
    for other in ["backup-copy", "backup-check", "prune", "restore-test"] {
        site.pause(other);
    }
    for day in 20..24 {
        let run = format!("backup@2026-11-{day}T01:00+00:00");
        site.until(&format!("2026-11-{day}T01:00:00Z")).start(&run);
        let event = created(&site, &run, day);
        assert_eq!(site.host_says(event), Mark::Valid);
        site.end(&run, 0);
    }
    site
}

/// Snapshot 1 of the vault stands offsite too, as 8: what the run `backup-copy@02:00` says.
pub(crate) fn copied() -> BackupCopied {
    BackupCopied {
        by: seer("backup-copy@02:00"),
        from: "vault".to_owned(),
        original: id(1),
        to: "offsite".to_owned(),
        definition: DefinitionRef::new(1, Digest::NONE),
        snapshot: id(8),
    }
}

/// Somebody wants snapshot `n` forgotten that the rule keeps.
pub(crate) fn asked_to_forget(n: u64) -> BackupForgetRequested {
    BackupForgetRequested {
        repository: "vault".to_owned(),
        snapshots: vec![id(n)],
        reason: "a customer's data by mistake".to_owned(),
    }
}

pub(crate) fn forgotten(
    run: &str,
    snapshots: Vec<Digest>,
    reason: ForgetReason,
) -> BackupForgotten {
    let repository = "vault".to_owned();
    BackupForgotten { run: run_id(run), attempt: 1, repository, snapshots, reason }
}

pub(crate) fn by_policy(site: &Site) -> ForgetReason {
    ForgetReason::Policy { definition: site.dataset().defined.active().unwrap().reference() }
}

#[test]
fn only_what_the_rule_does_not_keep_is_forgotten_and_only_while_the_run_holds_the_repository() {
    let mut site = four_nights();
    let run = "retention@request-1";
    let wanted = vec![id(20), id(21), id(22)];
    assert_eq!(forgettable(&site.dataset(), "vault", site.now), wanted);
    let policy = by_policy(&site);
    let event = forgotten(run, wanted.clone(), policy.clone());
    assert!(refused(&site.host_says(event.clone())).starts_with("there is no run/retention"));
    site.request(run).until("2026-11-23T04:00:00Z").start(run);
    let keeps = forgotten(run, vec![id(22), id(23)], policy);
    assert_eq!(refused(&site.host_says(keeps)), "the dataset's rule keeps one of them");
    let old = ForgetReason::Policy { definition: DefinitionRef::new(7, Digest::NONE) };
    let other = forgotten(run, wanted, old);
    assert_eq!(refused(&site.host_says(other)), "another definition of it is active");
    assert_eq!(site.host_says(event.clone()), Mark::Valid);
    assert_eq!(refused(&site.host_says(event)), "the log knows this already");
    let left: Vec<Digest> = site.dataset().snapshots.iter().map(|one| one.id).collect();
    assert_eq!(left, [id(23)]);
    assert!(matches!(site.protection(), Protection::Protected { .. }));
    site.check_no_voids();
}

#[test]
fn a_hold_keeps_a_snapshot_from_rule_and_people_until_it_ends() {
    let mut site = four_nights();
    let repository = "vault".to_owned();
    let until = Some(at("2026-11-23T05:00:00Z"));
    let held = BackupHeld { repository, snapshot: id(20), reason: "case 1".to_owned(), until };
    assert_eq!(site.try_by("user/ana", &stream(), Event::from(held.clone())), Mark::Valid);
    let shorter = BackupHeld { until: Some(at("2026-11-23T04:30:00Z")), ..held };
    let shorter = site.try_by("user/ana", &stream(), Event::from(shorter));
    assert_eq!(refused(&shorter), "it is held for longer already: end that hold first");
    assert_eq!(forgettable(&site.dataset(), "vault", site.now), [id(21), id(22)]);
    let asked = BackupForgetRequested {
        repository: "vault".to_owned(),
        snapshots: vec![id(20)],
        reason: "space".to_owned(),
    };
    let mark = site.try_by("user/ana", &stream(), Event::from(asked));
    assert_eq!(refused(&mark), "one of them is on hold: end that first");
    let ended = BackupHoldEnded {
        repository: "vault".to_owned(),
        snapshot: id(20),
        reason: "case closed".to_owned(),
    };
    let own = site.try_by("user/ana", &stream(), Event::from(ended.clone()));
    assert_eq!(refused(&own), "somebody else ends a hold than set it");
    let later = at("2026-11-23T05:00:01Z");
    assert_eq!(forgettable(&site.dataset(), "vault", later), [id(20), id(21), id(22)]);
    assert_eq!(site.try_by("user/bob", &stream(), Event::from(ended)), Mark::Valid);
}

#[test]
fn what_the_rule_keeps_is_forgotten_by_two_people_and_not_by_one() {
    let mut site = four_nights();
    let asked = asked_to_forget(23);
    assert_eq!(site.try_by("user/ana", &stream(), Event::from(asked)), Mark::Valid);
    let number = site.dataset().request.unwrap().number;
    let run = "retention@request-1";
    site.request(run).until("2026-11-23T04:00:00Z").start(run);
    let event = forgotten(run, vec![id(23)], ForgetReason::People { request: number });
    assert_eq!(refused(&site.host_says(event.clone())), "nobody has approved that");
    let agree = BackupForgetApproved { request: number, reason: "seen".to_owned() };
    let own = site.try_by("user/ana", &stream(), Event::from(agree.clone()));
    assert_eq!(refused(&own), "nobody approves their own request");
    assert_eq!(site.try_by("user/bob", &stream(), Event::from(agree)), Mark::Valid);
    let other = forgotten(run, vec![id(22)], ForgetReason::People { request: number });
    assert_eq!(refused(&site.host_says(other)), "other snapshots were asked for");
    assert_eq!(site.host_says(event), Mark::Valid);
    assert_eq!(site.dataset().request, None);
}

#[test]
fn a_restore_test_is_certified_once_by_somebody_else_than_asked_for_it() {
    let mut site = site(json!({}));
    site.night("backup@01:00", 1);
    site.request("restore-test@request-1").tick(0);
    site.until("01:30").start("restore-test@request-1");
    let tested: RestoreTested = body("restore.tested", |event| {
        if let BackupEvent::RestoreTested(e) = event { Some(e) } else { None }
    });
    let tested = RestoreTested { by: seer("restore-test@request-1"), snapshot: id(1), ..tested };
    assert_eq!(site.host_says(tested), Mark::Valid);
    let run = run_id("restore-test@request-1");
    let certified = RestoreCertified {
        run,
        statement: "the totals of November are there".to_owned(),
        corrective_action: None,
    };
    let asker = site.dataset().tests[0].asked_by.clone().unwrap();
    let other = if asker == "user/ana" { "user/bob" } else { "user/ana" };
    let own = site.try_by(&asker, &stream(), Event::from(certified.clone()));
    assert_eq!(refused(&own), "somebody else certifies a test than asked for it");
    assert_eq!(site.try_by(other, &stream(), Event::from(certified.clone())), Mark::Valid);
    let again = site.try_by(other, &stream(), Event::from(certified));
    assert_eq!(refused(&again), "it is certified already");
}

#[test]
fn a_check_of_everything_makes_a_repaired_snapshot_good_again_and_one_of_a_part_does_not() {
    let mut site = site(json!({}));
    site.night("backup@01:00", 1).begin("backup-check@03:00");
    let vault = || "vault".to_owned();
    let by = seer("backup-check@03:00");
    let damaged = vec![DamagedSnapshot { snapshot: id(1), files: 1 }];
    let failed = BackupCheckFailed { by: by.clone(), repository: vault(), packs: 1, damaged };
    assert_eq!(site.host_says(failed), Mark::Valid);
    let verified = |engine: &str, of| BackupVerified {
        by: Seer { engine: engine.to_owned(), ..by.clone() },
        repository: vault(),
        snapshots: 1,
        packs: 1,
        bytes: 1,
        part: 1,
        of,
    };
    let part = BackupVerified { by: seer("backup@01:00"), ..verified("restic 0.19", 30) };
    assert_eq!(site.host_says(part), Mark::Valid);
    assert!(!site.dataset().snapshots[0].is_good());
    let all = BackupVerified { by: seer("backup@01:00"), ..verified("restic 0.19", 1) };
    assert_eq!(refused(&site.host_says(all)), "its job is not about that", "it did not read all");
    let fewer = verified("restic 0.19", 30);
    assert_eq!(refused(&site.host_says(fewer)), "its job is not about that", "it has other parts");
    assert_eq!(site.host_says(verified("restic 0.20", 1)), Mark::Valid);
    assert!(site.dataset().snapshots[0].is_good());
}

#[test]
fn a_listing_tells_of_snapshots_nobody_recorded_and_of_recorded_ones_that_are_gone() {
    let site = four_nights();
    let present: Vec<Present> = [21, 22, 23, 99]
        .map(|n| Present { snapshot: id(n), of_run: Some("run/backup@x".to_owned()) })
        .to_vec();
    let by = seer("backup-check@03:00");
    let found = compare(&site.dataset(), "vault", &present, site.now, &by);
    let kinds: Vec<&str> = found.iter().map(BackupEvent::kind).collect();
    assert_eq!(kinds, ["backup.orphan-found", "backup.snapshot-missing"]);
}

#[test]
fn what_was_missing_and_is_there_again_is_good_again_and_no_rule_forgets_it_meanwhile() {
    let mut site = four_nights();
    let (by, repository) = (seer("backup@2026-11-23T01:00+00:00"), "vault".to_owned());
    for n in 20..24 {
        let (by, repository) = (by.clone(), repository.clone());
        let missing = BackupSnapshotMissing { by, repository, snapshot: id(n) };
        assert_eq!(site.host_says(missing), Mark::Valid);
    }
    assert_eq!(site.protection(), Protection::AtRisk { reason: RiskReason::NoSnapshot });
    assert_eq!(forgettable(&site.dataset(), "vault", site.now), [], "a disk may be unplugged");
    let present: Vec<Present> =
        (20..24).map(|n| Present { snapshot: id(n), of_run: None }).collect();
    for event in compare(&site.dataset(), "vault", &present, site.now, &by) {
        assert_eq!(event.kind(), "backup.snapshot-found");
        let now = site.now;
        assert_eq!(site.world.say_next("executor/h1", stream(), event, now), Mark::Valid);
    }
    assert!(matches!(site.protection(), Protection::Protected { .. }));
}

#[test]
fn a_listing_says_nothing_of_what_the_log_heard_of_after_it_began() {
    let site = four_nights();
    let by = seer("backup@2026-11-23T01:00+00:00");
    let before = at("2026-11-23T00:59:00Z");
    let gone = compare(&site.dataset(), "vault", &[], before, &by);
    assert_eq!(gone.len(), 3, "of the fourth it could not know");
}

#[test]
fn two_people_who_agreed_to_forget_and_a_hold_do_not_pass_each_other() {
    let mut site = four_nights();
    let (repository, snapshots) = ("vault".to_owned(), vec![id(22), id(23)]);
    let asked = BackupForgetRequested { repository, snapshots, reason: "x".to_owned() };
    assert_eq!(site.try_by("user/ana", &stream(), Event::from(asked)), Mark::Valid);
    let number = site.dataset().request.unwrap().number;
    let (repository, snapshot) = ("vault".to_owned(), id(23));
    let held = BackupHeld { repository, snapshot, reason: "case".to_owned(), until: None };
    assert_eq!(site.try_by("user/ana", &stream(), Event::from(held.clone())), Mark::Valid);
    let agree = BackupForgetApproved { request: number, reason: "x".to_owned() };
    let refusal = site.try_by("user/bob", &stream(), Event::from(agree.clone()));
    assert_eq!(refused(&refusal), "one of them is on hold: end that first");
    let (repository, reason) = ("vault".to_owned(), "x".to_owned());
    let ended = BackupHoldEnded { repository, snapshot: id(23), reason };
    assert_eq!(site.try_by("user/bob", &stream(), Event::from(ended)), Mark::Valid);
    assert_eq!(site.try_by("user/bob", &stream(), Event::from(agree)), Mark::Valid);
    let late = site.try_by("user/ana", &stream(), Event::from(held));
    assert_eq!(refused(&late), "two people have agreed to forget it: decline that first");
    // What the rule forgets meanwhile is not asked for any more.
    let run = "retention@request-1";
    site.request(run).until("2026-11-23T04:00:00Z").start(run);
    let policy = by_policy(&site);
    assert_eq!(site.host_says(forgotten(run, vec![id(22)], policy)), Mark::Valid);
    assert_eq!(site.dataset().request.unwrap().snapshots, [id(23)]);
}

// Choosing.

#[test]
fn a_snapshot_is_meant_by_the_first_letters_of_its_name_where_only_one_begins_so() {
    let site = four_nights();
    let dataset = site.dataset();
    let whole = id(21).to_string();
    assert_eq!(named(&dataset, None, &whole).unwrap().id, id(21));
    assert_eq!(named(&dataset, Some("vault"), &whole[..12]).unwrap().id, id(21));
    assert_eq!(named(&dataset, Some("offsite"), &whole), Err(Unclear::None));
    assert_eq!(named(&dataset, None, ""), Err(Unclear::Several));
}

#[test]
fn what_is_copied_is_good_here_and_not_good_there_and_was_not_forgotten_there() {
    let mut dataset = four_nights().dataset();
    let copy = |n: u64| Snapshot {
        repository: "offsite".to_owned(),
        id: id(100 + n),
        copy_of: Some(("vault".to_owned(), id(n))),
        ..dataset.snapshot("vault", id(n)).unwrap().clone()
    };
    let (whole, mut broken, gone) = (copy(20), copy(21), copy(22));
    broken.damaged = Some((at("01:00"), 1));
    dataset.forgotten.push(Forgotten {
        repository: gone.repository,
        id: gone.id,
        copy_of: gone.copy_of,
        at: at("01:00"),
    });
    dataset.snapshots.extend([whole, broken]);
    assert_eq!(to_copy(&dataset, "vault", "offsite"), [id(21), id(23)]);
    dataset.snapshots[3].missing = Some(at("01:00"));
    assert_eq!(to_copy(&dataset, "vault", "offsite"), [id(21)]);
}

#[test]
fn a_retention_run_has_the_rules_part_agreed_and_peoples_part_by_their_word_alone() {
    let mut dataset = four_nights().dataset();
    let now = at("2026-11-23T04:00:00Z");
    dataset.request = Some(ForgetRequest {
        number: 9,
        repository: "vault".to_owned(),
        snapshots: vec![id(22), id(23)],
        reason: "x".to_owned(),
        by: Some("user/ana".to_owned()),
        approved_by: None,
    });
    let asked = |dataset: &Dataset| {
        let all = to_forget(dataset, "vault", now);
        all.into_iter().map(|one| one.snapshots).collect::<Vec<_>>()
    };
    assert_eq!(asked(&dataset), [vec![id(20), id(21), id(22)]], "nobody has approved it");
    dataset.request.as_mut().unwrap().approved_by = Some("user/bob".to_owned());
    assert_eq!(asked(&dataset), [vec![id(20), id(21)], vec![id(22), id(23)]]);
    let reason = &to_forget(&dataset, "vault", now)[1].reason;
    assert_eq!(*reason, ForgetReason::People { request: 9 });
    assert_eq!(to_forget(&dataset, "offsite", now), []);
    // What was forgotten before and may still be there is removed with them.
    dataset.forgotten.push(Forgotten {
        repository: "vault".to_owned(),
        id: id(7),
        copy_of: None,
        at: now,
    });
    let mut removed = vec![id(7), id(20), id(21), id(22), id(23)];
    removed.sort_unstable();
    assert_eq!(to_remove(&dataset, "vault", &to_forget(&dataset, "vault", now)), removed);
}

#[test]
fn damage_is_of_what_was_named_and_of_all_that_is_good_where_nobody_knows_whose_it_is() {
    let dataset = four_nights().dataset();
    let one = |n: u64, files: u64| DamagedSnapshot { snapshot: id(n), files };
    let named = vec![one(20, 2), one(22, 1), one(99, 5)];
    let sure = damaged(&dataset, "vault", named.clone(), false);
    assert_eq!(sure, [one(22, 1), one(20, 2)], "known ones, the newest first");
    let doubt = damaged(&dataset, "vault", named, true);
    assert_eq!(doubt, [one(23, 0), one(22, 1), one(21, 0), one(20, 2)]);
    assert_eq!(damaged(&dataset, "offsite", Vec::new(), true), []);
}

#[test]
fn a_test_is_overdue_when_none_was_good_for_as_long_as_the_dataset_says() {
    let mut site = site(json!({"restore-test-every": "6h"}));
    let overdue = |site: &Site, clock| is_test_overdue(&site.dataset(), at(clock));
    assert!(!overdue(&site, "06:00"), "there has been time for one since it was defined");
    assert!(overdue(&site, "06:01"));
    site.night("backup@01:00", 1).begin("restore-test@06:00");
    let tested: RestoreTested = body("restore.tested", |event| {
        if let BackupEvent::RestoreTested(e) = event { Some(e) } else { None }
    });
    let by = seer("restore-test@06:00");
    let bad = RestoreTested { by, snapshot: id(1), good: false, ..tested };
    let good = Seer { engine: "another".to_owned(), ..bad.by.clone() };
    let good = RestoreTested { by: good, good: true, ..bad.clone() };
    assert_eq!(site.host_says(bad), Mark::Valid);
    assert!(overdue(&site, "06:01"), "one that failed proves nothing");
    assert_eq!(site.host_says(good), Mark::Valid);
    assert!(!overdue(&site, "12:00"));
    assert!(overdue(&site, "12:01"));
    assert!(
        !is_test_overdue(&self::site(json!({})).dataset(), at("23:00")),
        "nobody asked for one"
    );
}

#[test]
fn of_a_repository_an_attempt_says_what_it_did_once_and_the_next_one_too() {
    let pruned = |attempt| {
        let by = Seer { attempt, ..seer("prune@05:00") };
        let body = BackupPruned { by, packs_removed: 1, packs_rewritten: 0, freed: 9 };
        BackupEvent::BackupPruned(body)
    };
    let repository = Repository::new("vault");
    assert!(!repository.knows(&pruned(1)));
    let repository = repository.evolve(&pruned(1), at("05:01"));
    assert!(repository.knows(&pruned(1)) && !repository.knows(&pruned(2)));
}

// Retention.

fn snapshot(n: u64, at: Timestamp) -> Snapshot {
    let mut dataset = Dataset::new("payroll");
    let event = BackupSnapshotCreated { snapshot: id(n), began: at, ..created_body() };
    let told =
        domain::backup::record::Told { version: 1, received: at, actor: None, asked_by: None };
    dataset = dataset.evolve(&BackupEvent::BackupSnapshotCreated(event), told);
    Snapshot { tags: Vec::new(), ..dataset.snapshots.remove(0) }
}

/// One snapshot a day at 02:30 UTC, the last on 2026-11-20.
fn days(count: i64) -> Vec<Snapshot> {
    let last = at("02:30");
    (0..count)
        .rev()
        .map(|back| {
            snapshot(u64::try_from(back).unwrap(), last - SignedDuration::from_hours(24 * back))
        })
        .collect()
}

fn rule(says: Value) -> RetentionRule {
    serde_json::from_value(says).unwrap()
}

/// The days that are kept.
fn kept(rule: &RetentionRule, all: &[Snapshot], now: Timestamp) -> Vec<String> {
    let verdicts = plan(rule, &TimeZone::UTC, all.iter(), now);
    let kept = verdicts.iter().filter(|one| one.keep);
    kept.map(|one| one.at.to_zoned(TimeZone::UTC).date().to_string()).collect()
}

#[test]
fn a_rule_keeps_the_newest_of_each_stretch() {
    let all = days(800);
    let table = [
        (json!({"last": 2}), vec!["2026-11-20", "2026-11-19"]),
        (json!({"daily": 3}), vec!["2026-11-20", "2026-11-19", "2026-11-18"]),
        // Weeks end on Sunday: the 15th and the 8th.
        (json!({"weekly": 3}), vec!["2026-11-20", "2026-11-15", "2026-11-08"]),
        (json!({"monthly": 3}), vec!["2026-11-20", "2026-10-31", "2026-09-30"]),
        (json!({"yearly": 9}), vec!["2026-11-20", "2025-12-31", "2024-12-31"]),
        (json!({"within": "49h"}), vec!["2026-11-20", "2026-11-19", "2026-11-18"]),
        (json!({"daily": 2, "monthly": 2}), vec!["2026-11-20", "2026-11-19", "2026-10-31"]),
        (json!({"last": 1, "minimum": 3}), vec!["2026-11-20", "2026-11-19", "2026-11-18"]),
        // An old one that a tag keeps does not stand for what is there today.
        (json!({"tags": ["none"]}), vec!["2026-11-20"]),
    ];
    for (says, wanted) in table {
        assert_eq!(kept(&rule(says.clone()), &all, at("03:00")), wanted, "{says}");
    }
    assert_eq!(kept(&rule(json!({})), &all, at("03:00")).len(), 800, "without a rule, all");
}

#[test]
fn every_verdict_has_a_reason() {
    let all = days(40);
    let verdicts =
        plan(&rule(json!({"daily": 2, "weekly": 1})), &TimeZone::UTC, all.iter(), at("03:00"));
    assert_eq!(verdicts[0].reasons, ["daily 1 of 2: 2026-11-20", "weekly 1 of 1: 2026-W47"]);
    assert_eq!(verdicts[1].reasons, ["daily 2 of 2: 2026-11-19"]);
    assert_eq!(verdicts[2].reasons, ["no part of the rule keeps it"]);
    assert!(verdicts.iter().all(|one| !one.reasons.is_empty()));
}

#[test]
fn hours_and_days_are_those_of_the_datasets_zone() {
    let zone = TimeZone::get("America/New_York").unwrap();
    // 04:30 UTC is still the day before in New York.
    let all = [snapshot(1, at("04:30")), snapshot(2, at("05:30"))];
    let verdicts = plan(&rule(json!({"daily": 9})), &zone, all.iter(), at("06:00"));
    let days: Vec<&str> = verdicts.iter().map(|one| one.reasons[0].as_str()).collect();
    assert_eq!(days, ["daily 1 of 9: 2026-11-20", "daily 2 of 9: 2026-11-19"]);
    // One o'clock comes twice when the clocks go back: two hours.
    let all = [snapshot(1, at("2026-11-01T05:30:00Z")), snapshot(2, at("2026-11-01T06:30:00Z"))];
    let verdicts = plan(&rule(json!({"hourly": 9})), &zone, all.iter(), at("06:00"));
    assert_eq!(verdicts.iter().filter(|one| one.keep).count(), 2);
}

#[test]
fn garbage_that_is_dated_back_pushes_no_good_snapshot_out() {
    let mut all = days(30);
    let before = kept(&rule(json!({"daily": 7, "weekly": 4})), &all, at("03:00"));
    // An attacker with the host's key writes a hundred snapshots now, dated over the last weeks.
    let mut forged = Vec::new();
    for n in 0..100 {
        let mut dataset = Dataset::new("payroll");
        let began = at("02:45") - SignedDuration::from_hours(7 * n);
        let snapshot = id(10_000 + u64::try_from(n).unwrap());
        let event = BackupSnapshotCreated { snapshot, began, ..created_body() };
        let received = at("02:50") + SignedDuration::from_millis(n);
        let told =
            domain::backup::record::Told { version: 1, received, actor: None, asked_by: None };
        dataset = dataset.evolve(&BackupEvent::BackupSnapshotCreated(event), told);
        forged.push(dataset.snapshots.remove(0));
    }
    all.extend(forged);
    let after = kept(&rule(json!({"daily": 7, "weekly": 4})), &all, at("03:00"));
    // Of the day of the attack the newest is kept, whoever wrote it; of every other day the same as before.
    assert_eq!(before[1..], after[1..]);
}

#[test]
fn what_is_incomplete_or_damaged_counts_for_nothing_and_is_not_lost_by_rule_before_its_time() {
    let mut all = days(3);
    all[2].errors = 1;
    let table = rule(json!({"last": 1}));
    assert_eq!(kept(&table, &all, at("03:00")), ["2026-11-20", "2026-11-19"]);
    let verdicts = plan(&table, &TimeZone::UTC, all.iter(), at("03:00"));
    assert_eq!(verdicts[0].reasons, ["incomplete, and no complete one is newer"]);
    all[2].errors = 0;
    all[1].errors = 1;
    assert_eq!(kept(&table, &all, at("03:00")), ["2026-11-20"]);
    all[1].errors = 0;
    all[2].damaged = Some((at("02:40"), 4));
    assert_eq!(kept(&table, &all, at("03:00")), ["2026-11-20", "2026-11-19"]);
}

#[test]
fn whatever_a_rule_says_as_many_good_snapshots_as_its_minimum_are_left() {
    let all = days(10);
    for minimum in 1..=10_u32 {
        for says in [json!({"within": "1h"}), json!({"tags": ["none"]}), json!({"last": 1})] {
            let mut says = says.clone();
            says["minimum"] = json!(minimum);
            let left = kept(&rule(says.clone()), &all, at("2030-01-01T00:00:00Z")).len();
            assert!(left >= minimum as usize, "{says}: {left}");
        }
    }
}

#[test]
fn a_rule_applied_every_day_for_a_year_keeps_the_generations_it_names() {
    let table = rule(json!({"daily": 7, "weekly": 5, "monthly": 12, "yearly": 3}));
    let first = snapshot(0, at("2025-01-01T02:30:00Z"));
    let to_come: Vec<Timestamp> = (1..=730)
        .map(|day| at("2025-01-01T02:30:00Z") + SignedDuration::from_hours(24 * day))
        .collect();
    let on = *to_come.last().unwrap();
    let verdicts = ahead(&table, &TimeZone::UTC, &[&first], &to_come, on);
    let all: Vec<Snapshot> = std::iter::once(first)
        .chain(to_come.iter().map(|at| snapshot(u64::try_from(at.as_second()).unwrap(), *at)))
        .collect();
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date().to_string();
    let daily: Vec<String> = verdicts.iter().filter(|v| v.keep).map(|v| day(v.at)).collect();
    assert_eq!(
        daily,
        kept(&table, &all, on),
        "forgetting day by day loses nothing that is kept at the end"
    );
    assert_eq!(daily.first().map(String::as_str), Some("2027-01-01"));
    assert!(daily.contains(&"2025-12-31".to_owned()), "the year before");
    assert!((20..=25).contains(&daily.len()), "{daily:?}");
}

// Anomalies.

#[test]
fn a_snapshot_is_unusual_by_its_numbers_against_those_before_it() {
    let usual = Measure {
        files: 100,
        bytes: 100 << 20,
        added: 2 << 20,
        stored: 1 << 20,
        changed: 9,
        took_ms: 1,
    };
    let mut dataset = Dataset::new("payroll");
    for day in 1..=10 {
        let received = at("02:30") - SignedDuration::from_hours(24 * (11 - day));
        let snapshot = id(u64::try_from(day).unwrap());
        let event = BackupSnapshotCreated { snapshot, measure: usual, ..created_body() };
        let told =
            domain::backup::record::Told { version: 1, received, actor: None, asked_by: None };
        dataset = dataset.evolve(&BackupEvent::BackupSnapshotCreated(event), told);
    }
    let found = |measure: Measure| {
        let all = unusual(&measure, at("02:30"), "vault", &dataset.sizes);
        all.into_iter().map(|one| (one.what, one.value, one.usual)).collect::<Vec<_>>()
    };
    assert_eq!(found(usual), []);
    let shrunk = Measure { bytes: 40 << 20, ..usual };
    assert_eq!(found(shrunk), [(Unusual::Shrunk, 40 << 20, 100 << 20)]);
    // Everything was rewritten and cannot be compressed: as ransomware does.
    let encrypted = Measure { added: 95 << 20, stored: 95 << 20, ..usual };
    let wanted = [(Unusual::ChangeRate, 950, 20), (Unusual::Entropy, 1000, 500)];
    assert_eq!(found(encrypted), wanted);
    assert_eq!(unusual(&shrunk, at("02:30"), "offsite", &dataset.sizes), [], "another repository");
}

#[test]
fn what_is_unusual_is_said_of_a_known_snapshot_once() {
    let mut site = four_nights();
    let event = BackupAnomalyFound {
        by: seer("backup@2026-11-23T01:00+00:00"),
        repository: "vault".to_owned(),
        snapshot: id(23),
        what: Unusual::Shrunk,
        value: 1,
        usual: 2,
        of: 9,
    };
    assert_eq!(site.host_says(event.clone()), Mark::Valid);
    assert_eq!(refused(&site.host_says(event.clone())), "the log knows this already");
    let unknown = BackupAnomalyFound { snapshot: id(77), ..event };
    assert_eq!(refused(&site.host_says(unknown)), "the log knows this already");
}

#[test]
fn a_sample_is_chosen_by_the_heads_root_and_by_nobody() {
    let root = Digest::of(b"head");
    let chosen = sample(&root, 10_000, 20);
    assert_eq!(chosen.len(), 20);
    assert!(chosen.windows(2).all(|two| two[0] < two[1]));
    assert_eq!(chosen, sample(&root, 10_000, 20), "anybody can choose again");
    assert_ne!(chosen, sample(&Digest::of(b"next"), 10_000, 20));
    assert_eq!(sample(&root, 3, 20), [0, 1, 2], "where there are fewer, all");
}

// Documents.

fn problems(text: &str) -> Vec<String> {
    parse_yaml("file.yaml", text)
        .map_or_else(|errors| errors.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn a_definition_that_cannot_be_is_refused_with_what_to_write() {
    let table = [
        ("kind: dataset\nname: a\nrpo: 0s", "rpo: longer than nothing"),
        ("kind: dataset\nname: a\nrpo: 1d\ncopies: 0", "copies: 1 to 16"),
        (
            "kind: dataset\nname: a\nrpo: 1d\nretention: {last: 1, minimum: 0}",
            "the last one is never forgotten",
        ),
        ("kind: dataset\nname: a\nrpo: 1d\nzone: Mars", "is not an IANA zone"),
        ("kind: repository\nname: a\nlocation: vault\npassword: file:/p", "write an absolute path"),
        ("kind: repository\nname: a\nlocation: /v\npassword: hunter2", "reference to a secret"),
        (
            "kind: repository\nname: a\nlocation: rest:https://u:p@h/x\npassword: file:/p",
            "no password belongs here",
        ),
        ("kind: backup\nname: a", "backup: a job of kind backup says here what it does"),
        (
            "kind: backup\nname: a\nbackup: {dataset: d, repository: r}",
            "give either paths or output-of",
        ),
        (
            "kind: backup\nname: a\nbackup: {dataset: d, repository: r, paths: [x]}",
            "not an absolute path",
        ),
        (
            "kind: backup\nname: a\ncommand: {argv: [x]}\nbackup: {dataset: d, repository: r, paths: [/x]}",
            "a job of kind backup has no such section",
        ),
        (
            "name: a\ncommand: {argv: [x]}\nprune: {repository: r}",
            "a job of kind command has no such section",
        ),
        (
            "kind: backup-copy\nname: a\nbackup-copy: {dataset: d, from: r, to: r}",
            "a copy goes to another repository",
        ),
        (
            "kind: backup\nname: a\nhost: h\nschedule: {cron: '* * * * *'}\nautonomy: {lease: 1h}\nbackup: {dataset: d, repository: r, paths: [/x]}",
            "cannot run without",
        ),
        (
            "kind: backup\nname: a\nbackup: {dataset: d, repository: r, paths: [/x], tags: ['a,b']}",
            "is not a tag",
        ),
        ("name: a\ncommand: {argv: [x]}\nlocks: [repository/vault]", "is not a name"),
    ];
    for (text, wanted) in table {
        let found = problems(text).join("\n");
        assert!(found.contains(wanted), "{text}\n{found}");
    }
}

#[test]
fn a_command_job_is_written_as_it_always_was() {
    let job: JobDefinition =
        serde_json::from_value(json!({"name": "pay", "command": {"argv": ["/bin/true"]}})).unwrap();
    let text = serde_json::to_string(&job).unwrap();
    for word in ["backup", "retention", "prune", "restore"] {
        assert!(!text.contains(word), "{text}");
    }
}

#[test]
fn a_dataset_with_as_many_snapshots_as_may_be_says_what_to_do() {
    let mut dataset = site(json!({})).dataset();
    for n in 0..SNAPSHOTS_MAX {
        dataset.snapshots.push(snapshot(u64::try_from(n).unwrap(), at("01:00")));
    }
    let full = domain::backup::admit::has_room(&dataset).unwrap_err();
    assert!(full.contains("retention rule"), "{full}");
    assert!(verdicts(&dataset, "nowhere", at("01:00")).is_empty());
}

#[test]
fn two_repositories_are_not_at_one_place() {
    let repositories = |all: &[(&str, &str)]| {
        let one = |(name, location): &(&str, &str)| {
            format!("kind: repository\nname: {name}\nlocation: {location}\npassword: env:P\n")
        };
        let text: Vec<String> = all.iter().map(one).collect();
        parse_yaml("all.yaml", &text.join("---\n")).unwrap()
    };
    let known = Known {
        locations: [("vault".to_owned(), "/srv/vault".to_owned())].into(),
        ..Known::default()
    };
    let table: [(&[(&str, &str)], usize); 5] = [
        (&[("offsite", "/srv/offsite")], 0),
        (&[("vault", "/srv/vault")], 0),
        (&[("offsite", "/srv/vault/")], 1),
        (&[("vault", "/srv/elsewhere"), ("offsite", "/srv/vault")], 0),
        (&[("a", "s3:https://s/b"), ("b", "s3:https://s/b")], 1),
    ];
    for (new, wanted) in table {
        let found = planning::problems(&repositories(new), &known);
        assert_eq!(found.len(), wanted, "{found:?}");
    }
}

#[test]
fn a_repository_has_keys_of_its_storage_and_no_other_variables() {
    let problems_of = |more: &str| {
        let text = format!(
            "kind: repository\nname: a\nlocation: s3:https://s/b\npassword: env:P\n{more}\n"
        );
        parse_yaml("a.yaml", &text).map_err(|problems| format!("{problems:?}")).err()
    };
    let good = "region: eu-central-1\nsecrets: {AWS_ACCESS_KEY_ID: 'file:/k'}";
    assert_eq!(problems_of(good), None);
    for (bad, wanted) in [
        ("secrets: {HTTPS_PROXY: 'file:/k'}", "no key of a storage"),
        ("secrets: {SSL_CERT_FILE: 'file:/k'}", "no key of a storage"),
        ("region: 'eu central'", "not a region"),
    ] {
        let said = problems_of(bad).unwrap();
        assert!(said.contains(wanted), "{bad}: {said}");
    }
}
