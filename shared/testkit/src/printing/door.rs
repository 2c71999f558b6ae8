//! Who knocks at the printer, and what it hears.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;

use super::http::{self, Body, Stream};
use super::message::Message;
use super::paper::Cut;
use super::press::{Press, Whim};
use super::serve::{self, operation};
use super::tls;

/// Most bytes of a document.
const MOST_DOCUMENT: u64 = 64 << 20;

/// What the printer's threads share.
pub(super) struct Shared {
    press: Mutex<Press>,
    changed: Condvar,
    connections: Mutex<HashMap<u64, TcpStream>>,
    tls: Option<Arc<ServerConfig>>,
}

impl Shared {
    pub(super) fn new(press: Press, tls: Option<Arc<ServerConfig>>) -> Self {
        let connections = Mutex::new(HashMap::new());
        Shared { press: Mutex::new(press), changed: Condvar::new(), connections, tls }
    }

    /// Changes something and tells the threads.
    pub(super) fn change(&self, how: impl FnOnce(&mut Press)) {
        how(&mut self.press());
        self.changed.notify_all();
    }

    /// Breaks every connection.
    pub(super) fn hang_up(&self) {
        for stream in lock(&self.connections).values() {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    pub(super) fn press(&self) -> MutexGuard<'_, Press> {
        lock(&self.press)
    }

    /// Prints until it is switched off.
    pub(super) fn print(&self) {
        let mut press = self.press();
        while press.on {
            if press.step() {
                self.changed.notify_all();
            } else {
                press = self.changed.wait(press).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Takes connections until it is switched off.
    pub(super) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        for stream in listener.incoming() {
            if !self.press().on {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Ok(second) = stream.try_clone() else { continue };
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            lock(&self.connections).insert(number, second);
            let shared = Arc::clone(self);
            std::thread::spawn(move || {
                // A client that goes away is what tests are about.
                shared.serve(stream).ok();
                if let Some(stream) = lock(&shared.connections).remove(&number) {
                    stream.shutdown(Shutdown::Both).ok();
                }
            });
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let stream: Box<dyn Stream> = match &self.tls {
            Some(config) => Box::new(tls::accept(config, stream)?),
            None => Box::new(stream),
        };
        let mut stream = BufReader::new(stream);
        let Some(head) = http::read_head(&mut stream)? else { return Ok(()) };
        if !self.knows(head.authorization.as_deref()) {
            return http::answer(stream.get_mut(), "401 Unauthorized", b"", None);
        }
        let mut body = Body::new(&head, &mut stream)?;
        let request = Message::read(&mut body)?;
        let whim = {
            let mut press = self.press();
            press.requests.push(request.clone());
            press.whims.remove(&request.code)
        };
        let Some(answer) = self.answer(&request, &mut body, whim.as_ref())? else { return Ok(()) };
        let cut = match whim {
            Some(Whim::Cut(Cut::InAnswer(bytes))) => Some(bytes),
            Some(Whim::Cut(_) | Whim::Refuse(_)) | None => None,
        };
        http::answer(stream.get_mut(), "200 OK", &answer.write(), cut)
    }

    fn knows(&self, authorization: Option<&str>) -> bool {
        let Some((user, password)) = self.press().setup.login.clone() else { return true };
        let given = authorization.and_then(|value| value.strip_prefix("Basic "));
        given.is_some_and(|given| base64(given) == format!("{user}:{password}").as_bytes())
    }

    /// The answer, unless the connection is to be cut before it.
    fn answer(
        &self,
        request: &Message,
        body: &mut Body<'_>,
        whim: Option<&Whim>,
    ) -> io::Result<Option<Message>> {
        let refused = |status| Message { code: status, id: request.id, groups: Vec::new() };
        if let Some(Whim::Refuse(status)) = whim {
            io::copy(body, &mut io::sink())?;
            return Ok(Some(refused(*status)));
        }
        let cut = match whim {
            Some(Whim::Cut(cut)) => Some(*cut),
            Some(Whim::Refuse(_)) | None => None,
        };
        if request.code == operation::SEND_DOCUMENT {
            match self.take_document(request, body, cut)? {
                None => return Ok(None),
                Some(Err(status)) => return Ok(Some(refused(status))),
                Some(Ok(())) => {}
            }
        }
        if cut == Some(Cut::BeforeDoing) {
            return Ok(None);
        }
        let mut press = self.press();
        if !press.on {
            return Ok(None);
        }
        let answer = serve::answer(&mut press, request);
        self.changed.notify_all();
        Ok((cut != Some(Cut::AfterDoing)).then_some(answer))
    }

    /// Reads the document. Nothing, when that is the end of the connection.
    fn take_document(
        &self,
        request: &Message,
        body: &mut Body<'_>,
        cut: Option<Cut>,
    ) -> io::Result<Option<Result<(), u16>>> {
        let expected = serve::expects_document(&self.press(), request);
        let job = match expected {
            Ok(job) => job,
            Err(status) => {
                io::copy(body, &mut io::sink())?;
                return Ok(Some(Err(status)));
            }
        };
        let most = match cut {
            Some(Cut::InDocument(bytes)) => bytes,
            Some(Cut::BeforeDoing | Cut::AfterDoing | Cut::InAnswer(_)) | None => MOST_DOCUMENT,
        };
        let (document, was_cut) = serve::read_document(body, most);
        let is_cut = was_cut || matches!(cut, Some(Cut::InDocument(_)));
        let mut press = self.press();
        if !press.on || cut == Some(Cut::BeforeDoing) {
            return Ok(None);
        }
        press.feed(job, document, is_cut);
        self.changed.notify_all();
        Ok((!is_cut).then_some(Ok(())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of a text in base64 (RFC 4648 §4); what is no such text has none.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut have) = (Vec::new(), 0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let Some(value) = DIGITS.iter().position(|known| *known == digit) else {
            return Vec::new();
        };
        bits = (bits << 6 | u32::try_from(value).unwrap_or(0)) & 0xFFFF;
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push((bits >> have).to_be_bytes()[3]);
        }
    }
    bytes
}
