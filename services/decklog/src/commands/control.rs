//! `decklog control …`: the rules that an auditor tests, over everything that happened.

use anyhow::Context as _;
use console::Applied;
use domain::canonical::Digest;
use domain::controls::{CATALOGUE, Control as Rule, Item, ItemTold, Outcome, Summary};
use domain::event::ControlDisposition;
use domain::wire::{Content, Query};
use evidence::{Depth, Examined, Head, Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::evidence::request;
use super::with_log;
use crate::cli::{Became, Control, DisposeException, Format, ReviewControl, TestControls};
use crate::output::Table;
use crate::source::Source;
use crate::{exit, output};

/// Most members of a population that are printed as a table.
const ROWS: usize = 1_000;

pub(crate) fn run(wanted: &Control, format: Format) -> anyhow::Result<()> {
    match wanted {
        Control::List => list(format),
        Control::Show { id } => show(id, format),
        Control::Test(wanted) => test(wanted, format),
        Control::Dispose(wanted) => dispose(wanted, format),
        Control::Review(wanted) => review(wanted, format),
    }
}

fn list(format: Format) -> anyhow::Result<()> {
    output::list(format, CATALOGUE, |all| {
        let mut table = Table::new(["CONTROL", "STATEMENT", "ANSWERS"]);
        for one in all {
            table.row([one.id.to_owned(), one.statement.to_owned(), one.citations.join(", ")]);
        }
        table
    })
}

fn rule(id: &str) -> anyhow::Result<&'static Rule> {
    Rule::named(id).map_err(exit::not_found)
}

fn show(id: &str, format: Format) -> anyhow::Result<()> {
    output::one(format, rule(id)?, |one| {
        format!(
            "{}\nstatement    {}\npopulation   {}\nexception    {}\nanswers      {}\nshown by     {}\n",
            one.id,
            one.statement,
            one.population,
            one.exception,
            one.citations.join(", "),
            one.evidence.join(", ")
        )
    })
}

/// What was tested.
#[derive(Debug, Serialize)]
struct Tested {
    from: Timestamp,
    until: Timestamp,
    /// Up to which position of the log.
    position: u64,
    /// By which measures, in words.
    measures: String,
    controls: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one: Option<One>,
}

/// One control.
#[derive(Debug, Serialize)]
struct One {
    control: &'static Rule,
    /// The root by which a sample was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn_by: Option<Digest>,
    items: Vec<ItemTold>,
}

fn test(wanted: &TestControls, format: Format) -> anyhow::Result<()> {
    let one = wanted.id.as_deref().map(rule).transpose()?;
    let source = Source::open(&wanted.place)?;
    let Content::Head(head) = source.ask(&Query::Head)?.content else {
        anyhow::bail!("the answer is to another question");
    };
    let request = request(&wanted.about, &source, head.size)?;
    let (from, until) = (request.from, request.until);
    let log = examine(&source, &request, head.size)?;
    let outcomes = log.controls;
    let measures = log.agreed.map(|agreed| agreed.says_of(&request.controls));
    let signed = head.signed.and_then(|note| Head::read(note.as_bytes()).ok());
    let root = signed.map(|head| Digest(head.says.root().0));
    let shown = one.map(|one| chosen(wanted, one, &outcomes, root)).transpose()?;
    let controls = outcomes.iter().filter(|o| one.is_none_or(|one| one.id == o.control));
    let tested = Tested {
        from,
        until,
        position: head.size,
        measures: measures.unwrap_or_default(),
        controls: controls.map(Summary::of).collect(),
        one: shown,
    };
    output::one(format, &tested, text)?;
    let clean = tested.controls.iter().all(|one| one.exceptions == 0);
    if clean { Ok(()) } else { Err(exit::unclean("")) }
}

fn examine(source: &Source, request: &Request, size: u64) -> anyhow::Result<Examined> {
    let mut examiner = request.examiner(Depth::Tip);
    source.leaves(size, |_, bytes| {
        examiner.take(&bytes);
        Ok(())
    })?;
    let read = examiner.size();
    anyhow::ensure!(read == size, "the log has {read} of its {size} events");
    Ok(examiner.finish([]))
}

