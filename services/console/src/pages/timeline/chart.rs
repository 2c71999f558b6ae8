//! Where everything is on the chart: lanes from above to below, shades behind them.

use domain::forecast::SiteView;
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::site::{BlackoutDefinition, BlackoutEnd, ThingKind};
use jiff::Timestamp;

use super::bars::{Bar, Piece, bars};
use super::view::View;
use crate::pages::words::Link;

/// Most lanes of a page, and most bars of all of them. What comes after is on the next page.
pub(crate) const LANES: usize = 40;
pub(crate) const BARS: usize = 100;
/// Most times of blackouts.
const SHADES: usize = 20;
/// Heights, in the units of the chart: of the scale, of a lane, of its name, and of a bar.
pub(crate) const SCALE: i64 = 54;
pub(crate) const LANE: i64 = 38;
const NAME: i64 = 15;
pub(crate) const BAR: i64 = 14;

/// A lane before it has a place.
#[derive(Debug)]
pub(crate) struct Lane {
    /// By what it is ordered, and where the next page begins.
    pub(crate) key: String,
    pub(crate) name: Link,
    pub(crate) bars: Vec<Bar>,
    /// What is left out of it, in sentences.
    pub(crate) notes: Vec<String>,
    pub(crate) shades: Vec<Shade>,
}

impl Lane {
    /// A lane of a job.
    pub(crate) fn of_job(job: &str, pieces: Vec<Piece>, view: &View) -> Self {
        let bars = bars(pieces, Some(job), view);
        let name = Link::to(&StreamId::job(job));
        Self { key: job.to_owned(), name, bars, notes: Vec::new(), shades: Vec::new() }
    }

    /// A lane of something else.
    pub(crate) fn of(key: String, name: Link, pieces: Vec<Piece>, view: &View) -> Self {
        let bars = bars(pieces, None, view);
        Self { key, name, bars, notes: Vec::new(), shades: Vec::new() }
    }
}

/// A time in which nothing starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shade {
    pub(crate) x: i64,
    pub(crate) width: i64,
}

/// A blackout in words.
#[derive(Debug)]
pub(crate) struct Dark {
    pub(crate) name: Link,
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) applies: String,
    pub(crate) end: &'static str,
}

/// The blackouts of a view.
#[derive(Debug, Default)]
pub(crate) struct Darkness {
    times: Vec<(BlackoutDefinition, Shade)>,
    pub(crate) told: Vec<Dark>,
    /// How many times are not named.
    pub(crate) more: usize,
}

impl Darkness {
    /// What a site has of them.
    pub(crate) fn of(site: &SiteView, view: &View) -> Self {
        let mut found = Self::default();
        for (blackout, spans) in site.blackouts_in((view.from, view.to)) {
            spans.into_iter().for_each(|span| found.take(blackout, span, view));
        }
        found
    }

    fn take(&mut self, blackout: &BlackoutDefinition, span: (Timestamp, Timestamp), view: &View) {
        if self.times.len() >= SHADES {
            self.more += 1;
            return;
        }
        let (x, end) = (view.x(span.0), view.x(span.1));
        self.times.push((blackout.clone(), Shade { x, width: (end - x).max(1) }));
        self.told.push(Dark {
            name: Link::to(&StreamId::thing(ThingKind::Blackout, &blackout.name)),
            from: view.told(span.0),
            until: view.told(span.1),
            applies: applies(blackout),
            end: end_of(blackout.at_end),
        });
    }

    fn those(&self, of: impl Fn(&BlackoutDefinition) -> bool) -> Vec<Shade> {
        let fits = self.times.iter().filter(|(blackout, _)| of(blackout));
        fits.map(|(_, shade)| *shade).collect()
    }

    /// Those of the whole site.
    pub(crate) fn of_site(&self) -> Vec<Shade> {
        self.those(|blackout| blackout.applies_to.site)
    }

    /// Those of a job that are not of the whole site.
    pub(crate) fn of_job(&self, job: &JobDefinition) -> Vec<Shade> {
        self.those(|blackout| !blackout.applies_to.site && blackout.applies(job))
    }

    /// Those of a pool.
    pub(crate) fn of_pool(&self, pool: &str) -> Vec<Shade> {
        self.those(|blackout| blackout.applies_to.pools.iter().any(|one| one == pool))
    }
}

fn applies(blackout: &BlackoutDefinition) -> String {
    let to = &blackout.applies_to;
    if to.site {
        return "the whole site".to_owned();
    }
    let all = [("pools", &to.pools), ("jobs", &to.jobs), ("flows", &to.flows)];
    let named = all.into_iter().filter(|(_, names)| !names.is_empty());
    named.map(|(word, names)| format!("{word} {}", names.join(", "))).collect::<Vec<_>>().join("; ")
}

