//! The supervisor: a process that looks after one command at a time and outlives its executor.
//!
//! One thread, and one place where it waits: for output, for a signal (a child ended, or look for a
//! request), or for the next thing to be due.
//!
//! The final word is written to a draft and renamed, so it is whole or not there, however anybody is
//! killed. It is not forced to disk, which would cost as much as a short command: against power loss the
//! executor's journal counts, and after a restart of the host an attempt without a readable status is
//! *vanished*, which is the truth.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use domain::job::OutputTexts;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{close, setsid};
use rustix::process::{WaitOptions, wait};

use super::cgroup::Group;
use super::claim::{Claim, Identity};
use super::dir::Prepared;
use super::gate;
use super::intake::{Intake, Taken};
use super::keep::{self, Keep};
use super::launch::launch;
use super::lines::Lines;
use super::mask::Mask;
use super::provider;
use super::rate::Rate;
use super::secrets::{self, Secret};
use super::spare;
use super::spec::{AtLimit, Spec};
use super::status::{Cause, Outcome, Status, Usage};
use super::stop::Ladder;
use super::supervisors::until;

/// Read from the command at once.
const CHUNK: usize = 64 * 1024;

/// Read at most after the end: more than a pipe holds can only come from somebody who is none of ours.
const LAST_WORDS: usize = 1024 * 1024;

/// Between attempts to write the final word on a full disk.
const RETRY: Duration = Duration::from_secs(1);

/// Runs a supervisor, beginning with the attempt in this directory. Gives the exit code.
pub(crate) fn main(first: Option<OsString>) -> i32 {
    let Some(first) = first else { return 2 };
    let mut dir = PathBuf::from(first);
    let Some(mut supervisor) = told(&dir, Supervisor::begin()) else { return 1 };
    let mut orders = io::stdin().lock();
    loop {
        match told(&dir, supervisor.attend(&dir)) {
            Some(true) => {}
            Some(false) => return 0,
            None => return 1,
        }
        // Nobody to answer to means that the executor is gone: then there is no next one either.
        if io::stdout().write_all(b".").and_then(|()| io::stdout().flush()).is_err() {
            return 0;
        }
        let mut order = Vec::new();
        match orders.read_until(0, &mut order) {
            Ok(1..) if order.pop() == Some(0) => dir = OsStr::from_bytes(&order).into(),
            Ok(_) | Err(_) => return 0,
        }
    }
}

/// There is no other place for what went wrong with the supervisor itself.
fn told<T>(dir: &Path, result: io::Result<T>) -> Option<T> {
    if let Err(error) = &result {
        let _nowhere_else = fs::write(dir.join("trouble"), format!("{error}\n"));
    }
    result.ok()
}

struct Supervisor {
    me: Identity,
    /// The cgroup we were started in.
    home: Option<Group>,
    /// Readable after every signal.
    wake: UnixStream,
    /// Somebody sent `TERM`: there may be a request.
    nudged: Arc<AtomicBool>,
    buffer: Vec<u8>,
}

impl Supervisor {
    fn begin() -> io::Result<Self> {
        close_inherited()?;
        // Fails only for one who leads a group already, started by hand.
        let _leader = setsid();
        set_child_subreaper(true)?;
        umask(Mode::from_bits_truncate(0o022));
        let nudged = Arc::new(AtomicBool::new(false));
        let wake = listen(&nudged)?;
        let (me, home) = (Identity::mine()?, Group::own());
        Ok(Self { me, home, wake, nudged, buffer: vec![0; CHUNK] })
    }

    /// Looks after one attempt to its end. `false` if this process should not be given another.
    fn attend(&mut self, dir: &Path) -> io::Result<bool> {
        let Prepared { spec, .. } = serde_json::from_slice(&fs::read(dir.join("spec.json"))?)?;
        if !Claim::Supervised(self.me.clone()).make(dir)? {
            return Ok(true);
        }
        let started = now_us();
        let (status, clean) = match (request(dir), &spec.refused) {
            (Some(reason), _) => {
                let message = "cancelled before it was started".into();
                (not_started(started, message, Cause::Cancelled { reason }), true)
            }
            (None, Some(why)) => (not_started(started, why.clone(), Cause::Own), true),
            (None, None) => self.run(dir, &spec, started)?,
        };
        final_word(dir, status)?;
        Ok(clean)
    }

