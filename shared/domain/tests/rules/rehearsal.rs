//! The night as it would go, against the night as it goes.

use std::collections::BTreeMap;

use domain::event::HostStopped;
use domain::job::OrderAct;
use domain::ledger::Mark;
use domain::rehearsal::{Basis, Known, Part, Plan, Rehearsal, rehearse};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::given::at;
use crate::recorder::Recorder;
use crate::site::{Site, run_id, short};

fn known(site: &Site) -> Known {
    let mut known = Known::default();
    Recorder::new(&site.world).answer_all(&mut known);
    known
}

fn rehearsed(site: &Site, to: &str, unknown_ms: u64) -> Rehearsal {
    let plan = Plan { now: site.now, from: site.now, to: at(to), unknown_ms };
    rehearse(&known(site), plan)
}

fn job(name: &str, minute: u32, more: Value) -> Value {
    let mut all = json!({"name": name, "schedule": {"cron": format!("{minute} 1 * * *")}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn part<'r>(rehearsal: &'r Rehearsal, run: &str) -> &'r Part {
    let all: Vec<&str> = rehearsal.runs.iter().map(|part| part.run.as_str()).collect();
    let found = rehearsal.runs.iter().find(|part| part.run == run_id(run));
    found.unwrap_or_else(|| panic!("{run} is not in {all:?}: {:#?}", rehearsal.notes))
}

/// `01:00-01:20` of a run, `01:00-` of one that does not end.
fn times(part: &Part) -> String {
    let clock = |at: Option<Timestamp>| at.map(|at| at.to_string()[11..16].to_owned());
    let ended = part.ended.filter(|_| part.started.is_some());
    format!("{}-{}", clock(part.started).unwrap_or_default(), clock(ended).unwrap_or_default())
}

/// How each run stands, and when it started and ended.
type Night = BTreeMap<String, (String, Option<Timestamp>, Option<Timestamp>)>;

fn really(site: &Site) -> Night {
    let runs = site.world.streams.0.values().filter_map(|state| state.body.run());
    let one = |run: &domain::run::Run| {
        let started = run.attempt().map(|attempt| attempt.started);
        let ended = run.state.is_ended().then_some(run.changed);
        (short(&run.id), (run.state.word().to_owned(), started, ended))
    };
    runs.map(one).collect()
}

fn on_stage(rehearsal: &Rehearsal) -> Night {
    let one = |part: &Part| (short(&part.run), (part.state.clone(), part.started, part.ended));
    rehearsal.runs.iter().map(one).collect()
}

/// A name, how long every run takes in minutes, and what there is.
type Story = (&'static str, i64, fn(&mut Site));

/// Stories of one night.
const NIGHTS: &[Story] =
    &[
        ("jobs on their own", 5, |site| {
            site.apply(
            json!({"kind": "calendar", "name": "holidays", "days": {"dates": {"2026-11-20": ""}}}),
        );
            site.apply(job("a", 0, json!({})));
            site.apply(job("b", 30, json!({"calendar": {"not-on": ["holidays"]}})));
        }),
        ("a chain that begins late", 20, |site| {
            site.apply(job("a", 0, json!({})))
                .apply(job("b", 5, json!({"after": ["a"]})))
                .apply(job("c", 10, json!({"after": ["b"]})));
        }),
        ("locks and a limit of the pool", 7, |site| {
            site.apply(json!({"kind": "lock", "name": "db"}));
            site.apply(json!({"kind": "pool", "name": "default", "limit": 2}));
            for (name, minute) in [("a", 0), ("b", 0), ("c", 1), ("d", 1)] {
                let locks = if name == "b" { json!([]) } else { json!(["db"]) };
                site.apply(job(name, minute, json!({"locks": locks})));
            }
        }),
        ("windows, blackouts, pauses and orders", 10, |site| {
            site.apply(json!({
                "kind": "blackout", "name": "freeze", "applies-to": {"jobs": ["a", "b"]},
                "times": [{"daily": {"from": "00:50", "until": "02:10"}}],
            }));
            site.apply(json!({
            "kind": "blackout", "name": "never", "applies-to": {"jobs": ["c"]}, "at-end": "skip",
            "times": [{"daily": {"from": "00:50", "until": "02:10"}}],
        }));
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let more = if name == "d" {
                    json!({"window": {"from": "01:40", "until": "03:00"}})
                } else {
                    json!({})
                };
                site.apply(job(name, 0, more));
            }
            site.pause("e").order("f@01:00", OrderAct::Skip);
            site.order("g@01:00", OrderAct::Move(at("02:30"))).order("h@01:00", OrderAct::Hold);
        }),
        ("overlap", 25, |site| {
            for (name, overlap) in [
                ("s", json!("skip")),
                ("q", json!("queue-one")),
                ("a", json!({"queue-all": {"limit": 3}})),
            ] {
                site.apply(
                    json!({"name": name, "schedule": {"cron": "*/10 1 * * *"}, "overlap": overlap}),
                );
            }
        }),
        ("what waits in vain is skipped at its latest time", 10, |site| {
            site.apply(json!({"name": "never"}));
            site.apply(job("a", 0, json!({"after": ["never"], "latest-by": "30m"})));
            site.apply(job("b", 0, json!({"confirm": {"role": "approver", "question": "?"}})));
            site.apply(job("c", 1, json!({"after": ["b"]})));
        }),
        ("one run on several hosts", 15, |site| {
            site.host("h2", &["default"], &[("disk", "fast")]);
            site.apply(job("a", 0, json!({"hosts": "all"})));
            site.apply(job("b", 1, json!({"select": {"disk": "fast"}, "after": ["a"]})));
        }),
        ("limits are missed", 50, |site| {
            let sla = json!({"sla": {"start-by": "10m", "finish-by": "45m"}});
            site.apply(job("a", 0, sla.clone()));
            let mut after = sla;
            after["after"] = json!(["a"]);
            site.apply(job("b", 5, after));
        }),
    ];

#[test]
fn a_rehearsal_says_what_the_night_then_does() {
    for (name, minutes, story) in NIGHTS {
        let mut site = Site::new();
        story(&mut site);
        let ms = minutes * 60_000;
        let rehearsal = rehearsed(&site, "05:00", u64::try_from(ms).unwrap());
        assert_eq!(rehearsal.notes.iter().find(|note| note.starts_with("refused")), None, "{name}");
        site.serve(ms).until("06:00");
        let really = really(&site);
        assert_eq!(on_stage(&rehearsal), really, "{name}");
        assert!(really.len() > 1, "{name}: a poor night");
    }
}

/// The same from the middle of a night: what is open then goes on.
#[test]
fn a_rehearsal_begins_with_what_is_open_now() {
    for (name, minutes, story) in NIGHTS {
        for middle in ["01:00", "01:04", "01:12", "01:31"] {
            let mut site = Site::new();
            story(&mut site);
            let ms = minutes * 60_000;
            site.serve(ms).until(middle);
            let rehearsal = rehearsed(&site, "05:00", u64::try_from(ms).unwrap());
            site.until("06:00");
            let really = really(&site);
            for (run, found) in on_stage(&rehearsal) {
                assert_eq!(Some(&found), really.get(&run), "{name} from {middle}: {run}");
            }
            let ended = really
                .iter()
                .filter(|(_, (_, _, end))| end.is_none_or(|at| at > crate::given::at(middle)));
            for (run, _) in ended {
                assert!(
                    on_stage(&rehearsal).contains_key(run),
                    "{name} from {middle}: {run} is not told"
                );
            }
        }
    }
}

#[test]
fn hosts_take_no_more_than_they_have_slots() {
    let mut site = Site::new();
    site.drain("h1").host("h2", &["default"], &[]);
    let slots = site.world.streams.0[&domain::ids::StreamId::host("h2")].body.host().unwrap();
    let slots = slots.started.as_ref().unwrap().slots as usize;
    for index in 0..=slots {
        site.apply(job(&format!("x{index:02}"), 0, json!({})));
    }
    let found = rehearsed(&site, "05:00", 600_000);
    let last = part(&found, &format!("x{slots:02}@01:00"));
    assert_eq!(times(last), "01:10-01:20");
    assert_eq!(last.waits[0].says, "no slot of a host of pool default is free");
    assert!(last.after.is_some(), "{last:#?}");
    assert_eq!((found.ends, &found.last), (last.ended, &Some(last.run.clone())));
    assert!(found.runs.iter().all(|part| part.host.as_deref() == Some("h2")));
}

#[test]
fn where_no_host_can_take_a_run_it_says_so_and_a_site_that_sleeps_is_taken_to_wake() {
    let mut site = Site::new();
    site.apply(job("a", 0, json!({"pool": "empty"}))).apply(job("b", 0, json!({"host": "gone"})));
    site.apply(job("c", 0, json!({})));
    let found = rehearsed(&site, "05:00", 60_000);
    let says = |run| part(&found, run).waits.last().map(|wait| wait.says.as_str());
    assert_eq!(says("a@01:00"), Some("no host that is up takes work of pool empty"));
    assert_eq!(says("b@01:00"), Some("host gone is not up"));
    let stopped = HostStopped { reason: "x".to_owned(), running: 0 };
    let host = domain::ids::StreamId::host("h1");
    let mark = site.world.say_next("executor/h1", host, stopped, site.now);
    assert_eq!(mark, Mark::Valid);
    site.feed();
    let found = rehearsed(&site, "05:00", 60_000);
    assert_eq!(times(part(&found, "c@01:00")), "01:00-01:01");
    assert!(found.notes.iter().any(|note| note.starts_with("no host is up")), "{:#?}", found.notes);
}

#[test]
fn a_run_takes_as_long_as_the_median_of_its_jobs_past_and_else_what_is_assumed() {
    let mut site = Site::new();
    site.apply(job("a", 10, json!({}))).apply(job("b", 10, json!({})));
    let mut clock = 0;
    for (run, minutes) in [("a@request-1", 3), ("a@request-2", 20), ("a@request-3", 5)] {
        site.request(run).until(&format!("00:{clock:02}")).start(run);
        clock += minutes;
        site.until(&format!("00:{clock:02}")).end(run, 0);
    }
    let found = rehearsed(&site, "05:00", 60_000);
    let of = |run| (times(part(&found, run)), part(&found, run).length.unwrap().from);
    assert_eq!(of("a@01:10"), ("01:10-01:15".to_owned(), Basis::Median(3)));
    assert_eq!(of("b@01:10"), ("01:10-01:11".to_owned(), Basis::Assumed));
    // What runs already is measured by those that took longer than it has by now.
    site.until("01:10").start("a@01:10").start("b@01:10").until("01:18");
    let found = rehearsed(&site, "05:00", 60_000);
    let of = |run| (times(part(&found, run)), part(&found, run).length.unwrap().from);
    assert_eq!(of("a@01:10"), ("01:10-01:30".to_owned(), Basis::Longer(1)));
    assert_eq!(of("b@01:10"), ("01:10-01:18".to_owned(), Basis::Longest));
}

#[test]
fn a_limit_of_time_ends_a_run_that_usually_takes_longer() {
    let mut site = Site::new();
    site.apply(job("a", 10, json!({"timeout": "5m"})));
    let found = rehearsed(&site, "05:00", 600_000);
    assert_eq!(
        (times(part(&found, "a@01:10")).as_str(), part(&found, "a@01:10").state.as_str()),
        ("01:10-01:15", "succeeded")
    );
    site.request("a@request-1")
        .until("00:10")
        .start("a@request-1")
        .until("00:20")
        .end("a@request-1", 0);
    let found = rehearsed(&site, "05:00", 600_000);
    assert_eq!(
        (times(part(&found, "a@01:10")).as_str(), part(&found, "a@01:10").state.as_str()),
        ("01:10-01:15", "timed-out")
    );
}

#[test]
fn what_is_to_stop_stops_at_once() {
    let mut site = Site::new();
    site.apply(
        json!({"name": "a", "schedule": {"cron": "*/10 1 * * *"}, "overlap": "cancel-running"}),
    );
    let found = rehearsed(&site, "01:25", 25 * 60_000);
    let of = |run| (times(part(&found, run)), part(&found, run).state.clone());
    assert_eq!(of("a@01:00"), ("01:00-01:10".to_owned(), "cancelled".to_owned()));
    assert_eq!(of("a@01:10"), ("01:10-01:20".to_owned(), "cancelled".to_owned()));
    assert_eq!(of("a@01:20"), ("01:20-01:45".to_owned(), "succeeded".to_owned()));
    site.until("01:00").start("a@01:00").until("01:05").cancel("a@01:00");
    let found = rehearsed(&site, "01:08", 25 * 60_000);
    assert_eq!(times(part(&found, "a@01:00")), "01:00-01:05");
}

/// One that runs, one that waits for it, and one that waits for that and will be late.
fn late_chain() -> Site {
    let mut site = Site::new();
    site.apply(job("load", 0, json!({})));
    site.apply(json!({"kind": "lock", "name": "db"}));
    site.apply(job("books", 10, json!({"locks": ["db"]})));
    site.apply(job("check", 15, json!({"after": ["load"], "locks": ["db"]})));
    site.apply(job("report", 20, json!({"after": ["check"], "sla": {"finish-by": "40m"}})));
    site.apply(job("fine", 20, json!({"sla": {"finish-by": "40m"}})));
    site
}

#[test]
fn what_will_miss_its_limit_is_known_hours_ahead_with_the_chain_that_makes_it_so() {
    let site = late_chain();
    let found = rehearsed(&site, "05:00", 25 * 60_000);
    // books 01:10-01:35, then check 01:35-02:00, then report 02:00-02:25.
    let [missed] = &found.missed[..] else { panic!("{:#?}", found.missed) };
    assert_eq!((missed.run.clone(), missed.limit.as_str()), (run_id("report@01:20"), "finish-by"));
    assert_eq!((missed.by, missed.at), (at("02:00"), Some(at("02:25"))));
    let chain: Vec<String> = missed.chain.iter().map(|link| short(&link.run)).collect();
    assert_eq!(chain, ["report@01:20", "check@01:15", "books@01:10"]);
    let text = found.missed_text(&TimeZone::UTC);
    for line in [
        "misses  report@2026-11-20T01:20+00:00: finish-by 02:00; it ends at 02:25, 25m late",
        "report@2026-11-20T01:20+00:00 starts 02:00 after a wait of 40m (it waits until check@2026-11-20T01:15+00:00 has succeeded; that is waiting)",
        "check@2026-11-20T01:15+00:00 starts 01:35 after a wait of 10m (lock db is held by books@2026-11-20T01:10+00:00), takes 25m (assumed: it has never run), ends 02:00",
        "books@2026-11-20T01:10+00:00 starts 01:10, takes 25m",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn a_prediction_looks_at_what_runs_now() {
    let mut site = late_chain();
    site.until("01:00").start("load@01:00").until("01:10").start("books@01:10").until("02:10");
    let found = rehearsed(&site, "05:00", 25 * 60_000);
    let missed: Vec<_> = found.missed.iter().map(|m| (short(&m.run), m.at)).collect();
    assert_eq!(missed, [], "02:00 has passed: that is no prediction");
    let mut site = late_chain();
    site.until("01:00").start("load@01:00").until("01:50");
    let found = rehearsed(&site, "05:00", 25 * 60_000);
    let missed: Vec<_> = found.missed.iter().map(|m| short(&m.run)).collect();
    assert_eq!(missed, ["fine@01:20", "report@01:20"], "{}", found.missed_text(&TimeZone::UTC));
}

#[test]
fn what_waits_for_a_person_stays_and_is_told_with_what_waits_for_it() {
    let mut site = Site::new();
    site.apply(job("b", 0, json!({"confirm": {"role": "approver", "question": "open?"}})));
    site.apply(job("c", 1, json!({"after": ["b"]})));
    let found = rehearsed(&site, "05:00", 60_000);
    assert_eq!(times(part(&found, "c@01:01")), "-");
    let text = found.summary(&TimeZone::UTC);
    assert!(
        text.contains("2 do not end: b@2026-11-20T01:00+00:00, c@2026-11-20T01:01+00:00"),
        "{text}"
    );
    let rows = domain::rehearsal::table(&found, &TimeZone::UTC);
    assert_eq!(rows[0][5], "stays waiting: somebody with the role approver must confirm it: open?");
}

#[test]
fn what_a_host_decides_by_itself_is_rehearsed_too() {
    let mut site = Site::new();
    site.until("00:05")
        .apply(job("a", 0, json!({"host": "h1", "autonomy": {"lease": "4h"}})))
        .until("00:30");
    let found = rehearsed(&site, "05:00", 60_000);
    assert_eq!(times(part(&found, "a@01:00")), "01:00-01:01");
}

#[test]
fn only_some_are_told_though_all_are_there() {
    let site = late_chain();
    let known = known(&site);
    let plan = Plan { now: site.now, from: site.now, to: at("05:00"), unknown_ms: 25 * 60_000 };
    let mut found = rehearse(&known, plan);
    found.only(|definition| definition.name == "check", &known);
    let told: Vec<String> = found.runs.iter().map(|part| short(&part.run)).collect();
    assert_eq!(told, ["check@01:15"]);
    assert_eq!(times(&found.runs[0]), "01:35-02:00");
    assert_eq!((found.ends, found.missed.len()), (Some(at("02:00")), 0));
}

#[test]
fn a_rehearsal_can_be_read_back() {
    let found = rehearsed(&late_chain(), "05:00", 60_000);
    let text = serde_json::to_string(&found).unwrap();
    let back: Rehearsal = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}
