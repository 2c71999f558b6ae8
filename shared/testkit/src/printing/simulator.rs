//! Debian's `ippeveprinter`, the simulator of CUPS' own authors.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::program;
use crate::process::Daemon;
use crate::storage::{answering, start};
use crate::wait;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);
const COMMAND: &str = include_str!("print.sh");
const FORMATS: &str = "application/pdf,text/plain,image/pwg-raster,image/urf";

/// A running simulator. It publishes itself by DNS-SD and ends when it cannot, so it has a bus and an Avahi of its
/// own that know the loopback interface alone; nothing of the machine's is spoken to.
#[derive(Debug)]
pub struct Simulator {
    // In the order in which they end.
    printer: Option<Daemon>,
    _avahi: Daemon,
    _bus: Daemon,
    dir: TempDir,
    port: u16,
}

impl Simulator {
    /// Starts one; nothing, and why on standard error, where its programs are not installed.
    ///
    /// # Errors
    /// If it is installed and does not come up.
    pub fn start() -> anyhow::Result<Option<Simulator>> {
        for name in ["ippeveprinter", "avahi-daemon", "dbus-daemon", "unshare"] {
            if program(name).is_none() {
                eprintln!("not tested: {name} is not installed ({})", crate::RUN_SETUP);
                return Ok(None);
            }
        }
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not tested: only root can give an Avahi a /run of its own");
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("decklog-ipp-").tempdir()?;
        prepare(dir.path())?;
        let bus = start_bus(dir.path())?;
        let avahi = start_avahi(dir.path())?;
        let (printer, port) = start(|port| printer(dir.path(), port))?;
        Ok(Some(Simulator { dir, port, printer: Some(printer), _avahi: avahi, _bus: bus }))
    }

    /// Its address.
    pub fn uri(&self) -> String {
        format!("ipp://localhost:{}/ipp/print", self.port)
    }

    /// Its address over TLS, with a certificate nobody vouches for.
    pub fn tls_uri(&self) -> String {
        format!("ipps://localhost:{}/ipp/print", self.port)
    }

    /// Every document has so many pages.
    ///
    /// # Errors
    /// If the file cannot be written; so with all of these.
    pub fn pages(&self, pages: usize) -> anyhow::Result<()> {
        self.write("pages", Some(pages))
    }

    /// Prints so many pages of a job and then waits; `None` goes on.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn print_only(&self, pages: Option<usize>) -> anyhow::Result<()> {
        self.write("only", pages)
    }

    /// Jams after so many pages of a job; `None` clears it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn jam_after(&self, pages: Option<usize>) -> anyhow::Result<()> {
        self.write("jam", pages)
    }

    /// Stops after so many pages of a job for another reason than a jam (`printer-state-reasons`, of those it knows),
    /// until [`Simulator::jam_after`] is told `None`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn stop_after(&self, pages: usize, reason: &str) -> anyhow::Result<()> {
        std::fs::write(self.dir.path().join("reason"), reason)?;
        self.write("jam", Some(pages))
    }

    /// Gives a job up after so many pages.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn abort_after(&self, pages: Option<usize>) -> anyhow::Result<()> {
        self.write("abort", pages)
    }

    /// How many pages are on paper.
    pub fn printed(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("paper")).unwrap_or_default().lines().count()
    }

    /// Kills it in whatever it does.
    ///
    /// # Errors
    /// If the operating system cannot say how it ended.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut printer) = self.printer.take() {
            printer.kill9()?;
        }
        Ok(())
    }

    /// Starts it again at the same address; it knows no job any more, and numbers begin anew.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let daemon = Daemon::spawn(&mut printer(self.dir.path(), self.port))?;
        self.printer = Some(answering(daemon, self.port)?);
        Ok(())
    }

    fn write(&self, name: &str, number: Option<usize>) -> anyhow::Result<()> {
        let path = self.dir.path().join(name);
        match number {
            Some(number) => {
                // Never half of it: the command reads it all the time.
                let new = path.with_extension("new");
                std::fs::write(&new, number.to_string())?;
                std::fs::rename(new, path)?;
            }
            None if path.exists() => std::fs::remove_file(path)?,
            None => {}
        }
        Ok(())
    }
}

fn prepare(dir: &Path) -> anyhow::Result<()> {
    for name in ["spool", "keys"] {
        std::fs::create_dir(dir.join(name))?;
    }
    std::fs::write(dir.join("pages"), "3")?;
    std::fs::write(dir.join("print.sh"), COMMAND)?;
    std::fs::set_permissions(dir.join("print.sh"), std::fs::Permissions::from_mode(0o755))?;
    let bus = format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\
         <busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
         <allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>",
        socket(dir).display()
    );
    std::fs::write(dir.join("bus.conf"), bus)?;
    let avahi = "[server]\nuse-ipv6=no\nallow-interfaces=lo\nenable-dbus=yes\n\
                 [wide-area]\nenable-wide-area=no\n\
                 [publish]\npublish-hinfo=no\npublish-workstation=no\n";
    Ok(std::fs::write(dir.join("avahi.conf"), avahi)?)
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("bus")
}

fn of_site(program_name: &str, dir: &Path) -> Command {
    let mut command = Command::new(program(program_name).unwrap_or_default());
    let address = format!("unix:path={}", socket(dir).display());
    command.env("DBUS_SYSTEM_BUS_ADDRESS", address).current_dir(dir);
    command
}

fn start_bus(dir: &Path) -> anyhow::Result<Daemon> {
    let mut command = of_site("dbus-daemon", dir);
    command.args(["--config-file=bus.conf", "--nofork", "--nopidfile"]);
    let mut daemon = Daemon::spawn(&mut command)?;
    wait::until("a message bus", PATIENCE, || socket(dir).exists() || !daemon.is_running())?;
    anyhow::ensure!(daemon.is_running(), "no message bus: {}", daemon.output());
    Ok(daemon)
}

/// Its process id and its socket have fixed places below /run, so it gets one of its own.
fn start_avahi(dir: &Path) -> anyhow::Result<Daemon> {
    let mut command = of_site("unshare", dir);
    let avahi = program("avahi-daemon").unwrap_or_default();
    let script = "mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(avahi);
    command
        .args(["--no-drop-root", "--no-chroot", "--no-rlimits", "-f"])
        .arg(dir.join("avahi.conf"));
    let mut daemon = Daemon::spawn(&mut command)?;
    daemon.wait_for_line("Server startup complete", PATIENCE)?;
    Ok(daemon)
}

fn printer(dir: &Path, port: u16) -> Command {
    let mut command = of_site("ippeveprinter", dir);
    // By this name it listens on the loopback interface alone.
    command.args(["-n", "localhost", "-p", &port.to_string(), "-f", FORMATS, "-k"]);
    command.arg("-d").arg(dir.join("spool")).arg("-K").arg(dir.join("keys"));
    command.arg("-c").arg(dir.join("print.sh")).arg(format!("decklog {port}"));
    command
}
