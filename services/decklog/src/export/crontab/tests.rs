//! Jobs, and the lines they become.

use domain::job::{Definition, parse_yaml};

use super::*;

fn exported(yaml: &str) -> Exported {
    let definitions = parse_yaml("a.yaml", yaml).unwrap();
    let Some(Definition::Job(job)) = definitions.first() else { panic!("{definitions:?}") };
    export(job, false)
}

fn line(job: &str) -> String {
    let exported = exported(&format!("name: a\ncatch-up: none\n{job}\n"));
    exported.entry.map_or_else(|| exported.left_out.unwrap_or_default(), |entry| entry.line())
}

#[test]
fn schedules_become_five_fields_where_they_can() {
    let table = [
        ("cron: '30 2 * * 1-5'", "30 2 * * 1-5 x"),
        ("cron: '@daily'", "@daily x"),
        ("cron: '0 30 2 * * *'", "30 2 * * * x"),
        ("quartz: '0 0/15 8-17 ? * MON-FRI'", "0-59/15 8-17 * * MON-FRI x"),
        ("quartz: '0 30 2 1 * ? *'", "30 2 1 * * x"),
        ("quartz: '0 0 6 ? * 2,7'", "0 6 * * 1,6 x"),
        ("every: 15m", "*/15 * * * * x"),
        ("every: 1m", "* * * * * x"),
        ("every: 1h", "0 * * * * x"),
        ("every: 6h", "0 */6 * * * x"),
        ("every: 1d", "0 0 * * * x"),
    ];
    for (schedule, wanted) in table {
        let job = format!("schedule: {{ {schedule} }}\ncommand: {{ argv: [x] }}");
        assert_eq!(line(&job), wanted, "{schedule}");
    }
    for (schedule, reason) in [
        ("cron: '5 30 2 * * *'", "has seconds"),
        ("cron: '30 2 L * *'", "L, W or #"),
        ("cron: '30 2 * * 1#2'", "L, W or #"),
        ("quartz: '0 0 6 1 * MON'", "asks for both"),
        ("quartz: '0 0 6 1 1 ? 2027'", "has years"),
        ("every: 90s", "has no crontab line"),
        ("every: 7h", "has no crontab line"),
        ("every: { interval: 1h, from: '2026-01-01T00:10:00Z' }", "has no crontab line"),
        ("at: 2027-01-01T00:00", "single times"),
    ] {
        let job = format!("schedule: {{ {schedule} }}\ncommand: {{ argv: [x] }}");
        assert!(line(&job).contains(reason), "{schedule}: {}", line(&job));
    }
}

#[test]
fn commands_become_one_line_where_they_can() {
    let table = [
        ("argv: [/bin/a, 'b c', 100%]", r"/bin/a 'b c' 100\%"),
        ("argv: [/bin/sh, -c, 'a | b; date +%F']", r"a | b; date +\%F"),
        ("argv: [/bin/sh, -c, cat], stdin: \"one\\n50%\\n\"", r"cat%one%50\%"),
        ("script: \"a && b\\n\"", "/bin/sh -eu -c 'a && b'"),
        ("argv: [/bin/sh, -c, a; b], cwd: /tmp/x y", "cd '/tmp/x y' && exec /bin/sh -c 'a; b'"),
    ];
    for (command, wanted) in table {
        let job = format!("schedule: {{ cron: '0 0 * * *' }}\ncommand: {{ {command} }}");
        assert_eq!(line(&job), format!("0 0 * * * {wanted}"), "{command}");
    }
    for (command, reason) in [
        ("script: \"a\\nb\\n\"", "several lines"),
        ("script: print(1), interpreter: [python3]", "no shell reads"),
        ("argv: [x, '{{business-date}}']", "double braces"),
        ("argv: [/bin/sh, -c, 'a \\% b']", "cannot be written"),
        ("argv: [/bin/sh, -c, ' a']", "cannot be written"),
        ("argv: [x], env: { A: \"1\\n2\" }", "variable A"),
        ("argv: [x], env: { A: \"'\\\"\" }", "variable A"),
        ("argv: [x], env: { CRON_TZ: UTC }", "variable CRON_TZ"),
    ] {
        let job = format!("schedule: {{ cron: '0 0 * * *' }}\ncommand: {{ {command} }}");
        assert!(line(&job).contains(reason), "{command}: {}", line(&job));
    }
}

