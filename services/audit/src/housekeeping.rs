//! The recorder's own timetable: when to look whether a head is due. `tokio-cron-scheduler` drives it;
//! nothing is lost when it fires late, twice or not at all, because each tick only says "look now".

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::config::AuditConfig;

/// "Look whether a head is due."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tick;

pub(crate) async fn start(
    config: &AuditConfig,
) -> anyhow::Result<(mpsc::Receiver<Tick>, JobScheduler)> {
    let (ticks, receiver) = mpsc::channel(1);
    let scheduler = JobScheduler::new().await.context("starting the housekeeping")?;
    let every = config.head_every.as_duration();
    let job = Job::new_repeated_async(every, move |_, _| {
        let ticks = ticks.clone();
        Box::pin(async move {
            // Full means that a look is due already.
            let _ = ticks.try_send(Tick);
        })
    });
    scheduler
        .add(job.context("making a housekeeping job")?)
        .await
        .context("adding a housekeeping job")?;
    scheduler.start().await.context("starting the housekeeping")?;
    Ok((receiver, scheduler))
}
