//! `decklog apply`: says in the log what job files say.

use super::with_console;
use crate::cli::{Apply, Format};
use crate::files;
use crate::output::{self, Table};

pub(crate) fn run(apply: &Apply, format: Format) -> anyhow::Result<()> {
    let jobs = files::read(&apply.paths)?;
    let applied = with_console(&apply.place, |client| {
        jobs.iter().map(|job| client.apply(job, &apply.reason)).collect::<anyhow::Result<Vec<_>>>()
    })?;
    output::list(format, &applied, |applied| {
        let mut table = Table::new(["STREAM", "POSITION", "RESULT"]);
        for one in applied {
            let position =
                if one.position == 0 { "-".to_owned() } else { one.position.to_string() };
            table.row([one.stream.to_string(), position, one.message.clone()]);
        }
        table
    })
}
