//! Mail to a server that nobody here wrote, read by somebody else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use delivery::mail::{self, Message, Relay, Tls};
use delivery::{DeliveryError, Step};
use serde_json::{Value, json};
use testkit::mail::{MailOptions, MailServer, MailTls};

use crate::support::{assert_names_nobody, login, message, relay};

fn start(tls: MailTls) -> (MailServer, Relay) {
    start_with(MailOptions { tls, ..MailOptions::default() })
}

fn start_with(options: MailOptions) -> (MailServer, Relay) {
    let server = MailServer::start(options).expect("a server");
    let tls = match options.tls {
        MailTls::None => Tls::None,
        MailTls::StartTls => Tls::StartTls,
        MailTls::Wrapper => Tls::Wrapper,
    };
    let ca_file = (tls != Tls::None).then(|| server.ca_file());
    let relay = relay(server.port(), tls, ca_file);
    (server, relay)
}

/// Sends a message that arrives; what is read in it.
fn read_back(server: &MailServer, relay: &Relay, message: &Message) -> Value {
    mail::send(relay, message).expect("it is delivered");
    let received = server.received().expect("files");
    let read = received.last().expect("a message").parsed().expect("a message");
    // A name of one word with a dot is written in the form that RFC 5322 §4.1 calls obsolete and has everybody read.
    let told = read["defects"].as_array().expect("a list").iter();
    assert_eq!(told.filter(|defect| **defect != json!("period in 'phrase'")).count(), 0, "{read}");
    assert_eq!((&read["bare"], &read["ascii"]), (&json!(0), &json!(true)));
    assert!(read["longest"].as_u64().expect("a number") <= 998, "{read}");
    read
}

fn content(part: &Value) -> Vec<u8> {
    BASE64.decode(part["content"].as_str().expect("a text")).expect("base64")
}

#[test]
fn a_document_arrives_as_it_was_with_a_receipt() {
    for tls in [MailTls::None, MailTls::StartTls, MailTls::Wrapper] {
        let (server, relay) = start(tls);
        let message = message("hans@example.com");
        let receipt = mail::send(&relay, &message).expect("it is delivered");
        assert_eq!(receipt.response, "250 2.0.0 Q00001");
        let received = server.received().expect("files");
        let [one] = received.as_slice() else { panic!("one message, not {}", received.len()) };
        assert_eq!(one.envelope["tls"], json!(tls != MailTls::None));
        assert_eq!(one.envelope["from"], json!("decklog@example.com"));
        assert_eq!(one.envelope["to"], json!(["hans@example.com"]));
        assert_eq!(one.envelope["hello"], json!("[127.0.0.1]"));
        let read = one.parsed().expect("a message");
        assert_eq!(read["subject"], json!("Secret subject"));
        assert_eq!(read["id"], json!("<7f3a.1@decklog.example>"));
        assert_eq!(read["auto"], json!("auto-generated"));
        assert_eq!(read["date"], json!("2026-11-30T00:53:20+00:00"));
        assert_eq!(read["from"], json!({"name": "Decklog", "address": "decklog@example.com"}));
        assert_eq!(read["to"], json!({"name": "Hans Meier", "address": "hans@example.com"}));
        assert_eq!(read["parts"][0]["type"], json!("text/plain"));
        assert_eq!(content(&read["parts"][0]), b"Hello\r\n");
        let file = &read["parts"][1];
        assert_eq!(file["disposition"], json!("attachment"));
        assert_eq!(file["filename"], json!("list.pdf"));
        assert_eq!(file["type"], json!("application/pdf"));
        assert_eq!(Some(content(file)), message.attachment.map(|a| a.content));
        assert_eq!((&read["defects"], &read["bare"]), (&json!([]), &json!(0)));
    }
}

