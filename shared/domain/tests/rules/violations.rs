//! What breaks a control is planted, by leaving out or adding what a log that holds its rules would not, and found by its name.

use domain::canonical::Digest;
use domain::controls::ControlSettings;
use domain::envelope::Envelope;
use domain::event::{
    BackupCheckFailed, BackupForgetApproved, BackupLookedInto, BackupSnapshotCreated,
    BackupSnapshotFound, BackupSnapshotMissing, BackupVerified, Disposition, EraseReason, Event,
    ForgetReason, HostStarted, LogExported, LogPolicySet, Looking, PrintCancelled, PrintErased,
    ReviewNoted,
};
use domain::ids::StreamId;
use domain::ledger::Mark;
use serde_json::json;

use crate::backups::{
    asked_to_forget, by_policy, copied, created, forgotten, four_nights, id, seer, site as saving,
    stream,
};
use crate::controls::{exceptions, of_events, one, strict};
use crate::given::{World, at, golden, later};
use crate::prints::states::{delivered, undelivered};
use crate::prints::{Office, it, why};
use crate::records;
use crate::site::{Site, run_id};

/// What becomes of the controls of a world, where nothing is too young to be an exception.
fn strictly(
    world: &World,
    lets: impl Fn(&Envelope, &Event) -> bool,
) -> Vec<domain::controls::Outcome> {
    of_events(world, &strict(), lets)
}

fn found(world: &World, control: &str) -> Vec<String> {
    exceptions(&strictly(world, |_, _| true), control)
}

/// The same without these kinds of event.
fn without(world: &World, kinds: &[&str], control: &str) -> Vec<String> {
    exceptions(&strictly(world, |_, event| !kinds.contains(&event.kind())), control)
}

const NONE: [String; 0] = [];

/// The job `post` waits for the job `pay`, both at two.
fn chain() -> Site {
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}}));
    site.apply(json!({"name": "post", "schedule": {"cron": "0 2 * * *"}, "after": ["pay"]}));
    site.until("02:00").start("pay@02:00").until("02:30").end("pay@02:00", 0);
    site.until("02:31").start("post@02:00").end("post@02:00", 0);
    site
}

#[test]
fn a_run_that_starts_before_what_it_waits_for_has_ended_is_out_of_order() {
    let site = chain();
    assert_eq!(found(&site.world, "JS-05"), NONE);
    assert_eq!(one(&strictly(&site.world, |_, _| true), "JS-05").population.len(), 2);
    let post = "run/post@2026-11-20T02:00+00:00";
    assert_eq!(
        without(&site.world, &["run.cleared"], "JS-05"),
        [format!("{post}: nothing says that what it waits for had ended")]
    );
    let pay = run_id("pay@02:00");
    let early = strictly(&site.world, |envelope, event| {
        event.kind() != "run.succeeded" || envelope.subject != pay
    });
    let why = "run/pay@2026-11-20T02:00+00:00, for which it waits, had not ended";
    assert_eq!(exceptions(&early, "JS-05"), [format!("{post}: {why}")]);
}

#[test]
fn who_lets_a_run_go_whatever_it_waits_for_is_named_and_no_exception() {
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}}));
    site.apply(json!({"name": "post", "schedule": {"cron": "0 2 * * *"}, "after": ["pay"]}));
    site.until("02:10").override_it("post@02:00").start("post@02:00");
    let all = strictly(&site.world, |_, _| true);
    assert_eq!(exceptions(&all, "JS-05"), NONE);
    let note = one(&all, "JS-05").population[0].note.clone();
    assert_eq!(note.as_deref(), Some("user/ana let it go, whatever it waited for"));
}

#[test]
fn two_runs_of_a_job_at_once_are_out_of_order_and_one_after_the_other_are_not() {
    let mut site = Site::new();
    site.apply(
        json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "retry": {"delays": ["1m"]}}),
    );
    site.until("01:00").start("pay@01:00").end("pay@01:00", 1);
    site.until("01:01").start("pay@01:00").end("pay@01:00", 0);
    site.until("02:00").start("pay@02:00").end("pay@02:00", 0);
    assert_eq!(found(&site.world, "JS-05"), NONE);
    let runs = one(&strictly(&site.world, |_, _| true), "JS-05").population.len();
    assert_eq!(runs, 2, "a run that is tried again has started once");
    let second = "run/pay@2026-11-20T02:00+00:00: run/pay@2026-11-20T01:00+00:00 of the same job had not ended";
    let first = run_id("pay@01:00");
    let open = strictly(&site.world, |envelope, event| {
        event.kind() != "run.succeeded" || envelope.subject != first
    });
    assert_eq!(exceptions(&open, "JS-05"), [second]);
}

