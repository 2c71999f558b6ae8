//! A process that outlives an engine that is killed: it waits on a pipe, and the end of the pipe is the engine's word
//! or the engine's death.
//!
//! It ends the processes of a dead engine, runs the command after a backup, and holds the pipes open whose end would
//! be taken for the end of the data.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::child::{end, run_hook};
use crate::report::HookReport;
use crate::request::Hook;

/// The variable that makes a process of this program a guardian.
pub(crate) const GUARDIAN: &str = "DECKLOG_ENGINE_GUARDIAN";

/// How long a killed process may take to be gone, and how long between two looks at it.
const GONE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(5));

/// The engine's end of the pipe.
pub(crate) struct Guardian {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Guardian {
    /// Starts this program once more, as a guardian; `after` is what it runs in the end.
    pub(crate) fn start(after: Option<&Hook>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).env(GUARDIAN, "1").process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let json = serde_json::to_string(&after)?;
        let mut guardian = Self { child, out: BufReader::new(out) };
        guardian.say(&json)?;
        Ok(guardian)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(pipe) => writeln!(pipe, "{line}"),
            None => Err(io::Error::other("the guardian hears nothing any more")),
        }
    }

    /// Says which process group has to end when the engine dies.
    pub(crate) fn watch(&mut self, group: u32) {
        let _ = self.say(&format!("child {group}"));
    }

    /// Says that the group has ended by itself.
    pub(crate) fn forget(&mut self) {
        self.watch(0);
    }

    /// Has it hold the writing end of a pipe, so that whoever reads sees no end when the engine dies.
    pub(crate) fn hold(&mut self, pipe: &Path) -> io::Result<()> {
        self.say(&format!("hold {}", pipe.display()))?;
        self.heard("held")
    }

    /// Has it let go of what it holds.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        self.say("release")?;
        self.heard("released")
    }

    /// Waits for its word; what its program writes before it becomes a guardian is passed over.
    fn heard(&mut self, word: &str) -> io::Result<()> {
        let mut line = String::new();
        while self.out.read_line(&mut line)? > 0 {
            if line.trim_end().ends_with(word) {
                return Ok(());
            }
            line.clear();
        }
        Err(io::Error::other(format!("the guardian ended before it said {word:?}")))
    }

    /// Lets it run the hook now.
    pub(crate) fn run(mut self) -> io::Result<HookReport> {
        drop(self.child.stdin.take());
        let mut report = None;
        for line in self.out.lines() {
            report = serde_json::from_str(&line?).ok().or(report);
        }
        self.child.wait()?;
        report.ok_or_else(|| io::Error::other("the guardian said nothing"))
    }

    /// Lets it go; nothing is run.
    pub(crate) fn dismiss(mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
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
    let hook: Option<Hook> = serde_json::from_str(&first)?;
    let mut group = 0;
    let mut held = Vec::new();
    for line in lines.map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("child ") {
            group = number.parse().unwrap_or(0);
        } else if let Some(path) = line.strip_prefix("hold ") {
            held.push(hold(path)?);
        } else if line == "release" {
            held.clear();
            answer(b"released\n");
        }
    }
    if group > 1 {
        end(group, Signal::SIGKILL);
    }
    if !held.is_empty() {
        wait_until_gone(group);
        drop(held);
    }
    let Some(hook) = hook else { return Ok(()) };
    let mut json = serde_json::to_vec(&run_hook(&hook, |_| {}))?;
    json.push(b'\n');
    answer(&json);
    Ok(())
}

/// Writes to the engine; one that was killed reads this no more.
fn answer(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn hold(path: &str) -> io::Result<File> {
    let file = OpenOptions::new().write(true).open(path)?;
    answer(b"held\n");
    Ok(file)
}

/// Waits until a killed process runs no more: a signal takes effect a moment after it was sent.
fn wait_until_gone(process: u32) {
    let began = Instant::now();
    let runs = || {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
    };
    while runs() && began.elapsed() < GONE.0 {
        std::thread::sleep(GONE.1);
    }
}
