//! The attributes of a command job.

use domain::event::Role;
use domain::job::{By, Claim, Codes, Confirm, JobDefinition, LengthLimit, Share};
use domain::time::HumanDuration;

use super::schedule::Refusal;
use super::statement::{Attribute, Statement};
use crate::import::names::clean;
use crate::import::{Imported, draft};

/// Makes a job of a statement, but for when it starts and what it waits for.
pub(super) fn make(
    name: &str,
    statement: &Statement,
    imported: &mut Imported,
) -> Result<JobDefinition, Refusal> {
    let command = statement
        .get("command")
        .ok_or_else(|| (statement.at.line, "it has no command".to_owned()))?;
    if command.value.contains("$$") {
        return Err((command.line, "it uses a global variable (`$$`): there are none".to_owned()));
    }
    let text = match statement.value("profile") {
        Some(profile) => format!(". {profile}\n{}", command.value),
        None => command.value.clone(),
    };
    let mut job = draft::job(name, draft::shell(&text)).map_err(|e| (command.line, e))?;
    let from =
        format!("from {} line {} ({})", statement.at.file, statement.at.line, statement.name);
    job.description = match statement.value("description") {
        Some(says) => format!("{}; {from}", draft::cut(says, 500)),
        None => from,
    };
    place(&mut job, statement, imported)?;
    for attribute in statement.attributes.iter().filter(|a| !a.value.is_empty()) {
        if let Err(reason) = put(&mut job, attribute, statement, imported) {
            imported.leave_out(&statement.line(attribute.line), attribute.source(), reason);
        }
    }
    Ok(job)
}

/// On which machine, and as whom.
fn place(
    job: &mut JobDefinition,
    statement: &Statement,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    if let Some(machine) = statement.get("machine") {
        let name = machine.value.to_lowercase();
        if !domain::ids::is_name(&name) {
            let why = format!(
                "machine {}: only one host can be carried: give several a label, and select it",
                machine.value
            );
            return Err((machine.line, why));
        }
        job.host = Some(name);
    }
    if let Some(owner) = statement.get("owner") {
        let (user, host) = owner.value.split_once('@').unwrap_or((&owner.value, ""));
        job.run_as = Some(user.to_owned());
        let elsewhere = !host.is_empty() && job.host.as_deref() != Some(&host.to_lowercase());
        if elsewhere {
            imported.note(
                &statement.line(owner.line),
                format!("the host of its owner ({host}) is not carried"),
            );
        }
    }
    Ok(())
}

/// Attributes that are read elsewhere.
const ELSEWHERE: [&str; 17] = [
    "job_type",
    "box_name",
    "command",
    "profile",
    "description",
    "machine",
    "owner",
    "date_conditions",
    "days_of_week",
    "start_times",
    "start_mins",
    "run_calendar",
    "exclude_calendar",
    "timezone",
    "condition",
    "run_window",
    "permission",
];

fn put(
    job: &mut JobDefinition,
    attribute: &Attribute,
    statement: &Statement,
    imported: &mut Imported,
) -> Result<(), String> {
    let at = statement.line(attribute.line);
    let value = attribute.value.as_str();
    match attribute.key.as_str() {
        "n_retrys" => {
            job.retry.delays = vec![HumanDuration::from_secs(10); number(value)?];
            imported.note(
                &at,
                "a run is tried again after 10s: the site's own delay is not in the file",
            );
        }
        "max_run_alarm" => job.sla.longer_than = Some(LengthLimit::Absolute(minutes(value)?)),
        "min_run_alarm" => job.sla.shorter_than = Some(LengthLimit::Absolute(minutes(value)?)),
        "must_start_times" => job.sla.start_by = Some(by(value)?),
        "must_complete_times" => job.sla.finish_by = Some(by(value)?),
        "term_run_time" => job.timeout = Some(minutes(value)?),
        "max_exit_success" => {
            job.exit_codes.ok = vec![Codes { from: 0, to: i32::from(number::<u8>(value)?) }];
        }
        "success_codes" => job.exit_codes.ok = codes(value)?,
        "envvars" => environment(job, value)?,
        "resources" => job.locks = claims(value, &at, imported)?,
        "auto_hold" if is_yes(value) => {
            let question = format!("{} is held until somebody lets it go", statement.name);
            job.confirm = Some(Confirm { role: Role::Operator, question });
        }
        "status" if !value.to_ascii_lowercase().starts_with("on_") => {}
        "status" => {
            imported.note(
                &at,
                format!("it was {value}: after applying it, `decklog job pause {}`", job.name),
            );
        }
        "std_in_file" | "std_out_file" | "std_err_file" => {
            imported.note(&at, format!("{} is not carried: output is kept with each run, input is given by `stdin` or in the command", attribute.source()));
        }
        "application" | "group" => {
            imported.note(&at, format!("{} is not carried", attribute.source()));
        }
        key if ELSEWHERE.contains(&key) || key == "auto_hold" => {}
        key => return Err(reason(key).to_owned()),
    }
    Ok(())
}

