//! What a timeline reads: what ran, and what will.

use std::collections::{BTreeMap, BTreeSet};

use bus::recorder::runs_each;
use domain::forecast::{Planned, SiteView, forecast, of_job};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition};
use domain::time::just_before;
use domain::wire::{RunFilter, RunRow, Selection};
use jiff::{SignedDuration, Timestamp};

use super::Asked;
use super::bars::Piece;
use super::chart::{Darkness, Lane, has_room};
use super::view::View;
use crate::pages::answer::Page;
use crate::pages::jobs::{after_name, definition_of};
use crate::pages::reading;
use crate::pages::words::Link;
use crate::state::Console;

/// How long before the view a run may have been due that still went on in it.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// Most runs and most occurrences of a job.
const RUNS_OF_JOB: usize = 500;
const AHEAD_OF_JOB: usize = 2_000;
/// Jobs read at once, and most that are looked at for a page.
const AT_ONCE: u32 = 100;
const LOOKED_AT: usize = 1_000;
/// Most runs and most occurrences, where lanes are hosts.
const RUNS_OF_HOSTS: usize = 1_999;
const AHEAD_OF_HOSTS: usize = 2_000;

/// What a page shows.
pub(crate) struct Found {
    pub(crate) lanes: Vec<Lane>,
    /// The name of the lane behind which there may be more.
    pub(crate) more: Option<String>,
    /// What is left out, in sentences.
    pub(crate) notes: Vec<String>,
}

fn runs_of(view: &View, job: Option<&str>, limit: usize) -> RunFilter {
    RunFilter {
        job: job.map(str::to_owned),
        since: view.from.checked_sub(LOOK_BACK).ok(),
        until: Some(view.to),
        limit: u32::try_from(limit + 1).unwrap_or(u32::MAX),
        ..RunFilter::default()
    }
}

/// The time ahead that is in the view: after the first, up to and with the second.
fn ahead(view: &View) -> (Timestamp, Timestamp) {
    (just_before(view.from.max(view.now)), just_before(view.to))
}

/// The first of a list, and a sentence about those that are not.
fn cut<T>(mut all: Vec<T>, most: usize, says: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = all.len() > most;
    all.truncate(most);
    let note = all.last().filter(|_| more).map(says);
    (all, note)
}

/// The occurrences of a job that lie ahead, and a sentence about those that are left out.
fn ahead_of_job(job: &Job, view: &View, site: &SiteView) -> (Vec<Piece>, Option<String>) {
    let name = &job.name;
    if view.to <= view.now {
        return (Vec::new(), None);
    }
    let planned = match of_job(job, ahead(view), AHEAD_OF_JOB + 1, site) {
        Ok(planned) => planned.into_iter().map(|(_, one)| one).collect(),
        Err(problem) => return (Vec::new(), Some(format!("{name} cannot be planned: {problem}."))),
    };
    let (planned, more) = cut(planned, AHEAD_OF_JOB, |one: &Planned| {
        format!("{name}: occurrences after {} are left out.", view.told(one.at))
    });
    (planned.iter().filter_map(|one| Piece::of_planned(one, view)).collect(), more)
}

/// The lane of a job; none where it has nothing in the view.
fn lane_of_job(
    job: &Job,
    rows: Vec<RunRow>,
    (view, site, dark): (&View, &SiteView, &Darkness),
) -> Option<Lane> {
    let name = &job.name;
    let older = |row: &RunRow| {
        format!("{name}: runs that were due before {} are left out.", view.told(row.instant))
    };
    let (rows, older) = cut(rows, RUNS_OF_JOB, older);
    let mut pieces: Vec<Piece> = rows.iter().filter_map(|row| Piece::of_run(row, view)).collect();
    let mut notes: Vec<String> = older.into_iter().collect();
    let (planned, left_out) = ahead_of_job(job, view, site);
    pieces.extend(planned);
    notes.extend(left_out);
    if pieces.is_empty() && notes.is_empty() {
        return None;
    }
    let shades = definition_of(job).map(|definition| dark.of_job(&definition)).unwrap_or_default();
    Some(Lane { notes, shades, ..Lane::of_job(name, pieces, view) })
}

/// Jobs in the order of their names, as many as fit on a page.
pub(crate) async fn by_job(
    console: &Console,
    asked: &Asked,
    scene: (&View, &SiteView, &Darkness),
) -> Result<Found, Page> {
    let mut found = Found { lanes: Vec::new(), more: None, notes: Vec::new() };
    let (mut after, mut looked) = (after_name(&asked.after), 0);
    loop {
        let (_, views) = reading::some(console, Selection::Jobs, &after, AT_ONCE).await?;
        let Some(last) = views.last() else { return Ok(found) };
        after = last.id.to_string();
        let fits = |job: &Job| job.name.contains(asked.name.trim());
        let jobs: Vec<Job> = reading::only_jobs(views).filter(fits).collect();
        looked += jobs.len();
        let filters = jobs.iter().map(|job| runs_of(scene.0, Some(&job.name), RUNS_OF_JOB));
        let rows = runs_each(&console.bus, filters).await?;
        for (job, rows) in jobs.iter().zip(rows) {
            let Some(lane) = lane_of_job(job, rows, scene) else { continue };
            if !has_room(&found.lanes, lane.bars.len()) {
                found.more = found.lanes.last().map(|last| last.key.clone());
                return Ok(found);
            }
            found.lanes.push(lane);
        }
        if looked >= LOOKED_AT {
            found.notes.push(format!("{looked} jobs were looked at; those behind them were not."));
            found.more = jobs.last().map(|last| last.name.clone());
            return Ok(found);
        }
    }
}