#[test]
fn a_limit_that_was_missed_is_an_exception_unless_an_incident_tells_of_it() {
    let mut site = Site::new();
    let sla = json!({"start-by": "10m", "finish-by": "20m"});
    let level = json!({"tell": [{"contact": "ana"}], "wait": "10m"});
    site.apply(json!({"kind": "call-tree", "name": "default", "levels": [level]}));
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "sla": sla}));
    site.until("02:05").start("pay@02:00").until("02:40").end("pay@02:00", 0).until("03:00");
    let all = strictly(&site.world, |_, _| true);
    let item = one(&all, "JS-06").population[0].clone();
    let late = "it had not ended by its limit";
    assert_eq!(
        (item.exception, item.note),
        (None, Some(format!("{late}; an incident tells of it")))
    );
    let pay = "run/pay@2026-11-20T02:00+00:00";
    assert_eq!(
        without(&site.world, &["incident.opened"], "JS-06"),
        [format!("{pay}: {late}, and no incident tells of it")]
    );
    assert_eq!(
        without(&site.world, &["run.late"], "JS-06"),
        [format!("{pay}: {late} (2026-11-20T02:20:00Z), and the log does not say so")]
    );
    let mut good = Site::new();
    good.apply(
        json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "sla": {"finish-by": "20m"}}),
    );
    good.until("02:05").start("pay@02:00").until("02:10").end("pay@02:00", 0).until("03:00");
    assert_eq!(found(&good.world, "JS-06"), NONE);
    assert_eq!(one(&strictly(&good.world, |_, _| true), "JS-06").population.len(), 1);
}

#[test]
fn programs_that_nobody_has_named_run_no_jobs_and_without_names_that_is_not_tested() {
    let mut site = Site::new();
    let Event::HostEvent(domain::event::HostEvent::HostStarted(started)) = golden("host.started")
    else {
        panic!("host.started")
    };
    for (name, program) in [("h2", Some(Digest::of(b"ours"))), ("h3", Some(Digest::of(b"theirs")))]
    {
        site.host(name, &["default"], &[]);
        let event = HostStarted { program, ..started.clone() };
        let now = site.now;
        let mark =
            site.world.say_next(&format!("executor/{name}"), StreamId::host(name), event, now);
        assert_eq!(mark, Mark::Valid);
    }
    let untested = one(&strictly(&site.world, |_, _| true), "CM-04").untested.clone();
    assert!(untested.unwrap().contains("`programs`"));
    let settings = ControlSettings { programs: vec![Digest::of(b"ours")], ..strict() };
    let all = of_events(&site.world, &settings, |_, _| true);
    let unnamed = "it does not say which program it runs";
    let theirs = format!("it runs the program {}, which is not approved", Digest::of(b"theirs"));
    let said = exceptions(&all, "CM-04");
    assert_eq!(
        said,
        [
            format!("host/h1: {unnamed}"),
            format!("host/h2: {unnamed}"),
            format!("host/h3: {unnamed}"),
            format!("host/h3: {theirs}"),
        ]
    );
    assert_eq!(one(&all, "CM-04").population.len(), 5);
}

