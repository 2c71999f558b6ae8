//! Who would be called now, and whose turn it is in the days to come.

use bus::recorder::each_stream;
use domain::event::Call;
use domain::forecast::SiteView;
use domain::incident::{CallTreeDefinition, calls};
use domain::wire::{Selection, StreamView};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::commands::{CommandError, active_tree, almanac_of};
use crate::state::Console;

/// How far ahead turns are told.
const AHEAD_DAYS: i64 = 28;
/// Most changes of turn that are told of a rota.
const TURNS_MAX: usize = 20;

/// A call tree as it would call now.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OnCall {
    /// Its name.
    pub(crate) tree: String,
    /// What it is for.
    pub(crate) description: String,
    /// Its levels.
    pub(crate) levels: Vec<LevelNow>,
    /// Whom a broadcast would reach.
    pub(crate) broadcast: Vec<Call>,
    /// Whose turn it is, by rota.
    pub(crate) rotas: Vec<Turns>,
}

/// Who of a level would be told.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LevelNow {
    /// Who.
    pub(crate) tell: Vec<Call>,
    /// How long the next level waits.
    pub(crate) wait: String,
    /// Those of them who are not told of minor incidents now.
    pub(crate) quiet: Vec<String>,
}

/// A rota.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Turns {
    /// Its name.
    pub(crate) name: String,
    /// The zone of its clock.
    pub(crate) zone: String,
    /// Who is there from when on; `None` for nobody.
    pub(crate) turns: Vec<(Timestamp, Option<String>)>,
}

/// Every active call tree as it would call now.
pub(crate) async fn on_call(console: &Console) -> Result<Vec<OnCall>, CommandError> {
    let mut trees = Vec::new();
    let take = |view: StreamView| {
        trees.extend(active_tree(&view.state.body));
    };
    let read = each_stream(&console.bus, Selection::CallTrees, take).await;
    read.map_err(CommandError::unavailable)?;
    if trees.is_empty() {
        return Ok(Vec::new());
    }
    let (_, site) = console.site_view().await.map_err(CommandError::unavailable)?;
    let now = (console.clock)();
    Ok(trees.iter().map(|tree| one(tree, &site, now)).collect())
}

fn one(tree: &CallTreeDefinition, site: &SiteView, now: Timestamp) -> OnCall {
    let almanac = almanac_of(tree, site);
    let quiet = |call: &Call| tree.quiet.get(&call.contact).is_some_and(|q| q.until(now).is_some());
    let levels = tree.levels.iter().map(|level| {
        let tell = level.tell.iter().flat_map(|tell| calls::resolve(tree, tell, &almanac, now));
        let tell: Vec<Call> = tell.collect();
        let mut silent: Vec<String> =
            tell.iter().filter(|call| quiet(call)).map(|call| call.contact.clone()).collect();
        silent.dedup();
        LevelNow { tell, wait: level.wait.to_string(), quiet: silent }
    });
    let rotas = tree.rotas.iter().map(|(name, rota)| Turns {
        name: name.clone(),
        zone: rota.zone.clone(),
        turns: turns(|at| rota.on_call(at, &almanac).map(str::to_owned), now),
    });
    OnCall {
        tree: tree.name.clone(),
        description: tree.description.clone(),
        levels: levels.collect(),
        broadcast: calls::affected(tree, &almanac, now),
        rotas: rotas.collect(),
    }
}

/// When who is there, looked at every quarter of an hour: a hand-over in between is told at the next.
fn turns(
    who: impl Fn(Timestamp) -> Option<String>,
    now: Timestamp,
) -> Vec<(Timestamp, Option<String>)> {
    let quarter = 900;
    let first = Timestamp::from_second(now.as_second().div_euclid(quarter) * quarter);
    let mut found = vec![(now, who(now))];
    let Ok(first) = first else { return found };
    for step in 1..AHEAD_DAYS * 96 {
        let at = first.checked_add(SignedDuration::from_secs(step * quarter));
        let Ok(at) = at else { break };
        let there = who(at);
        if found.last().is_none_or(|(_, last)| *last != there) {
            found.push((at, there));
        }
        if found.len() >= TURNS_MAX {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_told_from_the_moment_it_begins() {
        let now: Timestamp = "2026-11-20T10:07:00Z".parse().unwrap();
        let night = |at: Timestamp| (at.as_second() / 3_600 % 24 >= 18).then(|| "ana".to_owned());
        let told = turns(night, now);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            told[..3],
            [
                (now, None),
                (at("2026-11-20T18:00:00Z"), Some("ana".to_owned())),
                (at("2026-11-21T00:00:00Z"), None),
            ]
        );
        assert_eq!(told.len(), TURNS_MAX);
    }
}
