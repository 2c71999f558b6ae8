//! The site itself: what is not as it should be, how the log and the programs around it stand, and what was set.

use askama::Template;
use axum::extract::State;
use domain::people::Action;

use super::answer::Page;
use super::forms::Sent;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Marked, between};
use crate::heard::is_silent;
use crate::pulse::Beat;
use crate::site::{Program, Site, site};
use crate::state::Console;

/// A program around the log.
struct Row {
    class: String,
    name: String,
    state: Marked,
    heard: String,
    since: String,
    /// Why its key counts no more.
    revoked: String,
    /// The producer, where its key counts.
    producer: String,
}

#[derive(Template)]
#[template(path = "site.html")]
struct SitePage {
    shell: Shell,
    site: Site,
    recorder: Marked,
    facts: Vec<(&'static str, String)>,
    programs: Vec<Row>,
    /// Whether they may take a key back.
    takes_back: bool,
    word: String,
    problem: Option<String>,
}

/// What is known of the recorder, and of the log.
fn facts(site: &Site) -> Vec<(&'static str, String)> {
    let Beat { answered, took_ms, position, newest, .. } = &site.recorder;
    let ago = |at| format!("{}, {} ago", when(at), between(at, site.now));
    let mut found = vec![("answered", format!("{}, in {took_ms} ms", ago(*answered)))];
    if let Some(newest) = newest {
        found.push(("newest event", format!("{position}, received {}", ago(*newest))));
    }
    let Some(log) = &site.log else { return found };
    found.insert(0, ("log", log.origin.clone()));
    found.push(("events", log.size.to_string()));
    let until = log.signed_until.map(|at| format!(", the last of them received {}", ago(at)));
    let signed = format!("covers {} events{}", log.signed, until.unwrap_or_default());
    found.push(("newest signed head", if log.signed == 0 { "none".to_owned() } else { signed }));
    if log.archived > 0 {
        found.push(("archived", format!("the first {} events are in files", log.archived)));
    }
    let counts = |all: &[crate::site::Count]| {
        let words: Vec<String> =
            all.iter().map(|one| format!("{} {}", one.count, one.what)).collect();
        words.join(", ")
    };
    found.push(("producers let in", counts(&log.producers)));
    found
}

fn row(program: &Program, site: &Site) -> Row {
    let heard = program.heard.map(|at| format!("{} ago", between(at, site.now)));
    let counts = program.revoked.is_none();
    let state = match (program.class.as_str(), program.heard) {
        _ if !counts => Marked::new("revoked"),
        ("scheduler", Some(at)) if !is_silent(at, site.now) => Marked::new("up"),
        ("scheduler", Some(_)) => Marked::new("silent"),
        ("scheduler", None) => Marked::tuned("not heard", "warn"),
        _ => Marked::tuned("does not say", ""),
    };
    Row {
        class: program.class.clone(),
        name: program.name.clone(),
        state,
        heard: heard.unwrap_or_default(),
        since: when(program.since),
        revoked: program.revoked.clone().unwrap_or_default(),
        producer: if counts {
            format!("{}/{}", program.class, program.name)
        } else {
            String::new()
        },
    }
}

async fn all(console: &Console, visitor: &Visitor) -> SitePage {
    let site = site(console).await;
    let recorder = match (site.recorder.is_up(), &site.recorder.stuck) {
        (true, None) => Marked::tuned("answers", "good"),
        (true, Some(_)) => Marked::tuned("cannot write", "bad"),
        (false, _) => Marked::tuned("does not answer", "bad"),
    };
    let position = site.recorder.position;
    let shell = visitor.shell().cli("decklog site");
    // What nobody answers is true of no position.
    let shell = if site.log.is_some() { shell.as_of(console, position) } else { shell };
    let programs = site.log.iter().flat_map(|log| &log.programs);
    let takes_back = console.joining.is_some() && visitor.could(Action::InviteHosts);
    let programs = programs.map(|program| row(program, &site)).collect();
    let (facts, word) = (facts(&site), visitor.word());
    SitePage { shell, recorder, facts, programs, takes_back, site, word, problem: None }
}

/// The page. It is shown while the recorder does not answer, too.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Page {
    visitor.page(&all(&console, &visitor).await)
}

/// Takes the key of a program back.
pub(crate) async fn post(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let (visitor, fields) = (&sent.visitor, &sent.fields);
    let (producer, reason) = (fields.text("producer"), fields.text("reason"));
    let done = console.revoke_key(&producer, &visitor.caller, &reason).await;
    let page = async { Ok(all(&console, visitor).await) };
    visitor
        .became(done, |_| "/site".to_owned(), page, |page, problem| SitePage { problem, ..page })
        .await
}
