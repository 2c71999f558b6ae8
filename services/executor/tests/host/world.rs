//! An executor at work, and ways to wait for what it says.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bus::Bus;
use domain::event::Event;
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::run::{Outcome, Run};
use executor::{ExecutorConfig, Producer, Surroundings};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::centre::Centre;

/// The agent, which understands `__attempt`.
const AGENT: &str = env!("CARGO_BIN_EXE_decklog-executor");

/// Longer than anything here takes on a loaded machine.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) centre: Centre,
    pub(crate) dir: tempfile::TempDir,
    executor: Option<Executor>,
}

/// An executor, in a runtime of its own: with that everything of it ends, as if its process had.
struct Executor {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
    runtime: Runtime,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(executor) = self.executor.take() {
            executor.runtime.shutdown_background();
        }
    }
}

impl World {
    /// A centre, and no executor yet.
    pub(crate) async fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { centre: Centre::new().await, dir, executor: None }
    }

    /// The same with the executor of host h1, which lets everything run.
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty().await;
        world.start(|_| {}).await;
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn attempts(&self) -> PathBuf {
        self.path("data").join("attempts")
    }

    /// Starts the executor, with its configuration as `change` leaves it.
    pub(crate) async fn start(&mut self, change: impl FnOnce(&mut ExecutorConfig)) {
        self.begin(change);
        let host = StreamId::host("h1");
        let up = || {
            let state = self.centre.stream(&host)?;
            state.body.host()?.up.then_some(())
        };
        eventually("the host to be up", || async { up() }).await;
    }

    /// The same, without waiting for it.
    pub(crate) fn begin(&mut self, change: impl FnOnce(&mut ExecutorConfig)) {
        let (stop, stopped) = watch::channel(false);
        let mut config = ExecutorConfig::new("h1", self.path("data"));
        config.allow_everything_as_me = true;
        change(&mut config);
        assert_eq!(config.problems(), Vec::<String>::new());
        let clock = self.centre.clock.clone();
        let around = Surroundings {
            clock: std::sync::Arc::new(move || clock.now()),
            stop: stopped,
            tzdb: "test".to_owned(),
            program: Some(AGENT.into()),
        };
        let executor = until_unlocked(config, self.centre.bus.clone(), around);
        let runtime = Runtime::new().unwrap();
        self.executor = Some(Executor { stop, task: runtime.spawn(executor), runtime });
    }

    /// Stops it in order.
    pub(crate) async fn stop(&mut self) {
        let Executor { stop, task, runtime } = self.executor.take().unwrap();
        stop.send(true).unwrap();
        task.await.unwrap().unwrap();
        runtime.shutdown_background();
    }

    /// Ends everything of it at once, but for commands.
    pub(crate) async fn kill(&mut self) {
        let runtime = self.executor.take().unwrap().runtime;
        let over = move || runtime.shutdown_timeout(Duration::from_secs(1));
        tokio::task::spawn_blocking(over).await.unwrap();
    }

    pub(crate) fn run(&self, id: &StreamId) -> Run {
        self.centre.stream(id).unwrap().body.run().unwrap().clone()
    }

    /// Waits for the run's end.
    pub(crate) async fn ended(&self, id: &StreamId) -> (Outcome, Run) {
        let over = || async {
            let run = self.run(id);
            run.outcome().map(|outcome| (outcome, run))
        };
        eventually(&format!("the end of {id}"), over).await
    }

    /// Makes a run due, offers it, and waits for its end.
    pub(crate) async fn through(&self, definition: &JobDefinition) -> (Outcome, Run) {
        let run = self.centre.due(definition, Default::default()).await;
        self.centre.offer(&run, definition, 1).await;
        self.ended(&run).await
    }

    /// How often something of this kind was said about a run, in vain or not.
    pub(crate) fn said(&self, run: &StreamId, kind: &str) -> usize {
        let events = self.centre.events(run);
        events.iter().filter(|(event, _)| Event::kind(event) == kind).count()
    }

    /// Kept output of the first attempt.
    pub(crate) fn output(&self, run: &StreamId) -> String {
        let read = executor::read_output(&self.attempts(), run.as_str(), 1, 0).unwrap();
        String::from_utf8(read.unwrap()).unwrap()
    }
}

/// An executor. One that was ended in this same process may hold its journal for a moment longer: a killed process does not.
async fn until_unlocked(
    config: ExecutorConfig,
    bus: Bus,
    around: Surroundings,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + LONG;
    loop {
        let producer = Producer { token: String::new() };
        match executor::run(config.clone(), producer, bus.clone(), around.clone(), || {}).await {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // Said at once: whoever waits for it waits in vain.
            ended => return ended.inspect_err(|error| eprintln!("{error:#}")),
        }
    }
}

fn is_locked(error: &anyhow::Error) -> bool {
    error.to_string().contains("another process has it open")
}

/// A job with these fields.
pub(crate) fn job(name: &str, fields: Value) -> JobDefinition {
    let mut all = json!({"name": name, "command": {"argv": ["/bin/true"]}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let definition: JobDefinition = serde_json::from_value(all).unwrap();
    assert_eq!(definition.problems(), []);
    definition
}

/// Waits until `probe` gives something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
