//! The recorder and everybody else who has something to say, in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bus::{Bus, Requests, Service, Topic};
use domain::canonical::Digest;
use domain::envelope::{Draft, Envelope, Place};
use domain::event::{
    DefinitionRef, RunDue, RunRequested, Terms, ThingAct, ThingApproved, ThingEvent, ThingProposed,
};
use domain::event::{
    Event, JobApproved, JobLeaseGranted, JobProposed, LogCreated, LogProducerEnrolled,
};
use domain::flush::Flush;
use domain::ids::{ProducerId, StreamId};
use domain::job::JobDefinition;
use domain::keys::SecretKey;
use domain::ledger::{Body, Ledger, Mark, Memory, Refusal, StreamState, Streams as _};
use domain::run::Run;
use domain::site::ThingKind;
use domain::wire::{
    Answer, AppendAnswer, AppendRequest, Committed, Content, Feed, HeadView, LogEntry, Query,
    Selection, StreamView, Work,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

/// A clock that can be put ahead. Clones are the same clock.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// From now on it is this late.
    pub(crate) fn set(&self, now: Timestamp) {
        let ahead = now.as_microsecond() - Timestamp::now().as_microsecond();
        self.0.store(ahead, Ordering::Relaxed);
    }
}

/// What is in the log.
#[derive(Default)]
struct Log {
    clock: Clock,
    ledger: Ledger,
    streams: Memory,
    entries: Vec<LogEntry>,
    /// What was answered for each.
    committed: Vec<Committed>,
    places: BTreeMap<ProducerId, Place>,
    ids: u128,
    /// Whether nobody is let in, and how many asked in vain.
    waits: bool,
    asked: usize,
}

/// The centre. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Centre {
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    log: Arc<Mutex<Log>>,
    /// It answers nothing.
    away: Arc<AtomicBool>,
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

impl Log {
    /// Says something as one of the centre's own.
    fn say(&mut self, producer: &str, draft: Draft) -> Mark {
        let producer: ProducerId = producer.parse().unwrap();
        self.ids += 1;
        let id = format!("00000000-0000-0000-0000-{:012x}", self.ids).parse().unwrap();
        let place = self.places.entry(producer.clone()).or_default();
        let bytes = place.seal(&producer, draft, id, self.clock.now()).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        self.commit(&bytes, &envelope, &envelope.event().unwrap()).mark
    }

