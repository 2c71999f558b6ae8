//! Telling people: by mail, by a request to another system, by a command. What is told, to whom and when is decided in
//! `domain`; here it is sent, once.
//!
//! | module | about |
//! |---|---|
//! | `config` | who is reached how |
//! | `webhook` | requests to other systems, signed |
//! | `body` | what those systems read |
//! | `command` | commands on this host |

mod body;
mod command;
mod config;
mod webhook;

use std::time::{Duration, SystemTime};

use delivery::DeliveryError;
use delivery::mail::{MailConfig, Timeouts};
use domain::event::{Sent, Way};
use domain::incident::Step;
use domain::incident::message::{Message, Told, message};
use domain::scheduler::{About, Outgoing};
use jiff::Timestamp;
use settings::secret;

pub use config::{Contact, NotifyConfig, Webhook, WebhookFormat};

/// How long one message may take: less than after what it counts as lost.
const SENDING: Duration = Duration::from_secs(60);
/// Longest reason that is kept, in characters.
const REASON_CHARS: usize = 300;

fn failed(message: impl std::fmt::Display) -> Sent {
    Sent::Failed { message: message.to_string().chars().take(REASON_CHARS).collect() }
}

fn unknown(message: impl std::fmt::Display) -> Sent {
    Sent::Unknown { message: message.to_string().chars().take(REASON_CHARS).collect() }
}

/// What a message says, and what is known of each incident in it.
struct Letter<'a> {
    outgoing: &'a Outgoing,
    message: Message,
    links: Vec<Option<String>>,
    now: Timestamp,
}

impl<'a> Letter<'a> {
    fn new(config: &NotifyConfig, outgoing: &'a Outgoing, now: Timestamp) -> Self {
        let links: Vec<Option<String>> =
            outgoing.about.iter().map(|about| link(config, outgoing, about)).collect();
        let told = outgoing.about.iter().zip(&links).filter_map(|(about, link)| {
            let (kind, link) = (&step(about)?.kind, link.clone());
            Some(Told { incident: &about.incident, kind, link })
        });
        let message = message(&told.collect::<Vec<_>>(), now);
        Self { outgoing, message, links, now }
    }

    /// The same for the same message, whoever sends it: receivers tell a repetition by it.
    fn id(&self) -> String {
        let first = self.outgoing.about.first();
        first.map(|about| id_of(about, &self.outgoing.call.contact)).unwrap_or_default()
    }
}

/// The link by which they acknowledge; whoever is only told of it has none.
fn link(config: &NotifyConfig, outgoing: &Outgoing, about: &About) -> Option<String> {
    let level = step(about).is_some_and(Step::is_level);
    level.then(|| config.link(&outgoing.call.contact, about))?
}

fn step(about: &About) -> Option<&Step> {
    about.incident.step(about.step)
}

fn id_of(about: &About, contact: &str) -> String {
    let incident = about.incident.id().rest().replace('/', ".");
    format!("{incident}.{}.{}.{contact}", about.step, about.call)
}

/// Sends a message, and says what became of it. It blocks for at most a minute and a half.
pub(crate) fn send(config: &NotifyConfig, outgoing: &Outgoing, now: Timestamp) -> Sent {
    let name = &outgoing.call.contact;
    let Some(contact) = config.contacts.get(name) else {
        return failed(format!("the notifier knows no contact {name}"));
    };
    let letter = Letter::new(config, outgoing, now);
    let way = outgoing.call.by.word();
    let none = || failed(format!("the notifier knows no {way} of {name}"));
    match outgoing.call.by {
        Way::Mail => match (&config.mail, &contact.mail) {
            (Some(relay), Some(address)) => by_mail(relay, address, &letter),
            (None, _) => failed("the notifier has no mail relay"),
            (Some(_), None) => none(),
        },
        Way::Webhook => match &contact.webhook {
            Some(webhook) => webhook::call(webhook, config, &letter),
            None => none(),
        },
        Way::Command => match &contact.command {
            Some(argv) => command::run(argv, &letter.message),
            None => none(),
        },
    }
}

fn by_mail(config: &MailConfig, address: &str, letter: &Letter<'_>) -> Sent {
    let password = config.password.as_deref().map(secret::text_from_reference).transpose();
    let relay = password.and_then(|password| config.relay(password).map_err(|e| e.to_string()));
    let (mut relay, to) = match (relay, address.parse()) {
        (Ok(relay), Ok(to)) => (relay, to),
        (Err(error), _) => return failed(error),
        (_, Err(error)) => return failed(error),
    };
    let [connect, answer] = [10, 20].map(Duration::from_secs);
    relay.timeouts = Timeouts { connect, answer, verdict: answer, total: SENDING };
    let host = config.relay.clone();
    let message = delivery::mail::Message {
        id: format!("{}@{host}", letter.id()),
        date: SystemTime::from(letter.now),
        to,
        name: String::new(),
        subject: letter.message.subject.clone(),
        text: letter.message.text.clone(),
        attachment: None,
    };
    match delivery::mail::send(&relay, &message) {
        Ok(_) => Sent::Taken {},
        Err(error @ DeliveryError::Lost { .. }) => unknown(error.without_names()),
        Err(error) => failed(error.without_names()),
    }
}
