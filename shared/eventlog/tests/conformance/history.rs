//! A random history: jobs proposed, approved and paused, runs through all their states, and everything
//! that is said too late, out of turn, or by the wrong one.

use domain::envelope::Draft;
use domain::event::{RetryOn, RetryRule, RunDue};
use domain::ids::StreamId;
use domain::job::Job;
use domain::ledger::StreamState;
use domain::run::{Run, State};
use domain::wire::{Content, Query, Selection};
use testkit::world::Rng;

use crate::drafts::*;
use crate::site::{Site, Who};

/// Lets `batches` batches of one to six flushes happen.
pub(crate) async fn happen(site: &mut Site, seed: u64, batches: usize) {
    let mut rng = Rng::new(seed);
    for _ in 0..batches {
        site.tick();
        let mut flushes = Vec::new();
        for _ in 0..rng.between(1, 6) {
            let (who, mut draft) = something(site, &mut rng).await;
            if rng.chance(500) {
                draft.version += 1;
            }
            let who = if rng.chance(300) { Who::Host } else { who };
            flushes.push(site.flush(who, vec![draft]));
        }
        for result in site.send(&flushes).await {
            result.unwrap();
        }
    }
}

async fn something(site: &Site, rng: &mut Rng) -> (Who, Draft) {
    let job = rng.pick(&["a", "b", "c"]);
    let id = StreamId::job(job);
    let state = site.log.streams(&std::iter::once(id.clone()).collect()).await.unwrap().remove(&id);
    let open = open_runs(site).await;
    match rng.between(0, 9) {
        0..=1 => (Who::Console, of_job(job, state.as_ref(), rng)),
        2..=4 => occurrence(site, job, state.as_ref(), rng),
        5 => (Who::Console, requested(job, number(state.as_ref()), &format!("r{}", rng.bits()))),
        _ if open.is_empty() => (Who::Console, of_job(job, state.as_ref(), rng)),
        _ => {
            let (version, run) = &open[rng.index(open.len())];
            of_run(site, run, version + 1, rng)
        }
    }
}

async fn open_runs(site: &Site) -> Vec<(u64, Run)> {
    let query = Query::Streams { of: Selection::OpenRuns, after: String::new(), limit: 100 };
    let Content::Streams(found) = site.log.answer(&query).await.unwrap().content else {
        unreachable!("another answer than was asked for")
    };
    let run = |state: StreamState| (state.version, state.body.run().unwrap().clone());
    found.into_iter().map(|view| run(view.state)).collect()
}

fn job_of(state: Option<&StreamState>) -> Job {
    state.and_then(|state| state.body.job()).cloned().unwrap_or_default()
}

fn number(state: Option<&StreamState>) -> u32 {
    job_of(state).active().map_or(1, |span| span.number)
}

fn of_job(name: &str, state: Option<&StreamState>, rng: &mut Rng) -> Draft {
    let (job, next) = (job_of(state), state.map_or(0, |state| state.version) + 1);
    match rng.between(0, 3) {
        _ if job.versions.proposal.is_some() => approved(name, next, job.versions.numbers),
        _ if job.active().is_none() => proposed(name, next, job.versions.numbers + 1),
        0 => proposed(name, next, job.versions.numbers + 1),
        _ if job.paused().is_some() => resumed(name, next),
        1 => resumed(name, next),
        _ => paused(name, next),
    }
}

fn occurrence(site: &Site, job: &str, state: Option<&StreamState>, rng: &mut Rng) -> (Who, Draft) {
    let (number, after) = (number(state), state.and_then(|state| state.turn.settled));
    let paused = job_of(state).paused().is_some();
    let draft = match rng.between(0, 5) {
        _ if paused => skipped(job, number, site.now, after),
        0 => missed(job, number, site.now, after),
        1 => skipped(job, number, site.now, after),
        _ => due_with(site.now, after, random_due(job, number, rng)),
    };
    (Who::Scheduler, draft)
}

fn random_due(job: &str, number: u32, rng: &mut Rng) -> RunDue {
    let hold = rng.chance(2_000).then(|| "look at it first".to_owned());
    let on = vec![RetryOn::Failed, RetryOn::Lost];
    let rule = RetryRule { delays_ms: vec![0, 0], on, ..RetryRule::default() };
    let retry = if rng.chance(4_000) { rule } else { RetryRule::default() };
    let pool = rng.pick(&["any", "big"]).to_owned();
    RunDue { hold, retry, pool, ..due_body(job, number) }
}

fn of_run(site: &Site, run: &Run, next: u64, rng: &mut Rng) -> (Who, Draft) {
    let id = &run.id;
    if run.cancel.is_none() && rng.chance(800) {
        return (Who::Console, cancel_requested(id, next));
    }
    match run.state {
        State::Requested => {
            let body = due_body(&run.job, run.definition.number);
            (Who::Scheduler, Draft::new(id.clone(), next, body))
        }
        State::Held { .. } => (Who::Console, released(id, next)),
        State::Waiting | State::Blocked | State::Parts => (Who::Console, released(id, next)),
        State::Due if run.cancel.is_some() => (Who::Scheduler, cancelled(id, next, None)),
        State::Due => (Who::Host, started(id, next, 1)),
        State::Running { attempt } => end_of(id, next, attempt, rng),
        State::Retrying { attempt, not_before: None, .. } => {
            (Who::Scheduler, retry(id, next, attempt, site.now))
        }
        State::Retrying { attempt, .. } => (Who::Host, started(id, next, attempt)),
        State::Unknown { .. } | State::Ended { .. } => (Who::Console, resolved(id, next)),
    }
}

fn end_of(id: &StreamId, next: u64, attempt: u32, rng: &mut Rng) -> (Who, Draft) {
    let draft = match rng.between(0, 6) {
        0 | 1 => failed(id, next, attempt, "exit code 1"),
        2 => timed_out(id, next, attempt),
        3 => lost(id, next, attempt),
        4 => cancelled(id, next, Some(attempt)),
        n => succeeded(id, next, attempt, n == 5),
    };
    (Who::Host, draft)
}
