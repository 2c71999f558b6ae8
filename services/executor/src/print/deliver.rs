//! Documents on their way to people: by mail, into a directory, to another host. Each delivery is an event of its own, tried
//! again on its own, and never again by itself where it may have arrived.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use delivery::mail::{Attachment, MailConfig, Message, Relay};
use delivery::{AddressList, DeliveryError};
use domain::event::{Means, PrintDelivered, PrintDeliveryFailed, PrintEvent};
use domain::ids::StreamId;
use domain::print::document::DeliveryState;
use domain::print::{
    DOCUMENT_BYTES_MAX, Deliver, Document, DocumentFormat, MailTo, PrintWork, State,
};
use tracing::{info, warn};

use super::books::{Said, fetch, say};
use super::order::Found;
use super::spool::{Facts, Planned};
use crate::host::Host;
use crate::life::blocking;

/// How long is waited before each further try.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(180),
];
/// Most deliveries of one document.
const DELIVERIES_MAX: usize = 1_000;
/// Largest list of addresses, in bytes.
const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a transfer to another host may take.
const SFTP_LIMIT: Duration = Duration::from_secs(300);
/// Longest reason, and longest receipt, in characters.
const WORDS_MAX: usize = 300;

/// Whether a document goes to people now: not while it waits for somebody, nor after somebody cancelled it.
pub(super) fn is_due(document: &Document) -> bool {
    let goes = !matches!(document.state, State::Held { .. } | State::Cancelled { .. });
    goes && document.erased.is_none() && document.undelivered() > 0
}

/// To whom a document goes, by the host's own lists. Blocks.
///
/// # Errors
/// The host does not send so, there is no such list, or a part is for somebody who is not in it: then nothing is printed or
/// sent.
pub(super) fn planned(
    host: &Host,
    work: &PrintWork,
    found: &Found,
) -> anyhow::Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for (way, deliver) in work.deliver.iter().enumerate() {
        match deliver {
            Deliver::Mail(mail) => {
                host.allow.check_sending(None).map_err(anyhow::Error::msg)?;
                if host.mail.is_none() {
                    bail!("this host sends no mail: its configuration has no [executor.mail]");
                }
                let list = list(host, &mail.list)?;
                planned.extend(by_list(way, &list, mail, found)?);
            }
            Deliver::Directory(_) => planned.extend(by_parts(way, found)),
            Deliver::Sftp(to) => {
                host.allow.check_sending(Some(&to.to)).map_err(anyhow::Error::msg)?;
                planned.extend(by_parts(way, found));
            }
        }
    }
    if planned.len() > DELIVERIES_MAX {
        bail!("it would go to more than {DELIVERIES_MAX} recipients");
    }
    Ok(planned)
}

/// The list of this name of the host's own.
fn list(host: &Host, name: &str) -> anyhow::Result<AddressList> {
    let Some(lists) = &host.lists else {
        bail!("this host has no lists of addresses: its configuration has no executor.lists");
    };
    let path = lists.join(format!("{name}.csv"));
    let mut text = String::new();
    let read =
        fs::File::open(&path).and_then(|file| file.take(LIST_BYTES_MAX).read_to_string(&mut text));
    read.with_context(|| format!("reading the list {}", path.display()))?;
    AddressList::read(&text).with_context(|| format!("the list {}", path.display()))
}

fn by_list(
    way: usize,
    list: &AddressList,
    mail: &MailTo,
    found: &Found,
) -> anyhow::Result<Vec<Planned>> {
    if found.parts.is_empty() {
        let all = list.iter().map(|entry| Planned { recipient: entry.key.clone(), ..whole(way) });
        return Ok(all.collect());
    }
    let missing: Vec<&str> = found
        .parts
        .iter()
        .map(|part| part.recipient.as_str())
        .filter(|key| list.get(key).is_none())
        .take(5)
        .collect();
    if !missing.is_empty() {
        bail!("nobody in the list {} has the key {}", mail.list, missing.join(", "));
    }
    Ok(by_parts(way, found))
}

