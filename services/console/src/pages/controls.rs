//! Controls: month beside month, and one of them with its exceptions.

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::controls::{CATALOGUE, Control, ControlSettings, Item, Month, Outcome, Summary};
use domain::ids::StreamId;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::answer::Page;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, address, asking};
use crate::controls::{Standing, Tested, drawn, month, outcomes, rule, standing};
use crate::state::Console;

/// Most months beside each other.
const MONTHS: usize = 6;
/// Most members of a population on a page.
const ROWS: usize = 200;
/// Most members of a sample.
const SAMPLE: u32 = 100;

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
    /// That the log is being read for the first time.
    reading: Option<String>,
    month: String,
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
            "sample" => Choice::Sample(self.sample.parse().unwrap_or(25).clamp(1, SAMPLE)),
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

/// The page of a control whose outcome is not known yet.
fn unknown(visitor: &Visitor, control: &'static Control, month: Month, why: String) -> ControlPage {
    ControlPage {
        shell: visitor.shell().cli(format!("decklog control show {}", control.id)),
        control,
        reading: Some(why),
        month: month.to_string(),
        months: Vec::new(),
        span: String::new(),
        says: Marked::tuned("", ""),
        untested: String::new(),
        population: 0,
        show: "exceptions",
        sample: 25,
        drawn_by: String::new(),
        members: Vec::new(),
        more: 0,
        csv: String::new(),
        position: 0,
    }
}

async fn filled(
    console: &Console,
    page: ControlPage,
    outcome: &Outcome,
    choice: &Choice,
) -> Result<ControlPage, Page> {
    let (show, sample, drawn_by, items) = match choice {
        Choice::Exceptions => {
            ("exceptions", 25, String::new(), outcome.exceptions().cloned().collect())
        }
        Choice::Population => ("population", 25, String::new(), outcome.population.clone()),
        Choice::Sample(count) => {
            let (root, items) = drawn(console, &outcome.population, *count).await?;
            ("sample", *count, root.to_string(), items)
        }
    };
    Ok(ControlPage {
        says: says(&Summary::of(outcome)),
        untested: outcome.untested.clone().unwrap_or_default(),
        population: outcome.population.len(),
        members: items.iter().take(ROWS).map(member).collect(),
        more: items.len().saturating_sub(ROWS),
        show,
        sample,
        drawn_by,
        ..page
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
    let found = match standing(&console).await {
        Ok(found) => found,
        Err(problem) => {
            return Ok(visitor.page(&unknown(&visitor, control, wanted, problem.detail)));
        }
    };
    let (position, all) = outcomes(&console, wanted).await?;
    let outcome = all.iter().find(|outcome| outcome.control == control.id);
    let Some(outcome) = outcome else {
        return Err(super::broken(&"the control was not tested"));
    };
    let choice = asked.choice();
    let page = unknown(&visitor, control, wanted, String::new());
    let (from, until) = wanted
        .period(&TimeZone::system())
        .map(|period| (when(period.from), when(period.until)))
        .unwrap_or_default();
    let months = found.months.iter().map(|tested| tested.month);
    let page = ControlPage {
        shell: visitor
            .shell()
            .as_of_then(&console, position, found.at)
            .cli(commands(control, wanted, &choice)),
        reading: None,
        months: months.map(|one| Link::new(link(control.id, one), one.to_string())).collect(),
        span: format!("from {from} until {until}"),
        csv: asking(
            &format!("/api/v1/controls/{}/population.csv", control.id),
            &[("month", &wanted.to_string())],
        ),
        position,
        ..page
    };
    Ok(visitor.page(&filled(&console, page, outcome, &choice).await?))
}
