//! Requests over HTTP, and which failure leaves what behind.
//!
//! The one thing that decides whether something can have arrived is whether the body was ever asked for: an operation
//! is named in the body, and the body is read only when a connection stands, the certificate was accepted and the
//! HTTP headers were written. So [`Spool`] remembers whether it was read, and no error text needs to be understood.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, SendBody};

use crate::address::Address;
use crate::ask::Secret;
use crate::error::PrinterError;
use crate::operation::Operation;
use crate::spool::Spool;

/// What both directions carry (RFC 8010 §4).
const MEDIA_TYPE: &str = "application/ipp";
/// Most bytes of a file with certificates.
const MOST_PEM: u64 = 4 << 20;

/// Whose certificates are believed. They are always checked, also the name in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those this host trusts.
    #[default]
    System,
    /// Only those that a certificate in this file (PEM) vouches for.
    CaFile(PathBuf),
}

/// A name and a password for the printer (HTTP basic authentication, RFC 7617).
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Who; without a colon.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How long is waited and how much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the printer's name to be resolved, and again for a connection to stand.
    pub connect: Duration,
    /// How long the printer may take to answer, and again to end its answer, in any operation but Send-Document.
    pub silence: Duration,
    /// How long it may take nothing and say nothing while it gets a document. A printer that prints as it reads
    /// stops reading while it has no paper, so this is how long somebody may need to bring some.
    pub document_silence: Duration,
    /// Most bytes of an answer.
    pub answer_bytes: u64,
}

impl Default for Limits {
    /// 10 seconds to connect, 30 of silence, 10 minutes with a document, 1 MiB.
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            document_silence: Duration::from_secs(600),
            answer_bytes: 1 << 20,
        }
    }
}

/// What sends requests to one printer. Each goes over a connection of its own: one that was kept and is closed by the
/// printer just then would make a lost request of one that needs not be.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: Address,
    agent: Agent,
    limits: Limits,
    login: Option<Secret>,
}

impl Client {
    pub(crate) fn new(
        address: Address,
        trust: &Trust,
        limits: Limits,
    ) -> Result<Self, PrinterError> {
        let roots = if address.tls { roots(&address, trust)? } else { RootCerts::from([]) };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(roots)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // What stands between us and the printer would answer in its place.
            .proxy(None)
            .user_agent("decklog")
            .max_idle_connections(0)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .build();
        Ok(Client { address, agent: config.new_agent(), limits, login: None })
    }

    /// Uses a name and a password from now on.
    pub(crate) fn log_in(&mut self, login: &Login) -> Result<(), PrinterError> {
        let bad = |why: &str| PrinterError::Address {
            uri: self.address.uri.clone(),
            why: why.to_owned(),
        };
        if !self.address.tls && !self.address.loopback {
            return Err(bad("a password is not sent without encryption; write ipps://"));
        }
        if login.user.contains(':') {
            return Err(bad("a user's name with a colon cannot log in (RFC 7617)"));
        }
        let both = format!("{}:{}", login.user, login.password);
        self.login = Some(Secret(format!("Basic {}", STANDARD.encode(both))));
        Ok(())
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends one request and takes its answer's bytes.
    pub(crate) fn post(
        &self,
        operation: Operation,
        mut spool: Spool<'_>,
    ) -> Result<Vec<u8>, PrinterError> {
        let exchange = Exchange { uri: &self.address.uri, operation };
        match self.exchange(operation, &mut spool) {
            Err(error) => Err(exchange.failed(&error, &spool)),
            Ok(response) => exchange.answered(response, self.limits.answer_bytes),
        }
    }

    fn exchange(
        &self,
        operation: Operation,
        spool: &mut Spool<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::post(&self.address.url)
            .header("content-type", MEDIA_TYPE)
            .header("accept", MEDIA_TYPE)
            .header("content-length", spool.size())
            .header("connection", "close");
        if let Some(Secret(login)) = &self.login {
            request = request.header("authorization", login);
        }
        let silence = match operation {
            Operation::SendDocument => self.limits.document_silence,
            Operation::ValidateJob
            | Operation::CreateJob
            | Operation::CancelJob
            | Operation::GetJobAttributes
            | Operation::GetJobs
            | Operation::GetPrinterAttributes
            | Operation::HoldJob
            | Operation::ReleaseJob => self.limits.silence,
        };
        let request = request.body(SendBody::from_reader(spool))?;
        let request = self.agent.configure_request(request);
        let request = request
            .timeout_per_read(Some(silence))
            .timeout_per_write(Some(silence))
            // Also who says something now and then comes to an end. Only a document may take as long as it takes.
            .timeout_send_request(Some(silence))
            .timeout_recv_response(Some(silence))
            .timeout_recv_body(Some(silence));
        self.agent.run(request.build())
    }
}

/// One request on its way.
struct Exchange<'a> {
    uri: &'a str,
    operation: Operation,
}

