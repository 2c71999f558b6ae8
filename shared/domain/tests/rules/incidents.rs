//! Incidents: what opens one, who is told and whom then, and who may resolve it.

use domain::canonical::Digest;
use domain::event::{
    Event, IncidentAcknowledged, IncidentBroadcast, IncidentCauseRecorded, IncidentEvent,
    IncidentNoted, IncidentNotificationBegun, IncidentOpened, IncidentReopened, IncidentResolved,
    LogContradicted, LogExamined, LogPolicySet, Sent, Severity, Trouble, Way,
};
use domain::ids::StreamId;
use domain::incident::{Incident, Rota, StepKind};
use domain::ledger::{Mark, Streams as _};
use domain::site::ThingKind;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{at, later};
use crate::site::{Site, refused};

/// A call tree of three levels: ana, then bob, then cy; ten minutes each.
fn tree(name: &str) -> Value {
    let level = |contact: &str| json!({"tell": [{"contact": contact}], "wait": "10m"});
    json!({"kind": "call-tree", "name": name, "levels": [level("ana"), level("bob"), level("cy")]})
}

fn job(name: &str) -> Value {
    json!({"name": name, "command": {"argv": ["/bin/false"]}})
}

/// A site with a call tree and a job.
fn site() -> Site {
    let mut site = Site::new();
    site.apply(tree("default")).apply(job("pay"));
    site
}

/// A run that somebody asked for, and that ends so.
fn run(site: &mut Site, name: &str, code: i32) {
    site.request(name);
    site.until(&clock(site.now));
    site.start(name).end(name, code);
}

fn clock(now: Timestamp) -> String {
    now.to_string()
}

fn find(site: &Site, id: &str) -> Option<Incident> {
    let id: StreamId = format!("incident/{id}").parse().unwrap();
    site.world.streams.get(&id).and_then(|state| state.body.incident().cloned())
}

#[track_caller]
fn incident(site: &Site, id: &str) -> Incident {
    find(site, id).unwrap_or_else(|| panic!("there is no incident {id}"))
}

fn says(site: &mut Site, who: &str, id: &str, event: impl Into<Event>) -> Mark {
    let (now, id) = (site.now, format!("incident/{id}").parse().unwrap());
    let mark = site.world.say_by(who, id, event, now);
    site.feed();
    mark
}

/// Who was told when, in order; several incidents in one message with a `+`.
fn told(site: &mut Site) -> Vec<String> {
    let one = |(at, outgoing): (Timestamp, domain::scheduler::Outgoing)| {
        let names: Vec<String> =
            outgoing.about.iter().map(|about| about.incident.of.to_string()).collect();
        let at = at.strftime("%H:%M");
        format!(
            "{at} {} by {}: {}",
            outgoing.call.contact,
            outgoing.call.by.word(),
            names.join(" + ")
        )
    };
    std::mem::take(&mut site.sent).into_iter().map(one).collect()
}

fn acknowledged() -> IncidentAcknowledged {
    IncidentAcknowledged { note: String::new(), link: None }
}

#[test]
fn a_failure_is_an_incident_where_its_job_says_so_or_a_default_tree_is_there() {
    let cases = [
        (false, Value::Null, None),
        (true, Value::Null, Some(Severity::Major)),
        (true, json!({"severity": "none"}), None),
        (true, json!({"severity": "critical"}), Some(Severity::Critical)),
        (false, json!({"severity": "minor"}), Some(Severity::Minor)),
    ];
    for (with_tree, rule, severity) in cases {
        let mut site = Site::new();
        if with_tree {
            site.apply(tree("default"));
        }
        let mut job = job("pay");
        if !rule.is_null() {
            job["on-failure"] = rule.clone();
        }
        site.apply(job);
        run(&mut site, "pay@request-1", 1);
        site.until("00:30");
        let found = find(&site, "job/pay/1").map(|incident| incident.severity);
        assert_eq!(found, severity, "{with_tree} {rule}");
        assert_eq!(site.sent.is_empty(), !(with_tree && severity.is_some()), "{with_tree} {rule}");
        site.check_no_voids();
    }
}

#[test]
fn a_job_that_names_a_call_tree_needs_it_to_be_there() {
    let mut site = Site::new();
    let mut named = job("pay");
    named["on-failure"] = json!({"call-tree": "payroll"});
    assert_eq!(refused(&site.try_apply(named.clone())), "there is no active call-tree payroll");
    site.apply(tree("payroll")).apply(named);
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    assert_eq!(incident(&site, "job/pay/1").tree.as_deref(), Some("payroll"));
}

