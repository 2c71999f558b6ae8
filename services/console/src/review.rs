//! The night that is to be reviewed: what happened since the last review, what was said of it, and what else is to be known.

use std::collections::BTreeMap;

use bus::recorder::{ask, each_stream, runs_each};
use domain::backup::{Dataset, Protection};
use domain::event::{Disposition, ReviewNoted, ReviewSigned};
use domain::ids::StreamId;
use domain::incident::Incident;
use domain::job::ChangeRequest;
use domain::ledger::Body;
use domain::night::Night;
use domain::people::Action;
use domain::print::Document;
use domain::review::{OPEN_MAX, Review, Shown, stream};
use domain::wire::{Content, DocumentFilter, IncidentFilter, Query, RunFilter, RunRow, Selection};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::commands::{Applied, CommandError, applied};
use crate::people::Caller;
use crate::state::Console;

/// Where the first review begins, before there is another.
const FIRST: SignedDuration = SignedDuration::from_hours(24);
/// Nights of the strip beside a job.
const STRIP: u32 = 14;
/// Most incidents that are shown beside a night; the page of incidents has all.
const INCIDENTS_MAX: u32 = 50;
/// Jobs whose strips are shown.
const STRIPS_MAX: usize = 40;
/// Documents that are looked at.
const DOCUMENTS: u32 = 200;

/// A time that is to be reviewed.
#[derive(Debug)]
pub(crate) struct Morning {
    /// To which position it is told.
    pub(crate) position: u64,
    pub(crate) since: Timestamp,
    /// Earlier than `now` where there are more exceptions than one review lists: what came later is of the next.
    pub(crate) until: Timestamp,
    /// When it was looked at.
    pub(crate) now: Timestamp,
    /// What happened, with what was not over at the last review and has ended badly since.
    pub(crate) night: Night,
    /// Runs that are not over yet.
    pub(crate) running: Vec<StreamId>,
    pub(crate) review: Review,
}

/// What else is to be known in the morning, and is not signed.
#[derive(Debug)]
pub(crate) struct Beside {
    /// The states of each job's newest runs, oldest first.
    pub(crate) strips: BTreeMap<String, Vec<String>>,
    pub(crate) datasets: Vec<AtRisk>,
    pub(crate) documents: Vec<(StreamId, Document)>,
    /// Incidents that somebody still has to deal with, newest first.
    pub(crate) incidents: Vec<Incident>,
    /// Changes that became active in an emergency, and nobody else has looked at.
    pub(crate) emergencies: Vec<(StreamId, ChangeRequest)>,
}

/// A dataset that cannot be restored as it should.
#[derive(Debug)]
pub(crate) struct AtRisk {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// What becomes of an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct NoteWanted {
    /// The run, `job@instant`.
    pub(crate) run: String,
    /// What becomes of it.
    #[schema(value_type = Object)]
    pub(crate) disposition: Disposition,
    /// What you say.
    pub(crate) note: String,
}

/// A signature under a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignWanted {
    /// Until when it was shown, RFC 3339: what came after it is of the next review.
    #[schema(value_type = String)]
    pub(crate) until: Timestamp,
    /// SHA-256 of what was shown, as `GET /api/v1/review` said it: or another night would be signed than was seen.
    pub(crate) shown: String,
    /// What you say, if anything.
    #[serde(default)]
    pub(crate) statement: String,
}

impl Morning {
    /// What whoever signs is shown.
    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown::of(&self.night, &self.review, (self.since, self.until), self.position)
    }

    /// Exceptions of which nothing was said.
    pub(crate) fn open(&self) -> Vec<&RunRow> {
        self.review.open(&self.night)
    }

    /// Whether there is more than one review lists.
    pub(crate) fn goes_on(&self) -> bool {
        self.until < self.now
    }

    /// Whether the last review is too long ago.
    pub(crate) fn is_overdue(&self) -> bool {
        let since = self.review.since();
        let ago = |at: Timestamp| self.now.as_millisecond() - at.as_millisecond();
        since.is_some_and(|at| ago(at) > domain::review::MISSING_MS)
    }
}

