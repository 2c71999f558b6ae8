//! The morning review: what is open, what becomes of it, and the signature.

use console::Applied;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::with_log;
use crate::cli::{Becomes, Format, Note, Place, Review, Sign};
use crate::{exit, output, when};

pub(crate) fn run(wanted: &Review, format: Format) -> anyhow::Result<()> {
    match wanted {
        Review::Show(place) => show(place, format),
        Review::Note(wanted) => note(wanted, format),
        Review::Sign(wanted) => sign(wanted, format),
    }
}

/// What is to be reviewed.
#[derive(Debug, Serialize, Deserialize)]
struct Morning {
    since: Timestamp,
    until: Timestamp,
    numbers: domain::night::Numbers,
    /// Run, state, and what was said of it.
    exceptions: Vec<(String, String, Value)>,
    open: Vec<String>,
    shown: String,
    overdue: bool,
    #[serde(rename = "goes-on")]
    goes_on: bool,
}

fn morning(place: &Place) -> anyhow::Result<Morning> {
    with_log(place, |client| client.get_json("/api/v1/review"))
}

fn show(place: &Place, format: Format) -> anyhow::Result<()> {
    let morning = morning(place)?;
    output::one(format, &morning, text)?;
    if morning.open.is_empty() { Ok(()) } else { Err(exit::unclean("")) }
}

fn text(morning: &Morning) -> String {
    let n = morning.numbers;
    let (since, until) = (output::local(morning.since), output::local(morning.until));
    let mut lines = vec![format!(
        "{since} to {until}: {} expected, {} ran, {} failed, {} missed, {} late, {} unknown",
        n.expected, n.ran, n.failed, n.missed, n.late, n.unknown
    )];
    if morning.overdue {
        lines.push("a review is overdue".to_owned());
    }
    if morning.goes_on {
        let more =
            "there are more exceptions than one review lists: what came later is of the next";
        lines.push(more.to_owned());
    }
    for (run, state, said) in &morning.exceptions {
        let word = said["said"].as_str().unwrap_or_default();
        let run = run.trim_start_matches("run/");
        lines.push(format!("  {word:<9} {state:<10} {run}"));
    }
    let open = morning.open.len();
    lines.push(match open {
        0 => "nothing is open: it can be signed".to_owned(),
        1 => "1 exception is open".to_owned(),
        _ => format!("{open} exceptions are open"),
    });
    lines.join("\n") + "\n"
}

fn note(wanted: &Note, format: Format) -> anyhow::Result<()> {
    let needs = |what: &str| exit::usage(format!("give {what} with it"));
    let disposition: Value = match wanted.becomes {
        Becomes::Note => json!({"is": "note"}),
        Becomes::Ticket => {
            let reference = wanted.ticket.as_ref().ok_or_else(|| needs("--ticket NAME"))?;
            json!({"is": "ticket", "reference": reference})
        }
        Becomes::Accepted => {
            let until = wanted.until.as_ref().ok_or_else(|| needs("--until DAY"))?;
            json!({"is": "accepted", "until": when::end_of(until)?})
        }
        Becomes::Rerun => {
            let again = wanted.again.as_ref().ok_or_else(|| needs("--again RUN"))?;
            let again = again.trim_start_matches("run/");
            json!({"is": "rerun", "run": format!("run/{again}")})
        }
    };
    let run = wanted.run.trim_start_matches("run/");
    let body = json!({"run": run, "disposition": disposition, "note": wanted.note});
    let applied: Applied =
        with_log(&wanted.place, |client| client.post_slow("/api/v1/review/notes", &body))?;
    output::one(format, &applied, |done| format!("{run}: {}\n", done.message))
}

fn sign(wanted: &Sign, format: Format) -> anyhow::Result<()> {
    let morning = morning(&wanted.place)?;
    let body = json!({
        "until": morning.until,
        "shown": morning.shown,
        "statement": wanted.statement,
    });
    let applied: Applied =
        with_log(&wanted.place, |client| client.post_slow("/api/v1/review/signature", &body))?;
    output::one(format, &applied, |done| {
        format!(
            "signed: everything until {}, event {}\n",
            output::local(morning.until),
            done.position
        )
    })
}