#[test]
fn levels_are_told_one_after_the_other_until_somebody_acknowledges() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:25");
    let all =
        ["00:00 ana by mail: job/pay", "00:10 bob by mail: job/pay", "00:20 cy by mail: job/pay"];
    assert_eq!(told(&mut site), all);
    assert_eq!(says(&mut site, "user/bob", "job/pay/1", acknowledged()), Mark::Valid);
    site.until("02:00");
    assert_eq!(told(&mut site), [""; 0]);
    let again = says(&mut site, "user/ana", "job/pay/1", acknowledged());
    assert_eq!(refused(&again), "user/bob has acknowledged it already");
    site.check_no_voids();
}

#[test]
fn where_nobody_acknowledges_the_tree_starts_over_and_every_level_is_told_with_those_before_it() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:55");
    let first = told(&mut site);
    assert_eq!(
        first[3..],
        [
            "00:30 ana by mail: job/pay",
            "00:40 ana by mail: job/pay",
            "00:40 bob by mail: job/pay",
            "00:50 ana by mail: job/pay",
            "00:50 bob by mail: job/pay",
            "00:50 cy by mail: job/pay",
        ]
    );
    let incident = incident(&site, "job/pay/1");
    let (step, round, level) = incident.level().unwrap();
    assert_eq!((round, level, step.calls.len()), (2, 3, 3));
    let about =
        domain::incident::message::Told { incident: &incident, kind: &step.kind, link: None };
    let message = domain::incident::message::message(&[about], site.now);
    assert!(message.subject.starts_with("[decklog] SECOND CALL: major: job pay:"), "{message:?}");
    assert!(message.text.contains("Nobody has acknowledged it: everybody is told again."));
}

#[test]
fn what_happens_again_belongs_to_the_incident_that_is_open() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    run(&mut site, "pay@request-2", 1);
    site.until("00:02");
    let incident = incident(&site, "job/pay/1");
    assert_eq!((incident.count, find(&site, "job/pay/2").is_some()), (2, false));
    assert_eq!(told(&mut site), ["00:00 ana by mail: job/pay"]);
}

#[test]
fn a_run_that_ends_well_ends_the_calling_and_a_later_failure_begins_it_again() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:05");
    run(&mut site, "pay@request-2", 0);
    site.until("00:30");
    assert_eq!(incident(&site, "job/pay/1").word(), "over");
    run(&mut site, "pay@request-3", 1);
    site.until("00:35");
    assert_eq!(told(&mut site), ["00:00 ana by mail: job/pay", "00:30 ana by mail: job/pay"]);
    let incident = incident(&site, "job/pay/1");
    assert_eq!((incident.word(), incident.count, incident.level().unwrap().1), ("open", 2, 2));
}

#[test]
fn several_schedulers_open_one_incident_and_tell_each_contact_once() {
    let mut site = Site::with_minds(3);
    site.apply(tree("default")).apply(job("pay"));
    run(&mut site, "pay@request-1", 1);
    site.until("00:25");
    let all =
        ["00:00 ana by mail: job/pay", "00:10 bob by mail: job/pay", "00:20 cy by mail: job/pay"];
    assert_eq!(told(&mut site), all);
    assert_eq!(incident(&site, "job/pay/1").count, 1);
}

#[test]
fn messages_to_the_same_contact_go_as_one() {
    let mut site = site();
    site.apply(job("mail")).apply(job("web"));
    for name in ["pay", "mail", "web"] {
        let name = format!("{name}@request-1");
        site.request(&name);
    }
    site.until("00:00:01");
    for name in ["pay", "mail", "web"] {
        let name = format!("{name}@request-1");
        site.start(&name).end(&name, 1);
    }
    site.until("00:05");
    assert_eq!(told(&mut site), ["00:00 ana by mail: job/mail + job/pay + job/web"]);
}

#[test]
fn a_message_of_which_nobody_hears_again_is_unknown_and_never_sent_twice() {
    let mut site = site();
    site.contacts.insert("ana".to_owned(), None);
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    site.restart();
    site.until("00:09");
    let mut told = told(&mut site);
    told.retain(|line| line.ends_with(": job/pay"));
    assert_eq!(told, ["00:00 ana by mail: job/pay", "00:01 bob by mail: job/pay"]);
    let incident = incident(&site, "job/pay/1");
    let (_, sent) = incident.steps[0].calls[0].ended.clone().unwrap();
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
}

#[test]
fn who_cannot_be_told_does_not_keep_the_next_from_being_told_and_that_is_an_incident_too() {
    let mut site = site();
    let failed = Sent::Failed { message: "550 no such user".to_owned() };
    site.contacts.insert("ana".to_owned(), Some(failed));
    run(&mut site, "pay@request-1", 1);
    site.until("00:05");
    let told = told(&mut site);
    assert!(told.contains(&"00:00 bob by mail: job/pay".to_owned()), "{told:?}");
    let own = incident(&site, "call-tree/default/1");
    assert!(
        matches!(&own.troubles[0].trouble, Trouble::NotificationFailed { contact, .. } if contact == "ana")
    );
    // It is told by the same tree, and opens no further one.
    assert!(told.contains(&"00:00 bob by mail: call-tree/default".to_owned()), "{told:?}");
    assert_eq!((own.count, find(&site, "call-tree/default/2")), (1, None));
}

