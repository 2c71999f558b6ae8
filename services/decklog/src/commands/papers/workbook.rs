//! Work papers: a sheet for each control, as auditors keep them.

use domain::controls::{Control, Item, Outcome, Summary};
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use super::Subject;

/// Most members of a population on a sheet; of a larger one its exceptions and what was drawn, and the evidence has all.
const ROWS: usize = 50_000;
/// Longest text of a cell: spreadsheets have 32,767 characters.
const CELL_CHARS: usize = 32_000;
/// Columns of a population.
const COLUMNS: [(&str, f64); 9] = [
    ("No.", 8.0),
    ("Time (UTC)", 28.0),
    ("Subject", 52.0),
    ("Position", 10.0),
    ("A", 4.0),
    ("Sample", 8.0),
    ("Result", 90.0),
    ("Became", 18.0),
    ("Said of it", 60.0),
];
const LEGEND: &str = "✓ passes the test   ✗ exception   n passes; see its result   S drawn";

struct Look {
    title: Format,
    label: Format,
    text: Format,
    head: Format,
    mark: Format,
}

impl Look {
    fn new() -> Self {
        let text = Format::new().set_text_wrap().set_align(FormatAlign::Top);
        Self {
            title: Format::new().set_bold().set_font_size(14),
            label: Format::new().set_bold().set_align(FormatAlign::Top),
            head: Format::new().set_bold().set_background_color(0x00dd_e3ea),
            mark: Format::new().set_align(FormatAlign::Center),
            text,
        }
    }
}

pub(super) fn bytes(subject: &Subject) -> anyhow::Result<Vec<u8>> {
    let mut book = Workbook::new();
    // Nothing in it is of the day on which it is made.
    let made = ExcelDateTime::from_timestamp(subject.request.until.as_second())?;
    let properties = DocProperties::new()
        .set_title(format!("Controls of {}", subject.report.origin))
        .set_creation_datetime(&made);
    book.set_properties(&properties);
    let look = Look::new();
    summary(book.add_worksheet(), subject, &look)?;
    for outcome in &subject.report.outcomes {
        control(book.add_worksheet(), subject, outcome, &look)?;
    }
    Ok(book.save_to_buffer()?)
}

/// Text as a cell takes it; it is never a formula.
fn cell(text: &str) -> String {
    text.chars().take(CELL_CHARS).collect()
}

/// Labels and what they are, in the cells of some columns, from a row on; the row behind them.
fn facts(
    sheet: &mut Worksheet,
    from: u32,
    facts: &[(&str, String)],
    (first, last): (u16, u16),
    look: &Look,
) -> Result<u32, XlsxError> {
    let mut row = from;
    for (label, value) in facts {
        sheet.write_string_with_format(row, 0, *label, &look.label)?;
        sheet.merge_range(row, first, row, last, &cell(value), &look.text)?;
        // About so many characters stand in a line of the cells together.
        let lines = value.chars().count().div_ceil(140).max(1);
        sheet.set_row_height(row, lines as f64 * 15.0)?;
        row += 1;
    }
    Ok(row)
}

fn source(subject: &Subject) -> Vec<(&'static str, String)> {
    let report = &subject.report;
    vec![
        ("Period", subject.period()),
        (
            "Source",
            format!("log {}, entries 1 to {}, root {}", report.origin, report.size, report.root),
        ),
        (
            "Evidence",
            format!("{}, {} bytes, SHA-256 {}", subject.file, subject.bytes, subject.sha256),
        ),
        ("Measures", report.measures.clone().unwrap_or_default()),
        ("Verified", subject.verdict()),
    ]
}

fn widths(sheet: &mut Worksheet, all: impl IntoIterator<Item = f64>) -> Result<(), XlsxError> {
    for (number, width) in (0..).zip(all) {
        sheet.set_column_width(number, width)?;
    }
    Ok(())
}

/// The names of columns.
fn head<'a>(
    sheet: &mut Worksheet,
    row: u32,
    names: impl IntoIterator<Item = &'a str>,
    look: &Look,
) -> Result<(), XlsxError> {
    for (column, name) in (0..).zip(names) {
        sheet.write_string_with_format(row, column, name, &look.head)?;
    }
    Ok(())
}

fn summary(sheet: &mut Worksheet, subject: &Subject, look: &Look) -> Result<(), XlsxError> {
    sheet.set_name("Summary")?.set_landscape();
    widths(sheet, [10.0, 16.0, 70.0, 12.0, 12.0, 60.0, 18.0, 60.0])?;
    sheet.write_string_with_format(
        0,
        0,
        "Controls, tested over their whole populations",
        &look.title,
    )?;
    let mut row = facts(sheet, 2, &source(subject), (1, 5), look)? + 1;
    let names = [
        "Control",
        "Result",
        "Statement",
        "Population",
        "Exceptions",
        "Answers",
        "No disposition",
        "Reviewed by",
    ];
    head(sheet, row, names, look)?;
    for one in &subject.report.outcomes {
        row += 1;
        let found = Summary::of(one);
        let answers = Control::named(one.control).map(|one| one.citations.join(", "));
        sheet.write_string(row, 0, found.control)?;
        sheet.write_string(row, 1, found.word())?;
        sheet.write_string_with_format(row, 2, found.statement, &look.text)?;
        sheet.write_number(row, 3, found.population as f64)?;
        sheet.write_number(row, 4, found.exceptions as f64)?;
        sheet.write_string_with_format(row, 5, answers.unwrap_or_default(), &look.text)?;
        sheet.write_number(row, 6, found.open as f64)?;
        sheet.write_string_with_format(row, 7, cell(&found.reviewed_by()), &look.text)?;
    }
    Ok(())
}

