//! `decklog calendar …`, `blackout …`, `lock …` and `pool …`: what a site defines beside its jobs.

use domain::backup::claim_name;
use domain::calendar::{CalendarDefinition, Days};
use domain::controls::ControlSettings;
use domain::ids::StreamId;
use domain::job::Share;
use domain::ledger::{StreamState, units};
use domain::run::{Run, State};
use domain::site::{BlackoutDefinition, BlackoutEnd, Defined, Thing as Definition, ThingKind};
use domain::wire::{Selection, StreamView};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::plan::far;
use super::{calendar, with_console};
use crate::cli::{Calendar, CalendarAct, Format, Named, NamedAct, Place, Thing};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host, site};

pub(crate) fn calendar(wanted: &Calendar, format: Format) -> anyhow::Result<()> {
    const KIND: ThingKind = ThingKind::Calendar;
    match &wanted.act {
        None => calendar::run(&wanted.forecast, format),
        Some(CalendarAct::List(place)) => list(KIND, place, format),
        Some(CalendarAct::Show { which, year }) => show(KIND, which, *year, format),
        Some(CalendarAct::Approve(which)) => approve(KIND, which, format),
        Some(CalendarAct::Retire(act)) => retire(KIND, act, format),
    }
}

pub(crate) fn run(kind: ThingKind, thing: &Thing, format: Format) -> anyhow::Result<()> {
    match thing {
        Thing::List(place) => list(kind, place, format),
        Thing::Show(which) => show(kind, which, None, format),
        Thing::Approve(which) => approve(kind, which, format),
        Thing::Retire(act) => retire(kind, act, format),
    }
}

