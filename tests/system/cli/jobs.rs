//! plan, apply, pause, resume; job files; crontabs.

use testkit::process::Daemon;

use super::{Desk, ON_REQUEST};
use crate::programs::{call, decklog, run};

#[test]
fn plan_exits_10_for_changes_and_0_for_none_and_apply_makes_them() {
    let desk = Desk::new();
    let jobs = desk.file(
        "jobs.yaml",
        "name: nightly\nschedule: { cron: '30 2 * * *' }\ncommand: { argv: [/bin/true] }\n",
    );
    let jobs = jobs.to_str().unwrap();

    let planned = call(&desk.data(), &["plan", jobs]).ended(10);
    assert!(planned.out.contains("+ job/nightly"), "{}", planned.out);
    assert_eq!(planned.out.matches("    next ").count(), 3, "{}", planned.out);
    assert!(planned.out.ends_with("plan: 1 to add, 0 to change, 0 unchanged\n"), "{}", planned.out);
    assert!(!desk.data().join("log.sqlite").exists(), "planning made a log");

    let applied = call(&desk.data(), &["apply", jobs, "-o", "json"]).ended(0).json();
    assert_eq!(
        (&applied[0]["stream"], &applied[0]["message"]),
        (&"job/nightly".into(), &"active".into())
    );
    let planned = call(&desk.data(), &["plan", jobs]).ended(0);
    assert_eq!(planned.out, "plan: 0 to add, 0 to change, 1 unchanged\n");
    let again = call(&desk.data(), &["apply", jobs, "-o", "json"]).ended(0).json();
    assert_eq!(
        (&again[0]["position"], &again[0]["message"]),
        (&0.into(), &"nothing to change".into())
    );

    let other = desk.file(
        "other.yaml",
        "name: nightly\nschedule: { cron: '30 3 * * *' }\ncommand: { argv: [/bin/true] }\n",
    );
    let planned = call(&desk.data(), &["plan", other.to_str().unwrap()]).ended(10);
    assert!(planned.out.contains("~ job/nightly"), "{}", planned.out);
    assert!(planned.out.contains("    schedule"), "{}", planned.out);
    assert!(planned.out.ends_with("plan: 0 to add, 1 to change, 0 unchanged\n"), "{}", planned.out);
}