#[test]
fn a_scheduler_that_sends_nothing_lets_the_others_send() {
    let mut site = Site::with_minds(2);
    site.apply(tree("default")).apply(job("pay"));
    site.mute(0);
    run(&mut site, "pay@request-1", 1);
    site.until("00:09");
    assert_eq!(told(&mut site), ["00:00 ana by mail: job/pay"]);
}

#[test]
fn where_nobody_sends_anything_the_next_level_is_due_soon_and_that_is_an_incident_too() {
    let mut site = site();
    site.mute(0);
    run(&mut site, "pay@request-1", 1);
    site.until("00:09");
    assert_eq!(told(&mut site), [""; 0]);
    assert_eq!(incident(&site, "job/pay/1").steps.len(), 3);
    assert!(incident(&site, "call-tree/default/1").is_open());
}

#[test]
fn minor_incidents_wait_until_the_quiet_hours_of_everybody_are_over() {
    for (severity, when) in [("minor", "07:00"), ("major", "00:00"), ("critical", "00:00")] {
        let mut site = Site::new();
        let mut quiet = tree("default");
        quiet["severity"] = json!(severity);
        quiet["levels"] = json!([{"tell": [{"contact": "ana"}], "wait": "12h"}]);
        quiet["quiet"] = json!({"ana": {"from": "22:00", "until": "07:00"}});
        site.apply(quiet).apply(job("pay"));
        run(&mut site, "pay@request-1", 1);
        site.until("08:00");
        assert_eq!(told(&mut site), [format!("{when} ana by mail: job/pay")], "{severity}");
    }
}

#[test]
fn nobody_resolves_what_they_caused_and_a_cause_comes_before_that() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let id = "job/pay/1";
    let resolved = || IncidentResolved { action: "freed the disk".to_owned() };
    let cause = |by: Option<&str>| IncidentCauseRecorded {
        cause: "the disk was full".to_owned(),
        caused_by: by.map(str::to_owned),
    };
    let no_cause = says(&mut site, "user/bob", id, resolved());
    assert_eq!(refused(&no_cause), "say first why it happened");
    let nobody = says(&mut site, "user/bob", id, cause(Some("user/nobody")));
    assert_eq!(refused(&nobody), "there is no such account that caused it");
    assert_eq!(says(&mut site, "user/bob", id, cause(None)), Mark::Valid);
    // Who asked for the run is named by the run.
    let own = says(&mut site, "user/ana", id, resolved());
    assert_eq!(refused(&own), "nobody resolves the failure they caused");
    // Whom one cause names is not let go by the next.
    for by in [Some("user/bob"), None] {
        assert_eq!(says(&mut site, "user/ana", id, cause(by)), Mark::Valid);
    }
    let named = says(&mut site, "user/bob", id, resolved());
    assert_eq!(refused(&named), "nobody resolves the failure they caused");
    let now = site.now;
    let policy = LogPolicySet { self_approval: true, reason: "a small shop".to_owned() };
    assert_eq!(site.world.say_by("user/ana", StreamId::log("main"), policy, now), Mark::Valid);
    assert_eq!(says(&mut site, "user/ana", id, resolved()), Mark::Valid);
    let after = says(&mut site, "user/bob", id, IncidentNoted { text: "so it was".to_owned() });
    assert_eq!(refused(&after), "it is resolved: open it again first");
}

#[test]
fn an_incident_that_was_resolved_is_followed_by_the_next_and_only_the_newest_is_opened_again() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let resolve = |site: &mut Site, id: &str| {
        let (cause, caused_by) = ("a power cut".to_owned(), None);
        assert_eq!(
            says(site, "user/bob", id, IncidentCauseRecorded { cause, caused_by }),
            Mark::Valid
        );
        let action = "bought batteries".to_owned();
        assert_eq!(says(site, "user/bob", id, IncidentResolved { action }), Mark::Valid);
    };
    resolve(&mut site, "job/pay/1");
    let reopened = || IncidentReopened { reason: "it was not the power".to_owned() };
    run(&mut site, "pay@request-2", 1);
    site.until("00:02");
    assert_eq!(incident(&site, "job/pay/2").count, 1);
    let old = says(&mut site, "user/bob", "job/pay/1", reopened());
    let later = "there is a later incident of the same thing: go on with that one";
    assert_eq!(refused(&old), later);
    resolve(&mut site, "job/pay/2");
    assert_eq!(says(&mut site, "user/bob", "job/pay/2", reopened()), Mark::Valid);
    site.until("00:03");
    let all = told(&mut site);
    assert_eq!(
        all,
        ["00:00 ana by mail: job/pay", "00:01 ana by mail: job/pay", "00:02 ana by mail: job/pay"]
    );
    let opened = || IncidentOpened {
        severity: Severity::Major,
        trouble: Trouble::Reported { text: "again".to_owned() },
        at: at("00:03"),
        tree: None,
    };
    let open = says(&mut site, "user/bob", "job/pay/3", opened());
    assert_eq!(refused(&open), "the incident before it is open: this belongs to that one");
    let gap = says(&mut site, "user/bob", "job/pay/5", opened());
    assert_eq!(refused(&gap), "the incident before it is not there");
}

