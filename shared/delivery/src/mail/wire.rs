//! Bytes, lines and time: a connection whose every wait ends, and answers that are not endless.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use crate::Status;
use crate::shown::one_line;
use crate::wait::in_time;

/// Most bytes of an answer. RFC 5321 §4.5.3.1.5 has 512 for a line; an answer to `EHLO` has some twenty.
const MOST_REPLY: usize = 16 << 10;
/// Bytes that are asked of the connection at once.
const PIECE: usize = 2 << 10;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// Its code.
    pub(super) code: u16,
    /// What stands behind the code in each line.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Its words on one line.
    pub(super) fn text(&self) -> String {
        one_line(&self.lines.join(" "))
    }

    /// Its codes.
    pub(super) fn status(&self) -> Status {
        Status::read(self.code, self.lines.first().map_or("", String::as_str))
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone, or nothing came in time.
    Gone(io::Error),
    /// What came is no answer.
    Nonsense(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// A socket that waits until an instant and not longer, however slowly bytes come.
struct Timed {
    socket: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

/// What was tried, in names that do not depend on the system; nothing where a signal came in between, which it does
/// also where signals restart what they interrupt, because the socket has a time limit.
fn settled(tried: io::Result<usize>) -> Option<io::Result<usize>> {
    match tried {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Some(Err(io::ErrorKind::TimedOut.into()))
        }
        other => Some(other),
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(self.left()?)?;
            if let Some(done) = settled(self.socket.read(buffer)) {
                return done;
            }
        }
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.socket.set_write_timeout(self.left()?)?;
            if let Some(done) = settled(self.socket.write(bytes)) {
                return done;
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

enum Stream {
    Open(Timed),
    Secured(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A connection to a relay.
pub(super) struct Wire {
    stream: Option<Stream>,
    unread: Vec<u8>,
    end: Instant,
}

impl Wire {
    /// Connects to the first of the addresses that answers; everything is over at `end`.
    pub(super) fn connect(
        addresses: &[SocketAddr],
        patience: Duration,
        end: Instant,
    ) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            let left = end.saturating_duration_since(Instant::now()).min(patience);
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(address, left) {
                Ok(socket) => {
                    let stream = Some(Stream::Open(Timed { socket, until: end }));
                    return Ok(Self { stream, unread: Vec::new(), end });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Our address on this connection.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        let timed = match self.stream.as_ref()? {
            Stream::Open(timed) => timed,
            Stream::Secured(stream) => &stream.sock,
        };
        timed.socket.local_addr().ok()
    }

    /// What follows may take so long, unless everything is over before.
    pub(super) fn patience(&mut self, patience: Duration) {
        let until = in_time(patience).min(self.end);
        match &mut self.stream {
            Some(Stream::Open(timed)) => timed.until = until,
            Some(Stream::Secured(stream)) => stream.sock.until = until,
            None => {}
        }
    }

    /// Encrypts what follows. Words that came too early were not said under TLS and must not be taken for it
    /// (RFC 3207 §6): with them the connection is not used.
    pub(super) fn secure(&mut self, mut tls: ClientConnection) -> Result<(), Trouble> {
        if !self.unread.is_empty() {
            return Err(Trouble::Nonsense("words that came before TLS began".to_owned()));
        }
        let Some(Stream::Open(mut timed)) = self.stream.take() else {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        };
        while tls.is_handshaking() {
            tls.complete_io(&mut timed)?;
        }
        self.stream = Some(Stream::Secured(Box::new(StreamOwned::new(tls, timed))));
        Ok(())
    }

    /// Sends bytes, all of them.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream: &mut dyn Write = match &mut self.stream {
            Some(Stream::Open(timed)) => timed,
            Some(Stream::Secured(stream)) => stream,
            None => return Err(io::ErrorKind::NotConnected.into()),
        };
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// The next answer.
    pub(super) fn reply(&mut self) -> Result<Reply, Trouble> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        loop {
            let line = self.line(MOST_REPLY.saturating_sub(bytes))?;
            bytes += line.len();
            let (code, last, text) = read_line(&line)?;
            lines.push((code, text));
            if last {
                break;
            }
        }
        let code = lines.first().map_or(0, |(code, _)| *code);
        if lines.iter().any(|(other, _)| *other != code) {
            return Err(Trouble::Nonsense("an answer with two codes".to_owned()));
        }
        Ok(Reply { code, lines: lines.into_iter().map(|(_, text)| text).collect() })
    }

    /// The next line, with its end, of at most so many bytes.
    fn line(&mut self, most: usize) -> Result<Vec<u8>, Trouble> {
        loop {
            let end = self.unread.iter().position(|&byte| byte == b'\n');
            if end.unwrap_or(self.unread.len()) >= most {
                return Err(Trouble::Nonsense("an answer without end".to_owned()));
            }
            if let Some(end) = end {
                return Ok(self.unread.drain(..=end).collect());
            }
            let mut piece = [0; PIECE];
            let got = self.receive(&mut piece)?;
            if got == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.unread.extend_from_slice(&piece[..got]);
        }
    }

    fn receive(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Some(Stream::Open(timed)) => timed.read(piece),
            Some(Stream::Secured(stream)) => stream.read(piece),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Code, whether it is the last line, and text (RFC 5321 §4.2.1).
fn read_line(line: &[u8]) -> Result<(u16, bool, String), Trouble> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\r', '\n']);
    let nonsense = || Trouble::Nonsense(format!("{:?} is no answer", one_line(text)));
    let (code, rest) = text.split_at_checked(3).ok_or_else(nonsense)?;
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    let code = code.parse().ok().filter(|code| digits && (200..600).contains(code));
    let (last, rest) = match rest.bytes().next() {
        None => (true, ""),
        Some(b' ') => (true, &rest[1..]),
        Some(b'-') => (false, &rest[1..]),
        Some(_) => return Err(nonsense()),
    };
    Ok((code.ok_or_else(nonsense)?, last, rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_answers_are_read_as_the_specification_has_them() {
        let read = |line: &[u8]| read_line(line).ok();
        assert_eq!(read(b"250 ok\r\n"), Some((250, true, "ok".to_owned())));
        assert_eq!(read(b"250-SIZE 10\r\n"), Some((250, false, "SIZE 10".to_owned())));
        assert_eq!(read(b"250\r\n"), Some((250, true, String::new())));
        for line in
            [&b"25\r\n"[..], b"abc hello\r\n", b"250_x\r\n", b"\xff\xfe\xfd\xfc\r\n", b"", b"+25 x"]
        {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
