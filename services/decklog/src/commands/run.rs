//! `decklog run JOB`: asks for a run, and may wait for its end.

use domain::run::{Outcome, State};
use serde_json::json;

use super::{logs, with_console};
use crate::cli::{Format, Run};
use crate::{exit, output};

pub(crate) fn run(run: &Run, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/jobs/{}/runs", run.job);
    let body = json!({"reason": run.reason});
    with_console(&run.place, |client| {
        let applied = client.act(&path, &body)?;
        let id = applied.stream.clone();
        if !run.follow {
            return output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message));
        }
        eprintln!("{id}: requested");
        let ended = logs::follow(client, &id, None)?;
        let word = ended.state.word();
        eprintln!("{id}: {word}{}", ended.message.map(|m| format!(" ({m})")).unwrap_or_default());
        match ended.state {
            State::Ended { outcome: Outcome::Succeeded | Outcome::Warning } => Ok(()),
            State::Ended { .. }
            | State::Requested
            | State::Held { .. }
            | State::Due
            | State::Running { .. }
            | State::Retrying { .. }
            | State::Unknown { .. } => Err(exit::unclean("")),
        }
    })
}
