//! The cover sheet of a file of evidence.

use evidence::timestamps::Stamp;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use paper::{CoverSheet, Imprint, Parameter};
use serde_json::Value;

use super::Subject;
use crate::cli::PapersOf;
use crate::commands::report::{day_of, made_by, stamp};

pub(super) fn pdf(subject: &Subject, wanted: &PapersOf, now: Timestamp) -> anyhow::Result<Vec<u8>> {
    let local = now.to_zoned(TimeZone::system());
    let report = &subject.report;
    let at = stamp(&local);
    let sheet = CoverSheet {
        sheet: wanted.paper.into(),
        site: report.origin.clone(),
        day: day_of(&local),
        title: format!("Evidence of the log {}", report.origin),
        parameters: parameters(subject),
        asked_by: wanted.asked_by.clone(),
        asked_at: at.clone(),
        source: format!("the log {}, from its first entry on", report.origin),
        records: report.size,
        file: subject.file.clone(),
        bytes: subject.bytes,
        sha256: subject.sha256.0,
        completeness: completeness(subject),
        accuracy: accuracy(subject),
        verify: format!("decklog-verify {} --policy YOUR-POLICY", subject.file),
        imprint: Imprint {
            reader: wanted.asked_by.clone(),
            made_by: made_by(),
            made_at: at,
            position: report.size,
            as_of: format!("the last head in the file, of root {}", report.root.short()),
        },
    };
    Ok(sheet.pdf()?)
}

/// What was asked: the period, and each measure.
fn parameters(subject: &Subject) -> Vec<Parameter> {
    let one = |name: &str, value: String| Parameter { name: name.to_owned(), value };
    let mut all = vec![
        one("From", subject.request.from.to_string()),
        one("Until before", subject.request.until.to_string()),
    ];
    if let Ok(Value::Object(measures)) = serde_json::to_value(&subject.request.controls) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        all.extend(measures.iter().map(|(name, value)| one(name, text(value))));
    }
    all.extend(subject.report.measures.iter().map(|says| one("These measures are", says.clone())));
    all
}

fn completeness(subject: &Subject) -> Vec<String> {
    let report = &subject.report;
    let counts = &report.counts;
    vec![
        format!(
            "The file holds every entry of the log from position 1 to {}; their tree has the root {}, which the log's last head in the file signs. An entry that were left out, added or changed would give another root.",
            report.size, report.root
        ),
        format!(
            "The approved schedules imply {} occurrences up to the last entry; the log tells of {} of them, and {} were too young to be decided. They were computed again from the schedules, and not read from a list.",
            counts.occurrences_expected, counts.occurrences_recorded, counts.occurrences_undecided
        ),
        format!(
            "{} controls were tested over their whole populations, {} members in all; what could not be tested says so.",
            report.controls.len(),
            report.controls.iter().map(|one| one.population).sum::<usize>()
        ),
    ]
}

fn accuracy(subject: &Subject) -> Vec<String> {
    let report = &subject.report;
    let by: Vec<String> =
        report.witnessed.by.iter().map(|(name, at)| format!("{name} at {at}")).collect();
    let witnesses = if by.is_empty() {
        "No witness whom the policy names has cosigned the last head.".to_owned()
    } else {
        format!("The last head was cosigned by {}.", by.join(", "))
    };
    let stamped = report.timestamps.believed.last().map(|stamp| {
        let Stamp { size, at, by } = stamp;
        format!("The head of {size} entries existed at {at}, says the time-stamping authority {by} (RFC 3161).")
    });
    let checked = vec![
        format!("The verifier says of it: {}.", subject.verdict()),
        format!(
            "{} signatures of {} producers were checked, each producer's counter and chain, and the rules of the log for each event.",
            report.counts.signatures, report.counts.producers
        ),
        witnesses,
    ];
    checked.into_iter().chain(stamped).collect()
}
