//! A `cupsd` of its own, with one queue.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::program;
use crate::process::Daemon;
use crate::storage::{PATIENCE, run, start};
use crate::wait;

/// The queue's name.
const QUEUE: &str = "queue";

/// A running print server. Its configuration, its spool and its port are its own.
#[derive(Debug)]
pub struct Cups {
    // Before its directory.
    _daemon: Daemon,
    _dir: TempDir,
    port: u16,
}

impl Cups {
    /// Starts one whose queue gives documents as they are to a printer; nothing, and why on standard error, where it
    /// is not installed.
    ///
    /// # Errors
    /// If it is installed and does not come up.
    pub fn start(printer: &str) -> anyhow::Result<Option<Cups>> {
        for name in ["cupsd", "lpadmin"] {
            if program(name).is_none() {
                eprintln!("not tested: {name} is not installed ({})", crate::RUN_SETUP);
                return Ok(None);
            }
        }
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not tested: cupsd runs as root");
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("decklog-cups-").tempdir()?;
        let (daemon, port) = start(|port| command(dir.path(), port))?;
        let cups = Cups { _daemon: daemon, _dir: dir, port };
        cups.add_queue(printer)?;
        Ok(Some(cups))
    }

    fn add_queue(&self, printer: &str) -> anyhow::Result<()> {
        let mut lpadmin = Command::new(program("lpadmin").unwrap_or_default());
        lpadmin.args(["-h", &format!("127.0.0.1:{}", self.port), "-p", QUEUE, "-E"]);
        lpadmin.args(["-v", printer, "-m", "raw", "-o", "printer-error-policy=abort-job"]);
        // On a busy machine it gives up on a server that has only just begun to listen.
        let mut failed = None;
        let added = wait::until("lpadmin to reach the print server", PATIENCE, || {
            failed = run(&mut lpadmin).err();
            failed.is_none()
        });
        added.map_err(|late| failed.unwrap_or(late))
    }

    /// The address of its queue.
    pub fn uri(&self) -> String {
        format!("ipp://localhost:{}/printers/{QUEUE}", self.port)
    }
}

fn command(dir: &Path, port: u16) -> Command {
    // What cannot be written is said by a server that does not start.
    configure(dir, port).unwrap_or_else(|error| eprintln!("{}: {error}", dir.display()));
    let mut command = Command::new(program("cupsd").unwrap_or_default());
    command.arg("-f").arg("-c").arg(dir.join("cupsd.conf")).arg("-s").arg(dir.join("files.conf"));
    command
}

fn configure(dir: &Path, port: u16) -> std::io::Result<()> {
    // Its filters run as another user.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?;
    for name in ["root", "spool", "tmp", "cache", "state"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    let here = dir.display();
    let files = format!(
        "ServerRoot {here}/root\nRequestRoot {here}/spool\nTempDir {here}/tmp\n\
         CacheDir {here}/cache\nStateDir {here}/state\nErrorLog {here}/error_log\n\
         AccessLog {here}/access_log\nPageLog {here}/page_log\n\
         Printcap {here}/printcap\nSystemGroup root\n"
    );
    std::fs::write(dir.join("files.conf"), files)?;
    let server = format!(
        "Listen localhost:{port}\nBrowsing No\nWebInterface No\nDefaultAuthType None\n\
         PreserveJobHistory Yes\nLogLevel warn\n\
         <Location />\nOrder allow,deny\nAllow localhost\n</Location>\n\
         <Policy default>\nJobPrivateAccess all\nJobPrivateValues none\n\
         <Limit All>\nOrder allow,deny\nAllow localhost\n</Limit>\n</Policy>\n"
    );
    std::fs::write(dir.join("cupsd.conf"), server)
}
