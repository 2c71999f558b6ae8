//! Conditions that jobs wait for and add.

use std::collections::BTreeMap;

use domain::job::{After, WhichRun};
use domain::run::Outcome;

use super::element::Element;
use super::{Refusal, Source};
use crate::import::Imported;

/// Which jobs must have ended before a condition is there, for each job or folder that adds it.
#[derive(Debug, Default)]
pub(super) struct Conditions(BTreeMap<String, Vec<Vec<String>>>);

impl Conditions {
    pub(super) fn of(sources: &[Source<'_>]) -> Self {
        let mut found = Self::default();
        for source in sources {
            found.add(source.job, vec![source.name.clone()]);
        }
        let mut folders: Vec<Element<'_>> = Vec::new();
        for folder in sources.iter().flat_map(|source| &source.folders) {
            if !folders.iter().any(|known| known.node == folder.node) {
                folders.push(*folder);
            }
        }
        for folder in folders {
            let within =
                |source: &&Source<'_>| source.folders.iter().any(|f| f.node == folder.node);
            found.add(folder, sources.iter().filter(within).map(|s| s.name.clone()).collect());
        }
        found
    }

    fn add(&mut self, element: Element<'_>, jobs: Vec<String>) {
        let adds =
            |out: &Element<'_>| out.text("SIGN").is_none_or(|sign| matches!(sign, "+" | "ADD"));
        for out in element.all("OUTCOND").filter(adds) {
            let name = out.text("NAME").unwrap_or_default().to_owned();
            self.0.entry(name).or_default().push(jobs.clone());
        }
    }

    /// What a job waits for, by its own conditions and those of its folders.
    pub(super) fn after(
        &self,
        source: &Source<'_>,
        imported: &mut Imported,
    ) -> Result<Vec<After>, Refusal> {
        let mut found: Vec<After> = Vec::new();
        for element in std::iter::once(&source.job).chain(&source.folders) {
            let conditions: Vec<Element<'_>> = element.all("INCOND").collect();
            for condition in &conditions {
                if conditions.len() > 1
                    && condition.text("AND_OR").is_some_and(|text| text.starts_with('O'))
                {
                    let reason =
                        "either of several conditions cannot be carried: `after` waits for all";
                    return Err((condition.at(), reason.to_owned()));
                }
                for after in self.one(*condition, &source.name, imported)? {
                    if !found.contains(&after) {
                        found.push(after);
                    }
                }
            }
        }
        Ok(found)
    }

    fn one(
        &self,
        condition: Element<'_>,
        own: &str,
        imported: &mut Imported,
    ) -> Result<Vec<After>, Refusal> {
        let name = condition.text("NAME").unwrap_or_default();
        let refuse = |reason: String| Err((condition.at(), reason));
        let run = match condition.text("ODATE").unwrap_or("ODAT") {
            "ODAT" => WhichRun::SameBusinessDay,
            "STAT" | "****" | "$$$$" => WhichRun::Latest,
            other => {
                return refuse(format!("condition {name} of the day {other} cannot be carried"));
            }
        };
        match self.0.get(name).map(Vec::as_slice) {
            None => {
                refuse(format!("it waits for the condition {name}, which no job of the files adds"))
            }
            Some([jobs]) if jobs.iter().all(|job| job == own) => {
                imported.note(&condition.at(), format!("condition {name} is its own and is not carried: `overlap` says what happens while it runs"));
                Ok(Vec::new())
            }
            Some([jobs]) => {
                let after = |job: &String| After {
                    job: job.clone(),
                    run,
                    outcomes: vec![Outcome::Succeeded, Outcome::Warning],
                };
                Ok(jobs.iter().filter(|job| *job != own).map(after).collect())
            }
            Some(several) => {
                let all: Vec<String> = several.iter().flatten().cloned().collect();
                refuse(format!(
                    "condition {name} is added by any of {}, and `after` waits for all",
                    all.join(", ")
                ))
            }
        }
    }
}
