//! That failed backups are put right, that snapshots stand in as many places as was agreed, and that none goes without leave.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::backups::{dataset_of, snapshot_named};
use super::settings::millis;
use super::{Closing, Item, Outcome, Passing};
use crate::backup::DatasetDefinition;
use crate::canonical::Digest;
use crate::event::{
    BackupEvent, BackupForgotten, BackupSnapshotCreated, Event, ForgetReason, JobEvent, Resolution,
    ReviewEvent, RunEvent, ThingAct,
};
use crate::ids::{StreamId, StreamType};
use crate::site::ThingKind;
use crate::time::HumanDuration;

/// A dataset's snapshots in one repository.
type Where = (StreamId, String);

#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// What jobs back up: as was asked for, by number, and as it is.
    asked: BTreeMap<(String, u32), Option<Where>>,
    works: BTreeMap<String, Where>,
    /// Runs that should have made a snapshot and did not, by the last that is known of each.
    failed: BTreeMap<StreamId, (Item, Where)>,
    /// What else went wrong.
    faults: Vec<(Item, Where, Fault)>,
    /// When each place had its last snapshot without errors, and was last read and found whole.
    good: BTreeMap<Where, Timestamp>,
    whole: BTreeMap<Where, Timestamp>,
    /// Runs of which a review says what becomes of them.
    noted: BTreeSet<StreamId>,
    /// Definitions of datasets: as was asked for, and as they are.
    proposals: BTreeMap<(StreamId, u32), DatasetDefinition>,
    datasets: BTreeMap<StreamId, Dataset>,
    /// When the reading of each snapshot began, which may stand in several repositories.
    began: BTreeMap<Digest, Timestamp>,
    /// Requests to forget snapshots that a rule keeps: who asks, and who agrees.
    requests: BTreeMap<(StreamId, u64), Asked>,
    removed: Vec<Item>,
    /// Snapshots that are not where they were, and when they were there again.
    missing: BTreeMap<(Where, Digest), (Item, Option<Timestamp>)>,
}

#[derive(Debug, Default)]
struct Asked {
    by: Option<String>,
    agreed: Option<String>,
}

/// What is wrong with what is saved.
#[derive(Debug)]
enum Fault {
    /// Something could not be read: the snapshot is not complete.
    Incomplete,
    /// What is stored is damaged.
    Damaged,
}

#[derive(Debug, Default)]
struct Dataset {
    /// What was agreed, one after the other.
    terms: Vec<Terms>,
    approved: BTreeSet<Digest>,
    held: BTreeMap<String, Vec<Held>>,
}

/// What was agreed of a dataset for a time.
#[derive(Debug)]
struct Terms {
    copies: u32,
    rpo: HumanDuration,
    since: Timestamp,
    position: u64,
    until: Option<Timestamp>,
    /// Whether more is agreed than before: it is so from the first RPO on.
    more: bool,
}

/// A snapshot in a repository.
#[derive(Debug)]
struct Held {
    snapshot: Digest,
    /// When its reading began.
    began: Timestamp,
    from: Timestamp,
    /// When it was forgotten, or found missing.
    until: Option<Timestamp>,
}

