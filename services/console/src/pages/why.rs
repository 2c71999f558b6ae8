//! Why a run or a job is as it is, laid out for a page.

use bus::recorder::inquire;
use domain::ids::StreamId;
use domain::why::{Investigation, Question, Reason, Scene, Spent, Step, Why};

use super::words::{between, brief};
use crate::state::Console;

/// A reason, and how many others it stands behind.
pub(crate) struct Line {
    pub(crate) behind: bool,
    pub(crate) says: String,
    pub(crate) ends: String,
    pub(crate) runs: Vec<StreamId>,
}

/// Most reasons of one answer, and most steps of one story, that a page shows.
const LINES_MAX: usize = 30;

/// An answer.
pub(crate) struct Told {
    pub(crate) answer: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) next: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) spent: Vec<(String, String)>,
    pub(crate) story: Vec<Step>,
}

impl Told {
    fn of(why: Why) -> Self {
        let now = why.now;
        let mut lines = Vec::new();
        why.reasons.iter().for_each(|reason| add(&mut lines, reason, false));
        lines.truncate(LINES_MAX);
        let length = |one: &Spent| between(one.from, one.until.unwrap_or(now));
        let spent = why.spent.iter().map(|one| (length(one), brief(&one.says)));
        let next = why.next.into_iter().filter(|text| !why.answer.contains(text.as_str()));
        let story = why.story.len().saturating_sub(LINES_MAX);
        Self {
            next: next.collect(),
            answer: why.answer,
            lines,
            notes: why.notes,
            spent: spent.take(LINES_MAX).collect(),
            story: why.story.into_iter().skip(story).collect(),
        }
    }

    fn unknown(problem: String) -> Self {
        Self {
            answer: problem,
            lines: Vec::new(),
            next: Vec::new(),
            notes: Vec::new(),
            spent: Vec::new(),
            story: Vec::new(),
        }
    }
}

fn add(lines: &mut Vec<Line>, reason: &Reason, behind: bool) {
    let (says, ends) = (brief(&reason.says), reason.ends.clone());
    lines.push(Line { behind, says, ends, runs: reason.runs.clone() });
    reason.because.iter().for_each(|below| add(lines, below, true));
}

/// Asks why.
pub(crate) async fn why(console: &Console, question: Question) -> Told {
    let heard = Some(console.heard.all());
    let scene = Scene { now: (console.clock)(), heard, asleep: false };
    let mut investigation = Investigation::new(question, scene);
    if let Err(error) = inquire(&console.bus, &mut investigation).await {
        return Told::unknown(error.to_string());
    }
    investigation.answer().map_or_else(Told::unknown, Told::of)
}
