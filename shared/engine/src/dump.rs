//! A command's output as the source of a backup: a command that fails leaves no snapshot.

use std::io::{self, PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{
    ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult,
};
use sha2::{Digest, Sha256};

use crate::child::{Tail, code, command};
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::manifest::{Entry, hex};
use crate::problem::Problem;
use crate::report::ProblemKind;
use crate::request::Command;

/// The output of a command.
#[derive(Clone)]
pub(crate) struct Dump {
    asked: Command,
    ledger: Arc<Ledger>,
    gate: Arc<Gate>,
}

/// The path in the snapshot of what a command writes; a file name with a directory in it is refused.
pub(crate) fn path_of(asked: &Command) -> Result<PathBuf, Problem> {
    let name = Path::new(&asked.file_name);
    if asked.file_name.is_empty() || name.file_name() != Some(name.as_os_str()) {
        let message = format!("the file name {:?} of the dump is none", asked.file_name);
        return Err(Problem::new(ProblemKind::BadRequest, message));
    }
    Ok(Path::new("/").join(name))
}

impl Dump {
    pub(crate) fn new(
        asked: &Command,
        ledger: Arc<Ledger>,
        gate: Arc<Gate>,
    ) -> Result<Self, Problem> {
        path_of(asked)?;
        Ok(Self { asked: asked.clone(), ledger, gate })
    }

    /// Its path in the snapshot.
    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/").join(&self.asked.file_name)
    }

    fn entry(&self) -> ReadSourceEntry<Self> {
        let now = Some(jiff::Timestamp::now());
        let meta = Metadata {
            mode: Some(0o600),
            mtime: now,
            ctime: now,
            uid: Some(nix::unistd::geteuid().as_raw()),
            gid: Some(nix::unistd::getegid().as_raw()),
            ..Metadata::default()
        };
        let path = self.path();
        let node = Node::new_node(self.asked.file_name.as_ref(), NodeType::File, meta);
        self.ledger.enter(&path, Entry::of(path.clone().into(), &node));
        ReadSourceEntry { path, node, open: Some(self.clone()) }
    }

    fn start(&self) -> io::Result<Output> {
        let (stderr, writer) = io::pipe()?;
        let mut command = command(&self.asked.argv, &self.asked.env)?;
        let mut child = command.stdout(Stdio::piped()).stderr(writer).spawn()?;
        drop(command);
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        self.ledger.cancel.add_group(child.id());
        Ok(Output::new(self.clone(), child, stdout, stderr))
    }

    fn failed(&self, why: &str) -> io::Error {
        let reason = format!("the command {:?} {why}; no snapshot was written", self.asked.argv);
        self.gate.forbid(&reason);
        io::Error::other(reason)
    }
}

impl ReadSource for Dump {
    type Open = Self;
    type Iter = std::iter::Once<RusticResult<ReadSourceEntry<Self>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        std::iter::once(Ok(self.entry()))
    }
}

impl ReadSourceOpen for Dump {
    type Reader = Output;

    fn open(self) -> RusticResult<Output> {
        self.start().map_err(|error| {
            let error = self.failed(&format!("cannot be started: {error}"));
            RusticError::with_source(ErrorKind::ExternalCommand, "No dump.", error)
        })
    }
}

/// Reads what the command writes; the end of it is only the end when the command succeeded.
pub(crate) struct Output {
    dump: Dump,
    child: Child,
    stdout: ChildStdout,
    tail: Tail,
    silent: Receiver<()>,
    hasher: Sha256,
    bytes: u64,
    ended: bool,
}

impl Output {
    fn new(dump: Dump, child: Child, stdout: ChildStdout, stderr: PipeReader) -> Self {
        let tail = Tail::default();
        let silent = tail.follow(stderr);
        let hasher = Sha256::new();
        Self { dump, child, stdout, tail, silent, hasher, bytes: 0, ended: false }
    }

    fn end(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let status = self.child.wait()?;
        self.dump.ledger.cancel.remove_group(self.child.id());
        if !status.success() {
            let said = self.tail.text(&self.silent);
            let why = format!("ended with exit code {} ({said})", code(status));
            return Err(self.dump.failed(&why));
        }
        if self.bytes == 0 && !self.dump.asked.allow_empty {
            return Err(self.dump.failed("wrote nothing"));
        }
        let hash = std::mem::take(&mut self.hasher).finalize();
        self.dump.ledger.hashed(&self.dump.path(), self.bytes, hex(&hash));
        Ok(())
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.dump.ledger.cancel.is_cancelled() {
            return Err(self.dump.failed("was cancelled"));
        }
        let read = self.stdout.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.end()?;
        }
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        self.dump.ledger.meter.bytes(read as u64);
        Ok(read)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.ended {
            self.dump.failed("was not read to its end");
            crate::child::end(self.child.id(), nix::sys::signal::Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
