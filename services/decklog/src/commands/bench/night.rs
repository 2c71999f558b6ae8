//! Many schedules of which many fall due in one second; and many at rest.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, recorder};
use domain::envelope::Draft;
use domain::ids::{Class, ProducerId};
use domain::job::JobDefinition;
use domain::wire::{Content, Query, RunFilter, RunRow};
use jiff::{SignedDuration, Timestamp};
use journal::{Journal, Outbox, OutboxConfig};
use serde_json::json;

use super::{Figure, limits, percentile, seed};
use crate::embedded::{self, Embedded, Wanted};
use crate::host;

/// Attempts at once.
const SLOTS: u32 = 16;
/// How long the due runs may take.
const WAIT: Duration = Duration::from_secs(300);

fn wanted(dir: &Path, work: bool) -> Wanted {
    Wanted { work, slots: SLOTS, ..Wanted::for_one_command(dir) }
}

/// `schedules` jobs, of which `due` fall due in one and the same second.
pub(crate) async fn measure(
    dir: &Path,
    schedules: usize,
    due: usize,
) -> anyhow::Result<Vec<Figure>> {
    // Far enough away for everything to be in the log and loaded by then.
    let lead = i64::try_from(schedules / 1_000)? + 15;
    let at = Timestamp::from_second(host::now().as_second() + lead)?;
    let mut jobs = Vec::with_capacity(schedules);
    for n in 0..schedules {
        let schedule = if n < due { json!({"at": [at.to_string()]}) } else { quiet(n) };
        jobs.push(seed::definition(&format!("bench-{n}"), &schedule)?);
    }
    fill(dir, Vec::new(), &jobs).await?;
    let spawns = limits::spawns_per_second(1_000, 4)?;
    let embedded = Embedded::start(wanted(dir, true)).await?;
    anyhow::ensure!(
        host::now() < at,
        "the schedules took too long to apply on this machine; use --quick"
    );
    let rows = wait_for(&embedded, due).await?;
    embedded.stop().await?;
    Ok(figures(&rows, at, schedules, spawns))
}

fn figures(rows: &[RunRow], at: Timestamp, schedules: usize, spawns: f64) -> Vec<Figure> {
    let seconds = |to: Timestamp| to.duration_since(at).as_secs_f64();
    let mut lags: Vec<f64> = rows.iter().filter_map(|row| row.started.map(seconds)).collect();
    lags.sort_by(f64::total_cmp);
    let last = rows.iter().filter_map(|row| row.ended.map(seconds)).fold(0.0, f64::max);
    let count = rows.len();
    let bare = count as f64 / spawns;
    vec![
        Figure::new(
            format!("runs, each a process, {count} at once due"),
            count as f64 / last,
            "runs/s",
        )
        .beside("bare spawn of /bin/true, a second", spawns),
        Figure::new(
            format!("due to started, {count} of {schedules} schedules in one second, p50"),
            percentile(&lags, 0.5),
            "s",
        )
        .beside("time to spawn them bare, s", bare),
        Figure::new(
            format!("due to started, {count} of {schedules} schedules in one second, p99"),
            percentile(&lags, 0.99),
            "s",
        )
        .beside("time to spawn them bare, s", bare),
    ]
}

/// A schedule that does not fall due while we measure: once a year, spread over the year's minutes.
fn quiet(n: usize) -> serde_json::Value {
    let far = host::now()
        .checked_add(SignedDuration::from_hours(24 * 90))
        .unwrap_or_else(|_| host::now());
    let month = far.to_zoned(jiff::tz::TimeZone::UTC).month();
    json!({"cron": format!("{} {} {} {month} *", n % 60, (n / 60) % 24, 1 + (n / 1_440) % 28)})
}

/// Makes the jobs active through the recorder, in full flushes.
/// Makes definitions active, after what `before` says.
pub(super) async fn fill(
    dir: &Path,
    before: Vec<Draft>,
    jobs: &[JobDefinition],
) -> anyhow::Result<()> {
    let embedded = Embedded::start(wanted(dir, false)).await?;
    let outbox = outbox(dir, &embedded.bus)?;
    if !before.is_empty() {
        outbox.append(before).await?;
    }
    for part in jobs.chunks(64) {
        outbox.append(seed::drafts(part)?).await?;
    }
    outbox.drained().await;
    drop(outbox);
    embedded.stop().await
}

