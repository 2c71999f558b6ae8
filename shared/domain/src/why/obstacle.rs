//! What stands in a run's way, with who or what holds it, what ends it, and when, as far as that is known.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::View;
use super::facts::Group;
use super::speech::{because, between, long, names};
use crate::event::{Event, RunEvent};
use crate::ids::StreamId;
use crate::job::{After, Selector, selects};
use crate::ledger::Host;
use crate::run::{Outcome, Run, State, message};
use crate::scheduler::Obstacle;
use crate::site::{BlackoutEnd, Thing, ThingKind};

/// A reason, and those behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reason {
    /// A word for it: `lock`, `pool`, `after`, `blackout`, …
    pub kind: String,
    /// In a sentence.
    pub says: String,
    /// When it ends, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What ends it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ends: String,
    /// Runs that stand in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<StreamId>,
    /// Why those are as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Self>,
}

impl Reason {
    pub(super) fn new(kind: &str, says: String, ends: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            says,
            until: None,
            ends: ends.to_owned(),
            runs: Vec::new(),
            because: Vec::new(),
        }
    }

    fn until(self, until: impl Into<Option<Timestamp>>) -> Self {
        Self { until: until.into(), ..self }
    }

    /// With an end, and with what is behind it.
    pub(super) fn with(self, until: Option<Timestamp>, because: Vec<Self>) -> Self {
        Self { until, because, ..self }
    }
}

/// How far a chain of reasons is followed.
const DEPTH_MAX: usize = 6;
/// How many of several runs that stand in the way are looked into.
const LOOKED_INTO: usize = 5;

/// How another run stands.
pub(super) struct Standing {
    pub(super) says: String,
    pub(super) until: Option<Timestamp>,
    pub(super) because: Vec<Reason>,
}

