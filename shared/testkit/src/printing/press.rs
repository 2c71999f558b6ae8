//! What happens inside the printer: jobs, sheets, and what gets in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::message::Message;
use super::paper::{AfterRestart, Afterwards, Count, Jobs, Setup};

/// job-state of a job here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Held,
    Processing,
    Canceled,
    Aborted,
    Completed,
}

impl State {
    pub(super) fn has_ended(self) -> bool {
        matches!(self, State::Canceled | State::Aborted | State::Completed)
    }
}

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: u32,
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) state: State,
    pub(super) reasons: BTreeSet<String>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) two_sided: bool,
    pub(super) copies: usize,
    pub(super) impressions: Option<i32>,
    pub(super) document: Option<Arc<Vec<u8>>>,
    /// The document did not come to its end.
    pub(super) is_cut: bool,
    /// Which pages are asked for; all, where it is empty.
    pub(super) ranges: Vec<(i32, i32)>,
    /// Pages of one copy, by their numbers.
    pub(super) pages: Vec<usize>,
    /// Pages that went by, of all copies.
    pub(super) done: usize,
    /// Pages that it counted.
    pub(super) counted: usize,
    pub(super) created: i32,
    pub(super) ended: Option<i32>,
}

/// One page on paper. What is on paper stays there, whatever the printer forgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The job's name.
    pub job: String,
    /// The whole document.
    pub document: Arc<Vec<u8>>,
    /// Which page of it; 1 is the first.
    pub page: usize,
    /// Which copy; 1 is the first.
    pub copy: usize,
}

/// Something that will happen after so many pages of the next job.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    Stop { after: usize, reason: String, afterwards: Afterwards },
    Abort { after: usize },
}

/// How a request is answered otherwise than it should be, by its operation's number.
#[derive(Debug, Clone)]
pub(super) enum Whim {
    Refuse(u16),
    Cut(super::paper::Cut),
}

/// Everything there is.
pub(super) struct Press {
    pub(super) setup: Setup,
    /// Its address.
    pub(super) uri: String,
    pub(super) jobs: Vec<Job>,
    pub(super) next_id: u32,
    pub(super) uuid: String,
    pub(super) on: bool,
    pub(super) since: Instant,
    pub(super) reasons: BTreeSet<String>,
    pub(super) may_print: Option<usize>,
    pub(super) plans: Vec<Plan>,
    pub(super) whims: BTreeMap<u16, Whim>,
    pub(super) printed: Vec<Printed>,
    pub(super) requests: Vec<Message>,
    pub(super) count: Count,
    pub(super) lie: i32,
    afterwards: Option<Afterwards>,
}

impl Press {
    pub(super) fn new(setup: Setup, uri: String) -> Self {
        Press {
            count: setup.count,
            setup,
            uri,
            jobs: Vec::new(),
            next_id: 1,
            uuid: uuid(),
            on: true,
            since: Instant::now(),
            reasons: BTreeSet::new(),
            may_print: None,
            plans: Vec::new(),
            whims: BTreeMap::new(),
            printed: Vec::new(),
            requests: Vec::new(),
            lie: 0,
            afterwards: None,
        }
    }

    /// Seconds since it was switched on, from 1.
    pub(super) fn up_time(&self) -> i32 {
        i32::try_from(self.since.elapsed().as_secs()).unwrap_or(i32::MAX).saturating_add(1)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.reasons.iter().any(|reason| reason == "paused" || reason.ends_with("-error"))
    }

    pub(super) fn job(&self, id: i32) -> Option<&Job> {
        self.jobs.iter().find(|job| i64::from(job.id) == i64::from(id))
    }

    pub(super) fn job_mut(&mut self, id: u32) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    pub(super) fn add(&mut self, mut job: Job) -> u32 {
        job.id = self.next_id;
        job.uuid = uuid();
        job.created = self.up_time();
        self.next_id += 1;
        self.jobs.push(job);
        self.next_id - 1
    }

    /// A document has come, or a part of it.
    pub(super) fn feed(&mut self, id: u32, document: Vec<u8>, is_cut: bool) {
        let (count, prints_a_part) = (self.count, self.setup.prints_a_part);
        let now = self.up_time();
        let Some(job) = self.job_mut(id) else { return };
        if job.state.has_ended() {
            return;
        }
        let wanted = |page: &usize| {
            let page = i32::try_from(*page).unwrap_or(i32::MAX);
            job.ranges.is_empty()
                || job.ranges.iter().any(|(min, max)| (*min..=*max).contains(&page))
        };
        job.pages = (1..=count(&document)).filter(wanted).collect();
        job.is_cut = is_cut;
        job.reasons.remove("job-incoming");
        job.document = Some(Arc::new(document));
        if is_cut && !prints_a_part {
            end(job, State::Aborted, now);
        }
    }

