//! Requests as programs and browsers send them, and what comes back, headers and all.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body};

use crate::programs::Up;

/// What somebody got.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    /// The same, if it has this status.
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// What a problem says.
    #[track_caller]
    pub(super) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.head.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie that the answer sets, as it is sent back.
    #[track_caller]
    pub(super) fn cookie(&self) -> String {
        let set = self.header("set-cookie");
        assert!(!set.is_empty(), "{self:?}");
        set.split(';').next().unwrap().to_owned()
    }

    /// The word that the forms of a page carry.
    #[track_caller]
    pub(super) fn word(&self) -> String {
        let rest = self.text.split_once("name=\"word\" value=\"").map(|(_, rest)| rest);
        let rest = rest.unwrap_or_else(|| panic!("no word in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

fn agent(limit: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        // Who is refused before everything was read finds the line closed.
        .max_idle_connections(0)
        .timeout_global(Some(limit));
    config.build().into()
}

/// Somebody who asks, by what they come in with.
#[derive(Clone)]
pub(super) struct Http {
    agent: Agent,
    server: String,
    with: Vec<(&'static str, String)>,
}

impl Http {
    /// Somebody whom nobody knows.
    pub(super) fn nobody(up: &Up) -> Self {
        Self::at(&up.server)
    }

    /// The same at this console.
    pub(super) fn at(server: &str) -> Self {
        Self { agent: agent(Duration::from_secs(60)), server: server.to_owned(), with: Vec::new() }
    }

    /// Somebody with a token.
    pub(super) fn token(up: &Up, token: &str) -> Self {
        let with = vec![("authorization", format!("Bearer {}", token.trim()))];
        Self { with, ..Self::nobody(up) }
    }

    /// A page of the console in a browser that has this cookie.
    pub(super) fn browser(up: &Up, cookie: &str) -> Self {
        Self::nobody(up).with_cookie(cookie)
    }

    /// The same in a browser that has this cookie.
    pub(super) fn with_cookie(self, cookie: &str) -> Self {
        let ours = ("sec-fetch-site", "same-origin".to_owned());
        Self { with: vec![("cookie", cookie.to_owned()), ours], ..self }
    }

    /// The same with another header, or with another value of one.
    pub(super) fn but(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        other.with.retain(|(known, _)| *known != name);
        other.with.push((name, value.to_owned()));
        other
    }

    /// The same without a header.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.with.retain(|(known, _)| *known != name);
        other
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        for (name, value) in &self.with {
            request = request.header(*name, value);
        }
        let answer = if method == "GET" {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.header("content-type", kind).body(body.to_owned()).unwrap())
        };
        let mut answer = answer.unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        Answer { status: answer.status().as_u16(), head: answer.headers().clone(), text }
    }

    /// Opens something that does not end by itself.
    pub(super) fn open(&self, path: &str) -> Response<Body> {
        let mut request = Request::get(format!("{}{path}", self.server));
        for (name, value) in &self.with {
            request = request.header(*name, value);
        }
        agent(Duration::from_secs(300)).run(request.body(()).unwrap()).unwrap()
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", &body.to_string())
    }

    /// Sends a form. What stands in it is letters, digits, blanks and points.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pair = |(name, value): &(&str, &str)| format!("{name}={}", value.replace(' ', "+"));
        let body: Vec<String> = fields.iter().map(pair).collect();
        self.send("POST", path, "application/x-www-form-urlencoded", &body.join("&"))
    }
}
