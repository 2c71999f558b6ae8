//! Backups without Decklog's services: on a bare machine, with the repository, its password and this one program.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use domain::backup::progress::Pace;
use engine::{
    Browse, Check, Diff, Done, Entry, Find, Keys, Line, List, Operation, Outcome, Overwrite, Read,
    Report, Repository, Request, Restore, Secrets, SnapshotInfo,
};
use jiff::Timestamp;

use super::voice::{of, snapshot};
use crate::one_line::OneLine;

/// How it is called.
pub const USAGE: &str = "\
usage: decklog-executor COMMAND --repository LOCATION --password-file FILE [options]

  snapshots [--dataset NAME]                                   lists snapshots, newest first
  restore --to DIR [--snapshot ID] [--dataset NAME] [--path PATH] [--replace] [--dry-run]
                                                               brings a snapshot back and compares it with its manifest;
                                                               without --snapshot the newest (of the dataset)
  browse --snapshot ID [--path PATH]                           lists a directory of a snapshot
  find PATTERN [--dataset NAME]                                finds files by name in all snapshots
  diff A B                                                     compares two snapshots
  check                                                        reads all data of the repository

  --region NAME       the region of an S3 bucket
  --ca-file FILE      certificates to trust instead of the system's, for s3: and rest:
  --ssh-config FILE   a configuration for ssh instead of the user's own, for sftp:

restore and check say how far they are: on a terminal in a line that is written over, elsewhere as lines of JSON on standard
output.

Needs neither the log nor any service: what restores when everything else is gone. LOCATION is written as restic writes
it, and restic restores the same repositories. Keys of a storage are read from the variables that restic reads:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, RESTIC_REST_USERNAME, RESTIC_REST_PASSWORD.";

const COMMANDS: [&str; 6] = ["snapshots", "restore", "browse", "find", "diff", "check"];

/// Whether these arguments are for [`run`].
pub fn is_bare(first: &str) -> bool {
    COMMANDS.contains(&first)
}

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    command: String,
    words: Vec<String>,
    repository: Option<String>,
    password_file: Option<PathBuf>,
    dataset: Option<String>,
    snapshot: Option<String>,
    path: Option<String>,
    to: Option<String>,
    replace: bool,
    dry_run: bool,
    region: Option<String>,
    ca_file: Option<String>,
    ssh_config: Option<String>,
}

/// Carries a command out; the exit code: 0 good, 1 failed, 2 wrong call, 3 incomplete.
pub fn run(args: impl Iterator<Item = String>) -> u8 {
    match read(args).and_then(|asked| Bare::open(&asked).map(|bare| (asked, bare))) {
        Ok((asked, bare)) => bare.carry_out(&asked).unwrap_or_else(|problem| {
            eprintln!("decklog-executor: {problem}");
            2
        }),
        Err(problem) => {
            eprintln!("decklog-executor: {problem}\n{USAGE}");
            2
        }
    }
}

fn read(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { command: args.next().unwrap_or_default(), ..Asked::default() };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--repository" => asked.repository = Some(value()?),
            "--password-file" => asked.password_file = Some(value()?.into()),
            "--dataset" => asked.dataset = Some(value()?),
            "--snapshot" => asked.snapshot = Some(value()?),
            "--path" => asked.path = Some(value()?),
            "--to" => asked.to = Some(value()?),
            "--region" => asked.region = Some(value()?),
            "--ca-file" => asked.ca_file = Some(value()?),
            "--ssh-config" => asked.ssh_config = Some(value()?),
            "--replace" => asked.replace = true,
            "--dry-run" => asked.dry_run = true,
            flag if flag.starts_with("--") => return Err(format!("{flag} is not known")),
            _ => asked.words.push(arg),
        }
    }
    Ok(asked)
}

struct Bare {
    repository: Repository,
    secrets: Secrets,
}

impl Bare {
    fn open(asked: &Asked) -> Result<Self, String> {
        let location = asked.repository.clone().ok_or("--repository is missing")?;
        let file = asked.password_file.as_ref().ok_or("--password-file is missing")?;
        let password = std::fs::read_to_string(file)
            .map_err(|error| format!("reading the password from {}: {error}", file.display()))?;
        let password = password.trim_end_matches(['\n', '\r']).to_owned();
        let path = |path: &Option<String>| path.as_deref().map(Into::into);
        let repository = Repository {
            location,
            region: asked.region.clone(),
            ca_file: path(&asked.ca_file),
            ssh_config: path(&asked.ssh_config),
            ..Repository::default()
        };
        let keys = Keys::of(|name| std::env::var(name).ok());
        Ok(Self { repository, secrets: Secrets { password, keys, ..Secrets::default() } })
    }

    fn carry_out(&self, asked: &Asked) -> Result<u8, String> {
        let word = |index: usize, what: &str| {
            asked.words.get(index).cloned().ok_or_else(|| format!("name {what}"))
        };
        let operation = match asked.command.as_str() {
            "snapshots" => Operation::List(List { dataset: asked.dataset.clone() }),
            "restore" => Operation::Restore(self.restore(asked)?),
            "browse" => Operation::Browse(Browse {
                snapshot: asked.snapshot.clone().ok_or("--snapshot is missing")?,
                path: asked.path.clone().unwrap_or_default().as_str().into(),
                limit: 10_000,
            }),
            "find" => Operation::Find(Find {
                pattern: word(0, "a pattern, such as '*.csv'")?,
                dataset: asked.dataset.clone(),
                snapshots: Vec::new(),
                limit: 10_000,
            }),
            "diff" => {
                Operation::Diff(Diff { a: word(0, "two snapshots")?, b: word(1, "two snapshots")? })
            }
            _ => Operation::Check(Check { read: Read::All, snapshots: Vec::new() }),
        };
        let mut screen = Screen::of(&operation);
        let report = self.ask(operation, &mut |line| screen.show(line));
        screen.line.leave();
        Ok(told(&report))
    }

