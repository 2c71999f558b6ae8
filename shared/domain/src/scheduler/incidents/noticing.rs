//! What happened, noticed from the feed or by looking; it waits until it is said.

use jiff::Timestamp;

use super::super::{Scheduler, plus_ms};
use super::{LOOK_MS, Over, STALLED_MS, Word};
use crate::event::{Call, IncidentEvent, LogEvent, RunEvent, Sent, Trouble};
use crate::ids::{StreamId, StreamType};
use crate::incident::words::BAD_STATES;
use crate::incident::{DEFAULT_TREE, Incident};
use crate::ledger::SKEW_MS_MAX;
use crate::review::MISSING_MS;
use crate::run::{Outcome, Run};
use crate::site::ThingKind;
use crate::why::speech::to_seconds;

impl Scheduler {
    /// That a message could not be sent is an incident of its own; but not one after the other.
    pub(in crate::scheduler) fn note_ending(
        &mut self,
        incident: &Incident,
        event: &IncidentEvent,
        received: Timestamp,
    ) {
        if incident.of.stream_type() == StreamType::CallTree {
            return;
        }
        if let IncidentEvent::IncidentEscalated(_) = event {
            return self.note_silence(incident, received);
        }
        let IncidentEvent::IncidentNotificationEnded(e) = event else { return };
        let Some(state) = incident.call(e.step, e.call) else { return };
        match &e.sent {
            Sent::Taken {} => self.clear_call(incident, &state.call, received),
            Sent::Failed { message } | Sent::Unknown { message } => {
                self.notice_untold(incident, &state.call, message, (received, received));
            }
        }
    }

    /// Somebody could not be told: since then, as far as the log knows; noticed now.
    fn notice_untold(
        &mut self,
        incident: &Incident,
        call: &Call,
        message: &str,
        (at, now): (Timestamp, Timestamp),
    ) {
        let Some(tree) = tree_of(incident) else { return };
        let (contact, by) = (call.contact.clone(), call.by);
        let (incident, message) = (incident.id(), message.to_owned());
        let trouble = Trouble::NotificationFailed { incident, contact, by, message };
        self.notice(tree, trouble, at, now);
    }

    /// What a scheduler that was not there has missed of an incident it has loaded.
    pub(super) fn note_loaded(&mut self, incident: &Incident, now: Timestamp) {
        if !incident.is_open() {
            return;
        }
        let of = &incident.of;
        if self.datasets.get(of).is_some_and(|watched| !watched.is_at_risk()) {
            self.notice_dataset(of, None, now);
        }
        if of.stream_type() == StreamType::CallTree {
            return;
        }
        for state in incident.steps.iter().flat_map(|step| &step.calls) {
            if let Some((at, Sent::Failed { message } | Sent::Unknown { message })) = &state.ended {
                self.notice_untold(incident, &state.call, message, (*at, now));
            }
        }
    }

    /// A call tree or a calendar is another: whoever is to be called is found anew, and what lasts may be an incident now.
    pub(in crate::scheduler) fn look_at_incidents(&mut self, now: Timestamp) {
        self.incidents.looked = None;
        for known in self.incidents.known.values_mut().filter(|known| known.incident.is_open()) {
            known.look = Some(now);
        }
        let risks: Vec<(StreamId, Timestamp)> = self
            .datasets
            .iter()
            .filter_map(|(id, watched)| Some((id.clone(), watched.at_risk_since()?)))
            .collect();
        for (of, since) in risks {
            self.notice_dataset(&of, Some(since), now);
        }
    }

    /// Nobody has begun to send what the level before was to be told: no scheduler tells anybody.
    pub(in crate::scheduler) fn note_silence(&mut self, incident: &Incident, received: Timestamp) {
        let mut levels = incident.steps.iter().rev().filter(|step| step.is_level()).skip(1);
        let unsent = levels.next().and_then(|step| step.calls.iter().find(|c| c.begun.is_none()));
        if let Some(state) = unsent {
            let message = "no scheduler has sent it: none has a section notify";
            self.notice_untold(incident, &state.call, message, (received, received));
        }
    }