fn by_parts(way: usize, found: &Found) -> Vec<Planned> {
    if found.parts.is_empty() {
        return vec![whole(way)];
    }
    let part = |(number, part): (usize, &super::order::Part)| Planned {
        way,
        recipient: part.recipient.clone(),
        pages: Some(part.pages),
        part: Some(number),
    };
    (1..).zip(&found.parts).map(part).collect()
}

/// The whole document, to nobody in particular.
fn whole(way: usize) -> Planned {
    Planned { way, recipient: String::new(), pages: None, part: None }
}

/// Delivers what of a document was not delivered yet.
pub(super) async fn all(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let (books, asked) = (Arc::clone(host), id.clone());
    let (facts, lists) = blocking(move || {
        let facts = books.books.spool.facts(&asked)?;
        let facts = facts.context("its recipients are lost on this host")?;
        let lists = lists(&books, &facts);
        Ok((Arc::new(facts), Arc::new(lists)))
    })
    .await?;
    for (number, planned) in (1..).zip(facts.deliveries.clone()) {
        one(host, id, number, planned, &facts, &lists).await?;
    }
    Ok(())
}

/// The lists that a document's mail needs, as they are now.
fn lists(host: &Host, facts: &Facts) -> BTreeMap<String, AddressList> {
    let named = facts
        .ways
        .iter()
        .filter_map(|way| if let Deliver::Mail(mail) = way { Some(&mail.list) } else { None });
    let read = |name: &String| match list(host, name) {
        Ok(list) => Some((name.clone(), list)),
        Err(error) => {
            warn!(list = %name, error = %format!("{error:#}"), "a list of addresses cannot be read");
            None
        }
    };
    named.filter_map(read).collect()
}

async fn one(
    host: &Arc<Host>,
    id: &StreamId,
    number: u32,
    planned: Planned,
    facts: &Arc<Facts>,
    lists: &Arc<BTreeMap<String, AddressList>>,
) -> anyhow::Result<()> {
    let Some(known) = fetch(host, id).await else { return Ok(()) };
    let before = known.document.deliveries.get(&number);
    let over = before.is_some_and(|one| one.state != DeliveryState::Again);
    if over || !is_due(&known.document) {
        return Ok(());
    }
    let mut tries = before.map_or(0, |one| one.tries);
    let mut waits = AGAIN.iter();
    let sending = Sending::new(id, number, planned, known.document, facts)?;
    let done = loop {
        tries += 1;
        // An earlier life began this very try, and nobody knows how it ended.
        let note = format!("mail-{number}-{tries}");
        if sending.means == Means::Mail && host.books.spool.has_note(id, &note) {
            break Err(Undelivered::Unknown);
        }
        let Some(now) = fetch(host, id).await else { return Ok(()) };
        if !is_due(&now.document) {
            return Ok(());
        }
        let (sending, books, facts, lists) =
            (sending.clone(), Arc::clone(host), Arc::clone(facts), Arc::clone(lists));
        let tried = blocking(move || {
            if sending.means == Means::Mail {
                books.books.spool.note(&sending.id, &note)?;
            }
            Ok(sending.send(&books, &facts, &lists))
        })
        .await?;
        match (tried, waits.next()) {
            (Err(Undelivered::Error(error)), Some(wait)) if error.may_be_tried_again() => {
                let error = error.without_names();
                info!(document = %id, delivery = number, %error, "a delivery is tried again");
                tokio::time::sleep(*wait).await;
            }
            (done, _) => break done,
        }
    };
    tell(host, &sending, tries, done).await
}

