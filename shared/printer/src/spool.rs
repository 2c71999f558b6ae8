//! The body of a request.

use std::io::{self, Read};

/// The body of a request: what is asked, then the document. It has exactly the length it was said to have, or it
/// fails before its last byte, so that no printer takes a document that is not whole for one that is.
pub(crate) struct Spool<'a> {
    head: io::Cursor<Vec<u8>>,
    document: Option<(&'a mut dyn Read, u64)>,
    left: u64,
    begun: bool,
    failed: Option<String>,
}

impl<'a> Spool<'a> {
    pub(crate) fn new(head: Vec<u8>) -> Self {
        Spool { head: io::Cursor::new(head), document: None, left: 0, begun: false, failed: None }
    }

    pub(crate) fn with_document(head: Vec<u8>, document: &'a mut dyn Read, length: u64) -> Self {
        Spool { document: Some((document, length)), left: length, ..Spool::new(head) }
    }

    /// Whether anything of it was asked for.
    pub(crate) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Why the document could not be read as it was said to be.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        let head = self.head.get_ref().len() as u64;
        head.saturating_add(self.document.as_ref().map_or(0, |(_, length)| *length))
    }

    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.head.read(buffer)?;
        if count > 0 {
            return Ok(count);
        }
        let Some((document, length)) = &mut self.document else { return Ok(0) };
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = patient_read(*document, &mut buffer[..most])?;
        if count == 0 {
            return Err(short(*length - self.left, *length));
        }
        let left = self.left.saturating_sub(count as u64);
        // The last bytes are kept back until it is certain that they are the last.
        if left == 0 && patient_read(*document, &mut [0])? != 0 {
            return Err(io::Error::other(format!("the document is longer than {length} bytes")));
        }
        self.left = left;
        Ok(count)
    }
}

impl Read for Spool<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.begun = true;
        self.next(buffer).inspect_err(|error| {
            self.failed = Some(format!("reading the document: {error}"));
        })
    }
}

fn short(had: u64, length: u64) -> io::Error {
    let text = format!("the document ends after {had} of {length} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

fn patient_read(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(document: &[u8], length: u64) -> io::Result<Vec<u8>> {
        let mut reader = document;
        let mut spool = Spool::with_document(b"head".to_vec(), &mut reader, length);
        let (mut all, mut buffer) = (Vec::new(), [0; 3]);
        loop {
            match spool.read(&mut buffer) {
                Ok(0) => return Ok(all),
                Ok(count) => all.extend(&buffer[..count]),
                Err(error) => return Err(error),
            }
            assert!(all.len() as u64 <= 4 + length);
        }
    }

    #[test]
    fn a_body_is_what_is_asked_and_then_the_document() {
        assert_eq!(whole(b"document", 8).unwrap(), b"headdocument");
        assert_eq!(whole(b"", 0).unwrap(), b"head");
    }

    #[test]
    fn a_document_of_another_length_fails_before_its_last_byte() {
        assert!(whole(b"docu", 8).unwrap_err().to_string().contains("4 of 8"));
        assert!(whole(b"documents", 8).is_err());
    }
}
