//! Backups and restores of one tree, beside the programs people use for it: each in a process of its own, with a
//! repository of its own, everything in the page cache.

mod program;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use program::{Cost, Desk, Program};
use tree::{Shape, amount, warm};

use super::Figure;
use crate::cli::BackupBench;

/// The seed of the tree.
const SEED: u64 = 42;

/// What is done with the tree, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Full,
    Unchanged,
    Incremental,
    Restore,
}

const PHASES: [Phase; 4] = [Phase::Full, Phase::Unchanged, Phase::Incremental, Phase::Restore];

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full backup",
            Self::Unchanged => "unchanged backup",
            Self::Incremental => "incremental backup",
            Self::Restore => "restore",
        }
    }
}

/// The best of all rounds.
struct Measured {
    programs: Vec<Program>,
    costs: BTreeMap<(Phase, usize), Cost>,
    /// Bytes of each repository after all backups.
    sizes: BTreeMap<usize, u64>,
}

pub(super) fn measure(dir: &Path, asked: &BackupBench, quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (files, mebibytes) = if quick { (1_000, 50) } else { (20_000, 1_000) };
    let shape = Shape {
        files: asked.files.unwrap_or(files),
        bytes: asked.mebibytes.unwrap_or(mebibytes) << 20,
        seed: SEED,
    };
    let programs = Program::all(&asked.restic, asked.borg.as_deref());
    let mut measured = Measured { programs, costs: BTreeMap::new(), sizes: BTreeMap::new() };
    for number in 0..asked.rounds {
        let place = dir.join(format!("round-{number}"));
        let done = measured.round(&place, shape, asked.changed, number);
        let removed = std::fs::remove_dir_all(&place);
        done?;
        removed?;
    }
    Ok(measured.figures())
}

impl Measured {
    /// Everything once, with whose turn it is first changing from round to round and phase to phase.
    fn round(
        &mut self,
        place: &Path,
        shape: Shape,
        changed: u64,
        number: u32,
    ) -> anyhow::Result<()> {
        let tree = place.join("tree");
        shape.write(&tree)?;
        let mut desks = Vec::new();
        for (index, program) in self.programs.iter().enumerate() {
            let desk = Desk::new(program, place.join(index.to_string()), &tree)?;
            desk.init()?;
            desks.push(desk);
        }
        for (turn, phase) in PHASES.into_iter().enumerate() {
            if phase == Phase::Incremental {
                shape.change(&tree, changed)?;
            }
            for step in 0..desks.len() {
                let index = (step + turn + number as usize) % desks.len();
                let Some(desk) = desks.get_mut(index) else { continue };
                // Restoring does not depend on how much was read again while backing up.
                if phase == Phase::Restore && index == 1 {
                    continue;
                }
                let name = self.programs.get(index).map(Program::name).unwrap_or_default();
                eprintln!("round {}: {}, {name} …", number + 1, phase.name());
                let cost = step_of(phase, desk, &tree, &place.join(format!("restored-{index}")))?;
                self.enter(phase, index, cost);
            }
        }
        for (index, desk) in desks.iter().enumerate() {
            self.sizes.insert(index, amount(&desk.repository())?.bytes);
        }
        Ok(())
    }

    fn enter(&mut self, phase: Phase, index: usize, cost: Cost) {
        self.costs.entry((phase, index)).and_modify(|had| *had = had.best(cost)).or_insert(cost);
    }

    fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (key @ (phase, index), ours) in &self.costs {
            let Some(program) = self.programs.get(*index).filter(|one| one.is_ours()) else {
                continue;
            };
            let what = match phase {
                Phase::Restore => phase.name().to_owned(),
                Phase::Full | Phase::Unchanged | Phase::Incremental => {
                    format!("{}, {}", phase.name(), program.name())
                }
            };
            let rival =
                |of: fn(&Cost) -> f64| move |rival: usize| self.costs.get(&(key.0, rival)).map(of);
            figures.extend(self.beside(&what, "wall", ours.wall, "s", rival(|c| c.wall)));
            figures.extend(self.beside(&what, "CPU", ours.cpu, "s", rival(|c| c.cpu)));
            figures.extend(self.beside(&what, "memory", ours.memory, "MiB", rival(|c| c.memory)));
        }
        let size = |index: usize| self.sizes.get(&index).map(|b| *b as f64 / f64::from(1 << 20));
        figures.extend(
            size(0)
                .into_iter()
                .flat_map(|ours| self.beside("all three backups", "repository", ours, "MiB", size)),
        );
        figures
    }

    /// A row for each of the others; one without a limit where there is none.
    fn beside(
        &self,
        what: &str,
        quantity: &str,
        ours: f64,
        unit: &'static str,
        of: impl Fn(usize) -> Option<f64>,
    ) -> Vec<Figure> {
        let figure = || Figure::new(format!("{what}: {quantity}"), ours, unit);
        let others = self.programs.iter().enumerate().filter(|(_, one)| !one.is_ours());
        let rows = others.filter_map(|(index, other)| {
            Some(figure().beside(format!("{}, {unit}", other.name()), of(index)?))
        });
        let rows: Vec<Figure> = rows.collect();
        if rows.is_empty() { vec![figure()] } else { rows }
    }
}

/// One measured call, after everything written before it is on the disk and the tree is in the page cache.
///
/// Nothing is removed in between: for a minute ext4 looks at each file that was, and whoever then creates files pays.
fn step_of(phase: Phase, desk: &mut Desk, tree: &Path, restored: &Path) -> anyhow::Result<Cost> {
    let there = warm(tree)?;
    warm(&desk.repository())?;
    nix::unistd::sync();
    let run = match phase {
        Phase::Full => "full",
        Phase::Unchanged => "unchanged",
        Phase::Incremental => "incremental",
        Phase::Restore => {
            let cost = desk.restore(restored)?;
            let brought = amount(restored)?;
            anyhow::ensure!(brought == there, "a restore brought {brought:?} of {there:?}");
            return Ok(cost);
        }
    };
    desk.back_up(run)
}
