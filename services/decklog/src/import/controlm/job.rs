//! One job of Control-M, as one of ours.

use domain::event::Role;
use domain::job::{By, CatchUp, Claim, Confirm, JobDefinition, LengthLimit, Share};
use domain::time::{HumanDuration, check_zone};
use serde_json::Value;

use super::conditions::Conditions;
use super::days::{self, DayPart};
use super::element::Element;
use super::variables::Variables;
use super::{Refusal, Source, cyclic};
use crate::import::draft::{self, When};
use crate::import::names::{Names, clean};
use crate::import::{Imported, shell};

/// Makes a job.
pub(super) fn make(
    source: &Source<'_>,
    conditions: &Conditions,
    zone: &str,
    names: &mut Names,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let element = source.job;
    let command = command(source)?;
    let mut job = draft::job(&source.name, command).map_err(|e| (element.at(), e))?;
    job.description = description(element);
    zone.clone_into(&mut job.zone);
    // An order that could not run on its day is not made up for.
    job.catch_up = CatchUp::None;
    job.run_as = element.text("RUN_AS").map(str::to_owned);
    place(&mut job, element, imported)?;
    job.after = conditions.after(source, imported)?;
    let whens = whens(source, zone, imported)?;
    times(&mut job, element, imported)?;
    resources(&mut job, element, imported);
    shouts(&mut job, element, imported);
    remarks(element, imported);
    let (jobs, lock) = draft::spread(job, whens, names);
    jobs.into_iter().for_each(|job| imported.job(&element.at(), job));
    lock.into_iter().for_each(|lock| imported.thing(&element.at(), lock));
    Ok(())
}

fn description(element: Element<'_>) -> String {
    let at = element.at();
    let name = element.text("JOBNAME").unwrap_or_default();
    let from = format!("from {} line {} ({name})", at.file, at.line);
    match element.text("DESCRIPTION") {
        Some(says) => format!("{}; {from}", draft::cut(says, 500)),
        None => from,
    }
}

fn command(source: &Source<'_>) -> Result<Value, Refusal> {
    let element = source.job;
    let refuse =
        |attribute: &str, reason: &str| Err((element.at_attribute(attribute), reason.to_owned()));
    if element.text("APPL_TYPE").is_some_and(|kind| kind != "OS") {
        return refuse("APPL_TYPE", "a job of an application plug-in cannot be carried");
    }
    let variables = Variables::of(element, &source.folders);
    let expand = |attribute: &str| {
        let text = element.text(attribute).unwrap_or_default();
        variables.expand(text).map_err(|reason| (element.at_attribute(attribute), reason))
    };
    match element.text("TASKTYPE").unwrap_or("Job").to_ascii_lowercase().as_str() {
        "command" if element.text("CMDLINE").is_none() => refuse("TASKTYPE", "it has no CMDLINE"),
        "command" => Ok(draft::shell(&expand("CMDLINE")?)),
        "dummy" => Ok(draft::shell("true")),
        "job" if element.text("INSTREAM_JCL").is_some() => {
            Ok(draft::script::<&str>(&expand("INSTREAM_JCL")?, &[]))
        }
        "job" => {
            let (dir, file) = (expand("MEMLIB")?, expand("MEMNAME")?);
            if !dir.starts_with('/') || file.is_empty() {
                return refuse(
                    "MEMLIB",
                    "only a script with an absolute MEMLIB and a MEMNAME can be carried",
                );
            }
            let mut words = vec![shell::quote(&format!("{}/{file}", dir.trim_end_matches('/')))];
            for argument in variables.arguments() {
                let argument =
                    variables.expand(argument).map_err(|reason| (element.at(), reason))?;
                words.push(shell::quote(&argument));
            }
            Ok(draft::shell(&words.join(" ")))
        }
        other => refuse("TASKTYPE", &format!("a job of type {other} cannot be carried")),
    }
}

fn place(
    job: &mut JobDefinition,
    element: Element<'_>,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let Some(node) = element.text("NODEID") else { return Ok(()) };
    let (at, name) = (element.at_attribute("NODEID"), node.to_lowercase());
    if !domain::ids::is_name(&name) {
        return Err((at, format!("NODEID {node} is no name of a host here")));
    }
    imported.note(
        &at,
        format!("NODEID {node} is taken for one host: where it is a group, give its hosts a pool"),
    );
    job.host = Some(name);
    Ok(())
}

