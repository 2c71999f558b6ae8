//! After a restart: finds the attempts of an earlier life, and disowns or goes on with each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Draft;
use domain::ids::StreamId;
use domain::ledger::Records;
use domain::run::State as RunState;
use domain::wire::{Selection, StreamView};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

use crate::alone;
use crate::attempt::{AttemptDir, Spec, State, list};
use crate::host::Host;
use crate::life::{self, blocking};
use crate::records;

/// How seldom attempts that are over are looked at.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
/// And how often at most.
const TIDY_AGAIN: Duration = Duration::from_secs(10);
/// Why an attempt that this host claimed for itself does not run.
const NEVER_BEGAN: &str = "this host was away when it was to begin";

/// Attempts of an earlier life whose end is not in the log yet.
pub(crate) fn find(host: &Host) -> anyhow::Result<Vec<(StreamId, u32, AttemptDir)>> {
    let mut found = Vec::new();
    for dir in list(&host.attempts)? {
        if dir.is_reported() {
            continue;
        }
        match dir.spec() {
            Ok(spec) => match spec.run.parse() {
                Ok(run) => found.push((run, spec.attempt, dir)),
                Err(error) => {
                    warn!(path = %dir.path().display(), %error, "an attempt of no run is left alone");
                }
            },
            Err(error) => {
                warn!(path = %dir.path().display(), %error, "an attempt cannot be read and is left alone");
            }
        }
    }
    Ok(found)
}

/// Goes on with an attempt of an earlier life.
pub(crate) async fn resume(host: Arc<Host>, run: StreamId, number: u32, dir: AttemptDir) {
    // A slot each, as far as they go: an earlier life may have had more of them.
    let permit = Arc::clone(&host.slots).try_acquire_owned().ok();
    if let Err(error) = go_on(&host, &run, number, &dir, permit).await {
        warn!(%run, %error, "an attempt of an earlier life could not be carried to its end");
    }
    host.release(&run);
}

async fn go_on(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    dir: &AttemptDir,
    slot: Option<OwnedSemaphorePermit>,
) -> anyhow::Result<()> {
    let looked = dir.clone();
    if blocking(move || looked.state().map_err(Into::into)).await? == State::Prepared {
        if !may_begin(host, run, number, dir).await? {
            return Ok(());
        }
        // The host's owner may have changed their mind meanwhile.
        let allowed = dir.spec().map(|spec| host.allow.check(&spec, &host.user));
        if let Ok(Err(refused)) = allowed {
            return life::refuse(host, run, number, dir, &refused.to_string()).await;
        }
        info!(%run, attempt = number, "claimed in an earlier life and never started: starting it now");
        if let Ok(spec) = dir.spec()
            && let Err(error) = life::before(host, run, number, &spec, dir).await
        {
            return life::refuse(host, run, number, dir, &format!("{error:#}")).await;
        }
        life::start(host, run, dir).await?;
    } else {
        info!(%run, attempt = number, "found an attempt of an earlier life");
        tell_stop(host, run, dir).await;
    }
    life::watch(host, run, number, dir, None, slot).await
}

/// Whether an attempt that was prepared is to begin. Whether it was claimed stands in the journal: what it holds must be
/// in the log first. Where this host decided it itself, it does not wait for that.
async fn may_begin(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    dir: &AttemptDir,
) -> anyhow::Result<bool> {
    let claimed = host.own.claimed_at(run).filter(|_| number == 1);
    if let Some(at) = claimed
        && tokio::time::timeout(alone::PATIENCE, host.outbox.recovered()).await.is_err()
    {
        let in_time = alone::in_time(at, (host.clock)(), host.lease_ms);
        if !in_time {
            // It keeps no other from running, however long it takes to say so.
            host.ended(run);
            life::refuse(host, run, number, dir, NEVER_BEGAN).await?;
        }
        return Ok(in_time);
    }
    host.outbox.recovered().await;
    let mine = is_mine(host, run, number).await;
    if !mine {
        life::discard(dir.clone()).await?;
    }
    Ok(mine)
}

