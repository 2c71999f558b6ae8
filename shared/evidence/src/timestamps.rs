//! Time stamps of authorities outside (RFC 3161) over signed heads. Each says that a head existed at an instant, and so every
//! event under it; none says that a head is the only one, which witnesses do. They are one more anchor, and replace no quorum.
//!
//! What an authority has signed that the reader trusts, and what contradicts the log, is tampering. What leads to no root of the
//! reader's, or could not be signed by its certificate then, is not believed: that accuses nobody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use timestamp::{ANSWER_BYTES_MAX, Distrust, Roots, Token, imprint};

use crate::bundle::timestamp_name;
use crate::finding::{Findings, Kind};
use crate::heads::{CLOCKS_MS, Head, Trust};

/// Most time stamps in a bundle: one a day for eleven years.
pub const TIMESTAMPS_MAX: usize = 4_096;

/// A head that existed at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// How many events it covers.
    pub size: u64,
    /// When it existed, at the latest.
    pub at: Timestamp,
    /// Who says so: the common name of the authority's certificate.
    pub by: String,
}

/// What time stamps come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stamped {
    /// How many there are, believed or not.
    pub found: usize,
    /// Whether the reader trusts any authority.
    pub asked: bool,
    /// Those that are believed, the smallest head first.
    pub believed: Vec<Stamp>,
}

impl Stamped {
    /// What is to be told of them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { found, asked, believed } = self;
        let told = |stamp: &Stamp| {
            let Stamp { size, at, by } = stamp;
            format!("head of {size} events existed at {at}, says {by}")
        };
        match believed.as_slice() {
            [] if *found == 0 => Vec::new(),
            [] if !asked => {
                vec![format!("{found}, not believed: no roots of authorities were named (--tsa)")]
            }
            [] => vec![format!("{found}, none of them believed")],
            [one] => vec![told(one)],
            [first, .., last] => {
                vec![
                    told(last),
                    format!("and {} before it; the first: {}", believed.len() - 1, told(first)),
                ]
            }
        }
    }
}

/// The time stamps of a bundle while it is read.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// What was answered, by the size of the head.
    answers: BTreeMap<u64, Vec<u8>>,
    /// When the newest event was received that such a head covers.
    received: BTreeMap<u64, Timestamp>,
}

impl Stamps {
    /// Takes a file, if it stands for a head that was read before it; says why not otherwise.
    pub(crate) fn take(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut sizes: impl Iterator<Item = u64>,
    ) -> Result<(), &'static str> {
        let Some(size) = sizes.find(|size| name == timestamp_name(*size)) else {
            return Err("is named by the size of no head in front of it");
        };
        if self.answers.len() == TIMESTAMPS_MAX {
            return Err("is one time stamp too many");
        }
        // What is longer is none, and is told to be none.
        let kept = bytes.get(..ANSWER_BYTES_MAX + 1).unwrap_or(bytes);
        self.answers.insert(size, kept.to_vec());
        Ok(())
    }

    /// Hears when the event at a position was received, where that can be read.
    pub(crate) fn passed(&mut self, position: u64, received: Option<Timestamp>) {
        if self.answers.contains_key(&position) {
            self.received.extend(received.map(|at| (position, at)));
        }
    }

    /// Compares them with the heads of a bundle, and with whom its reader trusts.
    pub(crate) fn check(&self, heads: &[Head], trust: &Trust) -> (Findings, Stamped) {
        let mut findings = Findings::default();
        let (found, asked) = (self.answers.len(), trust.tsa.is_some());
        let mut stamped = Stamped { found, asked, believed: Vec::new() };
        let Some(roots) = &trust.tsa else { return (findings, stamped) };
        if found == 0 {
            findings.add(
                Kind::NoTimestamp,
                "you trust time-stamping authorities, and none has said anything of it",
            );
        }
        for (size, answer) in &self.answers {
            match self.judge(*size, answer, heads, roots, trust.now) {
                Ok(stamp) => stamped.believed.push(stamp),
                Err((kind, why)) => {
                    findings.add(kind, format!("the time stamp of the head of size {size}: {why}"));
                }
            }
        }
        (findings, stamped)
    }

    fn judge(
        &self,
        size: u64,
        answer: &[u8],
        heads: &[Head],
        roots: &Roots,
        now: Timestamp,
    ) -> Result<Stamp, (Kind, String)> {
        let token =
            Token::read(answer).map_err(|error| (Kind::TimestampForm, error.to_string()))?;
        let by = token.check(roots).map_err(|why| (kind(&why), why.to_string()))?;
        let at = token.at;
        let mut own = heads.iter().filter(|head| head.says.size() == size);
        if !own.any(|head| imprint(head.note.text().as_bytes()) == token.imprint) {
            let text = format!("{by} signed at {at}, over something else than that head");
            return Err((Kind::TimestampOther, text));
        }
        if let Some(received) = self.received.get(&size).filter(|one| is_early(&token, **one)) {
            let text =
                format!("{by} says {at}, and the log received an event under it at {received}");
            return Err((Kind::TimestampEarly, text));
        }
        if at.as_millisecond() > now.as_millisecond().saturating_add(CLOCKS_MS) {
            let text = format!("{by} says {at}, which lies ahead: its clock, or yours, is wrong");
            return Err((Kind::TimestampTime, text));
        }
        Ok(Stamp { size, at, by })
    }
}

/// Whether a token is older than an event under it, by more than clocks may differ and the authority's own may be wrong.
fn is_early(token: &Token, received: Timestamp) -> bool {
    let accuracy = i64::try_from(token.accuracy_micros / 1_000).unwrap_or(i64::MAX);
    let late = token.at.as_millisecond().saturating_add(CLOCKS_MS).saturating_add(accuracy);
    received.as_millisecond() > late
}

fn kind(why: &Distrust) -> Kind {
    match why {
        Distrust::Root(_) => Kind::TimestampRoot,
        Distrust::Certificate(_) => Kind::TimestampCertificate,
        Distrust::Algorithm(_) => Kind::TimestampForm,
        Distrust::Signature { .. } => Kind::TimestampSignature,
    }
}
