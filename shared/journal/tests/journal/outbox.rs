//! The outbox and a recorder that errs, hesitates, forgets to answer and refuses.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use domain::envelope::{Envelope, Place};
use domain::flush::{FLUSH_EVENTS_MAX, Flush};
use domain::ledger::Mark;
use domain::wire::{AppendAnswer, AppendRequest, Committed};
use journal::{Closed, Outbox, OutboxConfig, Transport};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::given::{
    LIMIT, chain, draft, drafts, key, now, open, producer, scratch, try_open, try_open_once,
};

/// What the recorder does with one request.
#[derive(Debug, Clone)]
enum Step {
    /// It is committed, as without any step.
    Commit,
    Lose,
    Busy,
    /// Commits, and the answer is lost.
    Forget,
    NotEnrolled,
    Refuse,
    RefuseEnrolment,
    Silence,
}

#[derive(Default)]
struct Recorder {
    steps: VecDeque<Step>,
    enrolments: usize,
    /// Every flush that arrived, also again.
    arrived: Vec<Vec<u8>>,
    /// Committed flushes by their last counter, with their first position.
    known: BTreeMap<u64, u64>,
    log: Vec<Vec<u8>>,
    size: u64,
}

impl Recorder {
    fn commit(&mut self, bytes: &[u8]) -> AppendAnswer {
        let flush = Flush::from_bytes(bytes).unwrap();
        let last = Envelope::parse(flush.envelopes.last().unwrap()).unwrap().pseq;
        let next = self.size + 1;
        let first = *self.known.entry(last).or_insert(next);
        if first == next {
            self.size += flush.envelopes.len() as u64;
            self.log.push(bytes.to_vec());
        }
        let mark = |position: u64| {
            if position.is_multiple_of(2) { Mark::Conflict { at: position } } else { Mark::Valid }
        };
        let events = (first..).take(flush.envelopes.len());
        let events = events.map(|position| Committed { position, mark: mark(position) }).collect();
        AppendAnswer::Committed { events, received: now() }
    }

    /// Answers each flush by the next step; behind one that is not committed none is.
    fn answer(&mut self, request: AppendRequest) -> Option<Result<Vec<AppendAnswer>, String>> {
        let flushes = match request {
            AppendRequest::Flushes(flushes) => flushes,
            AppendRequest::Enrol(enrol) => {
                assert_eq!(
                    (enrol.check().unwrap(), enrol.token.as_str()),
                    (key().public(), "token")
                );
                self.enrolments += 1;
                if let Some(Step::RefuseEnrolment) = self.steps.front() {
                    let reason = "the token is no more".to_owned();
                    return Some(Ok(vec![AppendAnswer::Refused { reason }]));
                }
                return Some(Ok(vec![AppendAnswer::Enrolled]));
            }
        };
        let mut answers = Vec::new();
        for bytes in flushes {
            match self.answer_one(bytes)? {
                Ok(answer) => answers.push(answer),
                Err(error) => return Some(Err(error)),
            }
            if !matches!(answers.last(), Some(AppendAnswer::Committed { .. })) {
                break;
            }
        }
        Some(Ok(answers))
    }

    fn answer_one(&mut self, bytes: Vec<u8>) -> Option<Result<AppendAnswer, String>> {
        self.arrived.push(bytes.clone());
        if matches!(self.steps.front(), Some(Step::RefuseEnrolment)) {
            return Some(Ok(AppendAnswer::NotEnrolled));
        }
        Some(match self.steps.pop_front() {
            None | Some(Step::Commit) => Ok(self.commit(&bytes)),
            Some(Step::Lose) => Err("no answer".to_owned()),
            Some(Step::Busy) => {
                Ok(AppendAnswer::Busy { reason: "the database is away".to_owned() })
            }
            Some(Step::Forget) => {
                self.commit(&bytes);
                Err("the answer was lost".to_owned())
            }
            Some(Step::NotEnrolled | Step::RefuseEnrolment) => Ok(AppendAnswer::NotEnrolled),
            Some(Step::Refuse) => {
                Ok(AppendAnswer::Refused { reason: "the key was revoked".to_owned() })
            }
            Some(Step::Silence) => return None,
        })
    }
}

type Shared = Arc<Mutex<Recorder>>;

fn recorder(steps: &[Step]) -> Shared {
    Arc::new(Mutex::new(Recorder { steps: steps.to_vec().into(), ..Recorder::default() }))
}

fn transport(recorder: &Shared) -> Transport {
    let recorder = Arc::clone(recorder);
    Arc::new(move |request| {
        let answer = recorder.lock().unwrap().answer(request);
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    })
}

