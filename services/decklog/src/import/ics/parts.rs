//! A calendar that is too long for one document: several, and one that is all of them.

use std::collections::BTreeMap;

use domain::calendar::{CalendarDefinition, DaySet, Days};
use domain::site::Thing;
use jiff::civil::Date;
use serde_json::json;

use crate::import::{At, Imported};

/// Room for days in a document: its limit is 12 KiB as JSON.
const BYTES_MAX: usize = 11 * 1024;

/// Longest name of a day.
const NAME_BYTES_MAX: usize = 200;

pub(super) fn add(
    at: &At,
    name: &str,
    (from, to): (i16, i16),
    days: BTreeMap<Date, String>,
    imported: &mut Imported,
) {
    let described = |what: &str| format!("{what} of the years {from} to {to}, from {}", at.file);
    let cut = cut(days);
    let several = cut.len() > 1;
    let mut names = Vec::new();
    for (number, days) in (1..).zip(cut) {
        let part = if several { format!("{name}-{number}") } else { name.to_owned() };
        let what =
            if several { format!("part {number} of {name}: days") } else { "days".to_owned() };
        put(at, &part, &described(&what), DaySet::Dates(days), imported);
        names.push(Days::named(&part));
    }
    if several {
        let text = format!(
            "it is longer than a document may be and was cut into {}; fewer years make fewer parts",
            names.len()
        );
        imported.note(at, text);
        put(at, name, &described("days"), DaySet::AnyOf(names), imported);
    }
}

fn put(at: &At, name: &str, description: &str, days: DaySet, imported: &mut Imported) {
    let value = json!({"kind": "calendar", "name": name, "description": description, "days": days});
    match serde_json::from_value::<CalendarDefinition>(value) {
        Ok(calendar) => imported.thing(at, Thing::Calendar(calendar)),
        Err(error) => imported.leave_out(at, name, error.to_string()),
    }
}

/// Days in as many lists as documents are needed.
fn cut(days: BTreeMap<Date, String>) -> Vec<BTreeMap<Date, String>> {
    let (mut lists, mut room) = (vec![BTreeMap::new()], BYTES_MAX);
    for (day, name) in days {
        let name = crate::import::draft::cut(&name, NAME_BYTES_MAX).to_owned();
        // `"2026-12-25":"…",`
        let size = 14 + serde_json::to_string(&name).map_or(0, |text| text.len());
        if size > room {
            lists.push(BTreeMap::new());
            room = BYTES_MAX;
        }
        room -= size.min(room);
        lists.iter_mut().rev().take(1).for_each(|list| drop(list.insert(day, name.clone())));
    }
    lists
}
