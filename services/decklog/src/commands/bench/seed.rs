//! Events to measure with.

use domain::canonical::Digest;
use domain::envelope::{Draft, Place};
use domain::event::{
    AttemptReport, CommandEnd, DefinitionRef, JobApproved, JobProposed, LogCreated, LogPolicySet,
    LogProducerEnrolled, Nominal, OutputRef, RunDue, RunStarted, RunSucceeded,
};
use domain::flush::{FLUSH_EVENTS_MAX, Flush};
use domain::ids::{Class, ProducerId, StreamId};
use domain::job::JobDefinition;
use domain::keys::SecretKey;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Jobs of a measured log: a round of all their runs fills three flushes.
const JOBS: usize = FLUSH_EVENTS_MAX;

/// A producer that needs no journal, because nothing it says is real.
pub(super) struct Speaker {
    pub(super) id: ProducerId,
    pub(super) key: SecretKey,
    place: Place,
    count: u128,
}

impl Speaker {
    pub(super) fn new(class: Class, number: u8) -> anyhow::Result<Self> {
        let id = ProducerId::new(class, "bench")?;
        let count = u128::from(number) << 100;
        Ok(Self { id, key: SecretKey::from_seed(&[number; 32]), place: Place::default(), count })
    }

    pub(super) fn say(&mut self, drafts: Vec<Draft>, now: Timestamp) -> anyhow::Result<Flush> {
        let mut envelopes = Vec::with_capacity(drafts.len());
        for draft in drafts {
            self.count += 1;
            // It grows with every event, as an identity does that begins with the time.
            let id = uuid::Uuid::from_u128(self.count);
            envelopes.push(self.place.seal(&self.id, draft, id, now)?);
        }
        Ok(Flush::sign(envelopes, &self.key)?)
    }
}

/// One run of one job.
#[derive(Debug, Clone, Copy)]
struct Life {
    job: usize,
    second: i64,
    follows: bool,
}

