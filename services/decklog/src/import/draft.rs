//! Jobs in the making.

use domain::job::{Claim, Command, JobDefinition, Share};
use domain::site::{LockDefinition, Thing};
use domain::time::{CalendarRule, ScheduleSpec};
use serde_json::{Value, json};

use super::names::Names;

/// When a job runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct When {
    /// The schedule.
    pub(super) spec: ScheduleSpec,
    /// Its zone, where it names one.
    pub(super) zone: Option<String>,
    /// On which days, where the schedule itself cannot say it.
    pub(super) calendar: CalendarRule,
}

impl When {
    /// A schedule that says all by itself.
    pub(super) fn plain(spec: ScheduleSpec) -> Self {
        Self { spec, zone: None, calendar: CalendarRule::default() }
    }

    /// Gives a job this schedule.
    pub(super) fn put(self, job: &mut JobDefinition) {
        job.schedule = Some(self.spec);
        job.calendar = self.calendar;
        if let Some(zone) = self.zone {
            job.zone = zone;
        }
    }
}

/// A job with this name and command, and the usual in all else.
pub(crate) fn job(name: &str, command: Value) -> Result<JobDefinition, String> {
    let value = json!({"name": name, "command": command});
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// A command that a shell reads.
pub(super) fn shell(text: &str) -> Value {
    json!({"argv": ["/bin/sh", "-c", text]})
}

/// A script; without an interpreter, of `/bin/sh`, which goes on after a step that fails.
pub(super) fn script<W: AsRef<str>>(text: &str, interpreter: &[W]) -> Value {
    let words: Vec<&str> = interpreter.iter().map(AsRef::as_ref).collect();
    let words = if words.is_empty() { vec!["/bin/sh"] } else { words };
    json!({"script": text, "interpreter": words})
}

/// A script's text or the last argument of a command: what it does, in a line.
pub(super) fn telling(command: &Command) -> String {
    let from_argv = |argv: &Vec<String>| match argv.as_slice() {
        [shell, flag, text] if flag == "-c" && super::shell::is_shell(shell) => text.clone(),
        words => super::shell::line(words),
    };
    let text = command.argv.as_ref().map(from_argv).or_else(|| command.script.clone());
    let text = text.unwrap_or_default();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    let more = lines.count();
    if more == 0 { first } else { format!("{first} (and {more} more)") }
}

/// One job for each schedule. Several of them hold a lock, so that no two run at once.
pub(super) fn spread(
    job: JobDefinition,
    mut schedules: Vec<When>,
    names: &mut Names,
) -> (Vec<JobDefinition>, Option<Thing>) {
    let Some(first) = (!schedules.is_empty()).then(|| schedules.remove(0)) else {
        return (vec![job], None);
    };
    let several = !schedules.is_empty();
    let mut jobs = vec![job];
    for when in schedules {
        let mut copy = jobs.first().cloned().into_iter();
        jobs.extend(copy.next().map(|mut copy| {
            copy.name = names.unique(&copy.name);
            when.put(&mut copy);
            copy
        }));
    }
    jobs.iter_mut().take(1).for_each(|job| first.clone().put(job));
    if !several {
        return (jobs, None);
    }
    let name = jobs.first().map(|job| job.name.clone()).unwrap_or_default();
    for job in &mut jobs {
        job.locks.push(Claim { lock: name.clone(), share: Share::Units(1) });
    }
    let why = format!("one of the jobs {name} at a time: they were one job with several schedules");
    (jobs, lock(&name, &why, 1).ok())
}

/// A lock.
pub(super) fn lock(name: &str, description: &str, units: u32) -> Result<Thing, String> {
    let value = json!({"kind": "lock", "name": name, "description": description, "units": units});
    let lock: LockDefinition = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok(Thing::Lock(lock))
}

/// At most so many bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