/// When it is due.
fn whens(source: &Source<'_>, zone: &str, imported: &mut Imported) -> Result<Vec<When>, Refusal> {
    let element = source.job;
    let Some(days) = day_part(source)? else {
        imported.note(&element.at(), "no days are said of it: it runs when somebody asks for it");
        return Ok(Vec::new());
    };
    let zone = match element.text("TIMEZONE") {
        None => zone.to_owned(),
        Some(name) => {
            check_zone(name).map_err(|e| (element.at_attribute("TIMEZONE"), e.to_string()))?
        }
    };
    let from = match element.text("TIMEFROM") {
        Some(text) => {
            cyclic::clock(text).map_err(|reason| (element.at_attribute("TIMEFROM"), reason))?
        }
        None => {
            imported.note(&element.at(), "it has no TIMEFROM: it is due at 00:00");
            (0, 0)
        }
    };
    let lines = if element.flag("CYCLIC") {
        imported.note(
            &element.at_attribute("CYCLIC"),
            "times count from TIMEFROM, not from the end of the run before",
        );
        cyclic::times(element, from)?
    } else {
        vec![format!("{} {}", from.1, from.0)]
    };
    Ok(lines.iter().map(|times| days.at(times, &zone)).collect())
}

/// The rule-based calendar an element names.
fn rules(element: Element<'_>) -> Option<Element<'_>> {
    element.all("RULE_BASED_CALENDARS").chain(element.all("RULE_BASED_CALENDAR")).next()
}

/// Its own days, or those of its folder.
fn day_part(source: &Source<'_>) -> Result<Option<DayPart>, Refusal> {
    let parent = |rule: Element<'_>| {
        let name = rule.text("NAME").unwrap_or_default();
        name.is_empty() || name == "*" || name.eq_ignore_ascii_case("use parent")
    };
    let element = source.job;
    let refuse = |rule: Element<'_>| {
        (rule.at(), "a rule-based calendar cannot be carried: say the days in the job".to_owned())
    };
    if let Some(rule) = rules(element).filter(|rule| !parent(*rule)) {
        return Err(refuse(rule));
    }
    let folder = source.folders.iter().find(|f| days::has_dates(**f) || rules(**f).is_some());
    match (days::has_dates(element), folder) {
        (true, Some(folder)) if days::has_dates(*folder) => {
            let reason = "its folder has days of its own as well, and a job has one schedule";
            Err((element.at_attribute("DAYS"), reason.to_owned()))
        }
        (true, _) => days::read(element),
        (false, Some(folder)) => match rules(*folder) {
            Some(rule) if !days::has_dates(*folder) => Err(refuse(rule)),
            Some(_) | None => days::read(*folder),
        },
        (false, None) => Ok(None),
    }
}

/// What it says of time beside its schedule.
fn times(
    job: &mut JobDefinition,
    element: Element<'_>,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let is_cyclic = element.flag("CYCLIC");
    if let Some(until) = element.text("TIMETO").filter(|text| *text != ">" && !is_cyclic) {
        let refuse = |reason| (element.at_attribute("TIMETO"), reason);
        job.latest_by = Some(By::Clock(clock_time(until).map_err(refuse)?));
    }
    let count = element.text("MAXRERUN").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if count > 0 && is_cyclic {
        let text = format!(
            "{} is not carried: a cyclic job runs as often as its times say",
            element.source("MAXRERUN")
        );
        imported.note(&element.at_attribute("MAXRERUN"), text);
    } else if count > 0 {
        let refuse = |reason| (element.at_attribute("INTERVAL"), reason);
        let wait = cyclic::interval(element.text("INTERVAL").unwrap_or("0M")).map_err(refuse)?;
        job.retry.delays = vec![HumanDuration::from_secs(wait); count];
    }
    if element.flag("CONFIRM") {
        let name = element.text("JOBNAME").unwrap_or_default();
        let question = format!("may {name} run?");
        job.confirm = Some(Confirm { role: Role::Operator, question });
    }
    Ok(())
}

fn clock_time(text: &str) -> Result<domain::time::ClockTime, String> {
    let (hour, minute) = cyclic::clock(text)?;
    format!("{hour:02}:{minute:02}").parse()
}

fn resources(job: &mut JobDefinition, element: Element<'_>, imported: &mut Imported) {
    for resource in element.all("QUANTITATIVE") {
        let units = resource.text("QUANT").and_then(|text| text.parse().ok()).unwrap_or(1);
        let lock = clean(resource.text("NAME").unwrap_or_default());
        imported.note(
            &resource.at(),
            format!("apply a lock {lock} with as many units as the resource has"),
        );
        job.locks.push(Claim { lock, share: Share::Units(units) });
    }
    for control in element.all("CONTROL") {
        let shared = control.text("TYPE").is_some_and(|kind| kind.starts_with('S'));
        let share = if shared { Share::Units(1) } else { Share::Exclusive };
        job.locks.push(Claim { lock: clean(control.text("NAME").unwrap_or_default()), share });
    }
}

