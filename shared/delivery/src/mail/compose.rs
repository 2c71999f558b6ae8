//! The message as bytes. They are ASCII and the same for each try, in lines that every relay takes.

use std::time::{Duration, SystemTime};

use lettre::message::header::{
    ContentDisposition, ContentTransferEncoding, ContentType, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};

use super::{Attachment, Message, Relay};
use crate::error::check_size;
use crate::{Address, DeliveryError};

/// Most bytes of a name or a subject.
const MOST_LINE: usize = 400;
/// Most bytes of the text.
const MOST_TEXT: usize = 1 << 20;
/// Most bytes of an identifier.
const MOST_ID: usize = 250;
/// The year 9999 is over: the library cannot write later dates.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);
/// `=_` is in no line that is encoded as quoted-printable or base64 (RFC 2045 §6.7).
const BOUNDARY: &str = "=_decklog_part";

/// The message, checked and written.
pub(super) fn compose(relay: &Relay, message: &Message) -> Result<Vec<u8>, DeliveryError> {
    check(relay, message)?;
    let builder = lettre::Message::builder()
        .from(mailbox(&relay.from_name, &relay.from))
        .to(mailbox(&message.name, &message.to))
        .subject(&message.subject)
        .date(message.date)
        .message_id(Some(format!("<{}>", message.id)))
        .raw_header(written_by_a_program());
    let built = match &message.attachment {
        None => builder.singlepart(text(&message.text)?),
        Some(attachment) => {
            let parts = MultiPart::mixed().boundary(BOUNDARY);
            let file = file(attachment)?;
            builder.multipart(parts.singlepart(text(&message.text)?).singlepart(file))
        }
    };
    let built = built.map_err(|error| DeliveryError::bad_message("message", error.to_string()))?;
    Ok(built.formatted())
}

fn mailbox(name: &str, address: &Address) -> Mailbox {
    let name = (!name.is_empty()).then(|| name.to_owned());
    Mailbox::new(name, address.inner().clone())
}

/// Keeps out-of-office programs from answering (RFC 3834 §5).
fn written_by_a_program() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

fn text(text: &str) -> Result<SinglePart, DeliveryError> {
    let quoted = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(text.to_owned(), quoted)
        .map_err(|_| DeliveryError::bad_message("text", "it cannot be encoded"))?;
    Ok(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))
}

fn file(attachment: &Attachment) -> Result<SinglePart, DeliveryError> {
    let media_type = ContentType::parse(&attachment.media_type).map_err(|_| {
        DeliveryError::bad_message("attachment's media type", "it is not made like one")
    })?;
    let body = Body::new_with_encoding(attachment.content.clone(), ContentTransferEncoding::Base64)
        .map_err(|_| DeliveryError::bad_message("attachment", "it cannot be encoded"))?;
    let named = ContentDisposition::attachment(&attachment.name);
    Ok(SinglePart::builder().header(named).header(media_type).body(body))
}

fn check(relay: &Relay, message: &Message) -> Result<(), DeliveryError> {
    check_line("sender's name", &relay.from_name)?;
    check_line("recipient's name", &message.name)?;
    check_line("subject", &message.subject)?;
    check_id(&message.id)?;
    check_date(message.date)?;
    if message.text.len() > MOST_TEXT {
        return Err(DeliveryError::bad_message("text", format!("it has over {MOST_TEXT} bytes")));
    }
    let unseen = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if message.text.contains(unseen) {
        return Err(DeliveryError::bad_message("text", "it has a control character"));
    }
    let Some(attachment) = &message.attachment else { return Ok(()) };
    check_line("attachment's name", &attachment.name)?;
    if attachment.name.is_empty() || attachment.name.contains(['/', '\\']) {
        return Err(DeliveryError::bad_message("attachment's name", "it is no name of a file"));
    }
    check_media_type(&attachment.media_type)?;
    check_size(attachment.content.len(), relay.limit_bytes)
}

/// What stands in one line of the head.
fn check_line(what: &'static str, line: &str) -> Result<(), DeliveryError> {
    if line.len() > MOST_LINE {
        return Err(DeliveryError::bad_message(what, format!("it has over {MOST_LINE} bytes")));
    }
    if line.chars().any(char::is_control) {
        return Err(DeliveryError::bad_message(what, "it has a line break or control character"));
    }
    // Readers would take it for something encoded (RFC 2047 §2) and show something else.
    if line.contains("=?") {
        return Err(DeliveryError::bad_message(what, "it has =? in it"));
    }
    Ok(())
}