#[test]
fn what_is_protected_is_read_by_somebody_and_who_takes_evidence_away_is_named() {
    let mut site = saving(json!({}));
    site.night("backup@01:00", 1);
    let looked = BackupLookedInto {
        repository: "vault".to_owned(),
        snapshots: vec![id(1)],
        how: Looking::Browse,
        host: "h1".to_owned(),
        names: 7,
    };
    assert_eq!(site.try_by("user/ana", &stream(), Event::from(looked)), Mark::Valid);
    let exported = LogExported {
        size: 3,
        control: None,
        root: Digest::of(b"root"),
        from: at("00:00"),
        until: at("01:00"),
        file: Digest::of(b"file"),
        bytes: 9,
    };
    let (now, exports) = (site.now, StreamId::exports());
    let part =
        |control: &str| LogExported { control: Some(control.to_owned()), ..exported.clone() };
    let refused = site.world.say_by("user/ana", exports.clone(), part("no control"), now);
    assert!(
        matches!(&refused, Mark::Refused { reason } if reason.contains("one control")),
        "{refused:?}"
    );
    let by_ana = site.world.say_by("user/ana", exports.clone(), exported.clone(), now);
    assert_eq!(by_ana, Mark::Valid);
    let all = strictly(&site.world, |_, _| true);
    let notes: Vec<_> =
        one(&all, "AC-04").population.iter().map(|item| item.note.clone()).collect();
    let of = |text: &str| Some(text.to_owned());
    assert_eq!(notes, [of("names of files in snapshots"), of("evidence")]);
    assert_eq!(exceptions(&all, "AC-04"), NONE);
    let by_nobody = site.world.say_next("console/c1", exports, exported, now);
    assert_eq!(by_nobody, Mark::Valid);
    assert_eq!(found(&site.world, "AC-04"), ["log/exports: evidence: nobody is named"]);
}

#[test]
fn a_backup_that_failed_is_put_right_by_a_good_one_or_by_somebodys_word() {
    let mut site = saving(json!({}));
    site.begin("backup@01:00").end("backup@01:00", 1).until("02:00");
    let failed = "run/backup@2026-11-20T01:00+00:00: no good snapshot was made there since";
    assert_eq!(found(&site.world, "BK-02"), [failed]);
    let note = ReviewNoted {
        run: run_id("backup@01:00"),
        disposition: Disposition::Note {},
        note: "the disk was full".to_owned(),
    };
    let now = site.now;
    assert_eq!(site.world.say_by("user/ana", domain::review::stream(), note, now), Mark::Valid);
    assert_eq!(found(&site.world, "BK-02"), NONE);
}

#[test]
fn a_backup_that_is_tried_again_has_failed_by_its_last_try_alone() {
    let mut site = Site::new();
    site.apply(json!({"kind": "dataset", "name": "payroll", "rpo": "26h"}));
    let location = json!({"kind": "repository", "name": "vault", "location": "/srv/vault", "password": "file:/etc/vault"});
    let work = json!({"dataset": "payroll", "repository": "vault", "paths": ["/srv/pay"]});
    site.apply(location).apply(json!({
        "name": "backup", "kind": "backup", "backup": work,
        "schedule": {"cron": "0 1 * * *"}, "retry": {"delays": ["1m"]},
    }));
    site.begin("backup@01:00").end("backup@01:00", 1).until("01:01");
    site.start("backup@01:00").end("backup@01:00", 1).until("02:00").request("backup@request-1");
    let all = strictly(&site.world, |_, _| true);
    assert_eq!(one(&all, "BK-02").population.len(), 1, "{:?}", one(&all, "BK-02").population);
}

#[test]
fn an_incomplete_snapshot_and_damage_are_failures_until_something_good_follows() {
    let mut site = saving(json!({}));
    site.begin("backup@01:00");
    let partly = BackupSnapshotCreated { errors: 3, ..created(&site, "backup@01:00", 1) };
    assert_eq!(site.host_says(partly), Mark::Valid);
    site.end("backup@01:00", 0).until("02:00");
    let short = id(1).short();
    let why = "no good snapshot was made there since";
    assert_eq!(found(&site.world, "BK-02"), [format!("dataset/payroll vault:{short}: {why}")]);
    site.begin("backup-check@03:00");
    let damage = BackupCheckFailed {
        by: seer("backup-check@03:00"),
        repository: "vault".to_owned(),
        packs: 1,
        damaged: vec![],
    };
    assert_eq!(site.host_says(damage), Mark::Valid);
    site.end("backup-check@03:00", 1).until("04:00");
    let check = "dataset/payroll vault: check: nothing was read again and found whole since";
    assert_eq!(found(&site.world, "BK-02")[1..], [check]);
    let next = "backup@2026-11-21T01:00+00:00";
    site.until("2026-11-21T01:00:00Z").start(next);
    let event = created(&site, next, 2);
    assert_eq!(site.host_says(event), Mark::Valid);
    site.end(next, 0);
    assert_eq!(found(&site.world, "BK-02"), [check]);
    let again = "backup-check@2026-11-21T03:00+00:00";
    site.until("2026-11-21T03:00:00Z").start(again);
    let whole = BackupVerified {
        by: domain::event::Seer { run: run_id(again), ..seer("backup-check@03:00") },
        repository: "vault".to_owned(),
        snapshots: 2,
        packs: 3,
        bytes: 100,
        part: 1,
        of: 1,
    };
    assert_eq!(site.host_says(whole), Mark::Valid);
    assert_eq!(found(&site.world, "BK-02"), NONE);
}

