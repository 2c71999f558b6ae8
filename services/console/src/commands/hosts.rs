//! What people say of a host: it is to start nothing new, or to start work again.

use domain::event::{Event, HostDrained, HostResumed};
use domain::ids::StreamId;
use domain::ledger::StreamState;
use domain::people::Action;

use super::{Applied, CommandError, applied, check_reason, named};
use crate::people::Caller;
use crate::state::Console;

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
}
