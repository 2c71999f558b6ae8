//! What people keep although its time has come, and what they have erased before.

use anyhow::Result;
use domain::canonical::Digest;
use domain::envelope::{Draft, PayloadRef};
use domain::event::{
    Event, HoldLiftAsked, HoldLifted, HoldPlaced, PayloadErased, PayloadRedacted,
    PayloadRedactionAsked, PayloadRedactionDeclined,
};
use domain::ids::StreamId;
use domain::ledger::{Records, payload_hosts};
use domain::payload::{OUTPUT, commitment};

use super::{Node, World, host_name};

/// What an attempt writes in this world, and the salt of the commitment to it.
pub fn output(run: &StreamId, attempt: u32) -> ([u8; 32], Vec<u8>) {
    let text = format!("attempt {attempt} of {run} did its work\n");
    (Digest::of(format!("the salt of {text}").as_bytes()).0, text.into_bytes())
}

/// The commitment to that.
pub(super) fn payload(run: &StreamId, attempt: u32) -> PayloadRef {
    let (salt, content) = output(run, attempt);
    let commitment = commitment(&salt, &Digest::of(&content));
    PayloadRef { commitment, class: OUTPUT.to_owned() }
}

impl World {
    fn records(&self) -> (Records, u64) {
        let state = self.auditor.streams.0.get(&StreamId::records());
        let known = state.and_then(|state| state.body.records().cloned());
        (known.unwrap_or_default(), state.map_or(0, |state| state.version))
    }

    fn say_of_records(&mut self, who: &str, event: impl Into<Event>) -> Result<()> {
        let (_, version) = self.records();
        self.console_says(Draft::new(StreamId::records(), version + 1, event).by(Some(who)))
    }

    /// Somebody places a hold or has it lifted, or wants what a run wrote erased, or agrees to that.
    pub(super) fn whim_about_records(&mut self, job: &str) -> Result<()> {
        let (records, _) = self.records();
        let reason = "counsel says so".to_owned();
        let who = self.rng.pick(&["user/ana", "user/bob"]);
        let hold =
            records.holds.iter().next().map(|(name, hold)| (name.clone(), hold.lift.is_some()));
        let open = records.redactions.iter().find(|(_, one)| one.agreed.is_none());
        let open = open.map(|(of, _)| of.clone());
        match (self.rng.between(0, 5), hold, open) {
            (0, Some((name, true)), _) => self.say_of_records(who, HoldLifted { name, reason }),
            (0, Some((name, false)), _) => self.say_of_records(who, HoldLiftAsked { name, reason }),
            (0 | 1, None, _) => {
                let name = format!("case-{:x}", self.rng.bits());
                let over = vec![format!("job/{job}")];
                self.say_of_records(who, HoldPlaced { name, over, reason })
            }
            (2, _, Some(of)) => self.say_of_records(who, PayloadRedactionDeclined { of, reason }),
            (_, _, Some(of)) => {
                let state = self.auditor.streams.0.get(&of);
                let hosts = state.map(|state| payload_hosts(&state.body)).unwrap_or_default();
                self.say_of_records(who, PayloadRedacted { of, hosts, reason })
            }
            (_, _, None) => match self.some_run(|run| run.state.is_ended()) {
                Some(of) => self.say_of_records(who, PayloadRedactionAsked { of, reason }),
                None => Ok(()),
            },
        }
    }

    /// A host says that what two have agreed on is gone; sometimes it says so twice. False where the program died of it.
    pub(super) fn executor_erases(&mut self, i: usize) -> Result<bool> {
        let host = host_name(i);
        let (records, version) = self.records();
        let Some(of) = records.to_erase(&host).next().cloned() else { return Ok(true) };
        if !self.rng.chance(1_000) {
            return Ok(true);
        }
        let event = PayloadErased { of, host };
        self.journal(Node::Executor(i), vec![Draft::new(StreamId::records(), version + 1, event)])
    }
}
