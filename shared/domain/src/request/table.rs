//! All requests, for a file that opens anywhere.

use super::state::{Request, Said, Step};
use crate::controls::csv_line;

const COLUMNS: [&str; 18] = [
    "request",
    "title",
    "control",
    "from",
    "until",
    "asked by",
    "asked at",
    "due",
    "state",
    "answers",
    "answered by",
    "first answered at",
    "last answered at",
    "flags",
    "outcome",
    "outcome by",
    "outcome at",
    "outcome text",
];

/// Requests, one a line, as CSV of which no cell is a formula. Instants are UTC.
#[must_use]
pub fn csv<'a>(requests: impl IntoIterator<Item = &'a Request>) -> String {
    let rows = requests.into_iter().map(|request| csv_line(&cells(request)));
    std::iter::once(csv_line(&COLUMNS)).chain(rows).collect()
}

fn cells(request: &Request) -> [String; 18] {
    let asked = &request.asked;
    let at = |said: Option<&Said>| said.map(|said| said.at.to_string()).unwrap_or_default();
    let flags = request.thread.iter().filter(|said| said.step == Step::Flagged).count();
    let (closed, by) = (request.closed(), request.answerers().into_iter().collect::<Vec<_>>());
    [
        request.number.to_string(),
        asked.title.clone(),
        asked.control.clone().unwrap_or_default(),
        asked.period.map(|period| period.from.to_string()).unwrap_or_default(),
        asked.period.map(|period| period.until.to_string()).unwrap_or_default(),
        request.by.clone(),
        request.at.to_string(),
        asked.due.to_string(),
        request.word().to_owned(),
        request.answers().count().to_string(),
        by.join(" "),
        at(request.answers().next()),
        at(request.answers().next_back()),
        flags.to_string(),
        closed.map(|said| said.step.word().to_owned()).unwrap_or_default(),
        closed.map(|said| said.by.clone()).unwrap_or_default(),
        at(closed),
        closed.map(|said| said.text.clone()).unwrap_or_default(),
    ]
}
