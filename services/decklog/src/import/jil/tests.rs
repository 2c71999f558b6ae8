//! JIL as it is exported.

use domain::job::{Definition, WhichRun};
use domain::run::Outcome;

use super::*;
use crate::import::document::Document;

fn imported(text: &str) -> Imported {
    let mut imported = import(&[Text::new("a.jil", text)], "Europe/Berlin");
    imported.settle();
    imported
}

fn job<'a>(imported: &'a Imported, name: &str) -> &'a domain::job::JobDefinition {
    let jobs = imported.jobs();
    jobs.into_iter().find(|job| job.name == name).unwrap_or_else(|| panic!("{name}: {imported:#?}"))
}

const ALONE: &str = r#"/* ----------------- FIN_EXPORT ----------------- */

insert_job: FIN_EXPORT   job_type: CMD
command: /opt/fin/export --at 02\:30 > /tmp/*.log
machine: DB-07
owner: finops@db-07
permission: gx,wx
date_conditions: 1
days_of_week: mo,tu,we,th,fr
start_times: "02:30, 14:30"
timezone: US/Eastern
exclude_calendar: BANK_HOLIDAYS
run_window: "02:00-05:00"
description: "Export of the ledger"
n_retrys: 2
term_run_time: 90
max_run_alarm: 60
min_run_alarm: 5
must_start_times: "+10, +10"
must_complete_times: 6:00
max_exit_success: 3
std_out_file: ">/tmp/out"
profile: /home/finops/.profile
envvars: "LANG=C,REGION=EU"
resources: (dbload, QUANTITY=2, FREE=Y) AND (lic, QUANTITY=1)
alarm_if_fail: 1
priority: 10

insert_resource: dbload
res_type: R
amount: 8
"#;

#[test]
fn a_command_job_becomes_a_job() {
    let imported = imported(ALONE);
    let yaml = domain::job::to_yaml(job(&imported, "fin_export")).unwrap();
    for part in [
        "cron: 30 2,14 * * MON,TUE,WED,THU,FRI",
        "zone: US/Eastern",
        "host: db-07",
        "run-as: finops",
        "- bank_holidays",
        "from: 02:00",
        "timeout: 1h30m",
        "longer-than: 1h",
        "shorter-than: 5m",
        "start-by: 10m",
        "finish-by: 06:00",
        "- 0-3",
        "LANG: C",
        "REGION: EU",
        "lock: dbload",
        "units: 2",
        ". /home/finops/.profile",
        "/opt/fin/export --at 02:30 > /tmp/*.log",
    ] {
        assert!(yaml.contains(part), "{part} in\n{yaml}");
    }
    assert_eq!(imported.names(), ["dbload", "fin_export"]);
    assert_eq!(imported.lines_left_out(), [26, 27], "{:#?}", imported.left_out);
    imported.has_noted(3, "the calendar bank_holidays, which is not among what was imported");
    imported.has_noted(3, "the lock lic");
    imported.has_noted(15, "10s");
    imported.has_noted(22, "std_out_file");
}

#[test]
fn a_job_that_waits_for_others_is_due_with_them() {
    let text = "\
insert_job: a   job_type: c
command: /bin/a
date_conditions: 1
days_of_week: all
start_times: \"01:00\"

insert_job: b   job_type: c
command: /bin/b
condition: s(a) & d(other, 24.00)

insert_job: c   job_type: c
command: /bin/c
date_conditions: 1
start_times: \"03:00\"
condition: f(b) and t(a)

insert_job: d job_type: c
command: /bin/d
condition: s(nobody)
";
    let imported = imported(text);
    let b = job(&imported, "b");
    assert_eq!(b.schedule.as_ref().unwrap().to_string(), "cron: 0 1 * * *");
    assert_eq!((b.after[0].job.as_str(), b.after[0].run), ("a", WhichRun::SameOccurrence));
    assert_eq!((b.after[1].job.as_str(), b.after[1].run), ("other", WhichRun::SameBusinessDay));
    let c = job(&imported, "c");
    assert_eq!(c.after[0].outcomes, [Outcome::Failed]);
    assert_eq!(c.after[0].run, WhichRun::SameBusinessDay);
    assert_eq!(c.after[1].outcomes, [Outcome::TimedOut, Outcome::Cancelled]);
    assert_eq!(job(&imported, "d").schedule, None);
    imported.has_noted(9, "lookback 24.00");
    imported.has_noted(7, "b names the job other, which is not among");
    imported.has_noted(19, "when somebody asks");
    assert!(imported.left_out.is_empty(), "{:#?}", imported.left_out);
}

#[test]
fn a_box_becomes_a_flow_with_the_jobs_in_it_and_in_its_boxes() {
    let text = "\
insert_job: NIGHT   job_type: BOX
date_conditions: y
days_of_week: all
start_times: \"22:00\"
max_run_alarm: 300

insert_job: LOAD   job_type: CMD
box_name: NIGHT
command: /bin/load

insert_job: CHECKS   job_type: BOX
box_name: NIGHT
condition: s(LOAD)

insert_job: CHECK_A   job_type: CMD
box_name: CHECKS
command: /bin/check a
auto_hold: 1

insert_job: TIMED   job_type: CMD
box_name: NIGHT
command: /bin/timed
date_conditions: 1
start_times: \"23:00\"

insert_job: AFTER   job_type: CMD
command: /bin/after
condition: s(NIGHT)
";
    let imported = imported(text);
    let flow = imported.found.iter().find(|found| matches!(found.what, Document::Flow(_))).unwrap();
    let jobs = flow.what.definitions().unwrap();
    let jobs: Vec<_> = jobs.iter().filter_map(Definition::job).collect();
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["night.check_a", "night.load"]);
    let check = jobs[0];
    assert_eq!(check.after[0].job, "night.load");
    assert_eq!(check.after[0].run, WhichRun::SameOccurrence);
    assert_eq!(check.schedule.as_ref().unwrap().to_string(), "cron: 0 22 * * *");
    assert!(check.confirm.is_some());
    let after = job(&imported, "after");
    let waits: Vec<&str> = after.after.iter().map(|after| after.job.as_str()).collect();
    assert_eq!(waits, ["night.load", "night.check_a", "night.timed"]);
    assert_eq!(after.schedule.as_ref().unwrap().to_string(), "cron: 0 22 * * *");
    imported.has_left_out(5, "a flow does not say it");
    imported.has_left_out(23, "times of its own in a box");
    imported.has_noted(26, "after names the job night.timed, which is not among");
}

#[test]
fn a_watcher_becomes_what_others_need() {
    let text = "\
insert_job: W   job_type: FW
watch_file: /in/ledger.csv
watch_file_min_size: 100
watch_interval: 30
date_conditions: 1
start_times: \"04:00\"

insert_job: LOAD   job_type: CMD
command: /bin/load
condition: s(W)

insert_job: LONELY   job_type: f
watch_file: /in/other

insert_job: GLOB   job_type: f
watch_file: /in/*.csv

insert_job: G   job_type: c
command: x
condition: s(GLOB)
";
    let imported = imported(text);
    let load = imported.only();
    assert_eq!(load.needs[0].file, "/in/ledger.csv");
    assert_eq!(load.needs[0].min_bytes, 100);
    assert_eq!(load.needs[0].stable_for.unwrap().to_string(), "30s");
    assert_eq!(load.schedule.as_ref().unwrap().to_string(), "cron: 0 4 * * *");
    imported.has_left_out(12, "no job of the files waits");
    imported.has_left_out(20, "absolute path");
}

#[test]
fn a_job_whose_box_is_elsewhere_says_so() {
    let elsewhere =
        imported("insert_job: a job_type: c\ncommand: x\nbox_name: B\nstatus: on_ice\n");
    assert_eq!(elsewhere.only().schedule, None);
    elsewhere.has_left_out(3, "not among the files");
    elsewhere.has_noted(4, "decklog job pause a");
}

#[test]
fn times_that_are_no_single_schedule_become_several_jobs() {
    let text =
        "insert_job: a job_type: c\ncommand: x\ndate_conditions: 1\nstart_times: \"6:00,18:30\"\n";
    let cut = imported(text);
    assert_eq!(cut.names(), ["a", "a-2", "a"]);
    let mins =
        "insert_job: a job_type: c\ncommand: x\ndate_conditions: 1\nstart_mins: 0,15,30,45\n";
    assert_eq!(
        imported(mins).only().schedule.as_ref().unwrap().to_string(),
        "cron: 0,15,30,45 * * * *"
    );
}

#[test]
fn what_cannot_be_carried_is_left_out_with_its_line() {
    let job = |more: &str| format!("insert_job: a   job_type: CMD\ncommand: x\n{more}\n");
    let table = [
        (job("condition: s(b) | s(c)"), 3, "either"),
        (job("condition: n(b)"), 3, "one lock"),
        (job("machine: db01,db02"), 3, "only one host"),
        (job("date_conditions: 1"), 3, "no start_times"),
        (job("date_conditions: 1\nstart_times: 25:00"), 4, "no time of day"),
        (job("date_conditions: 1\nstart_times: 5:00\ntimezone: Mars"), 5, "unknown time zone"),
        (job("run_window: morning"), 3, "no window"),
        ("insert_job: a job_type: CMD\ncommand: x $$Y\n".to_owned(), 2, "global variable"),
        ("insert_job: a job_type: CMD\n".to_owned(), 1, "no command"),
        ("insert_job: a job_type: SQL\n".to_owned(), 1, "type sql"),
        ("delete_job: a\n".to_owned(), 1, "as they are"),
        ("insert_calendar: a\n".to_owned(), 1, "calendar document"),
        ("insert_job: a job_type: BOX\n".to_owned(), 1, "it has none"),
        ("command: x\n".to_owned(), 1, "before the first"),
        ("what is this\n".to_owned(), 1, "no attribute"),
    ];
    for (text, line, reason) in table {
        let imported = imported(&text);
        assert!(imported.found.is_empty(), "{text}: {imported:#?}");
        imported.has_left_out(line, reason);
    }
}