#[test]
fn what_is_to_stand_in_two_repositories_and_stands_in_one_is_an_exception_for_that_time() {
    let mut site = saving(json!({"copies": 2, "rpo": "26h"}));
    site.night("backup@01:00", 1).begin("backup-copy@02:00");
    assert_eq!(site.host_says(copied()), Mark::Valid);
    site.end("backup-copy@02:00", 0);
    for night in [2, 3_u64] {
        let run = format!("backup@2026-11-2{}T01:00+00:00", night - 1);
        site.until(&format!("2026-11-2{}T01:00:00Z", night - 1)).start(&run);
        let event = created(&site, &run, night);
        assert_eq!(site.host_says(event), Mark::Valid);
        site.end(&run, 0);
    }
    // The copy is as old as its original: 26 hours after one o'clock it is too old.
    let why = "from 2026-11-21T03:00:00Z until 2026-11-22T01:00:00Z it stood in fewer than 2 repositories";
    assert_eq!(found(&site.world, "BK-05"), [format!("dataset/payroll: {why}")]);
    let never = without(&site.world, &["backup.copied"], "BK-05");
    let since = "from 2026-11-21T02:00:00Z until 2026-11-22T01:00:00Z it stood in fewer than 2 repositories";
    assert_eq!(
        never,
        [format!("dataset/payroll: {since}")],
        "it was to be so from the first RPO on"
    );
    let one_is_enough = saving(json!({}));
    assert!(one(&strictly(&one_is_enough.world, |_, _| true), "BK-05").population.is_empty());
}

#[test]
fn a_copy_that_is_gone_counts_no_more_and_what_was_agreed_before_holds_for_its_time() {
    let mut site = saving(json!({"copies": 2, "rpo": "6h"}));
    site.night("backup@01:00", 1).begin("backup-copy@02:00");
    assert_eq!(site.host_says(copied()), Mark::Valid);
    site.end("backup-copy@02:00", 0).begin("restore-test@06:00");
    let (by, repository) = (seer("restore-test@06:00"), "vault".to_owned());
    let missing = BackupSnapshotMissing { by, repository, snapshot: id(1) };
    assert_eq!(site.host_says(missing), Mark::Valid);
    let one_copy = json!({"kind": "dataset", "name": "payroll", "rpo": "6h"});
    site.until("06:40").apply(one_copy).until("23:00");
    let span = "from 2026-11-20T06:00:00Z until 2026-11-20T06:40:00Z";
    let why = format!("dataset/payroll: {span} it stood in fewer than 2 repositories");
    assert_eq!(found(&site.world, "BK-05"), [why]);
}

#[test]
fn a_backup_that_was_lost_and_ended_well_after_all_has_not_failed() {
    let mut site = saving(json!({}));
    site.apply(json!({"name": "pay"})).begin("backup@01:00");
    site.heard.remove("h1");
    site.until("01:30").request("pay@request-1");
    let lost = found(&site.world, "BK-02");
    assert_eq!(lost.len(), 1, "nothing is heard of it: {lost:?}");
    let event = created(&site, "backup@01:00", 1);
    assert_eq!(site.host_says(event), Mark::Valid);
    site.end("backup@01:00", 0).until("02:00");
    assert_eq!(found(&site.world, "BK-02"), NONE);
    assert!(one(&strictly(&site.world, |_, _| true), "BK-02").population.is_empty());
}

