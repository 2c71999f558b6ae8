//! Looking into snapshots: what is meant, which host is asked, and what the log hears of it.

use domain::backup::Dataset;
use domain::backup::admit::{Context, admit};
use domain::backup::looking::{
    HOSTS_MAX, Looked, NAMES, NAMES_MAX, Name, PATH_BYTES_MAX, Unseen, Wanted, event, hosts, look,
};
use domain::backup::record::Told;
use domain::canonical::Digest;
use domain::event::{
    BackupCopied, BackupEvent, BackupForgotten, BackupLookedInto, BackupSnapshotCreated,
    BackupSnapshotMissing, Event, ForgetReason, HostStarted, Looking,
};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::ledger::{Host, Mark, Policy};
use domain::site::ThingKind;
use jiff::Timestamp;
use serde_json::json;

use crate::given::golden;
use crate::site::{Site, refused};

fn id(n: u64) -> Digest {
    Digest::of(&n.to_be_bytes())
}

fn body(kind: &str) -> BackupEvent {
    let Event::BackupEvent(event) = golden(kind) else { panic!("{kind}") };
    event
}

fn after(dataset: Dataset, event: impl Into<BackupEvent>) -> Dataset {
    let told = Told { version: 1, received: Timestamp::UNIX_EPOCH, actor: None, asked_by: None };
    dataset.evolve(&event.into(), told)
}

fn created(host: &str, n: u64) -> BackupEvent {
    let BackupEvent::BackupSnapshotCreated(event) = body("backup.snapshot-created") else {
        unreachable!("golden")
    };
    let event = BackupSnapshotCreated {
        repository: "vault".to_owned(),
        snapshot: id(n),
        host: host.to_owned(),
        ..event
    };
    BackupEvent::BackupSnapshotCreated(event)
}

/// Snapshots 1, 2 and 3 by hosts `h1`, `h2`, `h1` in the vault; 1 is copied to `offsite` as 11; 3 has gone.
fn dataset() -> Dataset {
    let BackupEvent::BackupCopied(copied) = body("backup.copied") else { unreachable!("golden") };
    let BackupEvent::BackupSnapshotMissing(missing) = body("backup.snapshot-missing") else {
        unreachable!("golden")
    };
    let mut all = Dataset::new("payroll");
    for (host, n) in [("h1", 1), ("h2", 2), ("h1", 3)] {
        all = after(all, created(host, n));
    }
    let (from, to) = ("vault".to_owned(), "offsite".to_owned());
    let copied = BackupCopied { from, original: id(1), to, snapshot: id(11), ..copied };
    let repository = "vault".to_owned();
    let missing = BackupSnapshotMissing { repository, snapshot: id(3), ..missing };
    all = after(all, BackupEvent::BackupCopied(copied));
    after(all, BackupEvent::BackupSnapshotMissing(missing))
}

fn browse(snapshot: &str) -> Wanted {
    Wanted::Browse { snapshot: snapshot.to_owned(), path: "/srv".to_owned() }
}

fn find(pattern: &str, repository: Option<&str>) -> Wanted {
    Wanted::Find { pattern: pattern.to_owned(), repository: repository.map(str::to_owned) }
}

fn diff(a: u64, b: u64) -> Wanted {
    Wanted::Diff { a: id(a).to_string(), b: id(b).to_string() }
}

#[test]
fn what_is_meant_is_one_snapshot_that_is_there_or_it_is_said_what_is_unclear() {
    let dataset = dataset();
    let name = |n: u64| id(n).to_string();
    let table = [
        (browse(&name(1)), Ok("vault")),
        (browse(&name(1)[..12]), Ok("vault")),
        (browse(&name(11)), Ok("offsite")),
        (browse(&format!("vault:{}", &name(2)[..8])), Ok("vault")),
        (browse(&format!("offsite:{}", &name(2)[..8])), Err("there is no snapshot offsite:")),
        (browse(""), Err("several snapshots of payroll begin with")),
        (browse(&name(3)), Err("is not in vault any more")),
        (browse(&name(4)), Err("there is no snapshot")),
        (diff(1, 2), Ok("vault")),
        (diff(1, 11), Err("name two of one repository")),
        (find("*.csv", None), Ok("vault")),
        (find("*.csv", Some("offsite")), Ok("offsite")),
        (find("*.csv", Some("attic")), Err("there is no snapshot of dataset payroll in attic")),
        (find("", None), Err("name a pattern")),
        (find(&"x".repeat(PATH_BYTES_MAX + 1), None), Err("at most 4096 bytes")),
        (find("a\0b", None), Err("no zero byte")),
    ];
    for (wanted, expected) in table {
        match (look(&dataset, &wanted, NAMES), expected) {
            (Ok(look), Ok(repository)) => assert_eq!(look.repository, repository, "{wanted:?}"),
            (Err(unseen), Err(text)) => {
                assert!(unseen.to_string().contains(text), "{wanted:?}: {unseen}");
                assert!(!unseen.is_of_host(), "no other host knows better: {unseen}");
            }
            (found, _) => panic!("{wanted:?}: {found:?}"),
        }
    }
    for (limit, good) in [(0, false), (1, true), (NAMES_MAX, true), (NAMES_MAX + 1, false)] {
        assert_eq!(look(&dataset, &diff(1, 2), limit).is_ok(), good, "{limit}");
    }
}

fn host(name: &str, pool: &str, up: bool) -> Host {
    let Event::HostEvent(domain::event::HostEvent::HostStarted(started)) = golden("host.started")
    else {
        unreachable!("golden")
    };
    let started = HostStarted { pools: vec![pool.to_owned()], ..started };
    Host { name: name.to_owned(), started: Some(started), up, ..Host::default() }
}

