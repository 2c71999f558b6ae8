//! What does not add up: between pages asked for and counted, numbers and their fates, totals and sheets, copies and leave to
//! make them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::document::{Document, State};
use super::seen::printed_numbers;
use super::stock::{Fate, Form};
use crate::canonical::Digest;
use crate::ids::StreamId;

/// Something that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Exception {
    /// The printer counted other pages than were asked for.
    PagesDiffer {
        /// The document.
        document: StreamId,
        /// Impressions asked for.
        expected: u32,
        /// Impressions counted.
        counted: u32,
    },
    /// A printer counted nothing for a form.
    NotCounted {
        /// The document.
        document: StreamId,
    },
    /// Nobody knows what became of it.
    Unknown {
        /// The document.
        document: StreamId,
        /// Why.
        reason: String,
    },
    /// The same content was printed for the same purpose as another document.
    Duplicate {
        /// The later one.
        document: StreamId,
        /// The earlier one.
        of: StreamId,
    },
    /// A form was printed again, and nobody but who asked agreed.
    UnauthorisedReprint {
        /// The document.
        document: StreamId,
        /// Which printing.
        round: u32,
        /// Who asked.
        by: Option<String>,
    },
    /// The source says another count or another total.
    ControlTotal {
        /// The document.
        document: StreamId,
        /// Sheets the source says.
        expected: u64,
        /// Sheets that were found.
        found: u64,
        /// Whether the amounts agree.
        amount_agrees: Option<bool>,
    },
    /// The source says another count than numbers were printed.
    ControlCount {
        /// The run, by one of its documents.
        document: StreamId,
        /// Sheets the source says.
        expected: u64,
        /// Numbers that were printed and count.
        printed: u64,
    },
    /// Numbers that were given to a printing and of which nobody has said what became of them.
    InDoubt {
        /// The form.
        form: String,
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// The document.
        document: Option<StreamId>,
    },
    /// Numbers below used ones of which nothing was ever said.
    Gap {
        /// The form.
        form: String,
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Stock that is printed on or waits to be, and that no second person has seen.
    NotWitnessed {
        /// The form.
        form: String,
        /// The first number.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A second person read other numbers on the sheets.
    CheckDiffers {
        /// The form.
        form: String,
        /// The document.
        document: StreamId,
        /// What was read on the first sheet, and on the last.
        read: (u64, u64),
        /// What they should be.
        given: Option<(u64, u64)>,
    },
    /// A printing of a form whose first and last number nobody has read yet.
    NotChecked {
        /// The form.
        form: String,
        /// The document.
        document: StreamId,
        /// Which printing.
        round: u32,
    },
    /// A delivery that failed.
    NotDelivered {
        /// The document.
        document: StreamId,
        /// Which delivery.
        delivery: u32,
        /// Why.
        reason: String,
    },
}

impl Exception {
    /// The word of its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::PagesDiffer { .. } => "pages-differ",
            Self::NotCounted { .. } => "not-counted",
            Self::Unknown { .. } => "unknown",
            Self::Duplicate { .. } => "duplicate",
            Self::UnauthorisedReprint { .. } => "unauthorised-reprint",
            Self::ControlTotal { .. } => "control-total",
            Self::ControlCount { .. } => "control-count",
            Self::InDoubt { .. } => "in-doubt",
            Self::Gap { .. } => "gap",
            Self::NotWitnessed { .. } => "not-witnessed",
            Self::CheckDiffers { .. } => "check-differs",
            Self::NotChecked { .. } => "not-checked",
            Self::NotDelivered { .. } => "not-delivered",
        }
    }
}

/// Everything that does not add up. `documents` are those to look at, in any order.
pub fn reconcile(documents: &BTreeMap<StreamId, Document>, forms: &[Form]) -> Vec<Exception> {
    let mut found = Vec::new();
    for (id, document) in documents {
        of_document(id, document, &mut found);
    }
    duplicates(documents, &mut found);
    for form in forms {
        of_form(form, documents, &mut found);
    }
    counts(documents, forms, &mut found);
    found
}

