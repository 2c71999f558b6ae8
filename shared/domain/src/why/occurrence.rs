//! Why an occurrence is as it is: one that lies ahead, one that nobody has decided, and what is no occurrence at all.

use jiff::{SignedDuration, Timestamp};

use super::facts::calendars_of;
use super::obstacle::Reason;
use super::speech::{because, by, person};
use super::story::{Told, story, told};
use super::{View, Why};
use crate::event::{Event, JobEvent};
use crate::forecast::{SiteView, of_definition};
use crate::ids::StreamId;
use crate::job::{
    Almanacs, Job, JobDefinition, Order, OrderAct, Overlap, Proposal, SchedulePart, Span, words,
};
use crate::site::ThingKind;
use crate::time::{Occurrence, Otherwise, Schedule, just_before};

/// How far around an instant it is looked where a calendar has moved an occurrence to.
const MOVED_DAYS: i64 = 40;

/// A definition and its schedule as calendars stand at an instant.
pub(super) struct Held<'a> {
    pub(super) span: &'a Span,
    pub(super) definition: JobDefinition,
    pub(super) schedule: Option<Schedule>,
}

impl View<'_> {
    /// Why the occurrence of a job at an instant is as it is; `None` as long as it is not known.
    pub(super) fn of_occurrence(&self, name: &str, at: Timestamp) -> Option<Why> {
        let job = self.facts.job(name)?;
        if let Some(id) = self.exactly(name, at).first() {
            return self.of_run(id);
        }
        let events = told(&self.facts.events(&StreamId::job(name)));
        let about = format!("{name} at {}", self.clock.at(at));
        let told_here: Vec<Told> =
            events.iter().filter(|told| concerns(told, at)).cloned().collect();
        let mut why = Why {
            occurrence: Some(at),
            state: "none".to_owned(),
            story: story(&told_here, &self.clock),
            ..self.empty(&about, name)
        };
        match self.held_at(job, at) {
            Some(held) => self.under(job, &held, at, &mut why),
            None => self.under_none(job, at, &events, &mut why),
        }
        Some(why)
    }

    /// The definition that holds at an instant.
    pub(super) fn held_at<'a>(&self, job: &'a Job, at: Timestamp) -> Option<Held<'a>> {
        let pieces = job.pieces();
        let piece = pieces
            .iter()
            .find(|piece| piece.from < at && piece.until.is_none_or(|until| at <= until))?;
        self.read(piece.span, at)
    }

    pub(super) fn read<'a>(&self, span: &'a Span, at: Timestamp) -> Option<Held<'a>> {
        let definition = span.read().ok()?;
        let schedule = definition.schedule_part().and_then(|part| self.schedule(&part, at));
        Some(Held { span, definition, schedule })
    }

    fn schedule(&self, part: &SchedulePart, at: Timestamp) -> Option<Schedule> {
        let calendars = self.facts.calendars(part.calendar.names());
        part.at(at, &calendars, &Almanacs::default()).0.ok()
    }

    fn under(&self, job: &Job, held: &Held<'_>, at: Timestamp, why: &mut Why) {
        let occurrence = held.schedule.as_ref().and_then(|schedule| schedule.occurrence_at(at));
        match occurrence {
            None => self.no_occurrence(job, held, at, why),
            Some(occurrence) => match occurrence.describe_out() {
                Some(out) => self.left_out(held, &occurrence, &out, why),
                None if at > self.scene.now => self.to_come(job, held, &occurrence, why),
                None => self.undecided(job, at, why),
            },
        }
    }

    fn left_out(&self, held: &Held<'_>, occurrence: &Occurrence, out: &str, why: &mut Why) {
        why.state = "left-out".to_owned();
        let does = if occurrence.at > self.scene.now { "will not" } else { "did not" };
        why.answer = format!("It {does} run: {out}.");
        self.nearest(held, occurrence.at, why);
    }

    /// The occurrences that run before and after an instant.
    fn nearest(&self, held: &Held<'_>, at: Timestamp, why: &mut Why) {
        let Some(schedule) = &held.schedule else { return };
        let before = schedule.last_run_before(at).filter(|o| o.at > held.span.from);
        let before = before.map(|o| self.clock.at(o.at));
        let after = schedule.next_run(at).map(|o| self.clock.at(o.at));
        why.notes.push(match (before, after) {
            (Some(before), Some(after)) => {
                format!("the nearest that run are {before} and {after}")
            }
            (Some(before), None) => format!("the last that runs is {before}"),
            (None, Some(after)) => format!("the first that runs is {after}"),
            (None, None) => "there is none that runs".to_owned(),
        });
    }

    // What lies ahead.

    fn to_come(&self, job: &Job, held: &Held<'_>, occurrence: &Occurrence, why: &mut Why) {
        let at = occurrence.at;
        why.state = "to-come".to_owned();
        why.answer = format!("It is to run at {}, {}.", self.clock.both(at), self.clock.away(at));
        let site = self.site_view(&held.definition);
        let found = of_definition(job, &held.definition, (just_before(at), at), 1, &site);
        let planned = found.ok().and_then(|found| found.into_iter().next()).map(|(_, one)| one);
        if let Some(skipped) = planned.as_ref().and_then(|planned| planned.skipped.clone()) {
            why.state = "to-be-skipped".to_owned();
            why.answer = format!("It will be skipped: {skipped}.");
        } else if let Some(note) = planned.as_ref().and_then(|planned| planned.note.clone()) {
            why.notes.push(note);
        }
        if let Some(pause) = job.pause_at(at) {
            why.answer = format!("It will be skipped: {}.", self.pause(pause));
        } else if let Some(order) = job.orders.get(&at) {
            self.ordered(order, at, why);
        }
        self.conditions(&held.definition, why);
        self.still_open(job, &held.definition, at, why);
        self.leased(job, at, why);
        self.proposed(job, at, true, why);
    }

    /// What somebody has said of it.
    fn ordered(&self, order: &Order, at: Timestamp, why: &mut Why) {
        let who = order.by.as_deref().map_or("somebody", person);
        let reason = because(&order.reason);
        let (state, answer) = match order.act {
            OrderAct::Skip => {
                ("to-be-skipped", format!("It will be skipped: {who} said so{reason}."))
            }
            OrderAct::Hold => {
                ("to-be-held", format!("When its time comes it waits: {who} said so{reason}."))
            }
            OrderAct::Move(to) => (
                "moved",
                format!(
                    "It is to run at {}: {who} moved it from {}{reason}.",
                    self.clock.at(to),
                    self.clock.at(at)
                ),
            ),
        };
        (why.state, why.answer) = (state.to_owned(), answer);
    }

    /// What its definition says that it will wait for.
    fn conditions(&self, definition: &JobDefinition, why: &mut Why) {
        const TOLD: [&str; 6] = ["after", "confirm", "needs", "lock", "window", "latest-by"];
        let said = words(definition).into_iter().filter(|(field, _)| TOLD.contains(field));
        why.next.extend(said.map(|(field, says)| format!("{field}: {says}")));
    }

    /// Runs of the job that have not ended yet may still be there when its time comes.
    fn still_open(&self, job: &Job, definition: &JobDefinition, at: Timestamp, why: &mut Why) {
        let Some(state) = self.facts.stream(&StreamId::job(&job.name)) else { return };
        let then = match definition.overlap {
            Overlap::Skip => "it is skipped",
            Overlap::QueueOne | Overlap::QueueAll { .. } => "it waits",
            Overlap::CancelRunning => "that is cancelled",
        };
        for id in &state.turn.busy {
            let standing = self.standing(id, &[]);
            let late = standing.until.is_none_or(|until| until >= at);
            if late {
                why.notes.push(format!("{}; if it has not ended then, {then}", standing.says));
            }
        }
    }

    fn leased(&self, job: &Job, at: Timestamp, why: &mut Why) {
        if let Some(host) = job.lease_at(at).and_then(|lease| lease.host.clone()) {
            why.notes.push(format!("host {host} has leave to decide it by itself"));
        }
    }

    /// What a definition that waits for approval says of the instant, where it says otherwise.
    fn proposed(&self, job: &Job, at: Timestamp, has: bool, why: &mut Why) {
        let Some(proposal) = &job.versions.proposal else { return };
        let Some(schedule) = self.of_proposal(proposal) else { return };
        let would = schedule.occurrence_at(at).is_some_and(|o| o.out.is_none());
        if would != has {
            let what = if would { "has an occurrence then" } else { "has no occurrence then" };
            let by = by(proposal.by.as_deref());
            why.notes.push(format!(
                "definition {}, proposed{by}, {what}; it waits for approval",
                proposal.number
            ));
        }
    }

    fn of_proposal(&self, proposal: &Proposal) -> Option<Schedule> {
        let read: JobDefinition = serde_json::from_str(proposal.definition.get()).ok()?;
        self.schedule(&read.schedule_part()?, Timestamp::MAX)
    }

    /// Calendars and blackouts as a forecast of one job needs them.
    pub(super) fn site_view(&self, definition: &JobDefinition) -> SiteView {
        let blackouts = self.facts.blackouts(definition);
        let mut names = definition.calendar.names();
        for view in &blackouts {
            let thing = view.state.body.thing().and_then(|t| t.read(ThingKind::Blackout));
            names.extend(thing.iter().flat_map(crate::site::Thing::calendars));
        }
        let (mut all, mut open) = (Vec::new(), names.into_iter().collect::<Vec<_>>());
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = open.pop() {
            let Some(thing) = self.facts.thing(ThingKind::Calendar, &name) else { continue };
            if seen.insert(name) {
                open.extend(thing.calendar_spans().iter().flat_map(|s| s.definition.names()));
                all.push((ThingKind::Calendar, thing));
            }
        }
        let blackouts = blackouts.iter().filter_map(|view| view.state.body.thing());
        all.extend(blackouts.map(|thing| (ThingKind::Blackout, thing)));
        SiteView::of(all)
    }

    // What has passed and is not in the log.

    /// An occurrence whose time has come and of which the log says nothing.
    pub(super) fn undecided(&self, job: &Job, at: Timestamp, why: &mut Why) {
        why.state = "undecided".to_owned();
        let ago = self.clock.away(at);
        why.answer = format!("Its time came {ago}, and no scheduler has decided about it yet.");
        why.reasons.extend(self.not_decided(job, at));
    }

    pub(super) fn not_decided(&self, job: &Job, at: Timestamp) -> Vec<Reason> {
        let mut found = Vec::new();
        if let Some(lease) = job.lease_at(at)
            && let Some(host) = &lease.host
        {
            let until = self.clock.at(lease.until);
            let says = format!(
                "host {host} has leave to decide it by itself until {until}, and has not reported"
            );
            found.push(Reason::new("lease", says, "its report, when it is back"));
        }
        let settled = self.facts.stream(&StreamId::job(&job.name)).and_then(|s| s.turn.settled);
        let says = match settled {
            Some(settled) => {
                format!("the log accounts for its occurrences up to {}", self.clock.at(settled))
            }
            None => "the log accounts for none of its occurrences yet".to_owned(),
        };
        found.push(Reason::new("undecided", says, "a scheduler, by the job's catch-up rule"));
        if self.scene.asleep {
            let says = "nothing runs on this data directory".to_owned();
            found.push(Reason::new("asleep", says, "decklog up"));
        }
        found
    }

    // What is no occurrence.

    fn no_occurrence(&self, job: &Job, held: &Held<'_>, at: Timestamp, why: &mut Why) {
        let is = if at > self.scene.now { "is" } else { "was" };
        let Some(schedule) = &held.schedule else {
            why.answer = format!(
                "There {is} no occurrence at {}: the job runs only on request.",
                self.clock.at(at)
            );
            return;
        };
        why.answer = format!(
            "There {is} no occurrence at {}: its schedule is \"{}\".",
            self.clock.at(at),
            schedule.describe()
        );
        if let Some((from, order)) = moved_here(job, at) {
            let who = order.by.as_deref().map_or("somebody", person);
            why.answer = format!(
                "The occurrence of {} runs at {} instead: {who} moved it{}.",
                self.clock.at(from),
                self.clock.at(at),
                because(&order.reason)
            );
        } else if let Some(moved) = self.moved_by_calendar(held, at) {
            why.answer = format!("There {is} no occurrence at {}: {moved}.", self.clock.at(at));
        }
        self.nearest(held, at, why);
        self.orphaned(job, at, why);
        self.others_had(job, held.span, at, why);
        self.proposed(job, at, false, why);
    }

    /// Where the calendars have moved the schedule's time of this day, and why.
    fn moved_by_calendar(&self, held: &Held<'_>, at: Timestamp) -> Option<String> {
        let mut part = held.definition.schedule_part()?;
        if !matches!(part.calendar.otherwise, Otherwise::Previous | Otherwise::Next) {
            return None;
        }
        part.calendar.otherwise = Otherwise::Skip;
        let here = self.schedule(&part, at)?.occurrence_at(at)?;
        let out = here.describe_out()?;
        let around = SignedDuration::from_hours(MOVED_DAYS * 24);
        let (from, until) = (at.checked_sub(around).ok()?, at.checked_add(around).ok()?);
        let schedule = held.schedule.as_ref()?;
        let mut moved = schedule.between(from, until);
        let to = moved.find(|o| o.moved_from.contains(&here.business_day));
        let to = to.map(|to| format!("; it runs at {} instead", self.clock.at(to.at)));
        Some(format!("{out}{}", to.unwrap_or_default()))
    }

    /// Something was said of an occurrence that the schedule does not have any more.
    fn orphaned(&self, job: &Job, at: Timestamp, why: &mut Why) {
        if let Some(order) = job.orders.get(&at) {
            let who = order.by.as_deref().map_or("somebody", person);
            let act = order.act.word();
            let reason = because(&order.reason);
            why.notes.push(format!(
                "{who} said of it ({act}){reason}; the schedule has no such occurrence any more"
            ));
        }
    }

    /// Definitions that held at other times and have such an occurrence.
    fn others_had(&self, job: &Job, but: &Span, at: Timestamp, why: &mut Why) {
        for span in job.versions.spans.iter().filter(|span| span.number != but.number) {
            let held = self.read(span, at);
            let had = held.and_then(|held| held.schedule?.occurrence_at(at)).is_some();
            if had {
                why.notes.push(format!(
                    "definition {}, which held {}, has one then",
                    span.number,
                    self.time_of(span)
                ));
            }
        }
    }

    fn time_of(&self, span: &Span) -> String {
        let from = self.clock.at(span.from);
        match span.until {
            Some(until) => format!("from {from} until {}", self.clock.at(until)),
            None => format!("only from {from}"),
        }
    }

    fn under_none(&self, job: &Job, at: Timestamp, events: &[Told], why: &mut Why) {
        let spans = &job.versions.spans;
        let after = spans.iter().find(|span| at <= span.from);
        let before = spans.iter().rev().find(|span| span.until.is_some_and(|until| until < at));
        let nothing = format!("There is no occurrence at {}", self.clock.at(at));
        why.answer = match (before, after) {
            (None, None) => format!("{nothing}: {}.", self.never(job)),
            (Some(_), _) => format!("{nothing}: {}.", self.retired(at, events)),
            (None, Some(first)) => {
                format!(
                    "{nothing}: definition {} holds {}{}.",
                    first.number,
                    self.time_of(first),
                    approved(first, events)
                )
            }
        };
        for span in before.into_iter().chain(after) {
            let had = self.read(span, at).and_then(|held| held.schedule?.occurrence_at(at));
            if had.is_some_and(|occurrence| occurrence.out.is_none()) {
                why.notes
                    .push(format!("the schedule of definition {} names that time", span.number));
            }
        }
        self.proposed(job, at, false, why);
    }

    /// Why a job has no definition.
    pub(super) fn never(&self, job: &Job) -> String {
        match &job.versions.proposal {
            Some(proposal) => format!(
                "definition {}, proposed{}, waits for approval (decklog job approve), and none is active",
                proposal.number,
                by(proposal.by.as_deref())
            ),
            None => "the job has no definition".to_owned(),
        }
    }

    /// `the job was retired at 02:00 by ana: because`.
    pub(super) fn retired(&self, at: Timestamp, events: &[Told]) -> String {
        let is = |told: &&Told| {
            told.void.is_none()
                && told.received <= at
                && matches!(&told.event, Event::JobEvent(JobEvent::JobRetired(_)))
        };
        let Some(told) = events.iter().rev().find(is) else {
            return "no definition of the job held then".to_owned();
        };
        let reason = match &told.event {
            Event::JobEvent(JobEvent::JobRetired(e)) => because(&e.reason),
            Event::JobEvent(_)
            | Event::RunEvent(_)
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
            | Event::ReviewEvent(_) => String::new(),
        };
        format!("the job was retired at {} by {}{reason}", self.clock.at(told.received), told.by())
    }

    /// The calendars that any definition of a job names, so that they are read at once.
    pub(super) fn foresee_calendars(&self, job: &Job) {
        self.facts.calendars(calendars_of(&job.versions.spans));
    }
}

