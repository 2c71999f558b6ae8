//! Runs and occurrences as bars of a lane: what each says, and which are drawn as one.

use domain::forecast::Planned;
use domain::ids::StreamId;
use domain::wire::RunRow;
use jiff::{SignedDuration, Timestamp};

use super::view::View;
use crate::pages::words::{Marked, address, asking, brief, tone};

/// Least width of a bar, in the units of the chart.
const LEAST: i64 = 6;
/// Wider than this what is drawn as one does not grow while there is room for more bars.
const WIDE: i64 = super::view::WIDTH / BARS as i64;
/// Most bars of a lane; where there are more, those that are near each other are one.
const BARS: usize = 10;

/// How a bar looks: its pattern and its frame, and only then its colour. In the order in which one hides another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    Planned,
    Out,
    Good,
    Open,
    Warn,
    Bad,
}

impl Look {
    /// Its class.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Planned => "plan",
            Self::Out => "out",
            Self::Good => "good",
            Self::Open => "open",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// The pattern that fills it, where it is not filled by its colour alone or hollow.
    pub(crate) fn pattern(self) -> Option<&'static str> {
        match self {
            Self::Bad => Some("look-bad"),
            Self::Warn => Some("look-warn"),
            Self::Open => Some("look-open"),
            Self::Planned | Self::Out | Self::Good => None,
        }
    }

    fn of(state: &str) -> Self {
        match tone(state) {
            "good" => Self::Good,
            "bad" => Self::Bad,
            "warn" => Self::Warn,
            _ => Self::Open,
        }
    }

    fn is_ahead(self) -> bool {
        self <= Self::Out
    }
}

/// A run, or an occurrence that lies ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    job: String,
    name: String,
    look: Look,
    word: String,
    from: Timestamp,
    /// Where it ends; the same as its beginning where it has no length.
    until: Timestamp,
    goes_on: bool,
    /// The instant by which lists find it.
    instant: Timestamp,
    href: String,
    note: String,
}

impl Piece {
    /// A run, where something of it is within the view.
    pub(crate) fn of_run(row: &RunRow, view: &View) -> Option<Self> {
        let from = row.started.unwrap_or(row.instant);
        let goes_on = row.open && row.started.is_some();
        let until =
            if goes_on { Some(view.now) } else { row.ended.filter(|_| row.started.is_some()) };
        let until = until.unwrap_or(from).max(from);
        let late = if row.late { "late; " } else { "" };
        let why = row.message.as_deref().map(brief).unwrap_or_default();
        (until >= view.from && from < view.to).then(|| Self {
            job: row.job.clone(),
            name: row.run.rest().to_owned(),
            look: Look::of(&row.state),
            word: row.state.clone(),
            from,
            until,
            goes_on,
            instant: row.instant,
            href: address(&row.run),
            note: format!("{late}{why}").trim_end_matches("; ").to_owned(),
        })
    }

    /// An occurrence that lies ahead, where it is within the view.
    pub(crate) fn of_planned(one: &Planned, view: &View) -> Option<Self> {
        let (look, word) = match &one.skipped {
            Some(_) => (Look::Out, "will not run"),
            None => (Look::Planned, "will run"),
        };
        let usual = matches!(one.reason, "exact" | "elapsed" | "left-out");
        let clock = if usual { None } else { Some(one.reason) };
        let notes = [one.skipped.as_deref(), clock, one.note.as_deref()];
        let notes: Vec<&str> = notes.into_iter().flatten().collect();
        view.holds(one.at).then(|| Self {
            job: one.job.clone(),
            name: one.job.clone(),
            look,
            word: word.to_owned(),
            from: one.at,
            until: one.at,
            goes_on: false,
            instant: one.occurrence,
            href: address(&StreamId::job(&one.job)),
            note: brief(&notes.join("; ")),
        })
    }

    /// Where it begins and ends on the chart.
    fn place(&self, view: &View) -> (i64, i64) {
        let (from, until) = (view.x(self.from), view.x(self.until));
        (from, until.max(from + LEAST))
    }
}

/// What is drawn as one, and stands in one row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: i64,
    pub(crate) width: i64,
    pub(crate) look: Look,
    pub(crate) href: String,
    pub(crate) title: String,
    pub(crate) what: Marked,
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) note: String,
}

