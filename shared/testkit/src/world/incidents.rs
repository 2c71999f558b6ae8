//! Incidents in a world: messages that are sent, people who attend to them, and what must be true of both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use domain::envelope::Draft;
use domain::event::{
    Event, IncidentAcknowledged, IncidentCauseRecorded, IncidentEvent, IncidentReopened,
    IncidentResolved, Sent, Trouble,
};
use domain::ids::StreamId;
use domain::incident::words::BAD_STATES;
use domain::incident::{DEFAULT_TREE, Incident};
use domain::ledger::Mark;
use domain::scheduler::{About, Outgoing, SUSPECT, Scheduler};
use domain::site::ThingKind;
use jiff::Timestamp;

use super::{Node, World};

/// One message: the incident, the step, and which of its calls.
type Key = (StreamId, u32, u32);

/// Messages that were sent.
#[derive(Debug, Default)]
pub(super) struct Post {
    sent: BTreeSet<Key>,
}

impl World {
    /// Sends messages as a relay does: it takes them, refuses them, or its answer is lost.
    pub(super) fn call_people(&mut self, i: usize, messages: Vec<Outgoing>) {
        let now = self.clock(Node::Scheduler(i));
        for about in messages.into_iter().flat_map(|one| one.about) {
            let key = (about.incident.id(), about.step, about.call);
            if !self.post.sent.insert(key) {
                let id = about.incident.id();
                self.trouble = Some(format!("{id} was told twice: {} {}", about.step, about.call));
            }
            if let Some(sent) = self.answer() {
                self.tell_sent(i, &about, &sent, now);
            }
        }
    }

    fn answer(&mut self) -> Option<Sent> {
        match self.rng.between(0, 9) {
            0 => None,
            1 | 2 => Some(Sent::Failed { message: "the relay is full".to_owned() }),
            _ => Some(Sent::Taken {}),
        }
    }

    fn tell_sent(&mut self, i: usize, about: &About, sent: &Sent, now: Timestamp) {
        if let Some(mind) = self.schedulers[i].mind_mut() {
            mind.sent(about, sent, now);
        }
    }

    /// What a scheduler that has just loaded everything looks at: what happened while it was away.
    pub(super) fn look_back(&self, mind: &mut Scheduler, now: Timestamp) {
        let mut runs: BTreeMap<&StreamId, Timestamp> = BTreeMap::new();
        for row in self.log.rows.iter().filter(|row| row.mark == Mark::Valid) {
            if SUSPECT.contains(&row.event.kind()) {
                runs.insert(&row.envelope.subject, row.received);
            }
        }
        for (id, received) in runs {
            if let Some(run) = self.auditor.run(id).filter(|_| mind.is_suspect(id, received)) {
                mind.examine(run, now);
            }
        }
    }

    fn incidents(&self) -> impl Iterator<Item = (&StreamId, &Incident, u64)> {
        self.auditor.streams.0.iter().filter_map(|(id, state)| {
            state.body.incident().map(|incident| (id, incident, state.version))
        })
    }

    /// Somebody attends to an incident: acknowledges it, says why it happened, resolves it. False where none is open.
    pub(super) fn attend(&mut self) -> Result<bool> {
        let open: Vec<(StreamId, u64, bool, bool)> = self
            .incidents()
            .filter(|(_, incident, _)| incident.is_open())
            .map(|(id, one, version)| {
                (id.clone(), version, one.acknowledged.is_some(), one.cause.is_some())
            })
            .collect();
        let index = self.rng.index(open.len());
        let Some((id, version, acknowledged, explained)) = open.get(index).cloned() else {
            return Ok(false);
        };
        let event: IncidentEvent = match (acknowledged, explained) {
            (false, _) => IncidentEvent::IncidentAcknowledged(IncidentAcknowledged {
                note: String::new(),
                link: None,
            }),
            (true, false) => IncidentEvent::IncidentCauseRecorded(IncidentCauseRecorded {
                cause: "it was full".to_owned(),
                caused_by: None,
            }),
            (true, true) => IncidentEvent::IncidentResolved(IncidentResolved {
                action: "emptied it".to_owned(),
            }),
        };
        self.console_says(Draft::new(id, version + 1, event).by(Some("user/bob")))?;
        Ok(true)
    }

    /// Somebody opens again what was resolved.
    pub(super) fn reopen_something(&mut self) -> Result<()> {
        let ended: Vec<(StreamId, u64)> = self
            .incidents()
            .filter(|(_, incident, _)| !incident.is_open())
            .map(|(id, _, version)| (id.clone(), version))
            .collect();
        let index = self.rng.index(ended.len());
        let Some((id, version)) = ended.get(index).cloned() else { return Ok(()) };
        let event = IncidentReopened { reason: "it is full again".to_owned() };
        self.console_says(Draft::new(id, version + 1, event).by(Some("user/bob")))
    }

    /// Of one thing at most one incident is open.
    pub(super) fn one_incident_at_a_time(&self) -> Result<()> {
        let mut open: BTreeSet<&StreamId> = BTreeSet::new();
        for (id, incident, _) in self.incidents().filter(|(_, one, _)| one.is_open()) {
            ensure!(open.insert(&incident.of), "{id} is not the only one that is open");
        }
        Ok(())
    }

    /// Every run that failed while the call tree was there is in an incident.
    pub(super) fn every_failure_is_an_incident(&self) -> Result<()> {
        let mut told: BTreeSet<&StreamId> = BTreeSet::new();
        for row in self.log.rows.iter().filter(|row| row.mark == Mark::Valid) {
            let Event::IncidentEvent(event) = &*row.event else { continue };
            if let Some(Trouble::Run { run, .. }) = event.trouble() {
                told.insert(run);
            }
        }
        let Some(since) = self.tree_since() else { return Ok(()) };
        let runs = self.auditor.streams.0.values().filter_map(|state| state.body.run());
        for run in runs.filter(|run| run.part_of.is_none() && run.resolution.is_none()) {
            let bad = BAD_STATES.contains(&run.state.word()) && run.changed > since;
            let (id, state) = (&run.id, run.state.word());
            if bad && !told.contains(id) {
                let of = StreamId::job(&run.job);
                let all = self.incidents().filter(|(_, one, _)| one.of == of);
                let seen: Vec<_> = all.map(|(id, one, _)| (id, one.heard, &one.troubles)).collect();
                anyhow::bail!(
                    "{id} is {state} since {}, and no incident tells: {seen:?}",
                    run.changed
                );
            }
        }
        Ok(())
    }

    /// Since when the call tree is there.
    fn tree_since(&self) -> Option<Timestamp> {
        let id = StreamId::thing(ThingKind::CallTree, DEFAULT_TREE);
        let thing = self.auditor.streams.0.get(&id)?.body.thing()?;
        thing.versions.spans.first().map(|span| span.from)
    }
}