fn end_of(end: BlackoutEnd) -> &'static str {
    match end {
        BlackoutEnd::StartLate => "starts at its end",
        BlackoutEnd::Skip => "is skipped",
        BlackoutEnd::Hold => "waits for a person",
    }
}

/// A lane in its place.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// Where its name stands, its bars begin, and the line under it is.
    pub(crate) name_y: i64,
    pub(crate) bar_y: i64,
    pub(crate) top: i64,
    pub(crate) lane: Lane,
}

/// Lanes in their places, and how high all of it is.
pub(crate) fn placed(lanes: Vec<Lane>) -> (Vec<Drawn>, i64) {
    let place = |(number, lane): (i64, Lane)| {
        let top = SCALE + number * LANE;
        Drawn { name_y: top + NAME, bar_y: top + NAME + 5, top, lane }
    };
    let drawn: Vec<Drawn> = (0..).zip(lanes).map(place).collect();
    let height = drawn.last().map_or(SCALE, |last| last.top + LANE);
    (drawn, height)
}

/// Whether one more lane with so many bars still has room behind those that are there. The first always has.
pub(crate) fn has_room(lanes: &[Lane], more: usize) -> bool {
    let bars: usize = lanes.iter().map(|lane| lane.bars.len()).sum();
    lanes.is_empty() || (lanes.len() < LANES && bars + more <= BARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::timeline::Asked;
    use serde_json::{Value, json};

    fn view() -> View {
        let asked = Asked { zone: "UTC".to_owned(), ..Asked::default() };
        View::of(&asked, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap()
    }

    fn site(blackouts: &[Value]) -> SiteView {
        let mut site = SiteView::default();
        for (number, fields) in blackouts.iter().enumerate() {
            let mut all = json!({"kind": "blackout", "name": format!("b{number}")});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            site.put_blackout(serde_json::from_value(all).unwrap());
        }
        site
    }

    fn job(fields: &Value) -> JobDefinition {
        let mut all = json!({"name": "pay", "command": {"argv": ["/bin/true"]}});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn lanes_follow_one_another_without_a_gap_and_in_the_order_given() {
        let lane = |name: &str| Lane::of_job(name, Vec::new(), &view());
        let (drawn, height) = placed(vec![lane("a"), lane("b"), lane("c")]);
        let tops: Vec<i64> = drawn.iter().map(|one| one.top).collect();
        assert_eq!((tops, height), (vec![SCALE, SCALE + LANE, SCALE + 2 * LANE], SCALE + 3 * LANE));
        assert!(drawn.iter().all(|one| one.bar_y + BAR < one.top + LANE));
        assert_eq!(placed(Vec::new()).1, SCALE);
    }

    #[test]
    fn a_page_has_room_for_some_lanes_and_bars_and_for_one_lane_always() {
        let lane = || Lane::of_job("a", Vec::new(), &view());
        let many: Vec<Lane> = (0..LANES).map(|_| lane()).collect();
        assert!(has_room(&[], BARS + 1));
        assert!(has_room(&many[1..], BARS));
        assert!(!has_room(&many[1..], BARS + 1));
        assert!(!has_room(&many, 0));
    }

    #[test]
    fn blackouts_shade_what_they_apply_to_and_few_are_named() {
        let once = |from: &str, until: &str| json!([{"once": {"from": from, "until": until}}]);
        let noon = once("2026-11-20T12:00", "2026-11-20T18:00");
        let site = site(&[
            json!({"applies-to": {"site": true}, "times": noon}),
            json!({"applies-to": {"pools": ["big"], "jobs": ["x"]}, "times": noon, "at-end": "skip"}),
            json!({"applies-to": {"site": true}, "times": once("2020-01-01T00:00", "2020-01-02T00:00")}),
        ]);
        let found = Darkness::of(&site, &view());
        let shade = Shade { x: 500, width: 125 };
        assert_eq!((found.of_site(), found.of_pool("big")), (vec![shade], vec![shade]));
        assert_eq!(found.of_job(&job(&json!({"pool": "big"}))), [shade]);
        assert_eq!((found.of_job(&job(&json!({}))), found.of_pool("small")), (vec![], vec![]));
        let told: Vec<(&str, &str)> =
            found.told.iter().map(|one| (one.applies.as_str(), one.end)).collect();
        assert_eq!(
            told,
            [("the whole site", "starts at its end"), ("pools big; jobs x", "is skipped")]
        );
        let times: Vec<Value> = (0..23)
            .map(|n| json!({"once": {"from": format!("2026-11-20T{n:02}:00"), "until": format!("2026-11-20T{n:02}:30")}}))
            .collect();
        let many = Darkness::of(
            &self::site(&[json!({"applies-to": {"site": true}, "times": times})]),
            &view(),
        );
        assert_eq!((many.told.len(), many.more), (SHADES, 3));
    }
}
