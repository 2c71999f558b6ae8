//! What was found, as files that open anywhere: CSV as RFC 4180 has it, of which no cell is a formula.

use serde::Serialize;

use super::{Control, Outcome};

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
    /// Why it was not tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
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
            untested: outcome.untested.clone(),
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
}

/// The whole population of a control, one member a line.
#[must_use]
pub fn csv(outcome: &Outcome) -> String {
    let mut text = line(&["time", "subject", "position", "result"]);
    for item in &outcome.population {
        let position = item.position.map(|at| at.to_string()).unwrap_or_default();
        text.push_str(&line(&[&item.at.to_string(), &item.subject, &position, item.result()]));
    }
    text
}

/// All controls, one a line.
#[must_use]
pub fn summary_csv(outcomes: &[Outcome]) -> String {
    let mut text =
        line(&["control", "result", "population", "exceptions", "statement", "untested"]);
    for one in outcomes.iter().map(Summary::of) {
        let (population, exceptions) = (one.population.to_string(), one.exceptions.to_string());
        let untested = one.untested.as_deref().unwrap_or_default();
        text.push_str(&line(&[
            one.control,
            one.word(),
            &population,
            &exceptions,
            one.statement,
            untested,
        ]));
    }
    text
}

fn line(cells: &[&str]) -> String {
    cells.iter().map(|cell| self::cell(cell)).collect::<Vec<_>>().join(",") + "\r\n"
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
