//! `decklog schedule …`: when an expression, a job or the jobs of a file have occurrences, and why then.

use domain::forecast::{Planned, SiteView, horizon, of_definition};
use domain::ids::StreamId;
use domain::job::{Definition, Job, JobDefinition, words};
use domain::time::{DstPolicy, Occurrence, Schedule as Parsed, ScheduleSpec, just_before};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::plan::{self, far};
use super::{calendar, plan::view_with};
use crate::cli::{Explain, Format, Next, Schedule};
use crate::output::{self, Table};
use crate::site::Site;
use crate::source::Source;
use crate::{exit, files, host, site, when};

pub(crate) fn run(schedule: &Schedule, format: Format) -> anyhow::Result<()> {
    match schedule {
        Schedule::Next(next) => run_next(next, format),
        Schedule::Explain(explain) if explain.expression.is_some() => expression(explain, format),
        Schedule::Explain(explain) if explain.file.is_empty() => of_job(explain, format),
        Schedule::Explain(explain) => of_files(explain, format),
    }
}

/// How many occurrences are shown where nothing is said, and how many of a range at most.
const SHOWN: usize = 10;
const SHOWN_OF_RANGE: usize = 10_000;

/// Which occurrences: after an instant, up to and with another, and how many.
struct Wanted {
    after: Timestamp,
    until: Timestamp,
    count: usize,
}

impl Wanted {
    /// The range a person gave. Its beginning is inclusive: what is exactly at the instant belongs to it.
    fn of(explain: &Explain, zone: &TimeZone) -> anyhow::Result<Self> {
        let now = host::now();
        let from = explain.from.as_deref().map_or(Ok(now), |text| when::instant(text, zone));
        let from = from.map_err(exit::usage)?;
        let (until, most) = match &explain.to {
            None => (horizon(from), SHOWN),
            Some(to) => {
                let to = when::ahead(to, zone, from).map_err(exit::usage)?;
                (just_before(to), SHOWN_OF_RANGE)
            }
        };
        Ok(Self { after: just_before(from), until, count: explain.n.unwrap_or(most) })
    }
}

fn run_next(next: &Next, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&next.place)?;
    let state = source.stream(&StreamId::job(&next.job))?;
    let span = state.as_ref().and_then(|state| state.body.job()?.active());
    let definition = span
        .ok_or_else(|| exit::not_found(format!("there is no active job {}", next.job)))?
        .read()?;
    let site = site::view(&site::things(&source)?);
    let now = host::now();
    match definition.schedule_at(far(now), &site.calendars) {
        None => Err(exit::unclean(format!("job {} runs only on request", next.job))),
        Some(parsed) => {
            let wanted = Wanted { after: now, until: horizon(now), count: next.n };
            print(&parsed?, &wanted, format)
        }
    }
}

fn expression(explain: &Explain, format: Format) -> anyhow::Result<()> {
    let expression = explain.expression.clone().unwrap_or_default();
    let spec = if explain.quartz {
        ScheduleSpec::Quartz(expression)
    } else {
        ScheduleSpec::Cron(expression)
    };
    let policy = serde_json::json!({"gap": explain.gap, "overlap-time": explain.overlap_time});
    let policy: DstPolicy = serde_json::from_value(policy).map_err(exit::usage)?;
    let parsed = Parsed::parse(&spec, &explain.zone, policy).map_err(exit::usage)?;
    let wanted = Wanted::of(explain, parsed.time_zone())?;
    if format == Format::Table {
        output::line(&parsed.describe())?;
    }
    print(&parsed, &wanted, format)
}

/// An occurrence of an expression.
#[derive(Debug, Serialize)]
struct Line {
    /// UTC, RFC 3339.
    at: Timestamp,
    /// RFC 9557, with zone.
    local: String,
    /// The word.
    reason: &'static str,
    /// The sentence.
    explanation: String,
}

fn print(parsed: &Parsed, wanted: &Wanted, format: Format) -> anyhow::Result<()> {
    let found = parsed.between(wanted.after, wanted.until).take(wanted.count);
    let lines: Vec<Line> = found.map(|occurrence| line(&occurrence)).collect();
    output::list(format, &lines, |lines| {
        let mut table = Table::new(["LOCAL", "UTC", "REASON"]);
        for line in lines {
            let reason = if line.reason == "exact" {
                "exact".to_owned()
            } else {
                format!("{}: {}", line.reason, line.explanation)
            };
            table.row([human(&line.local), line.at.to_string(), reason]);
        }
        table
    })
}

pub(super) fn human(local: &str) -> String {
    local
        .parse::<jiff::Zoned>()
        .map_or_else(|_| local.to_owned(), |z| z.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string())
}

