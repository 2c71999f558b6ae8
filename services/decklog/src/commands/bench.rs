//! `decklog bench`.

use crate::cli::{Bench, Format};

pub(crate) fn run(_bench: &Bench, _format: Format) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
