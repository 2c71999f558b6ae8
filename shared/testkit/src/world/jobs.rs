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

/// Some minutes before the clocks change somewhere, or before midnight in UTC.
pub(super) fn start(rng: &mut Rng) -> Result<Timestamp> {
    let changes = [
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-05-01T00:00:00Z",
    ];
    let change: Timestamp = rng.pick(&changes).parse()?;
    Ok(change.checked_sub(jiff::SignedDuration::from_secs(rng.between(60, 420)))?)
}

/// Most jobs of a random site, and how they are called.
pub(super) const NAMES: [&str; 4] = ["job-0", "job-1", "job-2", "job-3"];

/// Names of a handful of jobs.
pub(super) fn names(rng: &mut Rng) -> Vec<&'static str> {
    let count = usize::try_from(rng.between(2, 4)).unwrap_or(2);
    NAMES[..count].to_vec()
}

/// One job, with anything a job can say. It waits only for jobs whose names come before its own, so that there is
/// never a circle.
pub(super) fn random_job(rng: &mut Rng, name: &str) -> Result<JobDefinition> {
    let mut says = basics(rng);
    let richness = rng.pick(&[0, 1_500, 4_000]);
    for part in [days, times, others, person, locks, places, limits] {
        if let (Some(whole), Value::Object(more)) =
            (says.as_object_mut(), part(rng, name, richness))
        {
            whole.extend(more);
        }
    }
    if rng.chance(richness / 2) {
        alone(rng, name, &mut says);
    }
    let definition = job(name, &says)?;
    // What does not go together is for the rules' own tests; here everything gets as far as the log.
    if definition.problems().is_empty() { Ok(definition) } else { random_job(rng, name) }
}

/// What every job says.
fn basics(rng: &mut Rng) -> Value {
    let restartable = rng.chance(5_000);
    let mut on = vec!["failed", "timed-out"];
    if restartable {
        on.push("lost");
    }
    let delays: Vec<String> =
        (0..rng.between(0, 2)).map(|_| format!("{}s", rng.between(0, 8))).collect();
    let timeout =
        if rng.chance(6_000) { json!(format!("{}s", rng.between(2, 20))) } else { Value::Null };
    json!({
        "schedule": schedule(rng),
        "zone": rng.pick(&["America/New_York", "Europe/Berlin", "UTC", "Australia/Lord_Howe"]),
        "dst": {
            "gap": rng.pick(&["shift", "end", "skip"]),
            "overlap-time": rng.pick(&["first", "second", "both"]),
        },
        "late-after": format!("{}s", rng.pick(&[5, 20, 60])),
        "catch-up": catch_up(rng),
        "after-pause": rng.pick(&[json!("none"), json!("none"), json!("last"), json!({ "all": { "limit": 2 } })]),
        "overlap": overlap(rng),
        "timeout": timeout,
        "retry": {
            "delays": delays,
            "on": on,
            "jitter-percent": rng.pick(&[0, 0, 50]),
            "host": rng.pick(&["any", "any", "same", "other"]),
        },
        "exit-codes": { "ok": [0], "warning": [75] },
        "restartable": restartable,
    })
}

/// On which days: the day changes in the middle of the world, for the zone or by the cut-over.
fn days(rng: &mut Rng, _: &str, often: u32) -> Value {
    if !rng.chance(often) {
        return json!({});
    }
    let calendar =
        rng.pick(&[json!("cal-a"), json!("cal-b"), json!({ "weekdays": ["sunday", "thursday"] })]);
    let cut_over =
        rng.pick(&[json!(null), json!("02:00"), json!("01:58"), json!("00:02"), json!("12:00")]);
    let mut says = json!({
        (rng.pick(&["only-on", "not-on"])): [calendar],
        "otherwise": rng.pick(&["skip", "run", "previous", "next"]),
    });
    if !cut_over.is_null() {
        says["cut-over"] = cut_over;
    }
    json!({ "calendar": says })
}

