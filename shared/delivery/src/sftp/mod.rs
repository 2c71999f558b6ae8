//! A file in a directory of a server, over OpenSSH's program `sftp`: keys, names and jumps are ssh's matter.
//!
//! | module | about |
//! |---|---|
//! | `target` | where to: `user@host:/directory` |
//! | `program` | running `sftp` with a list of commands, and how it ended |
//!
//! The file is written under another name, synced where the server can (`fsync@openssh.com`), and renamed by the
//! protocol's first rename, which replaces nothing (draft-ietf-secsh-filexfer-02 §6.5). The program says each command
//! before it does it, so the last one said tells how far a broken session had come. The document is in no file of this
//! machine: the program reads it from memory.

mod program;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use target::Target;

use self::program::{Ended, Run, Task};
use crate::directory::{check_name, taken};
use crate::error::check_size;
use crate::wait::in_time;
use crate::{DeliveryError, Put, Step};

/// How long clearing up after a refusal may take: nothing depends on it.
const CLEARING: Duration = Duration::from_secs(30);

/// A directory of a server, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The directory.
    pub to: Target,
    /// OpenSSH's client of files, usually `sftp`.
    pub program: PathBuf,
    /// A configuration file for ssh in the place of the user's and the machine's.
    pub config: Option<PathBuf>,
    /// How long one delivery may take.
    pub time_limit: Duration,
    /// Most bytes of a file.
    pub limit_bytes: u64,
}

/// Writes a file that is there whole or not at all. Nothing is replaced.
///
/// The server's key must be known, and nobody is asked for anything.
///
/// # Errors
/// [`DeliveryError::Refused`] at [`Step::Name`] when another document has the name; [`DeliveryError::Lost`] when the
/// session ended while the file was given its name.
pub fn put(server: &Server, name: &str, content: &[u8]) -> Result<Put, DeliveryError> {
    check_name(name)?;
    check_size(content.len(), server.limit_bytes)?;
    if !target::needs_no_quoting(name) {
        let why = "it has a quote, a backslash, or one of * ? [ in it";
        return Err(DeliveryError::bad_message("file's name", why));
    }
    Delivery { server, name, content, end: in_time(server.time_limit) }.put()
}

struct Delivery<'a> {
    server: &'a Server,
    name: &'a str,
    content: &'a [u8],
    end: Instant,
}

impl Delivery<'_> {
    fn put(&self) -> Result<Put, DeliveryError> {
        let task = Task::new(self.server)?;
        let (beside, place) = (self.path(&task.name()), self.path(self.name));
        let commands = format!("put -f \"/dev/stdin\" {beside}\nrename -l {beside} {place}\n");
        let run = task.run(&commands, self.content, self.end)?;
        let outcome = self.judge(&run);
        if run.ended == Ended::Refused && run.begun > 0 {
            self.clear(&beside);
        }
        outcome
    }

    /// What a session that wrote and renamed leaves behind.
    fn judge(&self, run: &Run) -> Result<Put, DeliveryError> {
        match (run.ended, run.begun) {
            (Ended::Well, _) => Ok(Put::Written),
            (Ended::Refused, 1) => Err(refused(Step::Content, run)),
            (Ended::Refused, 2..) => self.compare(run),
            (Ended::Refused | Ended::Broken | Ended::OutOfTime, 0) => {
                Err(self.unreached(Step::Connect, run))
            }
            (Ended::Broken | Ended::OutOfTime, 1) => Err(self.unreached(Step::Content, run)),
            (Ended::Broken | Ended::OutOfTime, 2..) => Err(DeliveryError::Lost {
                step: Step::Name,
                peer: self.peer(),
                kind: run.kind(),
                why: run.why(),
            }),
        }
    }

    /// The server did not rename: because an earlier try has arrived, because another document has the name, or else.
    fn compare(&self, renaming: &Run) -> Result<Put, DeliveryError> {
        let place = self.path(self.name);
        let listed = self.ask(&format!("ls -ln {place}\n"))?;
        if listed.ended == Ended::Refused {
            return Err(refused(Step::Name, renaming));
        }
        let length = listed.length().ok_or_else(|| DeliveryError::Malformed {
            step: Step::Compare,
            peer: self.peer(),
            why: "the server does not say how long the file is".to_owned(),
        })?;
        if u64::try_from(self.content.len()) != Ok(length) {
            return Err(taken(self.name));
        }
        let fetched = self.ask(&format!("get {place} \"/dev/stdin\"\n"))?;
        match fetched.ended {
            Ended::Well if fetched.holds(self.content) => Ok(Put::AlreadyThere),
            Ended::Well => Err(taken(self.name)),
            Ended::Refused | Ended::Broken | Ended::OutOfTime => Err(refused(Step::Name, renaming)),
        }
    }

    /// Runs a command that changes nothing; an error if the server could not be asked.
    fn ask(&self, command: &str) -> Result<Run, DeliveryError> {
        let run = Task::new(self.server)?.run(command, &[], self.end)?;
        match run.ended {
            Ended::Well | Ended::Refused => Ok(run),
            Ended::Broken | Ended::OutOfTime => Err(self.unreached(Step::Compare, &run)),
        }
    }

    fn clear(&self, beside: &str) {
        let command = format!("-rm {beside}\n");
        let end = in_time(CLEARING).min(self.end);
        let _nothing_depends_on_it =
            Task::new(self.server).and_then(|task| task.run(&command, &[], end));
    }

    fn unreached(&self, step: Step, run: &Run) -> DeliveryError {
        DeliveryError::Unreached { step, peer: self.peer(), kind: run.kind(), why: run.why() }
    }

    fn peer(&self) -> String {
        self.server.to.to_string()
    }

    /// A file of the directory, as a word of a command.
    fn path(&self, name: &str) -> String {
        format!("\"{}/{name}\"", self.server.to.directory().trim_end_matches('/'))
    }
}

fn refused(what: Step, run: &Run) -> DeliveryError {
    let message = run.why();
    let permanent = message.contains("Permission denied");
    DeliveryError::Refused { what, status: None, message, permanent }
}
