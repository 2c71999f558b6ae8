//! One initdb for a machine; every cluster after it is a copy, which is several times quicker.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::Binaries;

/// Makes `data` a fresh data directory.
pub(super) fn copy_to(binaries: &Binaries, data: &Path) -> anyhow::Result<()> {
    let template = ready(binaries)?;
    run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(template).arg(data))
}

/// The template, made when it is not there yet. Several test programs may make it at once: each makes
/// its own, the first to rename wins, and the others throw theirs away.
fn ready(binaries: &Binaries) -> anyhow::Result<PathBuf> {
    let home = std::env::temp_dir();
    let template = home.join(format!("decklog-template-{}", binaries.fingerprint()?));
    if template.join("PG_VERSION").exists() {
        return Ok(template);
    }
    let making = tempfile::Builder::new().prefix("decklog-initdb-").tempdir_in(&home)?;
    binaries.hand_over(making.path())?;
    let data = making.path().join("data");
    run(binaries.server("initdb").arg("-D").arg(&data).args([
        "-U",
        "postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]))?;
    match std::fs::rename(&data, &template) {
        Err(_) if template.join("PG_VERSION").exists() => Ok(template),
        renamed => renamed.map(|()| template).context("could not keep the Postgres template"),
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("could not start {program}: {}", crate::RUN_SETUP))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} failed: {said}");
    Ok(())
}
