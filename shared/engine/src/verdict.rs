//! What both engines say of what was done or asked, by the same rules and in the same words.

use crate::engine::Ended;
use crate::problem::Problem;
use crate::report::{BackupReport, CopyReport, Done, Outcome, ProblemKind};
use crate::request::Secrets;

/// How a backup ended that wrote a snapshot: whether that is there, reads back, and holds all of the source.
pub(crate) fn backup(report: BackupReport) -> Ended {
    let checked = report.check.as_ref().is_some_and(|check| check.good);
    let seconded = report.second.as_ref().is_none_or(|second| second.good);
    let good = checked && seconded && !report.tree.is_empty();
    let errors = report.errors.count;
    let done = Done::Backup(Box::new(report));
    if !good {
        let message = "the snapshot was written, but it does not read back as the source was read: \
                       do not rely on it; check the repository and back up anew";
        return Ended::with(done, Outcome::Failed, ProblemKind::Damaged, message);
    }
    if errors > 0 {
        let message = format!(
            "{errors} files or directories of the source could not be read and are missing"
        );
        return Ended::with(done, Outcome::Incomplete, ProblemKind::Source, message);
    }
    Ended::good(done)
}

/// How a copy ended whose snapshots are all there.
pub(crate) fn copy(report: CopyReport) -> Ended {
    if report.check.as_ref().is_some_and(|check| check.good) {
        return Ended::good(Done::Copy(report));
    }
    let message = "copying: the copies are not whole; check the first repository and copy anew";
    Ended::with(Done::Copy(report), Outcome::Failed, ProblemKind::Damaged, message)
}

/// The copy of a snapshot is not there, although copying ended well.
pub(crate) fn not_copied(id: &str) -> Problem {
    let message = format!("copying {id}: it is not in the other repository afterwards");
    Problem::new(ProblemKind::Damaged, message)
}

/// Refuses to forget nothing; nothing has been removed then.
pub(crate) fn some_to_forget(asked: &[String]) -> Result<(), Problem> {
    if !asked.is_empty() {
        return Ok(());
    }
    let message = "forgetting snapshots: none is named; nothing was removed";
    Err(Problem::new(ProblemKind::BadRequest, message))
}

/// Refuses to forget where one of them is not there; nothing has been removed then.
pub(crate) fn all_to_forget(
    asked: &[String],
    is_there: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let strange: Vec<&str> = asked.iter().map(String::as_str).filter(|id| !is_there(id)).collect();
    if strange.is_empty() {
        return Ok(());
    }
    let message =
        format!("forgetting snapshots: not there: {}; nothing was removed", strange.join(", "));
    Err(Problem::new(ProblemKind::NotFound, message))
}

/// Refuses to create a repository that everybody could read.
pub(crate) fn has_password(secrets: &Secrets) -> Result<(), Problem> {
    if !secrets.password.is_empty() {
        return Ok(());
    }
    let message = "creating a repository: no password is given; set one in the secrets";
    Err(Problem::new(ProblemKind::BadRequest, message))
}
