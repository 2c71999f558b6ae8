//! The log, followed as it grows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::wait;

use super::http::Http;
use super::{JOBS, Person, new_token, stop_and_verify};
use crate::programs::Up;

const STREAM: &str = "/api/v1/events/stream";
const JOB: &str = "/api/v1/events/stream?stream=job/pay.export";

/// Somebody who reads a stream.
struct Reader(BufReader<Box<dyn std::io::Read + Send>>);

impl Reader {
    #[track_caller]
    fn open(who: &Http, path: &str) -> Self {
        let answer = who.open(path);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self(BufReader::new(Box::new(answer.into_body().into_reader())))
    }

    /// The next event: its position and what it is.
    #[track_caller]
    fn next(&mut self) -> (u64, Value) {
        let mut id = None;
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "it has ended");
            match line.trim_end().split_once(": ") {
                Some(("id", position)) => id = Some(position.parse().unwrap()),
                Some(("data", data)) => return (id.unwrap(), serde_json::from_str(data).unwrap()),
                _ => {}
            }
        }
    }

    /// The next of this kind.
    #[track_caller]
    fn until(&mut self, kind: &str) -> (u64, Value) {
        loop {
            let (position, entry) = self.next();
            if entry["event"]["type"] == kind {
                return (position, entry);
            }
        }
    }

    /// Reads until it ends in order.
    #[track_caller]
    fn ends(mut self) {
        self.0.read_to_end(&mut Vec::new()).unwrap();
    }
}

fn up(dir: &tempfile::TempDir) -> Up {
    let jobs = dir.path().join("jobs.yaml");
    std::fs::write(&jobs, JOBS).unwrap();
    Up::start(&dir.path().join("data"), &[&jobs])
}

#[test]
fn events_come_as_they_are_committed_and_go_on_behind_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::token_of_first(&up);
    let mut reader = Reader::open(&admin, JOB);
    let (proposed, _) = reader.until("job.proposed");
    reader.until("job.approved");
    let set = |act: &str| {
        let path = format!("/api/v1/jobs/pay.export/{act}");
        let set = admin.post(&path, &json!({"reason": "the bank says so"}));
        set.is(200).json()["position"].as_u64().unwrap()
    };
    let position = set("pause");
    let (seen, entry) = reader.next();
    assert_eq!((seen, &entry["event"]["type"]), (position, &json!("job.paused")));
    let listed = admin.get(&format!("/api/v1/events?after={}&limit=1", position - 1)).is(200);
    assert_eq!(listed.json()["items"][0], entry);
    let back = admin.but("last-event-id", &proposed.to_string());
    let mut again = Reader::open(&back, &format!("{JOB}&after=0"));
    assert_eq!(again.next().1["event"]["type"], "job.approved");
    let mut new = Reader::open(&admin, &format!("{STREAM}?after={position}"));
    let later = set("resume");
    let mut positions = vec![new.next().0];
    while positions.last() != Some(&later) {
        positions.push(new.next().0);
    }
    let all: Vec<u64> = (position + 1..=later).collect();
    assert_eq!(positions, all, "without a gap");
    admin.but("last-event-id", "no").get(STREAM).is(400);
    admin.get(&format!("{STREAM}?stream=no")).is(400);
    Http::nobody(&up).get(STREAM).is(401);
    stop_and_verify(up);
}

#[test]
fn a_stream_ends_when_its_account_may_not_look_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::first(&up);
    let eve = Person::with(&up, &admin, "eve", &["viewer"]);
    let other = Http::token(&up, &new_token(&eve.session, "eve", &json!({"name": "other"})));
    let (mut by_token, mut by_other) =
        (Reader::open(&eve.token, STREAM), Reader::open(&other, STREAM));
    let mut by_session = Reader::open(&eve.session, STREAM);
    for reader in [&mut by_token, &mut by_other, &mut by_session] {
        reader.next();
    }
    let act = |act: Value| {
        let body = json!({"act": act, "reason": "it is over"});
        admin.token.post("/api/v1/users/eve/acts", &body).is(200);
    };
    act(json!({"act": "revoke-token", "name": "scripts"}));
    by_token.ends();
    by_other.until("user.token-revoked");
    act(json!({"act": "remove"}));
    by_other.ends();
    by_session.ends();
    stop_and_verify(up);
}

#[test]
fn an_account_has_so_many_streams_and_who_leaves_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let admin = Person::token_of_first(&up);
    let mut open: Vec<Reader> = (0..8).map(|_| Reader::open(&admin, STREAM)).collect();
    let full = admin.get(STREAM).is(429);
    assert_eq!(full.header("content-type"), "application/problem+json");
    assert!(full.detail().contains("end one of yours"), "{}", full.detail());
    open.pop();
    let free = || admin.open(STREAM).status() == 200;
    wait::until("a place to be free", Duration::from_secs(30), free).unwrap();
    stop_and_verify(up);
}

#[test]
fn a_console_that_is_told_to_stop_ends_its_streams_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(&dir);
    let mut reader = Reader::open(&Person::token_of_first(&up), STREAM);
    reader.next();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| reader.ends());
        stop_and_verify(up);
        reading.join().unwrap();
    });
}
