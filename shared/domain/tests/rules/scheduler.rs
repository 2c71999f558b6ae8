//! What the scheduler decides, as an operator would tell it.

use std::collections::BTreeMap;

use domain::canonical::Digest;
use domain::envelope::Envelope;
use domain::event::{
    CommandEnd, Event, HostInvited, HostRevoked, JobPaused, JobResumed, LogProducerEnrolled,
    MissReason, RunEvent, RunFailed, RunRequested, RunStarted, RunSucceeded, SkipReason,
};
use domain::ids::{ProducerId, StreamId};
use domain::keys::SecretKey;
use domain::ledger::{Body, Mark, Streams as _};
use domain::run::{Run, State};
use domain::scheduler::{Action, Scheduler, Settings};
use domain::wire::Work;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{World, at, definition, golden, golden_run, later, occurrence};

const NAMES: [&str; 2] = ["scheduler/s1", "scheduler/s2"];

/// A log and the schedulers that follow it.
struct Night {
    world: World,
    minds: Vec<Scheduler>,
    fed: usize,
    work: Vec<Work>,
    /// The envelope of the job's approval.
    template: Envelope,
}

impl Night {
    /// Job `pay`, active since midnight.
    fn new(fields: Value) -> Self {
        Self::since(fields, at("00:00"), |_| {})
    }

    fn since(fields: Value, from: Timestamp, change: fn(&mut Settings)) -> Self {
        let mut world = World::new(from);
        world.activate(&definition(fields), from);
        let mind = |name: &str| {
            let mut settings = Settings::new(name, "2026b");
            change(&mut settings);
            Scheduler::new(settings)
        };
        let minds = NAMES.map(mind).into();
        let template = world.feed.last().unwrap().0.clone();
        let mut night = Self { world, minds, fed: 0, work: vec![], template };
        night.feed();
        night
    }

    fn feed(&mut self) {
        for (envelope, event, received) in &self.world.feed[self.fed..] {
            for mind in &mut self.minds {
                mind.apply(envelope, event, *received);
            }
        }
        self.fed = self.world.feed.len();
    }

    /// The log answers a question about a job's past.
    fn recall(&mut self, mind: usize, job: &str, now: Timestamp) {
        let runs = self.world.streams.0.values().filter_map(|state| state.body.run());
        let ended = runs.filter(|run| run.job == job && run.state.is_ended()).cloned();
        let ended = ended.collect();
        self.minds[mind].recalled(job, ended, now);
    }

    /// One tick of one scheduler, whose appends reach the log; the feed is not back yet.
    fn tick_one(&mut self, mind: usize, now: Timestamp) -> usize {
        let actions = self.minds[mind].tick(now);
        let count = actions.len();
        for action in actions {
            match action {
                Action::Append(draft) => {
                    let stream = draft.stream.clone();
                    let mark = self.world.say(NAMES[mind], draft, now);
                    assert!(
                        matches!(mark, Mark::Valid | Mark::Conflict { .. }),
                        "{stream}: {mark:?}"
                    );
                    self.minds[mind].answered(&stream, Some(&mark), now);
                }
                Action::Dispatch(work) => self.work.push(*work),
                Action::Recall(job) => self.recall(mind, &job, now),
                Action::Send(_) => {}
            }
        }
        count
    }

    /// The first scheduler works until it has nothing to do at this instant.
    fn tick(&mut self, clock: &str) -> &mut Self {
        self.tick_at(at(clock))
    }

    fn tick_at(&mut self, now: Timestamp) -> &mut Self {
        self.feed();
        while self.tick_one(0, now) > 0 {
            self.feed();
        }
        self
    }

    fn person(&mut self, event: impl Into<Event>, clock: &str) -> &mut Self {
        assert_eq!(
            self.world.say_by("user/ana", StreamId::job("pay"), event, at(clock)),
            Mark::Valid
        );
        self.feed();
        self
    }

    fn pause(&mut self, clock: &str) -> &mut Self {
        self.person(JobPaused { reason: "x".to_owned() }, clock)
    }

    fn resume(&mut self, clock: &str) -> &mut Self {
        self.person(JobResumed { reason: "x".to_owned() }, clock)
    }

    fn run_id(instant: &str) -> StreamId {
        if instant.starts_with("request") {
            return StreamId::run("pay", instant);
        }
        occurrence(at(instant)).0
    }

    fn run(&self, instant: &str) -> &Run {
        self.world.streams.get(&Self::run_id(instant)).and_then(|s| s.body.run()).unwrap()
    }

    /// Host h1 says something about the run of an instant.
    fn host(&mut self, instant: &str, event: impl Into<Event>, clock: &str) -> &mut Self {
        let mark = self.world.say_next("executor/h1", Self::run_id(instant), event, at(clock));
        assert_eq!(mark, Mark::Valid);
        self.feed();
        self
    }

