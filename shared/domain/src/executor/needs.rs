//! Files that must be there before a host starts a run.

use jiff::{SignedDuration, Timestamp};

use crate::job::Need;
use crate::run::{Run, State};
use crate::time::HumanDuration;

/// What one look at a file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing of its name.
    Missing,
    /// Something that cannot be used, and why: `is neither a file nor a directory`.
    Unusable(String),
    /// A regular file or a directory.
    There {
        /// Its size; of a directory what its file system says.
        bytes: u64,
        /// Its newest change.
        modified: Timestamp,
    },
}

/// A file across looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    look: Look,
    /// The first of the looks that all found the same.
    since: Timestamp,
}

impl Seen {
    /// After one more look, at `now`.
    #[must_use]
    pub fn next(before: Option<Self>, look: Look, now: Timestamp) -> Self {
        match before {
            Some(before) if before.look == look => before,
            Some(_) | None => Self { look, since: now },
        }
    }
}

/// Most sentences in one answer, and characters in each: they stand in an event.
const SENTENCES_MAX: usize = 10;
const SENTENCE_CHARS_MAX: usize = 400;

/// What is still missing at `now`, a sentence for each file; empty when the run may start. `seen` is in the order
/// of `needs`. A sentence stays the same as long as what it says does.
pub fn unmet(needs: &[Need], seen: &[Seen], now: Timestamp) -> Vec<String> {
    let all = needs.iter().zip(seen);
    let all =
        all.filter_map(|(need, seen)| Some(format!("{} {}", need.file, lack(need, seen, now)?)));
    let mut sentences: Vec<String> = all.collect();
    let more = sentences.len().saturating_sub(SENTENCES_MAX);
    sentences.truncate(SENTENCES_MAX);
    let cut = |sentence: String| sentence.chars().take(SENTENCE_CHARS_MAX).collect();
    let mut sentences: Vec<String> = sentences.into_iter().map(cut).collect();
    sentences.extend((more > 0).then(|| format!("and {more} more")));
    sentences
}

fn lack(need: &Need, seen: &Seen, now: Timestamp) -> Option<String> {
    let (bytes, modified) = match &seen.look {
        Look::Missing => return Some("is not there".to_owned()),
        Look::Unusable(why) => return Some(why.clone()),
        Look::There { bytes, modified } => (*bytes, *modified),
    };
    if bytes < need.min_bytes {
        return Some(format!("has less than {} bytes", need.min_bytes));
    }
    if let Some(age) = need.older_than.filter(|age| !has_passed(*age, modified, now)) {
        return Some(format!("was changed less than {age} ago"));
    }
    let stable = need.stable_for.filter(|long| !has_passed(*long, seen.since, now))?;
    Some(format!("has not stayed the same for {stable}"))
}

fn has_passed(long: HumanDuration, since: Timestamp, now: Timestamp) -> bool {
    SignedDuration::try_from(long.as_duration()).is_ok_and(|long| now.duration_since(since) >= long)
}

/// Whether `host` may still start this attempt, as the run stands now: nobody else has, it was not cancelled or
/// skipped meanwhile, and it is not for another host.
pub fn may_start(run: &Run, attempt: u32, host: &str) -> bool {
    let next = match run.state {
        State::Due => 1,
        State::Retrying { attempt, not_before: Some(_), .. } => attempt,
        State::Requested
        | State::Held { .. }
        | State::Waiting
        | State::Blocked
        | State::Parts
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Unknown { .. }
        | State::Ended { .. } => return false,
    };
    let here = run.wanted_host().is_none_or(|wanted| wanted == host);
    next == attempt && here && run.cancel.is_none()
}
