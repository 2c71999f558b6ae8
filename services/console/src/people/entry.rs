//! Coming in and leaving.

use std::net::IpAddr;
use std::sync::Arc;

use domain::canonical::{Digest, hex};
use domain::event::{Entry, LogOut, UserLoggedIn, UserLoggedOut, UserLoginFailed, UserPasswordSet};
use domain::ids::StreamId;
use domain::people::{User, plain_code};
use jiff::SignedDuration;

use super::caller::Caller;
use super::cookie::{self, Kept};
use super::secret::{PASSWORD_MAX, PASSWORD_MIN, random};
use crate::commands::CommandError;
use crate::state::Console;

/// A session ends after so long, whatever happens.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// By what somebody wants to come in.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// A password.
    Password(String),
    /// A code they were given.
    Code(String),
}

/// What somebody gives who wants another password.
#[derive(Debug, Clone)]
pub(crate) struct NewPassword {
    /// The one they have, where they are asked for it.
    pub(crate) old: Option<String>,
    /// The one they want.
    pub(crate) new: String,
}

/// Somebody came in.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    /// The header that gives the browser its cookie.
    pub(crate) cookie: String,
    /// Whether they came by a code: then they set a password next.
    pub(crate) by_code: bool,
}

/// Why somebody did not come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Gone {
    /// What they gave is not right. It is not said what of it.
    #[error("that name and what you gave with it do not let anybody in")]
    Wrong,
    /// The directory by which they want to come in does not answer.
    #[error("the directory cannot be asked: {0}")]
    Directory(String),
    /// They do not know the password that they want to change.
    #[error("that is not the old password")]
    Old,
    /// Too many tries.
    #[error("too many tries: wait {0} seconds")]
    Wait(i64),
    /// It is right, and they may not.
    #[error("{0}")]
    Refused(String),
    /// The log cannot be reached.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// This machine.
    #[error("this console: {0:#}")]
    Here(anyhow::Error),
}

impl Console {
    /// Lets somebody in who has the right word.
    pub(crate) async fn log_in(
        &self,
        name: &str,
        identity: Identity,
        from: IpAddr,
    ) -> Result<Came, Gone> {
        let times = self.begin_try(name, from)?;
        let id = domain::ids::is_name(name).then(|| StreamId::user(name));
        if let Some(id) = &id {
            self.renew_user(id).await?;
        }
        let user = self.people.get(name).filter(|user| user.removed.is_none() && !user.program);
        let (by, right) = self.is_right(user.as_deref(), identity).await?;
        let (Some(user), Some(id), true) = (user, id, right) else {
            self.say_failed(name, by, times);
            return Err(Gone::Wrong);
        };
        let came = self.begin_session(&user, &id, by).await?;
        self.patience.came_in(name, from);
        Ok(came)
    }

    async fn is_right(
        &self,
        user: Option<&User>,
        identity: Identity,
    ) -> Result<(Entry, bool), Gone> {
        match identity {
            Identity::Password(password) => {
                let verifier = user.and_then(|user| user.password.clone());
                let short = password.len() <= PASSWORD_MAX;
                let right = self.keys.is_password(password, verifier).await.map_err(Gone::Here)?;
                Ok((Entry::Password, right && short))
            }
            Identity::Code(code) => {
                let hash = Digest::of(plain_code(&code).as_bytes());
                let now = (self.clock)();
                let open = user.and_then(|user| user.code).filter(|(_, until)| now < *until);
                Ok((Entry::Code, open.is_some_and(|(wanted, _)| wanted == hash)))
            }
        }
    }

    /// A new session of an account that has shown who it is.
    pub(super) async fn begin_session(
        &self,
        user: &User,
        id: &StreamId,
        by: Entry,
    ) -> Result<Came, Gone> {
        let now = (self.clock)();
        let session = hex(&random::<8>().map_err(Gone::Here)?);
        let until = now + LONGEST;
        let event = UserLoggedIn { session: session.clone(), by, until };
        match self.say_freely(id, Some(&user.actor()), event.into()).await {
            Ok(_) => {}
            Err(CommandError::Refused(reason)) => return Err(Gone::Refused(reason)),
            Err(error) => return Err(error.into()),
        }
        self.renew_user(id).await?;
        let kept = Kept { session, user: user.name.clone(), heard: now };
        let cookie = cookie::set(&kept.seal(&self.keys), self.secure);
        Ok(Came { cookie, by_code: by == Entry::Code })
    }

    /// The first of a row of failures is said, and each tenth: an account that nobody has is in no event. Nobody waits for it,
    /// or a name could be told by the time it takes.
    fn say_failed(&self, name: &str, by: Entry, times: u32) {
        let known = self.people.get(name).is_some_and(|user| user.removed.is_none());
        if !known || !(times == 1 || times.is_multiple_of(10)) {
            return;
        }
        let (console, id) = (self.clone(), StreamId::user(name));
        tokio::spawn(async move {
            let event = UserLoginFailed { by, times };
            if let Err(error) = console.say_freely(&id, None, event.into()).await {
                tracing::warn!(%error, %id, "a failed login could not be said");
            }
        });
    }

