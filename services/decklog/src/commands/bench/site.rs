//! A site with a past: jobs of many folders, and the runs of weeks. Everything in it goes through the recorder's own rules and
//! its own transactions, so that `verify` accepts the log; only the time is not real, and nothing was run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bus::recorder;
use domain::calendar::Calendars;
use domain::canonical::Digest;
use domain::envelope::Draft;
use domain::event::{
    AttemptReport, CommandEnd, DefinitionRef, HostStarted, JobApproved, JobProposed, Nominal,
    OutputRef, RetryOn, RunDue, RunFailed, RunRetryScheduled, RunStarted, RunSucceeded, Terms,
};
use domain::flush::{FLUSH_EVENTS_MAX, Flush};
use domain::ids::{Class, StreamId};
use domain::job::JobDefinition;
use domain::time::{Occurrence, Schedule, occurrence_label};
use domain::wire::{AppendRequest, Enrol};
use eventlog::{Access, Appender, EventLog};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Figure;
use super::append::append_all;
use super::seed::Speaker;
use crate::cli::SiteBench;
use crate::embedded::{self, Embedded, Wanted};
use crate::host;

/// Between two runs of a job.
const ROUND: SignedDuration = SignedDuration::from_hours(12);
/// So long after the site was made no job falls due: until then nothing of its past is missing.
const QUIET: SignedDuration = SignedDuration::from_hours(1);
/// The log is this much older than its first run.
const LEAD: SignedDuration = SignedDuration::from_mins(30);
/// The longest past, in days: after 90 an account that says nothing may do nothing.
const DAYS_MAX: i64 = 80;
/// Jobs of a folder.
const FOLDER: usize = 100;
/// One run of so many fails in the end.
const FAILS: usize = 200;
/// Who makes the jobs active.
const ACTOR: &str = "user/admin";

/// How large a site is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) jobs: usize,
    pub(super) runs: usize,
    pub(super) events: usize,
}

impl Size {
    /// As it is asked for; quickly, a small one.
    pub(super) fn of(wanted: &SiteBench, quick: bool) -> Self {
        let size =
            |wanted: Option<usize>, full, small| wanted.unwrap_or(if quick { small } else { full });
        Self {
            jobs: size(wanted.jobs, 10_000, 200).max(1),
            runs: size(wanted.runs, 100_000, 2_000),
            events: size(wanted.events, 500_000, 8_000),
        }
    }

    /// How often each job has run.
    fn rounds(&self) -> usize {
        self.runs.div_ceil(self.jobs)
    }

    /// Whether the run of this number is tried twice: so many are that there are as many events as are wanted.
    fn is_tried_twice(&self, run: usize) -> bool {
        let runs = self.runs.max(1);
        let twice = (self.events.saturating_sub(3 * runs) / 3).min(runs);
        (run + 1) * twice / runs > run * twice / runs
    }
}

/// A job, and what is said of each of its runs.
struct Made {
    definition: JobDefinition,
    digest: Digest,
    schedule: Schedule,
    last: Option<Timestamp>,
}

/// The data directory of a site, made where it is not there yet; how fast it was made.
pub(super) async fn make(dir: &Path, size: Size) -> anyhow::Result<(PathBuf, Vec<Figure>)> {
    let place = dir.join("site");
    if EventLog::file_in(&place).exists() {
        return Ok((place, Vec::new()));
    }
    let rounds = i32::try_from(size.rounds())?;
    anyhow::ensure!(
        ROUND * rounds <= SignedDuration::from_hours(24 * DAYS_MAX),
        "{} runs of {} jobs are more than {DAYS_MAX} days hold: say more jobs",
        size.runs,
        size.jobs
    );
    let minute = host::now().as_second().div_euclid(60) * 60;
    // A round ends when the quiet hour does: what falls due after it is not of the past.
    let first = Timestamp::from_second(minute)? + QUIET - ROUND * rounds;
    let begun = first - LEAD;
    let mut people =
        begin(&place, host::now().duration_since(begun) + SignedDuration::from_mins(10)).await?;
    let file = EventLog::file_in(&place).display().to_string();
    let log = EventLog::open(&file, Access::Append).await?;
    let mut appender = Appender::open(log.clone()).await?;
    let began = Instant::now();
    let mut jobs = bring(&mut appender, &mut people, size, (begun, first)).await?;
    live(&mut appender, &mut people, &mut jobs, size, first).await?;
    let (events, _) = log.head().await?;
    let took = began.elapsed().as_secs_f64();
    log.close().await;
    let what = format!("a site of {} jobs, {} runs, {events} events", size.jobs, size.runs);
    let bytes = std::fs::metadata(EventLog::file_in(&place))?.len() as f64;
    Ok((
        place,
        vec![
            Figure::new(format!("{what}: made"), took, "s"),
            Figure::new(format!("{what}: events"), events as f64 / took, "events/s"),
            Figure::new(format!("{what}: file"), bytes / 1_048_576.0, "MiB"),
        ],
    ))
}