impl View<'_> {
    /// Why a run does not start: everything, the first of it first. `path` are the runs on whose account it is asked.
    pub(super) fn reasons(&self, run: &Run, path: &[StreamId]) -> Vec<Reason> {
        let mut path = path.to_vec();
        path.push(run.id.clone());
        self.obstacles(run).iter().map(|obstacle| self.reason(obstacle, run, &path)).collect()
    }

    fn reason(&self, obstacle: &Obstacle, run: &Run, path: &[StreamId]) -> Reason {
        let clock = &self.clock;
        match obstacle {
            Obstacle::NotBefore(at, why) => self.not_before(*at, why, run),
            Obstacle::Blackout { name, until, at_end } => self.blackout(name, *until, *at_end),
            Obstacle::WindowOver(window) => {
                let says = format!("its window ended at {}", clock.at(window.until));
                Reason::new("window", says, "the scheduler, which acts on it now")
            }
            Obstacle::TooLate(at) => {
                let says = format!("its latest time was {}", clock.at(*at));
                Reason::new("latest-by", says, "the scheduler, which skips it now")
            }
            Obstacle::Behind(other) => {
                let says = format!("{} of the same job comes first", other.rest());
                self.waits_for("behind", &says, "its end", std::slice::from_ref(other), path)
            }
            Obstacle::Lock { name, holders, before: _ } => self.lock(name, holders, run, path),
            Obstacle::NoLock(name) => {
                let says = format!("there is no lock {name}");
                Reason::new("lock", says, "applying a definition of it")
            }
            Obstacle::PoolFull { pool, limit, running, before: _ } => {
                let says = format!("pool {pool} runs at most {limit} at once");
                let rows = ["due", "retrying"].map(|state| self.facts.of_pool(pool, state));
                let waiting = rows.into_iter().flatten().map(|row| row.run.clone());
                let before = self.before(run, waiting.collect());
                self.shared("pool", says, running, &before, path)
            }
            Obstacle::After { after, run: other, state: _, due } => {
                self.after(after, other.as_ref(), *due, path)
            }
            Obstacle::NoSuchRun { after, day } => {
                let day = day.map(|day| format!(" on business day {day}")).unwrap_or_default();
                let says =
                    format!("it waits for {}, whose schedule has no such run{day}", after.job);
                Reason::new("after", says, "decklog override, or its latest time")
            }
            Obstacle::Blocked(blocked) => self.blocked(&blocked.on, blocked.outcome),
            Obstacle::Unconfirmed { role, question } => {
                let says =
                    format!("somebody with the role {role} must say go{}", because(question));
                Reason::new("confirm", says, "decklog confirm")
            }
            Obstacle::Held(reason) => {
                Reason::new("held", self.held(run, reason), "decklog release")
            }
            Obstacle::Left { host, until, over } => self.left(host, *until, *over, run),
            Obstacle::NoHost(why) => self.no_host(why, run),
            Obstacle::Needs { host, unmet } => self.needs(host, unmet, run),
            Obstacle::Asking(job) => {
                Reason::new("after", format!("the past of {job} is not known"), "")
            }
        }
    }

    fn not_before(&self, at: Timestamp, why: &str, run: &Run) -> Reason {
        let delayed = |event: &RunEvent| matches!(event, RunEvent::RunDelayed(_));
        let of_delay = run.delayed.as_ref().is_some_and(|delayed| delayed.not_before == at);
        let by = self.said_by(&run.id, delayed).filter(|_| of_delay);
        let by = by.map(|by| format!(" ({by})")).unwrap_or_default();
        let says = format!("it may not start before {}: {why}{by}", self.clock.at(at));
        Reason::new("time", says, "the clock").until(at)
    }

    fn blackout(&self, name: &str, until: Timestamp, at_end: BlackoutEnd) -> Reason {
        let then = match at_end {
            BlackoutEnd::StartLate => "then it starts",
            BlackoutEnd::Skip => "it is skipped",
            BlackoutEnd::Hold => "it is held for a person",
        };
        let what = match self
            .facts
            .thing(ThingKind::Blackout, name)
            .and_then(|thing| thing.read(ThingKind::Blackout))
        {
            Some(Thing::Blackout(blackout)) if !blackout.description.is_empty() => {
                format!(" ({})", blackout.description)
            }
            Some(_) | None => String::new(),
        };
        let says = format!("blackout {name}{what} lasts until {}; {then}", self.clock.at(until));
        Reason::new("blackout", says, "the clock").until(until)
    }

    fn lock(&self, name: &str, holders: &[StreamId], run: &Run, path: &[StreamId]) -> Reason {
        let units = match self
            .facts
            .thing(ThingKind::Lock, name)
            .and_then(|thing| thing.read(ThingKind::Lock))
        {
            Some(Thing::Lock(lock)) if lock.units > 1 => format!(" ({} units)", lock.units),
            Some(_) | None => String::new(),
        };
        let claims = self.facts.group(&Group::Claims(name.to_owned()));
        let before = self.before(run, claims.into_iter().map(|view| view.id.clone()).collect());
        self.shared("lock", format!("lock {name}{units} is not free"), holders, &before, path)
    }

    /// Those of these runs that wait for nothing but their turn and come before `run`, in their order.
    fn before(&self, run: &Run, ids: Vec<StreamId>) -> Vec<StreamId> {
        let place = |run: &Run| (run.instant(), run.created, run.id.clone());
        let waits = |other: &&Run| {
            let at = match other.state {
                State::Due => other.not_before(),
                State::Retrying { not_before, .. } => not_before,
                State::Requested
                | State::Held { .. }
                | State::Waiting
                | State::Blocked
                | State::Parts
                | State::Running { .. }
                | State::Unknown { .. }
                | State::Ended { .. } => return false,
            };
            at.is_none_or(|at| at <= self.scene.now) && place(other) < place(run)
        };
        let own = ids.iter().filter(|id| **id != run.id);
        let mut found: Vec<&Run> = own.filter_map(|id| self.facts.run(id)).filter(waits).collect();
        found.sort_by_key(|run| place(run));
        found.into_iter().map(|run| run.id.clone()).collect()
    }

    /// Something that is shared: who has it, and who comes first.
    fn shared(
        &self,
        kind: &str,
        says: String,
        having: &[StreamId],
        before: &[StreamId],
        path: &[StreamId],
    ) -> Reason {
        let place = match before {
            [] => "; it comes next".to_owned(),
            some => format!("; {} before it: {}", counted(some.len(), "waits"), names(some)),
        };
        let held = match having {
            [] => String::new(),
            some => format!(": {} it: {}", counted(some.len(), "has"), names(some)),
        };
        let ends = "the end of a run that has it";
        self.waits_for(kind, &format!("{says}{held}{place}"), ends, having, path)
    }

    /// A wait for the end of any of these runs.
    fn waits_for(
        &self,
        kind: &str,
        says: &str,
        ends: &str,
        runs: &[StreamId],
        path: &[StreamId],
    ) -> Reason {
        let standings = runs.iter().take(LOOKED_INTO).map(|id| (id, self.standing(id, path)));
        let (mut first, mut below) = (None, Vec::new());
        for (id, standing) in standings {
            first = earlier(first, standing.until);
            below.push(Reason {
                runs: vec![id.clone()],
                because: standing.because,
                ..Reason::new("run", standing.says, "").until(standing.until)
            });
        }
        let reason = Reason::new(kind, says.to_owned(), ends).until(first);
        Reason { runs: runs.to_vec(), because: below, ..reason }
    }

    fn after(
        &self,
        after: &After,
        run: Option<&StreamId>,
        due: Option<Timestamp>,
        path: &[StreamId],
    ) -> Reason {
        let wanted = outcomes(&after.outcomes);
        let ends = format!("its end as {wanted}, or decklog override");
        match run {
            Some(id) if !self.facts.is_nothing(id) && self.facts.stream(id).is_some() => {
                let says = format!("it waits until {} has {wanted}", id.rest());
                self.waits_for("after", &says, &ends, std::slice::from_ref(id), path)
            }
            Some(id) => {
                let due = due.map(|at| format!(" (due {})", self.clock.at(at)));
                let says = format!(
                    "it waits until {} has {wanted}; that is not due yet{}",
                    id.rest(),
                    due.unwrap_or_default()
                );
                Reason { runs: vec![id.clone()], ..Reason::new("after", says, &ends) }
            }
            None => {
                let says = format!(
                    "it waits until a run of {} ({}) has {wanted}; there is none yet",
                    after.job,
                    after.run.word()
                );
                Reason::new("after", says, &ends)
            }
        }
    }

    fn blocked(&self, on: &StreamId, outcome: Outcome) -> Reason {
        let other = self.facts.run(on);
        let why = other.and_then(message).map(|why| because(&why)).unwrap_or_default();
        let says = format!("{} ended as {}{why}", on.rest(), outcome.word());
        let ends = "a rerun of it that ends well (decklog rerun), or decklog override";
        Reason { runs: vec![on.clone()], ..Reason::new("blocked", says, ends) }
    }

    fn needs(&self, host: &str, unmet: &[String], run: &Run) -> Reason {
        let unmet_event = |event: &RunEvent| matches!(event, RunEvent::RunNeedsUnmet(_));
        let since = self.said_at(&run.id, unmet_event);
        let since = since.map(|at| format!(" since {}", self.clock.at(at))).unwrap_or_default();
        let says = format!("host {host} waits{since}: {}", unmet.join("; "));
        Reason::new("needs", says, "the files")
    }

    /// `held since 02:30 by ana: because`.
    pub(super) fn held(&self, run: &Run, reason: &str) -> String {
        let held = |event: &RunEvent| {
            matches!(event, RunEvent::RunHeld(_))
                || matches!(event, RunEvent::RunDue(due) if due.hold.is_some())
        };
        let since = self.said_at(&run.id, held);
        let since = since.map(|at| format!(" since {}", self.clock.at(at))).unwrap_or_default();
        let by = self.said_by(&run.id, held).map(|by| format!(" by {by}")).unwrap_or_default();
        format!("it is held{since}{by}{}", because(reason))
    }

    /// Who said the newest event of a run that is such a one.
    fn said_by(&self, id: &StreamId, is: impl Fn(&RunEvent) -> bool) -> Option<String> {
        self.newest_of(id, is).map(|told| told.by())
    }

    fn said_at(&self, id: &StreamId, is: impl Fn(&RunEvent) -> bool) -> Option<Timestamp> {
        self.newest_of(id, is).map(|told| told.received)
    }

    pub(super) fn newest_of(
        &self,
        id: &StreamId,
        is: impl Fn(&RunEvent) -> bool,
    ) -> Option<super::story::Told> {
        let told = super::story::told(&self.facts.events(id));
        told.into_iter()
            .rev()
            .filter(|told| told.void.is_none())
            .find(|told| matches!(&told.event, Event::RunEvent(event) if is(event)))
    }

    /// How a run stands that another one waits for.
    pub(super) fn standing(&self, id: &StreamId, path: &[StreamId]) -> Standing {
        let Some(run) = self.facts.run(id) else {
            return Standing {
                says: format!("{} is not there", id.rest()),
                until: None,
                because: Vec::new(),
            };
        };
        let name = id.rest();
        let plain = |says: String| Standing { says, until: None, because: Vec::new() };
        match &run.state {
            State::Running { .. } => self.running(run),
            State::Ended { outcome } => plain(format!("{name} ended as {}", outcome.word())),
            State::Unknown { .. } => {
                plain(format!("{name}: nobody knows how it ended (decklog resolve)"))
            }
            State::Held { reason } => plain(format!("{name}: {}", self.held(run, reason))),
            State::Requested => plain(format!("{name} was asked for; nobody has decided yet")),
            State::Parts => plain(format!("{name} runs on {}", run.parts.join(", "))),
            State::Retrying { not_before: Some(at), attempt, .. } if *at > self.scene.now => {
                let says = format!("{name}: attempt {attempt} follows at {}", self.clock.at(*at));
                Standing { until: self.usual_end(run, *at), ..plain(says) }
            }
            State::Waiting | State::Blocked | State::Due | State::Retrying { .. } => {
                let deep = path.len() >= DEPTH_MAX || path.contains(id);
                let because = if deep { Vec::new() } else { self.reasons(run, path) };
                Standing { because, ..plain(format!("{name} is {}", run.state.word())) }
            }
        }
    }

    fn running(&self, run: &Run) -> Standing {
        let name = run.id.rest();
        let Some(attempt) = run.attempt() else {
            return Standing { says: format!("{name} runs"), until: None, because: Vec::new() };
        };
        let since = self.clock.at(attempt.started);
        let usual = self.usual(run, attempt.started);
        let says = format!("{name} runs on {} since {since}{}", attempt.host, usual.0);
        Standing { says, until: usual.1, because: Vec::new() }
    }

    /// What a run that began at `began` usually takes, in words, and when it ends if it does.
    pub(super) fn usual(&self, run: &Run, began: Timestamp) -> (String, Option<Timestamp>) {
        let Some((ms, count)) = self.facts.usual(&run.job) else {
            return ("; how long it usually takes is not known".to_owned(), None);
        };
        let ends = crate::scheduler::plus_ms(began, ms);
        let of = format!("; usually {} (of {count} runs)", long(ms));
        if ends > self.scene.now {
            return (format!("{of}, so until about {}", self.clock.at(ends)), Some(ends));
        }
        (format!("{of}, which was over {} ago", between(ends, self.scene.now)), None)
    }

    fn usual_end(&self, run: &Run, began: Timestamp) -> Option<Timestamp> {
        self.usual(run, began).1
    }

    // Hosts.

    fn left(&self, host: &str, until: Timestamp, over: bool, run: &Run) -> Reason {
        let at = self.clock.at(until);
        if !over {
            let says = format!("host {host} decides the job's runs until {at}");
            let ends = "the clock, or the host, which gives its leave back when it hears";
            return Reason::new("leave", says, ends).until(until);
        }
        let says = format!(
            "host {host} had leave to run the job until {at} and has not said what it did: \
             a run of it may be going on there"
        );
        let ends = format!("a word of host {host}, or decklog job reclaim {}", run.job);
        Reason::new("leave", says, &ends)
    }

    fn no_host(&self, why: &str, run: &Run) -> Reason {
        let below = self.hosts(run).into_iter().map(|says| Reason::new("host", says, ""));
        let ends = "a host that is up, not drained and heard";
        Reason { because: below.collect(), ..Reason::new("host", why.to_owned(), ends) }
    }

    /// Each host that was looked at for a run, and why it does not take it.
    pub(super) fn hosts(&self, run: &Run) -> Vec<String> {
        if let Some(name) = run.wanted_host() {
            let host = self.facts.host(name);
            let says =
                host.map_or_else(|| "has never started".to_owned(), |host| self.host(host, run));
            return vec![format!("{name} {says}")];
        }
        let members = self.facts.group(&Group::Members(run.pool.clone()));
        let hosts = members.iter().filter_map(|view| view.state.body.host());
        hosts.map(|host| format!("{} {}", host.name, self.host(host, run))).collect()
    }

    fn host(&self, host: &Host, run: &Run) -> String {
        let Some(started) = &host.started else { return "has never started".to_owned() };
        if let Some(reason) = &host.drained {
            return format!("is drained: {reason}");
        }
        if !host.up {
            let since = host.since.map(|at| self.clock.at(at)).unwrap_or_default();
            return format!("is down since {since}");
        }
        if let Some(lacks) = lacks(&run.terms.select, &started.labels) {
            return format!("does not have {lacks}");
        }
        if let Some(heard) = &self.scene.heard {
            return match heard.get(&host.name) {
                None => "was not heard since the console started".to_owned(),
                Some(heard) if between_ms(heard.at, self.scene.now) > SILENT_MS => {
                    format!("was last heard {}", self.clock.away(heard.at))
                }
                Some(heard) if heard.free == 0 => {
                    format!("is full: all {} slots are taken", heard.slots)
                }
                Some(heard) => format!("has {} of {} slots free", heard.free, heard.slots),
            };
        }
        let running = self.facts.of_pool(&run.pool, "running").iter();
        let here = running.filter(|row| row.host.as_deref() == Some(&host.name)).count();
        format!("runs {here} of the pool's runs in {} slots", started.slots)
    }
}

