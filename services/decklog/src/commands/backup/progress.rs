//! `decklog backup watch`, and how far it is in other commands: asked of the host live, and in no event.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use domain::backup::progress::Progress;
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition};
use domain::run::{Outcome, Run, State};
use domain::wire::{Content, Query, RunFilter};
use executor::OneLine;
use serde::Serialize;

use super::Standing;
use crate::cli::{Format, Place, Watch};
use crate::client::Client;
use crate::commands::runs::run_id;
use crate::commands::{console_at, console_that, logs};
use crate::source::Source;
use crate::{exit, output};

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most runs of which it is asked how far they are.
const ASKED_MAX: usize = 20;

pub(super) fn watch(wanted: &Watch, format: Format) -> anyhow::Result<()> {
    let id = run_id(&wanted.run)?;
    let client = console_that(&wanted.place, "runs it")?;
    let mut screen = Screen::new(format);
    let run = loop {
        // Asked first: what ends in between is seen to have ended the next time.
        let far = client.progress(id.rest());
        let run = logs::current(&client, &id)?;
        if over(&run) {
            break run;
        }
        // A host that does not answer now may do so later.
        if let Ok(Some(progress)) = far.map(|far| far.progress) {
            screen.show(&progress)?;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    screen.end(&run)?;
    match run.outcome() {
        Some(Outcome::Succeeded | Outcome::Warning) => Ok(()),
        Some(_) | None => Err(exit::unclean("")),
    }
}

fn over(run: &Run) -> bool {
    matches!(run.state, State::Ended { .. } | State::Unknown { .. })
}

/// What is seen of it.
struct Screen {
    /// Whether people look: then it is one line that is written over.
    people: bool,
    line: OneLine,
    last: Option<Progress>,
}

impl Screen {
    fn new(format: Format) -> Self {
        let people = format == Format::Table && io::stderr().is_terminal();
        Self { people, line: OneLine::default(), last: None }
    }

    fn show(&mut self, progress: &Progress) -> anyhow::Result<()> {
        if self.last.as_ref() == Some(progress) {
            return Ok(());
        }
        self.last = Some(progress.clone());
        if !self.people {
            return output::line(&serde_json::to_string(progress)?);
        }
        Ok(self.line.draw(&progress.bar())?)
    }

    fn end(&mut self, run: &Run) -> anyhow::Result<()> {
        self.line.leave();
        let why = run.message.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        eprintln!("{}: {}{why}", run.id, run.state.word());
        Ok(())
    }
}

/// A run that works on a dataset now.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Running {
    run: StreamId,
    host: String,
    /// How far it is, as far as its host says.
    progress: Option<Progress>,
}

impl Running {
    /// For people.
    pub(super) fn line(&self) -> String {
        let far = self.progress.as_ref().map(|p| format!(": {}", p.words())).unwrap_or_default();
        format!("{} runs on {}{far}\n", self.run.rest(), self.host)
    }
}

/// Adds what works on the datasets now, and how far it is.
pub(super) fn add(
    place: &Place,
    source: &Source,
    jobs: &[(Job, JobDefinition)],
    all: &mut [Standing],
) -> anyhow::Result<()> {
    let filter = RunFilter {
        job: None,
        state: Some("running".to_owned()),
        pool: None,
        since: None,
        until: None,
        behind: None,
        limit: 1_000,
    };
    let Content::Runs(rows) = source.ask(&Query::Runs(filter))?.content else {
        anyhow::bail!("the answer is to another question");
    };
    let client = if rows.is_empty() { None } else { console_at(place)? };
    let mut asked = 0;
    for row in rows {
        let job = row.run.run_job().unwrap_or_default();
        let definition = jobs.iter().find(|(known, _)| known.name == job);
        let dataset = definition.and_then(|(_, definition)| definition.work()?.dataset());
        let Some(one) = all.iter_mut().find(|one| Some(one.dataset.as_str()) == dataset) else {
            continue;
        };
        let client = client.as_ref().filter(|_| asked < ASKED_MAX);
        asked += 1;
        let progress = client.and_then(|client| of_run(client, &row.run));
        one.running.push(Running { run: row.run, host: row.host.unwrap_or_default(), progress });
    }
    Ok(())
}

/// How far a run is, where its host says so now.
pub(in crate::commands) fn of_run(client: &Client, id: &StreamId) -> Option<Progress> {
    client.progress(id.rest()).ok()?.progress
}