/// The bars of a lane, of a job where it is one's, from left to right.
pub(crate) fn bars(mut pieces: Vec<Piece>, job: Option<&str>, view: &View) -> Vec<Bar> {
    pieces.sort_by(|one, other| (one.from, &one.name).cmp(&(other.from, &other.name)));
    let bar = |group: Group<'_>| match group.pieces.as_slice() {
        [one] => single(one, view),
        several => together(several, job, view),
    };
    groups(&pieces, view).into_iter().map(bar).collect()
}

/// What is drawn as one: from where to where, and what of.
struct Group<'p> {
    x: i64,
    end: i64,
    ahead: bool,
    pieces: Vec<&'p Piece>,
}

impl<'p> Group<'p> {
    fn of(piece: &'p Piece, view: &View) -> Self {
        let (x, end) = piece.place(view);
        Self { x, end, ahead: piece.look.is_ahead(), pieces: vec![piece] }
    }

    /// How wide both would be as one. What has been stays apart from what is to come, however near.
    fn with(&self, next: &Self) -> Option<i64> {
        (self.ahead == next.ahead).then(|| self.end.max(next.end) - self.x)
    }

    fn take(&mut self, next: Self) {
        self.end = self.end.max(next.end);
        self.pieces.extend(next.pieces);
    }
}

/// What cannot be seen apart is one, up to a width; and where that leaves too many, those that are nearest.
fn groups<'p>(pieces: &'p [Piece], view: &View) -> Vec<Group<'p>> {
    let (ahead, been): (Vec<_>, Vec<_>) = pieces.iter().partition(|one| one.look.is_ahead());
    let mut found: Vec<Group<'p>> = Vec::new();
    for piece in been.into_iter().chain(ahead) {
        let next = Group::of(piece, view);
        match found.last_mut() {
            Some(last) if is_hidden(last, &next) => last.take(next),
            Some(_) | None => found.push(next),
        }
    }
    while found.len() > BARS {
        let Some(at) = nearest(&found) else { break };
        let next = found.remove(at + 1);
        if let Some(one) = found.get_mut(at) {
            one.take(next);
        }
    }
    found
}

fn is_hidden(last: &Group<'_>, next: &Group<'_>) -> bool {
    next.x < last.end && last.with(next).is_some_and(|width| width <= WIDE)
}

