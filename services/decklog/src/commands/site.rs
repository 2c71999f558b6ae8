//! `decklog site`: how the site itself stands, and what of it is not as it should be.

use console::{Log, Setting, Site};

use super::with_log;
use crate::cli::{Format, Place};
use crate::output::{Table, local};
use crate::{exit, output};

pub(crate) fn run(place: &Place, format: Format) -> anyhow::Result<()> {
    let site: Site = with_log(place, |client| client.get_json("/api/v1/site"))?;
    output::one(format, &site, text)?;
    let urgent = site.findings.iter().any(|one| one.urgent);
    if urgent { Err(exit::unclean("something cannot wait")) } else { Ok(()) }
}

fn text(site: &Site) -> String {
    let mut out = String::new();
    if site.findings.is_empty() {
        out.push_str("everything here is as it should be\n");
    } else {
        let mut table = Table::new(["WHEN", "WHAT", "WHAT TO DO"]);
        for one in &site.findings {
            let when = if one.urgent { "now" } else { "soon" };
            table.row([when.to_owned(), one.says.clone(), one.todo.clone()]);
        }
        out.push_str(&table.text());
    }
    out.push('\n');
    out.push_str(&facts(site).text());
    out
}

fn facts(site: &Site) -> Table {
    let mut table = Table::new(["", ""]);
    let mut fact = |name: &str, says: String| table.row([name.to_owned(), says]);
    let beat = &site.recorder;
    let word = match (beat.is_up(), &beat.stuck) {
        (true, None) => "answers",
        (true, Some(_)) => "answers, and cannot write",
        (false, _) => "does not answer",
    };
    fact("recorder", format!("{word}; {}, in {} ms", local(beat.answered), beat.took_ms));
    if let Some(newest) = beat.newest {
        fact("newest event", format!("{}, received {}", beat.position, local(newest)));
    }
    if let Some(log) = &site.log {
        of_log(log, &mut fact);
    }
    for Setting { name, says, .. } in &site.console {
        fact(&format!("console {name}"), says.clone());
    }
    table
}

fn of_log(log: &Log, fact: &mut impl FnMut(&str, String)) {
    let counts = |all: &[console::Count]| {
        let words: Vec<String> =
            all.iter().map(|one| format!("{} {}", one.count, one.what)).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    fact("signed head", format!("covers {} of {} events", log.signed, log.size));
    if log.archived > 0 {
        fact("archived", format!("the first {} events are in files", log.archived));
    }
    fact("producers", counts(&log.producers));
    fact("hosts", counts(&log.hosts));
    fact("incidents", counts(&log.incidents));
    fact("at risk", log.at_risk.len().to_string());
    for one in &log.calls {
        let last = if one.last.is_empty() { "none lately" } else { &one.last };
        fact(&format!("call tree {}", one.tree), format!("{}; last: {last}", one.ways.join(", ")));
    }
    for one in &log.rules {
        let set = one.event.map_or(String::new(), |event| format!(" (event {event})"));
        fact(&one.name, format!("{}{set}", one.says));
    }
}