fn job(work: serde_json::Value) -> JobDefinition {
    let mut all = json!({"name": "job"});
    all.as_object_mut().unwrap().extend(work.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[test]
fn the_host_that_wrote_a_snapshot_is_asked_first_and_then_those_whose_jobs_use_the_repository() {
    let check = job(
        json!({"kind": "backup-check", "pool": "vaults", "backup-check": {"repository": "vault"}}),
    );
    let copy = job(json!({"kind": "backup-copy", "host": "h9",
        "backup-copy": {"dataset": "payroll", "from": "vault", "to": "offsite"}}));
    let command = job(json!({"command": {"argv": ["/bin/true"]}}));
    let jobs = [check, copy, command];
    let known = [
        host("h1", "default", true),
        host("h2", "default", false),
        host("v1", "vaults", true),
        host("v2", "vaults", true),
        host("v3", "vaults", true),
        host("h9", "away", true),
    ];
    let asked = |wanted: &Wanted, known: &[Host]| {
        let dataset = dataset();
        hosts(&dataset, &look(&dataset, wanted, NAMES).unwrap(), &jobs, known)
    };
    let name = |n: u64| id(n).to_string();
    let table = [
        (browse(&name(1)), vec!["h1", "v1", "v2"]),
        // The writer of 2 is down.
        (browse(&name(2)), vec!["v1", "v2", "v3"]),
        (diff(2, 1), vec!["h1", "v1", "v2"]),
        // Whoever wrote the newest that is known.
        (find("x", None), vec!["h1", "v1", "v2"]),
        // The copy is of h1's data; h9 made it.
        (browse(&name(11)), vec!["h1", "h9"]),
    ];
    for (wanted, expected) in table {
        assert_eq!(asked(&wanted, &known), expected, "{wanted:?}");
        assert!(expected.len() <= HOSTS_MAX);
    }
    assert!(asked(&browse(&name(1)), &[]).is_empty(), "nobody is up");
}

#[test]
fn the_log_hears_that_somebody_looked_and_no_name() {
    let dataset = dataset();
    let name = Name {
        snapshot: id(1).to_string(),
        path: "/srv/secret-merger.csv".to_owned(),
        kind: "file".to_owned(),
        size: 1,
        mtime: 0,
        mode: 0o600,
        change: None,
    };
    let looked = Looked { host: "h1".to_owned(), names: vec![name; 3], ..Looked::default() };
    let table = [
        (browse(&id(1).to_string()), Looking::Browse, vec![id(1)]),
        (find("*merger*", None), Looking::Find, vec![]),
        (diff(1, 2), Looking::Diff, vec![id(1), id(2)]),
    ];
    for (wanted, how, snapshots) in table {
        let event = event(&look(&dataset, &wanted, NAMES).unwrap(), &looked);
        let expected = BackupLookedInto {
            repository: "vault".to_owned(),
            snapshots,
            how,
            host: "h1".to_owned(),
            names: 3,
        };
        assert_eq!(event, expected);
        let text = serde_json::to_string(&event).unwrap();
        assert!(!text.contains("merger") && !text.contains("/srv"), "{text}");
    }
}

#[test]
fn only_a_person_looks_and_only_into_what_the_log_knows() {
    let mut site = Site::new();
    let dataset = json!({"kind": "dataset", "name": "payroll", "rpo": "26h"});
    site.apply(dataset);
    let stream = StreamId::thing(ThingKind::Dataset, "payroll");
    let looked = |snapshots: Vec<Digest>| {
        Event::from(BackupLookedInto {
            repository: "vault".to_owned(),
            snapshots,
            how: Looking::Find,
            host: "h1".to_owned(),
            names: 0,
        })
    };
    assert_eq!(site.try_by("user/ana", &stream, looked(vec![])), Mark::Valid);
    let unknown = site.try_by("user/ana", &stream, looked(vec![id(1)]));
    assert_eq!(refused(&unknown), "not all of these snapshots are known");
    let many = site.try_by("user/ana", &stream, looked(vec![id(1), id(2), id(3)]));
    assert_eq!(refused(&many), "at most 2 snapshots in one event");
    let by_host = site.world.say_next("executor/h1", stream.clone(), looked(vec![]), site.now);
    assert!(refused(&by_host).contains("may not state backup.looked-into"));
    let nobody = site.world.say_next("console/c1", stream, looked(vec![]), site.now);
    assert_eq!(refused(&nobody), "a person looks");
}

#[test]
fn what_is_forgotten_while_somebody_looks_was_looked_into_all_the_same() {
    let BackupEvent::BackupForgotten(forgotten) = body("backup.forgotten") else {
        unreachable!("golden")
    };
    let reason = ForgetReason::People { request: 1 };
    let repository = "vault".to_owned();
    let forgotten = BackupForgotten { repository, snapshots: vec![id(1)], reason, ..forgotten };
    let dataset = after(dataset(), BackupEvent::BackupForgotten(forgotten));
    let unseen = look(&dataset, &browse(&id(1).to_string()), NAMES).unwrap_err();
    assert!(matches!(unseen, Unseen::NotThere(_)), "{unseen}");
    let event = BackupEvent::BackupLookedInto(BackupLookedInto {
        repository: "vault".to_owned(),
        snapshots: vec![id(1)],
        how: Looking::Browse,
        host: "h1".to_owned(),
        names: 1,
    });
    let source = "console/c1".parse().unwrap();
    let context = Context {
        name: "payroll",
        source: &source,
        actor: Some("user/ana"),
        run: None,
        job: None,
        policy: Policy::default(),
        received: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(admit(Some(&dataset), &event, &context), Ok(()));
}