    /// Does one thing, if there is one to do.
    pub(super) fn step(&mut self) -> bool {
        if !self.on || self.is_stopped() {
            return false;
        }
        let Some(index) = self.current() else { return false };
        let now = self.up_time();
        let job = &mut self.jobs[index];
        if job.state == State::Pending {
            job.state = State::Processing;
            job.reasons.insert("job-printing".to_owned());
            return true;
        }
        let done = job.done;
        if let Some(plan) = self.plans.iter().position(|plan| plan.after() == done) {
            let plan = self.plans.remove(plan);
            self.carry_out(plan, index);
            return true;
        }
        if done >= job.pages.len() * job.copies {
            let state = if job.is_cut { State::Aborted } else { State::Completed };
            end(job, state, now);
            return true;
        }
        self.print(index)
    }

    fn current(&self) -> Option<usize> {
        let of =
            |state| self.jobs.iter().position(|job| job.state == state && job.document.is_some());
        of(State::Processing).or_else(|| of(State::Pending))
    }

    fn print(&mut self, index: usize) -> bool {
        match &mut self.may_print {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        let job = &mut self.jobs[index];
        let Some(document) = &job.document else { return false };
        self.printed.push(Printed {
            job: job.name.clone(),
            document: Arc::clone(document),
            page: job.pages[job.done % job.pages.len()],
            copy: job.done / job.pages.len() + 1,
        });
        job.done += 1;
        job.counted += 1;
        true
    }

    fn carry_out(&mut self, plan: Plan, index: usize) {
        match plan {
            Plan::Abort { .. } => {
                let now = self.up_time();
                end(&mut self.jobs[index], State::Aborted, now);
            }
            Plan::Stop { reason, afterwards, .. } => {
                self.reasons.insert(reason);
                self.afterwards = Some(afterwards);
            }
        }
    }

    /// Somebody has put it right.
    pub(super) fn clear(&mut self) {
        self.reasons.clear();
        let afterwards = self.afterwards.take();
        let Some(job) = self.jobs.iter_mut().find(|job| job.state == State::Processing) else {
            return;
        };
        match afterwards {
            None | Some(Afterwards::GoesOn) => {}
            Some(Afterwards::LosesOne) => {
                job.done += 1;
                job.counted += 1;
            }
            Some(Afterwards::PrintsAgain) => job.done = job.done.saturating_sub(1),
        }
    }

    /// What is left of it after a restart.
    pub(super) fn restart(&mut self, after: AfterRestart) {
        self.on = true;
        self.since = Instant::now();
        self.reasons.clear();
        self.afterwards = None;
        let open = self.jobs.iter_mut().filter(|job| !job.state.has_ended());
        match after.jobs {
            Jobs::GoOn => {}
            Jobs::BeginAgain => open.for_each(|job| (job.done, job.counted) = (0, 0)),
            Jobs::AreAborted => open.for_each(|job| end(job, State::Aborted, 1)),
            Jobs::AreForgotten => self.jobs.clear(),
        }
        for job in &mut self.jobs {
            // Before it was switched on (RFC 8011 §5.3.14).
            job.created = job.created.min(0);
        }
        if after.numbers_begin_anew {
            self.next_id = 1;
        }
    }
}

impl Plan {
    fn after(&self) -> usize {
        match self {
            Plan::Stop { after, .. } | Plan::Abort { after } => *after,
        }
    }
}

/// A job will do no more.
pub(super) fn end(job: &mut Job, state: State, now: i32) {
    job.state = state;
    job.ended = Some(now);
    job.reasons.clear();
    let reason = match state {
        State::Canceled => "job-canceled-by-user",
        State::Aborted => "aborted-by-system",
        State::Completed => "job-completed-successfully",
        State::Pending | State::Held | State::Processing => return,
    };
    job.reasons.insert(reason.to_owned());
    if job.is_cut {
        job.reasons.insert("job-data-insufficient".to_owned());
    }
}

/// A new one.
pub(super) fn uuid() -> String {
    format!("urn:uuid:{}", uuid::Uuid::from_u128(next()))
}

/// Different each time, on this machine and beside others.
fn next() -> u128 {
    use std::collections::hash_map::RandomState;
    use std::hash::{BuildHasher as _, Hasher as _};
    let half = || u128::from(RandomState::new().build_hasher().finish());
    (half() << 64) | half()
}
