//! The night before it comes: `decklog rehearse`, `decklog predict`, and the calendar for other programs.

use serde_json::Value;
use ureq::Agent;

use super::Desk;
use crate::programs::{Up, call, decklog, run};

/// Every two hours `check` waits for `soon`, and `report` for `check`, in a pool that no host serves.
const JOBS: &str = "kind: lock\n\
    name: db\n\
    ---\n\
    name: load\n\
    flow: night\n\
    schedule: { at: ['2099-03-07T01:00:00Z'] }\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: soon\n\
    flow: night\n\
    locks: [db]\n\
    schedule: { cron: '0 */2 * * *' }\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: check\n\
    flow: night\n\
    locks: [db]\n\
    after: [{ job: soon, run: same-occurrence }]\n\
    schedule: { cron: '0 */2 * * *' }\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: report\n\
    flow: night\n\
    pool: small\n\
    after: [{ job: check, run: same-occurrence }]\n\
    schedule: { cron: '0 */2 * * *' }\n\
    sla: { finish-by: 30m }\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: hourly\n\
    schedule: { cron: '0 * * * *' }\n\
    command: { argv: [/bin/true] }\n";

#[track_caller]
fn says(text: &str, wanted: &[&str]) {
    for line in wanted {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

fn row<'t>(text: &'t str, job: &str) -> Vec<&'t str> {
    let mut lines = text.lines().filter(|line| line.contains(&format!(" {job}@")));
    lines.next().unwrap_or_else(|| panic!("{job} is not in\n{text}")).split_whitespace().collect()
}

#[test]
fn a_night_is_rehearsed_and_what_will_be_late_is_predicted_with_the_chain_behind_it() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    up.call(&["run", "soon", "--reason", "to know how long it takes", "--follow"]).ended(0);
    let rehearse = |words: &[&str], code: i32| {
        let said = up.call(&[&["rehearse"], words].concat()).ended(code);
        format!("{}{}", said.out, said.err)
    };
    let text = rehearse(&["--to", "3h"], 0);
    says(&text, &["START", "TAKES", " do not; all is over at ", "marked ?"]);
    says(&text, &["5m?", "it waits until soon@", " has succeeded"]);
    assert!(!row(&text, "soon").join(" ").contains('?'), "its length is known: {text}");

    let found =
        up.call(&["rehearse", "--to", "3h", "--assume", "20m", "-o", "json"]).ended(0).json();
    let part = |job: &str| {
        let all = found["runs"].as_array().unwrap();
        all.iter().find(|part| part["job"] == job).unwrap_or_else(|| panic!("{job}: {found:#}"))
    };
    // No host takes work of this pool: it stays where it is.
    assert_eq!(
        (&part("report")["state"], part("report").get("started")),
        (&Value::from("due"), None)
    );
    assert_eq!(part("check")["after"], part("soon")["run"]);
    assert_eq!(part("check")["length"]["from"], "assumed");
    assert_eq!(found["missed"][0]["limit"], "finish-by");
    let chain = found["missed"][0]["chain"].as_array().unwrap();
    assert_eq!(chain[0]["run"], part("report")["run"], "{found:#}");

    let some = rehearse(&["--to", "3h", "--flow", "night", "--job", "check"], 0);
    assert!(some.contains(" check@") && !some.contains("hourly@"), "{some}");
    says(&rehearse(&["--to", "3h", "-n", "1"], 0), &["more are not named (-n)"]);
    rehearse(&["--to", "3h", "--check"], 1);
    rehearse(&["--to", "3h", "--job", "hourly", "--check"], 0);
    says(&rehearse(&["--from", "2020-01-01"], 2), &["only what lies ahead can be rehearsed"]);
    says(&rehearse(&["--night", "2020-01-01"], 2), &["only what lies ahead can be rehearsed"]);
    says(&rehearse(&["--to", "40d"], 2), &["at most 31 days ahead"]);
    says(&rehearse(&["--night", "tomorrow"], 2), &["is no date"]);
    rehearse(&["--night", "2020-01-01", "--from", "2020-01-01"], 2);

    let predict =
        |words: &[&str], code: i32| up.call(&[&["predict"], words].concat()).ended(code).out;
    says(&predict(&["--to", "3h"], 0), &["misses  report@", ": finish-by ", "report@"]);
    predict(&["--to", "3h", "--check"], 1);
    says(&predict(&["--job", "hourly", "--check"], 0), &["no limit will be missed until"]);
    let json = up.call(&["predict", "--to", "3h", "-o", "json"]).ended(0).json();
    assert_eq!(json[0]["limit"], "finish-by");
    up.stop();
    let alone = call(&desk.data(), &["predict", "--to", "3h"]).ended(0).out;
    says(&alone, &["misses  report@"]);
}

