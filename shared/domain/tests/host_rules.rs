//! What a host does with an offer: the values it fills in, the files it waits for, the texts it looks for.
#![expect(clippy::unwrap_used, reason = "in a test a failure is to stop it, in its helpers too")]

use domain::canonical::{Digest, canonical};
use domain::event::{
    AttemptReport, DefinitionRef, Event, RetryOn, RetryRule, RunCancelRequested, RunDue, RunEvent,
    RunFailed, RunRetryScheduled, RunStarted, TextFound,
};
use domain::executor::{
    Cause, Ending, Look, Seen, candidates, claim, end, filled, may_start, unmet,
};
use domain::ids::StreamId;
use domain::job::{JobDefinition, Need, OutputTexts};
use domain::ledger::Host;
use domain::run::{Context, Run};
use domain::wire::Work;
use jiff::Timestamp;
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    format!("2026-11-20T{text}Z").parse().unwrap()
}

/// The definition of job `pay` with these fields.
fn job(fields: Value) -> JobDefinition {
    let mut all =
        json!({"name": "pay", "zone": "Europe/Berlin", "command": {"argv": ["/bin/pay"]}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

/// An offer of the second attempt of its run.
fn work(definition: &JobDefinition, parameters: &[(&str, &str)]) -> Work {
    Work {
        run: StreamId::run("pay", "2026-11-21T00:30+01:00"),
        version: 4,
        attempt: 2,
        pool: "default".to_owned(),
        host: None,
        digest: definition.digest().unwrap(),
        definition: serde_json::to_value(definition).unwrap(),
        offer: 1,
        parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        business_day: Some("2026-11-19".parse().unwrap()),
        at: at("23:30:00"),
    }
}

#[test]
fn tokens_are_replaced_in_what_the_command_is_given_and_not_in_a_script() {
    let text = "{{month}} {{business-date}} {{business-date-1mo:%Y%m}} {{occurrence}} {{job}} {{run}} {{attempt}} {{other}}";
    let expected = "2026-10 2026-11-19 202610 2026-11-21T00:30:00+01:00[Europe/Berlin] pay pay@2026-11-21T00:30+01:00 2 {{other}}";
    let argv = job(json!({
        "command": {"argv": ["/bin/pay", text], "env": {"WHAT": text}, "cwd": format!("/{text}"), "stdin": text},
        "needs": [{"file": format!("/in/{text}")}],
    }));
    let given = filled(&work(&argv, &[("month", "2026-10")]), &argv).unwrap().definition;
    let of = |definition: JobDefinition| {
        let command = definition.command;
        let argv = command.argv.unwrap()[1].clone();
        let file = definition.needs[0].file.clone();
        [argv, command.env["WHAT"].clone(), command.cwd.unwrap(), command.stdin.unwrap(), file]
    };
    let slashed = [String::new(), String::new(), "/".to_owned(), String::new(), "/in/".to_owned()];
    assert_eq!(of(given), slashed.map(|before| format!("{before}{expected}")));

    let script =
        job(json!({"command": {"script": "echo {{job}}", "interpreter": ["/bin/{{job}}"]}}));
    let given = filled(&work(&script, &[]), &script).unwrap().definition;
    assert_eq!(given.command, script.command);
}

#[test]
fn a_run_without_a_business_day_has_the_date_of_its_instant_where_its_job_lives() {
    let definition = job(json!({"command": {"argv": ["/bin/pay", "{{business-date}}"]}}));
    let mut offer = work(&definition, &[]);
    offer.business_day = None;
    let given = filled(&offer, &definition).unwrap();
    assert_eq!(given.business_day.to_string(), "2026-11-21");
    assert_eq!(given.definition.command.argv.unwrap()[1], "2026-11-21");
}

#[test]
fn a_parameter_with_a_variable_is_in_the_environment_unless_the_command_says_otherwise() {
    let definition = job(json!({
        "parameters": {"month": {"env": "MONTH"}, "day": {"env": "DAY"}, "silent": {}},
        "command": {"argv": ["/bin/pay"], "env": {"DAY": "own {{day}}"}},
    }));
    let offer = work(&definition, &[("month", "10"), ("day", "3"), ("silent", "x")]);
    let env = filled(&offer, &definition).unwrap().definition.command.env;
    let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("DAY", "own 3"), ("MONTH", "10")]);
}

#[test]
fn what_cannot_be_filled_in_says_why() {
    for (zone, text, why) in [
        ("UTC", "{{business-date-1q}}", "cannot be read"),
        ("Mars/Olympus", "{{occurrence}}", "does not know the time zone Mars/Olympus"),
    ] {
        let definition = job(json!({"zone": zone, "command": {"argv": ["/bin/pay", text]}}));
        let error = filled(&work(&definition, &[]), &definition).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    // A zone that nobody asks about keeps nothing from running.
    let plain = job(json!({"zone": "Mars/Olympus"}));
    assert!(filled(&work(&plain, &[]), &plain).is_ok());
}

#[test]
fn a_claim_names_the_argument_list_that_is_really_started() {
    for (argument, given) in
        [("{{month}}", "2026-10"), ("{{business-date-1q}}", "{{business-date-1q}}")]
    {
        let definition = job(json!({"command": {"argv": ["/bin/pay", argument]}}));
        let draft = claim(&work(&definition, &[("month", "2026-10")]), &definition, "h1", 1, "me");
        let Event::RunEvent(RunEvent::RunStarted(started)) = draft.event else { panic!() };
        assert_eq!(started.argv, Digest::of(&canonical(&["/bin/pay", given]).unwrap()));
    }
}

fn need(fields: Value) -> Need {
    let mut all = json!({"file": "/in/a.csv"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn there(bytes: u64, modified: &str) -> Look {
    Look::There { bytes, modified: at(modified) }
}

#[test]
fn a_run_waits_for_its_files_and_says_what_is_missing() {
    let odd = Look::Unusable("is neither a file nor a directory".to_owned());
    let table = [
        (json!({}), Look::Missing, "is not there"),
        (json!({}), odd, "is neither a file nor a directory"),
        (json!({}), there(0, "10:00:00"), ""),
        (json!({"min-bytes": 10}), there(9, "09:00:00"), "has less than 10 bytes"),
        (json!({"min-bytes": 10}), there(10, "09:00:00"), ""),
        (json!({"older-than": "5m"}), there(1, "09:55:01"), "was changed less than 5m ago"),
        (json!({"older-than": "5m"}), there(1, "09:55:00"), ""),
        (json!({"older-than": "5m"}), there(1, "23:00:00"), "was changed less than 5m ago"),
    ];
    for (fields, look, lack) in table {
        let need = need(fields);
        let said = unmet(
            std::slice::from_ref(&need),
            &[Seen::next(None, look, at("10:00:00"))],
            at("10:00:00"),
        );
        let expected = if lack.is_empty() { vec![] } else { vec![format!("/in/a.csv {lack}")] };
        assert_eq!(said, expected, "{need:?}");
    }
}

#[test]
fn a_file_is_stable_when_so_many_looks_found_the_same() {
    let needs = [need(json!({"stable-for": "3s"}))];
    let mut seen = None;
    let table = [
        ("10:00:00", there(1, "09:00:00"), false),
        ("10:00:02", there(1, "09:00:00"), false),
        // It grew: from here on it is counted again.
        ("10:00:03", there(2, "09:00:00"), false),
        ("10:00:04", there(2, "10:00:03"), false),
        ("10:00:06", there(2, "10:00:03"), false),
        ("10:00:07", there(2, "10:00:03"), true),
    ];
    for (now, look, met) in table {
        let next = Seen::next(seen.take(), look, at(now));
        let said = unmet(&needs, std::slice::from_ref(&next), at(now));
        let expected: &[&str] =
            if met { &[] } else { &["/in/a.csv has not stayed the same for 3s"] };
        assert_eq!(said, expected, "{now}");
        seen = Some(next);
    }
}

#[test]
fn what_is_missing_fits_into_an_event_however_much_it_is() {
    let long = Need { file: format!("/{}", "x".repeat(5_000)), ..need(json!({})) };
    let needs = vec![long; 64];
    let seen = vec![Seen::next(None, Look::Missing, at("10:00:00")); 64];
    let said = unmet(&needs, &seen, at("10:00:00"));
    assert_eq!((said.len(), said.last().map(String::as_str)), (11, Some("and 54 more")));
    assert!(said.concat().len() < 8_000);
}

/// A run after one more event.
fn step(run: Option<&Run>, event: impl Into<Event>) -> Run {
    let Event::RunEvent(event) = event.into() else { panic!() };
    let executor = "executor/h1".parse().unwrap();
    let ctx = Context { received: at("10:00:00"), producer: &executor, actor: None, payload: None };
    Run::evolve(run.cloned(), &StreamId::run("pay", "request-1"), &event, ctx).unwrap()
}

#[test]
fn a_host_may_start_what_is_due_for_this_attempt_on_it_and_nothing_else() {
    let definition = DefinitionRef::new(1, Digest::NONE);
    let due = |host: Option<&str>| RunDue {
        job: "pay".to_owned(),
        definition: definition.clone(),
        nominal: None,
        pool: "default".to_owned(),
        host: host.map(str::to_owned),
        late_ms: 0,
        late_after_ms: 0,
        catch_up: false,
        hold: None,
        behind: vec![],
        retry: RetryRule { delays_ms: vec![1], on: vec![RetryOn::Failed], ..RetryRule::default() },
        terms: Box::default(),
        moved: None,
        part_of: None,
    };
    let started = RunStarted {
        attempt: 1,
        host: "h1".to_owned(),
        definition: Digest::NONE,
        lease_ms: 1,
        run_as: "me".to_owned(),
        argv: Digest::NONE,
        script: None,
    };
    let failed =
        RunFailed { attempt: 1, host: "h1".to_owned(), message: String::new(), report: report(1) };
    let again =
        RunRetryScheduled { attempt: 2, not_before: at("10:00:00"), after: RetryOn::Failed };
    let stop = RunCancelRequested { reason: "enough".to_owned() };

    let here = step(None, due(None));
    let others = step(None, due(Some("h2")));
    let cancelled = step(Some(&here), stop);
    let running = step(Some(&here), started);
    let waits = step(Some(&running), failed);
    let retrying = step(Some(&waits), again);
    for (run, attempt, may) in [
        (&here, 1, true),
        (&here, 2, false),
        (&others, 1, false),
        (&cancelled, 1, false),
        (&running, 1, false),
        (&waits, 2, false),
        (&retrying, 2, true),
        (&retrying, 1, false),
    ] {
        assert_eq!(may_start(run, attempt, "h1"), may, "attempt {attempt} of {:?}", run.state);
    }
}

#[test]
fn the_texts_in_the_output_decide_before_the_exit_code_does() {
    let failure = |text: &str| Some(TextFound::Failure(text.to_owned()));
    type Texts = &'static [&'static str];
    let table: [(Texts, Texts, Texts, Option<TextFound>); 9] = [
        (&[], &[], &["anything"], None),
        (&["done"], &[], &["all done."], None),
        (&["done"], &[], &["do", "ne"], Some(TextFound::NoSuccess)),
        (&["done"], &[], &[], Some(TextFound::NoSuccess)),
        (&["done", "/^rows: [1-9]/"], &[], &["rows: 12"], None),
        (&["/^rows: [1-9]/"], &[], &["no rows: 12", "rows: 0"], Some(TextFound::NoSuccess)),
        (&["done"], &["ORA-", "/(?i)error/"], &["done", "an Error"], failure("/(?i)error/")),
        (&["done"], &["ORA-"], &["ORA-00600"], failure("ORA-")),
        (&[], &["/"], &["a/b"], failure("/")),
    ];
    for (success, failure, lines, expected) in table {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut found = OutputTexts::read(&texts(success), &texts(failure)).unwrap();
        for line in lines {
            found.look(line);
        }
        assert_eq!(found.found(), expected, "{success:?} {failure:?} in {lines:?}");
    }
}

#[test]
fn a_text_in_the_output_makes_a_failure_of_any_exit_code() {
    let failure = TextFound::Failure("ORA-".to_owned());
    for (text, code, message) in [
        (Some(failure.clone()), 0, "its output holds \"ORA-\" (exit code 0)"),
        (Some(failure), 3, "its output holds \"ORA-\" (exit code 3)"),
        (
            Some(TextFound::NoSuccess),
            0,
            "its output holds none of the texts that mean success (exit code 0)",
        ),
        (None, 1, "exit code 1"),
    ] {
        let mut report = report(code);
        report.text = text;
        let exit_codes = serde_json::from_value(json!({"warning": [3]})).unwrap();
        let ending = Ending { report, cause: Cause::Own, exit_codes, payload: None };
        let draft = end(&StreamId::run("pay", "request-1"), 2, &ending);
        let Event::RunEvent(RunEvent::RunFailed(failed)) = draft.event else { panic!("{code}") };
        assert_eq!(failed.message, message);
    }
}

fn report(code: i32) -> AttemptReport {
    serde_json::from_value(json!({
        "attempt": 1, "host": "h1", "end": {"how": "exited", "code": code},
        "began": "2026-11-20T10:00:00Z", "ended": "2026-11-20T10:00:00Z",
    }))
    .unwrap()
}

#[test]
fn a_bad_expression_is_a_problem_of_its_job_with_the_reason() {
    for (text, why) in [
        ("/(/", "is no regular expression"),
        ("//", "no expression between the slashes"),
        ("/(a{999}){999}/", "is no regular expression"),
    ] {
        for field in ["success-text", "failure-text"] {
            let definition = job(json!({"output": {field: ["fine", text]}}));
            let [problem] = definition.problems().try_into().unwrap();
            assert_eq!(problem.field, "output");
            assert!(problem.message.contains(text) && problem.message.contains(why), "{problem}");
        }
    }
    assert_eq!(job(json!({"output": {"failure-text": ["/var/log", "(", "/ok/"]}})).problems(), []);
}

#[test]
fn those_hosts_are_asked_whether_they_can_run_a_job_that_might_have_to() {
    let host = |name: &str, up: bool, pool: &str, site: &str| {
        let started = json!({
            "version": "1", "boot": "b", "slots": 1, "pools": ["default", pool], "found": 0,
            "labels": {"site": site},
        });
        let host = json!({"name": name, "started": started, "since": null, "up": up});
        serde_json::from_value::<Host>(host).unwrap()
    };
    let hosts = [
        host("a", true, "finance", "x"),
        host("b", true, "finance", "y"),
        host("down", false, "finance", "x"),
        host("other", true, "hr", "x"),
        Host { name: "never".to_owned(), up: true, ..Host::default() },
    ];
    let table: [(Value, &[&str]); 6] = [
        (json!({"pool": "finance"}), &["a", "b"]),
        (json!({"pool": "finance", "select": {"site": "y"}}), &["b"]),
        // None fits: then each says why.
        (json!({"pool": "finance", "select": {"site": "z"}}), &["a", "b"]),
        (json!({"pool": "nobody"}), &[]),
        (json!({}), &["a", "b", "other"]),
        (json!({"host": "down", "pool": "finance"}), &["down"]),
    ];
    for (fields, expected) in table {
        assert_eq!(candidates(&job(fields.clone()), hosts.iter()), expected, "{fields}");
    }
}