    /// They leave; the header that takes the cookie back.
    pub(crate) async fn log_out(&self, caller: &Caller) -> Result<String, CommandError> {
        if let Some(session) = caller.session() {
            let out = UserLoggedOut { session: session.to_owned(), why: LogOut::Left };
            let id = StreamId::user(&caller.user.name);
            self.say_freely(&id, Some(&caller.actor()), out.into()).await?;
            self.renew_user(&id).await?;
        }
        Ok(cookie::unset(self.secure))
    }

    /// Another password. All their sessions end; at which position it stands.
    ///
    /// Whoever sits down at a screen that somebody left does not know the old one, and does not get the account by this.
    pub(crate) async fn change_password(
        &self,
        caller: &Caller,
        wanted: NewPassword,
        from: IpAddr,
    ) -> Result<u64, Gone> {
        check_password(&caller.user, &wanted.new).map_err(Gone::Refused)?;
        let (id, actor) = (StreamId::user(&caller.user.name), caller.actor());
        self.renew_user(&id).await?;
        let user = self.people.get(&caller.user.name).unwrap_or_else(|| Arc::clone(&caller.user));
        self.check_old(&user, caller, wanted.old, from).await?;
        let verifier = self.keys.verifier(wanted.new).await.map_err(Gone::Here)?;
        let position =
            self.say_freely(&id, Some(&actor), UserPasswordSet { verifier }.into()).await?;
        let now = (self.clock)();
        for session in &user.sessions {
            if session.ended.is_none() && now < session.until {
                let why = LogOut::Revoked;
                let out = UserLoggedOut { session: session.name.clone(), why };
                self.say_freely(&id, Some(&actor), out.into()).await?;
            }
        }
        self.renew_user(&id).await?;
        Ok(position)
    }

    /// The same in a browser: this session goes on under another name.
    pub(crate) async fn set_password(
        &self,
        caller: &Caller,
        wanted: NewPassword,
        from: IpAddr,
    ) -> Result<Came, Gone> {
        self.change_password(caller, wanted, from).await?;
        self.begin_session(&caller.user, &StreamId::user(&caller.user.name), Entry::Password).await
    }

    /// Whether they know the old password, where they are asked for it. A wrong one counts as a login that failed.
    async fn check_old(
        &self,
        user: &User,
        caller: &Caller,
        old: Option<String>,
        from: IpAddr,
    ) -> Result<(), Gone> {
        caller.check_unlimited()?;
        if !caller.is_asked_for_password(user) {
            return Ok(());
        }
        if user.password.is_none() {
            let why = "a token sets no first password: come in by a code";
            return Err(CommandError::Denied(why.to_owned()).into());
        }
        let old = old.ok_or_else(|| Gone::Refused("the old password is missing".to_owned()))?;
        let times = self.begin_try(&user.name, from)?;
        if !self.is_right(Some(user), Identity::Password(old)).await?.1 {
            self.say_failed(&user.name, Entry::Password, times);
            return Err(Gone::Old);
        }
        self.patience.came_in(&user.name, from);
        Ok(())
    }

    /// Counts a try before it is looked at: or many at once would all be looked at.
    pub(super) fn begin_try(&self, name: &str, from: IpAddr) -> Result<u32, Gone> {
        let begun = self.patience.begin(name, from, (self.clock)());
        begun.map_err(|wait| Gone::Wait(wait.as_secs() + 1))
    }
}

/// What a password has to be: long. Nothing is asked of its characters (NIST SP 800-63B-4 §3.1.1.2).
fn check_password(user: &Arc<User>, password: &str) -> Result<(), String> {
    let chars = password.chars().count();
    if chars < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        return Err(format!(
            "a password has {PASSWORD_MIN} characters at least, and {PASSWORD_MAX} bytes at most"
        ));
    }
    let first = password.chars().next();
    let lower = password.to_lowercase();
    if password.chars().all(|c| Some(c) == first) || lower.contains(&user.name) {
        return Err(
            "a password is not one character over and over, and does not hold the name".to_owned()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_neither_the_name_nor_one_character() {
        let mia = Arc::new(User::new("mia"));
        for (password, right) in [
            ("correct horse battery", true),
            ("fourteen chars", false),
            ("fifteen charact", true),
            ("aaaaaaaaaaaaaaaaaaaa", false),
            ("I am Mia, and I know it", false),
            ("ééééééééééééééà", true),
        ] {
            assert_eq!(check_password(&mia, password).is_ok(), right, "{password}");
        }
        assert!(check_password(&mia, &"ab".repeat(251)).is_err());
    }
}
