//! Why a job is as it is: what of it is open, what came last, what comes next.

use jiff::{SignedDuration, Timestamp};

use super::obstacle::Reason;
use super::speech::{because, by};
use super::story::{story, told};
use super::{View, Why};
use crate::forecast::of_job;
use crate::ids::StreamId;
use crate::job::Job;
use crate::wire::RunRow;

/// How many open runs are told.
const OPEN_TOLD: usize = 5;
/// How far ahead its next occurrence is looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(41 * 366 * 24);

impl View<'_> {
    /// Why a job is as it is; `None` as long as it is not known.
    pub(super) fn of_job(&self, name: &str) -> Option<Why> {
        let job = self.facts.job(name)?;
        self.foresee_calendars(job);
        let events = told(&self.facts.events(&StreamId::job(name)));
        let mut why = Why {
            state: state(job).to_owned(),
            story: story(&events, &self.clock),
            ..self.empty(name, name)
        };
        let rows = self.facts.runs(name, None, None);
        self.open_runs(rows, &mut why);
        let open = why.reasons.len();
        self.not_there(job, &mut why);
        let next = self.coming(job, &mut why);
        self.newest_ended(rows, &mut why);
        self.leases_and_proposals(job, &mut why);
        why.answer = match (job.active(), job.paused(), open) {
            (None, _, _) if job.versions.retired.is_some() => {
                format!("{}.", capital(&self.retired(Timestamp::MAX, &events)))
            }
            (None, _, _) => format!("{}.", capital(&self.never(job))),
            (Some(_), Some(pause), _) => format!("{}.", capital(&self.pause(pause))),
            (Some(_), None, 0) if !why.reasons.is_empty() => {
                "Its last occurrence is not in the log.".to_owned()
            }
            (Some(_), None, 0) => format!("Nothing of it is open; {next}."),
            (Some(_), None, n) => {
                format!("{n} of its runs {} open.", if n == 1 { "is" } else { "are" })
            }
        };
        Some(why)
    }

    fn open_runs(&self, rows: &[RunRow], why: &mut Why) {
        let open = rows.iter().rev().filter(|row| row.open && row.run.part().is_none());
        for row in open.take(OPEN_TOLD) {
            let standing = self.standing(&row.run, &[]);
            let reason =
                Reason::new("run", standing.says, "").with(standing.until, standing.because);
            why.reasons.push(Reason { runs: vec![row.run.clone()], ..reason });
        }
    }

    /// An occurrence whose time has come and that is not in the log.
    fn not_there(&self, job: &Job, why: &mut Why) {
        let now = self.scene.now;
        let Some(held) = self.held_at(job, now) else { return };
        let Some(last) = held.schedule.and_then(|schedule| schedule.last_run_before(now)) else {
            return;
        };
        let holds = held.span.from < last.at;
        if holds && self.exactly(&job.name, last.at).is_empty() {
            let says = format!("its occurrence of {} is not in the log", self.clock.at(last.at));
            let because = self.not_decided(job, last.at);
            why.reasons.push(Reason { because, ..Reason::new("undecided", says, "") });
        }
    }

    /// What its next occurrence is.
    fn coming(&self, job: &Job, why: &mut Why) -> String {
        let now = self.scene.now;
        let definition = job.active().and_then(|span| span.read().ok());
        let Some(definition) = definition else { return "it has no definition".to_owned() };
        if definition.schedule.is_none() {
            return "it runs only on request".to_owned();
        }
        let site = self.site_view(&definition);
        let until = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        let found = of_job(job, (now, until), 1, &site).unwrap_or_default();
        let Some((_, next)) = found.first() else {
            return "its schedule has no occurrence any more".to_owned();
        };
        let at =
            format!("{}, {}", self.clock.both(next.occurrence), self.clock.away(next.occurrence));
        let becomes = match (&next.skipped, &next.note) {
            (Some(skipped), _) => format!(", and will be skipped: {skipped}"),
            (None, Some(note)) => format!(" ({note})"),
            (None, None) => String::new(),
        };
        why.next.push(format!("its next occurrence is {at}{becomes}"));
        format!("its next occurrence is {at}")
    }

    fn newest_ended(&self, rows: &[RunRow], why: &mut Why) {
        let ended = rows.iter().find(|row| !row.open && row.run.part().is_none());
        if let Some(row) = ended {
            let message = row.message.as_deref().map(because).unwrap_or_default();
            let late = if row.late { ", late" } else { "" };
            why.notes.push(format!(
                "its newest run that has ended is {}: {}{late}{message}",
                row.run.rest(),
                row.state
            ));
        }
    }

    fn leases_and_proposals(&self, job: &Job, why: &mut Why) {
        if let Some(lease) = job.lease().filter(|lease| lease.until > self.scene.now)
            && let Some(host) = &lease.host
        {
            let until = self.clock.at(lease.until);
            why.notes
                .push(format!("host {host} has leave to decide its occurrences until {until}"));
        }
        if let (Some(proposal), Some(_)) = (&job.versions.proposal, job.active()) {
            why.notes.push(format!(
                "definition {}, proposed{}, waits for approval",
                proposal.number,
                by(proposal.by.as_deref())
            ));
        }
    }
}

fn state(job: &Job) -> &'static str {
    match (job.active(), job.paused()) {
        (Some(_), Some(_)) => "paused",
        (Some(_), None) => "active",
        (None, _) if job.versions.retired.is_some() => "retired",
        (None, _) if job.versions.proposal.is_some() => "proposed",
        (None, _) => "new",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
