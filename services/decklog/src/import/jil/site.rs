//! All jobs, boxes and watchers by name, and what they are called here.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::Statement;
use crate::import::Imported;
use crate::import::names::Names;

/// What an insert_job inserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    Box,
    Watcher,
}

/// A job, a box or a watcher.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) statement: Statement,
    pub(super) kind: Kind,
    /// The outermost box it is in.
    pub(super) top: Option<usize>,
    /// Its name here: of a job in a box without the box's.
    pub(super) short: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) entries: Vec<Entry>,
    by_name: BTreeMap<String, usize>,
}

impl Site {
    pub(super) fn of(statements: Vec<Statement>, imported: &mut Imported) -> Self {
        let mut site = Self { entries: Vec::new(), by_name: BTreeMap::new() };
        for statement in statements {
            match kind(&statement) {
                Err(reason) => imported.leave_out(&statement.at, statement.name, reason),
                Ok(_) if site.by_name.contains_key(&statement.name) => {
                    let reason = "a job of this name stands before it";
                    imported.leave_out(&statement.at, statement.name, reason);
                }
                Ok(kind) => {
                    site.by_name.insert(statement.name.clone(), site.entries.len());
                    site.entries.push(Entry { statement, kind, top: None, short: String::new() });
                }
            }
        }
        for index in 0..site.entries.len() {
            let top = site.top_of(index);
            site.entries[index..].iter_mut().take(1).for_each(|entry| entry.top = top);
        }
        site.name_all();
        site
    }

    fn name_all(&mut self) {
        let mut names: BTreeMap<Option<usize>, Names> = BTreeMap::new();
        for entry in &mut self.entries {
            entry.short = names.entry(entry.top).or_default().unique(&entry.statement.name);
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The box it is in, if that is here.
    pub(super) fn box_of(&self, index: usize) -> Option<usize> {
        let name = self.get(index)?.statement.value("box_name")?;
        self.find(name).filter(|found| self.get(*found).is_some_and(|e| e.kind == Kind::Box))
    }

    /// Its box, the box of that, and so on.
    pub(super) fn boxes_of(&self, index: usize) -> Vec<usize> {
        let mut seen = BTreeSet::from([index]);
        let next = |of: &usize| self.box_of(*of);
        std::iter::successors(self.box_of(index), next)
            .take_while(|found| seen.insert(*found))
            .collect()
    }

    fn top_of(&self, index: usize) -> Option<usize> {
        self.boxes_of(index).last().copied()
    }

    /// The whole name here.
    pub(super) fn name(&self, index: usize) -> String {
        let Some(entry) = self.get(index) else { return String::new() };
        match entry.top.and_then(|top| self.get(top)) {
            Some(top) => format!("{}.{}", top.short, entry.short),
            None => entry.short.clone(),
        }
    }

    /// The command jobs in a box and the boxes in it.
    pub(super) fn members(&self, of: usize) -> Vec<usize> {
        let is_member = |index: &usize| {
            let command = self.get(*index).is_some_and(|entry| entry.kind == Kind::Command);
            command && self.boxes_of(*index).contains(&of)
        };
        (0..self.entries.len()).filter(is_member).collect()
    }
}

fn kind(statement: &Statement) -> Result<Kind, String> {
    match statement.value("job_type").unwrap_or("cmd").to_ascii_lowercase().as_str() {
        "c" | "cmd" => Ok(Kind::Command),
        "b" | "box" => Ok(Kind::Box),
        "f" | "fw" => Ok(Kind::Watcher),
        other => Err(format!("a job of type {other} cannot be carried, only CMD, BOX and FW")),
    }
}
