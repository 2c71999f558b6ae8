//! The count. It shares no code with the programs it counts: what it knows of the log is what an outsider
//! can read in the JSON of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Jobs that leave a mark for every start: a line with run and attempt.
pub(crate) struct Marks {
    file: PathBuf,
    pub(crate) jobs: PathBuf,
    /// A job that its host may run by itself.
    pub(crate) alone: PathBuf,
}

impl Marks {
    /// Writes the job file into `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        let (file, jobs) = (dir.join("marks"), dir.join("marks.yaml"));
        std::fs::write(&file, "").unwrap();
        let mark = format!("echo \"$DECKLOG_RUN $DECKLOG_ATTEMPT\" >> {}", file.display());
        let text = format!(
            "name: mark-often\n\
             schedule: {{ every: 1s }}\n\
             command: {{ script: '{mark}' }}\n\
             ---\n\
             name: mark-long\n\
             schedule: {{ every: 2s }}\n\
             overlap: queue-one\n\
             catch-up: {{ all: {{ limit: 5 }} }}\n\
             command: {{ script: '{mark}; sleep 2.5' }}\n\
             ---\n\
             name: mark-twice\n\
             schedule: {{ every: 3s }}\n\
             retry: {{ delays: [1s] }}\n\
             command: {{ script: '{mark}; sleep 0.3; test \"$DECKLOG_ATTEMPT\" = 2' }}\n"
        );
        std::fs::write(&jobs, text).unwrap();
        let alone = dir.join("alone.yaml");
        let text = format!(
            "name: mark-alone\n\
             schedule: {{ every: 1s }}\n\
             host: host-one\n\
             autonomy: {{ lease: 1h }}\n\
             command: {{ script: '{mark}' }}\n"
        );
        std::fs::write(&alone, text).unwrap();
        Self { file, jobs, alone }
    }

    /// How many attempts of a job did their work.
    pub(crate) fn of(&self, job: &str) -> usize {
        let own = format!("run/{job}@");
        self.read().keys().filter(|(run, _)| run.starts_with(&own)).count()
    }

    fn read(&self) -> BTreeMap<Attempt, u32> {
        let mut marks = BTreeMap::new();
        for line in std::fs::read_to_string(&self.file).unwrap().lines() {
            let (run, attempt) = line.split_once(' ').unwrap();
            *marks.entry((run.to_owned(), attempt.parse().unwrap())).or_default() += 1;
        }
        marks
    }
}

type Attempt = (String, u64);

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) void: u64,
    pub(crate) runs: usize,
    pub(crate) attempts: usize,
    pub(crate) succeeded: usize,
    pub(crate) skipped_or_missed: usize,
    /// Whose outcome nobody knows.
    pub(crate) unknown: Vec<String>,
    problems: Vec<String>,
}

#[derive(Debug, Default)]
struct Run {
    /// How often it ended, less how often it was taken up again.
    ends: i32,
    last_end: String,
    unknown: bool,
}

#[derive(Debug, Default)]
struct Count {
    tally: Tally,
    runs: BTreeMap<String, Run>,
    started: BTreeSet<Attempt>,
    /// Attempts whose command ran to an end, and whether it succeeded.
    ran: BTreeMap<Attempt, bool>,
}

/// Counts the events of a log (`decklog events -o jsonl`) against the marks that the jobs left.
#[track_caller]
pub(crate) fn count(events: &str, marks: &Marks) -> Tally {
    let mut count = Count::default();
    for line in events.lines() {
        count.take(&serde_json::from_str(line).unwrap());
    }
    count.compare(&marks.read());
    let tally = count.tally;
    println!("{tally:?}");
    assert!(tally.problems.is_empty(), "{}", tally.problems.join("\n"));
    assert!(tally.succeeded > 0, "nothing ran at all");
    tally
}

impl Count {
    fn find(&mut self, problem: String) {
        self.tally.problems.push(problem);
    }

    fn find_unless(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.find(problem());
        }
    }

    fn take(&mut self, entry: &Value) {
        self.tally.events += 1;
        let position = entry["position"].as_u64().unwrap();
        if position != self.tally.events {
            self.find(format!("event {} has position {position}", self.tally.events));
        }
        if !entry["void"].is_null() {
            self.tally.void += 1;
            return;
        }
        let event = &entry["event"];
        let (subject, kind) = (event["subject"].as_str().unwrap(), event["type"].as_str().unwrap());
        if subject.starts_with("run/") {
            self.take_run(subject, kind, &event["data"]);
        }
    }

    fn take_run(&mut self, id: &str, kind: &str, data: &Value) {
        let run = self.runs.entry(id.to_owned()).or_default();
        let attempt = (id.to_owned(), data["attempt"].as_u64().unwrap_or(0));
        match kind {
            "run.started" => {
                let first = self.started.insert(attempt.clone());
                self.find_unless(first, || format!("{attempt:?} was started twice"));
            }
            "run.succeeded" | "run.failed" | "run.timed-out" | "run.cancelled" | "run.skipped"
            | "run.missed" | "run.resolved" => {
                run.ends += 1;
                run.unknown = false;
                kind.clone_into(&mut run.last_end);
                if run.ends > 1 {
                    self.find(format!("{id} ended again, with {kind}"));
                }
                if data["report"]["end"]["how"] == "exited" {
                    self.ran.insert(attempt, kind == "run.succeeded");
                }
            }
            "run.lost" => run.unknown = true,
            "run.retry-scheduled" => {
                run.ends -= i32::from(!run.unknown);
                run.unknown = false;
            }
            _ => {}
        }
    }

    fn compare(&mut self, marks: &BTreeMap<Attempt, u32>) {
        for (attempt, times) in marks {
            if *times > 1 {
                self.find(format!("{attempt:?} did its work {times} times"));
            }
            if !self.started.contains(attempt) {
                self.find(format!("{attempt:?} did its work, and the log knows of no start"));
            }
        }
        for attempt in self.ran.keys() {
            if attempt.0.starts_with("run/mark-") && !marks.contains_key(attempt) {
                self.tally.problems.push(format!("{attempt:?} ended, and its work was not done"));
            }
        }
        for (id, run) in &self.runs {
            match (run.ends, run.unknown) {
                (1, false) => {}
                (0, true) => self.tally.unknown.push(id.clone()),
                (ends, _) => self.tally.problems.push(format!("{id} has {ends} ends")),
            }
            match run.last_end.as_str() {
                "run.succeeded" => self.tally.succeeded += 1,
                "run.skipped" | "run.missed" => self.tally.skipped_or_missed += 1,
                _ => {}
            }
        }
        (self.tally.runs, self.tally.attempts) = (self.runs.len(), self.started.len());
    }
}
