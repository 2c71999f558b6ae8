//! Other people's schedules in, and crontabs out.

use std::path::Path;

use serde_json::Value;

use super::Desk;
use crate::programs::{Said, call, decklog, run};

/// A file of one format, and what an import makes of it.
struct Case {
    format: &'static str,
    file: &'static str,
    text: &'static str,
    more: &'static [&'static str],
    /// Kinds and names of the documents.
    documents: &'static [&'static str],
    /// Lines of the file that are left out.
    left_out: &'static [usize],
}

const CASES: [Case; 6] = [
    Case {
        format: "rundeck",
        file: "jobs.yaml",
        text: "- name: Report\n  group: out\n  notification: { onfailure: { email: {} } }\n  schedule: { crontab: 0 0 8 ? * MON-FRI * }\n  sequence: { commands: [{ exec: /bin/report }] }\n- name: web\n  sequence: { commands: [{ scripturl: http://x }] }\n",
        more: &[],
        documents: &["job out.report"],
        left_out: &[3, 7],
    },
    Case {
        format: "quartz",
        file: "schedules.txt",
        text: "# ours\na.close = 0 0 22 L * ? zone=Europe/Paris : /opt/close\nbad = 0 0 25 * * ? : x\n",
        more: &[],
        documents: &["job a.close"],
        left_out: &[3],
    },
    Case {
        format: "quartz",
        file: "jobs.xml",
        text: "<job-scheduling-data><schedule>\n<job><name>a</name></job>\n<job><name>b</name></job>\n<trigger><cron><job-name>a</job-name><cron-expression>0 0 1 * * ?</cron-expression></cron></trigger>\n</schedule></job-scheduling-data>\n",
        more: &["--command", "DEFAULT.a=/bin/a"],
        documents: &["job default.a"],
        left_out: &[3],
    },
    Case {
        format: "jil",
        file: "night.jil",
        text: "insert_job: NIGHT  job_type: BOX\ndate_conditions: 1\ndays_of_week: all\nstart_times: \"22:00\"\n\ninsert_job: A  job_type: CMD\nbox_name: NIGHT\ncommand: /bin/a\npriority: 5\n\ninsert_job: B  job_type: CMD\nbox_name: NIGHT\ncommand: /bin/b\ncondition: s(A)\n\ninsert_job: C  job_type: CMD\ncommand: /bin/c\ncondition: s(A) | s(B)\n",
        more: &[],
        documents: &["flow night"],
        left_out: &[9, 18],
    },
    Case {
        format: "controlm",
        file: "night.xml",
        text: "<DEFTABLE>\n<FOLDER FOLDER_NAME='N'>\n<JOB JOBNAME='A' TASKTYPE='Command' CMDLINE='/bin/a %%$ODATE' DAYS='ALL' TIMEFROM='0100'>\n<CONTROL NAME='DB' TYPE='E'/>\n<ON CODE='NOTOK'/>\n</JOB>\n<JOB JOBNAME='B' TASKTYPE='Detached'/>\n</FOLDER>\n</DEFTABLE>\n",
        more: &[],
        documents: &["job a", "lock db"],
        left_out: &[5, 7],
    },
    Case {
        format: "ics",
        file: "holidays.ics",
        text: "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Christmas\nDTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY\nEND:VEVENT\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR\n",
        more: &["--name", "holidays", "--from", "2026", "--to", "2030"],
        documents: &["calendar holidays"],
        left_out: &[7],
    },
];

fn import(case: &Case, file: &Path, out: Option<&Path>) -> Said {
    let mut command = decklog(["import", case.format]);
    command.arg(file).args(case.more).args(["-o", "json"]);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    run(&mut command)
}

/// The lines of which it says that they are left out.
fn lines_left_out(said: &Said, file: &Path) -> Vec<usize> {
    let begin = format!("{}:", file.display());
    let lines = said.err.lines().filter(|line| line.contains(": left out: "));
    let number = |line: &str| line.strip_prefix(&begin)?.split(':').next()?.parse().ok();
    let mut found: Vec<usize> = lines.filter_map(number).collect();
    found.dedup();
    found
}

