//! `decklog run JOB`: asks for a run, and may wait for its end.

use domain::run::Outcome;
use serde_json::json;

use super::{console_of, logs, with_console};
use crate::cli::{Format, Run};
use crate::source::DEFAULT_DATA;
use crate::{exit, output};

pub(crate) fn run(run: &Run, format: Format) -> anyhow::Result<()> {
    if run.follow {
        somebody_works(run)?;
    }
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
        eprintln!(
            "{id}: {word}{}",
            ended.message.as_ref().map(|m| format!(" ({m})")).unwrap_or_default()
        );
        match ended.outcome() {
            Some(Outcome::Succeeded | Outcome::Warning) => Ok(()),
            Some(_) | None => Err(exit::unclean("")),
        }
    })
}

/// Where nothing runs on the data directory, a run would be waited for in vain.
fn somebody_works(run: &Run) -> anyhow::Result<()> {
    let dir = run.place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    if run.place.server.is_some() || console_of(&dir).is_some() {
        return Ok(());
    }
    Err(exit::unreachable(format!(
        "no `decklog up` runs on {}: start one, or leave --follow out and the run waits for it",
        dir.display()
    )))
}