#[test]
fn what_a_crontab_cannot_say_is_listed() {
    let job = "name: a\nschedule: { cron: '0 0 * * *' }\ncommand: { argv: [x] }\nrun-as: ops\n\
        calendar: { not-on: [holidays] }\nafter: [b]\nlocks: [db]\nwindow: { from: '01:00', until: '02:00' }\n\
        retry: { delays: [1m] }\ntimeout: 5m\nhost: db-07\n";
    let lost = exported(job).lost;
    for field in [
        "run-as ops",
        "calendar",
        "after",
        "locks",
        "window",
        "retry",
        "timeout 5m",
        "host db-07",
        "catch-up last",
        "overlap skip",
    ] {
        assert!(lost.iter().any(|lost| lost.starts_with(field)), "{field} in {lost:?}");
    }
    assert_eq!(lost.len(), 10, "{lost:?}");
    let plain = exported(
        "name: a\nschedule: { cron: '0 0 * * *' }\ncatch-up: none\ncommand: { argv: [x] }\n",
    );
    assert_eq!(plain.lost, ["overlap skip"]);
}

#[test]
fn a_job_that_cannot_be_a_line_says_why() {
    let on_request = exported("name: a\ncommand: { argv: [x] }\n");
    assert!(on_request.left_out.unwrap().contains("when somebody asks"));
    let secret = "name: a\nschedule: { cron: '0 0 * * *' }\ncommand: { argv: [x] }\nsecrets: { P: 'env:P' }\n";
    assert!(exported(secret).left_out.unwrap().contains("secrets"));
    let definitions =
        parse_yaml("a", "name: a\nschedule: { cron: '0 0 * * *' }\ncommand: { argv: [x] }\n")
            .unwrap();
    let job = definitions[0].job().unwrap();
    assert!(export(job, true).left_out.unwrap().contains("names no account"));
}

#[test]
fn a_file_sets_what_each_line_needs_and_takes_back_what_it_must_not_see() {
    let yaml = "\
name: plain
description: Says nothing
schedule: { cron: '0 1 * * *' }
zone: Europe/Berlin
catch-up: none
command: { argv: [/bin/sh, -c, one] }
---
name: zoned
schedule: { cron: '0 2 * * *' }
zone: America/New_York
catch-up: none
command: { argv: [/bin/bash, -c, two], env: { A: '1', MAILTO: '' } }
---
name: other
schedule: { cron: '0 3 * * *' }
zone: Europe/Berlin
catch-up: none
command: { argv: [/bin/sh, -c, three], env: { B: ' x ', C: '2' } }
---
name: asked
command: { argv: [x] }
";
    let definitions = parse_yaml("a.yaml", yaml).unwrap();
    let all: Vec<Exported> =
        definitions.iter().filter_map(Definition::job).map(|job| export(job, false)).collect();
    let text = file(&all, "Europe/Berlin").unwrap();
    let wanted = "\
# 3 jobs of Decklog, by `decklog export crontab`.
# CRON_TZ is known to cronie; Debian's cron runs such lines at the machine's own time.

# plain: Says nothing
# not said here: overlap skip
0 1 * * * one

# zoned
# not said here: overlap skip
CRON_TZ=America/New_York
SHELL=/bin/bash
A=1
MAILTO=\"\"
0 2 * * * two

# other
# not said here: overlap skip
CRON_TZ=Europe/Berlin
SHELL=/bin/sh
B=\" x \"
C=2
0 3 * * * unset A MAILTO; three

# asked is left out: it has no schedule: it runs when somebody asks for it
";
    assert_eq!(text, wanted);
}
