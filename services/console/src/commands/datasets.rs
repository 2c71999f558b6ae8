//! What people say of snapshots: that one is kept, that some are to be forgotten, that a test was looked at.

use domain::backup::Dataset;
use domain::backup::choosing::{Unclear, named as named_snapshot};
use domain::canonical::Digest;
use domain::event::{
    BackupForgetApproved, BackupForgetDeclined, BackupForgetRequested, BackupHeld, BackupHoldEnded,
    Event, RestoreCertified,
};
use domain::ids::StreamId;
use domain::ledger::StreamState;
use domain::people::Action;
use domain::site::ThingKind;
use jiff::Timestamp;

use super::{Applied, CommandError, applied, check_reason, named};
use crate::people::Caller;
use crate::state::Console;

/// What can be said of a dataset's snapshots.
#[derive(Debug, Clone)]
pub(crate) enum DatasetAct {
    /// One is kept, whatever the rule says.
    Hold { snapshot: String, until: Option<Timestamp> },
    /// It is kept as any other again.
    EndHold { snapshot: String },
    /// These are to be forgotten, although the rule keeps them.
    Forget { snapshots: Vec<String> },
    /// Somebody else agrees to what was asked for.
    ApproveForget,
    /// Or does not.
    DeclineForget,
    /// Somebody has looked at a restore test.
    Certify { run: StreamId, corrective_action: Option<String> },
}

impl DatasetAct {
    fn action(&self) -> Action {
        match self {
            Self::Hold { .. } | Self::EndHold { .. } => Action::HoldSnapshots,
            Self::Forget { .. } => Action::RequestForget,
            Self::ApproveForget => Action::ApproveForget,
            Self::DeclineForget => Action::DeclineRequests,
            Self::Certify { .. } => Action::CertifyTests,
        }
    }

    fn done(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "held: no rule forgets it",
            Self::EndHold { .. } => "the hold has ended",
            Self::Forget { .. } => "asked for: it waits for approval by somebody else",
            Self::ApproveForget => "approved: the next run of a retention job forgets them",
            Self::DeclineForget => "declined: they are kept",
            Self::Certify { .. } => "certified",
        }
    }

    fn event(&self, dataset: &Dataset, reason: &str) -> Result<Event, CommandError> {
        let reason = reason.to_owned();
        let request = dataset.request.as_ref().map(|request| request.number);
        let request =
            || request.ok_or_else(|| CommandError::Refused("nothing is asked for".to_owned()));
        Ok(match self {
            Self::Hold { snapshot, until } => {
                let (repository, snapshot) = find(dataset, snapshot)?;
                BackupHeld { repository, snapshot, reason, until: *until }.into()
            }
            Self::EndHold { snapshot } => {
                let (repository, snapshot) = find(dataset, snapshot)?;
                BackupHoldEnded { repository, snapshot, reason }.into()
            }
            Self::Forget { snapshots } => {
                let found: Result<Vec<_>, _> =
                    snapshots.iter().map(|text| find(dataset, text)).collect();
                let found = found?;
                let repository = found.first().map(|(name, _)| name.clone()).unwrap_or_default();
                if found.iter().any(|(other, _)| *other != repository) {
                    let text = "ask for one repository at a time".to_owned();
                    return Err(CommandError::Invalid(text));
                }
                let snapshots = found.into_iter().map(|(_, id)| id).collect();
                BackupForgetRequested { repository, snapshots, reason }.into()
            }
            Self::ApproveForget => BackupForgetApproved { request: request()?, reason }.into(),
            Self::DeclineForget => BackupForgetDeclined { request: request()?, reason }.into(),
            Self::Certify { run, corrective_action } => RestoreCertified {
                run: run.clone(),
                statement: reason,
                corrective_action: corrective_action.clone(),
            }
            .into(),
        })
    }
}

/// The one snapshot whose name begins so; `REPOSITORY:NAME` where several repositories have such.
fn find(dataset: &Dataset, text: &str) -> Result<(String, Digest), CommandError> {
    let (repository, prefix) = match text.split_once(':') {
        Some((repository, prefix)) => (Some(repository), prefix),
        None => (None, text),
    };
    let name = &dataset.defined.name;
    match named_snapshot(dataset, repository, prefix) {
        Ok(one) => Ok((one.repository.clone(), one.id)),
        Err(Unclear::Several) => Err(CommandError::Invalid(format!(
            "several snapshots of {name} begin with {prefix}: write more of it, or REPOSITORY:{prefix}"
        ))),
        Err(Unclear::None) => {
            Err(CommandError::NotFound(format!("snapshot {text} of dataset {name}")))
        }
    }
}

impl Console {
    /// Says something of a dataset's snapshots.
    pub(crate) async fn set_dataset(
        &self,
        name: &str,
        act: &DatasetAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let id = StreamId::thing(ThingKind::Dataset, name);
        caller.may(self, act.action(), Some(&id)).await?;
        let next = |state: Option<&StreamState>| {
            let dataset = state.and_then(|state| state.body.dataset());
            let dataset = dataset.ok_or_else(|| CommandError::NotFound(named(&id)))?;
            Ok(vec![act.event(dataset, reason)?])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, act.done()))
    }
}
