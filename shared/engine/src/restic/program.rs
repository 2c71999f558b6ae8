//! Calling restic: its version, its environment, its errors by kind, and its end when we end.
//!
//! It gets an environment of its own: passwords and the storage's keys stand there and in no argument, and nothing of
//! ours that could make it run another program or lead it to another repository. Where this program can be started as
//! a guardian, restic does not outlive us.

use std::ffi::{OsStr, OsString};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;

use nix::sys::signal::Signal;

use crate::child::{code, end};
use crate::context::{Context, lock};
use crate::guardian::Guardian;
use crate::problem::{Problem, io};
use crate::report::ProblemKind;
use crate::request::{Keys, Repository, Secrets};
use crate::store::{Location, Remote};

/// The oldest version whose repositories and answers are known here.
const OLDEST: (u32, u32) = (0, 14);
/// The oldest version that writes: it says by its exit code what became of a backup, and looks at what it sends.
const WRITES: (u32, u32) = (0, 17);

/// How long restic waits for a lock that somebody else holds.
const PATIENCE: &str = "5m";

/// What restic sees of our environment: where it finds programs, keys and certificates of its user, and by what a
/// supervisor knows whose it is.
const HANDED_ON: [&str; 20] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "SSH_AUTH_SOCK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GOMEMLIMIT",
    "DECKLOG_RUN",
    "DECKLOG_ATTEMPT",
];

/// Most bytes kept of what it says on standard error.
const MOST_SAID: u64 = 1 << 20;

/// An installed restic.
pub(crate) struct Program {
    path: PathBuf,
    version: String,
    numbers: (u32, u32),
    arguments: Vec<OsString>,
    password: String,
    /// The keys of its storage.
    keys: Keys,
    /// The password of a repository that is copied from.
    from_password: Option<String>,
    context: Context,
    guardian: Mutex<Option<Guardian>>,
}

impl Program {
    /// Looks for the program and asks its version.
    pub(crate) fn find(
        repository: &Repository,
        secrets: &Secrets,
        context: Context,
    ) -> Result<Self, Problem> {
        let mut program = Self {
            path: locate(repository)?,
            version: String::new(),
            numbers: (0, 0),
            arguments: arguments(repository)?,
            password: secrets.password.clone(),
            keys: secrets.keys.clone(),
            from_password: None,
            context,
            guardian: Mutex::default(),
        };
        refuse_open(&repository.location, &secrets.keys)?;
        program.ask_version()?;
        if program.numbers >= WRITES {
            program.arguments.extend(ssh_options(repository)?);
        }
        if program.context.guarded {
            let guardian = Guardian::start(None);
            let guardian = guardian.map_err(io(ProblemKind::Internal, "starting a guardian"))?;
            program.guardian = Mutex::new(Some(guardian));
        }
        Ok(program)
    }

    /// The same, with the password of another repository that is read.
    pub(super) fn reading_from(mut self, password: &str) -> Self {
        self.from_password = Some(password.to_owned());
        self
    }

    /// Its name and version.
    pub(crate) fn name(&self) -> String {
        format!("restic {}", self.version)
    }

    fn ask_version(&mut self) -> Result<(), Problem> {
        let mut command = self.command(Stdio::null());
        let output = command.arg("version").stderr(Stdio::null()).output();
        let output = output.map_err(self.starting())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        self.version = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let mut numbers = self.version.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
        self.numbers = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if self.numbers >= OLDEST {
            return Ok(());
        }
        let message = format!(
            "{} is restic {:?}: version 0.14 or newer is needed to read, 0.17 or newer to write",
            self.path.display(),
            self.version
        );
        Err(Problem::new(ProblemKind::Unsupported, message))
    }

    /// Refuses to write with a version that does not say what became of it.
    pub(super) fn must_write(&self, what: &str) -> Result<(), Problem> {
        if self.numbers >= WRITES {
            return Ok(());
        }
        let message = format!(
            "{what} with {}, which is restic {}: it only reads and checks; install restic 0.17 or \
             newer, or set `engine: rustic`",
            self.path.display(),
            self.version
        );
        Err(Problem::new(ProblemKind::Unsupported, message))
    }

