//! What people are told: the same text for every way, of one incident or of several at once.

use jiff::Timestamp;

use super::state::{Incident, StepKind};
use super::words;

/// How many incidents one message tells of at most; it says how many more there are.
pub const TOLD_MAX: usize = 50;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its subject, one line.
    pub subject: String,
    /// Its text, lines.
    pub text: String,
}

/// One incident that a message is about, why, and the link by which it is acknowledged.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// The step of it.
    pub kind: &'a StepKind,
    /// The link; `None` where the notifier knows no console, or there is nothing to acknowledge.
    pub link: Option<String>,
}

/// How urgently it is said: from the second round on, louder.
fn call(told: &Told<'_>) -> Option<String> {
    let StepKind::Level { round, .. } = told.kind else { return None };
    match told.incident.turn(*round) {
        0 | 1 => None,
        2 => Some("SECOND CALL".to_owned()),
        3 => Some("THIRD CALL".to_owned()),
        more => Some(format!("CALL {more}")),
    }
}

/// One line about an incident.
pub fn headline(incident: &Incident) -> String {
    format!("{}: {}", incident.severity.word(), summary(incident))
}

/// The same without how bad it is.
pub fn summary(incident: &Incident) -> String {
    let newest = incident.troubles.last().map(|seen| words::trouble(&seen.trouble));
    format!("{}: {}", words::about(&incident.of), newest.unwrap_or_default())
}

/// A line of a mail's head has no line breaks and no end in sight otherwise.
fn one_line(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    plain.trim().to_owned()
}

/// The message about one incident or more. `now` is when it is sent.
pub fn message(told: &[Told<'_>], now: Timestamp) -> Message {
    let Some(first) = told.first() else {
        return Message { subject: String::new(), text: String::new() };
    };
    let louder = told.iter().find_map(call);
    let what = match (first.kind, told.len()) {
        (StepKind::Broadcast { .. }, _) => {
            format!("for your information: {}", words::about(&first.incident.of))
        }
        (StepKind::Level { .. }, 1) => headline(first.incident),
        (StepKind::Level { .. }, count) => {
            let worst = told.iter().map(|one| one.incident.severity).max();
            let worst = worst.map_or("", crate::event::Severity::word);
            format!("{worst}: {count} incidents")
        }
    };
    let before = louder.map(|louder| format!("{louder}: ")).unwrap_or_default();
    let subject = one_line(&format!("[decklog] {before}{what}"));
    let mut text: Vec<String> = told.iter().take(TOLD_MAX).map(|one| paragraph(one, now)).collect();
    let more = told.len().saturating_sub(TOLD_MAX);
    text.extend((more > 0).then(|| format!("And {more} more: see the page of incidents.")));
    let text = text.join("\n\n") + "\n";
    // What somebody wrote moves no cursor and rings no bell.
    let text = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    Message { subject, text }
}

fn paragraph(told: &Told<'_>, now: Timestamp) -> String {
    let incident = told.incident;
    if let StepKind::Broadcast { text, by } = told.kind {
        let name = incident.id();
        return format!("{text}\n\nSaid by {by} about incident {}.", name.rest());
    }
    let mut lines = vec![format!("{}.", headline(incident))];
    let name = incident.id();
    let since = words::minute(incident.opened);
    lines.push(format!("Incident {}, open since {since}.", name.rest()));
    if incident.count > 1 {
        lines.push(format!("That happened {} times.", incident.count));
    }
    if let StepKind::Level { round, because, .. } = told.kind {
        let louder = incident.turn(*round) > 1;
        let again =
            if louder { "Nobody has acknowledged it: everybody is told again. " } else { "" };
        lines.push(format!("{again}You are told because {}.", words::because(*because)));
    }
    let minutes = (now.as_second() - incident.opened.as_second()).max(0) / 60;
    if minutes >= 1 {
        lines.push(format!("It waits for {minutes} minutes."));
    }
    match &told.link {
        Some(link) => lines.push(format!("Acknowledge it: {link}")),
        None => lines.push(format!("Acknowledge it: decklog incident acknowledge {}", name.rest())),
    }
    lines.join("\n")
}
