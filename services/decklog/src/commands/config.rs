//! `decklog config check|show`.

use crate::cli::{Config as Verb, ConfigFile};
use crate::config::Config;
use crate::{exit, output};

pub(crate) fn run(verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Check(file) => check(file),
        Verb::Show(show) => {
            let config = load(&show.file)?;
            let problems = config.problems();
            if !problems.is_empty() {
                return Err(exit::usage(problems.join("\n")));
            }
            output::print(&config.text(show.origin)?)
        }
    }
}

fn load(file: &ConfigFile) -> anyhow::Result<Config> {
    Config::load(&file.config, std::env::vars(), &[])
}

fn check(file: &ConfigFile) -> anyhow::Result<()> {
    let problems = load(file)?.problems();
    if problems.is_empty() {
        return output::line(&format!("{}: ok", file.config.display()));
    }
    Err(exit::usage(problems.join("\n")))
}