fn of_document(id: &StreamId, document: &Document, found: &mut Vec<Exception>) {
    for one in &document.submissions {
        if let (Some(counted), Some(false)) = (one.impressions, one.agrees) {
            found.push(Exception::PagesDiffer {
                document: id.clone(),
                expected: one.expected,
                counted,
            });
        }
        if one.completed && one.impressions.is_none() && one.numbers.is_some() {
            found.push(Exception::NotCounted { document: id.clone() });
        }
    }
    if let State::Unknown { reason } = &document.state {
        found.push(Exception::Unknown { document: id.clone(), reason: reason.clone() });
    }
    if let Some(control) = document.spooled.control.filter(|control| !control.agrees()) {
        found.push(Exception::ControlTotal {
            document: id.clone(),
            expected: control.expected,
            found: control.found,
            amount_agrees: control.amount_agrees,
        });
    }
    // Where the site lets one person do both, it shows.
    let alone = |one: &&super::document::Reprint| {
        document.spooled.form.is_some() && (one.approved_by.is_none() || one.approved_by == one.by)
    };
    for one in document.reprints.iter().filter(alone) {
        let (round, by) = (one.round, one.by.clone());
        found.push(Exception::UnauthorisedReprint { document: id.clone(), round, by });
    }
    for (delivery, one) in document.failed_deliveries() {
        if let super::document::DeliveryState::Failed { reason, .. } = &one.state {
            let reason = reason.clone();
            found.push(Exception::NotDelivered { document: id.clone(), delivery, reason });
        }
    }
}

/// Whether something of it lies on paper, as far as is known.
fn was_printed(document: &Document) -> bool {
    document
        .submissions
        .iter()
        .any(|one| one.completed || one.impressions.is_some_and(|count| count > 0))
}

fn duplicates(documents: &BTreeMap<StreamId, Document>, found: &mut Vec<Exception>) {
    let mut first: BTreeMap<(Digest, &str, &str), (Timestamp, &StreamId)> = BTreeMap::new();
    let mut in_order: Vec<(&StreamId, &Document)> =
        documents.iter().filter(|(_, one)| was_printed(one)).collect();
    in_order.sort_by_key(|(id, one)| (one.at, (*id).clone()));
    for (id, document) in in_order {
        let key = (
            document.spooled.fingerprint,
            document.spooled.host.as_str(),
            document.spooled.purpose.as_str(),
        );
        match first.get(&key) {
            None => {
                first.insert(key, (document.at, id));
            }
            Some((_, of)) => {
                found.push(Exception::Duplicate { document: id.clone(), of: (*of).clone() });
            }
        }
    }
}

fn of_form(form: &Form, documents: &BTreeMap<StreamId, Document>, found: &mut Vec<Exception>) {
    let name = &form.defined.name;
    for span in form.spans.iter().filter(|span| span.fate == Fate::Allocated) {
        // What is at the printer, or waits for it, is in no doubt yet.
        let document = span.document.as_ref().and_then(|id| documents.get(id));
        if document.is_some_and(|document| !document.state.rests()) {
            continue;
        }
        let (first, last, document) = (span.first, span.last, span.document.clone());
        found.push(Exception::InDoubt { form: name.clone(), first, last, document });
    }
    for (first, last) in form.gaps() {
        found.push(Exception::Gap { form: name.clone(), first, last });
    }
    for batch in form.batches.iter().filter(|batch| batch.waits()) {
        let (first, last) = (batch.first, batch.last);
        found.push(Exception::NotWitnessed { form: name.clone(), first, last });
    }
    for check in form.checks.iter().filter(|check| !check.agrees) {
        let given = form.allocation(&check.document, check.round);
        let later = form.checks.iter().any(|other| {
            other.document == check.document
                && other.round == check.round
                && other.at > check.at
                && other.agrees
        });
        if !later {
            let (document, read) = (check.document.clone(), (check.first, check.last));
            found.push(Exception::CheckDiffers { form: name.clone(), document, read, given });
        }
    }
    for (id, document) in
        documents.iter().filter(|(_, one)| one.spooled.form.as_ref() == Some(name))
    {
        for one in document.submissions.iter().filter(|one| one.completed) {
            let checked =
                form.checks.iter().any(|check| check.document == *id && check.round == one.round);
            if !checked {
                let (form, document, round) = (name.clone(), id.clone(), one.round);
                found.push(Exception::NotChecked { form, document, round });
            }
        }
    }
}

