//! Events into the log, beside a plain batched INSERT of the same bytes.

use std::path::Path;
use std::time::Instant;

use domain::flush::Flush;
use eventlog::{Access, Appender, EventLog};

use super::{Figure, limits, percentile, seed};
use crate::host;

/// Events in one transaction, as the recorder takes them under load.
const BATCH: usize = 1_024;

pub(crate) async fn measure(
    address: &str,
    dir: &Path,
    events: usize,
) -> anyhow::Result<Vec<Figure>> {
    let log = EventLog::open(address, Access::Append).await?;
    log.migrate().await?;
    let kind = if log.is_postgres() { "Postgres" } else { "SQLite" };
    let now = host::now();
    let (begin, flushes) = seed::lives(events, now)?;
    let mut appender = Appender::open(log.clone()).await?;
    for flush in begin {
        // One by one: the second is of a producer that the first lets in.
        append_all(&mut appender, &[flush], seed::long_before(now)).await?;
    }
    let events: usize = flushes.iter().map(|flush| flush.envelopes.len()).sum();
    let started = Instant::now();
    let mut latencies = Vec::new();
    for batch in flushes.chunks(BATCH / domain::flush::FLUSH_EVENTS_MAX) {
        let begin = Instant::now();
        append_all(&mut appender, batch, now).await?;
        latencies.push(begin.elapsed().as_secs_f64() * 1_000.0);
    }
    let rate = events as f64 / started.elapsed().as_secs_f64();
    let bytes: Vec<Vec<u8>> = flushes.iter().flat_map(|flush| flush.envelopes.clone()).collect();
    let plain = log.plain_insert_rate(&bytes, BATCH).await?;
    latencies.sort_by(f64::total_cmp);
    let sync = limits::sync_ms(dir)?;
    Ok(vec![
        Figure::new(format!("append, {kind}, batches of {BATCH}"), rate, "events/s")
            .beside("plain batched INSERT of the same bytes, events/s", plain),
        Figure::new(format!("append, {kind}, one batch, p50"), percentile(&latencies, 0.5), "ms")
            .beside("one fdatasync, ms", sync),
        Figure::new(format!("append, {kind}, one batch, p99"), percentile(&latencies, 0.99), "ms")
            .beside("one fdatasync, ms", sync),
    ])
}

pub(super) async fn append_all(
    appender: &mut Appender,
    flushes: &[Flush],
    now: jiff::Timestamp,
) -> anyhow::Result<()> {
    let (results, _) = appender.append(flushes, now).await?;
    for result in results {
        let appended = result?;
        anyhow::ensure!(
            appended.all_valid(),
            "a measured event was not valid: {:?}",
            appended.events.iter().find(|e| e.mark != domain::ledger::Mark::Valid)
        );
    }
    Ok(())
}