fn approve(kind: ThingKind, which: &Named, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/things/{}/{}/approve", kind.word(), which.name);
    let applied = with_console(&which.place, |client| client.act(&path, &json!({})))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

fn retire(kind: ThingKind, act: &NamedAct, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/things/{}/{}/retire", kind.word(), act.name);
    let body = json!({"reason": act.reason});
    let applied = with_console(&act.place, |client| client.act(&path, &body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

fn list(kind: ThingKind, place: &Place, format: Format) -> anyhow::Result<()> {
    let views = Source::open(place)?.streams(Selection::Things)?;
    let of_kind = |view: &StreamView| view.id.stream_type().thing() == Some(kind);
    let views: Vec<StreamView> = views.into_iter().filter(of_kind).collect();
    output::list(format, &views, |views| {
        let name = kind.word().to_uppercase();
        let mut table = Table::new([&name, "STATE", "WHAT", "DEFINITION"]);
        for view in views {
            if let Some(thing) = view.state.body.thing() {
                let number = thing.active().map_or("-".to_owned(), |span| span.number.to_string());
                let what = thing.read(kind).map(|read| in_short(&read)).unwrap_or_default();
                table.row([thing.name.clone(), state_of(thing).to_owned(), what, number]);
            }
        }
        table
    })
}

fn state_of(thing: &Defined) -> &'static str {
    match (thing.active(), &thing.versions.proposal) {
        (Some(_), _) => "active",
        (None, _) if thing.versions.retired.is_some() => "retired",
        (None, Some(_)) => "proposed",
        (None, None) => "new",
    }
}

/// One line about a definition.
fn in_short(thing: &Definition) -> String {
    match thing {
        Definition::Calendar(calendar) => calendar.description.clone(),
        Definition::Blackout(blackout) => format!("{}; {}", applies(blackout), at_end(blackout)),
        Definition::Lock(lock) if lock.units == 1 => "1 unit".to_owned(),
        Definition::Lock(lock) => format!("{} units", lock.units),
        Definition::Pool(pool) => pool
            .limit
            .map_or_else(|| "no limit".to_owned(), |limit| format!("{limit} attempts at once")),
        Definition::Dataset(dataset) => format!("RPO {}; {}", dataset.rpo, dataset.description),
        Definition::Repository(one) => format!("{} ({})", one.location, one.engine.word()),
        Definition::Queue(queue) => queue.printer.clone(),
        Definition::Form(form) => format!("{}, in queue {}", form.account, form.queue),
        Definition::CallTree(tree) => {
            let levels = tree.levels.len();
            format!("{levels} level{}", if levels == 1 { "" } else { "s" })
        }
        Definition::Measures(measures) => {
            let settings = measures.settings();
            let unusual = settings.unlike(&ControlSettings::default());
            if unusual.is_empty() { "as is usual".to_owned() } else { unusual.join(", ") }
        }
    }
}

fn applies(blackout: &BlackoutDefinition) -> String {
    let to = &blackout.applies_to;
    if to.site {
        return "the whole site".to_owned();
    }
    let list = |word: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
    };
    let all = [list("pools", &to.pools), list("jobs", &to.jobs), list("flows", &to.flows)];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn at_end(blackout: &BlackoutDefinition) -> &'static str {
    match blackout.at_end {
        BlackoutEnd::StartLate => "what would start meanwhile starts at its end",
        BlackoutEnd::Skip => "what would start meanwhile is skipped",
        BlackoutEnd::Hold => "what would start meanwhile waits for a person",
    }
}

/// A thing, and what beside its definition is to be said of it.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    view: StreamView,
    more: Vec<Value>,
    #[serde(skip)]
    lines: Vec<String>,
}

fn show(kind: ThingKind, which: &Named, year: Option<i16>, format: Format) -> anyhow::Result<()> {
    let (name, word) = (&which.name, kind.word());
    let source = Source::open(&which.place)?;
    let id = StreamId::thing(kind, name);
    let Some(state) = source.stream(&id)? else {
        return match kind {
            ThingKind::Pool => undefined_pool(&source, name, format),
            ThingKind::Calendar
            | ThingKind::Blackout
            | ThingKind::Lock
            | ThingKind::Dataset
            | ThingKind::Repository
            | ThingKind::Queue
            | ThingKind::CallTree
            | ThingKind::Measures
            | ThingKind::Form => Err(exit::not_found(format!("there is no {word} {name}"))),
        };
    };
    let (more, lines) = match kind {
        ThingKind::Calendar => days(&source, &state, year.unwrap_or_else(this_year))?,
        ThingKind::Blackout => covers(&source, &state)?,
        ThingKind::Lock | ThingKind::Repository => holders(&source, &claim_name(&id), &state)?,
        ThingKind::Dataset
        | ThingKind::Queue
        | ThingKind::Form
        | ThingKind::CallTree
        | ThingKind::Measures => More::default(),
        ThingKind::Pool => members(&source, name)?,
    };
    let shown = Shown { view: StreamView { id, state }, more, lines };
    output::one(format, &shown, |shown| text(kind, shown))
}

fn text(kind: ThingKind, shown: &Shown) -> String {
    let Some(thing) = shown.view.state.body.thing() else { return String::new() };
    let mut text = format!("{:<9} {}\nstate     {}\n", kind.word(), thing.name, state_of(thing));
    if let Some(read) = thing.read(kind) {
        text.push_str(&format!("what      {}\n", in_short(&read)));
    }
    for line in &shown.lines {
        text.push_str(&format!("{line}\n"));
    }
    text.push_str(&super::job::versions(&thing.versions));
    let value = thing.newest().and_then(|span| serde_json::from_str(span.definition.get()).ok());
    let read = value.and_then(|value: Value| Definition::read(kind, &value).ok());
    if let Some(Ok(yaml)) = read.map(|read| domain::job::thing_to_yaml(&read)) {
        text.push_str(&format!("---\n{yaml}"));
    }
    text
}

/// What is shown beside a definition: for programs, and for people.
type More = (Vec<Value>, Vec<String>);

fn this_year() -> i16 {
    host::now().to_zoned(jiff::tz::TimeZone::system()).year()
}

/// The days of a year that a calendar holds, and the periods of its fiscal year.
fn days(source: &Source, state: &StreamState, year: i16) -> anyhow::Result<More> {
    let (mut more, mut lines) = (Vec::new(), Vec::new());
    let thing = state.body.thing();
    let Some(Definition::Calendar(calendar)) = thing.and_then(|t| t.read(ThingKind::Calendar))
    else {
        return Ok((more, lines));
    };
    let site = site::view(&site::things(source)?);
    let names = std::iter::once(calendar.name.clone()).collect();
    let (almanac, _) = site.calendars.almanac(&names, far(host::now()))?;
    let of_year = almanac.year(&Days::named(&calendar.name), year);
    let first = Date::new(year, 1, 1).map_err(exit::usage)?;
    let all = std::iter::successors(Some(first), |day| day.tomorrow().ok());
    for day in all.take_while(|day| day.year() == year).filter(|day| of_year.contains(*day)) {
        let name = of_year.name(day).unwrap_or_default();
        let weekday = day.strftime("%a");
        lines.push(format!("day       {day} {weekday} {name}").trim_end().to_owned());
        more.push(json!({"day": day, "name": name}));
    }
    periods(&calendar, year, &mut more, &mut lines);
    Ok((more, lines))
}

fn periods(
    calendar: &CalendarDefinition,
    year: i16,
    more: &mut Vec<Value>,
    lines: &mut Vec<String>,
) {
    let periods = calendar.fiscal.and_then(|fiscal| fiscal.periods(year)).unwrap_or_default();
    for (number, period) in (1..).zip(periods) {
        let (first, last) = (period.first, period.last);
        lines.push(format!("period    {number} of {year}: {first} to {last}"));
        more.push(json!({"period": number, "of": year, "first": first, "last": last}));
    }
}

/// Until when a blackout lasts, where it does.
fn covers(source: &Source, state: &StreamState) -> anyhow::Result<More> {
    let thing = state.body.thing().filter(|thing| thing.active().is_some());
    let Some(Definition::Blackout(blackout)) = thing.and_then(|t| t.read(ThingKind::Blackout))
    else {
        return Ok(More::default());
    };
    let site = site::view(&site::things(source)?);
    let now = host::now();
    let (almanac, _) = site.calendars.almanac(&blackout.names(), far(now))?;
    Ok(match blackout.covers(now, &almanac) {
        Some(until) => {
            let line = format!("now       it lasts until {}", output::local(until));
            (vec![json!({"until": until})], vec![line])
        }
        None => (Vec::new(), vec!["now       it does not last".to_owned()]),
    })
}

/// All open runs.
fn open_runs(source: &Source) -> anyhow::Result<Vec<Run>> {
    let views = source.streams(Selection::OpenRuns)?;
    Ok(views.iter().filter_map(|view| view.state.body.run()).cloned().collect())
}

/// Who holds a lock, and who waits for it, in the order in which they come.
fn holders(source: &Source, name: &str, state: &StreamState) -> anyhow::Result<More> {
    let (mut more, mut lines) = (Vec::new(), Vec::new());
    let all = units(state);
    for holder in &state.turn.holders {
        let (run, held) = (&holder.run, holder.units.unwrap_or(all));
        lines.push(format!("held      by {}, {held} of {all}", run.rest()));
        more.push(json!({"holds": run, "units": held}));
    }
    let mut waiting = Vec::new();
    for run in open_runs(source)? {
        let claim = run.terms.locks.iter().find(|claim| claim.lock == name);
        if let (Some(share), true) = (claim.map(|claim| claim.share), is_ready(&run)) {
            waiting.push((run.instant(), run.created, run.id, share));
        }
    }
    waiting.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
    for (place, (instant, _, run, share)) in (1..).zip(waiting) {
        let wanted = match share {
            Share::Units(wanted) => wanted,
            Share::Exclusive => all,
        };
        let since = output::local(instant);
        lines.push(format!("waits     {place}. {}, {wanted} of {all}, since {since}", run.rest()));
        more.push(json!({"waits": run, "units": wanted, "place": place}));
    }
    Ok((more, lines))
}

/// Whether a run waits for nothing but its turn.
fn is_ready(run: &Run) -> bool {
    let time = |at: Option<jiff::Timestamp>| at.is_none_or(|at| at <= host::now());
    match run.state {
        State::Due => time(run.not_before()),
        State::Retrying { not_before, .. } => not_before.is_some() && time(not_before),
        State::Requested
        | State::Held { .. }
        | State::Waiting
        | State::Blocked
        | State::Parts
        | State::Running { .. }
        | State::Unknown { .. }
        | State::Ended { .. } => false,
    }
}

/// A pool needs no definition: hosts say which pools they take work from.
fn undefined_pool(source: &Source, name: &str, format: Format) -> anyhow::Result<()> {
    let (more, lines) = members(source, name)?;
    if !more.iter().any(|one| one.get("host").is_some()) {
        return Err(exit::not_found(format!(
            "there is no pool {name}, and no host takes its work"
        )));
    }
    output::one(format, &json!({"pool": name, "more": more}), |_| {
        format!("pool      {name}\nstate     not defined: it has no limit\n{}\n", lines.join("\n"))
    })
}

/// The hosts of a pool, what runs on them, and how much waits.
fn members(source: &Source, name: &str) -> anyhow::Result<More> {
    let (mut more, mut lines) = (Vec::new(), Vec::new());
    for view in source.streams(Selection::Hosts)? {
        let Some(host) = view.state.body.host() else { continue };
        let Some(started) = &host.started else { continue };
        if !started.pools.iter().any(|pool| pool == name) {
            continue;
        }
        let state = match (&host.drained, host.up) {
            (Some(why), _) => format!("drained: {why}"),
            (None, true) => "up".to_owned(),
            (None, false) => "down".to_owned(),
        };
        lines.push(format!("host      {}, {} slots, {state}", host.name, started.slots));
        more.push(json!({"host": host.name, "slots": started.slots, "state": state}));
    }
    let open = open_runs(source)?;
    let of_pool = |run: &&Run| run.pool == name;
    for run in open.iter().filter(of_pool).filter(|run| run.is_running()) {
        let on = run.attempt().map(|attempt| attempt.host.as_str()).unwrap_or_default();
        lines.push(format!("runs      {} on {on}", run.id.rest()));
        more.push(json!({"runs": run.id, "on": on}));
    }
    let waits = open.iter().filter(of_pool).filter(|run| is_ready(run)).count();
    lines.push(format!("waiting   {waits}"));
    more.push(json!({"waiting": waits}));
    Ok((more, lines))
}
