//! Jobs and flows put together.

use std::collections::{BTreeMap, BTreeSet};

use domain::job::flow::FlowDocument;
use domain::job::{After, AtEnd, CatchUp, JobDefinition, WhichRun, Window};
use domain::time::ScheduleSpec;
use serde_json::{Value, json};

use super::links::{self, Links};
use super::schedule::{self, Refusal};
use super::site::{Entry, Kind, Site};
use super::{draft, job};
use crate::import::Imported;
use crate::import::document::{Document, within_flow};
use crate::import::draft::When;
use crate::import::names::Names;

/// What a job or box starts by, and what it waits for.
#[derive(Debug)]
struct Start {
    own: Vec<When>,
    links: Links,
}

struct Maker<'a> {
    site: &'a Site,
    zone: &'a str,
    starts: BTreeMap<usize, Result<Start, Refusal>>,
}

/// Makes everything of a site.
pub(super) fn all(site: &Site, zone: &str, imported: &mut Imported) {
    let mut starts = BTreeMap::new();
    for (index, entry) in site.entries.iter().enumerate() {
        starts.insert(index, start(site, entry, zone, imported));
    }
    let maker = Maker { site, zone, starts };
    // Names of jobs that have one more for a second schedule must not meet others.
    let mut names = Names::default();
    for index in 0..site.entries.len() {
        names.unique(&site.name(index));
    }
    for (index, entry) in site.entries.iter().enumerate() {
        let made = match (entry.kind, entry.top) {
            (Kind::Command, None) => maker.job(index, entry, &mut names, imported),
            (Kind::Box, None) => maker.flow(index, entry, imported),
            (Kind::Watcher, _) => maker.watcher(index, entry),
            // In the flow of their outermost box.
            (Kind::Command | Kind::Box, Some(_)) => Ok(()),
        };
        if let Err((line, reason)) = made {
            imported.leave_out(&entry.statement.line(line), &entry.statement.name, reason);
        }
    }
}

fn start(
    site: &Site,
    entry: &Entry,
    zone: &str,
    imported: &mut Imported,
) -> Result<Start, Refusal> {
    let own = schedule::read(&entry.statement, zone, imported)?;
    if !own.is_empty() && entry.top.is_some() {
        let line =
            entry.statement.get("date_conditions").map_or(entry.statement.at.line, |a| a.line);
        return Err((
            line,
            "times of its own in a box cannot be carried: the box has one schedule for all"
                .to_owned(),
        ));
    }
    Ok(Start { own, links: links::of(site, entry, imported)? })
}