impl Console {
    /// What is to be reviewed: since the last review until an instant, as far as a position tells it.
    pub(crate) async fn morning(&self, until: Option<Timestamp>) -> Result<Morning, CommandError> {
        let now = until.unwrap_or_else(|| self.surely_past());
        let state = self.state(&stream()).await?;
        let review = state.and_then(|state| state.body.review().cloned()).unwrap_or_default();
        let first = now.checked_sub(FIRST).unwrap_or(now);
        let since = review.since().unwrap_or(first).min(now);
        let (mut position, mut night) = self.night(since, now).await?;
        let until = night.listed_until().unwrap_or(now);
        if until < now {
            // Nobody signs for what they were not shown.
            (position, night) = self.night(since, until).await?;
        }
        night.exceptions.splice(0..0, self.carried(&review).await?);
        let running = self.running(until).await?;
        Ok(Morning { position, since, until, now, night, running, review })
    }

    async fn night(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<(u64, Night), CommandError> {
        let answer = ask(&self.bus, &Query::Night { since, until })
            .await
            .map_err(CommandError::unavailable)?;
        let Content::Night(night) = answer.content else {
            return Err(CommandError::unavailable("the answer is to another question"));
        };
        Ok((answer.position, night))
    }

    /// What else is to be known of it.
    pub(crate) async fn beside(&self, morning: &Morning) -> Result<Beside, CommandError> {
        Ok(Beside {
            strips: self.strips(&morning.night).await?,
            datasets: self.at_risk(morning.now).await?,
            documents: self.undelivered(morning.since).await?,
            incidents: self.open_incidents().await?,
            emergencies: self.emergencies().await?,
        })
    }

    async fn open_incidents(&self) -> Result<Vec<Incident>, CommandError> {
        let open = IncidentFilter { open: true, limit: INCIDENTS_MAX, ..IncidentFilter::default() };
        Ok(self.incidents(open).await?.1)
    }

    /// What was not over at the last review, and has ended badly since.
    async fn carried(&self, review: &Review) -> Result<Vec<RunRow>, CommandError> {
        let mut found = Vec::new();
        for id in review.carried() {
            let state = self.state(id).await?;
            let row = state.as_ref().and_then(|state| state.body.run()).map(RunRow::of);
            found.extend(row.filter(RunRow::is_exception));
        }
        Ok(found)
    }

    /// Runs that are not over yet, of all times until an instant.
    async fn running(&self, until: Timestamp) -> Result<Vec<StreamId>, CommandError> {
        let mut found = Vec::new();
        let take = |view: domain::wire::StreamView| {
            let run = view.state.body.run();
            if run.is_some_and(|run| run.instant() < until) {
                found.push(view.id);
            }
        };
        each_stream(&self.bus, Selection::OpenRuns, take)
            .await
            .map_err(CommandError::unavailable)?;
        Ok(found)
    }

    async fn strips(&self, night: &Night) -> Result<BTreeMap<String, Vec<String>>, CommandError> {
        let mut jobs: Vec<&str> = Vec::new();
        for row in &night.exceptions {
            if jobs.len() < STRIPS_MAX && !jobs.contains(&row.job.as_str()) {
                jobs.push(&row.job);
            }
        }
        let filter = |job: &&str| {
            let job = Some((*job).to_owned());
            RunFilter { job, limit: STRIP, ..RunFilter::default() }
        };
        let found = runs_each(&self.bus, jobs.iter().map(filter)).await;
        let found = found.map_err(CommandError::unavailable)?;
        let states = |rows: Vec<RunRow>| rows.into_iter().rev().map(|row| row.state).collect();
        Ok(jobs.into_iter().map(str::to_owned).zip(found.into_iter().map(states)).collect())
    }

    async fn at_risk(&self, now: Timestamp) -> Result<Vec<AtRisk>, CommandError> {
        let mut found = Vec::new();
        let take = |view: domain::wire::StreamView| {
            if let Body::Dataset(dataset) = view.state.body {
                found.extend(risk(&dataset, now));
            }
        };
        each_stream(&self.bus, Selection::Things, take).await.map_err(CommandError::unavailable)?;
        Ok(found)
    }

    /// Documents that did not reach whom they were for.
    async fn undelivered(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(StreamId, Document)>, CommandError> {
        let recent =
            DocumentFilter { since: Some(since), limit: DOCUMENTS, ..DocumentFilter::default() };
        let states = domain::print::document::OPEN.map(str::to_owned).to_vec();
        let open = DocumentFilter { states, limit: DOCUMENTS, ..DocumentFilter::default() };
        let mut all = BTreeMap::new();
        for filter in [recent, open] {
            let answer = ask(&self.bus, &Query::Documents(filter))
                .await
                .map_err(CommandError::unavailable)?;
            let Content::Streams(views) = answer.content else { continue };
            all.extend(
                views.into_iter().filter_map(|view| {
                    Some((view.id.clone(), view.state.body.document()?.clone()))
                }),
            );
        }
        Ok(all.into_iter().filter(|(_, one)| !one.has_arrived()).collect())
    }

    async fn emergencies(&self) -> Result<Vec<(StreamId, ChangeRequest)>, CommandError> {
        let mut found = Vec::new();
        let take = |view: domain::wire::StreamView| {
            let requests = view.state.body.versions().map(|versions| versions.requests.as_slice());
            let waiting = requests.unwrap_or_default().iter().filter(|one| one.waits_for_a_look());
            found.extend(waiting.map(|one| (view.id.clone(), one.clone())));
        };
        each_stream(&self.bus, Selection::Waiting, take)
            .await
            .map_err(CommandError::unavailable)?;
        Ok(found)
    }

    /// Says what becomes of an exception.
    pub(crate) async fn note_exception(
        &self,
        wanted: &NoteWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        let run = format!("run/{}", wanted.run).parse();
        let run: StreamId = run.map_err(|error| CommandError::Invalid(format!("{error}")))?;
        let (disposition, note) = (wanted.disposition.clone(), wanted.note.clone());
        let event = domain::event::ReviewEvent::ReviewNoted(ReviewNoted { run, disposition, note });
        let position = self.say_of(&stream(), caller, event.into()).await?;
        Ok(applied(Some(position), stream(), "noted"))
    }

    /// Signs the review of what was shown, where it is still that, and nothing of it is open.
    pub(crate) async fn sign_review(
        &self,
        wanted: &SignWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.may(self, Action::SignReviews, Some(&stream())).await?;
        let morning = self.morning(Some(wanted.until)).await?;
        let open = morning.open().len();
        if open > 0 {
            let text = format!("{open} exceptions have no disposition yet");
            return Err(CommandError::Refused(text));
        }
        let shown = Shown { position: 0, ..morning.shown() };
        let digest = shown.digest().map_err(CommandError::unavailable)?;
        if digest.to_string() != wanted.shown {
            let text = "the night is another by now than the one that was shown: look again";
            return Err(CommandError::Refused(text.to_owned()));
        }
        if morning.running.len() > OPEN_MAX {
            let text = format!("more than {OPEN_MAX} runs are not over yet: sign when they are");
            return Err(CommandError::Refused(text));
        }
        let exceptions = u32::try_from(morning.night.exceptions.len()).unwrap_or(u32::MAX);
        let seen = morning.shown().digest().map_err(CommandError::unavailable)?;
        let signed = ReviewSigned {
            since: morning.since,
            until: morning.until,
            position: morning.position,
            shown: seen,
            numbers: morning.night.numbers,
            exceptions,
            open: morning.running,
            statement: wanted.statement.clone(),
        };
        let event = domain::event::ReviewEvent::ReviewSigned(signed);
        let position = self.say_of(&stream(), caller, event.into()).await?;
        Ok(applied(Some(position), stream(), "signed"))
    }
}

fn risk(dataset: &Dataset, now: Timestamp) -> Option<AtRisk> {
    let Protection::AtRisk { reason } = Protection::of(dataset, now) else { return None };
    Some(AtRisk { name: dataset.defined.name.clone(), why: reason.words(crate::pages::when) })
}
