//! `rclone serve restic`: a REST server that is not restic's own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{run, start};
use crate::process::Daemon;

/// How it is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestOptions {
    /// Nothing is removed or replaced.
    pub append_only: bool,
    /// It asks for the user `backup` with the password `horse`.
    pub password: bool,
    /// It speaks TLS, with a certificate that only [`RestServer::ca_file`] vouches for.
    pub tls: bool,
}

/// A running server.
#[derive(Debug)]
pub struct RestServer {
    dir: TempDir,
    port: u16,
    options: RestOptions,
    daemon: Option<Daemon>,
}

impl RestServer {
    /// Starts one.
    ///
    /// # Errors
    /// If `rclone` (or `openssl`, for TLS) is missing or it does not come up.
    pub fn start(options: RestOptions) -> anyhow::Result<RestServer> {
        let dir = tempfile::Builder::new().prefix("decklog-rest-").tempdir()?;
        let mut server = RestServer { dir, port: 0, options, daemon: None };
        if options.tls {
            server.make_certificate()?;
        }
        let (daemon, port) = start(|port| server.command(port))?;
        (server.daemon, server.port) = (Some(daemon), port);
        Ok(server)
    }

    fn command(&self, port: u16) -> Command {
        let mut command = Command::new("rclone");
        command.env("RCLONE_CONFIG", self.dir.path().join("rclone.conf"));
        command.args(["serve", "restic", "--addr", &format!("127.0.0.1:{port}")]);
        if self.options.append_only {
            command.arg("--append-only");
        }
        if self.options.password {
            command.args(["--user", "backup", "--pass", "horse"]);
        }
        if self.options.tls {
            command.arg("--cert").arg(self.ca_file()).arg("--key").arg(self.place("key.pem"));
        }
        command.arg(self.place("srv"));
        command
    }

    fn make_certificate(&self) -> anyhow::Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "2", "-subj", "/CN=vault"]);
        openssl.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(self.place("key.pem")).arg("-out").arg(self.ca_file());
        run(&mut openssl).map(drop)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The certificate that vouches for it, where it speaks TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.place("cert.pem")
    }

    /// A place on the server, as a location.
    pub fn location(&self, name: &str) -> String {
        let scheme = if self.options.tls { "https" } else { "http" };
        format!("rest:{scheme}://127.0.0.1:{}/{name}", self.port)
    }

    /// That place as a directory of this machine.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.place("srv").join(name)
    }

    /// Kills it.
    ///
    /// # Errors
    /// If the operating system cannot say how it ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill9()?;
        }
        Ok(())
    }

    /// What the password-protected one is asked with.
    pub fn credentials(&self) -> [(&'static str, String); 2] {
        let [user, password] = ["backup", "horse"].map(str::to_owned);
        [("RESTIC_REST_USERNAME", user), ("RESTIC_REST_PASSWORD", password)]
    }
}