/// How long a host may be silent, milliseconds.
const SILENT_MS: i64 = 15_000;

fn between_ms(from: Timestamp, until: Timestamp) -> i64 {
    until.as_millisecond() - from.as_millisecond()
}

/// The labels that a host does not have.
fn lacks(
    selector: &Selector,
    labels: &std::collections::BTreeMap<String, String>,
) -> Option<String> {
    if selects(selector, labels) {
        return None;
    }
    let missing = selector.iter().filter(|(label, values)| {
        !labels.get(*label).is_some_and(|value| values.0.contains(value))
    });
    let missing: Vec<String> =
        missing.map(|(label, values)| format!("{label}={}", values.0.join("|"))).collect();
    Some(missing.join(", "))
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// `1 waits`, `2 wait`.
fn counted(count: usize, verb: &str) -> String {
    let plural = match verb {
        "has" => "have",
        "waits" => "wait",
        other => other,
    };
    format!("{count} {}", if count == 1 { verb } else { plural })
}

pub(super) fn outcomes(outcomes: &[Outcome]) -> String {
    if *outcomes == [Outcome::Succeeded, Outcome::Warning] {
        return "succeeded".to_owned();
    }
    outcomes.iter().map(|outcome| outcome.word()).collect::<Vec<_>>().join(" or ")
}
