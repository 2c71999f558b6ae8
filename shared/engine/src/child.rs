//! Commands around a backup: without our secrets, in a process group of their own.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::context::lock;
use crate::report::HookReport;
use crate::request::Hook;

/// Variables that no command may see.
const SECRETS: [&str; 10] = [
    crate::process::PASSWORD,
    crate::process::COPY_PASSWORD,
    crate::process::REPORT,
    crate::guardian::GUARDIAN,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "RESTIC_PASSWORD",
    "RESTIC_REST_USERNAME",
    "RESTIC_REST_PASSWORD",
];

/// Bytes kept of what a command writes for people.
const TAIL: usize = 2048;
/// How long a command that is asked to end may take.
const GRACE: Duration = Duration::from_secs(5);
/// How long the last output of an ended command is waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A command with an environment that holds none of our secrets; none when there is no program.
pub(crate) fn command(argv: &[String], env: &BTreeMap<String, String>) -> io::Result<Command> {
    let (program, arguments) =
        argv.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(env).stdin(Stdio::null()).process_group(0);
    for secret in SECRETS {
        command.env_remove(secret);
    }
    Ok(command)
}

/// Ends a process group.
pub(crate) fn end(group: u32, signal: Signal) {
    if let Ok(group) = i32::try_from(group) {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

/// The end of what a command wrote.
#[derive(Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    /// Reads on a thread of its own until nobody writes any more.
    pub(crate) fn follow(&self, mut from: PipeReader) -> Receiver<()> {
        let (done, ended) = channel();
        let tail = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let mut kept = lock(&tail.0);
                kept.extend_from_slice(&buffer[..read]);
                let much = kept.len().saturating_sub(TAIL);
                kept.drain(..much);
            }
            let _ = done.send(());
        });
        ended
    }

    /// What it holds, with the last words of a command that has just ended.
    pub(crate) fn text(&self, ended: &Receiver<()>) -> String {
        let _ = ended.recv_timeout(LAST_WORDS);
        String::from_utf8_lossy(&lock(&self.0)).trim().to_owned()
    }
}

/// An exit code, or 128 and the signal.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Runs a hook to its end or its timeout; `started` hears its process group.
pub(crate) fn run_hook(hook: &Hook, started: impl FnOnce(u32)) -> HookReport {
    let began = Instant::now();
    let mut report = attempt(hook, started).unwrap_or_else(|error| HookReport {
        exit: 127,
        output: format!("cannot be started: {error}"),
        ..HookReport::default()
    });
    report.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

fn attempt(hook: &Hook, started: impl FnOnce(u32)) -> io::Result<HookReport> {
    let (reader, writer) = io::pipe()?;
    let mut command = command(&hook.argv, &hook.env)?;
    let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    drop(command);
    started(child.id());
    let tail = Tail::default();
    let silent = tail.follow(reader);
    let (status, timed_out) = wait(child, Duration::from_millis(hook.timeout_ms))?;
    let output = tail.text(&silent);
    Ok(HookReport { exit: code(status), timed_out, took_ms: 0, output })
}

/// Waits for a child, and ends its group when it takes too long.
fn wait(mut child: Child, timeout: Duration) -> io::Result<(ExitStatus, bool)> {
    let group = child.id();
    let (done, ended) = channel();
    std::thread::spawn(move || done.send(child.wait()));
    if let Ok(status) = ended.recv_timeout(timeout) {
        return Ok((status?, false));
    }
    end(group, Signal::SIGTERM);
    if let Ok(status) = ended.recv_timeout(GRACE) {
        return Ok((status?, true));
    }
    end(group, Signal::SIGKILL);
    let status = ended.recv().map_err(|_| io::Error::other("nobody waits for it"))?;
    Ok((status?, true))
}
