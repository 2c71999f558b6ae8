//! An *attempt*: one start of one command on this host, which survives the death of the executor.
//!
//! The executor never is the parent of a command. It hands the attempt's directory to a
//! **supervisor**: the same executable, started with `__attempt` as its first argument, in a session of
//! its own. The supervisor starts the command, reads its output, stops it when asked, ends whatever the
//! command left behind, and writes what it saw into the directory. An executor that is killed and
//! started again reads the directories and knows the exact outcome of each attempt.
//!
//! Under systemd the executor's unit needs `KillMode=process`, or a restart of the unit ends the
//! supervisors and their commands too; `Delegate=yes` lets it use [`cgroup`]s.
//!
//! | file | written by | says |
//! |---|---|---|
//! | `spec.json` | executor | what to run; there before anything else happens |
//! | `unclaimed` | executor | a second name of `spec.json`; nobody has decided whether the command runs |
//! | `claim …` | whoever is first | that name changed to `claim supervised <pid> <starttime> <boot id>` or `claim disowned` |
//! | `output.zst` | supervisor | the kept output, stdout and stderr interleaved; absent while there is none |
//! | `output.sealed`, `artefacts.sealed/` | executor | the same, and the artefacts, encrypted, once the outcome is in the log; the key lies in `attempts.keys` |
//! | `cancel` | executor | the reason; the file is the request, the signal only a nudge |
//! | `status.json` | supervisor | the final word |
//! | `refusal` | gate | why the command could not be started, if it could not |
//! | `reported` | executor | the outcome is in the log; a third name of `spec.json`, or empty |
//! | `trouble` | supervisor | why it could not do its work; only there if something went wrong |
//!
//! A job ends when its command ends: what the command left in the background gets a moment to end by
//! itself ([`LINGER`]), is then killed, and is named in [`Status::killed`].
//!
//! A supervisor that is killed leaves its command running: the executor, or the next one, sees that the
//! attempt vanished and kills what is left, by cgroup and by the marks in the environment. (A command
//! that runs as another user dies with its supervisor.)
//!
//! A supervisor that has nothing left to look after may be given the next attempt, so that a short
//! command costs one new process and not two. It has one attempt at a time, and it ends when its
//! executor is gone and its attempt is over.
//!
//! | module | about |
//! |---|---|
//! | [`spec`], [`status`] | the two documents |
//! | [`dir`](AttemptDir) | the directory: names, files, [`prepare`], [`list`] |
//! | `sealed` | what was left, encrypted |
//! | `spare` | using directories again |
//! | `claim` | who decides whether the command may run |
//! | `supervisors`, `control` | executor's side: start, wait, cancel |
//! | `recover` | executor's side: what became of an attempt, and cleaning up after a dead supervisor |
//! | `supervise`, `stop`, `launch`, `gate` | supervisor's side: the command's life |
//! | `secrets`, `provider` | supervisor's side: what only the command gets |
//! | `rate`, `intake`, `mask`, `lines`, `keep` | supervisor's side: what the command writes |
//! | [`allow`], `obstacles` | what this host lets the centre run; what else would be in the way |

pub mod allow;
pub(crate) mod artefacts;
pub mod cgroup;
mod claim;
mod control;
mod dir;
mod error;
mod gate;
mod intake;
mod keep;
mod launch;
mod lines;
mod mask;
pub(crate) mod obstacles;
mod proc;
mod provider;
mod rate;
mod recover;
mod sealed;
mod secrets;
mod spare;
pub mod spec;
pub mod status;
mod stop;
mod supervise;
mod supervisors;
mod tail;

pub(crate) use allow::matches_name;
pub use allow::{AllowList, Problems, Refused};
pub use control::Started;
pub use dir::{AttemptDir, list, prepare, sweep};
pub use error::AttemptError;
pub(crate) use launch::progress_beside;
pub use recover::State;
pub use spec::{AtLimit, OutputLimit, Program, Spec, Stop};
pub use status::{Cause, Killed, Outcome, Output, Status, Usage};
pub use stop::LINGER;
pub use supervisors::SupervisorProgram;
pub use tail::OutputTail;

/// The first argument that makes this executable a supervisor; the second is the attempt directory.
const SUPERVISE: &str = "__attempt";

/// The first argument of the stage between a supervisor and its command, which drops privileges.
const GATE: &str = "__exec";

/// Runs and ends the process if it was started as a supervisor; otherwise returns at once.
///
/// Call it first in `main`, before threads, logging or arguments are looked at.
pub fn main_if_supervisor() {
    let mut args = std::env::args_os().skip(1);
    let Some(first) = args.next() else { return };
    if first == SUPERVISE {
        std::process::exit(supervise::main(args.next()));
    }
    if first == GATE {
        std::process::exit(gate::main(args));
    }
}
