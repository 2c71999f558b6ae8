//! Coming in by a directory: whoever it vouches for has an account of that identity, or gets one, and may what their groups may.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::event::{Entry, UserDirectorySaid};
use domain::ids::{StreamId, is_name};
use domain::people::{Directory, User};
use jiff::{SignedDuration, Timestamp};

use super::cookie::named;
use super::entry::{Came, Gone};
use super::provider::{Claimed, Provider, Tie, Trouble};
use super::secret::Keys;
use crate::commands::CommandError;
use crate::state::Console;

/// The cookie's name.
const COOKIE: &str = "decklog_oidc";
/// Longer addresses are forgotten on the way.
const NEXT_BYTES_MAX: usize = 1_000;
/// On the way to the directory, and on the way back.
const AWAY: usize = 0;
const BACK_AGAIN: usize = 1;
/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);
/// Whoever is sent away is back within so long.
const BACK: SignedDuration = SignedDuration::from_mins(10);

impl From<Trouble> for Gone {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(why) => Self::Directory(why),
            Trouble::Refused(why) => Self::Refused(why),
        }
    }
}

/// Somebody is on their way to the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    tie: Tie,
    /// Where they wanted to go.
    next: String,
    at: Timestamp,
}

impl Begun {
    /// The cookie's value.
    fn seal(&self, keys: &Keys) -> String {
        let Tie { state, nonce, verifier } = &self.tie;
        let next = URL_SAFE_NO_PAD.encode(&self.next);
        let text = format!("{state}.{nonce}.{verifier}.{}.{next}", self.at.as_second());
        format!("{text}.{}", keys.seal(&format!("oidc\n{text}")))
    }

    /// Reads a cookie's value; `None` where it is not ours, or too old.
    fn open(value: &str, keys: &Keys, now: Timestamp) -> Option<Self> {
        let (text, seal) = value.rsplit_once('.')?;
        if !keys.is_seal(&format!("oidc\n{text}"), seal) {
            return None;
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [state, nonce, verifier, at, next] = *parts.as_slice() else { return None };
        let at = Timestamp::from_second(at.parse().ok()?).ok()?;
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        let [state, nonce, verifier] = [state, nonce, verifier].map(str::to_owned);
        let tie = Tie { state, nonce, verifier };
        (now.duration_since(at) < BACK).then_some(Self { tie, next, at })
    }
}

/// A header that sets the cookie. It comes back with a link from elsewhere, which a strict one does not (RFC 6265bis §5.6.7).
fn cookie(value: &str, secure: bool, seconds: i64) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/login; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// What somebody brings who comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brought<'a> {
    /// The header with their cookies.
    pub(crate) cookies: Option<&'a str>,
    /// What the directory sent with them.
    pub(crate) state: &'a str,
    /// Which directory that is, where it says so.
    pub(crate) iss: Option<&'a str>,
    /// The code.
    pub(crate) code: Option<&'a str>,
    /// Why it did not let them in.
    pub(crate) error: Option<&'a str>,
}

impl Console {
    /// Where somebody goes who wants to come in by the directory, and the cookie that ties them to it.
    pub(crate) async fn send_away(&self, next: String) -> Result<(String, String), Gone> {
        let (url, tie) = self.at_provider(AWAY, Provider::begin).await?;
        // Browsers drop a cookie that is too long.
        let next = if next.len() > NEXT_BYTES_MAX { String::new() } else { next };
        let begun = Begun { tie, next, at: (self.clock)() };
        let set = cookie(&begun.seal(&self.keys), self.secure, BACK.as_secs());
        Ok((url, set))
    }

    /// The header that takes that cookie back.
    pub(crate) fn forget_tie(&self) -> String {
        cookie("", self.secure, 0)
    }

    /// Lets somebody in who comes back from the directory; and where they wanted to go.
    pub(crate) async fn come_back(
        &self,
        brought: Brought<'_>,
        from: IpAddr,
    ) -> Result<(Came, String), Gone> {
        let begun = self.begun(brought.cookies, brought.state)?;
        let issuer = self.provider.as_ref().map(|provider| provider.issuer());
        if brought.iss.is_some() && brought.iss != issuer {
            return Err(Gone::Refused("another directory sent you than you went to".to_owned()));
        }
        if let Some(error) = brought.error {
            let error: String = error.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(Gone::Refused(format!("the directory says: {error}")));
        }
        let none = || Gone::Refused("the directory sent no code".to_owned());
        let (code, tie) = (brought.code.ok_or_else(none)?.to_owned(), begun.tie);
        // Each code costs the directory a question, and whoever makes them up has to wait.
        self.begin_try("", from)?;
        let claimed = self.at_provider(BACK_AGAIN, move |provider| provider.end(&tie, &code)).await;
        let claimed = claimed.inspect_err(|gone| tracing::warn!(%from, "sign-in: {gone}"))?;
        let user = self.account_of(&claimed).await.inspect_err(|gone| {
            tracing::warn!(%from, subject = claimed.identity.subject, "sign-in: {gone}");
        })?;
        let id = StreamId::user(&user.name);
        let came = self.begin_session(&user, &id, Entry::Oidc).await?;
        self.patience.came_in("", from);
        Ok((came, begun.next))
    }

