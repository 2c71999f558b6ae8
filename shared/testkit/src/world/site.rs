//! Calendars, blackouts, locks and pools as a site has them beside its jobs; close enough to the few minutes of
//! a world that they matter.

use anyhow::Result;
use domain::site::{Thing, ThingKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::rng::Rng;

/// The calendars a random site may have.
pub(super) const CALENDARS: [&str; 2] = ["cal-a", "cal-b"];
/// The locks.
pub(super) const LOCKS: [&str; 2] = ["lock-a", "lock-b"];
/// The blackouts.
const BLACKOUTS: [&str; 1] = ["night"];
/// The pools that have a definition.
const POOLS: [&str; 1] = ["default"];
/// The call trees.
const TREES: [&str; 1] = ["default"];

/// Every thing of a random site, by kind and name.
pub(super) fn names() -> impl Iterator<Item = (ThingKind, &'static str)> {
    let of = |kind: ThingKind, names: &'static [&'static str]| {
        names.iter().map(move |name| (kind, *name))
    };
    of(ThingKind::Calendar, &CALENDARS)
        .chain(of(ThingKind::Lock, &LOCKS))
        .chain(of(ThingKind::Blackout, &BLACKOUTS))
        .chain(of(ThingKind::Pool, &POOLS))
        .chain(of(ThingKind::CallTree, &TREES))
}

/// A definition of this name, whatever chance says about it.
///
/// # Errors
/// What was made up is no definition: a bug.
pub(super) fn random_thing(
    rng: &mut Rng,
    kind: ThingKind,
    name: &str,
    now: Timestamp,
) -> Result<Thing> {
    let mut says = match kind {
        ThingKind::Calendar => calendar(rng, name, now)?,
        ThingKind::Blackout => blackout(rng, now)?,
        ThingKind::Lock => json!({ "units": rng.between(1, 3) }),
        ThingKind::Pool => match rng.between(0, 1) {
            0 => json!({}),
            _ => json!({ "limit": rng.between(1, 4) }),
        },
        ThingKind::Dataset => json!({ "rpo": "26h" }),
        ThingKind::Repository => json!({ "location": "/vault", "password": "env:VAULT" }),
        ThingKind::Queue => json!({ "printer": "ipp://printer.example/ipp/print" }),
        ThingKind::Form => json!({ "account": "Payroll", "queue": "office" }),
        ThingKind::Measures => json!({ "pause-at-most": "2h" }),
        ThingKind::CallTree => {
            let by = rng.pick(&[json!(["mail"]), json!(["mail", "webhook"])]);
            json!({
                "host-silent-after": "1m",
                "levels": [
                    { "tell": [{ "contact": "ana", "by": by }], "wait": "20s" },
                    { "tell": [{ "contact": "bob" }], "wait": "15s" },
                ],
            })
        }
    };
    says["kind"] = json!(kind.word());
    says["name"] = json!(name);
    Ok(Thing::read(kind, &says)?)
}

/// Some days around today, so that today is in it or not, and tomorrow is different.
fn calendar(rng: &mut Rng, name: &str, now: Timestamp) -> Result<Value> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut dates = serde_json::Map::new();
    for by in -3..=3_i64 {
        if rng.chance(5_000) {
            let date = today.checked_add(jiff::Span::new().days(by))?;
            dates.insert(date.to_string(), json!("a day"));
        }
    }
    dates.insert("2030-01-01".to_owned(), json!("so that there is one"));
    let dates = json!({ "dates": dates });
    let days = match rng.between(0, 4) {
        0 => json!({ "weekdays": ["saturday", "sunday"] }),
        1 => json!({ "except": { "days": "weekdays", "but": [dates] } }),
        2 if name != CALENDARS[0] => json!({ "any-of": [CALENDARS[0], dates] }),
        3 => json!({ "working-day": { "nth": [1, 6, -1], "of": "month", "by": dates } }),
        _ => dates,
    };
    Ok(json!({ "days": days }))
}

/// Some minutes soon.
fn blackout(rng: &mut Rng, now: Timestamp) -> Result<Value> {
    let clock = |after: i64| -> Result<String> {
        let at = now.checked_add(jiff::SignedDuration::from_secs(after))?;
        Ok(at.to_zoned(TimeZone::UTC).datetime().strftime("%Y-%m-%dT%H:%M:%S").to_string())
    };
    let from = rng.between(-30, 200);
    let until = from + rng.between(5, 120);
    let to = match rng.between(0, 2) {
        0 => json!({ "site": true }),
        1 => json!({ "pools": ["default"] }),
        _ => json!({ "jobs": ["job-0", "job-1"] }),
    };
    Ok(json!({
        "applies-to": to,
        "times": [{ "once": { "from": clock(from)?, "until": clock(until)? } }],
        "at-end": rng.pick(&["start-late", "skip", "hold"]),
    }))
}