#[test]
fn whoever_got_a_message_acknowledges_by_its_link_and_nobody_else_does() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let link = site.sent[0].1.about[0].link.clone();
    let by = |link: &str| IncidentAcknowledged { note: String::new(), link: Some(link.to_owned()) };
    let no_link = "that is no link of a message to them";
    let digest = Digest::of(link.as_bytes()).to_string();
    for (who, link) in [("user/bob", link.as_str()), ("user/ana", "guessed"), ("user/ana", &digest)]
    {
        assert_eq!(refused(&says(&mut site, who, "job/pay/1", by(link))), no_link);
    }
    assert_eq!(says(&mut site, "user/ana", "job/pay/1", by(&link)), Mark::Valid);
}

#[test]
fn a_silent_host_is_an_incident_until_it_is_heard() {
    let mut site = Site::new();
    site.apply(tree("default"));
    site.heard.insert("h1".to_owned(), 4);
    site.until("00:05");
    site.heard.remove("h1");
    site.until("00:14");
    assert_eq!(find(&site, "host/h1/1"), None);
    site.until("00:16");
    assert_eq!(incident(&site, "host/h1/1").word(), "open");
    site.heard.insert("h1".to_owned(), 4);
    site.until("00:18");
    assert_eq!(incident(&site, "host/h1/1").word(), "over");
    site.check_no_voids();
}

#[test]
fn a_late_and_a_missed_run_are_incidents() {
    let mut site = Site::new();
    site.apply(tree("default"));
    site.apply(
        json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "sla": {"start-by": "10m"}}),
    );
    site.apply(json!({"name": "lost", "schedule": {"cron": "0 3 * * *"}, "catch-up": "none"}));
    site.until("02:05");
    assert_eq!(find(&site, "job/pay/1"), None);
    site.until("02:11");
    let late = incident(&site, "job/pay/1");
    assert!(matches!(late.troubles[0].trouble, Trouble::Late { .. }), "{late:?}");
    site.nobody_until("03:30");
    site.until("03:31");
    let missed = incident(&site, "job/lost/1");
    assert!(
        matches!(&missed.troubles[0].trouble, Trouble::Run { state, .. } if state == "missed"),
        "{missed:?}"
    );
}

#[test]
fn a_run_that_will_not_end_in_time_as_long_as_such_runs_take_is_an_incident_before_it_is_late() {
    let mut site = Site::new();
    site.apply(tree("default"));
    site.apply(
        json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "sla": {"finish-by": "1h"}}),
    );
    site.heard.insert("h1".to_owned(), 4);
    site.serve(50 * 60_000).until("06:55");
    assert_eq!(find(&site, "job/pay/1"), None);
    // The next may begin after a quarter of an hour only.
    site.heard.remove("h1");
    site.drain("h1").until("07:15");
    let early = incident(&site, "job/pay/1");
    assert_eq!((early.count, early.opened), (1, at("07:10")));
    let trouble = &early.troubles[0].trouble;
    assert!(matches!(trouble, Trouble::WillBeLate { usual_ms: 3_000_000, .. }), "{trouble:?}");
}

#[test]
fn who_was_away_looks_at_what_happened_meanwhile() {
    let mut site = site();
    site.apply(job("mail"));
    site.stuck.insert(0);
    run_unseen(&mut site, "pay@request-1", 1);
    run_unseen(&mut site, "mail@request-1", 0);
    site.restart();
    site.stuck.clear();
    let suspects: Vec<_> =
        ["pay@request-1", "mail@request-1"].map(|name| site.run(name).clone()).into();
    let now = site.now;
    for run in suspects {
        assert!(site.minds[0].is_suspect(&run.id, run.changed), "{}", run.id);
        site.minds[0].examine(&run, now);
    }
    site.until("00:30");
    assert_eq!(incident(&site, "job/pay/1").count, 1);
    assert_eq!(find(&site, "job/mail/1"), None);
    // What is said already is not said again.
    site.restart();
    let run = site.run("pay@request-1").clone();
    site.minds[0].examine(&run, site.now);
    site.until("00:31");
    assert_eq!(incident(&site, "job/pay/1").count, 1);
    site.check_no_voids();
}

