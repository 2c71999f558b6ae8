//! Events as security monitoring reads them.

use domain::envelope::{Draft, Place};
use domain::event::Event;
use domain::ids::StreamId;
use domain::ocsf::{self, Severity, Told};
use domain::wire::LogEntry;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::given::{at, golden, producer};

/// An event of a person, as the log has it at position 7.
fn told(event: Event, stream: &str, void: Option<&str>) -> Told {
    let stream: StreamId = stream.parse().unwrap();
    let draft = Draft::new(stream, 3, event).by(Some("user/ana"));
    let (by, now) = (producer("console/c1"), at("07:30:00.25"));
    let bytes = Place::default().seal(&by, draft, Uuid::from_u128(7), now).unwrap();
    let event = RawValue::from_string(String::from_utf8(bytes).unwrap()).unwrap();
    let void = void.map(str::to_owned);
    let entry = LogEntry { position: 7, received: at("07:30:01"), void, event };
    ocsf::event(&entry, "log.example").unwrap()
}

#[test]
fn each_kind_of_event_has_what_its_class_asks_for_and_all_that_was_signed() {
    let mut kinds = 0;
    for (kind, _) in Event::kinds() {
        let told = told(golden(kind), "run/pay@2026-11-20T07:00+00:00", None);
        let body = &told.body;
        let number = |key: &str| body[key].as_u64().unwrap_or_else(|| panic!("{kind} lacks {key}"));
        assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"), "{kind}");
        assert_eq!(number("category_uid"), number("class_uid") / 1000, "{kind}");
        assert_eq!(number("severity_id"), told.severity as u64);
        assert_eq!(number("time"), u64::try_from(at("07:30:00.25").as_millisecond()).unwrap());
        let meta = &body["metadata"];
        assert_eq!((&meta["event_code"], &meta["sequence"]), (&kind.into(), &7.into()));
        assert_eq!((&meta["version"], &meta["log_name"]), (&"1.7.0".into(), &"log.example".into()));
        assert_eq!(body["actor"]["user"]["name"], "ana");
        let asked: &[&str] = match number("class_uid") {
            1006 => &["job", "device"],
            3001 => &["user"],
            3002 => &["user", "service"],
            _ => &[],
        };
        assert!(asked.iter().all(|key| body[key].is_object()), "{kind}: {body}");
        assert_eq!(body["unmapped"]["event"]["type"], kind);
        kinds += 1;
    }
    assert!(kinds > 100, "{kinds}");
}

#[test]
fn kinds_have_their_class_activity_severity_and_status() {
    let table = [
        ("run.started", "run/pay@2026-11-20T07:00+00:00", 100_606, Severity::Informational, 1),
        ("run.failed", "run/pay@2026-11-20T07:00+00:00", 100_699, Severity::Medium, 2),
        ("job.paused", "job/pay", 100_605, Severity::Informational, 1),
        ("user.logged-in", "user/ana", 300_201, Severity::Informational, 1),
        ("user.login-failed", "user/ana", 300_201, Severity::Medium, 2),
        ("user.removed", "user/ana", 300_106, Severity::Informational, 1),
        ("host.revoked", "host/h1", 99, Severity::High, 1),
        ("log.contradicted", "log/executor/h1", 99, Severity::Critical, 2),
        ("log.continued", "log/continued", 99, Severity::Critical, 2),
        ("log.examined", "log/main", 99, Severity::Critical, 2),
    ];
    for (kind, stream, class, severity, status) in table {
        let told = told(golden(kind), stream, None);
        let found = (told.body["type_uid"].as_u64(), told.body["status_id"].as_u64());
        assert_eq!((found, told.severity), ((Some(class), Some(status)), severity), "{kind}");
    }
    let void = told(golden("job.paused"), "job/pay", Some("it is paused already"));
    assert_eq!((void.severity, &void.body["status_id"]), (Severity::Low, &2.into()));
    assert_eq!(void.body["message"], "job.paused job/pay: without effect, it is paused already");
    let about = told(golden("run.started"), "run/pay@2026-11-20T07:00+00:00", None).body;
    assert_eq!(about["job"]["name"], "pay");
}

#[test]
fn a_signed_head_is_told_as_it_was_signed() {
    let told = ocsf::head("log.example\n7\n…", 7, "log.example", at("07:30"));
    assert_eq!(
        (told.kind.as_str(), &told.body["unmapped"]["head"]),
        ("head", &"log.example\n7\n…".into())
    );
    assert_eq!(told.body["metadata"]["sequence"], 7);
}