    /// Options of a command that takes a lock: how long it waits for somebody else's.
    pub(super) fn patience(&self) -> &'static [&'static str] {
        if self.numbers >= WRITES { &["--retry-lock", PATIENCE] } else { &[] }
    }

    /// Whether it can leave holes where a file has zeros.
    pub(super) fn knows_holes(&self) -> bool {
        self.numbers >= (0, 15)
    }

    fn starting(&self) -> impl FnOnce(std::io::Error) -> Problem {
        io(ProblemKind::Unsupported, format!("starting {}", self.path.display()))
    }

    fn command(&self, stdin: Stdio) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&self.path);
        command.env_clear().process_group(0).stdin(stdin).stdout(Stdio::piped());
        for name in HANDED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.keys.iter());
        command.env("RESTIC_PROGRESS_FPS", "1");
        command
    }

    /// Starts it on the repository; it ends when the operation is cancelled.
    pub(super) fn start<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        stdin: Stdio,
    ) -> Result<Running<'_>, Problem> {
        let running = self.spawn(arguments, stdin)?;
        self.context.cancel.add_group(running.child.id());
        Ok(running)
    }

    /// Runs it to take something back: also when the operation is cancelled.
    pub(super) fn undo<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output, Problem> {
        let mut stdout = Vec::new();
        let running = self.spawn(arguments, Stdio::null())?;
        let (status, stderr) = running.read(|out| out.read_to_end(&mut stdout).map(|_| ()))?;
        Ok(Output { status, stdout, stderr })
    }

    fn spawn<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        stdin: Stdio,
    ) -> Result<Running<'_>, Problem> {
        let mut command = self.command(stdin);
        command.args(&self.arguments).args(arguments).stderr(Stdio::piped());
        command.env("RESTIC_PASSWORD", &self.password);
        if let Some(password) = &self.from_password {
            command.env("RESTIC_FROM_PASSWORD", password);
        }
        let child = command.spawn().map_err(self.starting())?;
        if let Some(guardian) = &mut *lock(&self.guardian) {
            guardian.watch(child.id());
        }
        Ok(Running { child, program: self, ended: false })
    }

    /// Runs it on the repository.
    pub(crate) fn call<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output, Problem> {
        let mut stdout = Vec::new();
        let running = self.start(arguments, Stdio::null())?;
        let (status, stderr) = running.read(|out| out.read_to_end(&mut stdout).map(|_| ()))?;
        self.context.cancel.check()?;
        Ok(Output { status, stdout, stderr })
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

    /// Runs it, reads what it writes as it comes, and takes everything but success as a problem.
    pub(super) fn stream<S: AsRef<OsStr>>(
        &self,
        tried: &str,
        arguments: &[S],
        read: impl FnOnce(&mut BufReader<ChildStdout>) -> std::io::Result<()>,
    ) -> Result<(), Problem> {
        let running = self.start(arguments, Stdio::null())?;
        let (status, stderr) = running.read(read)?;
        self.context.cancel.check()?;
        if status.success() {
            return Ok(());
        }
        Err(failed(tried, &Output { status, stdout: Vec::new(), stderr }))
    }

    /// Has the guardian keep the reader of a pipe from seeing its end, should we be killed.
    pub(super) fn hold(&self, pipe: &Path) -> Result<(), Problem> {
        let mut guardian = lock(&self.guardian);
        let held = guardian.as_mut().map_or(Ok(()), |guardian| guardian.hold(pipe));
        held.map_err(io(ProblemKind::Internal, "having a guardian hold restic's input"))
    }

    /// Lets restic see the end of the pipe, once we close it.
    pub(super) fn release(&self) -> Result<(), Problem> {
        let mut guardian = lock(&self.guardian);
        let released = guardian.as_mut().map_or(Ok(()), Guardian::release);
        released.map_err(io(ProblemKind::Internal, "having a guardian release restic's input"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(guardian) = lock(&self.guardian).take() {
            guardian.dismiss();
        }
    }
}

/// A restic that runs; it is ended where nobody waits for it.
pub(super) struct Running<'a> {
    child: Child,
    program: &'a Program,
    ended: bool,
}

impl Running<'_> {
    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(super) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Ends it at once: it saves nothing any more.
    pub(super) fn kill(&self) {
        end(self.child.id(), Signal::SIGKILL);
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) -> Result<ExitStatus, Problem> {
        let status = self.child.wait().map_err(self.program.starting());
        self.program.context.cancel.remove_group(self.child.id());
        if let Some(guardian) = &mut *lock(&self.program.guardian) {
            guardian.forget();
        }
        self.ended = true;
        status
    }

    /// Reads what it writes, and gives how it ended and what it said.
    fn read(
        mut self,
        read: impl FnOnce(&mut BufReader<ChildStdout>) -> std::io::Result<()>,
    ) -> Result<(ExitStatus, Vec<u8>), Problem> {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr.by_ref().take(MOST_SAID).read_to_end(&mut said);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            }
            said
        });
        let answer = match stdout {
            Some(stdout) => {
                let mut stdout = BufReader::new(stdout);
                let answer = read(&mut stdout);
                let _ = std::io::copy(&mut stdout, &mut std::io::sink());
                answer
            }
            None => Ok(()),
        };
        let status = self.wait()?;
        let said = said.join().unwrap_or_default();
        answer.map_err(io(ProblemKind::Internal, "reading what restic answers"))?;
        Ok((status, said))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            let _ = self.wait();
        }
    }
}

