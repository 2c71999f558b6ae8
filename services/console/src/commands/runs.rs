//! What people say of a run: stop, wait, go on, do not happen.

use domain::event::{
    Event, Resolution, RunCancelRequested, RunConfirmed, RunDelayed, RunHeld, RunOverridden,
    RunReleased, RunResolved, RunSkipped, SkipReason,
};
use domain::ids::{StreamId, StreamType};
use domain::ledger::StreamState;
use domain::people::Action;
use domain::run::Run;
use jiff::Timestamp;

use super::{Applied, CommandError, applied, check_reason};
use crate::people::Caller;
use crate::state::Console;

/// What can be done with a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RunAct {
    Cancel,
    Hold,
    Release,
    Skip,
    Confirm,
    Override,
    Delay(Timestamp),
    Resolve(Resolution),
}

impl RunAct {
    fn action(self) -> Action {
        match self {
            Self::Cancel | Self::Hold | Self::Release | Self::Skip | Self::Delay(_) => {
                Action::SteerRuns
            }
            Self::Confirm => Action::ConfirmRuns,
            Self::Override | Self::Resolve(_) => Action::ResolveRuns,
        }
    }

    fn done(self, now: Timestamp) -> String {
        match self {
            Self::Cancel => "asked to stop".to_owned(),
            Self::Hold => "held until somebody releases it".to_owned(),
            Self::Release => "released".to_owned(),
            Self::Skip => "skipped".to_owned(),
            Self::Confirm => "confirmed".to_owned(),
            Self::Override => "goes on without what it waited for".to_owned(),
            Self::Delay(to) if to <= now => "not delayed any more".to_owned(),
            Self::Delay(to) => format!("starts not before {to}"),
            Self::Resolve(_) => "resolved".to_owned(),
        }
    }

    fn event(self, run: &Run, reason: String) -> Event {
        match self {
            Self::Cancel => RunCancelRequested { reason }.into(),
            Self::Hold => RunHeld { reason }.into(),
            Self::Release => RunReleased { reason }.into(),
            Self::Confirm => RunConfirmed { reason }.into(),
            Self::Override => RunOverridden { reason }.into(),
            Self::Delay(not_before) => RunDelayed { not_before, reason, blackout: None }.into(),
            Self::Resolve(outcome) => RunResolved { outcome, evidence: reason }.into(),
            Self::Skip => {
                let (job, definition) = (run.job.clone(), run.definition.clone());
                let (nominal, reason) =
                    (run.nominal.clone(), SkipReason::Person { because: reason });
                RunSkipped { job, definition, nominal, reason }.into()
            }
        }
    }
}

impl Console {
    /// Says one of these of a run.
    pub(crate) async fn set_run(
        &self,
        id: &StreamId,
        act: RunAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        caller.may(self, act.action(), Some(id)).await?;
        let next = |state: Option<&StreamState>| {
            let run = known_run(id, state)?;
            Ok(vec![act.event(run, reason.to_owned())])
        };
        let position = self.change(id, caller, next).await?;
        Ok(applied(position, id.clone(), act.done((self.clock)())))
    }
}

pub(super) fn known_run<'a>(
    id: &StreamId,
    state: Option<&'a StreamState>,
) -> Result<&'a Run, CommandError> {
    let run = state.filter(|_| id.stream_type() == StreamType::Run);
    let run = run.and_then(|state| state.body.run());
    run.ok_or_else(|| CommandError::NotFound(id.to_string()))
}
