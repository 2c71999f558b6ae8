//! Controls: month beside month, and one of them with its exceptions.

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::controls::{
    CATALOGUE, Control, ControlSettings, Disposed, Item, Month, Period, Summary, stream_of,
};
use domain::event::ControlDisposition;
use domain::people::Action;
use serde::Deserialize;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::shell::{Shell, Visitor};
use super::words::{Link, Marked, address, asking};
use super::{broken, no_such, when};
use crate::commands::{CommandError, DisposeWanted, SignControl};
use crate::controls::{Standing, Tested, Used, drawn, month, outcomes, period, rule, standing};
use crate::state::Console;

/// Most months beside each other.
const MONTHS: usize = 6;
/// Most members of a population on a page.
const ROWS: usize = 150;
/// Digits of an exception's name in an address.
const DIGITS: usize = 16;
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
    /// The exception of which somebody is about to say what became of it.
    exception: String,
}

/// A control in a month.
struct Cell {
    month: String,
    link: String,
    says: Marked,
    /// Exceptions of which nobody has said what became of them, in words.
    open: String,
    reviewed: Vec<String>,
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
    /// Which these are, in words, and whether they are as was agreed.
    measures_are: Option<Marked>,
    measures_event: Option<u64>,
}

/// A member of a population.
struct Member {
    at: String,
    subject: Option<Link>,
    text: String,
    position: Option<u64>,
    result: Marked,
    /// Of an exception, its name, and where one says what became of it.
    exception: String,
    say: String,
    disposed: Option<Said>,
}