#[test]
fn names_subjects_and_file_names_in_any_letters_are_read_as_they_were_written() {
    let (server, relay) = start(MailTls::None);
    let [mixed, plain] = ["lange Wörter und kurze ".repeat(16), "plain words go on ".repeat(20)];
    let words = [
        "Prüfung der Übersicht",
        "日本語の件名がとても長いのでいくつもの行に折り返される必要がありますし、それでも読める必要があります",
        "Meier, Hans \"der Ältere\" (Revision) <x@y>; \\ a:b",
        "Meier, Hans \"der Alte\" (Revision) <x@y>; \\ a:b",
        "O'Neill",
        "a.b",
        "🖨 Druck",
        mixed.trim_end(),
        plain.trim_end(),
        &"x".repeat(400),
    ];
    for word in words {
        let mut message = message("hans@bücher.example");
        message.subject = word.to_owned();
        message.name = word.to_owned();
        let file = message.attachment.as_mut().expect("there is one");
        file.name = word.replace(['/', '\\'], "_");
        let named = file.name.clone();
        let read = read_back(&server, &relay, &message);
        assert_eq!(read["subject"], json!(word));
        let to = json!({"name": word, "address": "hans@xn--bcher-kva.example"});
        assert_eq!(read["to"], to);
        assert_eq!(read["parts"][1]["filename"], json!(named));
    }
}

#[test]
fn a_text_arrives_as_it_was_whatever_lines_it_has() {
    let (server, relay) = start(MailTls::None);
    let long = "ä".repeat(5000);
    for text in
        ["", ".", ".\n..\n.x\n", "From here\n", &long, "a \t\n\n\nb", "--=_decklog_part--\nx"]
    {
        let mut message = message("hans@example.com");
        message.text = text.to_owned();
        for attachment in [message.attachment.clone(), None] {
            message.attachment = attachment;
            let read = read_back(&server, &relay, &message);
            let parts = read["parts"].as_array().expect("parts").len();
            assert_eq!(parts, 1 + usize::from(message.attachment.is_some()));
            let there = String::from_utf8(content(&read["parts"][0])).expect("UTF-8");
            assert_eq!(there.replace("\r\n", "\n").trim_end(), text.trim_end());
        }
    }
}