    fn restore(&self, asked: &Asked) -> Result<Restore, String> {
        let to = asked.to.clone().ok_or("--to is missing: the directory to restore into")?;
        let snapshot = match asked.snapshot.as_deref() {
            Some(named) if named != "latest" => named.to_owned(),
            Some(_) | None => self.newest(asked)?,
        };
        Ok(Restore {
            snapshot,
            path: asked.path.as_deref().map(Into::into),
            to: to.as_str().into(),
            sample: None,
            overwrite: if asked.replace { Overwrite::Replace } else { Overwrite::Never },
            dry_run: asked.dry_run,
            compare: true,
            memory_limit_bytes: 300 * 1024 * 1024,
        })
    }

    /// Without the log only the repository's own word says which is the newest.
    fn newest(&self, asked: &Asked) -> Result<String, String> {
        let mut all: Vec<SnapshotInfo> = Vec::new();
        let list = Operation::List(List { dataset: asked.dataset.clone() });
        let report = self.ask(list, &mut |line| {
            if let Line::Snapshot(one) = line {
                all.push(*one);
            }
        });
        if report.outcome != Outcome::Good {
            return Err(report.problem.unwrap_or_else(|| "the repository cannot be listed".into()));
        }
        if let Some(Done::List(list)) = report.result
            && all.is_empty()
        {
            all = list.snapshots.first;
        }
        let mut datasets: Vec<&str> = all.iter().filter_map(|one| one.dataset.as_deref()).collect();
        datasets.sort_unstable();
        datasets.dedup();
        if datasets.len() > 1 {
            return Err(format!("it holds {}: name one with --dataset", datasets.join(", ")));
        }
        let newest = all.into_iter().max_by_key(|one| one.time);
        newest.map(|one| one.id).ok_or_else(|| "it holds no snapshot of that".to_owned())
    }

    fn ask(&self, operation: Operation, show: &mut dyn FnMut(Line)) -> Report {
        let request = Request { repository: self.repository.clone(), operation };
        engine::run(&request, &self.secrets, show)
    }
}

/// What is seen while it works.
struct Screen {
    pace: Pace,
    /// Whether people look: then how far it is stands in one line that is written over.
    people: bool,
    /// Whether there is nothing else on standard output, so that programs find there how far it is.
    free: bool,
    line: OneLine,
}

impl Screen {
    fn of(operation: &Operation) -> Self {
        let free = matches!(operation, Operation::Restore(_) | Operation::Check(_));
        let people = io::stderr().is_terminal();
        Self { pace: Pace::default(), people, free, line: OneLine::default() }
    }

    fn show(&mut self, line: Line) {
        let mut out = io::stdout().lock();
        // A reader that has gone away is no error.
        let _ = match line {
            Line::Snapshot(one) => writeln!(out, "{}", snapshot(&one)),
            Line::Entry(one) => writeln!(out, "{}", entry(&one)),
            Line::Warning(warning) => {
                self.line.leave();
                writeln!(io::stderr(), "{warning}")
            }
            Line::Progress(said) => {
                let told = of(&mut self.pace, &said, Timestamp::now());
                if self.people {
                    self.line.draw(&told.bar())
                } else if self.free {
                    serde_json::to_string(&told)
                        .map_err(Into::into)
                        .and_then(|t| writeln!(out, "{t}"))
                } else {
                    Ok(())
                }
            }
            Line::Report(_) => Ok(()),
        };
    }
}

fn entry(one: &Entry) -> String {
    let change = one.change.as_deref().map_or_else(String::new, |change| format!("{change:<9} "));
    let snapshot = one.snapshot.get(..8).unwrap_or(&one.snapshot);
    format!("{snapshot}  {change}{:<8} {:>12}  {}", one.kind, one.size, one.path)
}

/// Says how it ended, for people; the exit code.
fn told(report: &Report) -> u8 {
    let said = match &report.result {
        Some(Done::Restore(one)) => format!(
            "{} files, {} bytes restored from {}; {} compared with the manifest, {} differ, {} damaged",
            one.files,
            one.bytes,
            one.snapshot,
            one.compared,
            one.differences.count,
            one.damaged.count
        ),
        Some(Done::Check(one)) => format!(
            "{} of {} data files read; {} damaged, {} snapshots affected",
            one.packs_read,
            one.packs,
            one.damaged_packs.count,
            one.damaged.len()
        ),
        Some(Done::List(one)) => format!("{} snapshots", one.snapshots.count),
        Some(Done::Find(one)) => format!("{} hits in {} snapshots", one.hits.count, one.snapshots),
        Some(Done::Diff(one)) => {
            format!("{} added, {} removed, {} changed", one.added, one.removed, one.changed)
        }
        Some(_) | None => String::new(),
    };
    if !said.is_empty() {
        eprintln!("{said}");
    }
    if let Some(problem) = &report.problem {
        eprintln!("decklog-executor: {problem}");
    }
    match report.outcome {
        Outcome::Good => 0,
        Outcome::Failed | Outcome::Cancelled => 1,
        Outcome::Incomplete => 3,
    }
}
