//! The answer, for people.

use std::fmt::{self, Display, Formatter};

use crate::finding::Verdict;
use crate::part::Part;
use crate::payloads::Shown;
use crate::verify::Report;

impl Display for Report {
    /// Lines of a label and what it says, and the word at the end.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.lines().into_iter().try_for_each(|(label, says)| line(f, label, &says))?;
        writeln!(f, "{}: {}", self.verdict, meaning(self.verdict))
    }
}

/// Names come from whoever wrote the log: they move no cursor here.
fn line(f: &mut Formatter<'_>, label: &str, says: &str) -> fmt::Result {
    let says: String = says.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    writeln!(f, "{label:<13}{says}")
}

impl Report {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("log", self.origin.clone())];
        let period = |request: &crate::Request| format!("{} until {}", request.from, request.until);
        lines.extend(self.request.as_ref().map(|request| ("period", period(request))));
        lines.extend(self.measures.clone().map(|says| ("measures", says)));
        match &self.part {
            Some(part) => lines.extend(self.proven(part)),
            None => lines.extend(self.counted()),
        }
        lines.extend(self.payloads.iter().map(|shown| ("payload", told(shown))));
        lines.extend(self.findings.iter().map(|finding| ("FINDING", finding.to_string())));
        let more = self.findings_total - self.findings.len() as u64;
        if more > 0 {
            lines.push(("", format!("and {more} more of the same names")));
        }
        lines
    }

    fn witnesses(&self) -> (&'static str, String) {
        let by = self.witnessed.by.iter().map(|(name, at)| format!("{name} at {at}"));
        let by = by.collect::<Vec<_>>().join(", ");
        ("witnesses", if by.is_empty() { "none".to_owned() } else { by })
    }

    fn proven(&self, part: &Part) -> [(&'static str, String); 3] {
        let Part { control, entries, signed } = part;
        let Self { size, root, .. } = self;
        [
            (
                "part",
                format!(
                    "{entries} entries about {control}, out of {size}, with proofs; {signed} of them with a signature of their producer that holds"
                ),
            ),
            ("tree", format!("size {size}, root {root}, as the signed head says")),
            self.witnesses(),
        ]
    }

    fn counted(&self) -> Vec<(&'static str, String)> {
        let Self { counts, size, root, heads, .. } = self;
        let mut lines = vec![
            (
                "events",
                format!(
                    "{}: bytes, counters, back-hashes, stream versions and marks computed; {} void",
                    counts.events, counts.void
                ),
            ),
            ("signatures", format!("{} of {} producers", counts.signatures, counts.producers)),
            ("tree", format!("size {size}, root {root}, {heads} signed heads")),
            self.witnesses(),
            (
                "occurrences",
                format!(
                    "{} implied by the approved schedules, {} in the log, {} too young to be decided",
                    counts.occurrences_expected,
                    counts.occurrences_recorded,
                    counts.occurrences_undecided
                ),
            ),
            (
                "runs",
                format!(
                    "{}: {} open, {} unknown, all others with exactly one outcome",
                    counts.runs, counts.runs_open, counts.runs_unknown
                ),
            ),
        ];
        // Behind the witnesses.
        lines.splice(4..4, self.timestamps.lines().into_iter().map(|says| ("time stamps", says)));
        lines
    }
}

fn told(shown: &Shown) -> String {
    let Shown { position, of, class, bytes } = shown;
    match bytes {
        Some(bytes) => {
            format!("{of}, {class}, {bytes} bytes: what the event at {position} commits to")
        }
        None => {
            format!(
                "{of}, {class}: to be erased, or erased, as the log says; the event at {position} commits to it"
            )
        }
    }
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