/// SHOUT: what is late, too long or too short is noted here; who is told is said elsewhere.
fn shouts(job: &mut JobDefinition, element: Element<'_>, imported: &mut Imported) {
    for shout in element.all("SHOUT") {
        let time = shout.text("TIME").unwrap_or_default();
        let source =
            format!("SHOUT WHEN=\"{}\" TIME=\"{time}\"", shout.text("WHEN").unwrap_or_default());
        match limit(job, shout.text("WHEN").unwrap_or_default(), time) {
            Ok(()) => imported.note(
                &shout.at(),
                format!("{source}: its message and whom it goes to are not carried"),
            ),
            Err(reason) => imported.leave_out(&shout.at(), source, reason),
        }
    }
}

fn limit(job: &mut JobDefinition, when: &str, time: &str) -> Result<(), String> {
    match when.to_ascii_uppercase().as_str() {
        "LATESUB" | "LATE_SUBMISSION" => job.sla.start_by = Some(By::Clock(clock_time(time)?)),
        "LATETIME" | "LATE" => job.sla.finish_by = Some(By::Clock(clock_time(time)?)),
        "EXECTIME" => {
            let bad = || format!("`{time}`: only >minutes, <minutes and +percent% can be carried");
            let number = |text: &str| text.trim().parse::<u32>().map_err(|_| bad());
            let minutes = |text: &str| {
                let long = HumanDuration::from_secs(u64::from(number(text)?) * 60);
                Ok::<_, String>(LengthLimit::Absolute(long))
            };
            if let Some(longer) = time.strip_prefix('>') {
                job.sla.longer_than = Some(minutes(longer)?);
            } else if let Some(shorter) = time.strip_prefix('<') {
                job.sla.shorter_than = Some(minutes(shorter)?);
            } else {
                let percent = time.strip_prefix('+').and_then(|rest| rest.strip_suffix('%'));
                let percent = number(percent.ok_or_else(bad)?)?;
                job.sla.longer_than = Some(LengthLimit::Percent(100 + percent));
            }
        }
        _ => return Err("who is told of an end is not said by a job".to_owned()),
    }
    Ok(())
}

/// Attributes that the job is made of.
const CARRIED: [&str; 38] = [
    "JOBNAME",
    "MEMNAME",
    "MEMLIB",
    "CMDLINE",
    "RUN_AS",
    "NODEID",
    "TASKTYPE",
    "DAYS",
    "WEEKDAYS",
    "DAYSCAL",
    "WEEKSCAL",
    "CONFCAL",
    "SHIFT",
    "SHIFTNUM",
    "DAYS_AND_OR",
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
    "TIMEFROM",
    "TIMETO",
    "TIMEZONE",
    "MAXRERUN",
    "INTERVAL",
    "CYCLIC",
    "CONFIRM",
    "DESCRIPTION",
    "INSTREAM_JCL",
    "USE_INSTREAM_JCL",
    "APPL_TYPE",
];
/// Attributes that say nothing of what runs when.
const SILENT: [&str; 22] = [
    "JOBISN",
    "APPLICATION",
    "SUB_APPLICATION",
    "GROUP",
    "CREATED_BY",
    "AUTHOR",
    "IS_CURRENT_VERSION",
    "PARENT_FOLDER",
    "PARENT_TABLE",
    "FOLDER_NAME",
    "TABLE_NAME",
    "DATACENTER",
    "PLATFORM",
    "CYCLIC_TYPE",
    "CYCLIC_TIMES_SEQUENCE",
    "CYCLIC_INTERVAL_SEQUENCE",
    "IND_CYCLIC",
    "RULE_BASED_CALENDAR_RELATIONSHIP",
    "AUTOARCH",
    "MAXDAYS",
    "MAXRUNS",
    "SYSDB",
];
const SILENT_BEGINNINGS: [&str; 4] = ["VERSION_", "CREATION_", "CHANGE_", "LAST_"];

/// Notes and leaves out what the job cannot say.
fn remarks(element: Element<'_>, imported: &mut Imported) {
    for attribute in element.node.attributes() {
        let (name, value) = (attribute.name(), attribute.value().trim());
        let silent = CARRIED.contains(&name)
            || SILENT.contains(&name)
            || SILENT_BEGINNINGS.iter().any(|begin| name.starts_with(begin));
        if !silent && !matches!(value, "" | "0" | "N" | "00") {
            imported.note(
                &element.at_attribute(name),
                format!("{} is not carried", element.source(name)),
            );
        }
    }
    for child in element.children() {
        let reason = match child.name() {
            "INCOND"
            | "OUTCOND"
            | "QUANTITATIVE"
            | "CONTROL"
            | "SHOUT"
            | "VARIABLE"
            | "AUTOEDIT"
            | "AUTOEDIT2"
            | "RULE_BASED_CALENDARS"
            | "RULE_BASED_CALENDAR" => continue,
            "ON" | "ON_STMT" => {
                "what is done at an end is not said by a job: another may wait for its failure"
            }
            _ => "it is not carried",
        };
        imported.leave_out(&child.at(), format!("<{}>", child.name()), reason);
    }
}
