//! Documents with realistic data.

use paper::{
    Change, CoverSheet, DailyHead, DatasetAtRisk, Exception, Figure, Imprint, MorningReview,
    Parameter, Sheet, UndeliveredPrint,
};

/// The checkpoint of [`head`], signed by the log and one witness.
pub(crate) const CHECKPOINT: &str = "\
log.nordbank.example/decklog
1284902
qjaPAhzovyuV1lZqqLTzaJcJbmWD5ZJ0/EZhY9k6tlg=

— log.nordbank.example/decklog Gk9bAVXU3i1ZT6GxYl9oDQnRz0gcNmo4ps0sCSzw8HmkqyA5x4wWJSpYy8cm3s2FfC1kRrC0SY4m2oLx7aQe1rU2Jwk=
— witness.audit-office.example Nq8rEwAAAABpK4x+o5yQ0f9Kcm1sBLwYJH8n2fS3u0TnI1bXG4s7pWq6vEjv9PzR8aY2cQm5oDkLx3ThUeZg4iVbNs1KyOdM5w==
";

fn figure(value: &str, label: &str) -> Figure {
    Figure { label: label.into(), value: value.into() }
}

pub(crate) fn imprint() -> Imprint {
    Imprint {
        reader: "Dr. Margarethe Öztürk-Łukaszewska, Internal Audit".into(),
        made_by: "decklog 0.1.0 on batch-a.nordbank.example".into(),
        made_at: "2026-11-30T06:00:04+01:00".into(),
        position: 1_284_902,
        as_of: "29 November 2026, 23:59:58 Europe/Berlin".into(),
    }
}

pub(crate) fn head(sheet: Sheet) -> DailyHead {
    DailyHead {
        sheet,
        site: "Nordbank · Batch operations".into(),
        day: "Sunday, 29 November 2026".into(),
        checkpoint: CHECKPOINT.into(),
        figures: vec![
            figure("3,118", "events recorded"),
            figure("412", "runs"),
            figure("3", "not as planned"),
            figure("2", "changes by people"),
        ],
        verify: "decklog-verify consistency --since head-2026-11-29.txt --log https://log.nordbank.example --key log.pub".into(),
        imprint: imprint(),
    }
}

pub(crate) fn quiet_review(sheet: Sheet) -> MorningReview {
    MorningReview {
        sheet,
        site: "Nordbank · Batch operations".into(),
        day: "Monday, 30 November 2026".into(),
        span: "The night from 29 November 18:00 to 30 November 06:00, Europe/Berlin".into(),
        night: "All 412 runs that were due ended well, the last at 05:12; 38 datasets were saved \
                and 2 restore tests passed."
            .into(),
        figures: vec![
            figure("412", "runs due"),
            figure("412", "ended well"),
            figure("38", "datasets saved"),
            figure("2 of 2", "restore tests"),
        ],
        imprint: imprint(),
        ..MorningReview::default()
    }
}

fn exception(cells: [&str; 7]) -> Exception {
    let [job, due, state, lateness, host, error, advice] = cells.map(String::from);
    Exception { job, due, state, lateness, host, error, advice }
}

