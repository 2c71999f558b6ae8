//! A host that decides its own job's occurrences, by leave of the centre: the same functions a scheduler uses, for the
//! time of a lease. What it needs is kept on its disk, so that it goes on while nobody answers, and after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::due::{Decided, Decision, Wanted, decide_due, nominal};
use super::grants::OCCURRENCES_MAX;
use super::jobs::{JobEntry, Schedules};
use super::terms::{Sort, When, terms};
use crate::calendar::{CalendarDefinition, CalendarSpan, Calendars};
use crate::canonical::Digest;
use crate::envelope::{Draft, to_micros};
use crate::event::{
    Event, JobLeaseReturned, MissReason, RunEvent, RunMissed, RunSkipped, SkipReason,
};
use crate::forecast::SiteView;
use crate::ids::StreamId;
use crate::job::{DefinitionText, Job, JobDefinition, Lease, Span, Versions};
use crate::ledger::{Continued, Turn};
use crate::time::just_after;
use crate::wire::Work;

/// Leave to decide a job's occurrences, with all that is needed to do so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The job.
    pub job: String,
    /// For which time.
    pub lease: Lease,
    /// The definition of the job.
    pub definition: DefinitionText,
    /// The calendars it names, and those they name, as they stood when the lease was granted.
    pub calendars: Vec<CalendarThen>,
    /// Its occurrences up to here are decided.
    pub settled: Option<Timestamp>,
    /// The host decides none after this, whatever the lease says, and why.
    pub returned: Option<(Timestamp, String)>,
    /// Runs of the job that have begun and not ended, as far as the log was known.
    pub busy: BTreeSet<StreamId>,
    /// Those of them that have ended here since.
    pub ended: BTreeSet<StreamId>,
    /// Whether somebody has had leave for a later time since: then this cannot be given back any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub followed: bool,
    /// Until when this host has leave for such a later time: then nobody else begins a run of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Timestamp>,
}

/// A version of a calendar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarThen {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// What it says.
    pub definition: CalendarDefinition,
}

impl Leave {
    /// All leave of `host` for a job of which something is still to be decided, oldest first. That for which not all
    /// calendars are there is left out.
    pub fn all(
        host: &str,
        job: &Job,
        turn: &Turn,
        calendars: &Calendars,
        now: Timestamp,
    ) -> Vec<Self> {
        let own = job.leases.iter().filter(|lease| lease.host.as_deref() == Some(host));
        let leave = own.filter_map(|lease| Self::of(lease, job, turn, calendars));
        leave.filter(|leave| !leave.is_over(now)).collect()
    }

    /// What `host` says where it has a lease and can make nothing of it: it is too old for the definition, or calendars
    /// are missing. Nobody would decide its occurrences.
    pub fn refused(
        host: &str,
        job: &Job,
        turn: &Turn,
        calendars: &Calendars,
    ) -> Option<JobLeaseReturned> {
        let lease = job.lease().filter(|lease| lease.host.as_deref() == Some(host))?;
        let until = job.reclaimed_from(turn)?;
        if Self::of(lease, job, turn, calendars).is_some() {
            return None;
        }
        let reason = format!("host {host} cannot read the definition, or misses a calendar");
        Some(JobLeaseReturned { until, reason })
    }

    fn of(lease: &Lease, job: &Job, turn: &Turn, calendars: &Calendars) -> Option<Self> {
        let span = job.versions.spans.iter().rev().find(|s| s.reference() == lease.definition)?;
        let names = span.read().ok()?.calendar.names();
        let at = just_after(lease.granted);
        let (_, references) = calendars.almanac(&names, at).ok()?;
        let then = references.iter().filter_map(|reference| calendars.at(&reference.name, at));
        let mut leave = Self {
            job: job.name.clone(),
            lease: lease.clone(),
            definition: span.definition.clone(),
            calendars: then.map(CalendarThen::of).collect(),
            settled: turn.leased.get(&lease.from).copied(),
            returned: None,
            busy: turn.busy.iter().cloned().collect(),
            ended: BTreeSet::new(),
            followed: false,
            then: None,
        };
        leave.note_later(job);
        Some(leave)
    }

    /// Takes in who has leave for a later time.
    fn note_later(&mut self, job: &Job) {
        let last = job.lease().filter(|last| last.from != self.lease.from);
        self.followed = last.is_some();
        self.then = last.filter(|last| last.host == self.lease.host).map(|last| last.until);
    }

