//! Why a run, an occurrence or a job is as it is.

use std::collections::BTreeSet;

use domain::envelope::Draft;
use domain::event::{Event, RunDelayed, RunHeld, RunNeedsUnmet, RunSkipped, SkipReason};
use domain::ids::StreamId;
use domain::job::OrderAct;
use domain::ledger::Mark;
use domain::why::{Heard, Investigation, Question, Scene, Why};
use serde_json::{Value, json};

use crate::given::{at, stream};
use crate::recorder::Recorder;
use crate::site::{Site, run_id};

fn scene(site: &Site) -> Scene {
    let heard = site
        .heard
        .iter()
        .map(|(host, free)| (host.clone(), Heard { at: site.now, free: *free, slots: 8 }));
    Scene { now: site.now, heard: Some(heard.collect()), asleep: false }
}

fn investigate(
    site: &Site,
    question: Question,
    scene: Scene,
) -> (Result<Why, String>, BTreeSet<String>) {
    let recorder = Recorder::new(&site.world);
    let mut investigation = Investigation::new(question, scene);
    recorder.answer_all(&mut investigation);
    (investigation.answer(), recorder.read())
}

fn ask(site: &Site, question: Question) -> Why {
    investigate(site, question, scene(site)).0.unwrap()
}

/// `pay@02:00` for a run or an occurrence, `pay` for a job.
fn why(site: &Site, what: &str) -> Why {
    ask(
        site,
        if what.contains('@') {
            Question::Run(run_id(what))
        } else {
            Question::Job(what.to_owned())
        },
    )
}

fn occurrence(site: &Site, job: &str, clock: &str) -> Why {
    ask(site, Question::Occurrence(job.to_owned(), at(clock)))
}

/// All that a person reads but the story.
fn read(why: &Why) -> Vec<String> {
    let lines = why.text();
    let lines = lines.lines().skip(1).filter(|line| !line.starts_with("event "));
    lines.map(|line| line.trim_start().to_owned()).collect()
}

/// What is wanted and not said, with what is said instead.
fn lacks(why: &Why, wanted: &[&str]) -> Option<String> {
    let read = read(why);
    let lacks: Vec<&&str> =
        wanted.iter().filter(|wanted| !read.iter().any(|line| line.contains(**wanted))).collect();
    (!lacks.is_empty()).then(|| format!("{lacks:#?}\nis not in\n{}", why.text()))
}

#[track_caller]
fn check(why: &Why, wanted: &[&str]) {
    assert_eq!(lacks(why, wanted), None);
}

fn calendar(name: &str, days: Value) -> Value {
    json!({"kind": "calendar", "name": name, "days": days})
}

