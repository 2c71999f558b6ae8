//! Who decides whether the command may ever run: whoever renames `unclaimed` first.
//!
//! The claim is the new name itself. A rename happens once: whoever comes second finds nothing to rename.
//! The name says it all from the first instant, so a kill cannot leave half a claim; and a claim
//! costs no file of its own, because `unclaimed` is one more link to `spec.json`.

use std::fs;
use std::io;
use std::path::Path;

use super::error::{AttemptError, io_at};
use super::proc::Proc;

/// The name that is there as long as nobody has claimed.
const UNCLAIMED: &str = "unclaimed";
/// How the name of a claim begins.
const CLAIMED: &str = "claim ";

/// One process, for ever: no number used again and no restart of the host makes it another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    start: u64,
    boot: String,
}

/// What a claim says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This supervisor runs the command, or ran it.
    Supervised(Identity),
    /// The command will never run.
    Disowned,
}

impl Identity {
    /// The calling process.
    pub(crate) fn mine() -> io::Result<Self> {
        let pid = std::process::id().cast_signed();
        let me = Proc::read(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, start: me.start, boot: boot()? })
    }

    /// The process, if it is still the same one and still alive.
    pub(crate) fn alive(&self) -> Option<Proc> {
        let proc = Proc::read(self.pid).filter(|proc| proc.start == self.start)?;
        self.same_boot().then_some(proc)
    }

    /// Whether the host has been up without interruption since.
    pub(crate) fn same_boot(&self) -> bool {
        boot().is_ok_and(|now| now == self.boot)
    }
}

/// Changes with every start of the host.
pub(crate) fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

impl Claim {
    /// Opens the directory's attempt to a claim; `spec.json` must be there.
    pub(crate) fn offer(dir: &Path) -> io::Result<()> {
        fs::hard_link(dir.join("spec.json"), dir.join(UNCLAIMED))
    }

    /// Claims; `false` if somebody did so before, or if there is nothing to claim.
    pub(crate) fn make(&self, dir: &Path) -> io::Result<bool> {
        match fs::rename(dir.join(UNCLAIMED), dir.join(format!("{CLAIMED}{}", self.text()))) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The claim, if there is one.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, AttemptError> {
        let io = |error| io_at("look for a claim in", dir)(error);
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            if let Some(text) = name.to_str().and_then(|name| name.strip_prefix(CLAIMED)) {
                return match Self::parse(text) {
                    Some(claim) => Ok(Some(claim)),
                    None => Err(AttemptError::UnknownClaim { path: dir.into(), text: text.into() }),
                };
            }
        }
        Ok(None)
    }

    /// Whether a file of this name is one that claims are made of.
    pub(crate) fn is_part(name: &str) -> bool {
        name == UNCLAIMED || name.starts_with(CLAIMED)
    }

    fn text(&self) -> String {
        match self {
            Self::Supervised(Identity { pid, start, boot }) => {
                format!("supervised {pid} {start} {boot}")
            }
            Self::Disowned => "disowned".to_owned(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "disowned" {
            return Some(Self::Disowned);
        }
        let mut words = text.strip_prefix("supervised ")?.split(' ');
        let pid = words.next()?.parse().ok()?;
        let start = words.next()?.parse().ok()?;
        Some(Self::Supervised(Identity { pid, start, boot: words.next()?.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_read_back_and_only_the_first_claim_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let mine = Claim::Supervised(Identity::mine().unwrap());
        fs::write(path.join("spec.json"), "{}").unwrap();
        assert!(!mine.make(&path).unwrap(), "nothing was offered");
        Claim::offer(&path).unwrap();
        assert_eq!(Claim::read(&path).unwrap(), None);
        assert!(mine.make(&path).unwrap());
        assert!(!Claim::Disowned.make(&path).unwrap());
        assert_eq!(Claim::read(&path).unwrap(), Some(mine));
    }

    #[test]
    fn a_number_used_again_or_another_boot_is_not_the_same_process() {
        let me = Identity::mine().unwrap();
        assert!(me.alive().is_some());
        assert!(Identity { start: me.start + 1, ..me.clone() }.alive().is_none());
        assert!(Identity { boot: "another".into(), ..me }.alive().is_none());
    }
}
