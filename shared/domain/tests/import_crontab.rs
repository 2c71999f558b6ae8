//! Taking over crontabs as they are found on real machines.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use domain::import::crontab::{Format, Imported, ImportedJob, Source, parse};
use domain::time::ScheduleSpec;
use proptest::prelude::*;

fn source(format: Format) -> Source {
    Source { file: "crontab".to_owned(), format, default_zone: "Europe/Berlin".to_owned() }
}

fn user(text: &str) -> Imported {
    parse(text, &source(Format::User))
}

fn system(text: &str) -> Imported {
    parse(text, &source(Format::System))
}

fn only(imported: &Imported) -> &ImportedJob {
    assert_eq!(imported.jobs.len(), 1, "{imported:?}");
    &imported.jobs[0]
}

fn cron(job: &ImportedJob) -> &str {
    match &job.schedule {
        ScheduleSpec::Cron(line) => line,
        other @ (ScheduleSpec::Quartz(_) | ScheduleSpec::Every(_) | ScheduleSpec::At(_)) => {
            panic!("{other} is no crontab line")
        }
    }
}

fn names(imported: &Imported) -> Vec<&str> {
    imported.jobs.iter().map(|job| job.name.as_str()).collect()
}

fn noted(imported: &Imported, line: usize, words: &str) -> bool {
    imported.notes.iter().any(|note| note.line == line && note.text.contains(words))
}

const DEBIAN: &str = r#"# /etc/crontab: system-wide crontab
# Unlike any other crontab you don't have to run the `crontab'
# command to install the new version when you edit this file
# and files in /etc/cron.d. These files also have username fields,
# that none of the other crontabs do.

SHELL=/bin/sh
# You can also override PATH, but by default, newer versions inherit it from the environment
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin

# Example of job definition:
# .---------------- minute (0 - 59)
# |  .------------- hour (0 - 23)
# |  |  .---------- day of month (1 - 31)
# |  |  |  .------- month (1 - 12) OR jan,feb,mar,apr ...
# |  |  |  |  .---- day of week (0 - 6) (Sunday=0 or 7) OR sun,mon,tue,wed,thu,fri,sat
# |  |  |  |  |
# *  *  *  *  * user-name command to be executed
17 *	* * *	root	cd / && run-parts --report /etc/cron.hourly
25 6	* * *	root	test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
47 6	* * 7	root	test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }
52 6	1 * *	root	test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.monthly )
#
"#;

#[test]
fn debians_own_crontab_is_taken_over_whole() {
    let imported = system(DEBIAN);
    assert_eq!(names(&imported), ["cron.hourly", "cron.daily", "cron.weekly", "cron.monthly"]);
    assert!(imported.left_out.is_empty() && imported.notes.is_empty(), "{imported:?}");
    let daily = &imported.jobs[1];
    assert_eq!((daily.line, cron(daily)), (20, "25 6 * * *"));
    assert_eq!(daily.user.as_deref(), Some("root"));
    assert_eq!(
        daily.command,
        "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }"
    );
    assert_eq!((daily.shell.as_str(), daily.zone.as_str()), ("/bin/sh", "Europe/Berlin"));
    assert_eq!(daily.env["PATH"], "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin");
    assert_eq!((&daily.stdin, &daily.mailto), (&None, &None));
}

#[test]
fn the_file_of_e2scrub_is_taken_over() {
    let imported = system(
        "30 3 * * 0 root test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/x86_64-linux-gnu/e2fsprogs/e2scrub_all_cron\n\
         10 3 * * * root test -e /run/systemd/system || SERVICE_MODE=1 /sbin/e2scrub_all -A -r\n",
    );
    assert_eq!(names(&imported), ["e2scrub_all_cron", "e2scrub_all"]);
    assert!(imported.left_out.is_empty(), "{imported:?}");
}

#[test]
fn anacrons_cron_d_file_is_taken_over() {
    let imported = system(
        "# /etc/cron.d/anacron: crontab entries for the anacron package\n\n\
         SHELL=/bin/sh\n\n\
         30 7-23 * * *   root\t[ -x /etc/init.d/anacron ] && if [ ! -d /run/systemd/system ]; then /usr/sbin/invoke-rc.d anacron start >/dev/null; fi\n",
    );
    assert_eq!(cron(only(&imported)), "30 7-23 * * *");
    assert!(imported.left_out.is_empty(), "{imported:?}");
}