/// Has in the log what became of a delivery.
async fn tell(
    host: &Arc<Host>,
    sending: &Sending,
    tries: u32,
    done: Result<Taken, Undelivered>,
) -> anyhow::Result<()> {
    let (delivery, pages) = (sending.number, sending.planned.pages);
    let means = sending.means;
    let event = match done {
        Ok(taken) => {
            let receipt = short(&taken.receipt);
            let fingerprint = taken.fingerprint;
            PrintEvent::PrintDelivered(PrintDelivered {
                delivery,
                means,
                pages,
                tries,
                fingerprint,
                receipt,
            })
        }
        Err(error) => {
            let (reason, unknown) = match error {
                Undelivered::Error(error) => (error.without_names(), error.may_have_arrived()),
                Undelivered::Here(reason) => (reason, false),
                Undelivered::Unknown => {
                    ("this host was stopped while it was sent, and nobody knows whether it was taken".to_owned(), true)
                }
            };
            warn!(document = %sending.id, delivery, %reason, "a delivery failed");
            let reason = short(&reason);
            PrintEvent::PrintDeliveryFailed(PrintDeliveryFailed {
                delivery,
                means,
                pages,
                tries,
                reason,
                unknown,
            })
        }
    };
    loop {
        let Some(known) = fetch(host, &sending.id).await else { return Ok(()) };
        let said = known.document.deliveries.get(&delivery);
        if said.is_some_and(|one| one.state != DeliveryState::Again) {
            return Ok(());
        }
        match say(host, &sending.id, &known, event.clone()).await? {
            Said::Yes => return Ok(()),
            Said::Moved => {}
            Said::Refused(reason) => {
                bail!("the log does not take what became of delivery {delivery}: {reason}")
            }
        }
    }
}

/// A delivery that is tried.
#[derive(Debug, Clone)]
struct Sending {
    id: StreamId,
    number: u32,
    planned: Planned,
    document: Document,
    means: Means,
    way: Deliver,
}

/// What the other side said, and what it was given.
struct Taken {
    receipt: String,
    fingerprint: domain::canonical::Digest,
}

/// Why something was not delivered.
enum Undelivered {
    /// The other side, or the way there.
    Error(DeliveryError),
    /// This host. No names in it.
    Here(String),
    /// An earlier life was killed while it sent it.
    Unknown,
}

impl Sending {
    fn new(
        id: &StreamId,
        number: u32,
        planned: Planned,
        document: Document,
        facts: &Facts,
    ) -> anyhow::Result<Self> {
        let way = facts.ways.get(planned.way).context("how it is delivered is not known")?.clone();
        let means = match &way {
            Deliver::Mail(_) => Means::Mail,
            Deliver::Directory(_) => Means::Directory,
            Deliver::Sftp(_) => Means::Sftp,
        };
        Ok(Self { id: id.clone(), number, planned, document, means, way })
    }

    /// Tries once. Blocks.
    fn send(
        &self,
        host: &Host,
        facts: &Facts,
        lists: &BTreeMap<String, AddressList>,
    ) -> Result<Taken, Undelivered> {
        self.may(host)?;
        let content = self.content(host)?;
        let fingerprint = host.books.spool.fingerprint(&mut content.as_slice());
        let fingerprint = fingerprint.map_err(|error| Undelivered::Here(error.to_string()))?;
        let receipt = match &self.way {
            Deliver::Mail(mail) => self.mail(host, facts, mail, lists, content)?,
            Deliver::Directory(to) => {
                let name = self.file_name(facts);
                let put = delivery::directory::put(
                    Path::new(&to.path),
                    &name,
                    &content,
                    DOCUMENT_BYTES_MAX,
                );
                format!("{:?}", put.map_err(Undelivered::Error)?).to_lowercase()
            }
            Deliver::Sftp(to) => {
                let server = delivery::sftp::Server {
                    to: to
                        .to
                        .parse()
                        .map_err(|_| Undelivered::Here("its place cannot be read".to_owned()))?,
                    program: PathBuf::from("sftp"),
                    config: host.allow.reaching().1.map(PathBuf::from),
                    time_limit: SFTP_LIMIT,
                    limit_bytes: DOCUMENT_BYTES_MAX,
                };
                let put = delivery::sftp::put(&server, &self.file_name(facts), &content);
                format!("{:?}", put.map_err(Undelivered::Error)?).to_lowercase()
            }
        };
        Ok(Taken { receipt, fingerprint })
    }