    fn commit(&mut self, bytes: &[u8], envelope: &Envelope, event: &Event) -> Committed {
        let received = self.ledger.receive_time(self.clock.now(), event);
        let hash = Digest::of(bytes);
        let mark = self.ledger.judge(&mut self.streams, envelope, event, hash, received);
        let event = RawValue::from_string(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
        let (position, void) = (self.ledger.size, mark.void());
        self.entries.push(LogEntry { position, received, void, event });
        let committed = Committed { position, mark };
        self.committed.push(committed.clone());
        committed
    }

    fn enrol(&mut self, producer: &ProducerId, key: &str) {
        let (class, ground) = (producer.class(), "embedded".to_owned());
        let main = StreamId::log("main");
        let version = self.version(&main) + 1;
        let (producer, key) = (producer.clone(), key.to_owned());
        let event = LogProducerEnrolled { producer, class, key, ground };
        assert_eq!(self.say("audit/main", Draft::new(main, version, event)), Mark::Valid);
    }

    fn version(&self, stream: &StreamId) -> u64 {
        self.streams.get(stream).map_or(0, |state| state.version)
    }

    fn append(&mut self, request: AppendRequest) -> Vec<AppendAnswer> {
        match request {
            AppendRequest::Enrol(_) if self.waits => {
                self.asked += 1;
                vec![AppendAnswer::Waiting]
            }
            AppendRequest::Enrol(enrol) => {
                if !self.ledger.producers.contains_key(&enrol.producer) {
                    self.enrol(&enrol.producer, &enrol.key);
                }
                vec![AppendAnswer::Enrolled]
            }
            AppendRequest::Flushes(all) => all.iter().map(|bytes| self.flush(bytes)).collect(),
        }
    }

    fn flush(&mut self, bytes: &[u8]) -> AppendAnswer {
        let flush = Flush::from_bytes(bytes).unwrap();
        match self.ledger.open(&flush) {
            Ok(opened) => {
                let each = opened.iter().zip(&flush.envelopes);
                let events = each
                    .map(|(opened, bytes)| self.commit(bytes, &opened.envelope, &opened.event))
                    .collect();
                AppendAnswer::Committed { events, received: self.clock.now() }
            }
            Err(Refusal::Unknown(_)) => AppendAnswer::NotEnrolled,
            // The answer was lost: the executor ended before it came.
            Err(Refusal::Known { .. }) => {
                let events = flush.envelopes.iter().map(|bytes| self.known(bytes)).collect();
                AppendAnswer::Committed { events, received: self.clock.now() }
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// What became of an event that is in the log.
    fn known(&self, bytes: &[u8]) -> Committed {
        let same = |entry: &LogEntry| entry.event.get().as_bytes() == bytes;
        let at = self.entries.iter().position(same);
        let at = at.unwrap_or_else(|| panic!("something else was said in its place"));
        self.committed[at].clone()
    }

    fn answer(&self, query: &Query) -> Answer {
        let content = match query {
            Query::Head => Content::Head(HeadView {
                policy: domain::ledger::Policy::default(),
                origin: "test".to_owned(),
                size: self.ledger.size,
                root: Digest::NONE,
                signed: None,
                stuck: None,
            }),
            Query::Events { after, .. } => Content::Events(self.after(*after)),
            Query::Stream { id } => Content::Streams(self.stream(id).into_iter().collect()),
            Query::Streams { of, after, .. } => {
                let selected =
                    self.streams.0.iter().filter(|(id, state)| {
                        id.as_str() > after.as_str() && is_of(*of, &state.body)
                    });
                Content::Streams(selected.map(|(id, state)| view(id, state)).collect())
            }
            // This log signs no heads.
            Query::Consistency { .. } => Content::Consistency(None),
            // No test here prints.
            Query::Documents(_) => Content::Streams(Vec::new()),
            Query::Leaves { .. }
            | Query::Incidents(_)
            | Query::Requests(_)
            | Query::Search(_)
            | Query::Jobs(_)
            | Query::Runs(_)
            | Query::Past { .. }
            | Query::Night { .. }
            | Query::Claims { .. }
            | Query::Members { .. }
            | Query::Done { .. }
            | Query::Heads { .. }
            | Query::Proof { .. } => panic!("no executor asks this: {query:?}"),
        };
        Answer { position: self.ledger.size, content }
    }

    fn after(&self, position: u64) -> Vec<LogEntry> {
        self.entries.iter().filter(|entry| entry.position > position).cloned().collect()
    }

    fn stream(&self, id: &StreamId) -> Option<StreamView> {
        self.streams.get(id).map(|state| view(id, state))
    }
}

fn is_of(selection: Selection, body: &Body) -> bool {
    match selection {
        Selection::OpenRuns => body.run().is_some_and(|run| !run.state.is_ended()),
        Selection::Waiting => body.versions().is_some_and(|versions| versions.waits()),
        Selection::Leased => body.job().is_some_and(|job| job.lease().is_some()),
        Selection::Things => body.thing().is_some(),
        Selection::Queues => body.queue().is_some(),
        Selection::Forms => body.form().is_some(),
        Selection::Incidents
        | Selection::CallTrees
        | Selection::Jobs
        | Selection::Hosts
        | Selection::Users
        | Selection::Blackouts => {
            panic!("no executor asks for {selection:?}")
        }
    }
}

fn view(id: &StreamId, state: &StreamState) -> StreamView {
    StreamView { id: id.clone(), state: state.clone() }
}

impl Centre {
    pub(crate) async fn new() -> Self {
        let (bus, mut log) = (Bus::in_process(), Log::default());
        let created = LogCreated {
            origin: "test".to_owned(),
            producer: "audit/main".parse().unwrap(),
            key: key().public().to_hex(),
            head_key: "test+00000000+AA".to_owned(),
            version: "0".to_owned(),
        };
        log.say("audit/main", Draft::new(StreamId::log("main"), 1, created));
        for producer in ["console/c1", "scheduler/s1"] {
            log.enrol(&producer.parse().unwrap(), &key().public().to_hex());
        }
        let clock = log.clock.clone();
        let centre = Self { bus, clock, log: Arc::new(Mutex::new(log)), away: Arc::default() };
        let appends = centre.bus.serve(Service::Append, 64).await.unwrap();
        let queries = centre.bus.serve(Service::Query, 64).await.unwrap();
        tokio::spawn(centre.clone().serve_appends(appends));
        tokio::spawn(centre.clone().serve_queries(queries));
        centre
    }

    fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// From now on it answers nothing, or does again.
    pub(crate) fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// From now on whoever is new waits until somebody confirms its key, or does not any more.
    pub(crate) fn keep_waiting(&self, waits: bool) {
        self.log.lock().unwrap().waits = waits;
    }

    /// How often somebody has asked in vain to be let in.
    pub(crate) fn asked(&self) -> usize {
        self.log.lock().unwrap().asked
    }

    async fn serve_appends(self, mut requests: Requests) {
        while let Some(request) = requests.next().await {
            if self.is_away() {
                continue;
            }
            let append = AppendRequest::from_bytes(&request.body).unwrap();
            let before = self.log.lock().unwrap().ledger.size;
            let answers = self.log.lock().unwrap().append(append);
            request.reply(serde_json::to_vec(&answers).unwrap().into()).await.unwrap();
            self.tell(before).await;
        }
    }

    async fn serve_queries(self, mut requests: Requests) {
        while let Some(request) = requests.next().await {
            if self.is_away() {
                continue;
            }
            let query = serde_json::from_slice(&request.body).unwrap();
            let answer = self.log.lock().unwrap().answer(&query);
            request.reply(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        }
    }

    /// Tells everybody what was committed after this position.
    async fn tell(&self, position: u64) {
        let feed = Feed { events: self.log.lock().unwrap().after(position) };
        self.bus.publish(&Topic::Feed, serde_json::to_vec(&feed).unwrap().into()).await.unwrap();
    }

    /// Says something with the version that is the next of the stream.
    pub(crate) async fn say(&self, producer: &str, stream: &StreamId, event: impl Into<Event>) {
        let position = {
            let mut log = self.log.lock().unwrap();
            let (position, version) = (log.ledger.size, log.version(stream) + 1);
            let draft = Draft::new(stream.clone(), version, event).by(Some("user/ana"));
            assert_eq!(log.say(producer, draft), Mark::Valid);
            position
        };
        self.tell(position).await;
    }

    /// Makes the definition of a thing active.
    pub(crate) async fn define(&self, of: ThingKind, name: &str, definition: serde_json::Value) {
        let digest = Digest::of(&domain::canonical::canonical(&definition).unwrap());
        let (stream, reason) = (StreamId::thing(of, name), "test".to_owned());
        let proposed = ThingProposed { number: 1, digest, definition, reason };
        self.say("console/c1", &stream, ThingEvent { of, act: ThingAct::Proposed(proposed) }).await;
        let act = ThingAct::Approved(ThingApproved { number: 1, digest });
        let approved = Draft::new(stream, 2, ThingEvent { of, act }).by(Some("user/bob"));
        assert_eq!(self.log.lock().unwrap().say("console/c1", approved), Mark::Valid);
    }

    /// Makes a definition active.
    pub(crate) async fn activate(&self, definition: &JobDefinition) -> DefinitionRef {
        let (number, digest) = (1, definition.digest().unwrap());
        let job = StreamId::job(&definition.name);
        let (reason, definition) = ("test".to_owned(), serde_json::to_value(definition).unwrap());
        let proposed = JobProposed { number, digest, definition, reason };
        self.say("console/c1", &job, proposed).await;
        let mut log = self.log.lock().unwrap();
        let approved = Draft::new(job, 2, JobApproved { number, digest }).by(Some("user/bob"));
        assert_eq!(log.say("console/c1", approved), Mark::Valid);
        DefinitionRef::new(number, digest)
    }

    /// Makes a run of a job of this name due.
    pub(crate) async fn due(&self, definition: &JobDefinition, terms: Terms) -> StreamId {
        let reference = self.activate(definition).await;
        self.order(definition, reference, "request-1", terms).await
    }

    /// Makes a run of an active job due, with an id of its own.
    pub(crate) async fn order(
        &self,
        definition: &JobDefinition,
        reference: DefinitionRef,
        id: &str,
        terms: Terms,
    ) -> StreamId {
        let run = StreamId::run(&definition.name, id);
        let requested = RunRequested {
            job: definition.name.clone(),
            definition: reference.clone(),
            reason: "test".to_owned(),
            parameters: BTreeMap::new(),
            again: None,
            of_flow: false,
        };
        self.say("console/c1", &run, requested).await;
        let due = RunDue {
            job: definition.name.clone(),
            definition: reference,
            nominal: None,
            pool: definition.pool.clone(),
            host: definition.host.clone(),
            late_ms: 0,
            late_after_ms: 60_000,
            catch_up: false,
            hold: None,
            behind: Vec::new(),
            retry: definition.retry_rule(),
            terms: Box::new(terms),
            moved: None,
            part_of: None,
        };
        self.say("scheduler/s1", &run, due).await;
        run
    }

    /// Offers the first attempt of a run; each offer of a run has a number of its own.
    pub(crate) async fn offer(&self, run: &StreamId, definition: &JobDefinition, offer: u32) {
        let state = self.stream(run).unwrap();
        let terms = &state.body.run().unwrap().terms;
        let work = Work {
            run: run.clone(),
            version: state.version,
            attempt: 1,
            pool: definition.pool.clone(),
            host: None,
            digest: definition.digest().unwrap(),
            definition: serde_json::to_value(definition).unwrap(),
            offer,
            parameters: terms.parameters.clone(),
            business_day: terms.business_day,
            at: self.clock.now(),
        };
        let body = serde_json::to_vec(&work).unwrap();
        self.bus.offer(&work.queue(), &work.id(), body.into()).await.unwrap();
    }

    pub(crate) fn stream(&self, id: &StreamId) -> Option<StreamState> {
        self.log.lock().unwrap().stream(id).map(|view| view.state)
    }

    /// Leaves a job to host h1 for an hour.
    pub(crate) async fn leave(&self, definition: &JobDefinition) -> Timestamp {
        let definition_ref = self.activate(definition).await;
        let from = domain::envelope::to_micros(self.clock.now());
        let until = from + SignedDuration::from_hours(1);
        let granted =
            JobLeaseGranted { host: "h1".to_owned(), definition: definition_ref, from, until };
        self.say("scheduler/s1", &StreamId::job(&definition.name), granted).await;
        from
    }

    /// All runs of a job, in the order of their names.
    pub(crate) fn runs(&self, job: &str) -> Vec<Run> {
        let log = self.log.lock().unwrap();
        let runs = log.streams.0.values().filter_map(|state| state.body.run().cloned());
        runs.filter(|run| run.job == job).collect()
    }

    /// Every event of a stream, those that are void too.
    pub(crate) fn events(&self, id: &StreamId) -> Vec<(Event, Option<String>)> {
        let entries = self.log.lock().unwrap().after(0);
        let all = entries.iter().map(|entry| (entry.envelope().unwrap(), entry.void.clone()));
        let own = all.filter(|(envelope, _)| envelope.subject == *id);
        own.map(|(envelope, void)| (envelope.event().unwrap(), void)).collect()
    }
}