#[test]
fn text_after_a_percent_sign_is_standard_input() {
    let imported = user("0 9 * * 1 mail -s \"100\\% done\" joe%Joe,%%where are your \\% kids?%\n");
    let job = only(&imported);
    assert_eq!(job.command, "mail -s \"100% done\" joe");
    assert_eq!(job.stdin.as_deref(), Some("Joe,\n\nwhere are your % kids?\n"));
    assert_eq!(job.name, "mail");
}

#[test]
fn an_escaped_percent_sign_is_one_and_other_backslashes_stay() {
    for (written, command, stdin) in [
        (r"date +\%Y-\%m-\%d", "date +%Y-%m-%d", None),
        (r"printf 'a\nb'", r"printf 'a\nb'", None),
        (r"cat \\%in", r"cat \\", Some("in\n")),
        ("cat %", "cat ", None),
        (r"cat%a\b\\%", r"cat", Some("a\\b\\%\n")),
    ] {
        let imported = user(&format!("0 0 * * * {written}\n"));
        let job = only(&imported);
        assert_eq!((job.command.as_str(), job.stdin.as_deref()), (command, stdin), "{written}");
    }
}

#[test]
fn cron_tz_holds_for_the_lines_below_it() {
    let imported = user(
        "0 1 * * * first\nCRON_TZ=America/New_York\n0 1 * * * second\nCRON_TZ=\"asia/tokyo\"\n0 1 * * * third\n",
    );
    let zones: Vec<&str> = imported.jobs.iter().map(|job| job.zone.as_str()).collect();
    assert_eq!(zones, ["Europe/Berlin", "America/New_York", "Asia/Tokyo"]);
    assert!(imported.jobs.iter().all(|job| job.env.is_empty()));
}

#[test]
fn jobs_below_an_unknown_zone_are_left_out_rather_than_run_at_the_wrong_hour() {
    let imported =
        user("CRON_TZ=Amerika/New_York\n0 1 * * * payroll\nCRON_TZ=UTC\n0 2 * * * other\n");
    assert_eq!(names(&imported), ["other"]);
    let lines: Vec<usize> = imported.left_out.iter().map(|left| left.line).collect();
    assert_eq!(lines, [1, 2]);
    assert_eq!(
        imported.left_out[0].reason,
        "crontab:1: unknown time zone `Amerika/New_York`; did you mean `America/New_York`?; the jobs \
         below it are left out too"
    );
}

#[test]
fn tz_is_the_commands_clock_only() {
    let imported = user("TZ=America/New_York\n0 1 * * * report\nTZ=Mars/Base\n");
    assert_eq!(only(&imported).zone, "Europe/Berlin");
    assert_eq!(only(&imported).env["TZ"], "America/New_York");
    assert!(noted(&imported, 1, "those stay in Europe/Berlin"));
    assert!(noted(&imported, 3, "unknown time zone `Mars/Base`"));
}

#[test]
fn assignments_follow_the_quoting_rules_of_cronie() {
    let imported = user(
        "A = one two \t\nB=\"  kept \"\n'C' = 'it''s'\nD='single \"double\"'\nE=$HOME/bin\n\"F G\"=x\nH=\nI=\"open\n0 0 * * * run\n",
    );
    let set: Vec<(&str, &str)> =
        imported.assignments.iter().map(|set| (set.name.as_str(), set.value.as_str())).collect();
    assert_eq!(
        set,
        [
            ("A", "one two"),
            ("B", "  kept "),
            ("D", "single \"double\""),
            ("E", "$HOME/bin"),
            ("F G", "x"),
            ("H", ""),
        ]
    );
    let lines: Vec<usize> = imported.left_out.iter().map(|left| left.line).collect();
    assert_eq!(lines, [3, 8]);
    assert_eq!(only(&imported).env.len(), 6);
}

