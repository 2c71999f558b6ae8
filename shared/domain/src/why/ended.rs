//! Why a run ended as it did.

use super::obstacle::Reason;
use super::run::newest;
use super::speech::{because, between, long, person};
use super::story::{Told, report};
use super::{View, Why};
use crate::event::{CommandEnd, Event, JobEvent, MissReason, RunEvent, RunMissed, SkipReason};
use crate::ids::StreamId;
use crate::run::{Outcome, Run, missed, skipped};
use crate::scheduler::past::length;

impl View<'_> {
    pub(super) fn ended(&self, run: &Run, outcome: Outcome, told: &[Told], why: &mut Why) {
        let late = self.lateness(run).map(|late| format!("; {late}")).unwrap_or_default();
        why.answer = match outcome {
            Outcome::Succeeded | Outcome::Warning => {
                format!("It {}{late}.", self.succeeded(run, outcome, told))
            }
            Outcome::Failed | Outcome::TimedOut => {
                format!("It {}{late}.", self.failed(run, outcome, told))
            }
            Outcome::Cancelled => format!("It was cancelled{}.", self.cancelled(run, told)),
            Outcome::Skipped => self.skipped(run, told, why),
            Outcome::Missed => self.missed(run, told, why),
        };
        if matches!(outcome, Outcome::Skipped | Outcome::Missed)
            && let Some(ran) = self.ran_all_the_same(told)
        {
            why.answer.push_str(&ran);
        }
    }

    /// A host that decided it by itself, while others did: it has the last word about what it did, and none in the log.
    fn ran_all_the_same(&self, told: &[Told]) -> Option<String> {
        let said = told.iter().rev().filter(|told| told.void.is_some());
        let mut reports = said.filter_map(|told| report(&told.event));
        let report = reports.find(|report| !matches!(report.end, CommandEnd::NotStarted { .. }))?;
        let (host, from, until) =
            (&report.host, self.clock.at(report.began), self.clock.at(report.ended));
        Some(format!(
            " But host {host} says that it ran it from {from} until {until}: somebody else had decided about it by then, so that this is in the log as void."
        ))
    }

    fn succeeded(&self, run: &Run, outcome: Outcome, told: &[Told]) -> String {
        let warning = if outcome == Outcome::Warning { " with a warning" } else { "" };
        if let Some(resolved) = newest(told, |e| matches!(e, RunEvent::RunResolved(_))) {
            let evidence = run.resolution.clone().unwrap_or_default();
            return format!("succeeded, as {} says{}", resolved.by(), because(&evidence));
        }
        let took = length(run).map(|ms| long(i64::try_from(ms).unwrap_or(i64::MAX)));
        let took = took.map(|took| format!(" after {took}")).unwrap_or_default();
        let usual = self.facts.usual(&run.job);
        let usual = usual.map(|(ms, n)| format!(" (usually {}, of {n} runs)", long(ms)));
        format!("succeeded{warning}{took}{}", usual.unwrap_or_default())
    }

    fn failed(&self, run: &Run, outcome: Outcome, told: &[Told]) -> String {
        let word = if outcome == Outcome::TimedOut { "took too long" } else { "failed" };
        let message = run.message.clone().unwrap_or_default();
        if let Some(resolved) = newest(told, |e| matches!(e, RunEvent::RunResolved(_))) {
            let evidence = run.resolution.clone().unwrap_or_default();
            return format!("failed, as {} says{}", resolved.by(), because(&evidence));
        }
        let others: Vec<String> = self.bad_parts(run);
        if !others.is_empty() {
            return format!("{word}: {}", others.join("; "));
        }
        let attempts = match run.attempts.len() {
            0 | 1 => String::new(),
            n => format!(" at the last of {n} attempts"),
        };
        let retry =
            if run.attempts.len() <= run.retry.delays_ms.len() && !run.retry.delays_ms.is_empty() {
                "; its retry rule does not name this outcome"
            } else {
                ""
            };
        format!("{word}{attempts}{}{retry}", because(&message))
    }

    /// Parts that did not do their work.
    fn bad_parts(&self, run: &Run) -> Vec<String> {
        let parts = run.parts.iter().filter_map(|host| {
            let part = self.facts.run(&run.id.part_on(host))?;
            let outcome = part.outcome()?;
            let bad = !matches!(outcome, Outcome::Succeeded | Outcome::Warning);
            let message = part.message.clone().unwrap_or_default();
            bad.then(|| format!("{host} {}{}", outcome.word(), because(&message)))
        });
        parts.collect()
    }

    fn cancelled(&self, run: &Run, told: &[Told]) -> String {
        let asked = newest(told, |e| matches!(e, RunEvent::RunCancelRequested(_)));
        let by = asked.map(|told| format!(" by {}", told.by())).unwrap_or_default();
        let reason = run.cancel.as_ref().map(|cancel| cancel.reason.clone());
        format!("{by}{}", because(&reason.or_else(|| run.message.clone()).unwrap_or_default()))
    }

    fn skipped(&self, run: &Run, told: &[Told], why: &mut Why) -> String {
        let Some(reason) = &run.skipped else { return "It was skipped.".to_owned() };
        let by = newest(told, |e| matches!(e, RunEvent::RunSkipped(_)));
        let by = by.and_then(|told| told.envelope.actor.clone());
        match reason {
            SkipReason::Paused => self.skipped_by_pause(run),
            SkipReason::Overlap { with } => {
                let other = self.overlapped(run, with, why);
                format!("It was skipped: an earlier run of the job had not ended{other}.")
            }
            SkipReason::Ordered { because } => {
                let who = self.who_ordered(run).unwrap_or_else(|| "somebody".to_owned());
                format!("It was skipped because {who} said so: {because}.")
            }
            SkipReason::Person { because } => {
                let who = by.as_deref().map_or("somebody", person);
                format!("It was skipped because {who} said so: {because}.")
            }
            SkipReason::Window { until } | SkipReason::Blackout { until, .. } => {
                let at = self.clock.at(*until);
                format!("It was skipped: {} (until {at}).", skipped(reason))
            }
            SkipReason::LatestBy { until, waiting } => format!(
                "It was skipped at its latest time, {}; it still waited: {waiting}.",
                self.clock.at(*until)
            ),
            SkipReason::QueueFull { .. }
            | SkipReason::Retired
            | SkipReason::Calendar { .. }
            | SkipReason::Gap
            | SkipReason::Parameters { .. } => format!("It was skipped: {}.", skipped(reason)),
        }
    }

    fn skipped_by_pause(&self, run: &Run) -> String {
        let job = self.facts.job(&run.job);
        match job.and_then(|job| job.pause_at(run.instant())) {
            None => "It was skipped: the job was paused.".to_owned(),
            Some(pause) => format!("It was skipped: {}.", self.pause(pause)),
        }
    }

    /// `the job was paused since 02:00 by ana: because`.
    pub(super) fn pause(&self, pause: &crate::job::Pause) -> String {
        let since = self.clock.at(pause.from);
        let by = super::speech::by(pause.by.as_deref());
        let (was, until) = match pause.until {
            Some(until) => ("was paused from", format!(" until {}", self.clock.at(until))),
            None => ("is paused since", String::new()),
        };
        format!("the job {was} {since}{until}{by}{}", because(&pause.reason))
    }

    fn overlapped(&self, run: &Run, with: &StreamId, why: &mut Why) -> String {
        let standing = self.standing(with, std::slice::from_ref(&run.id));
        let other = self.facts.run(with);
        let ran = other.and_then(|other| {
            let first = other.attempts.first()?;
            let until = other.state.is_ended().then(|| other.ended_at());
            let began = other.began_of(first);
            let length = between(began, until.unwrap_or(self.scene.now));
            let from = self.clock.at(began);
            let until = until.map_or("now".to_owned(), |until| self.clock.at(until));
            Some(format!(", it ran from {from} until {until} ({length})"))
        });
        let reason = Reason::new("overlap", standing.says, "");
        why.reasons.push(Reason { runs: vec![with.clone()], until: standing.until, ..reason });
        format!(": {}{}", with.rest(), ran.unwrap_or_default())
    }

    /// Who said that the occurrence is to be skipped.
    fn who_ordered(&self, run: &Run) -> Option<String> {
        let events = super::story::told(&self.facts.events(&StreamId::job(&run.job)));
        let at = run.instant();
        let said = |told: &&Told| {
            told.void.is_none()
                && matches!(&told.event, Event::JobEvent(JobEvent::JobOccurrenceSkipped(e)) if e.at == at)
        };
        events.iter().rev().find(said).map(Told::by)
    }

    fn missed(&self, run: &Run, told: &[Told], why: &mut Why) -> String {
        let Some(reason) = &run.missed else { return "It was missed.".to_owned() };
        if let MissReason::Superseded { by } = reason {
            let standing = self.standing(by, std::slice::from_ref(&run.id));
            let reason = Reason::new("superseded", standing.says, "");
            why.reasons.push(Reason { runs: vec![by.clone()], ..reason });
        }
        format!("It was missed: {}{}.", missed(reason), self.decided_late(told))
    }

    fn decided_late(&self, told: &[Told]) -> String {
        let said = newest(told, |e| matches!(e, RunEvent::RunMissed(_)));
        let late = said.and_then(|told| match &told.event {
            Event::RunEvent(RunEvent::RunMissed(RunMissed { late_ms, .. })) => {
                let late = long(i64::try_from(*late_ms).unwrap_or(i64::MAX));
                Some(format!(
                    "; no scheduler decided about it for {late}, until {}",
                    self.clock.at(told.received)
                ))
            }
            Event::RunEvent(_)
            | Event::JobEvent(_)
            | Event::ThingEvent(_)
            | Event::HostEvent(_)
            | Event::UserEvent(_)
            | Event::LogEvent(_)
            | Event::BackupEvent(_)
            | Event::PrintEvent(_)
            | Event::FormEvent(_)
            | Event::QueueEvent(_)
            | Event::ChangeEvent(_)
            | Event::IncidentEvent(_)
            | Event::ControlEvent(_)
            | Event::RecordsEvent(_)
            | Event::RequestEvent(_)
            | Event::ReviewEvent(_) => None,
        });
        late.unwrap_or_default()
    }
}
