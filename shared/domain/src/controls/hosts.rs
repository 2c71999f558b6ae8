//! That what runs jobs is what was approved.

use super::{Closing, Item, Outcome, Passing};
use crate::canonical::Digest;
use crate::event::{Event, HostEvent};

#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Starts of executors, and their program, as far as they name it.
    started: Vec<(Item, Option<Digest>)>,
}

impl Hosts {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        if let Event::HostEvent(HostEvent::HostStarted(event)) = passing.event {
            let id = &passing.envelope.subject;
            let item = Item::new(passing.received, id, passing.position);
            self.started.push((item, event.program));
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let approved = &closing.settings.programs;
        if approved.is_empty() {
            let why = "the site has not named the programs that may run jobs: see `programs` of its measures";
            return vec![Outcome::untested("CM-04", why)];
        }
        let one = |(item, program): &(Item, Option<Digest>)| {
            let wrong = match program {
                Some(program) if approved.contains(program) => None,
                Some(program) => {
                    Some(format!("it runs the program {program}, which is not approved"))
                }
                None => Some("it does not say which program it runs".to_owned()),
            };
            item.clone().failing(wrong)
        };
        let within = self.started.iter().filter(|(item, _)| closing.period.holds(item.at));
        vec![Outcome::of("CM-04", within.map(one).collect())]
    }
}
