//! Who follows the log, and how many may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most streams of events that a console gives at once.
const STREAMS_MAX: usize = 256;
/// Most of them to one account.
const STREAMS_OF_ACCOUNT: usize = 8;

/// Why somebody does not follow the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Everybody together.
    #[error(
        "this console gives {STREAMS_MAX} streams of events at once, and gives them: try again later"
    )]
    Console,
    /// They themselves.
    #[error("an account has {STREAMS_OF_ACCOUNT} streams of events at once: end one of yours")]
    Account,
}

/// How many streams each account has.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<String, usize>>);

impl Places {
    /// A place for a stream of this account, until it is dropped.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn take(self: &Arc<Self>, user: &str) -> Result<Place, Full> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(user).copied().unwrap_or_default();
        if own >= STREAMS_OF_ACCOUNT {
            return Err(Full::Account);
        }
        if taken.values().sum::<usize>() >= STREAMS_MAX {
            return Err(Full::Console);
        }
        taken.insert(user.to_owned(), own + 1);
        Ok(Place { places: Arc::clone(self), user: user.to_owned() })
    }
}

/// A place that is taken.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    user: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.user) {
            *own -= 1;
        }
        taken.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_places_and_all_together_so_many_and_what_is_left_is_free() {
        let places = Arc::<Places>::default();
        let mut taken = Vec::new();
        for n in 0..STREAMS_MAX {
            taken.push(places.take(&format!("u{}", n / STREAMS_OF_ACCOUNT)).unwrap());
        }
        assert_eq!(places.take("u0").unwrap_err(), Full::Account);
        assert_eq!(places.take("late").unwrap_err(), Full::Console);
        taken.pop();
        taken.push(places.take("late").unwrap());
        taken.clear();
        assert!(places.0.lock().unwrap().is_empty());
    }
}
