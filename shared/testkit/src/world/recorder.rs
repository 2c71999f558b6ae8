//! A recorder: judges on its own copy of the log's state, commits by compare-and-swap, answers.

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use domain::canonical::Digest;
use domain::envelope::{Draft, Envelope};
use domain::event::{Event, LogCreated, LogProducerEnrolled};
use domain::flush::Flush;
use domain::ids::StreamId;
use domain::leaf::Leaf;
use domain::ledger::{Ledger, Memory, Opened, Refusal, StreamState, Streams};
use domain::wire::AppendAnswer;
use tlog::{Frontier, leaf_hash};

use super::log::{Row, SharedLog};
use super::step::{Act, MS, Message, SECOND};
use super::{Moment, Node, World, producer};

/// Requests that wait; more are dropped, and asked again.
const INBOX: usize = 64;

/// What a recorder holds in memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Copy {
    pub(super) ledger: Ledger,
    pub(super) streams: Memory,
    pub(super) frontier: Frontier,
}

/// A request that waits.
#[derive(Debug, Clone)]
struct Request {
    from: Node,
    flush: usize,
    bytes: Rc<[u8]>,
}

/// A transaction that is ready.
#[derive(Debug)]
struct Staged {
    base: u64,
    ledger: Ledger,
    frontier: Frontier,
    changed: BTreeMap<StreamId, StreamState>,
    rows: Vec<Row>,
    requests: Vec<Request>,
    answers: Vec<(Request, AppendAnswer)>,
}

/// A recorder's memory.
#[derive(Debug, Default)]
pub(super) struct RecorderProgram {
    pub(super) copy: Copy,
    /// Whether it has read the log since it started; until then it hears nobody.
    ready: bool,
    inbox: Vec<Request>,
    staged: Option<Staged>,
    answers: Vec<(Request, AppendAnswer)>,
}

/// States as they will be if the transaction commits.
struct Overlay<'a> {
    below: &'a Memory,
    changed: BTreeMap<StreamId, StreamState>,
}

impl Streams for Overlay<'_> {
    fn get(&self, id: &StreamId) -> Option<&StreamState> {
        self.changed.get(id).or_else(|| self.below.get(id))
    }

    fn put(&mut self, id: StreamId, state: StreamState) {
        self.changed.insert(id, state);
    }
}

impl Copy {
    /// Follows the log up to its end.
    pub(super) fn follow(&mut self, log: &SharedLog) -> Result<()> {
        for row in log.after(self.ledger.size, usize::MAX) {
            let leaf = log.leaf(row);
            let hash = Digest::of(&Leaf::from_bytes(leaf)?.envelope);
            let mark =
                self.ledger.judge(&mut self.streams, &row.envelope, &row.event, hash, row.received);
            if mark != row.mark {
                bail!(
                    "a recorder that follows finds {mark:?} at {}, not {:?}",
                    row.position,
                    row.mark
                );
            }
            self.frontier.push(leaf_hash(leaf));
        }
        Ok(())
    }
}

impl World {
    pub(super) fn recorder_acts(&mut self, i: usize, act: &Act) -> Result<()> {
        match act {
            Act::Boot => self.recorder_boots(i)?,
            Act::Judge => self.judge(i)?,
            Act::Commit => self.commit(i)?,
            Act::Reply => self.reply(i),
            Act::Archive => self.archive(i)?,
            Act::Load
            | Act::Pump
            | Act::Poll
            | Act::Fetch
            | Act::Recall(_)
            | Act::Wake(_)
            | Act::Beat
            | Act::Pull
            | Act::Start(_)
            | Act::Reap
            | Act::Watch
            | Act::Alone
            | Act::StartAlone(_) => {}
        }
        Ok(())
    }

    fn recorder_boots(&mut self, i: usize) -> Result<()> {
        let copy = self.past.clone();
        self.recorders[i] = RecorderProgram { copy, ready: true, ..RecorderProgram::default() };
        if self.archives {
            self.plan_soon(Node::Recorder(i), 0, 20 * SECOND, Act::Archive);
        }
        self.reload(i)
    }

    pub(super) fn reload(&mut self, i: usize) -> Result<()> {
        self.recorders[i].copy.follow(&self.log)
    }

    pub(super) fn recorder_hears(&mut self, to: Node, from: Node, flush: usize, bytes: Rc<[u8]>) {
        let Node::Recorder(i) = to else { return };
        let program = &mut self.recorders[i];
        if program.ready && program.inbox.len() < INBOX {
            program.inbox.push(Request { from, flush, bytes });
            self.plan_soon(to, 0, 5 * MS, Act::Judge);
        }
    }