impl Exchange<'_> {
    fn failed(&self, error: &ureq::Error, spool: &Spool<'_>) -> PrinterError {
        let (uri, operation, why) = (self.uri.to_owned(), self.operation, error.to_string());
        if !spool.is_begun() {
            return PrinterError::Unreached { uri, operation, why };
        }
        if let Some(why) = spool.failure() {
            return PrinterError::Lost { uri, operation, why: why.to_owned() };
        }
        // Both only come of what the printer said.
        if matches!(error, ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..)) {
            return PrinterError::Malformed { uri, operation, why };
        }
        PrinterError::Lost { uri, operation, why }
    }

    fn answered(&self, response: Response<Body>, limit: u64) -> Result<Vec<u8>, PrinterError> {
        let status = response.status().as_u16();
        // Said before anybody looked at the operation: who are you, this is not the place, not so.
        if matches!(status, 400 | 401 | 403 | 404 | 405 | 415 | 426) {
            return Err(PrinterError::Refused {
                uri: self.uri.to_owned(),
                operation: self.operation,
                status: format!("http-{status}"),
                message: response.status().canonical_reason().map(str::to_owned),
            });
        }
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let is_ipp = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(MEDIA_TYPE));
        if status != 200 || !is_ipp {
            let kind = kind.unwrap_or("nothing");
            return Err(self.malformed(format!("HTTP status {status} with {kind}")));
        }
        self.body(response, limit)
    }

    fn body(&self, response: Response<Body>, limit: u64) -> Result<Vec<u8>, PrinterError> {
        let read = response.into_body().into_with_config().limit(limit).read_to_vec();
        read.map_err(|error| {
            if let ureq::Error::BodyExceedsLimit(limit) = error {
                return self.malformed(format!("it is longer than {limit} bytes"));
            }
            PrinterError::Lost {
                uri: self.uri.to_owned(),
                operation: self.operation,
                why: error.to_string(),
            }
        })
    }

    fn malformed(&self, why: String) -> PrinterError {
        PrinterError::Malformed { uri: self.uri.to_owned(), operation: self.operation, why }
    }
}

fn roots(address: &Address, trust: &Trust) -> Result<RootCerts, PrinterError> {
    let path = match trust {
        Trust::System => {
            let found = rustls_native_certs::load_native_certs().certs;
            let certs = found.iter().map(|cert| Certificate::from_der(cert.as_ref()).to_owned());
            return Ok(RootCerts::from(certs));
        }
        Trust::CaFile(path) => path,
    };
    let bad = |why: &dyn fmt::Display| PrinterError::Certificates {
        uri: address.uri.clone(),
        why: format!("{}: {why}", path.display()),
    };
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| bad(&error))?;
    file.take(MOST_PEM).read_to_end(&mut pem).map_err(|error| bad(&error))?;
    let mut certs = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(cert) = item.map_err(|error| bad(&error))? {
            certs.push(cert);
        }
    }
    if certs.is_empty() {
        return Err(bad(&"there is no certificate in it"));
    }
    Ok(RootCerts::from(certs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let login = Login { user: "me".to_owned(), password: "horse".to_owned() };
        assert!(!format!("{login:?}").contains("horse"));
    }
}
