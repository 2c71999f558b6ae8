//! `decklog continue`: a log that was brought back from an older copy, or of which the key is lost, goes on under another name.

use audit::{AuditConfig, Continuation, ContinueAs};
use serde::Serialize;

use crate::cli::{Continue, Format};
use crate::config::Config;
use crate::source::DEFAULT_DATA;
use crate::{embedded, exit, host, output};

/// What became of it.
#[derive(Debug, Serialize)]
struct Continued {
    before: String,
    origin: String,
    head_key: String,
    position: u64,
    lost: u64,
    restored: bool,
    handed_over: bool,
}

impl From<Continuation> for Continued {
    fn from(done: Continuation) -> Self {
        let (lost, handed_over) = (done.said.lost(), done.said.handover.is_some());
        let audit::Continuation { said, position, before } = done;
        let (origin, head_key, restored) = (said.origin, said.head_key, said.restored);
        Self { before, origin, head_key, position, lost, restored, handed_over }
    }
}

pub(crate) fn run(wanted: &Continue, format: Format) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Held until the end: no `up` may write to it meanwhile.
    let (config, _lock) = recorder(wanted)?;
    let goes_on = ContinueAs {
        origin: wanted.name.clone(),
        reason: wanted.reason.clone(),
        restored: wanted.restored,
    };
    let done = runtime.block_on(audit::continue_log(&config, &goes_on, host::now()));
    let done = done.map_err(|error| exit::refused(format!("{error:#}")))?;
    output::one(format, &Continued::from(done), text)
}

/// The recorder whose log it is, and what keeps its data directory.
fn recorder(wanted: &Continue) -> anyhow::Result<(AuditConfig, Option<std::fs::File>)> {
    if let Some(file) = &wanted.config {
        return Ok((Config::load(file, std::env::vars(), &[])?.audit()?, None));
    }
    let dir = wanted.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    if !eventlog::EventLog::file_in(&dir).exists() {
        return Err(exit::usage(format!(
            "there is no log in {}: name the data directory of `decklog up` with --data, or the configuration of a recorder with --config",
            dir.display()
        )));
    }
    let lock = embedded::lock(&dir)?;
    Ok((embedded::recorder(&dir), Some(lock)))
}

fn text(done: &Continued) -> String {
    let Continued { before, origin, head_key, position, lost, restored, handed_over } = done;
    let mut text = format!("the log {before} goes on as {origin} since position {position}\n");
    if *restored {
        text.push_str(&format!(
            "lost         {lost} events are known to be; what was to happen until now happens no more by itself: look what of it did\n"
        ));
    }
    let by = if *handed_over { "handed over by the key before" } else { "WITHOUT the key before" };
    text.push_str(&format!("key          {head_key}\n             {by}\n"));
    text.push_str(
        "next         start the services; give the new key to auditors and witnesses by another way than this log\n",
    );
    text
}
