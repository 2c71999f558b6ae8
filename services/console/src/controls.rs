//! Controls, tested by this console over the whole log, a month at a time, and kept up as the log grows.
//!
//! Whoever looks first has the log read from its beginning; from then on only what is new is read. What was read is kept in
//! memory: every stream as it stands, some 100 bytes of each event, and an item for each member of a population. The same lines
//! of code compute the controls of a bundle of evidence. Here the last signature of each producer is checked, which vouches for
//! all before it, and that the newest signed head is of these events; whoever verifies a bundle checks every signature, and
//! witnesses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::recorder::{AskError, ask};
use domain::canonical::Digest;
use domain::controls::{
    Agreed, AgreedVersion, Control, ControlSettings, Item, Month, Outcome, Period, Summary,
};
use domain::wire::{Answer, Content, LeafView, Query};
use evidence::{Depth, Examiner, Head};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tracing::warn;

use crate::problem::Problem;
use crate::state::Console;

/// Leaves asked for at once.
const LEAVES: u32 = 1_000;
/// What was tested so short ago is shown as it is, with its position.
const FRESH: SignedDuration = SignedDuration::from_secs(10);
/// What is older is shown only where what is new takes long.
const OLD: SignedDuration = SignedDuration::from_mins(1);
/// How long whoever asks waits for what is new; after that they see what there was, if there was anything.
const PATIENCE: Duration = Duration::from_millis(40);
const LONG_PATIENCE: Duration = Duration::from_millis(1_500);
/// More new events than this are not waited for: whoever asks is told how far it is.
const FAR: u64 = 20_000;
/// Most months that are shown beside each other.
const MONTHS: usize = 12;

/// By which measures a month was tested.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) settings: ControlSettings,
    /// Those that the log had approved at its end, where there were any.
    pub(crate) approved: Option<AgreedVersion>,
    /// Whether the settings are those, or the usual ones where there were none.
    pub(crate) as_agreed: bool,
    /// Which they are, in words.
    pub(crate) says: String,
}

impl Used {
    fn new(agreed: Agreed, given: Option<&ControlSettings>) -> Self {
        let settings = given.cloned().unwrap_or_else(|| agreed.settings.clone());
        let says = agreed.says_of(&settings);
        let says = match given {
            Some(_) => format!("those of the file that this console was given: {says}"),
            None => says,
        };
        let as_agreed = settings == agreed.settings;
        Self { settings, approved: agreed.version, as_agreed, says }
    }
}

/// What became of all controls in a month.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) month: Month,
    pub(crate) used: Used,
    pub(crate) summaries: Vec<Summary>,
}

/// What became of all controls in the newest months.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The position to which it is true.
    pub(crate) position: u64,
    /// When it was computed.
    pub(crate) at: Timestamp,
    /// The newest first.
    pub(crate) months: Vec<Tested>,
}

/// What became of all controls in a month, whole.
#[derive(Debug)]
pub(crate) struct Known {
    /// The position to which it is true.
    pub(crate) position: u64,
    pub(crate) used: Used,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Known {
    /// What became of one.
    pub(crate) fn of(&self, control: &Control) -> Result<&Outcome, Problem> {
        let found = self.outcomes.iter().find(|outcome| outcome.control == control.id);
        found.ok_or_else(|| Problem::unavailable("the control was not tested"))
    }
}

/// The controls as this console has tested them.
pub(crate) struct Controls {
    /// Measures of a file, where there is one: they go before those that the log has approved, and it is said that they do.
    given: Option<ControlSettings>,
    examiner: Mutex<Examiner>,
    /// Of months: whoever looks at one page after the other has them computed once.
    kept: Mutex<BTreeMap<Month, Arc<Known>>>,
    standing: watch::Sender<Option<Arc<Standing>>>,
    /// One month is computed at a time: whoever waits for another waits here, and holds no thread.
    turn: tokio::sync::Semaphore,
    /// Somebody has the log read just now.
    reading: AtomicBool,
    read: AtomicU64,
    /// What was said last by this console: whoever said it is shown it.
    said: AtomicU64,
}

impl Controls {
    /// None tested yet, by these measures, or else by those that the log has approved.
    pub(crate) fn new(given: Option<ControlSettings>) -> Self {
        Self {
            given,
            said: AtomicU64::new(0),
            examiner: Mutex::new(Examiner::new(Depth::Tip).gathering()),
            kept: Mutex::default(),
            standing: watch::Sender::default(),
            turn: tokio::sync::Semaphore::new(1),
            reading: AtomicBool::new(false),
            read: AtomicU64::new(0),
        }
    }