    fn start(&mut self, instant: &str, attempt: u32, clock: &str) -> &mut Self {
        let RunEvent::RunStarted(started) = golden_run("run.started") else { panic!() };
        let (definition, host) = (self.run(instant).definition.digest, "h1".to_owned());
        self.host(
            instant,
            RunStarted { attempt, definition, host, lease_ms: 60_000, ..started },
            clock,
        )
    }

    fn succeed(&mut self, instant: &str, clock: &str) -> &mut Self {
        let RunEvent::RunSucceeded(succeeded) = golden_run("run.succeeded") else { panic!() };
        self.host(instant, RunSucceeded { warning: false, ..succeeded }, clock)
    }

    fn fail(&mut self, instant: &str, attempt: u32, clock: &str) -> &mut Self {
        let RunEvent::RunFailed(mut failed) = golden_run("run.failed") else { panic!() };
        failed.attempt = attempt;
        failed.report.attempt = attempt;
        failed.report.end = CommandEnd::Exited { code: 2 };
        self.host(instant, RunFailed { ..failed }, clock)
    }

    fn request(&mut self, name: &str, clock: &str) -> &mut Self {
        let job = self.world.streams.get(&StreamId::job("pay")).and_then(|s| s.body.job()).unwrap();
        let definition = job.active().unwrap().reference();
        let (job, reason, parameters) = ("pay".to_owned(), "x".to_owned(), BTreeMap::new());
        let requested =
            RunRequested { job, definition, reason, parameters, again: None, of_flow: false };
        let mark = self.world.say_by("user/ana", StreamId::run("pay", name), requested, at(clock));
        assert_eq!(mark, Mark::Valid);
        self
    }

    /// What schedulers said, one line an event.
    fn said(&self) -> Vec<String> {
        self.world
            .feed
            .iter()
            .filter_map(|(envelope, event, _)| line(&envelope.subject, event))
            .collect()
    }

    fn offers(&self) -> Vec<String> {
        self.work
            .iter()
            .map(|w| format!("{}#{} offer {}", short(&w.run), w.attempt, w.offer))
            .collect()
    }
}

/// `02:30` for the run of that time, `request-1` for a request.
fn short(run: &StreamId) -> String {
    let label = run.rest().split_once('@').unwrap().1;
    label.split_once('T').map_or(label, |(_, time)| &time[..5]).to_owned()
}

