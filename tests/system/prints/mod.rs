//! Prints as people meet them: a job's documents on paper once, forms accounted for number by number, and what a kill -9, a
//! jam or a lost printer leaves.

mod acts;
pub(crate) mod checks;
mod killed;
pub(crate) mod sent;
mod simulators;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use testkit::printing::{Paper, Setup};
use testkit::wait;

use crate::programs::Up;

/// How long anything may take that a printer has to do with, on a machine that has other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// A directory with what is to be printed, and a printer.
pub(crate) struct Office {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) paper: Paper,
}

impl Office {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("out")).unwrap();
        Self { dir, paper: Paper::start(Setup::default()).unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A text of so many pages that says which each is.
    pub(crate) fn text(&self, name: &str, pages: usize) -> Vec<u8> {
        let all: Vec<String> = (1..=pages).map(|page| format!("{name}, page {page}\n")).collect();
        let text = all.join("\x0c");
        fs::write(self.path("out").join(name), &text).unwrap();
        text.into_bytes()
    }

    /// A queue to the printer, a job that prints what lies in the directory, and what else is given.
    pub(crate) fn site(&self, queue: &str, job: &str, more: &str) -> PathBuf {
        self.site_at(&self.paper.uri(), queue, job, more)
    }

    /// The same to another printer.
    pub(crate) fn site_at(&self, printer: &str, queue: &str, job: &str, more: &str) -> PathBuf {
        let out = self.path("out");
        let text = format!(
            "kind: queue\nname: office\nprinter: {printer}\n{queue}---\n\
             kind: print\nname: reports\nprint:\n  documents: {{ files: '{}/*' }}\n  queue: office\n{job}{more}",
            out.display()
        );
        let path = self.path("site.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn up(&self, site: &Path) -> Up {
        Up::start(&self.path("data"), &[site])
    }
}

/// Asks for a run of a job; its stream.
pub(crate) fn ask(up: &Up, job: &str) -> String {
    let asked =
        up.call(&["run", job, "--reason", "to see it printed", "-o", "json"]).ended(0).json();
    asked["stream"].as_str().unwrap().to_owned()
}

/// Waits until a run has ended; how.
#[track_caller]
pub(crate) fn ended(up: &Up, run: &str) -> String {
    let mut shown = Value::Null;
    let seen = wait::until(&format!("the end of {run}"), SOON, || {
        shown = up.call(&["run-show", run, "-o", "json"]).ended(0).json();
        shown["run"]["state"]["is"] == "ended"
    });
    seen.unwrap_or_else(|error| panic!("{error}: {shown:#}\n{}", up.daemon.output()));
    shown["run"]["state"]["outcome"].as_str().unwrap().to_owned()
}

/// All documents, oldest first.
pub(crate) fn documents(up: &Up) -> Vec<Value> {
    let mut all = up.call(&["print", "list", "--all", "-o", "json"]).ended(0).json();
    let all = all.as_array_mut().unwrap();
    all.reverse();
    all.clone()
}

pub(crate) fn id(document: &Value) -> String {
    document["document"].as_str().unwrap().trim_start_matches("document/").to_owned()
}

/// Waits until the documents stand in these states, oldest first.
#[track_caller]
pub(crate) fn wait_for_states(up: &Up, states: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    let seen = wait::until(&format!("documents to be {states:?}"), SOON, || {
        all = documents(up);
        let now: Vec<&str> = all.iter().map(|one| one["state"].as_str().unwrap()).collect();
        now == states
    });
    seen.unwrap_or_else(|error| panic!("{error}: {all:#?}\n{}", up.daemon.output()));
    all
}

/// Says something of a document.
#[track_caller]
pub(crate) fn act(up: &Up, words: &[&str]) {
    said(up, words).ended(0);
}

pub(crate) fn said(up: &Up, words: &[&str]) -> crate::programs::Said {
    let words = ["print"].iter().chain(words).chain(&["--reason", "the test says so"]);
    up.call(&words.copied().collect::<Vec<_>>())
}

#[test]
fn a_jobs_documents_are_printed_once_and_its_run_says_how_many_pages_were_counted() {
    let office = Office::new();
    let (one, two) = (office.text("a.txt", 3), office.text("b.txt", 2));
    let site = office.site("", "  options: { copies: 1 }\n", "");
    let up = office.up(&site);
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "succeeded");
    let all = wait_for_states(&up, &["printed", "printed"]);
    assert_eq!((office.paper.times(&one, 1), office.paper.times(&one, 3)), (1, 1));
    assert_eq!((office.paper.times(&two, 2), office.paper.printed().len()), (1, 5));
    let logs = up.call(&["logs", &run]).ended(0).out;
    assert!(
        logs.contains("printed, 3 impressions") && logs.contains("printed, 2 impressions"),
        "{logs}"
    );
    let shown = up.call(&["print", "show", &id(&all[0])]).ended(0).out;
    assert!(shown.contains("3 of 3 impressions counted"), "{shown}");
    let queues = up.call(&["print", "queues", "-o", "json"]).ended(0).json();
    assert_eq!((&queues[0]["printed"], &queues[0]["impressions"]), (&2.into(), &5.into()));
    up.call(&["print", "reconcile"]).ended(0);
    let log = up.call(&["events", "-o", "json"]).ended(0).out;
    assert!(!log.contains("a.txt") && !log.contains("page 1"), "names and content are no evidence");
    let again = ask(&up, "reports");
    assert_eq!(ended(&up, &again), "succeeded", "another run is another printing");
    assert_eq!(office.paper.times(&one, 1), 2);
    let found = up.call(&["print", "reconcile"]).ended(1).out;
    assert_eq!(found.matches("duplicate").count(), 2, "the same content twice is said: {found}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}