fn outbox(dir: &Path, bus: &Bus) -> anyhow::Result<Outbox> {
    let id = ProducerId::new(Class::Console, "bench")?;
    let key = journal::load_or_create_key(&dir.join("bench.key"))?;
    let opened = Journal::open(&dir.join("bench.journal"), &id, key, 1 << 30)?;
    let config = OutboxConfig {
        clock: Arc::new(host::now),
        transport: recorder::transport(bus),
        token: embedded::token(dir, Class::Console)?,
        waiting_max: 64,
        seen: None,
    };
    Ok(Outbox::start(opened.journal, config))
}

async fn wait_for(embedded: &Embedded, due: usize) -> anyhow::Result<Vec<RunRow>> {
    let begin = Instant::now();
    loop {
        let filter = RunFilter { limit: 2_000, ..RunFilter::default() };
        let Content::Runs(rows) = embedded.log.answer(&Query::Runs(filter)).await?.content else {
            anyhow::bail!("no runs");
        };
        if rows.len() >= due && rows.iter().all(|row| !row.open) {
            return Ok(rows);
        }
        anyhow::ensure!(
            begin.elapsed() < WAIT,
            "only {} of {due} runs ended within {WAIT:?}",
            rows.iter().filter(|row| !row.open).count()
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Processor and memory of `schedules` jobs at rest, everything in one process.
pub(crate) async fn measure_idle(dir: &Path, schedules: usize) -> anyhow::Result<Vec<Figure>> {
    let jobs: Vec<JobDefinition> = (0..schedules)
        .map(|n| seed::definition(&format!("idle-{n}"), &quiet(n)))
        .collect::<anyhow::Result<_>>()?;
    fill(dir, Vec::new(), &jobs).await?;
    drop(jobs);
    // In a process of its own: what was needed to apply them must not count.
    let program = std::env::current_exe()?;
    let mut child = std::process::Command::new(program)
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(dir)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let measured = watch(child.id()).await;
    child.kill()?;
    child.wait()?;
    let (share, resident) = measured?;
    Ok(vec![
        Figure::new(format!("idle, {schedules} schedules: one core"), share * 100.0, "%"),
        Figure::new(format!("idle, {schedules} schedules: resident memory"), resident, "MiB"),
    ])
}

/// Share of a core over ten seconds, and resident memory, once it has come to rest.
async fn watch(pid: u32) -> anyhow::Result<(f64, f64)> {
    let mut before = ticks(pid)?;
    let rest = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = ticks(pid)?;
        // Loading is over when two seconds cost less than a tenth of a core.
        if now - before < 20 || rest.elapsed() > Duration::from_secs(120) {
            break;
        }
        before = now;
    }
    let (begin, first) = (Instant::now(), ticks(pid)?);
    tokio::time::sleep(Duration::from_secs(10)).await;
    // A tick is a hundredth of a second on Linux.
    let used = (ticks(pid)? - first) as f64 / 100.0;
    Ok((used / begin.elapsed().as_secs_f64(), resident_mib(pid)?))
}

fn ticks(pid: u32) -> anyhow::Result<u64> {
    let fields = stat(&pid.to_string())?;
    let field = |n: usize| fields.get(n).copied().unwrap_or(0);
    Ok(field(11) + field(12))
}

/// Processor time of all child processes that have ended, seconds.
pub(super) fn children_seconds() -> anyhow::Result<f64> {
    let fields = stat("self")?;
    // Fields 16 and 17 of proc(5), counted from the state.
    let field = |n: usize| fields.get(n).copied().unwrap_or(0);
    Ok((field(13) + field(14)) as f64 / 100.0)
}

fn stat(pid: &str) -> anyhow::Result<Vec<u64>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    Ok(after.split_whitespace().map(|text| text.parse().unwrap_or(0)).collect())
}

fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 =
        line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    Ok(kib / 1024.0)
}
