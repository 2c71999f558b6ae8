//! The commands before and after a backup.

use crate::child::run_hook;
use crate::context::Context;
use crate::guardian::Guardian;
use crate::problem::{Problem, io};
use crate::report::{HookReport, ProblemKind};
use crate::request::{Backup, Hook};

/// The hooks of one backup.
pub(crate) struct Hooks<'a> {
    asked: &'a Backup,
    context: &'a Context,
    guardian: Option<Guardian>,
}

impl<'a> Hooks<'a> {
    /// Starts a guardian where there is something to guard.
    pub(crate) fn start(asked: &'a Backup, context: &'a Context) -> Result<Self, Problem> {
        let guarded = asked.after.as_ref().filter(|_| context.guarded);
        let guardian = guarded.map(Guardian::start).transpose();
        let tried = "starting the guardian of the command after the backup";
        let guardian = guardian.map_err(io(ProblemKind::Hook, tried))?;
        Ok(Self { asked, context, guardian })
    }

    /// Runs `before`; when it fails nothing may be backed up.
    pub(crate) fn before(&mut self) -> Result<Option<HookReport>, Problem> {
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
        Err(Problem::new(ProblemKind::Hook, told(hook, &report)))
    }

    /// Runs `after`, through the guardian if there is one: so it runs once, whoever dies.
    pub(crate) fn after(self) -> Option<HookReport> {
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

fn told(hook: &Hook, report: &HookReport) -> String {
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