/// Whoever speaks.
struct People {
    console: Speaker,
    scheduler: Speaker,
    executor: Speaker,
}

/// A log that began some time ago, with whoever speaks enrolled.
async fn begin(place: &Path, back: SignedDuration) -> anyhow::Result<People> {
    let wanted = Wanted { back, ..Wanted::for_one_command(place) };
    let embedded = Embedded::start(wanted).await?;
    let people = People {
        console: Speaker::new(Class::Console, 2)?,
        scheduler: Speaker::new(Class::Scheduler, 3)?,
        executor: Speaker::new(Class::Executor, 4)?,
    };
    for one in [&people.console, &people.scheduler, &people.executor] {
        let token = embedded::token(place, one.id.class())?;
        let enrol = AppendRequest::Enrol(Enrol::new(&one.id, &one.key, &token));
        recorder::transport(&embedded.bus)(enrol).await.map_err(anyhow::Error::msg)?;
    }
    embedded.stop().await?;
    Ok(people)
}

/// Twice a day, in the order of their minutes within a round.
fn definition(n: usize, jobs: usize, first: Timestamp) -> anyhow::Result<JobDefinition> {
    let busy = usize::try_from((ROUND - QUIET).as_mins())?;
    let round = usize::try_from(ROUND.as_mins())?;
    let begins = first.to_zoned(TimeZone::UTC).time();
    let begins = usize::try_from(begins.hour())? * 60 + usize::try_from(begins.minute())?;
    let minute = (begins + n * busy / jobs) % round;
    let cron = format!("{} {},{} * * *", minute % 60, minute / 60, minute / 60 + 12);
    Ok(serde_json::from_value(json!({
        "name": format!("folder-{}.job-{n}", n / FOLDER),
        "description": "It was never run: a measurement",
        "schedule": {"cron": cron},
        "zone": "UTC",
        // They are told many at a time.
        "late-after": "11h",
        "retry": {"delays": ["10s"], "on": ["failed"]},
        "command": {"argv": ["/bin/true"]},
    }))?)
}

async fn bring(
    appender: &mut Appender,
    people: &mut People,
    size: Size,
    (at, first): (Timestamp, Timestamp),
) -> anyhow::Result<Vec<Made>> {
    let mut jobs = Vec::with_capacity(size.jobs);
    for n in 0..size.jobs {
        let definition = definition(n, size.jobs, first)?;
        let schedule = definition.schedule_at(at, &Calendars::default());
        let schedule = schedule.ok_or_else(|| anyhow::anyhow!("a job without a schedule"))??;
        jobs.push(Made { digest: definition.digest()?, definition, schedule, last: None });
    }
    for part in jobs.chunks(FLUSH_EVENTS_MAX / 2) {
        let drafts: anyhow::Result<Vec<[Draft; 2]>> = part.iter().map(active).collect();
        let flush = people.console.say(drafts?.into_iter().flatten().collect(), at)?;
        append_all(appender, &[flush], at).await?;
    }
    let started = HostStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot: "bench".to_owned(),
        slots: 16,
        pools: vec!["default".to_owned()],
        found: 0,
        labels: BTreeMap::new(),
        program: None,
    };
    let started = Draft::new(StreamId::host("bench"), 1, started);
    append_all(appender, &[people.executor.say(vec![started], at)?], at).await?;
    Ok(jobs)
}

fn active(made: &Made) -> anyhow::Result<[Draft; 2]> {
    let (number, digest) = (1, made.digest);
    let definition = serde_json::to_value(&made.definition)?;
    let job = StreamId::job(&made.definition.name);
    let reason = "a measurement".to_owned();
    let proposed = JobProposed { number, digest, definition, reason };
    Ok([
        Draft::new(job.clone(), 1, proposed).by(Some(ACTOR)),
        Draft::new(job, 2, JobApproved { number, digest }).by(Some(ACTOR)),
    ])
}

/// All runs, in the order of their instants, so many jobs at a time as a flush has events.
async fn live(
    appender: &mut Appender,
    people: &mut People,
    jobs: &mut [Made],
    size: Size,
    mut begin: Timestamp,
) -> anyhow::Result<()> {
    let mut left = size.runs;
    while left > 0 {
        for part in jobs.chunks_mut(FLUSH_EVENTS_MAX) {
            let now = left.min(part.len());
            if now == 0 {
                break;
            }
            let part = &mut part[..now];
            let number = size.runs - left;
            let lives: Vec<Life> = (number..)
                .zip(part)
                .map(|(number, made)| Life::next(made, (begin, begin + ROUND), size, number))
                .collect::<anyhow::Result<_>>()?;
            left -= lives.len();
            let (flushes, at) = said(people, &lives)?;
            append_all(appender, &flushes, at).await?;
        }
        begin += ROUND;
    }
    Ok(())
}

