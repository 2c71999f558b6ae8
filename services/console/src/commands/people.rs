//! Accounts, as those who keep them and those who have them want them.

use domain::canonical::Digest;
use domain::event::{
    LogOut, UserCodeIssued, UserFilterSaved, UserGrantsSet, UserIdentitySet, UserLoggedOut,
    UserProvisioned, UserRemoved, UserTokenCreated, UserTokenRevoked,
};
use domain::ids::StreamId;
use domain::people::{Action, Grant, Identity, plain_code};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Applied, CommandError, applied, check_reason};
use crate::people::{Caller, new_code, new_token};
use crate::state::Console;

/// How long a code lives.
const CODE: SignedDuration = SignedDuration::from_hours(24);
/// How many days a token lives when nothing else is said.
const TOKEN_DAYS: u32 = 90;

/// What those who keep the accounts do to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum UserAct {
    /// Makes it, for the first time or again.
    Provision {
        /// What it may do: `operator`, `author@folder/payroll`, `operator@pool/eu`.
        #[schema(value_type = Vec<String>)]
        grants: Vec<Grant>,
        /// Whether a program has it.
        #[serde(default)]
        program: bool,
    },
    /// Gives it these grants, and no others.
    SetGrants {
        /// What it may do.
        #[schema(value_type = Vec<String>)]
        grants: Vec<Grant>,
    },
    /// Removes it: its sessions and tokens end at once.
    Remove,
    /// From now on it comes in by the site's directory, as this subject of it, and by nothing else but its tokens.
    Link {
        /// What the directory calls it (`sub`).
        subject: String,
        /// The directory that is meant, where it should not be whichever the site has by now.
        #[serde(default)]
        issuer: Option<String>,
    },
    /// It does not come in by the directory any more.
    Unlink,
    /// Ends a session.
    EndSession {
        /// Its public name.
        session: String,
    },
    /// Revokes a token.
    RevokeToken {
        /// Its name.
        name: String,
    },
}

impl UserAct {
    fn done(&self) -> &'static str {
        match self {
            Self::Provision { .. } => "provisioned",
            Self::SetGrants { .. } => "may do that, and nothing else",
            Self::Remove => "removed: its sessions and tokens are ended",
            Self::Link { .. } => "comes in by the directory, and by nothing else",
            Self::Unlink => "does not come in by the directory any more",
            Self::EndSession { .. } => "the session is ended",
            Self::RevokeToken { .. } => "the token is revoked",
        }
    }
}

/// Something that is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Once {
    /// Position of the event that made it.
    pub position: u64,
    /// Its name, where it has one.
    pub name: String,
    /// It. Nobody can show it again.
    pub secret: String,
    /// When it ends.
    #[schema(value_type = String)]
    pub until: jiff::Timestamp,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenWanted {
    /// Its name among the account's tokens.
    pub(crate) name: String,
    /// What it may at most; what the account may when absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) grants: Vec<Grant>,
    /// How many days it lives; 90 when absent, 366 at most.
    #[serde(default)]
    pub(crate) days: Option<u32>,
}

/// A search of the events page that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterWanted {
    /// Its name among the account's searches.
    pub(crate) name: String,
    /// What stands behind the `?` of the page's address; it is forgotten when absent.
    #[serde(default)]
    pub(crate) query: Option<String>,
}

impl Console {
    /// Does something to an account.
    pub(crate) async fn set_user(
        &self,
        name: &str,
        act: &UserAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        self.check_keeps(name, caller).await?;
        caller.check_unlimited()?;
        let id = StreamId::user(name);
        let reason = reason.to_owned();
        let event = match act.clone() {
            UserAct::Provision { grants, program } => {
                UserProvisioned { grants, program, reason }.into()
            }
            UserAct::SetGrants { grants } => UserGrantsSet { grants, reason }.into(),
            UserAct::Remove => UserRemoved { reason }.into(),
            UserAct::Link { subject, issuer } => {
                let identity = Some(self.identity_for(name, subject, issuer).await?);
                UserIdentitySet { identity, reason }.into()
            }
            UserAct::Unlink => UserIdentitySet { identity: None, reason }.into(),
            UserAct::EndSession { session } => {
                UserLoggedOut { session, why: LogOut::Revoked }.into()
            }
            UserAct::RevokeToken { name } => UserTokenRevoked { name, reason }.into(),
        };
        let position = self.say_of(&id, caller, event).await?;
        self.renew_user(&id).await?;
        Ok(applied(Some(position), id, act.done()))
    }

