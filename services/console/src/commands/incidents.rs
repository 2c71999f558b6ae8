//! What people say of incidents: that there is one, that they deal with it, why it happened, and that it is over.

use domain::calendar::Almanac;
use domain::event::{
    IncidentAcknowledged, IncidentBroadcast, IncidentCauseRecorded, IncidentEvent, IncidentNoted,
    IncidentOpened, IncidentReopened, IncidentResolved, Severity, Trouble,
};
use domain::forecast::SiteView;
use domain::ids::{StreamId, StreamType};
use domain::incident::{CallTreeDefinition, DEFAULT_TREE, Incident, calls};
use domain::ledger::{Body, StreamState};
use domain::site::{Thing, ThingKind};
use domain::wire::{IncidentFilter, Query};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Applied, CommandError, applied};
use crate::people::Caller;
use crate::state::Console;

/// What can be said of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum IncidentAct {
    /// Somebody deals with it: nobody else is called. The text may be absent.
    Acknowledge {},
    /// Says something of it: the text.
    Note {},
    /// Why it happened: the text.
    Cause {
        /// Who caused it, where a person did, such as `user/ana`.
        #[serde(default)]
        caused_by: Option<String>,
    },
    /// It is dealt with: the text is what was done about it.
    Resolve {},
    /// It was not, after all: the text is why.
    Reopen {},
    /// Tells those who are affected: the text.
    Broadcast {},
}

impl IncidentAct {
    fn done(&self) -> &'static str {
        match self {
            Self::Acknowledge {} => "acknowledged: nobody else is called",
            Self::Note {} | Self::Cause { .. } => "said",
            Self::Resolve {} => "resolved",
            Self::Reopen {} => "open again",
            Self::Broadcast {} => "said; those who are affected are told",
        }
    }
}

/// An incident that somebody reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct IncidentWanted {
    /// What it is about: a job, host, dataset, repository, queue or form, such as `job/payroll`.
    #[schema(value_type = String)]
    pub(crate) of: StreamId,
    /// How bad it is: `minor`, `major` or `critical`.
    #[schema(value_type = String)]
    pub(crate) severity: Severity,
    /// What happened, 1 to 1000 bytes.
    pub(crate) text: String,
    /// The call tree by which people are told; that of the job, or `default`, where there is one, when absent.
    #[serde(default)]
    pub(crate) call_tree: Option<String>,
}

fn missing(id: &StreamId) -> CommandError {
    CommandError::NotFound(format!("incident {}", id.rest()))
}

fn incident_in(state: Option<&StreamState>) -> Option<&Incident> {
    state.and_then(|state| state.body.incident())
}

impl Console {
    /// Incidents, newest first, as many as are asked for.
    pub(crate) async fn incidents(
        &self,
        filter: IncidentFilter,
    ) -> Result<(u64, Vec<Incident>), CommandError> {
        let query = |last: Option<&Incident>, limit| {
            let behind = last.map(|last| (last.opened, last.id())).or(filter.behind.clone());
            Query::Incidents(IncidentFilter { behind, limit, ..filter.clone() })
        };
        self.newest_first(filter.limit, query, Body::incident).await
    }

    /// Says something of an incident.
    pub(crate) async fn set_incident(
        &self,
        id: &StreamId,
        act: &IncidentAct,
        caller: &Caller,
        text: &str,
    ) -> Result<Applied, CommandError> {
        let state = self.state(id).await?;
        // Whoever may not is told that, and not whether there is one.
        let wanted = event_of(act, text, 1, Vec::new());
        caller.may_say(self, &wanted.into(), state.as_ref().map(|state| &state.body), id).await?;
        let tree = incident_in(state.as_ref()).and_then(|incident| incident.tree.clone());
        let tell = match (act, &tree) {
            (IncidentAct::Broadcast {}, Some(tree)) => self.affected(tree).await?,
            (_, _) => Vec::new(),
        };
        if matches!(act, IncidentAct::Broadcast {}) && tell.is_empty() {
            let why = "its call tree names nobody under broadcast: nobody would be told";
            return Err(CommandError::Refused(why.to_owned()));
        }
        let next = |state: Option<&StreamState>| {
            let incident = incident_in(state).ok_or_else(|| missing(id))?;
            Ok(vec![event_of(act, text, incident.steps_count + 1, tell.clone()).into()])
        };
        let position = self.change(id, caller, next).await?;
        Ok(applied(position, id.clone(), act.done()))
    }

    /// Acknowledges an incident by the link of a message.
    pub(crate) async fn acknowledge_by_link(
        &self,
        id: &StreamId,
        contact: &str,
        word: &str,
        note: &str,
    ) -> Result<Applied, CommandError> {
        let user = self.state(&StreamId::user(contact)).await?;
        let user = user.and_then(|state| state.body.user().cloned());
        let none = || CommandError::Denied("there is no account of that name that may".to_owned());
        let caller = Caller::by_link(user.ok_or_else(none)?);
        let event = IncidentEvent::IncidentAcknowledged(IncidentAcknowledged {
            note: note.to_owned(),
            link: Some(word.to_owned()),
        });
        let next = |state: Option<&StreamState>| {
            incident_in(state).ok_or_else(|| missing(id))?;
            Ok(vec![event.clone().into()])
        };
        let position = self.change(id, &caller, next).await?;
        Ok(applied(position, id.clone(), "acknowledged: nobody else is called"))
    }