fn job(name: &str, minute: u32, more: Value) -> Value {
    let mut all = json!({"name": name, "schedule": {"cron": format!("{minute} 1 * * *")}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// A story, what is asked about, and what the answer says.
type Case = (fn(&mut Site), &'static str, &'static [&'static str]);

const WAITING: &[Case] = &[
    (
        |site| {
            site.apply(json!({"kind": "lock", "name": "db"}));
            for (name, minute) in [("a", 0), ("b", 1), ("c", 2)] {
                site.apply(job(name, minute, json!({"locks": ["db"]})));
            }
            site.until("01:02").start("a@01:00").until("01:30");
        },
        "c@01:02",
        &[
            "It waits: lock db is not free: 1 has it: a@2026-11-20T01:00+00:00; 1 waits before it: b@2026-11-20T01:01+00:00.",
            "ends with the end of a run that has it",
            "a@2026-11-20T01:00+00:00 runs on h1 since 01:02; how long it usually takes is not known",
        ],
    ),
    (
        // It is known how long the one that has the lock usually takes.
        |site| {
            site.apply(json!({"kind": "lock", "name": "db", "units": 2}));
            site.apply(job("a", 10, json!({"locks": [{"lock": "db", "units": 2}]})));
            site.apply(job("b", 20, json!({"locks": ["db"]})));
            for run in ["a@request-1", "a@request-2"] {
                site.request(run).until(if run.ends_with('1') { "00:10" } else { "00:30" });
                site.start(run)
                    .until(if run.ends_with('1') { "00:30" } else { "00:50" })
                    .end(run, 0);
            }
            site.until("01:10").start("a@01:10").until("01:25");
        },
        "b@01:20",
        &[
            "lock db (2 units) is not free",
            "it comes next",
            "usually 20m (of 2 runs), so until about 01:30",
            "ends with the end of a run that has it, about 01:30",
        ],
    ),
    (
        |site| {
            site.apply(json!({"kind": "pool", "name": "default", "limit": 1}));
            site.apply(job("a", 0, json!({}))).apply(job("b", 1, json!({})));
            site.until("01:00").start("a@01:00").until("01:05");
        },
        "b@01:01",
        &[
            "It waits: pool default runs at most 1 at once: 1 has it: a@2026-11-20T01:00+00:00; it comes next.",
        ],
    ),
    (
        // A chain: what it waits for waits itself, for a person.
        |site| {
            site.apply(job(
                "a",
                0,
                json!({"confirm": {"role": "approver", "question": "is it open?"}}),
            ));
            site.apply(job("b", 1, json!({"after": ["a"]}))).apply(job(
                "c",
                2,
                json!({"after": ["b"]}),
            ));
            site.until("01:05");
        },
        "c@01:02",
        &[
            "It waits: it waits until b@2026-11-20T01:01+00:00 has succeeded.",
            "ends with its end as succeeded, or decklog override",
            "b@2026-11-20T01:01+00:00 is waiting",
            "it waits until a@2026-11-20T01:00+00:00 has succeeded",
            "somebody with the role approver must say go: is it open?",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 30, json!({})))
                .apply(job("b", 1, json!({"after": ["a"]})))
                .until("01:05");
        },
        "b@01:01",
        &["it waits until a@2026-11-20T01:30+00:00 has succeeded; that is not due yet (due 01:30)"],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).apply(job("b", 1, json!({"after": ["a"]})));
            site.until("01:02").start("a@01:00").end("a@01:00", 3).until("01:05");
        },
        "b@01:01",
        &[
            "It is blocked: a@2026-11-20T01:00+00:00 ended as failed: exit code 3.",
            "ends with a rerun of it that ends well (decklog rerun), or decklog override",
            "blocked by a@2026-11-20T01:00+00:00",
        ],
    ),
    (
        |site| {
            site.apply(json!({"name": "a"})).apply(job(
                "b",
                1,
                json!({"after": [{"job": "a", "run": "latest"}]}),
            ));
            site.until("01:05");
        },
        "b@01:01",
        &["it waits until a run of a (latest) has succeeded; there is none yet"],
    ),
    (
        |site| {
            site.apply(json!({
                "kind": "blackout", "name": "freeze", "description": "the year's end",
                "applies-to": {"site": true}, "times": [{"daily": {"from": "01:00", "until": "03:00"}}],
            }));
            site.apply(job("a", 0, json!({}))).until("01:00");
            // It asks before the scheduler has acted.
            site.now = at("01:00");
        },
        "a@01:00",
        &["blackout freeze", "about 03:00"],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"window": {"from": "02:00", "until": "04:00"}})))
                .until("01:05");
        },
        "a@01:00",
        &[
            "It waits: it may not start before 02:00: its window opens then.",
            "ends with the clock, about 02:00",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).drain("h1").until("01:05");
            let (not_before, reason) = (at("02:30"), "the bank is late".to_owned());
            site.person(&run_id("a@01:00"), RunDelayed { not_before, reason, blackout: None });
        },
        "a@01:00",
        &["it may not start before 02:30: the bank is late (ana)"],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("01:05");
            site.person(&run_id("a@01:00"), RunHeld { reason: "the disk is full".to_owned() });
        },
        "a@01:00",
        &[
            "It is held: it is held since 01:05 by ana: the disk is full.",
            "ends with decklog release",
        ],
    ),
    (
        |site| {
            site.apply(
                json!({"name": "a", "schedule": {"cron": "0,10 1 * * *"}, "overlap": "queue-one"}),
            );
            site.until("01:00").start("a@01:00").until("01:15");
        },
        "a@01:10",
        &[
            "It waits: a@2026-11-20T01:00+00:00 of the same job comes first.",
            "runs on h1 since 01:00",
        ],
    ),
    (
        |site| {
            site.host("h2", &["default"], &[("disk", "slow")]).host(
                "h3",
                &["default"],
                &[("disk", "fast")],
            );
            site.host("h4", &["default"], &[("disk", "fast")]).drain("h4").host(
                "h5",
                &["other"],
                &[("disk", "fast")],
            );
            site.heard.remove("h3");
            site.apply(job("a", 0, json!({"select": {"disk": "fast"}}))).until("01:05");
        },
        "a@01:00",
        &[
            "none of the 1 hosts of pool default with disk=fast was heard of lately",
            "h1 does not have disk=fast",
            "h2 does not have disk=fast",
            "h3 was not heard since the console started",
            "h4 is drained: x",
            "ends with a host that is up, not drained and heard",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"host": "h1"}))).drain("h1").until("01:05");
        },
        "a@01:00",
        &["It waits: host h1 is drained: x.", "h1 is drained: x"],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"needs": [{"file": "/in/a.csv"}]}))).until("01:00");
            let needs = RunNeedsUnmet {
                host: "h1".to_owned(),
                unmet: vec!["/in/a.csv is not there".to_owned()],
            };
            let mark = site.world.say_next("executor/h1", run_id("a@01:00"), needs, site.now);
            assert_eq!(mark, Mark::Valid);
            site.feed();
            site.until("01:05");
        },
        "a@01:00",
        &["It waits: host h1 waits since 01:00: /in/a.csv is not there.", "ends with the files"],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"retry": {"delays": ["10m"]}})));
            site.until("01:00").start("a@01:00").end("a@01:00", 4).until("01:05");
        },
        "a@01:00",
        &[
            "It waits for its next attempt: attempt 1 did not do it: exit code 4; attempt 2 follows at 01:10.",
            "ends with the clock, about 01:10",
        ],
    ),
    (
        // Nothing but a host that takes it is lacking.
        |site| {
            site.apply(job("a", 0, json!({})));
            site.heard.insert("h1".to_owned(), 0);
            site.until("01:05");
        },
        "a@01:00",
        &[
            "Nothing stands in its way: it has been offered to the hosts of pool default for 5m, and none has taken it.",
            "h1 is full: all 8 slots are taken",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"pool": "empty"}))).until("01:05");
        },
        "a@01:00",
        &["no host takes work of pool empty"],
    ),
    (
        // Its host has gone silent, and nobody knows what became of it.
        |site| {
            site.apply(job("a", 0, json!({}))).until("01:00").start("a@01:00");
            site.heard.remove("h1");
            site.until("01:05");
        },
        "a@01:00",
        &[
            "Nobody knows how it ended: attempt on h1 was lost: no heartbeat since",
            "next    the report of host h1, when it is back, ends it",
            "next    or a person who has looked: decklog resolve",
        ],
    ),
    (
        |site| {
            site.apply(json!({"name": "a"})).request("a@request-1");
        },
        "a@request-1",
        &["It was asked for 0.0s ago, and no scheduler has decided about it yet."],
    ),
];