fn locate(repository: &Repository) -> Result<PathBuf, Problem> {
    if let Some(path) = &repository.restic {
        return Ok(path.path().to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("restic")).find(|p| p.is_file());
    found.ok_or_else(|| {
        let message =
            "looking for the program restic in PATH: it is not there; install restic 0.17 or newer";
        Problem::new(ProblemKind::Unsupported, message)
    })
}

/// A location restic gets: a directory or a storage it reaches itself, and none by which another program is named.
pub(super) fn checked(location: &str) -> Result<&str, Problem> {
    let parsed = location.parse::<Location>();
    parsed.map(|_| location).map_err(|why| bad_location(location, &why))
}

fn bad_location(location: &str, why: &str) -> Problem {
    Problem::new(ProblemKind::BadRequest, format!("the location {location:?}: {why}"))
}

/// Refuses to send a password for everybody to read, which restic would do.
pub(super) fn refuse_open(location: &str, keys: &Keys) -> Result<(), Problem> {
    match location.parse() {
        Ok(Location::Remote(Remote::Rest(url))) => {
            url.carries(keys).map_err(|why| bad_location(location, &why))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn arguments(repository: &Repository) -> Result<Vec<OsString>, Problem> {
    let location = checked(&repository.location)?;
    let mut arguments: Vec<OsString> = vec!["--repo".into(), location.into()];
    match &repository.cache {
        Some(cache) => arguments.extend(["--cache-dir".into(), cache.path().into()]),
        None => arguments.push("--no-cache".into()),
    }
    if let Some(region) = &repository.region {
        arguments.extend(["-o".into(), format!("s3.region={region}").into()]);
    }
    if let Some(file) = &repository.ca_file {
        arguments.extend(["--cacert".into(), file.path().into()]);
    }
    Ok(arguments)
}

/// What ssh is told by restic, as the engine built in tells it: no questions, and a server that is gone is noticed.
fn ssh_options(repository: &Repository) -> Result<Vec<OsString>, Problem> {
    if !repository.location.starts_with("sftp:") {
        return Ok(Vec::new());
    }
    let mut options = "-o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=30".to_owned();
    if let Some(config) = &repository.ssh_config {
        let config = config.to_string();
        // restic takes the arguments apart like a shell.
        if config.contains('\'') {
            let message =
                format!("the configuration for ssh {config}: name one without a quote in it");
            return Err(Problem::new(ProblemKind::BadRequest, message));
        }
        options = format!("-F '{config}' {options}");
    }
    Ok(vec!["-o".into(), format!("sftp.args={options}").into()])
}

/// A failure while the repository is read: what is not known otherwise is damage.
pub(crate) fn failed(tried: &str, output: &Output) -> Problem {
    failed_as(ProblemKind::Damaged, tried, output)
}

/// The kind of a failure: newer versions have exit codes for it, older ones only words, and of some nothing is known.
pub(super) fn failed_as(otherwise: ProblemKind, tried: &str, output: &Output) -> Problem {
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
        _ if has("no space left") || has("disk quota exceeded") => ProblemKind::NoSpace,
        _ if ["connection refused", "no such host", "unable to open repository", "i/o timeout"]
            .iter()
            .any(|words| has(words)) =>
        {
            ProblemKind::Unreachable
        }
        _ => otherwise,
    };
    let hint = if kind == ProblemKind::Locked {
        "; wait until it has ended, or remove a lock that nobody holds with `restic unlock`"
    } else {
        ""
    };
    Problem::new(kind, format!("{tried} with restic: {said}{hint}"))
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
