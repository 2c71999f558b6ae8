//! Which controls there are.

use serde::Serialize;

/// A control, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Its name.
    pub id: &'static str,
    /// What holds where it operates.
    pub statement: &'static str,
    /// What is counted: every one of them, and no sample.
    pub population: &'static str,
    /// When one of them is an exception.
    pub exception: &'static str,
    /// The rules of others that it answers.
    pub citations: &'static [&'static str],
    /// The kinds of event that show it.
    pub evidence: &'static [&'static str],
}

impl Control {
    /// The control with a name, in whichever case that is written.
    ///
    /// # Errors
    /// There is none, in a sentence that names those there are.
    pub fn named(id: &str) -> Result<&'static Self, String> {
        let found = CATALOGUE.iter().find(|one| one.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| {
            let all: Vec<&str> = CATALOGUE.iter().map(|one| one.id).collect();
            format!("there is no control {id}; there are {}", all.join(", "))
        })
    }
}

/// Every control.
pub const CATALOGUE: &[Control] = &[
    Control {
        id: "JS-01",
        statement: "Every scheduled run of the period has an outcome; none is missing",
        population: "occurrences that the approved schedules imply, computed again from the definitions",
        exception: "the log says nothing about it, or it has had no known outcome for too long",
        citations: &["COBIT DSS01.01", "SOC 2 PI1.3", "SOC 2 CC7.2", "HIPAA 164.312(b)"],
        evidence: &[
            "run.due",
            "run.skipped",
            "run.missed",
            "run.succeeded",
            "run.failed",
            "run.timed-out",
            "run.cancelled",
        ],
    },
    Control {
        id: "JS-02",
        statement: "Each failure is acknowledged in time, and resolved by somebody who did not cause it",
        population: "incidents opened in the period, and runs that failed in it",
        exception: "an incident acknowledged late or never, resolved late or never, or by who caused it; a failed run of which no incident and no review tells",
        citations: &[
            "COBIT DSS02",
            "COBIT DSS03",
            "SOC 2 CC7.3",
            "SOC 2 CC7.4",
            "HIPAA 164.308(a)(6)(ii)",
            "NIST IR-5",
        ],
        evidence: &[
            "incident.opened",
            "incident.acknowledged",
            "incident.cause-recorded",
            "incident.resolved",
        ],
    },
    Control {
        id: "JS-03",
        statement: "Nothing runs without an approved schedule or a request of a named person",
        population: "attempts started in the period",
        exception: "nothing before it says why it was to run",
        citations: &["COBIT DSS01.01", "COBIT DSS06.03", "NIST AC-6(9)", "SOC 2 CC6.1"],
        evidence: &["run.due", "run.requested", "run.started"],
    },
    Control {
        id: "JS-04",
        statement: "What ran is what was approved",
        population: "attempts started in the period",
        exception: "the definition that the host names was never approved",
        citations: &["COBIT BAI06", "COBIT BAI10", "NIST CM-3", "NIST SI-7", "SOC 2 CC8.1"],
        evidence: &["job.proposed", "job.approved", "run.started"],
    },
    Control {
        id: "JS-05",
        statement: "What a run waits for has ended before it starts, and no two runs of a job run at once",
        population: "runs started in the period",
        exception: "a run of another job that it waits for, or another of its own, had not ended",
        citations: &["COBIT DSS06.02", "SOC 2 PI1.3"],
        evidence: &["run.due", "run.cleared", "run.overridden", "run.started"],
    },
    Control {
        id: "JS-06",
        statement: "Runs keep the limits of their jobs; where one does not, somebody is told",
        population: "runs due in the period whose start, end or length has a limit",
        exception: "a limit that was missed, and no incident tells of it",
        citations: &["COBIT DSS01.01", "SOC 2 CC7.2"],
        evidence: &["run.due", "run.late", "incident.opened", "incident.recurred"],
    },
    Control {
        id: "JS-07",
        statement: "Runs that were missed or lost are known, and somebody says what becomes of each",
        population: "runs missed or lost in the period",
        exception: "nobody has said anything of it in a review, and it was not resolved",
        citations: &["COBIT DSS01", "SOC 2 A1.2", "NIST AU-5"],
        evidence: &["run.missed", "run.lost", "run.resolved", "review.noted"],
    },
    Control {
        id: "CM-01",
        statement: "Definitions are approved before they hold, by somebody else than their author",
        population: "definitions approved in the period",
        exception: "author and approver are one person, or one of them is not named",
        citations: &[
            "COBIT BAI06.01",
            "SOC 2 CC8.1",
            "NIST CM-3",
            "NIST CM-5",
            "ISO 27001 A.8.32",
            "PCI DSS 6.5.1",
        ],
        evidence: &["job.proposed", "job.approved", "calendar.approved"],
    },
    Control {
        id: "CM-02",
        statement: "Emergency changes are looked at afterwards, in time, by somebody else",
        population: "definitions made active in an emergency in the period",
        exception: "nobody else has looked by the time that was set",
        citations: &["COBIT BAI06.02", "NIST CM-3"],
        evidence: &["change.expedited", "change.ratified", "change.rejected"],
    },
    Control {
        id: "CM-03",
        statement: "Jobs are paused for a reason and for a bounded time",
        population: "pauses that began in the period",
        exception: "longer than was agreed",
        citations: &["COBIT BAI06", "COBIT DSS01", "SOC 2 CC7.2"],
        evidence: &["job.paused", "job.resumed"],
    },
    Control {
        id: "CM-04",
        statement: "The programs that run jobs are those that were approved",
        population: "starts of executors in the period",
        exception: "a program that is not among those that the site has named, or that the host does not name",
        citations: &["COBIT BAI10.04", "COBIT BAI10.05", "NIST CM-6", "NIST SI-7"],
        evidence: &["host.started"],
    },
    Control {
        id: "CM-05",
        statement: "Controls are tested by the measures that were approved in the log",
        population: "measures that held in the period; those at its end are the ones that count",
        exception: "the controls were tested by others",
        citations: &["COBIT MEA02.01", "SOC 2 CC4.1", "NIST CA-2", "NIST CM-3"],
        evidence: &["measures.proposed", "measures.approved", "measures.retired"],
    },
    Control {
        id: "AC-01",
        statement: "Whatever is done at a console is done by one named person",
        population: "events that consoles stated in the period",
        exception: "nobody is named",
        citations: &[
            "HIPAA 164.312(a)(2)(i)",
            "SOC 2 CC6.1",
            "NIST AU-3",
            "NIST IA-2",
            "PCI DSS 10.2.2",
        ],
        evidence: &["every kind that a console states"],
    },
    Control {
        id: "AC-02",
        statement: "Who may do what is reviewed regularly, and the review is signed",
        population: "reviews signed in the period, and spans without one",
        exception: "a span without a review that is longer than was agreed",
        citations: &[
            "HIPAA 164.308(a)(4)",
            "SOC 2 CC6.2",
            "SOC 2 CC6.3",
            "NIST AC-2",
            "PCI DSS 7.2.4",
        ],
        evidence: &["review.access-signed"],
    },
    Control {
        id: "AC-03",
        statement: "What takes two people is done by two",
        population: "approvals, resolutions, certifications and dispositions of the period",
        exception: "the second person is the first, or speaks of what they did themselves",
        citations: &["COBIT DSS06.03", "NIST AC-5", "SOC 2 CC6.3"],
        evidence: &[
            "job.approved",
            "incident.resolved",
            "restore.certified",
            "control.exception-disposed",
        ],
    },
    Control {
        id: "AC-04",
        statement: "Who reads what is protected, or takes evidence away, is recorded by name",
        population: "documents and registers read, snapshots looked into and restored, and evidence exported in the period",
        exception: "nobody is named",
        citations: &["HIPAA 164.308(a)(1)(ii)(D)", "HIPAA 164.312(b)", "PCI DSS 10.2.1.3"],
        evidence: &[
            "print.read",
            "form.register-read",
            "backup.looked-into",
            "backup.restored",
            "log.exported",
        ],
    },
    Control {
        id: "AC-05",
        statement: "Denied attempts are recorded, and reviewed",
        population: "denials of the period",
        exception: "no signed review covers the time",
        citations: &["HIPAA 164.308(a)(5)(ii)(C)", "PCI DSS 10.2.1.4", "NIST AU-6"],
        evidence: &["user.denied", "user.login-failed", "review.signed"],
    },
    Control {
        id: "AC-06",
        statement: "Leavers lose their access in time",
        population: "leavers of the period",
        exception: "access that outlived the leaving",
        citations: &["HIPAA 164.308(a)(3)(ii)(C)", "SOC 2 CC6.2"],
        evidence: &["user.removed"],
    },
    Control {
        id: "BK-01",
        statement: "Every dataset has a good snapshot within its RPO, at all times",
        population: "datasets defined in the period, and spans in which one had none",
        exception: "a span without a good snapshot that is longer than the RPO",
        citations: &[
            "HIPAA 164.308(a)(7)(ii)(A)",
            "COBIT DSS04.07",
            "SOC 2 A1.2",
            "ISO 27001 A.8.13",
            "NIST CP-9",
        ],
        evidence: &["dataset.approved", "backup.snapshot-created"],
    },
    Control {
        id: "BK-02",
        statement: "Backups that fail are put right",
        population: "backups that failed or are not complete, and checks that found damage, in the period",
        exception: "no good snapshot followed, or nothing was found whole since, and no review says what becomes of it",
        citations: &["HIPAA 164.308(a)(7)(ii)(A)", "COBIT DSS04.07", "SOC 2 CC7.4"],
        evidence: &[
            "run.failed",
            "backup.snapshot-created",
            "backup.check-failed",
            "backup.verified",
        ],
    },
    Control {
        id: "BK-03",
        statement: "Snapshots are verified after they are written",
        population: "snapshots created in the period",
        exception: "nothing of it was read again, then or later",
        citations: &["NIST CP-9(1)", "SOC 2 A1.3", "HIPAA 164.312(c)(1)"],
        evidence: &["backup.snapshot-created", "backup.verified"],
    },
    Control {
        id: "BK-04",
        statement: "Restores are tested, what was restored is what was saved, and somebody else certifies it",
        population: "restore tests of the period, and datasets whose test is overdue",
        exception: "a test that failed, that nobody certified, or that is overdue",
        citations: &[
            "HIPAA 164.308(a)(7)(ii)(D)",
            "SOC 2 A1.3",
            "NIST CP-9(2)",
            "NIST CP-4",
            "ISO 27001 A.8.13",
        ],
        evidence: &["restore.tested", "restore.certified"],
    },
    Control {
        id: "BK-05",
        statement: "What is saved stands in as many repositories as was agreed, at all times",
        population: "datasets that are to stand in more than one, and spans in which one did not",
        exception: "a span in which fewer held a snapshot younger than the RPO",
        citations: &["HIPAA 164.308(a)(7)(ii)(B)", "NIST CP-9(3)", "NIST CP-9(5)"],
        evidence: &["dataset.approved", "backup.snapshot-created", "backup.copied"],
    },
    Control {
        id: "BK-06",
        statement: "Snapshots are removed by an approved rule, or by two people",
        population: "removals of the period, and snapshots that were found missing in it",
        exception: "neither a rule nor a second person said so",
        citations: &["NIST CP-9(8)", "HIPAA 164.310(d)(2)(i)"],
        evidence: &[
            "backup.forgotten",
            "backup.forget-requested",
            "backup.forget-approved",
            "backup.snapshot-missing",
        ],
    },
    Control {
        id: "PR-01",
        statement: "Each number of a form is printed once, or accounted for otherwise",
        population: "documents spooled in the period, and what does not add up of their numbers",
        exception: "a number printed twice, in doubt, or missing",
        citations: &["COBIT DSS05.06", "COBIT DSS06.02"],
        evidence: &["form.allocated", "form.printed", "form.voided"],
    },
    Control {
        id: "PR-02",
        statement: "Nothing is printed again without a second person",
        population: "reprints asked for in the period, and those that nobody asked for",
        exception: "a reprint that nobody else approved",
        citations: &["COBIT DSS06.03", "COBIT DSS06.04"],
        evidence: &["print.reprint-requested", "print.reprint-approved"],
    },
    Control {
        id: "PR-03",
        statement: "What was printed is what the source counted",
        population: "documents spooled in the period, and what differs from the source's totals",
        exception: "counts, amounts or pages that differ",
        citations: &["COBIT DSS06.02", "SOC 2 PI1.4"],
        evidence: &["print.spooled", "print.completed", "form.checked"],
    },
    Control {
        id: "PR-04",
        statement: "Of each document that is sent, it is recorded what was sent, how, and that it arrived or did not",
        population: "documents spooled in the period that are to be sent to somebody",
        exception: "a delivery of which nothing is known, or that failed and nobody has tried again",
        citations: &["HIPAA 164.312(b)", "HIPAA 164.530(c)"],
        evidence: &["print.spooled", "print.delivered", "print.delivery-failed"],
    },
    Control {
        id: "LG-01",
        statement: "The log is complete and unaltered",
        population: "all events of the log, one by one",
        exception: "whatever the examination of bytes, signatures, counters and heads found",
        citations: &[
            "HIPAA 164.312(b)",
            "HIPAA 164.312(c)(1)",
            "NIST AU-9(3)",
            "NIST AU-10",
            "ISO 27001 A.8.15",
            "PCI DSS 10.3.4",
            "18 USC 1519",
        ],
        evidence: &["every kind"],
    },
    Control {
        id: "LG-02",
        statement: "Nothing of the log is gone",
        population: "all events of the log, from its first",
        exception: "events before the oldest that is there, or a position without one",
        citations: &["HIPAA 164.316(b)(2)(i)", "NIST AU-11", "PCI DSS 10.5.1", "17 CFR 210.2-06"],
        evidence: &["log.created"],
    },
    Control {
        id: "LG-03",
        statement: "Clocks agree",
        population: "events of the period",
        exception: "an event that its producer dates later than the recorder received it",
        citations: &["ISO 27001 A.8.17", "NIST AU-8", "PCI DSS 10.6"],
        evidence: &["every kind"],
    },
    Control {
        id: "LG-04",
        statement: "Every night is reviewed, and the review is signed",
        population: "reviews signed for the period, and spans without one",
        exception: "a span without a review that is longer than was agreed",
        citations: &["HIPAA 164.308(a)(1)(ii)(D)", "NIST AU-6", "PCI DSS 10.4.1"],
        evidence: &["review.signed"],
    },
    Control {
        id: "LG-05",
        statement: "The log never falls silent",
        population: "events of the period, and spans without any",
        exception: "a span without events that is longer than was agreed",
        citations: &["NIST AU-4", "NIST AU-5", "PCI DSS 10.7", "SOC 2 CC7.2"],
        evidence: &["log.head-signed"],
    },
    Control {
        id: "LG-06",
        statement: "What the log only commits to is kept for its time, and erased by its rule",
        population: "documents whose content was erased in the period, and payloads that two people wanted erased",
        exception: "content that was erased before its time without two people, that its host has lost, or that is not said to be gone seven days after they agreed",
        citations: &["GDPR 17", "HIPAA 164.502(b)"],
        evidence: &[
            "print.spooled",
            "print.changed",
            "print.erased",
            "payload.redacted",
            "payload.erased",
        ],
    },
    Control {
        id: "LG-07",
        statement: "Keys that may append are let in on a ground that is recorded",
        population: "producers let in during the period",
        exception: "no person is named who let it in",
        citations: &["NIST SC-12", "NIST AU-9"],
        evidence: &[
            "log.producer-enrolled",
            "host.invited",
            "log.producer-confirmed",
            "log.producer-revoked",
            "host.revoked",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_has_a_name_of_its_own_and_cites_something() {
        for (number, one) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE[..number].iter().all(|other| other.id != one.id), "{}", one.id);
            assert!(!one.citations.is_empty() && !one.evidence.is_empty(), "{}", one.id);
        }
    }
}
