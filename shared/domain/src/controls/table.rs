//! What was found, as files that open anywhere: CSV as RFC 4180 has it, of which no cell is a formula.

use serde::Serialize;

use super::{Control, Disposed, Outcome, Reviewed};

/// A control in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The control.
    pub control: &'static str,
    /// What holds where it operates.
    pub statement: &'static str,
    /// How many members its population has.
    pub population: usize,
    /// How many of them are exceptions.
    pub exceptions: usize,
    /// Of how many of these nobody has said what became of them.
    pub open: usize,
    /// Why it was not tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
    /// Who signed for it, of each time within the period the newest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviewed: Vec<Reviewed>,
}

impl Summary {
    /// Of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            control: outcome.control,
            statement: Control::named(outcome.control).map_or("", |one| one.statement),
            population: outcome.population.len(),
            exceptions: outcome.exceptions().count(),
            open: outcome.open(),
            untested: outcome.untested.clone(),
            reviewed: outcome.reviewed.clone(),
        }
    }

    /// The word for how it stands: what could not be tested is never without exception.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (&self.untested, self.population, self.exceptions) {
            (Some(_), ..) => "not tested",
            (None, 0, _) => "nothing to test",
            (None, _, 0) => "no exceptions",
            (None, ..) => "exceptions",
        }
    }

    /// Who signed for it, in words; empty where nobody did.
    #[must_use]
    pub fn reviewed_by(&self) -> String {
        let all: Vec<String> = self.reviewed.iter().map(ToString::to_string).collect();
        all.join("; ")
    }
}

/// The whole population of a control, one member a line. What people said of its exceptions stands in columns of its own, where
/// anybody said anything: what was written before that was possible stays as it was, byte for byte.
#[must_use]
pub fn csv(outcome: &Outcome) -> String {
    let said = outcome.population.iter().any(|item| item.disposed.is_some());
    let mut head = vec!["time", "subject", "position", "result"];
    if said {
        head.extend(["disposition", "disposed by", "disposed at", "text", "evidence"]);
    }
    let mut text = csv_line(&head);
    for item in &outcome.population {
        let position = item.position.map(|at| at.to_string()).unwrap_or_default();
        let mut cells =
            vec![item.at.to_string(), item.subject.clone(), position, item.result().to_owned()];
        if said {
            cells.extend(disposed_cells(item.disposed.as_deref()));
        }
        text.push_str(&csv_line(&cells));
    }
    text
}

fn disposed_cells(disposed: Option<&Disposed>) -> [String; 5] {
    let Some(disposed) = disposed else { return Default::default() };
    let Disposed { disposition, by, at, text, evidence, .. } = disposed;
    let evidence = evidence.clone().unwrap_or_default();
    [disposition.word().to_owned(), by.clone(), at.to_string(), text.clone(), evidence]
}

/// All controls, one a line; with what people said of them where anybody said anything.
#[must_use]
pub fn summary_csv<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> String {
    let all: Vec<Summary> = outcomes.into_iter().map(Summary::of).collect();
    let said = all.iter().any(|one| one.open != one.exceptions || !one.reviewed.is_empty());
    let mut head = vec!["control", "result", "population", "exceptions", "statement", "untested"];
    if said {
        head.extend(["without disposition", "reviewed by"]);
    }
    let mut text = csv_line(&head);
    for one in &all {
        let mut cells = vec![
            one.control.to_owned(),
            one.word().to_owned(),
            one.population.to_string(),
            one.exceptions.to_string(),
            one.statement.to_owned(),
            one.untested.clone().unwrap_or_default(),
        ];
        if said {
            cells.extend([one.open.to_string(), one.reviewed_by()]);
        }
        text.push_str(&csv_line(&cells));
    }
    text
}

/// A line of cells.
pub(crate) fn csv_line(cells: &[impl AsRef<str>]) -> String {
    cells.iter().map(|cell| self::cell(cell.as_ref())).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_breaks_its_line() {
        for (text, wanted) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("\tx", "'\tx"),
            ("a,b", "\"a,b\""),
            ("say \"yes\"", "\"say \"\"yes\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\""),
        ] {
            assert_eq!(cell(text), wanted);
        }
    }
}
