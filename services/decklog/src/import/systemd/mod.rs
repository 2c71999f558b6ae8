//! systemd timers, with the services they start.
//!
//! | module | is about |
//! |---|---|
//! | `files` | finding units and their drop-ins |
//! | `unit` | a unit as sections, keys and values |
//! | `timer` | when: OnCalendar and its like |
//! | `calendar` | the text of OnCalendar (systemd.time(7)) |
//! | `span` | lengths of time (systemd.time(7)) |
//! | `service` | what: ExecStart and its surroundings |
//! | `exec` | the words of a command line, specifiers, variables |

mod calendar;
mod exec;
mod files;
mod service;
pub(super) mod span;
mod timer;
mod unit;

pub(crate) use files::{UnitFile, read};

use super::names::Names;
use super::{Imported, draft};
use exec::Specifiers;
use unit::Unit;

/// Reads timers and their services.
pub(crate) fn import(files: &[UnitFile], zone: &str) -> Imported {
    let mut imported = Imported::default();
    let units: Vec<Unit> = files.iter().map(|file| Unit::parse(file, &mut imported)).collect();
    let (mut names, mut used) = (Names::default(), Vec::new());
    for timer in units.iter().filter(|unit| unit.asked && unit.name.ends_with(".timer")) {
        take(timer, &units, zone, &mut names, &mut used, &mut imported);
    }
    for unit in units.iter().filter(|unit| unit.named && unit.name.ends_with(".service")) {
        if !used.contains(&unit.name.as_str()) {
            imported.leave_out(&unit.at, &unit.name, "no timer among the files starts it");
        }
    }
    imported
}

fn take<'a>(
    timer: &'a Unit,
    units: &'a [Unit],
    zone: &str,
    names: &mut Names,
    used: &mut Vec<&'a str>,
    imported: &mut Imported,
) {
    let stem = timer.name.trim_end_matches(".timer");
    if stem.ends_with('@') {
        let reason = "it is a template: import the instances that are enabled, such as a link NAME@INSTANCE.timer";
        return imported.leave_out(&timer.at, &timer.name, reason);
    }
    let when = timer::read(timer, zone, imported);
    let wanted = when.unit.clone().unwrap_or_else(|| format!("{stem}.service"));
    let Some(service) = find(&wanted, units) else {
        let reason = format!("it starts {wanted}, which is not among the files: name its file too");
        return imported.leave_out(&timer.at, &timer.name, reason);
    };
    used.push(service.name.as_str());
    if when.schedules.is_empty() {
        let reason = "nothing of it that could be carried says when it runs";
        return imported.leave_out(&timer.at, &timer.name, reason);
    }
    let specifiers = Specifiers::of(&wanted, service.of_user);
    match service::job(&names.unique(stem), service, &specifiers, imported) {
        Err(refusal) => imported.leave_out(&refusal.at, refusal.source, refusal.reason),
        Ok(mut job) => {
            zone.clone_into(&mut job.zone);
            when.put(&mut job, timer);
            let (jobs, lock) = draft::spread(job, when.schedules, names);
            jobs.into_iter().for_each(|job| imported.job(&timer.at, job));
            lock.into_iter().for_each(|lock| imported.thing(&timer.at, lock));
        }
    }
}

