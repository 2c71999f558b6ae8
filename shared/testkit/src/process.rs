//! A program as a child of the test: its output, its signals, its end.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::wait;

/// A running program. Its standard output and error go to files, so it never waits for a reader.
/// Dropping it kills it, by its process id.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    name: String,
    output: TempDir,
}

impl Daemon {
    /// Starts `command` with no standard input.
    ///
    /// # Errors
    /// If the program cannot be started; the error says what was tried.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Daemon> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = tempfile::Builder::new().prefix("decklog-output-").tempdir()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(output.path().join("stdout"))?)
            .stderr(File::create(output.path().join("stderr"))?)
            .spawn()
            .with_context(|| format!("could not start {name}: {}", crate::RUN_SETUP))?;
        Ok(Daemon { child, name, output })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything written so far: standard output first, then standard error.
    pub fn output(&self) -> String {
        let read = |path: PathBuf| std::fs::read(path).unwrap_or_default();
        let mut all = read(self.output.path().join("stdout"));
        all.extend(read(self.output.path().join("stderr")));
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Whether the program has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until a line that contains `substring` was written, and returns it.
    ///
    /// # Errors
    /// After `timeout`, or as soon as the program ended without it; the error carries the output.
    pub fn wait_for_line(&mut self, substring: &str, timeout: Duration) -> anyhow::Result<String> {
        let mut found = None;
        let waited = wait::until(&format!("a line with {substring:?}"), timeout, || {
            // Asked first: what a program wrote before it ended is then already in its files.
            let ended = !self.is_running();
            found = find_line(&self.output(), substring);
            found.is_some() || ended
        });
        match found {
            Some(line) => Ok(line),
            None => {
                let why = waited.map_or_else(|e| e.to_string(), |()| "it ended".to_owned());
                anyhow::bail!("{} never said {substring:?}: {why}\n{}", self.name, self.output())
            }
        }
    }

    /// Sends a signal. A program that has ended already is no error.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // The child is not reaped yet, so its id cannot belong to anybody else.
            let pid = i32::try_from(self.child.id()).unwrap_or(0);
            if pid > 0 {
                kill(Pid::from_raw(pid), signal).ok();
            }
        }
    }

    /// Asks it to end: SIGTERM. Does not wait; see [`Daemon::wait_for_end`].
    pub fn term(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// If the operating system cannot say how it ended.
    pub fn kill9(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        Ok(self.child.wait()?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// After `timeout`; the error carries the output.
    pub fn wait_for_end(&mut self, timeout: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, timeout, || !self.is_running()).with_context(|| self.output())?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill9().ok();
    }
}

fn find_line(output: &str, substring: &str) -> Option<String> {
    output.lines().find(|line| line.contains(substring)).map(str::to_owned)
}
