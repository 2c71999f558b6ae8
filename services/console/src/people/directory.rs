//! Accounts, as the log has them now: renewed when the feed tells of one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bus::Bus;
use bus::recorder::{AskError, each_stream, stream};
use domain::canonical::Digest;
use domain::ids::{StreamId, StreamType};
use domain::people::{Identity, User};
use domain::wire::{LogEntry, Selection};
use jiff::Timestamp;
use jiff::civil::Date;

/// Seconds between two looks at the log for a token nobody knows: guessing must not cost the recorder.
const LOOK_SECONDS: i64 = 2;

/// The accounts there are.
#[derive(Debug, Default)]
pub(crate) struct Directory(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    users: BTreeMap<String, Arc<User>>,
    /// Whose token has this hash, whether it is open or not.
    tokens: BTreeMap<Digest, String>,
    looked: Option<Timestamp>,
    /// Of which tokens it was said that they are used, on which day.
    used: BTreeMap<(String, String), Date>,
}

impl Directory {
    fn read<T>(&self, of: impl FnOnce(&Known) -> T) -> T {
        of(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, of: impl FnOnce(&mut Known) -> T) -> T {
        of(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The account of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<User>> {
        self.read(|known| known.users.get(name).cloned())
    }

    /// The account that comes in by this identity, whether it was removed or not.
    pub(crate) fn of_identity(&self, identity: &Identity) -> Option<Arc<User>> {
        let own = |user: &&Arc<User>| user.identity.as_ref() == Some(identity);
        self.read(|known| known.users.values().find(own).cloned())
    }

    /// The account that has this token.
    pub(crate) fn of_token(&self, token: &Digest) -> Option<Arc<User>> {
        self.read(|known| known.users.get(known.tokens.get(token)?).cloned())
    }

    /// All accounts, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        self.read(|known| known.users.values().cloned().collect())
    }

    /// Takes in how an account stands.
    pub(crate) fn put(&self, user: User) {
        self.write(|known| {
            let name = user.name.clone();
            known.tokens.retain(|_, of| *of != name);
            known.tokens.extend(user.tokens.iter().map(|token| (token.hash, name.clone())));
            known.users.insert(name, Arc::new(user));
        });
    }

    /// Whether it is time to look at the log for what is not known here.
    pub(crate) fn may_look(&self, now: Timestamp) -> bool {
        self.write(|known| {
            let since = |at: Timestamp| (now.as_second() - at.as_second()).abs();
            let due = known.looked.is_none_or(|at| since(at) >= LOOK_SECONDS);
            if due {
                known.looked = Some(now);
            }
            due
        })
    }

    /// Whether it was not said yet that a token is used on this day; from now on it was.
    pub(crate) fn is_first_use(&self, user: &str, token: &str, day: Date) -> bool {
        let key = (user.to_owned(), token.to_owned());
        self.write(|known| known.used.insert(key, day) != Some(day))
    }

    /// Reads all accounts.
    pub(crate) async fn look(&self, bus: &Bus) -> Result<(), AskError> {
        let mut users = Vec::new();
        each_stream(bus, Selection::Users, |view| users.extend(view.state.body.user().cloned()))
            .await?;
        users.into_iter().for_each(|user| self.put(user));
        Ok(())
    }

    /// Something was said: of an account, perhaps.
    pub(crate) async fn hear(&self, bus: &Bus, entry: &LogEntry) -> Result<(), AskError> {
        let Ok(envelope) = entry.envelope() else { return Ok(()) };
        if entry.void.is_some() || envelope.subject.stream_type() != StreamType::User {
            return Ok(());
        }
        self.renew(bus, &envelope.subject).await
    }

    /// Reads one account again.
    pub(crate) async fn renew(&self, bus: &Bus, id: &StreamId) -> Result<(), AskError> {
        let state = stream(bus, id).await?;
        if let Some(user) = state.and_then(|state| state.body.user().cloned()) {
            self.put(user);
        }
        Ok(())
    }
}