/// The unit with this name, or the template it is an instance of.
fn find<'a>(name: &str, units: &'a [Unit]) -> Option<&'a Unit> {
    let by_name = |name: &str| units.iter().find(|unit| unit.name == name);
    by_name(name).or_else(|| {
        let (prefix, rest) = name.split_once('@')?;
        by_name(&format!("{prefix}@.{}", rest.rsplit('.').next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Text;
    use super::*;

    fn file(path: &str, text: &str) -> UnitFile {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        UnitFile { name, asked: true, named: false, texts: vec![Text::new(path, text)] }
    }

    fn imported(files: &[(&str, &str)]) -> Imported {
        let files: Vec<UnitFile> = files.iter().map(|(path, text)| file(path, text)).collect();
        let mut imported = import(&files, "Europe/Berlin");
        imported.settle();
        imported
    }

    const TIMER: &str = "\
[Unit]
Description=Nightly export of the ledger
After=network-online.target

[Timer]
OnCalendar=Mon..Fri 02:30
Persistent=true
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
";
    const SERVICE: &str = "\
[Unit]
Description=Export the ledger
ConditionPathExists=/srv/ledger

[Service]
Type=oneshot
User=ledger
WorkingDirectory=/srv/ledger
Environment=LANG=C \"GREETING=good night\"
EnvironmentFile=-/etc/default/ledger
ExecStart=/usr/local/bin/ledger-export \\
    --unit %n --share 100%%
TimeoutStartSec=30min
TimeoutStopSec=20
KillSignal=SIGINT
SuccessExitStatus=3 SIGUSR1
Nice=10
";

    #[test]
    fn a_timer_and_its_service_become_a_job() {
        let imported = imported(&[("/etc/ledger.timer", TIMER), ("/etc/ledger.service", SERVICE)]);
        let yaml = domain::job::to_yaml(imported.only()).unwrap();
        for part in [
            "name: ledger\n",
            "description: Export the ledger; from /etc/ledger.timer",
            "cron: 30 2 * * MON-FRI",
            "zone: Europe/Berlin",
            "run-as: ledger",
            "cwd: /srv/ledger",
            "GREETING: good night",
            "- ledger.service\n",
            "- 100%\n",
            "timeout: 30m",
            "grace: 20s",
            "signal: INT",
        ] {
            assert!(yaml.contains(part), "{part} in\n{yaml}");
        }
        assert!(!yaml.contains("catch-up"), "last is the default\n{yaml}");
        let ok: Vec<i32> = imported.only().exit_codes.ok.iter().map(|codes| codes.from).collect();
        assert_eq!(ok, [0, 3]);
        assert!(imported.left_out.is_empty(), "{:#?}", imported.left_out);
        for (line, text) in [
            (3, "After="),
            (8, "RandomizedDelaySec"),
            (3, "ConditionPathExists"),
            (10, "env or its secrets"),
            (16, "SIGUSR1"),
            (17, "Nice=10"),
        ] {
            imported.has_noted(line, text);
        }
    }

    #[test]
    fn every_kind_of_time_is_carried_or_left_out_with_its_line() {
        let timer = "[Timer]\nOnBootSec=5min\nOnUnitActiveSec=1h\nOnCalendar=never\n";
        let imported =
            imported(&[("a.timer", timer), ("a.service", "[Service]\nExecStart=/bin/true\n")]);
        assert_eq!(imported.only().schedule.as_ref().unwrap().to_string(), "every: 1h");
        assert_eq!(imported.only().run_as.as_deref(), Some("root"));
        assert_eq!(imported.lines_left_out(), [2, 4]);
        imported.has_noted(3, "fixed beginning");
    }

    #[test]
    fn several_times_are_one_schedule_where_they_can_and_several_jobs_with_a_lock_where_they_cannot()
     {
        let service = ("a.service", "[Service]\nExecStart=/bin/true\n");
        let timer = "[Timer]\nOnCalendar=*-*-* 06:00\nOnCalendar=*-*-* 18:00\n";
        let merged = imported(&[("a.timer", timer), service]);
        assert_eq!(merged.only().schedule.as_ref().unwrap().to_string(), "cron: 0 6,18 * * *");
        let timer = "[Timer]\nOnCalendar=06:00\nOnCalendar=Sat 18:30\n";
        let cut = imported(&[("a.timer", timer), service]);
        assert_eq!(cut.names(), ["a", "a-2", "a"]);
        assert!(cut.jobs().iter().all(|job| job.locks[0].lock == "a"));
        assert!(cut.notes.is_empty(), "{:#?}", cut.notes);
    }

    #[test]
    fn commands_one_after_another_become_a_script() {
        let service = "[Service]\nType=oneshot\nExecStartPre=-/bin/mkdir '/tmp/a b'\nExecStart=/bin/a $OPTS\nExecStart=/bin/b\nExecStopPost=/bin/c\n";
        let imported =
            imported(&[("a.timer", "[Timer]\nOnCalendar=daily\n"), ("a.service", service)]);
        let command = &imported.only().command;
        assert_eq!(
            command.script.as_deref(),
            Some("/bin/mkdir '/tmp/a b' || true\n/bin/a ${OPTS}\n/bin/b\n")
        );
        assert_eq!(command.interpreter, ["/bin/sh", "-ef"]);
        imported.has_left_out(6, "after the end");
    }

    #[test]
    fn an_instance_takes_its_service_from_the_template() {
        let imported = imported(&[
            ("/etc/copy@home.timer", "[Timer]\nOnCalendar=daily\n"),
            ("/etc/copy@.service", "[Service]\nExecStart=/bin/copy %i\n"),
            ("/etc/copy@.timer", "[Timer]\nOnCalendar=daily\n"),
        ]);
        assert_eq!(imported.only().name, "copy-home");
        assert_eq!(imported.only().command.argv.as_ref().unwrap(), &["/bin/copy", "home"]);
        imported.has_left_out(1, "template");
    }

    #[test]
    fn what_is_no_job_is_left_out_with_the_reason() {
        let daily = "[Timer]\nOnCalendar=daily\n";
        for (service, line, reason) in [
            ("[Service]\nType=forking\nExecStart=/bin/a\n", 2, "background"),
            ("[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n", 3, "Type=oneshot"),
            ("[Service]\nType=oneshot\n", 1, "no ExecStart"),
            ("[Service]\nExecStart=@/bin/a b\n", 2, "another name"),
            ("[Service]\nDynamicUser=yes\nExecStart=/bin/a\n", 2, "account"),
            ("[Service]\nWorkingDirectory=~\nExecStart=/bin/a\n", 2, "home directory"),
            ("[Service]\nWorkingDirectory=here\nExecStart=/bin/a\n", 1, "absolute path"),
        ] {
            let imported = imported(&[("a.timer", daily), ("a.service", service)]);
            assert!(imported.jobs().is_empty(), "{service}");
            imported.has_left_out(line, reason);
        }
        imported(&[("a.timer", daily)]).has_left_out(1, "not among the files");
        let no_time =
            imported(&[("a.timer", "[Timer]\n"), ("a.service", "[Service]\nExecStart=/a\n")]);
        no_time.has_left_out(1, "says when");
        let user = ("/home/mia/.config/systemd/user/a.service", "[Service]\nExecStart=/a\n");
        assert_eq!(imported(&[("a.timer", daily), user]).only().run_as, None);
    }

    #[test]
    fn a_drop_in_changes_what_stands_before_it() {
        let mut timer = file("/etc/a.timer", "[Timer]\nOnCalendar=daily\n");
        timer
            .texts
            .push(Text::new("/etc/a.timer.d/o.conf", "[Timer]\nOnCalendar=\nOnCalendar=hourly\n"));
        let service = file("/etc/a.service", "[Service]\nExecStart=/bin/a\n");
        let imported = import(&[timer, service], "UTC");
        assert_eq!(imported.only().schedule.as_ref().unwrap().to_string(), "cron: 0 * * * *");
    }
}
