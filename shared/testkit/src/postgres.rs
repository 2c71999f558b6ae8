//! A Postgres cluster of one's own.

mod binaries;
mod template;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::process::Daemon;
use crate::{port, wait};
use binaries::Binaries;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a start is tried on another port.
const START_ATTEMPTS: usize = 4;

/// A running (or stopped) cluster on a loopback port: superuser `postgres`, no password, fsync on, its
/// data in a directory of its own, which goes when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    dir: TempDir,
    port: u16,
    binaries: Binaries,
    server: Option<Daemon>,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// If Postgres' programs are missing or the server does not come up; the error carries its log.
    pub fn start() -> anyhow::Result<Postgres> {
        let binaries = Binaries::find()?;
        let dir = tempfile::Builder::new().prefix("decklog-pg-").tempdir()?;
        binaries.hand_over(dir.path())?;
        template::copy_to(&binaries, &dir.path().join("data"))?;
        let mut postgres = Postgres { dir, port: 0, binaries, server: None };
        let mut last = None;
        for _ in 0..START_ATTEMPTS {
            postgres.port = port::free()?;
            match postgres.start_again() {
                Ok(()) => return Ok(postgres),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("postgres was never started")))
    }

    /// Where clients connect to reach the database `name`. A new cluster has only `postgres`.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// If it exists, or the server is stopped; the error carries what psql said.
    pub fn create_database(&self, name: &str) -> anyhow::Result<()> {
        let quoted = name.replace('"', "\"\"");
        self.psql("postgres", &format!("CREATE DATABASE \"{quoted}\"")).map(|_said| ())
    }

    /// Runs one statement through psql as the superuser and returns its rows, unaligned.
    ///
    /// # Errors
    /// If the statement fails; the error carries what psql said.
    pub fn psql(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let output = self
            .binaries
            .client("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .arg(self.url(database))
            .output()
            .with_context(|| format!("could not start psql: {}", crate::RUN_SETUP))?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "psql refused {statement:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Starts it again on the same port and the same data. Does nothing while it runs.
    ///
    /// # Errors
    /// As for [`Postgres::start`].
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let mut server = self.spawn()?;
        let pid_file = self.pid_file();
        let mut ready = false;
        wait::until("postgres to be ready", PATIENCE, || {
            ready = says_ready(&pid_file, server.pid());
            ready || !server.is_running()
        })
        .with_context(|| server.output())?;
        anyhow::ensure!(
            ready,
            "postgres ended at once on port {}:\n{}",
            self.port,
            server.output()
        );
        self.server = Some(server);
        Ok(())
    }

    /// Stops it in an orderly way: sessions are ended, everything is on disk.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.end_with(Signal::SIGINT)
    }

    /// Kills the server and every process of it with SIGKILL, as a power cut would.
    ///
    /// # Errors
    /// If the processes do not go away.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        // The parent stands still first, so it cannot start another child meanwhile.
        server.signal(Signal::SIGSTOP);
        let children = children_of(server.pid());
        server.kill9()?;
        for child in &children {
            kill(Pid::from_raw(*child), Signal::SIGKILL).ok();
        }
        let gone = || children.iter().all(|child| !is_alive(*child));
        wait::until("postgres' processes to be gone", PATIENCE, gone)
    }

    fn spawn(&self) -> anyhow::Result<Daemon> {
        let mut command = self.binaries.server("postgres");
        command.arg("-D").arg(self.dir.path().join("data"));
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.dir.path().display()),
            "fsync=on".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        Daemon::spawn(&mut command)
    }

    fn end_with(&mut self, signal: Signal) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take() {
            server.signal(signal);
            server.wait_for_end(PATIENCE)?;
        }
        Ok(())
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.path().join("data").join("postmaster.pid")
    }

    /// A killed server leaves its System V segment behind; nobody but its successor would remove it.
    fn forget_shared_memory(&self) {
        let Ok(text) = std::fs::read_to_string(self.pid_file()) else {
            return;
        };
        let segment = text.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        if let Some(segment) = segment {
            std::process::Command::new("ipcrm").args(["-m", segment]).output().ok();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown: the data goes anyway.
        self.end_with(Signal::SIGQUIT).ok();
        self.forget_shared_memory();
    }
}

/// The server writes its state into its pid file; the eighth line says `ready`.
fn says_ready(pid_file: &Path, pid: u32) -> bool {
    let text = std::fs::read_to_string(pid_file).unwrap_or_default();
    let mut lines = text.lines();
    lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|l| l.trim() == "ready")
}

fn children_of(parent: u32) -> Vec<i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok())
        .filter(|pid| parent_and_state(*pid).is_some_and(|(of, _state)| of == parent))
        .collect()
}

fn is_alive(pid: i32) -> bool {
    parent_and_state(pid).is_some_and(|(_parent, state)| state != "Z")
}

fn parent_and_state(pid: i32) -> Option<(u32, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may itself hold brackets and blanks.
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace();
    let state = after_name.next()?.to_owned();
    Some((after_name.next()?.parse().ok()?, state))
}
