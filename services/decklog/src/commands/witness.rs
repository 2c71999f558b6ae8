//! `decklog witness`: on somebody else's machine, cosigns heads that continue what it has seen.

use std::sync::Arc;

use tlog::VerifierKey;
use witness::WitnessConfig;

use crate::cli::Witness;
use crate::{exit, host, output, roles};

pub(crate) fn run(wanted: Witness) -> anyhow::Result<()> {
    roles::log_to_stderr("info");
    let key = |text: &String| text.parse::<VerifierKey>().map_err(exit::usage);
    let logs = wanted.logs.iter().map(key).collect::<anyhow::Result<Vec<_>>>()?;
    let Witness { name, listen, data, .. } = wanted;
    roles::serve(async {
        let stop = roles::stop_on_signals()?;
        let config = WitnessConfig { name, listen, data, logs };
        let witness = witness::Witness::open(config, Arc::new(host::now)).await?;
        output::line(&format!("witness NAME {} http://{}", witness.key(), witness.address()?))?;
        witness.run(stop).await
    })
}