fn line(run: &StreamId, event: &Event) -> Option<String> {
    let Event::RunEvent(event) = event else { return None };
    let what = match event {
        RunEvent::RunDue(e) => {
            let caught_up = if e.catch_up { " caught up" } else { "" };
            let held = if e.hold.is_some() { " held" } else { "" };
            let behind: String =
                e.behind.iter().map(|run| format!(" behind {}", short(run))).collect();
            format!("runs{caught_up}{held}{behind}")
        }
        RunEvent::RunSkipped(e) => match &e.reason {
            SkipReason::Paused => "skipped, paused".to_owned(),
            SkipReason::Overlap { with } => format!("skipped, {} goes on", short(with)),
            SkipReason::QueueFull { limit } => format!("skipped, {limit} wait"),
            SkipReason::Retired => "skipped, retired".to_owned(),
            SkipReason::Calendar { .. }
            | SkipReason::Gap
            | SkipReason::Ordered { .. }
            | SkipReason::Person { .. }
            | SkipReason::Window { .. }
            | SkipReason::Blackout { .. }
            | SkipReason::LatestBy { .. }
            | SkipReason::Parameters { .. } => {
                format!("skipped, {}", domain::run::skipped(&e.reason))
            }
        },
        RunEvent::RunMissed(e) => match &e.reason {
            MissReason::NoCatchUp => "missed".to_owned(),
            MissReason::Superseded { by } => format!("missed, {} stands for it", short(by)),
            MissReason::LogLost => "missed, the log was lost".to_owned(),
            MissReason::LeaseOver => "missed, the lease was over".to_owned(),
            MissReason::CatchUpLimit { limit } => format!("missed, {limit} are caught up"),
        },
        RunEvent::RunCancelRequested(_) => "is to be stopped".to_owned(),
        RunEvent::RunCancelled(_) => "stopped".to_owned(),
        RunEvent::RunLost(_) => "lost".to_owned(),
        RunEvent::RunRetryScheduled(e) => format!("is tried again at {}", e.not_before),
        RunEvent::RunHeld(e) => format!("held, {}", e.reason),
        RunEvent::RunDelayed(e) => format!("is not before {}, {}", e.not_before, e.reason),
        RunEvent::RunCleared(_) => "cleared".to_owned(),
        RunEvent::RunBlocked(e) => format!("blocked by {}, {}", e.on, e.outcome.word()),
        RunEvent::RunLate(e) => format!("is late, {:?}", e.limit),
        RunEvent::RunDivided(e) => format!("divided, {}", e.hosts.join("+")),
        RunEvent::RunGathered(e) => format!("gathered, {}", e.outcome.word()),
        RunEvent::RunRequested(_)
        | RunEvent::RunReleased(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => return None,
    };
    Some(format!("{} {what}", short(run)))
}

const TEN_MINUTES: &str = "*/10 * * * *";

fn ten_minutes(catch_up: &Value) -> Night {
    Night::new(json!({"schedule": {"cron": TEN_MINUTES}, "catch-up": catch_up}))
}

#[test]
fn what_nobody_could_start_in_time_is_caught_up_by_the_rule_of_its_job() {
    let all = |limit: u32| json!({"all": {"limit": limit}});
    let table: &[(&str, Value, &[&str])] = &[
        ("00:09", json!("last"), &[]),
        ("00:10", json!("none"), &["00:10 runs"]),
        ("00:11", json!("none"), &["00:10 runs"]),
        ("00:12", json!("none"), &["00:10 missed"]),
        ("00:12", json!("last"), &["00:10 runs caught up"]),
        ("00:12", json!("hold"), &["00:10 runs caught up held"]),
        ("00:12", all(1), &["00:10 runs caught up"]),
        ("00:35", json!("none"), &["00:10 missed", "00:20 missed", "00:30 missed"]),
        (
            "00:35",
            json!("last"),
            &[
                "00:10 missed, 00:30 stands for it",
                "00:20 missed, 00:30 stands for it",
                "00:30 runs caught up",
            ],
        ),
        (
            "00:35",
            json!("hold"),
            &[
                "00:10 missed, 00:30 stands for it",
                "00:20 missed, 00:30 stands for it",
                "00:30 runs caught up held",
            ],
        ),
        (
            "00:35",
            all(2),
            &[
                "00:10 missed, 2 are caught up",
                "00:20 runs caught up",
                "00:30 runs caught up behind 00:20",
            ],
        ),
        (
            "00:35",
            all(9),
            &[
                "00:10 runs caught up",
                "00:20 runs caught up behind 00:10",
                "00:30 runs caught up behind 00:20",
            ],
        ),
        // The newest is still in time.
        ("00:20:30", json!("none"), &["00:10 missed", "00:20 runs"]),
        ("00:20:30", json!("last"), &["00:10 missed, 00:20 stands for it", "00:20 runs"]),
        ("00:20:30", json!("hold"), &["00:10 missed, 00:20 stands for it", "00:20 runs"]),
        ("00:20:30", all(2), &["00:10 runs caught up", "00:20 skipped, 00:10 goes on"]),
    ];
    for (clock, catch_up, wanted) in table {
        assert_eq!(ten_minutes(catch_up).tick(clock).said(), *wanted, "{catch_up} at {clock}");
    }
}

#[test]
fn occurrences_within_a_pause_are_skipped_and_stand_for_no_other() {
    let mut night = ten_minutes(&json!("last"));
    night.pause("00:15").resume("00:25").tick("00:35");
    let wanted =
        ["00:10 missed, 00:30 stands for it", "00:20 skipped, paused", "00:30 runs caught up"];
    assert_eq!(night.said(), wanted);

    let mut night = ten_minutes(&json!("last"));
    night.pause("00:25").tick("00:35");
    let wanted =
        ["00:10 missed, 00:20 stands for it", "00:20 runs caught up", "00:30 skipped, paused"];
    assert_eq!(night.said(), wanted);

    // A pause begins after its instant and ends with it.
    let mut night = ten_minutes(&json!("last"));
    night.tick("00:01").pause("00:10").tick("00:10").resume("00:20").tick("00:20").tick("00:30");
    assert_eq!(
        night.said(),
        ["00:10 runs", "00:20 skipped, paused", "00:30 skipped, 00:10 goes on"]
    );
}

#[test]
fn each_definition_implies_its_own_occurrences_and_catches_up_its_own_backlog() {
    let mut night = ten_minutes(&json!("last"));
    let five = definition(json!({"schedule": {"cron": "*/5 * * * *"}, "catch-up": "none"}));
    night.world.activate(&five, at("00:25"));
    night.tick("00:37");
    let wanted = [
        "00:10 missed, 00:20 stands for it",
        "00:20 runs caught up",
        "00:30 missed",
        "00:35 missed",
    ];
    assert_eq!(night.said(), wanted);
    let names: Vec<u32> =
        night.world.feed.iter().filter_map(|(_, event, _)| number(event)).collect();
    assert_eq!(names, [1, 1, 2, 2]);
}

#[test]
fn what_is_not_late_yet_is_not_caught_up_and_the_first_of_it_stands_for_what_would_be_caught_up_once()
 {
    let once = [
        "00:06 missed, 00:08 stands for it",
        "00:07 missed, 00:08 stands for it",
        "00:08 runs",
        "00:09 skipped, 00:08 goes on",
        "00:10 skipped, 00:08 goes on",
    ];
    let none = ["00:06 missed", "00:07 missed", once[2], once[3], once[4]];
    let two = [
        "00:06 runs caught up",
        "00:07 runs caught up behind 00:06",
        "00:08 skipped, 00:07 goes on",
        "00:09 skipped, 00:07 goes on",
        "00:10 skipped, 00:07 goes on",
    ];
    let table = [
        (json!("none"), none),
        (json!("last"), once),
        (json!("hold"), once),
        (json!({"all": {"limit": 2}}), two),
    ];
    for (catch_up, wanted) in table {
        let fields = json!({
            "schedule": {"every": "1m"}, "catch-up": catch_up, "late-after": "3m",
        });
        let mut night = Night::since(fields, at("00:00"), |_| {});
        night.tick_at(later(at("00:10"), 30_000));
        let said = night.said();
        assert_eq!(said.len(), 10, "{said:?}");
        assert_eq!(said[5..], wanted, "{catch_up} {said:?}");
    }
}

#[test]
fn what_stands_for_others_is_not_skipped_for_an_earlier_run_but_waits_for_it() {
    let fields = json!({"schedule": {"cron": TEN_MINUTES}, "catch-up": "last"});
    let mut night = Night::new(fields);
    night.tick("00:10").tick("00:40:30");
    let wanted = [
        "00:10 runs",
        "00:20 missed, 00:40 stands for it",
        "00:30 missed, 00:40 stands for it",
        "00:40 runs behind 00:10",
    ];
    assert_eq!(night.said(), wanted);
}

fn number(event: &Event) -> Option<u32> {
    match event {
        Event::RunEvent(RunEvent::RunDue(e)) => Some(e.definition.number),
        Event::RunEvent(RunEvent::RunMissed(e)) => Some(e.definition.number),
        Event::RunEvent(_)
        | Event::JobEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::LogEvent(_)
        | Event::ThingEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_)
        | Event::IncidentEvent(_)
        | Event::ControlEvent(_)
        | Event::RecordsEvent(_)
        | Event::RequestEvent(_)
        | Event::ReviewEvent(_) => None,
    }
}

