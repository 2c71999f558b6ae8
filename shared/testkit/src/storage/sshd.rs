//! OpenSSH's server with keys of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{run, start, text};
use crate::process::Daemon;

/// A running `sshd` that lets one key in as whoever runs the test, and its client's configuration.
#[derive(Debug)]
pub struct Sshd {
    dir: TempDir,
    port: u16,
    daemon: Option<Daemon>,
}

impl Sshd {
    /// Starts one.
    ///
    /// # Errors
    /// If `sshd` or `ssh-keygen` is missing or it does not come up.
    pub fn start() -> anyhow::Result<Sshd> {
        let dir = tempfile::Builder::new().prefix("decklog-sshd-").tempdir()?;
        let place = |name: &str| dir.path().join(name);
        for key in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place(key)))?;
        }
        std::fs::copy(place("user.pub"), place("authorized_keys"))?;
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
            text(&place("host")),
            text(&place("authorized_keys")),
        );
        std::fs::write(place("sshd_config"), config)?;
        // Where sshd goes before anybody is let in.
        if nix::unistd::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd")?;
        }
        let mut sshd = Sshd { dir, port: 0, daemon: None };
        let (daemon, port) = start(|port| sshd.command(port))?;
        (sshd.daemon, sshd.port) = (Some(daemon), port);
        sshd.configure_client()?;
        Ok(sshd)
    }

    fn command(&self, port: u16) -> Command {
        // It starts itself again for each session, and wants to be called by its full path.
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(self.dir.path().join("sshd_config"));
        command.arg("-o").arg(format!("ListenAddress=127.0.0.1:{port}"));
        command
    }

    fn configure_client(&self) -> anyhow::Result<()> {
        let place = |name: &str| self.dir.path().join(name);
        let key = std::fs::read_to_string(place("host.pub"))?;
        let known = format!("[127.0.0.1]:{} {key}", self.port);
        std::fs::write(place("known_hosts"), known)?;
        let config = format!(
            "Host vault\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
            self.port,
            text(&place("user")),
            text(&place("known_hosts")),
        );
        Ok(std::fs::write(place("ssh_config"), config)?)
    }

    /// The configuration for `ssh -F`; in it the server is called `vault`.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// A fresh place on the server, as a location.
    pub fn location(&self, name: &str) -> String {
        format!("sftp:vault:{}", text(&self.directory(name)))
    }

    /// That place as a directory of this machine.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.dir.path().join("srv").join(name)
    }

    /// The process whose children are the sessions.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Daemon::pid)
    }

    /// Kills it; sessions that are open stay open.
    ///
    /// # Errors
    /// If the operating system cannot say how it ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill9()?;
        }
        Ok(())
    }
}