impl Snapshots {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let id = &passing.envelope.subject;
        match passing.event {
            Event::JobEvent(event) => self.observe_job(id, event),
            Event::RunEvent(event) => self.observe_run(id, event, passing),
            Event::ReviewEvent(ReviewEvent::ReviewNoted(event)) => {
                self.noted.insert(event.run.clone());
            }
            Event::ThingEvent(event) if event.of == ThingKind::Dataset => {
                self.observe_dataset(id, &event.act, passing);
            }
            Event::BackupEvent(event) if id.stream_type() == StreamType::Dataset => {
                self.observe_backup(id, event, passing);
            }
            _ => {}
        }
    }

    fn observe_job(&mut self, id: &StreamId, event: &JobEvent) {
        let job = id.rest().to_owned();
        match event {
            JobEvent::JobProposed(event) => {
                self.asked.insert((job, event.number), saved(&event.definition));
            }
            JobEvent::JobApproved(event) => {
                match self.asked.remove(&(job.clone(), event.number)).flatten() {
                    Some(place) => self.works.insert(job, place),
                    None => self.works.remove(&job),
                };
            }
            _ => {}
        }
    }

    fn observe_run(&mut self, id: &StreamId, event: &RunEvent, passing: Passing<'_>) {
        match event {
            RunEvent::RunFailed(_) | RunEvent::RunTimedOut(_) | RunEvent::RunLost(_) => {
                let job = id.run_job().unwrap_or_default();
                if let Some(place) = self.works.get(job) {
                    let item = Item::new(passing.received, id, passing.position);
                    self.failed.insert(id.clone(), (item, place.clone()));
                }
            }
            // It is told of by its last try; and one that was lost may have ended well after all.
            RunEvent::RunRetryScheduled(_) | RunEvent::RunSucceeded(_) => {
                self.failed.remove(id);
            }
            RunEvent::RunResolved(event) if event.outcome == Resolution::Succeeded => {
                self.failed.remove(id);
            }
            _ => {}
        }
    }

    fn observe_dataset(&mut self, id: &StreamId, act: &ThingAct, passing: Passing<'_>) {
        match act {
            ThingAct::Proposed(event) => {
                let asked = dataset_of(event);
                self.proposals.extend(asked.map(|one| ((id.clone(), event.number), one)));
            }
            ThingAct::Approved(event) => {
                let Some(definition) = self.proposals.remove(&(id.clone(), event.number)) else {
                    return;
                };
                let kept = self.datasets.entry(id.clone()).or_default();
                kept.agree(&definition, passing.received, passing.position);
                kept.approved.insert(event.digest);
            }
            ThingAct::Retired(_) => {
                if let Some(terms) =
                    self.datasets.get_mut(id).and_then(|kept| kept.terms.last_mut())
                {
                    terms.until.get_or_insert(passing.received);
                }
            }
        }
    }

    fn observe_backup(&mut self, id: &StreamId, event: &BackupEvent, passing: Passing<'_>) {
        let at = passing.received;
        let place = |repository: &String| (id.clone(), repository.clone());
        match event {
            BackupEvent::BackupSnapshotCreated(event) => self.created(id, event, passing),
            BackupEvent::BackupCopied(event) => {
                if let Some(began) = self.began.get(&event.original).copied() {
                    self.began.insert(event.snapshot, began);
                    self.hold(id, &event.to, event.snapshot, at);
                }
            }
            BackupEvent::BackupVerified(event) => {
                self.whole.insert(place(&event.repository), at);
            }
            BackupEvent::BackupCheckFailed(event) => {
                let subject = format!("{id} {}: check", event.repository);
                let item = Item::new(at, subject, passing.position);
                self.faults.push((item, place(&event.repository), Fault::Damaged));
            }
            BackupEvent::BackupForgetRequested(_) => {
                let key = (id.clone(), passing.envelope.version);
                let by = passing.envelope.actor.clone();
                self.requests.insert(key, Asked { by, agreed: None });
            }
            BackupEvent::BackupForgetApproved(event) => {
                if let Some(asked) = self.requests.get_mut(&(id.clone(), event.request)) {
                    asked.agreed.clone_from(&passing.envelope.actor);
                }
            }
            BackupEvent::BackupForgotten(event) => {
                self.lose(id, &event.repository, &event.snapshots, at);
                self.forget(id, event, passing);
            }
            BackupEvent::BackupSnapshotMissing(event) => {
                let subject = snapshot_named(id, &event.repository, event.snapshot);
                let item = Item::new(at, subject, passing.position);
                self.missing.insert((place(&event.repository), event.snapshot), (item, None));
                self.lose(id, &event.repository, &[event.snapshot], at);
            }
            BackupEvent::BackupSnapshotFound(event) => {
                let key = (place(&event.repository), event.snapshot);
                if let Some((_, found)) = self.missing.get_mut(&key) {
                    *found = Some(at);
                }
                self.hold(id, &event.repository, event.snapshot, at);
            }
            _ => {}
        }
    }

    fn created(&mut self, id: &StreamId, event: &BackupSnapshotCreated, passing: Passing<'_>) {
        let at = passing.received;
        let place = (id.clone(), event.repository.clone());
        if event.errors == 0 {
            let began = event.began.min(at);
            self.began.insert(event.snapshot, began);
            self.hold(id, &event.repository, event.snapshot, at);
            self.good.insert(place, at);
            return;
        }
        let subject = snapshot_named(id, &event.repository, event.snapshot);
        let note = Some(format!("{} files could not be read", event.errors));
        let item = Item { note, ..Item::new(at, subject, passing.position) };
        self.faults.push((item, place, Fault::Incomplete));
    }

    /// A snapshot stands in a repository from now on.
    fn hold(&mut self, id: &StreamId, repository: &str, snapshot: Digest, from: Timestamp) {
        let Some(began) = self.began.get(&snapshot).copied() else { return };
        let dataset = self.datasets.entry(id.clone()).or_default();
        let held = dataset.held.entry(repository.to_owned()).or_default();
        held.push(Held { snapshot, began, from, until: None });
    }

    /// It stands there no more.
    fn lose(&mut self, id: &StreamId, repository: &str, snapshots: &[Digest], at: Timestamp) {
        let dataset = self.datasets.get_mut(id);
        let held = dataset.and_then(|dataset| dataset.held.get_mut(repository));
        let open = held.into_iter().flatten().filter(|held| held.until.is_none());
        for one in open.filter(|held| snapshots.contains(&held.snapshot)) {
            one.until = Some(at);
        }
    }

    fn forget(&mut self, id: &StreamId, event: &BackupForgotten, passing: Passing<'_>) {
        let wrong = match &event.reason {
            ForgetReason::Policy { definition } => {
                let known = self.datasets.get(id);
                let approved = known.is_some_and(|one| one.approved.contains(&definition.digest));
                (!approved).then(|| "by a rule that was never approved".to_owned())
            }
            ForgetReason::People { request } => {
                let asked = self.requests.get(&(id.clone(), *request));
                match asked.map(|asked| (&asked.by, &asked.agreed)) {
                    Some((Some(by), Some(agreed))) if by != agreed => None,
                    Some((Some(by), Some(_))) => Some(format!("{by} agreed with themselves")),
                    _ => Some("nobody else has agreed to it, or somebody is not named".to_owned()),
                }
            }
        };
        let subject = format!("{id} {}: {} snapshots", event.repository, event.snapshots.len());
        self.removed.push(Item::new(passing.received, subject, passing.position).failing(wrong));
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        vec![
            Outcome::of("BK-02", self.corrected(closing)),
            Outcome::of("BK-05", self.copied(closing)),
            Outcome::of("BK-06", self.removals(closing)),
        ]
    }

    fn corrected(&self, closing: Closing<'_>) -> Vec<Item> {
        let since = |known: &BTreeMap<Where, Timestamp>, (item, place): (&Item, &Where)| {
            known.get(place).is_some_and(|at| *at > item.at)
        };
        let open =
            |item: &Item, why: &str| closing.unless_young(item.clone(), Some(why.to_owned()));
        let unsaved = "no good snapshot was made there since";
        let run = |(run, (item, place)): (&StreamId, &(Item, Where))| {
            if since(&self.good, (item, place)) {
                return item.clone();
            }
            if self.noted.contains(run) {
                let said = "a review says what becomes of it; no good snapshot came after it";
                return Item { note: Some(said.to_owned()), ..item.clone() };
            }
            open(item, unsaved)
        };
        let fault = |(item, place, of): &(Item, Where, Fault)| {
            let (known, why) = match of {
                Fault::Damaged => (&self.whole, "nothing was read again and found whole since"),
                Fault::Incomplete => (&self.good, unsaved),
            };
            if since(known, (item, place)) { item.clone() } else { open(item, why) }
        };
        let runs = self.failed.iter().filter(|(_, (item, _))| closing.period.holds(item.at));
        let faults = self.faults.iter().filter(|(item, ..)| closing.period.holds(item.at));
        runs.map(run).chain(faults.map(fault)).collect()
    }

    /// Datasets that are to stand in several repositories, and the spans in which they did not.
    fn copied(&self, closing: Closing<'_>) -> Vec<Item> {
        let mut found = Vec::new();
        for (id, dataset) in &self.datasets {
            for terms in dataset.terms.iter().filter(|terms| terms.copies > 1) {
                let end = terms.until.unwrap_or(closing.end).min(closing.end);
                if end <= closing.period.from || terms.since >= closing.end {
                    continue;
                }
                found.push(Item::new(terms.since, id, terms.position));
                for (from, until) in dataset.too_few(terms, end) {
                    if until > closing.period.from {
                        let why = format!(
                            "from {from} until {until} it stood in fewer than {} repositories",
                            terms.copies
                        );
                        found.push(Item::absent(from, id, why));
                    }
                }
            }
        }
        found
    }

    fn removals(&self, closing: Closing<'_>) -> Vec<Item> {
        let missing = self.missing.values().map(|(item, found)| match found {
            Some(at) => Item { note: Some(format!("it was there again at {at}")), ..item.clone() },
            None => item.clone().failing(Some(
                "it is not in its repository, and nothing says who removed it".to_owned(),
            )),
        });
        let all = self.removed.iter().cloned().chain(missing);
        all.filter(|item| closing.period.holds(item.at)).collect()
    }
}

