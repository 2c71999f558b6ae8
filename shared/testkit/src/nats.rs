//! A nats-server of one's own.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::process::Daemon;
use crate::{port, wait};

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a start is tried on another port.
const START_ATTEMPTS: usize = 4;

/// A running (or stopped) nats-server on a loopback port, with its storage in a directory of its own.
#[derive(Debug)]
pub struct Nats {
    dir: TempDir,
    port: u16,
    jetstream: bool,
    server: Option<Daemon>,
}

impl Nats {
    /// Starts one, with JetStream or without.
    ///
    /// # Errors
    /// If `nats-server` is missing or does not come up; the error carries its log.
    pub fn start(jetstream: bool) -> anyhow::Result<Nats> {
        let dir = tempfile::Builder::new().prefix("decklog-nats-").tempdir()?;
        let mut nats = Nats { dir, port: 0, jetstream, server: None };
        let mut last = None;
        for _ in 0..START_ATTEMPTS {
            nats.port = port::free()?;
            match nats.start_again() {
                Ok(()) => return Ok(nats),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("nats-server was never started")))
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it again on the same port and the same storage. Does nothing while it runs.
    ///
    /// # Errors
    /// As for [`Nats::start`].
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let mut server = Daemon::spawn(&mut self.command())?;
        let mut answered = false;
        wait::until("nats-server to answer", PATIENCE, || {
            answered = answers(self.port);
            answered || !server.is_running()
        })
        .with_context(|| server.output())?;
        anyhow::ensure!(
            answered && server.is_running(),
            "nats-server ended at once on port {}:\n{}",
            self.port,
            server.output()
        );
        self.server = Some(server);
        Ok(())
    }

    /// Stops it in an orderly way; clients are disconnected, storage stays.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take() {
            server.term();
            server.wait_for_end(PATIENCE)?;
        }
        Ok(())
    }

    /// Kills it with SIGKILL; storage stays as it happened to be.
    ///
    /// # Errors
    /// If the operating system cannot say how it ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take() {
            server.kill9()?;
        }
        Ok(())
    }

    /// Deletes JetStream's storage: every stream, consumer and message.
    ///
    /// # Errors
    /// While the server runs, or if the directory cannot be removed.
    pub fn delete_storage(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.server.is_none(), "stop the server before deleting its storage");
        match std::fs::remove_dir_all(self.dir.path().join("store")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        if self.jetstream {
            command.arg("-js").arg("-sd").arg(self.dir.path().join("store"));
        }
        command
    }
}

/// Whether a nats-server greets on this port. Its greeting comes before anything is asked.
fn answers(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("INFO ")
}