#[test]
fn a_retired_job_implies_nothing_after_its_last_instant() {
    let mut night = ten_minutes(&json!("last"));
    night.person(crate::given::golden("job.retired"), "00:20");
    night.tick("00:35");
    assert_eq!(night.said(), ["00:10 missed, 00:20 stands for it", "00:20 runs caught up"]);
    assert_eq!(night.minds[0].next_wake().filter(|wake| *wake > at("00:50")), None);
}

#[test]
fn a_run_that_meets_an_earlier_one_follows_the_overlap_rule() {
    let table: &[(Value, &[&str])] = &[
        (
            json!("skip"),
            &[
                "00:10 runs",
                "00:20 skipped, 00:10 goes on",
                "00:30 skipped, 00:10 goes on",
                "00:40 skipped, 00:10 goes on",
            ],
        ),
        (
            json!("queue-one"),
            &[
                "00:10 runs",
                "00:20 runs behind 00:10",
                "00:30 skipped, 1 wait",
                "00:40 skipped, 1 wait",
            ],
        ),
        (
            json!({"queue-all": {"limit": 2}}),
            &[
                "00:10 runs",
                "00:20 runs behind 00:10",
                "00:30 runs behind 00:20",
                "00:40 skipped, 2 wait",
            ],
        ),
    ];
    for (overlap, wanted) in table {
        let mut night = Night::new(json!({"schedule": {"cron": TEN_MINUTES}, "overlap": overlap}));
        night.minds[0].listening(None);
        night.tick("00:10").start("00:10", 1, "00:10:01");
        night.tick("00:20").tick("00:30").tick("00:40");
        assert_eq!(night.said(), *wanted, "{overlap}");
        assert_eq!(night.offers(), ["00:10#1 offer 1"], "what waits is not offered: {overlap}");
        let waits = wanted[1].contains("behind");
        night.succeed("00:10", "00:41").tick("00:41");
        let offers = if waits {
            vec!["00:10#1 offer 1", "00:20#1 offer 1"]
        } else {
            vec!["00:10#1 offer 1"]
        };
        assert_eq!(night.offers(), offers, "{overlap}");
    }
}

#[test]
fn a_job_that_cancels_what_runs_starts_the_new_run_when_the_old_one_has_ended() {
    let mut night =
        Night::new(json!({"schedule": {"cron": TEN_MINUTES}, "overlap": "cancel-running"}));
    night.minds[0].listening(None);
    night.tick("00:10").start("00:10", 1, "00:10:01").tick("00:20");
    assert_eq!(night.said(), ["00:10 runs", "00:10 is to be stopped", "00:20 runs behind 00:10"]);
    night.tick("00:30");
    assert_eq!(
        night.said()[3..],
        ["00:20 is to be stopped", "00:30 runs behind 00:20", "00:20 stopped"]
    );
    night.succeed("00:10", "00:31").tick("00:31");
    assert_eq!(night.offers(), ["00:10#1 offer 1", "00:30#1 offer 1"]);
}