/// The one that is narrowest together with the next.
fn nearest(groups: &[Group<'_>]) -> Option<usize> {
    let pairs = groups.iter().zip(groups.iter().skip(1)).enumerate();
    let widths = pairs.filter_map(|(at, (one, next))| Some((one.with(next)?, at)));
    widths.min().map(|(_, at)| at)
}

fn marked(word: String, look: Look) -> Marked {
    let tone = match look {
        Look::Good => "good",
        Look::Bad => "bad",
        Look::Warn | Look::Out => "warn",
        Look::Open | Look::Planned => "",
    };
    Marked::tuned(word, tone)
}

fn single(one: &Piece, view: &View) -> Bar {
    let (x, end) = one.place(view);
    let until = match (one.goes_on, one.until > one.from) {
        (true, _) => "goes on".to_owned(),
        (false, true) => view.told(one.until),
        (false, false) => String::new(),
    };
    let times = match (one.goes_on, one.until > one.from) {
        (true, _) => format!("since {}", view.brief(one.from)),
        (false, true) => format!("{} to {}", view.brief(one.from), view.brief(one.until)),
        (false, false) => view.brief(one.from),
    };
    Bar {
        x,
        width: end - x,
        look: one.look,
        href: one.href.clone(),
        title: format!("{} {}, {times}", one.name, one.word),
        what: marked(one.word.clone(), one.look),
        name: one.name.clone(),
        from: view.told(one.from),
        until,
        note: one.note.clone(),
    }
}

/// How often each word is said, the worst first.
fn counted(group: &[&Piece]) -> String {
    let mut words: Vec<(Look, &str)> =
        group.iter().map(|piece| (piece.look, piece.word.as_str())).collect();
    words.sort_by(|one, other| other.cmp(one));
    let said = words.chunk_by(|one, other| one.1 == other.1);
    let said = said.map(|same| format!("{} {}", same.len(), same.first().map_or("", |one| one.1)));
    said.collect::<Vec<_>>().join(", ")
}

fn together(group: &[&Piece], job: Option<&str>, view: &View) -> Bar {
    let ahead = group.iter().all(|piece| piece.look.is_ahead());
    let instants = || group.iter().map(|piece| piece.instant);
    let (first, last) = (instants().min(), instants().max());
    let from = group.iter().map(|piece| piece.from).min().unwrap_or(view.from);
    let until = group.iter().map(|piece| piece.until).max().unwrap_or(from);
    let (x, end) = (view.x(from), view.x(until).max(view.x(from) + LEAST));
    let look = group.iter().map(|piece| piece.look).max();
    let noun = if ahead { "occurrences" } else { "runs" };
    let (count, words) = (group.len(), counted(group));
    let href = match (ahead, job) {
        (true, Some(job)) => address(&StreamId::job(job)),
        (true, None) => "/jobs".to_owned(),
        (false, _) => listed(job.unwrap_or_default(), first, last),
    };
    let of = job.map(|job| format!("{job}: ")).unwrap_or_default();
    let look = look.unwrap_or(Look::Open);
    Bar {
        x,
        width: end - x,
        look,
        href,
        title: format!(
            "{of}{count} {noun}, {words}, {} to {}",
            view.brief(from),
            view.brief(until)
        ),
        what: marked(words, look),
        name: format!("{count} {noun}"),
        from: view.told(from),
        until: view.told(until),
        note: if job.is_some() { String::new() } else { jobs_of(group) },
    }
}

/// Where these runs are listed.
fn listed(job: &str, first: Option<Timestamp>, last: Option<Timestamp>) -> String {
    let behind = |at: Timestamp| at.checked_add(SignedDuration::from_secs(1)).unwrap_or(at);
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let (since, until) = (text(first), text(last.map(behind)));
    asking("/runs", &[("job", job), ("since", &since), ("until", &until)])
}

/// Whose they are, shortly.
fn jobs_of(group: &[&Piece]) -> String {
    const NAMED: usize = 3;
    let mut jobs: Vec<&str> = group.iter().map(|piece| piece.job.as_str()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    let more = jobs.len().saturating_sub(NAMED);
    let named = jobs.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more jobs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::timeline::Asked;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-20T{text}:00Z").parse().unwrap()
    }

    /// From midnight to midnight; noon is now, and 15 minutes are some ten units.
    fn view() -> View {
        let asked = Asked { hours: "12".to_owned(), zone: "UTC".to_owned(), ..Asked::default() };
        View::of(&asked, at("12:00")).unwrap()
    }

    fn run(state: &str, started: Option<&str>, ended: Option<&str>) -> RunRow {
        let instant = started.map_or(at("03:00"), at);
        RunRow {
            run: format!("run/pay@{instant}").parse().unwrap(),
            job: "pay".to_owned(),
            state: state.to_owned(),
            instant,
            scheduled: true,
            open: ended.is_none() && started.is_some(),
            late: false,
            attempts: 1,
            host: None,
            started: started.map(at),
            ended: ended.map(at),
            message: None,
        }
    }

    fn planned(time: &str, skipped: Option<&str>) -> Planned {
        Planned {
            at: at(time),
            job: "pay".to_owned(),
            pool: "default".to_owned(),
            occurrence: at(time),
            local: String::new(),
            reason: "exact",
            business_day: String::new(),
            skipped: skipped.map(str::to_owned),
            note: None,
        }
    }

    fn drawn(pieces: Vec<Option<Piece>>) -> Vec<(i64, i64, Look, String)> {
        let found = bars(pieces.into_iter().flatten().collect(), Some("pay"), &view());
        found.into_iter().map(|bar| (bar.x, bar.width, bar.look, bar.what.word)).collect()
    }

    #[test]
    fn a_run_is_as_long_as_it_took_and_looks_as_it_ended() {
        let view = view();
        let table = [
            (run("succeeded", Some("06:00"), Some("09:00")), Some((250, 125, Look::Good))),
            (run("failed", Some("06:00"), Some("06:01")), Some((250, LEAST, Look::Bad))),
            (run("cancelled", Some("06:00"), Some("18:00")), Some((250, 500, Look::Warn))),
            (run("running", Some("06:00"), None), Some((250, 250, Look::Open))),
            (run("skipped", None, Some("03:01")), Some((125, LEAST, Look::Warn))),
        ];
        for (row, wanted) in table {
            let found = Piece::of_run(&row, &view).map(|piece| {
                let bar = single(&piece, &view);
                (bar.x, bar.width, bar.look)
            });
            assert_eq!(found, wanted, "{row:?}");
        }
        let mut old = run("succeeded", None, None);
        old.started = Some("2026-11-19T01:00:00Z".parse().unwrap());
        for (ended, is_shown) in [("2026-11-19T23:59:59Z", false), ("2026-11-20T00:00:01Z", true)] {
            old.ended = Some(ended.parse().unwrap());
            assert_eq!(Piece::of_run(&old, &view).is_some(), is_shown, "{ended}");
        }
    }

    #[test]
    fn what_will_run_is_hollow_what_will_not_is_broken_and_what_is_outside_is_not_there() {
        let view = view();
        let one = |time, skipped| Piece::of_planned(&planned(time, skipped), &view);
        assert_eq!(
            drawn(vec![one("18:00", None), one("21:00", Some("a holiday"))]),
            [
                (750, LEAST, Look::Planned, "will run".to_owned()),
                (875, LEAST, Look::Out, "will not run".to_owned()),
            ]
        );
        let mut far = planned("18:00", None);
        far.at = view.to;
        assert_eq!(Piece::of_planned(&far, &view), None);
        let mut odd = planned("18:00", None);
        (odd.reason, odd.note) = ("gap-shifted", Some("held: no".to_owned()));
        let bar = single(&Piece::of_planned(&odd, &view).unwrap(), &view);
        assert_eq!(
            (bar.note.as_str(), bar.title.as_str()),
            ("gap-shifted; held: no", "pay will run, Fri 18:00")
        );
    }

    #[test]
    fn what_cannot_be_seen_apart_is_one_bar_that_shows_the_worst_of_it() {
        let view = view();
        let of = |state, from, until| Piece::of_run(&run(state, Some(from), Some(until)), &view);
        let pieces = vec![
            of("succeeded", "06:00", "06:01"),
            of("failed", "06:05", "06:06"),
            of("succeeded", "09:00", "09:01"),
        ];
        assert_eq!(
            drawn(pieces),
            [
                (250, LEAST, Look::Bad, "1 failed, 1 succeeded".to_owned()),
                (375, LEAST, Look::Good, "succeeded".to_owned()),
            ]
        );
    }

    #[test]
    fn a_lane_has_few_bars_and_loses_nothing() {
        let view = view();
        let time = |n: i32| format!("{:02}:{:02}", n / 60, n % 60);
        let been = (0..720)
            .step_by(5)
            .map(|n| Piece::of_run(&run("succeeded", Some(&time(n)), Some(&time(n + 1))), &view));
        let ahead =
            (720..1_440).step_by(5).map(|n| Piece::of_planned(&planned(&time(n), None), &view));
        let pieces: Vec<Piece> = been.chain(ahead).flatten().collect();
        let found = bars(pieces, Some("pay"), &view);
        assert!((2..=BARS).contains(&found.len()), "{found:#?}");
        let counts = found.iter().map(|bar| bar.name.split(' ').next().unwrap());
        assert_eq!(counts.map(|count| count.parse::<u32>().unwrap()).sum::<u32>(), 288);
        assert!(found.len() >= BARS / 2, "one bar does not hide a whole day: {found:#?}");
        assert!(found.windows(2).all(|two| two[0].x + two[0].width <= two[1].x + LEAST));
        let first = &found[0];
        assert!(first.href.starts_with("/runs?job=pay&since=2026-11-20T00%3A00%3A00Z&until="));
        assert_eq!(found.last().unwrap().href, "/jobs/pay");
    }

    #[test]
    fn where_there_are_too_many_those_that_are_nearest_are_one() {
        let view = view();
        let ahead =
            (0..12).map(|n| Piece::of_planned(&planned(&format!("{:02}:00", 12 + n), None), &view));
        let found = bars(ahead.flatten().collect(), Some("pay"), &view);
        let of_two = found.iter().filter(|bar| bar.name == "2 occurrences").count();
        let of_one = found.iter().filter(|bar| bar.name == "pay").count();
        assert_eq!((of_two, of_one), (2, 8), "{found:#?}");
    }

    #[test]
    fn bars_of_a_host_say_whose_runs_they_are() {
        let of = |job: &str| Piece {
            job: job.to_owned(),
            ..Piece::of_planned(&planned("18:00", None), &view()).unwrap()
        };
        for (jobs, wanted) in [
            (vec!["b", "a", "b"], "a, b"),
            (vec!["a", "b", "c", "d", "e"], "a, b, c and 2 more jobs"),
        ] {
            let found = bars(jobs.into_iter().map(of).collect(), None, &view());
            assert_eq!((found.len(), found[0].note.as_str()), (1, wanted));
        }
    }
}
