//! From an offer to what a supervisor is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use domain::canonical::{Digest, canonical};
use domain::executor::{Filled, filled};
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

/// What the supervisor does for this offer. Where a value cannot be filled in, that is to refuse it and say why.
pub(crate) fn spec(work: &Work, definition: &JobDefinition, cgroup: Option<PathBuf>) -> Spec {
    match filled(work, definition) {
        Ok(Filled { definition, business_day }) => {
            let business_date = Some(business_day.to_string());
            Spec { business_date, cgroup, ..plain(work, &definition) }
        }
        Err(reason) => Spec { refused: Some(reason), ..plain(work, definition) },
    }
}

fn plain(work: &Work, definition: &JobDefinition) -> Spec {
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
        business_date: None,
        refused: None,
        program,
        cwd: command.cwd.as_ref().map(PathBuf::from),
        env: command.env.clone(),
        secrets: definition.secrets.clone(),
        providers: BTreeMap::new(),
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
            bytes_per_second: definition.output.bytes_per_second,
            success_text: definition.output.success_text.clone(),
            failure_text: definition.output.failure_text.clone(),
        },
        stdin: command.stdin.clone(),
        cgroup: None,
        memory_bytes: definition.memory_bytes(),
        backup: None,
        print: None,
        print_touches: definition.print.as_ref().map(|work| Box::new(crate::print::touches(work))),
        artefacts: definition.artefacts.clone(),
        memo: serde_json::to_value(&definition.exit_codes).unwrap_or_default(),
    }
}

/// The definition with this offer's values in it.
pub(crate) fn with_values(work: &Work, definition: &JobDefinition) -> JobDefinition {
    filled(work, definition).map_or_else(|_| definition.clone(), |filled| filled.definition)
}

/// What exit codes mean for this attempt, as [`spec`] noted it: also for an end that is seen after a restart.
pub(crate) fn exit_codes(spec: &Spec) -> ExitCodes {
    serde_json::from_value(spec.memo.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::ids::StreamId;
    use serde_json::json;

    use super::*;

    fn work(definition: serde_json::Value) -> Work {
        Work {
            run: StreamId::run("pay", "request-1"),
            version: 1,
            attempt: 1,
            pool: "default".to_owned(),
            host: None,
            digest: Digest::NONE,
            definition,
            offer: 1,
            parameters: [("month".to_owned(), "2026-10".to_owned())].into(),
            business_day: Some("2026-11-20".parse().unwrap()),
            at: "2026-11-20T02:30:00Z".parse().unwrap(),
        }
    }

    fn spec_of(fields: serde_json::Value) -> Spec {
        let mut all = json!({"name": "pay", "command": {"argv": ["/bin/pay", "{{month}}"]}});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let definition = serde_json::from_value(all.clone()).unwrap();
        spec(&work(all), &definition, None)
    }

    #[test]
    fn a_supervisor_is_told_values_and_not_tokens() {
        let spec = spec_of(json!({}));
        assert_eq!(spec.program, Program::Argv(vec!["/bin/pay".into(), "2026-10".into()]));
        assert_eq!((spec.business_date.as_deref(), spec.refused), (Some("2026-11-20"), None));
    }

    #[test]
    fn an_engine_has_a_limit_of_memory_and_a_command_one_where_its_job_says_so() {
        let kind =
            |kind: &str, work: serde_json::Value| json!({"kind": kind, "command": {}, kind: work});
        let backup = json!({"dataset": "d", "repository": "r", "paths": ["/srv"]});
        let restore = json!({"dataset": "d", "repository": "r", "to": "/restore"});
        let table = [
            (json!({}), None),
            (json!({"limits": {"memory-bytes": 5_000_000}}), Some(5_000_000)),
            (kind("backup", backup), Some(2 << 30)),
            (kind("prune", json!({"repository": "r"})), Some(2 << 30)),
            (kind("restore", restore), Some(1 << 30)),
        ];
        for (fields, expected) in table {
            assert_eq!(spec_of(fields.clone()).memory_bytes, expected, "{fields}");
        }
        let mut own = kind("prune", json!({"repository": "r"}));
        own["limits"] = json!({"memory-bytes": 10_000_000_000_u64});
        assert_eq!(spec_of(own).memory_bytes, Some(10_000_000_000));
    }

    #[test]
    fn where_a_value_cannot_be_filled_in_the_supervisor_is_told_to_refuse_and_why() {
        let spec = spec_of(json!({"command": {"argv": ["/bin/pay", "{{business-date-1q}}"]}}));
        assert!(spec.refused.is_some_and(|why| why.contains("{{business-date-1q}}")));
    }

    #[test]
    fn what_exit_codes_mean_is_read_back_from_the_specification_ranges_too() {
        let codes = json!({"ok": [0, "10-19"], "warning": [3], "retry": [75, "80-89"]});
        let spec = spec_of(json!({"exit-codes": codes}));
        let stored: Spec = serde_json::from_slice(&serde_json::to_vec(&spec).unwrap()).unwrap();
        assert_eq!(exit_codes(&stored), serde_json::from_value(codes).unwrap());
    }
}