#[test]
fn of_two_requests_at_once_one_runs() {
    let mut night = Night::new(json!({}));
    night.request("request-1", "00:01").request("request-2", "00:01").tick("00:01");
    assert_eq!(night.said(), ["request-1 runs", "request-2 skipped, request-1 goes on"]);
}

#[test]
fn an_occurrence_and_a_request_at_once_do_not_both_give_way() {
    let mut night = ten_minutes(&json!("last"));
    night.request("request-1", "00:10").tick("00:10");
    assert_eq!(night.said(), ["00:10 runs", "request-1 skipped, 00:10 goes on"]);
}

#[test]
fn a_request_to_a_job_that_was_retired_meanwhile_is_skipped() {
    let mut night = Night::new(json!({}));
    night.request("request-1", "00:01").person(crate::given::golden("job.retired"), "00:02");
    night.tick("00:02");
    assert_eq!(night.said(), ["request-1 skipped, retired"]);
}

#[test]
fn a_held_run_is_offered_when_a_person_has_released_it() {
    let mut night = ten_minutes(&json!("hold"));
    night.tick("00:15");
    assert!(night.offers().is_empty());
    let mark = night.world.say_by(
        "user/ana",
        Night::run_id("00:10"),
        crate::given::golden("run.released"),
        at("00:16"),
    );
    assert_eq!(mark, Mark::Valid);
    night.tick("00:16");
    assert_eq!(night.offers(), ["00:10#1 offer 1"]);
}

#[test]
fn a_failed_run_is_tried_again_after_its_delays_and_then_no_more() {
    let retry = json!({"delays": ["30s", "2m"], "on": ["failed"]});
    let mut night = Night::new(json!({"schedule": {"cron": "10 0 * * *"}, "retry": retry}));
    night.minds[0].listening(None);
    night.tick("00:10").start("00:10", 1, "00:10:01").fail("00:10", 1, "00:10:05").tick("00:10:06");
    night.tick("00:10:34").tick("00:10:35");
    night.start("00:10", 2, "00:10:36").fail("00:10", 2, "00:10:40").tick("00:10:40");
    night.tick("00:12:39").tick("00:12:40");
    night.start("00:10", 3, "00:12:41").fail("00:10", 3, "00:12:50").tick("00:30");
    let wanted = [
        "00:10 runs",
        "00:10 is tried again at 2026-11-20T00:10:35Z",
        "00:10 is tried again at 2026-11-20T00:12:40Z",
    ];
    assert_eq!(night.said(), wanted);
    assert_eq!(night.offers(), ["00:10#1 offer 1", "00:10#2 offer 1", "00:10#3 offer 1"]);
    assert!(night.run("00:10").state.is_ended());
}

#[test]
fn an_attempt_is_lost_only_after_its_lease_has_passed_in_silence_that_could_be_heard() {
    // When it could hear, when it heard of the attempt, the last instant it waits, the first it does not.
    let table: &[(Option<&str>, &[&str], &str, &str)] = &[
        (Some("00:00"), &[], "00:11:04.999", "00:11:05"),
        (Some("00:00"), &["00:10:40"], "00:11:39.999", "00:11:40"),
        (Some("00:00"), &["00:10:40", "00:11:30"], "00:12:29.999", "00:12:30"),
        (Some("00:30"), &[], "00:30:59.999", "00:31"),
        (Some("00:30"), &["00:10:40"], "00:30:59.999", "00:31"),
    ];
    for (listening, heard, waits, lost) in table {
        let mut night = Night::new(json!({"schedule": {"cron": "10 0 * * *"}}));
        night.minds[0].listening(listening.map(at));
        night.tick("00:10").start("00:10", 1, "00:10:05").tick("00:10:05");
        for clock in *heard {
            night.minds[0].heard(&Night::run_id("00:10"), 1, at(clock));
        }
        night.tick(waits);
        assert_eq!(night.said(), ["00:10 runs"], "{listening:?} {heard:?}");
        night.tick(lost);
        assert_eq!(night.said(), ["00:10 runs", "00:10 lost"], "{listening:?} {heard:?}");
        assert_eq!(night.run("00:10").state, State::Unknown { attempt: 1 });
    }
    let mut night = Night::new(json!({"schedule": {"cron": "10 0 * * *"}}));
    night.minds[0].listening(None);
    night.tick("00:10").start("00:10", 1, "00:10:05").tick("23:00");
    assert_eq!(
        night.said(),
        ["00:10 runs"],
        "a scheduler that is cut off takes no silence for death"
    );
}

