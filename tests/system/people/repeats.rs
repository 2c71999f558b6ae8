//! What is sent twice with one key is done once.

use serde_json::{Value, json};

use super::{JOBS, Person, events, of_kind, stop_and_verify};
use crate::programs::Up;

const PAUSE: &str = "/api/v1/jobs/pay.export/pause";
const RUNS: &str = "/api/v1/jobs/pay.export/runs";

fn up(dir: &tempfile::TempDir) -> Up {
    let jobs = dir.path().join("jobs.yaml");
    std::fs::write(&jobs, JOBS).unwrap();
    Up::start(&dir.path().join("data"), &[&jobs])
}

fn why(reason: &str) -> Value {
    json!({ "reason": reason })
}

#[test]
fn who_sends_the_same_with_the_same_key_gets_the_first_answer_and_nothing_is_said_twice() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::first(&up);
    let eve = Person::with(&up, &admin, "eve", &["operator"]);
    let keyed = admin.token.but("idempotency-key", "a key, 1");
    let first = keyed.post(PAUSE, &why("the bank is closed")).is(200);
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = keyed.post(PAUSE, &why("the bank is closed")).is(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(
        (again.text, again.head["content-type"].clone()),
        (first.text, first.head["content-type"].clone())
    );
    let job = events(&up, Some("job/pay.export"));
    assert_eq!(of_kind(&job, "job.paused").len(), 1);
    for (path, body) in [
        (PAUSE, why("another reason")),
        ("/api/v1/jobs/stock.count/pause", why("the bank is closed")),
    ] {
        let other = keyed.post(path, &body).is(422);
        assert_eq!(other.header("content-type"), "application/problem+json");
        assert!(other.detail().contains("came with another request"), "{}", other.detail());
    }
    // A refusal is an answer too; and a key of somebody else is another one.
    let eve = eve.token.but("idempotency-key", "a key, 1");
    let refused = eve.post("/api/v1/jobs/none/pause", &why("to see")).is(404);
    let again = eve.post("/api/v1/jobs/none/pause", &why("to see")).is(404);
    assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &refused.text));
    for key in ["", &"k".repeat(101), "a\u{e9}"] {
        let detail =
            admin.token.but("idempotency-key", key).post(PAUSE, &why("no")).is(400).detail();
        assert!(detail.contains("1 to 100 printable characters"), "{detail}");
    }
    admin
        .token
        .but("authorization", "Bearer none")
        .but("idempotency-key", "k")
        .post(PAUSE, &why("no"))
        .is(401);
    stop_and_verify(up);
}

#[test]
fn of_many_who_send_the_same_at_once_one_does_it_and_the_others_get_its_answer_or_wait() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let keyed = Person::first(&up).token.but("idempotency-key", "one");
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = || keyed.post("/api/v1/jobs/stock.count/pause", &why("inventory"));
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let done = keyed.post("/api/v1/jobs/stock.count/pause", &why("inventory")).is(200);
    let mut first = 0;
    for answer in answers {
        if answer.status == 409 {
            assert!(answer.detail().contains("try again"), "{}", answer.detail());
            continue;
        }
        first += usize::from(answer.header("idempotency-replayed").is_empty());
        assert_eq!(answer.is(200).text, done.text);
    }
    assert_eq!(first, 1);
    assert_eq!(of_kind(&events(&up, Some("job/stock.count")), "job.paused").len(), 1);
    stop_and_verify(up);
}

#[test]
fn a_run_asked_for_twice_with_one_key_is_one_run_even_where_the_console_started_anew_between() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let ask = |up: &Up| {
        let keyed = Person::token_of_first(up).but("idempotency-key", "tonight");
        keyed.post(RUNS, &why("the bank asked")).is(200)
    };
    let first = ask(&up).json();
    assert_eq!(ask(&up).header("idempotency-replayed"), "true");
    let data = up.data.clone();
    up.stop();
    let up = Up::start(&data, &[]);
    let after = ask(&up);
    assert_eq!(after.header("idempotency-replayed"), "", "the key is forgotten");
    assert_eq!(after.json()["stream"], first["stream"]);
    assert_eq!(after.json()["message"], "nothing to change");
    assert_eq!(of_kind(&events(&up, None), "run.requested").len(), 1);
    stop_and_verify(up);
}
