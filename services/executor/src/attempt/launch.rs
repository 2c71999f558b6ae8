//! Starting the command: its user, its environment, its program, and what to say if it cannot start.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, PipeReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Gid, Uid, User, access, chown, geteuid};

use super::gate::Passage;
use super::secrets::Secret;
use super::spare::create;
use super::spec::{Program, Spec};

/// Where programs are looked for, unless the job says otherwise.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the supervisor needs to know of the user a command runs as.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    home: PathBuf,
    shell: PathBuf,
    /// Set if it is somebody else, whom the gate has to become.
    become_ids: Option<(Uid, Gid)>,
}

impl Account {
    /// The user of this process, from the host's user database.
    pub(crate) fn own() -> Self {
        let uid = geteuid();
        match User::from_uid(uid) {
            Ok(Some(user)) => Self::of(user),
            // Without an entry (a container's bare number) there is a number, and no home.
            Ok(None) | Err(_) => Self {
                name: uid.to_string(),
                home: "/".into(),
                shell: "/bin/sh".into(),
                become_ids: None,
            },
        }
    }

    fn of(user: User) -> Self {
        let become_ids = (user.uid != geteuid()).then_some((user.uid, user.gid));
        Self { name: user.name, home: user.dir, shell: user.shell, become_ids }
    }

    /// As the executor found it, handed on in the environment: a look-up for each command could cost
    /// more than the command.
    pub(crate) fn handed_on() -> Self {
        let var = |name: &str| std::env::var(name).ok();
        match (var("LOGNAME"), var("HOME"), var("SHELL")) {
            (Some(name), Some(home), Some(shell)) => {
                Self { name, home: home.into(), shell: shell.into(), become_ids: None }
            }
            (None, _, _) | (_, None, _) | (_, _, None) => Self::own(),
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self::of(user)),
            Ok(None) => Err(format!(
                "there is no user {name} on this host; create it, or change the job's run-as"
            )),
            Err(errno) => Err(format!(
                "cannot look up user {name}: {errno}; check the host's user database (nsswitch)"
            )),
        }
    }

    /// Whether it is not the user of this process.
    pub(crate) fn is_another(&self) -> bool {
        self.become_ids.is_some()
    }

    /// The variables that say who one is.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("HOME", text(&self.home)),
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
            ("SHELL", text(&self.shell)),
            ("LANG", std::env::var("LANG").unwrap_or_else(|_| "C.UTF-8".into())),
        ]
    }
}

/// The variables that mark every process of an attempt, each as `NAME=value`.
pub(crate) fn marks(spec: &Spec) -> Vec<String> {
    vec![format!("DECKLOG_RUN={}", spec.run), format!("DECKLOG_ATTEMPT={}", spec.attempt)]
}

/// Finds a program as a shell would; a name with a slash is taken as it is.
pub(crate) fn resolve(word: &str, path: &str) -> Option<PathBuf> {
    if word.contains('/') {
        return Some(word.into());
    }
    let mut candidates =
        path.split(':').filter(|dir| !dir.is_empty()).map(|d| Path::new(d).join(word));
    candidates.find(|file| file.is_file() && access(file.as_path(), AccessFlags::X_OK).is_ok())
}

/// The `PATH` of an attempt.
pub(crate) fn search_path(spec: &Spec) -> &str {
    spec.env.get("PATH").map_or(PATH, String::as_str)
}

/// Starts the command of the attempt in `dir`, with its secrets in its environment. Gives the process and the pipe it
/// writes to, or why it could not start and what to do.
pub(crate) fn launch(
    spec: &Spec,
    dir: &Path,
    secrets: &[Secret],
) -> Result<(Child, PipeReader), String> {
    let account = match &spec.run_as {
        Some(name) => Account::named(name)?,
        None => Account::handed_on(),
    };
    let words = words(spec, dir, &account)?;
    if spec.print.is_some() {
        let documents = dir.join(crate::print::order::DOCUMENTS);
        let brought = dir.join(crate::print::order::BROUGHT);
        let made =
            crate::print::make_documents(&documents).and_then(|()| give(&documents, &account));
        let made =
            made.and_then(|()| if brought.exists() { give(&brought, &account) } else { Ok(()) });
        made.map_err(|error| format!("no directory for documents: {error}; check the disk"))?;
    }
    if spec.reports() {
        for file in [report(dir), progress_beside(&report(dir))] {
            make_report(&file, &account)
                .map_err(|error| format!("no file for the report: {error}; check the disk"))?;
        }
    }
    let start = Start { spec, dir, secrets, cwd: cwd(spec, &account), account, words };
    let mut command = match start.account.become_ids {
        Some(ids) => start.through_gate(ids)?,
        None => start.directly(),
    };
    let reader = start.connect(&mut command).map_err(|error| format!("no pipe: {error}"))?;
    let child = command.spawn().map_err(|error| start.diagnose(&error))?;
    Ok((child, reader))
}

struct Start<'a> {
    spec: &'a Spec,
    dir: &'a Path,
    secrets: &'a [Secret],
    account: Account,
    cwd: PathBuf,
    /// Program and arguments, the program as a path.
    words: Vec<OsString>,
}

