//! Parameters: their values, and the tokens that stand for them.

use std::collections::BTreeMap;

use domain::job::parameters::{is_parameter, resolve, token_problems};
use domain::job::{Definition, JobDefinition, Parameter, Tokens, parse_yaml};
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::given::definition;
use crate::site::Site;

fn tokens<'a>(day: Date, parameters: &'a BTreeMap<String, String>) -> Tokens<'a> {
    Tokens {
        parameters,
        business_date: day,
        occurrence: "2026-11-20T02:30:00-05:00[America/New_York]".to_owned(),
        job: "pay",
        run: "pay@2026-11-20T02:30-05:00",
        attempt: 2,
    }
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_token_stands_for_what_its_name_says_and_other_braces_for_themselves() {
    let parameters = values(&[("month", "2026-10"), ("empty", ""), ("odd", "{{job}} }}")]);
    let tokens = tokens(date(2026, 11, 20), &parameters);
    let table = [
        ("plain", "plain"),
        ("", ""),
        ("{{month}}", "2026-10"),
        ("--month={{month}}.csv", "--month=2026-10.csv"),
        ("{{month}}{{month}}", "2026-102026-10"),
        ("[{{empty}}]", "[]"),
        ("{{job}} {{run}} {{attempt}}", "pay pay@2026-11-20T02:30-05:00 2"),
        ("{{occurrence}}", "2026-11-20T02:30:00-05:00[America/New_York]"),
        // A value is not looked through again.
        ("{{odd}}", "{{job}} }}"),
        // Others' braces.
        (
            "{{unknown}} {{ month }} {{Month}} {{.Name}}",
            "{{unknown}} {{ month }} {{Month}} {{.Name}}",
        ),
        ("{month} ${month} {{month", "{month} ${month} {{month"),
        ("}}{{month}}", "}}2026-10"),
        ("{{{month}}}", "{2026-10}"),
        ("{{{{month}}}}", "{{2026-10}}"),
        ("{{ x }} {{month}}", "{{ x }} 2026-10"),
        ("{\"a\":{{attempt}}}", "{\"a\":2}"),
        ("{{range .}}{{month}}{{end}}", "{{range .}}2026-10{{end}}"),
        ("é{{month}}é", "é2026-10é"),
    ];
    for (text, wanted) in table {
        assert_eq!(tokens.expand(text).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn the_business_date_is_moved_and_written_as_its_token_says() {
    let none = BTreeMap::new();
    let table = [
        ("2026-11-20", "{{business-date}}", "2026-11-20"),
        ("2026-11-20", "{{business-date:%Y%m%d}}", "20261120"),
        ("2026-11-20", "{{business-date:%d.%m.%y}}", "20.11.26"),
        ("2026-11-20", "{{business-date:%A, %-d %B}}", "Friday, 20 November"),
        ("2026-11-20", "{{business-date:%G-W%V}}", "2026-W47"),
        ("2026-11-20", "{{business-date:%j}}", "324"),
        ("2026-11-20", "{{business-date-1d}}", "2026-11-19"),
        ("2026-11-20", "{{business-date+1d}}", "2026-11-21"),
        ("2026-11-20", "{{business-date-3w:%m/%d}}", "10/30"),
        ("2026-11-20", "{{business-date-1mo:%Y-%m}}", "2026-10"),
        ("2026-11-20", "{{business-date+2y:%Y}}", "2028"),
        ("2026-01-15", "{{business-date-1mo:%Y-%m}}", "2025-12"),
        // The end of a longer month is the end of the shorter one.
        ("2026-03-31", "{{business-date-1mo}}", "2026-02-28"),
        ("2028-03-31", "{{business-date-1mo}}", "2028-02-29"),
        ("2026-10-31", "{{business-date+1mo}}", "2026-11-30"),
        ("2028-02-29", "{{business-date+1y}}", "2029-02-28"),
        ("2026-12-31", "{{business-date+1d:%Y-%m-%d}}", "2027-01-01"),
        ("2026-11-20", "/in/{{business-date:%Y}}/{{business-date:%m}}.csv", "/in/2026/11.csv"),
        ("2026-11-20", "{{business-date:}}", ""),
        // Not ours.
        (
            "2026-11-20",
            "{{business-dates}} {{business-date }}",
            "{{business-dates}} {{business-date }}",
        ),
    ];
    for (day, text, wanted) in table {
        let expanded = tokens(day.parse().unwrap(), &none).expand(text);
        assert_eq!(expanded.as_deref(), Ok(wanted), "{day} {text}");
    }
    for bad in [
        "{{business-date-1}}",
        "{{business-date-d}}",
        "{{business-date-1h}}",
        "{{business-date--1d}}",
        "{{business-date++1d}}",
        "{{business-date-99999d}}",
        "{{business-date-1001y}}",
        "{{business-date-1.5d}}",
        "{{business-date:%H:%M}}",
        "{{business-date:%Q}}",
    ] {
        let error = tokens(date(2026, 11, 20), &none).expand(bad).unwrap_err();
        assert!(error.contains("cannot be"), "{bad}: {error}");
        assert_eq!(token_problems(bad, &BTreeMap::new()).len(), 1, "{bad}");
    }
}

fn parameter(fields: Value) -> Parameter {
    serde_json::from_value(fields).unwrap()
}

#[test]
fn a_value_is_of_the_type_its_parameter_says() {
    let long = "x".repeat(1_001);
    let table: &[(Value, &[&str], &[&str])] = &[
        (json!({}), &["", "any text", "{{x}}", "é"], &[&long, "a\0b"]),
        (
            json!({"type": "integer"}),
            &["0", "-5", "9223372036854775807"],
            &["", "1.5", "9223372036854775808", "one", "0x10"],
        ),
        (
            json!({"type": "date"}),
            &["2026-11-20", "2028-02-29"],
            &["", "2026-02-29", "20261120", "2026-11-20T00:00", "2026-1-1"],
        ),
        (json!({"type": "flag"}), &["true", "false"], &["", "yes", "True", "1"]),
        (
            json!({"type": "choice", "choices": ["eur", "usd"]}),
            &["eur", "usd"],
            &["", "gbp", "EUR"],
        ),
    ];
    for (fields, good, bad) in table {
        let parameter = parameter(fields.clone());
        for value in *good {
            assert_eq!(parameter.check(value), Ok(()), "{fields} {value}");
        }
        for value in *bad {
            assert!(parameter.check(value).is_err(), "{fields} {value}");
        }
    }
}

#[test]
fn what_is_given_goes_before_what_is_declared_and_what_is_missing_or_unknown_is_named() {
    let declared: BTreeMap<String, Parameter> = [
        ("month", json!({"default": "{{business-date-1mo:%Y-%m}}"})),
        ("count", json!({"type": "integer", "default": 5})),
        ("mode", json!({"type": "choice", "choices": ["full", "delta"], "default": "delta"})),
        ("dry", json!({"type": "flag", "default": false})),
        ("who", json!({"default": "{{job}} {{attempt}}"})),
        ("day", json!({"type": "date", "default": "{{business-date}}"})),
    ]
    .into_iter()
    .map(|(name, fields)| (name.to_owned(), parameter(fields)))
    .collect();
    let none = BTreeMap::new();
    let resolved = |given: &[(&str, &str)]| {
        resolve(&declared, &values(given), &tokens(date(2026, 11, 20), &none))
    };
    let usual = [
        ("count", "5"),
        ("day", "2026-11-20"),
        ("dry", "false"),
        ("mode", "delta"),
        ("month", "2026-10"),
        ("who", "pay 2"),
    ];
    assert_eq!(resolved(&[]), Ok(values(&usual)));
    let other = resolved(&[("month", "2025-01"), ("mode", "full")]).unwrap();
    assert_eq!((other["month"].as_str(), other["mode"].as_str()), ("2025-01", "full"));
    // What a person gives is taken as it is.
    assert_eq!(resolved(&[("who", "{{job}}")]).unwrap()["who"], "{{job}}");
    let table = [
        (vec![("count", "many")], "parameter \"count\": \"many\" is no whole number"),
        (vec![("mode", "half")], "parameter \"mode\": \"half\" is none of full, delta"),
        (vec![("dry", "yes")], "parameter \"dry\": \"yes\" is neither true nor false"),
        (
            vec![("mouth", "x")],
            "job pay has no parameter \"mouth\"; there are count, day, dry, mode, month, who",
        ),
    ];
    for (given, wanted) in table {
        assert_eq!(resolved(&given).unwrap_err(), wanted);
    }
    let must: BTreeMap<String, Parameter> = [("id".to_owned(), parameter(json!({})))].into();
    let tokens = tokens(date(2026, 11, 20), &none);
    let missing = resolve(&must, &values(&[]), &tokens).unwrap_err();
    assert_eq!(missing, "parameter \"id\" has no default and must be given");
    let nothing = resolve(&BTreeMap::new(), &values(&[("a", "b")]), &tokens).unwrap_err();
    assert_eq!(nothing, "job pay has no parameter \"a\"; it has none");
}

#[test]
fn a_parameter_has_a_name_that_no_token_has() {
    for name in ["month", "a", "month-2", "x1"] {
        assert!(is_parameter(name), "{name}");
    }
    let long = "a".repeat(41);
    for name in [
        "",
        "1a",
        "Month",
        "a_b",
        "-a",
        "job",
        "run",
        "attempt",
        "occurrence",
        "business-date",
        "business-date-x",
        &long,
    ] {
        assert!(!is_parameter(name), "{name}");
    }
}

fn problems(fields: Value) -> Vec<String> {
    let mut all = json!({"name": "pay", "command": {"argv": ["x"]}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let job: JobDefinition = serde_json::from_value(all).unwrap();
    job.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_with_parameters_and_tokens_is_said_when_the_job_is_written() {
    let daily = json!({"cron": "0 2 * * *"});
    let table = [
        (json!({"parameters": {"Month": {"default": "x"}}}), "Month: a parameter's name is"),
        (json!({"parameters": {"job": {"default": "x"}}}), "job: a parameter's name is"),
        (
            json!({"parameters": {"a": {"type": "choice", "default": "x"}}}),
            "a: a choice has `choices`",
        ),
        (
            json!({"parameters": {"a": {"choices": ["x"], "default": "x"}}}),
            "a: a choice has `choices`",
        ),
        (
            json!({"schedule": daily, "parameters": {"a": {}}}),
            "a: a job with a schedule needs a default",
        ),
        (
            json!({"parameters": {"a": {"type": "integer", "default": "x"}}}),
            "a: \"x\" is no whole number",
        ),
        (
            json!({"parameters": {"a": {"default": "{{business-date-1x}}"}}}),
            "a: `{{business-date-1x}}` cannot be read",
        ),
        (
            json!({"parameters": {"a": {"default": "x", "env": "A=B"}}}),
            "a: env is not a variable's name",
        ),
        (
            json!({"parameters": {"month": {"default": "x"}}, "command": {"argv": ["x", "{{mouth}}"]}}),
            "`{{mouth}}` is no parameter of this job; there are month",
        ),
        (
            json!({"command": {"argv": ["x"], "env": {"D": "{{business-date-9}}"}}}),
            "`{{business-date-9}}` cannot be read",
        ),
        (json!({"needs": [{"file": "/in/{{business-date:%H}}"}]}), "cannot be used for a date"),
    ];
    for (fields, wanted) in table {
        let found = problems(fields).join("; ");
        assert!(found.contains(wanted), "{wanted} in {found}");
    }
    for fine in [
        json!({"command": {"argv": ["x", "{{whatever}}"]}}),
        json!({"schedule": daily, "parameters": {"a": {"type": "date", "default": "{{business-date}}"}}}),
        json!({"parameters": {"a": {}}, "command": {"argv": ["x", "{{a}}", "{{job}}", "{{business-date-1mo:%Y}}"]}}),
    ] {
        assert_eq!(problems(fine.clone()), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn a_default_may_be_written_as_a_number_a_flag_or_a_date() {
    let text = "\
name: pay
command: { argv: [x] }
parameters:
  a: { type: integer, default: 5 }
  b: { type: flag, default: true }
  c: { type: date, default: 2026-11-20 }
  d: { default: '007' }
";
    let parsed = parse_yaml("pay.yaml", text).unwrap();
    let Definition::Job(job) = &parsed[0] else { panic!() };
    let defaults: Vec<&str> =
        job.parameters.values().map(|p| p.default.as_deref().unwrap()).collect();
    assert_eq!(defaults, ["5", "true", "2026-11-20", "007"]);
}

// What runs are given.

#[test]
fn a_run_is_given_the_values_of_its_own_day_when_it_becomes_due() {
    let mut site = Site::new();
    site.apply(json!({
        "name": "pay", "schedule": {"cron": "30 2 * * *"}, "zone": "Europe/Berlin",
        "calendar": {"cut-over": "06:00"},
        "parameters": {
            "day": {"default": "{{business-date}}"}, "when": {"default": "{{occurrence}}"},
            "which": {"default": "{{run}}"},
        },
    }));
    site.until("01:30");
    let wanted = values(&[
        ("day", "2026-11-19"),
        ("when", "2026-11-20T02:30:00+01:00[Europe/Berlin]"),
        ("which", "pay@2026-11-20T02:30+01:00"),
    ]);
    assert_eq!(site.run("pay@2026-11-20T02:30+01:00").terms.parameters, wanted);
    assert_eq!(site.work[0].parameters, wanted);
    assert_eq!(site.work[0].business_day.unwrap().to_string(), "2026-11-19");
    // Who repeats it is given those of its day, not of the day on which it is asked for.
    site.start("pay@2026-11-20T02:30+01:00").end("pay@2026-11-20T02:30+01:00", 1);
    site.until("23:00").rerun("pay@request-1", "pay@2026-11-20T02:30+01:00").until("23:01");
    let again = &site.run("pay@request-1").terms.parameters;
    assert_eq!(again["day"], "2026-11-19");
    assert_eq!(again["when"], "2026-11-20T02:30:00+01:00[Europe/Berlin]");
    site.check_no_voids();
}

#[test]
fn a_request_is_given_what_was_asked_for_and_skipped_where_that_cannot_be() {
    let mut site = Site::new();
    let parameters = json!({"count": {"type": "integer", "default": 5}, "id": {}});
    site.apply(json!({"name": "pay", "parameters": parameters}));
    let ask = |site: &mut Site, run: &str, given: &[(&str, &str)]| {
        let mut requested = site.requested(run, None, false);
        requested.parameters = values(given);
        site.person(&crate::site::run_id(run), requested);
    };
    ask(&mut site, "pay@request-1", &[("id", "7"), ("count", "9")]);
    site.until("00:01");
    assert_eq!(site.run("pay@request-1").terms.parameters, values(&[("id", "7"), ("count", "9")]));
    site.start("pay@request-1").end("pay@request-1", 0);
    ask(&mut site, "pay@request-2", &[("id", "7"), ("count", "nine")]);
    ask(&mut site, "pay@request-3", &[]);
    site.until("00:02");
    let news = site.news();
    let wanted = "pay@request-2 skipped: parameter \"count\": \"nine\" is no whole number";
    assert!(news.contains(&wanted.to_owned()), "{news:?}");
    let wanted = "pay@request-3 skipped: parameter \"id\" has no default and must be given";
    assert!(news.contains(&wanted.to_owned()), "{news:?}");
    site.check_no_voids();
}

#[test]
fn a_definition_with_all_kinds_of_parameters_is_fine() {
    let job = definition(json!({"parameters": {
        "a": {"description": "x", "env": "A"}, "b": {"type": "choice", "choices": ["x"], "default": "x"},
    }}));
    assert_eq!(job.parameters.len(), 2);
}