    /// Starts the command and stays until it and all it started have ended.
    fn run(&mut self, dir: &Path, spec: &Spec, started: i64) -> io::Result<(Status, bool)> {
        let limit = &spec.output;
        let texts = OutputTexts::read(&limit.success_text, &limit.failure_text);
        let (texts, secrets) = match texts.and_then(|texts| Ok((texts, self.secrets(dir, spec)?))) {
            Ok(ready) => ready,
            Err(message) => {
                let cause = request(dir).map_or(Cause::Own, |reason| Cause::Cancelled { reason });
                return Ok((not_started(started, message, cause), true));
            }
        };
        let (group, mut no_group) = self.own_group(dir, spec);
        let unbounded = spec.memory_bytes.zip(group.as_ref()).and_then(|(bytes, group)| {
            group.bound_memory(bytes).err().map(|error| format!("no limit of memory: {error}"))
        });
        let begun = Instant::now();
        let launched = launch(spec, dir, &secrets);
        // Left before anything else: what ends the group must not end us.
        let group = match group.map(|group| self.leave(group)).transpose() {
            Ok(group) => group,
            Err(error) => {
                no_group = Some(error);
                None
            }
        };
        let (child, pipe) = match launched {
            Ok(launched) => launched,
            Err(message) => {
                group.iter().for_each(Group::remove);
                return Ok((not_started(started, message, Cause::Own), true));
            }
        };
        let timeout = spec.timeout_ms.map(Duration::from_millis);
        let pid = child.id();
        let mut ladder = Ladder::new(pid, &spec.stop, group.as_ref(), begun, timeout);
        if let Some(error) = no_group {
            ladder.note(begun, format!("no cgroup: {error}; descendants are found without"));
        }
        if let Some(unbounded) = unbounded {
            ladder.note(begun, unbounded);
        }
        let intake = Intake {
            mask: Mask::new(&secrets),
            lines: Lines::new(texts),
            keep: Keep::new(dir.join(keep::NAME), spec.output.bytes),
        };
        drop(secrets);
        let rate = spec.output.bytes_per_second.map(|rate| Rate::new(rate, begun));
        let (pipe, end) = (Some(pipe), None);
        let watch = Watch { this: self, dir, spec, pid, pipe, rate, intake, ladder, end };
        let mut over = watch.until_over(started);
        if let Some(group) = &group {
            if let Ok((status, _)) = &mut over {
                blame_memory(status, group);
            }
            group.remove();
        }
        over
    }

    /// Looked up here and now, so that none stands anywhere before.
    fn secrets(&mut self, dir: &Path, spec: &Spec) -> Result<Vec<Secret>, String> {
        secrets::look_up(spec, |words| {
            let mut wake = &self.wake;
            let woken = || {
                let _as_much_as_there_is = wake.read(&mut [0; 64]);
                request(dir).is_some()
            };
            provider::ask(words, spec, &self.wake, woken)
        })
    }

    /// The attempt's cgroup, which we are in then so that the command is born into it; or why there is none
    /// although one was asked for. Its absence is no reason not to run: without it the descendants are
    /// found one by one.
    fn own_group(&self, dir: &Path, spec: &Spec) -> (Option<Group>, Option<io::Error>) {
        let Some(parent) = &spec.cgroup else { return (None, None) };
        if self.home.is_none() {
            return (None, Some(io::Error::other("our own group is not known")));
        }
        let group = Group::named(parent, &name_of(dir));
        match group.create().and_then(|()| group.enter()) {
            Ok(()) => (Some(group), None),
            Err(error) => {
                group.remove();
                (None, Some(error))
            }
        }
    }

    /// Back to where we were started. Who cannot leave must not use the group: it would end us too.
    fn leave(&self, group: Group) -> io::Result<Group> {
        self.home.iter().try_for_each(Group::enter)?;
        Ok(group)
    }

    /// Takes the notice of signals away, so that the next one is seen.
    fn awake(&mut self) {
        let _as_much_as_there_is = self.wake.read(&mut [0; 64]);
    }
}

/// Whatever the executor has open that was not marked, a command must not get.
fn close_inherited() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.flatten().map(|entry| entry.file_name());
    let open: Vec<i32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // The one that listed them is closed already.
        let _closed = close(fd);
    }
    Ok(())
}

