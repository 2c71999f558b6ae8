//! Servers that keep files for others, none of them written here: OpenSSH's `sshd`, `rclone serve restic` and moto's S3.

mod objects;
mod rest;
mod sshd;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

pub use objects::ObjectStore;
pub use rest::{RestOptions, RestServer};
pub use sshd::Sshd;

use crate::process::Daemon;
use crate::{port, wait};

/// How long a start may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a start is tried on another port.
const START_ATTEMPTS: usize = 4;

/// Starts a server on a free port and waits until somebody answers there.
pub(crate) fn start(command: impl Fn(u16) -> Command) -> anyhow::Result<(Daemon, u16)> {
    let mut last = None;
    for _ in 0..START_ATTEMPTS {
        let port = port::free()?;
        match answering(Daemon::spawn(&mut command(port))?, port) {
            Ok(daemon) => return Ok((daemon, port)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("it was never started")))
}

/// Waits until somebody answers at a port.
pub(crate) fn answering(mut daemon: Daemon, port: u16) -> anyhow::Result<Daemon> {
    let mut answered = false;
    wait::until("a server to answer", PATIENCE, || {
        answered = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        answered || !daemon.is_running()
    })
    .with_context(|| daemon.output())?;
    anyhow::ensure!(answered && daemon.is_running(), "it ended at once:\n{}", daemon.output());
    Ok(daemon)
}

/// Runs a program that must end well; its standard output.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name}: {}", crate::RUN_SETUP))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{name} ended with {}: {said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
