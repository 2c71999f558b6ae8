//! What is defined on a site, as looking commands need it.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::forecast::SiteView;
use domain::ids::StreamId;
use domain::job::Job;
use domain::plan::{Known, waits_for};
use domain::site::{Defined, Thing};
use domain::wire::Selection;

use crate::source::Source;

/// Every job, calendar, blackout, lock and pool.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) things: BTreeMap<StreamId, Defined>,
}

impl Site {
    /// Asks for everything.
    pub(crate) fn read(source: &Source) -> anyhow::Result<Self> {
        let mut site = Self { things: things(source)?, ..Self::default() };
        for view in source.streams(Selection::Jobs)? {
            if let domain::ledger::Body::Job(job) = view.state.body {
                site.jobs.insert(job.name.clone(), job);
            }
        }
        Ok(site)
    }

    /// Calendars and blackouts.
    pub(crate) fn view(&self) -> SiteView {
        view(&self.things)
    }

    /// What is active, for checks of new definitions. What jobs wait for is only looked at where `graph` says so:
    /// for that every definition must be read.
    pub(crate) fn known(&self, graph: bool) -> Known {
        let mut known = Known::default();
        for (name, job) in &self.jobs {
            let Some(span) = job.active() else { continue };
            let waits = graph && span.definition.get().contains("\"after\":");
            let read = waits.then(|| span.read().ok()).flatten();
            let after = read.as_ref().map(waits_for).unwrap_or_default();
            known.jobs.insert(name.clone(), after);
        }
        for (id, thing) in self.things.iter().filter(|(_, thing)| thing.active().is_some()) {
            known.things.insert(id.clone());
            match id.stream_type().thing().and_then(|kind| thing.read(kind)) {
                Some(Thing::Calendar(calendar)) => {
                    known.calendars.insert(thing.name.clone(), Arc::new(calendar));
                }
                Some(Thing::Repository(one)) => {
                    known.locations.insert(thing.name.clone(), one.location);
                }
                Some(
                    Thing::Blackout(_)
                    | Thing::Lock(_)
                    | Thing::Pool(_)
                    | Thing::Dataset(_)
                    | Thing::Queue(_)
                    | Thing::CallTree(_)
                    | Thing::Measures(_)
                    | Thing::Form(_),
                )
                | None => {}
            }
        }
        known
    }
}

/// Everything a site defines beside jobs.
pub(crate) fn things(source: &Source) -> anyhow::Result<BTreeMap<StreamId, Defined>> {
    let mut things = BTreeMap::new();
    for view in source.streams(Selection::Things)? {
        if let Some(thing) = view.state.body.thing() {
            things.insert(view.id, thing.clone());
        }
    }
    Ok(things)
}

/// Calendars and blackouts.
pub(crate) fn view(things: &BTreeMap<StreamId, Defined>) -> SiteView {
    let kinds = things.iter().filter_map(|(id, thing)| Some((id.stream_type().thing()?, thing)));
    SiteView::of(kinds)
}