#[test]
fn a_job_has_the_settings_in_force_at_its_line() {
    let imported = user(
        "SHELL=/bin/bash\n0 0 * * * a\nSHELL=/bin/zsh\nMAILTO=ops@example.com\n0 1 * * * b\nMAILTO=\"\"\n0 2 * * * c\n",
    );
    let shells: Vec<&str> = imported.jobs.iter().map(|job| job.shell.as_str()).collect();
    assert_eq!(shells, ["/bin/bash", "/bin/zsh", "/bin/zsh"]);
    let mail: Vec<Option<&str>> = imported.jobs.iter().map(|job| job.mailto.as_deref()).collect();
    assert_eq!(mail, [None, Some("ops@example.com"), Some("")]);
    assert!(noted(&imported, 4, "mailed the output of the jobs below to ops@example.com"));
    assert!(noted(&imported, 6, "sent no mail"));
}

#[test]
fn a_command_that_starts_with_a_setting_is_a_job() {
    let imported = user("0 5 * * 1 LANG=C /usr/bin/backup --all\n@daily X=1 tidy\n");
    assert_eq!(names(&imported), ["backup", "tidy"]);
    assert!(imported.assignments.is_empty());
}

#[test]
fn words_are_schedules_except_reboot_and_unknown_ones() {
    let imported = user("@reboot /usr/bin/agent\n@midnight a\n@every_minute b\n@hourly c\n");
    assert_eq!(names(&imported), ["a", "c"]);
    assert_eq!(cron(&imported.jobs[0]), "@midnight");
    let reasons: Vec<&str> = imported.left_out.iter().map(|left| left.reason.as_str()).collect();
    assert!(
        reasons[0].contains("not a schedule") && reasons[0].contains("service manager"),
        "{reasons:?}"
    );
    assert!(reasons[1].starts_with("crontab:3: `@every_minute`: unknown word"), "{reasons:?}");
}

#[test]
fn a_leading_dash_is_noted_and_the_job_taken_over() {
    let imported =
        system("-*/15 * * * * root test -x /usr/lib/atsar/atsa1 && /usr/lib/atsar/atsa1\n");
    assert_eq!(cron(only(&imported)), "*/15 * * * *");
    assert_eq!(only(&imported).name, "atsa1");
    assert!(noted(&imported, 1, "here every run is recorded"));
}

#[test]
fn a_random_delay_is_left_out_with_the_reason() {
    let imported = user("RANDOM_DELAY=45\n0 3 * * * sync\n");
    assert_eq!(imported.left_out[0].line, 1);
    assert!(imported.left_out[0].reason.contains("at random"));
    assert!(only(&imported).env.is_empty());
}

#[test]
fn wrong_lines_are_named_with_number_and_reason() {
    for (line, wanted) in [
        (
            "61 * * * * x",
            "crontab:2: `61 * * * *`: the minute field `61` holds 61, which is out of range",
        ),
        ("0~59 3 * * * x", "random time"),
        ("0 0 31 2 * x", "never fires"),
        ("0 0 * * *", "crontab:2: has no command"),
        ("0 0 * *", "is neither an assignment nor five time fields followed by a command"),
        ("hello world", "is neither an assignment nor five time fields"),
        ("five words that are text here", "the minute field `five`"),
        ("@daily", "has no command"),
        ("0 */5 * * * * x", "has a sixth time field"),
    ] {
        let imported = user(&format!("# first\n{line}\n"));
        assert!(imported.jobs.is_empty());
        assert_eq!((imported.left_out[0].line, imported.left_out[0].text.as_str()), (2, line));
        let reason = &imported.left_out[0].reason;
        assert!(reason.contains(wanted), "{line}: {reason}");
    }
}

#[test]
fn the_user_column_is_missed_where_it_should_be_and_noticed_where_it_should_not() {
    let without = system("0 0 * * * /usr/bin/backup\n");
    assert!(without.left_out[0].reason.contains("a path where a system crontab has the user"));
    assert!(system("0 0 * * * root\n").left_out[0].reason.contains("has no command"));
    let with = user("0 0 * * * root /usr/bin/backup\n");
    assert!(noted(&with, 1, "if this is a system crontab, import it as one"));
}