/// What somebody said of an exception.
struct Said {
    word: &'static str,
    text: String,
    evidence: String,
    by: String,
    at: String,
    position: u64,
    /// What was wrong with it then, where that reads otherwise now.
    then: String,
}

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage {
    shell: Shell,
    control: &'static Control,
    month: String,
    /// What became of it; or that the log is being read for the first time.
    found: Result<Found, String>,
    problem: Option<String>,
    may_say: bool,
    word: String,
    dispositions: [&'static str; 3],
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
    /// The exception that a form is shown for.
    asked: Option<Member>,
    more: usize,
    csv: String,
    position: u64,
    exceptions: usize,
    open: usize,
    shown: String,
    reviewed: Vec<String>,
    measures: Marked,
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

/// Of how many exceptions nobody has said what became of them; empty where there are no exceptions.
fn open(summary: &Summary) -> String {
    match (summary.exceptions, summary.open) {
        (0, _) => String::new(),
        (_, 0) => "each with a disposition".to_owned(),
        (_, open) => format!("{open} without disposition"),
    }
}

fn reviewed(one: &domain::controls::Reviewed) -> String {
    let what = &one.what;
    let name = one.by.trim_start_matches("user/");
    format!(
        "reviewed by {name} at {}, to position {}: {} exceptions, {} without disposition",
        when(one.at),
        what.position,
        what.exceptions,
        what.open
    )
}

fn link(id: &str, month: Month) -> String {
    asking(&format!("/controls/{id}"), &[("month", &month.to_string())])
}

fn rows(months: &[Tested]) -> Vec<Row> {
    let row = |control: &'static Control| {
        let cell = |tested: &Tested| {
            let summary = tested.summaries.iter().find(|one| one.control == control.id)?;
            let (month, link) = (tested.month.to_string(), link(control.id, tested.month));
            let reviewed = summary.reviewed.iter().map(reviewed).collect();
            Some(Cell { month, link, says: says(summary), open: open(summary), reviewed })
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
            (None, count) => format!(
                "{count} of {}, {} without disposition: {}",
                summary.population, summary.open, summary.statement
            ),
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

/// Which measures a month is tested by.
fn measures_are(used: &Used) -> Marked {
    let tone = if used.as_agreed { "" } else { "warn" };
    Marked::tuned(used.says.clone(), tone)
}

fn list(shell: Shell, found: Result<&Standing, String>) -> ControlsPage {
    let months = found.as_ref().map_or(&[][..], |standing| &standing.months);
    let shown = months.get(..MONTHS.min(months.len())).unwrap_or_default();
    ControlsPage {
        shell,
        months: shown.iter().map(|tested| tested.month.to_string()).collect(),
        newest: shown.first().map(newest).unwrap_or_default(),
        rows: rows(shown),
        measures: shown.first().map(|one| measures(&one.used.settings)).unwrap_or_default(),
        measures_are: shown.first().map(|one| measures_are(&one.used)),
        measures_event: shown
            .first()
            .and_then(|one| one.used.approved.as_ref())
            .map(|one| one.position),
        reading: found.err(),
    }
}

/// All controls, month beside month.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Page {
    let shell = visitor.shell().cli("decklog control list\ndecklog control test");
    let page = match standing(&console).await {
        Ok(found) => {
            let shell = shell.as_of_then(&console, found.position, found.at);
            list(shell, Ok(&found))
        }
        Err(problem) => list(shell, Err(problem.detail)),
    };
    visitor.page(&page)
}

fn said(item: &Item, disposed: &Disposed) -> Said {
    let now = item.result();
    let then = if disposed.says == now { String::new() } else { disposed.says.clone() };
    Said {
        word: disposed.disposition.word(),
        text: disposed.text.clone(),
        evidence: disposed.evidence.clone().unwrap_or_default(),
        by: disposed.by.trim_start_matches("user/").to_owned(),
        at: when(disposed.at),
        position: disposed.position,
        then,
    }
}

fn member(control: &Control, month: Month, item: &Item) -> Member {
    let id = stream_of(&item.subject);
    let exception = item.exception.is_some().then(|| item.id(control.id).to_string());
    let say = exception.as_deref().map(|id| {
        let digits = id.get(..DIGITS).unwrap_or_default();
        let asked = [("month", month.to_string()), ("exception", digits.to_owned())];
        let asked = asked.each_ref().map(|(name, value)| (*name, value.as_str()));
        asking(&format!("/controls/{}", control.id), &asked) + "#say"
    });
    let tone = if item.exception.is_some() { "bad" } else { "" };
    Member {
        at: when(item.at),
        subject: id.map(|id| Link::new(address(&id), item.subject.clone())),
        text: item.subject.clone(),
        position: item.position,
        result: Marked::tuned(item.result(), tone),
        exception: exception.unwrap_or_default(),
        say: say.unwrap_or_default(),
        disposed: item.disposed.as_deref().map(|disposed| said(item, disposed)),
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
    let say = format!(
        "decklog control dispose {} EXCEPTION --month {month} --as accepted --text …",
        control.id
    );
    format!("decklog control show {}\n{base}{more}\n{say}", control.id)
}

async fn found(
    console: &Console,
    standing: &Standing,
    (control, month): (&Control, Month),
    (choice, exception): (&Choice, &str),
) -> Result<Found, Page> {
    let known = outcomes(console, month).await?;
    let outcome = known.of(control)?;
    let named = |item: &&Item| item.id(control.id).to_string().starts_with(exception);
    let asked = outcome.exceptions().find(|item| !exception.is_empty() && named(item));
    let asked = asked.map(|item| member(control, month, item));
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
        members: items.iter().take(ROWS).map(|item| member(control, month, item)).collect(),
        asked,
        more: items.len().saturating_sub(ROWS),
        csv: asking(&csv, &[("month", &month.to_string())]),
        position: known.position,
        exceptions: outcome.exceptions().count(),
        open: outcome.open(),
        shown: outcome.shown().map_err(|error| broken(&error))?.to_string(),
        reviewed: outcome.reviewed.iter().map(reviewed).collect(),
        measures: measures_are(&known.used),
    })
}

/// One control in a month, as a visitor sees it.
async fn control(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    asked: &Asked,
) -> Result<ControlPage, Page> {
    let (control, wanted) = (rule(id)?, month(&asked.month, visitor.now)?);
    let choice = asked.choice();
    let shell = visitor.shell().cli(commands(control, wanted, &choice));
    let (shell, found) = match standing(console).await {
        Ok(standing) => {
            let about = (&choice, asked.exception.as_str());
            let found = found(console, &standing, (control, wanted), about).await?;
            (shell.as_of_then(console, found.position, standing.at), Ok(found))
        }
        Err(problem) => (shell, Err(problem.detail)),
    };
    Ok(ControlPage {
        shell,
        control,
        month: wanted.to_string(),
        found,
        problem: None,
        may_say: visitor.could(Action::SignReviews),
        word: visitor.word(),
        dispositions: ControlDisposition::ALL.map(ControlDisposition::word),
    })
}

/// One control in a month.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&control(&console, &visitor, &id, &asked).await?))
}

/// Somebody says what became of an exception, or signs that they looked.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let (rule, fields, caller) = (rule(&id)?, &sent.fields, &sent.visitor.caller);
    let done = match fields.get("act").unwrap_or_default() {
        "dispose" => match disposed(fields) {
            Ok(wanted) => console.dispose_exception(rule, &wanted, caller).await,
            Err(problem) => Err(CommandError::Invalid(problem)),
        },
        "review" => console.review_control(rule, &signed(fields), caller).await,
        other => Err(no_such(other, "control")),
    };
    let (month, exception) = (fields.text("month"), fields.text("exception"));
    let to = asking(&format!("/controls/{}", rule.id), &[("month", &month)]);
    let asked = Asked { month, exception, ..Asked::default() };
    let page = control(&console, &sent.visitor, rule.id, &asked);
    let with = |page, problem| ControlPage { problem, ..page };
    sent.visitor.became(done, |_| to, page, with).await
}

fn disposed(fields: &Fields) -> Result<DisposeWanted, String> {
    let word = fields.must("disposition")?;
    let disposition = ControlDisposition::from_word(word)
        .ok_or_else(|| format!("{word:?} is nothing that becomes of an exception"))?;
    Ok(DisposeWanted {
        month: fields.text("month"),
        exception: fields.must("exception")?.to_owned(),
        disposition,
        text: fields.text("text"),
        evidence: fields.get("evidence").map(str::to_owned),
    })
}

fn signed(fields: &Fields) -> SignControl {
    SignControl {
        month: fields.text("month"),
        shown: fields.text("shown"),
        statement: fields.text("statement"),
    }
}
