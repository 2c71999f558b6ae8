//! Random nights, rehearsed from any moment, against the nights themselves.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rehearsal::{on_stage, really, rehearsed};
use crate::site::Site;

/// Most jobs: no more attempts at once than the host has slots.
const JOBS: usize = 6;

/// When it runs, what it waits for, and which of the few locks, sorts of overlap, windows and limits it has.
type Said = (Vec<u32>, Vec<(usize, usize)>, usize, usize, usize, usize);

/// What a random job says beside its name; it waits only for jobs before it.
fn job() -> impl Strategy<Value = Said> {
    (
        prop::collection::vec(0..24_u32, 1..4),
        prop::collection::vec((0..JOBS, 0..3_usize), 0..3),
        0..4_usize,
        0..4_usize,
        0..6_usize,
        0..6_usize,
    )
}

fn definition(index: usize, (fives, after, lock, overlap, window, limit): &Said) -> Value {
    let minutes: Vec<String> = fives.iter().map(|five| (five % 12 * 5).to_string()).collect();
    let mut says = json!({
        "name": format!("job-{index}"),
        "schedule": {"cron": format!("{} 1,2 * * *", minutes.join(","))},
        "sla": {"start-by": "20m", "finish-by": "50m"},
    });
    let which = ["same-business-day", "same-occurrence", "latest"];
    let after = after.iter().filter(|(other, _)| *other < index);
    let after: Vec<Value> = after
        .map(|(other, run)| json!({"job": format!("job-{other}"), "run": which[*run]}))
        .collect();
    let mut names: Vec<&Value> = after.iter().map(|after| &after["job"]).collect();
    names.dedup();
    if names.len() == after.len() {
        says["after"] = json!(after);
    }
    match lock {
        0 => says["locks"] = json!(["db"]),
        1 => says["locks"] = json!(["db", {"lock": "licences", "units": 2}]),
        _ => {}
    }
    let sorts = [json!("skip"), json!("queue-one"), json!({"queue-all": {"limit": 3}})];
    says["overlap"] = sorts.get(*overlap).cloned().unwrap_or_else(|| json!("skip"));
    if *window == 0 {
        says["window"] = json!({"from": "01:20", "until": "03:00"});
    }
    if *limit == 0 {
        says["latest-by"] = json!("40m");
    }
    says
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_random_night_goes_as_it_was_rehearsed_from_any_moment(
        jobs in prop::collection::vec(job(), 1..=JOBS),
        limit in prop::option::of(1..4_u32), minutes in 1..40_i64, begin in 0..180_i64,
    ) {
        let mut site = Site::new();
        site.apply(json!({"kind": "lock", "name": "db"}));
        site.apply(json!({"kind": "lock", "name": "licences", "units": 3}));
        site.apply(json!({"kind": "pool", "name": "default", "limit": limit.unwrap_or(8)}));
        for (index, said) in jobs.iter().enumerate() {
            site.apply(definition(index, said));
        }
        let ms = minutes * 60_000;
        let begin = crate::given::later(site.now, begin * 60_000).to_string();
        site.serve(ms).until(&begin);
        let rehearsal = rehearsed(&site, "05:00", u64::try_from(ms).unwrap());
        site.until("23:00");
        let really = really(&site);
        for (run, found) in on_stage(&rehearsal) {
            prop_assert_eq!(Some(&found), really.get(&run), "{}", run);
        }
        let told = on_stage(&rehearsal);
        for (run, (_, _, ended)) in &really {
            let over = ended.is_some_and(|at| at <= rehearsal.now);
            prop_assert!(over || told.contains_key(run), "{} is not told", run);
        }
        // What is missed before now is no prediction.
        let ahead = |(_, by): &(String, Timestamp)| *by > rehearsal.now;
        let missed = rehearsal.missed.iter().filter(|m| ["start-by", "finish-by"].contains(&m.limit.as_str()));
        let predicted: BTreeSet<_> = missed.map(|m| (m.run.to_string(), m.by)).filter(ahead).collect();
        let runs = site.world.streams.0.values().filter_map(|state| state.body.run());
        let late = runs.flat_map(|run| run.late.iter().map(|late| (run.id.to_string(), late.by.unwrap())));
        let late: BTreeSet<_> = late.filter(ahead).collect();
        prop_assert_eq!(predicted, late);
    }
}