    /// A message of the same way to the same contact was taken.
    pub(in crate::scheduler) fn clear_call(
        &mut self,
        incident: &Incident,
        call: &Call,
        now: Timestamp,
    ) {
        let Some(tree) = tree_of(incident) else { return };
        let reason = format!("{} was told by {} again", call.contact, call.by.word());
        self.clear(&tree, reason, Over::Call(call.clone()), now);
    }

    /// Something happened; `at` is when the log learnt of it.
    pub(in crate::scheduler) fn notice(
        &mut self,
        of: StreamId,
        trouble: Trouble,
        at: Timestamp,
        now: Timestamp,
    ) {
        if !self.settings.incidents {
            return;
        }
        let waiting = self.incidents.waiting.entry(of).or_default();
        let same = |word: &Word| matches!(word, Word::Trouble(t, a) if *t == trouble && *a == at);
        if waiting.words.iter().any(|(_, word)| same(word)) {
            return;
        }
        // In the order of the log: what was said of later things would hide what is said of earlier ones.
        let later = |word: &Word| matches!(word, Word::Trouble(_, a) if *a > at);
        let place = waiting.words.iter().position(|(_, word)| later(word));
        let place = place.unwrap_or(waiting.words.len());
        waiting.words.insert(place, (now, Word::Trouble(trouble, at)));
    }

    /// Something is over, where an incident of it goes on.
    fn clear(&mut self, of: &StreamId, reason: String, over: Over, now: Timestamp) {
        let known = self.incidents.known.get(of).is_some_and(|known| known.incident.goes_on());
        if !known && !self.incidents.waiting.contains_key(of) {
            return;
        }
        let words = &mut self.incidents.waiting.entry(of.clone()).or_default().words;
        // Looking finds the same again and again, for as long as the log cannot be reached.
        if !matches!(words.back(), Some((_, Word::Cleared(_, last))) if *last == over) {
            words.push_back((now, Word::Cleared(reason, over)));
        }
    }

    /// Notices what an event of a run means.
    pub(in crate::scheduler) fn notice_run(
        &mut self,
        run: &Run,
        event: &RunEvent,
        received: Timestamp,
    ) {
        if run.part_of.is_some() {
            return;
        }
        if let RunEvent::RunLate(late) = event {
            let trouble = Trouble::Late { run: run.id.clone(), limit: late.limit };
            return self.notice(StreamId::job(&run.job), trouble, received, received);
        }
        self.notice_end(run, received);
    }

    pub(in crate::scheduler) fn notice_end(&mut self, run: &Run, now: Timestamp) {
        let (of, state) = (StreamId::job(&run.job), run.state.word());
        // Who said how it ended has looked at it.
        if BAD_STATES.contains(&state) && run.resolution.is_none() {
            let (run_id, asked_by) = (run.id.clone(), run.asked_by.clone());
            let trouble = Trouble::Run { run: run_id, state: state.to_owned(), asked_by };
            return self.notice(of, trouble, run.changed, now);
        }
        if matches!(run.outcome(), Some(Outcome::Succeeded | Outcome::Warning)) {
            self.clear_runs(&of, run, now);
        }
    }

    /// A run that ended well ends the troubles of earlier ones.
    pub(in crate::scheduler) fn clear_runs(&mut self, of: &StreamId, run: &Run, now: Timestamp) {
        let reason = format!("run {} ended as it should", run.id.rest());
        self.clear(of, reason, Over::Run(run.id.clone(), run.created), now);
    }

    /// Whether an event of a run, of a time in which this scheduler may not have been there, is to be looked at: see
    /// [`Scheduler::examine`].
    pub fn is_suspect(&self, run: &StreamId, received: Timestamp) -> bool {
        let Some(job) = run.run_job().filter(|_| run.part().is_none()) else { return false };
        let of = StreamId::job(job);
        let known = self.incidents.known.get(&of);
        let seen = known.is_some_and(|known| known.incident.is_heard(received));
        !seen && self.cover(&of).is_some_and(|cover| cover.since <= received)
    }

