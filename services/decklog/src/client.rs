//! Talks to a console over HTTP.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Context as _;
use console::{Applied, Checked, Problem};
use delivery::https::agent_for;
use domain::backup::progress::Progress;
use domain::canonical::hex;
use domain::job::{Definition, JobDefinition};
use domain::wire::{Answer, Query};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

use crate::exit;

/// How long an answer may take that a host has to work for.
const SLOW: Duration = Duration::from_secs(120);

/// Most bytes of an answer: a document of the largest size.
const ANSWER_BYTES: u64 = domain::print::DOCUMENT_BYTES_MAX + 1024 * 1024;

/// A console.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    server: String,
    token: String,
}

/// Output of a run, and whether no more will come.
#[derive(Debug)]
pub(crate) struct OutputPart {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ended: bool,
}

/// How far a run is.
#[derive(Debug, Deserialize)]
pub(crate) struct Far {
    /// Of its newest attempt, if that is one of an engine and has said something.
    pub(crate) progress: Option<Progress>,
}

impl Client {
    pub(crate) fn new(server: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)));
        let agent = agent_for(server, config);
        let server = server.trim_end_matches('/').to_owned();
        Self { agent, server, token: token.trim().to_owned() }
    }

    /// Whether it answers.
    pub(crate) fn is_there(&self) -> bool {
        self.agent.get(format!("{}/livez", self.server)).call().is_ok_and(|r| r.status() == 200)
    }

    pub(crate) fn query(&self, query: &Query) -> anyhow::Result<Answer> {
        let body = serde_json::to_vec(query)?;
        let bytes = self.ask("/api/v1/query", &body)?;
        serde_json::from_slice(&bytes)
            .context("the console's answer cannot be read: it is of another version")
    }

    pub(crate) fn act(&self, path: &str, body: &Value) -> anyhow::Result<Applied> {
        self.post_json(path, body)
    }

    pub(crate) fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        let bytes = self.post(path, &serde_json::to_vec(body)?)?;
        serde_json::from_slice(&bytes)
            .context("the console's answer cannot be read: it is of another version")
    }

    pub(crate) fn apply(&self, definition: &Definition, reason: &str) -> anyhow::Result<Applied> {
        let (path, definition) = match definition {
            Definition::Job(job) => ("/api/v1/jobs", serde_json::to_value(job)?),
            Definition::Thing(thing) => ("/api/v1/things", thing.value()?),
        };
        self.act(path, &json!({"definition": definition, "reason": reason}))
    }

    /// What hosts say would keep them from running a job.
    pub(crate) fn check(&self, job: &JobDefinition) -> anyhow::Result<Checked> {
        let body = serde_json::to_vec(&json!({ "definition": job }))?;
        let bytes = self.ask("/api/v1/check", &body)?;
        serde_json::from_slice(&bytes)
            .context("the console's answer cannot be read: it is of another version")
    }

    pub(crate) fn output(
        &self,
        run: &str,
        attempt: Option<u32>,
        offset: u64,
    ) -> anyhow::Result<OutputPart> {
        let attempt = attempt.map(|n| format!("&attempt={n}")).unwrap_or_default();
        let path = format!("/api/v1/runs/{}/output?offset={offset}{attempt}", escape(run));
        let call = self
            .agent
            .get(format!("{}{path}", self.server))
            .header("authorization", &self.bearer());
        let response = call.call().map_err(|error| self.unreachable(&error))?;
        let ended =
            response.headers().get("decklog-ended").is_some_and(|v| v.as_bytes() == b"true");
        Ok(OutputPart { bytes: read(response)?, ended })
    }

    /// How far a run is, as its host says.
    pub(crate) fn progress(&self, run: &str) -> anyhow::Result<Far> {
        self.get_json(&format!("/api/v1/runs/{}/progress", escape(run)))
    }

    pub(crate) fn get_json<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let call = self.agent.get(format!("{}{path}", self.server));
        let call = call.header("authorization", &self.bearer()).call();
        let bytes = read(call.map_err(|error| self.unreachable(&error))?)?;
        serde_json::from_slice(&bytes)
            .context("the console's answer cannot be read: it is of another version")
    }

    /// The same for what a host has to work for.
    pub(crate) fn post_slow<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        let bytes = self.post_within(path, &serde_json::to_vec(body)?, Some(SLOW))?;
        serde_json::from_slice(&bytes)
            .context("the console's answer cannot be read: it is of another version")
    }

    /// The same for an answer that is no JSON.
    pub(crate) fn post_bytes(&self, path: &str, body: &Value) -> anyhow::Result<Vec<u8>> {
        self.post_within(path, &serde_json::to_vec(body)?, Some(SLOW))
    }

    fn post(&self, path: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.post_within(path, body, None)
    }

    /// Sends something with a key of its own: where the line breaks it is sent once more, and is done once all the same.
    fn post_within(
        &self,
        path: &str,
        body: &[u8],
        within: Option<Duration>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut key = [0_u8; 16];
        getrandom::fill(&mut key).context("drawing a key")?;
        let key = hex(&key);
        let sent = match self.send(path, body, within, Some(&key)) {
            Err(error) if is_broken(&error) => self.send(path, body, within, Some(&key)),
            sent => sent,
        };
        read(sent.map_err(|error| self.unreachable(&error))?)
    }

    fn send(
        &self,
        path: &str,
        body: &[u8],
        within: Option<Duration>,
        key: Option<&str>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let call = self.agent.post(format!("{}{path}", self.server));
        let call = match within {
            Some(within) => call.config().timeout_global(Some(within)).build(),
            None => call,
        };
        let call = call.header("authorization", &self.bearer());
        let call = call.header("content-type", "application/json");
        match key {
            Some(key) => call.header("idempotency-key", key).send(body),
            None => call.send(body),
        }
    }

    /// Sends what only asks.
    fn ask(&self, path: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let sent = self.send(path, body, None, None);
        read(sent.map_err(|error| self.unreachable(&error))?)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        exit::unreachable(format!("the console at {} cannot be reached: {error}", self.server))
    }
}

