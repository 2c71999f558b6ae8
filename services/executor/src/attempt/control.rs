//! The executor's hand on an attempt: start, cancel, wait.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::Signal;

use super::claim::Claim;
use super::dir::AttemptDir;
use super::error::{AttemptError, io_at};
use super::proc;
use super::recover::State;
use super::spare::create;
use super::supervisors::{self, SupervisorProgram, any_ready};

/// A supervisor has been given the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The supervisor's process.
    pub supervisor: u32,
}

impl AttemptDir {
    /// Gives the attempt to a supervisor, and returns without waiting for the command.
    ///
    /// It is not an error to start what another process started, or what was disowned: the claim decides,
    /// and only one supervisor ever gets it. Afterwards call [`AttemptDir::wait`] until it gives a state,
    /// or [`AttemptDir::remove`]; they let the supervisor go on to other work.
    ///
    /// # Errors
    /// If this process started it before, or no supervisor can be started.
    pub fn start(&self, program: &SupervisorProgram) -> Result<Started, AttemptError> {
        program.hire(self.path()).map(|supervisor| Started { supervisor })
    }

    /// Decides that the command never runs, unless a supervisor decided first; then this is `false`.
    ///
    /// # Errors
    /// If the claim can be neither made nor read.
    pub fn disown(&self) -> Result<bool, AttemptError> {
        if Claim::Disowned.make(self.path()).map_err(io_at("claim", self.path()))? {
            return Ok(true);
        }
        Ok(matches!(Claim::read(self.path())?, Some(Claim::Disowned)))
    }

    /// Asks for the command to be stopped. The request stays, whatever happens to the executor or how
    /// early it is made; the first reason counts. The outcome comes through [`AttemptDir::wait`].
    ///
    /// # Errors
    /// If the request cannot be written or the supervisor cannot be told.
    pub fn cancel(&self, reason: &str) -> Result<(), AttemptError> {
        let path = self.file("cancel");
        self.write_once("cancel", reason).map_err(io_at("write", &path))?;
        let Some(Claim::Supervised(who)) = Claim::read(self.path())? else {
            // Whoever claims it later finds the request before it starts anything.
            return Ok(());
        };
        let Some(handle) = who.alive().and_then(|proc| proc.handle()) else { return Ok(()) };
        // It may have gone on to another attempt: there it finds no request, and goes on.
        proc::send(&handle, Signal::SIGTERM).map_err(io_at("tell the supervisor of", self.path()))
    }

    /// Waits until the attempt is over: ended, vanished, disowned, or (only if its supervisor could not
    /// begin, or there is none) still prepared. `None` if it goes on after `timeout`.
    ///
    /// Blocks. Works for attempts of this process and for those that an earlier executor started.
    ///
    /// # Errors
    /// If the directory cannot be read or watched.
    pub fn wait(&self, timeout: Duration) -> Result<Option<State>, AttemptError> {
        let deadline = Instant::now() + timeout;
        if let Some(hired) = supervisors::hired(self.path()) {
            if !hired.wait(deadline).map_err(io_at("wait for", self.path()))? {
                return Ok(None);
            }
            supervisors::forget(self.path());
        }
        // Ours may have come too late, and another has the claim: then this waits for that one.
        if !self.wait_for_stranger(deadline)? {
            return Ok(None);
        }
        self.state().map(Some)
    }

    /// For a supervisor that is not our child: until it ends, or writes its final word.
    fn wait_for_stranger(&self, deadline: Instant) -> Result<bool, AttemptError> {
        let status = self.file("status.json");
        if status.exists() {
            return Ok(true);
        }
        let Some(Claim::Supervised(who)) = Claim::read(self.path())? else {
            return Ok(true);
        };
        let watch = self.watch().map_err(io_at("watch", self.path()))?;
        let Some(handle) = who.alive().and_then(|proc| proc.handle()) else { return Ok(true) };
        // Looked for after the watch began: what was written before would not be announced. Other files come
        // to their names by renaming too, so a notice is only a reason to look again.
        while !status.exists() {
            let mut fds = [
                PollFd::new(handle.as_fd(), PollFlags::POLLIN),
                PollFd::new(watch.as_fd(), PollFlags::POLLIN),
            ];
            if !any_ready(&mut fds, deadline).map_err(io_at("wait for", self.path()))? {
                return Ok(false);
            }
            if fds.first().and_then(PollFd::any).unwrap_or(false) {
                return Ok(true);
            }
            let _what_was_renamed = watch.read_events();
        }
        Ok(true)
    }

    /// The final word is renamed to its name.
    fn watch(&self) -> io::Result<Inotify> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        watch.add_watch(self.path(), AddWatchFlags::IN_MOVED_TO)?;
        Ok(watch)
    }

    /// A file that is either not there or complete, and keeps its first content.
    fn write_once(&self, name: &str, text: &str) -> io::Result<()> {
        let unique = format!(".{name}-{}-{:?}", std::process::id(), std::thread::current().id());
        let draft = self.file(&unique);
        create(&draft, 0o600)?.write_all(text.as_bytes())?;
        let linked = fs::hard_link(&draft, self.file(name));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