fn config(recorder: &Shared) -> OutboxConfig {
    OutboxConfig {
        clock: Arc::new(now),
        transport: transport(recorder),
        token: "token".to_owned(),
        waiting_max: 2_000,
        seen: None,
    }
}

fn start(dir: &Path, recorder: &Shared) -> Outbox {
    Outbox::start(open(dir).0, config(recorder))
}

/// The reasons of all events in the recorder's log, which follow each other without a gap.
fn log(recorder: &Shared) -> Vec<String> {
    let envelopes = chain(Place::default(), &recorder.lock().unwrap().log);
    envelopes.iter().map(|e| e.data["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_said_is_delivered_in_order_and_each_draft_has_its_own_verdict() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let outbox = start(dir.path(), &recorder);
    let first = outbox.append(drafts(3)).await.unwrap();
    let second = outbox.append(vec![draft("last")]).await.unwrap();
    let verdicts = [first.committed().await.unwrap(), second.committed().await.unwrap()].concat();
    assert_eq!(verdicts.iter().map(|v| v.position).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(verdicts[0].mark, Mark::Valid);
    assert_eq!(verdicts[3].mark, Mark::Conflict { at: 4 });
    assert_eq!(verdicts[3].stream.as_str(), "job/payroll");
    assert_eq!(log(&recorder), ["event 0", "event 1", "event 2", "last"]);
    outbox.drained().await;
    assert_eq!(outbox.unsent(), 0);
}

#[tokio::test]
async fn errors_and_a_busy_recorder_are_waited_out() {
    let dir = scratch();
    let recorder = recorder(&[Step::Lose, Step::Busy, Step::Lose]);
    let outbox = start(dir.path(), &recorder);
    assert_eq!(outbox.say(draft("patience")).await.unwrap().position, 1);
    assert_eq!(log(&recorder), ["patience"]);
    assert_eq!(recorder.lock().unwrap().arrived.len(), 4);
}

#[tokio::test]
async fn after_a_lost_answer_the_same_bytes_are_sent_and_the_first_positions_stand() {
    let dir = scratch();
    let recorder = recorder(&[Step::Forget]);
    let outbox = start(dir.path(), &recorder);
    assert_eq!(outbox.say(draft("once")).await.unwrap().position, 1);
    assert_eq!(log(&recorder), ["once"]);
    let arrived = recorder.lock().unwrap().arrived.clone();
    assert_eq!((arrived.len(), &arrived[0]), (2, &arrived[1]));
}

#[tokio::test]
async fn a_producer_the_recorder_does_not_know_enrols_and_then_delivers() {
    let dir = scratch();
    let recorder = recorder(&[Step::NotEnrolled]);
    let outbox = start(dir.path(), &recorder);
    outbox.say(draft("hello")).await.unwrap();
    assert_eq!(
        (log(&recorder), recorder.lock().unwrap().enrolments),
        (vec!["hello".to_owned()], 1)
    );
}

#[tokio::test]
async fn a_refusal_is_a_failure_that_everybody_hears_of() {
    for (step, wanted) in
        [(Step::Refuse, "the key was revoked"), (Step::RefuseEnrolment, "the token is no more")]
    {
        let dir = scratch();
        let recorder = recorder(std::slice::from_ref(&step));
        let outbox = start(dir.path(), &recorder);
        let receipt = outbox.append(drafts(1)).await.unwrap();
        assert_eq!(outbox.failure().await, wanted);
        assert!(receipt.committed().await.is_err(), "{step:?}");
        assert_eq!(outbox.append(drafts(1)).await.unwrap_err(), Closed::Over(wanted.to_owned()));
        outbox.drained().await;
        assert_eq!(outbox.unsent(), 1, "what was said stays in the journal");
    }
}

#[tokio::test]
async fn what_an_earlier_life_left_is_delivered_first() {
    let (dir, recorder) = (scratch(), recorder(&[Step::Lose]));
    let (mut journal, _) = open(dir.path());
    for text in ["first", "second", "third"] {
        journal.append(vec![draft(text)], now()).unwrap();
    }
    journal.committed(0).unwrap();
    drop(journal);
    let outbox = start(dir.path(), &recorder);
    assert_eq!(outbox.unsent(), 3);
    let (_, verdict) = tokio::join!(outbox.recovered(), outbox.say(draft("new")));
    assert_eq!(verdict.unwrap().position, 4);
    assert_eq!(log(&recorder), ["first", "second", "third", "new"]);
}

#[tokio::test]
async fn of_flushes_that_travel_together_only_those_not_committed_are_sent_again() {
    let (dir, recorder) = (scratch(), recorder(&[Step::Commit, Step::Busy]));
    let (mut journal, _) = open(dir.path());
    for text in ["first", "second", "third"] {
        journal.append(vec![draft(text)], now()).unwrap();
    }
    drop(journal);
    let outbox = start(dir.path(), &recorder);
    outbox.recovered().await;
    assert_eq!(log(&recorder), ["first", "second", "third"]);
    // All three at once, of which the second was not taken; then the second and the third.
    assert_eq!(recorder.lock().unwrap().arrived.len(), 4);
    assert_eq!(outbox.unsent(), 0);
}

#[tokio::test]
async fn answers_to_more_than_was_sent_or_to_other_events_commit_nothing() {
    let dir = scratch();
    let answers = Arc::new(Mutex::new(0));
    let asked = Arc::clone(&answers);
    let answer = move |request: AppendRequest| {
        let AppendRequest::Flushes(flushes) = request else { panic!("enrolled for nothing") };
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        let committed = |count: u64| AppendAnswer::Committed {
            events: (1..=count).map(|position| Committed { position, mark: Mark::Valid }).collect(),
            received: now(),
        };
        match *asked {
            1 => vec![],
            2 => vec![committed(2)],
            _ => vec![committed(1); flushes.len() + 3],
        }
    };
    let answer = Arc::new(answer);
    let transport: Transport = Arc::new(move |request| {
        let answers = answer(request);
        Box::pin(async move { Ok(answers) })
    });
    let config = OutboxConfig { transport, ..config(&recorder(&[])) };
    let outbox = Outbox::start(open(dir.path()).0, config);
    assert_eq!(outbox.say(draft("one")).await.unwrap().position, 1);
    assert_eq!(*answers.lock().unwrap(), 3, "an answer that does not fit is no answer");
    assert_eq!(outbox.say(draft("two")).await.unwrap().position, 1);
}

/// Waits until the writer's thread has let go of the journal.
async fn reopen(dir: &Path) -> journal::Journal {
    loop {
        match try_open_once(dir, &producer(), LIMIT) {
            Ok((journal, _)) => return journal,
            Err(error) => assert!(error.to_string().contains("has it open"), "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_not_answered_when_the_outbox_was_dropped_waits_for_the_next_life() {
    let dir = scratch();
    let silent = recorder(&[Step::Silence]);
    let outbox = start(dir.path(), &silent);
    let receipt = outbox.append(drafts(2)).await.unwrap();
    drop(outbox);
    let journal = reopen(dir.path()).await;
    assert_eq!(journal.unsent().count(), 1);
    drop(receipt);
    let recorder = recorder(&[]);
    let outbox = Outbox::start(journal, config(&recorder));
    outbox.recovered().await;
    assert_eq!(log(&recorder).len(), 2);
}

#[tokio::test]
async fn what_is_committed_is_not_sent_again_by_the_next_life() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let outbox = start(dir.path(), &recorder);
    outbox.say(draft("done")).await.unwrap();
    drop(outbox);
    assert_eq!(reopen(dir.path()).await.unsent().count(), 0);
}

/// An outbox whose writer stands still, in its clock, until somebody lets it go.
fn start_stopped(dir: &Path, recorder: &Shared, limit: u64) -> (Outbox, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let clock = move || {
        // An error means that it was let go for good.
        let _ = wait.lock().unwrap().recv();
        now()
    };
    let config = OutboxConfig { clock: Arc::new(clock), ..config(recorder) };
    (Outbox::start(try_open(dir, limit).unwrap().0, config), go)
}

/// Lets everybody say what they want to say while the writer stands still, then lets it go.
async fn say_at_once(
    outbox: &Outbox,
    go: mpsc::Sender<()>,
    drafts: Vec<domain::envelope::Draft>,
) -> Vec<Result<u64, Closed>> {
    let (mut tasks, asked, all) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)), drafts.len());
    for (index, draft) in drafts.into_iter().enumerate() {
        let (outbox, asked) = (outbox.clone(), Arc::clone(&asked));
        tasks.spawn(async move {
            // This runtime has one thread and the outbox room for all: whoever is counted has asked.
            asked.fetch_add(1, Ordering::Relaxed);
            (index, outbox.say(draft).await.map(|v| v.position))
        });
    }
    while asked.load(Ordering::Relaxed) < all {
        tokio::task::yield_now().await;
    }
    drop(go);
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[tokio::test]
async fn what_many_say_at_once_is_written_in_few_flushes_of_at_most_256_events() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let (outbox, go) = start_stopped(dir.path(), &recorder, LIMIT);
    let positions = say_at_once(&outbox, go, drafts(1_000)).await;
    let wanted: Vec<_> = (1..=1_000).map(Ok).collect();
    assert_eq!(positions, wanted);
    assert_eq!(log(&recorder).len(), 1_000);
    let flushes = recorder.lock().unwrap().log.clone();
    let largest = flushes.iter().map(|f| Flush::from_bytes(f).unwrap().envelopes.len()).max();
    assert_eq!(largest, Some(FLUSH_EVENTS_MAX));
    assert!(flushes.len() <= 6, "{} flushes", flushes.len());
}

#[tokio::test]
async fn large_events_said_at_once_stay_below_the_size_of_a_flush() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let (outbox, go) = start_stopped(dir.path(), &recorder, LIMIT);
    let results = say_at_once(&outbox, go, vec![draft(&"x".repeat(15_000)); 200]).await;
    assert!(results.iter().all(Result::is_ok));
    let flushes = recorder.lock().unwrap().log.len();
    assert!((6..=20).contains(&flushes), "{flushes} flushes");
}

#[tokio::test]
async fn an_oversized_draft_is_refused_and_takes_no_other_with_it() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let (outbox, go) = start_stopped(dir.path(), &recorder, LIMIT);
    let texts = ["one", "two", &"x".repeat(20_000), "three", "four"];
    let results = say_at_once(&outbox, go, texts.map(draft).to_vec()).await;
    let refused = results[2].clone().unwrap_err();
    assert!(matches!(&refused, Closed::Over(why) if why.contains("over the limit")), "{refused}");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 4);
    assert_eq!(log(&recorder), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_full_journal_refuses_with_the_reason_and_recovers_when_the_recorder_answers() {
    let (dir, silent) = (scratch(), recorder(&[Step::Silence]));
    let outbox = Outbox::start(try_open(dir.path(), 20_000).unwrap().0, config(&silent));
    let refused = loop {
        if let Err(refused) = outbox.append(drafts(5)).await {
            break refused;
        }
    };
    assert!(matches!(&refused, Closed::Unwritten(why) if why.contains("is full")), "{refused}");
    assert!(outbox.hindered().is_some_and(|why| why.contains("is full")));
    drop(outbox);
    drop(reopen(dir.path()).await);
    let recorder = recorder(&[]);
    let outbox = Outbox::start(try_open(dir.path(), 20_000).unwrap().0, config(&recorder));
    outbox.drained().await;
    outbox.append(drafts(5)).await.unwrap().committed().await.unwrap();
}

#[tokio::test]
async fn what_is_handed_over_first_is_said_first_whoever_waits_for_it() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let (outbox, go) = start_stopped(dir.path(), &recorder, LIMIT);
    let mut handed = Vec::new();
    for text in ["one", "two", "three"] {
        handed.push(outbox.hand(vec![draft(text)]).await.unwrap());
    }
    drop(go);
    let mut positions = Vec::new();
    for one in handed.into_iter().rev() {
        positions.push(one.verdict().await.unwrap().position);
    }
    assert_eq!(positions, [3, 2, 1]);
    assert_eq!(log(&recorder), ["one", "two", "three"]);
}

#[tokio::test]
async fn what_must_be_said_waits_until_the_journal_has_room() {
    let (dir, recorder) = (scratch(), recorder(&[]));
    let (open, gate) = watch::channel(false);
    let answers = config(&recorder).transport;
    let transport: Transport = Arc::new(move |request| {
        let (mut gate, answers) = (gate.clone(), Arc::clone(&answers));
        Box::pin(async move {
            gate.wait_for(|open| *open).await.map_err(|error| error.to_string())?;
            answers(request).await
        })
    });
    let config = OutboxConfig { transport, ..config(&recorder) };
    let outbox = Outbox::start(try_open(dir.path(), 20_000).unwrap().0, config);
    while outbox.append(drafts(5)).await.is_ok() {}
    assert!(outbox.hindered().is_some_and(|why| why.contains("is full")));
    let mut insisting = Box::pin(outbox.insist(draft("the end")));
    // Whoever only says it has an answer by then.
    let moment = Duration::from_millis(300);
    assert!(tokio::time::timeout(moment, &mut insisting).await.is_err(), "there is no room");
    open.send_replace(true);
    insisting.await.unwrap();
    assert_eq!(log(&recorder).last().unwrap(), "the end");
    assert_eq!(outbox.hindered(), None);
}
