//! What may be wrong with evidence, by name, and what is to be said of it in the end.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is to be said of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Everything was there, and everything that can be computed holds.
    Verified,
    /// Nothing contradicts, but something that is needed is not there.
    Inconclusive,
    /// Something is not what its signer signed, or contradicts what somebody else holds.
    Tampered,
}

impl Verdict {
    /// The exit code of a verifier: 0, 2, 1.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Verified => 0,
            Self::Tampered => 1,
            Self::Inconclusive => 2,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "VERIFIED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Tampered => "TAMPERED",
        })
    }
}

/// Declares the names of findings, and how each weighs.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal $verdict:ident,)+) => {
        /// What is wrong. The names are part of the format: tests, handbooks and other verifiers use them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What evidence is at best that has it.
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$kind => Verdict::$verdict,)+ }
            }
        }
    };
}

kinds! {
    /// The container is not one, or has bytes that do not follow from its files.
    ArchiveForm = "ARCHIVE_FORM" Tampered,
    /// A file that belongs into the bundle is not there.
    FileMissing = "FILE_MISSING" Inconclusive,
    /// A file does not belong there, or comes twice.
    FileUnexpected = "FILE_UNEXPECTED" Tampered,
    /// A file that follows from the log is not what follows from it.
    FileAltered = "FILE_ALTERED" Tampered,
    /// The manifest or the request cannot be read.
    ManifestForm = "MANIFEST_FORM" Tampered,
    /// The manifest tells other hashes, counts or totals than there are.
    ManifestTotals = "MANIFEST_TOTALS" Tampered,

    /// A position of the log has no entry.
    EntryMissing = "ENTRY_MISSING" Tampered,
    /// The bytes of an entry are no leaf.
    LeafForm = "LEAF_FORM" Tampered,
    /// The bytes that a producer signed are not an envelope in its one spelling.
    EnvelopeForm = "ENVELOPE_FORM" Tampered,
    /// The body of an event is not what its kind holds.
    EventForm = "EVENT_FORM" Tampered,
    /// The event is of a kind that is newer than this program.
    EventUnknown = "EVENT_UNKNOWN" Inconclusive,
    /// Two events have the same identity.
    DuplicateId = "DUPLICATE_ID" Tampered,
    /// An event is of a producer that was never let in.
    ProducerUnknown = "PRODUCER_UNKNOWN" Tampered,
    /// A signature is not that of the producer over these bytes.
    ProducerSignature = "PRODUCER_SIGNATURE" Tampered,
    /// Too many events of a producer, or its last ones, have no signature at or after them.
    ProducerUnsigned = "PRODUCER_UNSIGNED" Tampered,
    /// A producer's counter has a gap, or goes back.
    ProducerGap = "PRODUCER_GAP" Tampered,
    /// An event does not name the hash of its producer's event before it.
    ProducerChain = "PRODUCER_CHAIN" Tampered,
    /// A producer had seen a head that is not of this log.
    SeenFork = "SEEN_FORK" Tampered,
    /// An event was received before the one in front of it.
    ReceivedBack = "RECEIVED_BACK" Tampered,
    /// The database marks an event otherwise than the rules do.
    Mark = "MARK" Tampered,

    /// A payload that is shown is not what the log commits to.
    PayloadMismatch = "PAYLOAD_MISMATCH" Tampered,
    /// A payload was asked for that is not there, and nobody has agreed that it is erased.
    PayloadMissing = "PAYLOAD_MISSING" Inconclusive,

    /// A head is none.
    HeadForm = "HEAD_FORM" Tampered,
    /// A head is of another log.
    HeadOrigin = "HEAD_ORIGIN" Tampered,
    /// A head is not signed by the key of the log.
    HeadSignature = "HEAD_SIGNATURE" Tampered,
    /// A signed head has another root than the log at its size.
    HeadRoot = "HEAD_ROOT" Tampered,
    /// A signed head is of a longer log than there is.
    HeadBeyond = "HEAD_BEYOND" Tampered,
    /// Entries stand behind the last head: nobody has signed them.
    EntriesBeyond = "ENTRIES_BEYOND" Tampered,
    /// Two signed heads of one size have different roots.
    Equivocation = "EQUIVOCATION" Tampered,
    /// A line says that it is a witness's, and is not.
    Cosignature = "COSIGNATURE" Tampered,
    /// A cosignature is of the future.
    CosignatureTime = "COSIGNATURE_TIME" Inconclusive,
    /// The log received events after a witness had cosigned a head over them.
    CosignatureEarly = "COSIGNATURE_EARLY" Tampered,
    /// An entry of a part of a log is not proven to be in it.
    EntryUnproven = "ENTRY_UNPROVEN" Tampered,
    /// It is a part of a log: what is in it is in the log, and nothing shows that nothing was left out.
    Partial = "PARTIAL" Inconclusive,
    /// A segment that is said to be archived has another root than the log's tree.
    ArchiveRoot = "ARCHIVE_ROOT" Tampered,
    /// A log that goes on under another name is not the one that it says it was.
    ContinuedOther = "CONTINUED_OTHER" Tampered,
    /// The policy names the log by a name that it had before.
    LogContinued = "LOG_CONTINUED" Inconclusive,
    /// A head that the reader holds is over events that the log lost before it went on under another name.
    HeldLost = "HELD_LOST" Inconclusive,
    /// The log's key is none of those that the policy names.
    LogKey = "LOG_KEY" Tampered,
    /// A head that the reader holds is of another log, or signed by another key.
    HeldOther = "HELD_OTHER" Tampered,
    /// A head that the reader holds has another root than the log at its size.
    HeldFork = "HELD_FORK" Tampered,
    /// The log ends before a head that the reader holds.
    HeldTruncation = "HELD_TRUNCATION" Inconclusive,
    /// No policy says whose heads are believed.
    NoPolicy = "NO_POLICY" Inconclusive,
    /// Not enough of the witnesses that the policy names have cosigned the last head, or it names none.
    NoQuorum = "NO_QUORUM" Inconclusive,
    /// The last head was cosigned before the instant that the reader asks for.
    Stale = "STALE_HEAD" Inconclusive,

    /// A time stamp cannot be read, or uses what this program does not know.
    TimestampForm = "TIMESTAMP_FORM" Inconclusive,
    /// The certificate of a time stamp leads to none of the roots that the reader trusts.
    TimestampRoot = "TIMESTAMP_ROOT" Inconclusive,
    /// The certificate of a time stamp was not valid at its time, or is not for time stamps alone.
    TimestampCertificate = "TIMESTAMP_CERTIFICATE" Inconclusive,
    /// An authority that the reader trusts has not signed the time stamp that names it.
    TimestampSignature = "TIMESTAMP_SIGNATURE" Tampered,
    /// An authority that the reader trusts has time-stamped something else than the head it stands for.
    TimestampOther = "TIMESTAMP_OTHER" Tampered,
    /// The log received events after an authority had time-stamped a head over them.
    TimestampEarly = "TIMESTAMP_EARLY" Tampered,
    /// A time stamp is of the future.
    TimestampTime = "TIMESTAMP_TIME" Inconclusive,
    /// The reader trusts authorities, and there is no time stamp.
    NoTimestamp = "NO_TIMESTAMP" Inconclusive,

    /// A schedule implies an occurrence, and the log says nothing about it.
    OccurrenceMissing = "OCCURRENCE_MISSING" Inconclusive,
    /// The log has an occurrence that no approved schedule implies.
    OccurrenceUnexpected = "OCCURRENCE_UNEXPECTED" Inconclusive,
    /// An occurrence names a definition that did not hold, or was decided otherwise than the schedule says.
    OccurrenceOther = "OCCURRENCE_OTHER" Inconclusive,
    /// A schedule cannot be read by this program.
    ScheduleUnreadable = "SCHEDULE_UNREADABLE" Inconclusive,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, by name.
    pub kind: Kind,
    /// At which position of the log, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// A sentence.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}: position {position}: {}", self.kind, self.text),
            None => write!(f, "{}: {}", self.kind, self.text),
        }
    }
}

/// Most findings of one name that are kept; all are counted.
const KEPT: usize = 50;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: std::collections::BTreeMap<Kind, u64>,
}

impl Findings {
    /// Adds what is wrong with something that is at no position.
    pub fn add(&mut self, kind: Kind, text: impl ToString) {
        self.push(Finding { kind, position: None, text: text.to_string() });
    }

    /// Adds what is wrong at a position.
    pub fn at(&mut self, position: u64, kind: Kind, text: impl ToString) {
        self.push(Finding { kind, position: Some(position), text: text.to_string() });
    }

    fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= KEPT as u64 {
            self.kept.push(finding);
        }
    }

    /// Takes in what others found.
    pub fn extend(&mut self, others: Self) {
        for finding in others.kept {
            let kept = self.kept.iter().filter(|known| known.kind == finding.kind).count();
            if kept < KEPT {
                self.kept.push(finding);
            }
        }
        for (kind, count) in others.counts {
            *self.counts.entry(kind).or_default() += count;
        }
    }

    /// Those that are kept, at most 50 of each name.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are, kept or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether there is one of this name.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.counts.contains_key(&kind)
    }

    /// What is to be said.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.counts.keys().map(|kind| kind.verdict()).max().unwrap_or(Verdict::Verified)
    }
}
