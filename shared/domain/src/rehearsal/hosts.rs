//! Hosts that only count: they have slots, take what they are offered, and end it when its time is over.

use std::collections::BTreeMap;

use crate::executor::misplaced;
use crate::job::JobDefinition;
use crate::ledger::Host;
use crate::wire::Work;

/// One host.
#[derive(Debug)]
struct Played {
    slots: u32,
    busy: u32,
    pools: Vec<String>,
    labels: BTreeMap<String, String>,
    takes: bool,
}

/// All hosts.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<String, Played>);

impl Hosts {
    pub(super) fn put(&mut self, name: &str, host: &Host) {
        let Some(started) = &host.started else { return };
        let played = Played {
            slots: started.slots,
            busy: 0,
            pools: started.pools.clone(),
            labels: started.labels.clone(),
            takes: host.up && host.drained.is_none(),
        };
        self.0.insert(name.to_owned(), played);
    }

    /// The hosts that are heard, with their free slots.
    pub(super) fn heard(&self) -> impl Iterator<Item = (&str, u32)> {
        let up = self.0.iter().filter(|(_, host)| host.takes);
        up.map(|(name, host)| (name.as_str(), host.free()))
    }

    /// Whether any host could take anything.
    pub(super) fn is_any_free(&self) -> bool {
        self.0.values().any(|host| host.takes && host.free() > 0)
    }

    /// Whether a host is up and takes work.
    pub(super) fn is_up(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|host| host.takes)
    }

    /// Whether any host that is up takes work of a pool.
    pub(super) fn serve(&self, pool: &str) -> bool {
        self.0.values().any(|host| host.takes && host.pools.iter().any(|name| name == pool))
    }

    pub(super) fn begins(&mut self, name: &str) {
        if let Some(host) = self.0.get_mut(name) {
            host.busy += 1;
        }
    }

    pub(super) fn ends(&mut self, name: &str) {
        if let Some(host) = self.0.get_mut(name) {
            host.busy = host.busy.saturating_sub(1);
        }
    }

    /// The host that takes an offer: of those that may, the one with the most free slots; of equals the first by name.
    pub(super) fn taker(&self, work: &Work, definition: &JobDefinition) -> Option<String> {
        let may = self.0.iter().filter(|(name, host)| host.may_take(name, work, definition));
        let free = may.filter(|(_, host)| host.free() > 0);
        let best = free.max_by_key(|(name, host)| (host.free(), std::cmp::Reverse(*name)));
        best.map(|(name, _)| name.clone())
    }
}

impl Played {
    fn free(&self) -> u32 {
        self.slots.saturating_sub(self.busy)
    }

    fn may_take(&self, name: &str, work: &Work, definition: &JobDefinition) -> bool {
        let meant = work.host.as_ref().is_none_or(|host| host == name);
        // An offer to a host is for it, whatever pools it serves.
        let placed =
            work.host.is_some() || misplaced(definition, name, &self.pools, &self.labels).is_none();
        self.takes && meant && placed
    }
}
