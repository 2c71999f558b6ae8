//! Asking a provider for a secret: a program of the host's own list, which prints it.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::Signal;

use super::launch::{Account, PATH, marks};
use super::proc;
use super::spec::Spec;
use super::supervisors::any_ready;
use settings::secret::{CREDENTIALS, SECRET_BYTES_MAX};

/// How long a provider may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long what is killed may take to be gone.
const DYING: Duration = Duration::from_secs(1);

/// Runs a provider and gives what it prints. `wake` becomes readable after every signal; `woken` is told so, and
/// says whether to give up.
///
/// # Errors
/// What it did instead, without a byte of what it printed.
pub(crate) fn ask(
    words: &[String],
    spec: &Spec,
    wake: &impl AsFd,
    woken: impl FnMut() -> bool,
) -> Result<Vec<u8>, String> {
    let mut child = start(words, spec).map_err(|error| format!("cannot be started: {error}"))?;
    let mut asked = Asked { wake, woken, deadline: Instant::now() + LIMIT };
    let answer = match child.stdout.take() {
        Some(output) => asked.answer(&mut child, output),
        None => Err("has no output".to_owned()),
    };
    clear_away(&mut child);
    answer
}

/// With the marks of its attempt: if its supervisor is killed, it is found and ended like a command.
fn start(words: &[String], spec: &Spec) -> io::Result<Child> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let marks = marks(spec);
    let marks = marks.iter().filter_map(|mark| mark.split_once('='));
    let credentials = std::env::var_os(CREDENTIALS).map(|dir| (CREDENTIALS, dir));
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(Account::handed_on().environment())
        .envs(credentials)
        .env("DECKLOG_JOB", &spec.job)
        .envs(marks)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

struct Asked<'a, W, F> {
    wake: &'a W,
    woken: F,
    deadline: Instant,
}

impl<W: AsFd, F: FnMut() -> bool> Asked<'_, W, F> {
    fn answer(&mut self, child: &mut Child, output: ChildStdout) -> Result<Vec<u8>, String> {
        let printed = self.read(output)?;
        let status = self.end(child)?;
        if status.success() { Ok(printed) } else { Err(format!("ended with {status}")) }
    }

    fn read(&mut self, mut output: ChildStdout) -> Result<Vec<u8>, String> {
        let (mut printed, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            if !self.wait(Some(&output))? {
                continue;
            }
            let count =
                output.read(&mut chunk).map_err(|error| format!("cannot be read: {error}"))?;
            printed.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if count == 0 {
                return Ok(printed);
            }
            // One more, for a newline.
            if printed.len() > SECRET_BYTES_MAX + 1 {
                return Err(format!("printed more than {SECRET_BYTES_MAX} bytes"));
            }
        }
    }

    fn end(&mut self, child: &mut Child) -> Result<ExitStatus, String> {
        loop {
            // Looked at before every wait: it may have ended before there was anybody to hear of it.
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => self.wait(None).map(drop)?,
                Err(error) => return Err(format!("cannot be waited for: {error}")),
            }
        }
    }

    /// Waits for a signal or for output; whether there is output.
    fn wait(&mut self, output: Option<&ChildStdout>) -> Result<bool, String> {
        let mut fds = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        fds.extend(output.map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN)));
        match any_ready(&mut fds, self.deadline) {
            Ok(true) => {}
            Ok(false) => return Err(format!("took longer than {} s", LIMIT.as_secs())),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
        let ready = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or(false);
        let (signal, output) = (ready(0), ready(1));
        if signal && (self.woken)() {
            return Err("was not waited for: the attempt was cancelled".to_owned());
        }
        Ok(output)
    }
}

/// Nothing of ours runs before the command does: whatever is there is the provider's.
fn clear_away(child: &mut Child) {
    let _may_have_ended = child.kill();
    let _may_have_been_waited_for = child.wait();
    let deadline = Instant::now() + DYING;
    while Instant::now() < deadline {
        let left = proc::descendants(std::process::id().cast_signed());
        if left.is_empty() {
            return;
        }
        for handle in left.iter().filter_map(proc::Proc::handle) {
            let _may_be_gone = proc::send(&handle, Signal::SIGKILL);
            let _gone = any_ready(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], deadline);
        }
    }
}