/// One run.
struct Life {
    job: String,
    run: StreamId,
    digest: Digest,
    due: RunDue,
    at: Timestamp,
    twice: bool,
    fails: bool,
}

impl Life {
    /// The next run of a job, between two instants.
    fn next(
        made: &mut Made,
        (from, until): (Timestamp, Timestamp),
        size: Size,
        number: usize,
    ) -> anyhow::Result<Self> {
        let before = domain::time::just_before(from);
        let found = made.schedule.between(before, domain::time::just_before(until)).next();
        let found = found.ok_or_else(|| anyhow::anyhow!("no occurrence at {from}"))?;
        let (job, at) = (made.definition.name.clone(), found.at);
        let run = StreamId::run(&job, &occurrence_label(&found));
        let due = due(made, &found);
        made.last = Some(at);
        let (twice, fails) = (size.is_tried_twice(number), number % FAILS == FAILS - 1);
        Ok(Self { job, run, digest: made.digest, due, at, twice, fails: fails && twice })
    }
}

fn due(made: &Made, found: &Occurrence) -> RunDue {
    let definition = &made.definition;
    let nominal = Nominal {
        at: found.at,
        local: found.local.to_string(),
        walls: found.walls.iter().map(ToString::to_string).collect(),
        reason: found.reason.as_str().to_owned(),
        tzdb: host::tzdb().version,
        business_day: None,
        moved_from: Vec::new(),
        calendars: Vec::new(),
        after: made.last,
    };
    RunDue {
        job: definition.name.clone(),
        definition: DefinitionRef::new(1, made.digest),
        nominal: Some(nominal),
        pool: definition.pool.clone(),
        host: None,
        late_ms: 3,
        late_after_ms: definition.late_after.millis(),
        catch_up: false,
        hold: None,
        behind: Vec::new(),
        retry: definition.retry_rule(),
        terms: Box::<Terms>::default(),
        moved: None,
        part_of: None,
    }
}

/// What is said of runs, each kind of all of them after the other; and when that is over.
fn said(people: &mut People, lives: &[Life]) -> anyhow::Result<(Vec<Flush>, Timestamp)> {
    let last = lives.iter().map(|life| life.at).max().unwrap_or_default();
    let after = |seconds: i64| last + SignedDuration::from_secs(seconds);
    let all = || lives.iter();
    let again = || lives.iter().filter(|life| life.twice);
    let dues = all().map(|life| Draft::new(life.run.clone(), 1, life.due.clone()));
    let mut flushes = vec![people.scheduler.say(dues.collect(), after(1))?];
    let starts = all().map(|life| started(life, 1, 2));
    flushes.push(people.executor.say(starts.collect(), after(2))?);
    let ends = all().map(|life| ended(life, 1, 3, life.twice, after(3)));
    flushes.push(people.executor.say(ends.collect(), after(3))?);
    if again().next().is_some() {
        let retries = again().map(|life| retried(life, after(14)));
        flushes.push(people.scheduler.say(retries.collect(), after(4))?);
        let starts = again().map(|life| started(life, 2, 5));
        flushes.push(people.executor.say(starts.collect(), after(15))?);
        let ends = again().map(|life| ended(life, 2, 6, life.fails, after(16)));
        flushes.push(people.executor.say(ends.collect(), after(16))?);
    }
    Ok((flushes, after(17)))
}

fn started(life: &Life, attempt: u32, version: u64) -> Draft {
    let event = RunStarted {
        attempt,
        host: "bench".to_owned(),
        definition: life.digest,
        lease_ms: 30_000,
        run_as: "root".to_owned(),
        argv: life.digest,
        script: None,
    };
    Draft::new(life.run.clone(), version, event)
}

fn retried(life: &Life, not_before: Timestamp) -> Draft {
    let event = RunRetryScheduled { attempt: 2, not_before, after: RetryOn::Failed };
    Draft::new(life.run.clone(), 4, event)
}

fn ended(life: &Life, attempt: u32, version: u64, fails: bool, at: Timestamp) -> Draft {
    let report = AttemptReport {
        attempt,
        host: "bench".to_owned(),
        end: CommandEnd::Exited { code: i32::from(fails) },
        began: at,
        ended: at,
        output: Some(OutputRef { sha256: Some(life.digest), bytes: 0, kept: 0, truncated: false }),
        killed: 0,
        text: None,
        artefacts: Vec::new(),
    };
    let host = report.host.clone();
    if fails {
        let message = format!("{} exited with 1", life.job);
        Draft::new(life.run.clone(), version, RunFailed { attempt, host, message, report })
    } else {
        let event = RunSucceeded { attempt, host, warning: false, report };
        Draft::new(life.run.clone(), version, event)
    }
}
