//! Records of the journal file: length, CRC-32, kind, content.

/// Bytes before a record's content.
pub(crate) const HEAD: usize = 9;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// Bytes of a flush.
    Flush(Vec<u8>),
    /// Everything up to this counter is committed.
    Committed(u64),
}

/// What stands at the end of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// An unfinished write.
    Torn,
    /// Bytes that an unfinished write does not explain.
    Damaged,
}

impl Record {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let committed;
        let (kind, content) = match self {
            Self::Flush(bytes) => (b'F', bytes.as_slice()),
            Self::Committed(pseq) => {
                committed = pseq.to_be_bytes();
                (b'C', committed.as_slice())
            }
        };
        let mut bytes = Vec::with_capacity(HEAD + content.len());
        bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(checksum(kind, content).to_be_bytes());
        bytes.push(kind);
        bytes.extend(content);
        bytes
    }

    /// Reads the record at the beginning of `bytes`, and its length.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let size = u32::from_be_bytes(*size) as usize;
        // Looked at first, because it costs nothing: a search for records tries every byte.
        if !matches!((kind, size), (b'F', _) | (b'C', 8)) {
            return None;
        }
        let content = rest.get(..size)?;
        if checksum(*kind, content) != u32::from_be_bytes(*crc) {
            return None;
        }
        let record = match kind {
            b'F' => Self::Flush(content.to_vec()),
            b'C' => Self::Committed(u64::from_be_bytes(content.try_into().ok()?)),
            _ => return None,
        };
        Some((record, HEAD + content.len()))
    }

    /// All whole records of `bytes`, how many bytes they take, and what stands behind them.
    pub(crate) fn read_all(bytes: &[u8]) -> (Vec<Self>, usize, Tail) {
        let mut records = Vec::new();
        let mut at = 0;
        while let Some((record, size)) = Self::read(&bytes[at..]) {
            records.push(record);
            at += size;
        }
        (records, at, tail(&bytes[at..]))
    }
}

/// An unfinished write is the last thing in a file, whichever of its bytes arrived. Where a whole record
/// follows, the bytes before it were written to their end once, and something changed them.
fn tail(rest: &[u8]) -> Tail {
    if rest.is_empty() {
        return Tail::Clean;
    }
    let whole = |at: usize| Record::read(&rest[at..]).is_some();
    if (1..rest.len()).any(whole) { Tail::Damaged } else { Tail::Torn }
}

fn checksum(kind: u8, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(content);
    hasher.finalize()
}