const RUNNING: &[Case] = &[
    (
        |site| {
            site.apply(job("a", 10, json!({"timeout": "2h", "sla": {"finish-by": "30m"}})));
            site.request("a@request-1")
                .until("00:10")
                .start("a@request-1")
                .until("00:30")
                .end("a@request-1", 0);
            site.until("01:10").start("a@01:10").until("01:20");
        },
        "a@01:10",
        &[
            "It runs on h1 since 01:10, for 10m; usually 20m (of 1 runs), so until about 01:30.",
            "it usually ends about 01:30",
            "at 03:10 its host stops it: its limit is 2h",
            "it is to have ended by 01:40",
            "host h1 was heard in 0.0s with 8 of 8 slots free",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 10, json!({})));
            site.request("a@request-1")
                .until("00:10")
                .start("a@request-1")
                .until("00:30")
                .end("a@request-1", 0);
            site.until("01:10").start("a@01:10").until("01:45").cancel("a@01:10");
        },
        "a@01:10",
        &["usually 20m (of 1 runs), which was over 15m ago", "it was asked to stop by ana: x"],
    ),
];

const LIKELY: &[Case] = &[(
    |site| {
        site.apply(job("a", 10, json!({"sla": {"finish-by": "30m"}})));
        site.request("a@request-1").until("00:10").start("a@request-1");
        site.until("00:30").end("a@request-1", 0);
        site.until("01:25").start("a@01:10").until("01:30");
    },
    "a@01:10",
    &["note    it is to have ended by 01:40, and is likely to end at 01:45, 5m after that"],
)];