    /// What they were sent away with: the browser is the one that went.
    fn begun(&self, cookies: Option<&str>, state: &str) -> Result<Begun, Gone> {
        let value = cookies.and_then(|header| named(header, COOKIE));
        let begun = value.and_then(|value| Begun::open(value, &self.keys, (self.clock)()));
        let why = "it was not begun here, or more than ten minutes ago: begin again";
        begun.filter(|begun| begun.tie.state == state).ok_or_else(|| Gone::Refused(why.to_owned()))
    }

    async fn at_provider<T: Send + 'static>(
        &self,
        way: usize,
        ask: impl FnOnce(&Provider) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Gone> {
        let none = || Gone::Refused("this console knows no directory".to_owned());
        let provider = Arc::clone(self.provider.as_ref().ok_or_else(none)?);
        let busy = || Gone::Directory("too many come in at once: try again".to_owned());
        let place = Arc::clone(provider.places.get(way).ok_or_else(busy)?).acquire_owned();
        let place = tokio::time::timeout(PATIENCE, place).await.map_err(|_| busy())?;
        let asked = tokio::task::spawn_blocking(move || {
            let answer = ask(&provider);
            drop(place);
            answer
        });
        let answer = asked.await.map_err(|error| Gone::Here(error.into()))?;
        answer.map_err(Gone::from)
    }

    /// The account of whoever the directory vouches for, as it stands after what it says of them.
    async fn account_of(&self, claimed: &Claimed) -> Result<Arc<User>, Gone> {
        if self.people.of_identity(&claimed.identity).is_none() {
            // Another console may have made it just now.
            self.people.look(&self.bus).await.map_err(CommandError::unavailable)?;
        }
        let known = self.people.of_identity(&claimed.identity);
        let name = match &known {
            Some(user) => user.name.clone(),
            None => self.free_name(claimed)?,
        };
        let id = StreamId::user(&name);
        let directory = self.directory().await?;
        let none =
            || Gone::Refused("this site has no directory by which people come in".to_owned());
        let (groups, grants) = directory.ok_or_else(none)?.mean(&claimed.groups);
        let new = known.as_ref().is_none_or(|user| user.groups != groups || user.grants != grants);
        let nothing = grants.is_empty();
        let some = !groups.is_empty();
        if new && !(known.is_none() && nothing) {
            let identity = claimed.identity.clone();
            let said = UserDirectorySaid { identity, groups, grants };
            match self.say_freely(&id, None, said.into()).await {
                Ok(_) => {}
                Err(CommandError::Refused(reason)) => return Err(Gone::Refused(reason)),
                Err(error) => return Err(error.into()),
            }
        }
        if nothing {
            let why = if some {
                "your groups in the directory do not go together: an auditor changes nothing, and an account has 50 grants at most"
            } else {
                "none of your groups in the directory may do anything here"
            };
            return Err(Gone::Refused(why.to_owned()));
        }
        self.renew_user(&id).await?;
        let gone = || Gone::Refused("there is no such account".to_owned());
        self.people.get(&name).filter(|user| user.removed.is_none()).ok_or_else(gone)
    }

    /// How an account is named that the directory makes. One that is there already is not taken over by a name: those are not
    /// for ever the same person's.
    fn free_name(&self, claimed: &Claimed) -> Result<String, Gone> {
        if self.provider.as_ref().is_some_and(|provider| !provider.makes_accounts()) {
            return Err(Gone::Refused(format!(
                "you have no account: an administrator makes one, and links it to subject {}",
                claimed.identity.subject
            )));
        }
        let called = claimed.name.as_deref().unwrap_or_default();
        let name = called.split('@').next().unwrap_or_default().to_lowercase();
        if !is_name(&name) {
            return Err(Gone::Refused(format!(
                "the directory calls you {called:?}, which is no name for an account: an administrator makes one for subject {}",
                claimed.identity.subject
            )));
        }
        if self.people.get(&name).is_some() {
            return Err(Gone::Refused(format!(
                "there is an account {name} that does not come in by the directory: an administrator links it to subject {}, or makes another",
                claimed.identity.subject
            )));
        }
        Ok(name)
    }

    /// The directory of this site, as the log has it.
    pub(crate) async fn directory(&self) -> Result<Option<Directory>, CommandError> {
        let state = self.state(&StreamId::directory()).await?;
        Ok(state.and_then(|state| state.body.directory().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_keeps_on_the_way_is_ours_and_not_old() {
        let keys = Keys::of(&[7; 32]);
        let tie = Tie { state: "s-1".into(), nonce: "n_2".into(), verifier: "v".into() };
        let at = Timestamp::UNIX_EPOCH;
        let begun = Begun { tie, next: "/runs?state=failed".to_owned(), at };
        let value = begun.seal(&keys);
        assert_eq!(Begun::open(&value, &keys, at), Some(begun));
        let late = at + BACK;
        assert_eq!(Begun::open(&value, &keys, late), None);
        assert_eq!(Begun::open(&value, &Keys::of(&[8; 32]), at), None);
        assert_eq!(Begun::open(&value.replace("n_2", "n_3"), &keys, at), None);
        assert_eq!(Begun::open("", &keys, at), None);
        assert!(cookie("x", true, 600).ends_with("HttpOnly; SameSite=Lax; Secure"));
    }
}
