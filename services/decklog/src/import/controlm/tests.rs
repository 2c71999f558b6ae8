//! Exports of Control-M as they are written.

use domain::calendar::{DaySet, Days};
use domain::job::{JobDefinition, Share, WhichRun};
use domain::time::Otherwise;

use super::*;

fn imported(text: &str) -> Imported {
    let mut imported = import(&[Text::new("a.xml", text)], "Europe/Berlin");
    imported.settle();
    imported
}

/// A folder with this in it, from the third line on.
fn folder(inside: &str) -> Imported {
    imported(&format!("<DEFTABLE>\n<FOLDER FOLDER_NAME='NIGHT'>\n{inside}\n</FOLDER>\n</DEFTABLE>"))
}

fn job<'a>(imported: &'a Imported, name: &str) -> &'a JobDefinition {
    let jobs = imported.jobs();
    jobs.into_iter().find(|job| job.name == name).unwrap_or_else(|| panic!("{name}: {imported:#?}"))
}

const NIGHT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE DEFTABLE SYSTEM "deftable.dtd">
<DEFTABLE>
  <FOLDER DATACENTER="PROD" VERSION="900" FOLDER_NAME="NIGHT">
    <JOB JOBISN="1" JOBNAME="LOAD" TASKTYPE="Command"
         CMDLINE="/opt/load --day %%$ODATE --before %%$CALCDATE %%$ODATE -1 --dir %%BASE..in"
         RUN_AS="etl" NODEID="db07" DESCRIPTION="Loads the day" APPLICATION="FIN" PRIORITY="AA"
         DAYS="ALL" JAN="1" FEB="1" MAR="1" APR="1" MAY="1" JUN="1" JUL="1" AUG="1" SEP="1" OCT="1" NOV="1" DEC="1"
         TIMEFROM="0230" TIMETO="0600" TIMEZONE="CET" MAXRERUN="2" INTERVAL="00005M" CONFIRM="1" CYCLIC="0">
      <VARIABLE NAME="%%BASE" VALUE="/data/%%APPLIC" />
      <QUANTITATIVE NAME="DB-SLOTS" QUANT="2" />
      <CONTROL NAME="LEDGER" TYPE="E" />
      <SHOUT WHEN="LATESUB" TIME="0300" DEST="OPS" MESSAGE="late" />
      <SHOUT WHEN="EXECTIME" TIME=">090" DEST="OPS" MESSAGE="long" />
      <SHOUT WHEN="NOTOK" DEST="OPS" MESSAGE="failed" />
      <OUTCOND NAME="LOADED" ODATE="ODAT" SIGN="+" />
      <ON CODE="NOTOK"><DOACTION ACTION="RERUN" /></ON>
    </JOB>
    <JOB JOBNAME="REPORT" TASKTYPE="Job" MEMLIB="/opt/bin" MEMNAME="report.sh" WEEKDAYS="1,2,3,4,5">
      <VARIABLE NAME="%%PARM1" VALUE="--day" />
      <VARIABLE NAME="%%PARM2" VALUE="%%$ODATE" />
      <INCOND NAME="LOADED" ODATE="ODAT" AND_OR="A" />
      <CONTROL NAME="LEDGER" TYPE="S" />
      <OUTCOND NAME="LOADED" ODATE="ODAT" SIGN="-" />
    </JOB>
  </FOLDER>
</DEFTABLE>
"#;

