//! Running `sftp` with a list of commands, and how it ended.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::{Builder, NamedTempFile};

use super::Server;
use crate::directory::UNFINISHED;
use crate::shown::one_line;
use crate::{DeliveryError, Step};

/// How often somebody looks whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Most bytes it may say: a server's greeting is passed on.
const MOST_SAID: u64 = 1 << 20;
/// The mode of a file on the server, less what its mask takes: documents are not for everybody.
const MODE: u32 = 0o640;
/// What it gets of this process' environment.
const VARIABLES: [&str; 5] = ["PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK"];
/// No questions, no server that is not known, none that is gone without being noticed, and no session that is shared
/// with others or stays behind.
const OPTIONS: [&str; 7] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=30",
    "ServerAliveCountMax=4",
    "ControlMaster=no",
    "ControlPath=none",
];
/// Said before each command of a list.
const PROMPT: &str = "sftp> ";

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It did all.
    Well,
    /// The server, or this machine, did not do one of the commands.
    Refused,
    /// The session could not be opened, or is gone.
    Broken,
    /// It was killed, because time was up.
    OutOfTime,
}

/// What it did.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) ended: Ended,
    /// How many commands it began.
    pub(super) begun: usize,
    listing: String,
    complaint: String,
    memory: File,
}

impl Run {
    /// What it complained of, on one line.
    pub(super) fn why(&self) -> String {
        match (self.ended, self.complaint.as_str()) {
            (Ended::OutOfTime, _) => "time was up".to_owned(),
            (_, "") => "sftp says nothing".to_owned(),
            (_, said) => one_line(said),
        }
    }

    pub(super) fn kind(&self) -> Option<io::ErrorKind> {
        (self.ended == Ended::OutOfTime).then_some(io::ErrorKind::TimedOut)
    }

    /// How long the one file is that it listed.
    pub(super) fn length(&self) -> Option<u64> {
        let mut lines = self.listing.lines().filter(|line| !line.starts_with(PROMPT));
        lines.next()?.split_whitespace().nth(4)?.parse().ok()
    }

    /// Whether this is what it fetched.
    pub(super) fn holds(&self, content: &[u8]) -> bool {
        let length = self.memory.metadata().map(|about| about.len());
        let mut there = vec![0; content.len()];
        length.ok() == u64::try_from(content.len()).ok()
            && self.memory.read_exact_at(&mut there, 0).is_ok()
            && there == content
    }
}

/// A run that is prepared.
pub(super) struct Task<'a> {
    server: &'a Server,
    commands: NamedTempFile,
}

impl<'a> Task<'a> {
    /// Makes the file for its commands, whose name is nobody else's.
    pub(super) fn new(server: &'a Server) -> Result<Self, DeliveryError> {
        let commands = Builder::new().prefix(UNFINISHED).tempfile();
        let commands = commands.map_err(|error| not_started(server, &error))?;
        Ok(Self { server, commands })
    }

    /// A name nobody else has, for a file that is not finished.
    pub(super) fn name(&self) -> String {
        let name = self.commands.path().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Does the commands; their `/dev/stdin` is a piece of memory with this content, to read and to write.
    pub(super) fn run(
        mut self,
        commands: &str,
        content: &[u8],
        end: Instant,
    ) -> Result<Run, DeliveryError> {
        let server = self.server;
        self.attempt(commands, content, end).map_err(|error| not_started(server, &error))
    }

    fn attempt(&mut self, commands: &str, content: &[u8], end: Instant) -> io::Result<Run> {
        self.commands.write_all(commands.as_bytes())?;
        let [memory, listing, complaint] = [memory(content)?, memory(&[])?, memory(&[])?];
        let mut command = self.command();
        command.stdin(memory.try_clone()?).stdout(listing.try_clone()?);
        let child = command.stderr(complaint.try_clone()?).spawn()?;
        let code = wait(child, end, || said(&listing) + said(&complaint) > MOST_SAID)?;
        let (listing, complaint) = (text(&listing)?, text(&complaint)?);
        let begun = listing.lines().filter(|line| line.starts_with(PROMPT)).count();
        Ok(Run { ended: ended(code, &complaint), begun, listing, complaint, memory })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.server.program);
        command.env_clear().envs(std::env::vars().filter(|(n, _)| VARIABLES.contains(&n.as_str())));
        // What it complains of is looked at.
        command.env("LC_ALL", "C").process_group(0);
        if let Some(config) = &self.server.config {
            command.arg("-F").arg(config);
        }
        for option in OPTIONS {
            command.arg("-o").arg(option);
        }
        command.arg("-b").arg(self.commands.path()).arg("--").arg(self.server.to.host());
        command
    }
}

fn not_started(server: &Server, error: &io::Error) -> DeliveryError {
    if error.kind() == io::ErrorKind::NotFound {
        let why = format!("{} is not there; install OpenSSH's client", server.program.display());
        return DeliveryError::bad_settings("program sftp", why);
    }
    DeliveryError::unreached(Step::Connect, &server.to.to_string(), error)
}

/// A file in memory with this content.
fn memory(content: &[u8]) -> io::Result<File> {
    let file = File::from(memfd_create(c"decklog", MFdFlags::MFD_CLOEXEC)?);
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all_at(content, 0)?;
    Ok(file)
}

fn said(file: &File) -> u64 {
    file.metadata().map_or(0, |about| about.len())
}

fn text(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; usize::try_from(said(file).min(MOST_SAID)).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits for its end, and kills it with all it started when time is up or it says too much. Its exit code, if it
/// has one; none too when it was killed.
fn wait(mut child: Child, end: Instant, too_much: impl Fn() -> bool) -> io::Result<Code> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code().map_or(Code::Killed, Code::Exit));
        }
        let late = Instant::now() >= end;
        if late || too_much() {
            // Not waited for yet, so the number is still its own.
            if let Ok(group) = i32::try_from(child.id()) {
                let _may_be_gone = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            child.wait()?;
            return Ok(if late { Code::Late } else { Code::Killed });
        }
        std::thread::sleep(LOOK);
    }
}

enum Code {
    Exit(i32),
    Killed,
    Late,
}

/// sftp ends with 1 when a command failed and with 255 when the session did; some versions say 1 for both.
fn ended(code: Code, complaint: &str) -> Ended {
    let gone = ["Connection closed", "Connection lost", "Connection reset", "Broken pipe"];
    match code {
        Code::Exit(0) => Ended::Well,
        Code::Exit(1) if !gone.iter().any(|words| complaint.contains(words)) => Ended::Refused,
        Code::Exit(_) | Code::Killed => Ended::Broken,
        Code::Late => Ended::OutOfTime,
    }
}