/// The same while no scheduler does anything.
fn run_unseen(site: &mut Site, name: &str, code: i32) {
    site.stuck.clear();
    site.request(name);
    site.until(&clock(site.now));
    site.stuck.insert(0);
    site.start(name).end(name, code);
}

#[test]
fn a_broadcast_reaches_those_who_are_affected_once() {
    let mut site = Site::new();
    let mut wide = tree("default");
    wide["broadcast"] = json!([{"contact": "hr"}, {"contact": "press", "by": ["webhook"]}]);
    site.apply(wide).apply(job("pay"));
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    told(&mut site);
    let now = site.now;
    let definition: domain::incident::CallTreeDefinition = serde_json::from_value(json!({
        "kind": "call-tree", "name": "default", "levels": [],
        "broadcast": [{"contact": "hr"}, {"contact": "press", "by": ["webhook"]}],
    }))
    .unwrap();
    let tell =
        domain::incident::calls::affected(&definition, &domain::calendar::Almanac::default(), now);
    let text = "payslips will be late".to_owned();
    let step = incident(&site, "job/pay/1").steps_count + 1;
    let broadcast = IncidentBroadcast { step, text, tell };
    assert_eq!(says(&mut site, "user/bob", "job/pay/1", broadcast.clone()), Mark::Valid);
    let twice = says(&mut site, "user/bob", "job/pay/1", broadcast);
    assert_eq!(refused(&twice), "it is not the next step");
    site.until("00:05");
    assert_eq!(told(&mut site), ["00:01 hr by mail: job/pay", "00:01 press by webhook: job/pay"]);
    let steps = incident(&site, "job/pay/1").steps;
    assert!(matches!(steps[1].kind, StepKind::Broadcast { .. }));
}

#[test]
fn a_message_is_begun_once_and_only_where_one_waits() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let begun = |step, call| {
        IncidentEvent::IncidentNotificationBegun(IncidentNotificationBegun {
            step,
            call,
            link: Digest::of(b"word"),
        })
    };
    let id: StreamId = "incident/job/pay/1".parse().unwrap();
    for (step, call) in [(1, 1), (1, 2), (2, 1), (0, 0)] {
        let now = site.now;
        let mark = site.world.say_next("scheduler/s1", id.clone(), begun(step, call), now);
        assert_eq!(refused(&mark), "no such message waits to be sent", "{step} {call}");
    }
}

#[test]
fn a_rota_says_whose_turn_it_is_by_the_clock_of_its_zone() {
    let read = |value: Value| serde_json::from_value::<Rota>(value).unwrap();
    let turns = json!(["ana", "bob", "cy"]);
    let weekly =
        read(json!({"zone": "America/New_York", "from": "2026-11-02T08:00:00", "turns": turns}));
    let night = read(
        json!({"zone": "Europe/Berlin", "from": "2026-11-02T18:00:00", "days": 1, "turns": turns,
        "hours": {"from": "18:00", "until": "06:00"},
        "holidays": [{"dates": {"2026-11-20": "a holiday"}}], "on-holidays": "duty"}),
    );
    let cases = [
        (&weekly, "2026-11-02T12:59:59Z", Some("cy")),
        (&weekly, "2026-11-02T13:00:00Z", Some("ana")),
        (&weekly, "2026-11-09T12:59:59Z", Some("ana")),
        (&weekly, "2026-11-09T13:00:00Z", Some("bob")),
        (&weekly, "2026-11-23T13:00:00Z", Some("ana")),
        // After the clock has changed the turn begins at the same time of day.
        (&weekly, "2027-03-15T11:59:59Z", Some("ana")),
        (&weekly, "2027-03-15T12:00:00Z", Some("bob")),
        (&night, "2026-11-02T16:59:59Z", None),
        (&night, "2026-11-02T17:00:00Z", Some("ana")),
        (&night, "2026-11-03T04:59:59Z", Some("ana")),
        (&night, "2026-11-03T05:00:00Z", None),
        (&night, "2026-11-03T17:00:00Z", Some("bob")),
        // A night belongs to the day on which it begins.
        (&night, "2026-11-20T17:00:00Z", Some("duty")),
        (&night, "2026-11-21T04:00:00Z", Some("duty")),
        (&night, "2026-11-21T17:00:00Z", Some("bob")),
    ];
    let small = read(
        json!({"zone": "Europe/Berlin", "from": "2026-10-24T02:30:00", "days": 1, "turns": turns}),
    );
    let cases = cases.into_iter().chain([
        // The hour from two to three comes twice, and hands over once.
        (&small, "2026-10-25T00:29:59Z", Some("ana")),
        (&small, "2026-10-25T00:30:00Z", Some("bob")),
        (&small, "2026-10-25T01:00:00Z", Some("bob")),
        (&small, "2026-10-25T01:30:00Z", Some("bob")),
        (&small, "2026-10-26T01:30:00Z", Some("cy")),
        // And where it does not come, the turn begins when it would be over.
        (&small, "2027-03-28T00:59:59Z", Some("bob")),
        (&small, "2027-03-28T01:00:00Z", Some("cy")),
    ]);
    let almanac = domain::calendar::Almanac::default();
    for (rota, instant, who) in cases {
        assert_eq!(rota.on_call(instant.parse().unwrap(), &almanac), who, "{instant}");
    }
}