    /// Looks at a run as the log has it, for what nobody may have noticed.
    pub fn examine(&mut self, run: &Run, now: Timestamp) {
        for late in &run.late {
            // When the log learnt of it is not kept: what is known of the run is later.
            let trouble = Trouble::Late { run: run.id.clone(), limit: late.limit };
            let of = StreamId::job(&run.job);
            let known = self.incidents.known.get(&of);
            let said = known.is_some_and(|known| {
                known.incident.troubles.iter().any(|seen| seen.trouble == trouble)
            });
            if !said {
                self.notice(of, trouble, run.changed, now);
            }
        }
        if BAD_STATES.contains(&run.state.word()) {
            self.notice_end(run, now);
        }
    }

    /// The log could not be reached in this time.
    pub fn was_cut_off(&mut self, since: Timestamp, until: Timestamp) {
        if until.as_millisecond() - since.as_millisecond() >= STALLED_MS {
            let at = plus_ms(until, -SKEW_MS_MAX);
            let trouble = Trouble::LogStalled { since, until: at };
            self.notice(StreamId::log("main"), trouble, at, until);
        }
    }

    /// What somebody says of the log itself: that it is another one than was seen, or can be changed where it stands.
    pub fn notice_of_log(&mut self, event: &LogEvent, received: Timestamp, now: Timestamp) {
        let trouble = match event {
            LogEvent::LogContradicted(e) => {
                let (producer, reason) = (e.producer.clone(), e.reason.clone());
                Trouble::LogContradicted { producer, reason }
            }
            LogEvent::LogExamined(e) if !e.weaknesses.is_empty() => {
                Trouble::LogWeak { weaknesses: e.weaknesses.clone(), others: e.others }
            }
            LogEvent::LogContinued(e) => {
                let (origin, lost) = (e.origin.clone(), e.lost());
                Trouble::LogContinued { origin, lost, restored: e.restored }
            }
            LogEvent::LogExamined(_)
            | LogEvent::LogArchived(_)
            | LogEvent::LogCreated(_)
            | LogEvent::LogProducerEnrolled(_)
            | LogEvent::LogHeadSigned(_)
            | LogEvent::LogPolicySet(_)
            | LogEvent::LogAccountsRequired(_)
            | LogEvent::LogConfirmationsRequired(_)
            | LogEvent::LogProducerAsked(_)
            | LogEvent::LogProducerConfirmed(_)
            | LogEvent::LogProducerDeclined(_)
            | LogEvent::LogProducerRevoked(_)
            | LogEvent::LogJournalCut(_)
            | LogEvent::LogRejected(_)
            | LogEvent::LogDirectorySet(_)
            | LogEvent::LogExported(_)
            | LogEvent::LogTzdbChanged(_) => return,
        };
        self.notice(StreamId::log("main"), trouble, received, now);
    }

    /// Hosts that are silent, and reviews that are missing.
    pub(in crate::scheduler) fn look_around(&mut self, now: Timestamp) {
        let due = self.incidents.looked.is_none_or(|at| plus_ms(at, LOOK_MS) <= now);
        let Some((tree, begins)) = self.site.tree(DEFAULT_TREE).filter(|_| due) else { return };
        let silent_ms = i64::try_from(tree.host_silent_after.millis()).unwrap_or(i64::MAX);
        self.incidents.looked = Some(now);
        self.look_for_hosts(silent_ms, now);
        let of = crate::review::stream();
        // Where none was ever signed, the first is missing from when somebody cared.
        let since = self.incidents.reviewed.unwrap_or(begins);
        let missing = plus_ms(since, MISSING_MS);
        if missing <= plus_ms(now, -SKEW_MS_MAX) {
            self.notice_state(of, Trouble::ReviewMissing { since }, missing, now);
        } else {
            self.clear(&of, "a night was reviewed".to_owned(), Over::Review, now);
        }
    }