/// The calendar as the console serves it; its status and kind.
fn ics(up: &Up, query: &str) -> (u16, String, String) {
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let token = std::fs::read_to_string(up.data.join("console.token")).unwrap();
    let call = agent.get(format!("{}/api/v1/calendar.ics?{query}", up.server));
    let mut answer = call.header("authorization", format!("Bearer {token}")).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

#[test]
fn the_calendar_for_other_programs_is_read_by_one_that_is_not_ours() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    let range = ["--from", "2099-03-07T00:00:00Z", "--to", "2099-03-08T00:00:00Z"];
    let of = |words: &[&str]| {
        up.call(&[&["calendar", "--format", "ics"], &range[..], words].concat()).ended(0).out
    };
    let all = of(&[]);
    assert_eq!(all.matches("BEGIN:VEVENT\r\n").count(), 1 + 3 * 12 + 24, "{all}");
    let load = of(&["--job", "load"]);
    says(&load, &["DTSTART:20990307T010000Z\r\n", "SUMMARY:load\r\n", "STATUS:CONFIRMED\r\n"]);
    // calcard reads it back.
    let file = desk.file("load.ics", &load);
    let out = desk.path("back");
    let read = ["import", "ics", file.to_str().unwrap(), "--name", "back", "--from", "2099"];
    run(decklog(read).arg("--out").arg(&out)).ended(0);
    let back = std::fs::read_dir(&out).unwrap().map(|file| file.unwrap().path());
    let back: Vec<String> = back.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    says(&back.join("\n"), &["2099-03-07", "load"]);

    let query = "from=2099-03-07T00:00:00Z&to=2099-03-08T00:00:00Z";
    let (status, kind, text) = ics(&up, &format!("{query}&job=load"));
    assert_eq!((status, kind.as_str()), (200, "text/calendar; charset=utf-8"));
    let stamp = |text: &str| -> String {
        text.lines().filter(|line| !line.starts_with("DTSTAMP")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(stamp(&text), stamp(&load), "the console and the command line say the same");
    let (_, _, small) = ics(&up, &format!("{query}&pool=small"));
    assert_eq!(small.matches("SUMMARY:report\r\n").count(), 12, "{small}");
    for (query, word) in [
        ("from=soon", "is not an RFC 3339 instant"),
        ("from=2099-03-07T00:00:00Z&to=2099-03-07T00:00:00Z", "must be after"),
        ("from=2099-03-07T00:00:00Z&to=2101-03-07T00:00:00Z", "at most 366 days"),
    ] {
        let (status, kind, text) = ics(&up, query);
        assert_eq!((status, kind.as_str()), (400, "application/problem+json"), "{text}");
        says(&text, &[word]);
    }
    up.call(&["calendar", "--format", "ics", "--load"]).ended(2);

    // Calendar programs know names and passwords, and only here.
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let token = std::fs::read_to_string(up.data.join("console.token")).unwrap();
    let place = up.server.strip_prefix("http://").unwrap();
    let get = |login: &str, path: &str| {
        let answer = agent.get(format!("http://{login}{place}{path}")).call().unwrap();
        let asks = answer.headers().get("www-authenticate").cloned();
        (answer.status().as_u16(), asks.is_some_and(|asks| asks.as_bytes().starts_with(b"Basic")))
    };
    let path = "/api/v1/calendar.ics";
    assert_eq!(get(&format!("anybody:{token}@"), path), (200, false));
    assert_eq!(get("anybody:decklog_pat_00@", path), (401, true));
    assert_eq!(get("", path), (401, true));
    assert_eq!(get(&format!("anybody:{token}@"), "/api/v1/jobs"), (401, false));
    up.stop();
}