#[test]
fn a_run_that_will_not_end_in_time_is_said_to_before_it_is_late() {
    try_all(LIKELY, why);
}

const ENDED: &[Case] = &[
    (
        |site| {
            site.apply(job("a", 0, json!({"retry": {"delays": ["1m"]}})));
            site.until("01:00")
                .start("a@01:00")
                .end("a@01:00", 4)
                .until("01:02")
                .start("a@01:00")
                .end("a@01:00", 5);
        },
        "a@01:00",
        &["It failed at the last of 2 attempts: exit code 5."],
    ),
    (
        |site| {
            site.apply(json!({"name": "a", "schedule": {"cron": "0,10 1 * * *"}}));
            site.until("01:00").start("a@01:00").until("01:30").end("a@01:00", 0).until("01:40");
        },
        "a@01:10",
        &[
            "It was skipped: an earlier run of the job had not ended: a@2026-11-20T01:00+00:00, it ran from 01:00 until 01:30 (30m).",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({})))
                .until("00:30")
                .pause("a")
                .until("01:10")
                .resume("a")
                .until("01:20");
        },
        "a@01:00",
        &["It was skipped: the job was paused from 00:30 until 01:10 by ana: x."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({})))
                .until("00:30")
                .order("a@01:00", OrderAct::Skip)
                .until("01:20");
        },
        "a@01:00",
        &["It was skipped because ana said so: because."],
    ),
    (
        // A host that was away has run what somebody else had decided about by then.
        |site| {
            site.apply(job("a", 0, json!({}))).until("00:30").order("a@01:00", OrderAct::Skip);
            site.until("01:20");
            let (run, ended) = (run_id("a@01:00"), crate::given::golden("run.succeeded"));
            let (draft, now) = (Draft::new(run, 1, ended), site.now);
            let mark = site.world.say("executor/h1", draft, now);
            assert_eq!(mark, Mark::Conflict { at: 1 });
        },
        "a@01:00",
        &[
            "It was skipped because ana said so: because. But host fin-02 says that it ran it from 07:30 until 07:41",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("01:05");
            let skipped = {
                let run = site.run("a@01:00");
                let because = "not today".to_owned();
                RunSkipped {
                    job: "a".to_owned(),
                    definition: run.definition.clone(),
                    nominal: run.nominal.clone(),
                    reason: SkipReason::Person { because },
                }
            };
            site.person(&run_id("a@01:00"), skipped);
        },
        "a@01:00",
        &["It was skipped because ana said so: not today."],
    ),
    (
        |site| {
            site.apply(calendar("holidays", json!({"dates": {"2026-11-20": "Founders' Day"}})));
            site.apply(job("a", 0, json!({"calendar": {"not-on": ["holidays"]}}))).until("01:05");
        },
        "a@01:00",
        &["It was skipped: 2026-11-20 is in holidays (Founders' Day)."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"latest-by": "30m", "after": ["b"]})))
                .apply(json!({"name": "b"}));
            site.until("01:40");
        },
        "a@01:00",
        &[
            "It was skipped at its latest time, 01:30; it still waited: it waits for a run of b (same-business-day).",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({"catch-up": "none"})))
                .nobody_until("02:00")
                .until("02:01");
        },
        "a@01:00",
        &[
            "It was missed: nobody could start it in time, and the job does not catch up; no scheduler decided about it for 1h, until 02:00.",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({})))
                .until("01:00")
                .start("a@01:00")
                .cancel("a@01:00")
                .stopped("a@01:00");
        },
        "a@01:00",
        &["It was cancelled by ana: x."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("01:00").start("a@01:00").time_out("a@01:00");
        },
        "a@01:00",
        &["It took too long: stopped after 1000 ms."],
    ),
    (
        // Late, and where the time went.
        |site| {
            site.apply(job("b", 0, json!({}))).apply(job("a", 1, json!({"after": ["b"]})));
            site.until("01:00").start("b@01:00").until("01:31").end("b@01:00", 0);
            site.until("01:41").start("a@01:01").until("01:51").end("a@01:01", 0);
        },
        "a@01:01",
        &[
            "It succeeded after 10m",
            "; it began 40m after its time.",
            "time    30m: waited for b",
            "time    10m: waited for its turn: a host, a lock or its pool",
            "time    10m: attempt 1 ran on h1",
        ],
    ),
];

