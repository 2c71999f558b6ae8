//! The child's side: carries out what it reads from standard input, and says how it ended.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use domain::canonical::Digest;
use engine::{
    Cancel, Done, FilePath, Line, List, ManifestOf, Operation, Outcome, Report, Repository,
    Request, Restore, Secrets, exit_code, process,
};
use serde::{Deserialize, Serialize};

use super::voice::Voice;

/// What the child does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Task {
    /// One request of an engine.
    Engine(Box<Request>),
    /// One request for names of files: what it finds is said line by line, and nothing else is.
    Look(Box<Request>),
    /// Removes those of these snapshots that are there, and lists what is left.
    Forget {
        /// Where.
        repository: Box<Repository>,
        /// Of which dataset.
        dataset: String,
        /// Which.
        snapshots: Vec<String>,
    },
    /// Restores a snapshot whose manifest is the one the log knows.
    Restore {
        /// From where.
        repository: Box<Repository>,
        /// What, and where to.
        restore: Box<Restore>,
        /// SHA-256 of its manifest.
        manifest: String,
    },
    /// Tries whether a snapshot can be restored.
    Test(Box<Test>),
}

/// A restore that is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    /// From where.
    pub(super) repository: Repository,
    /// What, and to which fresh directory. It is removed afterwards.
    pub(super) restore: Restore,
    /// SHA-256 of its manifest, as the log knows it.
    pub(super) manifest: String,
    /// The root that chooses, and how many files.
    pub(super) sample: Option<(Digest, u32)>,
    /// What is run on it.
    pub(super) check: Option<engine::Hook>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    /// The engine's report; of several the one that matters.
    pub(super) report: Report,
    /// The exit code of the check command, where there is one.
    #[serde(default)]
    pub(super) check: Option<i32>,
    /// How long it took until the data could be used, milliseconds.
    #[serde(default)]
    pub(super) took_ms: u64,
}

/// Reads a task, carries it out, and gives the exit code: 0 good, 1 failed, 3 incomplete, 130 cancelled.
pub(super) fn main() -> i32 {
    let task: Task = match serde_json::from_reader(io::stdin().lock()) {
        Ok(task) => task,
        Err(error) => {
            let _ = writeln!(io::stderr(), "reading the task from standard input: {error}");
            return 2;
        }
    };
    let cancel = Cancel::default();
    let heard = cancel.clone();
    if let Err(error) = process::on_signals(move || {
        heard.cancel();
    }) {
        let _ = writeln!(io::stderr(), "signals cannot be heard: {error}");
        return 1;
    }
    let voice = RefCell::new(Voice::new());
    let told = Doing { secrets: process::secrets(), cancel, voice }.carry_out(&task);
    keep(&told)
}

/// Says what came of it, keeps it in the file, and gives the exit code. What cannot be kept did not end well.
fn keep(told: &Told) -> i32 {
    if let Some(problem) = &told.report.problem {
        let _ = writeln!(io::stderr(), "{problem}");
    }
    let _ = writeln!(io::stdout(), "{}", in_words(told));
    if let Err(error) = process::keep(told) {
        let _ = writeln!(io::stderr(), "{error}");
        return 1;
    }
    match exit_code(told.report.outcome) {
        0 if told.check.is_some_and(|code| code != 0) => 1,
        code => i32::from(code),
    }
}

/// What came of it, for whoever reads the output.
fn in_words(told: &Told) -> String {
    let short = |id: &str| id.get(..8).unwrap_or(id).to_owned();
    match &told.report.result {
        Some(Done::Backup(one)) if !one.snapshot.is_empty() => format!(
            "snapshot {}: {} files, {} bytes, of which {} are new and take {}; {} could not be read",
            short(&one.snapshot),
            one.files,
            one.bytes,
            one.added_bytes,
            one.stored_bytes,
            one.errors.count
        ),
        Some(Done::List(one)) => format!("{} snapshots", one.snapshots.count),
        Some(Done::Check(one)) => format!(
            "{} of {} data files read, {} damaged; {} snapshots cannot be restored whole",
            one.packs_read,
            one.packs,
            one.damaged_packs.count,
            one.damaged.len()
        ),
        Some(Done::Restore(one)) => format!(
            "{} files, {} bytes from {}; {} compared, {} differ, {} damaged",
            one.files,
            one.bytes,
            short(&one.snapshot),
            one.compared,
            one.differences.count,
            one.damaged.count
        ),
        Some(Done::Prune(one)) => format!(
            "{} data files kept, {} written anew, {} marked, {} removed; {} bytes freed, {} to follow",
            one.packs_kept,
            one.packs_repacked,
            one.packs_marked,
            one.packs_deleted,
            one.freed_bytes,
            one.freed_later_bytes
        ),
        Some(Done::Copy(one)) => format!("{} snapshots copied", one.copied.len()),
        Some(_) | None => format!("{:?}", told.report.outcome).to_lowercase(),
    }
}

struct Doing {
    secrets: Secrets,
    cancel: Cancel,
    voice: RefCell<Voice>,
}

impl Doing {
    fn carry_out(&self, task: &Task) -> Told {
        match task {
            Task::Engine(request) => plain(self.run(request)),
            Task::Look(request) => plain(self.look(request)),
            Task::Forget { repository, dataset, snapshots } => {
                plain(self.forget(repository, dataset, snapshots))
            }
            Task::Restore { repository, restore, manifest } => {
                match self.known(repository, restore, manifest) {
                    Ok(_) => plain(self.ask(repository, Operation::Restore((**restore).clone()))),
                    Err(report) => plain(*report),
                }
            }
            Task::Test(test) => self.test(test),
        }
    }

