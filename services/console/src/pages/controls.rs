//! Controls: month beside month, and one of them with its exceptions.

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::controls::{CATALOGUE, Control, ControlSettings, Item, Month, Period, Summary};
use domain::ids::StreamId;
use serde::Deserialize;

use super::answer::Page;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, address, asking};
use crate::controls::{Standing, Tested, drawn, month, outcomes, period, rule, standing};
use crate::state::Console;

/// Most months beside each other.
const MONTHS: usize = 6;
/// Most members of a population on a page.
const ROWS: usize = 200;
/// Members of a sample: most, and where nobody says how many.
const SAMPLE: u32 = 100;
const USUAL: u32 = 25;

/// What stands in the address of a control's page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    month: String,
    /// `exceptions`, `population` or `sample`.
    show: String,
    sample: String,
}

/// A control in a month.
struct Cell {
    month: String,
    link: String,
    says: Marked,
}

/// A control in the list.
struct Row {
    control: &'static Control,
    link: String,
    cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "controls.html")]
struct ControlsPage {
    shell: Shell,
    /// That the log is being read for the first time.
    reading: Option<String>,
    months: Vec<String>,
    newest: Vec<(Link, String)>,
    rows: Vec<Row>,
    measures: Vec<(&'static str, String)>,
}

/// A member of a population.
struct Member {
    at: String,
    subject: Option<Link>,
    text: String,
    position: Option<u64>,
    result: Marked,
}

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage {
    shell: Shell,
    control: &'static Control,
    month: String,
    /// What became of it; or that the log is being read for the first time.
    found: Result<Found, String>,
}

/// What became of a control.
struct Found {
    months: Vec<Link>,
    span: String,
    says: Marked,
    untested: String,
    population: usize,
    show: &'static str,
    sample: u32,
    drawn_by: String,
    members: Vec<Member>,
    more: usize,
    csv: String,
    position: u64,
}

/// What a cell says: what could not be tested is never green.
fn says(summary: &Summary) -> Marked {
    let tone = match summary.word() {
        "no exceptions" => "good",
        "exceptions" => "bad",
        "not tested" => "warn",
        _ => "",
    };
    let word = match summary.word() {
        "exceptions" => format!("{} of {}", summary.exceptions, summary.population),
        "no exceptions" => format!("none of {}", summary.population),
        word => word.to_owned(),
    };
    Marked::tuned(word, tone)
}

fn link(id: &str, month: Month) -> String {
    asking(&format!("/controls/{id}"), &[("month", &month.to_string())])
}

fn rows(months: &[Tested]) -> Vec<Row> {
    let row = |control: &'static Control| {
        let cell = |tested: &Tested| {
            let summary = tested.summaries.iter().find(|one| one.control == control.id)?;
            let (month, link) = (tested.month.to_string(), link(control.id, tested.month));
            Some(Cell { month, link, says: says(summary) })
        };
        let link = format!("/controls/{}", control.id);
        Row { control, link, cells: months.iter().filter_map(cell).collect() }
    };
    CATALOGUE.iter().map(row).collect()
}

/// The exceptions of the newest month, and what could not be tested in it.
fn newest(tested: &Tested) -> Vec<(Link, String)> {
    let one = |summary: &Summary| {
        let what = match (&summary.untested, summary.exceptions) {
            (Some(why), _) => format!("not tested: {why}"),
            (None, 0) => return None,
            (None, count) => format!("{count} of {}: {}", summary.population, summary.statement),
        };
        Some((Link::new(link(summary.control, tested.month), summary.control), what))
    };
    tested.summaries.iter().filter_map(one).collect()
}

fn measures(settings: &ControlSettings) -> Vec<(&'static str, String)> {
    vec![
        ("incidents acknowledged within", settings.acknowledge_within.to_string()),
        ("incidents resolved within", settings.resolve_within.to_string()),
        ("jobs paused for at most", settings.pause_at_most.to_string()),
        ("nights reviewed every", settings.review_every.to_string()),
        ("who may do what reviewed every", settings.access_review_every.to_string()),
        ("log silent for at most", settings.silence_at_most.to_string()),
    ]
}

