//! The packs of a repository, and reading again what a run wrote.
//!
//! `restic check` reads packs chosen by chance, as many bytes as asked. Where the repository is a directory here, the
//! very packs the run wrote are read too: the name of a pack is the hash of its bytes, so that a pack that hashes to its
//! name is the one restic sent, and restic looks at what it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use super::Restic;
use super::hashes::of_file;
use super::read::examine;
use crate::context::lock;
use crate::problem::{Problem, io};
use crate::report::{CheckReport, MOST_NAMED, ProblemKind};
use crate::rustic::read::{in_parallel, threads};
use crate::store::{Dir, Local, Name, Object, Storage as _};

/// Packs with their bytes, as far as these are known.
pub(super) type Packs = BTreeMap<String, Option<u64>>;

impl Restic<'_> {
    /// The directory of the repository, where it is one.
    pub(super) fn directory(&self) -> Option<&Path> {
        Some(Path::new(&self.repository.location)).filter(|path| path.is_absolute())
    }

    /// Every pack there is.
    pub(super) fn packs(&self) -> Result<Packs, Problem> {
        match self.directory() {
            Some(directory) => {
                let tried = format!("listing the packs of {}", directory.display());
                here(directory).map_err(io(ProblemKind::Unreachable, tried))
            }
            None => {
                let arguments = ["list", "packs", "--no-lock", "--quiet"];
                let answer = self.program.must("listing the packs", &arguments)?;
                let text = String::from_utf8_lossy(&answer);
                Ok(text.split_whitespace().map(|id| (id.to_owned(), None)).collect())
            }
        }
    }

    /// What is wrong with what a run wrote: `before` are the packs there were, `bytes` those it says it wrote.
    ///
    /// Backups that wrote at the same time are looked at as well.
    pub(super) fn read_again(
        &self,
        before: &Packs,
        bytes: u64,
        percent: u8,
    ) -> Result<CheckReport, Problem> {
        let mut new = self.packs()?;
        new.retain(|id, _| !before.contains_key(id));
        let share = bytes.saturating_mul(u64::from(percent.min(100))) / 100;
        let read = match share {
            0 => Vec::new(),
            bytes => vec![format!("--read-data-subset={}K", bytes.div_ceil(1024))],
        };
        let mut report = examine(self, read)?;
        report.packs = new.len() as u64;
        if let Some(directory) = self.directory() {
            self.rehash(directory, &new, percent, &mut report);
        } else {
            report.packs_read = report.packs_read.min(report.packs);
            report.bytes_read = share;
        }
        report.good = report.good && report.errors.count == 0;
        Ok(report)
    }

    /// Reads packs of this directory again, as many of them as asked.
    fn rehash(&self, directory: &Path, packs: &Packs, percent: u8, report: &mut CheckReport) {
        let share = packs.len().saturating_mul(usize::from(percent.min(100))).div_ceil(100);
        // Names are hashes: the first of them are chosen by chance.
        let chosen: Vec<(&String, u64)> =
            packs.iter().take(share).map(|(id, bytes)| (id, bytes.unwrap_or(0))).collect();
        self.context.meter.phase("verify", chosen.iter().map(|(_, bytes)| bytes).sum());
        let wrong = Mutex::new(BTreeSet::new());
        in_parallel(threads(), &chosen, |(id, bytes)| {
            if !is_whole(directory, id).unwrap_or(false) {
                lock(&wrong).insert((*id).clone());
            }
            self.context.meter.bytes(*bytes);
        });
        report.packs_read = chosen.len() as u64;
        report.bytes_read = chosen.iter().map(|(_, bytes)| bytes).sum();
        for id in wrong.into_inner().unwrap_or_default() {
            report.errors.push(format!("pack {id} does not hash to its name"), MOST_NAMED);
            report.damaged_packs.push(id, MOST_NAMED);
        }
    }
}

/// Whether a pack hashes to its name.
///
/// # Errors
/// It cannot be read just now, which does not make it a torn one.
pub(super) fn is_whole(directory: &Path, id: &str) -> std::io::Result<bool> {
    let place = Local::new(directory.to_owned()).place(&Name::pack(id));
    Ok(of_file(&place)?.0 == *id)
}

fn here(directory: &Path) -> std::io::Result<Packs> {
    let all = Local::new(directory.to_owned()).list(Dir::Data)?;
    let is_pack =
        |one: &Object| one.name.len() == 64 && one.name.bytes().all(|b| b.is_ascii_hexdigit());
    Ok(all.into_iter().filter(is_pack).map(|one| (one.name, Some(one.size))).collect())
}