#[test]
fn snapshots_go_by_an_approved_rule_or_by_two_people() {
    let mut site = four_nights();
    let run = "retention@request-1";
    site.request(run).until("2026-11-23T04:00:00Z").start(run);
    let event = forgotten(run, vec![id(20), id(21)], by_policy(&site));
    assert_eq!(site.host_says(event), Mark::Valid);
    let asked = asked_to_forget(23);
    assert_eq!(site.try_by("user/ana", &stream(), Event::from(asked)), Mark::Valid);
    let request = site.dataset().request.unwrap().number;
    let agree = BackupForgetApproved { request, reason: "seen".to_owned() };
    assert_eq!(site.try_by("user/bob", &stream(), Event::from(agree)), Mark::Valid);
    let event = forgotten(run, vec![id(23)], ForgetReason::People { request });
    assert_eq!(site.host_says(event), Mark::Valid);
    assert_eq!(found(&site.world, "BK-06"), NONE);
    assert_eq!(one(&strictly(&site.world, |_, _| true), "BK-06").population.len(), 2);
    assert_eq!(
        without(&site.world, &["backup.forget-approved"], "BK-06"),
        [
            "dataset/payroll vault: 1 snapshots: nobody else has agreed to it, or somebody is not named"
        ]
    );
    assert_eq!(
        without(&site.world, &["dataset.approved"], "BK-06"),
        ["dataset/payroll vault: 2 snapshots: by a rule that was never approved"]
    );
}

#[test]
fn a_snapshot_that_is_gone_and_nobody_removed_is_an_exception_until_it_is_there_again() {
    let mut site = saving(json!({}));
    site.night("backup@01:00", 1).begin("backup-check@03:00");
    let missing = BackupSnapshotMissing {
        by: seer("backup-check@03:00"),
        repository: "vault".to_owned(),
        snapshot: id(1),
    };
    assert_eq!(site.host_says(missing), Mark::Valid);
    let gone = "it is not in its repository, and nothing says who removed it";
    let subject = format!("dataset/payroll vault:{}", id(1).short());
    assert_eq!(found(&site.world, "BK-06"), [format!("{subject}: {gone}")]);
    let there = BackupSnapshotFound {
        by: seer("backup-check@03:00"),
        repository: "vault".to_owned(),
        snapshot: id(1),
    };
    assert_eq!(site.host_says(there), Mark::Valid);
    assert_eq!(found(&site.world, "BK-06"), NONE);
}

#[test]
fn a_delivery_of_which_nothing_is_known_and_one_that_failed_are_exceptions() {
    let mut office = Office::new();
    office.spool("mixed").wait(2_000);
    office.says(delivered(1)).says(undelivered(2));
    let said = found(&office.world, "PR-04");
    assert_eq!(said, [format!("{}: delivery 2 of 3 failed, delivery 3 of 3 is not known", it())]);
    office.says(delivered(3));
    let retried = domain::event::PrintDeliveryRetried {
        deliveries: vec![2],
        reason: "the server is back".to_owned(),
    };
    office.does("user/ana", retried);
    assert_eq!(
        found(&office.world, "PR-04"),
        [format!("{}: delivery 2 of 3 is to be tried again", it())]
    );
    office.says(delivered(2));
    assert_eq!(found(&office.world, "PR-04"), NONE);
    assert_eq!(one(&strictly(&office.world, |_, _| true), "PR-04").population.len(), 1);
}

#[test]
fn what_is_cancelled_is_sent_to_nobody_and_no_exception() {
    let mut office = Office::new();
    office.spool("mixed").wait(2_000);
    office.says(delivered(1));
    let cancelled = PrintCancelled { reason: "the wrong month".to_owned(), impressions: None };
    office.does("user/ana", cancelled);
    let all = strictly(&office.world, |_, _| true);
    assert_eq!(exceptions(&all, "PR-04"), NONE);
    let note = one(&all, "PR-04").population[0].note.clone();
    assert_eq!(note.as_deref(), Some("cancelled: what was not sent by then is not"));
}

#[test]
fn content_that_is_lost_or_erased_before_its_time_is_an_exception() {
    let mut office = Office::new();
    office.spool("mixed").says(PrintErased { reason: EraseReason::Lost });
    assert_eq!(found(&office.world, "LG-06"), [format!("{}: its host has lost it", it())]);
    let mut office = Office::new();
    office.spool("report").print().complete(Some(10)).wait(8 * 24 * 3_600 * 1_000);
    office.says(PrintErased { reason: EraseReason::Kept });
    assert_eq!(found(&office.world, "LG-06"), NONE);
    assert_eq!(one(&strictly(&office.world, |_, _| true), "LG-06").population.len(), 1);
    let forever = strictly(&office.world, |_, event| event.kind() != "print.erased");
    assert!(one(&forever, "LG-06").population.is_empty());
    let (_, last) = office.world.feed.last_mut().map(|(_, event, at)| (event, at)).unwrap();
    *last = later(*last, -8 * 24 * 3_600 * 1_000);
    let early = found(&office.world, "LG-06");
    assert!(early[0].contains("it was to be kept until 20"), "{early:?}");
}

