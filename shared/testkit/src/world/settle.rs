//! The end of a world: nothing breaks any more, people tidy up, and everything must come to rest.

use anyhow::{Context as _, Result, ensure};
use domain::flush::Flush;

use super::check::Auditor;
use super::step::SECOND;
use super::{Chaos, Node, World};

/// How long everything may take to come to rest, milliseconds.
const REST_MS_MAX: i64 = 45 * 60_000;
/// How often people look what is left to do, milliseconds.
const ROUND_MS: i64 = 2_000;

impl World {
    /// Runs through the time in which things break, if there is one.
    ///
    /// # Errors
    /// An invariant does not hold.
    pub fn live_through(&mut self) -> Result<()> {
        self.run_for(self.chaos.length() / SECOND * 1_000)
    }

    /// How long that is, milliseconds.
    pub fn length(&self) -> i64 {
        self.chaos.length() / SECOND * 1_000
    }

    /// Ends all faults, lets people tidy up, waits until everything rests, and looks at the whole.
    ///
    /// # Errors
    /// Something does not come to rest, or something is missing.
    pub fn settle(&mut self) -> Result<()> {
        self.mend();
        let mut waited = 0;
        loop {
            self.run_for(ROUND_MS)?;
            waited += ROUND_MS;
            let busy = self.tidy(waited > 30_000)?;
            if !busy && self.unrest().is_none() {
                break;
            }
            if waited > REST_MS_MAX {
                anyhow::bail!("it does not come to rest: {}", self.unrest().unwrap_or_default());
            }
        }
        self.look_at_the_whole()
    }

    fn mend(&mut self) {
        self.say(|| "nothing breaks any more".to_owned());
        self.chaos = Chaos::none();
        for node in Self::nodes() {
            self.cut(node, false);
            self.mute(node, false);
            self.set_clock(node, 0);
            self.start(node);
        }
    }

    /// What is not at rest.
    fn unrest(&self) -> Option<String> {
        for (node, journal) in &self.journals {
            if !journal.unsent(1).is_empty() {
                return Some(format!("{node} has something to say"));
            }
        }
        if let Some(run) = self.auditor.open_runs().next() {
            return Some(format!("{} is {:?}, behind {:?}", run.id, run.state, run.behind));
        }
        for (i, host) in self.hosts.iter().enumerate() {
            if let Some(key) = host.attempts.keys().next() {
                return Some(format!("h{i} still has {}#{}", key.0, key.1));
            }
        }
        let future = self.auditor.horizon() > super::stamp(self.now);
        if future {
            return Some("the log is ahead of time".to_owned());
        }
        (0..self.schedulers.len()).find_map(|i| self.restless(i))
    }

    fn restless(&self, i: usize) -> Option<String> {
        let program = &self.schedulers[i];
        let node = Node::Scheduler(i);
        let Some(mind) = program.mind() else { return Some(format!("{node} has no mind")) };
        if program.position() < self.log.size() {
            return Some(format!("{node} has not read everything"));
        }
        if let Some(run) = mind.open_runs().next() {
            return Some(format!("{node} thinks that {} is {:?}", run.id, run.state));
        }
        mind.next_wake().map(|at| format!("{node} wants to wake at {at}"))
    }

    fn look_at_the_whole(&mut self) -> Result<()> {
        if !self.restored {
            self.nothing_journaled_is_missing()?;
        }
        self.a_fresh_auditor_agrees()?;
        self.every_occurrence_is_accounted_for()?;
        self.one_incident_at_a_time()?;
        self.every_failure_is_an_incident()?;
        if self.restored { Ok(()) } else { self.every_end_that_was_seen_is_told() }
    }

    fn nothing_journaled_is_missing(&self) -> Result<()> {
        for journal in self.journals.values() {
            let mut pseq = 0;
            for stored in &journal.flushes {
                for envelope in Flush::from_bytes(&stored.bytes)?.envelopes {
                    pseq += 1;
                    let there = self.log.holds(&journal.source, pseq, &envelope);
                    ensure!(there, "event {pseq} of {} is not in the log", journal.source);
                }
            }
            ensure!(pseq == journal.events(), "{} has lost count", journal.source);
        }
        Ok(())
    }

    fn a_fresh_auditor_agrees(&self) -> Result<()> {
        let mut fresh = Auditor::default();
        for row in &self.log.rows {
            fresh
                .take(row, self.log.leaf(row))
                .with_context(|| format!("again at {}", row.position))?;
        }
        ensure!(fresh.streams == self.auditor.streams, "two replays differ");
        Ok(())
    }

    fn every_occurrence_is_accounted_for(&self) -> Result<()> {
        let accounted = self.auditor.population.account(self.auditor.horizon());
        if let Some(finding) = accounted.findings.first() {
            anyhow::bail!("{finding} (and {} more)", accounted.findings.len() - 1);
        }
        ensure!(accounted.undecided == 0, "{} occurrences are not decided", accounted.undecided);
        ensure!(accounted.expected == accounted.recorded, "{accounted:?}");
        Ok(())
    }

    fn every_end_that_was_seen_is_told(&self) -> Result<()> {
        for (run, number) in &self.auditor.ended {
            let state = self.auditor.run(run).with_context(|| format!("{run} is gone"))?;
            let told = state.attempts.iter().any(|a| a.number == *number && a.report.is_some());
            ensure!(told, "{run}#{number} ended, and the log does not say how");
        }
        Ok(())
    }
}
