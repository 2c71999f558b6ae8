//! Requests that carry a key, and what each was answered: who asks again by the same key gets the first answer again. They
//! are in this process only: a console that starts knows none.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use domain::canonical::Digest;
use jiff::{SignedDuration, Timestamp};

/// Most keys whose answers are kept; the oldest go first. As many requests with a key may go on at once.
const KEYS_MAX: usize = 4_096;
/// Most bytes of all answers that are kept; the oldest go first.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest answer that is kept.
pub(crate) const ANSWER_BYTES: usize = 256 * 1024;
/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A key, and whose it is: keys of two accounts have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Keyed {
    /// Name of the account.
    pub(crate) user: String,
    /// What it sent.
    pub(crate) key: String,
}

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) head: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum Known {
    /// Nothing: this is the first request.
    First(Begun),
    /// The answer to the same request.
    Answered(Said),
    /// The same request goes on.
    GoesOn,
    /// It came with another request.
    Another,
    /// Too many requests with keys go on.
    TooMany,
}

#[derive(Debug)]
struct Request {
    /// What was asked.
    print: Digest,
    /// The answer; while it goes on, none.
    answer: Option<Said>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: BTreeMap<Keyed, Request>,
    /// Those that are answered, and when, the oldest first.
    answered: VecDeque<(Timestamp, Keyed)>,
    bytes: usize,
}

impl Kept {
    fn forget_oldest(&mut self) {
        let Some((_, keyed)) = self.answered.pop_front() else { return };
        let gone = self.requests.remove(&keyed).and_then(|request| request.answer);
        self.bytes -= gone.map_or(0, |said| said.body.len());
    }

    fn forget_old(&mut self, now: Timestamp) {
        while self.answered.front().is_some_and(|(at, _)| now.duration_since(*at) >= KEPT) {
            self.forget_oldest();
        }
    }

    fn answer(&mut self, keyed: &Keyed, said: Said, now: Timestamp) {
        let Some(request) = self.requests.get_mut(keyed) else { return };
        self.bytes += said.body.len();
        request.answer = Some(said);
        self.answered.push_back((now, keyed.clone()));
        while self.answered.len() > KEYS_MAX || self.bytes > BYTES_MAX {
            self.forget_oldest();
        }
    }
}

/// The requests with a key of the last day.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<Kept>);

impl Repeats {
    fn kept<T>(&self, of: impl FnOnce(&mut Kept) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A request comes with a key. `print` tells it from every other one.
    pub(crate) fn begin(self: &Arc<Self>, keyed: Keyed, print: Digest, now: Timestamp) -> Known {
        self.kept(|kept| {
            kept.forget_old(now);
            match kept.requests.get(&keyed) {
                Some(request) if request.print != print => Known::Another,
                Some(Request { answer: Some(said), .. }) => Known::Answered(said.clone()),
                Some(_) => Known::GoesOn,
                None if kept.requests.len() - kept.answered.len() >= KEYS_MAX => Known::TooMany,
                None => {
                    kept.requests.insert(keyed.clone(), Request { print, answer: None });
                    Known::First(Begun { repeats: Arc::clone(self), keyed, answered: false })
                }
            }
        })
    }
}

/// A request that goes on. Where it is dropped without an answer, its key is as if it had never come.
#[derive(Debug)]
pub(crate) struct Begun {
    repeats: Arc<Repeats>,
    keyed: Keyed,
    answered: bool,
}

impl Begun {
    /// It has ended: this is what a repetition gets.
    pub(crate) fn answered(mut self, said: Said, now: Timestamp) {
        self.answered = true;
        self.repeats.kept(|kept| kept.answer(&self.keyed, said, now));
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.answered {
            self.repeats.kept(|kept| kept.requests.remove(&self.keyed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(key: impl ToString) -> Keyed {
        Keyed { user: "mia".to_owned(), key: key.to_string() }
    }

    fn said(body: impl Into<Bytes>) -> Said {
        Said { status: StatusCode::OK, head: HeaderMap::new(), body: body.into() }
    }

    #[track_caller]
    fn first(repeats: &Arc<Repeats>, key: impl ToString, now: Timestamp) -> Begun {
        let known = repeats.begin(keyed(key), Digest::of(b"one"), now);
        let Known::First(begun) = known else { panic!("{known:?}") };
        begun
    }

    #[test]
    fn a_key_has_one_answer_and_is_free_again_where_there_was_none() {
        let (repeats, now) = (Arc::<Repeats>::default(), Timestamp::UNIX_EPOCH);
        drop(first(&repeats, "k", now));
        let begun = first(&repeats, "k", now);
        let again = || repeats.begin(keyed("k"), Digest::of(b"one"), now);
        assert!(matches!(again(), Known::GoesOn));
        begun.answered(said("done"), now);
        assert!(matches!(again(), Known::Answered(answer) if answer == said("done")));
        let other = repeats.begin(keyed("k"), Digest::of(b"two"), now);
        assert!(matches!(other, Known::Another));
        let of_ben = Keyed { user: "ben".to_owned(), key: "k".to_owned() };
        assert!(matches!(repeats.begin(of_ben, Digest::of(b"two"), now), Known::First(_)));
    }

    #[test]
    fn an_answer_is_kept_for_a_day() {
        let (repeats, now) = (Arc::<Repeats>::default(), Timestamp::UNIX_EPOCH);
        first(&repeats, "k", now).answered(said("done"), now);
        let late = now + KEPT;
        let just =
            repeats.begin(keyed("k"), Digest::of(b"one"), late - SignedDuration::from_secs(1));
        assert!(matches!(just, Known::Answered(_)));
        drop(first(&repeats, "k", late));
        repeats.kept(|kept| assert!(kept.requests.is_empty() && kept.bytes == 0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let (repeats, now) = (Arc::<Repeats>::default(), Timestamp::UNIX_EPOCH);
        for n in 0..=KEYS_MAX {
            first(&repeats, n, now).answered(said("done"), now);
        }
        drop(first(&repeats, 0, now));
        let known = repeats.begin(keyed(1), Digest::of(b"one"), now);
        assert!(matches!(known, Known::Answered(_)));
        let long = Bytes::from(vec![0; ANSWER_BYTES]);
        for n in 0..=BYTES_MAX / ANSWER_BYTES {
            first(&repeats, format!("long-{n}"), now).answered(said(long.clone()), now);
        }
        repeats.kept(|kept| assert_eq!(kept.bytes, BYTES_MAX));
        drop(first(&repeats, "long-0", now));
        let going: Vec<Begun> =
            (0..KEYS_MAX).map(|n| first(&repeats, format!("on-{n}"), now)).collect();
        let more = repeats.begin(keyed("more"), Digest::of(b"one"), now);
        assert!(matches!(more, Known::TooMany));
        drop(going);
        drop(first(&repeats, "more", now));
    }
}