/// What runs is lost a minute after 00:11, whatever is heard of it.
fn is_lost_whoever_beats(night: &mut Night) {
    for clock in ["00:11:10", "00:11:40", "00:11:55"] {
        night.minds[0].heard(&Night::run_id("00:10"), 1, at(clock));
    }
    night.tick("00:11:59.999");
    assert_eq!(night.said(), ["00:10 runs"]);
    night.tick("00:12");
    assert_eq!(night.said(), ["00:10 runs", "00:10 lost"]);
}

#[test]
fn heartbeats_of_a_host_whose_key_was_revoked_keep_no_attempt_alive() {
    let mut night = Night::new(json!({"schedule": {"cron": "10 0 * * *"}}));
    night.minds[0].listening(Some(at("00:00")));
    night.tick("00:10").start("00:10", 1, "00:10:05").tick("00:10:05");
    night.minds[0].heard(&Night::run_id("00:10"), 1, at("00:10:40"));
    let revoked = HostRevoked { reason: "it was stolen".to_owned() };
    let mark = night.world.say_by("user/ana", StreamId::host("h1"), revoked, at("00:11"));
    assert_eq!(mark, Mark::Valid);
    night.feed();
    is_lost_whoever_beats(&mut night);
}

#[test]
fn what_ran_on_a_host_before_it_had_another_key_is_lost_whoever_beats_for_it() {
    let mut night = Night::new(json!({"schedule": {"cron": "10 0,1 * * *"}}));
    night.minds[0].listening(Some(at("00:00")));
    night.tick("00:10").start("00:10", 1, "00:10:05").tick("00:10:05");
    let (host, ada) = (StreamId::host("h1"), "user/ana");
    let (code, until) = (Digest::of(b"code"), at("00:20"));
    let reason = "installed anew".to_owned();
    let invited = HostInvited { code, until, generation: Some(2), reason };
    assert_eq!(night.world.say_by(ada, host.clone(), invited, at("00:10:30")), Mark::Valid);
    let producer = ProducerId::of_host("h1", 2).unwrap();
    let enrolled = LogProducerEnrolled {
        class: producer.class(),
        producer,
        key: SecretKey::from_seed(&[9; 32]).public().to_hex(),
        ground: "invitation".to_owned(),
    };
    let main = StreamId::log("main");
    assert_eq!(night.world.say_next("audit/main", main, enrolled, at("00:10:40")), Mark::Valid);
    let started = golden("host.started");
    let mark = night.world.say_next("executor/h1~2", host, started, at("00:11"));
    assert_eq!(mark, Mark::Valid);
    night.feed();
    is_lost_whoever_beats(&mut night);
}

#[test]
fn a_heartbeat_about_another_attempt_renews_no_lease() {
    let mut night = Night::new(json!({"schedule": {"cron": "10 0 * * *"}}));
    night.minds[0].listening(Some(at("00:00")));
    night.tick("00:10").start("00:10", 1, "00:10:05").tick("00:10:05");
    night.minds[0].heard(&Night::run_id("00:10"), 2, at("00:11"));
    night.tick("00:11:05");
    assert_eq!(night.said(), ["00:10 runs", "00:10 lost"]);
}

#[test]
fn what_nobody_takes_is_offered_again_after_ever_longer_waits() {
    let mut night =
        Night::since(json!({"schedule": {"cron": "10 0 * * *"}}), at("00:00"), |settings| {
            (settings.redispatch_ms, settings.redispatch_ms_max) = (10_000, 35_000);
        });
    let mut offered = Vec::new();
    for second in 0..150 {
        let before = night.work.len();
        night.tick_at(later(at("00:10"), second * 1_000));
        offered.extend((before..night.work.len()).map(|_| second));
    }
    assert_eq!(offered, [0, 10, 30, 65, 100, 135]);
    let ids: std::collections::BTreeSet<String> = night.work.iter().map(Work::id).collect();
    assert_eq!(ids.len(), offered.len(), "each offer has an identity of its own");
}

/// Both schedulers hear of each other; which of them has the turn for the run of 00:10, and the other.
fn two_schedulers(fields: Value) -> (Night, usize, usize) {
    let mut night = Night::new(fields);
    let mut first = Vec::new();
    for mind in [0, 1] {
        let mut other = Night::new(json!({"schedule": {"cron": "10 0 * * *"}}));
        other.minds[mind].peer(NAMES[1 - mind], at("00:10"));
        if other.tick_one(mind, at("00:10")) > 0 {
            first.push(mind);
        }
    }
    assert_eq!(first.len(), 1, "exactly one has the turn");
    hear(&mut night, at("00:09:59"));
    let turn = first[0];
    (night, turn, 1 - turn)
}

fn hear(night: &mut Night, now: Timestamp) {
    for mind in [0, 1] {
        night.minds[mind].peer(NAMES[1 - mind], now);
    }
}

