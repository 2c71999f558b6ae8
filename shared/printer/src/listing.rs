//! Lists of jobs, a page at a time, and whether they are whole.

use std::collections::HashSet;

use crate::job::{JobFacts, JobId};

/// which-jobs (RFC 8011 §4.2.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// Those that wait or are printed.
    NotCompleted,
    /// Those that ended, as far as the printer remembers.
    Completed,
}

impl Which {
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Which::NotCompleted => "not-completed",
            Which::Completed => "completed",
        }
    }
}

/// Jobs of a printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    /// In the printer's order.
    pub jobs: Vec<JobFacts>,
    /// Whether these are all it has. When it is false, a job that is not among them may exist.
    pub complete: bool,
}

/// A list that is asked for page by page (first-index, PWG 5100.13). A page begins with the last job of the one
/// before, which shows whether the list moved meanwhile, and whether the printer knows pages at all.
pub(crate) struct Pages {
    limit: usize,
    page: usize,
    jobs: Vec<JobFacts>,
    seen: HashSet<JobId>,
    was_full: bool,
}

/// What to ask for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextPage {
    /// From which one; 1 is the first.
    pub(crate) first_index: Option<usize>,
    /// How many.
    pub(crate) limit: usize,
}

impl Pages {
    pub(crate) fn new(limit: usize, page: usize) -> Self {
        Pages { limit: limit.max(1), page, jobs: Vec::new(), seen: HashSet::new(), was_full: false }
    }

    pub(crate) fn next(&self) -> NextPage {
        if self.jobs.is_empty() {
            return NextPage { first_index: None, limit: self.limit.min(self.page) };
        }
        let missing = self.limit.saturating_sub(self.jobs.len()).saturating_add(1);
        NextPage { first_index: Some(self.jobs.len()), limit: missing.min(self.page) }
    }

    /// Takes a page; the list, when there is nothing more to ask for.
    pub(crate) fn take(&mut self, page: Vec<JobFacts>) -> Option<bool> {
        let asked = self.next();
        let Some(last) = self.jobs.last().map(|job| job.id) else {
            self.was_full = page.len() >= asked.limit;
            let count = self.add(page);
            // Also a short page is asked after: a printer may have a smallest page of its own.
            return if count == 0 { Some(true) } else { self.enough() };
        };
        let first = page.first().map(|job| job.id);
        if first == Some(last) {
            let full = page.len() >= asked.limit;
            return if self.add(page) == 0 {
                Some(!full || asked.limit > 1)
            } else {
                self.enough()
            };
        }
        if first == self.jobs.first().map(|job| job.id) {
            // It does not know pages: this is the beginning once more.
            return Some(!self.was_full && self.add(page) == 0);
        }
        // The list moved: a job may have slipped through between two pages.
        Some(false)
    }

    fn enough(&self) -> Option<bool> {
        (self.jobs.len() >= self.limit).then_some(false)
    }

    fn add(&mut self, page: Vec<JobFacts>) -> usize {
        let before = self.jobs.len();
        for job in page {
            if self.jobs.len() < self.limit && self.seen.insert(job.id) {
                self.jobs.push(job);
            }
        }
        self.jobs.len() - before
    }

    pub(crate) fn into_jobs(self, complete: bool) -> Jobs {
        Jobs { jobs: self.jobs, complete }
    }
}
