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

const RUNS: usize = 1200;
const ROUNDS: usize = 3;

fn main() {
    let mut agent = std::env::current_exe().unwrap();
    agent.pop();
    agent.pop();
    let agent = agent.join("decklog-executor");
    println!("runs of /bin/true a second, {RUNS} a figure");
    println!(
        "{:>8} {:>8} {:>20} {:>20} {:>20}",
        "at once", "bare", "start+wait", "with prepare", "new supervisors"
    );
    for _ in 0..ROUNDS {
        for threads in [2, 4] {
            let keeping = SupervisorProgram::new(agent.clone());
            let fresh = SupervisorProgram::keeping(agent.clone(), 0);
            let bare = bare(threads);
            let started = attempts(threads, &keeping, false);
            let whole = attempts(threads, &keeping, true);
            let new = attempts(threads, &fresh, false);
            let share = |rate: f64| format!("{rate:>8.0} ({:.0} %)", 100.0 * rate / bare);
            let (started, whole, new) = (share(started), share(whole), share(new));
            println!("{threads:>8} {bare:>8.0} {started:>20} {whole:>20} {new:>20}");
        }
    }
}

/// Runs `one` for each number, on so many threads; a second's worth of them.
fn rate(threads: usize, one: impl Fn(usize) + Sync) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let one = &one;
            scope.spawn(move || (thread..RUNS).step_by(threads).for_each(one));
        }
    });
    f64::from(u32::try_from(RUNS).unwrap()) / begun.elapsed().as_secs_f64()
}

fn bare(threads: usize) -> f64 {
    rate(threads, |_| {
        let mut command = Command::new("/bin/true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
    })
}

fn attempts(threads: usize, program: &SupervisorProgram, prepare_too: bool) -> f64 {
    let root = tempfile::tempdir().unwrap();
    if prepare_too {
        return rate(threads, |run| go(&ready(root.path(), run), program));
    }
    let dirs: Vec<AttemptDir> = (0..RUNS).map(|run| ready(root.path(), run)).collect();
    rate(threads, |run| go(dirs.get(run).unwrap(), program))
}

fn ready(root: &Path, run: usize) -> AttemptDir {
    let spec = Spec {
        run: format!("noop@{run}"),
        attempt: 1,
        job: "noop".into(),
        program: Program::Argv(vec!["/bin/true".into()]),
        cwd: Some("/".into()),
        env: BTreeMap::new(),
        run_as: None,
        timeout_ms: Some(60_000),
        stop: Stop { signal: "TERM".into(), grace_ms: 5_000 },
        output: OutputLimit { bytes: 1 << 20, at_limit: AtLimit::Truncate },
        stdin: None,
        cgroup: None,
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
