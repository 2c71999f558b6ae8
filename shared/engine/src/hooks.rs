//! The commands before and after a backup.

use crate::child::run_hook;
use crate::context::Context;
use crate::engine::Answer;
use crate::guardian::Guardian;
use crate::problem::{Problem, io};
use crate::report::{Done, HookReport, Outcome, ProblemKind};
use crate::request::{Backup, Hook};

/// Runs `before`, backs up, and runs `after` whatever happened in between.
pub(crate) fn around(
    asked: &Backup,
    context: &Context,
    back_up: impl FnOnce() -> Answer,
) -> Answer {
    let mut hooks = Hooks::start(asked, context)?;
    let before = hooks.before();
    let answer = match &before {
        Ok(_) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(back_up)),
        Err(problem) => Ok(Err(problem.clone())),
    };
    let after = hooks.after();
    let answer = answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    told(answer, before.ok().flatten(), after)
}

/// Puts into the report how the hooks ended; an `after` that failed makes a good backup incomplete.
fn told(answer: Answer, before: Option<HookReport>, after: Option<HookReport>) -> Answer {
    let mut ended = answer?;
    let failed = after.as_ref().filter(|report| report.exit != 0 || report.timed_out).cloned();
    if let Done::Backup(report) = &mut ended.done {
        report.before = before;
        report.after = after;
    }
    if let (Some(report), Outcome::Good) = (failed, ended.outcome) {
        let message = format!(
            "the snapshot is good, but the command after it failed with {}: {}",
            report.exit, report.output
        );
        ended.outcome = Outcome::Incomplete;
        ended.problem = Some(Problem::new(ProblemKind::Hook, message));
    }
    Ok(ended)
}

/// The hooks of one backup.
struct Hooks<'a> {
    asked: &'a Backup,
    context: &'a Context,
    guardian: Option<Guardian>,
}

impl<'a> Hooks<'a> {
    /// Starts a guardian where there is something to guard.
    fn start(asked: &'a Backup, context: &'a Context) -> Result<Self, Problem> {
        let guarded = asked.after.as_ref().filter(|_| context.guarded);
        let guardian = guarded.map(|hook| Guardian::start(Some(hook))).transpose();
        let tried = "starting the guardian of the command after the backup";
        let guardian = guardian.map_err(io(ProblemKind::Hook, tried))?;
        Ok(Self { asked, context, guardian })
    }

    /// Runs `before`; when it fails nothing may be backed up.
    fn before(&mut self) -> Result<Option<HookReport>, Problem> {
        let Some(hook) = &self.asked.before else { return Ok(None) };
        self.context.meter.phase("before", 0);
        let mut running = 0;
        let report = run_hook(hook, |group| {
            running = group;
            self.context.cancel.add_group(group);
            if let Some(guardian) = &mut self.guardian {
                guardian.watch(group);
            }
        });
        self.context.cancel.remove_group(running);
        if let Some(guardian) = &mut self.guardian {
            guardian.forget();
        }
        self.context.cancel.check()?;
        if report.exit == 0 && !report.timed_out {
            return Ok(Some(report));
        }
        Err(Problem::new(ProblemKind::Hook, why(hook, &report)))
    }

    /// Runs `after`, through the guardian if there is one: so it runs once, whoever dies.
    fn after(self) -> Option<HookReport> {
        let hook = self.asked.after.as_ref()?;
        self.context.meter.phase("after", 0);
        let report = match self.guardian.map(Guardian::run) {
            None => run_hook(hook, |_| {}),
            Some(Ok(report)) => report,
            Some(Err(error)) => {
                HookReport { exit: 127, output: error.to_string(), ..HookReport::default() }
            }
        };
        if report.exit != 0 || report.timed_out {
            self.context.warn(None, format!("after the backup: {}", report.output));
        }
        Some(report)
    }
}

fn why(hook: &Hook, report: &HookReport) -> String {
    let how = if report.timed_out {
        format!("took longer than {} ms", hook.timeout_ms)
    } else {
        format!("ended with exit code {}", report.exit)
    };
    format!(
        "nothing was backed up: the command before it, {:?}, {how} ({})",
        hook.argv, report.output
    )
}
