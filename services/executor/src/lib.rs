//! The hands: takes offers, runs commands on this host, says what it saw.
//!
//! It holds no database credential and decides no retry. What it runs goes on under small supervisors
//! when it dies ([`attempt`]); what it saw stands in its journal until the recorder has it.

mod alone;
pub mod attempt;
mod backup;
mod beat;
mod check;
mod config;
mod host;
pub mod join;
mod leaves;
mod life;
mod needs;
mod one_line;
mod order;
mod output;
mod print;
mod program;
mod questions;
mod records;
mod recover;
mod sealing;
mod service;
mod take;
mod zones;

pub use backup::{bare, main_if_engine};
pub use config::ExecutorConfig;
pub use one_line::OneLine;
pub use output::read_output;
pub use service::{Producer, Surroundings, run};
pub use zones::{tzdb, zone_files};
