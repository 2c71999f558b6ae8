//! Connections that break at each step, and servers that do not keep to the protocol.

use std::io::ErrorKind;
use std::time::Duration;

use delivery::mail::{self, Relay, Timeouts, Tls};
use delivery::{DeliveryError, Step};
use testkit::mail::Act::{Babble, Hear, HearMessage, Say, Take, Wait};
use testkit::mail::{Act, MailOptions, MailServer, MailTls, Scripted};

use crate::support::{assert_names_nobody, message, relay};

fn say(words: &str) -> Act {
    Say(words.as_bytes().to_vec())
}

/// The whole of a delivery that goes well, an act of the server and the step of ours it belongs to.
fn dialogue() -> Vec<(Act, Step)> {
    vec![
        (say("220 mx ESMTP\r\n"), Step::Greet),
        (Hear, Step::Greet),
        (say("250-mx\r\n250 SIZE 1000000\r\n"), Step::Greet),
        (Hear, Step::Sender),
        (say("250 2.1.0 ok\r\n"), Step::Sender),
        (Hear, Step::Recipient),
        (say("250 2.1.5 ok\r\n"), Step::Recipient),
        (Hear, Step::Announce),
        (say("354 go on\r\n"), Step::Announce),
        (HearMessage, Step::Verdict),
        (say("250 2.0.0 queued as 4711\r\n"), Step::Verdict),
    ]
}

/// Delivers to a server that does the first acts and then something else.
fn deliver(
    first: usize,
    then: Vec<Act>,
    change: impl FnOnce(&mut Relay),
) -> (DeliveryError, String) {
    let begin = dialogue().into_iter().take(first).map(|(act, _)| act);
    let mut server = Scripted::start(begin.chain(then).collect()).expect("a server");
    let mut relay = relay(server.port(), Tls::None, None);
    change(&mut relay);
    let error = mail::send(&relay, &message("hans@example.com")).expect_err("it breaks");
    assert_names_nobody(&error.without_names());
    (error, server.heard())
}

fn as_it_is(_: &mut Relay) {}

#[test]
fn the_script_itself_is_a_delivery_that_goes_well() {
    let script = dialogue().into_iter().map(|(act, _)| act).collect();
    let mut server = Scripted::start(script).expect("a server");
    let relay = relay(server.port(), Tls::None, None);
    let receipt = mail::send(&relay, &message("hans@example.com")).expect("it is delivered");
    assert_eq!(receipt.response, "250 2.0.0 4711");
    let heard = server.heard();
    assert!(
        heard.starts_with("EHLO [127.0.0.1]\r\nMAIL FROM:<decklog@example.com> SIZE="),
        "{heard}"
    );
    assert!(heard.contains("\r\nRCPT TO:<hans@example.com>\r\nDATA\r\n"), "{heard}");
}

#[test]
fn a_connection_that_breaks_before_the_end_has_brought_nothing_and_after_it_perhaps() {
    for (at, (act, step)) in dialogue().into_iter().enumerate() {
        let Say(_) = act else { continue };
        let (error, _) = deliver(at, vec![], as_it_is);
        match &error {
            DeliveryError::Lost { step: Step::Verdict, .. } => assert_eq!(step, Step::Verdict),
            DeliveryError::Unreached { step: seen, .. } => {
                assert_eq!(*seen, step);
                assert_ne!(step, Step::Verdict);
            }
            other => panic!("{step}: {other:?}"),
        }
        assert_eq!(error.may_have_arrived(), step == Step::Verdict);
        assert_eq!(error.may_be_tried_again(), step != Step::Verdict);
    }
}

/// Brings more than the buffers of a connection hold to a server that does this after `DATA`.
fn deliver_much(then: Vec<Act>) -> DeliveryError {
    let begin = dialogue().into_iter().take(9).map(|(act, _)| match act {
        Say(words) if words.ends_with(b"SIZE 1000000\r\n") => say("250 mx\r\n"),
        other => other,
    });
    let server = Scripted::start(begin.chain(then).collect()).expect("a server");
    let mut relay = relay(server.port(), Tls::None, None);
    relay.limit_bytes = u64::MAX;
    let mut message = message("hans@example.com");
    message.attachment.as_mut().expect("there is one").content = vec![7; 24 << 20];
    mail::send(&relay, &message).expect_err("it breaks")
}

#[test]
fn a_connection_that_breaks_within_the_message_has_brought_nothing() {
    let error = deliver_much(vec![Take(100_000)]);
    let DeliveryError::Unreached { step: Step::Content, .. } = error else { panic!("{error:?}") };
}

