//! The site as the scheduler holds it: calendars, blackouts, locks, pools and hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::incidents::Trees;
use crate::backup::claim_name;
use crate::calendar::{Almanac, Calendars};
use crate::event::ThingEvent;
use crate::ids::StreamId;
use crate::incident::CallTreeDefinition;
use crate::job::{JobDefinition, Selector, Versions, selects};
use crate::ledger::Host;
use crate::site::{BlackoutDefinition, Defined, Thing, ThingKind};

/// How long after its last heartbeat a host counts as there.
const HEARD: SignedDuration = SignedDuration::from_secs(15);

/// A host.
#[derive(Debug, Clone, Default)]
pub(super) struct HostEntry {
    pub(super) host: Host,
    version: u64,
    pub(super) heard: Option<Timestamp>,
    pub(super) free: u32,
    /// When it was heard last with nothing left to say.
    pub(super) said_all: Option<Timestamp>,
}

/// The site.
#[derive(Debug, Default)]
pub(super) struct Site {
    things: BTreeMap<StreamId, (u64, Defined)>,
    blackouts: BTreeMap<String, (BlackoutDefinition, Option<Arc<Almanac>>)>,
    locks: BTreeMap<String, u32>,
    limits: BTreeMap<String, u32>,
    trees: Trees,
    pub(super) hosts: BTreeMap<String, HostEntry>,
}

impl Site {
    /// Takes a thing of the read model in. True where calendars changed.
    pub(super) fn load(
        &mut self,
        id: &StreamId,
        thing: &Defined,
        version: u64,
        calendars: &mut Calendars,
    ) -> bool {
        self.things.insert(id.clone(), (version, thing.clone()));
        self.learn(id, calendars)
    }

    /// Takes an event in. True where calendars changed.
    pub(super) fn apply(
        &mut self,
        id: &StreamId,
        version: u64,
        event: &ThingEvent,
        (received, actor): (Timestamp, Option<&str>),
        calendars: &mut Calendars,
    ) -> bool {
        let known = self.things.remove(id);
        if let Some(known) = &known
            && known.0 >= version
        {
            self.things.insert(id.clone(), known.clone());
            return false;
        }
        let old = known.map_or_else(|| Defined::new(id.rest()), |(_, thing)| thing);
        self.things.insert(id.clone(), (version, old.evolve(event, received, actor)));
        self.learn(id, calendars)
    }

    /// What people say of a change of a thing.
    pub(super) fn hear(&mut self, id: &StreamId, version: u64, step: impl FnOnce(&mut Versions)) {
        if let Some((known, thing)) = self.things.get_mut(id)
            && *known < version
        {
            *known = version;
            step(&mut thing.versions);
        }
    }

    fn learn(&mut self, id: &StreamId, calendars: &mut Calendars) -> bool {
        let (Some((_, thing)), Some(kind)) = (self.things.get(id), id.stream_type().thing()) else {
            return false;
        };
        let name = thing.name.clone();
        let active = thing.active().is_some();
        match (kind, thing.read(kind)) {
            (ThingKind::Calendar, _) => {
                calendars.put(&name, thing.calendar_spans());
                self.renew_blackouts(calendars);
                return true;
            }
            (ThingKind::Blackout, Some(Thing::Blackout(blackout))) if active => {
                let almanac = almanac(&blackout, calendars);
                self.blackouts.insert(name, (blackout, almanac));
            }
            (ThingKind::Blackout, _) => {
                self.blackouts.remove(&name);
            }
            (ThingKind::Lock, Some(Thing::Lock(lock))) => {
                self.locks.insert(name, lock.units);
            }
            (ThingKind::Pool, Some(Thing::Pool(pool))) => {
                self.limits.remove(&name);
                self.limits.extend(pool.limit.filter(|_| active).map(|limit| (name, limit)));
            }
            (ThingKind::CallTree, thing) => {
                let known = self.things.get(id).map(|(_, thing)| &thing.versions);
                let first = known.and_then(|versions| versions.spans.first());
                let span = known.and_then(Versions::active).zip(first);
                let tree = match (thing, span) {
                    (Some(Thing::CallTree(tree)), Some((span, first))) => {
                        Some((*tree, span.number, first.from))
                    }
                    (_, _) => None,
                };
                self.trees.put(&name, tree);
            }
            // A repository is a lock of its writers.
            (ThingKind::Repository, Some(Thing::Repository(repository))) => {
                self.locks.insert(claim_name(id), repository.writers);
            }
            (
                ThingKind::Lock
                | ThingKind::Pool
                | ThingKind::Dataset
                | ThingKind::Repository
                | ThingKind::Queue
                | ThingKind::Form
                | ThingKind::Measures,
                _,
            ) => {}
        }
        false
    }

