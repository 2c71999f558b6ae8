//! From a definition to what a supervisor is told.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use domain::canonical::{Digest, canonical};
use domain::job::{AtLimit as KeepRule, ExitCodes, JobDefinition};
use domain::wire::Work;

use crate::attempt::{AtLimit, OutputLimit, Program, Spec, Stop};

/// Reads the definition of an offer, and checks that it is the one the offer names: the recorder compares
/// that digest with what was approved.
pub(crate) fn definition(work: &Work) -> anyhow::Result<JobDefinition> {
    let bytes = canonical(&work.definition)?;
    ensure!(
        Digest::of(&bytes) == work.digest,
        "the definition in the offer is not the one it names"
    );
    serde_json::from_value(work.definition.clone())
        .context("the definition cannot be read: upgrade this executor")
}

pub(crate) fn spec(work: &Work, definition: &JobDefinition, cgroup: Option<PathBuf>) -> Spec {
    let command = &definition.command;
    let program = match (&command.script, &command.argv) {
        (Some(text), _) => {
            Program::Script { interpreter: command.interpreter.clone(), text: text.clone() }
        }
        (None, argv) => Program::Argv(argv.clone().unwrap_or_default()),
    };
    Spec {
        run: work.run.to_string(),
        attempt: work.attempt,
        job: definition.name.clone(),
        program,
        cwd: command.cwd.as_ref().map(PathBuf::from),
        env: command.env.clone(),
        run_as: definition.run_as.clone(),
        timeout_ms: definition.timeout.map(|timeout| timeout.millis()),
        stop: Stop {
            signal: definition.stop.signal.clone(),
            grace_ms: definition.stop.grace.millis(),
        },
        output: OutputLimit {
            bytes: definition.output.limit_bytes,
            at_limit: match definition.output.at_limit {
                KeepRule::Truncate => AtLimit::Truncate,
                KeepRule::Fail => AtLimit::Fail,
            },
        },
        stdin: command.stdin.clone(),
        cgroup,
        memo: serde_json::to_value(&definition.exit_codes).unwrap_or_default(),
    }
}

/// What exit codes mean for this attempt, as [`spec`] noted it: also for an end that is seen after a restart.
pub(crate) fn exit_codes(spec: &Spec) -> ExitCodes {
    serde_json::from_value(spec.memo.clone()).unwrap_or_default()
}
