//! The command line tool and the API, against one `decklog up` or the data it leaves.

mod acting;
mod acts;
mod ahead;
mod config;
mod evidence;
mod flows;
mod hosts;
mod imports;
mod jobs;
mod occurrences;
mod persons;
mod schedules;
mod server;
mod things;
mod why;
mod zones;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::wait;
use ureq::Agent;

use crate::programs::{Up, call};

/// How long a run that does next to nothing may take from its request to its end.
const RUN: Duration = Duration::from_secs(30);

/// A directory of one test: job files, and the data of an installation.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn up(&self, jobs: &[&Path]) -> Up {
        Up::start(&self.data(), jobs)
    }
}

/// Jobs that run only when they are asked for.
const ON_REQUEST: &str = "name: says-hello\n\
    command: { argv: [/bin/echo, hello] }\n\
    ---\n\
    name: fails\n\
    command: { script: 'echo before; exit 3' }\n\
    ---\n\
    name: long\n\
    command: { argv: [/bin/sleep, '300'] }\n";

/// Says something to the API, or asks it where there is no body; the status, the kind and the content of its answer.
fn api(up: &Up, path: &str, body: Option<&Value>) -> (u16, String, Value) {
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let token = std::fs::read_to_string(up.data.join("console.token")).unwrap();
    let (address, token) = (format!("{}{path}", up.server), format!("Bearer {token}"));
    let answer = match body {
        None => agent.get(address).header("authorization", token).call(),
        Some(body) => {
            let call = agent.post(address).header("authorization", token);
            call.header("content-type", "application/json").send(body.to_string())
        }
    };
    let mut answer = answer.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), kind, serde_json::from_str(&text).unwrap())
}

/// Waits until a run stands in this state; returns it as `run-show` prints it.
#[track_caller]
fn wait_for_state(data: &Path, run: &str, state: &str) -> serde_json::Value {
    let mut shown = serde_json::Value::Null;
    let seen = wait::until(&format!("{run} to be {state}"), RUN, || {
        shown = call(data, &["runs", "-o", "json"]).ended(0).json();
        let rows = shown.as_array().unwrap();
        rows.iter().any(|row| row["run"] == run && row["state"] == state)
    });
    seen.unwrap_or_else(|error| panic!("{error}: {shown:#}"));
    call(data, &["run-show", run, "-o", "json"]).ended(0).json()
}