    /// Opens an incident that somebody reports.
    pub(crate) async fn report_incident(
        &self,
        wanted: &IncidentWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.may(self, domain::people::Action::AttendIncidents, Some(&wanted.of)).await?;
        check_about(&wanted.of)?;
        let about = self.state(&wanted.of).await?;
        let about = about.ok_or_else(|| CommandError::NotFound(super::named(&wanted.of)))?;
        let of = Some(wanted.of.clone());
        let filter = IncidentFilter { of, limit: 1, ..IncidentFilter::default() };
        let (_, newest) = self.incidents(filter).await?;
        let newest = newest.first();
        // Of one thing only the newest is ever open.
        if let Some(open) = newest.filter(|newest| newest.is_open()) {
            let name = open.id();
            return Err(CommandError::Refused(format!(
                "incident {} is open already: say it there",
                name.rest()
            )));
        }
        let tree = self.tree_for(wanted, &about).await?;
        let id = StreamId::incident(&wanted.of, newest.map_or(0, |one| one.number) + 1);
        let opened = IncidentOpened {
            severity: wanted.severity,
            trouble: Trouble::Reported { text: wanted.text.clone() },
            at: self.surely_past(),
            tree,
        };
        let event = IncidentEvent::IncidentOpened(opened);
        let next = |state: Option<&StreamState>| match state {
            Some(_) => Err(CommandError::Refused("somebody was faster: look again".to_owned())),
            None => Ok(vec![event.clone().into()]),
        };
        let position = self.change(&id, caller, next).await?;
        let message = format!("incident {} is open", id.rest());
        Ok(applied(position, id, message))
    }

    /// By which tree people are told of a reported incident: the one wanted, or the job's own, or the default one. One that is
    /// wanted must be there; where the job's own is gone the default one takes its place, as for what a scheduler notices.
    async fn tree_for(
        &self,
        wanted: &IncidentWanted,
        about: &StreamState,
    ) -> Result<Option<String>, CommandError> {
        if let Some(name) = &wanted.call_tree {
            let missing = || CommandError::NotFound(format!("active call tree {name}"));
            self.call_tree(name).await?.ok_or_else(missing)?;
            return Ok(Some(name.clone()));
        }
        for name in tree_of(about).into_iter().chain([DEFAULT_TREE.to_owned()]) {
            if self.call_tree(&name).await?.is_some() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// An active call tree.
    pub(crate) async fn call_tree(
        &self,
        name: &str,
    ) -> Result<Option<CallTreeDefinition>, CommandError> {
        domain::ids::check_name("call tree", name)
            .map_err(|error| CommandError::Invalid(error.to_string()))?;
        let id = StreamId::thing(ThingKind::CallTree, name);
        let state = self.state(&id).await?;
        Ok(state.and_then(|state| active_tree(&state.body)))
    }

    async fn affected(&self, tree: &str) -> Result<Vec<domain::event::Call>, CommandError> {
        let Some(tree) = self.call_tree(tree).await? else { return Ok(Vec::new()) };
        let (_, site) = self.site_view().await.map_err(CommandError::unavailable)?;
        let almanac = almanac_of(&tree, &site);
        Ok(calls::affected(&tree, &almanac, (self.clock)()))
    }
}

/// The call tree that a job names for its failures.
fn tree_of(about: &StreamState) -> Option<String> {
    let active = about.body.job()?.active()?;
    active.read().ok()?.on_failure.call_tree
}

/// The call tree that a stream is of, where it is active.
pub(crate) fn active_tree(body: &Body) -> Option<CallTreeDefinition> {
    let thing = body.thing().filter(|thing| thing.active().is_some())?;
    let Thing::CallTree(tree) = thing.read(ThingKind::CallTree)? else { return None };
    Some(*tree)
}

/// The calendars that a call tree names; without those nobody is on holiday.
pub(crate) fn almanac_of(tree: &CallTreeDefinition, site: &SiteView) -> Almanac {
    let found = site.calendars.almanac(&tree.names(), Timestamp::MAX);
    found.map(|(almanac, _)| almanac).unwrap_or_default()
}

fn check_about(of: &StreamId) -> Result<(), CommandError> {
    let fits = match of.stream_type() {
        StreamType::Job
        | StreamType::Host
        | StreamType::Dataset
        | StreamType::Repository
        | StreamType::Queue
        | StreamType::Form => true,
        StreamType::Run
        | StreamType::User
        | StreamType::Log
        | StreamType::Calendar
        | StreamType::Blackout
        | StreamType::Lock
        | StreamType::Pool
        | StreamType::Document
        | StreamType::Review
        | StreamType::CallTree
        | StreamType::Measures
        | StreamType::Control
        | StreamType::Request
        | StreamType::Incident => false,
    };
    let why = "an incident is about a job, host, dataset, repository, queue or form";
    if fits { Ok(()) } else { Err(CommandError::Invalid(why.to_owned())) }
}

fn event_of(
    act: &IncidentAct,
    text: &str,
    step: u32,
    tell: Vec<domain::event::Call>,
) -> IncidentEvent {
    let text = text.to_owned();
    match act {
        IncidentAct::Acknowledge {} => {
            IncidentEvent::IncidentAcknowledged(IncidentAcknowledged { note: text, link: None })
        }
        IncidentAct::Note {} => IncidentEvent::IncidentNoted(IncidentNoted { text }),
        IncidentAct::Cause { caused_by } => {
            let (cause, caused_by) = (text, caused_by.clone());
            IncidentEvent::IncidentCauseRecorded(IncidentCauseRecorded { cause, caused_by })
        }
        IncidentAct::Resolve {} => {
            IncidentEvent::IncidentResolved(IncidentResolved { action: text })
        }
        IncidentAct::Reopen {} => {
            IncidentEvent::IncidentReopened(IncidentReopened { reason: text })
        }
        IncidentAct::Broadcast {} => {
            IncidentEvent::IncidentBroadcast(IncidentBroadcast { step, text, tell })
        }
    }
}