/// Handlers, and not a blocked mask with a descriptor to read: a command would inherit the mask.
fn listen(nudged: &Arc<AtomicBool>) -> io::Result<UnixStream> {
    let (wake, bell) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signal_hook::flag::register(signal as i32, nudged.clone())?;
        signal_hook::low_level::pipe::register(signal as i32, bell.try_clone()?)?;
    }
    signal_hook::low_level::pipe::register(Signal::SIGCHLD as i32, bell)?;
    Ok(wake)
}

/// One command, from its start to the end of everything it started.
struct Watch<'a> {
    this: &'a mut Supervisor,
    dir: &'a Path,
    spec: &'a Spec,
    pid: u32,
    /// Gone once nobody can write to it any more.
    pipe: Option<PipeReader>,
    /// How fast it is taken, if that is limited.
    rate: Option<Rate>,
    intake: Intake,
    ladder: Ladder<'a>,
    end: Option<(Outcome, Option<Usage>)>,
}

impl Watch<'_> {
    /// The status, and whether nothing is left.
    fn until_over(mut self, started: i64) -> io::Result<(Status, bool)> {
        // What ended before there was anybody to hear the signal is found by looking.
        let mut children = self.reap()?;
        while self.end.is_none() || (children && !self.ladder.gave_up()) {
            if self.wait()? {
                children = self.reap()?;
            }
            let now = Instant::now();
            self.heed_request(now);
            self.heed_limit(now);
            self.intake.keep.flush_if_due(now);
            if self.end.is_none() || children {
                self.ladder.step(now);
            }
        }
        self.last_words()?;
        let (outcome, usage) = self.end.take().unwrap_or((Outcome::Exited { code: 0 }, None));
        let clean = !self.ladder.gave_up();
        Ok((self.report(started, outcome, usage), clean))
    }

    /// Waits for whatever comes first, and takes in output as fast as that may be taken: meanwhile a command that
    /// writes faster waits. `true` if a signal came.
    fn wait(&mut self) -> io::Result<bool> {
        let room = self.room(Instant::now());
        let full = self.rate.as_ref().filter(|_| room == 0 && self.pipe.is_some()).map(Rate::due);
        let due = [self.ladder.due(), self.intake.keep.due(), full].into_iter().flatten().min();
        let mut fds = vec![PollFd::new(self.this.wake.as_fd(), PollFlags::POLLIN)];
        let pipe = self.pipe.as_ref().filter(|_| room > 0);
        fds.extend(pipe.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, due.map_or(PollTimeout::NONE, until)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or(false);
        let (signal, output) = (ready(0), ready(1));
        if output {
            self.read(room)?;
        }
        if signal {
            self.this.awake();
        }
        Ok(signal)
    }

    /// How many bytes may be taken now.
    fn room(&self, now: Instant) -> usize {
        let room = self.rate.as_ref().map_or(u64::MAX, |rate| rate.room(now));
        usize::try_from(room).unwrap_or(usize::MAX).min(CHUNK)
    }

    /// Reads once and at most so much, which does not block when there is something.
    fn read(&mut self, most: usize) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        let buffer = self.this.buffer.get_mut(..most).unwrap_or_default();
        let count = match pipe.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            other => other?,
        };
        if count == 0 {
            self.pipe = None;
        }
        let now = Instant::now();
        if let Some(rate) = &mut self.rate {
            rate.take(count as u64, now);
        }
        self.intake.take(self.this.buffer.get(..count).unwrap_or_default(), now);
        Ok(count)
    }

    /// Reads what is still in the pipe, as fast as it comes. Everything of ours has ended, so it is all there already.
    fn last_words(&mut self) -> io::Result<()> {
        let mut read = 0;
        while let Some(pipe) = &self.pipe
            && read < LAST_WORDS
        {
            let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::ZERO)? == 0 {
                break;
            }
            read += self.read(CHUNK)?;
        }
        Ok(())
    }

    /// Waits for all that have ended. `false` if nothing is left that could.
    fn reap(&mut self) -> io::Result<bool> {
        if self.end.is_none()
            && let Some(end) = wait4::try_wait4_pid(self.pid)?
        {
            let used = Usage {
                max_rss_kib: end.rusage.maxrss / 1024,
                user_us: us(end.rusage.utime),
                system_us: us(end.rusage.stime),
            };
            self.ended(self.outcome(end.status), Some(used));
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(None) => return Ok(true),
                Err(rustix::io::Errno::CHILD) => return Ok(false),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(Some((pid, status))) => {
                    self.ladder.some_ended(Instant::now());
                    // Only if it ended since we asked for it by name: then the usage is lost.
                    if pid.as_raw_nonzero().get().cast_unsigned() == self.pid {
                        self.ended(self.outcome(ExitStatus::from_raw(status.as_raw())), None);
                    }
                }
            }
        }
    }

    fn ended(&mut self, outcome: Outcome, usage: Option<Usage>) {
        self.end = Some((outcome, usage));
        self.ladder.command_ended(Instant::now());
    }

    fn outcome(&self, status: ExitStatus) -> Outcome {
        match (status.code(), status.signal()) {
            (Some(gate::CLOSED), _) => match gate::refusal(self.dir) {
                Some(message) => Outcome::NotStarted { message },
                None => Outcome::Exited { code: gate::CLOSED },
            },
            (Some(code), _) => Outcome::Exited { code },
            (None, signal) => Outcome::Signaled { signal: signal.unwrap_or(0) },
        }
    }

    /// The file is the request. A nudge without one was meant for an attempt that is over.
    fn heed_request(&mut self, now: Instant) {
        if self.this.nudged.swap(false, Ordering::SeqCst)
            && let Some(reason) = request(self.dir)
        {
            self.ladder.ask(Cause::Cancelled { reason }, now);
        }
    }

    fn heed_limit(&mut self, now: Instant) {
        if self.intake.keep.over() && self.spec.output.at_limit == AtLimit::Fail {
            self.ladder.ask(Cause::OutputLimit, now);
        }
    }

    fn report(mut self, started: i64, outcome: Outcome, usage: Option<Usage>) -> Status {
        let Taken { output, failed, text } = self.intake.finish(Instant::now());
        if let Some(error) = failed {
            self.ladder.note(Instant::now(), format!("output could not be kept: {error}"));
        }
        let pid = if matches!(outcome, Outcome::NotStarted { .. }) { 0 } else { self.pid };
        let (cause, killed, ladder) = self.ladder.finish();
        let text = text.filter(|_| pid > 0);
        let ended = now_us();
        Status { outcome, cause, started, ended, pid, output, text, usage, killed, ladder }
    }
}

