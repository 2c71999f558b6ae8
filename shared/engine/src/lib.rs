//! Backup engines behind one trait, run as a child process that speaks JSON lines.
//!
//! A request comes in on standard input, lines go out on standard output, the last one is the
//! report. The engine is not believed: a ledger of the source (`ledger`) says what was read, a
//! manifest with a hash for each file is stored beside every snapshot (`manifest`), and a gate
//! before the repository's files (`gate`) refuses a snapshot that must not be. The files are in a directory of this host,
//! or elsewhere (`store`).

mod child;
mod context;
mod dump;
mod engine;
mod foreign;
mod gate;
mod guardian;
mod hooks;
mod ledger;
mod manifest;
mod path;
mod problem;
pub mod process;
mod report;
mod request;
mod restic;
mod run;
mod rustic;
mod store;
mod target;
mod verdict;

pub use context::{Cancel, exit_code};
pub use path::{BadEscape, FilePath};
pub use process::{guard, main};
pub use report::*;
pub use request::*;
pub use run::{run, run_guarded, run_until};