#[test]
fn of_two_schedulers_one_acts_at_once_and_the_other_after_a_grace_if_nobody_did() {
    let once = || json!({"schedule": {"cron": "10 0 * * *"}});
    let (mut night, _, second) = two_schedulers(once());
    hear(&mut night, at("00:10"));
    assert_eq!(night.tick_one(second, at("00:10")), 0);
    assert_eq!(night.tick_one(second, at("00:10:01.999")), 0);
    assert_eq!(night.minds[second].next_wake(), Some(at("00:10:02")));
    assert_eq!(night.tick_one(second, at("00:10:02")), 1);
    assert_eq!(night.said(), ["00:10 runs"]);

    let (mut night, first, second) = two_schedulers(once());
    assert_eq!(night.tick_one(first, at("00:10")), 1);
    night.feed();
    assert_eq!(night.tick_one(second, at("00:10:02.5")), 1, "it offers the run, nothing else");
    assert_eq!(night.said(), ["00:10 runs"]);

    // A tie costs a void event and nothing else.
    let (mut night, first, second) = two_schedulers(once());
    assert_eq!(night.tick_one(first, at("00:10:02")), 1);
    assert_eq!(night.tick_one(second, at("00:10:02")), 1);
    assert_eq!(night.said(), ["00:10 runs"]);

    // Who has not been heard for six seconds has no turn.
    let (mut night, _, second) = two_schedulers(json!({"schedule": {"cron": "10,11 0 * * *"}}));
    assert_eq!(night.tick_one(second, at("00:10:06")), 1);
}

#[test]
fn the_second_scheduler_says_that_an_attempt_is_lost_when_the_first_does_not() {
    for mind in [0, 1] {
        let mut night = Night::new(json!({"schedule": {"cron": "10 0 * * *"}}));
        night.tick("00:10").start("00:10", 1, "00:10:05");
        night.minds[mind].listening(Some(at("00:00")));
        let mut lost = None;
        for ms in (60_000..70_000).step_by(500) {
            let now = later(at("00:10:05"), ms);
            night.minds[mind].peer(NAMES[1 - mind], now);
            night.tick_one(mind, now);
            if lost.is_none() && night.said().len() == 2 {
                lost = Some(ms);
            }
        }
        assert!(matches!(lost, Some(60_000 | 62_000)), "{}: {lost:?}", NAMES[mind]);
    }
}

#[test]
fn a_refused_append_is_decided_again_after_five_seconds() {
    let mut night = ten_minutes(&json!("last"));
    let actions = night.minds[0].tick(at("00:10"));
    let [Action::Append(draft)] = actions.as_slice() else { panic!("{actions:?}") };
    let refused = Mark::Refused { reason: "the occurrence is not due yet".to_owned() };
    night.minds[0].answered(&draft.stream, Some(&refused), at("00:10"));
    assert_eq!(night.minds[0].tick(at("00:10:04.999")), []);
    assert_eq!(night.minds[0].next_wake(), Some(at("00:10:05")));
    night.tick("00:10:05");
    assert_eq!(night.said(), ["00:10 runs"]);
}

#[test]
fn an_append_that_was_not_answered_is_made_again_after_half_a_minute() {
    let mut night = ten_minutes(&json!("last"));
    assert_eq!(night.minds[0].tick(at("00:10")).len(), 1);
    assert_eq!(night.minds[0].tick(at("00:10:29")).len(), 0);
    night.minds[0].tick(at("00:10:30"));
    night.tick("00:10:35");
    assert_eq!(night.said(), ["00:10 runs"]);
}

#[test]
fn a_run_says_how_late_it_was_decided() {
    let table = [
        ("00:10", 0, false),
        ("00:10:00.250", 250, false),
        ("00:15", 300_000, false),
        ("00:15:00.001", 300_001, true),
    ];
    for (clock, late_ms, caught_up) in table {
        let schedule = json!({"cron": TEN_MINUTES});
        let mut night = Night::new(json!({"schedule": schedule, "late-after": "5m"}));
        night.tick(clock);
        let due = night.world.feed.iter().find_map(|(_, event, _)| match event {
            Event::RunEvent(RunEvent::RunDue(due)) => Some(due.clone()),
            Event::RunEvent(_)
            | Event::JobEvent(_)
            | Event::HostEvent(_)
            | Event::UserEvent(_)
            | Event::LogEvent(_)
            | Event::ThingEvent(_)
            | Event::BackupEvent(_)
            | Event::PrintEvent(_)
            | Event::FormEvent(_)
            | Event::QueueEvent(_)
            | Event::ChangeEvent(_)
            | Event::IncidentEvent(_)
            | Event::ControlEvent(_)
            | Event::RecordsEvent(_)
            | Event::RequestEvent(_)
            | Event::ReviewEvent(_) => None,
        });
        let due = due.unwrap();
        assert_eq!(
            (due.late_ms, due.late_after_ms, due.catch_up),
            (late_ms, 300_000, caught_up),
            "{clock}"
        );
    }
}