    /// Whether every instant of it lies before `now`, and everything in it is decided. Its host keeps it until
    /// [`Leave::all`] does not tell it any more: the log may not know yet what was decided.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let undecided = || Alone::new(self.clone()).is_ok_and(|alone| alone.next().is_some());
        self.until() <= now && !undecided()
    }

    /// Whether its time is over, and what is not decided of it can be given back: its host was away. Others may run the job by
    /// now, so that the host decides nothing more of it.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.until() < now && !self.followed
    }

    /// Whether the host may begin something now: in the time of this leave, or of a later one that it has.
    fn may_begin(&self, now: Timestamp) -> bool {
        now <= self.until() || self.then.is_some_and(|until| now <= until)
    }

    /// The last instant the host decides.
    pub fn until(&self) -> Timestamp {
        self.returned.as_ref().map_or(self.lease.until, |(until, _)| self.lease.until.min(*until))
    }

    /// Takes in what the log says of it now: its end, how far it is decided, what runs. False where the host does not
    /// have it any more.
    pub fn learn(&mut self, host: &str, job: &Job, turn: &Turn) -> bool {
        let own =
            |lease: &&Lease| lease.from == self.lease.from && lease.host.as_deref() == Some(host);
        let Some(lease) = job.leases.iter().find(own) else { return false };
        self.lease.until = lease.until;
        self.note_later(job);
        if self.followed && self.unsaid().is_some() {
            // What the log did not take in time it takes no more: the host decides it after all.
            self.returned = None;
        }
        self.settle(turn.leased.get(&lease.from).copied());
        let busy: BTreeSet<StreamId> = turn.busy.iter().cloned().collect();
        self.ended.retain(|run| busy.contains(run));
        self.busy = busy.difference(&self.ended).cloned().collect();
        true
    }

    /// A run of the job has begun here.
    pub fn begun(&mut self, run: &StreamId) {
        self.ended.remove(run);
        self.busy.insert(run.clone());
    }

    /// A run of the job has ended here, whether the log knows it or not.
    pub fn ended(&mut self, run: &StreamId) {
        if self.busy.remove(run) {
            self.ended.insert(run.clone());
        }
    }

    /// Why the host gives it back, as far as the log tells: another definition is to hold, or none, or not now.
    fn ends(&self, job: &Job, site: &SiteView, drained: bool) -> Option<String> {
        let active = job.active().map(Span::reference);
        let why = if active.is_none() {
            "the job was retired"
        } else if active != Some(self.lease.definition.clone()) {
            "another definition was approved"
        } else if job.paused().is_some() {
            "the job was paused"
        } else if drained {
            "the host is drained"
        } else if !self.has_newest(&site.calendars) {
            "a calendar has changed"
        } else if self.has_blackout(site) {
            "a blackout lies ahead"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    fn has_newest(&self, calendars: &Calendars) -> bool {
        self.calendars.iter().all(|then| {
            calendars.newest(&then.definition.name).is_none_or(|span| span.digest == then.digest)
        })
    }

    /// Whether a blackout covers an occurrence that is not decided: of those only the centre knows.
    fn has_blackout(&self, site: &SiteView) -> bool {
        let Ok(alone) = Alone::new(self.clone()) else { return false };
        let schedule = alone.entry.schedule();
        let (from, until) = (self.settled.unwrap_or(self.lease.from), self.until());
        let occurrences = schedule.into_iter().flat_map(|schedule| schedule.between(from, until));
        let covered = |at| site.blackout(&alone.definition, at).is_some();
        occurrences.take(OCCURRENCES_MAX).any(|occurrence| covered(occurrence.at))
    }

    /// What the host says where it has given its leave back and the log does not know it yet.
    pub fn unsaid(&self) -> Option<JobLeaseReturned> {
        let (until, reason) = self.returned.clone()?;
        (until < self.lease.until).then_some(JobLeaseReturned { until, reason })
    }

    /// Gives back what its host is not to decide, and says so by [`Leave::unsaid`]: all that it was away for until the leave was
    /// over; or, once everything before is decided, what lies ahead where another definition is to hold, or none, or not now.
    ///
    /// # Errors
    /// Why the host can decide nothing of it; then all of it is given back, unless somebody has leave since.
    pub fn give_back(
        &mut self,
        job: &Job,
        site: &SiteView,
        drained: bool,
        now: Timestamp,
    ) -> Result<(), String> {
        let host = self.lease.host.clone().unwrap_or_default();
        let next = match Alone::new(self.clone()) {
            Ok(alone) => alone.next(),
            Err(reason) => {
                if !self.followed {
                    self.give_back_all(format!("host {host} cannot decide it: {reason}"));
                }
                return Err(reason);
            }
        };
        if next.is_some() && self.is_past(now) {
            self.give_back_all(format!("host {host} was away until its leave was over"));
        } else if next.is_none_or(|at| at > now)
            && let Some(reason) = self.ends(job, site, drained)
        {
            self.give_back_from(now, reason);
        }
        Ok(())
    }

    /// Gives it back at `now`, when everything up to then is decided.
    fn give_back_from(&mut self, now: Timestamp, reason: String) {
        let until = to_micros(now).max(self.settled.unwrap_or(self.lease.from));
        self.returned.get_or_insert((until, reason));
    }

    /// Gives back all of it that is not decided.
    fn give_back_all(&mut self, reason: String) {
        let until = self.settled.unwrap_or(self.lease.from);
        self.returned.get_or_insert((until, reason));
    }

    /// Its occurrences up to `at` are decided.
    pub fn settle(&mut self, at: Option<Timestamp>) {
        self.settled = self.settled.max(at);
    }

    /// The occurrence of it that an event accounts for.
    pub fn accounts(&self, event: &Event) -> Option<Timestamp> {
        let Event::RunEvent(event) = event else { return None };
        let (job, at) = crate::run::settled_instant(event)?;
        (job == self.job && self.lease.covers(at)).then_some(at)
    }

    fn calendars(&self) -> Calendars {
        let mut calendars = Calendars::default();
        for then in &self.calendars {
            let (number, digest) = (then.number, then.digest);
            let definition = Arc::new(then.definition.clone());
            let span = CalendarSpan { number, digest, definition, from: Timestamp::MIN };
            calendars.add(&then.definition.name, span);
        }
        calendars
    }
}

impl CalendarThen {
    fn of(span: &CalendarSpan) -> Self {
        let definition = (*span.definition).clone();
        Self { number: span.number, digest: span.digest, definition }
    }
}

/// A host's mind about one job.
#[derive(Debug)]
pub struct Alone {
    leave: Leave,
    definition: JobDefinition,
    entry: JobEntry,
}

/// What a host has decided about an occurrence.
#[derive(Debug, Clone)]
pub struct OwnDecision {
    /// The instant.
    pub at: Timestamp,
    /// The run, and its first event.
    pub draft: Draft,
    /// The work, where it runs: what follows is its claim.
    pub work: Option<Box<Work>>,
}

impl Alone {
    /// The mind of a host that has this leave.
    ///
    /// # Errors
    /// The definition or its schedule cannot be read here; in a sentence.
    pub fn new(leave: Leave) -> Result<Self, String> {
        let (number, digest) = (leave.lease.definition.number, leave.lease.definition.digest);
        let text = leave.definition.clone();
        let definition: JobDefinition =
            serde_json::from_str(text.get()).map_err(|error| error.to_string())?;
        // Of the job only what the lease covers.
        let span = Span { number, digest, definition: text, from: Timestamp::MIN, until: None };
        let lease = Lease { until: leave.until(), ..leave.lease.clone() };
        let mut job = Job { leases: vec![lease], ..Job::new(&leave.job) };
        job.versions = Versions { spans: vec![span], ..Versions::default() };
        let mut schedules = Schedules::with(leave.calendars());
        let (mut definitions, _) = schedules.definitions(&job);
        definitions.retain(|definition| definition.host.is_some());
        if definitions.iter().any(|definition| definition.schedule.is_none()) {
            return Err(format!("the schedule of job {} cannot be read here", leave.job));
        }
        definitions.iter_mut().for_each(|definition| definition.host = None);
        let mut entry = JobEntry::empty(&leave.job);
        entry.definitions = definitions;
        if let Some(settled) = leave.settled {
            entry.decided(Some(leave.lease.from), settled);
        }
        entry.find_next();
        Ok(Self { leave, definition, entry })
    }

    /// The leave, as far as it is decided.
    pub fn leave(&self) -> &Leave {
        &self.leave
    }

    /// A run of the job is under way here, or has ended.
    pub fn note(&mut self, run: &StreamId, under_way: bool) {
        if under_way {
            self.leave.begun(run);
        } else {
            self.leave.ended(run);
        }
    }

    /// The definition of the job.
    pub fn definition(&self) -> &JobDefinition {
        &self.definition
    }

    /// The next occurrence that is not decided.
    pub fn next(&self) -> Option<Timestamp> {
        self.entry.next
    }

    /// Decides what has come, at most `max` occurrences; `tzdb` is the version of the time zone database. Where the time of the
    /// leave is over, what can be given back is not decided, and of the rest nothing begins unless the host has leave again: others
    /// may run the job.
    pub fn decide(&mut self, now: Timestamp, max: usize, tzdb: &str) -> Vec<OwnDecision> {
        if self.leave.is_past(now) {
            return Vec::new();
        }
        // Of what was left to this host, it knows itself what it has done.
        let decided = decide_due(&mut self.entry, &Continued::default(), now, max);
        self.entry.find_next();
        let mut busy = self.leave.busy.first().cloned();
        let over = !self.leave.may_begin(now);
        let mut found = Vec::with_capacity(decided.len());
        for mut one in decided {
            if over && !matches!(one.decision, Decision::Skip(_)) {
                one.decision = Decision::Miss(MissReason::LeaseOver);
            }
            let decision = self.decision(&one, busy.as_ref(), tzdb);
            if decision.work.is_some() {
                busy = Some(one.run.clone());
                self.leave.begun(&one.run);
            }
            self.leave.settle(Some(decision.at));
            found.push(decision);
        }
        found
    }

    fn decision(&self, one: &Decided, busy: Option<&StreamId>, tzdb: &str) -> OwnDecision {
        let (job, definition) = (self.leave.job.clone(), one.definition.reference());
        let nominal = nominal(one, tzdb);
        let (at, late_ms) = (one.occurrence.at, one.late_ms);
        let skipped = |reason: SkipReason| -> Event {
            let (job, definition) = (job.clone(), definition.clone());
            RunSkipped { job, definition, nominal: Some(nominal.clone()), reason }.into()
        };
        let event: Event = match (&one.decision, busy) {
            (Decision::Skip(reason), _) => skipped(reason.clone()),
            (Decision::Miss(reason), _) => {
                let (job, definition, nominal) = (job.clone(), definition.clone(), nominal.clone());
                RunMissed { job, definition, nominal, late_ms, reason: reason.clone() }.into()
            }
            (Decision::Run { .. }, Some(with)) => {
                skipped(SkipReason::Overlap { with: with.clone() })
            }
            (Decision::Run { catch_up, hold, moved }, None) => {
                let business_day = one.occurrence.business_day;
                let wanted = Wanted {
                    job: &job,
                    definition: &definition,
                    when: When { at, business_day, moved: None },
                    sort: Sort::Occurrence,
                    nominal: Some(nominal.clone()),
                    late_ms,
                    catch_up: *catch_up,
                    hold: hold.clone(),
                    moved: moved.clone(),
                    stands: one.stands,
                };
                let given = BTreeMap::new();
                match terms(&self.definition, wanted.sort, wanted.when, one.run.rest(), &given) {
                    Ok(terms) => wanted.due(&self.definition, terms, Vec::new()).into(),
                    Err(because) => skipped(SkipReason::Parameters { because }),
                }
            }
        };
        let work = self.work(one, &event).map(Box::new);
        OwnDecision { at, draft: Draft::new(one.run.clone(), 1, event), work }
    }

    fn work(&self, one: &Decided, event: &Event) -> Option<Work> {
        let Event::RunEvent(RunEvent::RunDue(due)) = event else { return None };
        Some(Work {
            run: one.run.clone(),
            version: 1,
            attempt: 1,
            pool: due.pool.clone(),
            host: due.host.clone(),
            digest: one.definition.digest,
            definition: serde_json::from_str(self.leave.definition.get()).ok()?,
            offer: 1,
            parameters: due.terms.parameters.clone(),
            business_day: Some(one.occurrence.business_day),
            at: one.occurrence.at,
        })
    }
}
