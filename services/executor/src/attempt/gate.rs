//! The stage between a supervisor and a command that runs as another user.
//!
//! Started by the supervisor with everything but that in place. It becomes the user, and then *is* the
//! command. What fails goes into a file that was opened while that was still allowed.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getppid, initgroups, setgid, setuid};
use serde::{Deserialize, Serialize};

use super::launch::diagnose;
use super::spare;

/// The gate's exit code if the command could not be started; believed only together with the file.
pub(crate) const CLOSED: i32 = 125;

/// What to do on the way to the command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passage {
    pub(crate) dir: PathBuf,
    /// Name, user and group number of whom to become.
    pub(crate) user: (String, u32, u32),
    pub(crate) cwd: PathBuf,
    /// The script, if the command is one: to be checked, because interpreters say it less well.
    pub(crate) script: Option<PathBuf>,
    /// The supervisor. Without it the command must not live.
    pub(crate) parent: u32,
}

/// Runs the gate; comes back only with an exit code for what failed.
pub(crate) fn main(mut args: impl Iterator<Item = OsString>) -> i32 {
    let passage = args.next().and_then(|json| serde_json::from_str(json.to_str()?).ok());
    let (Some(passage), Some(program)): (Option<Passage>, _) = (passage, args.next()) else {
        return 2;
    };
    let Ok(mut refusal) = spare::file(&passage.dir, REFUSAL, REFUSAL) else { return CLOSED };
    let Err(message) = passage.go(Path::new(&program), args);
    let _nobody_left_to_tell = refusal.write_all(message.as_bytes());
    CLOSED
}

/// Why the gate did not let the command through, if it did not.
pub(crate) fn refusal(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(REFUSAL)).ok().filter(|message| !message.is_empty())
}

const REFUSAL: &str = "refusal";

impl Passage {
    fn go(
        &self,
        program: &Path,
        args: impl Iterator<Item = OsString>,
    ) -> Result<Infallible, String> {
        self.become_user()?;
        self.die_with_parent()?;
        std::env::set_current_dir(&self.cwd).map_err(|error| {
            let cwd = self.cwd.display();
            format!(
                "cannot start in {cwd}: {error}; create it for this user, or change the job's cwd"
            )
        })?;
        self.check_script()?;
        let error = Command::new(program).args(args).exec();
        Err(diagnose(&error, program, &self.cwd))
    }

    fn become_user(&self) -> Result<(), String> {
        let (name, uid, gid) = &self.user;
        let (uid, gid) = (Uid::from_raw(*uid), Gid::from_raw(*gid));
        let c_name = CString::new(name.as_str()).map_err(|error| error.to_string())?;
        let became = initgroups(&c_name, gid).and_then(|()| setgid(gid)).and_then(|()| setuid(uid));
        became.map_err(|errno| {
            format!("cannot become {name}: {errno}; run the executor as root, or as {name}")
        })
    }

    /// Asked for after the user changed, because that takes it back.
    fn die_with_parent(&self) -> Result<(), String> {
        set_pdeathsig(Signal::SIGKILL).map_err(|errno| format!("prctl: {errno}"))?;
        if getppid().as_raw().cast_unsigned() == self.parent {
            return Ok(());
        }
        Err("the supervisor is gone".into())
    }

    fn check_script(&self) -> Result<(), String> {
        let Some(script) = &self.script else { return Ok(()) };
        File::open(script).map(drop).map_err(|error| {
            format!(
                "the script {} cannot be read by its user: {error}; let others pass through the \
                 executor's directory (chmod o+x)",
                script.display()
            )
        })
    }
}
