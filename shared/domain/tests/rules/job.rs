//! What people write about a job.

use domain::job::{Change, JobDefinition, Limits, difference, json_schema, parse_yaml, to_yaml};
use serde_json::{Value, json};

use crate::given::definition;

#[test]
fn a_file_may_hold_many_jobs_and_one_with_too_many_says_how_many_it_may() {
    let file = |count: usize| -> String {
        let job = |n| format!("name: j{n}\ncommand: {{ argv: [x] }}\n");
        (0..count).map(job).collect::<Vec<_>>().join("---\n")
    };
    assert_eq!(parse_yaml("many.yaml", &file(5_000)).unwrap().len(), 5_000);
    let errors = parse_yaml("many.yaml", &file(100_001)).unwrap_err();
    assert!(errors[0].to_string().contains("at most 100000 jobs"), "{}", errors[0]);
}

#[test]
fn the_committed_schema_is_the_one_that_is_generated() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/job.schema.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        Some(&committed) == json_schema("job").as_ref(),
        "What a job can say has changed. Refresh the schema and look at the difference: \
         cargo run -p decklog-domain --example job-schema > shared/domain/job.schema.json"
    );
}

#[test]
fn a_plan_names_the_fields_that_differ_with_both_values() {
    let active = definition(json!({"timeout": "5m", "overlap": "skip", "pool": "a"}));
    let fields = |new: Value| {
        let plan = difference(Some(&active), &definition(new));
        let names: Vec<String> = plan.fields.iter().map(|(name, _, _)| name.clone()).collect();
        (plan.change, names.join(" "))
    };
    let table = [
        (json!({"timeout": "5m", "pool": "a"}), Change::Same, ""),
        (json!({"timeout": "300s", "pool": "a"}), Change::Same, ""),
        (json!({"timeout": "6m", "pool": "a"}), Change::Change, "timeout"),
        (json!({"pool": "a"}), Change::Change, "timeout"),
        (
            json!({"timeout": "5m", "pool": "b", "restartable": true}),
            Change::Change,
            "pool restartable",
        ),
        (
            json!({"timeout": "5m", "pool": "a", "overlap": {"queue-all": {"limit": 3}}}),
            Change::Change,
            "overlap",
        ),
        (
            json!({"timeout": "5m", "pool": "a", "command": {"argv": ["/bin/false"]}}),
            Change::Change,
            "command",
        ),
    ];
    for (new, change, names) in table {
        assert_eq!(fields(new.clone()), (change, names.to_owned()), "{new}");
    }
    let plan = difference(Some(&active), &definition(json!({"pool": "a"})));
    assert_eq!(plan.fields, [("timeout".to_owned(), json!("5m"), Value::Null)]);
    let plan = difference(None, &active);
    assert_eq!((plan.change, plan.fields.len()), (Change::Add, 0));
}

#[track_caller]
fn refused(text: &str) -> String {
    let errors = parse_yaml("jobs.yaml", text).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_mistyped_word_is_answered_with_the_nearest_one() {
    let head = "name: pay\ncommand: { argv: [/bin/pay] }\n";
    let table = [
        ("schedul: { cron: '0 2 * * *' }", "did you mean `schedule`?"),
        ("Timeout: 5m", "did you mean `timeout`?"),
        ("run as: payroll", "did you mean `run-as`?"),
        ("exit_codes: { ok: [0] }", "did you mean `exit-codes`?"),
        ("colour: green", "there is no field `colour`; there are name, kind,"),
        ("retry: { delay: [1m] }", "did you mean `delays`?"),
        ("name: other", "the field `name` is there already"),
    ];
    for (line, wanted) in table {
        let said = refused(&format!("{head}{line}\n"));
        assert!(said.starts_with("jobs.yaml:3:") && said.contains(wanted), "{line}: {said}");
    }
    let said = refused("name: pay\ncommand: { argv: [x] }\ntimeout: 90\n");
    assert!(said.contains("has no unit after `90`"), "{said}");
    let said = refused("name: pay\n");
    assert!(said.contains("command"), "{said}");
}

#[test]
fn a_schedule_that_can_never_fire_or_a_zone_that_is_none_is_refused_with_its_job() {
    let job =
        |schedule: &str| format!("name: pay\nschedule: {schedule}\ncommand: {{ argv: [x] }}\n");
    let said = refused(&job("{ cron: '0 0 30 2 *' }"));
    assert!(said.starts_with("jobs.yaml: job \"pay\": schedule:"), "{said}");
    let said = refused(&format!("{}zone: Mars/Olympus\n", job("{ cron: '0 2 * * *' }")));
    assert!(said.contains("Mars/Olympus"), "{said}");
}

#[test]
fn every_field_survives_the_way_through_yaml_and_json() {
    let full = definition(json!({
        "description": "Hands the pay run to the bank: \"BACS\"\nand waits",
        "owner": "payroll@example.com",
        "schedule": {"cron": "30 2 * * 1-5"},
        "zone": "America/New_York",
        "dst": {"gap": "skip", "overlap-time": "both"},
        "late-after": "5m",
        "catch-up": {"all": {"limit": 3}},
        "overlap": {"queue-all": {"limit": 2}},
        "pool": "finance",
        "host": "fin-02",
        "run-as": "payroll",
        "command": {
            "script": "set -x\necho 'no: yes'\n", "interpreter": ["/bin/bash", "-eu"], "cwd": "/srv/pay",
            "env": {"LANG": "C", "YES": "no", "EMPTY": ""}, "stdin": "input\n"
        },
        "timeout": "45m",
        "stop": {"signal": "INT", "grace": "30s"},
        "retry": {"delays": ["1m", "5m"], "on": ["failed", "timed-out", "lost"]},
        "exit-codes": {"ok": [0, 1], "warning": [4]},
        "output": {"limit-bytes": 1024, "at-limit": "fail"},
        "limits": {"memory-bytes": 268_435_456},
        "restartable": true,
    }));
    let yaml = to_yaml(&full).unwrap();
    let read = parse_yaml("pay.yaml", &yaml).unwrap();
    assert_eq!(read[0].job(), Some(&full), "{yaml}");
    assert!(yaml.starts_with("name: pay\n"), "{yaml}");
    let json = serde_json::to_string(&full).unwrap();
    assert_eq!(parse_yaml("pay.json", &json).unwrap()[0].job(), Some(&full));
    assert_eq!(difference(Some(&full), read[0].job().unwrap()).change, Change::Same);
}

#[test]
fn a_limit_of_memory_leaves_room_for_a_shell_and_stands_in_no_job_that_has_none() {
    for (bytes, good) in [(0, false), (4_194_303, false), (4_194_304, true), (u64::MAX, true)] {
        let job =
            JobDefinition { limits: Limits { memory_bytes: Some(bytes) }, ..definition(json!({})) };
        assert_eq!(job.problems().is_empty(), good, "{bytes}");
    }
    let none = serde_json::to_value(definition(json!({}))).unwrap();
    assert!(none.get("limits").is_none(), "its digest stays what it was: {none}");
}

#[test]
fn a_definition_has_one_digest_however_it_was_written() {
    let short = "name: pay\ncommand: { argv: [/bin/pay] }\ntimeout: 90s\n";
    let long =
        "command:\n  argv:\n    - /bin/pay\nkind: command\ntimeout: 1m30s\nzone: UTC\nname: pay\n";
    let digest =
        |text: &str| parse_yaml("pay.yaml", text).unwrap()[0].job().unwrap().digest().unwrap();
    assert_eq!(digest(short), digest(long));
}
