//! Events as security monitoring reads them: the Open Cybersecurity Schema Framework (OCSF), version 1.7.0.
//!
//! | of ours | class |
//! |---|---|
//! | `job.*`, `run.*` | Scheduled Job Activity (1006) |
//! | logins | Authentication (3002) |
//! | other `user.*` | Account Change (3001) |
//! | all others, and signed heads | Base Event (0) |
//!
//! The whole envelope stands in `unmapped`: what it says is what was signed.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::envelope::{Envelope, EnvelopeError};
use crate::wire::LogEntry;

/// The version of the schema.
const VERSION: &str = "1.7.0";

/// How much something matters, by OCSF's `severity_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// 1
    Informational = 1,
    /// 2
    Low = 2,
    /// 3
    Medium = 3,
    /// 4
    High = 4,
    /// 5
    Critical = 5,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

/// A class of events: its number and name, and those of its category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    id: u32,
    name: &'static str,
    category: (u32, &'static str),
}

const BASE: Class = Class { id: 0, name: "Base Event", category: (0, "Uncategorized") };
const JOB: Class =
    Class { id: 1006, name: "Scheduled Job Activity", category: (1, "System Activity") };
const ACCOUNT: Class =
    Class { id: 3001, name: "Account Change", category: (3, "Identity & Access Management") };
const LOGIN: Class =
    Class { id: 3002, name: "Authentication", category: (3, "Identity & Access Management") };

/// What is done, as each class numbers it; 99 where it has no number for it.
type Activity = (u32, &'static str);
const OTHER: Activity = (99, "Other");

fn class_of(kind: &str) -> (Class, Activity) {
    match kind {
        "user.logged-in" | "user.login-failed" => (LOGIN, (1, "Logon")),
        "user.logged-out" => (LOGIN, (2, "Logoff")),
        "user.created" | "user.provisioned" => (ACCOUNT, (1, "Create")),
        "user.password-set" => (ACCOUNT, (3, "Password Change")),
        "user.code-issued" => (ACCOUNT, (4, "Password Reset")),
        "user.removed" => (ACCOUNT, (6, "Delete")),
        "job.proposed" => (JOB, (1, "Create")),
        "job.approved" => (JOB, (2, "Update")),
        "job.retired" => (JOB, (3, "Delete")),
        "job.resumed" => (JOB, (4, "Enable")),
        "job.paused" => (JOB, (5, "Disable")),
        "run.started" => (JOB, (6, "Start")),
        _ if kind.starts_with("job.") || kind.starts_with("run.") => (JOB, OTHER),
        _ if kind.starts_with("user.") => (ACCOUNT, OTHER),
        _ => (BASE, OTHER),
    }
}

/// How much an event matters.
fn severity_of(kind: &str, data: &Value, void: bool) -> Severity {
    match kind {
        "log.contradicted" | "log.continued" => Severity::Critical,
        "log.examined" if data["weaknesses"].as_array().is_some_and(|all| !all.is_empty()) => {
            Severity::Critical
        }
        "incident.opened" | "incident.recurred" => match data["severity"].as_str() {
            Some("critical") => Severity::Critical,
            Some("major") => Severity::High,
            _ => Severity::Medium,
        },
        "host.revoked" | "log.producer-revoked" => Severity::High,
        "run.failed"
        | "run.timed-out"
        | "run.missed"
        | "run.lost"
        | "backup.check-failed"
        | "backup.anomaly-found"
        | "user.login-failed"
        | "user.denied"
        | "log.rejected"
        | "log.journal-cut" => Severity::Medium,
        _ if void => Severity::Low,
        _ => Severity::Informational,
    }
}

/// Whether it was done, by OCSF's `status_id`.
fn status_of(kind: &str, void: bool, critical: bool) -> (u32, &'static str) {
    let failed = [
        "user.login-failed",
        "user.denied",
        "run.failed",
        "run.timed-out",
        "run.missed",
        "run.lost",
        "backup.check-failed",
    ];
    let failed = void || critical || failed.contains(&kind);
    if failed { (2, "Failure") } else { (1, "Success") }
}

/// Something for a collector of logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// How much it matters.
    pub severity: Severity,
    /// When it happened.
    pub time: Timestamp,
    /// Who said it.
    pub source: String,
    /// The kind of event; `head` for a signed head.
    pub kind: String,
    /// The event in OCSF.
    pub body: Value,
}

