//! What was read has a version, and what is said about it holds only as long as that stands.

use serde_json::{Value, json};

use super::{JOBS, Person, events, of_kind, stop_and_verify};
use crate::programs::Up;

const JOB: &str = "/api/v1/jobs/pay.export";

fn why(reason: &str) -> Value {
    json!({ "reason": reason })
}

fn up(dir: &tempfile::TempDir) -> Up {
    let jobs = dir.path().join("jobs.yaml");
    std::fs::write(&jobs, format!("{JOBS}---\nkind: lock\nname: line\n")).unwrap();
    Up::start(&dir.path().join("data"), &[&jobs])
}

#[test]
fn who_has_what_a_definition_is_gets_it_again_only_when_it_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::first(&up);
    for (path, retire) in [
        (JOB, "/api/v1/jobs/pay.export/retire"),
        ("/api/v1/things/lock/line", "/api/v1/things/lock/line/retire"),
    ] {
        let tag = admin.token.get(path).is(200).header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let knowing = admin.token.but("if-none-match", &tag);
        let same = knowing.get(path).is(304);
        assert_eq!((same.text.as_str(), same.header("etag")), ("", tag.as_str()));
        admin.token.post(retire, &why("it is over")).is(200);
        let other = knowing.get(path).is(200);
        assert_ne!(other.header("etag"), tag);
    }
    stop_and_verify(up);
}

#[test]
fn what_is_said_about_a_version_that_has_moved_on_is_not_said() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::first(&up);
    let tag = admin.token.get(JOB).is(200).header("etag").to_owned();
    let about = admin.token.but("if-match", &tag);
    about.post(&format!("{JOB}/pause"), &why("the bank is closed")).is(200);
    let moved = about.post(&format!("{JOB}/resume"), &why("it is open")).is(412);
    assert_eq!(moved.header("content-type"), "application/problem+json");
    assert!(moved.detail().contains("read it again"), "{}", moved.detail());
    let job = json!({"name": "pay.export", "command": {"argv": ["/bin/echo", "other"]}});
    let apply = json!({"definition": job, "reason": "other words"});
    about.post("/api/v1/jobs", &apply).is(412);
    let tag = admin.token.get(JOB).is(200).header("etag").to_owned();
    // Its proposal and its approval are two events, and both are about what was read.
    let applied = admin.token.but("if-match", &tag).post("/api/v1/jobs", &apply).is(200).json();
    assert_eq!(applied["message"], "active");
    let none = admin.token.but("if-match", "*");
    none.post("/api/v1/jobs", &json!({"definition": {"name": "new", "command": {"argv": ["/bin/true"]}}, "reason": "new"})).is(412);
    none.post(&format!("{JOB}/resume"), &why("it is open")).is(200);
    let said = events(&up, Some("job/pay.export"));
    let times = |kind: &str| of_kind(&said, kind).len();
    assert_eq!((times("job.paused"), times("job.resumed"), times("job.proposed")), (1, 1, 2));
    stop_and_verify(up);
}

#[test]
fn of_many_who_change_the_same_version_at_once_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::first(&up);
    let tag = admin.token.get(JOB).is(200).header("etag").to_owned();
    let about = admin.token.but("if-match", &tag);
    let mut got: Vec<u16> = std::thread::scope(|scope| {
        let ask = || about.post(&format!("{JOB}/pause"), &why("inventory")).status;
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    got.sort_unstable();
    assert_eq!(got, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(of_kind(&events(&up, Some("job/pay.export")), "job.paused").len(), 1);
    stop_and_verify(up);
}
