//! What a definition says, in words for people: each field that says more than the usual, with a sentence.

use super::definition::JobDefinition;
use super::ordering::{After, AtEnd, By, Claim, Need, Share, WhichRun};
use super::parameters::{Parameter, ParameterType};
use super::parts::{CatchUp, Overlap, RetryHost};
use super::placing::{Hosts, Prefer};
use crate::calendar::Days;
use crate::event::RetryOn;
use crate::run::Outcome;
use crate::time::{CalendarRule, DstPolicy, Gap, Otherwise, OverlapTime};

/// A field and what it means, in the order of a run's life.
pub fn words(job: &JobDefinition) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if job.schedule.is_some() {
        when(job, &mut found);
    }
    conditions(job, &mut found);
    place(job, &mut found);
    values(job, &mut found);
    found
}

type Found = Vec<(&'static str, String)>;

fn when(job: &JobDefinition, found: &mut Found) {
    if !job.calendar.is_empty() {
        found.push(("calendar", calendar(&job.calendar)));
    }
    if job.dst != DstPolicy::default() {
        found.push(("clock", dst(job.dst)));
    }
    if let Some(window) = &job.window {
        let end = match window.at_end {
            AtEnd::Skip => "is skipped",
            AtEnd::Hold => "waits for a person",
            AtEnd::StartLate => "starts all the same, late",
        };
        let (from, until) = (window.from, window.until);
        found.push(("window", format!("{from} to {until}; what has not started then {end}")));
    }
    found.push(("catch-up", catch_up(job.catch_up, "of occurrences whose time passed")));
    if job.after_pause != CatchUp::None {
        let text = catch_up(job.after_pause, "of occurrences skipped during a pause");
        found.push(("after-pause", text));
    }
    let late = format!("more than {} after its time", job.late_after);
    found.push(("late", late));
}

fn calendar(rule: &CalendarRule) -> String {
    let list = |all: &[Days]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let mut parts = Vec::new();
    if !rule.only_on.is_empty() {
        parts.push(format!("only on {}", list(&rule.only_on)));
    }
    if !rule.not_on.is_empty() {
        parts.push(format!("not on {}", list(&rule.not_on)));
    }
    let otherwise = match rule.otherwise {
        Otherwise::Skip => "otherwise it is skipped",
        Otherwise::Run => "otherwise it runs all the same, and the day is noted",
        Otherwise::Previous => "otherwise it runs on the working day before",
        Otherwise::Next => "otherwise it runs on the working day after",
    };
    parts.push(otherwise.to_owned());
    parts.extend(rule.working_days.iter().map(|w| format!("working days: {w}")));
    let cut = |cut| format!("times before {cut} belong to the business day before");
    parts.extend(rule.cut_over.map(cut));
    parts.join("; ")
}

fn dst(policy: DstPolicy) -> String {
    let gap = match policy.gap {
        Gap::Shift => "is read with the offset before the gap",
        Gap::End => "is moved to the end of the gap",
        Gap::Skip => "is left out",
    };
    let twice = match policy.overlap_time {
        OverlapTime::First => "is meant the first time",
        OverlapTime::Second => "is meant the second time",
        OverlapTime::Both => "is meant both times",
    };
    format!("a time that the clock jumps over {gap}; one that it shows twice {twice}")
}

fn catch_up(rule: CatchUp, of: &str) -> String {
    match rule {
        CatchUp::None => format!("{of}, none runs"),
        CatchUp::Last => format!("{of}, the newest runs"),
        CatchUp::All { limit } => format!("{of}, the newest {limit} run, in their order"),
        CatchUp::Hold => format!("{of}, the newest waits for a person"),
    }
}

fn conditions(job: &JobDefinition, found: &mut Found) {
    let overlap = match job.overlap {
        Overlap::Skip => "is skipped".to_owned(),
        Overlap::QueueOne => "waits, one at most".to_owned(),
        Overlap::QueueAll { limit } => format!("waits, {limit} at most"),
        Overlap::CancelRunning => "cancels that".to_owned(),
    };
    found.push(("overlap", format!("a run that finds an earlier one of the job {overlap}")));
    found.extend(job.flow.iter().map(|flow| ("flow", flow.clone())));
    found.extend(job.after.iter().map(|one| ("after", after(one))));
    if let Some(confirm) = &job.confirm {
        let role = confirm.role.word();
        let asked = if confirm.question.is_empty() {
            String::new()
        } else {
            format!(": {}", confirm.question)
        };
        found.push(("confirm", format!("somebody with the role {role} must say go{asked}")));
    }
    found.extend(job.needs.iter().map(|one| ("needs", need(one))));
    found.extend(job.locks.iter().map(|one| ("lock", claim(one))));
    if let Some(limit) = job.latest_by {
        found.push(("latest-by", format!("what still waits {} is skipped", by(limit))));
    }
    sla(job, found);
}

fn after(after: &After) -> String {
    let which = match after.run {
        WhichRun::SameBusinessDay => "its last run of the same business day",
        WhichRun::SameOccurrence => "its run of the same occurrence",
        WhichRun::Latest => "its newest run",
    };
    let outcomes: Vec<&str> =
        after.outcomes.iter().map(|outcome: &Outcome| outcome.word()).collect();
    format!("{}: {which}, {}", after.job, outcomes.join(" or "))
}

fn need(need: &Need) -> String {
    let mut text = need.file.clone();
    if let Some(age) = need.older_than {
        text.push_str(&format!(", last changed at least {age} ago"));
    }
    if let Some(long) = need.stable_for {
        text.push_str(&format!(", of one size for {long}"));
    }
    if need.min_bytes > 0 {
        text.push_str(&format!(", at least {} bytes", need.min_bytes));
    }
    text
}

fn claim(claim: &Claim) -> String {
    match claim.share {
        Share::Exclusive => format!("{}, all of it", claim.lock),
        Share::Units(1) => claim.lock.clone(),
        Share::Units(n) => format!("{}, {n} units", claim.lock),
    }
}

fn by(by: By) -> String {
    match by {
        By::After(long) => format!("{long} after its time"),
        By::Clock(clock) => format!("when the clock shows {clock}"),
    }
}

fn sla(job: &JobDefinition, found: &mut Found) {
    let sla = &job.sla;
    let parts = [
        sla.start_by.map(|limit| format!("it has not started {}", by(limit))),
        sla.finish_by.map(|limit| format!("it has not ended {}", by(limit))),
        sla.longer_than.map(|limit| format!("it takes longer than {limit}")),
        sla.shorter_than.map(|limit| format!("it takes shorter than {limit}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        found.push(("sla", format!("it is noted when {}", parts.join(", or "))));
    }
}

fn place(job: &JobDefinition, found: &mut Found) {
    found.push(match &job.host {
        Some(host) => ("host", host.clone()),
        None => ("pool", pool(job)),
    });
    if !job.retry.delays.is_empty() {
        found.push(("retry", retry(job)));
    }
    if let Some(autonomy) = &job.autonomy {
        let text = format!("its host decides up to {} ahead by itself", autonomy.lease);
        found.push(("autonomy", text));
    }
}

fn pool(job: &JobDefinition) -> String {
    let mut text = job.pool.clone();
    for (label, values) in &job.select {
        text.push_str(&format!(", {label}={}", values.0.join("|")));
    }
    if job.hosts == Hosts::All {
        text.push_str(", on each of its hosts");
    }
    match job.prefer {
        Prefer::Any => {}
        Prefer::Last => text.push_str(", rather on the host that ran it last"),
        Prefer::LeastLoaded => text.push_str(", rather on the host with the most free slots"),
    }
    text
}

fn retry(job: &JobDefinition) -> String {
    let delays: Vec<String> = job.retry.delays.iter().map(ToString::to_string).collect();
    let on = job.retry.on.iter().map(|on| match on {
        RetryOn::Failed => "failed",
        RetryOn::TimedOut => "timed out",
        RetryOn::Lost => "was lost",
    });
    let on: Vec<&str> = on.collect();
    let place = match job.retry.host {
        RetryHost::Any => "",
        RetryHost::Same => ", on the same host",
        RetryHost::Other => ", on another host",
    };
    format!("after {}, where it {}{place}", delays.join(", "), on.join(" or "))
}

fn values(job: &JobDefinition, found: &mut Found) {
    let parameters = job.parameters.iter();
    found.extend(parameters.map(|(name, one)| ("parameter", parameter(name, one))));
    found.extend(job.secrets.keys().map(|name| ("secret", name.clone())));
}

fn parameter(name: &str, parameter: &Parameter) -> String {
    let values = match parameter.of {
        ParameterType::Text => "text".to_owned(),
        ParameterType::Integer => "a whole number".to_owned(),
        ParameterType::Date => "a date".to_owned(),
        ParameterType::Flag => "true or false".to_owned(),
        ParameterType::Choice => format!("one of {}", parameter.choices.join(", ")),
    };
    let default = match &parameter.default {
        Some(default) => format!("{default:?} when not given"),
        None => "must be given".to_owned(),
    };
    let what = &parameter.description;
    let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
    format!("{name}: {values}, {default}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(says: Value) -> Vec<String> {
        let mut all = json!({"name": "pay", "command": {"argv": ["/bin/true"]}});
        all.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        let job: JobDefinition = serde_json::from_value(all).unwrap();
        assert_eq!(job.problems(), []);
        words(&job).into_iter().map(|(field, text)| format!("{field}: {text}")).collect()
    }

    #[test]
    fn a_job_that_says_nothing_special_has_few_words() {
        let overlap = "overlap: a run that finds an earlier one of the job is skipped";
        assert_eq!(said(json!({})), [overlap, "pool: default"]);
        let of = "of occurrences whose time passed";
        let wanted = [
            &format!("catch-up: {of}, the newest runs"),
            "late: more than 1m after its time",
            overlap,
            "pool: default",
        ];
        assert_eq!(said(json!({"schedule": {"cron": "30 2 * * *"}})), wanted);
    }

    #[test]
    fn each_field_that_says_more_than_the_usual_is_put_in_words() {
        let daily = json!({"cron": "30 2 * * *"});
        let table = [
            (
                json!({"schedule": daily, "calendar": {"not-on": ["holidays"], "otherwise": "previous", "cut-over": "06:00"}}),
                "calendar: not on holidays; otherwise it runs on the working day before; times before 06:00 belong to the business day before",
            ),
            (
                json!({"schedule": daily, "dst": {"gap": "skip", "overlap-time": "both"}}),
                "clock: a time that the clock jumps over is left out; one that it shows twice is meant both times",
            ),
            (
                json!({"schedule": daily, "window": {"from": "22:00", "until": "05:00", "at-end": "hold"}}),
                "window: 22:00 to 05:00; what has not started then waits for a person",
            ),
            (
                json!({"after": [{"job": "extract", "run": "latest", "outcomes": ["failed"]}]}),
                "after: extract: its newest run, failed",
            ),
            (
                json!({"confirm": {"role": "approver", "question": "is the bank open?"}}),
                "confirm: somebody with the role approver must say go: is the bank open?",
            ),
            (
                json!({"needs": [{"file": "/in/a.csv", "stable-for": "1m", "min-bytes": 1}]}),
                "needs: /in/a.csv, of one size for 1m, at least 1 bytes",
            ),
            (json!({"locks": [{"lock": "db", "exclusive": true}]}), "lock: db, all of it"),
            (
                json!({"latest-by": "06:00"}),
                "latest-by: what still waits when the clock shows 06:00 is skipped",
            ),
            (
                json!({"sla": {"finish-by": "4h", "longer-than": "p95"}}),
                "sla: it is noted when it has not ended 4h after its time, or it takes longer than p95",
            ),
            (
                json!({"select": {"os": ["linux", "bsd"]}, "prefer": "last"}),
                "pool: default, os=linux|bsd, rather on the host that ran it last",
            ),
            (
                json!({"retry": {"delays": ["1m"], "on": ["failed"], "host": "other"}}),
                "retry: after 1m, where it failed, on another host",
            ),
            (
                json!({"parameters": {"mode": {"type": "choice", "choices": ["dry", "wet"], "description": "how"}}}),
                "parameter: mode: one of dry, wet, must be given (how)",
            ),
        ];
        for (says, wanted) in table {
            let said = said(says);
            assert!(said.iter().any(|line| line == wanted), "{wanted}\n{said:#?}");
        }
    }
}
