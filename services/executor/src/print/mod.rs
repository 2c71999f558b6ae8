//! Prints on this host: documents, the queues they wait in, and how they get to paper and to people.
//!
//! A run of kind `print` starts a child that looks at documents as the job's user; the executor keeps them, encrypted, and
//! has them in the log. From then on a document lives by itself: its queue brings it to the printer when its turn comes, and
//! what became of it is told to the child, which ends when nothing more will.
//!
//! | module | about |
//! |---|---|
//! | `order` | what the child is told, and what it tells |
//! | `prepare` | from a job and the log to an order; what other runs left |
//! | `gather` | the child's side |
//! | `intake` | from what it found to the log, and back |
//! | `inbox`, `look` | directories that queues watch |
//! | `vault`, `spool` | files that are encrypted; the documents in them |
//! | `books` | what is known of this host's documents, and who works on them |
//! | `drive` | a document's way through a printer |
//! | `device` | a printer, as this host reaches it |
//! | `deliver` | documents on their way to people |
//! | `keeping` | what happens to documents that rest |
//! | `answers` | what is asked of this host about documents |

pub(crate) mod answers;
pub(crate) mod books;
mod deliver;
pub(crate) mod device;
mod drive;
mod gather;
pub(crate) mod inbox;
pub(crate) mod intake;
pub(crate) mod keeping;
mod look;
pub(crate) mod order;
mod prepare;
pub(crate) mod spool;

pub(crate) use prepare::{fetch, make_documents, prepare};
pub(crate) mod vault;

use std::sync::Arc;

use domain::print::{DocumentSource, PrintWork, QueueDefinition, Taken};

use crate::attempt::{Program, Spec};
use crate::host::Host;
use crate::life::blocking;

/// The first argument that makes this executable look at documents.
pub(crate) const CHILD: &str = "documents";

/// Runs and ends the process if it was started to look at documents; otherwise returns at once.
pub(crate) fn main_if_child() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == CHILD) && args.next().is_none() {
        std::process::exit(gather::main());
    }
}

/// Our own executable, as one that looks at documents.
fn documents_of(host: &Host) -> Program {
    Program::Argv(vec![host.supervisors.program().display().to_string(), CHILD.to_owned()])
}

/// A specification by which the host's own list can be asked before there is a run.
pub(crate) fn as_checked(host: &Host, work: &PrintWork, spec: Spec) -> Spec {
    Spec { program: documents_of(host), print_touches: Some(Box::new(touches(work))), ..spec }
}

/// What of the host a job touches that prints.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintTouches {
    /// Files and directories that are read.
    pub read: Vec<String>,
    /// Directories that are written.
    pub write: Vec<String>,
}

/// What of the host a job touches that prints.
pub(crate) fn touches(work: &PrintWork) -> PrintTouches {
    let mut touches = PrintTouches::default();
    if let DocumentSource::Files(pattern) = &work.documents {
        let (directory, _) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        touches.read.push(if directory.is_empty() { "/".to_owned() } else { directory.to_owned() });
        if !work.taken.is_keep() {
            touches.write.extend(touches.read.clone());
        }
    }
    touches.read.extend(work.control.iter().map(|control| control.file.clone()));
    if let Taken::MoveTo(directory) = &work.taken {
        touches.write.push(directory.clone());
    }
    for one in &work.deliver {
        if let domain::print::Deliver::Directory(to) = one {
            touches.write.push(to.path.clone());
        }
    }
    touches
}

/// The password of a queue's printer, looked up as the executor.
async fn password_of(host: &Arc<Host>, queue: &QueueDefinition) -> Result<Option<String>, String> {
    let Some(reference) = queue.password.clone() else { return Ok(None) };
    host.allow.check_printer_secret(&reference)?;
    let read = blocking(move || Ok(settings::secret::from_reference(&reference))).await;
    let bytes = read.map_err(|error| error.to_string())?;
    let bytes =
        bytes.map_err(|problem| format!("the password of printer {}: {problem}", queue.name))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| "the password of the printer is no text".to_owned())?;
    Ok(Some(text))
}