#[test]
fn a_call_tree_that_cannot_call_anybody_is_refused_with_a_sentence() {
    let cases = [
        (json!({"levels": []}), "levels: 1 to 10 levels"),
        (json!({"levels": [{"tell": [], "wait": "1m"}]}), "levels: level 1: 1 to 5 are told"),
        (
            json!({"levels": [{"tell": [{}], "wait": "1m"}]}),
            "levels: level 1: say either contact or rota",
        ),
        (
            json!({"levels": [{"tell": [{"rota": "x"}], "wait": "1m"}]}),
            "levels: level 1: there is no rota x",
        ),
        (
            json!({"levels": [{"tell": [{"contact": "a", "by": []}], "wait": "1m"}]}),
            "levels: level 1: by: mail, webhook or command",
        ),
        (
            json!({"levels": [{"tell": [{"contact": "a"}], "wait": "500ms"}]}),
            "levels: level 1: wait: from 1s to 7d",
        ),
        (
            json!({"levels": [{"tell": [{"contact": "a"}], "wait": "1m"}], "rotas": {"r": {"from": "2026-11-02T08:00:00", "turns": []}}}),
            "rotas: r: turns: 1 to 100 contacts",
        ),
    ];
    for (mut value, problem) in cases {
        (value["kind"], value["name"]) = (json!("call-tree"), json!("t"));
        let tree = domain::site::Thing::read(ThingKind::CallTree, &value).unwrap();
        let problems: Vec<String> = tree.problems().iter().map(ToString::to_string).collect();
        assert!(problems.contains(&problem.to_owned()), "{problems:?}");
    }
}

#[test]
fn an_incident_that_had_no_call_tree_has_one_when_there_is_one() {
    let mut site = Site::new();
    let mut own = job("pay");
    own["on-failure"] = json!({"severity": "major"});
    site.apply(own);
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    assert_eq!((incident(&site, "job/pay/1").tree, told(&mut site).len()), (None, 0));
    site.apply(tree("default"));
    run(&mut site, "pay@request-2", 1);
    site.until("00:02");
    assert_eq!(told(&mut site), ["00:01 ana by mail: job/pay"]);
}

#[test]
fn where_the_tree_that_a_job_names_is_gone_the_usual_one_takes_its_place() {
    let mut site = Site::new();
    let mut own = job("pay");
    own["on-failure"] = json!({"call-tree": "payroll"});
    site.apply(tree("payroll")).apply(tree("default")).apply(own);
    site.retire(ThingKind::CallTree, "payroll");
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    assert_eq!(incident(&site, "job/pay/1").tree.as_deref(), Some("default"));
    assert_eq!(told(&mut site), ["00:00 ana by mail: job/pay"]);
}

#[test]
fn a_last_level_where_nobody_is_does_not_keep_the_tree_from_starting_over() {
    let mut site = Site::new();
    let mut empty = tree("default");
    empty["levels"] = json!([
        {"tell": [{"contact": "ana"}], "wait": "10m"},
        {"tell": [{"rota": "office"}], "wait": "10m"},
    ]);
    empty["rotas"] = json!({"office": {"from": "2026-11-02T08:00:00", "turns": ["bob"],
        "hours": {"from": "08:00", "until": "18:00"}}});
    site.apply(empty).apply(job("pay"));
    run(&mut site, "pay@request-1", 1);
    site.until("00:25");
    let all =
        ["00:00 ana by mail: job/pay", "00:10 ana by mail: job/pay", "00:20 ana by mail: job/pay"];
    assert_eq!(told(&mut site), all);
}

#[test]
fn what_is_too_small_for_those_of_a_level_at_night_is_so_for_the_next() {
    let mut site = Site::new();
    let mut quiet = tree("default");
    quiet["severity"] = json!("minor");
    quiet["quiet"] = json!({"ana": {"from": "22:00", "until": "07:00"}});
    site.apply(quiet).apply(job("pay"));
    run(&mut site, "pay@request-1", 1);
    site.until("07:15");
    assert_eq!(told(&mut site), ["07:00 ana by mail: job/pay", "07:10 bob by mail: job/pay"]);
}