/// Job `pay` every minute, not looked at for 10,000 minutes.
fn backlog(catch_up: &Value, change: fn(&mut Settings)) -> (Night, Timestamp) {
    let from = at("2026-11-13T00:00:00Z");
    let fields = json!({"schedule": {"every": "1m"}, "catch-up": catch_up});
    (Night::since(fields, from, change), later(from, 10_000 * 60_000 + 90_000 - 60_000))
}

/// What a scheduler says about the whole backlog in ticks of at most `max`. The log takes everything; its feed is
/// back before the next tick, or after the last.
fn work_off(catch_up: &Value, max: usize, feeds: bool) -> Vec<String> {
    let (mut night, now) = backlog(catch_up, |_| {});
    let mut settings = Settings::new("scheduler/s1", "2026b");
    settings.drafts_max = max;
    let mut mind = Scheduler::new(settings);
    let job = StreamId::job("pay");
    mind.load(&job, night.world.streams.get(&job).unwrap(), now);
    let mut said = Vec::new();
    for tick in 0..10_000 / max {
        // Each tick a little later: what was found when the backlog was found is what is caught up.
        let now = later(now, i64::try_from(tick).unwrap() * 10);
        let mut drafts = Vec::new();
        for action in mind.tick(now) {
            let Action::Append(draft) = action else { continue };
            said.extend(line(&draft.stream, &draft.event));
            drafts.push(draft);
        }
        assert_eq!(drafts.len(), max, "{catch_up}, tick {tick}");
        for draft in drafts.into_iter().filter(|_| feeds) {
            let (stream, version) = (draft.stream.clone(), draft.version);
            let event = draft.event;
            mind.answered(&stream, Some(&Mark::Valid), now);
            night.template.subject = stream;
            night.template.version = version;
            mind.apply(&night.template, &event, now);
        }
    }
    said
}

#[test]
fn a_backlog_keeps_neither_other_jobs_nor_what_is_due_already_waiting() {
    let (mut night, now) = backlog(&json!("none"), |_| {});
    let zoo = definition(json!({"name": "zoo", "schedule": {"every": "20m"}}));
    night.world.activate(&zoo, later(now, -30 * 60_000));
    let mut settings = Settings::new("scheduler/s1", "2026b");
    settings.drafts_max = 8;
    let mut mind = Scheduler::new(settings);
    for job in [StreamId::job("pay"), StreamId::job("zoo")] {
        mind.load(&job, night.world.streams.get(&job).unwrap(), now);
    }
    let mut due = None;
    for action in mind.tick(now) {
        let Action::Append(draft) = action else { panic!("nothing is open yet") };
        mind.answered(&draft.stream, Some(&Mark::Valid), now);
        if draft.stream.run_job() == Some("zoo") {
            due = Some(draft);
        }
    }
    let due = due.expect("the other job waits behind the backlog");
    night.template.subject = due.stream.clone();
    night.template.version = due.version;
    mind.apply(&night.template, &due.event, now);
    let actions = mind.tick(later(now, 10));
    let offered =
        |action: &Action| matches!(action, Action::Dispatch(work) if work.run == due.stream);
    assert!(actions.iter().any(offered), "the offer waits behind the backlog");
    assert!(actions.iter().any(|action| matches!(action, Action::Append(_))));
}

#[test]
fn a_backlog_of_ten_thousand_is_worked_off_in_bounded_ticks_that_decide_what_one_would() {
    for catch_up in [json!("none"), json!("last"), json!("hold"), json!({"all": {"limit": 250}})] {
        let wanted = work_off(&catch_up, 10_000, false);
        assert_eq!(wanted.len(), 10_000, "{catch_up}");
        for feeds in [true, false] {
            let said = work_off(&catch_up, 100, feeds);
            let differs = said.iter().zip(&wanted).find(|(said, wanted)| said != wanted);
            assert_eq!((differs, said.len()), (None, wanted.len()), "{catch_up}, feed {feeds}");
        }
    }
}

#[test]
fn a_scheduler_that_starts_from_the_read_model_decides_what_is_not_settled() {
    let mut night = ten_minutes(&json!("last"));
    night.tick("00:10");
    let mut mind = Scheduler::new(Settings::new("scheduler/s1", "2026b"));
    for (id, state) in &night.world.streams.0 {
        if matches!(state.body, Body::Job(_) | Body::Run(_)) {
            mind.load(id, state, at("00:15"));
        }
    }
    night.minds[0] = mind;
    night.tick("00:20");
    assert_eq!(night.said(), ["00:10 runs", "00:20 skipped, 00:10 goes on"]);
    assert_eq!(night.minds[0].counts(), (1, 1));
}