#[test]
fn a_server_that_has_had_enough_within_the_message_may_still_say_why() {
    let error = deliver_much(vec![Take(100_000), say("552 5.3.4 too much\r\n"), Take(1 << 20)]);
    match error {
        DeliveryError::Refused { what: Step::Content, permanent: true, .. } => {}
        // The system drops what was received when the connection is reset.
        DeliveryError::Unreached { step: Step::Content, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_says_nothing_is_left_in_time_and_what_was_sent_whole_is_lost() {
    let soon = Duration::from_millis(300);
    for (at, (act, step)) in dialogue().into_iter().enumerate() {
        let Say(_) = act else { continue };
        let (error, _) = deliver(at, vec![Wait], |relay| {
            let waits = &mut relay.timeouts;
            *if step == Step::Verdict { &mut waits.verdict } else { &mut waits.answer } = soon;
        });
        assert_eq!(error.may_have_arrived(), step == Step::Verdict, "{error:?}");
        assert!(error.without_names().contains("timed out"), "{error:?}");
    }
}

#[test]
fn a_server_that_speaks_slowly_and_without_end_is_left() {
    for words in ["250-x\r\n", "2", "250-"] {
        for at in [0, 2, 8] {
            let (error, _) = deliver(at, vec![Babble(words.as_bytes().to_vec())], as_it_is);
            assert!(matches!(error, DeliveryError::Malformed { .. }), "{words} {at}: {error:?}");
        }
        let (error, _) = deliver(10, vec![Babble(words.as_bytes().to_vec())], as_it_is);
        assert!(error.may_have_arrived(), "{words}: {error:?}");
    }
}

#[test]
fn everything_together_has_a_limit_of_time() {
    let total = Duration::from_millis(300);
    let (error, _) =
        deliver(3, vec![Wait], |relay| relay.timeouts = Timeouts { total, ..relay.timeouts });
    let DeliveryError::Unreached { kind: Some(ErrorKind::TimedOut), .. } = error else {
        panic!("{error:?}")
    };
    let (error, _) = deliver(3, vec![], |relay| relay.timeouts.total = Duration::ZERO);
    let DeliveryError::Unreached { step: Step::Connect, .. } = error else { panic!("{error:?}") };
}

#[test]
fn nonsense_before_the_end_is_not_understood_and_after_it_the_message_is_lost() {
    for words in
        ["hello\r\n", "999 x\r\n", "250-a\r\n251 b\r\n", "\u{fffd}\u{fffd}\r\n", "354 x\r\n"]
    {
        for (at, (act, step)) in dialogue().into_iter().enumerate() {
            let Say(_) = act else { continue };
            if step == Step::Announce && words.starts_with("354") {
                continue;
            }
            let (error, _) = deliver(at, vec![say(words)], as_it_is);
            assert_eq!(error.may_have_arrived(), step == Step::Verdict, "{words:?} {error:?}");
            let malformed = matches!(error, DeliveryError::Malformed { .. });
            assert_eq!(malformed, step != Step::Verdict, "{words:?} {error:?}");
        }
    }
}

#[test]
fn a_server_that_closes_with_421_may_be_asked_again_at_every_step() {
    for (at, (act, step)) in dialogue().into_iter().enumerate() {
        let Say(_) = act else { continue };
        let (error, _) =
            deliver(at, vec![say("421 4.3.2 <hans@example.com> closing\r\n")], as_it_is);
        let DeliveryError::Refused { what, permanent: false, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(what, step);
    }
}

#[test]
fn words_that_came_before_tls_are_not_taken_for_answers_under_it() {
    let real = MailServer::start(MailOptions { tls: MailTls::StartTls, ..MailOptions::default() })
        .expect("a server, for its certificate");
    let script = vec![
        say("220 mx ESMTP\r\n"),
        Hear,
        say("250-mx\r\n250 STARTTLS\r\n"),
        Hear,
        say("220 go on\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 queued as 1\r\n"),
        Wait,
    ];
    let server = Scripted::start(script).expect("a server");
    let relay = relay(server.port(), Tls::StartTls, Some(real.ca_file()));
    let error = mail::send(&relay, &message("hans@example.com")).expect_err("it is refused");
    assert!(matches!(error, DeliveryError::Malformed { step: Step::Secure, .. }), "{error:?}");
}

#[test]
fn what_a_server_kept_without_saying_so_is_lost_and_not_refused() {
    for tls in [MailTls::None, MailTls::Wrapper] {
        let server =
            MailServer::start(MailOptions { tls, ..MailOptions::default() }).expect("a server");
        let (tls, ca_file) = match tls {
            MailTls::None => (Tls::None, None),
            MailTls::Wrapper | MailTls::StartTls => (Tls::Wrapper, Some(server.ca_file())),
        };
        let relay = relay(server.port(), tls, ca_file);
        let error = mail::send(&relay, &message("gone@example.com")).expect_err("no answer");
        assert!(error.may_have_arrived() && !error.may_be_tried_again(), "{error:?}");
        assert_eq!(server.received().expect("files").len(), 1, "it has arrived");
    }
}

#[test]
fn nobody_listens_and_nothing_has_arrived() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let free = port.local_addr().expect("an address").port();
    drop(port);
    let error = mail::send(&relay(free, Tls::None, None), &message("hans@example.com"))
        .expect_err("nobody there");
    let said = "not reached: connecting: connection refused; nothing has arrived";
    assert_eq!(error.without_names(), said);
    let mut nowhere = relay(25, Tls::Wrapper, None);
    nowhere.host = "nowhere.invalid".to_owned();
    let error = mail::send(&nowhere, &message("hans@example.com")).expect_err("no such host");
    assert!(error.may_be_tried_again(), "{error:?}");
}
