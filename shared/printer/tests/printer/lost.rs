//! A connection that breaks, and what can have arrived by then.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use printer::{JobId, Limits, Operation, Printer, PrinterError};

use crate::support::{self, PATIENCE, TEXT, USER, client};

fn listener() -> (TcpListener, Printer) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let printer = client(&uri(listener.local_addr().unwrap()));
    (listener, printer)
}

fn uri(address: SocketAddr) -> String {
    format!("ipp://{address}/ipp/print")
}

/// A server for one connection.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> (JoinHandle<()>, Printer) {
    let (listener, printer) = listener();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (thread, printer)
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let head = read_head(stream).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    body
}

/// A document whose first byte is read only when the server has broken off.
struct Waiting {
    begun: Sender<()>,
    broken: Receiver<()>,
}

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.begun.send(()).ok();
        self.broken.recv().ok();
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

/// Sends a document of a gigabyte to a server that breaks off when the document is about to be read.
fn send_to(before: impl FnOnce(&mut TcpStream) + Send + 'static) -> PrinterError {
    let (begun, has_begun) = channel();
    let (is_broken, broken) = channel();
    let (thread, printer) = server(move |mut stream| {
        before(&mut stream);
        has_begun.recv().unwrap();
        drop(stream);
        drop(is_broken);
    });
    let mut document = Waiting { begun, broken };
    let error = printer.send(JobId(1), USER, TEXT, &mut document, 1 << 30).unwrap_err();
    thread.join().unwrap();
    error
}

fn is_lost(error: &PrinterError) -> bool {
    matches!(error, PrinterError::Lost { .. })
}

fn is_unreached(error: &PrinterError) -> bool {
    matches!(error, PrinterError::Unreached { .. })
}

#[test]
fn nobody_listens_so_nothing_can_have_arrived() {
    let (listener, printer) = listener();
    drop(listener);
    let error = printer.cancel(JobId(1), USER).unwrap_err();
    assert!(is_unreached(&error) && !error.is_unknown(), "{error}");
}

#[test]
fn a_name_nobody_knows_is_not_reached() {
    let error = client("ipp://printer.invalid/ipp/print").cancel(JobId(1), USER).unwrap_err();
    assert!(is_unreached(&error), "{error}");
}

#[test]
fn a_connection_that_is_closed_before_it_is_accepted_is_lost() {
    // The kernel has taken the connection, and what was sent, in the server's name.
    let (listener, printer) = listener();
    let (begun, has_begun) = channel();
    let (is_broken, broken) = channel();
    let thread = std::thread::spawn(move || {
        has_begun.recv().unwrap();
        drop(listener);
        drop(is_broken);
    });
    let mut document = Waiting { begun, broken };
    let error = printer.send(JobId(1), USER, TEXT, &mut document, 1 << 30).unwrap_err();
    thread.join().unwrap();
    assert!(is_lost(&error) && error.is_unknown(), "{error}");
}

#[test]
fn a_connection_that_is_closed_with_nothing_read_is_lost() {
    let error = send_to(|_| {});
    assert!(is_lost(&error) && error.is_unknown(), "{error}");
}

#[test]
fn a_connection_that_is_closed_after_the_headers_is_lost() {
    let error = send_to(|stream| drop(read_head(stream)));
    assert!(is_lost(&error) && error.is_unknown(), "{error}");
}

#[test]
fn a_connection_that_is_closed_in_the_middle_of_a_document_is_lost() {
    let (thread, printer) = server(|mut stream| {
        read_head(&mut stream);
        io::copy(&mut stream.take(300_000), &mut io::sink()).unwrap();
    });
    let error = printer.send(JobId(1), USER, TEXT, &mut io::repeat(b'x'), 1 << 30).unwrap_err();
    thread.join().unwrap();
    assert!(is_lost(&error) && error.is_unknown(), "{error}");
}

#[test]
fn a_connection_that_is_closed_after_the_whole_request_is_lost() {
    let (thread, printer) = server(|mut stream| drop(read_all(&mut stream)));
    let error = support::send(&printer, JobId(1), b"document").unwrap_err();
    thread.join().unwrap();
    assert!(is_lost(&error) && error.is_unknown(), "{error}");
    let (thread, printer) = server(|mut stream| drop(read_all(&mut stream)));
    let error = printer.cancel(JobId(1), USER).unwrap_err();
    thread.join().unwrap();
    assert!(is_lost(&error) && error.is_unknown(), "{error}");
}

