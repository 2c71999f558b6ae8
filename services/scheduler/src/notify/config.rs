//! Who is reached how: addresses stand here, on the notifier's host, and in no event.

use std::collections::BTreeMap;

use delivery::mail::MailConfig;
use domain::ids::is_name;
use domain::scheduler::About;
use serde::{Deserialize, Serialize};
use settings::secret;

/// Settings of a scheduler that tells people of incidents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NotifyConfig {
    /// Address of the console, such as `https://decklog.example`: messages have links to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// How mail is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailConfig>,
    /// Who is reached how, by the names that call trees use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contacts: BTreeMap<String, Contact>,
}

/// How somebody is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contact {
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Another system that is asked to tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// A program and its arguments; it gets the text on standard input, and the subject in `DECKLOG_SUBJECT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
}

/// A request to another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Webhook {
    /// Its address, or where that stands (`file:`, `env:`, `credential:`): some are secrets.
    pub url: String,
    /// What it reads.
    #[serde(default)]
    pub format: WebhookFormat,
    /// Where the secret stands that signs requests (`file:`, `env:`, `credential:`), as Standard Webhooks have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Where PagerDuty's routing key stands (`file:`, `env:`, `credential:`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_key: Option<String>,
}

/// What another system reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookFormat {
    /// A `CloudEvent` in its structured form.
    #[default]
    Cloudevents,
    /// A message for Slack, and for what reads the same.
    Slack,
    /// A message for Microsoft Teams.
    Teams,
    /// Events of `PagerDuty`, version 2: one for each incident.
    Pagerduty,
}

impl NotifyConfig {
    /// Everything that is wrong with it, as a section of this name.
    pub fn problems(&self, section: &str) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        let mail = format!("{section}.mail");
        problems.extend(self.mail.iter().flat_map(|config| config.problems(&mail)));
        if self.console.as_ref().is_some_and(|url| !is_web(url)) {
            problems.push(format!("{section}.console: it begins with https:// or http://"));
        }
        for (name, contact) in &self.contacts {
            let at = format!("{section}.contacts.{name}");
            problems
                .extend(contact.problems(name, self.mail.is_some()).map(|p| format!("{at}: {p}")));
        }
        problems
    }

    /// The link by which somebody acknowledges an incident.
    pub(super) fn link(&self, contact: &str, about: &About) -> Option<String> {
        let console = self.console.as_ref()?.trim_end_matches('/');
        let (incident, word) = (about.incident.id(), &about.link);
        let incident = encoded(incident.rest());
        Some(format!("{console}/acknowledge?incident={incident}&as={contact}&word={word}"))
    }
}

/// As a value in a query: names of streams hold no other character that means something there.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

impl Contact {
    fn problems(&self, name: &str, relay: bool) -> impl Iterator<Item = String> {
        let mut found = Vec::new();
        if !is_name(name) {
            found.push("it is not a name".to_owned());
        }
        if self.mail.is_none() && self.webhook.is_none() && self.command.is_none() {
            found.push("say mail, webhook or command".to_owned());
        }
        if let Some(address) = &self.mail {
            let bad = address.parse::<delivery::Address>().err();
            found.extend(bad.map(|error| format!("mail: {error}")));
            found.extend((!relay).then(|| "mail: there is no relay to send it by".to_owned()));
        }
        found.extend(self.webhook.iter().flat_map(Webhook::problems));
        if self.command.as_ref().is_some_and(|argv| argv.first().is_none_or(String::is_empty)) {
            found.push("command: name a program".to_owned());
        }
        found.into_iter()
    }
}

impl Webhook {
    fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !secret::is_reference(&self.url) && !is_web(&self.url) {
            found.push("webhook.url: an address, or file:, env: or credential:".to_owned());
        }
        let secrets = [("secret", &self.secret), ("routing-key", &self.routing_key)];
        for (field, reference) in secrets {
            if reference.as_ref().is_some_and(|text| !secret::is_reference(text)) {
                found.push(format!(
                    "webhook.{field}: say where it stands: file:, env: or credential:"
                ));
            }
        }
        let pager = self.format == WebhookFormat::Pagerduty;
        if pager != self.routing_key.is_some() {
            found.push("webhook: a routing-key belongs to the format pagerduty".to_owned());
        }
        found
    }

    /// Its address, as it is now.
    pub(super) fn address(&self) -> Result<String, String> {
        let url = if secret::is_reference(&self.url) {
            secret::text_from_reference(&self.url)?
        } else {
            self.url.clone()
        };
        if is_web(&url) { Ok(url) } else { Err("what stands there is no address".to_owned()) }
    }
}
