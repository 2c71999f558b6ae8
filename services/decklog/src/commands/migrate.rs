//! `decklog migrate`.

use eventlog::{Access, MigrationState};

use crate::cli::Migrate;
use crate::source::open;
use crate::{exit, output};

pub(crate) fn run(migrate: &Migrate) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let opened = open(&migrate.database, migrate.archive.as_deref(), Access::Append).await;
        let log = opened.map_err(exit::unreachable)?;
        match log.migration_state().await? {
            MigrationState::Current => output::line(&format!("{} is up to date", log.address()))?,
            MigrationState::Behind { at } => {
                log.migrate().await?;
                output::line(&format!("{} migrated from change {at}", log.address()))?;
            }
            MigrationState::Ahead { .. } => log.check_schema().await?,
        }
        if migrate.rebuild {
            let rebuilt = log.rebuild_read_model().await?;
            output::line(&format!(
                "read model computed again from {} events: {} streams",
                rebuilt.events, rebuilt.streams
            ))?;
        }
        log.close().await;
        Ok(())
    })
}
