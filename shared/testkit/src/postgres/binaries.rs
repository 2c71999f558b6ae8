//! Where Postgres' programs are, and as whom they run.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use nix::unistd::{Uid, User};

/// The programs, and the account the server runs as when we are root (which Postgres refuses).
#[derive(Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    account: Option<User>,
}

impl Binaries {
    /// Looks in PATH, then where Debian puts them (the newest version wins).
    pub(super) fn find() -> anyhow::Result<Binaries> {
        let dir = candidates()
            .into_iter()
            .find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists())
            .with_context(|| format!("Postgres' initdb is not installed: {}", crate::RUN_SETUP))?;
        let account = if Uid::effective().is_root() { Some(account()?) } else { None };
        Ok(Binaries { dir, account })
    }

    /// A program of the server, as the account it has to run as. `setpriv` replaces itself by the
    /// program, so the child we started is the server.
    pub(super) fn server(&self, program: &str) -> Command {
        let path = self.dir.join(program);
        let Some(account) = &self.account else {
            return Command::new(path);
        };
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", account.uid)).arg(format!("--regid={}", account.gid));
        command.arg("--clear-groups").arg("--").arg(path).current_dir("/");
        command
    }

    /// A client program, as ourselves.
    pub(super) fn client(&self, program: &str) -> Command {
        let path = self.dir.join(program);
        Command::new(if path.exists() { path } else { PathBuf::from(program) })
    }

    /// Gives a directory to the server's account.
    pub(super) fn hand_over(&self, dir: &Path) -> anyhow::Result<()> {
        if let Some(account) = &self.account {
            chown(dir, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
        }
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        Ok(())
    }

    /// What tells one template from another: version and account.
    pub(super) fn fingerprint(&self) -> anyhow::Result<String> {
        let output = Command::new(self.dir.join("postgres")).arg("--version").output()?;
        let version = String::from_utf8_lossy(&output.stdout);
        let uid = self.account.as_ref().map_or(Uid::effective(), |account| account.uid);
        let plain = version.trim().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
        Ok(format!("{plain}-{uid}"))
    }
}

fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.path()).collect();
    versions.sort_by_key(|dir| std::cmp::Reverse(version_of(dir)));
    found.extend(versions.into_iter().map(|dir| dir.join("bin")));
    found
}

fn version_of(dir: &Path) -> u32 {
    dir.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

fn account() -> anyhow::Result<User> {
    User::from_name("postgres")?
        .with_context(|| format!("there is no account \"postgres\": {}", crate::RUN_SETUP))
}