fn check_media_type(media_type: &str) -> Result<(), DeliveryError> {
    let bad = |why| Err(DeliveryError::bad_message("attachment's media type", why));
    if media_type.len() > MOST_LINE || !media_type.is_ascii() {
        return bad("it is not made like one");
    }
    // What has parts of its own is not encoded (RFC 2045 §6.4), and a file always is.
    let lower = media_type.trim_start().to_ascii_lowercase();
    if lower.starts_with("multipart/") || lower.starts_with("message/") {
        return bad("it is of something with parts; use application/octet-stream");
    }
    Ok(())
}

/// RFC 5322 §3.6.4: two parts that are dot-atoms.
fn check_id(id: &str) -> Result<(), DeliveryError> {
    let of_atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    let part =
        |part: &str| part.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(of_atom));
    let good = id.len() <= MOST_ID && id.split_once('@').is_some_and(|(l, r)| part(l) && part(r));
    if good {
        return Ok(());
    }
    Err(DeliveryError::bad_message("message's identifier", "it is not made like left@right"))
}

fn check_date(date: SystemTime) -> Result<(), DeliveryError> {
    let since = date.duration_since(SystemTime::UNIX_EPOCH);
    if since.is_ok_and(|since| since <= LAST_DATE) {
        return Ok(());
    }
    Err(DeliveryError::bad_message("date", "it is before 1970 or after 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Timeouts, Tls};

    fn relay() -> Relay {
        Relay {
            host: "localhost".to_owned(),
            port: 25,
            tls: Tls::None,
            ca_file: None,
            login: None,
            hello: None,
            from: "decklog@example.com".parse().expect("an address"),
            from_name: String::new(),
            timeouts: Timeouts::default(),
            limit_bytes: 1000,
        }
    }

    fn message() -> Message {
        let content = vec![0; 10];
        let media_type = "application/pdf".to_owned();
        let name = "a.pdf".to_owned();
        Message {
            id: "a.1@decklog.example".to_owned(),
            date: SystemTime::UNIX_EPOCH,
            to: "hans@example.com".parse().expect("an address"),
            name: String::new(),
            subject: "Daily".to_owned(),
            text: "Hello\n".to_owned(),
            attachment: Some(Attachment { name, media_type, content }),
        }
    }

    fn said(change: impl FnOnce(&mut Message)) -> String {
        let mut message = message();
        change(&mut message);
        compose(&relay(), &message).map(drop).expect_err("it is refused").to_string()
    }

    #[test]
    fn the_same_message_is_written_the_same_each_time() {
        let once = compose(&relay(), &message()).expect("it is written");
        assert_eq!(once, compose(&relay(), &message()).expect("it is written"));
        assert!(once.is_ascii() && once.ends_with(b"\r\n"));
    }

    #[test]
    fn nobody_writes_lines_into_the_head() {
        let evil = "Hi\r\nBcc: eve@example.com";
        assert!(said(|m| m.subject = evil.to_owned()).contains("the subject cannot be sent"));
        assert!(said(|m| m.name = evil.to_owned()).contains("the recipient's name cannot be"));
        assert!(said(|m| m.id = "a@b>\r\nBcc: <eve@example.com".to_owned()).contains("identifier"));
        assert!(said(|m| m.text = "\u{0}".to_owned()).contains("the text cannot be sent"));
        let attached = |change: fn(&mut Attachment)| {
            said(|m| change(m.attachment.as_mut().expect("there is one")))
        };
        assert!(attached(|a| a.name = "a\r\nb.pdf".to_owned()).contains("attachment's name"));
        assert!(attached(|a| a.name = "../a.pdf".to_owned()).contains("no name of a file"));
        assert!(
            attached(|a| a.media_type = "text/plain\r\nX: y".to_owned()).contains("media type")
        );
        assert!(attached(|a| a.media_type = "pdf".to_owned()).contains("media type"));
        assert!(attached(|a| a.media_type = "Multipart/mixed".to_owned()).contains("with parts"));
        assert!(attached(|a| a.content = vec![0; 1001]).starts_with("1001 bytes are more"));
    }

    #[test]
    fn what_cannot_be_written_is_refused_and_nothing_panics() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert!(said(|m| m.date = before).contains("the date cannot be sent"));
        let after = SystemTime::UNIX_EPOCH + LAST_DATE + Duration::from_secs(1);
        assert!(said(|m| m.date = after).contains("the date cannot be sent"));
        assert!(said(|m| m.subject = "x".repeat(MOST_LINE + 1)).contains("over 400 bytes"));
        assert!(said(|m| m.subject = "=?utf-8?q?x?=".to_owned()).contains("=? in it"));
        assert!(said(|m| m.text = "x".repeat(MOST_TEXT + 1)).contains("over 1048576 bytes"));
        for id in ["", "a", "a@", "a b@c", "<a@b>", "a@b@c"] {
            assert!(said(|m| m.id = id.to_owned()).contains("left@right"), "{id}");
        }
    }
}
