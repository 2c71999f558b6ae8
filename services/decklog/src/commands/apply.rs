//! `decklog apply`: says in the log what job files say.

use domain::plan::in_order;

use super::with_console;
use crate::cli::{Apply, Format};
use crate::files;
use crate::output::{self, Table};
use crate::site::Site;
use crate::source::Source;

pub(crate) fn run(apply: &Apply, format: Format) -> anyhow::Result<()> {
    let new = files::read(&apply.paths)?;
    let applied = with_console(&apply.place, |client| {
        // Looked at together first, so that nothing is applied where something cannot be.
        let site = Site::read(&Source::Remote(client.clone()))?;
        super::plan::check(&new, &site)?;
        let new = in_order(new).into_iter();
        new.map(|one| client.apply(&one, &apply.reason)).collect::<anyhow::Result<Vec<_>>>()
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