/// An event of the log named `origin`.
///
/// # Errors
/// The bytes are not an envelope at all.
pub fn event(entry: &LogEntry, origin: &str) -> Result<Told, EnvelopeError> {
    let envelope = entry.envelope()?;
    let kind = envelope.kind.clone();
    let (class, activity) = class_of(&kind);
    let severity = severity_of(&kind, &envelope.data, entry.void.is_some());
    let critical = severity == Severity::Critical;
    let status = status_of(&kind, entry.void.is_some(), critical);
    let mut body = begin(class, activity, severity, envelope.time);
    let message = match &entry.void {
        None => format!("{kind} {}", envelope.subject),
        Some(void) => format!("{kind} {}: without effect, {void}", envelope.subject),
    };
    body.extend(object(json!({
        "status_id": status.0,
        "status": status.1,
        "message": message,
        "metadata": {
            "version": VERSION,
            "product": product(),
            "uid": envelope.id,
            "event_code": kind,
            "sequence": entry.position,
            "log_name": origin,
            "logged_time": entry.received.as_millisecond(),
        },
        "actor": actor(&envelope),
    })));
    body.extend(about(class, &envelope));
    let raw: Value = serde_json::from_str(entry.event.get()).unwrap_or_default();
    body.insert("unmapped".to_owned(), json!({"event": raw, "void": entry.void}));
    let (time, source) = (envelope.time, envelope.source.to_string());
    Ok(Told { severity, time, source, kind, body: Value::Object(body) })
}

/// A signed head of the log, as it was signed: whoever keeps it elsewhere can hold the log against it.
pub fn head(note: &str, size: u64, origin: &str, now: Timestamp) -> Told {
    let severity = Severity::Informational;
    let mut body = begin(BASE, OTHER, severity, now);
    body.extend(object(json!({
        "status_id": 1,
        "status": "Success",
        "message": format!("signed head of {origin} over {size} events"),
        "metadata": {
            "version": VERSION,
            "product": product(),
            "uid": format!("{origin}@{size}"),
            "event_code": "head",
            "sequence": size,
            "log_name": origin,
            "logged_time": now.as_millisecond(),
        },
        "unmapped": {"head": note},
    })));
    let (kind, source) = ("head".to_owned(), origin.to_owned());
    Told { severity, time: now, source, kind, body: Value::Object(body) }
}

fn begin(class: Class, does: Activity, severity: Severity, time: Timestamp) -> Map<String, Value> {
    object(json!({
        "activity_id": does.0,
        "activity_name": does.1,
        "category_uid": class.category.0,
        "category_name": class.category.1,
        "class_uid": class.id,
        "class_name": class.name,
        "type_uid": class.id * 100 + does.0,
        "type_name": format!("{}: {}", class.name, does.1),
        "time": time.as_millisecond(),
        "severity_id": severity as u32,
        "severity": severity.word(),
    }))
}

fn product() -> Value {
    json!({"name": "Decklog", "vendor_name": "Decklog", "version": env!("CARGO_PKG_VERSION")})
}

/// Who acted; a program where nobody did.
fn actor(envelope: &Envelope) -> Value {
    let program = envelope.source.to_string();
    match envelope.actor.as_deref() {
        Some(person) => {
            let name = person.strip_prefix("user/").unwrap_or(person);
            json!({"user": {"name": name, "uid": person}, "app_name": program})
        }
        None => json!({"app_name": program}),
    }
}

/// What the class asks to be told of what it is about.
fn about(class: Class, envelope: &Envelope) -> Map<String, Value> {
    let stream = &envelope.subject;
    let name = stream.run_job().unwrap_or_else(|| stream.rest());
    object(match class.id {
        1006 => json!({
            "job": {"name": name, "desc": stream.to_string()},
            "device": {"type_id": 0, "type": "Unknown", "hostname": host(envelope)},
        }),
        3001 => json!({"user": {"name": name, "uid": stream.to_string()}}),
        3002 => json!({
            "user": {"name": name, "uid": stream.to_string()},
            "service": {"name": "Decklog", "uid": envelope.source.to_string()},
        }),
        _ => json!({}),
    })
}

/// The machine that it is about: the one that says it, or that it names; otherwise the program that says it.
fn host(envelope: &Envelope) -> String {
    match (envelope.source.class(), envelope.data["host"].as_str()) {
        (crate::ids::Class::Executor, _) => envelope.source.name().to_owned(),
        (_, Some(host)) => host.to_owned(),
        (_, None) => envelope.source.to_string(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}