#[test]
fn a_job_is_paused_and_resumed_whether_up_runs_or_not() {
    let desk = Desk::new();
    let jobs = desk.file(
        "jobs.yaml",
        "name: often\nschedule: { every: 1s }\ncommand: { argv: [/bin/true] }\n",
    );
    let up = desk.up(&[&jobs]);
    up.call(&["job", "pause", "often", "--reason", "the bank is closed"]).ended(0);
    let shown = up.call(&["job", "show", "often"]).ended(0).out;
    assert!(
        shown.contains("state     paused") && shown.contains("user/admin: the bank is closed"),
        "{shown}"
    );
    up.call(&["job", "resume", "often", "--reason", "it is open"]).ended(0);
    let again = up.call(&["job", "resume", "often", "--reason", "it is open"]).ended(5);
    assert!(again.err.contains("refused"), "{}", again.err);
    up.stop();

    let data = desk.data();
    call(&data, &["job", "pause", "often", "--reason", "the bank is closed again"]).ended(0);
    let listed = call(&data, &["job", "list"]).ended(0).out;
    assert!(
        listed.lines().any(|line| line.starts_with("often") && line.contains("paused")),
        "{listed}"
    );
    call(&data, &["job", "resume", "often", "--reason", "it is open"]).ended(0);
    call(&data, &["job", "pause", "nobody", "--reason", "who?"]).ended(3);
    call(&data, &["job", "show", "nobody"]).ended(3);
    call(&data, &["verify"]).ended(0);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_its_column_and_a_hint() {
    let desk = Desk::new();
    let bad = desk.file("bad.yaml", "name: x\ncommand: { argv: [/bin/true] }\ntimeuot: 3s\n");
    for verb in ["plan", "apply"] {
        let refused = call(&desk.data(), &[verb, bad.to_str().unwrap()]).ended(2);
        let expected =
            format!("{}:3:1: there is no field `timeuot`; did you mean `timeout`?", bad.display());
        assert!(refused.err.contains(&expected), "{}", refused.err);
    }
    assert!(!desk.data().exists(), "a mistake in a file made a log");
}

#[test]
fn a_second_up_on_one_data_directory_is_refused() {
    let desk = Desk::new();
    let up = desk.up(&[]);
    let second = up.call(&["up", "--listen", "127.0.0.1:0"]).ended(5);
    assert!(second.err.contains("another `decklog up` has"), "{}", second.err);
    up.call(&["job", "list"]).ended(0);
    up.stop();
}

#[test]
fn up_with_a_broken_file_starts_nothing() {
    let desk = Desk::new();
    let bad = desk.file("bad.yaml", "name: x\ncommandd: {}\n");
    let mut command = decklog(["up", "--listen", "127.0.0.1:0", "--data"]);
    let mut up = Daemon::spawn(command.arg(desk.data()).arg("--with").arg(bad)).unwrap();
    let status = up.wait_for_end(crate::programs::READY).unwrap();
    assert_eq!(status.code(), Some(2), "{}", up.output());
    assert!(!desk.data().exists());
}

const CRONTAB: &str = "\
# a comment

SHELL=/bin/bash
MAILTO=ops@example.com
CRON_TZ=Europe/Berlin
BACKUP_DIR=/srv/backup
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
30 2 * * 1-5  payroll  /opt/payroll/export --all
*/5 * * * *  www  /usr/bin/php /srv/cron.php > /dev/null 2>&1
@daily  root  /usr/local/bin/rotate
@reboot  root  /usr/local/bin/warm-up
0 12 * * *  root  mail -s noon%first line%second line
61 * * * *  root  /bin/never
this is no line
";

#[test]
fn a_crontab_becomes_job_files_that_can_be_planned_and_every_line_left_out_is_said() {
    let desk = Desk::new();
    let tab = desk.file("crontab", CRONTAB);
    let (tab, out) = (tab.to_str().unwrap(), desk.path("jobs"));
    let import =
        ["import", "crontab", "--system", tab, "-o", "json", "--out", out.to_str().unwrap()];
    let said = run(&mut decklog(import)).ended(0);
    let found = said.json();
    let lines: Vec<u64> =
        found.as_array().unwrap().iter().map(|job| job["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [7, 8, 9, 10, 12], "{found:#}");
    for left_out in [11, 13, 14] {
        assert!(
            said.err.contains(&format!("{tab}:{left_out}: left out: ")),
            "{left_out} in {}",
            said.err
        );
    }
    let payroll = &found[1]["definition"];
    assert_eq!(
        (&payroll["zone"], &payroll["run-as"]),
        (&"Europe/Berlin".into(), &"payroll".into())
    );
    assert_eq!(payroll["command"]["argv"][0], "/bin/bash");
    assert_eq!(payroll["command"]["env"]["BACKUP_DIR"], "/srv/backup");
    assert_eq!(found[4]["definition"]["command"]["stdin"], "first line\nsecond line\n");

    let planned = call(&desk.data(), &["plan", out.to_str().unwrap()]).ended(10);
    assert!(planned.out.ends_with("plan: 5 to add, 0 to change, 0 unchanged\n"), "{}", planned.out);
    let again = run(&mut decklog(import)).ended(5);
    assert!(again.err.contains("nothing is overwritten"), "{}", again.err);
}

#[test]
fn a_job_that_no_file_names_is_left_alone_by_plan() {
    let desk = Desk::new();
    let both = desk.file("both.yaml", ON_REQUEST);
    call(&desk.data(), &["apply", both.to_str().unwrap()]).ended(0);
    let one = desk.file("one.yaml", "name: says-hello\ncommand: { argv: [/bin/echo, hello] }\n");
    let planned = call(&desk.data(), &["plan", one.to_str().unwrap()]).ended(0);
    assert_eq!(planned.out, "plan: 0 to add, 0 to change, 1 unchanged\n");
}