#[test]
fn what_was_acknowledged_once_calls_again_when_it_was_over_and_happens_again() {
    let mut site = site();
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let link = site.sent[0].1.about[0].link.clone();
    assert_eq!(says(&mut site, "user/ana", "job/pay/1", acknowledged()), Mark::Valid);
    run(&mut site, "pay@request-2", 0);
    site.until("00:02");
    run(&mut site, "pay@request-3", 1);
    site.until("00:03");
    assert_eq!(told(&mut site), ["00:00 ana by mail: job/pay", "00:02 ana by mail: job/pay"]);
    let incident = incident(&site, "job/pay/1");
    let (step, ..) = incident.level().unwrap();
    let about =
        domain::incident::message::Told { incident: &incident, kind: &step.kind, link: None };
    let message = domain::incident::message::message(&[about], site.now);
    assert!(!message.subject.contains("CALL"), "nobody was called for it before: {message:?}");
    // The link of a message of before is spent.
    let old = IncidentAcknowledged { note: String::new(), link: Some(link) };
    let spent = says(&mut site, "user/ana", "job/pay/1", old);
    assert_eq!(refused(&spent), "that is no link of a message to them");
}

#[test]
fn what_a_person_reported_is_over_when_a_person_says_so() {
    let mut site = site();
    site.heard.insert("h1".to_owned(), 4);
    let opened = IncidentOpened {
        severity: Severity::Critical,
        trouble: Trouble::Reported { text: "it smells of smoke".to_owned() },
        at: at("00:00"),
        tree: Some("default".to_owned()),
    };
    assert_eq!(says(&mut site, "user/bob", "host/h1/1", opened), Mark::Valid);
    site.until("00:15");
    assert_eq!(incident(&site, "host/h1/1").word(), "open");
    assert_eq!(told(&mut site).len(), 2);
    let cleared = domain::event::IncidentCleared { reason: "x".to_owned() };
    let (now, id) = (site.now, "incident/host/h1/1".parse().unwrap());
    let event = IncidentEvent::IncidentCleared(cleared);
    let mark = site.world.say_next("scheduler/s1", id, event, now);
    assert_eq!(refused(&mark), "what a person reported is over when a person says so");
}

#[test]
fn a_dead_contact_keeps_nobody_else_waiting_and_nothing_is_begun_that_cannot_be_sent_at_once() {
    let mut site = Site::new();
    let mut both = tree("default");
    both["levels"] = json!([{"tell": [{"contact": "ana"}, {"contact": "dead"}], "wait": "1h"}]);
    site.apply(both);
    site.contacts.insert("dead".to_owned(), None);
    for number in 0..20 {
        let name = format!("j{number}");
        site.apply(job(&name));
        run(&mut site, &format!("{name}@request-1"), 1);
        let next = later(site.now, 2_000);
        site.until(&clock(next));
    }
    site.until("00:02");
    let told = told(&mut site);
    let of_ana: usize =
        told.iter().filter(|line| line.contains(" ana ")).map(|l| l.matches("job/").count()).sum();
    assert_eq!(of_ana, 20, "{told:?}");
    let lost = |number: i32| {
        let one = incident(&site, &format!("job/j{number}/1"));
        one.steps[0].calls.iter().any(|call| {
            matches!(&call.ended, Some((_, Sent::Unknown { .. }))) && call.call.contact == "ana"
        })
    };
    assert!(!(0..20).any(lost));
}

#[test]
fn many_broadcasts_hide_no_level_that_was_told() {
    let mut site = Site::new();
    let mut wide = tree("default");
    wide["levels"] = json!([{"tell": [{"contact": "ana"}], "wait": "1h"}]);
    site.apply(wide).apply(job("pay"));
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let broadcast = |step: u32| IncidentBroadcast {
        step,
        text: "payslips will be late".to_owned(),
        tell: vec![domain::event::Call { contact: "hr".to_owned(), by: Way::Mail }],
    };
    for step in 2..40 {
        assert_eq!(says(&mut site, "user/bob", "job/pay/1", broadcast(step)), Mark::Valid);
        let next = later(site.now, 3_000);
        site.until(&clock(next));
    }
    let incident = incident(&site, "job/pay/1");
    assert_eq!(incident.level().map(|(_, round, level)| (round, level)), Some((1, 1)));
    let told = told(&mut site);
    assert_eq!(told.iter().filter(|line| line.contains(" ana ")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.contains(" hr ")).count(), 38);
}

