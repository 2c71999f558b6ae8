//! The programs under test: built once, found beside this test, run with a limit of time.

use std::ffi::OsStr;
use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use testkit::process::Daemon;
use testkit::wait;

/// How long a command that answers and ends may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an installation may take until it says that it is ready.
pub(crate) const READY: Duration = Duration::from_secs(60);

/// The directory of the built programs. Asks cargo to build them, which takes no time when they are
/// new; cargo itself keeps two builds apart.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // target/<profile>/deps/system-<hash>
        let test = std::env::current_exe().unwrap();
        let profile_dir = test.parent().unwrap().parent().unwrap().to_owned();
        let profile = match profile_dir.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(["build", "--quiet", "--workspace", "--bins"])
            .args(["--profile", profile, "--target-dir"])
            .arg(profile_dir.parent().unwrap());
        // What cargo tells this test of its own package are no news to what is built: crates that look at such names would be
        // built again, and all that stands on them, here and by the next call of cargo.
        for (name, _) in std::env::vars_os() {
            let told = ["CARGO_PKG_", "CARGO_MANIFEST_"];
            if told.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                cargo.env_remove(name);
            }
        }
        assert!(cargo.status().unwrap().success(), "the programs under test do not build");
        profile_dir
    })
}

/// A call of `decklog`, free of what this machine may have set for it.
pub(crate) fn decklog<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(built().join("decklog"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DECKLOG") {
            command.env_remove(name);
        }
    }
    command.env("TZ", "UTC").args(arguments);
    command
}

/// A call of `decklog-executor`.
pub(crate) fn executor<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(built().join("decklog-executor"));
    command.args(arguments);
    command
}

/// A call of `decklog-verify`.
pub(crate) fn verifier<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(built().join("decklog-verify"));
    command.env("TZ", "UTC").args(arguments);
    command
}

/// What a call said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its output, if it ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Said {
    run_for(command, PATIENCE)
}

/// Runs a command that may take as long as this.
#[track_caller]
pub(crate) fn run_for(command: &mut Command, limit: Duration) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(file("out")).unwrap())
        .stderr(File::create(file("err")).unwrap())
        .spawn()
        .unwrap();
    let mut ended = None;
    let waited = wait::until(&format!("the end of {command:?}"), limit, || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    let read = |name: &str| read_to_string(file(name)).unwrap();
    let (out, err) = (read("out"), read("err"));
    if let Err(error) = waited {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{error}\n{out}\n{err}");
    }
    // A signal has no code.
    Said { code: ended.unwrap().code().unwrap_or(-1), out, err }
}

/// A running `decklog up` with a data directory of its own.
pub(crate) struct Up {
    pub(crate) daemon: Daemon,
    pub(crate) data: PathBuf,
    pub(crate) server: String,
}

impl Up {
    /// Starts it on any free port and waits until it is ready.
    pub(crate) fn start(data: &Path, jobs: &[&Path]) -> Self {
        Self::start_with(data, jobs, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_with(data: &Path, jobs: &[&Path], env: &[(&str, &Path)]) -> Self {
        let mut command = decklog(["up", "--listen", "127.0.0.1:0"]);
        command.envs(env.iter().copied());
        Self::started(command, data, jobs)
    }

    /// The same on a host that lets run what this file says.
    pub(crate) fn start_allowing(data: &Path, allow: &Path) -> Self {
        Self::start_allowing_with(data, allow, &[])
    }

    /// The same with jobs.
    pub(crate) fn start_allowing_with(data: &Path, allow: &Path, jobs: &[&Path]) -> Self {
        let mut command = decklog(["up", "--listen", "127.0.0.1:0", "--allow"]);
        command.arg(allow);
        Self::started(command, data, jobs)
    }

    /// The same by a command of which only data and jobs are missing.
    pub(crate) fn started(mut command: Command, data: &Path, jobs: &[&Path]) -> Self {
        command.arg("--data").arg(data);
        if !jobs.is_empty() {
            command.arg("--with").args(jobs);
        }
        let mut daemon = Daemon::spawn(&mut command).unwrap();
        let line = daemon.wait_for_line("API  http://", READY).unwrap();
        let server = line.split_whitespace().nth(1).unwrap().trim_end_matches("/api/v1").to_owned();
        if !jobs.is_empty() {
            let active = || run(decklog(["plan", "--data"]).arg(data).args(jobs)).code == 0;
            wait::until("the jobs to be active", READY, active).unwrap();
        }
        Self { daemon, data: data.to_owned(), server }
    }

    /// Runs a subcommand on its data directory.
    #[track_caller]
    pub(crate) fn call(&self, arguments: &[&str]) -> Said {
        call(&self.data, arguments)
    }

    /// Stops it in order.
    pub(crate) fn stop(mut self) {
        self.daemon.term();
        let status = self.daemon.wait_for_end(PATIENCE).unwrap();
        assert!(status.success(), "{}", self.daemon.output());
    }
}

/// Runs a subcommand on a data directory.
#[track_caller]
pub(crate) fn call(data: &Path, arguments: &[&str]) -> Said {
    run(decklog(arguments).arg("--data").arg(data))
}

/// What somebody does who holds the file and knows SQL.
pub(crate) fn sql(data: &Path, statement: &str) -> String {
    let file = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "sqlite" || end == "db"));
    let mut sqlite = Command::new("sqlite3");
    let said = run(sqlite.arg("-bail").arg(file.unwrap()).arg(statement)).ended(0);
    said.out.trim().to_owned()
}

/// A certificate for this name and its key, made by a program nobody here wrote.
pub(crate) fn certificate(dir: &Path, name: &str) -> (String, String) {
    let at = |suffix: &str| dir.join(format!("{name}.{suffix}")).to_str().unwrap().to_owned();
    let (certificate, key) = (at("pem"), at("key"));
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}"), "-addext"])
        .arg(format!("subjectAltName=DNS:{name}"))
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out"])
        .arg(&certificate);
    let made = openssl.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

/// Numbers that are different every time and can be had again: the seed is printed, and taken from
/// `DECKLOG_TEST_SEED` where that is set.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let given = std::env::var("DECKLOG_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(now);
        println!("again with DECKLOG_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number from `from` up to and without `to` (SplitMix64).
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        from + (z ^ (z >> 31)) % (to - from)
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }
}
