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

/// Most jobs that are ever listed.
const MOST_JOBS: usize = 10_000;

/// A list that is asked for page by page (first-index, PWG 5100.13). A page begins with the last job of the one
/// before, which shows whether the list moved meanwhile, and whether the printer knows pages at all.
pub(crate) struct Pages {
    limit: usize,
    page: usize,
    jobs: Vec<JobFacts>,
    seen: HashSet<JobId>,
    began_short: bool,
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
    /// At most `limit` jobs, at most `page` (2 or more) at once.
    pub(crate) fn new(limit: usize, page: usize) -> Self {
        let limit = limit.clamp(1, MOST_JOBS);
        Pages { limit, page, jobs: Vec::new(), seen: HashSet::new(), began_short: false }
    }

    pub(crate) fn next(&self) -> NextPage {
        if self.jobs.is_empty() {
            return NextPage { first_index: None, limit: self.limit.min(self.page) };
        }
        let missing = self.limit.saturating_sub(self.jobs.len()).saturating_add(1);
        NextPage { first_index: Some(self.jobs.len()), limit: missing.min(self.page) }
    }

    /// Takes a page. Nothing, while there is more to ask for; then whether the list is whole.
    pub(crate) fn take(&mut self, page: Vec<JobFacts>) -> Option<bool> {
        let (first, size) = (page.first().map(|job| job.id), page.len());
        let asked = self.next();
        let before = self.jobs.last().map(|job| job.id);
        let begins_anew = before.is_some() && first == self.jobs.first().map(|job| job.id);
        let is_new = self.add(page) > 0;
        if before.is_none() {
            self.began_short = size < asked.limit;
            // A short page is asked after too: a printer may give fewer at once than it has.
            return if is_new { self.enough() } else { Some(true) };
        }
        if begins_anew {
            // It knows no pages, so it said everything at first, unless it stopped at the limit.
            return Some(self.began_short && !is_new);
        }
        if first != before {
            // The list moved: a job may have slipped through between two pages.
            return Some(false);
        }
        if is_new { self.enough() } else { Some(size == 1) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobState;

    fn job(id: u32) -> JobFacts {
        JobFacts {
            id: JobId(id),
            name: None,
            user: None,
            uri: None,
            uuid: None,
            state: JobState::Pending,
            reasons: Vec::new(),
            message: None,
            impressions: None,
            impressions_completed: None,
            media_sheets: None,
            media_sheets_completed: None,
            created_at: None,
            completed_at: None,
            up_time: None,
        }
    }

    /// A printer with so many jobs, asked for `limit` in pages of 4.
    fn list(has: u32, limit: usize, knows_pages: bool, gives_at_once: usize) -> (usize, bool) {
        let all: Vec<JobFacts> = (1..=has).map(job).collect();
        let mut pages = Pages::new(limit, 4);
        loop {
            let next = pages.next();
            let skipped = next.first_index.filter(|_| knows_pages).map_or(0, |index| index - 1);
            let page = all.iter().skip(skipped).take(next.limit.min(gives_at_once));
            if let Some(complete) = pages.take(page.cloned().collect()) {
                let jobs = pages.into_jobs(complete);
                return (jobs.jobs.len(), jobs.complete);
            }
        }
    }

    #[test]
    fn a_list_is_whole_when_the_printer_has_no_more() {
        for has in 0..20 {
            let wanted = has as usize;
            assert_eq!(list(has, 100, true, 100), (wanted, true), "{has}");
            assert_eq!(list(has, 100, true, 3), (wanted, true), "{has} by threes");
        }
    }

    #[test]
    fn a_list_that_stops_at_the_limit_is_not_whole() {
        assert_eq!(list(9, 5, true, 100), (5, false));
        assert_eq!(list(9, 1, true, 100), (1, false));
        // It might have a tenth.
        assert_eq!(list(9, 9, true, 100), (9, false));
    }

    #[test]
    fn a_printer_without_pages_gives_a_whole_list_only_below_the_page() {
        assert_eq!(list(3, 100, false, 100), (3, true));
        assert_eq!(list(1, 100, false, 100), (1, true));
        assert_eq!(list(0, 100, false, 100), (0, true));
        assert_eq!(list(4, 100, false, 100), (4, false));
        assert_eq!(list(9, 100, false, 100), (4, false));
    }

    #[test]
    fn a_list_that_moves_meanwhile_is_not_whole() {
        let mut pages = Pages::new(100, 4);
        assert_eq!(pages.take((1..=4).map(job).collect()), None);
        assert_eq!(pages.take((5..=8).map(job).collect()), Some(false));
        let mut pages = Pages::new(100, 4);
        assert_eq!(pages.take((1..=4).map(job).collect()), None);
        assert_eq!(pages.take(Vec::new()), Some(false));
    }
}