    pub(in crate::scheduler) fn look_for_hosts(&mut self, silent_ms: i64, now: Timestamp) {
        let Some(listening) = self.listening_since else { return };
        let mut silent = Vec::new();
        let mut heard = Vec::new();
        for (name, entry) in &self.site.hosts {
            let there = entry.host.up && entry.host.drained.is_none();
            let known = entry.host.since.unwrap_or(listening).max(listening);
            let since = entry.heard.map_or(known, |at| at.max(known));
            let late = plus_ms(since, silent_ms);
            if there && late <= plus_ms(now, -SKEW_MS_MAX) {
                silent.push((StreamId::host(name), since, late));
            } else if !there || entry.heard.is_some_and(|at| at >= known) {
                heard.push(StreamId::host(name));
            }
        }
        for (of, since, late) in silent {
            self.notice_state(of, Trouble::HostSilent { since: to_seconds(since) }, late, now);
        }
        for of in heard {
            self.clear(&of, "the host is heard, or is not to be".to_owned(), Over::Host, now);
        }
    }

    /// Something that is so until it is not: said once.
    pub(in crate::scheduler) fn notice_state(
        &mut self,
        of: StreamId,
        trouble: Trouble,
        at: Timestamp,
        now: Timestamp,
    ) {
        let known = self.incidents.known.get(&of).map(|known| &known.incident);
        let goes_on = known.is_some_and(Incident::goes_on);
        let seen = known.is_some_and(|known| known.has_seen(&trouble, at));
        if !goes_on && !seen && !self.incidents.waiting.contains_key(&of) {
            self.notice(of, trouble, at, now);
        }
    }

    /// Datasets tell by themselves whether they are at risk.
    pub(in crate::scheduler) fn notice_dataset(
        &mut self,
        of: &StreamId,
        at_risk: Option<Timestamp>,
        now: Timestamp,
    ) {
        match at_risk {
            Some(since) => {
                self.notice_state(of.clone(), Trouble::DatasetAtRisk { since }, since, now);
            }
            None => {
                self.clear(of, "the dataset is protected again".to_owned(), Over::Dataset, now);
            }
        }
    }

    /// Whether it is to be known beforehand that a run will not end in time.
    pub(in crate::scheduler) fn is_foreseen(&self, run: &Run) -> bool {
        let asks = self.settings.incidents && run.terms.deadlines.finish_by.is_some();
        asks && self.pasts.ended(&run.job).is_none() && self.cover_of_job(&run.job).is_some()
    }

    /// What a scheduler thinks will happen to a run that has to end by an instant; and when to look again.
    pub(in crate::scheduler) fn foresee(&mut self, run: &Run, now: Timestamp) -> Option<Timestamp> {
        let by = run.terms.deadlines.finish_by.filter(|by| *by > now)?;
        if run.state.is_ended() || run.part_of.is_some() {
            return None;
        }
        let half = crate::job::LengthLimit::Percentile(50);
        let (usual_ms, from) = self.pasts.limit(&run.job, half)?;
        let usual = i64::try_from(usual_ms).ok().filter(|_| from > 0)?;
        let began = run.attempt().filter(|_| run.is_running()).map(|attempt| attempt.started);
        // What has not begun by then cannot end in time.
        let latest = plus_ms(by, -usual);
        let late = began.map_or(latest <= now, |began| began > latest);
        if !late {
            return began.is_none().then_some(latest);
        }
        let of = StreamId::job(&run.job);
        let at = began.unwrap_or(latest).max(run.created);
        let trouble = Trouble::WillBeLate { run: run.id.clone(), by, usual_ms };
        let known = self.incidents.known.get(&of);
        if !known.is_some_and(|known| known.incident.has_seen(&trouble, at)) {
            self.notice(of, trouble, at.min(plus_ms(now, -SKEW_MS_MAX)).max(run.created), now);
        }
        None
    }
}

/// The call tree by which people are told of it.
fn tree_of(incident: &Incident) -> Option<StreamId> {
    Some(StreamId::thing(ThingKind::CallTree, incident.tree.as_deref()?))
}
