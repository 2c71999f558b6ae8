//! `decklog plan`: what applying would change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use console::{Checked, HostChecked};
use domain::calendar::CalendarSpan;
use domain::forecast::SiteView;
use domain::job::{Change, Definition, Difference, JobDefinition, difference, thing_difference};
use domain::plan::problems;
use domain::site::Thing;
use domain::time::Schedule;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{Format, Place, Plan};
use crate::client::Client;
use crate::site::Site;
use crate::source::{DEFAULT_DATA, Source};
use crate::{exit, files, host, output};

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    difference: Difference,
    schedule: String,
    next: Vec<String>,
    /// What hosts say would keep them from running it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// How long hosts are asked about jobs, all together.
const ASKING: Duration = Duration::from_secs(20);
/// Most warnings about one job.
const WARNINGS_MAX: usize = 10;

pub(crate) fn run(plan: &Plan, format: Format) -> anyhow::Result<()> {
    let new = files::read(&plan.paths)?;
    let site = source(&plan.place)?.map(|source| Site::read(&source)).transpose()?;
    let site = site.unwrap_or_default();
    check(&new, &site)?;
    let view = view_with(&site, &new);
    let mut lines = Vec::with_capacity(new.len());
    let mut same = 0;
    for definition in &new {
        if is_active(definition, &site)? {
            same += 1;
        } else {
            lines.push(line(definition, &site, &view, plan.occurrences));
        }
    }
    // Written otherwise before, and the same all the same.
    let before = lines.len();
    lines.retain(|line| line.difference.change != Change::Same);
    same += before - lines.len();
    if let Some(console) = super::console_at(&plan.place)? {
        ask_hosts(&console, &new, &mut lines);
    }
    match format {
        Format::Table => print(&lines, same)?,
        Format::Json | Format::Jsonl => output::list(format, &lines, |_| output::Table::default())?,
    }
    if lines.is_empty() { Ok(()) } else { Err(exit::changes()) }
}

/// Without a log yet everything is to be added, as long as nobody named one.
pub(super) fn source(place: &Place) -> anyhow::Result<Option<Source>> {
    let named = place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    let none = place.server.is_none() && !eventlog::EventLog::file_in(&named).exists();
    if none { Ok(None) } else { Source::open(place).map(Some) }
}

/// Asks hosts about the jobs that change. A plan is a plan also where they do not say anything.
fn ask_hosts(console: &Client, new: &[Definition], lines: &mut [Line]) {
    let begun = Instant::now();
    for line in lines {
        let mut jobs = new.iter().filter_map(Definition::job);
        let about = &line.difference;
        let Some(job) = jobs.find(|job| about.what == "job" && job.name == about.name) else {
            continue;
        };
        if begun.elapsed() > ASKING {
            eprintln!(
                "hosts were not asked about job/{} and those after it: it takes too long",
                job.name
            );
            return;
        }
        match console.check(job) {
            Ok(checked) => line.warnings = warnings(&checked, &job.pool),
            Err(error) => {
                eprintln!("hosts were not asked whether they can run what changes: {error:#}");
                return;
            }
        }
    }
}

fn warnings(checked: &Checked, pool: &str) -> Vec<String> {
    if checked.hosts.is_empty() {
        return vec![format!("no host of pool {pool} is up")];
    }
    let each = checked.hosts.iter().flat_map(|HostChecked { host, problems, unknown }| {
        let cannot = |problem| format!("host {host} cannot run it: {problem}");
        let unknown = unknown.iter().map(|why| format!("host {host} {why}"));
        problems.iter().map(cannot).chain(unknown).collect::<Vec<_>>()
    });
    let mut warnings: Vec<String> = each.collect();
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    warnings.truncate(WARNINGS_MAX);
    warnings.extend((more > 0).then(|| format!("and {more} more reasons like these")));
    warnings
}

/// Refuses definitions that do not fit together, or not with what is active.
pub(super) fn check(new: &[Definition], site: &Site) -> anyhow::Result<()> {
    let graph = new.iter().filter_map(Definition::job).any(|job| !job.after.is_empty());
    let found = problems(new, &site.known(graph));
    if found.is_empty() { Ok(()) } else { Err(exit::usage(found.join("\n"))) }
}

