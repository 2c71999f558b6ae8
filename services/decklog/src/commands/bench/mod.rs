//! `decklog bench`: speed, each figure beside the machine's own limit measured in the same run, because
//! only the ratio means anything on another machine.

mod append;
mod backup;
mod evidence;
mod limits;
mod night;
mod pages;
mod plan;
mod seed;
mod site;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{Bench, Format, Measure};
use crate::output::{self, Table};

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    measure: String,
    value: f64,
    unit: &'static str,
    /// The limit it is compared with, and its value.
    limit: Option<(String, f64)>,
    /// Value over limit.
    ratio: Option<f64>,
}

impl Figure {
    fn new(measure: impl ToString, value: f64, unit: &'static str) -> Self {
        Self { measure: measure.to_string(), value, unit, limit: None, ratio: None }
    }

    fn beside(mut self, limit: impl ToString, value: f64) -> Self {
        self.ratio = (value > 0.0).then(|| self.value / value);
        self.limit = Some((limit.to_string(), value));
        self
    }
}

pub(crate) fn run(bench: &Bench, format: Format) -> anyhow::Result<()> {
    let temporary = std::env::temp_dir().join(format!("decklog-bench-{}", std::process::id()));
    let dir = bench.dir.clone().unwrap_or_else(|| temporary.clone());
    std::fs::create_dir_all(&dir)?;
    let wanted = |measure| bench.what.is_empty() || bench.what.contains(&measure);
    let figures = measure(bench, &dir, wanted);
    if bench.dir.is_none() {
        std::fs::remove_dir_all(&temporary)?;
    }
    output::list(format, &figures?, table)
}

fn measure(
    bench: &Bench,
    dir: &Path,
    wanted: impl Fn(Measure) -> bool,
) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut figures = Vec::new();
    let size = |full: usize, quick: usize| if bench.quick { quick } else { full };
    if wanted(Measure::Append) {
        eprintln!("append …");
        let events = size(100_000, 10_000);
        let file = dir.join("append.sqlite").display().to_string();
        figures.extend(runtime.block_on(append::measure(&file, dir, events))?);
        if let Some(address) = &bench.database {
            figures.extend(runtime.block_on(append::measure(address, dir, events))?);
        }
    }
    if wanted(Measure::Runs) || wanted(Measure::Lateness) {
        eprintln!("runs and lateness …");
        let place = fresh(dir, "runs")?;
        let (schedules, due) = (size(10_000, 1_000), size(1_000, 200));
        figures.extend(runtime.block_on(night::measure(&place, schedules, due))?);
    }
    if wanted(Measure::Idle) {
        eprintln!("idle …");
        let place = fresh(dir, "idle")?;
        figures.extend(runtime.block_on(night::measure_idle(&place, size(100_000, 5_000)))?);
    }
    if wanted(Measure::Plan) {
        eprintln!("plan …");
        let place = fresh(dir, "plan")?;
        figures.extend(plan::measure(&runtime, &place, size(10_000, 1_000))?);
    }
    if wanted(Measure::Seed) || wanted(Measure::Pages) || wanted(Measure::Evidence) {
        eprintln!("a site …");
        let size = site::Size::of(&bench.site, bench.quick);
        let (place, made) = runtime.block_on(site::make(dir, size))?;
        figures.extend(made);
        if wanted(Measure::Pages) {
            eprintln!("pages …");
            figures.extend(pages::measure(&runtime, &place)?);
        }
        if wanted(Measure::Evidence) {
            eprintln!("evidence …");
            figures.extend(evidence::measure(&runtime, &place)?);
        }
    }
    if wanted(Measure::Backup) {
        eprintln!("backup …");
        figures.extend(backup::measure(&fresh(dir, "backup")?, &bench.backup, bench.quick)?);
    }
    Ok(figures)
}

fn fresh(dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let place = dir.join(name);
    std::fs::create_dir_all(&place)?;
    Ok(place)
}

fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new(["MEASURE", "VALUE", "UNIT", "LIMIT", "RATIO"]);
    for figure in figures {
        let limit =
            figure.limit.as_ref().map(|(name, value)| format!("{name}: {}", number(*value)));
        let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}"));
        table.row([
            figure.measure.clone(),
            number(figure.value),
            figure.unit.to_owned(),
            limit.unwrap_or_default(),
            ratio.unwrap_or_default(),
        ]);
    }
    table
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The value below which a share of the sorted values lies.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
}