    /// Judges everything that waits, on this recorder's own copy.
    fn judge(&mut self, i: usize) -> Result<()> {
        let program = &mut self.recorders[i];
        if program.staged.is_some() || program.inbox.is_empty() {
            return Ok(());
        }
        let requests = std::mem::take(&mut program.inbox);
        let now = self.clock(Node::Recorder(i));
        let copy = &self.recorders[i].copy;
        let mut staging = Staging::new(copy, now);
        for request in &requests {
            match staging.take(request)? {
                Taken::Rows => {}
                // Its copy may be old: look at the log before an answer.
                Taken::Behind if copy.ledger.size < self.log.size() => {
                    self.reload(i)?;
                    self.recorders[i].inbox = requests;
                    self.plan_own(Node::Recorder(i), MS, Act::Judge);
                    return Ok(());
                }
                Taken::Behind => staging.busy(request),
                Taken::Known(answer) => staging.known(request, answer, &self.log)?,
            }
        }
        let staged = staging.finish(requests);
        self.recorders[i].staged = Some(staged);
        self.plan_soon(Node::Recorder(i), 0, 8 * MS, Act::Commit);
        Ok(())
    }

    /// One transaction, fenced by the size of the log.
    fn commit(&mut self, i: usize) -> Result<()> {
        let node = Node::Recorder(i);
        let Some(mut staged) = self.recorders[i].staged.take() else { return Ok(()) };
        if self.machine(node).cut {
            return Ok(());
        }
        let (rows, count) = (std::mem::take(&mut staged.rows), staged.ledger.size - staged.base);
        if count > 0 && !self.log.commit(staged.base, rows, staged.frontier.root()) {
            self.say(|| format!("{node} loses the race at {}", staged.base));
            self.reload(i)?;
            self.recorders[i].inbox.splice(0..0, staged.requests);
            self.plan_own(node, MS, Act::Judge);
            return Ok(());
        }
        self.say(|| format!("{node} commits {count} after {}", staged.base));
        let program = &mut self.recorders[i];
        if count > 0 {
            program.copy.streams.0.extend(staged.changed);
            program.copy.ledger = staged.ledger;
            program.copy.frontier = staged.frontier;
        }
        program.answers.extend(staged.answers);
        if !self.dies(node, Moment::BeforeAnswer) {
            self.plan_soon(node, 0, 5 * MS, Act::Reply);
            self.plan_own(node, MS, Act::Judge);
        }
        Ok(())
    }

    fn reply(&mut self, i: usize) {
        let node = Node::Recorder(i);
        let answers = std::mem::take(&mut self.recorders[i].answers);
        let grown = !answers.is_empty();
        for (request, answer) in answers {
            let message = Message::Answer { flush: request.flush, answer: Rc::new(answer) };
            self.send(node, request.from, &message);
        }
        if grown {
            self.nudge(node);
        }
    }

    /// The first events: the log, and who may append.
    pub(super) fn create_log(&mut self) -> Result<()> {
        let first = Node::Recorder(0);
        let (id, time) = (producer(first)?, self.clock(first));
        let stream = StreamId::log("main");
        let key = |world: &Self, node| world.journals.get(&node).map(|j| j.key.public().to_hex());
        let created = LogCreated {
            origin: super::ORIGIN.to_owned(),
            producer: id,
            key: key(self, first).context("no key")?,
            head_key: Self::log_key()?.verifier_key().to_string(),
            version: "0".to_owned(),
        };
        let mut drafts = vec![Draft::new(stream.clone(), 1, created)];
        for (version, node) in (2..).zip(Self::nodes().filter(|node| *node != first)) {
            let (producer, key) = (producer(node)?, key(self, node).context("no key")?);
            let (class, ground) = (producer.class(), "embedded".to_owned());
            let enrolled = LogProducerEnrolled { producer, class, key, ground };
            drafts.push(Draft::new(stream.clone(), version, enrolled));
        }
        let journal = self.journals.get_mut(&first).context("no journal")?;
        journal.append(drafts, time, &mut self.rng)?;
        let flush = Flush::from_bytes(&journal.flushes[0].bytes)?;
        journal.flushes[0].committed = true;
        self.commit_own(&mut Copy::default(), &flush, time)
    }
}

impl World {
    /// What a recorder says itself, next in a stream of the log that is known.
    pub(super) fn own_flush(
        &mut self,
        copy: &Copy,
        i: usize,
        stream: &StreamId,
        events: Vec<Event>,
    ) -> Result<Flush> {
        let node = Node::Recorder(i);
        let (id, time) = (producer(node)?, self.clock(node));
        let mut place = copy.ledger.producers.get(&id).context("it is not let in")?.place;
        let version = copy.streams.0.get(stream).map_or(0, |state| state.version);
        let mut envelopes = Vec::with_capacity(events.len());
        for (version, event) in (version + 1..).zip(events) {
            let draft = Draft::new(stream.clone(), version, event);
            let uuid = self.rng.uuid(time.as_millisecond());
            envelopes.push(place.seal(&id, draft, uuid, time)?);
        }
        let key = &self.journals.get(&node).context("no journal")?.key;
        Ok(Flush::sign(envelopes, key)?)
    }