/// Of each run whose source named a count, as many numbers count in the end.
fn counts(documents: &BTreeMap<StreamId, Document>, forms: &[Form], found: &mut Vec<Exception>) {
    let mut runs: BTreeMap<(&StreamId, &str), Vec<(&StreamId, &Document)>> = BTreeMap::new();
    for (id, document) in documents {
        if let (Some(run), Some(form)) = (document.run(), &document.spooled.form) {
            runs.entry((run, form)).or_default().push((id, document));
        }
    }
    for ((_, name), of_run) in runs {
        let Some(form) = forms.iter().find(|form| form.defined.name == name) else { continue };
        let control = of_run.iter().find_map(|(_, one)| one.spooled.control);
        let (Some(control), Some((first, _))) = (control, of_run.first()) else { continue };
        if of_run
            .iter()
            .any(|(_, one)| !one.state.rests() || matches!(one.state, State::Held { .. }))
        {
            continue;
        }
        let printed = of_run.iter().map(|(id, document)| printed_of(form, id, document)).sum();
        if printed != control.expected {
            let document = (*first).clone();
            found.push(Exception::ControlCount { document, expected: control.expected, printed });
        }
    }
}

/// How many numbers of a document were printed and count. What is too old to be told one by one names no document any more:
/// then those of its printings count that still are what its printer made of them.
fn printed_of(form: &Form, id: &StreamId, document: &Document) -> u64 {
    let named = form.spans.iter().filter(|span| span.document.as_ref() == Some(id));
    let named = named.filter(|span| span.fate == Fate::Printed);
    let named: u64 = named.map(|span| span.last + 1 - span.first).sum();
    let printings = document.submissions.iter().filter_map(|one| {
        let numbers = one.numbers.as_ref()?;
        printed_numbers(numbers.first, numbers.last, one.impressions)
    });
    let nameless = printings.flat_map(|(first, last)| {
        let known = form.touched(first, last).filter(|span| span.document.is_none());
        let printed = known.filter(|span| span.fate == Fate::Printed);
        printed.map(move |span| span.last.min(last) + 1 - span.first.max(first))
    });
    named + nameless.sum::<u64>()
}

/// How a queue does: from its documents of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueFigures {
    /// Documents that wait.
    pub waiting: u64,
    /// Documents that wait for a person.
    pub held: u64,
    /// Pages of those that wait.
    pub pages_waiting: u64,
    /// Impressions printed in the time.
    pub impressions: u64,
    /// Documents printed in the time.
    pub printed: u64,
    /// How long these waited on the average, from being spooled to being sent, milliseconds.
    pub wait_ms: Option<u64>,
}

/// The figures of a queue since an instant.
pub fn figures<'a>(
    documents: impl Iterator<Item = &'a Document>,
    since: Timestamp,
) -> QueueFigures {
    let (mut figures, mut waits) = (QueueFigures::default(), Vec::new());
    for document in documents {
        match &document.state {
            State::Held { .. } => figures.held += 1,
            State::Ready | State::Releasing | State::Printing | State::Stopped { .. } => {
                figures.waiting += 1;
                figures.pages_waiting += u64::from(document.expected());
            }
            State::Printed
            | State::Cancelled { .. }
            | State::Failed { .. }
            | State::Unknown { .. }
            | State::Electronic => {}
        }
        for one in document
            .submissions
            .iter()
            .filter(|one| one.completed && one.ended.is_some_and(|at| at >= since))
        {
            figures.printed += 1;
            figures.impressions += u64::from(one.impressions.unwrap_or(one.expected));
            waits.push(one.began.duration_since(document.at));
        }
    }
    let total: SignedDuration = waits.iter().sum();
    let count = i128::try_from(waits.len()).unwrap_or(i128::MAX);
    figures.wait_ms =
        (count > 0).then(|| u64::try_from(total.as_millis() / count.max(1)).unwrap_or(0));
    figures
}
