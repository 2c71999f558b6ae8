//! A directory for attempts, and ways to wait for what processes do. Nothing here sleeps for luck: every
//! wait is for a condition, and ends as soon as that holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use executor::attempt::{
    AtLimit, AttemptDir, OutputLimit, Program, Spec, State, Status, Stop, SupervisorProgram,
    prepare,
};

/// The agent, which understands `__attempt`.
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_decklog-executor");

/// Longer than anything here takes on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) root: tempfile::TempDir,
    notes: tempfile::TempDir,
    pub(crate) program: SupervisorProgram,
}

impl World {
    pub(crate) fn new() -> Self {
        let [root, notes] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        Self { root, notes, program: SupervisorProgram::new(AGENT.into()) }
    }

    pub(crate) fn prepare(&self, spec: &Spec) -> AttemptDir {
        prepare(self.root.path(), spec).unwrap()
    }

    /// Prepares and starts.
    pub(crate) fn start(&self, spec: &Spec) -> AttemptDir {
        let dir = self.prepare(spec);
        dir.start(&self.program).unwrap();
        dir
    }

    /// Prepares, starts and waits; gives the directory too.
    pub(crate) fn run(&self, spec: &Spec) -> (AttemptDir, Status) {
        let dir = self.start(spec);
        let status = ended(&dir);
        (dir, status)
    }

    /// A file in which a script leaves a word.
    pub(crate) fn note(&self, name: &str) -> PathBuf {
        self.notes.path().join(name)
    }
}

/// Waits for the attempt's end.
pub(crate) fn ended(dir: &AttemptDir) -> Status {
    match dir.wait(LONG).unwrap() {
        Some(State::Ended(status)) => status,
        other => panic!("{other:?}: {}", trouble(dir)),
    }
}

pub(crate) fn trouble(dir: &AttemptDir) -> String {
    std::fs::read_to_string(dir.path().join("trouble")).unwrap_or_default()
}

/// A shell script's attempt; every one has a run of its own.
pub(crate) fn sh(text: &str) -> Spec {
    argv(&["/bin/sh", "-c", text])
}

pub(crate) fn argv(words: &[&str]) -> Spec {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Spec {
        run: format!("test/{}@{number}", std::process::id()),
        attempt: 1,
        job: "test".into(),
        business_date: None,
        refused: None,
        program: Program::Argv(words.iter().map(ToString::to_string).collect()),
        cwd: Some("/".into()),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        providers: BTreeMap::new(),
        run_as: None,
        timeout_ms: None,
        stop: Stop { signal: "TERM".into(), grace_ms: 100 },
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
    }
}

/// The name of the attempt's claim, if there is one.
pub(crate) fn claim_of(dir: &AttemptDir) -> Option<String> {
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).find(|name| name.starts_with("claim "))
}

/// Claims the attempt for whoever is named.
pub(crate) fn claim(dir: &AttemptDir, name: &str) {
    std::fs::rename(dir.path().join("unclaimed"), dir.path().join(name)).unwrap();
}

/// Waits until `probe` gives something.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The number a script wrote into a file, once it is there.
pub(crate) fn pid_in(path: &Path) -> i32 {
    eventually(&format!("a number in {}", path.display()), || {
        std::fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
    })
}

/// Whether a process is there and not only waiting to be reaped.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub(crate) fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}

/// The supervisor's process, once it has claimed the attempt.
pub(crate) fn supervisor(dir: &AttemptDir) -> i32 {
    eventually("a claim", || match dir.state().unwrap() {
        State::Running { pid } => Some(pid.cast_signed()),
        State::Prepared => None,
        other @ (State::Ended(_) | State::Vanished | State::Disowned) => panic!("{other:?}"),
    })
}