/// Tells each story, and asks.
#[track_caller]
fn try_all(table: &[Case], ask: impl Fn(&Site, &str) -> Why) {
    let one = |(story, what, wanted): &Case| {
        let mut site = Site::new();
        story(&mut site);
        lacks(&ask(&site, what), wanted)
    };
    let wrong: Vec<String> = table.iter().filter_map(one).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_run_that_waits_names_everything_in_its_way_who_has_it_and_what_ends_it() {
    try_all(WAITING, why);
}

#[test]
fn a_run_that_runs_is_measured_by_what_its_job_usually_takes() {
    try_all(RUNNING, why);
}

#[test]
fn a_run_that_has_ended_names_who_and_what_brought_it_about() {
    try_all(ENDED, why);
}

#[test]
fn what_a_host_says_that_it_did_not_begin_has_not_run_all_the_same() {
    let mut site = Site::new();
    site.apply(job("a", 0, json!({}))).until("00:30").order("a@01:00", OrderAct::Skip);
    site.until("01:20");
    let (run, failed) = (run_id("a@01:00"), {
        let text = include_str!("../golden/run.failed.1.minimal.json");
        Event::read("run.failed", 1, &serde_json::from_str(text).unwrap()).unwrap()
    });
    let now = site.now;
    site.world.say("executor/h1", Draft::new(run, 1, failed), now);
    let why = why(&site, "a@01:00");
    assert_eq!(why.answer, "It was skipped because ana said so: because.");
    assert!(why.story.iter().any(|step| step.refused.is_some()), "it is told, as void");
}

#[test]
fn the_story_names_who_did_what_when_and_why() {
    let mut site = Site::new();
    site.apply(job("a", 0, json!({}))).until("01:05").hold("a@01:00").release("a@01:00");
    site.until("01:06").start("a@01:00").until("01:07").end("a@01:00", 0);
    let story = why(&site, "a@01:00").story;
    let told: Vec<(&str, &str)> =
        story.iter().map(|step| (step.by.as_str(), step.says.as_str())).collect();
    let wanted = [
        ("scheduler s1", "due by definition 1"),
        ("ana", "held: x"),
        ("ana", "released: x"),
        ("host h1", "attempt 1 started on h1 as payroll"),
        ("host h1", "attempt 1 succeeded after 1m"),
    ];
    assert_eq!(told, wanted);
}

const OCCURRENCES: &[Case] = &[
    (
        |site| {
            site.apply(job("a", 0, json!({})));
        },
        "a@02:00",
        &[
            "There is no occurrence at 02:00: its schedule is",
            "the nearest that run are 01:00 and 2026-11-21 01:00",
        ],
    ),
    (
        |site| {
            site.apply(json!({"kind": "lock", "name": "db"}));
            site.apply(job("a", 0, json!({"after": ["b"], "locks": ["db"], "window": {"from": "00:30", "until": "04:00"}})));
        },
        "a@01:00",
        &[
            "It is to run at 01:00, in 1h.",
            "next    after: b: its last run of the same business day, succeeded or warning",
            "next    lock: db",
            "next    window: 00:30 to 04:00",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("00:30").pause("a");
        },
        "a@01:00",
        &["It will be skipped: the job is paused since 00:30 by ana: x."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).order("a@01:00", OrderAct::Move(at("05:00")));
        },
        "a@01:00",
        &["It is to run at 05:00: ana moved it from 01:00: because."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).order("a@01:00", OrderAct::Move(at("05:00")));
        },
        "a@05:00",
        &["The occurrence of 01:00 runs at 05:00 instead: ana moved it: because."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).order("a@01:00", OrderAct::Hold);
        },
        "a@01:00",
        &["When its time comes it waits: ana said so: because."],
    ),
    (
        |site| {
            site.apply(calendar("holidays", json!({"dates": {"2026-11-20": "Founders' Day"}})));
            site.apply(job("a", 0, json!({"calendar": {"not-on": ["holidays"]}})));
        },
        "a@01:00",
        &[
            "It will not run: 2026-11-20 is in holidays (Founders' Day).",
            "the first that runs is 2026-11-21 01:00",
        ],
    ),
    (
        |site| {
            site.apply(calendar("holidays", json!({"dates": {"2026-11-20": "Founders' Day"}})));
            site.apply(job(
                "a",
                0,
                json!({"calendar": {"not-on": ["holidays"], "otherwise": "next"}}),
            ));
        },
        "a@01:00",
        &[
            "There is no occurrence at 01:00: 2026-11-20 is in holidays (Founders' Day); it runs at 2026-11-23 01:00 instead.",
        ],
    ),
    (
        |site| {
            site.until("02:00").apply(job("a", 0, json!({})));
        },
        "a@01:00",
        &[
            "There is no occurrence at 01:00: definition 1 holds only from 02:00, when bob approved it.",
            "the schedule of definition 1 names that time",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("00:30");
            let retired = domain::event::JobRetired { reason: "replaced by b".to_owned() };
            site.person(&StreamId::job("a"), retired);
        },
        "a@01:00",
        &["There is no occurrence at 01:00: the job was retired at 00:30 by ana: replaced by b."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).nobody_until("03:00");
        },
        "a@01:00",
        &[
            "Its time came 2h ago, and no scheduler has decided about it yet.",
            "the log accounts for none of its occurrences yet",
            "ends with a scheduler, by the job's catch-up rule",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("00:30").apply(job("a", 30, json!({})));
        },
        "a@01:00",
        &[
            "There is no occurrence at 01:00",
            "definition 1, which held from 00:00 until 00:30, has one then",
        ],
    ),
    (
        |site| {
            site.apply(json!({
                "kind": "blackout", "name": "freeze", "applies-to": {"jobs": ["a"]}, "at-end": "skip",
                "times": [{"daily": {"from": "00:30", "until": "03:00"}}],
            }));
            site.apply(job("a", 0, json!({})));
        },
        "a@01:00",
        &["It will be skipped: blackout freeze until"],
    ),
    (
        |site| {
            site.apply(json!({"name": "a", "schedule": {"cron": "0,30 1 * * *"}}))
                .until("01:00")
                .start("a@01:00")
                .until("01:20");
        },
        "a@01:30",
        &[
            "a@2026-11-20T01:00+00:00 runs on h1 since 01:00; how long it usually takes is not known; if it has not ended then, it is skipped",
        ],
    ),
    (
        |site| {
            site.apply(json!({"name": "a"}));
        },
        "a@01:00",
        &["There is no occurrence at 01:00: the job runs only on request."],
    ),
];