    /// The host's owner may have changed their mind since it was planned.
    fn may(&self, host: &Host) -> Result<(), Undelivered> {
        let checked = match &self.way {
            Deliver::Mail(_) => host.allow.check_sending(None),
            Deliver::Sftp(to) => host.allow.check_sending(Some(&to.to)),
            Deliver::Directory(to) => host.allow.check_directory(&to.path),
        };
        checked.map_err(Undelivered::Here)
    }

    fn content(&self, host: &Host) -> Result<Vec<u8>, Undelivered> {
        let spool = &host.books.spool;
        let open = match self.planned.part {
            Some(part) => spool.part(&self.id, part),
            None => spool.content(&self.id),
        };
        let lost = || Undelivered::Here("its content is lost on this host".to_owned());
        let mut content = Vec::new();
        let mut file = open.map_err(|_| lost())?.ok_or_else(lost)?;
        file.read_to_end(&mut content).map_err(|_| lost())?;
        Ok(content)
    }

    /// The same in each try, so that what arrived is known again.
    fn file_name(&self, facts: &Facts) -> String {
        let short = self.id.rest().get(..8).unwrap_or_default();
        let suffix = format!("{short}-{}", self.number);
        let (stem, _) = facts.title.rsplit_once('.').unwrap_or((&facts.title, ""));
        delivery::directory::file_name(
            &[stem, &self.planned.recipient],
            &suffix,
            extension(self.document.spooled.format),
        )
    }

    fn mail(
        &self,
        host: &Host,
        facts: &Facts,
        mail: &MailTo,
        lists: &BTreeMap<String, AddressList>,
        content: Vec<u8>,
    ) -> Result<String, Undelivered> {
        let here = |text: &str| Undelivered::Here(text.to_owned());
        let config = host.mail.as_ref().ok_or_else(|| here("this host sends no mail"))?;
        let relay = relay(config).map_err(|error| Undelivered::Here(error.to_string()))?;
        let list = lists.get(&mail.list).ok_or_else(|| here("its list cannot be read"))?;
        let entry = list
            .get(&self.planned.recipient)
            .ok_or_else(|| here("its recipient is not in the list any more"))?;
        let pages = self.planned.pages.map_or_else(
            || format!("1-{}", self.document.spooled.pages),
            |pages| pages.to_string(),
        );
        let name = if entry.name.is_empty() { &entry.key } else { &entry.name };
        let values = [("recipient", name.as_str()), ("pages", &pages), ("document", &facts.title)];
        let filled = |text: &str| {
            delivery::template(text, &values).map_err(|error| Undelivered::Here(error.to_string()))
        };
        let attachment = mail.attach.then(|| Attachment {
            name: self.file_name(facts),
            media_type: self.document.spooled.format.media_type().to_owned(),
            content,
        });
        let message = Message {
            id: format!("{}.{}@{}", self.id.rest(), self.number, host.name),
            date: SystemTime::from((host.clock)()),
            to: entry.address.clone(),
            name: entry.name.clone(),
            subject: filled(&mail.subject)?,
            text: filled(&mail.body)?,
            attachment,
        };
        let receipt = delivery::mail::send(&relay, &message).map_err(Undelivered::Error)?;
        Ok(receipt.response)
    }
}

fn extension(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Pdf => "pdf",
        DocumentFormat::Postscript => "ps",
        DocumentFormat::Text => "txt",
        DocumentFormat::PwgRaster => "pwg",
    }
}

/// The relay of the host's configuration, with its password as it is now.
fn relay(config: &MailConfig) -> anyhow::Result<Relay> {
    let text = |reference: &String| -> anyhow::Result<String> {
        let bytes = settings::secret::from_reference(reference).map_err(anyhow::Error::msg)?;
        String::from_utf8(bytes).context("the password of the relay is no text")
    };
    let password = config.password.as_ref().map(text).transpose()?;
    config.relay(password).context("the sender of this host's mail")
}

fn short(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
