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

/// Most buttons that Teams shows below a card.
const TEAMS_ACTIONS: usize = 6;

/// A message for a workflow of Microsoft Teams: an adaptive card. Its text stands in rich text blocks, whose runs are shown as
/// they are; a text block would take what a job's name or an error says for Markdown, and a link in it for one of ours.
pub(super) fn teams(letter: &Letter<'_>) -> Value {
    let block = |text: &str, weight: &str| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text, "weight": weight }] });
    let mut body = vec![block(&letter.message.subject, "bolder")];
    body.extend(letter.message.text.lines().filter(|l| !l.is_empty()).map(|l| block(l, "default")));
    let about = letter.outgoing.about.iter().zip(&letter.links);
    let open = |(about, link): (&About, &Option<String>)| {
        let title = format!("Acknowledge {}", about.incident.id().rest());
        Some(json!({ "type": "Action.OpenUrl", "title": title, "url": link.as_ref()? }))
    };
    let actions: Vec<Value> = about.filter_map(open).take(TEAMS_ACTIONS).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions,
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

#[cfg(test)]
mod tests {
    use domain::event::{Call, Way};
    use domain::incident::Incident;
    use domain::scheduler::Outgoing;

    use super::*;
    use crate::notify::{Contact, NotifyConfig};

    const TEXT: &str = "[all well](https://evil.example) *really* <!channel> & more";

    /// An incident of a job whose message has a text in it that means something elsewhere.
    fn outgoing() -> Outgoing {
        let step = json!({"number": 1, "at": "2026-01-05T02:00:00Z", "calls": [],
            "kind": {"level": {"round": 1, "level": 1, "because": "opened"}}});
        let incident: Incident = serde_json::from_value(json!({
            "of": "job/pay", "number": 3, "severity": "critical", "opened": "2026-01-05T02:00:00Z",
            "troubles": [{"at": "2026-01-05T02:00:00Z", "trouble": {"is": "reported", "text": TEXT}}],
            "count": 1, "steps": [step], "steps_count": 1,
        }))
        .unwrap();
        let call = Call { contact: "mia".to_owned(), by: Way::Webhook };
        let about = About { incident, step: 1, call: 1, link: "word".to_owned() };
        Outgoing { call, about: vec![about] }
    }

    fn with_letter<T>(of: impl FnOnce(&Letter<'_>) -> T) -> T {
        let config = NotifyConfig {
            console: Some("https://decklog.example".to_owned()),
            contacts: [("mia".to_owned(), Contact::default())].into(),
            ..NotifyConfig::default()
        };
        let outgoing = outgoing();
        of(&Letter::new(&config, &outgoing, "2026-01-05T02:00:01Z".parse().unwrap()))
    }

    #[test]
    fn teams_shows_what_is_said_as_it_is_and_has_a_button_to_acknowledge() {
        let message = with_letter(teams);
        let card = &message["attachments"][0]["content"];
        let blocks = card["body"].as_array().unwrap();
        assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"), "{message}");
        let runs = blocks.iter().map(|block| &block["inlines"][0]);
        let said = |run: &Value| run["text"].as_str().unwrap().contains(TEXT);
        assert!(runs.clone().all(|run| run["type"] == "TextRun") && runs.clone().any(said));
        let action = &card["actions"][0];
        assert_eq!(action["title"], "Acknowledge job/pay/3");
        let url = action["url"].as_str().unwrap();
        assert!(url.starts_with("https://decklog.example/"), "{url}");
    }

    #[test]
    fn slack_is_sent_no_character_that_means_something_there() {
        let message = with_letter(slack);
        let text = message["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt; &amp; more"), "{text}");
        assert!(!text.contains(['<', '>']), "{text}");
    }

    #[test]
    fn pagerduty_knows_an_incident_by_its_name() {
        let events = with_letter(|letter| pagerduty(letter, "decklog", "key"));
        let (id, event) = &events[0];
        assert_eq!(id, "job.pay.3.1.1.mia");
        assert_eq!(event["dedup_key"], "incident/job/pay/3");
        assert_eq!(event["payload"]["severity"], "critical");
        assert_eq!(event["links"][0]["text"], "Acknowledge");
    }
}