    /// What was found before is not shown any more to who comes after this position.
    pub(crate) fn hear(&self, position: u64) {
        self.said.fetch_max(position, Ordering::Relaxed);
    }

    /// By which measures a period is tested, as far as the log was read.
    fn used(&self, examiner: &Examiner, period: Period) -> Used {
        let none = || Agreed { settings: ControlSettings::default(), version: None };
        Used::new(examiner.agreed(period).unwrap_or_else(none), self.given.as_ref())
    }

    /// What was found last, if the log was read to its end before.
    fn last(&self) -> Option<Arc<Standing>> {
        self.standing.borrow().clone()
    }
}

/// A control by its name.
pub(crate) fn rule(id: &str) -> Result<&'static Control, Problem> {
    Control::named(id).map_err(Problem::not_found)
}

/// The month that somebody wrote; this one where they wrote none.
pub(crate) fn month(text: &str, now: Timestamp) -> Result<Month, Problem> {
    if text.is_empty() {
        return Ok(Month::of(now, &TimeZone::system()));
    }
    text.parse().map_err(Problem::bad_request)
}

/// A month by the clock of this machine.
pub(crate) fn period(month: Month) -> Result<Period, Problem> {
    let period = month.period(&TimeZone::system());
    period.ok_or_else(|| Problem::bad_request(format!("{month} is too far away")))
}

/// How all controls stand, as of now or of some seconds ago.
///
/// # Errors
/// The log is being read for the first time.
pub(crate) async fn standing(console: &Console) -> Result<Arc<Standing>, Problem> {
    let (controls, now) = (&console.controls, (console.clock)());
    let newest = *console.news.borrow();
    let month = Month::of(now, &TimeZone::system());
    let last = controls.last().filter(|last| last.months.first().is_some_and(|m| m.month == month));
    let mut patience = LONG_PATIENCE;
    if let Some(last) = last {
        let age = now.duration_since(last.at);
        let told = last.position >= controls.said.load(Ordering::Relaxed);
        if told && (last.position >= newest || age < FRESH) {
            return Ok(last);
        }
        if told && age < OLD {
            patience = PATIENCE;
        }
    }
    if newest.saturating_sub(controls.read.load(Ordering::Relaxed)) > FAR {
        patience = PATIENCE;
    }
    let mut news = controls.standing.subscribe();
    if !controls.reading.swap(true, Ordering::AcqRel) {
        tokio::spawn(keep_up(console.clone()));
    }
    let _ = tokio::time::timeout(patience, news.changed()).await;
    controls.last().ok_or_else(|| {
        let read = controls.read.load(Ordering::Relaxed);
        Problem::unavailable(format!(
            "the log is read for the first time since this console began: {read} of {newest} events; ask again in a moment"
        ))
    })
}

/// What became of all controls in a month.
///
/// # Errors
/// The log is being read for the first time, or there is no such month.
pub(crate) async fn outcomes(console: &Console, month: Month) -> Result<Arc<Known>, Problem> {
    let period = period(month)?;
    let position = standing(console).await?.position;
    let _turn = console.controls.turn.acquire().await.map_err(Problem::unavailable)?;
    let kept = lock(&console.controls.kept).get(&month).cloned();
    if let Some(kept) = kept.filter(|kept| kept.position >= position) {
        return Ok(kept);
    }
    let head = head(console).await?;
    let controls = Arc::clone(&console.controls);
    let tested = tokio::task::spawn_blocking(move || {
        let mut examiner = lock(&controls.examiner);
        let all = examiner.controls(&[period], controls.given.as_ref(), head.as_ref());
        let outcomes = all.into_iter().next().unwrap_or_default();
        let (position, used) = (examiner.size(), controls.used(&examiner, period));
        Arc::new(Known { position, used, outcomes })
    });
    let known = tested.await.map_err(Problem::unavailable)?;
    let mut kept = lock(&console.controls.kept);
    // Whoever asks for month after month does not fill the memory with them.
    kept.retain(|_, one| one.position >= known.position);
    if kept.len() >= MONTHS {
        kept.pop_first();
    }
    kept.insert(month, known.clone());
    Ok(known)
}

