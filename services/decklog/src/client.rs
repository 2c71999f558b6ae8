//! Talks to a console over HTTP.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use console::{Applied, Checked, Problem};
use domain::backup::progress::Progress;
use domain::job::{Definition, JobDefinition};
use domain::wire::{Answer, Query};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

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

/// By whom this machine lets servers be vouched for; `SSL_CERT_FILE` names others.
fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<Certificate<'static>> =
        found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::from(certificates))
        .build()
}

impl Client {
    pub(crate) fn new(server: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)));
        let config = if server.starts_with("https:") { config.tls_config(tls()) } else { config };
        let config = config.build();
        let server = server.trim_end_matches('/').to_owned();
        Self { agent: config.into(), server, token: token.trim().to_owned() }
    }

    /// Whether it answers.
    pub(crate) fn is_there(&self) -> bool {
        self.agent.get(format!("{}/livez", self.server)).call().is_ok_and(|r| r.status() == 200)
    }

    pub(crate) fn query(&self, query: &Query) -> anyhow::Result<Answer> {
        let body = serde_json::to_vec(query)?;
        let bytes = self.post("/api/v1/query", &body)?;
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
        let bytes = self.post("/api/v1/check", &body)?;
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

    fn post_within(
        &self,
        path: &str,
        body: &[u8],
        within: Option<Duration>,
    ) -> anyhow::Result<Vec<u8>> {
        let call = self.agent.post(format!("{}{path}", self.server));
        let call = match within {
            Some(within) => call.config().timeout_global(Some(within)).build(),
            None => call,
        };
        let response = call
            .header("authorization", &self.bearer())
            .header("content-type", "application/json")
            .send(body)
            .map_err(|error| self.unreachable(&error))?;
        read(response)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        exit::unreachable(format!("the console at {} cannot be reached: {error}", self.server))
    }
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
        409 | 429 => exit::refused(detail),
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
