//! Supervisors as the executor sees them: hired for one attempt at a time, and kept for the next.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::error::AttemptError;
use super::launch::Account;
use settings::secret::CREDENTIALS;

/// So many supervisors without work are kept at most; each has about 2 MiB.
const IDLE: usize = 64;

/// An executable that understands `__attempt`, and the supervisors of it that have nothing to do.
/// Make one and keep it: it looks up who we are, which may ask a directory server.
#[derive(Debug, Clone)]
pub struct SupervisorProgram(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    idle: Mutex<Vec<Worker>>,
    keep: usize,
}

/// A supervisor process. It is told an attempt's directory on its stdin, ended by a zero byte, and
/// answers each with one byte on its stdout when the attempt is over.
#[derive(Debug)]
struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: ChildStdout,
}

/// A supervisor at work for us, and where it goes when done.
#[derive(Debug)]
pub(crate) struct Hired {
    /// Held by whoever waits: of two, the second waits for the first, and finds it settled.
    worker: Mutex<Option<Worker>>,
    pool: Arc<Pool>,
}

/// The attempts of this process whose supervisors are our children.
static HIRED: Mutex<BTreeMap<PathBuf, Arc<Hired>>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SupervisorProgram {
    /// Supervisors from the executable at this path.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self::keeping(program, IDLE)
    }

    /// Like [`SupervisorProgram::new`], with at most `idle` supervisors kept between attempts; with 0
    /// every attempt gets a new one.
    #[must_use]
    pub fn keeping(program: PathBuf, idle: usize) -> Self {
        Self::with(program, idle, Vec::new())
    }

    /// Like [`SupervisorProgram::new`]; the supervisors have these variables for jobs that ask for them as secrets.
    /// Otherwise they have a clean environment.
    #[must_use]
    pub fn knowing(program: PathBuf, variables: Vec<(OsString, OsString)>) -> Self {
        Self::with(program, IDLE, variables)
    }

    fn with(program: PathBuf, idle: usize, variables: Vec<(OsString, OsString)>) -> Self {
        let mut environment = variables;
        // By its marks a process is taken for one of an attempt; who we are comes last, so that it is true.
        environment.retain(|(name, _)| !name.as_bytes().starts_with(b"DECKLOG_"));
        environment.extend(std::env::var_os(CREDENTIALS).map(|dir| (CREDENTIALS.into(), dir)));
        let own = Account::own().environment().into_iter();
        environment.extend(own.map(|(name, value)| (name.into(), value.into())));
        Self(Arc::new(Pool { program, environment, idle: Mutex::default(), keep: idle }))
    }

    /// The executable.
    pub(crate) fn program(&self) -> &Path {
        &self.0.program
    }

    /// Has a supervisor begin with the attempt in this directory; gives its process.
    pub(crate) fn hire(&self, attempt: &Path) -> Result<u32, AttemptError> {
        if lock(&HIRED).contains_key(attempt) {
            return Err(AttemptError::AlreadyStarted(attempt.to_owned()));
        }
        let worker = match self.0.reuse(attempt) {
            Some(worker) => worker,
            None => self.0.spawn(attempt).map_err(|source| AttemptError::NoSupervisor {
                program: self.0.program.clone(),
                source,
            })?,
        };
        let pid = worker.child.id();
        let hired = Hired { worker: Mutex::new(Some(worker)), pool: self.0.clone() };
        let faster = lock(&HIRED).insert(attempt.to_owned(), Arc::new(hired));
        match faster {
            None => Ok(pid),
            Some(faster) => Self::too_late(attempt, faster),
        }
    }

    /// Another thread started the same attempt at this moment: its supervisor stays the one, and ours,
    /// whichever of the two got the claim, is waited for without anybody having to.
    fn too_late(attempt: &Path, faster: Arc<Hired>) -> Result<u32, AttemptError> {
        if let Some(ours) = lock(&HIRED).insert(attempt.to_owned(), faster) {
            std::thread::spawn(move || ours.wait(Instant::now() + FOR_EVER));
        }
        Err(AttemptError::AlreadyStarted(attempt.to_owned()))
    }
}

/// Longer than a command runs.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Pool {
    fn reuse(&self, attempt: &Path) -> Option<Worker> {
        loop {
            let mut worker = lock(&self.idle).pop()?;
            let order = [attempt.as_os_str().as_bytes(), b"\0"].concat();
            // One that was killed meanwhile cannot have seen the order, so the next gets it.
            if order.len() <= ORDER && worker.orders.write_all(&order).is_ok() {
                return Some(worker);
            }
            worker.dismiss();
        }
    }

    fn spawn(&self, attempt: &Path) -> io::Result<Worker> {
        let mut child = Command::new(&self.program)
            .arg(super::SUPERVISE)
            .arg(attempt)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(orders), Some(answers)) => Ok(Worker { child, orders, answers }),
            (None, _) | (_, None) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// Orders up to this size are written whole or not at all (`PIPE_BUF`), and so are never half read.
const ORDER: usize = 4096;

impl Worker {
    /// Lets it end, and waits for it. It has no attempt, so that is at once.
    fn dismiss(self) {
        let Self { mut child, orders, answers } = self;
        drop((orders, answers));
        let _already_reaped = child.wait();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in lock(&self.idle).drain(..) {
            worker.dismiss();
        }
    }
}

impl Hired {
    /// Waits until the attempt is over or the supervisor has ended; `false` if it was not by then.
    pub(crate) fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let mut slot = lock(&self.worker);
        let Some(worker) = &*slot else { return Ok(true) };
        if !readable(&worker.answers, deadline)? {
            return Ok(false);
        }
        if let Some(worker) = slot.take() {
            self.settle(worker);
        }
        Ok(true)
    }

    /// Keeps the supervisor for the next attempt, or lets it go and reaps it.
    fn settle(&self, mut worker: Worker) {
        let answered = io::Read::read(&mut worker.answers, &mut [0]).unwrap_or(0) == 1;
        let mut idle = lock(&self.pool.idle);
        if answered && idle.len() < self.pool.keep {
            return idle.push(worker);
        }
        drop(idle);
        worker.dismiss();
    }
}

/// Whether there is something to read, or never will be, before the deadline.
fn readable(fd: &impl AsFd, deadline: Instant) -> io::Result<bool> {
    any_ready(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], deadline)
}

/// Waits until one of the descriptors has something to say; `false` if none had by the deadline.
pub(crate) fn any_ready(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        match poll(fds, until(deadline)) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Rounded up, so that a wait never ends just before its deadline and begins again.
pub(crate) fn until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now()).as_nanos().div_ceil(1_000_000);
    i32::try_from(left).ok().and_then(|ms| PollTimeout::try_from(ms).ok()).unwrap_or(
        // Longer than poll can express: wait that long, and look again.
        PollTimeout::MAX,
    )
}

/// The supervisor of this attempt, if it is our child and has not been settled.
pub(crate) fn hired(attempt: &Path) -> Option<Arc<Hired>> {
    lock(&HIRED).get(attempt).cloned()
}

/// No longer expects anything from the supervisor of this attempt.
pub(crate) fn forget(attempt: &Path) -> Option<Arc<Hired>> {
    lock(&HIRED).remove(attempt)
}