#[test]
fn an_occurrence_is_explained_whether_it_lies_ahead_has_passed_or_is_none() {
    try_all(OCCURRENCES, |site, what| {
        let (job, clock) = what.split_once('@').unwrap();
        occurrence(site, job, clock)
    });
    // The name after which its run would be called asks the same.
    try_all(OCCURRENCES, why);
}

/// A job whose host decides its occurrences by itself until 04:00.
fn left_to_its_host(site: &mut Site) {
    site.until("00:05")
        .apply(job("a", 0, json!({"host": "h1", "autonomy": {"lease": "4h"}})))
        .until("00:30");
}

const LEFT: &[Case] = &[
    (
        |site| {
            *site = crate::alone::left_and_defined_anew();
            site.until("02:30");
        },
        "pay@request-x",
        &["host h1 decides the job's runs until 04:", "ends with the clock, or the host"],
    ),
    (
        |site| {
            *site = crate::alone::left_and_defined_anew();
            site.until("06:30");
        },
        "pay@request-x",
        &["host h1 had leave to run the job until 04:", "decklog job reclaim pay"],
    ),
    (left_to_its_host, "a", &["note    host h1 has leave to decide its occurrences until 04:0"]),
    (left_to_its_host, "a@01:00", &["note    host h1 has leave to decide it by itself"]),
    (
        |site| {
            left_to_its_host(site);
            site.heard.remove("h1");
            site.until("02:00");
        },
        "a@01:00",
        &[
            "Its time came 1h ago, and no scheduler has decided about it yet.",
            "host h1 has leave to decide it by itself until 04:0",
            "and has not reported",
            "ends with its report, when it is back",
        ],
    ),
];