    fn renew_blackouts(&mut self, calendars: &Calendars) {
        for (blackout, known) in self.blackouts.values_mut() {
            *known = almanac(blackout, calendars);
        }
    }

    /// The blackout that covers `now` for a job, and when it ends; of several, the one that ends last.
    pub(super) fn blackout(
        &self,
        job: &JobDefinition,
        now: Timestamp,
    ) -> Option<(&BlackoutDefinition, Timestamp)> {
        let applying = self.blackouts.values().filter(|(blackout, _)| blackout.applies(job));
        let covering = applying.filter_map(|(blackout, almanac)| {
            Some((blackout, blackout.covers(now, almanac.as_deref()?)?))
        });
        covering.max_by_key(|(_, until)| *until)
    }

    /// Until when the blackout with this name covers `now` for a job.
    pub(super) fn blackout_until(
        &self,
        name: &str,
        job: &JobDefinition,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let (blackout, almanac) = self.blackouts.get(name).filter(|(b, _)| b.applies(job))?;
        blackout.covers(now, almanac.as_deref()?)
    }

    /// Whether there is any blackout: most sites have none, and need read no definition for it.
    pub(super) fn has_blackouts(&self) -> bool {
        !self.blackouts.is_empty()
    }

    /// The units of a lock; `None` where there is no such lock.
    pub(super) fn lock_units(&self, name: &str) -> Option<u32> {
        self.locks.get(name).copied()
    }

    /// How many attempts may run at once in a pool.
    pub(super) fn limit(&self, pool: &str) -> Option<u32> {
        self.limits.get(pool).copied()
    }

    /// The active call tree with this name, and since when there is one.
    pub(super) fn tree(&self, name: &str) -> Option<(&CallTreeDefinition, Timestamp)> {
        self.trees.get(name).map(|(tree, _, since)| (tree, *since))
    }

    /// The same, and the number of its definition.
    pub(super) fn tree_version(&self, name: &str) -> Option<(&CallTreeDefinition, u32)> {
        self.trees.get(name).map(|(tree, number, _)| (tree, *number))
    }

    /// Takes a host of the read model in.
    pub(super) fn put_host(&mut self, name: &str, host: &Host, version: u64) {
        let entry = self.hosts.entry(name.to_owned()).or_default();
        if entry.version < version {
            (entry.host, entry.version) = (host.clone(), version);
        }
    }

    /// The host as far as is known, and the version of its stream.
    pub(super) fn host(&self, name: &str) -> (Host, u64) {
        let entry = self.hosts.get(name);
        entry.map(|entry| (entry.host.clone(), entry.version)).unwrap_or_default()
    }

    /// Since when the key of a host counts no more by which an attempt was started then, where that is so.
    pub(super) fn silenced(&self, name: &str, started: Timestamp) -> Option<Timestamp> {
        let host = &self.hosts.get(name)?.host;
        if host.revoked.is_some() {
            return host.since;
        }
        host.anew.map(|(_, since)| since).filter(|since| started < *since)
    }

    /// A host says that it is there.
    pub(super) fn heard_host(&mut self, name: &str, free: u32, now: Timestamp) {
        let entry = self.hosts.entry(name.to_owned()).or_default();
        (entry.heard, entry.free) = (Some(now), free);
    }

    /// A host says that all it had to say is in the log.
    pub(super) fn said_all(&mut self, name: &str, now: Timestamp) {
        self.hosts.entry(name.to_owned()).or_default().said_all = Some(now);
    }

    /// Hosts of a pool with these labels that have started and are not drained, by name.
    pub(super) fn hosts_of<'a>(
        &'a self,
        pool: &'a str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = (&'a str, &'a HostEntry)> {
        let fits = move |entry: &HostEntry| {
            let Some(started) = &entry.host.started else { return false };
            let there = entry.host.up && entry.host.drained.is_none();
            there && started.pools.iter().any(|p| p == pool) && selects(selector, &started.labels)
        };
        self.hosts.iter().filter(move |(_, e)| fits(e)).map(|(name, e)| (name.as_str(), e))
    }
}

impl HostEntry {
    /// Whether it was heard lately.
    pub(super) fn is_heard(&self, now: Timestamp) -> bool {
        self.heard.is_some_and(|at| now.duration_since(at) <= HEARD)
    }
}

fn almanac(blackout: &BlackoutDefinition, calendars: &Calendars) -> Option<Arc<Almanac>> {
    let names: BTreeSet<String> = blackout.names();
    calendars.almanac(&names, Timestamp::MAX).ok().map(|(almanac, _)| Arc::new(almanac))
}
