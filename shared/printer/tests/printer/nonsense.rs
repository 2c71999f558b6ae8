//! Answers that are none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use printer::{JobId, Limits, Printer, PrinterError, Trust};

use crate::support::USER;

/// A server that answers one request so.
fn answering(answer: Vec<u8>) -> (JoinHandle<()>, Printer) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let uri = format!("ipp://{}/", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
        // Every request here ends with its attributes.
        while !(got.windows(4).any(|window| window == b"\r\n\r\n") && got.ends_with(&[3])) {
            let count = stream.read(&mut buffer).unwrap();
            got.extend(&buffer[..count]);
        }
        stream.write_all(&answer).ok();
    });
    let limits = Limits { answer_bytes: 10_000, ..Limits::default() };
    (thread, Printer::new(&uri, &Trust::System, limits).unwrap())
}

fn ipp(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn cancelled(answer: Vec<u8>) -> Result<(), PrinterError> {
    let (thread, printer) = answering(answer);
    let result = printer.cancel(JobId(1), USER);
    thread.join().unwrap();
    result
}

#[test]
fn nonsense_in_answer_to_a_change_leaves_it_unknown() {
    let ok: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 1, 3];
    cancelled(ipp("200 OK", ok)).unwrap();
    let html =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi".to_vec();
    for answer in [
        html,
        b"220 mail.example ESMTP\r\n".to_vec(),
        ipp("500 Internal Server Error", b""),
        ipp("503 Service Unavailable", ok),
        ipp("301 Moved Permanently", b""),
        ipp("204 No Content", b""),
        ipp("200 OK", b""),
        ipp("200 OK", b"hello, this is no printer"),
        ipp("200 OK", &ok[..8]),
        // Of another request.
        ipp("200 OK", &[1, 1, 0, 0, 0, 0, 0, 9, 3]),
        // A collection that is never closed, a value in no group, a text with a wrong length.
        ipp("200 OK", &[1, 1, 0, 0, 0, 0, 0, 1, 1, 0x34, 0, 1, b'a', 0, 0, 3]),
        ipp("200 OK", &[1, 1, 0, 0, 0, 0, 0, 1, 1, 0x35, 0, 1, b'a', 0, 4, 0, 9, b'e', b'n', 3]),
        ipp("200 OK", &vec![1; 20_000]),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let error = cancelled(answer).unwrap_err();
        assert!(matches!(error, PrinterError::Malformed { .. }), "{shown:.60}: {error}");
        assert!(error.is_unknown());
    }
}

#[test]
fn headers_without_end_are_nonsense() {
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X-More: and more\r\n".repeat(100_000));
    let error = cancelled(endless.into_bytes()).unwrap_err();
    assert!(matches!(error, PrinterError::Malformed { .. }), "{error}");
}

#[test]
fn a_refusal_is_told_with_its_name_and_what_it_is_about() {
    let message: &[u8] = &[
        &[1, 1, 4, 0x0B, 0, 0, 0, 1, 1, 0x41, 0, 14],
        &b"status-message"[..],
        &[0, 3],
        b"bad",
        &[5, 0x10, 0, 6],
        b"copies",
        &[0, 0, 3],
    ]
    .concat();
    let error = cancelled(ipp("200 OK", message)).unwrap_err();
    let PrinterError::Refused { status, message, .. } = &error else { panic!("{error}") };
    assert_eq!(status, "client-error-attributes-or-values-not-supported");
    assert_eq!(message.as_deref(), Some("bad: copies"));
    assert!(!error.is_unknown());
}

#[test]
fn who_is_not_known_or_in_the_wrong_place_is_refused() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "426 Upgrade Required"] {
        let error = cancelled(ipp(status, b"")).unwrap_err();
        let PrinterError::Refused { status: said, .. } = &error else { panic!("{error}") };
        assert_eq!(said.strip_prefix("http-"), status.split(' ').next());
    }
}

#[test]
fn a_printer_that_does_not_say_its_state_is_not_believed() {
    let (thread, printer) = answering(ipp("200 OK", &[1, 1, 0, 0, 0, 0, 0, 1, 4, 3]));
    let error = printer.look().unwrap_err();
    thread.join().unwrap();
    assert!(matches!(error, PrinterError::Malformed { .. }), "{error}");
}

#[test]
fn an_answer_about_another_job_is_not_believed() {
    let about = |id: u8| {
        let parts: [&[u8]; 7] = [
            &[1, 1, 0, 0, 0, 0, 0, 1, 2, 0x21, 0, 6],
            b"job-id",
            &[0, 4, 0, 0, 0, id],
            &[0x23, 0, 9],
            b"job-state",
            &[0, 4, 0, 0, 0, 9],
            &[3],
        ];
        let (thread, printer) = answering(ipp("200 OK", &parts.concat()));
        let told = printer.job(JobId(7));
        thread.join().unwrap();
        told
    };
    assert_eq!(about(7).unwrap().id, JobId(7));
    let error = about(8).unwrap_err();
    assert!(matches!(error, PrinterError::Malformed { .. }), "{error}");
}

#[test]
fn nobody_sends_us_to_another_printer() {
    let another = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    another.set_nonblocking(true).unwrap();
    for status in ["301 Moved Permanently", "303 See Other", "307 Temporary Redirect"] {
        let to = another.local_addr().unwrap();
        let head = format!(
            "HTTP/1.1 {status}\r\nLocation: http://{to}/\r\nContent-Type: application/ipp\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let error = cancelled(head.into_bytes()).unwrap_err();
        assert!(matches!(error, PrinterError::Malformed { .. }), "{status}: {error}");
        let knocked = another.accept().map_err(|error| error.kind());
        assert_eq!(knocked.unwrap_err(), std::io::ErrorKind::WouldBlock, "{status}");
    }
}