#[test]
fn a_redaction_by_one_person_or_of_which_a_host_says_nothing_is_an_exception() {
    let asked_and_agreed = |policy: bool, by: &str| {
        let mut office = Office::new();
        let run = office.end("report");
        let event = LogPolicySet { self_approval: policy, reason: why() };
        office.by("user/ana", &StreamId::log("main"), event);
        office.say("user/ana", records::asked(&run));
        let agreed = office.agreed(&run);
        assert_eq!(office.say(by, agreed), Mark::Valid);
        (office, run)
    };
    let (office, run) = asked_and_agreed(true, "user/ana");
    assert_eq!(found(&office.world, "LG-06"), [format!("{run}: whoever asked has agreed alone")]);

    let (mut office, run) = asked_and_agreed(false, "user/bob");
    assert_eq!(found(&office.world, "LG-06"), NONE, "a host has some time for it");
    office.wait(8 * 24 * 3_600 * 1_000);
    office.spool("other");
    let late = format!("{run}: h1 has not said in seven days that it is gone");
    assert_eq!(found(&office.world, "LG-06"), [late]);
    office.host("h1", &StreamId::records(), records::erased(&run, "h1"));
    assert_eq!(found(&office.world, "LG-06"), NONE);
    assert_eq!(one(&strictly(&office.world, |_, _| true), "LG-06").population.len(), 1);
}

#[test]
fn the_days_of_a_legal_hold_do_not_count_for_a_host_that_has_to_erase() {
    const DAY: u64 = 24 * 3_600 * 1_000;
    // Something is said, so that the log tells of the day.
    let tick = |office: &mut Office| {
        let event = LogPolicySet { self_approval: false, reason: why() };
        office.by("user/ana", &StreamId::log("main"), event);
    };
    let mut office = Office::new();
    let run = office.end("report");
    office.say("user/ana", records::asked(&run));
    let agreed = office.agreed(&run);
    assert_eq!(office.say("user/bob", agreed), Mark::Valid);
    office.wait(DAY);
    assert_eq!(office.say("user/ana", records::placed("court", &["job/*"])), Mark::Valid);
    office.wait(10 * DAY);
    tick(&mut office);
    assert_eq!(found(&office.world, "LG-06"), NONE, "a hold keeps it");
    office.say("user/ana", records::lift("court"));
    assert_eq!(office.say("user/bob", records::lifted("court")), Mark::Valid);
    office.wait(5 * DAY);
    tick(&mut office);
    assert_eq!(found(&office.world, "LG-06"), NONE, "one of its seven days was before the hold");
    office.wait(2 * DAY);
    tick(&mut office);
    let late = [format!("{run}: h1 has not said in seven days that it is gone")];
    assert_eq!(found(&office.world, "LG-06"), late);
    assert_eq!(office.say("user/ana", records::placed("again", &["job/*"])), Mark::Valid);
    office.wait(DAY);
    tick(&mut office);
    assert_eq!(found(&office.world, "LG-06"), late, "a hold that comes later hides nothing");
}

#[test]
fn positions_at_which_nothing_stands_are_told_and_the_first_event_is() {
    let mut site = Site::new();
    site.apply(json!({"name": "pay"})).until("01:00").request("pay@request-1");
    let count = site.world.feed.len();
    let all = strictly(&site.world, |_, _| true);
    assert_eq!(exceptions(&all, "LG-02"), NONE);
    let whole = &one(&all, "LG-02").population[0];
    assert_eq!(whole.subject, format!("positions 1 to {count}"));
    let first = site.world.feed[0].2;
    assert_eq!(whole.note, Some(format!("its first event was received {first}")));
    let ids: Vec<_> = site.world.feed.iter().map(|(envelope, ..)| envelope.id).collect();
    let cut = strictly(&site.world, |envelope, _| !ids[..2].contains(&envelope.id));
    assert_eq!(
        exceptions(&cut, "LG-02"),
        ["positions 1 to 2: nothing that can be read stands there"]
    );
    let hole = strictly(&site.world, |envelope, _| envelope.id != ids[2]);
    assert_eq!(exceptions(&hole, "LG-02"), ["position 3: nothing that can be read stands there"]);
}
