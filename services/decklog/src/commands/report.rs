//! `decklog report …`: our own printed pages, as PDF, from the log as it is now.

use std::collections::BTreeMap;

use domain::backup::protection::active;
use domain::backup::{Dataset, Protection};
use domain::envelope::Envelope;
use domain::event::{Event, JobEvent, ThingAct};
use domain::ids::StreamId;
use domain::ledger::Body;
use domain::night::Night;
use domain::print::{Document, State};
use domain::run::Run;
use domain::wire::{Content, DocumentFilter, HeadView, LogEntry, Query, RunRow, Selection};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use paper::{
    Change, DailyHead, DatasetAtRisk, Exception, Figure, Imprint, MorningReview, Sheet,
    UndeliveredPrint,
};

use super::print::{find_documents, short_of, write_new};
use crate::cli::{Report, ReportOf};
use crate::source::Source;
use crate::{exit, host, output, when};

/// Events asked for at once.
const PAGE: u32 = 500;
/// Most changes and prints on a page that is meant to be read.
const ROWS_MAX: usize = 500;

pub(crate) fn run(wanted: &Report) -> anyhow::Result<()> {
    let (of, bytes) = match wanted {
        Report::DailyHead(of) => (of, head(of)?),
        Report::MorningReview(of) => (of, review(of)?),
    };
    write_new(&of.to, &bytes)?;
    output::line(&format!("{}: {} bytes", of.to.display(), bytes.len()))
}

/// What every page says of itself.
struct Made<'a> {
    of: &'a ReportOf,
    source: Source,
    zone: TimeZone,
    now: Timestamp,
    position: u64,
    head: HeadView,
}

impl<'a> Made<'a> {
    fn open(of: &'a ReportOf) -> anyhow::Result<Self> {
        let source = Source::open(&of.place)?;
        let answer = source.ask(&Query::Head)?;
        let Content::Head(head) = answer.content else {
            anyhow::bail!("the answer is to another question")
        };
        let zone = match &of.zone {
            Some(name) => TimeZone::get(name).map_err(exit::usage)?,
            None => TimeZone::system(),
        };
        Ok(Self { of, source, zone, now: host::now(), position: answer.position, head })
    }

    fn imprint(&self) -> Imprint {
        Imprint {
            reader: self.of.reader.clone(),
            made_by: made_by(),
            made_at: stamp(&self.now.to_zoned(self.zone.clone())),
            position: self.position,
            as_of: self.at(self.now),
        }
    }

    fn sheet(&self) -> Sheet {
        self.of.paper.into()
    }

    /// An instant for people, in the page's zone.
    fn at(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%-d %b %Y, %H:%M %Z").to_string()
    }

    fn day(&self) -> String {
        day_of(&self.now.to_zoned(self.zone.clone()))
    }

    fn night(&self, since: Timestamp) -> anyhow::Result<Night> {
        let Content::Night(night) =
            self.source.ask(&Query::Night { since, until: self.now })?.content
        else {
            anyhow::bail!("the answer is to another question")
        };
        Ok(night)
    }

    fn since(&self) -> anyhow::Result<Timestamp> {
        when::since(&self.of.since, self.now).map_err(exit::usage)
    }
}

/// What makes pages.
pub(super) fn made_by() -> String {
    format!("decklog {} on {}", env!("CARGO_PKG_VERSION"), host::name())
}

