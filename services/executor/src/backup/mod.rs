//! Backups on this host: what a job of such a kind becomes here.
//!
//! The work is done by a child process (`decklog-executor engine`) that runs under a supervisor like any command: it is
//! killed, bounded and survives the executor like one. Before it starts, the executor asks the log which snapshots
//! there are and, where anything is to be forgotten, has the log agree. When it has ended, its report becomes events.
//!
//! | module | about |
//! |---|---|
//! | `order` | what the child is told, and what the executor keeps in mind of it |
//! | `prepare` | from a job and the log to an order |
//! | `look` | names of files in snapshots, for somebody at the console |
//! | `task` | the child's side |
//! | `voice` | what the child says while it works |
//! | `tell` | from a report to events |
//! | [`bare`] | restoring without any service |

pub mod bare;
pub(crate) mod look;
pub(crate) mod order;
mod prepare;
mod task;
mod tell;
mod voice;

pub(crate) use prepare::prepare;
pub(crate) use tell::{agree, tell};

use domain::event::Seer;
use domain::ids::StreamId;
use domain::job::Work;

use crate::attempt::{Program, Spec};
use crate::host::Host;

/// The first argument that makes this executable an engine.
pub(crate) const ENGINE: &str = "engine";

/// Runs and ends the process if it was started as an engine; otherwise returns at once.
///
/// Call it first in `main`.
pub fn main_if_engine() {
    crate::print::main_if_child();
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == ENGINE) && args.next().is_none() {
        if let Some(code) = engine::guard() {
            std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
        }
        std::process::exit(task::main());
    }
}

/// A specification by which the host's own list can be asked before there is a run: as far as the definition says what
/// is touched. Locations and secrets of repositories are looked at when it runs.
pub(crate) fn as_checked(host: &Host, kind: Work<'_>, spec: Spec) -> Spec {
    let order = order::BackupOrder { touches: prepare::touches(kind), ..Default::default() };
    Spec { program: engine_of(host), backup: Some(Box::new(order)), ..spec }
}

/// Our own executable, as an engine.
fn engine_of(host: &Host) -> Program {
    Program::Argv(vec![host.supervisors.program().display().to_string(), ENGINE.to_owned()])
}

fn seer(run: &StreamId, attempt: u32, engine: &str) -> Seer {
    let engine = if engine.is_empty() { "unknown" } else { engine };
    Seer { run: run.clone(), attempt, engine: engine.chars().take(100).collect() }
}
