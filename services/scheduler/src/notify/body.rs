//! What other systems read: a `CloudEvent`, or what Slack, Teams and `PagerDuty` take.

use domain::incident::message::headline;
use domain::incident::{StepKind, words};
use domain::scheduler::About;
use serde_json::{Value, json};

use super::{Letter, id_of, step};

fn incident(about: &About, link: Option<&String>) -> Value {
    let one = &about.incident;
    let mut value = json!({
        "incident": one.id().rest(),
        "about": one.of,
        "severity": one.severity,
        "state": one.word(),
        "headline": headline(one),
        "opened": one.opened,
        "count": one.count,
    });
    match step(about).map(|step| &step.kind) {
        Some(StepKind::Level { round, level, because }) => {
            value["round"] = json!(round);
            value["level"] = json!(level);
            value["because"] = json!(words::because(*because));
        }
        Some(StepKind::Broadcast { text, by }) => {
            value["broadcast"] = json!({ "text": text, "by": by });
        }
        None => {}
    }
    if let Some(link) = link {
        value["acknowledge"] = json!(link);
    }
    value
}

/// A `CloudEvent` 1.0 in its structured form.
pub(super) fn cloud_event(letter: &Letter<'_>, source: &str) -> Value {
    let about = letter.outgoing.about.iter().zip(&letter.links);
    let incidents: Vec<Value> = about.map(|(one, link)| incident(one, link.as_ref())).collect();
    json!({
        "specversion": "1.0",
        "id": letter.id(),
        "source": source,
        "type": "decklog.incident.notified",
        "time": letter.now,
        "datacontenttype": "application/json",
        "data": {
            "contact": letter.outgoing.call.contact,
            "subject": letter.message.subject,
            "text": letter.message.text,
            "incidents": incidents,
        },
    })
}

/// A message for Slack's incoming webhooks: the three characters that mean something there are escaped.
pub(super) fn slack(letter: &Letter<'_>) -> Value {
    let text = format!("{}\n{}", letter.message.subject, letter.message.text);
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": text })
}

/// A message for a workflow of Microsoft Teams: an adaptive card.
pub(super) fn teams(letter: &Letter<'_>) -> Value {
    let block = |text: &str, weight: &str| json!({ "type": "TextBlock", "text": text, "weight": weight, "wrap": true });
    let mut body = vec![block(&letter.message.subject, "bolder")];
    body.extend(letter.message.text.lines().filter(|l| !l.is_empty()).map(|l| block(l, "default")));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

/// Events of `PagerDuty`, version 2: one for each incident, told apart by its name.
pub(super) fn pagerduty(letter: &Letter<'_>, source: &str, key: &str) -> Vec<(String, Value)> {
    let severity = |about: &About| match about.incident.severity {
        domain::event::Severity::Minor => "warning",
        domain::event::Severity::Major => "error",
        domain::event::Severity::Critical => "critical",
    };
    let one = |about: &About, link: &Option<String>| {
        let name = about.incident.id().to_string();
        // What those who are affected are told is an event of its own, and no second alarm.
        let said = step(about).and_then(|step| match &step.kind {
            StepKind::Broadcast { text, .. } => {
                Some((format!("{name}#{}", step.number), text.clone()))
            }
            StepKind::Level { .. } => None,
        });
        let (name, summary) = said.unwrap_or_else(|| (name, headline(&about.incident)));
        let mut event = json!({
            "routing_key": key,
            "event_action": "trigger",
            "dedup_key": name,
            "payload": {
                "summary": summary,
                "source": source,
                "severity": severity(about),
                "timestamp": about.incident.opened,
                "custom_details": incident(about, link.as_ref()),
            },
        });
        if let Some(link) = link {
            event["links"] = json!([{ "href": link, "text": "Acknowledge" }]);
        }
        (id_of(about, &letter.outgoing.call.contact), event)
    };
    letter.outgoing.about.iter().zip(&letter.links).map(|(about, link)| one(about, link)).collect()
}
