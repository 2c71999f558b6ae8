//! Takes offers, as many at once as there are free slots; none while the host is drained.

use std::sync::Arc;
use std::time::Duration;

use bus::{Work as Offer, Worker};
use domain::wire::Work;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::warn;

use crate::host::Host;
use crate::needs;

/// Most offers taken at once.
const AT_ONCE: usize = 64;
/// How long one look into a queue lasts.
const LOOK: Duration = Duration::from_secs(2);
/// After what time an offer comes again that was fetched and cannot be taken after all.
const SOON: Duration = Duration::from_millis(50);
/// How long to rest after a queue failed.
const REST: Duration = Duration::from_millis(500);

/// Takes work from one queue until told to stop, from when the log has `heard` that this host is there: one that waits to be
/// let in would keep from others what it cannot claim.
pub(crate) async fn from_queue(host: Arc<Host>, queue: String, mut heard: watch::Receiver<bool>) {
    let mut stop = host.stop.clone();
    let mut worker = None;
    tokio::select! {
        _ = heard.wait_for(|heard| *heard) => {}
        _ = stop.wait_for(|stop| *stop) => return,
    }
    loop {
        let step = async {
            host.may_work().await;
            one_round(&host, &queue, &mut worker).await
        };
        let failed = tokio::select! {
            failed = step => failed,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Err(error) = failed {
            warn!(%queue, %error, "no work can be taken; trying again");
            tokio::time::sleep(REST).await;
        }
    }
}

async fn one_round(
    host: &Arc<Host>,
    queue: &str,
    worker: &mut Option<Worker>,
) -> anyhow::Result<()> {
    let free = free_slots(host).await?;
    let open = match worker.take() {
        Some(open) => open,
        None => host.bus.worker(queue).await?,
    };
    for offer in worker.insert(open).take(free.min(AT_ONCE), LOOK).await? {
        match Arc::clone(&host.slots).try_acquire_owned() {
            // It was drained meanwhile: what was fetched is for others.
            Ok(_) if host.is_drained() => offer.back(SOON).await?,
            Ok(permit) => {
                let host = Arc::clone(host);
                tokio::spawn(async move { live(&host, offer, permit).await });
            }
            // Another queue of this host was faster.
            Err(_) => offer.back(SOON).await?,
        }
    }
    Ok(())
}

/// Waits until a slot is free, and says how many are. None is held while waiting for an offer: a queue
/// without work must not keep slots from one that has it.
async fn free_slots(host: &Arc<Host>) -> anyhow::Result<usize> {
    let one = host.slots.acquire().await?;
    let others = host.slots.available_permits();
    drop(one);
    Ok(1 + others)
}

async fn live(host: &Arc<Host>, offer: Offer, permit: OwnedSemaphorePermit) {
    let work: Work = match serde_json::from_slice(&offer.body) {
        Ok(work) => work,
        Err(error) => {
            warn!(%error, "an offer cannot be read: upgrade this executor; it goes back");
            let _ = offer.back(Duration::from_secs(30)).await;
            return;
        }
    };
    // Done with the offer, not with the run: from here on the run's stream says who has it, and what
    // nobody has is offered again.
    if let Err(error) = offer.done().await {
        warn!(run = %work.run, %error, "the offer may come again");
    }
    let run = work.run.clone();
    if host.watches(&run) {
        return;
    }
    if let Err(error) = needs::take(host, work, permit).await {
        warn!(%run, %error, "an attempt could not be carried to its end here");
    }
}