/// An instant as pages say when they were made.
pub(super) fn stamp(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A day in words.
pub(super) fn day_of(at: &Zoned) -> String {
    at.strftime("%A, %-d %B %Y").to_string()
}

fn figure(label: &str, value: impl ToString) -> Figure {
    Figure { label: label.to_owned(), value: value.to_string() }
}

fn head(of: &ReportOf) -> anyhow::Result<Vec<u8>> {
    let made = Made::open(of)?;
    let Some(checkpoint) = made.head.signed.clone() else {
        return Err(exit::unclean("no head of this log is signed yet"));
    };
    let since = made.since()?;
    let night = made.night(since)?;
    let (events, changes) = counts(&made, since)?;
    let page = DailyHead {
        sheet: made.sheet(),
        site: made.of.site.clone().unwrap_or_else(|| made.head.origin.clone()),
        day: made.day(),
        checkpoint,
        figures: vec![
            figure("events recorded", events),
            figure("runs", night.numbers.expected),
            figure(
                "not as planned",
                night.numbers.failed + night.numbers.missed + night.numbers.unknown,
            ),
            figure("changes by people", changes),
        ],
        verify: "decklog verify --head head.txt".to_owned(),
        imprint: made.imprint(),
    };
    Ok(page.pdf()?)
}

/// Events since an instant, and those of them that a person caused.
fn counts(made: &Made<'_>, since: Timestamp) -> anyhow::Result<(u64, u64)> {
    let (mut events, mut people) = (0, 0);
    each_event(made, since, |entry, envelope| {
        let by_people = envelope.actor.as_deref().is_some_and(|who| who.starts_with("user/"));
        events += 1;
        people += u64::from(entry.void.is_none() && by_people);
    })?;
    Ok((events, people))
}

/// Events received since an instant, newest pages first; the log is asked backwards.
fn each_event(
    made: &Made<'_>,
    since: Timestamp,
    mut take: impl FnMut(&LogEntry, &Envelope),
) -> anyhow::Result<()> {
    let mut end = made.position;
    while end > 0 {
        let after = end.saturating_sub(u64::from(PAGE));
        let limit = u32::try_from(end - after).unwrap_or(PAGE);
        let mut at = after;
        let mut oldest = made.now;
        // An answer may hold fewer than were asked for.
        while at < end {
            let page = made.source.events(at, limit, None)?;
            let Some(last) = page.last() else { break };
            for entry in page.iter().filter(|entry| entry.position <= end) {
                oldest = oldest.min(entry.received);
                if entry.received < since {
                    continue;
                }
                take(entry, &entry.envelope()?);
            }
            at = last.position;
        }
        if oldest < since {
            break;
        }
        end = after;
    }
    Ok(())
}

fn review(of: &ReportOf) -> anyhow::Result<Vec<u8>> {
    let made = Made::open(of)?;
    let since = made.since()?;
    let night = made.night(since)?;
    let datasets = datasets(&made)?;
    let prints = prints(&made, since)?;
    let changes = changes(&made, since)?;
    let page = MorningReview {
        sheet: made.sheet(),
        site: made.of.site.clone().unwrap_or_else(|| made.head.origin.clone()),
        day: made.day(),
        span: format!("{} to {}", made.at(since), made.at(made.now)),
        night: sentence(&night, datasets.len(), prints.len()),
        figures: vec![
            figure("runs due", night.numbers.expected),
            figure("ended well", night.numbers.ran),
            figure("exceptions", night.exceptions.len()),
            figure("datasets at risk", datasets.len()),
        ],
        exceptions: night
            .exceptions
            .iter()
            .map(|row| exception(&made, row))
            .collect::<Result<_, _>>()?,
        datasets,
        prints,
        changes,
        imprint: made.imprint(),
    };
    Ok(page.pdf()?)
}

fn sentence(night: &Night, datasets: usize, prints: usize) -> String {
    let n = night.numbers;
    let mut said = vec![format!("{} ended well", n.ran)];
    said.extend(n.in_words());
    let risk = match datasets {
        0 => "every dataset can be restored".to_owned(),
        1 => "1 dataset is at risk".to_owned(),
        count => format!("{count} datasets are at risk"),
    };
    let print = match prints {
        0 => "nothing that was to be printed or sent is left".to_owned(),
        1 => "1 document did not reach its reader".to_owned(),
        count => format!("{count} documents did not reach their readers"),
    };
    format!("Of {} runs that were due, {}; {risk}, and {print}.", n.expected, said.join(", "))
}

fn exception(made: &Made<'_>, row: &RunRow) -> anyhow::Result<Exception> {
    let state = made.source.stream(&row.run)?;
    let run = state.as_ref().and_then(|state| state.body.run());
    let late = run.and_then(Run::began_late_ms).map(|ms| long(ms.unsigned_abs() / 1_000));
    Ok(Exception {
        job: row.job.clone(),
        due: made.at(row.instant),
        state: row.state.clone(),
        lateness: late.unwrap_or_default(),
        host: row.host.clone().unwrap_or_default(),
        error: row.message.clone().unwrap_or_default(),
        advice: advice(row),
    })
}

/// What to do about a run, in a few words.
fn advice(row: &RunRow) -> String {
    let name = row.run.rest();
    match row.state.as_str() {
        "failed" | "timed-out" => format!("decklog logs {name}; then decklog rerun {name}"),
        "unknown" => format!(
            "look at host {}; then decklog resolve {name}",
            row.host.as_deref().unwrap_or("-")
        ),
        "held" | "blocked" | "waiting" => format!("decklog why {name}"),
        _ => format!("decklog run-show {name}"),
    }
}

fn long(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600.. => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

fn datasets(made: &Made<'_>) -> anyhow::Result<Vec<DatasetAtRisk>> {
    let views = made.source.streams(Selection::Things)?;
    let all = views.into_iter().filter_map(|view| {
        if let Body::Dataset(one) = view.state.body { Some(*one) } else { None }
    });
    Ok(all.filter_map(|one| at_risk(made, &one)).collect())
}

fn at_risk(made: &Made<'_>, dataset: &Dataset) -> Option<DatasetAtRisk> {
    let Protection::AtRisk { reason } = Protection::of(dataset, made.now) else { return None };
    let good = dataset.snapshots.iter().filter(|one| one.is_good()).map(|one| one.taken).max();
    let rpo = active(dataset).map(|(definition, _)| definition.rpo.to_string());
    Some(DatasetAtRisk {
        dataset: dataset.defined.name.clone(),
        last_good: good.map_or("never".to_owned(), |at| made.at(at)),
        age: good.map_or("-".to_owned(), |at| {
            long(u64::try_from(made.now.duration_since(at).as_secs()).unwrap_or(0))
        }),
        allowed: rpo.unwrap_or_default(),
        why: super::backup::why_at_risk(&reason),
        advice: format!("decklog backup snapshots {}", dataset.defined.name),
    })
}

fn prints(made: &Made<'_>, since: Timestamp) -> anyhow::Result<Vec<UndeliveredPrint>> {
    let limit = u32::try_from(ROWS_MAX).unwrap_or(u32::MAX);
    let filter = DocumentFilter { since: Some(since), limit, ..DocumentFilter::default() };
    let mut all: BTreeMap<StreamId, Document> =
        find_documents(&made.source, &filter)?.into_iter().collect();
    // What has waited longer than that has not arrived all the same.
    let states = domain::print::document::OPEN.map(str::to_owned).to_vec();
    let open = DocumentFilter { states, limit, ..DocumentFilter::default() };
    all.extend(find_documents(&made.source, &open)?);
    Ok(all.iter().filter_map(|(id, one)| undelivered(id, one)).collect())
}

fn undelivered(id: &StreamId, one: &Document) -> Option<UndeliveredPrint> {
    if one.has_arrived() {
        return None;
    }
    let failed = one.failed_deliveries().count();
    let short = short_of(id);
    let (why, advice) = match &one.state {
        State::Held { reason, .. } => (reason.clone(), format!("decklog print release {short}")),
        State::Stopped { troubles } => (troubles.join(", "), "see to the printer".to_owned()),
        State::Unknown { reason } => {
            (reason.clone(), format!("look at the printer; then decklog print resolve {short}"))
        }
        State::Failed { reason, .. } => (reason.clone(), format!("decklog print show {short}")),
        State::Cancelled { reason } => (reason.clone(), String::new()),
        State::Printed | State::Electronic if failed > 0 => (
            format!("{failed} of {} deliveries failed", one.spooled.deliveries),
            format!("decklog print show {short}"),
        ),
        State::Ready | State::Releasing | State::Printing | State::Printed | State::Electronic => {
            (String::new(), format!("decklog print show {short}"))
        }
    };
    Some(UndeliveredPrint {
        document: format!("{short} ({})", one.spooled.purpose),
        recipient: String::new(),
        printer: one.queue.clone(),
        state: one.word().to_owned(),
        why,
        advice,
    })
}

fn changes(made: &Made<'_>, since: Timestamp) -> anyhow::Result<Vec<Change>> {
    let mut found = Vec::new();
    each_event(made, since, |entry, envelope| {
        // A kind that this program does not know is no change that it could name.
        let (Ok(event), true) = (envelope.event(), entry.void.is_none()) else { return };
        if let Some((what, reason)) = changed(&event) {
            found.push((
                entry.position,
                Change {
                    at: made.at(entry.received),
                    what: what.to_owned(),
                    subject: envelope.subject.to_string(),
                    who: envelope.actor.clone().unwrap_or_else(|| "-".to_owned()),
                    reason,
                },
            ));
        }
    })?;
    found.sort_by_key(|(position, _)| *position);
    Ok(found.into_iter().map(|(_, change)| change).take(ROWS_MAX).collect())
}

/// What a change of the site is called, and why it was made; `None` for what is none.
fn changed(event: &Event) -> Option<(&'static str, String)> {
    match event {
        Event::JobEvent(JobEvent::JobApproved(_)) => Some(("active", String::new())),
        Event::JobEvent(JobEvent::JobPaused(e)) => Some(("paused", e.reason.clone())),
        Event::JobEvent(JobEvent::JobResumed(e)) => Some(("resumed", e.reason.clone())),
        Event::JobEvent(JobEvent::JobRetired(e)) => Some(("retired", e.reason.clone())),
        Event::ThingEvent(event) => match &event.act {
            ThingAct::Approved(_) => Some(("active", String::new())),
            ThingAct::Retired(e) => Some(("retired", e.reason.clone())),
            ThingAct::Proposed(_) => None,
        },
        Event::JobEvent(_)
        | Event::RunEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::LogEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_)
        | Event::IncidentEvent(_)
        | Event::ControlEvent(_)
        | Event::RecordsEvent(_)
        | Event::RequestEvent(_)
        | Event::ReviewEvent(_) => None,
    }
}
