//! Creating, forgetting, pruning, and what a restic that was killed leaves.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Restic;
use super::backup::of_attempt;
use super::packs::{Packs, is_whole};
use super::program::{checked, failed, failed_as, said};
use super::read::{parsed, repository_id, snapshots};
use crate::engine::{Answer, Ended};
use crate::problem::{Problem, io};
use crate::report::{
    Done, ForgetReport, InitReport, MOST_NAMED, ProblemKind, PruneReport, RepairReport,
    SnapshotInfo,
};
use crate::request::{Backup, Forget, Prune, Repository};
use crate::rustic::list::linked;
use crate::store::{Local, Name, Storage as _, make_beside};
use crate::verdict;

/// Most ids in one command: it has room for some two megabytes.
const MOST_IDS: usize = 500;

/// How long a dead process may take to be gone, and how long between two looks at it.
const REAPED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(50));

pub(super) fn init(engine: &Restic<'_>) -> Answer {
    engine.program.must_write("creating a repository")?;
    engine.create()?;
    Ok(Ended::good(Done::Init(InitReport { repository: repository_id(engine)? })))
}

impl Restic<'_> {
    /// Opens the repository, or creates it where that is wished.
    pub(super) fn open_or_create(&self) -> Result<String, Problem> {
        self.look()?;
        match repository_id(self) {
            Err(problem)
                if problem.kind == ProblemKind::NotARepository && self.repository.initialise =>
            {
                match self.create() {
                    // Another backup was faster.
                    Err(problem) if problem.kind == ProblemKind::RepositoryExists => {}
                    answer => answer?,
                }
                repository_id(self)
            }
            answer => answer,
        }
    }

    /// A directory that cannot be read is not the same as none.
    fn look(&self) -> Result<(), Problem> {
        let Some(directory) = self.directory() else { return Ok(()) };
        match std::fs::read_dir(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let tried = format!("looking for a repository at {}", directory.display());
                Err(io(ProblemKind::Unreachable, tried)(error))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn create(&self) -> Result<(), Problem> {
        self.look()?;
        verdict::has_password(self.secrets)?;
        match self.directory() {
            Some(_) => make_beside(&self.repository.location, |beside| {
                let location = beside.to_owned();
                let new = Repository { location, ..self.repository.clone() };
                Restic::find(&new, self.secrets, self.context.clone())?.make()
            }),
            None => self.make(),
        }
    }

    fn make(&self) -> Result<(), Problem> {
        let location = checked(&self.repository.location)?;
        let output = self.program.call(&["init"])?;
        if output.status.success() {
            return Ok(());
        }
        let exists = said(&output).contains("already");
        let otherwise =
            if exists { ProblemKind::RepositoryExists } else { ProblemKind::Unreachable };
        Err(failed_as(otherwise, &format!("creating a repository at {location}"), &output))
    }

    /// Removes the locks of a restic that was killed, and takes what it wrote into the index; gives the packs.
    ///
    /// restic knows by itself which locks are dead. Where none is, nothing was killed, and nothing is to be done.
    pub(super) fn recover(&self) -> Result<u64, Problem> {
        if !self.unlock()? {
            return Ok(0);
        }
        match self.mend() {
            Ok(report) => {
                if report.packs_added > 0 {
                    let message =
                        format!("took {} packs of an unfinished run over", report.packs_added);
                    self.context.warn(None, message);
                }
                Ok(report.packs_added)
            }
            // Others write: their next run can do it as well.
            Err(problem) if problem.kind == ProblemKind::Locked => {
                self.context.warn(None, problem.message);
                Ok(0)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Whether there were dead locks, which are gone now.
    fn unlock(&self) -> Result<bool, Problem> {
        let locks = self.directory().map(|directory| directory.join("locks"));
        let none = |dir| std::fs::read_dir(dir).map_or(true, |mut all| all.next().is_none());
        if locks.is_some_and(none) {
            return Ok(false);
        }
        let unlock = || -> Result<u64, Problem> {
            let answer = self.program.must("removing dead locks", &["unlock"])?;
            Ok(removed(&String::from_utf8_lossy(&answer)))
        };
        let gone = unlock()?;
        let dying = self.dying()?;
        if dying.is_empty() {
            return Ok(gone > 0);
        }
        // A process that was killed a moment ago still looks alive to restic.
        let began = Instant::now();
        while dying.iter().any(|one| state(*one) == Some('Z')) && began.elapsed() < REAPED.0 {
            std::thread::sleep(REAPED.1);
        }
        Ok(gone + unlock()? > 0)
    }

    /// Processes of this host that hold a lock and run no more, though nobody may have waited for them yet.
    fn dying(&self) -> Result<Vec<u32>, Problem> {
        let tried = "looking at the locks";
        let ids = self.program.must(tried, &["list", "locks", "--no-lock", "--quiet"])?;
        let here = nix::unistd::gethostname().unwrap_or_default();
        let mut found = Vec::new();
        for id in String::from_utf8_lossy(&ids).split_whitespace() {
            // One that is gone meanwhile is none.
            let output = self.program.call(&["cat", "lock", id, "--no-lock", "--quiet"])?;
            let holder = serde_json::from_slice::<Holder>(&output.stdout);
            if let Ok(holder) = holder
                && here.to_str() == Some(holder.hostname.as_str())
                && state(holder.pid).is_none_or(|state| state == 'Z')
            {
                found.push(holder.pid);
            }
        }
        Ok(found)
    }

    /// Repairs the index. Packs that are torn are set aside, nothing of them is deleted.
    fn mend(&self) -> Result<RepairReport, Problem> {
        let sizes = self.packs()?;
        let Repaired { mut added, missing } = self.repair_index()?;
        let mut report = RepairReport { packs_missing: missing, ..RepairReport::default() };
        if let Some(directory) = self.directory() {
            let torn = torn(directory, &added)?;
            let files = Local::new(directory.to_owned());
            for id in &torn {
                added.remove(id);
                let tried = format!("setting the torn pack {id} aside");
                let aside = files.set_aside(&Name::pack(id));
                aside.map_err(io(ProblemKind::Unreachable, tried))?;
                report.packs_torn.push(id.clone(), MOST_NAMED);
            }
            if !torn.is_empty() {
                self.repair_index()?;
            }
        }
        report.packs_added = added.len() as u64;
        report.bytes_added = added.iter().filter_map(|id| *sizes.get(id)?).sum();
        Ok(report)
    }

    /// Waits for nobody: where others write, it is done another time.
    fn repair_index(&self) -> Result<Repaired, Problem> {
        let output = self.program.call(&["repair", "index"])?;
        if output.status.success() {
            return Ok(Repaired::read(&output));
        }
        Err(failed("repairing the index", &output))
    }

    /// Runs a command that takes a lock.
    fn locking(&self, arguments: &[&str]) -> Result<Output, Problem> {
        let all: Vec<&str> = [arguments, self.program.patience()].concat();
        self.program.call(&all)
    }

    /// Removes the snapshots of an attempt that came to nothing, and the lock of a restic that was killed; also when
    /// the operation was cancelled.
    pub(super) fn undo_snapshots(
        &self,
        asked: &Backup,
        before: &[SnapshotInfo],
    ) -> Result<(), Problem> {
        let must = |tried: &str, arguments: &[&str]| {
            let output = self.program.undo(arguments)?;
            if output.status.success() { Ok(output.stdout) } else { Err(failed(tried, &output)) }
        };
        must("removing dead locks", &["unlock"])?;
        let all = must("listing the snapshots", &["snapshots", "--json", "--no-lock"])?;
        let left = of_attempt(asked, &parsed(&all)?, before);
        if left.is_empty() {
            return Ok(());
        }
        let ids = left.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["forget"].iter().chain(self.program.patience()).copied().chain(ids).collect();
        must("removing snapshots", &arguments).map(|_| ())
    }
}

/// What restic says of an index it has repaired.
#[derive(Debug, Default, PartialEq, Eq)]
struct Repaired {
    added: BTreeSet<String>,
    missing: u64,
}

impl Repaired {
    fn read(output: &Output) -> Self {
        let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        let mut found = Self::default();
        for line in text.iter().flat_map(|text| text.lines()) {
            if let Some(id) = line.trim().strip_prefix("adding pack file to index ") {
                found.added.insert(id.to_owned());
            }
            found.missing += u64::from(line.contains("removing not found pack file"));
        }
        found
    }
}

pub(super) fn repair(engine: &Restic<'_>) -> Answer {
    engine.program.must_write("repairing the index")?;
    engine.unlock()?;
    Ok(Ended::good(Done::Repair(engine.mend()?)))
}

pub(super) fn forget(engine: &Restic<'_>, asked: &Forget) -> Answer {
    engine.program.must_write("forgetting snapshots")?;
    verdict::some_to_forget(&asked.snapshots)?;
    let there = linked(snapshots(engine)?);
    let of = |id: &str| there.iter().find(|info| info.id == id);
    verdict::all_to_forget(&asked.snapshots, |id| of(id).is_some())?;
    let manifests: Vec<String> =
        asked.snapshots.iter().filter_map(|id| of(id)?.manifest.clone()).collect();
    engine.unlock()?;
    // The data first: a manifest without its snapshot is harmless, the other way round is not.
    for ids in [&asked.snapshots, &manifests] {
        remove(engine, ids)?;
    }
    let removed = asked.snapshots.clone();
    let left = there.iter().filter(|info| !removed.contains(&info.id)).count() as u64;
    Ok(Ended::good(Done::Forget(ForgetReport { removed, manifests, left })))
}

fn remove(engine: &Restic<'_>, ids: &[String]) -> Result<(), Problem> {
    for ids in ids.chunks(MOST_IDS) {
        let ids = ids.iter().map(String::as_str);
        let arguments: Vec<&str> = ["forget"].into_iter().chain(ids).collect();
        let output = engine.locking(&arguments)?;
        if !output.status.success() {
            return Err(failed_as(ProblemKind::Unreachable, "removing snapshots", &output));
        }
    }
    Ok(())
}

/// restic prunes alone, behind an exclusive lock: what it marks it deletes at once.
pub(super) fn prune(engine: &Restic<'_>, asked: &Prune) -> Answer {
    engine.program.must_write("pruning")?;
    engine.unlock()?;
    let before = engine.packs()?;
    let mut arguments = vec!["prune", "--verbose"];
    if asked.dry_run {
        arguments.push("--dry-run");
    }
    let output = engine.locking(&arguments)?;
    if !output.status.success() {
        return Err(failed("pruning", &output));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut report = PruneReport {
        dry_run: asked.dry_run,
        packs_kept: packs(&text, "to keep:"),
        packs_repacked: packs(&text, "to repack:"),
        packs_deleted: packs(&text, "to delete:"),
        freed_bytes: bytes(&text, "total prune:"),
        bytes_before: bytes(&text, "total:"),
        ..PruneReport::default()
    };
    if let Some(directory) = engine.directory() {
        report.bytes_before = size(&before);
        if !asked.dry_run {
            report.freed_bytes = report.bytes_before.saturating_sub(size(&engine.packs()?));
            Local::new(directory.to_owned())
                .tidy()
                .map_err(io(ProblemKind::Unreachable, "removing unfinished files"))?;
        }
    }
    Ok(Ended::good(Done::Prune(report)))
}

fn size(packs: &Packs) -> u64 {
    packs.values().flatten().sum()
}

/// Those of some packs that do not hash to their names.
fn torn<'a>(
    directory: &Path,
    packs: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<String>, Problem> {
    let mut torn = Vec::new();
    for id in packs {
        let whole = is_whole(directory, id);
        if !whole.map_err(io(ProblemKind::Unreachable, format!("reading pack {id}")))? {
            torn.push(id.clone());
        }
    }
    Ok(torn)
}

/// The number in `to keep:  3 packs`.
fn packs(text: &str, what: &str) -> u64 {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix(what));
    let mut lines = lines.filter_map(|rest| rest.trim().strip_suffix("packs"));
    lines.find_map(|rest| rest.trim().parse().ok()).unwrap_or(0)
}

/// The bytes in `total prune:  5 blobs / 1.312 KiB`, rounded as restic rounds them.
fn bytes(text: &str, what: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix(what));
    let found = lines.find_map(|rest| {
        let mut words = rest.rsplit_once('/')?.1.split_whitespace();
        let number: f64 = words.next()?.parse().ok()?;
        let unit = match words.next()? {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return None,
        };
        #[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
        let scale = (1_u64 << unit) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a size is no less than nothing, and a float that is too large is cut"
        )]
        let bytes = (number * scale) as u64;
        Some(bytes)
    });
    found.unwrap_or(0)
}

/// Who holds a lock.
#[derive(Deserialize)]
struct Holder {
    hostname: String,
    pid: u32,
}

/// The letter of a process' state, `Z` for one that has ended; none when it is gone.
fn state(process: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// The number in `successfully removed 2 locks`; older versions leave it out where it is none.
fn removed(text: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "removed");
    at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_restic_says_of_a_prune_is_read() {
        let text = "to repack:             7 blobs / 2.863 MiB\ntotal:  15 blobs / 2.864 MiB\n\
                    total prune:           5 blobs / 1.5 KiB\nto keep:               4 packs\n\
                    to repack:             2 packs\nto delete:             0 packs\n";
        let all = ["to keep:", "to repack:", "to delete:"].map(|what| packs(text, what));
        assert_eq!(all, [4, 2, 0]);
        assert_eq!((bytes(text, "total prune:"), bytes(text, "total:")), (1536, 3_003_121));
        assert_eq!((packs("", "to keep:"), bytes("total: many", "total:")), (0, 0));
    }

    #[test]
    fn what_restic_says_of_dead_locks_and_of_an_index_is_read() {
        assert_eq!(removed("successfully removed 2 locks\n"), 2);
        assert_eq!(removed("successfully removed locks\n"), 0);
        let output = Output {
            status: ExitStatus::from_raw(0),
            stdout: b"loading indexes...\nremoving not found pack file bb\n".to_vec(),
            stderr: b"adding pack file to index aa\nadding pack file to index aa\n".to_vec(),
        };
        let read = Repaired::read(&output);
        assert_eq!(read, Repaired { added: ["aa".to_owned()].into(), missing: 1 });
    }
}
