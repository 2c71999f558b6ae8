//! How much a document may cost.

use crate::DocumentError;

/// The most that is read of a document. What has more is refused as a whole, never cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Pages.
    pub pages: u32,
    /// Objects of a PDF.
    pub objects: usize,
    /// Values (numbers, names, strings…) in one object of a PDF; each takes some 40 bytes of memory.
    pub values: u32,
    /// Bytes that one stream of a PDF may have when it is decompressed.
    pub stream: usize,
    /// Bytes of text of all pages together.
    pub text: usize,
    /// Work: bytes decompressed and parsed for one answer, all together; every byte counts as often as it is read.
    pub work: u64,
}

impl Limits {
    /// What a report of a hundred thousand pages needs.
    pub const DEFAULT: Self = Self {
        bytes: 512 << 20,
        pages: 100_000,
        objects: 1_000_000,
        values: 1_000_000,
        stream: 32 << 20,
        text: 64 << 20,
        work: 1 << 30,
    };

    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<(), DocumentError> {
        self.check("bytes", bytes.len(), self.bytes)
    }

    pub(crate) fn check_pages(&self, pages: u32) -> Result<(), DocumentError> {
        if pages > self.pages {
            return Err(DocumentError::TooMuch { what: "pages", limit: self.pages.into() });
        }
        Ok(())
    }

    pub(crate) fn check_objects(&self, objects: usize) -> Result<(), DocumentError> {
        self.check("objects", objects, self.objects)
    }

    pub(crate) fn check_text(&self, bytes: usize) -> Result<(), DocumentError> {
        self.check("bytes of text", bytes, self.text)
    }

    fn check(&self, what: &'static str, n: usize, limit: usize) -> Result<(), DocumentError> {
        if n > limit {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            return Err(DocumentError::TooMuch { what, limit });
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
