//! How long the console takes for its pages: each is asked for again and again, as a browser does that has come in.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use domain::wire::{Content, Query, RunFilter, RunRow};
use tokio::runtime::Runtime;
use ureq::Agent;

use super::{Figure, percentile};
use crate::client::escape;
use crate::embedded::{Embedded, Wanted};

/// How often each page is asked for.
const TIMES: usize = 30;
/// Milliseconds that a page may take.
const MAY_MS: f64 = 100.0;

/// A browser that has come in.
struct Browser {
    agent: Agent,
    server: String,
    cookie: String,
}

impl Browser {
    fn come_in(server: String, code: &str) -> anyhow::Result<Self> {
        let agent: Agent =
            Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let form = agent
            .post(format!("{server}/login"))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        let came = form.send(format!("name=admin&code={code}"))?;
        let cookie = came.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.context("the console lets nobody in")?.to_owned();
        Ok(Self { agent, server, cookie })
    }

    /// How long a page takes, in milliseconds, and how many bytes it has.
    fn ask(&self, path: &str) -> anyhow::Result<(f64, usize)> {
        let call = self.agent.get(format!("{}{path}", self.server)).header("cookie", &self.cookie);
        let began = Instant::now();
        let mut answer = call.call()?;
        let bytes = answer.body_mut().read_to_vec()?.len();
        let took = began.elapsed().as_secs_f64() * 1_000.0;
        anyhow::ensure!(answer.status() == 200, "{path} is answered with {}", answer.status());
        Ok((took, bytes))
    }

    fn measure(&self, path: &str) -> anyhow::Result<[Figure; 3]> {
        // Once before: what only a first visitor waits for is not what people wait for.
        let (_, bytes) = self.ask(path)?;
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            times.push(self.ask(path)?.0);
        }
        times.sort_by(f64::total_cmp);
        let figure = |what: &str, value, unit| Figure::new(format!("{path}: {what}"), value, unit);
        Ok([
            figure("p50", percentile(&times, 0.5), "ms"),
            figure("p95", percentile(&times, 0.95), "ms").beside("what it may take, ms", MAY_MS),
            figure("size", bytes as f64 / 1_024.0, "KiB"),
        ])
    }
}

/// Every page of the console of a data directory.
pub(super) fn measure(runtime: &Runtime, place: &Path) -> anyhow::Result<Vec<Figure>> {
    let embedded = runtime.block_on(Embedded::start(Wanted::for_one_command(place)))?;
    let measured = each(runtime, &embedded);
    runtime.block_on(embedded.stop())?;
    measured
}

fn each(runtime: &Runtime, embedded: &Embedded) -> anyhow::Result<Vec<Figure>> {
    let code = embedded.code.as_deref().context("somebody has come in to this site before")?;
    let browser = Browser::come_in(format!("http://{}", embedded.address), code)?;
    let mut figures = Vec::new();
    for path in runtime.block_on(paths(embedded))? {
        figures.extend(browser.measure(&path)?);
    }
    Ok(figures)
}

/// The pages there are, and those that look for something.
async fn paths(embedded: &Embedded) -> anyhow::Result<Vec<String>> {
    let newest = run(embedded, RunFilter { limit: 1, ..RunFilter::default() }).await?;
    let filter = RunFilter { state: Some("failed".to_owned()), limit: 1, ..RunFilter::default() };
    let failed = run(embedded, filter).await?;
    let (position, _) = embedded.log.head().await?;
    let fixed = [
        "/night",
        "/night/signed",
        "/timeline",
        "/timeline?by=job",
        "/incidents",
        "/rota",
        "/requests",
        "/schedules/new",
        "/changes",
        "/jobs",
        "/jobs?name=job-7",
        "/jobs?state=paused",
        "/jobs?state=active&after=folder-5",
        "/runs",
        "/runs?state=failed",
        "/runs?state=running",
        "/runs?pool=default",
        "/runs?pool=nowhere",
        "/backups",
        "/prints",
        "/prints/queues",
        "/hosts",
        "/hosts/bench",
        "/events",
        "/events?type=run.failed",
        "/events?type=run.missed",
        "/events?actor=user%2Fadmin",
        "/controls",
        "/controls/JS-01",
        "/controls/JS-02?show=population",
        "/site",
        "/people",
        "/people/admin",
        "/people/roles",
        "/people/review",
        "/account",
        "/docs",
    ];
    let mut all: Vec<String> = fixed.map(str::to_owned).to_vec();
    for row in newest.iter().chain(&failed) {
        let (job, run) = (&row.job, escape(row.run.rest()));
        all.push(format!("/runs/{run}"));
        all.push(format!("/jobs/{job}"));
        all.push(format!("/runs?job={job}"));
        all.push(format!("/runs?job={job}&state=failed"));
        all.push(format!("/events?stream=run%2F{run}"));
        all.push(format!("/events?stream=job%2F{job}"));
    }
    all.push(format!("/events/{position}"));
    all.push(format!("/events?before={}", position / 2));
    Ok(all)
}

async fn run(embedded: &Embedded, filter: RunFilter) -> anyhow::Result<Option<RunRow>> {
    let Content::Runs(rows) = embedded.log.answer(&Query::Runs(filter)).await?.content else {
        anyhow::bail!("the answer is to another question");
    };
    Ok(rows.into_iter().next())
}
