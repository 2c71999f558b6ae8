//! The answer, for people.

use std::fmt::Write as _;

use evidence::{Report, Verdict};

/// Lines of a label and what it says, and the word at the end.
pub(crate) fn report(report: &Report) -> String {
    let counts = &report.counts;
    let mut text = String::new();
    let mut line = |label: &str, says: String| {
        // Names come from whoever wrote the log: they move no cursor here.
        let says: String =
            says.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let _ = writeln!(text, "{label:<13}{says}");
    };
    line("log", report.origin.clone());
    if let Some(request) = &report.request {
        line("period", format!("{} until {}", request.from, request.until));
    }
    line(
        "events",
        format!(
            "{}: bytes, counters, back-hashes, stream versions and marks computed; {} void",
            counts.events, counts.void
        ),
    );
    line("signatures", format!("{} of {} producers", counts.signatures, counts.producers));
    line(
        "tree",
        format!("size {}, root {}, {} signed heads", report.size, report.root, report.heads),
    );
    let by: Vec<String> =
        report.witnessed.by.iter().map(|(name, at)| format!("{name} at {at}")).collect();
    line("witnesses", if by.is_empty() { "none".to_owned() } else { by.join(", ") });
    line(
        "occurrences",
        format!(
            "{} implied by the approved schedules, {} in the log, {} too young to be decided",
            counts.occurrences_expected, counts.occurrences_recorded, counts.occurrences_undecided
        ),
    );
    line(
        "runs",
        format!(
            "{}: {} open, {} unknown, all others with exactly one outcome",
            counts.runs, counts.runs_open, counts.runs_unknown
        ),
    );
    for finding in &report.findings {
        line("FINDING", finding.to_string());
    }
    let more = report.findings_total - report.findings.len() as u64;
    if more > 0 {
        line("", format!("and {more} more of the same names"));
    }
    let _ = writeln!(text, "{}: {}", report.verdict, meaning(report.verdict));
    text
}

fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "everything is there, and everything that can be computed holds",
        Verdict::Tampered => {
            "something is not what its signer signed, or contradicts what you hold: see the findings"
        }
        Verdict::Inconclusive => {
            "nothing contradicts, but something that is needed is missing: see the findings"
        }
    }
}
