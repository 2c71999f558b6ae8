//! A repository, a source, a target, and an engine in this process or in one of its own.

use std::cell::Cell;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use engine::{
    Backup, BackupReport, Check, CheckReport, Done, EngineName, FilePath, Line, Operation, Outcome,
    Overwrite, Paths, Read, Report, Repository, Request, Restore, RestoreReport, Secrets, Source,
};
use tempfile::TempDir;

use crate::made;

pub(crate) const BE_ENGINE: &str = "DECKLOG_TEST_BE_ENGINE";
pub(crate) const PASSWORD: &str = "correct horse";

thread_local! {
    /// The engine of the places that this thread makes.
    static ENGINE: Cell<EngineName> = const { Cell::new(EngineName::Rustic) };
}

/// Does a test with restic instead of the engine built in.
pub(crate) fn by_restic(test: impl FnOnce()) {
    ENGINE.set(EngineName::Restic);
    test();
}

/// A place with a repository and a source.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) engine: EngineName,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("source")).unwrap();
        Self { dir, engine: ENGINE.get() }
    }

    /// The same place, read and written by an engine.
    pub(crate) fn of(mut self, engine: EngineName) -> Self {
        self.engine = engine;
        self
    }

    /// One whose source holds a few files.
    pub(crate) fn with_files() -> Self {
        let place = Self::new();
        place.write("a.txt", b"alpha");
        place.write("dir/b.txt", b"beta");
        place.write("dir/big.bin", &noise(3_000_000, 7));
        place
    }

    /// The same, with an empty repository.
    pub(crate) fn made(self) -> Self {
        made::repository_at(&self.path("repo"));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.path("source")
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.source().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository {
            location: self.path("repo").to_str().unwrap().to_owned(),
            initialise: true,
            engine: self.engine,
            restic: (self.engine == EngineName::Restic).then(|| writing_restic().into()),
            ..Repository::default()
        }
    }

    pub(crate) fn request(&self, operation: Operation) -> Request {
        Request { repository: self.repository(), operation }
    }

    pub(crate) fn run(&self, operation: Operation) -> Report {
        run(&self.request(operation))
    }

    pub(crate) fn backup_request(&self) -> Backup {
        let paths = Paths { paths: vec![self.source().into()], ..Paths::default() };
        backup_of(Source::Paths(paths))
    }

    /// Backs the source up.
    pub(crate) fn backup(&self) -> BackupReport {
        let report = self.run(Operation::Backup(Box::new(self.backup_request())));
        assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        backup(report)
    }

    pub(crate) fn check(&self) -> Report {
        self.run(Operation::Check(Check { read: Read::All, snapshots: vec![] }))
    }

    pub(crate) fn restore_request(&self, snapshot: &str) -> Restore {
        Restore {
            snapshot: snapshot.to_owned(),
            path: Some(self.source().into()),
            to: self.path("target").into(),
            sample: None,
            overwrite: Overwrite::Never,
            dry_run: false,
            compare: true,
            memory_limit_bytes: 300 << 20,
        }
    }

    pub(crate) fn restore(&self, snapshot: &str) -> RestoreReport {
        let report = self.run(Operation::Restore(self.restore_request(snapshot)));
        assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        restore(report)
    }

    /// Files of the repository of one kind, the largest first.
    pub(crate) fn files(&self, kind: &str) -> Vec<PathBuf> {
        let mut found = below(&self.path("repo").join(kind));
        // A writer that was killed leaves files with other names.
        found.retain(|path| path.is_file() && path.file_name().unwrap().len() == 64);
        found.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
        found
    }

    pub(crate) fn snapshots(&self) -> usize {
        self.files("snapshots").len()
    }
}

/// The restic that writes; without one these tests fail.
pub(crate) fn writing_restic() -> PathBuf {
    testkit::restic::writing().unwrap()
}

/// Every restic of this machine that reads: the one that writes, and an older one in `PATH`.
pub(crate) fn restics() -> Vec<PathBuf> {
    std::iter::once(writing_restic()).chain(testkit::restic::old()).collect()
}

pub(crate) fn backup_of(source: Source) -> Backup {
    Backup {
        dataset: "data".to_owned(),
        run: "run-1".to_owned(),
        attempt: 1,
        host: "here".to_owned(),
        tags: vec![],
        source,
        before: None,
        after: None,
        read_back: 100,
    }
}

pub(crate) fn secrets() -> Secrets {
    Secrets {
        password: PASSWORD.to_owned(),
        copy_password: Some(PASSWORD.to_owned()),
        ..Secrets::default()
    }
}

pub(crate) fn run(request: &Request) -> Report {
    engine::run(request, &secrets(), &mut |_| {})
}

pub(crate) fn lines(request: &Request) -> (Report, Vec<Line>) {
    let mut lines = Vec::new();
    let report = engine::run(request, &secrets(), &mut |line| lines.push(line));
    (report, lines)
}

pub(crate) fn backup(report: Report) -> BackupReport {
    match report.result {
        Some(Done::Backup(backup)) => *backup,
        other => panic!("no backup: {other:?} {:?}", report.problem),
    }
}

pub(crate) fn restore(report: Report) -> RestoreReport {
    match report.result {
        Some(Done::Restore(restore)) => *restore,
        other => panic!("no restore: {other:?} {:?}", report.problem),
    }
}

pub(crate) fn check(report: Report) -> CheckReport {
    match report.result {
        Some(Done::Check(check)) => check,
        other => panic!("no check: {other:?} {:?}", report.problem),
    }
}

/// An engine in a process of its own.
pub(crate) struct Engine {
    pub(crate) child: Child,
    report: tempfile::NamedTempFile,
}

/// How an engine process ended.
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) report: Option<Report>,
    pub(crate) lines: Vec<Line>,
}

impl Engine {
    pub(crate) fn start(request: &Request) -> Self {
        Self::start_as(request, Command::new(std::env::current_exe().unwrap()))
    }

    pub(crate) fn start_as(request: &Request, mut command: Command) -> Self {
        let report = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(report.path(), PermissionsExt::from_mode(0o666)).unwrap();
        let mut child = command
            .args(["--exact", "this_program_is_an_engine_when_it_is_started_as_one"])
            .args(["--nocapture", "--test-threads=1"])
            .env(BE_ENGINE, "1")
            .env("DECKLOG_REPOSITORY_PASSWORD", PASSWORD)
            .env("DECKLOG_ENGINE_REPORT", report.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let json = serde_json::to_vec(request).unwrap();
        child.stdin.take().unwrap().write_all(&json).unwrap();
        Self { child, report }
    }

    pub(crate) fn end(self) -> End {
        let output = self.child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json = |line: &str| serde_json::from_str(line.get(line.find('{')?..)?).ok();
        let report = std::fs::read_to_string(self.report.path()).unwrap();
        End {
            code: output.status.code(),
            report: serde_json::from_str(&report).ok(),
            lines: text.lines().filter_map(json).collect(),
        }
    }
}

pub(crate) fn process(request: &Request) -> End {
    Engine::start(request).end()
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Everything below a directory, in order.
pub(crate) fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() && !path.is_symlink() {
            found.extend(below(&path));
        }
    }
    found.sort();
    found
}

/// Flips one bit in the middle of a file.
pub(crate) fn flip_a_bit(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(file, bytes).unwrap();
}

/// Two directories hold the same.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let diff = Command::new("diff").args(["-r", "--no-dereference"]).args([a, b]).output().unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 60, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn file_path(path: &Path) -> FilePath {
    path.into()
}