    /// An identity of the site's directory that no other account has: or one person would be two.
    async fn identity_for(
        &self,
        name: &str,
        subject: String,
        meant: Option<String>,
    ) -> Result<Identity, CommandError> {
        let none = || CommandError::Refused("this site has no directory".to_owned());
        let issuer = self.directory().await?.ok_or_else(none)?.issuer;
        if meant.as_ref().is_some_and(|meant| *meant != issuer) {
            return Err(CommandError::Refused(format!("the directory of this site is {issuer}")));
        }
        let identity = Identity { issuer, subject };
        self.people.look(&self.bus).await.map_err(CommandError::unavailable)?;
        match self.people.of_identity(&identity).filter(|user| user.name != name) {
            Some(user) => Err(CommandError::Refused(format!("that is {} already", user.actor()))),
            None => Ok(identity),
        }
    }

    /// A code by which somebody comes in once.
    pub(crate) async fn issue_code(
        &self,
        name: &str,
        caller: &Caller,
    ) -> Result<Once, CommandError> {
        let id = StreamId::user(name);
        let secret = new_code().map_err(CommandError::unavailable)?;
        let until = (self.clock)() + CODE;
        let code = Digest::of(plain_code(&secret).as_bytes());
        let position = self.say_of(&id, caller, UserCodeIssued { code, until }.into()).await?;
        self.renew_user(&id).await?;
        Ok(Once { position, name: name.to_owned(), secret, until })
    }

    /// A token of an account: their own, or a program's.
    pub(crate) async fn create_token(
        &self,
        user: &str,
        wanted: &TokenWanted,
        caller: &Caller,
    ) -> Result<Once, CommandError> {
        if caller.user.program {
            let why = "an administrator makes a program's tokens, so that they end";
            return Err(CommandError::Denied(why.to_owned()));
        }
        if !caller.is_unlimited() {
            let why = "a token makes no other: log in, or use the token of the console's machine";
            return Err(CommandError::Denied(why.to_owned()));
        }
        self.check_keeps(user, caller).await?;
        let id = StreamId::user(user);
        let secret = new_token().map_err(CommandError::unavailable)?;
        let days = i64::from(wanted.days.unwrap_or(TOKEN_DAYS));
        let until = (self.clock)() + SignedDuration::from_hours(24 * days.min(10_000));
        let (name, grants) = (wanted.name.clone(), wanted.grants.clone());
        let token = Digest::of(secret.as_bytes());
        let event = UserTokenCreated { name: name.clone(), token, grants, until };
        let position = self.say_of(&id, caller, event.into()).await?;
        self.renew_user(&id).await?;
        Ok(Once { position, name, secret, until })
    }

    /// Keeps a search of the events page under a name, or forgets it.
    pub(crate) async fn save_filter(
        &self,
        wanted: &FilterWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.check_unlimited()?;
        let (name, query) = (wanted.name.clone(), wanted.query.clone());
        let done = if query.is_some() { "kept" } else { "forgotten" };
        let id = StreamId::user(&caller.user.name);
        let event = UserFilterSaved { name, query };
        let position = self.say_of(&id, caller, event.into()).await?;
        self.renew_user(&id).await?;
        Ok(applied(Some(position), id, done))
    }

    /// Accounts of others are for those who keep them. The recorder does not know how narrow a token is.
    async fn check_keeps(&self, name: &str, caller: &Caller) -> Result<(), CommandError> {
        if caller.user.name == name {
            return Ok(());
        }
        caller.may(self, Action::KeepPeople, Some(&StreamId::user(name))).await
    }

    /// Reads an account again: what was done shows at once.
    pub(crate) async fn renew_user(&self, id: &StreamId) -> Result<(), CommandError> {
        let renewed = self.people.renew(&self.bus, id).await;
        renewed.map_err(CommandError::unavailable)
    }
}