/// Whether the line broke after it was there: what was sent may have come to the console.
fn is_broken(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return false };
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}

fn read(mut response: Response<ureq::Body>) -> anyhow::Result<Vec<u8>> {
    let status = response.status().as_u16();
    let bytes = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec()?;
    if status == 200 {
        return Ok(bytes);
    }
    let detail = serde_json::from_slice::<Problem>(&bytes)
        .map_or_else(|_| String::from_utf8_lossy(&bytes).into_owned(), |problem| problem.detail);
    Err(match status {
        400 | 422 => exit::usage(detail),
        401 => exit::unknown(detail),
        403 => exit::denied(detail),
        404 => exit::not_found(detail),
        409 | 412 | 429 => exit::refused(detail),
        502 => exit::unclean(detail),
        503 => exit::unreachable(detail),
        _ => exit::unclean(format!("the console answered {status}: {detail}")),
    })
}

/// A run's name in a path.
pub(crate) fn escape(run: &str) -> String {
    run.replace('%', "%25")
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('?', "%3F")
        .replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Reads one request; its key and its body.
    fn request(stream: &std::net::TcpStream) -> (String, String) {
        let mut reader = BufReader::new(stream);
        let (mut key, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(": ") else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            match name {
                "idempotency-key" => value.clone_into(&mut key),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (key, String::from_utf8(body).unwrap())
    }

    #[test]
    fn where_the_answer_is_lost_the_same_is_sent_once_more_with_the_same_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()), "token");
        let answering = std::thread::spawn(move || {
            let first = request(&listener.accept().unwrap().0);
            let (mut stream, _) = listener.accept().unwrap();
            let second = request(&stream);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).unwrap();
            (first, second)
        });
        client.post("/api/v1/jobs/a/pause", b"{\"reason\":\"it is late\"}").unwrap();
        let (first, second) = answering.join().unwrap();
        assert_eq!(first, second);
        assert_eq!((first.0.len(), &*first.1), (32, "{\"reason\":\"it is late\"}"));
    }
}
