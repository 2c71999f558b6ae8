//! `decklog key …`: keys that wait to be let in, what people say of them, and keys that are taken back.

use console::WaitingKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::with_console;
use crate::cli::{ConfirmKey, Format, Key, NamedAct, Place};
use crate::output::{self, Table};

pub(crate) fn run(key: &Key, format: Format) -> anyhow::Result<()> {
    match key {
        Key::List(place) => list(place, format),
        Key::Confirm(wanted) => confirm(wanted, format),
        Key::Decline(act) => {
            let body = json!({"producer": act.name, "reason": act.reason});
            say(&act.place, "/api/v1/keys/decline", &body, format)
        }
        Key::Revoke(act) => {
            let body = json!({"producer": act.name, "reason": act.reason});
            say(&act.place, "/api/v1/keys/revoke", &body, format)
        }
    }
}

/// What a console tells of them.
#[derive(Debug, Serialize, Deserialize)]
struct Keys {
    required: bool,
    items: Vec<WaitingKey>,
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let keys: Keys = with_console(place, |client| client.get_json("/api/v1/keys"))?;
    if matches!(format, Format::Table) && !keys.required {
        eprintln!("nobody has to confirm keys here: console.confirm-keys = true asks for it");
    }
    output::list(format, &keys.items, |items| {
        let mut table = Table::new(["PRODUCER", "SINCE", "GROUND", "INVITED BY", "STATE"]);
        for one in items {
            table.row([
                one.producer.clone(),
                output::local(one.since),
                one.ground.clone(),
                one.invited_by.clone().unwrap_or_default(),
                state(one),
            ]);
        }
        table
    })
}

fn state(key: &WaitingKey) -> String {
    match (&key.declined, key.confirmed) {
        (Some(reason), _) => format!("declined: {reason}"),
        (None, true) => "confirmed".to_owned(),
        (None, false) => "waits".to_owned(),
    }
}

fn confirm(wanted: &ConfirmKey, format: Format) -> anyhow::Result<()> {
    let ConfirmKey { act: NamedAct { name, reason, place }, fingerprint } = wanted;
    let body = json!({"producer": name, "fingerprint": fingerprint, "reason": reason});
    say(place, "/api/v1/keys/confirm", &body, format)
}

fn say(place: &Place, path: &str, body: &serde_json::Value, format: Format) -> anyhow::Result<()> {
    let applied = with_console(place, |client| client.act(path, body))?;
    output::one(format, &applied, |applied| format!("{}\n", applied.message))
}
