//! How many `/bin/true` a second: bare, and each as an attempt with everything that belongs to it.
//!
//! `cargo build --release -p decklog-executor && cargo run --release -p decklog-executor --example spawn_rate`
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use executor::attempt::{
    AtLimit, AttemptDir, Outcome, OutputLimit, Program, Spec, State, Stop, SupervisorProgram,
    prepare,
};

/// In a figure: so many batches of so many runs. A batch is prepared before the clock runs, and removed after.
const BATCHES: usize = 8;
const BATCH: usize = 200;
const ROUNDS: usize = 3;

fn main() {
    let mut agent = std::env::current_exe().unwrap();
    agent.pop();
    agent.pop();
    let agent = agent.join("decklog-executor");
    let root = tempfile::tempdir().unwrap();
    let keeping = SupervisorProgram::new(agent.clone());
    let fresh = SupervisorProgram::keeping(agent, 0);
    started(root.path(), 4, &keeping); // the first batch makes what later ones use again
    println!(
        "runs of /bin/true a second, {} a figure, in {}",
        BATCHES * BATCH,
        root.path().display()
    );
    println!("at once      bare        start+wait  prepare…remove   new supervisors");
    for _ in 0..ROUNDS {
        for threads in [2, 4] {
            let bare = rate(threads, bare);
            let share = |rate: f64| format!("{rate:>8.0} ({:>3.0} %)", 100.0 * rate / bare);
            let kept = share(started(root.path(), threads, &keeping));
            let new = share(started(root.path(), threads, &fresh));
            let whole = share(rate(threads, |run| {
                let dir = ready(root.path(), run);
                go(&dir, &keeping);
                dir.remove().unwrap();
            }));
            println!("{threads:>7}  {bare:>8.0}  {kept:>16} {whole:>15}  {new:>16}");
        }
    }
}

/// Runs `one` for each number of a batch, on so many threads.
fn batch(threads: usize, one: impl Fn(usize) + Sync) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let one = &one;
            scope.spawn(move || (thread..BATCH).step_by(threads).for_each(one));
        }
    });
    begun.elapsed()
}

fn per_second(spent: Duration) -> f64 {
    f64::from(u32::try_from(BATCHES * BATCH).unwrap()) / spent.as_secs_f64()
}

fn rate(threads: usize, one: impl Fn(usize) + Sync) -> f64 {
    per_second((0..BATCHES).map(|_| batch(threads, &one)).sum())
}

fn bare(_: usize) {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
}

/// Only `start` and `wait` are on the clock.
fn started(root: &Path, threads: usize, program: &SupervisorProgram) -> f64 {
    let mut spent = Duration::ZERO;
    for _ in 0..BATCHES {
        let dirs: Vec<AttemptDir> = (0..BATCH).map(|run| ready(root, run)).collect();
        spent += batch(threads, |run| go(dirs.get(run).unwrap(), program));
        dirs.iter().for_each(|dir| dir.remove().unwrap());
    }
    per_second(spent)
}

fn ready(root: &Path, run: usize) -> AttemptDir {
    let spec = Spec {
        run: format!("noop@{run}"),
        attempt: 1,
        job: "noop".into(),
        business_date: None,
        refused: None,
        program: Program::Argv(vec!["/bin/true".into()]),
        cwd: Some("/".into()),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        providers: BTreeMap::new(),
        run_as: None,
        timeout_ms: Some(60_000),
        stop: Stop { signal: "TERM".into(), grace_ms: 5_000 },
        output: OutputLimit {
            bytes: 1 << 20,
            at_limit: AtLimit::Truncate,
            bytes_per_second: None,
            success_text: Vec::new(),
            failure_text: Vec::new(),
        },
        stdin: None,
        cgroup: None,
        memory_bytes: None,
        backup: None,
        print: None,
        print_touches: None,
        artefacts: BTreeMap::new(),
        memo: serde_json::Value::Null,
    };
    prepare(root, &spec).unwrap()
}

fn go(dir: &AttemptDir, program: &SupervisorProgram) {
    dir.start(program).unwrap();
    match dir.wait(Duration::from_secs(60)).unwrap() {
        Some(State::Ended(status)) => assert_eq!(status.outcome, Outcome::Exited { code: 0 }),
        other => panic!("{other:?}"),
    }
}