/// Whether an event of a job has to do with its occurrence at an instant.
fn concerns(told: &Told, at: Timestamp) -> bool {
    let Event::JobEvent(event) = &told.event else { return false };
    match event {
        JobEvent::JobPaused(_) | JobEvent::JobResumed(_) | JobEvent::JobRetired(_) => true,
        JobEvent::JobProposed(_) => false,
        JobEvent::JobApproved(_) => true,
        JobEvent::JobOccurrenceHeld(e) => e.at == at,
        JobEvent::JobOccurrenceReleased(e) => e.at == at,
        JobEvent::JobOccurrenceSkipped(e) => e.at == at,
        JobEvent::JobOccurrenceMoved(e) => e.at == at || e.to == at,
        JobEvent::JobLeaseGranted(e) => e.from < at && at <= e.until,
        JobEvent::JobLeaseReturned(_) => false,
    }
}

fn moved_here(job: &Job, at: Timestamp) -> Option<(Timestamp, &Order)> {
    let to_here = |order: &Order| matches!(order.act, OrderAct::Move(to) if to == at);
    job.orders.iter().find(|(_, order)| to_here(order)).map(|(from, order)| (*from, order))
}

fn approved(span: &Span, events: &[Told]) -> String {
    let is = |told: &&Told| matches!(&told.event, Event::JobEvent(JobEvent::JobApproved(e)) if e.number == span.number);
    let by = events.iter().find(is).map(Told::by);
    by.map(|by| format!(", when {by} approved it")).unwrap_or_default()
}
