//! A process that runs `after` even when the engine is killed: it waits on a pipe, and the end of
//! the pipe is the engine's word or the engine's death.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::child::{end, run_hook};
use crate::report::HookReport;
use crate::request::Hook;

/// The variable that makes a process of this program a guardian.
pub(crate) const GUARDIAN: &str = "DECKLOG_ENGINE_GUARDIAN";

/// The engine's end of the pipe.
pub(crate) struct Guardian {
    child: Child,
}

impl Guardian {
    /// Starts this program once more, as a guardian of a hook.
    pub(crate) fn start(hook: &Hook) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).env(GUARDIAN, "1").process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let json = serde_json::to_string(hook)?;
        if let Some(pipe) = &mut child.stdin {
            writeln!(pipe, "{json}")?;
        }
        Ok(Self { child })
    }

    /// Says which process group has to end when the engine dies.
    pub(crate) fn watch(&mut self, group: u32) {
        if let Some(pipe) = &mut self.child.stdin {
            let _ = writeln!(pipe, "child {group}");
        }
    }

    /// Says that the group has ended by itself.
    pub(crate) fn forget(&mut self) {
        self.watch(0);
    }

    /// Lets it run the hook now.
    pub(crate) fn run(mut self) -> io::Result<HookReport> {
        drop(self.child.stdin.take());
        let mut report = None;
        if let Some(out) = self.child.stdout.take() {
            for line in BufReader::new(out).lines() {
                report = serde_json::from_str(&line?).ok().or(report);
            }
        }
        self.child.wait()?;
        report.ok_or_else(|| io::Error::other("the guardian said nothing"))
    }
}

/// Whether this process was started as a guardian.
pub(crate) fn is_guardian() -> bool {
    std::env::var_os(GUARDIAN).is_some()
}

/// Waits for the end of standard input, then runs the hook.
pub(crate) fn guard() -> io::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let first = lines.next().ok_or_else(|| io::Error::other("no hook was given"))??;
    let hook: Hook = serde_json::from_str(&first)?;
    let mut group = 0;
    for line in lines.map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("child ") {
            group = number.parse().unwrap_or(0);
        }
    }
    if group > 1 {
        end(group, Signal::SIGKILL);
    }
    let report = run_hook(&hook, |_| {});
    let mut json = serde_json::to_vec(&report)?;
    json.push(b'\n');
    // An engine that was killed reads this no more.
    let _ = io::stdout().lock().write_all(&json);
    Ok(())
}