/// Says that memory was the reason, where nobody wanted the command to end and it did not end well.
fn blame_memory(status: &mut Status, group: &Group) {
    let well = status.outcome == Outcome::Exited { code: 0 };
    if status.cause == Cause::Own && !well && group.ran_out_of_memory() {
        status.cause = Cause::Memory;
    }
}

fn not_started(started: i64, message: String, cause: Cause) -> Status {
    let (output, _) = Keep::new(PathBuf::new(), 0).finish();
    let outcome = Outcome::NotStarted { message };
    let (text, usage, killed, ladder) = (None, None, Vec::new(), Vec::new());
    Status { outcome, cause, started, ended: now_us(), pid: 0, output, text, usage, killed, ladder }
}

/// Why the command is to be stopped, if it is.
fn request(dir: &Path) -> Option<String> {
    let bytes = fs::read(dir.join("cancel")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes the outcome. Nobody else knows it, so on a full disk the output makes room, and if that is not
/// enough, this waits for room as long as there is a directory to write to.
fn final_word(dir: &Path, mut status: Status) -> io::Result<()> {
    while let Err(error) = try_final_word(dir, &status) {
        if error.kind() == io::ErrorKind::NotFound {
            return Err(error);
        }
        status.ladder.push(format!("the outcome could not be written: {error}"));
        status.ladder.truncate(32);
        keep::discard(&dir.join(keep::NAME), &mut status.output);
        std::thread::sleep(RETRY);
    }
    Ok(())
}

fn try_final_word(dir: &Path, status: &Status) -> io::Result<()> {
    let draft = ".status-draft";
    let _of_an_earlier_try = fs::remove_file(dir.join(draft));
    spare::file(dir, "status.json", draft)?.write_all(&serde_json::to_vec(status)?)?;
    fs::rename(dir.join(draft), dir.join("status.json"))
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
