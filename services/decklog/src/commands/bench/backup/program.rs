//! The programs that are measured, and what a call of one costs.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};
use wait4::Wait4 as _;

/// It opens repositories that are deleted when the measurement ends.
const PASSWORD: &str = "measured";

/// What is measured.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// This executable as the engine of a backup job; so much of what it wrote it reads again, percent.
    Ours { read_back: u8 },
    /// Restic.
    Restic { program: PathBuf, name: String },
    /// Borg.
    Borg { program: PathBuf, name: String },
}

/// What one call cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Seconds.
    pub(super) wall: f64,
    /// Seconds of all its processes, in user and in kernel mode.
    pub(super) cpu: f64,
    /// MiB of the largest of its processes.
    pub(super) memory: f64,
}

impl Cost {
    /// The best of both, each figure for itself.
    pub(super) fn best(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
            memory: self.memory.min(other.memory),
        }
    }
}

/// Where one program works.
pub(super) struct Desk {
    program: Program,
    dir: PathBuf,
    tree: PathBuf,
    /// The newest snapshot, where the program has to be told.
    snapshot: String,
}

impl Program {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Ours { read_back } => format!("read-back {read_back}"),
            Self::Restic { name, .. } | Self::Borg { name, .. } => name.clone(),
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { .. })
    }

    /// Those that can be run, ours first; what cannot be run is said.
    pub(super) fn all(restic: &[PathBuf], borg: Option<&Path>) -> Vec<Self> {
        let mut all = vec![Self::Ours { read_back: 0 }, Self::Ours { read_back: 100 }];
        let plain = [PathBuf::from("restic")];
        for program in if restic.is_empty() { &plain } else { restic } {
            let name = version(program, "version");
            all.extend(name.map(|name| Self::Restic { program: program.clone(), name }));
        }
        let program = borg.unwrap_or(Path::new("borg"));
        let name = version(program, "--version");
        all.extend(name.map(|name| Self::Borg { program: program.to_owned(), name }));
        all
    }
}

/// The name and version of a program, the first two words it says of itself.
fn version(program: &Path, how: &str) -> Option<String> {
    let said = Command::new(program).arg(how).stdin(Stdio::null()).output();
    match said {
        Ok(said) if said.status.success() => {
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            Some(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        }
        Ok(said) => {
            eprintln!("{} {how} ends with {}: it is not measured", program.display(), said.status);
            None
        }
        Err(error) => {
            eprintln!("{} cannot be run ({error}): it is not measured", program.display());
            None
        }
    }
}

impl Desk {
    /// A fresh directory for a program that backs up a tree.
    pub(super) fn new(program: &Program, dir: PathBuf, tree: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let program = program.clone();
        Ok(Self { program, dir, tree: tree.to_owned(), snapshot: String::new() })
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.dir.join("repository")
    }

    /// Creates the repository.
    pub(super) fn init(&self) -> anyhow::Result<()> {
        let command = match &self.program {
            Program::Ours { .. } => self.engine(&json!("init"))?,
            Program::Restic { program, .. } => self.restic(program, &["init"]),
            Program::Borg { program, .. } => {
                let mut borg = self.borg(program, &["init", "--encryption", "repokey"]);
                borg.arg(self.repository());
                borg
            }
        };
        self.run(command).map(drop)
    }

    /// Backs the tree up.
    pub(super) fn back_up(&mut self, run: &str) -> anyhow::Result<Cost> {
        let command = match &self.program {
            Program::Ours { read_back } => self.engine(&json!({"backup": {
                "dataset": "bench", "run": run, "host": "bench", "read-back": read_back,
                "source": {"paths": {"paths": [self.tree]}},
            }}))?,
            Program::Restic { program, .. } => {
                let mut restic = self.restic(program, &["backup"]);
                restic.arg(&self.tree);
                restic
            }
            Program::Borg { program, .. } => {
                // The others compress with zstd at this level too.
                let mut borg = self.borg(program, &["create", "--compression", "zstd,3"]);
                borg.arg(format!("{}::{run}", self.repository().display())).arg(&self.tree);
                borg
            }
        };
        let cost = self.run(command)?;
        self.snapshot = if self.program.is_ours() { self.written()? } else { run.to_owned() };
        Ok(cost)
    }

    /// Brings the newest snapshot back into a directory.
    pub(super) fn restore(&self, to: &Path) -> anyhow::Result<Cost> {
        let command = match &self.program {
            Program::Ours { .. } => {
                self.engine(&json!({"restore": {"snapshot": self.snapshot, "to": to}}))?
            }
            Program::Restic { program, .. } => {
                let mut restic = self.restic(program, &["restore", "latest", "--target"]);
                restic.arg(to);
                restic
            }
            Program::Borg { program, .. } => {
                std::fs::create_dir_all(to)?;
                let mut borg = self.borg(program, &["extract"]);
                borg.arg(format!("{}::{}", self.repository().display(), self.snapshot));
                borg.current_dir(to);
                borg
            }
        };
        self.run(command)
    }

    fn report(&self) -> PathBuf {
        self.dir.join("report.json")
    }

    /// The snapshot our engine says it has written.
    fn written(&self) -> anyhow::Result<String> {
        let report: Value = serde_json::from_slice(&std::fs::read(self.report())?)?;
        let snapshot = report.pointer("/report/result/backup/snapshot").and_then(Value::as_str);
        Ok(snapshot.context("the engine's report names no snapshot")?.to_owned())
    }

    /// As an executor starts it, but for the supervisor between.
    fn engine(&self, operation: &Value) -> anyhow::Result<Command> {
        std::fs::File::create(self.report())?;
        let location = self.repository();
        let task =
            json!({"engine": {"repository": {"location": location}, "operation": operation}});
        let mut input = tempfile::tempfile()?;
        serde_json::to_writer(&mut input, &task)?;
        input.flush()?;
        input.rewind()?;
        let mut command = self.bare(&std::env::current_exe()?, &["engine"]);
        command.env("DECKLOG_REPOSITORY_PASSWORD", PASSWORD);
        command.env("DECKLOG_ENGINE_REPORT", self.report()).stdin(input);
        Ok(command)
    }

    fn restic(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = self.bare(program, words);
        command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_REPOSITORY", self.repository());
        command.env("RESTIC_CACHE_DIR", self.dir.join("cache"));
        command
    }

    fn borg(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = self.bare(program, words);
        command.env("BORG_PASSPHRASE", PASSWORD).env("BORG_BASE_DIR", self.dir.join("cache"));
        command
    }

    /// Nothing of what this machine has set for one of them.
    fn bare(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).env_clear().env("HOME", &self.dir).env("LANG", "C.UTF-8");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn run(&self, mut command: Command) -> anyhow::Result<Cost> {
        let errors = self.dir.join("errors");
        command.stderr(std::fs::File::create(&errors)?);
        let begin = Instant::now();
        // Without its environment, which holds the password.
        let words: Vec<_> =
            std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let called = format!("{words:?}");
        let child = command.spawn().with_context(|| format!("starting {called}"))?;
        let ended = child.wait4()?;
        let wall = begin.elapsed().as_secs_f64();
        anyhow::ensure!(
            ended.status.success(),
            "{called} ended with {}: {}",
            ended.status,
            String::from_utf8_lossy(&std::fs::read(&errors)?)
        );
        let used = ended.rusage;
        let cpu = (used.utime + used.stime).as_secs_f64();
        Ok(Cost { wall, cpu, memory: used.maxrss as f64 / f64::from(1 << 20) })
    }
}