/// What a lane is, where lanes are hosts: hosts first, then pools, then nothing in particular.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Host(String),
    Pool(String),
    Nowhere,
}

impl Place {
    /// By what lanes are ordered: as the places are.
    fn key(&self) -> String {
        match self {
            Self::Host(name) => format!("1-{name}"),
            Self::Pool(name) => format!("2-{name}"),
            Self::Nowhere => "3".to_owned(),
        }
    }

    fn link(&self) -> Link {
        match self {
            Self::Host(name) => Link::to(&StreamId::host(name)),
            Self::Pool(name) => Link::new("/hosts", format!("pool {name}, on any of its hosts")),
            Self::Nowhere => Link::new("/runs", "on no host"),
        }
    }
}

type Places = BTreeMap<Place, Vec<Piece>>;

fn place_rows(rows: &[RunRow], view: &View, places: &mut Places) {
    for row in rows {
        let host = row.host.clone().map(Place::Host);
        if let Some(piece) = Piece::of_run(row, view) {
            places.entry(host.unwrap_or(Place::Nowhere)).or_default().push(piece);
        }
    }
}

/// Where occurrences of jobs of one host are to run; those of others may be anywhere in their pool.
fn hosts_of(jobs: &[Job], wanted: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let planned = jobs.iter().filter(|job| wanted.contains(job.name.as_str()));
    let host = |job: &Job| Some((job.name.clone(), definition_of(job)?.host?));
    planned.filter_map(host).collect()
}

fn place_ahead(jobs: &[Job], name: &str, view: &View, site: &SiteView) -> (Places, Vec<String>) {
    let (mut places, mut notes) = (Places::new(), Vec::new());
    let (from, to) = (view.from.max(view.now), view.to);
    if from >= to {
        return (places, notes);
    }
    let wanted = |definition: &JobDefinition| definition.name.contains(name.trim());
    let found = forecast(jobs, wanted, (from, to), AHEAD_OF_HOSTS, site);
    let planned: BTreeSet<&str> = found.planned.iter().map(|one| one.job.as_str()).collect();
    let hosts = hosts_of(jobs, &planned);
    for one in &found.planned {
        let host = hosts.get(&one.job).cloned().map(Place::Host);
        let place = host.unwrap_or_else(|| Place::Pool(one.pool.clone()));
        if let Some(piece) = Piece::of_planned(one, view) {
            places.entry(place).or_default().push(piece);
        }
    }
    let named = found.planned.len() as u64;
    let more = (found.runs + found.skipped).saturating_sub(named);
    if let Some(last) = found.planned.last().filter(|_| more > 0) {
        notes.push(format!("{more} occurrences after {} are left out.", view.told(last.at)));
    }
    notes.extend(found.problems.into_iter().map(|problem| format!("Not planned: {problem}.")));
    (places, notes)
}

/// Hosts and pools in the order of their names, as many as fit on a page.
pub(crate) async fn by_host(
    console: &Console,
    asked: &Asked,
    (view, site, dark): (&View, SiteView, &Darkness),
) -> Result<Found, Page> {
    let (_, rows) = reading::runs(console, runs_of(view, None, RUNS_OF_HOSTS)).await?;
    let (rows, older) = cut(rows, RUNS_OF_HOSTS, |row: &RunRow| {
        format!("Runs that were due before {} are left out.", view.told(row.instant))
    });
    let jobs = reading::all_jobs(console).await?;
    let (shown, name) = (view.clone(), asked.name.clone());
    // Planning all jobs takes long: not on a thread that answers others.
    let planned = move || place_ahead(&jobs, &name, &shown, &site);
    let (mut places, mut notes) =
        tokio::task::spawn_blocking(planned).await.map_err(|error| crate::pages::broken(&error))?;
    let fitting = rows.into_iter().filter(|row| row.job.contains(asked.name.trim()));
    place_rows(&fitting.collect::<Vec<_>>(), view, &mut places);
    notes.extend(older);
    let (lanes, more) = laid(places, &asked.after, view, dark);
    Ok(Found { lanes, more, notes })
}

fn laid(places: Places, after: &str, view: &View, dark: &Darkness) -> (Vec<Lane>, Option<String>) {
    let mut lanes: Vec<Lane> = Vec::new();
    for (place, pieces) in places.into_iter().filter(|(place, _)| place.key().as_str() > after) {
        let shades = match &place {
            Place::Pool(pool) => dark.of_pool(pool),
            Place::Host(_) | Place::Nowhere => Vec::new(),
        };
        let lane = Lane { shades, ..Lane::of(place.key(), place.link(), pieces, view) };
        if !has_room(&lanes, lane.bars.len()) {
            let last = lanes.last().map(|last| last.key.clone());
            return (lanes, last);
        }
        lanes.push(lane);
    }
    (lanes, None)
}
