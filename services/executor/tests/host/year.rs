//! A year of nights under a clock that is put ahead, with real snapshots in a real repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use domain::backup::Snapshot;
use domain::event::{DefinitionRef, Terms};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::run::Outcome;
use domain::site::ThingKind;
use jiff::civil::Date;
use serde_json::json;

use crate::world::World;

/// The jobs of the year, each active.
struct Jobs(BTreeMap<&'static str, (JobDefinition, DefinitionRef)>);

struct Year {
    world: World,
    jobs: Jobs,
}

impl Year {
    async fn new() -> Self {
        let world = World::new().await;
        let at = |name: &str| world.path(name).display().to_string();
        for dir in ["ledger", "scratch"] {
            std::fs::create_dir(world.path(dir)).unwrap();
        }
        std::fs::write(world.path("password"), "correct horse").unwrap();
        let password = format!("file:{}", at("password"));
        let vault = json!({"kind": "repository", "name": "vault", "location": at("vault"),
            "password": password, "initialise": true});
        let ledger = json!({"kind": "dataset", "name": "ledger", "rpo": "26h", "rto": "1h",
            "zone": "UTC", "retention": {"daily": 7, "weekly": 5, "monthly": 12, "yearly": 2}});
        let kinds =
            [(ThingKind::Repository, "vault", vault), (ThingKind::Dataset, "ledger", ledger)];
        for (kind, name, definition) in kinds {
            world.centre.define(kind, name, definition).await;
        }
        let both = json!({"dataset": "ledger", "repository": "vault"});
        let with = |name: &str, value: String| {
            let mut work = both.clone();
            work[name] = value.into();
            work
        };
        let mut backup = both.clone();
        backup["paths"] = json!([at("ledger")]);
        let jobs = [
            ("backup", backup),
            ("retention", both.clone()),
            ("prune", json!({"repository": "vault"})),
            ("restore-test", with("scratch", at("scratch"))),
        ];
        let mut active = BTreeMap::new();
        for (kind, work) in jobs {
            let definition = json!({"name": format!("ledger-{kind}"), "kind": kind, kind: work});
            let definition: JobDefinition = serde_json::from_value(definition).unwrap();
            assert_eq!(definition.problems(), []);
            let reference = world.centre.activate(&definition).await;
            active.insert(kind, (definition, reference));
        }
        Self { world, jobs: Jobs(active) }
    }

    /// Runs one of the jobs, which must end well.
    async fn run(&self, kind: &str, day: Date) {
        let (definition, reference) = &self.jobs.0[kind];
        let terms = Terms { locks: definition.claims(), ..Terms::default() };
        let id = format!("request-{day}");
        let run = self.world.centre.order(definition, reference.clone(), &id, terms).await;
        self.world.centre.offer(&run, definition, 1).await;
        let (outcome, ended) = self.world.ended(&run).await;
        assert_eq!(outcome, Outcome::Succeeded, "{kind} of {day}: {ended:?}");
    }

    /// A night: the ledger has a new line and the day's name in a file; what is due is done.
    async fn night(&self, day: Date, forgets: bool, prunes: bool) {
        let half_past_two = day.at(2, 30, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        self.world.centre.clock.set(half_past_two.timestamp());
        std::fs::write(self.world.path("ledger/day"), day.to_string()).unwrap();
        std::fs::write(self.world.path("ledger").join(day.to_string()), "booked").unwrap();
        self.run("backup", day).await;
        if forgets {
            self.run("retention", day).await;
        }
        if prunes {
            self.run("prune", day).await;
            self.run("restore-test", day).await;
        }
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        let dataset = StreamId::thing(ThingKind::Dataset, "ledger");
        self.world.centre.stream(&dataset).unwrap().body.dataset().unwrap().snapshots.clone()
    }

    /// Debian's restic, on the repository.
    fn restic(&self, arguments: &[&str]) -> String {
        let output = Command::new("restic")
            .args(["--no-cache", "-r"])
            .arg(self.world.path("vault"))
            .arg("--password-file")
            .arg(self.world.path("password"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The newest night of each stretch, of the newest so many stretches.
fn newest_of<K: Ord>(nights: &[Date], count: usize, stretch: impl Fn(Date) -> K) -> BTreeSet<Date> {
    let by: BTreeMap<K, Date> = nights.iter().map(|day| (stretch(*day), *day)).collect();
    by.into_values().rev().take(count).collect()
}

/// Lives through a year with a backup every so many nights, and looks at what is left.
async fn live(every: usize) {
    let year = Year::new().await;
    let first = jiff::civil::date(2027, 1, 1);
    let nights: Vec<Date> =
        first.series(jiff::Span::new().days(1)).take(365).step_by(every).collect();
    // Every week, and where there is one backup a week, every four.
    let (forgets, prunes) = if every == 1 { (7, 56) } else { (4, 12) };
    for (n, day) in nights.iter().enumerate() {
        let last = n + 1 == nights.len();
        year.night(*day, last || n % forgets == 0, last || n % prunes == 0).await;
    }

    let week = |day: Date| (day.iso_week_date().year(), day.iso_week_date().week());
    let mut wanted = newest_of(&nights, 7, |day| day);
    wanted.extend(newest_of(&nights, 5, week));
    wanted.extend(newest_of(&nights, 12, |day| (day.year(), day.month())));
    let kept = year.snapshots();
    let day = |one: &Snapshot| one.at.to_zoned(jiff::tz::TimeZone::UTC).date();
    assert_eq!(kept.iter().map(day).collect::<BTreeSet<_>>(), wanted);
    assert_eq!(kept.len(), wanted.len(), "one of each");

    // What the log has is what the repository holds, and another program says it is whole.
    let listed = year.restic(&["snapshots", "--json", "--tag", "decklog"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    let there: BTreeSet<&str> = listed.iter().map(|one| one["id"].as_str().unwrap()).collect();
    let recorded: BTreeSet<String> = kept.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(there, recorded.iter().map(String::as_str).collect());
    year.restic(&["check", "--read-data"]);
    let file = year.world.path("ledger/day");
    for one in &kept {
        let id = one.id.to_string();
        assert_eq!(year.restic(&["dump", &id, text(&file)]), day(one).to_string());
    }
    // The dates in the repository are those of whoever wrote it, and lie hours apart at most: nothing went by them.
    let written = |one: &serde_json::Value| one["time"].as_str().unwrap().parse().unwrap();
    let written: BTreeSet<jiff::Timestamp> = listed.iter().map(written).collect();
    let span = written.last().unwrap().duration_since(*written.first().unwrap());
    assert!(span < jiff::SignedDuration::from_hours(24), "{span:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_year_of_weekly_backups_the_generations_are_there_and_nothing_else() {
    live(7).await;
}

/// Takes some minutes: every night of the year.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some minutes"]
async fn after_a_year_of_nightly_backups_the_generations_are_there_and_nothing_else() {
    live(1).await;
}