impl Maker<'_> {
    fn start(&self, index: usize) -> Result<&Start, Refusal> {
        match self.starts.get(&index) {
            Some(Ok(start)) => Ok(start),
            Some(Err(refusal)) => Err(refusal.clone()),
            None => Err((0, "it is not here".to_owned())),
        }
    }

    /// When it starts: by its own times, or with what it waits for.
    fn whens(&self, index: usize, seen: &mut BTreeSet<usize>) -> Result<Vec<When>, Refusal> {
        let top = self.site.get(index).and_then(|entry| entry.top);
        if let Some(top) = top {
            return self.whens(top, seen);
        }
        let start = self.start(index)?;
        if !start.own.is_empty() || !seen.insert(index) {
            return Ok(start.own.clone());
        }
        let mut found: Option<When> = None;
        for other in self.predecessors(index) {
            // One that is left out itself says nothing; that it is missing is noted.
            let theirs = self.whens(other, seen).unwrap_or_default();
            let line = self.condition_line(index);
            match (theirs.as_slice(), &found) {
                ([], _) => {}
                ([one], None) => found = Some(one.clone()),
                ([one], Some(known)) if same_days(one, known) => {}
                ([_], Some(_)) => {
                    return Err((
                        line,
                        "what it waits for runs on different days: give it times of its own"
                            .to_owned(),
                    ));
                }
                (_, _) => {
                    return Err((
                        line,
                        "what it waits for has several schedules: give it times of its own"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// What it waits for, watchers included.
    fn predecessors(&self, index: usize) -> Vec<usize> {
        let linked = self
            .start(index)
            .map(|start| start.links.after.iter().filter_map(|l| l.index).collect());
        let mut found: Vec<usize> = linked.unwrap_or_default();
        let condition = self.site.get(index).and_then(|entry| entry.statement.value("condition"));
        let terms =
            condition.and_then(|text| super::condition::parse(text).ok()).unwrap_or_default();
        let is_watcher =
            |index: &usize| self.site.get(*index).is_some_and(|e| e.kind == Kind::Watcher);
        found.extend(terms.iter().filter_map(|term| self.site.find(&term.job)).filter(is_watcher));
        found
    }

    fn condition_line(&self, index: usize) -> usize {
        let entry = self.site.get(index).map(|entry| &entry.statement);
        let line =
            |entry: &super::Statement| entry.get("condition").map_or(entry.at.line, |a| a.line);
        entry.map_or(0, line)
    }

    fn job(
        &self,
        index: usize,
        entry: &Entry,
        names: &mut Names,
        imported: &mut Imported,
    ) -> Result<(), Refusal> {
        let mut job = self.body(index, entry, imported)?;
        let whens = self.whens(index, &mut BTreeSet::new())?;
        let at = &entry.statement.at;
        if let Some(outer) = entry.statement.get("box_name") {
            let reason =
                "the box is not among the files: its times and conditions are missing here";
            imported.leave_out(&entry.statement.line(outer.line), outer.source(), reason);
        }
        if whens.is_empty() && !job.after.is_empty() {
            let text = "nothing it waits for has a schedule: it runs when somebody asks for it";
            imported.note(&entry.statement.line(self.condition_line(index)), text);
        }
        job.after = self.after(index, &whens, None)?;
        self.zone.clone_into(&mut job.zone);
        let (jobs, lock) = draft::spread(job, whens, names);
        jobs.into_iter().for_each(|job| imported.job(at, job));
        lock.into_iter().for_each(|lock| imported.thing(at, lock));
        Ok(())
    }

    /// A job but for its schedule.
    fn body(
        &self,
        index: usize,
        entry: &Entry,
        imported: &mut Imported,
    ) -> Result<JobDefinition, Refusal> {
        let start = self.start(index)?;
        let mut job = job::make(&self.site.name(index), &entry.statement, imported)?;
        // As AutoSys itself: what could not start is not made up for.
        job.catch_up = CatchUp::None;
        job.needs.clone_from(&start.links.needs);
        job.after = self.after(index, &[], None)?;
        if let Some(window) = entry.statement.get("run_window") {
            job.window = Some(run_window(&window.value).map_err(|reason| (window.line, reason))?);
        }
        Ok(job)
    }

    /// What it waits for; with names as they are used within a flow.
    fn after(
        &self,
        index: usize,
        whens: &[When],
        flow: Option<usize>,
    ) -> Result<Vec<After>, Refusal> {
        let mut found = Vec::new();
        for link in &self.start(index)?.links.after {
            let other = link.index.and_then(|index| self.site.get(index));
            let within = flow.is_some() && other.is_some_and(|other| other.top == flow);
            let (job, run) = match other {
                Some(other) if within => (other.short.clone(), WhichRun::SameOccurrence),
                Some(_) | None => (link.name.clone(), self.which_run(link.index, whens)),
            };
            found.push(After { job, run, outcomes: link.outcomes.clone() });
        }
        Ok(found)
    }

    /// Of a job with the same schedule, the run of the same instant.
    fn which_run(&self, other: Option<usize>, whens: &[When]) -> WhichRun {
        let theirs = other.and_then(|index| self.whens(index, &mut BTreeSet::new()).ok());
        match (theirs.as_deref(), whens) {
            (Some([theirs]), [own]) if theirs == own => WhichRun::SameOccurrence,
            (_, _) => WhichRun::SameBusinessDay,
        }
    }

    /// A watcher is what others need; by itself it is nothing.
    fn watcher(&self, index: usize, entry: &Entry) -> Result<(), Refusal> {
        self.start(index)?;
        let waits = |other: &Entry| {
            let condition = other.statement.value("condition");
            let terms =
                condition.and_then(|text| super::condition::parse(text).ok()).unwrap_or_default();
            terms.iter().any(|term| term.job == entry.statement.name)
        };
        if self.site.entries.iter().any(waits) {
            Ok(())
        } else {
            Err((
                entry.statement.at.line,
                "no job of the files waits for the file it watches".to_owned(),
            ))
        }
    }

    fn flow(&self, index: usize, entry: &Entry, imported: &mut Imported) -> Result<(), Refusal> {
        let statement = &entry.statement;
        let whens = self.whens(index, &mut BTreeSet::new())?;
        let line = statement.get("start_times").map_or(statement.at.line, |a| a.line);
        if whens.len() > 1 {
            return Err((
                line,
                "its times are no single schedule, and a flow has one: make several boxes"
                    .to_owned(),
            ));
        }
        let mut jobs = BTreeMap::new();
        for member in self.site.members(index) {
            let Some(entry) = self.site.get(member) else { continue };
            match self.member(index, member, entry, &whens, imported) {
                Ok(job) => drop(jobs.insert(entry.short.clone(), job)),
                Err((line, reason)) => {
                    imported.leave_out(&entry.statement.line(line), &entry.statement.name, reason);
                }
            }
        }
        self.remarks_on_boxes(index, imported);
        let when = whens.into_iter().next();
        let flow =
            flow_document(entry, when, self.zone, &jobs).map_err(|e| (statement.at.line, e))?;
        imported.add(&statement.at, Document::Flow(Box::new(flow)));
        Ok(())
    }

    /// What a job in a box says: what its boxes wait for, it waits for too.
    fn member(
        &self,
        flow: usize,
        index: usize,
        entry: &Entry,
        whens: &[When],
        imported: &mut Imported,
    ) -> Result<Value, Refusal> {
        let mut job = self.body(index, entry, imported)?;
        job.after = self.after(index, whens, Some(flow))?;
        for outer in self.site.boxes_of(index) {
            let start = self.start(outer)?;
            job.needs.extend(start.links.needs.iter().cloned());
            let more = self.after(outer, whens, Some(flow))?;
            let new =
                more.into_iter().filter(|after| !job.after.contains(after)).collect::<Vec<_>>();
            job.after.extend(new);
            if let (Some(outer), None) = (self.site.get(outer), &job.window) {
                let window = outer.statement.get("run_window");
                let window = window.map(|a| run_window(&a.value).map_err(|e| (a.line, e)));
                job.window = window.transpose()?;
            }
        }
        within_flow(&job).map_err(|reason| (entry.statement.at.line, reason))
    }

    /// What boxes say that no flow does.
    fn remarks_on_boxes(&self, top: usize, imported: &mut Imported) {
        let inner =
            (0..self.site.entries.len()).filter(|index| self.site.boxes_of(*index).contains(&top));
        for index in inner.chain([top]) {
            let Some(entry) = self.site.get(index).filter(|entry| entry.kind == Kind::Box) else {
                continue;
            };
            for attribute in
                entry.statement.attributes.iter().filter(|a| !OF_BOX.contains(&a.key.as_str()))
            {
                let at = entry.statement.line(attribute.line);
                let reason = "a flow does not say it: say it of its jobs";
                imported.leave_out(&at, attribute.source(), reason);
            }
        }
    }
}

/// Attributes of a box that its flow is made of, or that say nothing.
const OF_BOX: [&str; 14] = [
    "job_type",
    "box_name",
    "description",
    "owner",
    "permission",
    "machine",
    "date_conditions",
    "days_of_week",
    "start_times",
    "start_mins",
    "run_calendar",
    "exclude_calendar",
    "condition",
    "timezone",
];

fn flow_document(
    entry: &Entry,
    when: Option<When>,
    zone: &str,
    jobs: &BTreeMap<String, Value>,
) -> Result<FlowDocument, String> {
    let statement = &entry.statement;
    let from =
        format!("from {} line {} ({})", statement.at.file, statement.at.line, statement.name);
    let description = match statement.value("description") {
        Some(says) => format!("{}; {from}", draft::cut(says, 500)),
        None => from,
    };
    let value = json!({
        "kind": "flow",
        "name": entry.short,
        "description": description,
        "schedule": when.as_ref().map(|when| &when.spec),
        "zone": when.as_ref().and_then(|when| when.zone.as_deref()).unwrap_or(zone),
        "calendar": when.map(|when| when.calendar).unwrap_or_default(),
        "catch-up": "none",
        "jobs": jobs,
    });
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Whether two schedules run on the same days: crontab lines with the same day fields.
fn same_days(one: &When, other: &When) -> bool {
    let days = |when: &When| match &when.spec {
        ScheduleSpec::Cron(line) => Some(line.split(' ').skip(2).collect::<Vec<_>>().join(" ")),
        ScheduleSpec::Quartz(_) | ScheduleSpec::Every(_) | ScheduleSpec::At(_) => None,
    };
    one.zone == other.zone && one.calendar == other.calendar && days(one) == days(other)
}

/// `23:00-02:00`.
fn run_window(text: &str) -> Result<Window, String> {
    let bad = || format!("`{text}` is no window: it looks like 23:00-02:00");
    let (from, until) = text.split_once('-').ok_or_else(bad)?;
    let clock = |text: &str| format!("{:0>5}", text.trim()).parse().map_err(|_| bad());
    Ok(Window { from: clock(from)?, until: clock(until)?, at_end: AtEnd::Skip })
}