fn line(occurrence: &Occurrence) -> Line {
    Line {
        at: occurrence.at,
        local: occurrence.local.to_string(),
        reason: occurrence.reason.as_str(),
        explanation: occurrence.describe(),
    }
}

/// A job explained: what it says, and its occurrences.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Explained {
    job: String,
    /// Its schedule in words; absent for a job that runs only on request.
    schedule: Option<String>,
    /// Its fields in words.
    says: Vec<(&'static str, String)>,
    occurrences: Vec<One>,
}

/// An occurrence of a job, how its instant was found, and what becomes of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct One {
    occurrence: Timestamp,
    local: String,
    business_day: String,
    reason: &'static str,
    explanation: String,
    /// Whether it runs, as far as is known.
    runs: bool,
    /// When it starts.
    at: Timestamp,
    what: String,
}

fn of_job(explain: &Explain, format: Format) -> anyhow::Result<()> {
    let name = explain.job.as_deref().unwrap_or_default();
    let source = Source::open(&explain.place)?;
    let state = source.stream(&StreamId::job(name))?;
    let job = state.as_ref().and_then(|state| state.body.job());
    let span = job.and_then(|job| Some((job, job.active()?)));
    let (job, span) =
        span.ok_or_else(|| exit::not_found(format!("there is no active job {name}")))?;
    let site = site::view(&site::things(&source)?);
    let explained = explained(job, &span.read()?, &site, explain)?;
    show(&[explained], format)
}

fn of_files(explain: &Explain, format: Format) -> anyhow::Result<()> {
    let new = files::read(&explain.file)?;
    let site = plan::source(&explain.place)?.map(|source| Site::read(&source)).transpose()?;
    let site = site.unwrap_or_default();
    plan::check(&new, &site)?;
    let view = view_with(&site, &new);
    let wanted = |job: &&JobDefinition| explain.job.as_ref().is_none_or(|name| *name == job.name);
    let mut all = Vec::new();
    for definition in new.iter().filter_map(Definition::job).filter(wanted) {
        let fresh = Job::new(&definition.name);
        let job = site.jobs.get(&definition.name).unwrap_or(&fresh);
        all.push(explained(job, definition, &view, explain)?);
    }
    if all.is_empty() {
        return Err(exit::not_found("there is no such job in these files"));
    }
    show(&all, format)
}

fn explained(
    job: &Job,
    definition: &JobDefinition,
    site: &SiteView,
    explain: &Explain,
) -> anyhow::Result<Explained> {
    let (job_name, says) = (definition.name.clone(), words(definition));
    let now = host::now();
    let Some(parsed) = definition.schedule_at(far(now), &site.calendars) else {
        return Ok(Explained { job: job_name, schedule: None, says, occurrences: Vec::new() });
    };
    let parsed = parsed?;
    let wanted = Wanted::of(explain, parsed.time_zone())?;
    let range = (wanted.after, wanted.until);
    let found = of_definition(job, definition, range, wanted.count, site).map_err(exit::unclean)?;
    let occurrences = found.iter().map(|(occurrence, planned)| one(occurrence, planned));
    let (schedule, occurrences) = (Some(parsed.describe()), occurrences.collect());
    Ok(Explained { job: job_name, schedule, says, occurrences })
}

fn one(occurrence: &Occurrence, planned: &Planned) -> One {
    One {
        occurrence: occurrence.at,
        local: planned.local.clone(),
        business_day: planned.business_day.clone(),
        reason: planned.reason,
        explanation: occurrence.describe(),
        runs: planned.skipped.is_none(),
        at: planned.at,
        what: calendar::what(planned),
    }
}

fn show(all: &[Explained], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json | Format::Jsonl => output::list(format, all, |_| Table::default()),
        Format::Table => all.iter().try_for_each(|one| output::print(&text(one))),
    }
}

fn text(explained: &Explained) -> String {
    let schedule = explained.schedule.as_deref().unwrap_or("on request");
    let mut text = format!("job       {}\nschedule  {schedule}\n", explained.job);
    for (field, says) in &explained.says {
        text.push_str(&format!("{field:<9} {says}\n"));
    }
    if explained.schedule.is_none() {
        return text;
    }
    let mut table = Table::new(["LOCAL", "UTC", "DAY", "WHAT"]);
    for one in &explained.occurrences {
        let usual = matches!(one.reason, "exact" | "elapsed" | "left-out");
        let how = if usual { String::new() } else { format!(". {}", one.explanation) };
        let (local, utc) = (human(&one.local), one.occurrence.to_string());
        table.row([local, utc, one.business_day.clone(), format!("{}{how}", one.what)]);
    }
    text.push_str(&table.text());
    text
}
