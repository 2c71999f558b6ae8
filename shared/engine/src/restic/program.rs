//! Calling restic: its version, its password through the environment, its errors by kind.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use crate::child::{code, command};
use crate::context::Cancel;
use crate::problem::{Problem, io};
use crate::report::ProblemKind;
use crate::request::{Repository, Secrets};

/// The oldest version whose repositories and answers are known here.
const OLDEST: (u32, u32) = (0, 14);

/// Variables that would lead restic elsewhere.
const MISLEADING: [&str; 4] = [
    "RESTIC_REPOSITORY",
    "RESTIC_REPOSITORY_FILE",
    "RESTIC_PASSWORD_FILE",
    "RESTIC_PASSWORD_COMMAND",
];

/// Credentials of storages that restic needs and other commands do not see.
const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "RESTIC_REST_USERNAME",
    "RESTIC_REST_PASSWORD",
];

/// An installed restic.
pub(crate) struct Program {
    path: PathBuf,
    version: String,
    arguments: Vec<OsString>,
    password: String,
    cancel: Cancel,
}

impl Program {
    /// Looks for the program and asks its version.
    pub(crate) fn find(
        repository: &Repository,
        secrets: &Secrets,
        cancel: Cancel,
    ) -> Result<Self, Problem> {
        let path = locate(repository)?;
        let mut program = Self {
            path,
            version: String::new(),
            arguments: arguments(repository),
            password: secrets.password.clone(),
            cancel,
        };
        program.version = program.ask_version()?;
        Ok(program)
    }

    /// Its name and version.
    pub(crate) fn name(&self) -> String {
        format!("restic {}", self.version)
    }

    fn ask_version(&self) -> Result<String, Problem> {
        let output = self.spawn(&[OsStr::new("version")])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let mut numbers = version.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found >= OLDEST {
            return Ok(version);
        }
        let message = format!(
            "{} is restic {version:?}: version 0.14 or newer is needed",
            self.path.display()
        );
        Err(Problem::new(ProblemKind::Unsupported, message))
    }

    /// Runs it on the repository.
    pub(crate) fn call<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output, Problem> {
        let all: Vec<&OsStr> = self
            .arguments
            .iter()
            .map(OsString::as_os_str)
            .chain(arguments.iter().map(AsRef::as_ref))
            .collect();
        let output = self.spawn(&all)?;
        self.cancel.check()?;
        Ok(output)
    }

    /// Runs it and takes everything but success as a problem.
    pub(crate) fn must<S: AsRef<OsStr>>(
        &self,
        tried: &str,
        arguments: &[S],
    ) -> Result<Vec<u8>, Problem> {
        let output = self.call(arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(failed(tried, &output))
    }

    fn spawn(&self, arguments: &[&OsStr]) -> Result<Output, Problem> {
        let tried = || io(ProblemKind::Unsupported, format!("starting {}", self.path.display()));
        let argv = [self.path.to_string_lossy().into_owned()];
        let mut command = command(&argv, &BTreeMap::new()).map_err(tried())?;
        for name in MISLEADING {
            command.env_remove(name);
        }
        for name in CREDENTIALS {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.args(arguments).env("RESTIC_PASSWORD", &self.password);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.map_err(tried())?;
        let group = child.id();
        self.cancel.add_group(group);
        let output = child.wait_with_output();
        self.cancel.remove_group(group);
        output.map_err(tried())
    }
}

fn locate(repository: &Repository) -> Result<PathBuf, Problem> {
    if let Some(path) = &repository.restic {
        return Ok(path.path().to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("restic")).find(|p| p.is_file());
    found.ok_or_else(|| {
        let message = "looking for the program restic in PATH: it is not there; install it";
        Problem::new(ProblemKind::Unsupported, message)
    })
}

fn arguments(repository: &Repository) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--repo".into(), repository.location.clone().into()];
    match &repository.cache {
        Some(cache) => arguments.extend(["--cache-dir".into(), cache.path().into()]),
        None => arguments.push("--no-cache".into()),
    }
    arguments
}

/// The kind of a failure: newer versions have exit codes for it, older ones only words.
pub(crate) fn failed(tried: &str, output: &Output) -> Problem {
    let said = said(output);
    let has = |words: &str| said.contains(words);
    let kind = match code(output.status) {
        10 => ProblemKind::NotARepository,
        11 => ProblemKind::Locked,
        12 => ProblemKind::WrongPassword,
        _ if has("wrong password") => ProblemKind::WrongPassword,
        _ if has("unable to open config file") => ProblemKind::NotARepository,
        _ if has("already locked") => ProblemKind::Locked,
        _ if has("no matching ID found") => ProblemKind::NotFound,
        _ if has("no space left") => ProblemKind::NoSpace,
        _ => ProblemKind::Damaged,
    };
    Problem::new(kind, format!("{tried} with restic: {said}"))
}

/// What it said, on either stream, in one line; messages in JSON without their wrapping.
pub(crate) fn said(output: &Output) -> String {
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes));
    let lines = text.iter().flat_map(|text| text.lines()).filter_map(plain);
    let mut said: String = lines.collect::<Vec<_>>().join("; ");
    let end = (0..=1000.min(said.len())).rev().find(|at| said.is_char_boundary(*at));
    said.truncate(end.unwrap_or(0));
    said
}

fn plain(line: &str) -> Option<String> {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(line) else {
        return Some(line.trim().to_owned()).filter(|line| !line.is_empty());
    };
    let message = json.get("message").or_else(|| json.get("error")?.get("message"))?;
    Some(message.as_str()?.trim().to_owned())
}

/// A path as a pattern that matches only itself.
pub(crate) fn pattern(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if b"*?[\\".contains(byte) {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    OsString::from_vec(escaped)
}
