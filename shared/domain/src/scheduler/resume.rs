//! What is caught up after a pause: the newest of the occurrences that were skipped for it, by the job's rule, each as
//! a run that repeats one.

use jiff::Timestamp;

use super::due::kept;
use super::{Action, JobEntry, Scheduler};
use crate::envelope::Draft;
use crate::event::{Again, RunRequested};
use crate::ids::StreamId;
use crate::job::{CatchUp, OrderAct};
use crate::time::{Occurrence, occurrence_label};

/// Begins the label of such a run.
pub(super) const LABEL: &str = "request-after-pause-";
/// The same for one that waits for a person.
pub(super) const HOLD: &str = "request-after-pause-hold-";

impl Scheduler {
    /// A pause of the job has ended: from `at` on, what its rule says is caught up.
    pub(super) fn note_resumed(&mut self, job: &str, at: Timestamp) {
        self.resumed.insert(job.to_owned(), at);
    }

    /// A pause of the job has ended just now.
    pub(super) fn begin_resumed(&mut self, job: &str, at: Timestamp) {
        self.asked.retain(|run| run.run_job() != Some(job));
        self.note_resumed(job, at);
    }

    /// The log has this run: where it is one that is caught up after a pause, it need not be asked for.
    pub(super) fn note_asked(&mut self, run: &StreamId) {
        if run.rest().contains(LABEL) {
            self.asked.insert(run.clone());
        }
    }

    /// Asks for what is caught up after pauses that have ended.
    pub(super) fn tick_resumed(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for (job, at) in std::mem::take(&mut self.resumed) {
            let turn = self.wait_for_turn(&StreamId::job(&job), at, now);
            if at > now || turn.is_some() {
                self.resumed.insert(job, at);
                continue;
            }
            if let Some(entry) = self.jobs.get(&job) {
                let drafts = caught_up(entry).into_iter();
                let new = drafts.filter(|draft| {
                    let run = &draft.stream;
                    !self.asked.contains(run) && !self.pending.contains_key(run)
                });
                actions.extend(new.map(Action::Append));
            }
        }
    }
}

fn caught_up(entry: &JobEntry) -> Vec<Draft> {
    let Some(pause) = entry.pauses.last() else { return Vec::new() };
    let (Some(until), Some(active)) = (pause.until, entry.active()) else { return Vec::new() };
    let Ok(definition) = active.read() else { return Vec::new() };
    let keep = kept(definition.after_pause);
    if keep == 0 {
        return Vec::new();
    }
    let mut newest: std::collections::VecDeque<Occurrence> = std::collections::VecDeque::new();
    for span in entry.definitions.iter().filter(|span| span.host.is_none()) {
        let (from, until) =
            (pause.from.max(span.from), span.until.map_or(until, |end| end.min(until)));
        let schedule = span.schedule.iter().filter(|_| from < until);
        for occurrence in schedule.flat_map(|schedule| schedule.between(from, until)) {
            if occurrence.out.is_none() && !is_spoken_for(entry, &occurrence) {
                newest.push_back(occurrence);
                if newest.len() > keep {
                    newest.pop_front();
                }
            }
        }
    }
    let hold = definition.after_pause == CatchUp::Hold;
    newest.iter().map(|occurrence| request(entry, active.reference(), occurrence, hold)).collect()
}

/// It ran ahead of its time, or somebody wanted it skipped: not for the pause it did not run.
fn is_spoken_for(entry: &JobEntry, occurrence: &Occurrence) -> bool {
    let order = entry.orders.get(&occurrence.at);
    entry.is_ahead(occurrence.at) || order.is_some_and(|order| order.act == OrderAct::Skip)
}

fn request(
    entry: &JobEntry,
    definition: crate::event::DefinitionRef,
    occurrence: &Occurrence,
    hold: bool,
) -> Draft {
    let label = occurrence_label(occurrence);
    let run = StreamId::run(&entry.name, &label);
    let begin = if hold { HOLD } else { LABEL };
    let id = StreamId::run(&entry.name, &format!("{begin}{label}"));
    let event = RunRequested {
        job: entry.name.clone(),
        definition,
        reason: "caught up after the pause".to_owned(),
        parameters: std::collections::BTreeMap::new(),
        again: Some(Again { run, at: occurrence.at, business_day: occurrence.business_day }),
        of_flow: false,
    };
    Draft::new(id, 1, event)
}
