//! As much of HTTP/1.1 as a printer needs: one request a connection.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Most bytes of a request's headers.
const MOST_HEADERS: u64 = 64 << 10;

/// A connection, with or without TLS.
pub(super) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// The head of a request.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The value of `authorization`.
    pub(super) authorization: Option<String>,
    expects: bool,
    chunked: bool,
    length: u64,
}

/// Reads the head; nothing, when nobody says anything.
pub(super) fn read_head(from: &mut BufReader<Box<dyn Stream>>) -> io::Result<Option<Head>> {
    let mut limited = from.by_ref().take(MOST_HEADERS);
    let mut line = String::new();
    if limited.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut head = Head::default();
    loop {
        line.clear();
        if limited.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(Some(head)) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "authorization" => head.authorization = Some(value.to_owned()),
            "content-length" => head.length = value.parse().map_err(io::Error::other)?,
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "expect" => head.expects = true,
            _ => {}
        }
    }
}

/// A request's body, as it is read.
pub(super) struct Body<'a> {
    from: &'a mut BufReader<Box<dyn Stream>>,
    chunked: bool,
    left: u64,
    ended: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(head: &Head, from: &'a mut BufReader<Box<dyn Stream>>) -> io::Result<Self> {
        if head.expects {
            from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(Body { from, chunked: head.chunked, left: head.length, ended: false })
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let mut line = String::new();
        self.from.by_ref().take(100).read_line(&mut line)?;
        if line.trim().is_empty() {
            // The end of the chunk before.
            line.clear();
            self.from.by_ref().take(100).read_line(&mut line)?;
        }
        let size = line.trim().split(';').next().unwrap_or_default();
        self.left = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        self.ended = self.left == 0;
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.chunked && !self.ended {
            self.next_chunk()?;
        }
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.from.by_ref().take(self.left).read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Writes an answer of which the client reads only `cut` bytes, where there is a cut.
pub(super) fn answer(
    to: &mut dyn Write,
    status: &str,
    body: &[u8],
    cut: Option<usize>,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let all = [head.as_bytes(), body].concat();
    to.write_all(&all[..cut.unwrap_or(all.len()).min(all.len())])?;
    to.flush()
}