#[test]
fn an_answer_that_is_cut_anywhere_is_lost() {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: 9\r\n\r\n\
        \x01\x01\0\0\0\0\0\x01\x03";
    for length in [0, 5, 20, ANSWER.len() - 9, ANSWER.len() - 1] {
        let (thread, printer) = server(move |mut stream| {
            read_all(&mut stream);
            stream.write_all(&ANSWER[..length]).unwrap();
        });
        let error = printer.hold(JobId(1), USER).unwrap_err();
        thread.join().unwrap();
        assert!(is_lost(&error) && error.is_unknown(), "{length}: {error}");
    }
    let (thread, printer) = server(|mut stream| {
        read_all(&mut stream);
        stream.write_all(ANSWER).unwrap();
    });
    printer.hold(JobId(1), USER).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_question_whose_answer_is_lost_leaves_nothing_unknown() {
    let (thread, printer) = server(|mut stream| drop(read_all(&mut stream)));
    let error = printer.look().unwrap_err();
    thread.join().unwrap();
    assert!(is_lost(&error) && !error.is_unknown(), "{error}");
}

#[test]
fn a_printer_that_says_nothing_is_lost_after_the_silence() {
    let (listener, _) = listener();
    let silence = Duration::from_millis(50);
    let limits = Limits { silence, document_silence: silence, ..Limits::default() };
    let uri = uri(listener.local_addr().unwrap());
    let printer = Printer::new(&uri, &printer::Trust::System, limits).unwrap();
    let error = printer.release(JobId(1), USER).unwrap_err();
    assert!(is_lost(&error), "{error}");
    // And one that takes nothing more of a document, as without paper.
    let error = printer.send(JobId(1), USER, TEXT, &mut io::repeat(b'x'), 1 << 30).unwrap_err();
    assert!(is_lost(&error), "{error}");
}

#[test]
fn a_printer_that_only_trickles_is_lost_too() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let uri = uri(listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        read_all(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n\r\n").unwrap();
        let began = Instant::now();
        while stream.write_all(b"x").is_ok() {
            assert!(began.elapsed() < PATIENCE, "somebody listens for ever");
            std::thread::yield_now();
        }
    });
    let silence = Duration::from_millis(200);
    let limits = Limits { silence, answer_bytes: 64 << 20, ..Limits::default() };
    let printer = Printer::new(&uri, &printer::Trust::System, limits).unwrap();
    let error = printer.release(JobId(1), USER).unwrap_err();
    assert!(is_lost(&error), "{error}");
    drop(printer);
    thread.join().unwrap();
}

#[test]
fn an_encrypted_connection_on_which_nobody_speaks_is_not_reached() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let uri = format!("ipps://{}/ipp/print", listener.local_addr().unwrap());
    let limits = Limits { silence: Duration::from_millis(50), ..Limits::default() };
    let printer = Printer::new(&uri, &printer::Trust::System, limits).unwrap();
    let error = printer.cancel(JobId(1), USER).unwrap_err();
    assert!(is_unreached(&error), "{error}");
}

#[test]
fn an_encrypted_connection_that_is_closed_at_once_is_not_reached() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let uri = format!("ipps://{}/ipp/print", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let error = client(&uri).cancel(JobId(1), USER).unwrap_err();
    thread.join().unwrap();
    assert!(is_unreached(&error), "{error}");
}

#[test]
fn a_document_that_is_shorter_or_longer_than_said_never_arrives_whole() {
    for (document, length) in [(&b"short"[..], 10), (&b"far too long"[..], 10)] {
        let (thread, printer) = server(|mut stream| {
            let head = read_head(&mut stream).to_ascii_lowercase();
            let said = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let said: usize = said.unwrap().parse().unwrap();
            let mut body = Vec::new();
            stream.read_to_end(&mut body).ok();
            assert!(body.len() < said, "{} of {said}", body.len());
        });
        let error = printer.send(JobId(1), USER, TEXT, &mut &*document, length).unwrap_err();
        thread.join().unwrap();
        let PrinterError::Lost { operation: Operation::SendDocument, why, .. } = &error else {
            panic!("{error}");
        };
        assert!(why.contains("document"), "{why}");
    }
}

#[test]
fn a_document_is_sent_as_it_is_read() {
    // More than anybody would keep in memory, and not a byte of it is.
    const LENGTH: u64 = 3 << 30;
    let (thread, printer) = server(|mut stream| {
        let head = read_head(&mut stream).to_ascii_lowercase();
        let said = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let said: u64 = said.unwrap().parse().unwrap();
        assert!(said > LENGTH && !head.contains("chunked"));
        io::copy(&mut (&stream).take(1 << 20), &mut io::sink()).unwrap();
    });
    let error = printer.send(JobId(1), USER, TEXT, &mut io::repeat(b'x'), LENGTH).unwrap_err();
    thread.join().unwrap();
    assert!(is_lost(&error), "{error}");
}