    /// Commits what a recorder says on a copy that is up to date.
    pub(super) fn commit_own(
        &mut self,
        copy: &mut Copy,
        flush: &Flush,
        time: jiff::Timestamp,
    ) -> Result<()> {
        let mut staging = Staging::new(copy, time);
        let opened = staging.ledger.open(flush).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
        staging.add(flush, opened);
        let staged = staging.finish(Vec::new());
        ensure!(
            self.log.commit(staged.base, staged.rows, staged.frontier.root()),
            "the log is not at {}",
            staged.base
        );
        copy.streams.0.extend(staged.changed);
        (copy.ledger, copy.frontier) = (staged.ledger, staged.frontier);
        Ok(())
    }
}

/// What a flush says, whoever signed it.
fn read_unchecked(flush: &Flush) -> Result<Vec<Opened>> {
    let open = |bytes: &Vec<u8>| {
        let envelope = Envelope::parse(bytes)?;
        let event = envelope.event()?;
        Ok(Opened { envelope, event, hash: Digest::of(bytes) })
    };
    flush.envelopes.iter().map(open).collect()
}

/// What became of a request while it was judged.
enum Taken {
    /// Its events are rows.
    Rows,
    /// It does not continue what this copy knows.
    Behind,
    /// It was said before.
    Known(Flush),
}

/// A transaction in the making.
struct Staging<'a> {
    now: jiff::Timestamp,
    ledger: Ledger,
    frontier: Frontier,
    overlay: Overlay<'a>,
    base: u64,
    rows: Vec<Row>,
    answers: Vec<(Request, AppendAnswer)>,
}

impl<'a> Staging<'a> {
    fn new(copy: &'a Copy, now: jiff::Timestamp) -> Self {
        Self {
            now,
            ledger: copy.ledger.clone(),
            frontier: copy.frontier.clone(),
            overlay: Overlay { below: &copy.streams, changed: BTreeMap::new() },
            base: copy.ledger.size,
            rows: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn take(&mut self, request: &Request) -> Result<Taken> {
        let flush = Flush::from_bytes(&request.bytes)?;
        match self.ledger.open(&flush) {
            Ok(opened) => {
                let first = self.rows.len();
                self.add(&flush, opened);
                let answer = committed(&self.rows[first..])?;
                self.answers.push((request.clone(), answer));
                Ok(Taken::Rows)
            }
            Err(Refusal::Known { .. }) => Ok(Taken::Known(flush)),
            Err(Refusal::NotNext { .. }) => Ok(Taken::Behind),
            Err(refusal) => bail!("a flush of {} is refused: {refusal}", request.from),
        }
    }

    fn add(&mut self, flush: &Flush, opened: Vec<Opened>) {
        let last = opened.len();
        for (index, (one, bytes)) in opened.into_iter().zip(&flush.envelopes).enumerate() {
            let Opened { envelope, event, hash } = one;
            let received = self.ledger.receive_time(self.now, &event);
            let mark = self.ledger.judge(&mut self.overlay, &envelope, &event, hash, received);
            let seals = if index + 1 == last { vec![flush.seal] } else { Vec::new() };
            let leaf = Leaf { received, envelope: bytes.clone(), seals }.to_bytes();
            self.frontier.push(leaf_hash(&leaf));
            let (position, envelope, event) = (self.ledger.size, Rc::new(envelope), Rc::new(event));
            self.rows.push(Row { position, leaf, received, envelope, event, mark });
        }
    }

    fn busy(&mut self, request: &Request) {
        let answer = AppendAnswer::Busy { reason: "an earlier flush is missing".to_owned() };
        self.answers.push((request.clone(), answer));
    }

    /// Answers a repetition with what the flush got, after a look at the very bytes.
    fn known(&mut self, request: &Request, flush: Flush, log: &SharedLog) -> Result<()> {
        let opened = read_unchecked(&flush)?;
        let (Some(first), Some(last)) = (opened.first(), opened.last()) else { return Ok(()) };
        let source = &first.envelope.source;
        for (one, bytes) in opened.iter().zip(&flush.envelopes) {
            let here = self.rows.iter().any(|row| *row.envelope == one.envelope);
            if !here && !log.holds(source, one.envelope.pseq, bytes) {
                bail!("{source} said something else as {} before", one.envelope.pseq);
            }
        }
        // Said twice in one batch: the first of the two is answered when it is committed.
        if let Some((events, received)) =
            log.positions(source, first.envelope.pseq, last.envelope.pseq)
        {
            let answer = AppendAnswer::Committed { events, received };
            self.answers.push((request.clone(), answer));
        }
        Ok(())
    }

    fn finish(self, requests: Vec<Request>) -> Staged {
        Staged {
            base: self.base,
            ledger: self.ledger,
            frontier: self.frontier,
            changed: self.overlay.changed,
            rows: self.rows,
            requests,
            answers: self.answers,
        }
    }
}

fn committed(rows: &[Row]) -> Result<AppendAnswer> {
    let received = rows.last().context("an empty flush")?.received;
    let event =
        |row: &Row| domain::wire::Committed { position: row.position, mark: row.mark.clone() };
    Ok(AppendAnswer::Committed { events: rows.iter().map(event).collect(), received })
}