    fn run(&self, request: &Request) -> Report {
        let hear = &mut |line| self.voice.borrow_mut().hear(&line);
        engine::run_guarded(request, &self.secrets, &self.cancel, hear)
    }

    fn look(&self, request: &Request) -> Report {
        engine::run_until(request, &self.secrets, &self.cancel, &mut |line| match line {
            Line::Entry(_) | Line::Warning(_) => process::say(&line),
            Line::Progress(_) | Line::Snapshot(_) | Line::Report(_) => {}
        })
    }

    fn ask(&self, repository: &Repository, operation: Operation) -> Report {
        let request = Request { repository: repository.clone(), operation };
        self.run(&request)
    }

    fn forget(&self, repository: &Repository, dataset: &str, wanted: &[String]) -> Report {
        let list = || Operation::List(List { dataset: Some(dataset.to_owned()) });
        let listed = self.ask(repository, list());
        let Some(Done::List(there)) = &listed.result else { return listed };
        let is_there = |id: &&String| there.snapshots.first.iter().any(|one| one.id == **id);
        let snapshots: Vec<String> = wanted.iter().filter(is_there).cloned().collect();
        if snapshots.is_empty() {
            return listed;
        }
        let forgotten = self.ask(repository, Operation::Forget(engine::Forget { snapshots }));
        if forgotten.outcome != Outcome::Good {
            return forgotten;
        }
        self.ask(repository, list())
    }

    fn test(&self, test: &Test) -> Told {
        let to = test.restore.to.path().to_owned();
        let began = Instant::now();
        let told = self.try_restore(test, began);
        // It was tried, and is in nobody's way any more. What a cancelled one leaves is removed too.
        let rest = part_of(&to, &test.restore.snapshot);
        for path in [to, rest] {
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let _ = writeln!(io::stderr(), "removing {}: {error}", path.display());
                }
                Ok(()) | Err(_) => {}
            }
        }
        told
    }

    fn try_restore(&self, test: &Test, began: Instant) -> Told {
        let mut restore = test.restore.clone();
        let files = match self.known(&test.repository, &restore, &test.manifest) {
            Ok(files) => files,
            Err(report) => return plain(*report),
        };
        if let Some((root, count)) = &test.sample {
            let chosen = domain::backup::sample(root, files.len() as u64, *count);
            let file = |number: u64| files.get(usize::try_from(number).ok()?).cloned();
            restore.sample = Some(chosen.into_iter().filter_map(file).collect());
        }
        let to = restore.to.path().to_owned();
        let report = self.ask(&test.repository, Operation::Restore(restore));
        let mut told = plain(report);
        if let (Outcome::Good, Some(check)) = (told.report.outcome, &test.check) {
            told.check = Some(run_check(check, &to, &self.cancel));
        }
        told.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        told
    }

    /// The files of a snapshot, where its manifest is the one the log knows: who can write to a repository could put
    /// another snapshot and another manifest there together.
    fn known(
        &self,
        repository: &Repository,
        restore: &Restore,
        manifest: &str,
    ) -> Result<Vec<FilePath>, Box<Report>> {
        let (snapshot, sha256) = (restore.snapshot.clone(), Some(manifest.to_owned()));
        let operation = Operation::Manifest(ManifestOf { snapshot, sha256 });
        let request = Request { repository: repository.clone(), operation };
        let mut files = Vec::new();
        let mut take = |line: Line| match line {
            Line::Entry(entry) if entry.kind == "file" => files.push(entry.path),
            Line::Entry(_) => {}
            other
            @ (Line::Progress(_) | Line::Warning(_) | Line::Snapshot(_) | Line::Report(_)) => {
                self.voice.borrow_mut().hear(&other);
            }
        };
        let report = engine::run_until(&request, &self.secrets, &self.cancel, &mut take);
        if report.outcome == Outcome::Good { Ok(files) } else { Err(Box::new(report)) }
    }
}

fn part_of(to: &Path, snapshot: &str) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".decklog-part-{}", snapshot.get(..8).unwrap_or(snapshot)));
    name.into()
}

fn plain(report: Report) -> Told {
    let took = report.ended.saturating_sub(report.began) / 1_000;
    Told { report, check: None, took_ms: u64::try_from(took).unwrap_or(0) }
}

/// How long between two looks at a check command.
const LOOK: Duration = Duration::from_millis(50);

/// What of this process' environment a check command gets.
const CHECK_VARIABLES: [&str; 10] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "DECKLOG_JOB",
    "DECKLOG_RUN",
    "DECKLOG_ATTEMPT",
    "DECKLOG_BUSINESS_DATE",
];

/// Runs a command on what was restored; its exit code, 124 where it took too long, 126 where it could not be started.
fn run_check(check: &engine::Hook, restored: &Path, cancel: &Cancel) -> i32 {
    let mut words = check.argv.iter();
    let program = words.next().map_or("", String::as_str);
    let mut command = Command::new(program);
    command.args(words).env_clear();
    // No key of the repository is for it.
    let handed_on = |name: &str| CHECK_VARIABLES.contains(&name);
    command.envs(std::env::vars().filter(|(name, _)| handed_on(name)));
    command.envs(&check.env).env("DECKLOG_RESTORED", restored).stdin(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot start {program}: {error}");
            return 126;
        }
    };
    let until = Instant::now() + Duration::from_millis(check.timeout_ms);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.code().unwrap_or(125),
            Ok(None) if Instant::now() < until && !cancel.is_cancelled() => {
                std::thread::sleep(LOOK);
            }
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return 124;
            }
        }
    }
}