fn list(console: &Console, shell: Shell, found: Result<&Standing, String>) -> ControlsPage {
    let months = found.as_ref().map_or(&[][..], |standing| &standing.months);
    let shown = months.get(..MONTHS.min(months.len())).unwrap_or_default();
    ControlsPage {
        shell,
        months: shown.iter().map(|tested| tested.month.to_string()).collect(),
        newest: shown.first().map(newest).unwrap_or_default(),
        rows: rows(shown),
        measures: measures(&console.controls.settings),
        reading: found.err(),
    }
}

/// All controls, month beside month.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Page {
    let shell = visitor.shell().cli("decklog control list\ndecklog control test");
    let page = match standing(&console).await {
        Ok(found) => {
            let shell = shell.as_of_then(&console, found.position, found.at);
            list(&console, shell, Ok(&found))
        }
        Err(problem) => list(&console, shell, Err(problem.detail)),
    };
    visitor.page(&page)
}

fn member(item: &Item) -> Member {
    let id = item.subject.split(' ').next().and_then(|word| word.parse::<StreamId>().ok());
    let tone = if item.exception.is_some() { "bad" } else { "" };
    Member {
        at: when(item.at),
        subject: id.map(|id| Link::new(address(&id), item.subject.clone())),
        text: item.subject.clone(),
        position: item.position,
        result: Marked::tuned(item.result(), tone),
    }
}

/// Which members are shown.
enum Choice {
    Exceptions,
    Population,
    Sample(u32),
}

impl Asked {
    fn choice(&self) -> Choice {
        match self.show.as_str() {
            "population" => Choice::Population,
            "sample" => Choice::Sample(self.sample.parse().unwrap_or(USUAL).clamp(1, SAMPLE)),
            _ => Choice::Exceptions,
        }
    }
}

fn commands(control: &Control, month: Month, choice: &Choice) -> String {
    let (first, last) = month.days();
    let base = format!("decklog control test {} --from {first} --until {last}", control.id);
    let more = match choice {
        Choice::Exceptions => String::new(),
        Choice::Population => " --population".to_owned(),
        Choice::Sample(count) => format!(" --sample {count}"),
    };
    format!("decklog control show {}\n{base}{more}", control.id)
}

async fn found(
    console: &Console,
    standing: &Standing,
    (control, month): (&Control, Month),
    choice: &Choice,
) -> Result<Found, Page> {
    let known = outcomes(console, month).await?;
    let outcome = known.of(control)?;
    let (show, sample, drawn_by, items) = match choice {
        Choice::Exceptions => {
            ("exceptions", USUAL, String::new(), outcome.exceptions().cloned().collect())
        }
        Choice::Population => ("population", USUAL, String::new(), outcome.population.clone()),
        Choice::Sample(count) => {
            let (root, items) = drawn(console, outcome, *count).await?;
            ("sample", *count, root.to_string(), items)
        }
    };
    let Period { from, until } = period(month)?;
    let months = standing.months.iter().map(|tested| tested.month);
    let csv = format!("/api/v1/controls/{}/population.csv", control.id);
    Ok(Found {
        months: months.map(|one| Link::new(link(control.id, one), one.to_string())).collect(),
        span: format!("from {} until {}", when(from), when(until)),
        says: says(&Summary::of(outcome)),
        untested: outcome.untested.clone().unwrap_or_default(),
        population: outcome.population.len(),
        show,
        sample,
        drawn_by,
        members: items.iter().take(ROWS).map(member).collect(),
        more: items.len().saturating_sub(ROWS),
        csv: asking(&csv, &[("month", &month.to_string())]),
        position: known.position,
    })
}

/// One control in a month.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    let (control, wanted) = (rule(&id)?, month(&asked.month, visitor.now)?);
    let (month, choice) = (wanted.to_string(), asked.choice());
    let shell = visitor.shell().cli(commands(control, wanted, &choice));
    let page = match standing(&console).await {
        Ok(standing) => {
            let found = found(&console, &standing, (control, wanted), &choice).await?;
            let shell = shell.as_of_then(&console, found.position, standing.at);
            ControlPage { shell, control, month, found: Ok(found) }
        }
        Err(problem) => ControlPage { shell, control, month, found: Err(problem.detail) },
    };
    Ok(visitor.page(&page))
}
