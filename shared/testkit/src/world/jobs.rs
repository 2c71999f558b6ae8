//! Jobs as a site has them, and stranger ones; and nights in which the clocks change.

use anyhow::Result;
use domain::job::JobDefinition;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::rng::Rng;

/// A job from what it says beside its name; all else has its default.
///
/// # Errors
/// The text is not a definition.
pub fn job(name: &str, says: &Value) -> Result<JobDefinition> {
    let mut whole = json!({ "name": name, "command": { "argv": ["/bin/true"] } });
    if let (Some(whole), Some(says)) = (whole.as_object_mut(), says.as_object()) {
        whole.extend(says.clone());
    }
    Ok(serde_json::from_value(whole)?)
}

/// Some minutes before the clocks change somewhere.
pub(super) fn start(rng: &mut Rng) -> Result<Timestamp> {
    let changes = [
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-04-04T15:00:00Z",
    ];
    let change: Timestamp = rng.pick(&changes).parse()?;
    Ok(change.checked_sub(jiff::SignedDuration::from_secs(rng.between(60, 420)))?)
}

/// A handful of jobs.
pub(super) fn random(rng: &mut Rng) -> Result<Vec<JobDefinition>> {
    let count = rng.between(2, 4);
    (0..count).map(|n| random_job(rng, &format!("job-{n}"))).collect()
}

/// One job, with anything a job can say.
pub(super) fn random_job(rng: &mut Rng, name: &str) -> Result<JobDefinition> {
    let restartable = rng.chance(5_000);
    let mut on = vec!["failed", "timed-out"];
    if restartable {
        on.push("lost");
    }
    let delays: Vec<String> =
        (0..rng.between(0, 2)).map(|_| format!("{}s", rng.between(0, 8))).collect();
    let timeout =
        if rng.chance(6_000) { json!(format!("{}s", rng.between(2, 20))) } else { Value::Null };
    let host =
        if rng.chance(1_500) { json!(format!("h{}", rng.between(0, 2))) } else { Value::Null };
    let says = json!({
        "schedule": schedule(rng),
        "zone": rng.pick(&["America/New_York", "Europe/Berlin", "UTC", "Australia/Lord_Howe"]),
        "dst": {
            "gap": rng.pick(&["shift", "end", "skip"]),
            "overlap-time": rng.pick(&["first", "second", "both"]),
        },
        "late-after": format!("{}s", rng.pick(&[5, 20, 60])),
        "catch-up": catch_up(rng),
        "overlap": overlap(rng),
        "host": host,
        "timeout": timeout,
        "retry": { "delays": delays, "on": on },
        "exit-codes": { "ok": [0], "warning": [75] },
        "restartable": restartable,
    });
    job(name, &says)
}

fn schedule(rng: &mut Rng) -> Value {
    match rng.between(0, 6) {
        0 | 1 => json!({ "every": format!("{}s", rng.pick(&[10, 17, 30, 60])) }),
        2 => json!({ "cron": format!("*/{} * * * * *", rng.pick(&[15, 20, 30])) }),
        3 => json!({ "cron": "* * * * *" }),
        // Fixed times, so that the clock's jump moves or doubles them.
        4 => json!({ "cron": "0,1,2,3,4,5,10,15,20,30,40,50,55,56,57,58,59 0,1,2,3 * * *" }),
        5 => json!({ "quartz": format!("0/{} * * * * ?", rng.pick(&[20, 30])) }),
        _ => Value::Null,
    }
}

fn catch_up(rng: &mut Rng) -> Value {
    match rng.between(0, 3) {
        0 => json!("none"),
        1 => json!("last"),
        2 => json!({ "all": { "limit": rng.between(1, 5) } }),
        _ => json!("hold"),
    }
}

fn overlap(rng: &mut Rng) -> Value {
    match rng.between(0, 3) {
        0 => json!("skip"),
        1 => json!("queue-one"),
        2 => json!({ "queue-all": { "limit": rng.between(1, 5) } }),
        _ => json!("cancel-running"),
    }
}