fn control(
    sheet: &mut Worksheet,
    subject: &Subject,
    outcome: &Outcome,
    look: &Look,
) -> Result<(), XlsxError> {
    sheet.set_name(outcome.control)?.set_landscape();
    widths(sheet, COLUMNS.map(|(_, width)| width))?;
    sheet.write_string_with_format(0, 0, outcome.control, &look.title)?;
    let drawn = outcome.drawn_places(&subject.report.root, subject.sample);
    let rows = listed(outcome, &drawn);
    let mut above = about(subject, outcome, rows.len());
    above.extend(
        ["Conclusion", "Prepared by, date", "Reviewed by, date"].map(|name| (name, String::new())),
    );
    let names = facts(sheet, 2, &above, (2, 6), look)? + 1;
    head(sheet, names, COLUMNS.map(|(name, _)| name), look)?;
    let mut row = names;
    for number in rows {
        row += 1;
        if let Some(item) = outcome.population.get(number) {
            member(sheet, row, (number, item), drawn.binary_search(&number).is_ok(), look)?;
        }
    }
    sheet.set_freeze_panes(names + 1, 0)?;
    sheet.set_repeat_rows(names, names)?;
    sheet.autofilter(names, 0, row.max(names + 1), 8)?;
    Ok(())
}

/// What stands above a population.
fn about(subject: &Subject, outcome: &Outcome, rows: usize) -> Vec<(&'static str, String)> {
    let summary = Summary::of(outcome);
    let words = Control::named(outcome.control).ok();
    let text = |of: fn(&Control) -> &str| words.map_or("", of).to_owned();
    let mut all = vec![
        ("Statement", text(|one| one.statement)),
        ("Answers", words.map(|one| one.citations.join(", ")).unwrap_or_default()),
    ];
    all.extend(source(subject));
    all.extend([
        ("Population", format!("{}: {} members", text(|one| one.population), summary.population)),
        ("Completeness", "computed again from all entries by whoever verifies the evidence: none of them can be left out without another root".to_owned()),
        ("Accuracy", format!("each entry is signed by whom it names; the same members stand in controls/{}.csv of the evidence", outcome.control)),
        ("Attribute A", format!("tested on each member; an exception is: {}", text(|one| one.exception))),
        ("Result", match &outcome.untested {
            Some(why) => format!("not tested: {why}"),
            None => format!("{}: {} of {}", summary.word(), summary.exceptions, summary.population),
        }),
        ("Sample", format!("up to {}, drawn by the root of the last head, {}: whoever draws again draws the same", subject.sample, subject.report.root)),
        ("Tickmarks", LEGEND.to_owned()),
    ]);
    if !summary.reviewed.is_empty() {
        all.push(("Reviewed at the site", summary.reviewed_by()));
    }
    if rows < outcome.population.len() {
        let said = format!(
            "the first {ROWS} exceptions, and the sample: {rows} of {} members; controls/{}.csv of the evidence has all",
            outcome.population.len(),
            outcome.control
        );
        all.push(("Listed below", said));
    }
    all
}

/// The members that a sheet lists.
fn listed(outcome: &Outcome, drawn: &[usize]) -> Vec<usize> {
    let count = outcome.population.len();
    if count <= ROWS {
        return (0..count).collect();
    }
    let odd = outcome.population.iter().enumerate().filter(|(_, item)| item.exception.is_some());
    let odd = odd.map(|(number, _)| number).take(ROWS);
    let mut kept: Vec<usize> = odd.chain(drawn.iter().copied()).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

fn member(
    sheet: &mut Worksheet,
    row: u32,
    (number, item): (usize, &Item),
    drawn: bool,
    look: &Look,
) -> Result<(), XlsxError> {
    sheet.write_number(row, 0, (number + 1) as f64)?;
    sheet.write_string(row, 1, item.at.to_string())?;
    sheet.write_string(row, 2, cell(&item.subject))?;
    if let Some(position) = item.position {
        sheet.write_number(row, 3, position as f64)?;
    }
    let mark = match (&item.exception, &item.note) {
        (Some(_), _) => "✗",
        (None, Some(_)) => "n",
        (None, None) => "✓",
    };
    sheet.write_string_with_format(row, 4, mark, &look.mark)?;
    if drawn {
        sheet.write_string_with_format(row, 5, "S", &look.mark)?;
    }
    sheet.write_string(row, 6, cell(item.result()))?;
    if let Some(disposed) = &item.disposed {
        sheet.write_string(row, 7, disposed.disposition.word())?;
        sheet.write_string(row, 8, cell(&disposed.to_string()))?;
    }
    Ok(())
}
