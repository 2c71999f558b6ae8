//! What a printer says of a job, and what that means when it has ended.

use std::fmt;

use crate::wire::Attributes;

/// A job's number at one printer (job-id, RFC 8011 §5.3). It may begin anew after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(
    /// 1 and up.
    pub u32,
);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// job-state (RFC 8011 §5.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// 3: waits for its turn.
    Pending,
    /// 4: waits for somebody, or for its document.
    Held,
    /// 5: is printed.
    Processing,
    /// 6: is being printed, and something is in the way.
    Stopped,
    /// 7: somebody ended it.
    Canceled,
    /// 8: the printer ended it.
    Aborted,
    /// 9: ended; see [`JobFacts::end`] for how.
    Completed,
}

impl JobState {
    fn read(code: i32) -> Option<Self> {
        match code {
            3 => Some(JobState::Pending),
            4 => Some(JobState::Held),
            5 => Some(JobState::Processing),
            6 => Some(JobState::Stopped),
            7 => Some(JobState::Canceled),
            8 => Some(JobState::Aborted),
            9 => Some(JobState::Completed),
            _ => None,
        }
    }

    /// Its word in RFC 8011.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Pending => "pending",
            JobState::Held => "pending-held",
            JobState::Processing => "processing",
            JobState::Stopped => "processing-stopped",
            JobState::Canceled => "canceled",
            JobState::Aborted => "aborted",
            JobState::Completed => "completed",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a printer says of a job (RFC 8011 §5.3). What it does not say is `None`; nothing is guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFacts {
    /// job-id.
    pub id: JobId,
    /// job-name. A printer may hide it from others than the owner.
    pub name: Option<String>,
    /// job-originating-user-name.
    pub user: Option<String>,
    /// job-uri.
    pub uri: Option<String>,
    /// job-uuid (PWG 5100.13).
    pub uuid: Option<String>,
    /// job-state.
    pub state: JobState,
    /// job-state-reasons as sent, without `none`.
    pub reasons: Vec<String>,
    /// job-state-message.
    pub message: Option<String>,
    /// job-impressions: how many it takes the job to have, as it was told or as it counted.
    pub impressions: Option<u32>,
    /// job-impressions-completed: how many it counted (§5.3.18.2). One side of one sheet is one.
    pub impressions_completed: Option<u32>,
    /// job-media-sheets.
    pub media_sheets: Option<u32>,
    /// job-media-sheets-completed: how many sheets it counted (§5.3.18.3).
    pub media_sheets_completed: Option<u32>,
    /// time-at-creation: seconds of the printer's up-time; 0 or less if that was before it was switched on (§5.3.14).
    pub created_at: Option<i32>,
    /// time-at-completed, likewise.
    pub completed_at: Option<i32>,
    /// job-printer-up-time: seconds since the printer was switched on, when it said this.
    pub up_time: Option<i32>,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HowEnded {
    /// Completed, and nothing else is said.
    Completed,
    /// Completed with job-completed-with-warnings.
    CompletedWithWarnings,
    /// Completed with job-completed-with-errors: pages may be missing or spoiled.
    CompletedWithErrors,
    /// Given on to another device (queued-in-device, RFC 8011 §5.3.7.1): nobody here knows whether it is on paper.
    GivenOn,
    /// The printer gave up.
    Aborted,
    /// Somebody cancelled it.
    Canceled,
}

/// The end of a job, and what the printer counted until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// How.
    pub how: HowEnded,
    /// Impressions counted. `None` when the printer does not count, which is not none.
    pub impressions: Option<u32>,
    /// Sheets counted.
    pub sheets: Option<u32>,
    /// Reasons as sent.
    pub reasons: Vec<String>,
    /// Whether the printer has come to rest. While it says processing-to-stop-point (RFC 8011 §5.3.8) it may still
    /// move paper and count: look again, but not for ever, because CUPS before 2.4.8 says it of every job that ended
    /// (OpenPrinting/cups#828).
    pub settled: bool,
}

impl JobFacts {
    /// What to ask for (requested-attributes).
    pub(crate) const REQUESTED: [&'static str; 15] = [
        "job-id",
        "job-name",
        "job-originating-user-name",
        "job-uri",
        "job-uuid",
        "job-state",
        "job-state-reasons",
        "job-state-message",
        "job-impressions",
        "job-impressions-completed",
        "job-media-sheets",
        "job-media-sheets-completed",
        "time-at-creation",
        "time-at-completed",
        "job-printer-up-time",
    ];

