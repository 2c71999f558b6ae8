//! What a change of a job would do to its occurrences of the next 14 days.

use domain::effect::{Effect, effect};
use domain::forecast::SiteView;
use domain::job::Job;
use serde_json::{Value, json};

use crate::given::{at, definition};

fn schedule(cron: &str) -> Value {
    json!({"schedule": {"cron": cron}, "zone": "UTC"})
}

fn of(before: Option<Value>, after: Value) -> Effect {
    let active = before.map(definition);
    effect(&Job::new("pay"), active.as_ref(), &definition(after), at("00:00"), &SiteView::default())
        .unwrap()
}

/// Of 2026-11-20, a Friday, and the 13 days after it.
#[test]
fn occurrences_come_go_move_within_their_day_or_stay() {
    let counts = |effect: Effect| (effect.same, effect.adds, effect.removes, effect.moves);
    let daily = || Some(schedule("30 2 * * *"));
    for (before, after, wanted) in [
        (None, schedule("30 2 * * *"), (0, 14, 0, 0)),
        (daily(), schedule("30 2 * * *"), (14, 0, 0, 0)),
        (daily(), schedule("30 3 * * *"), (0, 0, 0, 14)),
        (daily(), schedule("30 2,14 * * *"), (14, 14, 0, 0)),
        (daily(), schedule("30 2 * * 1-5"), (10, 0, 4, 0)),
        (daily(), schedule("0 5 * * 6,0"), (0, 0, 10, 4)),
        (daily(), json!({}), (0, 0, 14, 0)),
        (Some(json!({})), json!({}), (0, 0, 0, 0)),
    ] {
        let text = format!("{before:?} {after}");
        assert_eq!(counts(of(before, after)), wanted, "{text}");
    }
}

#[test]
fn what_is_told_one_by_one_is_bounded_and_what_is_counted_is_not() {
    let effect = of(None, schedule("*/5 * * * *"));
    assert_eq!((effect.adds, effect.added.len()), (14 * 288, 50));
}

#[test]
fn what_a_definition_names_is_touched() {
    let effect = of(None, json!({"locks": ["ledger"], "calendar": {"not-on": ["bank"]}}));
    let touched: Vec<String> = effect.touches.iter().map(ToString::to_string).collect();
    assert!(touched.contains(&"lock/ledger".to_owned()), "{touched:?}");
    assert!(touched.contains(&"calendar/bank".to_owned()), "{touched:?}");
}