#[test]
fn a_folder_becomes_jobs_that_wait_for_each_other() {
    let imported = imported(NIGHT);
    assert_eq!(imported.names(), ["load", "report", "ledger"], "{imported:#?}");
    let load = job(&imported, "load");
    let yaml = domain::job::to_yaml(load).unwrap();
    for part in [
        "cron: 30 2 * * *",
        "zone: CET",
        "run-as: etl",
        "host: db07",
        "latest-by: 06:00",
        "role: operator",
        "start-by: 03:00",
        "longer-than: 1h30m",
        "exclusive: true",
        "lock: db-slots",
    ] {
        assert!(yaml.contains(part), "{part} in\n{yaml}");
    }
    assert_eq!(
        load.command.argv.as_ref().unwrap()[2],
        "/opt/load --day {{business-date:%Y%m%d}} --before {{business-date-1d:%Y%m%d}} --dir /data/FIN.in"
    );
    assert_eq!(load.retry.delays.iter().map(ToString::to_string).collect::<Vec<_>>(), ["5m", "5m"]);
    let report = job(&imported, "report");
    assert_eq!(report.schedule.as_ref().unwrap().to_string(), "cron: 0 0 * * MON,TUE,WED,THU,FRI");
    assert_eq!(
        (report.after[0].job.as_str(), report.after[0].run),
        ("load", WhichRun::SameBusinessDay)
    );
    assert_eq!(report.locks[0].share, Share::Units(1));
    assert_eq!(
        report.command.argv.as_ref().unwrap()[2],
        "/opt/bin/report.sh --day '{{business-date:%Y%m%d}}'"
    );
    assert_eq!(imported.lines_left_out(), [15, 17], "{:#?}", imported.left_out);
    imported.has_noted(7, "PRIORITY=\"AA\"");
    imported.has_noted(7, "one host");
    imported.has_noted(11, "a lock db-slots");
    imported.has_noted(19, "due at 00:00");
}

