//! Decklog: runs the night, proves it in the morning.
//!
//! One program: the services (each a role, or all of them with `up`) and the command line tool.

mod cli;
mod client;
mod commands;
mod config;
mod embedded;
mod exit;
mod export;
mod files;
mod host;
mod import;
mod output;
mod roles;
mod site;
mod source;
mod when;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    // Before anything else: the same executable also supervises commands, and that must start fast.
    executor::attempt::main_if_supervisor();
    executor::main_if_engine();
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(()) => exit::OK,
        Err(error) => exit::report(&error),
    }
}