#[test]
fn a_message_of_some_megabytes_arrives_whole() {
    let (server, relay) = start(MailTls::Wrapper);
    let mut message = message("hans@example.com");
    let file = message.attachment.as_mut().expect("there is one");
    file.content = (0..6_000_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
    let bytes = file.content.clone();
    let read = read_back(&server, &relay, &message);
    assert!(content(&read["parts"][1]) == bytes);
}

#[test]
fn a_refusal_says_which_step_and_whether_it_may_be_tried_again() {
    let (server, relay) = start(MailTls::None);
    for (who, step, permanent, said) in [
        (
            "unknown",
            Step::Recipient,
            true,
            "for good: naming the recipient: 550 5.1.1 (mailbox unknown)",
        ),
        ("full", Step::Recipient, false, "for now: naming the recipient: 452 4.2.2 (mailbox full)"),
        (
            "relay",
            Step::Recipient,
            true,
            "for good: naming the recipient: 554 5.7.1 (not allowed: relay denied or policy)",
        ),
        (
            "spam",
            Step::Verdict,
            true,
            "for good: waiting for the verdict: 554 5.7.1 (not allowed: relay denied or policy)",
        ),
        (
            "late",
            Step::Verdict,
            false,
            "for now: waiting for the verdict: 451 4.3.0 (server's error for now, or greylisted)",
        ),
    ] {
        let address = format!("{who}@example.com");
        let error = mail::send(&relay, &message(&address)).expect_err(who);
        let DeliveryError::Refused { what, permanent: for_good, message, .. } = &error else {
            panic!("{who}: {error:?}")
        };
        assert_eq!((*what, *for_good), (step, permanent), "{who}");
        assert!(message.contains(&address), "the log has the server's words: {message}");
        assert_eq!(error.may_be_tried_again(), !permanent);
        assert_eq!(error.without_names(), format!("refused {said}"));
        assert_names_nobody(&error.without_names());
    }
    assert!(server.received().expect("files").is_empty());
}

#[test]
fn a_greylisted_message_arrives_with_the_next_try() {
    let (server, relay) = start(MailTls::None);
    let message = message("grey@example.com");
    let error = mail::send(&relay, &message).expect_err("not at first");
    assert!(error.may_be_tried_again() && error.without_names().contains("greylisted"), "{error}");
    mail::send(&relay, &message).expect("it is taken now");
    assert_eq!(server.received().expect("files").len(), 1);
}

#[test]
fn a_message_that_the_relay_would_not_take_is_not_sent() {
    let (server, relay) = start_with(MailOptions { size: Some(2000), ..MailOptions::default() });
    let mut message = message("hans@example.com");
    message.attachment.as_mut().expect("there is one").content = vec![7; 3000];
    let error = mail::send(&relay, &message).expect_err("too large");
    let DeliveryError::TooLarge { bytes: 4000.., limit: 2000 } = error else { panic!("{error:?}") };
    assert_names_nobody(&error.without_names());
    let own = Relay { limit_bytes: 3500, ..relay };
    let error = mail::send(&own, &message).expect_err("too large");
    assert!(matches!(error, DeliveryError::TooLarge { bytes: 4000.., limit: 3500 }), "{error:?}");
    assert!(server.received().expect("files").is_empty());
}

#[test]
fn a_relay_lets_in_who_knows_the_password() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let options = MailOptions {
            tls: MailTls::StartTls,
            login: Some(mechanism),
            ..MailOptions::default()
        };
        let (server, mut relay) = start_with(options);
        let message = message("hans@example.com");
        let error = mail::send(&relay, &message).expect_err("without a login");
        assert!(error.to_string().contains("530 5.7.0"), "{error}");
        relay.login = login("donkey");
        let error = mail::send(&relay, &message).expect_err("with a wrong password");
        assert_eq!(error.without_names(), "refused for good: logging in: 535 5.7.8 (login wrong)");
        relay.login = login("horse");
        mail::send(&relay, &message).expect("it is delivered");
        let received = server.received().expect("files");
        assert_eq!(received[0].envelope["login"], json!("decklog"));
        assert_eq!(format!("{:?}", relay.login), "Some(Login { user: \"decklog\", .. })");
    }
}

#[test]
fn a_relay_that_cannot_prove_who_it_is_gets_nothing() {
    for tls in [MailTls::StartTls, MailTls::Wrapper] {
        let (server, relay) = start(tls);
        let (other, _) = start(tls);
        for wrong in [
            Relay { ca_file: Some(other.ca_file()), ..relay.clone() },
            Relay { host: "127.0.0.2".to_owned(), ..relay.clone() },
        ] {
            let error = mail::send(&wrong, &message("hans@example.com")).expect_err("not trusted");
            assert!(error.may_be_tried_again(), "{error:?}");
        }
        assert!(server.received().expect("files").is_empty());
    }
}

#[test]
fn a_relay_without_the_encryption_that_is_asked_for_gets_nothing() {
    let (plain, relay) = start(MailTls::None);
    let safe = Relay { tls: Tls::StartTls, ca_file: None, ..relay };
    let error = mail::send(&safe, &message("hans@example.com")).expect_err("no STARTTLS");
    let DeliveryError::Unreached { step: Step::Secure, .. } = error else { panic!("{error:?}") };
    assert!(plain.received().expect("files").is_empty());
}

#[test]
fn nothing_goes_unencrypted_to_another_machine() {
    let mut far = relay(25, Tls::None, None);
    far.host = "192.0.2.1".to_owned();
    let error = mail::send(&far, &message("hans@example.com")).expect_err("not loopback");
    assert!(matches!(error, DeliveryError::BadSettings { .. }), "{error:?}");
}