#[test]
fn every_format_becomes_files_that_can_be_applied_and_every_line_left_out_is_said() {
    for case in &CASES {
        let desk = Desk::new();
        let (file, out) = (desk.file(case.file, case.text), desk.path("out"));
        let shown = import(case, &file, None).ended(0);
        let documents: Vec<String> = shown.json().as_array().unwrap().iter().map(named).collect();
        assert_eq!(documents, case.documents, "{}\n{}", case.file, shown.err);
        assert_eq!(lines_left_out(&shown, &file), case.left_out, "{}\n{}", case.file, shown.err);
        assert!(!out.exists(), "showing wrote");
        import(case, &file, Some(&out)).ended(0);
        let written = std::fs::read_dir(&out).unwrap().count();
        assert_eq!(written, case.documents.len(), "{}", case.file);
        let out = out.to_str().unwrap();
        call(&desk.data(), &["plan", out]).ended(10);
        call(&desk.data(), &["apply", out]).ended(0);
        call(&desk.data(), &["plan", out]).ended(0);
    }
}

fn named(line: &Value) -> String {
    format!("{} {}", line["kind"].as_str().unwrap(), line["job"].as_str().unwrap())
}

#[test]
fn a_systemd_timer_and_the_service_beside_it_become_a_job() {
    let desk = Desk::new();
    let timer = desk.file("backup.timer", "[Timer]\nOnCalendar=Mon..Fri 02:30\nOnBootSec=5min\n");
    desk.file(
        "backup.service",
        "[Service]\nType=oneshot\nUser=backup\nExecStart=/bin/backup --all\n",
    );
    desk.file("other.service", "[Service]\nExecStart=/bin/other\n");
    let import = ["import", "systemd", timer.to_str().unwrap(), "-o", "json"];
    let said = run(&mut decklog(import)).ended(0);
    let found = said.json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found[0]["definition"]["run-as"], "backup");
    assert_eq!(found[0]["definition"]["schedule"]["cron"], "30 2 * * MON-FRI");
    assert!(said.err.contains("backup.timer:3: left out: "), "{}", said.err);
    let table = run(&mut decklog(["import", "systemd", timer.to_str().unwrap()])).ended(0).out;
    assert!(table.starts_with("FILE"), "{table}");
    assert!(table.contains("/bin/backup --all"), "{table}");
    let no_unit = desk.file("notes.txt", "");
    let refused = run(&mut decklog(["import", "systemd", no_unit.to_str().unwrap()])).ended(2);
    assert!(refused.err.contains("neither a .timer nor a .service"), "{}", refused.err);
}

#[test]
fn where_one_file_is_there_already_none_is_written() {
    let desk = Desk::new();
    let tab = desk.file("tab", "0 1 * * * /bin/one\n0 2 * * * /bin/two\n");
    let out = desk.path("jobs");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("two.yaml"), "mine").unwrap();
    let import = ["import", "crontab", tab.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let refused = run(&mut decklog(import)).ended(5);
    assert!(
        refused.err.contains("two.yaml exists already: nothing is overwritten"),
        "{}",
        refused.err
    );
    let names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["two.yaml"]);
    assert_eq!(std::fs::read_to_string(out.join("two.yaml")).unwrap(), "mine");
}

/// Schedules and commands of jobs, in order.
fn what_runs_when(found: &Value) -> Vec<String> {
    let one = |line: &Value| {
        let job = &line["definition"];
        let parts = [
            &job["schedule"],
            &job["zone"],
            &job["run-as"],
            &job["command"]["argv"],
            &job["command"]["stdin"],
        ];
        parts.map(Value::to_string).join(" ")
    };
    let mut all: Vec<String> = found.as_array().unwrap().iter().map(one).collect();
    all.sort();
    all
}

