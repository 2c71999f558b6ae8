//! Why a run, an occurrence or a job is as it is: why it waits, was skipped, is late, is not there, failed, is blocked,
//! runs so long.
//!
//! The answer is made of the streams it names, and no others are read: whoever answers looks up what it needs
//! ([`facts`]), what is lacking is asked for, and it is answered anew. What keeps a run from starting is not judged here
//! a second time: the scheduler's own mind is given those streams, and says it.
//!
//! | module | is about |
//! |---|---|
//! | `facts` | what is known, and what is lacking |
//! | `mind` | a scheduler's mind that knows of one run |
//! | `obstacle` | what stands in a run's way, who has it, what ends it |
//! | `run`, `ended` | a run that is open, and one that has ended |
//! | `occurrence`, `job` | what lies ahead, what is not there, what is no occurrence; a job |
//! | `story`, `spent` | what happened, and where the time went |
//! | `speech`, `text` | words |

mod ended;
pub(crate) mod facts;
mod job;
mod mind;
mod obstacle;
mod occurrence;
mod run;
pub(crate) mod speech;
mod spent;
mod story;
mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::ids::StreamId;
use crate::inquiry::Inquiry;
use crate::job::Job;
use crate::wire::{Answer, Query};
use facts::{Ask, Facts};
pub use obstacle::Reason;
use speech::Clock;
pub use spent::Spent;
pub use story::Step;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A run, by its stream; where there is none, the occurrence after which it would be called.
    Run(StreamId),
    /// A job.
    Job(String),
    /// The occurrence of a job at an instant.
    Occurrence(String, Timestamp),
}

/// What a host said last of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When it was heard.
    pub at: Timestamp,
    /// Slots without an attempt.
    pub free: u32,
    /// All slots.
    pub slots: u32,
}

/// What is true around the log.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// The clock.
    pub now: Timestamp,
    /// What hosts said last; `None` where nobody listens to them.
    pub heard: Option<BTreeMap<String, Heard>>,
    /// Nothing runs on this log, as far as is known here.
    pub asleep: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Why {
    /// What it is about.
    pub about: String,
    /// The job.
    pub job: String,
    /// The run, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<StreamId>,
    /// The instant of the occurrence, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<Timestamp>,
    /// The word of a run's state; of an occurrence without a run `to-come`, `to-be-skipped`, `to-be-held`, `moved`,
    /// `left-out`, `undecided` or `none`; of a job `active`, `paused`, `retired`, `proposed` or `new`.
    pub state: String,
    /// The zone of the times in sentences.
    pub zone: String,
    /// The answer in a sentence.
    pub answer: String,
    /// What stands in its way or brought it about, the first of it first.
    pub reasons: Vec<Reason>,
    /// What comes next, as far as is known.
    pub next: Vec<String>,
    /// Where its time went.
    pub spent: Vec<Spent>,
    /// What is worth knowing beside.
    pub notes: Vec<String>,
    /// What happened so far, the oldest first.
    pub story: Vec<Step>,
    /// The streams that were read.
    pub streams: Vec<StreamId>,
    /// The position of the log at which it is true.
    pub position: u64,
    /// When it was asked.
    pub now: Timestamp,
}

impl Why {
    /// As text for people, a screen of it.
    pub fn text(&self) -> String {
        text::text(self)
    }
}

/// What answers look at.
struct View<'a> {
    facts: &'a Facts,
    scene: &'a Scene,
    clock: Clock,
}

impl View<'_> {
    /// An answer that says nothing yet.
    fn empty(&self, about: &str, job: &str) -> Why {
        Why {
            about: about.to_owned(),
            job: job.to_owned(),
            run: None,
            occurrence: None,
            state: String::new(),
            zone: self.clock.zone_name().to_owned(),
            answer: String::new(),
            reasons: Vec::new(),
            next: Vec::new(),
            spent: Vec::new(),
            notes: Vec::new(),
            story: Vec::new(),
            streams: Vec::new(),
            position: 0,
            now: self.scene.now,
        }
    }
}

/// Most times that the recorder is asked for what is lacking.
const ROUNDS_MAX: usize = 60;

/// The question on its way to an answer.
#[derive(Debug)]
pub struct Investigation {
    question: Question,
    scene: Scene,
    facts: Facts,
    rounds: usize,
}

impl Investigation {
    /// A question to which nothing is known yet.
    pub fn new(question: Question, scene: Scene) -> Self {
        Self { question, scene, facts: Facts::default(), rounds: 0 }
    }

    /// The answer, as soon as nothing is lacking.
    ///
    /// # Errors
    /// There is no such thing; in a sentence.
    pub fn answer(&self) -> Result<Why, String> {
        let why = self.attempt().ok_or_else(|| self.nothing())?;
        let (streams, position) = (self.facts.streams(), self.facts.position.unwrap_or(0));
        let mut why = Why { streams, position, ..why };
        if self.rounds >= ROUNDS_MAX || why.streams.len() >= facts::STREAMS_MAX {
            why.notes.push("there is more than was read for this".to_owned());
        }
        if self.scene.asleep {
            why.notes.push("nothing runs on this data directory (decklog up)".to_owned());
        }
        Ok(why)
    }

    fn attempt(&self) -> Option<Why> {
        self.facts.forget_lacks();
        let clock = Clock::new(self.zone(), self.scene.now);
        let view = View { facts: &self.facts, scene: &self.scene, clock };
        match &self.question {
            Question::Job(name) => view.of_job(name),
            Question::Occurrence(job, at) => view.of_occurrence(job, *at),
            Question::Run(id) if self.facts.is_nothing(id) => {
                let (job, at) = occurrence_of(id)?;
                view.of_occurrence(&job, at)
            }
            Question::Run(id) => view.of_run(id),
        }
    }

    fn job_name(&self) -> &str {
        match &self.question {
            Question::Job(name) | Question::Occurrence(name, _) => name,
            Question::Run(id) => id.run_job().unwrap_or_default(),
        }
    }

    /// The zone of the job: its people speak in its times.
    fn zone(&self) -> TimeZone {
        let job = self.facts.job(self.job_name());
        let definition = job.and_then(|job: &Job| job.versions.spans.last()?.read().ok());
        definition.and_then(|d| TimeZone::get(&d.zone).ok()).unwrap_or(TimeZone::UTC)
    }

    fn nothing(&self) -> String {
        let job = self.job_name();
        if self.facts.is_nothing(&StreamId::job(job)) {
            return format!("there is no job {job}");
        }
        match &self.question {
            Question::Run(id) => format!("there is no {id}"),
            Question::Job(_) | Question::Occurrence(..) => format!("job {job} cannot be read"),
        }
    }

    fn lacking(&self) -> Vec<Ask> {
        if self.rounds >= ROUNDS_MAX {
            return Vec::new();
        }
        self.attempt();
        self.facts.lacks()
    }
}

impl Inquiry for Investigation {
    fn asks(&self) -> Vec<Query> {
        self.lacking().iter().map(Ask::query).collect()
    }

    fn take(&mut self, answers: Vec<Answer>) -> Result<(), String> {
        let asks = self.lacking();
        self.rounds += 1;
        asks.into_iter().zip(answers).try_for_each(|(ask, answer)| self.facts.take(ask, answer))
    }
}

/// The occurrence that a run is called after.
fn occurrence_of(run: &StreamId) -> Option<(String, Timestamp)> {
    let (job, label) = run.rest().split_once('@')?;
    Some((job.to_owned(), label.parse().ok()?))
}