#[test]
fn what_is_left_to_a_host_says_to_which_and_until_when() {
    try_all(LEFT, why);
}

#[test]
fn the_text_names_the_events_by_their_positions_and_the_streams_it_comes_from() {
    let mut site = Site::new();
    site.apply(json!({"kind": "lock", "name": "db"}));
    site.apply(job("a", 0, json!({"locks": ["db"]}))).until("01:05");
    let found = why(&site, "a@01:00");
    let due = found.story.iter().find(|step| step.says.starts_with("due")).unwrap();
    let text = found.text();
    let event = format!("event   01:00  #{} scheduler s1: due by definition 1", due.position);
    assert!(text.contains(&event), "{text}");
    let from = format!(
        "from    host/h1, job/a, lock/db, {}; the log at position {}",
        run_id("a@01:00"),
        found.position
    );
    assert!(text.contains(&from), "{text}");
}

#[test]
fn an_occurrence_that_has_a_run_is_answered_by_it() {
    let mut site = Site::new();
    site.apply(job("a", 0, json!({}))).order("a@01:00", OrderAct::Move(at("00:20")));
    site.until("00:20").start("a@01:00");
    let found = occurrence(&site, "a", "01:00");
    assert_eq!((found.run, found.state.as_str()), (Some(run_id("a@01:00")), "running"));
}

const JOBS: &[Case] = &[
    (
        |site| {
            site.apply(job("a", 0, json!({})));
        },
        "a",
        &["Nothing of it is open; its next occurrence is 01:00, in 1h."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).until("00:30").pause("a");
        },
        "a",
        &[
            "The job is paused since 00:30 by ana: x.",
            "its next occurrence is 01:00, in 30m, and will be skipped: the job is paused: x",
        ],
    ),
    (
        |site| {
            site.apply(json!({"kind": "lock", "name": "db"}));
            site.apply(job("a", 0, json!({"locks": ["db"]}))).apply(job(
                "b",
                1,
                json!({"locks": ["db"]}),
            ));
            site.until("01:00").start("a@01:00").until("01:05");
        },
        "b",
        &[
            "1 of its runs is open.",
            "b@2026-11-20T01:01+00:00 is due",
            "lock db is not free",
            "a@2026-11-20T01:00+00:00 runs on h1",
        ],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({})))
                .until("01:00")
                .start("a@01:00")
                .end("a@01:00", 7)
                .until("02:00");
        },
        "a",
        &["its newest run that has ended is a@2026-11-20T01:00+00:00: failed: exit code 7"],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({})));
            let retired = domain::event::JobRetired { reason: "replaced by b".to_owned() };
            site.until("00:30").person(&StreamId::job("a"), retired);
        },
        "a",
        &["The job was retired at 00:30 by ana: replaced by b."],
    ),
    (
        |site| {
            site.apply(job("a", 0, json!({}))).nobody_until("03:00");
        },
        "a",
        &["Its last occurrence is not in the log.", "its occurrence of 01:00 is not in the log"],
    ),
    (
        |site| {
            site.apply(json!({"name": "a"}));
        },
        "a",
        &["Nothing of it is open; it runs only on request."],
    ),
];