pub(crate) fn review(sheet: Sheet) -> MorningReview {
    MorningReview {
        night: "Of 412 runs that were due 409 ended well, 2 failed and 1 was never started; 37 of \
                38 datasets were saved, and 1 of 61 prints did not reach its reader."
            .into(),
        figures: vec![
            figure("412", "runs due"),
            figure("409", "ended well"),
            figure("3", "exceptions"),
            figure("37 of 38", "datasets saved"),
        ],
        exceptions: vec![
            exception([
                "ledger-close-daily",
                "30 Nov 01:30",
                "failed, exit 3",
                "3 h 12 min",
                "batch-a",
                "ORA-01555: snapshot too old: rollback segment number 9 with name \"_SYSSMU9_1650507775$\" too small",
                "Ask the database team to lengthen undo retention, then run again from step 3: decklog run retry ledger-close-daily",
            ]),
            exception([
                "überweisungen/sepa-ausgang-Βορράς-Север",
                "30 Nov 02:00",
                "not started",
                "4 h",
                "batch-b",
                "no executor of pool payments was heard since 01:47",
                "Find out why batch-b is silent. The cut-off at the clearing house is 09:00.",
            ]),
            exception([
                "statement-archive",
                "30 Nov 03:15",
                "failed, exit 1",
                "2 h 45 min",
                "batch-a",
                "/srv/archive/2026/11/29/statements/part-00017-of-00064.afp.gz.tmp: No space left on device",
                "Free 40 GB on batch-a:/srv/archive or move its retention forward.",
            ]),
        ],
        datasets: vec![DatasetAtRisk {
            dataset: "ledger-postgres".into(),
            last_good: "28 Nov 22:04".into(),
            age: "1 d 7 h 56 min".into(),
            allowed: "26 h".into(),
            why: "The save of 29 November waited for ledger-close-daily and ran out of its window."
                .into(),
            advice: "It is saved again as soon as A1 has ended well.".into(),
        }],
        prints: vec![UndeliveredPrint {
            document: "Cheque run 2026-11-29, 214 cheques".into(),
            recipient: "Treasury, K. Ångström".into(),
            printer: "micr-2.floor3".into(),
            state: "unknown since 03:41".into(),
            why: "The printer was lost after sheet 117 of 214; it never said how many it printed."
                .into(),
            advice: "Count the sheets in the tray, then reconcile the numbers 004117 to 004330."
                .into(),
        }],
        changes: vec![
            Change {
                at: "29 Nov 19:12".into(),
                what: "paused until 07:00".into(),
                subject: "job crm-sync".into(),
                who: "Ioannis Παπαδόπουλος".into(),
                reason: "CRM is being moved, change CHG-20914".into(),
            },
            Change {
                at: "29 Nov 21:40".into(),
                what: "calendar changed".into(),
                subject: "calendar target2".into(),
                who: "Олена Шевченко, approved by J. Meyer".into(),
                reason: "Closing days of 2027".into(),
            },
        ],
        ..quiet_review(sheet)
    }
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter { name: name.into(), value: value.into() }
}

pub(crate) fn cover(sheet: Sheet) -> CoverSheet {
    CoverSheet {
        sheet,
        site: "Nordbank · Batch operations".into(),
        day: "Monday, 30 November 2026".into(),
        title: "All changes of jobs in the third quarter of 2026".into(),
        parameters: vec![
            parameter("Kinds of event", "job.defined, job.approved, job.retired"),
            parameter("From", "1 July 2026, 00:00 Europe/Berlin"),
            parameter("Until", "30 September 2026, 24:00 Europe/Berlin"),
            parameter("Jobs", "all, tests and retired jobs too"),
            parameter("Order", "position in the log"),
        ],
        asked_by: "Dr. Margarethe Öztürk-Łukaszewska, Internal Audit".into(),
        asked_at: "30 November 2026, 05:58 Europe/Berlin".into(),
        source: "log.nordbank.example/decklog".into(),
        records: 1_746,
        file: "job-changes-2026-q3.csv".into(),
        bytes: 418_233,
        sha256: std::array::from_fn(|i| u8::try_from((i * 151 + 77) % 256).unwrap_or(0)),
        completeness: vec![
            "Positions of the log have no gaps; all 1,284,902 events up to the position named below were read, and 1,746 of them are of the kinds and the span that were asked for.".into(),
            "Nothing was left out: the question has no limit, and no record was unreadable.".into(),
        ],
        accuracy: vec![
            "The tree of all events read has the root that the log and its witness signed; each record of the file names its position and the hash of its leaf.".into(),
        ],
        verify: "decklog-verify file job-changes-2026-q3.csv --head head-2026-11-29.txt --key log.pub".into(),
        imprint: imprint(),
    }
}