/// Some members of a population, and the root of the newest signed head by which they are drawn.
pub(crate) async fn drawn(
    console: &Console,
    outcome: &Outcome,
    count: u32,
) -> Result<(Digest, Vec<Item>), Problem> {
    let none = "a sample is drawn by the root of a signed head, and none was signed yet: ask again in a moment";
    let head = head(console).await?.ok_or_else(|| Problem::unavailable(none))?;
    let root = Digest(head.says.root().0);
    Ok((root, outcome.drawn(&root, count)))
}

/// The newest head that was signed; none where none was yet, or where it cannot be read.
async fn head(console: &Console) -> Result<Option<Head>, AskError> {
    let Content::Head(head) = ask(&console.bus, &Query::Head).await?.content else {
        return Err(AskError::other());
    };
    Ok(head.signed.and_then(|note| Head::read(note.as_bytes()).ok()))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what is new, and tests the newest months again.
async fn keep_up(console: Console) {
    let done = read(&console).await;
    if let Err(error) = done {
        warn!(%error, "controls could not be tested");
    }
    console.controls.reading.store(false, Ordering::Release);
}

async fn read(console: &Console) -> anyhow::Result<()> {
    // As far as the log reached when this began: one that grows all the time is not run after.
    let mut until = None;
    loop {
        let after = console.controls.read.load(Ordering::Relaxed);
        if until.is_some_and(|until| after >= until) {
            break;
        }
        let query = Query::Leaves { after, limit: LEAVES };
        let Answer { position, content } = ask(&console.bus, &query).await?;
        let Content::Leaves(page) = content else { return Err(AskError::other().into()) };
        until.get_or_insert(position);
        if page.is_empty() {
            break;
        }
        let controls = Arc::clone(&console.controls);
        tokio::task::spawn_blocking(move || take(&controls, &page)).await??;
    }
    let (controls, head, now) =
        (Arc::clone(&console.controls), head(console).await?, (console.clock)());
    tokio::task::spawn_blocking(move || test(&controls, head.as_ref(), now)).await?;
    Ok(())
}

fn take(controls: &Controls, page: &[LeafView]) -> anyhow::Result<()> {
    let mut examiner = lock(&controls.examiner);
    for view in page {
        let next = examiner.size() + 1;
        anyhow::ensure!(view.position == next, "position {next} of the log is missing");
        examiner.take(&STANDARD.decode(&view.leaf).unwrap_or_default());
    }
    controls.read.store(examiner.size(), Ordering::Relaxed);
    Ok(())
}

fn test(controls: &Controls, head: Option<&Head>, now: Timestamp) {
    let zone = TimeZone::system();
    let mut examiner = lock(&controls.examiner);
    let mut months = vec![Month::of(now, &zone)];
    let first = examiner.began().map(|at| Month::of(at, &zone));
    while let Some(last) = months.last().copied()
        && months.len() < MONTHS
        && first.is_some_and(|first| first < last)
    {
        months.push(last.before());
    }
    let periods: Vec<_> = months.iter().filter_map(|month| month.period(&zone)).collect();
    let tested = examiner.controls(&periods, controls.given.as_ref(), head);
    let used: Vec<Used> = periods.iter().map(|period| controls.used(&examiner, *period)).collect();
    let position = examiner.size();
    drop(examiner);
    let month = |((month, used), all): ((Month, Used), Vec<Outcome>)| Tested {
        month,
        used,
        summaries: all.iter().map(Summary::of).collect(),
    };
    let months = months.into_iter().zip(used).zip(tested).map(month).collect();
    controls.standing.send_replace(Some(Arc::new(Standing { position, at: now, months })));
}
