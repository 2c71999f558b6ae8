//! Accounts as people and programs meet them, over HTTP: who may do what, what takes two, and how somebody comes in and is
//! shut out.

mod command_line;
mod directory;
mod ends;
mod http;
mod keys;
mod login;
mod pages;
mod records;
mod repeats;
mod requests;
mod reviews;
mod roles;
mod streams;
mod two;
mod versions;

use std::path::Path;

use serde_json::{Value, json};

use crate::programs::{Up, decklog};
use http::Http;

/// A site on which two people are needed: its jobs were brought there while one was enough.
fn for_two(data: &Path, jobs: &[&Path], before: impl FnOnce(&Up)) -> Up {
    let up = Up::start(data, jobs);
    before(&up);
    up.stop();
    let alone = ["up", "--listen", "127.0.0.1:0", "--self-approval", "false"];
    Up::started(decklog(alone), data, &[])
}

/// Somebody with an account, a password, a token and a session.
struct Person {
    name: String,
    password: String,
    token: Http,
    session: Http,
}

impl Person {
    /// The first one, who has every role but that of an auditor.
    fn first(up: &Up) -> Self {
        let read = |name: &str| std::fs::read_to_string(up.data.join(name)).unwrap();
        let (password, session) = come_in(up, "admin", &read("console.code"));
        let token = Http::token(up, &read("console.token"));
        Self { name: "admin".to_owned(), password, token, session }
    }

    /// The token of the first one, which lies on this machine.
    fn token_of_first(up: &Up) -> Http {
        Http::token(up, &std::fs::read_to_string(up.data.join("console.token")).unwrap())
    }

    /// Somebody who is given these grants, comes in by a code, and makes a token.
    fn with(up: &Up, admin: &Self, name: &str, grants: &[&str]) -> Self {
        provision(admin, name, grants, false);
        let code = admin.token.post(&format!("/api/v1/users/{name}/code"), &json!({})).is(200);
        let (password, session) = come_in(up, name, code.json()["secret"].as_str().unwrap());
        let token = Http::token(up, &new_token(&session, name, &json!({"name": "scripts"})));
        Self { name: name.to_owned(), password, token, session }
    }

    /// Another session of theirs.
    fn another_session(&self, up: &Up) -> Http {
        let fields = [("name", &*self.name), ("password", &*self.password)];
        let came = Http::browser(up, "").form("/login", &fields).is(303);
        Http::browser(up, &came.cookie())
    }

    fn me(&self) -> String {
        format!("user/{}", self.name)
    }
}

/// What this admin makes of an account.
fn provision(admin: &Person, name: &str, grants: &[&str], program: bool) {
    let act = json!({"act": "provision", "grants": grants, "program": program});
    let body = json!({"act": act, "reason": "they work here"});
    admin.token.post(&format!("/api/v1/users/{name}/acts"), &body).is(200);
}

/// Comes in by a code, and sets a password; the password, and the session.
fn come_in(up: &Up, name: &str, code: &str) -> (String, Http) {
    come_in_at(&up.server, name, code)
}

/// The same at this console.
fn come_in_at(server: &str, name: &str, code: &str) -> (String, Http) {
    let browser = |cookie: &str| Http::at(server).with_cookie(cookie);
    let came = browser("").form("/login", &[("name", name), ("code", code)]).is(303);
    assert_eq!(came.header("location"), "/account?first=1");
    let first = browser(&came.cookie());
    let word = first.get("/account?first=1").is(200).word();
    let password = "correct horse battery staple".to_owned();
    let fields = [("word", &*word), ("password", &*password)];
    let set = first.form("/account/password", &fields).is(303);
    (password, browser(&set.cookie()))
}

/// A token of an account.
fn new_token(who: &Http, name: &str, wanted: &Value) -> String {
    let made = who.post(&format!("/api/v1/users/{name}/tokens"), wanted).is(200).json();
    made["secret"].as_str().unwrap().to_owned()
}

/// The events of an account, or all; not what was refused.
fn events(up: &Up, stream: Option<&str>) -> Vec<Value> {
    let mut words = vec!["events", "-o", "json"];
    words.extend(stream.iter().flat_map(|stream| ["--stream", stream]));
    let all = up.call(&words).ended(0).json();
    let valid = all.as_array().unwrap().iter().filter(|entry| entry["void"].is_null());
    valid.map(|entry| entry["event"].clone()).collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

/// Stops it, and reads the whole log again by the rules.
fn stop_and_verify(up: Up) {
    let data = up.data.clone();
    up.stop();
    crate::programs::call(&data, &["verify"]).ended(0);
}

/// Jobs of two folders and in two pools.
const JOBS: &str = "name: pay.export\n\
    command: { argv: [/bin/echo, hello] }\n\
    ---\n\
    name: stock.count\n\
    command: { argv: [/bin/echo, hello] }\n";