#[test]
fn a_broadcast_that_waits_is_sent_also_when_the_incident_is_resolved() {
    let mut site = site();
    site.mute(0);
    run(&mut site, "pay@request-1", 1);
    site.until("00:01");
    let tell = vec![domain::event::Call { contact: "hr".to_owned(), by: Way::Mail }];
    let broadcast = IncidentBroadcast { step: 2, text: "it is over".to_owned(), tell };
    assert_eq!(says(&mut site, "user/bob", "job/pay/1", broadcast), Mark::Valid);
    let (cause, caused_by) = ("a power cut".to_owned(), None);
    says(&mut site, "user/bob", "job/pay/1", IncidentCauseRecorded { cause, caused_by });
    let action = "bought batteries".to_owned();
    assert_eq!(says(&mut site, "user/bob", "job/pay/1", IncidentResolved { action }), Mark::Valid);
    site.unmute();
    site.until("00:02");
    assert_eq!(told(&mut site), ["00:01 hr by mail: job/pay"]);
    site.check_no_voids();
}

#[test]
fn a_failure_to_tell_somebody_is_noticed_also_by_a_scheduler_that_was_not_there() {
    let mut site = site();
    site.contacts.insert("ana".to_owned(), Some(Sent::Failed { message: "550".to_owned() }));
    run(&mut site, "pay@request-1", 1);
    site.until("00:05");
    assert!(incident(&site, "call-tree/default/1").count >= 1);
    // As if it had died before it said so.
    let own: StreamId = "incident/call-tree/default/1".parse().unwrap();
    site.world.streams.0.remove(&own);
    site.restart();
    site.until("00:06");
    assert!(incident(&site, "call-tree/default/1").count >= 1);
    site.restart();
    site.until("00:07");
    assert_eq!(find(&site, "call-tree/default/2"), None);
}

#[test]
fn the_word_of_a_severity_and_of_a_way_is_read_back() {
    for severity in Severity::ALL {
        assert_eq!(Severity::from_word(severity.word()), Some(severity));
        assert_eq!(serde_json::to_value(severity).unwrap(), json!(severity.word()));
    }
    for way in [Way::Mail, Way::Webhook, Way::Command] {
        assert_eq!(serde_json::to_value(way).unwrap(), json!(way.word()));
    }
}

#[test]
fn a_log_that_is_another_one_than_a_producer_has_seen_is_an_incident_of_the_log_each_time_it_is_told()
 {
    let mut site = site();
    let told = |site: &mut Site, by: &str, version: u64| {
        let (now, id) = (site.now, format!("log/{by}").parse().unwrap());
        let event = LogContradicted {
            producer: by.parse().unwrap(),
            held: "a head".to_owned(),
            shown: "another".to_owned(),
            reason: "it was changed".to_owned(),
        };
        let mark = site.world.say(by, domain::envelope::Draft::new(id, version, event), now);
        assert_eq!(mark, Mark::Valid);
        site.feed();
        site.until(&clock(later(now, 60_000)));
    };
    told(&mut site, "executor/h1", 1);
    let opened = incident(&site, "log/main/1");
    assert!(opened.is_open() && opened.troubles.len() == 1, "{opened:?}");
    let words = domain::incident::words::trouble(&opened.troubles[0].trouble);
    assert_eq!(words, "executor/h1 sees another log than before: it was changed");
    told(&mut site, "console/c1", 1);
    told(&mut site, "executor/h1", 2);
    assert_eq!(incident(&site, "log/main/1").troubles.len(), 3);
}

#[test]
fn a_log_that_can_be_changed_where_it_stands_is_an_incident_and_one_whose_guards_stand_is_none() {
    let mut site = site();
    let examined = |site: &mut Site, weaknesses: &[&str], others: u64| {
        let (now, main) = (site.now, StreamId::log("main"));
        let weaknesses = weaknesses.iter().map(|says| (*says).to_owned()).collect();
        let event = LogExamined { weaknesses, others };
        assert_eq!(site.world.say_next("audit/main", main, event, now), Mark::Valid);
        site.feed();
        site.until(&clock(later(now, 60_000)));
    };
    examined(&mut site, &[], 0);
    assert!(find(&site, "log/main/1").is_none());
    examined(&mut site, &["the trigger no_change of event is not there"], 2);
    let opened = incident(&site, "log/main/1");
    let words = domain::incident::words::trouble(&opened.troubles[0].trouble);
    let says = "the log can be changed where it stands: the trigger no_change of event is not there; and 2 more";
    assert_eq!((opened.is_open(), words.as_str()), (true, says));
    examined(&mut site, &["the trigger no_change of event is not there"], 2);
    assert_eq!(incident(&site, "log/main/1").troubles.len(), 2, "a day later it is told again");
}