/// Within which times.
fn times(rng: &mut Rng, _: &str, often: u32) -> Value {
    let mut says = json!({});
    if rng.chance(often / 2) {
        let clocks = ["00:01", "01:59", "02:01", "03:00", "23:59"];
        let (from, until) = (rng.index(clocks.len()), rng.index(clocks.len()));
        if from != until {
            says["window"] = json!({
                "from": clocks[from],
                "until": clocks[until],
                "at-end": rng.pick(&["skip", "hold", "start-late"]),
            });
        }
    }
    if rng.chance(often) {
        says["latest-by"] = json!(format!("{}s", rng.between(5, 90)));
    }
    says
}

/// Which other jobs it waits for.
fn others(rng: &mut Rng, name: &str, often: u32) -> Value {
    let before = NAMES.iter().position(|other| *other == name).unwrap_or(0);
    if before == 0 || !rng.chance(often * 2) {
        return json!({});
    }
    let first = rng.index(before);
    let mut after = vec![json!({
        "job": NAMES[first],
        "run": rng.pick(&["same-business-day", "same-occurrence", "latest"]),
        "outcomes": rng.pick(&[json!(["succeeded", "warning"]), json!(["succeeded", "warning", "failed", "skipped"])]),
    })];
    if before > 1 && rng.chance(3_000) {
        after.push(json!({ "job": NAMES[(first + 1) % before], "run": "latest" }));
    }
    json!({ "after": after })
}

/// Whose word it needs.
fn person(rng: &mut Rng, _: &str, often: u32) -> Value {
    if rng.chance(often / 2) {
        json!({ "confirm": { "role": rng.pick(&["operator", "approver"]) } })
    } else {
        json!({})
    }
}

/// What it holds.
fn locks(rng: &mut Rng, _: &str, often: u32) -> Value {
    let mut claims = Vec::new();
    for lock in super::site::LOCKS {
        if rng.chance(often) {
            claims.push(lock_claim(rng, lock));
        }
    }
    if claims.is_empty() { json!({}) } else { json!({ "locks": claims }) }
}

fn lock_claim(rng: &mut Rng, lock: &str) -> Value {
    match rng.between(0, 2) {
        0 => json!(lock),
        1 => json!({ "lock": lock, "units": rng.between(1, 3) }),
        _ => json!({ "lock": lock, "exclusive": true }),
    }
}

/// Where it runs.
fn places(rng: &mut Rng, _: &str, often: u32) -> Value {
    if rng.chance(1_500) {
        return json!({ "host": format!("h{}", rng.between(0, 2)) });
    }
    let mut says = json!({});
    if rng.chance(often / 2) {
        says["hosts"] = json!("all");
    }
    if rng.chance(often / 2) {
        says["select"] = json!({ "disk": "fast" });
    }
    if rng.chance(often) {
        says["prefer"] = json!(rng.pick(&["last", "least-loaded"]));
    }
    says
}

/// A job that its host may run by itself.
fn alone(rng: &mut Rng, name: &str, says: &mut Value) {
    for other in ["after", "locks", "confirm", "window", "latest-by", "hosts", "select"] {
        says.as_object_mut().map(|says| says.remove(other));
    }
    says["schedule"] = json!({ "every": format!("{}s", rng.pick(&[10, 17, 30])) });
    says["overlap"] = json!("skip");
    says["catch-up"] = json!(rng.pick(&["none", "last"]));
    // Always on the same host: what runs there while it is cut off, nobody else can know of.
    let host = name.bytes().last().map_or(0, |last| last % 3);
    says["host"] = json!(format!("h{host}"));
    says["autonomy"] = json!({ "lease": rng.pick(&["1m", "2m", "4m"]) });
}

/// When it counts as late.
fn limits(rng: &mut Rng, _: &str, often: u32) -> Value {
    if !rng.chance(often) {
        return json!({});
    }
    json!({ "sla": {
        "start-by": format!("{}s", rng.between(3, 30)),
        "finish-by": format!("{}s", rng.between(5, 60)),
        "longer-than": rng.pick(&["5s", "p50", "150%"]),
        "shorter-than": rng.pick(&["1s", "p10"]),
    } })
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