const TAB: &str = "\
MAILTO=ops@example.com
17 * * * * root cd / && run-parts --report /etc/cron.hourly
30 2 * * 1-5 payroll /opt/payroll/export --month \\%m | tee -a /var/log/x
@daily root /usr/local/bin/rotate
SHELL=/bin/bash
A=' two words '
0 12 * * * root mail -s noon%first line%50\\% of it
CRON_TZ=America/New_York
5 4 * * sun root echo \"it's\"
";

#[test]
fn a_crontab_that_was_imported_and_applied_is_exported_as_the_same_schedules_and_commands() {
    let desk = Desk::new();
    let (tab, jobs) = (desk.file("tab", TAB), desk.path("jobs"));
    let (tab, jobs) = (tab.to_str().unwrap(), jobs.to_str().unwrap());
    let first =
        run(&mut decklog(["import", "crontab", "--system", tab, "--out", jobs, "-o", "json"]))
            .ended(0);
    call(&desk.data(), &["apply", jobs]).ended(0);
    let exported = call(&desk.data(), &["export", "crontab", "--user-column"]).ended(0);
    let again = desk.file("again", &exported.out);
    let again = ["import", "crontab", "--system", again.to_str().unwrap(), "-o", "json"];
    let again = run(&mut decklog(again)).ended(0);
    assert!(!again.err.contains("left out"), "{}\n{}", again.err, exported.out);
    let (before, after) = (what_runs_when(&first.json()), what_runs_when(&again.json()));
    assert_eq!(before.len(), 5);
    assert_eq!(before, after, "{}", exported.out);
}

#[test]
fn an_export_says_what_a_crontab_cannot_say_and_which_jobs_have_no_line() {
    let desk = Desk::new();
    let jobs = desk.file(
        "jobs.yaml",
        "name: nightly\nschedule: { cron: '30 2 * * *' }\ncommand: { argv: [/bin/true] }\nretry: { delays: [1m] }\n\
         ---\nname: asked\ncommand: { argv: [/bin/true] }\n\
         ---\nname: quiet\nschedule: { every: 15m }\ncommand: { argv: [/bin/true] }\n",
    );
    call(&desk.data(), &["apply", jobs.to_str().unwrap()]).ended(0);
    call(&desk.data(), &["job", "pause", "quiet", "--reason", "the bank is closed"]).ended(0);
    let said = call(&desk.data(), &["export", "crontab"]).ended(0);
    assert!(said.out.contains("\n30 2 * * * /bin/true\n"), "{}", said.out);
    assert!(
        said.out.contains("# not said here: catch-up last; overlap skip; retry "),
        "{}",
        said.out
    );
    assert!(said.err.contains("nightly: a crontab does not say: "), "{}", said.err);
    for left_out in
        ["asked: left out: it has no schedule", "quiet: left out: it is paused: the bank"]
    {
        assert!(said.err.contains(left_out), "{left_out} in {}", said.err);
    }
    let one = call(&desk.data(), &["export", "crontab", "--job", "nightly", "-o", "json"])
        .ended(0)
        .json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(one[0]["entry"]["times"], "30 2 * * *");
    call(&desk.data(), &["export", "crontab", "--job", "nobody"]).ended(3);
}

#[test]
fn years_and_names_that_cannot_be_are_refused() {
    let desk = Desk::new();
    let file = desk.file("a.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n");
    let file = file.to_str().unwrap();
    for more in [["--name", "Bad Name"], ["--name", "x"]] {
        let mut command = decklog(["import", "ics", file, "--from", "2027", "--to", "2026"]);
        run(command.args(more)).ended(2);
    }
    let mut quartz = decklog(["import", "quartz", file, "--command", "nothing"]);
    let refused = run(&mut quartz).ended(2);
    assert!(refused.err.contains("GROUP.NAME=COMMAND"), "{}", refused.err);
    run(&mut decklog(["import", "jil", "/no/such/file"])).ended(2);
}