impl Start<'_> {
    /// Without a stage in between, so that the system can spawn without copying us.
    fn directly(&self) -> Command {
        let mut command = Command::new(self.program());
        command.args(self.words.iter().skip(1)).current_dir(&self.cwd);
        self.furnish(&mut command);
        command
    }

    /// Our own executable once more, which becomes the user and then the command.
    /// By this name it is found even if an upgrade has replaced the file.
    fn through_gate(&self, (uid, gid): (Uid, Gid)) -> Result<Command, String> {
        let passage = Passage {
            dir: self.dir.to_owned(),
            user: (self.account.name.clone(), uid.as_raw(), gid.as_raw()),
            cwd: self.cwd.clone(),
            script: matches!(self.spec.program, Program::Script { .. }).then(|| script(self.dir)),
            parent: std::process::id(),
        };
        let passage = serde_json::to_string(&passage).map_err(|error| error.to_string())?;
        let mut command = Command::new("/proc/self/exe");
        command.arg(super::GATE).arg(passage).args(&self.words);
        self.furnish(&mut command);
        Ok(command)
    }

    fn furnish(&self, command: &mut Command) {
        command.env_clear().env("PATH", PATH).envs(self.account.environment());
        command.envs(&self.spec.env);
        for Secret { variable, value } in self.secrets {
            command.env(variable, OsStr::from_bytes(value));
        }
        // The marks come last: by them we find what is ours.
        command.env("DECKLOG_JOB", &self.spec.job);
        command.env("DECKLOG_RUN", &self.spec.run);
        command.envs(self.spec.business_date.iter().map(|date| ("DECKLOG_BUSINESS_DATE", date)));
        command.env("DECKLOG_ATTEMPT", self.spec.attempt.to_string());
        if self.spec.reports() {
            command.env(engine::process::REPORT, report(self.dir));
        }
        command.process_group(0);
    }

    /// One pipe for stdout and stderr, so that their order is kept.
    fn connect(&self, command: &mut Command) -> io::Result<PipeReader> {
        let (reader, writer) = io::pipe()?;
        command.stderr(writer.try_clone()?).stdout(writer).stdin(self.stdin()?);
        Ok(reader)
    }

    /// A file and not a pipe: nobody has to stand by and write, and a command that never reads does
    /// not block anybody. It has no name, so nobody else reads it.
    fn stdin(&self) -> io::Result<Stdio> {
        let Some(text) = &self.spec.stdin else { return Ok(Stdio::null()) };
        let path = self.dir.join("stdin");
        let mut file = create(&path, 0o600)?;
        fs::remove_file(&path)?;
        file.write_all(text.as_bytes())?;
        io::Seek::rewind(&mut file)?;
        Ok(file.into())
    }

    fn program(&self) -> &Path {
        self.words.first().map_or(Path::new(""), Path::new)
    }

    fn diagnose(&self, error: &io::Error) -> String {
        diagnose(error, self.program(), &self.cwd)
    }
}

/// Why a program could not be started. The system gives one number for several reasons.
pub(crate) fn diagnose(error: &io::Error, program: &Path, cwd: &Path) -> String {
    if let Err(why) = fs::read_dir(cwd).map(drop)
        && why.kind() != io::ErrorKind::PermissionDenied
    {
        return format!(
            "cannot start in {}: {why}; create the directory, or change the job's cwd",
            cwd.display()
        );
    }
    let advice = advice(error, program);
    format!("cannot start {}: {error}; {advice}", program.display())
}

fn advice(error: &io::Error, program: &Path) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) if program.exists() => {
            "the file is there, but the interpreter or loader it names is not; install that"
        }
        Some(Errno::ENOENT) => "check the path, and that it is installed on this host",
        Some(Errno::EACCES) => "make it a file that its user may execute",
        Some(Errno::E2BIG) => "pass the data on stdin or in a file",
        Some(Errno::ENOEXEC) => "a script needs a first line such as #!/bin/sh",
        Some(Errno::EAGAIN | Errno::ENOMEM) => {
            "the host has no room for another process; see its limits"
        }
        Some(_) | None => "see the host's system log",
    }
}

/// Where the command starts if the job does not say: at home, as under cron.
fn cwd(spec: &Spec, account: &Account) -> PathBuf {
    match &spec.cwd {
        Some(cwd) => cwd.clone(),
        None if account.home.is_dir() => account.home.clone(),
        None => "/".into(),
    }
}

fn words(spec: &Spec, dir: &Path, account: &Account) -> Result<Vec<OsString>, String> {
    let executed = spec.program.executed();
    let name = executed.first().map_or("", String::as_str);
    let path = search_path(spec);
    let found = resolve(name, path).ok_or_else(|| {
        format!("cannot start {name}: not found in {path}; install it, or give its full path")
    })?;
    let mut words = vec![found.into_os_string()];
    words.extend(executed.iter().skip(1).map(OsString::from));
    if let Program::Script { text, .. } = &spec.program {
        write_script(&script(dir), text, account)
            .map_err(|error| format!("cannot write the script: {error}; check the disk"))?;
        words.push(script(dir).into_os_string());
    }
    Ok(words)
}

/// Where an engine writes what it did.
pub(crate) fn report(dir: &Path) -> PathBuf {
    dir.join("report")
}

/// Where an engine writes how far it is, beside its report.
pub(crate) fn progress_beside(report: &Path) -> PathBuf {
    report.with_file_name("progress")
}

/// Empty, and the user's to write in: the directory is not.
fn make_report(path: &Path, account: &Account) -> io::Result<()> {
    create(path, 0o600)?;
    give(path, account)
}

/// Makes it the user's.
fn give(path: &Path, account: &Account) -> io::Result<()> {
    match account.become_ids {
        Some((uid, gid)) if geteuid().is_root() => Ok(chown(path, Some(uid), Some(gid))?),
        Some(_) | None => Ok(()),
    }
}

fn script(dir: &Path) -> PathBuf {
    dir.join("script")
}

fn write_script(path: &Path, text: &str, account: &Account) -> io::Result<()> {
    create(path, 0o700)?.write_all(text.as_bytes())?;
    if let Some((uid, gid)) = account.become_ids
        && geteuid().is_root()
    {
        chown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}
