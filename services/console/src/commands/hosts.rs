//! What people say of a host: it is to start nothing new, or to start work again; that there is to be one; and that one counts
//! no more.

use domain::canonical::Digest;
use domain::event::{Event, HostDrained, HostInvited, HostResumed, HostRevoked};
use domain::ids::{ProducerId, StreamId};
use domain::ledger::StreamState;
use domain::people::{Action, plain_code};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Applied, CommandError, applied, check_reason, named};
use crate::config::Joining;
use crate::people::{Caller, new_code};
use crate::site::producers;
use crate::state::Console;

/// How long an invitation lives.
const INVITED: SignedDuration = SignedDuration::from_mins(15);

/// How a host joins. It is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Position of the event that made it.
    pub position: u64,
    /// The host.
    pub host: String,
    /// What is pasted there. The code in it lets in one executor of this name, once.
    pub line: String,
    /// When it ends.
    #[schema(value_type = String)]
    pub until: Timestamp,
    /// What else is needed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// What can be done with a host.
#[derive(Debug, Clone, Copy)]
pub(crate) enum HostAct {
    Drain,
    Resume,
}

impl HostAct {
    fn done(self) -> &'static str {
        match self {
            Self::Drain => "drained: it starts nothing new; what runs there goes on",
            Self::Resume => "resumed: it takes work again",
        }
    }
}

impl Console {
    /// Drains a host, or lets it take work again.
    pub(crate) async fn set_host(
        &self,
        name: &str,
        act: HostAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let id = StreamId::host(name);
        caller.may(self, Action::KeepHosts, Some(&id)).await?;
        let next = |state: Option<&StreamState>| {
            if state.is_none() {
                return Err(CommandError::NotFound(named(&id)));
            }
            let reason = reason.to_owned();
            Ok(vec![match act {
                HostAct::Drain => Event::from(HostDrained { reason }),
                HostAct::Resume => HostResumed { reason }.into(),
            }])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, act.done()))
    }

    /// Takes a host's key back: nothing that it says from then on counts.
    pub(crate) async fn revoke_host(
        &self,
        name: &str,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let id = StreamId::host(name);
        caller.may(self, Action::InviteHosts, Some(&id)).await?;
        caller.check_unlimited()?;
        let alone = self.joining.is_none();
        let next = |state: Option<&StreamState>| {
            if state.is_none() {
                return Err(CommandError::NotFound(named(&id)));
            }
            if alone {
                let why = "this installation is one process, and its host is a part of it: stop it instead";
                return Err(CommandError::Refused(why.to_owned()));
            }
            Ok(vec![HostRevoked { reason: reason.to_owned() }.into()])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(
            position,
            id,
            "revoked: nothing that it says from now on counts; it comes back only by an invitation, with another key",
        ))
    }

    /// Which key of a host comes next, of one that was let in before.
    async fn next_key(&self, name: &str) -> Result<u32, CommandError> {
        let known = producers(self, None).await.map_err(CommandError::unavailable)?;
        let of_host = known.keys().filter(|id| id.is_of_host(name));
        let newest = of_host.map(ProducerId::generation).max();
        let newest = newest.ok_or_else(|| {
            CommandError::Refused(format!(
                "no host {name} was let in: invite it for the first time"
            ))
        })?;
        Ok(newest + 1)
    }

    /// Lets one executor of this name in that has the code, within a quarter of an hour: its first, or, `again`, one with another
    /// key than those before, of which none counts any more once it is let in.
    pub(crate) async fn invite_host(
        &self,
        name: &str,
        again: bool,
        caller: &Caller,
        reason: &str,
    ) -> Result<Invitation, CommandError> {
        check_reason(reason)?;
        let id = StreamId::host(name);
        caller.may(self, Action::InviteHosts, Some(&id)).await?;
        caller.check_unlimited()?;
        let joining = self.joining.as_deref().ok_or_else(|| {
            let why = "this installation is one process, which no other host can reach: run its services apart, with NATS between them (ops/config)";
            CommandError::Refused(why.to_owned())
        })?;
        let secret = new_code().map_err(CommandError::unavailable)?;
        let until = (self.clock)() + INVITED;
        let code = Digest::of(plain_code(&secret).as_bytes());
        let generation = if again { Some(self.next_key(name).await?) } else { None };
        let event = HostInvited { code, until, generation, reason: reason.to_owned() };
        let position = self.say_of(&id, caller, event.into()).await?;
        let Joining { nats, options, hints } = joining.clone();
        let number = generation.map(|n| format!(" --key-number {n}")).unwrap_or_default();
        let line = format!("decklog-executor join {nats} {name} {secret}{options}{number}");
        Ok(Invitation { position, host: name.to_owned(), line, until, hints })
    }
}
