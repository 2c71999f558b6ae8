//! What the tests share.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use delivery::mail::{Attachment, Login, Message, Relay, Timeouts, Tls};

/// Longer than anything takes that goes well.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Most bytes of a message.
pub(crate) const LIMIT: u64 = 10 << 20;

/// A relay on this machine.
pub(crate) fn relay(port: u16, tls: Tls, ca_file: Option<PathBuf>) -> Relay {
    Relay {
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        ca_file,
        login: None,
        hello: None,
        from: "decklog@example.com".parse().expect("an address"),
        from_name: "Decklog".to_owned(),
        timeouts: Timeouts { connect: LONG, answer: LONG, verdict: LONG, total: LONG },
        limit_bytes: LIMIT,
    }
}

/// The login of the server for tests.
pub(crate) fn login(password: &str) -> Option<Login> {
    Some(Login { user: "decklog".to_owned(), password: password.to_owned() })
}

/// A message with a document.
pub(crate) fn message(to: &str) -> Message {
    let content = b"%PDF-1.7 \x00\xff\r\n.\r\n..\n%%EOF".to_vec();
    let [name, media_type] = ["list.pdf", "application/pdf"].map(str::to_owned);
    Message {
        id: "7f3a.1@decklog.example".to_owned(),
        date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_000_000),
        to: to.parse().expect("an address"),
        name: "Hans Meier".to_owned(),
        subject: "Secret subject".to_owned(),
        text: "Hello\n".to_owned(),
        attachment: Some(Attachment { name, media_type, content }),
    }
}

/// Asserts that a text for evidence names nobody.
#[track_caller]
pub(crate) fn assert_names_nobody(text: &str) {
    let lower = text.to_lowercase();
    for word in ["@", "hans", "meier", "example", "secret", "127.0.0.1", "list.pdf", "/"] {
        assert!(!lower.contains(word), "{word:?} is in {text:?}");
    }
}