/// The exceptions of a control, its whole population, or a sample of it.
fn chosen(
    wanted: &TestControls,
    rule: &'static Rule,
    outcomes: &[Outcome],
    root: Option<Digest>,
) -> anyhow::Result<One> {
    let outcome = outcomes.iter().find(|outcome| outcome.control == rule.id);
    let outcome = outcome.context("the control was not tested")?;
    let Some(count) = wanted.sample else {
        let keep = |item: &&Item| wanted.population || item.exception.is_some();
        let items = outcome.told(outcome.population.iter().filter(keep).cloned().collect());
        return Ok(One { control: rule, drawn_by: None, items });
    };
    let none = "a sample is drawn by the root of a signed head, and none was signed yet";
    let root = root.ok_or_else(|| exit::unclean(none))?;
    let drawn = outcome.drawn(&root, u32::try_from(count).unwrap_or(u32::MAX));
    let items = outcome.told(drawn);
    Ok(One { control: rule, drawn_by: Some(root), items })
}

fn text(tested: &Tested) -> String {
    let head = format!(
        "from {} until {}, of a log of {} events, by measures that are {}\n",
        tested.from, tested.until, tested.position, tested.measures
    );
    let mut text = head + &table(&tested.controls);
    let Some(one) = &tested.one else { return text };
    if let Some(root) = &one.drawn_by {
        text.push_str(&format!("\n{} drawn by the root {root}\n", one.items.len()));
    }
    if !one.items.is_empty() {
        text.push('\n');
        text.push_str(&items(&one.items));
    }
    text
}

/// Controls, one a line.
pub(super) fn table(controls: &[Summary]) -> String {
    let mut table = Table::new(["CONTROL", "RESULT", "TESTED", "EXCEPTIONS", "OPEN", "STATEMENT"]);
    for one in controls {
        table.row([
            one.control.to_owned(),
            one.word().to_owned(),
            one.population.to_string(),
            one.exceptions.to_string(),
            one.open.to_string(),
            one.untested.clone().unwrap_or_else(|| one.statement.to_owned()),
        ]);
    }
    table.text()
}

fn items(items: &[ItemTold]) -> String {
    let mut table = Table::new(["TIME", "SUBJECT", "EVENT", "EXCEPTION", "BECAME", "RESULT"]);
    for ItemTold { id, item } in items.iter().take(ROWS) {
        let became = match (&item.disposed, id) {
            (Some(disposed), _) => disposed.disposition.word(),
            (None, Some(_)) => "open",
            (None, None) => "",
        };
        table.row([
            item.at.to_string(),
            item.subject.clone(),
            item.position.map(|at| at.to_string()).unwrap_or_default(),
            id.map(|id| id.short()).unwrap_or_default(),
            became.to_owned(),
            item.result().to_owned(),
        ]);
    }
    let more = items.len().saturating_sub(ROWS);
    let more = if more == 0 { String::new() } else { format!("and {more} more: -o jsonl\n") };
    table.text() + &more
}

/// Says what became of an exception.
fn dispose(wanted: &DisposeException, format: Format) -> anyhow::Result<()> {
    let one = rule(&wanted.id)?;
    let became = match wanted.became {
        Became::Accepted => ControlDisposition::Accepted,
        Became::Remediated => ControlDisposition::Remediated,
        Became::NotAnException => ControlDisposition::NotAnException,
    };
    let body = json!({
        "month": wanted.month,
        "exception": wanted.exception,
        "disposition": became,
        "text": wanted.text,
        "evidence": wanted.evidence,
    });
    let path = format!("/api/v1/controls/{}/dispositions", one.id);
    let applied: Applied = with_log(&wanted.place, |client| client.post_slow(&path, &body))?;
    output::one(format, &applied, |done| {
        format!("{} {}: {}, event {}\n", one.id, wanted.exception, done.message, done.position)
    })
}

/// What whoever signs is shown.
#[derive(Debug, Deserialize)]
struct Looked {
    shown: String,
    summary: Counted,
}

#[derive(Debug, Deserialize)]
struct Counted {
    population: u64,
    exceptions: u64,
    open: u64,
}

/// Signs for a control in a month, as it stands now.
fn review(wanted: &ReviewControl, format: Format) -> anyhow::Result<()> {
    let one = rule(&wanted.id)?;
    let asked = match wanted.month.as_str() {
        "" => format!("/api/v1/controls/{}", one.id),
        month => format!("/api/v1/controls/{}?month={month}", one.id),
    };
    let path = format!("/api/v1/controls/{}/reviews", one.id);
    let looked: Looked = with_log(&wanted.place, |client| client.get_json(&asked))?;
    let body = json!({
        "month": wanted.month,
        "shown": looked.shown,
        "statement": wanted.statement,
    });
    let applied: Applied = with_log(&wanted.place, |client| client.post_slow(&path, &body))?;
    let Counted { population, exceptions, open } = looked.summary;
    output::one(format, &applied, |done| {
        format!(
            "{}: {} with {exceptions} exceptions of {population}, {open} without disposition; event {}\n",
            one.id, done.message, done.position
        )
    })
}
