//! The timeline: what ran and what will, drawn and as a table.
//!
//! | module | about |
//! |---|---|
//! | `view` | which time is shown, and where an instant is on it |
//! | `bars` | what a run or an occurrence looks like, and which are drawn as one |
//! | `chart` | lanes in their places, blackouts behind them |
//! | `gather` | what is read for it |

mod bars;
mod chart;
mod gather;
mod view;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use domain::wire::RunFilter;
use jiff::Timestamp;
use serde::Deserialize;

use super::answer::Page;
use super::reading;
use super::shell::{Shell, Visitor};
use super::words::{Choice, choices};
use crate::state::Console;
use chart::{BAR, BARS, Dark, Darkness, Drawn, LANE, LANES, SCALE, Shade, placed};
use gather::Found;
use view::{By, ClockChange, Tick, View, WIDTH};

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    at: String,
    hours: String,
    by: String,
    zone: String,
    name: String,
    after: String,
}

/// What is drawn.
#[derive(Default)]
struct Chart {
    lanes: Vec<Drawn>,
    bars: usize,
    height: i64,
    now: Option<i64>,
    ticks: Vec<Tick>,
    changes: Vec<ClockChange>,
    shades: Vec<Shade>,
    blackouts: Vec<Dark>,
    more_blackouts: usize,
    notes: Vec<String>,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePage {
    shell: Shell,
    asked: Asked,
    by: Vec<Choice>,
    /// What a lane is, in a word.
    lane: &'static str,
    span: String,
    zone: String,
    chart: Chart,
    earlier: Option<String>,
    present: Option<String>,
    later: Option<String>,
    next: Option<String>,
    problem: Option<String>,
}

impl TimelinePage {
    fn refused(visitor: &Visitor, asked: Asked, problem: String) -> Self {
        Self {
            shell: visitor.shell(),
            by: choices(&By::WORDS, &asked.by),
            asked,
            lane: By::Job.word(),
            span: String::new(),
            zone: String::new(),
            chart: Chart::default(),
            earlier: None,
            present: None,
            later: None,
            next: None,
            problem: Some(problem),
        }
    }
}

fn chart(found: Vec<chart::Lane>, notes: Vec<String>, view: &View, dark: Darkness) -> Chart {
    let shades = dark.of_site();
    let lane_notes = found.iter().flat_map(|lane| lane.notes.iter().cloned());
    let notes = notes.into_iter().chain(lane_notes).collect();
    let bars = found.iter().map(|lane| lane.bars.len()).sum();
    let (lanes, height) = placed(found);
    Chart {
        lanes,
        bars,
        height,
        now: view.now_x(),
        ticks: view.ticks(),
        changes: view.clock_changes(),
        shades,
        blackouts: dark.told,
        more_blackouts: dark.more,
        notes,
    }
}

/// Commands that show the same.
fn cli(view: &View) -> String {
    let mut commands = Vec::new();
    if view.from < view.now {
        commands.push(format!("decklog runs --since {}", typed(view.from)));
    }
    if view.now < view.to {
        let (from, to) = (typed(view.from.max(view.now)), typed(view.to));
        commands.push(format!("decklog calendar --from {from} --to {to}"));
    }
    commands.join("\n")
}

/// An instant as it is typed.
fn typed(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Whether anything ran before the view.
async fn has_past(console: &Console, view: &View) -> Result<(u64, bool), Page> {
    let filter = RunFilter { until: Some(view.from), limit: 1, ..RunFilter::default() };
    let (position, rows) = reading::runs(console, filter).await?;
    Ok((position, !rows.is_empty()))
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    asked: Asked,
    view: &View,
) -> Result<TimelinePage, Page> {
    let (position, has_past) = has_past(console, view).await?;
    let (_, site) = reading::site(console).await?;
    let dark = Darkness::of(&site, view);
    let Found { lanes, more, notes } = match view.by {
        By::Job => gather::by_job(console, &asked, (view, &site, &dark)).await?,
        By::Host => gather::by_host(console, &asked, (view, site, &dark)).await?,
    };
    Ok(TimelinePage {
        shell: visitor.shell().as_of(console, position).cli(cli(view)),
        by: choices(&By::WORDS, view.by.word()),
        lane: view.by.word(),
        span: format!("{} to {}", view.told(view.from), view.told(view.to)),
        zone: view.zone_name(),
        chart: chart(lanes, notes, view, dark),
        earlier: view.earlier(&asked).filter(|_| has_past),
        present: view.present(&asked),
        later: view.later(&asked),
        next: more.map(|after| view.behind(&asked, &after)),
        asked,
        problem: None,
    })
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    match View::of(&asked, visitor.now) {
        Ok(view) => Ok(visitor.page(&shown(&console, &visitor, asked, &view).await?)),
        Err(problem) => {
            let page = TimelinePage::refused(&visitor, asked, problem);
            Ok(visitor.page(&page).with_status(StatusCode::BAD_REQUEST))
        }
    }
}
