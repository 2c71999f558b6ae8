//! Why a run is as it is.

use super::obstacle::Reason;
use super::speech::{because, between, long};
use super::story::{Told, story, told};
use super::{View, Why};
use crate::event::{Event, RunEvent};
use crate::ids::StreamId;
use crate::run::{Run, State};
use crate::scheduler::plus_ms;

impl View<'_> {
    /// Why a run is as it is; `None` as long as it is not known.
    pub(super) fn of_run(&self, id: &StreamId) -> Option<Why> {
        let run = self.facts.run(id)?;
        let events = told(&self.facts.events(id));
        let mut why = Why {
            run: Some(id.clone()),
            occurrence: run.nominal.as_ref().map(|nominal| nominal.at),
            state: run.state.word().to_owned(),
            story: story(&events, &self.clock),
            spent: super::spent::spent(id, &events, &self.clock),
            ..self.empty(id.rest(), &run.job)
        };
        match &run.state {
            State::Ended { outcome } => self.ended(run, *outcome, &events, &mut why),
            State::Running { .. } => self.runs_now(run, &mut why),
            State::Unknown { .. } => self.unknown(run, &mut why),
            State::Requested => self.requested(run, &mut why),
            State::Parts => self.in_parts(run, &mut why),
            State::Held { .. }
            | State::Waiting
            | State::Blocked
            | State::Due
            | State::Retrying { .. } => self.waits(run, &mut why),
        }
        self.limits(run, &mut why);
        Some(why)
    }

    fn waits(&self, run: &Run, why: &mut Why) {
        if let Some(again) = self.attempt_to_come(run) {
            why.reasons.push(again);
        }
        why.reasons.extend(self.reasons(run, &[]));
        let word = match &run.state {
            State::Held { .. } => "It is held",
            State::Blocked => "It is blocked",
            State::Retrying { .. } => "It waits for its next attempt",
            State::Waiting | State::Due => "It waits",
            State::Requested
            | State::Parts
            | State::Running { .. }
            | State::Unknown { .. }
            | State::Ended { .. } => "It is there",
        };
        if why.reasons.is_empty() {
            self.waits_for_a_host(run, why);
            return;
        }
        let first = why.reasons.first().map(|reason| reason.says.clone()).unwrap_or_default();
        let more = match why.reasons.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        why.answer = format!("{word}: {first}{more}.");
    }

    /// What is to pass before the next attempt.
    fn attempt_to_come(&self, run: &Run) -> Option<Reason> {
        let State::Retrying { attempt, not_before, .. } = &run.state else { return None };
        let failed = run.message.clone().unwrap_or_default();
        let before = attempt.saturating_sub(1);
        let says = match not_before {
            Some(at) if *at <= self.scene.now => return None,
            Some(at) => format!(
                "attempt {before} did not do it{}; attempt {attempt} follows at {}",
                because(&failed),
                self.clock.at(*at)
            ),
            None => format!("attempt {before} did not do it{}", because(&failed)),
        };
        Some(Reason { until: *not_before, ..Reason::new("retry", says, "the clock") })
    }

    /// Nothing stands in its way but that no host has taken it.
    fn waits_for_a_host(&self, run: &Run, why: &mut Why) {
        let place = match run.wanted_host() {
            Some(host) => format!("host {host}"),
            None => format!("the hosts of pool {}", run.pool),
        };
        let hosts = self.hosts(run);
        let since = between(run.changed, self.scene.now);
        why.answer = format!(
            "Nothing stands in its way: it has been offered to {place} for {since}, and none has taken it."
        );
        if hosts.is_empty() {
            let says = format!("no host takes work of pool {}", run.pool);
            why.reasons.push(Reason::new("host", says, "a host that takes work of this pool"));
        }
        let each = hosts.into_iter().map(|says| Reason::new("host", says, "a free slot"));
        why.reasons.extend(each);
    }

    fn runs_now(&self, run: &Run, why: &mut Why) {
        let Some(attempt) = run.attempt() else { return };
        let (usual, ends) = self.usual(run, attempt.started);
        let since = self.clock.at(attempt.started);
        let for_so_long = between(attempt.started, self.scene.now);
        let number = match attempt.number {
            1 => String::new(),
            n => format!(" (attempt {n})"),
        };
        why.answer =
            format!("It runs{number} on {} since {since}, for {for_so_long}{usual}.", attempt.host);
        if let Some(ends) = ends {
            why.next.push(format!("it usually ends about {}", self.clock.at(ends)));
        }
        if let Some(cancel) = &run.cancel {
            let by = super::speech::by(cancel.by.as_deref());
            why.reasons.push(Reason::new(
                "cancel",
                format!("it was asked to stop{by}{}", because(&cancel.reason)),
                "its host, which stops it",
            ));
        }
        self.timeout(run, why);
        self.silence(run, why);
    }

    fn timeout(&self, run: &Run, why: &mut Why) {
        let limit = self.facts.definition(run).and_then(|definition| definition.timeout);
        if let (Some(limit), Some(attempt)) = (limit, run.attempt()) {
            let ms = i64::try_from(limit.millis()).unwrap_or(i64::MAX);
            let at = self.clock.at(plus_ms(attempt.started, ms));
            why.next.push(format!("at {at} its host stops it: its limit is {limit}"));
        }
    }

    /// When its host was last heard.
    fn silence(&self, run: &Run, why: &mut Why) {
        let (Some(heard), Some(attempt)) = (&self.scene.heard, run.attempt()) else { return };
        why.notes.push(match heard.get(&attempt.host) {
            Some(last) => format!(
                "host {} was heard {} with {} of {} slots free",
                attempt.host,
                self.clock.away(last.at),
                last.free,
                last.slots
            ),
            None => format!("host {} was not heard since the console started", attempt.host),
        });
    }

    fn unknown(&self, run: &Run, why: &mut Why) {
        let lost = run.attempt().and_then(|attempt| attempt.lost.clone()).unwrap_or_default();
        let host = run.attempt().map(|attempt| attempt.host.clone()).unwrap_or_default();
        why.answer =
            format!("Nobody knows how it ended: attempt on {host} was lost{}.", because(&lost));
        why.next.push(format!("the report of host {host}, when it is back, ends it"));
        why.next.push("or a person who has looked: decklog resolve".to_owned());
    }

    fn requested(&self, run: &Run, why: &mut Why) {
        let since = between(run.created, self.scene.now);
        why.answer =
            format!("It was asked for {since} ago, and no scheduler has decided about it yet.");
        why.next.push("a scheduler decides about it".to_owned());
    }

    fn in_parts(&self, run: &Run, why: &mut Why) {
        why.answer =
            format!("It runs on {} hosts, in parts; it ends when all have.", run.parts.len());
        for host in &run.parts {
            let part = run.id.part_on(host);
            let standing = self.standing(&part, std::slice::from_ref(&run.id));
            let reason = Reason::new("part", standing.says, "its end");
            why.reasons.push(Reason { runs: vec![part], until: standing.until, ..reason });
        }
    }

    /// The limits that it has missed, and those to come.
    fn limits(&self, run: &Run, why: &mut Why) {
        if run.state.is_ended() {
            return;
        }
        let deadlines = &run.terms.deadlines;
        let started = !run.attempts.is_empty();
        let all = [
            (deadlines.start_by.filter(|_| !started), "it is to have started by"),
            (deadlines.finish_by, "it is to have ended by"),
            (run.terms.latest_by.filter(|_| !started), "if it has not started it is skipped at"),
        ];
        let likely = run.attempt().filter(|_| run.is_running());
        let likely = likely.and_then(|attempt| self.usual(run, attempt.started).1);
        for (at, says) in all.into_iter().filter_map(|(at, says)| Some((at?, says))) {
            let over = match likely {
                _ if at <= self.scene.now => ", which has passed".to_owned(),
                Some(ends) if ends > at => {
                    let (ends, late) = (self.clock.at(ends), between(at, ends));
                    format!(", and is likely to end at {ends}, {late} after that")
                }
                Some(_) | None => String::new(),
            };
            why.notes.push(format!("{says} {}{over}", self.clock.at(at)));
        }
    }

    /// How late it began, where it did.
    pub(super) fn lateness(&self, run: &Run) -> Option<String> {
        run.began_late_ms().map(|ms| format!("it began {} after its time", long(ms)))
    }
}

/// The newest valid event of which `is` is true.
pub(super) fn newest(told: &[Told], is: impl Fn(&RunEvent) -> bool) -> Option<&Told> {
    told.iter()
        .rev()
        .filter(|told| told.void.is_none())
        .find(|told| matches!(&told.event, Event::RunEvent(event) if is(event)))
}