#[test]
fn days_are_carried_as_far_as_a_schedule_and_a_calendar_can() {
    let schedule = |attributes: &str| {
        let text = format!("<JOB JOBNAME='A' TASKTYPE='Dummy' TIMEFROM='0100' {attributes}/>");
        let imported = folder(&text);
        let job = imported.jobs().first().map(|job| (*job).clone());
        let job = job.unwrap_or_else(|| panic!("{attributes}: {imported:#?}"));
        (job.schedule.unwrap().to_string(), job.calendar)
    };
    for (attributes, wanted) in [
        ("DAYS='ALL'", "cron: 0 1 * * *"),
        ("DAYS='1,15'", "cron: 0 1 1,15 * *"),
        ("WEEKDAYS='0,6'", "cron: 0 1 * * SUN,SAT"),
        ("DAYS='1' WEEKDAYS='1'", "cron: 0 1 1 * MON"),
        ("DAYS='1' WEEKDAYS='1' DAYS_AND_OR='A'", "quartz: 0 0 1 1 * MON"),
        ("DAYS='ALL' WEEKDAYS='1'", "cron: 0 1 * * *"),
        ("DAYS='ALL' WEEKDAYS='1' DAYS_AND_OR='AND'", "cron: 0 1 * * MON"),
        ("DAYS='1' JAN='1' JUL='1' DEC='0'", "cron: 0 1 1 JAN,JUL *"),
    ] {
        let (schedule, rule) = schedule(attributes);
        assert_eq!(schedule, wanted, "{attributes}");
        assert!(rule.is_empty(), "{attributes}: {rule:?}");
    }
    let rule = |attributes: &str| {
        let (schedule, rule) = schedule(attributes);
        (schedule, serde_json::to_string(&rule).unwrap())
    };
    for (attributes, days, wanted) in [
        ("DAYSCAL='WORK'", "*", r#"{"only-on":["work"]}"#),
        (
            "DAYS='D1,L2' DAYSCAL='WORK'",
            "*",
            r#"{"only-on":[{"working-day":{"nth":[1,-2],"of":"month","by":"work"}}]}"#,
        ),
        (
            "DAYS='+5,-31' DAYSCAL='WORK'",
            "*",
            r#"{"only-on":["work",{"month-days":[5]}],"not-on":[{"month-days":[31]}]}"#,
        ),
        (
            "DAYS='>1,>15' DAYSCAL='WORK'",
            "1,15",
            r#"{"only-on":["work"],"otherwise":"next","working-days":"work"}"#,
        ),
        (
            "DAYS='15' CONFCAL='WORK' SHIFT='&lt;'",
            "15",
            r#"{"only-on":["work"],"otherwise":"previous","working-days":"work"}"#,
        ),
        (
            "DAYSCAL='A' CONFCAL='B' SHIFT='Ignore Job'",
            "*",
            r#"{"only-on":[{"all-of":[{"any-of":["a"]},"b"]}]}"#,
        ),
        ("DAYSCAL='WORK' WEEKDAYS='6'", "*", r#"{"only-on":["work",{"weekdays":["saturday"]}]}"#),
    ] {
        let wanted = (format!("cron: 0 1 {days} * *"), wanted.to_owned());
        assert_eq!(rule(attributes), wanted, "{attributes}");
    }
    let (_, moved) = schedule("DAYS='>1' DAYSCAL='WORK'");
    assert_eq!(moved.otherwise, Otherwise::Next);
    assert!(!matches!(moved.only_on[0], Days::Set(DaySet::AnyOf(_))));
}

#[test]
fn a_cyclic_job_runs_at_the_times_of_its_interval() {
    let schedules = |attributes: &str| {
        let imported = folder(&format!(
            "<JOB JOBNAME='A' TASKTYPE='Dummy' DAYS='ALL' CYCLIC='1' {attributes}/>"
        ));
        let jobs = imported.jobs();
        jobs.iter().map(|job| job.schedule.as_ref().unwrap().to_string()).collect::<Vec<_>>()
    };
    for (attributes, wanted) in [
        (
            "INTERVAL='00015M'",
            vec![
                "cron: 0,15,30,45 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23 * * *",
            ],
        ),
        ("INTERVAL='00060M' TIMEFROM='0830' TIMETO='1130'", vec!["cron: 30 8,9,10,11 * * *"]),
        ("INTERVAL='00002H' TIMEFROM='0700' TIMETO='1300'", vec!["cron: 0 7,9,11,13 * * *"]),
        ("CYCLIC_TIMES_SEQUENCE='0800,+1630'", vec!["cron: 0 8 * * *", "cron: 30 16 * * *"]),
        ("INTERVAL='00030M' TIMEFROM='0815' TIMETO='0945'", vec!["cron: 15,45 8,9 * * *"]),
    ] {
        assert_eq!(schedules(attributes), wanted, "{attributes}");
    }
}

#[test]
fn conditions_of_a_folder_are_those_of_its_jobs() {
    let text = "<DEFTABLE>
<SMART_FOLDER FOLDER_NAME='FIRST' DAYS='1,2'>
<OUTCOND NAME='FIRST-OK' ODATE='ODAT' SIGN='+'/>
<JOB JOBNAME='A' TASKTYPE='Dummy'/>
<JOB JOBNAME='B' TASKTYPE='Dummy'/>
</SMART_FOLDER>
<SMART_FOLDER FOLDER_NAME='SECOND' CONFIRM='1'>
<INCOND NAME='FIRST-OK' ODATE='STAT'/>
<JOB JOBNAME='C' TASKTYPE='Dummy' DAYS='ALL'/>
</SMART_FOLDER>
</DEFTABLE>";
    let imported = imported(text);
    let c = job(&imported, "c");
    let waits: Vec<_> = c.after.iter().map(|after| (after.job.as_str(), after.run)).collect();
    assert_eq!(waits, [("a", WhichRun::Latest), ("b", WhichRun::Latest)]);
    assert_eq!(job(&imported, "a").schedule.as_ref().unwrap().to_string(), "cron: 0 0 1,2 * *");
    assert_eq!(imported.lines_left_out(), [7]);
}

#[test]
fn what_cannot_be_carried_is_left_out_with_its_line() {
    let command = |rest: &str| format!("<JOB JOBNAME='A' TASKTYPE='Command'\nCMDLINE='x'\n{rest}");
    let table = [
        (command("DAYS='D1'/>"), 5, "DAYSCAL names none"),
        (command("DAYS='1,>2' DAYSCAL='W'/>"), 5, "cannot be carried together"),
        (command("DAYS='1' DAYSCAL='W'/>"), 5, "days of the month together"),
        (command("DAYS='X'/>"), 5, "no day"),
        (command("WEEKDAYS='D1W2'/>"), 5, "0 (Sunday) to 6"),
        (command("WEEKDAYS='1' WEEKSCAL='W'/>"), 5, "calendar for weekdays"),
        (command("DAYS='ALL' TIMEZONE='XYZ'/>"), 5, "unknown time zone"),
        (command("DAYS='ALL' TIMEFROM='2500'/>"), 5, "no time of day"),
        (command("DAYS='ALL' CYCLIC='1' INTERVAL='00007M'/>"), 5, "over midnight"),
        (command("DAYS='ALL' CYCLIC='1' INTERVAL='00007M' TIMETO='2300'/>"), 5, "few lines"),
        (command("DAYS='ALL' CONFCAL='W' SHIFT='>' SHIFTNUM='+02'/>"), 5, "nearest day"),
        (command("NODEID='a b'/>"), 5, "no name of a host"),
        (command("APPL_TYPE='FILE_TRANS'/>"), 5, "plug-in"),
        (command(">\n<INCOND NAME='N'/></JOB>"), 6, "no job of the files adds"),
        (
            command(">\n<INCOND NAME='N'/>\n<INCOND NAME='M' AND_OR='O'/></JOB>"),
            6,
            "no job of the files adds",
        ),
        (command(">\n<INCOND NAME='N' ODATE='PREV'/></JOB>"), 6, "of the day PREV"),
        (command(">\n<RULE_BASED_CALENDARS NAME='X'/></JOB>"), 6, "rule-based"),
        ("<JOB JOBNAME='A' TASKTYPE='Command' CMDLINE='x %%ORDERID'/>".to_owned(), 3, "%%ORDERID"),
        ("<JOB JOBNAME='A' TASKTYPE='Detached'/>".to_owned(), 3, "type detached"),
        ("<JOB JOBNAME='A' TASKTYPE='Job' MEMNAME='x'/>".to_owned(), 3, "absolute MEMLIB"),
    ];
    for (text, line, reason) in table {
        let imported = folder(&text);
        assert!(imported.jobs().is_empty(), "{text}: {imported:#?}");
        imported.has_left_out(line, reason);
    }
    let either = folder(
        "<JOB JOBNAME='A' TASKTYPE='Dummy'><OUTCOND NAME='N'/><OUTCOND NAME='M'/></JOB>\n<JOB JOBNAME='B' TASKTYPE='Dummy'>\n<INCOND NAME='N'/>\n<INCOND NAME='M' AND_OR='O'/></JOB>",
    );
    assert_eq!(either.names(), ["a"]);
    either.has_left_out(6, "either of several");
    imported("<a/>").has_left_out(1, "no export of Control-M");
}

#[test]
fn a_condition_that_any_of_several_adds_is_refused_and_ones_own_is_noted() {
    let several = folder(
        "<JOB JOBNAME='A' TASKTYPE='Dummy'><OUTCOND NAME='N'/></JOB>\n<JOB JOBNAME='B' TASKTYPE='Dummy'><OUTCOND NAME='N'/></JOB>\n<JOB JOBNAME='C' TASKTYPE='Dummy'><INCOND NAME='N'/></JOB>",
    );
    several.has_left_out(5, "any of a, b");
    let own =
        folder("<JOB JOBNAME='A' TASKTYPE='Dummy'><INCOND NAME='N'/><OUTCOND NAME='N'/></JOB>");
    assert!(own.only().after.is_empty());
    own.has_noted(3, "its own");
}