/// A run that this host decided and claimed for itself, and was killed before it began it.
pub(crate) async fn never_began(host: Arc<Host>, run: StreamId) {
    if let Err(error) = life::say_not_started(&host, &run, 1, NEVER_BEGAN).await {
        warn!(%run, %error, "that it never began could not be said");
    }
}

async fn is_mine(host: &Arc<Host>, run: &StreamId, number: u32) -> bool {
    let Some((current, _)) = life::current(host, run).await else { return false };
    let mine = current.attempt().is_some_and(|a| a.number == number && a.producer == host.producer);
    if let (true, Some(cancel)) = (mine, &current.cancel) {
        host.wants_stop(run, &cancel.reason);
    }
    mine && current.state == RunState::Running { attempt: number }
}

/// Somebody may have wanted it to stop while no executor was there to hear it.
async fn tell_stop(host: &Arc<Host>, run: &StreamId, dir: &AttemptDir) {
    let (host, run, dir) = (Arc::clone(host), run.clone(), dir.clone());
    tokio::spawn(async move {
        let Some((current, _)) = life::current(&host, &run).await else { return };
        let Some(cancel) = current.cancel else { return };
        let told = blocking(move || dir.cancel(&cancel.reason).map_err(Into::into)).await;
        if let Err(error) = told {
            warn!(%run, %error, "a running attempt could not be told to stop");
        }
    });
}

/// Runs that the log says are running here, and of which this host has nothing: their directory was
/// lost. Nobody will ever know how they ended.
pub(crate) async fn give_up_missing(host: &Arc<Host>) -> anyhow::Result<()> {
    host.outbox.recovered().await;
    let mut lost = Vec::new();
    let mut look = |view| lost.extend(missing(host, &view));
    bus::recorder::each_stream(&host.bus, Selection::OpenRuns, &mut look).await?;
    for draft in lost {
        host.outbox.append(vec![draft]).await?;
    }
    Ok(())
}

/// What to say of a run that runs here by the log, if this host has nothing of it.
fn missing(host: &Host, view: &StreamView) -> Option<Draft> {
    let run = view.state.body.run()?;
    let RunState::Running { attempt } = run.state else { return None };
    let here = AttemptDir::find(&host.attempts, view.id.as_str(), attempt).is_some();
    if here || host.holds(&view.id) || host.own.was_awake_for(&view.id) {
        return None;
    }
    let reason = "the host has lost its record of the attempt";
    domain::executor::give_up(run, view.state.version, &host.producer, attempt, reason)
}

/// Removes ended attempts and their output when they are older than `keep`, and no legal hold keeps them. Looks every hour, as often
/// as it keeps where that is shorter, and soon again where nobody answered.
pub(crate) async fn tidy(host: Arc<Host>, keep: Duration) {
    let every = keep.clamp(TIDY_AGAIN, TIDY_EVERY);
    loop {
        let after = match remove_what_is_old(&host, keep).await {
            Ok(()) => every,
            Err(error) => {
                warn!(%error, "old attempts could not be removed");
                TIDY_AGAIN
            }
        };
        tokio::time::sleep(after).await;
    }
}

/// Asks what legal holds keep right before: what is removed here, no recorder could refuse.
async fn remove_what_is_old(host: &Arc<Host>, keep: Duration) -> anyhow::Result<()> {
    let records = records::ask(host).await?;
    let host = Arc::clone(host);
    blocking(move || remove_old(&host, &records, keep)).await
}

fn remove_old(host: &Host, records: &Records, keep: Duration) -> anyhow::Result<()> {
    let held: BTreeSet<_> = host.running().into_iter().collect();
    for dir in list(&host.attempts)? {
        let Some(age) = dir.reported_for() else { continue };
        if age <= keep {
            continue;
        }
        let of = |spec: Spec| Some((spec.run.parse::<StreamId>().ok()?, spec.attempt));
        let of = dir.spec().ok().and_then(of);
        // Of what cannot be read nobody knows whether a hold is over it.
        let stays = of.map_or(!records.holds.is_empty(), |of| {
            records.keeps_run(&of.0).is_some() || held.contains(&of)
        });
        if !stays {
            dir.remove()?;
        }
    }
    Ok(())
}