impl Dataset {
    /// From now on this is agreed.
    fn agree(&mut self, definition: &DatasetDefinition, since: Timestamp, position: u64) {
        let (copies, rpo) = (definition.copies, definition.rpo);
        let more = match self.terms.last_mut() {
            Some(last) if last.until.is_none() => {
                last.until = Some(since);
                last.copies < copies || last.rpo.millis() > rpo.millis()
            }
            _ => true,
        };
        self.terms.push(Terms { copies, rpo, since, position, until: None, more });
    }

    /// Spans of the time of which something was agreed, until an end, in which fewer repositories than that had a snapshot
    /// younger than the RPO.
    fn too_few(&self, terms: &Terms, end: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let rpo = SignedDuration::from_millis(millis(terms.rpo));
        let lives = |began: Timestamp| began.checked_add(rpo).unwrap_or(Timestamp::MAX);
        let mut steps: Vec<(Timestamp, i64)> = Vec::new();
        for held in self.held.values() {
            let span = |one: &Held| {
                let until = one.until.unwrap_or(Timestamp::MAX).min(lives(one.began));
                (one.from, until)
            };
            for (from, until) in merged(held.iter().map(span)) {
                steps.extend([(from, 1), (until, -1)]);
            }
        }
        steps.sort_unstable();
        let want = i64::from(terms.copies);
        let (mut have, mut since, mut found) = (0, Some(Timestamp::MIN), Vec::new());
        for (at, step) in steps {
            have += step;
            match since {
                None if have < want => since = Some(at),
                Some(from) if have >= want => {
                    found.push((from, at));
                    since = None;
                }
                _ => {}
            }
        }
        found.extend(since.map(|from| (from, end)));
        // Until the first RPO is over nobody expects more than before.
        let begins = if terms.more { lives(terms.since) } else { terms.since };
        let cut = |(from, until): (Timestamp, Timestamp)| (from.max(begins), until.min(end));
        found.into_iter().map(cut).filter(|(from, until)| from < until).collect()
    }
}

/// Spans, those that touch as one.
fn merged(spans: impl Iterator<Item = (Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<_> = spans.filter(|(from, until)| from < until).collect();
    spans.sort_unstable();
    let mut found: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, until) in spans {
        match found.last_mut() {
            Some((_, last)) if from <= *last => *last = until.max(*last),
            _ => found.push((from, until)),
        }
    }
    found
}

/// Where a job's definition puts the snapshots it makes.
fn saved(definition: &Value) -> Option<Where> {
    let backup = definition.get("backup")?;
    let text = |field: &str| backup.get(field)?.as_str();
    let dataset = StreamId::thing(ThingKind::Dataset, text("dataset")?);
    Some((dataset, text("repository")?.to_owned()))
}
