//! `decklog records …`: legal holds, what is erased before its time, and payloads that are shown.

mod disclose;

use domain::ids::StreamId;
use domain::ledger::{Asked, check_hold_name};
use domain::payload::named;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::with_console;
use crate::cli::{Format, HoldRecords, NamedAct, OfPayload, Place, Records};
use crate::client::escape;
use crate::exit;
use crate::output::{self, Table, local};

pub(crate) fn run(records: &Records, format: Format) -> anyhow::Result<()> {
    match records {
        Records::List(place) => list(place, format),
        Records::Hold(HoldRecords { act, over }) => {
            hold(act, &json!({"act": "place", "over": over}), format)
        }
        Records::AskLift(act) => hold(act, &json!({"act": "ask-lift"}), format),
        Records::Keep(act) => hold(act, &json!({"act": "keep"}), format),
        Records::Lift(act) => hold(act, &json!({"act": "lift"}), format),
        Records::Redact(of) => redaction(of, "ask", format),
        Records::Agree(of) => redaction(of, "agree", format),
        Records::Decline(of) => redaction(of, "decline", format),
        Records::Disclose(wanted) => disclose::run(wanted),
    }
}

fn hold(act: &NamedAct, what: &Value, format: Format) -> anyhow::Result<()> {
    check_hold_name(&act.name).map_err(exit::usage)?;
    let path = format!("/api/v1/records/holds/{}", escape(&act.name));
    say(&act.place, &path, &json!({"act": what, "reason": act.reason}), format)
}

fn redaction(of: &OfPayload, act: &str, format: Format) -> anyhow::Result<()> {
    let body = json!({"of": named(&of.of).map_err(exit::usage)?, "act": act, "reason": of.reason});
    say(&of.place, "/api/v1/records/redactions", &body, format)
}

fn say(place: &Place, path: &str, body: &Value, format: Format) -> anyhow::Result<()> {
    let applied = with_console(place, |client| client.act(path, body))?;
    output::one(format, &applied, |applied| format!("{}\n", applied.message))
}

/// A hold, as a console tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Hold {
    name: String,
    over: Vec<String>,
    reason: String,
    by: Option<String>,
    since: Timestamp,
    lift: Option<Asked>,
}

/// A redaction, as a console tells it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Redaction {
    of: StreamId,
    state: String,
    asked: Asked,
    agreed: Option<Asked>,
    waits_for: Vec<String>,
    erased: Value,
}

/// Both.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    holds: Vec<Hold>,
    redactions: Vec<Redaction>,
}

fn who(by: Option<&str>) -> String {
    by.map_or("-", |by| by.strip_prefix("user/").unwrap_or(by)).to_owned()
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let known: Known = with_console(place, |client| client.get_json("/api/v1/records"))?;
    output::one(format, &known, |known| {
        let mut table = Table::new(["RECORD", "STATE", "SINCE", "BY", "WHY"]);
        for one in &known.holds {
            let state = match &one.lift {
                Some(asked) => format!("hold; {} wants it lifted", who(asked.by.as_deref())),
                None => "hold".to_owned(),
            };
            let name = format!("{} over {}", one.name, one.over.join(", "));
            table.row([name, state, local(one.since), who(one.by.as_deref()), one.reason.clone()]);
        }
        for one in &known.redactions {
            let Asked { by, reason, at } = &one.asked;
            let state = match (one.state.as_str(), one.waits_for.as_slice()) {
                ("agreed", hosts) => format!("agreed; waits for {}", hosts.join(", ")),
                (state, _) => state.to_owned(),
            };
            table.row([one.of.to_string(), state, local(*at), who(by.as_deref()), reason.clone()]);
        }
        table.text()
    })
}
