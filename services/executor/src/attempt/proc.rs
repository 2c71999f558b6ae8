//! What `/proc` says about processes. A number alone never names a process: numbers are used again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::status::Killed;

/// A line of `/proc/<pid>/stat`, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proc {
    pub(crate) pid: i32,
    pub(crate) comm: String,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// Clock ticks between boot and start: with the number and the boot it names one process for ever.
    pub(crate) start: u64,
    gone: bool,
}

impl Proc {
    /// The process of this number, unless it has ended; one that ended and was not yet waited for has.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        parse(&String::from_utf8_lossy(&stat)).filter(|proc| !proc.gone)
    }

    /// A handle that keeps meaning this process, or `None` if it has ended.
    pub(crate) fn handle(&self) -> Option<OwnedFd> {
        let fd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // The number may have been used again before it was opened, not after.
        (Self::read(self.pid)?.start == self.start).then_some(fd)
    }

    /// Sends a signal to exactly this process; one that has ended is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(handle) = self.handle() else { return Ok(()) };
        send(&handle, signal)
    }

    pub(crate) fn killed(&self) -> Killed {
        Killed { pid: self.pid.unsigned_abs(), comm: self.comm.clone() }
    }
}

/// Sends a signal through a handle; a process that has ended is no error.
pub(crate) fn send(handle: &OwnedFd, signal: Signal) -> io::Result<()> {
    let Some(signal) = rustix::process::Signal::from_named_raw(signal as i32) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match pidfd_send_signal(handle, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The name is in brackets and may contain anything, brackets too: hence from the last one.
fn parse(stat: &str) -> Option<Proc> {
    let (pid, rest) = stat.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Proc {
        pid: pid.parse().ok()?,
        comm: comm.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        // A first thread that ended while others run on looks like a zombie, but is none.
        gone: matches!(*fields.first()?, "Z" | "X") && fields.get(17).is_none_or(|n| *n <= "1"),
    })
}

/// Every process there is, those that only wait to be reaped left out.
pub(crate) fn all() -> Vec<Proc> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Proc::read).collect()
}

/// Every process below `root`, itself not among them.
pub(crate) fn descendants(root: i32) -> Vec<Proc> {
    let mut by_parent: BTreeMap<i32, Vec<Proc>> = BTreeMap::new();
    for proc in all() {
        by_parent.entry(proc.parent).or_default().push(proc);
    }
    let mut found = by_parent.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(proc) = found.get(next) {
        found.extend(by_parent.remove(&proc.pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Whether a process was started with all of these variables, each as `NAME=value`.
pub(crate) fn carries(pid: i32, marks: &[String]) -> bool {
    let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let has = |mark: &String| environ.split(|byte| *byte == 0).any(|var| var == mark.as_bytes());
    marks.iter().all(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_read_as_a_name() {
        let line = "42 (a) (b c)) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let proc = parse(line).unwrap();
        assert_eq!((proc.pid, proc.comm.as_str(), proc.parent), (42, "a) (b c)", 1));
        assert_eq!((proc.group, proc.start, proc.gone), (7, 12345, false));
    }

    #[test]
    fn this_process_is_there_and_its_handle_opens() {
        let me = Proc::read(std::process::id().cast_signed()).unwrap();
        assert!(me.handle().is_some());
        let other = Proc { start: me.start + 1, ..me };
        assert!(other.handle().is_none(), "the same number at another time is another process");
    }
}