/// Whether it is active already, to the letter.
fn is_active(definition: &Definition, site: &Site) -> anyhow::Result<bool> {
    let (active, digest) = match definition {
        Definition::Job(job) => {
            (site.jobs.get(&job.name).and_then(|job| job.active()), job.digest()?)
        }
        Definition::Thing(thing) => {
            (site.things.get(&thing.stream()).and_then(|thing| thing.active()), thing.digest()?)
        }
    };
    Ok(active.is_some_and(|active| active.digest == digest))
}

/// Calendars and blackouts as they will be when the definitions are active.
pub(super) fn view_with(site: &Site, new: &[Definition]) -> SiteView {
    let mut view = site.view();
    for definition in new {
        if let Definition::Thing(Thing::Calendar(calendar)) = definition
            && let Ok(digest) = Thing::Calendar(calendar.clone()).digest()
        {
            let (definition, from) = (Arc::new(calendar.clone()), host::now());
            let span = CalendarSpan { number: 0, digest, definition, from };
            view.calendars.add(&calendar.name, span);
        }
    }
    for definition in new {
        if let Definition::Thing(Thing::Blackout(blackout)) = definition {
            view.put_blackout(blackout.clone());
        }
    }
    view
}

fn line(definition: &Definition, site: &Site, view: &SiteView, count: usize) -> Line {
    match definition {
        Definition::Job(job) => {
            let active = site.jobs.get(&job.name).and_then(|known| known.active()?.read().ok());
            let (schedule, next) = preview(job, view, count);
            let difference = difference(active.as_ref(), job);
            Line { difference, schedule, next, warnings: Vec::new() }
        }
        Definition::Thing(thing) => {
            let known = site.things.get(&thing.stream()).filter(|known| known.active().is_some());
            let active = known.and_then(|known| known.read(thing.kind()));
            let difference = thing_difference(active.as_ref(), thing);
            Line { difference, schedule: String::new(), next: Vec::new(), warnings: Vec::new() }
        }
    }
}

fn preview(job: &JobDefinition, view: &SiteView, count: usize) -> (String, Vec<String>) {
    let now = host::now();
    match job.schedule_at(far(now), &view.calendars) {
        None => ("on request".to_owned(), Vec::new()),
        Some(Err(error)) => (error.to_string(), Vec::new()),
        Some(Ok(schedule)) => {
            let next = next_runs(&schedule, now).take(count);
            let next = next.map(|o| o.local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string());
            (schedule.describe(), next.collect())
        }
    }
}

/// An instant at which the newest versions of calendars hold.
pub(crate) fn far(now: Timestamp) -> Timestamp {
    now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now)
}

/// Occurrences that run, from `after` on.
pub(crate) fn next_runs(
    schedule: &Schedule,
    after: Timestamp,
) -> impl Iterator<Item = domain::time::Occurrence> + '_ {
    std::iter::successors(schedule.next_run(after), |before| schedule.next_run(before.at))
}

fn print(lines: &[Line], same: usize) -> anyhow::Result<()> {
    let (mut add, mut change) = (0, 0);
    for line in lines {
        let Difference { what, name, change: changes, fields } = &line.difference;
        match changes {
            Change::Same => continue,
            Change::Add => {
                add += 1;
                output::line(format!("+ {what}/{name}  {}", line.schedule).trim_end())?;
            }
            Change::Change => {
                change += 1;
                output::line(format!("~ {what}/{name}  {}", line.schedule).trim_end())?;
                for (field, before, after) in fields {
                    output::line(&format!("    {field}: {before} -> {after}"))?;
                }
            }
        }
        for at in &line.next {
            output::line(&format!("    next {at}"))?;
        }
        for warning in &line.warnings {
            output::line(&format!("    ! {warning}"))?;
        }
    }
    output::line(&format!("plan: {add} to add, {change} to change, {same} unchanged"))
}