fn reason(key: &str) -> &'static str {
    match key {
        "job_load" | "priority" => {
            "what is due first starts first; locks and limits of pools say how much runs at once"
        }
        "box_terminator" | "job_terminator" => "the end of one job stops no other",
        "auto_delete" => "retire the job when its time is over",
        "fail_codes" => "every code that is not named as success is a failure",
        "chk_files" => "`needs` can wait for a file",
        key if key.contains("alarm") || key.contains("notif") || key.starts_with("svcdesk") => {
            "who is told of an end is not said by a job"
        }
        _ => "it is not carried",
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

pub(super) fn is_yes(text: &str) -> bool {
    matches!(text, "1" | "y" | "Y" | "yes")
}

fn minutes(text: &str) -> Result<HumanDuration, String> {
    number::<u32>(text).map(|minutes| HumanDuration::from_secs(u64::from(minutes) * 60))
}

/// `+30` minutes after its start time, or a time of day; a list only where it says one thing.
fn by(text: &str) -> Result<By, String> {
    let mut items: Vec<&str> = text.split(',').map(str::trim).collect();
    items.dedup();
    let [only] = items.as_slice() else {
        return Err(
            "several times of day cannot be carried: write how long after the start".to_owned()
        );
    };
    match only.strip_prefix('+') {
        Some(relative) => minutes(relative).map(By::After),
        None => format!("{only:0>5}").parse().map(By::Clock),
    }
}

/// `0,2-5`.
fn codes(text: &str) -> Result<Vec<Codes>, String> {
    let one = |item: &str| {
        let (from, to) = item.split_once('-').unwrap_or((item, item));
        let code = |text: &str| number::<u8>(text.trim()).map(i32::from);
        Ok::<_, String>(Codes { from: code(from)?, to: code(to)? })
    };
    text.split(',').map(|item| one(item.trim())).collect()
}

fn environment(job: &mut JobDefinition, text: &str) -> Result<(), String> {
    let several = text.split(',').all(|item| item.contains('='));
    let items: Vec<&str> = if several { text.split(',').collect() } else { vec![text] };
    for item in items {
        let (name, value) =
            item.split_once('=').ok_or_else(|| format!("`{item}` sets no variable"))?;
        let value = value.trim().trim_matches('"').to_owned();
        job.command.env.insert(name.trim().to_owned(), value);
    }
    Ok(())
}

/// `(dbload, QUANTITY=2, FREE=A) AND (licence, QUANTITY=1)`.
fn claims(
    text: &str,
    at: &crate::import::At,
    imported: &mut Imported,
) -> Result<Vec<Claim>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        if before.trim().eq_ignore_ascii_case("or") {
            return Err("either of several resources cannot be carried".to_owned());
        }
        let (inside, behind) = after.split_once(')').ok_or("a parenthesis is not closed")?;
        let mut parts = inside.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut units = 1;
        for part in parts {
            match part
                .split_once('=')
                .map(|(key, value)| (key.trim().to_ascii_uppercase(), value.trim()))
            {
                Some((key, value)) if key == "QUANTITY" => units = number(value)?,
                Some((key, value)) if key == "FREE" && !matches!(value, "Y" | "A") => {
                    imported.note(
                        at,
                        format!("{part} is not carried: units are given back when the run ends"),
                    );
                }
                Some(_) | None => {}
            }
        }
        found.push(Claim { lock: clean(name), share: Share::Units(units) });
        rest = behind;
    }
    if found.is_empty() { Err(format!("`{text}` cannot be read")) } else { Ok(found) }
}
