//! A command's output, written into restic: its end is only the end when the command succeeded.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;

use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};

use super::run::Unfed;
use crate::child::{Tail, code, command, end};
use crate::context::Context;
use crate::manifest::hex;
use crate::problem::Problem;
use crate::report::ProblemKind;
use crate::request::Command;

/// Bytes copied at a time.
const PIECE: usize = 128 << 10;

/// What came of a command: how much it wrote, and the hash of it.
#[derive(Debug, Default)]
pub(super) struct Dumped {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Runs the command and writes its output.
pub(super) fn dump(
    asked: &Command,
    context: &Context,
    to: &mut PipeWriter,
) -> Result<Dumped, Unfed> {
    let started = Started::start(asked, context);
    let started = started.map_err(|error| failed(asked, &format!("cannot be started: {error}")))?;
    started.copy(asked, context, to)
}

fn failed(asked: &Command, why: &str) -> Unfed {
    let message =
        format!("backing up: the command {:?} {why}; no snapshot was written", asked.argv);
    Unfed::Failed(Problem::new(ProblemKind::Source, message))
}

struct Started {
    child: Child,
    tail: Tail,
    silent: Receiver<()>,
    ended: bool,
}

impl Started {
    fn start(asked: &Command, context: &Context) -> io::Result<Self> {
        let (stderr, writer): (PipeReader, PipeWriter) = io::pipe()?;
        let mut command = command(&asked.argv, &asked.env)?;
        let child = command.stdout(Stdio::piped()).stderr(writer).spawn()?;
        drop(command);
        context.cancel.add_group(child.id());
        let tail = Tail::default();
        let silent = tail.follow(stderr);
        Ok(Self { child, tail, silent, ended: false })
    }

    fn copy(
        mut self,
        asked: &Command,
        context: &Context,
        to: &mut PipeWriter,
    ) -> Result<Dumped, Unfed> {
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; PIECE];
        let mut from = self.child.stdout.take();
        while let Some(out) = &mut from {
            let read = out.read(&mut buffer).map_err(|e| failed(asked, &format!("broke: {e}")))?;
            if context.cancel.is_cancelled() {
                return Err(failed(asked, "was cancelled"));
            }
            if read == 0 {
                break;
            }
            to.write_all(&buffer[..read]).map_err(|_| Unfed::Gone)?;
            hasher.update(&buffer[..read]);
            bytes += read as u64;
        }
        let status = self.child.wait().map_err(|e| failed(asked, &format!("broke: {e}")))?;
        self.ended = true;
        context.cancel.remove_group(self.child.id());
        if !status.success() {
            let said = self.tail.text(&self.silent);
            return Err(failed(asked, &format!("ended with exit code {} ({said})", code(status))));
        }
        match bytes {
            0 if asked.allow_empty => {
                let why = "wrote nothing, which may be, but restic saves no empty input: set `engine: rustic`";
                return Err(failed(asked, why));
            }
            0 => return Err(failed(asked, "wrote nothing")),
            _ => {}
        }
        Ok(Dumped { bytes, sha256: hex(&hasher.finalize()) })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.ended {
            end(self.child.id(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
