//! Requests to other systems. Where there is a secret they are signed as Standard Webhooks 1.0 have it: the receiver checks
//! `webhook-signature` over the request's id, its time and its bytes, and refuses what is old or known already.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use delivery::https::agent_for;
use domain::event::Sent;
use ring::hmac;
use settings::secret;
use ureq::Agent;

use super::config::{NotifyConfig, Webhook, WebhookFormat};
use super::{Letter, SENDING, body, failed, unknown};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// A secret as Standard Webhooks write it.
const PREFIX: &str = "whsec_";

fn agent(url: &str) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(ANSWER));
    agent_for(url, config)
}

/// The signature of a request.
pub(super) fn signature(secret: &str, id: &str, seconds: i64, body: &[u8]) -> String {
    let plain = secret.trim();
    let decoded = plain.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let key = decoded.unwrap_or_else(|| plain.as_bytes().to_vec());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)))
}

/// Tells another system.
pub(super) fn call(webhook: &Webhook, config: &NotifyConfig, letter: &Letter<'_>) -> Sent {
    let prepared = match prepare(webhook, config, letter) {
        Ok(prepared) => prepared,
        Err(error) => return failed(error),
    };
    let agent = agent(&prepared.url);
    let until = Instant::now() + SENDING;
    for (id, body) in &prepared.requests {
        if Instant::now() >= until {
            return unknown("not all of it was sent within a minute");
        }
        let sent = prepared.post(&agent, id, letter.now.as_second(), body);
        if sent != (Sent::Taken {}) {
            return sent;
        }
    }
    Sent::Taken {}
}

/// What is sent where.
struct Prepared {
    url: String,
    media: &'static str,
    secret: Option<String>,
    /// The id and the body of each request.
    requests: Vec<(String, Vec<u8>)>,
}

fn prepare(
    webhook: &Webhook,
    config: &NotifyConfig,
    letter: &Letter<'_>,
) -> Result<Prepared, String> {
    let url = webhook.address()?;
    let secret = webhook.secret.as_deref().map(secret::text_from_reference).transpose()?;
    let key = webhook.routing_key.as_deref().map(secret::text_from_reference).transpose()?;
    let source = config.console.as_deref().unwrap_or("decklog");
    let values = match (webhook.format, key) {
        (WebhookFormat::Cloudevents, _) => vec![(letter.id(), body::cloud_event(letter, source))],
        (WebhookFormat::Slack, _) => vec![(letter.id(), body::slack(letter))],
        (WebhookFormat::Teams, _) => vec![(letter.id(), body::teams(letter))],
        (WebhookFormat::Pagerduty, Some(key)) => body::pagerduty(letter, source, key.trim()),
        (WebhookFormat::Pagerduty, None) => return Err("there is no routing key".to_owned()),
    };
    let bytes = |(id, value): (String, serde_json::Value)| (id, value.to_string().into_bytes());
    let media = match webhook.format {
        WebhookFormat::Cloudevents => "application/cloudevents+json",
        WebhookFormat::Slack | WebhookFormat::Teams | WebhookFormat::Pagerduty => {
            "application/json"
        }
    };
    Ok(Prepared { url, media, secret, requests: values.into_iter().map(bytes).collect() })
}

impl Prepared {
    fn post(&self, agent: &Agent, id: &str, at: i64, body: &[u8]) -> Sent {
        let mut request = agent
            .post(&self.url)
            .header("content-type", self.media)
            .header("webhook-id", id)
            .header("webhook-timestamp", at.to_string());
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", signature(secret, id, at, body));
        }
        match request.send(body) {
            Ok(response) if response.status().is_success() => Sent::Taken {},
            Ok(response) => failed(format!("it answered {}", response.status().as_u16())),
            Err(error) if is_before(&error) => failed(error),
            Err(error) => unknown(error),
        }
    }
}

/// Whether nothing can have arrived.
fn is_before(error: &ureq::Error) -> bool {
    use ureq::Error;
    if let Error::Io(error) = error {
        return error.kind() == std::io::ErrorKind::ConnectionRefused;
    }
    matches!(
        error,
        Error::BadUri(_)
            | Error::Http(_)
            | Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Tls(_)
            | Error::Rustls(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_example_of_standard_webhooks_is() {
        // From the specification's test vectors.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let body = b"{\"test\": 2432232314}";
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(secret, id, at, body), expected);
    }
}