#[test]
fn a_job_is_explained_by_what_is_open_what_came_last_and_what_comes_next() {
    try_all(JOBS, why);
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let mut site = Site::new();
    site.apply(json!({"name": "a"}));
    for (question, wanted) in [
        (Question::Run(stream("run/a@request-9")), "there is no run/a@request-9"),
        (Question::Run(stream("run/nobody@request-9")), "there is no job nobody"),
        (Question::Job("nobody".to_owned()), "there is no job nobody"),
        (Question::Occurrence("nobody".to_owned(), at("01:00")), "there is no job nobody"),
    ] {
        let found = investigate(&site, question, scene(&site)).0;
        assert_eq!(found.unwrap_err(), wanted);
    }
}

#[test]
fn times_are_those_of_the_jobs_zone_and_a_sleeping_installation_is_named() {
    let mut site = Site::new();
    site.apply(job("a", 0, json!({"zone": "America/New_York"})));
    let scene = Scene { now: site.now, heard: None, asleep: true };
    let found = investigate(&site, Question::Job("a".to_owned()), scene).0.unwrap();
    assert_eq!(found.zone, "America/New_York");
    check(
        &found,
        &[
            "its next occurrence is 2026-11-20 01:00 (2026-11-20T06:00:00Z), in 6h",
            "nothing runs on this data directory",
        ],
    );
}

/// A site with much beside what is asked about.
fn busy() -> Site {
    let mut site = Site::new();
    site.apply(calendar("holidays", json!({"dates": {"2026-12-25": ""}})));
    site.apply(calendar("unused", json!({"dates": {"2026-12-26": ""}})));
    for lock in ["db", "other"] {
        site.apply(json!({"kind": "lock", "name": lock}));
    }
    for index in 0..30 {
        let lock = if index == 0 { "db" } else { "other" };
        site.apply(job(&format!("x{index}"), 0, json!({"locks": [lock], "pool": "big"})));
    }
    site.host("h9", &["big"], &[]);
    site.apply(job("load", 0, json!({"calendar": {"not-on": ["holidays"]}})));
    site.apply(job("pay", 1, json!({"locks": ["db"]})));
    site.apply(job("report", 2, json!({"after": ["load"]})));
    site.until("01:00").start_on("x0@01:00", "h9").until("01:05");
    site
}

#[test]
fn no_more_streams_are_read_than_the_answer_names() {
    let site = busy();
    let of = |run: &str| run_id(run).to_string();
    let table: [(&str, Vec<String>); 3] = [
        (
            "pay@01:01",
            vec![
                of("pay@01:01"),
                "job/pay".into(),
                "lock/db".into(),
                of("x0@01:00"),
                "host/h1".into(),
            ],
        ),
        (
            "report@01:02",
            vec![
                of("report@01:02"),
                "job/report".into(),
                "job/load".into(),
                "calendar/holidays".into(),
                of("load@01:00"),
                "host/h1".into(),
            ],
        ),
        (
            "load",
            vec!["job/load".into(), "calendar/holidays".into(), of("load@01:00"), "host/h1".into()],
        ),
    ];
    for (what, wanted) in table {
        let question = if what.contains('@') {
            Question::Run(run_id(what))
        } else {
            Question::Job(what.to_owned())
        };
        let (found, read) = investigate(&site, question, scene(&site));
        let found = found.unwrap();
        let wanted: BTreeSet<String> = wanted.into_iter().collect();
        assert_eq!(read, wanted, "{what}\n{}", found.text());
        let said: BTreeSet<String> = found.streams.iter().map(ToString::to_string).collect();
        assert_eq!(said, wanted, "{what}");
    }
}

#[test]
fn the_answer_is_short_and_can_be_read_back() {
    let site = busy();
    for what in ["pay@01:01", "report@01:02", "pay"] {
        let found = why(&site, what);
        assert!(found.text().lines().count() <= 24, "{}", found.text());
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Why>(&text).unwrap(), found);
    }
}