#[test]
fn windows_line_ends_and_a_missing_newline_are_borne_and_noted() {
    let imported = user("\u{feff}A=1\r\n0 0 * * * run\r\n\r\n0 1 * * * last");
    assert_eq!(names(&imported), ["run", "last"]);
    assert_eq!(imported.jobs[0].command, "run");
    assert_eq!(imported.jobs[0].env["A"], "1");
    assert!(noted(&imported, 1, "CR LF"));
    assert!(noted(&imported, 4, "no newline"));
    assert_eq!(imported.notes.len(), 2);
}

#[test]
fn names_come_from_the_command_and_are_unique() {
    let imported = user(
        "0 0 * * * /opt/Pay Roll/run.sh\n\
         0 1 * * * /usr/bin/backup.sh --full\n\
         0 2 * * * nice -n 10 ionice -c 3 /usr/bin/backup.sh\n\
         0 3 * * * backup.sh-2\n\
         0 4 * * * cd /srv && ./backup.sh\n\
         0 5 * * * (sleep 30; /usr/local/bin/Report_Daily)\n\
         0 6 * * * $HOME/bin/%\n\
         0 7 * * * \u{fc}\u{fc}\n",
    );
    assert_eq!(
        names(&imported),
        [
            "pay",
            "backup.sh",
            "backup.sh-2",
            "backup.sh-2-2",
            "backup.sh-3",
            "report_daily",
            "bin",
            "job"
        ]
    );
}

/// The lines that are neither blank nor comments, counted without the code under test.
fn telling_lines(text: &str) -> Vec<usize> {
    let tells = |line: &str| {
        let line = line.trim_matches([' ', '\t', '\r']);
        !line.is_empty() && !line.starts_with('#')
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .enumerate()
        .filter(|(_, line)| tells(line))
        .map(|(index, _)| index + 1)
        .collect()
}

fn accounted_for(imported: &Imported) -> Vec<usize> {
    let jobs = imported.jobs.iter().map(|job| job.line);
    let assignments = imported.assignments.iter().map(|set| set.line);
    let left_out = imported.left_out.iter().map(|left| left.line);
    let mut lines: Vec<usize> = jobs.chain(assignments).chain(left_out).collect();
    lines.sort_unstable();
    lines
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first = name.bytes().next().is_some_and(plain);
    first && name.len() <= 63 && name.bytes().all(|b| plain(b) || matches!(b, b'.' | b'_' | b'-'))
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for format in [Format::User, Format::System] {
        let imported = parse(text, &source(format));
        let lines = telling_lines(text);
        prop_assert_eq!(accounted_for(&imported), lines.clone(), "{:?}", imported);
        prop_assert!(imported.notes.iter().all(|note| note.line <= text.split('\n').count()));
        let names: BTreeSet<&str> = imported.jobs.iter().map(|job| job.name.as_str()).collect();
        prop_assert_eq!(names.len(), imported.jobs.len());
        prop_assert!(names.iter().all(|name| is_name(name)), "{:?}", names);
    }
    Ok(())
}

/// Lines that are nearly right, in all their kinds.
fn likely_line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-]?[0-9*/,-]{1,5} [0-9*]{1,2} [*L] [*] [*0-7] (root |)[a-zA-Z0-9/._%\\\\ &|;=\"']{0,40}",
        "@(daily|reboot|hourly|nonsense|)[ \t]?[a-z/ %]{0,12}",
        "[\"']?[A-Z_]{0,6}[\"']?[ \t]?=[ \t]?[\"']?[a-z/ ]{0,8}[\"']?",
        "(CRON_TZ|TZ|MAILTO|SHELL|RANDOM_DELAY)=(UTC|Europe/Paris|nowhere|)",
        "[ \t]*#.{0,10}",
        "[ \t]*",
        "\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn every_line_of_any_text_is_accounted_for_exactly_once(text in "(?s).{0,200}") {
        check(&text)?;
    }

    #[test]
    fn every_line_of_a_likely_crontab_is_accounted_for_exactly_once(
        lines in prop::collection::vec(likely_line(), 0..12),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        close: bool,
    ) {
        let close = if close { end } else { "" };
        check(&format!("{}{close}", lines.join(end)))?;
    }
}