impl Life {
    fn run(self) -> anyhow::Result<StreamId> {
        let local = self.at()?.to_zoned(jiff::tz::TimeZone::UTC);
        let whole = self.second % 60 == 0;
        let format = if whole { "%Y-%m-%dT%H:%M%:z" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        Ok(StreamId::run(&job_name(self.job), &local.strftime(format).to_string()))
    }

    fn at(self) -> anyhow::Result<Timestamp> {
        Ok(Timestamp::from_second(self.second)?)
    }
}

fn job_name(number: usize) -> String {
    format!("bench-{number}")
}

/// A log's beginning with 256 jobs, and then `events` events of the lives of their runs: due, started,
/// succeeded. Flushes of 256 events, as under load.
pub(crate) fn lives(events: usize, now: Timestamp) -> anyhow::Result<(Vec<Flush>, Vec<Flush>)> {
    let mut audit = Speaker::new(Class::Audit, 1)?;
    let mut console = Speaker::new(Class::Console, 2)?;
    let mut scheduler = Speaker::new(Class::Scheduler, 3)?;
    let mut executor = Speaker::new(Class::Executor, 4)?;
    let every = json!({"every": "1s"});
    let jobs: Vec<JobDefinition> =
        (0..JOBS).map(|n| definition(&job_name(n), &every)).collect::<anyhow::Result<_>>()?;
    let digests: Vec<Digest> = jobs.iter().map(JobDefinition::digest).collect::<Result<_, _>>()?;
    let begin = beginning(&mut audit, &mut console, [&scheduler, &executor], &jobs, now)?;
    let mut flushes = Vec::new();
    let rounds = events.div_ceil(3 * JOBS);
    let first = now.as_second() - i64::try_from(rounds)? - 10;
    for second in (first..).take(rounds) {
        let (mut dues, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (job, digest) in digests.iter().enumerate() {
            let life = Life { job, second, follows: second > first };
            dues.push(due(life, *digest)?);
            starts.push(started(life, *digest)?);
            ends.push(succeeded(life, *digest)?);
        }
        flushes.push(scheduler.say(dues, now)?);
        flushes.push(executor.say(starts, now)?);
        flushes.push(executor.say(ends, now)?);
    }
    Ok((begin, flushes))
}

fn beginning(
    audit: &mut Speaker,
    console: &mut Speaker,
    others: [&Speaker; 2],
    jobs: &[JobDefinition],
    now: Timestamp,
) -> anyhow::Result<Vec<Flush>> {
    let main = StreamId::log("main");
    let created = LogCreated {
        origin: "decklog.local/bench".to_owned(),
        producer: audit.id.clone(),
        key: audit.key.public().to_hex(),
        head_key: "none".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut drafts = vec![Draft::new(main.clone(), 1, created)];
    for producer in [&*console, others[0], others[1]] {
        let event = LogProducerEnrolled {
            producer: producer.id.clone(),
            class: producer.id.class(),
            key: producer.key.public().to_hex(),
            ground: "bench".to_owned(),
        };
        drafts.push(Draft::new(main.clone(), drafts.len() as u64 + 1, event));
    }
    let policy = LogPolicySet { self_approval: true, reason: "a measurement".to_owned() };
    let before = long_before(now);
    let mut flushes =
        vec![audit.say(drafts, before)?, console.say(vec![Draft::new(main, 5, policy)], before)?];
    for part in jobs.chunks(FLUSH_EVENTS_MAX / 2) {
        flushes.push(console.say(self::drafts(part)?, before)?);
    }
    Ok(flushes)
}

/// When the measured log began: every instant of a run lies in its definition's time.
pub(crate) fn long_before(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * 365)).unwrap_or(now)
}

fn due(life: Life, digest: Digest) -> anyhow::Result<Draft> {
    let at = life.at()?;
    let before = at.checked_sub(SignedDuration::from_secs(1))?;
    let nominal = Nominal {
        at,
        local: at.to_zoned(jiff::tz::TimeZone::UTC).to_string(),
        walls: vec![at.to_string()],
        reason: "elapsed".to_owned(),
        tzdb: "2026a".to_owned(),
        business_day: None,
        moved_from: Vec::new(),
        calendars: Vec::new(),
        after: life.follows.then_some(before),
    };
    let event = RunDue {
        job: job_name(life.job),
        definition: DefinitionRef::new(1, digest),
        nominal: Some(nominal),
        pool: "default".to_owned(),
        host: None,
        late_ms: 3,
        late_after_ms: 60_000,
        catch_up: false,
        hold: None,
        behind: Vec::new(),
        retry: domain::event::RetryRule::default(),
        terms: Box::default(),
        moved: None,
        part_of: None,
    };
    Ok(Draft::new(life.run()?, 1, event))
}

fn started(life: Life, digest: Digest) -> anyhow::Result<Draft> {
    let event = RunStarted {
        attempt: 1,
        host: "bench".to_owned(),
        definition: digest,
        lease_ms: 30_000,
        run_as: "root".to_owned(),
        argv: digest,
        script: None,
    };
    Ok(Draft::new(life.run()?, 2, event))
}

fn succeeded(life: Life, digest: Digest) -> anyhow::Result<Draft> {
    let at = life.at()?;
    let report = AttemptReport {
        attempt: 1,
        host: "bench".to_owned(),
        end: CommandEnd::Exited { code: 0 },
        began: at,
        ended: at,
        output: Some(OutputRef { sha256: Some(digest), bytes: 0, kept: 0, truncated: false }),
        killed: 0,
        text: None,
        artefacts: Vec::new(),
    };
    let event = RunSucceeded { attempt: 1, host: "bench".to_owned(), warning: false, report };
    Ok(Draft::new(life.run()?, 3, event))
}

/// A definition that runs `/bin/true`.
pub(crate) fn definition(
    name: &str,
    schedule: &serde_json::Value,
) -> anyhow::Result<JobDefinition> {
    let value = json!({"name": name, "schedule": schedule, "command": {"argv": ["/bin/true"]}});
    Ok(serde_json::from_value(value)?)
}

/// Drafts that make definitions active.
pub(crate) fn drafts(definitions: &[JobDefinition]) -> anyhow::Result<Vec<Draft>> {
    let mut drafts = Vec::with_capacity(definitions.len() * 2);
    for definition in definitions {
        let digest = definition.digest()?;
        let job = StreamId::job(&definition.name);
        let value = serde_json::to_value(definition)?;
        let proposed = JobProposed {
            number: 1,
            digest,
            definition: value,
            reason: "a measurement".to_owned(),
        };
        drafts.push(Draft::new(job.clone(), 1, proposed));
        drafts.push(Draft::new(job, 2, JobApproved { number: 1, digest }));
    }
    Ok(drafts)
}