    /// Reads them; the error says what is missing.
    pub(crate) fn read(from: &Attributes) -> Result<Self, String> {
        let id = job_id(from).ok_or("a job without a job-id")?;
        let state = from.integer("job-state").ok_or("a job without a job-state")?;
        let state = JobState::read(state).ok_or_else(|| format!("job-state {state} is none"))?;
        Ok(JobFacts {
            id,
            name: from.text("job-name"),
            user: from.text("job-originating-user-name"),
            uri: from.text("job-uri"),
            uuid: from.text("job-uuid"),
            state,
            reasons: reasons(from, "job-state-reasons"),
            message: from.text("job-state-message"),
            impressions: from.count("job-impressions"),
            impressions_completed: from.count("job-impressions-completed"),
            media_sheets: from.count("job-media-sheets"),
            media_sheets_completed: from.count("job-media-sheets-completed"),
            created_at: from.integer("time-at-creation"),
            completed_at: from.integer("time-at-completed"),
            up_time: from.integer("job-printer-up-time"),
        })
    }

    /// Whether a reason is among those sent.
    pub fn has_reason(&self, reason: &str) -> bool {
        self.reasons.iter().any(|said| said == reason)
    }

    /// Whether this is the job of that name. A printer that hides names says neither yes nor no: that is no.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// How it ended; nothing, while it has not.
    pub fn end(&self) -> Option<JobEnd> {
        let how = match self.state {
            JobState::Pending | JobState::Held | JobState::Processing | JobState::Stopped => {
                return None;
            }
            JobState::Canceled => HowEnded::Canceled,
            JobState::Aborted => HowEnded::Aborted,
            JobState::Completed => self.how_completed(),
        };
        Some(JobEnd {
            how,
            impressions: self.impressions_completed,
            sheets: self.media_sheets_completed,
            reasons: self.reasons.clone(),
            settled: !self.has_reason("processing-to-stop-point"),
        })
    }

    fn how_completed(&self) -> HowEnded {
        let said = |name: &str| self.reasons.iter().any(|reason| reason.ends_with(name));
        if said("completed-with-errors") {
            HowEnded::CompletedWithErrors
        } else if said("queued-in-device") {
            HowEnded::GivenOn
        } else if said("completed-with-warnings") {
            HowEnded::CompletedWithWarnings
        } else {
            HowEnded::Completed
        }
    }
}

/// A job's number in an answer.
pub(crate) fn job_id(from: &Attributes) -> Option<JobId> {
    from.count("job-id").filter(|id| *id > 0).map(JobId)
}

/// Keywords of a state, without the one that says there are none.
pub(crate) fn reasons(from: &Attributes, name: &str) -> Vec<String> {
    from.texts(name).into_iter().filter(|reason| reason != "none").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: JobState, reasons: &[&str]) -> JobFacts {
        JobFacts {
            id: JobId(1),
            name: None,
            user: None,
            uri: None,
            uuid: None,
            state,
            reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            message: None,
            impressions: Some(7),
            impressions_completed: Some(2),
            media_sheets: None,
            media_sheets_completed: None,
            created_at: None,
            completed_at: None,
            up_time: None,
        }
    }

    #[test]
    fn how_a_job_ended_is_read_from_state_and_reasons() {
        for (state, reasons, how) in [
            (JobState::Completed, &["job-completed-successfully"][..], HowEnded::Completed),
            (JobState::Completed, &[], HowEnded::Completed),
            (
                JobState::Completed,
                &["job-completed-with-warnings"],
                HowEnded::CompletedWithWarnings,
            ),
            (JobState::Completed, &["job-completed-with-errors"], HowEnded::CompletedWithErrors),
            (JobState::Completed, &["queued-in-device"], HowEnded::GivenOn),
            (
                JobState::Completed,
                &["queued-in-device", "job-completed-with-errors"],
                HowEnded::CompletedWithErrors,
            ),
            (JobState::Aborted, &["aborted-by-system"], HowEnded::Aborted),
            (JobState::Canceled, &["job-canceled-by-user"], HowEnded::Canceled),
        ] {
            let end = job(state, reasons).end().unwrap();
            assert_eq!((end.how, end.impressions), (how, Some(2)), "{reasons:?}");
        }
    }

    #[test]
    fn a_job_that_waits_or_is_printed_has_not_ended() {
        for state in [JobState::Pending, JobState::Held, JobState::Processing, JobState::Stopped] {
            assert_eq!(job(state, &["job-canceled-by-user"]).end(), None, "{state}");
        }
    }

    #[test]
    fn a_job_that_ended_may_still_move_paper() {
        let settled = |reasons| job(JobState::Canceled, reasons).end().unwrap().settled;
        assert!(settled(&["job-canceled-by-user"]));
        assert!(!settled(&["job-canceled-by-user", "processing-to-stop-point"]));
    }
}
